package frontend

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
)

// ExecuteMultiOperation is update-with-start, the only combination there is
// (workflow.md 6.8).
func (f *Frontend) ExecuteMultiOperation(ctx context.Context, r *workflowservice.ExecuteMultiOperationRequest) (*workflowservice.ExecuteMultiOperationResponse, error) {
	ops := r.GetOperations()
	if len(ops) != 2 || ops[0].GetStartWorkflow() == nil || ops[1].GetUpdateWorkflow() == nil {
		return nil, invalid("Operations have to be exactly [Start, Update].")
	}
	in := &workflow.UpdateWithStart{Start: ops[0].GetStartWorkflow(), Update: ops[1].GetUpdateWorkflow()}
	if err := f.prepareStartOperation(ctx, in.Start); err != nil {
		return nil, startFailed(err)
	}
	if err := f.prepareUpdateOperation(ctx, in); err != nil {
		return nil, updateFailed(errAborted, err)
	}
	in.Poller = f.poller(ctx, in.Start.GetIdentity(), in.Start.GetRequestId())
	patience, over, err := f.patience(ctx, in.Update.GetWaitPolicy())
	if err != nil {
		return nil, err
	}
	defer over()
	return f.updateWithStart(ctx, in, patience)
}

func (f *Frontend) prepareStartOperation(ctx context.Context, r *workflowservice.StartWorkflowExecutionRequest) error {
	switch {
	case r.GetNamespace() != "" && r.GetNamespace() != namespaceOf(ctx).Name:
		return errOtherNamespace
	case r.GetCronSchedule() != "":
		return invalid("CronSchedule is not allowed.")
	case r.GetRequestEagerExecution():
		return invalid("RequestEagerExecution is not supported.")
	case r.GetWorkflowStartDelay() != nil:
		return invalid("WorkflowStartDelay is not supported.")
	}
	return f.prepareStart(ctx, r)
}

func (f *Frontend) prepareUpdateOperation(ctx context.Context, in *workflow.UpdateWithStart) error {
	r := in.Update
	switch {
	case r.GetNamespace() != "" && r.GetNamespace() != namespaceOf(ctx).Name:
		return errOtherNamespace
	case r.GetWorkflowExecution().GetWorkflowId() != in.Start.GetWorkflowId():
		return invalid("WorkflowId is not consistent with previous operation(s).")
	case r.GetFirstExecutionRunId() != "":
		return invalid("FirstExecutionRunId is not allowed.")
	case r.GetWorkflowExecution().GetRunId() != "":
		return invalid("RunId is not allowed.")
	}
	return f.prepareUpdate(r)
}

var errOtherNamespace = invalid("Operation namespace did not match request's namespace.")

// updateWithStart carries it out. A run that closes under the update is tried
// again once: the next one may be there by then.
func (f *Frontend) updateWithStart(ctx context.Context, in *workflow.UpdateWithStart, p shard.Patience) (*workflowservice.ExecuteMultiOperationResponse, error) {
	id := executionID(ctx, in.Start.GetWorkflowId())
	done, err := f.executions.UpdateWithStart(ctx, id, in, p)
	if err != nil && done != nil && closedUnder(err) {
		if done, err = f.executions.UpdateWithStart(ctx, id, in, p); err != nil && done != nil && closedUnder(err) {
			err = serviceerror.NewAborted(err.Error())
		}
	}
	switch {
	case done == nil:
		return nil, err
	case done.StartRefused != nil:
		return nil, startFailed(done.StartRefused)
	case done.UpdateRefused != nil:
		return nil, updateFailed(errAborted, done.UpdateRefused)
	case err != nil:
		return nil, updateFailed(nil, err)
	}
	s := done.Started
	return &workflowservice.ExecuteMultiOperationResponse{Responses: []*workflowservice.ExecuteMultiOperationResponse_Response{
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_StartWorkflow{
			StartWorkflow: &workflowservice.StartWorkflowExecutionResponse{
				RunId: s.RunID, FirstExecutionRunId: s.FirstRunID, Started: s.Started, Status: s.Status, Link: s.Link}}},
		{Response: &workflowservice.ExecuteMultiOperationResponse_Response_UpdateWorkflow{
			UpdateWorkflow: updateResponse(done.Update)}},
	}}, nil
}

// closedUnder reports whether waiting for an update ended with its run.
func closedUnder(err error) bool {
	var r *engine.Refusal
	return errors.As(err, &r) && (r.Kind == engine.KindNotFound || r.Kind == engine.KindBusyWorkflow)
}

// errAborted stands for the operation that is not to blame.
var errAborted = serviceerror.NewMultiOperationAborted("Operation was aborted.")

func startFailed(err error) error { return multiFailed(operationError(err), errAborted) }

// updateFailed tells that the update failed; start is nil when the run has started
// all the same.
func updateFailed(start, err error) error { return multiFailed(start, operationError(err)) }

func multiFailed(start, update error) error {
	return serviceerror.NewMultiOperationExecution("Update-with-Start could not be executed.", []error{start, update})
}

// operationError is the error as the API knows it.
func operationError(err error) error {
	st, _ := statusOf(err)
	return st.Err()
}
