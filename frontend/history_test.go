package frontend

import (
	"context"
	"fmt"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
)

type historyRequest = workflowservice.GetWorkflowExecutionHistoryRequest

const (
	started   = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
	scheduled = enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
	signaled  = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
)

func (e *edge) history(t *testing.T, ctx context.Context, change func(*historyRequest)) ([]int64, []byte) {
	t.Helper()
	r := &historyRequest{Namespace: "ns", Execution: testExecution}
	change(r)
	resp, err := e.api.GetWorkflowExecutionHistory(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return eventIDs(resp.GetHistory()), resp.GetNextPageToken()
}

// workflow.md 2.4: pages are whole batches; without waiting the last one has no token.
func TestHistoryPages(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	run.append(started, scheduled)
	run.append(signaled)
	run.append(signaled, signaled)
	var got []string
	var token []byte
	for {
		var ids []int64
		ids, token = e.history(t, t.Context(), func(r *historyRequest) { r.MaximumPageSize, r.NextPageToken = 1, token })
		got = append(got, fmt.Sprint(ids))
		if len(token) == 0 {
			break
		}
	}
	if fmt.Sprint(got) != "[[1 2] [3] [4 5]]" {
		t.Errorf("pages %v", got)
	}
	var reverse []string
	token = nil
	for {
		resp, err := e.api.GetWorkflowExecutionHistoryReverse(t.Context(), &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
			Namespace: "ns", Execution: testExecution, MaximumPageSize: 2, NextPageToken: token,
		})
		if err != nil {
			t.Fatal(err)
		}
		reverse = append(reverse, fmt.Sprint(eventIDs(resp.GetHistory())))
		if token = resp.GetNextPageToken(); len(token) == 0 {
			break
		}
	}
	if fmt.Sprint(reverse) != "[[5 4 3] [2 1]]" {
		t.Errorf("downwards %v", reverse)
	}
}

// A token pins the run, and says so when another is asked for.
func TestHistoryTokenIsPinned(t *testing.T) {
	e := newEdge(t)
	e.withRun().append(started)
	_, token := e.history(t, t.Context(), func(r *historyRequest) { r.WaitNewEvent = true })
	for _, c := range []struct {
		execution *commonpb.WorkflowExecution
		text      string
	}{
		{&commonpb.WorkflowExecution{WorkflowId: "w", RunId: "22222222-2222-4333-8444-555555555555"}, "RunId in the request does not match the NextPageToken."},
		{&commonpb.WorkflowExecution{WorkflowId: "other"}, "Invalid NextPageToken."},
	} {
		_, err := e.api.GetWorkflowExecutionHistory(t.Context(), &historyRequest{Namespace: "ns", Execution: c.execution, NextPageToken: token})
		if status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != c.text {
			t.Errorf("%v: %v", c.execution, err)
		}
	}
	ahead := historyPage{Run: testRun, Next: 99}
	_, err := e.api.GetWorkflowExecutionHistory(t.Context(), &historyRequest{Namespace: "ns", Execution: testExecution, NextPageToken: ahead.seal(tokenHistoryPage)})
	if status.Convert(err).Message() != "Invalid NextPageToken." {
		t.Errorf("a token beyond the end: %v", err)
	}
}

// The rows "true, ALL" of the table: a token after the last page, a call with it
// waits, and after the close there is none.
func TestHistoryLongPoll(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	run.append(started, scheduled)
	ids, token := e.history(t, t.Context(), func(r *historyRequest) { r.WaitNewEvent = true })
	if fmt.Sprint(ids) != "[1 2]" || len(token) == 0 {
		t.Fatalf("first page %v, token %v", ids, token)
	}
	type page struct {
		ids   []int64
		token []byte
	}
	wait := func() chan page {
		pages := make(chan page, 1)
		go func() {
			ids, next := e.history(t, pollContext(t), func(r *historyRequest) { r.WaitNewEvent, r.NextPageToken = true, token })
			pages <- page{ids, next}
		}()
		return pages
	}
	pages := wait()
	run.append(signaled)
	p := <-pages
	if fmt.Sprint(p.ids) != "[3]" || len(p.token) == 0 {
		t.Fatalf("after a signal %v", p)
	}
	token = p.token
	pages = wait()
	run.close()
	if p = <-pages; fmt.Sprint(p.ids) != "[4]" {
		t.Errorf("after the close %v", p)
	}
	for len(p.token) > 0 { // the close may become visible a step after its event
		p.ids, p.token = e.history(t, pollContext(t), func(r *historyRequest) { r.WaitNewEvent, r.NextPageToken = true, p.token })
	}
}

// A long poll ends empty, with a token, a second before the caller's deadline.
func TestHistoryLongPollTimesOutEmpty(t *testing.T) {
	e := newEdge(t)
	e.withRun().append(started)
	_, token := e.history(t, t.Context(), func(r *historyRequest) { r.WaitNewEvent = true })
	ctx, cancel := context.WithTimeout(t.Context(), deadlineMargin+deadlineMargin/20)
	defer cancel()
	ids, next := e.history(t, ctx, func(r *historyRequest) { r.WaitNewEvent, r.NextPageToken = true, token })
	if len(ids) != 0 || len(next) == 0 {
		t.Errorf("%v, token %v", ids, next)
	}
}

// The rows of CLOSE_EVENT.
func TestHistoryCloseEvent(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	run.append(started)
	closeEvent := func(wait bool) ([]int64, []byte) {
		return e.history(t, pollContext(t), func(r *historyRequest) {
			r.WaitNewEvent, r.HistoryEventFilterType = wait, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
		})
	}
	if ids, token := closeEvent(false); len(ids) != 0 || len(token) != 0 {
		t.Errorf("open, not waiting: %v, %v", ids, token)
	}
	got := make(chan string, 1)
	go func() {
		ids, token := closeEvent(true)
		got <- fmt.Sprint(ids, len(token))
	}()
	run.append(signaled)
	run.close()
	if s := <-got; s != "[3] 0" {
		t.Errorf("waited for %s", s)
	}
	if ids, token := closeEvent(true); fmt.Sprint(ids) != "[3]" || len(token) != 0 {
		t.Errorf("closed: %v, %v", ids, token)
	}
}

// Events that are not stored are for workers, not for people (workflow.md 2.4).
func TestVirtualEventsAreForWorkers(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	run.append(started)
	run.change(func() {
		info := *run.mu.run.Info
		info.Task = &workflow.Task{Type: workflow.TaskTransient, ScheduledEventID: 2, StartedEventID: 3, Attempt: 2, Stamp: 5}
		run.mu.run.Info = &info
	})
	for client, want := range map[string]string{"temporal-go": "[1 2 3]", "": "[1 2 3]", "temporal-cli": "[1]", "temporal-ui": "[1]"} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), headerClientName, client)
		if ids, _ := e.history(t, ctx, func(*historyRequest) {}); fmt.Sprint(ids) != want {
			t.Errorf("%q sees %v, want %s", client, ids, want)
		}
	}
	if ids, _ := e.history(t, t.Context(), func(r *historyRequest) { r.WaitNewEvent = true }); fmt.Sprint(ids) != "[1]" {
		t.Errorf("who waits for more sees %v", ids)
	}
	// A page bound to that very task ends with them; one bound to an older does not.
	for stamp, want := range map[int64]string{5: "[1 2 3]", 4: "[1]"} {
		page := historyPage{Run: testRun, Next: 1, To: 1, Task: stamp}
		if ids, _ := e.history(t, t.Context(), func(r *historyRequest) { r.NextPageToken = page.seal(tokenHistoryPage) }); fmt.Sprint(ids) != want {
			t.Errorf("bound to stamp %d: %v", stamp, ids)
		}
	}
}

// Clients that cannot follow new_execution_run_id are shown a continue-as-new.
func TestSuccessorForOldClients(t *testing.T) {
	ev := &historypb.HistoryEvent{
		EventId: 7, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{NewExecutionRunId: "next"},
		},
	}
	got := asContinued(ev)
	if got.GetEventId() != 7 || got.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId() != "next" {
		t.Errorf("%v", got)
	}
	for header, want := range map[string]bool{"": false, "follows-next-run-id": true, "other, follows-next-run-id": true, "other": false} {
		ctx := withCall(t.Context(), &rpc{}, metadata.Pairs(headerSupportedFeatures, header))
		if followsNextRun(ctx) != want {
			t.Errorf("%q: %v", header, !want)
		}
		if shown := closingShownIn(ctx, t, ev); proto.Equal(shown, ev) != want || !want && !proto.Equal(shown, got) {
			t.Errorf("%q is shown %v", header, shown)
		}
	}
}

// closingShownIn is a closing event as a caller sees it whose wait it ends.
func closingShownIn(ctx context.Context, t *testing.T, ev *historypb.HistoryEvent) *historypb.HistoryEvent {
	t.Helper()
	stored, err := proto.Marshal(&historypb.History{Events: []*historypb.HistoryEvent{ev}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := closeAnswer(ctx, shard.Closed{Event: stored, NewRunID: "next"})
	if err != nil {
		t.Fatal(err)
	}
	onWire, err := proto.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	var seen workflowservice.GetWorkflowExecutionHistoryResponse
	if err := proto.Unmarshal(onWire, &seen); err != nil || len(seen.GetHistory().GetEvents()) != 1 {
		t.Fatalf("%v, %v", &seen, err)
	}
	return seen.History.Events[0]
}
