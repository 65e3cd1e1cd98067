package evtx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func ids(recs []got) (out []uint64) {
	for _, r := range recs {
		out = append(out, r.ID)
	}
	return out
}

// chunkAt is chunk i of a file.
func chunkAt(data []byte, i int) []byte {
	return data[fileHeaderSize+i*chunkSize:][:chunkSize]
}

// recordAt is the offset of record i within a chunk.
func recordAt(chunk []byte, i int) int {
	pos := chunkHeaderSize
	for range i {
		pos += int(le32(chunk[pos+4:]))
	}
	return pos
}

// TestDamage has a kind of damage a case: how it is done to a file of three
// chunks with ten records each, what is reported, and which records survive.
func TestDamage(t *testing.T) {
	le := binary.LittleEndian
	span := func(from, to uint64) (out []uint64) {
		for i := from; i <= to; i++ {
			out = append(out, i)
		}
		return out
	}
	without := func(skip ...uint64) (out []uint64) {
		for i := uint64(1); i <= 30; i++ {
			if !slices.Contains(skip, i) {
				out = append(out, i)
			}
		}
		return out
	}
	type result struct {
		damage []string // parts of the messages, in order
		ids    []uint64
		marked func(int, got) bool // records that must be marked so, others not
	}
	none := func(int, got) bool { return false }
	f := func(name string, opt Options, harm func(b []byte) []byte, want result) {
		t.Run(name, func(t *testing.T) {
			recs, damage := readAll(t, harm(sampleLog(3, 10)), opt)
			if len(damage) != len(want.damage) {
				t.Fatalf("damage %v, want %d", damage, len(want.damage))
			}
			for i, d := range damage {
				if !strings.Contains(d.Error(), want.damage[i]) {
					t.Errorf("damage %q, want %q", d, want.damage[i])
				}
			}
			if fmt.Sprint(ids(recs)) != fmt.Sprint(want.ids) {
				t.Errorf("records %v, want %v", ids(recs), want.ids)
			}
			for i, r := range recs {
				if m := want.marked(i, r); m != (r.Suspect || r.Recovered) {
					t.Errorf("record %d: suspect %v, recovered %v", r.ID, r.Suspect, r.Recovered)
				}
			}
		})
	}
	second := func(_ int, g got) bool { return g.ID > 10 && g.ID <= 20 }

	f("none", Options{}, func(b []byte) []byte { return b }, result{nil, span(1, 30), none})
	f("none, recovering", Options{Recover: true}, func(b []byte) []byte { return b }, result{nil, span(1, 30), none})
	f("file header", Options{}, func(b []byte) []byte { b[20] ^= 1; return b },
		result{[]string{"file header at 0x0: wrong checksum"}, span(1, 30), none})
	f("chunk signature", Options{}, func(b []byte) []byte { chunkAt(b, 1)[0] = 'e'; return b },
		result{[]string{"chunk 1: chunk at 0x11000: no ElfChnk signature"}, append(span(1, 10), span(21, 30)...), none})
	f("chunk signature, recovering", Options{Recover: true}, func(b []byte) []byte { chunkAt(b, 1)[0] = 'e'; return b },
		result{[]string{"no ElfChnk signature"}, span(1, 30), second})
	f("chunk header", Options{}, func(b []byte) []byte { chunkAt(b, 1)[200] ^= 1; return b },
		result{[]string{"chunk 1: checksum at 0x11000: wrong checksum of the chunk header"}, span(1, 30), second})
	f("free space offset", Options{}, func(b []byte) []byte {
		c := chunkAt(b, 1)
		le.PutUint32(c[48:], 3)
		crc := crc32.ChecksumIEEE(c[:120])
		le.PutUint32(c[124:], crc32.Update(crc, crc32.IEEETable, c[128:chunkHeaderSize]))
		return b
	}, result{[]string{"free space offset 3 lies in the header"}, span(1, 30), none})
	f("content", Options{}, func(b []byte) []byte { c := chunkAt(b, 1); c[recordAt(c, 4)-12] ^= 1; return b },
		result{[]string{"chunk 1: checksum at 0x11200: wrong checksum of the event records"}, span(1, 30), second})
	f("record signature", Options{}, func(b []byte) []byte { c := chunkAt(b, 1); c[recordAt(c, 4)] = 0; return b },
		result{[]string{"wrong checksum of the event records", "no record signature"}, without(15), second})
	f("record size", Options{}, func(b []byte) []byte { c := chunkAt(b, 1); c[recordAt(c, 4)+6] = 9; return b },
		result{[]string{"wrong checksum", "record 15 at"}, without(15), second})
	f("copy of the record size", Options{}, func(b []byte) []byte { c := chunkAt(b, 1); c[recordAt(c, 5)-4] ^= 8; return b },
		result{[]string{"wrong checksum", "its content decodes"}, span(1, 30), second})
	f("binary XML", Options{}, func(b []byte) []byte { c := chunkAt(b, 1); c[recordAt(c, 4)+24] = 0x33; return b },
		result{[]string{"wrong checksum", "record 15 at 0x12"}, without(15), second})
	f("template identifier", Options{}, func(b []byte) []byte { c := chunkAt(b, 1); c[recordAt(c, 4)+24+6] ^= 1; return b },
		result{[]string{"wrong checksum", errTemplateID.Error()}, without(15), second})
	f("cut in a record", Options{}, func(b []byte) []byte {
		return b[:fileHeaderSize+2*chunkSize+recordAt(chunkAt(b, 2), 4)+50]
	}, result{[]string{"the file ends", "reaches beyond the chunk"}, span(1, 24), func(_ int, g got) bool { return g.ID > 20 }})
	f("cut in a chunk header", Options{}, func(b []byte) []byte { return b[:fileHeaderSize+2*chunkSize+100] },
		result{[]string{"the file ends 100 bytes into the chunk"}, span(1, 20), none})
	f("cut between chunks", Options{}, func(b []byte) []byte { return b[:fileHeaderSize+2*chunkSize] }, result{nil, span(1, 20), none})
	f("chunk repeated", Options{}, func(b []byte) []byte { return append(b, chunkAt(b, 0)...) },
		result{nil, append(span(1, 30), span(1, 10)...), func(i int, _ got) bool { return i >= 30 }})
	f("zeroed chunk", Options{}, func(b []byte) []byte { clear(chunkAt(b, 1)); return b },
		result{[]string{"the chunk is empty, though the header counts it"}, append(span(1, 10), span(21, 30)...), none})
	f("no file header, recovering", Options{Recover: true}, func(b []byte) []byte { return b[fileHeaderSize:] },
		result{[]string{"no ElfFile signature"}, span(1, 30), none})
	f("zeroed file header, recovering", Options{Recover: true}, func(b []byte) []byte { clear(b[:fileHeaderSize]); return b },
		result{[]string{"no ElfFile signature"}, span(1, 30), none})
	f("shifted chunk, recovering", Options{Recover: true}, func(b []byte) []byte {
		at := fileHeaderSize + chunkSize
		return append(append(bytes.Clone(b[:at]), make([]byte, 1000)...), b[at:]...)
	}, result{[]string{"no ElfChnk signature"}, span(1, 30), none})
}

// unsealed is a file with records behind the count of a chunk, and a chunk
// behind the count of the file, as a running log service leaves them.
func unsealed(flags uint32, gap int) []byte {
	w := newChunk()
	add := func(id uint64) { w.record(id, testTime, event(id, 4688, process("p")), "4688") }
	for id := uint64(1); id <= 5; id++ {
		add(id)
	}
	b := w.bytes()
	w.b = append(w.b, make([]byte, gap)...)
	for id := uint64(6); id <= 8; id++ {
		add(id)
	}
	copy(b[chunkHeaderSize:], w.b[chunkHeaderSize:])
	x := newChunk()
	x.record(9, testTime, event(9, 4688, process("q")), "4688")
	return fileBytes(flags, 1, b, x.bytes(), make([]byte, chunkSize))
}

func TestUncountedRecords(t *testing.T) {
	f := func(name string, data []byte, opt Options, want ...uint64) {
		t.Helper()
		recs, damage := readAll(t, data, opt)
		if fmt.Sprint(ids(recs)) != fmt.Sprint(want) || len(damage) > 0 {
			t.Errorf("%s: records %v, want %v; damage %v", name, ids(recs), want, damage)
		}
		for _, r := range recs {
			if r.Recovered != (r.ID >= 6 && (r.ID <= 8 || opt.Recover || name == "clean" || name == "clean with a gap")) && r.ID != 9 {
				t.Errorf("%s: record %d: recovered %v", name, r.ID, r.Recovered)
			}
			if !strings.Contains(r.Fields, "\nParentProcessName=C:\\Windows\\explorer.exe\n") {
				t.Errorf("%s: record %d: %s", name, r.ID, r.Fields)
			}
		}
	}
	f("clean", unsealed(0, 0), Options{}, 1, 2, 3, 4, 5, 9)
	f("dirty", unsealed(1, 0), Options{}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	f("dirty with a gap", unsealed(1, 64), Options{}, 1, 2, 3, 4, 5, 9)
	f("clean with a gap", unsealed(0, 64), Options{Recover: true}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
}

// TestImitatedRecord: text within a record cannot pass for a record unless
// what surrounds it is damaged, and then it is marked.
func TestImitatedRecord(t *testing.T) {
	w := newChunk()
	w.record(99, testTime, event(99, 1, process("forged")), "4688")
	forged := w.b[chunkHeaderSize:]
	w = newChunk()
	carrier := fragment{root: elem("EventData", elem("Binary", sub{i: 0})), vals: []any{val{TypeBinary, forged}}}
	w.record(1, testTime, event(1, 1, carrier), "carrier")
	w.record(2, testTime, event(2, 1, carrier), "carrier")
	data := fileBytes(0, 1, w.bytes())
	if recs, _ := readAll(t, data, Options{}); fmt.Sprint(ids(recs)) != "[1 2]" {
		t.Fatalf("records %v", ids(recs))
	}
	chunkAt(data, 0)[chunkHeaderSize] = 0
	recs, damage := readAll(t, data, Options{})
	for _, r := range recs {
		if !r.Suspect {
			t.Errorf("record %d is not marked", r.ID)
		}
	}
	if len(damage) == 0 {
		t.Error("no damage named")
	}
}

type flaky struct {
	*bytes.Reader
	bad int64
}

func (f flaky) ReadAt(b []byte, off int64) (int, error) {
	if off == f.bad {
		return 0, io.ErrNoProgress
	}
	return f.Reader.ReadAt(b, off)
}

func TestUnreadableSector(t *testing.T) {
	data := sampleLog(3, 10)
	r, err := NewReader(flaky{bytes.NewReader(data), fileHeaderSize + chunkSize}, int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, bad := 0, 0
	for {
		_, err := r.Next()
		if err == io.EOF {
			break
		}
		var d *Damage
		if errors.As(err, &d) && errors.Is(err, io.ErrNoProgress) && d.Chunk == 1 {
			bad++
		} else if err != nil {
			t.Fatal(err)
		} else {
			n++
		}
	}
	if n != 20 || bad != 1 {
		t.Errorf("%d records, %d unreadable chunks", n, bad)
	}
}

// TestOtherChunksSurvive: whatever happens to one chunk, every record of the
// others is read with the same fields.
func TestOtherChunksSurvive(t *testing.T) {
	whole, _ := readAll(t, sampleLog(4, 12), Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		data := sampleLog(4, 12)
		hit := rng.IntN(4)
		mutate(rng, chunkAt(data, hit))
		recs, _ := readAll(t, data, Options{Recover: round%2 == 0})
		seen := map[got]bool{}
		for _, r := range recs {
			seen[r] = true
		}
		for i, r := range whole {
			if i/12 != hit && !seen[r] {
				t.Fatalf("round %d, chunk %d harmed: record %d of chunk %d is lost", round, hit, r.ID, i/12)
			}
		}
	}
}

// mutate harms b in one of the ways that disks and attackers do.
func mutate(rng *rand.Rand, b []byte) {
	at := rng.IntN(len(b))
	n := min(1+rng.IntN(4096), len(b)-at)
	switch rng.IntN(6) {
	case 0:
		for range 1 + rng.IntN(50) {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
	case 1:
		clear(b[at : at+n])
	case 2:
		copy(b[at:at+n], b[rng.IntN(len(b)-n+1):])
	case 3:
		for i := at; i < at+n; i++ {
			b[i] = byte(rng.Uint32())
		}
	case 4: // one field of a structure, where it hurts
		pos := recordAt(b, rng.IntN(3))
		le := binary.LittleEndian
		le.PutUint32(b[pos+4*rng.IntN(24):], []uint32{0, 1, 0xffff, 0xffffffff, 0x200, 0xfff0, uint32(pos)}[rng.IntN(7)])
	case 5:
		clear(b[at:])
	}
	if rng.IntN(2) == 0 && le32(b[48:]) >= chunkHeaderSize && le32(b[48:]) <= chunkSize {
		sealChunk(b) // harm that checksums do not tell
	}
}

// TestMutatedFiles reads files harmed all over, cut and repeated.
func TestMutatedFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	whole := sampleLog(2, 60)
	for range 200 {
		data := bytes.Clone(whole)
		for range 1 + rng.IntN(3) {
			mutate(rng, chunkAt(data, rng.IntN(2)))
		}
		switch rng.IntN(4) {
		case 0:
			data = data[:fileHeaderSize+rng.IntN(len(data)-fileHeaderSize)]
		case 1:
			data = append(data, data[fileHeaderSize:]...)
		}
		readAll(t, data, Options{Recover: rng.IntN(2) == 0})
	}
}
