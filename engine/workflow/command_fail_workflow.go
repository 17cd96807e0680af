package workflow

import (
	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// failWorkflow ends the run with a failure; its retry policy may start it again.
func (c *completion) failWorkflow(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES
	f := cmd.GetFailWorkflowExecutionCommandAttributes().GetFailure()
	if f == nil {
		return failTask(cause, "Failure is not set on FailWorkflowExecutionCommand.")
	}
	if proto.Size(f) > c.env.Limits.BlobBytes {
		return oversize(cause, "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.")
	}
	if err := c.mayClose(); err != nil {
		return err
	}
	state, newRunID := c.afterFailure(f, false)
	ev := c.commandEvent(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, cmd)
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
		WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{
			Failure:                      f,
			RetryState:                   state,
			WorkflowTaskCompletedEventId: c.completedID,
			NewExecutionRunId:            newRunID,
		}}
	c.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, ev, newRunID)
	return nil
}
