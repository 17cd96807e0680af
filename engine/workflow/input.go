package workflow

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
)

// Input is one thing that happens to a run. The list below is closed.
type Input interface{ input() }

// The inputs that concern an id, whatever its current run; see StepID. The
// request has been validated by package frontend as far as that needs no state.
type (
	// StartWorkflow starts a run, or answers by the id policies. Reply: *Started.
	StartWorkflow struct {
		Request *workflowservice.StartWorkflowExecutionRequest
		// Child is set when a parent starts the run: the delivery of its
		// MessageStartChild. Request is built from it by ChildStartRequest.
		Child *engine.Message
		// Poller describes the starter, for an eager first workflow task.
		Poller engine.Poller
	}
	// SignalWithStart signals the current run, or starts one with a signal.
	// Reply: *Started.
	SignalWithStart struct {
		Request *workflowservice.SignalWithStartWorkflowExecutionRequest
	}
	// UpdateWithStart has the current run take an update, or starts one that
	// begins with it. Reply: *UpdatedWithStart.
	UpdateWithStart struct {
		Start  *workflowservice.StartWorkflowExecutionRequest
		Update *workflowservice.UpdateWorkflowExecutionRequest
		Poller engine.Poller
	}
	// ResetWorkflow begins a new run with a part of the history of another.
	// Reply: *workflowservice.ResetWorkflowExecutionResponse.
	ResetWorkflow struct {
		Request *workflowservice.ResetWorkflowExecutionRequest
		// NewRunID is the id of the run that is to be made.
		NewRunID string
		// Base is the run to begin from; Read what was read of its history, and
		// of those that follow, with all that is in them now.
		Base *Run
		Read *ResetHistory
	}
)

// The inputs that concern a run.
type (
	// Signal. Reply: *workflowservice.SignalWorkflowExecutionResponse.
	Signal struct {
		Request *workflowservice.SignalWorkflowExecutionRequest
		From    *engine.Message // set when a workflow sent it
	}
	// RequestCancel. Reply: *workflowservice.RequestCancelWorkflowExecutionResponse.
	RequestCancel struct {
		Request *workflowservice.RequestCancelWorkflowExecutionRequest
		From    *engine.Message // set when a workflow sent it, or for a parent's close
	}
	// Terminate. Reply: *workflowservice.TerminateWorkflowExecutionResponse.
	Terminate struct {
		Request *workflowservice.TerminateWorkflowExecutionRequest
		// From is set for a parent's close, or is a MessageStartChild that is
		// taken back: its sender closed before it knew of the child.
		From *engine.Message
	}
	// UpdateWorkflow admits an update, which has an id. Reply: *UpdateStatus.
	// What becomes of it later is in Change.News.
	UpdateWorkflow struct {
		Request *workflowservice.UpdateWorkflowExecutionRequest
	}
	// Delete terminates an open run and removes every trace of it.
	// Reply: *workflowservice.DeleteWorkflowExecutionResponse.
	Delete struct{}

	// StartWorkflowTask gives the offered task to a poller. Reply: *TaskStarted.
	// Stale when the offer is void.
	StartWorkflowTask struct {
		EventID int64
		Stamp   int64
		Poller  engine.Poller
	}
	// CompleteWorkflowTask. Reply: *TaskCompleted, or *engine.Refusal with Commit.
	CompleteWorkflowTask struct {
		Token   TaskToken
		Request *workflowservice.RespondWorkflowTaskCompletedRequest
		Poller  engine.Poller // of the completer, for inline and eager tasks
	}
	// FailWorkflowTask. Reply: *workflowservice.RespondWorkflowTaskFailedResponse.
	FailWorkflowTask struct {
		Token   TaskToken
		Request *workflowservice.RespondWorkflowTaskFailedRequest
	}
	// AbortWorkflowTask takes back a start whose poller was found gone before
	// its answer was written. Reply: nil.
	AbortWorkflowTask struct{ Token TaskToken }
	// ResetSticky forgets the sticky queue. Reply: *workflowservice.ResetStickyTaskQueueResponse.
	ResetSticky struct{}

	// StartActivity gives the offered attempt to a poller. Reply: *ActivityStarted.
	// Stale when the offer is void.
	StartActivity struct {
		EventID int64
		Stamp   int64
		Poller  engine.Poller
	}
	// AbortActivity is AbortWorkflowTask for an activity. Reply: nil.
	AbortActivity struct{ Token ActivityToken }
	// HeartbeatActivity. Reply: *workflowservice.RecordActivityTaskHeartbeatResponse.
	HeartbeatActivity struct {
		Ref      ActivityRef
		Details  *commonpb.Payloads
		Identity string
	}
	// CompleteActivity. Reply: *workflowservice.RespondActivityTaskCompletedResponse.
	CompleteActivity struct {
		Ref      ActivityRef
		Result   *commonpb.Payloads
		Identity string
	}
	// FailActivity. Reply: *workflowservice.RespondActivityTaskFailedResponse.
	FailActivity struct {
		Ref              ActivityRef
		Failure          *failurepb.Failure
		HeartbeatDetails *commonpb.Payloads
		Identity         string
		Cause            enumspb.ActivityTaskFailedCause
	}
	// CancelActivity reports that the activity accepted its cancellation.
	// Reply: *workflowservice.RespondActivityTaskCanceledResponse.
	CancelActivity struct {
		Ref      ActivityRef
		Details  *commonpb.Payloads
		Identity string
	}

	// Due says that a deadline may have passed. Reply: nil.
	Due struct{}

	// FirstWorkflowTask: the parent has recorded the start of this child. Reply: nil.
	FirstWorkflowTask struct{ From *engine.Message }
	// ChildClosed: a child's chain has ended; Message.Event is its last event. Reply: nil.
	ChildClosed struct{ Message *engine.Message }
	// Reconnect: a reset has put the sender in the place of this child's parent.
	// Reply: nil.
	Reconnect struct{ From *engine.Message }
	// Answered brings the outcome of an answered message back to its sender:
	// Refusal is nil when the receiver took it. Reply: nil.
	Answered struct {
		Message *engine.Message
		// RunID of the started child.
		RunID   string
		Refusal *engine.Refusal
	}
	// CallbackAnswered reports a try to deliver a completion callback. Reply: nil.
	// Stale when the report is outdated.
	CallbackAnswered struct {
		Number int64
		Stamp  int64
		Answer callback.Answer
	}
)

func (*StartWorkflow) input()        {}
func (*SignalWithStart) input()      {}
func (*UpdateWithStart) input()      {}
func (*ResetWorkflow) input()        {}
func (*UpdateWorkflow) input()       {}
func (*Signal) input()               {}
func (*RequestCancel) input()        {}
func (*Terminate) input()            {}
func (*Delete) input()               {}
func (*StartWorkflowTask) input()    {}
func (*CompleteWorkflowTask) input() {}
func (*FailWorkflowTask) input()     {}
func (*AbortWorkflowTask) input()    {}
func (*ResetSticky) input()          {}
func (*StartActivity) input()        {}
func (*AbortActivity) input()        {}
func (*HeartbeatActivity) input()    {}
func (*CompleteActivity) input()     {}
func (*FailActivity) input()         {}
func (*CancelActivity) input()       {}
func (*Due) input()                  {}
func (*FirstWorkflowTask) input()    {}
func (*ChildClosed) input()          {}
func (*Reconnect) input()            {}
func (*Answered) input()             {}
func (*CallbackAnswered) input()     {}

// TaskToken identifies one start of a workflow task.
type TaskToken struct {
	Run              engine.RunKey
	ScheduledEventID int64
	StartedEventID   int64
	Attempt          int32
	Stamp            int64
}

// ActivityToken identifies one start of an activity.
type ActivityToken struct {
	Run              engine.RunKey
	ScheduledEventID int64
	ActivityID       string
	Attempt          int32
	Stamp            int64
}

// ActivityRef names an activity by the token of one start, or, when Token is
// nil, by its id (the ...ById calls).
type ActivityRef struct {
	Token *ActivityToken
	ID    string
}

// Started is the reply of StartWorkflow and SignalWithStart.
type Started struct {
	RunID      string
	FirstRunID string
	// Started: this request created the run, now or when it came first.
	Started bool
	Status  enumspb.WorkflowExecutionStatus
	Link    *commonpb.Link
	// SignalLink of SignalWithStart.
	SignalLink *commonpb.Link
	// EagerTask is the first workflow task, started for the caller.
	EagerTask *TaskStarted
}

// TaskStarted is a workflow task as given to a worker: everything of
// PollWorkflowTaskQueueResponse but the stored history, which the edge reads
// from the shard: events HistoryFrom .. HistoryTo, then Virtual.
type TaskStarted struct {
	Token                  TaskToken
	NamespaceName          string
	WorkflowType           string
	TaskQueue              string // the normal one
	PreviousStartedEventID int64
	StartedEventID         int64
	Attempt                int32
	ScheduledTime          time.Time
	StartedTime            time.Time
	// HistoryFrom and HistoryTo bound the stored events to send, inclusive.
	// From is 1, or LastCompletedStartedID+1 for a worker that holds the rest.
	HistoryFrom int64
	HistoryTo   int64
	// History are these events, encoded, if the shell has them at hand when it gives
	// the task away; else the edge reads them. The core leaves it empty.
	History []byte
	// Virtual events follow the stored ones (transient and speculative tasks).
	Virtual []*historypb.HistoryEvent
	// Updates the worker is to look at, in order of admission. Each becomes a
	// protocol message sequenced at SequencingEventID.
	Updates []*updatepb.Request
}

// SequencingEventID is the place in history at which the task's updates arrive:
// just before its start.
func (t *TaskStarted) SequencingEventID() int64 { return t.StartedEventID - 1 }

// TaskCompleted is the reply of CompleteWorkflowTask.
type TaskCompleted struct {
	// Task is the next workflow task, started inline; nil for none.
	Task *TaskStarted
	// Activities were started for the completer, in command order.
	Activities []*ActivityStarted
	// ResetHistoryEventID: see spec/workflow.md 3.7.
	ResetHistoryEventID int64
}

// ActivityStarted is an activity attempt as given to a worker. Input and header
// are in the scheduled event: Scheduled when it is in memory, else the edge
// reads it from history batch BatchID.
type ActivityStarted struct {
	Token                       ActivityToken
	NamespaceName               string
	WorkflowType                string
	ActivityType                string
	Attempt                     int32
	ScheduledTime               time.Time
	CurrentAttemptScheduledTime time.Time
	StartedTime                 time.Time
	ScheduleToClose             time.Duration
	StartToClose                time.Duration
	Heartbeat                   time.Duration
	RetryPolicy                 *commonpb.RetryPolicy
	HeartbeatDetails            *commonpb.Payloads
	Priority                    *commonpb.Priority
	BatchID                     int64
	Scheduled                   *historypb.HistoryEvent
}
