// Package store holds the two kinds of record that Vigil has, objects and rows, behind one gate.
//
// An object is what an analyst cites, a partner could receive or a decision freezes: STIX 2.1, versioned, marked,
// searchable. A row is machine state, or what needs uniqueness, sums or due times; the packages that own rows bring
// their tables as a [Schema].
//
// Nothing changes off the record: [Store.Record] demands who acts and what for, and leaves exactly one entry.
// [Store.Work] writes rows only. Nothing is read past the gate: a [View] belongs to a reader, applies the gate inside
// SQL, before count, rank and limit, asks it once more for each row in Go, and hands out nothing but
// [marking.Released] values. A disagreement of the two is an error, never an answer.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"vigil/internal/marking"

	_ "modernc.org/sqlite" // the embedded engine, without cgo
)

var (
	// ErrNotFound is the one answer for what does not exist and for what the reader may not see.
	ErrNotFound = errors.New("not found")
	// ErrLocked means that another process has the data directory open.
	ErrLocked = errors.New("the data directory is in use by another process")
	// ErrFenced means that the lease under which work was done is somebody else's now.
	ErrFenced = errors.New("the lease was taken over")
	// ErrGate means that SQL and Go disagree on what a reader may see: the process should stop.
	ErrGate = errors.New("the gate disagrees with itself")
)

// Options configures a store.
type Options struct {
	// Dir is the data directory; the store locks it, and keeps its files in it. It is made if absent.
	Dir string
	// Schemas are the tables of the packages that keep rows.
	Schemas []Schema
	// Now is the domain's clock; time.Now where nil.
	Now func() time.Time
	// Policy names the witness policy in force, in every leaf.
	Policy string
	// Readers is how many connections read at once; 4 where 0.
	Readers int
}

// Store is the open database of one data directory. It is safe for use by many goroutines.
type Store struct {
	opt      Options
	writer   *sql.DB
	readers  *sql.DB
	lanes    lanes
	guard    *guard
	marks    *marks
	lock     *os.File
	project  map[string][]func(*Tx, Object) error
	tokenKey []byte
	nameKey  []byte
	stmts    map[string]*sql.Stmt
	written  chan struct{} // one token: something waits to be appended to the ledger
	changed  *broadcast
}

// Open locks the data directory, brings the schemas up to date and opens the store. Close must follow.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Readers == 0 {
		opt.Readers = 4
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	lock, err := lockDir(opt.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: opt, lock: lock, project: map[string][]func(*Tx, Object) error{}, written: make(chan struct{}, 1), changed: newBroadcast()}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) (err error) {
	if s.guard, err = newGuard(s.opt.Schemas); err != nil {
		return err
	}
	for _, sch := range s.opt.Schemas {
		for typ, f := range sch.Project {
			s.project[typ] = append(s.project[typ], f)
		}
	}
	file := filepath.Join(s.opt.Dir, "vigil.db")
	common := "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)&_pragma=mmap_size(268435456)"
	if s.writer, err = sql.Open("sqlite", "file:"+file+common+"&_txlock=immediate"); err != nil {
		return err
	}
	s.writer.SetMaxOpenConns(1)
	if err := migrate(ctx, s.writer, s.opt.Schemas); err != nil {
		return err
	}
	if s.readers, err = sql.Open("sqlite", "file:"+file+common+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(s.opt.Readers)
	s.readers.SetMaxIdleConns(s.opt.Readers)
	if s.marks, err = loadMarks(ctx, s.writer); err != nil {
		return fmt.Errorf("reading the marks: %w", err)
	}
	if s.stmts, err = prepare(ctx, s.writer); err != nil {
		return err
	}
	if s.tokenKey, err = s.secret(ctx, "token-key"); err != nil {
		return err
	}
	if s.nameKey, err = s.secret(ctx, "pseudonym-key"); err != nil {
		return err
	}
	s.marks.db = s.readers // the writer's one connection may be waiting for the very answer
	_, err = s.reader(ctx, marking.System("start"))
	return err
}

// Close gives back files and lock.
func (s *Store) Close() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Now is the domain's time, to the millisecond that STIX keeps.
func (s *Store) Now() time.Time { return s.opt.Now().UTC().Truncate(time.Millisecond) }

// Changed gives a channel that is closed at the next committed write: what follows the store by cursor waits on it.
func (s *Store) Changed() <-chan struct{} { return s.changed.wait() }

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	}
	return f, nil
}

// secret is a random key that lives as long as the database.
func (s *Store) secret(ctx context.Context, name string) ([]byte, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	if _, err := s.writer.ExecContext(ctx, `INSERT INTO meta VALUES(?,?) ON CONFLICT DO NOTHING`, name, key); err != nil {
		return nil, fmt.Errorf("keeping %s: %w", name, err)
	}
	err := s.writer.QueryRowContext(ctx, `SELECT value FROM meta WHERE key=?`, name).Scan(&key)
	return key, err
}

// writeTx is what every write transaction has: the turn to write, the connection, and the labels interned in it.
type writeTx struct {
	s     *Store
	ctx   context.Context
	tx    *sql.Tx
	fresh map[int64]marking.Label

	// What is looked up again and again inside one transaction.
	bound   map[string]*sql.Stmt
	oids    map[string]int64
	effects map[[2]string]string
}

// write takes the turn, runs f in a transaction and commits, or rolls back where f fails. A panic in f rolls back.
func (s *Store) write(ctx context.Context, bulk bool, f func(*writeTx) error) error {
	if err := s.lanes.enter(ctx, bulk); err != nil {
		return err
	}
	defer s.lanes.leave()
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("beginning to write: %w", err)
	}
	done := false
	defer func() {
		if !done {
			tx.Rollback()
		}
	}()
	w := &writeTx{s: s, ctx: ctx, tx: tx, fresh: map[int64]marking.Label{}, bound: map[string]*sql.Stmt{}, oids: map[string]int64{}, effects: map[[2]string]string{}}
	if err := f(w); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	done = true
	s.marks.learn(w.fresh)
	s.changed.send()
	return nil
}

// stmt gives a prepared statement of the store's own, inside the transaction.
func (w *writeTx) stmt(name string) *sql.Stmt {
	st := w.bound[name]
	if st == nil {
		st = w.tx.StmtContext(w.ctx, w.s.stmts[name])
		w.bound[name] = st
	}
	return st
}
