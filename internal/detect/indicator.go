package detect

import (
	"strings"
	"time"

	"vigil/internal/event"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
	"vigil/stix/pattern"
)

// indicator is one that can be looked up by value.
type indicator struct {
	id, title  string
	from, till time.Time // till zero: no end
	level      Level
	techniques []string
	label      marking.Label
}

func (i *indicator) holds(at time.Time) bool {
	return !at.Before(i.from) && (i.till.IsZero() || at.Before(i.till))
}

// index finds indicators by the value they look for.
type index map[indexKey][]*indicator

type indexKey struct {
	kind  event.Kind
	value string
}

// find looks a value up; it allocates nothing.
func (x index) find(o event.Observable) []*indicator {
	return x[indexKey{o.Kind, string(o.Value)}]
}

// kinds says which observable a STIX path names, and whether its case counts.
var kinds = map[string]struct {
	kind event.Kind
	fold bool
}{
	"ipv4-addr:value": {event.Address, true}, "ipv6-addr:value": {event.Address, true}, "domain-name:value": {event.Domain, true},
	"url:value": {event.URL, false}, "email-addr:value": {event.Email, true},
	"file:hashes.MD5": {event.MD5, true}, "file:hashes.'MD5'": {event.MD5, true},
	"file:hashes.'SHA-1'": {event.SHA1, true}, "file:hashes.SHA1": {event.SHA1, true},
	"file:hashes.'SHA-256'": {event.SHA256, true}, "file:hashes.SHA256": {event.SHA256, true},
	"file:name": {event.FileName, false},
}

// unsupported is why an indicator is not looked for; it is shown, never swallowed.
type unsupported struct{ id, reason string }

// addIndicator takes an indicator with a STIX pattern into the index: one or more comparisons for equality, any of which
// suffices. Everything else is named, with the reason.
func (x index) addIndicator(o store.Object, obj *stix.Object) *unsupported {
	text, _ := obj.String("pattern")
	p, err := pattern.Parse(text)
	if err != nil {
		return &unsupported{o.ID, err.Error()}
	}
	terms, ok := pattern.Index(p)
	if !ok || !pattern.Exact(p) {
		return &unsupported{o.ID, "it asks for more than one value at once"}
	}
	ind := &indicator{id: o.ID, title: o.Title, level: High, label: o.Label, techniques: techniquesOf(obj)}
	if c := obj.Confidence; c >= 0 && c < 50 {
		ind.level = Medium
	}
	if s, ok := obj.String("valid_from"); ok {
		if t, err := stix.ParseTimestamp(s); err == nil {
			ind.from = t.Time()
		}
	}
	if s, ok := obj.String("valid_until"); ok {
		if t, err := stix.ParseTimestamp(s); err == nil {
			ind.till = t.Time()
		}
	}
	for _, t := range terms {
		k, ok := kinds[t.Path]
		if !ok {
			return &unsupported{o.ID, "nothing in a log is known as " + t.Path}
		}
		if t.Op != pattern.Eq || t.Value.Kind != pattern.String {
			return &unsupported{o.ID, "only equality with a text is looked up"}
		}
		v := t.Value.Text
		if k.fold {
			v = strings.ToLower(v)
		}
		if k.kind == event.Domain {
			v = strings.TrimSuffix(v, ".")
		}
		key := indexKey{k.kind, v}
		x[key] = append(x[key], ind)
	}
	return nil
}

// techniquesOf reads ATT&CK technique ids from an indicator's external references.
func techniquesOf(o *stix.Object) []string {
	var out []string
	for _, r := range o.ExternalReferences {
		if r.SourceName == "mitre-attack" && strings.HasPrefix(r.ExternalID, "T") {
			out = append(out, r.ExternalID)
		}
	}
	return out
}
