package frontend

import (
	"context"
	"errors"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
)

// maxHistoryBatches is the most a page holds, and the default (workflow.md 2.4).
const maxHistoryBatches = 256

func historyPageSize(asked int32) int {
	if asked <= 0 || asked > maxHistoryBatches {
		return maxHistoryBatches
	}
	return int(asked)
}

// runView is what a reader of history must know of a run's present state.
type runView struct {
	key          engine.RunKey
	open         bool
	nextEventID  int64
	closeEventID int64
	closeBatchID int64
	virtual      []*historypb.HistoryEvent
	taskStamp    int64 // of the pending workflow task; 0 for none
	taskStarted  int64 // its started event id; 0 if it is not started
}

func (f *Frontend) viewRun(ctx context.Context, id engine.ID, runID string) (runView, error) {
	var v runView
	err := f.executions.View(ctx, id, runID, v.read)
	return v, err
}

func (v *runView) read(run *workflow.Run) {
	*v = runView{
		key: run.Key, open: run.Open(), nextEventID: run.Info.NextEventID,
		closeEventID: run.Info.CloseEventID, closeBatchID: run.Info.CloseBatchID,
		virtual: run.Virtual(),
	}
	if run.Info.Task != nil {
		v.taskStamp, v.taskStarted = run.Info.Task.Stamp, run.Info.Task.StartedEventID
	}
}

// GetWorkflowExecutionHistory is workflow.md 2.4.
func (f *Frontend) GetWorkflowExecutionHistory(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	if err := f.checkExecution(r.GetExecution()); err != nil {
		return nil, err
	}
	if waitsForClose(r) {
		return f.awaitClose(ctx, r)
	}
	page, view, err := f.historyStart(ctx, r)
	if err != nil {
		return nil, err
	}
	switch {
	case page.To > 0:
		return f.taskHistoryPage(ctx, r, page, view)
	case page.CloseEvent && page.Wait && view.open:
		return f.closeOf(ctx, page)
	case page.CloseEvent:
		return f.closeEvent(ctx, page, view)
	case page.Wait && view.open && page.Next == view.nextEventID:
		if view, err = f.await(ctx, view, func(run *workflow.Run) bool { return run.Info.NextEventID != page.Next }); err != nil {
			return nil, err
		}
	}
	return f.allEvents(ctx, r, page, view)
}

// historyStart finds out where the reader stands, and sees the run's state.
func (f *Frontend) historyStart(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest) (historyPage, runView, error) {
	e := r.GetExecution()
	id := executionID(ctx, e.GetWorkflowId())
	if len(r.GetNextPageToken()) == 0 {
		view, err := f.viewRun(ctx, id, e.GetRunId())
		return historyPage{
			Run: view.key, Next: 1, Wait: r.GetWaitNewEvent(), CloseEvent: wantsClose(r.GetHistoryEventFilterType()),
		}, view, err
	}
	page, err := openHistoryPage(tokenHistoryPage, r.GetNextPageToken(), id, e.GetRunId())
	if err != nil {
		return page, runView{}, err
	}
	view, err := f.viewRun(ctx, id, page.Run.RunID)
	if err == nil && page.Next > view.nextEventID {
		err = errBadPage
	}
	return page, view, err
}

// taskHistoryPage is a further page of a workflow task's history: it ends where
// the task does, whatever came after.
func (f *Frontend) taskHistoryPage(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest, page historyPage, view runView) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	if page.Task == view.taskStamp && len(view.virtual) == 0 {
		page.To = max(page.To, view.taskStarted) // a speculative task has become real since it was handed over
	}
	stored, err := f.executions.History(ctx, page.Run, page.Next, page.To, historyPageSize(r.GetMaximumPageSize()))
	if err != nil {
		return nil, err
	}
	var virtual []*historypb.HistoryEvent
	if stored.NextEventID == 0 && page.Task == view.taskStamp {
		virtual = view.virtual
	}
	resp := &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{}}
	if err := setRaw(resp.History, stored.Bytes, virtual); err != nil {
		return nil, err
	}
	if stored.NextEventID != 0 {
		page.Next = stored.NextEventID
		resp.NextPageToken = page.seal(tokenHistoryPage)
	}
	return resp, nil
}

// await waits until the run satisfies enough, is closed, or the time of a long
// poll is over; it returns the state it saw last.
func (f *Frontend) await(ctx context.Context, view runView, enough func(*workflow.Run) bool) (runView, error) {
	place, err := f.waiting.enter(view.key.NamespaceID)
	if err != nil {
		return view, err
	}
	defer place.leave()
	var later runView
	err = f.executions.Follow(ctx, f.waiting.over(ctx, historyPollTime), view.key, enough, later.read)
	if errors.Is(err, shard.ErrOver) {
		return view, nil
	}
	return later, err
}

// allEvents is a page of the whole history.
func (f *Frontend) allEvents(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest, page historyPage, view runView) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	resp := &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{}}
	last := true
	if page.Next < view.nextEventID {
		stored, err := f.executions.History(ctx, page.Run, page.Next, view.nextEventID-1, historyPageSize(r.GetMaximumPageSize()))
		if err != nil {
			return nil, err
		}
		last = stored.NextEventID == 0
		page.Next = stored.NextEventID
		if last {
			page.Next = view.nextEventID
		}
		var virtual []*historypb.HistoryEvent
		// Someone who waits for more would be shown the same ids again once the
		// events are real, perhaps as other events; so they get real ones only.
		if last && !page.Wait && !isForPeople(ctx) {
			virtual = view.virtual
		}
		if err := setRaw(resp.History, stored.Bytes, virtual); err != nil {
			return nil, err
		}
	}
	if !last || (page.Wait && view.open) {
		resp.NextPageToken = page.seal(tokenHistoryPage)
	}
	return resp, nil
}

// isForPeople reports whether the caller shows histories to people: they must
// not see events that are not stored.
func isForPeople(ctx context.Context) bool {
	name := callOf(ctx).client.name
	return name == "temporal-cli" || name == "temporal-ui"
}

// GetWorkflowExecutionHistoryReverse is workflow.md 2.5: stored events only,
// newest first.
func (f *Frontend) GetWorkflowExecutionHistoryReverse(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryReverseRequest) (*workflowservice.GetWorkflowExecutionHistoryReverseResponse, error) {
	if err := f.checkExecution(r.GetExecution()); err != nil {
		return nil, err
	}
	page, err := f.reverseStart(ctx, r)
	if err != nil {
		return nil, err
	}
	events, next, err := f.executions.HistoryReverse(ctx, page.Run, page.Next, historyPageSize(r.GetMaximumPageSize()))
	if err != nil {
		return nil, err
	}
	resp := &workflowservice.GetWorkflowExecutionHistoryReverseResponse{History: &historypb.History{Events: events}}
	if next > 0 {
		page.Next = next
		resp.NextPageToken = page.seal(tokenReversePage)
	}
	return resp, nil
}

func (f *Frontend) reverseStart(ctx context.Context, r *workflowservice.GetWorkflowExecutionHistoryReverseRequest) (historyPage, error) {
	e := r.GetExecution()
	id := executionID(ctx, e.GetWorkflowId())
	if len(r.GetNextPageToken()) > 0 {
		return openHistoryPage(tokenReversePage, r.GetNextPageToken(), id, e.GetRunId())
	}
	view, err := f.viewRun(ctx, id, e.GetRunId())
	return historyPage{Run: view.key, Next: view.nextEventID - 1}, err
}
