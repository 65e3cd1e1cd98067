package untrusted

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// TerminalLimit is how many bytes of a text a terminal is sent.
const TerminalLimit = 8 << 10

// Terminal renders the text on one line for a terminal: no byte of it can move the cursor, change a colour, set a title or answer for the user.
func (t Text) Terminal() string { return t.Cut(TerminalLimit).plain() }

// TerminalWidth is Terminal in at most cols columns, ending in "…" when it had to be cut. Wide characters count two columns, combining marks none.
func (t Text) TerminalWidth(cols int) string {
	if cols <= 0 {
		return ""
	}
	// No text needs more than a few bytes a column, but combining marks add some: four a character at most.
	full := t.Cut(TerminalLimit)
	out, used := make([]byte, 0, cols+8), 0
	lastFit, cut := 0, full.more > 0 // lastFit: bytes of out that leave a column for the ellipsis
	each(full.s, func(p piece) {
		if used > cols {
			return
		}
		w := columns(p.text)
		used += w
		if used > cols {
			cut = true
			return
		}
		out = append(out, p.text...)
		if used < cols {
			lastFit = len(out)
		}
	})
	if !cut {
		return string(out)
	}
	return string(out[:lastFit]) + "…"
}

// Columns is how many terminal columns the Terminal form takes.
func (t Text) Columns() int { return columns(t.Terminal()) }

func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// PadTerminal renders the text in exactly cols columns, filled with spaces on the right: one cell of a table.
func (t Text) PadTerminal(cols int) string {
	s := t.TerminalWidth(cols)
	if gap := cols - columns(s); gap > 0 {
		s += strings.Repeat(" ", gap)
	}
	return s
}
