package witness

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"vigil/internal/ledger/policy"
)

// Rehearse opens a witness for an exercise in the log's own process: its key is derived from seed, its directory may be new, and it needs no port. It
// proves nothing to anybody, which the policy's line for it says with the word "rehearsal". Close the Witness when done.
func Rehearse(dir, name string, seed []byte, logs map[string][]string, now func() time.Time) (*Witness, *Client, policy.Witness, error) {
	if len(seed) < 16 {
		return nil, nil, policy.Witness{}, errors.New("rehearsal witness: seed is shorter than 16 bytes")
	}
	sum := sha256.Sum256(append([]byte("vigil/rehearsal/"+name+"\n"), seed...))
	k, err := NewKey(name, sum[:ed25519.SeedSize])
	if err != nil {
		return nil, nil, policy.Witness{}, err
	}
	w, err := Open(Config{Dir: filepath.Join(dir, fmt.Sprintf("%x", k.hash())), New: true, Key: k, Logs: logs, Now: now})
	if err != nil {
		return nil, nil, policy.Witness{}, err
	}
	c := &Client{Name: name, URL: "http://in-process.invalid", HTTP: &http.Client{Transport: InProcess(w.Handler())}}
	return w, c, policy.Witness{Operator: "rehearsal." + name, Key: k.VerifierKey(), Rehearsal: true}, nil
}
