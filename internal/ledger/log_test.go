package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/verify"
)

const origin = "record.halvern.example/decisions"

func TestMain(m *testing.M) {
	if crashChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// setup opens a rehearsal ledger in a fresh directory. change may alter the configuration.
func setup(t testing.TB, change func(*Config)) (*Log, Config) {
	t.Helper()
	dir := t.TempDir()
	r, err := Rehearse(dir+"/witnesses", origin, []byte("a seed of the test, not a secret"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dir: dir + "/ledger", Origin: origin, Signer: r.Signer, Policy: r.Policy, Witnesses: r.Witnesses, WitnessInterval: 10 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	l := open(t, cfg)
	t.Cleanup(func() { _ = r.Close() }) // after the Log: cleanups run last in, first out, and l's was registered by open
	return l, cfg
}

func open(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func entry(t testing.TB, seq uint64, policy string) []byte {
	t.Helper()
	b, err := NewLeaf(seq, "incident.note", "p-7f3a", policy, time.Date(2026, 3, 1, 4, 0, 0, int(seq), time.UTC), [32]byte{1, byte(seq)},
		[]Field{{Name: "text", Value: fmt.Appendf(nil, "note %d", seq)}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func awaitCtx(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAppendedEntriesAreThereAtOnceAndWitnessedSoon(t *testing.T) {
	l, cfg := setup(t, nil)
	ctx := awaitCtx(t)
	b := entry(t, 1, l.PolicyID())
	idx, err := l.Append(ctx, b)
	if err != nil || idx != 1 {
		t.Fatalf("first entry after the genesis: index %d, %v", idx, err)
	}
	got, err := l.Leaf(ctx, idx)
	if err != nil || !bytes.Equal(got, b) {
		t.Fatalf("entry read back: %v\n%s", err, got)
	}
	if err := l.Await(ctx, idx); err != nil {
		t.Fatal(err)
	}
	s := l.Witnessed()
	if s.Have != 2 || s.Need != 2 || !s.Rehearsal || s.Newest.IsZero() || !s.Met() || s.Size < 2 {
		t.Errorf("state %+v", s)
	}
	r, err := l.Receipt(ctx, idx)
	if err != nil {
		t.Fatal(err)
	}
	again, err := verify.ParseReceipt(r.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	v, err := verify.VerifyReceipt(cfg.Policy, b, again, time.Now())
	if err != nil || v.Have != 2 || !v.Rehearsal {
		t.Errorf("receipt: %v, %+v", err, v)
	}
	if _, err := verify.VerifyReceipt(cfg.Policy, entry(t, 2, ""), again, time.Now()); !errors.Is(err, verify.ErrNotIncluded) {
		t.Errorf("another entry with the same receipt: %v", err)
	}
	if _, err := verify.VerifyReceipt(cfg.Policy, b, again, time.Now().Add(48*time.Hour)); !errors.Is(err, policy.ErrStale) {
		t.Errorf("the receipt two days later: %v", err)
	}
}

func TestConcurrentAppendsAreAllKeptOnce(t *testing.T) {
	l, _ := setup(t, nil)
	const n = 300
	idx := make([]uint64, n)
	var wg sync.WaitGroup
	for i := range n {
		b := entry(t, uint64(i+1), l.PolicyID())
		wg.Go(func() {
			var err error
			if idx[i], err = l.Append(t.Context(), b); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	tail, err := l.Tail(t.Context(), 1)
	if err != nil || len(tail) != n {
		t.Fatalf("%d entries, %v", len(tail), err)
	}
	for _, p := range tail {
		if idx[p.Seq-1] != p.Index {
			t.Errorf("seq %d was told index %d and stands at %d", p.Seq, idx[p.Seq-1], p.Index)
		}
	}
	slices.Sort(idx)
	for i, x := range idx {
		if x != uint64(i+1) {
			t.Fatalf("indices %v", idx)
		}
	}
}

func TestReopenedLogGoesOn(t *testing.T) {
	l, cfg := setup(t, nil)
	var all [][]byte
	for i := range 600 {
		all = append(all, entry(t, uint64(i+1), l.PolicyID()))
	}
	if _, err := l.AppendBatch(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := l.Await(awaitCtx(t), 600); err != nil {
		t.Fatal(err)
	}
	old, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), all[0]); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	l = open(t, cfg)
	if n, err := l.Size(t.Context()); n != 601 || err != nil {
		t.Fatalf("size %d, %v", n, err)
	}
	if s := l.Witnessed(); s.Have != 2 || s.Size != 601 {
		t.Errorf("what was witnessed before is forgotten: %+v", s)
	}
	if idx, err := l.Append(t.Context(), entry(t, 601, l.PolicyID())); idx != 601 || err != nil {
		t.Fatalf("index %d, %v", idx, err)
	}
	if err := l.Consistency(t.Context(), old); err != nil {
		t.Error(err)
	}
	old.Root[0] ^= 1
	if err := l.Consistency(t.Context(), old); !errors.Is(err, ErrForked) {
		t.Errorf("changed root: %v", err)
	}
	old.Size = 10000
	if err := l.Consistency(t.Context(), old); !errors.Is(err, ErrOlder) {
		t.Errorf("larger size: %v", err)
	}
	var seen uint64
	stop := errors.New("enough")
	if err := l.Scan(t.Context(), 250, func(idx uint64, b []byte) error {
		if idx != 250+seen || !bytes.Equal(b, all[idx-1]) {
			t.Fatalf("entry %d differs", idx)
		}
		if seen++; seen == 20 {
			return stop
		}
		return nil
	}); err != stop || seen != 20 {
		t.Errorf("scan gave %v after %d", err, seen)
	}
}

func TestOneAppenderOnly(t *testing.T) {
	_, cfg := setup(t, nil)
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
}

func BenchmarkAppendOne(b *testing.B) {
	l, _ := setup(b, func(c *Config) { c.Witnesses = nil })
	for i := 0; b.Loop(); i++ {
		if _, err := l.Append(b.Context(), entry(b, uint64(i+1), l.PolicyID())); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBatch2000(b *testing.B) {
	l, _ := setup(b, func(c *Config) { c.Witnesses = nil })
	leaves := make([][]byte, 2000)
	for i := range leaves {
		leaves[i] = entry(b, uint64(i+1), l.PolicyID())
	}
	n := 0
	for b.Loop() {
		if _, err := l.AppendBatch(b.Context(), leaves); err != nil {
			b.Fatal(err)
		}
		n += len(leaves)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkAppend32Callers(b *testing.B) {
	l, _ := setup(b, func(c *Config) { c.Witnesses = nil })
	leaf := entry(b, 1, l.PolicyID())
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(b.Context(), leaf); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkUntilWitnessed(b *testing.B) {
	l, _ := setup(b, func(c *Config) { c.WitnessInterval = 0 })
	for i := 0; b.Loop(); i++ {
		idx, err := l.Append(b.Context(), entry(b, uint64(i+1), l.PolicyID()))
		if err == nil {
			err = l.Await(b.Context(), idx)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
