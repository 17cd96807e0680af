package matching

import (
	"fmt"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/shard"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a Matcher in one goroutine: what it would spawn is run by settle.
type world struct {
	*testing.T
	*Matcher
	clock *clock.Fake
	todo  []func()
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	w := &world{T: t, clock: clock.NewFake(epoch)}
	o := Options{
		Clock:  w.clock,
		Spawn:  func(f func()) { w.todo = append(w.todo, f) },
		Jitter: func(time.Duration) time.Duration { return 0 },
	}
	for _, f := range change {
		f(&o)
	}
	w.Matcher = New(o)
	return w
}

// settle runs what was spawned until nothing is left.
func (w *world) settle() {
	for len(w.todo) > 0 {
		f := w.todo[0]
		w.todo = w.todo[1:]
		f()
	}
}

func (w *world) advance(d time.Duration) {
	w.clock.Advance(d)
	w.settle()
}

// result of a poll.
type result struct {
	*Waiting
	answered bool
	handover *Handover
}

func (w *world) poll(r PollRequest) *result {
	w.Helper()
	res := new(result)
	waiting, err := w.Begin(r, func(h *Handover) {
		if res.answered {
			w.Error("a poll was answered twice")
		}
		res.answered, res.handover = true, h
	})
	if err != nil {
		w.Fatal(err)
	}
	res.Waiting = waiting
	w.settle()
	return res
}

func (w *world) offer(b *backlog, tasks ...engine.Task) int {
	n := w.Offer(b, tasks)
	w.settle()
	return n
}

// wants checks what a poll got: the name of a task's run, "" for the empty
// answer, "-" for none yet.
func (r *result) wants(t *testing.T, want string) {
	t.Helper()
	got := "-"
	switch {
	case r.answered && r.handover == nil:
		got = ""
	case r.answered && r.handover.Query != nil:
		got = "query " + r.handover.Query.ID
	case r.answered:
		got = r.handover.Task.Run.Name
	}
	if got != want {
		t.Errorf("the poll got %q, want %q", got, want)
	}
}

// backlog is a fake shard. Starts succeed at once unless held.
type backlog struct {
	hold    bool
	held    []start
	fail    map[string]error // by run name: the outcome of its next start
	started []string
	aborted []string
	refills []engine.TaskQueue
	onFill  func(engine.TaskQueue)
	extra   int // Depth beyond what is held
}

type start struct {
	task   engine.Task
	poller engine.Poller
	done   func(any, error)
}

var _ shard.Backlog = (*backlog)(nil)

func (b *backlog) StartTask(task engine.Task, poller engine.Poller, done func(any, error)) {
	s := start{task, poller, done}
	if b.hold {
		b.held = append(b.held, s)
		return
	}
	b.finish(s)
}

func (b *backlog) finish(s start) {
	if err := b.fail[s.task.Run.Name]; err != nil {
		delete(b.fail, s.task.Run.Name)
		s.done(nil, err)
		return
	}
	b.started = append(b.started, s.task.Run.Name)
	s.done(s.task.Run.Name, nil)
}

// letGo finishes the held starts.
func (b *backlog) letGo() {
	held := b.held
	b.held, b.hold = nil, false
	for _, s := range held {
		b.finish(s)
	}
}

func (b *backlog) AbortTask(started any) { b.aborted = append(b.aborted, started.(string)) }

func (b *backlog) Refill(q engine.TaskQueue) {
	b.refills = append(b.refills, q)
	if b.onFill != nil {
		b.onFill(q)
	}
}

func (b *backlog) Depth(engine.TaskQueue) int { return b.extra }

var orders = engine.TaskQueue{NamespaceID: "ns", Name: "orders", Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW}

func typed(t enumspb.TaskQueueType) engine.TaskQueue {
	q := orders
	q.Type = t
	return q
}

var (
	activities = typed(enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	sticky     = engine.TaskQueue{NamespaceID: "ns", Name: "w1:sticky", Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW, Sticky: true, NormalName: "orders"}
)

// taskOn is a task of the run called name, due so many milliseconds after the epoch.
func taskOn(q engine.TaskQueue, name string, due int) engine.Task {
	return engine.Task{
		Queue: q, EventID: 2, Stamp: 1, Order: epoch.Add(time.Duration(due) * time.Millisecond),
		Run: engine.RunKey{ID: engine.ID{NamespaceID: "ns", Archetype: engine.ArchetypeWorkflow, Name: name}, RunID: "run-" + name},
	}
}

func pollOf(q engine.TaskQueue, identity string) PollRequest {
	return PollRequest{Queue: q, Poller: engine.Poller{Identity: identity, RequestID: "request-" + identity}}
}

func (w *world) pollN(q engine.TaskQueue, n int) []*result {
	var all []*result
	for i := range n {
		all = append(all, w.poll(pollOf(q, fmt.Sprint("worker", i))))
	}
	return all
}
