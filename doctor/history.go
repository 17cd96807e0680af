package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// matter is something that one event opens and a later one closes.
type matter string

const (
	anActivity matter = "activity"
	aTimer     matter = "timer"
	aChild     matter = "child workflow"
	aSignal    matter = "signal to another workflow"
	aCancel    matter = "cancellation of another workflow"
)

var matters = []matter{anActivity, aTimer, aChild, aSignal, aCancel}

// history is what is kept of a run's events while they are read.
type history struct {
	types []enumspb.EventType // of event i+1; 0 for one that is missing
	first []int64             // event of each batch
	// open are the events that opened something which is not closed.
	open   map[matter]map[int64]bool
	unread bool // a batch could not be read
}

// next is the event id that the next batch must begin with.
func (h *history) next() int64 { return int64(len(h.types)) + 1 }

// add takes a batch.
func (h *history) add(events []*historypb.HistoryEvent) {
	id := events[0].GetEventId()
	h.first = append(h.first, id)
	for h.next() < id && !h.unread {
		h.types = append(h.types, 0)
	}
	for _, ev := range events {
		if int(ev.GetEventId()) == len(h.types)+1 {
			h.types = append(h.types, ev.GetEventType())
		}
		h.follow(ev)
	}
}

// follow takes note of what an event opens or closes.
func (h *history) follow(ev *historypb.HistoryEvent) {
	if h.open == nil {
		h.open = map[matter]map[int64]bool{}
		for _, m := range matters {
			h.open[m] = map[int64]bool{}
		}
	}
	if m, ok := opens[ev.GetEventType()]; ok {
		h.open[m][ev.GetEventId()] = true
	}
	if m, id := closes(ev); m != "" {
		delete(h.open[m], id)
	}
}

// typeOf is the type of an event; 0 when there is none.
func (h *history) typeOf(id int64) enumspb.EventType {
	if id < 1 || id > int64(len(h.types)) {
		return 0
	}
	return h.types[id-1]
}

// inBatch reports whether an event is in the batch that begins with another.
func (h *history) inBatch(id, batch int64) bool {
	i, ok := slices.BinarySearch(h.first, batch)
	return ok && id >= batch && (i+1 == len(h.first) || id < h.first[i+1])
}

var opens = map[enumspb.EventType]matter{
	enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:                              anActivity,
	enumspb.EVENT_TYPE_TIMER_STARTED:                                        aTimer,
	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:             aChild,
	enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:         aSignal,
	enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: aCancel,
}

// closes says what an event closes: the id of the event that opened it.
func closes(ev *historypb.HistoryEvent) (matter, int64) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return anActivity, ev.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return anActivity, ev.GetActivityTaskFailedEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return anActivity, ev.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return anActivity, ev.GetActivityTaskCanceledEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		return aTimer, ev.GetTimerFiredEventAttributes().GetStartedEventId()
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		return aTimer, ev.GetTimerCanceledEventAttributes().GetStartedEventId()
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
		return aChild, ev.GetStartChildWorkflowExecutionFailedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		return aChild, ev.GetChildWorkflowExecutionCompletedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
		return aChild, ev.GetChildWorkflowExecutionFailedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
		return aChild, ev.GetChildWorkflowExecutionCanceledEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
		return aChild, ev.GetChildWorkflowExecutionTimedOutEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		return aChild, ev.GetChildWorkflowExecutionTerminatedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
		return aSignal, ev.GetSignalExternalWorkflowExecutionFailedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:
		return aSignal, ev.GetExternalWorkflowExecutionSignaledEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
		return aCancel, ev.GetRequestCancelExternalWorkflowExecutionFailedEventAttributes().GetInitiatedEventId()
	case enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		return aCancel, ev.GetExternalWorkflowExecutionCancelRequestedEventAttributes().GetInitiatedEventId()
	}
	return "", 0
}

// isClose are the types of events that end a run.
var isClose = map[enumspb.EventType]bool{
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: true, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: true,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: true, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: true,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: true, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: true,
}

// difference says in words how two sets of events differ; empty if they do not.
func difference(state, events map[int64]bool) string {
	var parts []string
	for _, side := range []struct {
		here, there map[int64]bool
		text        string
	}{{state, events, "pending by the state and not by the history"}, {events, state, "open by the history and not in the state"}} {
		var only []string
		for _, id := range slices.Sorted(maps.Keys(side.here)) {
			if !side.there[id] {
				only = append(only, itoa(id))
			}
		}
		if len(only) > 0 {
			parts = append(parts, fmt.Sprintf("%s: of event %s", side.text, strings.Join(only, ", ")))
		}
	}
	return strings.Join(parts, "; ")
}
