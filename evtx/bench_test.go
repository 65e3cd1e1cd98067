package evtx

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// logs are what the benchmarks read: files of our own, where they are present
// the public ones (small: a record or two each), and those that the variable
// EVTX_BENCH matches, which must be undamaged.
func logs(b *testing.B, f func(b *testing.B, files [][]byte)) {
	b.Run("sample", func(b *testing.B) { f(b, [][]byte{sampleLog(16, 1000)}) })
	b.Run("public", func(b *testing.B) {
		var files [][]byte
		for _, p := range regressionFiles(b) {
			data, err := os.ReadFile(p)
			if err != nil {
				b.Fatal(err)
			}
			files = append(files, data)
		}
		f(b, files)
	})
	if pattern := os.Getenv("EVTX_BENCH"); pattern != "" {
		b.Run("own", func(b *testing.B) {
			var files [][]byte
			paths, err := filepath.Glob(pattern)
			if err != nil || len(paths) == 0 {
				b.Fatalf("EVTX_BENCH: %d files, %v", len(paths), err)
			}
			for _, p := range paths {
				data, err := os.ReadFile(p)
				if err != nil {
					b.Fatal(err)
				}
				files = append(files, data)
			}
			f(b, files)
		})
	}
}

// used is the number of bytes that records take in the files.
func used(files [][]byte) (n int64, records int) {
	for _, data := range files {
		for c := fileHeaderSize; c+chunkSize <= len(data); c += chunkSize {
			chunk := data[c : c+chunkSize]
			free := int(le32(chunk[48:]))
			n += int64(free)
			for pos := chunkHeaderSize; pos < free && bytes.Equal(chunk[pos:pos+4], recordMagic); pos += int(le32(chunk[pos+4:])) {
				records++
			}
		}
	}
	return n, records
}

func benchmarkRecords(b *testing.B, files [][]byte, see func(*Record)) {
	r := &Reader{buf: make([]byte, chunkSize)}
	r.dec.init()
	src := bytes.NewReader(nil)
	size, records := used(files)
	b.SetBytes(size)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, data := range files {
			src.Reset(data)
			if err := r.Reset(src, int64(len(data)), Options{}); err != nil {
				b.Fatal(err)
			}
			for {
				rec, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				n++
				see(rec)
			}
		}
	}
	if n != records*b.N {
		b.Fatalf("%d records, want %d", n/b.N, records)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkFields(b *testing.B) {
	logs(b, func(b *testing.B, files [][]byte) {
		bytesSeen := 0
		benchmarkRecords(b, files, func(rec *Record) {
			rec.Fields(func(_ string, v Value) bool { bytesSeen += len(v.Bytes()); return true })
		})
		if bytesSeen == 0 {
			b.Fatal("nothing was read")
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	logs(b, func(b *testing.B, files [][]byte) {
		var buf []byte
		benchmarkRecords(b, files, func(rec *Record) { buf = rec.AppendJSON(buf[:0]) })
	})
}

func BenchmarkXML(b *testing.B) {
	logs(b, func(b *testing.B, files [][]byte) {
		var buf []byte
		benchmarkRecords(b, files, func(rec *Record) { buf = rec.AppendXML(buf[:0]) })
	})
}

// BenchmarkGenericMaps is what the reader is measured against: the usual way
// of parsing each record into a document of maps.
func BenchmarkGenericMaps(b *testing.B) {
	logs(b, func(b *testing.B, files [][]byte) {
		size, records := used(files)
		b.SetBytes(size)
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			for _, data := range files {
				for c := fileHeaderSize; c+chunkSize <= len(data); c += chunkSize {
					chunk := data[c : c+chunkSize]
					for pos := chunkHeaderSize; pos < int(le32(chunk[48:])); {
						size := int(le32(chunk[pos+4:]))
						if m := genericRecord(chunk, pos+24, pos+size-4); m["Event"] == nil {
							b.Fatal("no Event")
						}
						pos += size
						n++
					}
				}
			}
		}
		if n != records*b.N {
			b.Fatalf("%d records, want %d", n/b.N, records)
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	})
}

// TestGenericMapsAgree: the yardstick of the benchmark reads the same values.
func TestGenericMapsAgree(t *testing.T) {
	data := sampleLog(1, 2)
	chunk := chunkAt(data, 0)
	pos := recordAt(chunk, 1)
	m := genericRecord(chunk, pos+24, pos+int(le32(chunk[pos+4:]))-4)
	ev := m["Event"].(map[string]any)
	if g := fmt.Sprint(ev["EventData"].(map[string]any)["CommandLine"]); g != `cmd.exe /c "whoami & echo cß€😀"` {
		t.Errorf("CommandLine %q", g)
	}
	if g := fmt.Sprint(ev["System"].(map[string]any)["EventID"]); g != "4688" {
		t.Errorf("EventID %q", g)
	}
	if g := fmt.Sprint(ev["System"].(map[string]any)["Provider"].(map[string]any)["Guid"]); g != "76543210-BA98-FEDC-0123-456789ABCDEF" {
		t.Errorf("Guid %q", g)
	}
}
