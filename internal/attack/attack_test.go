package attack

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	f := func(id, name, parent string, tactics ...string) {
		t.Helper()
		got, ok := Lookup(id)
		var short []string
		for _, x := range got.Tactics {
			short = append(short, x.Short)
		}
		if !ok || got.Name != name || got.Parent != parent || !slices.Equal(short, tactics) {
			t.Errorf("%s: %+v, %v", id, got, ok)
		}
	}
	f("T1021", "Remote Services", "", "lateral-movement")
	f("T1021.002", "SMB/Windows Admin Shares", "T1021", "lateral-movement")
	f("attack.t1003.001", "LSASS Memory", "T1003", "credential-access")
	f("T1078", "Valid Accounts", "", "initial-access", "persistence", "privilege-escalation", "defense-evasion")
	for _, id := range []string{"", "T", "T9999", "TA0008", "T1021.", strings.Repeat("T", 1000)} {
		if got, ok := Lookup(id); ok {
			t.Errorf("%q: %+v", id, got)
		}
	}
}

func TestTactics(t *testing.T) {
	list := Tactics()
	if len(list) != 14 || list[0].Short != "reconnaissance" || list[13].Short != "impact" || list[9] != (Tactic{"TA0008", "lateral-movement", "Lateral Movement"}) {
		t.Errorf("%v", list)
	}
	list[0].Name = "changed"
	if Tactics()[0].Name == "changed" {
		t.Error("the caller's slice is the package's")
	}
	for _, s := range []string{"TA0008", "ta0008", "lateral-movement", "attack.lateral_movement", "Lateral Movement"} {
		if got, ok := LookupTactic(s); !ok || got.ID != "TA0008" {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	if _, ok := LookupTactic("lateral"); ok {
		t.Error("half a name was found")
	}
}

// The table is whole: every technique has a name, known tactics and a parent that is there, and stands under each of its tactics in order.
func TestTableIsSound(t *testing.T) {
	n := 0
	seen := map[string]bool{}
	for _, tac := range Tactics() {
		list := ByTactic(tac)
		if len(list) == 0 || !slices.IsSortedFunc(list, func(a, b Technique) int { return strings.Compare(a.ID, b.ID) }) {
			t.Errorf("%s: %d techniques, or out of order", tac.Short, len(list))
		}
		for _, x := range list {
			if !slices.Contains(x.Tactics, tac) || x.Name == "" {
				t.Errorf("%s under %s: %+v", x.ID, tac.Short, x)
			}
			if x.Parent != "" {
				if _, ok := Lookup(x.Parent); !ok {
					t.Errorf("%s: parent is not there", x.ID)
				}
			}
			if !seen[x.ID] {
				seen[x.ID] = true
				n++
			}
		}
	}
	if n != Techniques() || n < 600 {
		t.Errorf("%d of %d techniques under a tactic", n, Techniques())
	}
	if len(ByTactic(Tactic{Short: "none"})) != 0 {
		t.Error("an unknown tactic has techniques")
	}
	if !strings.Contains(Notice(), "MITRE") {
		t.Error("the notice is gone")
	}
}

func TestGeneratedFromTheBundle(t *testing.T) {
	bundle := filepath.Join("..", "..", "..", "shared", "data", "attack", "enterprise-attack-18.1.json.gz")
	if _, err := os.Stat(bundle); err != nil {
		t.Skip("the public data is not beside the repository:", err)
	}
	if testing.Short() {
		t.Skip("builds the generator")
	}
	out := filepath.Join(t.TempDir(), "out.tsv")
	if msg, err := exec.Command("go", "run", "./generate", bundle, out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != enterprise {
		t.Errorf("enterprise.tsv is not what the generator makes (%d bytes, %v)", len(got), err)
	}
}
