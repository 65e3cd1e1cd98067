package sigma

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// literals finds, in one pass over a folded value, which of many literals it equals, begins with, ends with or contains.
//
// Equality is a hash table behind a filter of lengths. Beginnings and ends walk a trie and stop at the first byte that leads
// nowhere. Containment looks up every four-byte window of the value in a bitmap that fits the first-level cache: each literal is
// entered under its rarest window only, and compared in full when that window occurs. An Aho-Corasick automaton over the same
// literals takes megabytes and spends its time waiting for memory.
type literals struct {
	lits []lit
	// post[postAt[i]:postAt[i+1]] are the predicates that literal i satisfies
	postAt, post []int32

	seed           maphash.Seed
	exact          []int32 // literal + 1 by hash
	lengths        [4]uint64
	longer         bool // some exact literal is longer than the length filter
	prefix, suffix *byteTrie
	anything       int32 // literal, -1 for none
	empty          int32 // exact "", -1 for none
	wide           *windows
	narrow         *windows
}

// build takes each distinct literal with the predicates it satisfies.
func buildLiterals(lits []lit, preds [][]int32) *literals {
	m := &literals{lits: lits, anything: -1, empty: -1, seed: maphash.MakeSeed()}
	m.postAt = append(m.postAt, 0)
	nExact := 0
	for i, l := range lits {
		m.post = append(m.post, preds[i]...)
		m.postAt = append(m.postAt, int32(len(m.post)))
		if l.op == litExact {
			nExact++
		}
	}
	size := 4
	for size < 2*nExact {
		size *= 2
	}
	if nExact > 0 {
		m.exact = make([]int32, size)
	}
	var wide, narrow []int32
	for i, l := range lits {
		id := int32(i)
		switch l.op {
		case litAnything:
			m.anything = id
		case litExact:
			if l.text == "" {
				m.empty = id
				continue
			}
			if n := len(l.text); n < 256 {
				m.lengths[n>>6] |= 1 << (n & 63)
			} else {
				m.longer = true
			}
			h := maphash.String(m.seed, l.text) & uint64(size-1)
			for m.exact[h] != 0 {
				h = (h + 1) & uint64(size-1)
			}
			m.exact[h] = id + 1
		case litPrefix:
			if m.prefix == nil {
				m.prefix = newByteTrie()
			}
			m.prefix.add(l.text, id, false)
		case litSuffix:
			if m.suffix == nil {
				m.suffix = newByteTrie()
			}
			m.suffix.add(l.text, id, true)
		case litContains:
			if len(l.text) >= 4 {
				wide = append(wide, id)
			} else {
				narrow = append(narrow, id)
			}
		}
	}
	if m.prefix != nil {
		m.prefix.seal()
	}
	if m.suffix != nil {
		m.suffix.seal()
	}
	if len(wide) > 0 {
		m.wide = newWindows(lits, wide, 4)
	}
	if len(narrow) > 0 {
		m.narrow = newWindows(lits, narrow, 2)
	}
	return m
}

// scan reports every literal that s, a folded value that is not null, satisfies. A literal may be reported more than once.
func (m *literals) scan(s []byte, h *evaluation) {
	if m.anything >= 0 {
		h.fire(m, m.anything)
	}
	if len(s) == 0 {
		if m.empty >= 0 {
			h.fire(m, m.empty)
		}
		return
	}
	if m.exact != nil && (len(s) >= 256 && m.longer || len(s) < 256 && m.lengths[len(s)>>6]&(1<<(len(s)&63)) != 0) {
		mask := uint64(len(m.exact) - 1)
		for p := maphash.Bytes(m.seed, s) & mask; m.exact[p] != 0; p = (p + 1) & mask {
			if id := m.exact[p] - 1; m.lits[id].text == string(s) {
				h.fire(m, id)
				break
			}
		}
	}
	if m.suffix != nil {
		m.suffix.walkBack(s, m, h)
	}
	if m.prefix != nil {
		m.prefix.walk(s, m, h)
	}
	if m.wide != nil {
		m.wide.scan4(s, m, h)
	}
	if m.narrow != nil {
		m.narrow.scan2(s, m, h)
	}
}

// byteTrie is a trie whose edges lie in one open-addressed table.
type byteTrie struct {
	build map[uint64]int32
	ends  []int32 // by node: literal + 1
	keys  []uint64
	next  []int32
	shift uint
}

func newByteTrie() *byteTrie { return &byteTrie{build: map[uint64]int32{}, ends: []int32{0}} }

func (t *byteTrie) add(s string, id int32, reverse bool) {
	node := int32(0)
	for i := range len(s) {
		c := s[i]
		if reverse {
			c = s[len(s)-1-i]
		}
		k := uint64(node)<<8 | uint64(c)
		n, ok := t.build[k]
		if !ok {
			n = int32(len(t.ends))
			t.ends = append(t.ends, 0)
			t.build[k] = n
		}
		node = n
	}
	t.ends[node] = id + 1
}

const trieMix = 0x9E3779B97F4A7C15

func (t *byteTrie) seal() {
	n := bits.Len(uint(2*len(t.build) + 2))
	t.shift = uint(64 - n)
	t.keys, t.next = make([]uint64, 1<<n), make([]int32, 1<<n)
	for k, v := range t.build {
		h := (k * trieMix) >> t.shift
		for t.next[h] != 0 {
			h = (h + 1) & uint64(len(t.next)-1)
		}
		t.keys[h], t.next[h] = k, v
	}
	t.build = nil
}

func (t *byteTrie) step(node int32, c byte) int32 {
	k := uint64(node)<<8 | uint64(c)
	for h := (k * trieMix) >> t.shift; ; h = (h + 1) & uint64(len(t.next)-1) {
		n := t.next[h]
		if n == 0 || t.keys[h] == k {
			return n
		}
	}
}

func (t *byteTrie) walk(s []byte, m *literals, h *evaluation) {
	node := int32(0)
	for _, c := range s {
		if node = t.step(node, c); node == 0 {
			return
		}
		if e := t.ends[node]; e != 0 {
			h.fire(m, e-1)
		}
	}
}

func (t *byteTrie) walkBack(s []byte, m *literals, h *evaluation) {
	node := int32(0)
	for i := len(s) - 1; i >= 0; i-- {
		if node = t.step(node, s[i]); node == 0 {
			return
		}
		if e := t.ends[node]; e != 0 {
			h.fire(m, e-1)
		}
	}
}

// windows finds literals by one window of w bytes each.
type windows struct {
	bitmap  []uint64
	shift   uint
	heads   []int32 // bucket → first entry + 1
	bshift  uint
	entries []window
}

// window is a literal with the place of its window.
type window struct {
	gram uint32
	off  int32
	lit  int32
	next int32 // entry + 1
	text string
}

const gramMix = 0x9E3779B1

// commonness of bytes in logs, for the choice of rare windows: higher is more common.
var commonness = func() (t [256]int) {
	for i := range t {
		t[i] = 1
	}
	for i, c := range []byte("qzjxkvwybgfpmuhdlcnsoritae") {
		t[c] = 4 + i
	}
	for c := '0'; c <= '9'; c++ {
		t[c] = 14
	}
	for c, v := range map[byte]int{' ': 30, '\\': 26, '.': 24, '-': 14, '/': 14, ':': 14, '_': 10, '"': 14, '=': 10, '\n': 14, ',': 8} {
		t[c] = v
	}
	return t
}()

func newWindows(lits []lit, ids []int32, w int) *windows {
	t := &windows{}
	n := max(bits.Len(uint(len(ids)*2)), 4)
	t.bshift = uint(32 - n)
	t.heads = make([]int32, 1<<n)
	bm := min(max(bits.Len(uint(len(ids)*64)), 14), 18)
	t.shift = uint(32 - bm)
	t.bitmap = make([]uint64, 1<<bm/64)
	load := make([]int, len(t.heads))
	t.entries = make([]window, 0, len(ids))
	for _, id := range ids {
		text := lits[id].text
		var best, bestScore, bestGram = 0, 1 << 30, uint32(0)
		if len(text) < w { // a single byte: entered under every window that begins with it is too many; scanned apart
			bestGram = uint32(text[0])
		} else {
			for o := 0; o+w <= len(text); o++ {
				g := gram(text[o:], w)
				score := 6 * load[(g*gramMix)>>t.bshift]
				for _, c := range []byte(text[o : o+w]) {
					score += commonness[c]
				}
				if score < bestScore {
					best, bestScore, bestGram = o, score, g
				}
			}
		}
		b := (bestGram * gramMix) >> t.bshift
		load[b]++
		t.entries = append(t.entries, window{bestGram, int32(best), id, t.heads[b], text})
		t.heads[b] = int32(len(t.entries))
		f := (bestGram * gramMix) >> t.shift
		t.bitmap[f>>6] |= 1 << (f & 63)
	}
	return t
}

func gram(s string, w int) uint32 {
	if w == 4 {
		return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
	}
	return uint32(s[0]) | uint32(s[1])<<8 | 0x10000
}

func (t *windows) scan4(s []byte, m *literals, h *evaluation) {
	bm, shift := t.bitmap, t.shift
	i := 0
	for ; i+7 <= len(s)-1; i += 4 {
		v := binary.LittleEndian.Uint64(s[i:])
		h0 := (uint32(v) * gramMix) >> shift
		h1 := (uint32(v>>8) * gramMix) >> shift
		h2 := (uint32(v>>16) * gramMix) >> shift
		h3 := (uint32(v>>24) * gramMix) >> shift
		b0 := bm[h0>>6] >> (h0 & 63)
		b1 := bm[h1>>6] >> (h1 & 63)
		b2 := bm[h2>>6] >> (h2 & 63)
		b3 := bm[h3>>6] >> (h3 & 63)
		if (b0|b1|b2|b3)&1 == 0 {
			continue
		}
		if b0&1 != 0 {
			t.check(uint32(v), s, i, m, h)
		}
		if b1&1 != 0 {
			t.check(uint32(v>>8), s, i+1, m, h)
		}
		if b2&1 != 0 {
			t.check(uint32(v>>16), s, i+2, m, h)
		}
		if b3&1 != 0 {
			t.check(uint32(v>>24), s, i+3, m, h)
		}
	}
	for ; i+4 <= len(s); i++ {
		v := binary.LittleEndian.Uint32(s[i:])
		f := (v * gramMix) >> shift
		if bm[f>>6]>>(f&63)&1 != 0 {
			t.check(v, s, i, m, h)
		}
	}
}

// scan2 looks for literals of one to three bytes.
func (t *windows) scan2(s []byte, m *literals, h *evaluation) {
	bm, shift := t.bitmap, t.shift
	for i := range s {
		v := uint32(s[i])
		f := (v * gramMix) >> shift
		if bm[f>>6]>>(f&63)&1 != 0 {
			t.check(v, s, i, m, h)
		}
		if i+1 == len(s) {
			break
		}
		v |= uint32(s[i+1])<<8 | 0x10000
		f = (v * gramMix) >> shift
		if bm[f>>6]>>(f&63)&1 != 0 {
			t.check(v, s, i, m, h)
		}
	}
}

// check compares the literals that have window g against s around i.
func (t *windows) check(g uint32, s []byte, i int, m *literals, h *evaluation) {
	for e := t.heads[(g*gramMix)>>t.bshift]; e != 0; {
		w := &t.entries[e-1]
		e = w.next
		if w.gram != g {
			continue
		}
		from := i - int(w.off)
		if from < 0 || from+len(w.text) > len(s) || string(s[from:from+len(w.text)]) != w.text {
			continue
		}
		h.fire(m, w.lit)
	}
}
