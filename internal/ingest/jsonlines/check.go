// Package jsonlines reads events that come as JSON, one object a line, and judges each line by itself.
package jsonlines

import (
	"fmt"
	"unicode/utf8"
)

// Limits bound one line. The zero value stands for the defaults.
type Limits struct {
	// MaxLine is the most bytes of a line; 1 MiB where 0.
	MaxLine int
	// MaxDepth is how deep objects and arrays may nest; 32 where 0.
	MaxDepth int
	// MaxKeys is how many top-level keys an event may have; 2,048 where 0.
	MaxKeys int
}

func (l Limits) orDefault() Limits {
	if l.MaxLine == 0 {
		l.MaxLine = 1 << 20
	}
	if l.MaxDepth == 0 {
		l.MaxDepth = 32
	}
	if l.MaxKeys == 0 {
		l.MaxKeys = 2048
	}
	return l
}

// Problem is why a line was refused: where in it (bytes from its start) and the reason.
type Problem struct {
	Offset int64
	Reason string
}

// Error is the place and the reason.
func (p *Problem) Error() string { return fmt.Sprintf("byte %d: %s", p.Offset, p.Reason) }

// Check says whether a line is one JSON object (RFC 8259) in valid UTF-8, within the limits, whose top-level keys are
// distinct; nil means that it is. It allocates nothing for a good line of up to 64 keys.
func Check(line []byte, lim Limits) *Problem {
	lim = lim.orDefault()
	if len(line) > lim.MaxLine {
		return &Problem{int64(lim.MaxLine), fmt.Sprintf("the line has %d bytes, more than %d", len(line), lim.MaxLine)}
	}
	c := checker{b: line, lim: lim}
	c.space()
	if c.i >= len(line) {
		return &Problem{0, "the line is empty"}
	}
	if line[c.i] != '{' {
		return &Problem{int64(c.i), "an event is a JSON object"}
	}
	if p := c.value(0); p != nil {
		return p
	}
	c.space()
	if c.i != len(line) {
		return c.bad("there is more after the object")
	}
	return nil
}

type checker struct {
	b    []byte
	i    int
	lim  Limits
	keys [64][2]int32 // raw spans of the top-level keys
	n    int
	more map[string]bool // beyond 64
	esc  bool            // the last string held an escape
}

func (c *checker) bad(format string, args ...any) *Problem {
	return &Problem{int64(c.i), fmt.Sprintf(format, args...)}
}

func (c *checker) space() {
	for c.i < len(c.b) && (c.b[c.i] == ' ' || c.b[c.i] == '\t' || c.b[c.i] == '\r' || c.b[c.i] == '\n') {
		c.i++
	}
}

func (c *checker) value(depth int) *Problem {
	if c.i >= len(c.b) {
		return c.bad("the line ends where a value should stand")
	}
	switch ch := c.b[c.i]; {
	case ch == '{':
		return c.object(depth + 1)
	case ch == '[':
		return c.array(depth + 1)
	case ch == '"':
		return c.str()
	case ch == 't':
		return c.word("true")
	case ch == 'f':
		return c.word("false")
	case ch == 'n':
		return c.word("null")
	case ch == '-' || '0' <= ch && ch <= '9':
		return c.number()
	}
	return c.bad("%q begins no JSON value", c.b[c.i])
}

func (c *checker) object(depth int) *Problem {
	if depth > c.lim.MaxDepth {
		return c.bad("nested deeper than %d", c.lim.MaxDepth)
	}
	c.i++
	c.space()
	if c.i < len(c.b) && c.b[c.i] == '}' {
		c.i++
		return nil
	}
	for {
		if c.i >= len(c.b) || c.b[c.i] != '"' {
			return c.bad("a key in quotes should stand here")
		}
		at := c.i
		if p := c.str(); p != nil {
			return p
		}
		if depth == 1 {
			if p := c.key(at); p != nil {
				return p
			}
		}
		c.space()
		if c.i >= len(c.b) || c.b[c.i] != ':' {
			return c.bad("a colon should follow the key")
		}
		c.i++
		c.space()
		if p := c.value(depth); p != nil {
			return p
		}
		if done, p := c.next('}'); done || p != nil {
			return p
		}
	}
}

func (c *checker) array(depth int) *Problem {
	if depth > c.lim.MaxDepth {
		return c.bad("nested deeper than %d", c.lim.MaxDepth)
	}
	c.i++
	c.space()
	if c.i < len(c.b) && c.b[c.i] == ']' {
		c.i++
		return nil
	}
	for {
		if p := c.value(depth); p != nil {
			return p
		}
		if done, p := c.next(']'); done || p != nil {
			return p
		}
	}
}

// next reads the comma before another member, or the end.
func (c *checker) next(end byte) (bool, *Problem) {
	c.space()
	if c.i >= len(c.b) {
		return false, c.bad("the line is cut off before %q", end)
	}
	if c.b[c.i] == end {
		c.i++
		return true, nil
	}
	if c.b[c.i] != ',' {
		return false, c.bad("a comma or %q should stand here", end)
	}
	c.i++
	c.space()
	return false, nil
}

// key refuses a second key of the same name: two readers would not agree on what the event says.
func (c *checker) key(at int) *Problem {
	name := c.b[at+1 : c.i-1]
	if c.esc { // rare: compare it as decoded
		name = unescape(name)
	}
	for _, k := range c.keys[:min(c.n, len(c.keys))] {
		if string(c.b[k[0]:k[1]]) == string(name) {
			return &Problem{int64(at), fmt.Sprintf("the key %q stands twice", name)}
		}
	}
	if c.more[string(name)] {
		return &Problem{int64(at), fmt.Sprintf("the key %q stands twice", name)}
	}
	if c.n >= c.lim.MaxKeys {
		return &Problem{int64(at), fmt.Sprintf("more than %d keys", c.lim.MaxKeys)}
	}
	if c.n < len(c.keys) && !c.esc {
		c.keys[c.n] = [2]int32{int32(at + 1), int32(c.i - 1)}
		c.n++
		return nil
	}
	if c.more == nil {
		c.more = map[string]bool{}
	}
	c.more[string(name)] = true
	if c.n >= len(c.keys) {
		c.n++
	}
	return nil
}

// plain marks the bytes that a string may hold as they are, in ASCII.
var plain [256]bool

func init() {
	for i := 0x20; i < 0x80; i++ {
		plain[i] = i != '"' && i != '\\'
	}
}

func (c *checker) str() *Problem {
	c.i++
	c.esc = false
	for {
		for c.i < len(c.b) && plain[c.b[c.i]] {
			c.i++
		}
		if c.i >= len(c.b) {
			return c.bad("the line is cut off within a string")
		}
		switch ch := c.b[c.i]; {
		case ch == '"':
			c.i++
			return nil
		case ch == '\\':
			c.esc = true
			if p := c.escape(); p != nil {
				return p
			}
		case ch < 0x20:
			return c.bad("the control character %#02x stands unescaped in a string", ch)
		default:
			r, n := utf8.DecodeRune(c.b[c.i:])
			if r == utf8.RuneError && n <= 1 {
				return c.bad("the byte %#02x is not UTF-8", ch)
			}
			c.i += n
		}
	}
}

func (c *checker) escape() *Problem {
	if c.i+1 >= len(c.b) {
		return c.bad("the line is cut off within a string")
	}
	switch c.b[c.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		c.i += 2
		return nil
	case 'u':
		r, ok := hex4(c.b, c.i+2)
		if !ok {
			return c.bad("four hexadecimal digits should follow \\u")
		}
		if r >= 0xDC00 && r < 0xE000 {
			return c.bad("half of a surrogate pair stands alone")
		}
		if r >= 0xD800 && r < 0xDC00 {
			if c.i+7 >= len(c.b) || c.b[c.i+6] != '\\' || c.b[c.i+7] != 'u' {
				return c.bad("half of a surrogate pair stands alone")
			}
			if low, ok := hex4(c.b, c.i+8); !ok || low < 0xDC00 || low >= 0xE000 {
				return c.bad("half of a surrogate pair stands alone")
			}
			c.i += 6
		}
		c.i += 6
		return nil
	}
	return c.bad("\\%c is no escape", c.b[c.i+1])
}

func hex4(b []byte, at int) (rune, bool) {
	if at+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[at : at+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape decodes a string that str has read.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(raw, i+1)
			i += 4
			if r >= 0xD800 && r < 0xDC00 {
				low, _ := hex4(raw, i+3)
				r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
				i += 6
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, raw[i])
		}
	}
	return out
}

func (c *checker) word(w string) *Problem {
	if c.i+len(w) > len(c.b) || string(c.b[c.i:c.i+len(w)]) != w {
		return c.bad("%q begins no JSON value", c.b[c.i])
	}
	c.i += len(w)
	return nil
}

func (c *checker) number() *Problem {
	digits := func() bool {
		from := c.i
		for c.i < len(c.b) && '0' <= c.b[c.i] && c.b[c.i] <= '9' {
			c.i++
		}
		return c.i > from
	}
	if c.b[c.i] == '-' {
		c.i++
	}
	from := c.i
	if !digits() {
		return c.bad("a digit should stand here")
	}
	if c.b[from] == '0' && c.i > from+1 {
		return c.bad("a number begins with a superfluous zero")
	}
	if c.i < len(c.b) && c.b[c.i] == '.' {
		c.i++
		if !digits() {
			return c.bad("a digit should follow the point")
		}
	}
	if c.i < len(c.b) && (c.b[c.i] == 'e' || c.b[c.i] == 'E') {
		c.i++
		if c.i < len(c.b) && (c.b[c.i] == '+' || c.b[c.i] == '-') {
			c.i++
		}
		if !digits() {
			return c.bad("a digit should stand in the exponent")
		}
	}
	return nil
}
