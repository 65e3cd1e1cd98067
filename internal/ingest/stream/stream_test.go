package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

var t0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func lines(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, `{"n":%d,"text":"an ordinary event of an ordinary host"}`, i)
	}
	return out
}

func open(t testing.TB, dir string) *Stream {
	t.Helper()
	s, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestEventsComeBackInOrderAcrossRestart(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	s := open(t, dir)
	in := lines(1000)
	if rep, err := s.Publish(ctx, "source--a", "b1", t0, in); err != nil || rep {
		t.Fatal(rep, err)
	}
	// A retry of an acknowledged batch appends nothing, also after a restart.
	if rep, err := s.Publish(ctx, "source--a", "b1", t0, in); err != nil || !rep {
		t.Fatalf("repeated = %v, %v", rep, err)
	}
	p := s.Partition("source--a")
	id := s.ID(p)
	s.Close()
	s = open(t, dir)
	if s.ID(p) != id {
		t.Error("the stream has another identity after a restart")
	}
	if rep, err := s.Publish(ctx, "source--a", "b1", t0, in); err != nil || !rep {
		t.Fatalf("after a restart: repeated = %v, %v", rep, err)
	}
	_, last, err := s.Bounds(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(ctx, p, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	n := 0
	for seq := uint64(1); seq <= last; seq++ {
		m, err := r.Next(ctx, nil)
		if err != nil || m.Seq != seq || m.Source != "source--a" || !m.Received.Equal(t0) {
			t.Fatalf("message %d: %+v %v", seq, m, err)
		}
		for _, ev := range m.Events() {
			if !bytes.Equal(ev, in[n]) {
				t.Fatalf("event %d is %s", n, ev)
			}
			n++
		}
	}
	if n != len(in) {
		t.Errorf("%d events came back, want %d", n, len(in))
	}
	for _, c := range []struct {
		id   string
		pos  int64
		fits bool
	}{{"", 0, true}, {id, int64(last), true}, {id, int64(last) + 1, false}, {"another", 1, false}} {
		if err := s.Check(ctx, p, c.id, c.pos); (err == nil) != c.fits || err != nil && !errors.Is(err, ErrOtherStream) {
			t.Errorf("cursor %q at %d: %v", c.id, c.pos, err)
		}
	}
}

func TestFullStreamRefuses(t *testing.T) {
	s, err := Open(context.Background(), Config{Dir: t.TempDir(), MaxBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 200 {
		if _, err := s.Publish(context.Background(), "a", "", t0, [][]byte{fmt.Appendf(nil, "%d", i)}); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			return
		}
	}
	t.Error("a stream of 4 KiB took 200 messages")
}

func FuzzUnpack(f *testing.F) {
	packed, _, err := pack("source--a", t0, lines(3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _, err := unpack(b, nil)
		if err != nil {
			return
		}
		n := 0
		for range m.Events() {
			n++
		}
		if n != m.Count {
			t.Fatalf("%d events, the header says %d", n, m.Count)
		}
	})
}

func BenchmarkPublishDurable(b *testing.B) {
	s := open(b, b.TempDir())
	in := lines(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Publish(context.Background(), "a", "", t0, in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}
