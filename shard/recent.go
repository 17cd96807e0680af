package shard

import (
	"container/list"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/record"
)

// recent orders the entries in memory by their last use, in two lists, the one
// used last first. An entry comes into the first list, and into the second when
// it is in use again after a while. So a burst of executions that come and go
// does not drive out those that are used all the time (activities that
// heartbeat, say), and these may be more than the burst has room for. With one
// list, 10,000 activities that heartbeat in turn and room for 9,999 meant that
// every heartbeat read its run and drove out, and wrote, the one that was next.
type recent struct{ once, again entries }

// entries is a list of them, and how much room they take in all: the number of
// them, and what their runs weigh.
type entries struct {
	list.List
	weight int
}

func (l *entries) room() int { return l.Len() + l.weight }

// regularAfter is how long an entry must have been in memory when it is used
// again: longer than a short workflow takes.
const regularAfter = time.Second

// regularRoom is how many times Options.CacheRuns are kept of those.
const regularRoom = 2

// usualBytes is what a run may take and count as one. A larger one counts for
// each such piece: a thousand runs of a megabyte are not a thousand small ones.
const usualBytes = 4 << 10

// maxShare is the part of the room that one run counts for at most, however
// large: a giant in use must not drive out everybody else.
const maxShare = 16

// used notes that an entry is in use.
func (r *recent) used(e *entry, now time.Time) {
	switch {
	case e.place == nil:
		e.made = now
		e.place = r.once.PushFront(e)
	case !e.regular && now.Sub(e.made) >= regularAfter:
		r.remove(e)
		e.regular = true
		e.place = r.again.PushFront(e)
		r.again.weight += e.weight
	default:
		r.listOf(e).MoveToFront(e.place)
	}
	e.touched = now
	e.leaving = false
}

func (r *recent) listOf(e *entry) *entries {
	if e.regular {
		return &r.again
	}
	return &r.once
}

func (r *recent) remove(e *entry) {
	l := r.listOf(e)
	l.Remove(e.place)
	l.weight -= e.weight
}

// weigh notes what a run weighs now.
func (s *shard) weigh(h *held) {
	if h.run == nil {
		s.reweigh(h, 0)
		return
	}
	s.reweigh(h, min(int(h.run.sizeBytes()/usualBytes), s.room/maxShare))
}

func (s *shard) reweigh(h *held, weight int) {
	if weight == h.weight {
		return
	}
	h.entry.weight += weight - h.weight
	s.recent.listOf(h.entry).weight += weight - h.weight
	h.weight = weight
}

// oldest is the entry of a list that was not in use for the longest; nil when
// the list is empty.
func oldest(l *entries) *entry {
	at := l.Back()
	if at == nil {
		return nil
	}
	return at.Value.(*entry)
}

// entryOf finds or makes the entry of an id and notes that it is in use.
func (s *shard) entryOf(id engine.ID) *entry {
	e := s.entries[id]
	if e == nil {
		e = &entry{id: id, slot: record.SlotOf(id)}
		s.entries[id] = e
	}
	s.recent.used(e, s.now)
	return e
}

// evictions keeps the number of runs in memory within bounds, and lets go of
// idle ones.
func (s *shard) evictions() {
	// An entry may hold several runs: they count against the room of the first list.
	more := max(0, s.held-len(s.entries))
	s.evictFrom(&s.recent.once, s.room-more)
	s.evictFrom(&s.recent.again, regularRoom*s.room)
}

// evictFrom lets the entries of a list go that are idle or too many. It gives up
// for this turn when it has met a few that are pinned: a cache full of those must
// not cost the loop its speed.
func (s *shard) evictFrom(l *entries, room int) {
	const maxPinned, maxEvicted = 32, 1000
	for pinned, evicted := 0, 0; pinned < maxPinned && evicted < maxEvicted; {
		e := oldest(l)
		if e == nil || l.room() <= room && s.now.Before(e.touched.Add(s.opt.IdleAfter)) {
			return
		}
		if s.evict(e) {
			evicted++
			continue
		}
		pinned++
		l.MoveToFront(e.place) // look at the next one
		e.touched = s.now
		e.leaving = true
	}
}

// Shrink lets everything leave memory that the store has as well, as if it had
// been idle for long.
func (h *Host) Shrink() {
	for i := range h.shards {
		s := h.shards[i].Load()
		s.inbox.report(s.shrink)
	}
}

// shrink tries to take every entry out of memory, in the order of their last use.
func (s *shard) shrink() {
	for _, l := range []*entries{&s.recent.once, &s.recent.again} {
		for at := l.Back(); at != nil; {
			e := at.Value.(*entry)
			at = at.Prev() // e may leave the list
			s.evict(e)
		}
	}
}

// idleAt is when the next entry will have been idle for long enough.
func (s *shard) idleAt() (at time.Time) {
	for _, l := range []*entries{&s.recent.once, &s.recent.again} {
		if e := oldest(l); e != nil && (at.IsZero() || e.touched.Add(s.opt.IdleAfter).Before(at)) {
			at = e.touched.Add(s.opt.IdleAfter)
		}
	}
	return at
}
