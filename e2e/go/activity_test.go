//go:build e2e

package e2e

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// call makes a workflow that runs the activity "act" once with these options.
func call(options workflow.ActivityOptions) func(workflow.Context) (string, error) {
	return func(ctx workflow.Context) (string, error) {
		var result string
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "act").Get(ctx, &result)
		return result, err
	}
}

// oneActivity registers it under the name the workflow above calls, and the
// workflow as "wf".
func oneActivity(options workflow.ActivityOptions, act any) func(worker.Registry) {
	return func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(call(options), workflow.RegisterOptions{Name: "wf"})
		r.RegisterActivityWithOptions(act, activity.RegisterOptions{Name: "act"})
	}
}

func retries(maximum int32) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond, BackoffCoefficient: 1, MaximumAttempts: maximum}
}

func TestHelloActivity(t *testing.T) {
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second},
		func(context.Context) (string, error) { return "hello", nil }))
	var got string
	if err := s.start(ctx, "wf").Get(ctx, &got); err != nil || got != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
	// AT-40, AT-41: Started is written with the close.
	want := []enumspb.EventType{
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	}
	history := s.history(ctx, s.Name(), "")
	if len(history) != len(want) {
		t.Fatalf("history has %d events: %v", len(history), history)
	}
	for i, ev := range history {
		if ev.EventType != want[i] || ev.EventId != int64(i+1) {
			t.Errorf("event %d is %d %s, want %s", i+1, ev.EventId, ev.EventType, want[i])
		}
	}
}

func TestActivityRetriesToSuccess(t *testing.T) {
	var attempts atomic.Int32
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, RetryPolicy: retries(5)},
		func(ctx context.Context) (string, error) {
			if n := attempts.Add(1); n != activity.GetInfo(ctx).Attempt {
				return "", temporal.NewNonRetryableApplicationError("wrong attempt", "Bug", nil)
			}
			if attempts.Load() < 3 {
				return "", errors.New("not yet")
			}
			return "third", nil
		}))
	var got string
	if err := s.start(ctx, "wf").Get(ctx, &got); err != nil || got != "third" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, ev := range s.history(ctx, s.Name(), "") {
		if a := ev.GetActivityTaskStartedEventAttributes(); a != nil {
			if a.Attempt != 3 || a.LastFailure.GetMessage() != "not yet" {
				t.Errorf("Started says attempt %d, last failure %q", a.Attempt, a.LastFailure.GetMessage())
			}
			return
		}
	}
	t.Error("no ActivityTaskStarted")
}

func TestActivityExhaustsItsRetries(t *testing.T) {
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, RetryPolicy: retries(2)},
		func(context.Context) (string, error) {
			return "", temporal.NewApplicationError("broken", "Broken", "detail")
		}))
	err := s.start(ctx, "wf").Get(ctx, nil)
	var act *temporal.ActivityError
	if !errors.As(err, &act) || act.RetryState() != enumspb.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED {
		t.Fatalf("%v", err)
	}
	var app *temporal.ApplicationError
	var detail string
	if !errors.As(err, &app) || app.Type() != "Broken" || app.Details(&detail) != nil || detail != "detail" {
		t.Errorf("cause %v, detail %q", app, detail)
	}
}

func TestNonRetryableFailure(t *testing.T) {
	for name, options := range map[string]workflow.ActivityOptions{
		"byFlag": {StartToCloseTimeout: 10 * time.Second, RetryPolicy: retries(5)},
		"byType": {StartToCloseTimeout: 10 * time.Second, RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: 20 * time.Millisecond, NonRetryableErrorTypes: []string{"Listed"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var attempts atomic.Int32
			ctx, s := begin(t, oneActivity(options, func(context.Context) (string, error) {
				attempts.Add(1)
				if name == "byFlag" {
					return "", temporal.NewNonRetryableApplicationError("no", "Never", errors.New("root cause"))
				}
				return "", temporal.NewApplicationError("no", "Listed")
			}))
			err := s.start(ctx, "wf").Get(ctx, nil)
			var act *temporal.ActivityError
			if !errors.As(err, &act) || act.RetryState() != enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE || attempts.Load() != 1 {
				t.Fatalf("%v after %d attempts", err, attempts.Load())
			}
			var app *temporal.ApplicationError
			if name == "byFlag" && (!errors.As(errors.Unwrap(errors.Unwrap(act)), &app) || app.Message() != "root cause") {
				t.Errorf("the chain of causes ends early: %v", err)
			}
		})
	}
}

func TestEachTimeout(t *testing.T) {
	hang := func(ctx context.Context) (string, error) {
		<-ctx.Done() // Go workers end an attempt of their own when it has timed out
		return "", ctx.Err()
	}
	for name, c := range map[string]struct {
		options workflow.ActivityOptions
		act     any
		kind    enumspb.TimeoutType
		state   enumspb.RetryState
	}{
		"ScheduleToStart": {workflow.ActivityOptions{TaskQueue: "nobody-listens", ScheduleToStartTimeout: 200 * time.Millisecond,
			StartToCloseTimeout: time.Minute}, hang, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, enumspb.RETRY_STATE_TIMEOUT},
		"StartToClose": {workflow.ActivityOptions{StartToCloseTimeout: 1100 * time.Millisecond, RetryPolicy: retries(1)},
			hang, enumspb.TIMEOUT_TYPE_START_TO_CLOSE, enumspb.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED},
		"Heartbeat": {workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: 1100 * time.Millisecond,
			RetryPolicy: retries(1)}, hang, enumspb.TIMEOUT_TYPE_HEARTBEAT, enumspb.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED},
		"ScheduleToClose": {workflow.ActivityOptions{ScheduleToCloseTimeout: 1200 * time.Millisecond, RetryPolicy: retries(0)},
			func(context.Context) (string, error) { return "", errors.New("again") },
			enumspb.TIMEOUT_TYPE_UNSPECIFIED, enumspb.RETRY_STATE_TIMEOUT},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, s := begin(t, oneActivity(c.options, c.act))
			err := s.start(ctx, "wf").Get(ctx, nil)
			var act *temporal.ActivityError
			if !errors.As(err, &act) || act.RetryState() != c.state {
				t.Fatalf("%v", err)
			}
			var timeout *temporal.TimeoutError
			if c.kind == enumspb.TIMEOUT_TYPE_UNSPECIFIED {
				// AT-104: the worker's own failure, for want of time to retry.
				var app *temporal.ApplicationError
				if !errors.As(err, &app) || app.Message() != "again" {
					t.Errorf("cause %v", act.Unwrap())
				}
			} else if !errors.As(err, &timeout) || timeout.TimeoutType() != c.kind {
				t.Errorf("cause %v, want a timeout of %s", act.Unwrap(), c.kind)
			}
		})
	}
}

func TestHeartbeatDetailsSurviveARetry(t *testing.T) {
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, RetryPolicy: retries(3)},
		func(ctx context.Context) (string, error) {
			if !activity.HasHeartbeatDetails(ctx) {
				activity.RecordHeartbeat(ctx, "got this far")
				return "", errors.New("stumbled")
			}
			var far string
			err := activity.GetHeartbeatDetails(ctx, &far)
			return far, err
		}))
	var got string
	if err := s.start(ctx, "wf").Get(ctx, &got); err != nil || got != "got this far" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestCancellationReachesTheActivity(t *testing.T) {
	for _, accept := range []bool{true, false} {
		name := map[bool]string{true: "accepted", false: "ignored"}[accept]
		t.Run(name, func(t *testing.T) {
			began := make(chan struct{}, 1)
			act := func(ctx context.Context) (string, error) {
				beat := time.NewTicker(50 * time.Millisecond)
				defer beat.Stop()
				for {
					select {
					case <-ctx.Done():
						if accept {
							return "", ctx.Err()
						}
						return "finished anyway", nil
					case <-beat.C:
						activity.RecordHeartbeat(ctx)
						select {
						case began <- struct{}{}:
						default:
						}
					}
				}
			}
			ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute,
				HeartbeatTimeout: 20 * time.Second, WaitForCancellation: true}, act))
			run := s.start(ctx, "wf")
			<-began
			if err := s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
				t.Fatal(err)
			}
			var got string
			err := run.Get(ctx, &got)
			if accept && !temporal.IsCanceledError(err) {
				t.Errorf("%v", err)
			}
			if !accept && (err != nil || got != "finished anyway") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestLocalActivity(t *testing.T) {
	local := func(context.Context) (string, error) { return "from here", nil }
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) (string, error) {
			ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 5 * time.Second})
			var got string
			err := workflow.ExecuteLocalActivity(ctx, local).Get(ctx, &got)
			return got, err
		}, workflow.RegisterOptions{Name: "wf"})
	})
	var got string
	if err := s.start(ctx, "wf").Get(ctx, &got); err != nil || got != "from here" {
		t.Fatalf("%q, %v", got, err)
	}
}

// A local activity that outlives the workflow task keeps it alive by completing
// it and taking the next at once (spec workflow 3.11).
func TestLongLocalActivityHeartbeatsItsTask(t *testing.T) {
	local := func(ctx context.Context) (string, error) {
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
		return "slow", ctx.Err()
	}
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) (string, error) {
			ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 20 * time.Second})
			var got string
			err := workflow.ExecuteLocalActivity(ctx, local).Get(ctx, &got)
			return got, err
		}, workflow.RegisterOptions{Name: "wf"})
	})
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: s.Name(), TaskQueue: s.queue,
		WorkflowTaskTimeout: 2 * time.Second}, "wf")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "slow" {
		t.Fatalf("%q, %v", got, err)
	}
	completed := 0
	for _, ev := range s.history(ctx, s.Name(), "") {
		switch ev.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			completed++
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			t.Errorf("%s in history", ev.EventType)
		}
	}
	if completed < 2 {
		t.Errorf("%d workflow tasks completed; the heartbeat adds one", completed)
	}
}
