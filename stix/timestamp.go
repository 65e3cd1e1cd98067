package stix

import (
	"fmt"
	"time"
)

// Timestamp is an instant with the precision its text had: String gives back
// the text that was parsed. The zero Timestamp means absent.
type Timestamp struct {
	sec    int64 // seconds since 1970-01-01T00:00:00Z
	nsec   int32 // nanoseconds, 0 to 999999999; digits beyond the ninth are in text only
	digits int8  // 1 + the number of fractional digits; 0 marks the zero Timestamp
	text   string
}

// ParseTimestamp reads an RFC 3339 timestamp in UTC with any number of
// fractional digits, as STIX 2.1, 2.16 asks: a "T", a "Z", no offset.
func ParseTimestamp(s string) (Timestamp, error) {
	t, reason := parseTimestamp(s)
	if reason != "" {
		return Timestamp{}, fmt.Errorf("timestamp %q: %s", clip(s), reason)
	}
	return t, nil
}

// NewTimestamp gives t in UTC at millisecond precision, which STIX asks of
// created and modified. Finer digits are cut off, not rounded.
func NewTimestamp(t time.Time) Timestamp {
	t = t.UTC().Truncate(time.Millisecond)
	return Timestamp{sec: t.Unix(), nsec: int32(t.Nanosecond()), digits: 4}
}

// maxFraction bounds the fractional digits that are read.
const maxFraction = 64

func parseTimestamp[T string | []byte](s T) (t Timestamp, reason string) {
	const form = "is not of the form 2006-01-02T15:04:05.000Z"
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return t, form
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	second, ok6 := digits(s[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) {
		return t, form
	}
	if s[len(s)-1] != 'Z' {
		return t, "does not end in Z: STIX timestamps are in UTC"
	}
	switch {
	case month < 1 || month > 12:
		return t, "has a month outside 1 to 12"
	case day < 1 || day > daysIn(year, month):
		return t, "has a day that its month does not have"
	case hour > 23:
		return t, "has an hour above 23"
	case minute > 59:
		return t, "has a minute above 59"
	case second > 60:
		return t, "has a second above 60"
	}
	frac := s[19 : len(s)-1]
	if len(frac) > 0 {
		if frac[0] != '.' || len(frac) == 1 {
			return t, form
		}
		frac = frac[1:]
		if len(frac) > maxFraction {
			return t, fmt.Sprintf("has more than %d fractional digits", maxFraction)
		}
		scale := int32(100_000_000)
		for i := 0; i < len(frac); i++ {
			if frac[i] < '0' || frac[i] > '9' {
				return t, form
			}
			t.nsec += int32(frac[i]-'0') * scale
			scale /= 10
		}
	}
	t.sec = daysSince1970(year, month, day)*86400 + int64(hour)*3600 + int64(minute)*60 + int64(second)
	t.digits = int8(len(frac)) + 1
	if len(frac) > 9 || second == 60 { // not to be rebuilt from the numbers
		t.text = string(s)
	}
	return t, ""
}

func digits[T string | []byte](s T) (n int, ok bool) {
	for i := 0; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days of the proleptic Gregorian calendar.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := int64(year) / 400
	if year < 0 {
		era = -1
	}
	yoe := int64(year) - era*400
	doy := int64((153*(month-3)+2)/5 + day - 1)
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// IsZero reports whether t is absent.
func (t Timestamp) IsZero() bool { return t.digits == 0 }

// Time is the instant, to the nanosecond. The zero Timestamp gives the zero Time.
func (t Timestamp) Time() time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.Unix(t.sec, int64(t.nsec)).UTC()
}

// UnixNano is the number of nanoseconds since 1970. It is exact for the years
// 1678 to 2261 and held at the ends of the int64 range beyond them.
func (t Timestamp) UnixNano() int64 {
	const most = 9223372035
	switch {
	case t.sec > most:
		return 1<<63 - 1
	case t.sec < -most:
		return -1 << 63
	}
	return t.sec*1e9 + int64(t.nsec)
}

// Compare orders by instant: -1 when t is before u, 0 when they are the same
// to the nanosecond, 1 when t is after u.
func (t Timestamp) Compare(u Timestamp) int {
	switch {
	case t.sec < u.sec, t.sec == u.sec && t.nsec < u.nsec:
		return -1
	case t.sec > u.sec, t.nsec > u.nsec:
		return 1
	}
	return 0
}

// Digits is the number of fractional digits of the text.
func (t Timestamp) Digits() int { return max(int(t.digits)-1, 0) }

// String is the text that was parsed, or "" for the zero Timestamp.
func (t Timestamp) String() string {
	if t.IsZero() {
		return ""
	}
	if t.text != "" {
		return t.text
	}
	return string(t.Append(make([]byte, 0, 30)))
}

// Append adds the text of t to dst.
func (t Timestamp) Append(dst []byte) []byte {
	if t.IsZero() || t.text != "" {
		return append(dst, t.text...)
	}
	dst = t.Time().AppendFormat(dst, "2006-01-02T15:04:05")
	if n := t.Digits(); n > 0 {
		dst = append(dst, '.')
		for scale := int32(100_000_000); n > 0; n-- {
			dst = append(dst, byte('0'+t.nsec/scale%10))
			scale /= 10
		}
	}
	return append(dst, 'Z')
}
