package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"vigil/internal/ledger/leaf"
	"vigil/internal/marking"
)

// Entry is one entry of the record as a reader cleared for its contents sees it.
type Entry struct {
	Seq     uint64
	At      time.Time
	Actor   string // the real id; the leaf has a pseudonym
	Action  string
	Subject string
	Purpose string
	Fields  []Field // all contents, in the order in which they were noted; nil where they were destroyed or lost
	Leaf    []byte
	Index   int64 // in the ledger's tree; -1 until appended
	Label   marking.Label
	// Salt opens the commitments; nil where destroyed.
	Salt []byte
}

const entryColumns = `r.mid, r.seq, r.at, r.actor, r.action, r.subject, r.salt, r.content, r.leaf, coalesce(r.idx, -1)`

func (v *View) scanEntry(row interface{ Scan(...any) error }) (int64, Entry, error) {
	var mid, seq, at int64
	var e Entry
	var content []byte
	if err := row.Scan(&mid, &seq, &at, &e.Actor, &e.Action, &e.Subject, &e.Salt, &content, &e.Leaf, &e.Index); err != nil {
		return 0, e, err
	}
	e.Seq, e.At, e.Label = uint64(seq), time.Unix(0, at).UTC(), v.s.marks.label(mid)
	if content != nil {
		if err := json.Unmarshal(content, &e.Fields); err != nil {
			return 0, e, fmt.Errorf("entry %d: %w", seq, err)
		}
	}
	for _, f := range e.Fields {
		if f.Name == "purpose" {
			e.Purpose = f.Value
		}
	}
	return mid, e, nil
}

// Entries is a question for entries of the record.
type Entries struct {
	Subject string // only those on this id
	Action  string // only those of this type, or where it ends in "*" with this beginning
	After   string // page token
	Limit   int
}

// EntryPage is a part of the record, newest first, and the token for the next part.
type EntryPage struct {
	Entries []marking.Released[Entry]
	Next    string
}

// Entries gives the part of the record whose contents the reader may see.
func (v *View) Entries(ctx context.Context, q Entries) (EntryPage, error) {
	q.Limit = limitOf(q.Limit)
	query := "record\x00" + q.Subject + "\x00" + q.Action
	before, paged, err := v.s.position(v.r, query, q.After)
	if err != nil {
		return EntryPage{}, err
	}
	if !paged {
		before = 1<<63 - 1
	}
	where, args := "r.seq<?", []any{before}
	if q.Subject != "" {
		where, args = where+" AND r.subject=?", append(args, q.Subject)
	}
	if n := len(q.Action); n > 0 && q.Action[n-1] == '*' {
		where, args = where+" AND r.action>=? AND r.action<?", append(args, q.Action[:n-1], q.Action[:n-1]+"\x7f")
	} else if n > 0 {
		where, args = where+" AND r.action=?", append(args, q.Action)
	}
	rows, err := v.s.readers.QueryContext(ctx, `SELECT `+entryColumns+` FROM record r WHERE `+where+
		` AND EXISTS(SELECT 1 FROM allow WHERE cid=? AND mid=r.mid) ORDER BY r.seq DESC LIMIT ?`, append(args, v.cid, q.Limit+1)...)
	if err != nil {
		return EntryPage{}, fmt.Errorf("reading the record: %w", err)
	}
	defer rows.Close()
	var p EntryPage
	var last uint64
	for rows.Next() {
		mid, e, err := v.scanEntry(rows)
		if err != nil {
			return EntryPage{}, fmt.Errorf("reading the record: %w", err)
		}
		if len(p.Entries) == q.Limit {
			p.Next = v.s.token(v.r, query, int64(last))
			break
		}
		last = e.Seq
		rel, err := pass(v, mid, e)
		if err != nil {
			return EntryPage{}, err
		}
		p.Entries = append(p.Entries, rel)
	}
	return p, rows.Err()
}

// Entry gives one entry; ErrNotFound where there is none whose contents the reader may see.
func (v *View) Entry(ctx context.Context, seq uint64) (marking.Released[Entry], error) {
	mid, e, err := v.scanEntry(v.s.readers.QueryRowContext(ctx, `SELECT `+entryColumns+` FROM record r WHERE r.seq=? AND EXISTS(SELECT 1 FROM allow WHERE cid=? AND mid=r.mid)`, int64(seq), v.cid))
	if err == sql.ErrNoRows {
		return marking.Released[Entry]{}, ErrNotFound
	} else if err != nil {
		return marking.Released[Entry]{}, fmt.Errorf("reading the record: %w", err)
	}
	return pass(v, mid, e)
}

// Log is the ledger as the store needs it; *ledger.Log is one.
type Log interface {
	// AppendBatch appends leaves, durably, and gives the index of each.
	AppendBatch(ctx context.Context, leaves [][]byte) ([]uint64, error)
	// Size is how many leaves the log holds.
	Size(ctx context.Context) (uint64, error)
	// Leaf gives the leaf at an index, and Scan all from an index on.
	Leaf(ctx context.Context, index uint64) ([]byte, error)
	Scan(ctx context.Context, from uint64, f func(index uint64, leaf []byte) error) error
}

// What Reconcile refuses. Each wants a person: see the guide's chapter on recovery.
var (
	ErrDatabaseOlder = errors.New("the database is older than the ledger: entries are missing; vigil restore takes them in as contents lost")
	ErrLedgerOlder   = errors.New("the ledger is older than the database: it must be rebuilt from the database and be consistent with the last witnessed checkpoint")
	ErrLedgerDiffers = errors.New("the ledger and the database do not belong together")
)

// Reconcile compares database and ledger before anything is served. What was appended but not noted is matched by its
// number and bytes, so that nothing is lost and nothing stands twice; what was not appended waits for Follow. Anything
// that does not fit is refused and named.
func (s *Store) Reconcile(ctx context.Context, log Log) error {
	size, err := log.Size(ctx)
	if err != nil {
		return fmt.Errorf("reading the ledger's size: %w", err)
	}
	if size > 0 {
		// Leaf 0 is the ledger's own; the database keeps a copy, so that the whole tree can be rebuilt from it.
		first, err := log.Leaf(ctx, 0)
		if err != nil {
			return fmt.Errorf("reading leaf 0: %w", err)
		}
		if _, err := s.writer.ExecContext(ctx, `INSERT INTO meta VALUES('leaf-0', ?) ON CONFLICT DO NOTHING`, first); err != nil {
			return err
		}
	}
	var top sql.NullInt64
	var known []byte
	err = s.writer.QueryRowContext(ctx, `SELECT idx, leaf FROM record WHERE idx IS NOT NULL ORDER BY idx DESC LIMIT 1`).Scan(&top, &known)
	if err != nil && err != sql.ErrNoRows {
		return err
	}
	from := uint64(0)
	if top.Valid {
		from = uint64(top.Int64) + 1
		if size < from {
			return fmt.Errorf("%w: %d leaves, the database knows of %d", ErrLedgerOlder, size, from)
		}
		have, err := log.Leaf(ctx, from-1)
		if err != nil {
			return fmt.Errorf("reading leaf %d: %w", from-1, err)
		}
		if string(have) != string(known) {
			return fmt.Errorf("%w: leaf %d has other bytes", ErrLedgerDiffers, from-1)
		}
	}
	found := map[int64]int64{}
	err = log.Scan(ctx, from, func(index uint64, raw []byte) error {
		l, err := leaf.Parse(raw)
		if err != nil {
			return fmt.Errorf("%w: leaf %d: %w", ErrLedgerDiffers, index, err)
		}
		if l.Seq == 0 {
			return nil // the genesis leaf and the ledger's own are not the database's
		}
		var mine []byte
		var idx sql.NullInt64
		err = s.writer.QueryRowContext(ctx, `SELECT leaf, idx FROM record WHERE seq=?`, int64(l.Seq)).Scan(&mine, &idx)
		switch {
		case err == sql.ErrNoRows:
			return fmt.Errorf("%w: leaf %d is entry %d", ErrDatabaseOlder, index, l.Seq)
		case err != nil:
			return err
		case string(mine) != string(raw) || idx.Valid:
			return fmt.Errorf("%w: leaf %d is entry %d with other bytes, or a second time", ErrLedgerDiffers, index, l.Seq)
		}
		if _, twice := found[int64(l.Seq)]; twice {
			return fmt.Errorf("%w: entry %d stands twice, again at leaf %d", ErrLedgerDiffers, l.Seq, index)
		}
		found[int64(l.Seq)] = int64(index)
		return nil
	})
	if err != nil {
		return err
	}
	return s.noteIndexes(ctx, found)
}

func (s *Store) noteIndexes(ctx context.Context, found map[int64]int64) error {
	if len(found) == 0 {
		return nil
	}
	return s.write(ctx, false, func(w *writeTx) error {
		for seq, idx := range found {
			if _, err := w.tx.ExecContext(ctx, `UPDATE record SET idx=? WHERE seq=? AND idx IS NULL`, idx, seq); err != nil {
				return fmt.Errorf("noting where entry %d stands: %w", seq, err)
			}
		}
		return nil
	})
}

// AppendWaiting appends what is not yet in the ledger, at most max entries, in the order of the record, and notes
// where each stands. It answers how many.
func (s *Store) AppendWaiting(ctx context.Context, log Log, max int) (int, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT seq, leaf FROM record WHERE idx IS NULL ORDER BY seq LIMIT ?`, max)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var seqs []int64
	var leaves [][]byte
	for rows.Next() {
		var seq int64
		var raw []byte
		if err := rows.Scan(&seq, &raw); err != nil {
			return 0, err
		}
		seqs, leaves = append(seqs, seq), append(leaves, raw)
	}
	if err := rows.Err(); err != nil || len(seqs) == 0 {
		return 0, err
	}
	idx, err := log.AppendBatch(ctx, leaves)
	if err != nil {
		return 0, fmt.Errorf("appending to the ledger: %w", err)
	}
	found := map[int64]int64{}
	for i, seq := range seqs {
		found[seq] = int64(idx[i])
	}
	return len(seqs), s.noteIndexes(ctx, found)
}

// Follow appends to the ledger whatever is entered on the record, until ctx ends. An error is the ledger's or the
// database's, and means that the process must stop.
func (s *Store) Follow(ctx context.Context, log Log) error {
	for {
		n, err := s.AppendWaiting(ctx, log, 256)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		select {
		case <-s.written:
		case <-ctx.Done():
			return nil
		}
	}
}

// Appended waits until an entry stands in the ledger, and gives its index.
func (s *Store) Appended(ctx context.Context, seq uint64) (uint64, error) {
	for {
		changed := s.Changed()
		var idx sql.NullInt64
		if err := s.readers.QueryRowContext(ctx, `SELECT idx FROM record WHERE seq=?`, int64(seq)).Scan(&idx); err != nil {
			return 0, fmt.Errorf("entry %d: %w", seq, err)
		}
		if idx.Valid {
			return uint64(idx.Int64), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// TakeMissing is the repair for a database older than its ledger: the leaves that it lacks are taken in as entries whose
// contents are lost, and that is entered on the record itself.
func (s *Store) TakeMissing(ctx context.Context, log Log, act Act) (int, error) {
	type lost struct {
		index uint64
		raw   []byte
		leaf  *leaf.Leaf
	}
	var all []lost
	err := log.Scan(ctx, 0, func(index uint64, raw []byte) error {
		l, err := leaf.Parse(raw)
		if err != nil {
			return fmt.Errorf("%w: leaf %d: %w", ErrLedgerDiffers, index, err)
		}
		var n int
		if err := s.writer.QueryRowContext(ctx, `SELECT count(*) FROM record WHERE seq=?`, int64(l.Seq)).Scan(&n); err != nil {
			return err
		}
		if n == 0 && l.Seq != 0 {
			all = append(all, lost{index, append([]byte{}, raw...), l})
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return 0, err
	}
	own, err := marking.New(marking.Spec{TLP: marking.AmberStrict, Source: marking.Own})
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, false, func(w *writeTx) error {
		mid, err := w.intern(own)
		if err != nil {
			return err
		}
		for _, l := range all {
			if _, err := w.tx.ExecContext(ctx, `INSERT INTO record(seq, at, actor, action, subject, mid, leaf, idx) VALUES(?,?,?,?,'contents lost',?,?,?)`,
				int64(l.leaf.Seq), l.leaf.At.UnixNano(), l.leaf.Actor, l.leaf.Action, mid, l.raw, int64(l.index)); err != nil {
				return fmt.Errorf("taking in entry %d: %w", l.leaf.Seq, err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	act.Fields = append(act.Fields, Field{"lost", fmt.Sprintf("%d entries, %d to %d", len(all), all[0].leaf.Seq, all[len(all)-1].leaf.Seq)})
	_, err = s.Record(ctx, act, nil)
	return len(all), err
}

// Leaves gives the leaves that the ledger has had, in the order of the tree: what an older ledger is rebuilt from.
func (s *Store) Leaves(ctx context.Context, f func(index uint64, raw []byte) error) error {
	var first []byte
	err := s.readers.QueryRowContext(ctx, `SELECT value FROM meta WHERE key='leaf-0'`).Scan(&first)
	if err != nil && err != sql.ErrNoRows {
		return err
	}
	if err == nil {
		if err := f(0, first); err != nil {
			return err
		}
	}
	rows, err := s.readers.QueryContext(ctx, `SELECT idx, leaf FROM record WHERE idx IS NOT NULL ORDER BY idx`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var idx int64
		var raw []byte
		if err := rows.Scan(&idx, &raw); err != nil {
			return err
		}
		if err := f(uint64(idx), raw); err != nil {
			return err
		}
	}
	return rows.Err()
}
