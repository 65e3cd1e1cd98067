package taxii_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vigil/taxii"
	"vigil/taxii/memory"
	"vigil/taxii/taxiitest"
)

// waits records how long a client would have slept.
type waits []time.Duration

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	*w = append(*w, d)
	return ctx.Err()
}

func newClient(t testing.TB, s *httptest.Server, change func(*taxii.ClientConfig)) (*taxii.Client, *waits) {
	t.Helper()
	w := &waits{}
	cfg := taxii.ClientConfig{
		URL: s.URL + "/taxii2/", HTTP: s.Client(), PlainHTTP: true, Sleep: w.sleep,
		Authorize: taxii.BasicCredentials("quaymar", "secret"),
	}
	if change != nil {
		change(&cfg)
	}
	c, err := taxii.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

func serve(t testing.TB, h http.Handler) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

const root = "/taxii2/exchange/"

// collect polls until the end and returns ids.
func collect(t testing.TB, c *taxii.Client, f taxii.Filter, cursor *taxii.Cursor) []string {
	t.Helper()
	ids := []string{}
	for o, err := range c.Objects(t.Context(), root, feed, f, cursor) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.ID)
	}
	return ids
}

func numbers(typ string, from, to int) (ids []string) {
	ids = []string{}
	for n := from; n < to; n++ {
		ids = append(ids, taxiitest.ID(typ, n))
	}
	return ids
}

func TestClientAgainstServer(t *testing.T) {
	store := newStore(t, memory.Options{})
	s := serve(t, newServer(t, store, nil))
	c, _ := newClient(t, s, nil)
	ctx := t.Context()

	d, err := c.Discover(ctx)
	if err != nil || d.Default != s.URL+root || !slices.Equal(d.APIRoots, []string{s.URL + root}) {
		t.Fatalf("discovery: %+v %v", d, err)
	}
	info, err := c.Root(ctx, d.Default)
	if err != nil || info.MaxContentLength != 32<<20 {
		t.Errorf("API root: %+v %v", info, err)
	}
	list, err := c.Collections(ctx, d.Default)
	if err != nil || len(list) != 3 || !list[0].CanRead || !list[0].CanWrite || list[1].CanWrite {
		t.Errorf("collections: %+v %v", list, err)
	}
	if one, err := c.Collection(ctx, d.Default, "feed"); err != nil || one.ID != feed {
		t.Errorf("by alias: %+v %v", one, err)
	}
	var objects [][]byte
	for n := range 25 {
		objects = append(objects, []byte(taxiitest.SDO("indicator", n, 1)))
	}
	objects = append(objects, []byte(`{"type":"indicator"}`))
	st, err := c.Add(ctx, root, feed, objects)
	if err != nil || !st.Complete() || st.SuccessCount != 25 || st.FailureCount != 1 || st.Failures[0].Message == "" {
		t.Fatalf("add: %+v %v", st, err)
	}
	if again, err := c.Status(ctx, root, st.ID); err != nil || again.SuccessCount != 25 {
		t.Errorf("status: %+v %v", again, err)
	}
	var cursor taxii.Cursor
	if got := collect(t, c, taxii.Filter{PageSize: 4}, &cursor); !slices.Equal(got, numbers("indicator", 0, 25)) {
		t.Errorf("objects: %v", got)
	}
	if got := collect(t, c, taxii.Filter{PageSize: 4}, &cursor); len(got) != 0 {
		t.Errorf("again: %v", got)
	}
	st, err = c.Add(ctx, root, feed, [][]byte{[]byte(taxiitest.SDO("indicator", 0, 2)), []byte(taxiitest.SDO("tool", 1, 1))})
	if err != nil || st.SuccessCount != 2 {
		t.Fatal(st, err)
	}
	if got := collect(t, c, taxii.Filter{Types: []string{"tool", "indicator"}}, &cursor); len(got) != 2 {
		t.Errorf("what is new: %v", got)
	}
	var records []string
	for r, err := range c.Manifest(ctx, root, feed, taxii.Filter{PageSize: 7, Versions: []string{"all"}}) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r.ID+"@"+r.Version)
	}
	if len(records) != 27 {
		t.Errorf("manifest: %v", records)
	}
	id := taxiitest.ID("indicator", 0)
	if v, err := c.ObjectVersions(ctx, root, feed, id); err != nil || !slices.Equal(v, []string{taxiitest.Version(1), taxiitest.Version(2)}) {
		t.Errorf("versions: %v %v", v, err)
	}
	if o, err := c.Object(ctx, root, feed, id, taxii.Filter{}); err != nil || len(o) != 1 || string(o[0].Body) != taxiitest.SDO("indicator", 0, 2) {
		t.Errorf("object: %v %v", o, err)
	}
	if err := c.Delete(ctx, root, feed, id); err != nil {
		t.Error(err)
	}
	var status *taxii.StatusError
	if _, err := c.Object(ctx, root, feed, id, taxii.Filter{}); !errors.As(err, &status) || status.Code != 404 {
		t.Errorf("deleted object: %v", err)
	}
	if _, err := c.Object(ctx, root, feed, "../..", taxii.Filter{}); err == nil || strings.Contains(err.Error(), "405") {
		t.Errorf("an id that is a path: %v", err)
	}
}

func TestClientAwaitsPendingStatus(t *testing.T) {
	store := newStore(t, memory.Options{Queue: true})
	s := serve(t, newServer(t, store, nil))
	c, w := newClient(t, s, func(cfg *taxii.ClientConfig) {
		sleep := cfg.Sleep
		cfg.Sleep = func(ctx context.Context, d time.Duration) error { store.Work(2); return sleep(ctx, d) }
	})
	var objects [][]byte
	for n := range 5 {
		objects = append(objects, []byte(taxiitest.SDO("tool", n, 1)))
	}
	st, err := c.Add(t.Context(), root, feed, objects)
	if err != nil || st.Complete() || st.PendingCount != 5 {
		t.Fatal(st, err)
	}
	if st, err = c.Await(t.Context(), root, st); err != nil || st.SuccessCount != 5 {
		t.Error(st, err)
	}
	if !slices.Equal(*w, waits{time.Second, 2 * time.Second, 4 * time.Second}) {
		t.Errorf("waited %v", *w)
	}
}

// A poll is left in the middle, its cursor kept as JSON, the server restarted
// and added to: the next poll goes on without a gap or a repeat.
func TestClientResumes(t *testing.T) {
	store := newStore(t, memory.Options{})
	tg := target(newServer(t, store, nil), "")
	for n := range 10 {
		tg.Post(t, feed, taxiitest.SDO("indicator", n, 1))
	}
	var kept []byte
	got := []string{}
	for stop := 1; len(kept) == 0 || stop < 40; stop += 3 {
		s := serve(t, newServer(t, store, nil)) // another process each time
		c, _ := newClient(t, s, nil)
		var cursor taxii.Cursor
		if kept != nil {
			if err := json.Unmarshal(kept, &cursor); err != nil {
				t.Fatal(err)
			}
		}
		var page []string
		pages := 0
		before := cursor
		for o, err := range c.Objects(t.Context(), root, feed, taxii.Filter{PageSize: 3}, &cursor) {
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc([]taxii.Cursor{cursor}, []taxii.Cursor{before}, func(a, b taxii.Cursor) bool { return a.Next == b.Next && a.AddedAfter == b.AddedAfter }) {
				got, page, before = append(got, page...), nil, cursor
				if pages++; pages == 2 {
					break // in the middle of the third page: it is not ours yet
				}
			}
			page = append(page, o.ID)
		}
		if pages < 2 {
			got = append(got, page...)
		}
		kept, _ = json.Marshal(cursor)
		tg.Post(t, feed, taxiitest.SDO("indicator", 10+stop, 1))
	}
	s := serve(t, newServer(t, store, nil))
	c, _ := newClient(t, s, nil)
	var cursor taxii.Cursor
	json.Unmarshal(kept, &cursor)
	got = append(got, collect(t, c, taxii.Filter{}, &cursor)...)
	var fresh taxii.Cursor
	if want := collect(t, c, taxii.Filter{}, &fresh); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// faulty is a server with n objects, one date_added each ten, and the faults
// that a test wants.
type faulty struct {
	n          int
	same       int  // objects that share a date_added
	noNext     bool // more, but never next
	inclusive  bool // added_after as "at or after"
	noHeader   bool
	noManifest bool
	offset     bool // dates with +00:00, nine digits
	seconds    bool // date header cut to seconds
	sameNext   bool // next never changes, and never leads on
	loopNext   bool // next leads round
	twice      bool // each page's last object comes again on the next
	emptyPages int  // pages cut first, filtered afterwards
	numeric    bool
	expired    int // requests after which next values are unknown, once
	bad        bool
	requests   []url.Values
}

func (f *faulty) date(i int) time.Time {
	return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i/max(f.same, 1)) * 137 * time.Millisecond)
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f.requests = append(f.requests, q)
	w.Header().Set("Content-Type", "application/taxii+json; version=2.1")
	if strings.Contains(r.URL.Path, "/manifest/") {
		if f.noManifest {
			http.Error(w, "no such thing", 404)
			return
		}
		var n int
		fmt.Sscanf(q.Get("match[id]"), "indicator--00000000-0000-4000-8000-%d", &n)
		fmt.Fprintf(w, `{"objects":[{"id":%q,"version":"v","date_added":%q}]}`, q.Get("match[id]"), f.date(n).Format(time.RFC3339Nano))
		return
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	if limit == 0 || limit > 100 {
		limit = 10
	}
	from := 0
	if after := q.Get("added_after"); after != "" {
		at, err := taxii.ParseTime(after)
		if err != nil {
			http.Error(w, "bad added_after "+after, 400)
			return
		}
		for from < f.n && (f.date(from).Before(at) || !f.inclusive && f.date(from).Equal(at)) {
			from++
		}
	}
	if next := q.Get("next"); next != "" {
		if f.expired > 0 && len(f.requests) > f.expired {
			f.expired = 0
			http.Error(w, "cursor has expired", 404)
			return
		}
		from, _ = strconv.Atoi(next)
		if f.twice {
			from--
		}
		if f.loopNext && from > 2*limit {
			from = 0
		}
		if f.sameNext {
			from = 0
		}
	}
	to := min(from+limit, f.n)
	objects := []string{}
	for i := from; i < to; i++ {
		if f.bad && i%7 == 3 {
			objects = append(objects, `{"type":"indicator","id":"oops"}`)
			continue
		}
		if i/limit >= f.emptyPages || i < limit {
			objects = append(objects, taxiitest.SDO("indicator", i, 1))
		}
	}
	if !f.noHeader && to > from {
		last := f.date(to - 1)
		switch {
		case f.offset:
			w.Header().Set("X-TAXII-Date-Added-Last", last.Format("2006-01-02T15:04:05.000000000+00:00"))
		case f.seconds:
			w.Header().Set("X-TAXII-Date-Added-Last", last.Format("2006-01-02T15:04:05Z"))
		default:
			w.Header().Set("X-TAXII-Date-Added-Last", last.Format("2006-01-02T15:04:05.000000Z"))
		}
	}
	more := to < f.n
	fmt.Fprintf(w, `{"objects":[%s],"more":%v`, strings.Join(objects, ","), more)
	if more && !f.noNext {
		next := to
		if f.sameNext {
			next = limit
		}
		if f.numeric {
			fmt.Fprintf(w, `,"next":%d`, next)
		} else {
			fmt.Fprintf(w, `,"next":"%d"`, next)
		}
	}
	fmt.Fprint(w, `}`)
}

func TestClientSurvivesFaults(t *testing.T) {
	for name, f := range map[string]*faulty{
		"none":                               {},
		"numeric next":                       {numeric: true},
		"no next":                            {noNext: true},
		"no next, no header":                 {noNext: true, noHeader: true},
		"no next, offset dates":              {noNext: true, offset: true},
		"no next, dates cut to seconds":      {noNext: true, seconds: true},
		"no next, inclusive":                 {noNext: true, inclusive: true},
		"no next, shared dates":              {noNext: true, same: 25},
		"no next, inclusive, shared dates":   {noNext: true, inclusive: true, same: 25},
		"no next, inclusive, cut, no header": {noNext: true, inclusive: true, same: 3, noHeader: true},
		"next repeats":                       {sameNext: true},
		"next loops":                         {loopNext: true},
		"next loops, no header":              {loopNext: true, noHeader: true},
		"pages overlap":                      {twice: true},
		"inclusive":                          {inclusive: true, same: 10},
		"no header":                          {noHeader: true},
		"no header, no manifest":             {noHeader: true, noManifest: true},
	} {
		t.Run(name, func(t *testing.T) {
			f.n = 95
			s := serve(t, f)
			c, _ := newClient(t, s, nil)
			var cursor taxii.Cursor
			got := collect(t, c, taxii.Filter{}, &cursor)
			want := numbers("indicator", 0, 95)
			if !slices.Equal(got, want) {
				t.Fatalf("%d objects: %v", len(got), got)
			}
			if len(f.requests) > 250 {
				t.Errorf("%d requests", len(f.requests))
			}
			// The next poll brings what is new and nothing else, whatever the
			// server sends again.
			first := len(f.requests)
			f.n = 100
			if f.same > 1 && !f.inclusive {
				return
			}
			got = collect(t, c, taxii.Filter{}, &cursor)
			if !slices.Equal(got, numbers("indicator", 95, 100)) {
				t.Errorf("second poll: %v", got)
			}
			if q := f.requests[first]; !f.noManifest && (q.Get("added_after") == "" || q.Get("next") != "") {
				t.Errorf("second poll begins with %v", q)
			}
		})
	}
}

func TestClientGoesOnAfterExpiredNext(t *testing.T) {
	f := &faulty{n: 50}
	s := serve(t, f)
	c, _ := newClient(t, s, nil)
	var cursor taxii.Cursor
	n := 0
	for _, err := range c.Objects(t.Context(), root, feed, taxii.Filter{}, &cursor) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 25 {
			break
		}
	}
	if cursor.Next == "" {
		t.Fatalf("cursor %+v", cursor)
	}
	f.expired = len(f.requests)
	if got := collect(t, c, taxii.Filter{}, &cursor); !slices.Equal(got, numbers("indicator", 20, 50)) {
		t.Errorf("%v", got)
	}
}

func TestClientTakesEmptyPages(t *testing.T) {
	f := &faulty{n: 95, emptyPages: 8}
	s := serve(t, f)
	c, _ := newClient(t, s, nil)
	var cursor taxii.Cursor
	got := collect(t, c, taxii.Filter{}, &cursor)
	if want := append(numbers("indicator", 0, 10), numbers("indicator", 80, 95)...); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestClientKeepsGoodObjectsBesideBad(t *testing.T) {
	s := serve(t, &faulty{n: 20, bad: true})
	c, _ := newClient(t, s, nil)
	good, bad := 0, 0
	for o, err := range c.Objects(t.Context(), root, feed, taxii.Filter{}, &taxii.Cursor{}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case o.Problem != nil:
			bad++
		default:
			good++
		}
	}
	if good != 17 || bad == 0 {
		t.Errorf("%d good, %d bad", good, bad)
	}
}

func TestClientGivesUpRatherThanSkip(t *testing.T) {
	for name, f := range map[string]*faulty{
		"no next, a thousand of one date": {n: 1000, noNext: true, same: 1000},
		"no next, no dates at all":        {n: 500, noNext: true, noHeader: true, noManifest: true},
		"next repeats, no dates":          {n: 500, sameNext: true, noHeader: true, noManifest: true},
	} {
		s := serve(t, f)
		c, _ := newClient(t, s, nil)
		var last error
		for _, err := range c.Objects(t.Context(), root, feed, taxii.Filter{}, &taxii.Cursor{}) {
			last = err
		}
		if !errors.Is(last, taxii.ErrStuck) || len(f.requests) > 300 {
			t.Errorf("%s: %v after %d requests", name, last, len(f.requests))
		}
	}
}

func TestClientRetries(t *testing.T) {
	type answer struct {
		code  int
		after string
	}
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		answers []answer
		code    int // 0: success
		least   []time.Duration
	}{
		"once":             {[]answer{{503, ""}}, 0, []time.Duration{500 * time.Millisecond}},
		"Retry-After":      {[]answer{{429, "7"}}, 0, []time.Duration{7 * time.Second}},
		"Retry-After date": {[]answer{{503, now.Add(9 * time.Second).Format(http.TimeFormat)}}, 0, []time.Duration{9 * time.Second}},
		"backs off":        {[]answer{{500, ""}, {502, ""}, {503, ""}, {504, ""}}, 0, []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second}},
		"gives up":         {[]answer{{503, ""}, {503, ""}, {503, ""}, {503, ""}, {503, ""}}, 503, make([]time.Duration, 4)},
		"too long to wait": {[]answer{{429, "86400"}}, 429, nil},
		"not for 401":      {[]answer{{401, ""}}, 401, nil},
		"not for 404":      {[]answer{{404, ""}}, 404, nil},
		"not for 406":      {[]answer{{406, ""}}, 406, nil},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n++; n > len(c.answers) {
					fmt.Fprint(w, `{"title":"ok"}`)
					return
				}
				if a := c.answers[n-1]; a.code != 0 {
					if a.after != "" {
						w.Header().Set("Retry-After", a.after)
					}
					w.WriteHeader(a.code)
					fmt.Fprint(w, `{"title":"later","description":"the well is dry"}`)
				}
			}))
			client, w := newClient(t, s, func(cfg *taxii.ClientConfig) { cfg.Now = func() time.Time { return now } })
			_, err := client.Discover(t.Context())
			var status *taxii.StatusError
			if c.code == 0 && err != nil || c.code != 0 && (!errors.As(err, &status) || status.Code != c.code || !strings.Contains(err.Error(), "the well is dry")) {
				t.Errorf("%v", err)
			}
			if len(*w) != len(c.least) {
				t.Fatalf("waited %v", *w)
			}
			for i, least := range c.least {
				if (*w)[i] < least || (*w)[i] > time.Minute {
					t.Errorf("wait %d was %v", i, (*w)[i])
				}
			}
			if name == "too long to wait" && status.RetryAfter != 24*time.Hour {
				t.Errorf("RetryAfter %v", status.RetryAfter)
			}
		})
	}
}

func TestClientStaysAtItsOrigin(t *testing.T) {
	asked := false
	other := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = true }))
	var s *httptest.Server // named before it is made: its handler speaks of it
	s = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/taxii2/":
			fmt.Fprintf(w, `{"title":"t","default":"/a/","api_roots":["/a/","%s/b/"]}`, other.URL)
		case "/a/":
			http.Redirect(w, r, other.URL+"/a/", http.StatusFound)
		case "/c/":
			http.Redirect(w, r, "/d/", http.StatusMovedPermanently)
		case "/d/":
			if _, _, ok := r.BasicAuth(); !ok {
				t.Error("credentials lost within the origin")
			}
			fmt.Fprint(w, `{"title":"d"}`)
		case "/e/collections/x/objects/":
			http.Redirect(w, r, "/d/", http.StatusFound)
		}
	}))
	c, _ := newClient(t, s, nil)
	d, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range append(d.APIRoots, strings.Replace(s.URL, "http", "https", 1)+"/x/", strings.Replace(s.URL, "http://", "http://user@", 1)+"/x/") {
		if _, err := c.Root(t.Context(), root); !errors.Is(err, taxii.ErrForeign) {
			t.Errorf("%s: %v", root, err)
		}
	}
	if asked {
		t.Error("another origin was asked")
	}
	if info, err := c.Root(t.Context(), "/c/"); err != nil || info.Title != "d" {
		t.Errorf("a redirect within the origin: %+v %v", info, err)
	}
	if _, err := c.Add(t.Context(), "/e/", "x", [][]byte{[]byte("{}")}); err == nil {
		t.Error("a POST became a GET")
	}
}

func TestClientLimits(t *testing.T) {
	big := strings.Repeat(" ", 2000)
	for name, h := range map[string]http.HandlerFunc{
		"long":     func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{}`+big) },
		"not JSON": func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `<html>login</html>`) },
		"array":    func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `[]`) },
		"cut off":  func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"objects":[{"type":`) },
		"deep":     func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"objects":`+strings.Repeat("[", 990)) },
		"many":     func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"objects":[1,2,3,4,5,6]}`) },
		"an endless page": func(w http.ResponseWriter, r *http.Request) {
			for range 1000 {
				if _, err := fmt.Fprint(w, big); err != nil {
					return
				}
			}
		},
	} {
		s := serve(t, h)
		c, w := newClient(t, s, func(cfg *taxii.ClientConfig) { cfg.MaxPageBytes = 1000; cfg.Limits.MaxObjects = 5 })
		var last error
		for _, err := range c.Objects(t.Context(), root, feed, taxii.Filter{}, &taxii.Cursor{}) {
			last = err
		}
		if last == nil || len(*w) > 0 {
			t.Errorf("%s: %v, %d retries", name, last, len(*w))
		}
	}
}

func TestClientConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]taxii.ClientConfig{
		"no http.Client": {URL: "https://taxii.quaymar.example/taxii2/"},
		"http":           {URL: "http://taxii.quaymar.example/taxii2/", HTTP: &http.Client{}},
		"no host":        {URL: "/taxii2/", HTTP: &http.Client{}},
		"credentials":    {URL: "https://u:p@taxii.quaymar.example/", HTTP: &http.Client{}},
		"other scheme":   {URL: "file:///etc/", HTTP: &http.Client{}, PlainHTTP: true},
	} {
		if _, err := taxii.NewClient(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
}
