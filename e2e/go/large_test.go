//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// What one run may have much of: children, signals, and megabytes in a single
// workflow task.

const manyChildren = 1_000

// parentOfMany starts its children all at once and counts what they answer.
func parentOfMany(ctx workflow.Context, children int) (int, error) {
	var running []workflow.ChildWorkflowFuture
	for n := range children {
		ctx := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: fmt.Sprintf("%s-%d", workflow.GetInfo(ctx).WorkflowExecution.ID, n)})
		running = append(running, workflow.ExecuteChildWorkflow(ctx, oneOfMany, 1))
	}
	sum := 0
	for _, child := range running {
		var n int
		if err := child.Get(ctx, &n); err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func oneOfMany(_ workflow.Context, n int) (int, error) { return n, nil }

// A thousand children of one parent: each is started once, and each is heard of.
func TestAThousandChildren(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflow(parentOfMany)
		r.RegisterWorkflow(oneOfMany)
	})
	var sum int
	if err := s.start(ctx, parentOfMany, manyChildren).Get(ctx, &sum); err != nil {
		t.Fatal(err)
	}
	if sum != manyChildren {
		t.Errorf("%d children were heard of", sum)
	}
}

const manySignals = 10_000

// tally takes signals until it has so many.
func tally(ctx workflow.Context, signals int) (sum int, err error) {
	for range signals {
		var n int
		workflow.GetSignalChannel(ctx, "add").Receive(ctx, &n)
		sum += n
	}
	return sum, nil
}

// Ten thousand signals to one run, thirty-two at a time: the worker sees each once,
// though a hundred behind a workflow task end that task.
func TestTenThousandSignals(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) { r.RegisterWorkflow(tally) })
	run := s.start(ctx, tally, manySignals)
	var senders sync.WaitGroup
	failed := make(chan error, 32)
	for sender := range 32 {
		senders.Go(func() {
			for n := sender; n < manySignals; n += 32 {
				if err := s.client.SignalWorkflow(ctx, run.GetID(), run.GetRunID(), "add", 1); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	senders.Wait()
	close(failed)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	var sum int
	if err := run.Get(ctx, &sum); err != nil {
		t.Fatal(err)
	}
	if sum != manySignals {
		t.Errorf("the worker saw %d signals", sum)
	}
	if err := s.client.SignalWorkflow(ctx, run.GetID(), run.GetRunID(), "add", 1); err == nil {
		t.Error("a closed run took a signal")
	}
}

const megabyte = 1 << 20

// spender gives activities a megabyte each, all in one workflow task, and has a
// megabyte back from each.
func spender(ctx workflow.Context, activities int) (int, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	var running []workflow.Future
	for n := range activities {
		running = append(running, workflow.ExecuteActivity(ctx, bulk, bytes.Repeat([]byte{byte('a' + n%26)}, megabyte)))
	}
	total := 0
	for _, f := range running {
		var b []byte
		if err := f.Get(ctx, &b); err != nil {
			return 0, err
		}
		total += len(b)
	}
	return total, nil
}

func bulk(_ context.Context, b []byte) ([]byte, error) { return b, nil }

// A workflow task of a dozen megabytes, in both directions.
func TestMegabytesInOneWorkflowTask(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflow(spender)
		r.RegisterActivity(bulk)
	})
	var total int
	if err := s.start(ctx, spender, 12).Get(ctx, &total); err != nil {
		t.Fatal(err)
	}
	if total != 12*megabyte {
		t.Errorf("%d bytes came back", total)
	}
}

// lingering keeps its workflow task for a while with a local activity, so that what
// arrives meanwhile is buffered, and then takes the signals it has.
func lingering(ctx workflow.Context) (got []string, err error) {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
	if err := workflow.ExecuteLocalActivity(local, untilSignalled).Get(ctx, nil); err != nil {
		return nil, err
	}
	ch := workflow.GetSignalChannel(ctx, "s")
	for len(got) < 3 {
		var s string
		ch.Receive(ctx, &s)
		got = append(got, s)
	}
	return got, nil
}

// buffering tells when the local activity runs, and lets it end.
var buffering = struct{ began, end chan struct{} }{make(chan struct{}), make(chan struct{})}

func untilSignalled(ctx context.Context) error {
	close(buffering.began)
	select {
	case <-buffering.end:
		return nil
	case <-ctx.Done():
		return errors.New("nobody let it end")
	}
}

// Signals that arrive while a worker has the workflow task come into history
// after it, in their order, and none is lost.
func TestBufferedSignals(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflow(lingering)
		r.RegisterActivityWithOptions(untilSignalled, activity.RegisterOptions{})
	})
	run := s.start(ctx, lingering)
	select {
	case <-buffering.began:
	case <-ctx.Done():
		t.Fatal("the workflow task did not begin")
	}
	for _, text := range []string{"one", "two", "three"} {
		if err := s.client.SignalWorkflow(ctx, run.GetID(), "", "s", text); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range eventTypes(ctx, t, s.client, run) {
		if kind == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			t.Error("a buffered signal is in history already")
		}
	}
	close(buffering.end)
	var got []string
	if err := run.Get(ctx, &got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "[one two three]" {
		t.Errorf("the workflow got %v", got)
	}
}

func eventTypes(ctx context.Context, t *testing.T, c client.Client, run client.WorkflowRun) (kinds []enumspb.EventType) {
	t.Helper()
	for events := c.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		ev, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, ev.GetEventType())
	}
	return kinds
}
