package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"vigil/internal/ledger/leaf"
)

// tape is a ledger in memory, which can stop before it says where the leaves stand.
type tape struct {
	leaves [][]byte
	crash  bool
}

var errCrash = errors.New("the power went")

func (l *tape) AppendBatch(_ context.Context, batch [][]byte) ([]uint64, error) {
	var idx []uint64
	for _, b := range batch {
		idx = append(idx, uint64(len(l.leaves)))
		l.leaves = append(l.leaves, append([]byte{}, b...))
	}
	if l.crash {
		return nil, errCrash
	}
	return idx, nil
}

func (l *tape) Size(context.Context) (uint64, error) { return uint64(len(l.leaves)), nil }

func (l *tape) Leaf(_ context.Context, i uint64) ([]byte, error) { return l.leaves[i], nil }

func (l *tape) Scan(_ context.Context, from uint64, f func(uint64, []byte) error) error {
	for i := from; i < uint64(len(l.leaves)); i++ {
		if err := f(i, l.leaves[i]); err != nil {
			return err
		}
	}
	return nil
}

// genesis is a ledger that holds its own first leaf.
func genesis(t testing.TB) *tape {
	t.Helper()
	raw, err := leaf.New(0, "ledger.genesis", "p-ledger", "", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), [32]byte{}, nil).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return &tape{leaves: [][]byte{raw}}
}

func enter(t testing.TB, s *Store, n int) {
	t.Helper()
	for range n {
		if _, err := s.Record(context.Background(), act("test.act"), nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCrashBetweenAppendAndNote(t *testing.T) {
	s, l, ctx := open(t), genesis(t), context.Background()
	enter(t, s, 3)
	if n, err := s.AppendWaiting(ctx, l, 2); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	enter(t, s, 2)
	l.crash = true
	if _, err := s.AppendWaiting(ctx, l, 2); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	l.crash = false
	if err := s.Reconcile(ctx, l); err != nil {
		t.Fatal(err)
	}
	if n, err := s.AppendWaiting(ctx, l, 10); n != 1 || err != nil {
		t.Fatalf("%d were still to append, want 1 (%v)", n, err)
	}
	if len(l.leaves) != 6 {
		t.Fatalf("the ledger holds %d leaves, want its own and 5", len(l.leaves))
	}
	for i, raw := range l.leaves {
		if got, err := leaf.Parse(raw); err != nil || got.Seq != uint64(i) {
			t.Errorf("leaf %d is entry %d (%v)", i, got.Seq, err)
		}
	}
	if err := s.Reconcile(ctx, l); err != nil {
		t.Errorf("reconciling twice: %v", err)
	}
}

func TestReconcileRefusesWhatDoesNotFit(t *testing.T) {
	ctx := context.Background()
	whole := func(t *testing.T) (*Store, *tape) {
		s, l := open(t), genesis(t)
		enter(t, s, 4)
		if _, err := s.AppendWaiting(ctx, l, 10); err != nil {
			t.Fatal(err)
		}
		return s, l
	}
	t.Run("the ledger is older", func(t *testing.T) {
		s, l := whole(t)
		l.leaves = l.leaves[:3]
		if err := s.Reconcile(ctx, l); !errors.Is(err, ErrLedgerOlder) {
			t.Error(err)
		}
	})
	t.Run("the last known leaf has other bytes", func(t *testing.T) {
		s, l := whole(t)
		l.leaves[4] = l.leaves[3]
		if err := s.Reconcile(ctx, l); !errors.Is(err, ErrLedgerDiffers) {
			t.Error(err)
		}
	})
	t.Run("an entry stands twice", func(t *testing.T) {
		s, l := whole(t)
		l.leaves = append(l.leaves, l.leaves[2])
		if err := s.Reconcile(ctx, l); !errors.Is(err, ErrLedgerDiffers) {
			t.Error(err)
		}
	})
	t.Run("an unnoted entry stands twice", func(t *testing.T) {
		s, l := whole(t)
		enter(t, s, 1)
		l.crash = true
		s.AppendWaiting(ctx, l, 1)
		s.AppendWaiting(ctx, l, 1)
		if err := s.Reconcile(ctx, l); !errors.Is(err, ErrLedgerDiffers) {
			t.Error(err)
		}
	})
	t.Run("what is no leaf", func(t *testing.T) {
		s, l := whole(t)
		l.leaves = append(l.leaves, []byte("not a leaf"))
		if err := s.Reconcile(ctx, l); !errors.Is(err, ErrLedgerDiffers) {
			t.Error(err)
		}
	})
}

func TestDatabaseOlderThanLedger(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	c := &clock{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	at := func(name string) *Store {
		s, err := Open(ctx, Options{Dir: filepath.Join(dir, name), Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	s, l := at("newer"), genesis(t)
	enter(t, s, 5)
	if _, err := s.AppendWaiting(ctx, l, 10); err != nil {
		t.Fatal(err)
	}
	// A database that knows of none of the five.
	old := at("older")
	if err := old.Reconcile(ctx, l); !errors.Is(err, ErrDatabaseOlder) {
		t.Fatal(err)
	}
	n, err := old.TakeMissing(ctx, l, act("store.restore"))
	if n != 5 || err != nil {
		t.Fatal(n, err)
	}
	if err := old.Reconcile(ctx, l); err != nil {
		t.Fatalf("after the repair: %v", err)
	}
	if n, err := old.AppendWaiting(ctx, l, 10); n != 1 || err != nil {
		t.Errorf("%d entries wait, want the repair's own (%v)", n, err)
	}
	if n, err := old.TakeMissing(ctx, l, act("store.restore")); n != 0 || err != nil {
		t.Errorf("taking in twice: %d (%v)", n, err)
	}
}
