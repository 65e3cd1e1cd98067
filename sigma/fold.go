package sigma

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// Case-insensitive matching compares simple case folding (Unicode Standard 3.13, as in CaseFolding.txt status C and S): each rune is
// replaced by one representative of its folding orbit, the lower-case ASCII letter when there is one.

// asciiFold maps each byte below 0x80 to its folded form.
var asciiFold = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] = byte(i) | 0x20
		}
	}
	return t
}()

// bmpFold caches foldRuneSlow for the basic multilingual plane.
var bmpFold = sync.OnceValue(func() *[1 << 16]uint16 {
	t := new([1 << 16]uint16)
	for r := rune(0); r < 1<<16; r++ {
		t[r] = uint16(foldRuneSlow(r))
	}
	return t
})

func foldRuneSlow(r rune) rune {
	low := r
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		low = min(low, o)
	}
	if low >= 'A' && low <= 'Z' {
		low |= 0x20
	}
	return low
}

func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(asciiFold[r])
	}
	if r < 1<<16 {
		return rune(bmpFold()[r])
	}
	return foldRuneSlow(r)
}

// appendFold appends the folded form of s. Bytes that are not UTF-8 stay as they are.
func appendFold(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			dst = append(dst, asciiFold[c])
			i++
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n <= 1 {
			dst = append(dst, c)
			i++
			continue
		}
		dst = utf8.AppendRune(dst, foldRune(r))
		i += n
	}
	return dst
}

func foldString(s string) string { return string(appendFold(nil, []byte(s))) }
