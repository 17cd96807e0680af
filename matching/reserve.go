package matching

import (
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// reservation is a poller promised to a task that its shard is starting in the
// very batch that schedules it.
type reservation struct {
	queue  *queue
	poller *poller
	owner  shard.Backlog
	task   engine.Task
}

// Reserve implements shard.Matcher.
func (m *Matcher) Reserve(owner shard.Backlog, task engine.Task) (engine.Poller, uint64, bool) {
	q := m.lockWithPoller(task.Queue)
	if q == nil {
		return engine.Poller{}, 0, false
	}
	defer q.release(elsewhere)
	p := q.mu.pollers.first
	if p == nil || !q.nothingAhead(owner, task) || !q.mu.limiter.take(m.now()) {
		return engine.Poller{}, 0, false
	}
	q.mu.pollers.remove(p)
	p.state = pollerReserved
	return p.who, m.remember(&reservation{queue: q, poller: p, owner: owner, task: task}), true
}

// nothingAhead reports whether the task would be first if it were offered. Locked.
func (q *queue) nothingAhead(owner shard.Backlog, task engine.Task) bool {
	first := q.mu.waiting.first()
	return first == nil || newOffer(owner, task).before(first)
}

func (m *Matcher) remember(r *reservation) uint64 {
	m.reservations.Lock()
	defer m.reservations.Unlock()
	m.reservations.last++
	m.reservations.byID[m.reservations.last] = r
	return m.reservations.last
}

// end takes a reservation out; nil when it is not known.
func (m *Matcher) end(id uint64) *reservation {
	m.reservations.Lock()
	defer m.reservations.Unlock()
	r := m.reservations.byID[id]
	delete(m.reservations.byID, id)
	return r
}

// Deliver implements shard.Matcher.
func (m *Matcher) Deliver(id uint64, started any) {
	r := m.end(id)
	if r == nil {
		return
	}
	q, p, now := r.queue, r.poller, m.now()
	q.mu.Lock()
	defer q.release(elsewhere)
	if p.gone {
		q.close(p, now)
		q.abort(r.owner, started)
		return
	}
	level := levelOf(r.task.Priority)
	q.mu.traffic.added(level, now)
	q.mu.traffic.dispatched(level, now)
	m.counters.syncMatches.Add(1)
	q.finish(p, q.handover(r.owner, r.task, started, p, true, now), now)
}

// Release implements shard.Matcher.
func (m *Matcher) Release(id uint64) {
	r := m.end(id)
	if r == nil {
		return
	}
	q, now := r.queue, m.now()
	q.mu.Lock()
	defer q.release(elsewhere)
	q.mu.limiter.giveBack()
	q.waitOn(r.poller, now)
	q.match(now, false)
}
