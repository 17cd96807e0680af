package server

import (
	"context"
	"fmt"
	"sync"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// I11: more callers wait for results than may. Those beyond are told so, with
// cause and scope where SDKs look for them; polls still have their share of the
// places, so that what waits goes on; and every execution that was accepted ends,
// is told to whoever asks again, and is counted.
func TestMoreCallersThanMayWait(t *testing.T) {
	const clients, places, forPolls = 64, 16, 4
	o := inFolder(t.TempDir())
	o.Config.MaxWaitingCalls = places
	s := launch(t, o)
	ctx, a := testContext(t), api(t, s)

	refused, served, ended := make(chan struct{}, clients), make(chan struct{}), make(chan error, clients)
	var group sync.WaitGroup
	for c := range clients {
		id := fmt.Sprint("order-", c)
		mustStart(t, a, id)
		group.Go(func() {
			err := result(ctx, a, id)
			if status.Code(err) == codes.ResourceExhausted {
				refused <- struct{}{}
				<-served
				retry(t, "a result", func() error { err = result(ctx, a, id); return err })
			}
			ended <- err
		})
	}
	for range clients - (places - forPolls) { // nobody works yet: so many find no place
		<-refused
	}
	var trailer metadata.MD
	checkExhausted(t, "one too many", result(ctx, a, "order-0", grpc.Trailer(&trailer)), enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT, enumspb.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE)
	if got := trailer.Get("X-Resource-Exhausted-Cause"); len(got) != 1 || got[0] != "ConcurrentLimit" {
		t.Errorf("trailer: %v", trailer)
	}

	close(served)
	var workers sync.WaitGroup
	for range forPolls {
		workers.Go(func() {
			for range clients / forPolls {
				task, err := a.PollWorkflowTaskQueue(ctx, pollOf())
				if err == nil {
					_, err = a.RespondWorkflowTaskCompleted(ctx, completion(task.GetTaskToken()))
				}
				if err != nil {
					t.Errorf("a worker: %v", err)
				}
			}
		})
	}
	workers.Wait()
	group.Wait()
	for range clients {
		if err := <-ended; err != nil {
			t.Errorf("a client: %v", err)
		}
	}
	count, err := a.CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: "default", Query: "ExecutionStatus = 'Completed'"})
	if err != nil || count.GetCount() != clients {
		t.Errorf("%v are completed, want %d, error %v", count, clients, err)
	}
}

// result waits for the end of the current run of the id.
func result(ctx context.Context, a workflowservice.WorkflowServiceClient, id string, options ...grpc.CallOption) error {
	request := &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: "default", Execution: &commonpb.WorkflowExecution{WorkflowId: id}, WaitNewEvent: true,
		HistoryEventFilterType: enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
	}
	for {
		reply, err := a.GetWorkflowExecutionHistory(ctx, request, options...)
		if err != nil || len(reply.GetHistory().GetEvents()) > 0 {
			return err
		}
		request.NextPageToken = reply.GetNextPageToken()
	}
}

func checkExhausted(t *testing.T, what string, err error, cause enumspb.ResourceExhaustedCause, scope enumspb.ResourceExhaustedScope) {
	t.Helper()
	st := status.Convert(err)
	if st.Code() != codes.ResourceExhausted || len(st.Details()) == 0 {
		t.Errorf("%s: want RESOURCE_EXHAUSTED with its details, got %v", what, err)
		return
	}
	d, _ := st.Details()[0].(*errordetails.ResourceExhaustedFailure)
	if d.GetCause() != cause || d.GetScope() != scope {
		t.Errorf("%s: details %v, want %v of %v", what, d, cause, scope)
	}
}
