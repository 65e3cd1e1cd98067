// Package untrusted holds text that an attacker may have written: log fields, file names, patterns, names in partners' reports. A Text has no String method and
// prints as a placeholder, so that it reaches a page, a file or a terminal only through the renderer made for that sink.
//
// What every renderer but JSON has in common: control characters, bidirectional overrides, invisible and look-alike space characters are made visible, bytes that
// are not UTF-8 are shown as \xNN, a pile of combining marks is cut, and the length is bounded. JSON keeps the value, since programs read it.
package untrusted

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text is text of unknown intent. The zero value is empty. It is comparable: two Texts are equal when their bytes are.
type Text struct {
	s    string
	more int // bytes that Cut took away
}

// New takes text as it came, whatever its bytes; it copies a byte slice.
func New[T ~string | ~[]byte](v T) Text { return Text{s: string(v)} }

// Len is the number of bytes held.
func (t Text) Len() int { return len(t.s) }

// Empty says whether there is no text at all.
func (t Text) Empty() bool { return t.s == "" && t.more == 0 }

// Cut keeps at most n bytes, never splitting a character; every renderer then says how many bytes are missing.
func (t Text) Cut(n int) Text {
	if n < 0 {
		n = 0
	}
	if len(t.s) <= n {
		return t
	}
	cut := n
	// A character is at most four bytes long, so look back three; bytes that are not UTF-8 are cut anywhere.
	for back := 0; back < utf8.UTFMax-1 && cut > 0 && !utf8.RuneStart(t.s[cut]); back++ {
		cut--
	}
	if !utf8.RuneStart(t.s[cut]) {
		cut = n
	}
	return Text{s: t.s[:cut], more: t.more + len(t.s) - cut}
}

// placeholder is what a Text prints as where nobody chose a renderer.
func (t Text) placeholder() string {
	return "[untrusted text, " + strconv.Itoa(len(t.s)) + " bytes]"
}

// Format prints a placeholder for every verb, so that a stray Printf, error text or template never carries the text.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.placeholder()) }

// LogValue keeps the text out of the program's own log.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.placeholder()) }

// MarshalJSON lets an API encoder carry the value; see JSON.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(t.JSON()), nil }

// omitted words what Cut took away; empty when nothing.
func (t Text) omitted() string {
	if t.more == 0 {
		return ""
	}
	return "… [" + strconv.Itoa(t.more) + " more bytes]"
}

// plain renders the visible form into one string without marks around what was replaced.
func (t Text) plain() string {
	var b strings.Builder
	b.Grow(len(t.s) + 16)
	each(t.s, func(p piece) { b.WriteString(p.text) })
	b.WriteString(t.omitted())
	return b.String()
}
