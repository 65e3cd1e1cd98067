package exercise

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"vigil/internal/marking"
	"vigil/stix"
)

// Every object is valid STIX 2.1 in strict mode, refers to something that one of the bundles holds, and carries a
// marking that its source may give: no partner sends above its own agreement's ceiling.
func TestIntelligenceIsValidAndWhole(t *testing.T) {
	type seen struct {
		source string
		refs   []string
	}
	ceiling := map[string]marking.TLP{}
	for _, b := range TheWorld().Bodies {
		ceiling[b.ID] = b.Ceiling
	}
	levels := map[stix.ID]marking.TLP{stix.TLP2Clear: marking.Clear, stix.TLP2Green: marking.Green, stix.TLP2Amber: marking.Amber,
		stix.TLP2AmberStrict: marking.AmberStrict, stix.TLP2Red: marking.Red}
	all, referred := map[string]bool{}, []seen{}
	types := map[string]int{}
	for _, b := range Intelligence(start) {
		mine := map[string]bool{}
		err := stix.ReadBundle(bytes.NewReader(b.Bytes), stix.Options{Mode: stix.Strict}, func(it stix.Item) error {
			if it.Err != nil {
				t.Errorf("%s: object %d: %v in %s", b.Source, it.Index, it.Err, it.Raw)
				return nil
			}
			for _, n := range it.Notes {
				t.Errorf("%s: object %d: %s in %s", b.Source, it.Index, n, it.Raw)
			}
			var o map[string]any
			if err := json.Unmarshal(it.Raw, &o); err != nil {
				t.Fatal(err)
			}
			id := o["id"].(string)
			if mine[id] {
				t.Errorf("%s holds %s twice", b.Source, id)
			}
			mine[id], all[id] = true, true
			types[o["type"].(string)]++
			marks, _ := o["object_marking_refs"].([]any)
			if len(marks) != 1 {
				t.Errorf("%s: %s has %d markings", b.Source, id, len(marks))
			} else if l, ok := levels[stix.ID(marks[0].(string))]; !ok || l > ceiling[b.Source] {
				t.Errorf("%s: %s is marked %v, the agreement goes to %v", b.Source, id, marks[0], ceiling[b.Source])
			}
			if by, ok := o["created_by_ref"].(string); ok && by != IdentityID(b.Source) {
				t.Errorf("%s: %s was made by %s", b.Source, id, by)
			}
			for _, k := range []string{"created", "modified", "valid_from", "published", "first_seen"} {
				if v, ok := o[k].(string); ok {
					if at, err := time.Parse(time.RFC3339Nano, v); err != nil || at.After(start) {
						t.Errorf("%s: %s has %s %s", b.Source, id, k, v)
					}
				}
			}
			var refs []string
			for k, v := range o {
				switch v := v.(type) {
				case string:
					if len(k) > 4 && k[len(k)-4:] == "_ref" {
						refs = append(refs, v)
					}
				case []any:
					if len(k) > 5 && k[len(k)-5:] == "_refs" && k != "object_marking_refs" {
						for _, r := range v {
							refs = append(refs, r.(string))
						}
					}
				}
			}
			referred = append(referred, seen{b.Source + " " + id, refs})
			if _, observable := o["created"]; !observable {
				want, err := stix.DeterministicID(it.Raw)
				if err != nil || string(want) != id {
					t.Errorf("%s: %s should be %s (%v)", b.Source, id, want, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", b.Source, err)
		}
	}
	for _, s := range referred {
		for _, r := range s.refs {
			if !all[r] {
				t.Errorf("%s refers to %s, which nobody has", s.source, r)
			}
		}
	}
	for _, want := range []string{"identity", "intrusion-set", "malware", "tool", "infrastructure", "campaign", "indicator", "attack-pattern",
		"relationship", "report", "note", "course-of-action", "domain-name", "ipv4-addr", "file"} {
		if types[want] == 0 {
			t.Errorf("no %s", want)
		}
	}
}

func TestIntelligenceIsTheSameAgain(t *testing.T) {
	a, b, later := Intelligence(start), Intelligence(start.In(time.FixedZone("h", 3600))), Intelligence(start.Add(time.Hour))
	for i := range a {
		if !bytes.Equal(a[i].Bytes, b[i].Bytes) {
			t.Errorf("%s: the same start gave other bytes", a[i].Source)
		}
		if bytes.Equal(a[i].Bytes, later[i].Bytes) {
			t.Errorf("%s: the start makes no difference", a[i].Source)
		}
	}
}

// The indicators that the table of outcomes names are in the bundles, valid tonight; the other indicators match
// nothing because no event holds their value.
func TestIndicators(t *testing.T) {
	bundled := map[string]map[string]any{}
	for _, b := range Intelligence(start) {
		var y struct{ Objects []map[string]any }
		if err := json.Unmarshal(b.Bytes, &y); err != nil {
			t.Fatal(err)
		}
		for _, o := range y.Objects {
			if o["type"] == "indicator" {
				bundled[o["id"].(string)] = o
			}
		}
	}
	for _, ind := range Indicators() {
		o := bundled[ind.ID]
		if o == nil || o["pattern"] != ind.Pattern {
			t.Errorf("%s is not in a bundle as %s", ind.Key, ind.Pattern)
			continue
		}
		from, _ := time.Parse(time.RFC3339, o["valid_from"].(string))
		until, _ := time.Parse(time.RFC3339, o["valid_until"].(string))
		if !until.After(start) || !from.Before(start.Add(-window)) {
			t.Errorf("%s is valid from %v to %v", ind.Key, from, until)
		}
		if ind.Key == "loader-host" && !from.Equal(start.Add(-9*day)) {
			t.Errorf("Lorrin shared the loader host on %v, want nine days ago", from)
		}
		if !slices.ContainsFunc(Expected(), func(x Outcome) bool { return x.Indicator == ind.Key }) {
			t.Errorf("%s is not expected anywhere", ind.Key)
		}
		delete(bundled, ind.ID)
	}
	if len(bundled) < 5 {
		t.Errorf("only %d indicators lie still", len(bundled))
	}
	for id, o := range bundled {
		p := o["pattern"].(string)
		value := p[bytes.LastIndexByte([]byte(p[:len(p)-2]), '\'')+1 : len(p)-2]
		if len(value) < 8 {
			t.Fatalf("%s: value %q of %s", id, value, p)
		}
		for _, e := range seedOne() {
			if bytes.Contains(bytes.ToLower(e.Line), []byte(value)) {
				t.Errorf("%s, which should lie still, is in %s", value, e.Line)
				break
			}
		}
	}
}
