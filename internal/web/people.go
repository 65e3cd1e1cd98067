package web

import (
	"sort"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
)

func (s *Server) peopleRoutes() []Route {
	return []Route{
		{Pattern: "GET /people", Action: access.PeopleRead, handle: (*Request).people},
		{Pattern: "GET /people/{id}", Action: access.PeopleRead, handle: (*Request).person},
		{Pattern: "POST /people/{id}/sessions/end", Action: access.SessionClose, handle: (*Request).endSession},
	}
}

func (rq *Request) people() error {
	p := ui.PeoplePage{Filter: ui.Filter{Action: "/people", Query: rq.FormValue("q"), Hint: "part of a name"}}
	bodies, err := access.Bodies(rq.Context(), rq.view)
	if err != nil {
		return err
	}
	for _, b := range openAll(rq, bodies) {
		row := ui.BodyRow{ID: b.ID, Name: ui.Visible(b.Name), Kind: standing(b.Body), People: b.People}
		if b.Agreement != "" && !b.Own {
			row.Ceiling = markCeiling(b.Ceiling)
		}
		p.Bodies = append(p.Bodies, row)
	}
	q := access.Query{Text: rq.FormValue("q")}
	rs, err := access.People(rq.Context(), rq.view, q)
	if err != nil {
		return err
	}
	for _, x := range openAll(rq, rs) {
		p.People = append(p.People, rq.personRow(x))
	}
	n, err := access.CountPeople(rq.Context(), rq.view, q)
	if err != nil {
		return err
	}
	p.Pager = ui.Pager{Total: count(n)}
	p.Frame = rq.Frame(ui.PlaceNone)
	return ui.People(&rq.out, p)
}

func markCeiling(t marking.TLP) string { return t.String()[len("TLP:"):] }

func standing(b access.Body) string {
	switch {
	case b.Own:
		return "own"
	case b.Constituent:
		return "constituent"
	case b.Kind == "oversight":
		return "overseer"
	}
	return "partner"
}

func (rq *Request) personRow(p access.Person) ui.PersonRow {
	return ui.PersonRow{ID: p.ID, Name: ui.Visible(p.Name), Body: rq.s.bodyName(p.Body), Roles: []string{p.Role.String()}, Passkeys: p.Passkeys, Last: p.Last, Disabled: p.Locked}
}

func (rq *Request) person() error {
	id := rq.PathValue("id")
	rel, err := access.GetPerson(rq.Context(), rq.view, id)
	if err != nil {
		return err
	}
	x := open(rq, rel)
	p := ui.PersonPage{Row: rq.personRow(x), Login: x.Login, IsYou: id == rq.Who.Person}
	p.CanEnd = p.IsYou || rq.Who.May(access.PersonChange)
	g := ui.Grant{Role: x.Role.String(), Since: x.Created}
	for _, a := range access.Actions() {
		if x.Role.May(a) {
			g.May = append(g.May, actionWords(string(a)))
		}
	}
	sort.Strings(g.May)
	p.Grants = append(p.Grants, g)
	for _, c := range x.Compartments {
		p.Grants = append(p.Grants, ui.Grant{Role: "admitted to", Scope: ui.Visible(c), Since: x.Created})
	}
	if p.CanEnd {
		ss, err := rq.s.Directory.Sessions(rq.Context(), rq.Who, id, rq.s.Directory.SessionOf(rq.Request))
		if err != nil {
			return err
		}
		for _, s := range ss {
			p.Sessions = append(p.Sessions, ui.Session{ID: s.ID, Device: untrusted.New(s.Device), Address: untrusted.New(s.Address), Since: s.Since, Last: s.Last, Current: s.Current})
		}
	}
	if rq.Who.May(access.RecordRead) {
		if p.History, err = rq.history(id); err != nil {
			return err
		}
	}
	p.Frame = rq.Frame(ui.PlaceNone)
	return ui.Person(&rq.out, p)
}

func (rq *Request) endSession() error {
	id := rq.PathValue("id")
	if id != rq.Who.Person && !rq.Who.May(access.PersonChange) {
		return store.ErrNotFound
	}
	if err := rq.s.Directory.EndSession(rq.Context(), rq.Who, id, rq.FormValue("session")); err != nil {
		return asInvalid(err, ui.PersonURL(id))
	}
	return rq.done(ui.PersonURL(id), "The session is ended")
}
