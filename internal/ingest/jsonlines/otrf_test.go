package jsonlines

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// recorded are the archives of recorded events among the public data.
func recorded(tb testing.TB) []string {
	tb.Helper()
	dir, err := filepath.Abs(".")
	for err == nil {
		if _, absent := os.Stat(filepath.Join(dir, "go.mod")); absent == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			tb.Fatal("no go.mod above this package")
		}
		dir = filepath.Dir(dir)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "..", "shared", "data", "logs", "otrf", "*"))
	if err != nil {
		tb.Fatal(err)
	}
	if len(paths) == 0 {
		tb.Skip("public data is absent: ../shared/data/logs/otrf")
	}
	return paths
}

// Every line of the recorded archives is read, none refused, and the progress goes up to the end.
func TestRecorded(t *testing.T) {
	paths := recorded(t)
	if testing.Short() {
		paths = paths[:min(3, len(paths))]
	}
	var lines, size int64
	begin := time.Now()
	for _, path := range paths {
		r, err := Open(path, FileLimits{})
		if err != nil {
			t.Error(err)
			continue
		}
		var n, before int64
		for {
			l, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Error(err)
				break
			}
			if l.Problem != nil {
				t.Error(l.Err())
			}
			n++
			size += int64(len(l.Bytes))
			read, total := r.Progress()
			if read < before || read > total {
				t.Fatalf("%s: progress %d of %d after %d", path, read, total, before)
			}
			before = read
		}
		if n == 0 {
			t.Errorf("%s: no line", path)
		}
		if read, total := r.Progress(); read != total {
			t.Errorf("%s: at the end %d of %d", path, read, total)
		}
		lines += n
		r.Close()
	}
	t.Logf("%d files, %d lines, %d MB, %v", len(paths), lines, size/1e6, time.Since(begin).Round(time.Millisecond))
}
