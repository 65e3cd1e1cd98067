package ui

import (
	"html/template"
)

// Graph is an object with its neighbours: those that point at it on the left, those it points at on the right.
type Graph struct {
	Self     string // name in the middle
	SelfType string
	In, Out  []GraphNode // grouped by verb, in order
	MoreIn   int64       // left out here, in the table
	MoreOut  int64
}

// GraphNode is a neighbour in the picture.
type GraphNode struct {
	Verb, Name, Type, Href string
	Doubtful               bool
}

// graphSide is how many neighbours a side shows; the rest stands in the table.
const graphSide = 12

// graphOf makes the picture of an object's relations.
func graphOf(p ObjectPage) Graph {
	g := Graph{Self: p.Name.Title(160), SelfType: p.Type}
	share := func(incoming bool) int { // rows a group may take so that every verb is seen
		n := 0
		for _, r := range p.Relations {
			if r.Incoming == incoming && len(r.Rows) > 0 {
				n++
			}
		}
		return max(graphSide/max(n, 1), 1)
	}
	in, out := share(true), share(false)
	for _, r := range p.Relations {
		side, limit, more := &g.Out, out, &g.MoreOut
		if r.Incoming {
			side, limit, more = &g.In, in, &g.MoreIn
		}
		shown := 0
		for _, n := range r.Rows {
			if shown == limit || len(*side) == graphSide {
				break
			}
			*side = append(*side, GraphNode{r.Verb, n.Name.Title(160), n.Type, ObjectURL(n.ID), n.Doubtful})
			shown++
		}
		*more += max(r.Total.N, int64(len(r.Rows))) - int64(shown)
	}
	return g
}

// graphPicture draws it. Columns rather than a ring: names stay readable and never overlap.
func graphPicture(g Graph) template.HTML {
	const wide, row, verb, boxW, top = 1080.0, 26.0, 20.0, 270.0, 6.0
	column := func(nodes []GraphNode) float64 {
		h, last := top, ""
		for i, n := range nodes {
			if i == 0 || n.Verb != last {
				h += verb
			}
			h, last = h+row, n.Verb
		}
		return h
	}
	high := max(column(g.In), column(g.Out), 96) + 22
	mid := (high - 16) / 2
	var d drawing
	d.open("svg", "class", "graph", "viewBox", "0 0 "+f1(wide)+" "+f1(high), "role", "img", "aria-label", "relations as a picture")
	const selfW = 232.0
	self0, self1 := (wide-selfW)/2, (wide+selfW)/2
	side := func(nodes []GraphNode, left bool, more int64) {
		y, last := top+(high-22-column(nodes))/2, ""
		x, edge0, edge1 := wide-boxW, self1, wide-boxW
		if left {
			x, edge0, edge1 = 0, self0, boxW
		}
		for i, n := range nodes {
			if i == 0 || n.Verb != last {
				y += verb
				d.text("verb", x+2, y-6, fit(Visible(n.Verb), boxW-10))
				last = n.Verb
			}
			class, cy := "edge", y+row/2-1
			if n.Doubtful {
				class = "edge doubt"
			}
			bend := (edge1 - edge0) * .5
			d.el("path", "", "class", class, "d", path("M%s %sC%s %s %s %s %s %s", edge0, mid, edge0+bend, mid, edge1-bend, cy, edge1, cy))
			href := safeHref(n.Href)
			if href != "" {
				d.open("a", "href", href)
			}
			d.el("title", esc(n.Name+", "+plainWord(n.Type)))
			d.el("rect", "", "class", "node", "x", f1(x+.5), "y", f1(y+.5), "width", f1(boxW-1), "height", f1(row-5), "rx", "3")
			typ := plainWord(Visible(n.Type))
			tw := min(textWidth(typ), 110)
			d.text("nm", x+8, y+14.5, fit(Visible(n.Name), boxW-26-tw))
			d.text("ty", x+boxW-8, y+14.5, fit(typ, 112), "text-anchor", "end")
			if href != "" {
				d.WriteString("</a>")
			}
			y += row
		}
		if more > 0 {
			d.text("ty", x+2, high-4, "and "+thousands(more)+" more in the table")
		}
	}
	side(g.In, true, g.MoreIn)
	side(g.Out, false, g.MoreOut)
	d.el("rect", "", "class", "self", "x", f1(self0), "y", f1(mid-21), "width", f1(selfW), "height", "42", "rx", "4")
	d.text("nm", wide/2, mid-2, fit(Visible(g.Self), selfW-20), "text-anchor", "middle")
	d.text("ty", wide/2, mid+13, fit(plainWord(Visible(g.SelfType)), selfW-20), "text-anchor", "middle")
	d.WriteString("</svg>")
	return d.html()
}
