package sigma

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The reference evaluator: straightforward and slow. It walks each rule's detections for each event, turns string values into regular
// expressions, and shares with the engine only the parser, the condition tree and the encoding modifiers.

type refEvent struct {
	doc map[string]any
	all []string
}

func newRefEvent(line []byte) (*refEvent, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	ev := &refEvent{}
	if err := d.Decode(&ev.doc); err != nil {
		return nil, err
	}
	ev.collect(ev.doc)
	return ev, nil
}

func refText(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		return strconv.FormatBool(x), true
	}
	return "", false
}

func (ev *refEvent) collect(v any) {
	switch x := v.(type) {
	case map[string]any:
		for _, k := range x {
			ev.collect(k)
		}
	case []any:
		for _, k := range x {
			ev.collect(k)
		}
	default:
		if s, ok := refText(v); ok {
			ev.all = append(ev.all, s)
		}
	}
}

// at lists the values at a dotted name below v, however it is cut into keys.
func at(v any, name string) []any {
	switch x := v.(type) {
	case []any:
		var out []any
		for _, k := range x {
			out = append(out, at(k, name)...)
		}
		return out
	case map[string]any:
		var out []any
		for k, child := range x {
			if k == name || !strings.Contains(name, " ") && strings.ReplaceAll(k, " ", "") == name {
				if l, ok := child.([]any); ok && len(l) > 0 {
					out = append(out, l...)
				} else {
					out = append(out, child)
				}
			}
			if rest, ok := strings.CutPrefix(name, k+"."); ok {
				out = append(out, at(child, rest)...)
			}
		}
		return out
	}
	return nil
}

func (ev *refEvent) get(field string) []any {
	out := at(ev.doc, field)
	for _, a := range fieldAliases[field] {
		out = append(out, at(ev.doc, a)...)
	}
	for _, c := range []string{"event_data", "EventData", "Event.EventData", "winlog.event_data"} {
		if !strings.Contains(field, ".") {
			out = append(out, at(ev.doc, c+"."+field)...)
		}
	}
	return out
}

func refPattern(s string, cased bool) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s")
	if !cased {
		b.WriteString("i")
	}
	b.WriteString(")^")
	rs := []rune(s)
	for i := 0; i < len(rs); i++ {
		switch {
		case rs[i] == '\\' && i+1 < len(rs) && strings.ContainsRune(`\*?`, rs[i+1]):
			i++
			b.WriteString(regexp.QuoteMeta(string(rs[i])))
		case rs[i] == '*':
			b.WriteString(".*")
		case rs[i] == '?':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(rs[i])))
		}
	}
	b.WriteString(`\z`)
	return regexp.MustCompile(b.String())
}

var refCache = map[string]*regexp.Regexp{}

func cached(key string, f func() *regexp.Regexp) *regexp.Regexp {
	r, ok := refCache[key]
	if !ok {
		r = f()
		refCache[key] = r
	}
	return r
}

// escaped writes literal text so that refPattern reads it back.
func escaped(ts []tok) string {
	var b strings.Builder
	for _, t := range ts {
		switch t.kind {
		case tokStar:
			b.WriteByte('*')
		case tokAny:
			b.WriteByte('?')
		default:
			b.WriteString(strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(t.text))
		}
	}
	return b.String()
}

// refValue reports whether one value of an item holds for one text.
func refValue(it *item, v scalar, text string) bool {
	has := func(m string) bool { return slices.Contains(it.mods, m) }
	switch {
	case has("re"):
		flags := ""
		for _, f := range []string{"i", "m", "s"} {
			if has(f) {
				flags += f
			}
		}
		return cached("re"+flags+v.text, func() *regexp.Regexp {
			if flags != "" {
				return regexp.MustCompile("(?" + flags + ")" + v.text)
			}
			return regexp.MustCompile(v.text)
		}).MatchString(text) || strings.HasSuffix(text, "\n") && strings.HasSuffix(v.text, "$") &&
			cached("re"+flags+v.text, nil).MatchString(strings.TrimSuffix(text, "\n"))
	case has("cidr"):
		p := netip.MustParsePrefix(v.text)
		a, err := netip.ParseAddr(text)
		return err == nil && p.Contains(a.Unmap())
	case has("lt"), has("lte"), has("gt"), has("gte"):
		x, err := strconv.ParseFloat(text, 64)
		y, _ := strconv.ParseFloat(v.text, 64)
		return err == nil && (has("lt") && x < y || has("lte") && x <= y || has("gt") && x > y || has("gte") && x >= y)
	}
	pats := []string{v.text}
	for _, m := range it.mods {
		f := map[string]func(strVal) ([]strVal, error){"windash": windash, "base64": base64Val, "base64offset": base64Offset,
			"wide": func(s strVal) ([]strVal, error) { return []strVal{utf16Val(s, false)}, nil }}[m]
		var out []string
		for _, p := range pats {
			if f != nil {
				vs, err := f(strVal{toks: parsePattern(p)})
				if err != nil {
					panic(err)
				}
				for _, s := range vs {
					out = append(out, escaped(s.toks))
				}
				continue
			}
			switch m {
			case "contains":
				p = "*" + p + "*"
			case "startswith":
				p += "*"
				if strings.HasSuffix(p, `\*`) { // a backslash before what is added would escape it
					p = p[:len(p)-1] + `\*`
				}
			case "endswith":
				p = "*" + p
			}
			out = append(out, fixTail(p, m))
		}
		pats = out
	}
	for _, p := range pats {
		if it.field == "" {
			p = fixTail("*"+p+"*", "contains")
		}
		if cached(fmt.Sprint(has("cased"))+p, func() *regexp.Regexp { return refPattern(p, has("cased")) }).MatchString(text) {
			return true
		}
	}
	return false
}

// fixTail doubles a lone backslash that would escape an added star.
func fixTail(p, mod string) string {
	if mod != "contains" || !strings.HasSuffix(p, `\*`) {
		return p
	}
	n := len(p) - 1
	k := 0
	for n-1-k >= 0 && p[n-1-k] == '\\' {
		k++
	}
	if k%2 == 1 {
		return p[:n] + `\*`
	}
	return p
}

func refItem(it *item, ev *refEvent) bool {
	has := func(m string) bool { return slices.Contains(it.mods, m) }
	values := ev.get(it.field)
	if it.field == "" {
		values = nil
		for _, s := range ev.all {
			values = append(values, s)
		}
	}
	hit := func(v scalar) bool {
		switch {
		case has("exists"):
			return (len(values) > 0) == (strings.ToLower(v.text) == "true")
		case v.kind == scalarNull:
			return len(values) == 0 || slices.Contains(values, any(nil))
		case has("fieldref"):
			for _, a := range values {
				for _, b := range ev.get(v.text) {
					x, ok1 := refText(a)
					y, ok2 := refText(b)
					if ok1 && ok2 && (has("cased") && x == y || !has("cased") && strings.EqualFold(x, y)) {
						return true
					}
				}
			}
			return false
		}
		for _, x := range values {
			if s, ok := refText(x); ok && refValue(it, v, s) {
				return true
			}
		}
		return false
	}
	r := has("all")
	for _, v := range it.vals {
		if has("all") {
			r = r && hit(v)
		} else {
			r = r || hit(v)
		}
	}
	return r != has("neq")
}

func refNode(d *detNode, ev *refEvent) bool {
	if d.item != nil {
		return refItem(d.item, ev)
	}
	for _, k := range d.kids {
		if refNode(k, ev) != d.and {
			return !d.and
		}
	}
	return d.and
}

func refCond(n *condNode, dets []*detection, ev *refEvent) bool {
	switch n.op {
	case condRef:
		for _, d := range dets {
			if d.name == n.name {
				return refNode(d.node, ev)
			}
		}
	case condNot:
		return !refCond(n.kids[0], dets, ev)
	case condAnd:
		for _, k := range n.kids {
			if !refCond(k, dets, ev) {
				return false
			}
		}
		return true
	case condOr:
		for _, k := range n.kids {
			if refCond(k, dets, ev) {
				return true
			}
		}
	}
	return false
}

type refRule struct {
	c     *compiledRule
	conds []*condNode
	dets  []*detection
}

func newRefRule(c *compiledRule, builtin string) *refRule {
	w := newWorking(c.rule, nil)
	if builtin != "" {
		if err := builtinPipeline(builtin).apply(w); err != nil {
			return nil
		}
	}
	r := &refRule{c: c, dets: w.dets}
	for _, t := range w.conds {
		n, err := parseCondition(t.text)
		if err == nil {
			n, err = n.resolve(w.dets)
		}
		if err != nil {
			return nil
		}
		r.conds = append(r.conds, n)
	}
	return r
}

func (r *refRule) match(ev *refEvent) bool {
	return slices.ContainsFunc(r.conds, func(n *condNode) bool { return refCond(n, r.dets, ev) })
}

// refEngine evaluates every routed rule by itself.
type refEngine struct {
	e        *Engine
	variants map[string]*refRule
}

func (x *refEngine) match(line []byte, srcs []source) ([]string, error) {
	ev, err := newRefEvent(line)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range x.e.rules {
		for _, s := range srcs {
			if !c.ls.Covers(s.ls) {
				continue
			}
			k := s.pipeline + "\x00" + c.rule.File + strconv.Itoa(c.index)
			r, ok := x.variants[k]
			if !ok {
				r = newRefRule(c, s.pipeline)
				x.variants[k] = r
			}
			if r != nil && r.match(ev) {
				out = append(out, c.rule.File)
				break
			}
		}
	}
	sort.Strings(out)
	return out, nil
}

// TestReferenceOTRF compares engine and reference on all rules and a sample of recorded events.
func TestReferenceOTRF(t *testing.T) {
	set, _ := allRules(t)
	e, _ := Compile(set, Options{})
	m := e.NewMatcher()
	ref := &refEngine{e, map[string]*refRule{}}
	n, hits := 0, 0
	per := 8
	if testing.Short() {
		per = 4
	}
	for _, l := range otrfLines(t, 0, per) {
		var got []string
		if err := m.MatchJSON(l, Logsource{}, func(h Match) { got = append(got, h.Rule.File) }); err != nil {
			t.Fatal(err)
		}
		sort.Strings(got)
		want, err := ref.match(l, m.currentSources(Logsource{}))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("engine %v\nreference %v\non %.3000s", got, want, l)
		}
		n++
		hits += len(want)
	}
	t.Logf("%d events, %d findings, no difference", n, hits)
}

// TestReferenceRandom compares engine and reference on random rules and events over a small alphabet, where collisions are common.
func TestReferenceRandom(t *testing.T) {
	word := rapid.StringMatching(`[abAB*?\\\-/ ſKé."]{0,6}`)
	plainWord := rapid.StringMatching(`[abAB\\\-/ ſKké."\n]{0,9}`)
	field := rapid.SampledFrom([]string{"f", "g", "h.i"})
	yamlText := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	rapid.Check(t, func(t *rapid.T) {
		nDet := rapid.IntRange(1, 4).Draw(t, "detections")
		var det strings.Builder
		var names []string
		for i := range nDet {
			name := fmt.Sprintf("s%d", i)
			names = append(names, name)
			if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
				kw := rapid.StringMatching(`[abAB\- ſKé."\\]{1,6}`).Draw(t, "keyword")
				fmt.Fprintf(&det, "  %s: [%s]\n", name, yamlText(kw+"a"))
				continue
			}
			fmt.Fprintf(&det, "  %s:\n", name)
			f := field.Draw(t, "field")
			switch rapid.IntRange(0, 7).Draw(t, "shape") {
			case 0:
				fmt.Fprintf(&det, "    %s: null\n", f)
			case 1:
				fmt.Fprintf(&det, "    %s|exists: %v\n", f, rapid.Bool().Draw(t, "exists"))
			case 2:
				fmt.Fprintf(&det, "    %s|fieldref: %s\n", f, field.Draw(t, "other"))
			case 3:
				re := rapid.SampledFrom([]string{"a+b", "^[ab]", "(a|b)B", "A.*B", "[Aa]b?é", "ab$"}).Draw(t, "re")
				fmt.Fprintf(&det, "    %s|re%s: '%s'\n", f, rapid.SampledFrom([]string{"", "|i", "|s"}).Draw(t, "flag"), re)
			default:
				mod := rapid.SampledFrom([]string{"", "|contains", "|startswith", "|endswith", "|contains|all", "|contains|cased", "|cased", "|neq",
					"|windash|contains"}).Draw(t, "mod")
				var vals []string
				for range rapid.IntRange(1, 4).Draw(t, "n") {
					w := word.Draw(t, "value")
					if strings.HasSuffix(w, `\`) && mod != "" {
						w += "b" // what a modifier adds behind a backslash is settled by the table of the specification
					}
					vals = append(vals, yamlText(w))
				}
				fmt.Fprintf(&det, "    %s%s: [%s]\n", f, mod, strings.Join(vals, ", "))
			}
		}
		var cond func(d int) string
		cond = func(d int) string {
			switch k := rapid.IntRange(0, 5).Draw(t, "cond"); {
			case d == 0 || k < 2:
				return rapid.SampledFrom(names).Draw(t, "name")
			case k == 2:
				return "not " + cond(d-1)
			case k == 3:
				return "(" + cond(d-1) + " and " + cond(d-1) + ")"
			case k == 4:
				return "(" + cond(d-1) + " or " + cond(d-1) + ")"
			}
			return rapid.SampledFrom([]string{"1 of s*", "all of them"}).Draw(t, "some")
		}
		yml := "title: T\nlogsource: {category: test}\ndetection:\n" + det.String() + "  condition: " + cond(3) + "\n"
		set, errs := Parse("t.yml", []byte(yml))
		if len(errs) > 0 {
			t.Fatalf("%v\n%s", errs, yml)
		}
		e, errs := Compile(set, Options{})
		if len(errs) > 0 {
			t.Fatalf("%v\n%s", errs, yml)
		}
		m := e.NewMatcher()
		r := newRefRule(e.rules[0], "")
		for range 8 {
			doc := map[string]any{}
			put := func(m map[string]any, k string) {
				switch rapid.IntRange(0, 6).Draw(t, "value of "+k) {
				case 0:
				case 1:
					m[k] = nil
				case 2:
					m[k] = []any{plainWord.Draw(t, "v"), plainWord.Draw(t, "v")}
				case 3:
					m[k] = rapid.IntRange(0, 20).Draw(t, "v")
				default:
					m[k] = plainWord.Draw(t, "v")
				}
			}
			put(doc, "f")
			put(doc, "g")
			h := map[string]any{}
			put(h, "i")
			doc["h"] = h
			line, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			got := false
			if err := m.MatchJSON(line, Logsource{Category: "test"}, func(Match) { got = true }); err != nil {
				t.Fatal(err)
			}
			ev, err := newRefEvent(line)
			if err != nil {
				t.Fatal(err)
			}
			if want := r.match(ev); got != want {
				t.Fatalf("engine %v, reference %v\n%s\non %s", got, want, yml, line)
			}
		}
	})
}
