package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

const (
	knownID = "malware--31b940d4-6f7f-459a-80ea-9c1f17b58abc"
	bundled = `{"type":"bundle","id":"bundle--5d0092c5-5f74-4287-9642-33f4c354e56d","objects":[
{"type":"malware","spec_version":"2.1","id":"` + knownID + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"PAPER SLUICE","description":"<script>alert(1)</script> from evil.example","is_family":true,"external_references":[{"source_name":"x","external_id":"S0001"}]},
{"type":"malware","spec_version":"2.1","id":"malware--no-uuid","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"bad","is_family":true},
{"type":"tool","spec_version":"2.1","id":"tool--31b940d4-6f7f-459a-80ea-9c1f17b58abe","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"A lock pick"},
{"type":"relationship","spec_version":"2.1","id":"relationship--31b940d4-6f7f-459a-80ea-9c1f17b58abf","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","relationship_type":"uses","source_ref":"` + knownID + `","target_ref":"tool--31b940d4-6f7f-459a-80ea-9c1f17b58abe"}]}`
)

// imports sends a bundle and waits for its end; it gives the address of its page.
func (ts *testServer) importsBundle(content []byte, source string) string {
	ts.t.Helper()
	typ, body := upload(ts.t, content, "source", source)
	w := ts.do(access.Analyst, http.MethodPost, "/intelligence/import", typ, body)
	if w.Code != http.StatusSeeOther {
		ts.t.Fatalf("%d %s", w.Code, w.Body)
	}
	page := w.Header().Get("Location")
	j, ok := ts.imports.get(strings.TrimPrefix(page, "/intelligence/imports/"), ts.people[access.Analyst].Person)
	if !ok {
		ts.t.Fatalf("no import behind %q", page)
	}
	<-j.done
	return page
}

// hidden stores an object for the watch officer alone.
func (ts *testServer) hidden(name string) string {
	ts.t.Helper()
	o, err := stix.Make("malware", ts.Store.Now(), stix.Props{"name": name, "is_family": false})
	if err != nil {
		ts.t.Fatal(err)
	}
	_, err = ts.Store.Record(context.Background(), store.Act{Reader: marking.System("test"), Actor: "system:test", Action: "test.put", Subject: "x", Purpose: "to test"}, func(tx *store.Tx) error {
		_, err := tx.Put(store.Put{Object: o, Source: marking.Own, HasTLP: true, Spec: marking.Spec{TLP: marking.Red, Audience: []string{marking.PersonPrincipal(ts.people[access.WatchOfficer].Person)}}})
		return err
	})
	if err != nil {
		ts.t.Fatal(err)
	}
	return string(o.ID)
}

func TestIntelligencePages(t *testing.T) {
	ts := newTestServer(t)
	page := ts.importsBundle([]byte(bundled), testPartner)
	hidden := ts.hidden("PAPER SLUICE hidden")
	for path, want := range map[string][]string{
		page:                             {"memory.raw", "refused", `<tr class="refused">`},
		page + "/progress":               {"Done:"},
		page + "?show=refused":           {`<tr class="refused">`},
		"/intelligence":                  {"PAPER SLUICE", "memory.raw", "Export a bundle"},
		"/intelligence/types/malware":    {"PAPER SLUICE"},
		"/intelligence/" + knownID:       {"PAPER SLUICE", "S0001", "A lock pick", "uses", "&lt;script&gt;alert(1)", "CSIRT of Lorrin"},
		"/search?q=sluice":               {"PAPER SLUICE"},
		"/search?q=evil%5B.%5Dexample":   {"PAPER SLUICE"},
		"/search?q=hxxp%3A%2F%2Fnothing": {"Nothing that you may read matches"},
	} {
		w := ts.get(access.Analyst, path)
		status(t, w.Code, http.StatusOK, path)
		for _, x := range want {
			if !strings.Contains(w.Body.String(), x) {
				t.Errorf("%s lacks %q", path, x)
			}
		}
		for _, x := range []string{hidden, "SLUICE hidden", "<script>alert"} {
			if strings.Contains(w.Body.String(), x) {
				t.Errorf("%s holds %q", path, x)
			}
		}
	}
	if n := strings.Count(ts.get(access.Analyst, page+"?show=refused").Body.String(), `<tr class="refused">`); n != 1 {
		t.Errorf("%d verdicts among the refused, want 1", n)
	}
	status(t, ts.get(access.WatchOfficer, "/intelligence/"+hidden).Code, http.StatusOK, "who may read it")
	w := ts.get(access.Analyst, "/intelligence/"+knownID+"/raw")
	if stored := strings.TrimSuffix(strings.Split(bundled, "\n")[1], ","); w.Body.String() != stored || w.Header().Get("Vigil-Marking") != "TLP:AMBER+STRICT" {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
}

func TestIntelligenceHiddenIsAbsent(t *testing.T) {
	ts := newTestServer(t)
	hidden, none := ts.hidden("x"), "malware--00000000-0000-4000-8000-000000000000"
	for _, more := range []string{"", "/raw"} {
		a, b := ts.get(access.Analyst, "/intelligence/"+hidden+more), ts.get(access.Analyst, "/intelligence/"+none+more)
		if a.Code != http.StatusNotFound || b.Code != a.Code || !bytes.Equal(a.Body.Bytes(), b.Body.Bytes()) || fmt.Sprint(a.Header()) != fmt.Sprint(b.Header()) {
			t.Errorf("%q: hidden %d, absent %d", more, a.Code, b.Code)
		}
	}
	status(t, ts.get(access.Analyst, "/intelligence/types/malware").Code, http.StatusNotFound, "a type of which nothing is to be seen")
	// Somebody else's import is not there.
	page := ts.importsBundle([]byte(bundled), testPartner)
	for _, more := range []string{"", "/progress"} {
		status(t, ts.get(access.WatchOfficer, page+more).Code, http.StatusNotFound, "another's import"+more)
	}
}

func TestIntelligenceByRole(t *testing.T) {
	ts := newTestServer(t)
	ts.importsBundle([]byte(bundled), marking.Own)
	for path, action := range map[string]access.Action{"/intelligence": access.IntelRead, "/search?q=x": access.IntelRead, "/intelligence/imports/x": access.IntelImport} {
		for _, role := range access.Roles() {
			if w := ts.get(role, path); (w.Code == http.StatusForbidden) == role.May(action) {
				t.Errorf("%s as %s: %d", path, role, w.Code)
			}
		}
	}
	status(t, ts.get(access.Overseer, "/intelligence/export").Code, http.StatusNotFound, "an export is no GET")
	before := ts.entries(string(access.IntelExport))
	w := ts.post(access.Analyst, "/intelligence/export", "type", "tool")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "A lock pick") || strings.Contains(w.Body.String(), "SLUICE") || ts.entries(string(access.IntelExport)) != before+1 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	status(t, ts.post(access.Overseer, "/intelligence/export").Code, http.StatusForbidden, "an overseer's export")
	typ, body := upload(t, []byte(bundled), "source", testPartner)
	status(t, ts.do(access.Overseer, http.MethodPost, "/intelligence/import", typ, body).Code, http.StatusForbidden, "an overseer's import")
}

func TestImportsOfAllKinds(t *testing.T) {
	ts := newTestServer(t)
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	g.Write([]byte(bundled))
	g.Close()
	if body := ts.get(access.Analyst, ts.importsBundle(z.Bytes(), marking.Own)).Body.String(); !strings.Contains(body, "Done: 4 objects") {
		t.Error("a bundle in gzip did not come in")
	}
	for what, content := range map[string]string{"cut short": bundled[:700], "no JSON": "hello", "no gzip": "\x1f\x8bxx"} {
		if body := ts.get(access.Analyst, ts.importsBundle([]byte(content), marking.Own)).Body.String(); !strings.Contains(body, "The import stopped") || !strings.Contains(body, "can") {
			t.Errorf("%s: not said", what)
		}
	}
	for what, source := range map[string]string{"an unknown body": "identity--nobody", "none": ""} {
		typ, body := upload(t, []byte(bundled), "source", source)
		status(t, ts.do(access.Analyst, http.MethodPost, "/intelligence/import", typ, body).Code, http.StatusUnprocessableEntity, what)
	}
	typ, body := upload(t, nil, "source", marking.Own)
	status(t, ts.do(access.Analyst, http.MethodPost, "/intelligence/import", typ, body).Code, http.StatusUnprocessableEntity, "an empty file")
	status(t, ts.post(access.Analyst, "/intelligence/import", "source", marking.Own).Code, http.StatusUnprocessableEntity, "no form with a file")
	status(t, ts.do(access.Analyst, http.MethodPost, "/intelligence/import", typ, strings.NewReader("--broken")).Code, http.StatusUnprocessableEntity, "a broken form")
}

// TestImportsAreBounded: two of a person at once, four of everybody, twenty finished ones kept.
func TestImportsAreBounded(t *testing.T) {
	var i imports
	i.init()
	add := func(id, by, state string) error {
		j := &importJob{id: id, by: by}
		j.p.State = state
		return i.add(j)
	}
	for n := range 3 * maxFinished {
		if err := add(fmt.Sprint("done", n), "a", "done"); err != nil {
			t.Fatal(err)
		}
	}
	if len(i.jobs) > maxFinished {
		t.Errorf("%d finished jobs are kept", len(i.jobs))
	}
	var bad *Invalid
	for n, c := range []struct {
		by string
		ok bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", true}, {"c", false}} {
		if err := add(fmt.Sprint("run", n), c.by, "running"); (err == nil) != c.ok || err != nil && !errors.As(err, &bad) {
			t.Errorf("%d, of %s: %v", n, c.by, err)
		}
	}
	if len(i.of("a")) != 2 {
		t.Errorf("%d running", len(i.of("a")))
	}
}

// FuzzSearch: whatever is typed, there is a page.
func FuzzSearch(f *testing.F) {
	ts := newTestServer(f)
	for _, s := range []string{"a", "\"", "a* OR b", "%00", "\xff", "[.]", strings.Repeat("a ", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, q string) {
		if w := ts.get(access.Analyst, "/search?q="+url.QueryEscape(q)); w.Code != http.StatusOK {
			t.Fatalf("%q: %d", q, w.Code)
		}
	})
}
