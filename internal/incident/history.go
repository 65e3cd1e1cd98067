package incident

import (
	"context"
	"strings"
	"time"

	"vigil/internal/marking"
	"vigil/internal/store"
)

// Change is what somebody did to an incident, as the record has it.
type Change struct {
	At     time.Time
	Actor  string // id of a person, or "system:incident"
	Action string // "incident.change", "evidence.add" …
	Reason string
	Seq    uint64 // of the entry
	Diff   []Diff
}

// Diff is one field before and after.
type Diff struct{ Field, Was, Now string }

// History gives what was done to an incident, newest first, of what the reader may see; next is the token of the next part.
func History(ctx context.Context, v *store.View, id, after string, limit int) (changes []marking.Released[Change], next string, err error) {
	if _, err := Get(ctx, v, id); err != nil {
		return nil, "", err
	}
	p, err := v.Entries(ctx, store.Entries{Subject: id, After: after, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	for _, rel := range p.Entries {
		changes = append(changes, marking.Map(rel, func(e store.Entry) Change {
			c := Change{At: e.At, Actor: e.Actor, Action: e.Action, Reason: e.Purpose, Seq: e.Seq}
			was := map[string]string{}
			for _, f := range e.Fields {
				if name, ok := strings.CutPrefix(f.Name, "was."); ok {
					was[name] = f.Value
				} else if name, ok := strings.CutPrefix(f.Name, "now."); ok {
					c.Diff = append(c.Diff, Diff{name, was[name], f.Value})
				} else if added[f.Name] {
					c.Diff = append(c.Diff, Diff{f.Name, "", f.Value})
				}
			}
			return c
		}))
	}
	return changes, p.Next, nil
}

// added are the contents of entries that name what came in.
var added = map[string]bool{"title": true, "findings": true, "context": true, "taken.out": true, "observable": true, "item": true, "clock": true}

// Versions gives the versions of an incident's object, newest first, of what the reader may see.
func Versions(ctx context.Context, v *store.View, id string) ([]marking.Released[Incident], error) {
	if _, err := Get(ctx, v, id); err != nil {
		return nil, err
	}
	objs, err := v.History(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]marking.Released[Incident], 0, len(objs))
	for _, rel := range objs {
		var bad error
		i := marking.Map(rel, func(o store.Object) Incident {
			i, err := parse(o.Bytes)
			if err != nil {
				bad = err
			}
			i.Number, i.Label = i.Tag, o.Label
			return i
		})
		if bad != nil {
			return nil, bad
		}
		out = append(out, i)
	}
	return out, nil
}
