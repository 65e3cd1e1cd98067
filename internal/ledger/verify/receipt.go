// Package verify checks the record of decisions offline: it needs an export or a receipt and a policy pinned elsewhere, and neither a store nor a
// network. Without a pinned policy all it can say is that an export agrees with itself.
package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/policy"
)

const (
	receiptHeader  = "vigil/receipt/1"
	maxProof       = 63 // hashes in an inclusion proof of a tree below 2^63
	maxReceiptSize = checkpoint.MaxSize + 8<<10
)

// Errors a caller branches on. ErrStale and the other judgements on a checkpoint come from package policy.
var (
	ErrMalformedReceipt = errors.New("malformed receipt")
	ErrNotIncluded      = errors.New("the entry is not in the tree that was signed")
)

// Receipt proves that an entry stands at an index of a tree that the log signed and, as far as Checkpoint carries cosignatures, witnesses saw. It is
// derived, may be cached, and can be made anew at any time.
type Receipt struct {
	Index      uint64
	Proof      [][32]byte // RFC 6962 inclusion proof, from the leaf upward
	Checkpoint []byte     // signed note
}

// Marshal gives the receipt's one encoding, text like everything else here: header, index, proof lines, empty line, checkpoint.
func (r *Receipt) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nindex %d\n", receiptHeader, r.Index)
	for _, h := range r.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseReceipt is the strict inverse of Marshal.
func ParseReceipt(raw []byte) (*Receipt, error) {
	bad := func(format string, a ...any) (*Receipt, error) {
		return nil, fmt.Errorf("%w: %s", ErrMalformedReceipt, fmt.Sprintf(format, a...))
	}
	if len(raw) > maxReceiptSize {
		return bad("%d bytes, more than %d", len(raw), maxReceiptSize)
	}
	head, note, ok := bytes.Cut(raw, []byte("\n\n"))
	if !ok {
		return bad("no empty line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	if lines[0] != receiptHeader {
		return bad("line 1 is not %q", receiptHeader)
	}
	if len(lines) < 2 || len(lines) > 2+maxProof {
		return bad("%d lines before the checkpoint", len(lines))
	}
	num, ok := strings.CutPrefix(lines[1], "index ")
	idx, err := strconv.ParseUint(num, 10, 63)
	if !ok || err != nil || strconv.FormatUint(idx, 10) != num {
		return bad("line 2 is no index")
	}
	r := &Receipt{Index: idx, Checkpoint: bytes.Clone(note)}
	for i, s := range lines[2:] {
		h, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil || len(h) != 32 || len(s) != 44 {
			return bad("line %d is no hash", i+3)
		}
		r.Proof = append(r.Proof, [32]byte(h))
	}
	if _, err := checkpoint.Parse(note); err != nil {
		return bad("%v", err)
	}
	return r, nil
}

// VerifyReceipt checks that the entry's bytes stand where the receipt says and that the policy, pinned by the caller, believes the checkpoint at the time
// now. The verdict is returned whenever the checkpoint could be read; the error is nil only if everything holds. A receipt whose only fault is its age
// gives policy.ErrStale: ask the log for a new one.
func VerifyReceipt(p *policy.Policy, entry []byte, r *Receipt, now time.Time) (*policy.Verdict, error) {
	c, err := checkpoint.Parse(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	v := p.Evaluate(c, now)
	hashes := make([][]byte, len(r.Proof))
	for i := range r.Proof {
		hashes[i] = r.Proof[i][:]
	}
	h := rfc6962.DefaultHasher
	if err := proof.VerifyInclusion(h, r.Index, c.Size, h.HashLeaf(entry), hashes, c.Root[:]); err != nil {
		return v, fmt.Errorf("%w: index %d of %d", ErrNotIncluded, r.Index, c.Size)
	}
	return v, v.Err()
}

func unhex(dst []byte, s string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) || hex.EncodeToString(b) != s {
		return fmt.Errorf("%q is not %d lower-case hex digits", s, 2*len(dst))
	}
	copy(dst, b)
	return nil
}
