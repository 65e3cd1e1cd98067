package evtx

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// xmlWriter walks a record's binary XML a second time and writes XML.
type xmlWriter struct {
	d     *decoder
	dst   []byte
	start int // of the record's XML in dst
	vals  []value
	raw   []byte
	seen  []span // the names of the element's attributes so far, in dst
	work  int
	array int32  // the value that is being repeated, -1: none
	item  []byte // its item
	err   error
}

// AppendXML appends the event as XML on one line: well-formed, with all text
// escaped, characters that XML forbids replaced by U+FFFD, names cleaned, and
// processing instructions left out. A file's record has usually one root,
// Event. An event whose XML would pass [MaxXML] is an empty Event with a
// comment that says so.
func (rec *Record) AppendXML(dst []byte) []byte {
	x := &rec.x
	x.d, x.dst, x.start, x.vals, x.err, x.work, x.array = rec.d, dst, len(dst), x.vals[:0], nil, 0, -1
	x.fragment(rec.from, rec.to, 0)
	dst, x.dst = x.dst, nil
	if x.err != nil {
		dst = append(dst[:x.start], "<Event><!-- "...)
		dst = append(dst, x.err.Error()...)
		return append(dst, " --></Event>"...)
	}
	if len(dst) == x.start {
		return append(dst, "<Event/>"...)
	}
	return dst
}

func (x *xmlWriter) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

func (x *xmlWriter) spend(n int) bool {
	if x.work += n; x.work > MaxRecordWork {
		x.fail(errWork)
	}
	if len(x.dst)-x.start > MaxXML {
		x.fail(errXML)
	}
	return x.err == nil
}

func (x *xmlWriter) fragment(from, to, nesting int) {
	if nesting > MaxNesting {
		x.fail(errNesting)
		return
	}
	c := cursor{b: x.d.b, pos: from, end: to}
	for x.spend(1) && c.err == nil && c.pos < c.end {
		switch tok := c.u8(); tok &^ tokMore {
		case tokEOF:
			return
		case tokFragment:
			c.take(3)
		case tokPITarget, tokPIData:
			c.skipPI(tok &^ tokMore)
		case tokTemplate:
			v0 := len(x.vals)
			in, vals := c.instance(x.vals)
			x.vals = vals
			if c.err == nil {
				tc := cursor{b: x.d.b, pos: in.body, end: in.bodyTo}
				x.body(&tc, v0, nesting)
			}
			x.vals = x.vals[:v0]
		case tokOpen:
			x.element(&c, tok, len(x.vals), 0, nesting, false)
		default:
			c.fail(errToken)
		}
	}
	if c.err != nil {
		x.fail(c.err)
	}
}

func (x *xmlWriter) body(c *cursor, v0, nesting int) {
	for x.spend(1) && c.err == nil && c.pos < c.end {
		switch tok := c.u8(); tok &^ tokMore {
		case tokEOF:
			return
		case tokFragment:
			c.take(3)
		case tokOpen:
			x.element(c, tok, v0, 0, nesting, true)
		case tokPITarget, tokPIData:
			c.skipPI(tok &^ tokMore)
		default:
			c.fail(errToken)
		}
	}
	if c.err != nil {
		x.fail(c.err)
	}
}

func (x *xmlWriter) value(i uint16, v0 int) value {
	if int(i) >= len(x.vals)-v0 {
		return value{}
	}
	return x.vals[v0+int(i)]
}

// element writes an element behind its open token. One that holds an array
// is written once an item.
func (x *xmlWriter) element(c *cursor, tok byte, v0, depth, nesting int, dep bool) {
	at, outer := *c, x.array
	omit := x.once(c, tok, v0, depth, nesting, dep)
	if x.err != nil || x.array == outer || omit {
		x.array = outer
		return
	}
	// The first pass met an array and wrote its first item.
	array := x.array
	v := x.value(uint16(array), v0)
	_, rest, _ := arrayItem(v.typ, x.d.b[v.off:v.end])
	for len(rest) > 0 && x.err == nil {
		x.item, rest, _ = arrayItem(v.typ, rest)
		again := at
		x.once(&again, tok, v0, depth, nesting, dep)
	}
	x.array = outer
}

// once writes an element one time and says whether it was left out.
func (x *xmlWriter) once(c *cursor, tok byte, v0, depth, nesting int, dep bool) bool {
	omit := false
	if depth >= MaxDepth {
		c.fail(errDepth)
	}
	tag := c.open(tok, dep)
	if c.err != nil {
		x.fail(c.err)
		return omit
	}
	if !x.spend(1 + len(tag.name)) {
		return omit
	}
	mark := len(x.dst)
	if tag.dep != noDependency && x.value(tag.dep, v0).typ == TypeNull {
		omit = true
	}
	x.dst = append(x.dst, '<')
	n0 := len(x.dst)
	x.dst = x.appendName(x.dst, tag.name)
	n1 := len(x.dst)
	if tag.attrs {
		x.attributes(c, v0)
	}
	switch c.u8() {
	case tokCloseEmpty:
		x.dst = append(x.dst, "/>"...)
	case tokCloseStart:
		x.dst = append(x.dst, '>')
		if x.content(c, v0, depth, nesting, dep) {
			x.dst = append(x.dst, "</"...)
			x.dst = append(x.dst, x.dst[n0:n1]...)
			x.dst = append(x.dst, '>')
		} else {
			omit = true
		}
	default:
		c.fail(errToken)
	}
	if c.err != nil {
		x.fail(c.err)
	}
	if omit {
		x.dst = x.dst[:mark]
	}
	return omit
}

// content writes what stands up to the end tag. It returns false if all that
// the element holds is an optional value that is null.
func (x *xmlWriter) content(c *cursor, v0, depth, nesting int, dep bool) bool {
	nulls, others := 0, 0
	for x.spend(1) && c.err == nil {
		switch tok := c.u8(); tok &^ tokMore {
		case tokEnd:
			return nulls == 0 || others > 0
		case tokOpen:
			others++
			x.element(c, tok, v0, depth+1, nesting, dep)
		case tokPITarget, tokPIData:
			c.skipPI(tok &^ tokMore)
		default:
			if null := x.part(c, tok, v0, nesting, false); null {
				nulls++
			} else {
				others++
			}
		}
	}
	return true
}

func (x *xmlWriter) attributes(c *cursor, v0 int) {
	x.seen = x.seen[:0]
	for c.peek()&^tokMore == tokAttribute && c.err == nil && x.err == nil {
		c.u8()
		mark := len(x.dst)
		x.dst = append(x.dst, ' ')
		n0 := len(x.dst)
		x.dst = x.appendName(x.dst, c.name())
		n1 := len(x.dst)
		omit := x.repeated(x.dst[n0:])
		x.dst = append(x.dst, '=', '"')
		for c.err == nil && x.spend(1) {
			tok := c.peek()
			if t := tok &^ tokMore; t == tokAttribute || t == tokCloseStart || t == tokCloseEmpty {
				break
			}
			c.u8()
			if x.part(c, tok, v0, -1, true) {
				omit = true
			}
		}
		x.dst = append(x.dst, '"')
		if omit {
			x.dst = x.dst[:mark]
		} else {
			x.seen = append(x.seen, span{uint32(n0 - x.start), uint32(n1 - x.start)})
		}
	}
}

// repeated says whether the element has the attribute already; XML allows one.
func (x *xmlWriter) repeated(name []byte) bool {
	for _, s := range x.seen {
		if bytes.Equal(x.dst[x.start+int(s.from):x.start+int(s.to)], name) {
			return true
		}
	}
	return len(x.seen) >= MaxAttributes
}

// part writes one token of character data and says whether it was an optional
// value that is null. nesting is -1 in attributes, where no fragment can be.
func (x *xmlWriter) part(c *cursor, tok byte, v0, nesting int, inAttr bool) bool {
	raw := x.raw[:0]
	switch tok &^ tokMore {
	case tokText:
		if Type(c.u8()) != TypeString {
			c.fail(errToken)
		}
		raw = appendUTF16(raw, c.text())
	case tokCDATA:
		raw = appendUTF16(raw, c.text())
	case tokCharRef:
		raw = appendCharRef(raw, c.u16())
	case tokEntityRef:
		raw = x.d.appendEntity(raw, c.name())
	case tokSubst, tokOptSubst:
		sub := c.u16()
		c.u8()
		if c.err != nil {
			return false
		}
		v := x.value(sub, v0)
		b := x.d.b[v.off:v.end]
		switch {
		case v.typ == TypeNull:
			return tok&^tokMore == tokOptSubst
		case v.typ == typeBinXML:
			if nesting >= 0 {
				array := x.array
				x.array = -1
				x.fragment(int(v.off), int(v.end), nesting+1)
				x.array = array
			}
			return false
		case v.typ&typeArray != 0 && arrayKnown(v.typ):
			switch {
			case !inAttr && x.array < 0:
				x.array = int32(sub)
				x.item, _, _ = arrayItem(v.typ, b)
				raw = appendValue(raw, v.typ&^typeArray, x.item)
			case !inAttr && x.array == int32(sub):
				raw = appendValue(raw, v.typ&^typeArray, x.item)
			default:
				raw = appendArray(raw, v.typ, b)
			}
		default:
			raw = appendValue(raw, v.typ, b)
		}
	default:
		c.fail(errToken)
	}
	x.raw = raw
	x.dst = appendEscaped(x.dst, raw)
	x.spend(len(raw))
	return false
}

// appendEscaped appends text as XML character data, fit for attributes too.
func appendEscaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '&':
				dst = append(dst, "&amp;"...)
			case c == '<':
				dst = append(dst, "&lt;"...)
			case c == '>':
				dst = append(dst, "&gt;"...)
			case c == '"':
				dst = append(dst, "&quot;"...)
			case c == '\'':
				dst = append(dst, "&apos;"...)
			case c == '\t' || c == '\n' || c == '\r':
				// As references they survive a parser's normalisation.
				dst = append(dst, '&', '#', 'x', hexUpper[c], ';')
			case c < 0x20:
				dst = append(dst, "\ufffd"...)
			default:
				dst = append(dst, c)
			}
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if r == 0xfffe || r == 0xffff {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// appendName appends a name with whatever XML would not take replaced by '_'.
// Colons are kept only between two parts, as a prefix has them.
func (x *xmlWriter) appendName(dst, utf16 []byte) []byte {
	raw := appendUTF16(x.raw[:0], utf16)
	x.raw = raw
	from := len(dst)
	colon := false
	for i, r := range string(raw) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
		case i > 0 && (r >= '0' && r <= '9' || r == '-' || r == '.'):
		case i > 0 && i < len(raw)-1 && r == ':' && !colon && strings.IndexByte(":-.0123456789", raw[i+1]) < 0:
			colon = true
		case r >= 0xc0 && r <= 0x131 && r != 0xd7 && r != 0xf7: // letters in every edition of XML 1.0
		default:
			r = '_'
		}
		dst = utf8.AppendRune(dst, r)
	}
	if len(dst) == from {
		dst = append(dst, '_')
	}
	return dst
}
