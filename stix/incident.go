package stix

import (
	"encoding/json"
	"strconv"
)

// The incident suite of the OASIS common object repository ("Incident Core
// Extension" and the types beside it).
const (
	// IncidentCoreExtension adds properties to incident.
	IncidentCoreExtension ID = "extension-definition--ef765651-680c-498d-9894-99799f2fa126"
	// EventExtension, ImpactExtension and TaskExtension define the types event,
	// impact and task.
	EventExtension  ID = "extension-definition--4ca6de00-5b0d-45ef-a1dc-ea7279ea910e"
	ImpactExtension ID = "extension-definition--7cc33dd6-f6a1-489b-98ea-522d351d71b9"
	TaskExtension   ID = "extension-definition--2074a052-8be4-4932-849e-f5e7798e0030"
)

// typeExtensions are the extensions that define types known here.
var typeExtensions = map[string]ID{"event": EventExtension, "impact": ImpactExtension, "task": TaskExtension}

// Determinations of an incident (incident-determination-enum).
const (
	DeterminationBlocked       = "blocked"
	DeterminationConfirmed     = "confirmed"
	DeterminationFailedAttempt = "failed-attempt"
	DeterminationFalsePositive = "false-positive"
	DeterminationSuspected     = "suspected"
)

// Recoverability of an incident (recoverability-enum).
const (
	RecoverabilityNotApplicable  = "not-applicable"
	RecoverabilityRegular        = "regular"
	RecoverabilitySupplemented   = "supplemented"
	RecoverabilityExtended       = "extended"
	RecoverabilityNotRecoverable = "not-recoverable"
)

// Outcomes of a task (task-outcome-enum).
const (
	TaskCancelled  = "cancelled"
	TaskFailed     = "failed"
	TaskOngoing    = "ongoing"
	TaskPending    = "pending"
	TaskSuccessful = "successful"
	TaskUnknown    = "unknown"
)

// Statuses of an event (event-status-enum).
const (
	EventOngoing      = "ongoing"
	EventOccurred     = "occurred"
	EventNotOccurred  = "not-occurred"
	EventPending      = "pending"
	EventUndetermined = "undetermined"
)

// IncidentCore is the content of the incident-core extension. Determination
// and InvestigationStatus are required; the rest may be zero, Criticality -1
// when it is absent.
type IncidentCore struct {
	Determination        string
	InvestigationStatus  string // "new", "open", "closed" and other states of an investigation
	IncidentTypes        []string
	Criticality          int // 0 to 100, -1 when absent
	DetectionMethods     []string
	Recoverability       string
	ImpactedEntityCounts map[string]int // kind of entity (lower case, dashes) to number
	ImpactRefs           []ID
	EventRefs            []ID
	TaskRefs             []ID
	Scores               []IncidentScore
}

// IncidentScore is a score that some system or process gave.
type IncidentScore struct {
	Name        string
	Value       float64
	Description string
}

// Props gives the extension as the value of an extensions property:
//
//	stix.Make("incident", now, stix.Props{"name": …, "extensions": core.Props()})
func (c IncidentCore) Props() Props {
	p := Props{
		"extension_type":       "property-extension",
		"determination":        c.Determination,
		"investigation_status": c.InvestigationStatus,
		"incident_types":       c.IncidentTypes,
		"detection_methods":    c.DetectionMethods,
		"recoverability":       c.Recoverability,
		"impact_refs":          c.ImpactRefs,
	}
	if c.Criticality >= 0 {
		p["criticality"] = c.Criticality
	}
	counts := Props{}
	for k, n := range c.ImpactedEntityCounts {
		counts[k] = n
	}
	p["impacted_entity_counts"] = counts
	sequence := func(name string, refs []ID) []Props {
		var out []Props
		for _, id := range refs {
			out = append(out, Props{name: id})
		}
		return out
	}
	p["events"] = sequence("event_ref", c.EventRefs)
	p["tasks"] = sequence("task_ref", c.TaskRefs)
	var scores []Props
	for _, s := range c.Scores {
		scores = append(scores, Props{"name": s.Name, "value": s.Value, "description": s.Description})
	}
	p["scores"] = scores
	return Props{string(IncidentCoreExtension): p}
}

// IncidentCoreOf reads the incident-core extension of an incident; ok is false
// when the object has none.
func IncidentCoreOf(o *Object) (c IncidentCore, ok bool) {
	raw, ok := lookup(o.Raw, []step{{name: "extensions", index: -1}, {name: string(IncidentCoreExtension), index: -1}})
	if !ok {
		return c, false
	}
	x := Object{Raw: raw}
	c.Criticality = -1
	c.Determination, _ = x.String("determination")
	c.InvestigationStatus, _ = x.String("investigation_status")
	c.Recoverability, _ = x.String("recoverability")
	c.IncidentTypes = x.Strings("incident_types")
	c.DetectionMethods = x.Strings("detection_methods")
	if v, ok := x.Lookup("criticality"); ok {
		if n, err := strconv.Atoi(string(v)); err == nil {
			c.Criticality = n
		}
	}
	for _, s := range x.Strings("impact_refs") {
		c.ImpactRefs = append(c.ImpactRefs, ID(s))
	}
	tree, err := x.Tree()
	if err != nil {
		return c, true
	}
	m := tree.(map[string]any)
	list := func(name string) []any { l, _ := m[name].([]any); return l }
	text := func(v any, name string) string {
		obj, _ := v.(map[string]any)
		s, _ := obj[name].(string)
		return s
	}
	for _, v := range list("events") {
		c.EventRefs = append(c.EventRefs, ID(text(v, "event_ref")))
	}
	for _, v := range list("tasks") {
		c.TaskRefs = append(c.TaskRefs, ID(text(v, "task_ref")))
	}
	for _, v := range list("scores") {
		s := IncidentScore{Name: text(v, "name"), Description: text(v, "description")}
		if obj, ok := v.(map[string]any); ok {
			if n, ok := obj["value"].(json.Number); ok {
				s.Value, _ = n.Float64()
			}
		}
		c.Scores = append(c.Scores, s)
	}
	if counts, ok := m["impacted_entity_counts"].(map[string]any); ok {
		c.ImpactedEntityCounts = make(map[string]int)
		for k, v := range counts {
			if n, ok := v.(json.Number); ok {
				if i, err := n.Int64(); err == nil {
					c.ImpactedEntityCounts[k] = int(i)
				}
			}
		}
	}
	return c, true
}
