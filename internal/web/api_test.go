package web

import (
	"net/http"
	"strings"
	"testing"

	"vigil/internal/access"
	"vigil/internal/web/api"
)

func TestAPIStandsBesideTheDoorForEvents(t *testing.T) {
	ts := newTestServer(t)
	status(t, ts.get("", "/api/openapi.json").Code, http.StatusOK, "the document")
	status(t, ts.get("", "/api/v1/me").Code, http.StatusUnauthorized, "nobody")
	w := ts.get(access.Analyst, "/api/v1/me")
	if status(t, w.Code, http.StatusOK, "by session"); !strings.Contains(w.Body.String(), `"role":"analyst"`) {
		t.Errorf("%s", w.Body)
	}
	w = ts.get(access.Analyst, "/api/v1/nothing")
	if w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("what is no operation: %d %s", w.Code, w.Header().Get("Content-Type"))
	}
	w = ts.do("", http.MethodPost, "/api/v1/events", "application/x-ndjson", strings.NewReader("{}\n"))
	if w.Code != http.StatusUnauthorized && w.Code != http.StatusForbidden || w.Header().Get(api.Header) != "" {
		t.Errorf("events went to the API: %d %s", w.Code, w.Body)
	}
	listed := map[string]bool{}
	for _, r := range ts.Routes() {
		listed[r.Pattern] = true
	}
	for _, r := range api.Routes() {
		if !listed[r.Method+" "+r.Path] {
			t.Errorf("%s %s is not in the table", r.Method, r.Path)
		}
	}
}
