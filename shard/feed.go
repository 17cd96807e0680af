package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// feedChange notes a change for the visibility index. Of several of a run in
// one batch only the latest counts: it replaces those before.
func (s *shard) feedChange(h *held, v *engine.VisibilityRecord) {
	b := s.open
	if h.fedIn == b.no {
		b.feed[h.fedAt].Record = v
		return
	}
	h.fedIn, h.fedAt = b.no, len(b.feed)
	b.feed = append(b.feed, FeedEntry{Slot: h.entry.slot, Record: v})
}

// fedChange is a change that was given to the index and not acknowledged.
type fedChange struct {
	seq uint64
	run engine.RunKey
	// numbered: an older release wrote it, as a row of its own.
	numbered bool
}

// sealFeed gives a change its number and has the run's row in the feed. While
// that is there, because of an earlier change, there is nothing to write: it
// says no more than that the index lacks something. (A row for each change,
// with the change in it, was a seventh of all bytes written.)
func (s *shard) sealFeed(b *batch, f *FeedEntry) {
	f.Seq = s.nextSequence()
	run := f.Record.Run
	switch _, there := s.unfed[run]; {
	case f.Record.Deleted:
		b.rows.Put(record.FeedKey(run), record.EncodeVisibility(f.Record))
	case !there:
		b.rows.Put(record.FeedKey(run), record.FeedValue)
	}
	s.feeding(f.Slot, fedChange{seq: f.Seq, run: run})
}

// feeding notes a change that the index is given.
func (s *shard) feeding(slot store.Slot, c fedChange) {
	s.fed[slot] = append(s.fed[slot], c)
	if !c.numbered {
		s.unfed[c.run] = c.seq
	}
}

// nextSequence numbers the rows of outbox and feed. One count serves all slots
// of the shard: in each slot it grows, which is all that is promised.
func (s *shard) nextSequence() uint64 {
	n := s.sequence
	s.sequence++
	return n
}

// feedDone removes the rows of the runs whose last change the index has on
// stable storage.
func (s *shard) feedDone(p FeedPosition) {
	changes := s.fed[p.Slot]
	n := 0
	for n < len(changes) && changes[n].seq <= p.Seq {
		switch c := &changes[n]; {
		case c.numbered:
			s.lazy.Delete(record.NumberedFeedKey(p.Slot, c.seq))
		case s.unfed[c.run] == c.seq:
			delete(s.unfed, c.run)
			s.lazy.Delete(record.FeedKey(c.run))
			s.payDeadline(c.run)
		}
		n++
	}
	if n == len(changes) {
		delete(s.fed, p.Slot)
	} else {
		s.fed[p.Slot] = changes[n:]
	}
	s.lazyAdded()
}

// recoverFeed gives the index again what it has not acknowledged. The changes
// get new numbers, larger than any it has seen.
func (s *shard) recoverFeed(ctx context.Context) error {
	const chunk = 1000
	from, to := record.Family(store.FamilyFeed, s.slots)
	var entries []FeedEntry
	var bad error
	err := s.store.Scan(ctx, from, to, func(e store.Entry) bool {
		f, err := s.recoverChange(ctx, e)
		if err != nil {
			bad = fmt.Errorf("visibility change %v: %w", e.Key, err)
			return false
		}
		if f.Record == nil {
			return true
		}
		if entries = append(entries, f); len(entries) == chunk {
			s.opt.Feed.Append(entries)
			entries = nil
		}
		return true
	})
	if len(entries) > 0 {
		s.opt.Feed.Append(entries)
	}
	return errors.Join(err, bad)
}

// recoverChange is the change that a row of the feed is about; without a record
// when there is nothing left of it.
func (s *shard) recoverChange(ctx context.Context, e store.Entry) (f FeedEntry, err error) {
	f.Slot = e.Key.Slot
	run, seq, err := record.ParseFeedKey(e.Key)
	if err != nil {
		return f, err
	}
	c := fedChange{seq: seq, run: run, numbered: seq != 0}
	if !c.numbered {
		c.seq = s.nextSequence()
	}
	if f.Seq = c.seq; len(e.Value) > 0 {
		f.Record, err = record.DecodeVisibility(e.Value)
		s.feeding(f.Slot, c)
		return f, err
	}
	var armed time.Time
	if f.Record, armed, err = recordOf(ctx, s.store, run); err != nil {
		return f, err
	}
	if f.Record == nil {
		s.lazy.Delete(record.FeedKey(run)) // left over with a run that was never whole
		s.lazyAdded()
		return f, nil
	}
	if f.Record.CloseTime.IsZero() && !armed.IsZero() {
		s.oweDeadline(run, armed)
	}
	s.feeding(f.Slot, c)
	return f, nil
}
