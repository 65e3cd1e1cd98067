package store

import (
	"bytes"
	"context"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"vigil/internal/marking"
)

// trim takes references that the reader may not see out of the house's own containers. What others made is passed on
// whole, or not at all.
func (v *View) trim(ctx context.Context, o Object, lid int64, raw []byte) ([]byte, error) {
	if o.Source != marking.Own || v.r.IsSystem() {
		return raw, nil
	}
	switch o.Type {
	case "report", "grouping", "note", "opinion":
	default:
		return raw, nil
	}
	rows, err := v.s.readers.QueryContext(ctx, `SELECT o.id FROM need n JOIN obj o ON o.oid=n.dep WHERE n.lid=? AND n.kind=1 AND NOT EXISTS(
		SELECT 1 FROM line l WHERE l.oid=n.dep AND `+visibleLine("l", v.cid)+`)`, lid)
	if err != nil {
		return nil, fmt.Errorf("reading a container: %w", err)
	}
	defer rows.Close()
	hidden := map[string]bool{}
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		hidden[id] = true
	}
	if err := rows.Err(); err != nil || len(hidden) == 0 {
		return raw, err
	}
	return withoutRefs(raw, hidden)
}

// withoutRefs rewrites an object without the hidden ids in its object_refs.
func withoutRefs(raw []byte, hidden map[string]bool) ([]byte, error) {
	var members []member
	obj := jsontext.Value(raw)
	if err := eachMember(obj, func(name string, val jsontext.Value) { members = append(members, member{name, val.Clone()}) }); err != nil {
		return nil, err
	}
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, m.name)
		out = append(out, ':')
		if m.name != "object_refs" {
			out = append(out, m.value...)
			continue
		}
		out = append(out, '[')
		first := true
		if err := eachElement(m.value, func(v jsontext.Value) {
			id, err := jsontext.AppendUnquote(nil, v)
			if err == nil && hidden[string(id)] {
				return
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(out, v...)
		}); err != nil {
			return nil, err
		}
		out = append(out, ']')
	}
	return append(out, '}'), nil
}

type member struct {
	name  string
	value jsontext.Value
}

func eachMember(v jsontext.Value, f func(string, jsontext.Value)) error {
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		n := name.String()
		val, err := dec.ReadValue()
		if err != nil {
			return err
		}
		f(n, val)
	}
	_, err := dec.ReadToken()
	return err
}

func eachElement(v jsontext.Value, f func(jsontext.Value)) error {
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' && dec.PeekKind() != 0 {
		val, err := dec.ReadValue()
		if err != nil {
			return err
		}
		f(val)
	}
	_, err := dec.ReadToken()
	return err
}
