package detect

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/event"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// keptEvents is how many of the first and of the last events prove a finding: copied, since the stream forgets.
const keptEvents = 10

// finding is what matched, before it is gathered.
type finding struct {
	kind, rule, title, value, benign string
	level                            Level
	techniques                       []string
	label                            marking.Label
}

type findingKey struct{ rule, entity, value, day string }

// found gathers a batch's occurrences of one finding.
type found struct {
	finding
	source      string
	label       marking.Label
	first, last time.Time
	n           int
	events      []proof
}

// proof is an event that proves a finding.
type proof struct {
	ref   string
	at    int64
	bytes []byte
	label marking.Label
	mid   int64
}

// add gathers one occurrence: by rule or indicator, entity, and UTC day of the event's own time.
func (w *worker) add(o occurrence, f finding) {
	key := findingKey{f.rule, o.entity, f.value, o.at.UTC().Format("2006-01-02")}
	g := w.found[key]
	if g == nil {
		g = &found{finding: f, source: o.source.ID, label: f.label.Join(o.label), first: o.at, last: o.at}
		w.found[key] = g
	}
	g.n++
	g.label = g.label.Join(o.label)
	if o.at.Before(g.first) {
		g.first = o.at
	}
	if o.at.After(g.last) {
		g.last = o.at
	}
	g.events = append(g.events, proof{o.ref(), o.at.UnixNano(), bytes.Clone(o.raw), o.label, 0})
	if len(g.events) > 16*keptEvents {
		g.events = ends(g.events)
	}
}

// ends keeps the first and the last keptEvents, in order of time.
func ends(all []proof) []proof {
	slices.SortFunc(all, func(a, b proof) int {
		if a.at != b.at {
			if a.at < b.at {
				return -1
			}
			return 1
		}
		return strings.Compare(a.ref, b.ref)
	})
	if len(all) <= 2*keptEvents {
		return all
	}
	return append(all[:keptEvents:keptEvents], all[len(all)-keptEvents:]...)
}

// keep writes what a batch found, in the transaction that moves the cursor.
func (w *worker) keep(tx *store.WorkTx) error {
	for k, n := range w.hours {
		src, _ := w.d.register.ByID(k.source)
		label, err := src.Label(w.d.register.House())
		if err != nil {
			return err
		}
		mid, err := tx.Mark(label)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO event_hour VALUES(?,?,?,?) ON CONFLICT(source, hour) DO UPDATE SET n=n+excluded.n`, k.source, k.hour*3600, n, mid); err != nil {
			return err
		}
	}
	if len(w.found) == 0 {
		return nil
	}
	var chg int64
	if err := tx.QueryRow(`SELECT coalesce(max(chg), 0) FROM finding`).Scan(&chg); err != nil {
		return err
	}
	keys := make([]findingKey, 0, len(w.found))
	for k := range w.found {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b findingKey) int {
		return strings.Compare(a.day+a.rule+a.entity+a.value, b.day+b.rule+b.entity+b.value)
	})
	for _, k := range keys {
		chg++
		if err := keepOne(tx, k, w.found[k], chg); err != nil {
			return fmt.Errorf("keeping a finding of %s: %w", k.rule, err)
		}
	}
	return nil
}

func keepOne(tx *store.WorkTx, k findingKey, f *found, chg int64) error {
	sum := sha256.Sum256([]byte(strings.Join([]string{k.rule, k.entity, k.value, k.day}, "\x1f")))
	var fid, first, last, mid int64
	err := tx.QueryRow(`SELECT fid, first, last, mid FROM finding WHERE key=?`, sum[:]).Scan(&fid, &first, &last, &mid)
	fresh := errors.Is(err, store.ErrNotFound)
	if err != nil && !fresh {
		return err
	}
	label := f.label
	if fresh {
		first, last = f.first.UnixNano(), f.last.UnixNano()
	} else {
		label = label.Join(tx.Label(mid))
		first, last = min(first, f.first.UnixNano()), max(last, f.last.UnixNano())
	}
	if mid, err = tx.Mark(label); err != nil {
		return err
	}
	if fresh {
		state, reason := "open", ""
		if f.benign != "" {
			state, reason = "suppressed", "known benign: "+f.benign
		}
		res, err := tx.Exec(`INSERT INTO finding(key, id, kind, rule, title, level, techniques, source, entity, value, day, first, last, n, state, reason, mid, chg) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
			sum[:], FindingID(sum), f.kind, f.rule, f.title, int(f.level), strings.Join(f.techniques, " "), f.source, k.entity, k.value, k.day, first, last, f.n, state, reason, mid, chg)
		if err != nil {
			return err
		}
		if fid, err = res.LastInsertId(); err != nil {
			return err
		}
	} else if _, err := tx.Exec(`UPDATE finding SET first=?, last=?, n=n+?, mid=?, chg=? WHERE fid=?`, first, last, f.n, mid, chg, fid); err != nil {
		return err
	}
	return keepProof(tx, fid, f.events)
}

// FindingID is a finding's public name, made of its key: it counts nothing that somebody may not see.
func FindingID(key [32]byte) string {
	return fmt.Sprintf("finding--%x", key[:10])
}

func keepProof(tx *store.WorkTx, fid int64, fresh []proof) error {
	rows, err := tx.Query(`SELECT ref, at, mid, bytes FROM finding_event WHERE fid=?`, fid)
	if err != nil {
		return err
	}
	all := fresh
	for rows.Next() {
		var p proof
		if err := rows.Scan(&p.ref, &p.at, &p.mid, &p.bytes); err != nil {
			rows.Close()
			return err
		}
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM finding_event WHERE fid=?`, fid); err != nil {
		return err
	}
	for _, p := range ends(all) {
		if p.mid == 0 {
			if p.mid, err = tx.Mark(p.label); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`INSERT OR IGNORE INTO finding_event(fid, ref, at, mid, bytes) VALUES(?,?,?,?,?)`, fid, p.ref, p.at, p.mid, p.bytes); err != nil {
			return err
		}
	}
	return nil
}

// warningKinds maps a warninglist's kind to an observable's.
var warningKinds = map[string]event.Kind{"domain": event.Domain, "address": event.Address, "url": event.URL, "md5": event.MD5, "sha1": event.SHA1, "sha256": event.SHA256, "email": event.Email}

// benignList names the warninglist that knows a value as benign, itself or for a domain any parent; "" where none does.
func (s *snapshot) benignList(o event.Observable) string {
	v := string(o.Value)
	for {
		if l, ok := s.benign[indexKey{o.Kind, v}]; ok {
			return l
		}
		_, parent, ok := strings.Cut(v, ".")
		if o.Kind != event.Domain || !ok {
			return ""
		}
		v = parent
	}
}

// benignHost gives the first host among an event's observables that a warninglist knows, and the list.
func (s *snapshot) benignHost(obs []event.Observable) (host, list string) {
	for _, o := range obs {
		if o.Kind == event.Domain || o.Kind == event.Address {
			if l := s.benignList(o); l != "" {
				return string(o.Value), l
			}
		}
	}
	return "", ""
}

// Warninglist is a list of values that are known to be benign.
type Warninglist struct {
	Name   string
	Kind   string // "domain" (with its subdomains), "address", "url", "email", "md5", "sha1", "sha256"
	Values []string
}

// SetWarninglist takes a list in, in place of one of the same name.
func (d *Detector) SetWarninglist(ctx context.Context, who access.Principal, w Warninglist) error {
	if _, ok := warningKinds[w.Kind]; !ok || w.Name == "" || len(w.Values) > 1_000_000 {
		return fmt.Errorf("a warninglist has a name, a known kind and at most a million values: %q of kind %q with %d", w.Name, w.Kind, len(w.Values))
	}
	act, err := who.Act(access.FindingJudge, "warninglist "+w.Name, fmt.Sprintf("%d values of kind %s are known as benign", len(w.Values), w.Kind))
	if err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		if _, err := tx.Exec(`DELETE FROM warning_value WHERE list=?`, w.Name); err != nil {
			return err
		}
		for _, v := range w.Values {
			if _, err := tx.Exec(`INSERT OR IGNORE INTO warning_value VALUES(?,?,?)`, w.Kind, strings.ToLower(strings.TrimPrefix(strings.TrimSpace(v), ".")), w.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		d.stale.Store(true)
		err = d.Refresh(ctx)
	}
	return err
}
