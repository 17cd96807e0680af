package frontend

import (
	"context"
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
	noSize := func(when string) {
		t.Helper()
		if n, noted := f.large.bytes.Load(), f.large.noted.Load(); n != 0 || noted != 0 {
			t.Errorf("%s: %d bytes are still counted, %d sizes still noted", when, n, noted)
		}
	}
	carryOut := func(operation string, req proto.Message, handler func()) error {
		f.large.note(req, proto.Size(req))
		_, err := f.guarded(&call{Context: t.Context(), rpc: &rpc{name: operation, findsNamespace: true}}, req,
			func(context.Context, any) (any, error) { handler(); return nil, nil })
		return err
	}
	quick := func() {}

	if err := carryOut(completionMethod, completion(5<<20), quick); status.Code(err) != codes.Unavailable {
		t.Errorf("before the server serves: %v", err)
	}
	noSize("after one that was refused for another reason")
	f.Serve()
	err := carryOut(completionMethod, completion(maxLargeBytes-1<<10), func() {
		if err := carryOut(completionMethod, completion(5<<20), quick); engine.KindOf(err) != engine.KindOverloaded {
			t.Errorf("one more at the same time: %v", err)
		}
		if err := carryOut(completionMethod, completion(1<<20), quick); err != nil {
			t.Errorf("a small one at the same time: %v", err)
		}
	})
	if err != nil {
		t.Fatalf("a large completion: %v", err)
	}
	if err = carryOut(completionMethod, completion(5<<20), quick); err != nil {
		t.Errorf("when the first is through: %v", err)
	}
	err = carryOut("StartWorkflowExecution", &workflowservice.StartWorkflowExecutionRequest{Identity: strings.Repeat("i", MaxReceiveBytes)}, quick)
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a large start: %v", err)
	}
	noSize("at the end")
}
