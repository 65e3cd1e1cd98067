// Package leaf is the one format that stands in the record of decisions: an entry that says when which kind of act was taken under which policy, and
// commits to its contents without showing them.
//
// The encoding is text, so that anybody with a shell can read the public tree:
//
//	vigil/leaf/1
//	seq 17
//	action incident.open
//	at 2026-03-01T04:05:06.000000007Z
//	actor p-7f3a
//	policy 6a09…(64 hex digits, or "-" while no policy is in force)
//	commit title 9f86…(64 hex digits)
//
// There is exactly one encoding of a leaf: lines in this order, commitments sorted by name, names unique, time in UTC without trailing zeros. Parse
// refuses anything else, so that two different byte strings never mean the same leaf.
package leaf

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of the format. They hold for writing and for reading.
const (
	Version     = 1
	MaxSize     = 16 << 10 // bytes of an encoded leaf
	maxName     = 64       // bytes of an action or of a field's name
	maxActor    = 128      // bytes of a pseudonym or of a policy id
	header      = "vigil/leaf/1"
	noPolicy    = "-"
	commitLabel = "vigil/c1"
	saltLabel   = "vigil/s1"
)

// Actions that the ledger itself gives a meaning to; all others belong to the callers.
const (
	ActionGenesis = "ledger.genesis" // entry 0 of every log
	ActionPolicy  = "ledger.policy"  // from here on another trust policy, once the old quorum has cosigned
)

// ErrMalformed says that bytes are no leaf. The wrapping error names the line and the reason.
var ErrMalformed = errors.New("malformed leaf")

// Field is one content to commit to: its name (public) and its bytes (kept elsewhere).
type Field struct {
	Name  string
	Value []byte
}

// Commitment binds a leaf to a content: Hash = Commit(FieldSalt(record, Name), value).
type Commitment struct {
	Name string // [a-z0-9._:/-], 1 to 64 bytes, public
	Hash [32]byte
}

// Leaf is one entry of the record.
type Leaf struct {
	Version     uint8        // Version
	Seq         uint64       // the database's gap-free number; 0 is the genesis entry. Not the index in the tree: flushes may swap neighbours.
	Action      string       // coarse type, [a-z0-9._:/-], 1 to 64 bytes
	At          time.Time    // UTC; years 1 to 9999, nanoseconds kept
	Actor       string       // pseudonym: printable ASCII without space, 1 to 128 bytes
	Policy      string       // id (fingerprint) of the trust policy in force; "" while there is none
	Commitments []Commitment // sorted by Name, unique
}

// New makes a leaf whose commitments are salted from the record's 32 random bytes. Duplicate or malformed names show when it is marshalled.
func New(seq uint64, action, actor, policy string, at time.Time, record [32]byte, fields []Field) *Leaf {
	l := &Leaf{Version: Version, Seq: seq, Action: action, At: at.UTC(), Actor: actor, Policy: policy}
	if len(fields) > 0 {
		l.Commitments = make([]Commitment, len(fields))
		for i, f := range fields {
			l.Commitments[i] = Commitment{f.Name, Commit(FieldSalt(record, f.Name), f.Value)}
		}
		slices.SortStableFunc(l.Commitments, func(a, b Commitment) int { return strings.Compare(a.Name, b.Name) })
	}
	return l
}

// Commit binds to value without showing it: SHA-256("vigil/c1" ‖ salt ‖ value). The salt has a fixed length, so the parts can't be shifted.
func Commit(salt [32]byte, value []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(commitLabel))
	h.Write(salt[:])
	h.Write(value)
	return [32]byte(h.Sum(nil))
}

// FieldSalt derives one field's salt from the record's 32 random bytes: HMAC-SHA256(key = record, "vigil/s1" ‖ name). One record thus stores one secret;
// opening a field hands out its salt alone, from which neither the record's bytes nor another field's salt can be computed. Destroying the record's
// bytes closes every field that was not opened before.
func FieldSalt(record [32]byte, name string) [32]byte {
	m := hmac.New(sha256.New, record[:])
	m.Write([]byte(saltLabel))
	m.Write([]byte(name))
	return [32]byte(m.Sum(nil))
}

// Commitment returns the hash that stands for the named field.
func (l *Leaf) Commitment(name string) ([32]byte, bool) {
	i, ok := slices.BinarySearchFunc(l.Commitments, name, func(c Commitment, n string) int { return strings.Compare(c.Name, n) })
	if !ok {
		return [32]byte{}, false
	}
	return l.Commitments[i].Hash, true
}

// Marshal encodes the leaf, or says what in it has no encoding. Equal leaves give equal bytes.
func (l *Leaf) Marshal() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 256+len(l.Commitments)*(maxName+72))
	b = append(b, header+"\nseq "...)
	b = strconv.AppendUint(b, l.Seq, 10)
	b = append(b, "\naction "...)
	b = append(b, l.Action...)
	b = append(b, "\nat "...)
	b = l.At.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, "\nactor "...)
	b = append(b, l.Actor...)
	b = append(b, "\npolicy "...)
	if l.Policy == "" {
		b = append(b, noPolicy...)
	} else {
		b = append(b, l.Policy...)
	}
	b = append(b, '\n')
	for _, c := range l.Commitments {
		b = append(b, "commit "...)
		b = append(b, c.Name...)
		b = append(b, ' ')
		b = hex.AppendEncode(b, c.Hash[:])
		b = append(b, '\n')
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("leaf seq %d has %d bytes, more than %d", l.Seq, len(b), MaxSize)
	}
	return b, nil
}

func (l *Leaf) check() error {
	switch {
	case l.Version != Version:
		return fmt.Errorf("leaf version %d is not %d", l.Version, Version)
	case !isName(l.Action):
		return fmt.Errorf("leaf action %q is not 1 to %d of a-z 0-9 . _ : / -", l.Action, maxName)
	case !isToken(l.Actor):
		return fmt.Errorf("leaf actor %q is not 1 to %d printable ASCII characters without space", l.Actor, maxActor)
	case l.Policy != "" && (!isToken(l.Policy) || l.Policy == noPolicy):
		return fmt.Errorf("leaf policy %q is not 1 to %d printable ASCII characters without space", l.Policy, maxActor)
	}
	if y := l.At.UTC().Year(); y < 1 || y > 9999 {
		return fmt.Errorf("leaf time has the year %d", y)
	}
	for i, c := range l.Commitments {
		if !isName(c.Name) {
			return fmt.Errorf("leaf field %q is not 1 to %d of a-z 0-9 . _ : / -", c.Name, maxName)
		}
		if i > 0 && l.Commitments[i-1].Name >= c.Name {
			return fmt.Errorf("leaf field %q stands twice or out of order", c.Name)
		}
	}
	return nil
}

// Parse is the strict inverse of Marshal: Parse(b) succeeds only if marshalling the result gives b again.
func Parse(b []byte) (*Leaf, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, len(b), MaxSize)
	}
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return nil, fmt.Errorf("%w: does not end in a newline", ErrMalformed)
	}
	lines := strings.Split(string(b[:len(b)-1]), "\n")
	if lines[0] != header {
		return nil, fmt.Errorf("%w: line 1 is not %q", ErrMalformed, header)
	}
	const fixed = 6
	if len(lines) < fixed {
		return nil, fmt.Errorf("%w: %d lines, at least %d wanted", ErrMalformed, len(lines), fixed)
	}
	l := &Leaf{Version: Version}
	var err error
	for i, key := range [fixed]string{1: "seq ", 2: "action ", 3: "at ", 4: "actor ", 5: "policy "} {
		if i == 0 {
			continue
		}
		v, ok := strings.CutPrefix(lines[i], key)
		if !ok {
			return nil, fmt.Errorf("%w: line %d does not begin with %q", ErrMalformed, i+1, key)
		}
		switch i {
		case 1:
			l.Seq, err = strconv.ParseUint(v, 10, 64)
		case 2:
			l.Action = v
		case 3:
			l.At, err = time.Parse(time.RFC3339Nano, v)
			l.At = l.At.UTC()
		case 4:
			l.Actor = v
		case 5:
			if l.Policy = v; v == noPolicy {
				l.Policy = ""
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrMalformed, i+1, err)
		}
	}
	for i, line := range lines[fixed:] {
		v, ok := strings.CutPrefix(line, "commit ")
		name, sum, ok2 := strings.Cut(v, " ")
		raw, err := hex.DecodeString(sum)
		if !ok || !ok2 || err != nil || len(raw) != 32 {
			return nil, fmt.Errorf("%w: line %d is no commitment", ErrMalformed, fixed+i+1)
		}
		l.Commitments = append(l.Commitments, Commitment{name, [32]byte(raw)})
	}
	again, err := l.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: not in its one encoding", ErrMalformed)
	}
	return l, nil
}

func isName(s string) bool {
	if len(s) == 0 || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == ':' || c == '/' || c == '-') {
			return false
		}
	}
	return true
}

func isToken(s string) bool {
	if len(s) == 0 || len(s) > maxActor {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
