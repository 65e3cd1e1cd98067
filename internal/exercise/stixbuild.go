package exercise

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// props are the properties of one STIX object.
type props map[string]any

// head are the properties that come first when an object is written; the rest follow in order of name.
var head = []string{"type", "spec_version", "id", "created_by_ref", "created", "modified", "name", "relationship_type", "source_ref", "target_ref"}

// bytes writes the object: the same properties, the same bytes.
func (p props) bytes() []byte {
	names := slices.Sorted(maps.Keys(p))
	order := make([]string, 0, len(p))
	for _, n := range head {
		if _, ok := p[n]; ok {
			order = append(order, n)
		}
	}
	for _, n := range names {
		if !slices.Contains(head, n) {
			order = append(order, n)
		}
	}
	b := []byte{'{'}
	for i, n := range order {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, jsonBytes(n)...), ':')
		b = append(b, jsonBytes(p[n])...)
	}
	return append(b, '}')
}

func jsonBytes(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // text, numbers, lists and maps of them
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

var (
	exerciseSpace = [16]byte{0x7f, 0x2f, 0x3a, 0x52, 0x6d, 0x1b, 0x4d, 0x5e, 0x9f, 0x6c, 0x0d, 0x4f, 0x1c, 0x9a, 0x2b, 0x11}
	// observableSpace is the namespace of STIX 2.1, 2.9, for the ids of cyber-observable objects.
	observableSpace = [16]byte{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}
)

// uuid5 is a name-based UUID (RFC 9562, 5.5).
func uuid5(space [16]byte, name string) string {
	sum := sha1.Sum(append(space[:], name...))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func objectID(typ, source, key string) string {
	return typ + "--" + uuid5(exerciseSpace, typ+"\n"+source+"\n"+key)
}

// IdentityID is the id of the identity object of a body. Each source's bundle holds its own.
func IdentityID(body string) string { return objectID("identity", body, body) }

// author writes one source's objects.
type author struct {
	body    string
	start   time.Time
	marking string // id of the marking that its objects carry unless told otherwise
	objects []props
	ids     map[string]string // by key
}

func (a *author) ago(d time.Duration) string { return a.start.Add(-d).UTC().Format(stamp) }

// put adds an object that is d old and gives its id. key is unique for its type within the source.
func (a *author) put(typ, key string, d time.Duration, p props) string {
	p["type"], p["spec_version"], p["id"] = typ, "2.1", objectID(typ, a.body, key)
	p["created"], p["modified"] = a.ago(d), a.ago(d)
	if typ != "identity" {
		p["created_by_ref"] = IdentityID(a.body)
	}
	if p["object_marking_refs"] == nil {
		p["object_marking_refs"] = []string{a.marking}
	}
	a.objects = append(a.objects, p)
	id := p["id"].(string)
	a.ids[key] = id
	return id
}

// observe adds a cyber-observable object of one value, with the id that every other tool would give it.
func (a *author) observe(typ, value string) string {
	id := typ + "--" + uuid5(observableSpace, `{"value":`+string(jsonBytes(value))+`}`)
	a.objects = append(a.objects, props{"type": typ, "spec_version": "2.1", "id": id, "value": value, "object_marking_refs": []string{a.marking}})
	return id
}

// observeFile adds a file of that SHA-256.
func (a *author) observeFile(name, sha string) string {
	id := "file--" + uuid5(observableSpace, `{"hashes":{"SHA-256":"`+sha+`"},"name":`+string(jsonBytes(name))+`}`)
	a.objects = append(a.objects, props{"type": "file", "spec_version": "2.1", "id": id, "name": name,
		"hashes": map[string]string{"SHA-256": sha}, "object_marking_refs": []string{a.marking}})
	return id
}

// relate adds a relationship that is d old.
func (a *author) relate(from, kind, to string, d time.Duration, confidence int, why string) string {
	p := props{"relationship_type": kind, "source_ref": from, "target_ref": to}
	if confidence > 0 {
		p["confidence"] = confidence
	}
	if why != "" {
		p["description"] = why
	}
	return a.put("relationship", kind+" "+from+" "+to, d, p)
}

// bundle writes everything in the order in which it was added.
func (a *author) bundle() []byte {
	b := []byte(`{"type":"bundle","id":"bundle--` + uuid5(exerciseSpace, "bundle\n"+a.body) + `","objects":[` + "\n")
	for i, o := range a.objects {
		if i > 0 {
			b = append(b, ",\n"...)
		}
		b = append(b, o.bytes()...)
	}
	return append(b, "\n]}\n"...)
}
