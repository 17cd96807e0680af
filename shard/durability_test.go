package shard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

func signalOf(id, name string) *workflow.Signal {
	return &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, SignalName: name, RequestId: "signal-" + name,
	}}
}

// slowCommits makes every batch take a second from its commit.
func (w *world) slowCommits() (commits *int) {
	commits = new(int)
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
		*commits++
		return memstore.CommitFault{Delay: time.Second}
	}
	return commits
}

// I1: nobody hears of a change, by reply, refusal, look, offer, feed or wait,
// before it is durable.
func TestI1NothingIsToldBeforeItIsDurable(t *testing.T) {
	w := newWorld(t)
	w.slowCommits()
	start := w.submit("a", "", startOf("a"))
	w.settle()
	again := startOf("a")
	again.Request.RequestId = "another"
	refused := w.submit("a", "", again)
	looked := false
	w.host.shardOf(idOf("a")).submit(&request{id: idOf("a"), look: func(*held) {}, done: func(any, error) { looked = true }})
	w.settle()
	if start.answered || refused.answered || looked || len(w.matcher.offers) > 0 || len(w.feed.entries) > 0 {
		t.Fatalf("told before durable: start %v, refusal %v, look %v, offers %d, feed %d",
			start.answered, refused.answered, looked, len(w.matcher.offers), len(w.feed.entries))
	}
	w.advance(time.Second)
	if !start.answered || !refused.answered || !looked || len(w.matcher.offers) != 1 || len(w.feed.entries) != 1 {
		t.Errorf("not told after: start %v, refusal %v, look %v, offers %d, feed %d",
			start.answered, refused.answered, looked, len(w.matcher.offers), len(w.feed.entries))
	}
	if engine.KindOf(refused.err) != engine.KindAlreadyStarted {
		t.Errorf("the second start got %v", refused.err)
	}
}

// Batches fill while others are synced, so many are in flight and no more, and
// they end in order.
func TestGroupCommitIsPipelined(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxFlying = 2 })
	commits := w.slowCommits()
	var order []string
	start := func(id string) {
		w.host.Submit(idOf(id), "", startOf(id), func(_ any, err error) {
			if err != nil {
				t.Errorf("start %s: %v", id, err)
			}
			order = append(order, id)
		})
		w.settle()
	}
	start("a")
	w.advance(100 * time.Millisecond)
	start("b")
	w.advance(100 * time.Millisecond)
	for _, id := range []string{"c", "d", "e"} {
		start(id)
	}
	if *commits != 2 {
		t.Fatalf("%d batches under way, want 2", *commits)
	}
	w.advance(time.Second)
	if *commits != 3 {
		t.Errorf("%d commits, want 3: what came in meanwhile is one batch", *commits)
	}
	w.advance(time.Second)
	if got := strings.Join(order, ""); got != "abcde" {
		t.Errorf("answered in the order %q", got)
	}
}

// A start whose task a poller waits for is one batch, and has no task row.
func TestFusedStart(t *testing.T) {
	w := newWorld(t)
	w.matcher.poll("orders", 1)
	commits, rows := 0, 0
	w.faults.Commit = func(_ store.Shard, b *store.Batch) memstore.CommitFault {
		commits++
		for _, op := range b.Ops {
			if op.Key.Family == store.FamilyTask {
				rows++
			}
		}
		return memstore.CommitFault{Delay: time.Second}
	}
	w.submit("a", "", startOf("a"))
	w.settle()
	if len(w.matcher.delivered) != 0 {
		t.Fatal("the task was handed over before it was durable (I1)")
	}
	w.advance(time.Second)
	if len(w.matcher.delivered) != 1 || commits != 1 || rows != 0 || len(w.matcher.offers) != 0 {
		t.Fatalf("delivered %d, commits %d, task rows %d, offers %d; want 1, 1, 0, 0",
			len(w.matcher.delivered), commits, rows, len(w.matcher.offers))
	}
	w.faults.Commit = nil
	task := w.matcher.delivered[0].(*workflow.TaskStarted)
	w.do("a", "", completeTask(task, closeCommand()))
}

// I4: a second completion of a task is refused.
func TestI4StaleCompletionIsRefused(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	task := w.take().(*workflow.TaskStarted)
	w.do("a", "", completeTask(task, timerCommand("t", time.Hour)))
	o := w.submit("a", "", completeTask(task, closeCommand()))
	w.settle()
	if engine.KindOf(o.err) != engine.KindNotFound {
		t.Errorf("second completion: %v", o.err)
	}
}

// A commit that fails, in whatever way, loses nothing that was acknowledged
// (I1) and brings nothing back twice (I3): the shard opens again and goes on.
func TestFailedCommitReopens(t *testing.T) {
	for name, fault := range map[string]memstore.CommitFault{
		"not done":              {Err: store.ErrNotDone},
		"unknown, lost":         {Err: store.ErrUnknown},
		"unknown, applied":      {Err: store.ErrUnknown, Fate: memstore.Applied},
		"unknown, applied late": {Err: store.ErrUnknown, Fate: memstore.AppliedLate},
		"full":                  {Err: store.ErrFull},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.do("a", "", startOf("a"))
			first := w.host.shards[0].Load()
			w.matcher.poll("orders", 1)
			w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
				w.faults.Commit = nil
				return fault
			}
			o := w.submit("b", "", startOf("b"))
			waits := w.submit("b", "", signalOf("b", "s"))
			w.settle()
			want := error(ErrUnavailable)
			if errors.Is(fault.Err, store.ErrFull) {
				want = ErrFull
			}
			if !errors.Is(o.err, want) || !errors.Is(waits.err, want) {
				t.Fatalf("the caller got %v, the next %v", o.err, waits.err)
			}
			if w.matcher.released != 1 || w.matcher.forgotten != 1 {
				t.Errorf("reservations released %d, owner forgotten %d", w.matcher.released, w.matcher.forgotten)
			}
			w.advance(time.Second)
			if now := w.host.shards[0].Load(); now == first || now.store.Epoch() <= first.store.Epoch() {
				t.Fatal("the shard was not opened under a new epoch (I9)")
			}
			again := w.do("b", "", startOf("b")).(*workflow.Started)
			if !again.Started {
				t.Errorf("the repeated start is not recognised as the same: %+v", again)
			}
			if got := len(w.rows(store.FamilyCurrent)); got != 2 {
				t.Errorf("%d executions, want 2", got)
			}
		})
	}
}

// A store that will never work again in this process is said so.
func TestFatalStore(t *testing.T) {
	w := newWorld(t)
	w.driver.Fail(errors.New("sync of the log"))
	o := w.submit("a", "", startOf("a"))
	w.settle()
	if !errors.Is(o.err, ErrUnavailable) {
		t.Errorf("got %v", o.err)
	}
	select {
	case <-w.host.Fatal():
	default:
		t.Error("Fatal is not closed")
	}
	w.await(func() {
		if err := w.host.Stop(context.Background()); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Errorf("Stop: %v", err)
		}
	})
}

// A panic in the core is confined to its execution, which is set aside.
func TestBugSetsExecutionAside(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Namespaces = brokenNamespaces{} })
	w.do("a", "", startOf("a"))
	bad := engine.ID{NamespaceID: "bug", Archetype: engine.ArchetypeWorkflow, Name: "x"}
	for range 2 {
		var got error
		w.host.Submit(bad, "", startOf("x"), func(_ any, err error) { got = err })
		w.settle()
		if engine.KindOf(got) != engine.KindUnavailable {
			t.Fatalf("got %v", got)
		}
	}
	if n := strings.Count(w.logged.String(), "set aside because of a bug"); n != 1 {
		t.Errorf("%d shouts in the log, want 1", n)
	}
	w.do("a", "", signalOf("a", "s"))
	if w.matcher.forgotten != 0 {
		t.Error("the shard was opened again for it")
	}
}

type brokenNamespaces struct{ fakeNamespaces }

func (n brokenNamespaces) ByID(id string) *engine.Namespace {
	if id == "bug" {
		panic("a bug")
	}
	return n.fakeNamespaces.ByID(id)
}

// A panic outside the core drops the open batch and begins anew; what was
// durable before is still told.
func TestBugInTheShellReopens(t *testing.T) {
	w := newWorld(t)
	w.bugs = true
	w.slowCommits()
	before := w.submit("a", "", startOf("a"))
	w.settle()
	s := w.host.shards[0].Load()
	lost := w.submit("b", "", startOf("b"))
	s.inbox.report(func() { panic("a bug in the shell") })
	w.settle()
	w.advance(5 * time.Second)
	if !before.answered || before.err != nil {
		t.Errorf("the durable start: answered %v, %v", before.answered, before.err)
	}
	if !lost.answered || !errors.Is(lost.err, ErrUnavailable) {
		t.Errorf("the dropped start: answered %v, %v", lost.answered, lost.err)
	}
	if w.host.shards[0].Load() == s {
		t.Error("the shard was not opened again")
	}
	o := w.submit("b", "", startOf("b"))
	w.advance(2 * time.Second)
	if o.err != nil || !o.answered {
		t.Errorf("after that: %v", o.err)
	}
}

// I11: past the bound callers are told to come later, and nothing breaks. Some of
// the places are not for starts.
func TestI11InboxIsBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxPending = 12 })
	w.slowCommits()
	busy := 0
	var waiting []*answerTo
	for i := range 25 {
		o := w.submit(fmt.Sprint("w", i), "", startOf(fmt.Sprint("w", i)))
		if o.answered && errors.Is(o.err, ErrBusy) {
			busy++
			continue
		}
		waiting = append(waiting, o)
	}
	if busy != 16 {
		t.Errorf("%d starts were turned away, want 16", busy)
	}
	for i := range 4 {
		o := w.submit("w0", "", signalOf("w0", "go"))
		if turned := o.answered && errors.Is(o.err, ErrBusy); turned != (i == 3) {
			t.Errorf("signal %d: answered %v, %v", i, o.answered, o.err)
		} else if !turned {
			waiting = append(waiting, o)
		}
	}
	w.advance(10 * time.Second)
	for _, o := range waiting {
		if !o.answered || o.err != nil {
			t.Fatalf("answered %v, %v", o.answered, o.err)
		}
	}
	o := w.submit("late", "", startOf("late"))
	w.advance(2 * time.Second)
	if o.err != nil {
		t.Errorf("after that: %v", o.err)
	}
}

// I11: with the disk behind, inputs wait in the inbox and the open batch stays
// within its bounds.
func TestI11BatchIsBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxBatchSteps = 3; o.MaxFlying = 1 })
	w.slowCommits()
	answered := 0
	for i := range 400 {
		id := fmt.Sprint("w", i)
		w.host.Submit(idOf(id), "", startOf(id), func(any, error) { answered++ })
	}
	w.settle()
	if steps := w.host.shards[0].Load().open.steps; steps > 3+inputsPerTurn {
		t.Errorf("the open batch has %d steps", steps)
	}
	w.advance(time.Minute)
	if answered != 400 {
		t.Errorf("%d answered", answered)
	}
}

// A heartbeat is answered without a commit; its details are written after a
// while, or with the next change, and a crash may forget them (I1's exception).
func TestHeartbeatIsDeferred(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), activityCommand("act")))
	started := w.take().(*workflow.ActivityStarted)
	commits := 0
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault { commits++; return memstore.CommitFault{} }
	beat := func(text string) {
		w.do("a", "", &workflow.HeartbeatActivity{Ref: workflow.ActivityRef{Token: &started.Token},
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
	if got := w.heartbeat("a"); got != "two" {
		t.Errorf("after a crash the details are %q", got)
	}
	beat("kept")
	w.advance(100 * time.Millisecond)
	w.await(func() {
		if err := w.host.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	w.boot()
	if got := w.heartbeat("a"); got != "kept" {
		t.Errorf("after a clean stop the details are %q", got)
	}
}

func (w *world) heartbeat(id string) (text string) {
	w.view(id, func(run *workflow.Run) {
		for _, a := range run.Activities {
			text = string(a.HeartbeatDetails.GetPayloads()[0].GetData())
		}
	})
	return text
}

func (w *world) view(id string, read func(*workflow.Run)) {
	w.Helper()
	w.await(func() {
		if err := w.host.View(context.Background(), idOf(id), "", read); err != nil {
			w.Errorf("view %s: %v", id, err)
		}
	})
}
