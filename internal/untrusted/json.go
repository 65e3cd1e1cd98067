package untrusted

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// JSON renders a JSON string with its quotes. The value is kept, save that bytes which are not UTF-8 become U+FFFD; what could act on a page or a terminal that
// shows the document (markup, controls, bidirectional and invisible characters) is written as \uXXXX.
func (t Text) JSON() string {
	var b strings.Builder
	b.Grow(len(t.s) + 2)
	b.WriteByte('"')
	for _, r := range t.s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20, r == 0x7f, r == '<', r == '>', r == '&', r == '\'', r == utf8.RuneError:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r >= utf8.RuneSelf && hidden(r):
			if r > 0xffff {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	if o := t.omitted(); o != "" {
		b.WriteString(o)
	}
	b.WriteByte('"')
	return b.String()
}
