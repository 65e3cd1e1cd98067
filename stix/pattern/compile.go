package pattern

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Budget bounds an evaluation. A zero field means its default.
type Budget struct {
	// Observations kept, of those that satisfy at least one bracket; 10,000 by
	// default. Beyond it the oldest is dropped, and Matcher.Dropped counts it.
	Observations int
	// Steps of one decision; 2,000,000 by default. FOLLOWEDBY, REPEATS and AND
	// over distinct observations can need more than any bound: such a decision
	// ends with ErrBudget.
	Steps int
	// Program is the size of a compiled regular expression in instructions;
	// 10,000 by default.
	Program int
}

// DefaultBudget is used where a field of Budget is zero.
var DefaultBudget = Budget{Observations: 10_000, Steps: 2_000_000, Program: 10_000}

func (b Budget) orDefault() Budget {
	if b.Observations <= 0 {
		b.Observations = DefaultBudget.Observations
	}
	if b.Steps <= 0 {
		b.Steps = DefaultBudget.Steps
	}
	if b.Program <= 0 {
		b.Program = DefaultBudget.Program
	}
	return b
}

// ErrBudget ends a decision that took too many steps: neither a match nor the
// absence of one is known.
var ErrBudget = errors.New("pattern evaluation exceeded its step budget")

// Matcher evaluates one pattern over observations that come one by one. It is
// not safe for concurrent use.
type Matcher struct {
	brackets []bracket
	root     node
	budget   Budget
	kept     []kept // by first time
	dropped  int
	steps    int
	used     []bool // of kept, while a decision runs
	matched  bool
	horizon  int64 // nanoseconds; 0 when a match may span any time
	unsure   bool  // a decision ran out of steps, so an older match may be there
}

// bracket is one [...] of the pattern.
type bracket struct {
	test test
	at   []int // indexes of kept that satisfy it, rising
}

// kept is what stays of an observation.
type kept struct {
	first, last int64 // UnixNano
	number      int
	brackets    []uint64 // bits of those satisfied
}

// Compile readies p for evaluation. The error names a regular expression that
// RE2 does not know (look-around, back references) or that exceeds the budget,
// or an address block that is none.
func Compile(p *Pattern, b Budget) (*Matcher, error) {
	m := &Matcher{budget: b.orDefault()}
	var err error
	if m.root, err = m.compile(p.root); err != nil {
		return nil, fmt.Errorf("compile pattern: %w", err)
	}
	if d, ok := p.Horizon(); ok {
		m.horizon = int64(d)
	}
	return m, nil
}

func (m *Matcher) compile(e Expr) (node, error) {
	switch e := e.(type) {
	case *Observed:
		t, err := m.cond(e.Test)
		if err != nil {
			return nil, err
		}
		m.brackets = append(m.brackets, bracket{test: t})
		return leaf(len(m.brackets) - 1), nil
	case *Join:
		of := make([]node, len(e.Of))
		for i, sub := range e.Of {
			var err error
			if of[i], err = m.compile(sub); err != nil {
				return nil, err
			}
		}
		switch e.Op {
		case Or:
			return either(of), nil
		case FollowedBy:
			return sequence{of: of, ordered: true}, nil
		}
		return sequence{of: of}, nil
	case *Qualified:
		of, err := m.compile(e.Of)
		if err != nil {
			return nil, err
		}
		switch e.Kind {
		case Within:
			return within{of: of, span: int64(e.Within)}, nil
		case StartStop:
			return between{of: of, low: e.Start.UnixNano(), high: e.Stop.UnixNano() - 1}, nil
		}
		return repeat{of: of, times: e.Times}, nil
	}
	return nil, fmt.Errorf("%T is no expression", e)
}

func (m *Matcher) cond(c Cond) (test, error) {
	switch c := c.(type) {
	case *Logic:
		of := make([]test, len(c.Of))
		for i, sub := range c.Of {
			var err error
			if of[i], err = m.cond(sub); err != nil {
				return nil, err
			}
		}
		if c.Or {
			return anyOf(of), nil
		}
		return all(of), nil
	case *Compare:
		t := &compareTest{path: c.Path, not: c.Not, op: c.Op, value: c.Value, set: c.Set}
		switch c.Op {
		case Like:
			t.match = like(c.Value.Text)
		case Matches:
			re, err := m.regexp(c.Value.Text)
			if err != nil {
				return nil, fmt.Errorf("%s MATCHES: %w", c.Path, err)
			}
			t.match = re
		case IsSubset, IsSuperset:
			block, ok := parseBlock(c.Value.Text)
			if !ok {
				return nil, fmt.Errorf("%s %s: %q is no address or CIDR block", c.Path, c.Op, clip(c.Value.Text))
			}
			t.block = block
		}
		return t, nil
	}
	return nil, fmt.Errorf("%T is no condition", c)
}

func (m *Matcher) regexp(text string) (func(string) bool, error) {
	// STIX asks for PCRE on text in NFC, searched anywhere, with a dot that
	// matches newlines.
	parsed, err := syntax.Parse(norm.NFC.String(text), syntax.Perl|syntax.DotNL)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > m.budget.Program {
		return nil, fmt.Errorf("the regular expression compiles to %d instructions, the limit is %d", len(prog.Inst), m.budget.Program)
	}
	re, err := regexp.Compile("(?s:" + norm.NFC.String(text) + ")")
	if err != nil {
		return nil, err
	}
	return func(s string) bool { return re.MatchString(norm.NFC.String(s)) }, nil
}

// like makes the matcher of a LIKE: % stands for any text, _ for one character.
func like(text string) func(string) bool {
	want := []rune(norm.NFC.String(text))
	return func(s string) bool {
		have := []rune(norm.NFC.String(s))
		// The usual walk with one point to return to: linear but for the product
		// of the lengths at worst.
		i, j, star, back := 0, 0, -1, 0
		for i < len(have) {
			switch {
			case j < len(want) && want[j] == '%':
				star, back = j, i
				j++
			case j < len(want) && (want[j] == '_' || want[j] == have[i]):
				i++
				j++
			case star >= 0:
				back++
				i, j = back, star+1
			default:
				return false
			}
		}
		for j < len(want) && want[j] == '%' {
			j++
		}
		return j == len(want)
	}
}

// Add takes one observation and reports whether the pattern matches by now.
// Once it has matched it stays so until Reset.
func (m *Matcher) Add(o *Observation) (bool, error) {
	if m.matched {
		return true, nil
	}
	if !m.keep(o) {
		return false, nil
	}
	// Without o there was no match, so a match now has o in it: what lies
	// further from it than the horizon plays no part.
	l := noLimits
	if m.horizon > 0 && !m.unsure {
		first, last := o.span()
		l = limits{low: last - m.horizon, high: first + m.horizon}
	}
	ok, err := m.decide(l)
	m.matched, m.unsure = ok, err != nil
	return ok, err
}

func (o *Observation) span() (first, last int64) {
	first = o.First.UnixNano()
	last = first
	if o.Last.After(o.First) {
		last = o.Last.UnixNano()
	}
	return first, last
}

// keep stores what a decision needs of o, if o satisfies any bracket.
func (m *Matcher) keep(o *Observation) bool {
	k := kept{number: max(o.Number, 1), brackets: make([]uint64, (len(m.brackets)+63)/64)}
	k.first, k.last = o.span()
	some := false
	for i := range m.brackets {
		for _, obj := range o.Objects {
			if m.brackets[i].test.holds(obj, o) {
				k.brackets[i/64] |= 1 << (i % 64)
				some = true
				break
			}
		}
	}
	if some {
		m.insert(k)
	}
	return some
}

// Dropped is the number of observations that satisfied a bracket and were
// forgotten for the budget. A pattern that has not matched may have, with them.
func (m *Matcher) Dropped() int { return m.dropped }

// Reset forgets all observations.
func (m *Matcher) Reset() {
	m.kept, m.dropped, m.matched, m.unsure = m.kept[:0], 0, false, false
}

// Forget drops observations that ended before t, which is how a caller bounds
// the time that an unqualified pattern looks back.
func (m *Matcher) Forget(t time.Time) {
	limit := t.UnixNano()
	m.kept = slices.DeleteFunc(m.kept, func(k kept) bool { return k.last < limit })
}

func (m *Matcher) insert(k kept) {
	if len(m.kept) >= m.budget.Observations {
		m.kept = slices.Delete(m.kept, 0, 1)
		m.dropped++
	}
	at, _ := slices.BinarySearchFunc(m.kept, k.first, func(x kept, first int64) int {
		if x.first <= first {
			return -1
		}
		return 1
	})
	m.kept = slices.Insert(m.kept, at, k)
}

// Match evaluates p over a set of observations at once.
func Match(p *Pattern, observations []Observation, b Budget) (bool, error) {
	m, err := Compile(p, b)
	if err != nil {
		return false, err
	}
	for i := range observations {
		m.keep(&observations[i])
	}
	ok, err := m.decide(noLimits)
	if !ok && err == nil && m.dropped > 0 {
		err = fmt.Errorf("%d observations more than the budget keeps: %w", m.dropped, ErrBudget)
	}
	return ok, err
}

// Horizon is the longest time between the begin of the first and the end of
// the last observation of a match, when a WITHIN bounds it: what began earlier
// than that before now may be forgotten.
func (p *Pattern) Horizon() (time.Duration, bool) { return horizon(p.root) }

func horizon(e Expr) (time.Duration, bool) {
	switch e := e.(type) {
	case *Qualified:
		d, ok := horizon(e.Of)
		if e.Kind == Within && (!ok || e.Within < d) {
			return e.Within, true
		}
		if e.Kind == Repeats {
			return 0, false
		}
		return d, ok
	case *Join:
		longest := time.Duration(0)
		for _, sub := range e.Of {
			d, ok := horizon(sub)
			if !ok || e.Op != Or {
				return 0, false
			}
			longest = max(longest, d)
		}
		return longest, true
	}
	return 0, false
}

// Types are the object types that p looks at, sorted.
func (p *Pattern) Types() []string {
	var types []string
	p.Comparisons(func(c *Compare) {
		if !slices.Contains(types, c.Path.Type) {
			types = append(types, c.Path.Type)
		}
	})
	slices.SortFunc(types, strings.Compare)
	return types
}

// Comparisons calls f for each comparison of p, from left to right.
func (p *Pattern) Comparisons(f func(*Compare)) {
	var cond func(Cond)
	cond = func(c Cond) {
		switch c := c.(type) {
		case *Compare:
			f(c)
		case *Logic:
			for _, sub := range c.Of {
				cond(sub)
			}
		}
	}
	var expr func(Expr)
	expr = func(e Expr) {
		switch e := e.(type) {
		case *Observed:
			cond(e.Test)
		case *Join:
			for _, sub := range e.Of {
				expr(sub)
			}
		case *Qualified:
			expr(e.Of)
		}
	}
	expr(p.root)
}
