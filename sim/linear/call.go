package linear

import (
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
)

// Kind is what is asked for.
type Kind uint8

// The kinds of calls.
const (
	Start Kind = iota
	SignalWithStart
	Signal
	Cancel
	Terminate
	Update
	Read // describe, or a look at the history
)

var kindNames = []string{"start", "signal with start", "signal", "cancel", "terminate", "update", "read"}

// String is the kind in words.
func (k Kind) String() string { return kindNames[k] }

// Call is one call about the workflow id.
type Call struct {
	Kind Kind
	// Run that is meant; empty for the current one. It is known from an answer.
	Run string
	// Request is the id by which a start or signal that comes again is known, or
	// the update id. A start or signal that is sent again is a call of its own; an
	// update that is sent again is one call, from the first time on. No two
	// updates share an id.
	Request string
	// Ends: the signal, whichever call brings it, lets the run complete.
	Ends bool
	// Conflict and Reuse are the policies of a start.
	Conflict enumspb.WorkflowIdConflictPolicy
	Reuse    enumspb.WorkflowIdReusePolicy
}

// Refusal is an answer that says no, and why.
type Refusal uint8

// The refusals. Others say nothing of the state, and are not part of a history
// (History.Drop).
const (
	Taken          Refusal = iota // it was not refused
	NotFound                      // no such run, or it is closed
	AlreadyStarted                // the policies forbid the start
)

// Stage of an update.
type Stage uint8

// The stages. An update that has reached neither is not told of.
const (
	Accepted Stage = iota + 1
	Completed
)

var stageNames = []string{"unknown", "accepted", "completed"}

// String is the stage in words.
func (s Stage) String() string { return stageNames[s] }

// Progress is how far an update has come.
type Progress struct {
	Stage Stage
	// Outcome of a completed one, if it is known.
	Outcome string
}

// Answer is what a call was told. The zero value says: taken.
type Answer struct {
	// Lost: nobody knows what came of the call.
	Lost    bool
	Refused Refusal
	// Run the answer names, if it does.
	Run string
	// Started: the start says that it has created the run.
	Started bool
	// Progress of an update.
	Progress Progress
	// Sight of a read.
	Sight *Sight
}

// Sight is what a read shows of a run.
type Sight struct {
	Run string
	// Request that has started it; empty if that is not shown.
	Request string
	Status  enumspb.WorkflowExecutionStatus
	// CancelRequested; if not Whole, false tells nothing of an open run.
	CancelRequested bool
	// Signals that are in the history, by request id, in the order of their events.
	Signals []string
	// Waiting are the signals that have no place in the history yet, in no order.
	// Nothing is known of them unless Whole.
	Waiting []string
	Whole   bool
	// Updates that are accepted or completed; nil if none are shown.
	Updates map[string]Progress
}

// String is the call in words.
func (c Call) String() string {
	var b strings.Builder
	b.WriteString(c.Kind.String())
	if c.Request != "" {
		b.WriteString(" " + c.Request)
	}
	if c.Ends {
		b.WriteString(" (ends the run)")
	}
	if c.Run != "" {
		b.WriteString(" of run " + brief(c.Run))
	}
	if c.Kind == Start || c.Kind == SignalWithStart {
		fmt.Fprintf(&b, " (%v, %v)", c.Conflict, c.Reuse)
	}
	return b.String()
}

// String is the answer in words.
func (a Answer) String() string {
	switch {
	case a.Lost:
		return "nobody knows"
	case a.Refused == NotFound:
		return "not found"
	case a.Refused == AlreadyStarted:
		return "already started: " + brief(a.Run)
	case a.Sight != nil:
		return a.Sight.String()
	case a.Progress.Stage != 0:
		return fmt.Sprintf("%v in %s %s", a.Progress.Stage, brief(a.Run), a.Progress.Outcome)
	case a.Started:
		return "started " + brief(a.Run)
	case a.Run != "":
		return "uses " + brief(a.Run)
	}
	return "done"
}

// String is the sight in words.
func (s *Sight) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %v, signals %v", brief(s.Run), s.Status, s.Signals)
	if s.Whole {
		fmt.Fprintf(&b, " and waiting %v", s.Waiting)
	} else {
		b.WriteString(" (and perhaps more)")
	}
	if s.CancelRequested {
		b.WriteString(", cancel requested")
	}
	for _, id := range sortedKeys(s.Updates) {
		fmt.Fprintf(&b, ", %s %v", id, s.Updates[id].Stage)
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// brief is the part of a run id that tells it from others: its beginning is the time.
func brief(runID string) string {
	if runID == "" {
		return "?"
	}
	return runID[max(0, len(runID)-8):]
}
