package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// token kinds.
type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // an identifier or keyword, without hyphens
	tokHyphen           // an identifier with hyphens
	tokString
	tokInt
	tokFloat
	tokHex
	tokBinary
	tokTime
	tokMark // punctuation and comparison operators
)

type token struct {
	kind tokenKind
	at   int    // byte offset
	text string // as written; of quoted literals what stands between the quotes
}

// Error is a fault in the text of a pattern.
type Error struct {
	Offset int // of the byte
	Line   int // from 1
	Column int // from 1, in characters
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("pattern %d:%d: %s", e.Line, e.Column, e.Reason)
}

func faultAt(text string, at int, reason string) *Error {
	at = min(at, len(text))
	line := 1 + strings.Count(text[:at], "\n")
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	return &Error{Offset: at, Line: line, Column: 1 + utf8.RuneCountInString(text[begin:at]), Reason: reason}
}

func (t token) String() string {
	switch t.kind {
	case tokEnd:
		return "the end"
	case tokString:
		return "'" + clip(t.text) + "'"
	case tokHex:
		return "h'" + clip(t.text) + "'"
	case tokBinary:
		return "b'" + clip(t.text) + "'"
	case tokTime:
		return "t'" + clip(t.text) + "'"
	}
	return clip(t.text)
}

func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	for n := most; ; n-- {
		if utf8.RuneStart(s[n]) {
			return s[:n] + "…"
		}
	}
}

const (
	classStart = 1 << iota // begins an identifier
	classWord              // continues one
	classDigit
)

var class = func() (t [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		t[c] = classWord | classDigit
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = classStart | classWord
		t[c-'a'+'A'] = classStart | classWord
	}
	t['_'] = classStart | classWord
	return t
}()

// skip passes white space and comments.
func (p *parser) skip() *Error {
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f':
			p.pos++
		case c == '/' && strings.HasPrefix(p.text[p.pos:], "//"):
			end := strings.IndexAny(p.text[p.pos:], "\r\n")
			if end < 0 {
				end = len(p.text) - p.pos
			}
			p.pos += end
		case c == '/' && strings.HasPrefix(p.text[p.pos:], "/*"):
			end := strings.Index(p.text[p.pos+2:], "*/")
			if end < 0 {
				return p.faultHere(p.pos, "the comment has no end")
			}
			p.pos += end + 4
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(p.text[p.pos:])
			if !strings.ContainsRune("\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000", r) {
				return nil
			}
			p.pos += n
		default:
			return nil
		}
	}
	return nil
}

// next reads the token at pos into tok.
func (p *parser) next() *Error {
	if err := p.skip(); err != nil {
		return err
	}
	at, text := p.pos, p.text
	p.tok = token{at: at}
	if at >= len(text) {
		return nil
	}
	c := text[at]
	switch {
	case c == '\'':
		return p.quoted(tokString, at)
	case class[c]&classStart != 0:
		if at+1 < len(text) && text[at+1] == '\'' {
			switch c {
			case 'h':
				return p.quoted(tokHex, at+1)
			case 'b':
				return p.quoted(tokBinary, at+1)
			case 't':
				return p.quoted(tokTime, at+1)
			}
		}
		i := at + 1
		p.tok.kind = tokWord
		for i < len(text) && (class[text[i]]&classWord != 0 || text[i] == '-') {
			if text[i] == '-' {
				p.tok.kind = tokHyphen
			}
			i++
		}
		p.tok.text, p.pos = text[at:i], i
		return nil
	case class[c]&classDigit != 0 || c == '+' || c == '-' || c == '.' && at+1 < len(text) && class[text[at+1]]&classDigit != 0:
		return p.numeral(at)
	}
	n := 1
	switch c {
	case '[', ']', '(', ')', ',', ':', '.', '*':
	case '=', '<', '>', '!':
		if at+1 < len(text) {
			switch text[at : at+2] {
			case "==", "<=", ">=", "!=", "<>":
				n = 2
			}
		}
		if c == '!' && n == 1 {
			return p.faultHere(at, "! is no operator; != is")
		}
	default:
		r, _ := utf8.DecodeRuneInString(text[at:])
		return p.faultHere(at, fmt.Sprintf("the character %q has no place outside quotes", r))
	}
	p.tok.kind, p.tok.text, p.pos = tokMark, text[at:at+n], at+n
	return nil
}

// quoted reads a literal whose quote is at open. Strings know the escapes \'
// and \\ only; other literals have none.
func (p *parser) quoted(kind tokenKind, open int) *Error {
	text := p.text
	i := open + 1
	escaped := false
	for i < len(text) && text[i] != '\'' {
		if text[i] == '\\' {
			if i+1 >= len(text) || text[i+1] != '\'' && text[i+1] != '\\' {
				return p.faultHere(i, `a backslash must stand before ' or \; write \\ for one`)
			}
			escaped = true
			i++
		}
		i++
	}
	if i >= len(text) {
		return p.faultHere(open, "the quote has no end")
	}
	body := text[open+1 : i]
	if escaped {
		body = unquote(body)
	}
	p.tok.kind, p.tok.text, p.pos = kind, body, i+1
	return nil
}

func unquote(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

func (p *parser) numeral(at int) *Error {
	text := p.text
	i := at
	if text[i] == '+' || text[i] == '-' {
		i++
	}
	whole := i
	for i < len(text) && class[text[i]]&classDigit != 0 {
		i++
	}
	kind, intDigits := tokInt, i-whole
	if i+1 < len(text) && text[i] == '.' && class[text[i+1]]&classDigit != 0 {
		kind = tokFloat
		for i++; i < len(text) && class[text[i]]&classDigit != 0; i++ {
		}
	}
	switch {
	case kind == tokInt && intDigits == 0:
		return p.faultHere(at, "a sign must stand before digits")
	case kind == tokInt && intDigits > 1 && text[whole] == '0':
		return p.faultHere(at, "an integer must not begin with 0")
	case i < len(text) && class[text[i]]&classStart != 0:
		return p.faultHere(at, "a number runs into letters; quote it if it is text")
	}
	p.tok.kind, p.tok.text, p.pos = kind, text[at:i], i
	return nil
}
