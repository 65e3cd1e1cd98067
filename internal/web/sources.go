package web

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/ingest"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/web/ui"
	"vigil/sigma"
)

// sourceRow shows an entry of the register with what it delivered today.
func (rq *Request) sourceRow(s ingest.Source, today map[string]int64, lately map[string]int64) ui.SourceRow {
	row := ui.SourceRow{ID: s.ID, Name: ui.Visible(s.Name), Kind: kindWords(s.Logsource), Owner: rq.s.bodyName(s.Owner), Basis: ui.Visible(s.Basis), Purpose: ui.Visible(s.Purpose),
		Fields: ui.Visible(strings.Join(s.Fields, ", ")), Retention: s.Retention, Expires: s.Expires, Today: ui.Count{N: today[s.ID]}}
	switch now := rq.s.Store.Now(); {
	case s.State == "suspended", s.State == "withdrawn":
		row.State = "suspended"
	case s.Lapsed(now):
		row.State = "lapsed"
	case lately[s.ID] > 0:
		row.State = "live"
	default:
		row.State = "silent"
	}
	return row
}

func kindWords(l sigma.Logsource) string {
	var parts []string
	for _, p := range []string{l.Product, l.Service, l.Category} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, " / ")
}

func (rq *Request) sources() error {
	p, err := rq.sourcesPage()
	if err != nil {
		return err
	}
	p.Frame = rq.Frame(ui.PlaceNone)
	return ui.Sources(&rq.out, p)
}

func (rq *Request) sourcesPage() (ui.SourcesPage, error) {
	var p ui.SourcesPage
	rs, err := ingest.List(rq.Context(), rq.view)
	if err != nil {
		return p, err
	}
	now := rq.s.Store.Now()
	today, err := detect.Hours(rq.Context(), rq.view, now.UTC().Truncate(24*time.Hour))
	if err != nil {
		return p, err
	}
	lately, err := detect.Hours(rq.Context(), rq.view, now.Add(-24*time.Hour))
	if err != nil {
		return p, err
	}
	text := strings.ToLower(rq.FormValue("q"))
	p.Filter = ui.Filter{Action: "/sources", Query: rq.FormValue("q"), Hint: "part of a name or purpose"}
	for _, s := range openAll(rq, rs) {
		if text == "" || strings.Contains(strings.ToLower(s.Name+" "+s.Purpose), text) {
			p.Rows = append(p.Rows, rq.sourceRow(s, today, lately))
		}
	}
	refused, err := rq.view.Entries(rq.Context(), store.Entries{Action: "refused.events", Limit: 1000})
	if err != nil {
		return p, err
	}
	for _, e := range refused.Entries {
		if marking.Open(marking.NewSheet(rq.Who.Reader), e).At.After(now.UTC().Truncate(24 * time.Hour)) {
			p.Refused++
		}
	}
	p.Pager = ui.Pager{Total: count(len(p.Rows))}
	p.CanAdd = rq.Who.May(access.SourceRegister)
	for _, b := range rq.s.Directory.BodyChoices() {
		p.Form.Owners = append(p.Form.Owners, ui.Option{Value: b.ID, Label: ui.Visible(b.Name), On: b.ID == rq.s.Register.House()})
	}
	return p, nil
}

// addSource reads the form, and shows it again with what is wrong beside the field.
func (rq *Request) addSource() error {
	f := ui.SourceForm{Name: rq.FormValue("name"), Kind: rq.FormValue("kind"), Owner: rq.FormValue("owner"), Basis: rq.FormValue("basis"), Purpose: rq.FormValue("purpose"),
		Fields: rq.FormValue("fields"), Retention: rq.FormValue("retention"), Expires: rq.FormValue("expires"), Wrong: map[string]string{}}
	for name, v := range map[string]string{"name": f.Name, "owner": f.Owner, "basis": f.Basis, "purpose": f.Purpose, "fields": f.Fields} {
		if strings.TrimSpace(v) == "" {
			f.Wrong[name] = "This is needed."
		}
	}
	days, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(f.Retention, " days"), " d")))
	if err != nil || days < 1 || days > 3650 {
		f.Wrong["retention"] = "A number of days, 1 to 3,650."
	}
	expires, err := time.Parse("2006-01-02", strings.TrimSpace(f.Expires))
	if err != nil || !expires.After(rq.s.Store.Now()) {
		f.Wrong["expires"] = "A day to come, such as 2027-06-30."
	}
	var ls sigma.Logsource
	switch parts := strings.Split(f.Kind, "/"); len(parts) {
	case 3:
		ls.Service = strings.TrimSpace(parts[1])
		ls.Product, ls.Category = strings.TrimSpace(parts[0]), strings.TrimSpace(parts[2])
	case 2:
		ls.Product, ls.Category = strings.TrimSpace(parts[0]), strings.TrimSpace(parts[1])
	case 1:
		ls.Category = strings.TrimSpace(parts[0])
	default:
		f.Wrong["kind"] = "Product / category, such as windows / process_creation."
	}
	if len(f.Wrong) > 0 {
		p, err := rq.sourcesPage()
		if err != nil {
			return err
		}
		f.Owners = p.Form.Owners
		for i := range f.Owners {
			f.Owners[i].On = f.Owners[i].Value == f.Owner
		}
		p.Form, rq.code = f, 422
		p.Frame = rq.Frame(ui.PlaceNone)
		return ui.Sources(&rq.out, p)
	}
	var fields []string
	for _, x := range strings.FieldsFunc(f.Fields, func(r rune) bool { return r == ',' || r == '\n' }) {
		if x = strings.TrimSpace(x); x != "" {
			fields = append(fields, x)
		}
	}
	id, token, err := rq.s.Register.Add(rq.Context(), rq.Who, ingest.Source{Name: f.Name, Owner: f.Owner, Basis: f.Basis, Purpose: f.Purpose, Fields: fields,
		Retention: time.Duration(days) * 24 * time.Hour, Expires: expires, Logsource: ls, TLP: marking.AmberStrict})
	if err != nil {
		return asInvalid(err, "/sources")
	}
	return rq.showSource(id, token)
}

func (rq *Request) source() error { return rq.showSource(rq.PathValue("id"), "") }

// showSource shows one entry; token is given once, right after it was made.
func (rq *Request) showSource(id, token string) error {
	rs, err := ingest.List(rq.Context(), rq.view)
	if err != nil {
		return err
	}
	now := rq.s.Store.Now()
	today, err := detect.Hours(rq.Context(), rq.view, now.UTC().Truncate(24*time.Hour))
	if err != nil {
		return err
	}
	lately, err := detect.Hours(rq.Context(), rq.view, now.Add(-24*time.Hour))
	if err != nil {
		return err
	}
	for _, rel := range rs {
		if marking.Open(marking.NewSheet(rq.Who.Reader), rel).ID != id {
			continue
		}
		s := open(rq, rel)
		p := ui.SourcePage{Row: rq.sourceRow(s, today, lately), Token: token}
		if token != "" {
			p.Example = `curl -H "Authorization: Bearer ` + token + `" -H "Content-Type: application/x-ndjson" --data-binary @events.ndjson ` + rq.address() + "/api/v1/events"
		}
		days, err := detect.Days(rq.Context(), rq.view, id, now.Add(-14*24*time.Hour))
		if err != nil {
			return err
		}
		p.Daily.Bars, p.Daily.Words = true, "events a day, 14 days"
		for d := now.UTC().Add(-13 * 24 * time.Hour).Truncate(24 * time.Hour); !d.After(now); d = d.Add(24 * time.Hour) {
			p.Days = append(p.Days, ui.DayCount{Day: d, Events: days[d.Unix()]})
			p.Daily.Points = append(p.Daily.Points, float64(days[d.Unix()]))
		}
		if rq.Who.May(access.SourceChange) && s.State != "withdrawn" {
			if s.State == "active" {
				p.Next = append(p.Next, ui.Transition{To: "suspended", Label: "Suspend", Effect: "Its deliveries are refused from now on.", Reason: true})
			} else {
				p.Next = append(p.Next, ui.Transition{To: "active", Label: "Resume", Effect: "Its deliveries are taken again.", Reason: true})
			}
			p.Next = append(p.Next, ui.Transition{To: "renewed", Label: "Renew for a year", Effect: "The entry's term is a year from today.", Reason: true})
		}
		if p.History, err = rq.history(id); err != nil {
			return err
		}
		for _, h := range p.History {
			if strings.HasPrefix(h.Act, "refused: events") {
				p.Refused = append(p.Refused, ui.Refusal{At: h.At, Reason: h.Reason})
			}
		}
		p.Frame = rq.Frame(ui.PlaceNone)
		return ui.Source(&rq.out, p)
	}
	return store.ErrNotFound
}

func (rq *Request) changeSource() error {
	id, to := rq.PathValue("id"), rq.FormValue("to")
	v, ok := rq.s.Register.ByID(id)
	if !ok {
		return store.ErrNotFound
	}
	state, expires := to, v.Expires
	if to == "renewed" {
		state, expires = v.State, rq.s.Store.Now().AddDate(1, 0, 0)
	}
	if err := rq.s.Register.Change(rq.Context(), rq.Who, id, state, expires, rq.FormValue("reason")); err != nil {
		return asInvalid(err, ui.SourceURL(id))
	}
	return rq.done(ui.SourceURL(id), fmt.Sprintf("%s is now %s", v.Name, to))
}

// address is this server as the browser sees it.
func (rq *Request) address() string {
	scheme := "http"
	if rq.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + rq.Host
}

// asInvalid passes what the gate, the roles and the store say on, and shows everything else that a stage refused as what
// the person has to mend.
func asInvalid(err error, back string) error {
	var bad *Invalid
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, access.ErrRefused) || errors.As(err, &bad) || errors.Is(err, store.ErrGate) || errors.Is(err, store.ErrFenced) {
		return err
	}
	if _, known := words(err); known {
		return err
	}
	return &Invalid{Why: err.Error(), Back: back}
}
