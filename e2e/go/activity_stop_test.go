//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// AT-136, AT-70: the activity of a workflow that is over is stopped at its next
// heartbeat.
func TestAClosedWorkflowStopsItsActivity(t *testing.T) {
	stopped := make(chan error, 1)
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: 20 * time.Second, RetryPolicy: retries(1)},
		func(ctx context.Context) (string, error) {
			err := beatUntilDone(ctx)
			stopped <- ctx.Err()
			return "", err
		}))
	run := s.start(ctx, "wf")
	s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return a.GetLastHeartbeatTime() != nil })
	s.must(s.client.TerminateWorkflow(ctx, run.GetID(), run.GetRunID(), "enough"))
	select {
	case err := <-stopped:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped by %v", err)
		}
	case <-ctx.Done():
		t.Error("the activity goes on")
	}
}

// AT-180: a worker that stops tells its activities; what they give up is tried
// again elsewhere.
func TestWorkerShutdownIsRetriedElsewhere(t *testing.T) {
	act := oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: retries(0)},
		func(ctx context.Context) (string, error) {
			if n := activity.GetInfo(ctx).Attempt; n > 1 {
				return fmt.Sprint(n), nil
			}
			activity.RecordHeartbeat(ctx)
			<-activity.GetWorkerStopChannel(ctx)
			return "", errors.New("the worker stops")
		})
	ctx, s := begin(t, func(worker.Registry) {})
	s.worker.Stop()
	first := worker.New(s.client, s.queue, worker.Options{WorkerStopTimeout: 20 * time.Second})
	act(first)
	s.must(first.Start())
	run := s.start(ctx, "wf")
	s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return a.GetLastHeartbeatTime() != nil })
	first.Stop()
	s.work(act, worker.Options{})
	var attempt string
	if err := run.Get(ctx, &attempt); err != nil || attempt != "2" {
		t.Errorf("done in attempt %s, %v", attempt, err)
	}
}

// AT-134: an activity that does not heartbeat never learns of the request, and
// ends as if nobody had asked.
func TestWithoutHeartbeatNoCancellation(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, WaitForCancellation: true, RetryPolicy: retries(1)},
		func(ctx context.Context) (string, error) {
			close(began)
			<-release
			return "undisturbed", ctx.Err()
		}))
	run := s.start(ctx, "wf")
	<-began
	s.must(s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()))
	s.untilHistory(ctx, run, has(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED))
	close(release)
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "undisturbed" {
		t.Errorf("%q, %v", got, err)
	}
}

// AT-139: a workflow that does not wait for its activity to accept is over
// before the activity is.
func TestCancellationIsNotWaitedFor(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, RetryPolicy: retries(1)},
		func(context.Context) (string, error) {
			close(began)
			<-release
			return "too late", nil
		}))
	defer close(release)
	run := s.start(ctx, "wf")
	<-began
	s.must(s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()))
	if err := run.Get(ctx, nil); !temporal.IsCanceledError(err) {
		t.Errorf("%v", err)
	}
}

// AT-122, AT-135: what code shields from a cancellation is not touched by it: the
// activity cleans up, heartbeating on, before it accepts; the workflow then runs
// another activity in a scope of its own.
func TestShieldedCleanUp(t *testing.T) {
	began, asked := make(chan struct{}), make(chan struct{})
	ctx, s := begin(t, func(r worker.Registry) {
		options := workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: 20 * time.Second, WaitForCancellation: true, RetryPolicy: retries(1)}
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) (string, error) {
			err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), "work").Get(ctx, nil)
			if !temporal.IsCanceledError(err) {
				return "", fmt.Errorf("the work: %w", err)
			}
			shielded, _ := workflow.NewDisconnectedContext(ctx)
			var result string
			err = workflow.ExecuteActivity(workflow.WithActivityOptions(shielded, options), "tidy").Get(shielded, &result)
			return result, err
		}, workflow.RegisterOptions{Name: "wf"})
		r.RegisterActivityWithOptions(func(ctx context.Context) error {
			close(began)
			err := beatUntilDone(ctx)
			shielded := context.WithoutCancel(ctx)
			for range 3 { // later than the request, and still welcome
				activity.RecordHeartbeat(shielded, "cleaning up")
			}
			close(asked)
			return err
		}, activity.RegisterOptions{Name: "work"})
		r.RegisterActivityWithOptions(func(context.Context) (string, error) {
			<-asked
			return "tidy", nil
		}, activity.RegisterOptions{Name: "tidy"})
	})
	run := s.start(ctx, "wf")
	<-began
	s.must(s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()))
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "tidy" {
		t.Errorf("%q, %v", got, err)
	}
}

// AT-131: however often the workflow is asked to cancel, its activity is asked
// once, and the SDK tells the code once.
func TestCancellingTwiceIsOneRequest(t *testing.T) {
	var told atomic.Int32
	release := make(chan struct{})
	ctx, s := begin(t, oneActivity(workflow.ActivityOptions{StartToCloseTimeout: time.Minute, HeartbeatTimeout: 20 * time.Second, WaitForCancellation: true, RetryPolicy: retries(1)},
		func(ctx context.Context) (string, error) {
			err := beatUntilDone(ctx)
			told.Add(1)
			<-release
			return "", err
		}))
	run := s.start(ctx, "wf")
	s.pendingUntil(ctx, run, func(a *workflowpb.PendingActivityInfo) bool { return a.GetLastHeartbeatTime() != nil })
	s.must(s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()))
	s.untilHistory(ctx, run, has(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED))
	s.must(s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()))
	close(release)
	if err := run.Get(ctx, nil); !temporal.IsCanceledError(err) {
		t.Errorf("%v", err)
	}
	requests := 0
	for _, ev := range s.history(ctx, s.Name(), "") {
		if ev.GetEventType() == enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED {
			requests++
		}
	}
	if requests != 1 || told.Load() != 1 {
		t.Errorf("requested %d times, told %d times", requests, told.Load())
	}
}

func has(wanted enumspb.EventType) func([]*historypb.HistoryEvent) bool {
	return func(events []*historypb.HistoryEvent) bool {
		for _, ev := range events {
			if ev.GetEventType() == wanted {
				return true
			}
		}
		return false
	}
}
