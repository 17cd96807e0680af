package standalone

import (
	"maps"
	"slices"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	nexuspb "go.temporal.io/api/nexus/v1"
	sdkpb "go.temporal.io/api/sdk/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
)

// Run is the state of one run of a standalone activity, held by the shard that
// owns it. It is made of parts; a step changes only some, and only those are
// written.
//
// The parts are values: a step never changes what a part points to, it replaces
// the part. Run itself is changed only by Apply, by its owner.
type Run struct {
	Key engine.RunKey

	// Start is what was fixed when the run began. Never nil.
	Start *Start
	// Info is what changes with nearly every step. Never nil. Invariant: small.
	Info *Info
	// Activity is the activity itself; once the run has closed, as it last was.
	// Never nil.
	Activity *activity.State
	// Outcome is set once the run has closed, and then never changes.
	Outcome *activitypb.ActivityExecutionOutcome
	// Attachments are what later start requests have added to the run, in order.
	Attachments []*Attachment
	// Callbacks are told when the run closes, by order of arrival from 1; nil for
	// none. None is ever removed.
	Callbacks map[int64]*callback.State
}

// Start is the part of a run that is fixed at its beginning.
type Start struct {
	NamespaceName string
	ActivityType  string
	Identity      string
	RequestID     string // never empty
	// ScheduleTime is when the activity was asked for.
	ScheduleTime time.Time
	// Options as asked for, resolved; operators may go back to them. Those in
	// force are in Run.Activity.
	Options          activity.Options
	Input            *commonpb.Payloads
	Header           *commonpb.Header
	UserMetadata     *sdkpb.UserMetadata
	SearchAttributes *commonpb.SearchAttributes // nil when there are none
	Links            []*commonpb.Link
	// NexusContext is what a Nexus caller passes on for serialization.
	NexusContext *nexuspb.PropagatedSerializationContext
	// Eager: the first attempt was given to the starter in its answer.
	Eager bool
}

// Info is the part of a run that changes often.
type Info struct {
	Status enumspb.ActivityExecutionStatus
	// Transitions counts the changes of the run. A heartbeat is none: it may be
	// forgotten by a crash (DESIGN I1), and the count must never go back.
	Transitions int64
	// Heartbeats counts those of all attempts.
	Heartbeats int64
	// StateBytes is about what the run takes: as started, then as closed.
	StateBytes int64

	// LastStartedTime is when a worker last took an attempt; zero before that.
	LastStartedTime time.Time
	// SDKName and SDKVersion of the worker that took it; empty if unknown.
	SDKName    string
	SDKVersion string

	// Cancel and Terminate are the requests that were granted; nil for none.
	Cancel    *Request
	Terminate *Request
	// The ids of the last request of each kind that was carried out: the same
	// again is answered without effect (AX-40).
	PauseRequestID   string
	UnpauseRequestID string
	ResetRequestID   string
	OptionsRequestID string

	// CloseTime is zero while the run is open.
	CloseTime time.Time
	// DeleteAt is when a closed run is forgotten; zero for never.
	DeleteAt time.Time

	// Armed is the due time of the deadline row that is stored for this run;
	// zero when none is. Kept by the shell. Invariant: never later than the
	// earliest real deadline.
	Armed time.Time
}

// Request is who asked for something, and why.
type Request struct {
	ID       string
	Identity string
	Reason   string
	Time     time.Time
}

// Attachment is what a start request has added to a run that was there already
// (conflict policy USE_EXISTING).
type Attachment struct {
	// Number counts the attachments of the run, from 1: it is the place in
	// Run.Attachments.
	Number int64
	// RequestID is that of the start request, which from now on is answered
	// without effect; empty if it is not to be kept.
	RequestID string
	Links     []*commonpb.Link
}

// Open reports whether the run has not closed.
func (r *Run) Open() bool { return r.Info.open() }

func (i *Info) open() bool {
	return i.Status == enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING ||
		i.Status == enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED
}

// NextDeadline is the earliest time at which a Due input would do something;
// zero when there is none.
func (r *Run) NextDeadline() time.Time {
	if !r.Open() {
		return earliest(r.Info.DeleteAt, r.callbackDeadline())
	}
	return r.Activity.Next()
}

// Apply brings a change into the run. The owner calls it at once after the step,
// before the change is durable; if the commit fails the owner forgets the run
// altogether.
func (r *Run) Apply(c *Change) {
	if c.Start != nil {
		r.Start = c.Start
	}
	r.Info = c.Info
	if c.Activity != nil {
		r.Activity = c.Activity
	}
	if c.Outcome != nil {
		r.Outcome = c.Outcome
	}
	for _, a := range c.Attachments {
		if n := len(r.Attachments); a.Number > int64(n) {
			r.Attachments = append(r.Attachments[:n:n], a)
		}
	}
	if r.Callbacks == nil && len(c.Callbacks) > 0 {
		r.Callbacks = make(map[int64]*callback.State, len(c.Callbacks))
	}
	maps.Copy(r.Callbacks, c.Callbacks)
}

// Offers are the tasks that are on offer in the run's present state. The shell
// makes them again after a restart; every one has a row in the task backlog.
func (r *Run) Offers() []engine.Task {
	if !r.Open() || !r.Activity.Offered {
		return nil
	}
	return []engine.Task{attemptTask(r.Key, r.Activity)}
}

// Loaded is to be called once on a run that has been read from the store, with
// the time at which its shard was opened: reports of heartbeats before that may
// be lost, so the heartbeat clock of a running attempt starts no earlier.
func (r *Run) Loaded(opened time.Time) {
	if r.Open() {
		r.Activity = r.Activity.Loaded(opened)
	}
}

// LastAttemptComplete is when an attempt last ended by its worker's answer or with
// the run; zero before that.
func (r *Run) LastAttemptComplete() time.Time {
	if !r.Open() && !r.Activity.Unstarted() {
		return r.Info.CloseTime
	}
	return r.Activity.LastAttemptComplete
}

// Links are those the activity was started with, and those attached since.
func (r *Run) Links() []*commonpb.Link {
	links := slices.Clone(r.Start.Links)
	for _, a := range r.Attachments {
		links = append(links, a.Links...)
	}
	return links
}
