package sigma

import (
	"fmt"
	"strings"
)

// condOp is the kind of a condition node.
type condOp uint8

const (
	condRef  condOp = iota // a named detection
	condNot                // one child
	condAnd                // all children
	condOr                 // any child
	condSome               // a quantifier over detections, kept until names are resolved
)

// condNode is a parsed condition.
type condNode struct {
	op      condOp
	name    string // condRef: identifier; condSome: pattern
	all     bool   // condSome: "all of"
	kids    []*condNode
	written string // condSome: as written, for errors
}

// maxConditionDepth bounds brackets and "not" chains.
const maxConditionDepth = 64

type condParser struct {
	toks  []string
	pos   int
	depth int
}

// parseCondition parses the condition grammar of the rules specification: or, and, not, "1|any|all of pattern|them", brackets;
// binding grows in that order.
func parseCondition(s string) (*condNode, error) {
	if strings.Contains(s, "|") {
		return nil, fmt.Errorf("condition %q: aggregations with | were replaced by correlations", s)
	}
	p := &condParser{toks: condTokens(s)}
	if len(p.toks) == 0 {
		return nil, fmt.Errorf("the condition is empty")
	}
	n, err := p.or()
	if err != nil {
		return nil, fmt.Errorf("condition %q: %w", s, err)
	}
	if p.pos < len(p.toks) {
		return nil, fmt.Errorf("condition %q: unexpected %q", s, p.toks[p.pos])
	}
	return n, nil
}

func condTokens(s string) []string {
	var out []string
	start := -1
	flush := func(i int) {
		if start >= 0 {
			out = append(out, s[start:i])
			start = -1
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\r':
			flush(i)
		case '(', ')':
			flush(i)
			out = append(out, string(c))
		default:
			if start < 0 {
				start = i
			}
		}
	}
	flush(len(s))
	return out
}

func (p *condParser) peek(words ...string) bool {
	if p.pos >= len(p.toks) {
		return false
	}
	for _, w := range words {
		if strings.EqualFold(p.toks[p.pos], w) {
			return true
		}
	}
	return false
}

func (p *condParser) or() (*condNode, error)  { return p.chain("or", condOr, p.and) }
func (p *condParser) and() (*condNode, error) { return p.chain("and", condAnd, p.not) }

func (p *condParser) chain(word string, op condOp, next func() (*condNode, error)) (*condNode, error) {
	n, err := next()
	if err != nil || !p.peek(word) {
		return n, err
	}
	out := &condNode{op: op, kids: []*condNode{n}}
	for p.peek(word) {
		p.pos++
		k, err := next()
		if err != nil {
			return nil, err
		}
		out.kids = append(out.kids, k)
	}
	return out, nil
}

func (p *condParser) not() (*condNode, error) {
	if p.depth++; p.depth > maxConditionDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxConditionDepth)
	}
	defer func() { p.depth-- }()
	if p.peek("not") {
		p.pos++
		k, err := p.not()
		if err != nil {
			return nil, err
		}
		return &condNode{op: condNot, kids: []*condNode{k}}, nil
	}
	return p.operand()
}

func (p *condParser) operand() (*condNode, error) {
	if p.pos >= len(p.toks) {
		return nil, fmt.Errorf("ends where an operand is expected")
	}
	t := p.toks[p.pos]
	p.pos++
	switch {
	case t == "(":
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.peek(")") {
			return nil, fmt.Errorf("a bracket is not closed")
		}
		p.pos++
		return n, nil
	case t == ")" || strings.EqualFold(t, "and") || strings.EqualFold(t, "or"):
		return nil, fmt.Errorf("unexpected %q", t)
	}
	if p.peek("of") && p.pos+1 < len(p.toks) && p.toks[p.pos+1] != "(" && p.toks[p.pos+1] != ")" {
		pat := p.toks[p.pos+1]
		n := &condNode{op: condSome, name: pat, written: t + " of " + pat}
		switch strings.ToLower(t) {
		case "1", "any":
		case "all":
			n.all = true
		default:
			return nil, fmt.Errorf("quantifier %q: only 1, any and all are defined", t)
		}
		if strings.EqualFold(pat, "them") {
			n.name = "them"
		}
		p.pos += 2
		return n, nil
	}
	for i := 0; i < len(t); i++ {
		c := t[i]
		if !(c == '_' || c == '-' || c == '.' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80) {
			return nil, fmt.Errorf("%q is not an identifier", t)
		}
	}
	return &condNode{op: condRef, name: t}, nil
}

// resolve replaces quantifiers by the detections that they stand for and checks every name.
func (n *condNode) resolve(dets []*detection) (*condNode, error) {
	switch n.op {
	case condRef:
		for _, d := range dets {
			if d.name == n.name {
				return n, nil
			}
		}
		return nil, fmt.Errorf("the condition names %q, which the detection does not define", n.name)
	case condSome:
		out := &condNode{op: condOr}
		if n.all {
			out.op = condAnd
		}
		for _, d := range dets {
			if strings.HasPrefix(d.name, "_") && !strings.HasPrefix(n.name, "_") {
				continue
			}
			if n.name == "them" || starMatch(n.name, d.name) {
				out.kids = append(out.kids, &condNode{op: condRef, name: d.name})
			}
		}
		switch len(out.kids) {
		case 0:
			return nil, fmt.Errorf("%q stands for no detection", n.written)
		case 1:
			return out.kids[0], nil
		}
		return out, nil
	}
	out := &condNode{op: n.op}
	for _, k := range n.kids {
		r, err := k.resolve(dets)
		if err != nil {
			return nil, err
		}
		out.kids = append(out.kids, r)
	}
	return out, nil
}

// starMatch matches a whole identifier against a pattern in which * stands for any number of characters.
func starMatch(pat, s string) bool {
	head, rest, star := strings.Cut(pat, "*")
	if !star {
		return pat == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}
