package workflow

import (
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// childClosed records how a child's chain of runs has ended (spec/workflow.md
// 4.6). A closed parent, and one that has heard it before, ignore it.
func (d *draft) childClosed(in *ChildClosed) (any, error) {
	m := in.Message
	c := d.children.get(m.ToEventID)
	if c == nil || !d.isOpen() || c.WorkflowID != m.From.Name || c.RunID != "" && c.RunID != m.FirstRunID {
		d.untouched = true
		return nil, nil
	}
	if c.StartedEventID == 0 {
		// It was terminated, say, before the parent heard of its start.
		c = d.childStarted(c, m.FirstRunID, nil)
	}
	d.children.remove(c.InitiatedEventID)
	d.arrive(d.childClosedEvent(c, m.From.RunID, m.Event))
	d.wantTask()
	return nil, nil
}

// childClosedEvent tells of the child's last event; nil stands for an end that
// nobody knows any more. The run id is that of the
// run that closed; the started id of a buffered start is filled in by the flush.
func (d *draft) childClosedEvent(c *Child, runID string, last *historypb.HistoryEvent) *historypb.HistoryEvent {
	closing := &commonpb.WorkflowExecution{WorkflowId: c.WorkflowID, RunId: runID}
	kind := &commonpb.WorkflowType{Name: c.WorkflowType}
	startedID := max(c.StartedEventID, 0)
	switch last.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		ev := d.event(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED)
		ev.Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionCompletedEventAttributes{
			ChildWorkflowExecutionCompletedEventAttributes: &historypb.ChildWorkflowExecutionCompletedEventAttributes{
				Result:    last.GetWorkflowExecutionCompletedEventAttributes().GetResult(),
				Namespace: c.NamespaceName, NamespaceId: c.NamespaceID, WorkflowExecution: closing, WorkflowType: kind,
				InitiatedEventId: c.InitiatedEventID, StartedEventId: startedID,
			}}
		return ev
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		ev := d.event(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED)
		ev.Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionFailedEventAttributes{
			ChildWorkflowExecutionFailedEventAttributes: &historypb.ChildWorkflowExecutionFailedEventAttributes{
				Failure:    last.GetWorkflowExecutionFailedEventAttributes().GetFailure(),
				RetryState: last.GetWorkflowExecutionFailedEventAttributes().GetRetryState(),
				Namespace:  c.NamespaceName, NamespaceId: c.NamespaceID, WorkflowExecution: closing, WorkflowType: kind,
				InitiatedEventId: c.InitiatedEventID, StartedEventId: startedID,
			}}
		return ev
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		ev := d.event(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED)
		ev.Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionCanceledEventAttributes{
			ChildWorkflowExecutionCanceledEventAttributes: &historypb.ChildWorkflowExecutionCanceledEventAttributes{
				Details:   last.GetWorkflowExecutionCanceledEventAttributes().GetDetails(),
				Namespace: c.NamespaceName, NamespaceId: c.NamespaceID, WorkflowExecution: closing, WorkflowType: kind,
				InitiatedEventId: c.InitiatedEventID, StartedEventId: startedID,
			}}
		return ev
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		ev := d.event(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT)
		ev.Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionTimedOutEventAttributes{
			ChildWorkflowExecutionTimedOutEventAttributes: &historypb.ChildWorkflowExecutionTimedOutEventAttributes{
				RetryState: last.GetWorkflowExecutionTimedOutEventAttributes().GetRetryState(),
				Namespace:  c.NamespaceName, NamespaceId: c.NamespaceID, WorkflowExecution: closing, WorkflowType: kind,
				InitiatedEventId: c.InitiatedEventID, StartedEventId: startedID,
			}}
		return ev
	}
	ev := d.event(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED)
	ev.Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionTerminatedEventAttributes{
		ChildWorkflowExecutionTerminatedEventAttributes: &historypb.ChildWorkflowExecutionTerminatedEventAttributes{
			Namespace: c.NamespaceName, NamespaceId: c.NamespaceID, WorkflowExecution: closing, WorkflowType: kind,
			InitiatedEventId: c.InitiatedEventID, StartedEventId: startedID,
		}}
	return ev
}
