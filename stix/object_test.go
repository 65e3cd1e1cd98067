package stix

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

const (
	uuid1 = "11111111-1111-4111-8111-111111111111"
	uuid2 = "22222222-2222-4222-8222-222222222222"
)

func TestID(t *testing.T) {
	f := func(s, fault string) {
		t.Helper()
		id, err := ParseID(s)
		if fault == "" {
			if err != nil || string(id) != s || id.Type()+"--"+id.UUID() != s {
				t.Errorf("%q: %q %v", s, id, err)
			}
			return
		}
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%q: got %v, want %q", s, err, fault)
		}
	}
	f("indicator--"+uuid1, "")
	f("x-mitre-tactic--"+uuid1, "")
	f("indicator--AAAAAAAA-1111-4111-8111-111111111111", "")
	f("", "is empty")
	f("indicator", "form type--uuid")
	f("--"+uuid1, "form type--uuid")
	f("indicator-"+uuid1, "form type--uuid")
	f("in--"+uuid1, "3 to 250")
	f(strings.Repeat("a", 251)+"--"+uuid1, "3 to 250")
	f("Indicator--"+uuid1, "other than a-z")
	f("indi--cator--"+uuid1, "other than a-z")
	f("-indicator--"+uuid1, "other than a-z")
	f("indicator--11111111-1111-4111-8111-11111111111g", "not hexadecimal")
	f("indicator--11111111+1111-4111-8111-111111111111", "8-4-4-4-12")
	if id := NewID("note"); !id.RFCUUID() || id.Type() != "note" || id == NewID("note") {
		t.Errorf("NewID gives %q", id)
	}
	if ID("note--11111111-1111-0111-8111-111111111111").RFCUUID() || ID("note--11111111-1111-4111-c111-111111111111").RFCUUID() {
		t.Error("RFCUUID accepts a version 0 or a foreign variant")
	}
}

func TestTimestamp(t *testing.T) {
	f := func(s string, want time.Time, fault string) {
		t.Helper()
		ts, err := ParseTimestamp(s)
		if fault != "" {
			if err == nil || !strings.Contains(err.Error(), fault) {
				t.Errorf("%q: got %v, want %q", s, err, fault)
			}
			return
		}
		if err != nil || ts.String() != s || !ts.Time().Equal(want) || ts.UnixNano() != want.UnixNano() && want.Year() > 1700 && want.Year() < 2200 {
			t.Errorf("%q: %q %v %v", s, ts, ts.Time(), err)
		}
	}
	f("2030-01-02T03:04:05Z", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), "")
	f("2030-01-02T03:04:05.0Z", time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), "")
	f("2030-01-02T03:04:05.120Z", time.Date(2030, 1, 2, 3, 4, 5, 120e6, time.UTC), "")
	f("2030-01-02T03:04:05.123456789Z", time.Date(2030, 1, 2, 3, 4, 5, 123456789, time.UTC), "")
	f("2030-01-02T03:04:05.1234567891Z", time.Date(2030, 1, 2, 3, 4, 5, 123456789, time.UTC), "")
	f("2016-12-31T23:59:60Z", time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC), "")
	f("2000-02-29T00:00:00Z", time.Date(2000, 2, 29, 0, 0, 0, 0, time.UTC), "")
	f("1969-12-31T23:59:59.999Z", time.Date(1969, 12, 31, 23, 59, 59, 999e6, time.UTC), "")
	f("0001-01-01T00:00:00Z", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), "")
	f("9999-12-31T23:59:59Z", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), "")
	f("2030-01-02T03:04:05", time.Time{}, "not of the form")
	f("2030-01-02T03:04:05+00:00", time.Time{}, "does not end in Z")
	f("2030-01-02t03:04:05Z", time.Time{}, "not of the form")
	f("2030-01-02 03:04:05Z", time.Time{}, "not of the form")
	f("2030-13-02T03:04:05Z", time.Time{}, "month")
	f("2030-02-29T03:04:05Z", time.Time{}, "day")
	f("1900-02-29T03:04:05Z", time.Time{}, "day")
	f("2030-04-31T03:04:05Z", time.Time{}, "day")
	f("2030-01-02T24:04:05Z", time.Time{}, "hour")
	f("2030-01-02T03:60:05Z", time.Time{}, "minute")
	f("2030-01-02T03:04:61Z", time.Time{}, "second")
	f("2030-01-02T03:04:05.Z", time.Time{}, "not of the form")
	f("2030-01-02T03:04:05.1x3Z", time.Time{}, "not of the form")
	f("2030-01-02T03:04:05."+strings.Repeat("1", 65)+"Z", time.Time{}, "fractional digits")
	f("", time.Time{}, "not of the form")
	for day := range 1200 * 366 { // every day of 1200 years against the standard library
		want := time.Date(1601, 1, 1+day, 0, 0, 0, 0, time.UTC)
		if got := daysSince1970(want.Year(), int(want.Month()), want.Day()) * 86400; got != want.Unix() {
			t.Fatalf("%v: %d", want, got)
		}
	}
	n := NewTimestamp(time.Date(2030, 1, 2, 3, 4, 5, 999999999, time.FixedZone("", 3600)))
	if n.String() != "2030-01-02T02:04:05.999Z" {
		t.Errorf("NewTimestamp gives %s", n)
	}
	var zero Timestamp
	if !zero.IsZero() || zero.String() != "" || !zero.Time().IsZero() {
		t.Error("the zero Timestamp is not absent")
	}
}

func TestHeader(t *testing.T) {
	raw := `{ "type":"indicator", "spec_version":"2.1", "id":"indicator--` + uuid1 + `", "created":"2030-01-01T00:00:00.000Z",
	 "modified":"2030-01-02T00:00:00.1234Z", "created_by_ref":"identity--` + uuid2 + `", "name":"Loom \u0062eacon \ud83d\ude42",
	 "pattern":"[ipv4-addr:value = '192.0.2.1']", "pattern_type":"stix", "valid_from":"2030-01-01T00:00:00Z", "confidence":85,
	 "labels":["a","b"], "lang":"en", "revoked":true, "object_marking_refs":["` + string(TLP2Green) + `"],
	 "granular_markings":[{"marking_ref":"` + string(TLP2Red) + `","selectors":["name","labels.[1]"]}],
	 "external_references":[{"source_name":"atlas","external_id":"A-1","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e"}}],
	 "x_quay_ref":"report--` + uuid1 + `","x_big":9007199254740993, "x_nest":{"list":[{"deep_refs":["note--` + uuid1 + `","note--` + uuid2 + `"]}]} }`
	o, notes, err := Parse([]byte(raw), Options{})
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	if o.ID != "indicator--"+uuid1 || o.Type != "indicator" || o.SpecVersion != "2.1" || o.Modified.String() != "2030-01-02T00:00:00.1234Z" ||
		o.CreatedByRef != "identity--"+uuid2 || o.Name != "Loom beacon 🙂" || o.Confidence != 85 || len(o.Labels) != 2 || o.Lang != "en" || !o.Revoked ||
		len(o.MarkingRefs) != 1 || o.MarkingRefs[0] != TLP2Green || len(o.Granular) != 1 || o.Granular[0].Selectors[1] != "labels.[1]" ||
		o.ExternalReferences[0].Hashes["MD5"] == "" || string(o.Raw) != raw {
		t.Errorf("%+v", o)
	}
	want := []Ref{{"created_by_ref", "identity--" + uuid2}, {"x_quay_ref", "report--" + uuid1},
		{"x_nest.list[0].deep_refs", "note--" + uuid1}, {"x_nest.list[0].deep_refs", "note--" + uuid2}}
	if fmt.Sprint(o.Refs()) != fmt.Sprint(want) {
		t.Errorf("refs: %v", o.Refs())
	}
	if s, ok := o.String("external_references[0].external_id"); !ok || s != "A-1" {
		t.Errorf("String: %q %v", s, ok)
	}
	if s, ok := o.String("external_references.[0].hashes.'MD5'"); !ok || s == "" {
		t.Errorf("String: %q %v", s, ok)
	}
	if s, ok := o.String("name"); !ok || s != "Loom beacon 🙂" {
		t.Errorf("String: %q %v", s, ok)
	}
	if _, ok := o.String("confidence"); ok {
		t.Error("String of a number")
	}
	for _, path := range []string{"", ".", "a.", ".a", "a[", "a[x]", "labels[2]", "labels.a", "name[0]", "missing", "'name", "a[-1]"} {
		if v, ok := o.Lookup(path); ok {
			t.Errorf("Lookup(%q) = %s", path, v)
		}
	}
	if s := o.Strings("labels"); fmt.Sprint(s) != "[a b]" {
		t.Errorf("Strings: %v", s)
	}
	tree, err := o.Tree()
	if err != nil || fmt.Sprint(tree.(map[string]any)["x_big"]) != "9007199254740993" {
		t.Errorf("Tree: %v %v", tree, err)
	}
}

// JSON that is refused in both modes.
func TestJSON(t *testing.T) {
	f := func(raw, fault string) {
		t.Helper()
		for _, mode := range []Mode{Strict, Lenient} {
			_, _, err := Parse([]byte(raw), Options{Mode: mode})
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), fault) {
				t.Errorf("%.80s: got %v, want %q", raw, err, fault)
			}
		}
	}
	head := `{"type":"note","id":"note--` + uuid1 + `",`
	f("", "no JSON object")
	f("[]", "a JSON object is expected")
	f(`"x"`, "a JSON object is expected")
	f(`{}x`, "text after the JSON object")
	f(`{`, "a property name is expected")
	f(`{"a"}`, "a colon is expected")
	f(`{"a":}`, "a value is expected")
	f(`{"a":1,}`, "a property name is expected")
	f(`{"a":[1,]}`, "a value is expected")
	f(`{"a":[1 2]}`, "a comma or ]")
	f(`{"a":1 "b":2}`, "a comma or }")
	f(`{"a":01}`, "a number is malformed")
	f(`{"a":1.}`, "a number is malformed")
	f(`{"a":1e}`, "a number is malformed")
	f(`{"a":-}`, "a number is malformed")
	f(`{"a":+1}`, "a value is expected")
	f(`{"a":nul}`, "a value is expected")
	f(`{"a":"x`, "inside a string")
	f("{\"a\":\"x\ny\"}", "U+000A")
	f("{\"a\":\"\xff\"}", "at byte 5: a string is not valid UTF-8")
	f("{\"\xc0\x80\":1}", "not valid UTF-8")
	f("{\"a\":\"\xed\xa0\x80\"}", "not valid UTF-8")
	f(`{"a":"\x"}`, "an escape that is not one")
	f(`{"a":"\ud800"}`, "half a surrogate pair")
	f(`{"a":"\udc00\ud800"}`, "half a surrogate pair")
	f(`{"a":"\u12g4"}`, "an escape that is not one")
	f(`{"a":1,"b":2,"a":3}`, `the name "a" stands twice`)
	f(`{"a":1,"\u0061":2}`, `the name "a" stands twice`)
	f(`{"x":{"y":[{"a":1,"a":2}]}}`, `x.y[0] at byte 19: the name "a" stands twice`)
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"k%d":1,`, i)
	}
	f("{"+many.String()+`"k50":2}`, `"k50" stands twice`)
	f(`{"id":"note--`+uuid1+`"}`, "property type is required")
	f(`{"type":"note"}`, "property id is required")
	f(`{"type":5}`, "must be a string, not a number")
	f(`{"type":"No te","id":"note--`+uuid1+`"}`, "other than a-z")
	f(`{"type":"note","id":"note--1"}`, "form type--uuid")
	f(`{"type":"note","id":"report--`+uuid1+`"}`, "names the type report, but the object's type is note")
	f(`{"type":"bundle","id":"bundle--`+uuid1+`"}`, "is a bundle")
	f(head+`"object_marking_refs":["tlp:red"]}`, "object_marking_refs[0]")
	f(head+`"object_marking_refs":"`+string(TLP2Red)+`"}`, "must be an array")
	f(head+`"granular_markings":[5]}`, "must be an object")
	f(head+`"granular_markings":[{"marking_ref":5}]}`, "must be an identifier")
	f(`{"a":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`, "nested deeper than 64")
	f(head+`"a":"`+strings.Repeat("x", 13<<20)+`"}`, "longer than")
	f(head+`"x_refs":[`+strings.Repeat(`"note--`+uuid1+`",`, 100_001)+`"note--`+uuid1+`"]}`, "more than 100000 references")
	f(`{"a":[`+strings.Repeat(`1,`, 600_000)+`1]}`, "more than 500000 values")
	f(`{"a":"`+strings.Repeat("x", 17<<20)+`"}`, "the limit is 16777216")
	f(head+`"x":[`+strings.Repeat(`{"a_ref":"note--`+uuid1+`"},`, 100_001)+`{}]}`, "more than 100000 references")
	f(strings.TrimSuffix(with("tool", `"name":"n"`), "}")+`,"labels":["a"`+strings.Repeat(`,"a"`, 50_000)+`],"granular_markings":[{"marking_ref":"`+string(TLP2Red)+`","selectors":["name"`+
		strings.Repeat(`,"labels.[49999]"`, 50_000)+`]}]}`, "too many steps")
	_, _, err := Parse([]byte(`{"a":[`+strings.Repeat(`1,`, 600_000)+`1]}`), Options{})
	if !errors.Is(err, ErrLimit) {
		t.Errorf("a limit is not ErrLimit: %v", err)
	}
}

func TestBundle(t *testing.T) {
	note := func(n int) string {
		return fmt.Sprintf(`{"type":"note","spec_version":"2.1","id":"note--%08d-1111-4111-8111-111111111111","created":"2030-01-01T00:00:00.000Z",`+
			`"modified":"2030-01-01T00:00:00.000Z","content":"}]\"[{ %d","object_refs":["report--%s"]}`, n, n, uuid1)
	}
	f := func(text string, want string, fault string) {
		t.Helper()
		for _, r := range []func() *slowReader{
			func() *slowReader { return &slowReader{text, 1} },
			func() *slowReader { return &slowReader{text, 7} },
			func() *slowReader { return &slowReader{text, 1 << 20} },
		} {
			var got []string
			err := ReadBundle(r(), Options{}, func(it Item) error {
				if it.Index != len(got) {
					t.Errorf("index %d, want %d", it.Index, len(got))
				}
				if it.Err != nil {
					got = append(got, "!")
					return nil
				}
				if text[it.Offset:int(it.Offset)+len(it.Raw)] != string(it.Raw) {
					t.Errorf("offset %d is not the object's", it.Offset)
				}
				got = append(got, it.Object.Type+it.Object.SpecVersion)
				return nil
			})
			if s := strings.Join(got, " "); s != want {
				t.Errorf("%.60s: got %s, want %s", text, s, want)
			}
			if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
				t.Errorf("%.60s: got %v, want %q", text, err, fault)
			}
		}
	}
	id := `"id":"bundle--` + uuid1 + `"`
	f(`{"type":"bundle",`+id+`,"objects":[`+note(1)+`, `+note(2)+"\n]}\n", "note2.1 note2.1", "")
	f("\xef\xbb\xbf"+`{"type":"bundle",`+id+`,"objects":[`+note(1)+`]}`, "note2.1", "")
	f(`{"objects":[`+note(1)+`],"type":"bundle",`+id+`}`, "note2.1", "")
	f(`{"objects":[`+note(1)+`],"more":true,"next":"x"}`, "note2.1", "")
	f(`{"more":false}`, "!", "")
	f(`{"type":"bundle",`+id+`}`, "", "")
	f(`{"type":"bundle",`+id+`,"objects":[]}`, "", "")
	f(`[`+note(1)+`,`+note(2)+`]`, "note2.1 note2.1", "")
	f(`[]`, "", "")
	f(note(1), "note2.1", "")
	f(" "+note(1)+" ", "note2.1", "")
	// one bad object costs none of the others
	f(`[`+note(1)+`,{"type":"note"},5,"x",[1,[2]],null,{"a":1,"a":2},`+note(2)+`]`, "note2.1 ! ! ! ! ! ! note2.1", "")
	f(`[{"bad": tru},`+note(2)+`]`, "! note2.1", "")
	f("[{\"bad\":\"\xff\"},"+note(2)+`]`, "! note2.1", "")
	// what breaks the stream
	f(``, "", "no JSON")
	f(`x`, "", "is expected, not 'x'")
	f(`[`+note(1), "note2.1", "ends inside")
	f(`[`+note(1)+`,{"a":"`, "note2.1", "ends inside")
	f(`[`+note(1)+` `+note(2)+`]`, "note2.1", "a comma or ]")
	f(`[`+note(1)+`,]`, "note2.1", "an object is expected")
	f(`[`+note(1)+`]]`, "note2.1", "text after the end")
	f(`{"type":"bundle",`+id+`,"objects":[`+note(1)+`],"objects":[`+note(2)+`]}`, "note2.1", "stands twice")
	f(`{"type":"bundle",`+id+`,"objects":[`+note(1)+`],"id":"x"}`, "note2.1", "stands twice")
	f(`{"type":"bundle","objects":[`+note(1)+`]}`, "note2.1", "property id is required")
	f(`{"type":"bundle","id":"note--`+uuid1+`","objects":[`+note(1)+`]}`, "note2.1", "not a bundle's")
	f(`{"type":"bundle",`+id+`,"objects":[`+note(1)+`],}`, "note2.1", "a property name is expected")
	f(`{"objects":[`+note(1)+`],"type":"report"}`, "note2.1", "not bundle")
	f(`{"type":"bundle",`+id+`,"objects":[`+note(1)+`],"x":"`+strings.Repeat("x", 2<<20)+`"}`, "note2.1", "more than 1048576 bytes")
	// STIX 2.0 has spec_version on the bundle
	old := `{"type":"tool","id":"tool--` + uuid1 + `","created":"2017-01-01T00:00:00.000Z","modified":"2017-01-01T00:00:00.000Z","name":"x","labels":["remote-access"]}`
	f(`{"type":"bundle",`+id+`,"spec_version":"2.0","objects":[`+old+`]}`, "tool2.0", "")

	// an object beyond the limit is skipped, not kept
	big := `{"type":"note","x":"` + strings.Repeat("x", 5000) + `"}`
	var got []string
	err := ReadBundle(&slowReader{`[` + note(1) + `,` + big + `,` + note(2) + `]`, 100}, Options{Limits: Limits{Bytes: 1000}}, func(it Item) error {
		got = append(got, fmt.Sprint(errors.Is(it.Err, ErrLimit)))
		return nil
	})
	if err != nil || strings.Join(got, " ") != "false true false" {
		t.Errorf("over the limit: %v %v", got, err)
	}
	// fn's error ends the reading
	stop := errors.New("stop")
	if err := ReadBundle(strings.NewReader(`[`+note(1)+`,`+note(2)+`]`), Options{}, func(Item) error { return stop }); err != stop {
		t.Errorf("fn's error: %v", err)
	}
}

// slowReader gives n bytes at a time.
type slowReader struct {
	text string
	n    int
}

func (r *slowReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(r.n, len(p))], r.text)
	r.text = r.text[n:]
	return n, nil
}

func TestBundleWriter(t *testing.T) {
	var buf bytes.Buffer
	w := NewBundleWriter(&buf, "bundle--"+uuid1)
	if err := w.Close(); err != nil || buf.String() != `{"type":"bundle","id":"bundle--`+uuid1+`"}`+"\n" {
		t.Errorf("empty bundle: %s %v", buf.String(), err)
	}
	if w.Write(nil) != ErrClosed {
		t.Error("a closed bundle takes objects")
	}
	raw := []byte(`{"type" : "note"}`)
	buf.Reset()
	if err := WriteBundle(&buf, &Object{Raw: raw}, &Object{Raw: raw}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(buf.String(), `"objects":[{"type" : "note"},{"type" : "note"}]}`+"\n") {
		t.Errorf("bundle: %s", buf.String())
	}
}

func TestName(t *testing.T) {
	f := func(typ, props, want string) {
		t.Helper()
		o, _, err := Parse([]byte(with(typ, props)), Options{Mode: Lenient})
		if err != nil || o.Name != want {
			t.Errorf("%s %s: %q %v", typ, props, o.Name, err)
		}
	}
	f("tool", `"name":"Paper Sluice","value":"v"`, "Paper Sluice")
	f("url", `"value":"https://quaymar.example/"`, "https://quaymar.example/")
	f("relationship", `"relationship_type":"uses"`, "uses")
	f("note", `"content":"c","abstract":"a"`, "a")
	f("note", `"content":"c"`, "c")
	f("autonomous-system", `"number":64496`, "64496")
	f("indicator", `"pattern":"[a:b = 1]"`, "[a:b = 1]")
	f("x-halvern-box", `"value":"v","name":"n"`, "n")
	f("tool", `"description":"d"`, "")
}

// The eight-byte step over a string stops exactly where the byte step does.
func TestPlain8(t *testing.T) {
	for c := range 256 {
		for at := range 8 {
			for _, other := range []byte{'a', ' ', 0x7f, '!', '#', '[', ']'} {
				b := bytes.Repeat([]byte{other}, 8)
				b[at] = byte(c)
				if got := plain8(binary.LittleEndian.Uint64(b)); got != plain[c] {
					t.Fatalf("byte %#x at %d among %q: %v", c, at, other, got)
				}
			}
		}
	}
}
