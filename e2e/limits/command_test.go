//go:build e2e

package limits

import (
	"slices"
	"strings"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

func scheduleActivity(queue string, change func(*commandpb.ScheduleActivityTaskCommandAttributes)) *commandpb.Command {
	a := &commandpb.ScheduleActivityTaskCommandAttributes{
		ActivityId: "a", ActivityType: &commonpb.ActivityType{Name: "Charge"}, TaskQueue: queueNamed(queue),
		StartToCloseTimeout: durationpb.New(time.Minute),
	}
	if change != nil {
		change(a)
	}
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{ScheduleActivityTaskCommandAttributes: a}}
}

func startTimer(id string) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_START_TIMER,
		Attributes: &commandpb.Command_StartTimerCommandAttributes{StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{
			TimerId: id, StartToFireTimeout: durationpb.New(time.Hour)}}}
}

func recordMarker(name string, details *commonpb.Payloads) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_RECORD_MARKER,
		Attributes: &commandpb.Command_RecordMarkerCommandAttributes{RecordMarkerCommandAttributes: &commandpb.RecordMarkerCommandAttributes{
			MarkerName: name, Details: map[string]*commonpb.Payloads{"d": details}}}}
}

func startChild(id, kind string) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{StartChildWorkflowExecutionCommandAttributes: &commandpb.StartChildWorkflowExecutionCommandAttributes{
			WorkflowId: id, WorkflowType: &commonpb.WorkflowType{Name: kind}}}}
}

func signalExternal(id, signal string) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
			Execution: execution(id), SignalName: signal}}}
}

// A command's fields are bounded too: past the bound the workflow task fails
// with the command's cause, the worker hears why, and the workflow goes on with
// another task; at the bound the command is carried out (spec/workflow.md 3.8).
func TestCommandBounds(t *testing.T) {
	name := func(n int) string { return strings.Repeat("n", n) }
	for _, c := range []struct {
		field   string
		command func(n int) *commandpb.Command
		done    enumspb.EventType
		past    string
	}{
		{"activity id", func(n int) *commandpb.Command {
			return scheduleActivity("q", func(a *commandpb.ScheduleActivityTaskCommandAttributes) { a.ActivityId = name(n) })
		}, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, "BadScheduleActivityAttributes"},
		{"activity type", func(n int) *commandpb.Command {
			return scheduleActivity("q", func(a *commandpb.ScheduleActivityTaskCommandAttributes) { a.ActivityType.Name = name(n) })
		}, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, "BadScheduleActivityAttributes"},
		{"activity's task queue", func(n int) *commandpb.Command { return scheduleActivity(name(n), nil) },
			enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, "taskQueue length exceeds limit"},
		{"timer id", func(n int) *commandpb.Command { return startTimer(name(n)) }, enumspb.EVENT_TYPE_TIMER_STARTED, "TimerId exceeds length limit. Length=1001 Limit=1000"},
		{"marker name", func(n int) *commandpb.Command { return recordMarker(name(n), nil) }, enumspb.EVENT_TYPE_MARKER_RECORDED, "exceeds length limit"},
		{"child's workflow id", func(n int) *commandpb.Command { return startChild(long(n), "Child") },
			enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, "exceeds length limit. Length=1001 Limit=1000"},
		{"child's workflow type", func(n int) *commandpb.Command { return startChild(unique(), name(n)) },
			enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, "exceeds length limit. Length=1001 Limit=1000"},
		{"signalled workflow id", func(n int) *commandpb.Command { return signalExternal(long(n), "s") },
			enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, "WorkflowId length exceeds limit."},
		{"signal name", func(n int) *commandpb.Command { return signalExternal("nobody", name(n)) },
			enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, "SignalName length exceeds limit."},
	} {
		t.Run(c.field, func(t *testing.T) {
			t.Parallel()
			ctx, id := started(t)
			refused(t, "past its bound", complete(ctx, taskOf(t, ctx, id).GetTaskToken(), c.command(idBytes+1)), codes.InvalidArgument, c.past)
			again := taskOf(t, ctx, id)
			if !slices.Contains(eventTypes(t, ctx, id), enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED) {
				t.Errorf("no workflow task failed: %v", eventTypes(t, ctx, id))
			}
			if err := complete(ctx, again.GetTaskToken(), c.command(idBytes)); err != nil {
				t.Errorf("at its bound: %v", err)
			}
			if !slices.Contains(eventTypes(t, ctx, id), c.done) {
				t.Errorf("no %v: %v", c.done, eventTypes(t, ctx, id))
			}
		})
	}
}

// A command's blob past its bound ends the workflow: a worker that repeats the
// task would only send it again (spec/workflow.md 3.8).
func TestCommandBlobs(t *testing.T) {
	ctx, id := started(t)
	refused(t, "a marker", complete(ctx, taskOf(t, ctx, id).GetTaskToken(), recordMarker("m", payloads(blobBytes+1))),
		codes.InvalidArgument, "RecordMarkerCommandAttributes.Details exceeds size limit.")
	if types := eventTypes(t, ctx, id); types[len(types)-1] != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED {
		t.Errorf("the workflow's last event is %v", types[len(types)-1])
	}
	ctx, id = started(t)
	if err := complete(ctx, taskOf(t, ctx, id).GetTaskToken(), recordMarker("m", payloads(blobBytes-1000))); err != nil {
		t.Errorf("within the bound: %v", err)
	}
}

// A policy the API does not know fails the workflow task, like any other bad
// attribute: guessing one could end the wrong run.
func TestUnknownChildPolicies(t *testing.T) {
	for name, change := range map[string]func(*commandpb.StartChildWorkflowExecutionCommandAttributes){
		"unknown ParentClosePolicy 99": func(a *commandpb.StartChildWorkflowExecutionCommandAttributes) { a.ParentClosePolicy = 99 },
		"unknown WorkflowIdReusePolicy 99": func(a *commandpb.StartChildWorkflowExecutionCommandAttributes) {
			a.WorkflowIdReusePolicy = 99
		},
	} {
		ctx, id := started(t)
		command := startChild(unique(), "Child")
		change(command.GetStartChildWorkflowExecutionCommandAttributes())
		refused(t, name, complete(ctx, taskOf(t, ctx, id).GetTaskToken(), command), codes.InvalidArgument, name)
	}
}
