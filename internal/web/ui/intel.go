package ui

import (
	"io"
	"time"

	"vigil/internal/untrusted"
)

// IntelligencePage is the way into the knowledge base.
type IntelligencePage struct {
	Frame
	Total     Count
	Types     []TypeCount
	Latest    []Hit // what came or changed last
	Imports   []ImportRow
	CanImport bool
	CanExport bool
	Sources   []Option // whom an import can be booked to
}

// TypeCount is how many objects of a type this reader may see.
type TypeCount struct {
	Type  string // "attack-pattern"
	Count Count
}

// ImportRow is one import in the list.
type ImportRow struct {
	ID      string
	Name    untrusted.Text // file name
	By      string
	Source  string
	At      time.Time
	State   string // "running", "done", "stopped"
	Done    int64  // objects dealt with
	Total   int64  // 0: not known yet
	Refused int64
}

// Intelligence writes the home of the knowledge base.
func Intelligence(w io.Writer, p IntelligencePage) error {
	if p.Title == "" {
		p.Title = "Intelligence"
	}
	p.At = PlaceIntelligence
	return render(w, "intelligence", p)
}

// Hit is one object in a list or a search result.
type Hit struct {
	ID       string
	Type     string
	Name     untrusted.Text // never empty: the value, the pattern or the id stands in
	Alias    string         // external id, "T1003.001"; may be empty
	Snippet  []Snip         // where the words were found; may be empty
	Modified time.Time
	Marking  Marking
	Source   string
	Href     string // when it is no knowledge-base object (an incident, an entry): its address; empty: ObjectURL(ID)
}

// Snip is a piece of a snippet; Hit says that it matched.
type Snip struct {
	Text untrusted.Text
	Hit  bool
}

// SearchPage is the answer to a search, or the list of one type.
type SearchPage struct {
	Frame
	Asked   string // in words, as it was understood: "credential dump, type attack-pattern"
	Type    string // when listing one type; empty: a search
	Filter  Filter
	Hits    []Hit
	Pager   Pager
	Partial string // why the answer may be incomplete; empty: it is not
}

// Search writes results.
func Search(w io.Writer, p SearchPage) error {
	if p.Title == "" {
		p.Title = "Search"
		if p.Type != "" {
			p.Title = upperFirst(plainWord(p.Type))
		}
	}
	p.At = PlaceIntelligence
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"result", "results"}
	}
	return render(w, "search", p)
}

// ObjectPage is one object of the knowledge base.
type ObjectPage struct {
	Frame
	ID        string
	Type      string
	Name      untrusted.Text
	Alias     string // external id
	About     untrusted.Text
	Facts     []Fact
	MarkingOf Marking
	Marked    Why
	Created   time.Time
	Modified  time.Time
	Revoked   bool
	Source    string // whose object it is
	Relations []RelationGroup
	Hidden    bool // true: some relations lead to what is not shown; never set it to a count
	Graph     Graph
	Sightings []Sighting
	Claims    []Claim
	History   []Change
	JSON      untrusted.Text // the bytes as stored, indented for reading
	RawHref   string         // where the bytes themselves are; empty: ObjectURL + "/raw"
	Actions   []Action
}

// Fact is one line of an object.
type Fact struct {
	Name  string // "Pattern", "Valid until"
	Value untrusted.Text
	Words string // for values of ours; used when Value is empty
	When  time.Time
	Why   Why
}

// RelationGroup is all relations of one verb in one direction.
type RelationGroup struct {
	Verb     string // "uses", "indicates"
	Incoming bool   // the others point at this object
	Rows     []Relation
	Total    Count
	More     string // address of the rest; empty: all are here
}

// Relation is one neighbour.
type Relation struct {
	ID, Type string
	Name     untrusted.Text
	Alias    string
	Note     untrusted.Text // the relation's own description
	Marking  Marking
	Doubtful bool // an assessed sameness, or low confidence
}

// Sighting is one time that somebody saw it.
type Sighting struct {
	By      string
	Count   int64
	First   time.Time
	Last    time.Time
	Where   untrusted.Text
	Finding Ref
	Marking Marking
}

// Claim is who says so: one source's version line.
type Claim struct {
	Source      string
	Reliability string // "B2"; empty: not rated
	Version     time.Time
	Versions    int    // 0: not counted
	Confidence  string // in words of the source; empty: not said
	Shown       bool   // the version on this page
}

// Object writes the page of one object.
func Object(w io.Writer, p ObjectPage) error {
	if p.Title == "" {
		p.Title = p.Name.Title(160)
	}
	if p.RawHref == "" {
		p.RawHref = ObjectURL(p.ID, "/raw")
	}
	if p.Graph.Self == "" {
		p.Graph = graphOf(p)
	}
	p.At, p.PaperID, p.Sections = PlaceIntelligence, p.ID, nil
	n := 0
	for _, g := range p.Relations {
		n += len(g.Rows)
	}
	p.section("facts", "Facts", 0)
	p.section("relations", "Relations", n)
	p.section("sightings", "Sightings", len(p.Sightings))
	p.section("claims", "Who says so", len(p.Claims))
	p.section("history", "History", len(p.History))
	p.section("json", "As stored", 0)
	return render(w, "object", p)
}

// ImportPage is one import with what became of each object.
type ImportPage struct {
	Frame
	Progress ImportProgress
	Filter   Filter
	Verdicts []Verdict
	Pager    Pager
}

// ImportProgress is the part of an import's page that renews itself.
type ImportProgress struct {
	ID       string
	Name     untrusted.Text
	Source   string
	State    string // "running", "done", "stopped"
	Trouble  string // why it stopped; empty: nothing
	Done     int64
	Total    int64 // 0: not known yet
	Bytes    int64
	Added    int64
	Newer    int64 // a newer version of what was there
	Same     int64 // already there, byte for byte
	Refused  int64
	Started  time.Time
	Took     time.Duration // so far, or in all
	Now      time.Time     // filled by Import
	PollHref string        // filled from ID
}

// Verdict is what became of one object.
type Verdict struct {
	N      int64 // place in the bundle, from 1
	ID     untrusted.Text
	What   string // "added", "newer version", "already there", "refused"
	Reason string // when refused: where and why
}

// Import writes the page of one import.
func Import(w io.Writer, p ImportPage) error {
	if p.Title == "" {
		p.Title = "Import"
	}
	p.At = PlaceIntelligence
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"verdict", "verdicts"}
	}
	p.Progress.Now, p.Progress.PollHref = p.Now, ImportURL(p.Progress.ID, "/progress")
	return render(w, "import", p)
}

// ImportStatus writes the fragment that an import's page asks for every second while it runs.
func ImportStatus(w io.Writer, p ImportProgress) error {
	p.PollHref = ImportURL(p.ID, "/progress")
	return render(w, "progress", p)
}
