package frontend

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// StartWorkflowExecution starts a run, or answers by the id policies
// (workflow.md 1).
func (f *Frontend) StartWorkflowExecution(ctx context.Context, r *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	if err := f.prepareStart(ctx, r); err != nil {
		return nil, err
	}
	// The outcome is awaited even if the caller leaves, with a context that does not
	// end: it may hold a task that must then be taken back.
	started, err := do[*workflow.Started](context.Background(), f, executionID(ctx, r.GetWorkflowId()), "", &workflow.StartWorkflow{
		Request: r,
		Poller:  f.poller(ctx, r.GetIdentity(), r.GetRequestId()),
	})
	if err != nil {
		return nil, err
	}
	resp := &workflowservice.StartWorkflowExecutionResponse{
		RunId: started.RunID, FirstExecutionRunId: started.FirstRunID,
		Started: started.Started, Status: started.Status, Link: started.Link,
	}
	if t := started.EagerTask; t != nil {
		task, err := f.workflowTask(ctx, t)
		if err == nil && ctx.Err() == nil {
			resp.EagerWorkflowTask = task
		} else { // the workflow has started all the same
			f.abort(ctx, t.Token.Run, &workflow.AbortWorkflowTask{Token: t.Token})
		}
	}
	return resp, nil
}

// SignalWithStartWorkflowExecution signals the current run, or starts one with
// the signal as its second event (workflow.md 1.15).
func (f *Frontend) SignalWithStartWorkflowExecution(ctx context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) (*workflowservice.SignalWithStartWorkflowExecutionResponse, error) {
	if err := f.prepareSignalWithStart(ctx, r); err != nil {
		return nil, err
	}
	started, err := do[*workflow.Started](ctx, f, executionID(ctx, r.GetWorkflowId()), "", &workflow.SignalWithStart{Request: r})
	if err != nil {
		return nil, err
	}
	return &workflowservice.SignalWithStartWorkflowExecutionResponse{
		RunId: started.RunID, FirstExecutionRunId: started.FirstRunID,
		Started: started.Started, SignalLink: started.SignalLink,
	}, nil
}

// do has an input carried out and returns its reply as the type it must have.
func do[R any](ctx context.Context, f *Frontend, id engine.ID, runID string, in engine.Input) (R, error) {
	var none R
	reply, err := f.executions.Do(ctx, id, runID, in)
	if err != nil {
		return none, err
	}
	if refusal, ok := reply.(*engine.Refusal); ok {
		return none, refusal // the step's result is to say no (Refusal.Commit)
	}
	typed, ok := reply.(R)
	if !ok {
		return none, unexpectedReply(in, reply)
	}
	return typed, nil
}

// execution is the API's name of a run.
func execution(run engine.RunKey) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: run.Name, RunId: run.RunID}
}
