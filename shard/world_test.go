package shard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is a host on the memory driver in one goroutine, with a clock moved by
// hand: what would be spawned is put on a list and run by settle.
type world struct {
	testing.TB
	clock *clock.Fake
	mu    sync.Mutex // spawn may be called from await's goroutine
	todo  []func()
	woken chan struct{}

	driver  *memstore.Driver
	matcher *fakeMatcher
	feed    *fakeFeed
	host    *Host
	opt     Options
	faults  memstore.Faults
	logged  bytes.Buffer
	bugs    bool // whether this test plants bugs; in others none may be recovered from
}

func newWorld(t testing.TB, change ...func(*Options)) *world {
	w := &world{TB: t, clock: clock.NewFake(epoch), feed: &fakeFeed{}, woken: make(chan struct{}, 1)}
	w.driver = memstore.New(w.storeOptions())
	w.boot(change...)
	t.Cleanup(func() {
		if logged := w.logged.String(); !w.bugs && strings.Contains(logged, "a bug:") {
			t.Errorf("the shard recovered from a bug:\n%s", logged)
		}
	})
	return w
}

// storeOptions lets w.faults be changed at any time.
func (w *world) storeOptions() memstore.Options {
	return memstore.Options{
		Spawn: w.spawn,
		After: func(d time.Duration, f func()) { w.clock.AfterFunc(d, f) },
		Faults: memstore.Faults{
			Commit: func(s store.Shard, b *store.Batch) memstore.CommitFault {
				if w.faults.Commit != nil {
					return w.faults.Commit(s, b)
				}
				return memstore.CommitFault{}
			},
			Read: func(k store.Key) memstore.ReadFault {
				if w.faults.Read != nil {
					return w.faults.Read(k)
				}
				return memstore.ReadFault{}
			},
			Open: func(r store.SlotRange) error {
				if w.faults.Open != nil {
					return w.faults.Open(r)
				}
				return nil
			},
		},
	}
}

func (w *world) boot(change ...func(*Options)) {
	w.Helper()
	w.matcher = newFakeMatcher()
	source := rand.New(rand.NewPCG(1, 2))
	w.opt = Options{
		Driver: w.driver, Matcher: w.matcher, Namespaces: fakeNamespaces{}, Feed: w.feed,
		Shards: 1, Clock: w.clock, Spawn: w.spawn,
		Log: slog.New(slog.NewTextHandler(&w.logged, nil)),
		Seed: func() (s [16]byte) {
			for i := range s {
				s[i] = byte(source.Uint32())
			}
			return s
		},
	}
	for _, f := range change {
		f(&w.opt)
	}
	host, err := Open(context.Background(), w.opt)
	if err != nil {
		w.Fatal(err)
	}
	w.host = host
	w.settle()
}

// crash cuts the power and starts again on what was durable.
func (w *world) crash(change ...func(*Options)) {
	w.Helper()
	image := w.driver.Crash()
	w.todo = nil
	for i := range w.host.shards {
		w.host.shards[i].Load().inbox.close() // the dead hear no alarms
	}
	w.driver = memstore.Open(image, w.storeOptions())
	w.feed = &fakeFeed{}
	w.boot(change...)
}

func (w *world) spawn(f func()) {
	w.mu.Lock()
	w.todo = append(w.todo, f)
	w.mu.Unlock()
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *world) next() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.todo) == 0 {
		return nil
	}
	f := w.todo[0]
	w.todo = w.todo[1:]
	return f
}

// settle runs what was spawned until nothing is left.
func (w *world) settle() {
	w.Helper()
	for n := 0; ; n++ {
		if n > 100_000 {
			w.Fatal("the loop does not come to rest")
		}
		f := w.next()
		if f == nil {
			return
		}
		f()
	}
}

// await makes a call that waits for the loop, and runs the loop meanwhile.
func (w *world) await(call func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	for {
		w.settle()
		select {
		case <-done:
			return
		case <-w.woken:
		}
	}
}

func (w *world) advance(d time.Duration) {
	w.Helper()
	w.settle()
	for end := w.clock.Now().Add(d); ; {
		due, ok := w.clock.Next()
		if !ok || due.After(end) {
			w.clock.Set(end)
			w.settle()
			return
		}
		w.clock.Set(due)
		w.settle()
	}
}

// outcome of an input; answered tells whether there is one.
type answerTo struct {
	answered bool
	reply    any
	err      error
}

func (w *world) submit(id, runID string, in workflow.Input) *answerTo {
	return w.submitTo(idOf(id), runID, in)
}

func (w *world) submitTo(id engine.ID, runID string, in engine.Input) *answerTo {
	o := new(answerTo)
	w.host.Submit(id, runID, in, func(reply any, err error) {
		if o.answered {
			w.Errorf("%T was answered twice", in)
		}
		*o = answerTo{true, reply, err}
	})
	return o
}

// do carries an input out that must succeed.
func (w *world) do(id, runID string, in workflow.Input) any {
	w.Helper()
	o := w.submit(id, runID, in)
	w.settle()
	if !o.answered || o.err != nil {
		w.Fatalf("%T: answered %v, error %v\n%s", in, o.answered, o.err, w.logged.String())
	}
	return o.reply
}

func idOf(name string) engine.ID {
	return engine.ID{NamespaceID: "ns", Archetype: engine.ArchetypeWorkflow, Name: name}
}

func startOf(id string) *workflow.StartWorkflow {
	return &workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: id, RequestId: "request-" + id,
		WorkflowType: &commonpb.WorkflowType{Name: "Order"},
		TaskQueue:    &taskqueuepb.TaskQueue{Name: "orders"},
	}}
}

// completeTask is a completion with the commands.
func completeTask(t *workflow.TaskStarted, commands ...*commandpb.Command) *workflow.CompleteWorkflowTask {
	return &workflow.CompleteWorkflowTask{Token: t.Token, Request: &workflowservice.RespondWorkflowTaskCompletedRequest{
		Commands: commands, Identity: "worker",
	}}
}

func closeCommand() *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
			CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{}},
	}
}

func timerCommand(id string, d time.Duration) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_START_TIMER,
		Attributes: &commandpb.Command_StartTimerCommandAttributes{
			StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{
				TimerId: id, StartToFireTimeout: durationpb.New(d)}},
	}
}

func activityCommand(id string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{
			ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
				ActivityId: id, ActivityType: &commonpb.ActivityType{Name: "Charge"},
				TaskQueue:           &taskqueuepb.TaskQueue{Name: "orders"},
				StartToCloseTimeout: durationpb.New(time.Hour),
				HeartbeatTimeout:    durationpb.New(time.Minute),
			}},
	}
}

// rows lists the names of a family, of durable rows.
func (w *world) rows(family store.Family) (entries []store.Entry) {
	w.Helper()
	s := w.host.shards[0].Load().store
	from, to := record.Family(family, s.Slots())
	err := s.Scan(context.Background(), from, to, func(e store.Entry) bool {
		entries = append(entries, store.Entry{
			Key:   store.Key{Family: family, Slot: e.Key.Slot, Name: bytes.Clone(e.Key.Name)},
			Value: bytes.Clone(e.Value),
		})
		return true
	})
	if err != nil {
		w.Fatal(err)
	}
	return entries
}

type fakeNamespaces struct{}

func (fakeNamespaces) ByID(id string) *engine.Namespace {
	if id != "ns" {
		return nil
	}
	return &engine.Namespace{ID: "ns", Name: "default", Retention: 24 * time.Hour}
}

func (fakeNamespaces) ByName(string) *engine.Namespace { return fakeNamespaces{}.ByID("ns") }

type fakeFeed struct{ entries []FeedEntry }

// indexAll tells that the index has all it was given.
func (w *world) indexAll() {
	w.Helper()
	last := map[store.Slot]uint64{}
	for _, e := range w.feed.entries {
		last[e.Slot] = max(last[e.Slot], e.Seq)
	}
	for slot, seq := range last {
		w.host.FeedDone([]FeedPosition{{Slot: slot, Seq: seq}})
	}
	w.settle()
}

func (f *fakeFeed) Append(entries []FeedEntry) { f.entries = append(f.entries, entries...) }

// fakeMatcher keeps offers in a list and hands out what the test reserves.
type fakeMatcher struct {
	offers   []engine.Task
	owners   map[offerKey]Backlog
	pollers  map[string]int // waiting, by queue and type
	reserved map[uint64]string
	last     uint64
	// delivered are the tasks started for reserved pollers.
	delivered []any
	released  int
	forgotten int
	// room bounds the offers taken; 0 is no bound.
	room int
	// queries offered, also by callers of their own goroutine.
	mu      sync.Mutex
	queries []*QueryTask
	asked   chan struct{}
}

// awaitQuery waits until a query is offered.
func (m *fakeMatcher) awaitQuery() { <-m.asked }

func (m *fakeMatcher) query(i int) *QueryTask {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queries[i]
}

func newFakeMatcher() *fakeMatcher {
	return &fakeMatcher{pollers: map[string]int{}, reserved: map[uint64]string{}, asked: make(chan struct{}, 10), owners: map[offerKey]Backlog{}}
}

func pollKey(q engine.TaskQueue) string { return fmt.Sprint(q.Name, q.Type) }

func (m *fakeMatcher) poll(queue string, t enumspb.TaskQueueType) {
	m.pollers[pollKey(engine.TaskQueue{Name: queue, Type: t})]++
}

func (m *fakeMatcher) Reserve(owner Backlog, task engine.Task) (engine.Poller, uint64, bool) {
	k := pollKey(task.Queue)
	if m.pollers[k] == 0 {
		return engine.Poller{}, 0, false
	}
	m.pollers[k]--
	m.last++
	m.reserved[m.last] = k
	return engine.Poller{Identity: "poller", RequestID: fmt.Sprint("poll-", m.last)}, m.last, true
}

func (m *fakeMatcher) Deliver(reservation uint64, started any) {
	if m.reserved[reservation] == "" {
		panic("delivered twice, or not reserved")
	}
	delete(m.reserved, reservation)
	m.delivered = append(m.delivered, started)
}

func (m *fakeMatcher) Release(reservation uint64) {
	m.pollers[m.reserved[reservation]]++
	delete(m.reserved, reservation)
	m.released++
}

func (m *fakeMatcher) Offer(owner Backlog, tasks []engine.Task) int {
	for i := range tasks {
		m.owners[keyOf(&tasks[i])] = owner
	}
	n := len(tasks)
	if m.room > 0 {
		n = max(0, min(n, m.room-len(m.offers)))
	}
	m.offers = append(m.offers, tasks[:n]...)
	return n
}

func (m *fakeMatcher) Withdraw(tasks []engine.Task) {
	for i := range tasks {
		k := keyOf(&tasks[i])
		m.offers = slices.DeleteFunc(m.offers, func(t engine.Task) bool { return keyOf(&t) == k })
	}
}

func (m *fakeMatcher) Forget(owner Backlog) {
	m.forgotten++
	m.offers = slices.DeleteFunc(m.offers, func(t engine.Task) bool { return m.owners[keyOf(&t)] == owner })
}

func (m *fakeMatcher) OfferQuery(_ engine.TaskQueue, q *QueryTask, _ func()) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queries = append(m.queries, q)
	m.asked <- struct{}{}
	return func() {}
}

func (m *fakeMatcher) PolledWithin(engine.TaskQueue, time.Duration) bool { return true }

// take starts the first offer for a poller.
func (w *world) take() any {
	w.Helper()
	if len(w.matcher.offers) == 0 {
		w.Fatalf("nothing is on offer\n%s", w.logged.String())
	}
	t := w.matcher.offers[0]
	w.matcher.offers = w.matcher.offers[1:]
	started, err := w.start(t)
	if err != nil {
		w.Fatalf("start %v: %v", t, err)
	}
	return started
}

func (w *world) start(t engine.Task) (started any, err error) {
	w.matcher.last++
	answered := false
	w.matcher.owners[keyOf(&t)].StartTask(t, engine.Poller{Identity: "poller", RequestID: fmt.Sprint("poll-", w.matcher.last)},
		func(s any, e error) { started, err, answered = s, e, true })
	w.settle()
	if !answered {
		w.Fatal("a start was not answered")
	}
	return started, err
}
