package api

import (
	"context"
	"net/http"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
	"vigil/internal/incident"
)

// Incident is one case.
type Incident struct {
	ID        string    `json:"id"`
	Number    string    `json:"number" doc:"What people call it, INC-0062"`
	Title     string    `json:"title"`
	State     string    `json:"state" enum:"new,triage,containment,eradication,recovery,closed,false-alarm"`
	Severity  string    `json:"severity" enum:"informational,low,medium,high,critical"`
	Owner     string    `json:"owner,omitempty" doc:"Id of the person who has it"`
	Org       string    `json:"organisation,omitempty" doc:"Id of the organisation that it happened to"`
	Narrative string    `json:"narrative,omitempty"`
	Reason    string    `json:"reason,omitempty" doc:"Why it is closed, or a false alarm"`
	Opened    time.Time `json:"opened"`
	Closed    time.Time `json:"closed,omitzero"`
	Modified  time.Time `json:"modified"`
	First     time.Time `json:"first,omitzero" doc:"The first event of its findings"`
	Last      time.Time `json:"last,omitzero"`
	Revision  int64     `json:"revision" doc:"Send it with a change: a stale one is refused"`
	Marking   string    `json:"marking"`
}

func incidentOf(i incident.Incident) Incident {
	return Incident{ID: i.ID, Number: i.Number, Title: i.Title, State: string(i.State), Severity: i.Severity.String(), Owner: i.Owner, Org: i.Org, Narrative: i.Narrative, Reason: i.Reason,
		Opened: i.Opened, Closed: i.Closed, Modified: i.Modified, First: i.First, Last: i.Last, Revision: i.Rev, Marking: i.Label.Words()}
}

type incidentList struct {
	Paging
	State string `query:"state" enum:"open,new,triage,containment,eradication,recovery,closed,false-alarm" doc:"open is every state in which work goes on"`
	Owner string `query:"owner" maxLength:"200" doc:"Id of a person; - for those that nobody has"`
	Q     string `query:"q" maxLength:"500" doc:"Part of the title, the narrative or the number"`
}

// Timeline is an incident in lanes. Links and lanes are by index.
type Timeline struct {
	By    string   `json:"by" enum:"host,tactic"`
	Lanes []text   `json:"lanes" nullable:"false"`
	Marks []Mark   `json:"marks" nullable:"false"`
	Ticks []Tick   `json:"ticks" nullable:"false"`
	Links [][2]int `json:"links" nullable:"false" doc:"From the mark that a lane's first mark follows from to it"`
}

// Mark is one finding on the timeline, at its first event.
type Mark struct {
	Lane      int       `json:"lane"`
	At        time.Time `json:"at"`
	Last      time.Time `json:"last"`
	Finding   string    `json:"finding"`
	Title     text      `json:"title"`
	Technique string    `json:"technique,omitempty"`
	Tactic    string    `json:"tactic,omitempty"`
	Level     string    `json:"level"`
	Events    int64     `json:"events"`
	Context   bool      `json:"context" doc:"Suppressed or benign: shown beside the incident"`
}

// Tick is one proving event.
type Tick struct {
	Lane    int       `json:"lane"`
	At      time.Time `json:"at"`
	Finding string    `json:"finding"`
}

type timelineOf struct {
	Named
	By string `query:"by" enum:"host,tactic" default:"host"`
}

type newIncident struct {
	Body struct {
		Title     string   `json:"title" minLength:"1" maxLength:"200"`
		Severity  string   `json:"severity" enum:"informational,low,medium,high,critical"`
		Narrative string   `json:"narrative,omitempty" maxLength:"65536"`
		Reason    string   `json:"reason,omitempty" maxLength:"1000"`
		Findings  []string `json:"findings,omitempty" maxItems:"500" doc:"Ids of findings to be linked"`
	}
}

type changeState struct {
	Named
	Body struct {
		To       string `json:"to" enum:"new,triage,containment,eradication,recovery,closed,false-alarm"`
		Reason   string `json:"reason,omitempty" maxLength:"1000" doc:"Needed where the step skips work, goes back, or ends it"`
		Revision int64  `json:"revision" minimum:"1"`
	}
}

type changeSeverity struct {
	Named
	Body struct {
		Severity string `json:"severity" enum:"informational,low,medium,high,critical"`
		Reason   string `json:"reason" minLength:"1" maxLength:"1000"`
		Revision int64  `json:"revision" minimum:"1"`
	}
}

type changeOwner struct {
	Named
	Body struct {
		Owner    string `json:"owner" maxLength:"200" doc:"Id of a person; empty gives it back"`
		Revision int64  `json:"revision" minimum:"1"`
	}
}

func (a *api) incidents() {
	operate(a, op{method: "GET", path: "/incidents", id: "list-incidents", summary: "Incidents, the newest first", action: access.IncidentRead},
		func(ctx context.Context, c *call, in *incidentList) (List[Incident], error) {
			page, err := incident.List(ctx, c.view, incident.Query{State: incident.State(in.State), Owner: in.Owner, Text: in.Q, After: in.After, Limit: in.Limit})
			if err != nil {
				return List[Incident]{}, err
			}
			out := List[Incident]{Items: []Incident{}, Next: page.Next}
			for _, rel := range page.Incidents {
				out.Items = append(out.Items, incidentOf(open(c, rel)))
			}
			return out, nil
		})
	operate(a, op{method: "POST", path: "/incidents", id: "open-incident", summary: "Open an incident by hand", action: access.IncidentOpen, status: http.StatusCreated},
		func(ctx context.Context, c *call, in *newIncident) (Incident, error) {
			b := in.Body
			id, err := a.Desk.Open(ctx, c.who, incident.Draft{Title: b.Title, Severity: detect.ParseLevel(b.Severity), Narrative: b.Narrative, Reason: b.Reason, Findings: b.Findings})
			if err != nil {
				return Incident{}, err
			}
			return a.incident(ctx, c, id)
		})
	operate(a, op{method: "GET", path: "/incidents/{id}", id: "get-incident", summary: "One incident", action: access.IncidentRead},
		func(ctx context.Context, c *call, in *Named) (Incident, error) { return a.incident(ctx, c, in.ID) })
	operate(a, op{method: "GET", path: "/incidents/{id}/timeline", id: "get-incident-timeline", summary: "An incident in lanes of hosts or tactics", action: access.IncidentRead},
		func(ctx context.Context, c *call, in *timelineOf) (Timeline, error) {
			if _, err := a.incident(ctx, c, in.ID); err != nil {
				return Timeline{}, err
			}
			rel, err := incident.TimelineOf(ctx, c.view, in.ID, in.By)
			if err != nil {
				return Timeline{}, err
			}
			t := open(c, rel)
			out := Timeline{By: t.By, Lanes: []text{}, Marks: []Mark{}, Ticks: []Tick{}, Links: append([][2]int{}, t.Links...)}
			for _, l := range t.Lanes {
				out.Lanes = append(out.Lanes, foreign(l))
			}
			for _, m := range t.Marks {
				out.Marks = append(out.Marks, Mark{Lane: m.Lane, At: m.At, Last: m.Last, Finding: m.Finding, Title: foreign(m.Title), Technique: m.Technique, Tactic: m.TacticName, Level: m.Level.String(), Events: m.Events, Context: m.Context})
			}
			for _, k := range t.Ticks {
				out.Ticks = append(out.Ticks, Tick{k.Lane, k.At, k.Finding})
			}
			return out, nil
		})
	operate(a, op{method: "GET", path: "/incidents/{id}/findings", id: "list-incident-findings", summary: "The findings of an incident, by their first event", action: access.IncidentRead},
		func(ctx context.Context, c *call, in *Named) (List[Finding], error) {
			out := List[Finding]{Items: []Finding{}}
			if _, err := a.incident(ctx, c, in.ID); err != nil {
				return out, err
			}
			rels, err := incident.Findings(ctx, c.view, in.ID)
			if err != nil {
				return out, err
			}
			for _, rel := range rels {
				out.Items = append(out.Items, findingOf(open(c, rel).Finding))
			}
			return out, nil
		})
	operate(a, op{method: "POST", path: "/incidents/{id}/state", id: "change-incident-state", summary: "Take an incident to another state", action: access.IncidentChange},
		func(ctx context.Context, c *call, in *changeState) (Incident, error) {
			b := in.Body
			if err := a.Desk.SetState(ctx, c.who, in.ID, b.Revision, incident.State(b.To), b.Reason); err != nil {
				return Incident{}, err
			}
			return a.incident(ctx, c, in.ID)
		})
	operate(a, op{method: "POST", path: "/incidents/{id}/severity", id: "change-incident-severity", summary: "Say how bad an incident is, with a reason", action: access.IncidentChange},
		func(ctx context.Context, c *call, in *changeSeverity) (Incident, error) {
			b := in.Body
			if err := a.Desk.SetSeverity(ctx, c.who, in.ID, b.Revision, detect.ParseLevel(b.Severity), b.Reason); err != nil {
				return Incident{}, err
			}
			return a.incident(ctx, c, in.ID)
		})
	operate(a, op{method: "POST", path: "/incidents/{id}/owner", id: "change-incident-owner", summary: "Give an incident to a person, or back", action: access.IncidentChange},
		func(ctx context.Context, c *call, in *changeOwner) (Incident, error) {
			if err := a.Desk.Assign(ctx, c.who, in.ID, in.Body.Revision, in.Body.Owner); err != nil {
				return Incident{}, err
			}
			return a.incident(ctx, c, in.ID)
		})
}

func (a *api) incident(ctx context.Context, c *call, id string) (Incident, error) {
	rel, err := incident.Get(ctx, c.view, id)
	if err != nil {
		return Incident{}, err
	}
	return incidentOf(open(c, rel)), nil
}
