package pattern

import "strconv"

// String prints the canonical form: one space between words, no more
// parentheses than needed, == as =, <> as !=, numbers without plus sign, keys
// in quotes only where they need them. Parsing it gives the same pattern.
func (p *Pattern) String() string { return string(appendExprText(nil, p.root)) }

func appendExprText(b []byte, e Expr) []byte {
	switch e := e.(type) {
	case *Observed:
		b = append(b, '[')
		b = appendCondText(b, e.Test)
		return append(b, ']')
	case *Join:
		for i, sub := range e.Of {
			if i > 0 {
				b = append(append(append(b, ' '), e.Op.String()...), ' ')
			}
			// AND binds tightest; only a looser operator inside needs parentheses.
			j, ok := sub.(*Join)
			b = appendGroup(b, sub, ok && j.Op > e.Op)
		}
	case *Qualified:
		_, join := e.Of.(*Join)
		b = appendGroup(b, e.Of, join || repeatsKind(e.Of, e.Kind))
		switch e.Kind {
		case Within:
			b = append(append(append(b, " WITHIN "...), e.WithinText...), " SECONDS"...)
		case Repeats:
			b = append(strconv.AppendInt(append(b, " REPEATS "...), int64(e.Times), 10), " TIMES"...)
		case StartStop:
			b = append(append(b, " START t'"...), e.StartText...)
			b = append(append(append(b, "' STOP t'"...), e.StopText...), '\'')
		}
	}
	return b
}

// repeatsKind reports whether a chain of qualifiers already has one of kind.
func repeatsKind(e Expr, kind QualifierKind) bool {
	for {
		q, ok := e.(*Qualified)
		if !ok {
			return false
		}
		if q.Kind == kind {
			return true
		}
		e = q.Of
	}
}

func appendGroup(b []byte, e Expr, group bool) []byte {
	if !group {
		return appendExprText(b, e)
	}
	return append(appendExprText(append(b, '('), e), ')')
}

func appendCondText(b []byte, c Cond) []byte {
	switch c := c.(type) {
	case *Logic:
		word := " AND "
		if c.Or {
			word = " OR "
		}
		for i, sub := range c.Of {
			if i > 0 {
				b = append(b, word...)
			}
			if l, ok := sub.(*Logic); ok && l.Or && !c.Or {
				b = append(appendCondText(append(b, '('), sub), ')')
			} else {
				b = appendCondText(b, sub)
			}
		}
	case *Compare:
		if c.Op == Exists {
			if c.Not {
				b = append(b, "NOT "...)
			}
			return c.Path.Append(append(b, "EXISTS "...))
		}
		b = append(c.Path.Append(b), ' ')
		if c.Not {
			b = append(b, "NOT "...)
		}
		b = append(append(b, c.Op.String()...), ' ')
		if c.Op != In {
			return c.Value.Append(b)
		}
		b = append(b, '(')
		for i := range c.Set {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = c.Set[i].Append(b)
		}
		b = append(b, ')')
	}
	return b
}

// String is the canonical text of the path: file:hashes.'SHA-256'.
func (p Path) String() string { return string(p.Append(nil)) }

// Append adds the canonical text of the path to b.
func (p Path) Append(b []byte) []byte {
	b = append(append(b, p.Type...), ':')
	for i, s := range p.Steps {
		switch {
		case s.Index == AnyItem:
			b = append(b, "[*]"...)
		case s.Index >= 0:
			b = append(strconv.AppendInt(append(b, '['), int64(s.Index), 10), ']')
		default:
			if i > 0 {
				b = append(b, '.')
			}
			if isIdentifier(s.Key) {
				b = append(b, s.Key...)
			} else {
				b = appendQuoted(b, s.Key)
			}
		}
	}
	return b
}

func isIdentifier(s string) bool {
	if s == "" || keywords[s] || class[s[0]]&classStart == 0 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if class[s[i]]&classWord == 0 {
			return false
		}
	}
	return true
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '\'')
	for i := 0; i < len(s); i++ {
		if s[i] == '\'' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '\'')
}

// Append adds the canonical text of the constant to b.
func (c *Const) Append(b []byte) []byte {
	switch c.Kind {
	case String:
		return appendQuoted(b, c.Text)
	case Hex:
		return append(append(append(b, "h'"...), c.Text...), '\'')
	case Binary:
		return append(append(append(b, "b'"...), c.Text...), '\'')
	case Timestamp:
		return append(append(append(b, "t'"...), c.Text...), '\'')
	}
	return append(b, c.Text...)
}
