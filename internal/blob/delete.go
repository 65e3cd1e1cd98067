package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Why is a ground on which evidence may be destroyed.
type Why string

// The grounds.
const (
	RetentionExpired Why = "retention expired" // the log source's or the case's period is over
	Ordered          Why = "ordered"           // a court, an overseer or the originator's recall
	NotEvidence      Why = "not evidence"      // taken in by mistake, such as another person's data
)

// Reason is why one file is destroyed; the caller puts the same words on the record first.
type Reason struct {
	Why  Why
	Text string // which rule, order or decision; required
}

func (r Reason) valid() error {
	switch r.Why {
	case RetentionExpired, Ordered, NotEvidence:
	default:
		return fmt.Errorf("%q is no ground to destroy evidence", string(r.Why))
	}
	if r.Text == "" {
		return errors.New("destroying evidence needs a written reason")
	}
	return nil
}

// Delete destroys the file that the grant's object cites. That no other object cites it is the caller's to know.
func (s *Store) Delete(g Grant, reason Reason) error {
	if g.object == "" {
		return ErrNoGrant
	}
	if err := reason.valid(); err != nil {
		return fmt.Errorf("delete evidence of %s: %w", g.object, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remove(g.sha); err != nil {
		return fmt.Errorf("delete evidence of %s: %w", g.object, err)
	}
	return nil
}

func (s *Store) remove(sha [32]byte) error {
	path := s.path(sha)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrMissing, hex.EncodeToString(sha[:]))
	}
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	s.used -= info.Size()
	return syncDir(filepath.Dir(path))
}

// Orphan is a file that no object cites: what a crash between Put and the object's transaction leaves.
type Orphan struct {
	Ref
	At time.Time // when it was last put
}

// Orphans lists the files put before the given time for which cited answers false. A file is put before its object is recorded, so leave it an hour.
func (s *Store) Orphans(ctx context.Context, before time.Time, cited func(sha [32]byte) (bool, error)) ([]Orphan, error) {
	var out []Orphan
	err := s.walk(ctx, func(sha [32]byte, info fs.FileInfo) error {
		if !info.ModTime().Before(before) {
			return nil
		}
		ok, err := cited(sha)
		if err == nil && !ok {
			out = append(out, Orphan{Ref{sha, info.Size()}, info.ModTime()})
		}
		return err
	})
	return out, err
}

// DeleteOrphan removes a file that Orphans listed, unless it was put again or cited since; it says whether it removed it. Cited is asked with the store locked, and must
// not call it.
func (s *Store) DeleteOrphan(o Orphan, cited func(sha [32]byte) (bool, error)) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.path(o.SHA256))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("delete orphan %s: %w", o.Hex(), err)
	}
	if info.ModTime().After(o.At) {
		return false, nil
	}
	if ok, err := cited(o.SHA256); err != nil || ok {
		return false, err
	}
	if err := s.remove(o.SHA256); err != nil {
		return false, fmt.Errorf("delete orphan %s: %w", o.Hex(), err)
	}
	return true, nil
}
