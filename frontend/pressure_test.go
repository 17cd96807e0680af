package frontend

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// I11: while the server is short of something, calls that bring work are told
// so, with cause and scope, before they reach a shard. Polls, completions,
// heartbeats, cancellations and reads are served as ever.
func TestPressureHoldsNewWorkBack(t *testing.T) {
	e := newEdge(t, func(o *Options) {
		o.Pressure = func() error { return engine.Refuse(engine.KindOverloaded, "busy") }
	})
	w := &commonpb.WorkflowExecution{WorkflowId: "w"}
	for _, c := range []struct {
		method string
		req    proto.Message
		held   bool
	}{
		{"StartWorkflowExecution", &workflowservice.StartWorkflowExecutionRequest{Namespace: "ns"}, true},
		{"SignalWithStartWorkflowExecution", &workflowservice.SignalWithStartWorkflowExecutionRequest{Namespace: "ns"}, true},
		{"SignalWorkflowExecution", &workflowservice.SignalWorkflowExecutionRequest{Namespace: "ns"}, true},
		{"RegisterNamespace", &workflowservice.RegisterNamespaceRequest{Namespace: "n"}, true},
		{"PollWorkflowTaskQueue", &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns"}, false},
		{"PollActivityTaskQueue", &workflowservice.PollActivityTaskQueueRequest{Namespace: "ns"}, false},
		{"RespondWorkflowTaskCompleted", &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: "ns"}, false},
		{"RespondActivityTaskCompleted", &workflowservice.RespondActivityTaskCompletedRequest{Namespace: "ns"}, false},
		{"RecordActivityTaskHeartbeat", &workflowservice.RecordActivityTaskHeartbeatRequest{Namespace: "ns"}, false},
		{"TerminateWorkflowExecution", &workflowservice.TerminateWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w}, false},
		{"RequestCancelWorkflowExecution", &workflowservice.RequestCancelWorkflowExecutionRequest{Namespace: "ns", WorkflowExecution: w}, false},
		{"DescribeWorkflowExecution", &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns", Execution: w}, false},
		{"ListWorkflowExecutions", &workflowservice.ListWorkflowExecutionsRequest{Namespace: "ns"}, false},
	} {
		var trailer metadata.MD
		err := e.conn.Invoke(t.Context(), "/"+workflowServiceName+"/"+c.method, c.req, new(workflowservice.GetSystemInfoResponse), grpc.Trailer(&trailer))
		if held := status.Code(err) == codes.ResourceExhausted; held != c.held {
			t.Errorf("%s: held back %v, want %v (%v)", c.method, held, c.held, err)
		}
		if !c.held {
			continue
		}
		d, _ := status.Convert(err).Details()[0].(*errordetails.ResourceExhaustedFailure)
		if d.GetCause() != enumspb.RESOURCE_EXHAUSTED_CAUSE_SYSTEM_OVERLOADED || d.GetScope() != enumspb.RESOURCE_EXHAUSTED_SCOPE_SYSTEM {
			t.Errorf("%s: detail %v", c.method, d)
		}
		if got := trailer.Get("X-Resource-Exhausted-Cause"); len(got) != 1 || got[0] != "SystemOverloaded" {
			t.Errorf("%s: trailer %v", c.method, trailer)
		}
	}
	if got := len(e.executions.inputs()); got > 2 { // cancel and terminate
		t.Errorf("%d inputs reached a shard", got)
	}
}
