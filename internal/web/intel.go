package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/intel"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/internal/untrusted"
	"vigil/internal/web/ui"
	"vigil/stix"
)

func (s *Server) intelRoutes() []Route {
	return []Route{
		{Pattern: "GET /search", Action: access.IntelRead, handle: (*Request).search},
		{Pattern: "GET /intelligence", Action: access.IntelRead, handle: (*Request).intelligence},
		// One pattern for three: "types" and "imports" are no ids, and net/http wants to know which comes first.
		{Pattern: "GET /intelligence/{id}/{part}", Action: access.IntelRead, handle: (*Request).below},
		{Pattern: "GET /intelligence/{id}", Action: access.IntelRead, handle: (*Request).object},
		{Pattern: "GET /intelligence/export", Action: access.IntelExport, handle: (*Request).exportBundle},
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
	p := ui.IntelligencePage{CanImport: rq.Who.May(access.IntelImport)}
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
			p.Imports = append(p.Imports, ui.ImportRow{Name: untrusted.New(r.Name), Source: rq.s.bodyName(r.Source), At: r.At, State: "done", Done: int64(r.Objects), Total: int64(r.Objects), Refused: int64(r.Refused)})
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
	total := 0
	if rq.Who.May(access.IncidentRead) {
		page, err := incident.List(rq.Context(), rq.view, incident.Query{Text: text, Limit: 10})
		if err != nil {
			return err
		}
		for _, i := range openAll(rq, page.Incidents) {
			p.Hits = append(p.Hits, ui.Hit{ID: i.ID, Type: "incident", Name: untrusted.New(i.Title), Alias: i.Number, Modified: i.Modified, Marking: markOf(i.Label), Href: ui.IncidentURL(i.ID)})
			total++
		}
	}
	if rq.Who.May(access.DetectionRead) {
		page, err := detect.Findings(rq.Context(), rq.view, detect.Query{Text: text, Limit: 10})
		if err != nil {
			return err
		}
		for _, f := range openAll(rq, page.Findings) {
			p.Hits = append(p.Hits, ui.Hit{ID: f.ID, Type: "finding", Name: untrusted.New(f.Title + " · " + f.Entity), Modified: f.Last, Marking: markOf(f.Label), Href: ui.FindingURL(f.ID)})
			total++
		}
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
	p.Pager = ui.Pager{Total: ui.Count{N: int64(total + found.Count), AtLeast: found.Count >= store.CountLimit}}
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Search(&rq.out, p)
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
	id := rq.PathValue("id")
	rel, err := rq.view.Get(rq.Context(), id)
	if err != nil {
		return err
	}
	o := open(rq, rel)
	obj, _, err := stix.Parse(o.Bytes, stix.Options{Mode: stix.Lenient})
	if err != nil {
		return fmt.Errorf("reading %s: %w", id, err)
	}
	p := ui.ObjectPage{ID: o.ID, Type: o.Type, Name: untrusted.New(o.Title), MarkingOf: markOf(o.Label), Created: timeOf(obj.Created), Modified: o.Modified, Revoked: obj.Revoked, Source: rq.s.bodyName(o.Source)}
	for _, r := range obj.ExternalReferences {
		if r.ExternalID != "" {
			p.Alias = ui.Visible(r.ExternalID)
			break
		}
	}
	if about, ok := obj.String("description"); ok {
		p.About = untrusted.New(about)
	}
	p.Marked = ui.Why{Basis: "derived", Text: "The join of the object's own markings; where it has none, the level agreed with its source, else AMBER+STRICT."}
	p.Facts = facts(obj)
	if err := rq.relations(&p, id); err != nil {
		return err
	}
	lines, err := rq.view.Lines(rq.Context(), id)
	if err != nil {
		return err
	}
	for i, l := range openAll(rq, lines) {
		c := ui.Claim{Source: rq.s.bodyName(l.Source), Version: l.Modified, Versions: 1, Shown: i == 0}
		if lo, _, err := stix.Parse(l.Bytes, stix.Options{Mode: stix.Lenient}); err == nil && lo.Confidence >= 0 {
			c.Confidence = fmt.Sprintf("%d of 100", lo.Confidence)
		}
		p.Claims = append(p.Claims, c)
	}
	hist, err := rq.view.History(rq.Context(), id)
	if err != nil {
		return err
	}
	versions := openAll(rq, hist)
	for i, v := range versions {
		c := ui.Change{At: v.Stored, By: rq.s.bodyName(v.Source), Act: "version of " + v.Modified.Format("2006-01-02 15:04:05Z")}
		if i+1 < len(versions) {
			c.Diff = diff(versions[i+1].Bytes, v.Bytes)
		}
		p.History = append(p.History, c)
	}
	p.JSON = untrusted.New(indented(o.Bytes))
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Object(&rq.out, p)
}

func timeOf(t stix.Timestamp) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Time()
}

// shownApart are the properties that stand elsewhere on the page.
var shownApart = map[string]bool{"type": true, "spec_version": true, "id": true, "created": true, "modified": true, "name": true, "description": true, "object_marking_refs": true, "granular_markings": true, "revoked": true, "object_refs": true}

// facts lists an object's own properties in the order of its bytes.
func facts(o *stix.Object) []ui.Fact {
	var out []ui.Fact
	_ = members(o.Raw, func(name string, v jsontext.Value) {
		if shownApart[name] || len(out) >= 60 {
			return
		}
		text := string(v)
		if v.Kind() == '"' {
			if b, err := jsontext.AppendUnquote(nil, v); err == nil {
				text = string(b)
			}
		}
		out = append(out, ui.Fact{Name: ui.Visible(strings.NewReplacer("_", " ", "x mitre", "").Replace(name)), Value: untrusted.New(text).Cut(4000)})
	})
	return out
}

// members walks the top level of an object's JSON.
func members(raw []byte, f func(name string, v jsontext.Value)) error {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		v, err := dec.ReadValue()
		if err != nil {
			return err
		}
		f(key, v)
	}
	return nil
}

// diff names the properties that two versions do not share.
func diff(before, now []byte) []ui.FieldDiff {
	was := map[string]string{}
	_ = members(before, func(n string, v jsontext.Value) { was[n] = string(v) })
	var out []ui.FieldDiff
	_ = members(now, func(n string, v jsontext.Value) {
		if old, ok := was[n]; !ok || old != string(v) {
			out = append(out, ui.FieldDiff{Field: ui.Visible(n), Before: untrusted.New(old), Now: untrusted.New(string(v))})
		}
		delete(was, n)
	})
	for n, old := range was {
		out = append(out, ui.FieldDiff{Field: ui.Visible(n), Before: untrusted.New(old)})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Field < out[j].Field })
	return out
}

func indented(raw []byte) string {
	v := jsontext.Value(bytes.Clone(raw))
	if v.Indent(jsontext.WithIndent("  ")) != nil {
		return string(raw)
	}
	return string(v)
}

func (rq *Request) relations(p *ui.ObjectPage, id string) error {
	edges, err := rq.view.Edges(rq.Context(), id, 50)
	if err != nil {
		return err
	}
	groups := map[string]*ui.RelationGroup{}
	var order []string
	for _, rel := range edges {
		e := open(rq, rel)
		if e.Other.Type == "sighting" && !e.Out {
			p.Sightings = append(p.Sightings, ui.Sighting{By: rq.s.bodyName(e.Other.Source), Count: 1, First: e.Other.Modified, Last: e.Other.Modified, Marking: markOf(rel.Label())})
			continue
		}
		key := fmt.Sprint(e.Out, e.Rel)
		g := groups[key]
		if g == nil {
			g = &ui.RelationGroup{Verb: ui.Visible(strings.ReplaceAll(e.Rel, "-", " ")), Incoming: !e.Out}
			groups[key] = g
			order = append(order, key)
		}
		g.Rows = append(g.Rows, ui.Relation{ID: e.Other.ID, Type: e.Other.Type, Name: untrusted.New(e.Other.Title), Marking: markOf(rel.Label())})
		g.Total.N++
	}
	sort.Strings(order)
	for _, k := range order {
		g := groups[k]
		if len(g.Rows) >= 50 {
			g.Total.AtLeast = true
		}
		p.Relations = append(p.Relations, *g)
	}
	return nil
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
func (rq *Request) exportBundle() error {
	h := rq.w.Header()
	h.Set("Content-Type", "application/stix+json;version=2.1")
	h.Set("Content-Disposition", `attachment; filename="bundle.json"`)
	h.Set("Cache-Control", "no-store")
	rq.sent = true
	if _, err := rq.s.Intel.Export(rq.Context(), rq.Who, rq.w, intel.Selection{Type: rq.FormValue("type")}); err != nil {
		panic(http.ErrAbortHandler) // the headers are out: only a broken answer tells that it is not whole
	}
	return nil
}

// imports are the imports that pages have started and that have not been forgotten: the newest of each person.
type imports struct {
	mu   sync.Mutex
	jobs map[string]*importJob
}

type importJob struct {
	mu       sync.Mutex
	id, by   string
	source   string
	label    marking.Label
	verdicts []intel.Verdict
	p        ui.ImportProgress
}

const maxJobs = 200

func (i *imports) init() { i.jobs = map[string]*importJob{} }

func (i *imports) add(j *importJob) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.jobs) >= maxJobs {
		for id, old := range i.jobs {
			if old.progress().State != "running" {
				delete(i.jobs, id)
			}
		}
	}
	i.jobs[j.id] = j
}

// of gives a person's imports that still run.
func (i *imports) of(person string) []*importJob {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []*importJob
	for _, j := range i.jobs {
		if j.by == person && j.progress().State == "running" {
			out = append(out, j)
		}
	}
	return out
}

func (i *imports) get(id, person string) (*importJob, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	j, ok := i.jobs[id]
	return j, ok && j.by == person
}

func (j *importJob) progress() ui.ImportProgress {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.p
}

func (j *importJob) row() ui.ImportRow {
	p := j.progress()
	return ui.ImportRow{ID: j.id, Name: p.Name, Source: p.Source, At: p.Started, State: p.State, Done: p.Done, Total: p.Total, Refused: p.Refused}
}

const maxUpload = 512 << 20

// importBundle takes an upload and imports it in the background; its page shows how far it has come.
func (rq *Request) importBundle() error {
	rq.Body = http.MaxBytesReader(rq.w, rq.Body, maxUpload)
	parts, err := rq.MultipartReader()
	if err != nil {
		return &Invalid{Why: "a bundle is sent as a form with a file", Back: "/intelligence"}
	}
	source, name := "", "bundle"
	var data []byte
	for range 8 {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		} else if err != nil {
			return &Invalid{Why: "the upload was cut short: " + err.Error(), Back: "/intelligence"}
		}
		switch part.FormName() {
		case "source":
			b, err := io.ReadAll(io.LimitReader(part, 200))
			if err != nil {
				return &Invalid{Why: "the upload was cut short", Back: "/intelligence"}
			}
			source = string(b)
		case "file":
			name = part.FileName()
			if data, err = io.ReadAll(part); err != nil {
				return &Invalid{Why: "the upload was cut short, or is larger than 512 MiB", Back: "/intelligence"}
			}
		}
	}
	known := source == marking.Own
	opt := intel.Options{Source: source, Name: name}
	if !known {
		b, err := rq.s.Directory.BodyByID(rq.Context(), source)
		if err != nil {
			return &Invalid{Why: "say whose objects these are: choose a body", Back: "/intelligence"}
		}
		if b.Default != nil {
			opt.DefaultTLP, opt.HasDefault = *b.Default, true
		}
	}
	if len(data) == 0 {
		return &Invalid{Why: "there was no file in the form, or it is empty", Back: "/intelligence"}
	}
	j := &importJob{id: stix.NewID("x-import").UUID(), by: rq.Who.Person, source: source, label: marking.Everyone()}
	j.p = ui.ImportProgress{ID: j.id, Name: untrusted.New(name), Source: rq.s.bodyName(source), State: "running", Started: rq.s.Store.Now(), Bytes: int64(len(data))}
	rq.s.imports.add(j)
	who := rq.Who
	ctx := context.WithoutCancel(rq.Context())
	begin := time.Now()
	opt.Progress = func(p intel.Progress) {
		j.mu.Lock()
		j.p.Done, j.p.Took = int64(p.Read), time.Since(begin)
		j.mu.Unlock()
	}
	go func() {
		sum, err := rq.s.Intel.Import(ctx, who, bytes.NewReader(data), opt)
		j.mu.Lock()
		defer j.mu.Unlock()
		j.p.State, j.p.Took, j.p.Done, j.p.Total = "done", time.Since(begin), int64(sum.Objects), int64(sum.Objects)
		j.p.Added, j.p.Same = int64(sum.Counts[store.Added]), int64(sum.Counts[store.Unchanged])
		j.p.Newer = int64(sum.Counts[store.Versioned] + sum.Counts[store.Older] + sum.Counts[store.Relayed])
		j.p.Refused = int64(sum.Counts[store.Refused] + sum.Counts[store.Conflict])
		j.verdicts, j.label = sum.Verdicts, sum.Label
		if err != nil {
			j.p.State, j.p.Trouble = "stopped", ui.Visible(err.Error())
		}
	}()
	rq.redirect(ui.ImportURL(j.id))
	return nil
}

func (rq *Request) importPage(id string) error {
	j, ok := rq.s.imports.get(id, rq.Who.Person)
	if !ok {
		return store.ErrNotFound
	}
	p := ui.ImportPage{Progress: j.progress()}
	j.mu.Lock()
	verdicts, label := j.verdicts, j.label
	j.mu.Unlock()
	if rel, ok := marking.Release(rq.Who.Reader, label, verdicts); ok {
		for _, v := range open(rq, rel) {
			reason := v.Reason
			if reason == "" && len(v.Notes) > 0 {
				reason = strings.Join(v.Notes, "; ")
			}
			p.Verdicts = append(p.Verdicts, ui.Verdict{N: int64(v.Index) + 1, ID: untrusted.New(v.ID), What: v.Outcome.String(), Reason: ui.Visible(reason)})
		}
	}
	p.Pager = ui.Pager{Total: count(len(p.Verdicts))}
	p.Frame = rq.Frame(ui.PlaceIntelligence)
	return ui.Import(&rq.out, p)
}

func (rq *Request) importProgress() error {
	j, ok := rq.s.imports.get(rq.PathValue("id"), rq.Who.Person)
	if !ok {
		return store.ErrNotFound
	}
	p := j.progress()
	p.Now = rq.s.Store.Now()
	return ui.ImportStatus(&rq.out, p)
}
