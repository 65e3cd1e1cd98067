// Package blob keeps evidence files, named by the SHA-256 of their content, in one directory. A file appears whole or not at all, is never overwritten, and is checked
// against its name whenever it is read.
//
// A file is always reached through an object: who may read the object may read the file, and nobody reaches a file by its hash alone. So Open takes a Grant, which only
// a caller that has read the object through the gate makes. The package knows no readers and no markings. Who puts a file learns nothing about files already there: the
// answer for known and new content is the same.
//
// The directory belongs to one process at a time; the caller holds the data directory's lock.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

var (
	// ErrTooLarge: the content is longer than Limits.MaxSize. Nothing was kept.
	ErrTooLarge = errors.New("evidence file is larger than allowed")
	// ErrQuota: the directory would hold more than Config.Quota. Nothing was kept.
	ErrQuota = errors.New("evidence storage is full")
	// ErrDamaged: what is on disk is not what the name says. The file is left where it is, as evidence of the damage.
	ErrDamaged = errors.New("evidence file is damaged")
	// ErrMissing: an object cites a file that is not there.
	ErrMissing = errors.New("evidence file is missing")
	// ErrNoGrant: the Grant names no object.
	ErrNoGrant = errors.New("evidence files are reached through an object only")
)

// DefaultMaxSize is the largest file taken when Limits.MaxSize is zero.
const DefaultMaxSize = 1 << 30

const partDir = "part"

// Ref names a file by its content.
type Ref struct {
	SHA256 [32]byte
	Size   int64 // bytes
}

// Hex is the hash as 64 lower-case hexadecimal digits.
func (r Ref) Hex() string { return hex.EncodeToString(r.SHA256[:]) }

// Limits bound one Put.
type Limits struct {
	MaxSize int64 // bytes; 0 is DefaultMaxSize
}

// Config describes the directory.
type Config struct {
	Dir   string
	Quota int64 // bytes of all files together, half-written ones included; 0 is no limit
}

// Store is the directory of evidence files. Safe for concurrent use.
type Store struct {
	cfg Config

	mu   sync.Mutex // guards used, and orders publishing against deleting
	used int64
}

// Grant is the right to read one file, held by somebody who has the object that cites it.
type Grant struct {
	object string
	sha    [32]byte
}

// GrantFor is called where an object has been read through the gate, with the object's id and the hash that the object cites.
func GrantFor(objectID string, sha [32]byte) Grant { return Grant{objectID, sha} }

// step marks the moments at which the crash test kills the process.
var step = func(string) {}

// New opens or creates the directory, removes half-written files of an earlier process and counts what is there.
func New(cfg Config) (*Store, error) {
	s := &Store{cfg: cfg}
	part := filepath.Join(cfg.Dir, partDir)
	if err := os.MkdirAll(part, 0o700); err != nil {
		return nil, fmt.Errorf("evidence directory: %w", err)
	}
	left, err := os.ReadDir(part)
	if err != nil {
		return nil, fmt.Errorf("evidence directory: %w", err)
	}
	for _, e := range left {
		if err := os.Remove(filepath.Join(part, e.Name())); err != nil {
			return nil, fmt.Errorf("remove half-written evidence file: %w", err)
		}
	}
	if err := syncDir(cfg.Dir); err != nil {
		return nil, err
	}
	err = s.walk(context.Background(), func(_ [32]byte, info fs.FileInfo) error {
		s.used += info.Size()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Used is how many bytes the directory holds, those being written included.
func (s *Store) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

func (s *Store) path(sha [32]byte) string {
	h := hex.EncodeToString(sha[:])
	return filepath.Join(s.cfg.Dir, h[:2], h[2:])
}

// Put keeps what r gives until its end and returns once it is durable. Content that is already there is checked and left as it is.
func (s *Store) Put(ctx context.Context, r io.Reader, lim Limits) (ref Ref, err error) {
	if lim.MaxSize <= 0 {
		lim.MaxSize = DefaultMaxSize
	}
	f, err := os.CreateTemp(filepath.Join(s.cfg.Dir, partDir), "put-*")
	if err != nil {
		return Ref{}, fmt.Errorf("put evidence file: %w", err)
	}
	var written int64
	published := false
	defer func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
		if !published {
			s.release(written)
		}
	}()
	sum := sha256.New()
	buf := make([]byte, 128<<10)
	for {
		if err := ctx.Err(); err != nil {
			return Ref{}, fmt.Errorf("put evidence file: %w", err)
		}
		n, rerr := r.Read(buf)
		if n > 0 {
			if written+int64(n) > lim.MaxSize {
				return Ref{}, fmt.Errorf("put evidence file: %w: more than %d bytes", ErrTooLarge, lim.MaxSize)
			}
			if err := s.reserve(int64(n)); err != nil {
				return Ref{}, err
			}
			written += int64(n)
			sum.Write(buf[:n])
			if _, err := f.Write(buf[:n]); err != nil {
				return Ref{}, fmt.Errorf("put evidence file: %w", err)
			}
			step("write")
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return Ref{}, fmt.Errorf("put evidence file: read its source: %w", rerr)
		}
	}
	ref.Size = written
	sum.Sum(ref.SHA256[:0])
	if err := f.Chmod(0o400); err != nil {
		return Ref{}, fmt.Errorf("put evidence file: %w", err)
	}
	step("before sync")
	if err := f.Sync(); err != nil {
		return Ref{}, fmt.Errorf("put evidence file: %w", err)
	}
	if err := f.Close(); err != nil {
		return Ref{}, fmt.Errorf("put evidence file: %w", err)
	}
	step("before publish")
	published, err = s.publish(ctx, f.Name(), ref)
	if err != nil {
		return Ref{}, fmt.Errorf("put evidence file %s: %w", ref.Hex(), err)
	}
	return ref, nil
}

// publish gives the finished file its name; fresh is false when the content was there already.
func (s *Store) publish(ctx context.Context, part string, ref Ref) (fresh bool, err error) {
	path := s.path(ref.SHA256)
	shard := filepath.Dir(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := os.Mkdir(shard, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	// A link, unlike a rename, fails when the name is taken, so nothing is ever overwritten.
	err = os.Link(part, path)
	switch {
	case err == nil:
		fresh = true
	case errors.Is(err, fs.ErrExist):
		if err := s.check(ctx, ref.SHA256); err != nil {
			return false, err
		}
		// Now cited anew: a sweep of orphans must not take it before its object is recorded.
		now := time.Now()
		if err := os.Chtimes(path, now, now); err != nil {
			return false, err
		}
	default:
		return false, err
	}
	step("published")
	// Also when the content was there: the process that put it may have died before this.
	if err := syncDir(shard); err != nil {
		return fresh, err
	}
	return fresh, syncDir(s.cfg.Dir)
}

func (s *Store) reserve(n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Quota > 0 && s.used+n > s.cfg.Quota {
		return fmt.Errorf("put evidence file: %w: %d of %d bytes used", ErrQuota, s.used, s.cfg.Quota)
	}
	s.used += n
	return nil
}

func (s *Store) release(n int64) {
	s.mu.Lock()
	s.used -= n
	s.mu.Unlock()
}
