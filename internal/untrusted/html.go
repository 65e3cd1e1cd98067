package untrusted

import (
	"html/template"
	"strings"
)

// HTMLLimit is how many bytes of a text a page shows; the rest is counted, and reached through the raw event.
const HTMLLimit = 16 << 10

// HTML renders the text inline for html/template: escaped, in mono, isolated from the direction of its surroundings, never a link. Each replaced character stands in
// <span class="ctl">, so that a reader can tell it from text that merely looks like one.
func (t Text) HTML() template.HTML {
	return t.html(`<code class="raw"><bdi>`, `</bdi></code>`, false)
}

// HTMLBlock is HTML for text of several lines: line ends stay line ends.
func (t Text) HTMLBlock() template.HTML {
	return t.html(`<pre class="rawblock"><code class="raw"><bdi>`, `</bdi></code></pre>`, true)
}

func (t Text) html(open, end string, lines bool) template.HTML {
	t = t.Cut(HTMLLimit)
	var b strings.Builder
	b.Grow(len(t.s) + 64)
	b.WriteString(open)
	each(t.s, func(p piece) {
		switch {
		case lines && (p.r == '\n' || p.r == '\t'):
			b.WriteRune(p.r)
		case p.escaped:
			b.WriteString(`<span class="ctl">` + p.text + `</span>`)
		default:
			writeEscaped(&b, p.text)
		}
	})
	if o := t.omitted(); o != "" {
		b.WriteString(`<span class="ctl">` + o + `</span>`)
	}
	b.WriteString(end)
	return template.HTML(b.String())
}

// writeEscaped writes one character, escaped for element content and for a quoted or unquoted attribute alike.
func writeEscaped(b *strings.Builder, s string) {
	switch s {
	case "<":
		b.WriteString("&lt;")
	case ">":
		b.WriteString("&gt;")
	case "&":
		b.WriteString("&amp;")
	case `"`:
		b.WriteString("&#34;")
	case "'":
		b.WriteString("&#39;")
	case "`":
		b.WriteString("&#96;")
	case "=":
		b.WriteString("&#61;")
	default:
		b.WriteString(s)
	}
}
