package stix

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// typeLabels gives for each type whose labels were its kinds in STIX 2.0 the
// property that holds them in 2.1.
var typeLabels = map[string]string{
	"indicator": "indicator_types", "malware": "malware_types", "report": "report_types",
	"threat-actor": "threat_actor_types", "tool": "tool_types",
}

// renamed20 gives the properties of observables that 2.1 renamed.
var renamed20 = map[string]map[string]string{
	"directory":            {"created": "ctime", "modified": "mtime", "accessed": "atime"},
	"file":                 {"created": "ctime", "modified": "mtime", "accessed": "atime"},
	"process":              {"created": "created_time", "binary_ref": "image_ref"},
	"user-account":         {"password_last_changed": "credential_last_changed"},
	"windows-registry-key": {"modified": "modified_time"},
}

// Lift reads a STIX 2.0 object as STIX 2.1. The first object of the answer is
// the lifted one, with the id and times of o; an observed-data brings its
// observables after it, as objects of their own with deterministic ids. The
// notes say what was moved or assumed. o and its bytes are left as they are: a
// lifted object is a reading of ours and not the producer's, so it is never to
// be sent on in the place of o. An object that is not of 2.0 is answered as it is.
func Lift(o *Object) ([]*Object, []Note, error) {
	if o.SpecVersion != "2.0" {
		return []*Object{o}, nil, nil
	}
	tree, err := o.Tree()
	if err != nil {
		return nil, nil, fmt.Errorf("lift %s: %w", o.ID, err)
	}
	l := lifter{p: tree.(map[string]any)}
	if Class(o.Type) == "sco" {
		l.p = l.rename(o.Type, l.p)
	}
	l.p["spec_version"] = "2.1"
	if to := typeLabels[o.Type]; to != "" && l.p["labels"] != nil && l.p[to] == nil {
		l.p[to] = l.p["labels"]
		delete(l.p, "labels")
		l.note("labels", "read as "+to)
	}
	switch o.Type {
	case "indicator":
		l.assume("pattern_type", "stix")
		l.assume("pattern_version", "2.0")
	case "malware":
		l.assume("is_family", false)
	case "observed-data":
		if err := l.observables(); err != nil {
			return nil, nil, fmt.Errorf("lift %s: %w", o.ID, err)
		}
	}
	raw, err := appendObject(nil, l.p, propertyOrder(o.Type, l.p))
	if err != nil {
		return nil, nil, fmt.Errorf("lift %s: %w", o.ID, err)
	}
	lifted, notes, err := Parse(raw, Options{Mode: Lenient})
	if err != nil {
		return nil, nil, fmt.Errorf("lift %s: %w", o.ID, err)
	}
	return append([]*Object{lifted}, l.scos...), append(l.notes, notes...), nil
}

type lifter struct {
	p     Props
	scos  []*Object
	notes []Note
}

func (l *lifter) note(path, reason string) {
	l.notes = append(l.notes, Note{Path: path, Reason: reason, Grade: Advice})
}

func (l *lifter) assume(name string, v any) {
	if l.p[name] == nil {
		l.p[name] = v
		l.note(name, fmt.Sprintf("assumed to be %v, which STIX 2.0 does not say", v))
	}
}

func (l *lifter) rename(typ string, p Props) Props {
	out := make(Props, len(p))
	for name, v := range p {
		if to := renamed20[typ][name]; to != "" {
			name = to
		}
		out[name] = v
	}
	return out
}

// observables turns the objects dictionary into objects of their own. Ids of
// some depend on the ids of those that they refer to, so a reference is
// resolved before its holder is made; loops get a random id where they close.
func (l *lifter) observables() error {
	dict, ok := l.p["objects"].(map[string]any)
	if !ok {
		return nil
	}
	ids := make(map[string]ID, len(dict))
	open := make(map[string]bool)
	var resolve func(key string) (ID, error)
	var replace func(v any, name string) (any, error)
	replace = func(v any, name string) (any, error) {
		var err error
		switch v := v.(type) {
		case string:
			if _, local := dict[v]; local && (strings.HasSuffix(name, "_ref") || strings.HasSuffix(name, "_refs")) {
				return resolve(v)
			}
			return v, nil
		case []any:
			out := make([]any, len(v))
			for i := range v {
				if out[i], err = replace(v[i], name); err != nil {
					return nil, err
				}
			}
			return out, nil
		case map[string]any:
			out := make(map[string]any, len(v))
			for _, k := range sortedNames(v) {
				if out[k], err = replace(v[k], k); err != nil {
					return nil, err
				}
			}
			return out, nil
		}
		return v, nil
	}
	resolve = func(key string) (ID, error) {
		if id, ok := ids[key]; ok {
			return id, nil
		}
		obj, _ := dict[key].(map[string]any)
		typ, _ := obj["type"].(string)
		if typeFault(typ) != "" {
			return "", fmt.Errorf("objects.%s has no type", key)
		}
		if open[key] {
			ids[key] = NewID(typ)
			return ids[key], nil
		}
		open[key] = true
		v, err := replace(obj, "")
		if err != nil {
			return "", err
		}
		p := l.rename(typ, v.(map[string]any))
		p["spec_version"] = "2.1"
		id, ok := ids[key]
		if !ok {
			if id, err = newObjectID(typ, Class(typ), p); err != nil {
				return "", err
			}
			ids[key] = id
		}
		p["id"] = id
		raw, err := appendObject(nil, p, propertyOrder(typ, p))
		if err != nil {
			return "", err
		}
		sco, notes, err := Parse(raw, Options{Mode: Lenient})
		if err != nil {
			return "", fmt.Errorf("objects.%s: %w", key, err)
		}
		for _, n := range notes {
			n.Path = strings.TrimSuffix("objects."+key+"."+n.Path, ".")
			l.notes = append(l.notes, n)
		}
		if slices.ContainsFunc(l.scos, func(o *Object) bool { return o.ID == id }) {
			l.note("objects."+key, "left out: another of these objects has its id "+string(id))
			return id, nil
		}
		l.scos = append(l.scos, sco)
		return id, nil
	}
	var refs []ID
	for _, key := range slices.Sorted(maps.Keys(dict)) {
		id, err := resolve(key)
		if err != nil {
			return err
		}
		if !slices.Contains(refs, id) {
			refs = append(refs, id)
		}
	}
	delete(l.p, "objects")
	l.p["object_refs"] = refs
	l.note("objects", "read as objects of their own")
	return nil
}
