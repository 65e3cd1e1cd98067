package pattern

import "strings"

// Term is one comparison that an index can look up.
type Term struct {
	Path  string // canonical: "ipv4-addr:value", "file:hashes.'SHA-256'"
	Op    Op     // Eq for a member of a set too; Like, Matches, IsSubset, IsSuperset otherwise
	Value Const
}

// Index names comparisons of which at least one must hold of some object for p
// to match; ok is false when no such list exists, as for a pattern that only
// denies. Equality is preferred where AND offers a choice. When [Exact] holds,
// one of them holding is enough for a match; otherwise it only makes the
// pattern a candidate.
func Index(p *Pattern) (terms []Term, ok bool) {
	terms = exprTerms(p.root, nil)
	return terms, terms != nil
}

// Exact reports whether any single term of [Index] suffices for p to match:
// the pattern is one equality, or an OR of equalities.
func Exact(p *Pattern) bool { return exactExpr(p.root) }

func exactExpr(e Expr) bool {
	switch e := e.(type) {
	case *Observed:
		return exactCond(e.Test)
	case *Join:
		if e.Op != Or {
			return false
		}
		for _, sub := range e.Of {
			if !exactExpr(sub) {
				return false
			}
		}
		return true
	}
	return false
}

func exactCond(c Cond) bool {
	switch c := c.(type) {
	case *Compare:
		return !c.Not && (c.Op == Eq || c.Op == In && len(c.Set) > 0)
	case *Logic:
		if !c.Or {
			return false
		}
		for _, sub := range c.Of {
			if !exactCond(sub) {
				return false
			}
		}
		return true
	}
	return false
}

// exprTerms appends to into the terms of e; nil when e has none.
func exprTerms(e Expr, into []Term) []Term {
	switch e := e.(type) {
	case *Observed:
		return condTerms(e.Test, into)
	case *Qualified:
		return exprTerms(e.Of, into)
	case *Join:
		if e.Op == Or {
			for _, sub := range e.Of {
				if into = exprTerms(sub, into); into == nil {
					return nil
				}
			}
			return into
		}
		var best []Term
		for _, sub := range e.Of {
			best = better(best, exprTerms(sub, nil))
		}
		return join(into, best)
	}
	return nil
}

func condTerms(c Cond, into []Term) []Term {
	switch c := c.(type) {
	case *Logic:
		if c.Or {
			for _, sub := range c.Of {
				if into = condTerms(sub, into); into == nil {
					return nil
				}
			}
			return into
		}
		var best []Term
		for _, sub := range c.Of {
			best = better(best, condTerms(sub, nil))
		}
		return join(into, best)
	case *Compare:
		if c.Not {
			return nil
		}
		switch c.Op {
		case Eq, Like, Matches, IsSubset, IsSuperset:
			return append(into, Term{Path: c.Path.String(), Op: c.Op, Value: c.Value})
		case In:
			if len(c.Set) == 0 {
				return nil
			}
			path := c.Path.String()
			for _, v := range c.Set {
				into = append(into, Term{Path: path, Op: Eq, Value: v})
			}
			return into
		}
	}
	return nil
}

func join(into, more []Term) []Term {
	if more == nil {
		return nil
	}
	return append(into, more...)
}

// better chooses between two lists either of which is necessary: all
// equalities before others, text before numbers, then the shorter.
func better(a, b []Term) []Term {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	if x, y := weight(a), weight(b); x != y {
		if x > y {
			return a
		}
		return b
	}
	if len(b) < len(a) {
		return b
	}
	return a
}

func weight(terms []Term) int {
	w := 3
	for i := range terms {
		v := 0
		switch {
		case terms[i].Op == Eq && terms[i].Value.Kind == String:
			v = 2
			if strings.Contains(terms[i].Path, ":hashes.") {
				v = 3
			}
		case terms[i].Op == Eq:
			v = 1
		}
		w = min(w, v)
	}
	return w
}

// Hash gives the algorithm of a term over file hashes in the spelling of STIX
// 2.1 ("SHA-256"), whatever spelling the pattern has: hashes.SHA256 and
// hashes.'sha-256' are met in the wild. ok is false for any other term.
func (t Term) Hash() (algorithm string, ok bool) {
	key, ok := strings.CutPrefix(t.Path, "file:hashes.")
	if !ok {
		return "", false
	}
	key = strings.NewReplacer("'", "", "-", "", "_", "").Replace(strings.ToUpper(key))
	algorithm, ok = hashNames[key]
	return algorithm, ok
}

var hashNames = map[string]string{
	"MD5": "MD5", "SHA1": "SHA-1", "SHA256": "SHA-256", "SHA512": "SHA-512", "SHA3256": "SHA3-256", "SHA3512": "SHA3-512",
	"SSDEEP": "SSDEEP", "TLSH": "TLSH",
}
