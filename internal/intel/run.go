package intel

import (
	"context"
	"time"

	"vigil/internal/marking"
	"vigil/internal/store"
)

// Run is one import that has ended.
type Run struct {
	ID, Source, Name                              string
	At                                            time.Time
	State                                         string // "whole" or "cut short"
	Objects, Added, Versioned, Unchanged, Refused int
}

func (b *Base) keepRun(tx *store.Tx, o Options, s Summary, stopped error) error {
	mid, err := tx.Mark(s.Label)
	if err != nil {
		return err
	}
	state := "whole"
	if stopped != nil {
		state = "cut short"
	}
	_, err = tx.Exec(`INSERT INTO import_run VALUES(?,?,?,?,1,?,?,?,?,?,?,?)`, runID(), o.Source, o.Name, tx.Now().UnixNano(), state, s.Objects,
		s.Counts[store.Added], s.Counts[store.Versioned]+s.Counts[store.Older]+s.Counts[store.Relayed], s.Counts[store.Unchanged], s.Counts[store.Refused]+s.Counts[store.Conflict], mid)
	return err
}

// Runs gives the latest imports that a reader may know of.
func Runs(ctx context.Context, v *store.View, limit int) ([]marking.Released[Run], error) {
	return store.Select(ctx, v, `SELECT i.mid, i.id, i.source, i.name, i.at, i.state, i.objects, i.added, i.versioned, i.unchanged, i.refused FROM import_run i WHERE VISIBLE(i) ORDER BY i.at DESC LIMIT ?`, []any{limit},
		func(row *store.Row) (r Run, err error) {
			var at int64
			err = row.Scan(&r.ID, &r.Source, &r.Name, &at, &r.State, &r.Objects, &r.Added, &r.Versioned, &r.Unchanged, &r.Refused)
			r.At = time.Unix(0, at).UTC()
			return r, err
		})
}
