package shard

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// I7: a timer fires not early, and after a restart; its row is read when its
// time comes near.
func TestI7TimerFiresInTime(t *testing.T) {
	for _, between := range []string{"nothing", "eviction", "crash", "two crashes", "clean stop", "the index has it", "the index has it, eviction", "the index has it, crash"} {
		t.Run(between, func(t *testing.T) {
			w := newWorld(t)
			w.do("a", "", startOf("a"))
			w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", 3*time.Hour)))
			if rows := w.rows(store.FamilyDeadline); len(rows) != 0 {
				t.Errorf("%d deadline rows of a run that the feed leads to", len(rows))
			}
			indexed := func() {
				w.indexAll()
				w.advance(2 * time.Second)
				if rows := w.rows(store.FamilyDeadline); len(rows) != 1 {
					t.Errorf("%d deadline rows of a run that the index has", len(rows))
				}
			}
			w.advance(time.Second)
			switch between {
			case "the index has it":
				indexed()
			case "the index has it, eviction":
				indexed()
				w.evictAll()
			case "the index has it, crash":
				indexed()
				w.crash()
			case "two crashes":
				w.crash()
				w.crash()
			case "eviction":
				w.evictAll()
				if s := w.host.shards[0].Load(); s.deadlines.queue.Len() != 0 {
					t.Error("a deadline beyond the horizon is kept in memory")
				}
			case "crash":
				w.crash()
			case "clean stop":
				w.await(func() { _ = w.host.Stop(context.Background()) })
				w.boot()
			}
			w.advance(epoch.Add(3*time.Hour - time.Second).Sub(w.clock.Now()))
			if len(w.matcher.offers) != 0 {
				t.Fatal("the timer fired early")
			}
			w.advance(time.Second)
			if len(w.matcher.offers) != 1 {
				t.Fatalf("the timer has not fired\n%s", w.logged.String())
			}
		})
	}
}

// I7: after an outage all that was due fires. More deadlines than memory may
// hold are read piece by piece, unless they are due at the same time.
func TestI7AllThatWasDueFires(t *testing.T) {
	const n = 150
	small := func(o *Options) { o.MaxHorizon = 10; o.MaxDue = 7; o.CacheRuns = 20 }
	for name, at := range map[string]func(w *world, i int) time.Duration{
		"one a second": func(_ *world, i int) time.Duration { return time.Hour + time.Duration(i)*time.Second },
		"all at once":  func(w *world, _ int) time.Duration { return epoch.Add(2 * time.Hour).Sub(w.clock.Now()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, small)
			for i := range n {
				id := fmt.Sprint("w", i)
				w.do(id, "", startOf(id))
				w.do(id, "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", at(w, i))))
			}
			w.crash(small)
			w.clock.Set(w.clock.Now().Add(24 * time.Hour)) // the outage
			w.advance(time.Second)
			w.advance(time.Minute)
			if got := len(w.matcher.offers); got != n {
				t.Errorf("%d of %d timers fired\n%.2000s", got, n, w.logged.String())
			}
		})
	}
}

// Time in a shard never runs backwards, not even when the clock was set back
// while the server was down.
func TestTimeNeverRunsBackwards(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	image := w.driver.Crash()
	w.clock.Set(epoch.Add(-time.Hour))
	w.todo = nil
	w.driver = memstore.Open(image, w.storeOptions())
	w.boot()
	w.do("b", "", startOf("b"))
	w.view("b", func(run *workflow.Run) {
		if run.Start.StartTime.Before(epoch) {
			t.Errorf("started at %v, the server was at %v before", run.Start.StartTime, epoch)
		}
	})
}

// When its retention is over a run leaves no trace, and neither does the id.
func TestRetentionRemovesEveryTrace(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), closeCommand()))
	w.host.FeedDone([]FeedPosition{{Slot: record.SlotOf(idOf("a")), Seq: w.feed.entries[len(w.feed.entries)-1].Seq}})
	w.crash()
	w.advance(25 * time.Hour)
	last := w.feed.entries[len(w.feed.entries)-1]
	if !last.Record.Deleted {
		t.Errorf("the index was not told: %+v", last.Record)
	}
	w.host.FeedDone([]FeedPosition{{Slot: last.Slot, Seq: last.Seq}})
	w.advance(2 * time.Second)
	for family := store.FamilyCurrent; family <= store.FamilyFeed; family++ {
		if rows := w.rows(family); len(rows) > 0 {
			t.Errorf("%d rows of family %d are left: %v", len(rows), family, rows)
		}
	}
	if started := w.do("a", "", startOf("a")).(*workflow.Started); !started.Started {
		t.Error("the id is not free")
	}
}

// I12: with nothing to do there is nothing in memory, no work is spawned, and
// the clock is asked for the next look at the deadlines only.
func TestI12IdleIsFree(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
		w.do(id, "", completeTask(w.take().(*workflow.TaskStarted)))
	}
	w.advance(5 * time.Minute)
	s := w.host.shards[0].Load()
	if s.held != 0 || len(s.entries) != 0 || s.deadlines.queue.Len() != 0 {
		t.Errorf("%d runs, %d entries, %d deadlines in memory", s.held, len(s.entries), s.deadlines.queue.Len())
	}
	if rows := w.rows(store.FamilyDeadline); len(rows) != 0 {
		t.Errorf("%d deadline rows of runs that wait for nothing", len(rows))
	}
	if due, ok := w.clock.Next(); !ok || due.Sub(w.clock.Now()) < time.Minute {
		t.Errorf("the loop is woken at %v, now %v", due, w.clock.Now())
	}
}

// I11: many runs that wait for something near leave memory, and so do all but the
// next of their deadlines; each fires when its time comes.
func TestI11DeadlinesInMemoryAreBounded(t *testing.T) {
	const n, most = 200, 10
	w := newWorld(t, func(o *Options) { o.MaxHorizon, o.CacheRuns = most, 5 })
	s := w.host.shards[0].Load()
	for i := range n {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
		w.do(id, "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", 5*time.Minute-time.Duration(i)*time.Second)))
		if got := s.deadlines.queue.Len(); got > 3*most+s.held {
			t.Fatalf("%d deadlines in memory after %d runs, %d of them in memory", got, i+1, s.held)
		}
	}
	w.advance(time.Minute)
	if len(w.matcher.offers) != 0 {
		t.Fatal("a timer fired early")
	}
	w.advance(4 * time.Minute)
	if got := len(w.matcher.offers); got != n {
		t.Errorf("%d of %d timers fired\n%.2000s", got, n, w.logged.String())
	}
}

// I7: runs that the feed led to when the shard was opened are in memory's queue,
// however late they are due. To let go of them must not move the horizon on, over
// rows that nobody has read.
func TestI7TrimReadsNothingOver(t *testing.T) {
	small := func(o *Options) { o.MaxHorizon, o.CacheRuns = 10, 5 }
	w := newWorld(t, small)
	wait := func(id string, d time.Duration) {
		w.do(id, "", startOf(id))
		w.do(id, "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", d)))
	}
	wait("indexed", time.Hour)
	w.indexAll()
	w.advance(2 * time.Second)
	w.evictAll()
	for i := range 60 {
		wait(fmt.Sprint("w", i), 10*time.Hour+time.Duration(i)*time.Second)
	}
	w.crash(small)
	w.advance(2 * time.Second) // they have rows now
	wait("near", 5*time.Minute)
	w.evictAll()
	if n := w.host.shards[0].Load().deadlines.queue.Len(); n > 30 {
		t.Errorf("%d deadlines are in memory", n)
	}
	for _, at := range []struct {
		passed time.Duration
		offers int
	}{{10 * time.Minute, 1}, {61 * time.Minute, 2}, {11 * time.Hour, 62}} {
		w.advance(epoch.Add(at.passed).Sub(w.clock.Now()))
		if got := len(w.matcher.offers); got != at.offers {
			t.Errorf("%d of %d timers fired after %v", got, at.offers, at.passed)
		}
	}
}

// I7: a run that the feed led to when the shard was opened may leave memory before
// the batch with its row is durable, and that may take longer than the horizon is
// away.
func TestI7RowNotYetDurable(t *testing.T) {
	w := newWorld(t)
	in := startOf("a")
	in.Request.WorkflowRunTimeout = durationpb.New(15 * time.Minute)
	w.do("a", "", in)
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
		return memstore.CommitFault{Delay: 20 * time.Minute}
	}
	w.crash()
	w.view("a", func(*workflow.Run) {})
	w.evictAll()
	w.advance(16 * time.Minute)
	w.faults.Commit = nil
	w.advance(30 * time.Minute)
	w.view("a", func(run *workflow.Run) {
		if run.Open() {
			t.Errorf("the run did not time out\n%s", w.logged.String())
		}
	})
}
