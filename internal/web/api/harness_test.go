package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"vigil/internal/access"
	"vigil/internal/blob"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/ingest"
	"vigil/internal/ingest/stream"
	"vigil/internal/intel"
	"vigil/internal/ledger"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
	"vigil/stix"
)

// world is the API over stores of its own, with one person for each role and a token each.
type world struct {
	t      testing.TB
	d      Deps
	http   http.Handler
	people map[access.Role]access.Principal
	tokens map[access.Role]string
	mu     sync.Mutex // guards now, which the ledger's own loop asks for too
	now    time.Time
}

const (
	partner     = "identity--0a0a0a0a-0000-4000-8000-000000000001"
	constituent = "identity--0a0a0a0a-0000-4000-8000-000000000002"
)

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	w := &world{t: t, now: time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC), people: map[access.Role]access.Principal{}, tokens: map[access.Role]string{}}
	clock := func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	reh, err := ledger.Rehearse(filepath.Join(dir, "witness"), "rehearsal.vigil.example", bytes.Repeat([]byte{7}, 32), clock)
	w.need(err)
	t.Cleanup(func() { reh.Close() })
	s, err := store.Open(ctx, store.Options{Dir: filepath.Join(dir, "store"), Schemas: []store.Schema{access.Schema, intel.Schema, ingest.Schema, detect.Schema, incident.Schema}, Now: clock, Policy: reh.Policy.ID()})
	w.need(err)
	t.Cleanup(func() { s.Close() })
	log, err := ledger.Open(ctx, ledger.Config{Dir: filepath.Join(dir, "ledger"), Now: clock, Origin: "rehearsal.vigil.example", Signer: reh.Signer, Policy: reh.Policy, Witnesses: reh.Witnesses})
	w.need(err)
	t.Cleanup(func() { log.Close() })
	st, err := stream.Open(ctx, stream.Config{Dir: filepath.Join(dir, "stream")})
	w.need(err)
	t.Cleanup(st.Close)
	d, err := access.New(ctx, s, access.Config{Origin: "http://127.0.0.1:8420", Demo: true})
	w.need(err)
	t.Cleanup(d.Close)
	blobs, err := blob.New(blob.Config{Dir: filepath.Join(dir, "evidence")})
	w.need(err)
	reg, err := ingest.OpenRegister(ctx, s, d.House())
	w.need(err)
	desk, err := incident.New(incident.Config{Store: s, Blobs: blobs, OrgName: d.BodyName, ReaderOf: d.ReaderOf, SourceOwner: func(string) string { return "" }})
	w.need(err)
	w.d = Deps{Store: s, Directory: d, Log: log, Register: reg, Detector: detect.New(s, st, reg), Desk: desk, Intel: intel.New(s)}
	w.http = d.Middleware(New(w.d))

	link, err := d.SetupLink(ctx)
	w.need(err)
	adminID, err := d.CompleteSetup(ctx, link, access.Body{Name: "National CSIRT of Halvern", Kind: "csirt"}, access.Person{Login: "admin", Name: "Ada Admin"}, "a sentence that nobody guesses")
	w.need(err)
	admin, err := d.DemoLogin(ctx, adminID)
	w.need(err)
	green := marking.Green
	_, err = d.AddBody(ctx, admin, access.Body{ID: partner, Name: "CSIRT of Lorrin", Kind: "partner", Agreement: "an agreement", Ceiling: marking.Green, Default: &green})
	w.need(err)
	_, err = d.AddBody(ctx, admin, access.Body{ID: constituent, Name: "Brightwater Harbour", Kind: "operator", Constituent: true, Agreement: "an agreement", Ceiling: marking.Amber})
	w.need(err)
	for _, role := range access.Roles() {
		id, body := adminID, d.House()
		switch role {
		case access.PartnerOfficer:
			body = partner
		case access.Constituent:
			body = constituent
		}
		if role != access.Administrator {
			id, err = d.AddPerson(ctx, admin, access.Person{Login: string(role), Name: "Person " + string(role), Body: body, Role: role})
			w.need(err)
		}
		who, err := d.DemoLogin(ctx, id)
		w.need(err)
		who.Means = "password" // whoever was picked at the door of an exercise makes no tokens
		w.people[role] = who
		w.tokens[role], err = d.AddToken(ctx, who, "test", 360*24*time.Hour)
		w.need(err)
	}
	return w
}

func (w *world) need(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// do sends a request as somebody; an empty role is nobody.
func (w *world) do(role access.Role, method, path string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8420"+path, body)
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+w.tokens[role])
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	out := httptest.NewRecorder()
	w.http.ServeHTTP(out, r)
	return out
}

func (w *world) get(role access.Role, path string) *httptest.ResponseRecorder {
	return w.do(role, http.MethodGet, "/api/v1"+path, nil)
}

func (w *world) post(role access.Role, path, body string) *httptest.ResponseRecorder {
	return w.do(role, http.MethodPost, "/api/v1"+path, strings.NewReader(body))
}

// into reads an answer of an expected status.
func into[T any](w *world, r *httptest.ResponseRecorder, status int) T {
	w.t.Helper()
	if r.Code != status {
		w.t.Fatalf("status %d, want %d: %s", r.Code, status, r.Body)
	}
	var v T
	if err := json.Unmarshal(r.Body.Bytes(), &v); err != nil {
		w.t.Fatalf("%v in %s", err, r.Body)
	}
	return v
}

// entries counts the entries of an action on the record.
func (w *world) entries(action string) int {
	w.t.Helper()
	v, err := w.d.Store.View(context.Background(), marking.System("test"))
	w.need(err)
	p, err := v.Entries(context.Background(), store.Entries{Action: action, Limit: 1000})
	w.need(err)
	return len(p.Entries)
}

// put stores an object as its source's.
func (w *world) put(source string, spec marking.Spec, typ string, props stix.Props) string {
	w.t.Helper()
	o, err := stix.Make(typ, w.now, props)
	w.need(err)
	_, err = w.d.Store.Record(context.Background(), store.Act{Reader: marking.System("test"), Actor: "system:test", Action: "test.put", Subject: string(o.ID), Purpose: "to test"}, func(tx *store.Tx) error {
		v, err := tx.Put(store.Put{Object: o, Source: source, Spec: spec, HasTLP: true})
		if err == nil && v.Outcome != store.Added {
			w.t.Errorf("%s: %s", v.Outcome, v.Reason)
		}
		return err
	})
	w.need(err)
	return string(o.ID)
}

// finds puts a finding there with one proving event, as the detector would.
func (w *world) finds(id, title string, spec marking.Spec) {
	w.t.Helper()
	l, err := marking.New(spec)
	w.need(err)
	rule := w.put(marking.Own, marking.Spec{TLP: marking.Clear}, "indicator", stix.Props{"name": "a rule", "pattern": "title: x", "pattern_type": "sigma", "valid_from": w.now, "indicator_types": []string{"malicious-activity"}})
	err = w.d.Store.Work(context.Background(), store.Lease{}, func(tx *store.WorkTx) error {
		mid, err := tx.Mark(l)
		if err != nil {
			return err
		}
		res, err := tx.Exec(`INSERT INTO finding(key, id, kind, rule, title, level, techniques, source, entity, value, day, first, last, n, state, reason, mid, chg)
			VALUES(?,?,'rule',?,?,3,'T1059.001','x-log-source--x','WS-\u202e17','','2026-11-23',?,?,1,'open','',?,(SELECT coalesce(max(chg),0)+1 FROM finding))`,
			[]byte(id), id, rule, title, w.now.UnixNano(), w.now.UnixNano(), mid)
		if err != nil {
			return err
		}
		fid, err := res.LastInsertId()
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO finding_event(fid, ref, at, mid, bytes) VALUES(?,?,?,?,?)`, fid, "0/1/1", w.now.UnixNano(), mid, []byte(`{"Computer":"WS-17","CommandLine":"<script>\u001b[31m"}`))
		return err
	})
	w.need(err)
}

func (w *world) source() string {
	w.t.Helper()
	id, _, err := w.d.Register.Add(context.Background(), w.people[access.Administrator], ingest.Source{Name: "Harbour hosts", Owner: constituent, Basis: "agreement", Purpose: "detect", Fields: []string{"process"},
		Retention: 24 * time.Hour, Expires: w.now.AddDate(1, 0, 0), Logsource: sigma.Logsource{Product: "windows"}, TLP: marking.Amber})
	w.need(err)
	return id
}

func gzipped(t testing.TB, s string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}
