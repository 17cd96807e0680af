package shard

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

func activityID(name string) engine.ID {
	return engine.ID{NamespaceID: "ns", Archetype: engine.ArchetypeActivity, Name: name}
}

// startAlone starts a standalone activity that must be heard of each minute.
func startAlone(id string) *standalone.StartExecution {
	return &standalone.StartExecution{Request: &workflowservice.StartActivityExecutionRequest{
		Namespace: "default", ActivityId: id, RequestId: "request-" + id,
		ActivityType:        &commonpb.ActivityType{Name: "Charge"},
		TaskQueue:           &taskqueuepb.TaskQueue{Name: "orders"},
		StartToCloseTimeout: durationpb.New(time.Hour),
		HeartbeatTimeout:    durationpb.New(time.Minute),
	}}
}

func (w *world) doAlone(id string, in engine.Input) any {
	w.Helper()
	o := w.submitTo(activityID(id), "", in)
	w.settle()
	if !o.answered || o.err != nil {
		w.Fatalf("%T: answered %v, error %v\n%s", in, o.answered, o.err, w.logged.String())
	}
	return o.reply
}

func (w *world) viewAlone(id string, read func(*standalone.Run)) {
	w.Helper()
	w.await(func() {
		if err := w.host.ViewActivity(context.Background(), activityID(id), "", read); err != nil {
			w.Errorf("view %s: %v", id, err)
		}
	})
}

func (w *world) statusAlone(id string) (status enumspb.ActivityExecutionStatus) {
	w.Helper()
	w.viewAlone(id, func(run *standalone.Run) { status = run.Info.Status })
	return status
}

func completeAlone(started any) *standalone.Complete {
	return &standalone.Complete{Stamp: started.(*standalone.Started).Activity.Stamp}
}

// interruptions may come at any time and must change nothing.
var interruptions = map[string]func(w *world){
	"nothing":  func(*world) {},
	"eviction": func(w *world) { w.evictAll() },
	"crash":    func(w *world) { w.crash() },
	"clean stop": func(w *world) {
		w.await(func() { _ = w.host.Stop(context.Background()) })
		w.boot()
	},
}

// A standalone activity is offered, taken, retried and completed, whatever comes
// between two steps of its life. A workflow of the same id is something else.
func TestStandaloneActivityLivesThroughInterruptions(t *testing.T) {
	for name, interrupt := range interruptions {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.doAlone("a", startAlone("a"))
			w.do("a", "", startOf("a"))
			w.matcher.offers = nil
			interrupt(w)
			w.crash() // offers come back from their rows alone
			if n := len(w.matcher.offers); n != 2 {
				t.Fatalf("%d offers, want those of the activity and of the workflow", n)
			}
			first := w.takeAlone()
			interrupt(w)
			w.doAlone("a", &standalone.Fail{Stamp: first.Activity.Stamp, Failure: &failurepb.Failure{Message: "again"}})
			if n := w.offersAlone(); n != 0 {
				t.Errorf("%d offers during the back-off", n)
			}
			interrupt(w)
			w.advance(2 * time.Second)
			second := w.takeAlone()
			if second.Activity.Attempt != 2 || second.Start.ActivityType != "Charge" {
				t.Errorf("attempt %d of %s", second.Activity.Attempt, second.Start.ActivityType)
			}
			o := w.submitTo(activityID("a"), "", completeAlone(first))
			w.settle()
			if engine.KindOf(o.err) != engine.KindNotFound {
				t.Errorf("the first attempt's completion: %v (I5)", o.err)
			}
			interrupt(w)
			w.doAlone("a", completeAlone(second))
			interrupt(w)
			w.viewAlone("a", func(run *standalone.Run) {
				if run.Open() || run.Outcome == nil || run.Info.Status != enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED {
					t.Errorf("ended as %v with %v", run.Info.Status, run.Outcome)
				}
			})
			w.do("a", "", signalOf("a", "s"))
		})
	}
}

// takeAlone starts the first attempt on offer.
func (w *world) takeAlone() *standalone.Started {
	w.Helper()
	for i, task := range w.matcher.offers {
		if task.Run.Archetype != engine.ArchetypeActivity {
			continue
		}
		w.matcher.offers = append(w.matcher.offers[:i:i], w.matcher.offers[i+1:]...)
		started, err := w.start(task)
		if err != nil {
			w.Fatalf("start %v: %v", task, err)
		}
		return started.(*standalone.Started)
	}
	w.Fatalf("no attempt is on offer\n%s", w.logged.String())
	return nil
}

func (w *world) offersAlone() (n int) {
	for _, task := range w.matcher.offers {
		if task.Run.Archetype == engine.ArchetypeActivity {
			n++
		}
	}
	return n
}

// I7: a standalone activity that is not heard of times out, not early, whatever
// came between.
func TestI7StandaloneActivityTimesOut(t *testing.T) {
	for name, interrupt := range interruptions {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			in := startAlone("a")
			in.Request.RetryPolicy = &commonpb.RetryPolicy{MaximumAttempts: 1}
			w.doAlone("a", in)
			w.takeAlone()
			interrupt(w)
			w.advance(time.Minute - time.Second)
			if got := w.statusAlone("a"); got != enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING {
				t.Fatalf("a second early: %v", got)
			}
			w.advance(time.Second)
			if got := w.statusAlone("a"); got != enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT {
				t.Errorf("in time: %v\n%s", got, w.logged.String())
			}
		})
	}
}

// I1: nobody hears of a standalone activity before it is durable, and its start
// for a waiting poller is in the batch that makes it, without a row of its own.
func TestI1StandaloneActivityIsToldWhenDurable(t *testing.T) {
	w := newWorld(t)
	w.matcher.poll("orders", enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	tasks := 0
	w.faults.Commit = func(_ store.Shard, b *store.Batch) memstore.CommitFault {
		for _, op := range b.Ops {
			if op.Key.Family == store.FamilyTask {
				tasks++
			}
		}
		return memstore.CommitFault{Delay: time.Second}
	}
	start := w.submitTo(activityID("a"), "", startAlone("a"))
	w.settle()
	if start.answered || len(w.matcher.delivered) > 0 || len(w.feed.entries) > 0 {
		t.Fatalf("told before durable: start %v, hand-over %d, feed %d", start.answered, len(w.matcher.delivered), len(w.feed.entries))
	}
	w.advance(time.Second)
	if start.err != nil || len(w.matcher.delivered) != 1 || len(w.feed.entries) != 1 || tasks != 0 {
		t.Fatalf("start %v, hand-over %d, feed %d, task rows %d; want nil, 1, 1, 0",
			start.err, len(w.matcher.delivered), len(w.feed.entries), tasks)
	}
	ended := w.submitTo(activityID("a"), "", completeAlone(w.matcher.delivered[0]))
	w.settle()
	if ended.answered {
		t.Error("the completion was acknowledged before it is durable")
	}
	w.advance(time.Second)
	if ended.err != nil || !ended.answered {
		t.Errorf("completion: %v", ended.err)
	}
}

// A start whose acknowledgement was lost is recognised when it is repeated (I3).
func TestStandaloneStartIsRepeatedAfterALostAnswer(t *testing.T) {
	for name, fate := range map[string]memstore.Fate{"applied": memstore.Applied, "late": memstore.AppliedLate, "lost": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
				w.faults.Commit = nil
				return memstore.CommitFault{Err: store.ErrUnknown, Fate: fate}
			}
			o := w.submitTo(activityID("a"), "", startAlone("a"))
			w.settle()
			if !errors.Is(o.err, ErrUnavailable) {
				t.Fatalf("got %v", o.err)
			}
			w.advance(time.Second)
			w.doAlone("a", startAlone("a"))
			if n := len(w.rows(store.FamilyCurrent)); n != 1 {
				t.Errorf("%d executions", n)
			}
			other := startAlone("a")
			other.Request.RequestId = "another"
			refused := w.submitTo(activityID("a"), "", other)
			w.settle()
			if engine.KindOf(refused.err) != engine.KindAlreadyStarted {
				t.Errorf("another start: %v", refused.err)
			}
		})
	}
}

// An attempt whose poller was gone is offered again.
func TestStandaloneHandoverIsAborted(t *testing.T) {
	w := newWorld(t)
	w.doAlone("a", startAlone("a"))
	task := w.matcher.offers[0]
	started := w.takeAlone()
	w.matcher.owners[keyOf(&task)].AbortTask(started)
	w.settle()
	again := w.takeAlone()
	if again.Activity.Attempt != 1 || again.Activity.Stamp <= started.Activity.Stamp {
		t.Errorf("attempt %d, start version %d after %d", again.Activity.Attempt, again.Activity.Stamp, started.Activity.Stamp)
	}
	w.doAlone("a", completeAlone(again))
}

// Heartbeats of a standalone activity cost no commit each; see
// TestHeartbeatIsDeferred.
func TestStandaloneHeartbeatIsDeferred(t *testing.T) {
	w := newWorld(t)
	w.doAlone("a", startAlone("a"))
	started := w.takeAlone()
	commits := 0
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault { commits++; return memstore.CommitFault{} }
	details := func() (text string) {
		w.viewAlone("a", func(run *standalone.Run) {
			text = string(run.Activity.HeartbeatDetails.GetPayloads()[0].GetData())
		})
		return text
	}
	beat := func(text string) {
		w.doAlone("a", &standalone.Heartbeat{Stamp: started.Activity.Stamp,
			Details: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(text)}}}})
	}
	beat("one")
	beat("two")
	if commits != 0 {
		t.Errorf("%d commits for heartbeats", commits)
	}
	w.advance(w.host.opt.DeferFor)
	if commits != 1 {
		t.Errorf("%d commits after a while, want 1", commits)
	}
	beat("forgotten")
	w.crash()
	if got := details(); got != "two" {
		t.Errorf("after a crash the details are %q", got)
	}
	beat("kept")
	w.evictAll()
	if got := details(); got != "kept" {
		t.Errorf("after an eviction the details are %q", got)
	}
}

// Many more standalone activities than memory may hold, with their retries,
// timeouts and completions: all end, and nothing is left in memory.
func TestStandaloneActivitiesUnderEviction(t *testing.T) {
	const n = 200
	w := newWorld(t, func(o *Options) { o.CacheRuns = 10; o.MaxHorizon = 20; o.Window = 8 })
	w.matcher.room = 16
	for i := range n {
		w.doAlone(fmt.Sprint("a", i), startAlone(fmt.Sprint("a", i)))
	}
	completed := 0
	for ; completed < n/2; completed++ {
		started := w.takeAlone()
		w.doAlone(started.Run.Name, completeAlone(started))
		w.host.shards[0].Load().Refill(engine.TaskQueue{NamespaceID: "ns", Name: "orders", Type: enumspb.TASK_QUEUE_TYPE_ACTIVITY})
		w.settle()
	}
	s := w.host.shards[0].Load()
	if s.held > 2*s.room {
		t.Errorf("%d runs in memory, room for %d", s.held, s.room)
	}
	for i := range n {
		o := w.submitTo(activityID(fmt.Sprint("a", i)), "", &standalone.Terminate{Request: &workflowservice.TerminateActivityExecutionRequest{RequestId: "t"}})
		w.settle()
		if o.err == nil {
			completed++
		}
	}
	if completed != n {
		t.Errorf("%d ended, want %d", completed, n)
	}
	if rows := w.rows(store.FamilyTask); len(rows) != 0 {
		t.Errorf("%d task rows are left", len(rows))
	}
}

// When its retention is over a standalone activity leaves no trace, and its id is
// free; so do all executions of a namespace that is deleted, open ones too.
func TestStandaloneActivityLeavesNoTrace(t *testing.T) {
	for name, remove := range map[string]func(w *world){
		"retention": func(w *world) {
			w.doAlone("a", completeAlone(w.takeAlone()))
			w.crash(func(o *Options) { o.Horizon = 48 * time.Hour })
			w.advance(25 * time.Hour)
		},
		"delete": func(w *world) {
			w.doAlone("a", &standalone.Delete{})
			w.advance(2 * time.Second)
		},
		"namespace": func(w *world) {
			w.await(func() {
				if n, err := w.host.DeleteRuns(context.Background(), "ns"); n != 1 || err != nil {
					w.Errorf("%d runs deleted, %v", n, err)
				}
			})
			w.advance(2 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.doAlone("a", startAlone("a"))
			remove(w)
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
			if !w.doAlone("a", startAlone("a")).(*standalone.StartedExecution).Started {
				t.Error("the id is not free")
			}
		})
	}
}

// A long poll ends when the activity has gone on, durably, and at once when it
// already has, or is closed.
func TestFollowActivity(t *testing.T) {
	w := newWorld(t)
	w.doAlone("a", startAlone("a"))
	var key engine.RunKey
	var seen int64
	w.viewAlone("a", func(run *standalone.Run) { key, seen = run.Key, run.Info.Transitions })
	told := func() (n *int) {
		n = new(int)
		w.host.Watch(key, seen, func(err error) {
			if err != nil {
				t.Errorf("wait: %v", err)
			}
			*n++
		})
		w.settle()
		return n
	}
	first := told()
	if *first != 0 {
		t.Fatal("told although nothing has happened")
	}
	w.slowCommits()
	started := w.matcher.offers[0]
	w.matcher.offers = nil
	var attempt any
	w.matcher.owners[keyOf(&started)].StartTask(started, engine.Poller{RequestID: "poll"}, func(s any, _ error) { attempt = s })
	w.settle()
	if *first != 0 {
		t.Fatal("told before the start is durable")
	}
	w.advance(time.Second)
	if *first != 1 {
		t.Error("not told of the start")
	}
	if late := told(); *late != 1 {
		t.Error("not told of what has happened before")
	}
	w.viewAlone("a", func(run *standalone.Run) { seen = run.Info.Transitions })
	last := told()
	w.submitTo(key.ID, key.RunID, completeAlone(attempt))
	w.advance(time.Second)
	w.viewAlone("a", func(run *standalone.Run) { seen = run.Info.Transitions })
	if closed := told(); *last != 1 || *closed != 1 {
		t.Errorf("told of the end %d times, and %d times when closed", *last, *closed)
	}
	w.await(func() {
		var status enumspb.ActivityExecutionStatus
		err := w.host.FollowActivity(context.Background(), nil, key, func(*standalone.Run) bool { return false },
			func(run *standalone.Run) { status = run.Info.Status })
		if err != nil || status != enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED {
			t.Errorf("wait for a closed one: %v, %v", status, err)
		}
	})
	gone := key
	gone.RunID = engine.NewFresh([16]byte{1}).UUID()
	w.await(func() {
		err := w.host.FollowActivity(context.Background(), nil, gone, func(*standalone.Run) bool { return true }, func(*standalone.Run) {})
		if engine.KindOf(err) != engine.KindNotFound || err.Error() != "activity not found for ID: a" {
			t.Errorf("wait for an unknown one: %v", err)
		}
	})
}

// The index can be built anew from the state: every execution's row is the last
// that the feed has brought, of both archetypes.
func TestVisibilityOfBothArchetypesIsRebuilt(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.doAlone("a", startAlone("a"))
	w.doAlone("b", startAlone("b"))
	w.matcher.offers = w.matcher.offers[1:]
	w.doAlone("a", completeAlone(w.takeAlone()))
	want := map[engine.RunKey]string{}
	for _, e := range w.feed.entries {
		want[e.Record.Run] = fmt.Sprint(e.Record)
	}
	rebuilt := 0
	w.await(func() {
		err := w.host.VisibilityRecords(context.Background(), func(r *engine.VisibilityRecord) error {
			rebuilt++
			if got := fmt.Sprint(r); got != want[r.Run] {
				t.Errorf("rebuilt %s\nthe feed had %s", got, want[r.Run])
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	if rebuilt != 3 {
		t.Errorf("%d rows, want 3", rebuilt)
	}
}

// With a full disk nothing is acknowledged, and after it all goes on.
func TestFullDiskHoldsStandaloneActivities(t *testing.T) {
	w := newWorld(t)
	w.doAlone("a", startAlone("a"))
	started := w.takeAlone()
	w.driver.SetFull(true)
	o := w.submitTo(activityID("a"), "", completeAlone(started))
	w.advance(time.Second)
	if !errors.Is(o.err, ErrFull) {
		t.Fatalf("got %v", o.err)
	}
	w.driver.SetFull(false)
	w.advance(2 * time.Second)
	w.doAlone("a", completeAlone(started))
}

// An input of another archetype, or for one this release does not know, is
// refused and harms nobody.
func TestInputOfAnotherArchetype(t *testing.T) {
	w := newWorld(t)
	w.doAlone("a", startAlone("a"))
	w.do("a", "", startOf("a"))
	later := engine.ID{NamespaceID: "ns", Archetype: 99, Name: "a"}
	for _, c := range []struct {
		id engine.ID
		in engine.Input
	}{
		{activityID("a"), signalOf("a", "s")},
		{activityID("b"), startOf("b")},
		{idOf("a"), &standalone.Delete{}},
		{later, startAlone("a")},
		{later, startOf("a")},
	} {
		o := w.submitTo(c.id, "", c.in)
		w.settle()
		if k := engine.KindOf(o.err); k != engine.KindUnimplemented && k != engine.KindNotFound {
			t.Errorf("%T for archetype %d: %v", c.in, c.id.Archetype, o.err)
		}
	}
	if got := w.statusAlone("a"); got != enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING {
		t.Errorf("the activity is %v", got)
	}
}

// The kinds of input that measurements tell apart are told apart by archetype.
func TestKindsOfInput(t *testing.T) {
	if a, b := kindOf(completeTask(&workflow.TaskStarted{})), kindOf(&standalone.Complete{}); a != "CompleteWorkflowTask" || b != "standalone.Complete" {
		t.Errorf("%s and %s", a, b)
	}
}
