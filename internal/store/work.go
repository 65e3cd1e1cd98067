package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"vigil/internal/marking"
)

// Lease is the right to do one piece of background work. Its epoch fences: work under an older epoch is refused.
type Lease struct {
	Name  string
	Epoch int64
	Until time.Time
}

// Acquire takes the lease of that name for holder, or renews it where holder has it, until now+ttl. The second result
// is false where somebody else holds it. A lease that changes hands gets the next epoch.
func (s *Store) Acquire(ctx context.Context, name, holder string, now time.Time, ttl time.Duration) (Lease, bool, error) {
	l := Lease{Name: name, Until: now.Add(ttl)}
	got := false
	err := s.write(ctx, true, func(w *writeTx) error {
		var who string
		var until int64
		err := w.tx.QueryRowContext(ctx, `SELECT holder, epoch, until FROM lease WHERE name=?`, name).Scan(&who, &l.Epoch, &until)
		switch {
		case err == sql.ErrNoRows:
			l.Epoch = 1
		case err != nil:
			return err
		case who == holder:
		case until > now.UnixNano():
			return nil
		default:
			l.Epoch++
		}
		got = true
		_, err = w.tx.ExecContext(ctx, `INSERT INTO lease VALUES(?,?,?,?) ON CONFLICT(name) DO UPDATE SET holder=excluded.holder, epoch=excluded.epoch, until=excluded.until`,
			name, holder, l.Epoch, l.Until.UnixNano())
		return err
	})
	if err != nil {
		return Lease{}, false, fmt.Errorf("taking the lease %s: %w", name, err)
	}
	return l, got, nil
}

// WorkTx is a write transaction that reaches rows only.
type WorkTx struct{ w *writeTx }

// Work runs f in a transaction that writes rows only and leaves no entry: machine state that follows from what is on
// the record. A zero Lease does not fence; otherwise the transaction fails with ErrFenced once the lease has moved on.
func (s *Store) Work(ctx context.Context, lease Lease, f func(*WorkTx) error) error {
	return s.write(ctx, true, func(w *writeTx) error {
		if lease.Name != "" {
			var epoch int64
			err := w.tx.QueryRowContext(ctx, `SELECT epoch FROM lease WHERE name=?`, lease.Name).Scan(&epoch)
			if err != nil && err != sql.ErrNoRows {
				return err
			}
			if epoch != lease.Epoch {
				return fmt.Errorf("%w: %s is at epoch %d, this work has %d", ErrFenced, lease.Name, epoch, lease.Epoch)
			}
		}
		return f(&WorkTx{w})
	})
}

// Exec runs a statement on rows.
func (t *WorkTx) Exec(query string, args ...any) (sql.Result, error) { return t.w.exec(query, args...) }

// Query reads rows inside the transaction.
func (t *WorkTx) Query(query string, args ...any) (*sql.Rows, error) {
	return t.w.query(query, args...)
}

// QueryRow reads one row inside the transaction.
func (t *WorkTx) QueryRow(query string, args ...any) *Row1 { return t.w.queryRow(query, args...) }

// Mark numbers a label, for a row's column mid.
func (t *WorkTx) Mark(l marking.Label) (int64, error) { return t.w.intern(l) }

// Label is the label behind a number.
func (t *WorkTx) Label(mid int64) marking.Label { return t.w.labelOf(mid) }

// Now is the domain's time.
func (t *WorkTx) Now() time.Time { return t.w.s.Now() }

// Advance moves a cursor over a stream from one position to the next. It is an error, and so rolls the transaction
// back, where the cursor does not stand at from: somebody else has moved it, or the stream is another one.
func (t *WorkTx) Advance(name, stream string, from, to int64) error {
	return t.w.advance(name, stream, from, to)
}

// Advance is WorkTx.Advance inside an act that goes on the record.
func (t *Tx) Advance(name, stream string, from, to int64) error {
	return t.w.advance(name, stream, from, to)
}

func (w *writeTx) advance(name, stream string, from, to int64) error {
	if to < from {
		return fmt.Errorf("cursor %s: %d is before %d", name, to, from)
	}
	res, err := w.tx.ExecContext(w.ctx, `UPDATE cursor SET pos=? WHERE name=? AND stream=? AND pos=?`, to, name, stream, from)
	if err != nil {
		return fmt.Errorf("cursor %s: %w", name, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	if from == 0 {
		res, err := w.tx.ExecContext(w.ctx, `INSERT INTO cursor VALUES(?,?,?) ON CONFLICT DO NOTHING`, name, stream, to)
		if err != nil {
			return fmt.Errorf("cursor %s: %w", name, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
	}
	return fmt.Errorf("cursor %s does not stand at %d of stream %s", name, from, stream)
}

// Cursor tells where a cursor stands: the stream's identity and the last position that was taken in; "" and 0 where
// there is none yet.
func (s *Store) Cursor(ctx context.Context, name string) (stream string, pos int64, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT stream, pos FROM cursor WHERE name=?`, name).Scan(&stream, &pos)
	if err == sql.ErrNoRows {
		return "", 0, nil
	}
	return stream, pos, err
}

// ResetCursor puts a cursor at a position of another stream; the act says why, on the record.
func (t *Tx) ResetCursor(name, stream string, pos int64) error {
	_, err := t.w.tx.ExecContext(t.w.ctx, `INSERT INTO cursor VALUES(?,?,?) ON CONFLICT(name) DO UPDATE SET stream=excluded.stream, pos=excluded.pos`, name, stream, pos)
	return err
}

// Row1 is one row to scan; it keeps an error of the guard until then.
type Row1 struct {
	row *sql.Row
	err error
}

// Scan reads the row; ErrNotFound where there is none.
func (r *Row1) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(dest...)
	if err == sql.ErrNoRows {
		return ErrNotFound
	}
	return err
}

func (w *writeTx) exec(query string, args ...any) (sql.Result, error) {
	if err := w.s.guard.row(query); err != nil {
		return nil, err
	}
	return w.tx.ExecContext(w.ctx, query, args...)
}

func (w *writeTx) query(query string, args ...any) (*sql.Rows, error) {
	if err := w.s.guard.row(query); err != nil {
		return nil, err
	}
	return w.tx.QueryContext(w.ctx, query, args...)
}

func (w *writeTx) queryRow(query string, args ...any) *Row1 {
	if err := w.s.guard.row(query); err != nil {
		return &Row1{err: err}
	}
	return &Row1{row: w.tx.QueryRowContext(w.ctx, query, args...)}
}
