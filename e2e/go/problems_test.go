//go:build e2e

package e2e

import (
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
)

// Workflow.md 3.13: a run whose workflow tasks go on failing is found by what
// fails, until one completes.
func TestReportedProblems(t *testing.T) {
	ctx, s := begin(t, func(worker.Registry) {})
	queue := &taskqueuepb.TaskQueue{Name: s.queue + "-raw"}
	_, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: s.Name(), TaskQueue: queue.Name}, "any")
	s.must(err)
	poll := func() []byte {
		t.Helper()
		task, err := s.api().PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "default", TaskQueue: queue})
		s.must(err)
		return task.GetTaskToken()
	}
	found := func(want int64) {
		t.Helper()
		for _, query := range []string{"category=WorkflowTaskFailed", "cause=WorkflowTaskFailedCauseNonDeterministicError"} {
			n, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
				Query: "WorkflowId='" + s.Name() + "' AND TemporalReportedProblems IN ('" + query + "')"})
			if s.must(err); n.GetCount() != want {
				t.Errorf("%s: %d runs, want %d", query, n.GetCount(), want)
			}
		}
		info, err := s.client.DescribeWorkflowExecution(ctx, s.Name(), "")
		s.must(err)
		shown := info.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()["TemporalReportedProblems"]
		if (shown != nil) != (want > 0) {
			t.Errorf("described with %s", shown.GetData())
		}
	}
	for range 5 {
		found(0)
		_, err := s.api().RespondWorkflowTaskFailed(ctx, &workflowservice.RespondWorkflowTaskFailedRequest{
			Namespace: "default", TaskToken: poll(), Cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR})
		s.must(err)
	}
	found(1)
	_, err = s.api().RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: "default", TaskToken: poll()})
	s.must(err)
	found(0)
}
