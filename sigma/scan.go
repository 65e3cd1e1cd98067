package sigma

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is the type of a field's value in an event.
type Kind uint8

// The kinds of value. Object stands for a nested structure whose members are fields of their own.
const (
	String Kind = iota
	Number
	Bool
	Null
	Object
)

// Field is one field of an event that is not JSON. A field may occur several times; a predicate holds when any value satisfies it.
// Nested names are joined with dots. Value is the text of strings, numbers and booleans, and is borrowed until Match returns.
type Field struct {
	Name  string
	Value []byte
	Kind  Kind
}

// Event is an event as a list of fields.
type Event []Field

// value is one value of the event in hand. Raw memory is borrowed from the caller, text and folded may lie in the arena.
type value struct {
	raw    []byte
	text   []byte // decoded; nil until asked for
	folded []byte // decoded and case-folded; nil until asked for
	next   int32  // next value of the same field, -1 for none
	kind   Kind
	json   bool // raw may hold JSON escapes
}

// scanner cuts one JSON object into the values that the table's fields have.
type scanner struct {
	tab      *fieldTable
	b        []byte
	vals     []value
	slots    []slot
	present  []int32 // fields seen, in order
	epoch    uint32
	arena    []byte
	all      bool // collect every value, for keywords
	keyVals  []int32
	maxDepth int
}

// slot holds the values of one field.
type slot struct {
	epoch      uint32
	head, tail int32
}

// SyntaxError tells where a line is not JSON.
type SyntaxError struct {
	Offset int
	Reason string
}

// Error renders "offset N: reason".
func (e *SyntaxError) Error() string { return fmt.Sprintf("json: offset %d: %s", e.Offset, e.Reason) }

func (s *scanner) fail(i int, reason string) error { return &SyntaxError{i, reason} }

func (s *scanner) reset() {
	s.vals, s.present, s.arena, s.keyVals = s.vals[:0], s.present[:0], s.arena[:0], s.keyVals[:0]
	s.all = false
	if s.epoch++; s.epoch == 1<<31 {
		s.epoch = 1
		clear(s.slots)
	}
}

// object scans the whole line, which must be one JSON object.
func (s *scanner) object(line []byte) error {
	s.b = line
	i := skipSpace(line, 0)
	if i >= len(line) || line[i] != '{' {
		return s.fail(i, "an object is expected")
	}
	i, err := s.members(i+1, 0, 1)
	if err != nil {
		return err
	}
	if i = skipSpace(line, i); i != len(line) {
		return s.fail(i, "text after the object")
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// stringEnd returns the offset of the quote that ends the string whose text begins at i, or -1.
func stringEnd(b []byte, i int) int {
	from := i
	for {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return -1
		}
		j += i
		k := j
		for k > from && b[k-1] == '\\' {
			k--
		}
		if (j-k)&1 == 0 {
			return j
		}
		i = j + 1
	}
}

// members scans an object's members from i to behind the closing brace. Node -1 looks nothing up.
func (s *scanner) members(i int, node int32, depth int) (int, error) {
	b := s.b
	if depth > s.maxDepth {
		return i, s.fail(i, "nested too deeply")
	}
	if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return i, s.fail(i, "a key is expected")
		}
		end := stringEnd(b, i+1)
		if end < 0 {
			return i, s.fail(i, "a string does not end")
		}
		var e *edge
		next := int32(-1)
		if node >= 0 {
			key := b[i+1 : end]
			if bytes.IndexByte(key, '\\') >= 0 {
				start := len(s.arena)
				s.arena = appendUnescaped(s.arena, key, false)
				key = s.arena[start:]
			}
			if e = s.tab.find(node, key); e != nil {
				next = e.next
			} else if n := s.tab.child[node]; n > 0 {
				next = n
			} else if bytes.IndexByte(key, ' ') >= 0 {
				e = s.spaced(key)
			}
		}
		if i = skipSpace(b, end+1); i >= len(b) || b[i] != ':' {
			return i, s.fail(i, "a colon is expected")
		}
		var err error
		if i, err = s.value(skipSpace(b, i+1), e, next, depth); err != nil {
			return i, err
		}
		i = skipSpace(b, i)
		switch {
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		case i < len(b) && b[i] == '}':
			return i + 1, nil
		default:
			return i, s.fail(i, "a comma or closing brace is expected")
		}
	}
}

// spaced finds the field that a name with spaces stands for: rules write it without ("SAM User Account" is SAMUserAccount, rules
// specification, "Field Usage").
func (s *scanner) spaced(key []byte) *edge {
	start := len(s.arena)
	for _, c := range key {
		if c != ' ' {
			s.arena = append(s.arena, c)
		}
	}
	if id, ok := s.tab.ids[string(s.arena[start:])]; ok {
		return &s.tab.own[id]
	}
	return nil
}

// value scans one value and enters it for the fields of e.
func (s *scanner) value(i int, e *edge, next int32, depth int) (int, error) {
	b := s.b
	if i >= len(b) {
		return i, s.fail(i, "a value is expected")
	}
	switch b[i] {
	case '"':
		end := stringEnd(b, i+1)
		if end < 0 {
			return i, s.fail(i, "a string does not end")
		}
		if e != nil && len(e.fields) > 0 || s.all {
			s.enter(e, b[i+1:end], String, true)
		}
		return end + 1, nil
	case '{':
		if e != nil && len(e.fields) > 0 {
			s.enter(e, nil, Object, false)
		}
		return s.members(i+1, next, depth+1)
	case '[':
		if depth >= s.maxDepth {
			return i, s.fail(i, "nested too deeply")
		}
		if i = skipSpace(b, i+1); i < len(b) && b[i] == ']' {
			if e != nil && len(e.fields) > 0 {
				s.enter(e, nil, Object, false)
			}
			return i + 1, nil
		}
		for {
			var err error
			if i, err = s.value(skipSpace(b, i), e, next, depth+1); err != nil {
				return i, err
			}
			i = skipSpace(b, i)
			if i < len(b) && b[i] == ',' {
				i++
				continue
			}
			if i < len(b) && b[i] == ']' {
				return i + 1, nil
			}
			return i, s.fail(i, "a comma or closing bracket is expected")
		}
	}
	end := i
	for end < len(b) && b[end] > ' ' && b[end] != ',' && b[end] != '}' && b[end] != ']' {
		end++
	}
	word := b[i:end]
	kind := Number
	switch string(word) {
	case "null":
		kind = Null
	case "true", "false":
		kind = Bool
	default:
		if len(word) == 0 || word[0] != '-' && (word[0] < '0' || word[0] > '9') {
			return i, s.fail(i, "a value is expected")
		}
		for _, c := range word[1:] {
			if (c < '0' || c > '9') && c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-' {
				return i, s.fail(i, "a number is malformed")
			}
		}
	}
	if e != nil && len(e.fields) > 0 || s.all {
		s.enter(e, word, kind, false)
	}
	return end, nil
}

func (s *scanner) enter(e *edge, raw []byte, kind Kind, json bool) {
	if s.all {
		if kind != Null && kind != Object {
			s.keyVals = append(s.keyVals, int32(len(s.vals)))
			s.vals = append(s.vals, value{raw: raw, kind: kind, json: json, next: -1})
		}
		return
	}
	for _, f := range e.fields {
		s.put(f, raw, kind, json)
	}
}

func (s *scanner) put(f int32, raw []byte, kind Kind, json bool) {
	id := int32(len(s.vals))
	s.vals = append(s.vals, value{raw: raw, kind: kind, json: json, next: -1})
	sl := &s.slots[f]
	if sl.epoch != s.epoch {
		*sl = slot{s.epoch, id, id}
		s.present = append(s.present, f)
		return
	}
	s.vals[sl.tail].next = id
	sl.tail = id
}

// first returns the first value of a field, or nil.
func (s *scanner) first(f int32) *value {
	if sl := &s.slots[f]; sl.epoch == s.epoch {
		return &s.vals[sl.head]
	}
	return nil
}

// text returns the decoded text of a value.
func (s *scanner) text(v *value) []byte {
	if v.text == nil {
		v.text = v.raw
		if v.json && bytes.IndexByte(v.raw, '\\') >= 0 {
			start := len(s.arena)
			s.arena = appendUnescaped(s.arena, v.raw, false)
			v.text = s.arena[start:len(s.arena):len(s.arena)]
		}
	}
	return v.text
}

// fold returns the decoded, case-folded text of a value.
func (s *scanner) fold(v *value) []byte {
	if v.folded == nil {
		start := len(s.arena)
		if v.json {
			s.arena = appendUnescaped(s.arena, v.raw, true)
		} else {
			s.arena = appendFold(s.arena, v.raw)
		}
		v.folded = s.arena[start:len(s.arena):len(s.arena)]
		if v.folded == nil {
			v.folded = []byte{}
		}
	}
	return v.folded
}

// Eight bytes at a time: the constants repeat a byte in each.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// foldWord folds eight ASCII bytes.
func foldWord(x uint64) uint64 {
	low := x & (highs - ones | 0x7f*ones)
	geA := low + (0x80-'A')*ones
	gtZ := low + (0x7f-'Z')*ones
	return x | (geA&^gtZ&highs)>>2
}

// appendUnescaped appends JSON string contents without escapes, case-folded if fold. What is no valid escape stays as it is; half of
// a surrogate pair becomes U+FFFD. The result is never longer than src.
func appendUnescaped(dst, src []byte, fold bool) []byte {
	n := len(dst)
	dst = slices.Grow(dst, len(src)+8)
	out := dst[:cap(dst)]
	for i := 0; i < len(src); {
		for i+8 <= len(src) {
			x := binary.LittleEndian.Uint64(src[i:])
			y := x ^ '\\'*ones
			special := ((y-ones)&^y | x) & highs
			w := x
			if fold {
				w = foldWord(x)
			}
			binary.LittleEndian.PutUint64(out[n:], w)
			if special == 0 {
				i, n = i+8, n+8
				continue
			}
			k := bits.TrailingZeros64(special) >> 3
			i, n = i+k, n+k
			break
		}
		if i >= len(src) {
			break
		}
		c := src[i]
		if c < utf8.RuneSelf && c != '\\' {
			if fold {
				c = asciiFold[c]
			}
			out[n] = c
			n++
			i++
			continue
		}
		if c != '\\' {
			r, w := utf8.DecodeRune(src[i:])
			if !fold || r == utf8.RuneError && w <= 1 {
				n += copy(out[n:], src[i:i+w])
			} else {
				n += utf8.EncodeRune(out[n:n+utf8.UTFMax], foldRune(r))
			}
			i += w
			continue
		}
		if i+1 >= len(src) {
			out[n] = c
			n++
			break
		}
		e := src[i+1]
		switch e {
		case '"', '\\', '/':
		case 'b':
			e = '\b'
		case 'f':
			e = '\f'
		case 'n':
			e = '\n'
		case 'r':
			e = '\r'
		case 't':
			e = '\t'
		default:
			r, w := rune(0), 0
			if e == 'u' {
				r, w = unicodeEscape(src[i:])
			}
			if w == 0 {
				out[n] = c
				n++
				i++
				continue
			}
			if fold {
				r = foldRune(r)
			}
			n += utf8.EncodeRune(out[n:n+utf8.UTFMax], r)
			i += w
			continue
		}
		out[n] = e
		n++
		i += 2
	}
	return out[:n]
}

// unicodeEscape reads \uXXXX, or two of them as a surrogate pair, and returns the bytes taken; 0 for none.
func unicodeEscape(s []byte) (rune, int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if lo, ok := hex4(s[6:]); ok {
				if c := utf16.DecodeRune(r, lo); c != utf8.RuneError {
					return c, 12
				}
			}
		}
		return utf8.RuneError, 6
	}
	return r, 6
}

func hex4(s []byte) (rune, bool) {
	if len(s) < 6 {
		return 0, false
	}
	var r rune
	for _, c := range s[2:6] {
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
