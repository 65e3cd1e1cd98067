package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/verify"
)

// Rebuild makes the ledger anew from its entries, for a ledger that is older than the database or gone. leaves yields every entry from index 0 on, in index
// order; it is ranged over twice, so that everything is checked before anything is written or signed.
//
// It refuses unless the entries give exactly the root of last, the newest checkpoint that witnesses are known to have cosigned (from a witness, a mirror, a
// receipt or the directory's own "witnessed" file; its signatures are checked by cfg.Policy), and unless what is left of the old ledger is a prefix of
// them. There is no way around it: if nothing was ever witnessed, pass nil, and if the entries don't fit, begin a new log that names the break.
//
// The old directory is kept beside the new one, with the suffix ".before-rebuild". policies are all the log ever had, oldest first; cfg.Policy alone if nil.
func Rebuild(ctx context.Context, cfg Config, leaves iter.Seq2[[]byte, error], last []byte, policies []*policy.Policy) error {
	if err := cfg.defaults(); err != nil {
		return err
	}
	if policies == nil && cfg.Policy != nil {
		policies = []*policy.Policy{cfg.Policy}
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("rebuild ledger: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := rebuild(ctx, cfg, leaves, last, policies); err != nil {
		return fmt.Errorf("rebuild ledger: %w", err)
	}
	return nil
}

// wanted is a state that the entries must pass through.
type wanted struct {
	what string
	size uint64
	root [32]byte
}

func rebuild(ctx context.Context, cfg Config, leaves iter.Seq2[[]byte, error], last []byte, policies []*policy.Policy) error {
	var want []wanted
	note := func(what string, raw []byte, judge bool) error {
		c, err := checkpoint.Parse(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if c.Origin != cfg.Origin {
			return fmt.Errorf("%s is of the log %q", what, c.Origin)
		}
		if judge {
			ok := slices.ContainsFunc(policies, func(p *policy.Policy) bool {
				v := p.Evaluate(c, cfg.Now())
				return v.LogSigned && v.Have+v.Stale >= v.Need
			})
			if !ok {
				return fmt.Errorf("%s: %w", what, policy.ErrQuorum)
			}
		}
		want = append(want, wanted{what, c.Size, c.Root})
		return nil
	}
	if last != nil {
		if err := note("the last witnessed checkpoint", last, true); err != nil {
			return err
		}
	}
	for what, name := range map[string]string{"the old directory's witnessed checkpoint": "witnessed", "the old directory's signed checkpoint": "log/checkpoint"} {
		raw, err := os.ReadFile(filepath.Join(cfg.Dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = note(what, raw, false)
		}
		if err != nil {
			return err
		}
	}
	old := cfg.Dir + ".before-rebuild"
	if _, err := os.Lstat(old); err == nil {
		return fmt.Errorf("%s exists: look at it, then move it away", old)
	}
	froms, size, err := rehearseRebuild(cfg, leaves, want, policies)
	if err != nil {
		return err
	}
	fresh := cfg.Dir + ".rebuild"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := writeRebuild(ctx, cfg, fresh, leaves, size, policies, froms); err != nil {
		return err
	}
	if last == nil {
		last, _ = os.ReadFile(filepath.Join(cfg.Dir, "witnessed"))
	}
	if last != nil {
		if err := writeFile(filepath.Join(fresh, "witnessed"), last); err != nil {
			return err
		}
	}
	for _, name := range []string{"history", "break"} {
		if b, err := os.ReadFile(filepath.Join(cfg.Dir, name)); err == nil {
			if err := writeFile(filepath.Join(fresh, name), b); err != nil {
				return err
			}
		}
	}
	if err := os.Rename(cfg.Dir, old); err != nil {
		return err
	}
	return os.Rename(fresh, cfg.Dir)
}

// rehearseRebuild checks everything without writing: the entries' format, entry 0, the policies' places, and every wanted root.
func rehearseRebuild(cfg Config, leaves iter.Seq2[[]byte, error], want []wanted, policies []*policy.Policy) (froms []uint64, size uint64, err error) {
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := f.NewEmptyRange(0)
	met := 0
	check := func() error {
		root := rfc6962.DefaultHasher.EmptyRoot()
		if r.End() > 0 {
			var err error
			if root, err = r.GetRootHash(nil); err != nil {
				return err
			}
		}
		for _, w := range want {
			if w.size == r.End() {
				if !bytes.Equal(root, w.root[:]) {
					return fmt.Errorf("%w: %s has another root at size %d", ErrForked, w.what, w.size)
				}
				met++
			}
		}
		return nil
	}
	if err := check(); err != nil {
		return nil, 0, err
	}
	next := 0 // policy whose entry is to come
	for b, err := range leaves {
		if err != nil {
			return nil, 0, err
		}
		lf, err := leaf.Parse(b)
		if err != nil {
			return nil, 0, fmt.Errorf("entry %d: %w", r.End(), err)
		}
		if r.End() == 0 {
			if err := verify.CheckGenesis(lf, cfg.Origin); err != nil {
				return nil, 0, err
			}
			if lf.Policy == "" {
				froms = append(froms, 0)
			}
		}
		if (r.End() == 0 && lf.Policy != "" || lf.Action == leaf.ActionPolicy) && next < len(policies) && policies[next].ID() == lf.Policy {
			froms = append(froms, r.End())
			next++
		}
		if err := r.Append(rfc6962.DefaultHasher.HashLeaf(b), nil); err != nil {
			return nil, 0, err
		}
		if err := check(); err != nil {
			return nil, 0, err
		}
	}
	if met < len(want) {
		for _, w := range want {
			if w.size > r.End() {
				return nil, 0, fmt.Errorf("%w: %s has %d entries, here are %d", ErrOlder, w.what, w.size, r.End())
			}
		}
	}
	if next < len(policies) {
		return nil, 0, fmt.Errorf("%w: no entry names %s", ErrOtherPolicy, policies[next].ID())
	}
	if r.End() == 0 {
		return nil, 0, fmt.Errorf("%w: no entry at all", ErrOlder)
	}
	return froms, r.End(), nil
}

// writeRebuild appends the entries to a log in dir and sees to it that each lands at its index.
func writeRebuild(ctx context.Context, cfg Config, dir string, leaves iter.Seq2[[]byte, error], size uint64, policies []*policy.Policy, froms []uint64) error {
	c := cfg
	c.Dir, c.Witnesses, c.MustExist = dir, nil, false
	l, err := openRaw(ctx, c)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	if len(froms) > len(policies) {
		policies = slices.Insert(slices.Clone(policies), 0, nil)
	}
	for i, p := range policies {
		if err := l.savePolicy(froms[i], p); err != nil {
			return err
		}
	}
	var batch [][]byte
	next := uint64(0)
	flush := func() error {
		idx, err := l.append(ctx, batch)
		if err != nil {
			return err
		}
		for _, i := range idx {
			if i != next {
				return fmt.Errorf("entry %d landed at %d: try again", next, i)
			}
			next++
		}
		batch = batch[:0]
		return nil
	}
	for b, err := range leaves {
		if err != nil {
			return err
		}
		// Not maxGroup: a batch that is flushed by size while its timer runs could be cut in two, whose parts could swap.
		if batch = append(batch, bytes.Clone(b)); len(batch) == maxGroup/2 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if next != size {
		return fmt.Errorf("%d entries the second time, %d the first", next, size)
	}
	return l.Close()
}

// openRaw opens a log without looking at its entries, for rebuilding.
func openRaw(ctx context.Context, cfg Config) (*Log, error) {
	l, err := prepare(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := l.startEngine(); err != nil {
		l.cancel()
		_ = l.lock.Close()
		return nil, err
	}
	l.loops.Add(1)
	go l.appendLoop()
	return l, nil
}
