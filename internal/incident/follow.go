package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/internal/detect"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

const (
	cursorName   = "incident/findings"
	cursorStream = "finding" // the table of findings: it has no other life than the database's
	batchSize    = 200
	systemActor  = "system:incident"
)

// errMoved means that somebody changed an incident between the look and the act: look again.
var errMoved = errors.New("an incident changed meanwhile")

// system is the reader of the opener: it reads all findings, and what it makes carries their labels.
func system() marking.Reader { return marking.System("findings are gathered into incidents") }

// Run opens incidents from findings, and links to them, until ctx ends. An error means that the process must stop.
func (d *Desk) Run(ctx context.Context) error {
	for {
		changed := d.store.Changed()
		more, err := d.Step(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errMoved) || more && err == nil:
			continue
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		// What one event sets off arrives in a burst; gathered, it opens one incident rather than several to be merged.
		settle := time.NewTimer(d.cfg.Settle)
		select {
		case <-settle.C:
		case <-ctx.Done():
			settle.Stop()
			return ctx.Err()
		}
	}
}

// Step takes the next batch of changed findings in and says whether there was one. It remembers them, plans, and acts: one
// entry for each incident that is opened or changed, the last of which moves the cursor. Interrupted anywhere, it does the
// rest when called again: what is linked already is found so. Steps take turns.
func (d *Desk) Step(ctx context.Context) (bool, error) {
	d.turn.Lock()
	defer d.turn.Unlock()
	v, err := d.store.View(ctx, system())
	if err != nil {
		return false, err
	}
	_, pos, err := d.store.Cursor(ctx, cursorName)
	if err != nil {
		return false, err
	}
	changed, err := detect.Changed(ctx, v, pos, batchSize)
	if err != nil || len(changed) == 0 {
		return false, err
	}
	batch := map[string]member{}
	to := pos
	for _, rel := range changed {
		f := marking.Open(marking.NewSheet(v.Reader()), rel)
		m := member{Finding: f, label: rel.Label()}
		if err := m.read(ctx, v); err != nil {
			return false, fmt.Errorf("reading the finding %s: %w", f.ID, err)
		}
		batch[f.ID], to = m, max(to, f.Change)
	}
	if err := d.remember(ctx, batch); err != nil {
		return false, err
	}
	acts, err := d.plan(ctx, v, batch)
	if err != nil {
		return false, err
	}
	for n, a := range acts {
		move := func(advancer) error { return nil }
		if n == len(acts)-1 {
			move = func(tx advancer) error { return tx.Advance(cursorName, cursorStream, pos, to) }
		}
		if err := d.carryOut(ctx, a, move); err != nil {
			return false, err
		}
	}
	if len(acts) > 0 {
		return true, nil
	}
	return true, d.store.Work(ctx, store.Lease{}, func(tx *store.WorkTx) error { return tx.Advance(cursorName, cursorStream, pos, to) })
}

// advancer is a transaction that can move a cursor.
type advancer interface {
	Advance(name, stream string, from, to int64) error
}

// remember keeps what the rule of grouping needs to know of findings, and refreshes what is linked but changes no incident.
func (d *Desk) remember(ctx context.Context, batch map[string]member) error {
	return d.store.Work(ctx, store.Lease{}, func(tx *store.WorkTx) error {
		for _, id := range sorted(batch) {
			m := batch[id]
			if m.part() && !m.weighs() {
				continue
			}
			mid, err := tx.Mark(m.label)
			if err != nil {
				return err
			}
			org := d.orgKey(m.Source)
			if _, err := tx.Exec(`INSERT INTO incident_seen VALUES(?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(finding) DO UPDATE SET state=excluded.state, level=excluded.level, first=excluded.first, last=excluded.last, mid=excluded.mid`,
				m.ID, org, m.Rule, m.Kind, m.Title, int(m.Level), strings.Join(m.Techniques, " "), m.State, unix(m.First), unix(m.Last), mid); err != nil {
				return err
			}
			for _, t := range m.traits {
				if _, err := tx.Exec(`INSERT OR IGNORE INTO incident_trait VALUES(?,?,?)`, org, t, m.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// orgKey is whose logs they are; a source of unknown owner stands for itself.
func (d *Desk) orgKey(source string) string {
	if org := d.cfg.SourceOwner(source); org != "" {
		return org
	}
	return "source " + source
}

// planned is one act: an incident to open, or to link to and merge into.
type planned struct {
	into    string // "" opens
	merge   []string
	members []member
}

// plan says what a batch leads to. It reads only.
func (d *Desk) plan(ctx context.Context, v *store.View, batch map[string]member) ([]planned, error) {
	walked := map[string]bool{}
	var acts []planned
	at := map[string]int{} // incident to its act
	add := func(into string, merge []string, ids []string) error {
		n, ok := at[into]
		if !ok || into == "" {
			n = len(acts)
			acts = append(acts, planned{into: into})
			at[into] = n
		}
		acts[n].merge = append(acts[n].merge, merge...)
		for _, id := range ids {
			if slices.ContainsFunc(acts[n].members, func(m member) bool { return m.ID == id }) {
				continue
			}
			m, ok := batch[id]
			if !ok {
				rel, err := detect.Get(ctx, v, id)
				if err != nil {
					return fmt.Errorf("reading the finding %s: %w", id, err)
				}
				m = member{Finding: marking.Open(marking.NewSheet(v.Reader()), rel), label: rel.Label()}
				if err := m.read(ctx, v); err != nil {
					return fmt.Errorf("reading the finding %s: %w", id, err)
				}
			}
			acts[n].members = append(acts[n].members, m)
		}
		return nil
	}
	var late []node
	var groups []group
	for _, id := range sorted(batch) {
		n, ok, err := nodeOf(ctx, v, id)
		if err != nil {
			return nil, err
		}
		if !ok { // below what takes part; linked by hand at most
			links, err := store.Select(ctx, v, `SELECT l.mid, l.incident FROM incident_finding l WHERE l.finding=? AND l.incident<>'' AND VISIBLE(l)`, []any{id}, func(r *store.Row) (s string, err error) { return s, r.Scan(&s) })
			if err != nil {
				return nil, err
			}
			if len(links) == 1 {
				if err := add(marking.Open(marking.NewSheet(v.Reader()), links[0]), nil, []string{id}); err != nil {
					return nil, err
				}
			}
			continue
		}
		if n.incident != "" { // linked: the incident follows what changed
			if err := add(n.incident, nil, []string{id}); err != nil {
				return nil, err
			}
		}
		switch {
		case walked[id] || n.apart || n.incident != "" && !n.open:
		case !n.part() && n.incident == "":
			late = append(late, n)
		case n.weighs():
			g, err := gather(ctx, v, n, walked)
			if err != nil {
				return nil, err
			}
			groups = joined(groups, g)
		}
	}
	for _, g := range groups {
		var ids []string
		for _, p := range append(slices.Clone(g.parts), g.context...) {
			ids = append(ids, p.id)
		}
		var into string
		var merge []string
		if len(g.incidents) > 0 {
			into = g.incidents[0].incident
			for _, other := range g.incidents[1:] {
				ok, err := d.untouched(ctx, v, other.incident)
				if err != nil {
					return nil, err
				}
				if ok {
					merge = append(merge, other.incident)
				}
			}
		}
		if into == "" && !g.opens() || into != "" && len(ids)+len(merge) == 0 {
			continue
		}
		if err := add(into, merge, ids); err != nil {
			return nil, err
		}
	}
	for _, n := range late {
		taken := slices.ContainsFunc(acts, func(a planned) bool {
			return slices.ContainsFunc(a.members, func(m member) bool { return m.ID == n.id })
		})
		if taken {
			continue
		}
		g, err := beside(ctx, v, n)
		if err != nil {
			return nil, err
		}
		if len(g.incidents) > 0 {
			if err := add(g.incidents[0].incident, nil, []string{n.id}); err != nil {
				return nil, err
			}
		}
	}
	return unmerged(acts), nil
}

// unmerged sees to it that no incident is merged away and grown, or merged twice, in one batch: the rest comes when the next
// finding of it changes.
func unmerged(acts []planned) []planned {
	gone := map[string]bool{}
	for n := range acts {
		acts[n].merge = slices.DeleteFunc(acts[n].merge, func(id string) bool {
			busy := gone[id] || slices.ContainsFunc(acts, func(a planned) bool { return a.into == id && len(a.merge) > 0 })
			gone[id] = true
			return busy
		})
	}
	// What was to grow an incident that is merged away grows what it is merged into.
	var out []planned
	for _, a := range acts {
		into := slices.IndexFunc(acts, func(b planned) bool { return slices.Contains(b.merge, a.into) })
		if into < 0 || a.into == "" {
			out = append(out, a)
		}
	}
	for _, a := range acts {
		n := slices.IndexFunc(out, func(b planned) bool { return a.into != "" && slices.Contains(b.merge, a.into) })
		if n >= 0 {
			for _, m := range a.members {
				if !slices.ContainsFunc(out[n].members, func(o member) bool { return o.ID == m.ID }) {
					out[n].members = append(out[n].members, m)
				}
			}
		}
	}
	return out
}

// carryOut does one act on the record, with the cursor where it is the last. What changes no word, label or link of an
// incident but only its times and observables is machine state, and leaves no entry.
func (d *Desk) carryOut(ctx context.Context, a planned, move func(advancer) error) error {
	quiet := false
	err := d.store.Work(ctx, store.Lease{}, func(tx *store.WorkTx) (err error) {
		if quiet, err = a.refresh(tx); err != nil || !quiet {
			return err
		}
		return move(tx)
	})
	if err != nil || quiet {
		return err
	}
	slices.SortFunc(a.members, func(x, y member) int {
		if c := x.First.Compare(y.First); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	act := store.Act{Reader: system(), Actor: systemActor, Action: "incident.link", Subject: a.into, Purpose: "findings that belong together are worked on together", Label: marking.Everyone()}
	if a.into == "" {
		act.Action, act.Subject, act.Purpose = "incident.open", string(stix.NewID("incident")), "findings that belong together want somebody's attention"
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		if err := d.apply(tx, a, act.Subject); err != nil {
			return err
		}
		return move(tx)
	})
	if err != nil && !errors.Is(err, errMoved) {
		return fmt.Errorf("gathering findings into %s: %w", act.Subject, err)
	}
	return err
}

// refresh brings times and observables up to date where that is all there is to do, and says whether it was.
func (a planned) refresh(tx *store.WorkTx) (bool, error) {
	if a.into == "" || len(a.merge) > 0 {
		return false, nil
	}
	var severity detect.Level
	var set bool
	var first, last, mid int64
	if err := tx.QueryRow(`SELECT severity, severity_set, first, last, mid FROM incident_row WHERE id=?`, a.into).Scan(&severity, &set, &first, &last, &mid); err != nil {
		return false, err
	}
	label := tx.Label(mid)
	for _, m := range a.members {
		var other, role string
		err := tx.QueryRow(`SELECT incident, role FROM incident_finding WHERE finding=?`, m.ID).Scan(&other, &role)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return false, nil
		case err != nil:
			return false, err
		case other != a.into || (role == rolePart) != m.part() || m.State == "confirmed":
			return false, nil
		case m.part() && (label.Join(m.label).Canon() != label.Canon() || !set && m.Level > severity):
			return false, nil
		}
	}
	for _, m := range a.members {
		mid, err := tx.Mark(m.label)
		if err != nil {
			return false, err
		}
		if _, err := tx.Exec(`UPDATE incident_finding SET mid=? WHERE finding=?`, mid, m.ID); err != nil {
			return false, err
		}
		if !m.part() {
			continue
		}
		if first == 0 || unix(m.First) < first {
			first = unix(m.First)
		}
		last = max(last, unix(m.Last))
		if err := m.keepObservables(tx, a.into); err != nil {
			return false, err
		}
	}
	_, err := tx.Exec(`UPDATE incident_row SET first=?, last=? WHERE id=?`, first, last, a.into)
	return true, err
}

func (d *Desk) apply(tx *store.Tx, a planned, id string) error {
	if a.into == "" {
		var org string
		for _, m := range a.members {
			if org == "" && m.part() {
				org = d.cfg.SourceOwner(m.Source)
			}
		}
		label, err := baseLabel(org, nil)
		if err != nil {
			return err
		}
		for _, m := range a.members {
			var other string
			if err := tx.QueryRow(`SELECT incident FROM incident_finding WHERE finding=?`, m.ID).Scan(&other); err == nil {
				return errMoved // linked by hand meanwhile
			} else if !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		i := Incident{ID: id, Org: org, State: Fresh}
		for _, m := range a.members {
			if m.part() {
				i.Severity = max(i.Severity, m.Level)
			}
		}
		if i.Title, err = d.retitle(tx, i, a.members); err != nil {
			return err
		}
		return d.create(tx, i, label, a.members)
	}
	i, err := load(tx, a.into)
	if err != nil {
		return err
	}
	var fresh int
	for _, m := range a.members {
		var other string
		err := tx.QueryRow(`SELECT incident FROM incident_finding WHERE finding=?`, m.ID).Scan(&other)
		switch {
		case errors.Is(err, store.ErrNotFound):
			fresh++
		case err != nil:
			return err
		case other != i.ID && !slices.Contains(a.merge, other):
			return errMoved
		}
	}
	if fresh > 0 && !i.State.Open() {
		return errMoved // closed meanwhile
	}
	for n, other := range a.merge {
		if err := d.absorb(tx, &i, other, n); err != nil {
			return err
		}
	}
	return d.grow(tx, i, a.members)
}

// untouched says whether nobody has worked on an incident yet, so that it may be merged into another.
func (d *Desk) untouched(ctx context.Context, v *store.View, id string) (bool, error) {
	n, err := v.Count(ctx, `SELECT 1 FROM incident_row i WHERE i.id=? AND i.state='new' AND i.owner='' AND i.by_hand=0 AND i.title_set=0 AND i.severity_set=0 AND i.narrative='' AND VISIBLE(i)
		AND NOT EXISTS(SELECT 1 FROM incident_task t WHERE t.incident=i.id AND VISIBLE(t)) AND NOT EXISTS(SELECT 1 FROM incident_note n WHERE n.incident=i.id AND VISIBLE(n))
		AND NOT EXISTS(SELECT 1 FROM evidence e WHERE e.incident=i.id AND VISIBLE(e)) AND NOT EXISTS(SELECT 1 FROM incident_observable o WHERE o.incident=i.id AND o.finding='' AND VISIBLE(o))`, id)
	return n == 1, err
}

// absorb merges an incident that nobody has touched into another, and closes it.
func (d *Desk) absorb(tx *store.Tx, into *Incident, id string, n int) error {
	was, err := load(tx, id)
	if err != nil {
		return err
	}
	var busy bool
	err = tx.QueryRow(`SELECT EXISTS(SELECT 1 FROM incident_task WHERE incident=?) OR EXISTS(SELECT 1 FROM incident_note WHERE incident=?) OR EXISTS(SELECT 1 FROM evidence WHERE incident=?)
		OR EXISTS(SELECT 1 FROM incident_observable WHERE incident=? AND finding='')`, id, id, id, id).Scan(&busy)
	if err != nil {
		return err
	}
	if busy || was.State != Fresh || was.Owner != "" || was.ByHand || was.TitleSet || was.SeveritySet || was.Narrative != "" {
		return errMoved // somebody has begun to work on it
	}
	for _, q := range []string{
		`UPDATE incident_finding SET incident=? WHERE incident=?`,
		`UPDATE OR IGNORE incident_observable SET incident=? WHERE incident=?`,
	} {
		if _, err := tx.Exec(q, into.ID, id); err != nil {
			return err
		}
	}
	now := was
	if err := enterState(tx, d.cfg.Clocks, &now, Closed, "merged into another incident that it belongs to"); err != nil {
		return err
	}
	tx.Note(fmt.Sprintf("merged.%02d", n), id)
	if err := save(tx, fmt.Sprintf("merged.%02d.", n), was, now, was.Label); err != nil {
		return err
	}
	// The findings bring label, severity and title along.
	grown := *into
	if !grown.SeveritySet {
		grown.Severity = max(grown.Severity, was.Severity)
	}
	if !was.First.IsZero() && (grown.First.IsZero() || was.First.Before(grown.First)) {
		grown.First = was.First
	}
	if was.Last.After(grown.Last) {
		grown.Last = was.Last
	}
	label := into.Label.Join(was.Label)
	if err := save(tx, fmt.Sprintf("into.%02d.", n), *into, grown, label); err != nil {
		return err
	}
	*into, err = load(tx, into.ID)
	return err
}

func sorted(batch map[string]member) []string {
	out := make([]string, 0, len(batch))
	for id := range batch {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b string) int {
		if c := batch[a].First.Compare(batch[b].First); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return out
}
