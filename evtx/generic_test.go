package evtx

import (
	"fmt"
	"unicode/utf16"
)

// genericRecord parses a record into nested maps the way general readers do:
// a map an element, text and attributes as members, Data by its Name.
func genericRecord(chunk []byte, from, to int) map[string]any {
	g := generic{b: chunk}
	out := map[string]any{}
	g.fragment(from, to, out)
	return out
}

type generic struct{ b []byte }

func genericText(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = le16(b[2*i:])
	}
	for len(u) > 0 && u[len(u)-1] == 0 {
		u = u[:len(u)-1]
	}
	return string(utf16.Decode(u))
}

func (g generic) fragment(from, to int, out map[string]any) {
	c := cursor{b: g.b, pos: from, end: to}
	for c.err == nil && c.pos < c.end {
		switch tok := c.u8(); tok &^ tokMore {
		case tokEOF:
			return
		case tokFragment:
			c.take(3)
		case tokTemplate:
			in, specs := c.instance(nil)
			vals := make([]any, len(specs))
			for i, v := range specs {
				vals[i] = g.value(v)
			}
			tc := cursor{b: g.b, pos: in.body + 4, end: in.bodyTo}
			g.element(&tc, tc.u8(), vals, out, true)
		case tokOpen:
			g.element(&c, tok, nil, out, false)
		}
	}
}

func (g generic) value(v value) any {
	b := g.b[v.off:v.end]
	switch v.typ {
	case TypeNull:
		return nil
	case TypeString:
		return genericText(b)
	case TypeUint8, TypeUint16, TypeUint32, TypeUint64:
		return unsigned(b)
	case TypeHex32, TypeHex64:
		return fmt.Sprintf("0x%x", unsigned(b))
	case TypeGUID:
		return fmt.Sprintf("%08X-%04X-%04X-%X-%X", le32(b), le16(b[4:]), le16(b[6:]), b[8:10], b[10:16])
	case TypeFileTime:
		return fileTime(le64(b)).Format("2006-01-02T15:04:05.999999Z07:00")
	case TypeSID:
		return string(appendSID(nil, b))
	case typeBinXML:
		m := map[string]any{}
		g.fragment(int(v.off), int(v.end), m)
		return m
	default:
		return string(appendArray(nil, v.typ, b))
	}
}

func (g generic) element(c *cursor, tok byte, vals []any, out map[string]any, dep bool) {
	tag := c.open(tok, dep)
	name := genericText(tag.name)
	self := map[string]any{}
	for tag.attrs && c.peek()&^tokMore == tokAttribute {
		c.u8()
		n := genericText(c.name())
		self[n] = g.chars(c, vals)
	}
	var text any
	if c.u8() == tokCloseStart {
		for c.err == nil && c.peek()&^tokMore != tokEnd {
			if t := c.peek(); t&^tokMore == tokOpen {
				c.u8()
				g.element(c, t, vals, self, dep)
				continue
			}
			v := g.chars(c, vals)
			if m, ok := v.(map[string]any); ok {
				for k, e := range m {
					self[k] = e
				}
			} else {
				text = v
			}
		}
		c.u8()
	}
	if n, ok := self["Name"].(string); ok && name == "Data" {
		out[n] = text
		return
	}
	switch {
	case len(self) == 0:
		out[name] = text
	case text != nil:
		self["#text"] = text
		fallthrough
	default:
		out[name] = self
	}
	if name == "EventID" {
		out[name] = text
	}
}

func (g generic) chars(c *cursor, vals []any) any {
	switch tok := c.u8(); tok &^ tokMore {
	case tokText:
		c.u8()
		return genericText(c.text())
	case tokSubst, tokOptSubst:
		i := int(c.u16())
		c.u8()
		if i < len(vals) {
			return vals[i]
		}
	default:
		c.fail(errToken)
	}
	return nil
}
