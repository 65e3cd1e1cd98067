package stix

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// dataDir is the folder of public data beside the repository; the test is
// skipped where it is absent.
func dataDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	data := filepath.Join(dir, "..", "shared", "data")
	if _, err := os.Stat(data); err != nil {
		tb.Skip("public data is absent: ../shared/data")
	}
	return data
}

func attack(tb testing.TB) []byte {
	tb.Helper()
	f, err := os.Open(filepath.Join(dataDir(tb), "attack", "enterprise-attack-18.1.json.gz"))
	if err != nil {
		tb.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// corpora are the public bundles, by name.
func corpora(tb testing.TB) map[string][]byte {
	dir := dataDir(tb)
	m := map[string][]byte{"attack-18.1": attack(tb)}
	files, _ := filepath.Glob(filepath.Join(dir, "intel", "amnesty", "*.stix2"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		m[filepath.Base(f)] = b
	}
	if len(files) != 5 {
		tb.Fatalf("%d bundles in intel/amnesty, 5 expected", len(files))
	}
	return m
}

// Published bundles come in whole, byte for byte. ATT&CK, an old hand at STIX,
// breaks nothing; what the notes are is part of the test.
func TestCorpora(t *testing.T) {
	want := map[string]struct {
		objects int
		notes   map[string]int
	}{
		"attack-18.1": {24771, map[string]int{
			"relationship_type: the specification has no uses from tool to attack-pattern": 800,
		}},
		"malware.stix2": {4375, nil}, "wintego_helios.stix2": {352, nil}, "pegasus.stix2": {3099, nil},
		"cytrox.stix2": {687, nil}, "novispy.stix2": {37, nil},
	}
	for name, b := range corpora(t) {
		for _, mode := range []Mode{Strict, Lenient} {
			n, notes := 0, map[string]int{}
			err := ReadBundle(bytes.NewReader(b), Options{Mode: mode}, func(it Item) error {
				n++
				if it.Err != nil {
					t.Errorf("%s object %d: %v", name, it.Index, it.Err)
					return nil
				}
				if !bytes.Equal(b[it.Offset:it.Offset+int64(len(it.Raw))], it.Object.Raw) {
					t.Errorf("%s object %d: bytes differ", name, it.Index)
				}
				for _, note := range it.Notes {
					notes[note.String()]++
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n != want[name].objects || !maps.Equal(notes, want[name].notes) {
				t.Errorf("%s: %d objects, notes %v", name, n, notes)
			}
		}
	}
}

func BenchmarkReadBundle(b *testing.B) {
	raw := attack(b)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := ReadBundle(bytes.NewReader(raw), Options{Mode: Lenient}, func(it Item) error { n++; return it.Err }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n), "objects/op")
	}
}

// BenchmarkDecode sets a typed, validated decode of single objects beside
// encoding/json into maps, which validates nothing.
func BenchmarkDecode(b *testing.B) {
	var raws [][]byte
	size := 0
	if err := ReadBundle(bytes.NewReader(attack(b)), Options{Mode: Lenient}, func(it Item) error {
		raws = append(raws, it.Raw)
		size += len(it.Raw)
		return it.Err
	}); err != nil {
		b.Fatal(err)
	}
	b.Run("stix", func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			for _, raw := range raws {
				if _, _, err := Parse(raw, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(size))
		b.ReportAllocs()
		for b.Loop() {
			for _, raw := range raws {
				var m map[string]any
				if err := json.Unmarshal(raw, &m); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkDeterministicID(b *testing.B) {
	raw := []byte(`{"type":"domain-name","id":"domain-name--` + uuid1 + `","value":"update.quaymar.example"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DeterministicID(raw); err != nil {
			b.Fatal(err)
		}
	}
}
