package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"vigil/internal/marking"
	"vigil/internal/store"
	"vigil/stix"
)

// Config is how people reach this Vigil. The zero value is a server on plain loopback with passwords alone.
type Config struct {
	// Origin is the address that browsers use: "https://vigil.csirt.halvern.example", or "http://127.0.0.1:8420". Plain
	// http is refused for anything but loopback. It decides the cookies.
	Origin string
	// House fixes the id of the organisation that runs this Vigil ("identity--…") before the first start; one is made
	// where empty. A data directory that has one already keeps it, and another is refused.
	House string
	// Demo allows DemoLogin.
	Demo bool
}

// Directory knows bodies and people, and lets people in. It is safe for use by many goroutines. Close must follow New,
// before the store is closed.
type Directory struct {
	store  *store.Store
	config Config
	secure bool // browsers reach it over TLS
	house  string
	params params // of new password hashes
	hasher hasher
	slow   throttle
	failed failures
	work   sync.WaitGroup // what is entered on the record after its answer

	mu    sync.RWMutex
	names map[string]string // of bodies, by id
}

// New opens the directory of a store whose schemas include Schema.
func New(ctx context.Context, s *store.Store, c Config) (*Directory, error) {
	d := &Directory{store: s, config: c, params: usual, names: map[string]string{}}
	if c.Origin != "" {
		u, err := url.Parse(c.Origin)
		if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return nil, fmt.Errorf("the origin %q is not of the form https://host or http://127.0.0.1:port", c.Origin)
		}
		switch {
		case u.Scheme == "https":
			d.secure = true
		case u.Scheme != "http" || !loopback(u.Hostname()):
			return nil, fmt.Errorf("the origin %q: only https, or plain http on loopback, keeps a log-in to itself", c.Origin)
		}
	}
	d.hasher.init()
	d.slow.init()
	if err := d.openHouse(ctx, c.House); err != nil {
		return nil, fmt.Errorf("opening the directory: %w", err)
	}
	return d, d.loadNames(ctx)
}

// Close waits for what is still to be entered on the record.
func (d *Directory) Close() { d.work.Wait() }

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (d *Directory) openHouse(ctx context.Context, want string) error {
	err := one(ctx, d, `SELECT h.id FROM access_house h WHERE h.one=1`, nil, &d.house)
	if errors.Is(err, store.ErrNotFound) {
		if d.house = want; want == "" {
			d.house = string(stix.NewID("identity"))
		}
		if err := checkID(d.house, "identity"); err != nil {
			return err
		}
		return d.store.Work(ctx, store.Lease{}, func(tx *store.WorkTx) error {
			_, err := tx.Exec(`INSERT INTO access_house VALUES(1,?)`, d.house)
			return err
		})
	}
	if err == nil && want != "" && want != d.house {
		return fmt.Errorf("this data directory belongs to %s, not to %s", d.house, want)
	}
	return err
}

func checkID(id, typ string) error {
	p, err := stix.ParseID(id)
	if err != nil || p.Type() != typ {
		return fmt.Errorf("%q is not an id of the form %s--<uuid>", id, typ)
	}
	return nil
}

// House is the id of the organisation that runs this Vigil. It stands before set-up, and never changes.
func (d *Directory) House() string { return d.house }

// Demo says whether people can be picked at the door.
func (d *Directory) Demo() bool { return d.config.Demo }

// account is what is known of a person when they come in.
type account struct {
	Person
	body Body
}

const accountColumns = `p.id, p.login, p.name, p.title, p.org, p.role, p.compartments, p.locked, p.same_as,
	b.name, b.own, b.constituent, b.agreement, b.ceiling, b.grps`

const accountFrom = ` FROM access_person p JOIN access_body b ON b.id=p.org`

func (a *account) dest(more ...any) []any {
	return append([]any{&a.ID, &a.Login, &a.Name, &a.Title, &a.Body, &a.Role, (*list)(&a.Compartments), &a.Locked, &a.SameAs,
		&a.body.Name, &a.body.Own, &a.body.Constituent, &a.body.Agreement, &a.body.Ceiling, (*list)(&a.body.Groups)}, more...)
}

// reader is the account as the marking gate sees it.
//
// An overseer reads with the house's own eyes whatever body they come from: the mandate of oversight is to see what the
// house saw, or a limit of an agreement would bound the inquiry into it. RED still needs the person named, and a
// compartment still needs admission. What is held for its marking is resolved by the house's analysts alone.
func (a *account) reader() (marking.Reader, error) {
	return marking.NewReader(marking.Identity{
		Person: a.ID, Org: a.Body,
		OwnStaff:     a.body.Own || a.Role == Overseer,
		Constituent:  a.body.Constituent,
		Agreement:    a.body.Agreement != "",
		Groups:       a.body.Groups,
		Ceiling:      a.body.Ceiling,
		Compartments: a.Compartments,
		Resolver:     a.body.Own && a.Role == Analyst,
	})
}

// principal is the account, once its holder has proved who they are.
func (a *account) principal(means string) (Principal, error) {
	if a.Locked {
		return Principal{}, errLocked
	}
	r, err := a.reader()
	if err != nil {
		return Principal{}, err
	}
	return Principal{Person: a.ID, Name: a.Name, Body: a.Body, Role: a.Role, Reader: r, Means: means, Human: a.human()}, nil
}

var errLocked = errors.New("the account is locked")

func (d *Directory) account(ctx context.Context, person string) (account, error) {
	var a account
	err := one(ctx, d, `SELECT `+accountColumns+accountFrom+` WHERE p.id=? AND VISIBLE(p) AND VISIBLE(b)`, []any{person}, a.dest()...)
	return a, err
}

// ReaderOf is a person as the marking gate sees them, as of now.
func (d *Directory) ReaderOf(ctx context.Context, person string) (marking.Reader, error) {
	a, err := d.account(ctx, person)
	if err != nil {
		return marking.Reader{}, err
	}
	return a.reader()
}

// From is where a log-in comes from, for the throttle and for the list of a person's sessions.
type From struct {
	Address string // IP address, without port
	Device  string // what the browser calls itself; anybody can write anything there
}

// Origin of a request. It believes the connection and no header: behind a proxy all log-ins share the proxy's address,
// and so its allowance.
func FromRequest(r *http.Request) From {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return From{Address: host, Device: clip(r.UserAgent(), 200)}
}

func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// list is a set of names in one column, a line each.
type list []string

func (l *list) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("a list of names is text, not %T", src)
	}
	*l = nil
	if s != "" {
		*l = strings.Split(s, "\n")
	}
	return nil
}

func (l list) text() (string, error) {
	for _, s := range l {
		if s == "" || len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return "", fmt.Errorf("%q is not a name of a group or compartment", s)
		}
	}
	if len(l) > 200 {
		return "", fmt.Errorf("%d groups or compartments, at most 200", len(l))
	}
	return strings.Join(l, "\n"), nil
}

// at reads a time that a column holds in nanoseconds; 0 is never.
func at(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// named checks a text that a person wrote for a column.
func named(what, s string, most int) error {
	if strings.TrimSpace(s) == "" {
		return &Invalid{what, "needs a text"}
	}
	return bounded(what, s, most)
}

func bounded(what, s string, most int) error {
	if len(s) > most {
		return &Invalid{what, fmt.Sprintf("has %d bytes, at most %d", len(s), most)}
	}
	if s != strings.ToValidUTF8(s, "") || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return &Invalid{what, "holds control characters, or is not UTF-8"}
	}
	return nil
}

// Invalid is what a person has to mend: which field, and why.
type Invalid struct{ Field, Why string }

func (e *Invalid) Error() string { return e.Field + ": " + e.Why }
