// Package attack is a small table of MITRE ATT&CK Enterprise technique ids, names and tactics, so that pages can name a technique when no knowledge base is imported.
// It holds version 18.1, without revoked and deprecated techniques; NOTICE has the terms under which MITRE lets it be used.
package attack

import (
	_ "embed"
	"strings"
	"sync"
)

//go:generate go run ./generate ../../../shared/data/attack/enterprise-attack-18.1.json.gz enterprise.tsv

// Version is the ATT&CK version of the table.
const Version = "18.1"

//go:embed NOTICE
var notice string

// Notice is the text that must stand where the table is shown or copied.
func Notice() string { return notice }

// Tactic is a column of the matrix: what the adversary is after.
type Tactic struct {
	ID    string // "TA0008"
	Short string // as in kill chain phases and Sigma tags: "lateral-movement"
	Name  string // "Lateral Movement"
}

// Technique is a technique or a sub-technique.
type Technique struct {
	ID      string   // "T1021" or "T1021.002"
	Name    string   // without its parent's
	Tactics []Tactic // in kill-chain order, at least one; shared, not to be changed
	Parent  string   // the technique's id of a sub-technique; else empty
}

//go:embed enterprise.tsv
var enterprise string

type tables struct {
	tactics  []Tactic
	byID     map[string]Technique
	byTactic map[string][]Technique
}

var load = sync.OnceValue(func() tables {
	t := tables{byID: map[string]Technique{}, byTactic: map[string][]Technique{}}
	short := map[string]Tactic{}
	for line := range strings.Lines(enterprise) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(f[0], "TA") {
			tac := Tactic{ID: f[0], Name: f[1], Short: f[2]}
			t.tactics = append(t.tactics, tac)
			short[tac.Short] = tac
			continue
		}
		tech := Technique{ID: f[0], Name: f[1]}
		for s := range strings.SplitSeq(f[2], ",") {
			tech.Tactics = append(tech.Tactics, short[s])
			t.byTactic[s] = append(t.byTactic[s], tech)
		}
		if parent, _, sub := strings.Cut(tech.ID, "."); sub {
			tech.Parent = parent
		}
		t.byID[tech.ID] = tech
	}
	// byTactic was filled while the techniques were still growing.
	for s, list := range t.byTactic {
		for i, tech := range list {
			t.byTactic[s][i] = t.byID[tech.ID]
		}
	}
	return t
})

// Lookup finds a technique by its id, in either case, with or without Sigma's "attack." before it.
func Lookup(id string) (Technique, bool) {
	if len(id) > 32 {
		return Technique{}, false
	}
	id = strings.ToUpper(id)
	id = strings.TrimPrefix(id, "ATTACK.")
	t, ok := load().byID[id]
	return t, ok
}

// Tactics lists the tactics in kill-chain order. The slice is the caller's.
func Tactics() []Tactic { return append([]Tactic(nil), load().tactics...) }

// LookupTactic finds a tactic by its id, its short name or its name, in any case; Sigma writes the short name with underscores.
func LookupTactic(s string) (Tactic, bool) {
	if len(s) > 64 {
		return Tactic{}, false
	}
	s = strings.TrimPrefix(strings.ToLower(s), "attack.")
	dashed := strings.NewReplacer("_", "-", " ", "-").Replace(s)
	for _, t := range load().tactics {
		if strings.EqualFold(t.ID, s) || t.Short == dashed {
			return t, true
		}
	}
	return Tactic{}, false
}

// ByTactic lists a tactic's techniques by id, each directly followed by its sub-techniques. The slice is the caller's.
func ByTactic(t Tactic) []Technique { return append([]Technique(nil), load().byTactic[t.Short]...) }

// Techniques is how many techniques and sub-techniques the table holds.
func Techniques() int { return len(load().byID) }
