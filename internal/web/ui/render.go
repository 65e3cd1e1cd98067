package ui

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"

	"vigil/internal/web/assets"
)

//go:embed templates/*.html
var templateFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"asset": assets.URL, "dict": dict, "count": thousands, "counted": Count.words, "some": some, "size": size, "length": length,
	"stamp": stamp, "exact": exact, "clock": clock, "when": when, "ago": ago, "longday": longDay, "plain": plainWord, "up": upperFirst,
	"raw": raw, "rawshort": rawShort, "defanged": defanged, "visible": Visible,
	"tlp": tlp, "sev": sev, "sevclass": sevClass, "tone": toneMark, "shape": shape, "line": line, "lines": lines,
	"spark": spark, "lanes": lanesPicture, "graph": graphPicture, "tree": treePicture, "markraw": highlighted,
	"rawid":      func(s string) Untrusted { return Untrusted(s) },
	"findingURL": FindingURL, "ruleURL": RuleURL, "incidentURL": IncidentURL, "evidenceURL": EvidenceURL, "objectURL": ObjectURL, "typeURL": TypeURL,
	"importURL": ImportURL, "entryURL": EntryURL, "personURL": PersonURL, "sourceURL": SourceURL, "add": func(a, b int) int { return a + b },
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
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	return nil
}
