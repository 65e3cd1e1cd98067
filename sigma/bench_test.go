package sigma

import (
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fastjson"
)

func BenchmarkMatchOTRF(b *testing.B) {
	set, _ := allRules(b)
	e, _ := Compile(windowsRules(set), Options{})
	e.Warm()
	lines := otrfLines(b, 0, 1500)
	m := e.NewMatcher()
	hits := 0
	for _, l := range lines {
		if err := m.MatchJSON(l, Logsource{}, func(Match) { hits++ }); err != nil {
			b.Fatal(err)
		}
	}
	size := 0
	for _, l := range lines {
		size += len(l)
	}
	b.SetBytes(int64(size / len(lines)))
	m.probed = 0
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for i := range b.N {
		m.MatchJSON(lines[i%len(lines)], Logsource{}, func(Match) {})
	}
	b.ReportMetric(float64(b.N)/(cpuTime()-cpu).Seconds(), "events/cpu-s")
	b.ReportMetric(float64(m.probed)/float64(b.N), "rules/event")
	b.ReportMetric(float64(hits), "hits")
}

func BenchmarkDecodeFloor(b *testing.B) {
	lines := otrfLines(b, 0, 1500)
	size := 0
	for _, l := range lines {
		size += len(l)
	}
	b.SetBytes(int64(size / len(lines)))
	var p fastjson.Parser
	n := 0
	var visit func(v *fastjson.Value)
	visit = func(v *fastjson.Value) {
		switch v.Type() {
		case fastjson.TypeString:
			s, _ := v.StringBytes()
			n += len(s)
		case fastjson.TypeObject:
			o, _ := v.Object()
			o.Visit(func(k []byte, v *fastjson.Value) { visit(v) })
		case fastjson.TypeArray:
			a, _ := v.Array()
			for _, x := range a {
				visit(x)
			}
		}
	}
	b.ResetTimer()
	cpu := cpuTime()
	for i := range b.N {
		v, err := p.ParseBytes(lines[i%len(lines)])
		if err != nil {
			b.Fatal(err)
		}
		visit(v)
	}
	b.ReportMetric(float64(b.N)/(cpuTime()-cpu).Seconds(), "events/cpu-s")
}

// cpuTime is the processor time of the process, which other load on the machine disturbs less than the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMatch100Rules is BenchmarkMatchOTRF with every 24th rule: what more rules cost.
func BenchmarkMatch100Rules(b *testing.B) {
	set, _ := allRules(b)
	all := windowsRules(set)
	few := &RuleSet{}
	for i := 0; i < len(all.Rules); i += len(all.Rules)/100 + 1 {
		few.Rules = append(few.Rules, all.Rules[i])
	}
	benchmarkLines(b, few, Options{})
}

// BenchmarkMatchUnrouted tries every Windows rule on every event.
func BenchmarkMatchUnrouted(b *testing.B) {
	set, _ := allRules(b)
	benchmarkLines(b, windowsRules(set), Options{IgnoreLogsource: true})
}

func benchmarkLines(b *testing.B, set *RuleSet, opt Options) {
	e, _ := Compile(set, opt)
	e.Warm()
	lines := otrfLines(b, 0, 1500)
	m := e.NewMatcher()
	for _, l := range lines {
		if err := m.MatchJSON(l, Logsource{}, func(Match) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuTime()
	for i := range b.N {
		if err := m.MatchJSON(lines[i%len(lines)], Logsource{}, func(Match) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/(cpuTime()-cpu).Seconds(), "events/cpu-s")
}

// BenchmarkReference is the per-rule evaluator of the tests over the same routed rules.
func BenchmarkReference(b *testing.B) {
	set, _ := allRules(b)
	e, _ := Compile(windowsRules(set), Options{})
	m := e.NewMatcher()
	lines := otrfLines(b, 0, 40)
	ref := &refEngine{e, map[string]*refRule{}}
	srcs := make([][]source, len(lines))
	for i, l := range lines {
		if err := m.MatchJSON(l, Logsource{}, func(Match) {}); err != nil {
			b.Fatal(err)
		}
		srcs[i] = m.currentSources(Logsource{})
		if i%8 == 0 {
			ref.match(l, srcs[i]) // fills the cache of expressions
		}
	}
	b.ResetTimer()
	cpu := cpuTime()
	for i := range b.N {
		if _, err := ref.match(lines[i*7%len(lines)], srcs[i*7%len(lines)]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/(cpuTime()-cpu).Seconds(), "events/cpu-s")
}

// BenchmarkLoad reads and compiles all rules and builds every sub-engine.
func BenchmarkLoad(b *testing.B) {
	dir := dataDir(b, "sigma")
	var before, after runtime.MemStats
	for range b.N {
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		set, _ := loadAll(dir)
		e, _ := Compile(set, Options{})
		e.Warm()
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(e)
		runtime.KeepAlive(set)
	}
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "MB")
}
