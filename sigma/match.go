package sigma

import (
	"bytes"
)

// Match is a rule, or a correlation, that an event satisfied. It is valid until the callback returns.
type Match struct {
	Rule *Rule
	// Correlation is set instead of Rule when a correlation fired; Group and Window then tell for what and when.
	Correlation *Correlation
	// Report is false for a rule that only feeds correlations: pass it to Correlator.Add, but do not show it.
	Report bool
	// Window is set for correlations.
	Window *Window

	rule *compiledRule
	m    *Matcher
}

// Field returns the text of the event's first value of a field, and whether it has one that is not null. The engine knows the fields that
// its rules and correlations read and those of Options.Fields. The bytes are borrowed until the callback returns.
func (m *Match) Field(name string) ([]byte, bool) {
	if m.m == nil {
		return nil, false
	}
	return m.m.field(name)
}

// evaluation is the state of predicates for the event in hand.
type evaluation struct {
	sub   *subEngine
	epoch uint32
	bits  []uint32 // epoch when a literal of the predicate was found
	memo  []uint32 // epoch<<1 | result of predicates that were evaluated
	seen  []uint32 // epoch when the rule became a candidate
	cands []int32
}

// fire notes that literal id of m was found.
func (ev *evaluation) fire(m *literals, id int32) {
	for _, p := range m.post[m.postAt[id]:m.postAt[id+1]] {
		if ev.bits[p] == ev.epoch {
			continue
		}
		ev.bits[p] = ev.epoch
		for _, r := range ev.sub.wit[ev.sub.witAt[p]:ev.sub.witAt[p+1]] {
			if ev.seen[r] != ev.epoch {
				ev.seen[r] = ev.epoch
				ev.cands = append(ev.cands, r)
			}
		}
	}
}

// Matcher matches events one at a time. Each goroutine needs its own; all share the engine.
type Matcher struct {
	e  *Engine
	sc scanner
	ev evaluation

	routes   map[routeKey]*subEngine
	single   *subEngine // with IgnoreLogsource
	srcs     map[Logsource]int32
	lastSrc  Logsource
	lastID   int32
	srcRows  [][]int // explicitRows that fit, by source id
	services map[string]int32
	svcNames []string
	probed   int // rules looked at, for tests and benchmarks
}

// NewMatcher returns a matcher over the engine.
func (e *Engine) NewMatcher() *Matcher {
	m := &Matcher{e: e, routes: map[routeKey]*subEngine{}, srcs: map[Logsource]int32{}, services: map[string]int32{}, lastID: -1}
	m.sc.tab, m.sc.maxDepth = e.fields, e.opt.Limits.Depth
	m.sc.slots = make([]slot, len(e.fields.names))
	return m
}

// MatchJSON matches one JSON object. src states what is known of its origin; the zero value leaves it to the event's own fields. Only
// the values of fields that some predicate reads are looked at. The line is borrowed until the call returns.
func (m *Matcher) MatchJSON(line []byte, src Logsource, hit func(Match)) error {
	if len(line) > m.e.opt.Limits.EventBytes {
		return &SyntaxError{0, "the event is longer than the limit"}
	}
	m.sc.reset()
	if err := m.sc.object(line); err != nil {
		return err
	}
	sub := m.route(src)
	if sub.keywordy && sub.glimpse.possible(line) {
		m.sc.all = true
		err := m.sc.object(line)
		m.sc.all = false
		if err != nil {
			return err
		}
	}
	m.run(sub, hit)
	return nil
}

// Match matches an event given as fields.
func (m *Matcher) Match(ev Event, src Logsource, hit func(Match)) error {
	m.fill(ev)
	sub := m.route(src)
	if sub.keywordy {
		m.keywords(ev)
	}
	m.run(sub, hit)
	return nil
}

// fill enters the fields that are read.
func (m *Matcher) fill(ev Event) {
	s := &m.sc
	s.reset()
	for i := range ev {
		f := &ev[i]
		name := unsafeBytes(f.Name)
		e := s.tab.find(0, name)
		if e == nil && bytes.IndexByte(name, ' ') >= 0 {
			e = s.spaced(name)
		}
		if e == nil {
			continue
		}
		for _, id := range e.fields {
			s.put(id, f.Value, f.Kind, false)
		}
	}
}

// keywords enters every value.
func (m *Matcher) keywords(ev Event) {
	s := &m.sc
	for i := range ev {
		if k := ev[i].Kind; k != Null && k != Object {
			s.keyVals = append(s.keyVals, int32(len(s.vals)))
			s.vals = append(s.vals, value{raw: ev[i].Value, kind: k, next: -1})
		}
	}
}

// field returns the first value of a field.
func (m *Matcher) field(name string) ([]byte, bool) {
	id, ok := m.e.fields.ids[name]
	if !ok {
		return nil, false
	}
	for v := m.sc.first(id); v != nil; {
		if v.kind != Null && v.kind != Object {
			return m.sc.text(v), true
		}
		if v.next < 0 {
			break
		}
		v = &m.sc.vals[v.next]
	}
	return nil, false
}

func (m *Matcher) run(sub *subEngine, hit func(Match)) {
	ev := &m.ev
	ev.sub = sub
	ev.cands = ev.cands[:0]
	ev.bits, ev.memo = grow(ev.bits, len(sub.preds)), grow(ev.memo, len(sub.preds))
	ev.seen = grow(ev.seen, len(sub.rules))
	if ev.epoch++; ev.epoch == 1<<31 {
		ev.epoch = 1
		clear(ev.bits)
		clear(ev.memo)
		clear(ev.seen)
	}
	s := &m.sc
	for _, f := range s.present {
		lits := sub.fields[f]
		if lits == nil {
			continue
		}
		for i := s.slots[f].head; i >= 0; {
			v := &s.vals[i]
			if v.kind != Null && v.kind != Object {
				lits.scan(s.fold(v), ev)
			}
			i = v.next
		}
	}
	if sub.keywords != nil {
		for _, i := range s.keyVals {
			sub.keywords.scan(s.fold(&s.vals[i]), ev)
		}
	}
	m.probed += len(ev.cands) + len(sub.always)
	for _, r := range sub.always {
		m.decide(r, hit)
	}
	for i := 0; i < len(ev.cands); i++ {
		m.decide(ev.cands[i], hit)
	}
}

func (m *Matcher) decide(r int32, hit func(Match)) {
	sr := &m.ev.sub.rules[r]
	if m.holds(&sr.root) {
		hit(Match{Rule: sr.rule.rule, Report: sr.rule.report, rule: sr.rule, m: m})
	}
}

func grow(s []uint32, n int) []uint32 {
	if len(s) < n {
		return append(s, make([]uint32, n-len(s))...)
	}
	return s
}

// holds evaluates logic.
func (m *Matcher) holds(n *node) bool {
	switch n.op {
	case exprPred:
		return m.predicate(n.pred)
	case exprNot:
		return !m.holds(&n.kids[0])
	case exprAnd:
		for i := range n.kids {
			if !m.holds(&n.kids[i]) {
				return false
			}
		}
		return true
	}
	for i := range n.kids {
		if m.holds(&n.kids[i]) {
			return true
		}
	}
	return false
}

// predicate decides a predicate, at most once an event.
func (m *Matcher) predicate(id int32) bool {
	ev := &m.ev
	sp := &ev.sub.preds[id]
	if sp.direct {
		return ev.bits[id] == ev.epoch
	}
	if mm := ev.memo[id]; mm>>1 == ev.epoch {
		return mm&1 != 0
	}
	r := true
	for _, g := range sp.gates {
		r = r && ev.bits[g] == ev.epoch
	}
	r = r && m.sc.evaluate(sp)
	ev.memo[id] = ev.epoch << 1
	if r {
		ev.memo[id] |= 1
	}
	return r
}

// evaluate looks at the values of a predicate's field.
func (s *scanner) evaluate(sp *subPred) bool {
	p := sp.p
	if sp.field < 0 {
		for _, i := range s.keyVals {
			v := &s.vals[i]
			if p.test(s.text(v), s.fold(v)) {
				return true
			}
		}
		return false
	}
	sl := s.slots[sp.field]
	if sl.epoch != s.epoch {
		return p.kind == predNull
	}
	switch p.kind {
	case predExists:
		return true
	case predNull:
		for i := sl.head; i >= 0; i = s.vals[i].next {
			if s.vals[i].kind == Null {
				return true
			}
		}
		return false
	case predRef:
		return s.reference(sl, sp)
	}
	for i := sl.head; i >= 0; i = s.vals[i].next {
		v := &s.vals[i]
		if v.kind == Null || v.kind == Object {
			continue
		}
		var folded []byte
		if p.kind == predLits || p.kind == predGlob && !p.cased {
			folded = s.fold(v)
		}
		if p.test(s.text(v), folded) {
			return true
		}
	}
	return false
}

// reference compares two fields: some value of one with some value of the other.
func (s *scanner) reference(sl slot, sp *subPred) bool {
	other := s.slots[sp.ref]
	if other.epoch != s.epoch {
		return false
	}
	for i := sl.head; i >= 0; i = s.vals[i].next {
		for j := other.head; j >= 0; j = s.vals[j].next {
			a, b := &s.vals[i], &s.vals[j]
			if a.kind == Null || a.kind == Object || b.kind == Null || b.kind == Object {
				continue
			}
			x, y := s.fold(a), s.fold(b)
			if sp.p.cased {
				x, y = s.text(a), s.text(b)
			}
			if compareTexts(sp.p.lit.op, x, y) {
				return true
			}
		}
	}
	return false
}

func compareTexts(op litOp, x, y []byte) bool {
	switch op {
	case litPrefix:
		return bytes.HasPrefix(x, y)
	case litSuffix:
		return bytes.HasSuffix(x, y)
	case litContains:
		return bytes.Contains(x, y)
	}
	return bytes.Equal(x, y)
}
