package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Person is somebody with an account.
type Person struct {
	ID           string // "person--…"
	Login        string // unique: a-z, 0-9 and ._-, 2 to 64 of them
	Name, Title  string
	Body         string // id of the organisation
	Role         Role
	Compartments []string // ids of those they were admitted to
	Locked       bool
	// SameAs is the id of the same person's first account; empty where this is it. Both count as one wherever several
	// people must agree.
	SameAs   string
	Passkeys int       // how many are registered
	Last     time.Time // of the newest log-in; zero: never
	Created  time.Time
}

func (p Person) human() string {
	if p.SameAs != "" {
		return p.SameAs
	}
	return p.ID
}

func checkLogin(s string) error {
	if len(s) < 2 || len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return &Invalid{"login", "takes 2 to 64 of a-z, 0-9, dot, dash and underscore"}
	}
	return nil
}

// loginOf is a log-in name as it was meant.
func loginOf(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// checkRole refuses roles that the body's standing can't carry: those who work inside are the house's people or its
// constituents', the administrator is the house's, and nobody of the house is a partner of it.
func checkRole(r Role, b Body) error {
	switch {
	case !r.Known():
		return &Invalid{"role", fmt.Sprintf("there is no role %q", string(r))}
	case r == PartnerOfficer || r == Constituent:
		if b.Own {
			return &Invalid{"role", "the house's own staff are neither partners nor constituents of it"}
		}
	case r == Administrator:
		if !b.Own {
			return &Invalid{"role", "the administrator is of the house"}
		}
	case r == Overseer:
	case !b.Own && !b.Constituent:
		return &Invalid{"role", fmt.Sprintf("a %s works for the house or for one of its constituents", r)}
	}
	return nil
}

// AddPerson makes an account and gives its id, which is p.ID or, where that is empty, a new one. The account has no
// credential yet: see Invite.
func (d *Directory) AddPerson(ctx context.Context, who Principal, p Person) (string, error) {
	if p.ID == "" {
		p.ID = string(stix.NewID("person"))
	}
	act, err := who.Act(PersonAdd, p.ID, "make an account for "+clip(p.Name, 200))
	if err != nil {
		return "", err
	}
	p.Login = loginOf(p.Login)
	if err := errors.Join(checkID(p.ID, "person"), checkLogin(p.Login), named("name", p.Name, 200), bounded("title", p.Title, 200)); err != nil {
		return "", err
	}
	if _, err := d.store.Record(ctx, act, func(tx *store.Tx) error { return insertPerson(tx, p) }); err != nil {
		return "", fmt.Errorf("making the account %s: %w", p.Login, err)
	}
	return p.ID, nil
}

func insertPerson(tx *store.Tx, p Person) error {
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM access_person WHERE id=? OR login=?`, p.ID, p.Login).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return &Invalid{"login", "an account of this name or id exists already"}
	}
	b := Body{}
	if err := tx.QueryRow(`SELECT own, constituent FROM access_body WHERE id=?`, p.Body).Scan(&b.Own, &b.Constituent); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return &Invalid{"body", "is not entered"}
		}
		return err
	}
	if err := checkRole(p.Role, b); err != nil {
		return err
	}
	if p.SameAs != "" {
		// The first account of all counts, however long the chain that named it.
		var first string
		if err := tx.QueryRow(`SELECT CASE same_as WHEN '' THEN id ELSE same_as END FROM access_person WHERE id=?`, p.SameAs).Scan(&first); err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return &Invalid{"same as", "there is no such account"}
			}
			return err
		}
		p.SameAs = first
		tx.Note("same-as", first)
	}
	compartments, err := list(p.Compartments).text()
	if err != nil {
		return err
	}
	l, err := rowLabel()
	if err != nil {
		return err
	}
	mid, err := tx.Mark(l)
	if err != nil {
		return err
	}
	tx.Note("login", p.Login)
	tx.Note("account-name", p.Name)
	tx.Note("account-body", p.Body)
	tx.Note("account-role", string(p.Role))
	noteCompartments(tx, p.Compartments)
	_, err = tx.Exec(`INSERT INTO access_person(id, login, name, title, org, role, compartments, locked, same_as, created, mid) VALUES(?,?,?,?,?,?,?,?,?,?,?)`,
		p.ID, p.Login, p.Name, p.Title, p.Body, string(p.Role), compartments, p.Locked, p.SameAs, tx.Now().UnixNano(), mid)
	return err
}

func noteCompartments(tx *store.Tx, cs []string) {
	for i, c := range cs {
		tx.Note(fmt.Sprintf("compartment.%03d", i), c)
	}
}

// Change is what to change of an account; nil leaves as is.
type Change struct {
	Name, Title  *string
	Role         *Role
	Compartments *[]string
	Locked       *bool
	// SameAs tells that this is a further account of the person with that one.
	SameAs *string
}

// ErrSelf refuses to change one's own account where somebody else has to.
var ErrSelf = fmt.Errorf("%w: nobody changes an account of their own, another administrator does", ErrRefused)

// ChangePerson changes an account, with a reason. Nobody changes an account of their own, so that no administrator
// takes a further role alone. A lock or another role ends the account's sessions; a lock ends its tokens too.
func (d *Directory) ChangePerson(ctx context.Context, who Principal, id string, c Change, reason string) error {
	act, err := who.Act(PersonChange, id, reason)
	if err != nil {
		return err
	}
	if err := named("reason", reason, 2000); err != nil {
		return err
	}
	a, err := d.account(ctx, id)
	if err != nil {
		return fmt.Errorf("changing the account %s: %w", id, err)
	}
	if a.human() == who.Human || a.ID == who.Person {
		return ErrSelf
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error { return d.change(tx, a, c) })
	if err != nil {
		return fmt.Errorf("changing the account %s: %w", a.Login, err)
	}
	return nil
}

func (d *Directory) change(tx *store.Tx, a account, c Change) error {
	set := func(column, note, shown string, value any) error {
		tx.Note(note, shown)
		return changed(tx.Exec(`UPDATE access_person SET `+column+`=? WHERE id=?`, value, a.ID))
	}
	if c.Name != nil {
		if err := errors.Join(named("name", *c.Name, 200)); err != nil {
			return err
		}
		if err := set("name", "name", *c.Name, *c.Name); err != nil {
			return err
		}
	}
	if c.Title != nil {
		if err := bounded("title", *c.Title, 200); err != nil {
			return err
		}
		if err := set("title", "title", *c.Title, *c.Title); err != nil {
			return err
		}
	}
	if c.Role != nil {
		if err := checkRole(*c.Role, a.body); err != nil {
			return err
		}
		if err := set("role", "account-role", string(*c.Role), string(*c.Role)); err != nil {
			return err
		}
	}
	if c.Compartments != nil {
		text, err := list(*c.Compartments).text()
		if err != nil {
			return err
		}
		noteCompartments(tx, *c.Compartments)
		if err := set("compartments", "compartments", fmt.Sprint(len(*c.Compartments)), text); err != nil {
			return err
		}
	}
	if c.SameAs != nil {
		first := ""
		if *c.SameAs != "" {
			err := tx.QueryRow(`SELECT CASE same_as WHEN '' THEN id ELSE same_as END FROM access_person WHERE id=?`, *c.SameAs).Scan(&first)
			if err != nil {
				return err
			}
			if first == a.ID {
				return &Invalid{"same as", "this is the first account itself"}
			}
			// Accounts that named this one as their first follow it to the new first.
			if _, err := tx.Exec(`UPDATE access_person SET same_as=? WHERE same_as=?`, first, a.ID); err != nil {
				return err
			}
		}
		if err := set("same_as", "same-as", first, first); err != nil {
			return err
		}
	}
	if c.Locked != nil {
		if err := set("locked", "locked", fmt.Sprint(*c.Locked), *c.Locked); err != nil {
			return err
		}
		if *c.Locked {
			if _, err := tx.Exec(`DELETE FROM access_token WHERE person=?`, a.ID); err != nil {
				return err
			}
			if _, err := tx.Exec(`DELETE FROM access_link WHERE person=?`, a.ID); err != nil {
				return err
			}
		}
	}
	if c.Locked != nil && *c.Locked || c.Role != nil {
		return endSessions(tx, a.ID)
	}
	return nil
}

const personColumns = `p.id, p.login, p.name, p.title, p.org, p.role, p.compartments, p.locked, p.same_as, p.passkeys, p.last, p.created`

func scanPerson(scan func(...any) error) (Person, error) {
	var p Person
	var last, created int64
	err := scan(&p.ID, &p.Login, &p.Name, &p.Title, &p.Body, &p.Role, (*list)(&p.Compartments), &p.Locked, &p.SameAs, &p.Passkeys, &last, &created)
	p.Last, p.Created = at(last), at(created)
	return p, err
}

// Query is a question for people.
type Query struct {
	Body string // id; empty: any
	Text string // part of name, title or log-in name; empty: any
	Role Role   // empty: any
	// After is the log-in name behind which to go on, Limit how many; 100 where 0, at most 500.
	After string
	Limit int
}

func (q Query) where() (string, []any) {
	w, args := `p.login>? AND VISIBLE(p)`, []any{q.After}
	if q.Body != "" {
		w, args = w+` AND p.org=?`, append(args, q.Body)
	}
	if q.Role != "" {
		w, args = w+` AND p.role=?`, append(args, string(q.Role))
	}
	if q.Text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.Text) + "%"
		w, args = w+` AND (p.name LIKE ? ESCAPE '\' OR p.title LIKE ? ESCAPE '\' OR p.login LIKE ? ESCAPE '\')`, append(args, like, like, like)
	}
	return w, args
}

// People gives accounts as a reader may see them, by log-in name.
func People(ctx context.Context, v *store.View, q Query) ([]marking.Released[Person], error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	w, args := q.where()
	return store.Select(ctx, v, `SELECT p.mid, `+personColumns+` FROM access_person p WHERE `+w+` ORDER BY p.login LIMIT ?`, append(args, min(q.Limit, 500)),
		func(r *store.Row) (Person, error) { return scanPerson(r.Scan) })
}

// CountPeople says how many accounts a question finds, up to store.CountLimit.
func CountPeople(ctx context.Context, v *store.View, q Query) (int, error) {
	w, args := q.where()
	return v.Count(ctx, `SELECT p.id FROM access_person p WHERE `+w, args...)
}

// GetPerson gives one account; store.ErrNotFound where there is none that the reader may see.
func GetPerson(ctx context.Context, v *store.View, id string) (marking.Released[Person], error) {
	return store.SelectOne(ctx, v, `SELECT p.mid, `+personColumns+` FROM access_person p WHERE p.id=? AND VISIBLE(p)`, []any{id},
		func(r *store.Row) (Person, error) { return scanPerson(r.Scan) })
}

// PersonByID gives an account to the stages, past the gate; it is not for pages.
func (d *Directory) PersonByID(ctx context.Context, id string) (Person, error) {
	ps, err := all(ctx, d, `SELECT `+personColumns+` FROM access_person p WHERE p.id=? AND VISIBLE(p)`, []any{id}, func(r *sql.Rows) (Person, error) { return scanPerson(r.Scan) })
	if err != nil {
		return Person{}, err
	}
	if len(ps) == 0 {
		return Person{}, store.ErrNotFound
	}
	return ps[0], nil
}

// Distinct counts the people behind accounts: two accounts of one person are one.
func (d *Directory) Distinct(ctx context.Context, accounts []string) (int, error) {
	var humans []string
	for _, id := range accounts {
		p, err := d.PersonByID(ctx, id)
		if err != nil {
			return 0, fmt.Errorf("the account %s: %w", id, err)
		}
		humans = append(humans, p.human())
	}
	slices.Sort(humans)
	return len(slices.Compact(humans)), nil
}

// PersonName is the name behind a person's id, for pages that were let show the id; "" where there is none.
func (d *Directory) PersonName(ctx context.Context, id string) string {
	if !strings.HasPrefix(id, "person--") {
		return ""
	}
	a, err := d.account(ctx, id)
	if err != nil {
		return ""
	}
	return a.Name
}
