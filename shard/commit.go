package shard

import (
	"fmt"
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
)

// commit sends the open batch on its way if there is anything in it and not too
// much is under way already. Otherwise the batch goes on filling: that is the
// whole of group commit, a batch is whatever came in while others were synced.
func (s *shard) commit() {
	if len(s.flying) >= s.opt.MaxFlying || s.ended() || s.holding() {
		return
	}
	if !s.open.worth() && !s.lazyDue() {
		return
	}
	b := s.open
	s.seal(b)
	s.open = s.nextBatch(b.no + 1)
	s.flying = append(s.flying, b)
	b.began = s.opt.Clock.Now()
	s.store.Commit(&b.rows, func(err error) {
		s.inbox.report(func() { s.committed(b, err) })
	})
}

// seal turns what has changed into rows. From here on the batch is the store's.
func (s *shard) seal(b *batch) {
	b.rows.Ops = append(slices.Grow(b.rows.Ops, s.rowsOf(b)), s.lazy.Ops...)
	b.rows.SizeBytes += s.lazy.SizeBytes
	if len(s.lazy.Ops) > maxSpareRows {
		s.lazy.Ops = nil
	}
	s.lazy.Ops, s.lazy.SizeBytes, s.lazySince = emptied(s.lazy.Ops), 0, time.Time{}
	for _, h := range b.runs {
		s.culprit = h.key.ID
		s.sealRun(b, h)
	}
	for _, e := range b.entries {
		e.currentChanged = false
		if e.current == "" {
			b.rows.Delete(record.CurrentKey(e.id))
		} else {
			b.rows.Put(record.CurrentKey(e.id), record.EncodeCurrent(&record.Current{RunID: e.current}))
		}
	}
	s.sealOffers(b)
	for i := range b.feed {
		s.sealFeed(b, &b.feed[i])
	}
	s.sealTime(b)
	s.culprit = engine.ID{}
}

// rowsOf estimates how many rows sealing adds to the batch, so that the list of
// them grows once: growing it by doubling was the largest part of what a batch
// allocates.
func (s *shard) rowsOf(b *batch) int {
	const perRun = 5 // info, history, an activity, the deadline
	return len(s.lazy.Ops) + perRun*len(b.runs) + len(b.entries) +
		len(b.offers.at) + len(b.offers.withdrawn) + len(b.feed) + 1
}

func (s *shard) sealRun(b *batch, h *held) {
	h.dirty, h.deferred = false, false
	if h.run == nil {
		machineOf(h.key.Archetype).erase(&b.rows, h.key)
		b.seen = append(b.seen, seen{h: h, closed: true})
		return
	}
	s.sealDeadline(b, h)
	h.run.write(&b.rows, b.no)
	b.seen = append(b.seen, seen{h: h, closed: !h.run.Open()})
}

// committed takes note of the end of a batch. They come in order.
func (s *shard) committed(b *batch, err error) {
	if s.ended() {
		return
	}
	s.opt.Metrics.Commit(len(b.rows.Ops), b.rows.SizeBytes, s.opt.Clock.Now().Sub(b.began), err)
	if err != nil {
		s.fail(fmt.Errorf("commit shard %d batch %d: %w", s.index, b.no, err))
		return
	}
	s.flying = s.flying[1:]
	s.durable = b.no
	s.perform(b)
	s.recycle(b)
}

// lazily adds rows that nobody waits for to the next batch, or to one of their
// own after a while.
const lazyFor = time.Second

// maxLazy is how many such rows are enough for a batch of their own.
const maxLazy = 1000

func (s *shard) lazyDue() bool {
	return len(s.lazy.Ops) >= maxLazy || !s.lazySince.IsZero() && !s.now.Before(s.lazySince.Add(lazyFor))
}

// lazyAdded is called after rows were put into s.lazy.
func (s *shard) lazyAdded() {
	if s.lazySince.IsZero() && len(s.lazy.Ops) > 0 {
		s.lazySince = s.now
	}
}
