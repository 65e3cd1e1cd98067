// Package ingest takes events in: only from a source that the register holds, within its term, with its credential; each
// line judged; durable before it is acknowledged.
package ingest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"vigil/internal/access"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/sigma"
	"vigil/stix"
)

// Schema is the register's table.
var Schema = store.Schema{
	Name: "ingest",
	Steps: []string{`CREATE TABLE log_source(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, basis TEXT NOT NULL, purpose TEXT NOT NULL,
	  fields TEXT NOT NULL, retention INTEGER NOT NULL, expires INTEGER NOT NULL, product TEXT NOT NULL, service TEXT NOT NULL, category TEXT NOT NULL,
	  tlp INTEGER NOT NULL, compartments TEXT NOT NULL, state TEXT NOT NULL, token BLOB NOT NULL, created INTEGER NOT NULL, mid INTEGER NOT NULL)`},
	Tables: []store.Table{{Name: "log_source", Mark: true}},
}

// Source is an entry of the register: whose logs, on what basis, what for, which fields, how long, until when.
type Source struct {
	ID      string // "x-log-source--…"
	Name    string
	Owner   string // id of the organisation whose logs they are
	Basis   string // consent or legal basis, in words
	Purpose string
	Fields  []string // what the logs hold, in words or field names
	// Retention is how long proving events are kept; Expires is when the entry lapses and its events are refused.
	Retention time.Duration
	Expires   time.Time
	Logsource sigma.Logsource
	// TLP is what the owner bounds its events to; they come from the owner.
	TLP          marking.TLP
	Compartments []string
	State        string // "active", "suspended" or "withdrawn"
	Created      time.Time
}

// Lapsed says whether the entry's term is over.
func (s Source) Lapsed(now time.Time) bool { return !now.Before(s.Expires) }

// Label is what an event of the source carries.
func (s Source) Label(house string) (marking.Label, error) {
	from := s.Owner
	if from == house {
		from = marking.Own
	}
	return marking.New(marking.Spec{TLP: s.TLP, Source: from, Compartments: s.Compartments})
}

func (s Source) check(now time.Time) error {
	for _, f := range []struct{ what, have string }{{"name", s.Name}, {"owner", s.Owner}, {"basis", s.Basis}, {"purpose", s.Purpose}} {
		if strings.TrimSpace(f.have) == "" {
			return fmt.Errorf("a log source needs its %s", f.what)
		}
		if len(f.have) > 2000 {
			return fmt.Errorf("the %s has %d bytes, more than 2,000", f.what, len(f.have))
		}
	}
	switch {
	case len(s.Fields) == 0:
		return errors.New("a log source needs the fields that its logs hold")
	case s.Retention < time.Hour || s.Retention > 10*365*24*time.Hour:
		return fmt.Errorf("a retention of %s is not between an hour and ten years", s.Retention)
	case s.Expires.IsZero():
		return errors.New("a log source needs a date on which its entry lapses")
	}
	return nil
}

var (
	// ErrUnregistered is the answer to a credential that belongs to no entry.
	ErrUnregistered = errors.New("this source is not in the register")
	// ErrLapsed is the answer to a source whose entry is over or suspended.
	ErrLapsed = errors.New("this source's entry in the register has lapsed")
)

// Register is the register of log sources. It is safe for use by many goroutines.
type Register struct {
	store *store.Store
	house string

	mu      sync.RWMutex
	byToken map[[32]byte]Source
	byID    map[string]Source
	refused map[string]time.Time // by source or credential, when a refusal was last entered
}

// OpenRegister reads the register. house is the id of the organisation that runs this Vigil.
func OpenRegister(ctx context.Context, s *store.Store, house string) (*Register, error) {
	r := &Register{store: s, house: house, refused: map[string]time.Time{}}
	return r, r.load(ctx)
}

const sourceColumns = `s.mid, s.id, s.name, s.owner, s.basis, s.purpose, s.fields, s.retention, s.expires, s.product, s.service, s.category, s.tlp, s.compartments, s.state, s.created`

func scanSource(row *store.Row, more ...any) (Source, error) {
	var s Source
	var fields, compartments string
	var retention, expires, created int64
	err := row.Scan(append([]any{&s.ID, &s.Name, &s.Owner, &s.Basis, &s.Purpose, &fields, &retention, &expires, &s.Logsource.Product, &s.Logsource.Service,
		&s.Logsource.Category, &s.TLP, &compartments, &s.State, &created}, more...)...)
	s.Fields, s.Retention = split(fields), time.Duration(retention)
	s.Expires, s.Created, s.Compartments = time.Unix(0, expires).UTC(), time.Unix(0, created).UTC(), split(compartments)
	return s, err
}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

func (r *Register) load(ctx context.Context) error {
	reader := marking.System("register of sources")
	v, err := r.store.View(ctx, reader)
	if err != nil {
		return err
	}
	byToken, byID := map[[32]byte]Source{}, map[string]Source{}
	rows, err := store.Select(ctx, v, `SELECT `+sourceColumns+`, s.token FROM log_source s WHERE VISIBLE(s)`, nil, func(row *store.Row) (Source, error) {
		var token []byte
		s, err := scanSource(row, &token)
		if err == nil && len(token) == 32 {
			byToken[[32]byte(token)] = s
		}
		return s, err
	})
	if err != nil {
		return fmt.Errorf("reading the register of sources: %w", err)
	}
	sheet := marking.NewSheet(reader)
	for _, rel := range rows {
		s := marking.Open(sheet, rel)
		byID[s.ID] = s
	}
	r.mu.Lock()
	r.byToken, r.byID = byToken, byID
	r.mu.Unlock()
	return nil
}

// Add enters a source and gives its credential, which is shown once and kept only as a hash.
func (r *Register) Add(ctx context.Context, who access.Principal, s Source) (id, token string, err error) {
	now := r.store.Now()
	if err := s.check(now); err != nil {
		return "", "", err
	}
	act, err := who.Act(access.SourceRegister, "log source", "enter "+s.Name+" in the register")
	if err != nil {
		return "", "", err
	}
	s.ID = string(stix.NewID("x-log-source"))
	var secret [24]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", "", err
	}
	token = "vls_" + base64.RawURLEncoding.EncodeToString(secret[:])
	act.Subject = s.ID
	act.Fields = append(act.Fields, store.Field{Name: "name", Value: s.Name}, store.Field{Name: "owner", Value: s.Owner}, store.Field{Name: "basis", Value: s.Basis},
		store.Field{Name: "expires", Value: s.Expires.UTC().Format(time.RFC3339)})
	_, err = r.store.Record(ctx, act, func(tx *store.Tx) error {
		l, err := marking.New(marking.Spec{TLP: marking.Amber, Source: marking.Own})
		if err != nil {
			return err
		}
		mid, err := tx.Mark(l)
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(token))
		_, err = tx.Exec(`INSERT INTO log_source(id, name, owner, basis, purpose, fields, retention, expires, product, service, category, tlp, compartments, state, token, created, mid)
			VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,'active',?,?,?)`, s.ID, s.Name, s.Owner, s.Basis, s.Purpose, strings.Join(s.Fields, "\n"), int64(s.Retention), s.Expires.UnixNano(),
			s.Logsource.Product, s.Logsource.Service, s.Logsource.Category, s.TLP, strings.Join(s.Compartments, "\n"), sum[:], now.UnixNano(), mid)
		return err
	})
	if err != nil {
		return "", "", fmt.Errorf("entering the source %s: %w", s.Name, err)
	}
	return s.ID, token, r.load(ctx)
}

// Change sets state and term of an entry, with a reason.
func (r *Register) Change(ctx context.Context, who access.Principal, id, state string, expires time.Time, reason string) error {
	if state != "active" && state != "suspended" && state != "withdrawn" {
		return fmt.Errorf("a source is active, suspended or withdrawn, not %q", state)
	}
	if strings.TrimSpace(reason) == "" {
		return errors.New("a change of the register needs its reason")
	}
	act, err := who.Act(access.SourceChange, id, reason)
	if err != nil {
		return err
	}
	act.Fields = append(act.Fields, store.Field{Name: "state", Value: state}, store.Field{Name: "expires", Value: expires.UTC().Format(time.RFC3339)})
	_, err = r.store.Record(ctx, act, func(tx *store.Tx) error {
		res, err := tx.Exec(`UPDATE log_source SET state=?, expires=? WHERE id=? AND state<>'withdrawn'`, state, expires.UnixNano(), id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(store.ErrNotFound, err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("changing the entry of a source: %w", err)
	}
	return r.load(ctx)
}

// List gives the register as a reader may see it, by name.
func List(ctx context.Context, v *store.View) ([]marking.Released[Source], error) {
	return store.Select(ctx, v, `SELECT `+sourceColumns+` FROM log_source s WHERE VISIBLE(s) ORDER BY s.name LIMIT 1000`, nil, func(row *store.Row) (Source, error) { return scanSource(row) })
}

// ByID gives an entry for the stages; false where there is none.
func (r *Register) ByID(id string) (Source, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.byID[id]
	return s, ok
}

// House is the id of the organisation that runs this Vigil.
func (r *Register) House() string { return r.house }

// Authenticate finds the entry of a credential and checks its term. A refusal is entered on the record, once an hour for
// the same source and reason, so that nobody can fill the record by being refused.
func (r *Register) Authenticate(ctx context.Context, token string) (Source, error) {
	sum := sha256.Sum256([]byte(token))
	r.mu.RLock()
	s, ok := r.byToken[sum]
	r.mu.RUnlock()
	if !ok { // looked up by the hash of a random token: there is nothing to be timed
		r.refuse(ctx, "unregistered", "log source", ErrUnregistered.Error())
		return Source{}, ErrUnregistered
	}
	if now := r.store.Now(); s.Lapsed(now) || s.State != "active" {
		why := fmt.Errorf("%w: %s, %s until %s", ErrLapsed, s.Name, s.State, s.Expires.Format(time.RFC3339))
		r.refuse(ctx, s.ID+s.State, s.ID, why.Error())
		return Source{}, why
	}
	return s, nil
}

func (r *Register) refuse(ctx context.Context, key, subject, why string) {
	now := r.store.Now()
	r.mu.Lock()
	last, again := r.refused[key]
	if again && now.Sub(last) < time.Hour {
		r.mu.Unlock()
		return
	}
	r.refused[key] = now
	r.mu.Unlock()
	_, err := r.store.Record(ctx, store.Act{Reader: marking.Public(), Actor: "sender", Action: "refused.events", Subject: subject, Purpose: why}, nil)
	if err != nil {
		r.mu.Lock()
		delete(r.refused, key)
		r.mu.Unlock()
	}
}
