package taxii

import (
	"errors"
	"strings"
	"time"
)

// Stamp is the moment an object was added to a collection, in microseconds
// since 1970-01-01T00:00:00Z. TAXII 2.1 §2 gives timestamps microsecond
// precision; a whole number of them makes "strictly after" exact. Zero means
// "before everything": no object is ever added at or before it.
type Stamp int64

// stampLayout is TAXII 2.1 §2: exactly six fractional digits, UTC, "Z".
const stampLayout = "2006-01-02T15:04:05.000000Z"

// StampOf rounds t down to the microsecond. Rounding down keeps a filter
// exact: a stamp lies strictly after t if and only if it exceeds StampOf(t).
// Times before 1970 give zero.
func StampOf(t time.Time) Stamp {
	return max(0, Stamp(t.UnixMicro()))
}

// NextStamp is the stamp for an object added at now when last is the newest
// one handed out: unique and increasing even if the clock stands still or is
// set back.
func NextStamp(last Stamp, now time.Time) Stamp {
	return max(last+1, StampOf(now))
}

// Time returns the stamp as a UTC time.
func (s Stamp) Time() time.Time { return time.UnixMicro(int64(s)).UTC() }

// Append appends the stamp as TAXII writes it, for example
// 2027-03-04T05:06:07.000001Z.
func (s Stamp) Append(b []byte) []byte { return s.Time().AppendFormat(b, stampLayout) }

func (s Stamp) String() string { return s.Time().Format(stampLayout) }

var errTimestamp = errors.New("not an RFC 3339 timestamp such as 2027-03-04T05:06:07.123456Z, with 0 to 9 fractional digits")

// ParseTime reads an RFC 3339 timestamp with 0 to 9 fractional digits and
// either Z or a numeric offset. Lower-case t and z are allowed, as RFC 3339
// does. A space before a numeric offset counts as the plus sign that a query
// decoder made of it: real clients send added_after=…+00:00 without escaping.
// Leap seconds are refused.
func ParseTime(s string) (time.Time, error) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, errTimestamp
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	sec, ok6 := digits(s[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || hour > 23 || minute > 59 || sec > 59 {
		return time.Time{}, errTimestamp
	}
	rest, nano := s[19:], 0
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 || n > 10 {
			return time.Time{}, errTimestamp
		}
		nano, _ = digits(rest[1:n])
		for i := n; i < 10; i++ {
			nano *= 10
		}
		rest = rest[n:]
	}
	offset := 0
	switch {
	case rest == "Z" || rest == "z":
	case len(rest) == 6 && rest[3] == ':' && strings.IndexByte("+- ", rest[0]) >= 0:
		h, ok1 := digits(rest[1:3])
		m, ok2 := digits(rest[4:6])
		if !ok1 || !ok2 || h > 23 || m > 59 {
			return time.Time{}, errTimestamp
		}
		offset = h*3600 + m*60
		if rest[0] == '-' {
			offset = -offset
		}
	default:
		return time.Time{}, errTimestamp
	}
	t := time.Date(year, time.Month(month), day, hour, minute, sec, nano, time.UTC)
	if t.Day() != day || int(t.Month()) != month {
		return time.Time{}, errTimestamp // 30 February
	}
	return t.Add(-time.Duration(offset) * time.Second), nil
}

func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// CompareVersions orders two versions of one object: -1, 0 or +1. STIX
// timestamps are compared as instants whatever their number of fractional
// digits, so that …01Z equals …01.000Z; anything else byte by byte.
func CompareVersions(a, b string) int {
	if !utcForm(a) || !utcForm(b) {
		return strings.Compare(a, b)
	}
	if c := strings.Compare(a[:19], b[:19]); c != 0 {
		return c
	}
	fa, fb := strings.TrimPrefix(a[19:len(a)-1], "."), strings.TrimPrefix(b[19:len(b)-1], ".")
	return strings.Compare(strings.TrimRight(fa, "0"), strings.TrimRight(fb, "0"))
}

// utcForm reports whether s looks like a STIX timestamp: UTC, "Z".
func utcForm(s string) bool {
	if len(s) < 20 || s[4] != '-' || s[10] != 'T' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return false
	}
	return len(s) == 20 || s[19] == '.'
}
