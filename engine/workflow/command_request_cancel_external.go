package workflow

import (
	"github.com/google/uuid"
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
)

// requestCancelExternal carries out REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION
// (spec/workflow.md 3.8, 4.5): the target is told by a message.
func (c *completion) requestCancelExternal(cmd *commandpb.Command) error {
	a := cmd.GetRequestCancelExternalWorkflowExecutionCommandAttributes()
	if err := c.checkCancelExternal(a); err != nil {
		return err
	}
	target := &commonpb.WorkflowExecution{WorkflowId: a.GetWorkflowId(), RunId: a.GetRunId()}
	ev := c.commandEvent(enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, cmd)
	ev.Attributes = &historypb.HistoryEvent_RequestCancelExternalWorkflowExecutionInitiatedEventAttributes{
		RequestCancelExternalWorkflowExecutionInitiatedEventAttributes: &historypb.RequestCancelExternalWorkflowExecutionInitiatedEventAttributes{
			WorkflowTaskCompletedEventId: c.completedID,
			Namespace:                    a.GetNamespace(),
			NamespaceId:                  c.base.Key.NamespaceID,
			WorkflowExecution:            target,
			Control:                      a.GetControl(),
			ChildWorkflowOnly:            a.GetChildWorkflowOnly(),
			Reason:                       a.GetReason(),
		}}
	id := c.append(ev)
	c.cancels.put(id, c.external(id, a.GetNamespace(), target, a.GetControl(), a.GetChildWorkflowOnly()))
	c.sendExternal(engine.MessageCancel, ev, target, a.GetChildWorkflowOnly())
	return nil
}

func (c *completion) checkCancelExternal(a *commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes) error {
	const (
		cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES
		on    = "RequestCancelExternalWorkflowExecutionCommand."
	)
	if err := c.checkNamespace(a.GetNamespace(), cause); err != nil {
		return err
	}
	switch {
	case a.GetWorkflowId() == "":
		return failTask(cause, "WorkflowId is not set on %s", on)
	case len(a.GetWorkflowId()) > c.env.Limits.IDLengthBytes:
		return failTask(cause, "WorkflowId length exceeds limit.")
	case badRunID(a.GetRunId()):
		return failTask(cause, "Invalid RunId set on %s", on)
	case a.GetChildWorkflowOnly() && c.initiatedNow(a.GetWorkflowId()):
		return failTask(cause, "Start and RequestCancel for child workflow is not allowed in same workflow task. WorkflowId=%s RunId=%s Namespace=%s",
			a.GetWorkflowId(), a.GetRunId(), a.GetNamespace())
	}
	if limit := c.env.Limits.PendingCancels; c.cancels.len() >= limit {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED,
			"the number of pending requests to cancel external workflows, %d, has reached the per-workflow limit of %d", c.cancels.len(), limit)
	}
	return nil
}

// initiatedNow reports whether this very completion starts a child of that id.
func (c *completion) initiatedNow(workflowID string) bool {
	for _, child := range c.children.changed {
		if child != nil && child.WorkflowID == workflowID && child.InitiatedEventID > c.completedID {
			return true
		}
	}
	return false
}

// badRunID reports whether a run id, which may be empty, is no UUID.
func badRunID(id string) bool {
	return id != "" && uuid.Validate(id) != nil
}

// external is the pending state of a message to another workflow.
func (c *completion) external(id int64, namespace string, target *commonpb.WorkflowExecution, control string, childOnly bool) *External {
	return &External{
		InitiatedEventID: id,
		BatchID:          c.batchID(),
		NamespaceID:      c.base.Key.NamespaceID,
		NamespaceName:    namespace,
		Target:           target,
		Control:          control,
		RequestID:        messageRequestID(c.base.Key, id),

		ChildWorkflowOnly: childOnly,
	}
}

// sendExternal addresses the workflow that an Initiated event names.
func (c *completion) sendExternal(kind engine.MessageKind, ev *historypb.HistoryEvent, target *commonpb.WorkflowExecution, childOnly bool) {
	c.send(engine.Message{
		Kind: kind, To: c.to(target.GetWorkflowId()), ToRunID: target.GetRunId(),
		EventID: ev.EventId, BatchID: c.batchID(), Event: ev, ChildWorkflowOnly: childOnly,
	})
}
