package workflow_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// FuzzCompletion gives a started workflow task whatever bytes are a valid
// request. The machine may refuse it or fail the task; it may not panic, nor
// break what the world checks of every step.
func FuzzCompletion(f *testing.F) {
	for _, line := range []string{
		"complete-workflow result=1", "fail-workflow", "cancel-workflow", "continue-as-new input=1", "marker m", "upsert CustomerId=c",
		"memo k=v", "start-timer x 1s", "cancel-timer x", "schedule-activity y", "schedule-activity z eager", "cancel-activity 6",
		"start-child c", "signal order s", "cancel order", "update", "nexus", "unknown",
	} {
		cmd := command(newWorld(f), line)
		for _, force := range []bool{false, true} {
			seed, err := proto.Marshal(&workflowservice.RespondWorkflowTaskCompletedRequest{
				Commands: []*commandpb.Command{cmd, cmd}, ForceCreateNewWorkflowTask: force, ReturnNewWorkflowTask: force})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		req := &workflowservice.RespondWorkflowTaskCompletedRequest{}
		if proto.Unmarshal(data, req) != nil {
			return
		}
		w := newWorld(t)
		script(t, w, "start order attempts=2", "poll orders", "complete order", "\tstart-timer x 10s", "\tschedule-activity y",
			"signal order s", "poll orders", "signal order buffered")
		w.step(w.find("order"), &workflow.CompleteWorkflowTask{Token: w.tasks["order"].Token, Request: req})
	})
}

// FuzzStart gives the machine start requests that no frontend has looked at.
func FuzzStart(f *testing.F) {
	seed, err := proto.Marshal(fullRequest("order"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		req := &workflowservice.StartWorkflowExecutionRequest{}
		if proto.Unmarshal(data, req) != nil {
			return
		}
		w := newWorld(t)
		w.stepID("order", &workflow.StartWorkflow{Request: req})
		w.stepID("order", &workflow.StartWorkflow{Request: req})
		if run := w.find("order"); run != nil {
			if at := run.NextDeadline(); at.After(w.now) {
				w.now = at
			}
			w.step(run, &workflow.Due{})
		}
	})
}
