package matching

import (
	"container/heap"
	"time"

	"github.com/perdure/perdure/internal/clock"
)

// expiries knows when the time of which open poll is over. A queue has one timer
// for all of its polls, set for the first that is over; it stays set when that poll
// ends before, and then looks in vain once. Under load polls come and go, a
// thousand a second, and hardly ever touch it. (A timer for each was 1 us.)
//
// Invariant: while there is a poll in it a timer is set, for at or before the time
// of the first.
type expiries struct {
	polls byExpiry
	timer clock.Timer // nil: none is set
	at    time.Time   // what it is set for
	no    uint64      // of the timer set last
}

// expireAt ends a poll's time then. Locked.
func (q *queue) expireAt(p *poller, at time.Time, now time.Time) {
	p.over = at
	heap.Push(&q.mu.expiries.polls, p)
	q.setExpiry(now)
}

// setExpiry sets the timer if none is, or too late a one. Locked.
func (q *queue) setExpiry(now time.Time) {
	x := &q.mu.expiries
	if len(x.polls) == 0 {
		return
	}
	first := x.polls[0].over
	if x.timer != nil {
		if !first.Before(x.at) {
			return
		}
		x.timer.Stop()
	}
	x.at = first
	x.no++
	no := x.no
	x.timer = q.matcher.options.Clock.AfterFunc(first.Sub(now), func() { q.expire(no) })
}

// expire ends the time of those polls that are over. One that is reserved or
// starting may still get its task: the question is put again when it would wait on.
func (q *queue) expire(no uint64) {
	q.mu.Lock()
	now := q.matcher.now()
	x := &q.mu.expiries
	if x.no == no { // else it was to be stopped, and there is another
		x.timer = nil
	}
	for len(x.polls) > 0 && !x.polls[0].over.After(now) {
		p := x.polls[0]
		q.endExpiry(p)
		q.dismissOne(p)
	}
	q.setExpiry(now)
	q.release(onOwnStack)
}

// endExpiry forgets a poll's time. Locked.
func (q *queue) endExpiry(p *poller) {
	if p.place > 0 {
		heap.Remove(&q.mu.expiries.polls, p.place-1)
	}
}

// byExpiry is a heap of polls by the end of their time and, at one time, in the
// order they came.
type byExpiry []*poller

func (h byExpiry) Len() int { return len(h) }

func (h byExpiry) Less(i, j int) bool {
	if c := h[i].over.Compare(h[j].over); c != 0 {
		return c < 0
	}
	return h[i].number < h[j].number
}

func (h byExpiry) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push implements heap.Interface.
func (h *byExpiry) Push(x any) {
	p := x.(*poller)
	*h = append(*h, p)
	p.place = len(*h)
}

// Pop implements heap.Interface.
func (h *byExpiry) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	p.place = 0
	return p
}
