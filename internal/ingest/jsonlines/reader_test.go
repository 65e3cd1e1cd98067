package jsonlines

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gz(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func zst(b []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(b, nil)
}

// files are pairs of a name and a content.
func zipped(files ...string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			panic(err)
		}
		io.WriteString(f, files[i+1])
	}
	w.Close()
	return out.Bytes()
}

func tarred(files ...string) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1]))}
		if strings.HasSuffix(files[i], "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		io.WriteString(w, files[i+1])
	}
	w.Close()
	return out.Bytes()
}

// told is everything that a reader says, a line each: `member:number@offset bytes` or `… ! problem`.
func told(t testing.TB, in io.Reader, size int64, lim FileLimits) ([]string, error) {
	t.Helper()
	r, err := NewReader("f", in, size, lim)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []string
	for {
		l, err := r.Next()
		if err != nil {
			if _, again := r.Next(); again != err {
				t.Errorf("the error %v became %v", err, again)
			}
			if err == io.EOF {
				err = nil
			}
			return out, err
		}
		s := fmt.Sprintf("%s:%d@%d", l.Member, l.Number, l.Offset)
		if l.Problem != nil {
			s += " ! " + l.Problem.Reason
		} else {
			s += " " + string(l.Bytes)
		}
		out = append(out, s)
	}
}

func same(t *testing.T, name string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d lines, want %d:\n%s", name, len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: %q, want %q", name, got[i], want[i])
		}
	}
}

// One content comes out the same whatever it is wrapped in, and however few bytes come at once.
func TestContainers(t *testing.T) {
	const text = "{\"a\":1}\r\n\n{\"a\":2}\nnone\n{\"a\":3}"
	lines := func(member string) []string {
		return []string{member + `:1@0 {"a":1}`, member + `:3@10 {"a":2}`, member + `:4@18 ! an event is a JSON object`, member + `:5@23 {"a":3}`}
	}
	two := append(lines("x"), lines("d/y")...)
	b := []byte(text)
	double := string(gz(b))
	for _, c := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"plain", b, lines("")},
		{"gzip", gz(b), lines("")},
		{"gzip in two parts", append(gz(b[:13]), gz(b[13:])...), lines("")},
		{"zstd", zst(b), lines("")},
		{"zstd after a skippable frame", append([]byte("\x50\x2a\x4d\x18\x02\x00\x00\x00xx"), zst(b)...), lines("")},
		{"gzip over zstd", gz(zst(b)), lines("")},
		{"zip", zipped("x", text, "d/", "", "d/y", text), two},
		{"zip of compressed", zipped("x", double, "d/y", string(zst(b))), two},
		{"tar", tarred("x", text, "d/", "", "d/y", text), two},
		{"tar.gz", gz(tarred("x", text, "d/y", text)), two},
		{"tar.zst", zst(tarred("x", text, "d/y", double)), two},
		{"empty", nil, nil},
		{"empty zip", zipped(), nil},
		{"empty member", zipped("x", ""), nil},
		{"blanks", []byte(" \n\r\n\t"), nil},
	} {
		got, err := told(t, bytes.NewReader(c.in), int64(len(c.in)), FileLimits{})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		same(t, c.name, got, c.want)
		got, err = told(t, iotest.OneByteReader(bytes.NewReader(c.in)), -1, FileLimits{})
		if err != nil {
			t.Errorf("%s, byte by byte: %v", c.name, err)
		}
		same(t, c.name+", byte by byte", got, c.want)
	}
}

func TestContent(t *testing.T) {
	lim := FileLimits{Line: Limits{MaxLine: 20}}
	long := `{"a":"` + strings.Repeat("x", 30) + `"}` // 38 bytes
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"\ufeff{\"a\":1}\n", []string{`:1@3 {"a":1}`}},
		{"[]", nil},
		{" [ ]\n", nil},
		{`[{"a":1}, {"a":"],\"{"} ]`, []string{`:1@1 {"a":1}`, `:2@10 {"a":"],\"{"}`}},
		{"\n[\n  {\n \"a\": [1, 2]\n  }\n]\n", []string{":1@5 {\n \"a\": [1, 2]\n  }"}},
		{`[{"a":1}][{"a":2}]` + "\n" + `[{"a":3}]`, []string{`:1@1 {"a":1}`, `:2@10 {"a":2}`, `:3@20 {"a":3}`}},
		{`[1,{"a":1}]`, []string{`:1@1 ! an event is a JSON object`, `:2@3 {"a":1}`}},
		{`[{"a":1},]`, []string{`:1@1 {"a":1}`, `:2@9 ! the line is empty`}},
		{`[{"a":1},,{"a":2}]`, []string{`:1@1 {"a":1}`, `:2@9 ! the line is empty`, `:3@10 {"a":2}`}},
		{`[{"a":1}},{"a":2}]`, []string{`:1@1 ! there is more after the object`, `:2@10 {"a":2}`}},
		{`[{"a":1}`, []string{`:1@1 {"a":1}`, `:0@8 ! the member ends before the array does`}},
		{`[{"a":1},{"a`, []string{`:1@1 {"a":1}`, `:2@9 ! the line is cut off within a string`, `:0@12 ! the member ends before the array does`}},
		{"[warn] x\n{\"a\":1}\n", []string{`:1@1 ! an event is a JSON object`, `:2@6 ! an event is a JSON object`, `:3@9 {"a":1}`}},
		{long + "\n{\"a\":1}\n" + long, []string{`:1@0 ! the line has 38 bytes, more than 20`, `:2@39 {"a":1}`, `:3@47 ! the line has 38 bytes, more than 20`}},
		{"[" + long + ",{\"a\":1}," + long + "]", []string{`:1@1 ! the element has 38 bytes, more than 20`, `:2@40 {"a":1}`, `:3@48 ! the element has 38 bytes, more than 20`}},
		{`{"a":"` + strings.Repeat("x", 12) + "\"}\r\n", []string{`:1@0 {"a":"xxxxxxxxxxxx"}`}},
		{`{"a":"` + strings.Repeat("x", 13) + "\"}\r\n", []string{`:1@0 ! the line has 21 bytes, more than 20`}},
		{"\xff\xfe{\x00", []string{`:0@0 ! the member is UTF-16; JSON lines are UTF-8`}},
		{"ElfFile\x00\x01", []string{`:0@0 ! the member is binary (it begins with 45 6c 66 46 69 6c 65 00)`}},
		{"\x00\x05\x16\x07\x00\x02", nil},
	} {
		for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
			got, err := told(t, in, int64(len(c.in)), lim)
			if err != nil {
				t.Errorf("%q: %v", c.in, err)
			}
			same(t, fmt.Sprintf("%q", c.in), got, c.want)
		}
	}
}

// A line far longer than allowed passes through in little memory.
func TestLongLineIsNotBuffered(t *testing.T) {
	const n = 40 << 20
	for _, begin := range []string{`{"a":"`, `[{"a":"`} {
		var in io.Reader
		if begin[0] == '[' {
			in = io.MultiReader(strings.NewReader(begin), io.LimitReader(repeat('x'), n), strings.NewReader(`"},{"b":1}]`))
		} else {
			in = io.MultiReader(strings.NewReader(begin), io.LimitReader(repeat('x'), n), strings.NewReader("\"}\n{\"b\":1}\n"))
		}
		r, err := NewReader("f", in, -1, FileLimits{})
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.Next()
		if err != nil || l.Problem == nil || l.Bytes != nil || !strings.Contains(l.Problem.Reason, fmt.Sprint(n+8)) {
			t.Fatalf("%.1s: %v %v", begin, l.Problem, err)
		}
		if l, err = r.Next(); err != nil || l.Problem != nil || string(l.Bytes) != `{"b":1}` || l.Number != 2 {
			t.Fatalf("%.1s: the line after it: %q %v %v", begin, l.Bytes, l.Problem, err)
		}
		if _, err = r.Next(); err != io.EOF {
			t.Fatal(err)
		}
		if len(r.split.buf) > 1<<20+2+sniffed {
			t.Fatalf("%d bytes held", len(r.split.buf))
		}
	}
}

type repeat byte

func (c repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func last(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[len(s)-1]
}

func TestLimits(t *testing.T) {
	line := `{"a":1}` + "\n"
	bomb := strings.Repeat(line, 1<<18) // 2 MiB that compress some hundred times
	read := func(in []byte, lim FileLimits) ([]string, error) {
		return told(t, bytes.NewReader(in), int64(len(in)), lim)
	}
	find := func(said []string, part string) int {
		for i, s := range said {
			if strings.Contains(s, part) {
				return i
			}
		}
		return -1
	}
	for name, in := range map[string][]byte{"zip": zipped("bomb", bomb, "ok", line), "tar.gz": gz(tarred("bomb", bomb, "ok", line))} {
		// the member's size
		said, err := read(in, FileLimits{MaxMember: 3 << 19})
		if err != nil || last(said) != `ok:1@0 {"a":1}` {
			t.Errorf("%s, size: %v, at last %s", name, err, last(said))
		}
		if i := find(said, "bomb:0@1572864 ! the member has more than 1572864 bytes"); i != 3<<19/8 {
			t.Errorf("%s, size: problem at %d", name, i)
		}
		if said, err = read(in, FileLimits{MaxMember: int64(len(bomb))}); err != nil || find(said, "!") >= 0 {
			t.Errorf("%s: a member just as long as allowed: %v", name, err)
		}
		// its ratio, while the whole file is within
		if said, err = read(in, FileLimits{MaxRatio: 100}); err != nil || find(said, "!") >= 0 {
			t.Errorf("%s: within the ratio: %v", name, err)
		}
		said, err = read(in, FileLimits{MaxRatio: 4})
		if i := find(said, "the member grew to"); i < 0 || !strings.Contains(said[i], "more than 4 times") {
			t.Errorf("%s, ratio: %v, %s", name, err, last(said))
		}
		if name == "tar.gz" && (err == nil || !errors.Is(err, errWhole)) && last(said) != `ok:1@0 {"a":1}` {
			t.Errorf("%s, ratio: %v, at last %s", name, err, last(said))
		}
		if name == "zip" && (err != nil || last(said) != `ok:1@0 {"a":1}`) {
			t.Errorf("%s, ratio: %v, at last %s", name, err, last(said))
		}
	}

	// many members, each within the ratio, that are too much together
	var many []string
	for i := range 8 {
		many = append(many, fmt.Sprint("m", i), bomb[:1<<20])
	}
	if said, err := read(zipped(many...), FileLimits{MaxRatio: 4}); !errors.Is(err, errWhole) || find(said, "m1:") < 0 || find(said, "m7:") >= 0 {
		t.Errorf("together: %v", err)
	}
	if _, err := read(zipped(many...), FileLimits{MaxMembers: 7}); err == nil || !strings.Contains(err.Error(), "more than 7") {
		t.Errorf("members of zip: %v", err)
	}
	if said, err := read(tarred(many...), FileLimits{MaxMembers: 7}); err == nil || !strings.Contains(err.Error(), "more than 7") || find(said, "m6:") < 0 {
		t.Errorf("members of tar: %v", err)
	}
	z := zipped("x", line)
	if _, err := told(t, iotest.OneByteReader(bytes.NewReader(z)), -1, FileLimits{MaxHeld: int64(len(z) - 1)}); err == nil || !strings.Contains(err.Error(), "give it as a file") {
		t.Errorf("held: %v", err)
	}
	// the rest of a member that is too long to be passed over
	if said, err := read(gz(tarred("bomb", bomb, "ok", line)), FileLimits{MaxMember: 1 << 19}); err == nil || !strings.Contains(err.Error(), "what follows is not read") || find(said, "bomb:0@524288 !") < 0 {
		t.Errorf("rest of a tar member: %v", err)
	}
	deep := gz(gz(gz([]byte(line))))
	if _, err := read(deep, FileLimits{}); err == nil || !strings.Contains(err.Error(), "more than 2 times") {
		t.Errorf("compressed over and over: %v", err)
	}
}

func TestDamage(t *testing.T) {
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "{\"a\":%d,\"b\":\"%x\"}\n", i, i*i*7919)
	}
	cut := func(b []byte) []byte { return b[:len(b)*2/3] }
	for name, in := range map[string][]byte{"gzip": cut(gz([]byte(text.String()))), "zstd": cut(zst([]byte(text.String())))} {
		said, err := told(t, bytes.NewReader(in), int64(len(in)), FileLimits{})
		if err != nil || len(said) < 2 || !strings.Contains(last(said), "unexpected EOF") || !strings.HasPrefix(last(said), ":0@") {
			t.Errorf("%s cut off: %d lines, at last %q, %v", name, len(said), last(said), err)
		}
	}
	in := cut(gz(tarred("x", text.String())))
	if said, err := told(t, bytes.NewReader(in), int64(len(in)), FileLimits{}); err == nil || !strings.Contains(err.Error(), "unexpected EOF") || len(said) < 1000 {
		t.Errorf("tar.gz cut off: %d lines, %v", len(said), err)
	}
	in = cut(zipped("x", text.String()))
	if _, err := told(t, bytes.NewReader(in), int64(len(in)), FileLimits{}); err == nil || !strings.HasPrefix(err.Error(), "f: zip: ") {
		t.Errorf("zip cut off: %v", err)
	}
	// a member whose checksum is wrong is told, and the next one read
	in = zipped("x", text.String(), "y", "{}\n")
	at := bytes.Index(in, []byte("PK\x01\x02"))
	in[at+16] ^= 1 // CRC-32 of the first member, APPNOTE.TXT §4.3.12
	said, err := told(t, bytes.NewReader(in), int64(len(in)), FileLimits{})
	if err != nil || len(said) != 20002 || !strings.Contains(said[20000], "checksum") || last(said) != "y:1@0 {}" {
		t.Errorf("checksum: %d lines, at last %q, %v", len(said), last(said), err)
	}
	in[at+8] |= 1 // encrypted
	if said, err = told(t, bytes.NewReader(in), int64(len(in)), FileLimits{}); err != nil || len(said) != 2 || said[0] != "x:0@0 ! the member is encrypted" {
		t.Errorf("encrypted: %q %v", said, err)
	}
	in = zipped("x", string(zipped("y", "{}")), "z", string(tarred("y", "{}")), "w", "{}")
	said, err = told(t, bytes.NewReader(in), int64(len(in)), FileLimits{})
	same(t, "nested", said, []string{"x:0@0 ! an archive within an archive is not read", "z:0@0 ! an archive within an archive is not read", "w:1@0 {}"})
	if err != nil {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ha-ops-07.log")
	if err := os.WriteFile(path, zipped("a.json", "{\"a\":1}\n{\"a\":}\n", "b\x1b[2J", "x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path, FileLimits{})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := r.Next(); err != nil || l.Err() != nil || l.Where() != path+"!a.json:1" {
		t.Errorf("%s %v %v", l.Where(), l.Err(), err)
	}
	l, err := r.Next()
	var p *Problem
	if err != nil || !errors.As(l.Err(), &p) || p.Offset != 5 || l.Err().Error() != path+"!a.json:2: byte 5: '}' begins no JSON value" {
		t.Errorf("%v %v", l.Err(), err)
	}
	if l, err = r.Next(); err != nil || l.Where() != path+`!"b\x1b[2J":1` {
		t.Errorf("%s %v", l.Where(), err)
	}
	if _, err = r.Next(); err != io.EOF {
		t.Error(err)
	}
	if read, total := r.Progress(); read != total || total <= 0 {
		t.Errorf("progress at the end: %d of %d", read, total)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "absent"), FileLimits{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Open(dir, FileLimits{}); err == nil {
		t.Error("a folder was opened")
	}
}

func TestCloseEarly(t *testing.T) {
	for _, in := range [][]byte{[]byte("{}\n{}"), zst([]byte("{}\n{}")), zipped("x", "{}\n{}"), gz(tarred("x", "{}\n{}"))} {
		r, err := NewReader("f", bytes.NewReader(in), int64(len(in)), FileLimits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.Next(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("after closing: %v", err)
		}
	}
}

// Whatever comes, the reading ends, stays within the limits, and says only what is so.
func FuzzReader(f *testing.F) {
	text := "{\"a\":1}\n[{\"b\":2},{}]\nx\n"
	for _, s := range [][]byte{[]byte(text), []byte(text[8:]), gz([]byte(text)), zst([]byte(text)), zipped("x", text, "y", text), tarred("x", text), gz(tarred("x", text))} {
		f.Add(s)
	}
	lim := FileLimits{Line: Limits{MaxLine: 64}, MaxMember: 1 << 20, MaxMembers: 16, MaxHeld: 1 << 20}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader("f", bytes.NewReader(b), int64(len(b)), lim)
		if err != nil {
			return
		}
		defer r.Close()
		for {
			l, err := r.Next()
			if err != nil {
				break
			}
			if len(l.Bytes) > 64 || l.Offset < 0 || l.Offset > 1<<20 || l.Problem == nil && (l.Number < 1 || !json.Valid(l.Bytes)) {
				t.Fatalf("%+v", l)
			}
			if read, total := r.Progress(); read < 0 || read > total {
				t.Fatalf("%d of %d", read, total)
			}
		}
	})
}

// The elements of an array are those that the standard library finds, at the places they are said to be.
func FuzzArray(f *testing.F) {
	for _, s := range []string{`[]`, `[{"a":[1,"],"]} , {"b":"\\\""}]`, "[\n{}\n,\n{}]", `[1,[2],"x"]`, `[[]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want []json.RawMessage
		if len(trim(b)) == 0 || trim(b)[0] != '[' || json.Unmarshal(b, &want) != nil {
			return
		}
		var s splitter
		s.lim = Limits{}.orDefault()
		if _, problem := s.start(iotest.HalfReader(bytes.NewReader(b))); problem != nil {
			t.Fatal(problem)
		}
		for i, w := range want {
			if !s.next() || !bytes.Equal(s.line, w) || s.number != int64(i+1) || !bytes.HasPrefix(b[s.at:], w) {
				t.Fatalf("element %d is %q at %d, want %q", s.number, s.line, s.at, w)
			}
		}
		if s.next() || s.err != io.EOF {
			t.Fatalf("more: %q, %v", s.line, s.err)
		}
	})
}
