package ui

import (
	"fmt"

	"time"

	"vigil/internal/untrusted"
)

// The storybook's moment: Monday evening of the exercise.
var now = time.Date(2026, 11, 23, 21, 5, 0, 0, time.UTC)

func ago_(d time.Duration) time.Time { return now.Add(-d) }

var (
	amber  = Marking{TLP: "AMBER"}
	strict = Marking{TLP: "AMBER+STRICT"}
	green  = Marking{TLP: "GREEN"}
	clear_ = Marking{TLP: "CLEAR"}
)

func frame() Frame {
	return Frame{
		Badges: map[Place]Badge{PlaceDetections: {Count: Count{N: 12}}, PlaceIncidents: {Count: Count{N: 2}, Tone: Bad}, PlaceOversight: {Count: Count{N: 1}, Tone: Warn}},
		Absent: map[Place]bool{PlaceStrategy: true, PlaceAttribution: true, PlaceDecisions: true, PlacePartners: true},
		Now:    now, Local: "22:05 Halvern", Marking: Marking{TLP: "AMBER+STRICT"},
		You:     You{ID: "varga", Name: "Ines Varga", Role: "watch officer", Body: "National CSIRT"},
		Witness: Witness{Have: 2, Need: 2, Last: ago_(40 * time.Second)}, Exercise: "Harbour", Rehearse: "rehearsal, same machine", CSRF: "k3f9", Path: "/",
	}
}

func inTheme(f Frame, theme string) Frame { f.Theme = theme; return f }

func strong(s string) Span   { return Span{Text: s, Strong: true} }
func plainS(s string) Span   { return Span{Text: s} }
func dimS(s string) Span     { return Span{Text: s, Dim: true} }
func rawS(s string) Span     { return Span{Raw: untrusted.New(s)} }
func f64(v float64) *float64 { return &v }

func situation() SituationPage {
	b := SixBands()
	b[0].Measured, b[0].Number, b[0].Under = true, "2", "1 new tonight"
	b[0].Trend = Trend{Points: []float64{1, 1, 2, 1, 3, 2, 2, 4, 3, 3, 5, 6}}
	b[0].Wants = []Want{
		{Bad, Line{strong("Harbour control: "), plainS("credentials dumped on "), rawS("HA-OPS-07"), plainS(", then remote services to 3 hosts "), dimS("· 14 min ago")}, "Open", "/incidents/1"},
		{Warn, Line{plainS("Three indicators from Lorrin matched in the ports sector, none suppressed "), dimS("· 31 min ago")}, "Review", "/detections?from=lorrin"},
		{Quiet, Line{plainS("1,906 look-alikes suppressed by a warninglist tonight")}, "See", "/detections?state=suppressed"},
	}
	b[3].Measured, b[3].Number, b[3].Under = true, "5 h 12 min", "to the Harbour’s 24 h notice"
	b[3].Trend = Trend{Points: []float64{4, 6, 2, 8, 3, 5, 9, 4}, Bars: true, Target: f64(6)}
	b[3].Wants = []Want{{Warn, Line{plainS("The CSIRT’s own clock starts with the first call to the Harbour")}, "Start", "/incidents/1"}}
	b[5].Measured, b[5].Number, b[5].Under = true, "1,284", "entries, all with receipts"
	b[5].Trend = Trend{Points: []float64{900, 920, 980, 1010, 1100, 1180, 1284}}
	b[5].Wants = []Want{{Warn, Line{plainS("One refusal tonight: somebody tried to approve their own proposal")}, "See", "/oversight?q=refused"}}
	b[1].Missing = "Assessments are not in this build; incidents name techniques and sources meanwhile."
	b[2].Missing = "Decisions are not in this build."
	b[4].Missing = "No strategy document is loaded, so no objective is measured."
	return SituationPage{Frame: frame(), Bands: b}
}

func incidentRows() []IncidentRow {
	rows := []IncidentRow{
		{ID: "1", Ref: "INC-0062", Name: "Credentials dumped, then remote services, at Harbour control", State: "triage", Severity: "high", Owner: "Ines Varga", Opened: ago_(14 * time.Minute), Last: ago_(8 * time.Minute), Findings: Count{N: 9}, Hosts: 5, Clock: "Harbour’s 24 h notice", Due: now.Add(5*time.Hour + 12*time.Minute), Marking: amber},
		{ID: "2", Ref: "INC-0061", Name: "Mail relay of the Energy sector CSIRT answers to unknown senders", State: "contain", Severity: "medium", Opened: ago_(31 * time.Hour), Last: ago_(3 * time.Hour), Findings: Count{N: 3}, Hosts: 1, Clock: "CSIRT’s first report", Due: ago_(40 * time.Minute), Marking: green},
		{ID: "3", Ref: "INC-0060", Name: "Phishing wave against pilots’ association", State: "closed", Severity: "low", Owner: "Pavel Oster", Opened: ago_(9 * 24 * time.Hour), Last: ago_(5 * 24 * time.Hour), Findings: Count{N: 41}, Hosts: 12, Marking: green, Closed: true},
	}
	for i := 59; i > 47; i-- {
		rows = append(rows, IncidentRow{ID: fmt.Sprint(i), Ref: fmt.Sprintf("INC-%04d", i), Name: "Simulated: credential stuffing against a municipal portal", State: "closed", Severity: []string{"informational", "low", "medium", "critical"}[i%4], Owner: "Pavel Oster", Opened: ago_(time.Duration(70-i) * 30 * time.Hour), Last: ago_(time.Duration(70-i) * 29 * time.Hour), Findings: Count{N: int64(i % 7 * 3)}, Hosts: i % 5, Marking: green, Closed: true})
	}
	return rows
}

func bulkIncidents() Bulk {
	return Bulk{Post: "/incidents/bulk", Choices: []BulkChoice{{"own", "Take ownership", false}, {"close", "Close", true}}}
}

func incidents() IncidentsPage {
	f := frame()
	f.Live = "/live/incidents"
	return IncidentsPage{Frame: f, Rows: incidentRows(), Bulk: bulkIncidents(), Pager: Pager{Total: Count{N: 1001, AtLeast: true}, Next: "/incidents?after=k"},
		Filter: Filter{Action: "/incidents", Hint: "state:triage severity:high harbour", Fields: []FilterField{{"state", "State", []Option{{"", "any state", true}, {"open", "open", false}, {"closed", "closed", false}}}, {"severity", "Severity", []Option{{"", "any severity", true}, {"high", "high and above", false}}}},
			Saved: []SavedView{{"Open", "/incidents?state=open", true}, {"Mine", "/incidents?owner=me", false}, {"Late", "/incidents?clock=late", false}}}}
}

func techniques(ids ...string) []Technique {
	var out []Technique
	for _, id := range ids {
		out = append(out, Technique{ID: id, Name: "Technique " + id, Tactic: "Execution"})
	}
	return out
}

func tonight() Timeline {
	t := Timeline{By: "host", Other: "/incidents/1?lanes=tactic", CSV: "/incidents/1/timeline.csv", Now: now,
		Lanes: []string{"HA-MAIL-01", "HA-OPS-03", "HA-OPS-07", "HA-CRANE-GW", "HA-PROXY-02"}}
	add := func(lane int, before time.Duration, label, tech string, tactic int, as, sev string, n int64) {
		t.Marks = append(t.Marks, Mark{lane, ago_(before), label, tech, tactic, as, sev, n, fmt.Sprintf("/detections/f%d", len(t.Marks))})
	}
	add(0, 52*time.Hour, "Phishing attachment", "T1566.001", 3, "Initial access", "medium", 2)
	add(1, 51*time.Hour+50*time.Minute, "Script interpreter", "T1059.001", 4, "Execution", "medium", 6)
	add(1, 51*time.Hour+48*time.Minute, "Scheduled task", "T1053.005", 5, "Persistence", "medium", 1)
	add(1, 51*time.Hour+20*time.Minute, "Loader known from NORTH KILN", "T1105", 12, "Command and control", "high", 12)
	add(2, 34*time.Minute, "Credentials dumped", "T1003.001", 8, "Credential access", "high", 3)
	add(3, 30*time.Minute, "Remote services", "T1021.002", 10, "Lateral movement", "high", 7)
	add(3, 26*time.Minute, "Discovery of the crane-control network", "T1046", 9, "Discovery", "medium", 214)
	add(2, 22*time.Minute, "Staging in a temporary folder", "T1074.001", 11, "Collection", "low", 18)
	add(4, 8*time.Minute, "Exfiltration over a web service", "T1567.002", 13, "Exfiltration", "critical", 41)
	for i := 0; i < 60; i++ {
		t.Ticks = append(t.Ticks, Tick{i % 5, ago_(time.Duration(8+i%29) * time.Minute)}, Tick{i % 2, ago_(51*time.Hour + time.Duration(i)*time.Minute)})
	}
	for i := 0; i+1 < len(t.Marks); i++ {
		t.Arrows = append(t.Arrows, [2]int{i, i + 1})
	}
	return t
}

func findingRows() []FindingRow {
	inc := &IncidentRef{"1", "INC-0062", "Credentials dumped at Harbour control"}
	return []FindingRow{
		{ID: "f8", Severity: "critical", Title: "Large upload to a web service", By: "rule", From: "own", Kind: "host", Entity: untrusted.New("HA-PROXY-02"), Events: Count{N: 41}, First: ago_(19 * time.Minute), Last: ago_(8 * time.Minute), Techniques: techniques("T1567.002"), State: "in incident", Incident: inc, Marking: green},
		{ID: "f4", Severity: "high", Title: "LSASS memory read", By: "rule", From: "SigmaHQ", Kind: "host", Entity: untrusted.New("HA-OPS-07"), Events: Count{N: 3}, First: ago_(34 * time.Minute), Last: ago_(33 * time.Minute), Techniques: techniques("T1003.001"), State: "in incident", Incident: inc, Marking: green},
		{ID: "f5", Severity: "high", Title: "Remote service created", By: "rule", From: "SigmaHQ", Kind: "host", Entity: untrusted.New("HA-CRANE-GW"), Events: Count{N: 7}, First: ago_(30 * time.Minute), Last: ago_(28 * time.Minute), Techniques: techniques("T1021.002", "T1569.002"), State: "in incident", Incident: inc, Marking: green},
		{ID: "f3", Severity: "medium", Title: "Indicator: loader host", Indicator: untrusted.New("cdn-harbour.example"), By: "indicator", From: "Lorrin", Kind: "host", Entity: untrusted.New("HA-PROXY-02"), Events: Count{N: 1001, AtLeast: true}, First: ago_(52 * time.Hour), Last: ago_(9 * time.Minute), Techniques: techniques("T1105"), State: "new", Marking: strict},
		{ID: "f9", Severity: "low", Title: "Archive written to a temporary folder", By: "rule", From: "SigmaHQ", Kind: "account", Entity: untrusted.New(`HARBOUR\m.lund`), Events: Count{N: 18}, First: ago_(26 * time.Minute), Last: ago_(22 * time.Minute), Techniques: techniques("T1074.001"), State: "new", Marking: green},
		{ID: "f10", Severity: "informational", Title: "Indicator: public resolver", Indicator: untrusted.New("192.0.2.53"), By: "indicator", From: "Brightwater", Kind: "host", Entity: untrusted.New("HA-PROXY-02"), Events: Count{N: 1906}, First: ago_(20 * time.Hour), Last: ago_(time.Minute), State: "suppressed", Suppressed: "warninglist: public resolvers", Marking: clear_},
		{ID: "f11", Severity: "medium", Title: "PowerShell with an encoded command and a rather long title that has to wrap on narrow screens", By: "rule", From: "SigmaHQ", Kind: "host", Entity: untrusted.New("HA-OPS-03\u202egnp.exe"), Events: Count{N: 6}, First: ago_(52 * time.Hour), Last: ago_(51 * time.Hour), Techniques: techniques("T1059.001"), State: "dismissed", Marking: green},
	}
}

func changes() []Change {
	return []Change{
		{At: ago_(6 * time.Minute), By: "Ines Varga", Act: "took ownership", Seq: 1284, Diff: []FieldDiff{{"owner", untrusted.New(""), untrusted.New("Ines Varga")}, {"state", untrusted.New("new"), untrusted.New("triage")}}},
		{At: ago_(9 * time.Minute), By: "correlation", Act: "added findings", Seq: 1281, Diff: []FieldDiff{{"severity", untrusted.New("medium"), untrusted.New("high")}, {"findings", untrusted.New("3"), untrusted.New("9")}}},
		{At: ago_(14 * time.Minute), By: "correlation", Act: "opened", Seq: 1279, Reason: "3 findings on 4 hosts within two hours"},
	}
}

func incident() IncidentPage {
	return IncidentPage{Frame: frame(), ID: "1", Ref: "INC-0062", Name: "Credentials dumped, then remote services, at Harbour control", Version: "7",
		Opened: Line{plainS("opened by correlation 14 min ago from 3 findings on 4 hosts")}, State: "triage", Severity: "high",
		Next:        []Transition{{"contain", "Contain", "The incident moves to containment; the Harbour’s contacts are shown what was advised. You can move it back.", false}, {"closed", "Close as no incident", "The incident closes for good; its findings go back to the list; clocks stop. A closed incident is not opened again.", true}},
		SeverityWhy: Why{Basis: "derived", Text: "The highest of its findings on a host that serves an essential service is high, so the incident is.", From: []Line{{plainS("Remote service created on "), rawS("HA-CRANE-GW"), plainS(": high")}, {plainS("Crane gateway: essential service, Ports order 12 (3)")}}},
		Owner:       "Ines Varga", OwnerIsYou: true,
		Clocks:    []Clock{{Name: "Harbour’s 24 h notice", State: "running", Due: now.Add(5*time.Hour + 12*time.Minute)}, {Name: "CSIRT’s own", State: "not started", Note: "starts with intake"}},
		MarkingOf: Marking{TLP: "AMBER", Note: "from 2 sources"}, MarkingWhy: Why{Basis: "derived", Text: "The strictest of what it was made from.", From: []Line{Say("Harbour Authority’s logs: AMBER"), Say("Lorrin’s indicator: AMBER")}},
		NeedToKnow: []PersonRef{{"varga", "Ines Varga", "watch officer", "National CSIRT"}, {"oster", "Pavel Oster", "watch officer", "National CSIRT"}, {"brandt", "A. Brandt", "director", "National CSIRT"}, {"ferro", "N. Ferro", "legal adviser", "Foreign Ministry"}},
		NeedWhy:    Why{Text: "On duty, or named by the owner."},
		Primary:    &Action{Label: "Notify the Harbour Authority", Href: "/incidents/1/notify", Key: "m", Filled: true}, Actions: []Action{{Label: "Print the sheet", Href: "/incidents/1?print"}, {Label: "Merge with another", Href: "/incidents/1/merge"}},
		Timeline: tonight(),
		Narrative: []Line{{plainS("A document opened on "), rawS("HA-OPS-03"), plainS(" started a script that fetched a loader from "), rawS("cdn-harbour[.]example"), plainS(", an indicator that Lorrin shared nine days ago. A day later memory of the credential process was read on "), rawS("HA-OPS-07"), plainS(", and its account reached the crane gateway within four minutes.")},
			{dimS("Nothing yet shows the crane network itself was changed.")}},
		NarrativeBy: "Ines Varga", NarrativeAt: ago_(4 * time.Minute),
		Tasks: []Task{{"1", "Notify the Harbour Authority", "you, now", false}, {"2", "Advise isolating OPS-07 and CRANE-GW", "the Harbour decides; needs no attribution", false}, {"3", "Take the disk image of OPS-07 into custody", "response firm → CSIRT", false}, {"4", "Ask Lorrin for context on the indicator", "sent 20:58Z", true}},
		Notes: []Note{{"Ines Varga", ago_(3 * time.Minute), "Called the Harbour’s duty line; they pick up, will call back within ten minutes.\nAsked them not to reboot OPS-07."}},
		Evidence: []Evidence{
			{ID: "e1", Name: untrusted.New("ha-ops-07-disk.e01"), Original: true, Size: 128_035_676_160, SHA256: "7c1e8a40f2b6d19350c4a7e1b88d2f6603ce5b9a417d80f2e6c3159ab7d204b9", Marking: amber, Holder: "Response firm Brightwater", Place: "Harbour, room 2.14", CanOffer: true, CanFetch: true,
				Custody: []Custody{{At: ago_(40 * time.Minute), What: "taken in", From: "K. Adeyo, Brightwater", Place: "Harbour, room 2.14", Purpose: "examination", Tool: "imager 4.7.1", Seal: "B-20419"}, {At: ago_(12 * time.Minute), What: "handed over", From: "K. Adeyo, Brightwater", To: "Ines Varga, National CSIRT", Place: "CSIRT, evidence room", Purpose: "safe keeping", Seal: "B-20419", Open: true}},
				Offer:   &Offer{From: "K. Adeyo, Brightwater", To: "you", At: ago_(12 * time.Minute), Seal: "B-20419", CanAnswer: true}},
			{ID: "e2", Name: untrusted.New("mail-export\u202ezip.mbox"), Size: 1_482_113, SHA256: "04b97c1e8a40f2b6d19350c4a7e1b88d2f6603ce5b9a417d80f2e6c3159ab7d2", Marking: strict, Holder: "Ines Varga, National CSIRT", Place: "evidence store", Custody: []Custody{{At: ago_(10 * time.Minute), What: "copied", From: "Ines Varga, National CSIRT", Purpose: "examination", Tool: "vigil"}}}},
		Custodians:  []Option{{"oster", "Pavel Oster, National CSIRT", false}, {"police", "D. Marek, National Police", false}},
		Entities:    []Entity{{"host", untrusted.New("HA-OPS-03"), "first foothold", 3, Ref{}}, {"host", untrusted.New("HA-OPS-07"), "", 2, Ref{}}, {"host", untrusted.New("HA-CRANE-GW"), "essential service", 2, Ref{}}, {"account", untrusted.New(`HARBOUR\m.lund`), "used from two hosts", 4, Ref{}}},
		Observables: []Observable{{"domain-name", untrusted.New("cdn-harbour.example"), "2 sources", amber, "/intelligence/domain-name--1"}, {"ipv4-addr", untrusted.New("198.51.100.23"), "added by hand", green, ""}, {"url", untrusted.New("https://files.quay-store.example/u?id=77"), "finding", green, ""}},
		ObsTypes:    []string{"domain-name", "ipv4-addr", "ipv6-addr", "url", "file", "email-addr"}, Findings: findingRows()[:6], History: changes()}
}

func bare(f Frame) Frame {
	f.Badges, f.Witness = nil, Witness{}
	return f
}

func broken(f Frame) Frame {
	f.Problem = &Problem{What: "The change was not kept: somebody else changed this incident 20 s ago.", Safe: "Nothing was overwritten; what you typed is still in the form.", Do: "Read what changed under History, then send it again.", Ref: "r-7f21c"}
	f.Toast = &Toast{Text: "INC-0062 moved to containment", Undo: "/undo/1284"}
	return f
}

func stories() []story {
	var s []story
	s = append(s, page("situation", Situation, situation()), page("situation-empty", Situation, SituationPage{Frame: bare(frame()), Bands: SixBands()}), page("situation-none", Situation, SituationPage{Frame: bare(frame())}))
	dark := situation()
	dark.Frame = inTheme(dark.Frame, "dark")
	s = append(s, page("situation-dark", Situation, dark))
	err := situation()
	err.Frame = broken(err.Frame)
	s = append(s, page("situation-error", Situation, err))
	s = append(s, page("incidents", Incidents, incidents()), page("incidents-empty", Incidents, IncidentsPage{Frame: bare(frame()), Filter: Filter{Action: "/incidents"}}))
	none := IncidentsPage{Frame: frame(), Filter: Filter{Action: "/incidents", Query: "host:", Error: "after “host:” a name is wanted, at character 5"}}
	s = append(s, page("incidents-error", Incidents, none), page("incident", Incident, incident()))
	di := incident()
	di.Frame = inTheme(di.Frame, "dark")
	s = append(s, page("incident-dark", Incident, di), page("incident-empty", Incident, IncidentPage{Frame: frame(), ID: "9", Ref: "INC-0063", Name: "Opened by hand", Opened: Say("opened by you just now"), State: "new", Severity: "", Locked: ""}))
	li := incident()
	li.Frame, li.Locked, li.Primary, li.Actions = broken(li.Frame), "The incident is closed. Its history stays readable.", nil, nil
	s = append(s, page("incident-error", Incident, li))
	return append(s, moreStories()...)
}
