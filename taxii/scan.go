package taxii

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// hardDepth is the nesting at which a body is refused as a whole. The limit
// for a single object (Limits.MaxDepth) is far lower and costs only that one.
const hardDepth = 4096

// A SyntaxError says where a body stops being the JSON that is wanted.
type SyntaxError struct {
	Offset int // byte offset in the body
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("byte %d: %s", e.Offset, e.Reason) }

// scanner walks JSON text (RFC 8259) without building values and without
// recursion, so that nesting costs a byte a level.
type scanner struct {
	b     []byte
	i     int
	stack []byte
}

func (s *scanner) fail(reason string) error {
	if s.i >= len(s.b) {
		reason = "unexpected end of text: " + reason
	}
	return &SyntaxError{Offset: s.i, Reason: reason}
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// next skips white space and returns the byte there, or 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// str reads a string and returns what stands between its quotes, and whether
// that holds escapes.
func (s *scanner) str() (raw []byte, escaped bool, err error) {
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return nil, false, s.fail("want a string")
	}
	s.i++
	start := s.i
	for {
		s.plain()
		if s.i >= len(s.b) {
			return nil, false, s.fail("string without end")
		}
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		default:
			return nil, false, s.fail("control character in a string")
		}
	}
}

// plain moves to the next quote, backslash or control character, eight bytes
// at a time while it can.
func (s *scanner) plain() {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	b, i := s.b, s.i
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// The classic "has a zero byte" and "has a byte below n" tests.
		hit := (quote-ones)&^quote | (slash-ones)&^slash | (w-ones*0x20)&^w
		if hit&highs != 0 {
			break
		}
		i += 8
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 {
		i++
	}
	s.i = i
}

func (s *scanner) escape() error {
	s.i++
	if s.i >= len(s.b) {
		return s.fail("escape without end")
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		if _, ok := hex4(s.b[s.i+1:]); !ok {
			return s.fail("want four hexadecimal digits")
		}
		s.i += 5
		return nil
	}
	return s.fail("unknown escape")
}

func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (s *scanner) number() error {
	if s.b[s.i] == '-' {
		s.i++
	}
	switch {
	case s.i < len(s.b) && s.b[s.i] == '0':
		s.i++
	default:
		if !s.digits() {
			return s.fail("want a digit")
		}
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if !s.digits() {
			return s.fail("want a digit")
		}
	}
	if s.i < len(s.b) && s.b[s.i]|0x20 == 'e' {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if !s.digits() {
			return s.fail("want a digit")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.b[s.i:], []byte(word)) {
		return s.fail("want a value")
	}
	s.i += len(word)
	return nil
}

// key reads a member's name and the colon after it.
func (s *scanner) key() (raw []byte, escaped bool, err error) {
	if s.next() != '"' {
		return nil, false, s.fail("want a member name")
	}
	if raw, escaped, err = s.str(); err != nil {
		return nil, false, err
	}
	if s.next() != ':' {
		return nil, false, s.fail("want a colon")
	}
	s.i++
	return raw, escaped, nil
}

// skip moves past one value and returns how deep it nests: 0 for a scalar.
func (s *scanner) skip() (depth int, err error) {
	stack := s.stack[:0]
	defer func() { s.stack = stack[:0] }()
value:
	for {
		switch c := s.next(); c {
		case '{':
			s.i++
			depth = max(depth, len(stack)+1)
			if s.next() == '}' {
				s.i++
				break
			}
			stack = append(stack, '{')
			if len(stack) > hardDepth {
				return 0, s.fail("nested too deeply")
			}
			if _, _, err := s.key(); err != nil {
				return 0, err
			}
			continue value
		case '[':
			s.i++
			depth = max(depth, len(stack)+1)
			if s.next() == ']' {
				s.i++
				break
			}
			stack = append(stack, '[')
			if len(stack) > hardDepth {
				return 0, s.fail("nested too deeply")
			}
			continue value
		case '"':
			_, _, err = s.str()
		case 't':
			err = s.literal("true")
		case 'f':
			err = s.literal("false")
		case 'n':
			err = s.literal("null")
		default:
			if c == '-' || c >= '0' && c <= '9' {
				err = s.number()
			} else {
				err = s.fail("want a value")
			}
		}
		if err != nil {
			return 0, err
		}
		for len(stack) > 0 {
			c := s.next()
			top := stack[len(stack)-1]
			switch {
			case c == ',':
				s.i++
				if top == '{' {
					if _, _, err := s.key(); err != nil {
						return 0, err
					}
				}
				continue value
			case c == '}' && top == '{', c == ']' && top == '[':
				s.i++
				stack = stack[:len(stack)-1]
			default:
				return 0, s.fail("want a comma or the end of the object or array")
			}
		}
		return depth, nil
	}
}

// unescape decodes a scanned string. Unpaired surrogates become U+FFFD.
func unescape(raw []byte, escaped bool) string {
	if !escaped {
		return string(raw)
	}
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out.WriteByte(raw[i])
			continue
		}
		i++
		switch c := raw[i]; c {
		case 'b':
			out.WriteByte('\b')
		case 'f':
			out.WriteByte('\f')
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 't':
			out.WriteByte('\t')
		case 'u':
			r, _ := hex4(raw[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if i+2 < len(raw) && raw[i+1] == '\\' && raw[i+2] == 'u' {
					low, _ = hex4(raw[i+3:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			out.WriteRune(r)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}
