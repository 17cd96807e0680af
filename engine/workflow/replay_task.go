package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/duration"
)

// What the events of the workflow task say of the state.

func (r *Replay) taskScheduled(ev *historypb.HistoryEvent) error {
	d, a := r.draft, ev.GetWorkflowTaskScheduledEventAttributes()
	at := ev.GetEventTime().AsTime()
	t := &Task{
		Type:                  TaskNormal,
		ScheduledEventID:      ev.GetEventId(),
		Attempt:               a.GetAttempt(),
		ScheduledTime:         at,
		OriginalScheduledTime: at,
		Timeout:               duration.Of(a.GetStartToCloseTimeout()),
	}
	if q := a.GetTaskQueue(); q.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
		t.StickyQueue = q.GetName()
	}
	d.info.Task = t
	d.info.FirstTaskDone = true
	r.dropRejected()
	return nil
}

func (r *Replay) taskStarted(ev *historypb.HistoryEvent) error {
	d, a := r.draft, ev.GetWorkflowTaskStartedEventAttributes()
	if d.info.Task == nil {
		return badHistory(ev, "starts no workflow task")
	}
	t := d.editTask()
	t.StartedEventID = ev.GetEventId()
	t.StartedTime = ev.GetEventTime().AsTime()
	t.RequestID = a.GetRequestId()
	t.Identity = a.GetIdentity()
	t.SuggestContinueAsNew = a.GetSuggestContinueAsNew()
	t.SuggestReasons = a.GetSuggestContinueAsNewReasons()
	t.HistorySizeBytes = a.GetHistorySizeBytes()
	d.info.LastWorkerIdentity = a.GetIdentity()
	return nil
}

func (r *Replay) taskCompleted(ev *historypb.HistoryEvent) error {
	d, a := r.draft, ev.GetWorkflowTaskCompletedEventAttributes()
	if d.info.Task == nil {
		return badHistory(ev, "completes no workflow task")
	}
	d.info.Task = nil
	d.info.LastCompletedStartedID = a.GetStartedEventId()
	d.recordWorker(ev, r.origin)
	return nil
}

func (r *Replay) taskFailed(ev *historypb.HistoryEvent) error {
	if r.draft.info.Task == nil {
		return badHistory(ev, "fails no workflow task")
	}
	r.draft.info.Task = nil
	if ev.GetWorkflowTaskFailedEventAttributes().GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW {
		r.resetAt(ev)
	}
	return nil
}

func (r *Replay) taskTimedOut(ev *historypb.HistoryEvent) error {
	if r.draft.info.Task == nil {
		return badHistory(ev, "times out no workflow task")
	}
	r.draft.info.Task = nil
	return nil
}
