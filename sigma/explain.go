package sigma

import (
	"fmt"
	"strings"
)

// Explanation tells why a rule does or does not hold for an event: a tree of the rule's logic with each part's outcome.
type Explanation struct {
	// Text is the part: a detection, an operator, or a field with what is asked of it.
	Text  string
	Holds bool
	// Values are what the event has in the field that a predicate reads; nil when it lacks the field.
	Values []string
	Kids   []*Explanation
}

// Explain evaluates every part of a rule on a JSON event, as events of src are matched. Only a rule that the engine honours can be
// explained.
func (e *Engine) Explain(r *Rule, line []byte, src Logsource) (*Explanation, error) {
	m := e.NewMatcher()
	m.sc.reset()
	if err := m.sc.object(line); err != nil {
		return nil, err
	}
	m.sc.all = true
	err := m.sc.object(line)
	m.sc.all = false
	if err != nil {
		return nil, err
	}
	return e.explain(m, r, src)
}

// ExplainEvent is Explain for an event given as fields.
func (e *Engine) ExplainEvent(r *Rule, ev Event, src Logsource) (*Explanation, error) {
	m := e.NewMatcher()
	m.fill(ev)
	m.keywords(ev)
	return e.explain(m, r, src)
}

func (e *Engine) explain(m *Matcher, r *Rule, src Logsource) (*Explanation, error) {
	var c *compiledRule
	for _, x := range e.rules {
		if x.rule == r {
			c = x
		}
	}
	if c == nil {
		return nil, fmt.Errorf("rule %s (%s) is not among those that the engine honours", r.ID, r.Title)
	}
	sub := m.route(src)
	routed := false
	for i := range sub.rules {
		routed = routed || sub.rules[i].rule == c
	}
	x := c.base
	if routed {
		x = e.routed(m, c, src)
	}
	top := &Explanation{Text: "rule " + r.Title, Kids: []*Explanation{
		{Text: "logsource " + c.ls.String() + " covers the event", Holds: routed}, m.explain(x)}}
	top.Holds = routed && top.Kids[1].Holds
	return top, nil
}

// routed returns the logic that the event's route gives a rule.
func (e *Engine) routed(m *Matcher, c *compiledRule, src Logsource) *expr {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.logic(c, m.currentSources(src))
}

func (m *Matcher) explain(x *expr) *Explanation {
	out := &Explanation{Text: x.label}
	switch x.op {
	case exprPred:
		out.Text = x.pred.String()
		sp := subPred{p: x.pred, field: -1, ref: -1}
		if x.pred.field != "" {
			sp.field = m.e.fields.ids[x.pred.field]
			if sl := m.sc.slots[sp.field]; sl.epoch == m.sc.epoch {
				out.Values = []string{}
				for i := sl.head; i >= 0; i = m.sc.vals[i].next {
					v := &m.sc.vals[i]
					switch v.kind {
					case Null:
						out.Values = append(out.Values, "null")
					case Object:
						out.Values = append(out.Values, "{…}")
					default:
						out.Values = append(out.Values, string(m.sc.text(v)))
					}
				}
			}
		}
		if x.pred.kind == predRef {
			sp.ref = m.e.fields.ids[x.pred.ref]
		}
		out.Holds = m.sc.evaluate(&sp)
		return out
	case exprNot:
		k := m.explain(x.kids[0])
		return &Explanation{Text: "not", Holds: !k.Holds, Kids: []*Explanation{k}}
	}
	out.Holds = x.op == exprAnd
	for _, k := range x.kids {
		ke := m.explain(k)
		out.Kids = append(out.Kids, ke)
		if x.op == exprAnd {
			out.Holds = out.Holds && ke.Holds
		} else {
			out.Holds = out.Holds || ke.Holds
		}
	}
	if out.Text == "" {
		out.Text = "any of"
		if x.op == exprAnd {
			out.Text = "all of"
		}
	}
	return out
}

// String renders the predicate for people.
func (p *pred) String() string {
	f := p.field
	if f == "" {
		f = "any value"
	}
	lits := func(ls []lit) string {
		var out []string
		for i, l := range ls {
			if i == 8 {
				out = append(out, fmt.Sprintf("%d more", len(ls)-i))
				break
			}
			out = append(out, [...]string{"equals ", "starts with ", "ends with ", "contains ", "has a value "}[l.op]+fmt.Sprintf("%q", l.text))
		}
		return strings.Join(out, " or ")
	}
	switch p.kind {
	case predLits:
		return f + " " + lits(p.lits)
	case predGlob:
		if p.glob == nil {
			return f + " (case-sensitive) " + lits([]lit{p.lit})
		}
		return f + " matches " + p.glob.String()
	case predRegex:
		return f + " matches the expression " + p.re.String()
	case predCIDR:
		return f + " is in " + p.net.String()
	case predCompare:
		unit := ""
		if p.unit != "" {
			unit = " (" + p.unit + ")"
		}
		return fmt.Sprintf("%s%s %s %v", f, unit, map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "eq": "="}[p.op], p.num.f)
	case predNull:
		return f + " is absent or null"
	case predExists:
		return f + " is present"
	}
	return f + [...]string{" equals", " starts with", " ends with", " contains", ""}[p.lit.op] + " field " + p.ref
}

// String renders the pattern with its wildcards.
func (g *glob) String() string {
	var b strings.Builder
	if g.head {
		b.WriteByte('*')
	}
	for i, seg := range g.segs {
		if i > 0 {
			b.WriteByte('*')
		}
		for _, t := range seg {
			if t.kind == tokAny {
				b.WriteByte('?')
			} else {
				b.WriteString(strings.NewReplacer(`*`, `\*`, `?`, `\?`).Replace(t.text))
			}
		}
	}
	if g.tail {
		b.WriteByte('*')
	}
	return b.String()
}

// String renders the explanation as an indented tree with a mark before each part.
func (x *Explanation) String() string {
	var b strings.Builder
	x.write(&b, 0)
	return b.String()
}

func (x *Explanation) write(b *strings.Builder, depth int) {
	mark := "✗"
	if x.Holds {
		mark = "✓"
	}
	fmt.Fprintf(b, "%s%s %s", strings.Repeat("  ", depth), mark, x.Text)
	if x.Values != nil {
		fmt.Fprintf(b, "  — %q", x.Values)
	}
	b.WriteByte('\n')
	for _, k := range x.Kids {
		k.write(b, depth+1)
	}
}
