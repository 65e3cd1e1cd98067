package verify

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"vigil/internal/ledger/policy"
)

// flushSpan is how far apart in the tree two entries of neighbouring seq may land when their flushes swap, and so how many of the last numbers may be missing
// from an export that ends between two flushes.
const flushSpan = 2048

// judgeEntries says which entries are changed, missing, or from elsewhere, and holds the tree to the checkpoint.
func (c *check) judgeEntries() {
	if c.cp == nil {
		c.r.find(Malformed, -1, "the export has no checkpoint")
		return
	}
	size := c.cp.Size
	if uint64(len(c.hashes)) != size {
		c.r.find(Tree, -1, "%d leaf hashes for a tree of %d entries", len(c.hashes), size)
	}
	// Sizes at which a root is known, so that a contradiction is narrowed down.
	slices.SortStableFunc(c.history, func(a, b witnessedAt) int { return cmp.Compare(a.c.Size, b.c.Size) })
	c.history = append(c.history, witnessedAt{c: c.cp, final: true})
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	tiles := f.NewEmptyRange(0)
	k, good, treeHolds := 0, uint64(0), true
	check := func(at uint64) {
		for ; k < len(c.history) && c.history[k].c.Size == at; k++ {
			h := c.history[k]
			root := [32]byte(rfc6962.DefaultHasher.EmptyRoot())
			if at > 0 {
				b, err := tiles.GetRootHash(nil)
				if err != nil {
					continue
				}
				root = [32]byte(b)
			}
			switch {
			case root == h.c.Root:
				good = at
			case h.final:
				treeHolds = false
			default:
				c.r.find(Tree, -1, "the leaf hashes up to entry %d do not give the root witnessed then: a hash between entries %d and %d was changed", at, good, at)
			}
		}
	}
	check(0)
	for i, h := range c.hashes {
		if err := tiles.Append(h[:], nil); err != nil {
			c.r.find(Tree, int64(i), "leaf hash %d: %v", i, err)
			return
		}
		check(uint64(i) + 1)
	}
	for ; k < len(c.history); k++ {
		if !c.history[k].final {
			c.r.find(Tree, -1, "a checkpoint of %d entries is older history than one of %d", c.history[k].c.Size, size)
		} else {
			treeHolds = false
		}
	}
	if !treeHolds && c.entriesHold() {
		for i, h := range c.hashes {
			if !get(c.present, uint64(i)) {
				c.r.find(Tree, int64(i), "the leaf hash of entry %d was changed (%s…); the entry itself is right", i, hexShort(h))
			}
		}
		return
	}
	if !treeHolds {
		c.r.find(Tree, -1, "neither the entries nor their hashes give the checkpoint's root: something after entry %d is not what was signed", good)
	}
	for i := range uint64(len(c.hashes)) {
		if get(c.present, i) {
			continue
		}
		if why, ok := c.foreign[i]; ok {
			c.r.find(Changed, int64(i), "%s", why)
			delete(c.foreign, i)
		} else if c.moved >= 0 {
			c.r.find(Dropped, int64(i), "entry %d is missing, and later ones were renumbered", i)
		} else {
			c.r.find(Dropped, int64(i), "entry %d is missing", i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(c.foreign)) {
		c.r.find(Inserted, int64(i), "%s", c.foreign[i])
	}
	if c.moved >= 0 && !c.r.Has(Dropped, -1) && !c.r.Has(Reordered, -1) {
		c.r.find(Reordered, c.moved, "entry %d carries the index %d", c.moved, c.movedTo)
	}
}

// entriesHold says whether the entries alone, in the order in which they come, give the checkpoint's root.
func (c *check) entriesHold() bool {
	if c.lrange.End() != c.cp.Size || c.cp.Size == 0 {
		return false
	}
	root, err := c.lrange.GetRootHash(nil)
	return err == nil && [32]byte(root) == c.cp.Root
}

// judgePolicies follows the policies from entry 0 on.
func (c *check) judgePolicies() {
	if c.genesis == nil || c.cp == nil {
		if !c.r.Has(Changed, 0) && !c.r.Has(Dropped, 0) {
			c.r.find(Beginning, 0, "entry 0 can't be read")
		}
		return
	}
	if err := CheckGenesis(c.genesis, c.cp.Origin); err != nil {
		c.r.find(Beginning, 0, "%v", err)
	}
	said, ok := c.genesis.Commitment(fieldBreak)
	switch {
	case ok != (c.brk != nil), ok && said != openHash(fieldBreak, c.brk.Text()):
		c.r.find(Beginning, 0, "entry 0 and the export do not agree on which log this one takes the place of")
	case ok:
		c.r.notice(Broken, 0, "this log takes the place of %s, last witnessed with %d entries: what was written there after is lost", c.brk.Origin, c.brk.Size)
	}
	id := c.genesis.Policy
	for _, lp := range c.policies {
		switch {
		case lp.from == 0 && lp.p.ID() != id:
			c.r.find(Policy, 0, "the policy was swapped: entry 0 names %s, the export carries %s", named(id), lp.p.ID())
		case lp.from > 0 && c.changes[lp.from] != lp.p.ID():
			c.r.find(Policy, int64(lp.from), "the policy was swapped: entry %d does not name %s", lp.from, lp.p.ID())
		case len(c.chain) > 0 && lp.from <= c.chain[len(c.chain)-1].from:
			c.r.find(Policy, int64(lp.from), "policies out of order")
		default:
			var prev *policy.Policy
			if n := len(c.chain); n > 0 {
				prev = c.chain[n-1].p
				if err := prev.Succeed(lp.p); err != nil {
					c.r.find(Policy, int64(lp.from), "the policy from entry %d on: %v", lp.from, err)
				}
			}
			if s := lp.p.Strangers(prev); len(s) > 0 {
				c.r.find(Policy, int64(lp.from), "the policy from entry %d on carries a signature of %q, who is no trustee", lp.from, s)
			}
			c.chain = append(c.chain, lp)
			c.r.Policies = append(c.r.Policies, lp.p.ID())
		}
	}
	// The pinned policy stands in for the export's own copy of it.
	if p := c.pinned; p != nil && !slices.ContainsFunc(c.chain, func(l listedPolicy) bool { return l.p.ID() == p.ID() }) {
		if p.ID() == id {
			c.chain = slices.Insert(c.chain, 0, listedPolicy{0, p})
			c.r.find(Policy, 0, "the export does not carry the policy that entry 0 names and that is pinned")
		} else {
			c.r.find(Policy, 0, "another policy: pinned is %s, entry 0 names %s", p.ID(), named(id))
		}
	}
	known := func(id string, idx uint64) bool {
		return slices.ContainsFunc(c.chain, func(l listedPolicy) bool { return l.p.ID() == id && l.from <= idx })
	}
	for _, id := range slices.Sorted(maps.Keys(c.ids)) {
		first := c.ids[id]
		if known(id, first) {
			continue
		}
		if c.changes[first] == id {
			c.r.notice(Unfinished, int64(first), "entry %d proposes the policy %s; the export does not carry it as in force", first, id)
		} else {
			c.r.find(Policy, int64(first), "entry %d is under the policy %s, which the export does not carry", first, id)
		}
	}
	if c.noPolicy > 0 {
		c.r.notice(Unpoliced, -1, "%d entries were written while no policy was in force", c.noPolicy)
	}
}

func named(id string) string {
	if id == "" {
		return "none"
	}
	return id
}

// judgeCheckpoints asks the policies whom they believe. A change of policy is in force only once the old quorum cosigned a tree with its entry.
func (c *check) judgeCheckpoints() {
	if c.cp == nil {
		return
	}
	final := &c.history[len(c.history)-1]
	if len(c.chain) == 0 {
		if c.pinned == nil {
			c.r.notice(Unpoliced, -1, "the log has no policy: neither its signature nor a witness can be judged")
		}
		return
	}
	for i := range c.history[:len(c.history)-1] {
		h := &c.history[i]
		if h.c.Origin != c.cp.Origin {
			c.r.find(Signature, -1, "a checkpoint of size %d is of another log, %q", h.c.Size, h.c.Origin)
			continue
		}
		var why error
		for _, l := range c.chain {
			if v := l.p.Evaluate(h.c, time.Time{}); v.Err() == nil {
				h.v = v
			} else {
				why = v.Err()
			}
		}
		if h.v == nil {
			c.r.find(kindOf(why), -1, "the older checkpoint of size %d: %v", h.c.Size, why)
		}
	}
	pol := c.chain[len(c.chain)-1].p
	for k := 1; k < len(c.chain); k++ {
		old, at := c.chain[k-1].p, c.chain[k].from
		if !slices.ContainsFunc(c.history, func(h witnessedAt) bool { return h.c.Size > at && old.Evaluate(h.c, time.Time{}).Err() == nil }) {
			c.r.find(Policy, int64(at), "the change of policy at entry %d was never cosigned by a quorum of the old one", at)
		}
	}
	v := pol.Evaluate(final.c, c.now)
	final.v, c.r.Verdict = v, v
	if err := v.Err(); err != nil {
		c.r.find(kindOf(err), -1, "the checkpoint of %d entries: %v", c.cp.Size, err)
	}
	for _, s := range v.Cosignatures {
		say := c.r.find
		if v.Err() == nil {
			say = c.r.notice // the others are a quorum without it
		}
		if !s.Counts {
			say(Stale, -1, "the cosignature of %s is from %s: the policy allows %v", s.Witness, s.At.Format(time.RFC3339), pol.Fresh)
		}
	}
	for _, n := range v.Repeated {
		c.r.find(RepeatedWitness, -1, "%s signed the checkpoint more than once; it counts once", n)
	}
	for _, n := range v.Unknown {
		c.r.notice(Unknown, -1, "a signature by %q, whom the policy does not know, is ignored", n)
	}
	if v.Rehearsal {
		c.r.notice(Rehearsal, -1, "rehearsal, same machine: these witnesses prove nothing to others")
	}
}

func kindOf(err error) Kind {
	switch {
	case errors.Is(err, policy.ErrStale):
		return Stale
	case errors.Is(err, policy.ErrQuorum):
		return Quorum
	}
	return Signature
}

// judgeSequence looks for numbers that are missing. The entries before the checkpoint may lack a few of the last, whose flush came after it.
func (c *check) judgeSequence() {
	if c.swapped > 0 {
		c.r.notice(Order, -1, "%d entries have another index than seq: neighbouring flushes may swap", c.swapped)
	}
	have := count(c.seqs)
	if have == 0 || have == c.maxSeq+1 {
		return
	}
	for s := range c.maxSeq {
		if get(c.seqs, s) {
			continue
		}
		if s+flushSpan >= c.maxSeq && c.swapped > 0 {
			c.r.notice(Order, -1, "seq %d is not among the entries: it may come after this checkpoint", s)
		} else {
			c.r.find(Sequence, -1, "seq %d is missing", s)
		}
	}
}

// judgeTimes holds what the entries say against the cosignatures around them. Nobody but the log's own clock set an entry's time, so this is a notice: a clock
// was wrong, an entry was late because the process ended before it was logged, or somebody dated it otherwise.
func (c *check) judgeTimes() {
	if c.cp == nil || c.r.Has(Tree, -1) {
		return
	}
	var before time.Time // newest cosignature on a tree that did not have the entry yet
	from := uint64(0)
	for _, h := range c.history {
		if h.v == nil || h.v.Have == 0 {
			continue
		}
		for i := from; i < h.c.Size && i < uint64(len(c.times)); i++ {
			if c.times[i] == 0 || i == 0 {
				continue
			}
			t := time.Unix(c.times[i], 0)
			if t.After(h.v.Oldest.Add(policy.Skew)) {
				c.r.notice(Time, int64(i), "entry %d says %s, and was cosigned at %s already", i, t.UTC().Format(time.RFC3339), h.v.Oldest.Format(time.RFC3339))
			}
			if t.Before(before.Add(-policy.Skew)) {
				c.r.notice(Time, int64(i), "entry %d says %s, and was not there yet at %s", i, t.UTC().Format(time.RFC3339), before.Format(time.RFC3339))
			}
		}
		from = max(from, h.c.Size)
		if h.v.Newest.After(before) {
			before = h.v.Newest
		}
	}
}
