package shard

import (
	"container/list"
	"slices"
	"strings"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/store"
)

// request is one input, or one look at the state, on its way through a shard.
type request struct {
	id    engine.ID
	runID string // empty: the current run
	in    engine.Input
	// look reads the state instead. h is never nil; NotFound is answered for it.
	look func(h *held)
	// done is called once: after durability, or with what went wrong. It is nil
	// where somebody waits in shard.call, or watches.
	done     func(reply any, err error)
	answered chan struct{} // of shard.call: reply and err are the outcome
	watch    *watcher      // is told of a fault only; else when it sees what it waits for
	// outside: the request came from outside and counts against MaxPending.
	outside bool
	// joins waits for news of the update that the input is about.
	joins *updateWaiter
	// also puts rows into the batch of the step, unless it is refused.
	also func(b *store.Batch)
	// reset is what was read for a *workflow.ResetWorkflow.
	reset *resetting
	// again is a message that may have been delivered before; asked: the runs of
	// its receiver were asked for it, and takenBy is the one that has it.
	again   *engine.Message
	asked   bool
	takenBy string
	// task is the offer that a start is about.
	task *engine.Task
	// peek looks at the run if it is in memory, at nil otherwise: nothing is
	// read. What is not in memory is in the store as it is.
	peek func(h *held)
	// told: done has been called.
	told bool
	// reply and err are what the caller is told once a batch is durable.
	reply any
	err   error
	// entry is that of the id, once the request has been admitted to it.
	entry *entry
	// due: a deadline of the run, counted in dueFlying.
	due bool
}

// entry is what is in memory of one execution id.
type entry struct {
	id   engine.ID
	slot store.Slot

	// known: current has been read or written since the entry was made.
	known   bool
	current string // run id of the newest run; empty when there is none
	// currentChanged: the open batch must write the pointer.
	currentChanged bool

	// runs in memory, in the order of their ids: what a simulated world does must
	// follow from its seed alone. Nearly always there is one, for which a map was
	// dear. A held without a run stands for one that does not exist.
	runs []*held

	// waiting requests, behind a read of the store or in the ready list. While
	// there are any, newer ones queue too: inputs are served in order.
	waiting []*request
	loading bool
	ready   bool // in shard.ready

	// lastBatch is the newest batch with changes to this id, or 0.
	lastBatch uint64
	// outgoing counts messages sent by this id that are on their way: later
	// ones may not overtake them.
	outgoing int

	// made is when the entry was, touched when it was last in use.
	made, touched time.Time
	// leaving: the entry goes from memory once what it wrote for that is durable.
	leaving bool
	place   *list.Element // in shard.recent.once, or .again if regular
	regular bool
	// weight is what the runs count in the room for the list, beyond one.
	weight int
}

// held is a run in memory.
//
// Invariant: run is the stored state with the changes of all batches up to
// lastBatch, and of what is deferred, applied.
type held struct {
	entry *entry
	key   engine.RunKey
	run   execution // nil: there is no such run (never was, or deleted)

	// dirty: the open batch will write what has changed.
	dirty bool
	// deferred: what has changed may wait, until writeBy.
	deferred bool
	writeBy  time.Time
	// weight is what the run adds to its entry's.
	weight int
	// noted is when the run is going to be looked at, by the queue of deadlines;
	// zero: it is not in there. Invariant: never later than NextDeadline, but for
	// a run whose look went wrong.
	noted time.Time
	// exact: the deadline row must be written as it is, because the run is
	// about to leave memory or has closed.
	exact bool
	// owed: the run has no deadline row, although it is armed: its row in the feed
	// stands in for it. It stays in memory as long.
	owed bool

	lastBatch uint64 // newest batch with changes to this run
	// fedIn is the newest batch with a change for the visibility index, and fedAt
	// where that is among the batch's. Zero: the index has all that there was since
	// the run came into memory. Invariant: if not, the run's row in the feed is
	// stored, or in a batch on its way there.
	fedIn uint64
	fedAt int

	watchers []*watcher // those first who came first
	// awaited: the run has closed, and those who waited for it will read its end.
	awaited bool
	queries *runQueries
	updates map[string][]*updateWaiter // who waits, by update id
}

func (s *shard) hold(e *entry, runID string, run execution) *held {
	h := &held{entry: e, key: engine.RunKey{ID: e.id, RunID: runID}, run: run}
	at, _ := e.find(runID)
	e.runs = slices.Insert(e.runs, at, h)
	s.held++
	s.weigh(h)
	s.opt.Metrics.Loaded(1)
	return h
}

func (s *shard) drop(h *held) {
	if at, ok := h.entry.find(h.key.RunID); ok {
		h.entry.runs = slices.Delete(h.entry.runs, at, at+1)
	}
	s.held--
	s.reweigh(h, 0)
	s.opt.Metrics.Loaded(-1)
}

// find is where a run's place among the runs is, and whether it is there.
func (e *entry) find(runID string) (at int, ok bool) {
	return slices.BinarySearchFunc(e.runs, runID, func(h *held, runID string) int { return strings.Compare(h.key.RunID, runID) })
}

// run is what is held of a run; nil when nothing is.
func (e *entry) run(runID string) *held {
	if at, ok := e.find(runID); ok {
		return e.runs[at]
	}
	return nil
}

// busy reports whether new requests have to queue.
func (e *entry) busy() bool { return e.loading || len(e.waiting) > 0 }

// pinned reports whether the run must stay in memory.
func (s *shard) pinned(h *held) bool {
	return h.dirty || h.deferred || h.lastBatch > s.durable || len(h.watchers) > 0 || h.queries != nil ||
		len(h.updates) > 0 || h.run != nil && h.run.Volatile()
}

// settled reports whether a run that is not pinned can leave without a trace:
// it has its deadline row, and that says exactly when to look at it again.
func settled(h *held) bool {
	return h.run == nil || !h.owed && h.run.NextDeadline().Equal(h.run.armed())
}

// evict tries to take an entry out of memory. A run that would leave without a
// trace of its true deadline is written first; it leaves when that is durable.
func (s *shard) evict(e *entry) bool {
	if e.busy() || e.lastBatch > s.durable || e.currentChanged || e.outgoing > 0 {
		return false
	}
	free := true
	for _, h := range e.runs {
		free = s.release(h) && free
	}
	if !free {
		return false
	}
	for len(e.runs) > 0 {
		s.leave(e.runs[0])
	}
	s.recent.remove(e)
	delete(s.entries, e.id)
	return true
}

// release reports whether the run may leave memory now, and does what it takes
// to let it leave later.
func (s *shard) release(h *held) bool {
	if h.deferred {
		s.flush(h)
		return false
	}
	if s.pinned(h) {
		return false
	}
	if !settled(h) {
		h.exact = true
		s.touch(h)
		return false
	}
	return true
}

func (s *shard) leave(h *held) {
	if h.run != nil {
		s.left(h.key, h.run.NextDeadline())
	}
	s.drop(h)
}

// retire lets a run go that is closed or deleted, as soon as nobody needs it:
// what is closed belongs in the store's cache, not among our objects.
func (s *shard) retire(h *held) {
	if h.run != nil && h.run.Open() || h.entry.busy() || h.entry.run(h.key.RunID) != h {
		return
	}
	if len(h.entry.runs) == 1 {
		s.evict(h.entry)
		return
	}
	if h.entry.current != h.key.RunID && s.release(h) {
		s.leave(h)
	}
}
