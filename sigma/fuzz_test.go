package sigma

import (
	"encoding/json"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(ruleYAML("s: {f|contains: a*b, g|re: x+}\ncondition: s")))
	f.Add([]byte("title: x\n---\ntitle: C\ncorrelation: {type: event_count, rules: [a], timespan: 5m, condition: {gte: 2}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, _ := Parse("f.yml", b)
		e, _ := Compile(set, Options{})
		if err := e.NewMatcher().MatchJSON([]byte(`{"f":"abc","g":1}`), Logsource{Category: "test"}, func(Match) {}); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzPipeline(f *testing.F) {
	f.Add([]byte("transformations: [{type: field_name_mapping, mapping: {f: [g, h]}}]"))
	f.Add([]byte("transformations: [{type: replace_string, regex: '(a)', replacement: '\\1'}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePipeline("p.yml", b)
		if err != nil {
			return
		}
		set, _ := Parse("t.yml", []byte(ruleYAML("s: {f: abc, g|expand: '%x%'}\ncondition: s")))
		Compile(set, Options{Pipelines: []*Pipeline{p}})
	})
}

// FuzzScan shows that the scanner never panics and takes every object that encoding/json takes (within its depth).
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"f":"a\u0062\\","g":[1,{"h":null}],"h":{"i":-1.5e3}}`))
	set, _ := Parse("t.yml", []byte(ruleYAML("s: {f: abc, h.i|gt: 1}\nk: [evil]\ncondition: s or k")))
	e, _ := Compile(set, Options{})
	m := e.NewMatcher()
	f.Fuzz(func(t *testing.T, b []byte) {
		err := m.MatchJSON(b, Logsource{Category: "test"}, func(Match) {})
		var doc map[string]json.RawMessage
		if depth := 0; err != nil && json.Unmarshal(b, &doc) == nil && doc != nil {
			for _, c := range b {
				if c == '{' || c == '[' {
					depth++
				}
			}
			if depth < 60 {
				t.Fatalf("%v on %q", err, b)
			}
		}
	})
}
