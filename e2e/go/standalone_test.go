//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
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

// Row 17a, AX-30: cancellation is requested once; a second request is refused, a

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

// AT-180, AT-181: a worker that stops, and is given time for it, takes no task
// with it: ShutdownWorker ends its polls, and what they had brought it does. What
// is started meanwhile is done by it or by the next one; should the worker have
// gone with a task in hand all the same (AT-53), after the attempt's timeout.
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
		h := s.run(ctx, func(o *client.StartActivityOptions) {
			o.ID = fmt.Sprint(t.Name(), n)
			o.StartToCloseTimeout = 10 * time.Second
		})
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
