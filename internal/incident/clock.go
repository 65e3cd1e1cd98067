package incident

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// ClockRule is a duty with a term that every incident has.
type ClockRule struct {
	Name string
	Term time.Duration
	// ByHand says that it starts when somebody says so, not at the opening.
	ByHand bool
	// StopsAt are the states that meet it when entered.
	StopsAt []State
}

// DefaultClocks are the house's own first assessment and the notice that the organisation concerned owes.
func DefaultClocks() []ClockRule {
	return []ClockRule{
		{Name: "First assessment", Term: 4 * time.Hour, StopsAt: []State{Containment, Closed, FalseAlarm}},
		{Name: "Owner's 24 h notice", Term: 24 * time.Hour, ByHand: true},
	}
}

// Clock is one duty of an incident.
type Clock struct {
	Incident, Name       string
	Term                 time.Duration
	Starts, Due, Stopped time.Time // zero where not
}

// ClockState is how a clock stands.
type ClockState string

// The states of a clock.
const (
	NotStarted ClockState = "not started"
	Running    ClockState = "running"
	Overdue    ClockState = "overdue"
	Met        ClockState = "met"
	Missed     ClockState = "missed" // stopped, but too late
)

// State is how the clock stands at a time. What is due at a time is met by what happens until then, inclusive.
func (c Clock) State(now time.Time) ClockState {
	switch {
	case !c.Stopped.IsZero() && c.Due.IsZero():
		return Met
	case !c.Stopped.IsZero() && c.Stopped.After(c.Due):
		return Missed
	case !c.Stopped.IsZero():
		return Met
	case c.Starts.IsZero() || now.Before(c.Starts):
		return NotStarted
	case now.After(c.Due):
		return Overdue
	}
	return Running
}

// startClocks gives a fresh incident its clocks.
func startClocks(tx *store.Tx, rules []ClockRule, i Incident, mid int64) error {
	for _, r := range rules {
		starts, due := i.Opened, i.Opened.Add(r.Term)
		if r.ByHand {
			starts, due = time.Time{}, time.Time{}
		}
		if _, err := tx.Exec(`INSERT INTO incident_clock VALUES(?,?,?,?,?,0,?)`, i.ID, r.Name, int64(r.Term), unix(starts), unix(due), mid); err != nil {
			return fmt.Errorf("starting the clock %s: %w", r.Name, err)
		}
	}
	return nil
}

func stopClocks(tx *store.Tx, rules []ClockRule, id string, to State) error {
	for _, r := range rules {
		for _, s := range r.StopsAt {
			if s != to {
				continue
			}
			if _, err := tx.Exec(`UPDATE incident_clock SET stopped=? WHERE incident=? AND name=? AND stopped=0 AND starts<>0`, unix(tx.Now()), id, r.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Clocks gives the clocks of an incident, by due time.
func Clocks(ctx context.Context, v *store.View, id string) ([]marking.Released[Clock], error) {
	return store.Select(ctx, v, `SELECT c.mid, c.incident, c.name, c.length, c.starts, c.due, c.stopped FROM incident_clock c WHERE c.incident=? AND VISIBLE(c) ORDER BY c.due=0, c.due, c.name`, []any{id}, scanClock)
}

// DueClocks gives the clocks that run in open incidents, the most urgent first.
func DueClocks(ctx context.Context, v *store.View, limit int) ([]marking.Released[Clock], error) {
	return store.Select(ctx, v, `SELECT c.mid, c.incident, c.name, c.length, c.starts, c.due, c.stopped FROM incident_clock c JOIN incident_row i ON i.id=c.incident
		WHERE c.due<>0 AND c.stopped=0 AND i.state NOT IN ('closed','false-alarm') AND VISIBLE(c) AND VISIBLE(i) ORDER BY c.due, c.name LIMIT ?`, []any{min(max(limit, 1), 1000)}, scanClock)
}

func scanClock(r *store.Row) (c Clock, err error) {
	var length, starts, due, stopped int64
	err = r.Scan(&c.Incident, &c.Name, &length, &starts, &due, &stopped)
	c.Term, c.Starts, c.Due, c.Stopped = time.Duration(length), nanos(starts), nanos(due), nanos(stopped)
	return c, err
}

// StartClock starts a clock that waits, such as that of a notice when the duty was explained.
func (d *Desk) StartClock(ctx context.Context, who access.Principal, id, name, reason string) error {
	return d.clock(ctx, who, id, name, reason, `UPDATE incident_clock SET starts=?, due=?+length WHERE incident=? AND name=? AND starts=0`, 2, "it runs already, or there is none of that name")
}

// StopClock says that the duty was met, with what shows it.
func (d *Desk) StopClock(ctx context.Context, who access.Principal, id, name, reason string) error {
	return d.clock(ctx, who, id, name, reason, `UPDATE incident_clock SET stopped=? WHERE incident=? AND name=? AND starts<>0 AND stopped=0`, 1, "it does not run, or there is none of that name")
}

func (d *Desk) clock(ctx context.Context, who access.Principal, id, name, reason, query string, times int, why string) error {
	reason, err := line("the reason", reason, maxWord, false)
	if err != nil {
		return err
	}
	act, err := d.act(ctx, who, access.IncidentChange, id, reason)
	if err != nil {
		return err
	}
	act.Fields = append(act.Fields, store.Field{Name: "clock", Value: name})
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		if _, err := load(tx, id); err != nil {
			return err
		}
		args := []any{unix(tx.Now()), unix(tx.Now())}[:times]
		res, err := tx.Exec(query, append(args, id, name)...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(fmt.Errorf("%w: the clock %q: %s", ErrTransition, name, why), err)
		}
		return nil
	})
	return err
}
