package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
)

// Checkpoint is a signed state of the log.
type Checkpoint struct {
	Size         uint64
	Root         [32]byte
	At           time.Time            // newest cosignature that counts; without one, when we published it, by our own clock
	Cosignatures []policy.Cosignature // verified ones, by the policy in force
	Raw          []byte               // the signed note
}

// Size is the number of entries in the tree, which may be ahead of the newest checkpoint by what the last interval appended.
func (l *Log) Size(ctx context.Context) (uint64, error) {
	n, err := l.reader.IntegratedSize(ctx)
	if err != nil {
		return 0, fmt.Errorf("ledger size: %w", err)
	}
	return n, nil
}

// Leaf returns the bytes of one entry.
func (l *Log) Leaf(ctx context.Context, idx uint64) ([]byte, error) {
	size, err := l.Size(ctx)
	if err != nil {
		return nil, err
	}
	if idx >= size {
		return nil, fmt.Errorf("%w: index %d of %d", ErrNotFound, idx, size)
	}
	es, err := l.bundle(ctx, idx/layout.EntryBundleWidth, size)
	if err != nil {
		return nil, err
	}
	return es[idx%layout.EntryBundleWidth], nil
}

// Scan calls fn for every entry from index from on, in order, up to the size at the time of the call. The bytes are fn's to keep. An error of fn ends
// the scan and is returned as it is.
func (l *Log) Scan(ctx context.Context, from uint64, fn func(idx uint64, leaf []byte) error) error {
	size, err := l.Size(ctx)
	if err != nil {
		return err
	}
	return l.scanTo(ctx, from, size, fn)
}

func (l *Log) scanTo(ctx context.Context, from, size uint64, fn func(idx uint64, leaf []byte) error) error {
	for idx := from; idx < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		es, err := l.bundle(ctx, idx/layout.EntryBundleWidth, size)
		if err != nil {
			return err
		}
		for _, e := range es[idx%layout.EntryBundleWidth:] {
			if err := fn(idx, e); err != nil {
				return err
			}
			idx++
		}
	}
	return nil
}

// Placed says where an entry landed.
type Placed struct{ Index, Seq uint64 }

// Tail lists index and seq of every entry from index from on. At start-up the store calls it with the index after the highest one it knows: rows whose seq
// is listed were appended before the crash, the rest still has to be.
func (l *Log) Tail(ctx context.Context, from uint64) ([]Placed, error) {
	var out []Placed
	err := l.Scan(ctx, from, func(idx uint64, b []byte) error {
		lf, err := leaf.Parse(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", idx, err)
		}
		out = append(out, Placed{idx, lf.Seq})
		return nil
	})
	return out, err
}

// bundle reads the entries of one bundle as of size. A bundle on disk may hold more than that: a full one stands in for a collected partial one.
func (l *Log) bundle(ctx context.Context, i, size uint64) ([][]byte, error) {
	raw, err := l.reader.ReadEntryBundle(ctx, i, layout.PartialTileSize(0, i, size))
	if err != nil {
		return nil, fmt.Errorf("read entries from %d: %w", i*layout.EntryBundleWidth, err)
	}
	var b api.EntryBundle
	if err := b.UnmarshalText(raw); err != nil {
		return nil, fmt.Errorf("read entries from %d: %w", i*layout.EntryBundleWidth, err)
	}
	want := min(size-i*layout.EntryBundleWidth, layout.EntryBundleWidth)
	if uint64(len(b.Entries)) < want {
		return nil, fmt.Errorf("read entries from %d: %d on disk, %d wanted", i*layout.EntryBundleWidth, len(b.Entries), want)
	}
	return b.Entries[:want], nil
}

// Checkpoint returns the newest signed state, with such cosignatures as it has so far.
func (l *Log) Checkpoint(ctx context.Context) (Checkpoint, error) {
	if err := l.refresh(ctx); err != nil {
		return Checkpoint{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.published == nil {
		return Checkpoint{}, fmt.Errorf("%w: none published", ErrNotCovered)
	}
	if w := l.witnessed; w != nil && w.Size == l.published.Size {
		return *w, nil
	}
	return *l.published, nil
}

// WitnessedCheckpoint returns the newest state that a quorum of witnesses has cosigned, fresh or not. ok is false while there is none.
func (l *Log) WitnessedCheckpoint() (cp Checkpoint, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.witnessed == nil {
		return Checkpoint{}, false
	}
	return *l.witnessed, true
}

// refresh reads the published checkpoint if it has moved on.
func (l *Log) refresh(ctx context.Context) error {
	raw, err := l.reader.ReadCheckpoint(ctx)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := checkpoint.Parse(raw)
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	at := l.cfg.Now()
	if fi, err := os.Stat(filepath.Join(l.cfg.Dir, "log", layout.CheckpointPath)); err == nil {
		at = fi.ModTime()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.published == nil || l.published.Size < c.Size {
		l.published = &Checkpoint{Size: c.Size, Root: c.Root, At: at, Raw: c.Raw}
		l.announce()
	}
	return nil
}

// announce wakes those who wait for a checkpoint. l.mu is held.
func (l *Log) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Await returns once a checkpoint covers the entry: a witnessed one if the policy asks for witnesses, else a signed one.
func (l *Log) Await(ctx context.Context, idx uint64) error {
	for {
		l.mu.Lock()
		cp, wait := l.published, l.changed
		if l.policies.current().policy != nil {
			cp = l.witnessed
		}
		l.mu.Unlock()
		if cp != nil && cp.Size > idx {
			return nil
		}
		select {
		case <-wait:
		case <-l.ctx.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotCovered, ctx.Err())
		}
	}
}

// Later returns the later of now and the newest witness time: what expires by it can't be kept alive by setting back our clock.
func (l *Log) Later(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.witnessed != nil && l.witnessed.At.After(now) {
		return l.witnessed.At
	}
	return now
}

// Consistency proves that the log still holds what an older checkpoint of it signed. It fails with ErrOlder if entries are missing and with ErrForked if
// they are others. The caller has judged old's signatures.
func (l *Log) Consistency(ctx context.Context, old Checkpoint) error {
	size, err := l.Size(ctx)
	if err != nil {
		return err
	}
	if old.Size > size {
		return fmt.Errorf("%w: it has %d entries, the checkpoint %d", ErrOlder, size, old.Size)
	}
	root, err := l.rootAt(ctx, old.Size)
	if err != nil {
		return err
	}
	if root != old.Root {
		return fmt.Errorf("%w: at size %d its root is %s…, the checkpoint's %s…", ErrForked, old.Size, short(root), short(old.Root))
	}
	return nil
}

// rootAt computes the root hash at a size that the tree has reached, from its tiles.
func (l *Log) rootAt(ctx context.Context, size uint64) ([32]byte, error) {
	if size == 0 {
		return [32]byte(rfc6962.DefaultHasher.EmptyRoot()), nil
	}
	hashes, err := client.FetchRangeNodes(ctx, size, l.reader.ReadTile)
	if err != nil {
		return [32]byte{}, fmt.Errorf("read tiles at size %d: %w", size, err)
	}
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r, err := f.NewRange(0, size, hashes)
	if err != nil {
		return [32]byte{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		return [32]byte{}, fmt.Errorf("root at size %d: %w", size, err)
	}
	return [32]byte(root), nil
}
