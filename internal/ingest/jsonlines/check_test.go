package jsonlines

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	good := []string{`{}`, ` {"a":1} `, `{"a":[1,-2.5e+3,true,false,null,{"b":"\u00e9\n\ud83d\ude00é"}]}`, `{"a":{"a":1},"b":{"a":2}}`, `{"a":0,"A":0}`, `{"":""}`}
	for _, s := range good {
		if p := Check([]byte(s), Limits{}); p != nil {
			t.Errorf("%s: %v", s, p)
		}
	}
	bad := []struct {
		in     string
		at     int64
		reason string
	}{
		{``, 0, "empty"}, {`[]`, 0, "object"}, {`"x"`, 0, "object"}, {`{`, 1, "key"}, {`{"a"`, 4, "colon"}, {`{"a":`, 5, "ends"}, {`{"a":1`, 6, "cut off"}, {`{"a":"x`, 7, "cut off"},
		{`{"a":1,}`, 7, "key"}, {`{"a":01}`, 7, "zero"}, {`{"a":1.}`, 7, "point"}, {`{"a":1e}`, 7, "exponent"}, {`{"a":-}`, 6, "digit"}, {`{"a":tru}`, 5, "value"}, {`{"a":1} x`, 8, "more"},
		{`{"a":"` + "\xff" + `"}`, 6, "UTF-8"}, {`{"a":"` + "\x01" + `"}`, 6, "control"}, {`{"a":"\x"}`, 6, "escape"}, {`{"a":"\u12"}`, 6, "hexadecimal"}, {`{"a":"\ud800"}`, 6, "surrogate"}, {`{"a":"\udc00"}`, 6, "surrogate"},
		{`{"a":1,"b":2,"a":3}`, 13, "twice"}, {`{"a":1,"\u0061":3}`, 7, "twice"}, {`{"\u0061":1,"a":3}`, 12, "twice"}, {`{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, 36, "nested"},
	}
	for _, c := range bad {
		p := Check([]byte(c.in), Limits{})
		if p == nil || p.Offset != c.at || !strings.Contains(p.Reason, c.reason) {
			t.Errorf("%q: %v, want byte %d: …%s…", c.in, p, c.at, c.reason)
		}
	}
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, `"k%d":%d,`, i, i)
	}
	if p := Check([]byte("{"+many.String()+`"z":1}`), Limits{}); p != nil {
		t.Errorf("200 keys: %v", p)
	}
	if p := Check([]byte("{"+many.String()+`"k150":1}`), Limits{}); p == nil {
		t.Error("the 151st key again was accepted")
	}
	if p := Check([]byte("{"+many.String()+`"z":1}`), Limits{MaxKeys: 100}); p == nil || !strings.Contains(p.Reason, "100 keys") {
		t.Errorf("more keys than allowed: %v", p)
	}
}

// What Check lets pass, the standard library reads too, and the other way round but for the limits and repeated keys.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"\u00e9"]}`, `{"a":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":` + strings.Repeat("[", 33)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := Check(b, Limits{})
		if p == nil && !json.Valid(b) {
			t.Fatalf("let pass: %q", b)
		}
		if p != nil && (p.Offset < 0 || p.Offset > int64(len(b))) {
			t.Fatalf("a place outside the line: %v", p)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	line := []byte(`{"UtcTime":"2026-03-01 04:05:06.123","Hostname":"ha-ops-07","User":"HA\\ivy","DestinationIp":"198.51.100.23","Image":"C:\\x\\y.exe","Hashes":"MD5=D41D8CD98F00B204E9800998ECF8427E,IMPHASH=x","EventID":3,"Channel":"x"}`)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if Check(line, Limits{}) != nil {
			b.Fatal("refused")
		}
	}
}
