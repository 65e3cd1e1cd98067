package intel

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"vigil/stix"
)

// header names what a page shows elsewhere than among the facts.
var header = map[string]bool{"type": true, "id": true, "spec_version": true, "created": true, "modified": true, "name": true, "description": true, "revoked": true,
	"object_marking_refs": true, "granular_markings": true}

// maxFacts bounds the facts of one page: a hostile object can have hundreds of thousands of values.
const maxFacts = 500

// facts walks an object in the producer's order: one fact a property, lists of plain values as one.
func facts(o *stix.Object) ([]Fact, error) {
	var out []Fact
	err := members(o.Raw, func(name string, val jsontext.Value) error {
		if header[name] {
			return nil
		}
		return walk(&out, name, val)
	})
	return out, err
}

func walk(out *[]Fact, path string, val jsontext.Value) error {
	if len(*out) >= maxFacts {
		return nil
	}
	switch val.Kind() {
	case '{':
		return members(val, func(name string, v jsontext.Value) error { return walk(out, path+"."+name, v) })
	case '[':
		var plain []string
		n := 0
		err := elements(val, func(v jsontext.Value) error {
			defer func() { n++ }()
			if k := v.Kind(); k == '{' || k == '[' {
				return walk(out, path+"["+strconv.Itoa(n)+"]", v)
			}
			if len(plain) < maxFacts {
				plain = append(plain, text(v))
			}
			return nil
		})
		if len(plain) > 0 {
			*out = append(*out, Fact{Path: path, Values: plain})
		}
		return err
	}
	s := text(val)
	f := Fact{Path: path, Values: []string{s}}
	if val.Kind() == '"' {
		if id, err := stix.ParseID(s); err == nil {
			f.Ref = string(id)
		} else if t, err := stix.ParseTimestamp(s); err == nil {
			f.When = t.Time().Truncate(time.Nanosecond)
		}
	}
	*out = append(*out, f)
	return nil
}

// text is a plain value as it is read: a string without its quotes.
func text(v jsontext.Value) string {
	if v.Kind() == '"' {
		if b, err := jsontext.AppendUnquote(nil, v); err == nil {
			return string(b)
		}
	}
	return string(v)
}

// Diff says which properties of an object differ between two versions, by name. Text that differs in space alone, or in
// the order of properties, is the same.
func Diff(before, after []byte) ([]Change, error) {
	values := func(raw []byte) (map[string]string, error) {
		m := map[string]string{}
		err := members(raw, func(name string, v jsontext.Value) error {
			v = v.Clone()
			if err := v.Canonicalize(); err != nil {
				return err
			}
			m[name] = string(v)
			return nil
		})
		return m, err
	}
	a, err := values(before)
	if err != nil {
		return nil, err
	}
	b, err := values(after)
	if err != nil {
		return nil, err
	}
	var names []string
	for n := range a {
		names = append(names, n)
	}
	for n := range b {
		if _, ok := a[n]; !ok {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	out := []Change{}
	for _, n := range names {
		if a[n] != b[n] {
			out = append(out, Change{n, a[n], b[n]})
		}
	}
	return out, nil
}

func members(raw []byte, f func(string, jsontext.Value) error) error {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		val, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := f(name, val); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

func elements(raw []byte, f func(jsontext.Value) error) error {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for k := dec.PeekKind(); k != ']' && k != 0; k = dec.PeekKind() {
		val, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := f(val); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}
