package matching

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

var errBusy = errors.New("shard is busy")

// TQ-4, TQ-20: pollers are served first come first served, and a task that comes
// while one waits goes straight to it.
func TestPollersAreServedInOrder(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	polls := w.pollN(orders, 3)
	w.offer(b, taskOn(orders, "a", 1))
	w.offer(b, taskOn(orders, "b", 2))
	polls[0].wants(t, "a")
	polls[1].wants(t, "b")
	polls[2].wants(t, "-")
}

// TQ-21, TQ-32: by priority, whatever the age; then by age, over all shards; at
// the same instant by name.
func TestTasksAreServedInOrder(t *testing.T) {
	w, one, two := newWorld(t), new(backlog), new(backlog)
	urgent := taskOn(orders, "urgent", 9)
	urgent.Priority = 1
	later := taskOn(orders, "later", 0)
	later.Priority = 99
	w.offer(one, taskOn(orders, "c", 3), taskOn(orders, "b2", 2), later)
	w.offer(two, taskOn(orders, "b1", 2), urgent, taskOn(orders, "a", 1))
	var got []string
	for range 6 {
		got = append(got, w.poll(pollOf(orders, "w")).handover.Task.Run.Name)
	}
	want := []string{"urgent", "a", "b1", "b2", "c", "later"}
	if !slices.Equal(got, want) {
		t.Errorf("served %v, want %v", got, want)
	}
	if d := w.Describe(orders); d.Stats.BacklogCount != 0 {
		t.Errorf("backlog %d after all is served (TQ-102)", d.Stats.BacklogCount)
	}
}

// TQ-2, TQ-3: the empty answer comes a second before the caller's deadline, and
// at once when there is no more than that left.
func TestEmptyAnswer(t *testing.T) {
	w := newWorld(t)
	long := w.poll(pollOf(orders, "long"))
	r := pollOf(orders, "short")
	r.Wait = 4 * time.Second
	short := w.poll(r)
	r.Wait = time.Second
	w.poll(r).wants(t, "")
	w.advance(3*time.Second - 1)
	short.wants(t, "-")
	w.advance(1)
	short.wants(t, "")
	w.advance(57*time.Second - 1)
	long.wants(t, "-")
	w.advance(1)
	long.wants(t, "")
}

// TQ-2: the jitter comes off the server's own limit.
func TestPollJitter(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Jitter = func(most time.Duration) time.Duration { return most } })
	p := w.poll(pollOf(orders, "w"))
	w.advance(50 * time.Second)
	p.wants(t, "")
}

// TQ-22: a void task costs one question; the next is tried for the same poller.
func TestStaleTaskIsSkipped(t *testing.T) {
	w := newWorld(t)
	b := &backlog{fail: map[string]error{"a": engine.Stale("gone"), "b": engine.Stale("gone")}}
	w.offer(b, taskOn(orders, "a", 1), taskOn(orders, "b", 2), taskOn(orders, "c", 3))
	w.poll(pollOf(orders, "w")).wants(t, "c")
	if n := w.Counters().Offers; n != 0 {
		t.Errorf("%d offers are left", n)
	}
}

// TQ-24: a start that fails for another reason leaves task and poller in the
// queue; the task rests a little, and others go meanwhile.
func TestFailedStartIsRepeated(t *testing.T) {
	w := newWorld(t)
	b := &backlog{fail: map[string]error{"a": errBusy}}
	w.offer(b, taskOn(orders, "a", 1), taskOn(orders, "b", 2))
	w.poll(pollOf(orders, "first")).wants(t, "b")
	second := w.poll(pollOf(orders, "second"))
	second.wants(t, "-")
	w.advance(restFirst)
	second.wants(t, "a")
}

// A poller whose task failed to start keeps its place before those that came later.
func TestFailedStartKeepsThePollersPlace(t *testing.T) {
	w := newWorld(t)
	b := &backlog{hold: true, fail: map[string]error{"a": errBusy}}
	polls := w.pollN(orders, 2)
	w.offer(b, taskOn(orders, "a", 1))
	b.letGo()
	w.settle()
	w.offer(b, taskOn(orders, "b", 2))
	polls[0].wants(t, "b")
	polls[1].wants(t, "-")
}

// A poll whose time runs out while its task is being started gets the task; if
// the start fails it gets the empty answer then.
func TestExpiryWaitsForTheStart(t *testing.T) {
	for outcome, want := range map[string]string{"ok": "a", "busy": ""} {
		w := newWorld(t)
		b := &backlog{hold: true}
		if outcome == "busy" {
			b.fail = map[string]error{"a": errBusy}
		}
		p := w.poll(pollOf(orders, "w"))
		w.offer(b, taskOn(orders, "a", 1))
		w.advance(2 * time.Minute)
		p.wants(t, "-")
		b.letGo()
		p.wants(t, want)
	}
}

// TQ-5: a client that leaves is out at once, wherever its poll stands; a start
// that was under way is taken back, and nothing is answered.
func TestCancelAtEveryPoint(t *testing.T) {
	t.Run("waiting", func(t *testing.T) {
		w, b := newWorld(t), new(backlog)
		p, next := w.poll(pollOf(orders, "gone")), w.poll(pollOf(orders, "next"))
		if !p.Cancel() {
			t.Error("Cancel came too late")
		}
		w.offer(b, taskOn(orders, "a", 1))
		p.wants(t, "-")
		next.wants(t, "a")
	})
	for _, outcome := range []error{nil, errBusy, engine.Stale("void")} {
		t.Run("starting", func(t *testing.T) {
			w, b := newWorld(t), &backlog{hold: true, fail: map[string]error{}}
			if outcome != nil {
				b.fail["a"] = outcome
			}
			p := w.poll(pollOf(orders, "gone"))
			w.offer(b, taskOn(orders, "a", 1))
			p.Cancel()
			b.letGo()
			w.settle()
			p.wants(t, "-")
			if aborted := len(b.aborted) == 1; aborted != (outcome == nil) {
				t.Errorf("aborted %v after outcome %v", b.aborted, outcome)
			}
			if n := w.Counters().Pollers; n != 0 {
				t.Errorf("%d pollers are left", n)
			}
			w.advance(time.Second)
			again := w.poll(pollOf(orders, "again"))
			again.wants(t, map[error]string{errBusy: "a"}[outcome]+map[bool]string{true: "-"}[outcome != errBusy])
		})
	}
	t.Run("reserved, then delivered", func(t *testing.T) {
		w, b := newWorld(t), new(backlog)
		p := w.poll(pollOf(orders, "gone"))
		_, id, _ := w.Reserve(b, taskOn(orders, "a", 1))
		p.Cancel()
		w.Deliver(id, "a")
		w.settle()
		p.wants(t, "-")
		if !slices.Equal(b.aborted, []string{"a"}) {
			t.Errorf("aborted %v", b.aborted)
		}
	})
	t.Run("reserved, then released", func(t *testing.T) {
		w, b := newWorld(t), new(backlog)
		p := w.poll(pollOf(orders, "gone"))
		_, id, _ := w.Reserve(b, taskOn(orders, "a", 1))
		p.Cancel()
		w.Release(id)
		w.settle()
		p.wants(t, "-")
		if n := w.Counters().Pollers; n != 0 || len(b.aborted) != 0 {
			t.Errorf("%d pollers, aborted %v", n, b.aborted)
		}
	})
	t.Run("answered", func(t *testing.T) {
		w, b := newWorld(t), new(backlog)
		p := w.poll(pollOf(orders, "w"))
		w.offer(b, taskOn(orders, "a", 1))
		if p.Cancel() {
			t.Error("Cancel claims to have come in time")
		}
		p.handover.Abort()
		p.handover.Abort()
		if !slices.Equal(b.aborted, []string{"a"}) {
			t.Errorf("aborted %v, want once", b.aborted)
		}
	})
}

// A reservation takes the longest-waiting poller, keeps it past its time, and
// ends in a delivery or in its old place.
func TestReserve(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	if _, _, ok := w.Reserve(b, taskOn(orders, "a", 1)); ok {
		t.Error("reserved a poller nobody has seen")
	}
	polls := w.pollN(orders, 2)
	who, id, ok := w.Reserve(b, taskOn(orders, "a", 1))
	if !ok || who.Identity != "worker0" {
		t.Fatalf("reserved %v %v", who, ok)
	}
	w.Release(id)
	who, id, _ = w.Reserve(b, taskOn(orders, "a", 1))
	if who.Identity != "worker0" {
		t.Errorf("after the release %q is first", who.Identity)
	}
	w.advance(2 * time.Minute)
	polls[0].wants(t, "-")
	polls[1].wants(t, "")
	w.Deliver(id, "a")
	polls[0].wants(t, "a")
	if d := w.Describe(orders); d.Stats.AddRate == 0 || d.Stats.AddRate != d.Stats.DispatchRate {
		t.Errorf("a fused task counts in both rates (TQ-100): %+v", d.Stats)
	}
	late := w.poll(pollOf(orders, "late"))
	_, id, _ = w.Reserve(b, taskOn(orders, "b", 2))
	w.advance(2 * time.Minute)
	w.Release(id)
	late.wants(t, "")
}

// Nothing is reserved over the head of a task that waits; what was offered while
// the last poller was reserved gets it at the release.
func TestReserveOvertakesNobody(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	p := w.poll(pollOf(orders, "w"))
	_, id, _ := w.Reserve(b, taskOn(orders, "b", 2))
	w.offer(b, taskOn(orders, "a", 1))
	if _, _, ok := w.Reserve(b, taskOn(orders, "c", 3)); ok {
		t.Error("reserved a second time")
	}
	w.Release(id)
	w.settle()
	p.wants(t, "a")
}

// Offers beyond the window stay with their owner; when half of it has gone, the
// owner is asked, once.
func TestWindowAndRefill(t *testing.T) {
	w, b := newWorld(t, func(o *Options) { o.Window = 4 }), new(backlog)
	var tasks []engine.Task
	for i, name := range strings.Split("abcdefgh", "") {
		tasks = append(tasks, taskOn(orders, name, i))
	}
	if n := w.offer(b, tasks...); n != 4 {
		t.Fatalf("took %d of 8", n)
	}
	if n := w.offer(b, taskOn(orders, "z", 99)); n != 0 {
		t.Error("took a task that goes after those refused")
	}
	urgent := taskOn(orders, "urgent", 100)
	urgent.Priority = 1
	if n := w.offer(b, urgent); n != 1 {
		t.Error("refused a task that goes before all")
	}
	b.extra = 10
	if d := w.Describe(orders); d.Stats.BacklogCount != 10 {
		t.Errorf("backlog %d, want the owner's 10", d.Stats.BacklogCount)
	}
	w.poll(pollOf(orders, "w")).wants(t, "urgent")
	w.poll(pollOf(orders, "w")).wants(t, "a")
	if len(b.refills) != 0 {
		t.Error("a refill too early")
	}
	w.poll(pollOf(orders, "w")).wants(t, "b")
	w.poll(pollOf(orders, "w")).wants(t, "c")
	if !slices.Equal(b.refills, []engine.TaskQueue{orders}) {
		t.Errorf("refills %v, want one", b.refills)
	}
	if n := w.offer(b, tasks[4:]...); n != 3 {
		t.Errorf("took %d of the refill", n)
	}
}

// A queue refused because another came before it in one call is asked for, too.
func TestRefusedInPassing(t *testing.T) {
	w, b := newWorld(t, func(o *Options) { o.Window = 1 }), new(backlog)
	n := w.offer(b, taskOn(orders, "a", 1), taskOn(orders, "b", 2), taskOn(activities, "x", 3))
	if n != 1 || !slices.Equal(b.refills, []engine.TaskQueue{activities}) {
		t.Errorf("took %d, refills %v", n, b.refills)
	}
}

// Withdrawn offers are not handed out, wherever they stand.
func TestWithdraw(t *testing.T) {
	w := newWorld(t)
	b := &backlog{fail: map[string]error{"resting": errBusy, "starting": errBusy}}
	waiting, resting, starting := taskOn(orders, "waiting", 3), taskOn(orders, "resting", 1), taskOn(orders, "starting", 2)
	w.offer(b, resting)
	p := w.poll(pollOf(orders, "w"))
	b.hold = true
	w.offer(b, starting)
	w.offer(b, waiting)
	w.Withdraw([]engine.Task{waiting, resting, starting, taskOn(activities, "unknown", 1)})
	b.letGo()
	w.settle()
	w.advance(10 * time.Second)
	p.wants(t, "-")
	if c := w.Counters(); c.Offers != 0 {
		t.Errorf("%d offers are left", c.Offers)
	}
}

// An owner that lost its slots is forgotten; the next owner's offers of the same
// tasks count.
func TestForget(t *testing.T) {
	w, former, next := newWorld(t), new(backlog), new(backlog)
	w.offer(former, taskOn(orders, "a", 1), taskOn(activities, "x", 1))
	w.offer(next, taskOn(orders, "a", 1))
	w.Forget(former)
	w.poll(pollOf(orders, "w")).wants(t, "a")
	w.poll(pollOf(activities, "w")).wants(t, "-")
	if len(former.started) != 0 || len(next.started) != 1 {
		t.Errorf("started by the former %v, the next %v", former.started, next.started)
	}
}

// TQ-41: the latest poll's rate holds, with a burst of a second; 0 stops; a poll
// without the field lifts it. Nobody gets an error (TQ-42).
func TestRateLimit(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	limited := pollOf(activities, "w")
	limited.Poller.HasRateLimit, limited.Poller.MaxTasksPerSecond = true, 2
	for i := range 10 {
		w.offer(b, taskOn(activities, string(rune('a'+i)), i))
	}
	w.poll(limited).wants(t, "a")
	w.poll(limited).wants(t, "b")
	third, fourth := w.poll(limited), w.poll(limited)
	third.wants(t, "-")
	if d := w.Describe(activities); d.TasksPerSecond != 2 || !d.FromWorker {
		t.Errorf("effective rate %v %v", d.TasksPerSecond, d.FromWorker)
	}
	w.advance(time.Second + time.Millisecond)
	third.wants(t, "c")
	fourth.wants(t, "d")
	if _, _, ok := w.Reserve(b, taskOn(activities, "early", -1)); ok {
		t.Error("reserved past the limit")
	}
	limited.Poller.MaxTasksPerSecond = 0
	stopped := w.poll(limited)
	w.advance(30 * time.Second)
	stopped.wants(t, "-")
	free := w.poll(pollOf(activities, "free"))
	stopped.wants(t, "e")
	free.wants(t, "f")
	workflowPoll := pollOf(orders, "w")
	workflowPoll.Poller.HasRateLimit = true
	w.offer(b, taskOn(orders, "wf", 1))
	w.poll(workflowPoll).wants(t, "wf")
}

// TQ-71: a sticky queue is used while its worker polls or did so within ten
// seconds; after that its tasks go to the normal queue, with full history.
func TestStickyFallback(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	normal := w.poll(pollOf(orders, "other"))
	p := w.poll(pollOf(sticky, "w1"))
	w.offer(b, taskOn(sticky, "a", 1))
	p.wants(t, "a")
	b.hold = true
	w.advance(10 * time.Second)
	w.offer(b, taskOn(sticky, "b", 2))
	normal.wants(t, "-")
	w.poll(pollOf(sticky, "w1")).Cancel()
	if !b.held[0].poller.Sticky {
		t.Error("a sticky poller is not known as such")
	}
	b.letGo()
	b.hold = true
	w.advance(11 * time.Second)
	w.offer(b, taskOn(sticky, "c", 3))
	if len(b.held) != 1 || b.held[0].poller.Sticky {
		t.Fatalf("not given to the normal queue: %v", b.held)
	}
	b.letGo()
	normal.wants(t, "c")
	who, _, ok := w.Reserve(b, taskOn(sticky, "d", 4))
	if ok {
		t.Fatalf("reserved %v", who)
	}
	another := w.poll(pollOf(orders, "another"))
	who, id, ok := w.Reserve(b, taskOn(sticky, "d", 4))
	if !ok || who.Sticky || who.Identity != "another" {
		t.Fatalf("reserved %v %v", who, ok)
	}
	w.Deliver(id, "d")
	another.wants(t, "d")
}

// TQ-90: a retired sticky queue lets go of its polls, and of its tasks, in
// whatever state they are, to the normal queue at once.
func TestRetireSticky(t *testing.T) {
	w := newWorld(t)
	b := &backlog{fail: map[string]error{"rests": errBusy, "starts": errBusy}}
	w.offer(b, taskOn(orders, "z", 50))
	w.poll(pollOf(sticky, "w1")).Cancel()
	w.offer(b, taskOn(sticky, "rests", 1))
	p := w.poll(pollOf(sticky, "w1"))
	b.hold = true
	w.offer(b, taskOn(sticky, "starts", 0))
	w.offer(b, taskOn(sticky, "waits", 2), taskOn(sticky, "withdrawn", 3))
	w.ShutdownWorker(Shutdown{Sticky: sticky})
	w.settle()
	w.Withdraw([]engine.Task{taskOn(sticky, "withdrawn", 3)})
	b.letGo()
	w.settle()
	p.wants(t, "")
	if w.PolledWithin(sticky, time.Hour) {
		t.Error("a retired queue counts as polled")
	}
	w.poll(pollOf(orders, "w2")).wants(t, "rests")
	w.poll(pollOf(orders, "w2")).wants(t, "waits")
	w.poll(pollOf(orders, "w2")).wants(t, "z")
	w.advance(time.Second)
	w.poll(pollOf(orders, "w2")).wants(t, "starts")
	w.poll(pollOf(orders, "w2")).wants(t, "-")
}

// TQ-92: polls of a worker that is shut down end empty, now and later, and it
// leaves the history; others stay.
func TestShutdownWorker(t *testing.T) {
	w := newWorld(t)
	r := pollOf(orders, "w1")
	r.Poller.WorkerInstanceKey = "key1"
	mine, other := w.poll(r), w.poll(pollOf(orders, "w2"))
	w.ShutdownWorker(Shutdown{Queues: []engine.TaskQueue{orders, activities}, Identity: "w1", InstanceKey: "key1"})
	mine.wants(t, "")
	other.wants(t, "-")
	if d := w.Describe(orders); len(d.Pollers) != 1 || d.Pollers[0].Poller.Identity != "w2" {
		t.Errorf("history %+v", d.Pollers)
	}
	w.poll(r).wants(t, "")
}

// At server stop all polls end empty, those to come as well; a task under way is
// still handed over.
func TestDrainPolls(t *testing.T) {
	w, b := newWorld(t), &backlog{hold: true}
	first, second := w.poll(pollOf(orders, "w1")), w.poll(pollOf(orders, "w2"))
	w.offer(b, taskOn(orders, "a", 1))
	w.DrainPolls()
	second.wants(t, "")
	first.wants(t, "-")
	b.letGo()
	first.wants(t, "a")
	w.poll(pollOf(orders, "w3")).wants(t, "")
	told := false
	w.OfferQuery(orders, &shard.QueryTask{ID: "q"}, func() { told = true })
	w.settle()
	if !told {
		t.Error("a query to a drained matcher waits for ever")
	}
}

// TQ-80, TQ-85: queries wait in memory beside the tasks and take turns with them.
func TestQueries(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	var told []string
	ask := func(q engine.TaskQueue, id string) func() {
		return w.OfferQuery(q, &shard.QueryTask{ID: id}, func() { told = append(told, id) })
	}
	ask(orders, "q1")
	withdraw := ask(orders, "q2")
	ask(orders, "q3")
	withdraw()
	w.offer(b, taskOn(orders, "a", 1), taskOn(orders, "b", 2))
	if d := w.Describe(orders); d.Stats.BacklogCount != 2 {
		t.Errorf("backlog %d: queries count", d.Stats.BacklogCount)
	}
	for _, want := range []string{"query q1", "a", "query q3", "b"} {
		w.poll(pollOf(orders, "w")).wants(t, want)
	}
	p := w.poll(pollOf(orders, "w"))
	ask(orders, "q4")
	w.settle()
	p.wants(t, "query q4")
	p.handover.Abort()
	w.poll(pollOf(sticky, "w")).Cancel()
	ask(sticky, "q5")
	w.RetireSticky(sticky)
	w.settle()
	if want := []string{"q4", "q5"}; !slices.Equal(told, want) {
		t.Errorf("lost %v, want %v", told, want)
	}
}

// TQ-81 and TQ-7: who polled within 20 seconds, and the history of five minutes.
func TestPollersSeen(t *testing.T) {
	w := newWorld(t)
	if w.PolledWithin(orders, 20*time.Second) {
		t.Error("a queue nobody knows counts as polled")
	}
	r := pollOf(activities, "w1")
	r.Poller.HasRateLimit, r.Poller.MaxTasksPerSecond = true, 7
	w.poll(r).Cancel()
	w.advance(20 * time.Second)
	if !w.PolledWithin(activities, 20*time.Second) {
		t.Error("a poll 20 s ago is forgotten")
	}
	w.advance(time.Second)
	if w.PolledWithin(activities, 20*time.Second) {
		t.Error("a poll 21 s ago counts")
	}
	w.poll(pollOf(activities, "w2"))
	d := w.Describe(activities)
	if len(d.Pollers) != 2 || d.Pollers[0].TasksPerSecond != systemRate || d.Pollers[1].TasksPerSecond != 7 {
		t.Errorf("history %+v", d.Pollers)
	}
	w.advance(4*time.Minute + 40*time.Second)
	if d := w.Describe(activities); len(d.Pollers) != 1 {
		t.Errorf("history after five minutes %+v", d.Pollers)
	}
}

// TQ-0: queues vanish when unused, and with the last of them the timer (I12).
func TestIdleQueuesVanish(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	w.poll(pollOf(orders, "w"))
	w.offer(b, taskOn(orders, "a", 1), taskOn(activities, "x", 1))
	w.advance(10 * time.Minute)
	if c := w.Counters(); c.Queues != 1 {
		t.Errorf("%d queues, want only the one with a task", c.Queues)
	}
	w.Withdraw([]engine.Task{taskOn(activities, "x", 1)})
	w.advance(10 * time.Minute)
	if c := w.Counters(); c.Queues != 0 {
		t.Errorf("%d queues are left", c.Queues)
	}
	if at, ok := w.clock.Next(); ok {
		t.Errorf("a timer is left for %v", at)
	}
}

// TQ-100: backlog and rates, whole and by priority.
func TestStats(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	urgent := taskOn(orders, "u", 1000)
	urgent.Priority = 1
	w.offer(b, taskOn(orders, "a", 0), urgent, taskOn(orders, "b", 500))
	w.poll(pollOf(orders, "w")).wants(t, "u")
	w.advance(3 * time.Second)
	d := w.Describe(orders)
	if d.Stats.BacklogCount != 2 || d.Stats.BacklogAge != 3*time.Second || d.Stats.AddRate != 0.1 {
		t.Errorf("stats %+v", d.Stats)
	}
	if s := d.ByPriority[1]; s.BacklogCount != 0 || s.DispatchRate != 1.0/30 {
		t.Errorf("priority 1: %+v", s)
	}
	w.advance(30 * time.Second)
	if d := w.Describe(orders); d.Stats.AddRate != 0 {
		t.Errorf("add rate %v after 33 s", d.Stats.AddRate)
	}
}

// TQ-55: one poller less for a poll that idled, one more for an old backlog, and
// not too often.
func TestPollerAdvice(t *testing.T) {
	w, b := newWorld(t), new(backlog)
	p := w.poll(pollOf(orders, "w"))
	w.advance(time.Second)
	w.offer(b, taskOn(orders, "a", 1000))
	if p.handover.PollerDelta != -1 {
		t.Errorf("after an idle second: %d", p.handover.PollerDelta)
	}
	for i := range 14 {
		w.offer(b, taskOn(orders, string(rune('b'+i)), 1000))
	}
	w.advance(300 * time.Millisecond)
	given := 0
	for range 13 {
		given += int(w.poll(pollOf(orders, "w")).handover.PollerDelta)
	}
	if given != decisionsPerSec-1 {
		t.Errorf("%d pollers more within the second, want %d", given, decisionsPerSec-1)
	}
	w.advance(time.Second)
	if h := w.poll(pollOf(orders, "w")).handover; h.PollerDelta != 0 {
		t.Errorf("the last task of a backlog advises %d", h.PollerDelta)
	}
}

// Pollers have a limit (I11).
func TestTooManyPollers(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxPollers = 1 })
	w.poll(pollOf(orders, "w"))
	if _, err := w.Begin(pollOf(orders, "w"), nil); !errors.Is(err, ErrTooManyPollers) {
		t.Errorf("got %v", err)
	}
}

// Poll blocks until there is an answer, keeps a second from its context's
// deadline, and hands nothing to a caller who has left.
func TestPollBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, b := New(Options{}), new(backlog)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		h, err := m.Poll(ctx, pollOf(orders, "w"))
		if h != nil || err != nil || time.Since(begun) != 9*time.Second {
			t.Errorf("got %v, %v after %v", h, err, time.Since(begun))
		}
		left, leave := context.WithCancel(context.Background())
		go func() {
			time.Sleep(time.Second) // of the bubble
			leave()
		}()
		if _, err := m.Poll(left, pollOf(orders, "w")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		m.Offer(b, []engine.Task{taskOn(orders, "a", 1)})
		if _, err := m.Poll(left, pollOf(orders, "w")); err == nil || len(b.aborted) != 1 {
			t.Errorf("a caller who has left got a task: %v, aborted %v", err, b.aborted)
		}
		m.Offer(b, []engine.Task{taskOn(orders, "b", 1)})
		h, err = m.Poll(context.Background(), pollOf(orders, "w"))
		if err != nil || h.Task.Run.Name != "b" {
			t.Errorf("got %v, %v", h, err)
		}
		time.Sleep(10 * time.Minute) // of the bubble: let the queue go
	})
}
