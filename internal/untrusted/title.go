package untrusted

import "strings"

// Title renders the text plain, on one line, runs of blanks as one space, in at most n characters, for a page's title, a list row or an attribute (html/template
// still escapes it).
func (t Text) Title(n int) string {
	if n <= 0 {
		return ""
	}
	// Eight bytes a character is generous for what is shown, and bounds the work on a huge text.
	full := t.Cut(8*n + 64)
	out, count, blank := make([]byte, 0, n), 0, false
	lastFit, cut := 0, full.more > 0
	add := func(s string, chars int) {
		if count+chars > n {
			cut = true
			count = n + 1
			return
		}
		out = append(out, s...)
		if count += chars; count < n {
			lastFit = len(out)
		}
	}
	each(full.s, func(p piece) {
		if count > n {
			return
		}
		if strings.ContainsRune(" \t\r\n", p.r) {
			blank = true
			return
		}
		if blank && len(out) > 0 {
			add(" ", 1)
		}
		blank = false
		if count <= n {
			add(p.text, len([]rune(p.text)))
		}
	})
	if !cut {
		return string(out)
	}
	return string(out[:lastFit]) + "…"
}
