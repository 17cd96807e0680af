//go:build e2e

package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/perdure/perdure/e2e/harness"
)

// history reads all events of a run.
func (s *suite) history(ctx context.Context, id, run string) []*historypb.HistoryEvent {
	s.Helper()
	var events []*historypb.HistoryEvent
	all := s.client.GetWorkflowHistory(ctx, id, run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		ev, err := all.Next()
		if err != nil {
			s.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

func only(name string, definition any) func(worker.Registry) {
	return func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(definition, workflow.RegisterOptions{Name: name})
	}
}

func TestTimer(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) (time.Duration, error) {
		began := workflow.Now(ctx)
		err := workflow.Sleep(ctx, 700*time.Millisecond)
		return workflow.Now(ctx).Sub(began), err
	}))
	var slept time.Duration
	if err := s.start(ctx, "wf").Get(ctx, &slept); err != nil || slept < 700*time.Millisecond {
		t.Fatalf("slept %s, %v", slept, err)
	}
}

func TestSignalAndQuery(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) (string, error) {
		state := "waiting"
		if err := workflow.SetQueryHandler(ctx, "state", func() (string, error) { return state, nil }); err != nil {
			return "", err
		}
		var got string
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, &got)
		state = "signalled"
		return got, nil
	}))
	run := s.start(ctx, "wf")
	ask := func(want string) {
		t.Helper()
		answer, err := s.client.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), "state")
		var got string
		if err == nil {
			err = answer.Get(&got)
		}
		if err != nil || got != want {
			t.Errorf("query: %q, %v; want %q", got, err, want)
		}
	}
	ask("waiting")
	if _, err := s.client.QueryWorkflow(ctx, run.GetID(), "", "no such query"); err == nil {
		t.Error("an unknown query was answered")
	} else if failed := new(serviceerror.QueryFailed); !errors.As(err, &failed) {
		t.Errorf("unknown query: %T %v", err, err)
	}
	if err := s.client.SignalWorkflow(ctx, run.GetID(), "", "go", "now"); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "now" {
		t.Fatalf("%q, %v", got, err)
	}
	ask("signalled") // of the closed run
}

func TestChildWorkflow(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context, fail bool) (string, error) {
			ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{})
			var got string
			err := workflow.ExecuteChildWorkflow(ctx, "child", fail).Get(ctx, &got)
			return got, err
		}, workflow.RegisterOptions{Name: "parent"})
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context, fail bool) (string, error) {
			if fail {
				return "", temporal.NewApplicationError("child fell", "Fell")
			}
			return workflow.GetInfo(ctx).ParentWorkflowExecution.ID, nil
		}, workflow.RegisterOptions{Name: "child"})
	})
	var got string
	if err := s.start(ctx, "parent", false).Get(ctx, &got); err != nil || got != s.Name() {
		t.Fatalf("%q, %v", got, err)
	}
	err := s.start(ctx, "parent", true).Get(ctx, nil)
	var child *temporal.ChildWorkflowExecutionError
	var app *temporal.ApplicationError
	if !errors.As(err, &child) || !errors.As(child, &app) || app.Type() != "Fell" {
		t.Fatalf("%v", err)
	}
}

func TestContinueAsNew(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context, n int) (int, error) {
		if n < 3 {
			return 0, workflow.NewContinueAsNewError(ctx, "wf", n+1)
		}
		return n, nil
	}))
	run := s.start(ctx, "wf", 0)
	first := run.GetRunID()
	var got int
	if err := run.Get(ctx, &got); err != nil || got != 3 {
		t.Fatalf("%d, %v", got, err)
	}
	description, err := s.client.DescribeWorkflowExecution(ctx, run.GetID(), "")
	if err != nil || description.WorkflowExecutionInfo.FirstRunId != first {
		t.Errorf("first run %q, want %q; %v", description.GetWorkflowExecutionInfo().GetFirstRunId(), first, err)
	}
}

func TestWorkflowCancel(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }))
	run := s.start(ctx, "wf")
	if err := s.client.CancelWorkflow(ctx, run.GetID(), run.GetRunID()); err != nil {
		t.Fatal(err)
	}
	if err := run.Get(ctx, nil); !temporal.IsCanceledError(err) {
		t.Fatalf("%v", err)
	}
}

func TestWorkflowTerminate(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }))
	run := s.start(ctx, "wf")
	if err := s.client.TerminateWorkflow(ctx, run.GetID(), "", "enough", "detail"); err != nil {
		t.Fatal(err)
	}
	err := run.Get(ctx, nil)
	if terminated := new(temporal.TerminatedError); !errors.As(err, &terminated) {
		t.Fatalf("%v", err)
	}
	if err := s.client.TerminateWorkflow(ctx, run.GetID(), "", "again"); err == nil {
		t.Error("a closed run was terminated")
	} else if missing := new(serviceerror.NotFound); !errors.As(err, &missing) {
		t.Errorf("%T %v", err, err)
	}
}

func TestWorkflowRetryAndItsFailureChain(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) (int32, error) {
			attempt := workflow.GetInfo(ctx).Attempt
			if attempt < 2 {
				return 0, errors.New("first attempt")
			}
			return attempt, nil
		}, workflow.RegisterOptions{Name: "wf"})
	})
	run, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: s.Name(), TaskQueue: s.queue,
		RetryPolicy: retries(3)}, "wf")
	if err != nil {
		t.Fatal(err)
	}
	var attempt int32
	if err := run.Get(ctx, &attempt); err != nil || attempt != 2 {
		t.Fatalf("attempt %d, %v", attempt, err)
	}
}

func TestStartPolicies(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Hour) }))
	run := s.start(ctx, "wf")
	_, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: run.GetID(), TaskQueue: s.queue,
		WorkflowExecutionErrorWhenAlreadyStarted: true}, "wf")
	already := new(serviceerror.WorkflowExecutionAlreadyStarted)
	if !errors.As(err, &already) || already.RunId != run.GetRunID() {
		t.Fatalf("%T %v", err, err)
	}
	again, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: run.GetID(), TaskQueue: s.queue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING}, "wf")
	if err != nil || again.GetRunID() != run.GetRunID() {
		t.Fatalf("%v, %v", again, err)
	}
	fresh, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: run.GetID(), TaskQueue: s.queue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING}, "wf")
	if err != nil || fresh.GetRunID() == run.GetRunID() {
		t.Fatalf("%v, %v", fresh, err)
	}
	if err := s.client.TerminateWorkflow(ctx, run.GetID(), fresh.GetRunID(), "done"); err != nil {
		t.Fatal(err)
	}
}

func TestSignalWithStart(t *testing.T) {
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) (string, error) {
		var got string
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, &got)
		return got, nil
	}))
	run, err := s.client.SignalWithStartWorkflow(ctx, s.Name(), "go", "both", client.StartWorkflowOptions{TaskQueue: s.queue}, "wf")
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "both" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestExternalSignalAndCancel(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context, target string) error {
			if err := workflow.SignalExternalWorkflow(ctx, target, "", "go", "hi").Get(ctx, nil); err != nil {
				return err
			}
			if err := workflow.SignalExternalWorkflow(ctx, "nobody", "", "go", nil).Get(ctx, nil); err == nil {
				return errors.New("a signal to nobody arrived")
			}
			return workflow.RequestCancelExternalWorkflow(ctx, target, "").Get(ctx, nil)
		}, workflow.RegisterOptions{Name: "sender"})
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) (string, error) {
			var got string
			workflow.GetSignalChannel(ctx, "go").Receive(ctx, &got)
			if err := workflow.Sleep(ctx, time.Hour); !temporal.IsCanceledError(err) {
				return "", err
			}
			return got, nil
		}, workflow.RegisterOptions{Name: "receiver"})
	})
	target := s.Name() + "-receiver"
	receiver, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: target, TaskQueue: s.queue}, "receiver")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.start(ctx, "sender", target).Get(ctx, nil); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := receiver.Get(ctx, &got); err != nil || got != "hi" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestSideEffectVersionMemoAndSearchAttributes(t *testing.T) {
	color := temporal.NewSearchAttributeKeyKeyword("Color")
	ctx, s := begin(t, only("wf", func(ctx workflow.Context) (int, error) {
		v := workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 1)
		var n int
		if err := workflow.SideEffect(ctx, func(workflow.Context) any { return 41 }).Get(&n); err != nil {
			return 0, err
		}
		if err := workflow.UpsertTypedSearchAttributes(ctx, color.ValueSet("red")); err != nil {
			return 0, err
		}
		if err := workflow.UpsertMemo(ctx, map[string]any{"note": "kept"}); err != nil {
			return 0, err
		}
		if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
			return 0, err
		}
		return n + int(v), nil
	}))
	run := s.start(ctx, "wf")
	var got int
	if err := run.Get(ctx, &got); err != nil || got != 42 {
		t.Fatalf("%d, %v", got, err)
	}
	d, err := s.client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
	if err != nil {
		t.Fatal(err)
	}
	info := d.WorkflowExecutionInfo
	if value := info.SearchAttributes.GetIndexedFields()["Color"]; string(value.GetData()) != `"red"` ||
		string(value.GetMetadata()["type"]) != "Keyword" {
		t.Errorf("Color is %v", value)
	}
	if note := info.Memo.GetFields()["note"]; string(note.GetData()) != `"kept"` {
		t.Errorf("memo note is %v", note)
	}
}

func TestListAndCount(t *testing.T) {
	ctx, s := begin(t, only("listed", func(workflow.Context) error { return nil }))
	run := s.start(ctx, "listed")
	if err := run.Get(ctx, nil); err != nil {
		t.Fatal(err)
	}
	// I10: the caller has seen the close, so the list shows it.
	list, err := s.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: "WorkflowType = 'listed' AND ExecutionStatus = 'Completed' AND WorkflowId = '" + run.GetID() + "'"})
	if err != nil || len(list.Executions) != 1 || list.Executions[0].Execution.RunId != run.GetRunID() {
		t.Fatalf("%v, %v", list, err)
	}
	count, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Query: "WorkflowId = '" + run.GetID() + "'"})
	if err != nil || count.Count != 1 {
		t.Fatalf("%v, %v", count, err)
	}
}

func TestDeleteWorkflow(t *testing.T) {
	ctx, s := begin(t, only("wf", func(workflow.Context) error { return nil }))
	run := s.start(ctx, "wf")
	if err := run.Get(ctx, nil); err != nil {
		t.Fatal(err)
	}
	_, err := s.client.WorkflowService().DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID()}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
	if missing := new(serviceerror.NotFound); !errors.As(err, &missing) {
		t.Errorf("%T %v", err, err)
	}
}

// The worker in the middle of a workflow is replaced: the next one replays.
func TestWorkerRestartInTheMiddle(t *testing.T) {
	definition := func(ctx workflow.Context) (string, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Second})
		var before, after string
		if err := workflow.ExecuteActivity(ctx, "say", "before").Get(ctx, &before); err != nil {
			return "", err
		}
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		err := workflow.ExecuteActivity(ctx, "say", "after").Get(ctx, &after)
		return before + after, err
	}
	register := func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(definition, workflow.RegisterOptions{Name: "wf"})
		r.RegisterActivityWithOptions(func(_ context.Context, s string) (string, error) { return s, nil },
			activity.RegisterOptions{Name: "say"})
	}
	ctx, s := begin(t, register)
	run := s.start(ctx, "wf")
	s.untilHistory(ctx, run, func(events []*historypb.HistoryEvent) bool {
		completed := 0
		for _, ev := range events {
			if ev.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				completed++
			}
		}
		return completed == 2
	})
	s.worker.Stop()
	worker.PurgeStickyWorkflowCache()
	if err := s.client.SignalWorkflow(ctx, run.GetID(), "", "go", nil); err != nil {
		t.Fatal(err)
	}
	s.work(register, worker.Options{})
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "beforeafter" {
		t.Fatalf("%q, %v", got, err)
	}
}

// untilHistory follows the history by long poll until it looks as wanted.
func (s *suite) untilHistory(ctx context.Context, run client.WorkflowRun, wanted func([]*historypb.HistoryEvent) bool) {
	s.Helper()
	var events []*historypb.HistoryEvent
	follow := s.client.GetWorkflowHistory(ctx, run.GetID(), run.GetRunID(), true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for follow.HasNext() {
		ev, err := follow.Next()
		if err != nil {
			s.Fatal(err)
		}
		if events = append(events, ev); wanted(events) {
			return
		}
	}
	s.Fatalf("the run closed before its history looked as wanted: %v", events)
}

// The server is killed while a workflow waits for a timer and an activity is
// being retried; both go on after the restart.
func TestServerIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	s := &suite{T: t, server: harness.Start(t), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	s.work(func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) (string, error) {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Second,
				RetryPolicy: &temporal.RetryPolicy{InitialInterval: 500 * time.Millisecond, BackoffCoefficient: 1}})
			act := workflow.ExecuteActivity(ctx, "thrice")
			if err := workflow.Sleep(ctx, 2*time.Second); err != nil {
				return "", err
			}
			var got string
			err := act.Get(ctx, &got)
			return got, err
		}, workflow.RegisterOptions{Name: "wf"})
		r.RegisterActivityWithOptions(func(ctx context.Context) (string, error) {
			if activity.GetInfo(ctx).Attempt < 3 {
				return "", errors.New("again")
			}
			return "survived", nil
		}, activity.RegisterOptions{Name: "thrice"})
	}, worker.Options{})
	run := s.start(ctx, "wf")
	s.untilHistory(ctx, run, func(events []*historypb.HistoryEvent) bool {
		return events[len(events)-1].EventType == enumspb.EVENT_TYPE_TIMER_STARTED
	})
	s.server.Kill()
	if err := s.server.Restart(); err != nil {
		t.Fatal(err)
	}
	var got string
	if err := run.Get(ctx, &got); err != nil || got != "survived" {
		t.Fatalf("%q, %v", got, err)
	}
}
