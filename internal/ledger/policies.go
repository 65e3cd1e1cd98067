package ledger

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"vigil/internal/ledger/leaf"
	"vigil/internal/ledger/policy"
)

// policyEntry is a policy and the index of the entry that put it in force; policy is nil for an explicitly unwitnessed start.
type policyEntry struct {
	from   uint64
	id     string
	policy *policy.Policy
}

// policyChain is every policy of the log, oldest first, and the one that waits to follow.
type policyChain struct {
	entries   []policyEntry
	pending   *policy.Policy // proposed
	promised  bool           // its entry stands in the log …
	pendingAt uint64         // … at this index; in force once the old quorum has cosigned it
}

func (c *policyChain) current() policyEntry {
	if len(c.entries) == 0 {
		return policyEntry{}
	}
	return c.entries[len(c.entries)-1]
}

func (c *policyChain) knows(id string) bool {
	for _, e := range c.entries {
		if e.id == id {
			return true
		}
	}
	return false
}

// ProposePolicy announces the policy that is to follow the one in force. It is checked against its predecessor's trustees and kept. It then takes an entry
// with the action "ledger.policy" that carries the new policy's id, appended like any other, and comes into force once a checkpoint that covers that entry
// is cosigned by a quorum of the old policy; a first policy on an unwitnessed log is in force with its entry.
func (l *Log) ProposePolicy(next *policy.Policy) error {
	if next.Origin() != l.cfg.Origin {
		return fmt.Errorf("propose policy: it is about the log %q", next.Origin())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.policies.promised {
		return fmt.Errorf("propose policy: %s waits for the old quorum", l.policies.pending.ID())
	}
	if cur := l.policies.current(); cur.policy != nil {
		if err := cur.policy.Succeed(next); err != nil {
			return fmt.Errorf("propose policy: %w", err)
		}
	} else if next.Version != 1 {
		return fmt.Errorf("propose policy: %w: the first policy has version %d", policy.ErrSuccession, next.Version)
	}
	if err := writeFile(filepath.Join(l.cfg.Dir, "policies", "pending"), next.Raw); err != nil {
		return fmt.Errorf("propose policy: %w", err)
	}
	l.policies.pending = next
	return nil
}

// noticePolicy sees a proposed policy's entry go by.
func (l *Log) noticePolicy(r *request) {
	for i, b := range r.leaves {
		lf, err := leaf.Parse(b)
		if err != nil || lf.Action != leaf.ActionPolicy {
			continue
		}
		l.mu.Lock()
		l.policies.promised, l.policies.pendingAt = true, r.idx[i]
		first := l.policies.current().policy == nil
		l.mu.Unlock()
		if first {
			if err := l.enforcePending(); err != nil {
				l.cfg.Logger.Error("ledger policy cannot be kept", "error", err)
			}
		}
	}
}

// enforcePending puts the pending policy in force.
func (l *Log) enforcePending() error {
	l.mu.Lock()
	p, at := l.policies.pending, l.policies.pendingAt
	l.mu.Unlock()
	if err := l.savePolicy(at, p); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(l.cfg.Dir, "policies", "pending")); err != nil {
		return fmt.Errorf("keep policy: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.policies = policyChain{entries: append(l.policies.entries, policyEntry{at, p.ID(), p})}
	l.cfg.Logger.Info("ledger policy in force", "id", p.ID(), "entry", at)
	return nil
}

// savePolicy keeps a policy under the index of the entry that puts it in force; no policy is kept as an empty file.
func (l *Log) savePolicy(from uint64, p *policy.Policy) error {
	dir := filepath.Join(l.cfg.Dir, "policies")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep policy: %w", err)
	}
	var raw []byte
	if p != nil {
		raw = p.Raw
	}
	if err := writeFile(filepath.Join(dir, fmt.Sprintf("%020d", from)), raw); err != nil {
		return fmt.Errorf("keep policy: %w", err)
	}
	return nil
}

// loadPolicies reads the chain, holds each policy against the entry that names it, and refuses a configuration that says otherwise.
func (l *Log) loadPolicies(ctx context.Context, genesis string) error {
	dir := filepath.Join(l.cfg.Dir, "policies")
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read policies: %w", err)
	}
	var chain policyChain
	for _, f := range files {
		from, err := strconv.ParseUint(f.Name(), 10, 64)
		if err != nil {
			continue // "pending", and what a crash left half written
		}
		e, err := l.loadPolicy(ctx, from, filepath.Join(dir, f.Name()), genesis)
		if err != nil {
			return fmt.Errorf("policy of entry %d: %w", from, err)
		}
		chain.entries = append(chain.entries, e)
	}
	if len(chain.entries) == 0 || chain.entries[0].from != 0 {
		return fmt.Errorf("read policies: that of entry 0 is missing in %s", dir)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "pending")); err == nil {
		if chain.pending, err = policy.Parse(raw); err != nil {
			return fmt.Errorf("pending policy: %w", err)
		}
		if err := l.findPending(ctx, &chain); err != nil {
			return err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read policies: %w", err)
	}
	l.mu.Lock()
	l.policies = chain
	cur := chain.current()
	l.judgeWitnessed(cur.policy)
	enforce := chain.promised && (cur.policy == nil || l.witnessed != nil && l.witnessed.Size > chain.pendingAt)
	l.mu.Unlock()
	if enforce {
		if err := l.enforcePending(); err != nil {
			return err
		}
	}
	// A configured policy that is one of the chain's earlier ones is an old file, not a contradiction; any other is.
	if l.cfg.Policy != nil && l.cfg.Policy.ID() != l.PolicyID() && !l.policies.knows(l.cfg.Policy.ID()) {
		return fmt.Errorf("%w: configured is %s, in force %q", ErrOtherPolicy, l.cfg.Policy.ID(), l.PolicyID())
	}
	return nil
}

func (l *Log) loadPolicy(ctx context.Context, from uint64, file, genesis string) (policyEntry, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return policyEntry{}, err
	}
	want := genesis
	if from > 0 {
		b, err := l.Leaf(ctx, from)
		if err != nil {
			return policyEntry{}, err
		}
		lf, err := leaf.Parse(b)
		if err != nil {
			return policyEntry{}, err
		}
		if want = lf.Policy; lf.Action != leaf.ActionPolicy {
			return policyEntry{}, fmt.Errorf("%w: the entry is %s", ErrOtherPolicy, lf.Action)
		}
	}
	if len(raw) == 0 && want == "" {
		return policyEntry{from: from}, nil
	}
	p, err := policy.Parse(raw)
	if err != nil {
		return policyEntry{}, err
	}
	if p.ID() != want {
		return policyEntry{}, fmt.Errorf("%w: the file is %s, the entry names %q", ErrOtherPolicy, p.ID(), want)
	}
	return policyEntry{from, p.ID(), p}, nil
}

// findPending looks whether the pending policy's entry was written before the process ended.
func (l *Log) findPending(ctx context.Context, c *policyChain) error {
	return l.Scan(ctx, c.current().from+1, func(idx uint64, b []byte) error {
		lf, err := leaf.Parse(b)
		if err != nil {
			return fmt.Errorf("entry %d: %w", idx, err)
		}
		if lf.Action == leaf.ActionPolicy && lf.Policy == c.pending.ID() {
			c.promised, c.pendingAt = true, idx
		}
		return nil
	})
}

// keepHistory appends a witnessed checkpoint to the history: one base64 line each, so that a line torn by a crash is recognised and left out.
func (l *Log) keepHistory(raw []byte) error {
	f, err := os.OpenFile(filepath.Join(l.cfg.Dir, "history"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("keep history: %w", err)
	}
	defer func() { _ = f.Close() }()
	end, err := f.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("keep history: %w", err)
	}
	line := base64.StdEncoding.EncodeToString(raw) + "\n"
	if last := make([]byte, 1); end > 0 {
		if _, err := f.ReadAt(last, end-1); err == nil && last[0] != '\n' {
			line = "\n" + line // end the torn line
		}
	}
	if _, err := f.WriteString(line); err != nil {
		return fmt.Errorf("keep history: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("keep history: %w", err)
	}
	l.mu.Lock()
	l.lastKept = time.Now()
	l.mu.Unlock()
	return nil
}

// history returns the kept checkpoints, oldest first.
func (l *Log) history() ([][]byte, error) {
	b, err := os.ReadFile(filepath.Join(l.cfg.Dir, "history"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	var out [][]byte
	for line := range strings.SplitSeq(string(b), "\n") {
		if raw, err := base64.StdEncoding.Strict().DecodeString(line); err == nil && len(raw) > 0 {
			out = append(out, raw)
		}
	}
	return out, nil
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
