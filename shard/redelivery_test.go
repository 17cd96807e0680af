package shard

import (
	"context"
	"fmt"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

func signalCommand(to string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{
			SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
				Execution: &commonpb.WorkflowExecution{WorkflowId: to}, SignalName: "hello"}},
	}
}

func cancelCommand(to string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_RequestCancelExternalWorkflowExecutionCommandAttributes{
			RequestCancelExternalWorkflowExecutionCommandAttributes: &commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
				WorkflowId: to}},
	}
}

// I8: a message that names no run is delivered, its answer is lost in a crash,
// and meanwhile the receiver has begun another run. Delivered again, the message
// has no effect on that, and its sender hears that it was taken.
func TestI8RepetitionFindsTheFormerRun(t *testing.T) {
	for name, c := range map[string]struct {
		command *commandpb.Command
		outcome enumspb.EventType
		taken   func(*workflow.Run) bool
	}{
		"signal": {signalCommand("receiver"), enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
			func(r *workflow.Run) bool { return r.Info.SignalCount > 0 }},
		"cancel": {cancelCommand("receiver"), enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
			func(r *workflow.Run) bool { return r.Info.CancelRequested }},
	} {
		t.Run(name, func(t *testing.T) {
			several := func(o *Options) { o.Shards = 8 }
			w := newWorld(t, several)
			sender := ""
			for n := 0; sender == ""; n++ {
				if id := fmt.Sprint("sender-", n); w.host.shardOf(idOf(id)) != w.host.shardOf(idOf("receiver")) {
					sender = id
				}
			}
			w.do("receiver", "", startOf("receiver"))
			w.matcher.offers = nil
			w.do(sender, "", startOf(sender))
			task := w.take().(*workflow.TaskStarted)
			// From the second commit of the sender's shard on, the answer among
			// them, nothing is durable any more.
			slot := w.host.shardOf(idOf(sender)).slots.From
			commits := 0
			w.faults.Commit = func(s store.Shard, _ *store.Batch) memstore.CommitFault {
				if s.Slots().From == slot {
					if commits++; commits > 1 {
						return memstore.CommitFault{Delay: time.Hour}
					}
				}
				return memstore.CommitFault{}
			}
			w.do(sender, "", completeTask(task, c.command))
			first := w.state("receiver", "")
			if !c.taken(&first) {
				t.Fatal("the first delivery had no effect")
			}
			w.do("receiver", "", &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}})
			again := startOf("receiver")
			again.Request.RequestId = "another"
			w.do("receiver", "", again)
			w.faults.Commit = nil
			w.crash(several)

			second := w.state("receiver", "")
			if second.Key.RunID == first.Key.RunID || c.taken(&second) {
				t.Errorf("I8: the repetition has had its effect on the next run, or there is none")
			}
			from := w.state(sender, "")
			if len(from.Signals)+len(from.Cancels) != 0 {
				t.Error("the sender still waits for its answer")
			}
			if got := w.lastOf(from.Key); got != c.outcome {
				t.Errorf("the sender has recorded %v, want %v", got, c.outcome)
			}
		})
	}
}

// I8: the same of the start of a child whose first run has closed meanwhile, and
// another of its id after it: the parent hears of its own, and no third begins.
func TestI8RepeatedStartFindsTheFormerRun(t *testing.T) {
	several := func(o *Options) { o.Shards = 8 }
	w := newWorld(t, several)
	parent := ""
	for n := 0; parent == ""; n++ {
		if id := fmt.Sprint("parent-", n); w.host.shardOf(idOf(id)) != w.host.shardOf(idOf("child")) {
			parent = id
		}
	}
	w.do(parent, "", startOf(parent))
	task := w.take().(*workflow.TaskStarted)
	slot := w.host.shardOf(idOf(parent)).slots.From
	commits := 0
	w.faults.Commit = func(s store.Shard, _ *store.Batch) memstore.CommitFault {
		if s.Slots().From == slot {
			if commits++; commits > 1 { // the answer is never durable
				return memstore.CommitFault{Delay: time.Hour}
			}
		}
		return memstore.CommitFault{}
	}
	w.do(parent, "", completeTask(task, childCommand("child")))
	first := w.state("child", "")
	terminate := &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}}
	w.do("child", "", terminate)
	again := startOf("child")
	again.Request.RequestId = "another"
	w.do("child", "", again)
	w.do("child", "", terminate)
	second := w.state("child", "")
	w.faults.Commit = nil
	w.crash(several)
	if third := w.state("child", ""); third.Key.RunID != second.Key.RunID || second.Key.RunID == first.Key.RunID {
		t.Errorf("I8: after runs %s and %s there is %s", first.Key.RunID, second.Key.RunID, third.Key.RunID)
	}
	from := w.state(parent, "")
	for _, c := range from.Children {
		if c.RunID != first.Key.RunID {
			t.Errorf("the parent takes %s for its child, started was %s", c.RunID, first.Key.RunID)
		}
	}
}

// lastOf is the type of the last event that is not of a workflow task.
func (w *world) lastOf(run engine.RunKey) (kind enumspb.EventType) {
	w.await(func() {
		events, _, err := w.host.HistoryReverse(context.Background(), run, 0, 10)
		if err != nil {
			w.Error(err)
		}
		for _, ev := range events {
			switch kind = ev.EventType; kind {
			case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			default:
				return
			}
		}
	})
	return kind
}
