package matching

import (
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// Reserve implements shard.Matcher. A reservation is a poller promised to a task
// that its shard is starting in the very batch that schedules it.
func (m *Matcher) Reserve(owner shard.Backlog, task engine.Task) (engine.Poller, uint64, bool) {
	q := m.lockWithPoller(task.Queue)
	if q == nil {
		return engine.Poller{}, 0, false
	}
	defer q.release(elsewhere)
	p := q.mu.pollers.first
	if p == nil || !q.nothingAhead(owner, task) || q.mu.limiter.on && !q.mu.limiter.take(m.now()) {
		return engine.Poller{}, 0, false
	}
	q.mu.pollers.remove(p)
	p.state = pollerReserved
	p.handover = &Handover{Task: task, owner: owner}
	return p.who, m.remember(p), true
}

// nothingAhead reports whether the task would be first if it were offered. Locked.
func (q *queue) nothingAhead(owner shard.Backlog, task engine.Task) bool {
	first := q.mu.waiting.first()
	return first == nil || newOffer(owner, task).before(first)
}

func (m *Matcher) remember(p *poller) uint64 {
	m.reservations.Lock()
	defer m.reservations.Unlock()
	m.reservations.last++
	m.reservations.byID[m.reservations.last] = p
	return m.reservations.last
}

// end takes a reservation out; nil when it is not known.
func (m *Matcher) end(id uint64) *poller {
	m.reservations.Lock()
	defer m.reservations.Unlock()
	p := m.reservations.byID[id]
	delete(m.reservations.byID, id)
	return p
}

// Deliver implements shard.Matcher.
func (m *Matcher) Deliver(id uint64, started any) {
	p := m.end(id)
	if p == nil {
		return
	}
	q, now := p.queue, m.now()
	q.mu.Lock()
	defer q.release(elsewhere)
	h := p.handover
	if p.gone {
		p.handover = nil
		q.close(p, now)
		q.abort(h.owner, started)
		return
	}
	level := levelOf(h.Task.Priority)
	q.mu.traffic.added(level, now)
	q.mu.traffic.dispatched(level, now)
	m.counters.syncMatches.Add(1)
	q.hand(h, started, p, true, now)
}

// Release implements shard.Matcher.
func (m *Matcher) Release(id uint64) {
	p := m.end(id)
	if p == nil {
		return
	}
	q, now := p.queue, m.now()
	q.mu.Lock()
	defer q.release(elsewhere)
	p.handover = nil
	q.mu.limiter.giveBack()
	q.waitOn(p, now)
	q.match(now, false)
}
