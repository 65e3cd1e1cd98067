package ui

import (
	"sort"
	"time"
)

// axis maps time to x. Long quiet times are shortened to a fixed width and say how long they were, so that a burst stays readable.
type axis struct {
	parts []part
	gaps  []gap
}

type part struct {
	t0, t1 time.Time
	x0, x1 float64
}

type gap struct {
	x0, x1 float64
	d      time.Duration
}

// newAxis looks for quiet times longer than a twelfth of all and shortens the six longest.
func newAxis(times []time.Time) axis {
	if len(times) == 0 {
		now := time.Unix(0, 0)
		return axis{parts: []part{{now, now.Add(time.Hour), lanesGutter, lanesRight}}}
	}
	ts := append([]time.Time(nil), times...)
	sort.Slice(ts, func(a, b int) bool { return ts[a].Before(ts[b]) })
	total := ts[len(ts)-1].Sub(ts[0])
	if total < time.Minute { // one moment: show the minute around it
		mid := ts[0].Add(total / 2)
		return axis{parts: []part{{mid.Add(-30 * time.Second), mid.Add(30 * time.Second), lanesGutter, lanesRight}}}
	}
	type quiet struct {
		i int
		d time.Duration
	}
	var qs []quiet
	for i := 1; i < len(ts); i++ {
		if d := ts[i].Sub(ts[i-1]); d > total/12 {
			qs = append(qs, quiet{i, d})
		}
	}
	sort.Slice(qs, func(a, b int) bool { return qs[a].d > qs[b].d })
	if len(qs) > 6 {
		qs = qs[:6]
	}
	sort.Slice(qs, func(a, b int) bool { return qs[a].i < qs[b].i })
	var busy time.Duration
	var spans [][2]time.Time
	start := 0
	for _, q := range qs {
		spans = append(spans, [2]time.Time{ts[start], ts[q.i-1]})
		start = q.i
	}
	spans = append(spans, [2]time.Time{ts[start], ts[len(ts)-1]})
	for _, s := range spans {
		busy += s[1].Sub(s[0])
	}
	// Each busy time gets a base, and of the rest a share by its length.
	width := lanesRight - lanesGutter - 30 - float64(len(qs))*gapWide
	base := width * .4 / float64(len(spans))
	share := width - base*float64(len(spans))
	var a axis
	x := lanesGutter + 16
	for i, s := range spans {
		w := base
		if busy > 0 {
			w += share * float64(s[1].Sub(s[0])) / float64(busy)
		} else {
			w += share / float64(len(spans))
		}
		a.parts = append(a.parts, part{s[0], s[1], x, x + w})
		x += w
		if i < len(qs) {
			a.gaps = append(a.gaps, gap{x + 8, x + gapWide - 8, qs[i].d})
			x += gapWide
		}
	}
	return a
}

func (a axis) x(t time.Time) float64 {
	for _, p := range a.parts {
		if !t.After(p.t1) {
			span := p.t1.Sub(p.t0)
			if span <= 0 {
				return (p.x0 + p.x1) / 2
			}
			f := float64(t.Sub(p.t0)) / float64(span)
			return p.x0 + max(f, 0)*(p.x1-p.x0)
		}
	}
	return a.parts[len(a.parts)-1].x1
}

func (a axis) inGap(x0, x1 float64) bool {
	for _, g := range a.gaps {
		if x0 < g.x1+14 && x1 > g.x0-14 {
			return true
		}
	}
	return false
}

type axisTick struct {
	x     float64
	words string
}

var steps = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour,
	12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour}

// ticks gives round moments, about one in 110 units, each part by a step of its own.
func (a axis) ticks() []axisTick {
	var out []axisTick
	for i, p := range a.parts {
		span := p.t1.Sub(p.t0)
		want := max(int((p.x1-p.x0)/110), 1)
		step := steps[len(steps)-1]
		for _, s := range steps {
			if span/s <= time.Duration(want) {
				step = s
				break
			}
		}
		first := p.t0.UTC().Truncate(step)
		if first.Before(p.t0) {
			first = first.Add(step)
		}
		n := 0
		for t := first; !t.After(p.t1) && n < 40; t = t.Add(step) {
			out = append(out, axisTick{a.x(t), tickWords(t, step, n == 0 && i == 0 || newDay(out, t))})
			n++
		}
		if n == 0 {
			mid := p.t0.Add(span / 2)
			out = append(out, axisTick{a.x(mid), tickWords(mid, step, true)})
		}
	}
	return out
}

func newDay(before []axisTick, t time.Time) bool {
	return len(before) == 0 || t.UTC().Hour() == 0 && t.UTC().Minute() == 0
}

func tickWords(t time.Time, step time.Duration, withDay bool) string {
	t = t.UTC()
	switch {
	case step >= 24*time.Hour:
		return t.Format("2 Jan")
	case withDay && step < time.Minute:
		return t.Format("2 Jan 15:04:05Z")
	case withDay:
		return t.Format("2 Jan 15:04Z")
	case step < time.Minute:
		return t.Format("15:04:05Z")
	}
	return t.Format("15:04Z")
}

// shortLength fits a quiet time's length into the narrow gap.
func shortLength(d time.Duration) string {
	switch {
	case d < time.Minute:
		return digits(int64(d/time.Second)) + " s"
	case d < time.Hour:
		return digits(int64(d/time.Minute)) + " min"
	case d < 48*time.Hour:
		return digits(int64(d/time.Hour)) + " h"
	}
	return digits(int64(d/(24*time.Hour))) + " d"
}
