package sigma

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// glimpse looks at a raw JSON line for any sign of the keywords, so that most lines need not be decoded for them. It errs on the side of
// possible only.
type glimpse struct {
	always bool
	folds  bool // some window has a letter that characters outside ASCII fold to
	bitmap []uint64
	shift  uint
}

// newGlimpse prepares for a sub-engine's keyword literals. Each is represented by one window of four characters that JSON writes as
// they are; when one has no such window, or a predicate is not announced by a literal, every line is possible.
func newGlimpse(s *subEngine, lits []lit) *glimpse {
	g := &glimpse{}
	for _, sp := range s.preds {
		if sp.field < 0 && !sp.direct && sp.gate < 0 {
			g.always = true
			return g
		}
	}
	n := min(max(bits.Len(uint(len(lits)*32)), 10), 17)
	g.shift = uint(32 - n)
	g.bitmap = make([]uint64, 1<<n/64)
	for _, l := range lits {
		best, bestScore := -1, 1<<30
		for o := 0; o+4 <= len(l.text); o++ {
			score := 0
			for _, c := range []byte(l.text[o : o+4]) {
				switch {
				case c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '/':
					score = 1 << 30
				case c == 'k' || c == 's':
					score += 1000
				default:
					score += commonness[c]
				}
			}
			if score < bestScore {
				best, bestScore = o, score
			}
		}
		if best < 0 {
			g.always = true
			return g
		}
		g.folds = g.folds || bestScore >= 1000
		h := glimpseHash(gram(l.text[best:], 4) | 0x20202020)
		f := h >> g.shift
		g.bitmap[f>>6] |= 1 << (f & 63)
	}
	return g
}

func glimpseHash(v uint32) uint32 { return v * gramMix }

// possible reports whether a keyword can stand in the line.
func (g *glimpse) possible(b []byte) bool {
	if g.always {
		return true
	}
	bm, shift := g.bitmap, g.shift
	i := 0
	for ; i+8 <= len(b); i += 4 {
		v := binary.LittleEndian.Uint64(b[i:]) | 0x20*ones
		h0 := glimpseHash(uint32(v)) >> shift
		h1 := glimpseHash(uint32(v>>8)) >> shift
		h2 := glimpseHash(uint32(v>>16)) >> shift
		h3 := glimpseHash(uint32(v>>24)) >> shift
		if (bm[h0>>6]>>(h0&63)|bm[h1>>6]>>(h1&63)|bm[h2>>6]>>(h2&63)|bm[h3>>6]>>(h3&63))&1 != 0 {
			return true
		}
	}
	for ; i+4 <= len(b); i++ {
		h := glimpseHash(binary.LittleEndian.Uint32(b[i:])|0x20202020) >> shift
		if bm[h>>6]>>(h&63)&1 != 0 {
			return true
		}
	}
	// ASCII written as \u00XX, and the long s and Kelvin sign, which fold to ASCII letters
	return bytes.Contains(b, []byte(`\u00`)) || g.folds && (bytes.Contains(b, []byte("\u017f")) || bytes.Contains(b, []byte("\u212a")) ||
		bytes.Contains(b, []byte(`\u017`)) || bytes.Contains(b, []byte(`\u212`)))
}
