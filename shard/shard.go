package shard

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// shard is one loop and what it owns: a range of slots, under one epoch. After
// a fault it is finished and the host makes another.
type shard struct {
	opt   *Options
	host  *Host
	index int
	slots store.SlotRange
	store store.Shard
	room  int // runs this shard may keep in memory

	// ctx ends when the shard is finished; reads under way end with it.
	ctx    context.Context
	cancel context.CancelFunc

	inbox   inbox
	pending atomic.Int64 // requests from outside, accepted and not answered
	// stopped is closed when a stop is complete or the shard has failed.
	stopped chan struct{}

	// All below is the loop's alone.

	// reports and inputs taken from the inbox and not yet looked at, and the
	// request in hand: a bug must not swallow them.
	notes
	taken      notes // the lists they are in, whole
	hand       *request
	performing *batch

	// now is the shard's time. Invariant: never earlier than any time it has
	// ever written.
	now time.Time

	// stepEnv and fresh are what the present step is given.
	stepEnv engine.Env
	fresh   engine.Fresh

	entries map[engine.ID]*entry
	recent  recent
	held    int
	ready   []*entry
	aside   map[engine.ID]error

	open    *batch
	flying  []*batch // sealed and not ended, oldest first
	spare   []*batch // empty ones, never more than may fly and one
	durable uint64   // newest batch that is durable

	// opened is when the shard was: heartbeats before that may be lost (I1).
	opened time.Time

	lazy      store.Batch
	lazySince time.Time
	deferrals deferrals
	sequence  uint64
	// fed are the changes the index has not acknowledged, oldest first, for each of
	// the shard's slots, and unfed their runs by run id. Invariant: a run is in
	// unfed exactly while its row in the feed is stored, or in a batch on its way
	// there.
	fed   [][]fedChange
	unfed map[string]*unfedRun

	watching int // watchers of all runs
	reading  int
	readers  []func(ctx context.Context)

	deadlines deadlines
	backlog   backlog
	outbox    outbox
	local     local
	queries   queries

	alarm   clock.Timer // nil: none is set
	alarmAt time.Time
	alarmNo uint64

	state shardState
	// full: the store had no room for a batch; see holding.
	full bool

	// broken is the bug because of which the open batch was dropped: the shard
	// fails once what is under way has ended.
	broken  error
	culprit engine.ID // whose rows are being sealed
}

type shardState uint8

const (
	serving shardState = iota
	stopping
	finished
)

func newShard(h *Host, index int, slots store.SlotRange, st store.Shard, aside map[engine.ID]error) *shard {
	s := &shard{
		opt: &h.opt, host: h, index: index, slots: slots, store: st,
		room:     max(1, h.opt.CacheRuns/h.opt.Shards),
		opened:   h.opt.Clock.Now().UTC().Round(0),
		stopped:  make(chan struct{}),
		entries:  make(map[engine.ID]*entry),
		aside:    aside,
		open:     newBatch(1),
		sequence: record.FirstSequence(st.Epoch()),
		fed:      make([][]fedChange, slots.To-slots.From),
		unfed:    make(map[string]*unfedRun),
	}
	s.backlog.queues = make(map[engine.TaskQueue]*queue)
	s.backlog.depths.of = make(map[engine.TaskQueue]int)
	s.queries.init()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.inbox.spawn, s.inbox.run = h.opt.Spawn, s.run
	return s
}

// run turns the loop until there is nothing to do.
func (s *shard) run() {
	for {
		// Whoever is ready to run leaves a note first: under load a turn then
		// serves several inputs and a batch holds them, where else the first one
		// made a batch of its own. (7 % of the CPU of a workflow with one activity.)
		runtime.Gosched()
		s.turn()
		if len(s.reports) == 0 && len(s.inputs) == 0 && s.inbox.rest(s.accepts()) {
			return
		}
	}
}

// inputsPerTurn bounds the inputs taken in one turn, so that what is durable
// does not wait long to be told.
const inputsPerTurn = 128

// turn takes what has come in and carries it out. It never waits.
func (s *shard) turn() {
	defer s.recoverBreach()
	most := 0
	if s.accepts() {
		most = inputsPerTurn
	}
	s.takeIn(most)
	s.tick()
	for len(s.reports) > 0 {
		f := s.reports[0]
		s.reports = s.reports[1:]
		f()
	}
	for len(s.inputs) > 0 {
		r := s.inputs[0]
		s.inputs = s.inputs[1:]
		if s.state != serving || s.broken != nil {
			s.finish(r, nil, ErrUnavailable)
			continue
		}
		s.admit(r)
	}
	s.taken = s.taken.emptied()
	if s.ended() {
		return
	}
	if s.broken != nil {
		s.failWhenStill()
		return
	}
	s.drainReady()
	if s.state == serving && !s.holding() {
		s.fireDue()
	}
	if !s.holding() {
		s.flushDeferred(s.state == stopping)
	}
	if s.state == serving {
		s.evictions()
	}
	s.commit()
	s.setAlarm()
	s.stopWhenStill()
}

func (s *shard) takeIn(most int) {
	if len(s.reports) == 0 && len(s.inputs) == 0 {
		s.taken = s.inbox.take(most, s.taken.emptied())
		s.notes = s.taken
		return
	}
	// A bug has ended the turn before.
	more := s.inbox.take(most, notes{})
	s.reports = append(s.reports, more.reports...)
	s.inputs = append(s.inputs, more.inputs...)
}

// accepts reports whether there is room for more steps: with all batches under
// way and the open one full, inputs wait in the inbox, and there their number
// is bounded.
func (s *shard) accepts() bool {
	if s.broken != nil {
		return false
	}
	full := s.open.steps >= s.opt.MaxBatchSteps || s.open.size() >= s.opt.MaxBatchBytes
	return !full || len(s.flying) < s.opt.MaxFlying
}

func (s *shard) ended() bool { return s.state == finished }

// newest is the newest batch that holds anything.
func (s *shard) newest() uint64 {
	if s.open.worth() {
		return s.open.no
	}
	return s.open.no - 1
}

// recoverBreach confines a bug: the batch it happened in is dropped, and the
// shard begins anew from what is durable.
func (s *shard) recoverBreach() {
	p := recover()
	if p == nil {
		return
	}
	bug := fmt.Errorf("shard %d: %v\n%s", s.index, p, debug.Stack())
	s.opt.Log.Error("a bug: the shard drops its open batch and opens again; please report it", "shard", s.index, "error", bug)
	if s.culprit != (engine.ID{}) {
		_ = s.setAside(s.culprit, bug)
	}
	if r := s.hand; r != nil {
		s.hand = nil
		s.finish(r, nil, ErrUnavailable)
	}
	if s.ended() {
		return
	}
	if s.performing != nil {
		s.discard(s.performing, ErrUnavailable)
		s.performing = nil
	}
	s.broken = bug
	b := s.open
	s.open = newBatch(b.no + 1)
	s.discard(b, ErrUnavailable)
}

// failWhenStill ends a broken shard when its batches under way have ended, so
// that what is durable is still told.
func (s *shard) failWhenStill() {
	if len(s.flying) == 0 {
		s.fail(s.broken)
	}
}

// discard tells those who wait for a batch that it will not be.
func (s *shard) discard(b *batch, fault error) {
	for _, h := range b.handovers {
		s.opt.Matcher.Release(h.reservation)
	}
	for _, reply := range b.replies {
		reply.hear(s, fault)
	}
	b.replies, b.handovers = nil, nil
}

// fail ends the shard: it forgets its memory, answers everybody, and has the
// host open the slots again.
func (s *shard) fail(err error) {
	if s.ended() {
		return
	}
	stop := s.state == stopping
	fault := ErrUnavailable
	if errors.Is(err, store.ErrFull) {
		fault, s.full = ErrFull, true
	}
	s.finishAll(fmt.Errorf("%w (%w)", fault, err))
	s.host.failed(s, err, stop)
}

// finishAll answers everybody and lets go of everything.
func (s *shard) finishAll(fault error) {
	s.state = finished
	s.cancel()
	if s.alarm != nil {
		s.alarm.Stop()
		s.alarm = nil
	}
	left := s.inbox.close()
	s.opt.Matcher.Forget(s)
	for _, b := range append(s.flying, s.open) {
		s.discard(b, fault)
	}
	for _, r := range append(s.inputs, left...) {
		s.finish(r, nil, fault)
	}
	s.dropEntries(&s.recent.once.List, fault)
	s.dropEntries(&s.recent.again.List, fault)
	s.opt.Metrics.Loaded(-s.held)
	s.entries, s.recent, s.held = map[engine.ID]*entry{}, recent{}, 0
	s.notes, s.taken = notes{}, notes{}
	s.ready, s.flying, s.spare, s.deferrals, s.readers = nil, nil, nil, deferrals{}, nil
	close(s.stopped)
}

// dropEntries fails all who wait for the executions of a list.
func (s *shard) dropEntries(l *list.List, fault error) {
	for at := l.Front(); at != nil; at = at.Next() {
		e := at.Value.(*entry)
		for _, r := range e.waiting {
			s.finish(r, nil, fault)
		}
		for _, h := range e.runs {
			s.dropWatchers(h, fault)
			s.dropQueries(h)
			s.dropUpdates(h)
		}
	}
}

// stop begins a clean end: nothing new is taken, what is under way is finished
// and what was deferred is written.
func (s *shard) stop() {
	s.inbox.report(func() {
		if s.state == serving {
			s.state = stopping
			s.opt.Matcher.Forget(s)
		}
	})
}

func (s *shard) stopWhenStill() {
	if s.state != stopping || len(s.flying) > 0 {
		return
	}
	if s.holding() {
		// What is left cannot be written: rows that are only taken away, and
		// heartbeats' details, for which there is no place.
		s.finishAll(ErrFull)
		return
	}
	if s.open.worth() {
		return
	}
	if len(s.lazy.Ops) > 0 {
		s.lazySince = time.Time{}.Add(1) // due
		s.commit()
		return
	}
	s.finishAll(ErrUnavailable)
}

// peers is the shard that owns an id.
func (s *shard) peers(id engine.ID) *shard { return s.host.shardOf(id) }
