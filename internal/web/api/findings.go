package api

import (
	"context"
	"strings"
	"time"

	"vigil/internal/access"
	"vigil/internal/detect"
)

// Finding is what one rule or indicator found on one entity in one UTC day.
type Finding struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind" enum:"rule,indicator"`
	Rule       string    `json:"rule" doc:"Id of the rule or indicator"`
	Title      text      `json:"title"`
	Level      string    `json:"level" enum:"informational,low,medium,high,critical"`
	Techniques []string  `json:"techniques" doc:"ATT&CK ids"`
	Source     string    `json:"source" doc:"Id of the log source"`
	Entity     text      `json:"entity" doc:"The host, as the event names it"`
	Value      text      `json:"value" doc:"The observable that an indicator matched; empty for a rule"`
	Day        string    `json:"day" doc:"UTC day of the events' own time"`
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
	Count      int64     `json:"count" doc:"Events that matched"`
	State      string    `json:"state" enum:"open,suppressed,confirmed,benign"`
	Reason     string    `json:"reason,omitempty"`
	Marking    string    `json:"marking"`
}

func findingOf(f detect.Finding) Finding {
	out := Finding{ID: f.ID, Kind: f.Kind, Rule: f.Rule, Title: foreign(f.Title), Level: f.Level.String(), Techniques: f.Techniques, Source: f.Source, Entity: foreign(f.Entity), Value: foreign(f.Value),
		Day: f.Day, First: f.First, Last: f.Last, Count: f.Count, State: f.State, Reason: f.Reason, Marking: f.Label.Words()}
	return out
}

// List is a part of a list, and the token of the next part.
type List[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"Send it as after for the part that follows; absent at the end"`
}

// Paging is in every list's input.
type Paging struct {
	After string `query:"after" maxLength:"200" doc:"The token next of the part before"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type findingList struct {
	Paging
	State    string `query:"state" enum:"open,suppressed,confirmed,benign"`
	MinLevel string `query:"min_level" enum:"informational,low,medium,high,critical"`
	Entity   string `query:"entity" maxLength:"500"`
	Rule     string `query:"rule" maxLength:"200"`
	Q        string `query:"q" maxLength:"500" doc:"Part of title, entity or value"`
}

// Named is the input of operations on one thing.
type Named struct {
	ID string `path:"id" maxLength:"300"`
}

// Event is one of the events that prove a finding.
type Event struct {
	Ref string    `json:"ref" doc:"Its place in the event stream"`
	At  time.Time `json:"at"`
	Raw text      `json:"raw" doc:"The event as it was delivered"`
}

type judgement struct {
	Named
	Body struct {
		State  string `json:"state" enum:"open,suppressed,confirmed,benign"`
		Reason string `json:"reason" minLength:"1" maxLength:"2000"`
	}
}

// needReason refuses words that say nothing.
func needReason(s string) error {
	if strings.TrimSpace(s) == "" {
		return wrong("body.reason", "a reason is needed")
	}
	return nil
}

func (a *api) findings() {
	operate(a, op{method: "GET", path: "/findings", id: "list-findings", summary: "Findings, the latest event first", action: access.DetectionRead},
		func(ctx context.Context, c *call, in *findingList) (List[Finding], error) {
			page, err := detect.Findings(ctx, c.view, detect.Query{State: in.State, MinLevel: detect.ParseLevel(in.MinLevel), Entity: in.Entity, Rule: in.Rule, Text: in.Q, After: in.After, Limit: in.Limit})
			if err != nil {
				return List[Finding]{}, err
			}
			out := List[Finding]{Items: []Finding{}, Next: page.Next}
			for _, rel := range page.Findings {
				out.Items = append(out.Items, findingOf(open(c, rel)))
			}
			return out, nil
		})
	operate(a, op{method: "GET", path: "/findings/{id}", id: "get-finding", summary: "One finding", action: access.DetectionRead},
		func(ctx context.Context, c *call, in *Named) (Finding, error) { return a.finding(ctx, c, in.ID) })
	operate(a, op{method: "GET", path: "/findings/{id}/events", id: "list-finding-events", summary: "The first and last events that prove a finding, in order of time", action: access.DetectionRead},
		func(ctx context.Context, c *call, in *Named) (List[Event], error) {
			out := List[Event]{Items: []Event{}}
			if _, err := a.finding(ctx, c, in.ID); err != nil {
				return out, err
			}
			events, err := detect.Events(ctx, c.view, in.ID)
			if err != nil {
				return out, err
			}
			for _, rel := range events {
				e := open(c, rel)
				out.Items = append(out.Items, Event{Ref: e.Ref, At: e.At, Raw: foreign(string(e.Bytes))})
			}
			return out, nil
		})
	operate(a, op{method: "POST", path: "/findings/{id}/judgement", id: "judge-finding", summary: "Say what a finding is, with a reason", action: access.FindingJudge},
		func(ctx context.Context, c *call, in *judgement) (Finding, error) {
			if err := needReason(in.Body.Reason); err != nil {
				return Finding{}, err
			}
			if err := a.Detector.Judge(ctx, c.who, in.ID, in.Body.State, in.Body.Reason); err != nil {
				return Finding{}, err
			}
			return a.finding(ctx, c, in.ID)
		})
}

func (a *api) finding(ctx context.Context, c *call, id string) (Finding, error) {
	rel, err := detect.Get(ctx, c.view, id)
	if err != nil {
		return Finding{}, err
	}
	return findingOf(open(c, rel)), nil
}
