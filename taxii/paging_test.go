package taxii_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"vigil/taxii"
	"vigil/taxii/memory"
	"vigil/taxii/taxiitest"
)

// One reader pages through a collection while others add, re-version and
// delete, the server restarts, and its key is replaced. Whatever happens:
// nothing comes twice, nothing comes out of order, and everything that was
// there when the walk ended, and is the latest version, has come.
func TestPagingUnderWrites(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := newStore(t, memory.Options{})
		keys := [][]byte{cursorKey}
		var server *taxii.Server
		restart := func() {
			server = newServer(t, store, func(c *taxii.Config) {
				c.CursorKey, c.OldCursorKeys = keys[0], keys[1:]
			})
		}
		restart()
		tg := target(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { server.ServeHTTP(w, r) }), "")
		all := rapid.Bool().Draw(rt, "all versions")
		query := ""
		if all {
			query = "&match[version]=all"
		}
		second := map[int]int{} // newest version of each object
		write := func() {
			for range rapid.IntRange(0, 4).Draw(rt, "writes") {
				n := rapid.IntRange(0, 9).Draw(rt, "object")
				switch {
				case second[n] == 0 || rapid.IntRange(0, 3).Draw(rt, "delete") > 0:
					if second[n] < 59 {
						second[n]++
						tg.Post(t, feed, taxiitest.SDO("indicator", n, second[n]))
					}
				default:
					tg.Do(t, taxiitest.Request{Method: "DELETE", Path: tg.Root + taxiitest.Objects(feed, taxiitest.ID("indicator", n)+"/")})
				}
			}
		}
		write()
		write()
		seen := map[string]bool{}
		next, last := "", ""
		for page := 0; ; page++ {
			limit := rapid.IntRange(1, 3).Draw(rt, "limit")
			path := taxiitest.Objects(feed, fmt.Sprintf("?limit=%d%s", limit, query))
			if next != "" {
				path += "&next=" + next
			}
			a := tg.Get(t, path)
			if a.Code != 200 || len(a.Objects) > limit {
				rt.Fatalf("page %d: %d, %d objects", page, a.Code, len(a.Objects))
			}
			for _, id := range a.IDs() {
				if seen[id] {
					rt.Fatalf("%s came twice", id)
				}
				seen[id] = true
			}
			if first := a.Header.Get("X-TAXII-Date-Added-First"); len(a.Objects) > 0 && first <= last {
				rt.Fatalf("page begins at %s, the one before ended at %s", first, last)
			}
			last = a.Header.Get("X-TAXII-Date-Added-Last")
			if !a.More {
				break
			}
			next = a.Next
			if page < 20 { // else the writers might stay ahead for ever
				write()
				switch rapid.IntRange(0, 5).Draw(rt, "operator") {
				case 0:
					restart()
				case 1:
					keys = append([][]byte{bytes.Repeat([]byte{byte(page)}, 32)}, keys...)
					restart()
				}
			}
		}
		for _, id := range tg.Get(t, taxiitest.Objects(feed, "?limit=1000"+query)).IDs() {
			if !seen[id] {
				rt.Fatalf("%s was skipped", id)
			}
		}
	})
}

// The same with real concurrency: several writers, several readers.
func TestPagingWithConcurrentWriters(t *testing.T) {
	store := newStore(t, memory.Options{})
	tg := target(newServer(t, store, nil), "")
	const writers, each = 4, 60
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				tg.Post(t, feed, taxiitest.SDO("indicator", w*each+i, 1), taxiitest.SDO("malware", w*each+i, 1))
			}
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			seen := map[string]bool{}
			after := ""
			for over := false; ; {
				select {
				case <-finished:
					over = true
				default:
				}
				a := tg.Get(t, taxiitest.Objects(feed, "?limit=7"+after))
				for _, id := range a.IDs() {
					if seen[id] {
						t.Errorf("%s came twice", id)
					}
					seen[id] = true
				}
				after = "&added_after=" + a.Header.Get("X-TAXII-Date-Added-Last")
				if over && !a.More {
					break
				}
			}
			if len(seen) != 2*writers*each {
				t.Errorf("a reader saw %d of %d objects", len(seen), 2*writers*each)
			}
		})
	}
	readers.Wait()
}

// Two stores that differ only in what a reader may not see answer every
// request of that reader alike, byte for byte.
func TestNonInterference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		visible := func(r taxii.Reader, _ string, it *taxii.Item) bool {
			return r.Key == "lorrin" || it.Type != "campaign" && it.Version != taxiitest.Version(2)
		}
		var targets [2]*taxiitest.Target
		for i := range 2 {
			store := newStore(t, memory.Options{Visible: visible})
			targets[i] = target(newServer(t, store, func(c *taxii.Config) { c.PageSize = 2 }), "")
		}
		for range rapid.IntRange(0, 12).Draw(rt, "objects") {
			version := rapid.IntRange(1, 3).Draw(rt, "version")
			kind := rapid.SampledFrom([]string{"indicator", "malware", "campaign"}).Draw(rt, "type")
			n := rapid.IntRange(0, 3).Draw(rt, "n")
			body := `{"objects":[` + taxiitest.SDO(kind, n, version) + `]}`
			for i := range 2 {
				if (kind == "campaign" || version == 2) && i == 0 {
					continue // hidden: only the second store has it
				}
				targets[i].Do(t, taxiitest.Request{Method: "POST", Path: targets[i].Root + taxiitest.Objects(feed, ""), Body: body, As: as("lorrin")})
			}
		}
		for range 12 {
			q := rapid.SampledFrom([]string{"", "?match[type]=campaign", "?limit=1", "?match[version]=all&limit=1", "?match[spec_version]=2.1",
				"?match[version]=first"}).Draw(rt, "query")
			path := rapid.SampledFrom([]string{"objects/", "manifest/", "objects/" + taxiitest.ID("campaign", 1) + "/",
				"objects/" + taxiitest.ID("campaign", 1) + "/versions/", "objects/" + taxiitest.ID("indicator", 1) + "/"}).Draw(rt, "path")
			method := rapid.SampledFrom([]string{"GET", "GET", "GET", "DELETE"}).Draw(rt, "method")
			var got [2]string
			for i := range 2 {
				a := targets[i].Do(t, taxiitest.Request{Method: method, Path: targets[i].Root + "collections/" + feed + "/" + path + q})
				// Stamps of later objects differ by those of hidden ones: a store
				// that must hide even that keeps stamps per audience. Blank them.
				for _, h := range []string{"X-Taxii-Date-Added-First", "X-Taxii-Date-Added-Last", "Content-Length"} {
					if a.Header.Get(h) != "" {
						a.Header.Set(h, "there")
					}
				}
				got[i] = fmt.Sprint(a.Code, blank(a.Raw), a.Header)
			}
			if got[0] != got[1] {
				rt.Fatalf("%s %s%s:\n%s\n%s", method, path, q, got[0], got[1])
			}
		}
	})
}

// blank replaces date_added and next values.
func blank(s string) string {
	for _, name := range []string{`"date_added":"`, `"next":"`} {
		parts := strings.Split(s, name)
		for i := 1; i < len(parts); i++ {
			_, parts[i], _ = strings.Cut(parts[i], `"`)
		}
		s = strings.Join(parts, name)
	}
	return s
}

func TestStampsSurviveClockSetBack(t *testing.T) {
	tick := int64(1_000_000)
	store := newStore(t, memory.Options{Now: clock(&tick)})
	tg := target(newServer(t, store, nil), "")
	for n := range 5 {
		tick -= 100_000
		tg.Post(t, feed, taxiitest.SDO("indicator", n, 1))
	}
	got := tg.Walk(t, taxiitest.Objects(feed, ""), "limit=1", nil)
	if len(got) != 5 || !slices.IsSorted(got) {
		t.Errorf("%v", got)
	}
}

func TestServedHookSeesEveryPage(t *testing.T) {
	var log []string
	deny := false
	store := newStore(t, memory.Options{})
	tg := target(newServer(t, store, func(c *taxii.Config) {
		c.Log = slog.New(slog.DiscardHandler)
		c.Served = func(_ context.Context, r taxii.Reader, s *taxii.Served) error {
			if deny {
				return fmt.Errorf("the record is full")
			}
			for _, it := range s.Items {
				log = append(log, fmt.Sprint(r.Key, " ", s.Bodies, " ", it.ID, "@", it.Version))
			}
			return nil
		}
	}), "")
	tg.Post(t, feed, taxiitest.SDO("indicator", 1, 1), taxiitest.SDO("indicator", 2, 1), taxiitest.SDO("indicator", 3, 1))
	tg.Get(t, taxiitest.Objects(feed, "?limit=2")) // the third is looked at, not sent
	tg.Get(t, "collections/"+feed+"/manifest/?match[id]="+taxiitest.ID("indicator", 3))
	want := []string{}
	for i, bodies := range []bool{true, true, false} {
		want = append(want, fmt.Sprint("quaymar ", bodies, " ", taxiitest.ID("indicator", i+1), "@", taxiitest.Version(1)))
	}
	if !slices.Equal(log, want) {
		t.Errorf("log %v\nwant %v", log, want)
	}
	deny = true
	if a := tg.Get(t, taxiitest.Objects(feed, "")); a.Code != 500 || strings.Contains(a.Raw, "indicator") || strings.Contains(a.Raw, "record is full") {
		t.Errorf("served unrecorded: %d %s", a.Code, a.Raw)
	}
}
