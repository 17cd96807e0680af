package shard

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

func resetOf(at int64, requestID string) *workflow.ResetWorkflow {
	return &workflow.ResetWorkflow{Request: &workflowservice.ResetWorkflowExecutionRequest{
		Reason: "bug", WorkflowTaskFinishEventId: at, RequestId: requestID,
	}}
}

// reset carries a reset out and gives the id of the new run.
func (w *world) reset(id, baseRunID string, in *workflow.ResetWorkflow) string {
	w.Helper()
	return w.do(id, baseRunID, in).(*workflowservice.ResetWorkflowExecutionResponse).GetRunId()
}

// A reset may begin at the start of a workflow task, whether or not a worker was
// waiting for the task, also when the history is copied piece by piece.
func TestResetAtTheStartOfATask(t *testing.T) {
	const started = 3
	var kept [][]byte
	for _, waiting := range []bool{false, true} {
		for _, piece := range []int{0, 1} {
			w := newWorld(t, func(o *Options) { o.MaxPieceBytes = piece })
			if waiting {
				w.matcher.poll(startOf("a").Request.GetTaskQueue().GetName(), enumspb.TASK_QUEUE_TYPE_WORKFLOW)
			}
			run := w.do("a", "", startOf("a")).(*workflow.Started).RunID
			if !waiting {
				w.take()
			}
			base := w.storedHistory(run)
			if got := base[len(base)-1]; got.EventId != started || got.EventType != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
				t.Fatalf("the last event is %v", got)
			}
			events := w.storedHistory(w.reset("a", "", resetOf(started, "q")))
			if len(events) <= started || events[started].EventType != enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED {
				t.Errorf("waiting %v, piece %d: the new run has %v", waiting, piece, events)
			}
			var types []byte
			for _, ev := range events {
				types = append(types, byte(ev.EventType))
			}
			kept = append(kept, types)
		}
	}
	for _, types := range kept[1:] {
		if !bytes.Equal(types, kept[0]) {
			t.Errorf("new runs have other events: %v", kept)
		}
	}
}

// A page of history ends where it did when its reader asked: what a step adds in
// the same batch does not join the rows before.
func TestPagesBeginWithRows(t *testing.T) {
	w := newWorld(t)
	run := w.do("a", "", startOf("a")).(*workflow.Started).RunID
	task := w.matcher.offers[0]
	w.submit("a", "", signalOf("a", "go"))
	var next int64
	w.host.Look(idOf("a"), "", func(r *workflow.Run) { next = r.Info.NextEventID }, func(error) {})
	w.matcher.owners[keyOf(&task)].StartTask(task, engine.Poller{Identity: "poller", RequestID: "later"}, func(any, error) {})
	w.settle()
	for _, e := range w.rows(store.FamilyHistory) {
		if _, first, err := record.ParseHistoryKey(e.Key); err == nil && first == next {
			return
		}
	}
	t.Errorf("no row of %v begins with event %d", w.storedHistory(run), next)
}

// storedHistory is the history of a run as it is stored.
func (w *world) storedHistory(runID string) (events []*historypb.HistoryEvent) {
	w.Helper()
	for _, e := range w.rows(store.FamilyHistory) {
		key, _, err := record.ParseHistoryKey(e.Key)
		if err != nil {
			w.Fatal(err)
		}
		if key.RunID != runID {
			continue
		}
		batch, err := record.OpenHistory(e.Value)
		if err != nil {
			w.Fatal(err)
		}
		if batch.First != int64(len(events))+1 {
			w.Fatalf("I2: a batch of %s begins with event %d after event %d", runID, batch.First, len(events))
		}
		more, err := batch.Events()
		if err != nil {
			w.Fatal(err)
		}
		events = append(events, more...)
	}
	return events
}

func (w *world) state(id, runID string) (state workflow.Run) {
	w.Helper()
	w.host.Look(idOf(id), runID, func(r *workflow.Run) { state = *r }, func(err error) {
		if err != nil {
			w.Errorf("look at %s: %v", id, err)
		}
	})
	w.settle()
	return state
}

func markerCommand(size int) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_RECORD_MARKER,
		Attributes: &commandpb.Command_RecordMarkerCommandAttributes{RecordMarkerCommandAttributes: &commandpb.RecordMarkerCommandAttributes{
			MarkerName: "m", Details: map[string]*commonpb.Payloads{"d": {Payloads: []*commonpb.Payload{{Data: bytes.Repeat([]byte("x"), size)}}}},
		}}}
}

// grow lets a workflow take so many tasks, each with a marker of that size, and
// gives its run id.
func (w *world) grow(id string, tasks, size int) (runID string) {
	w.Helper()
	runID = w.do(id, "", startOf(id)).(*workflow.Started).RunID
	for i := range tasks {
		w.do(id, "", completeTask(w.take().(*workflow.TaskStarted), markerCommand(size)))
		w.do(id, "", signalOf(id, fmt.Sprint("s", i)))
	}
	return runID
}

// checkShared: the new run's history begins with that of its base, bit by bit.
func (w *world) checkShared(base, made string, cut int64) {
	w.Helper()
	old, now := w.storedHistory(base), w.storedHistory(made)
	for i := range cut - 1 {
		if !proto.Equal(old[i], now[i]) {
			w.Fatalf("event %d is %v, was %v", i+1, now[i], old[i])
		}
	}
	if a := now[cut-1].GetWorkflowTaskFailedEventAttributes(); a.GetNewRunId() != made || a.GetBaseRunId() != base {
		w.Fatalf("event %d is %v", cut, now[cut-1])
	}
}

// A reset makes a run that shares the beginning of its base's history, whatever
// its size, and outlives a restart; the base is terminated and knows of it. What
// is in the commits before is nobody's business but the reset's.
func TestReset(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "copied in pieces": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			base := w.grow("a", 12, size)
			cut := w.storedHistory(base)
			var finish int64
			for _, ev := range cut {
				if ev.EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
					finish = ev.EventId
				}
			}
			made := w.reset("a", "", resetOf(finish, "q"))
			w.checkShared(base, made, finish)
			if again := w.reset("a", "", resetOf(finish, "q")); again != made {
				t.Errorf("the repeated request made %s, the first %s", again, made)
			}
			for range 2 {
				run := w.state("a", "")
				if run.Key.RunID != made || !run.Open() || run.Start.Reset.BaseRunID != base {
					t.Errorf("the current run is %s, made from %+v", run.Key.RunID, run.Start.Reset)
				}
				old := w.state("a", base)
				if old.Info.Status != enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED || old.Info.ResetRunID != made {
					t.Errorf("the base run is %v, reset to %s", old.Info.Status, old.Info.ResetRunID)
				}
				w.crash()
			}
			w.advance(2 * guardFor) // what guarded the copy does no harm
			w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), closeCommand()))
			if n := len(w.storedHistory(made)); n == 0 {
				t.Error("the history is gone")
			}
		})
	}
}

// A power cut at any commit of a reset leaves either both runs as they were or
// the reset done, and in the end nothing of a copy that was not completed.
func TestResetIsOneStep(t *testing.T) {
	for cut := 1; cut < 8; cut++ {
		t.Run(fmt.Sprintf("cut at commit %d", cut), func(t *testing.T) {
			w := newWorld(t)
			base := w.grow("a", 12, 200<<10)
			commits := 0
			w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
				if commits++; commits >= cut {
					return memstore.CommitFault{Err: store.ErrUnknown}
				}
				return memstore.CommitFault{}
			}
			finish := w.state("a", "").Info.LastCompletedStartedID + 1
			o := w.submit("a", "", resetOf(finish, "q"))
			w.settle()
			if !o.answered {
				t.Fatal("not answered")
			}
			w.faults.Commit = nil
			w.crash()
			run := w.state("a", "")
			if o.err != nil && !errors.Is(o.err, ErrUnavailable) {
				t.Errorf("answered %v", o.err)
			}
			if o.err == nil && run.Key.RunID == base {
				t.Error("I1: the reset was acknowledged, and is not there")
			}
			w.advance(guardFor + time.Minute)
			w.advance(2 * lazyFor)
			runs := map[string]bool{}
			for _, e := range w.rows(store.FamilyHistory) {
				key, _, err := record.ParseHistoryKey(e.Key)
				if err != nil {
					t.Fatal(err)
				}
				runs[key.RunID] = true
			}
			if run.Key.RunID == base && len(runs) != 1 {
				t.Errorf("there are histories of %d runs, one is there", len(runs))
			}
		})
	}
}

// What a child has to say goes to the run that a reset has put in the place of
// its parent, wherever the power was cut between.
func TestChildReportsToResetParent(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash ", crash), func(t *testing.T) {
			w := newWorld(t)
			w.do("p", "", startOf("p"))
			w.do("p", "", completeTask(w.take().(*workflow.TaskStarted), childCommand("c")))
			var parent *workflow.TaskStarted
			var child *workflow.TaskStarted
			for range 2 {
				task := w.take().(*workflow.TaskStarted)
				if task.Token.Run.Name == "p" {
					parent = task
				} else {
					child = task
				}
			}
			w.do("p", "", completeTask(parent))
			finish := parent.StartedEventID + 1
			made := w.reset("p", "", resetOf(finish, "q"))
			if crash {
				w.crash()
			}
			w.do("c", "", completeTask(child, closeCommand()))
			events := w.storedHistory(made)
			last := events[len(events)-1]
			if last.EventType != enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED {
				t.Errorf("the parent's last event is %v", last)
			}
		})
	}
}

// A reset of a history of 50,000 events, most of it shared: what it costs the
// shard, and how long the others of the shard wait for it at most.
func BenchmarkResetOfALongHistory(b *testing.B) {
	w := newWorld(b)
	w.do("a", "", startOf("a"))
	const tasks, markers = 100, 500
	commands := make([]*commandpb.Command, markers)
	for i := range commands {
		commands[i] = markerCommand(100)
	}
	for range tasks {
		w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), commands...))
		w.do("a", "", signalOf("a", fmt.Sprint(w.clock.Now(), w.matcher.last)))
	}
	base := w.state("a", "")
	for n := 0; b.Loop(); n++ {
		w.reset("a", base.Key.RunID, resetOf(base.Info.LastCompletedStartedID+1, fmt.Sprint("q", n)))
	}
	b.ReportMetric(float64(base.Info.NextEventID), "events")
	b.ReportMetric(float64(base.Info.HistorySizeBytes)/(1<<20), "MiB")
}
