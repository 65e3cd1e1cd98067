package incident

import (
	"context"
	"strings"
	"testing"
	"time"

	"vigil/internal/access"
	"vigil/internal/blob"
	"vigil/internal/detect"
	"vigil/internal/exercise"
	"vigil/internal/ingest"
	"vigil/internal/ingest/stream"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
	"vigil/stix"
)

// Tonight's events, matched by the product's own engine, open one incident that holds all that was found, and none of what
// is benign. Batches of different sizes, and sources that run ahead of others, change nothing of that.
func TestTonightIsOneIncident(t *testing.T) {
	if testing.Short() {
		t.Skip("plays tens of thousands of events")
	}
	ctx := context.Background()
	start := time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC)
	s, err := store.Open(ctx, store.Options{Dir: t.TempDir(), Schemas: []store.Schema{ingest.Schema, detect.Schema, Schema}, Now: func() time.Time { return start }})
	ok(t, err)
	defer s.Close()
	house := "csirt"
	reg, err := ingest.OpenRegister(ctx, s, house)
	ok(t, err)
	st, err := stream.Open(ctx, stream.Config{Dir: t.TempDir(), NoSync: true})
	ok(t, err)
	defer st.Close()
	blobs, err := blob.New(blob.Config{Dir: t.TempDir()})
	ok(t, err)
	admin := access.Principal{Person: "kas", Role: access.Administrator, Reader: as(t, "yara").Reader}
	analyst := access.Principal{Person: "mira", Role: access.Analyst, Reader: as(t, "yara").Reader}

	world, bySource := exercise.TheWorld(), map[string]string{}
	for _, src := range world.Sources {
		if src.Expires < 0 {
			continue
		}
		id, _, err := reg.Add(ctx, admin, ingest.Source{Name: src.Name, Owner: src.Owner, Basis: src.Basis, Purpose: src.Purpose, Fields: src.Fields, Retention: src.Retention,
			Expires: start.Add(src.Expires), Logsource: sigma.Logsource{Product: src.Product, Service: src.Service, Category: src.Category}, TLP: marking.Amber})
		ok(t, err)
		bySource[src.ID] = id
	}
	det := detect.New(s, st, reg)
	ok(t, det.Refresh(ctx))
	for _, r := range exercise.Rules() {
		verdicts, err := det.AddRules(ctx, analyst, r.File, r.YAML, marking.Amber)
		ok(t, err)
		for _, v := range verdicts {
			if v.Outcome != store.Added {
				t.Fatalf("%s: %s %s", r.File, v.Outcome, v.Reason)
			}
		}
	}
	list := exercise.Warninglist()
	ok(t, det.SetWarninglist(ctx, analyst, detect.Warninglist{Name: list.Name, Kind: "domain", Values: list.List}))
	for _, ind := range exercise.Indicators() {
		id, err := stix.ParseID(ind.ID)
		ok(t, err)
		o, err := stix.Make("indicator", start.Add(-9*24*time.Hour), stix.Props{"id": id, "name": ind.Key, "pattern": ind.Pattern, "pattern_type": "stix", "valid_from": start.Add(-9 * 24 * time.Hour), "indicator_types": []string{"malicious-activity"}})
		ok(t, err)
		_, err = s.Record(ctx, store.Act{Reader: marking.System("test"), Actor: "test", Action: "test.put", Subject: ind.ID, Purpose: "to test"}, func(tx *store.Tx) error {
			_, err := tx.Put(store.Put{Object: o, Source: ind.Source, Spec: marking.Spec{TLP: marking.AmberStrict}, HasTLP: true})
			return err
		})
		ok(t, err)
	}
	ok(t, det.Refresh(ctx))
	if d := det.Dropped(); len(d) > 0 {
		t.Fatalf("not matched: %v", d)
	}
	desk, err := New(Config{Store: s, Blobs: blobs, ReaderOf: readerOf,
		SourceOwner: func(id string) string { src, _ := reg.ByID(id); return src.Owner },
		OrgName: func(id string) string {
			for _, b := range world.Bodies {
				if b.ID == id {
					return b.Name
				}
			}
			return ""
		}})
	ok(t, err)

	run, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- det.Run(run) }()
	total := uint64(0)
	pending := map[string][][]byte{}
	flush := func(src string) {
		_, err := st.Publish(ctx, bySource[src], "", start, pending[src])
		ok(t, err)
		delete(pending, src)
	}
	gather := func() {
		for {
			more, err := desk.Step(ctx)
			ok(t, err)
			if !more {
				return
			}
		}
	}
	hours := 0
	last := start.Add(-49 * time.Hour)
	for e := range exercise.Events(1, start) {
		if e.At.Sub(last) > time.Hour { // the opener looks between whiles, at what happens to be matched by then
			last = e.At
			if hours++; hours%6 == 0 {
				gather()
			}
		}
		total++
		pending[e.Source] = append(pending[e.Source], e.Line)
		if len(pending[e.Source]) == 500 {
			flush(e.Source)
		}
	}
	for src := range pending {
		flush(src)
	}
	for det.Matched() < total {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-s.Changed():
		}
	}
	stop()
	<-done
	gather()

	v, err := s.View(ctx, marking.System("test"))
	ok(t, err)
	var open []Incident
	for _, i := range opened(v, must(List(ctx, v, Query{}))(t).Incidents) {
		t.Logf("%s %s %s %q, %s to %s", i.Number, i.State, i.Severity, i.Title, i.First.Sub(start), i.Last.Sub(start))
		if i.State.Open() {
			open = append(open, i)
		}
	}
	if len(open) != 1 {
		t.Fatalf("%d open incidents, want one", len(open))
	}
	i := open[0]
	if i.Severity != detect.Critical || i.Org != "harbour" || i.Title != "Harbour Authority: Memory of the credential process read, as far as exfiltration" {
		t.Errorf("%s %s %q", i.Severity, i.Org, i.Title)
	}
	names := map[string]string{}
	for _, r := range exercise.Rules() {
		names["indicator--"+r.ID] = r.Name
	}
	for _, ind := range exercise.Indicators() {
		names[ind.ID] = ind.Key
	}
	found := map[string]int64{}
	for _, f := range opened(v, must(Findings(ctx, v, i.ID))(t)) {
		name := names[f.Rule] + " on " + f.Entity
		if f.Context {
			name = "beside: " + name
		}
		found[name] += f.Count
	}
	for _, o := range exercise.Expected() {
		name := o.Rule + o.Indicator + " on " + o.Host
		if o.Suppressed {
			name = "beside: " + name
		}
		if found[name] < int64(o.Min) {
			t.Errorf("%s: %d events, want %d", name, found[name], o.Min)
		}
		delete(found, name)
	}
	for name, n := range found {
		t.Errorf("%s: %d events, and the story does not have it", name, n)
	}
	tl := marking.Open(marking.NewSheet(v.Reader()), must(TimelineOf(ctx, v, i.ID, "host"))(t))
	t.Logf("lanes %s, %d marks, %d ticks, %d links", strings.Join(tl.Lanes, " "), len(tl.Marks), len(tl.Ticks), len(tl.Links))
	if len(tl.Lanes) != 9 {
		t.Errorf("%d lanes, want one for each host: %s", len(tl.Lanes), tl.Lanes)
	}
}
