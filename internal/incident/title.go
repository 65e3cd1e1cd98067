package incident

import (
	"cmp"
	"slices"
	"strings"

	"vigil/internal/attack"
	"vigil/internal/detect"
	"vigil/internal/store"
)

// head is what a title is made of.
type head struct {
	rule, title string // title of a rule of the house's own; "" for an indicator, whose name somebody else wrote
	level       detect.Level
	techniques  []string
}

// retitle names an incident by the worst of its rules and how far it went. The findings that are linked already are read
// from the opener's memory.
func (d *Desk) retitle(tx *store.Tx, i Incident, parts []member) (string, error) {
	byID := map[string]head{}
	rows, err := tx.Query(`SELECT s.finding, s.kind, s.rule, s.title, s.level, s.techniques FROM incident_seen s JOIN incident_finding l ON l.finding=s.finding WHERE l.incident=? AND l.role='part'`, i.ID)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var id, kind, techniques string
		var h head
		if err := rows.Scan(&id, &kind, &h.rule, &h.title, &h.level, &techniques); err != nil {
			return "", err
		}
		h.techniques = strings.Fields(techniques)
		if kind != "rule" {
			h.title = ""
		}
		byID[id] = h
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	for _, m := range parts {
		if !m.part() {
			continue
		}
		h := head{rule: m.Rule, level: m.Level, techniques: m.Techniques}
		if m.Kind == "rule" {
			h.title = m.Title
		}
		byID[m.ID] = h
	}
	heads := make([]head, 0, len(byID))
	for _, h := range byID {
		heads = append(heads, h)
	}
	return title(d.cfg.OrgName(i.Org), heads), nil
}

// title is "<organisation>: <the worst rule>, as far as <the last tactic>". Of rules equally bad the one whose tactic comes
// later in the kill chain counts, then the first by name. An indicator's own name is not used: a partner wrote it, or a
// machine.
func title(org string, heads []head) string {
	if org == "" {
		org = "Unknown organisation"
	}
	slices.SortFunc(heads, func(a, b head) int {
		return cmp.Or(boolToInt(b.title != "")-boolToInt(a.title != ""), int(b.level)-int(a.level), reach(b.techniques)-reach(a.techniques), strings.Compare(a.title, b.title), strings.Compare(a.rule, b.rule))
	})
	what := "Contact with a known indicator"
	if len(heads) > 0 && heads[0].title != "" {
		what = strings.Join(strings.Fields(heads[0].title), " ")
	}
	out := org + ": " + what
	far, own := 0, 0
	for n, h := range heads {
		far = max(far, reach(h.techniques))
		if n == 0 {
			own = far
		}
	}
	if far > own {
		out += ", as far as " + strings.ToLower(attack.Tactics()[far-1].Name)
	}
	return clip(out, maxTitle)
}

func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	cut := max - len("…")
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tacticOf gives a technique's place in the kill chain, 1 and up, and its tactic's name; 0 where it is unknown. A technique
// of several tactics counts as its first.
func tacticOf(technique string) (int, string) {
	t, ok := attack.Lookup(technique)
	if !ok {
		return 0, ""
	}
	for n, tac := range attack.Tactics() {
		if tac.ID == t.Tactics[0].ID {
			return n + 1, tac.Name
		}
	}
	return 0, ""
}

// reach is the last tactic among techniques.
func reach(techniques []string) int {
	far := 0
	for _, t := range techniques {
		n, _ := tacticOf(t)
		far = max(far, n)
	}
	return far
}

// lateral says whether one of the techniques moves from host to host.
func lateral(techniques []string) bool {
	for _, id := range techniques {
		t, ok := attack.Lookup(id)
		if !ok {
			continue
		}
		if slices.ContainsFunc(t.Tactics, func(tac attack.Tactic) bool { return tac.Short == "lateral-movement" }) {
			return true
		}
	}
	return false
}
