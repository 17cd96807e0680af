package activity

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
)

// Status is where an open activity stands between its attempts. Cancellation
// and pause are flags beside it, since either can be asked for in any status.
type Status uint8

// The statuses. The numbers are part of the stored format.
const (
	// statusNone: not asked for yet, or ended. Never stored.
	statusNone Status = 0
	// StatusQueued: the attempt is due (or will be at DueTime) and not started.
	StatusQueued Status = 1
	// StatusStarted: a worker has the attempt.
	StatusStarted Status = 2
)

// Options are what a user may set, and update while the activity runs.
// Durations of zero mean "none".
type Options struct {
	TaskQueue       string
	ScheduleToClose time.Duration
	ScheduleToStart time.Duration
	StartToClose    time.Duration
	Heartbeat       time.Duration
	// StartDelay before the first hand-out; none in a workflow (AX-7).
	StartDelay time.Duration
	// RetryPolicy is resolved: every field is filled. Never nil. Not mutated.
	RetryPolicy *commonpb.RetryPolicy
	Priority    *commonpb.Priority
}

// Pause tells of a pause: when it began, who asked for it, and why.
type Pause struct {
	Time     time.Time
	Identity string
	Reason   string
	// RequestID is that of the request; repeating it is no error.
	RequestID string
}

// State is one open activity, in a workflow or standing alone. It is a value:
// a transition returns a new one and never changes what old copies point to.
type State struct {
	ID   string
	Type string
	// House is where it lives. Invariant: never changes.
	House House
	Options

	Status Status
	// Attempt is the number of the running or next attempt, from 1.
	Attempt int32
	// Stamp is the start version: it grows whenever an earlier offer or token
	// must lose its validity (start, retry, reset, new options, hand-over
	// aborted), and is never set back.
	Stamp int64

	// ScheduledTime is when the activity was asked for; schedule-to-close runs
	// from it, or from the end of the start delay. Invariant: never changes (but for a workflow reset).
	ScheduledTime time.Time
	// DueTime is when the current attempt may be handed out: ScheduledTime, or the
	// end of the start delay, for the first, the end of the back-off for later ones. Schedule-to-start runs
	// from it.
	DueTime time.Time
	// Offered: the due attempt has been offered to its task queue.
	Offered bool

	// StartedTime, RequestID: of the running attempt. Zero unless started.
	StartedTime time.Time
	RequestID   string
	// Identity, ControlTaskQueue, ... of the latest worker.
	Identity          string
	ControlTaskQueue  string
	DeploymentName    string
	DeploymentVersion string
	// HeartbeatIdentity is who sent the latest heartbeat of the attempt, when that
	// was another than who took it (AT-120): a heartbeat by id may come from
	// anywhere. ActivityTaskStarted names Identity all the same.
	HeartbeatIdentity string

	// LastHeartbeatTime is when the running attempt last reported; zero before
	// its first report. HeartbeatDetails live across attempts until replaced.
	LastHeartbeatTime time.Time
	HeartbeatDetails  *commonpb.Payloads
	// HeartbeatFloor is when the shard was opened that read the state from the
	// store: reports that were not yet stored are lost in a crash, so the
	// heartbeat clock starts anew then (DESIGN I1). Not stored; may be zero.
	HeartbeatFloor time.Time

	// LastFailure of the previous attempt, cut to Limits.LastFailureBytes.
	LastFailure         *failurepb.Failure
	LastAttemptComplete time.Time
	// RetryInterval is the back-off being waited for; zero otherwise. GivenDelay:
	// the failure asked for it, not the retry policy.
	RetryInterval time.Duration
	GivenDelay    bool

	CancelRequested bool
	// CancelRequestedEventID inside a workflow.
	CancelRequestedEventID int64

	// Paused: no attempt is handed out and no timeout fires until it is unpaused.
	// A running attempt goes on, and hears of it when it heartbeats. Who paused
	// it, when and why is in Pause. Invariant: Pause is zero unless Paused.
	Paused bool
	Pause  Pause
	// Resetting: the running attempt hears, when it heartbeats, that the activity
	// has been reset; ResetHeartbeat then clears the details for the next one, and
	// ResetOptions, if set, are in force for it.
	// Invariant: false, false and nil unless started.
	Resetting      bool
	ResetHeartbeat bool
	ResetOptions   *Options

	// Inside a workflow: the scheduled event and the history batch it is in.
	ScheduledEventID int64
	BatchID          int64
}

// LastWorker is the identity that was last heard of: who took the attempt, or
// sent a heartbeat since.
func (s *State) LastWorker() string {
	if s.HeartbeatIdentity != "" {
		return s.HeartbeatIdentity
	}
	return s.Identity
}

// readyTime is when the activity may first be handed out.
func (s *State) readyTime() time.Time { return s.ScheduledTime.Add(s.StartDelay) }
