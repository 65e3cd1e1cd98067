package policy

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/checkpoint"
)

// Skew is how far ahead of our clock a cosignature's time may be.
const Skew = 5 * time.Minute

// Reasons for which a checkpoint is not believed.
var (
	ErrLogSignature = errors.New("checkpoint is not signed by the log")
	ErrBadSignature = errors.New("a known key's signature does not verify")
	ErrQuorum       = errors.New("too few witnesses")
	ErrStale        = errors.New("cosignatures are too old")
)

// Cosignature is a witness's verified statement about a checkpoint.
type Cosignature struct {
	Witness   string    // key name
	Operator  string    // who runs the witness
	At        time.Time // when it cosigned, by its clock, whole seconds
	Rehearsal bool
	Counts    bool // neither stale nor ahead of time
}

// Verdict is what a policy finds on a checkpoint.
type Verdict struct {
	LogSigned    bool
	Have, Need   int           // counted witnesses, quorum
	Cosignatures []Cosignature // verified ones, at most one a witness, in the policy's order
	Newest       time.Time     // newest counted cosignature
	Oldest       time.Time     // oldest counted cosignature
	Rehearsal    bool          // a counted witness runs on the log's own machine
	Stale        int           // verified, but older than the policy allows
	Ahead        int           // verified, but from the future
	Unknown      []string      // names of signers the policy does not know: ignored
	Repeated     []string      // names that signed more than once: counted once
	Bad          []string      // names of known keys whose signature does not verify
}

// Err says why the checkpoint is not believed, or nil.
func (v *Verdict) Err() error {
	switch {
	case len(v.Bad) > 0:
		return fmt.Errorf("%w: %q", ErrBadSignature, v.Bad)
	case !v.LogSigned:
		return ErrLogSignature
	case v.Have < v.Need && v.Have+v.Stale >= v.Need:
		return fmt.Errorf("%w: %d of %d needed are fresh, %d stale", ErrStale, v.Have, v.Need, v.Stale)
	case v.Have < v.Need:
		return fmt.Errorf("%w: %d of %d", ErrQuorum, v.Have, v.Need)
	}
	return nil
}

// Evaluate judges a checkpoint at the time now. It does not use the witness libraries' own policy evaluation, which lets one key listed twice be a quorum
// of two: here each witness counts once, however often it signed. With a zero now, age is not judged (for history).
func (p *Policy) Evaluate(c *checkpoint.Checkpoint, now time.Time) *Verdict {
	v := &Verdict{Need: p.Quorum}
	at := make([]time.Time, len(p.witnesses)) // newest verified time of each
	seen := map[string]bool{}
	for _, s := range c.Signatures {
		id := fmt.Sprintf("%s+%08x", s.Name, s.KeyHash)
		if seen[id] {
			v.Repeated = append(v.Repeated, s.Name)
		}
		seen[id] = true
		if i := find(p.logs, s); i >= 0 {
			if !p.logs[i].Verify([]byte(c.Text), s.Sig) {
				v.Bad = append(v.Bad, s.Name)
			} else if c.Origin == p.Origin() {
				v.LogSigned = true
			}
			continue
		}
		i := find(p.witnesses, s)
		if i < 0 {
			v.Unknown = append(v.Unknown, s.Name)
			continue
		}
		t, err := checkpoint.CosignatureTime(s.Sig)
		if err != nil || !p.witnesses[i].Verify([]byte(c.Text), s.Sig) {
			v.Bad = append(v.Bad, s.Name)
			continue
		}
		if t.After(at[i]) {
			at[i] = t
		}
	}
	for i, t := range at {
		if t.IsZero() {
			continue
		}
		w := p.Witnesses[i]
		cs := Cosignature{Witness: p.witnesses[i].Name(), Operator: w.Operator, At: t, Rehearsal: w.Rehearsal}
		switch {
		case !now.IsZero() && t.After(now.Add(Skew)):
			v.Ahead++
		case !now.IsZero() && now.Sub(t) > p.Fresh:
			v.Stale++
		default:
			cs.Counts = true
			v.Have++
			v.Rehearsal = v.Rehearsal || w.Rehearsal
			if t.After(v.Newest) {
				v.Newest = t
			}
			if v.Oldest.IsZero() || t.Before(v.Oldest) {
				v.Oldest = t
			}
		}
		v.Cosignatures = append(v.Cosignatures, cs)
	}
	return v
}

// Cosigners picks the signature lines of c that are valid cosignatures of the policy's witnesses, each witness's newest.
func (p *Policy) Cosigners(c *checkpoint.Checkpoint, lines []checkpoint.Signature) []checkpoint.Signature {
	best := make([]*checkpoint.Signature, len(p.witnesses))
	times := make([]time.Time, len(p.witnesses))
	for k := range lines {
		i := find(p.witnesses, lines[k])
		if i < 0 {
			continue
		}
		t, err := checkpoint.CosignatureTime(lines[k].Sig)
		if err != nil || !t.After(times[i]) || !p.witnesses[i].Verify([]byte(c.Text), lines[k].Sig) {
			continue
		}
		best[i], times[i] = &lines[k], t
	}
	var out []checkpoint.Signature
	for _, s := range best {
		if s != nil {
			out = append(out, *s)
		}
	}
	return out
}

func find(vs []note.Verifier, s checkpoint.Signature) int {
	for i, v := range vs {
		if v.Name() == s.Name && v.KeyHash() == s.KeyHash {
			return i
		}
	}
	return -1
}
