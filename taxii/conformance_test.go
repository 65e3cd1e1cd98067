package taxii_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"vigil/taxii"
	"vigil/taxii/memory"
	"vigil/taxii/taxiitest"
)

const (
	feed      = "11111111-1111-4111-8111-111111111111"
	readOnly  = "22222222-2222-4222-8222-222222222222"
	writeOnly = "33333333-3333-4333-8333-333333333333"
	hidden    = "44444444-4444-4444-8444-444444444444"
)

var cursorKey = bytes.Repeat([]byte{7}, 32)

// byUser admits whoever gives a user name, as that user.
var byUser = taxii.BasicAuth(func(user, password string) (taxii.Reader, error) {
	if password != "secret" {
		return taxii.Reader{}, taxii.ErrUnauthorized
	}
	return taxii.Reader{Key: user}, nil
})

func as(user string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, "secret") }
}

// newStore has the four collections that a conformance target needs; the
// hidden one is for "lorrin" only.
func newStore(t testing.TB, opt memory.Options) *memory.Store {
	t.Helper()
	opt.May = func(r taxii.Reader, _ string, c *taxii.Collection) (bool, bool) {
		if c.ID == hidden && r.Key != "lorrin" {
			return false, false
		}
		return c.CanRead, c.CanWrite
	}
	store := memory.New(opt)
	if err := store.AddRoot(taxii.Root{Name: "exchange", Title: "Halvern sector exchange"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []taxii.Collection{
		{ID: feed, Title: "Feed", Alias: "feed", CanRead: true, CanWrite: true},
		{ID: readOnly, Title: "Bulletins", CanRead: true},
		{ID: writeOnly, Title: "Reports", CanWrite: true},
		{ID: hidden, Title: "NORTH KILN", CanRead: true, CanWrite: true},
	} {
		if err := store.AddCollection("exchange", c); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

func newServer(t testing.TB, store taxii.Store, change func(*taxii.Config)) *taxii.Server {
	t.Helper()
	cfg := taxii.Config{
		Title: "Halvern exchange", Contact: "desk@halvern.example", DefaultRoot: "exchange",
		Store: store, Authenticate: byUser, CursorKey: cursorKey,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := taxii.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func target(h http.Handler, prefix string) *taxiitest.Target {
	return &taxiitest.Target{
		Handler: h, Discovery: prefix + "/taxii2/", Root: prefix + "/taxii2/exchange/",
		ReadWrite: feed, ReadOnly: readOnly, WriteOnly: writeOnly, Hidden: hidden, Alias: "feed",
		Authorize: as("quaymar"), Other: as("lorrin"), MaxContentLength: 1 << 20,
	}
}

func megabyte(c *taxii.Config) { c.MaxContentLength = 1 << 20 }

func TestConformance(t *testing.T) {
	taxiitest.Run(t, func(t *testing.T) *taxiitest.Target {
		return target(newServer(t, newStore(t, memory.Options{}), megabyte), "")
	})
}

func TestConformanceQueued(t *testing.T) {
	taxiitest.Run(t, func(t *testing.T) *taxiitest.Target {
		store := newStore(t, memory.Options{Queue: true})
		tg := target(newServer(t, store, megabyte), "")
		tg.Settle = func() { store.Work(1 << 20) }
		return tg
	})
}

// A clock that stands still, pages of a few bytes and a server made anew for
// every request change nothing.
func TestConformanceHarsh(t *testing.T) {
	taxiitest.Run(t, func(t *testing.T) *taxiitest.Target {
		now := time.Date(2027, 3, 4, 5, 6, 7, 0, time.UTC)
		store := newStore(t, memory.Options{Now: func() time.Time { return now }})
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			newServer(t, store, megabyte).ServeHTTP(w, r)
		})
		return target(h, "")
	})
}

// Behind a proxy that adds a prefix the server names its roots with it.
func TestConformanceBehindPrefix(t *testing.T) {
	taxiitest.Run(t, func(t *testing.T) *taxiitest.Target {
		s := newServer(t, newStore(t, memory.Options{}), func(c *taxii.Config) {
			megabyte(c)
			c.PublicURL = "https://gate.halvern.example/cti/taxii2/"
		})
		tg := target(http.StripPrefix("/cti", s), "/cti")
		a := tg.Do(t, taxiitest.Request{Path: tg.Discovery})
		if !strings.Contains(a.Raw, `"https://gate.halvern.example/cti/taxii2/exchange/"`) {
			t.Errorf("discovery: %s", a.Raw)
		}
		return tg
	})
}
