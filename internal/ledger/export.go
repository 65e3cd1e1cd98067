package ledger

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/transparency-dev/tessera/client"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/verify"
)

// ExportOptions says what else than the public tree goes into an export.
type ExportOptions struct {
	// Opened returns the contents of an entry that the reader of the export may see, nil for none. Nil opens nothing.
	Opened func(idx uint64, l *leaf.Leaf) ([]verify.Opening, error)

	// Signed exports up to the newest signed checkpoint, even if witnesses have not cosigned it. By default an export ends at the newest witnessed
	// checkpoint, if there is one.
	Signed bool

	// Progress is called now and then with the number of entries written so far and in all.
	Progress func(done, all uint64)
}

// Export writes the whole log for verification elsewhere (package verify).
func (l *Log) Export(ctx context.Context, w io.Writer, o ExportOptions) error {
	cp, ok := l.WitnessedCheckpoint()
	if !ok || o.Signed {
		var err error
		if cp, err = l.Checkpoint(ctx); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if cp.Size == 0 {
		return fmt.Errorf("export: %w", ErrNotCovered)
	}
	e := verify.NewWriter(w)
	if l.brk != nil {
		e.Break(l.brk)
	}
	l.mu.Lock()
	policies := slices.Clone(l.policies.entries)
	l.mu.Unlock()
	for _, p := range policies {
		if p.policy != nil && p.from < cp.Size {
			e.Policy(p.from, p.policy.Raw)
		}
	}
	hist, err := l.history()
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, raw := range hist {
		if c, err := checkpoint.Parse(raw); err == nil && c.Size < cp.Size {
			e.History(raw)
		}
	}
	e.Checkpoint(cp.Raw)
	const width = 256
	for first := uint64(0); first < cp.Size; first += width {
		hashes, err := client.FetchLeafHashes(ctx, l.reader.ReadTile, first, min(width, cp.Size-first), cp.Size)
		if err != nil {
			return fmt.Errorf("export leaf hashes from %d: %w", first, err)
		}
		e.Hashes(first, hashes)
	}
	err = l.scanTo(ctx, 0, cp.Size, func(idx uint64, b []byte) error {
		e.Leaf(idx, b)
		if o.Progress != nil && idx%1024 == 0 {
			o.Progress(idx, cp.Size)
		}
		if o.Opened == nil {
			return nil
		}
		lf, err := leaf.Parse(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", idx, err)
		}
		open, err := o.Opened(idx, lf)
		if err != nil {
			return fmt.Errorf("open entry %d: %w", idx, err)
		}
		for _, x := range open {
			e.Opened(idx, x)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if o.Progress != nil {
		o.Progress(cp.Size, cp.Size)
	}
	return e.End()
}
