package frontend

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
)

// queryTime bounds a query whose caller brought no deadline.
const queryTime = 10 * time.Second

// abortTime bounds the taking back of a task nobody got.
const abortTime = 5 * time.Second

// QueryWorkflow has a worker answer a query (workflow.md 5.1). It waits as long
// as the caller does.
func (f *Frontend) QueryWorkflow(ctx context.Context, r *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	err := firstError(
		func() error { return f.checkExecution(r.GetExecution()) },
		func() error {
			switch {
			case r.GetQuery() == nil:
				return invalid("WorkflowQuery is not set on request.")
			case r.GetQuery().GetQueryType() == "":
				return invalid("QueryType is not set on request.")
			}
			return nil
		},
		func() error { return f.checkBlob(r.GetQuery().GetQueryArgs()) },
	)
	if err != nil {
		return nil, err
	}
	place, err := f.waiting.enter(namespaceOf(ctx).ID)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, queryTime)
		defer cancel()
	}
	e := r.GetExecution()
	return f.executions.Query(ctx, executionID(ctx, e.GetWorkflowId()), e.GetRunId(), r)
}

// RespondQueryTaskCompleted brings the answer to a query that was delivered on
// its own (TQ-83).
func (f *Frontend) RespondQueryTaskCompleted(ctx context.Context, r *workflowservice.RespondQueryTaskCompletedRequest) (*workflowservice.RespondQueryTaskCompletedResponse, error) {
	token, err := openQueryToken(r.GetTaskToken())
	if err == nil && token.NamespaceID != namespaceOf(ctx).ID {
		err = errForeignToken
	}
	if err != nil {
		return nil, err
	}
	if err := f.executions.AnswerQuery(ctx, token.QueryID, r); err != nil {
		return nil, err
	}
	return &workflowservice.RespondQueryTaskCompletedResponse{}, nil
}
