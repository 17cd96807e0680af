// Package callback is the state of one completion callback: an address that is
// to be told when a workflow, an update or a standalone activity has ended. It
// is pure, like all of the core; the executions that hold callbacks step them,
// and package callbacks makes the requests.
//
//	           the thing ends           a try is answered
//	STANDBY ------------------> SCHEDULED --+--> SUCCEEDED   accepted
//	                             ^  ^    |  +--> FAILED      refused for good
//	              its time comes |  +----+  +--> BACKING_OFF to be tried again
//	                             |   lost   +--> BLOCKED     was not tried
//	                             +----------------------+
//
// A try that is neither answered nor known to be under way (the process died,
// say) counts as lost when its time is over, and another is made: delivery is at
// least once. What a try reports carries its stamp. An outdated report is
// dropped, unless it says that the receiver has accepted: then there is nothing
// left to do, whichever try it was.
//
// The states are the API's own (spec/workflow.md 1.11, schedule-batch-nexus.md
// N-53, N-54).
package callback

import (
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/retry"
)

// Timeout bounds one request (N-53).
const Timeout = 10 * time.Second

// patience is how long a try may take in all, waiting for its turn included,
// before it counts as lost. It is also how long after a crash the callbacks that
// were under way are silent at most.
const patience = 2 * Timeout

// backoff is the wait between tries: 1 s doubling to an hour, without end (N-53).
var backoff = &commonpb.RetryPolicy{
	InitialInterval:    durationpb.New(time.Second),
	BackoffCoefficient: 2,
	MaximumInterval:    durationpb.New(time.Hour),
}

// State of a callback. It is a value: a step replaces it.
type State struct {
	Callback *commonpb.Callback
	// Registered is when it was attached.
	Registered time.Time
	// RequestID tells the receiver which completions are the same one.
	RequestID string
	// AttachedBy is the id of the request that attached it to an execution that
	// was there already; empty when it came with the start.
	AttachedBy string
	// UpdateID is the update whose completion it waits for; empty for the close
	// of the execution.
	UpdateID string

	// Rejected: that update, which a reset had admitted again, was rejected. No
	// event tells of it, and another update may have the id since.
	Rejected bool

	Status enumspb.CallbackState
	// Attempt counts the requests that were answered or failed.
	Attempt int32
	// Blocks counts the tries that were not made.
	Blocks int32
	// Stamp numbers the tries.
	Stamp int64
	// Due is when the present try counts as lost (scheduled), or the next begins
	// (backing off, blocked); else zero.
	Due time.Time
	// Closed is when the thing it waits for ended; zero before.
	Closed time.Time

	LastAttemptComplete time.Time
	// LastFailure of a request, if any.
	LastFailure *failurepb.Failure
	// BlockedReason says why no request was made; empty unless blocked.
	BlockedReason string
}

// Origin says by what a callback has come to its run: with the start, or attached
// by another request, to the run or to one of its updates; and which of that
// request's callbacks it is. No two of a run have the same.
type Origin struct {
	AttachedBy string
	UpdateID   string
	Index      int
}

// New is a callback that waits for its run to close, or for one of its updates to
// complete.
func New(run engine.RunKey, cb *commonpb.Callback, from Origin, now time.Time) *State {
	return &State{
		Callback: cb, Registered: now, RequestID: from.requestID(run),
		AttachedBy: from.AttachedBy, UpdateID: from.UpdateID,
		Status: enumspb.CALLBACK_STATE_STANDBY,
	}
}

// requestID is a function of the run and the origin, so that the state of a run
// can be made again from its history. (The order of callbacks could not serve:
// an attachment that is buffered takes effect before what comes before it in
// history.)
func (o Origin) requestID(run engine.RunKey) string {
	name := fmt.Sprintf("%s/%s/%s/callback/%q/%q", run.NamespaceID, run.Name, run.RunID, o.AttachedBy, o.UpdateID)
	return engine.DerivedUUID(name, int64(o.Index))
}

// Waiting reports whether the thing the callback waits for has not ended.
func (s *State) Waiting() bool { return s.Status == enumspb.CALLBACK_STATE_STANDBY }

// Pending reports whether the callback is still to be delivered.
func (s *State) Pending() bool {
	switch s.Status {
	case enumspb.CALLBACK_STATE_SCHEDULED, enumspb.CALLBACK_STATE_BACKING_OFF, enumspb.CALLBACK_STATE_BLOCKED:
		return true
	}
	return false
}

// WaitsForRetry reports whether the next try begins at Due.
func (s *State) WaitsForRetry() bool {
	return s.Status == enumspb.CALLBACK_STATE_BACKING_OFF || s.Status == enumspb.CALLBACK_STATE_BLOCKED
}

// Deadline is when Try is to be called; zero for never.
func (s *State) Deadline() time.Time {
	if s.Pending() {
		return s.Due
	}
	return time.Time{}
}

// Trigger says that what the callback waits for has ended, and begins the first try.
func (s *State) Trigger(now time.Time) *State {
	next := *s
	next.Closed = now
	return next.Try(now)
}

// Try begins a try: the delivery of it is to be made. The callback has been
// triggered and is not delivered.
func (s *State) Try(now time.Time) *State {
	next := *s
	next.Status = enumspb.CALLBACK_STATE_SCHEDULED
	next.Stamp++
	next.Due = now.Add(patience)
	next.BlockedReason = ""
	return &next
}

// Delivery asks for the present try. The caller adds what is to be told.
func (s *State) Delivery(run engine.RunKey, namespaceName string, number int64) engine.Delivery {
	return engine.Delivery{
		Run: run, NamespaceName: namespaceName, Number: number, Stamp: s.Stamp,
		Callback: s.Callback, RequestID: s.RequestID,
		Timeout: Timeout, Until: s.Due, CloseTime: s.Closed,
	}
}

// Done is the callback when another run tells of what it has been waiting for.
func (s *State) Done() *State {
	next := *s
	next.Status = enumspb.CALLBACK_STATE_SUCCEEDED
	next.Due = time.Time{}
	return &next
}

// Verdict is what became of a try.
type Verdict uint8

// The verdicts.
const (
	// Accepted: the receiver has taken the completion.
	Accepted Verdict = iota + 1
	// Refused: the receiver has said that it never will.
	Refused
	// Failed: it may take it later.
	Failed
	// Blocked: no request was made.
	Blocked
)

// Answer is the report of a try.
type Answer struct {
	Verdict Verdict
	// Failure of a request that was refused or failed.
	Failure *failurepb.Failure
	// Reason and Wait of a blocked try: why, and for how long at least.
	Reason string
	Wait   time.Duration
}

// Answered takes in the report of the try with that stamp. It gives nil when the
// report is outdated, and nothing changes.
func (s *State) Answered(stamp int64, a Answer, now time.Time) *State {
	current := s.Status == enumspb.CALLBACK_STATE_SCHEDULED && stamp == s.Stamp
	if !s.Pending() || !current && a.Verdict != Accepted {
		return nil
	}
	next := *s
	next.Due = time.Time{}
	next.BlockedReason = ""
	if a.Verdict == Blocked {
		next.Status = enumspb.CALLBACK_STATE_BLOCKED
		next.Blocks++
		next.BlockedReason = a.Reason
		next.Due = now.Add(max(a.Wait, next.wait()))
		return &next
	}
	next.Attempt++
	next.LastAttemptComplete = now
	next.LastFailure = a.Failure
	switch a.Verdict {
	case Accepted:
		next.Status = enumspb.CALLBACK_STATE_SUCCEEDED
	case Refused:
		next.Status = enumspb.CALLBACK_STATE_FAILED
	default:
		next.Status = enumspb.CALLBACK_STATE_BACKING_OFF
		next.Due = now.Add(next.wait())
	}
	return &next
}

// wait before the next try. Blocked ones count: what waits for an address that
// has been out of reach for long must not be looked at all the time.
func (s *State) wait() time.Duration { return retry.Interval(backoff, s.Attempt+s.Blocks) }
