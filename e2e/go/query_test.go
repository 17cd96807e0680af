//go:build e2e

package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc/codes"
)

// Queries in every state of a run, row by row of workflow.md 5.1.

// queryable answers what it has been told last, until it is told to end, to
// fail or to fail its workflow task.
func queryable(ctx workflow.Context) error {
	last := "nothing"
	if err := workflow.SetQueryHandler(ctx, "last", func() (string, error) { return last, nil }); err != nil {
		return err
	}
	told := workflow.GetSignalChannel(ctx, "tell")
	for {
		told.Receive(ctx, &last)
		switch last {
		case "end":
			return nil
		case "fail":
			return errors.New("as told")
		case "panic":
			panic("as told")
		}
	}
}

// ask sends a query of the SDK's raw form, which waits for at most that long.
func (s *suite) ask(ctx context.Context, id string, wait time.Duration, condition enumspb.QueryRejectCondition) (*workflowservice.QueryWorkflowResponse, error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return s.api().QueryWorkflow(ctx, &workflowservice.QueryWorkflowRequest{Namespace: "default",
		Execution: &commonpb.WorkflowExecution{WorkflowId: id}, Query: queryOf("last"), QueryRejectCondition: condition})
}

const (
	patient   = 30 * time.Second
	impatient = 700 * time.Millisecond
)

func (s *suite) answered(ctx context.Context, id, want string) {
	s.Helper()
	resp, err := s.ask(ctx, id, patient, enumspb.QUERY_REJECT_CONDITION_NONE)
	if got := string(resp.GetQueryResult().GetPayloads()[0].GetData()); err != nil || got != `"`+want+`"` || resp.GetLink().GetWorkflow().GetReason() != "Query processed" {
		s.Errorf("%s answered %v, %v; want %s", id, resp, err, want)
	}
}

func (s *suite) rejected(ctx context.Context, id string, condition enumspb.QueryRejectCondition, want enumspb.WorkflowExecutionStatus) {
	s.Helper()
	resp, err := s.ask(ctx, id, patient, condition)
	if err != nil || resp.GetQueryRejected().GetStatus() != want || resp.GetLink().GetWorkflow().GetReason() != "Query rejected" {
		s.Errorf("%s: %v, %v; want it rejected as %v", id, resp, err, want)
	}
}

// notReady is FAILED_PRECONDITION with the detail SDKs look for.
func (s *suite) notReady(name string, err error, text string) {
	s.Helper()
	var not *serviceerror.WorkflowNotReady
	if !errors.As(err, &not) || not.Error() != text {
		s.Errorf("%s: %T %v, want %q", name, err, err, text)
	}
}

func (s *suite) tell(ctx context.Context, id, what string) {
	s.Helper()
	s.must(s.client.SignalWorkflow(ctx, id, "", "tell", what))
}

func (s *suite) startAs(ctx context.Context, id string, options client.StartWorkflowOptions) client.WorkflowRun {
	s.Helper()
	if options.ID = id; options.TaskQueue == "" {
		options.TaskQueue = s.queue
	}
	run, err := s.client.ExecuteWorkflow(ctx, options, "queryable")
	s.must(err)
	return run
}

// With a worker: idle, after a signal, failing, unknown, closed in each way.
func TestQueriesWithAWorker(t *testing.T) {
	const none, open, clean = enumspb.QUERY_REJECT_CONDITION_NONE, enumspb.QUERY_REJECT_CONDITION_NOT_OPEN, enumspb.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY
	ctx, s := begin(t, only("queryable", queryable))
	id := s.Name()
	var missing *serviceerror.NotFound
	if _, err := s.ask(ctx, id, patient, none); !errors.As(err, &missing) || missing.Error() != "workflow not found for ID: "+id {
		t.Errorf("before it exists: %v", err)
	}

	run := s.startAs(ctx, id, client.StartWorkflowOptions{})
	s.answered(ctx, id, "nothing") // waits for the first workflow task
	s.answered(ctx, id, "nothing") // idle: from the worker's cache
	s.tell(ctx, id, "one")
	s.answered(ctx, id, "one") // with all that came before it
	var failed *serviceerror.QueryFailed
	_, err := s.api().QueryWorkflow(ctx, &workflowservice.QueryWorkflowRequest{Namespace: "default", Execution: s.execution(), Query: queryOf("no such query")})
	if serviceerror.ToStatus(err).Code() != codes.InvalidArgument || !errors.As(err, &failed) || !strings.Contains(failed.Error(), "no such query") {
		t.Errorf("an unknown query: %T %v", err, err)
	}

	// The worker that holds the run is gone; another replays it.
	s.worker.Stop()
	s.work(only("queryable", queryable), worker.Options{})
	s.answered(ctx, id, "one")

	s.tell(ctx, id, "end")
	s.must(run.Get(ctx, nil))
	s.answered(ctx, id, "end")
	s.rejected(ctx, id, open, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	if resp, err := s.ask(ctx, id, patient, clean); err != nil || resp.GetQueryRejected() != nil {
		t.Errorf("completed cleanly: %v, %v", resp, err)
	}

	// Closed otherwise.
	for how, want := range map[string]enumspb.WorkflowExecutionStatus{
		"fail": enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, "terminate": enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
	} {
		id := id + "-" + how
		run := s.startAs(ctx, id, client.StartWorkflowOptions{})
		s.answered(ctx, id, "nothing")
		if how == "terminate" {
			s.must(s.client.TerminateWorkflow(ctx, id, "", ""))
		} else {
			s.tell(ctx, id, how)
		}
		if err := run.Get(ctx, nil); err == nil {
			t.Errorf("%s: it ended well", how)
		}
		s.rejected(ctx, id, clean, want)
		if resp, err := s.ask(ctx, id, patient, none); err != nil || resp.GetQueryResult() == nil {
			t.Errorf("%s: %v, %v", how, resp, err)
		}
	}

	// A workflow task that fails for the third time, or times out: the SDK does
	// not report later failures.
	s.startAs(ctx, id, client.StartWorkflowOptions{WorkflowTaskTimeout: time.Second})
	s.answered(ctx, id, "nothing")
	s.tell(ctx, id, "panic")
	s.until(ctx, func() bool {
		info, err := s.client.DescribeWorkflowExecution(ctx, id, "")
		s.must(err)
		return info.GetPendingWorkflowTask().GetAttempt() >= 3
	})
	_, err = s.ask(ctx, id, patient, none)
	s.notReady("a failing workflow task", err, "Unable to query workflow due to Workflow Task in failed state.")
}

// until waits for a condition that only polling shows.
func (s *suite) until(ctx context.Context, done func() bool) {
	s.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.Fatal(ctx.Err())
		}
	}
}

// Without one: the first workflow task never came, or comes too late, or a
// query waits for it already, or nobody is there to ask.
func TestQueriesWithoutAWorker(t *testing.T) {
	const none = enumspb.QUERY_REJECT_CONDITION_NONE
	ctx, s := begin(t, only("queryable", queryable))
	lonely := client.StartWorkflowOptions{TaskQueue: s.queue + "-nobody"}

	s.startAs(ctx, s.Name()+"-first", lonely)
	if _, err := s.ask(ctx, s.Name()+"-first", impatient, none); serviceerror.ToStatus(err).Code() != codes.DeadlineExceeded {
		t.Errorf("the first workflow task: %v", err)
	}
	s.must(s.client.TerminateWorkflow(ctx, s.Name()+"-first", "", ""))
	_, err := s.ask(ctx, s.Name()+"-first", patient, none)
	s.notReady("closed before it began", err, "Workflow execution closed before WorkflowTaskStarted event")

	late := lonely
	late.StartDelay = time.Hour
	s.startAs(ctx, s.Name()+"-late", late)
	_, err = s.ask(ctx, s.Name()+"-late", impatient, none)
	s.notReady("its delay outlives the caller", err, "Workflow task is not scheduled yet.")

	// A worker comes and goes. Idle, nobody can be asked.
	there := worker.New(s.client, lonely.TaskQueue, worker.Options{})
	only("queryable", queryable)(there)
	s.must(there.Start())
	s.startAs(ctx, s.Name(), lonely)
	s.answered(ctx, s.Name(), "nothing")
	there.Stop()
	if _, err := s.ask(ctx, s.Name(), impatient, none); serviceerror.ToStatus(err).Code() != codes.DeadlineExceeded {
		t.Errorf("no worker is left: %v", err)
	}

	// With a workflow task pending one query may wait for it, and no other.
	s.tell(ctx, s.Name(), "one")
	first := make(chan error, 1)
	go func() {
		var busy *serviceerror.ResourceExhausted
		_, err := s.ask(ctx, s.Name(), patient, none)
		for errors.As(err, &busy) { // one of those below came before it
			_, err = s.ask(ctx, s.Name(), patient, none)
		}
		first <- err
	}()
	var full *serviceerror.ResourceExhausted
	s.until(ctx, func() bool {
		_, err := s.ask(ctx, s.Name(), impatient, none)
		return errors.As(err, &full)
	})
	if full.Cause != enumspb.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW || full.Scope != enumspb.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE ||
		!strings.HasPrefix(full.Error(), "consistent query buffer is full, this may be caused by too many queries") {
		t.Errorf("a second query: %v, %v: %v", full.Cause, full.Scope, full)
	}

	// The run closes under the query: a worker that comes answers for the closed one.
	s.must(s.client.TerminateWorkflow(ctx, s.Name(), "", ""))
	back := worker.New(s.client, lonely.TaskQueue, worker.Options{})
	only("queryable", queryable)(back)
	s.must(back.Start())
	t.Cleanup(back.Stop)
	if err := <-first; err != nil {
		t.Errorf("the query that waited: %v", err)
	}
}

// A worker that knows nothing of queries leaves a query that rode on its
// workflow task unanswered: it is asked again on its own. An answer nobody waits
// for is refused.
func TestQueryLeftUnanswered(t *testing.T) {
	ctx, s := begin(t, only("other", queryable))
	queue := &taskqueuepb.TaskQueue{Name: s.queue + "-raw"}
	poll := func() *workflowservice.PollWorkflowTaskQueueResponse {
		t.Helper()
		task, err := s.api().PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "default", TaskQueue: queue, Identity: "raw"})
		s.must(err)
		return task
	}
	complete := func(task *workflowservice.PollWorkflowTaskQueueResponse) {
		t.Helper()
		_, err := s.api().RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: "default", TaskToken: task.GetTaskToken()})
		s.must(err)
	}
	s.startAs(ctx, s.Name(), client.StartWorkflowOptions{TaskQueue: queue.Name})
	complete(poll())
	s.tell(ctx, s.Name(), "one")
	result := make(chan error, 1)
	go func() {
		resp, err := s.ask(ctx, s.Name(), patient, enumspb.QUERY_REJECT_CONDITION_NONE)
		if err == nil && string(resp.GetQueryResult().GetPayloads()[0].GetData()) != `"raw"` {
			err = errors.New(resp.String())
		}
		result <- err
	}()
	// The query may come before or after the start of the task it waits for.
	task := poll()
	if task.GetQuery() == nil {
		s.until(ctx, func() bool { return len(task.GetQueries()) > 0 || s.queryWaits(ctx) })
		complete(task)
		task = poll()
	}
	if task.GetQuery().GetQueryType() != "last" || task.GetStartedEventId() != 0 {
		t.Fatalf("not a query on its own: %v", task)
	}
	answer := &workflowservice.RespondQueryTaskCompletedRequest{Namespace: "default", TaskToken: task.GetTaskToken(),
		CompletedType: enumspb.QUERY_RESULT_TYPE_ANSWERED, QueryResult: &commonpb.Payloads{Payloads: []*commonpb.Payload{{
			Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`"raw"`)}}}}
	_, err := s.api().RespondQueryTaskCompleted(ctx, answer)
	s.must(err)
	if err := <-result; err != nil {
		t.Error(err)
	}
	var gone *serviceerror.NotFound
	if _, err = s.api().RespondQueryTaskCompleted(ctx, answer); !errors.As(err, &gone) || gone.Error() != "query task not found, or already expired" {
		t.Errorf("a second answer: %v", err)
	}
	before := len(s.history(ctx, s.Name(), ""))
	if s.answeredBy(ctx, poll, answer); len(s.history(ctx, s.Name(), "")) != before {
		t.Error("a query has written history")
	}
}

// queryWaits reports whether a query waits for the run's workflow task: then no
// other may.
func (s *suite) queryWaits(ctx context.Context) bool {
	var full *serviceerror.ResourceExhausted
	_, err := s.ask(ctx, s.Name(), 100*time.Millisecond, enumspb.QUERY_REJECT_CONDITION_NONE)
	return errors.As(err, &full)
}

// answeredBy has a query of the idle run answered by a worker of ours.
func (s *suite) answeredBy(ctx context.Context, poll func() *workflowservice.PollWorkflowTaskQueueResponse, answer *workflowservice.RespondQueryTaskCompletedRequest) {
	s.Helper()
	result := make(chan error, 1)
	go func() {
		_, err := s.ask(ctx, s.Name(), patient, enumspb.QUERY_REJECT_CONDITION_NONE)
		result <- err
	}()
	answer.TaskToken = poll().GetTaskToken()
	answer.CompletedType = enumspb.QUERY_RESULT_TYPE_FAILED
	answer.ErrorMessage = "no"
	_, err := s.api().RespondQueryTaskCompleted(ctx, answer)
	s.must(err)
	var failed *serviceerror.QueryFailed
	if err := <-result; !errors.As(err, &failed) || failed.Error() != "no" {
		s.Errorf("a failed query: %v", err)
	}
}

func queryOf(name string) *querypb.WorkflowQuery { return &querypb.WorkflowQuery{QueryType: name} }
