package workflow_test

import (
	"testing"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// recordedAllocations are the objects a step of each kind allocates. They are
// counts and do not depend on the machine, so that a step that has become
// dearer shows at once. Who makes one cheaper lowers its figure; who must make
// one dearer raises it and says why in the commit.
var recordedAllocations = map[string]float64{
	"start a workflow":        26,
	"start its task":          9,
	"schedule an activity":    16,
	"start the activity":      9,
	"complete the activity":   15,
	"start the next task":     9,
	"complete the workflow":   11,
	"signal a workflow":       20,
	"look at what is not due": 5,
	"start a timer":           16,
}

// TestAllocationsOfSteps lives through a workflow, and at each step counts what
// the step allocates. A step changes nothing until it is applied, and so can be
// repeated.
func TestAllocationsOfSteps(t *testing.T) {
	const slack = 1.15 // a new Go release may allocate a little differently
	w := newWorld(t)
	poller := engine.Poller{Identity: "worker", RequestID: "poll", Sticky: true}
	seen := make(map[string]bool)
	count := func(what string, step func() (*workflow.Result, error)) *workflow.Result {
		t.Helper()
		got := testing.AllocsPerRun(100, func() {
			if _, err := step(); err != nil {
				t.Fatal(err)
			}
		})
		t.Logf("to %s allocates %.0f objects", what, got)
		recorded, ok := recordedAllocations[what]
		if seen[what] = true; !ok || got > recorded*slack || got < recorded/slack {
			t.Errorf("to %s allocates %.0f objects; recorded are %.0f", what, got, recorded)
		}
		res, err := step()
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	step := func(what string, run *workflow.Run, in workflow.Input) any {
		t.Helper()
		res := count(what, func() (*workflow.Result, error) { return workflow.Step(w.env(), run, in) })
		if res.Run != nil {
			run.Apply(res.Run)
		}
		return res.Reply
	}
	startTask := func(what string, run *workflow.Run) *workflow.TaskStarted {
		t.Helper()
		task := run.Offers()[0]
		return step(what, run, &workflow.StartWorkflowTask{EventID: task.EventID, Stamp: task.Stamp, Poller: poller}).(*workflow.TaskStarted)
	}
	completion := func(started *workflow.TaskStarted, cmd *commandpb.Command) workflow.Input {
		return &workflow.CompleteWorkflowTask{Token: started.Token, Poller: poller,
			Request: &workflowservice.RespondWorkflowTaskCompletedRequest{Commands: []*commandpb.Command{cmd}}}
	}

	run := count("start a workflow", func() (*workflow.Result, error) {
		return workflow.StepID(w.env(), id("order"), nil, &workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
			WorkflowType: &commonpb.WorkflowType{Name: "order"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"}, RequestId: "r"}})
	}).New.Run
	started := startTask("start its task", run)
	timer := completion(started, command(w, "start-timer t 10s"))
	count("start a timer", func() (*workflow.Result, error) { return workflow.Step(w.env(), run, timer) })
	step("schedule an activity", run, completion(started, command(w, "schedule-activity x start-to-close=10s")))
	offer := run.Offers()[0]
	act := step("start the activity", run, &workflow.StartActivity{EventID: offer.EventID, Stamp: offer.Stamp, Poller: poller}).(*workflow.ActivityStarted)
	signal := &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{SignalName: "go", RequestId: "s"}}
	count("signal a workflow", func() (*workflow.Result, error) { return workflow.Step(w.env(), run, signal) })
	count("look at what is not due", func() (*workflow.Result, error) { return workflow.Step(w.env(), run, &workflow.Due{}) })
	step("complete the activity", run, &workflow.CompleteActivity{Ref: workflow.ActivityRef{Token: &act.Token}, Result: payloads("1")})
	started = startTask("start the next task", run)
	step("complete the workflow", run, completion(started, command(w, "complete-workflow result=1")))
	if run.Open() {
		t.Error("the workflow is still open")
	}
	for what := range recordedAllocations {
		if !seen[what] {
			t.Errorf("nothing counted for %q", what)
		}
	}
}
