package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// Delivery is the input that a message is to its receiver. A message that
// starts a child is for StepID, the others for Step. Message.Event must be set
// if the message needs it.
func Delivery(m *engine.Message) Input {
	switch m.Kind {
	case engine.MessageStartChild:
		return &StartWorkflow{Request: ChildStartRequest(m), Child: m}
	case engine.MessageFirstWorkflowTask:
		return &FirstWorkflowTask{From: m}
	case engine.MessageChildClosed:
		return &ChildClosed{Message: m}
	case engine.MessageSignal:
		return signalDelivery(m)
	case engine.MessageCancel:
		return cancelDelivery(m)
	case engine.MessageParentClosed:
		return parentClosedDelivery(m)
	}
	return nil
}

// ChildStartRequest is the request that a MessageStartChild stands for, made
// from the parent's Initiated event (spec/workflow.md 4.6).
func ChildStartRequest(m *engine.Message) *workflowservice.StartWorkflowExecutionRequest {
	a := m.Event.GetStartChildWorkflowExecutionInitiatedEventAttributes()
	return &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                a.GetNamespace(),
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

// signalDelivery is a signal as its receiver records it: from the server, on
// behalf of the sender.
func signalDelivery(m *engine.Message) *Signal {
	a := m.Event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()
	return &Signal{From: m, Request: &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         a.GetNamespace(),
		WorkflowExecution: a.GetWorkflowExecution(),
		SignalName:        a.GetSignalName(),
		Input:             a.GetInput(),
		Header:            a.GetHeader(),
		Identity:          systemIdentity,
		RequestId:         m.RequestID,
	}}
}

func cancelDelivery(m *engine.Message) *RequestCancel {
	a := m.Event.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes()
	return &RequestCancel{From: m, Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace:         a.GetNamespace(),
		WorkflowExecution: a.GetWorkflowExecution(),
		Identity:          systemIdentity,
		RequestId:         m.RequestID,
		Reason:            a.GetReason(),
	}}
}

// parentClosedDelivery carries out the parent close policy on a child, wherever
// its chain of runs has got to.
func parentClosedDelivery(m *engine.Message) Input {
	if m.ParentClosePolicy == enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL {
		return &RequestCancel{From: m, Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
			Identity:            systemIdentity,
			RequestId:           m.RequestID,
			FirstExecutionRunId: m.ToFirstRunID,
		}}
	}
	return &Terminate{From: m, Request: &workflowservice.TerminateWorkflowExecutionRequest{
		Reason:              "by parent close policy",
		Identity:            systemIdentity,
		FirstExecutionRunId: m.ToFirstRunID,
	}}
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
	case engine.MessageSignal:
		return r.Signals[m.EventID] != nil
	case engine.MessageCancel:
		return r.Cancels[m.EventID] != nil
	}
	return true
}

// Final reports whether a refusal by the receiver settles an answered message.
// Any other is no answer: the message is tried again until it works or nobody
// wants it any more.
func Final(m *engine.Message, refusal *engine.Refusal) bool {
	switch refusal.Kind {
	case engine.KindNamespaceNotFound:
		return true
	case engine.KindAlreadyStarted:
		return m.Kind == engine.MessageStartChild
	case engine.KindNotFound, engine.KindInvalidArgument:
		return m.Kind != engine.MessageStartChild
	}
	return false
}
