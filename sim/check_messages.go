package main

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

type otherLife struct {
	child, started, over bool
}

// updateLife is an update that was accepted.
type updateLife struct{ accepted, completed int64 } // event ids

func (e *course) addOther(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		e.others[ev.EventId] = &otherLife{child: true}
		return ""
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		e.others[ev.EventId] = &otherLife{}
		return ""
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		c := e.others[ev.GetChildWorkflowExecutionStartedEventAttributes().InitiatedEventId]
		if c == nil || c.started || c.over {
			return "I8: a child starts twice"
		}
		c.started = true
		return ""
	}
	id, ok := answers(ev)
	if !ok {
		return ""
	}
	c := e.others[id]
	if c == nil || c.over {
		return fmt.Sprintf("I8: %v of what is not pending", ev.EventType)
	}
	c.over = true
	if c.child && !c.started && ev.EventType != enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED {
		return "I8: a child closes that was not started"
	}
	return ""
}

// addUpdate: an update is accepted once, and then completed once.
func (e *course) addUpdate(ev *historypb.HistoryEvent) string {
	if a := ev.GetWorkflowExecutionUpdateAcceptedEventAttributes(); a != nil {
		if e.updates[a.ProtocolInstanceId] != nil {
			return fmt.Sprintf("I8: update %s is accepted twice", a.ProtocolInstanceId)
		}
		e.updates[a.ProtocolInstanceId] = &updateLife{accepted: ev.EventId}
	}
	if a := ev.GetWorkflowExecutionUpdateCompletedEventAttributes(); a != nil {
		u := e.updates[a.GetMeta().GetUpdateId()]
		if u == nil || u.completed != 0 || u.accepted != a.AcceptedEventId {
			return fmt.Sprintf("I8: update %s is completed as accepted in event %d, and is %+v", a.GetMeta().GetUpdateId(), a.AcceptedEventId, u)
		}
		u.completed = ev.EventId
	}
	return ""
}
