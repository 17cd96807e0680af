package shard

import (
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// historyIdentity is how events name the server when it acts for a workflow.
const historyIdentity = "history-service"

// parentClosedReason is in the event of a child that its parent takes along.
const parentClosedReason = "by parent close policy"

// inputOf is the message as an input of its receiver; nil for one that this
// release does not know. target is the name of the receiver's namespace.
func inputOf(m *engine.Message, target string) engine.Input {
	switch m.Kind {
	case engine.MessageStartChild:
		return &workflow.StartWorkflow{Request: workflow.ChildStartRequest(m, target), Child: m}
	case engine.MessageFirstWorkflowTask:
		return &workflow.FirstWorkflowTask{From: m}
	case engine.MessageChildClosed:
		return &workflow.ChildClosed{Message: m}
	case engine.MessageReconnect:
		return &workflow.Reconnect{From: m}
	case engine.MessageSignal:
		return &workflow.Signal{Request: signalRequest(m, target), From: m}
	case engine.MessageCancel:
		reason := m.Event.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes().GetReason()
		return &workflow.RequestCancel{Request: cancelRequest(m, target, reason), From: m}
	case engine.MessageParentClosed:
		if m.ParentClosePolicy == enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL {
			return &workflow.RequestCancel{Request: cancelRequest(m, target, ""), From: m}
		}
		return &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{
			Namespace:           target,
			WorkflowExecution:   receiver(m),
			Reason:              parentClosedReason,
			Identity:            historyIdentity,
			FirstExecutionRunId: m.ToFirstRunID,
		}, From: m}
	}
	return nil
}

func signalRequest(m *engine.Message, target string) *workflowservice.SignalWorkflowExecutionRequest {
	a := m.Event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()
	return &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         target,
		WorkflowExecution: receiver(m),
		SignalName:        a.GetSignalName(),
		Input:             a.GetInput(),
		Header:            a.GetHeader(),
		Identity:          historyIdentity,
		RequestId:         m.RequestID,
		Control:           a.GetControl(), //nolint:staticcheck // older SDKs send it still
	}
}

func cancelRequest(m *engine.Message, target, reason string) *workflowservice.RequestCancelWorkflowExecutionRequest {
	return &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace:           target,
		WorkflowExecution:   receiver(m),
		Identity:            historyIdentity,
		RequestId:           m.RequestID,
		FirstExecutionRunId: m.ToFirstRunID,
		Reason:              reason,
	}
}

func receiver(m *engine.Message) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: m.To.Name, RunId: m.ToRunID}
}

// mayComeLater reports whether a refusal speaks of the moment, so that the
// message should be tried again.
func mayComeLater(err error) bool {
	switch engine.KindOf(err) {
	case 0, engine.KindUnavailable, engine.KindBusyWorkflow, engine.KindConcurrentLimit, engine.KindDataLoss,
		engine.KindOverloaded, engine.KindStorageFull:
		return true
	}
	return false
}

// answeredWith is what the sender of an answered message is told.
func answeredWith(m *engine.Message, reply any, err error) *workflow.Answered {
	a := &workflow.Answered{Message: m}
	if started, ok := reply.(*workflow.Started); ok && err == nil {
		a.RunID = started.RunID
	}
	if err != nil {
		a.Refusal = asRefusal(err)
	}
	return a
}

func asRefusal(err error) *engine.Refusal {
	if r, ok := err.(*engine.Refusal); ok { //nolint:errorlint // core and shell hand refusals over bare
		return r
	}
	return engine.Refuse(engine.KindUnavailable, "%s", err.Error())
}
