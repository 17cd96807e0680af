//go:build e2e

package e2e

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/e2e/harness"
)

// pausable takes three signals, of which the first one wakes an activity, and
// ends with what it has seen.
func pausable(ctx workflow.Context) ([]string, error) {
	var seen []string
	err := workflow.SetQueryHandler(ctx, "seen", func() ([]string, error) { return seen, nil })
	if err != nil {
		return nil, err
	}
	err = workflow.SetUpdateHandler(ctx, "note", func(_ workflow.Context, what string) error {
		seen = append(seen, what)
		return nil
	})
	if err != nil {
		return nil, err
	}
	timer := workflow.NewTimer(ctx, 300*time.Millisecond)
	workflow.Go(ctx, func(ctx workflow.Context) {
		if timer.Get(ctx, nil) == nil {
			seen = append(seen, "timer")
		}
	})
	signals := workflow.GetSignalChannel(ctx, "go")
	for range 3 {
		var what string
		signals.Receive(ctx, &what)
		seen = append(seen, what)
		if what == "work" {
			ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, TaskQueue: workflow.GetInfo(ctx).TaskQueueName})
			if err := workflow.ExecuteActivity(ctx, "work").Get(ctx, nil); err != nil {
				return nil, err
			}
			seen = append(seen, "worked")
		}
	}
	return seen, nil
}

func registerPausable(r worker.Registry) {
	only("pausable", pausable)(r)
	r.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "work"})
}

func (s *suite) pause(ctx context.Context, requestID string) {
	s.Helper()
	_, err := s.api().PauseWorkflowExecution(ctx, &workflowservice.PauseWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: s.Name(), Identity: "operator", Reason: "maintenance", RequestId: requestID})
	s.must(err)
}

func (s *suite) unpause(ctx context.Context) {
	s.Helper()
	_, err := s.api().UnpauseWorkflowExecution(ctx, &workflowservice.UnpauseWorkflowExecutionRequest{Namespace: "default", WorkflowId: s.Name()})
	s.must(err)
}

// eventsUntil waits until an event of the type is in history, and gives all types.
func (s *suite) eventsUntil(ctx context.Context, wanted enumspb.EventType) []enumspb.EventType {
	s.Helper()
	var types []enumspb.EventType
	all := s.client.GetWorkflowHistory(ctx, s.Name(), "", true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		ev, err := all.Next()
		if err != nil {
			s.Fatalf("%v; waiting for %v after %v", err, wanted, types)
		}
		if types = append(types, ev.GetEventType()); ev.GetEventType() == wanted {
			return types
		}
	}
	s.Fatalf("no %v among %v", wanted, types)
	return nil
}

// Workflow.md 8.1: what a paused workflow does and does not do, as clients see
// it; a pause outlives the server; nothing that happened meanwhile is lost.
func TestPauseAWorkflow(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	s := &suite{T: t, server: harness.Start(t), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	s.work(registerPausable, worker.Options{})
	d, err := s.api().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	if s.must(err); !d.GetNamespaceInfo().GetCapabilities().GetWorkflowPause() {
		t.Error("not advertised")
	}

	run := s.start(ctx, "pausable")
	s.eventsUntil(ctx, enumspb.EVENT_TYPE_TIMER_STARTED)
	s.pause(ctx, "p1")
	s.pause(ctx, "p1") // the same again
	var already *serviceerror.FailedPrecondition
	_, err = s.api().PauseWorkflowExecution(ctx, &workflowservice.PauseWorkflowExecutionRequest{Namespace: "default", WorkflowId: s.Name(), RequestId: "p2"})
	if !errors.As(err, &already) || already.Error() != "workflow is already paused." {
		t.Errorf("paused twice: %v", err)
	}

	// Signals and timers are recorded, and nobody is told.
	s.must(s.client.SignalWorkflow(ctx, run.GetID(), "", "go", "one"))
	types := s.eventsUntil(ctx, enumspb.EVENT_TYPE_TIMER_FIRED)
	if slices.Contains(types[slices.Index(types, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED):], enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) {
		t.Errorf("a workflow task of a paused run: %v", types)
	}
	info, err := s.client.DescribeWorkflowExecution(ctx, run.GetID(), "")
	s.must(err)
	if p := info.GetWorkflowExtendedInfo().GetPauseInfo(); info.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED ||
		p.GetReason() != "maintenance" || p.GetIdentity() != "operator" || p.GetPausedTime() == nil || info.GetPendingWorkflowTask() != nil {
		t.Errorf("described as %v", info)
	}
	for query, want := range map[string]int64{
		"ExecutionStatus='Paused'":                                         1,
		"TemporalPauseInfo='Workflow:" + s.Name() + "'":                    1,
		"TemporalPauseInfo='Reason:maintenance'":                           1,
		"ExecutionStatus='Running'":                                        0,
		"ExecutionStatus IN ('Running', 'Paused') AND WorkflowType='none'": 0,
	} {
		n, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		if s.must(err); n.GetCount() != want {
			t.Errorf("%s: %d runs, want %d", query, n.GetCount(), want)
		}
	}

	// Queries and updates are refused, each in its own way; a start finds the run.
	q, err := s.api().QueryWorkflow(ctx, &workflowservice.QueryWorkflowRequest{Namespace: "default", Execution: s.execution(), Query: queryOf("seen")})
	if s.must(err); q.GetQueryRejected().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
		t.Errorf("query: %v", q)
	}
	_, err = s.client.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: run.GetID(), UpdateName: "note", Args: []any{"x"}, WaitForStage: client.WorkflowUpdateStageCompleted})
	var refused *serviceerror.FailedPrecondition
	if !errors.As(err, &refused) || refused.Error() != "Workflow is paused. Cannot update the workflow." {
		t.Errorf("update: %v", err)
	}
	_, err = s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: s.Name(), TaskQueue: s.queue, WorkflowExecutionErrorWhenAlreadyStarted: true}, "pausable")
	var running *serviceerror.WorkflowExecutionAlreadyStarted
	if !errors.As(err, &running) || running.RunId != run.GetRunID() {
		t.Errorf("start: %v", err)
	}

	s.server.Kill()
	s.must(s.server.Restart())
	s.must(s.client.SignalWorkflow(ctx, run.GetID(), "", "go", "work"))
	types = s.eventsUntil(ctx, enumspb.EVENT_TYPE_TIMER_FIRED)
	if i := slices.Index(types, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED); slices.Contains(types[i:], enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED) {
		t.Errorf("a workflow task of a paused run after a restart: %v", types)
	}

	s.unpause(ctx)
	s.must(s.client.SignalWorkflow(ctx, run.GetID(), "", "go", "three"))
	var seen []string
	if s.must(run.Get(ctx, &seen)); !slices.Equal(sortedCopy(seen), []string{"one", "three", "timer", "work", "worked"}) {
		t.Errorf("the workflow has seen %v", seen)
	}
}

func sortedCopy(s []string) []string { return slices.Sorted(slices.Values(s)) }

// UT-9: an activity that is queued when the pause comes is not handed out until
// the unpause; whoever has one goes on, and is heard.
func TestPauseHoldsActivitiesBack(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	held := make(chan struct{}, 1)
	ctx, s := begin(t, func(r worker.Registry) {
		only("wf", func(ctx workflow.Context) error {
			busy := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute, DisableEagerExecution: true}), "busy")
			queued := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
				StartToCloseTimeout: time.Minute, TaskQueue: t.Name() + "-later"}), "held")
			if err := busy.Get(ctx, nil); err != nil {
				return err
			}
			return queued.Get(ctx, nil)
		})(r)
		r.RegisterActivityWithOptions(func(context.Context) error {
			entered <- struct{}{}
			<-release
			return nil
		}, activity.RegisterOptions{Name: "busy"})
	})
	run := s.start(ctx, "wf")
	<-entered
	s.pause(ctx, "p")
	later := worker.New(s.client, s.queue+"-later", worker.Options{})
	later.RegisterActivityWithOptions(func(context.Context) error {
		held <- struct{}{}
		return nil
	}, activity.RegisterOptions{Name: "held"})
	s.must(later.Start())
	t.Cleanup(later.Stop)
	close(release)
	s.eventsUntil(ctx, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
	select {
	case <-held:
		t.Error("an activity of a paused workflow was handed out")
	default:
	}
	s.unpause(ctx)
	s.must(run.Get(ctx, nil))
	<-held
}

// A paused workflow can be cancelled and terminated, and its run timeout counts.
func TestPausedWorkflowsEnd(t *testing.T) {
	ctx, s := begin(t, registerPausable)
	run := s.start(ctx, "pausable")
	s.pause(ctx, "p")
	s.must(s.client.CancelWorkflow(ctx, run.GetID(), ""))
	s.must(s.client.TerminateWorkflow(ctx, run.GetID(), "", "enough"))
	info, err := s.client.DescribeWorkflowExecution(ctx, run.GetID(), run.GetRunID())
	if s.must(err); info.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED ||
		info.GetWorkflowExtendedInfo().GetPauseInfo() != nil || info.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()["TemporalPauseInfo"] != nil {
		t.Errorf("terminated while paused: %v", info)
	}
	again, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: s.Name(), TaskQueue: s.queue, WorkflowRunTimeout: time.Second}, "pausable")
	s.must(err)
	s.pause(ctx, "q")
	if err := again.Get(ctx, nil); err == nil {
		t.Error("it ended well")
	}
	info, err = s.client.DescribeWorkflowExecution(ctx, again.GetID(), again.GetRunID())
	if s.must(err); info.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT {
		t.Errorf("timed out while paused: %v", info)
	}
}

// Workflow.md 8.2: options by the SDK's own call and by the raw one.
func TestUpdateWorkflowOptions(t *testing.T) {
	ctx, s := begin(t, registerPausable)
	run := s.start(ctx, "pausable")
	after, err := s.client.UpdateWorkflowExecutionOptions(ctx, client.UpdateWorkflowExecutionOptionsRequest{
		WorkflowId: run.GetID(), WorkflowExecutionOptionsChanges: client.WorkflowExecutionOptionsChanges{
			VersioningOverride: &client.VersioningOverrideChange{Value: &client.AutoUpgradeVersioningOverride{}}}})
	if s.must(err); after.VersioningOverride == nil {
		t.Errorf("the options are %+v", after)
	}
	resp, err := s.api().UpdateWorkflowExecutionOptions(ctx, &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: "default", WorkflowExecution: s.execution(), UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"priority.priority_key"}},
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{Priority: &commonpb.Priority{PriorityKey: 1}}})
	if s.must(err); resp.GetWorkflowExecutionOptions().GetPriority().GetPriorityKey() != 1 || !resp.GetWorkflowExecutionOptions().GetVersioningOverride().GetAutoUpgrade() {
		t.Errorf("the options are %v", resp)
	}
	info, err := s.client.DescribeWorkflowExecution(ctx, run.GetID(), "")
	if s.must(err); info.GetWorkflowExecutionInfo().GetPriority().GetPriorityKey() != 1 ||
		!info.GetWorkflowExecutionInfo().GetVersioningInfo().GetVersioningOverride().GetAutoUpgrade() {
		t.Errorf("described as %v", info.GetWorkflowExecutionInfo())
	}
	// A worker replays what it has not asked for.
	for _, what := range []string{"one", "two", "three"} {
		s.must(s.client.SignalWorkflow(ctx, run.GetID(), "", "go", what))
	}
	s.must(run.Get(ctx, nil))
	events := s.history(ctx, run.GetID(), run.GetRunID())
	n := 0
	for _, ev := range events {
		if ev.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED {
			if n++; !ev.GetWorkerMayIgnore() {
				t.Errorf("a worker must not ignore %v", ev)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d events about options", n)
	}
}
