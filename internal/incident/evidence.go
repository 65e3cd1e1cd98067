package incident

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/blob"
	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Evidence is one item in custody: a file, or a thing without one. It carries a mark of its own.
type Evidence struct {
	ID, Incident string
	Item         string // what it is: a file name or a description; somebody else may have written it
	Original     bool   // false: a copy
	Size         int64  // bytes of the file
	SHA256       string // of the file, in hex; "" for a thing without one
	Holder       string // id of the person who has it
	Place        string
	Created      time.Time
	// OfferedTo is the person it is offered to, who has not answered yet; "" where nobody.
	OfferedTo string
	Label     marking.Label
	sha       [32]byte
}

// Entry is one entry of a chain of custody. It never changes.
type Entry struct {
	Evidence     string
	N            int // 1 and up
	At           time.Time
	What         CustodyAct
	Giver, Taker string // persons; Giver is who acts where nothing changes hands
	Place        string
	Purpose      string
	Tool         string
	ToolVersion  string
	Seal         string
}

// CustodyAct is what happened to an item.
type CustodyAct string

// What can happen to an item. A transfer is an Offered and then one of the three after it.
const (
	TakenIn    CustodyAct = "taken in"
	Offered    CustodyAct = "offered"
	HandedOver CustodyAct = "handed over" // the taker accepted
	Declined   CustodyAct = "refused"     // the taker did not
	Withdrawn  CustodyAct = "withdrawn"   // the giver took the offer back
	Sealed     CustodyAct = "sealed"
	Moved      CustodyAct = "moved"
	Examined   CustodyAct = "examined"
	CopiedOut  CustodyAct = "copied out" // somebody took a copy of the file
	Damaged    CustodyAct = "found damaged"
)

// Handling says how an item was handled. What is asked for depends on the act.
type Handling struct {
	Place       string
	Purpose     string
	Tool        string
	ToolVersion string
	Seal        string
}

func (h *Handling) check() (err error) {
	for _, f := range []struct {
		what string
		s    *string
	}{{"the place", &h.Place}, {"the purpose", &h.Purpose}, {"the tool", &h.Tool}, {"the tool's version", &h.ToolVersion}, {"the seal", &h.Seal}} {
		if *f.s, err = line(f.what, *f.s, maxWord, true); err != nil {
			return err
		}
	}
	if h.Purpose == "" {
		return fmt.Errorf("%w: the purpose is missing", ErrInput)
	}
	return nil
}

// Meta says what is taken into custody.
type Meta struct {
	Item     string
	Original bool
	// Handler is the person who has it from now on; who acts, where empty. It is never a way past the two hands: it can
	// only be who acts.
	Handler string
	Handling
	// Mark is what the item is bounded to. Nil is the default: AMBER+STRICT, the house's own staff and the organisation
	// that the incident happened to. Its Source is ignored.
	Mark *marking.Spec
}

const maxEvidence = 1000 // items of one incident

// AddEvidence takes an item into custody. r gives the file and may be nil for a thing without one.
func (d *Desk) AddEvidence(ctx context.Context, who access.Principal, incident string, meta Meta, r io.Reader) (string, error) {
	item, err := line("the item", meta.Item, maxWord, false)
	if err != nil {
		return "", err
	}
	h := meta.Handling
	if err := h.check(); err != nil {
		return "", err
	}
	if h.Place == "" {
		return "", fmt.Errorf("%w: the place is missing", ErrInput)
	}
	if meta.Handler != "" && meta.Handler != who.Person {
		return "", fmt.Errorf("%w: take it in yourself, then offer it to its handler, who must accept", ErrCustody)
	}
	act, err := d.act(ctx, who, access.EvidenceAdd, incident, h.Purpose)
	if err != nil {
		return "", err
	}
	i, err := d.see(ctx, who, incident)
	if err != nil {
		return "", err
	}
	spec := marking.Spec{TLP: marking.AmberStrict, Audience: []string{marking.OwnStaff}}
	if i.Org != "" {
		spec.Audience = append(spec.Audience, marking.OrgPrincipal(i.Org))
	}
	if meta.Mark != nil {
		spec = *meta.Mark
	}
	if meta.Mark == nil && !marking.MayRead(who.Reader, mustLabel(spec)) {
		spec.Audience = append(spec.Audience, marking.PersonPrincipal(who.Person)) // a responder holds what they brought
	}
	spec.Source = marking.Own
	label, err := marking.New(spec)
	if err != nil {
		return "", fmt.Errorf("%w: its marking: %w", ErrInput, err)
	}
	if !marking.MayRead(who.Reader, label) {
		return "", fmt.Errorf("%w: you could not read it yourself: %s", ErrInput, marking.WhyNot(who.Reader, label))
	}
	// The file first: a crash between leaves an orphan, which is swept, never a row without its file.
	var ref blob.Ref
	var sha []byte
	if r != nil {
		if ref, err = d.blobs.Put(ctx, r, blob.Limits{MaxSize: d.cfg.MaxFile}); err != nil {
			return "", fmt.Errorf("taking %s into custody: %w", item, err)
		}
		sha = ref.SHA256[:]
	} else {
		sha = []byte{}
	}
	id := string(stix.NewID("x-evidence"))
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		if _, err := load(tx, incident); err != nil {
			return err
		}
		tx.Taint(label)
		mid, err := tx.Mark(label)
		if err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(`SELECT count(*) FROM evidence WHERE incident=?`, incident).Scan(&n); err != nil {
			return err
		}
		if n >= maxEvidence {
			return fmt.Errorf("%w: the incident has %d items of evidence", ErrInput, n)
		}
		tx.Note("evidence", id)
		tx.Note("item", item)
		if r != nil {
			tx.Note("sha256", ref.Hex())
		}
		if _, err := tx.Exec(`INSERT INTO evidence VALUES(?,?,?,?,?,?,?,?,?,?,?,?,'',?)`, id, incident, item, meta.Original, ref.Size, sha, int(spec.TLP),
			strings.Join(spec.Compartments, "\n"), audienceText(spec.Audience), who.Person, h.Place, unix(tx.Now()), mid); err != nil {
			return err
		}
		return enterCustody(tx, Entry{Evidence: id, What: TakenIn, Giver: who.Person, Taker: who.Person}, h, mid)
	})
	if err != nil {
		return "", fmt.Errorf("taking %s into custody: %w", item, err)
	}
	return id, nil
}

func mustLabel(s marking.Spec) marking.Label {
	s.Source = marking.Own
	l, _ := marking.New(s) // the zero Label, which nobody reads, where it is none
	return l
}

// audienceText keeps nobody apart from everybody.
func audienceText(a []string) string {
	if a == nil {
		return "*"
	}
	return strings.Join(a, "\n")
}

func splitText(s string) []string {
	if s == "" {
		return []string{}
	}
	return strings.Split(s, "\n")
}

// enterCustody adds the next entry to a chain.
func enterCustody(tx *store.Tx, e Entry, h Handling, mid int64) error {
	tx.Note("custody", string(e.What))
	if e.Giver != e.Taker && e.Taker != "" {
		tx.Note("custody.to", e.Taker)
	}
	if h.Seal != "" {
		tx.Note("custody.seal", h.Seal)
	}
	_, err := tx.Exec(`INSERT INTO custody SELECT ?, 1 + (SELECT count(*) FROM custody WHERE evidence=?), ?,?,?,?,?,?,?,?,?,?`,
		e.Evidence, e.Evidence, unix(tx.Now()), string(e.What), e.Giver, e.Taker, h.Place, h.Purpose, h.Tool, h.ToolVersion, h.Seal, mid)
	return err
}

const evidenceColumns = `e.mid, e.id, e.incident, e.item, e.original, e.size, e.sha, e.holder, e.place, e.created, e.offered_to`

func scanEvidence(scan func(...any) error) (e Evidence, err error) {
	var sha []byte
	var created int64
	err = scan(&e.ID, &e.Incident, &e.Item, &e.Original, &e.Size, &sha, &e.Holder, &e.Place, &created, &e.OfferedTo)
	if len(sha) == 32 {
		e.sha, e.SHA256 = [32]byte(sha), hex.EncodeToString(sha)
	}
	e.Created = nanos(created)
	return e, err
}

func selectEvidence(ctx context.Context, v *store.View, where string, args ...any) ([]marking.Released[Evidence], error) {
	rows, err := store.Select(ctx, v, `SELECT `+evidenceColumns+` FROM evidence e WHERE `+where+` AND VISIBLE(e) ORDER BY e.created, e.id LIMIT 1000`, args,
		func(r *store.Row) (Evidence, error) { return scanEvidence(r.Scan) })
	for n, rel := range rows {
		l := rel.Label()
		rows[n] = marking.Map(rel, func(e Evidence) Evidence { e.Label = l; return e })
	}
	return rows, err
}

// EvidenceOf gives the items of an incident that the reader may see, oldest first.
func EvidenceOf(ctx context.Context, v *store.View, incident string) ([]marking.Released[Evidence], error) {
	return selectEvidence(ctx, v, `e.incident=?`, incident)
}

// HeldBy gives what a person holds or is offered, also of incidents that they may not see.
func HeldBy(ctx context.Context, v *store.View, person string) ([]marking.Released[Evidence], error) {
	return selectEvidence(ctx, v, `(e.holder=? OR e.offered_to=?)`, person, person)
}

// GetEvidence gives one item; store.ErrNotFound where there is none that the reader may see.
func GetEvidence(ctx context.Context, v *store.View, id string) (marking.Released[Evidence], error) {
	rows, err := selectEvidence(ctx, v, `e.id=?`, id)
	if err != nil {
		return marking.Released[Evidence]{}, err
	}
	if len(rows) == 0 {
		return marking.Released[Evidence]{}, store.ErrNotFound
	}
	return rows[0], nil
}

// CustodyOf gives the chain of an item, oldest first.
func CustodyOf(ctx context.Context, v *store.View, id string) ([]marking.Released[Entry], error) {
	return store.Select(ctx, v, `SELECT c.mid, c.evidence, c.n, c.at, c.what, c.giver, c.taker, c.place, c.purpose, c.tool, c.tool_version, c.seal FROM custody c JOIN evidence e ON e.id=c.evidence
		WHERE c.evidence=? AND VISIBLE(c) AND VISIBLE(e) ORDER BY c.n`, []any{id}, func(r *store.Row) (c Entry, err error) {
		var at int64
		err = r.Scan(&c.Evidence, &c.N, &at, &c.What, &c.Giver, &c.Taker, &c.Place, &c.Purpose, &c.Tool, &c.ToolVersion, &c.Seal)
		c.At = nanos(at)
		return c, err
	})
}

// Holding is who held an item, from when to when; To is zero for who holds it now.
type Holding struct {
	Person   string
	From, To time.Time
}

// Holdings reads a chain, oldest first, as who held the item. It has no gaps: a transfer ends one and begins the next.
func Holdings(chain []Entry) []Holding {
	var out []Holding
	for _, e := range chain {
		if e.What != TakenIn && e.What != HandedOver {
			continue
		}
		if n := len(out); n > 0 {
			out[n-1].To = e.At
		}
		out = append(out, Holding{Person: e.Taker, From: e.At})
	}
	return out
}

// ReadEvidence gives a copy of an item's file: whole and as it was taken in, or not at all. That it was read is on the
// record and in the chain before the first byte is given. The caller closes the reader.
func (d *Desk) ReadEvidence(ctx context.Context, who access.Principal, id, purpose string) (Evidence, io.ReadCloser, error) {
	h := Handling{Purpose: purpose}
	if err := h.check(); err != nil {
		return Evidence{}, nil, err
	}
	e, act, err := d.custodyAct(ctx, who, access.EvidenceRead, id, h.Purpose)
	if err != nil {
		return Evidence{}, nil, err
	}
	if e.SHA256 == "" {
		return Evidence{}, nil, fmt.Errorf("%w: this item has no file", ErrInput)
	}
	grant := blob.GrantFor(e.ID, e.sha)
	what := CopiedOut
	bad := d.blobs.Verify(ctx, grant)
	switch {
	case errors.Is(bad, blob.ErrDamaged) || errors.Is(bad, blob.ErrMissing):
		what = Damaged
	case bad != nil:
		return Evidence{}, nil, bad
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		now, mid, err := loadEvidence(tx, id)
		if err != nil {
			return err
		}
		tx.Note("sha256", now.SHA256)
		return enterCustody(tx, Entry{Evidence: id, What: what, Giver: who.Person}, h, mid)
	})
	if err != nil || bad != nil {
		return Evidence{}, nil, errors.Join(bad, err)
	}
	r, err := d.blobs.Open(grant)
	if err != nil {
		return Evidence{}, nil, err
	}
	return e, r, nil
}

// Cites says whether an item cites a file, for the sweep of files that none does.
func (d *Desk) Cites(ctx context.Context, sha [32]byte) (bool, error) {
	v, err := d.store.View(ctx, system())
	if err != nil {
		return false, err
	}
	n, err := v.Count(ctx, `SELECT 1 FROM evidence e WHERE e.sha=? AND VISIBLE(e)`, sha[:])
	return n > 0, err
}

// custodyAct reads an item through the view of who acts, and makes the act.
func (d *Desk) custodyAct(ctx context.Context, who access.Principal, a access.Action, id, purpose string) (Evidence, store.Act, error) {
	act, err := who.Act(a, id, purpose)
	if err != nil {
		return Evidence{}, act, err
	}
	v, err := d.store.View(ctx, who.Reader)
	if err != nil {
		return Evidence{}, act, err
	}
	rel, err := GetEvidence(ctx, v, id)
	if err != nil {
		return Evidence{}, act, err
	}
	e := marking.Open(marking.NewSheet(who.Reader), rel)
	act.Label = e.Label
	return e, act, nil
}

// loadEvidence reads an item inside the transaction and asks the gate again.
func loadEvidence(tx *store.Tx, id string) (Evidence, int64, error) {
	var mid int64
	e, err := scanEvidence(func(dest ...any) error {
		return tx.QueryRow(`SELECT `+evidenceColumns+` FROM evidence e WHERE e.id=?`, id).Scan(append([]any{&mid}, dest...)...)
	})
	if err != nil {
		return e, 0, err
	}
	e.Label = tx.Label(mid)
	if !marking.MayRead(tx.Reader(), e.Label) {
		return Evidence{}, 0, store.ErrNotFound
	}
	tx.Taint(e.Label)
	return e, mid, nil
}

// release gives the label of an item once a person is among those it goes to; the same where they may read it already.
func release(tx *store.Tx, id, person string) (marking.Label, string, error) {
	var tlp int
	var compartments, audience string
	if err := tx.QueryRow(`SELECT tlp, compartments, audience FROM evidence WHERE id=?`, id).Scan(&tlp, &compartments, &audience); err != nil {
		return marking.Label{}, "", err
	}
	spec := marking.Spec{TLP: marking.TLP(tlp), Source: marking.Own}
	if compartments != "" {
		spec.Compartments = splitText(compartments)
	}
	if audience != "*" {
		spec.Audience = splitText(audience)
		if p := marking.PersonPrincipal(person); !slices.Contains(spec.Audience, p) {
			spec.Audience = append(spec.Audience, p)
		}
	}
	l, err := marking.New(spec)
	return l, audienceText(spec.Audience), err
}
