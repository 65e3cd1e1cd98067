package evtx

import (
	"bytes"
	"encoding/binary"
)

// A decoder turns a record's binary XML into fields. Everything it grows is
// kept for the next record, so that the steady state allocates nothing.
type decoder struct {
	b         []byte // the chunk
	cached    program
	adhoc     program // what stands outside templates; a stack
	templates map[templateKey]span
	names     map[string]string
	nameBytes int
	recent    [64]recentName
	joined    [64]joinedName
	attrs     []attr
	vals      []value
	scratch   []byte
	work      int // steps and bytes spent on this chunk
	stop      int // what work must not pass during this record

	fields []field
	text   []byte // the fields' values, UTF-8
}

type templateKey struct {
	off uint32
	at  context
}

// A span is a range of steps.
type span struct{ from, to uint32 }

// A field is one name and value; the value is in decoder.text.
type field struct {
	name     string
	from, to uint32
	typ      Type
	section  Section
}

func (d *decoder) init() {
	if d.names == nil {
		d.names = make(map[string]string, 256)
		d.templates = make(map[templateKey]span, 64)
	}
}

// chunk sets the chunk that the next records come from.
func (d *decoder) chunk(b []byte) {
	d.b = b
	d.cached.reset()
	clear(d.templates)
	clear(d.recent[:])
	d.work = 0
}

// decode reads the binary XML between two offsets of the chunk. On an error
// the fields are void.
func (d *decoder) decode(from, to int) error {
	d.fields, d.text, d.vals = d.fields[:0], d.text[:0], d.vals[:0]
	d.adhoc.reset()
	d.stop = min(d.work+MaxRecordWork, MaxChunkWork)
	if err := d.fragment(from, to, inDocument, 0); err != nil {
		return err
	}
	if len(d.fields) == 0 {
		return errNothing
	}
	return nil
}

// fragment runs the binary XML of a record, or of a value of type BinXml.
func (d *decoder) fragment(from, to int, at context, nesting int) error {
	if nesting > MaxNesting {
		return errNesting
	}
	if d.work += to - from + 1; d.work > d.stop {
		return errWork
	}
	c := cursor{b: d.b, pos: from, end: to}
	for c.err == nil && c.pos < c.end {
		switch tok := c.u8(); tok &^ tokMore {
		case tokEOF:
			return nil
		case tokFragment:
			c.take(3)
		case tokPITarget, tokPIData:
			c.skipPI(tok &^ tokMore)
		case tokTemplate:
			if err := d.instance(&c, at, nesting); err != nil {
				return err
			}
		case tokOpen:
			if err := d.element(&c, tok, at, nesting); err != nil {
				return err
			}
		default:
			c.fail(errToken)
		}
	}
	return c.err
}

// instance runs a template instance, compiling its definition when the chunk
// has not used it before.
func (d *decoder) instance(c *cursor, at context, nesting int) error {
	v0 := len(d.vals)
	in, vals := c.instance(d.vals)
	d.vals = vals
	if c.err != nil {
		return c.err
	}
	key := templateKey{uint32(in.def), at}
	prog, ok := d.templates[key]
	if !ok {
		if len(d.templates) >= MaxTemplates {
			return errTemplates
		}
		if d.work += in.bodyTo - in.body; d.work > d.stop {
			return errWork
		}
		prog.from = uint32(len(d.cached.steps))
		tc := cursor{b: d.b, pos: in.body, end: in.bodyTo}
		d.compileBody(&d.cached, &tc, at, 0)
		if tc.err != nil {
			d.cached.steps = d.cached.steps[:prog.from]
			return tc.err
		}
		prog.to = uint32(len(d.cached.steps))
		d.templates[key] = prog
	}
	err := d.run(&d.cached, prog, v0, len(d.vals), nesting)
	d.vals = d.vals[:v0]
	return err
}

// element runs an element that stands outside a template.
func (d *decoder) element(c *cursor, tok byte, at context, nesting int) error {
	p := &d.adhoc
	steps, parts, text := len(p.steps), len(p.parts), len(p.text)
	start := c.pos
	d.compileElement(p, c, tok, at, 0, false)
	if c.err != nil {
		return c.err
	}
	if d.work += c.pos - start; d.work > d.stop {
		return errWork
	}
	err := d.run(p, span{uint32(steps), uint32(len(p.steps))}, len(d.vals), len(d.vals), nesting)
	p.steps, p.parts, p.text = p.steps[:steps], p.parts[:parts], p.text[:text]
	return err
}

// value returns the value of an index; one that is missing is null.
func (d *decoder) value(i int32, v0, v1 int) value {
	if int(i) >= v1-v0 {
		return value{}
	}
	return d.vals[v0+int(i)]
}

// run makes the fields of compiled steps with the values v0 to v1.
func (d *decoder) run(p *program, sp span, v0, v1, nesting int) error {
	d.work += int(sp.to - sp.from)
	for i := sp.from; i < sp.to; i++ {
		s := &p.steps[i]
		if s.guard {
			if d.value(int32(s.dep), v0, v1).typ == TypeNull {
				i = s.jump - 1
			}
			continue
		}
		// Nearly every field is one scalar.
		if s.p1-s.p0 == 1 && s.n0 == s.n1 {
			if pt := &p.parts[s.p0]; pt.sub >= 0 {
				v := d.value(pt.sub, v0, v1)
				if v.typ == TypeNull {
					if !pt.optional && !s.blank {
						d.add(s.name, s, len(d.text), TypeNull)
					}
					continue
				}
				if v.typ&typeArray == 0 && v.typ != typeBinXML {
					from := len(d.text)
					d.text = appendValue(d.text, v.typ, d.b[v.off:v.end])
					if s.blank && blank(d.text[from:]) {
						d.work += len(d.text) - from
						d.text = d.text[:from]
						continue
					}
					d.add(s.name, s, from, v.typ)
					if len(d.text) > MaxText || len(d.fields) > MaxFields || d.work > d.stop {
						return d.check()
					}
					continue
				}
			}
		}
		if err := d.general(p, *s, v0, v1, nesting); err != nil {
			return err
		}
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// check holds the record to its limits; it follows each part that is added.
func (d *decoder) check() error {
	switch {
	case len(d.fields) > MaxFields:
		return errFields
	case len(d.text) > MaxText:
		return errText
	case d.work > d.stop:
		return errWork
	}
	return nil
}

func (d *decoder) add(name string, s *step, from int, t Type) {
	to := len(d.text)
	d.work += to - from
	d.fields = append(d.fields, field{name, uint32(from), uint32(to), t, s.section})
}

// general runs a step of several parts, or with fragments or arrays.
func (d *decoder) general(p *program, s step, v0, v1, nesting int) error {
	array := int32(-1)
	given := s.p0 == s.p1 // an element with nothing in it is an empty field
	nulls := 0
	for i := s.p0; i < s.p1; i++ {
		pt := p.parts[i]
		if pt.sub < 0 {
			given = true
			continue
		}
		switch v := d.value(pt.sub, v0, v1); {
		case v.typ == typeBinXML:
			if err := d.fragment(int(v.off), int(v.end), s.at, nesting+1); err != nil {
				return err
			}
		case v.typ == TypeNull && pt.optional:
			nulls++
		case v.typ&typeArray != 0 && array < 0 && arrayKnown(v.typ):
			array, given = pt.sub, true
		default:
			given = true
		}
	}
	if !given || s.optional && nulls > 0 {
		return nil
	}
	name, err := d.dynamicName(p, &s, v0, v1)
	if err != nil {
		return err
	}
	if array < 0 {
		return d.join(p, &s, name, v0, v1, -1, nil)
	}
	// An array repeats its element (MS-EVEN6 3.1.4.7.5); an empty one leaves one.
	v := d.value(array, v0, v1)
	rest := d.b[v.off:v.end]
	if len(rest) == 0 {
		return d.join(p, &s, name, v0, v1, array, nil)
	}
	for {
		item, after, ok := arrayItem(v.typ, rest)
		if !ok {
			return nil
		}
		rest = after
		if err := d.join(p, &s, name, v0, v1, array, item); err != nil {
			return err
		}
	}
}

// arrayKnown says whether arrays of the type exist; others are read as binary.
func arrayKnown(t Type) bool {
	e := t &^ typeArray
	return e >= TypeString && e <= TypeHex64 && e != TypeBinary
}

// dynamicName puts a name together that holds values.
func (d *decoder) dynamicName(p *program, s *step, v0, v1 int) (string, error) {
	if s.n0 == s.n1 {
		return s.name, nil
	}
	from := len(d.text)
	for _, pt := range p.parts[s.n0:s.n1] {
		d.appendPart(p, pt, v0, v1)
		if err := d.check(); err != nil {
			return "", err
		}
	}
	name := d.text[from:]
	d.text = d.text[:from]
	if len(name) > 3*MaxNameLength {
		return "", errName
	}
	d.work += len(name)
	if s.name != "" { // of an attribute: its suffix
		d.scratch = append(append(d.scratch[:0], name...), s.name...)
		return d.internBytes(d.scratch), nil
	}
	if len(name) == 0 {
		return "Data", nil
	}
	return d.internBytes(name), nil
}

// join adds a field of several parts; the array sub contributes item.
func (d *decoder) join(p *program, s *step, name string, v0, v1 int, sub int32, item []byte) error {
	from := len(d.text)
	typ := TypeString
	for i := s.p0; i < s.p1; i++ {
		pt := p.parts[i]
		var t Type
		if pt.sub >= 0 && pt.sub == sub {
			t = d.value(sub, v0, v1).typ &^ typeArray
			d.text = appendValue(d.text, t, item)
		} else {
			t = d.appendPart(p, pt, v0, v1)
		}
		if s.p1-s.p0 == 1 {
			typ = t
		}
		if err := d.check(); err != nil {
			return err
		}
	}
	if s.p0 == s.p1 {
		typ = TypeNull
	}
	if s.blank && blank(d.text[from:]) {
		d.work += len(d.text) - from
		d.text = d.text[:from]
		return nil
	}
	d.add(name, s, from, typ)
	return d.check()
}

// appendPart appends one part's text; arrays are joined by commas.
func (d *decoder) appendPart(p *program, pt part, v0, v1 int) Type {
	d.work++
	if pt.sub < 0 {
		d.text = append(d.text, p.text[pt.t0:pt.t1]...)
		return TypeString
	}
	v := d.value(pt.sub, v0, v1)
	b := d.b[v.off:v.end]
	switch {
	case v.typ == typeBinXML: // made fields of its own
	case v.typ&typeArray != 0 && arrayKnown(v.typ):
		d.text = appendArray(d.text, v.typ, b)
		return TypeString
	default:
		d.text = appendValue(d.text, v.typ, b)
	}
	return v.typ
}

// appendArray appends an array's items with commas between.
func appendArray(dst []byte, t Type, b []byte) []byte {
	for i := 0; ; i++ {
		item, rest, ok := arrayItem(t, b)
		if !ok {
			return dst
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, t&^typeArray, item)
		b = rest
	}
}

func le16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if le64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	return len(bytes.TrimLeft(b, "\x00")) == 0
}
