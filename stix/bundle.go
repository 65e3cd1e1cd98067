package stix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Item is one object of a bundle, read or refused.
type Item struct {
	Index  int    // position among the objects, from 0
	Offset int64  // of the object's first byte in the stream
	Raw    []byte // the producer's bytes; nil when the object exceeds the byte limit
	Object *Object
	Notes  []Note
	Err    error // why the object was refused; Object is then nil
}

// ReadBundle reads a bundle, a TAXII envelope, an array of objects or a bare
// object from r, and calls fn for each object in order. It holds one object at
// a time. An object that is refused is handed to fn with its Err and costs
// none of the others; ReadBundle's own error means that the stream as a whole
// could not be read on, or is fn's error.
func ReadBundle(r io.Reader, opt Options, fn func(Item) error) error {
	opt.Limits = opt.Limits.orDefault()
	b := &bundleReader{src: r, opt: opt, fn: fn, buf: make([]byte, 0, 64<<10)}
	return b.read()
}

// errCut is the end of the stream where more was expected.
var errCut = errors.New("the text ends inside the bundle")

type bundleReader struct {
	src  io.Reader
	opt  Options
	fn   func(Item) error
	buf  []byte // bytes read; buf[pos:] is not consumed yet
	pos  int
	base int64 // offset of buf[0] in the stream
	eof  bool
	err  error

	index   int
	version string // the bundle's spec_version: STIX 2.0 has it there
	head    []byte // the bundle without its objects
}

// fill reads more behind buf. What stands before *keep is dropped, and *keep
// follows it; it is at most pos.
func (b *bundleReader) fill(keep *int) bool {
	if b.eof {
		return false
	}
	if *keep > 0 {
		n := copy(b.buf, b.buf[*keep:])
		b.buf, b.pos, b.base = b.buf[:n], b.pos-*keep, b.base+int64(*keep)
		*keep = 0
	}
	if len(b.buf) == cap(b.buf) {
		b.buf = append(make([]byte, 0, 2*cap(b.buf)), b.buf...)
	}
	for {
		n, err := b.src.Read(b.buf[len(b.buf):cap(b.buf)])
		b.buf = b.buf[:len(b.buf)+n]
		if err != nil {
			b.eof = true
			if err != io.EOF {
				b.err = err
			}
		}
		if n > 0 || b.eof {
			return n > 0
		}
	}
}

// peek skips space and gives the next byte, 0 at the end of the stream.
func (b *bundleReader) peek() byte {
	for {
		if b.pos = skipSpace(b.buf, b.pos); b.pos < len(b.buf) {
			return b.buf[b.pos]
		}
		keep := b.pos
		if !b.fill(&keep) {
			return 0
		}
	}
}

func (b *bundleReader) offset() int64 { return b.base + int64(b.pos) }

func (b *bundleReader) fault(format string, args ...any) error {
	if b.err != nil {
		return b.err
	}
	return fmt.Errorf("bundle at byte %d: %s", b.offset(), fmt.Sprintf(format, args...))
}

func (b *bundleReader) cut() error {
	if b.err != nil {
		return b.err
	}
	return fmt.Errorf("bundle at byte %d: %w", b.offset(), errCut)
}

func (b *bundleReader) read() error {
	if b.peek() == 0xEF { // a byte order mark
		for keep := b.pos; len(b.buf)-b.pos < 3 && b.fill(&keep); {
		}
		if bytes.HasPrefix(b.buf[b.pos:], []byte("\xEF\xBB\xBF")) {
			b.pos += 3
		}
	}
	var err error
	switch c := b.peek(); c {
	case '[':
		b.pos++
		err = b.items()
	case '{':
		err = b.object()
	case 0:
		return b.fault("there is no JSON")
	default:
		return b.fault("a bundle, an object or an array of objects is expected, not %q", rune(c))
	}
	if err != nil {
		return err
	}
	if c := b.peek(); c != 0 {
		return b.fault("there is text after the end")
	}
	return b.err
}

// object reads the outermost object: a bundle or envelope, whose objects are
// streamed, or a bare object, which is kept whole.
func (b *bundleReader) object() error {
	start, at := b.offset(), 0
	var whole []byte // all bytes so far while it may be a bare object
	keep := func() {
		whole = append(whole, b.buf[at:b.pos]...)
		at = b.pos
	}
	typ, sep := "", false
	b.head = append(b.head, '{')
	at = b.pos
	b.pos++
	streamed := false
	for first := true; ; first = false {
		c := b.peekKeep(&at)
		if c == '}' && (first || !sep) {
			b.pos++
			break
		}
		if c == 0 {
			return b.cut()
		}
		if c != '"' {
			return b.fault("a property name is expected")
		}
		name, err := b.take(&at, b.opt.Limits.Header)
		if err != nil {
			return err
		}
		key := string(unescape(nil, name[1:len(name)-1]))
		if c := b.peekKeep(&at); c != ':' {
			return b.fault("a colon is expected after the name %q", clip(key))
		}
		b.pos++
		c = b.peekKeep(&at)
		if key == "objects" && c == '[' && (typ == "" || typ == "bundle") {
			if streamed {
				return b.fault("the name \"objects\" stands twice")
			}
			streamed, whole = true, nil
			b.pos++
			if err := b.items(); err != nil {
				return err
			}
			at = b.pos
		} else {
			most := b.opt.Limits.Bytes
			if streamed || typ == "bundle" {
				most = b.opt.Limits.Header
			}
			v, err := b.take(&at, most)
			if err != nil {
				return err
			}
			if len(v) > 1 && v[0] == '"' {
				switch text := string(unescape(nil, v[1:len(v)-1])); key {
				case "type":
					typ = text
				case "spec_version":
					b.version = text
				}
			}
			if len(b.head)+len(v) <= b.opt.Limits.Header {
				if len(b.head) > 1 {
					b.head = append(b.head, ',')
				}
				b.head = append(append(append(b.head, name...), ':'), v...)
			} else if streamed {
				return b.fault("the bundle has more than %d bytes beside its objects", b.opt.Limits.Header)
			}
		}
		c = b.peekKeep(&at)
		b.pos++
		if sep = c == ','; sep {
			if !streamed {
				keep()
				if len(whole) > b.opt.Limits.Bytes {
					return b.fault("the object has more than %d bytes", b.opt.Limits.Bytes)
				}
			}
			at = b.pos
			continue
		}
		if c != '}' {
			b.pos--
			if c == 0 {
				return b.cut()
			}
			return b.fault("a comma or } is expected, not %q", rune(c))
		}
		break
	}
	if !streamed && typ != "bundle" {
		keep()
		b.version = ""
		return b.emit(start, whole)
	}
	b.head = append(b.head, '}')
	return b.checkHead(typ)
}

// checkHead looks at the bundle's own properties when its objects are through.
func (b *bundleReader) checkHead(typ string) error {
	d, err := scan(b.head, b.opt.Limits)
	if err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	defer d.release()
	if typ == "" { // a TAXII envelope
		return nil
	}
	if typ != "bundle" {
		return fmt.Errorf("bundle: type is %q, not bundle", clip(typ))
	}
	if b.opt.Mode == Strict {
		id := d.child(0, "id")
		if id == 0 {
			return errors.New("bundle: property id is required")
		}
		if reason := idFault(d.text(id)); reason != "" || ID(d.text(id)).Type() != "bundle" {
			return fmt.Errorf("bundle: id %q is not a bundle's", clip(string(d.text(id))))
		}
	}
	return nil
}

// peekKeep is peek that does not drop bytes from *at on.
func (b *bundleReader) peekKeep(at *int) byte {
	for {
		if b.pos = skipSpace(b.buf, b.pos); b.pos < len(b.buf) {
			return b.buf[b.pos]
		}
		if !b.fill(at) {
			return 0
		}
	}
}

// take consumes the value at pos and gives a copy of its bytes; *at is kept.
func (b *bundleReader) take(at *int, most int) ([]byte, error) {
	switch c := b.peekKeep(at); c {
	case 0:
		return nil, b.cut()
	case ',', ':', ']', '}':
		return nil, b.fault("a value is expected, not %q", rune(c))
	}
	f := framer{}
	ahead := b.pos - *at // of the value, which moves with *at
	for {
		n, done := f.feed(b.buf[b.pos:])
		b.pos += n
		from := *at + ahead
		if b.pos-from > most {
			return nil, b.fault("a value has more than %d bytes", most)
		}
		if done {
			return bytes.Clone(b.buf[from:b.pos]), nil
		}
		if !b.fill(at) {
			return nil, b.cut()
		}
	}
}

// items reads the elements of an array whose bracket is consumed.
func (b *bundleReader) items() error {
	if b.peek() == ']' {
		b.pos++
		return nil
	}
	for {
		switch c := b.peek(); c {
		case 0:
			return b.cut()
		case ',', ']', '}', ':':
			return b.fault("an object is expected, not %q", rune(c))
		}
		if err := b.item(); err != nil {
			return err
		}
		switch c := b.peek(); c {
		case ',':
			b.pos++
		case ']':
			b.pos++
			return nil
		case 0:
			return b.cut()
		default:
			return b.fault("a comma or ] is expected, not %q", rune(c))
		}
	}
}

// item frames one element and hands it on.
func (b *bundleReader) item() error {
	f := framer{}
	start, from, over := b.offset(), b.pos, false
	for {
		n, done := f.feed(b.buf[b.pos:])
		b.pos += n
		if b.pos-from > b.opt.Limits.Bytes { // stop keeping it, and skip to its end
			over = true
			from = b.pos
		}
		if done {
			break
		}
		if over {
			from = b.pos
		}
		if !b.fill(&from) {
			return b.cut()
		}
	}
	if over {
		err := &Error{Offset: -1, limit: true, Reason: fmt.Sprintf("object has more than %d bytes", b.opt.Limits.Bytes)}
		it := Item{Index: b.index, Offset: start, Err: err}
		b.index++
		return b.fn(it)
	}
	return b.emit(start, bytes.Clone(b.buf[from:b.pos]))
}

func (b *bundleReader) emit(start int64, raw []byte) error {
	it := Item{Index: b.index, Offset: start, Raw: raw}
	b.index++
	it.Object, it.Notes, it.Err = parse(raw, b.opt, b.version)
	return b.fn(it)
}

// framer finds the end of a JSON value without judging it: brackets are
// counted, strings are skipped.
type framer struct {
	depth    int
	inString bool
	escape   bool
	scalar   bool
	begun    bool
}

// feed consumes from the value and says whether it ends there.
func (f *framer) feed(p []byte) (n int, done bool) {
	i := 0
	if !f.begun && len(p) > 0 {
		f.begun = true
		f.scalar = p[0] != '{' && p[0] != '[' && p[0] != '"'
	}
	if f.scalar {
		for ; i < len(p); i++ {
			switch p[i] {
			case ',', ']', '}', ' ', '\t', '\r', '\n':
				return i, true
			}
		}
		return i, false
	}
	for i < len(p) {
		if f.escape {
			f.escape = false
			i++
			continue
		}
		if f.inString {
			for i < len(p) && inside[p[i]] {
				i++
			}
			if i == len(p) {
				break
			}
			if p[i] == '\\' {
				f.escape = true
			} else {
				f.inString = false
				if f.depth == 0 {
					return i + 1, true
				}
			}
			i++
			continue
		}
		switch p[i] {
		case '"':
			f.inString = true
		case '{', '[':
			f.depth++
		case '}', ']':
			if f.depth--; f.depth <= 0 {
				return i + 1, true
			}
		}
		i++
	}
	return i, false
}

// inside marks the bytes that neither end a string nor escape.
var inside = func() (t [256]bool) {
	for c := range t {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()
