package incident

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Bounds of what people write, in bytes.
const (
	maxTitle = 200
	maxText  = 100_000
	maxWord  = 500
)

// line checks a text of one line: not empty unless optional, valid UTF-8, no control characters.
func line(what, s string, max int, optional bool) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case s == "" && !optional:
		return "", fmt.Errorf("%w: %s is missing", ErrInput, what)
	case len(s) > max:
		return "", fmt.Errorf("%w: %s has %d bytes, more than %d", ErrInput, what, len(s), max)
	case !utf8.ValidString(s):
		return "", fmt.Errorf("%w: %s is not UTF-8", ErrInput, what)
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", fmt.Errorf("%w: %s holds control characters", ErrInput, what)
	}
	return s, nil
}

// prose checks a text of many lines, which is kept raw.
func prose(what, s string, optional bool) error {
	switch {
	case strings.TrimSpace(s) == "" && !optional:
		return fmt.Errorf("%w: %s is missing", ErrInput, what)
	case len(s) > maxText:
		return fmt.Errorf("%w: %s has %d bytes, more than %d", ErrInput, what, len(s), maxText)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return fmt.Errorf("%w: %s is not text in UTF-8", ErrInput, what)
	}
	return nil
}

// see reads an incident through the view of who acts: what they may not see is not there.
func (d *Desk) see(ctx context.Context, who access.Principal, id string) (Incident, error) {
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return Incident{}, err
	}
	rel, err := Get(ctx, v, id)
	if err != nil {
		return Incident{}, err
	}
	return marking.Open(marking.NewSheet(who.Reader), rel), nil
}

// load reads the incident inside the transaction, with its label. It asks the gate again: the label may have been
// tightened since.
func load(tx *store.Tx, id string) (Incident, error) {
	var mid int64
	i, err := scanIncident(func(dest ...any) error {
		return tx.QueryRow(`SELECT `+incidentColumns+` FROM incident_row i WHERE i.id=?`, id).Scan(append([]any{&mid}, dest...)...)
	}, true)
	if err != nil {
		return i, err
	}
	i.Label = tx.Label(mid)
	if !marking.MayRead(tx.Reader(), i.Label) {
		return Incident{}, store.ErrNotFound
	}
	tx.Taint(i.Label)
	return i, nil
}

// act makes an act of a person on an incident that they can see.
func (d *Desk) act(ctx context.Context, who access.Principal, a access.Action, id, purpose string) (store.Act, error) {
	act, err := who.Act(a, id, purpose)
	if err != nil {
		return act, err
	}
	i, err := d.see(ctx, who, id)
	if err != nil {
		return act, err
	}
	act.Label = i.Label
	return act, nil
}

// change is how a person changes an incident: seen through their own view, at the revision that they saw, on the record
// with what was and what is. f changes the incident and says nothing else; a nil purpose in words is the default.
func (d *Desk) change(ctx context.Context, who access.Principal, id string, rev int64, purpose string, f func(tx *store.Tx, i *Incident) error) (store.Receipt, error) {
	act, err := d.act(ctx, who, access.IncidentChange, id, purpose)
	if err != nil {
		return store.Receipt{}, err
	}
	return d.store.Record(ctx, act, func(tx *store.Tx) error {
		was, err := load(tx, id)
		if err != nil {
			return err
		}
		if was.Rev != rev {
			return fmt.Errorf("%w: you saw revision %d, it is at %d", ErrStale, rev, was.Rev)
		}
		now := was
		if err := f(tx, &now); err != nil {
			return err
		}
		return save(tx, "", was, now, now.Label)
	})
}

// save writes what changed: a version where the object says something else, and the row. prefix tells two incidents of one
// act apart.
func save(tx *store.Tx, prefix string, was, now Incident, label marking.Label) error {
	diff := func(name, a, b string) {
		if a != b {
			tx.Note(prefix+"was."+name, a)
			tx.Note(prefix+"now."+name, b)
		}
	}
	diff("state", string(was.State), string(now.State))
	diff("severity", was.Severity.String(), now.Severity.String())
	diff("owner", was.Owner, now.Owner)
	diff("title", was.Title, now.Title)
	diff("narrative", was.Narrative, now.Narrative)
	owner, modified := now.Owner, was.Modified
	seen := was.State != now.State || was.Severity != now.Severity || was.Title != now.Title || was.Narrative != now.Narrative || was.Reason != now.Reason ||
		was.SeveritySet != now.SeveritySet || was.TitleSet != now.TitleSet
	if seen || label.Canon() != was.Label.Canon() {
		now.Modified = after(tx.Now(), modified)
		if err := version(tx, now, label); err != nil {
			return err
		}
	}
	rev := was.Rev
	if seen || was.Owner != now.Owner {
		rev++
	}
	_, err := tx.Exec(`UPDATE incident_row SET owner=?, first=?, last=?, rev=? WHERE id=?`, owner, unix(now.First), unix(now.Last), rev, now.ID)
	return err
}

// SetState takes an incident to another state; reason is needed where the step asks for one.
func (d *Desk) SetState(ctx context.Context, who access.Principal, id string, rev int64, to State, reason string) error {
	reason, err := line("the reason", reason, maxWord, true)
	if err != nil {
		return err
	}
	purpose := reason
	if purpose == "" {
		purpose = "take it to " + to.String()
	}
	_, err = d.change(ctx, who, id, rev, purpose, func(tx *store.Tx, i *Incident) error {
		if _, err := walk(i.State, to, reason); err != nil {
			return err
		}
		return enterState(tx, d.cfg.Clocks, i, to, reason)
	})
	return err
}

// enterState changes state, with what follows from it.
func enterState(tx *store.Tx, clocks []ClockRule, i *Incident, to State, reason string) error {
	i.State, i.Closed, i.Reason = to, nanos(0), ""
	if !to.Open() {
		i.Closed, i.Reason = tx.Now(), reason
	}
	return stopClocks(tx, clocks, i.ID, to)
}

// SetSeverity says how bad it is, with a reason; from then on findings no longer do.
func (d *Desk) SetSeverity(ctx context.Context, who access.Principal, id string, rev int64, to detect.Level, reason string) error {
	reason, err := line("the reason", reason, maxWord, false)
	if err != nil {
		return err
	}
	if to < detect.Informational || to > detect.Critical {
		return fmt.Errorf("%w: no severity has the number %d", ErrInput, to)
	}
	_, err = d.change(ctx, who, id, rev, reason, func(_ *store.Tx, i *Incident) error {
		i.Severity, i.SeveritySet = to, true
		return nil
	})
	return err
}

// Assign gives an incident to a person, or with "" to nobody. Taking it oneself is assigning it to oneself.
func (d *Desk) Assign(ctx context.Context, who access.Principal, id string, rev int64, person string) error {
	person, err := line("the owner", person, maxWord, true)
	if err != nil {
		return err
	}
	purpose := "give it to " + person
	switch {
	case person == "":
		purpose = "give it back"
	case person == who.Person:
		purpose = "take it"
	default:
		r, err := d.cfg.ReaderOf(ctx, person)
		if err != nil {
			return fmt.Errorf("giving an incident to %s: %w", person, err)
		}
		i, err := d.see(ctx, who, id)
		if err != nil {
			return err
		}
		if !marking.MayRead(r, i.Label) {
			return fmt.Errorf("%w: they may not read it: %s", ErrInput, marking.WhyNot(r, i.Label))
		}
	}
	_, err = d.change(ctx, who, id, rev, purpose, func(_ *store.Tx, i *Incident) error {
		i.Owner = person
		return nil
	})
	return err
}

// Take is Assign to who acts.
func (d *Desk) Take(ctx context.Context, who access.Principal, id string, rev int64) error {
	return d.Assign(ctx, who, id, rev, who.Person)
}

// SetTitle names it in a person's words; from then on findings no longer do.
func (d *Desk) SetTitle(ctx context.Context, who access.Principal, id string, rev int64, title string) error {
	title, err := line("the title", title, maxTitle, false)
	if err != nil {
		return err
	}
	_, err = d.change(ctx, who, id, rev, "name it", func(_ *store.Tx, i *Incident) error {
		i.Title, i.TitleSet = title, true
		return nil
	})
	return err
}

// SetNarrative writes down what is known.
func (d *Desk) SetNarrative(ctx context.Context, who access.Principal, id string, rev int64, text string) error {
	if err := prose("the narrative", text, true); err != nil {
		return err
	}
	_, err := d.change(ctx, who, id, rev, "write down what is known", func(_ *store.Tx, i *Incident) error {
		i.Narrative = text
		return nil
	})
	return err
}

// ParseRev reads a revision that a form sent back.
func ParseRev(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%w: %.20q is no revision", ErrInput, s)
	}
	return n, nil
}
