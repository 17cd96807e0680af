package matching

import (
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// window bounds what one shard has here of one queue. Guarded by the queue's lock.
type window struct {
	owner shard.Backlog
	// held are the offers waiting or resting.
	held int
	// more: the owner was refused something since it was last asked for a
	// refill. rest is then the first of what it was refused; only what goes
	// before it may still come in, so that nothing is overtaken.
	more bool
	rest *offer
}

// admits reports whether the window takes the offer now.
func (w *window) admits(o *offer, size int) bool {
	if w.more {
		return o.before(w.rest) && w.held < 2*size
	}
	return w.held < size
}

// refuse notes that the offer stays with its owner alone.
func (w *window) refuse(o *offer) {
	if !w.more || o.before(w.rest) {
		w.rest = o
	}
	w.more = true
}

// window of the owner. Locked.
func (q *queue) window(owner shard.Backlog) *window {
	w := q.mu.windows[owner]
	if w == nil {
		w = &window{owner: owner}
		q.mu.windows[owner] = w
	}
	return w
}

func (q *queue) enterWindow(o *offer) { o.window.held++ }

// leaveWindow asks for a refill when the window has emptied to a half. Locked.
func (q *queue) leaveWindow(o *offer) {
	o.window.held--
	q.refill(o.window)
}

func (q *queue) refill(w *window) {
	if !w.more || w.held > q.matcher.options.Window/2 {
		return
	}
	w.more, w.rest = false, nil
	q.mu.calls = append(q.mu.calls, call{kind: callRefill, owner: w.owner})
}

// Offer implements shard.Matcher. The tasks may be of several queues.
func (m *Matcher) Offer(owner shard.Backlog, tasks []engine.Task) (taken int) {
	refused := false
	for len(tasks) > 0 {
		n := 1
		for n < len(tasks) && tasks[n].Queue == tasks[0].Queue {
			n++
		}
		took := m.offerTo(tasks[0].Queue, owner, tasks[:n], refused)
		taken += took
		refused = refused || took < n
		tasks = tasks[n:]
	}
	return taken
}

// offerTo offers tasks of one queue and returns how many it has taken. With
// refuse it takes none, but remembers that they are there.
func (m *Matcher) offerTo(name engine.TaskQueue, owner shard.Backlog, tasks []engine.Task, refuse bool) (taken int) {
	q := m.lockUsable(name)
	defer q.release(elsewhere)
	now := m.now()
	w := q.window(owner)
	q.mu.round++
	for i := range tasks {
		o := newOffer(owner, tasks[i])
		o.window = w
		// What is on a sticky queue has a deadline of seconds and need not be
		// bounded: there is one at most for each run that is awake (TQ-72).
		refuse = refuse || !tasks[i].Queue.Sticky && !w.admits(o, m.options.Window)
		if refuse {
			w.refuse(o)
			continue
		}
		taken++
		q.take(o, now)
	}
	q.match(now, true)
	q.refill(w)
	return taken
}

// take puts an offer into the queue, in place of one with the same key of a
// former owner. Locked.
func (q *queue) take(o *offer, now time.Time) {
	key := keyOf(&o.task)
	if former := q.mu.offers[key]; former != nil {
		if former.owner == o.owner {
			return
		}
		q.drop(former)
	}
	o.round = q.mu.round
	o.state = offerWaiting
	q.mu.offers[key] = o
	q.enterWindow(o)
	q.mu.waiting.push(o)
	q.mu.traffic.added(o.level, now)
}

// drop forgets an offer in whatever state. Locked.
func (q *queue) drop(o *offer) {
	delete(q.mu.offers, keyOf(&o.task))
	switch o.state {
	case offerWaiting:
		q.mu.waiting.remove(o)
		q.leaveWindow(o)
	case offerResting:
		o.rest.Stop()
		q.leaveWindow(o)
	}
	o.state = offerVoid
}

// Withdraw implements shard.Matcher.
func (m *Matcher) Withdraw(tasks []engine.Task) {
	for i := range tasks {
		t := &tasks[i]
		if m.withdrawFrom(t.Queue, t) || !t.Queue.Sticky {
			continue
		}
		m.withdrawFrom(normalOf(t.Queue), t) // it may have moved there
	}
}

func (m *Matcher) withdrawFrom(name engine.TaskQueue, t *engine.Task) bool {
	q := m.lockExisting(name)
	if q == nil {
		return false
	}
	defer q.release(elsewhere)
	o := q.mu.offers[keyOf(t)]
	if o != nil {
		q.drop(o)
	}
	return o != nil
}

// Forget implements shard.Matcher.
func (m *Matcher) Forget(owner shard.Backlog) {
	for _, q := range m.all() {
		q.mu.Lock()
		if w := q.mu.windows[owner]; w != nil {
			w.more, w.rest = false, nil
			for _, o := range q.mu.offers {
				if o.owner == owner {
					q.drop(o)
				}
			}
			delete(q.mu.windows, owner)
		}
		q.release(elsewhere)
	}
}
