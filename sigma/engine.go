package sigma

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Limits are budgets of matching. The zero value means the defaults.
type Limits struct {
	// EventBytes is the longest event that MatchJSON takes; default 16 MiB.
	EventBytes int
	// Depth is the deepest nesting of an event; default 64.
	Depth int
}

// Options configure Compile. The zero value is a sound default.
type Options struct {
	// Pipelines are applied to every rule in order of their priority, before the built-in field mappings of recognised log sources.
	Pipelines []*Pipeline
	Limits    Limits
	// Fields names fields that Match.Field must be able to give besides those that rules and correlations read.
	Fields []string
	// IgnoreLogsource tries every rule on every event.
	IgnoreLogsource bool
}

// compiledRule is a rule with its filters and the logic it had after the user's pipelines.
type compiledRule struct {
	rule     *Rule
	ls       Logsource // after pipelines
	filters  []*Filter
	index    int
	report   bool // reports on its own
	base     *expr
	variants map[string]*expr // by built-in pipeline
}

// Engine is a compiled rule set. It is safe for concurrent use: Matchers share it.
type Engine struct {
	opt    Options
	rules  []*compiledRule
	corrs  []*compiledCorrelation
	links  map[*compiledRule][]corrLink
	fields *fieldTable
	class  *classifier

	fChannel, fEventID, fProvider, fEventType int32
	shapeFields                               [][]int32
	shapeWhere, shapeService                  []int32
	explicitWhere                             []int32

	mu   sync.RWMutex
	subs map[string]*subEngine
}

// Compile turns a rule set into an engine. A rule that cannot be honoured is refused with the reason; the others stand.
func Compile(rs *RuleSet, opt Options) (*Engine, []*RuleError) {
	if opt.Limits.EventBytes == 0 {
		opt.Limits.EventBytes = 16 << 20
	}
	if opt.Limits.Depth == 0 {
		opt.Limits.Depth = 64
	}
	opt.Pipelines = slices.Clone(opt.Pipelines)
	slices.SortStableFunc(opt.Pipelines, func(a, b *Pipeline) int { return a.Priority - b.Priority })
	e := &Engine{opt: opt, fields: newFieldTable(), class: newClassifier(), subs: map[string]*subEngine{}}
	var errs []*RuleError
	byRef := map[string]*compiledRule{}
	filtersFor, ferrs := resolveFilters(rs)
	errs = append(errs, ferrs...)
	for _, r := range rs.Rules {
		c := &compiledRule{rule: r, ls: r.Logsource, report: true, filters: filtersFor[r]}
		if dup := byRef[r.ID]; r.ID != "" && dup != nil {
			errs = append(errs, refuse(r, fmt.Errorf("id %s is also that of %s", r.ID, dup.rule.File)))
			continue
		}
		var err error
		if c.base, c.ls, err = e.lower(c, ""); err != nil {
			errs = append(errs, refuse(r, err))
			continue
		}
		c.index = len(e.rules)
		e.rules = append(e.rules, c)
		for _, ref := range []string{r.ID, r.Name} {
			if ref != "" && byRef[ref] == nil {
				byRef[ref] = c
			}
		}
		c.base.fields(e.fields)
	}
	errs = append(errs, e.compileCorrelations(rs, byRef)...)
	for _, f := range opt.Fields {
		e.fields.add(f)
	}
	for _, f := range builtinTargets() {
		e.fields.add(f)
	}
	e.prepareRouting()
	e.fields.seal()
	return e, errs
}

func refuse(r *Rule, err error) *RuleError {
	re := &RuleError{File: r.File, Line: r.Line, RuleID: r.ID, Reason: err.Error()}
	var pe *parseError
	if errors.As(err, &pe) && pe.line > 0 {
		re.Line, re.Column = pe.line, pe.col
	}
	return re
}

// resolveFilters lists the filters of each rule and refuses those that name a rule which is not there.
func resolveFilters(rs *RuleSet) (map[*Rule][]*Filter, []*RuleError) {
	out := map[*Rule][]*Filter{}
	if len(rs.Filters) == 0 {
		return out, nil
	}
	byRef := map[string][]*Rule{}
	for _, r := range rs.Rules {
		for _, ref := range []string{r.ID, r.Name} {
			if ref != "" {
				byRef[ref] = append(byRef[ref], r)
			}
		}
	}
	var errs []*RuleError
	for _, f := range rs.Filters {
		fail := func(format string, a ...any) {
			errs = append(errs, &RuleError{File: f.File, Line: f.Line, RuleID: f.ID, Reason: fmt.Sprintf(format, a...)})
		}
		if err := checkFilter(f); err != nil {
			fail("%v", err)
			continue
		}
		if f.Any {
			for _, r := range rs.Rules {
				if f.Logsource.Covers(r.Logsource) {
					out[r] = append(out[r], f)
				}
			}
			continue
		}
		for _, ref := range f.Rules {
			rules := byRef[ref]
			if len(rules) == 0 {
				fail("filter names rule %q, which is not loaded", ref)
			}
			for _, r := range rules {
				if !f.Logsource.Covers(r.Logsource) {
					fail("filter names rule %q of logsource %s, which its own logsource %s does not cover", ref, r.Logsource, f.Logsource)
					continue
				}
				if !slices.Contains(out[r], f) {
					out[r] = append(out[r], f)
				}
			}
		}
	}
	return out, errs
}

// checkFilter lowers a filter by itself, so that a bad one is refused rather than every rule it names.
func checkFilter(f *Filter) error {
	if f.Taxonomy != "" && f.Taxonomy != "sigma" {
		return fmt.Errorf("taxonomy %q is not known", f.Taxonomy)
	}
	for _, d := range f.detections {
		if d.node.expands() {
			continue // its placeholders may come with a pipeline
		}
		if _, err := d.node.lower(); err != nil {
			return err
		}
	}
	return nil
}

func (d *detNode) expands() bool {
	found := false
	d.items(func(it *item) { found = found || slices.Contains(it.mods, "expand") })
	return found
}

// lower turns a rule with its filters into logic, through the user's pipelines and then a built-in one, if named.
func (e *Engine) lower(c *compiledRule, builtin string) (*expr, Logsource, error) {
	w := newWorking(c.rule, c.filters)
	for _, p := range e.opt.Pipelines {
		if err := p.apply(w); err != nil {
			return nil, w.ls, err
		}
	}
	if builtin != "" {
		if err := builtinPipeline(builtin).apply(w); err != nil {
			return nil, w.ls, err
		}
	}
	if w.taxonomy != "" && w.taxonomy != "sigma" {
		return nil, w.ls, fmt.Errorf("taxonomy %q is not known; a pipeline has to map it", w.taxonomy)
	}
	x, err := w.lower()
	return x, w.ls, err
}

// lower turns a detection into logic.
func (d *detNode) lower() (*expr, error) {
	if d.item != nil {
		return lowerItem(d.item)
	}
	op := exprOr
	if d.and {
		op = exprAnd
	}
	var kids []*expr
	for _, k := range d.kids {
		x, err := k.lower()
		if err != nil {
			return nil, err
		}
		kids = append(kids, x)
	}
	if len(kids) == 0 {
		return nil, errors.New("a detection is left without items")
	}
	return join(op, kids), nil
}

// lowerCondition replaces the names in a resolved condition by the logic of their detections.
func lowerCondition(n *condNode, dets map[string]*expr) *expr {
	switch n.op {
	case condRef:
		return &expr{op: exprAnd, kids: []*expr{dets[n.name]}, label: "detection " + n.name}
	case condNot:
		return &expr{op: exprNot, kids: []*expr{lowerCondition(n.kids[0], dets)}}
	}
	x := &expr{op: exprOr}
	if n.op == condAnd {
		x.op = exprAnd
	}
	for _, k := range n.kids {
		x.kids = append(x.kids, lowerCondition(k, dets))
	}
	return x
}

// lowerDetections lowers detections and conditions; several conditions are linked with OR.
func lowerDetections(dets []*detection, conds []condText) (*expr, error) {
	byName := make(map[string]*expr, len(dets))
	for _, d := range dets {
		x, err := d.node.lower()
		if err != nil {
			return nil, err
		}
		byName[d.name] = x
	}
	var alts []*expr
	for _, c := range conds {
		n, err := parseCondition(c.text)
		if err == nil {
			n, err = n.resolve(dets)
		}
		if err != nil {
			return nil, errLine(c.line, "%v", err)
		}
		alts = append(alts, lowerCondition(n, byName))
	}
	return join(exprOr, alts), nil
}

// fields registers every field that the logic reads.
func (x *expr) fields(t *fieldTable) {
	if x.op == exprPred {
		if x.pred.field != "" {
			t.add(x.pred.field)
		}
		if x.pred.kind == predRef {
			t.add(x.pred.ref)
		}
	}
	for _, k := range x.kids {
		k.fields(t)
	}
}

// variant returns the rule's logic through a built-in pipeline.
func (e *Engine) variant(c *compiledRule, builtin string) *expr {
	if builtin == "" {
		return c.base
	}
	if x, ok := c.variants[builtin]; ok {
		return x
	}
	x, _, err := e.lower(c, builtin)
	if err != nil {
		x = nil // the built-in mapping cannot express the rule, which stands for events that need no mapping
	}
	if c.variants == nil {
		c.variants = map[string]*expr{}
	}
	c.variants[builtin] = x
	return x
}

// sub returns the sub-engine for events of some sources, building it when it is first asked for.
func (e *Engine) sub(srcs []source) *subEngine {
	keys := make([]string, len(srcs))
	for i, s := range srcs {
		keys[i] = s.ls.Category + "\x00" + s.ls.Product + "\x00" + s.ls.Service + "\x00" + s.pipeline
	}
	slices.Sort(keys)
	key := strings.Join(slices.Compact(keys), "\x01")
	e.mu.RLock()
	s := e.subs[key]
	e.mu.RUnlock()
	if s != nil {
		return s
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.subs[key]; s != nil {
		return s
	}
	s = e.buildSub(srcs)
	e.subs[key] = s
	return s
}

// buildSub collects the rules that events of the sources are for.
func (e *Engine) buildSub(srcs []source) *subEngine {
	b := newSubBuilder(e.fields)
	for _, c := range e.rules {
		if x := e.logic(c, srcs); x != nil {
			b.add(c, x)
		}
	}
	return b.build()
}

// logic is what a rule asks of events of the sources; nil when it is not for them.
func (e *Engine) logic(c *compiledRule, srcs []source) *expr {
	if e.opt.IgnoreLogsource {
		return c.base
	}
	var used []string
	var alts []*expr
	for _, s := range srcs {
		if !c.ls.Covers(s.ls) || slices.Contains(used, s.pipeline) {
			continue
		}
		used = append(used, s.pipeline)
		if x := e.variant(c, s.pipeline); x != nil && (len(alts) == 0 || alts[0] != x) {
			alts = append(alts, x)
		}
	}
	if len(alts) == 0 {
		return nil
	}
	return join(exprOr, alts)
}

// Warm builds the sub-engines of every recognised log source and of every logsource that a rule names, which otherwise happens when
// the first such event arrives.
func (e *Engine) Warm() {
	if e.opt.IgnoreLogsource {
		e.sub(nil)
		return
	}
	for ch := range e.class.rows {
		for _, ev := range append([]int{-1}, e.class.events[ch]...) {
			types := []string{""}
			if e.class.typed[ch] {
				types = append(types, e.class.types...)
			}
			for _, t := range types {
				e.sub(e.class.sources(int32(ch), ev, t))
			}
		}
	}
	for _, c := range e.rules {
		if c.ls.Product != "windows" {
			e.sub([]source{{ls: c.ls}})
		}
	}
}

// Rules returns the rules that the engine honours.
func (e *Engine) Rules() []*Rule {
	out := make([]*Rule, len(e.rules))
	for i, c := range e.rules {
		out[i] = c.rule
	}
	return out
}
