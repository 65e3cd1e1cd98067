package detect

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
	"vigil/stix"
)

// snapshot is what events are matched against at one time: it never changes once made.
type snapshot struct {
	engine     *sigma.Engine
	rules      map[*sigma.Rule]known
	indicators index
	benign     map[indexKey]string // value → warninglist
	dropped    []unsupported
}

// known is what a rule's finding needs of its object.
type known struct {
	id    string
	label marking.Label
}

// catalogue follows the knowledge base: every indicator's newest line, by version.
type catalogue struct {
	upTo  int64
	lines map[string]store.Object // id and source
}

// refresh reads what has changed and says whether anything has.
func (c *catalogue) refresh(ctx context.Context, v *store.View) (bool, error) {
	changed := false
	for {
		page, err := v.ByVersion(ctx, []string{"indicator"}, c.upTo, 1000)
		if err != nil {
			return changed, err
		}
		sheet := marking.NewSheet(v.Reader())
		for _, rel := range page {
			o := marking.Open(sheet, rel)
			c.lines[o.ID+"\x00"+o.Source] = o
			c.upTo = max(c.upTo, o.Version)
			changed = true
		}
		if len(page) < 1000 {
			return changed, nil
		}
	}
}

// build makes a snapshot of the catalogue. What can't be honoured is named, and the rest stands.
func (d *Detector) build(ctx context.Context, v *store.View, c *catalogue) (*snapshot, error) {
	off, err := store.Machine(ctx, v, `SELECT id FROM rule_row r WHERE r.enabled=0 AND VISIBLE(r)`, nil, func(r *sql.Rows) (id string, err error) { return id, r.Scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("reading which rules are off: %w", err)
	}
	disabled := map[string]bool{}
	for _, id := range off {
		disabled[id] = true
	}
	s := &snapshot{rules: map[*sigma.Rule]known{}, indicators: index{}, benign: map[indexKey]string{}}
	set := &sigma.RuleSet{}
	for _, o := range c.lines {
		if o.Label.Held() || disabled[o.ID] {
			continue
		}
		obj, _, err := stix.Parse(o.Bytes, stix.Options{Mode: stix.Lenient})
		if err != nil {
			s.dropped = append(s.dropped, unsupported{o.ID, err.Error()})
			continue
		}
		if obj.Revoked {
			continue
		}
		switch kind, _ := obj.String("pattern_type"); kind {
		case "sigma":
			if o.Source != marking.Own {
				continue // another's rule is adopted by a person, as an object of the house's own
			}
			text, _ := obj.String("pattern")
			r, err := parseRule(o.ID, text)
			if err != nil {
				s.dropped = append(s.dropped, unsupported{o.ID, err.Error()})
				continue
			}
			set.Rules = append(set.Rules, r)
			s.rules[r] = known{o.ID, o.Label}
		case "stix":
			if u := s.indicators.addIndicator(o, obj); u != nil {
				s.dropped = append(s.dropped, *u)
			}
		default:
			s.dropped = append(s.dropped, unsupported{o.ID, fmt.Sprintf("patterns of type %q are not matched here", kind)})
		}
	}
	engine, refused := sigma.Compile(set, sigma.Options{})
	for _, e := range refused {
		s.dropped = append(s.dropped, unsupported{e.File, e.Error()})
	}
	s.engine = engine
	lists, err := store.Machine(ctx, v, `SELECT kind, value, list FROM warning_value`, nil, func(r *sql.Rows) (w [3]string, err error) { return w, r.Scan(&w[0], &w[1], &w[2]) })
	if err != nil {
		return nil, fmt.Errorf("reading the warninglists: %w", err)
	}
	for _, w := range lists {
		if k, ok := warningKinds[w[0]]; ok {
			s.benign[indexKey{k, w[1]}] = w[2]
		}
	}
	return s, nil
}

// Refresh reads rules, indicators and warninglists anew and matches events against them from then on.
func (d *Detector) Refresh(ctx context.Context) error {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	v, err := d.store.View(ctx, marking.System("rules and indicators in force"))
	if err != nil {
		return err
	}
	if _, err := d.catalogue.refresh(ctx, v); err != nil {
		return err
	}
	s, err := d.build(ctx, v, &d.catalogue)
	if err != nil {
		return err
	}
	d.now.Store(s)
	for _, u := range s.dropped {
		slog.Debug("not matched", "object", u.id, "reason", u.reason)
	}
	return nil
}

// follow refreshes when the store has changed in a way that matters.
func (d *Detector) follow(ctx context.Context) error {
	for {
		changed := d.store.Changed()
		v, err := d.store.View(ctx, marking.System("rules and indicators in force"))
		if err != nil {
			return err
		}
		d.refreshing.Lock()
		differs, err := d.catalogue.refresh(ctx, v)
		d.refreshing.Unlock()
		if err == nil && (differs || d.stale.Swap(false)) {
			err = d.Refresh(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("following rules and indicators: %w", err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
