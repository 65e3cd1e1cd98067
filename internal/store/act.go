package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"vigil/internal/ledger/leaf"
	"vigil/internal/marking"
)

// Act says who does what, on what, and what for. Every field but RequestID, Fields and Label is needed.
type Act struct {
	// Reader is who acts, as the gate sees them: a transaction reads as them.
	Reader marking.Reader
	// Actor is the id of the person, source or piece of background work that acts. The leaf shows a pseudonym.
	Actor string
	// Action is the coarse type, [a-z0-9._:/-]: "incident.open". It is public.
	Action string
	// Subject is the id of what is acted on.
	Subject string
	// Purpose says in words what for.
	Purpose string
	// RequestID, where given, makes the act happen once: a second Record with it does nothing and gives the first's
	// receipt.
	RequestID string
	// Fields are further contents of the entry, by name ([a-z0-9._:/-]).
	Fields []Field
	// Label joins into the entry's own; where it is the zero Label, the house's AMBER+STRICT stands in.
	Label marking.Label
	// Bulk lets people go first.
	Bulk bool
}

// Field is one named content of an entry.
type Field struct{ Name, Value string }

// Receipt is what an act leaves: its number in the record. The inclusion proof comes from the ledger once appended.
type Receipt struct {
	Seq      uint64
	At       time.Time
	Label    marking.Label
	Repeated bool // the RequestID had acted before
}

// Tx is a write transaction on the record.
type Tx struct {
	w       *writeTx
	act     Act
	at      time.Time
	seq     int64
	label   marking.Label
	changes []change
	fields  []Field
}

// maxListed is how many changed objects an entry names one by one; beyond that it commits to their Merkle root alone.
const maxListed = 64

// Record runs f in a transaction and leaves exactly one entry. Where f fails, nothing has happened and nothing is on the
// record. f may be nil: then the entry is all, as for a refusal.
func (s *Store) Record(ctx context.Context, act Act, f func(*Tx) error) (Receipt, error) {
	if act.Actor == "" || act.Action == "" || act.Subject == "" || act.Purpose == "" {
		return Receipt{}, fmt.Errorf("an act needs actor, action, subject and purpose: %q %q %q %q", act.Actor, act.Action, act.Subject, act.Purpose)
	}
	var rec Receipt
	err := s.write(ctx, act.Bulk, func(w *writeTx) error {
		if act.RequestID != "" {
			var at, mid int64
			err := w.tx.QueryRowContext(ctx, `SELECT seq, at, mid FROM record WHERE request=?`, act.RequestID).Scan(&rec.Seq, &at, &mid)
			if err == nil {
				rec.At, rec.Label, rec.Repeated = time.Unix(0, at).UTC(), w.labelOf(mid), true
				return nil
			} else if err != sql.ErrNoRows {
				return err
			}
		}
		t := &Tx{w: w, act: act, at: s.Now(), label: act.Label}
		if !t.label.Valid() {
			l, err := marking.New(marking.Spec{TLP: marking.AmberStrict, Source: marking.Own})
			if err != nil {
				return err
			}
			t.label = l
		}
		if err := w.tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) + 1 FROM record`).Scan(&t.seq); err != nil {
			return err
		}
		if f != nil {
			if err := f(t); err != nil {
				return err
			}
		}
		if err := t.enter(); err != nil {
			return fmt.Errorf("entering %s on the record: %w", act.Action, err)
		}
		rec = Receipt{Seq: uint64(t.seq), At: t.at, Label: t.label}
		return nil
	})
	if err == nil && !rec.Repeated {
		select {
		case s.written <- struct{}{}:
		default:
		}
	}
	return rec, err
}

// enter writes the entry: contents and salt in the database, the leaf beside them for the ledger.
func (t *Tx) enter() error {
	fields := append([]Field{{"actor", t.act.Actor}, {"subject", t.act.Subject}, {"purpose", t.act.Purpose}}, t.act.Fields...)
	fields = append(fields, t.fields...)
	if len(t.changes) > 0 {
		fields = append(fields, Field{"objects", fmt.Sprintf("%d %s", len(t.changes), hex.EncodeToString(merkleRoot(t.changes)))})
		if len(t.changes) <= maxListed {
			for i, c := range t.changes {
				fields = append(fields, Field{fmt.Sprintf("object.%02d", i), string(c)})
			}
		}
	}
	var salt [32]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return err
	}
	lf := make([]leaf.Field, len(fields))
	for i, f := range fields {
		lf[i] = leaf.Field{Name: f.Name, Value: []byte(f.Value)}
	}
	raw, err := leaf.New(uint64(t.seq), t.act.Action, t.w.s.Pseudonym(t.act.Actor), t.w.s.opt.Policy, t.at, salt, lf).Marshal()
	if err != nil {
		return err
	}
	content, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	mid, err := t.w.intern(t.label)
	if err != nil {
		return err
	}
	var request any
	if t.act.RequestID != "" {
		request = t.act.RequestID
	}
	_, err = t.w.tx.ExecContext(t.w.ctx, `INSERT INTO record(seq, at, actor, action, subject, mid, request, salt, content, leaf) VALUES(?,?,?,?,?,?,?,?,?,?)`,
		t.seq, t.at.UnixNano(), t.act.Actor, t.act.Action, t.act.Subject, mid, request, salt[:], content, raw)
	return err
}

// Pseudonym is how the public tree names an actor: the same for all their acts in this database, and not theirs to read.
func (s *Store) Pseudonym(actor string) string {
	m := hmac.New(sha256.New, s.nameKey)
	m.Write([]byte(actor))
	return "p-" + hex.EncodeToString(m.Sum(nil)[:12])
}

// Now is the time of the act.
func (t *Tx) Now() time.Time { return t.at }

// Reader is who acts.
func (t *Tx) Reader() marking.Reader { return t.act.Reader }

// Actor is the id of who acts.
func (t *Tx) Actor() string { return t.act.Actor }

// Note adds a content to the entry.
func (t *Tx) Note(name, value string) { t.fields = append(t.fields, Field{name, value}) }

// Subject names what is acted on, where that is known only inside the transaction.
func (t *Tx) Subject(id string) { t.act.Subject = id }

// Taint joins a label into the entry's: what the act read from.
func (t *Tx) Taint(l marking.Label) { t.label = t.label.Join(l) }

// Exec runs a statement on rows.
func (t *Tx) Exec(query string, args ...any) (sql.Result, error) { return t.w.exec(query, args...) }

// Query reads rows inside the transaction.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) { return t.w.query(query, args...) }

// QueryRow reads one row inside the transaction.
func (t *Tx) QueryRow(query string, args ...any) *Row1 { return t.w.queryRow(query, args...) }

// Mark numbers a label, for a row's column mid.
func (t *Tx) Mark(l marking.Label) (int64, error) { return t.w.intern(l) }

// Label is the label behind a number.
func (t *Tx) Label(mid int64) marking.Label { return t.w.labelOf(mid) }

// change is one line of an entry's list of objects: "put <id> <modified> <source> <sha256>".
type change string

// merkleRoot is RFC 6962's tree hash over the lines.
func merkleRoot(cs []change) []byte {
	switch len(cs) {
	case 0:
		h := sha256.Sum256(nil)
		return h[:]
	case 1:
		h := sha256.Sum256(append([]byte{0}, cs[0]...))
		return h[:]
	}
	k := 1
	for k*2 < len(cs) {
		k *= 2
	}
	h := sha256.Sum256(append(append([]byte{1}, merkleRoot(cs[:k])...), merkleRoot(cs[k:])...))
	return h[:]
}
