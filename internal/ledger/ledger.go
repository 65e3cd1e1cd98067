// Package ledger keeps the record of decisions: an append-only Merkle log on local files whose checkpoints independent witnesses cosign.
//
// A witnessed log proves that what was written was not rewritten unnoticed. It proves neither that an entry is true nor that everything was entered; for
// that, reconcile with registers outside.
//
// The log itself is Tessera on POSIX files. What this package adds is what a record of decisions needs around it: one appender enforced by a lock, entries
// in one strict format (package leaf), grouping that keeps a single approval quick and an import fast, witnessing that the log can start without and that
// is judged by our own rules (package policy), receipts, export, and rebuilding. Verification stands apart, in package verify, and needs none of this.
//
// Files under Config.Dir, on a local disk:
//
//	lock       held while a Log is open
//	log/       the tiles, entry bundles and newest checkpoint (C2SP tlog-tiles)
//	policies/  every trust policy that was in force, named by the index from which it is
//	witnessed  the newest checkpoint with a quorum of cosignatures
//	break      the log that this one takes the place of, if any
//	history    older such checkpoints, at most one a minute: between them lie the entries' times
package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/verify"
	"vigil/internal/ledger/witness"
)

// What an entry is made of; see package leaf.
type (
	Field      = leaf.Field
	Leaf       = leaf.Leaf
	Commitment = leaf.Commitment
	Receipt    = verify.Receipt
)

// NewLeaf makes an entry; salt is the record's 32 random bytes. See leaf.New.
func NewLeaf(seq uint64, action, actor, policy string, at time.Time, salt [32]byte, fields []Field) *Leaf {
	return leaf.New(seq, action, actor, policy, at, salt, fields)
}

// ParseLeaf is the strict inverse of Leaf.Marshal.
func ParseLeaf(b []byte) (*Leaf, error) { return leaf.Parse(b) }

// Commit is SHA-256("vigil/c1" ‖ salt ‖ value).
func Commit(salt [32]byte, value []byte) [32]byte { return leaf.Commit(salt, value) }

// FieldSalt derives one field's salt from the record's 32 random bytes.
func FieldSalt(record [32]byte, name string) [32]byte { return leaf.FieldSalt(record, name) }

// Errors a caller branches on.
var (
	ErrLocked      = errors.New("ledger is open elsewhere")            // another process or Log holds the directory
	ErrClosed      = errors.New("ledger is closed")                    //
	ErrBroken      = errors.New("ledger failed and must be reopened")  // a write failed: stop the process, reopen, reconcile
	ErrOlder       = errors.New("ledger is older than its checkpoint") // entries are missing that were once signed or witnessed
	ErrForked      = errors.New("ledger contradicts its checkpoint")   // other entries than those once signed or witnessed
	ErrNotCovered  = errors.New("no checkpoint covers the entry yet")  // try again after the next one; see Await
	ErrNotFound    = errors.New("no such entry")                       //
	ErrOtherPolicy = errors.New("another trust policy is in force")    // change policies with ProposePolicy
	ErrRefusedLeaf = errors.New("entry refused")                       // not a leaf, or under a policy this log never had
	errOtherLog    = errors.New("directory holds another log")
)

// Config is the manual. Dir, Origin and Signer are needed; the rest has defaults.
type Config struct {
	// Dir holds the whole ledger. It must be a local disk with working fsync and locks. It is created if it does not exist.
	Dir string

	// Origin names the log for ever, like "record.halvern.example/decisions". It equals Signer's name.
	Origin string

	// Signer signs checkpoints. ExtraSigners sign too, during the overlap of a rotation; all carry the origin as name.
	Signer       note.Signer
	ExtraSigners []note.Signer

	// Policy is the trust policy in force. Nil starts the log explicitly unwitnessed: its entries say "-", and nothing should leave the house on them.
	Policy *policy.Policy

	// Witnesses are asked to cosign. Those the policy does not know are never counted. They need not be reachable: the log opens and appends without
	// them, and Witnessed says how many have answered.
	Witnesses []*witness.Client

	// Continues is set for a new log that takes the place of one that was lost without a mirror. Entry 0 then names the old log's last witnessed root,
	// which every export shows as a break. It is read only when the log begins.
	Continues *verify.Break

	// MustExist refuses, with ErrOlder, to begin a new log in an empty directory. Set it whenever anything else, the database above all, knows of entries:
	// a new log under an old name contradicts what was signed before.
	MustExist bool

	// BatchMaxAge is how long an append waits for others to share its disk syncs. Zero, the default, waits for none: those that arrive while one group
	// is being written form the next.
	BatchMaxAge time.Duration

	// CheckpointInterval is the least time between two checkpoints; 100 ms is the default and the minimum.
	CheckpointInterval time.Duration

	// WitnessInterval is the least time between two rounds of asking the witnesses, 250 ms by default; they are asked only when there is something new.
	WitnessInterval time.Duration

	// WitnessRefresh asks for new cosignatures on an unchanged log once the newest are this old; 1 minute by default.
	WitnessRefresh time.Duration

	// WitnessTimeout bounds one witness's answer; 5 s by default.
	WitnessTimeout time.Duration

	// HistoryInterval is the least time between two witnessed checkpoints kept for later; 1 minute by default.
	HistoryInterval time.Duration

	// Now is the clock; time.Now by default.
	Now func() time.Time

	// Logger gets what an operator should see; nothing is logged by default. The first Log of a process also routes the engine's own messages there.
	Logger *slog.Logger
}

func (c *Config) defaults() error {
	if c.Dir == "" || c.Signer == nil {
		return errors.New("ledger needs a directory and a signer")
	}
	if c.Origin != c.Signer.Name() {
		return fmt.Errorf("ledger origin %q is not the signer's name %q", c.Origin, c.Signer.Name())
	}
	if c.Policy != nil && c.Policy.Origin() != c.Origin {
		return fmt.Errorf("policy is about the log %q, not %q", c.Policy.Origin(), c.Origin)
	}
	if c.CheckpointInterval == 0 {
		c.CheckpointInterval = 100 * time.Millisecond
	}
	for _, d := range []struct {
		d   *time.Duration
		def time.Duration
	}{{&c.WitnessInterval, 250 * time.Millisecond}, {&c.WitnessRefresh, time.Minute}, {&c.WitnessTimeout, 5 * time.Second}, {&c.HistoryInterval, time.Minute}} {
		if *d.d <= 0 {
			*d.d = d.def
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Log is an open ledger. Its methods may be called concurrently.
type Log struct {
	cfg    Config
	lock   *os.File
	reader tessera.LogReader
	add    tessera.AddFn
	stop   func(context.Context) error // Tessera's shutdown: waits for the last checkpoint, does not stop the publisher
	cancel context.CancelFunc          // stops the publisher and our own goroutines
	ctx    context.Context             // done once cancel was called

	brk      *verify.Break
	requests chan *request // to the one goroutine that appends
	quit     chan struct{} // closed by Close: take no more requests
	loops    sync.WaitGroup
	closing  sync.Once
	closeErr error

	mu        sync.Mutex
	broken    error         // set by the first failed write, for ever
	changed   chan struct{} // closed and replaced whenever published or witnessed moves
	published *Checkpoint
	witnessed *Checkpoint
	policies  policyChain
	round     round
	peers     []*peer
	lastKept  time.Time // when history was last written
}

var routeEngineLog sync.Once

// Open opens the ledger in cfg.Dir or begins a new one, whose entry 0 names the origin and the policy. It takes the single-appender lock and refuses a
// directory whose entries contradict, or fall short of, the checkpoints that were signed and witnessed. It does not wait for witnesses.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	l, err := prepare(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := l.start(ctx); err != nil {
		l.cancel()
		l.loops.Wait()
		_ = l.lock.Close()
		return nil, fmt.Errorf("open ledger %s: %w", cfg.Dir, err)
	}
	return l, nil
}

// prepare checks the configuration and takes the lock.
func prepare(ctx context.Context, cfg Config) (*Log, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	routeEngineLog.Do(func() {
		klog.LogToStderr(false)
		klog.SetOutput(io.Discard)
		klog.SetSlogLogger(cfg.Logger)
	})
	l := &Log{cfg: cfg, lock: lock, requests: make(chan *request), quit: make(chan struct{}), changed: make(chan struct{})}
	// The appender lives until Close, not until the caller's context ends.
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return l, nil
}

func (l *Log) startEngine() error {
	// Tessera creates and signs an empty log where it finds none. Look first.
	if _, err := os.Stat(filepath.Join(l.cfg.Dir, "log", "checkpoint")); errors.Is(err, os.ErrNotExist) && l.cfg.MustExist {
		return fmt.Errorf("%w: there is no log", ErrOlder)
	}
	root := filepath.Join(l.cfg.Dir, "log")
	healClock(filepath.Join(root, "checkpoint"), l.cfg.Now())
	driver, err := posix.New(l.ctx, posix.Config{Path: root})
	if err != nil {
		return err
	}
	opts := tessera.NewAppendOptions().
		WithCheckpointSigner(l.cfg.Signer, l.cfg.ExtraSigners...).
		WithBatching(maxGroup, engineAge).
		WithCheckpointInterval(l.cfg.CheckpointInterval).
		WithCheckpointRepublishInterval(0). // a checkpoint holds no time; witnesses give it one
		WithShutdownTimeout(10 * time.Second)
	// No WithWitnesses: it would hold up the very first checkpoint until they answer, and count one key listed twice as two witnesses.
	app, stop, reader, err := tessera.NewAppender(l.ctx, driver, opts)
	if err != nil {
		return err
	}
	l.add, l.stop, l.reader = app.Add, stop, reader
	return nil
}

func (l *Log) start(ctx context.Context) error {
	if err := l.startEngine(); err != nil {
		return err
	}
	if err := l.loadWitnessed(ctx); err != nil {
		return err
	}
	l.loops.Add(1)
	go l.appendLoop()
	if err := l.begin(ctx); err != nil {
		close(l.quit)
		return err
	}
	l.initPeers()
	l.loops.Add(1)
	go l.witnessLoop()
	return nil
}

// begin writes entry 0 of a new log, or checks it and the policy of an old one.
func (l *Log) begin(ctx context.Context) error {
	size, err := l.Size(ctx)
	if err != nil {
		return err
	}
	id := ""
	if l.cfg.Policy != nil {
		id = l.cfg.Policy.ID()
	}
	if size == 0 && l.cfg.MustExist {
		return fmt.Errorf("%w: it has no entry at all", ErrOlder)
	}
	if size == 0 {
		if err := l.savePolicy(0, l.cfg.Policy); err != nil {
			return err
		}
		if b := l.cfg.Continues; b != nil {
			if err := writeFile(filepath.Join(l.cfg.Dir, "break"), []byte(b.Text())); err != nil {
				return fmt.Errorf("keep the break: %w", err)
			}
		}
		g := verify.Genesis(l.cfg.Origin, id, l.cfg.Continues, l.cfg.Now())
		b, err := g.Marshal()
		if err != nil {
			return err
		}
		if _, err := l.append(ctx, [][]byte{b}); err != nil {
			return fmt.Errorf("write entry 0: %w", err)
		}
	}
	b, err := l.Leaf(ctx, 0)
	if err != nil {
		return err
	}
	g, err := leaf.Parse(b)
	if err != nil {
		return fmt.Errorf("entry 0: %w", err)
	}
	if err := verify.CheckGenesis(g, l.cfg.Origin); err != nil {
		return fmt.Errorf("%w: %w", errOtherLog, err)
	}
	if raw, err := os.ReadFile(filepath.Join(l.cfg.Dir, "break")); err == nil {
		if l.brk, err = verify.ParseBreak(string(raw)); err != nil {
			return fmt.Errorf("break: %w", err)
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("break: %w", err)
	}
	return l.loadPolicies(ctx, g.Policy)
}

// Close stops taking entries, waits until what was appended is covered by a signed checkpoint, and releases the directory. It is safe to call twice.
func (l *Log) Close() error {
	l.closing.Do(func() {
		close(l.quit)
		stopCtx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		var errs []error
		l.mu.Lock()
		broken := l.broken
		l.mu.Unlock()
		if broken == nil {
			errs = append(errs, l.stop(stopCtx))
		}
		l.cancel()
		l.loops.Wait()
		l.closeErr = errors.Join(append(errs, l.lock.Close())...)
	})
	return l.closeErr
}

// Break names the log that this one takes the place of, nil if none.
func (l *Log) Break() *verify.Break { return l.brk }

// PolicyID is the id of the trust policy in force, which every new entry must carry; "" while there is none.
func (l *Log) PolicyID() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.policies.current().id
}

// Dir is the ledger's directory.
func (l *Log) Dir() string { return l.cfg.Dir }

// Origin is the log's name.
func (l *Log) Origin() string { return l.cfg.Origin }

// lockDir takes the single-appender lock. It is bound to the open file, so it also keeps out a second Log of the same process.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
		}
		return nil, fmt.Errorf("lock ledger: %w", err)
	}
	return f, nil
}

// healClock sets a checkpoint file's time back to now if it lies ahead: the engine publishes again only after an interval counted from it, so a clock
// that was once wrong would otherwise stop checkpoints until it is reached.
func healClock(file string, now time.Time) {
	if fi, err := os.Stat(file); err == nil && fi.ModTime().After(now) {
		_ = os.Chtimes(file, now, now)
	}
}

func short(root [32]byte) string { return hex.EncodeToString(root[:8]) }
