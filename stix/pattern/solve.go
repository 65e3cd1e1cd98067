package pattern

import (
	"math"
	"sort"
)

// A decision searches a binding: a set of distinct observations that makes the
// pattern true. Every node hands each binding of its own to a continuation,
// and stops when that returns true. Time limits travel downwards, so that a
// leaf only offers observations that can count.

// limits are the times that an observation must lie within, both inclusive.
type limits struct{ low, high int64 }

var noLimits = limits{math.MinInt64, math.MaxInt64}

// binding is what a node has bound: the span, how many observations, the
// smallest index, and for a single observation how often it was seen.
type binding struct {
	first, last int64
	size        int
	lowest      int
	number      int
}

func (b binding) add(c binding) binding {
	if b.size == 0 {
		return c
	}
	return binding{first: min(b.first, c.first), last: max(b.last, c.last), size: b.size + c.size, lowest: min(b.lowest, c.lowest), number: 1}
}

// weight is the repetitions that a binding counts for: a single observation
// counts as often as it was seen.
func (b binding) weight() int {
	if b.size == 1 {
		return b.number
	}
	return 1
}

type node interface {
	// bind offers bindings within l, of unused observations, to k until k
	// returns true. Observations stay marked as used while k runs.
	bind(m *Matcher, l limits, k func(binding) bool) bool
}

// decide reports whether the kept observations within l make the pattern true.
func (m *Matcher) decide(l limits) (bool, error) {
	for i := range m.brackets {
		m.brackets[i].at = m.brackets[i].at[:0]
	}
	for at := m.since(l.low); at < len(m.kept) && m.kept[at].first <= l.high; at++ {
		for i := range m.brackets {
			if m.kept[at].brackets[i/64]>>(i%64)&1 == 1 {
				m.brackets[i].at = append(m.brackets[i].at, at)
			}
		}
	}
	if len(m.used) < len(m.kept) { // all false between decisions
		m.used = make([]bool, 2*len(m.kept))
	}
	m.steps = m.budget.Steps
	ok := m.root.bind(m, l, func(binding) bool { return true })
	if !ok && m.steps <= 0 {
		return false, ErrBudget
	}
	return ok, nil
}

// since is the index of the first kept observation that begins at t or later.
func (m *Matcher) since(t int64) int {
	return sort.Search(len(m.kept), func(i int) bool { return m.kept[i].first >= t })
}

// leaf binds one observation that satisfies a bracket.
type leaf int

func (n leaf) bind(m *Matcher, l limits, k func(binding) bool) bool {
	at := m.brackets[n].at
	from := sort.Search(len(at), func(i int) bool { return m.kept[at[i]].first >= l.low })
	for _, i := range at[from:] {
		o := &m.kept[i]
		if o.first > l.high {
			return false
		}
		if m.steps--; m.steps <= 0 {
			return false
		}
		if m.used[i] || o.last > l.high {
			continue
		}
		m.used[i] = true
		ok := k(binding{first: o.first, last: o.last, size: 1, lowest: i, number: o.number})
		m.used[i] = false
		if ok {
			return true
		}
	}
	return false
}

// either binds what any of its parts binds.
type either []node

func (n either) bind(m *Matcher, l limits, k func(binding) bool) bool {
	for _, sub := range n {
		if sub.bind(m, l, k) {
			return true
		}
	}
	return false
}

// sequence binds all of its parts; ordered, each after the one before it.
type sequence struct {
	of      []node
	ordered bool
}

func (n sequence) bind(m *Matcher, l limits, k func(binding) bool) bool {
	return n.from(m, 0, binding{}, l, k)
}

func (n sequence) from(m *Matcher, i int, sum binding, l limits, k func(binding) bool) bool {
	if i == len(n.of) {
		return k(sum)
	}
	part := l
	if n.ordered && i > 0 {
		part.low = max(l.low, sum.last)
	}
	return n.of[i].bind(m, part, func(b binding) bool { return n.from(m, i+1, sum.add(b), l, k) })
}

// within asks that a binding lies inside a span. It tries each start that a
// kept observation offers: the true span begins at one.
type within struct {
	of   node
	span int64
}

func (n within) bind(m *Matcher, l limits, k func(binding) bool) bool {
	from := m.since(l.low)
	last := int64(math.MinInt64)
	for i := from; i < len(m.kept); i++ {
		start := m.kept[i].first
		if start == last && i > from {
			continue
		}
		if start > l.high {
			return false
		}
		if m.steps--; m.steps <= 0 {
			return false
		}
		last = start
		inner := limits{low: start, high: min(l.high, start+n.span)}
		if inner.high < start { // the sum overflowed
			inner.high = l.high
		}
		if n.of.bind(m, inner, func(b binding) bool { return b.first == start && k(b) }) {
			return true
		}
	}
	return false
}

// between asks that a binding lies inside fixed times.
type between struct {
	of        node
	low, high int64
}

func (n between) bind(m *Matcher, l limits, k func(binding) bool) bool {
	l.low, l.high = max(l.low, n.low), min(l.high, n.high)
	return l.low <= l.high && n.of.bind(m, l, k)
}

// repeat binds its part a number of times, to distinct observations.
type repeat struct {
	of    node
	times int
}

func (n repeat) bind(m *Matcher, l limits, k func(binding) bool) bool {
	if leafNode, ok := n.of.(leaf); ok && !n.enough(m, leafNode, l) {
		return false
	}
	return n.more(m, 0, -1, binding{}, l, k)
}

// enough tells at once where too few observations are left, which a search
// would find out only after trying every combination.
func (n repeat) enough(m *Matcher, of leaf, l limits) bool {
	have := 0
	at := m.brackets[of].at
	from := sort.Search(len(at), func(i int) bool { return m.kept[at[i]].first >= l.low })
	for _, i := range at[from:] {
		o := &m.kept[i]
		if m.steps--; m.steps <= 0 || o.first > l.high {
			return false
		}
		if !m.used[i] && o.last <= l.high {
			if have += o.number; have >= n.times {
				return true
			}
		}
	}
	return false
}

// more binds the part again. Repetitions are tried in rising order of their
// first observation: any other order is the same set.
func (n repeat) more(m *Matcher, have, after int, sum binding, l limits, k func(binding) bool) bool {
	if have >= n.times {
		sum.number = have / n.times // one observation seen often may be several groups
		return k(sum)
	}
	if after >= 0 { // what is kept is in the order of its first time
		l.low = max(l.low, m.kept[after].first)
	}
	return n.of.bind(m, l, func(b binding) bool {
		return b.lowest > after && n.more(m, have+b.weight(), b.lowest, sum.add(b), l, k)
	})
}
