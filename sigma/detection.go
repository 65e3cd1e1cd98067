package sigma

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scalarKind is the YAML type of a value. The text is kept whatever the type: an unquoted 00000429 stays that.
type scalarKind uint8

const (
	scalarString scalarKind = iota
	scalarNumber
	scalarBool
	scalarNull
)

// scalar is one value of a detection item.
type scalar struct {
	text string
	kind scalarKind
	line int
}

// item is a field with its modifiers and values. Field "" searches the whole event (keywords).
type item struct {
	field string
	mods  []string
	vals  []scalar
	line  int
	// placeholders gives the values for "expand", set by a pipeline; nil values mean a wildcard.
	placeholders map[string][]string
	applied      map[string]bool // ids of the pipeline items that touched it
}

// detNode is a detection's structure: either an item, or children linked with AND (map) or OR (list).
type detNode struct {
	item *item
	kids []*detNode
	and  bool
}

// detection is a named search identifier.
type detection struct {
	name string
	node *detNode
	line int
}

// parseError is a reason with its place in the document.
type parseError struct {
	line, col int
	reason    string
}

func (e *parseError) Error() string { return e.reason }

func errAt(n *yaml.Node, format string, a ...any) error {
	return &parseError{n.Line, n.Column, fmt.Sprintf(format, a...)}
}

func errLine(line int, format string, a ...any) error {
	return &parseError{line, 0, fmt.Sprintf(format, a...)}
}

// nodes follows aliases with a budget, so that nested anchors cannot multiply.
type nodes struct{ left int }

func (b *nodes) real(n *yaml.Node) (*yaml.Node, error) {
	b.left--
	if b.left < 0 {
		return nil, errAt(n, "the document has more than the allowed number of values")
	}
	for i := 0; n.Kind == yaml.AliasNode; i++ {
		if n.Alias == nil || i > 8 {
			return nil, errAt(n, "unresolvable YAML alias")
		}
		n = n.Alias
	}
	return n, nil
}

// pairs returns the keys and values of a mapping and refuses repeated keys, which YAML forbids.
func (b *nodes) pairs(n *yaml.Node) ([][2]*yaml.Node, error) {
	out := make([][2]*yaml.Node, 0, len(n.Content)/2)
	var seen map[string]bool
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, err := b.real(n.Content[i])
		if err != nil {
			return nil, err
		}
		if k.Kind != yaml.ScalarNode {
			return nil, errAt(k, "a key must be text")
		}
		if k.Tag == "!!merge" {
			return nil, errAt(k, "YAML merge keys are not part of Sigma")
		}
		v, err := b.real(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		if len(n.Content) > 16 {
			if seen == nil {
				seen = make(map[string]bool, len(n.Content)/2)
			}
			if seen[k.Value] {
				return nil, errAt(k, "key %q is repeated", k.Value)
			}
			seen[k.Value] = true
		} else {
			for _, o := range out {
				if o[0].Value == k.Value {
					return nil, errAt(k, "key %q is repeated", k.Value)
				}
			}
		}
		out = append(out, [2]*yaml.Node{k, v})
	}
	return out, nil
}

func toScalar(n *yaml.Node) (scalar, error) {
	s := scalar{text: n.Value, line: n.Line}
	switch n.ShortTag() {
	case "!!null":
		s.kind, s.text = scalarNull, ""
	case "!!int", "!!float":
		s.kind = scalarNumber
	case "!!bool":
		s.kind = scalarBool
	case "!!str", "!!timestamp":
	default:
		return s, errAt(n, "a value of YAML type %s is not allowed", n.Tag)
	}
	return s, nil
}

// maxDetectionDepth bounds lists within lists.
const maxDetectionDepth = 16

func (b *nodes) detection(n *yaml.Node, depth int) (*detNode, error) {
	if depth > maxDetectionDepth {
		return nil, errAt(n, "the detection is nested deeper than %d", maxDetectionDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		ps, err := b.pairs(n)
		if err != nil {
			return nil, err
		}
		if len(ps) == 0 {
			return nil, errAt(n, "an empty map selects nothing")
		}
		out := &detNode{and: true}
		for _, p := range ps {
			it, err := b.item(p[0], p[1])
			if err != nil {
				return nil, err
			}
			out.kids = append(out.kids, &detNode{item: it})
		}
		if len(out.kids) == 1 {
			return out.kids[0], nil
		}
		return out, nil
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			return nil, errAt(n, "an empty list selects nothing")
		}
		out := &detNode{}
		var kw *item
		for _, c := range n.Content {
			c, err := b.real(c)
			if err != nil {
				return nil, err
			}
			if c.Kind == yaml.ScalarNode {
				s, err := toScalar(c)
				if err != nil {
					return nil, err
				}
				if kw == nil {
					kw = &item{line: c.Line}
					out.kids = append(out.kids, &detNode{item: kw})
				}
				kw.vals = append(kw.vals, s)
				continue
			}
			k, err := b.detection(c, depth+1)
			if err != nil {
				return nil, err
			}
			out.kids = append(out.kids, k)
		}
		if len(out.kids) == 1 {
			return out.kids[0], nil
		}
		return out, nil
	case yaml.ScalarNode:
		s, err := toScalar(n)
		if err != nil {
			return nil, err
		}
		return &detNode{item: &item{vals: []scalar{s}, line: n.Line}}, nil
	}
	return nil, errAt(n, "a detection must be a map or a list")
}

func (b *nodes) item(k, v *yaml.Node) (*item, error) {
	parts := strings.Split(k.Value, "|")
	it := &item{field: parts[0], mods: parts[1:], line: k.Line}
	add := func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return errAt(n, "field %q: a value must be text, a number, a boolean or null", it.field)
		}
		s, err := toScalar(n)
		it.vals = append(it.vals, s)
		return err
	}
	if v.Kind != yaml.SequenceNode {
		return it, add(v)
	}
	if len(v.Content) == 0 {
		return nil, errAt(v, "field %q: an empty list of values selects nothing", it.field)
	}
	it.vals = make([]scalar, 0, len(v.Content))
	for _, c := range v.Content {
		c, err := b.real(c)
		if err != nil {
			return nil, err
		}
		if err := add(c); err != nil {
			return nil, err
		}
	}
	return it, nil
}

// clone copies the tree so that a pipeline may change it.
func (d *detNode) clone() *detNode {
	out := &detNode{and: d.and}
	if d.item != nil {
		it := *d.item
		out.item = &it
	}
	for _, k := range d.kids {
		out.kids = append(out.kids, k.clone())
	}
	return out
}

// items visits every item of the tree.
func (d *detNode) items(f func(*item)) {
	if d.item != nil {
		f(d.item)
	}
	for _, k := range d.kids {
		k.items(f)
	}
}
