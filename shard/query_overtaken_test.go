package shard

import (
	"context"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// A query that the sticky worker finds nondeterministic is asked once more, with
// the history that belongs to it: the run may have gone on while the query was on
// its way to a worker that has lost it from its cache. A second such answer is
// the caller's.
func TestOvertakenQueryIsAskedAgain(t *testing.T) {
	coded := &workflowservice.RespondQueryTaskCompletedRequest{CompletedType: enumspb.QUERY_RESULT_TYPE_FAILED,
		ErrorMessage: "no such command", Cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR}
	worded := &workflowservice.RespondQueryTaskCompletedRequest{CompletedType: enumspb.QUERY_RESULT_TYPE_FAILED,
		ErrorMessage: "[TMPRL1100] no such command"}
	for failed, again := range map[*workflowservice.RespondQueryTaskCompletedRequest]bool{coded: false, worded: true} {
		w := newWorld(t)
		w.do("a", "", startOf("a"))
		done := completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", time.Hour))
		done.Request.StickyAttributes = &taskqueuepb.StickyExecutionAttributes{
			WorkerTaskQueue: &taskqueuepb.TaskQueue{Name: "sticky"}, ScheduleToStartTimeout: durationpb.New(time.Minute)}
		w.do("a", "", done)
		type reply struct {
			resp *workflowservice.QueryWorkflowResponse
			err  error
		}
		replies := make(chan reply, 1)
		go func() {
			resp, err := w.host.Query(context.Background(), idOf("a"), "", &workflowservice.QueryWorkflowRequest{
				Query: &querypb.WorkflowQuery{QueryType: "state"}})
			replies <- reply{resp, err}
		}()
		w.await(func() { w.matcher.awaitQuery() })
		first := w.matcher.query(0)
		if first.Started.HistoryFrom != 4 {
			t.Errorf("the sticky worker is asked with %+v", first.Started)
		}
		answered := &workflowservice.RespondQueryTaskCompletedRequest{CompletedType: enumspb.QUERY_RESULT_TYPE_ANSWERED,
			QueryResult: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte("state")}}}}
		if err := w.host.AnswerQuery(context.Background(), first.ID, failed); err != nil {
			t.Fatal(err)
		}
		w.await(func() { w.matcher.awaitQuery() })
		second := w.matcher.query(1)
		if second.ID == first.ID || second.Started.HistoryFrom != 1 || second.Started.HistoryTo != first.Started.HistoryTo {
			t.Errorf("it is asked again with %+v", second.Started)
		}
		if err := w.host.AnswerQuery(context.Background(), first.ID, failed); engine.KindOf(err) != engine.KindNotFound {
			t.Errorf("the first worker repeats itself: %v", err)
		}
		if again {
			answered = failed
		}
		if err := w.host.AnswerQuery(context.Background(), second.ID, answered); err != nil {
			t.Fatal(err)
		}
		got := <-replies
		if again && engine.KindOf(got.err) != engine.KindQueryFailed {
			t.Errorf("nondeterministic twice: %v", got.err)
		}
		if !again && (got.err != nil || string(got.resp.GetQueryResult().GetPayloads()[0].GetData()) != "state") {
			t.Errorf("got %v, %v", got.resp, got.err)
		}
	}
}

// A termination is kept from the worker that answers a query of the run: not all
// SDKs can replay one. The end that the code has brought about is not.
func TestQueryOfClosedRuns(t *testing.T) {
	for name, want := range map[string]int64{"completed": 0, "terminated": 1} {
		w := newWorld(t)
		w.do("a", "", startOf("a"))
		task := w.take().(*workflow.TaskStarted)
		if name == "completed" {
			w.do("a", "", completeTask(task, closeCommand()))
		} else {
			w.do("a", "", completeTask(task, timerCommand("t", time.Hour)))
			w.do("a", "", &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}})
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = w.host.Query(ctx, idOf("a"), "", &workflowservice.QueryWorkflowRequest{Query: &querypb.WorkflowQuery{QueryType: "state"}})
		}()
		w.await(func() { w.matcher.awaitQuery() })
		if q := w.matcher.query(0); q.Untold != want || q.Started.HistoryTo != int64(len(w.history(w.currentRun("a")))) {
			t.Errorf("%s: asked with %d events untold of %d", name, q.Untold, q.Started.HistoryTo)
		}
		cancel()
		w.await(func() { <-ended })
	}
}
