// Package detect matches events against rules and indicators, and gathers what matched into findings. It reads the
// stream as a log: the cursor moves in the same transaction that writes the findings, so an event counts exactly once.
package detect

import (
	"fmt"
	"strings"

	"vigil/internal/store"
	"vigil/sigma"
	"vigil/stix"
)

// Schema is detect's tables. rule_row is the projection of the house's own indicators of pattern type sigma; a finding
// names the rule's or indicator's object and is never more visible than it.
var Schema = store.Schema{
	Name: "detect",
	Steps: []string{`
CREATE TABLE rule_row(id TEXT PRIMARY KEY, title TEXT NOT NULL, level TEXT NOT NULL, techniques TEXT NOT NULL, logsource TEXT NOT NULL, enabled INTEGER NOT NULL DEFAULT 1,
  refused TEXT NOT NULL DEFAULT '', mid INTEGER NOT NULL);
CREATE TABLE finding(fid INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, rule TEXT NOT NULL, title TEXT NOT NULL, level INTEGER NOT NULL, techniques TEXT NOT NULL,
  source TEXT NOT NULL, entity TEXT NOT NULL, value TEXT NOT NULL, day TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, n INTEGER NOT NULL,
  state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', mid INTEGER NOT NULL, chg INTEGER NOT NULL);
CREATE INDEX finding_chg ON finding(chg);
CREATE INDEX finding_last ON finding(last, fid);
CREATE INDEX finding_rule ON finding(rule);
CREATE TABLE finding_event(fid INTEGER NOT NULL, ref TEXT NOT NULL, at INTEGER NOT NULL, mid INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(fid, at, ref)) WITHOUT ROWID;
CREATE TABLE warning_value(kind TEXT NOT NULL, value TEXT NOT NULL, list TEXT NOT NULL, PRIMARY KEY(kind, value)) WITHOUT ROWID;
CREATE TABLE event_hour(source TEXT NOT NULL, hour INTEGER NOT NULL, n INTEGER NOT NULL, mid INTEGER NOT NULL, PRIMARY KEY(source, hour)) WITHOUT ROWID`},
	Tables: []store.Table{
		{Name: "rule_row", Mark: true, Object: "id"},
		{Name: "finding", Mark: true, Object: "rule"},
		{Name: "finding_event", Mark: true},
		{Name: "warning_value"},
		{Name: "event_hour", Mark: true},
	},
	Project: map[string]func(*store.Tx, store.Object) error{"indicator": projectRule},
}

// projectRule keeps the row of a Sigma rule beside its object. A rule that can't be honoured is kept with the reason.
func projectRule(tx *store.Tx, o store.Object) error {
	obj, _, err := stix.Parse(o.Bytes, stix.Options{Mode: stix.Lenient})
	if err != nil {
		return err
	}
	if kind, _ := obj.String("pattern_type"); kind != "sigma" {
		return nil
	}
	text, _ := obj.String("pattern")
	mid, err := tx.Mark(o.Label)
	if err != nil {
		return err
	}
	var level, techniques, logsource, refused string
	if r, err := parseRule(string(obj.ID), text); err != nil {
		refused = err.Error()
	} else {
		level, techniques, logsource = r.Level, strings.Join(r.Techniques(), " "), r.Logsource.String()
	}
	_, err = tx.Exec(`INSERT INTO rule_row(id, title, level, techniques, logsource, refused, mid) VALUES(?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET title=excluded.title, level=excluded.level, techniques=excluded.techniques, logsource=excluded.logsource, refused=excluded.refused, mid=excluded.mid`,
		o.ID, o.Title, level, techniques, logsource, refused, mid)
	return err
}

func parseRule(name, text string) (*sigma.Rule, error) {
	set, errs := sigma.Parse(name, []byte(text))
	if len(errs) > 0 {
		return nil, errs[0]
	}
	if len(set.Rules) != 1 {
		return nil, fmt.Errorf("%s: %d rules in one object, want one", name, len(set.Rules))
	}
	return set.Rules[0], nil
}

// Level orders how bad it is, if it is what it seems: Sigma's levels.
type Level int

// The levels.
const (
	Informational Level = iota
	Low
	Medium
	High
	Critical
)

var levelWords = [...]string{"informational", "low", "medium", "high", "critical"}

// String is Sigma's word.
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelWords) {
		return levelWords[0]
	}
	return levelWords[l]
}

// ParseLevel reads Sigma's word; what it does not know is informational.
func ParseLevel(s string) Level {
	for i, w := range levelWords {
		if s == w {
			return Level(i)
		}
	}
	return Informational
}
