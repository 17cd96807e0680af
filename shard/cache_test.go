package shard

import (
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

// A run that leaves memory and comes back is the same, whatever it holds.
func TestEvictionAndReloadGiveTheSameState(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted),
		timerCommand("t", 48*time.Hour), activityCommand("act"), timerCommand("u", 72*time.Hour)))
	w.do("a", "", signalOf("a", "one"))
	w.take() // the activity, or the workflow task: whichever was offered first
	w.do("a", "", signalOf("a", "two"))
	before := w.image("a")
	w.evictAll()
	if after := w.image("a"); !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
}

// evictAll empties the memory as the idle sweep does, without moving the clock.
func (w *world) evictAll() {
	w.Helper()
	s := w.host.shards[0].Load()
	for range 3 {
		s.inbox.report(func() {
			for _, e := range s.entries {
				if !s.evict(e) {
					e.leaving = true
				}
			}
		})
		w.settle()
	}
	if s.held != 0 || len(s.entries) != 0 {
		w.Fatalf("%d runs and %d entries stay in memory", s.held, len(s.entries))
	}
}

// image is what matters of a run, comparable.
func (w *world) image(id string) (image map[string]string) {
	w.Helper()
	w.view(id, func(run *workflow.Run) {
		image = map[string]string{
			"deadline": run.NextDeadline().String(),
			"next":     fmt.Sprint(run.Info.NextEventID),
			"task":     fmt.Sprintf("%+v", run.Info.Task),
		}
		for id, a := range run.Activities {
			image[fmt.Sprint("activity ", id)] = fmt.Sprint(a.ID, a.Status, a.Attempt, a.Stamp, a.DueTime, a.StartedTime, a.Options.RetryPolicy.String())
		}
		for id, t := range run.Timers {
			image["timer "+id] = fmt.Sprintf("%+v", *t)
		}
		for id, r := range run.Requests {
			image["request "+id] = fmt.Sprintf("%+v", *r)
		}
		for n, ev := range run.Buffered {
			image[fmt.Sprint("buffered ", n)] = ev.String()
		}
		for _, offer := range run.Offers() {
			image[fmt.Sprint("offer ", offer.EventID)] = fmt.Sprintf("%+v", offer)
		}
	})
	return image
}

// A store that is slow to read one execution does not hold up the others.
func TestSlowLoadStallsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := record.SlotOf(idOf("slow"))
		driver := memstore.New(memstore.Options{Chance: silent{}, Faults: memstore.Faults{
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

// silent is a chance by which the store never tells that an id is new without being
// read.
type silent struct{}

func (silent) IntN(int) int { return 0 }

// A start of an id that the store knows to be new reads nothing; an id is not new
// because it has left memory.
func TestNewIDIsNotRead(t *testing.T) {
	w := newWorld(t)
	reads := 0
	w.faults.Read = func(store.Key) memstore.ReadFault { reads++; return memstore.ReadFault{} }
	w.do("order", "", startOf("order"))
	if reads > 0 {
		t.Errorf("%d reads for an id that is new", reads)
	}
	w.do("order", "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", time.Hour)))
	w.evictAll()
	again := startOf("order")
	again.Request.RequestId = "another"
	refused := w.submit("order", "", again)
	w.settle()
	if engine.KindOf(refused.err) != engine.KindAlreadyStarted {
		t.Errorf("a start of an id that has an open run: %v", refused.err)
	}
	if reads == 0 {
		t.Error("nothing was read to learn that the id has an open run")
	}
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

// What is used again and again stays in memory although a burst of others comes
// by, and more of it than there is room for others.
func TestRegularRunsStay(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.CacheRuns = 10 })
	const regular = 2 * 10
	for i := range regular {
		id := fmt.Sprint("regular", i)
		w.doAlone(id, startAlone(id))
		started := w.takeAlone()
		w.advance(regularAfter)
		w.doAlone(id, &standalone.Heartbeat{Stamp: started.Activity.Stamp})
	}
	for i := range 100 {
		id := fmt.Sprint("burst", i)
		w.do(id, "", startOf(id))
		w.take()
	}
	reads := 0
	w.faults.Read = func(store.Key) memstore.ReadFault { reads++; return memstore.ReadFault{} }
	for i := range regular {
		w.doAlone(fmt.Sprint("regular", i), &standalone.Heartbeat{Stamp: activity.ByID})
	}
	if s := w.host.shards[0].Load(); reads > 0 || s.held > 10+regular {
		t.Errorf("%d reads of what is used all the time; %d runs in memory", reads, s.held)
	}
	w.advance(time.Minute)
	if s := w.host.shards[0].Load(); len(s.entries) > 0 {
		t.Errorf("%d entries in memory although all are idle", len(s.entries))
	}
}

// I11: what is kept in memory is bounded by its size, too: large runs leave
// earlier than small ones, and one of them does not drive out all others.
func TestI11CacheIsBoundedInBytes(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.CacheRuns = 160 })
	large := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, 10*usualBytes)}}}
	start := func(id string, input *commonpb.Payloads) {
		in := startAlone(id)
		in.Request.Input = input
		w.doAlone(id, in)
	}
	s := w.host.shards[0].Load()
	for i := range 100 {
		start(fmt.Sprint("large", i), large)
		if s.held > 160/10+2 {
			t.Fatalf("%d runs of ten times the usual size are in memory, room is for 160 of the usual one", s.held)
		}
	}
	for i := range 50 {
		id := fmt.Sprint("talkative", i)
		start(id, nil)
		w.matcher.offers = w.matcher.offers[len(w.matcher.offers)-1:]
		w.takeAlone()
		w.doAlone(id, &standalone.Heartbeat{Stamp: activity.ByID, Details: large})
	}
	if s.held > 160/10+2 {
		t.Errorf("%d runs with large details are in memory", s.held)
	}
	for i := range 140 {
		start(fmt.Sprint("small", i), nil)
	}
	start("giant", &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, 400*usualBytes)}}})
	if s.held < 140 {
		t.Errorf("%d runs are in memory beside a giant", s.held)
	}
	w.evictAll()
	if got := s.recent.once.room() + s.recent.again.room(); got != 0 {
		t.Errorf("with nothing in memory %d is taken", got)
	}
}
