package frontend

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perdure/perdure/engine"
)

// A task that a worker is given is made of up to ten messages, which live and die
// together. They are one object each here: workflowTaskAnswer and attemptAnswer have
// room for those that nearly every answer has. The functions below fill one in where
// it is, and return it.

// workflowTaskAnswer is the answer to a poll for workflow tasks.
type workflowTaskAnswer struct {
	workflowservice.PollWorkflowTaskQueueResponse
	execution          commonpb.WorkflowExecution
	workflowType       commonpb.WorkflowType
	history            historypb.History
	queue              taskqueuepb.TaskQueue
	scheduled, started timestamppb.Timestamp
}

// attemptAnswer is the answer to a poll for activity tasks.
type attemptAnswer struct {
	workflowservice.PollActivityTaskQueueResponse
	execution    commonpb.WorkflowExecution
	workflowType commonpb.WorkflowType
	activityType commonpb.ActivityType

	scheduled, attemptScheduled, started     timestamppb.Timestamp
	scheduleToClose, startToClose, heartbeat durationpb.Duration
}

func setExecution(to *commonpb.WorkflowExecution, run engine.RunKey) *commonpb.WorkflowExecution {
	to.WorkflowId, to.RunId = run.Name, run.RunID
	return to
}

// setTime is timestamppb.New.
func setTime(to *timestamppb.Timestamp, t time.Time) *timestamppb.Timestamp {
	to.Seconds, to.Nanos = t.Unix(), int32(t.Nanosecond())
	return to
}

// setDuration is durationpb.New. A duration that is none is set as well: some SDKs
// take an absent one for a protocol error (AT-11).
func setDuration(to *durationpb.Duration, d time.Duration) *durationpb.Duration {
	to.Seconds, to.Nanos = int64(d/time.Second), int32(d%time.Second)
	return to
}
