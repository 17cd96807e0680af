package shard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// Host owns all slots of a store, cut into shards, and routes to them. All
// methods may be called from any goroutine.
type Host struct {
	opt    Options
	crew   *crew                   // who runs loops and reads, unless Options.Spawn does
	shards []atomic.Pointer[shard] // the one that serves, or the last that did
	bounds []store.SlotRange
	direct directQueries

	mu struct {
		sync.Mutex
		stopping bool
		// opening counts shards that are being opened again.
		opening int
		still   chan struct{} // closed when opening falls to 0 while stopping
	}
}

// Open opens the slots of the driver and recovers what is outstanding. The
// driver stays the caller's, to be closed after Stop.
func Open(ctx context.Context, opt Options) (*Host, error) {
	h := &Host{opt: opt.withDefaults(), crew: newCrew()}
	if h.opt.Spawn == nil {
		h.opt.Spawn = h.crew.spawn
	}
	h.mu.still = make(chan struct{})
	h.direct.init()
	n := h.opt.Shards
	h.shards = make([]atomic.Pointer[shard], n)
	var opened []*shard
	for i := range n {
		slots := store.SlotRange{
			From: store.Slot(i * store.Slots / n),
			To:   store.Slot((i + 1) * store.Slots / n),
		}
		h.bounds = append(h.bounds, slots)
		s, err := h.open(ctx, i, nil)
		if err != nil {
			for _, s := range opened {
				s.cancel()
				_ = s.store.Close() // nothing was written
			}
			h.crew.end()
			return nil, err
		}
		opened = append(opened, s)
		h.shards[i].Store(s)
	}
	agreeOnTime(opened)
	// Only now, since messages go from one to another.
	for _, s := range opened {
		s.begin()
	}
	return h, nil
}

// agreeOnTime has all shards begin with the latest time that any of them has
// found. A shard finds what was written where its slots begin; with another number
// of shards than before the time of a run's former shard may have been written in
// the slots of another.
func agreeOnTime(shards []*shard) {
	var latest time.Time
	for _, s := range shards {
		if s.now.After(latest) {
			latest = s.now
		}
	}
	for _, s := range shards {
		s.now = latest
	}
}

// open opens one shard and recovers it. It does not begin to serve.
func (h *Host) open(ctx context.Context, index int, aside map[engine.ID]error) (*shard, error) {
	slots := h.bounds[index]
	st, err := h.opt.Driver.Open(ctx, slots)
	if err != nil {
		return nil, fmt.Errorf("open shard %d: %w", index, err)
	}
	if aside == nil {
		aside = make(map[engine.ID]error)
	}
	s := newShard(h, index, slots, st, aside)
	if err := s.recover(ctx); err != nil {
		s.cancel()
		return nil, errors.Join(err, st.Close())
	}
	return s, nil
}

// shardOf is the shard an id belongs to.
func (h *Host) shardOf(id engine.ID) *shard { return h.ownerOf(record.SlotOf(id)) }

func (h *Host) ownerOf(slot store.Slot) *shard {
	i := int(slot) * len(h.shards) / store.Slots
	for !h.bounds[i].Contains(slot) { // the division rounds
		i++
	}
	return h.shards[i].Load()
}

// Submit has an input carried out by the run, or by the current one if runID is
// empty. done is called once, from any goroutine, when the outcome is durable.
// err is an *engine.Refusal, or a fault after which the outcome is unknown.
func (h *Host) Submit(id engine.ID, runID string, in engine.Input, done func(reply any, err error)) {
	h.shardOf(id).submit(&request{id: id, runID: runID, in: in, done: done, outside: true})
}

// Do is Submit for a caller that waits. When ctx ends before the outcome is
// known the error is ctx's, and the input goes on.
func (h *Host) Do(ctx context.Context, id engine.ID, runID string, in engine.Input) (reply any, err error) {
	return h.shardOf(id).call(ctx, &request{id: id, runID: runID, in: in, outside: true})
}

// View calls read with the workflow run's present state, on the loop that owns
// it: read must be quick, and copy the maps it keeps. View returns nil once what
// read has seen is durable.
func (h *Host) View(ctx context.Context, id engine.ID, runID string, read func(*workflow.Run)) error {
	return h.look(ctx, id, runID, func(_ *shard, held *held) { read(held.workflow()) })
}

// ViewActivity is View for a standalone activity.
func (h *Host) ViewActivity(ctx context.Context, id engine.ID, runID string, read func(*standalone.Run)) error {
	return h.look(ctx, id, runID, func(_ *shard, held *held) { read(held.activity()) })
}

// Look is View for a caller that does not wait: done is called once, from any
// goroutine.
func (h *Host) Look(id engine.ID, runID string, read func(*workflow.Run), done func(err error)) {
	h.beginLook(id, runID, func(_ *shard, held *held) { read(held.workflow()) }, done)
}

// LookActivity is Look for a standalone activity.
func (h *Host) LookActivity(id engine.ID, runID string, read func(*standalone.Run), done func(err error)) {
	h.beginLook(id, runID, func(_ *shard, held *held) { read(held.activity()) }, done)
}

func (h *Host) look(ctx context.Context, id engine.ID, runID string, look func(*shard, *held)) error {
	s := h.shardOf(id)
	_, err := s.call(ctx, &request{
		id: id, runID: runID, outside: true,
		look: func(held *held) { look(s, held) },
	})
	return err
}

func (h *Host) beginLook(id engine.ID, runID string, look func(*shard, *held), done func(error)) {
	s := h.shardOf(id)
	s.submit(&request{
		id: id, runID: runID, outside: true,
		look: func(held *held) { look(s, held) },
		done: func(_ any, err error) { done(err) },
	})
}

// FeedDone says that the visibility index has these changes on stable storage.
func (h *Host) FeedDone(positions []FeedPosition) {
	// Each shard hears of all its slots at once: under load they come by the
	// hundred, and each report takes its inbox's lock.
	for len(positions) > 0 {
		s := h.ownerOf(positions[0].Slot)
		own := make([]FeedPosition, 0, len(positions))
		others := positions[:0:0]
		for _, p := range positions {
			if s.slots.Contains(p.Slot) {
				own = append(own, p)
			} else {
				others = append(others, p)
			}
		}
		positions = others
		s.inbox.report(func() {
			for _, p := range own {
				s.feedDone(p)
			}
		})
	}
}

// Fatal is closed when the store cannot go on in this process. Then every call
// answers ErrUnavailable, and Stop is all that is left.
func (h *Host) Fatal() <-chan struct{} { return h.opt.Driver.Fatal() }

// failed opens the slots of a finished shard again.
func (h *Host) failed(s *shard, err error, stopping bool) {
	h.opt.Log.Error("a shard has failed and is opened again", "shard", s.index, "error", err)
	h.mu.Lock()
	stopping = stopping || h.mu.stopping
	if !stopping {
		h.mu.opening++
	}
	h.mu.Unlock()
	if stopping {
		return
	}
	h.opt.Spawn(func() {
		_ = s.store.Close() // it has failed already
		h.reopen(s, 0)
	})
}

// maxReopenPause is the longest wait between two attempts to open a shard.
const maxReopenPause = 10 * time.Second

// reopen puts a new shard in the place of a finished one, trying until it
// succeeds, the host stops, or the store is beyond hope.
func (h *Host) reopen(old *shard, tries int) {
	if h.isStopping() || h.isFatal() {
		h.openingEnded()
		return
	}
	s, err := h.open(context.Background(), old.index, old.aside)
	if err == nil {
		s.full = old.full
		h.opt.Metrics.Reopened()
		h.opt.Log.Info("a shard is open again", "shard", s.index, "epoch", s.store.Epoch())
		h.shards[s.index].Store(s)
		s.begin()
		if h.openingEnded() {
			s.stop() // Stop may have missed it
		}
		return
	}
	h.opt.Log.Error("open a shard again", "shard", old.index, "error", err)
	pause := min(50*time.Millisecond<<min(tries, 8), maxReopenPause)
	h.opt.Clock.AfterFunc(pause, func() {
		h.opt.Spawn(func() { h.reopen(old, tries+1) })
	})
}

// isFatal reports whether the store has given up.
func (h *Host) isFatal() bool {
	select {
	case <-h.Fatal():
		return true
	default:
		return false
	}
}

func (h *Host) isStopping() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.stopping
}

func (h *Host) openingEnded() (stopping bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.opening--
	if h.mu.stopping && h.mu.opening == 0 {
		close(h.mu.still)
	}
	return h.mu.stopping
}

// BeginStop is the first half of Stop: no more inputs are taken, and what is
// under way is being finished when it returns.
func (h *Host) BeginStop() {
	h.mu.Lock()
	if !h.mu.stopping {
		h.mu.stopping = true
		if h.mu.opening == 0 {
			close(h.mu.still)
		}
	}
	h.mu.Unlock()
	h.direct.dropAll()
	for i := range h.shards {
		h.shards[i].Load().stop()
	}
}

// Stop takes no more inputs, finishes and writes what is under way, and closes
// the shards. When ctx ends first its error is returned; nothing acknowledged
// is lost then either. It may be called again.
func (h *Host) Stop(ctx context.Context) error {
	defer h.crew.end()
	h.BeginStop()
	if err := wait(ctx, h.mu.still); err != nil {
		return err
	}
	var errs []error
	for i := range h.shards {
		s := h.shards[i].Load()
		s.stop()
		if err := wait(ctx, s.stopped); err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

func wait(ctx context.Context, still <-chan struct{}) error {
	select {
	case <-still:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the shards to be still: %w", context.Cause(ctx))
	}
}
