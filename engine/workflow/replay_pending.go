package workflow

import (
	"cmp"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
)

// What the events of activities, timers, children and requests to other
// workflows say of the state.

func (r *Replay) activityScheduled(ev *historypb.HistoryEvent) error {
	d, a := r.draft, ev.GetActivityTaskScheduledEventAttributes()
	s := activity.New(activity.InWorkflow, a.GetActivityId(), a.GetActivityType().GetName(), scheduledOptions(a), ev.GetEventTime().AsTime())
	s.ScheduledEventID, s.BatchID = ev.GetEventId(), d.batchID()
	d.activities.put(ev.GetEventId(), s)
	return nil
}

// scheduledOptions are the options an activity was scheduled with, resolved.
func scheduledOptions(a *historypb.ActivityTaskScheduledEventAttributes) activity.Options {
	return activity.Options{
		TaskQueue:       a.GetTaskQueue().GetName(),
		ScheduleToClose: duration.Of(a.GetScheduleToCloseTimeout()),
		ScheduleToStart: duration.Of(a.GetScheduleToStartTimeout()),
		StartToClose:    duration.Of(a.GetStartToCloseTimeout()),
		Heartbeat:       duration.Of(a.GetHeartbeatTimeout()),
		RetryPolicy:     a.GetRetryPolicy(),
		Priority:        a.GetPriority(),
	}
}

// activityStarted stands right before the close in every history we write. In
// one that was written elsewhere it may stand alone: then a worker has it.
func (r *Replay) activityStarted(ev *historypb.HistoryEvent) error {
	a := ev.GetActivityTaskStartedEventAttributes()
	s := r.draft.activities.get(a.GetScheduledEventId())
	if s == nil {
		return badHistory(ev, "starts no activity")
	}
	r.draft.activities.put(s.ScheduledEventID, s.StartedBefore(ev.GetEventTime().AsTime(), a.GetAttempt(), a.GetIdentity()))
	return nil
}

func (r *Replay) activityCancelRequested(ev *historypb.HistoryEvent) error {
	// One whose close is in the buffer is gone from the state.
	if s := r.draft.activities.get(ev.GetActivityTaskCancelRequestedEventAttributes().GetScheduledEventId()); s != nil {
		r.draft.activities.put(s.ScheduledEventID, s.RequestCancel(ev.GetEventId()))
	}
	return nil
}

func (r *Replay) activityClosed(ev *historypb.HistoryEvent) error {
	id := closedActivity(ev)
	if r.draft.activities.get(id) == nil {
		return badHistory(ev, "closes no activity")
	}
	r.draft.activities.remove(id)
	return nil
}

func (r *Replay) timerStarted(ev *historypb.HistoryEvent) error {
	a := ev.GetTimerStartedEventAttributes()
	r.draft.timers.put(a.GetTimerId(), &Timer{
		ID:             a.GetTimerId(),
		StartedEventID: ev.GetEventId(),
		FireTime:       ev.GetEventTime().AsTime().Add(duration.Of(a.GetStartToFireTimeout())),
	})
	return nil
}

func (r *Replay) timerEnded(ev *historypb.HistoryEvent) error {
	id := cmp.Or(ev.GetTimerFiredEventAttributes().GetTimerId(), ev.GetTimerCanceledEventAttributes().GetTimerId())
	if r.draft.timers.get(id) == nil {
		return badHistory(ev, "ends no timer")
	}
	r.draft.timers.remove(id)
	return nil
}

func (r *Replay) childInitiated(ev *historypb.HistoryEvent) error {
	a := ev.GetStartChildWorkflowExecutionInitiatedEventAttributes()
	r.draft.children.put(ev.GetEventId(), &Child{
		InitiatedEventID:  ev.GetEventId(),
		BatchID:           r.draft.batchID(),
		NamespaceID:       a.GetNamespaceId(),
		NamespaceName:     a.GetNamespace(),
		WorkflowID:        a.GetWorkflowId(),
		WorkflowType:      a.GetWorkflowType().GetName(),
		ParentClosePolicy: a.GetParentClosePolicy(),
		Control:           a.GetControl(),
	})
	return nil
}

func (r *Replay) childStarted(ev *historypb.HistoryEvent) error {
	a := ev.GetChildWorkflowExecutionStartedEventAttributes()
	c := r.draft.children.get(a.GetInitiatedEventId())
	if c == nil {
		return badHistory(ev, "starts no child")
	}
	next := *c
	next.RunID = a.GetWorkflowExecution().GetRunId()
	if next.StartedEventID = ev.GetEventId(); ev.GetEventId() == 0 {
		next.StartedEventID = childStartBuffered
	}
	r.draft.children.put(c.InitiatedEventID, &next)
	return nil
}

func (r *Replay) childEnded(ev *historypb.HistoryEvent) error {
	id := endedChild(ev)
	if r.draft.children.get(id) == nil {
		return badHistory(ev, "ends no child")
	}
	r.draft.children.remove(id)
	return nil
}

// endedChild is the initiated event id of the child that ev closes, or whose
// start it reports to have failed; 0 if it does neither.
func endedChild(ev *historypb.HistoryEvent) int64 {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
		return ev.GetStartChildWorkflowExecutionFailedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		return ev.GetChildWorkflowExecutionCompletedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
		return ev.GetChildWorkflowExecutionFailedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
		return ev.GetChildWorkflowExecutionCanceledEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
		return ev.GetChildWorkflowExecutionTimedOutEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		return ev.GetChildWorkflowExecutionTerminatedEventAttributes().GetInitiatedEventId()
	}
	return 0
}

// request is the id of the request to another execution that the event has
// caused: that of the step which wrote the event first.
func (r *Replay) request(ev *historypb.HistoryEvent) string {
	return messageRequestID(engine.RunKey{ID: r.draft.base.Key.ID, RunID: r.origin}, ev.GetEventId())
}

// external is a request to another execution, as its event tells of it.
func (r *Replay) external(ev *historypb.HistoryEvent, a interface {
	GetNamespaceId() string
	GetNamespace() string
	GetWorkflowExecution() *commonpb.WorkflowExecution
	GetControl() string
	GetChildWorkflowOnly() bool
}) *External {
	return &External{
		InitiatedEventID: ev.GetEventId(),
		BatchID:          r.draft.batchID(),
		NamespaceID:      a.GetNamespaceId(),
		NamespaceName:    a.GetNamespace(),
		Target:           a.GetWorkflowExecution(),
		Control:          a.GetControl(),
		RequestID:        r.request(ev),

		ChildWorkflowOnly: a.GetChildWorkflowOnly(),
	}
}

func (r *Replay) signalInitiated(ev *historypb.HistoryEvent) error {
	r.draft.signals.put(ev.GetEventId(), r.external(ev, ev.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()))
	return nil
}

func (r *Replay) signalAnswered(ev *historypb.HistoryEvent) error {
	id := cmp.Or(ev.GetSignalExternalWorkflowExecutionFailedEventAttributes().GetInitiatedEventId(),
		ev.GetExternalWorkflowExecutionSignaledEventAttributes().GetInitiatedEventId())
	if r.draft.signals.get(id) == nil {
		return badHistory(ev, "answers no signal")
	}
	r.draft.signals.remove(id)
	return nil
}

func (r *Replay) cancelInitiated(ev *historypb.HistoryEvent) error {
	r.draft.cancels.put(ev.GetEventId(), r.external(ev, ev.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes()))
	return nil
}

func (r *Replay) cancelAnswered(ev *historypb.HistoryEvent) error {
	id := cmp.Or(ev.GetRequestCancelExternalWorkflowExecutionFailedEventAttributes().GetInitiatedEventId(),
		ev.GetExternalWorkflowExecutionCancelRequestedEventAttributes().GetInitiatedEventId())
	if r.draft.cancels.get(id) == nil {
		return badHistory(ev, "answers no cancel request")
	}
	r.draft.cancels.remove(id)
	return nil
}
