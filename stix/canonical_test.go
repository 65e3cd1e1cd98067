package stix

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// RFC 8785, 3.2: the examples of the specification.
func TestCanonical(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		got, err := Canonical([]byte("x"), []byte(raw))
		if err != nil || string(got) != "x"+want {
			t.Errorf("%s\n\tgot  %s %v\n\twant %s", raw, got, err, want)
		}
	}
	f(`{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
	     "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }`,
		`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`)
	f(`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji","\u0080":"Control","\u00f6":"Latin"}`,
		`{"\r":"Carriage Return","1":"One","`+"\u0080"+`":"Control","ö":"Latin","€":"Euro Sign","😀":"Emoji","`+"\ufb33"+`":"Hebrew Letter Dalet With Dagesh"}`)
	f(`{"a":{},"A":[ ],"":0}`, `{"":0,"A":[],"a":{}}`)
	f(`{"a":-0,"b":-0.0,"c":1.0,"d":100000000000000000000,"e":1000000000000000000000,"f":1e-6,"g":1e-7,"h":-1.5e300}`,
		`{"a":0,"b":0,"c":1,"d":100000000000000000000,"e":1e+21,"f":0.000001,"g":1e-7,"h":-1.5e+300}`)
	f(`{"a":"\b\t\n\f\r\u001f\u007f\/"}`, `{"a":"\b\t\n\f\r\u001f`+"\u007f"+`/"}`)
	if _, err := Canonical(nil, []byte(`{"a":1e400}`)); err == nil {
		t.Error("1e400 has a canonical form")
	}
	if _, err := Canonical(nil, []byte(`{"a":1,"a":2}`)); err == nil {
		t.Error("a duplicate name has a canonical form")
	}
	// RFC 8785, appendix B: IEEE 754 bits and their text.
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0", 0x8000000000000000: "0", 0x0000000000000001: "5e-324", 0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308", 0x4340000000000000: "9007199254740992", 0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000", 0x44b52d02c7e14af5: "9.999999999999997e+22", 0x44b52d02c7e14af6: "1e+23",
		0x44b52d02c7e14af7: "1.0000000000000001e+23", 0x444b1ae4d6e2ef4e: "999999999999999700000", 0x444b1ae4d6e2ef4f: "999999999999999900000",
		0x444b1ae4d6e2ef50: "1e+21", 0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7", 0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332", 0x41b3de4355555554: "333333333.33333325", 0x41b3de4355555555: "333333333.3333333",
		0xbecbf647612f3696: "-0.0000033333333333333333", 0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		if got := string(appendNumber(nil, math.Float64frombits(bits))); got != want {
			t.Errorf("%x: got %s, want %s", bits, got, want)
		}
	}
}

// The ids that UUIDv5 gives over the canonical form, computed elsewhere. The
// ids printed in the examples of the specification follow no rule it states.
func TestDeterministicID(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		id, err := DeterministicID([]byte(raw))
		if want == "" {
			if err == nil {
				t.Errorf("%s: got %s", raw, id)
			}
			return
		}
		if err != nil || string(id) != want || !id.RFCUUID() {
			t.Errorf("%s: got %s %v, want %s", raw, id, err, want)
		}
	}
	f(`{"type":"ipv4-addr","value":"198.51.100.3"}`, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4")
	f(`{"value":"198.51.100.3","resolves_to_refs":["x"],"id":"y","type":"ipv4-addr"}`, "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4")
	f(`{"type":"autonomous-system","number":15139,"name":"any"}`, "autonomous-system--3aa27478-50b5-5ab8-9da9-cdc12b657fff")
	f(`{"type":"email-addr","value":"john@example.com"}`, "email-addr--7165e2a9-671f-585d-b1e1-ca59c671d934")
	f(`{"type":"directory","path":"C:\\Windows\\System32"}`, "directory--0a58d0c1-59e6-5afd-8252-dcd3f13e5622")
	one := "file--ba8965d8-e4ec-5f9c-a4df-1c460994ca58"
	f(`{"type":"file","hashes":{"SHA-1":"5374e08903744ceeaedd8f5e1bfc06b2c4688e76","MD5":"a92e5b2bae0b4b3a3d81c85610b95cd4"},"size":77312,
	   "name":"a92e5b2bae.exe","parent_directory_ref":"directory--255cb0e4-8bdb-5d63-bb32-9c6f0b733ab2"}`, one)
	f(`{"type":"file","hashes":{"SHA-512":"00","MD5":"a92e5b2bae0b4b3a3d81c85610b95cd4"},"name":"a92e5b2bae.exe",
	   "parent_directory_ref":"directory--255cb0e4-8bdb-5d63-bb32-9c6f0b733ab2"}`, one)
	f(`{"type":"process","pid":5}`, "")
	f(`{"type":"file","size":5}`, "")
	f(`{"type":"tool","name":"x"}`, "")
	f(`{"name":"x"}`, "")
	f(`[`, "")
}

// Whatever is accepted keeps its bytes, its meaning and its references.
func FuzzParse(f *testing.F) {
	f.Add([]byte(with("tool", `"name":"\u00e9\ud83d\ude00","x":[1.50,-0,{"a_ref":"tool--`+uuid1+`"}],"extensions":{"a":{}}`)))
	f.Add([]byte(with("marking-definition", `"definition_type":"tlp","definition":{"tlp":"red"}`)))
	f.Add([]byte(with("indicator", `"pattern":"[a:b = 'x']","pattern_type":"stix","valid_from":"2030-01-01T00:00:00Z","granular_markings":[{"selectors":["name"]}]`)))
	f.Add([]byte(with("observed-data", `"objects":{"0":{"type":"file","hashes":{"MD5":""}}}`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		keep := bytes.Clone(raw)
		o, _, err := Parse(raw, Options{Mode: Lenient})
		if _, _, strict := Parse(raw, Options{}); strict == nil && err != nil {
			t.Fatalf("strict accepts what lenient refuses: %v", err)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(o.Raw, keep) {
			t.Fatal("the bytes changed")
		}
		if !json.Valid(raw) {
			t.Fatal("accepted what is no JSON")
		}
		if _, err := o.Tree(); err != nil {
			t.Fatal(err)
		}
		for _, r := range o.Refs() {
			if _, err := ParseID(string(r.ID)); err != nil {
				t.Fatal(err)
			}
		}
		if v := jsontext.Value(bytes.Clone(raw)); v.Canonicalize() == nil {
			got, err := Canonical(nil, raw)
			if err != nil {
				t.Fatalf("no canonical form: %v", err)
			}
			if string(got) != string(v) {
				t.Fatalf("canonical form:\n%s\n%s", got, v)
			}
		}
		var b bytes.Buffer
		if err := WriteBundle(&b, o, o); err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := ReadBundle(&b, Options{Mode: Lenient}, func(it Item) error {
			n++
			if string(it.Raw) != string(bytes.TrimSpace(keep)) || it.Err != nil {
				t.Fatalf("out of the bundle: %q %v", it.Raw, it.Err)
			}
			return nil
		}); err != nil || n != 2 {
			t.Fatalf("bundle: %d objects, %v", n, err)
		}
	})
}

func FuzzReadBundle(f *testing.F) {
	f.Add([]byte(`{"type":"bundle","id":"bundle--`+uuid1+`","objects":[`+with("tool", `"name":"n"`)+`,{"a":"}"}]}`), 3)
	f.Add([]byte(`[1,"x",[[]],{}]`), 1)
	f.Add([]byte(`{"objects":[],"more":false}`), 2)
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		read := func(size int) (out string) {
			err := ReadBundle(&slowReader{string(raw), max(size, 1)}, Options{Mode: Lenient}, func(it Item) error {
				out += strconv.Quote(string(it.Raw))
				if it.Err == nil && !json.Valid(it.Raw) {
					t.Fatal("accepted what is no JSON")
				}
				return nil
			})
			if err == nil && !json.Valid(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))) && out == "" {
				t.Fatalf("%q is no JSON, and nothing is said", raw)
			}
			return out
		}
		if a, b := read(n%64), read(1<<20); a != b {
			t.Fatalf("the size of reads changes what is read:\n%s\n%s", a, b)
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"c"}]}`), "a[0].b")
	f.Fuzz(func(t *testing.T, raw []byte, path string) {
		o := Object{Raw: raw}
		o.Lookup(path) // must stay within bounds on any bytes
		o.String(path)
		o.Strings(path)
	})
}
