package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	run *unfedRun // nil: an older release wrote it, as a row of its own
}

// unfedRun is a run that has such changes.
type unfedRun struct {
	key  engine.RunKey
	row  store.Key // in the feed
	last uint64    // the last change's number
}

// sealFeed gives a change its number and has the run's row in the feed. While
// that is there, because of an earlier change, there is nothing to write: it
// says no more than that the index lacks something. (A row for each change,
// with the change in it, was a seventh of all bytes written.)
func (s *shard) sealFeed(b *batch, f *FeedEntry) {
	f.Seq = s.nextSequence()
	run, there := s.unfedRun(f.Record.Run)
	switch {
	case f.Record.Deleted:
		b.rows.Put(run.row, record.EncodeVisibility(f.Record))
	case !there:
		b.rows.Put(run.row, record.FeedValue)
	}
	s.feeding(f.Slot, fedChange{seq: f.Seq, run: run})
}

// unfedRun finds or makes what is known of a run that the index lacks a change of.
func (s *shard) unfedRun(key engine.RunKey) (run *unfedRun, there bool) {
	run, there = s.unfed[key.RunID]
	if !there {
		run = &unfedRun{key: key, row: record.FeedKey(key)}
		s.unfed[key.RunID] = run
	}
	return run, there
}

// feeding notes a change that the index is given.
func (s *shard) feeding(slot store.Slot, c fedChange) {
	changes := s.fedIn(slot)
	*changes = append(*changes, c)
	if c.run != nil {
		c.run.last = c.seq
	}
}

func (s *shard) fedIn(slot store.Slot) *[]fedChange { return &s.fed[slot-s.slots.From] }

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
	changes := s.fedIn(p.Slot)
	n := 0
	for n < len(*changes) && (*changes)[n].seq <= p.Seq {
		switch c := (*changes)[n]; {
		case c.run == nil:
			s.lazy.Delete(record.NumberedFeedKey(p.Slot, c.seq))
		case c.run.last == c.seq:
			delete(s.unfed, c.run.key.RunID)
			s.lazy.Delete(c.run.row)
			if h := s.inMemory(c.run.key); h != nil {
				s.indexed(h)
			}
		}
		n++
	}
	*changes = slices.Delete(*changes, 0, n)
	if len(*changes) == 0 && cap(*changes) > fedKept {
		*changes = nil
	}
	s.lazyAdded()
}

// indexed notes that the index has all changes of a run that batches have brought
// it; the open one may hold another.
func (s *shard) indexed(h *held) {
	if h.fedIn != s.open.no {
		h.fedIn = 0
	}
	s.writeOwed(h)
}

// fedKept is for how many changes a slot keeps its room when it has none.
const fedKept = 16

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
	c := fedChange{seq: seq}
	numbered := seq != 0
	if !numbered {
		c.seq = s.nextSequence()
	}
	f.Seq = c.seq
	var armed time.Time
	if len(e.Value) > 0 {
		f.Record, err = record.DecodeVisibility(e.Value)
	} else {
		f.Record, armed, err = recordOf(ctx, s.store, run)
	}
	if err != nil {
		return f, err
	}
	if f.Record == nil {
		s.lazy.Delete(record.FeedKey(run)) // left over with a run that was never whole
		s.lazyAdded()
		return f, nil
	}
	if f.Record.CloseTime.IsZero() && !armed.IsZero() {
		s.recoverOwed(run, armed)
	}
	if !numbered {
		c.run, _ = s.unfedRun(run)
	}
	s.feeding(f.Slot, c)
	return f, nil
}
