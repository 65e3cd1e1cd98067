package ui

import (
	"html/template"
	"io"
	"math/bits"
	"time"

	"vigil/internal/untrusted"
)

// OversightPage is the record of decisions and who watches it.
type OversightPage struct {
	Frame
	Filter   Filter
	Rows     []EntryRow
	Pager    Pager
	Tree     Tree
	Policy   string // fingerprint of the witness policy, hex; empty: none, and the page says so
	Refusals Count  // in the shown time
	Declared string // when the record can't be shown to be whole: why; empty: it can
}

// EntryRow is one entry of the record.
type EntryRow struct {
	Seq     int64
	At      time.Time
	Actor   string // name where this reader may know it, else the pseudonym
	Action  string // "changed state", "refused: approve own proposal"
	Subject Ref
	Purpose string
	Receipt string // "witnessed", "pending", "unwitnessed", "broken"
	Refused bool   // the entry records a refusal; highlighted
}

// Tree is the picture of checkpoint and witnesses.
type Tree struct {
	Size      int64     // entries under the checkpoint
	Root      string    // of the checkpoint, hex or base64
	At        time.Time // of the checkpoint; zero: none yet
	Origin    string
	Witnesses []WitnessRow
	Waiting   int64 // entries not yet under a checkpoint
}

// WitnessRow is one witness.
type WitnessRow struct {
	Name  string
	OK    bool // its cosignature is fresh by policy
	At    time.Time
	Note  string // "rehearsal, same machine"; "not reached since 20:10Z"
	Entry int64  // size that it last signed
}

// Oversight writes the record.
func Oversight(w io.Writer, p OversightPage) error {
	if p.Title == "" {
		p.Title = "Oversight"
	}
	p.At = PlaceOversight
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"entry", "entries"}
	}
	return render(w, "oversight", p)
}

// EntryPage is one entry of the record.
type EntryPage struct {
	Frame
	Row         EntryRow
	Code        string // coarse action type of the leaf
	Pseudonym   string // of the actor, as in the leaf
	PolicyID    string
	Basis       string // legal or policy basis in words; empty: none was named
	Commitments []Commitment
	Leaf        string // hash of the leaf, hex
	Proof       Proof
	Redacted    string // why content and salt were destroyed; empty: they were not
	Prev, Next  int64  // neighbouring entries; 0: none
}

// Commitment is one field of a leaf: what the tree holds, and its content where this reader may open it.
type Commitment struct {
	Field string
	Hash  string         // hex
	Open  bool           // content and salt were given and match the hash
	Value untrusted.Text // when Open
	Salt  string         // hex, when Open
}

// Proof is the receipt.
type Proof struct {
	State      string // "witnessed", "pending", "unwitnessed", "broken"
	Index      int64
	Size       int64
	Root       string
	Path       []string // inclusion proof, from the leaf up, hex
	Checkpoint string   // text of the signed note; empty: none yet
	Witnesses  []WitnessRow
	Href       string // download; empty: EntryURL + "/receipt"
	Trouble    string // why it does not verify; empty: it does, or nothing is there to verify
}

// Entry writes the page of one entry.
func Entry(w io.Writer, p EntryPage) error {
	if p.Title == "" {
		p.Title = "Entry " + thousands(p.Row.Seq)
	}
	if p.Proof.Href == "" {
		p.Proof.Href = EntryURL(p.Row.Seq, "/receipt")
	}
	p.At, p.PaperID = PlaceOversight, "entry "+thousands(p.Row.Seq)
	return render(w, "entry", p)
}

// treePicture draws the log as it is: a size is a sum of powers of two, each a perfect subtree, joined under one root that witnesses sign.
func treePicture(t Tree) template.HTML {
	const wide, base = 1080.0, 116.0
	high := max(140, 30+float64(len(t.Witnesses))*44)
	var d drawing
	d.open("svg", "class", "tree", "viewBox", "0 0 "+f1(wide)+" "+f1(high), "role", "img", "aria-label",
		"a tree of "+thousands(t.Size)+" entries under one root, signed by "+thousands(int64(len(t.Witnesses)))+" witnesses")
	rootX, rootY := 250.0, 22.0
	type peak struct {
		size int64
		x    float64
		w, h float64
	}
	var peaks []peak
	x := 6.0
	n := bits.OnesCount64(uint64(max(t.Size, 0)))
	for left := uint64(max(t.Size, 0)); left > 0; {
		p := uint64(1) << (bits.Len64(left) - 1)
		left -= p
		level := float64(bits.Len64(p) - 1)
		w := min(22+level*9, 480/float64(max(n, 1))-8)
		peaks = append(peaks, peak{int64(p), x + w/2, w, 8 + min(level, 16)*3.4})
		x += w + 10
	}
	if len(peaks) > 0 {
		rootX = max((peaks[0].x+x)/2, 60)
	}
	for _, p := range peaks {
		top := base - p.h
		d.el("path", "", "class", "br", "d", path("M%s %sC%s %s %s %s %s %s", rootX, rootY, rootX, rootY+18, p.x, top-22, p.x, top))
		d.el("path", "", "class", "peak", "d", path("M%s %sL%s %sH%sz", p.x, top, p.x+p.w/2, base, p.x-p.w/2))
		if label := thousands(p.size); textWidth(label) < p.w+8 {
			d.text("ty", p.x, base+15, label, "text-anchor", "middle")
		}
	}
	if len(peaks) == 0 {
		d.text("ty", 6, base+15, "no entry yet")
	}
	d.el("circle", "", "class", "root", "cx", f1(rootX), "cy", f1(rootY), "r", "5")
	d.text("nm", rootX+12, rootY-4, thousands(t.Size)+" entries, one root")
	d.text("h", rootX+12, rootY+11, fit(Visible(t.Root), 190))
	for i, w := range t.Witnesses {
		y := 10 + float64(i)*44
		class, mark, said := "box ok", "okf", "signed "+thousands(w.Entry)
		if !w.OK {
			class, mark, said = "box no", "nof", "not fresh"
		}
		if !w.At.IsZero() {
			said += " at " + w.At.UTC().Format(stampForm)
		}
		d.el("path", "", "class", "br", "d", path("M%s %sH560C%s %s %s %s %s %s", rootX+6, rootY, 620, rootY, 640, y+18, 690, y+18))
		d.el("rect", "", "class", class, "x", "690", "y", f1(y+.5), "width", "384", "height", "36", "rx", "3")
		if w.OK {
			d.el("circle", "", "class", mark, "cx", "706", "cy", f1(y+18), "r", "5")
		} else {
			d.el("path", "", "class", mark, "d", path("M%s %sl6 6-6 6-6-6z", 706, y+12))
		}
		name := Visible(w.Name)
		if w.Note != "" {
			name += " · " + Visible(w.Note)
		}
		d.text("nm", 722, y+15, fit(name, 345))
		d.text("ty", 722, y+30, fit(Visible(said), 345))
	}
	if len(t.Witnesses) == 0 {
		d.text("nof", 690, 30, "no witness: a rewrite would go unnoticed")
	}
	d.WriteString("</svg>")
	return d.html()
}
