//go:build e2e

package limits

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

type scheduleAttributes = commandpb.ScheduleActivityTaskCommandAttributes

func cancelActivity(scheduledEventID int64) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
		Attributes: &commandpb.Command_RequestCancelActivityTaskCommandAttributes{
			RequestCancelActivityTaskCommandAttributes: &commandpb.RequestCancelActivityTaskCommandAttributes{ScheduledEventId: scheduledEventID}}}
}

func historyOf(t *testing.T, ctx context.Context, id string) []*historypb.HistoryEvent {
	t.Helper()
	h, err := api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: namespace, Execution: execution(id)})
	if err != nil {
		t.Fatal(err)
	}
	return h.GetHistory().GetEvents()
}

// exactly checks the code and the whole text of an error.
func exactly(t *testing.T, what string, err error, code codes.Code, text string) {
	t.Helper()
	if st := status.Convert(err); st.Code() != code || st.Message() != text {
		t.Errorf("%s\n got %v %q\nwant %v %q", what, st.Code(), cut(st.Message()), code, text)
	}
}

// TestBadActivityCommands is table 1.1 and AT-22, AT-130, AT-131 of
// spec/activity.md: each bad command fails the workflow task with its cause, the
// completion is answered with cause and text, and nothing of it takes effect.
func TestBadActivityCommands(t *testing.T) {
	negative := durationpb.New(-1)
	bad := func(text string) string {
		return "BadScheduleActivityAttributes: " + text + " ActivityId=a ActivityType=Charge"
	}
	schedule := func(change func(*scheduleAttributes)) []*commandpb.Command {
		return []*commandpb.Command{scheduleActivity("q", change)}
	}
	retry := func(p *commonpb.RetryPolicy) []*commandpb.Command {
		return schedule(func(a *scheduleAttributes) { a.RetryPolicy = p })
	}
	many := make([]*commandpb.Command, 2001)
	for i := range many {
		many[i] = scheduleActivity("q", func(a *scheduleAttributes) { a.ActivityId = fmt.Sprint(i) })
	}
	const (
		attributes = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES
		duplicate  = enumspb.WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID
		pending    = enumspb.WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED
		cancel     = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES
	)
	for _, c := range []struct {
		name     string
		commands []*commandpb.Command
		cause    enumspb.WorkflowTaskFailedCause
		text     string
	}{
		{"no id", schedule(func(a *scheduleAttributes) { a.ActivityId = "" }), attributes, "BadScheduleActivityAttributes: activityId is not set ActivityId= ActivityType=Charge"},
		{"no type", schedule(func(a *scheduleAttributes) { a.ActivityType = nil }), attributes, "BadScheduleActivityAttributes: activityType is not set ActivityId=a ActivityType="},
		{"no queue", schedule(func(a *scheduleAttributes) { a.TaskQueue = nil }), attributes, bad("taskQueue is not set")},
		{"an empty queue", schedule(func(a *scheduleAttributes) { a.TaskQueue.Name = "" }), attributes, bad("missing task queue name")},
		{"a long queue", schedule(func(a *scheduleAttributes) { a.TaskQueue.Name = long(idBytes + 1) }), attributes, bad("taskQueue length exceeds limit")},
		{"a reserved queue", schedule(func(a *scheduleAttributes) { a.TaskQueue.Name = "/_sys/q" }), attributes, bad("task queue name cannot start with reserved prefix /_sys/")},
		{"an internal queue", schedule(func(a *scheduleAttributes) { a.TaskQueue.Name = "temporal-sys-per-ns-tq" }), attributes, bad("cannot use internal per-namespace task queue:temporal-sys-per-ns-tq")},
		{"schedule to close", schedule(func(a *scheduleAttributes) { a.ScheduleToCloseTimeout = negative }), attributes, bad("invalid ScheduleToCloseTimeout: negative duration")},
		{"schedule to start", schedule(func(a *scheduleAttributes) { a.ScheduleToStartTimeout = negative }), attributes, bad("invalid ScheduleToStartTimeout: negative duration")},
		{"start to close", schedule(func(a *scheduleAttributes) { a.StartToCloseTimeout = negative }), attributes, bad("invalid StartToCloseTimeout: negative duration")},
		{"heartbeat", schedule(func(a *scheduleAttributes) { a.HeartbeatTimeout = negative }), attributes, bad("invalid HeartbeatTimeout: negative duration")},
		{"mixed signs", schedule(func(a *scheduleAttributes) { a.HeartbeatTimeout = &durationpb.Duration{Seconds: 1, Nanos: -1} }), attributes, bad("invalid HeartbeatTimeout: duration has seconds and nanos with different signs")},
		{"no timeout", schedule(func(a *scheduleAttributes) { a.StartToCloseTimeout = nil }), attributes, bad("a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity.")},
		{"initial interval", retry(&commonpb.RetryPolicy{InitialInterval: negative}), attributes, bad("invalid InitialInterval set on retry policy: negative duration")},
		{"coefficient", retry(&commonpb.RetryPolicy{BackoffCoefficient: 0.5}), attributes, bad("BackoffCoefficient cannot be less than 1 on retry policy.")},
		{"maximum interval", retry(&commonpb.RetryPolicy{MaximumInterval: negative}), attributes, bad("invalid MaximumInterval set on retry policy: negative duration")},
		{"intervals", retry(&commonpb.RetryPolicy{InitialInterval: durationpb.New(2), MaximumInterval: durationpb.New(1)}), attributes, bad("MaximumInterval cannot be less than InitialInterval on retry policy.")},
		{"attempts", retry(&commonpb.RetryPolicy{MaximumAttempts: -1}), attributes, bad("MaximumAttempts cannot be negative on retry policy.")},
		{"a timeout type", retry(&commonpb.RetryPolicy{NonRetryableErrorTypes: []string{"TemporalTimeout:Never"}}), attributes, bad("Invalid timeout type value: Never.")},
		{"a negative priority", schedule(func(a *scheduleAttributes) { a.Priority = &commonpb.Priority{PriorityKey: -1} }), attributes, bad("invalid priorities: priority key can't be negative")},
		{"a long fairness key", schedule(func(a *scheduleAttributes) { a.Priority = &commonpb.Priority{FairnessKey: long(65)} }), attributes, bad("invalid priorities: fairness key length exceeds limit")},
		{"a negative weight", schedule(func(a *scheduleAttributes) { a.Priority = &commonpb.Priority{FairnessWeight: -1} }), attributes, bad("invalid priorities: must be greater than zero")},
		{"two of one id", append(schedule(nil), schedule(nil)...), duplicate, "ScheduleActivityDuplicateId: invalid history builder state for action: add-activitytask-scheduled-event, ActivityID: a"},
		{"too many", many, pending, "PendingActivitiesLimitExceeded: the number of pending activities, 2000, has reached the per-workflow limit of 2000"},
		{"cancel nothing", []*commandpb.Command{cancelActivity(0)}, cancel, "BadRequestCancelActivityAttributes: ScheduledEventId is not set on RequestCancelActivityTaskCommand."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, id := started(t)
			exactly(t, c.name, complete(ctx, taskOf(t, ctx, id).GetTaskToken(), c.commands...), codes.InvalidArgument, c.text)
			events := historyOf(t, ctx, id)
			failed := events[3].GetWorkflowTaskFailedEventAttributes() // the next task is shown behind it, and not stored
			if failed.GetCause() != c.cause || failed.GetIdentity() != "limits" || failed.GetFailure().GetServerFailureInfo() == nil {
				t.Errorf("event 4 is %v", events[3])
			}
			if slices.ContainsFunc(events, func(e *historypb.HistoryEvent) bool {
				return e.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
			}) {
				t.Error("an activity was scheduled all the same")
			}
			if again := taskOf(t, ctx, id); again.GetAttempt() != 2 {
				t.Errorf("the next task is attempt %d", again.GetAttempt())
			}
		})
	}
}

// AT-131: a second command to cancel the same activity is a bad one, as is one
// for an activity nobody knows.
func TestCancelCommandsOnce(t *testing.T) {
	ctx, id, _ := activityOf(t, nil)
	signal := func() {
		t.Helper()
		if _, err := api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: namespace, WorkflowExecution: execution(id), SignalName: "s", RequestId: unique()}); err != nil {
			t.Fatal(err)
		}
	}
	const scheduled = 5
	signal()
	if err := complete(ctx, taskOf(t, ctx, id).GetTaskToken(), cancelActivity(scheduled)); err != nil {
		t.Fatal(err)
	}
	signal()
	exactly(t, "again", complete(ctx, taskOf(t, ctx, id).GetTaskToken(), cancelActivity(scheduled)), codes.InvalidArgument,
		"BadRequestCancelActivityAttributes: invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: 5")
	exactly(t, "another", complete(ctx, taskOf(t, ctx, id).GetTaskToken(), cancelActivity(99)), codes.InvalidArgument,
		"BadRequestCancelActivityAttributes: invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: 99")
	requests := 0
	for _, e := range historyOf(t, ctx, id) {
		if e.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED {
			requests++
		}
	}
	if requests != 1 {
		t.Errorf("%d requests in the history", requests)
	}
}

// The last row of table 1.1: an input past the bound fails the task and ends the
// workflow.
func TestOversizeActivityInput(t *testing.T) {
	ctx, id := started(t)
	command := scheduleActivity("q", func(a *scheduleAttributes) { a.Input = payloads(blobBytes + 1) })
	refused(t, "the input", complete(ctx, taskOf(t, ctx, id).GetTaskToken(), command), codes.InvalidArgument,
		"ScheduleActivityTaskCommandAttributes.Input exceeds size limit.")
	events := historyOf(t, ctx, id)
	end := events[len(events)-1].GetWorkflowExecutionTerminatedEventAttributes()
	if end.GetReason() != "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds size limit." || end.GetIdentity() != "history-service" {
		t.Errorf("the history ends with %v", events[len(events)-1])
	}
}

// backingOff starts an activity and lets its first attempt fail: it waits an hour
// for its next.
func backingOff(t *testing.T) (ctx context.Context, id string, task *workflowservice.PollActivityTaskQueueResponse) {
	t.Helper()
	ctx, id, task = activityOf(t, func(a *scheduleAttributes) {
		a.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Hour), MaximumInterval: durationpb.New(time.Hour)}
	})
	_, err := api.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{Namespace: namespace, TaskToken: task.GetTaskToken()})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, id, task
}
