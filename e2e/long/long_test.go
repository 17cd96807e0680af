//go:build e2e

// Package long runs the official Go SDK with no cache of workflows: each
// workflow task makes the worker read and replay the whole history again.
package long

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/perdure/perdure/e2e/harness"
)

const perTest = 3 * time.Minute

var common *harness.Server

func TestMain(m *testing.M) {
	worker.SetStickyWorkflowCacheSize(0)
	folder, err := os.MkdirTemp("", "perdure-e2e-long-")
	if err == nil {
		common, err = harness.Launch(folder, "--cache-runs", "1")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	common.Kill()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// round is what a workflow does again and again: it takes notes, and asks an
// activity and a timer to come back.
func round(ctx workflow.Context, n int) (int, error) {
	sum := 0
	for range 30 {
		var note int
		if err := workflow.SideEffect(ctx, func(workflow.Context) any { return 1 }).Get(&note); err != nil {
			return 0, err
		}
		sum += note
	}
	if n%10 == 0 {
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
	var done int
	err := workflow.ExecuteActivity(ctx, add, sum).Get(ctx, &done)
	return done, err
}

func add(_ context.Context, n int) (int, error) { return n, nil }

// diligent goes so many rounds, with signals on the way.
func diligent(ctx workflow.Context, rounds int) (total int, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	for n := range rounds {
		done, err := round(ctx, n)
		if err != nil {
			return 0, err
		}
		total += done
	}
	return total, nil
}

// Two long histories at once, of a worker without a cache, on a server that keeps
// one run in memory: thousands of events are read again for each workflow task,
// in several pages, and replay to the same end.
func TestLongHistoriesWithoutACache(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	c, err := client.Dial(client.Options{HostPort: common.GRPC(), Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w := worker.New(c, t.Name(), worker.Options{})
	w.RegisterWorkflow(diligent)
	w.RegisterActivity(add)
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	const rounds = 60
	var runs []client.WorkflowRun
	for n := range 2 {
		run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: fmt.Sprint(t.Name(), n), TaskQueue: t.Name()}, diligent, rounds)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	for _, run := range runs {
		var total int
		if err := run.Get(ctx, &total); err != nil {
			t.Fatal(err)
		}
		if total != 30*rounds {
			t.Errorf("%s: %d", run.GetID(), total)
		}
		d, err := c.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
		if err != nil {
			t.Fatal(err)
		}
		if n := d.WorkflowExecutionInfo.HistoryLength; n < 36*rounds {
			t.Errorf("%s: a history of %d events", run.GetID(), n)
		}
	}
}
