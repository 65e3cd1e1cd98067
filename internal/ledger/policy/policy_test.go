package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/checkpoint"
)

const origin = "record.halvern.example/decisions"

// key derives a signer from its name; the same name gives the same key.
func key(t testing.TB, name string) (note.Signer, string) {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	s, v, err := NewSigner(name, seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func cosigner(t testing.TB, name string) (*fnote.Signer, string) {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	skey := fmt.Sprintf("PRIVATE+KEY+%s+00000000+%s", name, b64(append([]byte{4}, seed[:]...)))
	s, err := fnote.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	_, v := key(t, name)
	v, err = fnote.VKeyToCosignatureV1(v)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func draft(t testing.TB) *Draft {
	d := &Draft{Version: 1, Threshold: 2, Quorum: 2, Fresh: 24 * time.Hour}
	_, l := key(t, origin)
	d.Logs = []string{l}
	for i, n := range []string{"ombudsman", "registrar", "academy"} {
		_, v := key(t, n)
		d.Trustees = append(d.Trustees, Trustee{map[bool]Role{true: Overseer, false: Member}[i == 0], v})
	}
	for _, n := range []string{"tessary", "lorrin", "quaymar"} {
		_, v := cosigner(t, "w."+n+".example")
		d.Witnesses = append(d.Witnesses, Witness{Operator: n, Key: v})
	}
	return d
}

func signed(t testing.TB, d *Draft, names ...string) *Policy {
	t.Helper()
	p, err := Parse(sign(t, d, names...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sign(t testing.TB, d *Draft, names ...string) []byte {
	t.Helper()
	var ss []note.Signer
	for _, n := range names {
		s, _ := key(t, n)
		ss = append(ss, s)
	}
	raw, err := Sign(d, ss...)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestUnsoundPoliciesAreRefused(t *testing.T) {
	_, mal := key(t, "mallory")
	for _, c := range []struct {
		name   string
		change func(*Draft)
		want   error
	}{
		{"quorum 0", func(d *Draft) { d.Quorum = 0 }, ErrNoQuorum},
		{"no witness", func(d *Draft) { d.Witnesses, d.Quorum = nil, 0 }, ErrNoQuorum},
		{"quorum beyond the witnesses", func(d *Draft) { d.Quorum = 4 }, ErrMalformed},
		{"1 of 3", func(d *Draft) { d.Quorum = 1 }, ErrSplitQuorum},
		{"1 of 2", func(d *Draft) { d.Quorum, d.Witnesses = 1, d.Witnesses[:2] }, ErrSplitQuorum},
		{"a witness twice", func(d *Draft) { d.Witnesses[1] = Witness{Operator: "another", Key: d.Witnesses[0].Key} }, ErrRepeatedKey},
		{"a witness twice under another name", func(d *Draft) {
			d.Witnesses[1].Key = renamed(t, d.Witnesses[0].Key, "w.other.example")
		}, ErrRepeatedKey},
		{"an operator twice", func(d *Draft) { d.Witnesses[1].Operator = "tessary" }, ErrRepeatedParty},
		{"an operator twice in capitals", func(d *Draft) { d.Witnesses[1].Operator = "Tessary" }, ErrRepeatedParty},
		{"the log as its own witness", func(d *Draft) {
			v, err := fnote.VKeyToCosignatureV1(d.Logs[0])
			if err != nil {
				t.Fatal(err)
			}
			d.Witnesses[2].Key = v
		}, ErrRepeatedKey},
		{"a trustee twice", func(d *Draft) { d.Trustees[2].Key = d.Trustees[1].Key }, ErrRepeatedKey},
		{"a trustee's name twice", func(d *Draft) { d.Trustees[2].Key = renamed(t, mal, "registrar") }, ErrRepeatedParty},
		{"1 of 3 trustees", func(d *Draft) { d.Threshold = 1 }, ErrSplitQuorum},
		{"threshold 0", func(d *Draft) { d.Threshold = 0 }, ErrMalformed},
		{"an administrator", func(d *Draft) { d.Trustees[1].Role = administrator }, ErrAdministrator},
		{"no overseer", func(d *Draft) { d.Trustees[0].Role = Member }, ErrNoOverseer},
		{"an unknown role", func(d *Draft) { d.Trustees[1].Role = "friend" }, ErrMalformed},
		{"a log key as a witness", func(d *Draft) { d.Witnesses[0].Key = mal }, ErrMalformed},
		{"two origins", func(d *Draft) { d.Logs = append(d.Logs, mal) }, ErrMalformed},
		{"a first policy with a predecessor", func(d *Draft) { d.Previous = strings.Repeat("0", 64) }, ErrMalformed},
		{"for ever fresh", func(d *Draft) { d.Fresh = 10 * 366 * 24 * time.Hour }, ErrMalformed},
		{"never fresh", func(d *Draft) { d.Fresh = 0 }, ErrMalformed},
	} {
		d := draft(t)
		c.change(d)
		if _, err := d.Text(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// renamed gives the same public key another name, with the key id that fits it.
func renamed(t testing.TB, vkey, name string) string {
	t.Helper()
	f := strings.SplitN(vkey, "+", 3)
	raw := unb64(t, f[2])
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return fmt.Sprintf("%s+%x+%s", name, sum[:4], f[2])
}

func TestSpellingsThatMeanNobodyAreRefused(t *testing.T) {
	text, err := draft(t).Text()
	if err != nil {
		t.Fatal(err)
	}
	for from, c := range map[string]struct {
		to   string
		want error
	}{
		"quorum 2":     {"quorum none", ErrNoQuorum},
		"quorum 2\n":   {"quorum 0\n", ErrNoQuorum},
		"threshold 2":  {"threshold 02", ErrMalformed},
		"quorum 2\nf":  {"group g 0 a\nquorum g\nf", ErrMalformed},
		"previous -":   {"previous  -", ErrMalformed},
		"fresh 86400":  {"fresh 86400\nfresh 86400", ErrMalformed},
		"version 1":    {"version 1 ", ErrMalformed},
		"vigil/policy": {"vigil/police", ErrMalformed},
	} {
		if _, err := Parse([]byte(strings.Replace(text, from, c.to, 1) + "\n")); !errors.Is(err, c.want) {
			t.Errorf("%q for %q: %v", c.to, from, err)
		}
	}
}

func TestPolicyNeedsItsTrustees(t *testing.T) {
	d := draft(t)
	signed(t, d, "ombudsman", "academy")
	for name, who := range map[string][]string{
		"one of two":          {"ombudsman"},
		"without an overseer": {"registrar", "academy"},
		"strangers":           {"mallory", "trudy"},
		"nobody that counts":  {"mallory"},
	} {
		if _, err := Parse(sign(t, d, who...)); !errors.Is(err, ErrSignatures) {
			t.Errorf("%s: %v", name, err)
		}
	}
	raw := sign(t, d, "ombudsman", "academy")
	if _, err := Parse(append(raw, raw[bytes.Index(raw, []byte("— academy")):]...)); err != nil {
		t.Errorf("a signature twice: %v", err)
	}
	one := sign(t, d, "ombudsman")
	if _, err := Parse(append(one, one[bytes.Index(one, []byte("— ombudsman")):]...)); !errors.Is(err, ErrSignatures) {
		t.Errorf("one trustee's signature twice is two: %v", err)
	}
	broken := bytes.Clone(raw)
	broken[bytes.Index(raw, []byte("— academy"))+30] ^= 1
	if _, err := Parse(broken); err == nil {
		t.Error("a broken signature")
	}
	s, _ := key(t, "academy")
	both, err := AddSignatures(one, s)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Parse(both); err != nil || p.ID() != signed(t, d, "ombudsman", "registrar").ID() {
		t.Errorf("signed one after the other: %v", err)
	}
	if err := signed(t, d, "ombudsman", "registrar").RefuseAdministrators("someone", "academy"); !errors.Is(err, ErrAdministrator) {
		t.Errorf("an administrator among the trustees: %v", err)
	}
}

func TestSuccessorIsSignedUnderTheOldPolicy(t *testing.T) {
	old := signed(t, draft(t), "ombudsman", "academy")
	d := draft(t)
	d.Version, d.Previous = 2, old.ID()
	for i, n := range []string{"ombudsman2", "registrar2", "academy2"} {
		_, d.Trustees[i].Key = key(t, n)
	}
	if err := old.Succeed(signed(t, d, "ombudsman2", "academy2", "ombudsman", "registrar")); err != nil {
		t.Error(err)
	}
	if err := old.Succeed(signed(t, d, "ombudsman2", "academy2")); !errors.Is(err, ErrSuccession) {
		t.Errorf("signed by the new trustees alone: %v", err)
	}
	d.Version = 3
	if err := old.Succeed(signed(t, d, "ombudsman2", "academy2", "ombudsman", "registrar")); !errors.Is(err, ErrSuccession) {
		t.Errorf("a version left out: %v", err)
	}
	d.Version, d.Previous = 2, strings.Repeat("0", 64)
	if err := old.Succeed(signed(t, d, "ombudsman2", "academy2", "ombudsman", "registrar")); !errors.Is(err, ErrSuccession) {
		t.Errorf("another predecessor: %v", err)
	}
}

func TestEveryWitnessCountsOnce(t *testing.T) {
	p := signed(t, draft(t), "ombudsman", "academy")
	ls, _ := key(t, origin)
	text := origin + "\n1\n" + b64(make([]byte, 32)) + "\n"
	cp := func(witnesses ...string) *checkpoint.Checkpoint {
		ss := []note.Signer{ls}
		for _, w := range witnesses {
			s, _ := cosigner(t, w)
			ss = append(ss, s)
		}
		raw, err := note.Sign(&note.Note{Text: text}, ss...)
		if err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	now := time.Now()
	a, b, stranger := "w.tessary.example", "w.lorrin.example", "w.mallory.example"
	if v := p.Evaluate(cp(a, b), now); v.Err() != nil || v.Have != 2 || v.Newest.IsZero() {
		t.Errorf("two of three: %+v", v)
	}
	if v := p.Evaluate(cp(a), now); !errors.Is(v.Err(), ErrQuorum) {
		t.Errorf("one: %v", v.Err())
	}
	if v := p.Evaluate(cp(a, stranger), now); !errors.Is(v.Err(), ErrQuorum) || !slices.Equal(v.Unknown, []string{stranger}) {
		t.Errorf("one and a stranger: %+v", v)
	}
	twice := cp(a)
	twice.Signatures = append(twice.Signatures, twice.Signatures[1], twice.Signatures[1])
	if v := p.Evaluate(twice, now); !errors.Is(v.Err(), ErrQuorum) || v.Have != 1 || len(v.Repeated) != 2 {
		t.Errorf("one three times: %+v", v)
	}
	if v := p.Evaluate(cp(a, b), now.Add(25*time.Hour)); !errors.Is(v.Err(), ErrStale) || v.Stale != 2 {
		t.Errorf("a day later: %+v", v)
	}
	if v := p.Evaluate(cp(a, b), now.Add(-time.Hour)); v.Err() == nil || v.Ahead != 2 {
		t.Errorf("cosigned an hour from now: %+v", v)
	}
	bad := cp(a, b)
	bad.Signatures[2].Sig[20] ^= 1
	if v := p.Evaluate(bad, now); !errors.Is(v.Err(), ErrBadSignature) {
		t.Errorf("a broken cosignature: %v", v.Err())
	}
	unsigned := cp(a, b)
	unsigned.Signatures = unsigned.Signatures[1:]
	if v := p.Evaluate(unsigned, now); !errors.Is(v.Err(), ErrLogSignature) {
		t.Errorf("not signed by the log: %v", v.Err())
	}
}

func TestPostQuantumWitnessCounts(t *testing.T) {
	skey, vkey, err := fnote.GenerateMLDSAKey("w.pq.example")
	if err != nil {
		t.Fatal(err)
	}
	pq, err := fnote.NewMLDSASigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	d := draft(t)
	d.Witnesses[2].Key = vkey
	p := signed(t, d, "ombudsman", "academy")
	ls, _ := key(t, origin)
	a, _ := cosigner(t, "w.tessary.example")
	raw, err := note.Sign(&note.Note{Text: origin + "\n1\n" + b64(make([]byte, 32)) + "\n"}, ls, a, pq)
	if err != nil {
		t.Fatal(err)
	}
	c, err := checkpoint.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if v := p.Evaluate(c, time.Now()); v.Err() != nil || v.Have != 2 {
		t.Errorf("%+v", v)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sign(f, draft(f), "ombudsman", "academy"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		if text, err := p.Text(); err != nil || !bytes.HasPrefix(b, []byte(text+"\n")) {
			t.Fatalf("%q is read and written otherwise: %v", b, err)
		}
		if 2*p.Quorum <= len(p.Witnesses) || p.Quorum < 1 {
			t.Fatalf("quorum %d of %d", p.Quorum, len(p.Witnesses))
		}
	})
}
