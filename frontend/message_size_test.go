package frontend

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// A completion of a workflow task may be large, as large as the namespace
// announces; other requests may not, and too many large ones at a time wait.
func TestLargeRequests(t *testing.T) {
	f := New(Options{})
	completion := func(size int) proto.Message {
		return &workflowservice.RespondWorkflowTaskCompletedRequest{Commands: []*commandpb.Command{{
			Attributes: &commandpb.Command_RecordMarkerCommandAttributes{RecordMarkerCommandAttributes: &commandpb.RecordMarkerCommandAttributes{
				MarkerName: strings.Repeat("m", size)}}}}}
	}
	admit := func(operation string, req proto.Message) (func(), error) {
		f.large.note(req, proto.Size(req))
		return f.admitSize(&call{rpc: f.rpc(operation)}, req)
	}

	done, err := admit(completionMethod, completion(maxLargeBytes-1<<10))
	if err != nil {
		t.Fatalf("a large completion: %v", err)
	}
	if _, err := admit(completionMethod, completion(5<<20)); engine.KindOf(err) != engine.KindOverloaded {
		t.Errorf("one more at the same time: %v", err)
	}
	if _, err := admit(completionMethod, completion(1<<20)); err != nil {
		t.Errorf("a small one at the same time: %v", err)
	}
	done()
	if done, err = admit(completionMethod, completion(5<<20)); err != nil {
		t.Errorf("when the first is through: %v", err)
	}
	done()
	if n := f.large.bytes.Load(); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
	_, err = admit("StartWorkflowExecution", &workflowservice.StartWorkflowExecutionRequest{Identity: strings.Repeat("i", MaxReceiveBytes)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a large start: %v", err)
	}
}
