package sigma

import (
	"cmp"
	"slices"
)

// subEngine holds the rules for events of one kind. It is read-only.
type subEngine struct {
	rules    []subRule
	preds    []subPred
	fields   []*literals // by field id; nil when no literal is looked for
	keywords *literals
	keywordy bool // some predicate looks at every value
	glimpse  *glimpse
	always   []int32
	witAt    []int32 // witnesses of predicate p: wit[witAt[p]:witAt[p+1]]
	wit      []int32
}

// subRule is a rule's logic with predicates by number.
type subRule struct {
	rule *compiledRule
	root node
}

// node is logic with predicates by number.
type node struct {
	op   exprOp
	pred int32
	kids []node
}

// subPred is a predicate as the sub-engine knows it.
type subPred struct {
	p      *pred
	direct bool    // the literals found decide it
	gates  []int32 // predicates whose literals must have been found first, the rarest in front
	field  int32   // -1 for every value
	ref    int32
}

type subBuilder struct {
	tab   *fieldTable
	sub   *subEngine
	byKey map[string]int32
	costs []float64
	wits  [][]int32
}

func newSubBuilder(t *fieldTable) *subBuilder {
	return &subBuilder{tab: t, sub: &subEngine{}, byKey: map[string]int32{}}
}

func (b *subBuilder) pred(p *pred) int32 {
	if id, ok := b.byKey[p.key]; ok {
		return id
	}
	sp := subPred{p: p, direct: p.kind == predLits, field: -1, ref: -1}
	for _, g := range p.gates {
		sp.gates = append(sp.gates, b.pred((&pred{kind: predLits, field: p.field, lits: slices.Clone(g)}).seal()))
	}
	slices.SortStableFunc(sp.gates, func(x, y int32) int { return cmp.Compare(b.costs[x], b.costs[y]) })
	if p.field != "" {
		sp.field = b.tab.ids[p.field]
	} else {
		b.sub.keywordy = true
	}
	if p.kind == predRef {
		sp.ref = b.tab.ids[p.ref]
	}
	id := int32(len(b.sub.preds))
	b.byKey[p.key] = id
	b.sub.preds = append(b.sub.preds, sp)
	cost := noWitness
	if sp.direct {
		cost = witnessCost(p)
	} else if len(sp.gates) > 0 {
		cost = b.costs[sp.gates[0]]
	}
	b.costs = append(b.costs, cost)
	b.wits = append(b.wits, nil)
	return id
}

func (b *subBuilder) add(c *compiledRule, x *expr) {
	r := int32(len(b.sub.rules))
	n := b.node(x)
	b.sub.rules = append(b.sub.rules, subRule{c, n})
	w, cost := b.witness(&n, false)
	if cost >= noWitness {
		b.sub.always = append(b.sub.always, r)
		return
	}
	slices.Sort(w)
	for _, p := range slices.Compact(w) {
		b.wits[p] = append(b.wits[p], r)
	}
}

// node numbers the predicates and puts what is cheap to decide first.
func (b *subBuilder) node(x *expr) node {
	if x.op == exprPred {
		return node{op: exprPred, pred: b.pred(x.pred)}
	}
	n := node{op: x.op}
	for _, k := range x.kids {
		kn := b.node(k)
		if kn.op == x.op && x.op != exprNot {
			n.kids = append(n.kids, kn.kids...)
		} else {
			n.kids = append(n.kids, kn)
		}
	}
	if n.op != exprNot && len(n.kids) == 1 {
		return n.kids[0]
	}
	slices.SortStableFunc(n.kids, func(a, c node) int { return b.work(&a) - b.work(&c) })
	return n
}

// work ranks nodes by the work that deciding them takes.
func (b *subBuilder) work(n *node) int {
	if n.op == exprPred {
		if sp := &b.sub.preds[n.pred]; sp.direct {
			return 0
		} else if len(sp.gates) > 0 {
			return 1
		} else if sp.p.kind == predRegex {
			return 3
		}
		return 2
	}
	w := 0
	for i := range n.kids {
		w = max(w, b.work(&n.kids[i]))
	}
	return w
}

// noWitness is the cost of a predicate that no literal announces.
const noWitness = 1e9

// headerFields hold few distinct values, so that each is seen often.
var headerFields = map[string]bool{"EventID": true, "Channel": true, "Provider_Name": true, "EventType": true, "type": true,
	"eventSource": true, "Initiated": true, "LogonType": true, "AccessMask": true, "ObjectType": true, "Protocol": true}

// witnessCost estimates how often a predicate holds, for the choice of witnesses.
func witnessCost(p *pred) float64 {
	total := 0.0
	for _, l := range p.lits {
		c := 0.0
		switch n := len(l.text); l.op {
		case litExact:
			c = 0.05
		case litSuffix:
			c = 1
			if n < 5 {
				c = 40
			}
		case litPrefix:
			c = 3
			if n < 4 {
				c = 60
			}
		case litContains:
			switch {
			case n >= 8:
				c = 2
			case n >= 5:
				c = 6
			case n >= 3:
				c = 30
			default:
				c = 300
			}
		default:
			c = 2000
		}
		if p.field == "" {
			c *= 4
		}
		total += c
	}
	if headerFields[p.field] {
		total = 200 * total
	}
	return min(total, noWitness/2)
}

// witness chooses predicates of which at least one holds whenever the node does (or, when neg, whenever it does not).
func (b *subBuilder) witness(n *node, neg bool) ([]int32, float64) {
	switch n.op {
	case exprPred:
		sp := &b.sub.preds[n.pred]
		if neg || b.costs[n.pred] >= noWitness {
			return nil, noWitness
		}
		if sp.direct {
			return []int32{n.pred}, b.costs[n.pred]
		}
		return sp.gates[:1:1], b.costs[n.pred]
	case exprNot:
		return b.witness(&n.kids[0], !neg)
	}
	if (n.op == exprAnd) != neg { // every child holds: the best of them will do
		var best []int32
		cost := float64(noWitness)
		for i := range n.kids {
			if w, c := b.witness(&n.kids[i], neg); c < cost {
				best, cost = w, c
			}
		}
		return best, cost
	}
	var all []int32
	sum := 0.0
	for i := range n.kids {
		w, c := b.witness(&n.kids[i], neg)
		if c >= noWitness {
			return nil, noWitness
		}
		all, sum = append(all, w...), sum+c
	}
	return all, min(sum, noWitness/2)
}

func (b *subBuilder) build() *subEngine {
	s := b.sub
	s.fields = make([]*literals, len(b.tab.names))
	type fieldLits struct {
		ids   map[lit]int
		lits  []lit
		preds [][]int32
	}
	byField := map[int32]*fieldLits{}
	for id, sp := range s.preds {
		if !sp.direct {
			continue
		}
		f := byField[sp.field]
		if f == nil {
			f = &fieldLits{ids: map[lit]int{}}
			byField[sp.field] = f
		}
		for _, l := range sp.p.lits {
			i, ok := f.ids[l]
			if !ok {
				i = len(f.lits)
				f.ids[l] = i
				f.lits = append(f.lits, l)
				f.preds = append(f.preds, nil)
			}
			f.preds[i] = append(f.preds[i], int32(id))
		}
	}
	for id, f := range byField {
		m := buildLiterals(f.lits, f.preds)
		if id < 0 {
			s.keywords = m
			s.glimpse = newGlimpse(s, f.lits)
		} else {
			s.fields[id] = m
		}
	}
	if s.keywordy && s.glimpse == nil {
		s.glimpse = &glimpse{always: true}
	}
	s.witAt = append(s.witAt, 0)
	for _, w := range b.wits {
		s.wit = append(s.wit, w...)
		s.witAt = append(s.witAt, int32(len(s.wit)))
	}
	return s
}
