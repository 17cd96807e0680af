//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const queue = "soak"

// unit is one piece of the load: a workflow with a bit of everything, which is
// updated and signalled, and whose child continues as new.
func unit(ctx workflow.Context, id string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second, HeartbeatTimeout: 20 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond, BackoffCoefficient: 1},
	})
	added := 0
	if err := workflow.SetUpdateHandler(ctx, "add", func(_ workflow.Context, n int) (int, error) { added += n; return added, nil }); err != nil {
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
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id + "-child"})
	if err := workflow.ExecuteChildWorkflow(child, small, id, 0).Get(ctx, &fromChild); err != nil {
		return "", err
	}
	var word string
	workflow.GetSignalChannel(ctx, "word").Receive(ctx, &word)
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

func step(ctx context.Context, id string) (string, error) {
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
	r.RegisterActivityWithOptions(step, activity.RegisterOptions{Name: "step"})
	r.RegisterActivityWithOptions(flaky, activity.RegisterOptions{Name: "flaky"})
}

// load begins units and looks at their results.
type load struct {
	client  client.Client
	next    atomic.Int64
	done    atomic.Int64
	failed  atomic.Int64
	late    atomic.Int64 // not begun in time, because too many were under way
	failure atomic.Value // the first
}

// patience is how long a unit may take on a machine that has other work.
const patience = 5 * time.Minute

// one runs a unit from start to result. Once begun it is brought to its end.
func (l *load) one() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.try(ctx); err != nil {
		l.failed.Add(1)
		l.failure.CompareAndSwap(nil, err)
		return
	}
	l.done.Add(1)
}

func (l *load) try(ctx context.Context) error {
	id := fmt.Sprintf("unit-%d", l.next.Add(1))
	run, err := l.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: queue}, unit, id)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := l.client.SignalWorkflow(ctx, id, run.GetRunID(), "word", "word"); err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	update, err := l.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: "add", Args: []any{2}, WaitForStage: client.WorkflowUpdateStageCompleted})
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if err := update.Get(ctx, nil); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	alone, err := l.client.ExecuteActivity(ctx, client.StartActivityOptions{ID: id, TaskQueue: queue, StartToCloseTimeout: 30 * time.Second}, "step", id)
	if err != nil {
		return fmt.Errorf("start an activity: %w", err)
	}
	if err := alone.Get(ctx, nil); err != nil {
		return fmt.Errorf("the activity: %w", err)
	}
	var got string
	if err := run.Get(ctx, &got); err != nil || got != id+"word2" {
		return fmt.Errorf("result %q: %w", got, err)
	}
	return nil
}

// capacity is how many units a second are done by as many callers as it takes,
// each of which waits for its result.
func (l *load) capacity(ctx context.Context, probing time.Duration) float64 {
	ctx, cancel := context.WithTimeout(ctx, probing)
	defer cancel()
	begun := time.Now()
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for ctx.Err() == nil {
				l.one()
			}
		})
	}
	callers.Wait()
	return float64(l.done.Swap(0)) / time.Since(begun).Seconds()
}

// pace begins units at the rate until ctx ends, whatever becomes of them.
func (l *load) pace(ctx context.Context, rate float64) {
	room := make(chan struct{}, 512)
	var units sync.WaitGroup
	ticker := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			select {
			case room <- struct{}{}:
				units.Go(func() {
					l.one()
					<-room
				})
			default:
				l.late.Add(1)
			}
		}
	}
	units.Wait()
}

func (l *load) counts() (done, failed, late int64) {
	return l.done.Load(), l.failed.Load(), l.late.Load()
}

func (l *load) firstFailure() error {
	err, _ := l.failure.Load().(error)
	return err
}
