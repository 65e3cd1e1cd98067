package taxii_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vigil/taxii"
	"vigil/taxii/memory"
	"vigil/taxii/taxiitest"
)

// clock is a clock that shows *tick microseconds after a fixed moment.
func clock(tick *int64) func() time.Time {
	return func() time.Time {
		return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(atomic.LoadInt64(tick)) * time.Microsecond)
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := taxii.Config{Title: "t", Store: memory.New(memory.Options{}), Authenticate: byUser, CursorKey: cursorKey}
	for name, change := range map[string]func(*taxii.Config){
		"no store":          func(c *taxii.Config) { c.Store = nil },
		"no authentication": func(c *taxii.Config) { c.Authenticate = nil },
		"no title":          func(c *taxii.Config) { c.Title = "" },
		"short key":         func(c *taxii.Config) { c.CursorKey = cursorKey[:31] },
		"short old key":     func(c *taxii.Config) { c.OldCursorKeys = [][]byte{nil} },
		"mount":             func(c *taxii.Config) { c.Mount = "taxii2" },
		"http URL":          func(c *taxii.Config) { c.PublicURL = "http://gate.halvern.example/taxii2/" },
		"two slashes":       func(c *taxii.Config) { c.PublicURL = "//gate.halvern.example/taxii2/" },
		"no slash":          func(c *taxii.Config) { c.PublicURL = "/taxii2" },
		"query":             func(c *taxii.Config) { c.PublicURL = "https://gate.halvern.example/?a/" },
	} {
		cfg := good
		change(&cfg)
		if _, err := taxii.NewServer(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := taxii.NewServer(good); err != nil {
		t.Error(err)
	}
}

// broken is a store whose every answer is an error.
type broken struct {
	*memory.Store
	err error
}

func (b broken) Roots(context.Context, taxii.Reader) ([]taxii.Root, error) { return nil, b.err }
func (b broken) Items(context.Context, taxii.Reader, *taxii.Query) iter.Seq2[*taxii.Item, error] {
	return func(yield func(*taxii.Item, error) bool) {
		if yield(&taxii.Item{ID: "a", Version: "v", Added: 1, Body: []byte(`"half a page"`)}, nil) {
			yield(nil, b.err)
		}
	}
}

func TestStoreErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{fmt.Errorf("looking: %w", taxii.ErrNotFound), 404},
		{fmt.Errorf("looking: %w", taxii.ErrForbidden), 403},
		{fmt.Errorf("looking: %w", taxii.ErrUnauthorized), 401},
		{fmt.Errorf("looking: %w", taxii.ErrBusy), 503},
		{errors.New("disk on fire at /var/lib/secret"), 500},
	} {
		var log strings.Builder
		s := newServer(t, broken{newStore(t, memory.Options{}), c.err}, func(cfg *taxii.Config) {
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		tg := target(s, "")
		for _, path := range []string{tg.Discovery, tg.Root + taxiitest.Objects(feed, "")} {
			a := tg.Do(t, taxiitest.Request{Path: path})
			if a.Code != c.code || strings.Contains(a.Raw, "secret") || strings.Contains(a.Raw, "half") {
				t.Errorf("%v: %d %s", c.err, a.Code, a.Raw)
			}
			if c.code == 503 && a.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			if c.code == 500 && (!strings.Contains(a.Raw, "error_id") || !strings.Contains(log.String(), "disk on fire")) {
				t.Errorf("500 without a trace: %s, log %q", a.Raw, log.String())
			}
		}
	}
}

// mute is a store that names a collection which the reader may neither read
// nor write.
type mute struct{ *memory.Store }

func (mute) Collection(context.Context, taxii.Reader, string, string) (taxii.Collection, error) {
	return taxii.Collection{ID: feed, Title: "secret"}, nil
}

func (mute) Collections(context.Context, taxii.Reader, string) ([]taxii.Collection, error) {
	return []taxii.Collection{{ID: feed, Title: "secret"}}, nil
}

func TestNeitherReadNorWriteIsNotThere(t *testing.T) {
	tg := target(newServer(t, mute{newStore(t, memory.Options{})}, nil), "")
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for _, path := range []string{"", "objects/", "manifest/", "objects/" + taxiitest.ID("tool", 1) + "/"} {
			a := tg.Do(t, taxiitest.Request{Method: method, Path: tg.Root + "collections/" + feed + "/" + path})
			if a.Code != 404 && a.Code != 405 {
				t.Errorf("%s %s: %d", method, path, a.Code)
			}
		}
	}
	if a := tg.Get(t, "collections/"); a.Raw != "{}" {
		t.Errorf("the list: %s", a.Raw)
	}
}

// What one reader was sent must not reach another through a shared cache.
func TestAnswersAreNotCached(t *testing.T) {
	tg := target(newServer(t, newStore(t, memory.Options{}), nil), "")
	for _, path := range []string{tg.Discovery, tg.Root + taxiitest.Objects(feed, ""), tg.Root + "nowhere/x/"} {
		if a := tg.Do(t, taxiitest.Request{Path: path}); a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
}

func TestStatusIsKeptADay(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	store := newStore(t, memory.Options{Now: func() time.Time { return now }})
	tg := target(newServer(t, store, func(c *taxii.Config) { c.Now = func() time.Time { return now } }), "")
	post := func(n int) string {
		a := tg.Do(t, taxiitest.Request{Method: "POST", Path: tg.Root + taxiitest.Objects(feed, ""), Body: `{"objects":[` + taxiitest.SDO("tool", n, 1) + `]}`})
		_, id, _ := strings.Cut(a.Raw, `{"id":"`)
		return id[:36]
	}
	id := post(1)
	now = now.Add(24 * time.Hour)
	post(2)
	if a := tg.Get(t, "status/"+id+"/"); a.Code != 200 {
		t.Errorf("after a day: %d", a.Code)
	}
	now = now.Add(time.Second)
	post(3)
	if a := tg.Get(t, "status/"+id+"/"); a.Code != 404 {
		t.Errorf("after more than a day: %d", a.Code)
	}
}

func TestPendingStatusNamesEachObject(t *testing.T) {
	store := newStore(t, memory.Options{Queue: true})
	tg := target(newServer(t, store, nil), "")
	a := tg.Do(t, taxiitest.Request{Method: "POST", Path: tg.Root + taxiitest.Objects(feed, ""),
		Body: `{"objects":[` + taxiitest.SDO("tool", 1, 1) + `,{"type":"tool"},` + taxiitest.SDO("tool", 2, 1) + `]}`})
	for _, part := range []string{`"status":"pending"`, `"total_count":3`, `"pending_count":3`, `"id":"objects[1]"`} {
		if !strings.Contains(a.Raw, part) {
			t.Errorf("at first: no %s in %s", part, a.Raw)
		}
	}
	if got := store.Work(2); got != 2 {
		t.Errorf("worked on %d", got)
	}
	_, id, _ := strings.Cut(a.Raw, `{"id":"`)
	a = tg.Get(t, "status/"+id[:36]+"/")
	for _, part := range []string{`"status":"pending"`, `"success_count":1`, `"failure_count":1`, `"pending_count":1`, `"message":"has no id"`} {
		if !strings.Contains(a.Raw, part) {
			t.Errorf("half way: no %s in %s", part, a.Raw)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { store.Run(ctx); close(done) }()
	for !strings.Contains(tg.Get(t, "status/"+id[:36]+"/").Raw, `"status":"complete"`) {
	}
	cancel()
	<-done
}

func TestPageIsCutByBytes(t *testing.T) {
	store := newStore(t, memory.Options{})
	tg := target(newServer(t, store, func(c *taxii.Config) { c.MaxPageBytes = 600 }), "")
	for n := range 10 {
		tg.Post(t, feed, taxiitest.SDO("indicator", n, 1))
	}
	a := tg.Get(t, taxiitest.Objects(feed, ""))
	if len(a.Objects) == 0 || len(a.Objects) > 4 || !a.More {
		t.Errorf("%d objects, more %v", len(a.Objects), a.More)
	}
	if got := tg.Walk(t, taxiitest.Objects(feed, ""), "", nil); len(got) != 10 {
		t.Errorf("walk: %v", got)
	}
}

func TestUploadsWaitTheirTurn(t *testing.T) {
	store := newStore(t, memory.Options{})
	s := newServer(t, store, func(c *taxii.Config) { c.MaxUploads = 1; c.UploadTimeout = time.Millisecond })
	slow := make(chan struct{})
	entered := make(chan struct{})
	r := httptest.NewRequest("POST", "/taxii2/exchange/"+taxiitest.Objects(feed, ""), readerFunc(func([]byte) (int, error) {
		close(entered)
		<-slow
		return 0, errors.New("gone")
	}))
	r.Header.Set("Content-Type", taxii.MediaType)
	as("quaymar")(r)
	first := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		first <- w.Code
	}()
	<-entered
	tg := target(s, "")
	a := tg.Do(t, taxiitest.Request{Method: "POST", Path: tg.Root + taxiitest.Objects(feed, ""), Body: `{"objects":[` + taxiitest.SDO("tool", 1, 1) + `]}`})
	if a.Code != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("second upload: %d", a.Code)
	}
	close(slow)
	if code := <-first; code != 400 {
		t.Errorf("broken upload: %d", code)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestAuthHelpers(t *testing.T) {
	var tokens taxii.Tokens
	tokens.Set("t0ken", taxii.Reader{Key: "lorrin"})
	cert := &x509.Certificate{Raw: []byte("quaymar")}
	hook := taxii.AnyOf(
		byUser,
		taxii.TokenAuth(tokens.Check),
		taxii.ClientCertAuth(func(c *x509.Certificate) (taxii.Reader, error) { return taxii.Reader{Key: string(c.Raw)}, nil }),
	)
	for name, c := range map[string]struct {
		change func(*http.Request)
		key    string
	}{
		"none":             {func(*http.Request) {}, ""},
		"basic":            {as("tessary"), "tessary"},
		"basic, wrong":     {func(r *http.Request) { r.SetBasicAuth("tessary", "x") }, ""},
		"bearer":           {func(r *http.Request) { r.Header.Set("Authorization", "bearer t0ken") }, "lorrin"},
		"token":            {func(r *http.Request) { r.Header.Set("Authorization", "Token t0ken") }, "lorrin"},
		"bearer, wrong":    {func(r *http.Request) { r.Header.Set("Authorization", "Bearer token") }, ""},
		"bearer, empty":    {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, ""},
		"other scheme":     {func(r *http.Request) { r.Header.Set("Authorization", "Digest t0ken") }, ""},
		"verified cert":    {func(r *http.Request) { r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}} }, "quaymar"},
		"cert, unverified": {func(r *http.Request) { r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}} }, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		c.change(r)
		reader, err := hook(r)
		if reader.Key != c.key || (err == nil) != (c.key != "") {
			t.Errorf("%s: %q, %v", name, reader.Key, err)
		}
	}
	tokens.Revoke("t0ken")
	if _, err := tokens.Check("t0ken"); !errors.Is(err, taxii.ErrUnauthorized) {
		t.Errorf("revoked: %v", err)
	}
	stop := errors.New("directory is down")
	failing := func(*http.Request) (taxii.Reader, error) { return taxii.Reader{}, stop }
	if _, err := taxii.AnyOf(failing, byUser)(httptest.NewRequest("GET", "/", nil)); !errors.Is(err, stop) {
		t.Errorf("an error was passed over: %v", err)
	}
}
