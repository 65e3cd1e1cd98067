package ui

import (
	"io"
	"time"

	"vigil/internal/untrusted"
)

// Technique is an ATT&CK technique as a label.
type Technique struct {
	ID, Name string // "T1003.001", "LSASS Memory"
	Tactic   string // "Credential access"; may be empty
}

// FindingRow is one finding in a list: one rule or indicator on one entity on one day.
type FindingRow struct {
	ID         string
	Severity   string
	Title      string         // the rule's title, or "indicator"
	Indicator  untrusted.Text // the value that matched, when an indicator did
	By         string         // "rule" or "indicator"
	From       string         // whose: "SigmaHQ", "Lorrin"; may be empty
	Kind       string         // of the entity: "host", "account"
	Entity     untrusted.Text
	Events     Count
	First      time.Time
	Last       time.Time
	Techniques []Technique
	State      string // "new", "in incident", "dismissed", "suppressed"
	Suppressed string // why, when suppressed: "warninglist: public resolvers"; such rows are greyed
	Incident   *IncidentRef
	Marking    Marking
}

// IncidentRef points to a case.
type IncidentRef struct{ ID, Ref, Name string }

// DetectionsPage is the list of findings.
type DetectionsPage struct {
	Frame
	Filter Filter
	Rows   []FindingRow
	Pager  Pager
	Bulk   Bulk
}

// Detections writes the list of findings.
func Detections(w io.Writer, p DetectionsPage) error {
	if p.Title == "" {
		p.Title = "Detections"
	}
	p.At = PlaceDetections
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"finding", "findings"}
	}
	return render(w, "detections", p)
}

// FindingPage is one finding with what proves it.
type FindingPage struct {
	Frame
	Finding FindingRow
	Reason  []Line // why it fired, a sentence each: which field held what the rule wants
	Why     Why    // of its severity
	Events  []ProvingEvent
	Skipped int64 // events between the first and the last that are kept as a count only
	Rule    *RuleText
	Source  Ref // the log source that delivered
	Primary *Action
	Actions []Action
	Bulk    Bulk // acts on this one finding, posted to FindingURL + "/act"; Post is ignored
	History []Change
	Locked  string // why nothing can be changed; empty: forms are shown
}

// ProvingEvent is one event copied with the finding.
type ProvingEvent struct {
	At     time.Time
	Where  untrusted.Text // host
	Brief  untrusted.Text // the line that says most: a command line, a URL
	Fields []EventField
	Last   bool // belongs to the last ones rather than to the first
}

// EventField is one field of an event.
type EventField struct {
	Name  untrusted.Text
	Value untrusted.Text
	Hit   bool // the rule looked at it and it held
}

// RuleText is a rule or an indicator's pattern as it was written.
type RuleText struct {
	ID      string // of its page; empty: none
	Title   string
	Text    untrusted.Text
	Author  string
	Licence string
	Status  string // "stable", "test", "experimental"
	False   []string
}

// Finding writes the page of one finding.
func Finding(w io.Writer, p FindingPage) error {
	if p.Title == "" {
		p.Title = p.Finding.Title
	}
	p.At, p.Sections = PlaceDetections, nil
	p.section("reason", "Why it fired", 0)
	p.section("events", "Events", len(p.Events))
	p.section("rule", "The rule", 0)
	p.section("history", "History", len(p.History))
	p.Bulk.Post = FindingURL(p.Finding.ID) + "/act"
	var first, last []ProvingEvent
	for _, e := range p.Events {
		if e.Last {
			last = append(last, e)
		} else {
			first = append(first, e)
		}
	}
	return render(w, "finding", struct {
		FindingPage
		FirstEvents, LastEvents []ProvingEvent
	}{p, first, last})
}

// RulesPage is the list of detection rules.
type RulesPage struct {
	Frame
	Filter  Filter
	Rows    []RuleRow
	Refused []RefusedRule // rules that could not be loaded
	Pager   Pager
}

// RuleRow is one rule in the list.
type RuleRow struct {
	ID         string
	Title      string
	Severity   string
	Enabled    bool
	Off        string // why it is not enabled; shown when not Enabled
	Logsource  string // "windows / process_creation"
	Live       bool   // a registered source delivers what it reads
	Fired      Count  // findings in the retained time
	Last       time.Time
	Techniques []Technique
	Origin     string // "SigmaHQ core", "own"
}

// RefusedRule is a rule file that was not loaded.
type RefusedRule struct {
	File   untrusted.Text
	Line   int // 0: not known
	Reason string
}

// Rules writes the list of detection rules.
func Rules(w io.Writer, p RulesPage) error {
	if p.Title == "" {
		p.Title = "Detection rules"
	}
	p.At = PlaceDetections
	if p.Pager.Noun == [2]string{} {
		p.Pager.Noun = [2]string{"rule", "rules"}
	}
	return render(w, "rules", p)
}

// RulePage is one rule: its text, and what it found.
type RulePage struct {
	Frame
	Row      RuleRow
	Text     RuleText
	Findings []FindingRow // the newest few
	About    string       // the rule's own description
	Actions  []Action
}

// Rule writes the page of one rule.
func Rule(w io.Writer, p RulePage) error {
	if p.Title == "" {
		p.Title = p.Row.Title
	}
	p.At = PlaceDetections
	return render(w, "rule", p)
}
