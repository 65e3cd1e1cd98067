package leaf

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var record = sha256.Sum256([]byte("thirty-two random bytes"))

func sample() *Leaf {
	return New(17, "incident.open", "p-7f3a", strings.Repeat("ab", 32), time.Date(2026, 3, 1, 4, 5, 6, 7, time.UTC), record,
		[]Field{{"title", []byte("a title")}, {"body", []byte("a body")}})
}

func TestLeafHasOneEncoding(t *testing.T) {
	b, err := sample().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("vigil/leaf/1\nseq 17\naction incident.open\nat 2026-03-01T04:05:06.000000007Z\nactor p-7f3a\npolicy %s\ncommit body %x\ncommit title %x\n",
		strings.Repeat("ab", 32), Commit(FieldSalt(record, "body"), []byte("a body")), Commit(FieldSalt(record, "title"), []byte("a title")))
	if string(b) != want {
		t.Errorf("got\n%s\nwant\n%s", b, want)
	}
	l, err := Parse(b)
	if err != nil || !reflect.DeepEqual(l, sample()) {
		t.Errorf("%v %+v", err, l)
	}
	s := sample()
	s.At = s.At.In(time.FixedZone("elsewhere", 7200))
	if again, _ := s.Marshal(); !bytes.Equal(again, b) {
		t.Error("the zone of the time changes the bytes")
	}
}

func TestParseRefusesEveryOtherSpelling(t *testing.T) {
	b, _ := sample().Marshal()
	s := string(b)
	lines := strings.SplitAfter(s, "\n")
	for name, bad := range map[string]string{
		"empty":             "",
		"no final newline":  strings.TrimSuffix(s, "\n"),
		"empty line":        s + "\n",
		"carriage return":   strings.ReplaceAll(s, "\n", "\r\n"),
		"another version":   strings.Replace(s, "leaf/1", "leaf/2", 1),
		"plus sign":         strings.Replace(s, "seq 17", "seq +17", 1),
		"leading zero":      strings.Replace(s, "seq 17", "seq 017", 1),
		"zone":              strings.Replace(s, "000000007Z", "000000007+00:00", 1),
		"trailing zeros":    strings.Replace(s, ".000000007Z", ".0000000070Z", 1),
		"upper-case hash":   strings.Replace(s, lines[6], strings.ToUpper(lines[6][:7])+strings.ToUpper(lines[6][7:]), 1),
		"order of fields":   strings.Join(append(append([]string{}, lines[:6]...), lines[7], lines[6]), ""),
		"field twice":       strings.Join(append(append([]string{}, lines[:7]...), lines[6]), ""),
		"space in the name": strings.Replace(s, "commit body", "commit bo dy", 1),
		"upper-case action": strings.Replace(s, "incident.open", "Incident.open", 1),
		"control in actor":  strings.Replace(s, "p-7f3a", "p-\x1b[31m", 1),
		"bidi in actor":     strings.Replace(s, "p-7f3a", "p\u202e7", 1),
		"empty policy":      strings.Replace(s, "policy "+strings.Repeat("ab", 32), "policy ", 1),
		"missing line":      strings.Replace(s, lines[4], "", 1),
		"too large":         s + strings.Repeat(lines[7], 200),
	} {
		if _, err := Parse([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMarshalRefusesWhatHasNoEncoding(t *testing.T) {
	for name, change := range map[string]func(*Leaf){
		"version":   func(l *Leaf) { l.Version = 2 },
		"action":    func(l *Leaf) { l.Action = "Über" },
		"no actor":  func(l *Leaf) { l.Actor = "" },
		"policy -":  func(l *Leaf) { l.Policy = "-" },
		"year":      func(l *Leaf) { l.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"twice":     func(l *Leaf) { l.Commitments[1].Name = l.Commitments[0].Name },
		"unsorted":  func(l *Leaf) { l.Commitments[0], l.Commitments[1] = l.Commitments[1], l.Commitments[0] },
		"too large": func(l *Leaf) { l.Commitments = many(250) },
	} {
		l := sample()
		change(l)
		if b, err := l.Marshal(); err == nil {
			t.Errorf("%s: encoded as %d bytes", name, len(b))
		}
	}
	l := sample()
	if l.Commitments = many(180); true {
		if b, err := l.Marshal(); err != nil || len(b) > MaxSize {
			t.Errorf("180 fields: %v", err)
		}
	}
}

func many(n int) []Commitment {
	out := make([]Commitment, n)
	for i := range out {
		out[i].Name = fmt.Sprintf("field-%04d", i)
	}
	return out
}

func TestOneFieldOpensWithoutTheOthers(t *testing.T) {
	l := sample()
	salt := FieldSalt(record, "title")
	if got, ok := l.Commitment("title"); !ok || got != Commit(salt, []byte("a title")) {
		t.Error("the title's salt and value do not open its commitment")
	}
	if got, _ := l.Commitment("body"); got == Commit(salt, []byte("a body")) {
		t.Error("the title's salt opens the body")
	}
	if Commit(salt, []byte("a title")) == Commit(salt, []byte("a titlf")) || salt == FieldSalt(record, "titl") {
		t.Error("commitments of different contents are equal")
	}
	if _, ok := l.Commitment("absent"); ok {
		t.Error("a field that is not there")
	}
}

func TestBulkMemberIsProvedByItsPath(t *testing.T) {
	for n := 1; n <= 33; n++ {
		members := make([][32]byte, n)
		for i := range members {
			members[i] = sha256.Sum256([]byte{byte(i)})
		}
		root := BulkRoot(members)
		for i := range members {
			path, err := BulkPath(members, i)
			if err != nil {
				t.Fatal(err)
			}
			if !VerifyBulk(root, members[i], i, n, path) {
				t.Errorf("member %d of %d is not proved", i, n)
			}
			if VerifyBulk(root, sha256.Sum256([]byte("other")), i, n, path) || n > 1 && VerifyBulk(root, members[i], (i+1)%n, n, path) {
				t.Errorf("member %d of %d: something else is proved", i, n)
			}
		}
	}
	if _, err := BulkPath(nil, 0); err == nil {
		t.Error("a member of nothing")
	}
}

func FuzzParse(f *testing.F) {
	b, _ := sample().Marshal()
	f.Add(b)
	f.Add([]byte("vigil/leaf/1\nseq 0\naction a\nat 2026-03-01T04:05:06Z\nactor x\npolicy -\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		again, err := l.Marshal()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q is read and written otherwise: %v", b, err)
		}
	})
}

func BenchmarkNewAndMarshal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sample().Marshal(); err != nil {
			b.Fatal(err)
		}
	}
}
