package workflow

import (
	"cmp"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/cron"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/payload"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/taskqueue"
)

// continueAsNew ends the run and starts the next one of its chain.
func (c *completion) continueAsNew(cmd *commandpb.Command) error {
	a := cmd.GetContinueAsNewWorkflowExecutionCommandAttributes()
	if err := c.checkContinueAsNew(a); err != nil {
		return err
	}
	if err := c.mayClose(); err != nil {
		return err
	}
	newRunID := c.succeed(c.continuation(a))
	c.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, c.continuedEvent(cmd, newRunID), newRunID)
	return nil
}

// continuation is the next run, with exactly what the command says: nothing but
// the chain's own properties is inherited, and the defaults of type, task queue
// and timeouts.
func (c *completion) continuation(a *commandpb.ContinueAsNewWorkflowExecutionCommandAttributes) successor {
	s := c.fixed()
	next := successor{
		initiator:        a.GetInitiator(),
		attempt:          1,
		backoff:          duration.Of(a.GetBackoffStartInterval()),
		workflowType:     cmp.Or(a.GetWorkflowType().GetName(), s.WorkflowType),
		taskQueue:        cmp.Or(a.GetTaskQueue().GetName(), s.TaskQueue),
		input:            a.GetInput(),
		header:           a.GetHeader(),
		memo:             searchattr.MergeMemo(nil, a.GetMemo()),
		searchAttributes: searchattr.WithTypes(c.env.Namespace, a.GetSearchAttributes()),
		cronSchedule:     a.GetCronSchedule(),
		runTimeout:       cmp.Or(duration.Of(a.GetWorkflowRunTimeout()), s.RunTimeout),
		taskTimeout:      cmp.Or(duration.Of(a.GetWorkflowTaskTimeout()), s.TaskTimeout),
		links:            c.base.Started.GetLinks(),
		priority:         s.Priority,
		lastResult:       a.GetLastCompletionResult(),
		failure:          a.GetFailure(),
		callbacks:        true,
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
	return next
}

// continuedEvent is the last event of the run: what the command said, resolved
// as the next run has it.
func (c *completion) continuedEvent(cmd *commandpb.Command, newRunID string) *historypb.HistoryEvent {
	a := cmd.GetContinueAsNewWorkflowExecutionCommandAttributes()
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
			SearchAttributes:             searchattr.WithTypes(c.env.Namespace, a.GetSearchAttributes()),
			InheritBuildId:               a.GetInheritBuildId(), //nolint:staticcheck // echoed for the old build-id rules
			InitialVersioningBehavior:    a.GetInitialVersioningBehavior(),
		}}
	return ev
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
	if payload.SizeAll(a.GetInput()) > l.BlobBytes {
		return oversize(cause, "ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.")
	}
	if proto.Size(a.GetMemo()) > l.MemoBytes {
		return oversize(cause, "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.")
	}
	return nil
}
