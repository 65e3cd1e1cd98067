package stix

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"
)

// Props are the properties of an object under construction. Values may be
// string, bool, int, int64, float64, [json.Number], [ID], [Timestamp],
// [time.Time] (written to the millisecond), [json.RawMessage], Props,
// map[string]any, map[string]string, and slices of string, ID, Props,
// ExternalReference or any. A nil value, an empty string, an empty slice or
// map, a zero Timestamp and a zero time.Time leave the property out: STIX has
// no null, and no empty lists.
type Props map[string]any

// ErrMake is wrapped by every refusal of [Make] and [NewVersion].
var ErrMake = errors.New("object can't be made")

// Make builds an object of type typ and checks it strictly. The bytes have a
// stable order: type, spec_version, id, created_by_ref, created, modified,
// revoked, the properties of the type as the specification lists them, the
// other common properties, then any others by name, and extensions last.
//
// What is not given is filled in: spec_version 2.1; created and modified from
// now; the extension that defines event, impact and task; for cyber-observables the deterministic id where the type has one, for
// all else a random id.
func Make(typ string, now time.Time, p Props) (*Object, error) {
	all := maps.Clone(p)
	if all == nil {
		all = Props{}
	}
	all["type"] = typ
	class := Class(typ)
	if all["spec_version"] == nil {
		all["spec_version"] = "2.1"
	}
	if class != "sco" {
		if all["created"] == nil {
			all["created"] = now
		}
		if all["modified"] == nil && typ != "marking-definition" {
			all["modified"] = all["created"]
		}
	}
	if ext := typeExtensions[typ]; ext != "" && all["extensions"] == nil {
		all["extensions"] = Props{string(ext): Props{"extension_type": "new-sdo"}}
	}
	if all["id"] == nil {
		id, err := newObjectID(typ, class, all)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrMake, typ, err)
		}
		all["id"] = id
	}
	raw, err := appendObject(nil, all, propertyOrder(typ, all))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMake, typ, err)
	}
	o, _, err := Parse(raw, Options{Mode: Strict})
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMake, typ, err)
	}
	return o, nil
}

func newObjectID(typ, class string, p Props) (ID, error) {
	if class != "sco" || typ == "process" {
		return NewID(typ), nil
	}
	raw, err := appendObject(nil, p, propertyOrder(typ, p))
	if err != nil {
		return "", err
	}
	id, err := DeterministicID(raw)
	if err != nil { // none of the properties that contribute: random, as 2.9 allows
		return NewID(typ), nil
	}
	return id, nil
}

// NewVersion makes the next version of o: changes replace properties, a nil
// value removes one, and modified becomes now, or a millisecond after o's when
// the clock has not moved on. Type, id, created and created_by_ref stay: only
// the creator of an object makes versions of it (STIX 2.1, 3.6).
func NewVersion(o *Object, now time.Time, changes Props) (*Object, error) {
	tree, err := o.Tree()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMake, o.ID, err)
	}
	p := Props(tree.(map[string]any))
	if o.Modified.IsZero() {
		return nil, fmt.Errorf("%w: %s has no modified and so no versions", ErrMake, o.ID)
	}
	if o.Revoked {
		return nil, fmt.Errorf("%w: %s is revoked, which ends its versions", ErrMake, o.ID)
	}
	for name, v := range changes {
		switch name {
		case "type", "id", "created", "created_by_ref", "modified", "spec_version":
			return nil, fmt.Errorf("%w: %s: a new version keeps %s", ErrMake, o.ID, name)
		}
		p[name] = v
	}
	m := NewTimestamp(now)
	if m.Compare(o.Modified) <= 0 {
		m = NewTimestamp(o.Modified.Time().Add(time.Millisecond))
	}
	p["modified"] = m
	return Make(o.Type, now, p)
}

// propertyOrder sorts the names of p for writing.
func propertyOrder(typ string, p Props) []string {
	rank := map[string]int{"type": -100, "spec_version": -99, "id": -98, "created_by_ref": -97, "created": -96, "modified": -95, "revoked": -94, "extensions": 3000}
	if s := shapes[typ]; s != nil {
		for i, name := range s.order {
			if _, ok := rank[name]; ok {
				continue
			}
			rank[name] = i
			switch name {
			case "labels", "confidence", "lang", "external_references", "object_marking_refs", "granular_markings", "defanged":
				rank[name] = 1000 + i
			}
		}
	}
	names := slices.Collect(maps.Keys(p))
	slices.SortFunc(names, func(a, b string) int {
		x, ok := rank[a]
		if !ok {
			x = 2000
		}
		y, ok := rank[b]
		if !ok {
			y = 2000
		}
		if x != y {
			return x - y
		}
		return compareUTF16(a, b)
	})
	return names
}

func appendObject(dst []byte, p Props, names []string) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for _, name := range names {
		v := p[name]
		if omitted(v) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendString(dst, name), ':')
		var err error
		if dst, err = appendValue(dst, v); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return append(dst, '}'), nil
}

func omitted(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case ID:
		return v == ""
	case Timestamp:
		return v.IsZero()
	case time.Time:
		return v.IsZero()
	case json.RawMessage:
		return len(v) == 0
	case []string:
		return len(v) == 0
	case []ID:
		return len(v) == 0
	case []Props:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case []ExternalReference:
		return len(v) == 0
	case Props:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	case map[string]string:
		return len(v) == 0
	}
	return false
}

func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return appendString(dst, v), nil
	case ID:
		return appendString(dst, string(v)), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is no number of JSON", v)
		}
		return appendNumber(dst, v), nil
	case json.Number:
		return append(dst, v...), nil
	case json.RawMessage:
		return append(dst, v...), nil
	case Timestamp:
		return appendString(dst, v.Append(nil)), nil
	case time.Time:
		return appendString(dst, NewTimestamp(v).Append(nil)), nil
	case []string:
		return appendList(dst, v)
	case []ID:
		return appendList(dst, v)
	case []Props:
		return appendList(dst, v)
	case []ExternalReference:
		return appendList(dst, v)
	case []any:
		return appendList(dst, v)
	case ExternalReference:
		p := Props{"source_name": v.SourceName, "description": v.Description, "url": v.URL, "external_id": v.ExternalID, "hashes": v.Hashes}
		return appendObject(dst, p, []string{"source_name", "description", "url", "hashes", "external_id"})
	case Props:
		return appendObject(dst, v, sortedNames(v))
	case map[string]any:
		return appendObject(dst, v, sortedNames(v))
	case map[string]string:
		p := make(Props, len(v))
		for k, s := range v {
			p[k] = s
		}
		return appendObject(dst, p, sortedNames(p))
	}
	return nil, fmt.Errorf("a %T can't be written", v)
}

func appendList[T any](dst []byte, list []T) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendValue(dst, v); err != nil {
			return nil, fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return append(dst, ']'), nil
}

func sortedNames(p map[string]any) []string {
	names := slices.Collect(maps.Keys(p))
	sortUTF16(names)
	return names
}
