package sigma

import (
	"strings"
	"unicode/utf8"
)

// tokKind is a part of a string value.
type tokKind uint8

const (
	tokLit  tokKind = iota
	tokStar         // any number of characters
	tokAny          // exactly one character
	tokHole         // a placeholder not yet replaced
)

// tok is one part of a parsed string value; text is the literal or the placeholder's name.
type tok struct {
	kind tokKind
	text string
}

// parsePattern reads a value with the escapes of the rules specification ("Escape Character"): \*, \? and \\ stand for the plain
// character, any other backslash for itself.
func parsePattern(s string) []tok {
	var out []tok
	var acc []byte
	flush := func() {
		if len(acc) > 0 {
			out = append(out, tok{tokLit, string(acc)})
			acc = acc[:0]
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s) && (s[i+1] == '*' || s[i+1] == '?' || s[i+1] == '\\'):
			i++
			acc = append(acc, s[i])
		case c == '*':
			flush()
			out = append(out, tok{kind: tokStar})
		case c == '?':
			flush()
			out = append(out, tok{kind: tokAny})
		default:
			acc = append(acc, c)
		}
	}
	flush()
	return out
}

func hasWild(ts []tok) bool {
	for _, t := range ts {
		if t.kind == tokStar || t.kind == tokAny {
			return true
		}
	}
	return false
}

// plain joins the literals of a pattern without wildcards.
func plain(ts []tok) string {
	if len(ts) == 1 {
		return ts[0].text
	}
	var b strings.Builder
	for _, t := range ts {
		b.WriteString(t.text)
	}
	return b.String()
}

// litOp says where in the value a literal must stand.
type litOp uint8

const (
	litExact litOp = iota
	litPrefix
	litSuffix
	litContains
	litAnything // any value that is not null
)

// lit is a literal with its place. Text is folded when it belongs to a case-insensitive predicate.
type lit struct {
	op   litOp
	text string
}

// glob is a pattern as segments between stars. Literals are folded unless the pattern is cased.
type glob struct {
	segs       [][]tok // tokLit and tokAny only
	head, tail bool    // a star before the first, after the last segment
}

// compile reduces a pattern to a literal with a place, or, failing that, to a glob.
func compilePattern(ts []tok, cased bool) (lit, *glob) {
	g := &glob{}
	var seg []tok
	first := true
	for _, t := range ts {
		switch t.kind {
		case tokStar:
			if first {
				g.head = true
			} else if len(seg) > 0 {
				g.segs = append(g.segs, seg)
				seg = nil
			}
			g.tail = true
		case tokAny:
			seg = append(seg, t)
			g.tail = false
		case tokLit:
			text := t.text
			if !cased {
				text = foldString(text)
			}
			if n := len(seg); n > 0 && seg[n-1].kind == tokLit {
				seg[n-1].text += text
			} else {
				seg = append(seg, tok{tokLit, text})
			}
			g.tail = false
		}
		first = false
	}
	if len(seg) > 0 {
		g.segs = append(g.segs, seg)
	}
	switch {
	case len(g.segs) == 0 && g.head:
		return lit{op: litAnything}, nil
	case len(g.segs) == 0:
		return lit{op: litExact}, nil
	case len(g.segs) == 1 && len(g.segs[0]) == 1 && g.segs[0][0].kind == tokLit:
		l := lit{text: g.segs[0][0].text}
		switch {
		case g.head && g.tail:
			l.op = litContains
		case g.head:
			l.op = litSuffix
		case g.tail:
			l.op = litPrefix
		}
		return l, nil
	}
	return lit{}, g
}

// matchSeg matches a segment at the start of s and returns the number of bytes it took, or -1.
func matchSeg(seg []tok, s []byte) int {
	n := 0
	for _, t := range seg {
		if t.kind == tokAny {
			if n >= len(s) {
				return -1
			}
			_, w := utf8.DecodeRune(s[n:])
			n += w
			continue
		}
		if len(s)-n < len(t.text) || string(s[n:n+len(t.text)]) != t.text {
			return -1
		}
		n += len(t.text)
	}
	return n
}

// match reports whether the whole of s matches. Time is at most len(s) times the pattern's length.
func (g *glob) match(s []byte) bool {
	segs := g.segs
	if !g.head {
		n := matchSeg(segs[0], s)
		if n < 0 {
			return false
		}
		s, segs = s[n:], segs[1:]
		if len(segs) == 0 {
			return g.tail || len(s) == 0
		}
	}
	for i, seg := range segs {
		last := i == len(segs)-1 && !g.tail
		found := false
		for p := 0; p <= len(s); {
			if n := matchSeg(seg, s[p:]); n >= 0 && (!last || p+n == len(s)) {
				s, found = s[p+n:], true
				break
			}
			if p == len(s) {
				break
			}
			_, w := utf8.DecodeRune(s[p:])
			p += w
		}
		if !found {
			return false
		}
	}
	return true
}

// longest returns the longest literal of the pattern, "" when it has none.
func (g *glob) longest() string {
	best := ""
	for _, seg := range g.segs {
		for _, t := range seg {
			if t.kind == tokLit && len(t.text) > len(best) {
				best = t.text
			}
		}
	}
	return best
}

// matchLit reports whether value s, folded as l is, satisfies l.
func matchLit(l lit, s []byte) bool {
	switch l.op {
	case litExact:
		return string(s) == l.text
	case litPrefix:
		return len(s) >= len(l.text) && string(s[:len(l.text)]) == l.text
	case litSuffix:
		return len(s) >= len(l.text) && string(s[len(s)-len(l.text):]) == l.text
	case litContains:
		return strings.Contains(asString(s), l.text)
	}
	return true
}
