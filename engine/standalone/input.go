package standalone

import (
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
)

// Input is one thing that happens to a run. The list below is closed.
type Input interface{ input() }

// StartExecution starts a run, or answers by the id policies; see StepID.
// Reply: *StartedExecution.
//
// Package frontend has validated what needs no state, but for the options (names,
// task queue, timeouts, start delay, retry policy, priority): those the step
// checks and resolves.
type StartExecution struct {
	Request *workflowservice.StartActivityExecutionRequest
	// Poller describes the starter, for an eager first attempt.
	Poller engine.Poller
}

// The inputs by which clients control a run. An empty request id is never a
// repetition.
type (
	// RequestCancel. Reply: *workflowservice.RequestCancelActivityExecutionResponse.
	RequestCancel struct {
		Request *workflowservice.RequestCancelActivityExecutionRequest
	}
	// Terminate. Reply: *workflowservice.TerminateActivityExecutionResponse.
	Terminate struct {
		Request *workflowservice.TerminateActivityExecutionRequest
	}
	// Delete terminates an open run, and removes every trace of it.
	// Reply: *workflowservice.DeleteActivityExecutionResponse.
	Delete struct{}
	// Pause. Reply: *workflowservice.PauseActivityExecutionResponse.
	Pause struct {
		Request *workflowservice.PauseActivityExecutionRequest
	}
	// Unpause. Reply: *workflowservice.UnpauseActivityExecutionResponse.
	Unpause struct {
		Request *workflowservice.UnpauseActivityExecutionRequest
	}
	// Reset. Reply: *workflowservice.ResetActivityExecutionResponse.
	Reset struct {
		Request *workflowservice.ResetActivityExecutionRequest
	}
	// UpdateOptions; the step checks the mask too. Reply: *activity.Options,
	// those in force from now on.
	UpdateOptions struct {
		Request *workflowservice.UpdateActivityExecutionOptionsRequest
	}
)

// The inputs of workers, and of time. Stamp is that of the offer for
// StartAttempt; for the others that of the Token, or activity.ByID when the
// worker names the activity by its id.
type (
	// StartAttempt gives the offered attempt to a poller. Reply: *Started.
	// Stale when the offer is void.
	StartAttempt struct {
		Stamp  int64
		Poller engine.Poller
	}
	// AbortAttempt takes back a start whose poller was found gone before its
	// answer was written. Reply: nil.
	AbortAttempt struct{ Stamp int64 }
	// Heartbeat. Reply: *workflowservice.RecordActivityTaskHeartbeatResponse.
	Heartbeat struct {
		Stamp    int64
		Details  *commonpb.Payloads
		Identity string
	}
	// Complete. Reply: *workflowservice.RespondActivityTaskCompletedResponse.
	Complete struct {
		Stamp    int64
		Result   *commonpb.Payloads
		Identity string
	}
	// Fail. Reply: *workflowservice.RespondActivityTaskFailedResponse.
	Fail struct {
		Stamp            int64
		Failure          *failurepb.Failure
		HeartbeatDetails *commonpb.Payloads
		Identity         string
	}
	// Cancel reports that the activity accepted its cancellation.
	// Reply: *workflowservice.RespondActivityTaskCanceledResponse.
	Cancel struct {
		Stamp    int64
		Details  *commonpb.Payloads
		Identity string
	}
	// CallbackAnswered reports a try to deliver a completion callback. Reply: nil.
	// Stale when the report is outdated.
	CallbackAnswered struct {
		// Number and Stamp are those of the engine.Delivery.
		Number int64
		Stamp  int64
		Answer callback.Answer
	}
	// Due says that a deadline may have passed. Reply: nil.
	Due struct{}
)

func (*StartExecution) input()   {}
func (*RequestCancel) input()    {}
func (*Terminate) input()        {}
func (*Delete) input()           {}
func (*Pause) input()            {}
func (*Unpause) input()          {}
func (*Reset) input()            {}
func (*UpdateOptions) input()    {}
func (*StartAttempt) input()     {}
func (*AbortAttempt) input()     {}
func (*Heartbeat) input()        {}
func (*Complete) input()         {}
func (*Fail) input()             {}
func (*Cancel) input()           {}
func (*CallbackAnswered) input() {}
func (*Due) input()              {}

// StartedExecution is the reply of StartExecution.
type StartedExecution struct {
	RunID string
	// Started: this request created the run.
	Started bool
	Link    *commonpb.Link
	// EagerTask is the first attempt, started for the caller; nil for none.
	EagerTask *Started
}

// Started is an attempt as given to a worker: what PollActivityTaskQueueResponse
// is made of. Both parts are values that never change.
type Started struct {
	Run engine.RunKey
	// Start has the type, input, header and namespace name, and ScheduleTime,
	// which is the response's scheduled_time.
	Start *Start
	// Activity has the rest. Its DueTime is the response's
	// current_attempt_scheduled_time; its options are those in force.
	Activity *activity.State
}

// Token identifies the attempt in the worker's later calls.
func (s *Started) Token() Token {
	return Token{Run: s.Run, Attempt: s.Activity.Attempt, Stamp: s.Activity.Stamp}
}

// Token identifies one start of a standalone activity. Run.Name is its id.
type Token struct {
	Run     engine.RunKey
	Attempt int32
	Stamp   int64
}
