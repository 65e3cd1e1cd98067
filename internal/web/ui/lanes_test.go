package ui

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

func randomTimeline(rng *rand.Rand) Timeline {
	var t Timeline
	for i := range 1 + rng.IntN(9) {
		t.Lanes = append(t.Lanes, fmt.Sprintf("HOST-%02d", i))
	}
	spread := []time.Duration{time.Second, time.Minute, time.Hour, 72 * time.Hour, 300 * 24 * time.Hour}[rng.IntN(5)]
	for i := range rng.IntN(40) {
		t.Marks = append(t.Marks, Mark{Lane: rng.IntN(len(t.Lanes)), At: now.Add(-time.Duration(rng.Int64N(int64(spread)) + 1)), Label: "A finding with a name of some length"[:6+rng.IntN(30)],
			Technique: []string{"", "T1003.001"}[rng.IntN(2)], Severity: []string{"critical", "high", "medium", "low", "informational", ""}[rng.IntN(6)]})
		if i > 0 {
			t.Arrows = append(t.Arrows, [2]int{i - 1, i})
		}
	}
	return t
}

// Whatever stands on it: no label touches another, a mark, or leaves the picture, and every mark belongs to a spot.
func TestLabelsNeverCollide(t *testing.T) {
	for seed := range uint64(300) {
		tl := randomTimeline(rand.New(rand.NewPCG(seed, 7)))
		l := layLanes(tl)
		members := 0
		for i, a := range l.spots {
			members += len(a.members)
			if a.x < lanesGutter || a.x > lanesRight+1 {
				t.Fatalf("seed %d: a mark at x %.0f", seed, a.x)
			}
			if a.label == "" {
				continue
			}
			if a.box.x0 < lanesGutter || a.box.x1 > lanesWide || a.box.y0 < 0 || a.box.y1 > l.high {
				t.Errorf("seed %d: label %q leaves the picture: %v", seed, a.label, a.box)
			}
			for j, b := range l.spots {
				mark := box{b.x - markHalf, b.y - markHalf, b.x + markHalf, b.y + markHalf}
				if a.box.hits(mark) {
					t.Errorf("seed %d: label %q lies on a mark", seed, a.label)
				}
				if i < j && b.label != "" && a.box.hits(b.box) {
					t.Errorf("seed %d: labels %q and %q collide", seed, a.label, b.label)
				}
			}
		}
		if members != len(tl.Marks) {
			t.Errorf("seed %d: %d of %d marks drawn", seed, members, len(tl.Marks))
		}
	}
}

// On the exercise's own night no label is given up.
func TestTonightKeepsItsLabels(t *testing.T) {
	for _, s := range layLanes(tonight()).spots {
		if s.label == "" {
			t.Errorf("the label of %v is left out", s.members)
		}
	}
}

func TestTimeRunsRight(t *testing.T) {
	tl := randomTimeline(rand.New(rand.NewPCG(3, 1)))
	l := layLanes(tl)
	for _, a := range tl.Marks {
		for _, b := range tl.Marks {
			if a.At.Before(b.At) && l.axis.x(a.At) > l.axis.x(b.At) {
				t.Fatalf("%v stands right of %v", a.At, b.At)
			}
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{{40 * time.Second, "40 s"}, {14*time.Minute + 59*time.Second, "14 min"}, {5*time.Hour + 12*time.Minute, "5 h 12 min"}, {6 * time.Hour, "6 h"}, {27 * time.Hour, "1 day 3 h"},
		{48 * time.Hour, "2 days"}, {20 * 24 * time.Hour, "2 weeks"}, {578 * 24 * time.Hour, "19 months"}, {-time.Minute, "1 min"}, {time.Millisecond, "under a second"}} {
		if got := length(c.d); got != c.want {
			t.Errorf("length(%v) = %q, want %q", c.d, got, c.want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 24771: "24,771", -1234567: "−1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
	if got := (Count{1001, true}).words(); got != "at least 1,001" {
		t.Errorf("a count that stopped early reads %q", got)
	}
	if got := relative(now, now.Add(5*time.Hour+12*time.Minute)); got != "in 5 h 12 min" {
		t.Errorf("a deadline reads %q", got)
	}
}

// A hidden thing and an absent one give the same page, whatever the handler knew.
func TestNotFoundNeverTells(t *testing.T) {
	hidden, err := hostilePage(func(w io.Writer, p ErrorPage) error { p.Status = 404; p.Frame = frame(); return Error(w, p) })("secret name", true)
	if err != nil {
		t.Fatal(err)
	}
	absent, err := hostilePage(func(w io.Writer, p ErrorPage) error { p.Status = 404; p.Frame = frame(); return Error(w, p) })("", false)
	if err != nil {
		t.Fatal(err)
	}
	if hidden != absent {
		t.Error("the page for something hidden differs from the page for nothing")
	}
}
