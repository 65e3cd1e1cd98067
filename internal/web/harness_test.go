package web

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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
)

// testServer is a whole server on stores of its own, with one person for each role. Its clock stands until it is moved.
type testServer struct {
	*Server
	t      testing.TB
	http   http.Handler
	people map[access.Role]access.Principal
	cookie map[access.Role]*http.Cookie

	mu  sync.Mutex
	now time.Time
}

const (
	testPartner     = "identity--0a0a0a0a-0000-4000-8000-000000000001"
	testConstituent = "identity--0a0a0a0a-0000-4000-8000-000000000002"
	testPassword    = "a sentence that nobody guesses"
)

func newTestServer(t testing.TB) *testServer {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	ts := &testServer{t: t, now: time.Date(2026, 11, 23, 21, 0, 0, 0, time.UTC), people: map[access.Role]access.Principal{}, cookie: map[access.Role]*http.Cookie{}}
	need := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	clock := func() time.Time { ts.mu.Lock(); defer ts.mu.Unlock(); return ts.now }
	reh, err := ledger.Rehearse(filepath.Join(dir, "witness"), "rehearsal.vigil.example", bytes.Repeat([]byte{7}, 32), clock)
	need(err)
	t.Cleanup(func() { reh.Close() })
	s, err := store.Open(ctx, store.Options{Dir: filepath.Join(dir, "store"), Schemas: []store.Schema{access.Schema, intel.Schema, ingest.Schema, detect.Schema, incident.Schema}, Now: clock, Policy: reh.Policy.ID()})
	need(err)
	t.Cleanup(func() { s.Close() })
	log, err := ledger.Open(ctx, ledger.Config{Dir: filepath.Join(dir, "ledger"), Now: clock, Origin: "rehearsal.vigil.example", Signer: reh.Signer, Policy: reh.Policy, Witnesses: reh.Witnesses})
	need(err)
	t.Cleanup(func() { log.Close() })
	st, err := stream.Open(ctx, stream.Config{Dir: filepath.Join(dir, "stream")})
	need(err)
	t.Cleanup(st.Close)
	d, err := access.New(ctx, s, access.Config{Origin: "http://127.0.0.1:8420", Demo: true})
	need(err)
	t.Cleanup(d.Close)
	blobs, err := blob.New(blob.Config{Dir: filepath.Join(dir, "evidence")})
	need(err)
	reg, err := ingest.OpenRegister(ctx, s, d.House())
	need(err)
	desk, err := incident.New(incident.Config{Store: s, Blobs: blobs, OrgName: d.BodyName, ReaderOf: d.ReaderOf, SourceOwner: func(string) string { return "" }, MaxFile: 1 << 20})
	need(err)
	ts.Server = New(Config{Store: s, Directory: d, Log: log, Register: reg, Gateway: ingest.NewGateway(reg, st, s), Detector: detect.New(s, st, reg), Desk: desk, Intel: intel.New(s), Blobs: blobs, Demo: true})
	ts.http = ts.Handler()

	link, err := d.SetupLink(ctx)
	need(err)
	adminID, err := d.CompleteSetup(ctx, link, access.Body{Name: "National CSIRT of Halvern", Kind: "csirt"}, access.Person{Login: "admin", Name: "Ada Admin"}, testPassword)
	need(err)
	admin, err := d.DemoLogin(ctx, adminID)
	need(err)
	_, err = d.AddBody(ctx, admin, access.Body{ID: testPartner, Name: "CSIRT of Lorrin", Kind: "partner", Agreement: "an agreement", Ceiling: marking.Green})
	need(err)
	_, err = d.AddBody(ctx, admin, access.Body{ID: testConstituent, Name: "Brightwater Harbour", Kind: "operator", Constituent: true, Agreement: "an agreement", Ceiling: marking.Amber})
	need(err)
	for _, role := range access.Roles() {
		id, body := adminID, d.House()
		switch role {
		case access.PartnerOfficer:
			body = testPartner
		case access.Constituent:
			body = testConstituent
		}
		if role != access.Administrator {
			id, err = d.AddPerson(ctx, admin, access.Person{Login: string(role), Name: "Person " + string(role), Body: body, Role: role})
			need(err)
		}
		who, err := d.DemoLogin(ctx, id)
		need(err)
		text, err := d.Open(ctx, who, access.From{Address: "192.0.2.1", Device: "test"})
		need(err)
		ts.people[role], ts.cookie[role] = who, d.Cookie(text)
	}
	return ts
}

// do sends a request as somebody; an empty role is nobody.
func (ts *testServer) do(role access.Role, method, path, contentType string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8420"+path, body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if c := ts.cookie[role]; c != nil {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	ts.http.ServeHTTP(w, r)
	return w
}

func (ts *testServer) get(role access.Role, path string) *httptest.ResponseRecorder {
	return ts.do(role, http.MethodGet, path, "", nil)
}

// post sends a form of pairs: name, value.
func (ts *testServer) post(role access.Role, path string, pairs ...string) *httptest.ResponseRecorder {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return ts.do(role, http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(v.Encode()))
}

// opens makes an incident by hand, as the watch officer; mark nil is the default.
func (ts *testServer) opens(title string, mark *marking.Spec) string {
	ts.t.Helper()
	id, err := ts.Desk.Open(context.Background(), ts.people[access.WatchOfficer], incident.Draft{Title: title, Severity: detect.High, Reason: "to test", Narrative: "What is known.", Mark: mark})
	if err != nil {
		ts.t.Fatal(err)
	}
	return id
}

// entries counts the entries of an action on the record.
func (ts *testServer) entries(action string) int {
	ts.t.Helper()
	v, err := ts.Store.View(context.Background(), marking.System("test"))
	if err != nil {
		ts.t.Fatal(err)
	}
	p, err := v.Entries(context.Background(), store.Entries{Action: action, Limit: 1000})
	if err != nil {
		ts.t.Fatal(err)
	}
	return len(p.Entries)
}
