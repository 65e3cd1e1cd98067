package incident

import (
	"fmt"
	"time"

	"vigil/internal/detect"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Extension is the id of the extension definition under which an incident carries what STIX and its incident-core have no
// property for.
const Extension stix.ID = "extension-definition--2f1c5a0e-7c1b-4d34-9a43-0a6b8a3f5c9e"

// version writes what i says as the next version of its object, with a label.
func version(tx *store.Tx, i Incident, label marking.Label) error {
	o, err := object(i)
	if err != nil {
		return err
	}
	pap := marking.PAPClear // the label says all: the house adds no bound of its own beside it
	verdict, err := tx.Put(store.Put{Object: o, Source: marking.Own, Spec: marking.Spec{TLP: marking.Clear, PAP: &pap}, HasTLP: true, Derived: label})
	if err != nil {
		return err
	}
	if verdict.Outcome != store.Added && verdict.Outcome != store.Versioned {
		return fmt.Errorf("a version of %s was %s: %s", i.ID, verdict.Outcome, verdict.Reason)
	}
	return nil
}

func object(i Incident) (*stix.Object, error) {
	core := stix.IncidentCore{Determination: stix.DeterminationSuspected, InvestigationStatus: "open", Criticality: int(i.Severity) * 25}
	switch {
	case i.State == FalseAlarm:
		core.Determination, core.InvestigationStatus = stix.DeterminationFalsePositive, "closed"
	case i.State == Closed:
		core.Determination, core.InvestigationStatus = stix.DeterminationConfirmed, "closed"
	case i.State == Fresh:
		core.InvestigationStatus = "new"
	case i.State != Triage:
		core.Determination = stix.DeterminationConfirmed
	}
	ext := core.Props()
	ext[string(Extension)] = stix.Props{
		"extension_type": "property-extension",
		"state":          string(i.State), "severity": i.Severity.String(), "severity_set": i.SeveritySet, "title_set": i.TitleSet,
		"org": i.Org, "reason": i.Reason, "by_hand": i.ByHand, "closed": i.Closed,
	}
	return stix.Make("incident", i.Modified, stix.Props{
		"id": stix.ID(i.ID), "created": i.Opened, "modified": i.Modified, "name": i.Title, "description": i.Narrative, "extensions": ext,
	})
}

// parse reads from an object what version wrote; owner, times of events and numbers are the row's alone.
func parse(raw []byte) (Incident, error) {
	o, _, err := stix.Parse(raw, stix.Options{Mode: stix.Lenient})
	if err != nil {
		return Incident{}, err
	}
	text := func(name string) string {
		s, _ := o.String("extensions." + string(Extension) + "." + name)
		return s
	}
	is := func(name string) bool {
		b, _ := o.Lookup("extensions." + string(Extension) + "." + name)
		return string(b) == "true"
	}
	i := Incident{ID: string(o.ID), Tag: Tag(string(o.ID)), Title: o.Name, State: State(text("state")), Severity: detect.ParseLevel(text("severity")), SeveritySet: is("severity_set"),
		TitleSet: is("title_set"), Org: text("org"), Reason: text("reason"), ByHand: is("by_hand"), Opened: o.Created.Time(), Modified: o.Modified.Time()}
	i.Narrative, _ = o.String("description")
	if s := text("closed"); s != "" {
		t, err := stix.ParseTimestamp(s)
		if err != nil {
			return Incident{}, fmt.Errorf("%s: closed: %w", i.ID, err)
		}
		i.Closed = t.Time()
	}
	if !i.State.Known() {
		return Incident{}, fmt.Errorf("%s: no state is called %q", i.ID, text("state"))
	}
	return i, nil
}

// project keeps the row beside the object. An incident that is not made by this package has no row.
func project(tx *store.Tx, o store.Object) error {
	if p, _, err := stix.Parse(o.Bytes, stix.Options{Mode: stix.Lenient}); err != nil {
		return err
	} else if _, ours := p.Lookup("extensions." + string(Extension)); !ours {
		return nil
	}
	i, err := parse(o.Bytes)
	if err != nil {
		return err
	}
	mid, err := tx.Mark(o.Label)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO incident_row(id, org, state, severity, owner, title, narrative, reason, by_hand, title_set, severity_set, opened, closed, modified, mid) VALUES(?,?,?,?,'',?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET org=excluded.org, state=excluded.state, severity=excluded.severity, title=excluded.title, narrative=excluded.narrative, reason=excluded.reason, by_hand=excluded.by_hand,
		title_set=excluded.title_set, severity_set=excluded.severity_set, opened=excluded.opened, closed=excluded.closed, modified=excluded.modified, mid=excluded.mid`,
		i.ID, i.Org, string(i.State), int(i.Severity), i.Title, i.Narrative, i.Reason, i.ByHand, i.TitleSet, i.SeveritySet, unix(i.Opened), unix(i.Closed), unix(i.Modified), mid)
	return err
}

// after is the time of a version that follows one of time last: STIX counts versions in milliseconds here.
func after(now, last time.Time) time.Time {
	now = now.UTC().Truncate(time.Millisecond)
	if !now.After(last) {
		now = last.Truncate(time.Millisecond).Add(time.Millisecond)
	}
	return now
}
