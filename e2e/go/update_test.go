//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/perdure/perdure/e2e/harness"
)

// counter is a workflow that is changed by updates until it is told to end.
func counter(ctx workflow.Context) (int, error) {
	total, ended := 0, false
	add := func(ctx workflow.Context, n int) (int, error) {
		if n > 100 {
			return 0, errors.New("too much at once")
		}
		total += n
		return total, nil
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, "add", add, workflow.UpdateHandlerOptions{
		Validator: func(n int) error {
			if n < 0 {
				return errors.New("never negative")
			}
			return nil
		}})
	if err != nil {
		return 0, err
	}
	err = workflow.SetUpdateHandler(ctx, "addByActivity", func(ctx workflow.Context, n int) (int, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		var twice int
		if err := workflow.ExecuteActivity(ctx, "double", n).Get(ctx, &twice); err != nil {
			return 0, err
		}
		total += twice
		return total, nil
	})
	if err != nil {
		return 0, err
	}
	err = workflow.SetUpdateHandler(ctx, "end", func(workflow.Context) error { ended = true; return nil })
	if err != nil {
		return 0, err
	}
	wake := workflow.GetSignalChannel(ctx, "wake")
	workflow.Go(ctx, func(ctx workflow.Context) { wake.Receive(ctx, nil); ended = true })
	err = workflow.Await(ctx, func() bool { return ended })
	return total, err
}

func counting(r worker.Registry) {
	r.RegisterWorkflowWithOptions(counter, workflow.RegisterOptions{Name: "counter"})
	r.RegisterActivityWithOptions(func(_ context.Context, n int) (int, error) { return 2 * n, nil }, activity.RegisterOptions{Name: "double"})
}

// update asks for an update and waits for its result.
func (s *suite) update(ctx context.Context, updateID, name string, args ...any) (int, error) {
	s.Helper()
	handle, err := s.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: s.Name(), UpdateID: updateID, UpdateName: name, Args: args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return 0, err
	}
	var n int
	return n, handle.Get(ctx, &n)
}

func (s *suite) mustUpdate(ctx context.Context, want int, updateID, name string, args ...any) {
	s.Helper()
	if got, err := s.update(ctx, updateID, name, args...); err != nil || got != want {
		s.Fatalf("%s: %d, %v; want %d", updateID, got, err, want)
	}
}

func types(events []*historypb.HistoryEvent) (names []string) {
	for _, ev := range events {
		names = append(names, ev.GetEventType().String())
	}
	return names
}

// An update is accepted and answered; the same id is answered the same, though
// nothing is added a second time.
func TestUpdate(t *testing.T) {
	ctx, s := begin(t, counting)
	run := s.start(ctx, "counter")
	s.mustUpdate(ctx, 3, "u1", "add", 3)
	s.mustUpdate(ctx, 3, "u1", "add", 3)
	s.mustUpdate(ctx, 7, "u2", "add", 4)
	if _, err := s.update(ctx, "u3", "add", 101); err == nil || err.Error() != "too much at once" {
		t.Errorf("a handler that fails: %v", err)
	}
	s.mustUpdate(ctx, 0, "u4", "end")
	var total int
	if err := run.Get(ctx, &total); err != nil || total != 7 {
		t.Errorf("ended with %d, %v", total, err)
	}
	// Outcomes outlive the run.
	s.mustUpdate(ctx, 7, "u2", "add", 4)
	var n int
	if err := s.client.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{WorkflowID: s.Name(), RunID: run.GetRunID(), UpdateID: "u1"}).Get(ctx, &n); err != nil || n != 3 {
		t.Errorf("polled %d, %v", n, err)
	}
}

// A rejected update leaves no trace in history, and does not disturb what follows.
func TestUpdateRejected(t *testing.T) {
	ctx, s := begin(t, counting)
	run := s.start(ctx, "counter")
	s.mustUpdate(ctx, 1, "first", "add", 1)
	before := types(s.history(ctx, s.Name(), ""))
	for n := range 5 {
		_, err := s.update(ctx, fmt.Sprint("bad-", n%2), "add", -1)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.Message() != "never negative" {
			t.Fatalf("got %v", err)
		}
	}
	if after := types(s.history(ctx, s.Name(), "")); !slices.Equal(before, after) {
		t.Errorf("history was\n%v\nand is\n%v", before, after)
	}
	s.mustUpdate(ctx, 3, "second", "add", 2)
	if _, err := s.update(ctx, "unknown", "no such update"); err == nil {
		t.Error("an update without a handler is accepted")
	}
	if err := s.client.SignalWorkflow(ctx, s.Name(), "", "wake", nil); err != nil {
		t.Fatal(err)
	}
	var total int
	if err := run.Get(ctx, &total); err != nil || total != 3 {
		t.Errorf("ended with %d, %v", total, err)
	}
}

// Several updates at once, some with activities, all take effect once.
func TestUpdatesTogether(t *testing.T) {
	ctx, s := begin(t, counting)
	run := s.start(ctx, "counter")
	const each = 8
	errs := make(chan error, 2*each)
	for n := range each {
		go func() { _, err := s.update(ctx, fmt.Sprint("plain-", n), "add", 1); errs <- err }()
		go func() { _, err := s.update(ctx, fmt.Sprint("activity-", n), "addByActivity", 1); errs <- err }()
	}
	for range 2 * each {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	s.mustUpdate(ctx, 0, "end", "end")
	var total int
	if err := run.Get(ctx, &total); err != nil || total != 3*each {
		t.Errorf("ended with %d, %v; want %d", total, err, 3*each)
	}
}

// Who waits for acceptance only gets it, and the outcome later.
func TestUpdateAccepted(t *testing.T) {
	release := make(chan struct{})
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(counter, workflow.RegisterOptions{Name: "counter"})
		r.RegisterActivityWithOptions(func(_ context.Context, n int) (int, error) { <-release; return 2 * n, nil },
			activity.RegisterOptions{Name: "double"})
	})
	s.start(ctx, "counter")
	handle, err := s.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: s.Name(), UpdateID: "slow", UpdateName: "addByActivity", Args: []any{2}, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		t.Fatal(err)
	}
	last := s.history(ctx, s.Name(), "")
	if names := types(last); !slices.Contains(names, "WorkflowExecutionUpdateAccepted") || slices.Contains(names, "WorkflowExecutionUpdateCompleted") {
		t.Errorf("history is %v", names)
	}
	close(release)
	var n int
	if err := handle.Get(ctx, &n); err != nil || n != 4 {
		t.Errorf("got %d, %v", n, err)
	}
}

// A run that ends under an accepted update fails it; one it had not looked at
// hears that the run is gone.
func TestUpdateOfClosingWorkflow(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) error {
		ended := false
		err := workflow.SetUpdateHandler(ctx, "hang", func(ctx workflow.Context) error {
			ended = true
			return workflow.Sleep(ctx, time.Hour)
		})
		if err != nil {
			return err
		}
		return workflow.Await(ctx, func() bool { return ended })
	}))
	run := s.start(ctx, "wf")
	_, err := s.update(ctx, "u", "hang")
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != "AcceptedUpdateCompletedWorkflow" {
		t.Errorf("got %v", err)
	}
	if err := run.Get(ctx, nil); err != nil {
		t.Error(err)
	}
	_, err = s.update(ctx, "late", "hang")
	var gone *serviceerror.NotFound
	if !errors.As(err, &gone) {
		t.Errorf("an update of a closed workflow: %v", err)
	}
}

// An update that comes while the workflow continues as new finds the next run.
func TestUpdateAcrossContinueAsNew(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context, round int) (int, error) {
			ended := false
			if round < 3 {
				if err := workflow.Sleep(ctx, 100*time.Millisecond); err != nil {
					return 0, err
				}
				return 0, workflow.NewContinueAsNewError(ctx, "rounds", round+1)
			}
			err := workflow.SetUpdateHandler(ctx, "end", func(workflow.Context) (int, error) { ended = true; return round, nil })
			if err != nil {
				return 0, err
			}
			return round, workflow.Await(ctx, func() bool { return ended })
		}, workflow.RegisterOptions{Name: "rounds"})
	})
	run := s.start(ctx, "rounds", 1)
	// Rejected by the rounds that have no handler; asked until there is one.
	for {
		n, err := s.update(ctx, "end", "end")
		if err == nil {
			if n != 3 {
				t.Errorf("answered by round %d", n)
			}
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if err := run.Get(ctx, nil); err != nil {
		t.Error(err)
	}
}

// Update-with-start starts the workflow, or uses the one that runs.
func TestUpdateWithStart(t *testing.T) {
	ctx, s := begin(t, counting)
	call := func(updateID string, policy enumspb.WorkflowIdConflictPolicy) (int, string, error) {
		start := s.client.NewWithStartWorkflowOperation(client.StartWorkflowOptions{
			ID: s.Name(), TaskQueue: s.queue, WorkflowIDConflictPolicy: policy}, "counter")
		handle, err := s.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: start,
			UpdateOptions: client.UpdateWorkflowOptions{UpdateID: updateID, UpdateName: "add", Args: []any{5},
				WaitForStage: client.WorkflowUpdateStageCompleted},
		})
		if err != nil {
			return 0, "", err
		}
		run, err := start.Get(ctx)
		if err != nil {
			return 0, "", err
		}
		var n int
		return n, run.GetRunID(), handle.Get(ctx, &n)
	}
	n, first, err := call("u1", enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL)
	if err != nil || n != 5 {
		t.Fatalf("started with %d, %v", n, err)
	}
	n, second, err := call("u2", enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
	if err != nil || n != 10 || first != second {
		t.Errorf("used %s, not %s, with %d, %v", second, first, n, err)
	}
	_, _, err = call("u3", enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL)
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	if !errors.As(err, &running) {
		t.Errorf("a second start: %T %v", err, err)
	}
	if n, _, err = call("u2", enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL); err != nil || n != 10 {
		t.Errorf("repeated: %d, %v", n, err)
	}
}

// The worker is replaced between the acceptance of an update and its completion;
// the next one replays the acceptance from history.
func TestUpdateOutlivesWorker(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(counter, workflow.RegisterOptions{Name: "counter"})
		// No activities here: the update waits for another worker.
	})
	s.worker.Stop()
	first := worker.New(s.client, s.queue, worker.Options{LocalActivityWorkerOnly: true})
	first.RegisterWorkflowWithOptions(counter, workflow.RegisterOptions{Name: "counter"})
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	s.start(ctx, "counter")
	handle, err := s.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: s.Name(), UpdateID: "u", UpdateName: "addByActivity", Args: []any{2}, WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		t.Fatal(err)
	}
	first.Stop()
	s.work(counting, worker.Options{})
	var n int
	if err := handle.Get(ctx, &n); err != nil || n != 4 {
		t.Errorf("got %d, %v", n, err)
	}
}

// The server is killed under updates: accepted ones go on, and clients that ask
// again are served; nothing is added twice.
func TestUpdatesOutliveServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	t.Cleanup(cancel)
	server := harness.Start(t)
	s := &suite{T: t, server: server, queue: t.Name()}
	s.client = dial(t, server.GRPC())
	s.worker = s.work(counting, worker.Options{})
	run := s.start(ctx, "counter")
	const updates, callers = 40, 4
	done := make(chan error, updates)
	for caller := range callers {
		go func() {
			for n := caller; n < updates; n += callers {
				_, err := s.update(ctx, fmt.Sprint("u-", n), []string{"add", "addByActivity"}[n%2], 1)
				for err != nil && ctx.Err() == nil {
					_, err = s.update(ctx, fmt.Sprint("u-", n), []string{"add", "addByActivity"}[n%2], 1)
				}
				done <- err
			}
		}()
	}
	for n := range updates {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n == 5 || n == 15 || n == 25 { // the other callers' updates are under way
			server.Kill()
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.client.SignalWorkflow(ctx, s.Name(), "", "wake", nil); err != nil {
		t.Fatal(err)
	}
	var total int
	if err := run.Get(ctx, &total); err != nil || total != updates/2*3 {
		t.Errorf("ended with %d, %v; want %d", total, err, updates/2*3)
	}
}
