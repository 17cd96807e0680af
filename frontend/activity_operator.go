package frontend

import (
	"context"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/workflow"
)

// This file lets operators pause, unpause and reset the activities of a workflow
// and change their options (activity.md 9). Each call comes in two forms: the
// older names one activity, those of a type, or all of a workflow; the newer
// (...ActivityExecution) names one, and without a workflow means one that stands
// alone (standalone.go).

// withID, ofType and everyOne are the three ways to select; the second result
// says whether the request meant it.
func ofType(name string) (workflow.ActivitySelection, bool) {
	return workflow.ActivitySelection{Type: name}, name != ""
}

func withID(id string) (workflow.ActivitySelection, bool) {
	return workflow.ActivitySelection{ID: id}, id != ""
}

func everyOne(all bool) (workflow.ActivitySelection, bool) {
	return workflow.ActivitySelection{}, all
}

// operation is what the calls of this file have in common.
type operation struct {
	execution *commonpb.WorkflowExecution
	which     workflow.ActivitySelection
	// selects: which says something.
	selects             bool
	identity, requestID string
	reason              string
	jitter              *durationpb.Duration
}

// checkOperation is AT-160, as far as it needs no state.
func (f *Frontend) checkOperation(o operation) error {
	return firstError(
		func() error { return f.checkWorkflowID(o.execution.GetWorkflowId()) },
		func() error { return checkRunID(o.execution.GetRunId()) },
		func() error {
			if !o.selects {
				return invalid("Either Activity.Id or Activity.Type should be set on request.")
			}
			return firstError(
				func() error { return f.tooLong(o.which.ID, "ActivityId length exceeds limit.") },
				func() error { return f.tooLong(o.which.Type, "ActivityType length exceeds limit.") },
			)
		},
		func() error { return f.checkIdentity(o.identity) },
		func() error { return f.checkRequestID(o.requestID) },
		func() error {
			if len(o.reason) > f.limits.BlobBytes {
				return invalid("reason exceeds length limit")
			}
			return nil
		},
		func() error { return checkJitter(o.jitter) },
	)
}

// operate has an operator's input carried out, once the call has been checked.
func operate[R any](ctx context.Context, f *Frontend, o operation, in engine.Input) (R, error) {
	if err := f.checkOperation(o); err != nil {
		var none R
		return none, err
	}
	return do[R](ctx, f, executionID(ctx, o.execution.GetWorkflowId()), o.execution.GetRunId(), in)
}

// PauseActivity is AT-161.
func (f *Frontend) PauseActivity(ctx context.Context, r *workflowservice.PauseActivityRequest) (*workflowservice.PauseActivityResponse, error) {
	o := operation{execution: r.GetExecution(), identity: r.GetIdentity(), requestID: r.GetRequestId(), reason: r.GetReason()}
	switch a := r.GetActivity().(type) {
	case *workflowservice.PauseActivityRequest_Id:
		o.which, o.selects = withID(a.Id)
	case *workflowservice.PauseActivityRequest_Type:
		o.which, o.selects = ofType(a.Type)
	}
	return operate[*workflowservice.PauseActivityResponse](ctx, f, o, &workflow.PauseActivity{
		Which: o.which, Identity: r.GetIdentity(), Reason: r.GetReason(), RequestID: r.GetRequestId(),
	})
}

// UnpauseActivity is AT-162.
func (f *Frontend) UnpauseActivity(ctx context.Context, r *workflowservice.UnpauseActivityRequest) (*workflowservice.UnpauseActivityResponse, error) {
	o := operation{execution: r.GetExecution(), identity: r.GetIdentity(), jitter: r.GetJitter()}
	switch a := r.GetActivity().(type) {
	case *workflowservice.UnpauseActivityRequest_Id:
		o.which, o.selects = withID(a.Id)
	case *workflowservice.UnpauseActivityRequest_Type:
		o.which, o.selects = ofType(a.Type)
	case *workflowservice.UnpauseActivityRequest_UnpauseAll:
		o.which, o.selects = everyOne(a.UnpauseAll)
	}
	return operate[*workflowservice.UnpauseActivityResponse](ctx, f, o, &workflow.UnpauseActivity{
		Which: o.which, Unpause: activity.Unpause{
			ResetAttempts: r.GetResetAttempts(), ResetHeartbeat: r.GetResetHeartbeat(), Jitter: duration.Of(r.GetJitter()),
		},
	})
}

// ResetActivity is AT-163 to AT-165.
func (f *Frontend) ResetActivity(ctx context.Context, r *workflowservice.ResetActivityRequest) (*workflowservice.ResetActivityResponse, error) {
	o := operation{execution: r.GetExecution(), identity: r.GetIdentity(), jitter: r.GetJitter()}
	switch a := r.GetActivity().(type) {
	case *workflowservice.ResetActivityRequest_Id:
		o.which, o.selects = withID(a.Id)
	case *workflowservice.ResetActivityRequest_Type:
		o.which, o.selects = ofType(a.Type)
	case *workflowservice.ResetActivityRequest_MatchAll:
		o.which, o.selects = everyOne(a.MatchAll)
	}
	return operate[*workflowservice.ResetActivityResponse](ctx, f, o, &workflow.ResetActivity{
		Which: o.which, ResetHeartbeat: r.GetResetHeartbeat(), KeepPaused: r.GetKeepPaused(),
		Jitter: duration.Of(r.GetJitter()), RestoreOriginal: r.GetRestoreOriginalOptions(),
	})
}

// UpdateActivityOptions is AT-166 and AT-167.
func (f *Frontend) UpdateActivityOptions(ctx context.Context, r *workflowservice.UpdateActivityOptionsRequest) (*workflowservice.UpdateActivityOptionsResponse, error) {
	o := operation{execution: r.GetExecution(), identity: r.GetIdentity()}
	switch a := r.GetActivity().(type) {
	case *workflowservice.UpdateActivityOptionsRequest_Id:
		o.which, o.selects = withID(a.Id)
	case *workflowservice.UpdateActivityOptionsRequest_Type:
		o.which, o.selects = ofType(a.Type)
	case *workflowservice.UpdateActivityOptionsRequest_MatchAll:
		o.which, o.selects = everyOne(a.MatchAll)
	}
	options, err := f.setOptions(ctx, o, r)
	if err != nil {
		return nil, err
	}
	return &workflowservice.UpdateActivityOptionsResponse{ActivityOptions: options}, nil
}

// optionsChange is what both forms of the update say.
type optionsChange interface {
	GetActivityOptions() *activitypb.ActivityOptions
	GetUpdateMask() *fieldmaskpb.FieldMask
	GetRestoreOriginal() bool
}

func (f *Frontend) setOptions(ctx context.Context, o operation, r optionsChange) (*activitypb.ActivityOptions, error) {
	err := firstError(
		func() error { return f.checkOperation(o) },
		func() error { return checkChange(r) },
	)
	if err != nil {
		return nil, err
	}
	options, err := operate[*activity.Options](ctx, f, o, &workflow.UpdateActivityOptions{
		Which: o.which, RestoreOriginal: r.GetRestoreOriginal(),
		Patch: activity.Patch{Options: r.GetActivityOptions(), Paths: r.GetUpdateMask().GetPaths()},
	})
	if err != nil {
		return nil, err
	}
	return activityOptions(options), nil
}

// checkChange is the head of AT-166.
func checkChange(r optionsChange) error {
	switch {
	case r.GetRestoreOriginal() && r.GetUpdateMask() != nil:
		return invalid("Both UpdateMask and RestoreOriginal are provided")
	case r.GetRestoreOriginal():
		return nil
	case r.GetActivityOptions() == nil:
		return invalid("ActivityOptions are not provided")
	case r.GetUpdateMask() == nil:
		return invalid("UpdateMask is not provided")
	}
	return nil
}

// ofWorkflow is a request of the newer form.
type ofWorkflow interface {
	GetWorkflowId() string
	GetRunId() string
	GetActivityId() string
	GetIdentity() string
	GetRequestId() string
}

// operationOn is the operation of a request in the newer form (AT-169).
func operationOn(r ofWorkflow) operation {
	o := operation{
		execution: &commonpb.WorkflowExecution{WorkflowId: r.GetWorkflowId(), RunId: r.GetRunId()},
		identity:  r.GetIdentity(), requestID: r.GetRequestId(),
	}
	o.which, o.selects = withID(r.GetActivityId())
	return o
}

// PauseActivityExecution is PauseActivity for one activity, and AX-41.
func (f *Frontend) PauseActivityExecution(ctx context.Context, r *workflowservice.PauseActivityExecutionRequest) (*workflowservice.PauseActivityExecutionResponse, error) {
	if r.GetWorkflowId() == "" {
		return f.pauseStandalone(ctx, r)
	}
	o := operationOn(r)
	o.reason = r.GetReason()
	_, err := operate[*workflowservice.PauseActivityResponse](ctx, f, o, &workflow.PauseActivity{
		Which: o.which, Identity: r.GetIdentity(), Reason: r.GetReason(), RequestID: r.GetRequestId(),
	})
	return &workflowservice.PauseActivityExecutionResponse{}, err
}

// UnpauseActivityExecution is UnpauseActivity for one activity, and AX-41.
func (f *Frontend) UnpauseActivityExecution(ctx context.Context, r *workflowservice.UnpauseActivityExecutionRequest) (*workflowservice.UnpauseActivityExecutionResponse, error) {
	if r.GetWorkflowId() == "" {
		return f.unpauseStandalone(ctx, r)
	}
	o := operationOn(r)
	o.jitter, o.reason = r.GetJitter(), r.GetReason()
	_, err := operate[*workflowservice.UnpauseActivityResponse](ctx, f, o, &workflow.UnpauseActivity{
		Which: o.which, Unpause: activity.Unpause{Jitter: duration.Of(r.GetJitter())},
	})
	return &workflowservice.UnpauseActivityExecutionResponse{}, err
}

// ResetActivityExecution is ResetActivity for one activity, and AX-43.
func (f *Frontend) ResetActivityExecution(ctx context.Context, r *workflowservice.ResetActivityExecutionRequest) (*workflowservice.ResetActivityExecutionResponse, error) {
	if r.GetWorkflowId() == "" {
		return f.resetStandalone(ctx, r)
	}
	o := operationOn(r)
	o.jitter = r.GetJitter()
	_, err := operate[*workflowservice.ResetActivityResponse](ctx, f, o, &workflow.ResetActivity{
		Which: o.which, ResetHeartbeat: r.GetResetHeartbeat(), KeepPaused: r.GetKeepPaused(),
		Jitter: duration.Of(r.GetJitter()), RestoreOriginal: r.GetRestoreOriginalOptions(),
	})
	return &workflowservice.ResetActivityExecutionResponse{}, err
}

// UpdateActivityExecutionOptions is UpdateActivityOptions for one activity, and
// AX-45.
func (f *Frontend) UpdateActivityExecutionOptions(ctx context.Context, r *workflowservice.UpdateActivityExecutionOptionsRequest) (*workflowservice.UpdateActivityExecutionOptionsResponse, error) {
	if r.GetWorkflowId() == "" {
		return f.updateStandalone(ctx, r)
	}
	options, err := f.setOptions(ctx, operationOn(r), r)
	if err != nil {
		return nil, err
	}
	return &workflowservice.UpdateActivityExecutionOptionsResponse{ActivityOptions: options}, nil
}
