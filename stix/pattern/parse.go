package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits bound what the parser accepts. A zero field means its default.
type Limits struct {
	Bytes int // of the text; 256 KiB by default
	Depth int // of nested parentheses; 64 by default
	Nodes int // comparisons, constants, operators and qualifiers; 20,000 by default
	Times int // of one REPEATS; 1,000,000 by default
}

// DefaultLimits are used where a field of Limits is zero.
var DefaultLimits = Limits{Bytes: 256 << 10, Depth: 64, Nodes: 20_000, Times: 1_000_000}

func (l Limits) orDefault() Limits {
	def := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	def(&l.Bytes, DefaultLimits.Bytes)
	def(&l.Depth, DefaultLimits.Depth)
	def(&l.Nodes, DefaultLimits.Nodes)
	def(&l.Times, DefaultLimits.Times)
	return l
}

type parser struct {
	text  string
	pos   int // after tok
	tok   token
	lim   Limits
	depth int
	nodes int
}

// Parse reads a pattern with the default limits. The error is an [*Error].
func Parse(text string) (*Pattern, error) { return ParseLimits(text, Limits{}) }

// Check reports the first fault of a pattern.
func Check(text string) error {
	_, err := Parse(text)
	return err
}

// ParseLimits reads a pattern. The error is an [*Error].
func ParseLimits(text string, lim Limits) (*Pattern, error) {
	p := &parser{text: text, lim: lim.orDefault()}
	if len(text) > p.lim.Bytes {
		return nil, faultAt(text, 0, fmt.Sprintf("the pattern has %d bytes, the limit is %d", len(text), p.lim.Bytes))
	}
	if !utf8.ValidString(text) {
		at := 0
		for at < len(text) {
			r, n := utf8.DecodeRuneInString(text[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return nil, faultAt(text, at, "the pattern is not valid UTF-8")
	}
	root, err := p.pattern()
	if err != nil {
		return nil, err
	}
	return &Pattern{root: root, text: text}, nil
}

func (p *parser) pattern() (Expr, *Error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	e, err := p.joined(FollowedBy)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		return nil, p.expected("AND, OR, FOLLOWEDBY, a qualifier or the end")
	}
	return e, nil
}

func (p *parser) faultHere(at int, reason string) *Error { return faultAt(p.text, at, reason) }

func (p *parser) expected(what string) *Error {
	return p.faultHere(p.tok.at, "expected "+what+", found "+p.tok.String())
}

func (p *parser) isWord(w string) bool { return p.tok.kind == tokWord && p.tok.text == w }
func (p *parser) isMark(m string) bool { return p.tok.kind == tokMark && p.tok.text == m }

func (p *parser) mark(m, what string) *Error {
	if !p.isMark(m) {
		return p.expected(what)
	}
	return p.next()
}

// count charges one node.
func (p *parser) count() *Error {
	if p.nodes++; p.nodes > p.lim.Nodes {
		return p.faultHere(p.tok.at, fmt.Sprintf("the pattern has more than %d parts", p.lim.Nodes))
	}
	return nil
}

func (p *parser) enter() *Error {
	if p.depth++; p.depth > p.lim.Depth {
		return p.faultHere(p.tok.at, fmt.Sprintf("parentheses are nested deeper than %d", p.lim.Depth))
	}
	return p.next()
}

// joined reads the operands of op and of the operators that bind tighter:
// FOLLOWEDBY over OR over AND.
func (p *parser) joined(op JoinOp) (Expr, *Error) {
	operand := func() (Expr, *Error) {
		switch op {
		case FollowedBy:
			return p.joined(Or)
		case Or:
			return p.joined(And)
		}
		return p.qualified()
	}
	first, err := operand()
	if err != nil || !p.isWord(op.String()) {
		return first, err
	}
	of := appendExpr(nil, op, first)
	for p.isWord(op.String()) {
		if err := p.count(); err != nil {
			return nil, err
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		e, err := operand()
		if err != nil {
			return nil, err
		}
		of = appendExpr(of, op, e)
	}
	return &Join{Op: op, Of: of}, nil
}

// appendExpr flattens a join of the same operator: all three are associative.
func appendExpr(of []Expr, op JoinOp, e Expr) []Expr {
	if j, ok := e.(*Join); ok && j.Op == op {
		return append(of, j.Of...)
	}
	return append(of, e)
}

func (p *parser) qualified() (Expr, *Error) {
	e, err := p.primary()
	if err != nil {
		return nil, err
	}
	var seen [3]bool
	for p.tok.kind == tokWord {
		q := &Qualified{Of: e}
		at := p.tok.at
		switch p.tok.text {
		case "WITHIN":
			err = p.within(q)
		case "REPEATS":
			err = p.repeats(q)
		case "START":
			err = p.startStop(q)
		default:
			return e, nil
		}
		if err != nil {
			return nil, err
		}
		if err := p.count(); err != nil {
			return nil, err
		}
		if seen[q.Kind] {
			return nil, p.faultHere(at, "the qualifier "+q.Kind.String()+" stands twice; put parentheses around the first")
		}
		seen[q.Kind] = true
		e = q
	}
	return e, nil
}

func (p *parser) primary() (Expr, *Error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	switch {
	case p.isMark("["):
		if err := p.next(); err != nil {
			return nil, err
		}
		c, err := p.logic(true)
		if err != nil {
			return nil, err
		}
		if err := p.mark("]", "AND, OR or ]"); err != nil {
			return nil, err
		}
		return &Observed{Test: c}, nil
	case p.isMark("("):
		if err := p.enter(); err != nil {
			return nil, err
		}
		e, err := p.joined(FollowedBy)
		if err != nil {
			return nil, err
		}
		p.depth--
		if err := p.mark(")", "AND, OR, FOLLOWEDBY, a qualifier or )"); err != nil {
			return nil, err
		}
		return e, nil
	}
	return nil, p.expected("[ or (")
}

func (p *parser) within(q *Qualified) *Error {
	if err := p.next(); err != nil {
		return err
	}
	q.Kind = Within
	if p.tok.kind != tokInt && p.tok.kind != tokFloat || p.tok.text[0] == '-' {
		return p.expected("a positive number of seconds")
	}
	v, err := strconv.ParseFloat(strings.TrimPrefix(p.tok.text, "+"), 64)
	const most = 100 * 366 * 24 * 3600 // a century, so that a Duration holds it
	if err != nil || v <= 0 || v > most {
		return p.faultHere(p.tok.at, fmt.Sprintf("WITHIN takes more than 0 and at most %d seconds, not %s", most, p.tok))
	}
	q.Within, q.WithinText = time.Duration(v*float64(time.Second)), plainNumber(p.tok.text)
	if err := p.next(); err != nil {
		return err
	}
	if !p.isWord("SECONDS") {
		return p.expected("SECONDS")
	}
	return p.next()
}

func (p *parser) repeats(q *Qualified) *Error {
	if err := p.next(); err != nil {
		return err
	}
	q.Kind = Repeats
	if p.tok.kind != tokInt || p.tok.text[0] == '-' {
		return p.expected("a positive integer")
	}
	n, err := strconv.Atoi(strings.TrimPrefix(p.tok.text, "+"))
	if err != nil || n < 1 || n > p.lim.Times {
		return p.faultHere(p.tok.at, fmt.Sprintf("REPEATS takes 1 to %d times, not %s", p.lim.Times, p.tok))
	}
	q.Times = n
	if err := p.next(); err != nil {
		return err
	}
	if !p.isWord("TIMES") {
		return p.expected("TIMES")
	}
	return p.next()
}

func (p *parser) startStop(q *Qualified) *Error {
	q.Kind = StartStop
	one := func(t *time.Time, text *string) *Error {
		if err := p.next(); err != nil {
			return err
		}
		if p.tok.kind != tokTime {
			return p.expected("a timestamp t'…'")
		}
		var reason string
		if *t, reason = parseTime(p.tok.text); reason != "" {
			return p.faultHere(p.tok.at, "the timestamp "+p.tok.String()+" "+reason)
		}
		*text = p.tok.text
		return p.next()
	}
	if err := one(&q.Start, &q.StartText); err != nil {
		return err
	}
	at := p.tok.at
	if !p.isWord("STOP") {
		return p.expected("STOP")
	}
	if err := one(&q.Stop, &q.StopText); err != nil {
		return err
	}
	if !q.Stop.After(q.Start) {
		return p.faultHere(at, "STOP must be later than START")
	}
	return nil
}

// logic reads comparisons joined by OR, or by the tighter AND.
func (p *parser) logic(or bool) (Cond, *Error) {
	operand, word := p.comparison, "AND"
	if or {
		operand, word = func() (Cond, *Error) { return p.logic(false) }, "OR"
	}
	first, err := operand()
	if err != nil || !p.isWord(word) {
		return first, err
	}
	of := appendCond(nil, or, first)
	for p.isWord(word) {
		if err := p.count(); err != nil {
			return nil, err
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		c, err := operand()
		if err != nil {
			return nil, err
		}
		of = appendCond(of, or, c)
	}
	return &Logic{Or: or, Of: of}, nil
}

func appendCond(of []Cond, or bool, c Cond) []Cond {
	if l, ok := c.(*Logic); ok && l.Or == or {
		return append(of, l.Of...)
	}
	return append(of, c)
}

func (p *parser) comparison() (Cond, *Error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	if p.isMark("(") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		c, err := p.logic(true)
		if err != nil {
			return nil, err
		}
		p.depth--
		if err := p.mark(")", "AND, OR or )"); err != nil {
			return nil, err
		}
		return c, nil
	}
	c := &Compare{}
	if p.isWord("NOT") {
		c.Not = true
		if err := p.next(); err != nil {
			return nil, err
		}
		if !p.isWord("EXISTS") {
			return nil, p.expected("EXISTS: before other comparisons NOT stands behind the path")
		}
	}
	if p.isWord("EXISTS") {
		c.Op = Exists
		if err := p.next(); err != nil {
			return nil, err
		}
		return c, p.path(&c.Path)
	}
	if err := p.path(&c.Path); err != nil {
		return nil, err
	}
	if p.isWord("NOT") {
		c.Not = true
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	return c, p.operator(c)
}

func (p *parser) operator(c *Compare) *Error {
	op, ok := operators[p.tok.text]
	if !ok || p.tok.kind != tokMark && p.tok.kind != tokWord {
		if p.tok.kind == tokHyphen || p.tok.kind == tokWord || p.tok.kind == tokInt {
			return p.faultHere(p.tok.at, "expected a comparison operator, found "+p.tok.String()+"; keys with hyphens stand in quotes, as in hashes.'SHA-256'")
		}
		return p.expected("a comparison operator")
	}
	c.Op = op
	if err := p.next(); err != nil {
		return err
	}
	switch op {
	case In:
		return p.set(c)
	case Like, Matches, IsSubset, IsSuperset:
		if p.tok.kind != tokString {
			return p.expected("a string in quotes")
		}
	}
	at := p.tok.at
	if err := p.constant(&c.Value); err != nil {
		return err
	}
	if c.Value.Kind == Bool && op != Eq && op != Ne {
		return p.faultHere(at, "a boolean has no order")
	}
	return nil
}

var operators = map[string]Op{
	"=": Eq, "==": Eq, "!=": Ne, "<>": Ne, "<": Lt, "<=": Le, ">": Gt, ">=": Ge,
	"IN": In, "LIKE": Like, "MATCHES": Matches, "ISSUBSET": IsSubset, "ISSUPERSET": IsSuperset,
}

func (p *parser) set(c *Compare) *Error {
	if err := p.mark("(", "( before the set"); err != nil {
		return err
	}
	if p.isMark(")") {
		return p.next()
	}
	for {
		if err := p.count(); err != nil {
			return err
		}
		var v Const
		if err := p.constant(&v); err != nil {
			return err
		}
		c.Set = append(c.Set, v)
		if p.isMark(")") {
			return p.next()
		}
		if err := p.mark(",", "a comma or )"); err != nil {
			return err
		}
	}
}

// keywords can't be identifiers; as keys they stand in quotes.
var keywords = map[string]bool{
	"AND": true, "OR": true, "NOT": true, "FOLLOWEDBY": true, "LIKE": true, "MATCHES": true, "ISSUPERSET": true,
	"ISSUBSET": true, "EXISTS": true, "LAST": true, "IN": true, "START": true, "STOP": true, "SECONDS": true,
	"true": true, "false": true, "WITHIN": true, "REPEATS": true, "TIMES": true,
}

func (p *parser) path(out *Path) *Error {
	if p.tok.kind != tokHyphen && (p.tok.kind != tokWord || keywords[p.tok.text]) {
		return p.expected("an object path such as file:name")
	}
	out.Type = p.tok.text
	if err := p.next(); err != nil {
		return err
	}
	if err := p.mark(":", "a colon after the object type"); err != nil {
		return err
	}
	for first := true; ; first = false {
		switch {
		case first || p.isMark("."):
			if !first {
				if err := p.next(); err != nil {
					return err
				}
			}
			if p.tok.kind == tokHyphen {
				return p.faultHere(p.tok.at, "the key "+p.tok.String()+" has a hyphen and must stand in quotes")
			}
			if p.tok.kind != tokString && (p.tok.kind != tokWord || keywords[p.tok.text]) {
				return p.expected("a key")
			}
			out.Steps = append(out.Steps, Step{Key: p.tok.text, Index: -1})
		case p.isMark("["):
			if err := p.next(); err != nil {
				return err
			}
			s := Step{Index: AnyItem}
			if !p.isMark("*") {
				n, err := strconv.Atoi(strings.TrimPrefix(p.tok.text, "+"))
				if p.tok.kind != tokInt || err != nil || n < 0 {
					return p.expected("an index from 0 or *")
				}
				s.Index = n
			}
			if err := p.next(); err != nil {
				return err
			}
			if !p.isMark("]") {
				return p.expected("]")
			}
			out.Steps = append(out.Steps, s)
		default:
			return nil
		}
		if err := p.count(); err != nil {
			return err
		}
		if err := p.next(); err != nil {
			return err
		}
	}
}

func (p *parser) constant(c *Const) *Error {
	t := p.tok
	var err error
	switch {
	case t.kind == tokString:
		c.Kind, c.Text = String, t.text
	case t.kind == tokInt:
		c.Kind, c.Text = Int, plainNumber(t.text)
		if c.Int, err = strconv.ParseInt(c.Text, 10, 64); err != nil {
			return p.faultHere(t.at, "the integer "+t.String()+" does not fit 64 bits")
		}
		c.Float = float64(c.Int)
	case t.kind == tokFloat:
		c.Kind, c.Text = Float, plainNumber(t.text)
		if c.Float, err = strconv.ParseFloat(c.Text, 64); err != nil {
			return p.faultHere(t.at, "the number "+t.String()+" is out of range")
		}
	case t.kind == tokHex:
		c.Kind, c.Text = Hex, t.text
		if c.Bytes, err = hex.DecodeString(t.text); err != nil {
			return p.faultHere(t.at, "h'…' takes an even number of hexadecimal digits")
		}
	case t.kind == tokBinary:
		c.Kind, c.Text = Binary, t.text
		if c.Bytes, err = base64.StdEncoding.DecodeString(t.text); err != nil || strings.ContainsAny(t.text, "\r\n") || t.text == "" {
			return p.faultHere(t.at, "b'…' takes base64")
		}
	case t.kind == tokTime:
		c.Kind, c.Text = Timestamp, t.text
		var reason string
		if c.Time, reason = parseTime(t.text); reason != "" {
			return p.faultHere(t.at, "the timestamp "+t.String()+" "+reason)
		}
	case t.kind == tokWord && (t.text == "true" || t.text == "false"):
		c.Kind, c.Text, c.Bool = Bool, t.text, t.text == "true"
	case t.kind == tokWord || t.kind == tokHyphen:
		return p.expected("a value; text stands in quotes")
	default:
		return p.expected("a value")
	}
	return p.next()
}

// plainNumber drops a plus sign and gives a fraction its zero: 0 before a bare
// point. Minus zero is zero.
func plainNumber(s string) string {
	s = strings.TrimPrefix(s, "+")
	if s == "-0" {
		return "0"
	}
	if rest, minus := strings.CutPrefix(s, "-"); minus && rest[0] == '.' {
		return "-0" + rest
	}
	if s[0] == '.' {
		return "0" + s
	}
	return s
}

// parseTime reads the timestamp of a literal: RFC 3339 in UTC.
func parseTime(s string) (time.Time, string) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[10] != 'T' || s[len(s)-1] != 'Z' || len(s) > 64 {
		return time.Time{}, "is not of the form 2006-01-02T15:04:05Z"
	}
	leap := time.Duration(0)
	if s[17:19] == "60" { // a leap second is the first of the next minute
		s, leap = s[:17]+"59"+s[19:], time.Second
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || strings.IndexByte(s, ',') >= 0 {
		return time.Time{}, "is no time of RFC 3339"
	}
	return t.Add(leap), ""
}
