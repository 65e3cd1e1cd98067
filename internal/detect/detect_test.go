package detect

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"vigil/internal/access"
	"vigil/internal/ingest"
	"vigil/internal/ingest/stream"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
	"vigil/stix"
)

var t0 = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const house, harbour = "identity--00000000-0000-4000-8000-000000000001", "identity--00000000-0000-4000-8000-000000000002"

type bench struct {
	t        testing.TB
	dir      string
	store    *store.Store
	stream   *stream.Stream
	register *ingest.Register
	gateway  *ingest.Gateway
	detector *Detector
	stop     context.CancelFunc
	done     chan error
}

func person(t testing.TB, role access.Role) access.Principal {
	t.Helper()
	r, err := marking.NewReader(marking.Identity{Person: "person--" + string(role), Org: house, OwnStaff: true})
	if err != nil {
		t.Fatal(err)
	}
	return access.Principal{Person: "person--" + string(role), Body: house, Role: role, Reader: r, Means: "test"}
}

// start opens store, stream and detector on a directory, as a process would.
func start(t testing.TB, dir string) *bench {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b := &bench{t: t, dir: dir, stop: cancel, done: make(chan error, 1)}
	var err error
	if b.store, err = store.Open(ctx, store.Options{Dir: dir + "/store", Schemas: []store.Schema{ingest.Schema, Schema}, Now: func() time.Time { return t0.Add(time.Hour) }}); err != nil {
		t.Fatal(err)
	}
	if b.stream, err = stream.Open(ctx, stream.Config{Dir: dir + "/stream"}); err != nil {
		t.Fatal(err)
	}
	if b.register, err = ingest.OpenRegister(ctx, b.store, house); err != nil {
		t.Fatal(err)
	}
	b.gateway = ingest.NewGateway(b.register, b.stream, b.store)
	b.detector = New(b.store, b.stream, b.register)
	t.Cleanup(b.close)
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	stop := b.stop
	b.stop = func() { cancel(); stop() }
	go func() { b.done <- b.detector.Run(ctx) }()
}

func (b *bench) close() {
	if b.store == nil {
		return
	}
	b.stop()
	b.stream.Close()
	b.store.Close()
	b.store = nil
}

func (b *bench) source(name string, ls sigma.Logsource, tlp marking.TLP) (id, token string) {
	b.t.Helper()
	id, token, err := b.register.Add(context.Background(), person(b.t, access.Administrator), ingest.Source{Name: name, Owner: harbour, Basis: "consent", Purpose: "to test", Fields: []string{"all"},
		Retention: 24 * time.Hour, Expires: t0.Add(1000 * time.Hour), Logsource: ls, TLP: tlp})
	if err != nil {
		b.t.Fatal(err)
	}
	return id, token
}

const lsassRule = `title: LSASS memory read
id: 5c11a1f0-0000-4000-8000-000000000001
status: test
level: high
logsource: {product: windows, category: process_access}
detection:
  sel: {TargetImage|endswith: '\lsass.exe'}
  condition: sel
tags: [attack.t1003.001]
`

func (b *bench) rule() string {
	b.t.Helper()
	vs, err := b.detector.AddRules(context.Background(), person(b.t, access.Analyst), "lsass.yml", []byte(lsassRule), marking.Green)
	if err != nil || len(vs) != 1 || vs[0].Outcome != store.Added {
		b.t.Fatalf("%+v %v", vs, err)
	}
	return vs[0].ID
}

func (b *bench) indicator(value string, tlp stix.ID) {
	b.t.Helper()
	raw := fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"%s","created":"2026-02-01T00:00:00.000Z","modified":"2026-02-01T00:00:00.000Z","name":"loader host","pattern":"[domain-name:value = '%s']","pattern_type":"stix","valid_from":"2026-02-01T00:00:00Z","valid_until":"2026-04-01T00:00:00Z","object_marking_refs":["%s"]}`, stix.NewID("indicator"), value, tlp)
	o, _, err := stix.Parse([]byte(raw), stix.Options{Mode: stix.Lenient})
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = b.store.Record(context.Background(), store.Act{Reader: marking.System("test"), Actor: "test", Action: "test.put", Subject: "x", Purpose: "test"}, func(tx *store.Tx) error {
		_, err := tx.Put(store.Put{Object: o, Source: "lorrin"})
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) send(token, batch string, lines ...string) ingest.Verdict {
	b.t.Helper()
	src, err := b.register.Authenticate(context.Background(), token)
	if err != nil {
		b.t.Fatal(err)
	}
	v, err := b.gateway.Take(context.Background(), src, batch, strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// settled waits until the cursors stand at the stream's end.
func (b *bench) settled() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		changed := b.store.Changed()
		behind := false
		for p := range b.stream.Partitions() {
			_, pos, err := b.store.Cursor(ctx, cursorName(p))
			if err != nil {
				b.t.Fatal(err)
			}
			_, last, err := b.stream.Bounds(ctx, p)
			if err != nil {
				b.t.Fatal(err)
			}
			behind = behind || uint64(pos) < last
		}
		if !behind {
			return
		}
		select {
		case <-changed:
		case err := <-b.done:
			b.t.Fatalf("the detector stopped: %v", err)
		case <-ctx.Done():
			b.t.Fatal("the detector does not catch up")
		}
	}
}

func (b *bench) findings(r marking.Reader) []Finding {
	b.t.Helper()
	v, err := b.store.View(context.Background(), r)
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := Findings(context.Background(), v, Query{})
	if err != nil {
		b.t.Fatal(err)
	}
	var out []Finding
	for _, f := range p.Findings {
		out = append(out, marking.Open(marking.NewSheet(r), f))
	}
	return out
}

func lsassEvent(n int) string {
	return fmt.Sprintf(`{"UtcTime":"2026-03-01 00:%02d:%02d.000","Channel":"Microsoft-Windows-Sysmon/Operational","EventID":10,"Hostname":"HA-OPS-07","SourceImage":"C:\\x.exe","TargetImage":"C:\\Windows\\System32\\lsass.exe","n":%d}`, n/60%60, n%60, n)
}

var sysmon = sigma.Logsource{Product: "windows", Service: "sysmon"}

func TestEventsBecomeOneFindingExactlyOnce(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	_, token := b.source("Harbour Windows", sysmon, marking.Amber)
	rule := b.rule()
	b.run()
	var lines []string
	for i := range 250 {
		lines = append(lines, lsassEvent(i))
	}
	if v := b.send(token, "b-1", lines...); v.Accepted != 250 {
		t.Fatalf("%+v", v)
	}
	b.settled()
	// The same batch again, and a restart in between: nothing counts twice.
	if v := b.send(token, "b-1", lines...); !v.Repeated {
		t.Errorf("%+v", v)
	}
	b.settled()
	b.close()
	b = start(t, dir)
	b.run()
	b.send(token, "b-2", lsassEvent(250))
	b.settled()
	fs := b.findings(person(t, access.WatchOfficer).Reader)
	if len(fs) != 1 {
		t.Fatalf("%d findings: %+v", len(fs), fs)
	}
	f := fs[0]
	if f.Count != 251 || f.Rule != rule || f.Entity != "HA-OPS-07" || f.Level != High || f.Techniques[0] != "T1003.001" || !f.First.Equal(t0) || !f.Last.Equal(t0.Add(250*time.Second)) {
		t.Errorf("%+v", f)
	}
	if f.Label.TLP() != marking.Amber {
		t.Errorf("the finding carries %s, want the join of rule (GREEN) and events (AMBER)", f.Label.Words())
	}
	v, err := b.store.View(context.Background(), person(t, access.WatchOfficer).Reader)
	if err != nil {
		t.Fatal(err)
	}
	evs, err := Events(context.Background(), v, f.ID)
	if err != nil || len(evs) != 20 {
		t.Fatalf("%d events prove it, want the first and last ten (%v)", len(evs), err)
	}
	sheet := marking.NewSheet(v.Reader())
	if first, last := marking.Open(sheet, evs[0]), marking.Open(sheet, evs[19]); string(first.Bytes) != lsassEvent(0) || string(last.Bytes) != lsassEvent(250) {
		t.Errorf("first %s\nlast %s", first.Bytes, last.Bytes)
	}
}

func TestIndicatorValidityLabelAndWarninglist(t *testing.T) {
	b := start(t, t.TempDir())
	_, token := b.source("Harbour proxy", sigma.Logsource{Category: "proxy"}, marking.Green)
	b.indicator("cdn-harbour.example", stix.TLP2AmberStrict)
	b.indicator("tiles.maps.example", stix.TLP2Green)
	if err := b.detector.SetWarninglist(context.Background(), person(t, access.WatchOfficer), Warninglist{Name: "well known", Kind: "domain", Values: []string{"maps.example"}}); err != nil {
		t.Fatal(err)
	}
	b.run()
	b.send(token, "",
		`{"@timestamp":"2026-03-01T00:00:01Z","Hostname":"HA-PROXY-02","cs-host":"CDN-harbour.example"}`,
		`{"@timestamp":"2026-05-01T00:00:01Z","Hostname":"HA-PROXY-02","cs-host":"cdn-harbour.example"}`,
		`{"@timestamp":"2026-03-01T00:00:02Z","Hostname":"HA-PROXY-02","cs-host":"tiles.maps.example"}`,
		`{"@timestamp":"2026-03-01T00:00:02Z","Hostname":"HA-PROXY-02","cs-host":"other.example"}`)
	b.settled()
	fs := b.findings(person(t, access.WatchOfficer).Reader)
	if len(fs) != 2 {
		t.Fatalf("%d findings: %+v", len(fs), fs)
	}
	for _, f := range fs {
		switch f.Value {
		case "cdn-harbour.example":
			if f.Count != 1 || f.State != "open" || f.Label.TLP() != marking.AmberStrict {
				t.Errorf("%+v %s", f, f.Label.Words())
			}
		case "tiles.maps.example":
			if f.State != "suppressed" || !strings.Contains(f.Reason, "well known") {
				t.Errorf("%+v", f)
			}
		}
	}
	partner, err := marking.NewReader(marking.Identity{Person: "tess", Org: "tessary", Agreement: true, Ceiling: marking.Amber})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.findings(partner) {
		if f.Value == "cdn-harbour.example" {
			t.Error("a partner sees the finding of an indicator that another shared strictly")
		}
	}
}

func TestSwitchedOffAndJudged(t *testing.T) {
	b := start(t, t.TempDir())
	_, token := b.source("Harbour Windows", sysmon, marking.Amber)
	rule := b.rule()
	if err := b.detector.SwitchRule(context.Background(), person(t, access.Overseer), rule, false, "because"); err == nil {
		t.Error("an overseer switched a rule")
	}
	b.run()
	b.send(token, "", lsassEvent(1))
	b.settled()
	if err := b.detector.SwitchRule(context.Background(), person(t, access.Analyst), rule, false, "noisy"); err != nil {
		t.Fatal(err)
	}
	b.send(token, "", lsassEvent(2))
	b.settled()
	fs := b.findings(person(t, access.WatchOfficer).Reader)
	if len(fs) != 1 || fs[0].Count != 1 {
		t.Fatalf("%+v", fs)
	}
	if err := b.detector.Judge(context.Background(), person(t, access.WatchOfficer), fs[0].ID, "benign", ""); err == nil {
		t.Error("judged without a reason")
	}
	if err := b.detector.Judge(context.Background(), person(t, access.WatchOfficer), fs[0].ID, "benign", "the administrator's tool"); err != nil {
		t.Fatal(err)
	}
	if f := b.findings(person(t, access.WatchOfficer).Reader)[0]; f.State != "benign" || f.Change <= fs[0].Change {
		t.Errorf("%+v", f)
	}
}

func TestUnregisteredAndLapsedAreRefusedAndRecorded(t *testing.T) {
	b := start(t, t.TempDir())
	ctx := context.Background()
	id, token := b.source("Harbour gate", sysmon, marking.Amber)
	if err := b.register.Change(ctx, person(t, access.Administrator), id, "active", t0, "the pilot ended"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := b.register.Authenticate(ctx, token); err == nil {
			t.Fatal("a lapsed source was accepted")
		}
		if _, err := b.register.Authenticate(ctx, "vls_nobody"); err == nil {
			t.Fatal("an unregistered source was accepted")
		}
	}
	v, err := b.store.View(ctx, marking.System("test"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := v.Entries(ctx, store.Entries{Action: "refused.*"})
	if err != nil || len(p.Entries) != 2 {
		t.Errorf("%d refusals on the record, want one for each reason (%v)", len(p.Entries), err)
	}
}

func TestWipedStreamIsRefused(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	_, token := b.source("Harbour Windows", sysmon, marking.Amber)
	b.run()
	b.send(token, "", lsassEvent(1))
	b.settled()
	b.close()
	b = start(t, dir)
	other, err := stream.Open(context.Background(), stream.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	if err := New(b.store, other, b.register).Check(context.Background()); err == nil {
		t.Error("a wiped stream was accepted")
	}
}

func TestBadLinesDoNotCostTheGood(t *testing.T) {
	b := start(t, t.TempDir())
	_, token := b.source("Harbour Windows", sysmon, marking.Amber)
	long := `{"a":"` + strings.Repeat("x", ingest.MaxLine) + `"}`
	v := b.send(token, "", `{"a":1}`, `{"a":`, "{\"a\":\"\xff\"}", `{"a":1,"a":2}`, long, strings.Repeat("[", 100), ``, `{"b":2}`)
	if v.Accepted != 2 || v.Refused != 5 {
		t.Fatalf("%+v", v)
	}
	for i, want := range []struct {
		line   int
		reason string
	}{{2, "ends"}, {3, "UTF-8"}, {4, "twice"}, {5, "bytes"}, {6, "object"}} {
		if p := v.Problems[i]; p.Line != want.line || !strings.Contains(p.Reason, want.reason) {
			t.Errorf("problem %d: %+v, want line %d: %s", i, p, want.line, want.reason)
		}
	}
}

// BenchmarkEventToFinding measures from delivery to kept findings, with one rule that fires on one event in a hundred.
func BenchmarkEventToFinding(b *testing.B) {
	bn := start(b, b.TempDir())
	_, token := bn.source("Harbour Windows", sysmon, marking.Amber)
	bn.rule()
	bn.run()
	var body bytes.Buffer
	const n = 5000
	for i := range n {
		line := lsassEvent(i)
		if i%100 != 0 {
			line = strings.Replace(line, "lsass", "notepad", 1)
		}
		body.WriteString(line + "\n")
	}
	src, err := bn.register.Authenticate(context.Background(), token)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(body.Len()))
	for b.Loop() {
		if _, err := bn.gateway.Take(context.Background(), src, "", bytes.NewReader(body.Bytes())); err != nil {
			b.Fatal(err)
		}
		bn.settled()
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "events/s")
}
