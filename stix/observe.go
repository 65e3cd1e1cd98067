package stix

import (
	"fmt"
	"strconv"

	"vigil/stix/pattern"
)

// maxObserved bounds the objects of one observation.
const maxObserved = 10_000

// Observe makes an observation that a pattern can be matched with, of an
// observed-data object and its observables, or of a single observable, which
// is then taken to be seen once at the zero time. lookup finds the objects that
// are referred to, or gives nil; what it finds counts as observed too, so that
// patterns may follow references.
func Observe(o *Object, lookup func(ID) *Object) (pattern.Observation, error) {
	out := pattern.Observation{Number: 1, Objects: make(map[string]map[string]any)}
	var add func(o *Object) error
	add = func(o *Object) error {
		if o == nil || Class(o.Type) != "sco" || out.Objects[string(o.ID)] != nil {
			return nil
		}
		if len(out.Objects) >= maxObserved {
			return fmt.Errorf("observation has more than %d objects: %w", maxObserved, ErrLimit)
		}
		tree, err := o.Tree()
		if err != nil {
			return fmt.Errorf("observation: %s: %w", o.ID, err)
		}
		out.Objects[string(o.ID)] = tree.(map[string]any)
		for _, r := range o.Refs() {
			if err := add(lookup(r.ID)); err != nil {
				return err
			}
		}
		return nil
	}
	if o.Type != "observed-data" {
		return out, add(o)
	}
	first, err := o.timestamp("first_observed")
	if err != nil {
		return out, err
	}
	last, err := o.timestamp("last_observed")
	if err != nil {
		return out, err
	}
	out.First, out.Last = first.Time(), last.Time()
	if v, ok := o.Lookup("number_observed"); ok {
		if n, err := strconv.Atoi(string(v)); err == nil {
			out.Number = n
		}
	}
	for _, id := range o.Strings("object_refs") {
		if err := add(lookup(ID(id))); err != nil {
			return out, err
		}
	}
	if _, ok := o.Lookup("objects"); ok { // of STIX 2.0, and deprecated in 2.1
		tree, err := o.Tree()
		if err != nil {
			return out, fmt.Errorf("observation: %s: %w", o.ID, err)
		}
		objects, _ := tree.(map[string]any)["objects"].(map[string]any)
		for key, v := range objects {
			if obj, ok := v.(map[string]any); ok {
				out.Objects[key] = obj
			}
		}
	}
	return out, nil
}

func (o *Object) timestamp(name string) (Timestamp, error) {
	s, _ := o.String(name)
	t, err := ParseTimestamp(s)
	if err != nil {
		return t, fmt.Errorf("observation: %s: %s: %w", o.ID, name, err)
	}
	return t, nil
}
