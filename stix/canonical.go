package stix

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical appends the canonical form (RFC 8785) of the JSON object raw to
// dst: no space, names in UTF-16 order, numbers as ECMAScript writes them.
// raw must fit [DefaultLimits].
func Canonical(dst, raw []byte) ([]byte, error) {
	d, err := scan(raw, DefaultLimits)
	if err != nil {
		return dst, fmt.Errorf("canonical form: %w", err)
	}
	defer d.release()
	return d.canonical(dst, 0)
}

func (d *doc) canonical(dst []byte, i uint32) ([]byte, error) {
	n := &d.nodes[i]
	var err error
	switch n.kind {
	case kindString:
		return appendString(dst, d.text(i)), nil
	case kindNumber:
		f, err := strconv.ParseFloat(string(d.raw[n.start:n.end]), 64)
		if err != nil || math.IsInf(f, 0) {
			return dst, &Error{Path: d.path(i), Offset: int(n.start), Reason: "the number is beyond the range of RFC 8785"}
		}
		return appendNumber(dst, f), nil
	case kindArray:
		dst = append(dst, '[')
		for c := d.first(i); c != 0; c = d.nodes[c].next {
			if c != i+1 {
				dst = append(dst, ',')
			}
			if dst, err = d.canonical(dst, c); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case kindObject:
		type prop struct {
			name string
			at   uint32
		}
		props := make([]prop, 0, n.count)
		for c := d.first(i); c != 0; c = d.nodes[c].next {
			props = append(props, prop{d.key(c), c})
		}
		slices.SortFunc(props, func(a, b prop) int { return compareUTF16(a.name, b.name) })
		dst = append(dst, '{')
		for k, p := range props {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, p.name), ':')
			if dst, err = d.canonical(dst, p.at); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	}
	return append(dst, d.raw[n.start:n.end]...), nil
}

// compareUTF16 orders by UTF-16 code units, which differs from byte order
// where characters beyond U+FFFF meet those from U+E000 on.
func compareUTF16(a, b string) int {
	for len(a) > 0 && len(b) > 0 {
		if a[0] < utf8.RuneSelf && b[0] < utf8.RuneSelf {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(a)
		s, m := utf8.DecodeRuneInString(b)
		if r != s {
			if hr, lr := utf16.EncodeRune(r); hr != utf8.RuneError {
				if hs, ls := utf16.EncodeRune(s); hs != utf8.RuneError {
					if hr != hs {
						return int(hr - hs)
					}
					return int(lr - ls)
				}
				return int(hr - s)
			}
			if hs, _ := utf16.EncodeRune(s); hs != utf8.RuneError {
				return int(r - hs)
			}
			return int(r - s)
		}
		a, b = a[n:], b[m:]
	}
	return len(a) - len(b)
}

// appendString writes a JSON string with the escapes that RFC 8785 asks for
// and no others.
func appendString[T string | []byte](dst []byte, s T) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendNumber writes f as ECMAScript's Number::toString does.
func appendNumber(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0') // also for -0
	}
	abs := math.Abs(f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go pads the exponent to two digits, ECMAScript does not.
	if n := len(dst); n-at > 4 && dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

func sortUTF16(s []string) { slices.SortFunc(s, compareUTF16) }
