package stix

import (
	"fmt"
	"strings"
	"testing"
)

func TestLift(t *testing.T) {
	head := func(typ string) string {
		return `{"type":"` + typ + `","id":"` + typ + `--` + uuid1 + `","created":"2017-01-01T00:00:00.000Z","modified":"2017-01-01T00:00:00.00050Z",`
	}
	f := func(raw, want string, notes ...string) []*Object {
		t.Helper()
		o, _, err := Parse([]byte(raw), Options{Mode: Strict})
		if err != nil {
			t.Fatalf("%s\n\t%v", raw, err)
		}
		if o.SpecVersion != "2.0" {
			t.Fatalf("%s is not read as 2.0", raw)
		}
		out, got, err := Lift(o)
		if err != nil {
			t.Fatal(err)
		}
		if string(o.Raw) != raw {
			t.Error("the producer's bytes changed")
		}
		if !strings.Contains(string(out[0].Raw), want) || out[0].SpecVersion != "2.1" || out[0].Modified.String() != o.Modified.String() {
			t.Errorf("got %s\nwant %s", out[0].Raw, want)
		}
		if fmt.Sprint(got) != fmt.Sprint(notes) {
			t.Errorf("notes %q, want %q", got, notes)
		}
		for _, l := range out {
			if _, _, err := Parse(l.Raw, Options{Mode: Strict}); err != nil {
				t.Errorf("%s\n\tis not valid: %v", l.Raw, err)
			}
		}
		return out
	}
	f(head("indicator")+`"labels":["malicious-activity"],"pattern":"[a:b = 1]","valid_from":"2017-01-01T00:00:00Z"}`,
		`"indicator_types":["malicious-activity"],"pattern":"[a:b = 1]","pattern_type":"stix","pattern_version":"2.0"`,
		"labels: read as indicator_types", "pattern_type: assumed to be stix, which STIX 2.0 does not say",
		"pattern_version: assumed to be 2.0, which STIX 2.0 does not say")
	f(head("malware")+`"labels":["worm"],"name":"n"}`, `"malware_types":["worm"],"is_family":false`,
		"labels: read as malware_types", "is_family: assumed to be false, which STIX 2.0 does not say")
	f(head("campaign")+`"labels":["x"],"name":"n"}`, `"labels":["x"]`)
	const directory = "9d5142ea-3041-5292-b76f-5b9091552621"
	out := f(head("observed-data")+`"first_observed":"2017-01-01T00:00:00Z","last_observed":"2017-01-01T00:00:00Z","number_observed":2,"objects":{`+
		`"0":{"type":"file","name":"a.exe","parent_directory_ref":"1","modified":"2016-01-01T00:00:00Z"},"1":{"type":"directory","path":"/tmp","contains_refs":["0"]},`+
		`"2":{"type":"directory","path":"/tmp"}}}`, `"object_refs":["file--`,
		"objects.2: left out: another of these objects has its id directory--"+directory, "objects: read as objects of their own")
	if len(out) != 3 || out[1].Type != "directory" || out[2].Type != "file" {
		t.Fatalf("%d objects", len(out))
	}
	if s, ok := out[2].String("mtime"); !ok || s != "2016-01-01T00:00:00Z" {
		t.Errorf("mtime of the file: %q", s)
	}
	if s, _ := out[2].String("parent_directory_ref"); ID(s) != out[1].ID {
		t.Errorf("the file's directory is %s, not %s", s, out[1].ID)
	}
	if s := out[1].Strings("contains_refs"); len(s) != 1 || ID(s[0]) != out[2].ID {
		t.Errorf("the directory contains %v, not %s", s, out[2].ID)
	}
	o := &Object{SpecVersion: "2.1"}
	if out, notes, err := Lift(o); err != nil || len(notes) > 0 || len(out) != 1 || out[0] != o {
		t.Error("an object of 2.1 is lifted")
	}
}
