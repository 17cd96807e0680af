//go:build e2e

package long

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/perdure/perdure/e2e/harness"
)

// hoarder takes notes until its history is long, waits for the word to go on, and
// continues as new when it comes; the next run counts what it is sent.
func hoarder(ctx workflow.Context, events int) (int, error) {
	word := workflow.GetSignalChannel(ctx, "go")
	if events == 0 {
		got := 0
		for got < 3 {
			word.Receive(ctx, nil)
			got++
		}
		return got, nil
	}
	for workflow.GetInfo(ctx).GetCurrentHistoryLength() < events {
		for range 20 {
			workflow.SideEffect(ctx, func(workflow.Context) any { return 1 })
		}
		if workflow.Sleep(ctx, time.Millisecond) != nil {
			break // the cancellation may come this early
		}
	}
	ctx.Done().Receive(ctx, nil) // cancelled: the run takes no signals any more
	fresh, _ := workflow.NewDisconnectedContext(ctx)
	return 0, workflow.NewContinueAsNewError(fresh, hoarder, 0)
}

// A run whose history is full refuses signals with a sentence that says why, lives
// on, hears a cancellation, and continues as new; the new run has room.
func TestFullHistory(t *testing.T) {
	server, err := harness.Launch(t.TempDir(), "--max-history-events", "300")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	c, err := client.Dial(client.Options{HostPort: server.GRPC(), Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := worker.New(c, t.Name(), worker.Options{})
	w.RegisterWorkflow(hoarder)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: t.Name(), TaskQueue: t.Name()}, hoarder, 290)
	if err != nil {
		t.Fatal(err)
	}
	for {
		err = c.SignalWorkflow(ctx, run.GetID(), run.GetRunID(), "go", nil)
		if err != nil {
			break
		}
	}
	var invalid *serviceerror.InvalidArgument
	if !errors.As(err, &invalid) || !strings.HasPrefix(invalid.Error(), "Workflow history count exceeds limit.") {
		t.Fatalf("a full history refuses a signal with %v", err)
	}
	if err := c.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	for sent := 0; sent < 3; { // to whichever run is current, once the first has made room
		if err = c.SignalWorkflow(ctx, run.GetID(), "", "go", nil); err == nil {
			sent++
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	var got int
	if err := run.Get(ctx, &got); err != nil || got != 3 {
		t.Fatalf("the next run got %d, %v", got, err)
	}
}
