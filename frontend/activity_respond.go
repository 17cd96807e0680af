package frontend

import (
	"context"

	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/workflow"
)

// This file takes the answers and heartbeats of activities (activity.md 3.3,
// 3.4, 6), by the token of one attempt or by the activity's id. What is too
// large is not refused here: the machine records it as a failure (AT-80).

// activityTarget is who an answer is for.
type activityTarget struct {
	id    engine.ID
	runID string
	ref   workflow.ActivityRef
}

// byToken is the target of a request with a task token.
func (f *Frontend) byToken(ctx context.Context, b []byte, identity string) (activityTarget, error) {
	t, err := openActivityToken(b)
	if err == nil && t.Run.NamespaceID != namespaceOf(ctx).ID {
		err = errForeignToken
	}
	if err == nil {
		err = f.checkIdentity(identity)
	}
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
// alone; those are not built yet.
func (f *Frontend) byID(ctx context.Context, r activityByID) (activityTarget, error) {
	err := firstError(
		func() error {
			if r.GetActivityId() == "" {
				return invalid("ActivityId is not set on request.")
			}
			return f.tooLong(r.GetActivityId(), "ActivityId length exceeds limit.")
		},
		func() error { return f.checkWorkflowID(r.GetWorkflowId()) },
		func() error { return checkRunID(r.GetRunId()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
	)
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
	return do[*workflowservice.RecordActivityTaskHeartbeatResponse](ctx, f, t.id, t.runID,
		&workflow.HeartbeatActivity{Ref: t.ref, Details: r.GetDetails(), Identity: r.GetIdentity()})
}

// RecordActivityTaskHeartbeatById is AT-126.
func (f *Frontend) RecordActivityTaskHeartbeatById(ctx context.Context, r *workflowservice.RecordActivityTaskHeartbeatByIdRequest) (*workflowservice.RecordActivityTaskHeartbeatByIdResponse, error) {
	t, err := f.byID(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := do[*workflowservice.RecordActivityTaskHeartbeatResponse](ctx, f, t.id, t.runID,
		&workflow.HeartbeatActivity{Ref: t.ref, Details: r.GetDetails(), Identity: r.GetIdentity()})
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
	return do[*workflowservice.RespondActivityTaskCompletedResponse](ctx, f, t.id, t.runID,
		&workflow.CompleteActivity{Ref: t.ref, Result: r.GetResult(), Identity: r.GetIdentity()})
}

// RespondActivityTaskCompletedById ends an activity from anywhere, started or
// not (AT-43).
func (f *Frontend) RespondActivityTaskCompletedById(ctx context.Context, r *workflowservice.RespondActivityTaskCompletedByIdRequest) (*workflowservice.RespondActivityTaskCompletedByIdResponse, error) {
	t, err := f.byID(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = do[*workflowservice.RespondActivityTaskCompletedResponse](ctx, f, t.id, t.runID,
		&workflow.CompleteActivity{Ref: t.ref, Result: r.GetResult(), Identity: r.GetIdentity()})
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
	return do[*workflowservice.RespondActivityTaskFailedResponse](ctx, f, t.id, t.runID, &workflow.FailActivity{
		Ref: t.ref, Failure: r.GetFailure(), HeartbeatDetails: r.GetLastHeartbeatDetails(), Identity: r.GetIdentity(),
		Cause: r.GetCause(),
	})
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
	resp, err := do[*workflowservice.RespondActivityTaskFailedResponse](ctx, f, t.id, t.runID, &workflow.FailActivity{
		Ref: t.ref, Failure: r.GetFailure(), HeartbeatDetails: r.GetLastHeartbeatDetails(), Identity: r.GetIdentity(),
		Cause: r.GetCause(),
	})
	return &workflowservice.RespondActivityTaskFailedByIdResponse{Failures: resp.GetFailures()}, err
}

// RespondActivityTaskCanceled reports that the activity accepted its cancellation.
func (f *Frontend) RespondActivityTaskCanceled(ctx context.Context, r *workflowservice.RespondActivityTaskCanceledRequest) (*workflowservice.RespondActivityTaskCanceledResponse, error) {
	t, err := f.byToken(ctx, r.GetTaskToken(), r.GetIdentity())
	if err != nil {
		return nil, err
	}
	return do[*workflowservice.RespondActivityTaskCanceledResponse](ctx, f, t.id, t.runID,
		&workflow.CancelActivity{Ref: t.ref, Details: r.GetDetails(), Identity: r.GetIdentity()})
}

// RespondActivityTaskCanceledById is RespondActivityTaskCanceled from anywhere.
func (f *Frontend) RespondActivityTaskCanceledById(ctx context.Context, r *workflowservice.RespondActivityTaskCanceledByIdRequest) (*workflowservice.RespondActivityTaskCanceledByIdResponse, error) {
	t, err := f.byID(ctx, r)
	if err != nil {
		return nil, err
	}
	_, err = do[*workflowservice.RespondActivityTaskCanceledResponse](ctx, f, t.id, t.runID,
		&workflow.CancelActivity{Ref: t.ref, Details: r.GetDetails(), Identity: r.GetIdentity()})
	return &workflowservice.RespondActivityTaskCanceledByIdResponse{}, err
}
