package clock

import (
	"container/heap"
	"sync"
	"time"
)

// Fake is a clock that stands still until it is told to move. Calls that fall
// due are made inside Advance or Set, on the caller's goroutine, in the order of
// their times and, at one time, in the order they were asked for; Now shows each
// of them its own time.
type Fake struct {
	mu struct {
		sync.Mutex
		now   time.Time
		calls calls
		asked uint64
	}
}

// NewFake returns a clock that shows start.
func NewFake(start time.Time) *Fake {
	f := new(Fake)
	f.mu.now = start
	return f
}

// Now implements Clock.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.now
}

// AfterFunc implements Clock. A delay that is not positive is due at the next
// Advance, even one by zero: a call is never made inside AfterFunc, so that the
// caller may hold what it likes.
func (f *Fake) AfterFunc(d time.Duration, call func()) Timer {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.asked++
	c := &pending{fake: f, due: f.mu.now.Add(max(d, 0)), number: f.mu.asked, call: call}
	heap.Push(&f.mu.calls, c)
	return c
}

// Advance moves the clock forward by d, making the calls that fall due on the
// way, among them those that such a call asks for.
func (f *Fake) Advance(d time.Duration) { f.Set(f.Now().Add(d)) }

// Set moves the clock to t. Moved forwards it makes the calls that fall due;
// moved backwards it only shows the earlier time, as a corrected clock would.
func (f *Fake) Set(t time.Time) {
	for {
		c := f.next(t)
		if c == nil {
			return
		}
		c.call()
	}
}

// Next is the time of the earliest call asked for; ok is false when there is
// none. The simulator jumps to it.
func (f *Fake) Next() (due time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mu.calls) == 0 {
		return time.Time{}, false
	}
	return f.mu.calls[0].due, true
}

// next takes the earliest call due by t and moves the clock to its time; when
// there is none it moves the clock to t and returns nil.
func (f *Fake) next(t time.Time) *pending {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.mu.calls) == 0 || f.mu.calls[0].due.After(t) {
		f.mu.now = t
		return nil
	}
	c := heap.Pop(&f.mu.calls).(*pending)
	if c.due.After(f.mu.now) {
		f.mu.now = c.due
	}
	return c
}

// pending is a call asked for. Its index is guarded by the clock's mutex.
type pending struct {
	fake   *Fake
	due    time.Time
	number uint64
	call   func()
	index  int // in calls; -1 once taken out
}

// Stop implements Timer.
func (p *pending) Stop() bool {
	p.fake.mu.Lock()
	defer p.fake.mu.Unlock()
	if p.index < 0 {
		return false
	}
	heap.Remove(&p.fake.mu.calls, p.index)
	return true
}

// calls is a heap by time, then by the order of asking.
type calls []*pending

func (c calls) Len() int { return len(c) }

func (c calls) Less(i, j int) bool {
	if !c[i].due.Equal(c[j].due) {
		return c[i].due.Before(c[j].due)
	}
	return c[i].number < c[j].number
}

func (c calls) Swap(i, j int) {
	c[i], c[j] = c[j], c[i]
	c[i].index, c[j].index = i, j
}

// Push implements heap.Interface.
func (c *calls) Push(x any) {
	p := x.(*pending)
	p.index = len(*c)
	*c = append(*c, p)
}

// Pop implements heap.Interface.
func (c *calls) Pop() any {
	last := len(*c) - 1
	p := (*c)[last]
	(*c)[last] = nil
	*c = (*c)[:last]
	p.index = -1
	return p
}
