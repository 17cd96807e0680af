package frontend

import (
	"context"
	"fmt"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

func unexpectedReply(in engine.Input, reply any) error {
	return fmt.Errorf("reply to %T is a %T", in, reply)
}

func (f *Frontend) checkSignalName(name string) error {
	if name == "" {
		return invalid("SignalName is not set on request.")
	}
	return f.tooLong(name, "SignalName length exceeds limit.")
}

// SignalWorkflowExecution is workflow.md 4.1.
func (f *Frontend) SignalWorkflowExecution(ctx context.Context, r *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	err := firstError(
		func() error { return f.checkExecution(r.GetWorkflowExecution()) },
		func() error { return f.checkSignalName(r.GetSignalName()) },
		func() error { return f.checkRequestID(r.GetRequestId()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
		func() error { return checkLinks(r.GetLinks(), f.limits) },
		func() error { return f.checkBlob(r.GetInput()) },
	)
	if err != nil {
		return nil, err
	}
	e := r.GetWorkflowExecution()
	return do[*workflowservice.SignalWorkflowExecutionResponse](ctx, f,
		executionID(ctx, e.GetWorkflowId()), e.GetRunId(), &workflow.Signal{Request: r})
}

// RequestCancelWorkflowExecution is workflow.md 4.2.
func (f *Frontend) RequestCancelWorkflowExecution(ctx context.Context, r *workflowservice.RequestCancelWorkflowExecutionRequest) (*workflowservice.RequestCancelWorkflowExecutionResponse, error) {
	err := firstError(
		func() error { return f.checkExecution(r.GetWorkflowExecution()) },
		func() error { return f.checkRequestID(r.GetRequestId()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
		func() error { return checkLinks(r.GetLinks(), f.limits) },
	)
	if err != nil {
		return nil, err
	}
	id, runID := chainTarget(ctx, r.GetWorkflowExecution().GetWorkflowId(), r.GetWorkflowExecution().GetRunId(), r.GetFirstExecutionRunId())
	return do[*workflowservice.RequestCancelWorkflowExecutionResponse](ctx, f, id, runID, &workflow.RequestCancel{Request: r})
}

// TerminateWorkflowExecution is workflow.md 4.3.
func (f *Frontend) TerminateWorkflowExecution(ctx context.Context, r *workflowservice.TerminateWorkflowExecutionRequest) (*workflowservice.TerminateWorkflowExecutionResponse, error) {
	err := firstError(
		func() error { return f.checkExecution(r.GetWorkflowExecution()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
		func() error { return checkLinks(r.GetLinks(), f.limits) },
		func() error { return f.checkBlob(r.GetDetails()) },
	)
	if err != nil {
		return nil, err
	}
	if r.Reason == "" {
		r.Reason = "terminated by user via frontend"
	}
	if r.Identity == "" {
		r.Identity = "frontend-service"
	}
	id, runID := chainTarget(ctx, r.GetWorkflowExecution().GetWorkflowId(), r.GetWorkflowExecution().GetRunId(), r.GetFirstExecutionRunId())
	return do[*workflowservice.TerminateWorkflowExecutionResponse](ctx, f, id, runID, &workflow.Terminate{Request: r})
}

// chainTarget is the run a request addresses: with the first run id of a chain
// the run id is ignored and the current run is meant; the machine then checks
// that it is of that chain.
func chainTarget(ctx context.Context, workflowID, runID, firstRunID string) (engine.ID, string) {
	if firstRunID != "" {
		runID = ""
	}
	return executionID(ctx, workflowID), runID
}

// DeleteWorkflowExecution is workflow.md 4.4.
func (f *Frontend) DeleteWorkflowExecution(ctx context.Context, r *workflowservice.DeleteWorkflowExecutionRequest) (*workflowservice.DeleteWorkflowExecutionResponse, error) {
	e := r.GetWorkflowExecution()
	if err := f.checkExecution(e); err != nil {
		return nil, err
	}
	return do[*workflowservice.DeleteWorkflowExecutionResponse](ctx, f,
		executionID(ctx, e.GetWorkflowId()), e.GetRunId(), &workflow.Delete{})
}

// ResetStickyTaskQueue is workflow.md 3.3.
func (f *Frontend) ResetStickyTaskQueue(ctx context.Context, r *workflowservice.ResetStickyTaskQueueRequest) (*workflowservice.ResetStickyTaskQueueResponse, error) {
	e := r.GetExecution()
	if err := f.checkExecution(e); err != nil {
		return nil, err
	}
	return do[*workflowservice.ResetStickyTaskQueueResponse](ctx, f,
		executionID(ctx, e.GetWorkflowId()), e.GetRunId(), &workflow.ResetSticky{})
}
