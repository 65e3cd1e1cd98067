package evtx

import "encoding/binary"

// Tokens of binary XML (MS-EVEN6 2.2.12). Bit 0x40 says that more follows.
const (
	tokEOF         = 0x00
	tokOpen        = 0x01
	tokCloseStart  = 0x02
	tokCloseEmpty  = 0x03
	tokEnd         = 0x04
	tokText        = 0x05
	tokAttribute   = 0x06
	tokCDATA       = 0x07
	tokCharRef     = 0x08
	tokEntityRef   = 0x09
	tokPITarget    = 0x0a
	tokPIData      = 0x0b
	tokTemplate    = 0x0c
	tokSubst       = 0x0d
	tokOptSubst    = 0x0e
	tokFragment    = 0x0f
	tokMore        = 0x40
	noDependency   = 0xffff
	templateHeader = 24 // next offset, GUID, size
)

// A cursor reads binary XML between two offsets of a chunk. Its error sticks;
// from then on it yields zeros, and zero is the end token, so that loops end.
type cursor struct {
	b        []byte // the chunk
	pos, end int
	named    int // offset of the name record read last
	err      error
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.end = c.pos
}

func (c *cursor) u8() byte {
	if c.pos >= c.end {
		c.fail(errShort)
		return 0
	}
	c.pos++
	return c.b[c.pos-1]
}

func (c *cursor) u16() uint16 {
	if c.end-c.pos < 2 {
		c.fail(errShort)
		return 0
	}
	c.pos += 2
	return binary.LittleEndian.Uint16(c.b[c.pos-2:])
}

func (c *cursor) u32() uint32 {
	if c.end-c.pos < 4 {
		c.fail(errShort)
		return 0
	}
	c.pos += 4
	return binary.LittleEndian.Uint32(c.b[c.pos-4:])
}

// take returns the next n bytes; they belong to the chunk.
func (c *cursor) take(n int) []byte {
	if n < 0 || c.end-c.pos < n {
		c.fail(errShort)
		return nil
	}
	c.pos += n
	return c.b[c.pos-n : c.pos]
}

func (c *cursor) peek() byte {
	if c.pos >= c.end {
		return 0
	}
	return c.b[c.pos]
}

// text reads a counted UTF-16 string (value text, CDATA, PI data).
func (c *cursor) text() []byte { return c.take(2 * int(c.u16())) }

// nameAt returns the UTF-16 of the name record at a chunk offset: link (4
// bytes), hash (2), length (2), text, terminator.
func nameAt(b []byte, off int) ([]byte, bool) {
	if off < 0 || off > len(b)-10 {
		return nil, false
	}
	n := int(binary.LittleEndian.Uint16(b[off+6:]))
	end := off + 8 + 2*n
	if n == 0 || n > MaxNameLength || end+2 > len(b) || b[end] != 0 || b[end+1] != 0 {
		return nil, false
	}
	return b[off+8 : end], true
}

// name reads a name's offset and, where the name record itself stands here,
// steps over it.
func (c *cursor) name() []byte {
	off := int(c.u32())
	if c.err != nil {
		return nil
	}
	n, ok := nameAt(c.b, off)
	if !ok {
		c.fail(errName)
		return nil
	}
	c.named = off
	if off == c.pos {
		c.take(len(n) + 10)
	}
	return n
}

// An element's start tag. dep is the index of the value without which the
// element is left out, or noDependency.
type startTag struct {
	dep   uint16
	name  []byte
	off   int // of the name record
	attrs bool
}

// open reads a start tag behind its token. Elements of a template carry a
// dependency, others don't (MS-EVEN6 2.2.12), and some writers break that
// rule: the reading whose name is a name wins.
func (c *cursor) open(tok byte, dep bool) startTag {
	at := c.pos + 4 // offset of the name's offset without a dependency
	if c.end-at < 4 {
		c.fail(errShort)
		return startTag{}
	}
	named := func(at int) bool {
		if c.end-at < 4 {
			return false
		}
		_, ok := nameAt(c.b, int(binary.LittleEndian.Uint32(c.b[at:])))
		return ok
	}
	if dep && !named(at+2) && named(at) || !dep && !named(at) && named(at+2) {
		dep = !dep
	}
	t := startTag{dep: noDependency, attrs: tok&tokMore != 0}
	if dep {
		t.dep = c.u16()
	}
	c.u32() // length of the element: redundant, and not to be trusted
	t.name = c.name()
	t.off = c.named
	if t.attrs {
		c.u32() // length of the attribute list, likewise
	}
	return t
}

// skipPI steps over a processing instruction, target and data.
func (c *cursor) skipPI(tok byte) {
	if tok == tokPITarget {
		c.name()
	} else {
		c.text()
	}
}

// A value is one substitution of a template instance, as chunk offsets.
type value struct {
	off, end uint32
	typ      Type
}

// A template instance: where its definition's tokens are, and its values
// appended to a stack.
type instance struct {
	def          int // chunk offset of the definition
	body, bodyTo int // its tokens
}

// instance reads a template instance behind its token and appends its values.
func (c *cursor) instance(vals []value) (instance, []value) {
	c.u8() // version
	id := c.u32()
	def := int(c.u32())
	if c.err != nil {
		return instance{}, vals
	}
	if def < chunkHeaderSize || def > len(c.b)-templateHeader {
		c.fail(errTemplate)
		return instance{}, vals
	}
	size := int(binary.LittleEndian.Uint32(c.b[def+20:]))
	if size > MaxTemplateSize {
		c.fail(errTemplateSize)
		return instance{}, vals
	}
	in := instance{def: def, body: def + templateHeader, bodyTo: def + templateHeader + size}
	if in.bodyTo > len(c.b) {
		c.fail(errTemplate)
		return instance{}, vals
	}
	// The identifier is the GUID's first part: a stale offset is noticed.
	if binary.LittleEndian.Uint32(c.b[def+4:]) != id {
		c.fail(errTemplateID)
		return instance{}, vals
	}
	if def == c.pos {
		c.take(templateHeader + size)
	}
	n := int(c.u32())
	if n > MaxSubstitutions {
		c.fail(errValues)
		return instance{}, vals
	}
	specs := c.take(4 * n)
	for ; len(specs) >= 4; specs = specs[4:] {
		size := int(binary.LittleEndian.Uint16(specs))
		off := c.pos
		if c.end-off < size {
			c.fail(errValueData)
			return instance{}, vals
		}
		c.pos += size
		vals = append(vals, value{uint32(off), uint32(c.pos), Type(specs[2])})
	}
	return in, vals
}
