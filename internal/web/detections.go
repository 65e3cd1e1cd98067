package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/valyala/fastjson"

	"vigil/internal/access"
	"vigil/internal/attack"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
	"vigil/stix"
)

// techniques names ATT&CK techniques as the pages show them.
func techniques(ids []string) []ui.Technique {
	out := make([]ui.Technique, 0, len(ids))
	for _, id := range ids {
		t := ui.Technique{ID: id}
		if known, ok := attack.Lookup(id); ok {
			t.Name = known.Name
			if len(known.Tactics) > 0 {
				t.Tactic = known.Tactics[0].Name
			}
		}
		out = append(out, t)
	}
	return out
}

// findingRow shows one finding; the incident it belongs to comes from the stage after, through the reader's own view.
func (rq *Request) findingRow(f detect.Finding, in map[string]incident.Ref) ui.FindingRow {
	row := ui.FindingRow{ID: f.ID, Severity: f.Level.String(), Title: ui.Visible(f.Title), By: f.Kind, Kind: "host", Entity: untrusted.New(f.Entity), Events: ui.Count{N: f.Count},
		First: f.First, Last: f.Last, Techniques: techniques(f.Techniques), Marking: markOf(f.Label), State: "new"}
	if f.Value != "" {
		row.Indicator = untrusted.New(f.Value)
	}
	if src, ok := rq.s.Register.ByID(f.Source); ok {
		row.From = rq.s.bodyName(src.Owner)
	}
	switch f.State {
	case "suppressed":
		row.State, row.Suppressed = "suppressed", f.Reason
	case "benign":
		row.State, row.Suppressed = "dismissed", f.Reason
	case "confirmed":
		row.State = "confirmed"
	}
	if ref, ok := in[f.ID]; ok {
		row.Incident = &ui.IncidentRef{ID: ref.ID, Ref: ref.Number, Name: ui.Visible(ref.Title)}
		if row.State == "new" {
			row.State = "in incident"
		}
	}
	return row
}

// findingRows opens findings and looks up their incidents.
func (rq *Request) findingRows(rs []marking.Released[detect.Finding]) ([]ui.FindingRow, error) {
	fs := openAll(rq, rs)
	ids := make([]string, len(fs))
	for i, f := range fs {
		ids[i] = f.ID
	}
	in, err := incident.OfFindings(rq.Context(), rq.view, ids)
	if err != nil {
		return nil, err
	}
	refs := map[string]incident.Ref{}
	for id, rel := range in {
		refs[id] = open(rq, rel)
	}
	rows := make([]ui.FindingRow, len(fs))
	for i, f := range fs {
		rows[i] = rq.findingRow(f, refs)
	}
	return rows, nil
}

var severities = []string{"informational", "low", "medium", "high", "critical"}

func (rq *Request) detections() error {
	q := detect.Query{State: rq.FormValue("state"), MinLevel: detect.ParseLevel(rq.FormValue("severity")), Text: rq.FormValue("q"), After: rq.FormValue("after")}
	page, err := detect.Findings(rq.Context(), rq.view, q)
	if err != nil {
		return err
	}
	total, err := detect.CountFindings(rq.Context(), rq.view, q)
	if err != nil {
		return err
	}
	p := ui.DetectionsPage{Filter: ui.Filter{Action: "/detections", Query: q.Text, Hint: "part of a title, host or value"}}
	if p.Rows, err = rq.findingRows(page.Findings); err != nil {
		return err
	}
	p.Filter.Fields = []ui.FilterField{
		field("state", "State", q.State, "", "any state", "open", "open", "confirmed", "confirmed", "benign", "dismissed", "suppressed", "suppressed"),
		field("severity", "Severity", rq.FormValue("severity"), "", "any severity", "medium", "medium and worse", "high", "high and worse"),
	}
	p.Filter.Saved = []ui.SavedView{
		{Name: "All", Href: "/detections", On: rq.URL.RawQuery == ""},
		{Name: "Want a person", Href: "/detections?state=open&severity=medium", On: q.State == "open" && q.MinLevel == detect.Medium},
		{Name: "Held back", Href: "/detections?state=suppressed", On: q.State == "suppressed"},
	}
	p.Pager = ui.Pager{Total: count(total)}
	if page.Next != "" {
		p.Pager.Next = rq.with("after", page.Next)
	}
	if q.After != "" {
		p.Pager.Prev = rq.with("after", "")
	}
	if rq.Who.May(access.FindingJudge) {
		p.Bulk = ui.Bulk{Post: "/detections/bulk", Choices: judgements}
	}
	p.Frame = rq.Frame(ui.PlaceDetections)
	p.Live = "/live/detections"
	return ui.Detections(&rq.out, p)
}

var judgements = []ui.BulkChoice{{Act: "confirmed", Label: "Confirm", Reason: true}, {Act: "benign", Label: "Dismiss as benign", Reason: true}, {Act: "suppressed", Label: "Hold back", Reason: true}, {Act: "open", Label: "Open again", Reason: true}}

// field makes a select box of pairs: value, label.
func field(name, label, now string, pairs ...string) ui.FilterField {
	f := ui.FilterField{Name: name, Label: label}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Options = append(f.Options, ui.Option{Value: pairs[i], Label: pairs[i+1], On: pairs[i] == now})
	}
	return f
}

func (rq *Request) finding() error {
	rel, err := detect.Get(rq.Context(), rq.view, rq.PathValue("id"))
	if err != nil {
		return err
	}
	rows, err := rq.findingRows([]marking.Released[detect.Finding]{rel})
	if err != nil {
		return err
	}
	f := open(rq, rel)
	p := ui.FindingPage{Finding: rows[0], Why: ui.Why{Basis: "derived", Text: "The severity is the one that the rule or indicator states; nothing was weighed."}}
	evs, err := detect.Events(rq.Context(), rq.view, f.ID)
	if err != nil {
		return err
	}
	events := openAll(rq, evs)
	for i, e := range events {
		pe := provingEvent(e, f)
		pe.Last = len(events) > 10 && i >= len(events)-10
		p.Events = append(p.Events, pe)
	}
	p.Skipped = f.Count - int64(len(events))
	if src, ok := rq.s.Register.ByID(f.Source); ok {
		p.Source = ui.Ref{Name: src.Name}
		if rq.Who.May(access.SourceRead) {
			p.Source.Href = ui.SourceURL(src.ID)
		}
	}
	if rule, err := rq.view.Get(rq.Context(), f.Rule); err == nil {
		o := open(rq, rule)
		if obj, _, err := stix.Parse(o.Bytes, stix.Options{Mode: stix.Lenient}); err == nil {
			text, _ := obj.String("pattern")
			p.Rule = &ui.RuleText{Title: ui.Visible(o.Title), Text: untrusted.New(text)}
			if kind, _ := obj.String("pattern_type"); kind == "sigma" {
				p.Rule.ID = o.ID
			}
			from := rq.s.bodyName(o.Source)
			p.Reason = []ui.Line{{{Text: "The "}, {Text: f.Kind, Strong: true}, {Text: " of " + from + " matched "}, {Text: fmt.Sprintf("%d events", f.Count), Strong: true}, {Text: " on "}, {Raw: untrusted.New(f.Entity)}, {Text: " on " + f.Day + "."}}}
			if f.Value != "" {
				p.Reason = append(p.Reason, ui.Line{{Text: "It looks for this value, which the events hold: "}, {Raw: untrusted.New(f.Value)}})
			}
		}
	}
	if f.Reason != "" {
		p.Reason = append(p.Reason, ui.Say("It is "+f.State+": "+f.Reason))
	}
	if rq.Who.May(access.FindingJudge) {
		p.Bulk = ui.Bulk{Choices: judgements}
	} else {
		p.Locked = "Judging a finding is the watch officer's and the analyst's."
	}
	hist, err := rq.history(f.ID)
	if err != nil {
		return err
	}
	p.History = hist
	p.Frame = rq.Frame(ui.PlaceDetections)
	return ui.Finding(&rq.out, p)
}

// briefFields are shown first, and one of them as the line that says most.
var briefFields = []string{"CommandLine", "ScriptBlockText", "c-uri", "url", "query", "QueryName", "TargetFilename", "TargetImage", "ServiceFileName", "message", "Image"}

// provingEvent flattens an event for the page. Its names and values are somebody else's text.
func provingEvent(e detect.Event, f detect.Finding) ui.ProvingEvent {
	p := ui.ProvingEvent{At: e.At, Where: untrusted.New(f.Entity)}
	var parser fastjson.Parser
	v, err := parser.ParseBytes(e.Bytes)
	if err != nil {
		p.Brief = untrusted.New(string(e.Bytes))
		return p
	}
	var walk func(prefix string, v *fastjson.Value, depth int)
	walk = func(prefix string, v *fastjson.Value, depth int) {
		if v.Type() == fastjson.TypeObject && depth < 4 {
			v.GetObject().Visit(func(k []byte, inner *fastjson.Value) {
				name := string(k)
				if prefix != "" {
					name = prefix + "." + name
				}
				walk(name, inner, depth+1)
			})
			return
		}
		text := string(v.MarshalTo(nil))
		if v.Type() == fastjson.TypeString {
			text = string(v.GetStringBytes())
		}
		if len(p.Fields) < 200 {
			p.Fields = append(p.Fields, ui.EventField{Name: untrusted.New(prefix), Value: untrusted.New(text), Hit: f.Value != "" && strings.Contains(strings.ToLower(text), f.Value)})
		}
	}
	walk("", v, 0)
	for _, name := range briefFields {
		if s := v.GetStringBytes(name); len(s) > 0 {
			p.Brief = untrusted.New(string(s))
			break
		}
	}
	slices.SortStableFunc(p.Fields, func(a, b ui.EventField) int { return cmp.Compare(briefRank(a), briefRank(b)) })
	return p
}

func briefRank(f ui.EventField) int {
	if i := slices.Index(briefFields, f.Name.Title(80)); i >= 0 {
		return i
	}
	return len(briefFields)
}

func (rq *Request) judge() error {
	id := rq.PathValue("id")
	if err := rq.s.Detector.Judge(rq.Context(), rq.Who, id, rq.FormValue("act"), rq.FormValue("reason")); err != nil {
		return asInvalid(err, ui.FindingURL(id))
	}
	return rq.done(ui.FindingURL(id), "The finding is now "+rq.FormValue("act"))
}

func (rq *Request) judgeMany() error {
	ids := rq.Form["ids"]
	if len(ids) == 0 || len(ids) > 1000 {
		return &Invalid{Why: "mark between one and a thousand findings first", Back: "/detections"}
	}
	for _, id := range ids {
		if err := rq.s.Detector.Judge(rq.Context(), rq.Who, id, rq.FormValue("act"), rq.FormValue("reason")); err != nil {
			return asInvalid(err, "/detections")
		}
	}
	return rq.done("/detections", fmt.Sprintf("%d findings are now %s", len(ids), rq.FormValue("act")))
}

func (rq *Request) rules() error {
	rs, err := detect.Rules(rq.Context(), rq.view)
	if err != nil {
		return err
	}
	text := strings.ToLower(rq.FormValue("q"))
	p := ui.RulesPage{Filter: ui.Filter{Action: "/rules", Query: rq.FormValue("q"), Hint: "part of a title or technique"}}
	for _, r := range openAll(rq, rs) {
		if text != "" && !strings.Contains(strings.ToLower(r.Title+" "+strings.Join(r.Techniques, " ")), text) {
			continue
		}
		if r.Refused != "" {
			p.Refused = append(p.Refused, ui.RefusedRule{File: untrusted.New(r.ID), Reason: ui.Visible(r.Refused)})
			continue
		}
		p.Rows = append(p.Rows, rq.ruleRow(r))
	}
	p.Pager = ui.Pager{Total: count(len(p.Rows))}
	p.Frame = rq.Frame(ui.PlaceDetections)
	return ui.Rules(&rq.out, p)
}

func (rq *Request) ruleRow(r detect.Rule) ui.RuleRow {
	row := ui.RuleRow{ID: r.ID, Title: ui.Visible(r.Title), Severity: r.Level, Enabled: r.Enabled, Logsource: ui.Visible(r.Logsource), Fired: count(r.Findings), Techniques: techniques(r.Techniques), Origin: "own"}
	if !r.Enabled {
		row.Off = "switched off"
	}
	row.Live = r.Enabled && r.Refused == ""
	return row
}

func (rq *Request) rule() error {
	id := rq.PathValue("id")
	rel, err := rq.view.Get(rq.Context(), id)
	if err != nil {
		return err
	}
	o := open(rq, rel)
	p := ui.RulePage{}
	rs, err := detect.Rules(rq.Context(), rq.view)
	if err != nil {
		return err
	}
	found := false
	for _, rel := range rs {
		if r := marking.Open(marking.NewSheet(rq.Who.Reader), rel); r.ID == id {
			p.Row, found = rq.ruleRow(open(rq, rel)), true
		}
	}
	obj, _, err := stix.Parse(o.Bytes, stix.Options{Mode: stix.Lenient})
	if err != nil {
		return err
	}
	if !found { // an indicator, whose page is the knowledge base's
		rq.redirect(ui.ObjectURL(id))
		return nil
	}
	text, _ := obj.String("pattern")
	p.Text = ui.RuleText{Title: ui.Visible(o.Title), Text: untrusted.New(text)}
	about, _ := obj.String("description")
	p.About = ui.Visible(about)
	fs, err := detect.Findings(rq.Context(), rq.view, detect.Query{Rule: id, Limit: 20})
	if err != nil {
		return err
	}
	if p.Findings, err = rq.findingRows(fs.Findings); err != nil {
		return err
	}
	p.Frame = rq.Frame(ui.PlaceDetections)
	return ui.Rule(&rq.out, p)
}

// history shows the entries of the record on a subject, as far as the reader may see them.
func (rq *Request) history(subject string) ([]ui.Change, error) {
	page, err := rq.view.Entries(rq.Context(), store.Entries{Subject: subject, Limit: 200})
	if err != nil {
		return nil, err
	}
	var out []ui.Change
	for _, e := range openAll(rq, page.Entries) {
		out = append(out, ui.Change{At: e.At, By: rq.s.actorName(rq.Context(), e.Actor), Act: actionWords(e.Action), Reason: ui.Visible(e.Purpose), Seq: int64(e.Seq)})
	}
	return out, nil
}
