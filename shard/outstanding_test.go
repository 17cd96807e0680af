package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
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

// I7: a timer fires not early, and after a restart; its row is read when its
// time comes near.
func TestI7TimerFiresInTime(t *testing.T) {
	for _, between := range []string{"nothing", "eviction", "crash", "clean stop"} {
		t.Run(between, func(t *testing.T) {
			w := newWorld(t)
			w.do("a", "", startOf("a"))
			w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", 3*time.Hour)))
			w.advance(time.Minute)
			switch between {
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
			w.advance(3*time.Hour - time.Minute - time.Second)
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
// hold are read piece by piece.
func TestI7AllThatWasDueFires(t *testing.T) {
	const n = 150
	small := func(o *Options) { o.MaxHorizon = 10; o.MaxDue = 7; o.CacheRuns = 20 }
	w := newWorld(t, small)
	for i := range n {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
		w.do(id, "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", time.Hour+time.Duration(i)*time.Second)))
	}
	w.crash(small)
	w.clock.Set(w.clock.Now().Add(24 * time.Hour)) // the outage
	w.advance(time.Second)
	w.advance(time.Minute)
	if got := len(w.matcher.offers); got != n {
		t.Errorf("%d of %d timers fired\n%.2000s", got, n, w.logged.String())
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

// A store that is slow to read one execution does not hold up the others.
func TestSlowLoadStallsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := record.SlotOf(idOf("slow"))
		driver := memstore.New(memstore.Options{Faults: memstore.Faults{
			Read: func(k store.Key) memstore.ReadFault {
				if k.Slot == slow && k.Family == store.FamilyCurrent {
					return memstore.ReadFault{Delay: time.Second}
				}
				return memstore.ReadFault{}
			},
		}})
		host, err := Open(t.Context(), Options{Driver: driver, Matcher: newFakeMatcher(),
			Namespaces: fakeNamespaces{}, Feed: &fakeFeed{}, Shards: 1})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		type result struct {
			id   string
			took time.Duration
		}
		results := make(chan result, 10)
		for _, id := range []string{"slow", "fast", "also fast"} {
			go func() {
				if _, err := host.Do(t.Context(), idOf(id), "", startOf(id)); err != nil {
					t.Error(err)
				}
				results <- result{id, time.Since(began)}
			}()
		}
		for range 3 {
			r := <-results
			if want := r.id == "slow"; (r.took >= time.Second) != want {
				t.Errorf("%s took %v", r.id, r.took)
			}
		}
		if err := host.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Whoever waits for a run to go on is woken by every change of its history and
// by its close, when that is durable.
func TestWaitersAreWoken(t *testing.T) {
	w := newWorld(t)
	started := w.do("a", "", startOf("a")).(*workflow.Started)
	key := engine.RunKey{ID: idOf("a"), RunID: started.RunID}
	task := w.take().(*workflow.TaskStarted)
	wait := func(seen int64) chan error {
		woken := make(chan error, 1)
		go func() { woken <- w.host.Wait(context.Background(), key, seen) }()
		return woken
	}
	w.await(func() {
		if err := w.host.Wait(context.Background(), key, 2); err != nil {
			t.Errorf("what has happened already: %v", err)
		}
	})
	woken := wait(4)
	for w.host.watching(key) == 0 {
		<-w.woken
		w.settle()
	}
	w.slowCommits()
	w.submit("a", "", completeTask(task, closeCommand()))
	w.settle()
	select {
	case <-woken:
		t.Fatal("woken before it was durable (I1)")
	default:
	}
	w.advance(time.Second)
	if err := <-woken; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.await(func() {
		if err := w.host.Wait(ctx, engine.RunKey{ID: idOf("a"), RunID: "no such"}, 1); !errors.Is(err, context.Canceled) && engine.KindOf(err) != engine.KindNotFound {
			t.Errorf("got %v", err)
		}
	})
}

// watching counts the watchers of a run; only while the loop rests.
func (h *Host) watching(key engine.RunKey) int {
	if e := h.shardOf(key.ID).entries[key.ID]; e != nil && e.runs[key.RunID] != nil {
		return len(e.runs[key.RunID].watchers)
	}
	return 0
}

func childCommand(id string) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{
			StartChildWorkflowExecutionCommandAttributes: &commandpb.StartChildWorkflowExecutionCommandAttributes{
				WorkflowId: id, WorkflowType: &commonpb.WorkflowType{Name: "Child"},
			}},
	}
}

// I8: a child starts once and its parent hears of its start and its end once,
// wherever the power is cut, with one shard and with several.
func TestI8MessagesTakeEffectOnce(t *testing.T) {
	for _, shards := range []int{1, 5} {
		for cut := 0; cut < 14; cut++ {
			t.Run(fmt.Sprintf("%d shards, cut after commit %d", shards, cut), func(t *testing.T) {
				familyStory(t, shards, cut)
			})
		}
	}
}

func familyStory(t *testing.T, shards, cut int) {
	several := func(o *Options) { o.Shards = shards }
	w := newWorld(t, several)
	commits, crashed := 0, false
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
		commits++
		return memstore.CommitFault{}
	}
	// turnOver crashes the server once so many batches have been committed.
	turnOver := func() {
		if !crashed && commits >= cut {
			crashed = true
			w.crash(several)
		}
	}
	step := func() {
		for {
			f := w.next()
			if f == nil {
				return
			}
			f()
			turnOver()
		}
	}
	tell := func(id string, in workflow.Input) {
		for range 5 {
			o := w.submit(id, "", in)
			step()
			if o.answered && !errors.Is(o.err, ErrUnavailable) {
				return
			}
		}
	}
	tell("parent", startOf("parent"))
	for range 20 {
		step()
		if len(w.matcher.offers) == 0 {
			w.advance(15 * time.Second) // a task whose worker died with the server times out
			step()
		}
		if len(w.matcher.offers) == 0 {
			break
		}
		offer := w.matcher.offers[0]
		w.matcher.offers = w.matcher.offers[1:]
		var started any
		w.matcher.owners[keyOf(&offer)].StartTask(offer, engine.Poller{Identity: "p", RequestID: fmt.Sprint("r", commits)}, func(s any, _ error) { started = s })
		step()
		task, ok := started.(*workflow.TaskStarted)
		if !ok {
			continue
		}
		name := task.Token.Run.Name
		switch {
		case name == "child":
			tell("child", completeTask(task, closeCommand()))
		case task.PreviousStartedEventID == 0:
			tell("parent", completeTask(task, childCommand("child")))
		default:
			tell("parent", completeTask(task))
		}
	}
	step()
	counts := map[enumspb.EventType]int{}
	key := w.currentRun("parent")
	for _, ev := range w.history(key) {
		counts[ev.EventType]++
	}
	for _, kind := range []enumspb.EventType{
		enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
	} {
		if counts[kind] != 1 {
			t.Errorf("%v happened %d times\n%.3000s", kind, counts[kind], w.logged.String())
		}
	}
	w.advance(time.Minute)
	for i := range w.host.shards {
		w.leftIn(i, store.FamilyOutbox)
	}
}

func (w *world) currentRun(id string) (key engine.RunKey) {
	w.Helper()
	w.view(id, func(run *workflow.Run) { key = run.Key })
	return key
}

// leftIn fails the test when a shard has rows of a family.
func (w *world) leftIn(shard int, family store.Family) {
	w.Helper()
	s := w.host.shards[shard].Load().store
	from, to := record.Family(family, s.Slots())
	n := 0
	if err := s.Scan(context.Background(), from, to, func(store.Entry) bool { n++; return true }); err != nil {
		w.Fatal(err)
	}
	if n > 0 {
		w.Errorf("%d rows of family %d are left", n, family)
	}
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

// A query of an idle run goes to a worker on its own, one of a busy run rides on
// the next workflow task.
func TestQueries(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", time.Hour)))
	ask := func() chan string {
		result := make(chan string, 1)
		go func() {
			resp, err := w.host.Query(context.Background(), idOf("a"), "", &workflowservice.QueryWorkflowRequest{
				Query: &querypb.WorkflowQuery{QueryType: "state"}})
			if err != nil {
				result <- "error: " + err.Error()
				return
			}
			result <- string(resp.GetQueryResult().GetPayloads()[0].GetData())
		}()
		return result
	}
	payload := func(s string) *commonpb.Payloads {
		return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(s)}}}
	}

	result := ask()
	w.await(func() { w.matcher.awaitQuery() })
	q := w.matcher.query(0)
	if q.Started.HistoryTo != 5 || q.Started.HistoryFrom != 1 || q.Run.Name != "a" {
		t.Errorf("asked %+v", q.Started)
	}
	if err := w.host.AnswerQuery(context.Background(), q.ID, &workflowservice.RespondQueryTaskCompletedRequest{
		CompletedType: enumspb.QUERY_RESULT_TYPE_ANSWERED, QueryResult: payload("direct")}); err != nil {
		t.Error(err)
	}
	if got := <-result; got != "direct" {
		t.Errorf("got %q", got)
	}
	err := w.host.AnswerQuery(context.Background(), q.ID, &workflowservice.RespondQueryTaskCompletedRequest{})
	if engine.KindOf(err) != engine.KindNotFound {
		t.Errorf("a second answer: %v", err)
	}

	w.do("a", "", signalOf("a", "s"))
	result = ask()
	for w.host.asked(idOf("a")) == 0 {
		<-w.woken
		w.settle()
	}
	task := w.take().(*workflow.TaskStarted)
	riding := w.host.TaskQueries(task.Token)
	if len(riding) != 1 {
		t.Fatalf("%d queries ride on the task", len(riding))
	}
	done := completeTask(task)
	done.Request.QueryResults = map[string]*querypb.WorkflowQueryResult{}
	for id := range riding {
		done.Request.QueryResults[id] = &querypb.WorkflowQueryResult{
			ResultType: enumspb.QUERY_RESULT_TYPE_FAILED, ErrorMessage: "no such query"}
	}
	w.do("a", "", done)
	if got := <-result; !strings.Contains(got, "no such query") {
		t.Errorf("got %q", got)
	}
	if len(w.host.TaskQueries(task.Token)) != 0 {
		t.Error("the query rides on")
	}
}

// asked counts the queries a run holds; only while the loop rests.
func (h *Host) asked(id engine.ID) (n int) {
	if e := h.shardOf(id).entries[id]; e != nil {
		for _, held := range e.runs {
			if held.queries != nil {
				n += len(held.queries.list)
			}
		}
	}
	return n
}

// A message to a run in the same shard's memory is delivered in the batch that
// sends it, and so is the answer: no row, no further commit.
func TestMessageAtHandSharesTheBatch(t *testing.T) {
	w := newWorld(t)
	w.do("target", "", startOf("target"))
	w.do("sender", "", startOf("sender"))
	for len(w.matcher.offers) > 1 { // the target's
		w.take()
	}
	task := w.take().(*workflow.TaskStarted)
	commits, outbox := 0, 0
	w.faults.Commit = func(_ store.Shard, b *store.Batch) memstore.CommitFault {
		commits++
		for _, op := range b.Ops {
			if op.Key.Family == store.FamilyOutbox {
				outbox++
			}
		}
		return memstore.CommitFault{}
	}
	w.do("sender", "", completeTask(task, &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{
			SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
				Execution: &commonpb.WorkflowExecution{WorkflowId: "target"}, SignalName: "hello",
			}},
	}))
	if commits != 1 || outbox != 0 {
		t.Errorf("%d commits, %d outbox rows; want 1 and 0", commits, outbox)
	}
	w.view("target", func(run *workflow.Run) {
		if run.Info.SignalCount != 1 {
			t.Errorf("the target has %d signals", run.Info.SignalCount)
		}
	})
	w.view("sender", func(run *workflow.Run) {
		if len(run.Signals) != 0 {
			t.Error("the sender was not answered")
		}
	})
}

// I11: no more runs stay in memory than there is room for, and nothing is lost
// for it.
func TestI11CacheIsBounded(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.CacheRuns = 10 })
	for i := range 100 {
		id := fmt.Sprint("w", i)
		w.do(id, "", startOf(id))
		w.do(id, "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", time.Hour)))
		if s := w.host.shards[0].Load(); s.held > 10+2 {
			t.Fatalf("%d runs in memory", s.held)
		}
	}
	w.advance(time.Hour)
	if n := len(w.matcher.offers); n != 100 {
		t.Errorf("%d timers fired, want 100", n)
	}
	for i := range 200 { // ids that nobody has heard of take no room for long either
		w.submit(fmt.Sprint("unknown", i), "", signalOf("x", "s"))
		w.settle()
	}
	if s := w.host.shards[0].Load(); len(s.entries) > 10+2 {
		t.Errorf("%d entries in memory", len(s.entries))
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

// History is read by batches, forwards and backwards, from any event.
func TestHistoryPages(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	for i := range 30 {
		w.do("a", "", signalOf("a", fmt.Sprint(i)))
		if i == 10 {
			w.do("a", "", completeTask(w.take().(*workflow.TaskStarted)))
		}
	}
	key := w.currentRun("a")
	w.evictAll()
	all := w.history(key)
	if s := w.host.shards[0].Load(); s.held != 0 {
		t.Error("a read of history has loaded the run")
	}
	w.await(func() {
		var n int64
		for next := int64(1); next != 0; n++ {
			page, err := w.host.History(context.Background(), key, next, 0, 3)
			if err != nil {
				t.Error(err)
				return
			}
			next = page.NextEventID
		}
		if n < 5 {
			t.Errorf("%d pages of %d events", n, len(all))
		}
		events, next, err := w.host.HistoryReverse(context.Background(), key, 0, 0)
		if err != nil || next != 0 || len(events) != len(all) || events[0].EventId != int64(len(all)) || events[len(all)-1].EventId != 1 {
			t.Errorf("reverse: %d events, next %d, %v", len(events), next, err)
		}
		if _, err := w.host.History(context.Background(), engine.RunKey{ID: key.ID, RunID: "other"}, 1, 0, 0); engine.KindOf(err) != engine.KindNotFound {
			t.Errorf("another run: %v", err)
		}
		page, err := w.host.History(context.Background(), key, int64(len(all))+1, 0, 0)
		if err != nil || len(page.Bytes) != 0 || page.NextEventID != 0 {
			t.Errorf("beyond the end: %d bytes, %v", len(page.Bytes), err)
		}
		ev, err := w.host.Event(context.Background(), key, 1, 1)
		if err != nil || ev.EventId != 1 {
			t.Errorf("event 1: %v, %v", ev, err)
		}
	})
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
	err := w.host.VisibilityRecords(context.Background(), func(r *engine.VisibilityRecord) error {
		got++
		if v := want[r.Run.Name]; v == nil || v.Run != r.Run || v.Status != r.Status || v.Version > r.Version || !v.CloseTime.Equal(r.CloseTime) {
			t.Errorf("read %+v, the feed had %+v", r, v)
		}
		return nil
	})
	if err != nil || got != 9 {
		t.Errorf("%d records, %v", got, err)
	}
}
