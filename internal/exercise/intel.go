package exercise

import (
	"time"

	"vigil/stix"
)

// Bundle is what one source knows, as a STIX 2.1 bundle.
type Bundle struct {
	Source string // body id: the bundle is to be imported as from that body
	Name   string
	Bytes  []byte
}

// Intelligence gives the knowledge base before tonight: the CSIRT's own, and what partners shared, each in a bundle
// of its own with its own ids and markings. The three intrusion sets overlap in techniques and tools, the sources
// differ in reliability and contradict each other on the relay, and each has its own object for the same set: that
// they are the same is an assessed relationship in the CSIRT's bundle, which is therefore the last.
func Intelligence(start time.Time) []Bundle {
	start = start.UTC().Truncate(time.Millisecond)
	lorrin, tessary, quaymar, brightwater := fromLorrin(start), fromTessary(start), fromQuaymar(start), fromBrightwater(start)
	return []Bundle{
		{Source: "lorrin", Name: "Lorrin: loader host, relay, LOOM-7", Bytes: lorrin.bundle()},
		{Source: "tessary", Name: "Tessary: relay and its customers", Bytes: tessary.bundle()},
		{Source: "quaymar", Name: "Quaymar: port advisories", Bytes: quaymar.bundle()},
		{Source: "brightwater", Name: "Brightwater: public reports", Bytes: brightwater.bundle()},
		{Source: "csirt", Name: "Halvern CSIRT: knowledge base", Bytes: fromOwn(start, lorrin, tessary, brightwater).bundle()},
	}
}

func newAuthor(body string, start time.Time, marking stix.ID) *author {
	a := &author{body: body, start: start, marking: string(marking), ids: map[string]string{}}
	for _, b := range TheWorld().Bodies {
		if b.ID == body {
			class := "organization"
			if b.Kind == PartnerGroup {
				class = "group"
			}
			a.put("identity", body, 600*day, props{"name": b.Name, "identity_class": class, "contact_information": "desk@" + b.Domain,
				"object_marking_refs": []string{string(stix.TLP2Clear)}})
		}
	}
	return a
}

// technique is one of ATT&CK, by its public number and name.
type technique struct{ name, tactic string }

var techniques = map[string]technique{
	"T1566.001": {"Spearphishing Attachment", "initial-access"},
	"T1204.002": {"Malicious File", "execution"},
	"T1059.001": {"PowerShell", "execution"},
	"T1059.003": {"Windows Command Shell", "execution"},
	"T1053.005": {"Scheduled Task", "persistence"},
	"T1543.003": {"Windows Service", "persistence"},
	"T1548.003": {"Sudo and Sudo Caching", "privilege-escalation"},
	"T1003.001": {"LSASS Memory", "credential-access"},
	"T1018":     {"Remote System Discovery", "discovery"},
	"T1046":     {"Network Service Discovery", "discovery"},
	"T1016":     {"System Network Configuration Discovery", "discovery"},
	"T1021.002": {"SMB/Windows Admin Shares", "lateral-movement"},
	"T1074.001": {"Local Data Staging", "collection"},
	"T1560.001": {"Archive via Utility", "collection"},
	"T1105":     {"Ingress Tool Transfer", "command-and-control"},
	"T1071.001": {"Web Protocols", "command-and-control"},
	"T1090.002": {"External Proxy", "command-and-control"},
	"T1567.002": {"Exfiltration to Cloud Storage", "exfiltration"},
	"T1036.005": {"Match Legitimate Resource Name or Location", "defense-evasion"},
	"T1583.001": {"Domains", "resource-development"},
	"T1583.003": {"Virtual Private Server", "resource-development"},
	"T1486":     {"Data Encrypted for Impact", "impact"},
	"T1490":     {"Inhibit System Recovery", "impact"},
	"T1491.001": {"Internal Defacement", "impact"},
	"T1565.001": {"Stored Data Manipulation", "impact"},
}

// What each set is known for. Of tonight's techniques QUIET LOOM shares the most, and not enough to tell.
var (
	loomTechniques   = []string{"T1566.001", "T1053.005", "T1105", "T1003.001", "T1021.002", "T1018", "T1074.001", "T1567.002", "T1071.001", "T1036.005", "T1583.003", "T1090.002"}
	kilnTechniques   = []string{"T1566.001", "T1204.002", "T1059.001", "T1105", "T1071.001", "T1021.002", "T1560.001", "T1486", "T1490"}
	sluiceTechniques = []string{"T1566.001", "T1059.003", "T1046", "T1003.001", "T1491.001", "T1565.001"}
)

// technique adds the attack-pattern once and gives its id.
func (a *author) technique(number string) string {
	if id, ok := a.ids[number]; ok {
		return id
	}
	t := techniques[number]
	return a.put("attack-pattern", number, 590*day, props{
		"name":                t.name,
		"external_references": []props{{"source_name": "mitre-attack", "external_id": number}},
		"kill_chain_phases":   []props{{"kill_chain_name": "mitre-attack", "phase_name": t.tactic}},
		"object_marking_refs": []string{string(stix.TLP2Clear)},
	})
}

func (a *author) uses(who string, numbers []string, d time.Duration, confidence int) {
	for _, n := range numbers {
		a.relate(who, "uses", a.technique(n), d, confidence, "")
	}
}

// reliability is the Admiralty code of a source and its confidence on STIX's scale.
func reliability(p props, code string, confidence int) props {
	p["labels"], p["confidence"] = []string{"admiralty-" + code}, confidence
	return p
}

func mark(p props, id stix.ID) props {
	p["object_marking_refs"] = []string{string(id)}
	return p
}

func (a *author) indicator(key, name, pattern string, d, validFor time.Duration, code string, confidence int, extra props) string {
	p := reliability(props{"name": name, "pattern": pattern, "pattern_type": "stix", "valid_from": a.ago(d),
		"valid_until": a.ago(d - validFor), "indicator_types": []string{"malicious-activity"}}, code, confidence)
	for k, v := range extra {
		p[k] = v
	}
	return a.put("indicator", key, d, p)
}

func fromLorrin(start time.Time) *author {
	a := newAuthor("lorrin", start, stix.TLP2Amber)
	loom := a.put("intrusion-set", "loom-7", 400*day, reliability(props{"name": "LOOM-7", "aliases": []string{"QUIET LOOM"},
		"description": "Activity against ports and freight on our coast. Rents relays for a few weeks at a time.", "first_seen": a.ago(480 * day)}, "b2", 70))
	a.uses(loom, []string{"T1053.005", "T1003.001", "T1021.002", "T1567.002", "T1090.002"}, 60*day, 70)
	loader := a.put("malware", "coldhearth", 120*day, reliability(props{"name": "COLDHEARTH", "is_family": true, "malware_types": []string{"downloader"},
		"description": "Loader. Takes /hearth: and eight hexadecimal digits, asks for /b/tide.json.",
		"sample_refs": []string{a.observeFile("tidesync.exe", LoaderHash)}}, "b2", 70))
	host := a.put("infrastructure", "loader-host", 9*day, props{"name": "Loader host", "infrastructure_types": []string{"hosting-malware"}, "first_seen": a.ago(12 * day)})
	a.relate(host, "consists-of", a.observe("domain-name", LoaderHost), 9*day, 70, "")
	a.relate(host, "delivers", loader, 9*day, 70, "")
	relay := a.put("infrastructure", "relay", 8*day, mark(reliability(props{"name": "Relay, seen for three weeks", "infrastructure_types": []string{"anonymization"},
		"description": "Used by LOOM-7 without a break for three weeks.", "first_seen": a.ago(31 * day), "last_seen": a.ago(10 * day)}, "b2", 70), stix.TLP2AmberStrict))
	a.relate(loom, "uses", relay, 8*day, 70, "Sensor records of three weeks; no other user seen.")
	a.relate(relay, "consists-of", a.observe("ipv4-addr", RelayAddr), 8*day, 70, "")
	for _, id := range []string{
		a.indicator("loader-host", "Loader host", "[domain-name:value = '"+LoaderHost+"']", 9*day, 90*day, "b2", 75, nil),
		a.indicator("loader-file", "Loader COLDHEARTH, one build", "[file:hashes.'SHA-256' = '"+LoaderHash+"']", 9*day, 365*day, "b2", 85, nil),
	} {
		a.relate(id, "indicates", loader, 9*day, 70, "")
	}
	a.indicator("old-mirror", "Earlier mirror of the loader host", "[domain-name:value = 'img-quay.example']", 200*day, 60*day, "b3", 50, nil)
	a.put("report", "relay-report", 8*day, mark(props{"name": "A relay of LOOM-7", "published": a.ago(8 * day), "report_types": []string{"threat-actor"},
		"description": "Three weeks of records from the sensors under the agreement.", "object_refs": []string{loom, relay, loader, host}}, stix.TLP2AmberStrict))
	return a
}

func fromTessary(start time.Time) *author {
	a := newAuthor("tessary", start, stix.TLP2Amber)
	set := a.put("intrusion-set", "quiet-loom", 300*day, reliability(props{"name": "Quiet Loom", "description": "Patient. Names scheduled tasks after something local, with a digit.", "first_seen": a.ago(350 * day)}, "b3", 50))
	a.uses(set, []string{"T1566.001", "T1053.005", "T1018", "T1074.001"}, 90*day, 50)
	relay := a.put("infrastructure", "relay", 20*day, reliability(props{"name": "Rented relay", "infrastructure_types": []string{"anonymization"},
		"description": "Rented out by the week; at least three customers in the month before last.", "first_seen": a.ago(70 * day)}, "b2", 70))
	a.relate(relay, "consists-of", a.observe("ipv4-addr", RelayAddr), 20*day, 0, "")
	id := a.indicator("relay-address", "Relay address", "[ipv4-addr:value = '"+RelayAddr+"']", 20*day, 60*day, "b2", 60, mark(props{}, stix.TLP2Green))
	a.relate(id, "indicates", set, 20*day, 40, "One of several customers.")
	a.indicator("relay-range", "Relay address of last spring", "[ipv4-addr:value = '198.51.100.61']", 230*day, 60*day, "b3", 40, mark(props{}, stix.TLP2Green))
	a.put("note", "lease", 18*day, props{"abstract": "Lease records", "content": "The landlord keeps lease records for ninety days. We can ask on request.", "object_refs": []string{relay}})
	return a
}

func fromQuaymar(start time.Time) *author {
	a := newAuthor("quaymar", start, stix.TLP2Green)
	a.uses(a.put("campaign", "spring", 240*day, reliability(props{"name": "Port mails of last spring", "description": "Mails with berthing documents to nine harbours.",
		"first_seen": a.ago(260 * day), "last_seen": a.ago(215 * day)}, "c3", 50)), []string{"T1566.001", "T1204.002", "T1059.001"}, 240*day, 50)
	a.indicator("mail-sender", "Sender of the port mails", "[email-addr:value = 'berths@port-notice.example']", 240*day, 120*day, "c3", 40, nil)
	a.put("course-of-action", "mail-advice", 239*day, props{"name": "Hold back documents with active content", "description": "Let the mail gateway keep documents that can run scripts until somebody asks for them."})
	return a
}

func fromBrightwater(start time.Time) *author {
	a := newAuthor("brightwater", start, stix.TLP2Clear)
	kiln := a.put("intrusion-set", "north-kiln", 700*day, reliability(props{"name": "NORTH KILN", "description": "Extortion. Known for the loader COLDHEARTH.",
		"primary_motivation": "personal-gain", "first_seen": a.ago(900 * day)}, "a2", 80))
	a.uses(kiln, kilnTechniques, 300*day, 80)
	loader := a.put("malware", "coldhearth", 600*day, reliability(props{"name": "COLDHEARTH", "is_family": true, "malware_types": []string{"downloader"},
		"description": "Loader of NORTH KILN. Since last autumn it was also seen where NORTH KILN had no interest; the builder may have been sold."}, "a2", 80))
	a.relate(kiln, "uses", loader, 600*day, 80, "")
	sluice := a.put("intrusion-set", "paper-sluice", 500*day, reliability(props{"name": "PAPER SLUICE", "description": "Loud. Leaves notes, defaces, claims more than it did.",
		"primary_motivation": "notoriety", "first_seen": a.ago(620 * day)}, "b3", 55))
	a.uses(sluice, sluiceTechniques, 310*day, 55)
	gate := a.put("tool", "sluicegate", 480*day, reliability(props{"name": "SLUICEGATE", "tool_types": []string{"remote-access"}, "description": "Tool of PAPER SLUICE. Its name stands in every report, so anybody can quote it."}, "b3", 55))
	a.relate(sluice, "uses", gate, 480*day, 55, "")
	weaver := a.put("intrusion-set", "silent-weaver", 330*day, reliability(props{"name": "Silent Weaver", "description": "Ports and shipping registers. We saw it build on drive w: under a folder called loom."}, "b3", 50))
	a.uses(weaver, []string{"T1566.001", "T1105", "T1071.001", "T1036.005"}, 200*day, 50)
	a.observe("domain-name", LoaderHost)
	a.indicator("kiln-panel", "Panel of NORTH KILN", "[url:value = 'http://panel.ashbrick.example/in']", 100*day, 90*day, "a2", 80, nil)
	a.indicator("kiln-file", "COLDHEARTH of last year", "[file:hashes.'SHA-256' = '"+fakeHash("loader of last year")+"']", 390*day, 365*day, "a2", 80, nil)
	a.put("report", "kiln-report", 300*day, props{"name": "What burns in NORTH KILN", "published": a.ago(300 * day), "report_types": []string{"threat-report"}, "object_refs": []string{kiln, loader}})
	a.put("report", "sluice-report", 305*day, props{"name": "PAPER SLUICE and its notes", "published": a.ago(305 * day), "report_types": []string{"threat-report"}, "object_refs": []string{sluice, gate}})
	return a
}

func fromOwn(start time.Time, lorrin, tessary, brightwater *author) *author {
	a := newAuthor("csirt", start, stix.TLP2Amber)
	loom := a.put("intrusion-set", "quiet-loom", 420*day, reliability(props{"name": "QUIET LOOM", "aliases": []string{"LOOM-7"}, "description": "Nine sources since last spring. Patient, goes for what ports know about ships. Builds under w:\\loom, names tasks after something local with a digit.",
		"goals": []string{"shipping movements", "berth plans"}, "first_seen": a.ago(500 * day)}, "b2", 70))
	a.uses(loom, loomTechniques, 100*day, 65)
	kiln := a.put("intrusion-set", "north-kiln", 410*day, reliability(props{"name": "NORTH KILN", "description": "Extortion. Known for its loader, and the first thought when the loader is found."}, "b2", 70))
	a.uses(kiln, kilnTechniques, 250*day, 70)
	sluice := a.put("intrusion-set", "paper-sluice", 405*day, reliability(props{"name": "PAPER SLUICE", "description": "Loud, and easily imitated: its notes are public."}, "c3", 50))
	a.uses(sluice, sluiceTechniques, 250*day, 50)
	shuttle := a.put("malware", "shuttleback", 150*day, reliability(props{"name": "SHUTTLEBACK", "is_family": true, "malware_types": []string{"backdoor"},
		"description": "Back door of QUIET LOOM. Build paths name looms: heddle, shuttle, warp."}, "b2", 70))
	a.relate(loom, "uses", shuttle, 150*day, 70, "")
	loader := a.put("malware", "coldhearth", 290*day, reliability(props{"name": "COLDHEARTH", "is_family": true, "malware_types": []string{"downloader"}}, "a2", 80))
	a.relate(kiln, "uses", loader, 290*day, 80, "")
	a.relate(loom, "uses", loader, 110*day, 35, "One case, in which the build path was a loom's.")
	rake := a.put("tool", "netrake", 380*day, props{"name": "NETRAKE", "tool_types": []string{"network-capture"}, "description": "Sold openly; says nothing about who."})
	for _, set := range []string{loom, kiln, sluice} {
		a.relate(set, "uses", rake, 240*day, 50, "")
	}
	spring := a.put("campaign", "registers", 260*day, reliability(props{"name": "Shipping registers, last spring", "first_seen": a.ago(270 * day), "last_seen": a.ago(225 * day)}, "b2", 70))
	a.relate(spring, "attributed-to", loom, 220*day, 60, "Likely; rests on the build path and a relay.")
	a.relate(spring, "uses", shuttle, 220*day, 70, "")
	winter := a.put("campaign", "cold-storage", 340*day, reliability(props{"name": "Cold stores, last winter", "first_seen": a.ago(350 * day), "last_seen": a.ago(330 * day)}, "a2", 80))
	a.relate(winter, "attributed-to", kiln, 320*day, 80, "")
	a.uses(winter, []string{"T1486", "T1490"}, 320*day, 80)
	// Every technique that tonight's rules name, whoever uses it.
	for _, n := range []string{"T1543.003", "T1548.003", "T1016", "T1046", "T1583.001", "T1204.002", "T1059.001", "T1059.003", "T1560.001"} {
		a.technique(n)
	}
	// Sameness is assessed and can be withdrawn; it merges nothing.
	a.relate(lorrin.ids["loom-7"], "related-to", loom, 200*day, 75, "Assessed as the same set: relay, techniques, victims.")
	a.relate(tessary.ids["quiet-loom"], "related-to", loom, 200*day, 60, "Assessed as the same set: task names.")
	a.relate(brightwater.ids["silent-weaver"], "related-to", loom, 190*day, 45, "Perhaps the same set: build folder only.")
	a.relate(brightwater.ids["north-kiln"], "related-to", kiln, 300*day, 90, "Assessed as the same set.")
	a.relate(brightwater.ids["paper-sluice"], "related-to", sluice, 300*day, 85, "Assessed as the same set.")
	a.put("note", "press", 30*day, mark(props{"abstract": "Vessin in the press", "content": "Two newspapers accuse Vessin of standing behind QUIET LOOM. Vessin denies. Neither names a source (E5). Nothing we hold links a State.",
		"object_refs": []string{loom}}, stix.TLP2Green))
	a.put("course-of-action", "isolate", 300*day, mark(props{"name": "Isolate and image", "description": "Take the host off the network, keep it running, take memory and then the disk. Needs the owner, and no attribution."}, stix.TLP2Clear))
	return a
}

// Indicator is one of the bundles' indicators. Fires says whether tonight's events hold its value.
type Indicator struct {
	Key, ID, Source string
	Pattern         string
	Fires           bool
}

// Indicators gives those that Expected refers to. The other indicators of the bundles match nothing.
func Indicators() []Indicator {
	one := func(source, key, pattern string) Indicator {
		return Indicator{Key: key, ID: objectID("indicator", source, key), Source: source, Pattern: pattern, Fires: true}
	}
	return []Indicator{
		one("lorrin", "loader-host", "[domain-name:value = '"+LoaderHost+"']"),
		one("lorrin", "loader-file", "[file:hashes.'SHA-256' = '"+LoaderHash+"']"),
		one("tessary", "relay-address", "[ipv4-addr:value = '"+RelayAddr+"']"),
	}
}
