package ui

import (
	"io"
	"time"

	"vigil/internal/untrusted"
)

// PeoplePage lists people and the bodies they belong to.
type PeoplePage struct {
	Frame
	Bodies []BodyRow
	People []PersonRow
	Filter Filter
	Pager  Pager
}

// BodyRow is an organisation.
type BodyRow struct {
	ID      string
	Name    string
	Kind    string // "own", "constituent", "partner", "overseer"
	Ceiling string // release ceiling as a TLP level; empty: none agreed
	People  int
}

// PersonRow is a person in the list.
type PersonRow struct {
	ID       string
	Name     string
	Body     string
	Roles    []string
	Passkeys int
	Last     time.Time // last seen; zero: never
	Disabled bool
}

// People writes the list.
func People(w io.Writer, p PeoplePage) error {
	if p.Title == "" {
		p.Title = "People and bodies"
	}
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"person", "people"}
	}
	return render(w, "people", p)
}

// PersonPage is one person.
type PersonPage struct {
	Frame
	Row      PersonRow
	Login    string
	Grants   []Grant
	Keys     []Passkey
	Sessions []Session
	IsYou    bool
	CanEnd   bool // you may end sessions and remove passkeys
	History  []Change
}

// Grant is a role and where it holds.
type Grant struct {
	Role  string
	Scope string // "everything", "incident INC-0062"; empty: everywhere in the body
	By    string
	Since time.Time
	Until time.Time // zero: open-ended
	May   []string  // what it allows, in words
}

// Passkey is a registered authenticator.
type Passkey struct {
	ID       string
	Name     string
	Added    time.Time
	LastUsed time.Time
}

// Session is a log-in.
type Session struct {
	ID      string
	Device  untrusted.Text // browser's description
	Address untrusted.Text
	Since   time.Time
	Last    time.Time
	Current bool
}

// Person writes the page of one person.
func Person(w io.Writer, p PersonPage) error {
	if p.Title == "" {
		p.Title = p.Row.Name
	}
	return render(w, "person", p)
}

// SourcesPage is the register of log sources.
type SourcesPage struct {
	Frame
	Filter  Filter
	Rows    []SourceRow
	Refused int64 // deliveries refused today because no entry, or a lapsed one, stood behind them
	Pager   Pager
	CanAdd  bool
	Form    SourceForm
}

// SourceRow is one entry of the register.
type SourceRow struct {
	ID        string
	Name      string
	Kind      string // "windows / process_creation"
	Owner     string
	Basis     string // consent or legal basis
	Purpose   string
	Fields    string // what is collected, in words
	Retention time.Duration
	Expires   time.Time
	State     string // "live", "silent", "lapsed", "suspended"
	Today     Count  // events today
	Last      time.Time
}

func (r SourceRow) tone() Tone {
	switch r.State {
	case "live":
		return Good
	case "silent":
		return Warn
	case "lapsed", "suspended":
		return Bad
	}
	return Quiet
}

// SourceForm holds what was typed into the form, and what was wrong with it.
type SourceForm struct {
	Name, Kind, Owner, Basis, Purpose, Fields, Retention, Expires string
	Wrong                                                         map[string]string // by field name
	Owners                                                        []Option
}

type sourceView struct {
	SourceRow
	Tone Tone
}

// Sources writes the register.
func Sources(w io.Writer, p SourcesPage) error {
	if p.Title == "" {
		p.Title = "Log sources"
	}
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"source", "sources"}
	}
	rows := make([]sourceView, len(p.Rows))
	for i, r := range p.Rows {
		rows[i] = sourceView{r, r.tone()}
	}
	return render(w, "sources", struct {
		SourcesPage
		Rows []sourceView
	}{p, rows})
}

// SourcePage is one entry of the register.
type SourcePage struct {
	Frame
	Row     SourceRow
	Token   string // shown once, right after registering; empty otherwise
	Example string // a command that sends a line; empty: none
	Daily   Trend  // events a day
	Days    []DayCount
	Refused []Refusal
	Next    []Transition // suspend, resume, renew; posted to SourceURL + "/state"
	History []Change
}

// DayCount is one bar of the picture, for its table.
type DayCount struct {
	Day    time.Time
	Events int64
}

// Refusal is a delivery that was not taken.
type Refusal struct {
	At     time.Time
	Reason string
	Lines  int64
	From   untrusted.Text
}

// Source writes the page of one log source.
func Source(w io.Writer, p SourcePage) error {
	if p.Title == "" {
		p.Title = p.Row.Name
	}
	return render(w, "source", struct {
		SourcePage
		Tone Tone
	}{p, p.Row.tone()})
}
