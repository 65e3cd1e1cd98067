package marking

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func mustLabel(t testing.TB, s Spec) Label {
	t.Helper()
	l, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustReader(t testing.TB, id Identity) Reader {
	t.Helper()
	r, err := NewReader(id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The table of MARKING.md, a line a case: who reads what.
func TestMayRead(t *testing.T) {
	readers := map[string]Reader{
		"public":      Public(),
		"staff":       mustReader(t, Identity{Person: "ines", Org: "csirt", OwnStaff: true}),
		"admitted":    mustReader(t, Identity{Person: "edda", Org: "csirt", OwnStaff: true, Compartments: []string{"inc-1"}}),
		"resolver":    mustReader(t, Identity{Person: "rona", Org: "csirt", OwnStaff: true, Resolver: true}),
		"constituent": mustReader(t, Identity{Person: "hal", Org: "harbour", Constituent: true, Ceiling: AmberStrict}),
		"lorrin":      mustReader(t, Identity{Person: "lou", Org: "lorrin", Agreement: true, Ceiling: AmberStrict}),
		"quaymar":     mustReader(t, Identity{Person: "quin", Org: "quaymar", Agreement: true, Groups: []string{"coast"}, Ceiling: Green}),
		"brightwater": mustReader(t, Identity{Person: "bee", Org: "brightwater", Ceiling: Clear}),
	}
	cases := []struct {
		name string
		spec Spec
		want []string
	}{
		{"clear, received", Spec{TLP: Clear, Source: "tessary"}, []string{"public", "staff", "admitted", "resolver", "constituent", "lorrin", "quaymar", "brightwater"}},
		{"green is the registered community within its ceiling, never the public", Spec{TLP: Green, Source: Own}, []string{"staff", "admitted", "resolver", "constituent", "lorrin", "quaymar"}},
		{"amber received: own and constituents", Spec{TLP: Amber, Source: "tessary"}, []string{"staff", "admitted", "resolver", "constituent"}},
		{"amber own: named by agreement", Spec{TLP: Amber, Source: Own}, []string{"staff", "admitted", "resolver", "lorrin"}},
		{"amber+strict received: own organisation", Spec{TLP: AmberStrict, Source: "lorrin"}, []string{"staff", "admitted", "resolver"}},
		{"amber+strict own, unreleased", Spec{TLP: AmberStrict, Source: Own}, []string{"staff", "admitted", "resolver"}},
		{"amber+strict own, released", Spec{TLP: AmberStrict, Source: Own, Audience: []string{OwnStaff, OrgPrincipal("lorrin")}}, []string{"staff", "admitted", "resolver", "lorrin"}},
		{"amber+strict received is not widened by naming", Spec{TLP: AmberStrict, Source: "tessary", Audience: []string{OrgPrincipal("lorrin")}}, nil},
		{"red: named persons", Spec{TLP: Red, Source: Own, Audience: []string{PersonPrincipal("ines")}}, []string{"staff"}},
		{"red never goes to an organisation", Spec{TLP: Red, Source: Own, Audience: []string{OrgPrincipal("csirt"), OwnStaff}}, nil},
		{"red that names nobody", Spec{TLP: Red, Source: Own}, nil},
		{"the ceiling binds a named person too", Spec{TLP: Red, Source: Own, Audience: []string{PersonPrincipal("lou")}}, nil},
		{"an empty audience is nobody", Spec{TLP: Clear, Source: Own, Audience: []string{}}, nil},
		{"a group", Spec{TLP: Green, Source: Own, Audience: []string{GroupPrincipal("coast")}}, []string{"quaymar"}},
		{"a compartment", Spec{TLP: Amber, Source: Own, Compartments: []string{"inc-1"}}, []string{"admitted"}},
		{"held", Spec{TLP: Clear, Source: "tessary", Held: true}, []string{"resolver"}},
	}
	for _, c := range cases {
		l := mustLabel(t, c.spec)
		for name, r := range readers {
			if got, want := MayRead(r, l), slices.Contains(c.want, name); got != want {
				t.Errorf("%s: %s reads = %v, want %v", c.name, name, got, want)
			}
			if why := WhyNot(r, l); (why == "") != MayRead(r, l) {
				t.Errorf("%s: %s: reason %q does not fit the decision", c.name, name, why)
			}
		}
		if MayRead(System("test"), l) != true {
			t.Errorf("%s: background work can't read it", c.name)
		}
	}
	for name, r := range readers {
		if MayRead(r, Label{}) {
			t.Errorf("%s reads what carries no label", name)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, s := range []Spec{{}, {Source: "a\x1fb"}, {Source: Own, TLP: 9}, {Source: Own, Compartments: []string{""}}, {Source: Own, Audience: []string{"org:\x00"}}} {
		if l, err := New(s); err == nil {
			t.Errorf("%+v was accepted as %q", s, l.Canon())
		}
	}
}

func TestPermits(t *testing.T) {
	for _, c := range []struct {
		pap  PAP
		want [3]bool
	}{{PAPClear, [3]bool{true, true, true}}, {PAPGreen, [3]bool{true, true, true}}, {PAPAmber, [3]bool{true, true, false}}, {PAPRed, [3]bool{true, false, false}}} {
		l := mustLabel(t, Spec{Source: Own, PAP: &c.pap})
		for a, want := range c.want {
			if got := l.Permits(Action(a)); got != want {
				t.Errorf("%s permits %d = %v, want %v", c.pap, a, got, want)
			}
		}
	}
	if l := mustLabel(t, Spec{Source: Own}); l.PAP() != PAPAmber {
		t.Errorf("an absent PAP is %s, want PAP:AMBER", l.PAP())
	}
	if HeldLabel("x").Permits(OwnLogs) {
		t.Error("what is held permits an act")
	}
}

var names = []string{"a", "b", "c"}

func genLabel(t *rapid.T, name string) Label {
	s := Spec{
		TLP:          TLP(rapid.IntRange(0, 4).Draw(t, name+".tlp")),
		Source:       rapid.SampledFrom(append([]string{Own}, names...)).Draw(t, name+".source"),
		Compartments: rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, name+".compartments"),
		Held:         rapid.IntRange(0, 9).Draw(t, name+".held") == 0,
	}
	if rapid.Bool().Draw(t, name+".named") {
		pool := []string{OwnStaff, Constituents, Agreed, Community}
		for _, n := range names {
			pool = append(pool, OrgPrincipal(n), PersonPrincipal(n), GroupPrincipal(n))
		}
		s.Audience = rapid.SliceOfN(rapid.SampledFrom(pool), 0, 4).Draw(t, name+".audience")
		if s.Audience == nil {
			s.Audience = []string{}
		}
	}
	if rapid.Bool().Draw(t, name+".haspap") {
		p := PAP(rapid.IntRange(0, 3).Draw(t, name+".pap"))
		s.PAP = &p
	}
	l, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func genReader(t *rapid.T) Reader {
	if rapid.IntRange(0, 9).Draw(t, "public") == 0 {
		return Public()
	}
	r, err := NewReader(Identity{
		Person: rapid.SampledFrom(names).Draw(t, "person"), Org: rapid.SampledFrom(names).Draw(t, "org"),
		OwnStaff: rapid.Bool().Draw(t, "own"), Constituent: rapid.Bool().Draw(t, "constituent"), Agreement: rapid.Bool().Draw(t, "agreement"),
		Groups:  rapid.SliceOfN(rapid.SampledFrom(names), 0, 2).Draw(t, "groups"),
		Ceiling: TLP(rapid.IntRange(0, 4).Draw(t, "ceiling")), Compartments: rapid.SliceOfN(rapid.SampledFrom(names), 0, 3).Draw(t, "held compartments"),
		Resolver: rapid.Bool().Draw(t, "resolver"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestJoinLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c, r := genLabel(t, "a"), genLabel(t, "b"), genLabel(t, "c"), genReader(t)
		if a.Join(b.Join(c)).Canon() != a.Join(b).Join(c).Canon() {
			t.Fatal("not associative")
		}
		if a.Join(b).Canon() != b.Join(a).Canon() {
			t.Fatal("not commutative")
		}
		if a.Join(a).Canon() != a.Canon() || a.Join(Everyone()).Canon() != a.Canon() {
			t.Fatal("not idempotent, or Everyone is not neutral")
		}
		if MayRead(r, a.Join(b)) && !(MayRead(r, a) && MayRead(r, b)) {
			t.Fatal("what is derived is more visible than an input")
		}
		if a.Join(Label{}).Valid() {
			t.Fatal("a label made of nobody's became somebody's")
		}
	})
}

func TestCanonAndKeyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, r := genLabel(t, "a").Join(genLabel(t, "b")), genReader(t)
		back, err := ParseCanon(l.Canon())
		if err != nil || back.Canon() != l.Canon() || MayRead(r, back) != MayRead(r, l) {
			t.Fatalf("label %q came back as %q (%v)", l.Canon(), back.Canon(), err)
		}
		r2, err := ParseKey(r.Key())
		if err != nil || r2.Key() != r.Key() || MayRead(r2, l) != MayRead(r, l) {
			t.Fatalf("reader %q came back as %q (%v)", r.Key(), r2.Key(), err)
		}
	})
}

func FuzzParseCanon(f *testing.F) {
	f.Add(Everyone().Canon())
	f.Add(HeldLabel("x").Canon())
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseCanon(s)
		if err == nil && l.Canon() != s {
			t.Fatalf("%q was read as %q", s, l.Canon())
		}
	})
}

func TestSheetCarriesWhatStandsOnIt(t *testing.T) {
	r := mustReader(t, Identity{Person: "ines", Org: "csirt", OwnStaff: true})
	green, amber := mustLabel(t, Spec{TLP: Green, Source: Own}), mustLabel(t, Spec{TLP: Amber, Source: "lorrin"})
	s := NewSheet(r)
	for _, l := range []Label{green, amber} {
		rel, ok := Release(r, l, 7)
		if !ok || Open(s, rel) != 7 {
			t.Fatal("not released to own staff")
		}
	}
	if s.Label().Canon() != green.Join(amber).Canon() {
		t.Errorf("the sheet carries %s", s.Label().Words())
	}
	if _, ok := Release(Public(), green, 7); ok {
		t.Error("released to the public")
	}
	rel, _ := Release(r, green, 7)
	defer func() {
		if recover() == nil {
			t.Error("what was released to one reader went on another's sheet")
		}
	}()
	Open(NewSheet(Public()), rel)
}

func BenchmarkMayRead(b *testing.B) {
	r := mustReader(b, Identity{Person: "ines", Org: "csirt", OwnStaff: true, Compartments: []string{"x"}})
	l := mustLabel(b, Spec{TLP: Amber, Source: "lorrin", Compartments: []string{"x"}}).Join(mustLabel(b, Spec{TLP: Green, Source: Own}))
	b.ReportAllocs()
	for b.Loop() {
		if !MayRead(r, l) {
			b.Fatal("no")
		}
	}
}
