// Package witness is a C2SP tlog-witness: it remembers the newest checkpoint of each log it knows, refuses every checkpoint that is not a consistent
// continuation, and cosigns the others with the time.
//
// Its whole worth is its memory. What it cosigned is on disk before it answers, one process holds its directory, and a witness whose state is gone does
// not start again as if it had never seen anything: it refuses until an operator says that it is new.
package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"vigil/internal/ledger/checkpoint"
)

const (
	maxBody  = checkpoint.MaxSize + 8<<10 // bytes of a request
	maxProof = 63                         // hashes in a consistency proof (C2SP)
	marker   = "vigil-witness"            // file that tells a used directory from a lost one
)

// Errors of Open.
var (
	ErrNoState = errors.New("witness has no state: it is new, or its memory was lost")
	ErrLocked  = errors.New("witness directory is in use")
)

// Key is a witness's Ed25519 key and name.
type Key struct {
	name string
	seed ed25519.PrivateKey
}

// NewKey makes a key from a name and a 32-byte seed.
func NewKey(name string, seed []byte) (*Key, error) {
	if !checkpoint.ValidName(name) || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("witness key needs a name without space or plus, and %d bytes", ed25519.SeedSize)
	}
	return &Key{name, ed25519.NewKeyFromSeed(seed)}, nil
}

// Name is the key's name.
func (k *Key) Name() string { return k.name }

func (k *Key) material() []byte { return append([]byte{4}, k.seed.Public().(ed25519.PublicKey)...) }

func (k *Key) hash() []byte {
	h := sha256.New()
	h.Write([]byte(k.name + "\n"))
	h.Write(k.material())
	return h.Sum(nil)[:4]
}

// VerifierKey is the public half, of type cosignature/v1, as a policy lists it.
func (k *Key) VerifierKey() string {
	return fmt.Sprintf("%s+%x+%s", k.name, k.hash(), base64.StdEncoding.EncodeToString(k.material()))
}

// cosign gives the signature line over a checkpoint's text (C2SP tlog-cosignature, Ed25519).
func (k *Key) cosign(text string, now time.Time) string {
	t := uint64(now.Unix())
	sig := binary.BigEndian.AppendUint64(k.hash(), t)
	sig = append(sig, ed25519.Sign(k.seed, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", t, text))...)
	return "— " + k.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// Config is the manual of a witness.
type Config struct {
	Dir  string              // its memory; a directory of its own on a local disk
	New  bool                // allow a directory without state. Never set it to get a witness going again whose disk was lost: retire its key instead.
	Key  *Key                // signs
	Logs map[string][]string // by origin, the verifier keys of the log; several during a rotation
	Now  func() time.Time    // clock; time.Now by default
}

// Witness serves the protocol. Close it to release its directory.
type Witness struct {
	cfg  Config
	logs map[string][]note.Verifier
	lock *os.File
	mu   sync.Mutex // held from reading a log's state until the new state is on disk
}

// Open reads the configuration and takes the directory.
func Open(cfg Config) (*Witness, error) {
	if cfg.Dir == "" || cfg.Key == nil || len(cfg.Logs) == 0 {
		return nil, errors.New("witness needs a directory, a key and a log")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Witness{cfg: cfg, logs: map[string][]note.Verifier{}}
	for origin, keys := range cfg.Logs {
		if len(keys) == 0 {
			return nil, fmt.Errorf("witness: log %q has no key", origin)
		}
		for _, k := range keys {
			v, err := note.NewVerifier(k)
			if err != nil {
				return nil, fmt.Errorf("witness: key of log %q: %w", origin, err)
			}
			w.logs[origin] = append(w.logs[origin], v)
		}
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(cfg.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s", ErrLocked, cfg.Dir)
	}
	w.lock = f
	if err := w.checkMarker(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return w, nil
}

func (w *Witness) checkMarker() error {
	want := []byte(w.cfg.Key.VerifierKey() + "\n")
	file := filepath.Join(w.cfg.Dir, marker)
	got, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist) && w.cfg.New:
		return writeFile(file, want)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrNoState, w.cfg.Dir)
	case err != nil:
		return fmt.Errorf("witness: %w", err)
	case !bytes.Equal(got, want):
		return fmt.Errorf("witness: directory %s is the memory of another key, %s", w.cfg.Dir, bytes.TrimSpace(got))
	}
	return nil
}

// Close releases the directory.
func (w *Witness) Close() error { return w.lock.Close() }

// Handler serves add-checkpoint and the monitors' retrieval of the newest cosigned checkpoint.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	mux.HandleFunc("GET /{hash}/checkpoint", w.getCheckpoint)
	return mux
}

type refusal struct {
	status int
	text   string
}

func (w *Witness) addCheckpoint(rw http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(rw, "cannot read the request: "+err.Error(), status)
		return
	}
	line, size, no := w.add(body)
	switch {
	case no == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(rw, line)
	case no.status == http.StatusConflict:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintf(rw, "%d\n", size)
	default:
		http.Error(rw, no.text, no.status)
	}
}

// add is the protocol's core: it returns the cosignature line, or why not and, for a conflict, the size last cosigned.
func (w *Witness) add(body []byte) (line string, size uint64, no *refusal) {
	refuse := func(status int, format string, a ...any) (string, uint64, *refusal) {
		return "", 0, &refusal{status, fmt.Sprintf(format, a...)}
	}
	old, hashes, raw, err := parseRequest(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	c, err := checkpoint.Parse(raw)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	keys, ok := w.logs[c.Origin]
	if !ok {
		return refuse(http.StatusNotFound, "unknown log %q", c.Origin)
	}
	signed, err := logSignatures(c, keys)
	if err != nil {
		return refuse(http.StatusForbidden, "%v", err)
	}
	if old > c.Size {
		return refuse(http.StatusBadRequest, "old size %d is beyond the checkpoint's %d", old, c.Size)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	last, err := w.load(c.Origin)
	if err != nil {
		return refuse(http.StatusInternalServerError, "state cannot be read")
	}
	root := [32]byte(rfc6962.DefaultHasher.EmptyRoot())
	if last != nil {
		size, root = last.Size, last.Root
	}
	if old != size {
		return "", size, &refusal{http.StatusConflict, ""}
	}
	switch {
	case c.Size == 0 && c.Root != [32]byte(rfc6962.DefaultHasher.EmptyRoot()):
		return refuse(http.StatusUnprocessableEntity, "size 0 without the root of the empty tree")
	case old == 0 && len(hashes) > 0:
		return refuse(http.StatusUnprocessableEntity, "a proof from size 0")
	case old == c.Size && (root != c.Root || len(hashes) > 0):
		return refuse(http.StatusUnprocessableEntity, "another root at size %d", old)
	case old > 0 && old < c.Size:
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old, c.Size, hashes, root[:], c.Root[:]); err != nil {
			return refuse(http.StatusUnprocessableEntity, "not consistent with size %d", old)
		}
	}
	now := w.cfg.Now()
	if last != nil {
		// Our own clock may have been set back; our statements still don't go backwards.
		if t := w.lastTime(last); now.Before(t) {
			now = t
		}
	}
	line = w.cfg.Key.cosign(c.Text, now)
	if err := writeFile(w.file(c.Origin), []byte(c.Text+"\n"+signed+line)); err != nil {
		return refuse(http.StatusInternalServerError, "state cannot be written")
	}
	return line, 0, nil
}

// logSignatures returns the log's own valid signature lines. A line that claims a known key and does not verify spoils the note.
func logSignatures(c *checkpoint.Checkpoint, keys []note.Verifier) (string, error) {
	var lines strings.Builder
	for _, s := range c.Signatures {
		for _, v := range keys {
			if v.Name() != s.Name || v.KeyHash() != s.KeyHash {
				continue
			}
			if !v.Verify([]byte(c.Text), s.Sig) {
				return "", fmt.Errorf("signature of %q does not verify", s.Name)
			}
			if !strings.Contains(lines.String(), s.Line+"\n") {
				lines.WriteString(s.Line + "\n")
			}
		}
	}
	if lines.Len() == 0 {
		return "", errors.New("no signature by a known key of the log")
	}
	return lines.String(), nil
}

func parseRequest(body []byte) (old uint64, hashes [][]byte, raw []byte, err error) {
	head, raw, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return 0, nil, nil, errors.New("no empty line before the checkpoint")
	}
	lines := strings.Split(string(head), "\n")
	num, ok := strings.CutPrefix(lines[0], "old ")
	old, err = strconv.ParseUint(num, 10, 63)
	if !ok || err != nil || strconv.FormatUint(old, 10) != num {
		return 0, nil, nil, errors.New("line 1 is not the old size")
	}
	if len(lines)-1 > maxProof {
		return 0, nil, nil, fmt.Errorf("%d proof lines, more than %d", len(lines)-1, maxProof)
	}
	for i, l := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(l)
		if err != nil || len(h) != 32 || len(l) != 44 {
			return 0, nil, nil, fmt.Errorf("line %d is no hash", i+2)
		}
		hashes = append(hashes, h)
	}
	return old, hashes, raw, nil
}

func (w *Witness) getCheckpoint(rw http.ResponseWriter, req *http.Request) {
	for origin := range w.logs {
		if originHash(origin) != req.PathValue("hash") {
			continue
		}
		w.mu.Lock()
		c, err := w.load(origin)
		w.mu.Unlock()
		if err != nil {
			http.Error(rw, "state cannot be read", http.StatusInternalServerError)
			return
		}
		if c != nil {
			rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = rw.Write(c.Raw)
			return
		}
	}
	http.NotFound(rw, req)
}

// load reads what was last cosigned for a log, nil if nothing was. A state that can't be read is an error, never "nothing".
func (w *Witness) load(origin string) (*checkpoint.Checkpoint, error) {
	raw, err := os.ReadFile(w.file(origin))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.Parse(raw)
	if err != nil {
		return nil, err
	}
	if c.Origin != origin {
		return nil, fmt.Errorf("state of %q names %q", origin, c.Origin)
	}
	if w.lastTime(c).IsZero() {
		return nil, fmt.Errorf("state of %q is not cosigned by this witness", origin)
	}
	return c, nil
}

// lastTime is the time of our own valid cosignature on c, zero if there is none.
func (w *Witness) lastTime(c *checkpoint.Checkpoint) time.Time {
	v, err := fnote.NewVerifierForCosignatureV1(w.cfg.Key.VerifierKey())
	if err != nil {
		return time.Time{}
	}
	for _, s := range c.Signatures {
		if s.Name == v.Name() && s.KeyHash == v.KeyHash() && v.Verify([]byte(c.Text), s.Sig) {
			t, _ := checkpoint.CosignatureTime(s.Sig)
			return t
		}
	}
	return time.Time{}
}

func (w *Witness) file(origin string) string { return filepath.Join(w.cfg.Dir, originHash(origin)) }

func originHash(origin string) string {
	h := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(h[:])
}

// writeFile replaces a file so that after a crash there is the old or the new content, and the new one once it returned.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
