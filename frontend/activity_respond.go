package frontend

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// This file takes the answers and heartbeats of activities (activity.md 3.3,
// 3.4, 6), by the token of one attempt or by the activity's id. What is too
// large is not refused here: the machine records it as a failure (AT-80).

// activityTarget is who an answer is for: an activity of a workflow, named by
// ref, or the one that is the execution, whose attempt has the stamp.
type activityTarget struct {
	id    engine.ID
	runID string
	ref   workflow.ActivityRef
	stamp int64
}

// alone reports whether the activity stands alone.
func (t *activityTarget) alone() bool { return t.id.Archetype == engine.ArchetypeActivity }

// heartbeat, complete, fail and cancel are the inputs of a worker's calls.
func (t *activityTarget) heartbeat(details *commonpb.Payloads, identity string) engine.Input {
	if t.alone() {
		return &standalone.Heartbeat{Stamp: t.stamp, Details: details, Identity: identity}
	}
	return &workflow.HeartbeatActivity{Ref: t.ref, Details: details, Identity: identity}
}

func (t *activityTarget) complete(result *commonpb.Payloads, identity string) engine.Input {
	if t.alone() {
		return &standalone.Complete{Stamp: t.stamp, Result: result, Identity: identity}
	}
	return &workflow.CompleteActivity{Ref: t.ref, Result: result, Identity: identity}
}

// failedAttempt is what both forms of a worker's failure say.
type failedAttempt interface {
	GetFailure() *failurepb.Failure
	GetLastHeartbeatDetails() *commonpb.Payloads
	GetIdentity() string
	GetCause() enumspb.ActivityTaskFailedCause
}

func (t *activityTarget) fail(r failedAttempt) engine.Input {
	if t.alone() {
		return &standalone.Fail{
			Stamp: t.stamp, Failure: r.GetFailure(), HeartbeatDetails: r.GetLastHeartbeatDetails(), Identity: r.GetIdentity(),
		}
	}
	return &workflow.FailActivity{
		Ref: t.ref, Failure: r.GetFailure(), HeartbeatDetails: r.GetLastHeartbeatDetails(), Identity: r.GetIdentity(),
		Cause: r.GetCause(),
	}
}

func (t *activityTarget) cancel(details *commonpb.Payloads, identity string) engine.Input {
	if t.alone() {
		return &standalone.Cancel{Stamp: t.stamp, Details: details, Identity: identity}
	}
	return &workflow.CancelActivity{Ref: t.ref, Details: details, Identity: identity}
}

// byToken is the target of a request with a task token.
func (f *Frontend) byToken(ctx context.Context, b []byte, identity string) (activityTarget, error) {
	t, err := targetOf(b)
	if err == nil && t.id.NamespaceID != namespaceOf(ctx).ID {
		err = errForeignToken
	}
	if err == nil {
		err = f.checkIdentity(identity)
	}
	return t, err
}

// targetOf reads the task token of an activity, in a workflow or alone.
func targetOf(b []byte) (activityTarget, error) {
	if t, err := openAttemptToken(b); err == nil {
		return activityTarget{id: t.Run.ID, runID: t.Run.RunID, stamp: t.Stamp}, nil
	}
	t, err := openActivityToken(b)
	return activityTarget{id: t.Run.ID, runID: t.Run.RunID, ref: workflow.ActivityRef{Token: &t}}, err
}

// activityByID is a request that names an activity by its id.
type activityByID interface {
	GetWorkflowId() string
	GetRunId() string
	GetActivityId() string
	GetIdentity() string
}

// byID is the target of a ...ById request. An activity without a workflow stands
// alone (AX-11).
func (f *Frontend) byID(ctx context.Context, r activityByID) (activityTarget, error) {
	err := firstError(
		func() error {
			if r.GetActivityId() == "" {
				return invalid("ActivityId is not set on request.")
			}
			return f.tooLong(r.GetActivityId(), "ActivityId length exceeds limit.")
		},
		func() error {
			if r.GetWorkflowId() == "" {
				return nil
			}
			return f.checkWorkflowID(r.GetWorkflowId())
		},
		func() error { return checkRunID(r.GetRunId()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
	)
	if r.GetWorkflowId() == "" {
		return activityTarget{id: activityExecutionID(ctx, r.GetActivityId()), runID: r.GetRunId(), stamp: activity.ByID}, err
	}
	return activityTarget{
		id: executionID(ctx, r.GetWorkflowId()), runID: r.GetRunId(), ref: workflow.ActivityRef{ID: r.GetActivityId()},
	}, err
}

// RecordActivityTaskHeartbeat is AT-120 to AT-123.
func (f *Frontend) RecordActivityTaskHeartbeat(ctx context.Context, r *workflowservice.RecordActivityTaskHeartbeatRequest) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	t, err := f.byToken(ctx, r.GetTaskToken(), r.GetIdentity())
	if err != nil {
		return nil, err
	}
	return do[*workflowservice.RecordActivityTaskHeartbeatResponse](ctx, f, t.id, t.runID, t.heartbeat(r.GetDetails(), r.GetIdentity()))
}

// RecordActivityTaskHeartbeatById is AT-126.
func (f *Frontend) RecordActivityTaskHeartbeatById(ctx context.Context, r *workflowservice.RecordActivityTaskHeartbeatByIdRequest) (*workflowservice.RecordActivityTaskHeartbeatByIdResponse, error) {
	t, err := f.byID(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := do[*workflowservice.RecordActivityTaskHeartbeatResponse](ctx, f, t.id, t.runID, t.heartbeat(r.GetDetails(), r.GetIdentity()))
	if err != nil {
		return nil, err
	}
	return &workflowservice.RecordActivityTaskHeartbeatByIdResponse{
		CancelRequested: resp.GetCancelRequested(), ActivityPaused: resp.GetActivityPaused(), ActivityReset: resp.GetActivityReset(),
	}, nil
}

// RespondActivityTaskCompleted ends an activity with a result.
func (f *Frontend) RespondActivityTaskCompleted(ctx context.Context, r *workflowservice.RespondActivityTaskCompletedRequest) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	t, err := f.byToken(ctx, r.GetTaskToken(), r.GetIdentity())
	if err != nil {
		return nil, err
	}
	return do[*workflowservice.RespondActivityTaskCompletedResponse](ctx, f, t.id, t.runID, t.complete(r.GetResult(), r.GetIdentity()))
}

// RespondActivityTaskCompletedById ends an activity from anywhere, started or
// not (AT-43).
func (f *Frontend) RespondActivityTaskCompletedById(ctx context.Context, r *workflowservice.RespondActivityTaskCompletedByIdRequest) (*workflowservice.RespondActivityTaskCompletedByIdResponse, error) {
	t, err := f.byID(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = do[*workflowservice.RespondActivityTaskCompletedResponse](ctx, f, t.id, t.runID, t.complete(r.GetResult(), r.GetIdentity()))
	return &workflowservice.RespondActivityTaskCompletedByIdResponse{}, err
}

// RespondActivityTaskFailed reports a failed attempt.
func (f *Frontend) RespondActivityTaskFailed(ctx context.Context, r *workflowservice.RespondActivityTaskFailedRequest) (*workflowservice.RespondActivityTaskFailedResponse, error) {
	t, err := f.byToken(ctx, r.GetTaskToken(), r.GetIdentity())
	if err == nil && r.GetFailure() != nil && r.GetFailure().GetApplicationFailureInfo() == nil {
		err = invalid("Failure must have ApplicationFailureInfo.") // AT-81
	}
	if err == nil {
		err = checkRetryDelay(r.GetFailure())
	}
	if err != nil {
		return nil, err
	}
	return do[*workflowservice.RespondActivityTaskFailedResponse](ctx, f, t.id, t.runID, t.fail(r))
}

// checkRetryDelay is AT-82.
func checkRetryDelay(failure *failurepb.Failure) error {
	if err := duration.Check(failure.GetApplicationFailureInfo().GetNextRetryDelay()); err != nil {
		return invalidf("NextRetryDelay is not a valid duration: %v", err)
	}
	return nil
}

// RespondActivityTaskFailedById is RespondActivityTaskFailed from anywhere; the
// kind of failure is not checked (AT-81).
func (f *Frontend) RespondActivityTaskFailedById(ctx context.Context, r *workflowservice.RespondActivityTaskFailedByIdRequest) (*workflowservice.RespondActivityTaskFailedByIdResponse, error) {
	t, err := f.byID(ctx, r)
	if err == nil {
		err = checkRetryDelay(r.GetFailure())
	}
	if err != nil {
		return nil, err
	}
	resp, err := do[*workflowservice.RespondActivityTaskFailedResponse](ctx, f, t.id, t.runID, t.fail(r))
	return &workflowservice.RespondActivityTaskFailedByIdResponse{Failures: resp.GetFailures()}, err
}

// RespondActivityTaskCanceled reports that the activity accepted its cancellation.
func (f *Frontend) RespondActivityTaskCanceled(ctx context.Context, r *workflowservice.RespondActivityTaskCanceledRequest) (*workflowservice.RespondActivityTaskCanceledResponse, error) {
	t, err := f.byToken(ctx, r.GetTaskToken(), r.GetIdentity())
	if err != nil {
		return nil, err
	}
	return do[*workflowservice.RespondActivityTaskCanceledResponse](ctx, f, t.id, t.runID, t.cancel(r.GetDetails(), r.GetIdentity()))
}

// RespondActivityTaskCanceledById is RespondActivityTaskCanceled from anywhere.
func (f *Frontend) RespondActivityTaskCanceledById(ctx context.Context, r *workflowservice.RespondActivityTaskCanceledByIdRequest) (*workflowservice.RespondActivityTaskCanceledByIdResponse, error) {
	t, err := f.byID(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = do[*workflowservice.RespondActivityTaskCanceledResponse](ctx, f, t.id, t.runID, t.cancel(r.GetDetails(), r.GetIdentity()))
	return &workflowservice.RespondActivityTaskCanceledByIdResponse{}, err
}
