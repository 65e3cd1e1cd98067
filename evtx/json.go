package evtx

import (
	"bytes"
	"hash/maphash"
	"strconv"
)

// maxJSONInt is the largest integer that every JSON reader keeps (RFC 7493 2.2).
const maxJSONInt = 1<<53 - 1

// groups chains the fields of one name: an open hash table over the record's
// fields, kept for the next record.
type groups struct {
	seed  maphash.Seed
	ready bool
	table []int32 // field index + 1 of a name's first field
	next  []int32 // the next field of the same name, or 0
	last  []int32 // of a first field: the last one of its chain
	first []bool
}

func (g *groups) build(fields []field) {
	if !g.ready {
		g.seed, g.ready = maphash.MakeSeed(), true
	}
	size := 16
	for size < 2*len(fields) {
		size *= 2
	}
	if cap(g.table) < size {
		g.table = make([]int32, size)
	}
	g.table = g.table[:size]
	clear(g.table)
	if cap(g.next) < len(fields) {
		g.next, g.last, g.first = make([]int32, size), make([]int32, size), make([]bool, size)
	}
	g.next, g.last, g.first = g.next[:len(fields)], g.last[:len(fields)], g.first[:len(fields)]
	for i := range fields {
		g.next[i], g.last[i], g.first[i] = 0, int32(i), false
		h := int(maphash.String(g.seed, fields[i].name)) & (size - 1)
		for {
			e := g.table[h]
			if e == 0 {
				g.table[h], g.first[i] = int32(i)+1, true
				break
			}
			if head := e - 1; fields[head].name == fields[i].name {
				g.next[g.last[head]] = int32(i)
				g.last[head] = int32(i)
				break
			}
			h = (h + 1) & (size - 1)
		}
	}
}

// AppendJSON appends the record as one flat JSON object (RFC 8259) without a
// line end. Fields keep their order; a name that comes several times is one
// member, at its first place, whose value is an array. Integers up to 2^53-1
// and booleans are JSON's own, a null value is null, all else is a string.
func (rec *Record) AppendJSON(dst []byte) []byte {
	d := rec.d
	g := &rec.groups
	g.build(d.fields)
	dst = append(dst, '{')
	comma := false
	for i := range d.fields {
		if !g.first[i] {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(appendQuoted(dst, d.fields[i].name), ':')
		if g.next[i] == 0 {
			dst = d.appendJSONValue(dst, &d.fields[i])
			continue
		}
		sep := byte('[')
		for k := int32(i); ; k = g.next[k] {
			dst = d.appendJSONValue(append(dst, sep), &d.fields[k])
			sep = ','
			if g.next[k] == 0 {
				break
			}
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func (d *decoder) appendJSONValue(dst []byte, f *field) []byte {
	b := d.text[f.from:f.to]
	switch {
	case f.typ == TypeNull:
		return append(dst, "null"...)
	case f.typ == TypeBool && len(b) > 0:
		return append(dst, b...)
	case f.typ.IsInteger() && len(b) > 0 && plainInt(b):
		return append(dst, b...)
	}
	return appendQuoted(dst, b)
}

// plainInt says whether the decimal integer is within ±(2^53-1).
func plainInt(b []byte) bool {
	digits := bytes.TrimPrefix(b, []byte{'-'})
	if len(digits) < 16 {
		return true
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return err == nil && n <= maxJSONInt
}

// appendQuoted appends valid UTF-8 as a JSON string.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexLower[c>>4], hexLower[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}
