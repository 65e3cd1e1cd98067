package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/verify"
)

// gate lets requests to a witness through, or not.
type gate struct {
	http.RoundTripper
	shut atomic.Bool
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.shut.Load() {
		return nil, errors.New("unreachable")
	}
	return g.RoundTripper.RoundTrip(r)
}

func gated(c *Config, i int, shut bool) *gate {
	g := &gate{RoundTripper: c.Witnesses[i].HTTP.Transport}
	g.shut.Store(shut)
	c.Witnesses[i].HTTP = &http.Client{Transport: g}
	return g
}

// eventually polls for what the witness loop does by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := awaitCtx(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func TestLogStartsWithoutItsWitnessesAndCatchesUp(t *testing.T) {
	var g *gate
	l, cfg := setup(t, func(c *Config) { g = gated(c, 1, true) })
	idx, err := l.Append(t.Context(), entry(t, 1, l.PolicyID()))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a problem is shown", func() bool { return l.Witnessed().Witnesses[1].Problem != "" })
	s := l.Witnessed()
	if s.Met() || s.Have != 0 || s.Need != 2 || s.Alarm != "" {
		t.Errorf("with one of two: %+v", s)
	}
	eventually(t, "a checkpoint", func() bool { cp, err := l.Checkpoint(t.Context()); return err == nil && cp.Size > idx })
	b, _ := l.Leaf(t.Context(), idx)
	r, err := l.Receipt(t.Context(), idx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.VerifyReceipt(cfg.Policy, b, r, time.Now()); !errors.Is(err, policy.ErrQuorum) {
		t.Errorf("unwitnessed receipt: %v", err)
	}
	g.shut.Store(false)
	if err := l.Await(awaitCtx(t), idx); err != nil {
		t.Fatal(err)
	}
	if s := l.Witnessed(); !s.Met() || s.Witnesses[1].Problem != "" {
		t.Errorf("with both: %+v", s)
	}
}

func TestExplicitlyUnwitnessedLog(t *testing.T) {
	l, cfg := setup(t, func(c *Config) { c.Policy, c.Witnesses = nil, nil })
	if s := l.Witnessed(); s.Met() || s.Need != 0 {
		t.Errorf("%+v", s)
	}
	if id := l.PolicyID(); id != "" {
		t.Errorf("policy %q", id)
	}
	idx, err := l.Append(t.Context(), entry(t, 1, ""))
	if err == nil {
		err = l.Await(awaitCtx(t), idx)
	}
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.Export(t.Context(), &b, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if r, err := verify.Export(&b, nil, time.Now()); !errors.Is(err, verify.ErrSelfConsistentOnly) {
		t.Errorf("%v %v", err, r.Findings)
	}
	// The first policy is proposed, entered, and in force at once.
	r, err := Rehearse(t.TempDir(), origin, []byte("a seed of the test, not a secret"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if err := l.ProposePolicy(r.Policy); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), policyLeaf(t, 2, r.Policy.ID())); err != nil {
		t.Fatal(err)
	}
	if l.PolicyID() != r.Policy.ID() {
		t.Error("the first policy is not in force")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Policy, cfg.Witnesses = r.Policy, r.Witnesses
	l = open(t, cfg)
	if err := l.Await(awaitCtx(t), 2); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if err := l.Export(t.Context(), &b, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if rep, err := verify.Export(&b, r.Policy, time.Now()); err != nil || !hasNotice(rep, verify.Unpoliced) {
		t.Errorf("%v %v", err, rep)
	}
}

func hasNotice(r *verify.Report, k verify.Kind) bool {
	return slices.ContainsFunc(r.Notices, func(f verify.Finding) bool { return f.Kind == k })
}

func policyLeaf(t testing.TB, seq uint64, id string) []byte {
	t.Helper()
	b, err := NewLeaf(seq, leaf.ActionPolicy, "p-trustees", id, time.Now(), [32]byte{}, nil).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// successor is the rehearsal's next policy, signed by its trustees: fresh for an hour only.
func successor(t testing.TB, old *policy.Policy) *policy.Policy {
	t.Helper()
	d := old.Draft
	d.Version, d.Previous, d.Fresh = 2, old.ID(), time.Hour
	var signers []note.Signer
	for _, n := range []string{"ombudsman.rehearsal", "academy.rehearsal"} {
		sum := sha256.Sum256([]byte("vigil/rehearsal/" + n + "\na seed of the test, not a secret"))
		s, _, err := policy.NewSigner(n, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, s)
	}
	raw, err := policy.Sign(&d, signers...)
	if err != nil {
		t.Fatal(err)
	}
	next, err := policy.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestPolicyIsNotInForceByAnOlderCheckpoint(t *testing.T) {
	l, cfg := setup(t, nil)
	if err := l.ProposePolicy(successor(t, cfg.Policy)); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.policies.promised, l.policies.pendingAt = true, 10 // its entry stands further on than what is cosigned next
	l.mu.Unlock()
	idx, err := l.Append(t.Context(), entry(t, 1, l.PolicyID()))
	if err == nil {
		err = l.Await(awaitCtx(t), idx)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil { // the witness loop has ended: whatever it was to do is done
		t.Fatal(err)
	}
	if l.PolicyID() != cfg.Policy.ID() {
		t.Error("in force before its entry was cosigned")
	}
}

func TestPolicyChangeWaitsForTheOldQuorum(t *testing.T) {
	var g *gate
	l, cfg := setup(t, func(c *Config) { g = gated(c, 1, false) })
	if err := l.Await(awaitCtx(t), 0); err != nil {
		t.Fatal(err)
	}
	old := cfg.Policy
	next := successor(t, old)
	if _, err := l.Append(t.Context(), policyLeaf(t, 1, next.ID())); !errors.Is(err, ErrRefusedLeaf) {
		t.Errorf("a policy that was not proposed: %v", err)
	}
	stranger, err := Rehearse(t.TempDir(), origin, []byte("another seed altogether"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	if err := l.ProposePolicy(stranger.Policy); !errors.Is(err, policy.ErrSuccession) {
		t.Errorf("another house's policy: %v", err)
	}
	if err := l.ProposePolicy(next); err != nil {
		t.Fatal(err)
	}
	g.shut.Store(true)
	if _, err := l.Append(t.Context(), policyLeaf(t, 1, next.ID())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the witness is missed", func() bool { return l.Witnessed().Witnesses[1].Problem != "" })
	if l.PolicyID() != old.ID() {
		t.Fatal("in force before the old quorum cosigned")
	}
	if _, err := l.Append(t.Context(), entry(t, 2, next.ID())); !errors.Is(err, ErrRefusedLeaf) {
		t.Errorf("an entry under a policy not yet in force: %v", err)
	}
	// A restart in between forgets nothing.
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, cfg)
	if l.PolicyID() != old.ID() {
		t.Fatal("in force by a restart")
	}
	g.shut.Store(false)
	eventually(t, "the new policy is in force", func() bool { return l.PolicyID() == next.ID() })
	last, err := l.Append(t.Context(), entry(t, 2, next.ID()))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Await(awaitCtx(t), last); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.Export(t.Context(), &b, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for name, pin := range map[string]*policy.Policy{"old": old, "new": next} {
		if rep, err := verify.Export(strings.NewReader(text), pin, time.Now()); err != nil {
			t.Errorf("pinned %s: %v %v", name, err, rep.Findings)
		} else if len(rep.Policies) != 2 {
			t.Errorf("policies %v", rep.Policies)
		}
	}
}

func TestExportOpensWhatTheReaderMaySee(t *testing.T) {
	l, cfg := setup(t, nil)
	var leaves [][]byte
	for i := range 700 {
		leaves = append(leaves, entry(t, uint64(i+1), l.PolicyID()))
	}
	if _, err := l.AppendBatch(t.Context(), leaves); err != nil {
		t.Fatal(err)
	}
	if err := l.Await(awaitCtx(t), 700); err != nil {
		t.Fatal(err)
	}
	opened := func(idx uint64, lf *leaf.Leaf) ([]verify.Opening, error) {
		if lf.Seq != 300 {
			return nil, nil
		}
		return []verify.Opening{{Name: "text", Salt: FieldSalt([32]byte{1, byte(300 & 255)}, "text"), Value: []byte("note 300")}}, nil
	}
	var b bytes.Buffer
	if err := l.Export(t.Context(), &b, ExportOptions{Opened: opened}); err != nil {
		t.Fatal(err)
	}
	r, err := verify.Export(&b, cfg.Policy, time.Now())
	if err != nil || r.Opened != 1 || r.Entries != 701 || !hasNotice(r, verify.Rehearsal) {
		t.Fatalf("%v %+v", err, r)
	}
}

func TestRefusedEntriesAreNotWritten(t *testing.T) {
	l, _ := setup(t, nil)
	ok := entry(t, 1, l.PolicyID())
	genesis, err := verify.Genesis(origin, l.PolicyID(), nil, time.Now()).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"no leaf": []byte("hello"), "another policy": entry(t, 2, strings.Repeat("0", 64)), "no policy": entry(t, 2, ""), "genesis": genesis} {
		if _, err := l.AppendBatch(t.Context(), [][]byte{ok, b}); !errors.Is(err, ErrRefusedLeaf) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := l.Size(t.Context()); n != 1 || err != nil {
		t.Errorf("size %d, %v", n, err)
	}
	if _, err := l.Leaf(t.Context(), 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := l.Await(ctx, 99); !errors.Is(err, ErrNotCovered) {
		t.Errorf("%v", err)
	}
}

// copyDir keeps an older state of the ledger, as a backup would.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func TestOlderLedgerIsRefusedAndRebuilt(t *testing.T) {
	l, cfg := setup(t, nil)
	add := func(from, to int) {
		for i := from; i <= to; i++ {
			if _, err := l.Append(t.Context(), entry(t, uint64(i), l.PolicyID())); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Await(awaitCtx(t), uint64(to)); err != nil {
			t.Fatal(err)
		}
	}
	add(1, 5)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	backup := t.TempDir() + "/backup"
	copyDir(t, cfg.Dir, backup)
	l = open(t, cfg)
	add(6, 9)
	var rows [][]byte // what the database holds, by index
	if err := l.Scan(t.Context(), 0, func(_ uint64, b []byte) error { rows = append(rows, b); return nil }); err != nil {
		t.Fatal(err)
	}
	last, _ := l.WitnessedCheckpoint()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	seq := func(rows [][]byte) iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for _, b := range rows {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
	// The backup beside a newer "witnessed" file is caught at once.
	older := cfg
	older.Dir = t.TempDir() + "/older"
	copyDir(t, backup, older.Dir)
	if err := os.WriteFile(filepath.Join(older.Dir, "witnessed"), last.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), older); !errors.Is(err, ErrOlder) {
		t.Errorf("older than witnessed: %v", err)
	}
	// The backup alone looks sound from inside; the witnesses remember.
	alone := cfg
	alone.Dir = t.TempDir() + "/alone"
	copyDir(t, backup, alone.Dir)
	a := open(t, alone)
	if _, err := a.Append(t.Context(), entry(t, 6, a.PolicyID())); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an alarm", func() bool { return a.Witnessed().Alarm != "" })
	if a.Witnessed().Met() {
		t.Error("met in spite of the alarm")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	// Rebuilding refuses what does not give the witnessed root.
	cut := rows[:8]
	other := slices.Clone(rows)
	other[7] = entry(t, 77, cfg.Policy.ID())
	swapped := slices.Clone(rows)
	swapped[7], swapped[8] = swapped[8], swapped[7]
	for name, c := range map[string]struct {
		rows [][]byte
		want error
	}{"cut off": {cut, ErrOlder}, "another entry": {other, ErrForked}, "swapped": {swapped, ErrForked}, "none": {nil, ErrOlder}} {
		if err := Rebuild(t.Context(), older, seq(c.rows), last.Raw, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Rebuild(t.Context(), older, seq(rows), bytes.Replace(last.Raw, []byte("— rehearsal-witness-2"), []byte("— rehearsal-witness-3"), 1), nil); !errors.Is(err, policy.ErrQuorum) {
		t.Errorf("a checkpoint without its quorum: %v", err)
	}
	if _, err := os.Stat(older.Dir + ".before-rebuild"); err == nil {
		t.Fatal("a refused rebuild moved the old ledger")
	}
	if err := Rebuild(t.Context(), older, seq(rows), last.Raw, nil); err != nil {
		t.Fatal(err)
	}
	older.MustExist = true
	l = open(t, older)
	if idx, err := l.Append(t.Context(), entry(t, 10, l.PolicyID())); err != nil || idx != 10 {
		t.Fatalf("after rebuilding: index %d, %v", idx, err)
	}
	if err := l.Await(awaitCtx(t), 10); err != nil {
		t.Fatal(err)
	}
	if s := l.Witnessed(); !s.Met() {
		t.Errorf("the witnesses do not accept the rebuilt log: %+v", s)
	}
}

func TestMissingLogIsNotBegunAnew(t *testing.T) {
	r, err := Rehearse(t.TempDir(), origin, []byte("a seed of the test, not a secret"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	cfg := Config{Dir: t.TempDir(), Origin: origin, Signer: r.Signer, Policy: r.Policy, MustExist: true}
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrOlder) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, "log", "checkpoint")); err == nil {
		t.Error("something was signed")
	}
}

func TestDamagedFilesAreNamedAtOpen(t *testing.T) {
	l, cfg := setup(t, nil)
	var leaves [][]byte
	for i := range 300 {
		leaves = append(leaves, entry(t, uint64(i+1), l.PolicyID()))
	}
	if _, err := l.AppendBatch(t.Context(), leaves); err != nil {
		t.Fatal(err)
	}
	if err := l.Await(awaitCtx(t), 300); err != nil {
		t.Fatal(err)
	}
	other, err := Rehearse(t.TempDir(), origin, []byte("another seed altogether"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	damage := func(name string, change func(*Config)) error {
		c := cfg
		c.Dir = t.TempDir() + "/copy"
		copyDir(t, cfg.Dir, c.Dir)
		change(&c)
		l, err := Open(t.Context(), c)
		if err == nil {
			_ = l.Close()
		}
		t.Logf("%s: %v", name, err)
		return err
	}
	if err := damage("another policy", func(c *Config) { c.Policy = other.Policy }); !errors.Is(err, ErrOtherPolicy) {
		t.Error("opened under another policy")
	}
	if err := damage("another log", func(c *Config) {
		sum := sha256.Sum256([]byte("x"))
		c.Origin, c.Policy = "other.example/log", nil
		c.Signer, _, _ = policy.NewSigner(c.Origin, sum[:])
	}); err == nil {
		t.Error("opened as another log")
	}
	if err := damage("policy file gone", func(c *Config) { _ = os.Remove(filepath.Join(c.Dir, "policies", fmt.Sprintf("%020d", 0))) }); err == nil {
		t.Error("opened without its policy")
	}
	if err := damage("witnessed garbled", func(c *Config) { _ = os.WriteFile(filepath.Join(c.Dir, "witnessed"), []byte("x"), 0o600) }); err == nil {
		t.Error("opened with a garbled witnessed checkpoint")
	}
	if err := damage("tile changed", func(c *Config) {
		file := filepath.Join(c.Dir, "log", "tile", "1", "000.p", "1")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[3] ^= 1
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}); !errors.Is(err, ErrForked) {
		t.Error("opened with a changed tile")
	}
	if err := damage("nothing", func(*Config) {}); err != nil {
		t.Errorf("an undamaged copy: %v", err)
	}
}

func TestWitnessTimeOutrunsASetBackClock(t *testing.T) {
	l, _ := setup(t, nil)
	if err := l.Await(awaitCtx(t), 0); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-100 * time.Hour)
	if got := l.Later(past); !got.After(past.Add(99 * time.Hour)) {
		t.Errorf("%v", got)
	}
	future := time.Now().Add(time.Hour)
	if got := l.Later(future); !got.Equal(future) {
		t.Errorf("%v", got)
	}
}

func TestLogThatTakesAnothersPlaceSaysSoForEver(t *testing.T) {
	lost := &verify.Break{Origin: "record.halvern.example/old", Size: 812, Root: sha256.Sum256([]byte("root"))}
	l, cfg := setup(t, func(c *Config) { c.Continues = lost })
	if err := l.Await(awaitCtx(t), 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Continues = nil // forgotten in the configuration, not in the log
	l = open(t, cfg)
	var b bytes.Buffer
	if err := l.Export(t.Context(), &b, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	r, err := verify.Export(&b, cfg.Policy, time.Now())
	if err != nil || r.Break == nil || *r.Break != *lost || !hasNotice(r, verify.Broken) {
		t.Errorf("%v %+v", err, r)
	}
}

func TestRotationSignsWithBothKeys(t *testing.T) {
	sum := sha256.Sum256([]byte("the next key"))
	extra, vkey, err := policy.NewSigner(origin, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	l, _ := setup(t, func(c *Config) { c.ExtraSigners = []note.Signer{extra} })
	if err := l.Await(awaitCtx(t), 0); err != nil {
		t.Fatal(err)
	}
	cp, _ := l.WitnessedCheckpoint()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := note.Open(cp.Raw, note.VerifierList(v)); err != nil || len(n.Sigs) != 1 {
		t.Errorf("the next key did not sign: %v", err)
	}
}

func TestStateInWords(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for want, s := range map[string]State{
		"unwitnessed: no policy in force":                       {},
		"witnessed 0 of 2":                                      {Need: 2},
		"witnessed 2 of 2, 40 s ago (rehearsal, same machine)":  {Have: 2, Need: 2, Newest: now.Add(-40 * time.Second), Rehearsal: true},
		"witnessed 2 of 3, 5 min ago; ALARM: a longer log seen": {Have: 2, Need: 3, Newest: now.Add(-5 * time.Minute), Alarm: "a longer log seen"},
		"witnessed 2 of 3, 3 h ago":                             {Have: 2, Need: 3, Newest: now.Add(-3 * time.Hour)},
		"witnessed 2 of 3, 3 days ago":                          {Have: 2, Need: 3, Newest: now.Add(-80 * time.Hour)},
	} {
		if got := s.Text(now); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
