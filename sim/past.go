package main

import (
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
)

// past is what a history says about the things a script does.
type past struct {
	id, run    string
	activities map[string]*activityPast // by activity id
	timers     map[string]*timerPast    // by timer id
	children   map[string]*bool         // closed, by workflow id
	others     map[string]*bool         // answered, by control
	byID       map[int64]*bool          // children and others by initiated event id
	markers    map[string]bool
	signals    int
	ends       bool // a signal says so
	cancel     bool
	failed     bool // a workflow task has failed
	tasks      int  // completed
	attempt    int32
	scheduled  map[int64]*activityPast
	updates    map[string]bool              // accepted: answered or not, by update id
	admitted   map[string]*updatepb.Request // by an event, after a reset
}

type activityPast struct {
	scheduledID       int64
	cancelled, closed bool
}

type timerPast struct {
	started int64
	over    bool
}

func read(id, run string, events []*historypb.HistoryEvent) *past {
	p := &past{
		id: id, run: run, activities: map[string]*activityPast{}, timers: map[string]*timerPast{},
		children: map[string]*bool{}, others: map[string]*bool{}, byID: map[int64]*bool{},
		markers: map[string]bool{}, scheduled: map[int64]*activityPast{}, updates: map[string]bool{},
		admitted: map[string]*updatepb.Request{},
	}
	for _, ev := range events {
		p.read(ev)
	}
	return p
}

func (p *past) read(ev *historypb.HistoryEvent) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		a := &activityPast{scheduledID: ev.EventId}
		p.activities[ev.GetActivityTaskScheduledEventAttributes().ActivityId] = a
		p.scheduled[ev.EventId] = a
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
		p.scheduled[ev.GetActivityTaskCancelRequestedEventAttributes().ScheduledEventId].cancelled = true
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		p.timers[ev.GetTimerStartedEventAttributes().TimerId] = &timerPast{started: ev.EventId}
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		p.timers[ev.GetTimerFiredEventAttributes().TimerId].over = true
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		p.timers[ev.GetTimerCanceledEventAttributes().TimerId].over = true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		p.signals++
		p.ends = p.ends || strings.HasPrefix(ev.GetWorkflowExecutionSignaledEventAttributes().SignalName, endSignal)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		p.cancel = true
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		p.failed = true
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		p.tasks++
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
		req := ev.GetWorkflowExecutionUpdateAdmittedEventAttributes().Request
		p.admitted[req.GetMeta().GetUpdateId()] = req
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		delete(p.admitted, ev.GetWorkflowExecutionUpdateAcceptedEventAttributes().ProtocolInstanceId)
		p.updates[ev.GetWorkflowExecutionUpdateAcceptedEventAttributes().ProtocolInstanceId] = false
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		p.updates[ev.GetWorkflowExecutionUpdateCompletedEventAttributes().GetMeta().GetUpdateId()] = true
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		p.markers[ev.GetMarkerRecordedEventAttributes().MarkerName] = true
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		done := new(bool)
		p.children[ev.GetStartChildWorkflowExecutionInitiatedEventAttributes().WorkflowId] = done
		p.byID[ev.EventId] = done
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		p.other(ev.GetSignalExternalWorkflowExecutionInitiatedEventAttributes().Control, ev.EventId)
	case enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		p.other(ev.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes().Control, ev.EventId)
	}
	if id, ok := closes(ev); ok {
		p.scheduled[id].closed = true
	}
	if id, ok := answers(ev); ok {
		*p.byID[id] = true
	}
}

func (p *past) other(control string, id int64) {
	done := new(bool)
	p.others[control] = done
	p.byID[id] = done
}

// closes is the scheduled event id of the activity that ev ends.
func closes(ev *historypb.HistoryEvent) (scheduledID int64, ok bool) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return ev.GetActivityTaskCompletedEventAttributes().ScheduledEventId, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return ev.GetActivityTaskFailedEventAttributes().ScheduledEventId, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return ev.GetActivityTaskTimedOutEventAttributes().ScheduledEventId, true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return ev.GetActivityTaskCanceledEventAttributes().ScheduledEventId, true
	}
	return 0, false
}

// answers is the initiated event id of the child or request that ev ends.
func answers(ev *historypb.HistoryEvent) (initiatedID int64, ok bool) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
		return ev.GetStartChildWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		return ev.GetChildWorkflowExecutionCompletedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
		return ev.GetChildWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
		return ev.GetChildWorkflowExecutionCanceledEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
		return ev.GetChildWorkflowExecutionTimedOutEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		return ev.GetChildWorkflowExecutionTerminatedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
		return ev.GetExternalWorkflowExecutionSignaledEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
		return ev.GetSignalExternalWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		return ev.GetExternalWorkflowExecutionCancelRequestedEventAttributes().InitiatedEventId, true
	case enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
		return ev.GetRequestCancelExternalWorkflowExecutionFailedEventAttributes().InitiatedEventId, true
	}
	return 0, false
}
