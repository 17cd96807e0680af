package shard

import (
	"context"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// A query of a paused run is rejected at once, and so is one that waits for a
// workflow task when the pause takes that away (spec/workflow.md 5.1, 8.1): it
// could only be answered from before what it waited for. One that a worker has is
// answered.
func TestQueriesOfAPausedRun(t *testing.T) {
	w := newWorld(t)
	pause := &workflow.PauseWorkflow{Request: &workflowservice.PauseWorkflowExecutionRequest{}}
	unpause := &workflow.UnpauseWorkflow{Request: &workflowservice.UnpauseWorkflowExecutionRequest{}}
	type outcome struct {
		resp *workflowservice.QueryWorkflowResponse
		err  error
	}
	ask := func() chan outcome {
		result := make(chan outcome, 1)
		go func() {
			resp, err := w.host.Query(context.Background(), idOf("a"), "", &workflowservice.QueryWorkflowRequest{
				Query: &querypb.WorkflowQuery{QueryType: "state"}})
			result <- outcome{resp, err}
		}()
		return result
	}
	rejected := func(name string, result chan outcome) {
		w.await(func() {
			if o := <-result; o.err != nil || o.resp.GetQueryRejected().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
				t.Errorf("%s: %v, %v", name, o.resp, o.err)
			}
		})
	}
	held := func() {
		for w.host.asked(idOf("a")) == 0 {
			<-w.woken
			w.settle()
		}
	}

	w.do("a", "", startOf("a"))
	before := ask()
	held()
	w.do("a", "", pause)
	rejected("it waited for the first workflow task", before)
	rejected("of a paused run", ask())
	w.do("a", "", unpause)
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted)))

	w.do("a", "", signalOf("a", "s"))
	waits := ask()
	held()
	w.do("a", "", pause)
	rejected("it waited for the next workflow task", waits)
	w.do("a", "", unpause)

	rides := ask()
	held()
	task := w.take().(*workflow.TaskStarted)
	w.do("a", "", pause)
	done := completeTask(task)
	done.Request.QueryResults = map[string]*querypb.WorkflowQueryResult{}
	for id := range w.host.TaskQueries(task.Token) {
		done.Request.QueryResults[id] = &querypb.WorkflowQueryResult{ResultType: enumspb.QUERY_RESULT_TYPE_FAILED, ErrorMessage: "no such query"}
	}
	w.do("a", "", done)
	w.await(func() {
		if o := <-rides; engine.KindOf(o.err) != engine.KindQueryFailed {
			t.Errorf("a worker had it: %v, %v", o.resp, o.err)
		}
	})
}
