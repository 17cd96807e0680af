package frontend

import (
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// workflow.md 7.1: what the edge refuses of a reset, through gRPC. Refusals by the
// state of the run come from the core: see TestResetIsRefusedByTheCore.
func TestResetIsChecked(t *testing.T) {
	const bad = codes.InvalidArgument
	e := newEdge(t)
	reset := func(edit func(*workflowservice.ResetWorkflowExecutionRequest)) *workflowservice.ResetWorkflowExecutionRequest {
		r := &workflowservice.ResetWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "w"},
			WorkflowTaskFinishEventId: 4, RequestId: "q"}
		edit(r)
		return r
	}
	then := func(op *workflowpb.PostResetOperation) *workflowservice.ResetWorkflowExecutionRequest {
		return reset(func(r *workflowservice.ResetWorkflowExecutionRequest) {
			r.PostResetOperations = []*workflowpb.PostResetOperation{op}
		})
	}
	options := func(o *workflowpb.PostResetOperation_UpdateWorkflowOptions) *workflowservice.ResetWorkflowExecutionRequest {
		return then(&workflowpb.PostResetOperation{Variant: &workflowpb.PostResetOperation_UpdateWorkflowOptions_{UpdateWorkflowOptions: o}})
	}
	signal := func(s *workflowpb.PostResetOperation_SignalWorkflow) *workflowservice.ResetWorkflowExecutionRequest {
		return then(&workflowpb.PostResetOperation{Variant: &workflowpb.PostResetOperation_SignalWorkflow_{SignalWorkflow: s}})
	}
	for _, c := range []refusal{
		{"no execution", "ResetWorkflowExecution", reset(func(r *workflowservice.ResetWorkflowExecutionRequest) { r.WorkflowExecution = nil }), bad, "Execution is not set on request."},
		{"no workflow id", "ResetWorkflowExecution", reset(func(r *workflowservice.ResetWorkflowExecutionRequest) { r.WorkflowExecution.WorkflowId = "" }), bad, "WorkflowId is not set on request."},
		{"a bad run id", "ResetWorkflowExecution", reset(func(r *workflowservice.ResetWorkflowExecutionRequest) { r.WorkflowExecution.RunId = "x" }), bad, "Invalid RunId."},
		{"no request id", "ResetWorkflowExecution", reset(func(r *workflowservice.ResetWorkflowExecutionRequest) { r.RequestId = "" }), bad, "RequestId is not set on request."},
		{"a long request id", "ResetWorkflowExecution", reset(func(r *workflowservice.ResetWorkflowExecutionRequest) { r.RequestId = long }), bad, "RequestId length exceeds limit."},
		{"a long reason", "ResetWorkflowExecution", reset(func(r *workflowservice.ResetWorkflowExecutionRequest) { r.Reason = strings.Repeat("x", 2<<20+1) }), bad, "reason exceeds length limit"},
		{"an unknown reapply type", "ResetWorkflowExecution", reset(func(r *workflowservice.ResetWorkflowExecutionRequest) { r.ResetReapplyType = 99 }), codes.Internal, "unknown reset reapply type: 99"},
		{"no operation", "ResetWorkflowExecution", then(&workflowpb.PostResetOperation{}), bad, "unsupported post reset operation: <nil>"},
		{"a signal without name", "ResetWorkflowExecution", signal(&workflowpb.PostResetOperation_SignalWorkflow{}), bad, "SignalName is not set on request."},
		{"options without mask", "ResetWorkflowExecution", options(&workflowpb.PostResetOperation_UpdateWorkflowOptions{}), bad, "UpdateMask is required"},
		{"options without options", "ResetWorkflowExecution",
			options(&workflowpb.PostResetOperation_UpdateWorkflowOptions{UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"priority"}}}), bad, "WorkflowExecutionOptions is required"},
		{"an unknown workflow", "ResetWorkflowExecution", reset(func(*workflowservice.ResetWorkflowExecutionRequest) {}), codes.NotFound, "workflow not found for ID: w"},
	} {
		check(t, e, c)
	}
}

// The refusals of the core keep their texts, and what a description says of resets.
func TestResetIsRefusedByTheCore(t *testing.T) {
	e := newEdge(t)
	f := e.withActivities()
	f.do = func(_ engine.ID, _ string, in engine.Input) (any, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return workflow.CheckReset(f.mu.run, f.mu.run, in.(*workflow.ResetWorkflow).Request)
	}
	for _, id := range []int64{0, 1, 8, 99} {
		check(t, e, refusal{"a finish id that is not in the history", "ResetWorkflowExecution",
			&workflowservice.ResetWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: testExecution, WorkflowTaskFinishEventId: id, RequestId: "q"},
			codes.InvalidArgument, "Workflow task finish ID must be > 1 && <= workflow last event ID."})
	}
	f.change(func() {
		s := *f.mu.run.Start
		s.ResetTime, s.Reset, s.RequestID = time.Unix(500, 0), &workflow.ResetOrigin{BaseRunID: "base"}, "q"
		f.mu.run.Start = &s
		f.mu.run.Info.ResetRunID = "next"
	})
	again, err := e.api.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "ns", WorkflowExecution: testExecution, WorkflowTaskFinishEventId: 4, RequestId: "q"})
	if err != nil || again.GetRunId() != f.mu.run.Key.RunID {
		t.Errorf("repeated: %v, %v", again, err)
	}
	info := e.describe(t).GetWorkflowExtendedInfo()
	if info.GetResetRunId() != "next" || info.GetLastResetTime().GetSeconds() != 500 {
		t.Errorf("described: %v", info)
	}
}
