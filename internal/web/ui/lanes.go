package ui

import (
	"fmt"
	"html/template"
	"math"
	"sort"
	"time"
)

// Timeline is what the lanes picture and its table show: findings as marks, the events behind them as ticks, arrows between findings.
type Timeline struct {
	By     string    // what a lane is: "host" or "tactic"
	Other  string    // address that shows it the other way; empty: no switch
	Lanes  []string  // names, top to bottom; written by an attacker for all we know
	Marks  []Mark    // in any order
	Ticks  []Tick    // sampled by the handler to at most a few thousand
	Arrows [][2]int  // from mark to mark, by index into Marks
	Now    time.Time // drawn as a line when it falls near the end; zero: not drawn
	CSV    string    // address of the data; empty: none
	Title  string    // for who can't see it; empty: "timeline"
}

// Mark is one finding on the picture.
type Mark struct {
	Lane      int // index into Lanes; a mark outside is left out
	At        time.Time
	Label     string // "Credentials dumped"
	Technique string // "T1003.001"; may be empty
	Tactic    int    // place in the order of tactics, 1 to 14; 0: unknown
	TacticAs  string // its name, "Credential access"
	Severity  string
	Events    int64  // how many events are behind it
	Href      string // of the finding; empty: no link
}

// Tick is one event.
type Tick struct {
	Lane int
	At   time.Time
}

// The geometry, in units of the picture, which is shown at about one pixel a unit.
const (
	lanesWide   = 1080.0
	lanesGutter = 134.0 // lane names
	lanesRight  = 1066.0
	lanesTop    = 8.0
	rowHigh     = 16.0 // one row of labels
	laneFoot    = 15.0 // under a lane's line
	gapWide     = 46.0 // a quiet time, shortened
	markHalf    = 7.0
	mergeWithin = 11.0 // marks of one lane nearer than this become one
)

// spot is a mark as drawn; several findings at nearly one moment share it.
type spot struct {
	lane    int
	x, y    float64
	members []int // indices into Marks, in order of time
	worst   string
	label   string
	box     box     // of the label; zero width: not placed
	leadX   float64 // where the label's leader meets it
	leader  bool
}

type box struct{ x0, y0, x1, y1 float64 }

func (b box) hits(o box) bool { return b.x0 < o.x1 && o.x0 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1 }

// layout is a picture worked out and not yet drawn; the tests look at it.
type layout struct {
	axis  axis
	spots []spot
	of    map[int]int // mark to spot
	lineY []float64
	high  float64
	paths [][]point // arrows
}

type point struct{ x, y float64 }

// layLanes works out where everything stands. Labels never overlap a mark, another label or the picture's edge; where all places near a mark are
// taken, its label is left to the table and the mark's title.
func layLanes(t Timeline) layout {
	l := layout{of: map[int]int{}}
	order := make([]int, 0, len(t.Marks))
	var times []time.Time
	for i, m := range t.Marks {
		if m.Lane >= 0 && m.Lane < len(t.Lanes) && !m.At.IsZero() {
			order = append(order, i)
			times = append(times, m.At)
		}
	}
	for _, k := range t.Ticks {
		if k.Lane >= 0 && k.Lane < len(t.Lanes) && !k.At.IsZero() {
			times = append(times, k.At)
		}
	}
	l.axis = newAxis(times)
	sort.SliceStable(order, func(a, b int) bool { return t.Marks[order[a]].At.Before(t.Marks[order[b]].At) })
	last := map[int]int{} // lane to its newest spot
	for _, i := range order {
		m := t.Marks[i]
		x := l.axis.x(m.At)
		if s, ok := last[m.Lane]; ok && x-l.spots[s].x < mergeWithin {
			sp := &l.spots[s]
			sp.members = append(sp.members, i)
			if sevRank(m.Severity) > sevRank(sp.worst) {
				sp.worst = m.Severity
			}
			l.of[i] = s
			continue
		}
		l.spots = append(l.spots, spot{lane: m.Lane, x: x, members: []int{i}, worst: m.Severity})
		last[m.Lane], l.of[i] = len(l.spots)-1, len(l.spots)-1
	}
	perLane := make([]int, len(t.Lanes))
	for i := range l.spots {
		l.spots[i].label = spotLabel(t, l.spots[i])
		perLane[l.spots[i].lane]++
	}
	l.lineY = make([]float64, len(t.Lanes))
	y := lanesTop
	for i := range t.Lanes {
		rows := min(max(rowsNeeded(l.spots, i), 1), 4)
		if perLane[i] > 2 && rows < 4 {
			rows++ // room to step aside for an arrow
		}
		if perLane[i] == 0 {
			rows = 0
		}
		y += float64(rows)*rowHigh + 14
		l.lineY[i] = y
		y += laneFoot
	}
	l.high = y + 20
	for i := range l.spots {
		l.spots[i].y = l.lineY[l.spots[i].lane]
	}
	l.route(t)
	l.place(t)
	return l
}

func spotLabel(t Timeline, s spot) string {
	m := t.Marks[s.members[0]]
	for _, i := range s.members { // the worst names the spot
		if sevRank(t.Marks[i].Severity) > sevRank(m.Severity) {
			m = t.Marks[i]
		}
	}
	label := Visible(m.Label)
	if m.Technique != "" {
		label += " " + Visible(m.Technique)
	}
	label = fit(label, 330)
	if n := len(s.members) - 1; n > 0 {
		label += fmt.Sprintf(" + %d", n)
	}
	return label
}

// rowsNeeded packs a lane's labels greedily, each to the right of its mark, and says how many rows that takes.
func rowsNeeded(spots []spot, lane int) int {
	var ends []float64
	for _, s := range spots {
		if s.lane != lane {
			continue
		}
		w, x := textWidth(s.label)+16, s.x
		if x+w > lanesRight {
			x = lanesRight - w
		}
		row := 0
		for row < len(ends) && ends[row] > x {
			row++
		}
		if row == len(ends) {
			ends = append(ends, 0)
		}
		ends[row] = x + w
	}
	return len(ends)
}

// route draws each arrow as a curve from spot to spot and keeps points along it.
func (l *layout) route(t Timeline) {
	seen := map[[2]int]bool{}
	for _, a := range t.Arrows {
		from, ok1 := l.of[a[0]]
		to, ok2 := l.of[a[1]]
		if !ok1 || !ok2 || from == to || seen[[2]int{from, to}] {
			continue
		}
		seen[[2]int{from, to}] = true
		l.paths = append(l.paths, curve(l.spots[from], l.spots[to]))
	}
}

// curve gives four control points of a cubic: out of one mark, into the other.
func curve(a, b spot) []point {
	if a.lane == b.lane {
		dip := math.Min(13, 5+math.Abs(b.x-a.x)/30)
		return []point{{a.x + 6, a.y + 5}, {a.x + 14, a.y + dip + 3}, {b.x - 16, b.y + dip + 3}, {b.x - 7, b.y + 4}}
	}
	dir := 1.0
	if b.y < a.y {
		dir = -1
	}
	x0, y0, x1, y1 := a.x, a.y+dir*9, b.x, b.y-dir*11
	if math.Abs(b.x-a.x) > 26 { // come in from the side, out of the way of the label above
		x1, y1 = b.x-10, b.y-dir*2
		if b.x < a.x {
			x1 = b.x + 10
		}
		return []point{{x0, y0}, {x0, (y0 + y1) / 2}, {x1 - (x1-x0)*.35, y1}, {x1, y1}}
	}
	return []point{{x0, y0}, {x0, y0 + (y1-y0)*.4}, {x1, y1 - (y1-y0)*.4}, {x1, y1}}
}

func bezier(p []point, u float64) point {
	v := 1 - u
	a, b, c, d := v*v*v, 3*v*v*u, 3*v*u*u, u*u*u
	return point{a*p[0].x + b*p[1].x + c*p[2].x + d*p[3].x, a*p[0].y + b*p[1].y + c*p[2].y + d*p[3].y}
}

// place puts the labels: the worst first, each at the cheapest free place near its mark.
func (l *layout) place(t Timeline) {
	var taken []box
	for _, s := range l.spots {
		taken = append(taken, box{s.x - markHalf - 1, s.y - markHalf - 1, s.x + markHalf + 1, s.y + markHalf + 1})
	}
	var along []point
	for _, p := range l.paths {
		for u := 0.02; u < 1; u += 0.02 {
			along = append(along, bezier(p, u))
		}
	}
	order := make([]int, len(l.spots))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool {
		x, y := l.spots[order[a]], l.spots[order[b]]
		if r, q := sevRank(x.worst), sevRank(y.worst); r != q {
			return r > q
		}
		return x.x > y.x
	})
	for _, i := range order {
		s := &l.spots[i]
		best := math.Inf(1)
		for _, full := range []bool{true, false} {
			label := s.label
			if !full { // no room for the words: the technique alone
				if label = shortLabel(t, *s); label == "" {
					break
				}
			}
			w := textWidth(label)
			for _, c := range candidates(*s, w, l.laneTop(s.lane)) {
				if c.b.x0 < lanesGutter+2 || c.b.x1 > lanesRight+12 || c.b.y0 < 0 {
					continue
				}
				cost, free := c.cost, true
				lead := box{c.leadX - 1, c.b.y1, c.leadX + 1, s.y - markHalf - 2}
				for _, o := range taken {
					if c.b.hits(o) || c.leader && lead.hits(o) {
						free = false
						break
					}
				}
				if !free {
					continue
				}
				for _, p := range along {
					if p.x > c.b.x0-2 && p.x < c.b.x1+2 && p.y > c.b.y0 && p.y < c.b.y1 {
						cost += 4
					}
				}
				for _, g := range l.axis.gaps {
					if c.b.x0 < g.x1 && g.x0 < c.b.x1 {
						cost += 5
					}
				}
				if cost < best {
					best, s.box, s.leader, s.leadX = cost, c.b, c.leader, c.leadX
				}
			}
			if !math.IsInf(best, 1) {
				s.label = label
				break
			}
		}
		if math.IsInf(best, 1) {
			s.label = ""
			continue
		}
		taken = append(taken, s.box)
		if s.leader { // later labels keep off the leader too
			taken = append(taken, box{s.leadX - 1.5, s.box.y1, s.leadX + 1.5, s.y - markHalf})
		}
	}
}

// laneTop is the highest y that labels of a lane may use.
func (l *layout) laneTop(lane int) float64 {
	if lane == 0 {
		return 0
	}
	return l.lineY[lane-1] + 4
}

func shortLabel(t Timeline, s spot) string {
	m := t.Marks[s.members[0]]
	if m.Technique == "" {
		return ""
	}
	label := fit(Visible(m.Technique), 80)
	if n := len(s.members) - 1; n > 0 {
		label += fmt.Sprintf(" + %d", n)
	}
	return label
}

type candidate struct {
	b      box
	cost   float64
	leader bool
	leadX  float64
}

// candidates are the places near a spot, from the best to the last resort: beside it above the line, further rows up, then under the line.
func candidates(s spot, w, top float64) []candidate {
	var out []candidate
	for row := 0; row < 5; row++ {
		y1 := s.y - 5 - float64(row)*rowHigh
		y0 := y1 - 14
		if y0 < top {
			break
		}
		c := float64(row) * 3
		leader := row > 0
		side := 10.0
		if leader {
			side = -2
		}
		out = append(out,
			candidate{box{s.x + side, y0, s.x + side + w, y1}, c, leader, s.x},
			candidate{box{s.x - side - w, y0, s.x - side, y1}, c + 1, leader, s.x})
		if leader {
			out = append(out, candidate{box{s.x - w/2, y0, s.x + w/2, y1}, c + .5, true, s.x})
			out = append(out, candidate{box{s.x - w*.8, y0, s.x + w*.2, y1}, c + .6, true, s.x})
		}
	}
	// Under the line there is room for one row, beside the mark.
	out = append(out,
		candidate{box{s.x + 10, s.y + 2, s.x + 10 + w, s.y + 15}, 7, false, s.x},
		candidate{box{s.x - 10 - w, s.y + 2, s.x - 10, s.y + 15}, 8, false, s.x})
	return out
}

// lanesPicture draws the timeline.
func lanesPicture(t Timeline) template.HTML {
	l := layLanes(t)
	var d drawing
	title := t.Title
	if title == "" {
		title = "timeline"
	}
	d.open("svg", "class", "lanes", "viewBox", "0 0 "+f1(lanesWide)+" "+f1(l.high), "role", "img", "aria-label", Visible(title))
	bottom := l.high - 22
	for _, g := range l.axis.gaps {
		d.el("rect", "", "class", "gap", "x", f1(g.x0), "y", "0", "width", f1(g.x1-g.x0), "height", f1(bottom))
		d.text("gapt", (g.x0+g.x1)/2, bottom+14, shortLength(g.d), "text-anchor", "middle")
	}
	drawAxis(&d, l.axis, bottom)
	for i, name := range t.Lanes {
		d.el("line", "", "class", "ln", "x1", f1(lanesGutter), "y1", f1(l.lineY[i]), "x2", f1(lanesRight+8), "y2", f1(l.lineY[i]))
		d.open("text", "class", "lane", "x", "0", "y", f1(l.lineY[i]+4))
		d.el("title", esc(name))
		d.WriteString(esc(fit(Visible(name), lanesGutter-14)) + "</text>")
	}
	drawn := map[[2]int]bool{}
	for _, k := range t.Ticks {
		if k.Lane < 0 || k.Lane >= len(t.Lanes) || k.At.IsZero() {
			continue
		}
		x := l.axis.x(k.At)
		if key := [2]int{k.Lane, int(x)}; !drawn[key] { // one tick a pixel is enough
			drawn[key] = true
			d.el("path", "", "class", "ev", "d", path("M%s %sv8", x, l.lineY[k.Lane]-4))
		}
	}
	for _, p := range l.paths {
		d.el("path", "", "class", "arrow", "d", path("M%s %sC%s %s %s %s %s %s", p[0].x, p[0].y, p[1].x, p[1].y, p[2].x, p[2].y, p[3].x, p[3].y))
		drawHead(&d, p)
	}
	for _, s := range l.spots {
		drawSpot(&d, t, s)
	}
	d.WriteString("</svg>")
	return d.html()
}

func drawAxis(d *drawing, a axis, bottom float64) {
	end := -math.MaxFloat64
	for _, k := range a.ticks() {
		d.el("path", "", "class", "grid", "d", path("M%s 0V%s", k.x, bottom))
		anchor, x := "start", k.x+3
		w := textWidth(k.words)
		if x+w > lanesWide {
			anchor, x = "end", k.x-3
		}
		x0 := x
		if anchor == "end" {
			x0 = x - w
		}
		if x0 < end+8 || a.inGap(x0, x0+w) {
			continue
		}
		end = x0 + w
		d.text("ax", x, bottom+14, k.words, "text-anchor", anchor)
	}
}

func drawHead(d *drawing, p []point) {
	tip, back := p[3], bezier(p, .94)
	dx, dy := tip.x-back.x, tip.y-back.y
	n := math.Hypot(dx, dy)
	if n == 0 {
		return
	}
	dx, dy = dx/n, dy/n
	d.el("path", "", "class", "head", "d", path("M%s %sL%s %sL%s %sz", tip.x+dx*3, tip.y+dy*3, tip.x-dx*4-dy*3.4, tip.y-dy*4+dx*3.4, tip.x-dx*4+dy*3.4, tip.y-dy*4-dx*3.4))
}

func drawSpot(d *drawing, t Timeline, s spot) {
	m := t.Marks[s.members[0]]
	href := safeHref(m.Href)
	if href != "" {
		d.open("a", "href", href)
	} else {
		d.open("g")
	}
	title := ""
	for _, i := range s.members {
		k := t.Marks[i]
		title += fmt.Sprintf("%s %s: %s, %s, %s\n", k.At.UTC().Format("15:04:05Z"), Visible(k.Label), k.Technique, sevClass(k.Severity), some(k.Events, "event", "events"))
	}
	d.el("title", template.HTMLEscapeString(title))
	if s.label != "" && s.leader {
		d.el("path", "", "class", "lead", "d", path("M%s %sV%s", s.leadX, s.box.y1, s.y-markHalf))
	}
	class := fmt.Sprintf("mk s-%s ta-%d", sevClass(s.worst), max(0, min(m.Tactic, 14)))
	switch sevClass(s.worst) {
	case "critical", "high":
		d.el("path", "", "class", class, "d", path("M%s %sl7.5 7.5-7.5 7.5-7.5-7.5z", s.x, s.y-7.5))
		if sevClass(s.worst) == "critical" {
			d.el("path", "", "class", "ring", "d", path("M%s %sl10.5 10.5-10.5 10.5-10.5-10.5z", s.x, s.y-10.5))
		}
	case "medium":
		d.el("path", "", "class", class, "d", path("M%s %sl7.5 13h-15z", s.x, s.y-7.5))
	default:
		d.el("circle", "", "class", class, "cx", f1(s.x), "cy", f1(s.y), "r", "5.5")
	}
	if s.label != "" {
		d.text("lb", s.box.x0, s.box.y1-3, s.label)
	}
	if href != "" {
		d.WriteString("</a>")
	} else {
		d.WriteString("</g>")
	}
}
