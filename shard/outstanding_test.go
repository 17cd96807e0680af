package shard

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

// After a crash exactly the tasks that were not started are on offer again.
func TestRecoveryOffersWhatIsOutstanding(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 20 {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
	}
	for range 7 {
		w.take()
	}
	for _, o := range w.matcher.offers {
		want = append(want, o.Run.Name)
	}
	w.crash()
	var got []string
	for _, o := range w.matcher.offers {
		got = append(got, o.Run.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) != 13 || !slices.Equal(got, want) {
		t.Errorf("offered %v, want %v", got, want)
	}
}

// I5, I4: an offer is good for one start.
func TestI5OfferIsGoodForOneStart(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	offer := w.matcher.offers[0]
	if _, err := w.start(offer); err != nil {
		t.Fatal(err)
	}
	if _, err := w.start(offer); engine.KindOf(err) != engine.KindStale {
		t.Errorf("the second start: %v", err)
	}
	w.crash()
	if len(w.matcher.offers) != 0 {
		t.Errorf("a started task is on offer: %v", w.matcher.offers)
	}
}

// A start whose poller is gone is taken back and offered again.
func TestAbortOffersAgain(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	started := w.take()
	w.host.shards[0].Load().AbortTask(started)
	w.settle()
	if len(w.matcher.offers) != 1 {
		t.Fatalf("%d offers", len(w.matcher.offers))
	}
	task := w.take().(*workflow.TaskStarted)
	w.do("a", "", completeTask(task, closeCommand()))
}

// What does not fit into matching waits in the window, what does not fit there
// in its row; all of it comes out, in order and once.
func TestBacklogWindow(t *testing.T) {
	const n = 100
	w := newWorld(t, func(o *Options) { o.Window = 5 })
	w.matcher.room = 3
	for i := range n {
		id := fmt.Sprintf("w%02d", i)
		w.do(id, "", startOf(id))
		w.advance(time.Millisecond) // so that their age tells them apart
	}
	s := w.host.shards[0].Load()
	if d := s.Depth(engine.TaskQueue{NamespaceID: "ns", Name: "orders", Type: 1}); d != n {
		t.Errorf("depth %d, want %d", d, n)
	}
	for _, q := range s.backlog.queues {
		if len(q.waiting) > 2*5 {
			t.Errorf("%d tasks wait in memory (I11)", len(q.waiting))
		}
	}
	var got []string
	for range n {
		task := w.take().(*workflow.TaskStarted)
		got = append(got, task.Token.Run.Name)
		if len(w.matcher.offers) == 0 {
			s.Refill(engine.TaskQueue{NamespaceID: "ns", Name: "orders", Type: 1})
			w.settle()
		}
	}
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != n {
		t.Errorf("handed out %v", got)
	}
	if left := w.rows(store.FamilyTask); len(left) != 0 {
		t.Errorf("%d rows left", len(left))
	}
	if len(s.backlog.queues) != 0 {
		t.Errorf("an empty queue is remembered")
	}
}

// The index gets the changes again that it has not acknowledged, and only those.
func TestFeedIsRepeatedUntilAcknowledged(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"a", "b"} {
		w.do(id, "", startOf(id))
	}
	first := w.feed.entries[0]
	w.host.FeedDone([]FeedPosition{{first.Slot, first.Seq}})
	w.advance(2 * time.Second)
	before := w.feed.entries
	w.crash()
	if len(w.feed.entries) != 1 || w.feed.entries[0].Seq != before[1].Seq {
		t.Errorf("given again: %v", w.feed.entries)
	}
	w.do("c", "", startOf("c"))
	if got := w.feed.entries[1].Seq; got <= before[1].Seq {
		t.Errorf("sequence %d after %d: it must grow across a restart", got, before[1].Seq)
	}
}

// The number of shards may change from one start to the next.
func TestShardCountMayChange(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
	}
	for _, n := range []int{7, 2, 64} {
		w.crash(func(o *Options) { o.Shards = n })
		if len(w.matcher.offers) != 10 {
			t.Fatalf("%d offers with %d shards", len(w.matcher.offers), n)
		}
		w.do("w3", "", signalOf("w3", fmt.Sprint("s", n)))
	}
}

// The index can be built anew from the executions.
func TestVisibilityRecords(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Shards = 3 })
	want := map[string]*engine.VisibilityRecord{}
	for i := range 9 {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
		if i%3 == 0 {
			w.do(id, "", &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}})
		}
	}
	for _, f := range w.feed.entries {
		want[f.Record.Run.Name] = f.Record
	}
	got := 0
	var err error
	visit := func(r *engine.VisibilityRecord) error {
		got++
		if v := want[r.Run.Name]; v == nil || v.Run != r.Run || v.Status != r.Status || v.Version > r.Version || !v.CloseTime.Equal(r.CloseTime) {
			t.Errorf("read %+v, the feed had %+v", r, v)
		}
		return nil
	}
	w.await(func() { err = w.host.VisibilityRecords(context.Background(), visit) })
	if err != nil || got != 9 {
		t.Errorf("%d records, %v", got, err)
	}
}
