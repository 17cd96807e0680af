package shard

import (
	"context"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

// A workflow starts, its task is given to a poller, and it completes. The
// history that can be read is the one the steps wrote.
func TestStartTaskCompletion(t *testing.T) {
	w := newWorld(t)
	started := w.do("a", "", startOf("a")).(*workflow.Started)
	task := w.take().(*workflow.TaskStarted)
	if task.Token.Run.RunID != started.RunID {
		t.Fatalf("task of run %s, started %s", task.Token.Run.RunID, started.RunID)
	}
	w.do("a", "", completeTask(task, closeCommand()))
	if n := w.host.shards[0].Load().held; n != 0 {
		t.Errorf("%d runs are in memory although all are closed", n)
	}
	events := w.history(task.Token.Run)
	want := []enumspb.EventType{
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
	}
	if len(events) != len(want) {
		t.Fatalf("history %v", events)
	}
	for i, ev := range events {
		if ev.EventType != want[i] || ev.EventId != int64(i+1) {
			t.Errorf("event %d is %v (%d)", i+1, ev.EventType, ev.EventId)
		}
	}
	if n := len(w.rows(store.FamilyTask)); n != 0 {
		t.Errorf("%d task rows are left", n)
	}
}

// history reads all events of a run through the host.
func (w *world) history(key engine.RunKey) []*historypb.HistoryEvent {
	w.Helper()
	var page HistoryPage
	var err error
	w.await(func() { page, err = w.host.History(context.Background(), key, 1, 0, 0) })
	if err != nil {
		w.Fatal(err)
	}
	var h historypb.History
	if err := proto.Unmarshal(page.Bytes, &h); err != nil {
		w.Fatal(err)
	}
	return h.Events
}
