package evtx

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestLimits: an event beyond a limit is refused by name and the next one is
// read.
func TestLimits(t *testing.T) {
	deep := func(n int) el {
		e := elem("X", "x")
		for range n - 1 {
			e = elem("X", e)
		}
		return e
	}
	nested := func(n int) fragment {
		f := fragment{root: elem("X", "x"), direct: true}
		for range n {
			f = fragment{root: elem("X", sub{i: 0}), vals: []any{f}}
		}
		return f
	}
	repeat := func(n int, c any) (out []any) {
		for range n {
			out = append(out, c)
		}
		return out
	}
	manyAttrs := func(n int) el {
		e := el{name: "Data", empty: true}
		for i := range n {
			e.attrs = append(e.attrs, at{"a" + strings.Repeat("b", i), []any{""}})
		}
		return e
	}
	f := func(name string, rest fragment, want error) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			w := newChunk()
			if !w.record(1, testTime, event(1, 1, rest), "limit") || !w.record(2, testTime, event(2, 1, fragment{root: elem("EventData", elem("Data", "after"))}), "after") {
				t.Fatal("the records do not fit")
			}
			recs, damage := readAll(t, fileBytes(0, 1, w.bytes()), Options{})
			if want == nil {
				if len(recs) != 2 || len(damage) != 0 {
					t.Errorf("%d records, damage %v", len(recs), damage)
				}
				return
			}
			if len(recs) != 1 || recs[0].ID != 2 || len(damage) != 1 || !errors.Is(damage[0], want) || damage[0].Record != 1 {
				t.Errorf("%d records, damage %v, want %v", len(recs), damage, want)
			}
		})
	}
	data := func(vals []any, c ...any) fragment { return fragment{root: elem("EventData", c...), vals: vals} }
	big := str(strings.Repeat("x", 12000))

	f("deep", data(nil, deep(MaxDepth-1)), nil)
	f("too deep", data(nil, deep(MaxDepth)), errDepth)
	f("nested", nested(MaxNesting-1), nil)
	f("too nested", nested(MaxNesting), errNesting)
	f("attributes", data(nil, manyAttrs(MaxAttributes)), nil)
	f("too many attributes", data(nil, manyAttrs(MaxAttributes+1)), errAttributes)
	f("values", data(repeat(MaxSubstitutions, null()), elem("Data", "x")), nil)
	f("too many values", data(repeat(MaxSubstitutions+1, null()), elem("Data", "x")), errValues)
	f("template", data(nil, elem("Data", repeat(20, strings.Repeat("x", 1000))...)), nil)
	f("too large a template", data(nil, elem("Data", repeat(25, strings.Repeat("x", 1000))...)), errTemplateSize)
	f("a value many times", data([]any{big}, repeat(600, elem("Data", sub{i: 0}))...), errText)
	f("an array's element many times", data([]any{val{TypeUint8 | typeArray, make([]byte, 8000)}}, elem("Data", sub{i: 0}, strings.Repeat("x", 8000))), errText)
	f("fields by an array", data([]any{val{TypeUint8 | typeArray, make([]byte, MaxFields+1)}}, elem("Data", sub{i: 0})), errFields)

	// Fragments that multiply: each level names the one below it 500 times.
	bomb := fragment{root: elem("X", "x"), direct: true}
	for range 5 {
		bomb = fragment{root: elem("X", repeat(500, sub{i: 0})...), vals: []any{bomb}}
	}
	f("fragments that multiply", bomb, errFields)
	hollow := fragment{root: elem("X"), vals: []any{}}
	hollow.root.content = append(hollow.root.content, sub{i: 0, opt: true})
	for range 5 {
		hollow = fragment{root: elem("X", repeat(500, sub{i: 0})...), vals: []any{hollow}}
	}
	f("fragments that multiply nothing", hollow, errWork)
}

// TestXMLLimit: XML may be refused where fields are not; the answer is still
// XML that says so.
func TestXMLLimit(t *testing.T) {
	rest := fragment{root: elem("EventData", el{name: "Data", attrs: []at{{"xmlns", []any{strings.Repeat("x", 9000)}}}, content: []any{sub{i: 0}}}),
		vals: []any{val{TypeUint8 | typeArray, make([]byte, 4000)}}}
	only(t, one(event(7, 1, rest)), func(rec *Record) {
		x := rec.AppendXML(nil)
		if !strings.HasPrefix(string(x), "<Event><!-- ") || len(x) > 200 {
			t.Errorf("%.300s", x)
		}
		checkXML(t, rec)
		if rec.Len() < 4000 {
			t.Errorf("%d fields", rec.Len())
		}
	})
}

// TestTemplatesPerChunk: definitions are compiled once, whatever uses them.
func TestTemplatesPerChunk(t *testing.T) {
	data := sampleLog(1, 30)
	r, err := NewReader(bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 30 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.dec.templates); n != 2 {
		t.Errorf("%d templates compiled, want 2", n)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Error(err)
	}
}

// TestNamesAreBounded: a file that invents names does not fill the memory.
func TestNamesAreBounded(t *testing.T) {
	var d decoder
	d.init()
	for i := range 3 * maxNames {
		d.internBytes([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	if len(d.names) > maxNames {
		t.Errorf("%d names", len(d.names))
	}
	long := bytes.Repeat([]byte("n"), maxNameBytes/4)
	for i := range 20 {
		long[0] = byte(i)
		d.internBytes(long)
	}
	if d.nameBytes > maxNameBytes {
		t.Errorf("%d bytes of names", d.nameBytes)
	}
}
