package frontend

import (
	"context"
	"errors"
	"fmt"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// waitsForClose recognises the first request of one who waits for the result of
// a run that it names, as every SDK does after a start.
func waitsForClose(r *workflowservice.GetWorkflowExecutionHistoryRequest) bool {
	return r.GetWaitNewEvent() && wantsClose(r.GetHistoryEventFilterType()) &&
		len(r.GetNextPageToken()) == 0 && r.GetExecution().GetRunId() != ""
}

func (f *Frontend) awaitClose(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	e := r.GetExecution()
	run := engine.RunKey{ID: executionID(ctx, e.GetWorkflowId()), RunID: e.GetRunId()}
	return f.closeOf(ctx, historyPage{Run: run, Next: 1, Wait: true, CloseEvent: true})
}

// closeOf waits for the closing event of the page's run.
func (f *Frontend) closeOf(ctx context.Context, page historyPage) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	place, err := f.waiting.enter(page.Run.NamespaceID)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	closed, err := f.executions.Closing(ctx, f.waiting.over(ctx, historyPollTime), page.Run)
	switch {
	case err == nil:
		return closeAnswer(ctx, closed)
	case !errors.Is(err, shard.ErrOver):
		return nil, err
	}
	return &workflowservice.GetWorkflowExecutionHistoryResponse{
		History: &historypb.History{}, NextPageToken: page.seal(tokenHistoryPage),
	}, nil
}

// closeAnswer is the closing event in the form that the caller understands.
func closeAnswer(ctx context.Context, closed shard.Closed) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	answer := new(struct { // one object
		workflowservice.GetWorkflowExecutionHistoryResponse
		history historypb.History
	})
	history := &answer.history
	var err error
	if closed.NewRunID == "" || followsNextRun(ctx) {
		err = setRaw(history, closed.Event, nil)
	} else if err = proto.Unmarshal(closed.Event, history); err == nil && len(history.Events) == 1 {
		history.Events[0] = asContinued(history.Events[0])
	}
	if err != nil {
		return nil, fmt.Errorf("closing event: %w", err)
	}
	answer.History = history
	return &answer.GetWorkflowExecutionHistoryResponse, nil
}

// closeEvent answers readers who want the closing event only, and do not wait for
// it: they are answered at once. (The reference server waits here too, and then
// answers the same.)
func (f *Frontend) closeEvent(ctx context.Context, page historyPage, view runView) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	resp := &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{}}
	if view.open {
		return resp, nil
	}
	ev, err := f.executions.Event(ctx, page.Run, view.closeBatchID, view.closeEventID)
	if err != nil {
		return nil, err
	}
	if !followsNextRun(ctx) {
		ev = asContinued(ev)
	}
	resp.History.Events = []*historypb.HistoryEvent{ev}
	return resp, nil
}

// followsNextRun reports whether the caller understands new_execution_run_id in
// closing events. Every present SDK does.
func followsNextRun(ctx context.Context) bool {
	features := strings.FieldsFuncSeq(callOf(ctx).client.supportedFeatures, func(r rune) bool { return r == ',' || r == ' ' })
	for f := range features {
		if f == "follows-next-run-id" {
			return true
		}
	}
	return false
}

// asContinued shows a close that has a successor to an old client as the
// continue-as-new it knows how to follow (workflow.md 2.4).
func asContinued(ev *historypb.HistoryEvent) *historypb.HistoryEvent {
	next := successor(ev)
	if next == "" {
		return ev
	}
	return &historypb.HistoryEvent{
		EventId: ev.GetEventId(), EventTime: ev.GetEventTime(), Version: ev.GetVersion(), TaskId: ev.GetTaskId(),
		EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionContinuedAsNewEventAttributes{
			WorkflowExecutionContinuedAsNewEventAttributes: &historypb.WorkflowExecutionContinuedAsNewEventAttributes{
				NewExecutionRunId:    next,
				Failure:              ev.GetWorkflowExecutionFailedEventAttributes().GetFailure(),
				LastCompletionResult: ev.GetWorkflowExecutionCompletedEventAttributes().GetResult(),
			},
		},
	}
}

// successor is the run that follows a close by retry or cron.
func successor(ev *historypb.HistoryEvent) string {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return ev.GetWorkflowExecutionCompletedEventAttributes().GetNewExecutionRunId()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return ev.GetWorkflowExecutionFailedEventAttributes().GetNewExecutionRunId()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return ev.GetWorkflowExecutionTimedOutEventAttributes().GetNewExecutionRunId()
	}
	return ""
}
