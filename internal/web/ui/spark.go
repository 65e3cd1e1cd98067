package ui

import (
	"html/template"
	"math"
)

// Trend is a small series beside a number. Fewer than two points show as "no trend yet".
type Trend struct {
	Points []float64 // oldest first, evenly spaced
	Bars   bool      // counts a day rather than a level
	Target *float64  // drawn as a dashed line; nil: none
	Words  string    // for who can't see it: "30 days, between 0 and 3"; empty: "trend"
}

const sparkW, sparkH = 116.0, 40.0

func spark(t Trend) template.HTML {
	var d drawing
	words := t.Words
	if words == "" {
		words = "trend"
	}
	d.open("svg", "class", "sparkline", "viewBox", "0 0 116 40", "role", "img", "aria-label", Visible(words))
	pts := finite(t.Points)
	if len(pts) < 2 {
		d.el("line", "", "class", "none", "x1", "0", "y1", "34", "x2", "116", "y2", "34")
		d.WriteString("</svg>")
		return d.html()
	}
	lo, hi := pts[0], pts[0]
	grow := func(v float64) { lo, hi = math.Min(lo, v), math.Max(hi, v) }
	for _, p := range pts {
		grow(p)
	}
	if t.Target != nil && !math.IsNaN(*t.Target) && !math.IsInf(*t.Target, 0) {
		grow(*t.Target)
	}
	if t.Bars {
		grow(0)
	}
	span := hi - lo
	y := func(v float64) float64 {
		if span == 0 {
			return sparkH / 2
		}
		return 36 - (v-lo)/span*32
	}
	if t.Target != nil {
		ty := f1(y(*t.Target))
		d.el("line", "", "class", "t", "x1", "0", "y1", ty, "x2", "116", "y2", ty)
	}
	if t.Bars {
		step := sparkW / float64(len(pts))
		for i, p := range pts {
			class := "b"
			if i == len(pts)-1 {
				class = "b last"
			}
			top := math.Min(y(p), 35)
			d.el("rect", "", "class", class, "x", f1(float64(i)*step), "y", f1(top), "width", f1(math.Max(step-1.5, .8)), "height", f1(36-top))
		}
	} else {
		line, step := "", sparkW/float64(len(pts)-1)
		for i, p := range pts {
			cmd := "L%s %s"
			if i == 0 {
				cmd = "M%s %s"
			}
			line += path(cmd, float64(i)*step, y(p))
		}
		d.el("path", "", "class", "l", "d", line)
		d.el("circle", "", "class", "e", "cx", "116", "cy", f1(y(pts[len(pts)-1])), "r", "3")
	}
	d.WriteString("</svg>")
	return d.html()
}

func finite(in []float64) []float64 {
	out := make([]float64, 0, len(in))
	for _, v := range in {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out = append(out, v)
		}
	}
	return out
}
