package shard

import (
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// absorb brings what a step did into memory and into the open batch.
func (s *shard) absorb(e *entry, h *held, res *outcome) {
	if res.changed != nil {
		s.change(h, res.changed)
	}
	if res.born.run != nil {
		s.born(e, &res.born)
	}
	if res.changed != nil {
		s.fuse(h, res.changed.Asks().Offers)
	}
	if res.born.run != nil {
		s.fuse(e.run(e.current), res.born.birth.Asks().Offers)
	}
}

func (s *shard) born(e *entry, n *newborn) {
	h := e.run(n.runID)
	if h == nil {
		h = s.hold(e, n.runID, n.run)
	} else {
		h.run = n.run
	}
	s.point(e, n.runID)
	s.change(h, n.birth)
}

// point makes a run the current one; empty for none.
func (s *shard) point(e *entry, runID string) {
	e.known, e.current = true, runID
	e.lastBatch = s.open.no
	if !e.currentChanged {
		e.currentChanged = true
		s.open.entries = append(s.open.entries, e)
	}
}

// change brings a change of a run into memory and into the open batch.
func (s *shard) change(h *held, c change) {
	grown := h.run.apply(c)
	s.weigh(h)
	s.remember(h)
	if !h.dirty && h.run.mayWait(c) {
		s.deferChange(h, c.Asks().Trivial)
		return
	}
	s.touch(h)
	s.open.grown += grown
	s.effect(h, c.Asks())
	if w, ok := c.(*workflow.Change); ok {
		s.bringNews(h, w.News)
	}
	if c.Asks().Deleted {
		s.deleted(h)
	}
}

// effect does what a change asks for beside the state.
func (s *shard) effect(h *held, e *engine.Effects) {
	for i := range e.Withdrawn {
		s.withdraw(&e.Withdrawn[i])
	}
	for i := range e.Offers {
		s.offer(&e.Offers[i])
	}
	if e.Visibility != nil {
		s.feedChange(h, e.Visibility)
	}
	for i := range e.Messages {
		s.send(h, &e.Messages[i])
	}
	for i := range e.Deliveries {
		s.open.deliveries = append(s.open.deliveries, &e.Deliveries[i])
	}
}

// deleted removes what the shell keeps of a run beside its state and history.
// The held stays, without a run, until the batch is durable: nobody may read
// the run back from the store before.
func (s *shard) deleted(h *held) {
	if h.key.Archetype == engine.ArchetypeActivity {
		// Who waits for the outcome gets it: deleting an open one ends it first, and
		// that may not be durable yet. Of a workflow they would want the history,
		// which is gone.
		s.wakeWatchers(h)
	}
	s.unarm(h)
	h.run = nil
	s.weigh(h)
	if h.entry.known && h.entry.current == h.key.RunID {
		s.point(h.entry, "")
	}
}
