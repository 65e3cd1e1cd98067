package witness_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"
	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/witness"
)

const origin = "record.halvern.example/decisions"

type house struct {
	signer note.Signer
	vkey   string
	tree   *testonly.Tree
}

func newHouse(t testing.TB, leaves ...string) *house {
	t.Helper()
	seed := sha256.Sum256([]byte("log"))
	s, v, err := policy.NewSigner(origin, seed[:])
	if err != nil {
		t.Fatal(err)
	}
	h := &house{s, v, testonly.New(rfc6962.DefaultHasher)}
	for _, l := range leaves {
		h.tree.AppendData([]byte(l))
	}
	return h
}

func (h *house) checkpoint(t testing.TB, size uint64) []byte {
	t.Helper()
	raw, err := note.Sign(&note.Note{Text: string(log.Checkpoint{Origin: origin, Size: size, Hash: h.tree.HashAt(size)}.Marshal())}, h.signer)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h *house) proof(t testing.TB, from, to uint64) [][]byte {
	t.Helper()
	p, err := h.tree.ConsistencyProof(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func key(t testing.TB) *witness.Key {
	t.Helper()
	seed := sha256.Sum256([]byte("witness"))
	k, err := witness.NewKey("witness.tessary.example", seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func config(t testing.TB, dir string, h *house) witness.Config {
	return witness.Config{Dir: dir, New: true, Key: key(t), Logs: map[string][]string{origin: {h.vkey}},
		Now: func() time.Time { return time.Unix(1_790_000_000, 0) }}
}

func open(t testing.TB, cfg witness.Config) (*witness.Witness, *witness.Client) {
	t.Helper()
	w, err := witness.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w, &witness.Client{Name: cfg.Key.Name(), URL: "http://in-process.invalid/prefix/..", HTTP: &http.Client{Transport: witness.InProcess(strip(w.Handler()))}}
}

func strip(h http.Handler) http.Handler { return http.StripPrefix("/prefix/..", h) }

func TestCosignatureIsThatOfTheSpecification(t *testing.T) {
	h := newHouse(t, "a", "b", "c")
	w, c := open(t, config(t, t.TempDir(), h))
	raw := h.checkpoint(t, 3)
	sigs, err := c.AddCheckpoint(t.Context(), 0, nil, raw)
	if err != nil {
		t.Fatal(err)
	}
	v, err := fnote.NewVerifierForCosignatureV1(key(t).VerifierKey()) // another implementation
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(string(raw)+sigs[0].Line+"\n"), note.VerifierList(v))
	if err != nil || len(n.Sigs) != 1 {
		t.Fatalf("%v", err)
	}
	if at, err := fnote.CoSigV1Timestamp(n.Sigs[0]); err != nil || at.Unix() != 1_790_000_000 {
		t.Errorf("time %v, %v", at, err)
	}
	// Monitors get the newest cosigned checkpoint, with the log's signature and the cosignature.
	rec := httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest("GET", fmt.Sprintf("/%x/checkpoint", sha256.Sum256([]byte(origin))), nil))
	if rec.Code != 200 || rec.Body.String() != string(raw)+sigs[0].Line+"\n" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	w.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/00/checkpoint", nil))
	if rec.Code != 404 {
		t.Errorf("unknown log: %d", rec.Code)
	}
}

func TestForksAndRollbacksAreRefusedAcrossRestarts(t *testing.T) {
	h, fork := newHouse(t, "a", "b", "c", "d", "e"), newHouse(t, "a", "X", "c", "d", "e", "f")
	cfg := config(t, t.TempDir(), h)
	w, c := open(t, cfg)
	ctx := t.Context()
	if _, err := c.AddCheckpoint(ctx, 0, nil, h.checkpoint(t, 3)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.New = false
	_, c = open(t, cfg)
	if _, err := c.AddCheckpoint(ctx, 3, h.proof(t, 3, 5), h.checkpoint(t, 5)); err != nil {
		t.Fatalf("continuation after a restart: %v", err)
	}
	_, err := c.AddCheckpoint(ctx, 3, h.proof(t, 3, 5), h.checkpoint(t, 5))
	if conflict, ok := errors.AsType[*witness.Conflict](err); !ok || conflict.Size != 5 {
		t.Errorf("from an older size: %v", err)
	}
	if _, err := c.AddCheckpoint(ctx, 0, nil, h.checkpoint(t, 3)); err == nil {
		t.Error("an older checkpoint was cosigned")
	}
	if _, err := c.AddCheckpoint(ctx, 5, nil, fork.checkpoint(t, 5)); !errors.Is(err, witness.ErrInconsistent) {
		t.Errorf("a fork of the same size: %v", err)
	}
	if _, err := c.AddCheckpoint(ctx, 5, fork.proof(t, 5, 6), fork.checkpoint(t, 6)); !errors.Is(err, witness.ErrInconsistent) {
		t.Errorf("a longer fork: %v", err)
	}
	if _, err := c.AddCheckpoint(ctx, 5, nil, h.checkpoint(t, 5)); err != nil {
		t.Errorf("the same again, for a fresh time: %v", err)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	h := newHouse(t, "a", "b", "c", "d")
	w, c := open(t, config(t, t.TempDir(), h))
	if _, err := c.AddCheckpoint(t.Context(), 0, nil, h.checkpoint(t, 2)); err != nil {
		t.Fatal(err)
	}
	cp := string(h.checkpoint(t, 4))
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	stranger := newHouse(t, "a")
	seed := sha256.Sum256([]byte("other"))
	stranger.signer, _, _ = policy.NewSigner(origin, seed[:])
	empty := strings.Replace(cp, "\n4\n", "\n0\n", 1)
	for _, x := range []struct {
		name, body string
		status     int
	}{
		{"empty", "", 400},
		{"no old size", "\n" + cp, 400},
		{"leading zero", "old 02\n\n" + cp, 400},
		{"no checkpoint", "old 2\n\n", 400},
		{"a proof line that is none", "old 2\nAAAA\n\n" + cp, 400},
		{"64 proof lines", "old 2\n" + strings.Repeat(hash, 64) + "\n" + cp, 400},
		{"an old size beyond the checkpoint", "old 5\n\n" + cp, 400},
		{"an unknown log", "old 0\n\n" + strings.Replace(cp, origin+"\n4", "other.example/log\n4", 1), 404},
		{"a stranger's signature", "old 0\n\n" + string(stranger.checkpoint(t, 1)), 403},
		{"a broken signature", "old 2\n\n" + empty, 403},
		{"another size", "old 3\n\n" + cp, 409},
		{"no proof", "old 2\n\n" + cp, 422},
		{"a wrong proof", "old 2\n" + hash + "\n" + cp, 422},
		{"too large", "old 2\n\n" + cp + strings.Repeat("x", 1<<20), 413},
	} {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httptest.NewRequest("POST", "/add-checkpoint", strings.NewReader(x.body)))
		if rec.Code != x.status {
			t.Errorf("%s: %d %s", x.name, rec.Code, rec.Body)
		}
		if x.status == 409 && (rec.Body.String() != "2\n" || rec.Header().Get("Content-Type") != "text/x.tlog.size") {
			t.Errorf("conflict says %q as %q", rec.Body, rec.Header().Get("Content-Type"))
		}
	}
	rec := httptest.NewRecorder()
	if w.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/add-checkpoint", nil)); rec.Code != 405 {
		t.Errorf("GET: %d", rec.Code)
	}
}

func TestOneOfTwoConcurrentForksIsCosigned(t *testing.T) {
	h, fork := newHouse(t, "a", "b"), newHouse(t, "a", "X")
	_, c := open(t, config(t, t.TempDir(), h))
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, cp := range [][]byte{h.checkpoint(t, 2), fork.checkpoint(t, 2)} {
		wg.Go(func() { _, errs[i] = c.AddCheckpoint(t.Context(), 0, nil, cp) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("%v", errs)
	}
}

func TestLostOrDamagedMemoryIsNotANewBeginning(t *testing.T) {
	h := newHouse(t, "a", "b")
	cfg := config(t, t.TempDir(), h)
	w, c := open(t, cfg)
	if _, err := witness.Open(cfg); !errors.Is(err, witness.ErrLocked) {
		t.Errorf("a second process: %v", err)
	}
	if _, err := c.AddCheckpoint(t.Context(), 0, nil, h.checkpoint(t, 2)); err != nil {
		t.Fatal(err)
	}
	// A damaged state refuses; it is not "nothing seen yet".
	state := filepath.Join(cfg.Dir, fmt.Sprintf("%x", sha256.Sum256([]byte(origin))))
	good, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cut off": good[:20], "empty": nil, "without our signature": h.checkpoint(t, 1), "changed": bytes.Replace(good, []byte("\n2\n"), []byte("\n1\n"), 1)} {
		if err := os.WriteFile(state, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.AddCheckpoint(t.Context(), 0, nil, h.checkpoint(t, 2)); err == nil {
			t.Errorf("state %s: cosigned", name)
		}
	}
	_ = w.Close()
	cfg.New = false
	cfg.Dir = t.TempDir()
	if _, err := witness.Open(cfg); !errors.Is(err, witness.ErrNoState) {
		t.Errorf("an empty directory: %v", err)
	}
	cfg.New, cfg.Dir = true, filepath.Dir(state)
	seed := sha256.Sum256([]byte("another"))
	cfg.Key, _ = witness.NewKey("witness.lorrin.example", seed[:])
	if _, err := witness.Open(cfg); err == nil {
		t.Error("another key took over the memory")
	}
}

func TestClientReadsAnswersWithinLimits(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"empty":     func(http.ResponseWriter, *http.Request) {},
		"huge":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", 1<<20)) },
		"no line":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") },
		"error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"conflict?": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(409) },
	} {
		c := &witness.Client{Name: "w", URL: "http://x.invalid", HTTP: &http.Client{Transport: witness.InProcess(h)}}
		if _, err := c.AddCheckpoint(t.Context(), 0, nil, []byte("cp")); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzAddCheckpoint(f *testing.F) {
	h := newHouse(f, "a", "b")
	w, _ := open(f, config(f, f.TempDir(), h))
	f.Add([]byte("old 0\n\n" + string(h.checkpoint(f, 2))))
	f.Add([]byte("old 2\nAAAA\n\nx\n1\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec := httptest.NewRecorder()
		w.Handler().ServeHTTP(rec, httptest.NewRequest("POST", "/add-checkpoint", bytes.NewReader(b)))
		if rec.Code == 500 {
			t.Fatalf("%q: %s", b, rec.Body)
		}
	})
}
