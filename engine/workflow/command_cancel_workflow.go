package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// cancelWorkflow ends the run as cancelled, whether or not anyone asked for it.
func (c *completion) cancelWorkflow(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES
	a := cmd.GetCancelWorkflowExecutionCommandAttributes()
	if a == nil {
		return failTask(cause, "CancelWorkflowExecutionCommandAttributes is not set on CancelWorkflowExecutionCommand.")
	}
	if c.tooBig(a.GetDetails()) {
		return oversize(cause, "CancelWorkflowExecutionCommandAttributes.Details exceeds size limit.")
	}
	if err := c.mayClose(); err != nil {
		return err
	}
	ev := c.commandEvent(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, cmd)
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{
		WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{
			WorkflowTaskCompletedEventId: c.completedID,
			Details:                      a.GetDetails(),
		}}
	c.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, ev, "")
	return nil
}
