package evtx

import (
	"bytes"
	"unicode/utf8"
)

// Section is the part of the event that a field comes from.
type Section uint8

const (
	SectionOther     Section = iota // DebugData, BinaryEventData, ProcessingErrorData …
	SectionSystem                   // written by Windows itself, not by the event's provider
	SectionEventData                // the provider's own, flat
	SectionUserData                 // the provider's own, nested
	SectionRendering                // RenderingInfo of a forwarded event
)

// context is the place of a fragment: the section, or above any.
type context uint8

const (
	inOther     = context(SectionOther)
	inSystem    = context(SectionSystem)
	inEventData = context(SectionEventData)
	inUserData  = context(SectionUserData)
	inRendering = context(SectionRendering)
	inEvent     = context(5) // within <Event>
	inDocument  = context(6)
)

// section is the section of fields that a context makes.
func section(at context) Section {
	if at < inEvent {
		return Section(at)
	}
	return SectionOther
}

// A program is binary XML compiled into the fields that it makes: a template
// once a chunk, whatever stands outside a template each time.
type program struct {
	steps []step
	parts []part
	text  []byte // literal text of parts, UTF-8
}

func (p *program) reset() {
	p.steps, p.parts, p.text = p.steps[:0], p.parts[:0], p.text[:0]
}

// A step makes one field, or guards those up to jump.
type step struct {
	name     string // complete, or what follows a dynamic name
	p0, p1   uint32 // parts of the value
	n0, n1   uint32 // parts of a name that holds values; n0 == n1: none
	jump     uint32 // guard only: the step that goes on
	dep      uint16 // guard only: the value that must not be null
	guard    bool
	optional bool    // an attribute: left out if an optional value of it is null
	blank    bool    // left out if there is nothing but white space
	at       context // context of fragments among the values
	section  Section
}

// A part is literal text, or the value of index sub.
type part struct {
	t0, t1   uint32
	sub      int32 // -1: text
	optional bool
}

// attr is an attribute while its element is being compiled.
type attr struct {
	name   string
	p0, p1 uint32
}

// A recentName is a name of this chunk that was read before.
type recentName struct {
	off  int
	name string
}

// intern returns the one string for the UTF-16 name at a chunk offset.
func (d *decoder) intern(utf16 []byte, off int) string {
	r := &d.recent[off/8%len(d.recent)]
	if r.off != off || off == 0 {
		d.scratch = appendUTF16(d.scratch[:0], utf16)
		*r = recentName{off, d.internBytes(d.scratch)}
	}
	return r.name
}

func (d *decoder) internBytes(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	if len(d.names) >= maxNames || d.nameBytes+len(b) > maxNameBytes {
		clear(d.names)
		d.nameBytes = 0
	}
	s := string(b)
	d.names[s] = s
	d.nameBytes += len(s)
	return s
}

// A joinedName remembers what two names make together.
type joinedName struct{ a, b, joined string }

// joinNames returns the one string for two names with an underscore between.
func (d *decoder) joinNames(a, b string) string {
	j := &d.joined[(7*len(a)+13*len(b))%len(d.joined)]
	if j.a != a || j.b != b {
		d.scratch = append(append(append(d.scratch[:0], a...), '_'), b...)
		*j = joinedName{a, b, d.internBytes(d.scratch)}
	}
	return j.joined
}

// compileBody compiles a template definition's tokens.
func (d *decoder) compileBody(p *program, c *cursor, at context, depth int) {
	for c.err == nil && c.pos < c.end {
		switch tok := c.u8(); tok &^ tokMore {
		case tokEOF:
			return
		case tokFragment:
			c.take(3)
		case tokOpen:
			d.compileElement(p, c, tok, at, depth, true)
		case tokPITarget, tokPIData:
			c.skipPI(tok &^ tokMore)
		default:
			c.fail(errToken)
		}
	}
}

// below is the context of an element's content.
func below(at context, el string) context {
	switch {
	case at == inDocument && el == "Event":
		return inEvent
	case at == inDocument || at == inEvent:
		switch el {
		case "System":
			return inSystem
		case "EventData":
			return inEventData
		case "UserData":
			return inUserData
		case "RenderingInfo":
			return inRendering
		}
		return inOther
	}
	return at
}

// compileElement compiles an element behind its open token.
func (d *decoder) compileElement(p *program, c *cursor, tok byte, at context, depth int, dep bool) {
	if depth >= MaxDepth {
		c.fail(errDepth)
		return
	}
	tag := c.open(tok, dep)
	if c.err != nil {
		return
	}
	guard := -1
	if tag.dep != noDependency {
		guard = len(p.steps)
		p.steps = append(p.steps, step{guard: true, dep: tag.dep})
	}
	el := d.intern(tag.name, tag.off)
	inner := below(at, el)
	container := at == inDocument || at == inEvent
	base := step{name: el, at: inner, section: section(inner), blank: container || inner == inSystem || inner == inRendering}
	if inner == inRendering && !container && el != "Message" {
		base.name = d.joinNames("RenderingInfo", el)
	}
	if tag.attrs {
		d.compileAttributes(p, c, &base, !container && inner != inSystem && (el == "Data" || el == "ComplexData"))
	}
	switch tok := c.u8(); tok {
	case tokCloseEmpty:
		if !base.blank {
			base.p0, base.p1 = uint32(len(p.parts)), uint32(len(p.parts))
			p.steps = append(p.steps, base)
		}
	case tokCloseStart:
		d.compileContent(p, c, base, depth, dep)
	default:
		c.fail(errToken)
	}
	if guard >= 0 {
		p.steps[guard].jump = uint32(len(p.steps))
	}
}

// compileContent compiles what stands between a start tag and its end tag.
func (d *decoder) compileContent(p *program, c *cursor, base step, depth int, dep bool) {
	run := len(p.parts)
	flush := func() {
		s := base
		s.p0, s.p1 = uint32(run), uint32(len(p.parts))
		if s.p0 == s.p1 && s.blank {
			return
		}
		p.steps = append(p.steps, s)
	}
	for c.err == nil {
		switch tok := c.u8(); tok &^ tokMore {
		case tokEnd:
			flush()
			return
		case tokOpen:
			base.blank = true // text between elements counts only if there is any
			flush()
			d.compileElement(p, c, tok, base.at, depth+1, dep)
			run = len(p.parts)
		case tokPITarget, tokPIData:
			c.skipPI(tok &^ tokMore)
		default:
			d.compilePart(p, c, tok)
		}
	}
}

// compileAttributes compiles an attribute list into a field each. With named,
// the attribute Name is the field's name instead.
func (d *decoder) compileAttributes(p *program, c *cursor, base *step, named bool) {
	d.attrs = d.attrs[:0]
	var nameParts attr
	for c.peek()&^tokMore == tokAttribute && c.err == nil {
		c.u8()
		name := c.name()
		if c.err != nil {
			return
		}
		a := attr{name: d.intern(name, c.named), p0: uint32(len(p.parts))}
		for c.err == nil {
			tok := c.peek()
			if t := tok &^ tokMore; t == tokAttribute || t == tokCloseStart || t == tokCloseEmpty {
				break
			}
			c.u8()
			d.compilePart(p, c, tok)
		}
		a.p1 = uint32(len(p.parts))
		switch {
		case a.name == "xmlns" || len(a.name) > 6 && a.name[:6] == "xmlns:":
			continue
		case named && a.name == "Name" && nameParts.name == "":
			nameParts = a
		default:
			if len(d.attrs) >= MaxAttributes {
				c.fail(errAttributes)
				return
			}
			d.attrs = append(d.attrs, a)
		}
	}
	if nameParts.name != "" {
		d.nameField(p, base, nameParts)
	}
	if len(d.attrs) > 0 && nameParts.name == "" {
		base.blank = true // an element that speaks through its attributes
	}
	for _, a := range d.attrs {
		s := step{name: d.attrName(base, a.name), p0: a.p0, p1: a.p1, n0: base.n0, n1: base.n1, optional: true, at: base.at, section: base.section}
		p.steps = append(p.steps, s)
	}
}

// nameField takes a field's name from an attribute: fixed where that is text
// alone, otherwise put together for each record.
func (d *decoder) nameField(p *program, base *step, a attr) {
	fixed := true
	text := d.scratch[:0]
	for _, pt := range p.parts[a.p0:a.p1] {
		fixed = fixed && pt.sub < 0
		text = append(text, p.text[pt.t0:pt.t1]...)
	}
	d.scratch = text
	switch {
	case !fixed:
		base.name, base.n0, base.n1 = "", a.p0, a.p1
	case len(text) > 0:
		base.name = d.internBytes(text)
	}
}

// attrName names the field of an attribute: element, underscore, attribute,
// as Sigma rules write Provider_Name.
func (d *decoder) attrName(base *step, name string) string {
	if base.at == inSystem && base.name == "TimeCreated" && name == "SystemTime" {
		return "TimeCreated"
	}
	return d.joinNames(base.name, name)
}

// compilePart compiles one token of character data.
func (d *decoder) compilePart(p *program, c *cursor, tok byte) {
	t0 := len(p.text)
	switch tok &^ tokMore {
	case tokText:
		if Type(c.u8()) != TypeString {
			c.fail(errToken)
			return
		}
		p.text = appendUTF16(p.text, c.text())
	case tokCDATA:
		p.text = appendUTF16(p.text, c.text())
	case tokCharRef:
		p.text = appendCharRef(p.text, c.u16())
	case tokEntityRef:
		p.text = d.appendEntity(p.text, c.name())
	case tokSubst, tokOptSubst:
		sub := c.u16()
		c.u8() // declared type; the value states its own
		p.parts = append(p.parts, part{sub: int32(sub), optional: tok&^tokMore == tokOptSubst})
		return
	default:
		c.fail(errToken)
		return
	}
	p.parts = append(p.parts, part{t0: uint32(t0), t1: uint32(len(p.text)), sub: -1})
}

func appendCharRef(dst []byte, u uint16) []byte {
	return utf8.AppendRune(dst, rune(u)) // surrogates become U+FFFD
}

// appendEntity resolves an entity of XML 1.0; any other stays as it is written.
func (d *decoder) appendEntity(dst, utf16 []byte) []byte {
	d.scratch = appendUTF16(d.scratch[:0], utf16)
	switch string(d.scratch) {
	case "lt":
		return append(dst, '<')
	case "gt":
		return append(dst, '>')
	case "amp":
		return append(dst, '&')
	case "quot":
		return append(dst, '"')
	case "apos":
		return append(dst, '\'')
	}
	dst = append(append(dst, '&'), d.scratch...)
	return append(dst, ';')
}

func blank(b []byte) bool {
	if len(b) > 0 && b[0] > ' ' && b[0] < utf8.RuneSelf {
		return false
	}
	return len(bytes.TrimSpace(b)) == 0
}
