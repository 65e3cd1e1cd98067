package policy

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/checkpoint"
)

// NewSigner makes the Ed25519 note signer of a log or a trustee from its name and 32-byte seed, and gives its verifier key.
func NewSigner(name string, seed []byte) (note.Signer, string, error) {
	if !checkpoint.ValidName(name) || len(seed) != ed25519.SeedSize {
		return nil, "", fmt.Errorf("signing key needs a name without space or plus, and %d bytes", ed25519.SeedSize)
	}
	pub := append([]byte{algEd25519}, ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), pub...))
	id := binary.BigEndian.Uint32(sum[:])
	s, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, seed...))))
	if err != nil {
		return nil, "", fmt.Errorf("signing key %q: %w", name, err)
	}
	return s, fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(pub)), nil
}
