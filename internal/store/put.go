package store

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"vigil/internal/marking"
	"vigil/stix"
)

// Put is one object to store.
type Put struct {
	Object *stix.Object
	// Source is who brought it: marking.Own, or the id of an organisation. A credential decides it, never the object.
	Source string
	// Spec is what holds beside the markings that the object carries itself. Its TLP is the default agreed with the
	// source, and holds only where the object has none; DefaultTLP says that it was agreed. Compartments, audience and
	// PAP hold always. Its Source is ignored.
	Spec marking.Spec
	// HasTLP says that Spec.TLP was given; where it was not and the object has none either, AMBER+STRICT holds.
	HasTLP bool
	// Derived is the join of what our own object was derived from; ignored where it is the zero Label.
	Derived marking.Label
}

// Outcome is what became of a Put.
type Outcome uint8

// The outcomes. Refused and Conflict stored nothing.
const (
	Added     Outcome = iota // a new id, or a first version from this source
	Versioned                // a newer version: the head of the source's line
	Older                    // a version before the head, kept in the history
	Unchanged                // the same version with the same bytes: nothing done
	Relayed                  // a claim about an id that belongs to another source
	Conflict                 // the same version with other bytes
	Refused                  // not storable; the reason says why
)

var outcomeWords = [...]string{"added", "versioned", "older", "unchanged", "relayed", "conflict", "refused"}

// String is the outcome as one lower-case word.
func (o Outcome) String() string { return outcomeWords[o] }

// Verdict is what became of one object, and why where it was not stored.
type Verdict struct {
	Outcome Outcome
	Reason  string
	Label   marking.Label
}

// Put stores one version of an object. A verdict speaks of this source's own line alone, so that it tells nothing about
// what others have. An error is the database's; a bad object is a verdict.
func (t *Tx) Put(p Put) (Verdict, error) {
	o := p.Object
	if p.Source == "" {
		return Verdict{}, fmt.Errorf("putting %s: no source", o.ID)
	}
	if _, official := stix.OfficialMarking(o.ID); official && !stix.SameAsOfficial(o) {
		return Verdict{Outcome: Refused, Reason: "it has the id of an official TLP marking, but other content"}, nil
	}
	label, waits, err := t.effective(p)
	if err != nil {
		return Verdict{Outcome: Refused, Reason: err.Error()}, nil
	}
	mid, err := t.w.intern(label)
	if err != nil {
		return Verdict{}, err
	}
	sha := sha256.Sum256(o.Raw)
	modified := int64(0)
	if !o.Modified.IsZero() {
		modified = o.Modified.UnixNano()
	}

	oid, owner, err := t.w.object(string(o.ID))
	if err != nil {
		return Verdict{}, err
	}
	if owner == "" {
		owner = p.Source
		if o.CreatedByRef != "" {
			if b, err := t.w.boundTo(string(o.CreatedByRef)); err != nil {
				return Verdict{}, err
			} else if b != "" {
				owner = b
			}
		}
		if _, err := t.w.stmt("own").ExecContext(t.w.ctx, owner, oid); err != nil {
			return Verdict{}, err
		}
	}
	owns := owner == p.Source

	var lid, head, headModified int64
	err = t.w.stmt("line").QueryRowContext(t.w.ctx, oid, p.Source).Scan(&lid, &head, &headModified)
	fresh := err == sql.ErrNoRows
	if err != nil && !fresh {
		return Verdict{}, err
	}
	if !fresh {
		var have []byte
		err := t.w.stmt("version").QueryRowContext(t.w.ctx, lid, modified).Scan(&have)
		if err == nil {
			if bytes.Equal(have, sha[:]) {
				return Verdict{Outcome: Unchanged, Label: label}, nil
			}
			return Verdict{Outcome: Conflict, Reason: "this version was received before with other content", Label: label}, nil
		} else if err != sql.ErrNoRows {
			return Verdict{}, err
		}
	}
	becomesHead := fresh || modified > headModified
	if fresh {
		res, err := t.w.stmt("newline").ExecContext(t.w.ctx, oid, p.Source, o.Type, owns, 0, modified, mid, title(o))
		if err != nil {
			return Verdict{}, fmt.Errorf("putting %s: %w", o.ID, err)
		}
		if lid, err = res.LastInsertId(); err != nil {
			return Verdict{}, err
		}
	}
	res, err := t.w.stmt("newversion").ExecContext(t.w.ctx, lid, modified, mid, t.seq, sha[:])
	if err != nil {
		return Verdict{}, fmt.Errorf("putting %s: %w", o.ID, err)
	}
	ver, err := res.LastInsertId()
	if err != nil {
		return Verdict{}, err
	}
	if _, err := t.w.stmt("body").ExecContext(t.w.ctx, ver, o.Raw); err != nil {
		return Verdict{}, fmt.Errorf("putting %s: %w", o.ID, err)
	}
	for _, def := range waits {
		if _, err := t.w.tx.ExecContext(t.w.ctx, `INSERT INTO pending VALUES(?,?,?,?)`, string(def), p.Source, ver, p.encode()); err != nil {
			return Verdict{}, err
		}
	}
	if becomesHead {
		if err := t.w.setHead(lid, oid, ver, modified, mid, o, !fresh); err != nil {
			return Verdict{}, fmt.Errorf("putting %s: %w", o.ID, err)
		}
	}
	if o.Type == "marking-definition" {
		if err := t.define(o, p.Source); err != nil {
			return Verdict{}, err
		}
	}
	t.changes = append(t.changes, change(strings.Join([]string{"put", string(o.ID), o.Modified.String(), p.Source, hex.EncodeToString(sha[:])}, " ")))
	t.label = t.label.Join(label)
	if becomesHead && owns && p.Source == marking.Own {
		obj := Object{ID: string(o.ID), Type: o.Type, Source: p.Source, Title: title(o), Bytes: o.Raw, Modified: time.Unix(0, modified).UTC(), Label: label, Version: ver}
		for _, project := range t.w.s.project[o.Type] {
			if err := project(t, obj); err != nil {
				return Verdict{}, fmt.Errorf("putting %s: %w", o.ID, err)
			}
		}
	}
	v := Verdict{Label: label}
	told := false
	if !owns {
		if told, err = t.knowsOwner(oid, owner); err != nil {
			return Verdict{}, err
		}
	}
	switch {
	case told:
		v.Outcome = Relayed
	case fresh:
		v.Outcome = Added
	case becomesHead:
		v.Outcome = Versioned
	default:
		v.Outcome = Older
	}
	return v, nil
}

// knowsOwner says whether the actor may be told that an id belongs to somebody else: where they may see the owner's line,
// or there is none and the owner is known by a binding. Otherwise the verdict would tell of what is hidden.
func (t *Tx) knowsOwner(oid int64, owner string) (bool, error) {
	var mid int64
	err := t.w.tx.QueryRowContext(t.w.ctx, `SELECT mid FROM line WHERE oid=? AND source=?`, oid, owner).Scan(&mid)
	if err == sql.ErrNoRows {
		return true, nil
	}
	return marking.MayRead(t.act.Reader, t.w.labelOf(mid)), err
}

// Bind says that an identity's objects belong to a source, wherever they come from first.
func (t *Tx) Bind(identity, source string) error {
	_, err := t.w.tx.ExecContext(t.w.ctx, `INSERT INTO bound VALUES(?,?) ON CONFLICT(identity) DO UPDATE SET source=excluded.source`, identity, source)
	return err
}

func (w *writeTx) boundTo(identity string) (string, error) {
	var source string
	err := w.stmt("bound").QueryRowContext(w.ctx, identity).Scan(&source)
	if err == sql.ErrNoRows {
		return "", nil
	}
	return source, err
}

// number is object without the owner; what was numbered in this transaction is not looked up again.
func (w *writeTx) number(id string) (int64, error) {
	if oid, ok := w.oids[id]; ok {
		return oid, nil
	}
	oid, _, err := w.object(id)
	return oid, err
}

// object gives the number and owner of an id; an id seen for the first time gets a number and no owner.
func (w *writeTx) object(id string) (oid int64, owner string, err error) {
	var who sql.NullString
	err = w.stmt("object").QueryRowContext(w.ctx, id).Scan(&oid, &who)
	if err == sql.ErrNoRows {
		res, err := w.stmt("newobject").ExecContext(w.ctx, id)
		if err != nil {
			return 0, "", err
		}
		if oid, err = res.LastInsertId(); err == nil {
			w.oids[id] = oid
		}
		return oid, "", err
	}
	if err == nil {
		w.oids[id] = oid
	}
	return oid, who.String, err
}

// title is what lists show: the object's name, or its id where it has none. Control characters stay: it is shown as
// text that somebody else wrote.
func title(o *stix.Object) string {
	s := o.Name
	if s == "" {
		if d, ok := o.String("description"); ok {
			s = d
		}
	}
	if s == "" {
		return string(o.ID)
	}
	if len(s) > 240 {
		cut := 240
		for cut > 0 && s[cut]&0xC0 == 0x80 {
			cut--
		}
		s = s[:cut]
	}
	return s
}

// Kinds of need: see visibleLine.
const (
	needAll = 0 // a relationship's or sighting's ends
	needAny = 1 // the references of the house's own container that must hold at least one
)

// setHead makes a version the head of its line: edges, needs and the search index follow it.
func (w *writeTx) setHead(lid, oid, ver, modified, mid int64, o *stix.Object, replace bool) error {
	if _, err := w.stmt("sethead").ExecContext(w.ctx, ver, modified, mid, title(o), lid); err != nil {
		return err
	}
	if replace {
		for _, q := range []string{`DELETE FROM edge WHERE lid=?`, `DELETE FROM need WHERE lid=?`, `DELETE FROM fts WHERE rowid=?`} {
			if _, err := w.tx.ExecContext(w.ctx, q, lid); err != nil {
				return err
			}
		}
	}
	edge := func(src int64, rel string, dst, via int64) error {
		_, err := w.stmt("edge").ExecContext(w.ctx, src, rel, dst, lid, via)
		return err
	}
	var src, dst int64
	for _, r := range o.Refs() {
		to, err := w.number(string(r.ID))
		if err != nil {
			return err
		}
		name := relName(r.Path)
		switch {
		case o.Type == "relationship" && name == "source":
			src = to
			continue
		case o.Type == "relationship" && name == "target":
			dst = to
			continue
		}
		if err := edge(oid, name, to, 0); err != nil {
			return err
		}
		kind := -1
		switch {
		case o.Type == "sighting" && (name == "sighting_of" || name == "where_sighted" || name == "observed_data"):
			kind = needAll
		case name == "object" && (o.Type == "note" || o.Type == "opinion" || o.Type == "report" || o.Type == "grouping"):
			kind = needAny
		}
		if kind >= 0 {
			if _, err := w.stmt("need").ExecContext(w.ctx, lid, to, kind); err != nil {
				return err
			}
		}
	}
	if src != 0 && dst != 0 {
		kind, _ := o.String("relationship_type")
		if err := edge(src, kind, dst, oid); err != nil {
			return err
		}
		for _, end := range []int64{src, dst} {
			if _, err := w.stmt("need").ExecContext(w.ctx, lid, end, needAll); err != nil {
				return err
			}
		}
	}
	if o.Type == "relationship" {
		return nil // found through its ends; indexing thousands of "uses" helps nobody
	}
	words, body := searchText(o)
	_, err := w.stmt("fts").ExecContext(w.ctx, lid, title(o), words, body)
	return err
}

// relName is the edge's name of an embedded reference: "created_by" for created_by_ref, "object" for object_refs[3].
func relName(path string) string {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		path = path[i+1:]
	}
	if i := strings.IndexByte(path, '['); i >= 0 {
		path = path[:i]
	}
	return strings.TrimSuffix(strings.TrimSuffix(path, "s"), "_ref")
}

func searchText(o *stix.Object) (words, body string) {
	var b strings.Builder
	for _, path := range []string{"aliases", "x_mitre_aliases", "labels"} {
		for _, s := range o.Strings(path) {
			b.WriteString(s)
			b.WriteByte(' ')
		}
	}
	for _, r := range o.ExternalReferences {
		if r.ExternalID != "" {
			b.WriteString(r.ExternalID)
			b.WriteByte(' ')
		}
	}
	words = b.String()
	desc, _ := o.String("description")
	pattern, _ := o.String("pattern")
	content, _ := o.String("content")
	return words, strings.TrimSpace(desc + " " + pattern + " " + content)
}

// coreStatements are prepared once on the one connection that writes.
var coreStatements = map[string]string{
	"object":     `SELECT oid, owner FROM obj WHERE id=?`,
	"newobject":  `INSERT INTO obj(id) VALUES(?)`,
	"own":        `UPDATE obj SET owner=? WHERE oid=?`,
	"bound":      `SELECT source FROM bound WHERE identity=?`,
	"line":       `SELECT lid, head, modified FROM line WHERE oid=? AND source=?`,
	"newline":    `INSERT INTO line(oid, source, type, owner, head, modified, mid, title) VALUES(?,?,?,?,?,?,?,?)`,
	"version":    `SELECT sha FROM ver WHERE lid=? AND modified=?`,
	"newversion": `INSERT INTO ver(lid, modified, mid, rec, sha) VALUES(?,?,?,?,?)`,
	"body":       `INSERT INTO body VALUES(?,?)`,
	"sethead":    `UPDATE line SET head=?, modified=?, mid=?, title=? WHERE lid=?`,
	"edge":       `INSERT OR IGNORE INTO edge(src, rel, dst, lid, via) VALUES(?,?,?,?,?)`,
	"need":       `INSERT OR IGNORE INTO need(lid, dep, kind) VALUES(?,?,?)`,
	"fts":        `INSERT INTO fts(rowid, title, words, body) VALUES(?,?,?,?)`,
	"defined":    `SELECT effect FROM defn WHERE id=? AND source=?`,
}
