package sigma

import (
	"fmt"
	"strings"
	"testing"
)

// one compiles a rule whose detection is the YAML given (indented by two) and returns a function that matches a JSON event.
func one(t *testing.T, detection string, opt Options) func(string) bool {
	t.Helper()
	m := matcherFor(t, ruleYAML(detection), opt)
	return func(ev string) bool {
		t.Helper()
		hit := false
		if err := m.MatchJSON([]byte(ev), Logsource{Category: "test"}, func(Match) { hit = true }); err != nil {
			t.Fatalf("%s: %v", ev, err)
		}
		return hit
	}
}

func ruleYAML(detection string) string {
	return "title: T\nid: 00000000-0000-4000-8000-000000000001\nname: base\nlogsource: {category: test}\ndetection:\n  " +
		strings.ReplaceAll(detection, "\n", "\n  ") + "\n"
}

func matcherFor(t *testing.T, yml string, opt Options) *Matcher {
	t.Helper()
	set, errs := Parse("t.yml", []byte(yml))
	for _, err := range errs {
		t.Fatal(err)
	}
	e, errs := Compile(set, opt)
	for _, err := range errs {
		t.Fatal(err)
	}
	return e.NewMatcher()
}

// TestSpecification has a line a case: what is asked of field f (or keywords), an event, and whether it matches.
func TestSpecification(t *testing.T) {
	f := func(sel, ev string, want bool) {
		t.Helper()
		if got := one(t, "s:\n  "+strings.ReplaceAll(sel, "\n", "\n  ")+"\ncondition: s", Options{})(ev); got != want {
			t.Errorf("%s on %s: %v, want %v", sel, ev, got, want)
		}
	}
	// plain values, case, text of scalars
	f(`f: abc`, `{"f":"ABC"}`, true)
	f(`f: abc`, `{"f":"abcd"}`, false)
	f(`f: 00000429`, `{"f":"00000429"}`, true)
	f(`f: 00000429`, `{"f":"429"}`, false)
	f(`f: 4624`, `{"f":4624}`, true)
	f(`f: 4624`, `{"f":"4624"}`, true)
	f(`f: true`, `{"f":true}`, true)
	f(`f: 'true'`, `{"f":"True"}`, true)
	f(`f: [a, b]`, `{"f":"B"}`, true)
	f(`f: [a, b]`, `{"f":"c"}`, false)
	f(`f: a`, `{"f":["x","A"]}`, true)
	f("f: a\ng: b", `{"f":"a","g":"b"}`, true)
	f("f: a\ng: b", `{"f":"a"}`, false)
	f("- f: a\n- g: b", `{"g":"b"}`, true)
	f("- f: a\n- g: b", `{"g":"a"}`, false)
	f(`f: STRASSE`, `{"f":"straße"}`, false) // simple folding, not full
	f(`f: ÄÖ`, `{"f":"äö"}`, true)
	f(`f: Σ`, `{"f":"ς"}`, true)
	f(`f: kelvin`, "{\"f\":\"\u212aelvin\"}", true)
	f(`f: abc`, `{"f":"\u0061bc"}`, true)
	// null, empty, exists
	f(`f: null`, `{"g":1}`, true)
	f(`f: null`, `{"f":null}`, true)
	f(`f: null`, `{"f":""}`, false)
	f(`f: ''`, `{"f":""}`, true)
	f(`f: ''`, `{"f":null}`, false)
	f(`f: ''`, `{}`, false)
	f(`f|exists: true`, `{"f":null}`, true)
	f(`f|exists: true`, `{"g":1}`, false)
	f(`f|exists: false`, `{"g":1}`, true)
	f(`f|exists: false`, `{"f":""}`, false)
	f(`f|exists: true`, `{"f":{"x":1}}`, true)
	// wildcards and escapes
	f(`f: a*c`, `{"f":"abbbc"}`, true)
	f(`f: a*c`, `{"f":"ac"}`, true)
	f(`f: a?c`, `{"f":"ac"}`, false)
	f(`f: a?c`, `{"f":"aéc"}`, true)
	f(`f: '*'`, `{"f":"x"}`, true)
	f(`f: '*'`, `{"f":null}`, false)
	f(`f: 'a\*c'`, `{"f":"a*c"}`, true)
	f(`f: 'a\*c'`, `{"f":"abc"}`, false)
	f(`f: 'a\\*'`, `{"f":"a\\bc"}`, true)
	f(`f: 'a\\*'`, `{"f":"a*"}`, false)
	f(`f: 'a\\\*'`, `{"f":"a\\*"}`, true)
	f(`f: 'a\b'`, `{"f":"a\\b"}`, true)
	f(`f: 'a\\b'`, `{"f":"a\\b"}`, true)
	f(`f: 'a\\\\b'`, `{"f":"a\\\\b"}`, true)
	f(`f: '*a*b?c*'`, `{"f":"xxaxxbxbyc"}`, true)
	f(`f: '*ab?'`, `{"f":"ab1ab2"}`, true)
	// contains, startswith, endswith, all, cased
	f(`f|contains: bc`, `{"f":"aBCd"}`, true)
	f(`f|contains: a*d`, `{"f":"xABCDx"}`, true)
	f(`f|startswith: ab`, `{"f":"ABc"}`, true)
	f(`f|startswith: b`, `{"f":"ab"}`, false)
	f(`f|endswith: '\x.exe'`, `{"f":"C:\\X.EXE"}`, true)
	f(`f|endswith: '\x.exe'`, `{"f":"C:\\X.EXE "}`, false)
	f(`f|contains|all: [a, b]`, `{"f":"xbxa"}`, true)
	f(`f|contains|all: [a, b]`, `{"f":"xax"}`, false)
	f(`f|contains: ''`, `{"f":"x"}`, true)
	f(`f|cased: Abc`, `{"f":"Abc"}`, true)
	f(`f|cased: Abc`, `{"f":"abc"}`, false)
	f(`f|contains|cased: Bc`, `{"f":"aBcd"}`, true)
	f(`f|contains|cased: Bc`, `{"f":"abcd"}`, false)
	f(`f|neq: a`, `{"f":"b"}`, true)
	f(`f|neq: a`, `{"f":"A"}`, false)
	f(`f|neq: [a, b]`, `{"f":"b"}`, false)
	// encodings
	f(`f|base64: foobar`, `{"f":"Zm9vYmFy"}`, true)
	f(`f|base64offset|contains: /bin/bash`, `{"f":"xL2Jpbi9iYXNo"}`, true)
	f(`f|base64offset|contains: /bin/bash`, `{"f":"eC9iaW4vYmFzaA=="}`, true)
	f(`f|base64offset|contains: /bin/bash`, `{"f":"eHgvYmluL2Jhc2g="}`, true)
	f(`f|base64offset|contains: /bin/bash`, `{"f":"eHgvYmlu"}`, false)
	f(`f|wide|base64offset|contains: ping`, `{"f":"cABpAG4AZwA="}`, true)
	f(`f|utf16le|base64: cmd`, `{"f":"YwBtAGQA"}`, true)
	f(`f|utf16be|base64: cmd`, `{"f":"AGMAbQBk"}`, true)
	f(`f|utf16|base64: cmd`, `{"f":"//5jAG0AZAA="}`, true)
	f(`f|wide: cmd`, `{"f":"c\u0000m\u0000d\u0000"}`, true)
	f(`f|contains|windash: ' -x'`, `{"f":"a /x"}`, true)
	f(`f|windash|contains: ' -x'`, `{"f":"a –x"}`, true)
	f(`f|windash|contains: ' -x -y'`, `{"f":"a —x ―y"}`, true)
	f(`f|windash|contains: a-b`, `{"f":"a/b"}`, false)
	// regular expressions
	f(`f|re: a.c`, `{"f":"xabcx"}`, true)
	f(`f|re: a.c`, `{"f":"ABC"}`, false)
	f(`f|re|i: a.c`, `{"f":"ABC"}`, true)
	f(`f|re: ^b`, `{"f":"a\nb"}`, false)
	f(`f|re|m: ^b`, `{"f":"a\nb"}`, true)
	f(`f|re: a.b`, `{"f":"a\nb"}`, false)
	f(`f|re|s: a.b`, `{"f":"a\nb"}`, true)
	f(`f|re: ab$`, `{"f":"ab\n"}`, true)
	f(`f|re: ab$`, `{"f":"abc"}`, false)
	f(`f|re: '[Aa][Bb]{2,}\d+(x|y)'`, `{"f":"aBb12y"}`, true)
	// networks, numbers, dates, references
	f(`f|cidr: 192.0.2.0/24`, `{"f":"192.0.2.77"}`, true)
	f(`f|cidr: 192.0.2.0/24`, `{"f":"192.0.3.77"}`, false)
	f(`f|cidr: 192.0.2.0/24`, `{"f":"::ffff:192.0.2.1"}`, true)
	f(`f|cidr: 2001:db8::/32`, `{"f":"2001:DB8::1"}`, true)
	f(`f|cidr: 192.0.2.0/24`, `{"f":"host"}`, false)
	f(`f|lt: 10`, `{"f":9}`, true)
	f(`f|lt: 10`, `{"f":"10"}`, false)
	f(`f|lte: 10`, `{"f":"10"}`, true)
	f(`f|gt: 10`, `{"f":10.5}`, true)
	f(`f|gte: 9007199254740993`, `{"f":9007199254740992}`, false)
	f(`f|gte: 1`, `{"f":"x"}`, false)
	f(`f|minute: 7`, `{"f":"2024-05-06T11:07:12Z"}`, true)
	f(`f|hour: 11`, `{"f":"2024-05-06 11:07:12.5"}`, true)
	f(`f|hour|gte: 12`, `{"f":"2024-05-06T11:07:12+09:00"}`, false)
	f(`f|day: 6`, `{"f":"2024-05-06"}`, true)
	f(`f|week: 19`, `{"f":"2024-05-06"}`, true)
	f(`f|month: 5`, `{"f":1714990032}`, true)
	f(`f|year: 2024`, `{"f":"1714990032000"}`, true)
	f(`f|fieldref: g`, `{"f":"A","g":"a"}`, true)
	f(`f|fieldref: g`, `{"f":"A"}`, false)
	f(`f|fieldref|neq: g`, `{"f":"A","g":"b"}`, true)
	f(`f|fieldref|startswith: g`, `{"f":"abc","g":"AB"}`, true)
	f(`f|cased|fieldref: g`, `{"f":"A","g":"a"}`, false)
	// keywords
	f("- evil\n- bad thing", `{"x":{"y":["a very BAD THING"]}}`, true)
	f("- evil\n- bad thing", `{"x":"ok","evil":1}`, false)
	f("'|all': [evil, 200]", `{"a":"Evil","b":1200}`, true)
	f("'|all': [evil, 200]", `{"a":"Evil","b":100}`, false)
	f("'|re': 'ev.l'", `{"a":"an evxl"}`, true)
	f("- evil", `{"a":"\u0065vil"}`, true)
	f("- mask", "{\"a\":\"ma\u017fk\"}", true)
	// nested and dotted names, fields with spaces, wrapped Windows events
	f(`a.b.c: x`, `{"a":{"b":{"c":"x"}}}`, true)
	f(`a.b.c: x`, `{"a.b":{"c":"x"}}`, true)
	f(`a.b.c: x`, `{"a":[{"b":{"c":"y"}},{"b":{"c":"x"}}]}`, true)
	f(`SAMUserAccount: x`, `{"SAM User Account":"x"}`, true)
	f(`Image: x`, `{"Event":{"EventData":{"Image":"x"}}}`, true)
	f(`Provider_Name: p`, `{"Event":{"System":{"Provider":{"#attributes":{"Name":"p"}}}}}`, true)
	f(`Image: x`, `{"winlog":{"event_data":{"Image":"x"}}}`, true)
}

// TestConditions covers the condition grammar over three detections that fields a, b and c decide.
func TestConditions(t *testing.T) {
	f := func(cond, on string, want bool) {
		t.Helper()
		det := "sel_a: {a: 1}\nsel_b: {b: 1}\nc: {c: 1}\n_d: {d: 1}\ncondition: " + cond
		var fs []string
		for _, x := range on {
			fs = append(fs, fmt.Sprintf("%q:1", string(x)))
		}
		if got := one(t, det, Options{})("{" + strings.Join(fs, ",") + "}"); got != want {
			t.Errorf("%s on %q: %v", cond, on, got)
		}
	}
	f("sel_a", "a", true)
	f("sel_a and sel_b", "a", false)
	f("sel_a or sel_b and c", "a", true)
	f("(sel_a or sel_b) and c", "a", false)
	f("not sel_a", "", true)
	f("not sel_a and sel_b", "ab", false)
	f("not (sel_a and sel_b)", "a", true)
	f("not not sel_a", "a", true)
	f("1 of sel_*", "b", true)
	f("any of sel_*", "c", false)
	f("all of sel_*", "ab", true)
	f("all of sel_*", "a", false)
	f("1 of them", "d", false)
	f("1 of them", "c", true)
	f("all of them", "abc", true)
	f("1 of *_b", "b", true)
	f("not 1 of sel_*", "c", true)
	f("NOT sel_a AND c", "c", true)
	f("[sel_a, c]", "c", true)
	f("_d", "d", true)
}

// TestRefusals has a document, or a detection, and a word of the reason.
func TestRefusals(t *testing.T) {
	f := func(yml, want string) {
		t.Helper()
		set, errs := Parse("f.yml", []byte(yml))
		_, more := Compile(set, Options{})
		errs = append(errs, more...)
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), want) || errs[0].Line < 1 || errs[0].Reason == "" {
			t.Errorf("%s\n: %v, want a refusal with %q", yml, errs, want)
		}
	}
	d := func(det, want string) { t.Helper(); f(ruleYAML(det), want) }
	d("s: {f: 1}\ncondition: s | count() > 3", "correlations")
	d("s: {f: 1}\ncondition: t", `"t"`)
	d("s: {f: 1}\ncondition: 2 of s*", "quantifier")
	d("s: {f: 1}\ncondition: 1 of x*", "stands for no detection")
	d("s: {f: 1}\ncondition: (s", "not closed")
	d("s: {f: 1}\ncondition: s s", "unexpected")
	d("s: {f: 1}\ncondition: ''", "empty")
	d("s: {f: 1}", "condition is missing")
	d("condition: s", "no search identifier")
	d("s: {f: 1}\ntimeframe: 5m\ncondition: s", "timeframe")
	d("s: {f: ['', null]}\ncondition: s", "null cannot be part")
	d("s: {f: []}\ncondition: s", "empty list")
	d("s: {}\ncondition: s", "empty map")
	d("s: {f|nope: 1}\ncondition: s", `"nope" is not defined`)
	d("s: {f|re: '(?=a)'}\ncondition: s", "regular expression")
	d("s: {f|contains|re: a}\ncondition: s", "unmodified")
	d("s: {f|i: a}\ncondition: s", "after re")
	d("s: {f|cidr: 300.1.1.1/8}\ncondition: s", "not a network")
	d("s: {f|gt: abc}\ncondition: s", "not a number")
	d("s: {f|exists: maybe}\ncondition: s", "true or false")
	d("s: {f|fieldref: 'a*'}\ncondition: s", "wildcards")
	d("s: {f|base64: 'a*'}\ncondition: s", "wildcards")
	d("s: {f|base64offset: ''}\ncondition: s", "too short")
	d("s: {f|expand: '%servers%'}\ncondition: s", "%servers%")
	d("s: {f: {g: 1}}\ncondition: s", "value must be")
	d("s: {f: 1, f: 2}\ncondition: s", "repeated")
	d("s: ['']\ncondition: s", "empty keyword")
	f("logsource: {category: x}\ndetection: {s: {f: 1}, condition: s}", "title")
	f("title: x\ndetection: {s: {f: 1}, condition: s}", "logsource")
	f("title: x\nlogsource: {definition: x}\ndetection: {s: {f: 1}, condition: s}", "states none")
	f("title: x\nlevel: dire\nlogsource: {category: x}\ndetection: {s: {f: 1}, condition: s}", "dire")
	f("title: x\ntaxonomy: other\nlogsource: {category: x}\ndetection: {s: {f: 1}, condition: s}", "taxonomy")
	f("title: x\n\tbad", "YAML")
	f("title: x\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {gte: 2}}", "not loaded")
	f("title: x\ncorrelation: {type: event_count, rules: [a], timespan: 5x, condition: {gte: 2}}", "timespan")
	f("title: x\ncorrelation: {type: odd, rules: [a], timespan: 5m, condition: {gte: 2}}", "odd")
	f("title: x\ncorrelation: {type: value_count, rules: [a], timespan: 5m, condition: {gte: 2}}", "needs a field")
	f("title: x\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {eq: 0}}", "no event")
	f("title: x\nname: me\ncorrelation: {type: event_count, rules: [me], timespan: 5m, condition: {gte: 2}}", "itself")
}

// TestBadDocument shows that a bad document does not cost the others, and where it is.
func TestBadDocument(t *testing.T) {
	good := ruleYAML("s: {f: 1}\ncondition: s")
	set, errs := Parse("f.yml", []byte(good+"---\ntitle: [\n---\n"+strings.ReplaceAll(good, "0001", "0002")))
	if len(set.Rules) != 2 || len(errs) != 1 || errs[0].Line < 10 {
		t.Fatalf("%d rules, %v", len(set.Rules), errs)
	}
}

func TestFilters(t *testing.T) {
	f := func(filter, ev string, want bool) {
		t.Helper()
		m := matcherFor(t, ruleYAML("s: {f: 1}\ncondition: s")+"---\ntitle: F\nlogsource: {category: test}\nfilter: "+filter, Options{})
		got := false
		if err := m.MatchJSON([]byte(ev), Logsource{Category: "test"}, func(Match) { got = true }); err != nil || got != want {
			t.Errorf("%s on %s: %v %v", filter, ev, got, err)
		}
	}
	f("{rules: [base], selection: {u|startswith: adm_}, condition: not selection}", `{"f":1,"u":"adm_x"}`, false)
	f("{rules: [base], selection: {u|startswith: adm_}, condition: not selection}", `{"f":1,"u":"eve"}`, true)
	f("{rules: [base], selection: {u|startswith: adm_}, condition: selection}", `{"f":1,"u":"adm_x"}`, true)
	f("{rules: any, selection: {u: x}, condition: not selection}", `{"f":1,"u":"x"}`, false)
	f("{rules: [00000000-0000-4000-8000-000000000001], s_1: {u: x}, s_2: {u: y}, condition: not 1 of s_*}", `{"f":1,"u":"y"}`, false)
}

func TestPipelines(t *testing.T) {
	f := func(pipe, det, ev string, want bool) {
		t.Helper()
		p, err := ParsePipeline("p.yml", []byte(pipe))
		if err != nil {
			t.Fatal(err)
		}
		if got := one(t, det, Options{Pipelines: []*Pipeline{p}})(ev); got != want {
			t.Errorf("%s\n%s on %s: %v", pipe, det, ev, got)
		}
	}
	s := "s: {f: abc}\ncondition: s"
	f("transformations: [{type: field_name_mapping, mapping: {f: [g, h]}}]", s, `{"h":"abc"}`, true)
	f("transformations: [{type: field_name_mapping, mapping: {f: g}}]", s, `{"f":"abc"}`, false)
	f("transformations: [{type: field_name_prefix, prefix: x.}]", s, `{"x":{"f":"abc"}}`, true)
	f("transformations: [{type: field_name_suffix, suffix: .keyword}]", s, `{"f.keyword":"abc"}`, true)
	f("transformations: [{type: add_condition, conditions: {i: 1}}]", s, `{"f":"abc"}`, false)
	f("transformations: [{type: add_condition, conditions: {i: $category}, template: true}]", s, `{"f":"abc","i":"test"}`, true)
	f("transformations: [{type: replace_string, regex: '^a(.)c$', replacement: '\\1\\1'}]", s, `{"f":"bb"}`, true)
	f("transformations: [{type: map_string, mapping: {abc: [x, y]}}]", s, `{"f":"y"}`, true)
	f("transformations: [{type: set_value, value: 7}]", s, `{"f":7}`, true)
	f("transformations: [{type: drop_detection_item, field_name_conditions: [{type: include_fields, fields: [g]}]}]",
		"s: {f: abc, g: 1}\ncondition: s", `{"f":"abc"}`, true)
	f("vars: {v: [p*, q]}\ntransformations: [{type: value_placeholders}]", "s: {f|expand: '%v%'}\ncondition: s", `{"f":"pqr"}`, true)
	f("transformations: [{type: wildcard_placeholders}]", "s: {f|expand: 'a%v%c'}\ncondition: s", `{"f":"axxc"}`, true)
	f("transformations: [{type: field_name_mapping, mapping: {f: g}, rule_conditions: [{type: logsource, category: other}]}]", s, `{"f":"abc"}`, true)
	for _, bad := range []string{"transformations: [{type: nope}]", "transformations: [{type: case, method: x}]", "odd: 1",
		"transformations: [{type: field_name_mapping, mapping: {a: b}, rule_conditions: [{type: nope}]}]", "transformations: [{type: field_name_mapping}]"} {
		if p, err := ParsePipeline("p.yml", []byte(bad)); err == nil {
			t.Errorf("%s is taken as %+v", bad, p)
		}
	}
	if n := len(BuiltinPipelines()); n != 7 {
		t.Errorf("%d built-in pipelines", n)
	}
}

// TestSecurityProcessCreation shows a process creation rule on event 4688, whose own fields keep their meaning.
func TestSecurityProcessCreation(t *testing.T) {
	yml := "title: T\nlogsource: {category: process_creation, product: windows}\ndetection:\n  s: {Image|endswith: '\\x.exe', ProcessId: '0x10'}\n  condition: s\n"
	m := matcherFor(t, yml, Options{})
	f := func(ev string, want bool) {
		t.Helper()
		got := false
		if err := m.MatchJSON([]byte(ev), Logsource{}, func(Match) { got = true }); err != nil || got != want {
			t.Errorf("%s: %v %v", ev, got, err)
		}
	}
	f(`{"Channel":"Security","EventID":4688,"NewProcessName":"C:\\x.exe","NewProcessId":"0x10","ProcessId":"0x4"}`, true)
	f(`{"Channel":"Security","EventID":4688,"NewProcessName":"C:\\x.exe","NewProcessId":"0x4","ProcessId":"0x10"}`, false)
	f(`{"Channel":"Security","EventID":4689,"NewProcessName":"C:\\x.exe","NewProcessId":"0x10"}`, false)
	f(`{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Image":"C:\\x.exe","ProcessId":"0x10"}`, true)
}
