package taxii

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
)

// A cursor, the value of next, is the stamp of the last item sent and a
// message authentication code. It needs no memory on the server: it survives
// restarts, and since stamps only grow, inserts and deletions too. The code
// binds it to the reader, the endpoint, the collection and the match filters,
// so one reader's cursor is worthless to another. It does not bind limit, nor
// added_after: clients in the field move added_after along while they follow
// next, and neither can widen what the store lets the reader see.

const (
	cursorVersion = 1
	cursorMAC     = 16
	cursorLen     = 1 + 8 + cursorMAC
)

var errCursor = errors.New("next is not a value that this server gave for this request")

// minCursorKey is the least length of a cursor key in bytes.
const minCursorKey = 32

func cursorCode(key []byte, reader string, kind endpoint, object string, q *Query, head []byte) []byte {
	mac := hmac.New(sha256.New, key)
	var n [8]byte
	field := func(s string) {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		mac.Write(n[:])
		mac.Write([]byte(s))
	}
	list := func(values []string) {
		values = slices.Sorted(slices.Values(values))
		binary.BigEndian.PutUint64(n[:], uint64(len(values)))
		mac.Write(n[:])
		for _, v := range values {
			field(v)
		}
	}
	flags := byte(0)
	for i, set := range []bool{q.Versions.First, q.Versions.Last, q.Versions.All} {
		if set {
			flags |= 1 << i
		}
	}
	mac.Write(head)
	mac.Write([]byte{byte(kind), flags})
	field(reader)
	field(q.Root)
	field(q.Collection)
	field(object)
	list(q.IDs)
	list(q.Types)
	list(q.SpecVersions)
	list(q.Versions.At)
	return mac.Sum(nil)[:cursorMAC]
}

// appendCursor appends the cursor that continues after at.
func appendCursor(b, key []byte, reader string, kind endpoint, object string, q *Query, at Stamp) []byte {
	var token [cursorLen]byte
	token[0] = cursorVersion
	binary.BigEndian.PutUint64(token[1:], uint64(at))
	copy(token[9:], cursorCode(key, reader, kind, object, q, token[:9]))
	return base64.RawURLEncoding.AppendEncode(b, token[:])
}

// openCursor returns the position in a cursor, if any of keys made it for
// this very request.
func openCursor(s string, keys [][]byte, reader string, kind endpoint, object string, q *Query) (Stamp, error) {
	if len(s) != base64.RawURLEncoding.EncodedLen(cursorLen) {
		return 0, errCursor
	}
	token, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(token) != cursorLen || token[0] != cursorVersion {
		return 0, errCursor
	}
	for _, key := range keys {
		if hmac.Equal(token[9:], cursorCode(key, reader, kind, object, q, token[:9])) {
			return Stamp(binary.BigEndian.Uint64(token[1:])), nil
		}
	}
	return 0, errCursor
}
