package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// ChildStartRequest is the request that a MessageStartChild stands for, made
// from the parent's Initiated event (spec/workflow.md 4.6). m.Event is set;
// namespace is the name of the child's namespace.
func ChildStartRequest(m *engine.Message, namespace string) *workflowservice.StartWorkflowExecutionRequest {
	a := m.Event.GetStartChildWorkflowExecutionInitiatedEventAttributes()
	return &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                namespace,
		WorkflowId:               a.GetWorkflowId(),
		WorkflowType:             a.GetWorkflowType(),
		TaskQueue:                a.GetTaskQueue(),
		Input:                    a.GetInput(),
		WorkflowExecutionTimeout: a.GetWorkflowExecutionTimeout(),
		WorkflowRunTimeout:       a.GetWorkflowRunTimeout(),
		WorkflowTaskTimeout:      a.GetWorkflowTaskTimeout(),
		RequestId:                m.RequestID,
		WorkflowIdReusePolicy:    a.GetWorkflowIdReusePolicy(),
		WorkflowIdConflictPolicy: conflictOfChild(a.GetWorkflowIdReusePolicy()),
		RetryPolicy:              a.GetRetryPolicy(),
		CronSchedule:             a.GetCronSchedule(),
		Memo:                     a.GetMemo(),
		SearchAttributes:         a.GetSearchAttributes(),
		Header:                   a.GetHeader(),
		UserMetadata:             m.Event.GetUserMetadata(),
		Priority:                 a.GetPriority(),
		VersioningOverride:       a.GetVersioningOverride(),

		TimeSkippingConfig:           a.GetTimeSkippingConfig(),
		TimeSkippingStatePropagation: a.GetTimeSkippingStatePropagation(),
	}
}

// conflictOfChild: an open run in the way is a conflict, unless the deprecated
// reuse policy says to terminate it; the two policies exclude each other.
func conflictOfChild(reuse enumspb.WorkflowIdReusePolicy) enumspb.WorkflowIdConflictPolicy {
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING {
		return enumspb.WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED
	}
	return enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
}

// Wants reports whether the sender still waits for an answered message to be
// delivered. A message nobody wants is dropped: a child not yet started when
// its parent closes never starts, and a closed run signals and cancels no one.
func (r *Run) Wants(m *engine.Message) bool {
	if !m.Answered() {
		return true
	}
	if !r.Open() {
		return false
	}
	switch m.Kind {
	case engine.MessageStartChild:
		c := r.Children[m.EventID]
		return c != nil && c.StartedEventID == 0
	case engine.MessageReconnect:
		c := r.Children[m.EventID]
		return c != nil && c.RunID == m.ToFirstRunID
	case engine.MessageSignal:
		return r.Signals[m.EventID] != nil
	case engine.MessageCancel:
		return r.Cancels[m.EventID] != nil
	}
	return true
}
