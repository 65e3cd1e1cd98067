package pattern

import (
	"errors"
	"strings"
	"testing"
)

// The examples of STIX 2.1, 9.8 and 9.1 to 9.7, and what the OASIS validator
// tests: the pattern and its canonical form ("" when it is canonical).
func TestAccept(t *testing.T) {
	f := func(text, canonical string) {
		t.Helper()
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%s\n\t%v", text, err)
			return
		}
		if canonical == "" {
			canonical = text
		}
		if got := p.String(); got != canonical {
			t.Errorf("%s\n\tprints %s\n\twant   %s", text, got, canonical)
		}
		again, err := Parse(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%s: printed form does not come back: %v", text, err)
		}
	}
	// operators
	f("[file:size = 1280]", "")
	f("[file:size == 1280]", "[file:size = 1280]")
	f("[file:size<>1280]", "[file:size != 1280]")
	f("[file:size != 1280]", "")
	f("[file:size < 1024]", "")
	f("[file:size <= 1024]", "")
	f("[file:size > 1024]", "")
	f("[file:size>=1024]", "[file:size >= 1024]")
	f("[file:size IN (1024, 2048,4096)]", "[file:size IN (1024, 2048, 4096)]")
	f("[file:name IN ()]", "")
	f("[file:name IN ('a')]", "")
	f("[file:name LIKE 'name%']", "")
	f(`[file:name MATCHES '^Final Report.+\\.exe$']`, "")
	f("[ipv4-addr:value ISSUBSET '198.51.100.0/24']", "")
	f("[ipv4-addr:value NOT ISSUBSET '198.51.100.0/24']", "")
	f("[ipv4-addr:value ISSUPERSET '198.51.100.1/32']", "")
	f("[EXISTS file:name]", "")
	f("[NOT EXISTS file:name]", "")
	f("[file:name NOT = 'a']", "")
	f("[file:name NOT IN ('a', 'b')]", "")
	f("[file:name NOT LIKE 'a%' AND file:size NOT > 3]", "")
	// constants
	f("[x:a = -5]", "")
	f("[x:a = +5]", "[x:a = 5]")
	f("[x:a = -0]", "[x:a = 0]")
	f("[x:a = 1.5]", "")
	f("[x:a = .5]", "[x:a = 0.5]")
	f("[x:a = -.5]", "[x:a = -0.5]")
	f("[x:a = +1.50]", "[x:a = 1.50]")
	f("[x:a = true OR x:a = false]", "")
	f("[x:a = h'ffAA']", "")
	f("[x:a = h'']", "")
	f("[artifact:payload_bin = b'dGhpcyBpcyBhIHRlc3Q=']", "")
	f("[x:a == t'2018-03-22T12:11:14.1Z']", "[x:a = t'2018-03-22T12:11:14.1Z']")
	f("[x:a = t'2016-12-31T23:59:60Z']", "")
	f(`[x:a = 'it\'s \\ here']`, "")
	f("[x:a = 'é 漢字 🙂']", "")
	f("[x:a = '']", "")
	f("[x:a = 'two\nlines']", "")
	// paths
	f("[file:hashes.'SHA-256' = 'aa']", "")
	f("[file:hashes.MD5 = 'aa']", "")
	f("[file:hashes.'MD5' = 'aa']", "[file:hashes.MD5 = 'aa']")
	f("[file:hashes[*] = 'aa']", "")
	f("[file:extensions.'windows-pebinary-ext'.sections[*].entropy > 7.0]", "")
	f("[x:list[0].b[12] = 1]", "")
	f("[network-traffic:dst_ref.type = 'ipv4-addr']", "")
	f("[network-traffic:extensions.'http-request-ext'.request_header.'User-Agent' = 'a']", "")
	f("[x-custom_type:'first key' = 1]", "")
	f("[x:'AND'.'true' = 1]", "")
	f("[user-account:a_1._b = 1]", "")
	// precedence and associativity
	f("[a:b = 1 AND a:c = 2 OR a:d = 3]", "")
	f("[(a:b = 1 AND a:c = 2) OR a:d = 3]", "[a:b = 1 AND a:c = 2 OR a:d = 3]")
	f("[a:b = 1 AND (a:c = 2 OR a:d = 3)]", "")
	f("[((a:b = 1))]", "[a:b = 1]")
	f("[a:b = 1 OR (a:c = 2 OR a:d = 3)]", "[a:b = 1 OR a:c = 2 OR a:d = 3]")
	f("[a:b = 1] AND [a:c = 2] OR [a:d = 3] FOLLOWEDBY [a:e = 4]", "")
	f("(([a:b = 1] AND [a:c = 2]) OR [a:d = 3]) FOLLOWEDBY [a:e = 4]", "[a:b = 1] AND [a:c = 2] OR [a:d = 3] FOLLOWEDBY [a:e = 4]")
	f("[a:b = 1] AND ([a:c = 2] OR [a:d = 3])", "")
	f("[a:b = 1] OR ([a:c = 2] FOLLOWEDBY [a:d = 3])", "")
	f("([a:b = 1] FOLLOWEDBY [a:c = 2]) FOLLOWEDBY [a:d = 3]", "[a:b = 1] FOLLOWEDBY [a:c = 2] FOLLOWEDBY [a:d = 3]")
	// qualifiers
	f("[a:b = 1] WITHIN 5 SECONDS", "")
	f("[a:b = 1] WITHIN 0.5 SECONDS", "")
	f("[a:b = 1] REPEATS 9 TIMES", "")
	f("[a:b = 1] REPEATS 5 TIMES WITHIN 1800 SECONDS", "")
	f("[a:b = 1] START t'2016-06-01T00:00:00Z' STOP t'2016-07-01T00:00:00Z'", "")
	f("([a:b = 1] AND [a:c = 2]) WITHIN 300 SECONDS", "")
	f("[a:b = 1] FOLLOWEDBY [a:c = 2] WITHIN 300 SECONDS", "")
	f("([a:b = 1] REPEATS 2 TIMES) REPEATS 2 TIMES", "")
	f("([a:b = 1]) WITHIN 5 SECONDS", "[a:b = 1] WITHIN 5 SECONDS")
	f("(([a:b = 1] FOLLOWEDBY [a:c = 2]) AND [a:d = 3] REPEATS 2 TIMES) WITHIN 9 SECONDS", "")
	// space and comments
	f("  [ a:b=1 ]\t\r\n ", "[a:b = 1]")
	f("[a:b = /* a [ comment */ 1] // to the end\n OR [a:c = 2]", "[a:b = 1] OR [a:c = 2]")
	f("( [(network-traffic:dst_port IN(443,6443,8443) AND network-traffic:src_packets != 0) ])",
		"[network-traffic:dst_port IN (443, 6443, 8443) AND network-traffic:src_packets != 0]")
	f("[a:b\u00a0=\u20031]", "[a:b = 1]")
}

// What is refused, where, and why.
func TestReject(t *testing.T) {
	f := func(text, where, reason string) {
		t.Helper()
		_, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: accepted", text)
			return
		}
		if got := err.Error(); !strings.HasPrefix(got, "pattern "+where+": ") || !strings.Contains(got, reason) {
			t.Errorf("%s\n\tgot  %s\n\twant %s … %s", text, got, where, reason)
		}
	}
	f("", "1:1", "expected [ or (, found the end")
	f("file:size = 1280", "1:1", "expected [ or (")
	f("[file:size = ]", "1:14", "expected a value, found ]")
	f("[]", "1:2", "expected an object path")
	f("[file:hashes.MD5 = cead3f77]", "1:20", "text stands in quotes")
	f("[file.size = 1280]", "1:6", "expected a colon after the object type, found .")
	f(`[file:name MATCHES /.*\\.dll/]`, "1:20", "no place outside quotes")
	f("[a:b = 1] WITHIN ]", "1:18", "expected a positive number of seconds, found ]")
	f("[a:b = 1] WITHIN 5 HOURS]", "1:20", "expected SECONDS, found HOURS")
	f("[a:b = 1] WITHIN -5 SECONDS]", "1:18", "expected a positive number of seconds, found -5")
	f("[a:b = 1] WITHIN 0 SECONDS", "1:18", "more than 0")
	f("[a:b = 1] REPEATS 0 TIMES", "1:19", "REPEATS takes 1 to")
	f("[a:b = 1] REPEATS 1.5 TIMES", "1:19", "expected a positive integer")
	f("[a:b = 1] REPEATS 2 SECONDS", "1:21", "expected TIMES")
	f("[a:b ISSUBSET ]", "1:15", "expected a string in quotes, found ]")
	f("[a:b LIKE 5]", "1:11", "expected a string in quotes, found 5")
	f("[a:b =? 'x']", "1:7", "no place outside quotes")
	f("[a:b ! 'x']", "1:6", "! is no operator")
	f("[a:b = t'2457-73-22T32:81:84.1Z']", "1:8", "no time of RFC 3339")
	f("[a:b = t'2024-02-30T12:00:00Z']", "1:8", "no time of RFC 3339")
	f("[a:b = t'2024-01-15T12:30:45']", "1:8", "is not of the form")
	f("[a:b = t'not-a-timestamp']", "1:8", "is not of the form")
	f("[a:b = b'====']", "1:8", "base64")
	f("[a:b = h'abc']", "1:8", "hexadecimal")
	f("[foo:bar=1] within 2 seconds", "1:13", "expected AND, OR, FOLLOWEDBY, a qualifier or the end, found within")
	f("[a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS", "1:28", "WITHIN stands twice")
	f("([a:b = 1] REPEATS 2 TIMES REPEATS 3 TIMES)", "1:28", "REPEATS stands twice")
	f("[a:b = 1] START t'2016-06-01T00:00:00Z' STOP t'2016-06-01T00:00:00Z'", "1:41", "STOP must be later")
	f("[a:b = 1] START '2016-06-01T00:00:00Z'", "1:17", "expected a timestamp")
	f("[a:b = 1] START t'2016-06-01T00:00:00Z' END", "1:41", "expected STOP")
	f("[file:hashes.SHA-256 = 'a']", "1:14", "must stand in quotes")
	f("[a:b-c = 1]", "1:4", "must stand in quotes")
	f("[a:AND = 1]", "1:4", "expected a key")
	f("[IN:b = 1]", "1:2", "expected an object path")
	f("[a:b[-1] = 1]", "1:6", "expected an index from 0 or *, found -1")
	f("[a:b[x] = 1]", "1:6", "expected an index")
	f("[a:[0] = 1]", "1:4", "expected a key")
	f("[a:b = 01]", "1:8", "must not begin with 0")
	f("[a:b = 5x]", "1:8", "runs into letters")
	f("[a:b = -]", "1:8", "a sign must stand before digits")
	f("[a:b = 99999999999999999999]", "1:8", "does not fit 64 bits")
	f("[a:b > true]", "1:8", "a boolean has no order")
	f("[a:b = True]", "1:8", "expected a value")
	f("[NOT a:b = 1]", "1:6", "NOT stands behind the path")
	f("[a:b NOT EXISTS]", "1:10", "expected a comparison operator")
	f("[a:b 'x']", "1:6", "expected a comparison operator, found 'x'")
	f(`[a:b = 'x\n']`, "1:10", "a backslash must stand before")
	f("[a:b = 'x]", "1:8", "the quote has no end")
	f("[a:b = 1] /* no end", "1:11", "the comment has no end")
	f("[a:b = 1", "1:9", "expected AND, OR or ], found the end")
	f("([a:b = 1]", "1:11", "or ), found the end")
	f("[a:b = 1])", "1:10", "or the end, found )")
	f("[a:b = 1] [a:c = 2]", "1:11", "or the end, found [")
	f("[a:b = 1] AND", "1:14", "expected [ or (, found the end")
	f("[a:b IN ('x' 'y')]", "1:14", "expected a comma or )")
	f("[a:b IN ('x',)]", "1:14", "expected a value, found )")
	f("[a:b IN 'x']", "1:9", "expected ( before the set")
	f("[a:b = 1\n  AND\n  a:c ~ 2]", "3:7", "no place outside quotes")
	f("[é:b = 1]", "1:2", "no place outside quotes")
	f("[a:b = 'é' ~]", "1:12", "no place outside quotes")
	f("[a:b = '\xff']", "1:9", "not valid UTF-8")
}

func TestLimits(t *testing.T) {
	f := func(text string, lim Limits, reason string) {
		t.Helper()
		_, err := ParseLimits(text, lim)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.40s: got %v, want %s", text, err, reason)
		}
	}
	f(strings.Repeat("(", 200)+"[a:b = 1]"+strings.Repeat(")", 200), Limits{}, "nested deeper than 64")
	f("["+strings.Repeat("(", 200)+"a:b = 1", Limits{}, "nested deeper than 64")
	f("[a:b = '"+strings.Repeat("x", 300<<10)+"']", Limits{}, "the limit is 262144")
	f("[a:b IN ("+strings.Repeat("1,", 30000)+"1)]", Limits{}, "more than 20000 parts")
	f("[a:b = 1]"+strings.Repeat(" OR [a:b = 1]", 100), Limits{Nodes: 50}, "more than 50 parts")
	f("[a"+":b"+strings.Repeat(".c", 100)+" = 1]", Limits{Nodes: 50}, "more than 50 parts")
	f("[a:b = 1] REPEATS 2000000 TIMES", Limits{}, "1 to 1000000")
}

func TestIndex(t *testing.T) {
	f := func(text, want string, exact bool) {
		t.Helper()
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		terms, ok := Index(p)
		var got []string
		for _, term := range terms {
			got = append(got, term.Path+" "+term.Op.String()+" "+string(term.Value.Append(nil)))
		}
		if s := strings.Join(got, "; "); s != want || ok != (want != "") || Exact(p) != exact {
			t.Errorf("%s\n\tgot  %s (%v, exact %v)\n\twant %s (exact %v)", text, s, ok, Exact(p), want, exact)
		}
	}
	f("[ipv4-addr:value = '192.0.2.1']", "ipv4-addr:value = '192.0.2.1'", true)
	f("[a:b = 'x' OR a:c = 'y']", "a:b = 'x'; a:c = 'y'", true)
	f("[a:b = 'x'] OR [a:c = 'y']", "a:b = 'x'; a:c = 'y'", true)
	f("[a:b IN ('x', 'y')]", "a:b = 'x'; a:b = 'y'", true)
	f("[file:hashes.'SHA-256' = 'aa']", "file:hashes.'SHA-256' = 'aa'", true)
	f("[file:name = 'x' AND file:hashes.MD5 = 'aa']", "file:hashes.MD5 = 'aa'", false)
	f("[a:b = 5 AND a:c = 'x']", "a:c = 'x'", false)
	f("[a:b = 'x' AND a:c != 'y']", "a:b = 'x'", false)
	f("[a:b = 'x'] FOLLOWEDBY [a:c = 'y']", "a:b = 'x'", false)
	f("[a:b = 'x'] REPEATS 3 TIMES", "a:b = 'x'", false)
	f("[a:b ISSUBSET '192.0.2.0/24']", "a:b ISSUBSET '192.0.2.0/24'", false)
	f("[a:b LIKE 'x%' AND a:c = 5]", "a:c = 5", false)
	f("[a:b != 'x']", "", false)
	f("[a:b NOT = 'x']", "", false)
	f("[a:b = 'x' OR a:c > 5]", "", false)
	f("[a:b = 'x'] OR [a:c != 'y']", "", false)
	f("[EXISTS a:b]", "", false)
	f("[a:b IN ()]", "", false)
	f("([a:b = 'x'] OR [a:c = 'y']) AND [a:d > 1]", "a:b = 'x'; a:c = 'y'", false)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"[file:hashes.'SHA-256' = 'a\\'b' OR (a-b:c[*].d[0] NOT IN (1, -2.5, true, h'ff', b'YQ==', t'2020-01-01T00:00:00Z'))]",
		"([a:b = 1] AND [a:c LIKE '%'] WITHIN 5 SECONDS) FOLLOWEDBY ([x:y = 1] OR [NOT EXISTS a:b]) REPEATS 2 TIMES",
		"[a:b MATCHES '.*'] START t'2016-06-01T00:00:00Z' STOP t'2016-07-01T00:00:00.5Z' // c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		printed := p.String()
		again, err := Parse(printed)
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", text, printed, err)
		}
		if again.String() != printed {
			t.Fatalf("%q prints as %q and then as %q", text, printed, again.String())
		}
		if m, err := Compile(p, Budget{Steps: 1000}); err == nil {
			m.Add(&Observation{Objects: map[string]map[string]any{"0": {"type": "a", "b": "x", "c": []any{1.0}}}})
		}
		Index(p)
	})
}

func BenchmarkParse(b *testing.B) {
	for name, text := range map[string]string{
		"simple": "[domain-name:value = 'update.quaymar.example']",
		"hash":   "[file:hashes.'SHA-256' = 'aec070645fe53ee3b3763059376134f058cc337247c978add178b6ccdfb0019f' OR file:name = 'a.exe']",
		"whole": "([network-traffic:dst_ref.value ISSUBSET '198.51.100.0/24' AND network-traffic:dst_port IN (443, 8443)] FOLLOWEDBY " +
			"[process:command_line MATCHES '-enc [A-Za-z0-9+/=]{20,}']) WITHIN 300 SECONDS",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "patterns/s")
		})
	}
}

func TestTermHash(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if got, ok := (Term{Path: path}).Hash(); got != want || ok != (want != "") {
			t.Errorf("%s: %q %v", path, got, ok)
		}
	}
	f("file:hashes.'SHA-256'", "SHA-256")
	f("file:hashes.SHA256", "SHA-256")
	f("file:hashes.sha1", "SHA-1")
	f("file:hashes.'sha3-512'", "SHA3-512")
	f("file:hashes.MD5", "MD5")
	f("file:hashes.MD6", "")
	f("file:name", "")
	f("artifact:hashes.MD5", "")
}
