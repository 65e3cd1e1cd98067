package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Body is an organisation. Own, Constituent and Agreement say how it stands to the house, as the marking gate asks.
type Body struct {
	ID   string // "identity--…"
	Name string
	Kind string // in words, such as "csirt", "ministry", "partner-state"
	Own  bool   // the house itself
	// Constituent bodies are those that the house serves: they may read what it received under AMBER.
	Constituent bool
	// Agreement is the arrangement that names the body; empty where there is none.
	Agreement string
	// Ceiling is the highest level that the agreement lets go to the body. It does not bind the house.
	Ceiling marking.TLP
	// Default is the level of what the body sends without one; nil where nothing was agreed.
	Default *marking.TLP
	Domain  string   // of its mail and web; may be empty
	Groups  []string // ids of the groups of bodies that it belongs to
	Created time.Time
}

func (b Body) check() error {
	if err := named("name", b.Name, 200); err != nil {
		return err
	}
	for _, f := range []struct{ what, have string }{{"kind", b.Kind}, {"agreement", b.Agreement}, {"domain", b.Domain}} {
		if err := bounded(f.what, f.have, 500); err != nil {
			return err
		}
	}
	if b.Ceiling > marking.Red || b.Default != nil && *b.Default > marking.Red {
		return &Invalid{"ceiling", "is no level of TLP"}
	}
	return nil
}

// AddBody enters an organisation and gives its id, which is b.ID or, where that is empty, a new one. The house itself
// is entered at set-up.
func (d *Directory) AddBody(ctx context.Context, who Principal, b Body) (string, error) {
	if b.Own {
		return "", errors.New("the house is entered at set-up, and there is one")
	}
	if b.ID == "" {
		b.ID = string(stix.NewID("identity"))
	}
	act, err := who.Act(BodyAdd, b.ID, "enter "+clip(b.Name, 200))
	if err != nil {
		return "", err
	}
	if err := errors.Join(checkID(b.ID, "identity"), b.check()); err != nil {
		return "", err
	}
	if _, err := d.store.Record(ctx, act, func(tx *store.Tx) error { return insertBody(tx, b) }); err != nil {
		return "", fmt.Errorf("entering the body %s: %w", b.Name, err)
	}
	return b.ID, d.loadNames(ctx)
}

func insertBody(tx *store.Tx, b Body) error {
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM access_body WHERE id=? OR name=?`, b.ID, b.Name).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return &Invalid{"name", "a body of this name or id is entered already"}
	}
	groups, err := list(b.Groups).text()
	if err != nil {
		return err
	}
	l, err := rowLabel()
	if err != nil {
		return err
	}
	mid, err := tx.Mark(l)
	if err != nil {
		return err
	}
	b.note(tx)
	_, err = tx.Exec(`INSERT INTO access_body(id, name, kind, own, constituent, agreement, ceiling, default_tlp, domain, grps, created, mid) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)`,
		b.ID, b.Name, b.Kind, b.Own, b.Constituent, b.Agreement, b.Ceiling, level(b.Default), b.Domain, groups, tx.Now().UnixNano(), mid)
	if err != nil {
		return err
	}
	source := b.ID
	if b.Own {
		source = marking.Own
	}
	return tx.Bind(b.ID, source) // what names the body as its author is the body's to version
}

func (b Body) note(tx *store.Tx) {
	tx.Note("name", b.Name)
	tx.Note("kind", b.Kind)
	tx.Note("constituent", fmt.Sprint(b.Constituent))
	tx.Note("agreement", b.Agreement)
	tx.Note("ceiling", b.Ceiling.String())
	if b.Default != nil {
		tx.Note("default", b.Default.String())
	}
	for i, g := range b.Groups {
		tx.Note(fmt.Sprintf("group.%02d", i), g)
	}
}

func level(l *marking.TLP) any {
	if l == nil {
		return nil
	}
	return int64(*l)
}

// ChangeBody replaces what is known of a body, with a reason. Its id, and whether it is the house, stay.
func (d *Directory) ChangeBody(ctx context.Context, who Principal, b Body, reason string) error {
	act, err := who.Act(BodyChange, b.ID, reason)
	if err != nil {
		return err
	}
	if err := errors.Join(named("reason", reason, 2000), b.check()); err != nil {
		return err
	}
	groups, err := list(b.Groups).text()
	if err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		var n int
		if err := tx.QueryRow(`SELECT count(*) FROM access_body WHERE name=? AND id<>?`, b.Name, b.ID).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return &Invalid{"name", "another body has this name"}
		}
		b.note(tx)
		res, err := tx.Exec(`UPDATE access_body SET name=?, kind=?, constituent=?, agreement=?, ceiling=?, default_tlp=?, domain=?, grps=? WHERE id=?`,
			b.Name, b.Kind, b.Constituent, b.Agreement, b.Ceiling, level(b.Default), b.Domain, groups, b.ID)
		return changed(res, err)
	})
	if err != nil {
		return fmt.Errorf("changing the body %s: %w", b.ID, err)
	}
	return d.loadNames(ctx)
}

// changed turns "no row" into ErrNotFound.
func changed(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(store.ErrNotFound, err)
	}
	return nil
}

const bodyColumns = `b.id, b.name, b.kind, b.own, b.constituent, b.agreement, b.ceiling, b.default_tlp, b.domain, b.grps, b.created`

func scanBody(scan func(...any) error, more ...any) (Body, error) {
	var b Body
	var def sql.NullInt64
	var created int64
	err := scan(append([]any{&b.ID, &b.Name, &b.Kind, &b.Own, &b.Constituent, &b.Agreement, &b.Ceiling, &def, &b.Domain, (*list)(&b.Groups), &created}, more...)...)
	if def.Valid {
		l := marking.TLP(def.Int64)
		b.Default = &l
	}
	b.Created = at(created)
	return b, err
}

// BodyRow is a body in a list.
type BodyRow struct {
	Body
	People int // accounts of it
}

// Bodies gives the organisations as a reader may see them, the house first, then by name; at most 1,000.
func Bodies(ctx context.Context, v *store.View) ([]marking.Released[BodyRow], error) {
	return store.Select(ctx, v, `SELECT b.mid, `+bodyColumns+`, (SELECT count(*) FROM access_person p WHERE p.org=b.id AND VISIBLE(p)) FROM access_body b WHERE VISIBLE(b) ORDER BY b.own DESC, b.name LIMIT 1000`,
		nil, scanBodyRow)
}

// GetBody gives one organisation; store.ErrNotFound where there is none that the reader may see.
func GetBody(ctx context.Context, v *store.View, id string) (marking.Released[BodyRow], error) {
	return store.SelectOne(ctx, v, `SELECT b.mid, `+bodyColumns+`, (SELECT count(*) FROM access_person p WHERE p.org=b.id AND VISIBLE(p)) FROM access_body b WHERE b.id=? AND VISIBLE(b)`,
		[]any{id}, scanBodyRow)
}

func scanBodyRow(row *store.Row) (r BodyRow, err error) {
	r.Body, err = scanBody(row.Scan, &r.People)
	return r, err
}

// BodyByID gives an organisation to the stages, past the gate; it is not for pages.
func (d *Directory) BodyByID(ctx context.Context, id string) (Body, error) {
	bs, err := all(ctx, d, `SELECT `+bodyColumns+` FROM access_body b WHERE b.id=? AND VISIBLE(b)`, []any{id}, func(r *sql.Rows) (Body, error) { return scanBody(r.Scan) })
	if err != nil {
		return Body{}, err
	}
	if len(bs) == 0 {
		return Body{}, store.ErrNotFound
	}
	return bs[0], nil
}

func (d *Directory) loadNames(ctx context.Context) error {
	names := map[string]string{}
	_, err := all(ctx, d, `SELECT b.id, b.name FROM access_body b WHERE VISIBLE(b)`, nil, func(r *sql.Rows) (struct{}, error) {
		var id, name string
		err := r.Scan(&id, &name)
		names[id] = name
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("reading the names of bodies: %w", err)
	}
	d.mu.Lock()
	d.names = names
	d.mu.Unlock()
	return nil
}

// BodyName is the name of an organisation, for headings; marking.Own is the house. "" where there is none.
func (d *Directory) BodyName(id string) string {
	if id == marking.Own {
		id = d.house
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.names[id]
}

// BodyChoices lists bodies by name, for forms.
func (d *Directory) BodyChoices() []Body {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]Body, 0, len(d.names))
	for id, name := range d.names {
		out = append(out, Body{ID: id, Name: name})
	}
	slices.SortFunc(out, func(a, b Body) int { return strings.Compare(a.Name, b.Name) })
	return out
}
