package sigma

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// predKind is what a predicate asks of a field.
type predKind uint8

const (
	predLits    predKind = iota // any of some case-insensitive literals
	predGlob                    // a wildcard pattern, or any cased string
	predRegex                   // a regular expression, searched anywhere
	predCIDR                    // an address in a network
	predCompare                 // a number compared, possibly a part of a date
	predNull                    // absent or null
	predExists                  // present, whatever the value
	predRef                     // compared with another field
)

// pred is one question about one field. It holds when any value of the field satisfies it. Predicates are immutable and shared
// between rules: equal keys are equal predicates.
type pred struct {
	kind  predKind
	field string // "" is every value of the event
	cased bool
	lits  []lit // predLits: sorted
	glob  *glob
	lit   lit // cased string that needs no glob
	re    *regexp.Regexp
	net   netip.Prefix
	op    string // predCompare: lt, lte, gt, gte, eq
	num   number
	unit  string  // time part, or ""
	ref   string  // predRef: the other field
	gates [][]lit // folded literals: of every clause one must occur for the predicate to hold
	key   string
}

// number is a value to compare with, exact for integers.
type number struct {
	i     int64
	f     float64
	isInt bool
}

// asString views bytes as a string for the duration of a call that keeps nothing.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func parseNumber(s string) (number, bool) {
	if s == "" || len(s) > 64 || s[0] > '9' && s[0] != '-' {
		return number{}, false
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{i, float64(i), true}, true
	}
	if len(s) > 2 && (s[1] == 'x' || s[1] == 'X') && s[0] == '0' {
		if i, err := strconv.ParseInt(s[2:], 16, 64); err == nil {
			return number{i, float64(i), true}, true
		}
		return number{}, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return number{f: f}, err == nil && f == f
}

func (n number) cmp(o number) int {
	if n.isInt && o.isInt {
		switch {
		case n.i < o.i:
			return -1
		case n.i > o.i:
			return 1
		}
		return 0
	}
	switch {
	case n.f < o.f:
		return -1
	case n.f > o.f:
		return 1
	}
	return 0
}

// test evaluates kinds that look at one value: text is the value as it is, folded its folded form.
func (p *pred) test(text, folded []byte) bool {
	switch p.kind {
	case predLits:
		for _, l := range p.lits {
			if matchLit(l, folded) {
				return true
			}
		}
		return false
	case predGlob:
		s := folded
		if p.cased {
			s = text
		}
		if p.glob == nil {
			return matchLit(p.lit, s)
		}
		return p.glob.match(s)
	case predRegex:
		return p.re.Match(text)
	case predCIDR:
		return inNetwork(p.net, text)
	case predCompare:
		var n number
		if p.unit != "" {
			i, ok := timePart(p.unit, text)
			if !ok {
				return false
			}
			n = number{i, float64(i), true}
		} else {
			var ok bool
			if n, ok = parseNumber(strings.TrimSpace(asString(text))); !ok {
				return false
			}
		}
		c := n.cmp(p.num)
		switch p.op {
		case "lt":
			return c < 0
		case "lte":
			return c <= 0
		case "gt":
			return c > 0
		case "gte":
			return c >= 0
		}
		return c == 0
	}
	return false
}

// inNetwork reads an address, also in brackets, with a zone, or mapped to IPv6.
func inNetwork(n netip.Prefix, v []byte) bool {
	if len(v) > 2 && v[0] == '[' && v[len(v)-1] == ']' {
		v = v[1 : len(v)-1]
	}
	if len(v) < 2 || len(v) > 64 || !addressLike(v) {
		return false
	}
	a, err := netip.ParseAddr(asString(v))
	if err != nil {
		return false
	}
	a = a.WithZone("")
	return n.Contains(a) || a.Is4In6() && n.Contains(a.Unmap())
}

// addressLike keeps text that cannot be an address from the parser, whose errors allocate.
func addressLike(v []byte) bool {
	for i, c := range v {
		switch {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f', c == ':', c == '.':
		case c == '%' && i > 2:
			return true
		default:
			return false
		}
	}
	return true
}

// seal sorts what has no order and derives the key.
func (p *pred) seal() *pred {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\x00%s\x00%t", p.kind, p.field, p.cased)
	switch p.kind {
	case predLits:
		slices.SortFunc(p.lits, func(a, c lit) int {
			if a.op != c.op {
				return int(a.op) - int(c.op)
			}
			return strings.Compare(a.text, c.text)
		})
		p.lits = slices.Compact(p.lits)
		for _, l := range p.lits {
			b.WriteByte(0)
			b.WriteByte('0' + byte(l.op))
			b.WriteString(l.text)
		}
	case predGlob:
		if p.glob == nil {
			fmt.Fprintf(&b, "\x00%d%s", p.lit.op, p.lit.text)
		} else {
			fmt.Fprintf(&b, "\x00%v", *p.glob)
		}
	case predRegex:
		b.WriteString("\x00" + p.re.String())
	case predCIDR:
		b.WriteString("\x00" + p.net.String())
	case predCompare:
		fmt.Fprintf(&b, "\x00%s\x00%s\x00%v", p.op, p.unit, p.num)
	case predRef:
		fmt.Fprintf(&b, "\x00%s\x00%d", p.ref, p.lit.op)
	}
	p.key = b.String()
	return p
}

// exprOp is a node of a rule's logic.
type exprOp uint8

const (
	exprPred exprOp = iota
	exprNot
	exprAnd
	exprOr
)

// expr is a rule's logic over predicates.
type expr struct {
	op   exprOp
	pred *pred
	kids []*expr
	// what the node came from, for explanations: "detection selection", "CommandLine|contains"
	label string
}

func join(op exprOp, kids []*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	return &expr{op: op, kids: kids}
}
