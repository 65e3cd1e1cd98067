package taxii_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vigil/taxii"
	"vigil/taxii/memory"
	"vigil/taxii/taxiitest"
)

// indicator is about as long as indicators are: 0.6 kB.
func indicator(n int) string {
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-%012d",`+
		`"created_by_ref":"identity--00000000-0000-4000-8000-000000000001","created":"2027-01-01T00:00:00.000Z","modified":"2027-01-01T00:00:00.000Z",`+
		`"name":"QUIET LOOM relay %d","description":"Seen relaying command traffic of the loader; listed for blocking at the border of the sector network.",`+
		`"indicator_types":["malicious-activity"],"pattern":"[ipv4-addr:value = '198.51.100.%d']","pattern_type":"stix","valid_from":"2027-01-01T00:00:00Z",`+
		`"object_marking_refs":["marking-definition--00000000-0000-4000-8000-000000000002"]}`, n, n, n%256)
}

func batch(from, n int) string {
	var b strings.Builder
	b.WriteString(`{"objects":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(indicator(from + i))
	}
	b.WriteString(`]}`)
	return b.String()
}

// discard is a ResponseWriter that counts and forgets.
type discard struct {
	header http.Header
	code   int
	n      int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(code int)        { d.code = code }
func (d *discard) Write(b []byte) (int, error) { d.n += len(b); return len(b), nil }

func call(b testing.TB, h http.Handler, method, path, body string) *discard {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", taxii.MediaType)
	r.Header.Set("Accept", taxii.MediaType)
	as("quaymar")(r)
	w := &discard{header: http.Header{}}
	h.ServeHTTP(w, r)
	if w.code >= 400 {
		b.Fatalf("%s %s: %d", method, path, w.code)
	}
	return w
}

// BenchmarkPost adds batches of 1,000 objects to a collection that grows.
func BenchmarkPost(b *testing.B) {
	s := newServer(b, newStore(b, memory.Options{}), nil)
	from := 0
	for b.Loop() {
		b.StopTimer()
		body := batch(from, 1000)
		from += 1000
		b.StartTimer()
		call(b, s, "POST", root+taxiitest.Objects(feed, ""), body)
	}
	b.ReportMetric(float64(from)/b.Elapsed().Seconds(), "objects/s")
}

// BenchmarkGetCollection walks a whole collection, pages of 1,000.
func BenchmarkGetCollection(b *testing.B) {
	for _, size := range []int{25_000, 250_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			store := newStore(b, memory.Options{})
			s := newServer(b, store, nil)
			for from := 0; from < size; from += 5000 {
				call(b, s, "POST", root+taxiitest.Objects(feed, ""), batch(from, 5000))
			}
			n := 0
			for b.Loop() {
				path := root + taxiitest.Objects(feed, "?limit=1000")
				for more := ""; ; {
					w := call(b, s, "GET", path+more, "")
					n += 1000
					last := w.header.Get("X-TAXII-Date-Added-Last")
					if more = "&added_after=" + last; n%size == 0 {
						break
					}
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "objects/s")
		})
	}
}

// BenchmarkFirstPage is the first page of 100 objects over a real connection.
func BenchmarkFirstPage(b *testing.B) {
	for _, size := range []int{25_000, 250_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newServer(b, newStore(b, memory.Options{}), nil)
			for from := 0; from < size; from += 5000 {
				call(b, s, "POST", root+taxiitest.Objects(feed, ""), batch(from, 5000))
			}
			srv := serve(b, s)
			c, _ := newClient(b, srv, nil)
			for b.Loop() {
				for _, err := range c.Objects(b.Context(), root, feed, taxii.Filter{PageSize: 100}, &taxii.Cursor{}) {
					if err != nil {
						b.Fatal(err)
					}
					break
				}
			}
		})
	}
}

// BenchmarkClientPoll polls a collection of 25,000 over a real connection.
func BenchmarkClientPoll(b *testing.B) {
	s := newServer(b, newStore(b, memory.Options{}), nil)
	for from := 0; from < 25_000; from += 5000 {
		call(b, s, "POST", root+taxiitest.Objects(feed, ""), batch(from, 5000))
	}
	srv := serve(b, s)
	c, _ := newClient(b, srv, nil)
	n := 0
	for b.Loop() {
		for _, err := range c.Objects(b.Context(), root, feed, taxii.Filter{PageSize: 1000}, &taxii.Cursor{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "objects/s")
}

// A whole page costs the server few allocations: objects pass through.
func TestPageAllocates(t *testing.T) {
	s := newServer(t, newStore(t, memory.Options{}), nil)
	call(t, s, "POST", root+taxiitest.Objects(feed, ""), batch(0, 1000))
	n := testing.AllocsPerRun(20, func() { call(t, s, "GET", root+taxiitest.Objects(feed, "?limit=1000"), "") })
	if n > 150 {
		t.Errorf("%v allocations for a page of 1,000 objects", n)
	}
}

// ATT&CK goes in whole, as one POST, and comes back byte for byte.
func TestATTACKRoundTrip(t *testing.T) {
	if testing.Short() {
		t.Skip("34 MB")
	}
	dir, err := os.Getwd()
	for err == nil {
		if _, serr := os.Stat(filepath.Join(dir, "go.mod")); serr == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.Open(filepath.Join(dir, "..", "shared", "data", "attack", "enterprise-attack-18.1.json.gz"))
	if err != nil {
		t.Skip("no ATT&CK data beside the repository")
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct{ Objects []json.RawMessage }
	if err := json.NewDecoder(z).Decode(&bundle); err != nil {
		t.Fatal(err)
	}
	want, objects := map[string]string{}, [][]byte{}
	for _, o := range bundle.Objects {
		var h struct{ ID string }
		json.Unmarshal(o, &h)
		want[h.ID] = string(o)
		objects = append(objects, o)
	}
	s := serve(t, newServer(t, newStore(t, memory.Options{}), func(c *taxii.Config) { c.MaxContentLength = 64 << 20 }))
	c, _ := newClient(t, s, nil)
	st, err := c.Add(t.Context(), root, feed, objects)
	if err != nil {
		t.Fatal(err)
	}
	if st.SuccessCount != len(objects) {
		t.Errorf("%d of %d landed; %+v", st.SuccessCount, len(objects), st.Failures[:min(3, len(st.Failures))])
	}
	n := 0
	for o, err := range c.Objects(t.Context(), root, feed, taxii.Filter{}, &taxii.Cursor{}) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Problem != nil || want[o.ID] != string(o.Body) {
			t.Fatalf("%s changed: %v", o.ID, o.Problem)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d of %d came back", n, len(want))
	}
	t.Logf("%d objects", n)
}
