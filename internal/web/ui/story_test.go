package ui

import (
	"bytes"
	"flag"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"vigil/internal/web/assets"
)

// out makes the storybook keep its pages and their assets: go test ./internal/web/ui -run Storybook -args -out DIR
var out = flag.String("out", "", "folder for the rendered pages and their assets")

// story is one page in one state.
type story struct {
	name  string
	write func(io.Writer) error
}

func page[T any](name string, f func(io.Writer, T) error, model T) story {
	return story{name, func(w io.Writer) error { return f(w, model) }}
}

// Every page in every state renders and is a sound document.
func TestStorybook(t *testing.T) {
	for _, s := range stories() {
		t.Run(s.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := s.write(&b); err != nil {
				t.Fatal(err)
			}
			checkPage(t, b.String())
			if *out != "" {
				keep(t, filepath.Join(*out, s.name+".html"), b.Bytes())
				for _, m := range assetURL.FindAllString(b.String(), -1) {
					keepAsset(t, m)
				}
			}
		})
	}
}

var assetURL = regexp.MustCompile(`/assets/[a-z0-9.-]+`)

func keepAsset(t *testing.T, url string) {
	w := httptest.NewRecorder()
	assets.Handler().ServeHTTP(w, httptest.NewRequest("GET", url, nil))
	if w.Code != 200 {
		t.Fatalf("%s: status %d", url, w.Code)
	}
	keep(t, filepath.Join(*out, url), w.Body.Bytes())
	for _, m := range regexp.MustCompile(`url\("([^"]+\.woff2)"\)`).FindAllStringSubmatch(w.Body.String(), -1) {
		keepAsset(t, assets.Prefix+m[1])
	}
}

func keep(t *testing.T, name string, body []byte) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, body, 0o644); err != nil {
		t.Fatal(err)
	}
}
