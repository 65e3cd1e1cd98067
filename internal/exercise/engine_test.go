package exercise

import (
	"testing"

	"vigil/sigma"
	"vigil/stix/pattern"
)

// The product's engine finds what the table says and nothing else: every rule loads, and each line is matched with
// no more than its source's entry in the register.
func TestEngineFindsWhatIsExpected(t *testing.T) {
	all := &sigma.RuleSet{}
	for _, r := range Rules() {
		rs, errs := sigma.Parse(r.File, r.YAML)
		for _, e := range errs {
			t.Errorf("%v", e)
		}
		all.Add(rs)
	}
	engine, errs := sigma.Compile(all, sigma.Options{})
	for _, e := range errs {
		t.Errorf("%v", e)
	}
	names := map[string]string{}
	for _, r := range Rules() {
		names[r.ID] = r.Name
	}
	type key struct{ rule, host, source string }
	got, sources := map[key]int{}, sourcesByID()
	m := engine.NewMatcher()
	for _, e := range seedOne() {
		s := sources[e.Source]
		err := m.MatchJSON(e.Line, sigma.Logsource{Category: s.Category, Product: s.Product, Service: s.Service}, func(x sigma.Match) {
			got[key{names[x.Rule.ID], text(decode(t, e.Line)["Hostname"]), e.Source}]++
		})
		if err != nil {
			t.Fatalf("%v in %s", err, e.Line)
		}
	}
	for _, o := range Expected() {
		if o.Rule == "" {
			continue
		}
		k := key{o.Rule, o.Host, o.Source}
		if n := got[k]; n < o.Min || n > o.Max {
			t.Errorf("%+v matched %d times, want %d to %d", k, n, o.Min, o.Max)
		}
		delete(got, k)
	}
	for k, n := range got {
		t.Errorf("%+v matched %d times, and the table does not say so", k, n)
	}
}

// Every indicator that fires is of the simple form that the first engine indexes.
func TestIndicatorPatternsAreExact(t *testing.T) {
	for _, ind := range Indicators() {
		p, err := pattern.Parse(ind.Pattern)
		if err != nil {
			t.Errorf("%s: %v", ind.Key, err)
			continue
		}
		if terms, ok := pattern.Index(p); !ok || len(terms) != 1 || !pattern.Exact(p) {
			t.Errorf("%s: %s is not one exact comparison", ind.Key, ind.Pattern)
		}
	}
}
