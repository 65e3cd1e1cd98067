package sigma

import (
	"fmt"
	"math"
	"slices"
)

// compiledCorrelation is a correlation with its references resolved.
type compiledCorrelation struct {
	c       *Correlation
	index   int
	report  bool
	members int
	// groupBy[member] are the fields to group by for that member, aliases replaced
	groupBy [][]string
	parents []corrLink
	// atClose: the condition can stop holding as events come, so it is decided when the window has passed
	atClose bool
	// keep is how many entries of a group can matter
	keep int
}

// corrLink says that something feeds a correlation as its member-th rule.
type corrLink struct {
	to     *compiledCorrelation
	member int
}

// maxGroupEntries bounds the entries of one group when the condition needs all of them.
const maxGroupEntries = 1 << 14

// compileCorrelations resolves references, refuses what cannot be honoured, and registers the fields that are needed.
func (e *Engine) compileCorrelations(rs *RuleSet, byRef map[string]*compiledRule) []*RuleError {
	var errs []*RuleError
	refuse := func(c *Correlation, format string, a ...any) {
		errs = append(errs, &RuleError{File: c.File, Line: c.Line, RuleID: c.ID, Reason: fmt.Sprintf(format, a...)})
	}
	byName := map[string]*compiledCorrelation{}
	var all []*compiledCorrelation
	for _, c := range rs.Correlations {
		if c.Taxonomy != "" && c.Taxonomy != "sigma" {
			refuse(c, "taxonomy %q is not known", c.Taxonomy)
			continue
		}
		cc := &compiledCorrelation{c: c, report: true, members: len(c.Rules)}
		dup := false
		for _, ref := range []string{c.ID, c.Name} {
			if ref == "" {
				continue
			}
			if byRef[ref] != nil || byName[ref] != nil {
				dup = true
				refuse(c, "%q names another rule as well", ref)
				break
			}
			byName[ref] = cc
		}
		if !dup {
			all = append(all, cc)
		}
	}
	bad := map[*compiledCorrelation]bool{}
	// a correlation falls with what it refers to, so look until nothing changes
	for changed := true; changed; {
		changed = false
		for _, cc := range all {
			if bad[cc] {
				continue
			}
			if reason := e.checkReferences(cc, byRef, byName, bad); reason != "" {
				refuse(cc.c, "%s", reason)
				bad[cc], changed = true, true
			}
		}
	}
	for _, cc := range all {
		if !bad[cc] && reaches(cc, cc, byName, map[*compiledCorrelation]bool{}) {
			refuse(cc.c, "the correlation refers to itself")
			bad[cc] = true
		}
	}
	e.links = map[*compiledRule][]corrLink{}
	for _, cc := range all {
		if bad[cc] {
			continue
		}
		cc.index = len(e.corrs)
		e.corrs = append(e.corrs, cc)
		cc.atClose, cc.keep = cc.policy()
		for i, ref := range cc.c.Rules {
			fields := make([]string, len(cc.c.GroupBy))
			for k, g := range cc.c.GroupBy {
				fields[k] = cc.c.resolve(g, ref, byRef, byName)
				e.fields.add(fields[k])
			}
			cc.groupBy = append(cc.groupBy, fields)
			link := corrLink{cc, i}
			if r := byRef[ref]; r != nil {
				e.links[r] = append(e.links[r], link)
				if !cc.c.Generate {
					r.report = false
				}
			} else {
				child := byName[ref]
				child.parents = append(child.parents, link)
				if !cc.c.Generate {
					child.report = false
				}
			}
		}
		for _, f := range cc.c.ValueFields {
			e.fields.add(f)
		}
	}
	// a rule that one correlation wants to report on its own reports, whatever the others say
	for _, cc := range e.corrs {
		if !cc.c.Generate {
			continue
		}
		for _, ref := range cc.c.Rules {
			if r := byRef[ref]; r != nil {
				r.report = true
			} else {
				byName[ref].report = true
			}
		}
	}
	return errs
}

func (e *Engine) checkReferences(cc *compiledCorrelation, byRef map[string]*compiledRule, byName map[string]*compiledCorrelation,
	bad map[*compiledCorrelation]bool) string {
	for _, ref := range cc.c.Rules {
		if byRef[ref] == nil && (byName[ref] == nil || bad[byName[ref]]) {
			return fmt.Sprintf("correlation names rule %q, which is not loaded", ref)
		}
	}
	for alias, m := range cc.c.Aliases {
		for _, ref := range cc.c.Rules {
			name := ref
			if _, ok := m[name]; ok {
				continue
			}
			if r := byRef[ref]; r != nil {
				name = r.Name()
			} else {
				name = byName[ref].c.Name
			}
			if _, ok := m[name]; !ok && slices.Contains(cc.c.GroupBy, alias) {
				return fmt.Sprintf("alias %q names no field for rule %q", alias, ref)
			}
		}
		for name := range m {
			if !slices.ContainsFunc(cc.c.Rules, func(ref string) bool {
				return ref == name || byRef[ref] != nil && (byRef[ref].Name() == name || byRef[ref].rule.ID == name) ||
					byName[ref] != nil && (byName[ref].c.Name == name || byName[ref].c.ID == name)
			}) {
				return fmt.Sprintf("alias %q is for rule %q, which the correlation does not name", alias, name)
			}
		}
	}
	return ""
}

// Name is the rule's name for references.
func (c *compiledRule) Name() string { return c.rule.Name }

// resolve replaces an alias by the field that it stands for in events of a member.
func (c *Correlation) resolve(field, ref string, byRef map[string]*compiledRule, byName map[string]*compiledCorrelation) string {
	m, ok := c.Aliases[field]
	if !ok {
		return field
	}
	names := []string{ref}
	if r := byRef[ref]; r != nil {
		names = append(names, r.rule.Name, r.rule.ID)
	} else if cc := byName[ref]; cc != nil {
		names = append(names, cc.c.Name, cc.c.ID)
	}
	for _, n := range names {
		if f, ok := m[n]; ok {
			return f
		}
	}
	return field
}

func reaches(from, to *compiledCorrelation, byName map[string]*compiledCorrelation, seen map[*compiledCorrelation]bool) bool {
	for _, ref := range from.c.Rules {
		next := byName[ref]
		if next == nil || seen[next] {
			continue
		}
		if next == to {
			return true
		}
		seen[next] = true
		if reaches(next, to, byName, seen) {
			return true
		}
	}
	return false
}

// policy tells whether the condition is decided when the window has passed, and how many entries of a group can matter.
func (cc *compiledCorrelation) policy() (atClose bool, keep int) {
	need := 0.0
	for _, k := range cc.c.Condition {
		if k.Op != "gt" && k.Op != "gte" {
			atClose = true
		}
		need = math.Max(need, k.Value+1)
	}
	switch cc.c.Type {
	case ValueAvg, ValuePercentile:
		return true, maxGroupEntries
	case ValueSum:
		return atClose, maxGroupEntries
	case Temporal, TemporalOrdered:
		return atClose, max(64, 8*cc.members)
	}
	if atClose || need > maxGroupEntries {
		return atClose, max(maxGroupEntries, int(math.Min(need, 1<<20)))
	}
	return false, int(need) + 1
}
