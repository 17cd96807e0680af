//go:build e2e

package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// reset resets the workflow of the test, from its current run or the one given.
func (s *suite) reset(ctx context.Context, runID string, at int64, exclude ...enumspb.ResetReapplyExcludeType) string {
	s.Helper()
	r, err := s.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: s.Name(), RunId: runID},
		Reason: "for the test", WorkflowTaskFinishEventId: at, ResetReapplyExcludeTypes: exclude,
	})
	if err != nil {
		s.Fatal(err)
	}
	return r.GetRunId()
}

// past is the history of a run.
func (s *suite) past(ctx context.Context, runID string) (events []*historypb.HistoryEvent) {
	s.Helper()
	for i := s.client.GetWorkflowHistory(ctx, s.Name(), runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); i.HasNext(); {
		ev, err := i.Next()
		if err != nil {
			s.Fatal(err)
		}
		events = append(events, ev)
	}
	return events
}

// completions are the ids of WorkflowTaskCompleted events.
func completions(events []*historypb.HistoryEvent) (ids []int64) {
	for _, ev := range events {
		if ev.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			ids = append(ids, ev.GetEventId())
		}
	}
	return ids
}

func count(events []*historypb.HistoryEvent, kind enumspb.EventType) (n int) {
	for _, ev := range events {
		if ev.GetEventType() == kind {
			n++
		}
	}
	return n
}

func (s *suite) result(ctx context.Context, runID string, into any) {
	s.Helper()
	if err := s.client.GetWorkflow(ctx, s.Name(), runID).Get(ctx, into); err != nil {
		s.Fatal(err)
	}
}

// A workflow that failed because of a bug is reset to before the bug, with a
// worker that has it no more: what was done is not done again, and the signals
// that came later are not lost (workflow.md 7).
func TestResetOfAFailedWorkflow(t *testing.T) {
	var buggy atomic.Bool
	buggy.Store(true)
	var charges atomic.Int32
	order := func(ctx workflow.Context) (string, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		var receipt, extra string
		if err := workflow.ExecuteActivity(ctx, "charge").Get(ctx, &receipt); err != nil {
			return "", err
		}
		workflow.GetSignalChannel(ctx, "extra").Receive(ctx, &extra)
		if buggy.Load() {
			return "", temporal.NewNonRetryableApplicationError("a bug", "Bug", nil)
		}
		return receipt + " " + extra, nil
	}
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(order, workflow.RegisterOptions{Name: "order"})
		r.RegisterActivityWithOptions(func(context.Context) (string, error) {
			charges.Add(1)
			return "charged", nil
		}, activity.RegisterOptions{Name: "charge"})
	})
	run := s.start(ctx, "order")
	if err := s.client.SignalWorkflow(ctx, s.Name(), "", "extra", "with cream"); err != nil {
		t.Fatal(err)
	}
	if err := run.Get(ctx, nil); err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Fatalf("the first run ended with %v", err)
	}
	buggy.Store(false)
	ids := completions(s.past(ctx, run.GetRunID()))
	made := s.reset(ctx, "", ids[len(ids)-1])
	var got string
	s.result(ctx, made, &got)
	if got != "charged with cream" || charges.Load() != 1 {
		t.Errorf("the new run ended with %q after %d charges", got, charges.Load())
	}
	base, err := s.client.DescribeWorkflowExecution(ctx, s.Name(), run.GetRunID())
	if err != nil {
		t.Fatal(err)
	}
	now, err := s.client.DescribeWorkflowExecution(ctx, s.Name(), "")
	if err != nil {
		t.Fatal(err)
	}
	if base.GetWorkflowExtendedInfo().GetResetRunId() != made || now.GetWorkflowExecutionInfo().GetExecution().GetRunId() != made ||
		!now.GetWorkflowExtendedInfo().GetOriginalStartTime().AsTime().Equal(base.GetWorkflowExecutionInfo().GetStartTime().AsTime()) ||
		now.GetWorkflowExtendedInfo().GetLastResetTime() == nil {
		t.Errorf("described are %v and %v", base.GetWorkflowExtendedInfo(), now.GetWorkflowExtendedInfo())
	}
	_, err = s.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{Namespace: "default",
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: s.Name()}, WorkflowTaskFinishEventId: 2000})
	var invalid *serviceerror.InvalidArgument
	if !errors.As(err, &invalid) {
		t.Errorf("a reset beyond the end: %v", err)
	}
}

// gather takes signals until "done" comes, with a timer that never fires first.
func gather(ctx workflow.Context) ([]string, error) {
	var seen []string
	signals := workflow.GetSignalChannel(ctx, "item")
	for {
		var item string
		signals.Receive(ctx, &item)
		if item == "done" {
			return seen, nil
		}
		seen = append(seen, item)
	}
}

// An open workflow is reset to its beginning: it is terminated by the resetter,
// and its signals come again, in order, or not, as asked.
func TestResetOfAnOpenWorkflow(t *testing.T) {
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(gather, workflow.RegisterOptions{Name: "gather"})
	})
	signal := func(item string) {
		t.Helper()
		if err := s.client.SignalWorkflow(ctx, s.Name(), "", "item", item); err != nil {
			t.Fatal(err)
		}
	}
	run := s.start(ctx, "gather")
	s.awaitEvent(ctx, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	for _, item := range []string{"a", "b", "c"} {
		signal(item)
	}
	first := completions(s.past(ctx, run.GetRunID()))[0]
	made := s.reset(ctx, "", first)
	events := s.past(ctx, run.GetRunID())
	last := events[len(events)-1]
	if a := last.GetWorkflowExecutionTerminatedEventAttributes(); a.GetIdentity() != "history-resetter" || a.GetReason() != "for the test" {
		t.Errorf("the first run ends with %v", last)
	}
	signal("done")
	var seen []string
	s.result(ctx, made, &seen)
	if !slices.Equal(seen, []string{"a", "b", "c"}) {
		t.Errorf("the new run has seen %v", seen)
	}
	// Once more, from the first run, without its signals.
	without := s.reset(ctx, run.GetRunID(), first, enumspb.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL)
	signal("d")
	signal("done")
	s.result(ctx, without, &seen)
	if !slices.Equal(seen, []string{"d"}) {
		t.Errorf("the run without signals has seen %v", seen)
	}
}

func (s *suite) awaitEvent(ctx context.Context, kind enumspb.EventType) {
	s.Helper()
	for i := s.client.GetWorkflowHistory(ctx, s.Name(), "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); ; {
		ev, err := i.Next()
		if err != nil {
			s.Fatal(err)
		}
		if ev.GetEventType() == kind {
			return
		}
	}
}

// What a later run of the chain was told comes again, too.
func TestResetAcrossContinueAsNew(t *testing.T) {
	gatherOn := func(ctx workflow.Context, seen []string) ([]string, error) {
		signals := workflow.GetSignalChannel(ctx, "item")
		for {
			var item string
			signals.Receive(ctx, &item)
			switch item {
			case "done":
				return seen, nil
			case "on":
				for signals.ReceiveAsync(&item) { // what is left behind would be lost
					seen = append(seen, item)
				}
				return nil, workflow.NewContinueAsNewError(ctx, "gatherOn", seen)
			}
			seen = append(seen, item)
		}
	}
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(gatherOn, workflow.RegisterOptions{Name: "gatherOn"})
	})
	run := s.start(ctx, "gatherOn", []string{})
	signal := func(item string) {
		t.Helper()
		if err := s.client.SignalWorkflow(ctx, s.Name(), "", "item", item); err != nil {
			t.Fatal(err)
		}
	}
	signal("a")
	s.awaitEvent(ctx, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	signal("on")
	next := s.awaitSuccessor(ctx, run.GetRunID())
	signal("b")
	made := s.reset(ctx, run.GetRunID(), completions(s.past(ctx, run.GetRunID()))[0])
	// The new run continues itself again, since it is told to.
	again := s.awaitSuccessor(ctx, made)
	signal("done")
	var seen []string
	s.result(ctx, again, &seen)
	if !slices.Equal(seen, []string{"a", "b"}) || next == again {
		t.Errorf("seen are %v", seen)
	}
}

// awaitSuccessor waits until the run was continued as another.
func (s *suite) awaitSuccessor(ctx context.Context, runID string) string {
	s.Helper()
	i := s.client.GetWorkflowHistory(ctx, s.Name(), runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	ev, err := i.Next()
	if err != nil {
		s.Fatal(err)
	}
	next := ev.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	if next == "" {
		s.Fatalf("the run ended with %v", ev)
	}
	return next
}

// Updates that were accepted are carried out once more, under their ids.
func TestResetReappliesUpdates(t *testing.T) {
	ctx, s := begin(t, counting)
	run := s.start(ctx, "counter")
	s.mustUpdate(ctx, 1, "u1", "add", 1)
	s.mustUpdate(ctx, 3, "u2", "add", 2)
	first := completions(s.past(ctx, run.GetRunID()))[0]
	made := s.reset(ctx, "", first)
	s.mustUpdate(ctx, 3, "u2", "add", 2) // joins what was applied again
	s.mustUpdate(ctx, 7, "u3", "add", 4)
	events := s.past(ctx, made)
	if n := count(events, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED); n != 2 {
		t.Errorf("%d updates were admitted again, want 2", n)
	}
	if err := s.client.SignalWorkflow(ctx, s.Name(), "", "wake", nil); err != nil {
		t.Fatal(err)
	}
	var total int
	s.result(ctx, made, &total)
	if total != 7 {
		t.Errorf("the total is %d, want 7", total)
	}
}

// A child that was started before the point of reset goes on, and its result
// goes to the new run.
func TestResetKeepsChildren(t *testing.T) {
	parent := func(ctx workflow.Context) (string, error) {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child"})
		child := workflow.ExecuteChildWorkflow(ctx, "child")
		if err := child.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return "", err
		}
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		if err := child.SignalChildWorkflow(ctx, "end", "by its parent").Get(ctx, nil); err != nil {
			return "", err
		}
		var result string
		err := child.Get(ctx, &result)
		return result, err
	}
	child := func(ctx workflow.Context) (string, error) {
		var how string
		workflow.GetSignalChannel(ctx, "end").Receive(ctx, &how)
		return "ended " + how, nil
	}
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(parent, workflow.RegisterOptions{Name: "parent"})
		r.RegisterWorkflowWithOptions(child, workflow.RegisterOptions{Name: "child"})
	})
	run := s.start(ctx, "parent")
	s.awaitEvent(ctx, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED)
	ids := s.awaitCompletions(ctx, run.GetRunID(), 2)
	made := s.reset(ctx, "", ids[1])
	if err := s.client.SignalWorkflow(ctx, s.Name(), "", "go", nil); err != nil {
		t.Fatal(err)
	}
	var result string
	s.result(ctx, made, &result)
	if result != "ended by its parent" {
		t.Errorf("the child's result is %q", result)
	}
	d, err := s.client.DescribeWorkflowExecution(ctx, s.Name()+"-child", "")
	if err != nil || d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		t.Errorf("the child is %v, %v", d.GetWorkflowExecutionInfo().GetStatus(), err)
	}
}

// awaitCompletions waits for so many completed workflow tasks.
func (s *suite) awaitCompletions(ctx context.Context, runID string, n int) (ids []int64) {
	s.Helper()
	for i := s.client.GetWorkflowHistory(ctx, s.Name(), runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); len(ids) < n; {
		ev, err := i.Next()
		if err != nil {
			s.Fatal(err)
		}
		ids = append(ids, completions([]*historypb.HistoryEvent{ev})...)
	}
	return ids
}

// Activities and timers that were open at the point of reset go on: the activity
// is handed out again, the timer keeps its time.
func TestResetResumesWhatWasOpen(t *testing.T) {
	var attempts atomic.Int32
	hold := make(chan struct{})
	waiting := func(ctx workflow.Context) (string, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		timer := workflow.NewTimer(ctx, 2*time.Second)
		act := workflow.ExecuteActivity(ctx, "slow")
		workflow.GetSignalChannel(ctx, "look").Receive(ctx, nil)
		var result string
		if err := act.Get(ctx, &result); err != nil {
			return "", err
		}
		return result, timer.Get(ctx, nil)
	}
	ctx, s := begin(t, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(waiting, workflow.RegisterOptions{Name: "waiting"})
		r.RegisterActivityWithOptions(func(ctx context.Context) (string, error) {
			if attempts.Add(1) == 1 {
				<-hold // the attempt of the first run, whose answer comes too late
				return "late", nil
			}
			return "done", nil
		}, activity.RegisterOptions{Name: "slow"})
	})
	defer close(hold)
	run := s.start(ctx, "waiting")
	if err := s.client.SignalWorkflow(ctx, s.Name(), "", "look", nil); err != nil {
		t.Fatal(err)
	}
	ids := s.awaitCompletions(ctx, run.GetRunID(), 2)
	made := s.reset(ctx, "", ids[1])
	var result string
	s.result(ctx, made, &result)
	if result != "done" || attempts.Load() != 2 {
		t.Errorf("the result is %q after %d attempts", result, attempts.Load())
	}
	var started, fired time.Time
	for _, ev := range s.past(ctx, made) {
		switch ev.GetEventType() {
		case enumspb.EVENT_TYPE_TIMER_STARTED:
			started = ev.GetEventTime().AsTime()
		case enumspb.EVENT_TYPE_TIMER_FIRED:
			fired = ev.GetEventTime().AsTime()
		}
	}
	if fired.Sub(started) < 2*time.Second {
		t.Errorf("the timer fired %v after its start", fired.Sub(started))
	}
}
