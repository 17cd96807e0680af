//go:build e2e

package limits

import (
	"context"
	"testing"

	"go.temporal.io/api/errordetails/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// answers are the calls of a worker about an activity, by token and by id.
type answers struct {
	byToken map[string]func(ctx context.Context, token []byte) error
	byID    map[string]func(ctx context.Context, workflowID, runID, activityID string) error
}

func activityAnswers() answers {
	return answers{
		byToken: map[string]func(context.Context, []byte) error{
			"heartbeat": func(ctx context.Context, token []byte) error {
				_, err := api.RecordActivityTaskHeartbeat(ctx, &workflowservice.RecordActivityTaskHeartbeatRequest{Namespace: namespace, TaskToken: token})
				return err
			},
			"complete": func(ctx context.Context, token []byte) error {
				_, err := api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{Namespace: namespace, TaskToken: token})
				return err
			},
			"fail": func(ctx context.Context, token []byte) error {
				_, err := api.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{Namespace: namespace, TaskToken: token})
				return err
			},
			"cancel": func(ctx context.Context, token []byte) error {
				_, err := api.RespondActivityTaskCanceled(ctx, &workflowservice.RespondActivityTaskCanceledRequest{Namespace: namespace, TaskToken: token})
				return err
			},
		},
		byID: map[string]func(context.Context, string, string, string) error{
			"heartbeat": func(ctx context.Context, w, run, a string) error {
				_, err := api.RecordActivityTaskHeartbeatById(ctx, &workflowservice.RecordActivityTaskHeartbeatByIdRequest{Namespace: namespace, WorkflowId: w, RunId: run, ActivityId: a})
				return err
			},
			"complete": func(ctx context.Context, w, run, a string) error {
				_, err := api.RespondActivityTaskCompletedById(ctx, &workflowservice.RespondActivityTaskCompletedByIdRequest{Namespace: namespace, WorkflowId: w, RunId: run, ActivityId: a})
				return err
			},
			"fail": func(ctx context.Context, w, run, a string) error {
				_, err := api.RespondActivityTaskFailedById(ctx, &workflowservice.RespondActivityTaskFailedByIdRequest{Namespace: namespace, WorkflowId: w, RunId: run, ActivityId: a})
				return err
			},
			"cancel": func(ctx context.Context, w, run, a string) error {
				_, err := api.RespondActivityTaskCanceledById(ctx, &workflowservice.RespondActivityTaskCanceledByIdRequest{Namespace: namespace, WorkflowId: w, RunId: run, ActivityId: a})
				return err
			},
		},
	}
}

// missing checks for NOT_FOUND with the detail SDKs tell it by (AT-70).
func missing(t *testing.T, what string, err error, text string) {
	t.Helper()
	exactly(t, what, err, codes.NotFound, text)
	details := status.Convert(err).Details()
	if len(details) != 1 {
		t.Errorf("%s: details %v", what, details)
		return
	}
	if _, ok := details[0].(*errordetails.NotFoundFailure); !ok {
		t.Errorf("%s: detail %T", what, details[0])
	}
}

const (
	stale    = "invalid activityID or activity already timed out or invoking workflow is completed"
	overText = "workflow execution already completed"
)

// TestLateActivityAnswers is table 3.3 of spec/activity.md: what a worker hears
// that answers too late, or for nothing.
func TestLateActivityAnswers(t *testing.T) {
	a := activityAnswers()
	ctx, id, task := backingOff(t)
	for name, answer := range a.byToken {
		missing(t, name+" of an earlier attempt", answer(ctx, task.GetTaskToken()), stale)
	}
	for _, name := range []string{"heartbeat", "fail", "cancel"} { // AT-72
		missing(t, name+" by id while it backs off", a.byID[name](ctx, id, "", "a"), stale)
	}
	for name, answer := range a.byID {
		missing(t, name+" by an unknown id", answer(ctx, id, "", "b"), "cannot find pending activity with ActivityID b, check workflow execution history for more details")
		missing(t, name+" of an unknown workflow", answer(ctx, "nobody", "", "a"), "workflow not found for ID: nobody")
		exactly(t, name+" without an id", answer(ctx, id, "", ""), codes.InvalidArgument, "ActivityId is not set on request.")
		exactly(t, name+" of no run", answer(ctx, id, "x", "a"), codes.InvalidArgument, "Invalid RunId.")
		missing(t, name+" standing alone", answer(ctx, "", "", "a"), "activity not found for ID: a") // AX-11
	}
	if err := a.byID["complete"](ctx, id, "", "a"); err != nil { // AT-43
		t.Errorf("complete by id while it backs off: %v", err)
	}

	ctx, id, task = activityOf(t, nil)
	exactly(t, "canceled without a request", a.byToken["cancel"](ctx, task.GetTaskToken()), codes.InvalidArgument,
		"unable to mark activity as canceled without activity being request canceled first")
	exactly(t, "canceled by id without a request", a.byID["cancel"](ctx, id, "", "a"), codes.InvalidArgument,
		"unable to mark activity as canceled without activity being request canceled first")
	if _, err := api.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{Namespace: namespace, WorkflowExecution: execution(id)}); err != nil {
		t.Fatal(err)
	}
	for name, answer := range a.byToken {
		missing(t, name+" of a workflow that is over", answer(ctx, task.GetTaskToken()), overText)
	}
	for name, answer := range a.byID {
		missing(t, name+" by id of a workflow that is over", answer(ctx, id, "", "a"), overText)
	}
}

// AT-87: the second answer finds nothing, and there is one close event.
func TestActivityAnswersOnce(t *testing.T) {
	a := activityAnswers()
	ctx, id, task := activityOf(t, nil)
	if err := a.byToken["complete"](ctx, task.GetTaskToken()); err != nil {
		t.Fatal(err)
	}
	for name, answer := range a.byToken {
		missing(t, name+" after the end", answer(ctx, task.GetTaskToken()), stale)
	}
	closes := 0
	for _, e := range historyOf(t, ctx, id) {
		if e.GetActivityTaskCompletedEventAttributes() != nil || e.GetActivityTaskFailedEventAttributes() != nil || e.GetActivityTaskCanceledEventAttributes() != nil {
			closes++
		}
	}
	if closes != 1 {
		t.Errorf("%d close events", closes)
	}
}

// AT-81, AT-82: failures a worker may not report.
func TestBadActivityFailures(t *testing.T) {
	ctx, id, task := activityOf(t, nil)
	plain := &failurepb.Failure{Message: "of no sort"}
	_, err := api.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{Namespace: namespace, TaskToken: task.GetTaskToken(), Failure: plain})
	exactly(t, "a failure of no sort", err, codes.InvalidArgument, "Failure must have ApplicationFailureInfo.")
	delayed := &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{NextRetryDelay: durationpb.New(-1)}}}
	_, err = api.RespondActivityTaskFailed(ctx, &workflowservice.RespondActivityTaskFailedRequest{Namespace: namespace, TaskToken: task.GetTaskToken(), Failure: delayed})
	exactly(t, "a bad delay", err, codes.InvalidArgument, "NextRetryDelay is not a valid duration: negative duration")
	_, err = api.RespondActivityTaskFailedById(ctx, &workflowservice.RespondActivityTaskFailedByIdRequest{Namespace: namespace, WorkflowId: id, ActivityId: "a", Failure: delayed})
	exactly(t, "a bad delay by id", err, codes.InvalidArgument, "NextRetryDelay is not a valid duration: negative duration")
	_, err = api.RespondActivityTaskFailedById(ctx, &workflowservice.RespondActivityTaskFailedByIdRequest{Namespace: namespace, WorkflowId: id, ActivityId: "a", Failure: plain})
	if err != nil { // not checked by id
		t.Errorf("a failure of no sort by id: %v", err)
	}
}
