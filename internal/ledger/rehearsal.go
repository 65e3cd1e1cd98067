package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/witness"
)

// Rehearsal is what an exercise needs to run a witnessed ledger on one machine: a signer, a policy with three trustees, and two witnesses that share the
// process. All keys come from one seed, so it proves nothing, and its witnesses are labelled so in the policy itself. Close it after the Log.
type Rehearsal struct {
	Signer    note.Signer
	Policy    *policy.Policy
	Witnesses []*witness.Client

	open []*witness.Witness
}

// Rehearse sets up a rehearsal whose witnesses keep their state under dir. The same seed (at least 16 bytes) gives the same keys and policy.
func Rehearse(dir, origin string, seed []byte, now func() time.Time) (*Rehearsal, error) {
	if len(seed) < 16 {
		return nil, errors.New("rehearsal: seed is shorter than 16 bytes")
	}
	derive := func(name string) []byte {
		sum := sha256.Sum256(append([]byte("vigil/rehearsal/"+name+"\n"), seed...))
		return sum[:]
	}
	r := &Rehearsal{}
	d := policy.Draft{Version: 1, Threshold: 2, Quorum: 2, Fresh: 24 * time.Hour}
	var key string
	var err error
	if r.Signer, key, err = policy.NewSigner(origin, derive(origin)); err != nil {
		return nil, fmt.Errorf("rehearsal: %w", err)
	}
	d.Logs = []string{key}
	var signers []note.Signer
	for i, name := range []string{"ombudsman.rehearsal", "registrar.rehearsal", "academy.rehearsal"} {
		s, k, err := policy.NewSigner(name, derive(name))
		if err != nil {
			return nil, fmt.Errorf("rehearsal: %w", err)
		}
		role := policy.Member
		if i == 0 {
			role = policy.Overseer
		}
		d.Trustees = append(d.Trustees, policy.Trustee{Role: role, Key: k})
		signers = append(signers, s)
	}
	for _, name := range []string{"rehearsal-witness-1", "rehearsal-witness-2"} {
		w, c, line, err := witness.Rehearse(filepath.Join(dir, name), name, seed, map[string][]string{origin: d.Logs}, now)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("rehearsal: %w", err), r.Close())
		}
		r.open = append(r.open, w)
		r.Witnesses = append(r.Witnesses, c)
		d.Witnesses = append(d.Witnesses, line)
	}
	raw, err := policy.Sign(&d, signers...)
	if err == nil {
		r.Policy, err = policy.Parse(raw)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rehearsal: %w", err), r.Close())
	}
	return r, nil
}

// Close releases the witnesses' directories.
func (r *Rehearsal) Close() error {
	var errs []error
	for _, w := range r.open {
		errs = append(errs, w.Close())
	}
	r.open = nil
	return errors.Join(errs...)
}
