package shard

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// A disk without room: nothing acknowledged is lost (I1), callers hear what is
// wrong, reads go on, what is due does not bring the shard down again and again
// (I11), and with room everything goes on, late but not forgotten (I7).
func TestFullStoreHolds(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", time.Minute)))
	w.do("b", "", startOf("b"))
	task := w.take().(*workflow.TaskStarted)

	w.driver.SetFull(true)
	if o := w.submit("c", "", startOf("c")); !w.full(o) {
		t.Fatalf("the start that found no room: %v", o.err)
	}
	held := w.host.shards[0].Load()
	commits := 0
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault { commits++; return memstore.CommitFault{} }
	w.advance(2 * time.Minute) // the timer falls due, and b's workflow task would time out
	if o := w.submit("b", "", completeTask(task, closeCommand())); !w.full(o) {
		t.Fatalf("a completion without room: %v", o.err)
	}
	if now := w.host.shards[0].Load(); now != held || commits != 0 {
		t.Errorf("while full the shard was opened again: %v; %d commits were tried", now != held, commits)
	}
	var pending int
	w.await(func() {
		err := w.host.View(context.Background(), idOf("a"), "", func(r *workflow.Run) { pending = len(r.Timers) })
		if err != nil {
			t.Errorf("a read while full: %v", err)
		}
	})
	if pending != 1 {
		t.Errorf("%d timers are pending, want the one", pending)
	}

	w.driver.SetFull(false)
	w.advance(2 * lookForRoom)
	w.await(func() {
		err := w.host.View(context.Background(), idOf("a"), "", func(r *workflow.Run) { pending = len(r.Timers) })
		if err != nil || pending != 0 {
			t.Errorf("with room again: %d timers pending, error %v", pending, err)
		}
	})
	w.do("c", "", startOf("c"))
}

// A clean stop of a full store does not wait for room.
func TestFullStoreStops(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.driver.SetFull(true)
	if o := w.submit("b", "", startOf("b")); !w.full(o) {
		t.Fatalf("got %v", o.err)
	}
	w.await(func() {
		if err := w.host.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// full runs the loop and reports whether the outcome says that there is no room.
func (w *world) full(o *answerTo) bool {
	w.Helper()
	w.settle()
	w.advance(time.Second)
	return o.answered && errors.Is(o.err, ErrFull) && engine.KindOf(o.err) == engine.KindStorageFull
}

// anyNamespace knows every id.
type anyNamespace struct{ fakeNamespaces }

func (anyNamespace) ByID(id string) *engine.Namespace {
	return &engine.Namespace{ID: id, Name: id, Retention: time.Hour}
}

// runOf is the run that a row of state or history is named by alone.
func runOf(key store.Key) string {
	if k, err := record.ParseStateKey(key); err == nil {
		return k.Run.RunID
	}
	run, _, _ := record.ParseHistoryKey(key)
	return run.RunID
}

// Of a namespace that is given up nothing stays behind, of its neighbour all.
func TestDeleteRuns(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Namespaces = anyNamespace{} })
	for _, id := range []string{"a", "b", "c"} {
		w.do(id, "", startOf(id))
	}
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), closeCommand()))
	other := engine.ID{NamespaceID: "ns2", Archetype: engine.ArchetypeWorkflow, Name: "a"}
	neighbour := ""
	w.host.Submit(other, "", startOf("a"), func(reply any, _ error) { neighbour = reply.(*workflow.Started).RunID })
	w.settle()

	var found []int
	for range 3 {
		w.await(func() {
			n, err := w.host.DeleteRuns(context.Background(), "ns")
			if err != nil {
				t.Error(err)
			}
			found = append(found, n)
		})
		w.advance(3 * time.Second) // the open ones are forgotten in a step of their own
	}
	if found[0] != 3 || found[2] != 0 {
		t.Errorf("found %v runs in three passes, want 3 first and none at last", found)
	}
	for _, family := range []store.Family{store.FamilyCurrent, store.FamilyState, store.FamilyHistory, store.FamilyDeadline, store.FamilyTask, store.FamilyOutbox} {
		for _, e := range w.rows(family) {
			if !bytes.Contains(e.Key.Name, []byte("ns2")) && runOf(e.Key) != neighbour && family != store.FamilyTask {
				t.Errorf("left over: %v", e.Key)
			}
		}
	}
	w.await(func() {
		if err := w.host.View(context.Background(), other, "", func(*workflow.Run) {}); err != nil {
			t.Errorf("the neighbour: %v", err)
		}
	})
}
