// Package taxiitest checks a TAXII 2.1 server from outside, clause by clause.
// It knows nothing but HTTP: any handler can be its target.
package taxiitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// MediaType is the Content-Type of every answer.
const MediaType = "application/taxii+json;version=2.1"

// Target is a server to check. Run asks for a fresh one for each part.
type Target struct {
	Handler http.Handler
	// Discovery and Root are paths that end in a slash.
	Discovery, Root string
	// ReadWrite, ReadOnly and WriteOnly are ids of collections as the reader
	// sees them; ReadWrite is empty. Hidden exists, but not for the reader.
	ReadWrite, ReadOnly, WriteOnly, Hidden string
	// Alias is ReadWrite's alias, if it has one.
	Alias string
	// Authorize adds the reader's credentials. Other adds those of another
	// reader of ReadWrite; nil skips what needs one.
	Authorize, Other func(*http.Request)
	// Settle finishes pending submissions; nil if there never are any.
	Settle func()
	// MaxContentLength is the announced limit.
	MaxContentLength int
}

// Answer is a response with its body decoded as far as tests need.
type Answer struct {
	Code   int
	Header http.Header
	Raw    string
	More   bool
	Next   string
	// Objects are the raw elements of objects; Versions those of versions.
	Objects  []json.RawMessage
	Versions []string
}

// IDs returns the ids of the answer's objects, in order, with their versions
// where they have one: "id@version".
func (a *Answer) IDs() []string {
	ids := []string{}
	for _, raw := range a.Objects {
		var o struct{ ID, Modified, Version string }
		json.Unmarshal(raw, &o)
		if v := o.Modified + o.Version; v != "" {
			o.ID += "@" + v
		}
		ids = append(ids, o.ID)
	}
	return ids
}

// Request is one request; zero fields mean GET, the right Accept and
// Content-Type, and the reader's credentials.
type Request struct {
	Method, Path, Body string
	Header             map[string]string // "" removes
	As                 func(*http.Request)
}

// Do sends a request.
func (tg *Target) Do(t testing.TB, q Request) *Answer {
	t.Helper()
	if q.Method == "" {
		q.Method = "GET"
	}
	r := httptest.NewRequest(q.Method, q.Path, strings.NewReader(q.Body))
	r.Header.Set("Accept", MediaType)
	if q.Method == "POST" {
		r.Header.Set("Content-Type", MediaType)
	}
	if q.As == nil {
		q.As = tg.Authorize
	}
	if q.As != nil {
		q.As(r)
	}
	for k, v := range q.Header {
		r.Header.Del(k)
		if v != "" {
			r.Header.Set(k, v)
		}
	}
	w := httptest.NewRecorder()
	tg.Handler.ServeHTTP(w, r)
	a := &Answer{Code: w.Code, Header: w.Header(), Raw: w.Body.String()}
	if a.Header.Get("Content-Type") != MediaType {
		t.Errorf("%s %s: Content-Type %q", q.Method, q.Path, a.Header.Get("Content-Type"))
	}
	if a.Raw != "" {
		var body struct {
			More       bool
			Next       string
			Objects    []json.RawMessage
			Versions   []string
			HTTPStatus string `json:"http_status"`
			Title      string
		}
		if err := json.Unmarshal([]byte(a.Raw), &body); err != nil {
			t.Errorf("%s %s: body is not JSON: %v\n%.200s", q.Method, q.Path, err, a.Raw)
		}
		a.More, a.Next, a.Objects, a.Versions = body.More, body.Next, body.Objects, body.Versions
		if a.Code >= 400 && (body.Title == "" || body.HTTPStatus != fmt.Sprint(a.Code)) {
			t.Errorf("%s %s: %d without a proper error resource (§3.6.1): %s", q.Method, q.Path, a.Code, a.Raw)
		}
	}
	return a
}

// Get is Do for a path below the root.
func (tg *Target) Get(t testing.TB, path string) *Answer {
	t.Helper()
	return tg.Do(t, Request{Path: tg.Root + path})
}

// Objects is the path of a collection's objects below the root.
func Objects(collection, query string) string {
	return "collections/" + collection + "/objects/" + query
}

// Post adds objects to a collection, settles, and returns the status's
// successes and failures.
func (tg *Target) Post(t testing.TB, collection string, objects ...string) (ok, failed []string) {
	t.Helper()
	a := tg.Do(t, Request{Method: "POST", Path: tg.Root + Objects(collection, ""), Body: `{"objects":[` + strings.Join(objects, ",") + `]}`})
	if a.Code != http.StatusAccepted {
		t.Fatalf("POST: %d %s", a.Code, a.Raw)
	}
	st := decodeStatus(t, a)
	if st.Status == "pending" && tg.Settle != nil {
		tg.Settle()
		if a = tg.Get(t, "status/"+st.ID+"/"); a.Code != 200 {
			t.Fatalf("status %s: %d", st.ID, a.Code)
		}
		st = decodeStatus(t, a)
	}
	if st.Status != "complete" || st.Total != len(objects) {
		t.Fatalf("status after settling: %s", a.Raw)
	}
	for _, d := range st.Successes {
		ok = append(ok, d.ID)
	}
	for _, d := range st.Failures {
		failed = append(failed, d.ID+": "+d.Message)
	}
	return ok, failed
}

type details struct{ ID, Version, Message string }

type status struct {
	ID, Status string
	Timestamp  string `json:"request_timestamp"`
	Total      int    `json:"total_count"`
	NOK        int    `json:"success_count"`
	NFailed    int    `json:"failure_count"`
	NPending   int    `json:"pending_count"`
	Successes  []details
	Failures   []details
	Pendings   []details
}

func decodeStatus(t testing.TB, a *Answer) status {
	t.Helper()
	var st status
	if err := json.Unmarshal([]byte(a.Raw), &st); err != nil {
		t.Fatalf("status: %v", err)
	}
	if st.NOK != len(st.Successes) || st.NFailed != len(st.Failures) || st.NPending != len(st.Pendings) || st.NOK+st.NFailed+st.NPending != st.Total {
		t.Errorf("status counts don't add up: %s", a.Raw)
	}
	for _, d := range append(append(st.Successes, st.Failures...), st.Pendings...) {
		if d.ID == "" || d.Version == "" {
			t.Errorf("status-details without id or version: %+v", d)
		}
	}
	if !uuidForm.MatchString(st.ID) || !stampForm.MatchString(st.Timestamp) {
		t.Errorf("status id %q or timestamp %q is malformed", st.ID, st.Timestamp)
	}
	return st
}

var (
	uuidForm  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	stampForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
)

// SDO writes a small STIX 2.1 object: the n-th of its type, in a version of
// the given second.
func SDO(typ string, n, second int) string {
	return fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"created":"2027-01-01T00:00:00Z","modified":%q,"name":"n%d"}`,
		typ, ID(typ, n), Version(second), n)
}

// ID is the id of the n-th object of a type, Version the version of a second.
func ID(typ string, n int) string { return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", typ, n) }

// Version is the version that SDO gives an object at a second of 2027.
func Version(second int) string { return fmt.Sprintf("2027-01-01T00:00:%02d.000Z", second) }

// Walk follows next to the end and returns all ids; step is called before
// each page but the first.
func (tg *Target) Walk(t testing.TB, path, query string, step func()) []string {
	t.Helper()
	ids, next := []string{}, ""
	for n := 0; ; n++ {
		q := query
		if next != "" {
			q += "&next=" + url.QueryEscape(next)
		}
		a := tg.Get(t, path+"?"+q)
		if a.Code != 200 {
			t.Fatalf("page %d of %s: %d %s", n, path, a.Code, a.Raw)
		}
		ids = append(ids, a.IDs()...)
		if !a.More {
			return ids
		}
		if a.Next == "" || n > 10_000 {
			t.Fatalf("page %d of %s: more without next, or no end", n, path)
		}
		next = a.Next
		if step != nil {
			step()
		}
	}
}
