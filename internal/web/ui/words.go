package ui

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// Count is a number of things. When counting stopped early, N things were seen and there is at least one more.
type Count struct {
	N       int64
	AtLeast bool
}

func (c Count) words() string {
	if c.AtLeast {
		return "at least " + thousands(c.N)
	}
	return thousands(c.N)
}

func digits(n int64) string { return strconv.FormatInt(n, 10) }

// thousands writes 24771 as "24,771".
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "−", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// some writes a number with its noun: "1 finding", "3 findings".
func some(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// size writes bytes as "12.4 MB" (powers of 1000, as disks and files are sold).
func size(n int64) string {
	switch {
	case n < 1000:
		return some(n, "byte", "bytes")
	case n < 1_000_000:
		return trim(float64(n)/1e3) + " kB"
	case n < 1_000_000_000:
		return trim(float64(n)/1e6) + " MB"
	}
	return trim(float64(n)/1e9) + " GB"
}

func trim(f float64) string {
	if f >= 100 || f == math.Trunc(f) {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// length writes a duration in the two largest units that a person says: "40 s", "14 min", "5 h 12 min", "2 days 3 h", "19 months".
// Negative durations are written like positive ones; the caller says which way.
func length(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	days := int64(d / (24 * time.Hour))
	switch {
	case d < time.Second:
		return "under a second"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case days == 0:
		return two(int64(d/time.Hour), "h", int64(d%time.Hour/time.Minute), "min")
	case days < 14:
		day := " days"
		if days == 1 {
			day = " day"
		}
		h := int64(d % (24 * time.Hour) / time.Hour)
		if h == 0 || days > 6 {
			return fmt.Sprint(days) + day
		}
		return fmt.Sprintf("%d%s %d h", days, day, h)
	case days < 60:
		return some(days/7, "week", "weeks")
	case days < 730:
		return some(int64(math.Round(float64(days)/30.44)), "month", "months")
	}
	return some(days/365, "year", "years")
}

func two(a int64, au string, b int64, bu string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, au)
	}
	return fmt.Sprintf("%d %s %d %s", a, au, b, bu)
}

// relative says how far t lies from now: "14 min ago", "in 5 h 12 min", "now".
func relative(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d > -5*time.Second && d < 5*time.Second:
		return "now"
	case d > 0:
		return length(d) + " ago"
	}
	return "in " + length(-d)
}

const (
	stampForm = "2006-01-02 15:04Z"
	exactForm = "2006-01-02 15:04:05.000Z"
)

// stamp writes a time as 2026-11-23 21:05Z; a zero time is a dash.
func stamp(t time.Time) template.HTML { return timeTag(t, t.UTC().Format(stampForm), "") }

// exact writes a time to the millisecond, for evidence and the record.
func exact(t time.Time) template.HTML { return timeTag(t, t.UTC().Format(exactForm), "") }

// clock writes the time of day alone when t is on now's UTC day, and the whole stamp otherwise.
func clock(now, t time.Time) template.HTML {
	if sameDay(now, t) {
		return timeTag(t, t.UTC().Format("15:04Z"), "")
	}
	return stamp(t)
}

func sameDay(a, b time.Time) bool {
	ay, am, ad := a.UTC().Date()
	by, bm, bd := b.UTC().Date()
	return ay == by && am == bm && ad == bd
}

// when writes the stamp with the relative time beside it; the script keeps the relative part true.
func when(now, t time.Time) template.HTML {
	if t.IsZero() {
		return stamp(t)
	}
	return stamp(t) + ` <span class="rel">` + ago(now, t) + `</span>`
}

// ago writes the relative time alone, with the stamp as its title.
func ago(now, t time.Time) template.HTML {
	return timeTag(t, relative(now, t), " data-rel")
}

func timeTag(t time.Time, words, attr string) template.HTML {
	if t.IsZero() {
		return `<span class="faint">–</span>`
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `" title="` + t.UTC().Format(exactForm) + `"` + attr + `>` +
		template.HTMLEscapeString(words) + `</time>`)
}

// longDay writes "Monday 23 November 2026, 21:05Z".
func longDay(t time.Time) string { return t.UTC().Format("Monday 2 January 2006, 15:04Z") }

// plainWord turns a field's machine name into words: "attack-pattern" to "attack pattern", "first_seen" to "first seen".
func plainWord(s string) string { return strings.NewReplacer("-", " ", "_", " ").Replace(s) }

// upperFirst makes a word the start of a sentence.
func upperFirst(s string) string {
	if s == "" {
		return s
	}
	r := []rune(s)
	return strings.ToUpper(string(r[0])) + string(r[1:])
}
