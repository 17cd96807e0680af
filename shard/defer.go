package shard

import (
	"time"

	"github.com/perdure/perdure/engine"
)

// What heartbeats bring need not be durable before they are answered (I1's
// exception): it stays in memory for a while, and then goes into a batch with
// whatever else there is. So an activity that heartbeats each second is written
// every few seconds if its details change. If they do not, there is nothing a
// crash could take away (the heartbeat clock starts anew after it), and the times
// of the heartbeats are written once a minute, for those who look after a crash.
// Whatever waits is written with the next change of the run, when it leaves
// memory and at a clean stop.

// trivialFor is how long a change may wait that brings only times and counts.
const trivialFor = time.Minute

// deferrals are the runs with changes that wait, by when they must be written.
type deferrals struct{ soon, late deferralQueue }

// deferralQueue is in order: what is put in waits as long as all before it. Runs
// that have been written meanwhile, or must be sooner, are still in it.
type deferralQueue []deferral

type deferral struct {
	run engine.RunKey // by name: the run may have left memory
	by  time.Time
}

// first is when to look at the queue; zero when it is empty.
func (q deferralQueue) first() time.Time {
	if len(q) == 0 {
		return time.Time{}
	}
	return q[0].by
}

// deferChange keeps a change in memory only, for a while.
func (s *shard) deferChange(h *held, trivial bool) {
	wait, queue := s.opt.DeferFor, &s.deferrals.soon
	if trivial {
		wait, queue = trivialFor, &s.deferrals.late
	}
	by := s.now.Add(wait)
	if h.deferred && !by.Before(h.writeBy) {
		return
	}
	h.deferred, h.writeBy = true, by
	*queue = append(*queue, deferral{h.key, by})
}

// flush has what was deferred written by the open batch.
func (s *shard) flush(h *held) {
	if h.deferred {
		s.touch(h)
		h.deferred = false
	}
}

// flushDeferred writes what has waited for long enough.
func (s *shard) flushDeferred(all bool) {
	s.flushQueue(&s.deferrals.soon, all)
	s.flushQueue(&s.deferrals.late, all)
}

func (s *shard) flushQueue(q *deferralQueue, all bool) {
	n := 0
	for ; n < len(*q); n++ {
		d := &(*q)[n]
		if !all && s.now.Before(d.by) {
			break
		}
		if h := s.inMemory(d.run); h != nil && h.deferred && (all || h.writeBy.Equal(d.by)) {
			s.flush(h)
		}
	}
	if *q = (*q)[n:]; len(*q) == 0 {
		*q = nil
	}
}
