package workflow

import (
	"google.golang.org/protobuf/proto"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/event"
)

// While a workflow task is started, what happens to the run must not move the
// history under the worker's feet: such events wait, without an id, until the
// task ends (spec/workflow.md 2.3). Everything else about them takes effect at
// once.

// childStartBuffered is Child.StartedEventID while ChildWorkflowExecutionStarted
// is buffered.
const childStartBuffered = -1

// taskStarted reports whether a worker has the workflow task.
func (d *draft) taskStarted() bool {
	return d.info.Task != nil && d.info.Task.StartedEventID != 0
}

// arrive records an event that did not come from a command: it is appended, or
// buffered while a workflow task is started. The id is 0 for a buffered event;
// started_event_ids that refer to a buffered event are left 0 and filled by the
// flush. The event must not be changed afterwards.
func (d *draft) arrive(ev *historypb.HistoryEvent) (id int64, buffered bool) {
	d.realise() // a speculative task stands before the event, and may not be forgotten
	if !d.taskStarted() {
		d.dropVirtualTask()
		return d.append(ev), false
	}
	key := d.info.NextBufferedKey
	d.info.NextBufferedKey++
	d.info.BufferedBytes += int64(event.Size(ev))
	d.buffered.put(key, ev)
	return 0, true
}

// unbuffer forgets a buffered event (a TimerFired whose timer is cancelled).
func (d *draft) unbuffer(key int64) {
	ev := d.buffered.get(key)
	if ev == nil {
		return
	}
	d.info.BufferedBytes -= int64(event.Size(ev))
	d.buffered.remove(key)
}

// flush appends the buffered events: order of arrival, but closes of
// activities and children after all others, so that a start precedes its close.
// It fills in the started ids and reports whether there was anything.
func (d *draft) flush() bool {
	keys := d.buffered.keys()
	if len(keys) == 0 {
		return false
	}
	started := make(map[int64]int64) // scheduled or initiated id -> started id
	var closes []*historypb.HistoryEvent
	for _, key := range keys {
		ev := unnumbered(d.buffered.get(key))
		d.buffered.remove(key)
		if closesOther(ev.EventType) {
			closes = append(closes, ev)
			continue
		}
		d.append(ev)
		d.flushed(ev, started)
	}
	for _, ev := range closes {
		fillStarted(ev, started)
		d.append(ev)
	}
	d.info.BufferedBytes = 0
	return true
}

// flushed tells the state the id that a buffered event has got.
func (d *draft) flushed(ev *historypb.HistoryEvent, started map[int64]int64) {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		started[ev.GetActivityTaskStartedEventAttributes().ScheduledEventId] = ev.EventId
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		initiated := ev.GetChildWorkflowExecutionStartedEventAttributes().InitiatedEventId
		started[initiated] = ev.EventId
		if c := d.children.get(initiated); c != nil {
			child := *c
			child.StartedEventID = ev.EventId
			d.children.put(initiated, &child)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		d.requestFlushed(ev.GetWorkflowExecutionSignaledEventAttributes().RequestId, ev)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
		d.requestFlushed(ev.GetWorkflowExecutionOptionsUpdatedEventAttributes().AttachedRequestId, ev)
	}
}

func (d *draft) requestFlushed(requestID string, ev *historypb.HistoryEvent) {
	if r := d.requests.get(requestID); r != nil && r.Buffered {
		d.requests.put(requestID, &Request{EventType: ev.EventType, EventID: ev.EventId})
	}
}

// closesOther reports whether the event ends something that has a start event.
func closesOther(t enumspb.EventType) bool {
	switch t {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		return true
	}
	return false
}

// fillStarted sets the started id of a close whose start was in the same flush.
// A close without a start (an activity canceled before it ran) keeps 0.
func fillStarted(ev *historypb.HistoryEvent, started map[int64]int64) {
	switch a := ev.Attributes.(type) {
	case *historypb.HistoryEvent_ActivityTaskCompletedEventAttributes:
		fill(&a.ActivityTaskCompletedEventAttributes.StartedEventId, started[a.ActivityTaskCompletedEventAttributes.ScheduledEventId])
	case *historypb.HistoryEvent_ActivityTaskFailedEventAttributes:
		fill(&a.ActivityTaskFailedEventAttributes.StartedEventId, started[a.ActivityTaskFailedEventAttributes.ScheduledEventId])
	case *historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes:
		fill(&a.ActivityTaskTimedOutEventAttributes.StartedEventId, started[a.ActivityTaskTimedOutEventAttributes.ScheduledEventId])
	case *historypb.HistoryEvent_ActivityTaskCanceledEventAttributes:
		fill(&a.ActivityTaskCanceledEventAttributes.StartedEventId, started[a.ActivityTaskCanceledEventAttributes.ScheduledEventId])
	case *historypb.HistoryEvent_ChildWorkflowExecutionCompletedEventAttributes:
		fill(&a.ChildWorkflowExecutionCompletedEventAttributes.StartedEventId, started[a.ChildWorkflowExecutionCompletedEventAttributes.InitiatedEventId])
	case *historypb.HistoryEvent_ChildWorkflowExecutionFailedEventAttributes:
		fill(&a.ChildWorkflowExecutionFailedEventAttributes.StartedEventId, started[a.ChildWorkflowExecutionFailedEventAttributes.InitiatedEventId])
	case *historypb.HistoryEvent_ChildWorkflowExecutionCanceledEventAttributes:
		fill(&a.ChildWorkflowExecutionCanceledEventAttributes.StartedEventId, started[a.ChildWorkflowExecutionCanceledEventAttributes.InitiatedEventId])
	case *historypb.HistoryEvent_ChildWorkflowExecutionTimedOutEventAttributes:
		fill(&a.ChildWorkflowExecutionTimedOutEventAttributes.StartedEventId, started[a.ChildWorkflowExecutionTimedOutEventAttributes.InitiatedEventId])
	case *historypb.HistoryEvent_ChildWorkflowExecutionTerminatedEventAttributes:
		fill(&a.ChildWorkflowExecutionTerminatedEventAttributes.StartedEventId, started[a.ChildWorkflowExecutionTerminatedEventAttributes.InitiatedEventId])
	}
}

func fill(id *int64, started int64) {
	if started != 0 {
		*id = started
	}
}

// unnumbered copies a buffered event before it gets its id: what is in the
// state is never changed. The attributes of a close are copied too, since the
// flush fills in their started id.
func unnumbered(ev *historypb.HistoryEvent) *historypb.HistoryEvent {
	if closesOther(ev.EventType) {
		return proto.Clone(ev).(*historypb.HistoryEvent)
	}
	return &historypb.HistoryEvent{
		EventTime:         ev.EventTime,
		EventType:         ev.EventType,
		Version:           ev.Version,
		WorkerMayIgnore:   ev.WorkerMayIgnore,
		UserMetadata:      ev.UserMetadata,
		Links:             ev.Links,
		Principal:         ev.Principal,
		EventGroupMarkers: ev.EventGroupMarkers,
		Attributes:        ev.Attributes,
	}
}
