package detect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
	"vigil/stix"
)

// RuleVerdict is what became of one rule of an import.
type RuleVerdict struct {
	File, Title string
	ID          string // the indicator's; "" where refused
	Outcome     store.Outcome
	Reason      string
}

// AddRules takes Sigma rules in as indicators of the house's own: one bad rule never costs the others. A rule whose text is
// there already changes nothing; one with another text becomes a new version.
func (d *Detector) AddRules(ctx context.Context, who access.Principal, name string, text []byte, tlp marking.TLP) ([]RuleVerdict, error) {
	act, err := who.Act(access.RuleChange, "rules", "take in the rules of "+name)
	if err != nil {
		return nil, err
	}
	set, errs := sigma.Parse(name, text)
	var out []RuleVerdict
	for _, e := range errs {
		out = append(out, RuleVerdict{File: name, Outcome: store.Refused, Reason: e.Error()})
	}
	if len(set.Correlations)+len(set.Filters) > 0 {
		out = append(out, RuleVerdict{File: name, Outcome: store.Refused, Reason: "correlations and filters are not matched by a running server"})
	}
	_, compiled := sigma.Compile(&sigma.RuleSet{Rules: set.Rules}, sigma.Options{})
	bad := map[string]string{}
	for _, e := range compiled {
		bad[e.RuleID] = e.Error()
	}
	now := d.store.Now()
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return nil, err
	}
	type ready struct {
		obj  *stix.Object
		rule *sigma.Rule
	}
	var all []ready
	for _, r := range set.Rules {
		if why := bad[r.ID]; why != "" {
			out = append(out, RuleVerdict{File: name, Title: r.Title, Outcome: store.Refused, Reason: why})
			continue
		}
		id, err := stix.ParseID("indicator--" + r.ID)
		if err != nil {
			id = stix.NewID("indicator")
		}
		created := stix.NewTimestamp(now)
		if rel, err := v.Get(ctx, string(id)); err == nil {
			have := marking.Open(marking.NewSheet(who.Reader), rel)
			if obj, _, err := stix.Parse(have.Bytes, stix.Options{Mode: stix.Lenient}); err == nil {
				if text, _ := obj.String("pattern"); text == string(r.Raw) {
					out = append(out, RuleVerdict{File: name, Title: r.Title, ID: string(id), Outcome: store.Unchanged})
					continue
				}
				created = obj.Created
			}
		}
		obj, err := ruleObject(id, r, created, stix.NewTimestamp(now))
		if err != nil {
			out = append(out, RuleVerdict{File: name, Title: r.Title, Outcome: store.Refused, Reason: err.Error()})
			continue
		}
		all = append(all, ready{obj, r})
	}
	if len(all) == 0 {
		return out, nil
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		for _, r := range all {
			verdict, err := tx.Put(store.Put{Object: r.obj, Source: marking.Own, Spec: marking.Spec{TLP: tlp}, HasTLP: true})
			if err != nil {
				return err
			}
			out = append(out, RuleVerdict{File: name, Title: r.rule.Title, ID: string(r.obj.ID), Outcome: verdict.Outcome, Reason: verdict.Reason})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("taking in the rules of %s: %w", name, err)
	}
	return out, d.Refresh(ctx)
}

// ruleObject makes the indicator of a rule.
func ruleObject(id stix.ID, r *sigma.Rule, created, modified stix.Timestamp) (*stix.Object, error) {
	var b []byte
	text := func(name, value string) {
		b = append(b, ',')
		b, _ = jsontext.AppendQuote(b, name)
		b = append(b, ':')
		b, _ = jsontext.AppendQuote(b, strings.ToValidUTF8(value, "\uFFFD"))
	}
	b = append(b, `{"type":"indicator","spec_version":"2.1"`...)
	text("id", string(id))
	text("created", created.String())
	text("modified", modified.String())
	text("name", r.Title)
	if r.Description != "" {
		text("description", r.Description)
	}
	b = append(b, `,"indicator_types":["malicious-activity"]`...)
	text("pattern", string(r.Raw))
	text("pattern_type", "sigma")
	text("valid_from", created.String())
	if ts := r.Techniques(); len(ts) > 0 {
		b = append(b, `,"external_references":[`...)
		for i, t := range ts {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"source_name":"mitre-attack","external_id":"`+t+`"}`...)
		}
		b = append(b, ']')
	}
	b = append(b, '}')
	o, _, err := stix.Parse(b, stix.Options{Mode: stix.Lenient})
	return o, err
}

// Rule is a rule as the pages list it.
type Rule struct {
	ID, Title, Level, Logsource string
	Techniques                  []string
	Enabled                     bool
	Refused                     string // why it is not matched; "" where it is
	Findings                    int    // that the reader may see, up to store.CountLimit
}

// Rules lists the rules that a reader may see, by title.
func Rules(ctx context.Context, v *store.View) ([]marking.Released[Rule], error) {
	return store.Select(ctx, v, `SELECT r.mid, r.id, r.title, r.level, r.logsource, r.techniques, r.enabled, r.refused,
		(SELECT count(*) FROM finding f WHERE f.rule=r.id AND VISIBLE(f)) FROM rule_row r WHERE VISIBLE(r) ORDER BY r.title, r.id LIMIT 10000`, nil,
		func(row *store.Row) (r Rule, err error) {
			var techniques string
			err = row.Scan(&r.ID, &r.Title, &r.Level, &r.Logsource, &techniques, &r.Enabled, &r.Refused, &r.Findings)
			r.Techniques = strings.Fields(techniques)
			r.Findings = min(r.Findings, store.CountLimit)
			return r, err
		})
}

// SwitchRule sets a rule in force or out of it, with a reason.
func (d *Detector) SwitchRule(ctx context.Context, who access.Principal, id string, on bool, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return errors.New("switching a rule needs its reason")
	}
	act, err := who.Act(access.RuleChange, id, reason)
	if err != nil {
		return err
	}
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return err
	}
	rel, err := v.Get(ctx, id)
	if err != nil {
		return err
	}
	act.Label = rel.Label()
	act.Fields = append(act.Fields, store.Field{Name: "enabled", Value: fmt.Sprint(on)})
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		res, err := tx.Exec(`UPDATE rule_row SET enabled=? WHERE id=?`, on, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(store.ErrNotFound, err)
		}
		return nil
	})
	if err == nil {
		d.stale.Store(true)
		err = d.Refresh(ctx)
	}
	return err
}
