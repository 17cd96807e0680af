package shard

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// The tail answers what the store would, or not at all.
func TestTailAnswersLikeTheStore(t *testing.T) {
	key := engine.RunKey{ID: engine.ID{NamespaceID: "n", Name: "w"}, RunID: "r"}
	var kept tail
	var all []record.HistoryBatch
	next := int64(1)
	for n := range 60 { // batches of one to three events, some of them large
		var events []*historypb.HistoryEvent
		for range 1 + n%3 {
			events = append(events, &historypb.HistoryEvent{EventId: next, TaskId: next, WorkerMayIgnore: n%7 == 0, Version: int64(1) << (n % 50)})
			next++
		}
		if n%11 == 5 {
			events[0].Attributes = &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
				WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: string(make([]byte, n*60))}}
		}
		row := record.EncodeHistory(events)
		batch, err := record.OpenHistory(row)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, batch)
		other := store.Op{Key: store.Key{Family: store.FamilyState}, Value: []byte("not history")}
		kept.seal([]store.Op{other, {Key: record.HistoryKey(key, events[0].EventId), Value: row}})
		if kept.size > maxTailBytes {
			t.Fatalf("%d bytes kept", kept.size)
		}
		compareTail(t, kept.batches, all, next-1)
	}
}

// compareTail asks for every range of the newest events.
func compareTail(t *testing.T, kept, all []record.HistoryBatch, last int64) {
	t.Helper()
	for from := max(1, last-25); from <= last; from++ {
		for to := from; to <= last; to++ {
			for _, limit := range []int{0, 1, 2} {
				want, _ := pageOf(all, from, to, limitOf(limit))
				got, ok := pageOf(kept, from, to, limitOf(limit))
				if ok && (!bytes.Equal(got.Bytes, want.Bytes) || got.NextEventID != want.NextEventID) {
					t.Fatalf("events %d to %d, %d batches: the tail gives %d bytes and goes on at %d, want %d and %d",
						from, to, limit, len(got.Bytes), got.NextEventID, len(want.Bytes), want.NextEventID)
				}
				if len(kept) > 0 && ok != (from >= kept[0].First) {
					t.Fatalf("events %d to %d: answered %v from a tail that begins with %d", from, to, ok, kept[0].First)
				}
			}
		}
		ev, err := eventOf(kept, engine.RunKey{}, from)
		if err != nil || ev != nil && ev.EventId != from {
			t.Fatal(fmt.Errorf("event %d: %v, %w", from, ev, err))
		}
	}
}

// Whoever has waited for the end of a run reads it without the store; then the
// run leaves memory.
func TestTheEndIsReadFromMemory(t *testing.T) {
	w := newWorld(t)
	started := w.do("a", "", startOf("a")).(*workflow.Started)
	key := engine.RunKey{ID: idOf("a"), RunID: started.RunID}
	task := w.take().(*workflow.TaskStarted)
	waiting := make(chan error, 1)
	stop := w.host.Watch(key, 4, func(err error) { waiting <- err })
	defer stop()
	w.settle()
	w.do("a", "", completeTask(task, closeCommand()))
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}

	reads := 0
	w.faults.Read = func(store.Key) memstore.ReadFault { reads++; return memstore.ReadFault{} }
	var batch, last int64
	w.view("a", func(r *workflow.Run) { batch, last = r.Info.LastBatchID, r.Info.NextEventID-1 })
	w.await(func() {
		ev, err := w.host.Event(context.Background(), key, batch, last)
		if err != nil || ev.EventId != last {
			t.Errorf("the last event: %v, %v", ev, err)
		}
	})
	if reads != 0 {
		t.Errorf("%d reads of the store", reads)
	}
	if n := w.host.shardOf(key.ID).held; n != 0 {
		t.Errorf("%d runs are still in memory", n)
	}
}

// A workflow task comes with its history when the end of that is in memory, which
// is what a reader would be given; and without when it is not.
func TestTaskComesWithItsHistory(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": 2 * maxTailBytes} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.do("a", "", startOf("a"))
			check := func(when string) *workflow.TaskStarted {
				t.Helper()
				task := w.take().(*workflow.TaskStarted)
				w.await(func() {
					page, err := w.host.History(context.Background(), task.Token.Run, task.HistoryFrom, task.HistoryTo, 0)
					if err != nil {
						t.Error(err)
					}
					if got := task.History; len(got) > 0 && !bytes.Equal(got, page.Bytes) || (len(got) == 0) != (len(page.Bytes) > maxTailBytes) {
						t.Errorf("%s: %d bytes of %d", when, len(got), len(page.Bytes))
					}
				})
				return task
			}
			task := check("at the start")
			signal := signalOf("a", "go")
			signal.Request.Input = &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, size)}}}
			w.do("a", "", signal)
			w.do("a", "", completeTask(task))
			check("after a signal")
		})
	}
}
