package sigma

import (
	"fmt"
	"testing"
	"time"
)

// correlate runs events "SECOND FIELD..." (f selects the rule, u the group, v the value) and returns how often something is reported.
func correlate(t *testing.T, corr string, opt CorrelatorOptions, flush bool, events ...[4]any) ([]Match, *Correlator) {
	t.Helper()
	yml := ""
	for _, r := range []string{"ra", "rb", "rc"} {
		yml += fmt.Sprintf("title: %s\nname: %s\nlogsource: {category: test}\ndetection: {s: {f: %s}, condition: s}\n---\n", r, r, r[1:])
	}
	m := matcherFor(t, yml+corr, Options{})
	c := m.e.NewCorrelator(opt)
	var out []Match
	take := func(h Match) {
		if h.Report {
			out = append(out, h)
		}
	}
	for i, e := range events {
		ref := fmt.Sprint(i)
		if e[3] != nil {
			ref = fmt.Sprint(e[3])
		}
		line := fmt.Sprintf(`{"f":%q,"u":"u1","w":"u1","v":%q}`, e[1], fmt.Sprint(e[2]))
		err := m.MatchJSON([]byte(line), Logsource{Category: "test"}, func(h Match) {
			take(h)
			c.Add(h, time.Unix(1_700_000_000+int64(e[0].(int)), 0), ref, take)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if flush {
		c.Flush(take)
	}
	var fired []Match
	for _, h := range out {
		if h.Correlation != nil {
			fired = append(fired, h)
		}
	}
	return fired, c
}

func TestCorrelations(t *testing.T) {
	type ev = [4]any
	f := func(name, spec string, want int, events ...ev) {
		t.Helper()
		got, _ := correlate(t, "title: C\nid: c\ncorrelation: {"+spec+"}", CorrelatorOptions{}, true, events...)
		if len(got) != want {
			t.Errorf("%s: fired %d times, want %d", name, len(got), want)
		}
	}
	count3 := "type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {gte: 3}"
	f("three in ten seconds", count3, 1, ev{0, "a", 1}, ev{5, "a", 1}, ev{10, "a", 1})
	f("spread too far", count3, 0, ev{0, "a", 1}, ev{6, "a", 1}, ev{12, "a", 1})
	f("out of order", count3, 1, ev{10, "a", 1}, ev{0, "a", 1}, ev{5, "a", 1})
	f("repeated", count3, 0, ev{0, "a", 1, "x"}, ev{0, "a", 1, "x"}, ev{0, "a", 1, "x"})
	f("too late", count3, 0, ev{0, "a", 1}, ev{1000, "a", 1}, ev{1, "a", 1}, ev{2, "a", 1})
	f("twice as many fire twice", count3, 2, ev{0, "a", 1}, ev{1, "a", 1}, ev{2, "a", 1}, ev{3, "a", 1}, ev{4, "a", 1}, ev{5, "a", 1})
	f("other rule", count3, 0, ev{0, "b", 1}, ev{1, "b", 1}, ev{2, "b", 1})
	f("group field missing", "type: event_count, rules: [ra], group-by: [nope], timespan: 10s, condition: {gte: 1}", 0, ev{0, "a", 1})
	f("fewer than", "type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {lt: 3}", 1, ev{0, "a", 1}, ev{5, "a", 1})
	f("not fewer than", "type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {lt: 2}", 0, ev{0, "a", 1}, ev{5, "a", 1})
	f("exactly", "type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {eq: 2}", 1, ev{0, "a", 1}, ev{5, "a", 1})
	f("neq", "type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {neq: 2}", 0, ev{0, "a", 1}, ev{5, "a", 1})
	f("range", "type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {gt: 1, lte: 2}", 1, ev{0, "a", 1}, ev{5, "a", 1})
	vc := "type: value_count, rules: [ra], group-by: [u], timespan: 10s, condition: {field: v, gte: 3}"
	f("distinct values", vc, 1, ev{0, "a", 1}, ev{1, "a", 2}, ev{2, "a", 3})
	f("same values", vc, 0, ev{0, "a", 1}, ev{1, "a", 1}, ev{2, "a", 2})
	tp := "type: temporal, rules: [ra, rb, rc], group-by: [u], timespan: 10s"
	f("all in any order", tp, 1, ev{0, "c", 1}, ev{1, "a", 1}, ev{2, "b", 1})
	f("one missing", tp, 0, ev{0, "c", 1}, ev{1, "a", 1}, ev{2, "a", 1})
	f("one too far", tp, 0, ev{0, "c", 1}, ev{1, "a", 1}, ev{12, "b", 1})
	f("two of three", tp+", condition: {gte: 2}", 1, ev{0, "c", 1}, ev{1, "a", 1})
	to := "type: temporal_ordered, rules: [ra, rb, rc], group-by: [u], timespan: 10s"
	f("in order", to, 1, ev{0, "a", 1}, ev{1, "b", 1}, ev{2, "c", 1})
	f("in order, arriving late", to, 1, ev{2, "c", 1}, ev{0, "a", 1}, ev{1, "b", 1})
	f("wrong order", to, 0, ev{0, "b", 1}, ev{1, "a", 1}, ev{2, "c", 1})
	f("sum", "type: value_sum, rules: [ra], group-by: [u], timespan: 10s, condition: {field: v, gt: 10}", 1, ev{0, "a", 6}, ev{1, "a", 5})
	f("sum too small", "type: value_sum, rules: [ra], group-by: [u], timespan: 10s, condition: {field: v, gt: 11}", 0, ev{0, "a", 6}, ev{1, "a", 5})
	f("average", "type: value_avg, rules: [ra], group-by: [u], timespan: 10s, condition: {field: v, gte: 5.5}", 1, ev{0, "a", 6}, ev{1, "a", 5})
	f("median", "type: value_percentile, rules: [ra], group-by: [u], timespan: 10s, condition: {field: v, percentile: 50, gte: 5}", 1,
		ev{0, "a", 1}, ev{1, "a", 5}, ev{2, "a", 9})
	f("rare value", "type: value_percentile, rules: [ra], group-by: [u], timespan: 10s, condition: {field: v, lte: 34}", 1,
		ev{0, "a", 1}, ev{1, "a", 1}, ev{2, "a", 9})
	f("aliases", "type: temporal, rules: [ra, rb], aliases: {who: {ra: u, rb: w}}, group-by: [who], timespan: 10s", 1, ev{0, "a", 1}, ev{1, "b", 1})
}

func TestCorrelationChain(t *testing.T) {
	type ev = [4]any
	chain := "title: Many\nname: many\ncorrelation: {type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {gte: 2}}\n---\n" +
		"title: Then\ncorrelation: {type: temporal_ordered, rules: [many, rb], group-by: [u], timespan: 20s}"
	got, _ := correlate(t, chain, CorrelatorOptions{}, false, ev{0, "a", 1}, ev{1, "a", 1}, ev{5, "b", 1})
	if len(got) != 1 || got[0].Correlation.Title != "Then" || got[0].Window.Group[0].Value != "u1" {
		t.Fatalf("%+v", got)
	}
}

// TestReplay shows that replaying from OldestOpen gives the same findings again, by key.
func TestReplay(t *testing.T) {
	type ev = [4]any
	spec := "title: C\nid: c\ncorrelation: {type: event_count, rules: [ra], group-by: [u], timespan: 10s, condition: {gte: 2}}"
	events := []ev{{0, "a", 1}, {3, "a", 1}, {5, "a", 1}}
	first, c := correlate(t, spec, CorrelatorOptions{}, false, events...)
	at, ok := c.OldestOpen()
	if !ok || at.Unix() != 1_700_000_000 {
		t.Fatalf("oldest open is %v %v", at, ok)
	}
	again, _ := correlate(t, spec, CorrelatorOptions{}, false, append(events, ev{7, "a", 1})...)
	if len(first) != 1 || len(again) != 2 || first[0].Window.Key != again[0].Window.Key || again[0].Window.Key == again[1].Window.Key {
		t.Fatalf("%v then %v", first, again)
	}
}

// TestGroupExplosion shows a million groups in bounded memory: the least recently touched go, and are counted.
func TestGroupExplosion(t *testing.T) {
	m := matcherFor(t, ruleYAML("s: {f: 1}\ncondition: s")+
		"---\ntitle: C\ncorrelation: {type: event_count, rules: [base], group-by: [u], timespan: 1h, condition: {gte: 2}}", Options{})
	c := m.e.NewCorrelator(CorrelatorOptions{MaxGroups: 100_000})
	fired := 0
	add := func(u string) {
		ev := Event{{"f", []byte("1"), Number}, {"u", []byte(u), String}}
		err := m.Match(ev, Logsource{Category: "test"}, func(h Match) {
			c.Add(h, time.Unix(1_700_000_000, 0), "", func(Match) { fired++ })
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("first")
	const n = 1_000_000
	for i := range n {
		add(fmt.Sprint(i))
	}
	s := c.Stats()
	if s.Groups != 100_000 || s.Entries != 100_000 || s.Evicted != n+1-100_000 {
		t.Fatalf("%+v", s)
	}
	add(fmt.Sprint(n - 1))
	add("first") // was evicted, so this is its first event again
	if fired != 1 {
		t.Fatalf("fired %d times", fired)
	}
}
