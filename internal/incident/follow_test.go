package incident

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// The rule of grouping: what is there, and what becomes of it. An incident is written as its findings.
func TestGrouping(t *testing.T) {
	const user = `,"User":"HARBOUR\\k.lund"`
	for name, c := range map[string]struct {
		in   []finding
		want []string
	}{
		"a finding of level high opens one":                {[]finding{{id: "a", host: "h1", level: detect.High}}, []string{"a"}},
		"a lone one of level medium waits":                 {[]finding{{id: "a", host: "h1", level: detect.Medium}}, nil},
		"low ones never take part":                         {[]finding{{id: "a", host: "h1", level: detect.Low}, {id: "b", host: "h1", level: detect.Low}}, nil},
		"two techniques on one host open one":              {[]finding{{id: "a", host: "h1", level: detect.Medium, techniques: "T1566.001"}, {id: "b", host: "h1", level: detect.Medium, techniques: "T1105"}}, []string{"a b"}},
		"the same technique twice waits":                   {[]finding{{id: "a", host: "h1", level: detect.Medium, techniques: "T1105"}, {id: "b", host: "h1", level: detect.Medium, techniques: "T1105"}}, nil},
		"an indicator of low confidence waits, too":        {[]finding{{id: "a", kind: "indicator", host: "h1", level: detect.Low}}, nil},
		"an indicator joins":                               {[]finding{{id: "a", host: "h1", level: detect.High}, {id: "b", kind: "indicator", host: "h1", level: detect.Low}}, []string{"a b"}},
		"other hosts are other incidents":                  {[]finding{{id: "a", host: "h1", level: detect.High}, {id: "b", host: "h2", level: detect.High}}, []string{"a", "b"}},
		"a host has a short and a full name":               {[]finding{{id: "a", host: "H1.harbour.example", level: detect.High}, {id: "b", host: "h1", level: detect.High}}, []string{"a b"}},
		"the same account links hosts":                     {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{user}}, {id: "b", host: "h2", level: detect.Medium, events: []string{`,"cs-username":"K.Lund"`}}}, []string{"a b"}},
		"the system's own account does not":                {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{`,"User":"NT AUTHORITY\\SYSTEM"`}}, {id: "b", host: "h2", level: detect.Medium, events: []string{`,"User":"NT AUTHORITY\\SYSTEM"`}}}, []string{"a"}},
		"the same address links hosts":                     {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{`,"DestinationIp":"198.51.100.23"`}}, {id: "b", host: "h2", level: detect.Medium, events: []string{`,"dst_ip":"198.51.100.23"`}}}, []string{"a b"}},
		"loopback does not":                                {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{`,"DestinationIp":"127.0.0.1"`}}, {id: "b", host: "h2", level: detect.Medium, events: []string{`,"dst_ip":"127.0.0.1"`}}}, []string{"a"}},
		"a host in a command is that of a log line":        {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{`,"CommandLine":"curl http://cdn.quay.example/s/x"`}}, {id: "b", host: "h2", level: detect.Medium, events: []string{`,"query":"cdn.quay.example"`}}}, []string{"a b"}},
		"one names the other's host":                       {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{`,"CommandLine":"schtasks.exe /create /s HAOPS7 /f"`}}, {id: "b", host: "haops7", level: detect.Medium}}, []string{"a b"}},
		"a file outside the system links":                  {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{`,"TargetFilename":"D:\\mail\\berths.scrm"`}}, {id: "b", host: "h2", level: detect.Medium, events: []string{`,"CommandLine":"scribe.exe \"C:\\Users\\k\\berths.scrm\""`}}}, []string{"a b"}},
		"one of the system's does not":                     {[]finding{{id: "a", host: "h1", level: detect.High, events: []string{`,"Image":"C:\\Windows\\System32\\cmd.exe"`}}, {id: "b", host: "h2", level: detect.Medium, events: []string{`,"Image":"C:\\Windows\\System32\\cmd.exe"`}}}, []string{"a"}},
		"the same rule on another host":                    {[]finding{{id: "a", rule: "loader", host: "h1", level: detect.High}, {id: "b", rule: "loader", host: "h2", level: detect.High}}, []string{"a b"}},
		"lateral movement comes from the last":             {[]finding{{id: "a", host: "h1", level: detect.High, techniques: "T1003.001", ago: 2 * time.Hour}, {id: "b", host: "h2", level: detect.High, techniques: "T1021.002"}}, []string{"a b"}},
		"but not from the day before":                      {[]finding{{id: "a", host: "h1", level: detect.High, techniques: "T1003.001", ago: 25 * time.Hour}, {id: "b", host: "h2", level: detect.High, techniques: "T1021.002"}}, []string{"a", "b"}},
		"what follows lateral movement belongs to it":      {[]finding{{id: "a", host: "h1", level: detect.High, techniques: "T1021.002", ago: time.Hour}, {id: "b", host: "h2", level: detect.Medium, techniques: "T1018"}}, []string{"a b"}},
		"but not two hours after":                          {[]finding{{id: "a", host: "h1", level: detect.High, techniques: "T1021.002", ago: 2 * time.Hour}, {id: "b", host: "h2", level: detect.High, techniques: "T1018"}}, []string{"a", "b"}},
		"another organisation's logs are another incident": {[]finding{{id: "a", host: "h1", level: detect.High}, {id: "b", host: "h1", level: detect.High, source: "ferry"}}, []string{"a", "b"}},
		"sources of unknown owner stand alone":             {[]finding{{id: "a", host: "h1", level: detect.High, source: "x"}, {id: "b", host: "h1", level: detect.High, source: "y"}}, []string{"a", "b"}},
		"72 hours apart is together":                       {[]finding{{id: "a", host: "h1", level: detect.High, ago: 72 * time.Hour}, {id: "b", host: "h1", level: detect.High}}, []string{"a b"}},
		"longer is not":                                    {[]finding{{id: "a", host: "h1", level: detect.High, ago: 72*time.Hour + time.Second}, {id: "b", host: "h1", level: detect.High}}, []string{"a", "b"}},
		"suppressed ones open none":                        {[]finding{{id: "a", host: "h1", level: detect.Critical, state: "suppressed"}}, nil},
		"suppressed ones stand beside":                     {[]finding{{id: "a", host: "h1", level: detect.Low, state: "suppressed", ago: time.Hour}, {id: "b", host: "h1", level: detect.High}}, []string{"(a) b"}},
		"suppressed ones lead to no other":                 {[]finding{{id: "a", host: "h1", level: detect.High, ago: time.Hour}, {id: "b", host: "h1", level: detect.High, state: "suppressed", events: []string{user}}, {id: "c", host: "h2", level: detect.Medium, events: []string{user}}}, []string{"a (b)"}},
		"links reach over those that waited":               {[]finding{{id: "a", host: "h1", level: detect.Medium, techniques: "T1105", ago: 3 * time.Hour}, {id: "b", host: "h1", level: detect.Medium, techniques: "T1105", events: []string{user}, ago: 2 * time.Hour}, {id: "c", host: "h2", level: detect.High, events: []string{user}}}, []string{"a b c"}},
	} {
		for _, order := range []string{"at once", "one by one", "backwards"} {
			t.Run(name+"/"+order, func(t *testing.T) {
				w := newWorld(t)
				in := append([]finding(nil), c.in...)
				if order == "backwards" {
					for i, j := 0, len(in)-1; i < j; i, j = i+1, j-1 {
						in[i], in[j] = in[j], in[i]
					}
				}
				for _, f := range in {
					w.finds(f)
					if order == "one by one" {
						w.gather()
					}
				}
				w.gather()
				got := map[string]bool{}
				for _, i := range w.incidents("", Query{}) {
					got[w.linked(i.ID)] = true
				}
				if len(got) != len(c.want) {
					t.Errorf("%v, want %v", got, c.want)
				}
				for _, s := range c.want {
					if !got[s] {
						t.Errorf("%v, want %v", got, c.want)
					}
				}
			})
		}
	}
}

// Nothing opens twice: not when called again, not when findings change, not when interrupted anywhere.
func TestNoIncidentTwice(t *testing.T) {
	w := newWorld(t)
	w.finds(finding{id: "a", host: "h1", level: detect.High})
	w.gather()
	before := w.entries()
	w.gather()
	if n := w.entries(); n != before {
		t.Errorf("doing nothing left %d entries", n-before)
	}
	w.now = w.now.Add(time.Minute)
	w.finds(finding{id: "a", host: "h1", level: detect.High, events: []string{"", ""}})
	w.gather()
	if i := w.one(); !i.Last.Equal(w.now) {
		t.Errorf("its last event is of %s", i.Last)
	}
	if n := w.entries(); n != before {
		t.Errorf("more of the same left %d entries", n-before)
	}
	// Another process that read the same cursor: its transaction must fail whole.
	err := w.d.carryOut(context.Background(), planned{members: []member{{Finding: detect.Finding{ID: "b", State: "open", Level: detect.High}, label: marking.Everyone()}}},
		func(tx advancer) error { return tx.Advance(cursorName, cursorStream, 0, 1) })
	if err == nil {
		t.Error("the cursor was moved from where it no longer stood")
	}
	w.one()
	// A finding that is linked already opens nothing, whoever asks.
	err = w.d.carryOut(context.Background(), planned{members: []member{{Finding: detect.Finding{ID: "a", State: "open", Level: detect.High}, label: marking.Everyone()}}}, func(advancer) error { return nil })
	want(t, err, errMoved)
	w.one()
}

func TestInterruptedAnywhere(t *testing.T) {
	boom := errors.New("interrupted")
	for stop := range 4 {
		w := newWorld(t)
		w.finds(finding{id: "a", host: "h1", level: detect.High, ago: 3 * time.Hour})
		w.finds(finding{id: "b", host: "h2", level: detect.High, ago: 2 * time.Hour})
		w.finds(finding{id: "c", host: "h3", level: detect.High, ago: time.Hour})
		ctx := context.Background()
		v := w.view("")
		batch := map[string]member{}
		changed, err := detect.Changed(ctx, v, 0, 10)
		ok(t, err)
		for _, rel := range changed {
			m := member{Finding: marking.Open(marking.NewSheet(v.Reader()), rel), label: rel.Label()}
			ok(t, m.read(ctx, v))
			batch[m.ID] = m
		}
		ok(t, w.d.remember(ctx, batch))
		acts, err := w.d.plan(ctx, v, batch)
		ok(t, err)
		if len(acts) != 3 {
			t.Fatalf("%d acts planned, want 3", len(acts))
		}
		for n, a := range acts {
			err := w.d.carryOut(ctx, a, func(advancer) error {
				if n == stop {
					return boom // after all was written, before the commit
				}
				return nil
			})
			if n == stop {
				want(t, err, boom)
				break
			}
			ok(t, err)
		}
		w.gather() // the cursor has not moved: all of it comes again
		got := map[string]int{}
		for _, i := range w.incidents("", Query{}) {
			got[w.linked(i.ID)]++
		}
		if len(got) != 3 || got["a"] != 1 || got["b"] != 1 || got["c"] != 1 {
			t.Errorf("interrupted at act %d: %v", stop, got)
		}
	}
}

// Two incidents that turn out to be one: the younger is merged while nobody works on it.
func TestMerge(t *testing.T) {
	bridge := finding{id: "z", host: "h1", level: detect.Medium, events: []string{`,"User":"k.lund"`}}
	open := func(t *testing.T) (*world, Incident, Incident) {
		w := newWorld(t)
		w.finds(finding{id: "a", host: "h1", level: detect.High, ago: 2 * time.Hour})
		w.gather()
		w.finds(finding{id: "b", host: "h2", level: detect.Critical, ago: time.Hour, events: []string{`,"User":"k.lund"`}})
		w.gather()
		all := w.incidents("", Query{})
		if len(all) != 2 {
			t.Fatalf("%d incidents, want 2", len(all))
		}
		return w, all[1], all[0]
	}
	t.Run("untouched", func(t *testing.T) {
		w, older, younger := open(t)
		w.finds(bridge)
		w.gather()
		if got := w.linked(older.ID); got != "a b z" {
			t.Errorf("the older holds %q", got)
		}
		i, _ := w.get("", older.ID)
		if i.Severity != detect.Critical || !i.First.Equal(w.now.Add(-2*time.Hour)) || !i.Last.Equal(w.now) {
			t.Errorf("the older is of severity %s, from %s to %s", i.Severity, i.First, i.Last)
		}
		j, _ := w.get("", younger.ID)
		if j.State != Closed || !strings.Contains(j.Reason, "merged") || w.linked(younger.ID) != "" {
			t.Errorf("the younger is %s (%s) with %q", j.State, j.Reason, w.linked(younger.ID))
		}
	})
	t.Run("worked on", func(t *testing.T) {
		w, older, younger := open(t)
		ok(t, w.d.Take(context.Background(), as(t, "ines"), younger.ID, younger.Rev))
		w.finds(bridge)
		w.gather()
		if a, b := w.linked(older.ID), w.linked(younger.ID); a != "a z" || b != "b" {
			t.Errorf("the incidents hold %q and %q", a, b)
		}
	})
}

func TestClosedTakesNoNewFindings(t *testing.T) {
	w := newWorld(t)
	w.finds(finding{id: "a", host: "h1", level: detect.High, ago: time.Hour})
	w.gather()
	i := w.one()
	ok(t, w.d.SetState(context.Background(), as(t, "ines"), i.ID, i.Rev, FalseAlarm, "a drill"))
	w.finds(finding{id: "a", host: "h1", level: detect.High, ago: time.Hour}) // it goes on
	w.finds(finding{id: "b", host: "h1", level: detect.High})
	w.gather()
	all := w.incidents("", Query{})
	if len(all) != 2 || w.linked(all[1].ID) != "a" || w.linked(all[0].ID) != "b" {
		t.Fatalf("%d incidents: %+v", len(all), all)
	}
}

// Severity and title follow the findings until a person says otherwise.
func TestSeverityAndTitle(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	hostile := "<b>HA-OPS</b>\u202e; rm -rf"
	w.finds(finding{id: "a", kind: "indicator", rule: "name that a partner wrote", host: hostile, level: detect.High, techniques: "T1105", ago: 2 * time.Hour})
	w.gather()
	i := w.one()
	if i.Title != "Harbour Authority: Contact with a known indicator" || i.Severity != detect.High || i.State != Fresh || i.Number != "INC-0001" {
		t.Errorf("%q %s %s %s", i.Title, i.Severity, i.State, i.Number)
	}
	w.finds(finding{id: "b", rule: "Memory of the credential process read", host: hostile, level: detect.Critical, techniques: "T1003.001", ago: time.Hour})
	w.finds(finding{id: "c", rule: "Large upload", host: hostile, level: detect.High, techniques: "T1567.002"})
	w.gather()
	i = w.one()
	if i.Title != "Harbour Authority: Memory of the credential process read, as far as exfiltration" || i.Severity != detect.Critical {
		t.Errorf("%q %s", i.Title, i.Severity)
	}
	ines := as(t, "ines")
	ok(t, w.d.SetSeverity(ctx, ines, i.ID, i.Rev, detect.Low, "a drill"))
	ok(t, w.d.SetTitle(ctx, ines, i.ID, i.Rev+1, "The drill"))
	w.finds(finding{id: "d", rule: "Worse", host: hostile, level: detect.Critical, techniques: "T1486"})
	w.gather()
	if i = w.one(); i.Title != "The drill" || i.Severity != detect.Low {
		t.Errorf("a person had said so, now it is %q, %s", i.Title, i.Severity)
	}
}

// An incident is never more visible than any finding that makes it up.
func TestLabelIsTheJoin(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.finds(finding{id: "a", host: "h1", level: detect.High, label: label(t, marking.Spec{TLP: marking.Amber, Source: harbour}), ago: time.Hour})
	w.gather()
	id := w.one().ID
	see := func(want map[string]bool) {
		t.Helper()
		for person, may := range want {
			_, err := w.get(person, id)
			if (err == nil) != may || err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v, want to see it: %v", person, err, may)
			}
			if n := len(w.incidents(person, Query{})); (n == 1) != may {
				t.Errorf("%s lists %d", person, n)
			}
			if n, err := Count(ctx, w.view(person), Query{}); (n == 1) != may || err != nil {
				t.Errorf("%s counts %d, %v", person, n, err)
			}
			_, err = TimelineOf(ctx, w.view(person), id, "host")
			if (err == nil) != may {
				t.Errorf("%s draws: %v", person, err)
			}
			changes, _, err := History(ctx, w.view(person), id, "", 0)
			if (len(changes) > 0) != may || (err == nil) != may {
				t.Errorf("%s reads %d changes: %v", person, len(changes), err)
			}
			_, err = Versions(ctx, w.view(person), id)
			if (err == nil) != may {
				t.Errorf("%s reads versions: %v", person, err)
			}
			for what, n := range map[string]int{
				"findings":    len(must(Findings(ctx, w.view(person), id))(t)),
				"observables": len(must(Observables(ctx, w.view(person), id))(t)),
				"clocks":      len(must(Clocks(ctx, w.view(person), id))(t)),
				"due clocks":  len(must(DueClocks(ctx, w.view(person), 10))(t)),
				"objects":     len(must(w.view(person).List(ctx, store.List{Type: "incident"}))(t).Objects),
			} {
				if (n > 0) != may {
					t.Errorf("%s sees %d %s", person, n, what)
				}
			}
		}
	}
	see(map[string]bool{"ines": true, "mira": true, "hanne": true, "pia": false, "petra": false})
	// Lorrin's AMBER+STRICT is for the house's own staff.
	w.finds(finding{id: "b", host: "h1", level: detect.High, label: label(t, marking.Spec{TLP: marking.AmberStrict, Source: "lorrin"}), ago: time.Minute})
	w.gather()
	see(map[string]bool{"ines": true, "hanne": false, "pia": false, "petra": false})
	// What is suppressed stands beside, and bounds nothing.
	w.finds(finding{id: "c", host: "h1", level: detect.High, state: "suppressed", label: label(t, marking.Spec{TLP: marking.Red, Source: "lorrin", Audience: []string{"person:nobody"}})})
	w.gather()
	see(map[string]bool{"ines": true})
	if n := len(must(Findings(ctx, w.view("ines"), id))(t)); n != 2 {
		t.Errorf("ines sees %d findings, want the two that she may", n)
	}
	// A compartment.
	w.finds(finding{id: "d", host: "h1", level: detect.High, label: label(t, marking.Spec{TLP: marking.Amber, Source: harbour, Compartments: []string{"harbour-case"}})})
	w.gather()
	see(map[string]bool{"ines": false, "yara": true, "hanne": false})
	// RED, to one person by name.
	w.finds(finding{id: "e", host: "h1", level: detect.Medium, label: label(t, marking.Spec{TLP: marking.Red, Source: "lorrin", Audience: []string{"person:mira"}})})
	w.gather()
	see(map[string]bool{"ines": false, "yara": false, "mira": false})
	if w.linked(id) == "" {
		t.Error("the opener lost sight of it")
	}
}

// The running number counts nothing that somebody may not see.
func TestNumbers(t *testing.T) {
	w := newWorld(t)
	w.finds(finding{id: "a", host: "h1", level: detect.High})
	w.gather()
	w.finds(finding{id: "b", host: "h2", level: detect.High, label: label(t, marking.Spec{TLP: marking.Amber, Source: harbour, Compartments: []string{"harbour-case"}})})
	w.gather()
	w.finds(finding{id: "c", host: "h3", level: detect.High})
	w.gather()
	all := w.incidents("ines", Query{})
	if len(all) != 2 || all[0].Number != "INC-0002" || all[1].Number != "INC-0001" {
		t.Errorf("ines sees %+v", all)
	}
	all = w.incidents("yara", Query{})
	if len(all) != 3 || all[1].Number != all[1].Tag {
		t.Errorf("yara sees %+v", all)
	}
	for _, i := range w.incidents("hanne", Query{}) {
		if i.Number != i.Tag || i.Number == "" {
			t.Errorf("hanne sees the number %s", i.Number)
		}
	}
	if n := len(w.incidents("hanne", Query{Text: "INC-0001"})); n != 0 {
		t.Errorf("hanne finds %d by a number", n)
	}
	if n := len(w.incidents("ines", Query{Text: "inc-0001"})); n != 1 {
		t.Errorf("ines finds %d by a number", n)
	}
}

// What a person takes out stays out, though it matches on.
func TestTakenOut(t *testing.T) {
	w := newWorld(t)
	ctx, ines := context.Background(), as(t, "ines")
	w.finds(finding{id: "a", host: "h1", level: detect.High, ago: time.Hour})
	w.finds(finding{id: "b", host: "h1", level: detect.Critical, events: []string{`,"dst_ip":"198.51.100.23"`}})
	w.gather()
	i := w.one()
	want(t, w.d.UnlinkFinding(ctx, as(t, "mira"), i.ID, "b", "x"), access.ErrRefused)
	want(t, w.d.UnlinkFinding(ctx, ines, i.ID, "b", ""), ErrInput)
	want(t, w.d.UnlinkFinding(ctx, ines, i.ID, "finding--gone", "x"), store.ErrNotFound)
	ok(t, w.d.UnlinkFinding(ctx, ines, i.ID, "b", "a drill of ours"))
	want(t, w.d.UnlinkFinding(ctx, ines, i.ID, "b", "again"), store.ErrNotFound)
	w.finds(finding{id: "b", host: "h1", level: detect.Critical})
	w.finds(finding{id: "c", host: "h1", level: detect.Medium, ago: time.Minute})
	w.gather()
	i = w.one()
	if got := w.linked(i.ID); got != "a c" || !i.Last.Equal(w.now.Add(-time.Minute)) {
		t.Errorf("it holds %q until %s", got, i.Last)
	}
	for _, o := range opened(w.view("ines"), must(Observables(ctx, w.view("ines"), i.ID))(t)) {
		if o.Kind == "ipv4-addr" {
			t.Errorf("it still shows %s", o.Value)
		}
	}
	if _, err := IncidentOf(ctx, w.view("ines"), "b"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("b names an incident: %v", err)
	}
	ok(t, w.d.LinkFinding(ctx, ines, i.ID, "b", "not a drill"))
	if got := w.linked(i.ID); got != "a c b" {
		t.Errorf("it holds %q", got)
	}
}

// A confirmed finding becomes one sighting of what matched, with the finding's label.
func TestSightings(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.finds(finding{id: "a", host: "h1", level: detect.High})
	w.gather()
	count := func(person string) int {
		return len(must(w.view(person).List(ctx, store.List{Type: "sighting"}))(t).Objects)
	}
	if n := count("ines"); n != 0 {
		t.Errorf("%d sightings before anybody confirmed one", n)
	}
	for range 2 {
		w.now = w.now.Add(time.Minute)
		w.finds(finding{id: "a", host: "h1", level: detect.High, state: "confirmed"})
		w.gather()
	}
	if a, b := count("ines"), count("pia"); a != 1 || b != 1 {
		// AMBER of the Harbour's goes to all constituents, as the finding does.
		t.Errorf("%d sightings for ines, %d for pia, want one each", a, b)
	}
	if n := count("tomas"); n != 1 {
		t.Errorf("%d for tomas", n)
	}
}

// Run follows the store until it is told to stop.
func TestRun(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.d.Run(ctx) }()
	w.finds(finding{id: "a", host: "h1", level: detect.High})
	for {
		changed := w.s.Changed()
		if len(w.incidents("", Query{})) == 1 {
			break
		}
		select {
		case <-changed:
		case err := <-done:
			t.Fatal(err)
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func BenchmarkStep(b *testing.B) {
	w := newWorld(b)
	for n := 0; b.Loop(); n++ {
		w.finds(finding{id: "f" + time.Duration(n).String(), host: "h" + time.Duration(n%50).String(), level: detect.High, events: []string{`,"User":"k.lund","DestinationIp":"198.51.100.23"`}})
		w.gather()
	}
}
