package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/transparency-dev/tessera"

	"vigil/internal/ledger/leaf"
)

const (
	maxGroup  = 1024                 // entries written with one set of disk syncs; also the engine's batch size
	engineAge = 2 * time.Millisecond // how long the engine itself collects; our own grouping comes before it
)

// request is one call's entries on their way through the appending goroutine, which fills idx and err and closes done.
type request struct {
	leaves [][]byte
	idx    []uint64
	err    error
	done   chan struct{}
}

// Append writes one entry and returns its index. When it returns, the entry is on disk and in the tree; a checkpoint that covers it follows within the
// checkpoint interval. Concurrent calls share their disk syncs. The index need not equal seq, nor order of calls.
//
// A context that ends before the entry is handed to the writer appends nothing; after that the outcome is awaited.
func (l *Log) Append(ctx context.Context, leaf []byte) (uint64, error) {
	idx, err := l.AppendBatch(ctx, [][]byte{leaf})
	if err != nil {
		return 0, err
	}
	return idx[0], nil
}

// AppendBatch writes several entries and returns their indices, in the order given. It is not atomic: with an error it returns the indices of those that are
// surely written, the first so many; on ErrBroken more may be, which a scan by seq shows after reopening. One refused entry refuses all before anything is
// written.
func (l *Log) AppendBatch(ctx context.Context, leaves [][]byte) ([]uint64, error) {
	for i, b := range leaves {
		if err := l.admit(b); err != nil {
			return nil, fmt.Errorf("entry %d of %d: %w", i+1, len(leaves), err)
		}
	}
	return l.append(ctx, leaves)
}

// admit refuses bytes that are no leaf, and leaves under a policy that this log never had.
func (l *Log) admit(b []byte) error {
	lf, err := leaf.Parse(b)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefusedLeaf, err)
	}
	if lf.Action == leaf.ActionGenesis {
		return fmt.Errorf("%w: %s is entry 0 only", ErrRefusedLeaf, leaf.ActionGenesis)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if lf.Action == leaf.ActionPolicy {
		if p := l.policies.pending; p == nil || p.ID() != lf.Policy || l.policies.promised {
			return fmt.Errorf("%w: seq %d puts a policy in force that was not proposed", ErrRefusedLeaf, lf.Seq)
		}
		return nil
	}
	if !l.policies.knows(lf.Policy) {
		return fmt.Errorf("%w: seq %d is under the policy %q, in force is %q", ErrRefusedLeaf, lf.Seq, lf.Policy, l.policies.current().id)
	}
	return nil
}

func (l *Log) append(ctx context.Context, leaves [][]byte) ([]uint64, error) {
	if len(leaves) == 0 {
		return nil, nil
	}
	idx := make([]uint64, 0, len(leaves))
	for len(leaves) > 0 {
		n := min(len(leaves), maxGroup)
		r := &request{leaves: leaves[:n], done: make(chan struct{})}
		select {
		case <-ctx.Done():
			return idx, fmt.Errorf("append: %w", ctx.Err())
		case <-l.quit:
			return idx, ErrClosed
		case l.requests <- r:
		}
		<-r.done
		if r.err != nil {
			return idx, r.err
		}
		idx = append(idx, r.idx...)
		leaves = leaves[n:]
	}
	return idx, nil
}

// appendLoop is the one goroutine that writes. It takes whatever waits, up to maxGroup entries, writes it, and only then looks again: a lone approval
// waits for nobody, and an import fills its groups by itself.
func (l *Log) appendLoop() {
	defer l.loops.Done()
	for {
		var group []*request
		select {
		case <-l.quit:
			return
		case r := <-l.requests:
			group = append(group, r)
		}
		n := len(group[0].leaves)
		var late <-chan time.Time
		if l.cfg.BatchMaxAge > 0 {
			t := time.NewTimer(l.cfg.BatchMaxAge)
			defer t.Stop()
			late = t.C
		}
	gather:
		for n < maxGroup {
			if late == nil {
				select {
				case r := <-l.requests:
					group, n = append(group, r), n+len(r.leaves)
				default:
					break gather
				}
				continue
			}
			select {
			case r := <-l.requests:
				group, n = append(group, r), n+len(r.leaves)
			case <-late:
				break gather
			case <-l.quit:
				break gather
			}
		}
		l.write(group)
	}
}

// write hands a group to the engine and waits until it is on disk and in the tree. The first failure ends all writing: whether its entries are in the
// tree is known only after reopening.
func (l *Log) write(group []*request) {
	l.mu.Lock()
	err := l.broken
	l.mu.Unlock()
	var futures []tessera.IndexFuture
	if err == nil {
		for _, r := range group {
			for _, b := range r.leaves {
				// Background: the engine must not drop a queued entry because a caller went away.
				futures = append(futures, l.add(context.Background(), tessera.NewEntry(b)))
			}
		}
	}
	k := 0
	for _, r := range group {
		for range r.leaves {
			if err != nil && k >= len(futures) {
				break
			}
			i, ferr := futures[k]()
			k++
			if ferr != nil && err == nil {
				err = fmt.Errorf("%w: %w", ErrBroken, ferr)
			}
			r.idx = append(r.idx, i.Index)
		}
	}
	if err != nil {
		l.mu.Lock()
		if l.broken == nil {
			l.broken = err
			l.cfg.Logger.Error("ledger write failed; nothing more is written until it is reopened", "error", err)
		}
		l.mu.Unlock()
	}
	for _, r := range group {
		r.err = err
		if err == nil {
			l.noticePolicy(r)
		}
		close(r.done)
	}
}

// Broken returns the error that ended writing, or nil.
func (l *Log) Broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.broken, ErrBroken) {
		return l.broken
	}
	return nil
}
