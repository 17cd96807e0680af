package frontend

import (
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/engine/workflow"
)

// withActivities lets the real core answer inputs about a run with three pending
// activities: "waits" on offer and "runs" started, of type T; "other" in back-off.
func (e *edge) withActivities() *fakeExecutions {
	f := e.withRun()
	now := time.Unix(1000, 0).UTC()
	options := activity.Options{TaskQueue: "q", StartToClose: time.Hour,
		RetryPolicy: retry.Fill(&commonpb.RetryPolicy{NonRetryableErrorTypes: []string{"Bad"}})}
	f.change(func() {
		f.mu.run.Info.NextEventID, f.mu.run.Info.FirstTaskDone = 8, true
		f.mu.run.Activities = map[int64]*activity.State{
			5: {ID: "waits", Type: "T", Options: options, Status: activity.StatusQueued, Offered: true, Attempt: 1, Stamp: 1, ScheduledTime: now, DueTime: now, ScheduledEventID: 5},
			6: {ID: "runs", Type: "T", Options: options, Status: activity.StatusStarted, Attempt: 3, Stamp: 2, ScheduledTime: now, DueTime: now, StartedTime: now, ScheduledEventID: 6},
			7: {ID: "other", Type: "U", Options: options, Status: activity.StatusQueued, Attempt: 2, Stamp: 3, ScheduledTime: now, DueTime: now.Add(time.Minute), RetryInterval: time.Minute, ScheduledEventID: 7},
		}
	})
	f.do = func(id engine.ID, _ string, in engine.Input) (any, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if id != f.mu.run.Key.ID {
			return nil, engine.NotFound("workflow not found for ID: %s", id.Name)
		}
		res, err := workflow.Step(&engine.Env{Now: now, Fresh: engine.NewFresh([16]byte{}), Limits: engine.DefaultLimits(),
			Namespace: &engine.Namespace{ID: "ns-id", Name: "ns"}}, f.mu.run, in.(workflow.Input))
		if err != nil {
			return nil, err
		}
		if res.Run != nil {
			f.mu.run.Apply(res.Run)
		}
		return res.Reply, nil
	}
	return f
}

// The texts of activity.md 9, through gRPC.
func TestOperatorCallsAreChecked(t *testing.T) {
	const (
		bad  = codes.InvalidArgument
		none = "Either Activity.Id or Activity.Type should be set on request."
		gone = "Can't find pending activity with such ID. Invalid activityID or activity already completed"
	)
	e := newEdge(t)
	f := e.withActivities()
	mask := func(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }
	update := func(o *activitypb.ActivityOptions, m *fieldmaskpb.FieldMask) *workflowservice.UpdateActivityOptionsRequest {
		return &workflowservice.UpdateActivityOptionsRequest{Namespace: "ns", Execution: testExecution,
			Activity: &workflowservice.UpdateActivityOptionsRequest_Id{Id: "waits"}, ActivityOptions: o, UpdateMask: m}
	}
	pauseID := func(workflow, id string) *workflowservice.PauseActivityRequest {
		return &workflowservice.PauseActivityRequest{Namespace: "ns", Execution: &commonpb.WorkflowExecution{WorkflowId: workflow},
			Activity: &workflowservice.PauseActivityRequest_Id{Id: id}, RequestId: "r"}
	}
	both := update(&activitypb.ActivityOptions{}, mask("heartbeat_timeout"))
	both.RestoreOriginal = true
	for _, c := range []refusal{
		{"no execution", "PauseActivity", &workflowservice.PauseActivityRequest{Namespace: "ns"}, bad, "WorkflowId is not set on request."},
		{"no workflow id", "UnpauseActivity", &workflowservice.UnpauseActivityRequest{Namespace: "ns", Execution: &commonpb.WorkflowExecution{RunId: testRun.RunID}}, bad, "WorkflowId is not set on request."},
		{"a bad run id", "ResetActivity", &workflowservice.ResetActivityRequest{Namespace: "ns", Execution: &commonpb.WorkflowExecution{WorkflowId: "w", RunId: "x"}}, bad, "Invalid RunId."},
		{"pause nothing", "PauseActivity", &workflowservice.PauseActivityRequest{Namespace: "ns", Execution: testExecution}, bad, none},
		{"pause an empty type", "PauseActivity", &workflowservice.PauseActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.PauseActivityRequest_Type{}}, bad, none},
		{"unpause not all", "UnpauseActivity", &workflowservice.UnpauseActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.UnpauseActivityRequest_UnpauseAll{}}, bad, none},
		{"reset an empty id", "ResetActivity", &workflowservice.ResetActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.ResetActivityRequest_Id{}}, bad, none},
		{"update nothing", "UpdateActivityOptions", &workflowservice.UpdateActivityOptionsRequest{Namespace: "ns", Execution: testExecution}, bad, none},
		{"a long identity", "ResetActivity", &workflowservice.ResetActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.ResetActivityRequest_Id{Id: "waits"}, Identity: long}, bad, "Identity length exceeds limit."},
		{"negative jitter", "UnpauseActivity", &workflowservice.UnpauseActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.UnpauseActivityRequest_Id{Id: "waits"}, Jitter: durationpb.New(-1)}, bad, "Jitter is not a valid duration: negative duration"},
		{"a long reason", "PauseActivity", &workflowservice.PauseActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.PauseActivityRequest_Id{Id: "waits"}, Reason: string(make([]byte, 2<<20+1))}, bad, "reason exceeds length limit"},

		{"an unknown workflow", "PauseActivity", pauseID("nope", "waits"), codes.NotFound, "workflow not found for ID: nope"},
		{"an unknown activity", "PauseActivity", pauseID("w", "nobody"), codes.NotFound, gone},
		{"an unknown type", "ResetActivity", &workflowservice.ResetActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.ResetActivityRequest_Type{Type: "V"}}, codes.NotFound, gone},

		{"no options", "UpdateActivityOptions", update(nil, mask("heartbeat_timeout")), bad, "ActivityOptions are not provided"},
		{"no mask", "UpdateActivityOptions", update(&activitypb.ActivityOptions{}, nil), bad, "UpdateMask is not provided"},
		{"a mask and restore", "UpdateActivityOptions", both, bad, "Both UpdateMask and RestoreOriginal are provided"},
		{"no queue", "UpdateActivityOptions", update(&activitypb.ActivityOptions{}, mask("taskQueue.name")), bad, "TaskQueue is not provided"},
		{"no priority", "UpdateActivityOptions", update(&activitypb.ActivityOptions{}, mask("priority.priority_key")), bad, "Priority is not provided"},
		{"no retry policy", "UpdateActivityOptions", update(&activitypb.ActivityOptions{}, mask("retry_policy.maximum_attempts")), bad, "RetryPolicy is not provided"},
		{"a bad timeout", "UpdateActivityOptions", update(&activitypb.ActivityOptions{HeartbeatTimeout: durationpb.New(-1)}, mask("heartbeat_timeout")), bad, "invalid HeartbeatTimeout: negative duration"},
		{"no timeout", "UpdateActivityOptions", update(&activitypb.ActivityOptions{}, mask("start_to_close_timeout")), bad, "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity."},

		{"no activity id", "PauseActivityExecution", &workflowservice.PauseActivityExecutionRequest{Namespace: "ns", WorkflowId: "w"}, bad, none},
	} {
		check(t, e, c)
	}
	if _, err := e.api.PauseActivity(t.Context(), pauseID("w", "waits")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.api.PauseActivity(t.Context(), pauseID("w", "waits")); err != nil {
		t.Errorf("the same request again: %v", err)
	}
	other := pauseID("w", "waits")
	other.RequestId = "another"
	check(t, e, refusal{"paused already", "PauseActivity", other, codes.FailedPrecondition, "activity is already paused"})
	f.close()
	check(t, e, refusal{"a closed workflow", "PauseActivity", pauseID("w", "runs"), codes.NotFound, "workflow execution already completed"})
}

// What operators have done shows in the description (AT-150), by either form of
// the calls (AT-169).
func TestOperatorCallsShow(t *testing.T) {
	e := newEdge(t)
	e.withActivities()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pending := func() map[string]*workflowpb.PendingActivityInfo {
		d, err := e.api.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns", Execution: testExecution})
		must(err)
		all := map[string]*workflowpb.PendingActivityInfo{}
		for _, a := range d.GetPendingActivities() {
			all[a.GetActivityId()] = a
		}
		return all
	}

	_, err := e.api.PauseActivity(ctx, &workflowservice.PauseActivityRequest{Namespace: "ns", Execution: testExecution, Identity: "me", Reason: "why",
		Activity: &workflowservice.PauseActivityRequest_Type{Type: "T"}})
	must(err)
	_, err = e.api.PauseActivityExecution(ctx, &workflowservice.PauseActivityExecutionRequest{Namespace: "ns", WorkflowId: "w", RunId: testRun.RunID, ActivityId: "other", Identity: "you", Reason: "because"})
	must(err)
	all := pending()
	for id, want := range map[string]enumspb.PendingActivityState{
		"waits": enumspb.PENDING_ACTIVITY_STATE_PAUSED, "runs": enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED, "other": enumspb.PENDING_ACTIVITY_STATE_PAUSED,
	} {
		if a := all[id]; a.GetState() != want || !a.GetPaused() || a.GetPauseInfo().GetPauseTime().GetSeconds() != 1000 {
			t.Errorf("%s: %v", id, a)
		}
	}
	if by := all["waits"].GetPauseInfo().GetManual(); by.GetIdentity() != "me" || by.GetReason() != "why" {
		t.Errorf("paused by %v", by)
	}
	if a := all["other"]; a.GetNextAttemptScheduleTime() != nil || a.GetCurrentRetryInterval() != nil || a.GetPauseInfo().GetManual().GetIdentity() != "you" {
		t.Errorf("paused in back-off: %v", a)
	}

	_, err = e.api.UnpauseActivityExecution(ctx, &workflowservice.UnpauseActivityExecutionRequest{Namespace: "ns", WorkflowId: "w", ActivityId: "other"})
	must(err)
	_, err = e.api.ResetActivityExecution(ctx, &workflowservice.ResetActivityExecutionRequest{Namespace: "ns", WorkflowId: "w", ActivityId: "runs", KeepPaused: true})
	must(err)
	_, err = e.api.UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{Namespace: "ns", Execution: testExecution,
		Activity: &workflowservice.UnpauseActivityRequest_Id{Id: "waits"}, Jitter: durationpb.New(time.Hour)})
	must(err)
	all = pending()
	if a := all["other"]; a.GetPaused() || a.GetPauseInfo() != nil || a.GetAttempt() != 2 || a.GetScheduledTime().GetSeconds() != 1000 {
		t.Errorf("unpaused: %v", a)
	}
	if a := all["runs"]; a.GetAttempt() != 1 || a.GetState() != enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED {
		t.Errorf("reset, kept paused: %v", a)
	}
	if at := all["waits"].GetScheduledTime().GetSeconds(); at < 1000 || at >= 4600 {
		t.Errorf("unpaused with jitter: due at %d", at)
	}

	options := &activitypb.ActivityOptions{StartToCloseTimeout: durationpb.New(44 * time.Second), RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 9}}
	updated, err := e.api.UpdateActivityOptions(ctx, &workflowservice.UpdateActivityOptionsRequest{Namespace: "ns", Execution: testExecution,
		Activity: &workflowservice.UpdateActivityOptionsRequest_MatchAll{MatchAll: true}, ActivityOptions: options,
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"startToCloseTimeout"}}})
	must(err)
	one, err := e.api.UpdateActivityExecutionOptions(ctx, &workflowservice.UpdateActivityExecutionOptionsRequest{Namespace: "ns", WorkflowId: "w", ActivityId: "runs",
		ActivityOptions: options, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"retry_policy.maximum_attempts"}}})
	must(err)
	all = pending()
	for id, a := range all {
		o := a.GetActivityOptions()
		if o.GetStartToCloseTimeout().GetSeconds() != 44 || len(o.GetRetryPolicy().GetNonRetryableErrorTypes()) > 0 {
			t.Errorf("%s: options %v", id, o)
		}
	}
	if !proto.Equal(updated.GetActivityOptions(), all["waits"].GetActivityOptions()) {
		t.Errorf("updated to %v", updated)
	}
	if o := one.GetActivityOptions(); o.GetRetryPolicy().GetMaximumAttempts() != 9 || !proto.Equal(o, all["runs"].GetActivityOptions()) {
		t.Errorf("updated one to %v", o)
	}
	_, err = e.api.ResetActivity(ctx, &workflowservice.ResetActivityRequest{Namespace: "ns", Execution: testExecution, Activity: &workflowservice.ResetActivityRequest_MatchAll{MatchAll: true}})
	must(err)
	for id, a := range pending() {
		if a.GetAttempt() != 1 || a.GetPaused() {
			t.Errorf("%s after a reset of all: %v", id, a)
		}
	}
}
