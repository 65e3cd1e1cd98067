package evtx

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
	"unicode/utf16"
)

// A small writer of event log files, so that the tests bring their own data.

// el is an element; its content and attribute values are el, string (text),
// sub, cdata, charRef, entity or instructions.
type el struct {
	name    string
	attrs   []at
	content []any
	empty   bool // <name/>
}

type at struct {
	name  string
	value []any
}

type (
	sub struct { // substitution
		i   int
		opt bool
	}
	cdata   string
	charRef uint16
	entity  string
	pi      string
)

// val is a value of a template instance; fragment is one of type BinXml.
type val struct {
	t Type
	b []byte
}

type fragment struct {
	root   el
	vals   []any
	direct bool // the element itself, no template
}

func u16s(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func str(s string) val           { return val{TypeString, u16s(s)} }
func num8(n byte) val            { return val{TypeUint8, []byte{n}} }
func num16(n uint16) val         { return val{TypeUint16, binary.LittleEndian.AppendUint16(nil, n)} }
func num32(n uint32) val         { return val{TypeUint32, binary.LittleEndian.AppendUint32(nil, n)} }
func num64(n uint64) val         { return val{TypeUint64, binary.LittleEndian.AppendUint64(nil, n)} }
func hex64(n uint64) val         { return val{TypeHex64, binary.LittleEndian.AppendUint64(nil, n)} }
func ft(t time.Time) val         { return val{TypeFileTime, binary.LittleEndian.AppendUint64(nil, toFT(t))} }
func null() val                  { return val{} }
func elem(n string, c ...any) el { return el{name: n, content: c} }

func toFT(t time.Time) uint64 {
	return uint64(t.Unix()+filetimeEpoch)*1e7 + uint64(t.Nanosecond()/100)
}

// chunkWriter builds one chunk.
type chunkWriter struct {
	b         []byte
	names     map[string]int
	templates map[string]int
	last      int
	firstID   uint64
	lastID    uint64
}

func newChunk() *chunkWriter {
	return &chunkWriter{b: make([]byte, chunkHeaderSize, chunkSize), names: map[string]int{}, templates: map[string]int{}}
}

func (w *chunkWriter) u8(v byte)    { w.b = append(w.b, v) }
func (w *chunkWriter) u16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }
func (w *chunkWriter) u32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }
func (w *chunkWriter) u64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }

func (w *chunkWriter) name(s string) {
	if off, ok := w.names[s]; ok {
		w.u32(uint32(off))
		return
	}
	off := len(w.b) + 4
	w.u32(uint32(off))
	w.u32(0)
	w.u16(0)
	u := u16s(s)
	w.u16(uint16(len(u) / 2))
	w.b = append(w.b, u...)
	w.u16(0)
	w.names[s] = off
}

func (w *chunkWriter) chars(c any) {
	switch c := c.(type) {
	case string:
		w.u8(tokText)
		w.u8(byte(TypeString))
		w.u16(uint16(len(u16s(c)) / 2))
		w.b = append(w.b, u16s(c)...)
	case cdata:
		w.u8(tokCDATA)
		w.u16(uint16(len(u16s(string(c))) / 2))
		w.b = append(w.b, u16s(string(c))...)
	case charRef:
		w.u8(tokCharRef)
		w.u16(uint16(c))
	case entity:
		w.u8(tokEntityRef)
		w.name(string(c))
	case pi:
		w.u8(tokPITarget)
		w.name(string(c))
		w.u8(tokPIData)
		w.u16(1)
		w.u16('x')
	case sub:
		w.u8(tokSubst)
		if c.opt {
			w.b[len(w.b)-1] = tokOptSubst
		}
		w.u16(uint16(c.i))
		w.u8(0)
	}
}

func (w *chunkWriter) element(e el, dep bool) {
	tok := byte(tokOpen)
	if len(e.attrs) > 0 {
		tok |= tokMore
	}
	w.u8(tok)
	if dep {
		d := uint16(noDependency)
		for _, c := range e.content {
			if s, ok := c.(sub); ok && s.opt {
				d = uint16(s.i)
			}
		}
		w.u16(d)
	}
	size := len(w.b)
	w.u32(0)
	w.name(e.name)
	if len(e.attrs) > 0 {
		list := len(w.b)
		w.u32(0)
		for i, a := range e.attrs {
			tok := byte(tokAttribute)
			if i < len(e.attrs)-1 {
				tok |= tokMore
			}
			w.u8(tok)
			w.name(a.name)
			for _, c := range a.value {
				w.chars(c)
			}
		}
		binary.LittleEndian.PutUint32(w.b[list:], uint32(len(w.b)-list-4))
	}
	if e.empty {
		w.u8(tokCloseEmpty)
	} else {
		w.u8(tokCloseStart)
		for _, c := range e.content {
			if child, ok := c.(el); ok {
				w.element(child, dep)
			} else {
				w.chars(c)
			}
		}
		w.u8(tokEnd)
	}
	binary.LittleEndian.PutUint32(w.b[size:], uint32(len(w.b)-size-4))
}

// fragment writes a fragment; key tells templates of one chunk apart.
func (w *chunkWriter) fragment(f fragment, key string) {
	w.b = append(w.b, tokFragment, 1, 1, 0)
	if f.direct {
		w.element(f.root, false)
		w.u8(tokEOF)
		return
	}
	w.u8(tokTemplate)
	w.u8(1)
	id := crc32.ChecksumIEEE([]byte(key))
	w.u32(id)
	if off, ok := w.templates[key]; ok {
		w.u32(uint32(off))
	} else {
		def := len(w.b) + 4
		w.templates[key] = def
		w.u32(uint32(def))
		w.u32(0)
		w.u32(id)
		w.b = append(w.b, make([]byte, 12)...)
		w.u32(0)
		body := len(w.b)
		w.b = append(w.b, tokFragment, 1, 1, 0)
		w.element(f.root, true)
		w.u8(tokEOF)
		binary.LittleEndian.PutUint32(w.b[body-4:], uint32(len(w.b)-body))
	}
	w.u32(uint32(len(f.vals)))
	specs := len(w.b)
	w.b = append(w.b, make([]byte, 4*len(f.vals))...)
	for i, v := range f.vals {
		at := len(w.b)
		t := typeBinXML
		switch v := v.(type) {
		case val:
			t = v.t
			w.b = append(w.b, v.b...)
		case fragment:
			w.fragment(v, key+"/"+v.root.name)
		}
		binary.LittleEndian.PutUint16(w.b[specs+4*i:], uint16(len(w.b)-at))
		w.b[specs+4*i+2] = byte(t)
	}
	w.u8(tokEOF)
}

// record writes one record and reports false, having written nothing, if the
// chunk has no room.
func (w *chunkWriter) record(id uint64, t time.Time, f fragment, key string) bool {
	saved := len(w.b)
	start := saved
	w.b = append(w.b, recordMagic...)
	w.u32(0)
	w.u64(id)
	w.u64(toFT(t))
	names, templates := len(w.names), len(w.templates)
	w.fragment(f, key)
	for (len(w.b)-start+4)%8 != 0 {
		w.u8(0)
	}
	n := len(w.b) - start + 4
	w.u32(uint32(n))
	if len(w.b) > chunkSize {
		if names != len(w.names) || templates != len(w.templates) {
			panic("the record that does not fit has new names")
		}
		w.b = w.b[:saved]
		return false
	}
	binary.LittleEndian.PutUint32(w.b[start+4:], uint32(n))
	w.last = start
	if w.firstID == 0 {
		w.firstID = id
	}
	w.lastID = id
	return true
}

// bytes finishes the chunk.
func (w *chunkWriter) bytes() []byte {
	b := make([]byte, chunkSize)
	copy(b, w.b)
	copy(b, chunkMagic)
	le := binary.LittleEndian
	le.PutUint64(b[8:], w.firstID)
	le.PutUint64(b[16:], w.lastID)
	le.PutUint64(b[24:], w.firstID)
	le.PutUint64(b[32:], w.lastID)
	le.PutUint32(b[40:], 128)
	le.PutUint32(b[44:], uint32(w.last))
	le.PutUint32(b[48:], uint32(len(w.b)))
	sealChunk(b)
	return b
}

// sealChunk sets a chunk's checksums.
func sealChunk(b []byte) {
	le := binary.LittleEndian
	free := le.Uint32(b[48:])
	le.PutUint32(b[52:], crc32.ChecksumIEEE(b[chunkHeaderSize:free]))
	crc := crc32.ChecksumIEEE(b[:120])
	le.PutUint32(b[124:], crc32.Update(crc, crc32.IEEETable, b[128:chunkHeaderSize]))
}

func fileBytes(flags uint32, counted int, chunks ...[]byte) []byte {
	h := make([]byte, fileHeaderSize)
	copy(h, fileMagic)
	le := binary.LittleEndian
	le.PutUint64(h[16:], uint64(max(0, counted-1)))
	le.PutUint32(h[32:], 128)
	le.PutUint16(h[36:], 1)
	le.PutUint16(h[38:], 3)
	le.PutUint16(h[40:], fileHeaderSize)
	le.PutUint16(h[42:], uint16(counted))
	le.PutUint32(h[120:], flags)
	le.PutUint32(h[124:], crc32.ChecksumIEEE(h[:120]))
	return append(h, bytes.Join(chunks, nil)...)
}

var testTime = time.Date(2031, 5, 17, 8, 30, 12, 345678900, time.UTC)

// system is the System section as Windows' own templates have it; its values
// are 0 to 13, and the provider's fragment is 14.
func system() el {
	return elem("System",
		el{name: "Provider", attrs: []at{{"Name", []any{sub{i: 0}}}, {"Guid", []any{sub{i: 1, opt: true}}}}, empty: true},
		el{name: "EventID", attrs: []at{{"Qualifiers", []any{sub{i: 2, opt: true}}}}, content: []any{sub{i: 3}}},
		elem("Version", sub{i: 4, opt: true}),
		elem("Level", sub{i: 5}),
		elem("Keywords", sub{i: 6}),
		el{name: "TimeCreated", attrs: []at{{"SystemTime", []any{sub{i: 7}}}}, empty: true},
		elem("EventRecordID", sub{i: 8}),
		el{name: "Correlation", attrs: []at{{"ActivityID", []any{sub{i: 9, opt: true}}}}, empty: true},
		el{name: "Execution", attrs: []at{{"ProcessID", []any{sub{i: 10}}}, {"ThreadID", []any{sub{i: 11}}}}, empty: true},
		elem("Channel", sub{i: 12}),
		elem("Computer", sub{i: 13}),
		el{name: "Security", attrs: []at{{"UserID", []any{sub{i: 15, opt: true}}}}, empty: true},
	)
}

var testGUID = []byte{0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}
var testSID = []byte{1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0}

// event is an event with the given rest behind System.
func event(id uint64, eventID uint16, rest fragment) fragment {
	return fragment{
		root: el{name: "Event", attrs: []at{{"xmlns", []any{"http://schemas.example/event"}}}, content: []any{system(), sub{i: 14, opt: true}}},
		vals: []any{
			str("Halvern-Audit"), val{TypeGUID, testGUID}, null(), num16(eventID), num8(2), num8(4), hex64(1 << 63),
			ft(testTime), num64(id), null(), num32(700), num32(704), str("Security"), str("ws-01.halvern.example"), rest, val{TypeSID, testSID},
		},
	}
}

// process is the EventData of a process creation with n extra fields.
func process(cmd string) fragment {
	names := []string{"SubjectUserName", "NewProcessId", "NewProcessName", "CommandLine", "ParentProcessName", "TargetUserName", "LogonId", "MandatoryLabel"}
	vals := []any{str("a.velten"), hex64(0x1a2c), str(`C:\Windows\System32\cmd.exe`), str(cmd), str(`C:\Windows\explorer.exe`), str("-"), hex64(0x3e7), val{TypeSID, testSID}}
	root := elem("EventData")
	for i, n := range names {
		root.content = append(root.content, el{name: "Data", attrs: []at{{"Name", []any{n}}}, content: []any{sub{i: i}}})
	}
	return fragment{root: root, vals: vals}
}

// sampleLog is a file of chunks chunks with per records each.
func sampleLog(chunks, per int) []byte {
	var bs [][]byte
	id := uint64(1)
	for range chunks {
		w := newChunk()
		for range per {
			if !w.record(id, testTime.Add(time.Duration(id)*time.Second), event(id, 4688, process(`cmd.exe /c "whoami & echo `+string(rune('a'+id%26))+`ß€😀"`)), "4688") {
				break
			}
			id++
		}
		bs = append(bs, w.bytes())
	}
	return fileBytes(0, chunks, bs...)
}

// one is a file of a single record.
func one(f fragment) []byte {
	w := newChunk()
	if !w.record(7, testTime, f, "t") {
		panic("the record does not fit")
	}
	return fileBytes(0, 1, w.bytes())
}
