package evtx

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// appendUTF16 appends little-endian UTF-16 as UTF-8. A surrogate without its
// partner becomes U+FFFD; an odd last byte is ignored.
func appendUTF16(dst, b []byte) []byte {
	b = b[:len(b)&^1]
	dst = slices.Grow(dst, len(b)/2*3)
	out := dst[len(dst) : len(dst)+len(b)/2*3]
	n, i := 0, 0
	for i < len(b) {
		// Event text is mostly ASCII: four units at a time.
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			if w&0xff80ff80ff80ff80 != 0 {
				break
			}
			w |= w >> 8
			o := out[n : n+4 : n+4]
			o[0], o[1], o[2], o[3] = byte(w), byte(w>>16), byte(w>>32), byte(w>>48)
			n += 4
			i += 8
		}
		if i >= len(b) {
			break
		}
		u := rune(b[i]) | rune(b[i+1])<<8
		i += 2
		switch {
		case u < 0x80:
			out[n] = byte(u)
			n++
			continue
		case u >= 0xd800 && u < 0xdc00 && i+2 <= len(b):
			if lo := rune(b[i]) | rune(b[i+1])<<8; lo >= 0xdc00 && lo < 0xe000 {
				u = (u-0xd800)<<10 + (lo - 0xdc00) + 0x10000
				i += 2
			} else {
				u = utf8.RuneError
			}
		case u >= 0xd800 && u < 0xe000:
			u = utf8.RuneError
		}
		n += utf8.EncodeRune(out[n:], u)
	}
	return dst[:len(dst)+n]
}

// trimNUL16 cuts the terminators that providers leave behind a UTF-16 string.
func trimNUL16(b []byte) []byte {
	b = b[:len(b)&^1]
	for len(b) >= 2 && b[len(b)-1] == 0 && b[len(b)-2] == 0 {
		b = b[:len(b)-2]
	}
	return b
}

// appendANSI appends text of an 8-bit code page. The file does not say which
// one: bytes that are UTF-8 stay, others are read as Windows-1252.
func appendANSI(dst, b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for _, c := range b {
		switch {
		case c < 0x80:
			dst = append(dst, c)
		case c < 0xa0:
			dst = utf8.AppendRune(dst, windows1252[c-0x80])
		default:
			dst = utf8.AppendRune(dst, rune(c))
		}
	}
	return dst
}

// windows1252 maps 0x80 to 0x9f, where the code page differs from Latin-1.
var windows1252 = [32]rune{
	0x20ac, 0xfffd, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0xfffd, 0x017d, 0xfffd,
	0xfffd, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0xfffd, 0x017e, 0x0178,
}
