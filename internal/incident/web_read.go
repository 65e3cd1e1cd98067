package incident

import (
	"context"

	"vigil/internal/marking"
	"vigil/internal/store"
)

// Ref names an incident in a few words.
type Ref struct{ ID, Number, Title string }

// CountOpen says how many incidents are open that a reader may see, up to store.CountLimit.
func CountOpen(ctx context.Context, v *store.View) (int, error) {
	return Count(ctx, v, Query{State: AnyOpen})
}

// OfFindings gives the incident of each finding that has one which the reader may see.
func OfFindings(ctx context.Context, v *store.View, findings []string) (map[string]marking.Released[Ref], error) {
	out := map[string]marking.Released[Ref]{}
	for _, f := range findings {
		id, err := IncidentOf(ctx, v, f)
		if err == store.ErrNotFound {
			continue
		} else if err != nil {
			return nil, err
		}
		rel, err := Get(ctx, v, marking.Open(marking.NewSheet(v.Reader()), id))
		if err == store.ErrNotFound {
			continue
		} else if err != nil {
			return nil, err
		}
		out[f] = marking.Map(rel, func(i Incident) Ref { return Ref{i.ID, i.Number, i.Title} })
	}
	return out, nil
}
