package workflow_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

func startedEvent(w *world, id string) *historypb.HistoryEvent { return w.history[w.current[id]][0] }

func startedAttributes(w *world, id string) *historypb.WorkflowExecutionStartedEventAttributes {
	return startedEvent(w, id).GetWorkflowExecutionStartedEventAttributes()
}

func fullRequest(id string) *workflowservice.StartWorkflowExecutionRequest {
	return &workflowservice.StartWorkflowExecutionRequest{
		WorkflowId:   id,
		WorkflowType: &commonpb.WorkflowType{Name: "order"},
		TaskQueue:    &taskqueuepb.TaskQueue{Name: "orders"},
		RequestId:    "r1",
		Identity:     "starter",
		Header:       &commonpb.Header{Fields: map[string]*commonpb.Payload{"trace": payload("1")}},
		Memo:         &commonpb.Memo{Fields: map[string]*commonpb.Payload{"note": payload(`"x"`), "gone": payload("null")}},
		UserMetadata: &sdkpb.UserMetadata{Summary: payload(`"s"`)},
		Links:        []*commonpb.Link{{Variant: &commonpb.Link_BatchJob_{BatchJob: &commonpb.Link_BatchJob{JobId: "j"}}}},
		CronSchedule: "",
		RetryPolicy:  &commonpb.RetryPolicy{MaximumAttempts: 3},
		Priority:     &commonpb.Priority{PriorityKey: 2, FairnessKey: "f"},
		SearchAttributes: &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
			"CustomerId": payload(`"c"`)}},
	}
}

// "original_execution_run_id (random seed: must equal run_id for a fresh run)",
// "in the Started event a client's unset execution/run timeout stays unset",
// "first_workflow_task_backoff is an explicit 0s", "map entries whose payload
// data is empty, null or [] are dropped from WorkflowExecutionStarted",
// "user_metadata and links sit on the HistoryEvent" (workflow.md 0.1, 1.6, 1.7, 1.13).
func TestStartedEventHasWhatSDKsRead(t *testing.T) {
	w := newWorld(t)
	w.stepID("order", &workflow.StartWorkflow{Request: fullRequest("order")})
	a, runID := startedAttributes(w, "order"), w.current["order"].RunID
	switch {
	case a.OriginalExecutionRunId != runID || a.FirstExecutionRunId != runID || a.ContinuedExecutionRunId != "":
		t.Errorf("run ids: original %s, first %s, continued %q of %s", a.OriginalExecutionRunId, a.FirstExecutionRunId, a.ContinuedExecutionRunId, runID)
	case a.WorkflowExecutionTimeout != nil || a.WorkflowRunTimeout != nil:
		t.Errorf("timeouts %v, %v: want unset", a.WorkflowExecutionTimeout, a.WorkflowRunTimeout)
	case a.FirstWorkflowTaskBackoff == nil || a.WorkflowTaskTimeout.AsDuration() != 10*time.Second:
		t.Errorf("backoff %v, task timeout %v", a.FirstWorkflowTaskBackoff, a.WorkflowTaskTimeout)
	case len(a.Memo.GetFields()) != 1:
		t.Errorf("memo %v: the unset entry is to be dropped", a.Memo)
	case string(a.SearchAttributes.GetIndexedFields()["CustomerId"].GetMetadata()["type"]) != "Keyword":
		t.Errorf("search attributes %v: want the type", a.SearchAttributes)
	case a.RetryPolicy.GetInitialInterval().AsDuration() != time.Second || a.RetryPolicy.GetBackoffCoefficient() != 2:
		t.Errorf("retry policy %v: want it filled", a.RetryPolicy)
	case a.Attempt != 1 || a.WorkflowId != "order" || a.Identity != "starter" || a.TaskQueue.GetKind() != enumspb.TASK_QUEUE_KIND_NORMAL:
		t.Errorf("%v", a)
	case a.RootWorkflowExecution != nil || a.ParentWorkflowExecution != nil:
		t.Errorf("root %v and parent %v are for children", a.RootWorkflowExecution, a.ParentWorkflowExecution)
	}
	if ev := startedEvent(w, "order"); ev.UserMetadata == nil || len(ev.Links) != 1 {
		t.Errorf("metadata %v, links %v", ev.UserMetadata, ev.Links)
	}
}

// "input, header, memo, search attributes, retry policy, cron schedule: exactly
// the command; nothing is inherited"; "execution timeout/expiration, parent & root
// info, first_execution_run_id, start links, priority: current run"; "identity,
// user_metadata: not carried"; "original_execution_run_id: the new run id"
// (workflow.md 1.12).
func TestContinueAsNewInheritsOnlyTheChain(t *testing.T) {
	w := newWorld(t)
	req := fullRequest("order")
	req.WorkflowExecutionTimeout = durationpb.New(time.Hour)
	w.stepID("order", &workflow.StartWorkflow{Request: req})
	first := w.current["order"].RunID
	before := startedEvent(w, "order")
	script(t, w, "poll orders", "now 5s", "complete order", "\tcontinue-as-new input=2")
	ev, runID := startedEvent(w, "order"), w.current["order"].RunID
	a, was := ev.GetWorkflowExecutionStartedEventAttributes(), before.GetWorkflowExecutionStartedEventAttributes()
	if a.Header != nil || a.Memo != nil || a.SearchAttributes != nil || a.RetryPolicy != nil || a.Identity != "" || ev.UserMetadata != nil {
		t.Errorf("inherited: %v %v", a, ev.UserMetadata)
	}
	if a.FirstExecutionRunId != first || a.OriginalExecutionRunId != runID || a.ContinuedExecutionRunId != first {
		t.Errorf("run ids: %v", a)
	}
	if !proto.Equal(a.WorkflowExecutionExpirationTime, was.WorkflowExecutionExpirationTime) || !proto.Equal(a.Priority, was.Priority) || len(ev.Links) != 1 {
		t.Errorf("lost: %v, links %v", a, ev.Links)
	}
	closed := w.history[engine.RunKey{ID: id("order"), RunID: first}]
	last := closed[len(closed)-1].GetWorkflowExecutionContinuedAsNewEventAttributes()
	if last.NewExecutionRunId != runID || last.Initiator != enumspb.CONTINUE_AS_NEW_INITIATOR_UNSPECIFIED {
		t.Errorf("the last event says %v", last)
	}
}

// "Taken from the closed run's Started event (so upserts made during the run are
// lost): type, queue, input, header, memo, search attributes, retry policy, cron,
// links, priority"; "not carried: identity, user_metadata" (workflow.md 1.10).
func TestRetryTakesItsRunFromTheStartedEvent(t *testing.T) {
	w := newWorld(t)
	w.stepID("order", &workflow.StartWorkflow{Request: fullRequest("order")})
	before := startedEvent(w, "order")
	script(t, w, "poll orders", "now 5s", "complete order", "\tupsert CustomerId=other", "\tmemo note=other", "\tfail-workflow")
	ev := startedEvent(w, "order")
	a, was := ev.GetWorkflowExecutionStartedEventAttributes(), before.GetWorkflowExecutionStartedEventAttributes()
	if !proto.Equal(a.Header, was.Header) || !proto.Equal(a.Memo, was.Memo) || !proto.Equal(a.SearchAttributes, was.SearchAttributes) ||
		!proto.Equal(a.RetryPolicy, was.RetryPolicy) || !proto.Equal(a.Priority, was.Priority) || len(ev.Links) != 1 {
		t.Errorf("got %v\nof %v", a, was)
	}
	if a.Identity != "" || ev.UserMetadata != nil || a.Attempt != 2 || a.Initiator != enumspb.CONTINUE_AS_NEW_INITIATOR_RETRY {
		t.Errorf("got %v, metadata %v", a, ev.UserMetadata)
	}
	// The new run's own state is what its event says, not what was upserted.
	if run := w.find("order"); !proto.Equal(run.Memo, was.Memo) || !proto.Equal(run.SearchAttributes, was.SearchAttributes) {
		t.Errorf("state: %v %v", run.Memo, run.SearchAttributes)
	}
}

// "Both AlreadyExists carry WorkflowExecutionAlreadyStartedFailure{start_request_id,
// run_id, first_execution_run_id}" (workflow.md 1.5, 9.1).
func TestAlreadyStartedSaysWhichRun(t *testing.T) {
	w := newWorld(t)
	w.stepID("order", &workflow.StartWorkflow{Request: fullRequest("order")})
	again := fullRequest("order")
	again.RequestId = "r2"
	_, err := workflow.StepID(w.env(), id("order"), w.find("order"), &workflow.StartWorkflow{Request: again})
	refusal, _ := err.(*engine.Refusal)
	if refusal == nil || refusal.Kind != engine.KindAlreadyStarted {
		t.Fatalf("got %v", err)
	}
	runID := w.current["order"].RunID
	want := &errordetails.WorkflowExecutionAlreadyStartedFailure{StartRequestId: "r1", RunId: runID, FirstExecutionRunId: runID}
	if !proto.Equal(refusal.Detail, want) {
		t.Errorf("detail %v, want %v", refusal.Detail, want)
	}
}

// "A WFT's events: poll responses contain the two virtual events with the next
// ids", "no task_id"; "Virtual ids are valid only while they equal next_event_id"
// (workflow.md 2.4, 3.6).
func TestVirtualEventsOfATransientTask(t *testing.T) {
	w := newWorld(t)
	script(t, w, "start order", "poll orders", "fail-task order")
	run := w.find("order")
	virtual := run.Virtual()
	if len(virtual) != 1 || virtual[0].EventId != run.Info.NextEventID || virtual[0].TaskId != 0 {
		t.Fatalf("scheduled: %v", virtual)
	}
	script(t, w, "poll orders")
	virtual = run.Virtual()
	if len(virtual) != 2 || virtual[1].EventId != run.Info.NextEventID+1 || virtual[1].TaskId != 0 {
		t.Fatalf("started: %v", virtual)
	}
	script(t, w, "complete order", "\tcomplete-workflow")
	if len(run.Virtual()) != 0 {
		t.Errorf("closed: %v", run.Virtual())
	}
}

// "A visibility record is upserted on: start, search-attribute/memo upsert,
// close, delete"; "HistoryLength only on closed runs" (workflow.md 8.5).
func TestVisibilityRecords(t *testing.T) {
	w := newWorld(t)
	var records []*engine.VisibilityRecord
	w.saw = func(c *workflow.Change) {
		if c.Visibility != nil {
			records = append(records, c.Visibility)
		}
	}
	script(t, w, "start order", "signal order paid", "poll orders", "complete order", "\tmarker m", "signal order more", "poll orders",
		"complete order", "\tupsert CustomerId=c", "\tcomplete-workflow", "delete order")
	if len(records) != 4 {
		t.Fatalf("%d records, want those of start, BuildIds, close, delete", len(records))
	}
	for i, r := range records[1:] {
		if r.Version <= records[i].Version {
			t.Errorf("versions %d, %d", records[i].Version, r.Version)
		}
	}
	if start := records[0]; start.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || start.HistoryLength != 0 || !start.CloseTime.IsZero() {
		t.Errorf("at the start: %+v", start)
	}
	if end := records[2]; end.Status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED || end.HistoryLength != 12 ||
		end.CloseTime.IsZero() || end.SearchAttributes.GetIndexedFields()["CustomerId"] == nil {
		t.Errorf("at the end: %+v", end)
	}
	if !records[3].Deleted {
		t.Errorf("at the deletion: %+v", records[3])
	}
}
