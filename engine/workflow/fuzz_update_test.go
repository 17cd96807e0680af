package workflow_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/cockroachdb/datadriven"
	protocolpb "go.temporal.io/api/protocol/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// FuzzMessages gives a workflow task that brought updates whatever bytes are a
// valid completion. As FuzzCompletion: no panic, and nothing broken that the
// world checks.
func FuzzMessages(f *testing.F) {
	a := func(id string) *args {
		return &args{&datadriven.TestData{CmdArgs: []datadriven.CmdArg{{Key: id}}}}
	}
	for _, req := range []*workflowservice.RespondWorkflowTaskCompletedRequest{{},
		{Messages: []*protocolpb.Message{acceptance(a("new")), response(a("new"))}},
		{Messages: []*protocolpb.Message{rejection(a("new")), response(a("accepted"))}},
		{Messages: []*protocolpb.Message{rejection(a("accepted")), rejection(a("forgotten"))}},
	} {
		seed, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req := &workflowservice.RespondWorkflowTaskCompletedRequest{}
		if proto.Unmarshal(data, req) != nil {
			return
		}
		w := newWorld(t)
		script(t, w, "start order", "poll orders", "complete order", "update order accepted", "poll orders", "complete order", "\taccept accepted",
			"update order new", "poll orders", "update order later")
		w.step(w.find("order"), &workflow.CompleteWorkflowTask{Token: w.tasks["order"].Token, Request: req})
	})
}
