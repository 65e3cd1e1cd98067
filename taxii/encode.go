package taxii

import (
	"strconv"
	"unicode/utf8"
)

func itoa(n int) string { return strconv.Itoa(n) }

// appendString appends s as a JSON string. Invalid UTF-8 becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= 0x20 && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			if c >= 0x20 {
				b = append(b, '\\', c)
			} else {
				b = append(b, `\u00`...)
				b = append(b, hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[from:i]...)
			b = append(b, "\ufffd"...)
			from = i + 1
		}
		i += n
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// members appends the members of a JSON object.
type members struct {
	b     []byte
	comma bool
}

func (m *members) name(name string) {
	if m.comma {
		m.b = append(m.b, ',')
	}
	m.comma = true
	m.b = append(m.b, '"')
	m.b = append(m.b, name...)
	m.b = append(m.b, '"', ':')
}

func (m *members) text(name, value string) {
	m.name(name)
	m.b = appendString(m.b, value)
}

// optional is text, left out if empty.
func (m *members) optional(name, value string) {
	if value != "" {
		m.text(name, value)
	}
}

func (m *members) number(name string, n int64) {
	m.name(name)
	m.b = strconv.AppendInt(m.b, n, 10)
}

func (m *members) flag(name string, on bool) {
	m.name(name)
	m.b = strconv.AppendBool(m.b, on)
}

// texts is a list of strings, left out if empty: §2 forbids empty lists.
func (m *members) texts(name string, values []string) {
	if len(values) == 0 {
		return
	}
	m.name(name)
	for i, v := range values {
		m.b = append(m.b, "[,"[min(i, 1)])
		m.b = appendString(m.b, v)
	}
	m.b = append(m.b, ']')
}
