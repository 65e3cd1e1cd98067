package ui

import (
	"html/template"
	"strings"
	"time"
	"unicode"

	"vigil/internal/untrusted"
)

// Place is one of the nine places of the rail, in the order of the work.
type Place string

// The nine places. PlaceNone is for pages outside them (people, sources, an error).
const (
	PlaceNone         Place = ""
	PlaceSituation    Place = "situation"
	PlaceStrategy     Place = "strategy"
	PlaceDetections   Place = "detections"
	PlaceIncidents    Place = "incidents"
	PlaceIntelligence Place = "intelligence"
	PlaceAttribution  Place = "attribution"
	PlaceDecisions    Place = "decisions"
	PlacePartners     Place = "partners"
	PlaceOversight    Place = "oversight"
)

// Places lists the nine in order, with their names and addresses.
var Places = []struct {
	Place     Place
	Name, URL string
}{
	{PlaceSituation, "Situation", "/"}, {PlaceStrategy, "Strategy", "/strategy"}, {PlaceDetections, "Detections", "/detections"},
	{PlaceIncidents, "Incidents", "/incidents"}, {PlaceIntelligence, "Intelligence", "/intelligence"}, {PlaceAttribution, "Attribution", "/attribution"},
	{PlaceDecisions, "Decisions", "/decisions"}, {PlacePartners, "Partners", "/partners"}, {PlaceOversight, "Oversight", "/oversight"},
}

// Frame is what surrounds every page. All times are in UTC unless said.
type Frame struct {
	Title    string          // of the browser tab, "· Vigil" is added; empty: the page's own heading
	At       Place           // which place is lit
	Badges   map[Place]Badge // counts beside the places; a place without one shows none
	Absent   map[Place]bool  // places whose function is not in this edition: dimmed, and their page says so
	Now      time.Time       // the moment the page speaks of (the domain clock); required
	Local    string          // the same in local time with the zone's name: "22:05 Halvern"; empty: not shown
	Marking  Marking         // the highest marking on this page
	You      You             // who acts; zero: nobody is logged in, and rail and search are not shown
	Witness  Witness         // whether the record is witnessed
	Exercise string          // name of the exercise; empty: this is not one
	Rehearse string          // a line under it, such as "rehearsal, same machine"
	Theme    string          // "light", "dark"; anything else follows the machine
	CSRF     string          // sent with every form; empty: none is needed
	Path     string          // this page's path and query, to come back to after the theme switch
	Query    string          // what stands in the search field
	Toast    *Toast          // what was just done, with its undo; nil: nothing
	Problem  *Problem        // something went wrong while making or changing this page; shown on top; nil: nothing
	Live     string          // address of the event stream that announces new rows ("/live/detections"); empty: no live rows
	Sections []Section       // index of the page; filled by the page functions, handlers leave it nil
	PaperID  string          // what a print names itself in its header, such as "INC-0062"; filled by the page functions
}

// Badge is the count beside a place. Tone says whether it wants somebody: Bad, Warn or neutral.
type Badge struct {
	Count Count
	Tone  Tone
}

// You is the person acting.
type You struct {
	ID     string // of the person's page
	Name   string
	Role   string // in words: "watch officer"
	Body   string // in words: "National CSIRT"
	ActFor string // on whose behalf, when not one's own: "for A. Brandt until 06:00Z"; empty otherwise
}

// Witness is the state of the record's witnessing.
type Witness struct {
	Have, Need int       // cosignatures that are fresh by policy, and how many the policy wants; Need 0: unwitnessed by choice at start
	Last       time.Time // of the newest one; zero: none yet
	Trouble    string    // what is wrong, in words; empty: nothing
}

// Toast says what was done and offers to undo it.
type Toast struct {
	Text string // "INC-0062 is now in containment"
	Undo string // address to POST to; empty: cannot be undone
}

// Problem is an error as a person needs it.
type Problem struct {
	What string // what happened
	Safe string // what is safe, unharmed, unsaved
	Do   string // what to do now
	Ref  string // the number under which the log has it; empty: none
}

// Section is one line of a page's index.
type Section struct {
	ID, Name string
	Count    string // what stands beside it; empty: nothing
}

// Span is a piece of a line: plain words, strong words, dim words, attacker-written text, or words that lead somewhere. Exactly one text is set.
type Span struct {
	Text   string
	Raw    untrusted.Text // when set, Text is ignored
	Strong bool
	Dim    bool
	Href   string // makes a link of Text; never used with Raw
}

// Line is a sentence made of spans.
type Line []Span

// Say makes a line of plain words.
func Say(text string) Line { return Line{{Text: text}} }

func line(l Line) template.HTML {
	var b strings.Builder
	for _, s := range l {
		writeSpan(&b, s)
	}
	return template.HTML(b.String())
}

func lines(ls []Line) template.HTML {
	var b strings.Builder
	for _, l := range ls {
		b.WriteString("<p>")
		b.WriteString(string(line(l)))
		b.WriteString("</p>")
	}
	return template.HTML(b.String())
}

func writeSpan(b *strings.Builder, s Span) {
	if !s.Raw.Empty() {
		b.WriteString(string(raw(s.Raw)))
		return
	}
	text := template.HTMLEscapeString(Visible(s.Text))
	// Visible trims; a piece of a line keeps the space to its neighbours.
	if strings.HasPrefix(s.Text, " ") {
		text = " " + text
	}
	if strings.HasSuffix(s.Text, " ") {
		text += " "
	}
	if href := safeHref(s.Href); href != "" {
		text = `<a class="link" href="` + template.HTMLEscapeString(href) + `">` + text + `</a>`
	}
	switch {
	case s.Strong:
		text = "<b>" + text + "</b>"
	case s.Dim:
		text = `<span class="dim">` + text + `</span>`
	}
	b.WriteString(text)
}

// safeHref lets through addresses of this site alone.
func safeHref(h string) string {
	if !strings.HasPrefix(h, "/") || strings.HasPrefix(h, "//") || strings.HasPrefix(h, `/\`) {
		return ""
	}
	for _, r := range h {
		if r <= ' ' || r == 0x7f || r == '\\' || !unicode.IsPrint(r) {
			return ""
		}
	}
	return h
}

// Why explains a derived value: what it was made from, by what, and whether it was measured, judged or declared.
type Why struct {
	Basis string // "measured", "judged", "declared", "derived"; empty: not shown
	Text  string // the rule in a sentence; when empty no "why" is offered
	From  []Line // the inputs, a line each
}

// Action is something a person can do. Link or POST, the filled button or not.
type Action struct {
	Label  string
	Href   string // to go somewhere
	Post   string // or to do something that can be undone; exclusive with Href
	Key    string // one key that triggers it; empty: none
	Filled bool   // at most one a page
}

// Filter is the bar above a list. Fields are select boxes; the query is text in the search language.
type Filter struct {
	Action string // path of the list
	Query  string
	Hint   string // example shown in the empty field
	Error  string // why the query was not understood; the list below then shows the last good answer
	Fields []FilterField
	Saved  []SavedView
}

// FilterField is one select box.
type FilterField struct {
	Name, Label string
	Options     []Option
}

// Option is one choice of a select box.
type Option struct {
	Value, Label string
	On           bool
}

// SavedView is a named filter.
type SavedView struct {
	Name, Href string
	On         bool
}

// Pager is the foot of a list read by keyset.
type Pager struct {
	Total Count
	Noun  [2]string // one, many: {"finding", "findings"}
	Prev  string    // address of the page before; empty: this is the first
	Next  string    // address of the page after; empty: this is the last
}

// Bulk is what can be done to the marked rows of a list.
type Bulk struct {
	Post    string // address; the form sends ids, act and reason
	Choices []BulkChoice
}

// BulkChoice is one thing to do to the marked rows.
type BulkChoice struct {
	Act, Label string
	Reason     bool // asks for a typed reason first
}

// Ref is a link to something by its kind.
type Ref struct {
	Href string // address within the site; empty: words only
	Name string
}

// News is the fragment that a live stream sends: n new rows wait, the link shows them.
type News struct {
	N    int64
	Href string
}

// PlaceRows is the rail; exported for the template only.
func (f Frame) PlaceRows() []placeRow {
	rows := make([]placeRow, 0, len(Places))
	for i, p := range Places {
		rows = append(rows, placeRow{p.Name, p.URL, f.At == p.Place, f.Absent[p.Place], f.Badges[p.Place], i + 1})
	}
	return rows
}

type placeRow struct {
	Name, URL  string
	On, Absent bool
	Badge      Badge
	N          int
}

// TLPClass is the style of the band; MarkWords and MarkMeaning are its words. Exported for the template only.
func (f Frame) TLPClass() string    { return f.Marking.class() }
func (f Frame) MarkWords() string   { return f.Marking.words() }
func (f Frame) MarkMeaning() string { return f.Marking.meaning() }

// section adds a line to the page's index.
func (f *Frame) section(id, name string, count int) {
	s := Section{ID: id, Name: name}
	if count > 0 {
		s.Count = thousands(int64(count))
	}
	f.Sections = append(f.Sections, s)
}
