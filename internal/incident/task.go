package incident

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Task is one thing to do.
type Task struct {
	ID, Incident, Title string
	Owner               string // person or organisation that it waits for; may be empty
	Due                 time.Time
	Created             time.Time
	Author              string
	Done                time.Time // zero while open
	DoneBy              string
}

// Note is what a person wrote down. Its text is kept raw.
type Note struct {
	ID, Incident, Text, Author string
	At                         time.Time
}

// stricter joins what a person bounds their text to into the incident's label: it can be stricter, never looser.
func stricter(base marking.Label, mark *marking.Spec) (marking.Label, error) {
	if mark == nil {
		return base, nil
	}
	spec := *mark
	spec.Source = marking.Own
	l, err := marking.New(spec)
	if err != nil {
		return l, fmt.Errorf("%w: its marking: %w", ErrInput, err)
	}
	return base.Join(l), nil
}

// write makes an act on an incident, and gives f the incident and the mark of what is written under it.
func (d *Desk) write(ctx context.Context, who access.Principal, a access.Action, id, purpose string, mark *marking.Spec, f func(tx *store.Tx, i Incident, mid int64) error) error {
	act, err := d.act(ctx, who, a, id, purpose)
	if err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		i, err := load(tx, id)
		if err != nil {
			return err
		}
		label, err := stricter(i.Label, mark)
		if err != nil {
			return err
		}
		if !marking.MayRead(who.Reader, label) {
			return fmt.Errorf("%w: you could not read it yourself: %s", ErrInput, marking.WhyNot(who.Reader, label))
		}
		tx.Taint(label)
		mid, err := tx.Mark(label)
		if err != nil {
			return err
		}
		return f(tx, i, mid)
	})
	return err
}

// AddTask notes something to do; owner and due may be empty.
func (d *Desk) AddTask(ctx context.Context, who access.Principal, id, title, owner string, due time.Time) (string, error) {
	title, err := line("the task", title, maxWord, false)
	if err != nil {
		return "", err
	}
	if owner, err = line("the owner", owner, maxWord, true); err != nil {
		return "", err
	}
	task := string(stix.NewID("task"))
	return task, d.write(ctx, who, access.IncidentTask, id, "add a task", nil, func(tx *store.Tx, _ Incident, mid int64) error {
		tx.Note("task", task)
		tx.Note("title", title)
		_, err := tx.Exec(`INSERT INTO incident_task VALUES(?,?,?,?,?,?,?,0,'',?)`, task, id, title, owner, unix(due), unix(tx.Now()), who.Person, mid)
		return err
	})
}

// SetTask says that a task is done, or that it is not.
func (d *Desk) SetTask(ctx context.Context, who access.Principal, id, task string, done bool) error {
	purpose := "a task is done"
	if !done {
		purpose = "a task is open again"
	}
	return d.write(ctx, who, access.IncidentTask, id, purpose, nil, func(tx *store.Tx, _ Incident, _ int64) error {
		tx.Note("task", task)
		at, by := int64(0), ""
		if done {
			at, by = unix(tx.Now()), who.Person
		}
		res, err := tx.Exec(`UPDATE incident_task SET done=?, done_by=? WHERE id=? AND incident=?`, at, by, task, id)
		return oneRow(res, err)
	})
}

// ChangeTask sets owner and due of a task.
func (d *Desk) ChangeTask(ctx context.Context, who access.Principal, id, task, owner string, due time.Time) error {
	owner, err := line("the owner", owner, maxWord, true)
	if err != nil {
		return err
	}
	return d.write(ctx, who, access.IncidentTask, id, "change a task", nil, func(tx *store.Tx, _ Incident, _ int64) error {
		tx.Note("task", task)
		tx.Note("now.owner", owner)
		res, err := tx.Exec(`UPDATE incident_task SET owner=?, due=? WHERE id=? AND incident=?`, owner, unix(due), task, id)
		return oneRow(res, err)
	})
}

func oneRow(res interface{ RowsAffected() (int64, error) }, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(store.ErrNotFound, err)
	}
	return nil
}

// Tasks gives the tasks of an incident: open ones first, by due time.
func Tasks(ctx context.Context, v *store.View, id string) ([]marking.Released[Task], error) {
	return store.Select(ctx, v, `SELECT t.mid, t.id, t.incident, t.title, t.owner, t.due, t.created, t.author, t.done, t.done_by FROM incident_task t WHERE t.incident=? AND VISIBLE(t)
		ORDER BY t.done<>0, t.due=0, t.due, t.created, t.id LIMIT 1000`, []any{id}, func(r *store.Row) (t Task, err error) {
		var due, created, done int64
		err = r.Scan(&t.ID, &t.Incident, &t.Title, &t.Owner, &due, &created, &t.Author, &done, &t.DoneBy)
		t.Due, t.Created, t.Done = nanos(due), nanos(created), nanos(done)
		return t, err
	})
}

// AddNote writes down what a person found; mark, where given, bounds it further than the incident.
func (d *Desk) AddNote(ctx context.Context, who access.Principal, id, text string, mark *marking.Spec) (string, error) {
	if err := prose("the note", text, false); err != nil {
		return "", err
	}
	note := string(stix.NewID("note"))
	return note, d.write(ctx, who, access.IncidentTask, id, "write a note", mark, func(tx *store.Tx, _ Incident, mid int64) error {
		tx.Note("note", note)
		_, err := tx.Exec(`INSERT INTO incident_note VALUES(?,?,?,?,?,?)`, note, id, text, who.Person, unix(tx.Now()), mid)
		return err
	})
}

// Notes gives the notes of an incident, oldest first.
func Notes(ctx context.Context, v *store.View, id string) ([]marking.Released[Note], error) {
	return store.Select(ctx, v, `SELECT n.mid, n.id, n.incident, n.text, n.author, n.at FROM incident_note n WHERE n.incident=? AND VISIBLE(n) ORDER BY n.at, n.id LIMIT 1000`, []any{id},
		func(r *store.Row) (n Note, err error) {
			var at int64
			err = r.Scan(&n.ID, &n.Incident, &n.Text, &n.Author, &at)
			n.At = nanos(at)
			return n, err
		})
}

// Observable is a value seen in an incident: somebody else's text.
type Observable struct {
	Kind  string // "host", "user-account", "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "file-md5", "file-sha1", "file-sha256", "file-name"
	Value string
	// First and Last are the proving events that showed it, or when it was added; Events counts them among those kept.
	First, Last time.Time
	Events      int
	Findings    int // that showed it
	ByHand      bool
}

// ObservableKinds are those that a person can add.
func ObservableKinds() []string {
	return []string{"domain-name", "ipv4-addr", "ipv6-addr", "url", "email-addr", "file-sha256", "file-sha1", "file-md5", "file-name", "host", "user-account"}
}

// AddObservable notes a value that a person saw.
func (d *Desk) AddObservable(ctx context.Context, who access.Principal, id, kind, value string) error {
	value, err := checkObservable(kind, value)
	if err != nil {
		return err
	}
	return d.write(ctx, who, access.IncidentTask, id, "add an observable", nil, func(tx *store.Tx, _ Incident, mid int64) error {
		tx.Note("observable", kind+" "+value)
		_, err := tx.Exec(`INSERT INTO incident_observable VALUES(?,'',?,?,?,?,0,?) ON CONFLICT DO NOTHING`, id, kind, value, unix(tx.Now()), unix(tx.Now()), mid)
		return err
	})
}

func checkObservable(kind, value string) (string, error) {
	value, err := line("the value", value, 4096, false)
	if err != nil {
		return "", err
	}
	bad := func(what string) (string, error) {
		return "", fmt.Errorf("%w: %.80q is no %s", ErrInput, value, what)
	}
	switch kind {
	case "ipv4-addr", "ipv6-addr":
		a, err := netip.ParseAddr(value)
		if err != nil || a.Is4() != (kind == "ipv4-addr") || a.Zone() != "" {
			return bad("address of kind " + kind)
		}
		return a.String(), nil
	case "domain-name":
		value = strings.TrimSuffix(strings.ToLower(value), ".")
		if !strings.Contains(value, ".") || strings.ContainsAny(value, " /:@") {
			return bad("domain name")
		}
	case "url":
		if u, err := url.Parse(value); err != nil || u.Scheme == "" || u.Host == "" {
			return bad("URL")
		}
	case "email-addr":
		if n := strings.LastIndexByte(value, '@'); n < 1 || n == len(value)-1 || strings.ContainsAny(value, " <>") {
			return bad("mail address")
		}
		value = strings.ToLower(value)
	case "file-md5", "file-sha1", "file-sha256":
		value = strings.ToLower(value)
		want := map[string]int{"file-md5": 32, "file-sha1": 40, "file-sha256": 64}[kind]
		if len(value) != want || strings.Trim(value, "0123456789abcdef") != "" {
			return bad("hash of kind " + kind)
		}
	case "file-name", "host", "user-account":
	default:
		return "", fmt.Errorf("%w: no kind of observable is called %.40q", ErrInput, kind)
	}
	return value, nil
}

// Observables gives the values seen in an incident, each once, by kind and value. One carries the labels of what showed it
// to this reader.
func Observables(ctx context.Context, v *store.View, id string) ([]marking.Released[Observable], error) {
	type seen struct {
		Observable
		finding string
	}
	rows, err := store.Select(ctx, v, `SELECT o.mid, o.kind, o.value, o.finding, o.first, o.last, o.n FROM incident_observable o WHERE o.incident=? AND VISIBLE(o) ORDER BY o.kind, o.value, o.finding LIMIT 20000`, []any{id},
		func(r *store.Row) (s seen, err error) {
			var first, last int64
			err = r.Scan(&s.Kind, &s.Value, &s.finding, &first, &last, &s.Events)
			s.First, s.Last = nanos(first), nanos(last)
			return s, err
		})
	if err != nil {
		return nil, err
	}
	var out []marking.Released[Observable]
	for len(rows) > 0 {
		sheet := marking.NewSheet(v.Reader())
		first := marking.Open(sheet, rows[0])
		o := first.Observable
		o.Events = 0
		n := slices.IndexFunc(rows, func(r marking.Released[seen]) bool {
			s := marking.Open(marking.NewSheet(v.Reader()), r)
			return s.Kind != o.Kind || s.Value != o.Value
		})
		if n < 0 {
			n = len(rows)
		}
		for _, rel := range rows[:n] {
			s := marking.Open(sheet, rel)
			o.Events += s.Events
			if s.finding == "" {
				o.ByHand = true
			} else {
				o.Findings++
			}
			if s.First.Before(o.First) {
				o.First = s.First
			}
			if s.Last.After(o.Last) {
				o.Last = s.Last
			}
		}
		rel, ok := marking.Release(v.Reader(), sheet.Label(), o)
		if !ok {
			return nil, store.ErrGate
		}
		out = append(out, rel)
		rows = rows[n:]
	}
	return out, nil
}
