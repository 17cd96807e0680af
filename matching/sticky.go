package matching

import (
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
)

// normalOf is the queue a sticky queue's tasks fall back to.
func normalOf(sticky engine.TaskQueue) engine.TaskQueue {
	return engine.TaskQueue{NamespaceID: sticky.NamespaceID, Name: sticky.NormalName, Type: sticky.Type}
}

// fallsBack reports whether tasks for the name have another queue to go to.
func fallsBack(name engine.TaskQueue) bool { return name.Sticky && name.NormalName != "" }

// lockUsable returns the queue for a task, locked: the named one, or the normal
// one when a sticky queue has lost its worker (TQ-71).
func (m *Matcher) lockUsable(name engine.TaskQueue) *queue {
	if !fallsBack(name) {
		return m.lock(name)
	}
	if q := m.lockExisting(name); q != nil {
		if q.polledWithin(stickyGone, m.now()) {
			return q
		}
		q.mu.Unlock()
	}
	return m.lock(normalOf(name))
}

// lockWithPoller is lockUsable for a task that is not waiting yet: nil when
// there is no such queue, and so no poller either.
func (m *Matcher) lockWithPoller(name engine.TaskQueue) *queue {
	q := m.lockExisting(name)
	if !fallsBack(name) {
		return q
	}
	if q != nil {
		if q.polledWithin(stickyGone, m.now()) {
			return q
		}
		q.mu.Unlock()
	}
	return m.lockExisting(normalOf(name))
}

// polledWithin reports whether a poller waits or did within d. Locked.
func (q *queue) polledWithin(d time.Duration, now time.Time) bool {
	return !q.mu.retired && (q.mu.open > 0 || !q.mu.lastPoll.IsZero() && now.Sub(q.mu.lastPoll) <= d)
}

// PolledWithin implements shard.Matcher.
func (m *Matcher) PolledWithin(name engine.TaskQueue, d time.Duration) bool {
	q := m.lockExisting(name)
	if q == nil {
		return false
	}
	defer q.mu.Unlock()
	return q.polledWithin(d, m.now())
}

// RetireSticky makes a sticky queue unusable from now on: its polls end empty,
// its tasks go to the normal queue at once, its queries back to their callers
// (TQ-90). An unknown queue, or one that is not sticky, is let be.
func (m *Matcher) RetireSticky(name engine.TaskQueue) {
	q := m.lockExisting(name)
	if q == nil {
		return
	}
	if !q.name.Sticky {
		q.mu.Unlock()
		return
	}
	q.mu.retired = true
	q.dismiss(func(*poller) bool { return true })
	q.refuseQueries()
	stranded := q.takeAll()
	q.release(onOwnStack)
	for _, o := range stranded {
		m.offerTo(normalOf(o.task.Queue), o.owner, []engine.Task{o.task}, false)
	}
}

// takeAll takes out the offers that wait or rest and have another queue to go
// to, in their order. Those that are starting have found a poller; should the
// start fail they fall back then. Locked.
func (q *queue) takeAll() []*offer {
	var all []*offer
	for _, o := range q.mu.offers {
		if o.state != offerStarting && fallsBack(o.task.Queue) {
			all = append(all, o)
		}
	}
	for _, o := range all {
		q.drop(o)
	}
	slices.SortFunc(all, func(a, b *offer) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	return all
}

// Shutdown describes a worker that is going down (TQ-90, TQ-92).
type Shutdown struct {
	// Sticky is the worker's sticky queue; the zero value for none.
	Sticky engine.TaskQueue
	// Queues are the worker's normal queues, each with its type.
	Queues      []engine.TaskQueue
	Identity    string
	InstanceKey string
}

// ShutdownWorker retires the worker's sticky queue. When its instance key is
// known, its outstanding polls on the named queues and all later ones end empty,
// and it leaves their poller history.
func (m *Matcher) ShutdownWorker(s Shutdown) {
	if s.Sticky.Name != "" {
		m.RetireSticky(s.Sticky)
	}
	if s.InstanceKey == "" {
		return
	}
	m.stop(s.InstanceKey)
	for _, name := range s.Queues {
		q := m.lockExisting(name)
		if q == nil {
			continue
		}
		q.dismiss(func(p *poller) bool { return p.who.WorkerInstanceKey == s.InstanceKey })
		delete(q.mu.history, s.Identity)
		q.release(onOwnStack)
	}
}

// stop remembers the worker for as long as its polls might still come in.
func (m *Matcher) stop(instanceKey string) {
	m.stopped.Lock()
	defer m.stopped.Unlock()
	if len(m.stopped.until) < maxStopped {
		m.stopped.until[instanceKey] = m.now().Add(historyKept)
	}
}

func (m *Matcher) isStopped(instanceKey string) bool {
	if instanceKey == "" {
		return false
	}
	m.stopped.Lock()
	defer m.stopped.Unlock()
	return m.stopped.until[instanceKey].After(m.now())
}

func (m *Matcher) forgetStopped(now time.Time) {
	m.stopped.Lock()
	defer m.stopped.Unlock()
	for key, until := range m.stopped.until {
		if !until.After(now) {
			delete(m.stopped.until, key)
		}
	}
}
