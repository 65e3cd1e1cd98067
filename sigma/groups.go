package sigma

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// dueItem is a window of a group that ends at a time.
type dueItem struct {
	at    int64
	group int32
	key   groupKey
}

type dueHeap []dueItem

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)        { *h = append(*h, x.(dueItem)) }
func (h *dueHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

var _ heap.Interface = (*dueHeap)(nil)

func (c *Correlator) newGroup(key groupKey, values []string) int32 {
	var gi int32
	if n := len(c.free); n > 0 {
		gi, c.free = c.free[n-1], c.free[:n-1]
	} else {
		gi = int32(len(c.slab))
		c.slab = append(c.slab, group{})
	}
	c.slab[gi] = group{key: key, values: values, used: true, prev: -1, next: -1}
	c.groups[key] = gi
	c.append(gi)
	return gi
}

// append puts a group at the newest end of the list.
func (c *Correlator) append(gi int32) {
	g := &c.slab[gi]
	g.prev, g.next = c.lru[1], -1
	if c.lru[1] >= 0 {
		c.slab[c.lru[1]].next = gi
	} else {
		c.lru[0] = gi
	}
	c.lru[1] = gi
}

func (c *Correlator) unlink(gi int32) {
	g := &c.slab[gi]
	if g.prev >= 0 {
		c.slab[g.prev].next = g.next
	} else {
		c.lru[0] = g.next
	}
	if g.next >= 0 {
		c.slab[g.next].prev = g.prev
	} else {
		c.lru[1] = g.prev
	}
}

func (c *Correlator) touch(gi int32) {
	c.unlink(gi)
	c.append(gi)
}

func (c *Correlator) drop(gi int32) {
	c.unlink(gi)
	g := &c.slab[gi]
	delete(c.groups, g.key)
	c.stats.Entries -= len(g.entries)
	*g = group{}
	c.free = append(c.free, gi)
}

// expire drops groups at the old end whose windows have passed. Each call looks at few, so that its cost is bounded.
func (c *Correlator) expire() {
	for range 4 {
		gi := c.lru[0]
		if gi < 0 {
			return
		}
		g := &c.slab[gi]
		cc := c.e.corrs[g.key.corr]
		last := g.to
		if n := len(g.entries); n > 0 {
			if cc.atClose {
				return // waits for its window to be decided
			}
			last = max(last, g.entries[n-1].at)
		}
		if last >= c.mark-int64(cc.c.Timespan)-int64(c.opt.Lateness) {
			return
		}
		c.drop(gi)
	}
}

// evict drops the least recently touched groups, but not keep, until the bounds hold.
func (c *Correlator) evict(keep int32) {
	for len(c.groups) > c.opt.MaxGroups || c.stats.Entries > c.opt.MaxEntries {
		gi := c.lru[0]
		if gi < 0 || gi == keep {
			return
		}
		c.drop(gi)
		c.stats.Evicted++
	}
}

// keyHash256 hashes texts with their lengths, so that no two lists run together.
type keyHash256 struct{ h hash.Hash }

func sha256New(texts ...string) keyHash256 {
	k := keyHash256{sha256.New()}
	for _, t := range texts {
		k.write(t)
	}
	return k
}

func (k keyHash256) write(s string) {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
	k.h.Write(n[:])
	k.h.Write([]byte(s))
}

func (k keyHash256) sum() []byte { return k.h.Sum(nil) }
