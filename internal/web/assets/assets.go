// Package assets holds every file that Vigil's pages load: typefaces, htmx with its server-sent-events extension, and our own style and script.
//
// Everything is embedded, and served under a name that carries the hash of its content, so that a browser may keep it for ever and a page can never
// meet the style of another version. Nothing is loaded from elsewhere. What others wrote lies in vendored/ beside its licence, with a hash each in
// vendored.sha256; where it comes from is in vendored.md.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
)

// Prefix is the path under which Handler expects to be mounted.
const Prefix = "/assets/"

//go:embed vendored vendored.sha256 own
var files embed.FS

// styleParts make up vigil.css, in this order; reportParts are those that a stand-alone report needs.
var (
	styleParts  = []string{"own/fonts.css", "own/base.css", "own/picture.css", "own/frame.css", "own/page.css", "own/print.css"}
	reportParts = []string{"own/base.css", "own/picture.css", "own/report.css", "own/print.css"}
)

// file is one asset as it is served.
type file struct {
	hashed string // name with the hash in it, no folder
	mime   string
	plain  []byte
	packed []byte // gzip form; nil where packing does not help
}

// set is built once, on first use.
var set = sync.OnceValue(build)

type index struct {
	byName map[string]*file // vigil.css
	byHash map[string]*file // vigil.0f3a….css
}

func build() index {
	in := index{map[string]*file{}, map[string]*file{}}
	add := func(name string, body []byte) {
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		f := &file{hashed: strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext, mime: mimeOf(ext), plain: body}
		if ext == ".css" || ext == ".js" || ext == ".svg" {
			f.packed = pack(body)
		}
		in.byName[name], in.byHash[f.hashed] = f, f
	}
	entries, err := files.ReadDir("vendored")
	if err != nil {
		panic(fmt.Sprintf("assets: embedded folder: %v", err)) // cannot happen: the folder is compiled in
	}
	for _, e := range entries {
		add(e.Name(), read("vendored/"+e.Name()))
	}
	add("vigil.js", read("own/vigil.js"))
	add("icon.svg", read("own/icon.svg"))
	// The style comes last: it names the faces by their hashed names.
	style := fontURL.ReplaceAllFunc(joined(styleParts), func(m []byte) []byte {
		name := string(fontURL.FindSubmatch(m)[1])
		f := in.byName[name]
		if f == nil {
			panic("assets: the style names a face that is not there: " + name)
		}
		return []byte(`url("` + f.hashed + `")`)
	})
	add("vigil.css", style)
	return in
}

var fontURL = regexp.MustCompile(`url\("([^"]+\.woff2)"\)`)

func read(name string) []byte {
	b, err := files.ReadFile(name)
	if err != nil {
		panic("assets: embedded file: " + err.Error()) // cannot happen: a missing file is found by the tests
	}
	return b
}

func joined(names []string) []byte {
	var b bytes.Buffer
	for _, n := range names {
		b.Write(read(n))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func pack(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is a constant and valid
	_, _ = w.Write(body)                                  // a bytes.Buffer does not fail
	_ = w.Close()
	if b.Len() >= len(body) {
		return nil
	}
	return b.Bytes()
}

func mimeOf(ext string) string {
	switch ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	return "text/plain; charset=utf-8" // licences
}

// URL gives the path under which the asset of that plain name is served, such as /assets/vigil.1f0c….css for "vigil.css".
// It panics on a name that is not embedded: that is a mistake in the program, found by rendering any page once.
func URL(name string) string {
	f := set().byName[name]
	if f == nil {
		panic("assets: no such asset: " + name)
	}
	return Prefix + f.hashed
}

// Handler serves the assets under Prefix. A name without its hash, or with an outdated one, is not found.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		f := set().byHash[strings.TrimPrefix(r.URL.Path, Prefix)]
		if f == nil {
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		h.Set("Content-Type", f.mime)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		etag := `"` + f.hashed + `"`
		body := f.plain
		if f.packed != nil {
			h.Set("Vary", "Accept-Encoding")
			if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				h.Set("Content-Encoding", "gzip")
				body, etag = f.packed, `"`+f.hashed+`.gz"`
			}
		}
		h.Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Length", fmt.Sprint(len(body)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(body) // the reader has gone; nothing is left to do
		}
	})
}

// ReportStyle is the style of a stand-alone report: no file beside it, the faces inlined.
var ReportStyle = sync.OnceValue(func() string {
	var b strings.Builder
	for _, f := range []struct{ family, weight, name string }{
		{"IBM Plex Sans", "400", "plex-sans-latin-400.woff2"},
		{"IBM Plex Sans", "600", "plex-sans-latin-600.woff2"},
		{"IBM Plex Mono", "400", "plex-mono-latin-400.woff2"},
	} {
		fmt.Fprintf(&b, "@font-face{font-family:%q;font-weight:%s;src:url(data:font/woff2;base64,%s) format(\"woff2\")}\n",
			f.family, f.weight, base64.StdEncoding.EncodeToString(read("vendored/"+f.name)))
	}
	b.Write(joined(reportParts))
	return b.String()
})

// Policy is the Content-Security-Policy under which every page works. The pages need nothing wider.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
