package sigma

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// glimpse looks at a raw JSON line for any sign of the keywords, so that most lines need not be decoded for them. It errs on the side of
// possible only.
type glimpse struct {
	always bool
	stride int  // 1, 2 or 4: windows are looked at every so many bytes, since that many of each run are entered
	folds  bool // some run has a letter that characters outside ASCII fold to
	bitmap []uint64
	runs   map[uint32][]glimpseRun
}

// glimpseRun is the part of a keyword that JSON writes as it is, with 0x20 set in every byte, and where its window stands in it.
type glimpseRun struct {
	text string
	off  int
}

const glimpseShift = 32 - 16

// newGlimpse prepares for a sub-engine's keyword literals. When one has no four characters in a row that JSON writes as they are, or a
// predicate is not announced by a literal, every line is possible.
func newGlimpse(s *subEngine, lits []lit) *glimpse {
	g := &glimpse{}
	for _, sp := range s.preds {
		if sp.field < 0 && !sp.direct && len(sp.gates) == 0 {
			g.always = true
			return g
		}
	}
	g.bitmap = make([]uint64, 1<<16/64)
	g.runs = map[uint32][]glimpseRun{}
	g.stride = 4
	var runs []string
	for _, l := range lits {
		run := ""
		for i, from := 0, 0; i <= len(l.text); i++ {
			if i < len(l.text) && plainJSON(l.text[i]) {
				continue
			}
			if i-from > len(run) {
				run = l.text[from:i]
			}
			from = i + 1
		}
		if len(run) < 4 {
			g.always = true
			return g
		}
		g.folds = g.folds || strings.ContainsAny(run, "ks")
		b := []byte(run)
		for i := range b {
			b[i] |= 0x20
		}
		runs = append(runs, string(b))
		g.stride = min(g.stride, len(b)-3)
	}
	if g.stride == 3 {
		g.stride = 2
	}
	for _, run := range runs {
		best, bestScore := 0, 1<<30
		for o := 0; o+3+g.stride <= len(run); o++ {
			score := 0
			for _, c := range []byte(run[o : o+3+g.stride]) {
				score += commonness[c]
			}
			if score < bestScore {
				best, bestScore = o, score
			}
		}
		for k := range g.stride {
			g.add(run, best+k)
		}
	}
	return g
}

// plainJSON reports whether every JSON writer leaves the byte as it is, but for \u escapes.
func plainJSON(c byte) bool { return c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '/' }

// found compares the runs whose window stands at b[i:].
func (g *glimpse) found(b []byte, i int) bool {
	if i+4 > len(b) {
		return false
	}
runs:
	for _, r := range g.runs[binary.LittleEndian.Uint32(b[i:])|0x20202020] {
		from := i - r.off
		if from < 0 || from+len(r.text) > len(b) {
			continue
		}
		for k := range len(r.text) {
			if b[from+k]|0x20 != r.text[k] {
				continue runs
			}
		}
		return true
	}
	return false
}

// add enters the window of a run at an offset.
func (g *glimpse) add(run string, off int) {
	w := gram(run[off:], 4)
	g.runs[w] = append(g.runs[w], glimpseRun{run, off})
	f := glimpseHash(w) >> glimpseShift
	g.bitmap[f>>6] |= 1 << (f & 63)
}

func glimpseHash(v uint32) uint32 { return v * gramMix }

// possible reports whether a keyword can stand in the line.
func (g *glimpse) possible(b []byte) bool {
	if g.always {
		return true
	}
	bm, stride := (*[1 << 16 / 64]uint64)(g.bitmap), g.stride
	var seen, escape uint64
	i := 0
	for ; i+12 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		seen |= x
		bs := x ^ '\\'*ones
		u := binary.LittleEndian.Uint64(b[i+1:]) ^ 'u'*ones
		escape |= (bs - ones) &^ bs & (u - ones) &^ u
		x |= 0x20 * ones
		y := binary.LittleEndian.Uint64(b[i+4:]) | 0x20*ones
		for k := 0; k < 4; k += stride {
			h0 := glimpseHash(uint32(x>>(8*k))) >> glimpseShift
			h1 := glimpseHash(uint32(y>>(8*k))) >> glimpseShift
			if (bm[h0>>6]>>(h0&63)|bm[h1>>6]>>(h1&63))&1 != 0 && (g.found(b, i+k) || g.found(b, i+k+4)) {
				return true
			}
		}
	}
	for t := i; t < len(b); t++ {
		if g.found(b, t) {
			return true
		}
	}
	if tail := b[max(0, i-1):]; bytes.Contains(tail, []byte(`\u`)) {
		escape = highs
	}
	for _, c := range b[i:] {
		seen |= uint64(c)
	}
	// characters written as escapes, and the long s and Kelvin sign, which fold to ASCII letters
	if escape&highs != 0 && (bytes.Contains(b, []byte(`\u00`)) || bytes.Contains(b, []byte(`\u017`)) || bytes.Contains(b, []byte(`\u21`))) {
		return true
	}
	return seen&highs != 0 && g.folds && (bytes.Contains(b, []byte("\u017f")) || bytes.Contains(b, []byte("\u212a")))
}
