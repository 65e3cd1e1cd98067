package sigma

import (
	"bytes"
	"strconv"
	"time"
)

// timePart extracts the numeric part of a date that a time modifier names. Zones are not converted: the parts are those written.
func timePart(unit string, v []byte) (int64, bool) {
	t, ok := parseTime(v)
	if !ok {
		return 0, false
	}
	switch unit {
	case "minute":
		return int64(t.Minute()), true
	case "hour":
		return int64(t.Hour()), true
	case "day":
		return int64(t.Day()), true
	case "week":
		_, w := t.ISOWeek()
		return int64(w), true
	case "month":
		return int64(t.Month()), true
	}
	return int64(t.Year()), true
}

var timeLayouts = []string{
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05",
	"2006-01-02T15:04:05Z0700", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02", "2006/01/02 15:04:05",
	"02/Jan/2006:15:04:05 -0700", "Mon, 02 Jan 2006 15:04:05 MST", "Jan _2 15:04:05 2006", "Jan 2 2006 15:04:05",
}

// parseTime reads ISO 8601 and the other common log forms, with or without fractions, and Unix seconds, milliseconds,
// microseconds or nanoseconds (told apart by size), which are UTC.
func parseTime(v []byte) (time.Time, bool) {
	v = bytes.TrimSpace(v)
	if len(v) < 4 || len(v) > 64 {
		return time.Time{}, false
	}
	s := asString(v)
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		switch {
		case f < 1e8 || f >= 1e20:
			return time.Time{}, false
		case f < 1e11:
			return time.UnixMicro(int64(f * 1e6)).UTC(), true
		case f < 1e14:
			return time.UnixMicro(int64(f * 1e3)).UTC(), true
		case f < 1e17:
			return time.UnixMicro(int64(f)).UTC(), true
		}
		return time.Unix(0, int64(f)).UTC(), true
	}
	for _, l := range timeLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
