package main

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/perdure/perdure/internal/clock"
)

// schedule is what is to happen, in order of simulated time and, at one time, in
// the order it was put there.
type schedule struct {
	now    time.Time
	chance *rand.Rand
	events events
	count  uint64
	done   uint64 // events that have happened
}

func newSchedule(seed uint64, start time.Time) *schedule {
	return &schedule{now: start, chance: rand.New(rand.NewPCG(seed, 0x5e7d7e))}
}

// after has f happen once d has passed.
func (s *schedule) after(d time.Duration, f func()) *event {
	s.count++
	e := &event{at: s.now.Add(max(d, 0)), number: s.count, f: f}
	heap.Push(&s.events, e)
	return e
}

// step lets the next event happen; false when there is none by the limit.
func (s *schedule) step(limit time.Time) bool {
	if len(s.events) == 0 || s.events[0].at.After(limit) {
		return false
	}
	e := heap.Pop(&s.events).(*event)
	if e.at.After(s.now) {
		s.now = e.at
	}
	s.done++
	e.f()
	return true
}

// between draws a duration in [from, to).
func (s *schedule) between(from, to time.Duration) time.Duration {
	return from + time.Duration(s.chance.Int64N(int64(to-from)))
}

// oneIn is true once in n times.
func (s *schedule) oneIn(n int) bool { return n > 0 && s.chance.IntN(n) == 0 }

// cancel takes an event back; it reports whether it came in time.
func (s *schedule) cancel(e *event) bool {
	if e.index < 0 {
		return false
	}
	heap.Remove(&s.events, e.index)
	return true
}

// event is something to happen.
type event struct {
	at     time.Time
	number uint64
	f      func()
	index  int // -1 once it has happened or was taken back
}

type events []*event

func (h events) Len() int { return len(h) }

func (h events) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].number < h[j].number
}

func (h events) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *events) Push(x any) {
	e := x.(*event)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop implements heap.Interface.
func (h *events) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.index = -1
	return e
}

// processClock is the clock of one life of the server: what was asked of it
// never happens once the process is dead.
type processClock struct{ p *process }

// Now implements clock.Clock.
func (c processClock) Now() time.Time { return c.p.world.wall() }

// AfterFunc implements clock.Clock.
func (c processClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	w := c.p.world
	return timer{w.schedule, w.after(d, c.p.living(f))}
}

type timer struct {
	schedule *schedule
	event    *event
}

// Stop implements clock.Timer.
func (t timer) Stop() bool { return t.schedule.cancel(t.event) }
