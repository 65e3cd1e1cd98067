package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"vigil/internal/marking"
)

// Row is one row of a Select, to scan without its first column, which is the mark.
type Row struct {
	rows  *sql.Rows
	marks *marks
	mid   int64
}

// Label is what the scanned row carries.
func (r *Row) Label() marking.Label { return r.marks.label(r.mid) }

// Scan reads the columns after the mark.
func (r *Row) Scan(dest ...any) error { return r.rows.Scan(append([]any{&r.mid}, dest...)...) }

// Select reads rows through the gate. The query's first column is the mark of what the row shows, alias.mid, and every
// marked table in it stands behind VISIBLE(alias), which becomes the gate's condition; what lacks it is refused.
func Select[T any](ctx context.Context, v *View, query string, args []any, scan func(*Row) (T, error)) ([]marking.Released[T], error) {
	text, err := v.s.guard.view(query, v.cid, v.r.IsSystem())
	if err != nil {
		return nil, err
	}
	rows, err := v.s.readers.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	defer rows.Close()
	var out []marking.Released[T]
	for rows.Next() {
		r := Row{rows: rows, marks: v.s.marks}
		val, err := scan(&r)
		if err != nil {
			return nil, fmt.Errorf("reading rows: %w", err)
		}
		if r.mid == 0 {
			return nil, fmt.Errorf("the first column is no mark: %.80s", query)
		}
		rel, err := pass(v, r.mid, val)
		if err != nil {
			return nil, err
		}
		out = append(out, rel)
	}
	return out, rows.Err()
}

// SelectOne is Select for one row; ErrNotFound where there is none that the reader may see.
func SelectOne[T any](ctx context.Context, v *View, query string, args []any, scan func(*Row) (T, error)) (marking.Released[T], error) {
	all, err := Select(ctx, v, query, args, scan)
	if err != nil {
		return marking.Released[T]{}, err
	}
	if len(all) == 0 {
		return marking.Released[T]{}, ErrNotFound
	}
	return all[0], nil
}

// Count says how many rows a query gives, up to CountLimit. The query needs no mark in its columns, but the gate.
func (v *View) Count(ctx context.Context, query string, args ...any) (int, error) {
	text, err := v.s.guard.view(query, v.cid, v.r.IsSystem())
	if err != nil {
		return 0, err
	}
	var n int
	err = v.s.readers.QueryRowContext(ctx, `SELECT count(*) FROM (`+text+` LIMIT `+strconv.Itoa(CountLimit)+`)`, args...).Scan(&n)
	return n, err
}

// Machine reads machine state, which carries no mark. It is for background work alone.
func Machine[T any](ctx context.Context, v *View, query string, args []any, scan func(*sql.Rows) (T, error)) ([]T, error) {
	if !v.r.IsSystem() {
		return nil, fmt.Errorf("machine state is for background work: %.80s", query)
	}
	text, err := v.s.guard.view(query, v.cid, true)
	if err != nil {
		return nil, err
	}
	rows, err := v.s.readers.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("reading rows: %w", err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		val, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("reading rows: %w", err)
		}
		out = append(out, val)
	}
	return out, rows.Err()
}

// PageToken seals a position of a row list of a package's own; Position opens it.
func (v *View) PageToken(query string, pos int64) string { return v.s.token(v.r, query, pos) }

// Position opens a token of PageToken. The second result is false for the empty token, the list's beginning.
func (v *View) Position(query, token string) (int64, bool, error) {
	return v.s.position(v.r, query, token)
}
