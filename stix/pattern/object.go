package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Observation is what was observed at one time or over one span.
type Observation struct {
	First  time.Time // first_observed
	Last   time.Time // last_observed; the zero Time means First
	Number int       // number_observed; 0 means 1
	// Objects are the cyber-observables by id, each decoded to a map with its
	// "type". Numbers may be json.Number, float64, int or int64. The ids are what
	// references (src_ref) hold.
	Objects map[string]map[string]any
}

// test decides a condition on one object.
type test interface {
	holds(obj map[string]any, env *Observation) bool
}

type all []test
type anyOf []test

func (t all) holds(obj map[string]any, env *Observation) bool {
	for _, sub := range t {
		if !sub.holds(obj, env) {
			return false
		}
	}
	return true
}

func (t anyOf) holds(obj map[string]any, env *Observation) bool {
	for _, sub := range t {
		if sub.holds(obj, env) {
			return true
		}
	}
	return false
}

// compareTest is one comparison, ready to run.
type compareTest struct {
	path  Path
	not   bool
	op    Op
	value Const
	set   []Const
	match func(string) bool // of LIKE and MATCHES
	block netip.Prefix      // of ISSUBSET and ISSUPERSET
}

func (t *compareTest) holds(obj map[string]any, env *Observation) bool {
	if typ, _ := obj["type"].(string); typ != t.path.Type {
		return false
	}
	if t.op == Exists {
		return walk(obj, t.path.Steps, env, func(any, string) bool { return true }) != t.not
	}
	return walk(obj, t.path.Steps, env, func(v any, key string) bool { return t.compare(v, key) != t.not })
}

// walk calls f for each value that steps lead to until f returns true. key is
// the last key passed. A reference with steps after it is followed within env.
func walk(v any, steps []Step, env *Observation, f func(v any, key string) bool) bool {
	key := ""
	for i, s := range steps {
		if id, ok := v.(string); ok {
			obj, found := env.Objects[id]
			if !found || !strings.HasSuffix(key, "_ref") && !strings.HasSuffix(key, "_refs") {
				return false
			}
			v = obj
		}
		switch {
		case s.Index == AnyItem:
			rest := steps[i+1:]
			next := func(item any) bool {
				if id, ok := item.(string); ok && len(rest) > 0 {
					obj, found := env.Objects[id]
					if !found || !strings.HasSuffix(key, "_refs") {
						return false
					}
					item = obj
				}
				if len(rest) == 0 {
					return f(item, key)
				}
				return walk(item, rest, env, f)
			}
			switch list := v.(type) {
			case []any:
				for _, item := range list {
					if next(item) {
						return true
					}
				}
			case map[string]any: // of a dictionary, as in hashes[*]
				for _, item := range list {
					if next(item) {
						return true
					}
				}
			}
			return false
		case s.Index >= 0:
			list, ok := v.([]any)
			if !ok || s.Index >= len(list) {
				return false
			}
			v = list[s.Index]
		default:
			m, ok := v.(map[string]any)
			if !ok {
				return false
			}
			if v, ok = m[s.Key]; !ok {
				return false
			}
			key = s.Key
		}
	}
	return v != nil && f(v, key)
}

func (t *compareTest) compare(v any, key string) bool {
	switch t.op {
	case Eq:
		return order(v, key, &t.value) == 0
	case Ne:
		return order(v, key, &t.value) != 0
	case In:
		for i := range t.set {
			if order(v, key, &t.set[i]) == 0 {
				return true
			}
		}
		return false
	case Like, Matches:
		s, ok := v.(string)
		return ok && t.match(s)
	case IsSubset, IsSuperset:
		s, ok := v.(string)
		if !ok {
			return false
		}
		block, ok := parseBlock(s)
		if !ok {
			return false
		}
		if t.op == IsSubset {
			return contains(t.block, block)
		}
		return contains(block, t.block)
	}
	c := order(v, key, &t.value)
	if c == unordered {
		return false
	}
	switch t.op {
	case Lt:
		return c < 0
	case Le:
		return c <= 0
	case Gt:
		return c > 0
	}
	return c >= 0
}

// unordered says that two values can't be compared, and so are unequal.
const unordered = 2

// order compares the property v, whose name is key, with the constant c.
func order(v any, key string, c *Const) int {
	switch c.Kind {
	case String:
		if s, ok := v.(string); ok {
			return strings.Compare(s, c.Text)
		}
	case Bool:
		if b, ok := v.(bool); ok && b == c.Bool {
			return 0
		}
	case Int, Float:
		return orderNumber(v, c)
	case Timestamp:
		if s, ok := v.(string); ok {
			if t, reason := parseTime(s); reason == "" {
				return t.Compare(c.Time)
			}
		}
	case Hex, Binary:
		if s, ok := v.(string); ok {
			if b, ok := octets(s, key, c.Kind); ok {
				return strings.Compare(string(b), string(c.Bytes))
			}
		}
	}
	return unordered
}

// octets gives the bytes that a string property stands for: by its name
// (_hex, _bin), else by the kind of constant it is compared with when it has
// that form, else its text.
func octets(s, key string, kind ConstKind) ([]byte, bool) {
	switch {
	case strings.HasSuffix(key, "_hex"):
		b, err := hex.DecodeString(s)
		return b, err == nil
	case strings.HasSuffix(key, "_bin"):
		b, err := base64.StdEncoding.DecodeString(s)
		return b, err == nil
	case kind == Hex:
		if b, err := hex.DecodeString(s); err == nil {
			return b, true
		}
	case kind == Binary:
		if b, err := base64.StdEncoding.DecodeString(s); err == nil {
			return b, true
		}
	}
	return []byte(s), true
}

func orderNumber(v any, c *Const) int {
	var f float64
	switch n := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
			return orderInt(i, c)
		}
		var err error
		if f, err = strconv.ParseFloat(string(n), 64); err != nil {
			return unordered
		}
	case float64:
		f = n
	case int:
		return orderInt(int64(n), c)
	case int64:
		return orderInt(n, c)
	default:
		return unordered
	}
	switch {
	case math.IsNaN(f):
		return unordered
	case f < c.Float:
		return -1
	case f > c.Float:
		return 1
	}
	return 0
}

func orderInt(i int64, c *Const) int {
	if c.Kind == Int { // exact beyond 2^53
		switch {
		case i < c.Int:
			return -1
		case i > c.Int:
			return 1
		}
		return 0
	}
	switch f := float64(i); {
	case f < c.Float:
		return -1
	case f > c.Float:
		return 1
	}
	return 0
}

// parseBlock reads an address or a CIDR block. Host bits of a block are cleared.
func parseBlock(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') >= 0 {
		p, err := netip.ParsePrefix(s)
		return p.Masked(), err == nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func contains(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
