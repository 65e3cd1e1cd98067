package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"vigil/internal/detect"
	"vigil/internal/ingest"
	"vigil/internal/ingest/stream"
	"vigil/internal/ledger"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Repair is something that start-up refuses and a person decides to mend.
type Repair int

// The repairs.
const (
	MissingEntries Repair = iota // the database is older than the ledger
	OlderLedger                  // the ledger is older than the database
	OtherStream                  // the event stream is not the one that the cursors know
)

// ErrNothingToMend means that start-up refuses nothing of that kind.
var ErrNothingToMend = errors.New("nothing to mend")

// Mend does one repair on a data directory that no server has open, and says what it did.
func Mend(ctx context.Context, c Config, what Repair, reason string) (string, error) {
	a := &App{Config: c, Clock: &Clock{}}
	defer a.Close()
	lc, err := a.ledgerConfig()
	if err != nil {
		return "", err
	}
	id := ""
	if a.policy = lc.Policy; a.policy != nil {
		id = a.policy.ID()
	}
	if a.Store, err = store.Open(ctx, store.Options{Dir: filepath.Join(c.Dir, "store"), Schemas: schemas(), Now: a.Clock.Now, Policy: id}); err != nil {
		return "", err
	}
	a.close = append(a.close, func() { logged("closing the records", a.Store.Close()) })
	act := store.Act{Reader: marking.System("repair"), Actor: "operator", Subject: "record", Purpose: reason}
	if what == OlderLedger {
		return a.rebuildLedger(ctx, lc)
	}
	lc.MustExist = true
	if a.Log, err = ledger.Open(ctx, lc); err != nil {
		return "", err
	}
	a.close = append(a.close, func() { logged("closing the record of decisions", a.Log.Close()) })
	err = a.Store.Reconcile(ctx, a.Log)
	if what == MissingEntries {
		if err == nil {
			return "", ErrNothingToMend
		}
		if !errors.Is(err, store.ErrDatabaseOlder) {
			return "", err
		}
		act.Action = "record.restored"
		n, err := a.Store.TakeMissing(ctx, a.Log, act)
		if err != nil {
			return "", err
		}
		if err := a.Store.Reconcile(ctx, a.Log); err != nil {
			return "", err
		}
		_, err = a.Store.AppendWaiting(ctx, a.Log, 1<<20)
		return fmt.Sprintf("%d entries were taken in as contents lost", n), err
	}
	if err != nil {
		return "", err
	}
	return a.resetStream(ctx, act)
}

func (a *App) resetStream(ctx context.Context, act store.Act) (string, error) {
	s, err := stream.Open(ctx, stream.Config{Dir: filepath.Join(a.Dir, "stream"), Retention: a.Retention})
	if err != nil {
		return "", err
	}
	a.close = append(a.close, s.Close)
	r, err := ingest.OpenRegister(ctx, a.Store, "")
	if err != nil {
		return "", err
	}
	d := detect.New(a.Store, s, r)
	err = d.Check(ctx)
	if err == nil {
		return "", ErrNothingToMend
	}
	if !errors.Is(err, stream.ErrOtherStream) {
		return "", err
	}
	act.Action, act.Subject = "stream.reset", "event stream"
	if err := d.ResetCursors(ctx, act); err != nil {
		return "", err
	}
	_, err = a.Store.AppendWaiting(ctx, a.Log, 1<<20)
	return "the cursors stand at the beginning of the event stream", err
}

// rebuildLedger writes the ledger anew from the leaves that the database keeps. What comes out must be consistent with the
// last checkpoint that witnesses have signed, of which the directory has a copy; the old files are kept beside it.
func (a *App) rebuildLedger(ctx context.Context, lc ledger.Config) (string, error) {
	n := 0
	leaves := iter.Seq2[[]byte, error](func(yield func([]byte, error) bool) {
		n = 0
		err := a.Store.Leaves(ctx, func(_ uint64, raw []byte) error {
			n++
			if !yield(raw, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	})
	if err := ledger.Rebuild(ctx, lc, leaves, nil, nil); err != nil {
		return "", err
	}
	return fmt.Sprintf("the ledger was rebuilt from %d leaves; the old files are kept beside it", n), nil
}
