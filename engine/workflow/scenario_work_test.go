package workflow_test

import (
	"fmt"
	"strings"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/workflow"
)

// More commands of the scenario files, about what a run has pending:
//
//	abort-activity A                  the poller was gone before it was told
//	remember A as=B                   keep A's token under the name B, for a worker that comes too late
//	complete-by-id ID A [result=]; fail-by-id; heartbeat-by-id; cancel-by-id
//	hand-over; answer                 deliver one message, and hold its answer back; bring it
//	pending ID                        what is pending, as an operator would see it
//
// and of a complete paragraph:
//
//	schedule A [queue=] [s2c=] [s2s=] [stc=] [hb=] [initial=] [attempts=] [input=SIZE] [eager]
func init() {
	commands["abort-activity"] = func(w *world, a *args) {
		w.step(w.runs[w.acts[a.at(0)].Token.Run], &workflow.AbortActivity{Token: w.acts[a.at(0)].Token})
	}
	commands["remember"] = func(w *world, a *args) { w.acts[a.str("as")] = w.acts[a.at(0)] }
	commands["complete-by-id"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.CompleteActivity{Ref: byID(a), Result: payloads(a.str("result")), Identity: "operator"})
	}
	commands["fail-by-id"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.FailActivity{Ref: byID(a), Failure: failure(a), Identity: "operator"})
	}
	commands["heartbeat-by-id"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.HeartbeatActivity{Ref: byID(a), Identity: "operator"})
	}
	commands["cancel-by-id"] = func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.CancelActivity{Ref: byID(a), Identity: "operator"})
	}
	var held *workflow.Answered
	commands["hand-over"] = func(w *world, _ *args) { held = w.handOverFirst() }
	commands["answer"] = func(w *world, _ *args) { w.step(w.runs[held.Message.From], held) }
	commands["pending"] = (*world).pending
	workerCommands["schedule"] = schedule
}

// handOverFirst delivers the first message alone, and gives its answer.
func (w *world) handOverFirst() *workflow.Answered {
	m := w.messages[0]
	w.messages = w.messages[1:]
	w.printf("-- %s\n", describeMessage(m))
	reply, refusal := w.handOver(&m)
	answer := &workflow.Answered{Message: &m, Refusal: refusal}
	if s, ok := reply.(*workflow.Started); ok {
		answer.RunID = s.RunID
	}
	return answer
}

func byID(a *args) workflow.ActivityRef { return workflow.ActivityRef{ID: a.at(1)} }

func schedule(a *args) *commandpb.Command {
	attrs := &commandpb.ScheduleActivityTaskCommandAttributes{
		ActivityId:             a.at(0),
		ActivityType:           &commonpb.ActivityType{Name: a.or("type", "charge")},
		TaskQueue:              &taskqueuepb.TaskQueue{Name: a.or("queue", "cards")},
		ScheduleToCloseTimeout: protoDuration(a.str("s2c")),
		ScheduleToStartTimeout: protoDuration(a.str("s2s")),
		StartToCloseTimeout:    protoDuration(a.str("stc")),
		HeartbeatTimeout:       protoDuration(a.str("hb")),
		RetryPolicy:            &commonpb.RetryPolicy{InitialInterval: protoDuration(a.str("initial"))},
		RequestEagerExecution:  a.has("eager"),
	}
	if a.at(0) == "no-id" {
		attrs.ActivityId = ""
	}
	if a.has("no-type") {
		attrs.ActivityType = nil
	}
	var size int
	if _, err := fmt.Sscan(a.str("input"), &size); err == nil {
		attrs.Input = payloads(strings.Repeat("x", size))
	}
	if _, err := fmt.Sscan(a.str("attempts"), &attrs.RetryPolicy.MaximumAttempts); err != nil {
		attrs.RetryPolicy.MaximumAttempts = 0
	}
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{ScheduleActivityTaskCommandAttributes: attrs}}
}

func (w *world) pending(a *args) {
	run := w.find(a.at(0))
	for _, id := range sortedKeys(run.Activities) {
		s := run.Activities[id]
		state := "started"
		switch {
		case s.CancelRequested:
			state = "cancel requested"
		case s.Status == activity.StatusQueued && s.Offered:
			state = "on offer"
		case s.Status == activity.StatusQueued:
			state = "waiting"
		}
		w.printf("activity %s: %s, attempt %d, s2c=%v s2s=%v stc=%v hb=%v\n", s.ID, state, s.Attempt,
			s.ScheduleToClose, s.ScheduleToStart, s.StartToClose, s.Heartbeat)
	}
	for _, id := range sortedKeys(run.Timers) {
		w.printf("timer %s: fires at %v\n", id, run.Timers[id].FireTime.Sub(epoch))
	}
	for _, id := range sortedKeys(run.Children) {
		c := run.Children[id]
		w.printf("child %s: initiated %d, started %d, %v\n", c.WorkflowID, c.InitiatedEventID, c.StartedEventID, c.ParentClosePolicy)
	}
	for _, id := range sortedKeys(run.Signals) {
		w.printf("signal to %s: initiated %d\n", run.Signals[id].Target.GetWorkflowId(), id)
	}
	for _, id := range sortedKeys(run.Cancels) {
		w.printf("cancel of %s: initiated %d\n", run.Cancels[id].Target.GetWorkflowId(), id)
	}
}
