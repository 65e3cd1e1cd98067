package access

import (
	"context"
	"database/sql"

	"vigil/internal/marking"
	"vigil/internal/store"
)

// machine is the directory's own sight of its tables: who somebody is has to be known before there is a reader to ask
// for. What it reads becomes a Principal, never a page.
func (d *Directory) machine(ctx context.Context) (*store.View, error) {
	return d.store.View(ctx, marking.System("who somebody is, before they are a reader"))
}

// one reads one row of machine state; store.ErrNotFound where there is none.
func one(ctx context.Context, d *Directory, query string, args []any, dest ...any) error {
	v, err := d.machine(ctx)
	if err != nil {
		return err
	}
	rows, err := store.Machine(ctx, v, query, args, func(r *sql.Rows) (struct{}, error) { return struct{}{}, r.Scan(dest...) })
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return store.ErrNotFound
	}
	return nil
}

// all reads rows of machine state.
func all[T any](ctx context.Context, d *Directory, query string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	v, err := d.machine(ctx)
	if err != nil {
		return nil, err
	}
	return store.Machine(ctx, v, query, args, scan)
}

// bootAct is an act of the program itself, before there is anybody who could act.
func bootAct(action, subject, purpose string) store.Act {
	return store.Act{Reader: marking.System(purpose), Actor: "system:set-up", Action: action, Subject: subject, Purpose: purpose}
}
