package workflow

import (
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// startWorkflowTask gives the pending task to a poller. The offer must be the
// latest one; the poll that has got the task already gets the same answer again.
func (d *draft) startWorkflowTask(in *StartWorkflowTask) (any, error) {
	t := d.info.Task
	if t == nil || !d.isOpen() || t.ScheduledEventID != in.EventID {
		return nil, engine.Stale("no such workflow task is pending")
	}
	if !t.onOffer() {
		if in.Poller.RequestID == "" || t.RequestID != in.Poller.RequestID {
			return nil, engine.Stale("the workflow task has been started")
		}
		d.untouched = true
		return d.taskReply(in.Poller.Sticky), nil
	}
	if t.Stamp != in.Stamp {
		return nil, engine.Stale("the workflow task has been offered anew")
	}
	d.withdrawTask()
	if !in.Poller.Sticky {
		d.unsend(0) // who is given the whole history is given all that is pending
	}
	started := d.beginTask(in.Poller)
	if !in.Poller.Sticky {
		// Whoever polls the normal queue has no history of the run at hand.
		d.info.Sticky = nil
		started.StickyQueue = ""
	}
	return d.taskReply(in.Poller.Sticky), nil
}

// taskReply describes the started task for its worker. A partial history begins
// after the start of the last completed task: with its WorkflowTaskCompleted.
func (d *draft) taskReply(partial bool) *TaskStarted {
	t, s := d.info.Task, d.fixed()
	reply := &TaskStarted{
		Token: TaskToken{
			Run:              d.base.Key,
			ScheduledEventID: t.ScheduledEventID,
			StartedEventID:   t.StartedEventID,
			Attempt:          t.Attempt,
			Stamp:            t.Stamp,
		},
		NamespaceName:          s.NamespaceName,
		WorkflowType:           s.WorkflowType,
		TaskQueue:              s.TaskQueue,
		PreviousStartedEventID: d.info.LastCompletedStartedID,
		StartedEventID:         t.StartedEventID,
		Attempt:                t.Attempt,
		ScheduledTime:          t.ScheduledTime,
		StartedTime:            t.StartedTime,
		HistoryFrom:            1,
		HistoryTo:              t.StartedEventID,
		Virtual:                virtualEvents(s, t),
		Updates:                d.sentWith(t.Stamp),
	}
	if partial {
		reply.HistoryFrom = d.info.LastCompletedStartedID + 1
	}
	if t.Type != TaskNormal {
		reply.HistoryTo = t.ScheduledEventID - 1
	}
	return reply
}

// checkToken accepts the token of the very start that is under way.
func (d *draft) checkToken(token TaskToken) error {
	t := d.info.Task
	if t == nil || t.onOffer() || !d.isOpen() ||
		t.ScheduledEventID != token.ScheduledEventID || t.StartedEventID != token.StartedEventID ||
		t.Attempt != token.Attempt || t.Stamp != token.Stamp {
		return engine.NotFound("Workflow task not found.")
	}
	return nil
}

// abortWorkflowTask puts a task back whose poller was gone before it could be
// told. History may already show the start, and what is in history stays: so
// the started event stands, and the task is offered again under a new stamp
// with its attempt unchanged. The clock of start-to-close starts anew when a
// worker takes it.
func (d *draft) abortWorkflowTask(in *AbortWorkflowTask) (any, error) {
	if err := d.checkToken(in.Token); err != nil {
		return nil, engine.Stale("the workflow task has moved on")
	}
	t := d.editTask()
	d.unsend(t.Stamp)
	if d.paused() {
		d.voidTask()
		return nil, nil
	}
	t.Reoffered = true
	t.RequestID = ""
	t.StartedTime = time.Time{}
	t.Inline = false
	if d.info.Sticky == nil {
		t.StickyQueue = ""
	}
	if t.Type == TaskSpeculative { // its start is in no history
		t.Reoffered, t.StartedEventID = false, 0
		t.HistorySizeBytes, t.SuggestContinueAsNew, t.SuggestReasons = 0, false, nil
	}
	d.offerTask(t)
	return nil, nil
}

// resetSticky forgets the worker that holds the run's history.
func (d *draft) resetSticky() (any, error) {
	if !d.isOpen() {
		return nil, closedRun()
	}
	d.info.Sticky = nil
	return &workflowservice.ResetStickyTaskQueueResponse{}, nil
}
