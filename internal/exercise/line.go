package exercise

import (
	"strconv"
	"time"
)

// line builds one flat JSON object. Keys are ours and need no escaping; values are escaped.
type line struct{ b []byte }

func newLine() *line { return &line{b: append(make([]byte, 0, 768), '{')} }

func (l *line) key(k string) {
	if len(l.b) > 1 {
		l.b = append(l.b, ',')
	}
	l.b = append(l.b, '"')
	l.b = append(l.b, k...)
	l.b = append(l.b, '"', ':')
}

// s adds a text.
func (l *line) s(k, v string) *line {
	l.key(k)
	l.b = append(l.b, '"')
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"' || c == '\\':
			l.b = append(l.b, '\\', c)
		case c < ' ':
			const hex = "0123456789abcdef"
			l.b = append(l.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			l.b = append(l.b, c)
		}
	}
	l.b = append(l.b, '"')
	return l
}

// i adds a whole number.
func (l *line) i(k string, v int) *line {
	l.key(k)
	l.b = strconv.AppendInt(l.b, int64(v), 10)
	return l
}

// t adds a time in UTC to the millisecond, in the given layout.
func (l *line) t(k string, v time.Time, layout string) *line {
	l.key(k)
	l.b = append(l.b, '"')
	l.b = v.UTC().AppendFormat(l.b, layout)
	l.b = append(l.b, '"')
	return l
}

func (l *line) done() []byte { return append(l.b, '}') }

const (
	stamp  = "2006-01-02T15:04:05.000Z"
	sysmon = "2006-01-02 15:04:05.000"
)
