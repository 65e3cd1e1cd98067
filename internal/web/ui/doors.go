package ui

import (
	"io"
	"net/http"
)

// LoginPage is the door. Only Now, Theme, CSRF, Exercise, Rehearse and Problem of its frame are used.
type LoginPage struct {
	Frame
	Name      string       // what was typed before
	Wrong     string       // why it was not accepted, in words that don't say which half was wrong; empty: first try
	Next      string       // where to go afterwards
	Passkeys  bool         // offer a passkey
	PassToken string       // sent as X-CSRF-Token with the passkey's two calls; may be empty
	Demo      []DemoPerson // the exercise's people, each a button; empty: no demo
}

// DemoPerson is somebody of the exercise to log in as.
type DemoPerson struct {
	ID, Name, Role, Body string
	For                  string // what there is to see as them
}

// Login writes the door.
func Login(w io.Writer, p LoginPage) error {
	if p.Title == "" {
		p.Title = "Log in"
	}
	p.Marking = doorMarking
	return render(w, "login", p)
}

// SetupPage makes the first administrator.
type SetupPage struct {
	Frame
	Token   string // of the one-time link
	Name    string // typed before
	Login   string
	Wrong   map[string]string // by field: "name", "login", "password", "again"
	Invalid bool              // the link was used, or is no link of this server
}

// Setup writes the first-run page.
func Setup(w io.Writer, p SetupPage) error {
	if p.Title == "" {
		p.Title = "Set up"
	}
	p.Marking = doorMarking
	return render(w, "setup", p)
}

// doorMarking marks pages that hold nothing.
var doorMarking = Marking{TLP: "CLEAR"}

// ErrorPage says what happened, what is safe and what to do. For 404 the page is the same whether a thing is absent or hidden.
type ErrorPage struct {
	Frame
	Status int // HTTP status
	What   Problem
	Back   string // where to go; empty: the situation
}

// Error writes an error page; its status is the handler's to send. Status 404 shows fixed words, whatever the model says.
func Error(w io.Writer, p ErrorPage) error {
	if p.Status == http.StatusNotFound {
		p = ErrorPage{Frame: p.Frame, Status: p.Status, What: Problem{What: "There is nothing here for you",
			Safe: "Nothing was changed.",
			Do:   "Check the address, or search for it. If somebody sent you the link, ask them what you need to see it."}}
		p.Problem, p.Query, p.Path, p.Sections, p.Toast = nil, "", "", nil, nil
	}
	if p.What.What == "" {
		p.What.What = "Something went wrong on our side"
	}
	p.Title = p.What.What
	if p.Back = safeHref(p.Back); p.Back == "" {
		p.Back = "/"
	}
	return render(w, "error", p)
}

// NotBuiltPage stands in a place whose function is not in this edition.
type NotBuiltPage struct {
	Frame
	Place Place
}

var notBuilt = map[Place]struct{ will, meanwhile string }{
	PlaceStrategy:    {"The strategy in force with its versions and approvals, objectives with the measures that operations deliver, milestones, units and budget.", "Stages already keep what will be measured: findings, incidents, clocks and releases are on the record with their times."},
	PlaceAttribution: {"Assessments with competing hypotheses: evidence in columns, ratings, what the answer rests on, and dissent.", "Incidents collect the evidence, and intelligence says which sources claim what."},
	PlaceDecisions:   {"Counter-steps as decision sheets: what is proposed, on what basis, how sure, what could go wrong, and whose approvals are given or missing.", "Incidents carry tasks and notes; every change is on the record."},
	PlacePartners:    {"Partners, agreements and what was released to whom; joint texts and requests for assistance.", "Markings already bound who may read what; nothing leaves without a release."},
}

// NotBuilt writes it.
func NotBuilt(w io.Writer, p NotBuiltPage) error {
	name := "This place"
	for _, x := range Places {
		if x.Place == p.Place {
			name = x.Name
		}
	}
	p.At, p.Title = p.Place, name
	text := notBuilt[p.Place]
	return render(w, "notbuilt", struct {
		NotBuiltPage
		Will, Meanwhile string
	}{p, text.will, text.meanwhile})
}
