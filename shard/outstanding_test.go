package shard

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
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
	if len(w.feed.entries) != 1 || !reflect.DeepEqual(w.feed.entries[0].Record, before[1].Record) {
		t.Errorf("given again: %v", w.feed.entries)
	}
	w.do("c", "", startOf("c"))
	if got := w.feed.entries[1].Seq; w.feed.entries[0].Seq <= before[1].Seq || got <= w.feed.entries[0].Seq {
		t.Errorf("sequence %d after %d: it must grow across a restart", got, before[1].Seq)
	}
}

// While the index lacks one change of a run, its next ones need no row: the row
// goes when the index has the last. A run that is gone leaves its last change.
func TestFeedHasOneRowForARun(t *testing.T) {
	w := newWorld(t)
	run := w.do("a", "", startOf("a")).(*workflow.Started).RunID
	w.do("a", run, &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}})
	if rows := w.rows(store.FamilyFeed); len(rows) != 1 || len(rows[0].Value) != 0 {
		t.Fatalf("after two changes the feed has %v", rows)
	}
	first := w.feed.entries[0]
	w.host.FeedDone([]FeedPosition{{first.Slot, first.Seq}})
	w.advance(2 * time.Second)
	if rows := w.rows(store.FamilyFeed); len(rows) != 1 {
		t.Fatalf("with a change that the index lacks the feed has %v", rows)
	}
	w.crash()
	if len(w.feed.entries) != 1 || w.feed.entries[0].Record.Status != enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED {
		t.Fatalf("given again: %v", w.feed.entries)
	}
	w.do("a", run, &workflow.Delete{})
	w.crash()
	if n := len(w.feed.entries); n != 1 || !w.feed.entries[0].Record.Deleted {
		t.Fatalf("given again: %v", w.feed.entries)
	}
	last := w.feed.entries[0]
	w.host.FeedDone([]FeedPosition{{last.Slot, last.Seq}})
	w.advance(2 * time.Second)
	if rows := w.rows(store.FamilyFeed); len(rows) != 0 {
		t.Errorf("the index has everything, and the feed has %v", rows)
	}
}

// A clean stop does not wait for the index: what it has not acknowledged by then is
// left in the feed, given again by the next start, and removed once it has it. What
// it had acknowledged just before is not given again.
func TestFeedLeftByAStopIsClearedByTheNextStart(t *testing.T) {
	w := newWorld(t)
	const all, heard = 26, 10
	for i := range all {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
	}
	for _, e := range w.feed.entries[:heard] {
		w.host.FeedDone([]FeedPosition{{e.Slot, e.Seq}})
	}
	w.await(func() {
		if err := w.host.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.crash() // of a server that had stopped
	if left, given := len(w.rows(store.FamilyFeed)), len(w.feed.entries); left != all-heard || given != all-heard {
		t.Fatalf("after a stop there are %d rows, and %d changes are given again; %d are not acknowledged", left, given, all-heard)
	}
	for _, e := range w.feed.entries {
		w.host.FeedDone([]FeedPosition{{e.Slot, e.Seq}})
	}
	w.advance(2 * time.Second)
	if left := w.rows(store.FamilyFeed); len(left) != 0 {
		t.Errorf("the index has everything, and the feed has %d rows", len(left))
	}
}

// What an older release has left, a row for each change, is given and removed.
func TestNumberedFeedIsRead(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	made := w.feed.entries[0]
	w.host.FeedDone([]FeedPosition{{made.Slot, made.Seq}})
	w.advance(2 * time.Second)
	s := w.host.shardOf(idOf("a"))
	var b store.Batch
	b.Put(record.NumberedFeedKey(made.Slot, made.Seq), record.EncodeVisibility(made.Record))
	stored := make(chan error, 1)
	s.inbox.report(func() { s.store.Commit(&b, func(err error) { stored <- err }) })
	w.settle()
	if err := <-stored; err != nil {
		t.Fatal(err)
	}
	w.crash()
	if len(w.feed.entries) != 1 || w.feed.entries[0].Seq != made.Seq || w.feed.entries[0].Record.Run != made.Record.Run {
		t.Fatalf("given again: %v", w.feed.entries)
	}
	w.host.FeedDone([]FeedPosition{{made.Slot, made.Seq}})
	w.advance(2 * time.Second)
	if rows := w.rows(store.FamilyFeed); len(rows) != 0 {
		t.Errorf("the index has everything, and the feed has %v", rows)
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

// Time does not run backwards for any run (I7) when the clock was set back before a
// start with another number of shards.
func TestTimeGoesOnWithOtherShards(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{7, 2, 3, 1, 5} {
		before := w.clock.Now()
		for i := range 20 {
			id := fmt.Sprint("w", n, ".", i)
			w.do(id, "", startOf(id))
			w.do(id, "", signalOf(id, "s"))
		}
		w.clock.Set(before.Add(-time.Hour))
		w.crash(func(o *Options) { o.Shards = n })
		for i := range w.host.shards {
			if s := w.host.shards[i].Load(); s.now.Before(before) {
				t.Errorf("shard %d of %d begins at %v, it was %v", i, n, s.now, before)
			}
		}
		w.clock.Set(before.Add(time.Minute))
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
