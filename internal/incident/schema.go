package incident

import "vigil/internal/store"

// Schema is the stage's tables. incident_row is the projection of the incident object; tasks, notes, clocks, links and
// observables belong to it and are never more visible. Evidence and custody stand alone: a thing in custody is handed to
// people who may not read the incident, and carries a mark of its own.
//
// incident_seen and incident_trait are the opener's memory of findings: machine state, which holds log text.
var Schema = store.Schema{
	Name: "incident",
	Steps: []string{`
CREATE TABLE incident_row(iid INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL DEFAULT 0, org TEXT NOT NULL, state TEXT NOT NULL, severity INTEGER NOT NULL,
  owner TEXT NOT NULL, title TEXT NOT NULL, narrative TEXT NOT NULL, reason TEXT NOT NULL, by_hand INTEGER NOT NULL, title_set INTEGER NOT NULL, severity_set INTEGER NOT NULL,
  opened INTEGER NOT NULL, closed INTEGER NOT NULL, modified INTEGER NOT NULL, first INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0, rev INTEGER NOT NULL DEFAULT 1, mid INTEGER NOT NULL);
CREATE INDEX incident_state ON incident_row(state, iid);
CREATE INDEX incident_seq ON incident_row(seq);
CREATE TABLE incident_finding(finding TEXT PRIMARY KEY, incident TEXT NOT NULL, role TEXT NOT NULL, at INTEGER NOT NULL, mid INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX incident_finding_of ON incident_finding(incident);
CREATE TABLE incident_observable(incident TEXT NOT NULL, finding TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, n INTEGER NOT NULL,
  mid INTEGER NOT NULL, PRIMARY KEY(incident, kind, value, finding)) WITHOUT ROWID;
CREATE TABLE incident_task(id TEXT PRIMARY KEY, incident TEXT NOT NULL, title TEXT NOT NULL, owner TEXT NOT NULL, due INTEGER NOT NULL, created INTEGER NOT NULL, author TEXT NOT NULL,
  done INTEGER NOT NULL, done_by TEXT NOT NULL, mid INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX incident_task_of ON incident_task(incident, created);
CREATE TABLE incident_note(id TEXT PRIMARY KEY, incident TEXT NOT NULL, text TEXT NOT NULL, author TEXT NOT NULL, at INTEGER NOT NULL, mid INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX incident_note_of ON incident_note(incident, at);
CREATE TABLE incident_clock(incident TEXT NOT NULL, name TEXT NOT NULL, length INTEGER NOT NULL, starts INTEGER NOT NULL, due INTEGER NOT NULL, stopped INTEGER NOT NULL, mid INTEGER NOT NULL,
  PRIMARY KEY(incident, name)) WITHOUT ROWID;
CREATE TABLE evidence(id TEXT PRIMARY KEY, incident TEXT NOT NULL, item TEXT NOT NULL, original INTEGER NOT NULL, size INTEGER NOT NULL, sha BLOB NOT NULL, tlp INTEGER NOT NULL,
  compartments TEXT NOT NULL, audience TEXT NOT NULL, holder TEXT NOT NULL, place TEXT NOT NULL, created INTEGER NOT NULL, offered_to TEXT NOT NULL, mid INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX evidence_of ON evidence(incident, created);
CREATE INDEX evidence_sha ON evidence(sha);
CREATE INDEX evidence_holder ON evidence(holder);
CREATE INDEX evidence_offered ON evidence(offered_to) WHERE offered_to<>'';
CREATE TABLE custody(evidence TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL, giver TEXT NOT NULL, taker TEXT NOT NULL, place TEXT NOT NULL, purpose TEXT NOT NULL,
  tool TEXT NOT NULL, tool_version TEXT NOT NULL, seal TEXT NOT NULL, mid INTEGER NOT NULL, PRIMARY KEY(evidence, n)) WITHOUT ROWID;
CREATE TRIGGER custody_stays BEFORE UPDATE OF evidence, n, at, what, giver, taker, place, purpose, tool, tool_version, seal ON custody BEGIN SELECT RAISE(ABORT, 'a custody entry never changes'); END;
CREATE TRIGGER custody_kept BEFORE DELETE ON custody BEGIN SELECT RAISE(ABORT, 'a custody entry is never deleted'); END;
CREATE TABLE incident_seen(finding TEXT PRIMARY KEY, org TEXT NOT NULL, rule TEXT NOT NULL, kind TEXT NOT NULL, title TEXT NOT NULL, level INTEGER NOT NULL, techniques TEXT NOT NULL,
  state TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, mid INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX incident_seen_last ON incident_seen(org, last);
CREATE TABLE incident_trait(org TEXT NOT NULL, trait TEXT NOT NULL, finding TEXT NOT NULL, PRIMARY KEY(org, trait, finding)) WITHOUT ROWID;
CREATE INDEX incident_trait_of ON incident_trait(finding)`},
	Tables: []store.Table{
		{Name: "incident_row", Mark: true, Object: "id"},
		{Name: "incident_finding", Mark: true, Object: "incident"},
		{Name: "incident_observable", Mark: true, Object: "incident"},
		{Name: "incident_task", Mark: true, Object: "incident"},
		{Name: "incident_note", Mark: true, Object: "incident"},
		{Name: "incident_clock", Mark: true, Object: "incident"},
		{Name: "evidence", Mark: true},
		{Name: "custody", Mark: true},
		{Name: "incident_seen"},
		{Name: "incident_trait"},
	},
	Project: map[string]func(*store.Tx, store.Object) error{"incident": project},
}
