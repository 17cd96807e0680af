package frontend

import (
	"context"
	"errors"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
)

// This file lets clients of the namespaces named in Options.TimeSkipping have the
// time of their workflows skipped, for tests (workflow.md 8.3).

// errTimeSkipping answers whoever asks for it elsewhere.
var errTimeSkipping = serviceerror.NewUnimplemented("The Time-Skipping feature is not enabled for namespace.")

func (f *Frontend) skipsTime(ctx context.Context) bool {
	return slices.Contains(f.timeSkipping, namespaceOf(ctx).Name)
}

// checkTimeSkipping is row 21 of workflow.md 1.1.
func (f *Frontend) checkTimeSkipping(ctx context.Context, c *commonpb.TimeSkippingConfig) error {
	if c != nil && !f.skipsTime(ctx) {
		return errTimeSkipping
	}
	return workflow.CheckSkipping(c, f.limits)
}

// PollWorkflowExecutionTimeSkipping waits until a fast-forward is complete, or
// cannot be any more. It follows the chain of runs when no run is named.
func (f *Frontend) PollWorkflowExecutionTimeSkipping(ctx context.Context, r *workflowservice.PollWorkflowExecutionTimeSkippingRequest) (*workflowservice.PollWorkflowExecutionTimeSkippingResponse, error) {
	e := r.GetWorkflowExecution()
	err := firstError(
		func() error {
			if !f.skipsTime(ctx) {
				return errTimeSkipping
			}
			return nil
		},
		func() error { return f.checkExecution(e) },
		func() error {
			if r.GetFastForwardId() == "" {
				return invalid("FastForwardId is not set on request.")
			}
			return nil
		},
	)
	if err != nil {
		return nil, err
	}
	place, err := f.waiting.enter(namespaceOf(ctx).ID)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	timeOver := f.waiting.over(ctx, historyPollTime)
	var seen *workflow.Run
	read := func(run *workflow.Run) { seen = snapshot(run) }
	over := func(run *workflow.Run) bool {
		result, _ := forwarded(run, r.GetFastForwardId())
		return result != 0 || !run.Open()
	}
	id := executionID(ctx, e.GetWorkflowId())
	for late := false; ; {
		if err := f.executions.View(ctx, id, e.GetRunId(), read); err != nil {
			return nil, err
		}
		if !over(seen) {
			err := f.executions.Follow(ctx, timeOver, seen.Key, over, read)
			if late = errors.Is(err, shard.ErrOver); err != nil && !late {
				return nil, err
			}
		}
		// A run that goes on in another one is not the end of it.
		goesOn := !seen.Open() && seen.Info.NewRunID != "" && e.GetRunId() == ""
		if result, reason := forwarded(seen, r.GetFastForwardId()); !goesOn || result != 0 || late {
			return forwardAnswer(seen, result, reason), nil
		}
	}
}

func forwardAnswer(run *workflow.Run, result enumspb.FastForwardPollingResult, reason string) *workflowservice.PollWorkflowExecutionTimeSkippingResponse {
	switch {
	case result != 0:
	case !run.Open():
		result, reason = enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED, "the execution ended before the fast-forward completed"
	default:
		result = enumspb.FAST_FORWARD_POLLING_RESULT_POLL_TIMEOUT
	}
	return &workflowservice.PollWorkflowExecutionTimeSkippingResponse{
		FastForwardPollingResult: result, FailedReason: reason, FastForwardInfo: forwardInfo(run.Info.Skipping),
	}
}

// forwarded says what has become of a fast-forward as far as that is decided while
// the run is open; zero when it is not.
func forwarded(run *workflow.Run, id string) (enumspb.FastForwardPollingResult, string) {
	s := run.Info.Skipping
	switch {
	case s == nil || s.Config.GetFastForwardConfig().GetId() != id:
		return enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED, "the fast_forward_id is not that of the execution's current fast-forward"
	case s.Reached:
		return enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED, ""
	}
	return 0, ""
}

// timeSkippingInfo describes the time of a run, at the server's time now; nil for a
// run that lives in it.
func timeSkippingInfo(run *workflow.Run, now time.Time) *commonpb.TimeSkippingInfo {
	s := run.Info.Skipping
	if s == nil {
		return nil
	}
	return &commonpb.TimeSkippingInfo{
		CurrentTime: timestamp(run.OwnTime(now)), EffectiveConfig: s.Effective(), FastForwardInfo: forwardInfo(s), CurrentSessionSkipCount: s.Count,
	}
}

func forwardInfo(s *workflow.Skipping) *commonpb.TimeSkippingFastForwardInfo {
	if s == nil || s.Target.IsZero() {
		return nil
	}
	config := s.Config.GetFastForwardConfig()
	return &commonpb.TimeSkippingFastForwardInfo{
		FastForwardDuration: durationpb.New(duration.Of(config.GetDuration())), FastForwardId: config.GetId(),
		TargetTime: timestamp(s.Target), HasCompleted: s.Reached,
	}
}
