//go:build e2e

package e2e

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// What clients and operators do to activities that stand alone (spec activity.md
// 11.5 and 11.6), as the code and its starter see it.

// up and accept.
func TestStandaloneCancellationReachesTheActivity(t *testing.T) {
	cleaned := make(chan struct{}, 1)
	ctx, s := begin(t, alone(func(ctx context.Context) error {
		err := beatUntilDone(ctx)
		if !temporal.IsCanceledError(context.Cause(ctx)) {
			return err
		}
		cleaned <- struct{}{}
		return ctx.Err()
	}))
	h := s.run(ctx, func(o *client.StartActivityOptions) { o.HeartbeatTimeout = 20 * time.Second })
	s.describedUntil(ctx, h, running)
	s.must(h.Cancel(ctx, client.CancelActivityOptions{Reason: "changed my mind"}))
	var canceled *temporal.CanceledError
	if err := h.Get(ctx, nil); !errors.As(err, &canceled) || len(cleaned) != 1 {
		t.Errorf("%v, cleaned up %d times", err, len(cleaned))
	}
	d := s.describedUntil(ctx, h, func(*client.ActivityExecutionDescription) bool { return true })
	if d.Status != enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED || d.CanceledReason != "changed my mind" {
		t.Errorf("%v because of %q", d.Status, d.CanceledReason)
	}
}

// Row 14b, standing alone: the code may ignore the request.
func TestStandaloneCancellationIgnored(t *testing.T) {
	ctx, s := begin(t, alone(func(ctx context.Context) (string, error) {
		_ = beatUntilDone(ctx)
		return "finished all the same", nil
	}))
	h := s.run(ctx, func(o *client.StartActivityOptions) { o.HeartbeatTimeout = 20 * time.Second })
	s.describedUntil(ctx, h, running)
	s.must(h.Cancel(ctx, client.CancelActivityOptions{}))
	var got string
	if err := h.Get(ctx, &got); err != nil || got != "finished all the same" {
		t.Errorf("%q, %v", got, err)
	}
}

// repetition of the first is not.
func TestStandaloneCancellationIsRequestedOnce(t *testing.T) {
	var heard atomic.Int32
	release := make(chan struct{})
	ctx, s := begin(t, alone(func(ctx context.Context) error {
		_ = beatUntilDone(ctx)
		heard.Add(1)
		<-release // it takes its time
		return errors.New("could not clean up")
	}))
	h := s.run(ctx, func(o *client.StartActivityOptions) { o.HeartbeatTimeout, o.RetryPolicy = 20*time.Second, retries(1) })
	s.describedUntil(ctx, h, running)
	cancel := func(requestID string) error {
		_, err := s.api().RequestCancelActivityExecution(ctx, &workflowservice.RequestCancelActivityExecutionRequest{
			Namespace: "default", ActivityId: t.Name(), RequestId: requestID})
		return err
	}
	s.must(cancel("first"))
	s.must(cancel("first"))
	var refused *serviceerror.FailedPrecondition
	if err := cancel("second"); !errors.As(err, &refused) || !strings.Contains(err.Error(), "cancellation already requested with request ID first") {
		t.Errorf("a second request: %v", err)
	}
	close(release)
	_ = h.Get(ctx, nil)
	if n := heard.Load(); n != 1 {
		t.Errorf("heard %d times", n)
	}
	d := s.describedUntil(ctx, h, func(*client.ActivityExecutionDescription) bool { return true })
	if d.Status != enumspb.ACTIVITY_EXECUTION_STATUS_FAILED || d.RawResponse.GetOutcome().GetRetryState() != enumspb.RETRY_STATE_CANCEL_REQUESTED {
		t.Errorf("%v", d.RawResponse)
	}
	s.must(cancel("first")) // also when it is over
}

// AX-32: terminated, it is over at once, and the worker's code is stopped.
func TestTerminateAStandaloneActivity(t *testing.T) {
	stopped := make(chan struct{}, 1)
	ctx, s := begin(t, alone(func(ctx context.Context) error {
		err := beatUntilDone(ctx)
		stopped <- struct{}{}
		return err
	}))
	h := s.run(ctx, func(o *client.StartActivityOptions) { o.HeartbeatTimeout = 20 * time.Second })
	s.describedUntil(ctx, h, running)
	s.must(h.Terminate(ctx, client.TerminateActivityOptions{Reason: "enough"}))
	var terminated *temporal.TerminatedError
	if err := h.Get(ctx, nil); !errors.As(err, &terminated) {
		t.Errorf("%v", err)
	}
	select {
	case <-stopped:
	case <-ctx.Done():
		t.Error("the code went on")
	}
	d := s.describedUntil(ctx, h, func(*client.ActivityExecutionDescription) bool { return true })
	if f := d.RawResponse.GetOutcome().GetFailure(); d.Status != enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED || f.GetMessage() != "enough" {
		t.Errorf("%v", d.RawResponse)
	}
}

// AX-33: deleted, it is gone from descriptions and lists.
func TestDeleteAStandaloneActivity(t *testing.T) {
	ctx, s := begin(t, alone(func(context.Context) error { return nil }))
	done := s.run(ctx, asIs)
	s.must(done.Get(ctx, nil))
	open := s.run(ctx, func(o *client.StartActivityOptions) { o.ID += "-open"; o.TaskQueue += "-nobody" })
	for _, h := range []client.ActivityHandle{done, open} {
		_, err := s.api().DeleteActivityExecution(ctx, &workflowservice.DeleteActivityExecutionRequest{Namespace: "default", ActivityId: h.GetID()})
		s.must(err)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			_, err := h.Describe(ctx, client.DescribeActivityOptions{})
			var missing *serviceerror.NotFound
			if errors.As(err, &missing) {
				break
			}
			s.must(err)
			<-tick.C
		}
	}
	count, err := s.client.CountActivities(ctx, client.CountActivitiesOptions{Query: "ActivityId STARTS_WITH '" + t.Name() + "'"})
	if err != nil || count.Count != 0 {
		t.Errorf("%+v, %v", count, err)
	}
}

// AX-4: id policies.
func TestStandaloneIDPolicies(t *testing.T) {
	ctx, s := begin(t, alone(func(_ context.Context, fail bool) error {
		if fail {
			return temporal.NewNonRetryableApplicationError("as asked", "Asked", nil)
		}
		return nil
	}))
	start := func(o client.StartActivityOptions, fail bool) (client.ActivityHandle, error) {
		o.ID, o.StartToCloseTimeout = t.Name(), 30*time.Second
		if o.TaskQueue == "" {
			o.TaskQueue = s.queue
		}
		return s.client.ExecuteActivity(ctx, o, "act", fail)
	}
	var taken *serviceerror.ActivityExecutionAlreadyStarted
	waits, err := start(client.StartActivityOptions{TaskQueue: t.Name() + "-nobody"}, false)
	s.must(err)
	if _, err := start(client.StartActivityOptions{}, false); !errors.As(err, &taken) {
		t.Errorf("while it runs: %v", err)
	}
	same, err := start(client.StartActivityOptions{ActivityIDConflictPolicy: enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING}, false)
	if err != nil || same.GetRunID() != waits.GetRunID() {
		t.Errorf("use existing: %v, %v", same, err)
	}
	s.must(waits.Terminate(ctx, client.TerminateActivityOptions{Reason: "served"}))
	failed, err := start(client.StartActivityOptions{ActivityIDReusePolicy: enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY}, true)
	s.must(err)
	if err := failed.Get(ctx, nil); err == nil {
		t.Error("it succeeded")
	}
	good, err := start(client.StartActivityOptions{ActivityIDReusePolicy: enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY}, false)
	s.must(err)
	s.must(good.Get(ctx, nil))
	for _, policy := range []enumspb.ActivityIdReusePolicy{enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, enumspb.ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE} {
		if _, err := start(client.StartActivityOptions{ActivityIDReusePolicy: policy}, false); !errors.As(err, &taken) {
			t.Errorf("%s: %v", policy, err)
		}
	}
	again, err := start(client.StartActivityOptions{}, false)
	s.must(err)
	s.must(again.Get(ctx, nil))
	// A workflow may have the same id: they are different name spaces.
	count, err := s.client.CountActivities(ctx, client.CountActivitiesOptions{Query: "ActivityId = '" + t.Name() + "'"})
	if err != nil || count.Count != 4 {
		t.Errorf("%+v, %v", count, err)
	}
}

// AX-41: paused, it is not attempted; the running attempt hears of it.
func TestPauseAStandaloneActivity(t *testing.T) {
	causes := make(chan error, 10)
	ctx, s := begin(t, alone(func(ctx context.Context) (int32, error) {
		if n := activity.GetInfo(ctx).Attempt; n > 1 {
			return n, nil
		}
		err := beatUntilDone(ctx)
		causes <- context.Cause(ctx)
		return 0, err
	}))
	h := s.run(ctx, func(o *client.StartActivityOptions) { o.HeartbeatTimeout = 20 * time.Second })
	s.describedUntil(ctx, h, running)
	s.must(h.Pause(ctx, client.PauseActivityOptions{Reason: "maintenance"}))
	d := s.describedUntil(ctx, h, func(d *client.ActivityExecutionDescription) bool {
		return d.RunState == enumspb.PENDING_ACTIVITY_STATE_PAUSED
	})
	if d.Attempt != 2 || d.Status != enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED {
		t.Errorf("paused before attempt %d, %v", d.Attempt, d.Status)
	}
	if cause := <-causes; !errors.Is(cause, activity.ErrActivityPaused) {
		t.Errorf("the activity was stopped by %v", cause)
	}
	count, err := s.client.CountActivities(ctx, client.CountActivitiesOptions{Query: "ExecutionStatus = 'Paused' AND ActivityId = '" + t.Name() + "'"})
	if err != nil || count.Count != 1 {
		t.Errorf("%+v, %v", count, err)
	}
	s.must(h.Unpause(ctx, client.UnpauseActivityOptions{Reason: "done"}))
	var attempt int
	if err := h.Get(ctx, &attempt); err != nil || attempt != 2 {
		t.Errorf("done in attempt %d, %v", attempt, err)
	}
}

// AX-43: the running attempt hears of the reset, and the next is the first again.
func TestResetAStandaloneActivity(t *testing.T) {
	causes := make(chan error, 10)
	ctx, s := begin(t, alone(func(ctx context.Context) (int32, error) {
		switch n := activity.GetInfo(ctx).Attempt; {
		case len(causes) > 0: // the attempt after the one that was reset
			if activity.HasHeartbeatDetails(ctx) {
				return 0, temporal.NewNonRetryableApplicationError("it has details", "Bug", nil)
			}
			return n, nil
		case n < 3:
			return 0, errors.New("stumbled")
		}
		err := beatUntilDone(ctx)
		causes <- context.Cause(ctx)
		return 0, err
	}))
	h := s.run(ctx, func(o *client.StartActivityOptions) { o.HeartbeatTimeout = 20 * time.Second })
	s.describedUntil(ctx, h, func(d *client.ActivityExecutionDescription) bool { return d.Attempt == 3 && running(d) })
	_, err := s.api().ResetActivityExecution(ctx, &workflowservice.ResetActivityExecutionRequest{
		Namespace: "default", ActivityId: t.Name(), ResetHeartbeat: true})
	s.must(err)
	var attempt int
	if err := h.Get(ctx, &attempt); err != nil || attempt != 1 {
		t.Errorf("done in attempt %d, %v", attempt, err)
	}
	if cause := <-causes; !errors.Is(cause, activity.ErrActivityReset) {
		t.Errorf("the activity was stopped by %v", cause)
	}
}

// AX-45: new options show and are in force; the old ones can be had back.
func TestUpdateStandaloneOptions(t *testing.T) {
	var attempts atomic.Int32
	ctx, s := begin(t, alone(func(ctx context.Context) (string, error) {
		if attempts.Add(1) == 1 {
			return "", errors.New("stumbled")
		}
		info := activity.GetInfo(ctx)
		return info.Deadline.Sub(info.StartedTime).Round(time.Second).String(), nil
	}))
	h := s.run(ctx, func(o *client.StartActivityOptions) {
		o.RetryPolicy = &temporal.RetryPolicy{InitialInterval: time.Hour, MaximumInterval: time.Hour}
	})
	s.describedUntil(ctx, h, func(d *client.ActivityExecutionDescription) bool { return d.Attempt == 2 })
	limit := 44 * time.Second
	o, err := h.UpdateOptions(ctx, client.ActivityOptionsUpdate{StartToCloseTimeout: &client.ActivityOptionChange[time.Duration]{Value: &limit}})
	if err != nil || o.StartToCloseTimeout != limit || o.TaskQueue != s.queue {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = h.RestoreOriginalOptions(ctx); err != nil || o.StartToCloseTimeout != 30*time.Second {
		t.Errorf("%+v, %v", o, err)
	}
	policy := temporal.RetryPolicy{InitialInterval: time.Millisecond, BackoffCoefficient: 1, MaximumInterval: time.Hour}
	_, err = h.UpdateOptions(ctx, client.ActivityOptionsUpdate{
		StartToCloseTimeout: &client.ActivityOptionChange[time.Duration]{Value: &limit},
		RetryPolicy:         &client.ActivityOptionChange[temporal.RetryPolicy]{Value: &policy},
	})
	s.must(err)
	var got string
	if err := h.Get(ctx, &got); err != nil || got != "44s" {
		t.Errorf("the second attempt had %q, %v", got, err)
	}
}
