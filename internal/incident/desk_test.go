package incident

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vigil/internal/access"
	"vigil/internal/blob"
	"vigil/internal/detect"
	"vigil/internal/marking"
	"vigil/internal/store"
)

// Every way from every state, and whether it wants a reason. What is not here does not exist.
func TestStatesExhaustively(t *testing.T) {
	ways := map[[2]State]string{
		{Fresh, Triage}: "", {Fresh, Containment}: "reason", {Fresh, FalseAlarm}: "reason",
		{Triage, Containment}: "", {Triage, Closed}: "reason", {Triage, FalseAlarm}: "reason",
		{Containment, Eradication}: "", {Containment, Triage}: "reason", {Containment, Recovery}: "reason", {Containment, Closed}: "reason", {Containment, FalseAlarm}: "reason",
		{Eradication, Recovery}: "", {Eradication, Containment}: "reason", {Eradication, Closed}: "reason",
		{Recovery, Closed}: "reason", {Recovery, Containment}: "reason", {Recovery, Eradication}: "reason",
		{Closed, Triage}: "reason", {FalseAlarm, Triage}: "reason",
	}
	for _, from := range append(States(), "", "gone") {
		for _, to := range append(States(), "", "gone") {
			why, may := ways[[2]State{from, to}]
			step, got := Can(from, to)
			if got != may || got && (step.Reason != (why != "") || step.Label == "" || step.Effect == "") {
				t.Errorf("%s to %s: %+v %v, want %q %v", from, to, step, got, why, may)
			}
			_, err := walk(from, to, " ")
			if (err == nil) != (may && why == "") || err != nil && !errors.Is(err, ErrTransition) {
				t.Errorf("%s to %s without a reason: %v", from, to, err)
			}
			if _, err := walk(from, to, "because"); (err == nil) != may {
				t.Errorf("%s to %s with a reason: %v", from, to, err)
			}
		}
		if from.Open() != (from.Known() && from != Closed && from != FalseAlarm) {
			t.Errorf("%q open: %v", from, from.Open())
		}
	}
}

func openOne(t testing.TB, w *world) Incident {
	t.Helper()
	id := must(w.d.Open(context.Background(), as(t, "ines"), Draft{Title: "Mailbox taken over", Severity: detect.Medium, Org: harbour}))(t)
	i, err := w.get("ines", id)
	ok(t, err)
	return i
}

// Every change is one entry, at the revision that its author saw, and shows in the history with what was and what is.
func TestChanges(t *testing.T) {
	w := newWorld(t)
	ctx, ines := context.Background(), as(t, "ines")
	before := w.entries()
	i := openOne(t, w)
	if i.State != Fresh || i.Severity != detect.Medium || !i.ByHand || i.Number != "INC-0001" || i.Rev != 1 || !i.Opened.Equal(w.now) {
		t.Fatalf("%+v", i)
	}
	rev := i.Rev
	for n, c := range []struct {
		field string
		do    func() error
	}{
		{"owner", func() error { return w.d.Take(ctx, ines, i.ID, rev) }},
		{"owner", func() error { return w.d.Assign(ctx, ines, i.ID, rev, "mira") }},
		{"state", func() error { return w.d.SetState(ctx, ines, i.ID, rev, Triage, "") }},
		{"severity", func() error { return w.d.SetSeverity(ctx, ines, i.ID, rev, detect.High, "money lost") }},
		{"title", func() error { return w.d.SetTitle(ctx, ines, i.ID, rev, "Pilots' mailbox taken over") }},
		{"narrative", func() error { return w.d.SetNarrative(ctx, ines, i.ID, rev, "A rule forwarded\nevery invoice.") }},
		{"state", func() error { return w.d.SetState(ctx, ines, i.ID, rev, Closed, "done") }},
		{"state", func() error { return w.d.SetState(ctx, ines, i.ID, rev, Triage, "it goes on") }},
	} {
		w.now = w.now.Add(time.Minute)
		ok(t, c.do())
		if got := w.entries() - before; got != n+2 {
			t.Fatalf("change %d: %d entries, want %d", n, got, n+2)
		}
		want(t, c.do(), ErrStale)
		rev++
		h, _, err := History(ctx, w.view("ines"), i.ID, "", 1)
		ok(t, err)
		top := opened(w.view("ines"), h)[0]
		if top.Actor != "ines" || len(top.Diff) != 1 || top.Diff[0].Field != c.field || top.Diff[0].Was == top.Diff[0].Now || !top.At.Equal(w.now) {
			t.Errorf("change %d: %+v", n, top)
		}
	}
	if got := w.entries() - before; got != 9 {
		t.Errorf("refused changes left %d entries", got-9)
	}
	versions := opened(w.view("ines"), must(Versions(ctx, w.view("ines"), i.ID))(t))
	if len(versions) != 7 { // the opening and six changes; owners are no part of the object
		t.Errorf("%d versions, want 7", len(versions))
	}
	now, err := w.get("ines", i.ID)
	ok(t, err)
	if v := versions[0]; v.Title != now.Title || v.State != now.State || v.Severity != now.Severity || v.Narrative != now.Narrative || !v.Modified.Equal(now.Modified) || now.Owner != "mira" {
		t.Errorf("the row says %+v, the object %+v", now, v)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	ctx, ines := context.Background(), as(t, "ines")
	i := openOne(t, w)
	before := w.entries()
	for _, person := range []string{"mira", "petra", "hanne", "tomas"} {
		p := as(t, person)
		want(t, w.d.SetState(ctx, p, i.ID, i.Rev, Triage, ""), access.ErrRefused)
		_, err := w.d.Open(ctx, p, Draft{Title: "x"})
		want(t, err, access.ErrRefused)
	}
	_, err := w.d.AddNote(ctx, as(t, "hanne"), i.ID, "x", nil)
	want(t, err, access.ErrRefused)
	want(t, w.d.SetState(ctx, ines, "incident--gone", 1, Triage, ""), store.ErrNotFound)
	want(t, w.d.SetState(ctx, ines, i.ID, i.Rev, Recovery, "quick"), ErrTransition)
	want(t, w.d.SetState(ctx, ines, i.ID, i.Rev, FalseAlarm, ""), ErrTransition)
	want(t, w.d.SetSeverity(ctx, ines, i.ID, i.Rev, detect.High, " "), ErrInput)
	want(t, w.d.SetSeverity(ctx, ines, i.ID, i.Rev, 9, "x"), ErrInput)
	want(t, w.d.Assign(ctx, ines, i.ID, i.Rev, "petra"), ErrInput)
	want(t, w.d.Assign(ctx, ines, i.ID, i.Rev, "nobody"), store.ErrNotFound)
	for _, bad := range []string{"", "  ", "two\nlines", "\xff", "esc\x1b[2J", strings.Repeat("x", 201)} {
		want(t, w.d.SetTitle(ctx, ines, i.ID, i.Rev, bad), ErrInput)
	}
	want(t, w.d.SetNarrative(ctx, ines, i.ID, i.Rev, strings.Repeat("x", maxText+1)), ErrInput)
	_, err = w.d.Open(ctx, ines, Draft{Title: "x", Mark: &marking.Spec{TLP: marking.AmberStrict, Compartments: []string{"harbour-case"}}})
	want(t, err, ErrInput) // she does not hold the compartment
	_, err = w.d.Open(ctx, ines, Draft{Title: "x", Findings: []string{"finding--gone"}})
	want(t, err, store.ErrNotFound)
	if n := w.entries() - before; n != 0 {
		t.Errorf("refusals left %d entries", n)
	}
	for _, bad := range []string{"", "0", "-1", "x", "99999999999999999999"} {
		_, err := ParseRev(bad)
		want(t, err, ErrInput)
	}
}

// What somebody may not see is not there for them, whatever they do with it.
func TestHiddenIsAbsent(t *testing.T) {
	w := newWorld(t)
	ctx, ines, yara := context.Background(), as(t, "ines"), as(t, "yara")
	id := must(w.d.Open(ctx, yara, Draft{Title: "Kept close", Mark: &marking.Spec{TLP: marking.AmberStrict, Compartments: []string{"harbour-case"}}}))(t)
	item := must(w.d.AddEvidence(ctx, yara, id, Meta{Item: "disk", Handling: Handling{Place: "safe", Purpose: "keep"}, Mark: &marking.Spec{TLP: marking.AmberStrict, Compartments: []string{"harbour-case"}}}, strings.NewReader("x")))(t)
	task := must(w.d.AddTask(ctx, yara, id, "look", "", time.Time{}))(t)
	before := w.entries()
	for what, do := range map[string]func(id, item, task string) error{
		"state": func(id, _, _ string) error { return w.d.SetState(ctx, ines, id, 1, Triage, "") },
		"owner": func(id, _, _ string) error { return w.d.Take(ctx, ines, id, 1) },
		"note":  func(id, _, _ string) error { _, err := w.d.AddNote(ctx, ines, id, "x", nil); return err },
		"task":  func(id, _, task string) error { return w.d.SetTask(ctx, ines, id, task, true) },
		"clock": func(id, _, _ string) error { return w.d.StopClock(ctx, ines, id, "First assessment", "x") },
		"evidence": func(id, _, _ string) error {
			_, err := w.d.AddEvidence(ctx, ines, id, Meta{Item: "x", Handling: Handling{Place: "p", Purpose: "p"}}, nil)
			return err
		},
		"read":      func(_, item, _ string) error { _, _, err := w.d.ReadEvidence(ctx, ines, item, "x"); return err },
		"offer":     func(_, item, _ string) error { return w.d.Offer(ctx, ines, item, "mira", Handling{Purpose: "x"}) },
		"accept":    func(_, item, _ string) error { return w.d.Accept(ctx, ines, item, Handling{}) },
		"timeline":  func(id, _, _ string) error { _, err := TimelineOf(ctx, w.view("ines"), id, ""); return err },
		"history":   func(id, _, _ string) error { _, _, err := History(ctx, w.view("ines"), id, "", 0); return err },
		"get":       func(id, _, _ string) error { _, err := Get(ctx, w.view("ines"), id); return err },
		"item":      func(_, item, _ string) error { _, err := GetEvidence(ctx, w.view("ines"), item); return err },
		"observe":   func(id, _, _ string) error { return w.d.AddObservable(ctx, ines, id, "host", "x") },
		"the state": func(id, _, _ string) error { return w.d.SetState(ctx, ines, id, 99, Closed, "") },
	} {
		hidden, absent := do(id, item, task), do("incident--gone", "x-evidence--gone", "task--gone")
		if !errors.Is(hidden, store.ErrNotFound) || hidden.Error() != absent.Error() {
			t.Errorf("%s: hidden answers %v, absent %v", what, hidden, absent)
		}
	}
	if n := w.entries() - before; n != 0 {
		t.Errorf("%d entries", n)
	}
	for what, n := range map[string]int{
		"tasks": len(must(Tasks(ctx, w.view("ines"), id))(t)), "clocks": len(must(Clocks(ctx, w.view("ines"), id))(t)),
		"evidence": len(must(EvidenceOf(ctx, w.view("ines"), id))(t)), "custody": len(must(CustodyOf(ctx, w.view("ines"), item))(t)),
	} {
		if n != 0 {
			t.Errorf("ines sees %d %s", n, what)
		}
	}
}

func TestOpenFromFindings(t *testing.T) {
	w := newWorld(t)
	ctx, yara := context.Background(), as(t, "yara")
	secret := label(t, marking.Spec{TLP: marking.Amber, Source: harbour, Compartments: []string{"harbour-case"}})
	w.finds(finding{id: "a", host: "h1", level: detect.Low, ago: time.Hour})
	w.finds(finding{id: "b", host: "h1", level: detect.Low, label: secret})
	id := must(w.d.Open(ctx, yara, Draft{Title: "By hand", Severity: detect.Low, Org: harbour, Findings: []string{"b", "a", "b"}}))(t)
	if got := w.linked(id); got != "a b" {
		t.Errorf("it holds %q", got)
	}
	if _, err := w.get("ines", id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("ines, who may not see one of the findings: %v", err)
	}
	_, err := w.d.Open(ctx, yara, Draft{Title: "Again", Findings: []string{"a"}})
	want(t, err, ErrInput)
	w.finds(finding{id: "c", host: "h2", level: detect.Low})
	ok(t, w.d.LinkFinding(ctx, yara, id, "c", "same campaign"))
	w.gather()
	if got := w.linked(id); got != "a b c" && got != "a c b" {
		t.Errorf("it holds %q", got)
	}
	of := must(IncidentOf(ctx, w.view("yara"), "c"))(t)
	if marking.Open(marking.NewSheet(yara.Reader), of) != id {
		t.Error("c does not name its incident")
	}
}

func TestTasksAndNotes(t *testing.T) {
	w := newWorld(t)
	ctx, ines, yara := context.Background(), as(t, "ines"), as(t, "yara")
	i := openOne(t, w)
	late := must(w.d.AddTask(ctx, ines, i.ID, "Ask Lorrin", "mira", w.now.Add(2*time.Hour)))(t)
	soon := must(w.d.AddTask(ctx, ines, i.ID, "Notify the Harbour", "", w.now.Add(time.Hour)))(t)
	ok(t, w.d.SetTask(ctx, as(t, "mira"), i.ID, soon, true))
	tasks := opened(w.view("ines"), must(Tasks(ctx, w.view("ines"), i.ID))(t))
	if len(tasks) != 2 || tasks[0].ID != late || tasks[1].DoneBy != "mira" || !tasks[1].Done.Equal(w.now) {
		t.Errorf("%+v", tasks)
	}
	ok(t, w.d.SetTask(ctx, ines, i.ID, soon, false))
	ok(t, w.d.ChangeTask(ctx, ines, i.ID, late, "ines", time.Time{}))
	if tasks = opened(w.view("ines"), must(Tasks(ctx, w.view("ines"), i.ID))(t)); tasks[0].ID != soon || !tasks[0].Done.IsZero() || tasks[1].Owner != "ines" {
		t.Errorf("%+v", tasks)
	}
	want(t, w.d.SetTask(ctx, ines, i.ID, "task--gone", true), store.ErrNotFound)

	raw := "<script>\u202e\x1b[2J\n=HYPERLINK()"
	must(w.d.AddNote(ctx, ines, i.ID, raw, nil))(t)
	must(w.d.AddNote(ctx, yara, i.ID, "close", &marking.Spec{TLP: marking.AmberStrict, Compartments: []string{"harbour-case"}}))(t)
	// A note's mark never loosens: the Ferries do not read the incident, nor what is marked CLEAR in it.
	must(w.d.AddNote(ctx, ines, i.ID, "open", &marking.Spec{TLP: marking.Clear}))(t)
	for person, n := range map[string]int{"ines": 2, "yara": 3, "hanne": 2, "pia": 0} {
		notes := opened(w.view(person), must(Notes(ctx, w.view(person), i.ID))(t))
		if len(notes) != n {
			t.Errorf("%s reads %d notes, want %d", person, len(notes), n)
		}
		if person == "ines" && notes[0].Text != raw && notes[1].Text != raw {
			t.Errorf("the text was changed: %+v", notes)
		}
	}
	_, err := w.d.AddNote(ctx, ines, i.ID, "x", &marking.Spec{TLP: marking.Red})
	want(t, err, ErrInput) // RED to nobody
}

func TestObservables(t *testing.T) {
	for _, c := range []struct{ kind, in, out string }{
		{"domain-name", "CDN.Quay.Example.", "cdn.quay.example"}, {"domain-name", "nodots", ""}, {"domain-name", "a.example/x", ""},
		{"ipv4-addr", "198.51.100.23", "198.51.100.23"}, {"ipv4-addr", "2001:db8::1", ""}, {"ipv6-addr", "2001:DB8:0::1", "2001:db8::1"}, {"ipv6-addr", "fe80::1%eth0", ""}, {"ipv4-addr", "300.1.1.1", ""},
		{"url", "http://cdn.quay.example/x", "http://cdn.quay.example/x"}, {"url", "cdn.quay.example", ""},
		{"email-addr", "Slots@Pilots.example", "slots@pilots.example"}, {"email-addr", "@x", ""},
		{"file-md5", strings.Repeat("A", 32), strings.Repeat("a", 32)}, {"file-sha256", strings.Repeat("g", 64), ""},
		{"host", "HA-OPS-03", "HA-OPS-03"}, {"host", "two\nlines", ""}, {"nonsense", "x", ""},
	} {
		got, err := checkObservable(c.kind, c.in)
		if got != c.out || (err == nil) != (c.out != "") {
			t.Errorf("%s %q: %q, %v, want %q", c.kind, c.in, got, err, c.out)
		}
	}
	w := newWorld(t)
	ctx, ines := context.Background(), as(t, "ines")
	w.finds(finding{id: "a", host: "h1", level: detect.High, ago: time.Hour, events: []string{`,"User":"HARBOUR\\k.lund","dst_ip":"198.51.100.23"`, `,"dst_ip":"198.51.100.23"`}})
	w.finds(finding{id: "b", host: "h1", level: detect.High, events: []string{`,"dst_ip":"198.51.100.23"`}})
	w.gather()
	id := w.one().ID
	ok(t, w.d.AddObservable(ctx, ines, id, "ipv4-addr", "198.51.100.23"))
	ok(t, w.d.AddObservable(ctx, ines, id, "domain-name", "cdn.quay.example"))
	got := map[string]Observable{}
	for _, o := range opened(w.view("ines"), must(Observables(ctx, w.view("ines"), id))(t)) {
		got[o.Kind+" "+o.Value] = o
	}
	if o := got["ipv4-addr 198.51.100.23"]; o.Events != 3 || o.Findings != 2 || !o.ByHand || !o.First.Equal(w.now.Add(-time.Hour)) {
		t.Errorf("the address: %+v", o)
	}
	if len(got) != 4 || got[`user-account HARBOUR\k.lund`].Findings != 1 || got["host h1"].Findings != 2 || got["domain-name cdn.quay.example"].Findings != 0 {
		t.Errorf("%+v", got)
	}
}

func TestClocks(t *testing.T) {
	w := newWorld(t)
	ctx, ines := context.Background(), as(t, "ines")
	i := openOne(t, w)
	start := w.now
	stand := func(name string) ClockState {
		t.Helper()
		for _, c := range opened(w.view("ines"), must(Clocks(ctx, w.view("ines"), i.ID))(t)) {
			if c.Name == name {
				return c.State(w.now)
			}
		}
		t.Fatalf("no clock %q", name)
		return ""
	}
	const ours, theirs = "First assessment", "Owner's 24 h notice"
	check := func(name string, want ClockState) {
		t.Helper()
		if got := stand(name); got != want {
			t.Errorf("%s after %s: %s, want %s", name, w.now.Sub(start), got, want)
		}
	}
	check(ours, Running)
	check(theirs, NotStarted)
	want(t, w.d.StopClock(ctx, ines, i.ID, theirs, "early"), ErrTransition)
	w.now = start.Add(4 * time.Hour)
	check(ours, Running) // what is due at a time may still happen then
	ok(t, w.d.StartClock(ctx, ines, i.ID, theirs, "told by telephone"))
	want(t, w.d.StartClock(ctx, ines, i.ID, theirs, "again"), ErrTransition)
	want(t, w.d.StartClock(ctx, ines, i.ID, "no such", "x"), ErrTransition)
	if due := opened(w.view("ines"), must(DueClocks(ctx, w.view("ines"), 10))(t)); len(due) != 2 || due[0].Name != ours || !due[1].Due.Equal(w.now.Add(24*time.Hour)) {
		t.Errorf("%+v", due)
	}
	w.now = w.now.Add(time.Second)
	check(ours, Overdue)
	ok(t, w.d.SetState(ctx, ines, i.ID, i.Rev, Containment, "obvious"))
	check(ours, Missed)
	ok(t, w.d.StopClock(ctx, ines, i.ID, theirs, "notice came in"))
	check(theirs, Met)
	w.now = start.Add(99 * 24 * time.Hour)
	check(theirs, Met)
	if due := must(DueClocks(ctx, w.view("ines"), 10))(t); len(due) != 0 {
		t.Errorf("%d clocks are due", len(due))
	}
}

// The chain shows who held an item from when to when; each transfer took both hands.
func TestCustody(t *testing.T) {
	w := newWorld(t)
	ctx, ines, petra, mira := context.Background(), as(t, "ines"), as(t, "petra"), as(t, "mira")
	i := openOne(t, w)
	start := w.now
	id := must(w.d.AddEvidence(ctx, ines, i.ID, Meta{Item: "HA-OPS-07-disk.img", Original: true, Handling: Handling{Place: "safe 2", Purpose: "examine", Tool: "imager", ToolVersion: "4.1", Seal: "H-118"}}, strings.NewReader("the disk")))(t)
	if _, err := GetEvidence(ctx, w.view("petra"), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("petra sees it before it is offered: %v", err)
	}
	want(t, w.d.Accept(ctx, petra, id, Handling{}), store.ErrNotFound)
	want(t, w.d.Accept(ctx, mira, id, Handling{}), ErrCustody)
	want(t, w.d.Offer(ctx, mira, id, "petra", Handling{Purpose: "x"}), ErrCustody) // she does not hold it
	want(t, w.d.Offer(ctx, ines, id, "ines", Handling{Purpose: "x"}), ErrCustody)
	want(t, w.d.Offer(ctx, ines, id, "petra", Handling{}), ErrInput)
	want(t, w.d.Handle(ctx, mira, id, Sealed, Handling{Purpose: "x", Seal: "H-119"}), ErrCustody)
	want(t, w.d.Handle(ctx, ines, id, TakenIn, Handling{Purpose: "x"}), ErrInput)

	step := func(err error) { t.Helper(); ok(t, err); w.now = w.now.Add(time.Hour) }
	w.now = w.now.Add(time.Hour)
	step(w.d.Offer(ctx, ines, id, "petra", Handling{Purpose: "for the complaint", Seal: "H-118"}))
	want(t, w.d.Offer(ctx, ines, id, "mira", Handling{Purpose: "x"}), ErrCustody) // one at a time
	step(w.d.Refuse(ctx, petra, id, "the seal is broken"))
	want(t, w.d.Accept(ctx, petra, id, Handling{}), ErrCustody)
	step(w.d.Handle(ctx, ines, id, Sealed, Handling{Purpose: "seal again", Seal: "H-119"}))
	step(w.d.Offer(ctx, ines, id, "petra", Handling{Purpose: "for the complaint", Seal: "H-119"}))
	step(w.d.Withdraw(ctx, ines, id, "one more look"))
	want(t, w.d.Accept(ctx, petra, id, Handling{}), ErrCustody)
	step(w.d.Offer(ctx, ines, id, "petra", Handling{Purpose: "for the complaint", Seal: "H-119"}))
	held := opened(w.view("petra"), must(HeldBy(ctx, w.view("petra"), "petra"))(t))
	if len(held) != 1 || held[0].Holder != "ines" || held[0].OfferedTo != "petra" {
		t.Errorf("petra is offered %+v", held)
	}
	taken := w.now
	step(w.d.Accept(ctx, petra, id, Handling{Place: "police store", Seal: "H-119 intact"}))
	want(t, w.d.Handle(ctx, ines, id, Examined, Handling{Purpose: "x"}), ErrCustody) // hers no longer

	chain := opened(w.view("petra"), must(CustodyOf(ctx, w.view("petra"), id))(t))
	var acts []string
	for n, e := range chain {
		acts = append(acts, string(e.What))
		if e.N != n+1 {
			t.Errorf("entry %d has the number %d", n, e.N)
		}
	}
	if got := strings.Join(acts, ", "); got != "taken in, offered, refused, sealed, offered, withdrawn, offered, handed over" {
		t.Errorf("the chain: %s", got)
	}
	h := Holdings(chain)
	if len(h) != 2 || h[0] != (Holding{"ines", start, taken}) || h[1] != (Holding{"petra", taken, time.Time{}}) {
		t.Errorf("held by %+v", h)
	}
	e := opened(w.view("petra"), []marking.Released[Evidence]{must(GetEvidence(ctx, w.view("petra"), id))(t)})[0]
	if e.Holder != "petra" || e.Place != "police store" || e.OfferedTo != "" || !e.Original || e.Size != 8 {
		t.Errorf("%+v", e)
	}
	// The incident itself is still not hers to read, and the item not for other constituents.
	if _, err := w.get("petra", i.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("petra reads the incident: %v", err)
	}
	if _, err := GetEvidence(ctx, w.view("pia"), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("pia reads the item: %v", err)
	}
}

// An offer releases by name, as far as level and compartments allow, and no further.
func TestOfferStaysWithinTheMark(t *testing.T) {
	w := newWorld(t)
	ctx, yara := context.Background(), as(t, "yara")
	i := openOne(t, w)
	id := must(w.d.AddEvidence(ctx, yara, i.ID, Meta{Item: "plan", Handling: Handling{Place: "safe", Purpose: "keep"}, Mark: &marking.Spec{TLP: marking.AmberStrict, Compartments: []string{"harbour-case"}}}, nil))(t)
	before := w.entries()
	want(t, w.d.Offer(ctx, yara, id, "petra", Handling{Purpose: "x"}), ErrCustody)
	if n := w.entries() - before; n != 0 {
		t.Errorf("%d entries", n)
	}
	_, _, err := w.d.ReadEvidence(ctx, yara, id, "look")
	want(t, err, ErrInput) // a thing without a file
}

// A custody entry never changes and is never deleted, whoever asks the database.
func TestCustodyIsImmutable(t *testing.T) {
	w := newWorld(t)
	ctx, ines := context.Background(), as(t, "ines")
	i := openOne(t, w)
	id := must(w.d.AddEvidence(ctx, ines, i.ID, Meta{Item: "disk", Handling: Handling{Place: "safe", Purpose: "keep"}}, nil))(t)
	for _, q := range []string{`UPDATE custody SET giver='somebody else' WHERE evidence=?`, `UPDATE custody SET at=0 WHERE evidence=?`, `DELETE FROM custody WHERE evidence=?`} {
		err := w.s.Work(ctx, store.Lease{}, func(tx *store.WorkTx) error { _, err := tx.Exec(q, id); return err })
		if err == nil || !strings.Contains(err.Error(), "never") {
			t.Errorf("%s: %v", q, err)
		}
	}
}

func TestReadEvidence(t *testing.T) {
	w := newWorld(t)
	ctx, ines, mira := context.Background(), as(t, "ines"), as(t, "mira")
	i := openOne(t, w)
	content := bytes.Repeat([]byte("disk "), 50_000)
	id := must(w.d.AddEvidence(ctx, ines, i.ID, Meta{Item: "disk", Handling: Handling{Place: "safe", Purpose: "keep"}}, bytes.NewReader(content)))(t)
	_, _, err := w.d.ReadEvidence(ctx, mira, id, " ")
	want(t, err, ErrInput)
	_, _, err = w.d.ReadEvidence(ctx, as(t, "hanne"), id, "look")
	want(t, err, access.ErrRefused)
	before := w.entries()
	e, r, err := w.d.ReadEvidence(ctx, mira, id, "examine a copy")
	ok(t, err)
	got, err := io.ReadAll(r)
	ok(t, err)
	ok(t, r.Close())
	if !bytes.Equal(got, content) || w.entries()-before != 1 {
		t.Errorf("%d bytes and %d entries", len(got), w.entries()-before)
	}
	if yes, err := w.d.Cites(ctx, e.sha); !yes || err != nil {
		t.Errorf("cited: %v, %v", yes, err)
	}
	if yes, err := w.d.Cites(ctx, [32]byte{1}); yes || err != nil {
		t.Errorf("cited: %v, %v", yes, err)
	}
	// One changed byte: nothing is given, and the chain says so.
	path := filepath.Join(w.blobDir, e.SHA256[:2], e.SHA256[2:])
	ok(t, os.Chmod(path, 0o600))
	content[7] ^= 1
	ok(t, os.WriteFile(path, content, 0o600))
	_, _, err = w.d.ReadEvidence(ctx, mira, id, "examine again")
	want(t, err, blob.ErrDamaged)
	chain := opened(w.view("mira"), must(CustodyOf(ctx, w.view("mira"), id))(t))
	if n := len(chain); n != 3 || chain[1].What != CopiedOut || chain[1].Giver != "mira" || chain[2].What != Damaged {
		t.Errorf("%+v", chain)
	}
}

func TestEvidenceRefusals(t *testing.T) {
	w := newWorld(t)
	ctx, ines := context.Background(), as(t, "ines")
	i := openOne(t, w)
	usual := Handling{Place: "safe", Purpose: "keep"}
	for what, m := range map[string]Meta{
		"no item": {Handling: usual}, "no place": {Item: "x", Handling: Handling{Purpose: "x"}}, "no purpose": {Item: "x", Handling: Handling{Place: "x"}},
		"two lines": {Item: "a\nb", Handling: usual}, "RED to nobody": {Item: "x", Handling: usual, Mark: &marking.Spec{TLP: marking.Red}},
	} {
		_, err := w.d.AddEvidence(ctx, ines, i.ID, m, strings.NewReader("x"))
		if !errors.Is(err, ErrInput) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := w.d.AddEvidence(ctx, ines, i.ID, Meta{Item: "x", Handler: "mira", Handling: usual}, nil)
	want(t, err, ErrCustody)
	broken := io.MultiReader(strings.NewReader("half"), errReader{})
	before := w.entries()
	if _, err := w.d.AddEvidence(ctx, ines, i.ID, Meta{Item: "x", Handling: usual}, broken); err == nil {
		t.Error("half a file was taken in")
	}
	if n := w.entries() - before; n != 0 || w.b.Used() != 0 {
		t.Errorf("%d entries and %d bytes are left", n, w.b.Used())
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the line broke") }

// The timeline: a lane for each host, marks in order of time, links from what came before.
func TestTimeline(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.finds(finding{id: "a", host: "ops3", level: detect.High, techniques: "T1059.001", ago: 5 * time.Hour, events: []string{`,"User":"k.lund"`, ""}})
	w.finds(finding{id: "b", host: "ops3", level: detect.High, techniques: "T1053.005", ago: 4 * time.Hour})
	w.finds(finding{id: "c", host: "ops7", level: detect.Critical, techniques: "T1003.001", ago: 2 * time.Hour, events: []string{`,"User":"HARBOUR\\k.lund"`}})
	w.finds(finding{id: "d", host: "gate", level: detect.High, techniques: "T1021.002", ago: time.Hour})
	w.finds(finding{id: "e", host: "gate", level: detect.Low, state: "suppressed"})
	w.gather()
	id := w.one().ID
	v := w.view("ines")
	tl := marking.Open(marking.NewSheet(v.Reader()), must(TimelineOf(ctx, v, id, "host"))(t))
	if strings.Join(tl.Lanes, " ") != "ops3 ops7 gate" || len(tl.Marks) != 5 || len(tl.Ticks) != 6 {
		t.Fatalf("%+v", tl)
	}
	if c := tl.Marks[2]; c.Finding != "c" || c.Lane != 1 || c.TacticName != "Credential Access" || c.Technique != "T1003.001" || c.Name != "LSASS Memory" || c.Tactic == 0 {
		t.Errorf("%+v", c)
	}
	if !tl.Marks[4].Context || tl.Marks[3].Context {
		t.Error("what is suppressed is not shown as such")
	}
	// ops7 by the account that ops3 showed; the gate by lateral movement from what was last.
	if len(tl.Links) != 2 || tl.Links[0] != [2]int{0, 2} || tl.Links[1] != [2]int{2, 3} {
		t.Errorf("links %v", tl.Links)
	}
	by := marking.Open(marking.NewSheet(v.Reader()), must(TimelineOf(ctx, v, id, "tactic"))(t))
	if strings.Join(by.Lanes, ", ") != "Execution, Credential Access, Lateral Movement, no tactic known" {
		t.Errorf("%q", by.Lanes)
	}
}

func TestListPages(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	for range 5 {
		openOne(t, w)
	}
	v := w.view("ines")
	var got []string
	q := Query{Limit: 2, State: AnyOpen, Owner: "-", Text: "MAILBOX"}
	for {
		p, err := List(ctx, v, q)
		ok(t, err)
		for _, i := range opened(v, p.Incidents) {
			got = append(got, i.Number)
		}
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	if strings.Join(got, " ") != "INC-0005 INC-0004 INC-0003 INC-0002 INC-0001" {
		t.Errorf("%v", got)
	}
	if n := must(Count(ctx, v, Query{State: Triage}))(t); n != 0 {
		t.Errorf("%d in triage", n)
	}
	p, err := List(ctx, v, Query{Limit: 2})
	ok(t, err)
	if _, err := List(ctx, w.view("yara"), Query{Limit: 2, After: p.Next}); err == nil {
		t.Error("a token of one reader opened for another")
	}
}
