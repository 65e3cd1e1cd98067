package store

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Opening the gate in any one place makes a test fail. Each mutation is compiled over the source and the gate's tests are
// run with it.
func TestOpeningTheGateIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the package once for each mutation")
	}
	if os.Getenv("VIGIL_MUTATED") != "" {
		t.Skip("this is a mutation")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command on the path")
	}
	mutations := []struct{ name, file, from, to string }{
		{"a line's own mark", "view.go", `return "(EXISTS(SELECT 1 FROM allow WHERE cid=" + c + " AND mid=" + l + ".mid)" +`, `return "(1" +`},
		{"the ends of a relationship", "view.go", `n.kind=0 AND NOT " + dep`, `n.kind=9 AND NOT " + dep`},
		{"the contents of a container", "view.go", `n.kind=1 AND " + dep + ")))"`, `n.kind=1)))"`},
		{"what an end must be", "view.go", `da.mid=d.mid WHERE d.oid=n.dep)"`, `1 WHERE d.oid=n.dep)"`},
		{"a row's own mark", "guard.go", `AND mid=" + alias + ".mid)"`, `)"`},
		{"a row's object", "guard.go", `ga_.mid=gl_.mid"`, `1"`},
		{"the gate in Go", "view.go", `marking.Release(v.r, v.s.marks.label(mid), value)`, `marking.Release(v.r, marking.Everyone(), value)`},
		{"references in own containers", "trim.go", `if o.Source != marking.Own || v.r.IsSystem() {`, `if o.Source == marking.Own || v.r.IsSystem() {`},
	}
	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.name, " ", "-"), func(t *testing.T) {
			src, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(string(src), m.from) != 1 {
				t.Fatalf("%s holds %q %d times: the mutation no longer fits the source", m.file, m.from, strings.Count(string(src), m.from))
			}
			dir := t.TempDir()
			mutant := filepath.Join(dir, m.file)
			if err := os.WriteFile(mutant, []byte(strings.Replace(string(src), m.from, m.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			here, err := filepath.Abs(m.file)
			if err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{here: mutant}})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "overlay.json")
			if err := os.WriteFile(file, overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("go", "test", "-overlay", file, "-count=1", "-run", "^(TestNonInterference|TestTheGateIsAskedAgain|TestRowsGoThroughTheGate|TestRelationshipNeedsBothEnds|TestOwnContainerIsTrimmedAndForeignIsWhole)$",
				".", "-rapid.checks=10", "-rapid.shrinktime=1ms", "-rapid.nofailfile")
			cmd.Env = append(os.Environ(), "VIGIL_MUTATED=1")
			out, err := cmd.CombinedOutput()
			switch text := string(out); {
			case err == nil:
				t.Error("every test passes with the gate open here")
			case !strings.Contains(text, "--- FAIL"):
				t.Errorf("no test ran: %s", text)
			}
		})
	}
}
