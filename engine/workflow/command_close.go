package workflow

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/cron"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/taskqueue"
)

// mayClose refuses to close a run behind whose back something has happened: the
// worker has to see the buffered events first, or signals would be lost.
func (c *completion) mayClose() error {
	if c.buffered.len() > 0 {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND, "")
	}
	return nil
}

// completeWorkflow ends the run with a result; a cron schedule goes on.
func (c *completion) completeWorkflow(cmd *commandpb.Command) error {
	a := cmd.GetCompleteWorkflowExecutionCommandAttributes()
	if a == nil {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
			"CompleteWorkflowExecutionCommandAttributes is not set on CompleteWorkflowExecutionCommand.")
	}
	if proto.Size(a.GetResult()) > c.env.Limits.BlobBytes {
		return oversize(enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
			"CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.")
	}
	if err := c.mayClose(); err != nil {
		return err
	}
	newRunID := c.nextCronRun(nil, a.GetResult())
	ev := c.commandEvent(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, cmd)
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
		WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{
			Result:                       a.GetResult(),
			WorkflowTaskCompletedEventId: c.completedID,
			NewExecutionRunId:            newRunID,
		}}
	c.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, ev, newRunID)
	return nil
}

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

// cancelWorkflow ends the run as cancelled, whether or not anyone asked for it.
func (c *completion) cancelWorkflow(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES
	a := cmd.GetCancelWorkflowExecutionCommandAttributes()
	if a == nil {
		return failTask(cause, "CancelWorkflowExecutionCommandAttributes is not set on CancelWorkflowExecutionCommand.")
	}
	if proto.Size(a.GetDetails()) > c.env.Limits.BlobBytes {
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

// continueAsNew ends the run and starts the next one with exactly what the
// command says: nothing but the chain's own properties is inherited.
func (c *completion) continueAsNew(cmd *commandpb.Command) error {
	a := cmd.GetContinueAsNewWorkflowExecutionCommandAttributes()
	if err := c.checkContinueAsNew(a); err != nil {
		return err
	}
	if err := c.mayClose(); err != nil {
		return err
	}
	s := c.fixed()
	next := successor{
		initiator:        a.GetInitiator(),
		attempt:          1,
		backoff:          duration.Of(a.GetBackoffStartInterval()),
		workflowType:     a.GetWorkflowType().GetName(),
		taskQueue:        a.GetTaskQueue().GetName(),
		input:            a.GetInput(),
		header:           a.GetHeader(),
		memo:             searchattr.MergeMemo(nil, a.GetMemo()),
		searchAttributes: searchattr.WithTypes(c.env.Namespace, a.GetSearchAttributes()),
		cronSchedule:     a.GetCronSchedule(),
		runTimeout:       duration.Of(a.GetWorkflowRunTimeout()),
		taskTimeout:      duration.Of(a.GetWorkflowTaskTimeout()),
		links:            c.base.Started.GetLinks(),
		lastResult:       a.GetLastCompletionResult(),
		failure:          a.GetFailure(),
	}
	if a.GetRetryPolicy() != nil {
		next.retryPolicy = retry.Fill(a.GetRetryPolicy())
	}
	switch next.initiator {
	case enumspb.CONTINUE_AS_NEW_INITIATOR_UNSPECIFIED:
		next.initiator = enumspb.CONTINUE_AS_NEW_INITIATOR_WORKFLOW
	case enumspb.CONTINUE_AS_NEW_INITIATOR_RETRY:
		next.attempt = s.Attempt + 1
	}
	if next.workflowType == "" {
		next.workflowType = s.WorkflowType
	}
	if next.taskQueue == "" {
		next.taskQueue = s.TaskQueue
	}
	if next.runTimeout <= 0 {
		next.runTimeout = s.RunTimeout
	}
	if next.taskTimeout <= 0 {
		next.taskTimeout = s.TaskTimeout
	}
	newRunID := c.succeed(next)
	born := c.born.Run.Start
	ev := c.commandEvent(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, cmd)
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionContinuedAsNewEventAttributes{
		WorkflowExecutionContinuedAsNewEventAttributes: &historypb.WorkflowExecutionContinuedAsNewEventAttributes{
			NewExecutionRunId:            newRunID,
			WorkflowType:                 workflowType(born.WorkflowType),
			TaskQueue:                    taskqueue.Normal(born.TaskQueue),
			Input:                        a.GetInput(),
			WorkflowRunTimeout:           durationpb.New(born.RunTimeout),
			WorkflowTaskTimeout:          durationpb.New(born.TaskTimeout),
			WorkflowTaskCompletedEventId: c.completedID,
			BackoffStartInterval:         durationpb.New(born.Backoff),
			Initiator:                    a.GetInitiator(),
			Failure:                      a.GetFailure(),
			LastCompletionResult:         a.GetLastCompletionResult(),
			Header:                       a.GetHeader(),
			Memo:                         a.GetMemo(),
			SearchAttributes:             next.searchAttributes,
			InheritBuildId:               a.GetInheritBuildId(), //nolint:staticcheck // echoed for the old build-id rules
			InitialVersioningBehavior:    a.GetInitialVersioningBehavior(),
		}}
	c.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, ev, newRunID)
	return nil
}

func (c *completion) checkContinueAsNew(a *commandpb.ContinueAsNewWorkflowExecutionCommandAttributes) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES
	if a == nil {
		return failTask(cause, "ContinueAsNewWorkflowExecutionCommandAttributes is not set on ContinueAsNewWorkflowExecutionCommand.")
	}
	l := c.env.Limits
	if len(a.GetWorkflowType().GetName()) > l.IDLengthBytes {
		return failTask(cause, "WorkflowType on ContinueAsNewWorkflowExecutionCommand exceeds length limit. WorkflowType=%s Length=%d Limit=%d",
			a.GetWorkflowType().GetName(), len(a.GetWorkflowType().GetName()), l.IDLengthBytes)
	}
	if a.GetTaskQueue().GetName() != "" {
		if err := taskqueue.Check(a.GetTaskQueue(), l); err != nil {
			return failTask(cause, "error validating ContinueAsNewWorkflowExecutionCommand TaskQueue: %s", err.Error())
		}
	}
	for _, t := range []struct {
		name string
		d    *durationpb.Duration
	}{
		{"WorkflowRunTimeout", a.GetWorkflowRunTimeout()},
		{"WorkflowTaskTimeout", a.GetWorkflowTaskTimeout()},
		{"BackoffStartInterval", a.GetBackoffStartInterval()},
	} {
		if err := duration.Check(t.d); err != nil {
			return failTask(cause, "Invalid %s on ContinueAsNewWorkflowExecutionCommand: %s", t.name, err.Error())
		}
	}
	if a.GetRetryPolicy() != nil {
		if err := retry.Check(retry.Fill(a.GetRetryPolicy())); err != nil {
			return failTask(cause, "%s", err.Error())
		}
	}
	if err := cron.Check(a.GetCronSchedule(), c.env.Now); err != nil {
		return failTask(cause, "%s", err.Error())
	}
	if err := searchattr.Check(c.env.Namespace, l, a.GetSearchAttributes()); err != nil {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES, "%s", err.Error())
	}
	if proto.Size(a.GetInput()) > l.BlobBytes {
		return oversize(cause, "ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.")
	}
	if proto.Size(a.GetMemo()) > l.MemoBytes {
		return oversize(cause, "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.")
	}
	return nil
}
