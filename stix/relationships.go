package stix

import "strings"

// relationshipTable is the summary of STIX 2.1, appendix B, with the rows that
// the incident suite adds: source, relationship type, targets. Other
// relationships may be used, so a breach is advice.
const relationshipTable = `
attack-pattern delivers malware
attack-pattern targets identity location vulnerability
attack-pattern uses malware tool
campaign attributed-to intrusion-set threat-actor
campaign compromises infrastructure
campaign originates-from location
campaign targets identity location vulnerability
campaign uses attack-pattern infrastructure malware tool
campaign associated-with incident
course-of-action investigates indicator
course-of-action mitigates attack-pattern indicator malware tool vulnerability
course-of-action remediates malware vulnerability
identity located-at location
identity assigned task
identity contact-for task incident
identity participated-in task
identity performed task event
incident attributed-to intrusion-set threat-actor
incident impacts identity infrastructure
incident led-to incident
incident located-at location
incident targets identity infrastructure
indicator indicates attack-pattern campaign infrastructure intrusion-set malware threat-actor tool
indicator based-on observed-data event
indicator detected incident
infrastructure communicates-with infrastructure ipv4-addr ipv6-addr domain-name url
infrastructure consists-of infrastructure observed-data sco
infrastructure controls infrastructure malware
infrastructure delivers malware
infrastructure has vulnerability
infrastructure hosts tool malware
infrastructure located-at location
infrastructure uses infrastructure
intrusion-set attributed-to threat-actor
intrusion-set compromises infrastructure
intrusion-set hosts infrastructure
intrusion-set owns infrastructure
intrusion-set originates-from location
intrusion-set targets identity location vulnerability
intrusion-set uses attack-pattern infrastructure malware tool
malware authored-by threat-actor intrusion-set
malware beacons-to infrastructure
malware exfiltrate-to infrastructure
malware communicates-with ipv4-addr ipv6-addr domain-name url
malware controls malware
malware downloads malware tool file
malware drops malware tool file
malware exploits vulnerability
malware originates-from location
malware targets identity infrastructure location vulnerability
malware uses attack-pattern infrastructure malware tool
malware variant-of malware
malware performed event
malware-analysis characterizes malware
malware-analysis analysis-of malware
malware-analysis static-analysis-of malware
malware-analysis dynamic-analysis-of malware
threat-actor attributed-to identity
threat-actor compromises infrastructure
threat-actor hosts infrastructure
threat-actor owns infrastructure
threat-actor impersonates identity
threat-actor located-at location
threat-actor targets identity location vulnerability
threat-actor uses attack-pattern infrastructure malware tool
tool delivers malware
tool drops malware
tool has vulnerability
tool targets identity infrastructure location vulnerability
tool uses infrastructure
tool performed event task
domain-name resolves-to domain-name ipv4-addr ipv6-addr
ipv4-addr resolves-to mac-addr
ipv6-addr resolves-to mac-addr
ipv4-addr belongs-to autonomous-system
ipv6-addr belongs-to autonomous-system
event causes impact
event impacts infrastructure sco
event led-to event task
event located-at location
task blocks event
task causes event
task creates indicator
task detects event
task impacts infrastructure
task located-at location
task uses course-of-action
`

// relationshipTypes gives for a relationship type the targets of each source.
var relationshipTypes = func() map[string]map[string]string {
	m := make(map[string]map[string]string)
	for line := range strings.Lines(relationshipTable) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if m[f[1]] == nil {
			m[f[1]] = make(map[string]string)
		}
		m[f[1]][f[0]] = " " + strings.Join(f[2:], " ") + " "
	}
	return m
}()

// RelationshipKnown reports whether the specification, or the incident suite,
// has a relationship of that type between objects of those types. derived-from
// and duplicate-of join objects of one type; related-to joins any.
func RelationshipKnown(source, relationship, target string) bool {
	switch relationship {
	case "related-to":
		return true
	case "derived-from", "duplicate-of":
		return source == target
	}
	targets := relationshipTypes[relationship][source]
	return strings.Contains(targets, " "+target+" ") || strings.Contains(targets, " sco ") && Class(target) == "sco"
}

// relationship advises where a relationship type of the specification joins
// types that it does not join there. Types of its own are a producer's right.
func (c *check) relationship() {
	at := c.child(0, "relationship_type")
	src, dst := c.child(0, "source_ref"), c.child(0, "target_ref")
	if at == 0 || src == 0 || dst == 0 || c.nodes[at].kind != kindString {
		return
	}
	rel := intern(c.text(at))
	for i := 0; i < len(rel); i++ {
		if ch := rel[i]; !(ch >= 'a' && ch <= 'z' || ch >= '0' && ch <= '9' || ch == '-') {
			c.violation(at, "%q is no relationship type: a-z, 0-9 and hyphens are allowed", clip(rel))
			return
		}
	}
	source, target := c.refType(src), c.refType(dst)
	_, known := relationshipTypes[rel]
	if !known && rel != "derived-from" && rel != "duplicate-of" {
		return
	}
	if Class(source) != "" && Class(target) != "" && !RelationshipKnown(source, rel, target) {
		c.note(Advice, at, "the specification has no %s from %s to %s", rel, source, target)
	}
}

// refType is the type that the reference in node i names, "" when it is none.
func (c *check) refType(i uint32) string {
	b := c.stringAt(i)
	if cut := len(b) - uuidLen - 2; cut > 0 {
		return intern(b[:cut])
	}
	return ""
}
