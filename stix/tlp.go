package stix

import "bytes"

// Official TLP marking definitions. TLP 1 is STIX 2.1, 7.2.1.4; TLP 2.0 is the
// OASIS extension of 2022, whose ids every producer uses.
const (
	TLP1White ID = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
	TLP1Green ID = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
	TLP1Amber ID = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
	TLP1Red   ID = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"

	TLP2Clear       ID = "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"
	TLP2Green       ID = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
	TLP2Amber       ID = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
	TLP2AmberStrict ID = "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003"
	TLP2Red         ID = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"

	// TLP2Extension is the extension definition that the TLP 2.0 markings use.
	TLP2Extension ID = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
)

// OfficialTLP is one of the official TLP marking definitions.
type OfficialTLP struct {
	ID      ID
	Version int    // 1 or 2
	Level   string // white, clear, green, amber, amber+strict, red
	Raw     []byte // the official content
}

func tlp1(id ID, level string) OfficialTLP {
	return OfficialTLP{ID: id, Version: 1, Level: level, Raw: []byte(`{"type":"marking-definition","spec_version":"2.1","id":"` + string(id) +
		`","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","name":"TLP:` + upper(level) + `","definition":{"tlp":"` + level + `"}}`)}
}

func tlp2(id ID, level string) OfficialTLP {
	return OfficialTLP{ID: id, Version: 2, Level: level, Raw: []byte(`{"type":"marking-definition","spec_version":"2.1","id":"` + string(id) +
		`","created":"2022-10-01T00:00:00.000Z","name":"TLP:` + upper(level) + `","extensions":{"` + string(TLP2Extension) +
		`":{"extension_type":"property-extension","tlp_2_0":"` + level + `"}}}`)}
}

func upper(s string) string { return string(bytes.ToUpper([]byte(s))) }

var official = func() map[ID]OfficialTLP {
	m := make(map[ID]OfficialTLP)
	for _, t := range []OfficialTLP{
		tlp1(TLP1White, "white"), tlp1(TLP1Green, "green"), tlp1(TLP1Amber, "amber"), tlp1(TLP1Red, "red"),
		tlp2(TLP2Clear, "clear"), tlp2(TLP2Green, "green"), tlp2(TLP2Amber, "amber"),
		tlp2(TLP2AmberStrict, "amber+strict"), tlp2(TLP2Red, "red"),
	} {
		m[t.ID] = t
	}
	return m
}()

// officialIDs saves an allocation for each marking of an object.
var officialIDs = func() map[string]ID {
	m := make(map[string]ID)
	for id := range official {
		m[string(id)] = id
	}
	return m
}()

// OfficialMarking gives the official TLP marking definition of that id. Its
// Raw must not be changed.
func OfficialMarking(id ID) (OfficialTLP, bool) {
	t, ok := official[id]
	return t, ok
}

// OfficialMarkings gives all nine, TLP 1 first, loosest first.
func OfficialMarkings() []OfficialTLP {
	var out []OfficialTLP
	for _, id := range []ID{TLP1White, TLP1Green, TLP1Amber, TLP1Red, TLP2Clear, TLP2Green, TLP2Amber, TLP2AmberStrict, TLP2Red} {
		out = append(out, official[id])
	}
	return out
}

// SameAsOfficial reports whether o, whose id is an official TLP or PAP id, has
// the official meaning: the same type, creation time, level and extension. Name and
// spec_version may be absent, since STIX 2.0 had neither, and common libraries
// write TLP 1 so; any property beyond the official ones makes it another
// content.
func SameAsOfficial(o *Object) bool {
	raw, pap := official[o.ID].Raw, false
	if raw == nil {
		raw, pap = officialPAP[o.ID].Raw, true
	}
	if raw == nil {
		return false
	}
	d, err := scan(raw, DefaultLimits)
	if err != nil {
		return false
	}
	defer d.release()
	e, err := scan(o.Raw, DefaultLimits)
	if err != nil {
		return false
	}
	defer e.release()
	for i := e.first(0); i != 0; i = e.nodes[i].next {
		name := e.key(i)
		j := d.child(0, name)
		switch {
		case name == "spec_version":
			if v := string(e.text(i)); v != "2.1" && v != "2.0" {
				return false
			}
		case name == "created" && pap: // published with several days
			if _, reason := parseTimestamp(e.text(i)); reason != "" {
				return false
			}
		case name == "created":
			a, _ := parseTimestamp(d.text(j))
			b, reason := parseTimestamp(e.text(i))
			if reason != "" || a.Compare(b) != 0 {
				return false
			}
		case j == 0 || !sameValue(d, j, e, i):
			return false
		}
	}
	for i := d.first(0); i != 0; i = d.nodes[i].next {
		name := d.key(i)
		if name != "name" && name != "spec_version" && e.child(0, name) == 0 {
			return false
		}
	}
	return true
}

// sameValue compares two JSON values, properties in any order. Numbers are
// compared as written.
func sameValue(a *doc, i uint32, b *doc, j uint32) bool {
	m, n := a.nodes[i], b.nodes[j]
	if m.kind != n.kind || m.count != n.count {
		return false
	}
	switch m.kind {
	case kindString, kindNumber:
		return bytes.Equal(a.text(i), b.text(j))
	case kindArray:
		for p, q := a.first(i), b.first(j); p != 0; p, q = a.nodes[p].next, b.nodes[q].next {
			if !sameValue(a, p, b, q) {
				return false
			}
		}
	case kindObject:
		for p := a.first(i); p != 0; p = a.nodes[p].next {
			q := b.child(j, a.key(p))
			if q == 0 || !sameValue(a, p, b, q) {
				return false
			}
		}
	}
	return true
}
