package jsonlines

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// firstBuffer is what the splitter holds at first, in bytes; it grows as far as the longest line allowed.
const firstBuffer = 256 << 10

// sniffed is how many bytes of a member are looked at to tell what it is.
const sniffed = 4096

// splitter cuts a member into lines, or into the elements of arrays. It looks only for where they end, so that it finds
// its way after a bad one.
type splitter struct {
	src    io.Reader
	lim    Limits
	buf    []byte
	lo, hi int   // the bytes read but not given
	off    int64 // the place of buf[lo] in the member
	err    error // why src gives no more; io.EOF at the end

	array bool // within an array
	some  bool // the array has had an element
	ended bool // an array has just ended, so another may begin

	number  int64
	at      int64
	line    []byte
	problem *Problem
}

var errOpenArray = errors.New("the member ends before the array does")

// start begins a member. skip says that it holds no events and nothing that was meant as such.
func (s *splitter) start(src io.Reader) (skip bool, problem *Problem) {
	*s = splitter{src: src, lim: s.lim, buf: s.buf}
	if s.buf == nil {
		s.buf = make([]byte, min(firstBuffer, s.lim.MaxLine+2+sniffed))
	}
	for s.hi < sniffed && s.err == nil {
		s.fill()
	}
	head := s.buf[:min(s.hi, sniffed)]
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		s.take(3)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return false, &Problem{0, "the member is UTF-16; JSON lines are UTF-8"}
	case bytes.HasPrefix(head, []byte("\x00\x05\x16\x07")):
		return true, nil // AppleDouble: a file's attributes, which an archiver put beside it
	}
	if i := bytes.IndexByte(head, 0); i >= 0 {
		return false, &Problem{int64(i), fmt.Sprintf("the member is binary (it begins with % x)", head[:min(len(head), 8)])}
	}
	s.array = s.open()
	return false, nil
}

// open steps into an array if one begins here.
func (s *splitter) open() bool {
	for {
		for i, c := range s.buf[s.lo:s.hi] {
			if c == '[' {
				s.take(i + 1)
				s.some = false
				return true
			}
			if !blank(c) {
				return false
			}
		}
		// Only blanks: dropping them would lose count of the lines, so look no further than the buffer reaches.
		if s.err != nil || s.hi-s.lo >= sniffed {
			return false
		}
		s.fill()
	}
}

// next finds the next line or element; false at the end of the member, with err set.
func (s *splitter) next() bool {
	for {
		if s.ended {
			s.ended = false
			s.array = s.open()
		}
		if !s.array {
			return s.nextLine()
		}
		if s.element() {
			return true
		}
		if s.array { // cut off
			return false
		}
	}
}

func (s *splitter) nextLine() bool {
	for {
		scanned := 0
		for {
			if i := bytes.IndexByte(s.buf[s.lo+scanned:s.hi], '\n'); i >= 0 {
				s.give(scanned + i)
				s.take(scanned + i + 1)
				break
			}
			scanned = s.hi - s.lo
			if s.err != nil {
				if scanned == 0 {
					return false
				}
				s.give(scanned)
				s.take(scanned)
				break
			}
			if scanned >= s.lim.MaxLine+2 {
				s.skipLine()
				return true
			}
			s.fill()
		}
		s.line = bytes.TrimSuffix(s.line, []byte("\r"))
		if len(trim(s.line)) > 0 {
			if len(s.line) > s.lim.MaxLine {
				s.tooLong("line", int64(len(s.line)))
			}
			return true
		}
	}
}

// skipLine passes over a line that is too long, keeping nothing of it.
func (s *splitter) skipLine() {
	s.give(0)
	for {
		i := bytes.IndexByte(s.buf[s.lo:s.hi], '\n')
		if i >= 0 {
			s.take(i)
			s.tooLong("line", s.off-s.at)
			s.take(1)
			return
		}
		s.take(s.hi - s.lo)
		if s.err != nil {
			s.tooLong("line", s.off-s.at)
			return
		}
		s.fill()
	}
}

func (s *splitter) tooLong(what string, n int64) {
	s.line = nil
	s.problem = &Problem{int64(s.lim.MaxLine), fmt.Sprintf("the %s has %d bytes, more than %d", what, n, s.lim.MaxLine)}
}

// give sets the next line to the n bytes that come next.
func (s *splitter) give(n int) {
	s.number++
	s.at, s.line, s.problem = s.off, s.buf[s.lo:s.lo+n], nil
}

// structural marks the bytes that matter outside strings.
var structural = [256]bool{'"': true, '{': true, '}': true, '[': true, ']': true, ',': true}

// element finds the next element of the array; false at the array's end (array is false then) or at the member's.
func (s *splitter) element() bool {
	for { // blanks before it
		i := s.lo
		for i < s.hi && blank(s.buf[i]) {
			i++
		}
		s.take(i - s.lo)
		if s.lo < s.hi {
			break
		}
		if s.err != nil {
			s.cut()
			return false
		}
		s.fill()
	}
	s.give(0)
	var depth, i int // i is relative to lo
	var quoted, escaped, long bool
	for {
		b := s.buf[s.lo:s.hi]
	scan:
		for ; i < len(b); i++ {
			c := b[i]
			if quoted {
				switch {
				case escaped:
					escaped = false
				case c == '\\':
					escaped = true
				case c == '"':
					quoted = false
				}
				continue
			}
			if !structural[c] {
				continue
			}
			switch c {
			case '"':
				quoted = true
			case '{', '[':
				depth++
			case '}':
				depth = max(depth-1, 0)
			case ']':
				if depth == 0 {
					break scan
				}
				depth--
			case ',':
				if depth == 0 {
					break scan
				}
			}
		}
		if i < len(b) { // at the comma or the bracket after it
			end := b[i] == ']'
			if end {
				s.array, s.ended = false, true
			}
			if end && i == 0 && !long && !s.some {
				s.number--
				s.take(1)
				return false
			}
			s.some = true
			s.finish(i, long)
			s.take(1)
			return true
		}
		if s.err != nil {
			s.finish(i, long)
			return true
		}
		if len(b) >= s.lim.MaxLine+2 {
			long = true
		}
		if long {
			s.take(len(b))
			i = 0
		}
		s.fill()
	}
}

// finish gives an element whose last n bytes are in the buffer.
func (s *splitter) finish(n int, long bool) {
	if long {
		s.take(n)
		s.tooLong("element", s.off-s.at)
		return
	}
	s.line = trim(s.buf[s.lo : s.lo+n])
	s.take(n)
	if len(s.line) > s.lim.MaxLine {
		s.tooLong("element", int64(len(s.line)))
	}
}

func (s *splitter) cut() {
	if s.err == io.EOF {
		s.err = errOpenArray
	}
}

// take passes over n bytes of the buffer; what give has set stays readable until fill.
func (s *splitter) take(n int) {
	s.lo += n
	s.off += int64(n)
}

// fill reads more, making room first.
func (s *splitter) fill() {
	if s.hi == len(s.buf) {
		switch {
		case s.lo > 0:
			s.hi = copy(s.buf, s.buf[s.lo:s.hi])
			s.lo = 0
		default:
			bigger := make([]byte, min(2*len(s.buf), max(s.lim.MaxLine+2+sniffed, len(s.buf)+1)))
			s.hi = copy(bigger, s.buf)
			s.buf = bigger
		}
	}
	for range 100 {
		n, err := s.src.Read(s.buf[s.hi:])
		s.hi += n
		s.err = err
		if n > 0 || err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func trim(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && blank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}
