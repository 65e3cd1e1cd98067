package exercise

import (
	"fmt"
	"time"
)

// Verb is one call that a scripted person makes. Those that the product cannot do yet are left out by the player.
type Verb string

const (
	Report   Verb = "report"   // somebody tells the watch; Text is what they say
	Open     Verb = "open"     // the incident is opened
	Severity Verb = "severity" // Value is the new severity
	State    Verb = "state"    // Value is the new state
	Note     Verb = "note"
	AddTask  Verb = "task"
	Observe  Verb = "observable" // Kind is the STIX type, Value its value
	Evidence Verb = "evidence"   // Value is the item, Kind "original" or "copy", Text the purpose
	HandOver Verb = "hand-over"  // the giver's half of a custody transfer; To receives
	TakeOver Verb = "take-over"  // the receiver's half
	Notify   Verb = "notify"     // To is told
	Assess   Verb = "assess"
	Propose  Verb = "propose"
	Approve  Verb = "approve"
	Refuse   Verb = "refuse"
	Release  Verb = "release" // to To, under the marking in Value
	Sighting Verb = "sighting"
	Question Verb = "question"
	Answer   Verb = "answer"
)

// Step is one call of one person, After the incident's first event.
type Step struct {
	After time.Duration
	By    string // login
	Do    Verb
	Text  string
	Value string
	Kind  string
	To    string // body id or login
}

// Scenario is an incident of the past, as a script. Times after the first event are never shorter than those before
// them: FirstEvent, Detect, Notify, Contain, Close.
type Scenario struct {
	Number     int // of the incident, by time
	Title      string
	Victim     string        // body id
	Severity   string        // low, medium, high or critical
	Technique  string        // of ATT&CK
	FoundBy    string        // rule, indicator, owner or partner
	FirstEvent time.Duration // before the start
	// Detect, Notify, Contain and Close are after the first event: when the incident was opened, the owner told, the
	// activity stopped, the incident closed.
	Detect, Notify, Contain, Close time.Duration
	Simulated                      bool // shown with every figure that rests on it
	Steps                          []Step
}

// What happened in the sixty earlier incidents, in turn.
var earlierKinds = []struct {
	title, technique, severity string
}{
	{"Mail with a forged berthing notice", "T1566.001", "medium"},
	{"Password sprayed at the remote desk", "T1110.003", "low"},
	{"Loader on a planner's desk", "T1105", "high"},
	{"Invoice mailbox taken over", "T1078", "medium"},
	{"Scheduled task nobody ordered", "T1053.005", "medium"},
	{"Meter gateway probed from outside", "T1046", "low"},
	{"Archive left through a file service", "T1567.002", "high"},
	{"Script run from a shared folder", "T1059.001", "medium"},
	{"Web form defaced", "T1491.001", "low"},
	{"Files encrypted at a feeder depot", "T1486", "critical"},
	{"Stolen session at the booking page", "T1539", "medium"},
}

var earlierVictims = []struct{ body, login, desk string }{
	{"harbour", "hanne.tolvik", "the Harbour Authority"},
	{"energy-csirt", "sten.amdal", "a grid operator"},
	{"ports-csirt", "pia.enger", "a ferry port"},
	{"ports-csirt", "pia.enger", "a pilot station"},
	{"energy-csirt", "sten.amdal", "a fuel terminal"},
}

// recentContain and oldContain are hours from first event to contained, in turn: a median of 9 of the last 23 now,
// of 14 a year ago.
var (
	recentContain = []int{9, 7, 11, 8, 10, 9, 13, 7, 9, 12, 8, 9, 10, 7, 11, 9, 8, 12, 9, 10, 8, 9, 11}
	oldContain    = []int{15, 14, 17, 13, 14, 16, 12, 14, 18, 13, 15, 14, 11, 14, 16, 13, 14}
)

// Earlier gives sixty simulated incidents of the eighteen months before the last one, oldest first. They feed the
// trends, and are marked as simulated wherever they do.
func Earlier() []Scenario {
	const recent = 23
	out := make([]Scenario, 0, 60)
	for i := range 60 {
		kind, victim := earlierKinds[(7*i+3)%len(earlierKinds)], earlierVictims[(3*i+1)%len(earlierVictims)]
		s := Scenario{Number: i + 1, Title: kind.title + " at " + victim.desk, Victim: victim.body, Severity: kind.severity,
			Technique: kind.technique, FoundBy: []string{"rule", "owner", "rule", "indicator", "rule", "partner"}[i%6], Simulated: true}
		var hours int
		if k := i - (60 - recent); k >= 0 {
			s.FirstEvent = 178*day - time.Duration(k)*(144*day/recent)
			hours = recentContain[k]
		} else {
			s.FirstEvent = 560*day - time.Duration(i)*(374*day/(60-recent))
			hours = oldContain[i%len(oldContain)]
		}
		s.FirstEvent = (s.FirstEvent + time.Duration(i*5%24)*time.Hour).Truncate(time.Minute)
		s.Contain = time.Duration(hours) * time.Hour
		s.Detect = s.Contain * time.Duration(20+i*11%30) / 100
		s.Detect = s.Detect.Truncate(time.Minute)
		s.Notify = s.Detect + time.Duration(20+i*13%90)*time.Minute
		if i%17 == 5 {
			s.Notify = s.Detect + 26*time.Hour // told too late, and counted so
		}
		s.Close = max(s.Contain, s.Notify) + time.Duration(2+i%9)*day
		s.Steps = s.script(victim.login, victim.desk)
		out = append(out, s)
	}
	return out
}

// script is the shortest course of an incident: opened, told, contained, closed.
func (s Scenario) script(owner, desk string) []Step {
	watch := "ines.varga"
	if s.Number%2 == 0 {
		watch = "yara.nyst"
	}
	var steps []Step
	switch s.FoundBy {
	case "owner":
		steps = append(steps, Step{After: s.Detect, By: owner, Do: Report, Text: s.Title + ". We saw it ourselves."})
	case "partner":
		steps = append(steps, Step{After: s.Detect, By: "sanne.brook", Do: Report, Text: "Our sensors see " + desk + " talking to a host that we watch."})
	}
	steps = append(steps,
		Step{After: s.Detect, By: watch, Do: Open, Text: s.Title, Kind: s.FoundBy},
		Step{After: s.Detect, By: watch, Do: Severity, Value: s.Severity},
		Step{After: s.Detect + 5*time.Minute, By: watch, Do: State, Value: "triage"},
	)
	told := Step{After: s.Notify, By: watch, Do: Notify, To: s.Victim, Text: "Mail and telephone to " + desk + "."}
	contained := Step{After: s.Contain, By: owner, Do: State, Value: "contained", Text: "Hosts isolated on advice."}
	if s.Notify <= s.Contain {
		steps = append(steps, told, contained)
	} else {
		steps = append(steps, contained, told)
	}
	return append(steps,
		Step{After: s.Close - time.Hour, By: watch, Do: Note, Text: fmt.Sprintf("Cause found (%s); simulated for the trends.", s.Technique)},
		Step{After: s.Close, By: watch, Do: State, Value: "closed"})
}

// LastMonth is the incident that scripted people carried from report to release.
func LastMonth() Scenario {
	h := func(hours, minutes int) time.Duration {
		return time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	}
	const mailbox, panel = "slots@pilots.halvern.example", "quay-login.example"
	s := Scenario{Number: 61, Title: "Pilots' booking mailbox taken over, berth invoices forged", Victim: "ports-csirt", Severity: "high", Technique: "T1078",
		FoundBy: "owner", FirstEvent: 31 * day, Detect: h(3, 40), Notify: h(4, 25), Contain: h(8, 50), Close: 12 * day}
	s.Steps = []Step{
		{After: h(3, 31), By: "pia.enger", Do: Report, Text: "A shipping agent paid an invoice that the pilot station never wrote. It came from the pilots' own mailbox."},
		{After: h(3, 40), By: "ines.varga", Do: Open, Text: s.Title, Kind: "owner"},
		{After: h(3, 41), By: "ines.varga", Do: Severity, Value: "high", Text: "Money lost, and the mailbox is trusted by forty agents."},
		{After: h(3, 45), By: "ines.varga", Do: State, Value: "triage"},
		{After: h(3, 50), By: "ines.varga", Do: Observe, Kind: "email-addr", Value: mailbox},
		{After: h(4, 5), By: "mira.oduya", Do: Observe, Kind: "domain-name", Value: panel, Text: "The page that took the password."},
		{After: h(4, 10), By: "mira.oduya", Do: Observe, Kind: "ipv4-addr", Value: "203.0.113.201"},
		{After: h(4, 25), By: "ines.varga", Do: Notify, To: "ports-csirt", Text: "Mail and telephone. The 24 h clock of the pilot station started at 04:25."},
		{After: h(4, 40), By: "ines.varga", Do: AddTask, Text: "Advise ending every session of the mailbox", To: "ports-csirt"},
		{After: h(5, 20), By: "dario.penn", Do: Evidence, Kind: "original", Value: MailboxFile, Text: "Export of the mailbox with its rules, made by the pilot station's own administrator."},
		{After: h(6, 0), By: "dario.penn", Do: HandOver, Value: MailboxFile, To: "mira.oduya", Text: "To examine the forwarding rules."},
		{After: h(6, 10), By: "mira.oduya", Do: TakeOver, Value: MailboxFile, Text: "Seal intact."},
		{After: h(7, 30), By: "mira.oduya", Do: Note, Text: "A rule forwarded every mail with the word invoice. Made from 203.0.113.201 eleven minutes after the password was given away."},
		{After: h(8, 50), By: "pia.enger", Do: State, Value: "contained", Text: "Sessions ended, rule removed, second factor switched on."},
		{After: h(9, 30), By: "mira.oduya", Do: HandOver, Value: MailboxFile, To: "petra.lind", Text: "For the complaint against unknown persons."},
		{After: h(10, 0), By: "petra.lind", Do: TakeOver, Value: MailboxFile, Text: "Seal intact."},
		{After: h(26, 0), By: "mira.oduya", Do: Assess, Text: "Insufficient evidence for any of the three sets. Somebody else or unknown is the likeliest."},
		{After: h(28, 0), By: "ines.varga", Do: Propose, Text: "Advisory to all ports, naming nobody."},
		{After: h(28, 5), By: "ines.varga", Do: Approve, Text: "Refused by the gate: nobody approves what they proposed."},
		{After: h(29, 0), By: "anneke.brandt", Do: Approve},
		{After: h(30, 0), By: "dana.kolk", Do: Approve},
		{After: h(30, 10), By: "ines.varga", Do: Release, To: "quaymar", Value: "TLP:GREEN", Text: "Advisory, as a tear-line."},
		{After: h(30, 12), By: "ines.varga", Do: Release, To: "lorrin", Value: "TLP:AMBER+STRICT", Text: "Full report."},
		{After: h(30, 14), By: "ines.varga", Do: Release, To: "brightwater", Value: "TLP:CLEAR", Text: "The page's name alone."},
		{After: h(52, 0), By: "rui.castan", Do: Sighting, Kind: "domain-name", Value: panel},
		{After: 6 * day, By: "edda.roth", Do: Question, Text: "On what basis was the mailbox's content read?", To: "anneke.brandt"},
		{After: 8 * day, By: "anneke.brandt", Do: Answer, Text: "With the written consent of the pilot station, for the forwarding rules alone; entry of custody attached."},
		{After: 12*day - time.Hour, By: "ines.varga", Do: Note, Text: "What we change: second factor for every mailbox that sends invoices."},
		{After: 12 * day, By: "ines.varga", Do: State, Value: "closed"},
	}
	return s
}
