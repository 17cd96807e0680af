package shard

import (
	"context"
	"errors"
	"fmt"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// feedChange notes a change for the visibility index. Of several of a run in
// one batch only the latest counts: it replaces those before.
func (s *shard) feedChange(h *held, v *engine.VisibilityRecord) {
	b := s.open
	if at, ok := b.feedOf[h.key]; ok {
		b.feed[at].Record = v
		return
	}
	if b.feedOf == nil {
		b.feedOf = make(map[engine.RunKey]int)
	}
	b.feedOf[h.key] = len(b.feed)
	b.feed = append(b.feed, FeedEntry{Slot: h.entry.slot, Record: v})
}

func (s *shard) sealFeed(b *batch, f *FeedEntry) {
	f.Seq = s.nextSequence()
	b.rows.Put(record.FeedKey(f.Slot, f.Seq), record.EncodeVisibility(f.Record))
	s.fed[f.Slot] = append(s.fed[f.Slot], f.Seq)
}

// nextSequence numbers the rows of outbox and feed. One count serves all slots
// of the shard: in each slot it grows, which is all that is promised.
func (s *shard) nextSequence() uint64 {
	n := s.sequence
	s.sequence++
	return n
}

// feedDone removes the rows the index has on stable storage.
func (s *shard) feedDone(p FeedPosition) {
	rows := s.fed[p.Slot]
	n := 0
	for n < len(rows) && rows[n] <= p.Seq {
		s.lazy.Delete(record.FeedKey(p.Slot, rows[n]))
		n++
	}
	if n == len(rows) {
		delete(s.fed, p.Slot)
	} else {
		s.fed[p.Slot] = rows[n:]
	}
	s.lazyAdded()
}

// recoverFeed gives the index again what it has not acknowledged.
func (s *shard) recoverFeed(ctx context.Context) error {
	const chunk = 1000
	from, to := record.Family(store.FamilyFeed, s.slots)
	var entries []FeedEntry
	var bad error
	err := s.store.Scan(ctx, from, to, func(e store.Entry) bool {
		slot, seq, err := record.ParseFeedKey(e.Key)
		if err == nil {
			var v *engine.VisibilityRecord
			if v, err = record.DecodeVisibility(e.Value); err == nil {
				s.fed[slot] = append(s.fed[slot], seq)
				if entries = append(entries, FeedEntry{Slot: slot, Seq: seq, Record: v}); len(entries) == chunk {
					s.opt.Feed.Append(entries)
					entries = nil
				}
				return true
			}
		}
		bad = fmt.Errorf("visibility change %v: %w", e.Key, err)
		return false
	})
	if len(entries) > 0 {
		s.opt.Feed.Append(entries)
	}
	return errors.Join(err, bad)
}
