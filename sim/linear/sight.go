package linear

import (
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
)

// closings are the events with which a run ends.
var closings = map[enumspb.EventType]enumspb.WorkflowExecutionStatus{
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:  enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:   enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
	// Runs of the model do not end like this, which it will say.
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:           enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:        enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW,
}

// SightOfEvents is what a whole history, as it is now, shows of a run.
func SightOfEvents(runID string, events []*historypb.HistoryEvent) *Sight {
	s := &Sight{Run: runID, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, Updates: map[string]Progress{}}
	for _, ev := range events {
		if status, ok := closings[ev.EventType]; ok {
			s.Status = status
		}
		switch ev.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			s.Signals = append(s.Signals, ev.GetWorkflowExecutionSignaledEventAttributes().GetRequestId())
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
			s.CancelRequested = true
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
			s.Updates[ev.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetProtocolInstanceId()] = Progress{Stage: Accepted}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
			a := ev.GetWorkflowExecutionUpdateCompletedEventAttributes()
			s.Updates[a.GetMeta().GetUpdateId()] = Progress{Completed, OutcomeOf(a.GetOutcome())}
		}
	}
	return s
}

// OutcomeOf is what an update that was completed has come to.
func OutcomeOf(o *updatepb.Outcome) string {
	var data []byte
	for _, p := range o.GetSuccess().GetPayloads() {
		data = append(append(data, p.GetData()...), ' ')
	}
	return string(data)
}
