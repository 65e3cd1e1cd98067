package evtx

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// got is a copy of a record's outcome.
type got struct {
	ID        uint64
	Fields    string // name=value lines
	Recovered bool
	Suspect   bool
}

func lines(rec *Record) string {
	var b strings.Builder
	for n, v := range rec.All() {
		fmt.Fprintf(&b, "%s=%s\n", n, v.Bytes())
	}
	return b.String()
}

// readAll reads a file to its end. It fails the test if reading does not end,
// or what is read is not JSON and XML.
func readAll(t testing.TB, data []byte, opt Options) (recs []got, damage []*Damage) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data), int64(len(data)), opt)
	if err != nil {
		t.Fatal(err)
	}
	for range len(data) + 10 {
		rec, err := r.Next()
		if err == io.EOF {
			return recs, damage
		}
		var d *Damage
		if errors.As(err, &d) {
			damage = append(damage, d)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, got{rec.ID, lines(rec), rec.Recovered, rec.Suspect})
		if j := rec.AppendJSON(nil); !json.Valid(j) {
			t.Fatalf("record %d: not JSON: %s", rec.ID, j)
		}
		checkXML(t, rec)
	}
	t.Fatal("reading does not end")
	return nil, nil
}

func checkXML(t testing.TB, rec *Record) {
	t.Helper()
	x := rec.AppendXML(nil)
	dec := xml.NewDecoder(bytes.NewReader(x))
	for {
		if _, err := dec.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("record %d: not XML: %v\n%s", rec.ID, err, x)
		}
	}
}

// only reads the one record of a file and hands it to see.
func only(t *testing.T, data []byte, see func(*Record)) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	see(rec)
	if _, err := r.Next(); err != io.EOF {
		t.Fatalf("after the record: %v, want io.EOF", err)
	}
}

const systemFields = `Provider_Name=Halvern-Audit
Provider_Guid={76543210-ba98-fedc-0123-456789abcdef}
EventID=4688
Version=2
Level=4
Keywords=0x8000000000000000
TimeCreated=2031-05-17T08:30:12.3456789Z
EventRecordID=7
Execution_ProcessID=700
Execution_ThreadID=704
Channel=Security
Computer=ws-01.halvern.example
Security_UserID=S-1-5-18
`

func TestEvent(t *testing.T) {
	only(t, one(event(7, 4688, process(`cmd /c "a<b>&'c'"`+"\r\n\x01"))), func(rec *Record) {
		want := systemFields + `SubjectUserName=a.velten
NewProcessId=0x1a2c
NewProcessName=C:\Windows\System32\cmd.exe
CommandLine=cmd /c "a<b>&'c'"` + "\r\n\x01" + `
ParentProcessName=C:\Windows\explorer.exe
TargetUserName=-
LogonId=0x3e7
MandatoryLabel=S-1-5-18
`
		if g := lines(rec); g != want {
			t.Errorf("fields:\n%s\nwant:\n%s", g, want)
		}
		if rec.ID != 7 || !rec.Time.Equal(testTime) || rec.Chunk != 0 || rec.Offset != 4096+512 || rec.Suspect || rec.Recovered {
			t.Errorf("record: %+v", *rec)
		}
		wantJSON := `{"Provider_Name":"Halvern-Audit","Provider_Guid":"{76543210-ba98-fedc-0123-456789abcdef}","EventID":4688,"Version":2,"Level":4,"Keywords":"0x8000000000000000","TimeCreated":"2031-05-17T08:30:12.3456789Z","EventRecordID":7,"Execution_ProcessID":700,"Execution_ThreadID":704,"Channel":"Security","Computer":"ws-01.halvern.example","Security_UserID":"S-1-5-18","SubjectUserName":"a.velten","NewProcessId":"0x1a2c","NewProcessName":"C:\\Windows\\System32\\cmd.exe","CommandLine":"cmd /c \"a<b>&'c'\"\r\n\u0001","ParentProcessName":"C:\\Windows\\explorer.exe","TargetUserName":"-","LogonId":"0x3e7","MandatoryLabel":"S-1-5-18"}`
		if g := string(rec.AppendJSON(nil)); g != wantJSON {
			t.Errorf("JSON:\n%s\nwant:\n%s", g, wantJSON)
		}
		wantXML := `<Event xmlns="http://schemas.example/event"><System><Provider Name="Halvern-Audit" Guid="{76543210-ba98-fedc-0123-456789abcdef}"/><EventID>4688</EventID><Version>2</Version><Level>4</Level><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime="2031-05-17T08:30:12.3456789Z"/><EventRecordID>7</EventRecordID><Correlation/><Execution ProcessID="700" ThreadID="704"/><Channel>Security</Channel><Computer>ws-01.halvern.example</Computer><Security UserID="S-1-5-18"/></System><EventData><Data Name="SubjectUserName">a.velten</Data><Data Name="NewProcessId">0x1a2c</Data><Data Name="NewProcessName">C:\Windows\System32\cmd.exe</Data><Data Name="CommandLine">cmd /c &quot;a&lt;b&gt;&amp;&apos;c&apos;&quot;&#xD;&#xA;` + "\ufffd" + `</Data><Data Name="ParentProcessName">C:\Windows\explorer.exe</Data><Data Name="TargetUserName">-</Data><Data Name="LogonId">0x3e7</Data><Data Name="MandatoryLabel">S-1-5-18</Data></EventData></Event>`
		if g := string(rec.AppendXML([]byte("kept"))); g != "kept"+wantXML {
			t.Errorf("XML:\n%s\nwant:\n%s", g, wantXML)
		}
	})
}

// TestFieldNames has a case a line: what stands behind System, the fields that
// it makes, and its XML.
func TestFieldNames(t *testing.T) {
	named := func(n string, c ...any) el { return el{name: "Data", attrs: []at{{"Name", []any{n}}}, content: c} }
	f := func(name string, rest fragment, want, wantXML string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			only(t, one(event(7, 4688, rest)), func(rec *Record) {
				if g := strings.TrimPrefix(lines(rec), systemFields); g != want {
					t.Errorf("fields:\n%q\nwant:\n%q", g, want)
				}
				x := string(rec.AppendXML(nil))
				if _, g, _ := strings.Cut(x, "</System>"); g != wantXML+"</Event>" {
					t.Errorf("XML:\n%s\nwant:\n%s", g, wantXML)
				}
				checkXML(t, rec)
			})
		})
	}
	data := func(vals []any, c ...any) fragment { return fragment{root: elem("EventData", c...), vals: vals} }

	f("literal", data(nil, named("A", "x")), "A=x\n", `<EventData><Data Name="A">x</Data></EventData>`)
	f("unnamed data repeats", data([]any{str("x"), str("y")}, elem("Data", sub{i: 0}), elem("Data", sub{i: 1})), "Data=x\nData=y\n", `<EventData><Data>x</Data><Data>y</Data></EventData>`)
	f("array repeats", data([]any{val{TypeString | typeArray, u16s("x\x00\x00z\x00")}}, elem("Data", sub{i: 0})), "Data=x\nData=\nData=z\n", `<EventData><Data>x</Data><Data></Data><Data>z</Data></EventData>`)
	f("array without end", data([]any{val{TypeString | typeArray, u16s("x\x00y")}}, named("A", sub{i: 0})), "A=x\nA=y\n", `<EventData><Data Name="A">x</Data><Data Name="A">y</Data></EventData>`)
	f("empty array", data([]any{val{TypeString | typeArray, nil}}, named("A", sub{i: 0})), "A=\n", `<EventData><Data Name="A"></Data></EventData>`)
	f("two arrays", data([]any{val{TypeUint8 | typeArray, []byte{1, 2}}, val{TypeUint8 | typeArray, []byte{3, 4}}}, named("A", sub{i: 0}, "-", sub{i: 1})), "A=1-3,4\nA=2-3,4\n", `<EventData><Data Name="A">1-3,4</Data><Data Name="A">2-3,4</Data></EventData>`)
	f("null stays empty", data([]any{null()}, named("A", sub{i: 0})), "A=\n", `<EventData><Data Name="A"></Data></EventData>`)
	f("optional null goes", data([]any{null(), str("y")}, named("A", sub{i: 0, opt: true}), named("B", sub{i: 1, opt: true})), "B=y\n", `<EventData><Data Name="B">y</Data></EventData>`)
	f("missing value is null", data(nil, named("A", sub{i: 3})), "A=\n", `<EventData><Data Name="A"></Data></EventData>`)
	f("empty element", data(nil, el{name: "Data", attrs: []at{{"Name", []any{"A"}}}, empty: true}), "A=\n", `<EventData><Data Name="A"/></EventData>`)
	f("joined", data([]any{num8(5)}, named("A", "<", sub{i: 0}, entity("gt"), cdata("]]>"), charRef('é'), entity("nbsp"))), "A=<5>]]>é&nbsp;\n", `<EventData><Data Name="A">&lt;5&gt;]]&gt;é&amp;nbsp;</Data></EventData>`)
	f("name from a value", data([]any{str("Dyn"), str("v")}, el{name: "Data", attrs: []at{{"Name", []any{"x", sub{i: 0}}}, {"Kind", []any{"k"}}}, content: []any{sub{i: 1}}}), "xDyn_Kind=k\nxDyn=v\n", `<EventData><Data Name="xDyn" Kind="k">v</Data></EventData>`)
	f("empty name", data([]any{str(""), str("v")}, el{name: "Data", attrs: []at{{"Name", []any{sub{i: 0}}}}, content: []any{sub{i: 1}}}), "Data=v\n", `<EventData><Data Name="">v</Data></EventData>`)
	f("same name as system", data(nil, named("Channel", "Forged")), "Channel=Forged\n", `<EventData><Data Name="Channel">Forged</Data></EventData>`)
	f("binary element", data([]any{val{TypeBinary, []byte{0xde, 0xad}}}, elem("Binary", sub{i: 0})), "Binary=DEAD\n", `<EventData><Binary>DEAD</Binary></EventData>`)
	f("user data", fragment{root: elem("UserData", el{name: "Cleared", attrs: []at{{"xmlns:x", []any{"urn:x"}}}, content: []any{elem("SubjectUserName", sub{i: 0}), el{name: "Cert", attrs: []at{{"fileRef", []any{"a.cer"}}}, empty: true}}}), vals: []any{str("q")}},
		"SubjectUserName=q\nCert_fileRef=a.cer\n", `<UserData><Cleared xmlns:x="urn:x"><SubjectUserName>q</SubjectUserName><Cert fileRef="a.cer"/></Cleared></UserData>`)
	f("text between elements", fragment{root: elem("UserData", elem("A", "one", elem("B", "two"), " ", elem("C"), pi("p"), "three"))},
		"A=one\nB=two\nC=\nA=three\n", `<UserData><A>one<B>two</B> <C></C>three</A></UserData>`)
	f("rendering", fragment{root: elem("RenderingInfo", elem("Message", "m"), elem("Level", "Information"), elem("Keywords", elem("Keyword", "k")))},
		"Message=m\nRenderingInfo_Level=Information\nRenderingInfo_Keyword=k\n", `<RenderingInfo><Message>m</Message><Level>Information</Level><Keywords><Keyword>k</Keyword></Keywords></RenderingInfo>`)
	f("fragment without a template", fragment{root: elem("UserData", named("A", "x"), elem("B", "y")), direct: true}, "A=x\nB=y\n", `<UserData><Data Name="A">x</Data><B>y</B></UserData>`)
	f("fragment within a fragment", data([]any{fragment{root: elem("Inner", sub{i: 0}), vals: []any{num8(9)}}}, named("A", "t", sub{i: 0})), "Inner=9\nA=t\n", `<EventData><Data Name="A">t<Inner>9</Inner></Data></EventData>`)
	f("names that XML refuses", data(nil, el{name: "a><b", attrs: []at{{`o"n`, []any{"1"}}, {"o_n", []any{"2"}}}, content: []any{"x"}}), "a><b_o\"n=1\na><b_o_n=2\na><b=x\n", `<EventData><a__b o_n="1">x</a__b></EventData>`)
}

func TestFlatJSON(t *testing.T) {
	rest := fragment{root: elem("EventData", elem("Data", "a"), el{name: "Data", attrs: []at{{"Name", []any{"Level"}}}, content: []any{sub{i: 0}}}, elem("Data", sub{i: 1}), elem("Big", sub{i: 2}), elem("Ok", sub{i: 3}), elem("Max", sub{i: 4})),
		vals: []any{val{TypeString, []byte{0x3d, 0xd8}}, null(), num64(1 << 53), val{TypeBool, []byte{1, 0, 0, 0}}, num64(1<<53 - 1)}}
	only(t, one(event(7, 1, rest)), func(rec *Record) {
		j := rec.AppendJSON(nil)
		_, tail, _ := strings.Cut(string(j), `"Security_UserID":"S-1-5-18",`)
		if want := `"Data":["a",null],"Big":"9007199254740992","Ok":true,"Max":9007199254740991}`; tail != want {
			t.Errorf("got %s, want %s", tail, want)
		}
		if want := "\"Level\":[4,\"\ufffd\"],"; !strings.Contains(string(j), want) {
			t.Errorf("no %s in %s", want, j)
		}
		if g := rec.System("Level"); string(g) != "4" {
			t.Errorf("System(Level) = %s", g)
		}
		if v, ok := rec.Get("Data"); !ok || string(v.Bytes()) != "a" || v.Section() != SectionEventData {
			t.Errorf("Get(Data) = %s, %v", v.Bytes(), ok)
		}
		if _, ok := rec.Get("data"); ok {
			t.Error("Get finds a name of other case")
		}
	})
}

func TestRefused(t *testing.T) {
	f := func(data []byte, want error) {
		t.Helper()
		_, err := NewReader(bytes.NewReader(data), int64(len(data)), Options{})
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	f(nil, ErrFormat)
	f([]byte("ElfFile"), ErrFormat)
	f([]byte("{\"EventID\":1}"), ErrFormat)
	f(make([]byte, 8192), ErrFormat)
	if _, err := NewReader(bytes.NewReader(nil), 0, Options{FirstChunk: -1}); err == nil {
		t.Error("a negative chunk is taken")
	}
	if _, err := NewReader(errReader{}, 1<<20, Options{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("reading fails with %v", err)
	}
}

type errReader struct{}

func (errReader) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestChunkRanges(t *testing.T) {
	data := sampleLog(5, 20)
	all, _ := readAll(t, data, Options{})
	var parts []got
	for _, o := range []Options{{EndChunk: 2}, {FirstChunk: 2, EndChunk: 3}, {FirstChunk: 3}} {
		p, _ := readAll(t, data, o)
		parts = append(parts, p...)
	}
	if len(all) != 100 || fmt.Sprint(all) != fmt.Sprint(parts) {
		t.Errorf("%d records at once, %d in parts", len(all), len(parts))
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	data := sampleLog(3, 1000)
	src := bytes.NewReader(data)
	r, err := NewReader(src, int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var j, x []byte
	n := 0
	pass := func() {
		n = 0
		if err := r.Reset(src, int64(len(data)), Options{}); err != nil {
			t.Fatal(err)
		}
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
			rec.Fields(func(name string, v Value) bool { return len(v.Bytes()) >= 0 })
			j, x = rec.AppendJSON(j[:0]), rec.AppendXML(x[:0])
		}
	}
	pass()
	if a := testing.AllocsPerRun(3, pass); a != 0 || n < 100 {
		t.Errorf("%v allocations for %d records", a, n)
	}
}

// TestDependencyRuleBroken: some writers put a dependency where none belongs,
// or none where one does; both are read.
func TestDependencyRuleBroken(t *testing.T) {
	root := elem("Event", elem("EventData", el{name: "Data", attrs: []at{{"Name", []any{"A"}}}, content: []any{"x"}}))
	for _, dep := range []bool{false, true} {
		w := newChunk()
		if !w.record(1, testTime, fragment{root: root, direct: true}, "") {
			t.Fatal("the record does not fit")
		}
		// The same event again, its elements written the given way.
		start := len(w.b)
		w.b = append(w.b, recordMagic...)
		w.u32(0)
		w.u64(2)
		w.u64(toFT(testTime))
		w.b = append(w.b, tokFragment, 1, 1, 0)
		w.element(root, dep)
		w.u8(tokEOF)
		n := uint32(len(w.b) - start + 4)
		w.u32(n)
		w.b[start+4], w.b[start+5] = byte(n), byte(n>>8)
		recs, damage := readAll(t, fileBytes(0, 1, w.bytes()), Options{})
		if len(damage) > 0 || len(recs) != 2 || recs[0].Fields != "A=x\n" || recs[1].Fields != "A=x\n" {
			t.Errorf("dependency %v: %v, damage %v", dep, recs, damage)
		}
	}
}
