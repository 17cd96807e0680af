package shard

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

func childCommand(id string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{
			StartChildWorkflowExecutionCommandAttributes: &commandpb.StartChildWorkflowExecutionCommandAttributes{
				WorkflowId: id, WorkflowType: &commonpb.WorkflowType{Name: "Child"},
			}},
	}
}

// I8: a child starts once and its parent hears of its start and its end once,
// wherever the power is cut, with one shard and with several.
func TestI8MessagesTakeEffectOnce(t *testing.T) {
	for _, shards := range []int{1, 5} {
		for cut := 0; cut < 14; cut++ {
			t.Run(fmt.Sprintf("%d shards, cut after commit %d", shards, cut), func(t *testing.T) {
				familyStory(t, shards, cut)
			})
		}
	}
}

func familyStory(t *testing.T, shards, cut int) {
	several := func(o *Options) { o.Shards = shards }
	w := newWorld(t, several)
	commits, crashed := 0, false
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
		commits++
		return memstore.CommitFault{}
	}
	// turnOver crashes the server once so many batches have been committed.
	turnOver := func() {
		if !crashed && commits >= cut {
			crashed = true
			w.crash(several)
		}
	}
	step := func() {
		for {
			f := w.next()
			if f == nil {
				return
			}
			f()
			turnOver()
		}
	}
	tell := func(id string, in workflow.Input) {
		for range 5 {
			o := w.submit(id, "", in)
			step()
			if o.answered && !errors.Is(o.err, ErrUnavailable) {
				return
			}
		}
	}
	tell("parent", startOf("parent"))
	for range 20 {
		step()
		if len(w.matcher.offers) == 0 {
			w.advance(15 * time.Second) // a task whose worker died with the server times out
			step()
		}
		if len(w.matcher.offers) == 0 {
			break
		}
		offer := w.matcher.offers[0]
		w.matcher.offers = w.matcher.offers[1:]
		var started any
		w.matcher.owners[keyOf(&offer)].StartTask(offer, engine.Poller{Identity: "p", RequestID: fmt.Sprint("r", commits)}, func(s any, _ error) { started = s })
		step()
		task, ok := started.(*workflow.TaskStarted)
		if !ok {
			continue
		}
		name := task.Token.Run.Name
		switch {
		case name == "child":
			tell("child", completeTask(task, closeCommand()))
		case task.PreviousStartedEventID == 0:
			tell("parent", completeTask(task, childCommand("child")))
		default:
			tell("parent", completeTask(task))
		}
	}
	step()
	counts := map[enumspb.EventType]int{}
	key := w.currentRun("parent")
	for _, ev := range w.history(key) {
		counts[ev.EventType]++
	}
	for _, kind := range []enumspb.EventType{
		enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
	} {
		if counts[kind] != 1 {
			t.Errorf("%v happened %d times\n%.3000s", kind, counts[kind], w.logged.String())
		}
	}
	w.advance(time.Minute)
	for i := range w.host.shards {
		w.leftIn(i, store.FamilyOutbox)
	}
}

func (w *world) currentRun(id string) (key engine.RunKey) {
	w.Helper()
	w.view(id, func(run *workflow.Run) { key = run.Key })
	return key
}

// leftIn fails the test when a shard has rows of a family.
func (w *world) leftIn(shard int, family store.Family) {
	w.Helper()
	s := w.host.shards[shard].Load().store
	from, to := record.Family(family, s.Slots())
	n := 0
	if err := s.Scan(context.Background(), from, to, func(store.Entry) bool { n++; return true }); err != nil {
		w.Fatal(err)
	}
	if n > 0 {
		w.Errorf("%d rows of family %d are left", n, family)
	}
}

// A message to a run in the same shard's memory is delivered in the batch that
// sends it, and so is the answer: no row, no further commit.
func TestMessageAtHandSharesTheBatch(t *testing.T) {
	w := newWorld(t)
	w.do("target", "", startOf("target"))
	w.do("sender", "", startOf("sender"))
	for len(w.matcher.offers) > 1 { // the target's
		w.take()
	}
	task := w.take().(*workflow.TaskStarted)
	commits, outbox := 0, 0
	w.faults.Commit = func(_ store.Shard, b *store.Batch) memstore.CommitFault {
		commits++
		for _, op := range b.Ops {
			if op.Key.Family == store.FamilyOutbox {
				outbox++
			}
		}
		return memstore.CommitFault{}
	}
	w.do("sender", "", completeTask(task, &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{
			SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
				Execution: &commonpb.WorkflowExecution{WorkflowId: "target"}, SignalName: "hello",
			}},
	}))
	if commits != 1 || outbox != 0 {
		t.Errorf("%d commits, %d outbox rows; want 1 and 0", commits, outbox)
	}
	w.view("target", func(run *workflow.Run) {
		if run.Info.SignalCount != 1 {
			t.Errorf("the target has %d signals", run.Info.SignalCount)
		}
	})
	w.view("sender", func(run *workflow.Run) {
		if len(run.Signals) != 0 {
			t.Error("the sender was not answered")
		}
	})
}
