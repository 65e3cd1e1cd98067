package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger"
	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/verify"
	"vigil/internal/ledger/witness"
)

const origin = "record.halvern.example/decisions"

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is an export made by hand, so that its faults can be too.
type fixture struct {
	r      *ledger.Rehearsal
	leaves [][]byte
	brk    *verify.Break
}

func newFixture(t testing.TB, seed string, n int) *fixture {
	t.Helper()
	r, err := ledger.Rehearse(t.TempDir(), origin, []byte(seed+"-a seed of the test"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	f := &fixture{r: r}
	f.leaves = append(f.leaves, marshal(t, verify.Genesis(origin, r.Policy.ID(), nil, now)))
	for i := 1; i < n; i++ {
		f.leaves = append(f.leaves, f.entry(t, uint64(i)))
	}
	return f
}

func marshal(t testing.TB, l *leaf.Leaf) []byte {
	t.Helper()
	b, err := l.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func record(seq uint64) [32]byte { return sha256.Sum256(fmt.Appendf(nil, "record %d", seq)) }

func (f *fixture) entry(t testing.TB, seq uint64) []byte {
	return marshal(t, leaf.New(seq, "incident.note", "p-7f3a", f.r.Policy.ID(), now.Add(-time.Minute), record(seq),
		[]leaf.Field{{Name: "text", Value: fmt.Appendf(nil, "note %d", seq)}}))
}

func (f *fixture) checkpoint(t testing.TB, witnesses int) []byte {
	t.Helper()
	rf := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := rf.NewEmptyRange(0)
	for _, b := range f.leaves {
		if err := r.Append(rfc6962.DefaultHasher.HashLeaf(b), nil); err != nil {
			t.Fatal(err)
		}
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := note.Sign(&note.Note{Text: string(log.Checkpoint{Origin: origin, Size: uint64(len(f.leaves)), Hash: root}.Marshal())}, f.r.Signer)
	if err != nil {
		t.Fatal(err)
	}
	signed := raw
	for _, w := range f.r.Witnesses[:witnesses] {
		sigs, err := w.AddCheckpoint(t.Context(), 0, nil, raw)
		if err != nil {
			t.Fatal(err)
		}
		signed = append(bytes.Clone(signed), sigs[0].Line+"\n"...)
	}
	return signed
}

// export gives the export's lines, with entry 2 opened.
func (f *fixture) export(t testing.TB, cp []byte) []string {
	t.Helper()
	var b bytes.Buffer
	w := verify.NewWriter(&b)
	if f.brk != nil {
		w.Break(f.brk)
	}
	w.Policy(0, f.r.Policy.Raw)
	w.Checkpoint(cp)
	var hashes [][]byte
	for _, l := range f.leaves {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(l))
	}
	first := uint64(0)
	for h := range slices.Chunk(hashes, 256) {
		w.Hashes(first, h)
		first += uint64(len(h))
	}
	for i, l := range f.leaves {
		w.Leaf(uint64(i), l)
		if i == 2 {
			w.Opened(2, verify.Opening{Name: "text", Salt: leaf.FieldSalt(record(2), "text"), Value: []byte("note 2")})
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func join(lines []string) string { return strings.Join(lines, "\n") + "\n" }

func at(t testing.TB, lines []string, prefix string) int {
	t.Helper()
	i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, prefix) })
	if i < 0 {
		t.Fatalf("no line %q", prefix)
	}
	return i
}

func enc(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func TestSoundExportHoldsOnlyUnderAPinnedPolicy(t *testing.T) {
	f := newFixture(t, "a", 600)
	text := join(f.export(t, f.checkpoint(t, 2)))
	r, err := verify.Export(strings.NewReader(text), f.r.Policy, now)
	if err != nil || r.Entries != 600 || r.Opened != 1 || r.Verdict.Have != 2 || len(r.Findings) > 0 {
		t.Fatalf("%v %+v", err, r)
	}
	if len(r.Notices) != 1 || r.Notices[0].Kind != verify.Rehearsal {
		t.Errorf("notices %v", r.Notices)
	}
	if _, err := verify.Export(strings.NewReader(text), nil, now); !errors.Is(err, verify.ErrSelfConsistentOnly) {
		t.Errorf("without a pinned policy: %v", err)
	}
}

// Each case does one thing to a sound export of ten entries and names what must be found about which entry.
func TestTamperedExportIsNamed(t *testing.T) {
	f := newFixture(t, "a", 10)
	cp := f.checkpoint(t, 2)
	other := newFixture(t, "b", 10)
	lf := func(l []string, i int) int { return at(t, l, fmt.Sprintf("leaf %d ", i)) }
	changed := bytes.Clone(f.leaves[4])
	changed[30] ^= 1
	bad := other.entry(t, 77)
	for _, c := range []struct {
		name string
		do   func(l []string) []string
		kind verify.Kind
		idx  int64
	}{
		{"one changed byte", func(l []string) []string { l[lf(l, 4)] = "leaf 4 " + enc(changed); return l }, verify.Changed, 4},
		{"an entry replaced", func(l []string) []string { l[lf(l, 7)] = "leaf 7 " + enc(bad); return l }, verify.Changed, 7},
		{"an unreadable entry", func(l []string) []string { l[lf(l, 3)] = "leaf 3 !!"; return l }, verify.Changed, 3},
		{"a dropped entry", func(l []string) []string { return slices.Delete(l, lf(l, 5), lf(l, 5)+1) }, verify.Dropped, 5},
		{"a dropped last entry", func(l []string) []string { return slices.Delete(l, lf(l, 9), lf(l, 9)+1) }, verify.Dropped, 9},
		{"a dropped and concealed entry", func(l []string) []string {
			l = slices.Delete(l, lf(l, 5), lf(l, 5)+1)
			for i := 6; i < 10; i++ {
				k := lf(l, i)
				l[k] = fmt.Sprintf("leaf %d %s", i-1, strings.Fields(l[k])[2])
			}
			l[len(l)-1] = "end 9"
			return l
		}, verify.Dropped, 5},
		{"two lines swapped", func(l []string) []string { a, b := lf(l, 6), lf(l, 7); l[a], l[b] = l[b], l[a]; return l }, verify.Reordered, 6},
		{"two entries swapped under their numbers", func(l []string) []string {
			a, b := lf(l, 6), lf(l, 7)
			x, y := strings.Fields(l[a])[2], strings.Fields(l[b])[2]
			l[a], l[b] = "leaf 6 "+y, "leaf 7 "+x
			return l
		}, verify.Reordered, 6},
		{"an entry under another number", func(l []string) []string { k := lf(l, 9); l[k] = "leaf 10 " + strings.Fields(l[k])[2]; return l }, verify.Reordered, 9},
		{"an entry twice", func(l []string) []string { return slices.Insert(l, lf(l, 6), l[lf(l, 5)]) }, verify.Inserted, 5},
		{"an entry added at the end", func(l []string) []string {
			l[len(l)-1] = "leaf 10 " + enc(bad)
			return append(l, "end 11")
		}, verify.Inserted, 10},
		{"a changed tile hash", func(l []string) []string {
			k := at(t, l, "hashes ")
			b, _ := base64.StdEncoding.DecodeString(strings.Fields(l[k])[2])
			b[8*32] ^= 1
			l[k] = "hashes 0 " + enc(b)
			return l
		}, verify.Tree, 8},
		{"an opened content changed", func(l []string) []string {
			k := at(t, l, "opened ")
			w := strings.Fields(l[k])
			w[4] = enc([]byte("note 3"))
			l[k] = strings.Join(w, " ")
			return l
		}, verify.Content, 2},
		{"a content for another entry", func(l []string) []string {
			k := at(t, l, "opened ")
			l[k] = strings.Replace(l[k], "opened 2", "opened 1", 1)
			return l
		}, verify.Content, 1},
		{"one witness signing twice", func(l []string) []string {
			one := f.checkpointWith(t, 1)
			lines := strings.Split(strings.TrimSuffix(string(one), "\n"), "\n")
			l[at(t, l, "checkpoint ")] = "checkpoint " + enc([]byte(string(one)+lines[len(lines)-1]+"\n"))
			return l
		}, verify.RepeatedWitness, -1},
		{"one witness of two", func(l []string) []string {
			l[at(t, l, "checkpoint ")] = "checkpoint " + enc(f.checkpointWith(t, 1))
			return l
		}, verify.Quorum, -1},
		{"one witness listed twice in the policy", func(l []string) []string {
			w := f.r.Policy.Witnesses[0]
			text := strings.Replace(string(f.r.Policy.Raw), "witness "+f.r.Policy.Witnesses[1].Operator+" "+f.r.Policy.Witnesses[1].Key, "witness somebody-else "+w.Key, 1)
			l[at(t, l, "policy ")] = "policy 0 " + enc([]byte(text))
			return l
		}, verify.RepeatedWitness, -1},
		{"a swapped policy", func(l []string) []string { l[at(t, l, "policy ")] = "policy 0 " + enc(other.r.Policy.Raw); return l }, verify.Policy, 0},
		{"no policy", func(l []string) []string { return slices.Delete(l, at(t, l, "policy "), at(t, l, "policy ")+1) }, verify.Policy, 0},
		{"everything by another house", func([]string) []string { return other.export(t, other.checkpoint(t, 2)) }, verify.Policy, 0},
		{"a forged signature", func(l []string) []string {
			s := string(cp)
			i := strings.Index(s, "— "+origin) + len("— "+origin) + 20
			b := []byte(s)
			b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
			l[at(t, l, "checkpoint ")] = "checkpoint " + enc(b)
			return l
		}, verify.Signature, -1},
		{"cut off", func(l []string) []string { return l[:len(l)-1] }, verify.Truncated, -1},
		{"more after the end", func(l []string) []string { return append(l, l[lf(l, 3)]) }, verify.Truncated, -1},
		{"no checkpoint", func(l []string) []string { return slices.Delete(l, at(t, l, "checkpoint "), at(t, l, "checkpoint ")+1) }, verify.Malformed, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := c.do(f.exportCopy(t, cp))
			r, err := verify.Export(strings.NewReader(join(lines)), f.r.Policy, now)
			if !errors.Is(err, verify.ErrFailed) {
				t.Fatalf("%v %+v", err, r)
			}
			if !r.Has(c.kind, c.idx) {
				t.Errorf("want %s about %d, found %v", c.kind, c.idx, r.Findings)
			}
			if strings.Contains(c.name, "swapped policy") && !strings.Contains(fmt.Sprint(r.Findings), "was swapped") {
				t.Errorf("not called swapped: %v", r.Findings)
			}
			if strings.Contains(c.name, "entry") && len(r.Findings) > 3 {
				t.Errorf("one fault, %d findings: %v", len(r.Findings), r.Findings)
			}
		})
	}
}

func (f *fixture) exportCopy(t testing.TB, cp []byte) []string { return slices.Clone(f.export(t, cp)) }

// checkpointWith drops cosignatures from the full set: the rehearsal witnesses cosigned this tree already.
func (f *fixture) checkpointWith(t testing.TB, witnesses int) []byte {
	t.Helper()
	g := newFixture(t, "a", 0)
	g.leaves = f.leaves
	return g.checkpoint(t, witnesses)
}

func TestNoByteCanChangeUnnoticed(t *testing.T) {
	f := newFixture(t, "a", 4)
	text := []byte(join(f.export(t, f.checkpoint(t, 2))))
	lineOf := make([]string, len(text))
	start := 0
	for i, b := range text {
		if b == '\n' {
			for k := start; k <= i; k++ {
				lineOf[k] = string(text[start:i])
			}
			start = i + 1
		}
	}
	step := 1
	if testing.Short() {
		step = 11
	}
	for i := 0; i < len(text); i += step {
		b := bytes.Clone(text)
		b[i] ^= 1
		r, err := verify.Export(bytes.NewReader(b), f.r.Policy, now)
		if !errors.Is(err, verify.ErrFailed) {
			t.Fatalf("byte %d of %q changed: %v", i, lineOf[i], err)
		}
		if s := lineOf[i]; strings.HasPrefix(s, "leaf ") && text[i] != '\n' {
			idx := int64(s[5] - '0')
			if !r.Has(verify.Changed, idx) && !r.Has(verify.Reordered, idx) && !r.Has(verify.Dropped, idx) && !r.Has(verify.Inserted, idx) {
				t.Errorf("byte %d of entry %d changed, found %v", i, idx, r.Findings)
			}
		}
	}
}

func TestStaleCosignaturesAreNamed(t *testing.T) {
	f := newFixture(t, "a", 3)
	text := join(f.export(t, f.checkpoint(t, 2)))
	r, err := verify.Export(strings.NewReader(text), f.r.Policy, now.Add(f.r.Policy.Fresh+time.Second))
	if !errors.Is(err, verify.ErrFailed) || !r.Has(verify.Stale, -1) {
		t.Errorf("%v %v", err, r.Findings)
	}
	if _, err := verify.Export(strings.NewReader(text), f.r.Policy, now.Add(-policy.Skew-time.Second)); !errors.Is(err, verify.ErrFailed) {
		t.Errorf("cosigned in the future: %v", err)
	}
}

// Whoever holds every key of the log, but not the witnesses', can sign another history and can't have it cosigned.
func TestHouseAloneCannotRewrite(t *testing.T) {
	f := newFixture(t, "a", 6)
	old := f.checkpoint(t, 2)
	f.leaves[3] = f.entry(t, 99)
	r, err := verify.Export(strings.NewReader(join(f.export(t, f.checkpoint(t, 0)))), f.r.Policy, now)
	if !errors.Is(err, verify.ErrFailed) || !r.Has(verify.Quorum, -1) {
		t.Errorf("signed by the house alone: %v %v", err, r.Findings)
	}
	r, err = verify.Export(strings.NewReader(join(f.export(t, old))), f.r.Policy, now)
	if !errors.Is(err, verify.ErrFailed) || !r.Has(verify.Tree, -1) {
		t.Errorf("under the witnessed checkpoint of the old history: %v %v", err, r.Findings)
	}
}

func TestMissingAndRepeatedSeq(t *testing.T) {
	f := newFixture(t, "a", 6)
	f.leaves[3] = f.entry(t, 2)
	r, err := verify.Export(strings.NewReader(join(f.export(t, f.checkpoint(t, 2)))), f.r.Policy, now)
	if !errors.Is(err, verify.ErrFailed) || !r.Has(verify.Sequence, 3) {
		t.Errorf("%v %v", err, r.Findings)
	}
	f = newFixture(t, "a", 6)
	f.leaves[2], f.leaves[3] = f.leaves[3], f.leaves[2] // swapped by a flush before it was logged
	lines := f.export(t, f.checkpoint(t, 2))
	lines = slices.Delete(lines, at(t, lines, "opened "), at(t, lines, "opened ")+1)
	if r, err = verify.Export(strings.NewReader(join(lines)), f.r.Policy, now); err != nil || len(r.Notices) != 2 {
		t.Errorf("%v %v %v", err, r.Findings, r.Notices)
	}
}

// A new policy's own witnesses can't vouch for the change that made them witnesses.
func TestChangeOfPolicyNeedsTheOldQuorum(t *testing.T) {
	f := newFixture(t, "a", 2)
	old := f.r.Policy
	d := old.Draft
	d.Version, d.Previous, d.Witnesses = 2, old.ID(), nil
	seed := []byte("a-a seed of the test")
	var clients []*witness.Client
	for _, n := range []string{"new-1", "new-2"} {
		w, c, line, err := witness.Rehearse(t.TempDir(), n, seed, map[string][]string{origin: old.Logs}, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		clients, d.Witnesses = append(clients, c), append(d.Witnesses, line)
	}
	var signers []note.Signer
	for _, n := range []string{"ombudsman.rehearsal", "registrar.rehearsal"} {
		sum := sha256.Sum256(append([]byte("vigil/rehearsal/"+n+"\n"), seed...))
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
	f.leaves = append(f.leaves, marshal(t, leaf.New(2, leaf.ActionPolicy, "p-trustees", next.ID(), now, record(2), []leaf.Field{{Name: "text", Value: []byte("note 2")}})))
	byOld := f.checkpoint(t, 2) // of three entries: the change is the last
	f.leaves = append(f.leaves, marshal(t, leaf.New(3, "incident.note", "p-7f3a", next.ID(), now, record(3), nil)))
	f.r.Witnesses = clients
	lines := f.export(t, f.checkpoint(t, 2))
	k := at(t, lines, "checkpoint ")
	lines = slices.Insert(lines, k, "policy 2 "+enc(next.Raw))
	for _, pin := range []*policy.Policy{old, next} {
		r, err := verify.Export(strings.NewReader(join(lines)), pin, now)
		if !errors.Is(err, verify.ErrFailed) || !r.Has(verify.Policy, 2) || len(r.Findings) != 1 {
			t.Errorf("never cosigned by the old witnesses: %v %v", err, r.Findings)
		}
	}
	lines = slices.Insert(lines, k+1, "history "+enc(byOld))
	for _, pin := range []*policy.Policy{old, next} {
		if r, err := verify.Export(strings.NewReader(join(lines)), pin, now); err != nil {
			t.Errorf("cosigned by the old witnesses: %v %v", err, r.Findings)
		}
	}
	lines[at(t, lines, "policy 2 ")] = "policy 3 " + enc(next.Raw)
	if r, err := verify.Export(strings.NewReader(join(lines)), old, now); !errors.Is(err, verify.ErrFailed) || !r.Has(verify.Policy, 3) {
		t.Errorf("a policy under another entry: %v %v", err, r.Findings)
	}
}

func TestBreakIsShownForEver(t *testing.T) {
	f := newFixture(t, "a", 2)
	f.brk = &verify.Break{Origin: "record.halvern.example/old", Size: 812, Root: sha256.Sum256([]byte("root"))}
	f.leaves[0] = marshal(t, verify.Genesis(origin, f.r.Policy.ID(), f.brk, now))
	f.leaves = f.leaves[:2]
	text := func() []string {
		l := f.exportCopy(t, f.checkpointWith(t, 2))
		return l
	}
	r, err := verify.Export(strings.NewReader(join(text())), f.r.Policy, now)
	if err != nil || r.Break == nil || !slices.ContainsFunc(r.Notices, func(n verify.Finding) bool { return n.Kind == verify.Broken }) {
		t.Fatalf("%v %v", err, r.Notices)
	}
	l := text()
	if r, err := verify.Export(strings.NewReader(join(slices.Delete(l, 1, 2))), f.r.Policy, now); !errors.Is(err, verify.ErrFailed) || !r.Has(verify.Beginning, 0) {
		t.Errorf("a concealed break: %v", err)
	}
}

func FuzzExport(f *testing.F) {
	x := newFixture(f, "a", 4)
	f.Add([]byte(join(x.export(f, x.checkpoint(f, 2)))))
	f.Add([]byte("vigil/export/1\nend 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := verify.Export(bytes.NewReader(b), x.r.Policy, now)
		if err == nil && r.Pinned != x.r.Policy.ID() {
			t.Fatal("held without the pinned policy")
		}
		if r != nil {
			if werr := r.WriteText(&bytes.Buffer{}); werr != nil {
				t.Fatal(werr)
			}
		}
	})
}

func FuzzParseReceipt(f *testing.F) {
	x := newFixture(f, "a", 1)
	f.Add((&verify.Receipt{Index: 0, Proof: [][32]byte{{1}}, Checkpoint: x.checkpoint(f, 2)}).Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := verify.ParseReceipt(b)
		if err == nil && !bytes.Equal(r.Marshal(), b) {
			t.Fatalf("%q is read and written otherwise", b)
		}
	})
}

func BenchmarkExport(b *testing.B) {
	f := newFixture(b, "a", 20000)
	text := join(f.export(b, f.checkpoint(b, 2)))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := verify.Export(strings.NewReader(text), f.r.Policy, now); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(20000*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
