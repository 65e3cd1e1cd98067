package taxii

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Limits of a query. What exceeds them is malformed (§3.4: 400).
const (
	maxQueryBytes   = 64 << 10
	maxFilterValues = 1000
	maxFilterBytes  = 320 // a STIX id is at most 250 + 2 + 36
)

// Versions is the match[version] filter (§3.4.1). With nothing set it means
// the latest version.
type Versions struct {
	First, Last, All bool
	At               []string // exact versions, compared with CompareVersions
}

// Query is what a Store is asked for: the items of one collection, in
// ascending order of their date_added.
//
// All fields but From and Limit say which items belong to the result; the
// result is a set that paging then walks. An item belongs to it if
//
//  1. it was added strictly after AddedAfter, and its id and type are among
//     IDs and Types (an empty list is no condition);
//  2. its spec_version is among SpecVersions or, if that is empty, is the
//     highest one among the items of the same id (§3.4.1);
//  3. Versions selects it among the items of the same id that pass 1 and 2.
//
// Query.Wants is that rule in Go.
type Query struct {
	Root       string // API root, as in the path
	Collection string // the collection's id, never its alias

	AddedAfter   Stamp // zero: no condition
	IDs          []string
	Types        []string
	SpecVersions []string
	Versions     Versions

	// From is where the page begins: only items added strictly after it.
	// Never below AddedAfter.
	From Stamp
	// Limit is how many items are needed at most, more than zero. A store may
	// yield more; the caller stops.
	Limit int
	// Bodies says whether Item.Body is wanted.
	Bodies bool
}

// Wants reports whether it belongs to the result, given all items of the same
// id in the collection that the reader may see, in any order.
func (q *Query) Wants(it *Item, same []*Item) bool {
	if !q.pass(it, same) {
		return false
	}
	v := &q.Versions
	if v.All {
		return true
	}
	for _, at := range v.At {
		if CompareVersions(at, it.Version) == 0 {
			return true
		}
	}
	last := v.Last || !v.First && len(v.At) == 0
	if !last && !v.First {
		return false
	}
	oldest, newest := true, true
	for _, other := range same {
		if other == it || !q.pass(other, same) {
			continue
		}
		switch c := CompareVersions(other.Version, it.Version); {
		case c < 0:
			oldest = false
		case c > 0:
			newest = false
		}
	}
	return v.First && oldest || last && newest
}

// pass is conditions 1 and 2.
func (q *Query) pass(it *Item, same []*Item) bool {
	if it.Added <= q.AddedAfter ||
		len(q.Types) > 0 && !slices.Contains(q.Types, it.Type) ||
		len(q.IDs) > 0 && !slices.Contains(q.IDs, it.ID) {
		return false
	}
	if len(q.SpecVersions) > 0 {
		return slices.Contains(q.SpecVersions, it.SpecVersion)
	}
	for _, other := range same {
		if other.SpecVersion > it.SpecVersion {
			return false
		}
	}
	return true
}

// query is a parsed query string.
type query struct {
	Query
	next     string
	filtered bool // anything but limit was given
	exact    bool // match[version] names versions and nothing else was given
}

// parseQuery reads the query parameters of an endpoint that understands the
// given match fields. strict refuses any other parameter (DELETE: ignoring a
// filter would delete more than was asked for); otherwise unknown ones are
// ignored, as §3.4 allows. limit is cut to max; absent it becomes page.
func parseQuery(raw string, fields []string, strict bool, page, max int) (*query, error) {
	if len(raw) > maxQueryBytes {
		return nil, fmt.Errorf("query of more than %d bytes", maxQueryBytes)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("query string is not well formed")
	}
	q := &query{}
	q.Limit = page
	conditions := 0
	for name, list := range values {
		var err error
		field := ""
		if f, ok := strings.CutPrefix(name, "match["); ok && strings.HasSuffix(f, "]") {
			field = f[:len(f)-1]
		}
		known := field != "" && slices.Contains(fields, field) ||
			!strict && (name == "added_after" || name == "limit" || name == "next")
		if !known {
			if strict {
				return nil, fmt.Errorf("%.40q is not a parameter of this endpoint", name)
			}
			continue
		}
		if len(list) > 1 {
			return nil, fmt.Errorf("%s is given more than once", name)
		}
		value := list[0]
		if name != "limit" && !(name == "next" && value == "") {
			q.filtered = true
			conditions++
		}
		switch name {
		case "added_after":
			t, perr := ParseTime(value)
			if perr != nil {
				return nil, fmt.Errorf("added_after: %w", perr)
			}
			q.AddedAfter = StampOf(t)
		case "limit":
			q.Limit, err = parseLimit(value, max)
		case "next":
			q.next = value
		case "match[id]":
			q.IDs, err = matchValues(value)
		case "match[type]":
			q.Types, err = matchValues(value)
		case "match[spec_version]":
			q.SpecVersions, err = matchValues(value)
		case "match[version]":
			err = q.parseVersions(value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	v := &q.Versions
	q.exact = conditions == 1 && len(v.At) > 0 && !v.First && !v.Last
	q.From = q.AddedAfter
	return q, nil
}

func parseLimit(s string, max int) (int, error) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("not a whole number above zero")
		}
		if n <= max {
			n = n*10 + int(s[i]-'0')
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("not a whole number above zero")
	}
	return min(n, max), nil
}

func matchValues(s string) ([]string, error) {
	values := strings.Split(s, ",")
	if len(values) > maxFilterValues {
		return nil, fmt.Errorf("more than %d values", maxFilterValues)
	}
	for _, v := range values {
		if v == "" || len(v) > maxFilterBytes {
			return nil, fmt.Errorf("a value is empty or longer than %d bytes", maxFilterBytes)
		}
	}
	return values, nil
}

func (q *query) parseVersions(s string) error {
	values, err := matchValues(s)
	if err != nil {
		return err
	}
	v := &q.Versions
	for _, value := range values {
		duplicate := false
		switch value {
		case "first":
			duplicate, v.First = v.First, true
		case "last":
			duplicate, v.Last = v.Last, true
		case "all":
			duplicate, v.All = v.All, true
		default:
			if _, err := ParseTime(value); err != nil || !utcForm(value) {
				return fmt.Errorf("a value is neither first, last, all nor a STIX timestamp")
			}
			for _, at := range v.At {
				duplicate = duplicate || CompareVersions(at, value) == 0
			}
			v.At = append(v.At, value)
		}
		if duplicate {
			return fmt.Errorf("%s is given twice", value)
		}
	}
	if v.All && len(values) > 1 {
		return fmt.Errorf("all goes with no other value")
	}
	return nil
}
