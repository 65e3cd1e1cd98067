package taxiitest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Run checks a server. fresh makes a new target with empty collections.
func Run(t *testing.T, fresh func(t *testing.T) *Target) {
	for _, part := range []struct {
		name string
		run  func(*testing.T, *Target)
	}{
		{"§3.1 endpoints", endpoints},
		{"§1.6.8 content negotiation", negotiation},
		{"§1.6.9 authentication", authentication},
		{"§3.2 headers", headers},
		{"§3.4 malformed queries", malformed},
		{"§3.4 added_after", addedAfter},
		{"§3.4 limit and next", paging},
		{"§3.4.1 match", match},
		{"§3.4.1 match version", matchVersion},
		{"§4.1 discovery", discovery},
		{"§4.2 API root", apiRoot},
		{"§4.3 status", statuses},
		{"§5.1 collections", collections},
		{"§5.3 manifest", manifest},
		{"§5.4 permissions", permissions},
		{"§5.5 add", add},
		{"§5.5 refused bodies", refusedBodies},
		{"§5.5 one bad object", oneBad},
		{"§5.6 object", object},
		{"§5.7 delete", remove},
		{"§5.8 versions", versions},
		{"hidden as absent", hidden},
		{"cursors are bound", boundCursors},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, fresh(t)) })
	}
}

// want compares a status code.
func want(t testing.TB, a *Answer, code int, what string) {
	t.Helper()
	if a.Code != code {
		t.Errorf("%s: %d, want %d: %.300s", what, a.Code, code, a.Raw)
	}
}

func endpoints(t *testing.T, tg *Target) {
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1))
	col := tg.Root + "collections/" + tg.ReadWrite + "/"
	id := ID("indicator", 1)
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{"GET", tg.Discovery, 200},
		{"GET", tg.Root, 200},
		{"GET", tg.Root + "collections/", 200},
		{"GET", col, 200},
		{"GET", strings.TrimSuffix(col, "/"), 200}, // clients forget the slash
		{"GET", col + "objects/", 200},
		{"HEAD", col + "objects/", 200},
		{"GET", col + "manifest/", 200},
		{"GET", col + "objects/" + id + "/", 200},
		{"GET", col + "objects/" + id + "/versions/", 200},
		{"GET", tg.Root + "nowhere/", 404},
		{"GET", tg.Root + "collections/" + tg.ReadWrite + "/nowhere/", 404},
		{"GET", tg.Root + "/collections//", 404},
		{"GET", tg.Root + "collections/../collections/", 404},
		{"PUT", col + "objects/", 405},
		{"POST", col + "manifest/", 405},
		{"DELETE", col + "objects/", 405},
		{"POST", tg.Discovery, 405},
	} {
		a := tg.Do(t, Request{Method: c.method, Path: c.path})
		want(t, a, c.code, c.method+" "+c.path)
		if c.code == 405 && a.Header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", c.method, c.path)
		}
	}
}

func negotiation(t *testing.T, tg *Target) {
	for accept, code := range map[string]int{
		MediaType:                                                              200,
		"application/taxii+json":                                               200,
		"application/taxii+json; version=2.1":                                  200,
		`application/taxii+json;version="2.1"`:                                 200,
		"application/taxii+json;version=2.1;charset=utf-8":                     200,
		"APPLICATION/TAXII+JSON; Version=2.1":                                  200,
		"application/taxii+json;version=2.1,application/stix+json;version=2.1": 200,
		"application/vnd.oasis.taxii+json; version=2.0, application/taxii+json;version=2.1": 200,
		"application/json, text/plain, */*":                                                 200,
		"*/*":                                                                               200,
		"application/*":                                                                     200,
		"":                                                                                  200,
		"text/html, */*;q=0.1":                                                              200,
		"application/taxii+json;version=2.0":                                                406,
		"application/vnd.oasis.taxii+json; version=2.0": 406,
		"text/html": 406,
		"application/json;q=0, application/stix+json;q=0":   406,
		"application/json;q=0, application/stix+json;q=0.5": 200,
		"application/taxii+json;q=0":                        406,
		"*/*, application/taxii+json;version=2.1;q=0.0":     406,
	} {
		want(t, tg.Do(t, Request{Path: tg.Discovery, Header: map[string]string{"Accept": accept}}), code, "Accept: "+accept)
	}
	n := 0
	for ct, code := range map[string]int{
		MediaType:                202,
		"application/taxii+json": 202,
		"application/taxii+json; version=2.1; charset=utf-8": 202,
		"application/json":                             202,
		"application/taxii+json;version=2.0":           415,
		"application/vnd.oasis.stix+json; version=2.0": 415,
		"application/taxii+json;charset=latin1":        415,
		"application/x-www-form-urlencoded":            415,
		"text/plain":                                   415,
		"":                                             415,
	} {
		n++
		a := tg.Do(t, Request{Method: "POST", Path: tg.Root + Objects(tg.ReadWrite, ""), Header: map[string]string{"Content-Type": ct},
			Body: `{"objects":[` + SDO("indicator", n, 1) + `]}`})
		want(t, a, code, "Content-Type: "+ct)
	}
}

func authentication(t *testing.T, tg *Target) {
	nobody := func(*http.Request) {}
	for _, path := range []string{tg.Discovery, tg.Root, tg.Root + "collections/", tg.Root + Objects(tg.ReadWrite, ""), tg.Root + "nowhere/"} {
		a := tg.Do(t, Request{Path: path, As: nobody})
		if a.Code != 401 && a.Code != 404 {
			t.Errorf("%s without credentials: %d", path, a.Code)
		}
		if a.Code == 401 && a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: 401 without WWW-Authenticate", path)
		}
	}
}

func headers(t *testing.T, tg *Target) {
	id := ID("indicator", 1)
	check := func(when string, paths ...string) {
		for _, path := range paths {
			a := tg.Get(t, path)
			first, last := a.Header.Get("X-TAXII-Date-Added-First"), a.Header.Get("X-TAXII-Date-Added-Last")
			if a.Code != 200 || !stampForm.MatchString(first) || !stampForm.MatchString(last) || first > last {
				t.Errorf("%s, %s: %d, first %q, last %q", when, path, a.Code, first, last)
			}
		}
	}
	col := "collections/" + tg.ReadWrite + "/"
	check("empty", col+"objects/", col+"manifest/")
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1), SDO("indicator", 2, 1))
	check("filled", col+"objects/", col+"manifest/", col+"objects/"+id+"/", col+"objects/"+id+"/versions/", col+"objects/?match[type]=malware")
}

func malformed(t *testing.T, tg *Target) {
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1))
	for query, code := range map[string]int{
		"":                                  200,
		"unknown=1":                         200,
		"match[unknown]=1":                  200,
		"match%5Btype%5D=indicator":         200,
		"next=":                             200,
		"limit=99999999999999999999999":     200,
		"match[type]=x-of-our-own":          200,
		"limit=0":                           400,
		"limit=-1":                          400,
		"limit=+1":                          400,
		"limit=1.5":                         400,
		"limit=many":                        400,
		"limit=":                            400,
		"limit=1&limit=2":                   400,
		"added_after=yesterday":             400,
		"added_after=":                      400,
		"added_after=2027-01-01":            400,
		"added_after=2027-02-30T00:00:00Z":  400,
		"added_after=2027-01-01T24:00:00Z":  400,
		"added_after=2027-01-01T00:00:00":   400,
		"added_after=2027-01-01T00:00:00.Z": 400,
		"added_after=2027-01-01T00:00:00.0123456789Z":                       400,
		"added_after=2027-01-01T00:00:00Z,2027-01-02T00:00:00Z":             400,
		"added_after=2027-01-01T00:00:00Z&added_after=2027-01-01T00:00:00Z": 400,
		"match[type]=indicator&match[type]=malware":                         400,
		"match[type]=":             400,
		"match[type]=indicator,":   400,
		"match[id]=":               400,
		"match[version]=newest":    400,
		"match[version]=all,last":  400,
		"match[version]=last,last": 400,
		"match[version]=2027-01-01T00:00:00Z,2027-01-01T00:00:00.000Z": 400,
		"match[version]=2027-01-01T00:00:00%2B00:00":                   400,
		"next=1": 400,
		"next=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": 400,
		"match[type]=%zz":                         400,
		"match[id]=" + strings.Repeat("x", 1000):  400,
	} {
		for _, kind := range []string{"objects", "manifest"} {
			want(t, tg.Get(t, "collections/"+tg.ReadWrite+"/"+kind+"/?"+query), code, kind+"?"+query)
		}
	}
}

func addedAfter(t *testing.T, tg *Target) {
	var all []string
	for n := 1; n <= 3; n++ {
		tg.Post(t, tg.ReadWrite, SDO("indicator", n, 1))
		all = append(all, ID("indicator", n)+"@"+Version(1))
	}
	var m struct {
		Objects []struct {
			Added string `json:"date_added"`
		}
	}
	json.Unmarshal([]byte(tg.Get(t, "collections/"+tg.ReadWrite+"/manifest/").Raw), &m)
	if len(m.Objects) != 3 {
		t.Fatalf("manifest has %d records", len(m.Objects))
	}
	second := m.Objects[1].Added // YYYY-MM-DDTHH:MM:SS.ffffffZ
	bare := strings.TrimSuffix(second, "Z")
	for _, c := range []struct {
		after string
		want  []string
	}{
		{m.Objects[0].Added, all[1:]},
		{second, all[2:]}, // strictly after
		{m.Objects[2].Added, all[3:]},
		{bare + "000Z", all[2:]},           // nine digits
		{bare + "999Z", all[2:]},           // a fraction of a microsecond later
		{bare + "%2B00:00", all[2:]},       // as an offset
		{bare + "+00:00", all[2:]},         // "+" decodes to a space
		{strings.ToLower(second), all[2:]}, // RFC 3339 allows it
		{"2000-01-01T00:00:00Z", all},
		{"2000-01-01T00:00:00.1Z", all},
		{"1950-01-01T00:00:00Z", all},
		{"2999-01-01T00:00:00Z", all[3:]},
	} {
		a := tg.Get(t, Objects(tg.ReadWrite, "?added_after="+c.after))
		if got := a.IDs(); a.Code != 200 || !slices.Equal(got, c.want) {
			t.Errorf("added_after=%s: %d %v, want %v", c.after, a.Code, got, c.want)
		}
	}
	if a := tg.Get(t, Objects(tg.ReadWrite, "?added_after=2999-01-01T00:00:00Z")); strings.TrimSpace(a.Raw) != "{}" {
		t.Errorf("empty envelope: %s", a.Raw)
	}
}

func paging(t *testing.T, tg *Target) {
	var all []string
	for n := 1; n <= 7; n++ {
		tg.Post(t, tg.ReadWrite, SDO("indicator", n, 1))
		all = append(all, ID("indicator", n)+"@"+Version(1))
	}
	for limit := 1; limit <= 8; limit++ {
		for _, kind := range []string{"objects", "manifest"} {
			got := tg.Walk(t, "collections/"+tg.ReadWrite+"/"+kind+"/", fmt.Sprintf("limit=%d", limit), nil)
			if !slices.Equal(got, all) {
				t.Errorf("%s by %d: %v", kind, limit, got)
			}
		}
		a := tg.Get(t, Objects(tg.ReadWrite, fmt.Sprintf("?limit=%d", limit)))
		if len(a.Objects) != min(limit, 7) || a.More != (limit < 7) {
			t.Errorf("limit %d: %d objects, more %v", limit, len(a.Objects), a.More)
		}
	}
	// Without next: by the date header, as §3.5 describes it.
	got, after := []string{}, ""
	for {
		a := tg.Get(t, Objects(tg.ReadWrite, "?limit=2"+after))
		got = append(got, a.IDs()...)
		after = "&added_after=" + a.Header.Get("X-TAXII-Date-Added-Last")
		if !a.More {
			break
		}
	}
	if !slices.Equal(got, all) {
		t.Errorf("paging by date: %v", got)
	}
	// A next value outlives what it pointed at, and a change of limit.
	a := tg.Get(t, Objects(tg.ReadWrite, "?limit=3"))
	tg.Do(t, Request{Method: "DELETE", Path: tg.Root + Objects(tg.ReadWrite, ID("indicator", 3)+"/")})
	tg.Post(t, tg.ReadWrite, SDO("indicator", 8, 1))
	b := tg.Get(t, Objects(tg.ReadWrite, "?limit=100&next="+a.Next))
	if got := append(a.IDs(), b.IDs()...); !slices.Equal(got, append(slices.Clone(all), ID("indicator", 8)+"@"+Version(1))) {
		t.Errorf("after a deletion and an insertion: %v", got)
	}
}

func match(t *testing.T, tg *Target) {
	old := `{"type":"malware","id":"` + ID("malware", 4) + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"2.0"}`
	sco := `{"type":"ipv4-addr","id":"` + ID("ipv4-addr", 5) + `","value":"192.0.2.5"}`
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1), SDO("malware", 2, 1), SDO("campaign", 3, 1), old, sco)
	i, m, c, o, v := ID("indicator", 1), ID("malware", 2), ID("campaign", 3), ID("malware", 4), ID("ipv4-addr", 5)
	for query, want := range map[string][]string{
		"":                               {i, m, c, o, v},
		"match[type]=malware":            {m, o},
		"match[type]=campaign,indicator": {i, c},
		"match[type]=tool":               {},
		"match[id]=" + m:                 {m},
		"match[id]=" + c + "," + i:       {i, c},
		"match[id]=" + i + "," + i:       {i},
		"match[id]=" + i + "&match[type]=malware":     {},
		"match[spec_version]=2.0":                     {o},
		"match[spec_version]=2.1":                     {i, m, c, v},
		"match[spec_version]=2.0,2.1":                 {i, m, c, o, v},
		"match[spec_version]=3.0":                     {},
		"match[type]=malware&match[spec_version]=2.1": {m},
	} {
		for _, kind := range []string{"objects", "manifest"} {
			got := tg.Get(t, "collections/"+tg.ReadWrite+"/"+kind+"/?"+query).IDs()
			for i := range got {
				got[i], _, _ = strings.Cut(got[i], "@")
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s?%s: %v, want %v", kind, query, got, want)
			}
		}
	}
}

func matchVersion(t *testing.T, tg *Target) {
	// Two objects; the versions of the first arrive out of order.
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 2))
	after := tg.Get(t, Objects(tg.ReadWrite, "")).Header.Get("X-TAXII-Date-Added-Last")
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 3))
	after3 := tg.Get(t, Objects(tg.ReadWrite, "")).Header.Get("X-TAXII-Date-Added-Last")
	tg.Post(t, tg.ReadWrite, SDO("indicator", 2, 1), SDO("indicator", 1, 1))
	a, b := ID("indicator", 1)+"@", ID("indicator", 2)+"@"
	v1, v2, v3, w := a+Version(1), a+Version(2), a+Version(3), b+Version(1)
	for query, want := range map[string][]string{
		"":                                        {v3, w},
		"match[version]=last":                     {v3, w},
		"match[version]=first":                    {w, v1},
		"match[version]=first,last":               {v3, w, v1},
		"match[version]=all":                      {v2, v3, w, v1},
		"match[version]=" + Version(2):            {v2},
		"match[version]=2027-01-01T00:00:02Z":     {v2},
		"match[version]=" + Version(1):            {w, v1},
		"match[version]=first," + Version(2):      {v2, w, v1},
		"match[version]=" + Version(9):            {},
		"match[version]=all&added_after=" + after: {v3, w, v1},
		// The latest version among those that match the rest of the query.
		"match[version]=first&added_after=" + after: {w, v1},
		"added_after=" + after:                      {v3, w},
		"added_after=" + after3:                     {w, v1},
		"match[version]=all&added_after=" + after3:  {w, v1},
	} {
		for _, kind := range []string{"objects", "manifest"} {
			path := "collections/" + tg.ReadWrite + "/" + kind + "/"
			if got := tg.Get(t, path+"?"+query).IDs(); !slices.Equal(got, want) {
				t.Errorf("%s?%s:\n got %v\nwant %v", kind, query, got, want)
			}
			if got := tg.Walk(t, path, query+"&limit=1", nil); !slices.Equal(got, want) {
				t.Errorf("%s?%s one by one:\n got %v\nwant %v", kind, query, got, want)
			}
		}
	}
}

func discovery(t *testing.T, tg *Target) {
	a := tg.Do(t, Request{Path: tg.Discovery})
	var d struct {
		Title, Default string
		Roots          []string `json:"api_roots"`
	}
	json.Unmarshal([]byte(a.Raw), &d)
	if d.Title == "" || len(d.Roots) == 0 || d.Default != "" && !slices.Contains(d.Roots, d.Default) {
		t.Errorf("discovery: %s", a.Raw)
	}
	for _, root := range d.Roots {
		if !strings.HasPrefix(root, "https://") && (!strings.HasPrefix(root, "/") || strings.HasPrefix(root, "//")) || strings.Contains(root, "?") || !strings.HasSuffix(root, "/") {
			t.Errorf("API root URL %q", root)
		}
	}
}

func apiRoot(t *testing.T, tg *Target) {
	a := tg.Do(t, Request{Path: tg.Root})
	var r struct {
		Title    string
		Versions []string
		Max      int `json:"max_content_length"`
	}
	json.Unmarshal([]byte(a.Raw), &r)
	if r.Title == "" || !slices.Contains(r.Versions, MediaType) || r.Max != tg.MaxContentLength {
		t.Errorf("API root: %s", a.Raw)
	}
}

func statuses(t *testing.T, tg *Target) {
	a := tg.Do(t, Request{Method: "POST", Path: tg.Root + Objects(tg.ReadWrite, ""), Body: `{"objects":[` + SDO("indicator", 1, 1) + `,` + SDO("tool", 2, 1) + `]}`})
	want(t, a, 202, "POST")
	st := decodeStatus(t, a)
	if b := tg.Get(t, "status/"+st.ID+"/"); b.Code != 200 || decodeStatus(t, b).ID != st.ID {
		t.Errorf("status: %d %s", b.Code, b.Raw)
	}
	if tg.Settle != nil {
		tg.Settle()
	}
	got := decodeStatus(t, tg.Get(t, "status/"+st.ID+"/"))
	if got.Status != "complete" || got.Total != 2 || got.NOK != 2 || got.Successes[0].Version != Version(1) {
		t.Errorf("settled: %+v", got)
	}
	want(t, tg.Get(t, "status/00000000-0000-4000-8000-000000000000/"), 404, "unknown status")
	want(t, tg.Get(t, "status/x/"), 404, "status that is no UUID")
	if tg.Other != nil {
		want(t, tg.Do(t, Request{Path: tg.Root + "status/" + st.ID + "/", As: tg.Other}), 404, "another's status")
	}
}

func collections(t *testing.T, tg *Target) {
	a := tg.Get(t, "collections/")
	if b := tg.Get(t, "collections/"); a.Raw != b.Raw {
		t.Error("the order of collections is not stable (§3.3)")
	}
	var list struct {
		Collections []struct {
			ID, Title string
			Read      *bool `json:"can_read"`
			Write     *bool `json:"can_write"`
		}
	}
	json.Unmarshal([]byte(a.Raw), &list)
	flags := map[string]string{}
	for _, c := range list.Collections {
		if c.Read == nil || c.Write == nil || c.Title == "" {
			t.Fatalf("collection lacks a required property: %+v", c)
		}
		flags[c.ID] = fmt.Sprint(*c.Read, *c.Write)
		b := tg.Get(t, "collections/"+c.ID+"/")
		if !strings.Contains(a.Raw, strings.TrimSpace(b.Raw)) {
			t.Errorf("collection alone differs from the list: %s", b.Raw)
		}
	}
	for id, f := range map[string]string{tg.ReadWrite: "true true", tg.ReadOnly: "true false", tg.WriteOnly: "false true", tg.Hidden: ""} {
		if flags[id] != f {
			t.Errorf("collection %s: %q, want %q", id, flags[id], f)
		}
	}
	if tg.Alias != "" {
		tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1))
		if got := tg.Get(t, Objects(tg.Alias, "")); len(got.Objects) != 1 {
			t.Errorf("by alias: %d %s", got.Code, got.Raw)
		}
	}
}

func manifest(t *testing.T, tg *Target) {
	tg.Post(t, tg.ReadWrite, SDO("indicator", 1, 1), SDO("indicator", 2, 1))
	a := tg.Get(t, "collections/"+tg.ReadWrite+"/manifest/")
	var m struct {
		Objects []struct {
			ID, Version string
			Added       string `json:"date_added"`
			Media       string `json:"media_type"`
		}
	}
	json.Unmarshal([]byte(a.Raw), &m)
	if len(m.Objects) != 2 {
		t.Fatalf("manifest: %s", a.Raw)
	}
	for i, r := range m.Objects {
		if r.ID != ID("indicator", i+1) || r.Version != Version(1) || !stampForm.MatchString(r.Added) || r.Media != "application/stix+json;version=2.1" {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if m.Objects[0].Added >= m.Objects[1].Added {
		t.Errorf("date_added is not unique and increasing: %s", a.Raw)
	}
	if a.Header.Get("X-TAXII-Date-Added-First") != m.Objects[0].Added || a.Header.Get("X-TAXII-Date-Added-Last") != m.Objects[1].Added {
		t.Errorf("headers differ from the records: %v", a.Header)
	}
}

func permissions(t *testing.T, tg *Target) {
	id := ID("indicator", 1)
	body := `{"objects":[` + SDO("indicator", 1, 1) + `]}`
	for _, c := range []struct {
		collection, method, path string
		code                     int
	}{
		{tg.WriteOnly, "GET", "objects/", 403},
		{tg.WriteOnly, "GET", "manifest/", 403},
		{tg.WriteOnly, "GET", "objects/" + id + "/", 403},
		{tg.WriteOnly, "GET", "objects/" + id + "/versions/", 403},
		{tg.WriteOnly, "POST", "objects/", 202},
		{tg.WriteOnly, "DELETE", "objects/" + id + "/", 403},
		{tg.ReadOnly, "POST", "objects/", 403},
		{tg.ReadOnly, "DELETE", "objects/" + id + "/", 403},
		{tg.ReadOnly, "GET", "objects/", 200},
		{tg.Hidden, "GET", "", 404},
		{tg.Hidden, "GET", "objects/", 404},
		{tg.Hidden, "POST", "objects/", 404},
		{tg.Hidden, "DELETE", "objects/" + id + "/", 404},
	} {
		q := Request{Method: c.method, Path: tg.Root + "collections/" + c.collection + "/" + c.path}
		if c.method == "POST" {
			q.Body = body
		}
		want(t, tg.Do(t, q), c.code, c.method+" "+q.Path)
	}
}
