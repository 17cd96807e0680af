package frontend

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// ResetWorkflowExecution begins a new run with the history of another up to a
// workflow task (workflow.md 7).
func (f *Frontend) ResetWorkflowExecution(ctx context.Context, r *workflowservice.ResetWorkflowExecutionRequest) (*workflowservice.ResetWorkflowExecutionResponse, error) {
	err := firstError(
		func() error { return f.checkExecution(r.GetWorkflowExecution()) },
		func() error {
			if r.GetRequestId() == "" {
				return invalid("RequestId is not set on request.")
			}
			return f.checkRequestID(r.GetRequestId())
		},
		func() error { return f.checkIdentity(r.GetIdentity()) },
		func() error {
			if len(r.GetReason()) > f.limits.BlobBytes { // it goes into two events
				return invalid("reason exceeds length limit")
			}
			return nil
		},
		func() error {
			t := r.GetResetReapplyType() //nolint:staticcheck // older clients send it still
			if _, known := enumspb.ResetReapplyType_name[int32(t)]; !known {
				return serviceerror.NewInternalf("unknown reset reapply type: %v", t)
			}
			return nil
		},
		func() error { return f.checkPostReset(ctx, r.GetPostResetOperations()) },
	)
	if err != nil {
		return nil, err
	}
	e := r.GetWorkflowExecution()
	return do[*workflowservice.ResetWorkflowExecutionResponse](ctx, f, executionID(ctx, e.GetWorkflowId()), e.GetRunId(),
		&workflow.ResetWorkflow{Request: r})
}

// checkPostReset checks the operations that are to follow a reset as the calls
// they stand for, and resolves their masks.
func (f *Frontend) checkPostReset(ctx context.Context, operations []*workflowpb.PostResetOperation) error {
	for _, op := range operations {
		var err error
		switch v := op.GetVariant().(type) {
		case *workflowpb.PostResetOperation_SignalWorkflow_:
			err = firstError(
				func() error { return f.checkSignalName(v.SignalWorkflow.GetSignalName()) },
				func() error { return checkLinks(v.SignalWorkflow.GetLinks(), f.limits) },
				func() error { return f.checkBlob(v.SignalWorkflow.GetInput()) },
			)
		case *workflowpb.PostResetOperation_UpdateWorkflowOptions_:
			o := v.UpdateWorkflowOptions
			var paths []string
			if paths, err = f.checkOptionsUpdate(ctx, o.GetWorkflowExecutionOptions(), o.GetUpdateMask()); err == nil {
				o.UpdateMask.Paths = paths
			}
		default:
			err = invalidf("unsupported post reset operation: %T", v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
