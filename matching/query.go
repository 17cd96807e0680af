package matching

import (
	"container/list"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// query is a query task that waits, or has found a poller. Guarded by its
// queue's lock.
type query struct {
	task *shard.QueryTask
	lost func()
	at   *list.Element // in the queue's list; nil once it is out
}

// OfferQuery implements shard.Matcher. Queries and tasks that wait together take
// turns, so that neither holds up the other; queries know no priority and no
// rate limit and are in no statistics (TQ-85).
func (m *Matcher) OfferQuery(name engine.TaskQueue, task *shard.QueryTask, lost func()) (withdraw func()) {
	x := &query{task: task, lost: lost}
	q := m.lock(name)
	if q.mu.retired || m.draining.Load() {
		q.lose(x)
	} else {
		x.at = q.mu.queries.PushBack(x)
		q.match(m.now(), false)
	}
	q.release(elsewhere)
	return func() {
		q.mu.Lock()
		q.takeOut(x)
		q.mu.Unlock()
	}
}

// giveQuery answers the first waiting poller with the first query. Locked.
func (q *queue) giveQuery(p *poller, now time.Time) {
	x := q.mu.queries.Front().Value.(*query)
	q.takeOut(x)
	q.mu.pollers.remove(p)
	q.matcher.counters.queries.Add(1)
	q.finish(p, &Handover{Query: x.task, Abort: once(x.lost)}, now)
}

// refuseQueries tells all who wait that no poller will come. Locked.
func (q *queue) refuseQueries() {
	for q.mu.queries.Len() > 0 {
		x := q.mu.queries.Front().Value.(*query)
		q.takeOut(x)
		q.lose(x)
	}
}

func (q *queue) takeOut(x *query) {
	if x.at != nil {
		q.mu.queries.Remove(x.at)
		x.at = nil
	}
}

// lose tells who asked that nobody will have the query. Locked.
func (q *queue) lose(x *query) {
	q.mu.calls = append(q.mu.calls, call{kind: callQueryLost, query: x})
}
