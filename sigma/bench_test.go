package sigma

import (
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
