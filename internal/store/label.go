package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"vigil/internal/marking"
	"vigil/stix"
)

func prepare(ctx context.Context, db *sql.DB) (map[string]*sql.Stmt, error) {
	out := make(map[string]*sql.Stmt, len(coreStatements))
	for name, text := range coreStatements {
		st, err := db.PrepareContext(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("preparing %s: %w", name, err)
		}
		out[name] = st
	}
	return out, nil
}

// effect is what a marking definition does, as the store keeps it: "none" for a statement, "tlp:…", "pap:…", or
// "unknown", which holds whatever uses it.
func effectOf(o *stix.Object) string {
	if t, ok := stix.OfficialMarking(o.ID); ok {
		return "tlp:" + t.Level
	}
	if kind, ok := o.String("definition_type"); ok {
		switch kind {
		case "statement":
			return "none"
		case "tlp":
			if level, ok := o.String("definition.tlp"); ok {
				if _, err := marking.ParseTLP(level); err == nil {
					return "tlp:" + level
				}
			}
		}
		return "unknown"
	}
	if level, ok := o.String("extensions." + string(papExtension) + ".pap"); ok {
		if _, err := marking.ParsePAP(level); err == nil {
			return "pap:" + level
		}
	}
	return "unknown"
}

// papExtension is the OASIS extension definition under which PAP markings travel.
const papExtension stix.ID = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"

// effective is the label of what a Put brings: the join of all its markings, and where none is a TLP the default agreed
// with the source, else AMBER+STRICT. A marking that this source has not defined holds the object; the definitions that
// it waits for are given back.
func (t *Tx) effective(p Put) (marking.Label, []stix.ID, error) {
	refs := p.Object.MarkingRefs
	for _, g := range p.Object.Granular {
		if g.MarkingRef != "" {
			refs = append(refs[:len(refs):len(refs)], g.MarkingRef)
		}
	}
	spec := p.Spec
	spec.Source = p.Source
	pap := marking.PAPClear
	hasPAP := false
	if spec.PAP != nil {
		pap, hasPAP = *spec.PAP, true
	}
	tlp, hasTLP := marking.Clear, false
	var waits []stix.ID
	for _, ref := range refs {
		effect, err := t.w.effect(ref, p.Source)
		if err != nil {
			return marking.Label{}, nil, err
		}
		kind, level, _ := strings.Cut(effect, ":")
		switch kind {
		case "none":
		case "tlp":
			l, err := marking.ParseTLP(level)
			if err != nil {
				return marking.Label{}, nil, err
			}
			tlp, hasTLP = max(tlp, l), true
		case "pap":
			l, _ := marking.ParsePAP(level) // an unknown level is the strictest
			pap, hasPAP = max(pap, l), true
		default:
			waits = append(waits, ref)
		}
	}
	switch {
	case hasTLP:
		if p.Source == marking.Own && p.HasTLP {
			tlp = max(tlp, p.Spec.TLP)
		}
	case p.HasTLP:
		tlp = p.Spec.TLP
	default:
		tlp = marking.AmberStrict
	}
	spec.TLP = tlp
	if hasPAP {
		spec.PAP = &pap
	}
	if len(waits) > 0 {
		spec.Held = true
	}
	label, err := marking.New(spec)
	if err != nil {
		return marking.Label{}, nil, err
	}
	if p.Source == marking.Own && p.Derived.Valid() {
		label = label.Join(p.Derived)
	}
	return label, waits, nil
}

// effect looks up what a marking does when that source uses it.
func (w *writeTx) effect(ref stix.ID, source string) (string, error) {
	if t, ok := stix.OfficialMarking(ref); ok {
		return "tlp:" + t.Level, nil
	}
	key := [2]string{string(ref), source}
	if e, ok := w.effects[key]; ok {
		return e, nil
	}
	var e string
	err := w.stmt("defined").QueryRowContext(w.ctx, string(ref), source).Scan(&e)
	if err == sql.ErrNoRows {
		return "unknown", nil
	}
	if err == nil {
		w.effects[key] = e
	}
	return e, err
}

// waiting is what a held version needs to be labelled anew.
type waiting struct {
	TLP          marking.TLP
	HasTLP       bool
	PAP          *marking.PAP
	Audience     []string
	Named        bool
	Compartments []string
	Derived      string
}

func (p Put) encode() string {
	b, err := json.Marshal(waiting{p.Spec.TLP, p.HasTLP, p.Spec.PAP, p.Spec.Audience, p.Spec.Audience != nil, p.Spec.Compartments, p.Derived.Canon()})
	if err != nil {
		panic(err) // strings and numbers only
	}
	return string(b)
}

func decodeWaiting(s string) (p Put, err error) {
	var w waiting
	if err := json.Unmarshal([]byte(s), &w); err != nil {
		return p, err
	}
	p.Spec = marking.Spec{TLP: w.TLP, PAP: w.PAP, Compartments: w.Compartments}
	if w.Named {
		p.Spec.Audience = append([]string{}, w.Audience...)
	}
	p.HasTLP = w.HasTLP
	if w.Derived != "" {
		p.Derived, err = marking.ParseCanon(w.Derived)
	}
	return p, err
}

// define takes in a marking definition of a source, and labels anew what was held for want of it. A definition never
// loosens later: a second one with another effect makes the marking unknown, which holds what uses it from then on.
func (t *Tx) define(o *stix.Object, source string) error {
	effect := effectOf(o)
	have, err := t.w.effect(o.ID, source)
	if err != nil {
		return err
	}
	if _, official := stix.OfficialMarking(o.ID); official || have == effect {
		return nil
	}
	if have != "unknown" {
		effect = "unknown"
	}
	clear(t.w.effects)
	if _, err := t.w.tx.ExecContext(t.w.ctx, `INSERT INTO defn VALUES(?,?,?) ON CONFLICT(id, source) DO UPDATE SET effect=excluded.effect`, string(o.ID), source, effect); err != nil {
		return err
	}
	if effect == "unknown" {
		return nil
	}
	n, err := t.relabel(o.ID, source)
	if err != nil || n == 0 {
		return err
	}
	t.Note("resolved."+fmt.Sprint(n), string(o.ID))
	return nil
}

// Resolve is a person's decision on what a marking of a source means that nothing defines: the level that holds for what
// uses it. It answers how many held versions were labelled anew; ErrNotFound where the actor sees none that waits for it.
func (t *Tx) Resolve(def stix.ID, source string, tlp marking.TLP) (int, error) {
	rows, err := t.w.tx.QueryContext(t.w.ctx, `SELECT DISTINCT v.mid FROM pending p JOIN ver v ON v.ver=p.ver WHERE p.def=? AND p.source=?`, string(def), source)
	if err != nil {
		return 0, err
	}
	var mids []int64
	for rows.Next() {
		var mid int64
		if err := rows.Scan(&mid); err != nil {
			rows.Close()
			return 0, err
		}
		mids = append(mids, mid)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	seen := false
	for _, mid := range mids {
		seen = seen || marking.MayRead(t.act.Reader, t.w.labelOf(mid))
	}
	if !seen {
		return 0, ErrNotFound
	}
	clear(t.w.effects)
	if _, err := t.w.tx.ExecContext(t.w.ctx, `INSERT INTO defn VALUES(?,?,?) ON CONFLICT(id, source) DO UPDATE SET effect=excluded.effect`, string(def), source, "tlp:"+tlp.String()); err != nil {
		return 0, err
	}
	t.Note("means", tlp.String())
	t.Note("source", source)
	return t.relabel(def, source)
}

// relabel labels anew what was held for want of a definition.
func (t *Tx) relabel(def stix.ID, source string) (int, error) {
	rows, err := t.w.tx.QueryContext(t.w.ctx, `SELECT p.ver, p.spec, v.lid, b.bytes FROM pending p JOIN ver v ON v.ver=p.ver JOIN body b ON b.ver=p.ver WHERE p.def=? AND p.source=?`, string(def), source)
	if err != nil {
		return 0, err
	}
	type held struct {
		ver, lid int64
		put      Put
	}
	var all []held
	for rows.Next() {
		var h held
		var spec string
		var raw []byte
		if err := rows.Scan(&h.ver, &spec, &h.lid, &raw); err != nil {
			rows.Close()
			return 0, err
		}
		if h.put, err = decodeWaiting(spec); err == nil {
			h.put.Source = source
			h.put.Object, _, err = stix.Parse(raw, stix.Options{Mode: stix.Lenient})
		}
		if err != nil {
			rows.Close()
			return 0, fmt.Errorf("reading a held version: %w", err)
		}
		all = append(all, h)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, h := range all {
		label, waits, err := t.effective(h.put)
		if err != nil {
			return 0, err
		}
		mid, err := t.w.intern(label)
		if err != nil {
			return 0, err
		}
		if _, err := t.w.tx.ExecContext(t.w.ctx, `UPDATE ver SET mid=? WHERE ver=?`, mid, h.ver); err != nil {
			return 0, err
		}
		if _, err := t.w.tx.ExecContext(t.w.ctx, `UPDATE line SET mid=? WHERE lid=? AND head=?`, mid, h.lid, h.ver); err != nil {
			return 0, err
		}
		if !slices.Contains(waits, def) {
			if _, err := t.w.tx.ExecContext(t.w.ctx, `DELETE FROM pending WHERE ver=? AND def=?`, h.ver, string(def)); err != nil {
				return 0, err
			}
		}
		t.label = t.label.Join(label)
	}
	return len(all), nil
}
