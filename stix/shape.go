package stix

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// shape is what the tables say of an object type, a struct or an extension.
type shape struct {
	name  string
	class string // sdo, sro, sco, meta, struct, ext
	props map[string]*prop
	order []string // property names as the tables list them, common ones first
	names []string // the required properties, by the bit that marks them as seen
	rules []rule
	exts  map[string]*shape // known extensions, by key
	count int               // properties that a rule names, by slot
	slots map[string]int
}

// propKind is the kind of a property's value.
type propKind uint8

const (
	anyProp propKind = iota
	stringProp
	boolProp
	timeProp
	millisProp
	hexProp
	binaryProp
	hashesProp
	dictProp
	intProp
	floatProp
	vocabProp
	enumProp
	refProp
	structProp
)

var propKinds = map[string]propKind{
	"any": anyProp, "string": stringProp, "bool": boolProp, "time": timeProp, "millis": millisProp, "hex": hexProp,
	"binary": binaryProp, "hashes": hashesProp, "dict": dictProp, "int": intProp, "float": floatProp,
	"vocab": vocabProp, "enum": enumProp, "ref": refProp, "struct": structProp,
}

type prop struct {
	name     string
	kind     propKind
	list     bool
	required uint64 // the bit among the shape's required properties, 0 when optional
	slot     int    // 1 + position among the properties that rules need, 0 for none
	low      float64
	high     float64
	bounded  [2]bool
	vocab    string
	terms    map[string]bool
	refs     refRule
	sub      string // struct name, resolved into shape
	shape    *shape
}

// refRule says which types a reference may name.
type refRule struct {
	any   bool
	types map[string]bool
	not   map[string]bool
	text  string // for messages
}

// rule over several properties of one shape.
type rule struct {
	kind  string // order, after, some, one, needs
	props []string
	slots []int
}

// shapes are the object types; what is nested in them hangs below.
var shapes, _ = mustTables(coreTables + observableTables + extensionTables)

// classes gives the class of each known type, and bundle.
var classes = func() map[string]string {
	m := map[string]string{"bundle": "bundle"}
	for name, s := range shapes {
		m[name] = s.class
	}
	return m
}()

// Class is the class of an object type of STIX 2.1 or of the incident
// extension: "sdo", "sro", "sco", "meta" (marking-definition,
// language-content, extension-definition), "bundle", or "" for an unknown type.
func Class(typ string) string { return classes[typ] }

func mustTables(text string) (objects, structs map[string]*shape) {
	objects, structs, err := readTables(text)
	if err != nil {
		panic("stix: " + err.Error()) // the tables are constants: a test reads them
	}
	return objects, structs
}

func readTables(text string) (objects, structs map[string]*shape, err error) {
	objects, structs = map[string]*shape{}, map[string]*shape{}
	common := map[string]*shape{}
	var all []*shape
	var cur *shape
	n := 0
	for line := range strings.Lines(text) {
		n++
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			continue
		case line[0] != ' ':
			cur = &shape{name: f[len(f)-1], class: f[0], props: map[string]*prop{}, slots: map[string]int{}}
			all = append(all, cur)
			switch {
			case f[0] == "common":
				common[f[1]] = cur
			case f[0] == "struct":
				structs[f[1]] = cur
			case f[0] == "ext" && len(f) == 3 && objects[f[1]] != nil:
				if objects[f[1]].exts == nil {
					objects[f[1]].exts = map[string]*shape{}
				}
				objects[f[1]].exts[f[2]] = cur
				cur.props["extension_type"] = &prop{name: "extension_type", kind: enumProp, vocab: "extension-type-enum"}
			case f[0] == "sdo" || f[0] == "sro" || f[0] == "meta" || f[0] == "sco":
				objects[f[1]] = cur
				base := common["sdo"]
				if f[0] == "sco" {
					base = common["sco"]
				}
				cur.props["type"] = &prop{name: "type", kind: stringProp}
				cur.props["id"] = &prop{name: "id", kind: stringProp}
				for _, name := range base.order {
					p := base.props[name]
					q := *p
					cur.add(name, &q, p.required != 0)
				}
				cur.rules = append(cur.rules, base.rules...)
			default:
				return nil, nil, fmt.Errorf("tables line %d: %q", n, strings.TrimSpace(line))
			}
		case f[0][0] == '@':
			cur.rules = append(cur.rules, rule{kind: f[0][1:], props: f[1:]})
		case f[0][0] == '-':
			for _, name := range f {
				cur.drop(name[1:])
			}
		default:
			p, err := readProp(f)
			if err != nil {
				return nil, nil, fmt.Errorf("tables line %d: %w", n, err)
			}
			name := strings.TrimSuffix(f[0], "!")
			cur.add(name, p, strings.HasSuffix(f[0], "!"))
		}
	}
	for _, s := range all {
		if err := s.resolve(structs); err != nil {
			return nil, nil, fmt.Errorf("tables: %s: %w", s.name, err)
		}
	}
	return objects, structs, nil
}

func (s *shape) add(name string, p *prop, required bool) {
	p.name, p.required = name, 0
	if s.props[name] == nil {
		s.order = append(s.order, name)
	}
	s.props[name] = p
	if required {
		p.required = 1 << len(s.names)
		s.names = append(s.names, name)
	}
}

// drop takes a common property away from a type that does not have it.
func (s *shape) drop(name string) {
	delete(s.props, name)
	s.order = slices.DeleteFunc(s.order, func(n string) bool { return n == name })
	s.names, s.rules = nil, nil
	for _, n := range s.order {
		if p := s.props[n]; p.required != 0 {
			s.add(p.name, p, true)
		}
	}
	if s.props["modified"] != nil && s.props["created"] != nil {
		s.rules = []rule{{kind: "order", props: []string{"created", "modified"}}}
	}
}

func (s *shape) resolve(structs map[string]*shape) error {
	for _, p := range s.props {
		if p.kind == structProp {
			if p.shape = structs[p.sub]; p.shape == nil {
				return fmt.Errorf("no struct %s", p.sub)
			}
		}
		if p.vocab != "" {
			if p.terms = vocabulary[p.vocab]; p.terms == nil {
				return fmt.Errorf("no vocabulary %s", p.vocab)
			}
		}
	}
	rules := make([]rule, len(s.rules))
	for i, r := range s.rules {
		r.slots = make([]int, len(r.props))
		for k, name := range r.props {
			p := s.props[name]
			if p == nil {
				return fmt.Errorf("a rule names %s, which is no property", name)
			}
			if p.slot == 0 {
				s.count++
				p.slot = s.count
			}
			r.slots[k] = p.slot
		}
		rules[i] = r
	}
	s.rules = rules
	if s.count > maxSlots || len(s.names) > 64 {
		return fmt.Errorf("too many properties in rules or required")
	}
	return nil
}

// maxSlots bounds the properties that the rules of one shape name.
const maxSlots = 16

func readProp(f []string) (*prop, error) {
	if len(f) < 2 {
		return nil, fmt.Errorf("property %s has no kind", f[0])
	}
	p := &prop{}
	kind, list := strings.CutPrefix(f[1], "[]")
	p.list = list
	var ok bool
	if p.kind, ok = propKinds[kind]; !ok {
		return nil, fmt.Errorf("property %s has no kind %q", f[0], kind)
	}
	args := f[2:]
	switch p.kind {
	case intProp, floatProp:
		if len(args) == 1 {
			low, high, _ := strings.Cut(args[0], "..")
			for i, s := range []string{low, high} {
				if s == "" {
					continue
				}
				v, err := strconv.ParseFloat(s, 64)
				if err != nil {
					return nil, err
				}
				p.bounded[i] = true
				if i == 0 {
					p.low = v
				} else {
					p.high = v
				}
			}
		}
	case vocabProp, enumProp, structProp:
		if len(args) != 1 {
			return nil, fmt.Errorf("property %s names nothing", f[0])
		}
		if p.kind == structProp {
			p.sub = args[0]
		} else {
			p.vocab = args[0]
		}
	case refProp:
		p.refs = refRule{types: map[string]bool{}, not: map[string]bool{}, text: strings.Join(args, ", ")}
		for _, a := range args {
			switch {
			case a == "*":
				p.refs.any = true
			case a[0] == '-':
				p.refs.not[a[1:]] = true
			default:
				p.refs.types[a] = true
			}
		}
	}
	return p, nil
}

// allows reports whether a reference may name an object of type typ. A type
// that is not known here may be of any class.
func (r *refRule) allows(typ []byte) bool {
	if r.not[string(typ)] {
		return false
	}
	if r.any || r.types[string(typ)] {
		return true
	}
	class, ok := classes[string(typ)]
	if !ok {
		return r.types["sdo"] || r.types["sco"] || r.types["sro"]
	}
	return r.types[class]
}
