package incident

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vigil/internal/access"
	"vigil/internal/blob"
	"vigil/internal/detect"
	"vigil/internal/ingest"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// world is a store with a desk, a clock that stands until it is moved, and people.
type world struct {
	t     testing.TB
	s     *store.Store
	b     *blob.Store
	d     *Desk
	now   time.Time
	chg   int64
	rules map[string]string // title to object id

	blobDir string
}

const (
	harbour = "identity--0a0a0a0a-0000-4000-8000-000000000001"
	ferries = "identity--0a0a0a0a-0000-4000-8000-000000000002"
)

var people = map[string]struct {
	role access.Role
	id   marking.Identity
}{
	"ines":  {access.WatchOfficer, marking.Identity{Org: "csirt", OwnStaff: true}},
	"yara":  {access.WatchOfficer, marking.Identity{Org: "csirt", OwnStaff: true, Compartments: []string{"harbour-case"}}},
	"mira":  {access.Analyst, marking.Identity{Org: "csirt", OwnStaff: true}},
	"petra": {access.PoliceLiaison, marking.Identity{Org: "police", Constituent: true, Agreement: true, Ceiling: marking.Red}},
	"hanne": {access.Constituent, marking.Identity{Org: harbour, Constituent: true, Agreement: true, Ceiling: marking.AmberStrict}},
	"pia":   {access.Constituent, marking.Identity{Org: ferries, Constituent: true, Agreement: true, Ceiling: marking.AmberStrict}},
	"tomas": {access.ProgrammeManager, marking.Identity{Org: "csirt", OwnStaff: true}},
}

func readerOf(_ context.Context, person string) (marking.Reader, error) {
	p, ok := people[person]
	if !ok {
		return marking.Reader{}, store.ErrNotFound
	}
	p.id.Person = person
	return marking.NewReader(p.id)
}

func as(t testing.TB, person string) access.Principal {
	t.Helper()
	r, err := readerOf(context.Background(), person)
	if err != nil {
		t.Fatal(err)
	}
	return access.Principal{Person: person, Name: person, Body: people[person].id.Org, Role: people[person].role, Reader: r, Means: "password"}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC), rules: map[string]string{}}
	var err error
	w.s, err = store.Open(context.Background(), store.Options{Dir: t.TempDir(), Schemas: []store.Schema{ingest.Schema, detect.Schema, Schema}, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.s.Close() })
	w.blobDir = t.TempDir()
	if w.b, err = blob.New(blob.Config{Dir: w.blobDir}); err != nil {
		t.Fatal(err)
	}
	w.d, err = New(Config{Store: w.s, Blobs: w.b, ReaderOf: readerOf, Settle: time.Nanosecond,
		SourceOwner: func(s string) string { return map[string]string{"win": harbour, "proxy": harbour, "ferry": ferries}[s] },
		OrgName:     func(o string) string { return map[string]string{harbour: "Harbour Authority", ferries: "Ferries"}[o] }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// label is a label of the house's own, or of a source.
func label(t testing.TB, s marking.Spec) marking.Label {
	t.Helper()
	if s.Source == "" {
		s.Source = marking.Own
	}
	l, err := marking.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// rule gives the object of a rule, public, made once.
func (w *world) rule(title string) string {
	if id := w.rules[title]; id != "" {
		return id
	}
	o, err := stix.Make("indicator", w.now, stix.Props{"name": title, "pattern": "title: " + title, "pattern_type": "sigma", "valid_from": w.now, "indicator_types": []string{"malicious-activity"}})
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.s.Record(context.Background(), store.Act{Reader: marking.System("test"), Actor: "test", Action: "test.rule", Subject: title, Purpose: "to test"}, func(tx *store.Tx) error {
		_, err := tx.Put(store.Put{Object: o, Source: marking.Own, Spec: marking.Spec{TLP: marking.Clear}, HasTLP: true})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.rules[title] = string(o.ID)
	return string(o.ID)
}

// finding is what a test says of one; the rest is usual.
type finding struct {
	id, rule, kind, source, host, state string
	level                               detect.Level
	techniques                          string
	ago                                 time.Duration // before the world's now
	label                               marking.Label
	events                              []string // further fields of each proving event, as JSON members
}

// finds puts a finding there, or changes it, as the detector would.
func (w *world) finds(f finding) string {
	w.t.Helper()
	if f.rule == "" {
		f.rule = "rule of " + f.id
	}
	if f.kind == "" {
		f.kind = "rule"
	}
	if f.source == "" {
		f.source = "win"
	}
	if f.state == "" {
		f.state = "open"
	}
	if !f.label.Valid() {
		f.label = label(w.t, marking.Spec{TLP: marking.Amber, Source: harbour})
	}
	if len(f.events) == 0 {
		f.events = []string{""}
	}
	object := w.rule(f.rule)
	at := w.now.Add(-f.ago)
	w.chg++
	err := w.s.Work(context.Background(), store.Lease{}, func(tx *store.WorkTx) error {
		mid, err := tx.Mark(f.label)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO finding(key, id, kind, rule, title, level, techniques, source, entity, value, day, first, last, n, state, reason, mid, chg) VALUES(?,?,?,?,?,?,?,?,?,'',?,?,?,?,?,'',?,?)
			ON CONFLICT(id) DO UPDATE SET state=excluded.state, level=excluded.level, last=excluded.last, n=n+1, mid=excluded.mid, chg=excluded.chg`,
			[]byte(f.id), f.id, f.kind, object, f.rule, int(f.level), f.techniques, f.source, f.host, at.Format("2006-01-02"), at.UnixNano(), at.UnixNano(), len(f.events), f.state, mid, w.chg)
		if err != nil {
			return err
		}
		for n, more := range f.events {
			raw := fmt.Sprintf(`{"@timestamp":%q,"Hostname":%q%s}`, at.Format(time.RFC3339), f.host, more)
			if _, err := tx.Exec(`INSERT OR IGNORE INTO finding_event(fid, ref, at, mid, bytes) VALUES((SELECT fid FROM finding WHERE id=?),?,?,?,?)`, f.id, fmt.Sprint(n), at.UnixNano(), mid, []byte(raw)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return f.id
}

// gather runs the opener until it has nothing to do.
func (w *world) gather() {
	w.t.Helper()
	for range 100 {
		more, err := w.d.Step(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if !more {
			return
		}
	}
	w.t.Fatal("the opener does not come to rest")
}

func (w *world) view(person string) *store.View {
	w.t.Helper()
	r := marking.System("test")
	if person != "" {
		r = as(w.t, person).Reader
	}
	v, err := w.s.View(context.Background(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// incidents gives what a person sees, newest first; "" is the system.
func (w *world) incidents(person string, q Query) []Incident {
	w.t.Helper()
	v := w.view(person)
	p, err := List(context.Background(), v, q)
	if err != nil {
		w.t.Fatal(err)
	}
	return opened(v, p.Incidents)
}

func opened[T any](v *store.View, in []marking.Released[T]) []T {
	out := make([]T, 0, len(in))
	for _, r := range in {
		out = append(out, marking.Open(marking.NewSheet(v.Reader()), r))
	}
	return out
}

// one is the only incident there is.
func (w *world) one() Incident {
	w.t.Helper()
	all := w.incidents("", Query{})
	if len(all) != 1 {
		w.t.Fatalf("%d incidents, want one: %+v", len(all), all)
	}
	return all[0]
}

func (w *world) get(person, id string) (Incident, error) {
	w.t.Helper()
	v := w.view(person)
	rel, err := Get(context.Background(), v, id)
	if err != nil {
		return Incident{}, err
	}
	return marking.Open(marking.NewSheet(v.Reader()), rel), nil
}

// linked names an incident's findings, those beside it in brackets.
func (w *world) linked(id string) string {
	w.t.Helper()
	v := w.view("")
	fs, err := Findings(context.Background(), v, id)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, f := range opened(v, fs) {
		if f.Context {
			out = append(out, "("+f.ID+")")
		} else {
			out = append(out, f.ID)
		}
	}
	return strings.Join(out, " ")
}

// entries counts the record.
func (w *world) entries() int {
	w.t.Helper()
	n := 0
	for after := ""; ; {
		p, err := w.view("").Entries(context.Background(), store.Entries{After: after, Limit: 1000})
		if err != nil {
			w.t.Fatal(err)
		}
		n += len(p.Entries)
		if after = p.Next; after == "" {
			return n
		}
	}
}

func want(t testing.TB, err, is error) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Errorf("got the error %v, want %v", err, is)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
