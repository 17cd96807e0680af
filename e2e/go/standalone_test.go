//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/perdure/perdure/e2e/harness"
)

// Activities that stand alone (spec activity.md 11), through the stock SDK.

// alone registers an activity under the name "act".
func alone(act any) func(worker.Registry) {
	return func(r worker.Registry) {
		r.RegisterActivityWithOptions(act, activity.RegisterOptions{Name: "act"})
	}
}

// run starts "act" under the test's name as its id.
func (s *suite) run(ctx context.Context, change func(*client.StartActivityOptions), args ...any) client.ActivityHandle {
	s.Helper()
	o := client.StartActivityOptions{ID: s.Name(), TaskQueue: s.queue, StartToCloseTimeout: 30 * time.Second, RetryPolicy: retries(0)}
	change(&o)
	h, err := s.client.ExecuteActivity(ctx, o, "act", args...)
	if err != nil {
		s.Fatal(err)
	}
	return h
}

func asIs(*client.StartActivityOptions) {}

// describedUntil waits until the activity is as wanted.
func (s *suite) describedUntil(ctx context.Context, h client.ActivityHandle, wanted func(*client.ActivityExecutionDescription) bool) *client.ActivityExecutionDescription {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last *client.ActivityExecutionDescription
	for {
		d, err := h.Describe(ctx, client.DescribeActivityOptions{IncludeHeartbeatDetails: true, IncludeLastFailure: true, IncludeOutcome: true})
		if err != nil {
			s.Fatalf("%v; last seen as %v", err, last)
		}
		if last = d; wanted(d) {
			return d
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.Fatalf("the activity was last seen as %v", last.RawResponse)
		}
	}
}

// running reports whether an attempt has reported. The SDK gives absent times as
// those of 1970.
func running(d *client.ActivityExecutionDescription) bool {
	return d.RawResponse.GetInfo().GetLastHeartbeatTime() != nil
}

// AX-5, AX-21, AX-25: started, its result awaited, described, listed, counted.
func TestStandaloneActivity(t *testing.T) {
	ctx, s := begin(t, alone(func(ctx context.Context, name string) (string, error) {
		info := activity.GetInfo(ctx)
		if info.ActivityID != t.Name() || info.ActivityRunID == "" || info.WorkflowExecution.ID != "" || info.Attempt != 1 {
			return "", temporal.NewNonRetryableApplicationError(fmt.Sprintf("told %+v", info), "Bug", nil)
		}
		return "hello " + name, nil
	}))
	color := temporal.NewSearchAttributeKeyKeyword("Color")
	h := s.run(ctx, func(o *client.StartActivityOptions) {
		o.TypedSearchAttributes = temporal.NewSearchAttributes(color.ValueSet("standalone-blue"))
		o.Summary, o.StaticDetails = "a greeting", "said once"
	}, "you")
	var got string
	if err := h.Get(ctx, &got); err != nil || got != "hello you" {
		t.Fatalf("%q, %v", got, err)
	}
	d, err := h.Describe(ctx, client.DescribeActivityOptions{IncludeInput: true, IncludeOutcome: true})
	s.must(err)
	summary, err := d.GetSummary()
	if err != nil || summary != "a greeting" || d.Status != enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED || d.ActivityID != t.Name() ||
		d.ActivityRunID != h.GetRunID() || d.ActivityType != "act" || d.TaskQueue != s.queue || d.Attempt != 1 || d.RawResponse.GetInfo().GetCloseTime() == nil ||
		d.StartToCloseTimeout != 30*time.Second || d.LastWorkerIdentity == "" || d.RawResponse.GetInfo().GetSdkName() != "temporal-go" {
		t.Errorf("%q, %v: %+v", summary, err, d)
	}
	if v, ok := d.TypedSearchAttributes.GetKeyword(color); !ok || v != "standalone-blue" {
		t.Errorf("attributes %v", d.TypedSearchAttributes)
	}
	var input string
	if err := d.GetInput(&input); err != nil || input != "you" {
		t.Errorf("input %q, %v", input, err)
	}
	list, err := s.client.ListActivities(ctx, client.ListActivitiesOptions{Query: "ActivityType = 'act' AND Color = 'standalone-blue' AND ExecutionStatus = 'Completed'"})
	s.must(err)
	n := 0
	for info, err := range list.Results {
		s.must(err)
		if n++; info.ActivityID != t.Name() || info.ActivityRunID != h.GetRunID() || info.Status != enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED || info.ExecutionDuration <= 0 {
			t.Errorf("listed as %+v", info)
		}
	}
	count, err := s.client.CountActivities(ctx, client.CountActivitiesOptions{Query: "ActivityId = '" + t.Name() + "' GROUP BY ExecutionStatus"})
	if err != nil || n != 1 || count.Count != 1 || len(count.Groups) != 1 || fmt.Sprint(count.Groups[0].GroupValues) != "[Completed]" {
		t.Errorf("listed %d, counted %+v, %v", n, count, err)
	}
	// Lists of workflows do not show it.
	workflows, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: "Color = 'standalone-blue'"})
	if err != nil || workflows.GetCount() != 0 {
		t.Errorf("%v workflows, %v", workflows.GetCount(), err)
	}
}

// AT-41 standing alone: failed attempts are followed by others, told apart by
// their number, with what the one before has reported.
func TestStandaloneRetries(t *testing.T) {
	ctx, s := begin(t, alone(func(ctx context.Context) (string, error) {
		var before int32
		n := activity.GetInfo(ctx).Attempt
		if activity.HasHeartbeatDetails(ctx) {
			s := activity.GetHeartbeatDetails(ctx, &before)
			if s != nil {
				return "", s
			}
		}
		activity.RecordHeartbeat(ctx, n)
		if n < 3 {
			return "", temporal.NewApplicationError("not yet", "NotYet")
		}
		return fmt.Sprintf("attempt %d after %d", n, before), nil
	}))
	h := s.run(ctx, asIs)
	var got string
	if err := h.Get(ctx, &got); err != nil || got != "attempt 3 after 2" {
		t.Errorf("%q, %v", got, err)
	}
	d := s.describedUntil(ctx, h, func(*client.ActivityExecutionDescription) bool { return true })
	if d.Attempt != 3 || d.TotalHeartbeatCount < 3 {
		t.Errorf("attempt %d, %d heartbeats", d.Attempt, d.TotalHeartbeatCount)
	}
}

// Table 11.3: what its starter hears when it does not succeed.
func TestStandaloneFailures(t *testing.T) {
	ctx, s := begin(t, alone(func(ctx context.Context, how string) error {
		switch how {
		case "exhausted":
			return temporal.NewApplicationError("broken", "Broken", "detail")
		case "final":
			return temporal.NewNonRetryableApplicationError("final", "Final", nil)
		}
		return beatUntilDone(ctx) // until its time is up
	}))
	for _, c := range []struct {
		how    string
		change func(*client.StartActivityOptions)
		check  func(error) bool
	}{
		{"exhausted", func(o *client.StartActivityOptions) { o.RetryPolicy = retries(2) }, func(err error) bool {
			var app *temporal.ApplicationError
			var detail string
			return errors.As(err, &app) && app.Type() == "Broken" && app.Details(&detail) == nil && detail == "detail"
		}},
		{"final", asIs, func(err error) bool {
			var app *temporal.ApplicationError
			return errors.As(err, &app) && app.Type() == "Final" && app.NonRetryable()
		}},
		{"timeout", func(o *client.StartActivityOptions) {
			o.StartToCloseTimeout, o.RetryPolicy = 300*time.Millisecond, retries(1)
		}, func(err error) bool {
			var timeout *temporal.TimeoutError
			return errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_START_TO_CLOSE
		}},
		{"nobody", func(o *client.StartActivityOptions) {
			o.TaskQueue, o.ScheduleToStartTimeout = t.Name()+"-nobody", 100*time.Millisecond
		}, func(err error) bool {
			var timeout *temporal.TimeoutError
			return errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START
		}},
	} {
		h := s.run(ctx, func(o *client.StartActivityOptions) { o.ID += "-" + c.how; c.change(o) }, c.how)
		if err := h.Get(ctx, nil); !c.check(err) {
			t.Errorf("%s: %v", c.how, err)
		}
	}
}

// Row 2 of the promises, AX-3: without limits of its own it has none, and goes on
// being attempted.
func TestStandaloneHasNoTimeLimit(t *testing.T) {
	ctx, s := begin(t, alone(func(ctx context.Context) (int32, error) {
		if n := activity.GetInfo(ctx).Attempt; n > 12 {
			return n, nil
		}
		return 0, errors.New("not yet")
	}))
	h := s.run(ctx, asIs)
	var attempts int
	if err := h.Get(ctx, &attempts); err != nil || attempts != 13 {
		t.Errorf("%d, %v", attempts, err)
	}
	d := s.describedUntil(ctx, h, func(*client.ActivityExecutionDescription) bool { return true })
	if d.ScheduleToCloseTimeout != 0 || d.ScheduleToStartTimeout != 0 || d.RawResponse.GetInfo().GetExpirationTime() != nil || d.RawResponse.GetInfo().GetScheduleToCloseTimeout() == nil {
		t.Errorf("%+v", d)
	}
}

// AX-30, AX-31: cancellation reaches the code through its heartbeat; it may clean
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

// Row 17a, AX-30: cancellation is requested once; a second request is refused, a
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

// AX-7: with a start delay nobody gets it before.
func TestStandaloneStartDelay(t *testing.T) {
	ctx, s := begin(t, alone(func(ctx context.Context) (time.Time, error) { return time.Now(), nil }))
	const delay = 700 * time.Millisecond
	h := s.run(ctx, func(o *client.StartActivityOptions) { o.StartDelay = delay })
	d, err := h.Describe(ctx, client.DescribeActivityOptions{})
	s.must(err)
	if d.StartDelay != delay || !d.ExecutionTime.Equal(d.ScheduleTime.Add(delay)) || d.RawResponse.GetInfo().GetNextAttemptScheduleTime() == nil {
		t.Errorf("%+v", d)
	}
	var at time.Time
	if err := h.Get(ctx, &at); err != nil || at.Before(d.ExecutionTime) {
		t.Errorf("it ran at %s, asked for at %s: %v", at, d.ScheduleTime, err)
	}
}

// AT-73, AX-11: completed from elsewhere, by its id or its token.
func TestStandaloneAsyncCompletion(t *testing.T) {
	tokens := make(chan []byte, 2)
	ctx, s := begin(t, alone(func(ctx context.Context) (string, error) {
		tokens <- activity.GetInfo(ctx).TaskToken
		return "", activity.ErrResultPending
	}))
	h := s.run(ctx, asIs)
	<-tokens
	progress, err := converter.GetDefaultDataConverter().ToPayloads("half way")
	s.must(err)
	_, err = s.api().RecordActivityTaskHeartbeatById(ctx, &workflowservice.RecordActivityTaskHeartbeatByIdRequest{ // the SDK wants a workflow
		Namespace: "default", ActivityId: h.GetID(), Details: progress})
	s.must(err)
	d := s.describedUntil(ctx, h, running)
	var details string
	if err := d.GetHeartbeatDetails(&details); err != nil || details != "half way" {
		t.Errorf("%q, %v", details, err)
	}
	s.must(s.client.CompleteActivityByActivityID(ctx, "default", h.GetID(), h.GetRunID(), "by id", nil))
	var got string
	if err := h.Get(ctx, &got); err != nil || got != "by id" {
		t.Errorf("%q, %v", got, err)
	}
	h = s.run(ctx, func(o *client.StartActivityOptions) { o.ID += "-token" })
	s.must(s.client.CompleteActivity(ctx, <-tokens, "by token", nil))
	if err := h.Get(ctx, &got); err != nil || got != "by token" {
		t.Errorf("%q, %v", got, err)
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

// AT-180, AT-181: a worker that stops, and is given time for it, takes no task
// with it: ShutdownWorker ends its polls, and what they had brought it does. Each
// time one goes, what is started meanwhile is done long before a timeout would
// have repaired a task that was lost.
func TestAStoppedWorkerTakesNothingWithIt(t *testing.T) {
	act := alone(func(context.Context) (string, error) { return "done", nil })
	ctx, s := begin(t, act)
	s.queue += "-stopping"
	come := func() worker.Worker {
		w := worker.New(s.client, s.queue, worker.Options{WorkerStopTimeout: 30 * time.Second})
		act(w)
		s.must(w.Start())
		return w
	}
	w := come()
	for n := range 10 {
		gone := make(chan struct{})
		go func() { w.Stop(); close(gone) }()
		h := s.run(ctx, func(o *client.StartActivityOptions) { o.ID = fmt.Sprint(t.Name(), n); o.StartToCloseTimeout = perTest })
		<-gone
		w = come()
		var got string
		if err := h.Get(ctx, &got); err != nil || got != "done" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	w.Stop()
}

// I1: what was acknowledged outlives the server: queued, running, paused and
// completed activities, their heartbeat details as far as the server had ended an
// attempt, and what lists show.
func TestStandaloneOutlivesTheServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	s := &suite{T: t, server: harness.Start(t), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	act := alone(func(ctx context.Context, how string) (string, error) {
		if how == "runs" && activity.GetInfo(ctx).Attempt == 1 {
			<-ctx.Done() // lost with its worker
			return "", ctx.Err()
		}
		return how, nil
	})
	w := worker.New(s.client, s.queue, worker.Options{})
	act(w)
	s.must(w.Start())
	handles := map[string]client.ActivityHandle{}
	start := func(how string, change func(*client.StartActivityOptions)) {
		handles[how] = s.run(ctx, func(o *client.StartActivityOptions) { o.ID = how; change(o) }, how)
	}
	start("done", asIs)
	s.must(handles["done"].Get(ctx, nil))
	start("runs", func(o *client.StartActivityOptions) { o.StartToCloseTimeout = 2 * time.Second })
	s.describedUntil(ctx, handles["runs"], func(d *client.ActivityExecutionDescription) bool {
		return d.RunState == enumspb.PENDING_ACTIVITY_STATE_STARTED
	})
	start("delayed", func(o *client.StartActivityOptions) { o.StartDelay = 3 * time.Second })
	start("paused", func(o *client.StartActivityOptions) { o.StartDelay = 100 * time.Hour })
	s.must(handles["paused"].Pause(ctx, client.PauseActivityOptions{Reason: "later"}))
	go w.Stop() // the attempt of "runs" keeps it
	start("queued", func(o *client.StartActivityOptions) { o.TaskQueue = t.Name() + "-later" })

	s.server.Kill()
	s.must(s.server.Restart())
	s.client = dial(t, s.server.GRPC())
	s.work(act, worker.Options{})
	later := *s
	later.queue = t.Name() + "-later"
	later.work(act, worker.Options{})
	var ids []string
	list, err := s.client.ListActivities(ctx, client.ListActivitiesOptions{})
	s.must(err)
	for info, err := range list.Results {
		s.must(err)
		ids = append(ids, info.ActivityID)
	}
	slices.Sort(ids)
	if got := strings.Join(ids, " "); got != "delayed done paused queued runs" {
		t.Errorf("listed: %s", got)
	}
	paused := s.client.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: "paused"})
	d, err := paused.Describe(ctx, client.DescribeActivityOptions{})
	if err != nil || d.Status != enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED {
		t.Errorf("%v, %v", d, err)
	}
	s.must(paused.Cancel(ctx, client.CancelActivityOptions{Reason: "not any more"}))
	var canceled *temporal.CanceledError
	if err := paused.Get(ctx, nil); !errors.As(err, &canceled) {
		t.Errorf("paused: %v", err)
	}
	for _, id := range []string{"done", "runs", "delayed", "queued"} {
		var got string
		h := s.client.GetActivityHandle(client.GetActivityHandleOptions{ActivityID: id, RunID: handles[id].GetRunID()})
		if err := h.Get(ctx, &got); err != nil || got != id {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
}
