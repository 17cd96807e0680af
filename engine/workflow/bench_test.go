package workflow_test

import (
	"fmt"
	"testing"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// BenchmarkTaskAfterManyUpdates is a workflow task
// of a run that has had nearly as many updates as it may.
func BenchmarkTaskAfterManyUpdates(b *testing.B) {
	const had = 1990
	w := newWorld(b)
	res, err := workflow.StepID(w.env(), id("order"), nil, &workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
		WorkflowType: &commonpb.WorkflowType{Name: "order"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"}, RequestId: "r"}})
	if err != nil {
		b.Fatal(err)
	}
	run := res.New.Run
	run.Updates = map[string]*workflow.Update{}
	for n := range had {
		run.Updates[fmt.Sprint("before-", n)] = &workflow.Update{AcceptedEventID: 5, CompletedEventID: 6}
	}
	poller := engine.Poller{Identity: "worker", RequestID: "poll"}
	b.ReportAllocs()
	for b.Loop() {
		offer := run.Offers()[0]
		started, err := workflow.Step(w.env(), run, &workflow.StartWorkflowTask{EventID: offer.EventID, Stamp: offer.Stamp, Poller: poller})
		if err != nil {
			b.Fatal(err)
		}
		run.Apply(started.Run)
		completed, err := workflow.Step(w.env(), run, &workflow.CompleteWorkflowTask{Token: started.Reply.(*workflow.TaskStarted).Token,
			Poller: poller, Request: &workflowservice.RespondWorkflowTaskCompletedRequest{ForceCreateNewWorkflowTask: true,
				Commands: []*commandpb.Command{command(w, "marker m")}}})
		if err != nil {
			b.Fatal(err)
		}
		run.Apply(completed.Run)
	}
}

// BenchmarkOneActivity is what the core alone costs for a workflow with one
// activity: seven steps from its start to its close, each applied.
func BenchmarkOneActivity(b *testing.B) {
	w := newWorld(b)
	poller := engine.Poller{Identity: "worker", RequestID: "poll", Sticky: true}
	schedule := command(w, "schedule-activity x start-to-close=10s")
	finish := command(w, "complete-workflow result=1")
	step := func(run *workflow.Run, in workflow.Input) any {
		res, err := workflow.Step(w.env(), run, in)
		if err != nil {
			b.Fatal(err)
		}
		run.Apply(res.Run)
		return res.Reply
	}
	complete := func(run *workflow.Run, cmd *commandpb.Command) {
		task := run.Offers()[0]
		started := step(run, &workflow.StartWorkflowTask{EventID: task.EventID, Stamp: task.Stamp, Poller: poller}).(*workflow.TaskStarted)
		step(run, &workflow.CompleteWorkflowTask{Token: started.Token, Poller: poller,
			Request: &workflowservice.RespondWorkflowTaskCompletedRequest{Commands: []*commandpb.Command{cmd}}})
	}
	b.ReportAllocs()
	for b.Loop() {
		res, err := workflow.StepID(w.env(), id("order"), nil, &workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
			WorkflowType: &commonpb.WorkflowType{Name: "order"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"}, RequestId: "r"}})
		if err != nil {
			b.Fatal(err)
		}
		run := res.New.Run
		complete(run, schedule)
		offer := run.Offers()[0]
		act := step(run, &workflow.StartActivity{EventID: offer.EventID, Stamp: offer.Stamp, Poller: poller}).(*workflow.ActivityStarted)
		step(run, &workflow.CompleteActivity{Ref: workflow.ActivityRef{Token: &act.Token}, Result: payloads("1")})
		complete(run, finish)
		if run.Open() {
			b.Fatal("still open")
		}
	}
}
