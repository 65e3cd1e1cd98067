package ui

import (
	"io"
	"time"
)

// IncidentsPage is the list of cases.
type IncidentsPage struct {
	Frame
	Filter Filter
	Rows   []IncidentRow
	Pager  Pager
	Bulk   Bulk
}

// IncidentRow is one case in the list.
type IncidentRow struct {
	ID       string // object id, for addresses
	Ref      string // short name: "INC-0062"
	Name     string
	State    string // in words: "triage", "contain"
	Severity string
	Owner    string // empty: nobody
	Opened   time.Time
	Last     time.Time // last finding or change
	Findings Count
	Hosts    int
	Clock    string    // the tightest clock in words: "Harbour's 24 h notice"; empty: none runs
	Due      time.Time // when it ends
	Marking  Marking
	Closed   bool // shown greyed
}

// Incidents writes the list of cases.
func Incidents(w io.Writer, p IncidentsPage) error {
	if p.Title == "" {
		p.Title = "Incidents"
	}
	p.At = PlaceIncidents
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"incident", "incidents"}
	}
	return render(w, "incidents", p)
}

// NewsBar writes the fragment that a live stream sends as event "news".
func NewsBar(w io.Writer, n News) error {
	if n.N <= 0 {
		return nil
	}
	return render(w, "news", n)
}
