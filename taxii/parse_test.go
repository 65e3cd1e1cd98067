package taxii

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2027-03-04T05:06:07Z":           "2027-03-04T05:06:07Z",
		"2027-03-04T05:06:07.1Z":         "2027-03-04T05:06:07.1Z",
		"2027-03-04T05:06:07.123456789Z": "2027-03-04T05:06:07.123456789Z",
		"2027-03-04t05:06:07.000z":       "2027-03-04T05:06:07Z",
		"2027-03-04T05:06:07+02:00":      "2027-03-04T03:06:07Z",
		"2027-03-04T05:06:07 02:00":      "2027-03-04T03:06:07Z",
		"2027-03-04T05:06:07.5-00:30":    "2027-03-04T05:36:07.5Z",
		"2024-02-29T00:00:00Z":           "2024-02-29T00:00:00Z",
	} {
		got, err := ParseTime(in)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "Z", "2027-03-04", "2027-03-04T05:06:07", "2027-03-04 05:06:07Z", "2027-3-04T05:06:07Z0",
		"2027-13-04T05:06:07Z", "2027-00-04T05:06:07Z", "2027-04-31T05:06:07Z", "2023-02-29T00:00:00Z", "2027-03-04T24:06:07Z",
		"2027-03-04T05:60:07Z", "2027-03-04T05:06:60Z", "2027-03-04T05:06:07.Z", "2027-03-04T05:06:07,1Z",
		"2027-03-04T05:06:07.1234567891Z", "2027-03-04T05:06:07+2:00", "2027-03-04T05:06:07+24:00", "2027-03-04T05:06:07.1",
		"２０27-03-04T05:06:07Z", "+027-03-04T05:06:07Z"} {
		if got, err := ParseTime(in); err == nil {
			t.Errorf("%q is taken as %v", in, got)
		}
	}
}

// One version may be held in both specification versions: each is the latest.
func TestWantsBothSpecVersions(t *testing.T) {
	a := &Item{ID: "x", Version: "2027-01-01T00:00:00Z", SpecVersion: "2.0", Added: 1}
	b := &Item{ID: "x", Version: "2027-01-01T00:00:00.000Z", SpecVersion: "2.1", Added: 2}
	same := []*Item{a, b}
	for _, c := range []struct {
		q    Query
		a, b bool
	}{
		{Query{}, false, true},
		{Query{SpecVersions: []string{"2.0"}}, true, false},
		{Query{SpecVersions: []string{"2.0", "2.1"}}, true, true},
		{Query{SpecVersions: []string{"2.0", "2.1"}, Versions: Versions{First: true}}, true, true},
		{Query{Versions: Versions{All: true}}, false, true},
		{Query{AddedAfter: 2, SpecVersions: []string{"2.0", "2.1"}}, false, false},
	} {
		if c.q.Wants(a, same) != c.a || c.q.Wants(b, same) != c.b {
			t.Errorf("%+v: %v %v", c.q, c.q.Wants(a, same), c.q.Wants(b, same))
		}
	}
}

// A stamp lies strictly after a time exactly if it exceeds the time's stamp.
func TestStampOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := Stamp(rapid.Int64Range(1, 1<<52).Draw(rt, "stamp"))
		at := s.Time().Add(time.Duration(rapid.Int64Range(-3000, 3000).Draw(rt, "nanoseconds")))
		if s.Time().After(at) != (s > StampOf(at)) {
			rt.Fatalf("%v and %v", s, at)
		}
		back, err := ParseTime(s.String())
		if err != nil || StampOf(back) != s {
			rt.Fatalf("%v reads back as %v, %v", s, back, err)
		}
		if n := NextStamp(s, at); n <= s {
			rt.Fatalf("after %v comes %v", s, n)
		}
	})
}

func TestCompareVersions(t *testing.T) {
	order := []string{
		"2027-01-01T00:00:00Z", "2027-01-01T00:00:00.000000001Z", "2027-01-01T00:00:00.01Z", "2027-01-01T00:00:00.1Z",
		"2027-01-01T00:00:00.100001Z", "2027-01-01T00:00:01Z", "2027-01-02T00:00:00.000Z",
	}
	for i, a := range order {
		for j, b := range order {
			if got := CompareVersions(a, b); got != min(max(i-j, -1), 1) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	if CompareVersions("2027-01-01T00:00:00Z", "2027-01-01T00:00:00.000Z") != 0 {
		t.Error("precision makes a difference")
	}
	if CompareVersions("b", "a") != 1 || CompareVersions("a", "a") != 0 {
		t.Error("other versions are not compared as text")
	}
}

func FuzzParseTime(f *testing.F) {
	f.Add("2027-03-04T05:06:07.123456Z")
	f.Add("2027-03-04T05:06:07 02:00")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTime(s)
		if err != nil {
			return
		}
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(strings.Replace(s, " ", "+", 1)))
		if err != nil || !want.Equal(got) {
			t.Errorf("%q: %v, time.Parse says %v, %v", s, got, want, err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "limit=10&next=x", "added_after=2027-01-01T00:00:00Z", "match[type]=a,b&match[version]=all", "match%5Bid%5D=x", "a=%zz", "limit=0"} {
		f.Add(q, false)
	}
	f.Fuzz(func(t *testing.T, raw string, strict bool) {
		q, err := parseQuery(raw, matchFields[objectsEndpoint], strict, 100, 1000)
		if err != nil {
			if !utf8.ValidString(err.Error()) {
				t.Errorf("message %q", err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > 1000 || q.From != q.AddedAfter || q.AddedAfter < 0 {
			t.Errorf("%q: limit %d, from %d", raw, q.Limit, q.From)
		}
		for _, list := range [][]string{q.IDs, q.Types, q.SpecVersions, q.Versions.At} {
			if len(list) > maxFilterValues || slices.Contains(list, "") {
				t.Errorf("%q: %q", raw, list)
			}
		}
		if _, err := url.ParseQuery(raw); err != nil {
			t.Errorf("%q is not a query, but passed", raw)
		}
		if strict && (q.next != "" || q.AddedAfter != 0) {
			t.Errorf("%q: strict took paging", raw)
		}
	})
}

func FuzzCursor(f *testing.F) {
	key := slices.Repeat([]byte{1}, 32)
	q := &Query{Root: "r", Collection: "c", IDs: []string{"b", "a"}}
	f.Add(string(appendCursor(nil, key, "reader", objectsEndpoint, "", q, 42)), uint64(42))
	f.Add("", uint64(0))
	f.Fuzz(func(t *testing.T, s string, at uint64) {
		made := string(appendCursor(nil, key, "reader", objectsEndpoint, "", q, Stamp(at)))
		got, err := openCursor(made, [][]byte{make([]byte, 32), key}, "reader", objectsEndpoint, "", q)
		if err != nil || got != Stamp(at) {
			t.Errorf("%d comes back as %d, %v", at, got, err)
		}
		if got, err := openCursor(s, [][]byte{key}, "reader", objectsEndpoint, "", q); err == nil {
			if string(appendCursor(nil, key, "reader", objectsEndpoint, "", q, got)) != s {
				t.Errorf("%q passed as %d, but is another spelling", s, got)
			}
		}
		if _, err := openCursor(made, [][]byte{key}, "reade", objectsEndpoint, "", q); err == nil {
			t.Error("another reader's cursor passed")
		}
	})
}

// Length prefixes keep fields apart: no two requests share a code.
func TestCursorFieldsDoNotRun(t *testing.T) {
	key := slices.Repeat([]byte{1}, 32)
	seen := map[string]string{}
	for name, make := range map[string]func() (string, endpoint, string, *Query){
		"a": func() (string, endpoint, string, *Query) { return "ab", objectsEndpoint, "", &Query{Root: "c"} },
		"b": func() (string, endpoint, string, *Query) { return "a", objectsEndpoint, "", &Query{Root: "bc"} },
		"c": func() (string, endpoint, string, *Query) { return "a", objectsEndpoint, "bc", &Query{} },
		"d": func() (string, endpoint, string, *Query) {
			return "a", objectsEndpoint, "", &Query{IDs: []string{"bc"}}
		},
		"e": func() (string, endpoint, string, *Query) {
			return "a", objectsEndpoint, "", &Query{IDs: []string{"b", "c"}}
		},
		"f": func() (string, endpoint, string, *Query) {
			return "a", objectsEndpoint, "", &Query{Types: []string{"bc"}}
		},
		"g": func() (string, endpoint, string, *Query) {
			return "a", manifestEndpoint, "", &Query{Types: []string{"bc"}}
		},
		"h": func() (string, endpoint, string, *Query) {
			return "a", objectsEndpoint, "", &Query{Versions: Versions{First: true}}
		},
		"i": func() (string, endpoint, string, *Query) {
			return "a", objectsEndpoint, "", &Query{Versions: Versions{Last: true}}
		},
		"j": func() (string, endpoint, string, *Query) {
			return "a", objectsEndpoint, "", &Query{Versions: Versions{At: []string{"bc"}}}
		},
		"k": func() (string, endpoint, string, *Query) {
			return "a", objectsEndpoint, "", &Query{SpecVersions: []string{"bc"}}
		},
		"l": func() (string, endpoint, string, *Query) { return "a", objectsEndpoint, "", &Query{Collection: "bc"} },
		"m": func() (string, endpoint, string, *Query) { return "a", objectsEndpoint, "", &Query{} },
	} {
		reader, kind, object, q := make()
		c := string(appendCursor(nil, key, reader, kind, object, q, 1))
		if other := seen[c]; other != "" {
			t.Errorf("%s and %s share a cursor", name, other)
		}
		seen[c] = name
	}
}

// The scanner takes exactly what encoding/json takes, splits as it does, and
// keeps every byte.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"objects":[]}`, `{"more":true,"next":"a\u00e9","objects":[{"type":"a","id":"a--00000000-0000-4000-8000-000000000000"}]}`,
		`{"objects":[1,-0.5e+3,"a",null,true,{"a":[{}]},[]]}`, `{"next":12,"objects":[{"\u0069d":"x"}]}`, `{"objects":[{"id":1}],"x":{"objects":[]}}`,
		`{"objects":[{"a":"\ud83d\ude00\\\"\/"}]} `, "{\"objects\":[{\"a\":\"\xff\"}]}", `[`, `{"objects":[}`, `{"objects":[01]}`, `{"objects":[1.]}`,
	} {
		f.Add([]byte(s))
	}
	lim := Limits{MaxObjects: 20, MaxDepth: 8, MaxObjectBytes: 400}.withDefaults()
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		env, err := parseEnvelope(data, lim)
		if string(data) != before {
			t.Fatal("the input was changed")
		}
		valid := json.Valid(data)
		if err != nil {
			return
		}
		if !valid {
			t.Fatalf("%q is not JSON, but passed", data)
		}
		var ref struct {
			Objects []json.RawMessage `json:"objects"`
		}
		if json.Unmarshal(data, &ref) != nil || !env.listed {
			return // encoding/json folds case: Objects, OBJECTS
		}
		if strings.Count(strings.ToLower(before), "bjects") > 1 || strings.Contains(before, `\u`) {
			return
		}
		if len(ref.Objects) != len(env.objects) {
			t.Fatalf("%d objects, encoding/json finds %d", len(env.objects), len(ref.Objects))
		}
		for i, o := range env.objects {
			if string(o.Body) != string(ref.Objects[i]) {
				t.Fatalf("object %d is %q, encoding/json has %q", i, o.Body, ref.Objects[i])
			}
			if o.Problem == nil && (!validID(o.ID, o.Type) || !utf8.Valid(o.Body) || len(o.Body) > lim.MaxObjectBytes) {
				t.Fatalf("object %d passed: %q", i, o.Body)
			}
		}
	})
}

func TestScannerTakesWhatJSONIs(t *testing.T) {
	for _, v := range []string{`1`, `-0`, `0.0`, `1e5`, `1E-5`, `"\u0000"`, `[ ]`, `{ }`, `[1 , 2]`, `{"a" : [ { } ] }`, ` "x" `,
		`"` + strings.Repeat("long text, eight bytes at a time; é ", 20) + `\n"`,
		// and not:
		``, `+1`, `01`, `1.`, `.5`, `1e`, `--1`, `tru`, `nul`, `"\x"`, `"\u12g4"`, `"\u12`, `[1,]`, `[,1]`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1,}`, `[1}`, `{"a":1]`, "\"\n\"", "\"\x1f\"", `"`, `NaN`} {
		text := `{"objects":[` + v + `]}`
		_, err := parseEnvelope([]byte(text), Limits{}.withDefaults())
		if (err == nil) != json.Valid([]byte(text)) {
			t.Errorf("%s: %v", text, err)
		}
		// Every place in a word of eight bytes.
		for pad := range 9 {
			text := `{"objects":["` + strings.Repeat("p", pad) + `",` + v + `]}`
			if _, err := parseEnvelope([]byte(text), Limits{}.withDefaults()); (err == nil) != json.Valid([]byte(text)) {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`a`: "a", `\u0069d`: "id", `\n\t\r\b\f\/\\\"`: "\n\t\r\b\f/\\\"", `\ud83d\ude00`: "😀", `\ud83d`: "\ufffd", `\ud83dx`: "\ufffdx",
		`\ude00\ud83d`: "\ufffd\ufffd", `\ud83d\u0041`: "\ufffdA",
	} {
		if got := unescape([]byte(in), true); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestAppendString(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(rt, "bytes"))
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			rt.Fatalf("%q comes back as %q, %v", s, back, err)
		}
	})
}

func TestLimits(t *testing.T) {
	lim := Limits{MaxObjects: 2}.withDefaults()
	if _, err := parseEnvelope([]byte(`{"objects":[1,2,3]}`), lim); err == nil || !strings.Contains(err.Error(), "more than 2") {
		t.Errorf("three objects: %v", err)
	}
	long := `{"type":"tool","id":"tool--00000000-0000-4000-8000-000000000000","name":"` + strings.Repeat("x", 100) + `"}`
	env, err := parseEnvelope([]byte(`{"objects":[`+long+`,`+long+`]}`), Limits{MaxObjectBytes: 120}.withDefaults())
	if err != nil || env.objects[0].Problem == nil {
		t.Errorf("a long object: %v", err)
	}
	env, err = parseEnvelope([]byte(`{"objects":[`+long+`]}`), Limits{MaxObjectBytes: len(long)}.withDefaults())
	if err != nil || env.objects[0].Problem != nil {
		t.Errorf("an object just within: %v", err)
	}
}

func TestParseAllocates(t *testing.T) {
	body := []byte(`{"objects":[` + strings.TrimSuffix(strings.Repeat(`{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-000000000000","created":"2027-01-01T00:00:00Z","modified":"2027-01-01T00:00:00Z","name":"n"},`, 1000), ",") + `]}`)
	n := testing.AllocsPerRun(10, func() {
		if _, err := parseEnvelope(body, Limits{}.withDefaults()); err != nil {
			t.Fatal(err)
		}
	})
	if n > 4*1000+50 {
		t.Errorf("%v allocations for 1,000 objects", n)
	}
}
