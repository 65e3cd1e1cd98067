package pattern

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)

// failer is what the helpers need of *testing.T, *testing.B and *rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
}

// observe makes an observation of JSON objects, keyed by their place.
func observe(tb failer, objects string) Observation {
	tb.Helper()
	d := json.NewDecoder(strings.NewReader(objects))
	d.UseNumber()
	var list []map[string]any
	if err := d.Decode(&list); err != nil {
		tb.Fatal(err)
	}
	o := Observation{First: epoch, Last: epoch, Objects: map[string]map[string]any{}}
	for i, obj := range list {
		id, _ := obj["id"].(string)
		if id == "" {
			id = fmt.Sprint(i)
		}
		o.Objects[id] = obj
	}
	return o
}

// One observation, one comparison: the operators of STIX 2.1, 9.6.
func TestComparisons(t *testing.T) {
	o := observe(t, `[
	 {"type":"file","id":"file--1","name":"Report.exe","size":1280,"big":9007199254740993,"half":0.5,"flag":true,
	  "hashes":{"MD5":"aa","SHA-256":"bb"},"magic_number_hex":"FFaa","mtime":"2030-01-01T00:00:00.50Z","none":null,
	  "extensions":{"windows-pebinary-ext":{"sections":[{"entropy":1.5},{"entropy":7.5}]}},"payload_bin":"dGVzdA==",
	  "parent_directory_ref":"directory--1","contains_refs":["file--2"],"text":"line one\nline two","accent":"e\u0301"},
	 {"type":"directory","id":"directory--1","path":"C:\\Temp"},
	 {"type":"file","id":"file--2","name":"inner.dll","size":3},
	 {"type":"ipv4-addr","value":"198.51.100.7"},
	 {"type":"ipv4-net","value":"198.51.100.0/25"},
	 {"type":"ipv6-addr","value":"2001:db8::1"},
	 {"type":"network-traffic","protocols":["ipv4","tcp"],"dst_port":443,"src_ref":"missing--1"}]`)
	f := func(test string, want bool) {
		t.Helper()
		p, err := Parse("[" + test + "]")
		if err != nil {
			t.Fatal(err)
		}
		got, err := Match(p, []Observation{o}, Budget{})
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", test, got, err)
		}
	}
	f("file:name = 'Report.exe'", true)
	f("file:name = 'report.exe'", false)
	f("file:name != 'other'", true)
	f("file:name NOT = 'Report.exe'", true) // the other file
	f("directory:path NOT = 'C:\\\\Temp'", false)
	f("directory:path NOT != 'C:\\\\Temp'", true)
	f("file:size = 1280", true)
	f("file:size = 1280.0", true)
	f("file:size = '1280'", false)
	f("directory:path = 5", false)
	f("directory:path != 5", true)
	f("directory:path < 5", false)
	f("directory:path NOT < 5", true)
	f("file:size > 1280", false)
	f("file:size >= 1280", true)
	f("file:size < 3.5", true)
	f("file:size <= 2", false)
	f("file:big = 9007199254740993", true)
	f("file:big = 9007199254740992", false)
	f("file:half = .5", true)
	f("file:half > 0", true)
	f("file:flag = true", true)
	f("file:flag = false", false)
	f("file:flag != false", true)
	f("file:name > 'Repo'", true)
	f("file:name < 'A'", false)
	f("file:mtime = t'2030-01-01T00:00:00.5Z'", true)
	f("file:mtime = '2030-01-01T00:00:00.50Z'", true)
	f("file:mtime < t'2030-01-01T00:00:01Z'", true)
	f("file:name < t'2030-01-01T00:00:01Z'", false)
	f("file:magic_number_hex = h'ffAA'", true)
	f("file:magic_number_hex = b'/6o='", true)
	f("file:magic_number_hex = h'ffab'", false)
	f("file:payload_bin = b'dGVzdA=='", true)
	f("file:payload_bin = h'74657374'", true)
	f("file:size IN (1, 2, 3)", true)
	f("directory:path IN ('a', 'b')", false)
	f("directory:path NOT IN ('a', 'b')", true)
	f("directory:path IN ()", false)
	f("directory:path NOT IN ()", true)
	f("file:name LIKE 'Rep%'", true)
	f("file:name LIKE '%.exe'", true)
	f("file:name LIKE 'Report_exe'", true)
	f("file:name LIKE 'Report_xe'", false)
	f("file:name LIKE 'rep%'", false)
	f("file:name LIKE '%'", true)
	f("file:name LIKE '%o%t%e%e'", true)
	f("file:text LIKE 'line%two'", true)
	f("file:accent LIKE 'é'", true)
	f("file:accent MATCHES '^é$'", true)
	f("file:name MATCHES 'port'", true)
	f("file:name MATCHES '^port'", false)
	f(`file:name MATCHES '\\.exe$'`, true)
	f("file:text MATCHES 'one.line'", true)
	f("file:size MATCHES '1'", false)
	f("ipv4-addr:value ISSUBSET '198.51.100.0/24'", true)
	f("ipv4-addr:value ISSUBSET '198.51.100.7'", true)
	f("ipv4-addr:value ISSUBSET '198.51.101.0/24'", false)
	f("ipv4-addr:value NOT ISSUBSET '198.51.101.0/24'", true)
	f("ipv4-net:value ISSUBSET '198.51.100.0/24'", true)
	f("ipv4-net:value ISSUBSET '198.51.100.0/26'", false)
	f("ipv4-net:value ISSUPERSET '198.51.100.9'", true)
	f("ipv4-net:value ISSUPERSET '198.51.100.200'", false)
	f("ipv4-net:value ISSUPERSET '198.51.100.0/25'", true)
	f("ipv6-addr:value ISSUBSET '2001:db8::/32'", true)
	f("ipv6-addr:value ISSUBSET '0.0.0.0/0'", false)
	f("file:name ISSUBSET '0.0.0.0/0'", false)
	f("EXISTS file:name", true)
	f("EXISTS file:nothing", false)
	f("EXISTS file:none", false)
	f("NOT EXISTS directory:nothing", true)
	f("NOT EXISTS directory:path", false)
	f("EXISTS url:value", false)
	f("NOT EXISTS url:value", false) // there is no url to lack it
	f("file:nothing = 1", false)
	f("file:nothing NOT = 1", false)
	f("file:nothing != 1", false)
	// paths
	f("file:hashes.'SHA-256' = 'bb'", true)
	f("file:hashes[*] = 'aa'", true)
	f("file:hashes[*] = 'cc'", false)
	f("file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7", true)
	f("file:extensions.'windows-pebinary-ext'.sections[0].entropy > 7", false)
	f("file:extensions.'windows-pebinary-ext'.sections[1].entropy > 7", true)
	f("file:extensions.'windows-pebinary-ext'.sections[2].entropy > 7", false)
	f("network-traffic:protocols[*] = 'tcp'", true)
	f("network-traffic:protocols = 'tcp'", false)
	f("network-traffic:protocols[0] = 'tcp'", false)
	f(`file:parent_directory_ref.path = 'C:\\Temp'`, true)
	f("file:parent_directory_ref = 'directory--1'", true)
	f("file:contains_refs[*].name = 'inner.dll'", true)
	f("file:contains_refs[0].name = 'inner.dll'", true)
	f("network-traffic:src_ref.value = 'x'", false)
	f("file:name.value = 'x'", false)
	// AND holds of one object, OR of any
	f("file:name = 'Report.exe' AND file:size = 1280", true)
	f("file:name = 'Report.exe' AND file:size = 3", false)
	f("file:name = 'none' OR ipv4-addr:value = '198.51.100.7'", true)
	f("file:name = 'Report.exe' AND ipv4-addr:value = '198.51.100.7'", false)
	f("file:size = 3 AND (file:name = 'x' OR file:name = 'inner.dll')", true)
}

// Letters stand for observations of x:v with that letter, a digit before them
// for the second at which they begin, a following *n for number_observed, and
// ~s for a length of s seconds.
func stream(tb failer, text string) []Observation {
	var out []Observation
	for _, f := range strings.Fields(text) {
		var sec, number, long int
		var letter string
		head, rest, hasLong := strings.Cut(f, "~")
		if hasLong {
			fmt.Sscan(rest, &long)
		}
		head, rest, hasNumber := strings.Cut(head, "*")
		if hasNumber {
			fmt.Sscan(rest, &number)
		}
		if _, err := fmt.Sscanf(head, "%d%s", &sec, &letter); err != nil {
			tb.Fatal(err)
		}
		o := observe(tb, `[{"type":"x","v":"`+letter+`"}]`)
		o.First = epoch.Add(time.Duration(sec) * time.Second)
		o.Last = o.First.Add(time.Duration(long) * time.Second)
		o.Number = number
		out = append(out, o)
	}
	return out
}

// letters turns [a] into [x:v = 'a'].
func letters(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '[' {
			end := i + strings.IndexByte(text[i:], ']')
			b.WriteString("[x:v IN ('" + strings.Join(strings.Split(text[i+1:end], ""), "', '") + "')]")
			i = end
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// Observation operators and qualifiers: STIX 2.1, 9.4 and 9.5.
func TestObservations(t *testing.T) {
	f := func(pattern, observed string, want bool) {
		t.Helper()
		p, err := Parse(letters(pattern))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Match(p, stream(t, observed), Budget{})
		if err != nil || got != want {
			t.Errorf("%s over %s: got %v, %v", pattern, observed, got, err)
		}
	}
	f("[a]", "1a", true)
	f("[a]", "1b", false)
	f("[a]", "", false)
	f("[a] AND [b]", "1a 2b", true)
	f("[a] AND [b]", "1b 2a", true)
	f("[a] AND [b]", "1a 2a", false)
	f("[a] AND [a]", "1a", false)
	f("[a] AND [a]", "1a 1a", true)
	f("[a] AND [ab]", "1a 2b", true)
	f("[ab] AND [a]", "1a 2b", true)
	f("[a] OR [b]", "1b", true)
	f("[a] OR [b]", "1c", false)
	f("[a] FOLLOWEDBY [b]", "1a 2b", true)
	f("[a] FOLLOWEDBY [b]", "1b 2a", false)
	f("[a] FOLLOWEDBY [b]", "1b 1a", true)
	f("[a] FOLLOWEDBY [b]", "1a~5 3b", false)
	f("[a] FOLLOWEDBY [b]", "1a~5 6b", true)
	f("[a] FOLLOWEDBY [b] FOLLOWEDBY [c]", "1a 2b 3c", true)
	f("[a] FOLLOWEDBY [b] FOLLOWEDBY [c]", "1a 3b 2c", false)
	f("[a] FOLLOWEDBY ([b] AND [c])", "1a 3b 2c", true)
	f("([a] AND [b]) FOLLOWEDBY [c]", "1a 3b 2c", false)
	f("[a] FOLLOWEDBY [b] OR [c]", "1a 2c", true)
	f("[a] OR [b] AND [c]", "1a", true)
	f("([a] OR [b]) AND [c]", "1a", false)
	f("[a] REPEATS 3 TIMES", "1a 2a 3a", true)
	f("[a] REPEATS 3 TIMES", "1a 2a 3b", false)
	f("[a] REPEATS 3 TIMES", "1a*3", true)
	f("[a] REPEATS 3 TIMES", "1a*2 2a", true)
	f("[a] REPEATS 3 TIMES", "1a*2", false)
	f("([a] REPEATS 2 TIMES) REPEATS 2 TIMES", "1a*2 2a", false)
	f("([a] REPEATS 2 TIMES) REPEATS 2 TIMES", "1a*2 2a 3a", true)
	f("([a] REPEATS 2 TIMES) REPEATS 2 TIMES", "1a*4", true)
	f("([a] OR [b]) REPEATS 2 TIMES", "1a 2b", true)
	f("([a] AND [b]) REPEATS 2 TIMES", "1a 2b 3b", false)
	f("([a] AND [b]) REPEATS 2 TIMES", "1a 2b 3b 4a", true)
	f("([a] FOLLOWEDBY [b]) REPEATS 2 TIMES", "1a 2a 3b 4b", true)
	f("([a] FOLLOWEDBY [b]) REPEATS 2 TIMES", "1a 2b 3b 4a", false)
	f("([a] AND [b]) WITHIN 5 SECONDS", "1a 6b", true)
	f("([a] AND [b]) WITHIN 5 SECONDS", "1a 7b", false)
	f("([a] AND [b]) WITHIN 5 SECONDS", "1a 7b 9a", true)
	f("([a] AND [b]) WITHIN 0.5 SECONDS", "1a 1b", true)
	f("[a] WITHIN 5 SECONDS", "1a~6", false)
	f("[a] AND [b] WITHIN 5 SECONDS", "1a 90b", true)
	f("[a] REPEATS 3 TIMES WITHIN 10 SECONDS", "1a 2a 20a 25a 29a", true)
	f("[a] REPEATS 3 TIMES WITHIN 10 SECONDS", "1a 2a 20a 25a", false)
	f("[a] START t'2030-03-01T12:00:05Z' STOP t'2030-03-01T12:00:10Z'", "5a", true)
	f("[a] START t'2030-03-01T12:00:05Z' STOP t'2030-03-01T12:00:10Z'", "4a 10a", false)
	f("[a] START t'2030-03-01T12:00:05Z' STOP t'2030-03-01T12:00:10Z'", "6a~9", false)
	f("([a] AND [b]) START t'2030-03-01T12:00:05Z' STOP t'2030-03-01T12:00:10Z'", "6a 11b", false)
	f("([a] FOLLOWEDBY [b]) WITHIN 5 SECONDS AND [c]", "1a 2c 4b", true)
}

// naive is the meaning of an expression written out: all sets of observations
// (as bits) that satisfy it, with the repetitions that a single one counts for.
func naive(e Expr, obs []Observation) map[[2]int]bool {
	out := map[[2]int]bool{}
	number := func(i int) int { return max(obs[i].Number, 1) }
	span := func(set int) (first, last time.Time) {
		for i := range obs {
			if set>>i&1 == 0 {
				continue
			}
			if first.IsZero() || obs[i].First.Before(first) {
				first = obs[i].First
			}
			if obs[i].Last.After(last) {
				last = obs[i].Last
			}
		}
		return first, last
	}
	single := func(set int) bool { return set&(set-1) == 0 }
	switch e := e.(type) {
	case *Observed:
		for i := range obs {
			for _, v := range e.Test.(*Compare).Set {
				if obs[i].Objects["0"]["v"] == v.Text {
					out[[2]int{1 << i, number(i)}] = true
				}
			}
		}
	case *Join:
		out = naive(e.Of[0], obs)
		for _, sub := range e.Of[1:] {
			right := naive(sub, obs)
			next := map[[2]int]bool{}
			if e.Op == Or {
				for b := range out {
					next[b] = true
				}
				for b := range right {
					next[b] = true
				}
			} else {
				for a := range out {
					for b := range right {
						if a[0]&b[0] != 0 {
							continue
						}
						_, aLast := span(a[0])
						bFirst, _ := span(b[0])
						if e.Op == And || !bFirst.Before(aLast) {
							next[[2]int{a[0] | b[0], 1}] = true
						}
					}
				}
			}
			out = next
		}
	case *Qualified:
		inner := naive(e.Of, obs)
		switch e.Kind {
		case Within:
			for b := range inner {
				if first, last := span(b[0]); last.Sub(first) <= e.Within {
					out[b] = true
				}
			}
		case StartStop:
			for b := range inner {
				if first, last := span(b[0]); !first.Before(e.Start) && last.Before(e.Stop) {
					out[b] = true
				}
			}
		case Repeats:
			var grow func(set, have int)
			seen := map[[2]int]bool{}
			grow = func(set, have int) {
				if seen[[2]int{set, have}] {
					return
				}
				seen[[2]int{set, have}] = true
				if set != 0 && have >= e.Times {
					n := 1
					if single(set) {
						n = have / e.Times
					}
					out[[2]int{set, n}] = true
					return
				}
				for b := range inner {
					if b[0]&set == 0 {
						w := 1
						if single(b[0]) {
							w = b[1]
						}
						grow(set|b[0], have+w)
					}
				}
			}
			grow(0, 0)
		}
	}
	return out
}

// exprGen draws expressions over the letters a to c.
func exprGen(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 7).Draw(t, "kind")
		if depth == 0 {
			kind = 0
		}
		sub := func() string { return exprGen(depth-1).Draw(t, "sub") }
		switch kind {
		case 1, 2:
			return "(" + sub() + " AND " + sub() + ")"
		case 3:
			return "(" + sub() + " OR " + sub() + ")"
		case 4, 5:
			return "(" + sub() + " FOLLOWEDBY " + sub() + ")"
		case 6:
			return fmt.Sprintf("(%s) WITHIN %d SECONDS", sub(), rapid.IntRange(1, 8).Draw(t, "seconds"))
		case 7:
			if rapid.Bool().Draw(t, "start") {
				from := rapid.IntRange(0, 8).Draw(t, "from")
				return fmt.Sprintf("(%s) START t'2030-03-01T12:00:%02dZ' STOP t'2030-03-01T12:00:%02dZ'", sub(), from,
					from+rapid.IntRange(1, 9).Draw(t, "for"))
			}
			return fmt.Sprintf("(%s) REPEATS %d TIMES", sub(), rapid.IntRange(1, 4).Draw(t, "times"))
		}
		return "[" + rapid.SampledFrom([]string{"a", "b", "c", "ab", "bc"}).Draw(t, "letter") + "]"
	})
}

func TestNaive(t *testing.T) {
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		text := letters(exprGen(3).Draw(t, "pattern"))
		// A qualifier may not follow itself: put it in parentheses.
		p, err := Parse(text)
		if err != nil {
			if strings.Contains(err.Error(), "twice") {
				t.Skip()
			}
			t.Fatal(err)
		}
		var parts []string
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			part := fmt.Sprintf("%d%s", rapid.IntRange(0, 12).Draw(t, "sec"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "v"))
			if n := rapid.IntRange(0, 8).Draw(t, "number"); n > 5 {
				part += fmt.Sprintf("*%d", n-4)
			}
			if n := rapid.IntRange(0, 8).Draw(t, "long"); n > 5 {
				part += fmt.Sprintf("~%d", n-4)
			}
			parts = append(parts, part)
		}
		obs := stream(t, strings.Join(parts, " "))
		want := len(naive(p.root, obs)) > 0
		got, err := Match(p, obs, Budget{})
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%s over %v: got %v, want %v", p, parts, got, want)
		}
		if got {
			hits++
		}
		// One by one, in any order, gives the same in the end.
		m, err := Compile(p, Budget{})
		if err != nil {
			t.Fatal(err)
		}
		once := false
		for _, i := range rapid.Permutation(seq(len(obs))).Draw(t, "order") {
			if once, err = m.Add(&obs[i]); err != nil {
				t.Fatal(err)
			}
		}
		if once != want {
			t.Fatalf("%s over %v one by one: got %v, want %v", p, parts, once, want)
		}
	})
	if hits == 0 {
		t.Error("no case matched: the test shows nothing")
	}
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func TestBudgets(t *testing.T) {
	p, err := Parse(letters("([a] AND [b] AND [a] AND [b]) REPEATS 4 TIMES FOLLOWEDBY [c]"))
	if err != nil {
		t.Fatal(err)
	}
	var obs []Observation
	for i := range 40 {
		obs = append(obs, stream(t, fmt.Sprintf("%da %db", i, i))...)
	}
	if _, err := Match(p, obs, Budget{Steps: 10_000}); !errors.Is(err, ErrBudget) {
		t.Errorf("steps: got %v", err)
	}
	m, err := Compile(p, Budget{Observations: 10, Steps: 100})
	if err != nil {
		t.Fatal(err)
	}
	for i := range obs {
		m.Add(&obs[i])
	}
	if len(m.kept) != 10 || m.Dropped() != 70 {
		t.Errorf("kept %d, dropped %d", len(m.kept), m.Dropped())
	}
	m.Forget(epoch.Add(time.Hour))
	if len(m.kept) != 0 {
		t.Errorf("%d observations kept after Forget", len(m.kept))
	}
	for _, text := range []string{"[a:b MATCHES '(?=x)']", "[a:b MATCHES '(x{1000}){10}']", "[a:b MATCHES '(']", "[a:b ISSUBSET 'x']"} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Compile(p, Budget{}); err == nil {
			t.Errorf("%s compiles", text)
		}
	}
}

func TestHorizon(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		p, err := Parse(letters(text))
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := p.Horizon(); d != want || ok != (want > 0) {
			t.Errorf("%s: %v %v", text, d, ok)
		}
	}
	f("[a]", 0)
	f("[a] WITHIN 5 SECONDS", 5*time.Second)
	f("[a] REPEATS 5 TIMES WITHIN 5 SECONDS", 5*time.Second)
	f("[a] WITHIN 5 SECONDS REPEATS 5 TIMES", 0)
	f("[a] WITHIN 5 SECONDS OR [b] WITHIN 9 SECONDS", 9*time.Second)
	f("[a] WITHIN 5 SECONDS AND [b] WITHIN 9 SECONDS", 0)
	f("([a] WITHIN 5 SECONDS OR [b]) WITHIN 60 SECONDS", 60*time.Second)
}

func BenchmarkMatch(b *testing.B) {
	p, err := Parse(letters("[a] REPEATS 50 TIMES WITHIN 60 SECONDS"))
	if err != nil {
		b.Fatal(err)
	}
	o := stream(b, "0a")[0]
	for b.Loop() {
		m, err := Compile(p, Budget{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range 1000 { // one each two seconds: never 50 within 60
			o.First = epoch.Add(time.Duration(2*i) * time.Second)
			o.Last = o.First
			if ok, err := m.Add(&o); ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "observations/s")
}
