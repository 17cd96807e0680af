//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "soak"

// unit is one piece of the load: a workflow with a bit of everything, which is
// updated, queried and signalled, and whose child continues as new.
func unit(ctx workflow.Context, id string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, HeartbeatTimeout: 20 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond, BackoffCoefficient: 1},
	})
	added := 0
	if err := workflow.SetUpdateHandler(ctx, "add", func(_ workflow.Context, n int) (int, error) { added += n; return added, nil }); err != nil {
		return "", err
	}
	if err := workflow.SetQueryHandler(ctx, "added", func() (int, error) { return added, nil }); err != nil {
		return "", err
	}
	both := []workflow.Future{workflow.ExecuteActivity(ctx, "step", id), workflow.ExecuteActivity(ctx, "flaky", id)}
	if err := workflow.Sleep(ctx, 30*time.Millisecond); err != nil {
		return "", err
	}
	for _, f := range both {
		if err := f.Get(ctx, nil); err != nil {
			return "", err
		}
	}
	var fromChild string
	// Not the id of a child that the run before a reset has left behind.
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id + "-of-" + workflow.GetInfo(ctx).WorkflowExecution.RunID})
	if err := workflow.ExecuteChildWorkflow(child, small, id, 0).Get(ctx, &fromChild); err != nil {
		return "", err
	}
	word := ""
	selector := workflow.NewSelector(ctx)
	selector.AddReceive(workflow.GetSignalChannel(ctx, "word"), func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &word) })
	selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	if selector.Select(ctx); ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err := workflow.Await(ctx, func() bool { return added > 0 }); err != nil {
		return "", err
	}
	return fmt.Sprint(fromChild, word, added), nil
}

func small(ctx workflow.Context, id string, n int) (string, error) {
	if n == 0 {
		return "", workflow.NewContinueAsNewError(ctx, small, id, n+1)
	}
	return id, nil
}

func doStep(ctx context.Context, id string) (string, error) {
	activity.RecordHeartbeat(ctx, "half of "+id)
	return id, ctx.Err()
}

func flaky(ctx context.Context, id string) (string, error) {
	if activity.GetInfo(ctx).Attempt == 1 {
		return "", errors.New("the first attempt")
	}
	return id, nil
}

func register(r worker.Registry) {
	r.RegisterWorkflow(unit)
	r.RegisterWorkflow(small)
	r.RegisterActivityWithOptions(doStep, activity.RegisterOptions{Name: "step"})
	r.RegisterActivityWithOptions(flaky, activity.RegisterOptions{Name: "flaky"})
}

// What one in ten units meets besides.
const (
	isPaused = iota
	isReset
	isCancelled
	isTerminated
	isQueriedClosed
	kinds = 10
)

// try brings unit n to its end.
func (l *load) try(ctx context.Context, n int64) error {
	id := fmt.Sprintf("unit-%d", n)
	run, err := l.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, unit, id)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	switch n % kinds {
	case isPaused:
		err = l.pause(ctx, id)
	case isReset:
		run, err = l.reset(ctx, run)
	case isCancelled:
		return l.cancel(ctx, run)
	case isTerminated:
		return l.client.TerminateWorkflow(ctx, id, run.GetRunID(), "for the soak")
	}
	if err == nil {
		err = l.talk(ctx, run)
	}
	if err == nil {
		err = l.alone(ctx, id)
	}
	if err != nil {
		return err
	}
	var got string
	if err := run.Get(ctx, &got); err != nil || got != id+"word2" {
		return fmt.Errorf("%w %q: %w", errResult, got, err)
	}
	if n%kinds == isQueriedClosed {
		return l.query(ctx, run, 2)
	}
	return nil
}

// talk sends the run what it waits for, and asks it.
func (l *load) talk(ctx context.Context, run client.WorkflowRun) error {
	update, err := l.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: run.GetID(), RunID: run.GetRunID(), UpdateName: "add", Args: []any{2}, WaitForStage: client.WorkflowUpdateStageCompleted})
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if err := update.Get(ctx, nil); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if err := l.query(ctx, run, 2); err != nil {
		return err
	}
	if err := l.client.SignalWorkflow(ctx, run.GetID(), run.GetRunID(), "word", "word"); err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	return nil
}

func (l *load) query(ctx context.Context, run client.WorkflowRun, want int) error {
	answer, err := l.client.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), "added")
	for isSlow(err) && ctx.Err() == nil {
		l.slow.Add(1)
		answer, err = l.client.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), "added")
	}
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	var got int
	if err := answer.Get(&got); err != nil || got != want {
		return fmt.Errorf("query: %w %d: %w", errResult, got, err)
	}
	return nil
}

// isSlow: the SDK gives a query ten seconds, which the workers of a machine that is
// busy with something else may not have.
func isSlow(err error) bool {
	var late *serviceerror.DeadlineExceeded
	var cut *serviceerror.Canceled
	return errors.As(err, &late) || errors.As(err, &cut)
}

// alone runs a standalone activity.
func (l *load) alone(ctx context.Context, id string) error {
	alone, err := l.client.ExecuteActivity(ctx, client.StartActivityOptions{ID: id, TaskQueue: queue, StartToCloseTimeout: 30 * time.Second}, "step", id)
	if err != nil {
		return fmt.Errorf("start an activity: %w", err)
	}
	if err := alone.Get(ctx, nil); err != nil {
		return fmt.Errorf("the activity: %w", err)
	}
	return nil
}

func (l *load) pause(ctx context.Context, id string) error {
	api := l.client.WorkflowService()
	if _, err := api.PauseWorkflowExecution(ctx, &workflowservice.PauseWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: id, RequestId: id + "-pause"}); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	if _, err := api.UnpauseWorkflowExecution(ctx, &workflowservice.UnpauseWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: id, RequestId: id + "-unpause"}); err != nil {
		return fmt.Errorf("unpause: %w", err)
	}
	return nil
}

// reset takes the run back to its first workflow task, once that is done, which
// the update shows.
func (l *load) reset(ctx context.Context, run client.WorkflowRun) (client.WorkflowRun, error) {
	update, err := l.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: run.GetID(), UpdateName: "add", Args: []any{0}, WaitForStage: client.WorkflowUpdateStageCompleted})
	if err != nil {
		return nil, fmt.Errorf("the update before a reset: %w", err)
	}
	if err := update.Get(ctx, nil); err != nil {
		return nil, fmt.Errorf("the update before a reset: %w", err)
	}
	made, err := l.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		Reason: "for the soak", WorkflowTaskFinishEventId: 4, RequestId: run.GetID() + "-reset"})
	if err != nil {
		return nil, fmt.Errorf("reset: %w", err)
	}
	return l.client.GetWorkflow(ctx, run.GetID(), made.GetRunId()), nil
}

func (l *load) cancel(ctx context.Context, run client.WorkflowRun) error {
	if err := l.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	var cancelled *temporal.CanceledError
	if err := run.Get(ctx, nil); !errors.As(err, &cancelled) {
		return fmt.Errorf("after the cancellation: %w: %w", errResult, err)
	}
	return nil
}
