package main

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// firstDay is when every world begins.
var firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// arrival is an event that no command of the workflow wrote, by its type and what
// it is about: a request id, a timer, the event that asked for it.
type arrival struct {
	what  enumspb.EventType
	about int64
	name  string
}

func (a arrival) String() string { return fmt.Sprintf("%s(%d %s)", a.what, a.about, a.name) }

// sort of event, as the oracle sees it.
type sort int

const (
	unknownEvent sort = iota
	taskEvent
	commandEvent
	arrivalEvent
	closeEvent
)

var sorts = map[enumspb.EventType]sort{
	enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: taskEvent,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:   taskEvent,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: taskEvent,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:    taskEvent,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: taskEvent,

	enumspb.EVENT_TYPE_MARKER_RECORDED:                                      commandEvent,
	enumspb.EVENT_TYPE_TIMER_STARTED:                                        commandEvent,
	enumspb.EVENT_TYPE_TIMER_CANCELED:                                       commandEvent,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:                              commandEvent,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:                       commandEvent,
	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:             commandEvent,
	enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:         commandEvent,
	enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: commandEvent,
	enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED:                         commandEvent,
	enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:                    commandEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:                   commandEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:                  commandEvent,

	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:                arrivalEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:                       arrivalEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:               arrivalEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:                arrivalEvent,
	enumspb.EVENT_TYPE_TIMER_FIRED:                                       arrivalEvent,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:                             arrivalEvent,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:                           arrivalEvent,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:                              arrivalEvent,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:                           arrivalEvent,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:                            arrivalEvent,
	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:             arrivalEvent,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:                  arrivalEvent,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:                arrivalEvent,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:                   arrivalEvent,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:                 arrivalEvent,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:                arrivalEvent,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:               arrivalEvent,
	enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:              arrivalEvent,
	enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:         arrivalEvent,
	enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:      arrivalEvent,
	enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: arrivalEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED:                         arrivalEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED:                       arrivalEvent,

	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:        closeEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:           closeEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:        closeEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:         closeEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:       closeEvent,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: closeEvent,
}

// arrivalOf reads an event.
func arrivalOf(ev *historypb.HistoryEvent) arrival {
	a := arrival{what: ev.GetEventType()}
	switch x := ev.GetAttributes().(type) {
	case *historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes:
		a.name = x.WorkflowExecutionSignaledEventAttributes.GetRequestId()
	case *historypb.HistoryEvent_WorkflowExecutionOptionsUpdatedEventAttributes:
		a.name = x.WorkflowExecutionOptionsUpdatedEventAttributes.GetAttachedRequestId()
	case *historypb.HistoryEvent_WorkflowExecutionUpdateAdmittedEventAttributes:
		a.name = x.WorkflowExecutionUpdateAdmittedEventAttributes.GetRequest().GetMeta().GetUpdateId()
	case *historypb.HistoryEvent_WorkflowExecutionPausedEventAttributes:
		a.name = x.WorkflowExecutionPausedEventAttributes.GetRequestId()
	case *historypb.HistoryEvent_WorkflowExecutionUnpausedEventAttributes:
		a.name = x.WorkflowExecutionUnpausedEventAttributes.GetRequestId()
	case *historypb.HistoryEvent_TimerFiredEventAttributes:
		a.about, a.name = x.TimerFiredEventAttributes.GetStartedEventId(), x.TimerFiredEventAttributes.GetTimerId()
	case *historypb.HistoryEvent_ActivityTaskStartedEventAttributes:
		a.about = x.ActivityTaskStartedEventAttributes.GetScheduledEventId()
	case *historypb.HistoryEvent_ActivityTaskCompletedEventAttributes:
		a.about = x.ActivityTaskCompletedEventAttributes.GetScheduledEventId()
		a.name = textOf(x.ActivityTaskCompletedEventAttributes.GetResult())
	case *historypb.HistoryEvent_ActivityTaskFailedEventAttributes:
		a.about = x.ActivityTaskFailedEventAttributes.GetScheduledEventId()
		a.name = x.ActivityTaskFailedEventAttributes.GetFailure().GetMessage()
	case *historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes:
		a.about = x.ActivityTaskTimedOutEventAttributes.GetScheduledEventId()
	case *historypb.HistoryEvent_ActivityTaskCanceledEventAttributes:
		a.about = x.ActivityTaskCanceledEventAttributes.GetScheduledEventId()
	case *historypb.HistoryEvent_StartChildWorkflowExecutionFailedEventAttributes:
		a.about = x.StartChildWorkflowExecutionFailedEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ChildWorkflowExecutionStartedEventAttributes:
		a.about = x.ChildWorkflowExecutionStartedEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ChildWorkflowExecutionCompletedEventAttributes:
		a.about = x.ChildWorkflowExecutionCompletedEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ChildWorkflowExecutionFailedEventAttributes:
		a.about = x.ChildWorkflowExecutionFailedEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ChildWorkflowExecutionCanceledEventAttributes:
		a.about = x.ChildWorkflowExecutionCanceledEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ChildWorkflowExecutionTimedOutEventAttributes:
		a.about = x.ChildWorkflowExecutionTimedOutEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ChildWorkflowExecutionTerminatedEventAttributes:
		a.about = x.ChildWorkflowExecutionTerminatedEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ExternalWorkflowExecutionSignaledEventAttributes:
		a.about = x.ExternalWorkflowExecutionSignaledEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_SignalExternalWorkflowExecutionFailedEventAttributes:
		a.about = x.SignalExternalWorkflowExecutionFailedEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_ExternalWorkflowExecutionCancelRequestedEventAttributes:
		a.about = x.ExternalWorkflowExecutionCancelRequestedEventAttributes.GetInitiatedEventId()
	case *historypb.HistoryEvent_RequestCancelExternalWorkflowExecutionFailedEventAttributes:
		a.about = x.RequestCancelExternalWorkflowExecutionFailedEventAttributes.GetInitiatedEventId()
	}
	return a
}

func isActivityEnd(t enumspb.EventType) bool {
	switch t {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return true
	}
	return false
}

func isChildEnd(t enumspb.EventType) bool {
	return t >= enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED && t <= enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED
}

// comesLast: the end of what has a start of its own, which a flush puts last.
func (a arrival) comesLast() bool { return isActivityEnd(a.what) || isChildEnd(a.what) }
