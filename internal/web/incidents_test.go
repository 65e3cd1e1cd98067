package web

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"vigil/internal/access"
	"vigil/internal/incident"
	"vigil/internal/marking"
)

func status(t *testing.T, got, want int, what string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: status %d, want %d", what, got, want)
	}
}

func TestPagesAnswerByRole(t *testing.T) {
	ts := newTestServer(t)
	for path, action := range map[string]access.Action{"/incidents": access.IncidentRead, "/people": access.PeopleRead} {
		for _, role := range access.Roles() {
			before := ts.entries("refused." + string(action))
			w := ts.get(role, path)
			if role.May(action) {
				status(t, w.Code, http.StatusOK, path+" as "+string(role))
				continue
			}
			status(t, w.Code, http.StatusForbidden, path+" as "+string(role))
			if n := ts.entries("refused." + string(action)); n != before+1 {
				t.Errorf("%s as %s: %d entries of the refusal, want one", path, role, n-before)
			}
		}
		w := ts.get("", path)
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/login?") {
			t.Errorf("%s as nobody: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
	}
}

func TestHiddenIncidentAnswersAsAbsent(t *testing.T) {
	ts := newTestServer(t)
	watch := ts.people[access.WatchOfficer].Person
	id := ts.opens("Only for one person", &marking.Spec{TLP: marking.Red, Audience: []string{marking.PersonPrincipal(watch)}})
	status(t, ts.get(access.WatchOfficer, "/incidents/"+id).Code, http.StatusOK, "who may read it")
	none := "incident--00000000-0000-4000-8000-000000000000"
	for _, more := range []string{"", "?lanes=tactic", "/timeline.csv"} {
		hidden, absent := ts.get(access.Analyst, "/incidents/"+id+more), ts.get(access.Analyst, "/incidents/"+none+more)
		status(t, hidden.Code, http.StatusNotFound, "hidden"+more)
		if hidden.Code != absent.Code || !bytes.Equal(hidden.Body.Bytes(), absent.Body.Bytes()) {
			t.Errorf("%q: a hidden incident answers otherwise than one that is not there", more)
		}
	}
	hidden, absent := ts.post(access.Analyst, "/incidents/"+id+"/notes", "text", "x"), ts.post(access.Analyst, "/incidents/"+none+"/notes", "text", "x")
	if hidden.Code != http.StatusNotFound || !bytes.Equal(hidden.Body.Bytes(), absent.Body.Bytes()) {
		t.Errorf("writing to a hidden incident: %d", hidden.Code)
	}
	if body := ts.get(access.Analyst, "/incidents").Body.String(); strings.Contains(body, "Only for one person") || strings.Contains(body, id) {
		t.Error("the list names a hidden incident")
	}
}

func TestChangesLandOnTheRecordOnce(t *testing.T) {
	ts := newTestServer(t)
	id := ts.opens("Harbour control: odd log-ins", nil)
	u := "/incidents/" + id
	before := ts.entries(string(access.IncidentChange))
	w := ts.post(access.WatchOfficer, u+"/state", "to", string(incident.Triage), "version", "1")
	status(t, w.Code, http.StatusSeeOther, "to triage")
	w = ts.post(access.WatchOfficer, u+"/state", "to", string(incident.Triage), "version", "1")
	status(t, w.Code, http.StatusConflict, "the same form again")
	w = ts.post(access.WatchOfficer, u+"/severity", "severity", "frightful", "reason", "x", "version", "2")
	status(t, w.Code, http.StatusUnprocessableEntity, "a severity that is none")
	if n := ts.entries(string(access.IncidentChange)) - before; n != 1 {
		t.Errorf("%d entries of changes, want 1", n)
	}
	before = ts.entries(string(access.IncidentTask))
	status(t, ts.post(access.Analyst, u+"/tasks", "text", "Call the harbour").Code, http.StatusSeeOther, "a task")
	status(t, ts.post(access.Analyst, u+"/observables", "type", "ipv4-addr", "value", "not one").Code, http.StatusUnprocessableEntity, "an observable that is none")
	if n := ts.entries(string(access.IncidentTask)) - before; n != 1 {
		t.Errorf("%d entries of tasks, want 1", n)
	}
	status(t, ts.post(access.LegalAdviser, u+"/notes", "text", "x").Code, http.StatusForbidden, "a note of who may only read")
	if ts.entries("refused."+string(access.IncidentTask)) != 1 {
		t.Error("the refused note is not on the record")
	}
}

func TestHostileTextIsInert(t *testing.T) {
	ts := newTestServer(t)
	id := ts.opens("Harbour control: odd log-ins", nil)
	hostile := "<script>alert(1)</script>\u202e <img src=x onerror=alert(1)> hx-get=/logout"
	status(t, ts.post(access.Analyst, "/incidents/"+id+"/notes", "text", hostile).Code, http.StatusSeeOther, "the note")
	status(t, ts.post(access.Analyst, "/incidents/"+id+"/observables", "type", "host", "value", "=cmd|<script>").Code, http.StatusSeeOther, "the observable")
	body := ts.get(access.Analyst, "/incidents/"+id).Body.String()
	for _, bad := range []string{"<script>alert", "<img src=x", "\u202e", "|<script>"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(body, "&lt;script&gt;alert(1)") {
		t.Error("the page does not show what was written")
	}
}

func upload(t testing.TB, content []byte, fields ...string) (string, *bytes.Buffer) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := m.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	f, err := m.CreateFormFile("file", "memory.raw")
	if err != nil {
		t.Fatal(err)
	}
	f.Write(content)
	m.Close()
	return m.FormDataContentType(), &b
}

// fileFirst puts the file before the fields, which is the order that the page's own form sends them in.
func TestEvidenceComesAndGoes(t *testing.T) {
	ts := newTestServer(t)
	id := ts.opens("Harbour control: odd log-ins", nil)
	fields := []string{"original", "yes", "place", "the harbour", "purpose", "to keep it"}
	typ, body := upload(t, []byte("<html>evidence"), fields...)
	status(t, ts.do(access.WatchOfficer, http.MethodPost, "/incidents/"+id+"/evidence", typ, body).Code, http.StatusSeeOther, "an upload")
	typ, body = upload(t, make([]byte, 1<<20+1), fields...)
	if w := ts.do(access.WatchOfficer, http.MethodPost, "/incidents/"+id+"/evidence", typ, body); w.Code < 400 || w.Code >= 500 {
		t.Errorf("a file beyond the limit: status %d", w.Code)
	}
	v, err := ts.Store.View(t.Context(), ts.people[access.WatchOfficer].Reader)
	if err != nil {
		t.Fatal(err)
	}
	items, err := incident.EvidenceOf(t.Context(), v, id)
	if err != nil || len(items) != 1 {
		t.Fatalf("%d items in custody, want 1 (%v)", len(items), err)
	}
	e := marking.Open(marking.NewSheet(v.Reader()), items[0])
	reads := ts.entries(string(access.EvidenceRead))
	w := ts.get(access.WatchOfficer, "/evidence/"+e.ID+"/file")
	h := w.Header()
	if w.Code != 200 || w.Body.String() != "<html>evidence" || h.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment") || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the copy: %d %q %v", w.Code, w.Body, h)
	}
	if n := ts.entries(string(access.EvidenceRead)) - reads; n != 1 {
		t.Errorf("%d entries of reading, want 1", n)
	}
	analyst := ts.people[access.Analyst].Person
	status(t, ts.post(access.WatchOfficer, "/evidence/"+e.ID+"/transfer", "to", analyst, "place", "the laboratory", "purpose", "examine it").Code, http.StatusSeeOther, "the offer")
	status(t, ts.post(access.Analyst, "/evidence/"+e.ID+"/accept", "seal", "A-1").Code, http.StatusSeeOther, "the other hand")
	rel, err := incident.GetEvidence(t.Context(), v, e.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := marking.Open(marking.NewSheet(v.Reader()), rel).Holder; got != analyst {
		t.Errorf("%s holds it, want %s", got, analyst)
	}
}

// The page's form sends its fields before the file, which is streamed and never held: the template keeps that order.
func TestThePagesOwnUploadFormWorks(t *testing.T) {
	ts := newTestServer(t)
	id := ts.opens("Harbour control: odd log-ins", nil)
	page := ts.get(access.WatchOfficer, "/incidents/"+id).Body.String()
	form := page[strings.Index(page, `/evidence"`):]
	file := strings.Index(form, `type="file"`)
	for _, field := range []string{`name="original"`, `name="place"`, `name="purpose"`, `name="tool"`, `name="seal"`} {
		if at := strings.Index(form, field); at < 0 || at > file {
			t.Errorf("%s stands behind the file in the form", field)
		}
	}
}

// endless is a body that counts how much of it was read, and ends beyond any bound that a form may have.
type endless struct {
	head []byte
	read int64
}

const beyond = 64 << 20

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	if e.read >= beyond {
		return 0, http.ErrBodyReadAfterClose
	}
	for i := range p {
		p[i] = 'a'
	}
	e.read += int64(len(p))
	return len(p), nil
}

func TestMultipartIsBoundedWhereNoFileBelongs(t *testing.T) {
	ts := newTestServer(t)
	id := ts.opens("Harbour control: odd log-ins", nil)
	for _, c := range []struct {
		role   access.Role
		method string
		path   string
	}{{"", "POST", "/login"}, {"", "GET", "/login"}, {"", "POST", "/theme"}, {access.LegalAdviser, "POST", "/incidents/" + id + "/evidence"}} {
		body := &endless{head: []byte("--b\r\nContent-Disposition: form-data; name=\"x\"; filename=\"x\"\r\n\r\n")}
		ts.do(c.role, c.method, c.path, "multipart/form-data; boundary=b", body)
		if body.read > 4*maxForm {
			t.Errorf("%s %s as %q read %d MiB of a form", c.method, c.path, c.role, body.read>>20)
		}
	}
}
