package assets

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestVendoredFilesAreThoseNamed(t *testing.T) {
	want := map[string]string{}
	sc := bufio.NewScanner(bytes.NewReader(read("vendored.sha256")))
	for sc.Scan() {
		sum, name, ok := strings.Cut(sc.Text(), "  ")
		if !ok {
			t.Fatalf("line %q has no name", sc.Text())
		}
		want[name] = sum
	}
	entries, err := files.ReadDir("vendored")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		sum := sha256.Sum256(read("vendored/" + e.Name()))
		if got := hex.EncodeToString(sum[:]); got != want[e.Name()] {
			t.Errorf("%s has hash %s, vendored.sha256 says %q", e.Name(), got, want[e.Name()])
		}
		delete(want, e.Name())
	}
	for name := range want {
		t.Errorf("%s is named in vendored.sha256 and not there", name)
	}
}

func TestServedForEverUnderItsHash(t *testing.T) {
	h := Handler()
	get := func(path string, head ...string) *http.Response {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i+1 < len(head); i += 2 {
			r.Header.Set(head[i], head[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	for _, name := range []string{"vigil.css", "vigil.js", "htmx.js", "htmx-sse.js", "icon.svg", "plex-sans-latin-400.woff2", "plex-sans.OFL.txt"} {
		r := get(URL(name))
		if r.StatusCode != 200 || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d, cache %q", name, r.StatusCode, r.Header.Get("Cache-Control"))
		}
		if again := get(URL(name), "If-None-Match", r.Header.Get("ETag")); again.StatusCode != 304 {
			t.Errorf("%s: asked again with its tag, answered %d", name, again.StatusCode)
		}
	}
	for _, path := range []string{Prefix + "vigil.css", Prefix + "vigil.000000000000.css", Prefix, Prefix + "../assets.go"} {
		if r := get(path); r.StatusCode != 404 {
			t.Errorf("%s: status %d, want 404", path, r.StatusCode)
		}
	}
	zr, err := gzip.NewReader(get(URL("vigil.css"), "Accept-Encoding", "gzip").Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(zr)
	if err != nil || !bytes.Equal(unpacked, set().byName["vigil.css"].plain) {
		t.Errorf("the packed style unpacks to something else (%v)", err)
	}
}

// The style may load only what is served here, and a report nothing at all.
func TestStylesLoadNothingFromOutside(t *testing.T) {
	css := string(set().byName["vigil.css"].plain)
	for _, m := range regexp.MustCompile(`url\(([^)]*)\)`).FindAllStringSubmatch(css, -1) {
		if set().byHash[strings.Trim(m[1], `"`)] == nil {
			t.Errorf("the style loads %s", m[1])
		}
	}
	if strings.Contains(css, "@import") || strings.Contains(css, "http") {
		t.Error("the style imports or names an address")
	}
	for _, m := range regexp.MustCompile(`url\((.{5})`).FindAllStringSubmatch(ReportStyle(), -1) {
		if m[1] != "data:" {
			t.Errorf("the report's style loads %s…", m[1])
		}
	}
	if n := strings.Count(css, "{") - strings.Count(css, "}"); n != 0 {
		t.Errorf("the style has %+d open braces", n)
	}
}

// The script runs under a policy without eval, and must not build markup out of text.
func TestScriptNeedsNoEval(t *testing.T) {
	js := string(set().byName["vigil.js"].plain)
	for _, bad := range []string{"eval(", "new Function", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "http:", "https:", ".style."} {
		if strings.Contains(js, bad) {
			t.Errorf("the script contains %s", bad)
		}
	}
}
