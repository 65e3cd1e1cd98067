package exercise

import (
	"embed"
	"encoding/json"
	"io/fs"
	"strings"
	"time"
)

//go:embed rules/*.yml
var ruleFiles embed.FS

// Rule is one Sigma rule of the Halvern CSIRT, as its file has it.
type Rule struct {
	Name string // file name without its ending; what [Expected] refers to
	ID   string // the rule's id
	File string // file name
	YAML []byte
}

// Rules gives the exercise's Sigma rules, in order of name.
func Rules() []Rule {
	names, err := fs.Glob(ruleFiles, "rules/*.yml")
	if err != nil {
		panic(err) // the pattern is ours
	}
	var out []Rule
	for _, n := range names {
		b, err := ruleFiles.ReadFile(n)
		if err != nil {
			panic(err) // the file is in the binary
		}
		r := Rule{File: strings.TrimPrefix(n, "rules/"), YAML: b}
		r.Name = strings.TrimSuffix(r.File, ".yml")
		for l := range strings.Lines(string(b)) {
			if id, ok := strings.CutPrefix(l, "id: "); ok {
				r.ID = strings.TrimSpace(id)
				break
			}
		}
		out = append(out, r)
	}
	return out
}

// Benign is a list of values that are known to be benign, in the form that MISP gives its warninglists. A finding
// whose matching event holds one of the values, or a subdomain of it, in one of the Fields is suppressed, and says so.
type Benign struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Version     int      `json:"version"`
	Type        string   `json:"type"`                // "hostname": the value and its subdomains
	Attributes  []string `json:"matching_attributes"` // MISP attribute types
	List        []string `json:"list"`
	Fields      []string `json:"-"` // log fields that hold such a value
}

// JSON writes the list as a MISP warninglist.
func (b Benign) JSON() []byte {
	out, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		panic(err) // strings and a number
	}
	return append(out, '\n')
}

// Warninglist is the exercise's list of benign hosts. It holds the look-alike, and nothing that tonight is about.
func Warninglist() Benign {
	return Benign{
		Name:        "Halvern: services that ports rely on",
		Description: "Hosts that planning screens and update agents of Halvern's ports ask all day. A match here is no sign of an attack.",
		Version:     20261001,
		Type:        "hostname",
		Attributes:  []string{"hostname", "domain", "url"},
		Fields:      []string{"cs-host", "query", "QueryName", "DestinationHostname"},
		List: []string{"harbour-maps.example", "weather.coastwatch.example", "ais.shiptrack.example", "updates.bulwark.example",
			"updates.fairlead.example", "pilots.halvern.example", "customs.halvern.example"},
	}
}

// Outcome is one row of what should come out of the pipeline: a rule or an indicator, the host that reported, how
// many events, and when (as durations before the start).
type Outcome struct {
	Rule      string // name of a rule, or ""
	Indicator string // key of an indicator, see [Indicators], or ""
	Host      string // "Hostname" of the events
	Source    string // id of the log source
	// Min and Max bound the number of matching events over all days; they are equal where the count is exact.
	Min, Max int
	// First and Last are how long before the start the first and the last matching event lie.
	First, Last time.Duration
	Technique   string // of ATT&CK, or ""
	// Suppressed outcomes are held back by the warninglist and open no incident.
	Suppressed bool
}

// Expected is what tonight's events should lead to, in order of the first event: no rule and no indicator matches
// anywhere else, whatever the seed.
func Expected() []Outcome {
	exact := func(o Outcome, n int, first, last time.Duration) Outcome {
		o.Min, o.Max, o.First, o.Last = n, n, first, last
		return o
	}
	lookAlike := exact(Outcome{Rule: "name_like_the_harbours", Host: "HA-PROXY-02", Source: SourceProxy, Technique: "T1583.001", Suppressed: true}, lookAlikes, window-quiet, 2*quiet)
	return []Outcome{
		lookAlike,
		exact(Outcome{Indicator: "loader-host", Host: "HA-DNS-01", Source: SourceDNS, Technique: "T1105"}, 5, hms(46, 12, 41), hms(8, 0, 2)),
		exact(Outcome{Indicator: "loader-host", Host: "HA-PROXY-02", Source: SourceProxy, Technique: "T1105"}, 41, hms(46, 12, 40), hms(0, 8, 5)),
		exact(Outcome{Rule: "mail_active_document", Host: "HA-MAIL-01", Source: SourceWindows, Technique: "T1566.001"}, 1, hms(46, 12, 5), hms(46, 12, 5)),
		exact(Outcome{Rule: "attachment_opened", Host: "HA-OPS-03", Source: SourceWindows, Technique: "T1566.001"}, 1, hms(38, 20, 0), hms(38, 20, 0)),
		exact(Outcome{Rule: "office_starts_interpreter", Host: "HA-OPS-03", Source: SourceWindows, Technique: "T1059.001"}, 2, hms(38, 19, 52), hms(38, 19, 40)),
		exact(Outcome{Rule: "north_kiln_loader", Host: "HA-OPS-03", Source: SourceWindows, Technique: "T1105"}, 12, hms(38, 19, 38), hms(2, 0, 0)),
		exact(Outcome{Indicator: "loader-file", Host: "HA-OPS-03", Source: SourceWindows, Technique: "T1105"}, 12, hms(38, 19, 38), hms(2, 0, 0)),
		exact(Outcome{Rule: "task_from_writable_folder", Host: "HA-OPS-03", Source: SourceWindows, Technique: "T1053.005"}, 2, hms(32, 30, 0), hms(14, 5, 20)),
		exact(Outcome{Rule: "north_kiln_loader", Host: "HA-OPS-07", Source: SourceWindows, Technique: "T1105"}, 4, hms(14, 0, 0), hms(0, 16, 0)),
		exact(Outcome{Indicator: "relay-address", Host: "HA-OPS-07", Source: SourceWindows, Technique: "T1071.001"}, 14, hms(13, 55, 0), hms(0, 55, 0)),
		exact(Outcome{Rule: "credential_memory_read", Host: "HA-OPS-07", Source: SourceWindows, Technique: "T1003.001"}, 3, hms(0, 14, 40), hms(0, 14, 2)),
		exact(Outcome{Rule: "paper_sluice_string", Host: "HA-OPS-07", Source: SourceWindows, Technique: "T1059.003"}, 1, hms(0, 13, 30), hms(0, 13, 30)),
		exact(Outcome{Rule: "remote_service_created", Host: "HA-OPS-09", Source: SourceWindows, Technique: "T1021.002"}, 1, hms(0, 12, 50), hms(0, 12, 50)),
		exact(Outcome{Rule: "remote_service_created", Host: "HA-FS-01", Source: SourceWindows, Technique: "T1021.002"}, 1, hms(0, 12, 20), hms(0, 12, 20)),
		exact(Outcome{Rule: "remote_service_created", Host: "HA-CRANE-GW", Source: SourceWindows, Technique: "T1021.002"}, 7, hms(0, 11, 55), hms(0, 11, 2)),
		exact(Outcome{Rule: "crane_network_discovery", Host: "HA-CRANE-GW", Source: SourceWindows, Technique: "T1018"}, 14, hms(0, 10, 50), hms(0, 9, 58)),
		exact(Outcome{Rule: "sudo_crane_routes", Host: "HA-BASTION-01", Source: SourceAuth, Technique: "T1548.003"}, 2, hms(0, 10, 20), hms(0, 10, 6)),
		exact(Outcome{Rule: "staging_archive", Host: "HA-CRANE-GW", Source: SourceWindows, Technique: "T1560.001"}, 2, hms(0, 9, 40), hms(0, 9, 10)),
		exact(Outcome{Indicator: "relay-address", Host: "HA-CRANE-GW", Source: SourceWindows, Technique: "T1071.001"}, 3, hms(0, 9, 30), hms(0, 8, 50)),
		exact(Outcome{Rule: "large_upload_no_browser", Host: "HA-PROXY-02", Source: SourceProxy, Technique: "T1567.002"}, 9, hms(0, 9, 0), hms(0, 8, 12)),
	}
}

// Story is what the demo's scripted people say about tonight. The pipeline opens the incident by itself; the story
// gives words, never state.
type Story struct {
	Number    int // of the incident among all, by time
	Title     string
	Narrative string
	Victim    string   // body id
	Hosts     []string // in the order in which they were reached
	Tasks     []Task
	// Careful is the answer that a careful analyst comes to, and why the loud ones are not it.
	Careful, NotKiln, NotSluice, State string
}

// Task is something to be done, with who would do it.
type Task struct{ Text, Hint string }

// Tonight gives tonight's story.
func Tonight() Story {
	return Story{
		Number: 62,
		Title:  "Credentials dumped, then remote services, at Harbour control",
		Victim: "harbour",
		Hosts:  []string{"HA-MAIL-01", "HA-OPS-03", "HA-OPS-07", "HA-CRANE-GW", "HA-PROXY-02"},
		Narrative: "A document opened on HA-OPS-03 started a script that fetched a loader from " + LoaderHost + ", an indicator that Lorrin shared nine days ago. " +
			"A day later memory of the credential process was read on HA-OPS-07, and its account reached the crane gateway within four minutes. " +
			"Archives then left over a web service. Nothing yet shows the crane network itself was changed.",
		Tasks: []Task{
			{Text: "Notify the Harbour Authority", Hint: "mail and telephone; the 24 h clock starts with it"},
			{Text: "Advise isolating HA-OPS-03, HA-OPS-07 and HA-CRANE-GW", Hint: "the Harbour decides; needs no attribution"},
			{Text: "Take the disk image of HA-OPS-07 into custody", Hint: "response firm to CSIRT to police, every transfer by both hands"},
			{Text: "Ask Lorrin for context on the indicator", Hint: "the relay's lease would move the answer most"},
			{Text: "Read the crash report of HA-OPS-07", Hint: "it shows the build path"},
		},
		Careful:   "Likely QUIET LOOM, resting on two items: the loader's build path and the relay shared for three weeks.",
		NotKiln:   "The loader is known for NORTH KILN, but Brightwater has seen it with others, and this build is not theirs.",
		NotSluice: "The note that names SLUICEGATE is the easiest item to plant, and nothing else points to PAPER SLUICE.",
		State:     "Insufficient evidence. Vessin is accused in the press and denies.",
	}
}
