package stix

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// kind of a JSON value.
type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindArray
	kindObject
)

func (k kind) String() string {
	return [...]string{"null", "a boolean", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// node is one value of a scanned document. A container's children follow it:
// the first at its own index + 1, the others along next.
type node struct {
	kind       kind
	keyEscaped bool
	valEscaped bool
	keyStart   uint32 // the name, without quotes, when the parent is an object
	keyEnd     uint32
	start      uint32 // the value as written; strings without quotes
	end        uint32
	next       uint32 // the following sibling, 0 when there is none
	count      uint32 // children
}

// doc is a scanned document. It is valid while raw is.
type doc struct {
	raw   []byte
	nodes []node
	lim   Limits
	pos   int
	open  []uint32 // the containers around pos, for error paths
}

var docPool = sync.Pool{New: func() any { return new(doc) }}

// scan reads raw, which must hold exactly one JSON object.
// The caller gives the doc back with release.
func scan(raw []byte, lim Limits) (*doc, error) {
	if len(raw) > lim.Bytes {
		return nil, &Error{Offset: -1, limit: true, Reason: fmt.Sprintf("object has %d bytes, the limit is %d", len(raw), lim.Bytes)}
	}
	d := docPool.Get().(*doc)
	d.raw, d.nodes, d.lim, d.pos, d.open = raw, d.nodes[:0], lim, 0, d.open[:0]
	if err := d.document(); err != nil {
		d.release()
		return nil, err
	}
	return d, nil
}

func (d *doc) release() {
	const keep = 1 << 16
	if cap(d.nodes) > keep {
		d.nodes = nil
	}
	d.raw = nil
	docPool.Put(d)
}

func (d *doc) document() error {
	d.space()
	if d.pos >= len(d.raw) {
		return d.fault("there is no JSON object")
	}
	if d.raw[d.pos] != '{' {
		return d.fault("a JSON object is expected")
	}
	if err := d.value(node{}); err != nil {
		return err
	}
	d.space()
	if d.pos < len(d.raw) {
		return d.fault("there is text after the JSON object")
	}
	return nil
}

func (d *doc) space() {
	for d.pos < len(d.raw) {
		switch d.raw[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// value reads one value at pos into nodes; n brings its name.
func (d *doc) value(n node) error {
	if d.pos >= len(d.raw) {
		return d.fault("the text ends where a value is expected")
	}
	if len(d.nodes) >= d.lim.Nodes {
		return d.over("object has more than %d values", d.lim.Nodes)
	}
	at := uint32(len(d.nodes))
	n.start = uint32(d.pos)
	switch c := d.raw[d.pos]; {
	case c == '"':
		start, end, escaped, err := d.str()
		if err != nil {
			return err
		}
		n.kind, n.start, n.end, n.valEscaped = kindString, start, end, escaped
		d.nodes = append(d.nodes, n)
		return nil
	case c == '{' || c == '[':
		if len(d.open) >= d.lim.Depth {
			return d.over("values are nested deeper than %d", d.lim.Depth)
		}
		n.kind = kindObject
		if c == '[' {
			n.kind = kindArray
		}
		d.nodes = append(d.nodes, n)
		d.open = append(d.open, at)
		d.pos++
		var err error
		if c == '{' {
			err = d.members(at)
		} else {
			err = d.elements(at)
		}
		if err != nil {
			return err
		}
		d.open = d.open[:len(d.open)-1]
		d.nodes[at].end = uint32(d.pos)
		return nil
	case c == 't' && d.word("true"):
		n.kind = kindTrue
	case c == 'f' && d.word("false"):
		n.kind = kindFalse
	case c == 'n' && d.word("null"):
		n.kind = kindNull
	case c == '-' || c >= '0' && c <= '9':
		n.kind = kindNumber
		if err := d.number(); err != nil {
			return err
		}
	default:
		return d.fault("a value is expected, not %q", rune(c))
	}
	n.end = uint32(d.pos)
	d.nodes = append(d.nodes, n)
	return nil
}

func (d *doc) word(w string) bool {
	if len(d.raw)-d.pos < len(w) || string(d.raw[d.pos:d.pos+len(w)]) != w {
		return false
	}
	d.pos += len(w)
	return true
}

func (d *doc) elements(at uint32) error {
	d.space()
	if d.pos < len(d.raw) && d.raw[d.pos] == ']' {
		d.pos++
		return nil
	}
	var last uint32
	for {
		d.space()
		i := uint32(len(d.nodes))
		if err := d.value(node{}); err != nil {
			return err
		}
		if last != 0 {
			d.nodes[last].next = i
		}
		last = i
		d.nodes[at].count++
		d.space()
		if d.pos >= len(d.raw) {
			return d.fault("the text ends inside an array")
		}
		c := d.raw[d.pos]
		d.pos++
		switch c {
		case ',':
		case ']':
			return nil
		default:
			d.pos--
			return d.fault("a comma or ] is expected, not %q", rune(c))
		}
	}
}

func (d *doc) members(at uint32) error {
	d.space()
	if d.pos < len(d.raw) && d.raw[d.pos] == '}' {
		d.pos++
		return nil
	}
	var last uint32
	var bloom uint64 // bits of the names so far: most names are seen to be new without a comparison
	for {
		d.space()
		if d.pos >= len(d.raw) || d.raw[d.pos] != '"' {
			return d.fault("a property name is expected")
		}
		var n node
		var err error
		if n.keyStart, n.keyEnd, n.keyEscaped, err = d.str(); err != nil {
			return err
		}
		bit := uint64(1) << (nameHash(d.raw[n.keyStart:n.keyEnd]) & 63)
		if count := d.nodes[at].count; count < 64 && !n.keyEscaped {
			if bloom&bit != 0 && d.hasKey(at, d.raw[n.keyStart:n.keyEnd]) {
				d.pos = int(n.keyStart)
				return d.fault("the name %q stands twice", clip(string(d.raw[n.keyStart:n.keyEnd])))
			}
		}
		bloom |= bit
		d.space()
		if d.pos >= len(d.raw) || d.raw[d.pos] != ':' {
			return d.fault("a colon is expected after the name %q", clip(string(d.raw[n.keyStart:n.keyEnd])))
		}
		d.pos++
		d.space()
		i := uint32(len(d.nodes))
		if err := d.value(n); err != nil {
			return err
		}
		if last != 0 {
			d.nodes[last].next = i
		}
		last = i
		d.nodes[at].count++
		d.space()
		if d.pos >= len(d.raw) {
			return d.fault("the text ends inside an object")
		}
		c := d.raw[d.pos]
		d.pos++
		switch c {
		case ',':
		case '}':
			return d.unique(at)
		default:
			d.pos--
			return d.fault("a comma or } is expected, not %q", rune(c))
		}
	}
}

func nameHash(b []byte) uint32 {
	h := uint32(len(b)) * 31
	if len(b) > 0 {
		h += uint32(b[0])*7 + uint32(b[len(b)-1])*13 + uint32(b[len(b)/2])*17
	}
	return h ^ h>>6
}

// hasKey looks for an unescaped name among the children read so far.
func (d *doc) hasKey(at uint32, name []byte) bool {
	n := &d.nodes[at]
	for i, k := at+1, uint32(0); k < n.count; i, k = d.nodes[i].next, k+1 {
		c := &d.nodes[i]
		if !c.keyEscaped && bytes.Equal(d.raw[c.keyStart:c.keyEnd], name) {
			return true
		}
	}
	return false
}

// unique refuses duplicates in objects that members could not check on the
// way: large ones, and those with escaped names.
func (d *doc) unique(at uint32) error {
	n := d.nodes[at]
	check := n.count > 64
	for i, k := at+1, uint32(0); !check && k < n.count; i, k = d.nodes[i].next, k+1 {
		check = d.nodes[i].keyEscaped
	}
	if !check {
		return nil
	}
	seen := make(map[string]struct{}, n.count)
	for i, k := at+1, uint32(0); k < n.count; i, k = d.nodes[i].next, k+1 {
		name := d.key(i)
		if _, ok := seen[name]; ok {
			return d.fault("the name %q stands twice", clip(name))
		}
		seen[name] = struct{}{}
	}
	return nil
}

// plain marks bytes that a string may hold and that need no further look.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// plain8 reports whether all eight bytes of x are plain.
func plain8(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, slash := x^ones*'"', x^ones*'\\'
	return ((x-ones*0x20)&^x|(quote-ones)&^quote|(slash-ones)&^slash|x)&tops == 0
}

// str reads the string at pos and gives its bounds without quotes.
func (d *doc) str() (start, end uint32, escaped bool, err error) {
	raw := d.raw
	i := d.pos + 1
	from := i
	wide := false
	for {
		for i+8 <= len(raw) && plain8(binary.LittleEndian.Uint64(raw[i:])) {
			i += 8
		}
		for i < len(raw) && plain[raw[i]] {
			i++
		}
		if i >= len(raw) {
			return 0, 0, false, d.fault("the text ends inside a string")
		}
		switch c := raw[i]; {
		case c == '"':
			if i-from > d.lim.String {
				return 0, 0, false, d.over("a string is longer than %d bytes", d.lim.String)
			}
			if wide && !utf8.Valid(raw[from:i]) {
				return 0, 0, false, d.fault("a string is not valid UTF-8")
			}
			d.pos = i + 1
			return uint32(from), uint32(i), escaped, nil
		case c == '\\':
			escaped = true
			n := escapeLen(raw[i:])
			if n == 0 {
				d.pos = i
				return 0, 0, false, d.fault("a string holds an escape that is not one, or half a surrogate pair")
			}
			i += n
		case c < 0x20:
			d.pos = i
			return 0, 0, false, d.fault("a string holds the control character U+%04X unescaped", c)
		default:
			wide = true
			i++
		}
	}
}

// escapeLen is the length of the escape that s begins with, a whole surrogate
// pair counted as one; 0 when it is none.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := hex4(s[2:])
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			return 6
		}
		if len(s) < 12 || s[6] != '\\' || s[7] != 'u' {
			return 0
		}
		low, ok := hex4(s[8:])
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return 0
		}
		return 12
	}
	return 0
}

func hex4(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape appends the text of a string that was scanned.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		n := escapeLen(s[i:])
		switch {
		case n == 12:
			hi, _ := hex4(s[i+2:])
			lo, _ := hex4(s[i+8:])
			dst = utf8.AppendRune(dst, utf16.DecodeRune(hi, lo))
		case n == 6:
			r, _ := hex4(s[i+2:])
			dst = utf8.AppendRune(dst, r)
		case n == 2:
			e := s[i+1]
			switch e {
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
			}
			dst = append(dst, e)
		default: // not scanned: keep the byte
			n = 1
			dst = append(dst, c)
		}
		i += n
	}
	return dst
}

func (d *doc) number() error {
	i, raw := d.pos, d.raw
	run := func() bool {
		from := i
		for i < len(raw) && raw[i] >= '0' && raw[i] <= '9' {
			i++
		}
		return i > from
	}
	if raw[i] == '-' {
		i++
	}
	zero := i < len(raw) && raw[i] == '0'
	from := i
	if !run() || zero && i-from > 1 {
		return d.fault("a number is malformed")
	}
	if i < len(raw) && raw[i] == '.' {
		i++
		if !run() {
			return d.fault("a number is malformed")
		}
	}
	if i < len(raw) && (raw[i] == 'e' || raw[i] == 'E') {
		i++
		if i < len(raw) && (raw[i] == '+' || raw[i] == '-') {
			i++
		}
		if !run() {
			return d.fault("a number is malformed")
		}
	}
	if i-d.pos > d.lim.String {
		return d.over("a number is longer than %d bytes", d.lim.String)
	}
	d.pos = i
	return nil
}

// fault is a syntax error at pos.
func (d *doc) fault(format string, args ...any) error {
	return &Error{Path: d.openPath(), Offset: d.pos, Reason: fmt.Sprintf(format, args...)}
}

func (d *doc) over(format string, args ...any) error {
	return &Error{Path: d.openPath(), Offset: d.pos, Reason: fmt.Sprintf(format, args...), limit: true}
}

// openPath is the path of the container that pos is in.
func (d *doc) openPath() string {
	var b []byte
	for k := 1; k < len(d.open); k++ {
		b = d.step(b, d.open[k-1], d.open[k])
	}
	return clip(string(b))
}

// step appends the name or index of child within parent.
func (d *doc) step(b []byte, parent, child uint32) []byte {
	if d.nodes[parent].kind == kindObject {
		if len(b) > 0 {
			b = append(b, '.')
		}
		return append(b, d.key(child)...)
	}
	n := 0
	for i := parent + 1; i != child && i != 0; i = d.nodes[i].next {
		n++
	}
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, ']')
}

// path is the path of node i, found from the root.
func (d *doc) path(i uint32) string {
	var b []byte
	for at := uint32(0); at != i; {
		c := at + 1
		for d.nodes[c].next != 0 && d.nodes[c].next <= i {
			c = d.nodes[c].next
		}
		b = d.step(b, at, c)
		at = c
	}
	return string(b)
}

// key is the name of node i.
func (d *doc) key(i uint32) string {
	n := &d.nodes[i]
	b := d.raw[n.keyStart:n.keyEnd]
	if n.keyEscaped {
		return string(unescape(nil, b))
	}
	return string(b)
}

// keyBytes is the name of node i, for comparing.
func (d *doc) keyBytes(i uint32) []byte {
	n := &d.nodes[i]
	b := d.raw[n.keyStart:n.keyEnd]
	if n.keyEscaped {
		return unescape(nil, b)
	}
	return b
}

// text is the bytes of string node i, unescaped; of any other, as written.
func (d *doc) text(i uint32) []byte {
	n := &d.nodes[i]
	b := d.raw[n.start:n.end]
	if n.valEscaped {
		return unescape(nil, b)
	}
	return b
}

// child finds a property of object node i, 0 when there is none.
func (d *doc) child(i uint32, name string) uint32 {
	n := &d.nodes[i]
	if n.kind != kindObject || n.count == 0 {
		return 0
	}
	for c := i + 1; c != 0; c = d.nodes[c].next {
		k := &d.nodes[c]
		if k.keyEscaped {
			if d.key(c) == name {
				return c
			}
		} else if string(d.raw[k.keyStart:k.keyEnd]) == name {
			return c
		}
	}
	return 0
}

// first is the first child of container i, 0 when it is empty.
func (d *doc) first(i uint32) uint32 {
	if d.nodes[i].count == 0 {
		return 0
	}
	return i + 1
}
