package untrusted

import "strings"

// CSVLimit is how many bytes a cell carries: below the 32,767 characters at which spreadsheets cut or break a cell, with room for quotes.
const CSVLimit = 30000

// CSV renders one whole cell, always in quotes: put a comma between cells and CR LF after the last. A cell that a spreadsheet would take for a formula starts with an
// apostrophe; so does what follows a semicolon, which parts cells where the comma is the decimal sign, whatever the quotes say.
func (t Text) CSV() string {
	t = t.Cut(CSVLimit)
	var b strings.Builder
	b.Grow(len(t.s) + 8)
	b.WriteByte('"')
	atStart := true // nothing but spaces and quotes since the start of a cell
	each(t.s, func(p piece) {
		if atStart && startsFormula(p.r) {
			b.WriteByte('\'')
		}
		switch p.r {
		case '"':
			b.WriteString(`""`)
		case ' ':
			b.WriteByte(' ')
		default:
			b.WriteString(p.text)
			atStart = p.r == ';'
		}
	})
	b.WriteString(t.omitted())
	b.WriteByte('"')
	return b.String()
}

// startsFormula lists what spreadsheets take for the start of a formula, in both widths, and the blanks that some of them skip before one.
func startsFormula(r rune) bool {
	switch r {
	case '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '−', '|', '%':
		return true
	}
	return false
}
