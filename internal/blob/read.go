package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
)

// Reader streams a file and answers ErrDamaged in place of io.EOF when the content was not what the name says, so what came before must be treated as damaged too.
type Reader struct {
	f    *os.File
	sum  hash.Hash
	want [32]byte
	size int64
	err  error
}

// Open starts to read the file that the grant's object cites. Use Verify first where nothing of a damaged file may be sent.
func (s *Store) Open(g Grant) (*Reader, error) {
	if g.object == "" {
		return nil, ErrNoGrant
	}
	r, err := s.open(g.sha)
	if err != nil {
		return nil, fmt.Errorf("evidence of %s: %w", g.object, err)
	}
	return r, nil
}

func (s *Store) open(sha [32]byte) (*Reader, error) {
	f, err := os.Open(s.path(sha))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, hex.EncodeToString(sha[:]))
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is not a regular file", ErrDamaged, hex.EncodeToString(sha[:]))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &Reader{f: f, sum: sha256.New(), want: sha, size: info.Size()}, nil
}

// Size is the length on disk in bytes.
func (r *Reader) Size() int64 { return r.size }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.f.Read(p)
	r.sum.Write(p[:n])
	if err == io.EOF && [32]byte(r.sum.Sum(nil)) != r.want {
		err = fmt.Errorf("%w: %s", ErrDamaged, hex.EncodeToString(r.want[:]))
	}
	r.err = err
	return n, err
}

// Close ends reading; what was not read was not checked.
func (r *Reader) Close() error { return r.f.Close() }

// Verify reads the whole file and returns ErrDamaged or ErrMissing when it is not as the object cites it.
func (s *Store) Verify(ctx context.Context, g Grant) error {
	if g.object == "" {
		return ErrNoGrant
	}
	if err := s.check(ctx, g.sha); err != nil {
		return fmt.Errorf("evidence of %s: %w", g.object, err)
	}
	return nil
}

func (s *Store) check(ctx context.Context, sha [32]byte) error {
	r, err := s.open(sha)
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, 128<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := r.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
