package incident

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/event"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Draft is an incident that a person opens.
type Draft struct {
	Title     string
	Severity  detect.Level
	Org       string // id of the organisation that it happened to; may be empty
	Narrative string
	Reason    string // why it is opened, for the record
	// Findings are linked to it; one that belongs to another incident is refused.
	Findings []string
	// Mark is what the house bounds it to, beside the labels of the findings. Nil is the default: the house's own staff
	// and the organisation it happened to. Its Source is ignored.
	Mark *marking.Spec
}

// baseLabel is what the house itself bounds an incident to: need to know, AMBER+STRICT to its own staff and the
// organisation it happened to.
func baseLabel(org string, mark *marking.Spec) (marking.Label, error) {
	spec := marking.Spec{TLP: marking.AmberStrict, Audience: []string{marking.OwnStaff}}
	if org != "" {
		spec.Audience = append(spec.Audience, marking.OrgPrincipal(org))
	}
	if mark != nil {
		spec = *mark
	}
	spec.Source = marking.Own
	return marking.New(spec)
}

// Open opens an incident by hand.
func (d *Desk) Open(ctx context.Context, who access.Principal, draft Draft) (string, error) {
	if err := who.Need(access.IncidentOpen); err != nil {
		return "", err
	}
	title, err := line("the title", draft.Title, maxTitle, false)
	if err != nil {
		return "", err
	}
	org, err := line("the organisation", draft.Org, maxWord, true)
	if err != nil {
		return "", err
	}
	reason, err := line("the reason", draft.Reason, maxWord, true)
	if err != nil {
		return "", err
	}
	if err := prose("the narrative", draft.Narrative, true); err != nil {
		return "", err
	}
	if draft.Severity < detect.Informational || draft.Severity > detect.Critical {
		return "", fmt.Errorf("%w: no severity has the number %d", ErrInput, draft.Severity)
	}
	if len(draft.Findings) > 500 {
		return "", fmt.Errorf("%w: %d findings at once, more than 500", ErrInput, len(draft.Findings))
	}
	label, err := baseLabel(org, draft.Mark)
	if err != nil {
		return "", fmt.Errorf("%w: its marking: %w", ErrInput, err)
	}
	if !marking.MayRead(who.Reader, label) {
		return "", fmt.Errorf("%w: you could not read it yourself: %s", ErrInput, marking.WhyNot(who.Reader, label))
	}
	id := string(stix.NewID("incident"))
	if reason == "" {
		reason = "opened by hand: " + title
	}
	act, err := who.Act(access.IncidentOpen, id, reason)
	if err != nil {
		return "", err
	}
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return "", err
	}
	sheet := marking.NewSheet(who.Reader)
	var parts []member
	ids := slices.Clone(draft.Findings)
	slices.Sort(ids)
	for _, f := range slices.Compact(ids) {
		rel, err := detect.Get(ctx, v, f)
		if err != nil {
			return "", err
		}
		m := member{Finding: marking.Open(sheet, rel), label: rel.Label()}
		if err := m.read(ctx, v); err != nil {
			return "", err
		}
		parts = append(parts, m)
	}
	act.Label = marking.Everyone()
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		i := Incident{ID: id, Org: org, State: Fresh, Severity: draft.Severity, SeveritySet: true, Title: title, TitleSet: true, Narrative: draft.Narrative, ByHand: true}
		return d.create(tx, i, label, parts)
	})
	if err != nil {
		return "", fmt.Errorf("opening an incident: %w", err)
	}
	return id, nil
}

// LinkFinding adds a finding to an incident by hand.
func (d *Desk) LinkFinding(ctx context.Context, who access.Principal, id, finding, reason string) error {
	reason, err := line("the reason", reason, maxWord, false)
	if err != nil {
		return err
	}
	act, err := d.act(ctx, who, access.IncidentChange, id, reason)
	if err != nil {
		return err
	}
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return err
	}
	rel, err := detect.Get(ctx, v, finding)
	if err != nil {
		return err
	}
	m := member{Finding: marking.Open(marking.NewSheet(who.Reader), rel), label: rel.Label()}
	if err := m.read(ctx, v); err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		i, err := load(tx, id)
		if err != nil {
			return err
		}
		return d.grow(tx, i, []member{m})
	})
	return err
}

// UnlinkFinding takes a finding out of an incident: it belongs to none from then on, until a person links it. Label, title and
// severity stay; lowering a label is a decision of its own.
func (d *Desk) UnlinkFinding(ctx context.Context, who access.Principal, id, finding, reason string) error {
	reason, err := line("the reason", reason, maxWord, false)
	if err != nil {
		return err
	}
	act, err := d.act(ctx, who, access.IncidentChange, id, reason)
	if err != nil {
		return err
	}
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return err
	}
	if _, err := detect.Get(ctx, v, finding); err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		was, err := load(tx, id)
		if err != nil {
			return err
		}
		if err := oneRow(tx.Exec(`UPDATE incident_finding SET incident='', role='apart' WHERE finding=? AND incident=?`, finding, id)); err != nil {
			return err
		}
		tx.Note("taken.out", finding)
		if _, err := tx.Exec(`DELETE FROM incident_observable WHERE incident=? AND finding=?`, id, finding); err != nil {
			return err
		}
		var first, last int64
		err = tx.QueryRow(`SELECT coalesce(min(s.first), 0), coalesce(max(s.last), 0) FROM incident_seen s JOIN incident_finding l ON l.finding=s.finding WHERE l.incident=? AND l.role='part'`, id).Scan(&first, &last)
		if err != nil {
			return err
		}
		now := was
		now.First, now.Last = nanos(first), nanos(last)
		return save(tx, "", was, now, was.Label)
	})
	return err
}

// create writes a fresh incident with its number, clocks and findings, inside the act that opens it.
func (d *Desk) create(tx *store.Tx, i Incident, label marking.Label, parts []member) error {
	i.Opened = after(tx.Now(), time.Time{})
	i.Modified = i.Opened
	i.Label = label
	for _, m := range parts {
		if m.part() {
			i.Label = i.Label.Join(m.label)
		}
	}
	if err := version(tx, i, i.Label); err != nil {
		return err
	}
	if unrestricted(i.Label) {
		if _, err := tx.Exec(`UPDATE incident_row SET seq=(SELECT coalesce(max(seq), 0) + 1 FROM incident_row) WHERE id=?`, i.ID); err != nil {
			return err
		}
	}
	mid, err := tx.Mark(i.Label)
	if err != nil {
		return err
	}
	if err := startClocks(tx, d.cfg.Clocks, i, mid); err != nil {
		return err
	}
	tx.Note("title", i.Title)
	tx.Note("severity", i.Severity.String())
	i.Rev = 1
	return d.grow(tx, i, parts)
}

// unrestricted says whether every one of the house's own staff may read what carries l: only then a running number
// counts nothing that one of them may not see.
func unrestricted(l marking.Label) bool {
	r, err := marking.NewReader(marking.Identity{Person: "anybody", Org: "the house", OwnStaff: true})
	return err == nil && marking.MayRead(r, l)
}

// grow links findings to an incident, or takes in what changed in those linked already: label, times, severity and title
// follow, and observables are noted. A finding that belongs to another incident fails the transaction.
func (d *Desk) grow(tx *store.Tx, was Incident, parts []member) error {
	now := was
	label := was.Label
	var fresh, beside []string
	for _, m := range parts {
		mid, err := tx.Mark(m.label)
		if err != nil {
			return err
		}
		role := roleContext
		if m.part() {
			role = rolePart
		}
		var other string
		err = tx.QueryRow(`SELECT incident FROM incident_finding WHERE finding=?`, m.ID).Scan(&other)
		switch {
		case errors.Is(err, store.ErrNotFound) || err == nil && other == "": // or taken out of one before
			if m.part() {
				fresh = append(fresh, m.ID)
			} else {
				beside = append(beside, m.ID)
			}
		case err != nil:
			return err
		case other != was.ID:
			return fmt.Errorf("%w: the finding %s belongs to another incident", ErrInput, m.ID)
		}
		if _, err := tx.Exec(`INSERT INTO incident_finding VALUES(?,?,?,?,?) ON CONFLICT(finding) DO UPDATE SET incident=excluded.incident, role=excluded.role, mid=excluded.mid`, m.ID, was.ID, role, unix(tx.Now()), mid); err != nil {
			return err
		}
		tx.Taint(m.label)
		if !m.part() {
			continue
		}
		label = label.Join(m.label)
		if now.First.IsZero() || m.First.Before(now.First) {
			now.First = m.First
		}
		if m.Last.After(now.Last) {
			now.Last = m.Last
		}
		if !now.SeveritySet {
			now.Severity = max(now.Severity, m.Level)
		}
		if err := m.keepObservables(tx, was.ID); err != nil {
			return err
		}
		if err := m.sight(tx); err != nil {
			return err
		}
	}
	if len(fresh) > 0 {
		tx.Note("findings", strings.Join(fresh, " "))
	}
	if len(beside) > 0 {
		tx.Note("context", strings.Join(beside, " "))
	}
	if !now.TitleSet && len(parts) > 0 {
		title, err := d.retitle(tx, now, parts)
		if err != nil {
			return err
		}
		now.Title = title
	}
	return save(tx, "", was, now, label)
}

// member is a finding with what its events show.
type member struct {
	detect.Finding
	label       marking.Label
	traits      []string
	observables []observed
}

// part says whether the finding makes an incident up, rather than standing beside it.
func (m member) part() bool { return m.State == "open" || m.State == "confirmed" }

// weighs says whether it may open or join by itself: an indicator's, or a rule's of level medium or above.
func (m member) weighs() bool { return m.part() && (m.Kind == "indicator" || m.Level >= detect.Medium) }

// read takes the proving events of a finding in, as the view shows them.
func (m *member) read(ctx context.Context, v *store.View) error {
	events, err := detect.Events(ctx, v, m.ID)
	if err != nil {
		return err
	}
	c := collector{traits: map[string]bool{}, observables: map[[2]string]*observed{}}
	c.trait("host", m.Entity)
	c.traits["rule:"+m.Rule] = true
	c.see("host", m.Entity, m.First)
	c.see("host", m.Entity, m.Last)
	sheet := marking.NewSheet(v.Reader())
	var ev event.Event
	for _, rel := range events {
		e := marking.Open(sheet, rel)
		m.label = m.label.Join(rel.Label())
		if err := ev.Parse(e.Bytes); err != nil {
			return fmt.Errorf("event %s of %s: %w", e.Ref, m.ID, err) // ingest has checked it
		}
		c.event(&ev, e.At)
	}
	m.traits, m.observables = c.result()
	return nil
}

// keepObservables notes what the events of a finding showed, under the finding's own label.
func (m member) keepObservables(tx interface {
	Mark(marking.Label) (int64, error)
	Exec(query string, args ...any) (sql.Result, error)
}, id string) error {
	mid, err := tx.Mark(m.label)
	if err != nil {
		return err
	}
	for _, o := range m.observables {
		if _, err := tx.Exec(`INSERT INTO incident_observable VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(incident, kind, value, finding) DO UPDATE SET
			first=min(first, excluded.first), last=max(last, excluded.last), n=max(n, excluded.n), mid=excluded.mid`,
			id, m.ID, o.kind, o.value, unix(o.first), unix(o.last), o.n, mid); err != nil {
			return err
		}
	}
	return nil
}

// sight keeps a sighting of what matched where a person confirmed the finding. Its id is made of the finding's, so that one
// finding is one sighting, in versions.
func (m member) sight(tx *store.Tx) error {
	if m.State != "confirmed" {
		return nil
	}
	if _, err := stix.ParseID(m.Rule); err != nil {
		return nil // matched by something that is no object: there is nothing to sight
	}
	o, err := stix.Make("sighting", tx.Now(), stix.Props{
		"id": stix.ID("sighting--" + uuidOf(m.ID)), "created": m.First.Truncate(time.Millisecond), "modified": after(tx.Now(), time.Time{}),
		"first_seen": m.First, "last_seen": m.Last.Add(time.Millisecond), "count": int(min(m.Count, 999_999_999)), "sighting_of_ref": stix.ID(m.Rule),
	})
	if err != nil {
		return fmt.Errorf("a sighting of %s: %w", m.ID, err)
	}
	pap := marking.PAPClear
	v, err := tx.Put(store.Put{Object: o, Source: marking.Own, Spec: marking.Spec{TLP: marking.Clear, PAP: &pap}, HasTLP: true, Derived: m.label})
	if err != nil {
		return err
	}
	if v.Outcome == store.Refused {
		return fmt.Errorf("a sighting of %s was refused: %s", m.ID, v.Reason)
	}
	return nil
}
