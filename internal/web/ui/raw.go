package ui

import (
	"html/template"
	"strings"

	"vigil/internal/untrusted"
)

// Text that an attacker may have written is an untrusted.Text in every model, and reaches a page by the functions of this file alone. They leave
// escaping, isolation and the showing of controls to package untrusted, which has one renderer a sink.

// raw shows a piece within a line.
func raw(t untrusted.Text) template.HTML { return t.HTML() }

// rawShort shows at most n bytes, for table cells; what is cut is counted.
func rawShort(t untrusted.Text, n int) template.HTML { return t.Cut(n).HTML() }

// rawBlock shows text of several lines.
func rawBlock(t untrusted.Text) template.HTML { return t.HTMLBlock() }

// defanged shows an address, domain or URL in the form that nothing turns into a link: hxxp, [.] and [@].
func defanged(t untrusted.Text) template.HTML { return untrusted.New(t.Defanged()).HTML() }

// title is for a heading or a snippet, where the component would be in the way: plain, one line, hidden characters named.
func title(t untrusted.Text) string { return t.Title(300) }

// has says whether every text is there.
func has(ts ...untrusted.Text) bool {
	for _, t := range ts {
		if t.Empty() {
			return false
		}
	}
	return true
}

// Visible makes words of people fit to stand anywhere: on one line, hidden characters named. Words of theirs may still hold what they pasted.
func Visible(s string) string { return untrusted.New(s).Title(4000) }

// written is Visible for text of several lines.
func written(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = Visible(l)
	}
	return strings.Join(lines, "\n")
}
