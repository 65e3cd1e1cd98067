package memory_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vigil/taxii"
	"vigil/taxii/memory"
)

const id = "7c9f3d0e-5b1a-4b6f-9a51-0d0b0d3c7a10"

func store(t *testing.T, opt memory.Options) *memory.Store {
	t.Helper()
	s := memory.New(opt)
	if err := errors.Join(
		s.AddRoot(taxii.Root{Name: "exchange", Title: "Exchange"}),
		s.AddCollection("exchange", taxii.Collection{ID: id, Title: "Feed", Alias: "feed", CanRead: true, CanWrite: true}),
	); err != nil {
		t.Fatal(err)
	}
	return s
}

func object(id, modified, body string) taxii.Object {
	return taxii.Object{Header: taxii.Header{ID: id, Type: "tool", SpecVersion: "2.1", Modified: modified}, Body: []byte(body)}
}

func add(t *testing.T, s *memory.Store, objects ...taxii.Object) *taxii.Status {
	t.Helper()
	st, err := s.Add(t.Context(), taxii.Reader{}, &taxii.Submission{ID: "s", Root: "exchange", Collection: id, Received: time.Unix(1e9, 0), Objects: objects})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func items(t *testing.T, s *memory.Store, q taxii.Query) (list []string) {
	t.Helper()
	q.Root, q.Collection, q.Bodies = "exchange", id, true
	for it, err := range s.Items(t.Context(), taxii.Reader{}, &q) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(it.Body))
	}
	return list
}

func TestSetUpIsChecked(t *testing.T) {
	s := store(t, memory.Options{})
	for name, err := range map[string]error{
		"root twice":       s.AddRoot(taxii.Root{Name: "exchange", Title: "again"}),
		"root, no title":   s.AddRoot(taxii.Root{Name: "other"}),
		"collection twice": s.AddCollection("exchange", taxii.Collection{ID: id, Title: "x"}),
		"alias twice":      s.AddCollection("exchange", taxii.Collection{ID: "x", Title: "x", Alias: "feed"}),
		"alias as id":      s.AddCollection("exchange", taxii.Collection{ID: "feed", Title: "x"}),
		"no root":          s.AddCollection("nowhere", taxii.Collection{ID: "x", Title: "x"}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The same object in another order of members is the same object; another
// content under its id and version is refused, and changes nothing.
func TestDuplicates(t *testing.T) {
	s := store(t, memory.Options{})
	const v = "2027-01-01T00:00:00Z"
	for _, c := range []struct {
		body    string
		version string
		ok      bool
		held    int
	}{
		{`{"a":1,"b":[1.0]}`, v, true, 1},
		{`{"a":1,"b":[1.0]}`, v, true, 1},
		{`{ "b":[1], "a":1 }`, "2027-01-01T00:00:00.000Z", true, 1},
		{`{"a":2,"b":[1.0]}`, v, false, 1},
		{`{"a":2,"b":[1.0]}`, "2027-01-01T00:00:01Z", true, 2},
	} {
		st := add(t, s, object("tool--1", c.version, c.body))
		if got := len(st.Successes) == 1; got != c.ok {
			t.Errorf("%s: %+v", c.body, st)
		}
		if got := items(t, s, taxii.Query{Limit: 10, Versions: taxii.Versions{All: true}}); len(got) != c.held || got[0] != `{"a":1,"b":[1.0]}` {
			t.Errorf("after %s: %v", c.body, got)
		}
	}
	// Without a version each other content is a new one.
	for i, body := range []string{`{"x":1}`, `{"x":2}`, `{"x":1}`} {
		if st := add(t, s, object("ipv4-addr--1", "", body)); len(st.Successes) != 1 || st.Successes[0].Version == "" {
			t.Errorf("%d: %+v", i, st)
		}
	}
	if got := items(t, s, taxii.Query{Limit: 10, IDs: []string{"ipv4-addr--1"}, Versions: taxii.Versions{All: true}}); fmt.Sprint(got) != `[{"x":1} {"x":2}]` {
		t.Errorf("%v", got)
	}
}

func TestCheckRefusesOne(t *testing.T) {
	s := store(t, memory.Options{Check: func(o *taxii.Object) error {
		if strings.Contains(string(o.Body), "bad") {
			return errors.New("it is bad")
		}
		return nil
	}})
	st := add(t, s, object("tool--1", "", `{}`), object("tool--2", "", `{"bad":1}`), object("tool--3", "", `{}`))
	if len(st.Successes) != 2 || len(st.Failures) != 1 || st.Failures[0].Message != "it is bad" || st.Failures[0].ID != "tool--2" {
		t.Errorf("%+v", st)
	}
}

// What a caller does to its buffers or to an answer does not reach the store.
func TestStoreKeepsItsOwnCopies(t *testing.T) {
	s := store(t, memory.Options{})
	o := object("tool--1", "", `{"a":1}`)
	st := add(t, s, o)
	copy(o.Body, "XXXXXXX")
	st.Successes[0].ID = "changed"
	if got := items(t, s, taxii.Query{Limit: 1}); got[0] != `{"a":1}` {
		t.Errorf("%v", got)
	}
	again, err := s.Status(t.Context(), taxii.Reader{}, "exchange", "s")
	if err != nil || again.Successes[0].ID != "tool--1" {
		t.Errorf("%+v %v", again, err)
	}
}

func TestItemsStopsAtLimit(t *testing.T) {
	s := store(t, memory.Options{})
	for n := range 5 {
		add(t, s, object(fmt.Sprintf("tool--%d", n), "", fmt.Sprint(n)))
	}
	if got := items(t, s, taxii.Query{Limit: 3}); fmt.Sprint(got) != "[0 1 2]" {
		t.Errorf("%v", got)
	}
}
