package store

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vigil/internal/marking"
	"vigil/stix"
)

// plan is a sequence of puts and rows. A line's marking is drawn once, so that the puts that a reader may not see can be
// left out as a whole: tightening a line takes its earlier versions back, which a reader is meant to notice.
type planned struct {
	put  Put
	row  bool // a row about the object, marked for everybody
	mark marking.Label
}

var (
	planSources = []string{"lorrin", "quaymar", "tessary", marking.Own}
	planWords   = []string{"harbour", "kiln", "loom", "paper", "sluice"}
	planTLPs    = []stix.ID{stix.TLP2Clear, stix.TLP2Green, stix.TLP2Amber, stix.TLP2AmberStrict, stix.TLP2Red}
)

func planID(typ string, n int) string {
	return fmt.Sprintf("%s--%08d-1111-4111-8111-111111111111", typ, n)
}

var planIDs = []string{planID("malware", 0), planID("malware", 1), planID("tool", 2), planID("infrastructure", 3), planID("malware", 4),
	planID("relationship", 10), planID("relationship", 11), planID("relationship", 12), planID("relationship", 13),
	planID("report", 20), planID("report", 21), planID("report", 22), planID("sighting", 30), planID("sighting", 31), planID("sighting", 32)}

func drawPlan(t *rapid.T) []planned {
	lines := map[string]marking.TLP{}
	lists := map[string]marking.Spec{}
	thing := rapid.SampledFrom(planIDs[:5])
	n := rapid.IntRange(4, 24).Draw(t, "puts")
	var out []planned
	for i := range n {
		source := rapid.SampledFrom(planSources).Draw(t, "source")
		word := rapid.SampledFrom(planWords).Draw(t, "word")
		var id, more string
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			id = planID("relationship", rapid.IntRange(10, 13).Draw(t, "rel"))
			more = fmt.Sprintf(`,"relationship_type":"uses","source_ref":%q,"target_ref":%q`, thing.Draw(t, "from"), thing.Draw(t, "to"))
		case 1:
			id = planID("report", rapid.IntRange(20, 22).Draw(t, "report"))
			more = fmt.Sprintf(`,"published":"2026-01-01T00:00:00.000Z","object_refs":[%q,%q]`, thing.Draw(t, "a"), thing.Draw(t, "b"))
		case 2:
			id = planID("sighting", rapid.IntRange(30, 32).Draw(t, "sighting"))
			more = fmt.Sprintf(`,"sighting_of_ref":%q`, thing.Draw(t, "of"))
		default:
			id = thing.Draw(t, "thing")
		}
		line := id + source
		level, ok := lines[line]
		if !ok {
			level = marking.TLP(rapid.IntRange(0, 4).Draw(t, "tlp"))
			spec := marking.Spec{}
			if rapid.IntRange(0, 4).Draw(t, "boxed") == 0 {
				spec.Compartments = []string{"paper"}
			}
			if level == marking.Red {
				spec.Audience = []string{marking.PersonPrincipal("ines")}
			}
			lines[line], lists[line] = level, spec
		}
		typ := stix.ID(id).Type()
		raw := fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:%02d:00.000Z","name":"%s %s","object_marking_refs":[%q]%s}`,
			typ, id, i%60, word, source, planTLPs[level], more)
		o, _, err := stix.Parse([]byte(raw), stix.Options{Mode: stix.Lenient})
		if err != nil {
			t.Fatalf("%v: %s", err, raw)
		}
		spec := lists[line]
		spec.TLP = level
		full := spec
		full.Source = source
		label, err := marking.New(full)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, planned{put: Put{Object: o, Source: source, Spec: spec, HasTLP: true}, row: rapid.Bool().Draw(t, "row"), mark: label})
	}
	return out
}

// build makes a store of the puts that pass keep. Rows stay: a row about what is hidden, or absent, is not shown.
func build(t *rapid.T, dir string, plan []planned, keep func(marking.Label) bool) *Store {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	s, err := Open(context.Background(), Options{Dir: dir, Schemas: []Schema{testSchema}, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	a := act("test.plan")
	if _, err := s.Record(context.Background(), a, func(tx *Tx) error {
		mid, err := tx.Mark(marking.Everyone())
		if err != nil {
			return err
		}
		for i, p := range plan {
			if keep(p.mark) {
				v, err := tx.Put(p.put)
				if err != nil {
					return err
				}
				if v.Label.Valid() && v.Label.Canon() != p.mark.Canon() {
					return fmt.Errorf("the plan says %q, the store %q", p.mark.Canon(), v.Label.Canon())
				}
			}
			if p.row {
				if _, err := tx.Exec(`INSERT INTO test_row(rid, object, mid, what) VALUES(?,?,?,?)`, i+1, string(p.put.Object.ID), mid, "row"); err != nil {
					return err
				}
			}
			m, err := tx.Mark(p.mark)
			if err != nil {
				return err
			}
			if keep(p.mark) {
				if _, err := tx.Exec(`INSERT INTO test_row(rid, object, mid, what) VALUES(?,'',?,?)`, 1000+i, m, "alone "+p.put.Object.Name); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// transcript is everything that a reader is told, asked every question; numbers and tokens that are for no reader are
// left out.
func transcript(t *rapid.T, s *Store, r marking.Reader) string {
	ctx := context.Background()
	v, err := s.View(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	say := func(rel marking.Released[Object]) {
		o := marking.Open(marking.NewSheet(r), rel)
		fmt.Fprintf(&b, "  %s %s %s %q %s %q %s\n", o.ID, o.Type, o.Source, o.Title, o.Modified, rel.Label().Canon(), o.Bytes)
	}
	all := func(what string, rels []marking.Released[Object], err error) {
		fmt.Fprintln(&b, what, len(rels), err)
		for _, rel := range rels {
			say(rel)
		}
	}
	for _, id := range planIDs {
		rel, err := v.Get(ctx, id)
		fmt.Fprintln(&b, "get", id, err)
		if err == nil {
			say(rel)
		}
		lines, err := v.Lines(ctx, id)
		all("lines", lines, err)
		history, err := v.History(ctx, id)
		all("history", history, err)
		edges, err := v.Edges(ctx, id, 0)
		fmt.Fprintln(&b, "edges", len(edges), err)
		for _, e := range edges {
			x := marking.Open(marking.NewSheet(r), e)
			fmt.Fprintf(&b, "  %s %t %s %q %s %s %q\n", x.Rel, x.Out, x.Other.ID, x.Other.Title, x.ViaID, x.ViaFrom, e.Label().Canon())
		}
	}
	for _, typ := range []string{"", "malware", "report", "relationship"} {
		for _, source := range []string{"", "lorrin"} {
			for tok := ""; ; {
				p, err := v.List(ctx, List{Type: typ, Source: source, After: tok, Limit: 3, Bodies: true})
				all("list "+typ+" "+source, p.Objects, err)
				if tok = p.Next; tok == "" {
					break
				}
			}
		}
	}
	for _, w := range append([]string{"own", "kiln lorrin", "sl"}, planWords...) {
		f, err := v.Search(ctx, w, nil, 4)
		fmt.Fprintln(&b, w, f.Count, f.Newest)
		all("search "+w, f.Objects, err)
	}
	counts, err := v.CountTypes(ctx)
	fmt.Fprintln(&b, counts, err)
	rows, err := Select(ctx, v, `SELECT t.mid, t.rid, t.what FROM test_row t WHERE VISIBLE(t) ORDER BY t.rid`, nil, func(r *Row) (x string, err error) {
		var rid int64
		var what string
		err = r.Scan(&rid, &what)
		return fmt.Sprint(rid, what), err
	})
	fmt.Fprintln(&b, "rows", err)
	for _, row := range rows {
		fmt.Fprintln(&b, marking.Open(marking.NewSheet(r), row))
	}
	return b.String()
}

func planReaders(t testing.TB) []marking.Reader {
	return []marking.Reader{
		marking.Public(),
		reader(t, marking.Identity{Person: "tess", Org: "tessary", Agreement: true, Ceiling: marking.Amber}),
		reader(t, marking.Identity{Person: "con", Org: "port", Constituent: true, Ceiling: marking.Amber}),
		reader(t, marking.Identity{Person: "olaf", Org: "csirt", OwnStaff: true}),
		reader(t, marking.Identity{Person: "ines", Org: "csirt", OwnStaff: true, Compartments: []string{"paper"}}),
	}
}

func scratch(t *rapid.T) (string, func()) {
	dir, err := os.MkdirTemp("", "vigil-plan-")
	if err != nil {
		t.Fatal(err)
	}
	return dir, func() { os.RemoveAll(dir) }
}

// Two stores that differ only in what a reader may not see answer every question of that reader alike.
func TestNonInterference(t *testing.T) {
	readers := planReaders(t)
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		r := rapid.SampledFrom(readers).Draw(t, "reader")
		d1, rm1 := scratch(t)
		defer rm1()
		d2, rm2 := scratch(t)
		defer rm2()
		whole := build(t, d1, plan, func(marking.Label) bool { return true })
		defer whole.Close()
		part := build(t, d2, plan, func(l marking.Label) bool { return marking.MayRead(r, l) })
		defer part.Close()
		a, b := transcript(t, whole, r), transcript(t, part, r)
		if a != b {
			la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
			for i := range la {
				if i >= len(lb) || la[i] != lb[i] {
					t.Fatalf("what %q may not see shows at line %d:\n  with    %s\n  without %s", r.Key(), i, la[i], append(lb, "nothing")[min(i, len(lb))])
				}
			}
			t.Fatal("what the reader may not see takes something away")
		}
	})
}

// The gate in Go holds alone too, were the one in SQL open.
func TestTheGateIsAskedAgain(t *testing.T) {
	s := open(t)
	mustPut(t, s, Put{Object: object(t, "malware", id1, 1, "HIDDEN", tlp(stix.TLP2AmberStrict)), Source: "lorrin"})
	v := view(t, s, marking.Public())
	strict, err := marking.New(marking.Spec{TLP: marking.AmberStrict, Source: "lorrin"})
	if err != nil {
		t.Fatal(err)
	}
	mid, ok := s.marks.mid(strict.Canon())
	if !ok {
		t.Fatal("the label has no number")
	}
	if _, err := pass(v, mid, "secret"); err == nil {
		t.Error("the gate let through what the reader may not see")
	}
	if _, err := pass(v, 999, "secret"); err == nil {
		t.Error("the gate let through what carries no known label")
	}
}
