package frontend

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
)

func (f *fakeExecutions) Update(_ context.Context, id engine.ID, runID string, in *workflow.UpdateWorkflow, _ shard.Patience) (*workflow.UpdateStatus, error) {
	reply, err := f.Do(context.Background(), id, runID, in)
	status, _ := reply.(*workflow.UpdateStatus)
	return status, err
}

func (f *fakeExecutions) UpdateWithStart(_ context.Context, id engine.ID, in *workflow.UpdateWithStart, _ shard.Patience) (*workflow.UpdatedWithStart, error) {
	reply, err := f.Do(context.Background(), id, "", in)
	done, _ := reply.(*workflow.UpdatedWithStart)
	return done, err
}

func (f *fakeExecutions) PollUpdate(_ context.Context, id engine.ID, _, updateID string, _ shard.Patience) (*workflow.UpdateStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.mu.run.UpdateStatus(updateID); s != nil {
		return s, nil
	}
	return nil, engine.NotFound("update %q not found", updateID)
}

const (
	admitted  = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
	completed = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
)

func updateRequest(change func(*workflowservice.UpdateWorkflowExecutionRequest)) *workflowservice.UpdateWorkflowExecutionRequest {
	r := &workflowservice.UpdateWorkflowExecutionRequest{
		Namespace: "ns", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "wf"},
		Request: &updatepb.Request{Meta: &updatepb.Meta{UpdateId: "u"}, Input: &updatepb.Input{Name: "change"}},
	}
	change(r)
	return r
}

// What is wrong with an update is said before it reaches a run (workflow.md 6.1).
func TestUpdateIsChecked(t *testing.T) {
	long := string(make([]byte, 1001))
	for want, change := range map[string]func(*workflowservice.UpdateWorkflowExecutionRequest){
		"Execution is not set on request.":    func(r *workflowservice.UpdateWorkflowExecutionRequest) { r.WorkflowExecution = nil },
		"Update meta is not set on request.":  func(r *workflowservice.UpdateWorkflowExecutionRequest) { r.Request.Meta = nil },
		"Update input is not set on request.": func(r *workflowservice.UpdateWorkflowExecutionRequest) { r.Request.Input = nil },
		"Update name is not set on request.":  func(r *workflowservice.UpdateWorkflowExecutionRequest) { r.Request.Input.Name = "" },
		"UpdateId length exceeds limit.":      func(r *workflowservice.UpdateWorkflowExecutionRequest) { r.Request.Meta.UpdateId = long },
		"Blob data size exceeds limit.": func(r *workflowservice.UpdateWorkflowExecutionRequest) {
			r.Request.Input.Args = &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, 3<<20)}}}
		},
		"RequestId is not set on request.": func(r *workflowservice.UpdateWorkflowExecutionRequest) {
			r.Request.CompletionCallbacks = nexusCallback("temporal://system")
		},
		"RequestId length exceeds limit.": func(r *workflowservice.UpdateWorkflowExecutionRequest) { r.Request.RequestId = long },
		"invalid url: unknown scheme: ftp://x": func(r *workflowservice.UpdateWorkflowExecutionRequest) {
			r.Request.RequestId, r.Request.CompletionCallbacks = "r", nexusCallback("ftp://x")
		},
		"UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported.": func(r *workflowservice.UpdateWorkflowExecutionRequest) {
			r.WaitPolicy = &updatepb.WaitPolicy{LifecycleStage: admitted}
		},
	} {
		e := newEdge(t)
		_, err := e.api.UpdateWorkflowExecution(t.Context(), updateRequest(change))
		if status.Convert(err).Message() != want || len(e.executions.inputs()) != 0 {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The edge makes an id and waits for completion unless it is told otherwise; the
// answer links to the acceptance, or to the workflow of a rejected update.
func TestUpdateAnswer(t *testing.T) {
	e := newEdge(t)
	run := engine.RunKey{ID: engine.ID{Name: "wf"}, RunID: "run"}
	reply := &workflow.UpdateStatus{Run: run, NamespaceName: "ns", UpdateID: "u", Stage: completed}
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) { return reply, nil }
	resp, err := e.api.UpdateWorkflowExecution(t.Context(), updateRequest(func(r *workflowservice.UpdateWorkflowExecutionRequest) {
		r.Request.Meta.UpdateId = ""
	}))
	if err != nil || resp.GetStage() != completed || resp.GetUpdateRef().GetWorkflowExecution().GetRunId() != "run" ||
		resp.GetLink().GetWorkflowEvent().GetRequestIdRef().GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED {
		t.Errorf("%v, %v", resp, err)
	}
	in := e.executions.inputs()[0].(*workflow.UpdateWorkflow).Request
	if in.GetRequest().GetMeta().GetUpdateId() == "" || in.GetWaitPolicy().GetLifecycleStage() != completed {
		t.Errorf("the core was asked %v", in)
	}
	rejected := *reply
	rejected.Rejected, rejected.Outcome = true, &updatepb.Outcome{Value: &updatepb.Outcome_Failure{Failure: &failurepb.Failure{Message: "no"}}}
	reply = &rejected
	resp, err = e.api.UpdateWorkflowExecution(t.Context(), updateRequest(func(*workflowservice.UpdateWorkflowExecutionRequest) {}))
	if err != nil || resp.GetOutcome().GetFailure().GetMessage() != "no" || resp.GetLink().GetWorkflow().GetReason() != "Update rejected" {
		t.Errorf("%v, %v", resp, err)
	}
	reply = &workflow.UpdateStatus{Run: run, UpdateID: "u", Stage: admitted}
	resp, err = e.api.UpdateWorkflowExecution(t.Context(), updateRequest(func(*workflowservice.UpdateWorkflowExecutionRequest) {}))
	if err != nil || resp.GetStage() != admitted || resp.GetOutcome() != nil || resp.GetLink() != nil {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestUpdatePollIsChecked(t *testing.T) {
	e := newEdge(t)
	_, err := e.api.PollWorkflowExecutionUpdate(t.Context(), &workflowservice.PollWorkflowExecutionUpdateRequest{Namespace: "ns"})
	if status.Convert(err).Message() != "UpdateRef is not set on request." {
		t.Errorf("got %v", err)
	}
}

// A worker is sent each update as a message sequenced before the task's start
// (workflow.md 6.3).
func TestUpdateMessages(t *testing.T) {
	messages := updateMessages(&workflow.TaskStarted{StartedEventID: 6, Updates: []*updatepb.Request{
		{Meta: &updatepb.Meta{UpdateId: "u"}, Input: &updatepb.Input{Name: "change"}},
	}})
	if len(messages) != 1 {
		t.Fatalf("%d messages", len(messages))
	}
	m := messages[0]
	body, err := m.GetBody().UnmarshalNew()
	if err != nil || m.GetId() != "u/request" || m.GetProtocolInstanceId() != "u" || m.GetEventId() != 5 ||
		body.(*updatepb.Request).GetInput().GetName() != "change" {
		t.Errorf("message %v, %v", m, err)
	}
}

func startOperation(change func(*workflowservice.StartWorkflowExecutionRequest)) *workflowservice.ExecuteMultiOperationRequest_Operation {
	r := &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "ns", WorkflowId: "wf", WorkflowType: &commonpb.WorkflowType{Name: "t"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
	}
	change(r)
	return &workflowservice.ExecuteMultiOperationRequest_Operation{
		Operation: &workflowservice.ExecuteMultiOperationRequest_Operation_StartWorkflow{StartWorkflow: r}}
}

func updateOperation(change func(*workflowservice.UpdateWorkflowExecutionRequest)) *workflowservice.ExecuteMultiOperationRequest_Operation {
	return &workflowservice.ExecuteMultiOperationRequest_Operation{
		Operation: &workflowservice.ExecuteMultiOperationRequest_Operation_UpdateWorkflow{UpdateWorkflow: updateRequest(change)}}
}

func asIs[R any](R) {}

// Of the two operations the innocent one is told that it was aborted, and the
// call has the code of the other (workflow.md 6.8).
func TestMultiOperationErrors(t *testing.T) {
	good := []*workflowservice.ExecuteMultiOperationRequest_Operation{
		startOperation(asIs[*workflowservice.StartWorkflowExecutionRequest]), updateOperation(asIs[*workflowservice.UpdateWorkflowExecutionRequest])}
	failure := func(e *edge, ops ...*workflowservice.ExecuteMultiOperationRequest_Operation) (codes.Code, []*errordetails.MultiOperationExecutionFailure_OperationStatus) {
		t.Helper()
		_, err := e.api.ExecuteMultiOperation(t.Context(), &workflowservice.ExecuteMultiOperationRequest{Namespace: "ns", Operations: ops})
		st := status.Convert(err)
		if len(st.Details()) != 1 {
			t.Fatalf("got %v", err)
		}
		return st.Code(), st.Details()[0].(*errordetails.MultiOperationExecutionFailure).GetStatuses()
	}
	aborted := func(s *errordetails.MultiOperationExecutionFailure_OperationStatus) bool {
		return s.GetCode() == int32(codes.Aborted) && len(s.GetDetails()) == 1 &&
			s.GetDetails()[0].MessageIs((*failurepb.MultiOperationExecutionAborted)(nil))
	}
	e := newEdge(t)
	if _, err := e.api.ExecuteMultiOperation(t.Context(), &workflowservice.ExecuteMultiOperationRequest{Namespace: "ns", Operations: good[1:]}); status.Convert(err).Message() != "Operations have to be exactly [Start, Update]." {
		t.Errorf("one operation: %v", err)
	}
	code, each := failure(e, startOperation(func(r *workflowservice.StartWorkflowExecutionRequest) { r.CronSchedule = "* * * * *" }), good[1])
	if code != codes.InvalidArgument || each[0].GetMessage() != "CronSchedule is not allowed." || !aborted(each[1]) {
		t.Errorf("a bad start: %v, %v", code, each)
	}
	code, each = failure(e, good[0], updateOperation(func(r *workflowservice.UpdateWorkflowExecutionRequest) { r.WorkflowExecution.WorkflowId = "other" }))
	if code != codes.InvalidArgument || each[1].GetMessage() != "WorkflowId is not consistent with previous operation(s)." || !aborted(each[0]) {
		t.Errorf("a bad update: %v, %v", code, each)
	}
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) {
		return &workflow.UpdatedWithStart{StartRefused: engine.Refuse(engine.KindAlreadyStarted, "running")}, nil
	}
	code, each = failure(e, good...)
	if code != codes.AlreadyExists || each[0].GetMessage() != "running" || !aborted(each[1]) {
		t.Errorf("a refused start: %v, %v", code, each)
	}
	// The run closes under the update, twice: the start stands.
	e = newEdge(t)
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) {
		return &workflow.UpdatedWithStart{Started: &workflow.Started{RunID: "run"}}, engine.NotFound("aborted by closing workflow")
	}
	code, each = failure(e, good...)
	if code != codes.Aborted || each[0].GetCode() != 0 || each[1].GetCode() != int32(codes.Aborted) || aborted(each[1]) || len(e.executions.inputs()) != 2 {
		t.Errorf("a run that closes: %v, %v, asked %d times", code, each, len(e.executions.inputs()))
	}
}

// The wait ends before the caller's deadline does, however short that is, and
// after 20 s in any case.
func TestPatienceEndsBeforeTheDeadline(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{
		100 * time.Millisecond: 50 * time.Millisecond, 3 * time.Second: 2 * time.Second, time.Minute: 20 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &Frontend{waiting: newWaiting(1)}
			ctx := context.WithValue(t.Context(), callKey{}, &call{namespace: &engine.Namespace{ID: "ns-id"}})
			ctx, cancel := context.WithTimeout(ctx, left)
			defer cancel()
			began := time.Now()
			p, over, err := f.patience(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer over()
			<-p.Over
			if waited := time.Since(began); waited != want { // fake time
				t.Errorf("with %v left it waits %v, want %v", left, waited, want)
			}
		})
	}
}

// A speculative task may become real while its worker pages through a long
// history: the pages then end with its stored events.
func TestPagesOfTaskThatBecameReal(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	run.append(started)
	run.append(scheduled, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED)
	run.change(func() {
		info := *run.mu.run.Info
		info.Task = &workflow.Task{Type: workflow.TaskNormal, ScheduledEventID: 2, StartedEventID: 3, Attempt: 1, Stamp: 5}
		run.mu.run.Info = &info
	})
	for stamp, want := range map[int64]string{5: "[1 2 3]", 4: "[1]"} {
		page := historyPage{Run: testRun, Next: 1, To: 1, Task: stamp}
		if ids, _ := e.history(t, t.Context(), func(r *historyRequest) { r.NextPageToken = page.seal(tokenHistoryPage) }); fmt.Sprint(ids) != want {
			t.Errorf("bound to stamp %d: %v, want %s", stamp, ids, want)
		}
	}
}
