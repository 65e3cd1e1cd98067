package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"vigil/internal/store"
	"vigil/stix"
)

// How long a log-in holds: at most twelve hours, two without being used. A link to set a first password holds a day.
const (
	sessionTerm = 12 * time.Hour
	sessionIdle = 2 * time.Hour
	linkTerm    = 24 * time.Hour
)

var (
	// ErrLogin is the one answer to a wrong name, a wrong password and a locked account.
	ErrLogin = errors.New("name and password do not fit together")
	// ErrLink is the answer to a link that was used, has run out, or never was.
	ErrLink = errors.New("this link was used already, has run out, or is no link of this server")
)

// Wait is how long somebody has to wait before the next attempt.
type Wait struct{ For time.Duration }

func (w *Wait) Error() string {
	return fmt.Sprintf("too many attempts: try again in %s", w.For.Round(time.Second))
}

// failures remembers for whom a failed log-in was entered on the record, so that nobody fills it by guessing.
type failures struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (f *failures) fresh(key string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil || len(f.last) > 10_000 {
		f.last = map[string]time.Time{}
	}
	if now.Sub(f.last[key]) < 10*time.Minute {
		return false
	}
	f.last[key] = now
	return true
}

// secret makes a random text, and the hash under which it is kept.
func secret(prefix string) (text string, hash []byte, err error) {
	var b [24]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", nil, err
	}
	text = prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return text, hashOf(text), nil
}

func hashOf(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}

// SetupLink makes the one-time token with which the first administrator is made; "" where there is somebody already. An
// earlier one is void from then on.
func (d *Directory) SetupLink(ctx context.Context) (string, error) {
	var n int
	if err := one(ctx, d, `SELECT count(*) FROM access_person p WHERE VISIBLE(p)`, nil, &n); err != nil || n > 0 {
		return "", err
	}
	token, hash, err := secret("vset_")
	if err != nil {
		return "", err
	}
	_, err = d.store.Record(ctx, bootAct("setup.link", d.house, "nobody is registered yet"), func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO access_link VALUES(?,'',?) ON CONFLICT(person) DO UPDATE SET hash=excluded.hash, expires=excluded.expires`, hash, tx.Now().Add(linkTerm).UnixNano())
		return err
	})
	return token, err
}

// CompleteSetup enters the house and its first administrator, with a password, and gives the administrator's id. The token
// works once.
func (d *Directory) CompleteSetup(ctx context.Context, token string, house Body, admin Person, password string) (string, error) {
	house.ID, house.Own = d.house, true
	admin.ID, admin.Login, admin.Body, admin.Role = string(stix.NewID("person")), loginOf(admin.Login), d.house, Administrator
	if err := errors.Join(house.check(), checkLogin(admin.Login), named("name", admin.Name, 200), checkPassword(password)); err != nil {
		return "", err
	}
	// The link is looked at before a hash is paid for, and taken in the transaction.
	var expires int64
	if err := one(ctx, d, `SELECT expires FROM access_link WHERE hash=? AND person=''`, []any{hashOf(token)}, &expires); err != nil {
		return "", ErrLink
	}
	hash, err := d.hash(ctx, password)
	if err != nil {
		return "", err
	}
	_, err = d.store.Record(ctx, bootAct("setup.complete", d.house, "enter the house and its first administrator"), func(tx *store.Tx) error {
		if err := takeLink(tx, token, ""); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(`SELECT count(*) FROM access_person`).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return ErrLink
		}
		if err := insertBody(tx, house); err != nil {
			return err
		}
		if err := insertPerson(tx, admin); err != nil {
			return err
		}
		return setPassword(tx, admin.ID, hash)
	})
	if err != nil {
		return "", fmt.Errorf("setting up: %w", err)
	}
	return admin.ID, d.loadNames(ctx)
}

func takeLink(tx *store.Tx, token, person string) error {
	var expires int64
	err := tx.QueryRow(`SELECT expires FROM access_link WHERE hash=? AND person=?`, hashOf(token), person).Scan(&expires)
	if errors.Is(err, store.ErrNotFound) || err == nil && expires <= tx.Now().UnixNano() {
		return ErrLink
	} else if err != nil {
		return err
	}
	_, err = tx.Exec(`DELETE FROM access_link WHERE hash=?`, hashOf(token))
	return err
}

func setPassword(tx *store.Tx, person, hash string) error {
	_, err := tx.Exec(`INSERT INTO access_password VALUES(?,?,?) ON CONFLICT(person) DO UPDATE SET hash=excluded.hash, changed=excluded.changed`, person, hash, tx.Now().UnixNano())
	return err
}

// Invite makes a one-time token with which a person sets a password; an earlier one is void from then on.
func (d *Directory) Invite(ctx context.Context, who Principal, person string) (string, error) {
	if err := who.present(); err != nil {
		return "", err
	}
	act, err := who.Act(PersonInvite, person, "let the person set a password")
	if err != nil {
		return "", err
	}
	if _, err := d.account(ctx, person); err != nil {
		return "", err
	}
	token, hash, err := secret("vinv_")
	if err != nil {
		return "", err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO access_link VALUES(?,?,?) ON CONFLICT(person) DO UPDATE SET hash=excluded.hash, expires=excluded.expires`, hash, person, tx.Now().Add(linkTerm).UnixNano())
		return err
	})
	return token, err
}

// AcceptInvite sets the password of whoever was invited with the token. All their sessions end.
func (d *Directory) AcceptInvite(ctx context.Context, token, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	var person string
	if err := one(ctx, d, `SELECT person FROM access_link WHERE hash=?`, []any{hashOf(token)}, &person); err != nil || person == "" {
		return ErrLink
	}
	hash, err := d.hash(ctx, password)
	if err != nil {
		return err
	}
	act := bootAct("person.password", person, "set a password with an invitation")
	act.Actor = person
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		if err := takeLink(tx, token, person); err != nil {
			return err
		}
		return errors.Join(setPassword(tx, person, hash), endSessions(tx, person))
	})
	return err
}

func endSessions(tx *store.Tx, person string) error {
	_, err := tx.Exec(`DELETE FROM access_session WHERE person=?`, person)
	return err
}

// Login checks name and password and opens a session: its secret goes into the cookie. Wrong names, wrong passwords and
// locked accounts answer alike, and as slowly.
func (d *Directory) Login(ctx context.Context, login, password string, from From) (string, Principal, error) {
	login = loginOf(login)
	now := d.store.Now()
	keys := []string{"login:" + login, "address:" + network(from.Address)}
	if w := d.slow.charge(now, keys...); w > 0 {
		return "", Principal{}, &Wait{w}
	}
	var person, hash string
	err := one(ctx, d, `SELECT p.id, coalesce((SELECT hash FROM access_password WHERE person=p.id), '') FROM access_person p WHERE p.login=? AND VISIBLE(p)`, []any{login}, &person, &hash)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", Principal{}, err
	}
	if len(password) > 1024 {
		password = ""
	}
	ok, err := d.matches(ctx, password, hash)
	if err != nil {
		return "", Principal{}, err
	}
	var p Principal
	if ok {
		if p, err = d.as(ctx, person, "password"); err != nil && !errors.Is(err, errLocked) {
			return "", Principal{}, err
		}
		ok = err == nil
	}
	if !ok {
		subject := person
		if subject == "" {
			subject = "unknown account" // all names that nobody has share one line, so that nobody fills the record with them
		}
		if d.failed.fresh(subject, now) {
			if _, err := d.store.Record(ctx, Principal{}.Refusal(SessionOpen, subject, "name and password do not fit together, or the account is locked"), nil); err != nil {
				return "", Principal{}, err
			}
		}
		return "", Principal{}, ErrLogin
	}
	d.slow.clear(keys...)
	text, err := d.open(ctx, p, from)
	return text, p, err
}

// network is what an address counts as: a household of IPv6 has more addresses than anybody can count.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// DemoLogin makes somebody of the exercise a principal without a password, and says so in everything they do. It works in
// an exercise alone.
func (d *Directory) DemoLogin(ctx context.Context, person string) (Principal, error) {
	if !d.config.Demo {
		return Principal{}, fmt.Errorf("%w: people are picked at the door in an exercise alone", ErrRefused)
	}
	return d.as(ctx, person, "demo")
}

// Console makes somebody a principal for a command on the data directory itself, whose operator could read and write it
// anyway; the record says that it was done there.
func (d *Directory) Console(ctx context.Context, login string) (Principal, error) {
	var person string
	if err := one(ctx, d, `SELECT p.id FROM access_person p WHERE p.login=? AND VISIBLE(p)`, []any{loginOf(login)}, &person); err != nil {
		return Principal{}, err
	}
	return d.as(ctx, person, "console")
}

func (d *Directory) as(ctx context.Context, person, means string) (Principal, error) {
	a, err := d.account(ctx, person)
	if err != nil {
		return Principal{}, err
	}
	return a.principal(means)
}

// Open opens a session for somebody who has proved who they are in another way.
func (d *Directory) Open(ctx context.Context, p Principal, from From) (string, error) {
	return d.open(ctx, p, from)
}

func (d *Directory) open(ctx context.Context, p Principal, from From) (string, error) {
	text, hash, err := secret("vses_")
	if err != nil {
		return "", err
	}
	act, err := p.Act(SessionOpen, p.Person, "log in")
	if err != nil {
		return "", err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		now := tx.Now().UnixNano()
		if _, err := tx.Exec(`DELETE FROM access_session WHERE created<=? OR seen<=?`, now-int64(sessionTerm), now-int64(sessionIdle)); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE access_person SET last=? WHERE id=?`, now, p.Person); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO access_session VALUES(?,?,?,?,?,?,?,?)`, hash, string(stix.NewID("session")), p.Person, p.Means, clip(from.Device, 200), clip(from.Address, 64), now, now)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("opening a session: %w", err)
	}
	return text, nil
}

// Session is a log-in as its owner may see it.
type Session struct {
	ID              string
	Device, Address string // as the browser told them: somebody else's text
	Since, Last     time.Time
	Current         bool
}

// Sessions lists a person's own, or anybody's for who may change accounts.
func (d *Directory) Sessions(ctx context.Context, who Principal, person, current string) ([]Session, error) {
	if who.Person != person && !who.May(PersonChange) {
		return nil, nil
	}
	type row struct {
		s    Session
		hash []byte
	}
	rows, err := all(ctx, d, `SELECT id, device, address, created, seen, hash FROM access_session WHERE person=? ORDER BY seen DESC LIMIT 100`, []any{person}, func(r *sql.Rows) (row, error) {
		var x row
		var created, seen int64
		err := r.Scan(&x.s.ID, &x.s.Device, &x.s.Address, &created, &seen, &x.hash)
		x.s.Since, x.s.Last = at(created), at(seen)
		return x, err
	})
	if err != nil {
		return nil, err
	}
	var out []Session
	for _, x := range rows {
		x.s.Current = current != "" && string(x.hash) == string(hashOf(current))
		out = append(out, x.s)
	}
	return out, nil
}

// EndSession ends one session, one's own or, for who may change accounts, anybody's.
func (d *Directory) EndSession(ctx context.Context, who Principal, person, id string) error {
	action := SessionClose
	if who.Person != person {
		action = PersonChange
	}
	act, err := who.Act(action, person, "end a session")
	if err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		res, err := tx.Exec(`DELETE FROM access_session WHERE id=? AND person=?`, id, person)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(store.ErrNotFound, err)
		}
		return nil
	})
	return err
}

// Logout ends the session of a cookie.
func (d *Directory) Logout(ctx context.Context, who Principal, text string) error {
	act, err := who.Act(SessionClose, who.Person, "log out")
	if err != nil {
		return err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM access_session WHERE hash=?`, hashOf(text))
		return err
	})
	return err
}

// session finds who a session's secret belongs to, and keeps it alive.
func (d *Directory) session(ctx context.Context, text string) (Principal, error) {
	var person, means string
	var created, seen int64
	hash := hashOf(text)
	if err := one(ctx, d, `SELECT person, means, created, seen FROM access_session WHERE hash=?`, []any{hash}, &person, &means, &created, &seen); err != nil {
		return Principal{}, err
	}
	if means == "demo" && !d.config.Demo {
		return Principal{}, store.ErrNotFound // the exercise is over
	}
	now := d.store.Now()
	if now.Sub(at(created)) >= sessionTerm || now.Sub(at(seen)) >= sessionIdle {
		return Principal{}, store.ErrNotFound
	}
	if now.Sub(at(seen)) > time.Minute {
		err := d.store.Work(ctx, store.Lease{}, func(tx *store.WorkTx) error {
			_, err := tx.Exec(`UPDATE access_session SET seen=? WHERE hash=?`, now.UnixNano(), hash)
			return err
		})
		if err != nil {
			return Principal{}, err
		}
	}
	return d.as(ctx, person, means)
}

// cookieName: a name that browsers keep to this host and to TLS, where there is TLS.
func (d *Directory) cookieName() string {
	if d.secure {
		return "__Host-vigil"
	}
	return "vigil"
}

// Cookie is what a browser keeps of a session; an empty text ends it.
func (d *Directory) Cookie(text string) *http.Cookie {
	c := &http.Cookie{Name: d.cookieName(), Value: text, Path: "/", HttpOnly: true, Secure: d.secure, SameSite: http.SameSiteLaxMode, MaxAge: int(sessionTerm / time.Second)}
	if text == "" {
		c.MaxAge = -1
	}
	return c
}

// SessionOf gives the secret of a request's session; "" where it has none.
func (d *Directory) SessionOf(r *http.Request) string {
	c, err := r.Cookie(d.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

type principalKey struct{}

// Middleware finds who asks, by session cookie or API token, and puts the Principal into the request's context. Whoever has
// proved nothing stays nobody; no request is refused here.
func (d *Directory) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var p Principal
		var err error
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer vlt_"); ok {
			p, err = d.token(r.Context(), "vlt_"+token)
		} else if text := d.SessionOf(r); text != "" {
			p, err = d.session(r.Context(), text)
		}
		if err == nil && p.Person != "" {
			r = r.WithContext(context.WithValue(r.Context(), principalKey{}, p))
		}
		next.ServeHTTP(w, r)
	})
}

// FromContext is who asks; the zero Principal, which may do nothing, where nobody has proved anything.
func FromContext(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// present refuses to make one credential with another: a stolen token must not outlive itself.
func (p Principal) present() error {
	if p.Means == "token" || p.Means == "demo" {
		return fmt.Errorf("%w: whoever came in by %s makes no credentials", ErrRefused, p.Means)
	}
	return nil
}

// AddToken makes an API token for oneself: it may do what its owner may, until it expires. It is shown once.
func (d *Directory) AddToken(ctx context.Context, who Principal, name string, term time.Duration) (string, error) {
	if err := named("name", name, 100); err != nil {
		return "", err
	}
	if term <= 0 || term > 366*24*time.Hour {
		return "", &Invalid{"term", "is between a moment and a year"}
	}
	if err := who.present(); err != nil {
		return "", err
	}
	act, err := who.Act(SelfChange, who.Person, "make the API token "+name)
	if err != nil {
		return "", err
	}
	text, hash, err := secret("vlt_")
	if err != nil {
		return "", err
	}
	_, err = d.store.Record(ctx, act, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO access_token VALUES(?,?,?,?,?,?)`, hash, string(stix.NewID("token")), who.Person, name, tx.Now().UnixNano(), tx.Now().Add(term).UnixNano())
		return err
	})
	return text, err
}

func (d *Directory) token(ctx context.Context, text string) (Principal, error) {
	var person string
	var expires int64
	if err := one(ctx, d, `SELECT person, expires FROM access_token WHERE hash=?`, []any{hashOf(text)}, &person, &expires); err != nil {
		return Principal{}, err
	}
	if !d.store.Now().Before(at(expires)) {
		return Principal{}, store.ErrNotFound
	}
	return d.as(ctx, person, "token")
}

// Alive says whether a session still holds, without keeping it alive.
func (d *Directory) Alive(ctx context.Context, text string) bool {
	var created, seen int64
	var locked bool
	err := one(ctx, d, `SELECT s.created, s.seen, p.locked FROM access_session s JOIN access_person p ON p.id=s.person WHERE s.hash=? AND VISIBLE(p)`, []any{hashOf(text)}, &created, &seen, &locked)
	now := d.store.Now()
	return err == nil && !locked && now.Sub(at(created)) < sessionTerm && now.Sub(at(seen)) < sessionIdle
}
