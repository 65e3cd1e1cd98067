package ui

import (
	"fmt"
	"html/template"
	"io"
	"sort"
	"time"

	"vigil/internal/untrusted"
	"vigil/internal/web/assets"
)

// HuntReport is the result of a hunt over files as one document that needs nothing beside it.
type HuntReport struct {
	Title    string // empty: "Hunt"
	Made     time.Time
	By       string // program and version: "vigil 0.1"
	Took     time.Duration
	Marking  Marking
	Events   int64
	Bytes    int64
	From, To time.Time // first and last event; zero: none
	Loaded   int64     // rules loaded
	Rules    int64     // rules found
	Intel    int64     // indicators loaded
	Findings []HuntFinding
	More     int64 // findings that the report leaves out; they are in the CSV
	Timeline Timeline
	Matrix   []Tactic
	Refused  []RefusedRule
	Files    []FileStats
	Trouble  []string // what was not read or not understood, a sentence each
}

// HuntFinding is one finding of a hunt.
type HuntFinding struct {
	Severity   string
	Title      string
	Rule       string // file or id of the rule
	By         string // "rule", "indicator"
	Entity     untrusted.Text
	Events     Count
	First      time.Time
	Last       time.Time
	Techniques []Technique
	Proof      []ProvingEvent // a few
}

// Tactic is a column of the ATT&CK matrix, in the order of tactics.
type Tactic struct {
	Name  string
	Cells []Cell
}

// Cell is a technique: how many findings, and whether any loaded rule looks for it.
type Cell struct {
	ID, Name string
	Findings int64
	Seen     bool // some loaded rule or indicator looks for it
}

// FileStats is what became of one file.
type FileStats struct {
	Name     untrusted.Text
	Kind     string // "JSON lines, gzip"
	Events   int64
	Bytes    int64
	Findings int64
	Bad      int64 // lines that were refused
	Why      string
	Took     time.Duration
}

type matrixView struct {
	Tactic
	Cells []heatCell
	Hit   int
}

type heatCell struct {
	Cell
	Heat int // 0: nothing, to 4
}

func heat(cells []Tactic) []matrixView {
	var most int64 = 1
	for _, t := range cells {
		for _, c := range t.Cells {
			most = max(most, c.Findings)
		}
	}
	out := make([]matrixView, 0, len(cells))
	for _, t := range cells {
		v := matrixView{Tactic: t}
		for _, c := range t.Cells {
			if !c.Seen && c.Findings <= 0 {
				continue
			}
			h := heatCell{Cell: c}
			switch {
			case c.Findings <= 0:
			case c.Findings*8 <= most:
				h.Heat = 1
			case c.Findings*4 <= most:
				h.Heat = 2
			case c.Findings*2 <= most:
				h.Heat = 3
			default:
				h.Heat = 4
			}
			if c.Findings > 0 {
				v.Hit++
			}
			v.Cells = append(v.Cells, h)
		}
		out = append(out, v)
	}
	return out
}

type sevCount struct {
	Name string
	N    int64
}

// sevBar draws the shares of severities as one bar.
func sevBar(counts []sevCount) template.HTML {
	var d drawing
	var total int64
	for _, c := range counts {
		total += c.N
	}
	d.open("svg", "viewBox", "0 0 1000 10", "preserveAspectRatio", "none", "role", "img", "aria-label", "findings by severity")
	x := 0.0
	for _, c := range counts {
		if c.N == 0 {
			continue
		}
		w := float64(c.N) / float64(max(total, 1)) * 1000
		d.el("rect", "", "class", "s-"+sevClass(c.Name), "x", f1(x), "y", "0", "width", f1(max(w-2, 1)), "height", "10")
		x += w
	}
	d.WriteString("</svg>")
	return d.html()
}

// WriteHuntReport writes the report: style inlined, no script, nothing loaded.
func WriteHuntReport(w io.Writer, r HuntReport) error {
	if r.Title == "" {
		r.Title = "Hunt"
	}
	found := append([]HuntFinding(nil), r.Findings...)
	sort.SliceStable(found, func(a, b int) bool {
		if x, y := sevRank(found[a].Severity), sevRank(found[b].Severity); x != y {
			return x > y
		}
		return found[a].Last.After(found[b].Last)
	})
	r.Findings = found
	counts := []sevCount{{"critical", 0}, {"high", 0}, {"medium", 0}, {"low", 0}, {"informational", 0}, {"unknown", 0}}
	for _, f := range found {
		counts[5-sevRank(f.Severity)].N++
	}
	marks, tactics := markTable(r.Timeline)
	return render(w, "hunt", struct {
		HuntReport
		Style   template.CSS
		Class   string
		Words   string
		Means   string
		Counts  []sevCount
		Bar     template.HTML
		Heat    []matrixView
		Marks   []markRow
		Tactics []tacticName
		Refuse  string
	}{r, template.CSS(assets.ReportStyle()), r.Marking.class(), r.Marking.words(), r.Marking.meaning(), counts, sevBar(counts), heat(r.Matrix), marks, tactics,
		fmt.Sprintf("%s of %s", thousands(r.Rules-r.Loaded), thousands(r.Rules))})
}
