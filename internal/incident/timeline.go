package incident

import (
	"context"
	"slices"
	"strings"
	"time"

	"vigil/internal/attack"
	"vigil/internal/detect"
	"vigil/internal/event"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Timeline is an incident in lanes: what was found where, and when.
type Timeline struct {
	By    string   // what a lane is: "host" or "tactic"
	Lanes []string // in order of their first mark (hosts: somebody else's text), or of the kill chain
	Marks []Mark   // in order of time
	Ticks []Tick   // in order of time
	// Links lead from the mark that a lane's first mark follows from to it, by index into Marks, in order of time.
	Links [][2]int
}

// Mark is one finding on the timeline, at its first event.
type Mark struct {
	Lane       int
	At, Last   time.Time
	Finding    string // id
	Title      string
	Technique  string // the first of its techniques; "" where none
	Name       string // the technique's name; "" where unknown
	Tactic     int    // place in the kill chain, 1 and up; 0 where unknown
	TacticName string
	Level      detect.Level
	Events     int64
	Context    bool // suppressed or benign
	techniques []string
	host       string
	traits     []string
}

// Tick is one proving event.
type Tick struct {
	Lane    int
	At      time.Time
	Finding string
}

// TimelineOf draws an incident in lanes of "host" or "tactic", of what the reader may see. It carries the join of all that
// is on it.
func TimelineOf(ctx context.Context, v *store.View, id, by string) (marking.Released[Timeline], error) {
	var none marking.Released[Timeline]
	sheet := marking.NewSheet(v.Reader())
	rel, err := Get(ctx, v, id)
	if err != nil {
		return none, err
	}
	marking.Open(sheet, rel)
	findings, err := Findings(ctx, v, id)
	if err != nil {
		return none, err
	}
	t := Timeline{By: "host"}
	if by == "tactic" {
		t.By = by
	}
	type tick struct {
		at   time.Time
		mark int
	}
	var ticks []tick
	var ev event.Event
	for _, rel := range findings {
		f := marking.Open(sheet, rel)
		m := Mark{At: f.First, Last: f.Last, Finding: f.ID, Title: f.Title, Level: f.Level, Events: f.Count, Context: f.Context, techniques: f.Techniques, host: f.Entity}
		if len(f.Techniques) > 0 {
			m.Technique = f.Techniques[0]
			m.Tactic, m.TacticName = tacticOf(m.Technique)
			if tech, ok := attack.Lookup(m.Technique); ok {
				m.Name = tech.Name
			}
		}
		events, err := detect.Events(ctx, v, f.ID)
		if err != nil {
			return none, err
		}
		c := collector{traits: map[string]bool{}, observables: map[[2]string]*observed{}}
		c.trait("host", f.Entity)
		for _, rel := range events {
			e := marking.Open(sheet, rel)
			ticks = append(ticks, tick{e.At, len(t.Marks)})
			if ev.Parse(e.Bytes) == nil {
				c.event(&ev, e.At)
			}
		}
		m.traits, _ = c.result()
		t.Marks = append(t.Marks, m)
	}
	lane := t.lanes()
	for n := range t.Marks {
		t.Marks[n].Lane = lane(t.Marks[n])
	}
	for _, k := range ticks {
		t.Ticks = append(t.Ticks, Tick{t.Marks[k.mark].Lane, k.at, t.Marks[k.mark].Finding})
	}
	slices.SortStableFunc(t.Ticks, func(a, b Tick) int { return a.At.Compare(b.At) })
	t.link()
	out, ok := marking.Release(v.Reader(), sheet.Label(), t)
	if !ok {
		return none, store.ErrGate
	}
	return out, nil
}

// lanes names the lanes and says which a mark belongs on. Marks are in order of time already.
func (t *Timeline) lanes() func(Mark) int {
	name := func(m Mark) string { return m.host }
	if t.By == "tactic" {
		name = func(m Mark) string {
			if m.Tactic == 0 {
				return "no tactic known"
			}
			return m.TacticName
		}
		order := slices.Clone(t.Marks)
		slices.SortStableFunc(order, func(a, b Mark) int {
			return (a.Tactic+len(attack.Tactics()))%(len(attack.Tactics())+1) - (b.Tactic+len(attack.Tactics()))%(len(attack.Tactics())+1)
		})
		for _, m := range order {
			if !slices.Contains(t.Lanes, name(m)) {
				t.Lanes = append(t.Lanes, name(m))
			}
		}
	} else {
		for _, m := range t.Marks {
			if !slices.Contains(t.Lanes, name(m)) {
				t.Lanes = append(t.Lanes, name(m))
			}
		}
	}
	return func(m Mark) int { return slices.Index(t.Lanes, name(m)) }
}

// link leads to each lane's first mark, but the very first, from the latest earlier mark on another lane that shares
// something with it; where none does and it moves from host to host, from the latest on another lane at all. A lane that
// follows from nothing known has no link: none is made up.
func (t *Timeline) link() {
	begun := map[int]bool{}
	for n, m := range t.Marks {
		if begun[m.Lane] || m.Context {
			continue
		}
		begun[m.Lane] = true
		from, any := -1, -1
		for k, e := range t.Marks[:n] {
			if e.Lane == m.Lane || e.Context {
				continue
			}
			any = k
			if slices.ContainsFunc(m.traits, func(tr string) bool {
				_, found := slices.BinarySearch(e.traits, tr)
				return found && !strings.HasPrefix(tr, "rule:")
			}) {
				from = k
			}
		}
		if from < 0 && lateral(m.techniques) {
			from = any
		}
		if from >= 0 {
			t.Links = append(t.Links, [2]int{from, n})
		}
	}
}
