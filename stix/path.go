package stix

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Lookup gives the bytes of the value at path, as written. A path names
// properties with dots and list items with brackets:
// external_references[0].hashes.'SHA-256'. Names that hold a dot, bracket or
// quote stand in single quotes, with \' and \\ escaped; the granular-marking
// form external_references.[0] is read too.
func (o *Object) Lookup(path string) ([]byte, bool) {
	steps, ok := splitPath(path)
	if !ok {
		return nil, false
	}
	return lookup(o.Raw, steps)
}

// String gives the text of the string at path.
func (o *Object) String(path string) (string, bool) {
	v, ok := o.Lookup(path)
	if !ok || len(v) < 2 || v[0] != '"' {
		return "", false
	}
	return string(unescape(nil, v[1:len(v)-1])), true
}

// Strings gives the strings of the list at path, other items left out; a
// string at path counts as a list of one.
func (o *Object) Strings(path string) []string {
	v, ok := o.Lookup(path)
	if !ok || len(v) < 2 {
		return nil
	}
	if v[0] == '"' {
		return []string{string(unescape(nil, v[1:len(v)-1]))}
	}
	if v[0] != '[' {
		return nil
	}
	var out []string
	for i := skipSpace(v, 1); i < len(v) && v[i] != ']'; {
		end := skipValue(v, i)
		if end <= i {
			return nil
		}
		if v[i] == '"' {
			out = append(out, string(unescape(nil, v[i+1:end-1])))
		}
		if i = skipSpace(v, end); i < len(v) && v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
	return out
}

// Tree decodes the whole object: map[string]any, []any, string, [json.Number],
// bool and nil. Numbers stay text, so none is rounded.
func (o *Object) Tree() (any, error) {
	lim := DefaultLimits
	lim.Bytes, lim.Depth = max(lim.Bytes, len(o.Raw)), 1024
	lim.Nodes, lim.String = max(lim.Nodes, len(o.Raw)), max(lim.String, len(o.Raw))
	d, err := scan(o.Raw, lim)
	if err != nil {
		return nil, err
	}
	defer d.release()
	return d.tree(0), nil
}

func (d *doc) tree(i uint32) any {
	n := &d.nodes[i]
	switch n.kind {
	case kindTrue, kindFalse:
		return n.kind == kindTrue
	case kindNumber:
		return json.Number(d.raw[n.start:n.end])
	case kindString:
		return string(d.text(i))
	case kindArray:
		a := make([]any, 0, n.count)
		for c := d.first(i); c != 0; c = d.nodes[c].next {
			a = append(a, d.tree(c))
		}
		return a
	case kindObject:
		m := make(map[string]any, n.count)
		for c := d.first(i); c != 0; c = d.nodes[c].next {
			m[d.key(c)] = d.tree(c)
		}
		return m
	}
	return nil
}

// step of a path: a name, or an index when name is "" and index >= 0.
type step struct {
	name  string
	index int // -1 for a name
}

func splitPath(p string) ([]step, bool) {
	var steps []step
	for i := 0; i < len(p); {
		switch p[i] {
		case '.':
			if i++; i == len(p) || i == 1 {
				return nil, false
			}
		case '[':
			end := strings.IndexByte(p[i:], ']')
			if end < 0 {
				return nil, false
			}
			n, err := strconv.Atoi(p[i+1 : i+end])
			if err != nil || n < 0 {
				return nil, false
			}
			steps = append(steps, step{index: n})
			i += end + 1
		case '\'':
			var name []byte
			for i++; i < len(p) && p[i] != '\''; i++ {
				if p[i] == '\\' && i+1 < len(p) {
					i++
				}
				name = append(name, p[i])
			}
			if i == len(p) {
				return nil, false
			}
			steps = append(steps, step{name: string(name), index: -1})
			i++
		default:
			end := strings.IndexAny(p[i:], ".[")
			if end < 0 {
				end = len(p) - i
			}
			steps = append(steps, step{name: p[i : i+end], index: -1})
			i += end
		}
	}
	return steps, len(steps) > 0
}

// lookup walks bytes that a scan has accepted. On bytes that are no JSON it
// finds nothing or something, and stays within them.
func lookup(raw []byte, steps []step) ([]byte, bool) {
	i := skipSpace(raw, 0)
	for _, s := range steps {
		if i >= len(raw) {
			return nil, false
		}
		found := false
		switch {
		case raw[i] == '{' && s.index < 0:
			for i = skipSpace(raw, i+1); i < len(raw) && raw[i] == '"'; {
				end := skipString(raw, i)
				if end < 0 {
					return nil, false
				}
				name := raw[i+1 : end-1]
				i = skipSpace(raw, end)
				if i >= len(raw) || raw[i] != ':' {
					return nil, false
				}
				i = skipSpace(raw, i+1)
				if nameIs(name, s.name) {
					found = true
					break
				}
				if end = skipValue(raw, i); end <= i {
					return nil, false
				}
				if i = skipSpace(raw, end); i < len(raw) && raw[i] == ',' {
					i = skipSpace(raw, i+1)
				}
			}
		case raw[i] == '[' && s.index >= 0:
			i = skipSpace(raw, i+1)
			for k := 0; i < len(raw) && raw[i] != ']'; k++ {
				if k == s.index {
					found = true
					break
				}
				end := skipValue(raw, i)
				if end <= i {
					return nil, false
				}
				if i = skipSpace(raw, end); i < len(raw) && raw[i] == ',' {
					i = skipSpace(raw, i+1)
				}
			}
		}
		if !found {
			return nil, false
		}
	}
	end := skipValue(raw, i)
	if end <= i {
		return nil, false
	}
	return raw[i:end], true
}

func nameIs(written []byte, name string) bool {
	for _, c := range written {
		if c == '\\' {
			return string(unescape(nil, written)) == name
		}
	}
	return string(written) == name
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString gives the index after the string at i, -1 when it has no end.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		for i < len(b) && plain[b[i]] {
			i++
		}
		if i >= len(b) {
			break
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// skipValue gives the index after the value at i, -1 when it has no end.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return i
		}
		i++
	}
	return i
}
