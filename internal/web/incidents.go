package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/marking"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
)

func (s *Server) incidentRoutes() []Route {
	return []Route{
		{Pattern: "GET /incidents", Action: access.IncidentRead, handle: (*Request).incidents},
		{Pattern: "GET /incidents/{id}", Action: access.IncidentRead, handle: (*Request).incident},
		{Pattern: "GET /incidents/{id}/timeline.csv", Action: access.IncidentRead, handle: (*Request).timelineCSV},
		{Pattern: "POST /incidents/{id}/own", Action: access.IncidentChange, handle: (*Request).takeIncident},
		{Pattern: "POST /incidents/{id}/state", Action: access.IncidentChange, handle: (*Request).moveIncident},
		{Pattern: "POST /incidents/{id}/severity", Action: access.IncidentChange, handle: (*Request).rateIncident},
		{Pattern: "POST /incidents/{id}/tasks", Action: access.IncidentTask, handle: (*Request).addTask},
		{Pattern: "POST /incidents/{id}/tasks/{task}", Action: access.IncidentTask, handle: (*Request).setTask},
		{Pattern: "POST /incidents/{id}/notes", Action: access.IncidentTask, handle: (*Request).addNote},
		{Pattern: "POST /incidents/{id}/observables", Action: access.IncidentTask, handle: (*Request).addObservable},
		{Pattern: "POST /incidents/{id}/evidence", Action: access.EvidenceAdd, handle: (*Request).addEvidence, upload: true},
		{Pattern: "POST /evidence/{id}/transfer", Action: access.EvidenceTransfer, handle: (*Request).offerEvidence},
		{Pattern: "POST /evidence/{id}/accept", Action: access.EvidenceTransfer, handle: (*Request).acceptEvidence},
		{Pattern: "POST /evidence/{id}/refuse", Action: access.EvidenceTransfer, handle: (*Request).refuseEvidence},
		{Pattern: "GET /evidence/{id}/file", Action: access.EvidenceRead, handle: (*Request).evidenceFile},
	}
}

func (rq *Request) incidents() error {
	q := incident.Query{State: incident.State(rq.FormValue("state")), Text: rq.FormValue("q"), After: rq.FormValue("after")}
	page, err := incident.List(rq.Context(), rq.view, q)
	if err != nil {
		return err
	}
	total, err := incident.Count(rq.Context(), rq.view, q)
	if err != nil {
		return err
	}
	p := ui.IncidentsPage{Filter: ui.Filter{Action: "/incidents", Query: q.Text, Hint: "part of a title or INC-0062"}}
	p.Filter.Fields = []ui.FilterField{field("state", "State", string(q.State), "", "any state", "open", "open", "closed", "closed", "false-alarm", "false alarm")}
	p.Filter.Saved = []ui.SavedView{{Name: "All", Href: "/incidents", On: rq.URL.RawQuery == ""}, {Name: "Open", Href: "/incidents?state=open", On: q.State == incident.AnyOpen}}
	for _, i := range openAll(rq, page.Incidents) {
		row := ui.IncidentRow{ID: i.ID, Ref: i.Number, Name: ui.Visible(i.Title), State: i.State.String(), Severity: i.Severity.String(), Owner: rq.s.actorName(rq.Context(), i.Owner),
			Opened: i.Opened, Last: i.Last, Marking: markOf(i.Label), Closed: !i.State.Open()}
		fs, err := incident.Findings(rq.Context(), rq.view, i.ID)
		if err != nil {
			return err
		}
		hosts := map[string]bool{}
		for _, f := range openAll(rq, fs) {
			hosts[f.Entity] = true
		}
		row.Findings, row.Hosts = count(len(fs)), len(hosts)
		clocks, err := incident.Clocks(rq.Context(), rq.view, i.ID)
		if err != nil {
			return err
		}
		for _, c := range openAll(rq, clocks) {
			if st := c.State(rq.s.Store.Now()); (st == incident.Running || st == incident.Overdue) && (row.Due.IsZero() || c.Due.Before(row.Due)) {
				row.Clock, row.Due = ui.Visible(c.Name), c.Due
			}
		}
		p.Rows = append(p.Rows, row)
	}
	p.Pager = ui.Pager{Total: count(total)}
	if page.Next != "" {
		p.Pager.Next = rq.with("after", page.Next)
	}
	p.Frame = rq.Frame(ui.PlaceIncidents)
	p.Live = "/live/incidents"
	return ui.Incidents(&rq.out, p)
}

// theIncident reads the incident of the address through the reader's own view.
func (rq *Request) theIncident() (incident.Incident, error) {
	rel, err := incident.Get(rq.Context(), rq.view, rq.PathValue("id"))
	if err != nil {
		return incident.Incident{}, err
	}
	i := open(rq, rel)
	i.Label = rel.Label()
	return i, nil
}

func (rq *Request) incident() error {
	i, err := rq.theIncident()
	if err != nil {
		return err
	}
	now := rq.s.Store.Now()
	ctx := rq.Context()
	p := ui.IncidentPage{ID: i.ID, Ref: i.Number, Name: ui.Visible(i.Title), Version: strconv.FormatInt(i.Rev, 10), State: i.State.String(), Severity: i.Severity.String(),
		Owner: rq.s.actorName(ctx, i.Owner), OwnerIsYou: i.Owner == rq.Who.Person && i.Owner != "", MarkingOf: markOf(i.Label)}
	p.SeverityWhy = ui.Why{Basis: "derived", Text: "The highest level among its findings, until a person sets it."}
	if i.SeveritySet {
		p.SeverityWhy = ui.Why{Basis: "judged", Text: "A person set it; the reason is in the history."}
	}
	p.MarkingOf.Note = fmt.Sprintf("from %d sources", len(i.Label.Sources()))
	p.MarkingWhy = ui.Why{Basis: "derived", Text: "The join of everything it was made from: the highest level, every audience, every compartment."}
	for _, src := range i.Label.Sources() {
		p.MarkingWhy.From = append(p.MarkingWhy.From, ui.Say(rq.s.bodyName(src)))
	}
	linked, err := incident.Findings(ctx, rq.view, i.ID)
	if err != nil {
		return err
	}
	hosts := map[string]int64{}
	var order []string
	for _, f := range openAll(rq, linked) {
		row := rq.findingRow(f.Finding, nil)
		if f.Context {
			row.State = "context"
			if row.Suppressed == "" {
				row.Suppressed = "linked as context"
			}
		}
		p.Findings = append(p.Findings, row)
		if !f.Context {
			if hosts[f.Entity] == 0 {
				order = append(order, f.Entity)
			}
			hosts[f.Entity]++
		}
	}
	how := "opened from findings"
	if i.ByHand {
		how = "opened by hand"
	}
	p.Opened = ui.Line{{Text: how + " "}, {Text: relative(now, i.Opened)}, {Text: fmt.Sprintf(", %d findings on %d hosts", len(linked), len(hosts))}}
	for _, h := range order {
		p.Entities = append(p.Entities, ui.Entity{Kind: "host", Name: untrusted.New(h), N: hosts[h]})
	}
	if err := rq.incidentWork(&p, i); err != nil {
		return err
	}
	if err := rq.incidentEvidence(&p, i.ID); err != nil {
		return err
	}
	tl, err := incident.TimelineOf(ctx, rq.view, i.ID, lanesBy(rq.FormValue("lanes")))
	if err != nil {
		return err
	}
	p.Timeline = rq.timeline(open(rq, tl), i.ID)
	changes, _, err := incident.History(ctx, rq.view, i.ID, "", 100)
	if err != nil {
		return err
	}
	for _, c := range openAll(rq, changes) {
		h := ui.Change{At: c.At, By: rq.s.actorName(ctx, c.Actor), Act: actionWords(c.Action), Reason: ui.Visible(c.Reason), Seq: int64(c.Seq)}
		for _, d := range c.Diff {
			h.Diff = append(h.Diff, ui.FieldDiff{Field: d.Field, Before: untrusted.New(d.Was), Now: untrusted.New(d.Now)})
		}
		p.History = append(p.History, h)
	}
	p.Frame = rq.Frame(ui.PlaceIncidents)
	return ui.Incident(&rq.out, p)
}

func lanesBy(s string) string {
	if s == "tactic" {
		return s
	}
	return "host"
}

// incidentWork fills what people do: clocks, narrative, tasks, notes, observables, and what can be done next.
func (rq *Request) incidentWork(p *ui.IncidentPage, i incident.Incident) error {
	ctx := rq.Context()
	clocks, err := incident.Clocks(ctx, rq.view, i.ID)
	if err != nil {
		return err
	}
	for _, c := range openAll(rq, clocks) {
		uc := ui.Clock{Name: ui.Visible(c.Name), State: string(c.State(rq.s.Store.Now())), Due: c.Due}
		if uc.State == string(incident.Overdue) || uc.State == string(incident.Missed) {
			uc.State = "late"
		}
		p.Clocks = append(p.Clocks, uc)
	}
	for _, para := range strings.Split(i.Narrative, "\n\n") {
		if strings.TrimSpace(para) != "" {
			p.Narrative = append(p.Narrative, ui.Say(ui.Visible(para)))
		}
	}
	tasks, err := incident.Tasks(ctx, rq.view, i.ID)
	if err != nil {
		return err
	}
	for _, t := range openAll(rq, tasks) {
		row := ui.Task{ID: t.ID, Text: ui.Visible(t.Title), Done: !t.Done.IsZero()}
		if row.Done {
			row.Note = "done by " + rq.s.actorName(ctx, t.DoneBy)
		}
		p.Tasks = append(p.Tasks, row)
	}
	notes, err := incident.Notes(ctx, rq.view, i.ID)
	if err != nil {
		return err
	}
	for _, n := range openAll(rq, notes) {
		p.Notes = append(p.Notes, ui.Note{By: rq.s.actorName(ctx, n.Author), At: n.At, Text: n.Text})
	}
	obs, err := incident.Observables(ctx, rq.view, i.ID)
	if err != nil {
		return err
	}
	for _, rel := range obs {
		o := open(rq, rel)
		if o.Kind == "host" {
			continue // it stands among the entities
		}
		from := fmt.Sprintf("%d findings", o.Findings)
		if o.ByHand {
			from = "added by hand"
		}
		p.Observables = append(p.Observables, ui.Observable{Type: o.Kind, Value: untrusted.New(o.Value), From: from, Marking: markOf(rel.Label())})
	}
	if rq.Who.May(access.IncidentTask) {
		p.ObsTypes = incident.ObservableKinds()
	}
	if !rq.Who.May(access.IncidentChange) {
		p.Locked = "You may read it; changing it is the watch officer's."
		return nil
	}
	for _, st := range i.State.Next() {
		p.Next = append(p.Next, ui.Transition{To: string(st.To), Label: st.Label, Effect: st.Effect, Reason: st.Reason})
	}
	if i.Owner == "" {
		p.Primary = &ui.Action{Label: "Take it", Post: ui.IncidentURL(i.ID, "/own"), Key: "o", Filled: true}
	}
	return nil
}

func (rq *Request) timeline(t incident.Timeline, id string) ui.Timeline {
	out := ui.Timeline{By: t.By, Lanes: t.Lanes, Arrows: t.Links, CSV: ui.IncidentURL(id, "/timeline.csv"), Title: "timeline in lanes"}
	other := "tactic"
	if t.By == "tactic" {
		other = "host"
	}
	out.Other = ui.IncidentURL(id) + "?lanes=" + other
	for _, m := range t.Marks {
		sev := m.Level.String()
		if m.Context {
			sev = "informational"
		}
		label := m.Name
		if label == "" {
			label = ui.Visible(m.Title)
		}
		mark := ui.Mark{Lane: m.Lane, At: m.At, Label: label, Technique: m.Technique, Tactic: m.Tactic, TacticAs: m.TacticName, Severity: sev, Events: m.Events}
		if rq.Who.May(access.DetectionRead) {
			mark.Href = ui.FindingURL(m.Finding)
		}
		out.Marks = append(out.Marks, mark)
	}
	for _, tick := range t.Ticks {
		out.Ticks = append(out.Ticks, ui.Tick{Lane: tick.Lane, At: tick.At})
	}
	return out
}

func (rq *Request) timelineCSV() error {
	if _, err := rq.theIncident(); err != nil {
		return err
	}
	rel, err := incident.TimelineOf(rq.Context(), rq.view, rq.PathValue("id"), "host")
	if err != nil {
		return err
	}
	t := open(rq, rel)
	rq.out.WriteString("first,last,host,title,technique,level,events,marking\r\n")
	for _, m := range t.Marks {
		host := ""
		if m.Lane >= 0 && m.Lane < len(t.Lanes) {
			host = t.Lanes[m.Lane]
		}
		// The cells that hold somebody else's text come quoted and harmless from their renderer; the others are ours.
		fmt.Fprintf(&rq.out, "%s,%s,%s,%s,%s,%s,%d,%s\r\n", m.At.Format(time.RFC3339Nano), m.Last.Format(time.RFC3339Nano), untrusted.New(host).CSV(), untrusted.New(m.Title).CSV(),
			m.Technique, m.Level, m.Events, rq.sheet.Label().Words())
	}
	rq.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	rq.w.Header().Set("Content-Disposition", `attachment; filename="timeline.csv"`)
	return nil
}

// changed does one change of an incident and goes back to its page.
func (rq *Request) changed(err error, said string) error {
	id := rq.PathValue("id")
	if err != nil {
		return asInvalid(err, ui.IncidentURL(id))
	}
	return rq.done(ui.IncidentURL(id), said)
}

func (rq *Request) rev() (int64, error) {
	if v := rq.FormValue("version"); v != "" {
		return incident.ParseRev(v)
	}
	i, err := rq.theIncident()
	return i.Rev, err
}

func (rq *Request) takeIncident() error {
	rev, err := rq.rev()
	if err == nil {
		err = rq.s.Desk.Take(rq.Context(), rq.Who, rq.PathValue("id"), rev)
	}
	return rq.changed(err, "It is yours now.")
}

func (rq *Request) moveIncident() error {
	rev, err := rq.rev()
	to := incident.State(rq.FormValue("to"))
	if err == nil {
		err = rq.s.Desk.SetState(rq.Context(), rq.Who, rq.PathValue("id"), rev, to, rq.FormValue("reason"))
	}
	return rq.changed(err, "The incident is now in the state: "+to.String())
}

func (rq *Request) rateIncident() error {
	rev, err := rq.rev()
	level := rq.FormValue("severity")
	if !slices.Contains(severities, level) {
		return &Invalid{Why: "a severity is informational, low, medium, high or critical", Back: ui.IncidentURL(rq.PathValue("id"))}
	}
	if err == nil {
		err = rq.s.Desk.SetSeverity(rq.Context(), rq.Who, rq.PathValue("id"), rev, detect.ParseLevel(level), rq.FormValue("reason"))
	}
	return rq.changed(err, "The severity is now "+level)
}

func (rq *Request) addTask() error {
	_, err := rq.s.Desk.AddTask(rq.Context(), rq.Who, rq.PathValue("id"), rq.FormValue("text"), "", time.Time{})
	return rq.changed(err, "The task is added")
}

func (rq *Request) setTask() error {
	err := rq.s.Desk.SetTask(rq.Context(), rq.Who, rq.PathValue("id"), rq.PathValue("task"), rq.FormValue("done") == "yes")
	return rq.changed(err, "The task is updated")
}

func (rq *Request) addNote() error {
	_, err := rq.s.Desk.AddNote(rq.Context(), rq.Who, rq.PathValue("id"), rq.FormValue("text"), nil)
	return rq.changed(err, "The note is added")
}

func (rq *Request) addObservable() error {
	err := rq.s.Desk.AddObservable(rq.Context(), rq.Who, rq.PathValue("id"), rq.FormValue("type"), rq.FormValue("value"))
	return rq.changed(err, "The observable is added")
}

// custodians are the people that evidence may be handed to.
func (rq *Request) custodians() ([]ui.Option, error) {
	rs, err := access.People(rq.Context(), rq.view, access.Query{})
	if err != nil {
		return nil, err
	}
	var out []ui.Option
	for _, rel := range rs {
		p := marking.Open(marking.NewSheet(rq.Who.Reader), rel)
		if p.Role.May(access.EvidenceTransfer) && p.ID != rq.Who.Person && !p.Locked {
			out = append(out, ui.Option{Value: p.ID, Label: ui.Visible(p.Name) + ", " + rq.s.bodyName(p.Body)})
		}
	}
	return out, nil
}
