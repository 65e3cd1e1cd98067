package incident

import (
	"fmt"
	"strings"
)

// State is where an incident stands.
type State string

// The states, in the order of the work. FalseAlarm is closed, too.
const (
	Fresh       State = "new"
	Triage      State = "triage"
	Containment State = "containment"
	Eradication State = "eradication"
	Recovery    State = "recovery"
	Closed      State = "closed"
	FalseAlarm  State = "false-alarm"
)

// States lists every state.
func States() []State {
	return []State{Fresh, Triage, Containment, Eradication, Recovery, Closed, FalseAlarm}
}

// Open says whether work goes on.
func (s State) Open() bool { return s.Known() && s != Closed && s != FalseAlarm }

// Known says whether the state exists.
func (s State) Known() bool { _, ok := steps[s]; return ok }

// String is the state in words.
func (s State) String() string {
	if s == FalseAlarm {
		return "false alarm"
	}
	return string(s)
}

// Step is a way from one state to another.
type Step struct {
	To State
	// Label is the imperative, Effect what will happen.
	Label, Effect string
	// Reason says that one must be typed: the step skips work, goes back, or ends it.
	Reason bool
}

var steps = map[State][]Step{
	Fresh: {
		{Triage, "Start triage", "Somebody looks into it.", false},
		{Containment, "Contain at once", "Triage is skipped.", true},
		{FalseAlarm, "Close as false alarm", "Work ends; new findings no longer join it.", true},
	},
	Triage: {
		{Containment, "Contain", "It is real, and is being contained. The clock of the first assessment stops.", false},
		{Closed, "Close", "Work ends without containment; new findings no longer join it.", true},
		{FalseAlarm, "Close as false alarm", "Work ends; new findings no longer join it.", true},
	},
	Containment: {
		{Eradication, "Eradicate", "It is contained; what the intruder left is being removed.", false},
		{Triage, "Back to triage", "It is not understood yet.", true},
		{Recovery, "Recover", "There is nothing to remove; services are being brought back.", true},
		{Closed, "Close", "Work ends; new findings no longer join it.", true},
		{FalseAlarm, "Close as false alarm", "Work ends; new findings no longer join it.", true},
	},
	Eradication: {
		{Recovery, "Recover", "What the intruder left is removed; services are being brought back.", false},
		{Containment, "Back to containment", "It is not contained after all.", true},
		{Closed, "Close", "Work ends; new findings no longer join it.", true},
	},
	Recovery: {
		{Closed, "Close", "Work ends; new findings no longer join it.", true},
		{Containment, "Back to containment", "It is not contained after all.", true},
		{Eradication, "Back to eradication", "Something of the intruder's is still there.", true},
	},
	Closed:     {{Triage, "Reopen", "Work goes on at triage.", true}},
	FalseAlarm: {{Triage, "Reopen", "Work goes on at triage.", true}},
}

// Next lists where an incident can go from s, the next sensible step first.
func (s State) Next() []Step { return append([]Step(nil), steps[s]...) }

// Can finds the step from one state to another; false where there is none.
func Can(from, to State) (Step, bool) {
	for _, s := range steps[from] {
		if s.To == to {
			return s, true
		}
	}
	return Step{}, false
}

// walk is Can with its refusals in words.
func walk(from, to State, reason string) (Step, error) {
	s, ok := Can(from, to)
	if !ok {
		var ways []string
		for _, n := range steps[from] {
			ways = append(ways, n.To.String())
		}
		return s, fmt.Errorf("%w: from %s it goes to %s, not to %q", ErrTransition, from, strings.Join(ways, ", "), string(to))
	}
	if s.Reason && strings.TrimSpace(reason) == "" {
		return s, fmt.Errorf("%w: from %s to %s needs a reason", ErrTransition, from, to)
	}
	return s, nil
}
