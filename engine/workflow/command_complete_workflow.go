package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// completeWorkflow ends the run with a result; a cron schedule goes on.
func (c *completion) completeWorkflow(cmd *commandpb.Command) error {
	a := cmd.GetCompleteWorkflowExecutionCommandAttributes()
	if a == nil {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
			"CompleteWorkflowExecutionCommandAttributes is not set on CompleteWorkflowExecutionCommand.")
	}
	if c.tooBig(a.GetResult()) {
		return oversize(enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
			"CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.")
	}
	if err := c.mayClose(); err != nil {
		return err
	}
	newRunID := c.nextCronRun(nil, a.GetResult())
	x := &completedRun{attributes: historypb.WorkflowExecutionCompletedEventAttributes{
		Result:                       a.GetResult(),
		WorkflowTaskCompletedEventId: c.completedID,
		NewExecutionRunId:            newRunID,
	}}
	x.variant.WorkflowExecutionCompletedEventAttributes, x.event.Attributes = &x.attributes, &x.variant
	c.beginEvent(&x.event, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, cmd)
	c.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, &x.event, newRunID)
	return nil
}

// completedRun is the event with its parts; see startedRun.
type completedRun struct {
	event      historypb.HistoryEvent
	variant    historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes
	attributes historypb.WorkflowExecutionCompletedEventAttributes
}

// mayClose refuses to close a run behind whose back something has happened: the
// worker has to see the buffered events first, or signals would be lost.
func (c *completion) mayClose() error {
	if c.buffered.len() > 0 {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, "")
	}
	return nil
}
