package web

import (
	"fmt"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/store"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
)

// situation answers the six questions, each from what the reader may see; what this edition does not measure is said.
func (rq *Request) situation() error {
	bands := ui.SixBands()
	if err := rq.underAttack(&bands[0]); err != nil {
		return err
	}
	for i, missing := range []string{1: "assessments are not in this edition", 2: "decisions are not in this edition", 4: "the strategy's measures are not in this edition"} {
		if missing != "" {
			bands[i].Missing = missing
		}
	}
	if err := rq.whoMustKnow(&bands[3]); err != nil {
		return err
	}
	if err := rq.whoChecks(&bands[5]); err != nil {
		return err
	}
	p := ui.SituationPage{Bands: bands}
	p.Frame = rq.Frame(ui.PlaceSituation)
	return ui.Situation(&rq.out, p)
}

func (rq *Request) underAttack(b *ui.Band) error {
	if !rq.Who.May(access.IncidentRead) {
		b.Missing = "incidents are not shown to your role"
		return nil
	}
	now := rq.s.Store.Now()
	n, err := incident.CountOpen(rq.Context(), rq.view)
	if err != nil {
		return err
	}
	page, err := incident.List(rq.Context(), rq.view, incident.Query{Limit: 200})
	if err != nil {
		return err
	}
	b.Measured, b.Number, b.Under = true, fmt.Sprint(n), ""
	days := make([]float64, 30)
	tonight := 0
	for _, i := range openAll(rq, page.Incidents) {
		if now.Sub(i.Opened) < 24*time.Hour {
			tonight++
		}
		for d := range days {
			end := now.Add(-time.Duration(len(days)-1-d) * 24 * time.Hour)
			if !i.Opened.After(end) && (i.State.Open() || i.Closed.After(end)) {
				days[d]++
			}
		}
		if !i.State.Open() || len(b.Wants) >= 2 {
			continue
		}
		w := ui.Want{Tone: toneOf(i.Severity), Go: "Open", Href: ui.IncidentURL(i.ID)}
		w.Line = ui.Line{{Text: ui.Visible(i.Title), Strong: true}, {Text: " · opened " + relative(now, i.Opened), Dim: true}}
		b.Wants = append(b.Wants, w)
	}
	if tonight > 0 {
		b.Under = fmt.Sprintf("%d new in 24 h", tonight)
	}
	b.Trend = ui.Trend{Points: days, Words: "incidents open at the end of each of 30 days"}
	if rq.Who.May(access.DetectionRead) {
		fs, err := detect.Findings(rq.Context(), rq.view, detect.Query{State: "open", MinLevel: detect.Medium, Limit: 50})
		if err != nil {
			return err
		}
		rows, err := rq.findingRows(fs.Findings)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if r.Incident == nil && len(b.Wants) < 3 {
				line := ui.Line{{Text: r.Title, Strong: true}, {Text: " on "}, {Raw: r.Entity}, {Text: " · in no incident", Dim: true}}
				b.Wants = append(b.Wants, ui.Want{Tone: ui.Warn, Line: line, Go: "Review", Href: ui.FindingURL(r.ID)})
			}
		}
	}
	return nil
}

func (rq *Request) whoMustKnow(b *ui.Band) error {
	if !rq.Who.May(access.IncidentRead) {
		b.Missing = "clocks are not shown to your role"
		return nil
	}
	now := rq.s.Store.Now()
	due, err := incident.DueClocks(rq.Context(), rq.view, 3)
	if err != nil {
		return err
	}
	b.Measured, b.Number, b.Under = true, "none", "no clock runs"
	for i, c := range openAll(rq, due) {
		left := c.Due.Sub(now)
		w := ui.Want{Tone: ui.Warn, Go: "Open", Href: ui.IncidentURL(c.Incident), Line: ui.Line{{Text: ui.Visible(c.Name), Strong: true}, {Text: " · due " + relative(now, c.Due), Dim: true}}}
		if left < 0 {
			w.Tone = ui.Bad
		}
		if i == 0 {
			b.Number, b.Under = span(left), "to: "+ui.Visible(c.Name)
			if left < 0 {
				b.Under = "late: " + ui.Visible(c.Name)
			}
		}
		b.Wants = append(b.Wants, w)
	}
	return nil
}

func (rq *Request) whoChecks(b *ui.Band) error {
	size, err := rq.s.Log.Size(rq.Context())
	if err != nil {
		return err
	}
	w := rq.s.Log.Witnessed()
	b.Measured, b.Number, b.Under = true, fmt.Sprint(size), w.Text(rq.s.Store.Now())
	if !w.Met() {
		b.Wants = append(b.Wants, ui.Want{Tone: ui.Bad, Line: ui.Say("The record is not witnessed as its policy wants"), Go: "See", Href: "/oversight"})
	}
	if !rq.Who.May(access.RecordRead) {
		return nil
	}
	page, err := rq.view.Entries(rq.Context(), store.Entries{Action: "refused.*", Limit: 2})
	if err != nil {
		return err
	}
	for _, e := range openAll(rq, page.Entries) {
		line := ui.Line{{Text: rq.s.actorName(rq.Context(), e.Actor), Strong: true}, {Text: " was refused: "}, {Raw: untrusted.New(e.Purpose)}}
		b.Wants = append(b.Wants, ui.Want{Tone: ui.Quiet, Line: line, Go: "Read", Href: ui.EntryURL(int64(e.Seq))})
	}
	return nil
}

func toneOf(l detect.Level) ui.Tone {
	switch l {
	case detect.Critical, detect.High:
		return ui.Bad
	case detect.Medium:
		return ui.Warn
	}
	return ui.Low
}

// relative says how far a time lies from now.
func relative(now, t time.Time) string {
	if t.After(now) {
		return "in " + span(t.Sub(now))
	}
	return span(now.Sub(t)) + " ago"
}

// span says a duration in its largest unit or two.
func span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch {
	case d < time.Minute:
		return "under a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
