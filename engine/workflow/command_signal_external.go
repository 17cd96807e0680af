package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
)

// signalExternal carries out SIGNAL_EXTERNAL_WORKFLOW_EXECUTION
// (spec/workflow.md 3.8, 4.5): the target is told by a message.
func (c *completion) signalExternal(cmd *commandpb.Command) error {
	a := cmd.GetSignalExternalWorkflowExecutionCommandAttributes()
	if err := c.checkSignalExternal(a); err != nil {
		return err
	}
	ev := c.commandEvent(enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, cmd)
	ev.Attributes = &historypb.HistoryEvent_SignalExternalWorkflowExecutionInitiatedEventAttributes{
		SignalExternalWorkflowExecutionInitiatedEventAttributes: &historypb.SignalExternalWorkflowExecutionInitiatedEventAttributes{
			WorkflowTaskCompletedEventId: c.completedID,
			Namespace:                    a.GetNamespace(),
			NamespaceId:                  c.base.Key.NamespaceID,
			WorkflowExecution:            a.GetExecution(),
			SignalName:                   a.GetSignalName(),
			Input:                        a.GetInput(),
			Control:                      a.GetControl(),
			ChildWorkflowOnly:            a.GetChildWorkflowOnly(),
			Header:                       a.GetHeader(),
		}}
	id := c.append(ev)
	c.signals.put(id, c.external(id, a.GetNamespace(), a.GetExecution(), a.GetControl(), a.GetChildWorkflowOnly()))
	c.sendExternal(engine.MessageSignal, ev, a.GetExecution(), a.GetChildWorkflowOnly())
	return nil
}

func (c *completion) checkSignalExternal(a *commandpb.SignalExternalWorkflowExecutionCommandAttributes) error {
	const (
		cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES
		on    = "SignalExternalWorkflowExecutionCommand."
	)
	if err := c.checkNamespace(a.GetNamespace(), cause); err != nil {
		return err
	}
	limit := c.env.Limits.IDLengthBytes
	switch target := a.GetExecution(); {
	case target == nil:
		return failTask(cause, "Execution is not set on %s", on)
	case target.GetWorkflowId() == "":
		return failTask(cause, "WorkflowId is not set on %s", on)
	case len(target.GetWorkflowId()) > limit:
		return failTask(cause, "WorkflowId length exceeds limit.")
	case badRunID(target.GetRunId()):
		return failTask(cause, "Invalid RunId set on %s", on)
	case a.GetSignalName() == "":
		return failTask(cause, "SignalName is not set on %s", on)
	case len(a.GetSignalName()) > limit:
		return failTask(cause, "SignalName length exceeds limit.")
	case c.tooBig(a.GetInput()):
		return oversize(cause, "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.")
	}
	if limit := c.env.Limits.PendingSignals; c.signals.len() >= limit {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_PENDING_SIGNALS_LIMIT_EXCEEDED,
			"the number of pending signals to external workflows, %d, has reached the per-workflow limit of %d", c.signals.len(), limit)
	}
	return nil
}
