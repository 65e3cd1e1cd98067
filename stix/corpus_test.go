package stix

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

func TestCorpora(t *testing.T) {
	for name, b := range corpora(t) {
		n, bad, notes := 0, 0, map[string]int{}
		begin := time.Now()
		err := ReadBundle(bytes.NewReader(b), Options{Mode: Lenient}, func(it Item) error {
			n++
			if it.Err != nil {
				if bad++; bad < 5 {
					t.Errorf("%s object %d: %v", name, it.Index, it.Err)
				}
				return nil
			}
			if !bytes.Equal(b[it.Offset:it.Offset+int64(len(it.Raw))], it.Object.Raw) {
				t.Errorf("%s object %d: bytes differ", name, it.Index)
			}
			for _, note := range it.Notes {
				path := strings.NewReplacer("0", "", "1", "", "2", "", "3", "", "4", "", "5", "", "6", "", "7", "", "8", "", "9", "").Replace(note.Path)
				notes[it.Object.Type+" "+path+": "+note.Reason]++
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d objects, %d refused, %v", name, n, bad, time.Since(begin))
		for k, v := range notes {
			t.Logf("   %5d %s", v, k)
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
