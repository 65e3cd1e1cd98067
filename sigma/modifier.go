package sigma

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// maxExpansion bounds the strings that one value may turn into (windash, expand).
const maxExpansion = 4096

// strVal is a string value on its way through the modifiers. A value that becomes several (base64offset, windash, expand) becomes a
// group, whose members are alternatives even under "all".
type strVal struct {
	toks []tok
	bom  bool // utf16 put a byte order mark in front
}

// lowering is the state of one item's modifiers.
type lowering struct {
	it                       *item
	groups                   [][]strVal
	all, neq, cased, expand  bool
	regex, cidr, ref, exists bool
	reFlags                  string
	refOp                    litOp
	cmp, unit                string
	seen                     int // modifiers so far that changed values
	anchored                 bool
	encoded                  bool
}

// lowerItem turns a field with modifiers and values into logic over predicates.
func lowerItem(it *item) (*expr, error) {
	l := &lowering{it: it}
	for _, v := range it.vals {
		l.groups = append(l.groups, []strVal{{toks: parsePattern(v.text)}})
	}
	for _, m := range it.mods {
		if err := l.apply(m); err != nil {
			return nil, errLine(it.line, "%s: %v", it.written(), err)
		}
	}
	e, err := l.build()
	if err != nil {
		return nil, errLine(it.line, "%s: %v", it.written(), err)
	}
	if l.neq {
		e = &expr{op: exprNot, kids: []*expr{e}}
	}
	e.label = it.written()
	return e, nil
}

// written renders the item's key as in the rule.
func (it *item) written() string {
	s := strings.Join(append([]string{it.field}, it.mods...), "|")
	if s == "" {
		return "keywords"
	}
	return s
}

func (l *lowering) typed() string {
	switch {
	case l.regex:
		return "re"
	case l.cidr:
		return "cidr"
	case l.ref:
		return "fieldref"
	case l.exists:
		return "exists"
	case l.cmp != "":
		return l.cmp
	case l.unit != "":
		return l.unit
	}
	return ""
}

func (l *lowering) apply(m string) error {
	stringOnly := func() error {
		if t := l.typed(); t != "" {
			return fmt.Errorf("modifier %s cannot follow %s", m, t)
		}
		return nil
	}
	first := func() error {
		if l.seen > 0 || l.typed() != "" {
			return fmt.Errorf("modifier %s applies to unmodified values only", m)
		}
		if l.it.field == "" && m != "re" {
			return fmt.Errorf("modifier %s needs a field", m)
		}
		return nil
	}
	switch m {
	case "all":
		l.all = true
		return nil
	case "neq":
		l.neq = true
		return nil
	case "cased":
		if t := l.typed(); t != "" && t != "fieldref" {
			return fmt.Errorf("modifier cased cannot follow %s", t)
		}
		l.cased = true
		return nil
	case "contains", "startswith", "endswith":
		return l.affix(m)
	case "re":
		err := first()
		l.regex = true
		return err
	case "i", "ignorecase", "m", "multiline", "s", "dotall":
		if !l.regex {
			return fmt.Errorf("modifier %s belongs after re", m)
		}
		f := map[byte]string{'i': "i", 'm': "m", 's': "s", 'd': "s"}[m[0]]
		if !strings.Contains(l.reFlags, f) {
			l.reFlags += f
		}
		return nil
	case "cidr":
		err := first()
		l.cidr = true
		return err
	case "exists":
		err := first()
		l.exists = true
		return err
	case "fieldref":
		if err := first(); err != nil && !l.anchored {
			return err
		}
		if l.encoded || l.expand {
			return fmt.Errorf("modifier fieldref applies to unmodified values only")
		}
		return l.fieldref()
	case "lt", "lte", "gt", "gte":
		if l.cmp != "" || l.seen > 0 || l.typed() != "" && l.unit == "" {
			return fmt.Errorf("modifier %s applies to numbers only", m)
		}
		if l.it.field == "" {
			return fmt.Errorf("modifier %s needs a field", m)
		}
		l.cmp = m
		return nil
	case "minute", "hour", "day", "week", "month", "year":
		err := first()
		l.unit = m
		return err
	}
	if err := stringOnly(); err != nil {
		return err
	}
	var f func(strVal) ([]strVal, error)
	switch m {
	case "wide", "utf16le":
		f = func(v strVal) ([]strVal, error) { return []strVal{utf16Val(v, false)}, nil }
	case "utf16be":
		f = func(v strVal) ([]strVal, error) { return []strVal{utf16Val(v, true)}, nil }
	case "utf16":
		f = func(v strVal) ([]strVal, error) {
			v = utf16Val(v, false)
			v.bom = true
			return []strVal{v}, nil
		}
	case "base64":
		f = base64Val
	case "base64offset":
		f = base64Offset
	case "windash":
		f = windash
	case "expand":
		l.expand = true
		f = func(v strVal) ([]strVal, error) { return expandVal(v, l.it.placeholders) }
	default:
		return fmt.Errorf("modifier %q is not defined", m)
	}
	l.seen++
	if m != "expand" && m != "windash" {
		l.encoded = true
	}
	for i, g := range l.groups {
		if l.it.vals[i].kind == scalarNull {
			return fmt.Errorf("modifier %s does not apply to null", m)
		}
		var out []strVal
		for _, v := range g {
			n, err := f(v)
			if err != nil {
				return fmt.Errorf("modifier %s on %q: %w", m, l.it.vals[i].text, err)
			}
			if out = append(out, n...); len(out) > maxExpansion {
				return fmt.Errorf("modifier %s on %q makes more than %d strings", m, l.it.vals[i].text, maxExpansion)
			}
		}
		l.groups[i] = out
	}
	return nil
}

func (l *lowering) affix(m string) error {
	if l.it.field == "" && m != "contains" {
		return fmt.Errorf("modifier %s needs a field", m)
	}
	switch t := l.typed(); {
	case t == "re" && m == "contains": // a regular expression is searched anywhere already
		return nil
	case t == "fieldref":
		l.refOp = map[string]litOp{"contains": litContains, "startswith": litPrefix, "endswith": litSuffix}[m]
		return nil
	case t != "":
		return fmt.Errorf("modifier %s cannot follow %s", m, t)
	}
	for i, g := range l.groups {
		if l.it.vals[i].kind == scalarNull {
			return fmt.Errorf("modifier %s does not apply to null", m)
		}
		for j := range g {
			ts := g[j].toks
			if m != "startswith" && (len(ts) == 0 || ts[0].kind != tokStar) {
				ts = append([]tok{{kind: tokStar}}, ts...)
			}
			if m != "endswith" && (len(ts) == 0 || ts[len(ts)-1].kind != tokStar) {
				ts = append(slices.Clip(ts), tok{kind: tokStar})
			}
			g[j].toks = ts
		}
	}
	l.refOp = map[string]litOp{"contains": litContains, "startswith": litPrefix, "endswith": litSuffix}[m]
	l.anchored = true
	l.seen++
	return nil
}

func (l *lowering) fieldref() error {
	for _, v := range l.it.vals {
		if v.kind != scalarString || v.text == "" {
			return fmt.Errorf("modifier fieldref needs the name of a field")
		}
		if hasWild(parsePattern(v.text)) {
			return fmt.Errorf("a field reference has no wildcards")
		}
	}
	l.ref = true
	return nil
}

// build makes the predicates and links them.
func (l *lowering) build() (*expr, error) {
	it := l.it
	for _, v := range it.vals {
		if v.kind == scalarNull {
			if len(it.vals) > 1 {
				return nil, fmt.Errorf("null cannot be part of a list of values")
			}
			if it.field == "" {
				return nil, fmt.Errorf("null is no keyword")
			}
			if l.seen > 0 || l.typed() != "" {
				return nil, fmt.Errorf("null takes no modifier")
			}
			return predExpr(&pred{kind: predNull, field: it.field}), nil
		}
	}
	link := exprOr
	if l.all {
		link = exprAnd
	}
	if l.typed() == "" {
		return l.strings(link)
	}
	var kids []*expr
	for _, v := range it.vals {
		p := &pred{field: it.field}
		switch {
		case l.regex:
			var err error
			p.kind = predRegex
			if v.text == "" {
				return nil, fmt.Errorf("an empty regular expression matches everything")
			}
			if p.re, p.gates, err = compileRegex(v.text, l.reFlags); err != nil {
				return nil, err
			}
		case l.cidr:
			n, err := netip.ParsePrefix(v.text)
			if err != nil {
				a, aerr := netip.ParseAddr(v.text)
				if aerr != nil {
					return nil, fmt.Errorf("%q is not a network", v.text)
				}
				n = netip.PrefixFrom(a, a.BitLen())
			}
			p.kind, p.net = predCIDR, n.Masked()
		case l.ref:
			p.kind, p.ref, p.cased, p.lit.op = predRef, plain(parsePattern(v.text)), l.cased, l.refOp
		case l.exists:
			if v.kind != scalarBool {
				return nil, fmt.Errorf("exists needs true or false")
			}
			p.kind = predExists
			e := predExpr(p)
			if strings.EqualFold(v.text, "false") {
				e = &expr{op: exprNot, kids: []*expr{e}}
			}
			kids = append(kids, e)
			continue
		default:
			n, ok := parseNumber(v.text)
			if !ok {
				return nil, fmt.Errorf("%q is not a number", v.text)
			}
			p.kind, p.op, p.unit, p.num = predCompare, l.cmp, l.unit, n
			if p.op == "" {
				p.op = "eq"
			}
		}
		kids = append(kids, predExpr(p))
	}
	return join(link, kids), nil
}

func predExpr(p *pred) *expr { return &expr{op: exprPred, pred: p.seal()} }

func (l *lowering) strings(link exprOp) (*expr, error) {
	it := l.it
	groups := l.groups
	if link == exprOr { // alternatives of alternatives
		var flat []strVal
		for _, g := range groups {
			flat = append(flat, g...)
		}
		groups = [][]strVal{flat}
	}
	var kids []*expr
	for _, g := range groups {
		var lits []lit
		var alts []*expr
		for _, v := range g {
			for _, ts := range v.forms() {
				if it.field == "" {
					if len(ts) == 0 || len(ts) == 1 && ts[0].kind == tokStar {
						return nil, fmt.Errorf("an empty keyword matches everything")
					}
					ts = append(append([]tok{{kind: tokStar}}, ts...), tok{kind: tokStar})
				}
				for _, t := range ts {
					if t.kind == tokHole {
						return nil, fmt.Errorf("placeholder %%%s%% is given no values", t.text)
					}
				}
				lt, gl := compilePattern(ts, l.cased)
				if gl == nil && (!l.cased || lt.op == litAnything) {
					lits = append(lits, lt)
					continue
				}
				p := &pred{kind: predGlob, field: it.field, cased: l.cased, glob: gl, lit: lt}
				if gl != nil {
					if s := foldString(gl.longest()); s != "" {
						p.gates = [][]lit{{{litContains, s}}}
					}
				} else {
					p.gates = [][]lit{{{lt.op, foldString(lt.text)}}}
				}
				alts = append(alts, predExpr(p))
			}
		}
		if len(lits) > 0 {
			alts = append([]*expr{predExpr(&pred{kind: predLits, field: it.field, lits: lits})}, alts...)
		}
		kids = append(kids, join(exprOr, alts))
	}
	return join(link, kids), nil
}

// forms gives the byte order mark of utf16 both ways it can stand in a log: as the bytes FF FE and, where the writer took the
// value for text, as U+FEFF.
func (v strVal) forms() [][]tok {
	if !v.bom {
		return [][]tok{v.toks}
	}
	return [][]tok{withBOM(v.toks, "\xff\xfe"), withBOM(v.toks, "\ufeff")}
}

func withBOM(ts []tok, bom string) []tok {
	i := 0
	if len(ts) > 0 && ts[0].kind == tokStar { // contains came after
		i = 1
	}
	out := slices.Clone(ts[:i])
	out = append(out, tok{tokLit, bom})
	return append(out, ts[i:]...)
}

func utf16Val(v strVal, big bool) strVal {
	out := strVal{toks: make([]tok, len(v.toks))}
	for i, t := range v.toks {
		if t.kind == tokLit {
			var b []byte
			for _, u := range utf16.Encode([]rune(t.text)) {
				if big {
					b = append(b, byte(u>>8), byte(u))
				} else {
					b = append(b, byte(u), byte(u>>8))
				}
			}
			t.text = string(b)
		}
		out.toks[i] = t
	}
	return out
}

func plainBytes(v strVal) ([]byte, error) {
	if hasWild(v.toks) {
		return nil, fmt.Errorf("a value with wildcards cannot be encoded")
	}
	s := plain(v.toks)
	if v.bom {
		s = "\xff\xfe" + s
	}
	return []byte(s), nil
}

func base64Val(v strVal) ([]strVal, error) {
	b, err := plainBytes(v)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, fmt.Errorf("an empty value cannot be encoded")
	}
	return []strVal{{toks: []tok{{tokLit, base64.StdEncoding.EncodeToString(b)}}}}, nil
}

// base64Offset gives the three strings of which one occurs wherever the value stands in encoded data: shifted by zero to two
// bytes, without the characters that depend on what stands before and after.
func base64Offset(v strVal) ([]strVal, error) {
	b, err := plainBytes(v)
	if err != nil {
		return nil, err
	}
	start := [3]int{0, 2, 3}
	cut := [3]int{0, 3, 2}
	out := make([]strVal, 3)
	for i := range out {
		enc := base64.StdEncoding.EncodeToString(append(make([]byte, i, i+len(b)), b...))
		from, to := start[i], len(enc)-cut[(len(b)+i)%3]
		if to <= from {
			return nil, fmt.Errorf("the value is too short to be recognised in base64")
		}
		out[i] = strVal{toks: []tok{{tokLit, enc[from:to]}}}
	}
	return out, nil
}

const dashes = "-/\u2013\u2014\u2015"

// windash replaces each dash that begins a word with each of the five characters (modifiers appendix, "windash").
func windash(v strVal) ([]strVal, error) {
	outs := []strVal{{bom: v.bom}}
	for _, t := range v.toks {
		if t.kind != tokLit {
			for i := range outs {
				outs[i].toks = append(slices.Clip(outs[i].toks), t)
			}
			continue
		}
		pieces := []string{""} // the text cut at the dashes to replace
		prev := rune(-1)
		for i, r := range t.text {
			next, _ := utf8.DecodeRuneInString(t.text[i+utf8.RuneLen(r):])
			if strings.ContainsRune(dashes, r) && (prev < 0 || !wordRune(prev)) && wordRune(next) {
				pieces = append(pieces, "")
			} else {
				pieces[len(pieces)-1] += string(r)
			}
			prev = r
		}
		alts := []string{pieces[0]}
		for _, p := range pieces[1:] {
			var n []string
			for _, a := range alts {
				for _, d := range dashes {
					n = append(n, a+string(d)+p)
				}
			}
			if alts = n; len(alts) > maxExpansion {
				return nil, fmt.Errorf("too many dashes")
			}
		}
		if len(outs)*len(alts) > maxExpansion {
			return nil, fmt.Errorf("too many dashes")
		}
		var n []strVal
		for _, o := range outs {
			for _, a := range alts {
				n = append(n, strVal{append(slices.Clip(slices.Clone(o.toks)), tok{tokLit, a}), o.bom})
			}
		}
		outs = n
	}
	return outs, nil
}

func wordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) && r != utf8.RuneError || unicode.IsDigit(r)
}

// expandVal replaces %name% by the values given, or by a wildcard where the values are nil; \% is a plain percent sign.
func expandVal(v strVal, known map[string][]string) ([]strVal, error) {
	outs := []strVal{{bom: v.bom}}
	add := func(alts ...[]tok) error {
		if len(outs)*len(alts) > maxExpansion {
			return fmt.Errorf("more than %d strings", maxExpansion)
		}
		var n []strVal
		for _, o := range outs {
			for _, a := range alts {
				n = append(n, strVal{append(slices.Clone(o.toks), a...), o.bom})
			}
		}
		outs = n
		return nil
	}
	for _, t := range v.toks {
		if t.kind != tokLit {
			if err := add([]tok{t}); err != nil {
				return nil, err
			}
			continue
		}
		s, acc := t.text, ""
		for s != "" {
			switch i := strings.IndexByte(s, '%'); {
			case i < 0:
				acc, s = acc+s, ""
			case i > 0 && s[i-1] == '\\':
				acc, s = acc+s[:i-1]+"%", s[i+1:]
			default:
				end := strings.IndexByte(s[i+1:], '%')
				if end <= 0 {
					acc, s = acc+s[:i+1], s[i+1:]
					continue
				}
				name := s[i+1 : i+1+end]
				acc += s[:i]
				if acc != "" {
					if err := add([]tok{{tokLit, acc}}); err != nil {
						return nil, err
					}
					acc = ""
				}
				s = s[i+end+2:]
				vals, ok := known[name]
				var alts [][]tok
				switch {
				case !ok:
					alts = [][]tok{{{tokHole, name}}}
				case vals == nil:
					alts = [][]tok{{{kind: tokStar}}}
				default:
					for _, val := range vals {
						alts = append(alts, parsePattern(val))
					}
				}
				if err := add(alts...); err != nil {
					return nil, err
				}
			}
		}
		if acc != "" {
			if err := add([]tok{{tokLit, acc}}); err != nil {
				return nil, err
			}
		}
	}
	return outs, nil
}
