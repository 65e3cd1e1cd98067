package sigma

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// compileRegex turns a Sigma regular expression into Go's. The specification's metacharacters (modifiers appendix, "Regular
// Expression") are all there; what it lists as unsupported (look-around, back-references) does not compile and is refused.
func compileRegex(src, flags string) (*regexp.Regexp, [][]lit, error) {
	if flags != "" {
		src = "(?" + flags + ")" + src
	}
	tree, err := syntax.Parse(src, syntax.Perl)
	if err != nil {
		return nil, nil, fmt.Errorf("regular expression %q: %w", src, err)
	}
	if dollar(tree) {
		src = tree.String()
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, nil, fmt.Errorf("regular expression %q: %w", src, err)
	}
	var gates [][]lit
	for _, c := range required(tree) {
		var gate []lit
		for _, s := range c {
			gate = append(gate, lit{litContains, s})
		}
		gates = append(gates, gate)
	}
	return re, gates, nil
}

// dollar rewrites $ to what it means in PCRE: the end, or before a newline at the end. It reports whether there was one.
func dollar(re *syntax.Regexp) bool {
	found := false
	for i, s := range re.Sub {
		if s.Op == syntax.OpEndText && s.Flags&syntax.WasDollar != 0 {
			re.Sub[i] = pcreEnd(s.Flags)
			found = true
		} else if dollar(s) {
			found = true
		}
	}
	if re.Op == syntax.OpEndText && re.Flags&syntax.WasDollar != 0 && len(re.Sub) == 0 {
		*re = *pcreEnd(re.Flags)
		return true
	}
	return found
}

func pcreEnd(flags syntax.Flags) *syntax.Regexp {
	flags &^= syntax.WasDollar
	nl := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{'\n'}, Flags: flags}
	return &syntax.Regexp{Op: syntax.OpConcat, Flags: flags, Sub: []*syntax.Regexp{
		{Op: syntax.OpQuest, Sub: []*syntax.Regexp{nl}, Flags: flags},
		{Op: syntax.OpEndText, Flags: flags},
	}}
}

const (
	maxGateLits = 24 // more alternatives than this are no useful gate
	maxGates    = 6  // clauses kept of one expression
)

// required returns clauses of folded literals: of every clause, each match contains at least one literal.
func required(re *syntax.Regexp) [][]string {
	switch re.Op {
	case syntax.OpLiteral:
		return usable([]string{foldRunes(re.Rune)})
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpCharClass:
		if s, ok := single(re); ok {
			return usable([]string{s})
		}
	case syntax.OpAlternate:
		var all []string
		for _, s := range re.Sub {
			r := required(s)
			if r == nil {
				return nil
			}
			all = append(all, slices.MaxFunc(r, func(a, b []string) int { return gateScore(a) - gateScore(b) })...)
		}
		return usable(all)
	case syntax.OpConcat:
		var out [][]string
		run := ""
		for _, s := range re.Sub {
			if lit, ok := single(s); ok {
				run += lit
				continue
			}
			out = append(out, usable([]string{run})...)
			run = ""
			out = append(out, required(s)...)
		}
		out = append(out, usable([]string{run})...)
		slices.SortStableFunc(out, func(a, b []string) int { return gateScore(b) - gateScore(a) })
		return out[:min(len(out), maxGates)]
	}
	return nil
}

// single returns the one folded string that re matches, if it matches only one.
func single(re *syntax.Regexp) (string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		return foldRunes(re.Rune), true
	case syntax.OpCapture:
		return single(re.Sub[0])
	case syntax.OpCharClass:
		var f rune = -1
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if re.Rune[i+1]-re.Rune[i] > 4 {
				return "", false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if c := foldRune(r); f >= 0 && c != f {
					return "", false
				} else {
					f = c
				}
			}
		}
		if f < 0 {
			return "", false
		}
		return string(f), true
	}
	return "", false
}

// usable returns c as the only clause if it narrows anything.
func usable(c []string) [][]string {
	if len(c) == 0 || len(c) > maxGateLits {
		return nil
	}
	for _, s := range c {
		// U+FFFD also stands for bytes that are not UTF-8, so it cannot be looked for
		if s == "" || len(s) == 1 && !strings.Contains("`^{}+<>|&!;#@~$", s) || containsRune(s, utf8.RuneError) {
			return nil
		}
	}
	return [][]string{c}
}

func containsRune(s string, want rune) bool {
	for _, r := range s {
		if r == want {
			return true
		}
	}
	return false
}

// gateScore prefers long literals, then few of them.
func gateScore(c []string) int {
	if len(c) == 0 {
		return 0
	}
	short := len(c[0])
	for _, s := range c {
		short = min(short, len(s))
	}
	return short*64 - len(c)
}

func foldRunes(rs []rune) string {
	b := make([]byte, 0, len(rs))
	for _, r := range rs {
		b = utf8.AppendRune(b, foldRune(r))
	}
	return string(b)
}
