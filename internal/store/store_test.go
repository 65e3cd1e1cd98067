package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"vigil/internal/marking"
	"vigil/stix"
)

var testSchema = Schema{
	Name: "test",
	Steps: []string{`CREATE TABLE test_row(rid INTEGER PRIMARY KEY, object TEXT NOT NULL, mid INTEGER NOT NULL, what TEXT NOT NULL);
		CREATE TABLE test_state(k TEXT PRIMARY KEY, v TEXT)`},
	Tables: []Table{{Name: "test_row", Mark: true, Object: "object"}, {Name: "test_state"}},
}

type clock struct{ t time.Time }

func (c *clock) now() time.Time { c.t = c.t.Add(time.Second); return c.t }

func open(t testing.TB) *Store {
	t.Helper()
	c := &clock{time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	s, err := Open(context.Background(), Options{Dir: t.TempDir(), Schemas: []Schema{testSchema}, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func act(action string) Act {
	return Act{Reader: marking.System("test"), Actor: "person:ines", Action: action, Subject: "test", Purpose: "to test"}
}

func reader(t testing.TB, id marking.Identity) marking.Reader {
	t.Helper()
	r, err := marking.NewReader(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func staff(t testing.TB) marking.Reader {
	return reader(t, marking.Identity{Person: "ines", Org: "csirt", OwnStaff: true})
}

const id1, id2, id3 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"

// object makes a malware object; more is further properties, each with a comma before it.
func object(t testing.TB, typ, uuid string, minute int, name, more string) *stix.Object {
	t.Helper()
	raw := fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":"%s--%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:%02d:00.000Z","name":%q%s}`, typ, typ, uuid, minute, name, more)
	o, _, err := stix.Parse([]byte(raw), stix.Options{Mode: stix.Lenient})
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return o
}

func mustPut(t testing.TB, s *Store, p Put) Verdict {
	t.Helper()
	var v Verdict
	_, err := s.Record(context.Background(), act("test.put"), func(tx *Tx) (err error) {
		v, err = tx.Put(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func view(t testing.TB, s *Store, r marking.Reader) *View {
	t.Helper()
	v, err := s.View(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func get(t testing.TB, s *Store, r marking.Reader, id string) (Object, error) {
	t.Helper()
	rel, err := view(t, s, r).Get(context.Background(), id)
	if err != nil {
		return Object{}, err
	}
	return marking.Open(marking.NewSheet(r), rel), nil
}

const marked = `,"object_marking_refs":["%s"]`

func tlp(id stix.ID) string { return fmt.Sprintf(marked, id) }

func TestVersionLines(t *testing.T) {
	s := open(t)
	first := object(t, "malware", id1, 5, "LOADER", tlp(stix.TLP2Green))
	if v := mustPut(t, s, Put{Object: first, Source: "lorrin"}); v.Outcome != Added {
		t.Fatalf("first version: %s %s", v.Outcome, v.Reason)
	}
	if v := mustPut(t, s, Put{Object: first, Source: "lorrin"}); v.Outcome != Unchanged {
		t.Errorf("the same again: %s", v.Outcome)
	}
	other := object(t, "malware", id1, 5, "LOADER, other bytes", tlp(stix.TLP2Green))
	if v := mustPut(t, s, Put{Object: other, Source: "lorrin"}); v.Outcome != Conflict {
		t.Errorf("the same version with other bytes: %s", v.Outcome)
	}
	// A hostile newer version from another source, marked looser, changes nothing but that source's own claim.
	hostile := object(t, "malware", id1, 59, "HARMLESS", tlp(stix.TLP2Clear))
	if v := mustPut(t, s, Put{Object: hostile, Source: "mallory"}); v.Outcome != Relayed {
		t.Errorf("another source's version: %s", v.Outcome)
	}
	o, err := get(t, s, staff(t), string(first.ID))
	if err != nil || string(o.Bytes) != string(first.Raw) || o.Label.TLP() != marking.Green {
		t.Fatalf("the head is %s %s (%v)", o.Bytes, o.Label.Words(), err)
	}
	if v := mustPut(t, s, Put{Object: object(t, "malware", id1, 9, "LOADER 2", tlp(stix.TLP2Green)), Source: "lorrin"}); v.Outcome != Versioned {
		t.Errorf("a newer version: %s", v.Outcome)
	}
	if v := mustPut(t, s, Put{Object: object(t, "malware", id1, 7, "LOADER 1.5", tlp(stix.TLP2Green)), Source: "lorrin"}); v.Outcome != Older {
		t.Errorf("a version in between: %s", v.Outcome)
	}
	h, err := view(t, s, staff(t)).History(context.Background(), string(first.ID))
	if err != nil || len(h) != 3 {
		t.Fatalf("%d versions in the history, want 3 (%v)", len(h), err)
	}
	lines, err := view(t, s, staff(t)).Lines(context.Background(), string(first.ID))
	if err != nil || len(lines) != 2 {
		t.Fatalf("%d lines, want the owner's and a claim (%v)", len(lines), err)
	}
}

func TestBoundIdentityOwnsWhereverItComesFrom(t *testing.T) {
	s := open(t)
	who := "identity--" + id3
	if _, err := s.Record(context.Background(), act("test.bind"), func(tx *Tx) error { return tx.Bind(who, "lorrin") }); err != nil {
		t.Fatal(err)
	}
	relayed := object(t, "malware", id1, 9, "RELAYED", tlp(stix.TLP2Green)+`,"created_by_ref":"`+who+`"`)
	if v := mustPut(t, s, Put{Object: relayed, Source: "quaymar"}); v.Outcome != Relayed {
		t.Fatalf("relayed first: %s", v.Outcome)
	}
	own := object(t, "malware", id1, 5, "ORIGINAL", tlp(stix.TLP2Green)+`,"created_by_ref":"`+who+`"`)
	if v := mustPut(t, s, Put{Object: own, Source: "lorrin"}); v.Outcome != Added {
		t.Fatalf("the owner's: %s", v.Outcome)
	}
	if o, err := get(t, s, staff(t), string(own.ID)); err != nil || o.Title != "ORIGINAL" {
		t.Errorf("the head is %q (%v)", o.Title, err)
	}
}

func TestDefaultsAndHolding(t *testing.T) {
	s := open(t)
	partner := reader(t, marking.Identity{Person: "lou", Org: "tessary", Agreement: true, Ceiling: marking.Red})
	cases := []struct {
		name string
		put  Put
		want string
	}{
		{"no TLP, no default", Put{Object: object(t, "malware", id1, 1, "A", ""), Source: "lorrin"}, "TLP:AMBER+STRICT"},
		{"no TLP, an agreed default", Put{Object: object(t, "malware", id2, 1, "B", ""), Source: "lorrin", Spec: marking.Spec{TLP: marking.Clear}, HasTLP: true}, "TLP:CLEAR"},
		{"its own TLP before the default", Put{Object: object(t, "tool", id1, 1, "C", tlp(stix.TLP1Amber)), Source: "lorrin", Spec: marking.Spec{TLP: marking.Clear}, HasTLP: true}, "TLP:AMBER"},
		{"the highest of several", Put{Object: object(t, "tool", id2, 1, "D", `,"object_marking_refs":["`+string(stix.TLP2Clear)+`","`+string(stix.TLP2Green)+`"]`), Source: "lorrin"}, "TLP:GREEN"},
		{"granular marks count for the whole", Put{Object: object(t, "tool", id3, 1, "E", tlp(stix.TLP2Clear)+`,"granular_markings":[{"marking_ref":"`+string(stix.TLP2Red)+`","selectors":["name"]}]`), Source: "lorrin"}, "TLP:RED"},
		{"an unknown marking holds", Put{Object: object(t, "malware", id3, 1, "F", `,"object_marking_refs":["marking-definition--`+id1+`"]`), Source: "lorrin"}, "HELD: marking unknown"},
	}
	for _, c := range cases {
		if v := mustPut(t, s, c.put); v.Label.Words() != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, v.Label.Words(), v.Reason, c.want)
		}
	}
	if _, err := get(t, s, staff(t), "malware--"+id3); err != ErrNotFound {
		t.Errorf("a held object is read: %v", err)
	}
	// Another source's definition of the same id does not resolve it; its own does.
	def := func(source string) {
		raw := `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + id1 + `","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"Copyright"},"object_marking_refs":["` + string(stix.TLP2Clear) + `"]}`
		o, _, err := stix.Parse([]byte(raw), stix.Options{Mode: stix.Lenient})
		if err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, Put{Object: o, Source: source})
	}
	def("mallory")
	if _, err := get(t, s, staff(t), "malware--"+id3); err != ErrNotFound {
		t.Errorf("another source's definition released it: %v", err)
	}
	def("lorrin")
	if o, err := get(t, s, staff(t), "malware--"+id3); err != nil || o.Label.Words() != "TLP:AMBER+STRICT" {
		t.Errorf("after its own definition: %s (%v)", o.Label.Words(), err)
	}
	if _, err := get(t, s, partner, "malware--"+id3); err != ErrNotFound {
		t.Errorf("a partner reads what another shared strictly: %v", err)
	}
	fake := object(t, "tool", id1, 1, "x", "")
	fake.ID, fake.Type = stix.TLP2Clear, "marking-definition"
	if v := mustPut(t, s, Put{Object: fake, Source: "lorrin"}); v.Outcome != Refused {
		t.Errorf("an official id with other content: %s", v.Outcome)
	}
}

func TestRelationshipNeedsBothEnds(t *testing.T) {
	s := open(t)
	green, strict := tlp(stix.TLP2Green), tlp(stix.TLP2AmberStrict)
	mustPut(t, s, Put{Object: object(t, "malware", id1, 1, "SEEN", green), Source: "lorrin"})
	rel := object(t, "relationship", id1, 1, "", green+`,"relationship_type":"uses","source_ref":"intrusion-set--`+id2+`","target_ref":"malware--`+id1+`"`)
	mustPut(t, s, Put{Object: rel, Source: "lorrin"})
	partner := reader(t, marking.Identity{Person: "tess", Org: "tessary", Agreement: true, Ceiling: marking.Amber})
	ctx := context.Background()
	for _, r := range []marking.Reader{staff(t), partner} {
		if _, err := get(t, s, r, string(rel.ID)); err != ErrNotFound {
			t.Errorf("visible with one end absent: %v", err)
		}
	}
	mustPut(t, s, Put{Object: object(t, "intrusion-set", id2, 1, "QUIET LOOM", strict), Source: "lorrin"})
	if _, err := get(t, s, staff(t), string(rel.ID)); err != nil {
		t.Errorf("not visible with both ends: %v", err)
	}
	if e, err := view(t, s, staff(t)).Edges(ctx, "malware--"+id1, 0); err != nil || len(e) != 1 {
		t.Errorf("%d edges for staff (%v)", len(e), err)
	}
	if _, err := get(t, s, partner, string(rel.ID)); err != ErrNotFound {
		t.Errorf("visible with one end hidden: %v", err)
	}
	if e, err := view(t, s, partner).Edges(ctx, "malware--"+id1, 0); err != nil || len(e) != 0 {
		t.Errorf("%d edges for the partner (%v)", len(e), err)
	}
}

func TestOwnContainerIsTrimmedAndForeignIsWhole(t *testing.T) {
	s := open(t)
	green, strict := tlp(stix.TLP2Green), tlp(stix.TLP2AmberStrict)
	mustPut(t, s, Put{Object: object(t, "malware", id1, 1, "SEEN", green), Source: "lorrin"})
	mustPut(t, s, Put{Object: object(t, "malware", id2, 1, "HIDDEN", strict), Source: "lorrin"})
	refs := func(ids ...string) string {
		return `,"published":"2026-01-01T00:00:00.000Z","object_refs":["malware--` + strings.Join(ids, `","malware--`) + `"]`
	}
	both := object(t, "report", id1, 1, "both", green+refs(id1, id2))
	one := object(t, "report", id2, 1, "only hidden", green+refs(id2))
	foreign := object(t, "report", id3, 1, "foreign", green+refs(id1, id2))
	mustPut(t, s, Put{Object: both, Source: marking.Own})
	mustPut(t, s, Put{Object: one, Source: marking.Own})
	mustPut(t, s, Put{Object: foreign, Source: "lorrin"})
	partner := reader(t, marking.Identity{Person: "tess", Org: "tessary", Agreement: true, Ceiling: marking.Amber})
	if o, err := get(t, s, partner, string(both.ID)); err != nil || strings.Contains(string(o.Bytes), id2) || !strings.Contains(string(o.Bytes), id1) {
		t.Errorf("own container: %s (%v)", o.Bytes, err)
	}
	if _, err := get(t, s, partner, string(one.ID)); err != ErrNotFound {
		t.Errorf("a container that holds nothing visible: %v", err)
	}
	if o, err := get(t, s, partner, string(foreign.ID)); err != nil || string(o.Bytes) != string(foreign.Raw) {
		t.Errorf("a foreign container was changed: %s (%v)", o.Bytes, err)
	}
	if o, err := get(t, s, staff(t), string(both.ID)); err != nil || string(o.Bytes) != string(both.Raw) {
		t.Errorf("own container for own staff: %s (%v)", o.Bytes, err)
	}
	page, err := view(t, s, partner).List(context.Background(), List{Type: "report"})
	if err != nil || len(page.Objects) != 2 {
		t.Errorf("%d reports in the partner's list (%v)", len(page.Objects), err)
	}
}

func TestListPagesAndTokens(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	for i := range 25 {
		mark := tlp(stix.TLP2Green)
		if i%5 == 0 {
			mark = tlp(stix.TLP2AmberStrict)
		}
		mustPut(t, s, Put{Object: object(t, "malware", fmt.Sprintf("%08d-1111-4111-8111-111111111111", i), 1, fmt.Sprintf("M%02d", i), mark), Source: "lorrin"})
	}
	partner := reader(t, marking.Identity{Person: "tess", Org: "tessary", Agreement: true, Ceiling: marking.Amber})
	v := view(t, s, partner)
	var names []string
	tok := ""
	for {
		p, err := v.List(ctx, List{Type: "malware", Limit: 7, After: tok})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range p.Objects {
			names = append(names, marking.Open(marking.NewSheet(partner), o).Title)
		}
		if tok = p.Next; tok == "" {
			break
		}
		if _, err := view(t, s, staff(t)).List(ctx, List{Type: "malware", After: tok}); err != ErrToken {
			t.Errorf("another reader's token: %v", err)
		}
		if _, err := v.List(ctx, List{Type: "tool", After: tok}); err != ErrToken {
			t.Errorf("another list's token: %v", err)
		}
	}
	if len(names) != 20 || names[0] != "M24" || names[19] != "M01" {
		t.Errorf("%d names: %v", len(names), names)
	}
	f, err := v.Search(ctx, "m1", nil, 0)
	if err != nil || f.Count != 8 {
		t.Errorf("the search finds %d, want 8 (%v)", f.Count, err)
	}
	counts, err := v.CountTypes(ctx)
	if err != nil || counts["malware"] != 20 {
		t.Errorf("counts: %v (%v)", counts, err)
	}
}

func TestRowsGoThroughTheGate(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	mustPut(t, s, Put{Object: object(t, "malware", id1, 1, "HIDDEN", tlp(stix.TLP2AmberStrict)), Source: "lorrin"})
	clear := marking.Everyone()
	_, err := s.Record(ctx, act("test.row"), func(tx *Tx) error {
		mid, err := tx.Mark(clear)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO test_row(object, mid, what) VALUES(?,?,'of a hidden object'),('',?,'alone')`, "malware--"+id1, mid, mid)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := func(r marking.Reader) []string {
		rows, err := Select(ctx, view(t, s, r), `SELECT t.mid, t.what FROM test_row t WHERE VISIBLE(t) ORDER BY t.rid`, nil, func(r *Row) (what string, err error) { return what, r.Scan(&what) })
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, x := range rows {
			out = append(out, marking.Open(marking.NewSheet(r), x))
		}
		return out
	}
	if got := names(marking.Public()); len(got) != 1 || got[0] != "alone" {
		t.Errorf("the public reads %v: a row is more visible than its object", got)
	}
	if got := names(staff(t)); len(got) != 2 {
		t.Errorf("staff read %v", got)
	}
	for _, q := range []string{
		`SELECT t.mid, t.what FROM test_row t`,
		`SELECT mid, canon FROM mark`,
		`SELECT t.mid, l.title FROM test_row t JOIN line l ON l.mid=t.mid WHERE VISIBLE(t)`,
		`SELECT t.mid, t.what FROM test_row t, line WHERE VISIBLE(t)`,
		`SELECT t.mid, u.what FROM test_row t JOIN test_row u ON u.rid=t.rid WHERE VISIBLE(t)`,
		`SELECT t.mid, (SELECT what FROM test_row) FROM test_row t WHERE VISIBLE(t)`,
		`SELECT 1, v FROM test_state`,
		`SELECT t.mid, t.what FROM test_row t WHERE VISIBLE(t); DELETE FROM test_row`,
		`DELETE FROM test_row`,
		`WITH x AS (SELECT * FROM record) SELECT * FROM x`,
		`SELECT t.mid, t.what FROM "test_row" t`,
		`SELECT 1, x FROM [line]`,
		`SELECT 1, x FROM main.line`,
	} {
		if _, err := Select(ctx, view(t, s, marking.Public()), q, nil, func(r *Row) (int, error) { return 0, nil }); err == nil {
			t.Errorf("allowed: %s", q)
		}
	}
	err = s.Work(ctx, Lease{}, func(tx *WorkTx) error { _, err := tx.Exec(`UPDATE line SET mid=1`); return err })
	if err == nil {
		t.Error("background work reached the objects")
	}
}

func TestRecordOnceByRequest(t *testing.T) {
	s := open(t)
	a := act("test.once")
	a.RequestID = "r-1"
	n := 0
	for range 3 {
		rec, err := s.Record(context.Background(), a, func(*Tx) error { n++; return nil })
		if err != nil || rec.Seq != 1 {
			t.Fatalf("seq %d (%v)", rec.Seq, err)
		}
	}
	if n != 1 {
		t.Errorf("acted %d times", n)
	}
	boom := errors.New("boom")
	if _, err := s.Record(context.Background(), act("test.fail"), func(tx *Tx) error {
		_, err := tx.Put(Put{Object: object(t, "malware", id1, 1, "X", ""), Source: "lorrin"})
		return errors.Join(err, boom)
	}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if _, err := get(t, s, marking.System("test"), "malware--"+id1); err != ErrNotFound {
		t.Errorf("a failed act left something: %v", err)
	}
	rec, err := s.Record(context.Background(), act("test.next"), nil)
	if err != nil || rec.Seq != 2 {
		t.Errorf("a failed act took a number: %d (%v)", rec.Seq, err)
	}
}

func TestLeaseFencesAndCursorMovesOnce(t *testing.T) {
	s := open(t)
	ctx := context.Background()
	now := time.Unix(1000, 0)
	a, ok, err := s.Acquire(ctx, "p0", "one", now, time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, ok, _ := s.Acquire(ctx, "p0", "two", now.Add(time.Second), time.Minute); ok {
		t.Fatal("two hold the lease")
	}
	b, ok, err := s.Acquire(ctx, "p0", "two", now.Add(2*time.Minute), time.Minute)
	if err != nil || !ok || b.Epoch != a.Epoch+1 {
		t.Fatalf("not taken over: %+v %v %v", b, ok, err)
	}
	if err := s.Work(ctx, a, func(*WorkTx) error { return nil }); !errors.Is(err, ErrFenced) {
		t.Errorf("the old holder works on: %v", err)
	}
	move := func(from, to int64) error {
		return s.Work(ctx, b, func(t *WorkTx) error { return t.Advance("c", "stream", from, to) })
	}
	for i, c := range []struct {
		from, to int64
		ok       bool
	}{{0, 5, true}, {0, 5, false}, {5, 9, true}, {5, 9, false}, {9, 8, false}} {
		if err := move(c.from, c.to); (err == nil) != c.ok {
			t.Errorf("%d: %d to %d: %v", i, c.from, c.to, err)
		}
	}
}

func TestOneProcess(t *testing.T) {
	s := open(t)
	if _, err := Open(context.Background(), Options{Dir: s.opt.Dir}); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
}
