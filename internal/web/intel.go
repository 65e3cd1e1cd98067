package web

import (
	"bytes"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/intel"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
)

func (s *Server) intelRoutes() []Route {
	return []Route{
		{Pattern: "GET /search", Action: access.IntelRead, handle: (*Request).search},
		{Pattern: "GET /intelligence", Action: access.IntelRead, handle: (*Request).intelligence},
		// One pattern for three: "types" and "imports" are no ids, and net/http wants to know which comes first.
		{Pattern: "GET /intelligence/{id}/{part}", Action: access.IntelRead, handle: (*Request).below},
		{Pattern: "GET /intelligence/{id}", Action: access.IntelRead, handle: (*Request).object},
		{Pattern: "POST /intelligence/export", Action: access.IntelExport, handle: (*Request).exportBundle},
		{Pattern: "POST /intelligence/import", Action: access.IntelImport, handle: (*Request).importBundle, upload: true},
		{Pattern: "GET /intelligence/imports/{id}/progress", Action: access.IntelImport, handle: (*Request).importProgress},
	}
}

func (rq *Request) below() error {
	id, part := rq.PathValue("id"), rq.PathValue("part")
	switch {
	case id == "types":
		return rq.ofType(part)
	case id == "imports":
		if err := rq.Who.Need(access.IntelImport); err != nil {
			return err
		}
		return rq.importPage(part)
	case part == "raw":
		return rq.rawObject()
	}
	return store.ErrNotFound
}

func (rq *Request) hit(o store.Object) ui.Hit {
	return ui.Hit{ID: o.ID, Type: o.Type, Name: untrusted.New(o.Title), Modified: o.Modified, Marking: markOf(o.Label), Source: rq.s.bodyName(o.Source)}
}

func (rq *Request) intelligence() error {
	counts, err := rq.view.CountTypes(rq.Context())
	if err != nil {
		return err
	}
	p := ui.IntelligencePage{CanImport: rq.Who.May(access.IntelImport), CanExport: rq.Who.May(access.IntelExport)}
	for t, n := range counts {
		p.Types = append(p.Types, ui.TypeCount{Type: t, Count: count(n)})
		p.Total.N += int64(n)
		p.Total.AtLeast = p.Total.AtLeast || n >= store.CountLimit
	}
	sort.Slice(p.Types, func(i, j int) bool { return p.Types[i].Type < p.Types[j].Type })
	page, err := rq.view.List(rq.Context(), store.List{Limit: 20})
	if err != nil {
		return err
	}
	for _, o := range openAll(rq, page.Objects) {
		p.Latest = append(p.Latest, rq.hit(o))
	}
	if p.CanImport {
		for _, j := range rq.s.imports.of(rq.Who.Person) {
			p.Imports = append(p.Imports, j.row())
		}
		runs, err := intel.Runs(rq.Context(), rq.view, 10)
		if err != nil {
			return err
		}
		for _, r := range openAll(rq, runs) {
			p.Imports = append(p.Imports, ui.ImportRow{Name: untrusted.New(r.Name), Source: rq.s.bodyName(r.Source), At: r.At, State: "done", ID: r.ID, Done: int64(r.Objects), Total: int64(r.Objects), Refused: int64(r.Refused)})
		}
		for _, b := range rq.s.Directory.BodyChoices() {
			id := b.ID
			if id == rq.s.Register.House() {
				id = marking.Own
			}
			p.Sources = append(p.Sources, ui.Option{Value: id, Label: ui.Visible(b.Name)})
		}
	}
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Intelligence(&rq.out, p)
}

// search looks through objects, findings and incidents, each within what the role may open.
func (rq *Request) search() error {
	text := strings.TrimSpace(rq.FormValue("q"))
	p := ui.SearchPage{Asked: ui.Visible(text), Filter: ui.Filter{Action: "/search", Query: text}}
	if text == "" {
		p.Frame = rq.Frame(ui.PlaceIntelligence)
		return ui.Search(&rq.out, p)
	}
	text = refanged(text)
	total, more := 0, false
	if rq.Who.May(access.IncidentRead) {
		page, err := incident.List(rq.Context(), rq.view, incident.Query{Text: text, Limit: 10})
		if err != nil {
			return err
		}
		for _, i := range openAll(rq, page.Incidents) {
			p.Hits = append(p.Hits, ui.Hit{ID: i.ID, Type: "incident", Name: untrusted.New(i.Title), Alias: i.Number, Modified: i.Modified, Marking: markOf(i.Label), Href: ui.IncidentURL(i.ID)})
		}
		total, more = total+len(page.Incidents), more || page.Next != ""
	}
	if rq.Who.May(access.DetectionRead) {
		page, err := detect.Findings(rq.Context(), rq.view, detect.Query{Text: text, Limit: 10})
		if err != nil {
			return err
		}
		for _, f := range openAll(rq, page.Findings) {
			p.Hits = append(p.Hits, ui.Hit{ID: f.ID, Type: "finding", Name: untrusted.New(f.Title + " · " + f.Entity), Modified: f.Last, Marking: markOf(f.Label), Href: ui.FindingURL(f.ID)})
		}
		total, more = total+len(page.Findings), more || page.Next != ""
	}
	found, err := rq.view.Search(rq.Context(), text, nil, 100)
	if err != nil {
		return err
	}
	for _, o := range openAll(rq, found.Objects) {
		if o.Type != "incident" {
			p.Hits = append(p.Hits, rq.hit(o))
		}
	}
	if found.Newest {
		p.Partial = "There are too many matches to rank them: the newest stand first."
	}
	p.Pager = ui.Pager{Total: ui.Count{N: int64(total + found.Count), AtLeast: more || found.Count >= store.CountLimit}}
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Search(&rq.out, p)
}

// refanged undoes what people do to an address so that nobody follows it.
func refanged(s string) string {
	return strings.NewReplacer("hxxp", "http", "hXXp", "http", "[.]", ".", "(.)", ".", "[dot]", ".", "[:]", ":", "[://]", "://", "[@]", "@", "[at]", "@").Replace(s)
}

func (rq *Request) ofType(typ string) error {
	l := store.List{Type: typ, After: rq.FormValue("after"), Limit: 100}
	page, err := rq.view.List(rq.Context(), l)
	if err != nil {
		return err
	}
	counts, err := rq.view.CountTypes(rq.Context())
	if err != nil {
		return err
	}
	if counts[l.Type] == 0 {
		return store.ErrNotFound
	}
	p := ui.SearchPage{Type: l.Type, Filter: ui.Filter{Action: "/search"}, Pager: ui.Pager{Total: count(counts[l.Type])}}
	for _, o := range openAll(rq, page.Objects) {
		p.Hits = append(p.Hits, rq.hit(o))
	}
	if page.Next != "" {
		p.Pager.Next = rq.with("after", page.Next)
	}
	if l.After != "" {
		p.Pager.Prev = rq.with("after", "")
	}
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Search(&rq.out, p)
}

func (rq *Request) object() error {
	x, err := intel.Read(rq.Context(), rq.view, rq.sheet, rq.PathValue("id"))
	if err != nil {
		return err
	}
	o := x.Object
	p := ui.ObjectPage{ID: o.ID, Type: o.Type, Name: untrusted.New(o.Title), Alias: ui.Visible(x.External), About: untrusted.New(x.Description), MarkingOf: markOf(o.Label), Created: x.Created,
		Modified: o.Modified, Revoked: x.Revoked, Source: rq.s.bodyName(o.Source), JSON: untrusted.New(indented(o.Bytes))}
	p.Marked = ui.Why{Basis: "derived", Text: "The join of the object's own markings; where it has none, the level agreed with its source, else AMBER+STRICT."}
	for _, f := range x.Facts {
		p.Facts = append(p.Facts, ui.Fact{Name: ui.Visible(strings.TrimPrefix(strings.ReplaceAll(f.Path, "_", " "), "x mitre ")), Value: untrusted.New(strings.Join(f.Values, ", ")).Cut(4000)})
	}
	for _, g := range x.Relations {
		out := ui.RelationGroup{Verb: ui.Visible(strings.ReplaceAll(g.Rel, "-", " ")), Incoming: !g.Out, Total: ui.Count{N: int64(len(g.List)), AtLeast: g.More}}
		for _, r := range g.List {
			out.Rows = append(out.Rows, ui.Relation{ID: r.Other.ID, Type: r.Other.Type, Name: untrusted.New(r.Other.Title), Marking: markOf(r.Label)})
		}
		p.Relations = append(p.Relations, out)
	}
	for _, g := range x.Sightings {
		p.Sightings = append(p.Sightings, ui.Sighting{By: rq.s.bodyName(g.Source), Count: g.Count, First: g.First, Last: g.Last, Where: untrusted.New(strings.Join(g.Where, ", ")).Cut(1000), Marking: markOf(g.Label)})
	}
	for _, c := range x.Claims {
		out := ui.Claim{Source: rq.s.bodyName(c.Source), Version: c.Modified, Shown: c.Shown}
		if c.Shown {
			out.Versions = len(x.History)
		}
		if c.Confidence >= 0 {
			out.Confidence = fmt.Sprintf("%d of 100", c.Confidence)
		}
		p.Claims = append(p.Claims, out)
	}
	for _, v := range x.History {
		c := ui.Change{At: v.Stored, By: p.Source, Act: "stored the one version that it has"}
		if !v.Modified.IsZero() {
			c.Act = "version of " + v.Modified.Format("2006-01-02 15:04:05Z")
		}
		for _, d := range v.Changes {
			c.Diff = append(c.Diff, ui.FieldDiff{Field: ui.Visible(d.Path), Before: untrusted.New(d.Before), Now: untrusted.New(d.After)})
		}
		p.History = append(p.History, c)
	}
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Object(&rq.out, p)
}

func indented(raw []byte) string {
	v := jsontext.Value(bytes.Clone(raw))
	if v.Indent(jsontext.WithIndent("  ")) != nil {
		return string(raw)
	}
	return string(v)
}

func (rq *Request) rawObject() error {
	rel, err := rq.view.Get(rq.Context(), rq.PathValue("id"))
	if err != nil {
		return err
	}
	o := open(rq, rel)
	h := rq.w.Header()
	h.Set("Content-Type", "application/stix+json;version=2.1")
	h.Set("Content-Disposition", `attachment; filename="object.json"`)
	h.Set("Vigil-Marking", rq.sheet.Label().Words())
	_, err = rq.out.Write(o.Bytes)
	return err
}

// exportBundle streams everything that the person may see, or one type of it. The record has it before the bundle ends.
// It is a POST, since it leaves an entry: no link from elsewhere may make it.
func (rq *Request) exportBundle() error {
	sel := intel.Selection{Type: rq.FormValue("type")}
	label, err := intel.Ahead(rq.Context(), rq.view, sel)
	if err != nil {
		return err
	}
	h := rq.w.Header()
	h.Set("Content-Type", "application/stix+json;version=2.1")
	h.Set("Content-Disposition", `attachment; filename="bundle.json"`)
	h.Set("Cache-Control", "no-store")
	h.Set("Vigil-Marking", label.Words())
	rq.sent = true
	out, err := rq.s.Intel.Export(rq.Context(), rq.Who, rq.w, sel)
	if err != nil || out.Label.Join(label).Canon() != label.Canon() {
		panic(http.ErrAbortHandler) // the headers are out: only a broken answer tells that it is not whole, or stricter
	}
	return nil
}
