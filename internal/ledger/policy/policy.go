// Package policy says whom to believe about the record of decisions: which keys sign the log, which independent witnesses must have cosigned a
// checkpoint, how recent that must be, and which trustees may change any of it.
//
// A policy is a signed note (C2SP signed-note) over a text with exactly one encoding:
//
//	vigil/policy/1
//	version 1
//	previous -
//	log record.halvern.example/decisions+1a2b3c4d+AZ…
//	trustee overseer ombudsman+…
//	trustee member registrar+…
//	trustee member academy+…
//	threshold 2
//	witness tessary-archive witness.tessary.example/w1+…
//	witness lorrin-university witness.lorrin.example/w1+…
//	quorum 2
//	fresh 86400
//
// It says less than C2SP tlog-policy on purpose. Groups, "none", "any" and zero thresholds are the ways by which a policy comes to be met by nobody; here
// a quorum is a number q of n witnesses, each with its own key and its own operator, and 2q > n, so that two quorums always share a witness and two
// forks can't both be cosigned by honest ones. The same holds for the trustees, and an overseer must be among those who sign.
package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/checkpoint"
)

// Limits of a policy that is read.
const (
	MaxSize   = 256 << 10
	maxLogs   = 8
	maxPeople = 32
	minFresh  = time.Minute
	maxFresh  = 366 * 24 * time.Hour
	header    = "vigil/policy/1"
	noPrev    = "-"
)

// Reasons for which a policy is refused. Errors wrap one of them and name the line or the key.
var (
	ErrMalformed     = errors.New("malformed policy")
	ErrNoQuorum      = errors.New("policy is met by nobody's cosignature")
	ErrSplitQuorum   = errors.New("two quorums need not share a member")
	ErrRepeatedKey   = errors.New("a key is listed twice")
	ErrRepeatedParty = errors.New("an operator or trustee is listed twice")
	ErrAdministrator = errors.New("an administrator can't be a trustee")
	ErrNoOverseer    = errors.New("no overseer among the trustees")
	ErrSignatures    = errors.New("policy is not signed by enough trustees")
	ErrSuccession    = errors.New("policy does not follow the one in force")
)

// Role of a trustee.
type Role string

// Roles a trustee may have. "administrator" is known only to be refused.
const (
	Overseer      Role = "overseer"
	Member        Role = "member"
	administrator Role = "administrator"
)

// Trustee may sign policies.
type Trustee struct {
	Role Role
	Key  string // note verifier key, Ed25519; its name is the trustee's
}

// Witness may cosign checkpoints.
type Witness struct {
	Operator  string // who runs it; no two witnesses of a policy share one
	Key       string // verifier key of type cosignature/v1 (Ed25519, 0x04) or ML-DSA-44 (0x06)
	Rehearsal bool   // runs on the log's own machine: proves nothing, and says so everywhere
}

// Draft is a policy before it is signed. Its fields are those of the text, in order.
type Draft struct {
	Version   uint64        // 1, 2, 3 …
	Previous  string        // id of the policy it replaces; "" for the first
	Logs      []string      // verifier keys that may sign the log; more than one during a rotation. All names equal the origin.
	Trustees  []Trustee     // at least one overseer
	Threshold int           // trustees that must sign, an overseer among them; more than half
	Witnesses []Witness     // distinct keys and operators
	Quorum    int           // witnesses that must cosign; more than half
	Fresh     time.Duration // how old a counted cosignature may be; whole seconds, a minute to a year
}

// Policy is a policy that was parsed, found sound, and found signed by enough of its own trustees.
type Policy struct {
	Draft
	Raw []byte // the signed note

	id        string
	text      string
	logs      []note.Verifier
	trustees  []note.Verifier
	witnesses []note.Verifier
}

// ID is the policy's fingerprint: the SHA-256 of its text, 64 hex digits. It is published elsewhere and stands in every leaf written under the policy.
func (p *Policy) ID() string { return p.id }

// Origin is the name of the log the policy is about.
func (p *Policy) Origin() string { return p.logs[0].Name() }

// LogVerifiers returns the keys that may sign the log.
func (p *Policy) LogVerifiers() []note.Verifier { return slices.Clone(p.logs) }

// WitnessVerifiers returns the witnesses' keys, in the order of Witnesses.
func (p *Policy) WitnessVerifiers() []note.Verifier { return slices.Clone(p.witnesses) }

// Rehearsal says whether any witness of the policy runs on the log's own machine.
func (p *Policy) Rehearsal() bool {
	return slices.ContainsFunc(p.Witnesses, func(w Witness) bool { return w.Rehearsal })
}

// Text checks the draft and gives its one encoding.
func (d *Draft) Text() (string, error) {
	if _, err := d.verifiers(); err != nil {
		return "", err
	}
	return d.encode(), nil
}

func (d *Draft) encode() string {
	var b strings.Builder
	prev := d.Previous
	if prev == "" {
		prev = noPrev
	}
	fmt.Fprintf(&b, "%s\nversion %d\nprevious %s\n", header, d.Version, prev)
	for _, k := range d.Logs {
		fmt.Fprintf(&b, "log %s\n", k)
	}
	for _, t := range d.Trustees {
		fmt.Fprintf(&b, "trustee %s %s\n", t.Role, t.Key)
	}
	fmt.Fprintf(&b, "threshold %d\n", d.Threshold)
	for _, w := range d.Witnesses {
		fmt.Fprintf(&b, "witness %s %s", w.Operator, w.Key)
		if w.Rehearsal {
			b.WriteString(" rehearsal")
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "quorum %d\nfresh %d\n", d.Quorum, d.Fresh/time.Second)
	return b.String()
}

// Sign checks the draft and signs it. Signatures of others are added with AddSignatures.
func Sign(d *Draft, signers ...note.Signer) ([]byte, error) {
	text, err := d.Text()
	if err != nil {
		return nil, err
	}
	raw, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign policy: %w", err)
	}
	return raw, nil
}

// AddSignatures adds trustees' signatures to a signed policy; trustees sign on different machines, one after the other.
func AddSignatures(raw []byte, signers ...note.Signer) ([]byte, error) {
	text, sigs, err := split(raw)
	if err != nil {
		return nil, err
	}
	n := &note.Note{Text: text}
	for _, s := range sigs {
		h := []byte{byte(s.KeyHash >> 24), byte(s.KeyHash >> 16), byte(s.KeyHash >> 8), byte(s.KeyHash)}
		n.UnverifiedSigs = append(n.UnverifiedSigs, note.Signature{Name: s.Name, Hash: s.KeyHash,
			Base64: base64.StdEncoding.EncodeToString(append(h, s.Sig...))})
	}
	out, err := note.Sign(n, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign policy: %w", err)
	}
	return out, nil
}

// Parse reads a signed policy, refuses an unsound one, and refuses one not signed by its own threshold of trustees with an overseer among them.
func Parse(raw []byte) (*Policy, error) {
	p, sigs, err := parseUnsigned(raw)
	if err != nil {
		return nil, err
	}
	if err := p.signedBy(p.text, sigs); err != nil {
		return nil, err
	}
	return p, nil
}

// Succeed refuses next unless it names p as the policy it replaces, is p's next version, keeps the origin, and is signed by p's trustees too.
func (p *Policy) Succeed(next *Policy) error {
	switch {
	case next.Previous != p.id:
		return fmt.Errorf("%w: it names %q as previous, in force is %q", ErrSuccession, next.Previous, p.id)
	case next.Version != p.Version+1:
		return fmt.Errorf("%w: version %d after %d", ErrSuccession, next.Version, p.Version)
	case next.Origin() != p.Origin():
		return fmt.Errorf("%w: log %q after %q", ErrSuccession, next.Origin(), p.Origin())
	}
	_, sigs, err := split(next.Raw)
	if err != nil {
		return err
	}
	if err := p.signedBy(next.text, sigs); err != nil {
		return fmt.Errorf("%w: under the old policy: %w", ErrSuccession, err)
	}
	return nil
}

// Strangers names those whose signatures on the policy neither it nor prev (nil for none) has as trustees. They count for nothing.
func (p *Policy) Strangers(prev *Policy) []string {
	_, sigs, err := split(p.Raw)
	if err != nil {
		return nil
	}
	var out []string
	for _, s := range sigs {
		if find(p.trustees, s) < 0 && (prev == nil || find(prev.trustees, s) < 0) {
			out = append(out, s.Name)
		}
	}
	return out
}

// RefuseAdministrators refuses a policy one of whose trustees carries an administrator's name. The file can't know who administers; the caller does.
func (p *Policy) RefuseAdministrators(names ...string) error {
	for _, v := range p.trustees {
		if slices.Contains(names, v.Name()) {
			return fmt.Errorf("%w: %q", ErrAdministrator, v.Name())
		}
	}
	return nil
}

// signedBy counts p's trustees among the signatures over text; a trustee counts once.
func (p *Policy) signedBy(text string, sigs []checkpoint.Signature) error {
	seen := make([]bool, len(p.trustees))
	n, overseer := 0, false
	for _, s := range sigs {
		for i, v := range p.trustees {
			if s.Name != v.Name() || s.KeyHash != v.KeyHash() {
				continue
			}
			if !v.Verify([]byte(text), s.Sig) {
				return fmt.Errorf("%w: the signature of %q does not verify", ErrSignatures, s.Name)
			}
			if !seen[i] {
				seen[i] = true
				n++
				overseer = overseer || p.Trustees[i].Role == Overseer
			}
		}
	}
	if n < p.Threshold {
		return fmt.Errorf("%w: %d of %d needed", ErrSignatures, n, p.Threshold)
	}
	if !overseer {
		return fmt.Errorf("%w: none of the signatures is an overseer's", ErrSignatures)
	}
	return nil
}

func split(raw []byte) (string, []checkpoint.Signature, error) {
	if len(raw) > MaxSize {
		return "", nil, fmt.Errorf("%w: %d bytes, more than %d", ErrMalformed, len(raw), MaxSize)
	}
	i := bytes.Index(raw, []byte("\n\n"))
	if i < 0 {
		return "", nil, fmt.Errorf("%w: no empty line before the signatures", ErrMalformed)
	}
	sigs, err := checkpoint.ParseSignatures(string(raw[i+2:]))
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return string(raw[:i+1]), sigs, nil
}

func parseUnsigned(raw []byte) (*Policy, []checkpoint.Signature, error) {
	text, sigs, err := split(raw)
	if err != nil {
		return nil, nil, err
	}
	d, err := parseText(text)
	if err != nil {
		return nil, nil, err
	}
	p, err := d.verifiers()
	if err != nil {
		return nil, nil, err
	}
	if d.encode() != text {
		return nil, nil, fmt.Errorf("%w: not in its one encoding (order of lines, spaces, numbers)", ErrMalformed)
	}
	sum := sha256.Sum256([]byte(text))
	p.Raw, p.text, p.id = bytes.Clone(raw), text, hex.EncodeToString(sum[:])
	return p, sigs, nil
}

func parseText(text string) (*Draft, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if lines[0] != header {
		return nil, fmt.Errorf("%w: line 1 is not %q", ErrMalformed, header)
	}
	d := &Draft{}
	for i, line := range lines[1:] {
		at := func(format string, a ...any) error {
			return fmt.Errorf("%w: line %d: %s", ErrMalformed, i+2, fmt.Sprintf(format, a...))
		}
		f := strings.Split(line, " ")
		want := map[string]int{"trustee": 3, "witness": 3}[f[0]]
		if want == 0 {
			want = 2
		}
		if len(f) != want && !(f[0] == "witness" && len(f) == 4 && f[3] == "rehearsal") {
			return nil, at("%q has %d words", f[0], len(f))
		}
		var err error
		switch f[0] {
		case "version":
			d.Version, err = strconv.ParseUint(f[1], 10, 32)
		case "previous":
			if f[1] != noPrev {
				d.Previous = f[1]
			}
		case "log":
			d.Logs = append(d.Logs, f[1])
		case "trustee":
			d.Trustees = append(d.Trustees, Trustee{Role(f[1]), f[2]})
		case "threshold":
			d.Threshold, err = strconv.Atoi(f[1])
		case "witness":
			d.Witnesses = append(d.Witnesses, Witness{f[1], f[2], len(f) == 4})
		case "quorum":
			if f[1] == "none" {
				return nil, fmt.Errorf("line %d: %w: quorum none", i+2, ErrNoQuorum)
			}
			d.Quorum, err = strconv.Atoi(f[1])
		case "fresh":
			var s uint64
			s, err = strconv.ParseUint(f[1], 10, 32)
			d.Fresh = time.Duration(s) * time.Second
		case "group":
			return nil, at("groups are not supported: a quorum is a number of the listed witnesses")
		default:
			return nil, at("unknown word %q", f[0])
		}
		if err != nil {
			return nil, at("%v", err)
		}
	}
	return d, nil
}

// verifiers checks every rule that needs no signature and decodes the keys.
func (d *Draft) verifiers() (*Policy, error) {
	p := &Policy{Draft: *d}
	switch {
	case d.Version == 0:
		return nil, fmt.Errorf("%w: version 0", ErrMalformed)
	case (d.Version == 1) != (d.Previous == ""):
		return nil, fmt.Errorf("%w: version %d with previous %q", ErrMalformed, d.Version, d.Previous)
	case d.Previous != "" && !isID(d.Previous):
		return nil, fmt.Errorf("%w: previous is not 64 lower-case hex digits", ErrMalformed)
	case len(d.Logs) == 0 || len(d.Logs) > maxLogs:
		return nil, fmt.Errorf("%w: %d log keys, 1 to %d wanted", ErrMalformed, len(d.Logs), maxLogs)
	case len(d.Trustees) == 0 || len(d.Trustees) > maxPeople:
		return nil, fmt.Errorf("%w: %d trustees, 1 to %d wanted", ErrMalformed, len(d.Trustees), maxPeople)
	case len(d.Witnesses) > maxPeople:
		return nil, fmt.Errorf("%w: %d witnesses, more than %d", ErrMalformed, len(d.Witnesses), maxPeople)
	case len(d.Witnesses) == 0 || d.Quorum < 1:
		return nil, fmt.Errorf("%w: quorum %d of %d witnesses", ErrNoQuorum, d.Quorum, len(d.Witnesses))
	case d.Quorum > len(d.Witnesses):
		return nil, fmt.Errorf("%w: quorum %d of %d witnesses can never be met", ErrMalformed, d.Quorum, len(d.Witnesses))
	case 2*d.Quorum <= len(d.Witnesses):
		return nil, fmt.Errorf("%w: quorum %d of %d witnesses", ErrSplitQuorum, d.Quorum, len(d.Witnesses))
	case d.Threshold < 1 || d.Threshold > len(d.Trustees):
		return nil, fmt.Errorf("%w: threshold %d of %d trustees", ErrMalformed, d.Threshold, len(d.Trustees))
	case 2*d.Threshold <= len(d.Trustees):
		return nil, fmt.Errorf("%w: threshold %d of %d trustees", ErrSplitQuorum, d.Threshold, len(d.Trustees))
	case d.Fresh < minFresh || d.Fresh > maxFresh || d.Fresh%time.Second != 0:
		return nil, fmt.Errorf("%w: fresh %v is not whole seconds between %v and %v", ErrMalformed, d.Fresh, minFresh, maxFresh)
	}
	keys, names := map[string]string{}, map[string]bool{}
	// A key counts once whatever it is called and whatever it is listed for.
	add := func(what, key string, algs ...byte) (note.Verifier, error) {
		v, raw, err := Verifier(key, algs...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		if first, ok := keys[string(raw)]; ok {
			return nil, fmt.Errorf("%w: %s %q is also %s", ErrRepeatedKey, what, v.Name(), first)
		}
		keys[string(raw)] = fmt.Sprintf("%s %q", what, v.Name())
		return v, nil
	}
	for _, k := range d.Logs {
		v, err := add("log", k, algEd25519)
		if err != nil {
			return nil, err
		}
		if len(p.logs) > 0 && v.Name() != p.logs[0].Name() {
			return nil, fmt.Errorf("%w: log keys of two origins, %q and %q", ErrMalformed, p.logs[0].Name(), v.Name())
		}
		p.logs = append(p.logs, v)
	}
	overseer := false
	for _, t := range d.Trustees {
		switch t.Role {
		case administrator:
			return nil, fmt.Errorf("%w: %s", ErrAdministrator, t.Key)
		case Overseer:
			overseer = true
		case Member:
		default:
			return nil, fmt.Errorf("%w: trustee role %q is neither overseer nor member", ErrMalformed, t.Role)
		}
		v, err := add("trustee", t.Key, algEd25519)
		if err != nil {
			return nil, err
		}
		if names[v.Name()] {
			return nil, fmt.Errorf("%w: trustee %q", ErrRepeatedParty, v.Name())
		}
		names[v.Name()] = true
		p.trustees = append(p.trustees, v)
	}
	if !overseer {
		return nil, ErrNoOverseer
	}
	clear(names)
	wnames := map[string]bool{}
	for _, w := range d.Witnesses {
		if !checkpoint.ValidName(w.Operator) {
			return nil, fmt.Errorf("%w: operator %q is empty or holds a space or plus", ErrMalformed, w.Operator)
		}
		v, err := add("witness", w.Key, algCosignature, algMLDSA)
		if err != nil {
			return nil, err
		}
		// Case and look-alikes are for the trustees who sign; equal strings are ours.
		if op := strings.ToLower(w.Operator); names[op] {
			return nil, fmt.Errorf("%w: operator %q", ErrRepeatedParty, w.Operator)
		} else {
			names[op] = true
		}
		if wnames[v.Name()] {
			return nil, fmt.Errorf("%w: witness %q", ErrRepeatedParty, v.Name())
		}
		wnames[v.Name()] = true
		p.witnesses = append(p.witnesses, v)
	}
	return p, nil
}

// Key types of C2SP signed-note and tlog-cosignature.
const (
	algEd25519     = 1
	algCosignature = 4
	algMLDSA       = 6
)

// Verifier decodes a verifier key and returns its raw public key too. algs are the key types allowed.
func Verifier(vkey string, algs ...byte) (note.Verifier, []byte, error) {
	_, rest, _ := strings.Cut(vkey, "+")
	hash, b64, ok := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.Strict().DecodeString(b64)
	if !ok || err != nil || len(key) < 33 {
		return nil, nil, fmt.Errorf("%w: %q is no verifier key", ErrMalformed, vkey)
	}
	if !slices.Contains(algs, key[0]) {
		return nil, nil, fmt.Errorf("%w: key %q has type %d, which has no place here", ErrMalformed, vkey, key[0])
	}
	var v note.Verifier
	if key[0] == algEd25519 {
		v, err = note.NewVerifier(vkey)
	} else {
		v, err = fnote.NewVerifierForCosignatureV1(vkey)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: key %q: %w", ErrMalformed, vkey, err)
	}
	if !checkpoint.ValidName(v.Name()) || fmt.Sprintf("%08x", v.KeyHash()) != hash {
		return nil, nil, fmt.Errorf("%w: key %q: name or key id does not fit", ErrMalformed, vkey)
	}
	return v, key[1:], nil
}

func isID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
