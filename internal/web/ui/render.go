package ui

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"unicode"
	"unicode/utf8"

	"vigil/internal/untrusted"
	"vigil/internal/web/assets"
)

//go:embed templates/*.html
var templateFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"asset": assets.URL, "dict": dict, "count": thousands, "counted": Count.words, "some": some, "size": size, "length": length,
	"stamp": stamp, "exact": exact, "clock": clock, "when": when, "ago": ago, "longday": longDay, "plain": plainWord, "up": upperFirst,
	"raw": raw, "rawshort": rawShort, "defanged": defanged, "visible": Visible,
	"tlpshort": tlpShort, "tlp": tlp, "sev": sev, "sevclass": sevClass, "tone": toneMark, "shape": shape, "line": line, "lines": lines,
	"spark": spark, "lanes": lanesPicture, "graph": graphPicture, "tree": treePicture, "rawblock": rawBlock, "has": has, "title": title, "written": written,
	"rawid":      func(s string) untrusted.Text { return untrusted.New(s) },
	"findingURL": FindingURL, "ruleURL": RuleURL, "incidentURL": IncidentURL, "evidenceURL": EvidenceURL, "objectURL": ObjectURL, "typeURL": TypeURL,
	"importURL": ImportURL, "entryURL": EntryURL, "personURL": PersonURL, "sourceURL": SourceURL, "here": safeHref, "add": func(a, b int) int { return a + b }, "add64": func(a, b int64) int64 { return a + b }, "len64": func(n int) int64 { return int64(n) },
}).ParseFS(templateFiles, "templates/*.html"))

// dict lets a template hand several values to another one.
func dict(kv ...any) (map[string]any, error) {
	if len(kv)%2 != 0 {
		return nil, errors.New("dict: a key without a value")
	}
	m := make(map[string]any, len(kv)/2)
	for i := 0; i < len(kv); i += 2 {
		k, ok := kv[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is not text", kv[i])
		}
		m[k] = kv[i+1]
	}
	return m, nil
}

// render writes a page whole or not at all.
func render(w io.Writer, name string, model any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, model); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	if _, err := w.Write(inert(b.Bytes())); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	return nil
}

// inert is the last line: whatever way text came, no control that hides or reorders what stands around it leaves in a page. Templates hold none of
// their own, so each comes from data; its name in brackets is harmless in text and in attributes alike.
func inert(b []byte) []byte {
	first := -1
	for i := 0; i < len(b) && first < 0; {
		r, n := utf8.DecodeRune(b[i:])
		if treacherous(r, n) {
			first = i
		}
		i += n
	}
	if first < 0 {
		return b
	}
	out := append(make([]byte, 0, len(b)+64), b[:first]...)
	for i := first; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case !treacherous(r, n):
			out = append(out, b[i:i+n]...)
		case r == utf8.RuneError:
			out = fmt.Appendf(out, `\x%02X`, b[i])
		default:
			out = fmt.Appendf(out, "[U+%04X]", r)
		}
		i += n
	}
	return out
}

func treacherous(r rune, n int) bool {
	switch {
	case r < utf8.RuneSelf:
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7f
	case r == utf8.RuneError:
		return n == 1
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
}
