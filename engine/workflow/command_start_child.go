package workflow

import (
	"fmt"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/cron"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/priority"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/taskqueue"
	"github.com/perdure/perdure/engine/versioning"
)

type childAttributes = commandpb.StartChildWorkflowExecutionCommandAttributes

// startChild carries out START_CHILD_WORKFLOW_EXECUTION (spec/workflow.md 3.8,
// 4.6): the child is asked for by a message and starts on its own.
func (c *completion) startChild(cmd *commandpb.Command) error {
	a := cmd.GetStartChildWorkflowExecutionCommandAttributes()
	if err := c.checkChild(a); err != nil {
		return err
	}
	ev := c.childInitiatedEvent(cmd)
	id := c.append(ev)
	c.children.put(id, &Child{
		InitiatedEventID:  id,
		BatchID:           c.batchID(),
		NamespaceID:       c.base.Key.NamespaceID,
		NamespaceName:     c.fixed().NamespaceName,
		WorkflowID:        a.GetWorkflowId(),
		WorkflowType:      a.GetWorkflowType().GetName(),
		ParentClosePolicy: ev.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetParentClosePolicy(),
		Control:           a.GetControl(),
	})
	root := c.fixed().Root
	if root == nil {
		root = execution(c.base.Key)
	}
	c.send(engine.Message{
		Kind: engine.MessageStartChild, To: c.to(a.GetWorkflowId()),
		EventID: id, BatchID: c.batchID(), Event: ev, Root: root,
	})
	return nil
}

func (c *completion) checkChild(a *childAttributes) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES
	if err := c.checkNamespace(a.GetNamespace(), cause); err != nil {
		return err
	}
	if err := c.checkChildFields(a); err != nil {
		return failTask(cause, "%v", err)
	}
	if err := searchattr.Check(c.env.Namespace, c.env.Limits, a.GetSearchAttributes()); err != nil {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES, "%v", err)
	}
	switch limit := c.env.Limits.PendingChildren; {
	case c.tooBig(a.GetInput()):
		return oversize(cause, "StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.")
	case c.memoTooBig(a):
		return oversize(cause, "StartChildWorkflowExecutionCommandAttributes.Memo exceeds size limit.")
	case c.children.len() >= limit:
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED,
			"the number of pending child workflow executions, %d, has reached the per-workflow limit of %d", c.children.len(), limit)
	}
	return nil
}

func (c *completion) memoTooBig(a *childAttributes) bool {
	n := 0
	for name, p := range a.GetMemo().GetFields() {
		n += len(name) + len(p.GetData())
	}
	return n > c.env.Limits.MemoBytes
}

func (c *completion) checkChildFields(a *childAttributes) error {
	const on = "StartChildWorkflowExecutionCommand."
	id, kind, limit := a.GetWorkflowId(), a.GetWorkflowType().GetName(), c.env.Limits.IDLengthBytes
	about := fmt.Sprintf(" WorkflowId=%s WorkflowType=%s Namespace=%s", id, kind, a.GetNamespace())
	switch {
	case id == "":
		return engine.Invalid("Required field WorkflowId is not set on %s WorkflowType=%s Namespace=%s", on, kind, a.GetNamespace())
	case kind == "":
		return engine.Invalid("Required field WorkflowType is not set on %s WorkflowId=%s Namespace=%s", on, id, a.GetNamespace())
	case len(id) > limit:
		return engine.Invalid("WorkflowId on %s exceeds length limit. Length=%d Limit=%d", on, len(id), limit)
	case len(kind) > limit:
		return engine.Invalid("WorkflowType on %s exceeds length limit. Length=%d Limit=%d", on, len(kind), limit)
	case !known(enumspb.ParentClosePolicy_name, a.GetParentClosePolicy()):
		return engine.Invalid("unknown ParentClosePolicy %d on %s%s", int32(a.GetParentClosePolicy()), on, about)
	case !known(enumspb.WorkflowIdReusePolicy_name, a.GetWorkflowIdReusePolicy()):
		return engine.Invalid("unknown WorkflowIdReusePolicy %d on %s%s", int32(a.GetWorkflowIdReusePolicy()), on, about)
	}
	if err := versioning.Check(a.GetVersioningOverride()); err != nil {
		return engine.Invalid("invalid VersioningOverride on %s%s: %v", on, about, err)
	}
	for _, t := range []struct {
		name string
		d    *durationpb.Duration
	}{
		{"WorkflowExecutionTimeout", a.GetWorkflowExecutionTimeout()},
		{"WorkflowRunTimeout", a.GetWorkflowRunTimeout()},
		{"WorkflowTaskTimeout", a.GetWorkflowTaskTimeout()},
	} {
		if err := duration.Check(t.d); err != nil {
			return engine.Invalid("invalid %s on %s%s: %v", t.name, on, about, err)
		}
	}
	if err := retry.Check(filledPolicy(a)); err != nil {
		return err
	}
	if s := a.GetCronSchedule(); s != "" && cron.Check(s, c.env.Now) != nil {
		return engine.Invalid("invalid CronSchedule on %s%s", on, about)
	}
	if err := priority.Check(a.GetPriority(), c.env.Limits); err != nil {
		return engine.Invalid("invalid priorities: %v", err)
	}
	return taskqueue.Check(c.childQueue(a), c.env.Limits)
}

// known reports whether the API has a name for an enum's number. A policy
// guessed for the caller could end the wrong run.
func known[E ~int32](names map[int32]string, number E) bool {
	_, ok := names[int32(number)]
	return ok
}

// filledPolicy is the child's retry policy, filled; nil when it has none, since
// the retry of workflows is opt-in.
func filledPolicy(a *childAttributes) *commonpb.RetryPolicy {
	if a.GetRetryPolicy() == nil {
		return nil
	}
	return retry.Fill(a.GetRetryPolicy())
}

// childQueue is the child's task queue: by default its parent's.
func (c *completion) childQueue(a *childAttributes) *taskqueuepb.TaskQueue {
	if name := a.GetTaskQueue().GetName(); name != "" {
		return taskqueue.Normal(name)
	}
	return taskqueue.Normal(c.fixed().TaskQueue)
}

// childInitiatedEvent holds all that the child is started from; see
// ChildStartRequest. Its priority is merged with the parent's already.
func (c *completion) childInitiatedEvent(cmd *commandpb.Command) *historypb.HistoryEvent {
	a := cmd.GetStartChildWorkflowExecutionCommandAttributes()
	ev := c.commandEvent(enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, cmd)
	closePolicy := a.GetParentClosePolicy()
	if closePolicy == enumspb.PARENT_CLOSE_POLICY_UNSPECIFIED {
		closePolicy = enumspb.PARENT_CLOSE_POLICY_TERMINATE
	}
	reuse := a.GetWorkflowIdReusePolicy()
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	execTimeout := duration.Of(a.GetWorkflowExecutionTimeout())
	run := runTimeout(duration.Of(a.GetWorkflowRunTimeout()), execTimeout)
	skipping, skipped := c.propagated(true)
	ev.Attributes = &historypb.HistoryEvent_StartChildWorkflowExecutionInitiatedEventAttributes{
		StartChildWorkflowExecutionInitiatedEventAttributes: &historypb.StartChildWorkflowExecutionInitiatedEventAttributes{
			Namespace:                    c.fixed().NamespaceName,
			NamespaceId:                  c.base.Key.NamespaceID,
			WorkflowId:                   a.GetWorkflowId(),
			WorkflowType:                 a.GetWorkflowType(),
			TaskQueue:                    c.childQueue(a),
			Input:                        a.GetInput(),
			WorkflowExecutionTimeout:     duration.Proto(execTimeout),
			WorkflowRunTimeout:           duration.Proto(run),
			WorkflowTaskTimeout:          duration.Proto(workflowTaskTimeout(c.env.Limits, duration.Of(a.GetWorkflowTaskTimeout()), run)),
			ParentClosePolicy:            closePolicy,
			Control:                      a.GetControl(),
			WorkflowTaskCompletedEventId: c.completedID,
			WorkflowIdReusePolicy:        reuse,
			RetryPolicy:                  filledPolicy(a),
			CronSchedule:                 a.GetCronSchedule(),
			Header:                       a.GetHeader(),
			Memo:                         a.GetMemo(),
			SearchAttributes:             searchattr.WithTypes(c.env.Namespace, a.GetSearchAttributes()),
			InheritBuildId:               a.GetInheritBuildId(),
			Priority:                     priority.Merge(a.GetPriority(), c.fixed().Priority),
			VersioningOverride:           versioning.Normal(a.GetVersioningOverride()),
			TimeSkippingConfig:           skipping,
			TimeSkippingStatePropagation: skipped,
		}}
	return ev
}
