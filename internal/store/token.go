package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"vigil/internal/marking"
)

// ErrToken is a page token that this store did not make for this reader and this query.
var ErrToken = errors.New("the page token does not fit this list")

// token seals the position after which a page goes on. It is bound to the reader and the query, so that it tells
// nobody else anything and can't be bent to another list.
func (s *Store) token(r marking.Reader, query string, pos int64) string {
	var b [8 + 16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(pos))
	s.sealPage(b[:8], b[8:], r, query)
	// The position itself is a number that counts hidden things too: it is masked, never shown.
	mask := sha256.Sum256(append(b[8:], s.tokenKey...))
	for i := range 8 {
		b[i] ^= mask[i]
	}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (s *Store) sealPage(pos, out []byte, r marking.Reader, query string) {
	m := hmac.New(sha256.New, s.tokenKey)
	m.Write([]byte(r.Key()))
	m.Write([]byte{0})
	m.Write([]byte(query))
	m.Write([]byte{0})
	m.Write(pos)
	copy(out, m.Sum(nil))
}

// position opens a token; an empty one is the beginning of the list.
func (s *Store) position(r marking.Reader, query, tok string) (int64, bool, error) {
	if tok == "" {
		return 0, false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(tok)
	if err != nil || len(b) != 24 {
		return 0, false, ErrToken
	}
	mask := sha256.Sum256(append(append([]byte{}, b[8:]...), s.tokenKey...))
	for i := range 8 {
		b[i] ^= mask[i]
	}
	var want [16]byte
	s.sealPage(b[:8], want[:], r, query)
	if !hmac.Equal(want[:], b[8:]) {
		return 0, false, ErrToken
	}
	return int64(binary.BigEndian.Uint64(b[:8])), true, nil
}
