package taxiitest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func add(t *testing.T, tg *Target) {
	// Exact bytes come back: white space, order, escapes, precision, unknown
	// properties and numbers that no float holds.
	odd := `{ "x_ours" : 12345678901234567890.10, "name":"\u00e9\ud83d\ude00 / \/ é", "modified":"2027-01-01T00:00:00.123456789Z",` +
		"\n" + `"created":"2027-01-01T00:00:00Z","id":"` + ID("indicator", 1) + `","spec_version":"2.1","type":"indicator" }`
	ok, failed := tg.Post(t, tg.ReadWrite, odd)
	if len(ok) != 1 || len(failed) != 0 {
		t.Fatalf("verdicts: %v %v", ok, failed)
	}
	a := tg.Get(t, Objects(tg.ReadWrite, ""))
	if len(a.Objects) != 1 || string(a.Objects[0]) != odd {
		t.Errorf("bytes changed:\n got %s\nwant %s", a.Raw, odd)
	}
	// An exact duplicate is no error and no new item.
	last := a.Header.Get("X-TAXII-Date-Added-Last")
	if ok, failed := tg.Post(t, tg.ReadWrite, odd); len(ok) != 1 || len(failed) != 0 {
		t.Errorf("duplicate: %v %v", ok, failed)
	}
	if a := tg.Get(t, Objects(tg.ReadWrite, "?match[version]=all")); len(a.Objects) != 1 || a.Header.Get("X-TAXII-Date-Added-Last") != last {
		t.Errorf("a duplicate was added: %s", a.Raw)
	}
	// Neither is one twice in an envelope.
	if ok, failed := tg.Post(t, tg.ReadWrite, SDO("tool", 2, 1), SDO("tool", 2, 1)); len(ok) != 2 || len(failed) != 0 {
		t.Errorf("twice in one envelope: %v %v", ok, failed)
	}
	// A bundle in the envelope's place is what some clients send.
	b := tg.Do(t, Request{Method: "POST", Path: tg.Root + Objects(tg.ReadWrite, ""),
		Body: `{"type":"bundle","id":"` + ID("bundle", 1) + `","objects":[` + SDO("malware", 3, 1) + `]}`})
	want(t, b, 202, "bundle")
	if tg.Settle != nil {
		tg.Settle()
	}
	if a := tg.Get(t, Objects(tg.ReadWrite, "?match[type]=malware")); len(a.Objects) != 1 {
		t.Errorf("after a bundle: %s", a.Raw)
	}
}

func refusedBodies(t *testing.T, tg *Target) {
	one := SDO("indicator", 1, 1)
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"empty":                  {"", 422},
		"not JSON":               {"objects", 422},
		"array":                  {"[" + one + "]", 422},
		"no objects":             {"{}", 422},
		"empty objects":          {`{"objects":[]}`, 422},
		"objects no array":       {`{"objects":` + one + `}`, 422},
		"objects twice":          {`{"objects":[` + one + `],"objects":[` + one + `]}`, 422},
		"objects twice, escaped": {`{"objects":[` + one + `],"\u006fbjects":[` + one + `]}`, 422},
		"cut off":                {`{"objects":[` + one[:40], 422},
		"cut off after":          {`{"objects":[` + one, 422},
		"trailing comma":         {`{"objects":[` + one + `,]}`, 422},
		"text after":             {`{"objects":[` + one + `]} x`, 422},
		"single quotes":          {`{'objects':[]}`, 422},
		"control character":      {"{\"objects\":[{\"type\":\"a\nb\"}]}", 422},
		"deep nesting":           {`{"objects":` + strings.Repeat("[", 100_000), 422},
		"too long":               {`{"objects":[` + one + strings.Repeat(" ", tg.MaxContentLength) + `]}`, 413},
	} {
		a := tg.Do(t, Request{Method: "POST", Path: tg.Root + Objects(tg.ReadWrite, ""), Body: c.body})
		want(t, a, c.code, name)
	}
	pad := tg.MaxContentLength - len(`{"objects":[]}`) - len(one)
	want(t, tg.Do(t, Request{Method: "POST", Path: tg.Root + Objects(tg.ReadWrite, ""),
		Body: `{"objects":[` + one + strings.Repeat(" ", pad) + `]}`}), 202, "just within max_content_length")
	want(t, tg.Do(t, Request{Method: "POST", Path: tg.Root + Objects(tg.ReadWrite, ""), Body: `{"objects":[` + one + `]}`,
		Header: map[string]string{"Content-Encoding": "gzip"}}), 415, "Content-Encoding")
}

func oneBad(t *testing.T, tg *Target) {
	deep := `{"type":"indicator","id":"` + ID("indicator", 9) + `","x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`
	for name, bad := range map[string]string{
		"no id":             `{"type":"indicator"}`,
		"no type":           `{"id":"` + ID("indicator", 9) + `"}`,
		"empty":             `{}`,
		"a string":          `"indicator"`,
		"null":              `null`,
		"an array":          `[[],[1,{"a":[]}]]`,
		"id of another":     `{"type":"malware","id":"` + ID("indicator", 9) + `"}`,
		"id is no UUID":     `{"type":"indicator","id":"indicator--9"}`,
		"id is a path":      `{"type":"indicator","id":"indicator--../../../../../../../../../../../.."}`,
		"id is a number":    `{"type":"indicator","id":9}`,
		"id twice":          `{"type":"indicator","id":"` + ID("indicator", 9) + `","id":"` + ID("indicator", 8) + `"}`,
		"id twice, escaped": `{"type":"indicator","id":"` + ID("indicator", 9) + `","\u0069d":"` + ID("indicator", 8) + `"}`,
		"bad modified":      `{"type":"indicator","id":"` + ID("indicator", 9) + `","modified":"today"}`,
		"modified local":    `{"type":"indicator","id":"` + ID("indicator", 9) + `","modified":"2027-01-01T00:00:00+01:00"}`,
		"bad spec":          `{"type":"indicator","spec_version":"9.9","id":"` + ID("indicator", 9) + `"}`,
		"a bundle":          `{"type":"bundle","id":"` + ID("bundle", 9) + `"}`,
		"too deep":          deep,
		"not UTF-8":         `{"type":"indicator","id":"` + ID("indicator", 9) + `","name":"` + "\xff" + `"}`,
		"other content":     strings.Replace(SDO("indicator", 1, 1), `"n1"`, `"n1, changed"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			good := make([]string, 0, 1000)
			for n := range 999 {
				good = append(good, SDO("indicator", n, 1))
			}
			ok, failed := tg.Post(t, tg.ReadWrite, slices.Insert(good, 500, bad)...)
			if len(ok) != 999 || len(failed) != 1 {
				t.Fatalf("%d landed, failed: %v", len(ok), failed)
			}
			if _, reason, _ := strings.Cut(failed[0], ": "); reason == "" {
				t.Errorf("no reason: %q", failed[0])
			}
		})
	}
	if got := tg.Walk(t, Objects(tg.ReadWrite, ""), "limit=100&match[version]=all", nil); len(got) != 999 {
		t.Errorf("the collection holds %d objects", len(got))
	}
}

func object(t *testing.T, tg *Target) {
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1), SDO("indicator", 1, 2), SDO("indicator", 2, 1))
	id := ID("indicator", 1)
	for _, c := range []struct {
		path string
		code int
		want []string
	}{
		{id + "/", 200, []string{id + "@" + Version(2)}},
		{id + "/?match[version]=all", 200, []string{id + "@" + Version(1), id + "@" + Version(2)}},
		{id + "/?match[version]=" + Version(1), 200, []string{id + "@" + Version(1)}},
		{id + "/?match[version]=" + Version(9), 404, nil},
		{id + "/?match[spec_version]=2.0", 200, []string{}},
		{id + "/?match[type]=malware", 200, []string{id + "@" + Version(2)}}, // no filter of this endpoint
		{id + "/?added_after=2999-01-01T00:00:00Z", 200, []string{}},
		{id + "/?match[version]=newest", 400, nil},
		{ID("indicator", 3) + "/", 404, nil},
		{ID("indicator", 3) + "/?match[version]=all", 404, nil},
		{ID("indicator", 3) + "/?added_after=2999-01-01T00:00:00Z", 404, nil},
		{"x/", 404, nil},
		{"%2e%2e/", 404, nil},
	} {
		a := tg.Get(t, Objects(tg.ReadWrite, c.path))
		want(t, a, c.code, c.path)
		if c.want != nil && !slices.Equal(a.IDs(), c.want) {
			t.Errorf("%s: %v, want %v", c.path, a.IDs(), c.want)
		}
	}
	if got := tg.Walk(t, Objects(tg.ReadWrite, id+"/"), "match[version]=all&limit=1", nil); len(got) != 2 {
		t.Errorf("one by one: %v", got)
	}
}

func remove(t *testing.T, tg *Target) {
	id := ID("indicator", 1)
	fill := func() {
		tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1), SDO("indicator", 1, 2), SDO("indicator", 1, 3), SDO("indicator", 2, 1))
	}
	del := func(path string) *Answer {
		return tg.Do(t, Request{Method: "DELETE", Path: tg.Root + Objects(tg.ReadWrite, path)})
	}
	left := func() []string { return tg.Get(t, "collections/"+tg.ReadWrite+"/manifest/?match[version]=all").IDs() }
	v := func(n, s int) string { return ID("indicator", n) + "@" + Version(s) }
	for _, c := range []struct {
		query string
		code  int
		left  []string
	}{
		{"", 200, []string{v(2, 1)}},
		{"?match[version]=all", 200, []string{v(2, 1)}},
		{"?match[version]=last", 200, []string{v(1, 1), v(1, 2), v(2, 1)}},
		{"?match[version]=first", 200, []string{v(1, 2), v(1, 3), v(2, 1)}},
		{"?match[version]=" + Version(2), 200, []string{v(1, 1), v(1, 3), v(2, 1)}},
		{"?match[spec_version]=2.0", 404, []string{v(1, 1), v(1, 2), v(1, 3), v(2, 1)}},
		{"?match[version]=" + Version(9), 404, []string{v(1, 1), v(1, 2), v(1, 3), v(2, 1)}},
		// A filter that can't be understood must not delete everything.
		{"?match[name]=x", 400, []string{v(1, 1), v(1, 2), v(1, 3), v(2, 1)}},
		{"?added_after=2027-01-01T00:00:00Z", 400, []string{v(1, 1), v(1, 2), v(1, 3), v(2, 1)}},
		{"?version=" + Version(2), 400, []string{v(1, 1), v(1, 2), v(1, 3), v(2, 1)}},
	} {
		fill()
		want(t, del(id+"/"+c.query), c.code, "DELETE "+c.query)
		got, wanted := left(), slices.Clone(c.left)
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("after DELETE %s: %v, want %v", c.query, got, c.left)
		}
		del(id + "/")
		del(ID("indicator", 2) + "/")
	}
	fill()
	del(id + "/?match[version]=" + Version(2))
	want(t, tg.Get(t, Objects(tg.ReadWrite, id+"/?match[version]="+Version(2))), 404, "a deleted version")
	want(t, del(id+"/"), 200, "DELETE")
	want(t, tg.Get(t, Objects(tg.ReadWrite, id+"/")), 404, "a deleted object")
	want(t, tg.Get(t, Objects(tg.ReadWrite, id+"/versions/")), 404, "a deleted object's versions")
	want(t, del(id+"/"), 404, "DELETE again")
}

func versions(t *testing.T, tg *Target) {
	var all []string
	for s := 1; s <= 5; s++ {
		tg.Post(t, tg.ReadWrite, SDO("indicator", 1, s))
		all = append(all, Version(s))
	}
	path := Objects(tg.ReadWrite, ID("indicator", 1)+"/versions/")
	if a := tg.Get(t, path); !slices.Equal(a.Versions, all) || a.More {
		t.Errorf("versions: %s", a.Raw)
	}
	var got []string
	next := ""
	for range 5 {
		a := tg.Get(t, path+"?limit=2"+next)
		got = append(got, a.Versions...)
		if next = "&next=" + a.Next; !a.More {
			break
		}
	}
	if !slices.Equal(got, all) {
		t.Errorf("two by two: %v", got)
	}
	if a := tg.Get(t, path+"?match[spec_version]=2.0"); a.Code != 200 || strings.TrimSpace(a.Raw) != "{}" {
		t.Errorf("no version matches: %d %s", a.Code, a.Raw)
	}
	want(t, tg.Get(t, Objects(tg.ReadWrite, ID("indicator", 7)+"/versions/")), 404, "versions of an unknown object")
	sco := `{"type":"ipv4-addr","id":"` + ID("ipv4-addr", 5) + `","value":"192.0.2.5"}`
	tg.Post(t, tg.ReadWrite, sco)
	if a := tg.Get(t, Objects(tg.ReadWrite, ID("ipv4-addr", 5)+"/versions/")); len(a.Versions) != 1 {
		t.Errorf("an object without versions: %s", a.Raw)
	}
}

func hidden(t *testing.T, tg *Target) {
	absent := "99999999-9999-4999-8999-999999999999"
	id := ID("indicator", 1)
	for _, method := range []string{"GET", "POST", "DELETE", "PUT"} {
		for _, path := range []string{"", "objects/", "objects/?limit=0", "objects/" + id + "/", "objects/" + id + "/versions/", "manifest/"} {
			q := func(c string) *Answer {
				r := Request{Method: method, Path: tg.Root + "collections/" + c + "/" + path}
				if method == "POST" {
					r.Body = `{"objects":[` + SDO("indicator", 1, 1) + `]}`
				}
				a := tg.Do(t, r)
				a.Header.Del("Date")
				return a
			}
			h, a := q(tg.Hidden), q(absent)
			if h.Code != a.Code || h.Raw != a.Raw || fmt.Sprint(h.Header) != fmt.Sprint(a.Header) {
				t.Errorf("%s %s: hidden %d %v %s, absent %d %v %s", method, path, h.Code, h.Header, h.Raw, a.Code, a.Header, a.Raw)
			}
		}
	}
	if a := tg.Get(t, "collections/"); strings.Contains(a.Raw, tg.Hidden) {
		t.Error("the list names a hidden collection")
	}
}

func boundCursors(t *testing.T, tg *Target) {
	for n := range 4 {
		tg.Post(t, tg.ReadWrite, SDO("indicator", n, 1))
	}
	next := tg.Get(t, Objects(tg.ReadWrite, "?limit=1&match[type]=indicator,malware")).Next
	col := "collections/" + tg.ReadWrite + "/"
	for path, code := range map[string]int{
		col + "objects/?limit=2&match[type]=indicator,malware":                          200,
		col + "objects/?match[type]=malware,indicator":                                  200, // the same set
		col + "objects/?match[type]=indicator,malware&added_after=2020-01-01T00:00:00Z": 200,
		col + "objects/?limit=1":                                                        400,
		col + "objects/?match[type]=indicator":                                          400,
		col + "objects/?match[type]=indicator,malware&match[version]=all":               400,
		col + "manifest/?match[type]=indicator,malware":                                 400,
		"collections/" + tg.ReadOnly + "/objects/?match[type]=indicator,malware":        400,
	} {
		want(t, tg.Get(t, path+"&next="+next), code, "next at "+path)
	}
	for i := range next {
		c := byte('A')
		if next[i] == c {
			c = 'B'
		}
		forged := next[:i] + string(c) + next[i+1:]
		want(t, tg.Get(t, col+"objects/?match[type]=indicator,malware&next="+forged), 400, "forged next")
	}
	if tg.Other != nil {
		r := Request{Path: tg.Root + col + "objects/?match[type]=indicator,malware&next=" + next, As: tg.Other}
		want(t, tg.Do(t, r), 400, "another reader's next")
	}
}
