package ui

import (
	"fmt"
	"io"
	"time"

	"vigil/internal/untrusted"
)

func u(s string) untrusted.Text { return untrusted.New(s) }

func searchFilter(action string) Filter {
	return Filter{Action: action, Hint: "host:HA-OPS-07 severity:high", Fields: []FilterField{{"state", "State", []Option{{"", "any state", true}, {"new", "new", false}, {"suppressed", "suppressed", false}}}}}
}

func provingEvents() []ProvingEvent {
	var out []ProvingEvent
	for i := range 6 {
		out = append(out, ProvingEvent{At: ago_(time.Duration(34*60-i*11) * time.Second), Where: u("HA-OPS-07"), Last: i > 2,
			Brief:  u(`C:\Windows\Temp\pd64.exe -ma lsass.exe C:\Windows\Temp\l.dmp`),
			Fields: []EventField{{u("Image"), u(`C:\Windows\Temp\pd64.exe`), false}, {u("TargetImage"), u(`C:\Windows\System32\lsass.exe`), true}, {u("GrantedAccess"), u("0x1fffff"), true}, {u("SourceUser"), u("HARBOUR\\m.lund\u202e"), false}}})
	}
	return out
}

const ruleText = `title: LSASS memory read
id: 5d2f9a10-7c31-4b7e-9d0a-0f1e2d3c4b5a
status: stable
logsource:
    product: windows
    category: process_access
detection:
    selection:
        TargetImage|endswith: '\lsass.exe'
        GrantedAccess: '0x1fffff'
    condition: selection
level: high`

func finding() FindingPage {
	return FindingPage{Frame: frame(), Finding: findingRows()[1], Events: provingEvents(), Skipped: 118, Why: Why{Basis: "declared", Text: "The rule's author set its level to high."},
		Reason:  []Line{{plainS("Field "), rawS("TargetImage"), plainS(" ends with "), rawS(`\lsass.exe`), plainS(".")}, {plainS("Field "), rawS("GrantedAccess"), plainS(" is "), rawS("0x1fffff"), plainS(": full access to the process that holds credentials.")}},
		Rule:    &RuleText{ID: "r1", Title: "LSASS memory read", Text: u(ruleText), Author: "an author", Licence: "DRL 1.1", Status: "stable", False: []string{"Backup agents that were allowed to"}},
		Source:  Ref{"/sources/s1", "Harbour Authority, Windows hosts"},
		Primary: &Action{Label: "Add to an incident", Href: "/detections/f4/incident", Key: "i", Filled: true},
		Bulk:    Bulk{Choices: []BulkChoice{{"dismiss", "Dismiss it", true}, {"suppress", "Suppress what looks like this", true}}}, History: changes()[1:]}
}

func ruleRows() []RuleRow {
	return []RuleRow{
		{ID: "r1", Title: "LSASS memory read", Severity: "high", Enabled: true, Logsource: "windows / process_access", Live: true, Fired: Count{N: 3}, Last: ago_(33 * time.Minute), Techniques: techniques("T1003.001"), Origin: "SigmaHQ core"},
		{ID: "r2", Title: "Scheduled task made by a script", Severity: "medium", Enabled: true, Logsource: "windows / process_creation", Live: true, Fired: Count{N: 1}, Last: ago_(52 * time.Hour), Techniques: techniques("T1053.005"), Origin: "SigmaHQ core"},
		{ID: "r3", Title: "Satellite ground station log-in at night", Severity: "high", Enabled: true, Logsource: "ground / auth", Techniques: techniques("T1078"), Origin: "own"},
		{ID: "r4", Title: "Every PowerShell start", Severity: "informational", Off: "too loud; A. Brandt, until 1 December", Logsource: "windows / process_creation", Live: true, Fired: Count{N: 41206}, Last: ago_(time.Minute), Techniques: techniques("T1059.001"), Origin: "SigmaHQ hunting"},
	}
}

func hits() []Hit {
	return []Hit{
		{ID: "intrusion-set--1", Type: "intrusion-set", Name: u("QUIET LOOM"), Modified: ago_(30 * time.Hour), Marking: amber, Source: "Tessary", Snippet: []Snip{{u("used a relay that was also rented to others; known to read "), false}, {u("credential"), true}, {u(" memory after the first day"), false}}},
		{ID: "attack-pattern--1", Type: "attack-pattern", Name: u("OS Credential Dumping: LSASS Memory"), Alias: "T1003.001", Modified: ago_(80 * 24 * time.Hour), Marking: clear_, Source: "ATT&CK"},
		{ID: "indicator--1", Type: "indicator", Name: u("[domain-name:value = 'cdn-harbour.example']"), Modified: ago_(9 * 24 * time.Hour), Marking: strict, Source: "Lorrin"},
	}
}

func object() ObjectPage {
	rel := func(typ string, names ...string) []Relation {
		var out []Relation
		for i, n := range names {
			out = append(out, Relation{ID: fmt.Sprintf("%s--%d", typ, i), Type: typ, Name: u(n), Marking: green, Note: u("seen in two cases last spring")})
		}
		return out
	}
	same := rel("intrusion-set", "Cluster 41 of Brightwater")
	same[0].Doubtful = true
	return ObjectPage{Frame: frame(), ID: "intrusion-set--6f0c1c1e-95a0-4a55-b9e1-7d2f4d0b6f11", Type: "intrusion-set", Name: u("QUIET LOOM"), MarkingOf: amber, Marked: Why{Text: "The source's agreed default.", Basis: "derived"},
		About: u("A cluster of activity against ports and shipping since last spring.\nKnown for patience: days between steps, one tool a task, relays rented for three weeks."), Created: ago_(400 * 24 * time.Hour), Modified: ago_(30 * time.Hour), Source: "Tessary",
		Facts: []Fact{{Name: "Aliases", Value: u("LOOM, Weft-9")}, {Name: "First seen", When: ago_(560 * 24 * time.Hour)}, {Name: "Resource level", Words: "organisation"}, {Name: "Goals", Value: u("access to port logistics")}},
		Relations: []RelationGroup{
			{Verb: "uses", Rows: rel("attack-pattern", "LSASS Memory", "SMB/Windows Admin Shares", "Scheduled Task", "PowerShell", "Exfiltration to Cloud Storage"), Total: Count{N: 14}, More: "/search?q=used-by:1"},
			{Verb: "uses", Rows: rel("malware", "Weft loader"), Total: Count{N: 1}}, {Verb: "same as", Rows: same, Total: Count{N: 1}},
			{Verb: "indicates", Incoming: true, Rows: rel("indicator", "[domain-name:value = 'cdn-harbour.example']", "[ipv4-addr:value = '198.51.100.23']"), Total: Count{N: 2}},
			{Verb: "attributed to", Incoming: true, Rows: rel("campaign", "Spring tides"), Total: Count{N: 1}}},
		Sightings: []Sighting{{By: "Brightwater", Count: 3, First: ago_(9 * 24 * time.Hour), Last: ago_(26 * time.Hour), Where: u("a mail gateway"), Marking: clear_}},
		Claims:    []Claim{{Source: "Tessary", Reliability: "B2", Version: ago_(30 * time.Hour), Versions: 4, Confidence: "70", Shown: true}, {Source: "Brightwater", Version: ago_(60 * 24 * time.Hour), Versions: 1}},
		History:   []Change{{At: ago_(30 * time.Hour), By: "import from Tessary", Act: "newer version", Seq: 1102, Diff: []FieldDiff{{"aliases", u("LOOM"), u("LOOM, Weft-9")}}}},
		JSON:      u("{\n  \"type\": \"intrusion-set\",\n  \"spec_version\": \"2.1\",\n  \"id\": \"intrusion-set--6f0c1c1e-95a0-4a55-b9e1-7d2f4d0b6f11\",\n  \"name\": \"QUIET LOOM\"\n}"),
		Actions:   []Action{{Label: "Cite it in an incident", Href: "/incidents?cite=1"}}}
}

func progressOf(state string) ImportProgress {
	return ImportProgress{ID: "i1", Name: u("enterprise-attack-18.1.json"), Source: "ATT&CK", State: state, Done: 18311, Total: 24771, Bytes: 48_200_113, Added: 18290, Same: 17, Newer: 2, Refused: 2, Started: ago_(4 * time.Second), Took: 4 * time.Second}
}

func entryRows() []EntryRow {
	inc := Ref{"/incidents/1", "INC-0062"}
	return []EntryRow{
		{1284, ago_(6 * time.Minute), "Ines Varga", "took ownership", inc, "incident response", "witnessed", false},
		{1283, ago_(7 * time.Minute), "N. Ferro", "refused: approve own proposal", Ref{"", "statement of concern"}, "counter-step", "witnessed", true},
		{1282, ago_(8 * time.Minute), "ingest", "refused: lapsed log source", Ref{"/sources/s9", "Old bastion"}, "detection", "witnessed", true},
		{1281, ago_(9 * time.Minute), "correlation", "added findings", inc, "detection", "pending", false},
		{1280, ago_(40 * time.Minute), "p-7c1e8a40", "imported 24,771 objects", Ref{"/intelligence/imports/i1", "enterprise-attack-18.1.json"}, "intelligence", "witnessed", false},
	}
}

func witnesses(ok bool) []WitnessRow {
	note := "rehearsal, same machine"
	if !ok {
		note = "not reached since 20:10Z"
	}
	return []WitnessRow{{"Oversight Commissioner", true, ago_(40 * time.Second), "rehearsal, same machine", 1284}, {"Court of Audit", ok, ago_(41 * time.Second), note, 1284}}
}

func oversight(ok bool) OversightPage {
	return OversightPage{Frame: frame(), Filter: searchFilter("/oversight"), Rows: entryRows(), Pager: Pager{Total: Count{N: 1284}, Next: "/oversight?before=1280"}, Policy: "4f1a…09c2", Refusals: Count{N: 2},
		Tree: Tree{Size: 1284, Root: "9b1f6c3e0a5d47f2c8e1b0947d3a", At: ago_(40 * time.Second), Origin: "vigil.example/record", Witnesses: witnesses(ok), Waiting: 1}}
}

func entry() EntryPage {
	return EntryPage{Frame: frame(), Row: entryRows()[1], Code: "decision.refuse", Pseudonym: "p-51b0c2aa", PolicyID: "4f1a77e0c409c2", Basis: "Cyber-security Act 9 (1) c",
		Commitments: []Commitment{{"subject", "7c1e8a40f2b6d19350c4a7e1b88d2f6603ce5b9a417d80f2e6c3159ab7d204b9", true, u("statement of concern, no actor named"), "a0b1c2d3e4f50617"}, {"reason", "04b97c1e8a40f2b6d19350c4a7e1b88d2f6603ce5b9a417d80f2e6c3159ab7d2", false, u(""), ""}},
		Leaf:        "1f0c8a40f2b6d19350c4a7e1b88d2f6603ce5b9a417d80f2e6c3159ab7d204b9", Prev: 1282, Next: 1284,
		Proof: Proof{State: "witnessed", Index: 1283, Size: 1284, Root: "9b1f6c3e0a5d47f2c8e1b0947d3a", Path: []string{"aa01", "bb02", "cc03"}, Checkpoint: "vigil.example/record\n1284\nmx9sPgpdR/LI4bCUfTo=\n\n— commissioner.example b1x…\n", Witnesses: witnesses(true)}}
}

func sourceRows() []SourceRow {
	day := 24 * time.Hour
	return []SourceRow{
		{"s1", "Harbour Authority, Windows hosts", "windows / process_creation", "Harbour Authority", "Agreement of 3 May, § 4", "detect intrusions into the office network", "process, user, host, hashes", 90 * day, now.Add(200 * day), "live", Count{N: 38211}, ago_(3 * time.Second)},
		{"s2", "Lorrin sensor at the port gateway", "zeek / conn", "Lorrin", "Sensor agreement, annex 2", "protect shared shipping lanes", "flows, no content", 30 * day, now.Add(12 * day), "silent", Count{N: 0}, ago_(7 * time.Hour)},
		{"s9", "Old bastion", "linux / auth", "National CSIRT", "Own system", "protect own systems", "log-ins", 30 * day, ago_(2 * day), "lapsed", Count{N: 0}, ago_(50 * time.Hour)}}
}

func huntReport() HuntReport {
	r := HuntReport{Title: "Hunt over 60 archives", Made: now, By: "vigil 0.1", Took: 41 * time.Second, Marking: green, Events: 812_339, Bytes: 1_900_000_000, From: ago_(400 * 24 * time.Hour), To: ago_(20 * time.Hour), Loaded: 2401, Rules: 2407, Intel: 3, Timeline: tonight(), More: 12,
		Trouble: []string{"2 of 60 files hold lines that are not JSON; see Files."},
		Refused: []RefusedRule{{u("windows/proc_creation_x.yml"), 14, "modifier “expand” names a placeholder that no pipeline fills"}, {u("linux/audit_y.yml"), 0, "condition is empty"}},
		Files:   []FileStats{{u("empire_dcsync.json.zip"), "JSON lines, zip", 31_220, 48_000_000, 12, 0, "", 2 * time.Second}, {u("psexec_smb.json.gz"), "JSON lines, gzip", 9_001, 8_000_000, 3, 4, "4 lines cut off in the middle", 900 * time.Millisecond}}}
	for _, f := range findingRows() {
		r.Findings = append(r.Findings, HuntFinding{f.Severity, f.Title, "rules/x.yml", f.By, f.Entity, f.Events, f.First, f.Last, f.Techniques, provingEvents()[:2]})
	}
	for i, t := range []string{"Initial access", "Execution", "Persistence", "Privilege escalation", "Defence evasion", "Credential access", "Discovery", "Lateral movement", "Collection", "Command and control", "Exfiltration", "Impact"} {
		tac := Tactic{Name: t}
		for j := range 4 + i%5 {
			tac.Cells = append(tac.Cells, Cell{fmt.Sprintf("T1%03d.00%d", i*13+j, j), []string{"PowerShell", "Scheduled Task", "LSASS Memory", "SMB/Windows Admin Shares", "Archive via Utility"}[(i+j)%5], []int64{0, 0, 41, 3, 12, 0}[(i*2+j)%6], true})
		}
		r.Matrix = append(r.Matrix, tac)
	}
	return r
}

func demoPeople() []DemoPerson {
	return []DemoPerson{{"varga", "Ines Varga", "watch officer", "National CSIRT", "Tonight’s incident is open and nobody has it."}, {"oduya", "M. Oduya", "intelligence analyst", "National CSIRT", "Three intrusion sets that are easily confused."}, {"kolk", "Dana Kolk", "deputy minister", "Foreign Ministry", ""}, {"ferro", "N. Ferro", "legal adviser", "Foreign Ministry", ""}, {"marek", "D. Marek", "liaison", "National Police", ""}, {"reil", "Tomas Reil", "programme manager", "Strategy Headquarters", ""}, {"com", "H. Aldane", "overseer", "Parliamentary Oversight Commissioner", "The record, and a refusal to look at."}, {"adm", "S. Quist", "administrator", "National CSIRT", "People, sources and nothing to approve."}}
}

func moreStories() []story {
	day := 24 * time.Hour
	door := Frame{Now: now, Exercise: "Harbour", Rehearse: "rehearsal, same machine", CSRF: "k3"}
	out := Frame{Now: now, CSRF: "k3"}
	sources := SourcesPage{Frame: frame(), Rows: sourceRows(), Refused: 3, Pager: Pager{Total: Count{N: 3}}, CanAdd: true, Filter: searchFilter("/sources"), Form: SourceForm{Owners: []Option{{"ha", "Harbour Authority", true}}}}
	wrong := sources
	wrong.Form = SourceForm{Name: "Crane gateway", Kind: "linux", Retention: "forever", Owners: sources.Form.Owners, Wrong: map[string]string{"kind": "say product / category, such as linux / auth", "retention": "a number of days, 1 to 3650"}}
	stopped := progressOf("stopped")
	stopped.Trouble = "the file ends in the middle of object 18,312, at byte 48,200,113"
	verdicts := []Verdict{{1, u("attack-pattern--1"), "added", ""}, {2, u("identity--9"), "already there", ""}, {77, u("malware--bad"), "refused", "object 77, property “created”: not a timestamp: “yesterday”"}}
	people := []PersonRow{{"varga", "Ines Varga", "National CSIRT", []string{"watch officer"}, 1, ago_(time.Minute), false}, {"kolk", "Dana Kolk", "Foreign Ministry", []string{"decision maker"}, 2, ago_(3 * day), false}, {"gone", "P. Former", "National CSIRT", []string{"analyst"}, 0, time.Time{}, true}}
	darkDet := DetectionsPage{Frame: inTheme(frame(), "dark"), Filter: searchFilter("/detections"), Rows: findingRows(), Pager: Pager{Total: Count{N: 1001, AtLeast: true}, Next: "/detections?after=k"}, Bulk: Bulk{Post: "/detections/bulk", Choices: []BulkChoice{{"incident", "Open an incident", false}, {"suppress", "Suppress", true}}}}
	det := darkDet
	det.Frame = frame()
	det.Live = "/live/detections"
	supp := finding()
	supp.Finding, supp.Events, supp.Rule, supp.Reason, supp.Primary = findingRows()[5], nil, nil, nil, nil
	tac := incident()
	tac.Timeline.By = "tactic"
	one := incident()
	one.Timeline.Marks, one.Timeline.Arrows, one.Timeline.Ticks = one.Timeline.Marks[4:5], nil, nil
	gone := frame()
	gone.Path, gone.Query = "/incidents/hidden", "hidden"
	s := []story{
		{"news", func(w io.Writer) error { return NewsBar(w, News{12, "/incidents"}) }},
		page("incident-one-mark", Incident, one),
		page("detections", Detections, det), page("detections-dark", Detections, darkDet), page("detections-empty", Detections, DetectionsPage{Frame: bare(frame()), Filter: Filter{Action: "/detections"}}),
		page("detections-nomatch", Detections, DetectionsPage{Frame: frame(), Filter: Filter{Action: "/detections", Query: "host:nowhere"}}),
		page("finding", Finding, finding()), page("finding-suppressed", Finding, supp),
		page("rules", Rules, RulesPage{Frame: frame(), Filter: searchFilter("/rules"), Rows: ruleRows(), Pager: Pager{Total: Count{N: 2401}}, Refused: huntReport().Refused}), page("rules-empty", Rules, RulesPage{Frame: frame(), Filter: Filter{Action: "/rules"}}),
		page("rule", Rule, RulePage{Frame: frame(), Row: ruleRows()[0], Text: *finding().Rule, Findings: findingRows()[1:2], About: "Reads the memory of the process that holds credentials."}), page("rule-empty", Rule, RulePage{Frame: frame(), Row: ruleRows()[2]}),
		page("intelligence", Intelligence, IntelligencePage{Frame: frame(), Total: Count{N: 24811}, Types: []TypeCount{{"attack-pattern", Count{N: 835}}, {"relationship", Count{N: 20400}}, {"malware", Count{N: 696}}, {"intrusion-set", Count{N: 181}}, {"course-of-action", Count{N: 268}}, {"tool", Count{N: 91}}, {"indicator", Count{N: 1001, AtLeast: true}}, {"campaign", Count{N: 52}}}, Latest: hits(),
			Imports: []ImportRow{{"i1", u("enterprise-attack-18.1.json"), "Ines Varga", "ATT&CK", ago_(40 * time.Minute), "running", 18311, 24771, 2}}, CanImport: true, Sources: []Option{{"a", "ATT&CK", true}, {"l", "Lorrin", false}}}),
		page("intelligence-empty", Intelligence, IntelligencePage{Frame: bare(frame()), CanImport: true, Sources: []Option{{"a", "ATT&CK", true}}}),
		page("search", Search, SearchPage{Frame: frame(), Asked: "credential, every type", Filter: Filter{Action: "/search", Query: "credential"}, Hits: hits(), Pager: Pager{Total: Count{N: 3}}}), page("search-empty", Search, SearchPage{Frame: frame(), Filter: Filter{Action: "/search", Query: "nothing"}, Partial: "The index is still catching up with an import."}),
		page("object", Object, object()), page("object-empty", Object, ObjectPage{Frame: frame(), ID: "tool--1", Type: "tool", Name: u("A tool that nobody says anything about"), MarkingOf: Marking{Held: true}, Revoked: true}),
		page("import-running", Import, ImportPage{Frame: frame(), Progress: progressOf("running"), Filter: Filter{Action: "/intelligence/imports/i1"}}), page("import-done", Import, ImportPage{Frame: frame(), Progress: progressOf("done"), Verdicts: verdicts, Filter: Filter{Action: "/intelligence/imports/i1"}, Pager: Pager{Total: Count{N: 24771}}}), page("import-stopped", Import, ImportPage{Frame: frame(), Progress: stopped, Verdicts: verdicts}),
		page("oversight", Oversight, oversight(true)), page("oversight-trouble", Oversight, func() OversightPage {
			p := oversight(false)
			p.Declared = "Entries 700 to 702 are missing from the database and stand in the tree. The copy that witnesses hold is whole."
			p.Witness.Trouble = "record not whole"
			return p
		}()), page("oversight-empty", Oversight, OversightPage{Frame: bare(frame())}),
		page("entry", Entry, entry()), page("entry-pending", Entry, EntryPage{Frame: frame(), Row: entryRows()[3], Proof: Proof{State: "pending"}}),
		page("people", People, PeoplePage{Frame: frame(), Bodies: []BodyRow{{"1", "National CSIRT", "own", "", 9}, {"2", "Harbour Authority", "constituent", "", 2}, {"3", "Lorrin", "partner", "AMBER+STRICT", 3}}, People: people, Filter: searchFilter("/people"), Pager: Pager{Total: Count{N: 3}}}), page("people-empty", People, PeoplePage{Frame: frame()}),
		page("person", Person, PersonPage{Frame: frame(), Row: people[0], Login: "ivarga", IsYou: true, CanEnd: true, Grants: []Grant{{"watch officer", "", "S. Quist", ago_(200 * day), time.Time{}, []string{"read incidents", "change incidents", "notify owners"}}}, Keys: []Passkey{{"k1", "Security key, blue", ago_(100 * day), ago_(time.Hour)}}, Sessions: []Session{{"s1", u("Firefox on Linux"), u("192.0.2.14"), ago_(2 * time.Hour), ago_(time.Minute), true}, {"s2", u("Chrome on Android"), u("2001:db8::7"), ago_(2 * day), ago_(5 * time.Hour), false}}}), page("person-empty", Person, PersonPage{Frame: frame(), Row: people[2]}),
		page("sources", Sources, sources), page("sources-wrong", Sources, wrong), page("sources-empty", Sources, SourcesPage{Frame: frame(), CanAdd: true, Form: sources.Form}),
		page("source", Source, SourcePage{Frame: frame(), Row: sourceRows()[0], Token: "vgl_src_9f3k2", Example: "curl -H 'Authorization: Bearer vgl_src_9f3k2' --data-binary @events.ndjson 127.0.0.1:8080/ingest", Daily: Trend{Points: []float64{30, 34, 31, 38, 39}, Bars: true}, Days: []DayCount{{ago_(day), 34101}, {now, 38211}}, Refused: []Refusal{{ago_(5 * time.Hour), "line 18: not JSON", 1, u("192.0.2.80")}}, Next: []Transition{{"suspended", "Suspend", "Deliveries are refused from now on.", true}}, History: changes()[:1]}), page("source-empty", Source, SourcePage{Frame: frame(), Row: sourceRows()[1]}),
		page("login", Login, LoginPage{Frame: out, Passkeys: true}), page("login-wrong", Login, LoginPage{Frame: out, Name: "ivarga", Wrong: "Name and password don’t belong together. Four more tries in this minute."}), page("login-demo", Login, LoginPage{Frame: door, Demo: demoPeople(), Passkeys: true}),
		page("setup", Setup, SetupPage{Frame: out, Token: "t"}), page("setup-wrong", Setup, SetupPage{Frame: out, Token: "t", Name: "S. Quist", Wrong: map[string]string{"password": "eight characters; twelve are needed"}}), page("setup-used", Setup, SetupPage{Frame: out, Invalid: true}),
		page("error", Error, ErrorPage{Frame: frame(), Status: 500, What: Problem{What: "The search did not answer in time", Safe: "Nothing was changed.", Do: "Try again with fewer words. If it stays, tell the administrator the number below.", Ref: "r-7f21c"}, Back: "/search"}), page("error-out", Error, ErrorPage{Frame: out, Status: 500}),
		page("notfound", Error, ErrorPage{Frame: gone, Status: 404, What: Problem{What: "incident INC-0099 is not for you"}}),
		page("hunt", WriteHuntReport, huntReport()), page("hunt-empty", WriteHuntReport, HuntReport{Made: now, Marking: green, Events: 12, Rules: 3, Loaded: 3}),
		page("incident-tactic", Incident, tac),
	}
	for _, p := range []Place{PlaceStrategy, PlaceAttribution, PlaceDecisions, PlacePartners} {
		s = append(s, page("notbuilt-"+string(p), NotBuilt, NotBuiltPage{Frame: frame(), Place: p}))
	}
	return s
}
