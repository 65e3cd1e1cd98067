package exercise

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vigil/internal/marking"
)

var start = time.Date(2026, 11, 23, 21, 5, 0, 0, time.UTC)

// seedOne keeps the events of seed 1 for the tests that only look at them.
var seedOne = sync.OnceValue(func() []Event { return slices.Collect(Events(1, start)) })

func sourcesByID() map[string]LogSource {
	out := map[string]LogSource{}
	for _, s := range TheWorld().Sources {
		out[s.ID] = s
	}
	return out
}

// Every rule and every indicator matches where the table says, as often as it says, and nothing matches elsewhere,
// whatever the seed and whatever the hour at which the exercise starts.
func TestExpectedIsWhatComesOut(t *testing.T) {
	type key struct{ rule, indicator, host, source string }
	type seen struct {
		n           int
		first, last time.Time
	}
	var rules []naiveRule
	for _, r := range Rules() {
		rules = append(rules, parseNaive(t, r))
	}
	sources := sourcesByID()
	for _, c := range []struct {
		seed  uint64
		start time.Time
	}{{1, start}, {2, start.Add(-9*time.Hour - 1234567*time.Nanosecond)}, {0xfeed, time.Date(2027, 3, 6, 4, 0, 0, 0, time.FixedZone("h", 3600))}} {
		if testing.Short() && c.seed > 2 {
			continue
		}
		got := map[key]seen{}
		add := func(k key, at time.Time) {
			s := got[k]
			if s.n++; s.n == 1 {
				s.first = at
			}
			s.last = at
			got[k] = s
		}
		for e := range Events(c.seed, c.start) {
			ev := decode(t, e.Line)
			host := text(ev["Hostname"])
			for _, r := range rules {
				if r.concerns(sources[e.Source], ev) && r.matches(t, ev) {
					add(key{rule: r.name, host: host, source: e.Source}, e.At)
				}
			}
			for _, ind := range Indicators() {
				if holds(ind, ev) {
					add(key{indicator: ind.Key, host: host, source: e.Source}, e.At)
				}
			}
		}
		begin := c.start.UTC().Truncate(time.Millisecond)
		for _, o := range Expected() {
			k := key{o.Rule, o.Indicator, o.Host, o.Source}
			s := got[k]
			if s.n < o.Min || s.n > o.Max || o.Min < 1 {
				t.Errorf("seed %d: %+v matched %d times, want %d to %d", c.seed, k, s.n, o.Min, o.Max)
			}
			slack := time.Second
			if o.Suppressed {
				slack = 3 * time.Minute
			}
			if d := begin.Sub(s.first) - o.First; d.Abs() > slack {
				t.Errorf("seed %d: %+v matched first %v before the start, want %v", c.seed, k, begin.Sub(s.first), o.First)
			}
			if d := begin.Sub(s.last) - o.Last; d.Abs() > slack {
				t.Errorf("seed %d: %+v matched last %v before the start, want %v", c.seed, k, begin.Sub(s.last), o.Last)
			}
			delete(got, k)
		}
		for k, s := range got {
			t.Errorf("seed %d: %+v matched %d times, and the table does not say so", c.seed, k, s.n)
		}
	}
}

func TestTheStoryIsTold(t *testing.T) {
	fired, indicators := map[string]bool{}, map[string]bool{}
	var first Outcome
	suppressed := 0
	for _, o := range Expected() {
		switch {
		case o.Suppressed:
			suppressed++
			continue
		case o.Rule != "":
			fired[o.Rule] = true
		default:
			indicators[o.Indicator] = true
		}
		if o.First > first.First {
			first = o
		}
	}
	if len(fired) != 12 || len(indicators) != 3 || suppressed != 1 {
		t.Errorf("%d rules and %d indicators fire and %d look-alikes are suppressed, want a dozen, three and one", len(fired), len(indicators), suppressed)
	}
	if first.Indicator != "loader-host" {
		t.Errorf("%+v comes first, want Lorrin's indicator", first)
	}
	if len(Rules()) != len(fired)+suppressed {
		t.Errorf("%d rules, of which %d are in the table", len(Rules()), len(fired)+suppressed)
	}
	for _, want := range []string{"T1566.001", "T1059.001", "T1053.005", "T1003.001", "T1021.002", "T1567.002"} {
		if !slices.ContainsFunc(Expected(), func(o Outcome) bool { return o.Technique == want }) {
			t.Errorf("nothing shows %s", want)
		}
	}
	if s := Tonight(); !slices.Equal(s.Hosts, []string{"HA-MAIL-01", "HA-OPS-03", "HA-OPS-07", "HA-CRANE-GW", "HA-PROXY-02"}) || s.Number != 62 {
		t.Errorf("the story goes another way: %v", s.Hosts)
	}
}

func TestEventsAreTheSameAgain(t *testing.T) {
	sum := func(seed uint64, start time.Time) string {
		h := sha256.New()
		for e := range Events(seed, start) {
			fmt.Fprintf(h, "%d %s %s\n", e.At.UnixNano(), e.Source, e.Line)
		}
		return fmt.Sprintf("%x", h.Sum(nil)[:8])
	}
	a := sum(1, start)
	if b := sum(1, start.In(time.FixedZone("h", 7200))); a != b {
		t.Errorf("the same seed and moment gave %s and %s", a, b)
	}
	if sum(2, start) == a || sum(1, start.Add(time.Hour)) == a {
		t.Error("seed or start make no difference")
	}
	if a != goldenEvents {
		t.Errorf("the events of seed 1 have the sum %s, and had %s: intended?", a, goldenEvents)
	}
}

func TestEventsAreWellFormed(t *testing.T) {
	sources, hosts := sourcesByID(), Hosts()
	if len(hosts) != 40 {
		t.Errorf("%d hosts, want forty", len(hosts))
	}
	count, byHost, bySource, byHour := 0, map[string]int{}, map[string]int{}, [24]int{}
	last := start.Add(-window)
	for _, e := range seedOne() {
		count++
		if e.At.Before(last) || !e.At.Before(start) {
			t.Fatalf("event %d at %v comes after %v, start %v", count, e.At, last, start)
		}
		last = e.At
		ev := decode(t, e.Line)
		if !slices.Contains(hosts, text(ev["Hostname"])) {
			t.Fatalf("unknown host in %s", e.Line)
		}
		byHost[text(ev["Hostname"])]++
		bySource[e.Source]++
		byHour[localHour(e.At)]++
		if at, err := time.Parse(time.RFC3339Nano, text(ev["@timestamp"])); err != nil || !at.Equal(e.At) {
			t.Fatalf("time %v is not that of %s", e.At, e.Line)
		}
		s, ok := sources[e.Source]
		if !ok || s.Lapsed() {
			t.Fatalf("source %q is not registered, or has lapsed", e.Source)
		}
		for f := range ev {
			if !slices.Contains(s.Fields, f) {
				t.Fatalf("%s delivers field %q, which it is not registered for", e.Source, f)
			}
		}
		if bytes.ContainsAny(e.Line, "\n\r") || bytes.Contains(e.Line, []byte("%u")) || bytes.Contains(e.Line, []byte("%!")) {
			t.Fatalf("not one finished line: %q", e.Line)
		}
	}
	if tonightN := len(tonight(makeFleet(), start)); count != OrdinaryEvents+lookAlikes+tonightN || tonightN < 100 {
		t.Errorf("%d events, of them %d tonight's, want %d ordinary and %d of the look-alike besides", count, tonightN, OrdinaryEvents, lookAlikes)
	}
	if start.Sub(last) > 2*time.Minute {
		t.Errorf("the last event is %v before the start", start.Sub(last))
	}
	for _, h := range hosts {
		if byHost[h] < 100 {
			t.Errorf("%s logged %d events", h, byHost[h])
		}
	}
	for id, s := range sources {
		if (bySource[id] == 0) != s.Lapsed() {
			t.Errorf("%s sent %d events", id, bySource[id])
		}
	}
	if byHour[9] < 2*byHour[2] {
		t.Errorf("%d events between nine and ten, %d at two in the night: nobody works here", byHour[9], byHour[2])
	}
	t.Log(bySource)
}

// What the events name is fictional: hosts under .example, addresses that stand for documentation or are private.
func TestEverythingIsInvented(t *testing.T) {
	address := regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
	allowed := []netip.Prefix{netip.MustParsePrefix("10.40.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24")}
	name := regexp.MustCompile(`\.(com|org|net|io|gov|edu|info|biz|eu|int)\b`)
	check := func(where string, b []byte) {
		for _, a := range address.FindAll(b, -1) {
			ip, err := netip.ParseAddr(string(a))
			if err != nil || !slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(ip) }) {
				t.Errorf("%s: address %s in %s", where, a, b)
			}
		}
		if n := name.Find(b); n != nil {
			t.Errorf("%s: name %s in %s", where, n, b)
		}
	}
	for _, e := range seedOne() {
		check(e.Source, e.Line)
	}
	for _, b := range Intelligence(start) {
		check(b.Source, b.Bytes)
	}
	for _, r := range Rules() {
		check(r.File, r.YAML)
	}
}

func TestAfterGoesOnQuietly(t *testing.T) {
	var rules []naiveRule
	for _, r := range Rules() {
		rules = append(rules, parseNaive(t, r))
	}
	sources, n := sourcesByID(), 0
	last := start
	for e := range After(1, start) {
		if n++; n > 3000 {
			break
		}
		if e.At.Before(last) {
			t.Fatalf("%v comes after %v", e.At, last)
		}
		last = e.At
		ev := decode(t, e.Line)
		for _, r := range rules {
			if r.concerns(sources[e.Source], ev) && r.matches(t, ev) {
				t.Errorf("%s fires on %s", r.name, e.Line)
			}
		}
	}
	if d := last.Sub(start); d < time.Hour || d > 12*time.Hour {
		t.Errorf("3,000 events took %v", d)
	}
}

func TestLapsedEventsAreOfTheLapsedSource(t *testing.T) {
	s := sourcesByID()[SourceLapsed]
	if !s.Lapsed() {
		t.Error("the entry has not lapsed")
	}
	ev := LapsedEvents(start)
	for _, e := range ev {
		if e.Source != SourceLapsed || !e.At.Before(start) || !json.Valid(e.Line) {
			t.Errorf("%+v", e)
		}
	}
	if len(ev) == 0 {
		t.Error("nothing to refuse")
	}
}

func TestRulesAreComplete(t *testing.T) {
	ids := map[string]bool{}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	for _, r := range Rules() {
		n := parseNaive(t, r)
		if r.ID != n.id || !uuid.MatchString(r.ID) || ids[r.ID] {
			t.Errorf("%s: id %q", r.File, r.ID)
		}
		ids[r.ID] = true
		if !slices.ContainsFunc(n.tags, func(s string) bool { return strings.HasPrefix(s, "attack.t1") }) {
			t.Errorf("%s names no technique", r.File)
		}
		for _, tag := range n.tags {
			if num, ok := strings.CutPrefix(tag, "attack.t"); ok {
				if _, ok := techniques["T"+num]; !ok {
					t.Errorf("%s: the knowledge base has no %s", r.File, tag)
				}
			}
		}
	}
	for _, o := range Expected() {
		if _, ok := techniques[o.Technique]; !ok {
			t.Errorf("%+v: the knowledge base has no %s", o, o.Technique)
		}
	}
}

// The look-alike is on the list; nothing that tonight is about is.
func TestWarninglist(t *testing.T) {
	w := Warninglist()
	on := func(v string) bool {
		return slices.ContainsFunc(w.List, func(l string) bool { return v == l || strings.HasSuffix(v, "."+l) })
	}
	if !on(TilesHost) {
		t.Error("the look-alike is not on the list")
	}
	for _, e := range tonight(makeFleet(), start) {
		ev := decode(t, e.Line)
		for _, f := range w.Fields {
			if v := text(ev[f]); on(v) {
				t.Errorf("%s of tonight is on the list", v)
			}
		}
	}
	var back Benign
	if err := json.Unmarshal(w.JSON(), &back); err != nil || !slices.Equal(back.List, w.List) {
		t.Errorf("the list does not come back: %v", err)
	}
}

func TestWorldIsWhole(t *testing.T) {
	w := TheWorld()
	bodies, logins, roles, compartments := map[string]Body{}, map[string]Person{}, map[Role]bool{}, map[string]bool{}
	own := 0
	for _, b := range w.Bodies {
		if _, twice := bodies[b.ID]; twice || b.Name == "" || !strings.HasSuffix(b.Domain, ".example") {
			t.Errorf("body %+v", b)
		}
		if b.Own {
			own++
		}
		bodies[b.ID] = b
	}
	if own != 1 || !bodies[w.House].Own {
		t.Errorf("%d bodies are the house", own)
	}
	for _, c := range w.Compartments {
		compartments[c.ID] = true
	}
	for _, p := range w.People {
		if _, twice := logins[p.Login]; twice || p.Login != strings.ToLower(p.Login) || p.Name == "" || bodies[p.Body].ID == "" {
			t.Errorf("person %+v", p)
		}
		logins[p.Login] = p
		roles[p.Role] = roles[p.Role] || p.Shown
		for _, c := range p.Compartments {
			if !compartments[c] {
				t.Errorf("%s is in %q, which is no compartment", p.Login, c)
			}
		}
	}
	for _, r := range Roles() {
		if !roles[r] {
			t.Errorf("no log-in is shown for %s", r)
		}
	}
	for id, want := range map[string]marking.TLP{"lorrin": marking.AmberStrict, "tessary": marking.Amber, "quaymar": marking.Green, "brightwater": marking.Clear} {
		if b := bodies[id]; b.Ceiling != want || b.Own || b.Constituent {
			t.Errorf("%s has the ceiling %s", id, b.Ceiling)
		}
	}
	for _, g := range w.Groups {
		for _, m := range g.Members {
			if bodies[m].ID == "" {
				t.Errorf("group %s holds %q", g.ID, m)
			}
		}
	}
	for _, s := range w.Sources {
		if bodies[s.Owner].ID == "" || s.Basis == "" || s.Purpose == "" || len(s.Fields) == 0 || s.Retention <= 0 || s.Product+s.Category == "" {
			t.Errorf("source %+v", s)
		}
	}
	// Scripted people and bodies exist.
	for _, s := range append(Earlier(), LastMonth()) {
		for _, st := range s.Steps {
			if logins[st.By].Login == "" {
				t.Errorf("incident %d: nobody is %q", s.Number, st.By)
			}
			if st.To != "" && logins[st.To].Login == "" && bodies[st.To].ID == "" {
				t.Errorf("incident %d: %q is neither body nor person", s.Number, st.To)
			}
		}
		if bodies[s.Victim].ID == "" {
			t.Errorf("incident %d: no body %q", s.Number, s.Victim)
		}
	}
}

func TestHistory(t *testing.T) {
	all := append(Earlier(), LastMonth())
	if len(all) != 61 {
		t.Fatalf("%d incidents before tonight, want sixty and one", len(all))
	}
	median := func(s []Scenario) time.Duration {
		var d []time.Duration
		for _, x := range s {
			d = append(d, x.Contain)
		}
		slices.Sort(d)
		return d[len(d)/2]
	}
	for i, s := range all {
		if s.Number != i+1 || s.Simulated != (i < 60) {
			t.Errorf("incident %d has the number %d, simulated %v", i+1, s.Number, s.Simulated)
		}
		if i > 0 && s.FirstEvent >= all[i-1].FirstEvent {
			t.Errorf("incident %d is older than the one before it", s.Number)
		}
		if s.Detect <= 0 || s.Notify < s.Detect || s.Contain < s.Detect || s.Close < s.Contain || s.Close < s.Notify || s.Close > s.FirstEvent {
			t.Errorf("incident %d: times %v %v %v %v of %v", s.Number, s.Detect, s.Notify, s.Contain, s.Close, s.FirstEvent)
		}
		if !slices.IsSortedFunc(s.Steps, func(a, b Step) int { return int(a.After - b.After) }) {
			t.Errorf("incident %d: steps are out of order", s.Number)
		}
		if last := s.Steps[len(s.Steps)-1]; last.Do != State || last.Value != "closed" || last.After != s.Close {
			t.Errorf("incident %d does not end closed", s.Number)
		}
	}
	if m := median(all[37:60]); m != 9*time.Hour {
		t.Errorf("the last 23 were contained in %v at the median, want 9 h", m)
	}
	var yearAgo []Scenario
	for _, s := range all[:60] {
		if s.FirstEvent > 330*day && s.FirstEvent < 480*day {
			yearAgo = append(yearAgo, s)
		}
	}
	if m := median(yearAgo); m != 14*time.Hour {
		t.Errorf("%d of a year ago were contained in %v at the median, want 14 h", len(yearAgo), m)
	}
	if a, b := fmt.Sprintf("%+v", Earlier()), fmt.Sprintf("%+v", Earlier()); a != b {
		t.Error("history changes")
	}
}

// Every item of evidence that a script names has its bytes, the same each time.
func TestEvidenceFiles(t *testing.T) {
	names := map[string]bool{ImageFile: true}
	for _, st := range LastMonth().Steps {
		if st.Do == Evidence || st.Do == HandOver || st.Do == TakeOver {
			names[st.Value] = true
		}
	}
	for n := range names {
		a, ok := EvidenceFile(n, start)
		b, _ := EvidenceFile(n, start)
		if !ok || len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s: %d bytes, %v", n, len(a), ok)
		}
	}
	if image, _ := EvidenceFile(ImageFile, start); !bytes.Contains(image, []byte(symbols)) {
		t.Error("the disk image does not show the build path")
	}
	if _, ok := EvidenceFile("nothing.bin", start); ok {
		t.Error("a file that nobody named has bytes")
	}
	// Custody passes from hand to hand: what one gives, the next person named takes.
	to := ""
	for _, st := range LastMonth().Steps {
		switch st.Do {
		case HandOver:
			to = st.To
		case TakeOver:
			if st.By != to {
				t.Errorf("%s took what was given to %s", st.By, to)
			}
			to = ""
		}
	}
	if to != "" {
		t.Errorf("%s never took what was given", to)
	}
}

func BenchmarkEvents(b *testing.B) {
	b.ReportAllocs()
	n, size := 0, 0
	for b.Loop() {
		for e := range Events(1, start) {
			n++
			size += len(e.Line)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(size)/float64(n), "bytes/event")
}
