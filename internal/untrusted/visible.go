package untrusted

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// maxMarks is how many combining marks in a row are shown as they are; more of them climb over neighbouring lines.
const maxMarks = 4

// piece is one character as a person may see it: itself, or its replacement.
type piece struct {
	text    string
	r       rune // the character; utf8.RuneError for a byte that is not UTF-8
	escaped bool // text is a replacement
}

// each walks s and hands out its visible pieces in order.
func each(s string, fn func(piece)) {
	marks := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		p := piece{text: s[i : i+size], r: r}
		switch {
		case r == utf8.RuneError && size == 1:
			p.text, p.escaped = fmt.Sprintf(`\x%02X`, s[i]), true
			marks = 0
		case r < utf8.RuneSelf:
			if r < 0x20 {
				p.text, p.escaped = string(0x2400+r), true
			} else if r == 0x7f {
				p.text, p.escaped = "␡", true
			}
			marks = 0
		case hidden(r):
			p.text, p.escaped = codePoint(r), true
			marks = 0
		case unicode.In(r, unicode.Mn, unicode.Me):
			if marks++; marks > maxMarks {
				p.text, p.escaped = codePoint(r), true
			}
		default:
			marks = 0
		}
		fn(p)
		i += size
	}
}

func codePoint(r rune) string { return fmt.Sprintf("[U+%04X]", r) }

// hidden says whether a character above ASCII is invisible, reorders its neighbours, or passes for a plain space.
func hidden(r rune) bool {
	switch {
	case r >= 0x80 && r <= 0x9f: // C1 controls
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0, r == 0x2800: // joiners, fillers, the blank Braille cell
		return true
	case r >= 0x180b && r <= 0x180f, r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0000 && r <= 0xe0fff: // variation selectors, tags
		return true
	case r&0xfffe == 0xfffe, r >= 0xfdd0 && r <= 0xfdef: // non-characters
		return true
	}
	// Cf holds the bidirectional controls and zero-width characters; Co draws whatever the reader's font likes.
	return unicode.In(r, unicode.Cf, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs)
}
