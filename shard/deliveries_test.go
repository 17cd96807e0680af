package shard

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// fakeReceivers are callers that wait for executions: what each has heard, by
// the id by which it knows a repetition.
type fakeReceivers struct {
	w *world
	// heard counts the requests that arrived, taken those that took effect.
	heard map[string]int
	taken map[string]int
	// mood says what becomes of a request, and whether its report is lost.
	mood func(d *engine.Delivery, heard int) (callback.Verdict, bool)
	last *engine.Delivery
}

func newReceivers() *fakeReceivers {
	return &fakeReceivers{
		heard: map[string]int{}, taken: map[string]int{},
		mood: func(*engine.Delivery, int) (callback.Verdict, bool) { return callback.Accepted, false },
	}
}

func (f *fakeReceivers) Deliver(d *engine.Delivery, done func(callback.Answer)) {
	f.last = d
	f.w.closedDurably(d.Run)
	f.heard[d.RequestID]++
	verdict, lost := f.mood(d, f.heard[d.RequestID])
	if verdict == callback.Accepted {
		f.taken[d.RequestID] = 1 // again changes nothing
	}
	if !lost {
		f.w.spawn(func() { done(callback.Answer{Verdict: verdict, Failure: &failurepb.Failure{Message: "no"}}) })
	}
}

// closedDurably: nobody may be told of an end that a power cut could undo.
func (w *world) closedDurably(key engine.RunKey) {
	if run := w.stored(key); run == nil || run.Open() {
		w.Errorf("%v is told of before its end is durable", key)
	}
}

// stored is a run as the store has it; nil for none.
func (w *world) stored(key engine.RunKey) execution {
	load := machineOf(key.Archetype).load(key)
	for _, e := range w.rows(store.FamilyState) {
		if k, err := record.ParseStateKey(e.Key); err == nil && k.Run.RunID == key.RunID {
			load.Add(e)
		}
	}
	run, err := load.run(epoch)
	if err != nil {
		w.Fatal(err)
	}
	return run
}

func callbacksTo(urls ...string) (list []*commonpb.Callback) {
	for _, url := range urls {
		list = append(list, &commonpb.Callback{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{Url: url}}})
	}
	return list
}

// waited is an execution of either archetype with two callbacks.
type waited struct {
	id    engine.ID
	start engine.Input
	// end completes what was started for a worker.
	end func(started any) engine.Input
}

func waitedFor() map[string]waited {
	flow := startOf("a")
	flow.Request.CompletionCallbacks = callbacksTo("one", "two")
	alone := startAlone("a")
	alone.Request.CompletionCallbacks = callbacksTo("one", "two")
	return map[string]waited{
		"workflow": {idOf("a"), flow, func(started any) engine.Input {
			return completeTask(started.(*workflow.TaskStarted), closeCommand())
		}},
		"activity": {activityID("a"), alone, func(started any) engine.Input {
			c := completeAlone(started)
			c.Result = &commonpb.Payloads{}
			return c
		}},
	}
}

// statuses are those of an execution's callbacks, in order.
func (w *world) statuses(id engine.ID) (s []enumspb.CallbackState) {
	w.Helper()
	collect := func(callbacks map[int64]*callback.State) {
		for n := int64(1); callbacks[n] != nil; n++ {
			s = append(s, callbacks[n].Status)
		}
	}
	if id.Archetype == engine.ArchetypeWorkflow {
		w.view(id.Name, func(r *workflow.Run) { collect(r.Callbacks) })
	} else {
		w.viewAlone(id.Name, func(r *standalone.Run) { collect(r.Callbacks) })
	}
	return s
}

// I8: each receiver is told of an execution's end at least once, and takes it
// once, wherever the power is cut and whatever it makes of the first requests.
// It is never told before the end is durable.
func TestI8CallbacksTakeEffectOnce(t *testing.T) {
	moods := map[string]func(*engine.Delivery, int) (callback.Verdict, bool){
		"well":          func(*engine.Delivery, int) (callback.Verdict, bool) { return callback.Accepted, false },
		"failing twice": func(_ *engine.Delivery, n int) (callback.Verdict, bool) { return later(n > 2), false },
		"held back":     func(_ *engine.Delivery, n int) (callback.Verdict, bool) { return blocked(n > 2), false },
		"a report lost": func(_ *engine.Delivery, n int) (callback.Verdict, bool) { return callback.Accepted, n == 1 },
		"no answer":     func(_ *engine.Delivery, n int) (callback.Verdict, bool) { return later(n > 1), n == 1 },
	}
	for kind, x := range waitedFor() {
		for name, mood := range moods {
			for cut := range 9 {
				t.Run(fmt.Sprintf("%s, %s, cut after commit %d", kind, name, cut), func(t *testing.T) {
					callbackStory(t, x, mood, cut)
				})
			}
		}
	}
}

func later(well bool) callback.Verdict {
	if well {
		return callback.Accepted
	}
	return callback.Failed
}

func blocked(well bool) callback.Verdict {
	if well {
		return callback.Accepted
	}
	return callback.Blocked
}

func callbackStory(t *testing.T, x waited, mood func(*engine.Delivery, int) (callback.Verdict, bool), cut int) {
	receivers := newReceivers()
	receivers.mood = mood
	with := func(o *Options) { o.Deliverer = receivers }
	commits, crashed := 0, false
	w := newWorld(t, with)
	receivers.w = w
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
		commits++
		return memstore.CommitFault{}
	}
	step := func() {
		for f := w.next(); f != nil; f = w.next() {
			f()
			if !crashed && commits >= cut {
				crashed = true
				w.crash(with)
			}
		}
	}
	tell := func(in engine.Input) {
		for range 5 {
			o := w.submitTo(x.id, "", in)
			step()
			if o.answered && !errors.Is(o.err, ErrUnavailable) {
				return
			}
		}
	}
	tell(x.start)
	for range 10 {
		step()
		if len(w.matcher.offers) == 0 {
			w.advance(70 * time.Second) // a task whose worker died with the server times out
		}
		if len(w.matcher.offers) == 0 {
			break
		}
		offer := w.matcher.offers[0]
		w.matcher.offers = w.matcher.offers[1:]
		var started any
		w.matcher.owners[keyOf(&offer)].StartTask(offer, engine.Poller{RequestID: fmt.Sprint("r", commits)}, func(s any, _ error) { started = s })
		step()
		if started != nil {
			tell(x.end(started))
		}
	}
	for range 40 {
		w.clock.Advance(5 * time.Second)
		step()
	}
	w.settle()
	want := []enumspb.CallbackState{enumspb.CALLBACK_STATE_SUCCEEDED, enumspb.CALLBACK_STATE_SUCCEEDED}
	if got := w.statuses(x.id); !slices.Equal(got, want) {
		t.Fatalf("the callbacks are %v\nheard %v\n%s", got, receivers.heard, w.logged.String())
	}
	if len(receivers.taken) != 2 {
		t.Errorf("%d receivers know of the end, want 2", len(receivers.taken))
	}
	before := fmt.Sprint(receivers.heard)
	w.crash(with)
	w.advance(time.Minute)
	if after := fmt.Sprint(receivers.heard); after != before {
		t.Errorf("delivered again: %s, before %s", after, before)
	}
}

// A callback is told the same by later tries, although what it is told has left
// memory meanwhile; and retention takes the run with what is undelivered.
func TestUndeliveredCallbacksLiveAsLongAsTheirRun(t *testing.T) {
	for kind, x := range waitedFor() {
		t.Run(kind, func(t *testing.T) {
			receivers := newReceivers()
			receivers.mood = func(*engine.Delivery, int) (callback.Verdict, bool) { return callback.Failed, false }
			w := newWorld(t, func(o *Options) { o.Deliverer = receivers })
			receivers.w = w
			o := w.submitTo(x.id, "", x.start)
			w.settle()
			if o.err != nil {
				t.Fatal(o.err)
			}
			started, err := w.start(w.matcher.offers[0])
			if err != nil {
				t.Fatal(err)
			}
			o = w.submitTo(x.id, "", x.end(started))
			w.settle()
			if o.err != nil {
				t.Fatal(o.err)
			}
			first := receivers.last.Completion
			w.evictAll()
			w.advance(90 * time.Second)
			if n := receivers.heard[receivers.last.RequestID]; n < 5 {
				t.Errorf("heard %d times", n)
			}
			if got := receivers.last.Completion; first == nil || got == nil || got.Failure != nil || got.Canceled {
				t.Errorf("told %v, then %v", first, got)
			}
			w.advance(25 * time.Hour)
			if rows := w.rows(store.FamilyState); len(rows) != 0 {
				t.Errorf("%d rows of state after retention", len(rows))
			}
			if rows := w.rows(store.FamilyDeadline); len(rows) != 0 {
				t.Errorf("%d deadlines after retention", len(rows))
			}
		})
	}
}

// What to tell cannot be read now: the try is made again later.
func TestACallbackWaitsForADiskThatCannotRead(t *testing.T) {
	x := waitedFor()["workflow"]
	receivers := newReceivers()
	receivers.mood = func(_ *engine.Delivery, n int) (callback.Verdict, bool) { return later(n > 1), false }
	w := newWorld(t, func(o *Options) { o.Deliverer = receivers })
	receivers.w = w
	w.submitTo(x.id, "", x.start)
	w.settle()
	started, err := w.start(w.matcher.offers[0])
	if err != nil {
		t.Fatal(err)
	}
	w.submitTo(x.id, "", x.end(started))
	w.settle()
	w.faults.Read = func(k store.Key) memstore.ReadFault {
		if k.Family == store.FamilyHistory {
			return memstore.ReadFault{Err: errors.New("no")}
		}
		return memstore.ReadFault{}
	}
	w.advance(10 * time.Second)
	if n := receivers.heard[receivers.last.RequestID]; n != 1 {
		t.Fatalf("heard %d times", n)
	}
	w.faults.Read = nil
	w.advance(time.Minute)
	want := []enumspb.CallbackState{enumspb.CALLBACK_STATE_SUCCEEDED, enumspb.CALLBACK_STATE_SUCCEEDED}
	if got := w.statuses(x.id); !slices.Equal(got, want) {
		t.Errorf("the callbacks are %v", got)
	}
}

// A server without a deliverer says so rather than let callbacks wait for ever.
func TestWithoutADelivererCallbacksFail(t *testing.T) {
	x := waitedFor()["workflow"]
	w := newWorld(t)
	w.submitTo(x.id, "", x.start)
	w.settle()
	started, err := w.start(w.matcher.offers[0])
	if err != nil {
		t.Fatal(err)
	}
	w.submitTo(x.id, "", x.end(started))
	w.settle()
	want := []enumspb.CallbackState{enumspb.CALLBACK_STATE_FAILED, enumspb.CALLBACK_STATE_FAILED}
	if got := w.statuses(x.id); !slices.Equal(got, want) {
		t.Errorf("the callbacks are %v", got)
	}
}
