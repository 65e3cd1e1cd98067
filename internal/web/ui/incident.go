package ui

import (
	"io"
	"sort"
	"time"

	"vigil/internal/untrusted"
)

// IncidentPage is one case: the heart of the product.
type IncidentPage struct {
	Frame
	ID      string // object id, for addresses
	Ref     string // "INC-0062"
	Name    string // the title, in words of ours
	Opened  Line   // how and when it came about: "opened by correlation 14 min ago from 3 findings on 4 hosts"
	Version string // sent with every change, so that two people don't overwrite each other

	State       string // in words: "triage"
	Next        []Transition
	Severity    string
	Severities  []string // what it can be set to; empty: the five
	SeverityWhy Why
	Owner       string // empty: nobody
	OwnerIsYou  bool
	Clocks      []Clock
	MarkingOf   Marking // effective label of this incident; Frame.Marking is that of the whole page
	MarkingWhy  Why
	NeedToKnow  []PersonRef // who may read it
	NeedWhy     Why

	Primary *Action  // the next sensible step, the one filled button; nil: none
	Actions []Action // others, under "More"
	Locked  string   // why nothing can be changed by this reader ("closed", "you may read only"); empty: forms are shown

	Timeline    Timeline
	Narrative   []Line // what we know, a paragraph each
	NarrativeBy string // who wrote it last; empty: not said
	NarrativeAt time.Time
	Tasks       []Task
	Notes       []Note
	Evidence    []Evidence
	Entities    []Entity
	Observables []Observable
	ObsTypes    []string // types that can be added by hand: "domain-name", "ipv4-addr" …
	Findings    []FindingRow
	History     []Change
	Custodians  []Option // whom evidence can be handed to
}

// Transition is a state an incident can go to.
type Transition struct {
	To     string // machine name, sent
	Label  string // the imperative: "Contain"
	Effect string // exactly what will happen
	Reason bool   // cannot be undone: asks for a typed reason
}

// Clock is a duty with a deadline.
type Clock struct {
	Name  string // "Harbour’s 24 h notice"
	State string // "not started", "running", "met", "late"
	Due   time.Time
	Note  string // "starts with intake"; shown when not started
}

// Tone of a clock: late is bad, running is a warning once less than a quarter of a day is left.
func (c Clock) tone(now time.Time) Tone {
	switch {
	case c.State == "late" || c.State == "running" && !c.Due.IsZero() && c.Due.Before(now):
		return Bad
	case c.State == "running":
		return Warn
	case c.State == "met":
		return Good
	}
	return ""
}

// PersonRef names a person and why they stand here.
type PersonRef struct {
	ID, Name, Role, Body string
}

// Task is one thing to do.
type Task struct {
	ID   string
	Text string
	Note string // "you, now", "Harbour decides"
	Done bool
}

// Note is what a person wrote down.
type Note struct {
	By   string
	At   time.Time
	Text string
}

// Evidence is one item with its chain of custody.
type Evidence struct {
	ID       string
	Name     untrusted.Text // file name or description of the item
	Original bool           // false: a copy
	Size     int64          // bytes; 0 with an empty hash: a physical item
	SHA256   string         // hex
	Marking  Marking
	Holder   string // who has it now
	Place    string
	Custody  []Custody // oldest first
	Offer    *Offer    // a transfer that waits for the other party; nil: none
	CanOffer bool      // you hold it and may hand it on
	CanFetch bool      // you may download the file
}

// Custody is one entry of the chain.
type Custody struct {
	At       time.Time
	What     string // "taken in", "handed over", "refused", "sealed", "copied", "examined"
	From, To string // parties; To empty when it stayed
	Place    string
	Purpose  string
	Tool     string // with version
	Seal     string
	Open     bool // waits for the second party
	Refused  bool
}

// Offer is a transfer that one party proposed.
type Offer struct {
	From, To  string
	At        time.Time
	Seal      string
	CanAnswer bool // you are the receiving party
}

// Entity is a host, account or service in the case.
type Entity struct {
	Kind string // "host", "account"
	Name untrusted.Text
	Role string // "first foothold"; may be empty
	N    int64  // findings
	Ref  Ref    // more about it; zero: none
}

// Observable is a value seen in the case.
type Observable struct {
	Type    string // "domain-name"
	Value   untrusted.Text
	From    string // "2 sources", "added by hand"
	Marking Marking
	Href    string // its object; empty: none
}

// Change is one entry of an object's history.
type Change struct {
	At     time.Time
	By     string
	Act    string // "changed state", "added evidence"
	Reason string
	Seq    int64 // of its entry in the record; 0: not shown
	Diff   []FieldDiff
}

// FieldDiff is one field before and after.
type FieldDiff struct {
	Field       string
	Before, Now untrusted.Text // empty: was not there, is no longer there
}

// incidentView adds what the template needs and no handler fills.
type incidentView struct {
	IncidentPage
	ClockRows []clockRow
	MarkRows  []markRow
	Tactics   []tacticName
}

type clockRow struct {
	Clock
	Tone Tone
}

type markRow struct {
	Mark
	Where untrusted.Text
}

type tacticName struct {
	N    int
	Name string
}

// Incident writes the page of one case.
func Incident(w io.Writer, p IncidentPage) error {
	if p.Title == "" {
		p.Title = p.Name
	}
	if len(p.Severities) == 0 {
		p.Severities = []string{"critical", "high", "medium", "low", "informational"}
	}
	p.At, p.PaperID, p.Sections = PlaceIncidents, p.Ref, nil
	p.section("timeline", "Timeline", 0)
	p.section("known", "What we know", 0)
	p.section("tasks", "Tasks", len(p.Tasks))
	p.section("findings", "Findings", len(p.Findings))
	p.section("observables", "Observables", len(p.Observables))
	p.section("entities", "Entities", len(p.Entities))
	p.section("evidence", "Evidence", len(p.Evidence))
	p.section("notes", "Notes", len(p.Notes))
	p.section("history", "History", len(p.History))
	v := incidentView{IncidentPage: p}
	for _, c := range p.Clocks {
		v.ClockRows = append(v.ClockRows, clockRow{c, c.tone(p.Now)})
	}
	v.MarkRows, v.Tactics = markTable(p.Timeline)
	return render(w, "incident", v)
}

// markTable gives the picture's table, oldest first, and the tactics that occur in their order.
func markTable(t Timeline) ([]markRow, []tacticName) {
	var rows []markRow
	names := map[int]string{}
	for _, m := range t.Marks {
		r := markRow{Mark: m}
		if m.Lane >= 0 && m.Lane < len(t.Lanes) {
			r.Where = untrusted.New(t.Lanes[m.Lane])
		}
		rows = append(rows, r)
		if m.TacticAs != "" {
			names[m.Tactic] = m.TacticAs
		}
	}
	sort.SliceStable(rows, func(a, b int) bool { return rows[a].At.Before(rows[b].At) })
	var tactics []tacticName
	for n, name := range names {
		tactics = append(tactics, tacticName{max(0, min(n, 14)), name})
	}
	sort.Slice(tactics, func(a, b int) bool {
		if tactics[a].N != tactics[b].N {
			return tactics[a].N < tactics[b].N
		}
		return tactics[a].Name < tactics[b].Name
	})
	return rows, tactics
}
