package frontend

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/standalone"
)

// This file lets clients start activities that stand alone, and control them
// (activity.md 11). What reads them is in standalone_read.go; their workers use
// the same calls as those of activities in workflows.

// StartActivityExecution starts an activity, or answers by the id policies
// (AX-4).
func (f *Frontend) StartActivityExecution(ctx context.Context, r *workflowservice.StartActivityExecutionRequest) (*workflowservice.StartActivityExecutionResponse, error) {
	if err := f.prepareActivityStart(ctx, r); err != nil {
		return nil, err
	}
	// The outcome is awaited even if the caller leaves: it may hold a task that
	// must then be taken back.
	started, err := do[*standalone.StartedExecution](context.WithoutCancel(ctx), f, activityExecutionID(ctx, r.GetActivityId()), "",
		&standalone.StartExecution{Request: r, Poller: f.poller(ctx, r.GetIdentity(), r.GetRequestId())})
	if err != nil {
		return nil, err
	}
	resp := &workflowservice.StartActivityExecutionResponse{RunId: started.RunID, Started: started.Started, Link: started.Link}
	if t := started.EagerTask; t != nil {
		if ctx.Err() == nil {
			resp.EagerActivityTask = standaloneTask(t)
		} else { // the activity has started all the same
			f.abort(ctx, t.Run, &standalone.AbortAttempt{Stamp: t.Activity.Stamp})
		}
	}
	return resp, nil
}

// ofActivity is a request about one standalone activity.
type ofActivity interface {
	GetActivityId() string
	GetRunId() string
}

// checkActivity is for requests that name a standalone activity (AX-20).
func (f *Frontend) checkActivity(r ofActivity) error {
	if r.GetActivityId() == "" {
		return invalid("activity ID is required")
	}
	if err := f.checkLength("activity ID", r.GetActivityId()); err != nil {
		return err
	}
	if checkRunID(r.GetRunId()) != nil {
		return invalid("invalid run id: must be a valid UUID")
	}
	return nil
}

// activityCommand is a request to do something to a standalone activity.
type activityCommand interface {
	ofActivity
	GetIdentity() string
	GetRequestId() string
}

// checkCommand checks what such requests have in common; reason is theirs, if
// they have one.
func (f *Frontend) checkCommand(r activityCommand, reason string) error {
	return firstError(
		func() error { return f.checkActivity(r) },
		func() error { return f.checkLength("request ID", r.GetRequestId()) },
		func() error { return f.checkLength("identity", r.GetIdentity()) },
		func() error {
			if len(reason) > f.limits.BlobBytes {
				return invalid("reason exceeds length limit")
			}
			return nil
		},
	)
}

// command has an input carried out that a checked request asks for.
func command[R any](ctx context.Context, f *Frontend, r ofActivity, in standalone.Input) (R, error) {
	return do[R](ctx, f, activityExecutionID(ctx, r.GetActivityId()), r.GetRunId(), in)
}

// RequestCancelActivityExecution is AX-30.
func (f *Frontend) RequestCancelActivityExecution(ctx context.Context, r *workflowservice.RequestCancelActivityExecutionRequest) (*workflowservice.RequestCancelActivityExecutionResponse, error) {
	if err := f.checkCommand(r, r.GetReason()); err != nil {
		return nil, err
	}
	return command[*workflowservice.RequestCancelActivityExecutionResponse](ctx, f, r, &standalone.RequestCancel{Request: r})
}

// TerminateActivityExecution is AX-32.
func (f *Frontend) TerminateActivityExecution(ctx context.Context, r *workflowservice.TerminateActivityExecutionRequest) (*workflowservice.TerminateActivityExecutionResponse, error) {
	if err := f.checkCommand(r, r.GetReason()); err != nil {
		return nil, err
	}
	return command[*workflowservice.TerminateActivityExecutionResponse](ctx, f, r, &standalone.Terminate{Request: r})
}

// DeleteActivityExecution is AX-33.
func (f *Frontend) DeleteActivityExecution(ctx context.Context, r *workflowservice.DeleteActivityExecutionRequest) (*workflowservice.DeleteActivityExecutionResponse, error) {
	if err := f.checkActivity(r); err != nil {
		return nil, err
	}
	return command[*workflowservice.DeleteActivityExecutionResponse](ctx, f, r, &standalone.Delete{})
}

// pauseStandalone, unpauseStandalone, resetStandalone and updateStandalone are
// the operators' calls without a workflow (AX-41 to AX-45).
func (f *Frontend) pauseStandalone(ctx context.Context, r *workflowservice.PauseActivityExecutionRequest) (*workflowservice.PauseActivityExecutionResponse, error) {
	if err := f.checkCommand(r, r.GetReason()); err != nil {
		return nil, err
	}
	return command[*workflowservice.PauseActivityExecutionResponse](ctx, f, r, &standalone.Pause{Request: r})
}

func (f *Frontend) unpauseStandalone(ctx context.Context, r *workflowservice.UnpauseActivityExecutionRequest) (*workflowservice.UnpauseActivityExecutionResponse, error) {
	err := firstError(
		func() error { return f.checkCommand(r, r.GetReason()) },
		func() error { return checkJitter(r.GetJitter()) },
	)
	if err != nil {
		return nil, err
	}
	return command[*workflowservice.UnpauseActivityExecutionResponse](ctx, f, r, &standalone.Unpause{Request: r})
}

func (f *Frontend) resetStandalone(ctx context.Context, r *workflowservice.ResetActivityExecutionRequest) (*workflowservice.ResetActivityExecutionResponse, error) {
	err := firstError(
		func() error { return f.checkCommand(r, "") },
		func() error { return checkJitter(r.GetJitter()) },
	)
	if err != nil {
		return nil, err
	}
	return command[*workflowservice.ResetActivityExecutionResponse](ctx, f, r, &standalone.Reset{Request: r})
}

func (f *Frontend) updateStandalone(ctx context.Context, r *workflowservice.UpdateActivityExecutionOptionsRequest) (*workflowservice.UpdateActivityExecutionOptionsResponse, error) {
	if err := f.checkCommand(r, ""); err != nil {
		return nil, err
	}
	options, err := command[*activity.Options](ctx, f, r, &standalone.UpdateOptions{Request: r})
	if err != nil {
		return nil, err
	}
	return &workflowservice.UpdateActivityExecutionOptionsResponse{ActivityOptions: standaloneOptions(options)}, nil
}

func checkJitter(d *durationpb.Duration) error {
	if err := duration.Check(d); err != nil {
		return invalidf("Jitter is not a valid duration: %v", err)
	}
	return nil
}
