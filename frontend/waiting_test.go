package frontend

import (
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/matching"
)

// I11: calls that wait are bounded by namespace, and callers who wait for results
// leave a quarter of the places to the polls of workers, however many come.
func TestPollsHaveAShareOfThePlaces(t *testing.T) {
	w := newWaiting(16)
	var places []place
	enter := func(take func(string) (place, error), namespace string) bool {
		taken, err := take(namespace)
		if err == nil {
			places = append(places, taken)
		}
		return err == nil
	}
	others, polls := 0, 0
	for range 40 {
		if enter(w.enter, "a") {
			others++
		}
	}
	for range 40 {
		if enter(w.enterPoll, "a") {
			polls++
		}
	}
	if others != 12 || polls != 4 {
		t.Errorf("%d callers and %d polls wait, want 12 and 4", others, polls)
	}
	if !enter(w.enter, "b") {
		t.Error("another namespace has no place")
	}
	for _, p := range places {
		p.leave()
	}
	for polls = 0; enter(w.enterPoll, "a"); polls++ {
	}
	if polls != 16 {
		t.Errorf("%d polls wait where nobody else does, want 16", polls)
	}
}

// A poll that a task queue has no place for is told so as SDKs expect it.
func TestTooManyPollersOnAQueue(t *testing.T) {
	e := newEdge(t)
	e.queues.refuses = matching.ErrTooManyPollers
	_, err := e.api.PollWorkflowTaskQueue(pollContext(t), &workflowservice.PollWorkflowTaskQueueRequest{
		Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}})
	st := status.Convert(err)
	if st.Code() != codes.ResourceExhausted || len(st.Details()) != 1 {
		t.Fatal(err)
	}
	d, _ := st.Details()[0].(*errordetails.ResourceExhaustedFailure)
	if d.GetCause() != enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT || d.GetScope() != enumspb.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE {
		t.Errorf("details %v", d)
	}
}
