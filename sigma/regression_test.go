package sigma

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRegressionJSON fires each published regression event, in its JSON form, at the rule it belongs to.
func TestRegressionJSON(t *testing.T) {
	set, _ := allRules(t)
	e, _ := Compile(set, Options{})
	m := e.NewMatcher()
	dir := dataDir(t, "sigma", "regression_data")
	n, ok := 0, 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".json") {
			return err
		}
		n++
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		id := strings.TrimSuffix(filepath.Base(p), ".json")
		found := false
		for _, ev := range splitJSON(data) {
			if err := m.MatchJSON(ev, Logsource{}, func(h Match) { found = found || h.Rule.ID == id }); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
		if found {
			ok++
		} else {
			t.Errorf("rule %s does not fire on %s", id, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d events fire their rule", ok, n)
}

// splitJSON cuts concatenated JSON objects.
func splitJSON(b []byte) [][]byte {
	var out [][]byte
	depth, start, str := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case str && c == '\\':
			i++
		case c == '"':
			str = !str
		case str:
		case c == '{':
			if depth == 0 {
				start = i
			}
			depth++
		case c == '}':
			if depth--; depth == 0 {
				out = append(out, b[start:i+1])
			}
		}
	}
	return out
}

func TestLoadAll(t *testing.T) {
	set, errs := allRules(t)
	e, cerrs := Compile(set, Options{})
	for _, err := range append(errs, cerrs...) {
		t.Log(err)
	}
	t.Logf("%d rules, %d refused", len(e.Rules()), len(errs)+len(cerrs))
}
