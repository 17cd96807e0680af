package frontend

import (
	"context"
	"errors"
	"maps"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/shard"
)

// activityPollTime is how long a call waits for a standalone activity (AX-24).
const activityPollTime = 60 * time.Second

// DescribeActivityExecution tells how an activity is, at once or when it is no
// longer as the token says (AX-20 to AX-24).
func (f *Frontend) DescribeActivityExecution(ctx context.Context, r *workflowservice.DescribeActivityExecutionRequest) (*workflowservice.DescribeActivityExecutionResponse, error) {
	seen, err := f.openActivityWait(ctx, r)
	if err != nil {
		return nil, err
	}
	run, err := f.viewActivity(ctx, r)
	if err != nil {
		return nil, err
	}
	if seen != nil && run.Open() && run.Info.Transitions == seen.Transitions {
		if run, err = f.awaitActivity(ctx, run.Key, func(run *standalone.Run) bool { return run.Info.Transitions != seen.Transitions }); err != nil {
			return nil, err
		}
		if run == nil {
			return &workflowservice.DescribeActivityExecutionResponse{}, nil
		}
	}
	return describeActivity(run, r, f.clock.Now()), nil
}

// describeActivity is the answer about a run, with what the request asks for.
func describeActivity(run *standalone.Run, r *workflowservice.DescribeActivityExecutionRequest, now time.Time) *workflowservice.DescribeActivityExecutionResponse {
	resp := &workflowservice.DescribeActivityExecutionResponse{
		RunId: run.Key.RunID, Info: activityInfo(run, now),
		LongPollToken: sealActivityWait(activityWait{Run: run.Key, Transitions: run.Info.Transitions}),
	}
	resp.Callbacks = activityCallbacks(run)
	if r.GetIncludeInput() {
		resp.Input = run.Start.Input
	}
	if r.GetIncludeOutcome() {
		resp.Outcome = run.Outcome
	}
	if r.GetIncludeHeartbeatDetails() {
		resp.Info.HeartbeatDetails = run.Activity.HeartbeatDetails
	}
	if r.GetIncludeLastFailure() {
		resp.Info.LastFailure = run.Activity.LastFailure
	}
	return resp
}

// activityWait is the state a description shows, to be given back by who waits
// for another.
type activityWait struct {
	Run engine.RunKey
	// Transitions counts the changes of the run so far.
	Transitions int64
}

func (f *tokenFields) activityWait(w *activityWait) {
	f.run(&w.Run)
	f.integer(&w.Transitions)
}

func sealActivityWait(w activityWait) []byte {
	f := writeToken(tokenActivityWait)
	f.activityWait(&w)
	return f.seal()
}

// openActivityWait reads the token of a description that is to be waited on; nil
// without one.
func (f *Frontend) openActivityWait(ctx context.Context, r *workflowservice.DescribeActivityExecutionRequest) (*activityWait, error) {
	if err := f.checkActivity(r); err != nil {
		return nil, err
	}
	if len(r.GetLongPollToken()) == 0 {
		return nil, nil
	}
	if r.GetRunId() == "" {
		return nil, invalid("run id is required when long poll token is provided")
	}
	var w activityWait
	fields := readToken(tokenActivityWait, r.GetLongPollToken())
	fields.activityWait(&w)
	if !fields.complete() {
		return nil, invalid("invalid long poll token")
	}
	if w.Run != (engine.RunKey{ID: activityExecutionID(ctx, r.GetActivityId()), RunID: r.GetRunId()}) {
		return nil, invalid("long poll token does not match execution")
	}
	return &w, nil
}

// PollActivityExecution waits for the outcome of an activity (AX-23).
func (f *Frontend) PollActivityExecution(ctx context.Context, r *workflowservice.PollActivityExecutionRequest) (*workflowservice.PollActivityExecutionResponse, error) {
	if err := f.checkActivity(r); err != nil {
		return nil, err
	}
	key := engine.RunKey{ID: activityExecutionID(ctx, r.GetActivityId()), RunID: r.GetRunId()}
	if key.RunID == "" { // the current one, and that alone from now on
		run, err := f.viewActivity(ctx, r)
		if err != nil {
			return nil, err
		}
		key = run.Key
	}
	run, err := f.awaitActivity(ctx, key, func(run *standalone.Run) bool { return !run.Open() })
	if err != nil {
		return nil, err
	}
	if run == nil {
		return &workflowservice.PollActivityExecutionResponse{}, nil
	}
	return &workflowservice.PollActivityExecutionResponse{
		RunId: run.Key.RunID, Outcome: run.Outcome, PropagatedNexusSerializationContext: run.Start.NexusContext,
	}, nil
}

// viewActivity reads the run a request names.
func (f *Frontend) viewActivity(ctx context.Context, r ofActivity) (*standalone.Run, error) {
	return f.viewStandalone(ctx, activityExecutionID(ctx, r.GetActivityId()), r.GetRunId())
}

func (f *Frontend) viewStandalone(ctx context.Context, id engine.ID, runID string) (seen *standalone.Run, err error) {
	err = f.executions.ViewActivity(ctx, id, runID, func(run *standalone.Run) { seen = stillOf(run) })
	return seen, err
}

// stillOf is a copy of the run as it is now. Its parts are values, which are
// replaced and never changed.
func stillOf(run *standalone.Run) *standalone.Run {
	seen := *run
	seen.Callbacks = maps.Clone(run.Callbacks)
	return &seen
}

// awaitActivity waits until the run is as wanted, or closed; nil when that takes
// too long.
func (f *Frontend) awaitActivity(ctx context.Context, key engine.RunKey, wanted func(*standalone.Run) bool) (*standalone.Run, error) {
	place, err := f.waiting.enter(key.NamespaceID)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	var later *standalone.Run
	err = f.executions.FollowActivity(ctx, f.waiting.over(ctx, activityPollTime), key, wanted, func(run *standalone.Run) { later = stillOf(run) })
	switch {
	case errors.Is(err, shard.ErrOver):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return later, nil
}
