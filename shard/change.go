package shard

import (
	"github.com/perdure/perdure/engine/workflow"
)

// absorb brings what a step did into memory and into the open batch.
func (s *shard) absorb(e *entry, h *held, res *workflow.Result) {
	if res.Run != nil {
		s.change(h, res.Run)
	}
	if res.New != nil {
		s.born(e, res.New)
	}
	if res.Run != nil {
		s.fuse(h, res.Run.Offers)
	}
	if res.New != nil {
		s.fuse(e.runs[e.current], res.New.Change.Offers)
	}
}

func (s *shard) born(e *entry, n *workflow.Newborn) {
	h := e.runs[n.Run.Key.RunID]
	if h == nil {
		h = s.hold(e, n.Run.Key.RunID, n.Run)
	} else {
		h.run = n.Run
	}
	s.point(e, n.Run.Key.RunID)
	s.change(h, n.Change)
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
func (s *shard) change(h *held, c *workflow.Change) {
	h.run.Apply(c)
	s.remember(h)
	if mayWait(c) && !h.dirty {
		s.deferChange(h, c)
		return
	}
	s.touch(h)
	s.note(h, c)
	for i := range c.Withdrawn {
		s.withdraw(&c.Withdrawn[i])
	}
	for _, t := range c.Offers {
		s.offer(t)
	}
	if c.Visibility != nil {
		s.feedChange(h, c.Visibility)
	}
	for i := range c.Messages {
		s.send(h, &c.Messages[i])
	}
	s.bringNews(h, c.News)
	if c.Deleted {
		s.deleted(h)
	}
}

// mayWait reports whether the change need not be durable before its reply and
// is nobody else's business.
func mayWait(c *workflow.Change) bool {
	return c.Deferrable && len(c.Batches)+len(c.Offers)+len(c.Withdrawn)+len(c.Messages) == 0 &&
		c.Visibility == nil && len(c.News) == 0 && !c.Closed && !c.Deleted
}

// note keeps the change until the batch is sealed.
func (s *shard) note(h *held, c *workflow.Change) {
	for _, events := range c.Batches {
		h.fresh = append(h.fresh, freshHistory{events: events})
	}
	const otherParts = 500
	s.open.grown += otherParts + int(c.Info.HistorySizeBytes-h.sized)
	h.sized = c.Info.HistorySizeBytes
	if h.change == nil {
		own := *c
		h.change = &own
	} else {
		merge(h.change, c)
	}
}

// deleted removes what the shell keeps of a run beside its state and history.
// The held stays, without a run, until the batch is durable: nobody may read
// the run back from the store before.
func (s *shard) deleted(h *held) {
	s.unarm(h)
	h.run = nil
	h.fresh = nil
	h.tail = tail{}
	if h.entry.known && h.entry.current == h.key.RunID {
		s.point(h.entry, "")
	}
}

// deferChange keeps a change in memory only, for a while (I1: a heartbeat's
// details).
func (s *shard) deferChange(h *held, c *workflow.Change) {
	s.note(h, c)
	if !h.deferred {
		h.deferred, h.since = true, s.now
		s.deferred = append(s.deferred, h)
	}
}

// flush has what was deferred written by the open batch.
func (s *shard) flush(h *held) {
	if h.deferred {
		s.touch(h)
		h.deferred = false
	}
}

// flushDeferred writes what has been deferred for long enough.
func (s *shard) flushDeferred(all bool) {
	n := 0
	for ; n < len(s.deferred); n++ {
		h := s.deferred[n]
		if h.deferred && !all && s.now.Before(h.since.Add(s.opt.DeferFor)) {
			break
		}
		s.flush(h)
	}
	s.deferred = s.deferred[n:]
}
