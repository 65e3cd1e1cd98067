package verify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/leaf"
)

// Names of what entry 0 commits to. The salts come from 32 zero bytes: these contents are public.
const (
	fieldOrigin = "origin"
	fieldBreak  = "break"
	actorLedger = "ledger"
)

// ErrGenesis says that a leaf is not a proper entry 0 of the log.
var ErrGenesis = errors.New("not this log's entry 0")

// Break names the log that this one takes the place of, by its last witnessed state. It is never mended: every export shows it.
type Break struct {
	Origin string
	Size   uint64
	Root   [32]byte
}

// Text is the break's one encoding: origin, size and root in one line.
func (b *Break) Text() string { return fmt.Sprintf("%s %d %x", b.Origin, b.Size, b.Root) }

// ParseBreak is the strict inverse of Text.
func ParseBreak(s string) (*Break, error) {
	f := strings.Split(s, " ")
	if len(f) != 3 || !checkpoint.ValidName(f[0]) {
		return nil, errors.New("a break names origin, size and root")
	}
	size, err := strconv.ParseUint(f[1], 10, 63)
	if err != nil {
		return nil, fmt.Errorf("size of the broken log: %w", err)
	}
	b := &Break{Origin: f[0], Size: size}
	if err := unhex(b.Root[:], f[2]); err != nil {
		return nil, fmt.Errorf("root of the broken log: %w", err)
	}
	if b.Text() != s {
		return nil, errors.New("a break is not in its one encoding")
	}
	return b, nil
}

// Genesis makes entry 0: it names the log, the first policy and, for a log that takes another's place, the break.
func Genesis(origin, policyID string, b *Break, at time.Time) *leaf.Leaf {
	f := []leaf.Field{{Name: fieldOrigin, Value: []byte(origin)}}
	if b != nil {
		f = append(f, leaf.Field{Name: fieldBreak, Value: []byte(b.Text())})
	}
	return leaf.New(0, leaf.ActionGenesis, actorLedger, policyID, at, [32]byte{}, f)
}

// CheckGenesis refuses a leaf that is not entry 0 of the log with this origin.
func CheckGenesis(l *leaf.Leaf, origin string) error {
	if l.Action != leaf.ActionGenesis || l.Seq != 0 {
		return fmt.Errorf("%w: it is %s with seq %d", ErrGenesis, l.Action, l.Seq)
	}
	if got, ok := l.Commitment(fieldOrigin); !ok || got != openHash(fieldOrigin, origin) {
		return fmt.Errorf("%w: it names another origin than %q", ErrGenesis, origin)
	}
	return nil
}

func openHash(name, value string) [32]byte {
	return leaf.Commit(leaf.FieldSalt([32]byte{}, name), []byte(value))
}
