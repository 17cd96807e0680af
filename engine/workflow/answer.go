package workflow

import (
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
)

// answered brings the outcome of a message back to its sender, which records it
// once: what was pending under the initiated event is gone afterwards, so a
// repetition finds nothing (spec/workflow.md 4.5, 4.6).
func (d *draft) answered(in *Answered) (any, error) {
	id := in.Message.EventID
	switch in.Message.Kind {
	case engine.MessageStartChild:
		d.childAnswered(in)
		return nil, nil
	case engine.MessageReconnect:
		if c := d.children.get(id); c != nil && d.isOpen() && in.Refusal != nil {
			d.children.remove(id)
			d.arrive(d.childClosedEvent(c, c.RunID, nil))
			d.wantTask()
			return nil, nil
		}
	case engine.MessageSignal:
		if x := d.signals.get(id); x != nil && d.isOpen() {
			d.signals.remove(id)
			d.arrive(d.signalOutcome(x, in.Refusal))
			d.wantTask()
			return nil, nil
		}
	case engine.MessageCancel:
		if x := d.cancels.get(id); x != nil && d.isOpen() {
			d.cancels.remove(id)
			d.arrive(d.cancelOutcome(x, in.Refusal))
			d.wantTask()
			return nil, nil
		}
	}
	d.untouched = true
	return nil, nil
}

func (d *draft) signalOutcome(x *External, refusal *engine.Refusal) *historypb.HistoryEvent {
	if refusal == nil {
		ev := d.event(enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED)
		ev.Attributes = &historypb.HistoryEvent_ExternalWorkflowExecutionSignaledEventAttributes{
			ExternalWorkflowExecutionSignaledEventAttributes: &historypb.ExternalWorkflowExecutionSignaledEventAttributes{
				InitiatedEventId:  x.InitiatedEventID,
				Namespace:         x.NamespaceName,
				NamespaceId:       x.NamespaceID,
				WorkflowExecution: x.Target,
				Control:           x.Control,
			}}
		return ev
	}
	cause := enumspb.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
	switch refusal.Kind {
	case engine.KindNamespaceNotFound:
		cause = enumspb.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
	case engine.KindInvalidArgument: // the only one a signal is refused with: too many of them
		cause = enumspb.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED
	}
	ev := d.event(enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED)
	ev.Attributes = &historypb.HistoryEvent_SignalExternalWorkflowExecutionFailedEventAttributes{
		SignalExternalWorkflowExecutionFailedEventAttributes: &historypb.SignalExternalWorkflowExecutionFailedEventAttributes{
			Cause:             cause,
			Namespace:         x.NamespaceName,
			NamespaceId:       x.NamespaceID,
			WorkflowExecution: x.Target,
			InitiatedEventId:  x.InitiatedEventID,
			Control:           x.Control,
		}}
	return ev
}

func (d *draft) cancelOutcome(x *External, refusal *engine.Refusal) *historypb.HistoryEvent {
	if refusal == nil {
		ev := d.event(enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
		ev.Attributes = &historypb.HistoryEvent_ExternalWorkflowExecutionCancelRequestedEventAttributes{
			ExternalWorkflowExecutionCancelRequestedEventAttributes: &historypb.ExternalWorkflowExecutionCancelRequestedEventAttributes{
				InitiatedEventId:  x.InitiatedEventID,
				Namespace:         x.NamespaceName,
				NamespaceId:       x.NamespaceID,
				WorkflowExecution: x.Target,
			}}
		return ev
	}
	cause := enumspb.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
	if refusal.Kind == engine.KindNamespaceNotFound {
		cause = enumspb.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
	}
	ev := d.event(enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED)
	ev.Attributes = &historypb.HistoryEvent_RequestCancelExternalWorkflowExecutionFailedEventAttributes{
		RequestCancelExternalWorkflowExecutionFailedEventAttributes: &historypb.RequestCancelExternalWorkflowExecutionFailedEventAttributes{
			Cause:             cause,
			Namespace:         x.NamespaceName,
			NamespaceId:       x.NamespaceID,
			WorkflowExecution: x.Target,
			InitiatedEventId:  x.InitiatedEventID,
			// Control stays empty here (spec/workflow.md 2.2, row 23).
		}}
	return ev
}

// childAnswered records that a child has started, or could not be.
func (d *draft) childAnswered(in *Answered) {
	c := d.children.get(in.Message.EventID)
	switch {
	case c == nil || c.StartedEventID != 0:
		d.untouched = true // heard before
	case !d.isOpen() && d.info.handedOn(c.InitiatedEventID):
		d.untouched = true // the run in its place asks itself
	case !d.isOpen():
		d.orphan(c, in)
	case in.Refusal != nil:
		d.children.remove(c.InitiatedEventID)
		d.arrive(d.childStartFailed(c, in.Refusal))
		d.wantTask()
	default:
		header := in.Message.Event.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetHeader()
		d.childStarted(c, in.RunID, header)
		d.send(engine.Message{
			Kind: engine.MessageFirstWorkflowTask, To: d.to(c.WorkflowID), ToFirstRunID: in.RunID,
			EventID: c.InitiatedEventID, BatchID: c.BatchID,
		})
		if o := d.fixed().Reset; o != nil && c.InitiatedEventID < o.EventID {
			d.reconnect(d.children.get(c.InitiatedEventID)) // it may have closed meanwhile
		}
	}
}

// orphan ends a child that came to life while its parent closed: its start was
// never recorded, so it must not run, whatever its parent close policy.
func (d *draft) orphan(c *Child, in *Answered) {
	d.children.remove(c.InitiatedEventID)
	if in.Refusal == nil {
		d.sendParentClosed(c, in.RunID, enumspb.PARENT_CLOSE_POLICY_TERMINATE)
	}
}

// childStarted records the start of a child and returns the child's new state.
func (d *draft) childStarted(c *Child, firstRunID string, header *commonpb.Header) *Child {
	ev := d.event(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED)
	ev.Attributes = &historypb.HistoryEvent_ChildWorkflowExecutionStartedEventAttributes{
		ChildWorkflowExecutionStartedEventAttributes: &historypb.ChildWorkflowExecutionStartedEventAttributes{
			Namespace:         c.NamespaceName,
			NamespaceId:       c.NamespaceID,
			InitiatedEventId:  c.InitiatedEventID,
			WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: c.WorkflowID, RunId: firstRunID},
			WorkflowType:      &commonpb.WorkflowType{Name: c.WorkflowType},
			Header:            header,
		}}
	next := *c
	next.RunID = firstRunID
	id, buffered := d.arrive(ev)
	next.StartedEventID = id
	if buffered {
		next.StartedEventID = childStartBuffered
	}
	d.children.put(c.InitiatedEventID, &next)
	d.wantTask()
	return &next
}

func (d *draft) childStartFailed(c *Child, refusal *engine.Refusal) *historypb.HistoryEvent {
	cause := enumspb.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
	switch refusal.Kind {
	case engine.KindNamespaceNotFound:
		cause = enumspb.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
	case engine.KindFailedPrecondition: // the only one a child is refused with: a version its queue does not have
		cause = enumspb.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_INVALID_VERSIONING_OVERRIDE
	}
	ev := d.event(enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED)
	ev.Attributes = &historypb.HistoryEvent_StartChildWorkflowExecutionFailedEventAttributes{
		StartChildWorkflowExecutionFailedEventAttributes: &historypb.StartChildWorkflowExecutionFailedEventAttributes{
			Namespace:        c.NamespaceName,
			NamespaceId:      c.NamespaceID,
			WorkflowId:       c.WorkflowID,
			WorkflowType:     &commonpb.WorkflowType{Name: c.WorkflowType},
			Cause:            cause,
			Control:          c.Control,
			InitiatedEventId: c.InitiatedEventID,
		}}
	return ev
}
