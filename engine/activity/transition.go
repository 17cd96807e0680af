package activity

import (
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/internal/invariant"
)

// transition is one arrow of the diagram in doc.go.
type transition struct {
	name string
	from []Status
	to   Status
}

var (
	scheduling    = transition{"schedule", []Status{statusNone}, StatusQueued}
	offering      = transition{"offer", []Status{StatusQueued}, StatusQueued}
	starting      = transition{"start", []Status{StatusQueued}, StatusStarted}
	aborting      = transition{"abort", []Status{StatusStarted}, StatusQueued}
	heartbeating  = transition{"heartbeat", []Status{StatusStarted}, StatusStarted}
	cancelAsking  = transition{"requestCancel", []Status{StatusStarted}, StatusStarted}
	cancelMarking = transition{"requestCancel", []Status{StatusQueued}, StatusQueued}
	pausing       = transition{"pause", []Status{StatusQueued}, StatusQueued}
	pauseMarking  = transition{"pause", []Status{StatusStarted}, StatusStarted}
	unpausing     = transition{"unpause", []Status{StatusQueued}, StatusQueued}
	pauseLifting  = transition{"unpause", []Status{StatusStarted}, StatusStarted}
	resetting     = transition{"reset", []Status{StatusQueued}, StatusQueued}
	resetMarking  = transition{"reset", []Status{StatusStarted}, StatusStarted}
	reissuing     = transition{"setOptions", []Status{StatusQueued}, StatusQueued}
	retuning      = transition{"setOptions", []Status{StatusStarted}, StatusStarted}
	recalling     = transition{"recall", []Status{StatusQueued}, StatusQueued}
	retrying      = transition{"retry", []Status{StatusStarted}, StatusQueued}
	completing    = transition{"complete", []Status{StatusQueued, StatusStarted}, statusNone}
	failing       = transition{"fail", []Status{StatusStarted}, statusNone}
	timingOut     = transition{"timeOut", []Status{StatusQueued, StatusStarted}, statusNone}
	cancelling    = transition{"cancel", []Status{StatusQueued, StatusStarted}, statusNone}
	allTransition = []transition{
		scheduling, offering, starting, aborting, heartbeating, cancelAsking, cancelMarking,
		pausing, pauseMarking, unpausing, pauseLifting, resetting, resetMarking, reissuing, retuning, recalling, retrying,
		completing, failing, timingOut, cancelling,
	}
)

// check that s is where the transition starts from. The names for a failure are
// put together only then: they are two objects.
func (t transition) check(s *State) {
	if !slices.Contains(t.from, s.Status) {
		invariant.Check(false, "activity %s: %s from status %d", s.ID, t.name, s.Status)
	}
}

// move returns a changed copy of s in the transition's target status. That s is
// in a status it starts from is for the caller to have checked.
func (t transition) move(s *State, change func(next *State)) Step {
	t.check(s)
	next := *s
	next.Status = t.to
	change(&next)
	return Step{State: &next}
}

// end closes s with an outcome.
func (t transition) end(s *State, o Outcome) Step {
	t.check(s)
	if s.Status == StatusStarted {
		o.Attempt = &Attempt{
			Number: s.Attempt, StartedTime: s.StartedTime, RequestID: s.RequestID,
			Identity: s.Identity, LastFailure: s.LastFailure,
		}
	}
	return Step{Outcome: &o}
}

// Step is what a transition yields: exactly one of its fields is set.
type Step struct {
	// State is the activity from now on.
	State *State
	// Outcome is how it has ended.
	Outcome *Outcome
}

// Ending is the kind of an outcome.
type Ending uint8

// The endings.
const (
	Completed Ending = iota + 1
	Failed
	TimedOut
	Canceled
)

// Outcome is how an activity has ended.
type Outcome struct {
	Ending Ending
	// Result of Completed.
	Result *commonpb.Payloads
	// Failure and RetryState of Failed and TimedOut.
	Failure    *failurepb.Failure
	RetryState enumspb.RetryState
	// Cause is what the worker named as cause of a failure, for the record.
	Cause enumspb.ActivityTaskFailedCause
	// Details of Canceled.
	Details *commonpb.Payloads
	// Identity of who answered; empty for TimedOut.
	Identity string
	// Attempt is the one that was running; nil when none was.
	Attempt *Attempt
}

// Attempt describes the last start of an ended activity.
type Attempt struct {
	Number      int32
	StartedTime time.Time
	RequestID   string
	Identity    string
	// LastFailure is that of the attempt before.
	LastFailure *failurepb.Failure
}

// ByID in place of a stamp stands for whichever attempt is running: the caller
// names the activity by its id and has no token.
const ByID int64 = 0

// running refuses unless the attempt with this stamp (or, ByID, any) is running.
func (s *State) running(stamp int64) error {
	if s.Status != StatusStarted || stamp != ByID && stamp != s.Stamp {
		return s.gone()
	}
	return nil
}
