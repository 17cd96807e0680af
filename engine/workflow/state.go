package workflow

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
)

// Run is the state of one workflow run, held by the shard that owns it. It is
// made of parts; a step changes only some, and only those are written.
//
// The parts are values: a step never changes what a part points to, it replaces
// the part (see draft.go). Run itself is changed only by Apply, by its owner.
type Run struct {
	Key engine.RunKey

	// Start is what was fixed when the run began.
	Start *Start
	// Info is what changes with nearly every step. Invariant: small.
	Info *Info
	// Memo and SearchAttributes as upserted so far; nil when empty.
	Memo             *commonpb.Memo
	SearchAttributes *commonpb.SearchAttributes

	// Activities that are open, by scheduled event id.
	Activities map[int64]*activity.State
	// Timers that are open, by timer id.
	Timers map[string]*Timer
	// Children initiated and not closed, by initiated event id.
	Children map[int64]*Child
	// Signals and Cancels to other workflows not yet answered, by initiated event id.
	Signals map[int64]*External
	Cancels map[int64]*External
	// Requests already applied, by request id (spec/workflow.md 1.4).
	Requests map[string]*Request
	// Updates that were accepted, completed ones among them, by update id.
	Updates map[string]*Update
	// Callbacks attached to the run and its updates, by the order in which they
	// came, from 1. None is ever removed. A replay may number them differently.
	Callbacks map[int64]*callback.State
	// Proposals are updates that no worker has accepted yet, by update id. They
	// are in memory only: a run that is loaded has none.
	Proposals map[string]*Proposal
	// Buffered events, which arrived while a workflow task was started, in
	// order of arrival, keyed by a number that only grows. They have no event
	// id yet.
	Buffered map[int64]*historypb.HistoryEvent

	// Started is event 1, when in memory. Not stored here; see Needs.
	Started *historypb.HistoryEvent
	// Scheduled are scheduled events of open activities that happen to be in
	// memory, by event id. Only a cache.
	Scheduled map[int64]*historypb.HistoryEvent

	deadlines deadlines
}

// Start is the part of a run that is fixed at its beginning. The Started event
// holds the rest (input, header, ...).
type Start struct {
	NamespaceName     string
	WorkflowType      string
	TaskQueue         string
	Identity          string
	RequestID         string // the create request
	FirstRunID        string // first of the chain
	OriginalRunID     string // random seed of the SDKs
	ContinuedRunID    string // predecessor; empty for none
	Attempt           int32
	Initiator         enumspb.ContinueAsNewInitiator
	CronSchedule      string
	RetryPolicy       *commonpb.RetryPolicy // nil: no workflow retry
	StartTime         time.Time             // of this run
	Backoff           time.Duration         // before the first workflow task
	ExecutionTimeout  time.Duration         // of the chain; 0 none
	RunTimeout        time.Duration         // effective; 0 none
	TaskTimeout       time.Duration
	ExecutionDeadline time.Time // of the chain; zero none
	RunDeadline       time.Time // zero none
	Parent            *Parent   // nil for a top-level run
	Root              *commonpb.WorkflowExecution
	Priority          *commonpb.Priority
	UserMetadata      *sdkpb.UserMetadata
	OriginalStartTime time.Time // of the first run before resets
	// Reset tells of the reset by which the run was made; nil for none. ResetTime
	// is when.
	Reset     *ResetOrigin
	ResetTime time.Time
	// Linked: the Started event carries links, which the runs that continue this
	// one inherit.
	Linked bool
}

// ExecutionTime is when the first workflow task may run.
func (s *Start) ExecutionTime() time.Time { return s.StartTime.Add(s.Backoff) }

// Parent is who started this run as a child.
type Parent struct {
	Run              engine.RunKey
	NamespaceName    string
	InitiatedEventID int64
	// RequestID of the message that has started it, by which a run that a
	// reset has put in the parent's place knows its child.
	RequestID string
	// Former are the runs that were the parent before, by resets: what they have
	// sent may still arrive, and must not make one the parent again. The latest are
	// kept.
	Former []string
}

// ResetOrigin is where a run that was made by a reset comes from.
type ResetOrigin struct {
	// BaseRunID is the run whose history it shares, up to EventID: the id of the
	// WorkflowTaskFailed with which its own history begins.
	BaseRunID string
	EventID   int64
}

// Info is the part of a run that changes often.
type Info struct {
	Status      enumspb.WorkflowExecutionStatus
	NextEventID int64
	// LastBatchID is the first event id of the newest history batch.
	LastBatchID      int64
	HistorySizeBytes int64
	// StateBytes is about what the parts of the run take, buffered events not
	// counted.
	StateBytes  int64
	Transitions int64
	// NextBufferedKey numbers buffered events; BufferedBytes is their size.
	NextBufferedKey int64
	BufferedBytes   int64

	// FirstTaskDone: the back-off (or the wait for the parent) is over, so
	// that events may schedule workflow tasks.
	FirstTaskDone bool
	// AwaitsParent: a child whose parent has not yet recorded its start; no
	// workflow task before FirstWorkflowTask comes, whatever else happens.
	AwaitsParent bool
	// Task is the pending workflow task; nil when there is none.
	Task *Task
	// TaskStamp numbers the starts and offers of workflow tasks; it only grows.
	TaskStamp int64
	// LastCompletedStartedID is the started event id of the last completed
	// workflow task; 0 before the first.
	LastCompletedStartedID int64
	// TaskFailures counts consecutive failures and timeouts.
	TaskFailures int32
	// Attempt the next workflow task will have.
	NextAttempt int32
	// Closing: a close command was refused because of buffered events; while
	// the next workflow task is started new signals have to wait.
	Closing bool
	Sticky  *Sticky

	CancelRequested bool
	CancelRequestID string
	// Pause tells of the pause under way. Invariant: nil unless Status is paused.
	Pause *Pause
	// PauseRequestID and UnpauseRequestID are the latest requests of their kinds:
	// repeating them changes nothing.
	PauseRequestID   string
	UnpauseRequestID string
	SignalCount      int64

	CloseTime    time.Time
	CloseEventID int64
	CloseBatchID int64
	// NewRunID is the successor by continue-as-new, retry, cron or reset.
	NewRunID string
	// ResetRunID is the latest run that a reset has made of this one, and
	// ResetEventID the first event that this one does not share with it.
	ResetRunID   string
	ResetEventID int64
	// DeleteAt is when a closed run is forgotten; zero while open.
	DeleteAt time.Time

	LastWorkerIdentity string
	AutoResetPoints    *workflowpb.ResetPoints
	// VersioningInfo is that of the worker that has completed the last workflow
	// task, VersioningOverride what was asked for in its stead; see Versioning.
	VersioningInfo     *workflowpb.WorkflowExecutionVersioningInfo
	VersioningOverride *workflowpb.VersioningOverride
	// Skipping is nil for a run that lives in the shard's time.
	Skipping *Skipping
	// LastTaskFailure is shown to operators.
	LastTaskFailure *failurepb.Failure

	// Armed is the due time of the deadline row that is stored for this run;
	// zero when none is. Kept by the shell. Invariant: never later than the
	// earliest real deadline.
	Armed time.Time

	// Unversioned: the search attributes are those of a run without any, whose
	// workers name no build, and need not be stored.
	Unversioned bool
}

// Sticky is the worker's own queue the next workflow tasks go to.
type Sticky struct {
	TaskQueue       string
	ScheduleToStart time.Duration
}

// TaskType says how much of a workflow task is in history.
type TaskType uint8

// The task types. The numbers are part of the stored format.
const (
	// TaskNormal: scheduled (and, if started, started) events are in history.
	TaskNormal TaskType = 1
	// TaskTransient: a later attempt; its two events are virtual until it completes.
	TaskTransient TaskType = 2
	// TaskSpeculative: delivers an update; virtual like a transient one.
	TaskSpeculative TaskType = 3
)

// Task is the pending workflow task.
type Task struct {
	Type             TaskType
	ScheduledEventID int64
	// StartedEventID is 0 while it is only scheduled.
	StartedEventID int64
	Attempt        int32
	// Stamp of the current offer, or of the start once started.
	Stamp                 int64
	ScheduledTime         time.Time
	OriginalScheduledTime time.Time // of the first of a chain of heartbeats
	StartedTime           time.Time
	// Timeout is start-to-close.
	Timeout time.Duration
	// StickyQueue is the sticky queue it was scheduled on; empty for the normal one.
	StickyQueue string
	// ScheduleToStart is when a sticky or speculative task is given up; zero never.
	ScheduleToStartDeadline time.Time
	RequestID               string
	Identity                string
	SuggestContinueAsNew    bool
	SuggestReasons          []enumspb.SuggestContinueAsNewReason
	HistorySizeBytes        int64
	// Inline: started for the worker that completed the task before, never
	// offered to a queue.
	Inline bool
	// Reoffered: the hand-over to the worker was aborted after the start was
	// recorded. The started event stands, and the task is on offer again.
	Reoffered bool
}

// Timer is an open user timer.
type Timer struct {
	ID             string
	StartedEventID int64
	FireTime       time.Time
}

// Child is a child workflow that was initiated and has not closed.
type Child struct {
	InitiatedEventID  int64
	BatchID           int64
	StartedEventID    int64 // 0 until it is recorded (buffered counts: -1)
	NamespaceID       string
	NamespaceName     string
	WorkflowID        string
	RunID             string // first run; empty until started
	WorkflowType      string
	ParentClosePolicy enumspb.ParentClosePolicy
	Control           string
}

// External is a signal or cancel request to another workflow, not yet answered.
type External struct {
	InitiatedEventID int64
	BatchID          int64
	NamespaceID      string
	NamespaceName    string
	Target           *commonpb.WorkflowExecution
	Control          string
	RequestID        string
	// ChildWorkflowOnly: the target must be a child of this run.
	ChildWorkflowOnly bool
}

// Request is a request id this run has taken effect for.
type Request struct {
	EventType enumspb.EventType
	EventID   int64 // 0 while Buffered
	Buffered  bool
}

// Open reports whether the run has not closed.
func (r *Run) Open() bool {
	return r.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING ||
		r.paused()
}

// paused reports whether the run is open and on hold.
func (r *Run) paused() bool { return r.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED }
