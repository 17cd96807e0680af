package frontend

import (
	"testing"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// TestStandaloneRefusals is what the machine refuses, by its code and text on the
// wire: AX-2, AX-10, AX-11, AX-30, AX-32, AX-41, AX-44, AX-45. Each row begins
// with an activity of its own, to which before does something.
func TestStandaloneRefusals(t *testing.T) {
	type rows = []struct {
		name   string
		before func(*testing.T, *edge)
		then   refusal
	}
	const (
		bad    = codes.InvalidArgument
		failed = codes.FailedPrecondition
		gone   = codes.NotFound
	)
	scheduled := func(t *testing.T, e *edge) { e.withStandalone(t, nothing) }
	started := func(t *testing.T, e *edge) { scheduled(t, e); e.token = e.polled(t).GetTaskToken() }
	after := func(before func(*testing.T, *edge), requests ...any) func(*testing.T, *edge) {
		return func(t *testing.T, e *edge) {
			before(t, e)
			for _, r := range requests {
				e.send(t, r)
			}
		}
	}
	cancel := &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RequestId: "c1"}
	terminate := &workflowservice.TerminateActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RequestId: "t1"}
	pause := &workflowservice.PauseActivityExecutionRequest{Namespace: "ns", ActivityId: "a"}
	unpause := &workflowservice.UnpauseActivityExecutionRequest{Namespace: "ns", ActivityId: "a"}
	reset := &workflowservice.ResetActivityExecutionRequest{Namespace: "ns", ActivityId: "a"}
	restore := &workflowservice.ResetActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RestoreOriginalOptions: true}
	update := func(o *activitypb.ActivityOptions, paths ...string) *workflowservice.UpdateActivityExecutionOptionsRequest {
		return &workflowservice.UpdateActivityExecutionOptionsRequest{Namespace: "ns", ActivityId: "a", ActivityOptions: o, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}}
	}
	hour := &activitypb.ActivityOptions{StartToCloseTimeout: durationpb.New(time.Hour), StartDelay: durationpb.New(time.Hour)}
	both := update(hour, "start_to_close_timeout")
	both.RestoreOriginal = true
	completed := &workflowservice.RespondActivityTaskCompletedByIdRequest{Namespace: "ns", ActivityId: "a"}
	start := func(change func(*activityStart)) refusal {
		return refusal{method: "StartActivityExecution", req: activityStartRequest(change), code: bad}
	}
	with := func(r refusal, text string) refusal { r.text = text; return r }
	nobody := func(*testing.T, *edge) {}
	negative := durationpb.New(-1)
	for _, row := range (rows{
		{"no type", nobody, with(start(func(r *activityStart) { r.ActivityType = nil }), "activityType is not set")},
		{"a long type", nobody, with(start(func(r *activityStart) { r.ActivityType.Name = long }), "activityType exceeds length limit. Length=1001 Limit=1000")},
		{"no queue", nobody, with(start(func(r *activityStart) { r.TaskQueue = nil }), "taskQueue is not set")},
		{"an empty queue", nobody, with(start(func(r *activityStart) { r.TaskQueue.Name = "" }), "missing task queue name")},
		{"a long queue", nobody, with(start(func(r *activityStart) { r.TaskQueue.Name = long }), "taskQueue length exceeds limit")},
		{"a reserved queue", nobody, with(start(func(r *activityStart) { r.TaskQueue.Name = "/_sys/q" }), "task queue name cannot start with reserved prefix /_sys/")},
		{"an internal queue", nobody, with(start(func(r *activityStart) { r.TaskQueue.Name = "temporal-sys-per-ns-tq" }), "cannot use internal per-namespace task queue:temporal-sys-per-ns-tq")},
		{"a bad timeout", nobody, with(start(func(r *activityStart) { r.ScheduleToCloseTimeout = negative }), "invalid ScheduleToCloseTimeout: negative duration")},
		{"a bad timeout", nobody, with(start(func(r *activityStart) { r.ScheduleToStartTimeout = negative }), "invalid ScheduleToStartTimeout: negative duration")},
		{"a bad timeout", nobody, with(start(func(r *activityStart) { r.StartToCloseTimeout = negative }), "invalid StartToCloseTimeout: negative duration")},
		{"a bad timeout", nobody, with(start(func(r *activityStart) { r.HeartbeatTimeout = &durationpb.Duration{Seconds: 1, Nanos: -1} }), "invalid HeartbeatTimeout: duration has seconds and nanos with different signs")},
		{"a bad delay", nobody, with(start(func(r *activityStart) { r.StartDelay = negative }), "invalid StartDelay: negative duration")},
		{"no timeout", nobody, with(start(func(r *activityStart) { r.StartToCloseTimeout = nil }), "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity.")},
		{"a bad interval", nobody, with(start(func(r *activityStart) { r.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: negative} }), "invalid InitialInterval set on retry policy: negative duration")},
		{"a bad coefficient", nobody, with(start(func(r *activityStart) { r.RetryPolicy = &commonpb.RetryPolicy{BackoffCoefficient: 0.5} }), "BackoffCoefficient cannot be less than 1 on retry policy.")},
		{"a bad maximum", nobody, with(start(func(r *activityStart) { r.RetryPolicy = &commonpb.RetryPolicy{MaximumInterval: durationpb.New(1)} }), "MaximumInterval cannot be less than InitialInterval on retry policy.")},
		{"negative attempts", nobody, with(start(func(r *activityStart) { r.RetryPolicy = &commonpb.RetryPolicy{MaximumAttempts: -1} }), "MaximumAttempts cannot be negative on retry policy.")},
		{"a bad timeout type", nobody, with(start(func(r *activityStart) {
			r.RetryPolicy = &commonpb.RetryPolicy{NonRetryableErrorTypes: []string{"TemporalTimeout:Never"}}
		}), "Invalid timeout type value: Never.")},
		{"a bad priority", nobody, with(start(func(r *activityStart) { r.Priority = &commonpb.Priority{PriorityKey: -1} }), "invalid priorities: priority key can't be negative")},
		{"a long fairness key", nobody, with(start(func(r *activityStart) { r.Priority = &commonpb.Priority{FairnessKey: long} }), "invalid priorities: fairness key length exceeds limit")},
		{"a negative weight", nobody, with(start(func(r *activityStart) { r.Priority = &commonpb.Priority{FairnessWeight: -1} }), "invalid priorities: must be greater than zero")},

		{"the id is taken", scheduled, refusal{method: "StartActivityExecution", req: activityStartRequest(nothing), code: codes.AlreadyExists, text: "activity execution already started"}},
		{"the id was used", after(scheduled, completed), refusal{method: "StartActivityExecution", req: activityStartRequest(func(r *activityStart) {
			r.IdReusePolicy = enumspb.ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE
		}), code: codes.AlreadyExists, text: "activity execution already started"}},
		{"the id was used with success", after(scheduled, completed), refusal{method: "StartActivityExecution", req: activityStartRequest(func(r *activityStart) {
			r.IdReusePolicy = enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
		}), code: codes.AlreadyExists, text: "activity execution already started"}},

		{"a second cancellation", after(started, cancel), refusal{method: "RequestCancelActivityExecution", req: &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RequestId: "c2"}, code: failed, text: "cancellation already requested with request ID c1"}},
		{"cancel, completed", after(scheduled, completed), refusal{method: "RequestCancelActivityExecution", req: cancel, code: failed, text: "activity is in terminal state Completed"}},
		{"cancel, unknown", nobody, refusal{method: "RequestCancelActivityExecution", req: cancel, code: gone, text: "activity not found for ID: a"}},
		{"a second termination", after(scheduled, terminate), refusal{method: "TerminateActivityExecution", req: &workflowservice.TerminateActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RequestId: "t2"}, code: failed, text: "already terminated with request ID t1"}},
		{"terminate, canceled", after(scheduled, cancel), refusal{method: "TerminateActivityExecution", req: terminate, code: failed, text: "invalid transition from Canceled"}},
		{"terminate, unknown", nobody, refusal{method: "TerminateActivityExecution", req: terminate, code: gone, text: "activity not found for ID: a"}},
		{"delete, unknown", nobody, refusal{method: "DeleteActivityExecution", req: &workflowservice.DeleteActivityExecutionRequest{Namespace: "ns", ActivityId: "a"}, code: gone, text: "activity not found for ID: a"}},

		{"pause twice", after(scheduled, pause), refusal{method: "PauseActivityExecution", req: pause, code: failed, text: "activity is in non-pausable state Paused"}},
		{"pause a canceled one", after(started, cancel), refusal{method: "PauseActivityExecution", req: pause, code: failed, text: "activity is in non-pausable state CancelRequested"}},
		{"pause, unknown", nobody, refusal{method: "PauseActivityExecution", req: pause, code: gone, text: "activity not found for ID: a"}},
		{"unpause what runs", started, refusal{method: "UnpauseActivityExecution", req: unpause, code: failed, text: "activity is in non-unpausable state Started"}},
		{"unpause, terminated", after(scheduled, terminate), refusal{method: "UnpauseActivityExecution", req: unpause, code: failed, text: "activity is in terminal state Terminated"}},
		{"reset, canceled", after(started, cancel), refusal{method: "ResetActivityExecution", req: reset, code: failed, text: "cannot reset an activity with a pending cancellation"}},
		{"reset twice", after(started, reset), refusal{method: "ResetActivityExecution", req: reset, code: failed, text: "cannot reset an activity with a pending reset"}},
		{"reset, completed", after(scheduled, completed), refusal{method: "ResetActivityExecution", req: reset, code: failed, text: "activity execution is not running"}},
		{"an unknown path", scheduled, refusal{method: "UpdateActivityExecutionOptions", req: update(hour, "color"), code: bad, text: `unsupported update_mask path: "color"`}},
		{"no path", scheduled, refusal{method: "UpdateActivityExecutionOptions", req: update(hour), code: bad, text: "UpdateMask must specify at least one path"}},
		{"a mask and restore", scheduled, refusal{method: "UpdateActivityExecutionOptions", req: both, code: bad, text: "Both UpdateMask and RestoreOriginal are provided"}},
		{"update, canceled", after(started, cancel), refusal{method: "UpdateActivityExecutionOptions", req: update(hour, "start_to_close_timeout"), code: failed, text: "Cannot update options for activity in state CancelRequested"}},
		{"update, reset", after(started, reset), refusal{method: "UpdateActivityExecutionOptions", req: update(hour, "start_to_close_timeout"), code: failed, text: "Cannot update options for activity in state ResetRequested"}},
		{"update, to be restored", after(started, restore), refusal{method: "UpdateActivityExecutionOptions", req: update(hour, "start_to_close_timeout"), code: failed, text: "cannot update options while a deferred Reset(RestoreOriginalOptions) is pending"}},
		{"update the delay", started, refusal{method: "UpdateActivityExecutionOptions", req: update(hour, "start_delay"), code: failed, text: "cannot update start_delay: the first activity attempt has already been dispatched"}},

		{"complete by id, completed", after(scheduled, completed), refusal{method: "RespondActivityTaskCompletedById", req: completed, code: failed, text: "invalid transition from Completed"}},
		{"heartbeat by id, not started", scheduled, refusal{method: "RecordActivityTaskHeartbeatById", req: &workflowservice.RecordActivityTaskHeartbeatByIdRequest{Namespace: "ns", ActivityId: "a"}, code: gone, text: "activity not found for ID: a"}},
		{"fail by id, not started", scheduled, refusal{method: "RespondActivityTaskFailedById", req: &workflowservice.RespondActivityTaskFailedByIdRequest{Namespace: "ns", ActivityId: "a"}, code: gone, text: "activity not found for ID: a"}},
		{"cancel by id, not started", scheduled, refusal{method: "RespondActivityTaskCanceledById", req: &workflowservice.RespondActivityTaskCanceledByIdRequest{Namespace: "ns", ActivityId: "a"}, code: gone, text: "activity not found for ID: a"}},
		{"complete by id, unknown", nobody, refusal{method: "RespondActivityTaskCompletedById", req: completed, code: gone, text: "activity not found for ID: a"}},
		{"canceled, not requested", started, refusal{method: "RespondActivityTaskCanceledById", req: &workflowservice.RespondActivityTaskCanceledByIdRequest{Namespace: "ns", ActivityId: "a"}, code: bad, text: "unable to mark activity as canceled without activity being request canceled first"}},
	}) {
		e := newEdge(t)
		row.before(t, e)
		row.then.name = row.name
		check(t, e, row.then)
	}
	e := newEdge(t)
	started(t, e)
	e.send(t, terminate)
	for _, c := range []refusal{ // a token whose activity has ended
		{"terminated", "RecordActivityTaskHeartbeat", &workflowservice.RecordActivityTaskHeartbeatRequest{TaskToken: e.token}, gone, "activity not found for ID: a"},
		{"terminated", "RespondActivityTaskCompleted", &workflowservice.RespondActivityTaskCompletedRequest{TaskToken: e.token}, gone, "activity not found for ID: a"},
		{"terminated", "RespondActivityTaskFailed", &workflowservice.RespondActivityTaskFailedRequest{TaskToken: e.token}, gone, "activity not found for ID: a"},
		{"terminated", "RespondActivityTaskCanceled", &workflowservice.RespondActivityTaskCanceledRequest{TaskToken: e.token}, gone, "activity not found for ID: a"},
	} {
		check(t, e, c)
	}
}

// send makes a call that must succeed.
func (e *edge) send(t *testing.T, request any) {
	t.Helper()
	var err error
	switch r := request.(type) {
	case *workflowservice.RequestCancelActivityExecutionRequest:
		_, err = e.api.RequestCancelActivityExecution(t.Context(), r)
	case *workflowservice.TerminateActivityExecutionRequest:
		_, err = e.api.TerminateActivityExecution(t.Context(), r)
	case *workflowservice.PauseActivityExecutionRequest:
		_, err = e.api.PauseActivityExecution(t.Context(), r)
	case *workflowservice.ResetActivityExecutionRequest:
		_, err = e.api.ResetActivityExecution(t.Context(), r)
	case *workflowservice.RespondActivityTaskCompletedByIdRequest:
		_, err = e.api.RespondActivityTaskCompletedById(t.Context(), r)
	}
	if err != nil {
		t.Fatalf("%T: %v", request, err)
	}
}
