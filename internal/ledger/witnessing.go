package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"

	"vigil/internal/ledger/checkpoint"
	"vigil/internal/ledger/policy"
	"vigil/internal/ledger/witness"
)

// State says how well the log is witnessed, for people and for those who decide whether something may leave the house.
type State struct {
	Have, Need int       // witnesses whose cosignature counts now on the newest quorum's checkpoint; Need 0: no policy, explicitly unwitnessed
	Newest     time.Time // newest cosignature that counts; zero if none
	Size       uint64    // entries that the witnessed checkpoint covers; later ones are only signed
	Rehearsal  bool      // a witness of the policy runs on this machine: it proves nothing
	Alarm      string    // not empty: a witness saw another or a longer log than ours. Stop and find out; nothing mends it by itself.
	Witnesses  []WitnessState
}

// Met says whether the policy is met now.
func (s State) Met() bool { return s.Need > 0 && s.Have >= s.Need && s.Alarm == "" }

// Text says it in one line, like "witnessed 2 of 2, 40 s ago (rehearsal, same machine)".
func (s State) Text(now time.Time) string {
	if s.Need == 0 {
		return "unwitnessed: no policy in force"
	}
	t := fmt.Sprintf("witnessed %d of %d", s.Have, s.Need)
	if !s.Newest.IsZero() {
		t += fmt.Sprintf(", %s ago", ago(now.Sub(s.Newest)))
	}
	if s.Rehearsal {
		t += " (rehearsal, same machine)"
	}
	if s.Alarm != "" {
		t += "; ALARM: " + s.Alarm
	}
	return t
}

func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// WitnessState is one witness of the policy.
type WitnessState struct {
	Name, Operator string
	Rehearsal      bool
	At             time.Time // its newest cosignature that we hold; zero if none
	Problem        string    // why the last attempt failed; "" if it did not
}

// peer is one witness that is asked. Only the witness loop touches it, but for problem and at, which l.mu guards.
type peer struct {
	client  *witness.Client
	size    uint64 // what it last cosigned, as far as we know
	fails   int
	retry   time.Time // not before
	problem string
	alarm   string
	at      time.Time
}

// round is the checkpoint being witnessed and what came back for it. Only the witness loop touches it.
type round struct {
	cp    *checkpoint.Checkpoint
	lines map[string]checkpoint.Signature // by witness name
	at    map[string]time.Time
}

func (l *Log) initPeers() {
	for _, c := range l.cfg.Witnesses {
		l.peers = append(l.peers, &peer{client: c})
	}
}

// witnessLoop follows the published checkpoint and has it cosigned whenever it moved or the cosignatures grew old.
func (l *Log) witnessLoop() {
	defer l.loops.Done()
	follow := time.NewTicker(min(l.cfg.WitnessInterval, 50*time.Millisecond))
	defer follow.Stop()
	var last time.Time
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-follow.C:
		}
		if err := l.refresh(l.ctx); err != nil && l.ctx.Err() == nil {
			l.cfg.Logger.Warn("ledger checkpoint cannot be read", "error", err)
			continue
		}
		if len(l.peers) == 0 || time.Since(last) < l.cfg.WitnessInterval {
			continue
		}
		last = time.Now()
		if err := l.witnessRound(l.ctx); err != nil && l.ctx.Err() == nil {
			l.cfg.Logger.Warn("ledger cannot be witnessed", "error", err)
		}
	}
}

// witnessRound asks every witness that is due, and keeps the result once a quorum has answered.
func (l *Log) witnessRound(ctx context.Context) error {
	l.mu.Lock()
	pub := l.published
	pol := l.policies.current().policy
	l.mu.Unlock()
	if pub == nil || pub.Size == 0 || pol == nil {
		return nil
	}
	now := l.cfg.Now()
	wall := time.Now() // when to ask again must not hang on a clock that an exercise sets or stops
	if l.round.cp == nil || l.round.cp.Size != pub.Size {
		c, err := checkpoint.Parse(pub.Raw)
		if err != nil {
			return err
		}
		l.round = round{cp: c, lines: map[string]checkpoint.Signature{}, at: map[string]time.Time{}}
	}
	var due []*peer
	for _, p := range l.peers {
		if wall.Before(p.retry) || wall.Sub(l.round.at[p.client.Name]) < l.cfg.WitnessRefresh {
			continue
		}
		due = append(due, p)
	}
	if len(due) == 0 {
		return nil
	}
	answers := make([][]checkpoint.Signature, len(due))
	errs := make([]error, len(due))
	var wg sync.WaitGroup
	for i, p := range due {
		wg.Go(func() { answers[i], errs[i] = l.ask(ctx, p, l.round.cp) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil
	}
	for i, p := range due {
		err := errs[i]
		if err == nil {
			mine := slices.DeleteFunc(pol.Cosigners(l.round.cp, answers[i]), func(s checkpoint.Signature) bool { return s.Name != p.client.Name })
			if len(mine) == 0 {
				err = fmt.Errorf("witness %s: its answer holds no valid cosignature of a witness of the policy", p.client.Name)
			} else {
				l.round.lines[p.client.Name] = mine[0]
				l.round.at[p.client.Name] = wall
			}
		}
		l.note(p, err, wall)
	}
	return l.settle(pol, now)
}

// note records how asking a witness went, and backs off from one that fails: 1, 2, 4 … at most 60 seconds.
func (l *Log) note(p *peer, err error, wall time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		p.fails, p.retry, p.problem, p.alarm = 0, time.Time{}, "", ""
		if t, terr := checkpoint.CosignatureTime(l.round.lines[p.client.Name].Sig); terr == nil {
			p.at = t
		}
		return
	}
	p.retry = wall.Add(min(time.Second<<min(p.fails, 6), time.Minute))
	p.fails++
	if p.problem == "" {
		l.cfg.Logger.Warn("witness does not cosign", "witness", p.client.Name, "error", err)
	}
	p.problem = err.Error()
	if errors.Is(err, witness.ErrInconsistent) || errors.Is(err, ErrOlder) {
		p.alarm = err.Error()
	}
}

// ask sends the checkpoint to one witness; if the witness has another size than we thought, it tells, and is asked once more.
func (l *Log) ask(ctx context.Context, p *peer, c *checkpoint.Checkpoint) ([]checkpoint.Signature, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.WitnessTimeout)
	defer cancel()
	for try := 0; ; try++ {
		hashes, err := l.consistency(ctx, p.size, c.Size)
		if err != nil {
			return nil, err
		}
		sigs, err := p.client.AddCheckpoint(ctx, p.size, hashes, c.Raw)
		if conflict, ok := errors.AsType[*witness.Conflict](err); ok && try == 0 {
			if conflict.Size > c.Size {
				now, serr := l.Size(ctx)
				if serr == nil && conflict.Size > now {
					return nil, fmt.Errorf("%w: witness %s has seen %d entries, here are %d", ErrOlder, p.client.Name, conflict.Size, now)
				}
				return nil, err // our next checkpoint will be beyond it
			}
			p.size = conflict.Size
			continue
		}
		if err != nil {
			return nil, err
		}
		p.size = c.Size
		return sigs, nil
	}
}

func (l *Log) consistency(ctx context.Context, from, to uint64) ([][]byte, error) {
	if from == 0 || from >= to {
		return nil, nil
	}
	pb, err := client.NewProofBuilder(ctx, to, l.reader.ReadTile)
	if err != nil {
		return nil, fmt.Errorf("consistency proof: %w", err)
	}
	hashes, err := pb.ConsistencyProof(ctx, from, to)
	if err != nil {
		return nil, fmt.Errorf("consistency proof from %d to %d: %w", from, to, err)
	}
	return hashes, nil
}

// settle judges the round by the policy in force and, once a quorum is there, keeps the checkpoint on disk before anybody may rely on it.
func (l *Log) settle(pol *policy.Policy, now time.Time) error {
	lines := make([]checkpoint.Signature, 0, len(l.round.lines))
	for _, w := range pol.WitnessVerifiers() {
		if s, ok := l.round.lines[w.Name()]; ok {
			lines = append(lines, s)
		}
	}
	raw := l.round.cp.WithSignatures(lines...)
	c, err := checkpoint.Parse(raw)
	if err != nil {
		return err
	}
	v := pol.Evaluate(c, now)
	if v.Err() != nil {
		return nil // not yet; State says how far
	}
	cp := &Checkpoint{Size: c.Size, Root: c.Root, At: v.Newest, Cosignatures: v.Cosignatures, Raw: raw}
	if err := writeFile(filepath.Join(l.cfg.Dir, "witnessed"), raw); err != nil {
		return fmt.Errorf("keep the witnessed checkpoint: %w", err)
	}
	l.mu.Lock()
	grown := l.witnessed == nil || l.witnessed.Size < cp.Size
	l.witnessed = cp
	effective := l.policies.promised && cp.Size > l.policies.pendingAt
	due := grown && (effective || time.Since(l.lastKept) >= l.cfg.HistoryInterval)
	l.announce()
	l.mu.Unlock()
	if due {
		if err := l.keepHistory(raw); err != nil {
			return err
		}
	}
	if effective {
		return l.enforcePending()
	}
	return nil
}

// Witnessed says how well the log is witnessed now.
func (l *Log) Witnessed() State {
	now := l.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	pol := l.policies.current().policy
	if pol == nil {
		return State{}
	}
	s := State{Need: pol.Quorum, Rehearsal: pol.Rehearsal()}
	at := map[string]time.Time{}
	if l.witnessed != nil {
		s.Size = l.witnessed.Size
		for _, c := range l.witnessed.Cosignatures {
			at[c.Witness] = c.At
			if now.Sub(c.At) <= pol.Fresh && !c.At.After(now.Add(policy.Skew)) {
				s.Have++
				if c.At.After(s.Newest) {
					s.Newest = c.At
				}
			}
		}
	}
	for i, v := range pol.WitnessVerifiers() {
		w := WitnessState{Name: v.Name(), Operator: pol.Witnesses[i].Operator, Rehearsal: pol.Witnesses[i].Rehearsal, At: at[v.Name()], Problem: "not configured: nobody asks it"}
		for _, p := range l.peers {
			if p.client.Name != v.Name() {
				continue
			}
			w.Problem = p.problem
			if p.at.After(w.At) {
				w.At = p.at
			}
			if p.alarm != "" {
				s.Alarm = p.alarm
			}
		}
		s.Witnesses = append(s.Witnesses, w)
	}
	return s
}

// loadWitnessed reads what was witnessed before, and refuses a tree that falls short of it or contradicts it. The newest published checkpoint is held to
// the same.
func (l *Log) loadWitnessed(ctx context.Context) error {
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if l.published != nil {
		if err := l.Consistency(ctx, *l.published); err != nil {
			return fmt.Errorf("signed checkpoint: %w", err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(l.cfg.Dir, "witnessed"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := checkpoint.Parse(raw)
	if err != nil {
		return fmt.Errorf("witnessed checkpoint: %w", err)
	}
	cp := &Checkpoint{Size: c.Size, Root: c.Root, Raw: raw}
	if err := l.Consistency(ctx, *cp); err != nil {
		return fmt.Errorf("witnessed checkpoint: %w", err)
	}
	l.witnessed = cp
	return nil
}

// judgeWitnessed fills in who cosigned the loaded checkpoint, once the policy in force is known; one that does not meet it is dropped. Called by start.
func (l *Log) judgeWitnessed(pol *policy.Policy) {
	if l.witnessed == nil {
		return
	}
	c, err := checkpoint.Parse(l.witnessed.Raw)
	if err != nil || pol == nil {
		l.witnessed = nil
		return
	}
	v := pol.Evaluate(c, time.Time{})
	if v.Err() != nil {
		l.witnessed = nil
		return
	}
	l.witnessed.At, l.witnessed.Cosignatures = v.Newest, v.Cosignatures
}

// Receipt proves one entry: by the newest witnessed checkpoint if that covers it, else by the newest signed one, whose lack of cosignatures its
// verification shows. Before the first checkpoint that covers the entry it fails with ErrNotCovered; see Await.
func (l *Log) Receipt(ctx context.Context, idx uint64) (*Receipt, error) {
	cp, ok := l.WitnessedCheckpoint()
	if !ok || cp.Size <= idx {
		var err error
		if cp, err = l.Checkpoint(ctx); err != nil {
			return nil, err
		}
	}
	if cp.Size <= idx {
		return nil, fmt.Errorf("%w: index %d, checkpoint of size %d", ErrNotCovered, idx, cp.Size)
	}
	pb, err := client.NewProofBuilder(ctx, cp.Size, l.reader.ReadTile)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	hashes, err := pb.InclusionProof(ctx, idx)
	if err != nil {
		return nil, fmt.Errorf("receipt for index %d: %w", idx, err)
	}
	b, err := l.Leaf(ctx, idx)
	if err != nil {
		return nil, err
	}
	// Disks rot: a receipt that nobody could verify is not handed out.
	h := rfc6962.DefaultHasher
	if err := proof.VerifyInclusion(h, idx, cp.Size, h.HashLeaf(b), hashes, cp.Root[:]); err != nil {
		return nil, fmt.Errorf("%w: entry %d does not fit its own tree: %w", ErrForked, idx, err)
	}
	r := &Receipt{Index: idx, Checkpoint: cp.Raw}
	for _, x := range hashes {
		r.Proof = append(r.Proof, [32]byte(x))
	}
	return r, nil
}
