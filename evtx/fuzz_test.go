package evtx

import (
	"encoding/binary"
	"testing"
)

// FuzzFile reads any bytes as a file, in both modes.
func FuzzFile(f *testing.F) {
	small := sampleLog(1, 3)
	small = small[:fileHeaderSize+chunkHeaderSize+5000]
	f.Add(small)
	f.Add(unsealed(1, 0)[:fileHeaderSize+6000])
	f.Add(small[fileHeaderSize:])
	f.Add([]byte("ElfFile\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		readAll(t, data, Options{Recover: true})
		if len(data) >= 128 && string(data[:8]) == string(fileMagic) {
			readAll(t, data, Options{})
		}
	})
}

// FuzzBinaryXML reads any bytes as a chunk's records behind a whole event
// whose names and templates they can use, well framed and sealed, so that the
// decoder rather than the framing is at work.
func FuzzBinaryXML(f *testing.F) {
	w := newChunk()
	w.record(1, testTime, event(1, 4688, process("p")), "4688")
	first := append([]byte(nil), w.b...)
	seed := func(rest fragment, key string) {
		w := newChunk()
		w.record(1, testTime, event(1, 4688, process("p")), "4688")
		from := len(w.b)
		w.record(2, testTime, event(2, 1, rest), key)
		f.Add(w.b[from+24 : len(w.b)-4])
	}
	seed(process("again"), "4688")
	seed(fragment{root: elem("EventData", elem("Data", sub{i: 0}), cdata("x"), charRef('y'), entity("lt"), pi("p")), vals: []any{val{TypeString | typeArray, u16s("a\x00b\x00")}}}, "a")
	seed(fragment{root: elem("UserData", el{name: "A", attrs: []at{{"b", []any{"c"}}}, empty: true}), direct: true}, "b")
	seed(fragment{root: elem("EventData", sub{i: 0}), vals: []any{fragment{root: elem("X", "x"), direct: true}}}, "c")
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(first)+len(body)+64 > chunkSize {
			return
		}
		w := newChunk()
		w.b = append(w.b[:0], first...)
		w.last, w.firstID, w.lastID = chunkHeaderSize, 1, 3
		at := len(w.b)
		w.b = append(w.b, recordMagic...)
		n := uint32(recordOverhead + len(body))
		w.u32(n)
		w.u64(2)
		w.u64(0)
		w.b = append(w.b, body...)
		w.u32(n)
		if len(w.b)+recordOverhead+2048 < chunkSize {
			w.templates = map[string]int{}
			w.names = map[string]int{}
			if !w.record(3, testTime, fragment{root: elem("Event", elem("EventData", elem("Data", "after"))), direct: true}, "after") {
				t.Fatal("the last record does not fit")
			}
		} else {
			w.lastID = 2
		}
		chunk := w.bytes()
		if binary.LittleEndian.Uint32(chunk[at+4:]) != n {
			t.Fatal("the writer is wrong")
		}
		recs, _ := readAll(t, fileBytes(0, 1, chunk), Options{})
		if recs[0].ID != 1 || w.lastID == 3 && recs[len(recs)-1].ID != 3 {
			t.Fatalf("a harmed record hides others: %v", ids(recs))
		}
	})
}
