package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
	"vigil/internal/marking"
	"vigil/stix"
)

func label(tlp marking.TLP) marking.Spec { return marking.Spec{TLP: tlp, Source: marking.Own} }

// red is for the watch officer alone.
func (w *world) red() marking.Spec {
	return marking.Spec{TLP: marking.Red, Source: marking.Own, Audience: []string{marking.PersonPrincipal(w.people[access.WatchOfficer].Person)}}
}

// fill makes one of everything that the analyst sees, and one of everything that only the watch officer does.
type filled struct{ finding, incident, object, source, hiddenFinding, hiddenIncident, hiddenObject string }

func (w *world) fill() filled {
	w.t.Helper()
	f := filled{finding: "finding--0011", hiddenFinding: "finding--0022", source: w.source()}
	w.finds(f.finding, "A \u202eshell <b>", label(marking.Amber))
	w.finds(f.hiddenFinding, "Nobody else's", w.red())
	open := func(title string, mark *marking.Spec, findings ...string) string {
		id, err := w.d.Desk.Open(context.Background(), w.people[access.WatchOfficer], incident.Draft{Title: title, Severity: detect.High, Findings: findings, Mark: mark})
		w.need(err)
		return id
	}
	red := w.red()
	f.incident, f.hiddenIncident = open("Harbour: odd log-ins", nil, f.finding), open("Hidden", &red, f.hiddenFinding)
	f.object = w.put(partner, marking.Spec{TLP: marking.Green}, "malware", stix.Props{"name": "PAPER SLUICE", "is_family": true})
	f.hiddenObject = w.put(marking.Own, w.red(), "malware", stix.Props{"name": "PAPER SLUICE hidden", "is_family": false})
	return f
}

func (f filled) path(p string) string {
	switch {
	case strings.HasPrefix(p, "/api/v1/findings"):
		p = strings.Replace(p, "{id}", f.finding, 1)
	case strings.HasPrefix(p, "/api/v1/incidents"):
		p = strings.Replace(p, "{id}", f.incident, 1)
	case strings.HasPrefix(p, "/api/v1/objects"):
		p = strings.Replace(p, "{id}", f.object, 1)
	case strings.HasPrefix(p, "/api/v1/sources"):
		p = strings.Replace(p, "{id}", f.source, 1)
	case p == "/api/v1/search":
		p += "?q=paper"
	}
	return strings.Replace(p, "{seq}", "1", 1)
}

// TestWhoMay walks every route as every role and as nobody.
func TestWhoMay(t *testing.T) {
	w := newWorld(t)
	f := w.fill()
	for _, r := range Routes() {
		path := f.path(r.Path)
		if r.Open {
			if a := w.do("", r.Method, path, nil); a.Code != http.StatusOK {
				t.Errorf("%s %s to nobody: %d", r.Method, path, a.Code)
			}
			continue
		}
		if a := w.do("", r.Method, path, nil); a.Code != http.StatusUnauthorized || a.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s to nobody: %d", r.Method, path, a.Code)
		}
		for _, role := range access.Roles() {
			if r.Action == "" || role.May(r.Action) {
				if a := w.do(role, r.Method, path, nil); a.Code == http.StatusForbidden || a.Code == http.StatusUnauthorized || a.Code >= 500 {
					t.Errorf("%s %s as %s: %d %s", r.Method, path, role, a.Code, a.Body)
				}
				continue
			}
			w.mu.Lock()
			w.now = w.now.Add(11 * time.Minute)
			w.mu.Unlock()
			before := w.entries("refused." + string(r.Action))
			var first []byte
			for range 2 {
				a := w.do(role, r.Method, path, strings.NewReader("{nonsense"))
				if a.Code != http.StatusForbidden || a.Header().Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s %s as %s: %d", r.Method, path, role, a.Code)
				}
				if first != nil && !bytes.Equal(first, a.Body.Bytes()) {
					t.Errorf("%s %s as %s: two refusals differ", r.Method, path, role)
				}
				first = a.Body.Bytes()
			}
			if n := w.entries("refused."+string(r.Action)) - before; n != 1 {
				t.Errorf("%s %s as %s: %d entries of two refusals, want one", r.Method, path, role, n)
			}
		}
	}
}

// TestHiddenIsAbsent: status, headers and body are the same.
func TestHiddenIsAbsent(t *testing.T) {
	w := newWorld(t)
	f := w.fill()
	for _, c := range []struct{ method, path, hidden, absent, body string }{
		{"GET", "/findings/%s", f.hiddenFinding, "finding--0099", ""},
		{"GET", "/findings/%s/events", f.hiddenFinding, "finding--0099", ""},
		{"POST", "/findings/%s/judgement", f.hiddenFinding, "finding--0099", `{"state":"benign","reason":"x"}`},
		{"GET", "/incidents/%s", f.hiddenIncident, "incident--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/incidents/%s/timeline", f.hiddenIncident, "incident--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/incidents/%s/findings", f.hiddenIncident, "incident--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/incidents/%s/tasks", f.hiddenIncident, "incident--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/incidents/%s/notes", f.hiddenIncident, "incident--00000000-0000-4000-8000-000000000000", ""},
		{"POST", "/incidents/%s/tasks", f.hiddenIncident, "incident--00000000-0000-4000-8000-000000000000", `{"title":"x"}`},
		{"POST", "/incidents/%s/notes", f.hiddenIncident, "incident--00000000-0000-4000-8000-000000000000", `{"text":"x"}`},
		{"GET", "/objects/%s", f.hiddenObject, "malware--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/objects/%s/raw", f.hiddenObject, "malware--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/objects/%s/lines", f.hiddenObject, "malware--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/objects/%s/history", f.hiddenObject, "malware--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/objects/%s/edges", f.hiddenObject, "malware--00000000-0000-4000-8000-000000000000", ""},
		{"GET", "/record/%s", fmt.Sprint(w.entries("*")), "999999", ""},
	} {
		ask := func(id string) *httptest.ResponseRecorder {
			if c.method == "GET" {
				return w.get(access.Analyst, fmt.Sprintf(c.path, id))
			}
			return w.post(access.Analyst, fmt.Sprintf(c.path, id), c.body)
		}
		before := w.entries("*")
		hidden, absent := ask(c.hidden), ask(c.absent)
		if strings.HasPrefix(c.path, "/record") && hidden.Code == http.StatusOK {
			continue // the last entry is one that the analyst sees
		}
		if hidden.Code != http.StatusNotFound || absent.Code != hidden.Code || !bytes.Equal(hidden.Body.Bytes(), absent.Body.Bytes()) || fmt.Sprint(hidden.Header()) != fmt.Sprint(absent.Header()) {
			t.Errorf("%s %s: hidden %d %s %v; absent %d %s %v", c.method, c.path, hidden.Code, hidden.Body, hidden.Header(), absent.Code, absent.Body, absent.Header())
		}
		if w.entries("*") != before {
			t.Errorf("%s %s left entries", c.method, c.path)
		}
		if c.method == "GET" && !strings.HasPrefix(c.path, "/record") {
			if a := w.get(access.WatchOfficer, fmt.Sprintf(c.path, c.hidden)); a.Code != http.StatusOK || a.Header().Get(Header) != "TLP:RED" {
				t.Errorf("%s to who may read it: %d, %q", c.path, a.Code, a.Header().Get(Header))
			}
		}
	}
	for _, path := range []string{"/findings", "/incidents", "/objects", "/search?q=paper", "/types", "/record?limit=1000", "/findings?q=Nobody"} {
		a := w.get(access.Analyst, path)
		for _, secret := range []string{f.hiddenFinding, f.hiddenIncident, f.hiddenObject, "Nobody else", "PAPER SLUICE hidden"} {
			if strings.Contains(a.Body.String(), secret) {
				t.Errorf("%s tells of %q", path, secret)
			}
		}
		if a.Header().Get(Header) == "TLP:RED" {
			t.Errorf("%s is marked %s", path, a.Header().Get(Header))
		}
	}
}

func TestFindings(t *testing.T) {
	w := newWorld(t)
	f := w.fill()
	l := into[List[map[string]any]](w, w.get(access.Analyst, "/findings?state=open&min_level=high"), 200)
	if len(l.Items) != 1 || l.Items[0]["id"] != f.finding || l.Items[0]["title"] != "A \u202eshell <b>" {
		t.Fatalf("%v", l)
	}
	a := w.get(access.Analyst, "/findings/"+f.finding+"/events")
	if a.Code != 200 || strings.ContainsAny(a.Body.String(), "<>\x1b\u202e") || a.Header().Get(Header) != "TLP:AMBER" {
		t.Errorf("%d %s %s", a.Code, a.Header().Get(Header), a.Body)
	}
	before := w.entries(string(access.FindingJudge))
	got := into[map[string]any](w, w.post(access.Analyst, "/findings/"+f.finding+"/judgement", `{"state":"benign","reason":"a drill"}`), 200)
	if got["state"] != "benign" || got["reason"] != "a drill" || w.entries(string(access.FindingJudge)) != before+1 {
		t.Errorf("%v", got)
	}
	for i := range 5 {
		w.finds(fmt.Sprintf("finding--1%d", i), "more", label(marking.Amber))
	}
	seen, after := map[string]bool{}, ""
	for range 10 {
		l := into[List[map[string]any]](w, w.get(access.Analyst, "/findings?limit=2&after="+after), 200)
		for _, x := range l.Items {
			seen[x["id"].(string)] = true
		}
		if after = l.Next; after == "" {
			break
		}
	}
	if len(seen) != 6 {
		t.Errorf("paging saw %d of 6", len(seen))
	}
	first := into[List[map[string]any]](w, w.get(access.Analyst, "/findings?limit=2"), 200)
	if a := w.get(access.WatchOfficer, "/findings?limit=2&after="+first.Next); a.Code != http.StatusBadRequest || !strings.Contains(a.Body.String(), "query.after") {
		t.Errorf("somebody else's token: %d %s", a.Code, a.Body)
	}
}

func TestIncidents(t *testing.T) {
	w := newWorld(t)
	f := w.fill()
	u := "/incidents/" + f.incident
	l := into[List[map[string]any]](w, w.get(access.Analyst, "/incidents?state=open"), 200)
	if len(l.Items) != 1 || l.Items[0]["id"] != f.incident {
		t.Fatalf("%v", l)
	}
	i := into[map[string]any](w, w.post(access.WatchOfficer, u+"/state", `{"to":"triage","revision":1}`), 200)
	if i["state"] != "triage" || i["revision"].(float64) != 2 {
		t.Errorf("%v", i)
	}
	for body, want := range map[string]int{
		`{"to":"containment","revision":1}`: http.StatusConflict, `{"to":"new","revision":2}`: http.StatusConflict,
		`{"to":"nowhere","revision":2}`: http.StatusUnprocessableEntity, `{"to":"containment"}`: http.StatusUnprocessableEntity,
	} {
		if a := w.post(access.WatchOfficer, u+"/state", body); a.Code != want {
			t.Errorf("%s: %d %s", body, a.Code, a.Body)
		}
	}
	if got := into[map[string]any](w, w.post(access.WatchOfficer, u+"/severity", `{"severity":"critical","reason":"the harbour stands still","revision":2}`), 200); got["severity"] != "critical" {
		t.Errorf("%v", got)
	}
	me := w.people[access.WatchOfficer].Person
	if got := into[map[string]any](w, w.post(access.WatchOfficer, u+"/owner", `{"owner":"`+me+`","revision":3}`), 200); got["owner"] != me {
		t.Errorf("%v", got)
	}
	task := into[Made](w, w.post(access.Analyst, u+"/tasks", `{"title":"call the harbour","due":"2026-11-24T06:00:00Z"}`), 201)
	got := into[List[map[string]any]](w, w.post(access.Analyst, u+"/tasks/"+task.ID, `{"done":true}`), 200)
	if len(got.Items) != 1 || got.Items[0]["done"] == nil {
		t.Errorf("%v", got)
	}
	into[Made](w, w.post(access.Analyst, u+"/notes", `{"text":"<img src=x> was in the log"}`), 201)
	a := w.get(access.Analyst, u+"/notes")
	if notes := into[List[map[string]any]](w, a, 200); len(notes.Items) != 1 || notes.Items[0]["text"] != "<img src=x> was in the log" || strings.Contains(a.Body.String(), "<img") {
		t.Errorf("%s", a.Body)
	}
	if tl := into[map[string]any](w, w.get(access.Analyst, u+"/timeline?by=tactic"), 200); len(tl["marks"].([]any)) != 1 || len(tl["ticks"].([]any)) != 1 {
		t.Errorf("%v", tl)
	}
	if fs := into[List[map[string]any]](w, w.get(access.Analyst, u+"/findings"), 200); len(fs.Items) != 1 {
		t.Errorf("%v", fs)
	}
	made := into[map[string]any](w, w.post(access.WatchOfficer, "/incidents", `{"title":"By hand","severity":"low"}`), 201)
	if a := w.get(access.Analyst, "/incidents/"+made["id"].(string)); a.Code != 200 || a.Header().Get(Header) != "TLP:AMBER+STRICT" {
		t.Errorf("%d %s", a.Code, a.Header().Get(Header))
	}
}

const bundleText = `{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[
{"type":"malware","spec_version":"2.1","id":"malware--31b940d4-6f7f-459a-80ea-9c1f17b58abc","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"QUIET  LOOM","is_family":true},
{"type":"malware","spec_version":"2.1","id":"malware--no-uuid","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"bad","is_family":true},
{"type":"tool","spec_version":"2.1","id":"tool--31b940d4-6f7f-459a-80ea-9c1f17b58abe","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"a tool"},
{"type":"relationship","spec_version":"2.1","id":"relationship--31b940d4-6f7f-459a-80ea-9c1f17b58abf","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","relationship_type":"uses","source_ref":"malware--31b940d4-6f7f-459a-80ea-9c1f17b58abc","target_ref":"tool--31b940d4-6f7f-459a-80ea-9c1f17b58abe"}]}`

func TestIntelligence(t *testing.T) {
	w := newWorld(t)
	in := into[map[string]any](w, w.post(access.Analyst, "/import?source="+partner+"&name=b.json", bundleText), 200)
	counts := in["counts"].(map[string]any)
	if in["objects"].(float64) != 4 || counts["added"].(float64) != 3 || counts["refused"].(float64) != 1 || len(in["verdicts"].([]any)) != 1 {
		t.Fatalf("%v", in)
	}
	again := into[map[string]any](w, w.do(access.Analyst, "POST", "/api/v1/import?source="+partner, gzipped(t, bundleText)), 200)
	if c := again["counts"].(map[string]any); c["unchanged"].(float64) != 3 || c["added"] != nil {
		t.Errorf("again: %v", c)
	}
	id := "malware--31b940d4-6f7f-459a-80ea-9c1f17b58abc"
	a := w.get(access.PartnerOfficer, "/objects/"+id+"/raw")
	stored := strings.TrimSuffix(strings.Split(bundleText, "\n")[1], ",")
	if a.Code != 200 || a.Body.String() != stored || a.Header().Get(Header) != "TLP:GREEN" || !strings.HasPrefix(a.Header().Get("Content-Type"), "application/stix+json") {
		t.Errorf("%d %v %s", a.Code, a.Header(), a.Body)
	}
	for path, want := range map[string]int{"/objects?type=malware": 1, "/objects?source=" + partner: 3, "/objects/" + id + "/lines": 1, "/objects/" + id + "/history": 1, "/objects/" + id + "/edges": 1, "/search?q=loom": 1, "/search?q=loom&type=tool": 0, "/types": 3} {
		if l := into[List[any]](w, w.get(access.Analyst, path), 200); len(l.Items) != want {
			t.Errorf("%s: %v", path, l)
		}
	}
	before := w.entries(string(access.IntelExport))
	w.put(marking.Own, w.red(), "malware", stix.Props{"name": "hidden", "is_family": false})
	out := w.post(access.Analyst, "/export", `{"type":"malware"}`)
	if out.Code != 200 || !strings.Contains(out.Body.String(), stored) || strings.Contains(out.Body.String(), "hidden") || out.Header().Get(Header) != "TLP:GREEN" || w.entries(string(access.IntelExport)) != before+1 {
		t.Errorf("%d %v %s", out.Code, out.Header(), out.Body)
	}
	if _, _, err := stix.Parse([]byte(stored), stix.Options{}); err != nil {
		t.Error(err)
	}
	if out := w.post(access.WatchOfficer, "/export", `{}`); out.Header().Get(Header) != "TLP:RED" || !strings.Contains(out.Body.String(), "hidden") {
		t.Errorf("%v", out.Header())
	}
	for what, body := range map[string]string{"empty": "", "cut short": bundleText[:600], "no JSON": "hello", "gzip that is none": "\x1f\x8bxxxx"} {
		a := w.post(access.Analyst, "/import?source="+partner, body)
		p := into[huma.ErrorModel](w, a, 422)
		if len(p.Errors) != 1 || p.Errors[0].Location != "body" || p.Errors[0].Message == "" {
			t.Errorf("%s: %s", what, a.Body)
		}
	}
	if a := w.post(access.Analyst, "/import?source=identity--nobody", bundleText); a.Code != 422 || !strings.Contains(a.Body.String(), "query.source") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

func TestSources(t *testing.T) {
	w := newWorld(t)
	body := `{"name":"Crane gateway","owner":"` + constituent + `","basis":"agreement","purpose":"detect","fields":["flows"],"retention_days":30,"expires":"2027-06-30T00:00:00Z","category":"firewall","tlp":"TLP:AMBER"}`
	made := into[map[string]any](w, w.post(access.Administrator, "/sources", body), 201)
	if !strings.HasPrefix(made["token"].(string), "vls_") {
		t.Errorf("%v", made)
	}
	id := made["source"].(map[string]any)["id"].(string)
	a := w.get(access.Analyst, "/sources/"+id)
	if a.Code != 200 || strings.Contains(a.Body.String(), "vls_") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if l := into[List[Source]](w, w.get(access.Analyst, "/sources"), 200); len(l.Items) != 1 || l.Items[0].TLP != "TLP:AMBER" {
		t.Errorf("%v", l)
	}
	if s := into[Source](w, w.post(access.Administrator, "/sources/"+id+"/state", `{"state":"suspended","reason":"maintenance"}`), 200); s.State != "suspended" || !s.Expires.Equal(time.Date(2027, 6, 30, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v", s)
	}
	if a := w.post(access.Administrator, "/sources/x-log-source--none/state", `{"state":"suspended","reason":"maintenance"}`); a.Code != 404 {
		t.Errorf("%d", a.Code)
	}
	for from, to := range map[string][2]string{
		`"name":"Crane gateway"`: {`"name":"Crane gateway"`, "body.name"}, `"expires":"2027-06-30T00:00:00Z"`: {`"expires":"2020-06-30T00:00:00Z"`, "body.expires"},
		`"retention_days":30`: {`"retention_days":0`, "body.retention_days"}, `"fields":["flows"]`: {`"fields":[""]`, "body.fields"}, `"purpose":"detect"`: {`"purpose":" "`, "body.purpose"},
		constituent: {"identity--nobody", "body.owner"},
	} {
		a := w.post(access.Administrator, "/sources", strings.Replace(body, from, to[0], 1))
		if a.Code != 422 || !strings.Contains(a.Body.String(), to[1]) {
			t.Errorf("%s: %d %s", to[0], a.Code, a.Body)
		}
	}
}

func TestRecord(t *testing.T) {
	w := newWorld(t)
	w.fill()
	l := into[List[map[string]any]](w, w.get(access.Overseer, "/record?action=incident.*"), 200)
	if len(l.Items) != 1 || l.Items[0]["action"] != string(access.IncidentOpen) {
		t.Fatalf("%v", l)
	}
	seq := fmt.Sprint(l.Items[0]["seq"])
	e := into[map[string]any](w, w.get(access.Overseer, "/record/"+seq), 200)
	if leaf, err := base64.StdEncoding.DecodeString(e["leaf"].(string)); err != nil || len(leaf) == 0 || len(e["fields"].([]any)) == 0 {
		t.Errorf("%v", e)
	}
	if a := w.get(access.Overseer, "/record/"+seq+"/receipt"); a.Code != http.StatusConflict {
		t.Errorf("a receipt before the entry is in the ledger: %d", a.Code)
	}
	if _, err := w.d.Store.AppendWaiting(context.Background(), w.d.Log, 1000); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	after := into[map[string]any](w, w.get(access.Overseer, "/record/"+seq), 200)
	w.need(w.d.Log.Await(ctx, uint64(after["index"].(float64))))
	a := w.get(access.Overseer, "/record/"+seq+"/receipt")
	if a.Code != 200 || !strings.HasPrefix(a.Header().Get("Content-Type"), "text/plain") || a.Body.Len() == 0 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	for _, bad := range []string{"0", "-1", "x", "99999999999999999999"} {
		if a := w.get(access.Overseer, "/record/"+bad); a.Code != 404 {
			t.Errorf("/record/%s: %d", bad, a.Code)
		}
	}
}

func TestMe(t *testing.T) {
	w := newWorld(t)
	m := into[Me](w, w.get(access.Constituent, "/me"), 200)
	if m.Person != w.people[access.Constituent].Person || m.Role != string(access.Constituent) || m.Means != "token" || len(m.Actions) == 0 {
		t.Errorf("%+v", m)
	}
}

// TestBadInput: each a problem that names place and reason, and echoes nothing.
func TestBadInput(t *testing.T) {
	w := newWorld(t)
	f := w.fill()
	const marker = "zzechozz"
	u := "/findings/" + f.finding + "/judgement"
	for _, c := range []struct {
		method, path, body string
		status             int
		place              string
	}{
		{"GET", "/findings?limit=0", "", 422, "query.limit"},
		{"GET", "/findings?limit=" + marker, "", 422, "query.limit"},
		{"GET", "/findings?state=" + marker, "", 422, "query.state"},
		{"GET", "/findings?after=" + marker, "", 400, "query.after"},
		{"GET", "/findings?unheard=" + marker, "", 422, "query.unheard"},
		{"GET", "/search", "", 422, "query.q"},
		{"GET", "/search?q=" + strings.Repeat("a", 501), "", 422, "query.q"},
		{"POST", u, "", 400, ""},
		{"POST", u, `{"state":"` + marker + `","reason":"x"}`, 422, "body.state"},
		{"POST", u, `{"state":"open"}`, 422, "body"},
		{"POST", u, `{"state":"open","reason":"  "}`, 422, "body.reason"},
		{"POST", u, `{"state":"open","reason":"x","more":"` + marker + `"}`, 422, "body.more"},
		{"POST", u, `{"state":"open","state":"benign","reason":"x"}`, 400, "body"},
		{"POST", u, `{"state":"open","reason":"` + marker, 400, "body"},
		{"POST", u, "{\"state\":\"open\",\"reason\":\"\xff\"}", 400, "body"},
		{"POST", u, strings.Repeat("[", 100_000), 400, "body"},
		{"POST", u, `{"reason":"` + strings.Repeat("a", 2<<20) + `"}`, 413, ""},
		{"GET", "/" + marker, "", 404, ""},
		{"DELETE", "/findings", "", 405, ""},
	} {
		var a *httptest.ResponseRecorder
		if c.body == "" && c.method != "POST" {
			a = w.do(access.Analyst, c.method, "/api/v1"+c.path, nil)
		} else {
			a = w.post(access.Analyst, c.path, c.body)
		}
		p := into[huma.ErrorModel](w, a, c.status)
		if a.Header().Get("Content-Type") != "application/problem+json" || p.Title == "" || p.Status != c.status {
			t.Errorf("%s %s: %s", c.method, c.path, a.Body)
		}
		place := ""
		for _, d := range p.Errors {
			place += d.Location + " "
			if d.Message == "" {
				t.Errorf("%s: no reason", c.path)
			}
		}
		if !strings.Contains(place, c.place) || strings.Contains(a.Body.String(), marker) {
			t.Errorf("%s %.80s: %s", c.path, c.body, a.Body)
		}
	}
	if w.entries(string(access.FindingJudge)) != 0 {
		t.Error("something was taken")
	}
}

// TestDocument: the OpenAPI document has every route, its schemas are sound, and answers are as it says.
func TestDocument(t *testing.T) {
	w := newWorld(t)
	f := w.fill()
	a := w.do("", "GET", "/api/openapi.json", nil)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.Body.Bytes()))
	w.need(err)
	var spec struct {
		OpenAPI string
		Info    map[string]any
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Responses   map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
			Parameters []struct{ Name, In string }
		}
		Components struct {
			Schemas         map[string]any
			SecuritySchemes map[string]any `json:"securitySchemes"`
		}
	}
	w.need(json.Unmarshal(a.Body.Bytes(), &spec, json.MatchCaseInsensitiveNames(true)))
	if !strings.HasPrefix(spec.OpenAPI, "3.1.") || spec.Info["title"] == nil || spec.Info["version"] == nil || spec.Components.SecuritySchemes["token"] == nil {
		t.Errorf("%s %v", spec.OpenAPI, spec.Info)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	w.need(compiler.AddResource("http://vigil.example/openapi.json", doc))
	for name := range spec.Components.Schemas {
		if _, err := compiler.Compile("http://vigil.example/openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
	}
	ids := map[string]bool{}
	for _, r := range Routes() {
		if r.Open {
			continue
		}
		o, ok := spec.Paths[r.Path][strings.ToLower(r.Method)]
		if !ok || o.OperationID == "" || ids[o.OperationID] {
			t.Errorf("%s %s: not in the document, or without an id of its own", r.Method, r.Path)
		}
		ids[o.OperationID] = true
		if strings.Count(r.Path, "{") > 0 && len(o.Parameters) < strings.Count(r.Path, "{") {
			t.Errorf("%s %s: its parameters are not in the document", r.Method, r.Path)
		}
		if r.Method != "GET" {
			continue
		}
		role := access.Analyst
		res := w.do(role, r.Method, f.path(r.Path), nil)
		kind, _, _ := strings.Cut(res.Header().Get("Content-Type"), ";")
		if res.Code != 200 || kind != "application/json" {
			continue
		}
		ref, _ := o.Responses["200"].Content["application/json"].Schema["$ref"].(string)
		s, err := compiler.Compile("http://vigil.example/openapi.json" + ref)
		w.need(err)
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(res.Body.Bytes()))
		w.need(err)
		if err := s.Validate(v); err != nil {
			t.Errorf("%s %s answers otherwise than the document says: %v", r.Method, r.Path, err)
		}
	}
	if y := w.do("", "GET", "/api/openapi.yaml", nil); y.Code != 200 || !strings.HasPrefix(y.Body.String(), "components:") && !strings.Contains(y.Body.String(), "openapi: 3.1") {
		t.Errorf("%d %.200s", y.Code, y.Body)
	}
}

// FuzzQuery: whatever stands in a query or a path, the answer is JSON and no fault of the server's.
func FuzzQuery(f *testing.F) {
	w := newWorld(f)
	w.fill()
	for _, s := range []string{"limit=1", "after=AAAA", "q=%00", "state=open&state=new", "q=\"*", "limit=-9999999999999999999", "type=a,b,,", "by=host"} {
		f.Add(uint8(0), "x", s)
	}
	routes := Routes()
	f.Fuzz(func(t *testing.T, n uint8, id, query string) {
		r := routes[int(n)%len(routes)]
		if r.Method != "GET" {
			return
		}
		req := httptest.NewRequest("GET", "http://127.0.0.1:8420/", nil)
		req.URL.Path = strings.NewReplacer("{id}", id, "{seq}", id).Replace(r.Path)
		req.URL.RawQuery = query
		req.Header.Set("Authorization", "Bearer "+w.tokens[access.WatchOfficer])
		out := httptest.NewRecorder()
		w.http.ServeHTTP(out, req)
		if out.Code >= 500 {
			t.Fatalf("%s?%q: %d %s", req.URL.Path, query, out.Code, out.Body)
		}
	})
}
