package matching

import (
	"container/list"
	"sync"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/shard"
)

// queue is one task queue.
type queue struct {
	matcher *Matcher
	name    engine.TaskQueue // NormalName empty
	number  uint64
	// drainCalls is drain as a value, made once.
	drainCalls func()

	mu struct {
		sync.Mutex
		dropped bool // no longer in the matcher's table

		// pollers that wait, oldest first; open counts them and those that are
		// reserved or starting.
		pollers    pollers
		expiries   expiries
		open       int
		lastPoller uint64
		// lastPoll is when a poll last began or ended.
		lastPoll time.Time
		history  map[string]*seen

		// waiting are the offers that wait; offers are these and those that are
		// starting or resting, by key.
		waiting waitingOffers
		offers  map[offerKey]*offer
		windows map[shard.Backlog]*window
		round   uint64

		queries *list.List // of *query
		// tasksTurn: when both wait, the next poller gets a task, not a query.
		tasksTurn bool

		// retired: a sticky queue whose worker has shut down.
		retired bool

		limiter limiter
		// wake is the timer for the limiter's next token; nil when none is set.
		wake    clock.Timer
		traffic traffic
		scaling scaling

		// What is to be said after the unlock. Invariant: answered pollers are
		// in no other list; calls are drained by one goroutine at a time.
		answered, lastAnswered *poller
		calls, spareCalls      []call
		draining               bool
	}
}

func newQueue(m *Matcher, name engine.TaskQueue, number uint64) *queue {
	q := &queue{matcher: m, name: name, number: number}
	q.drainCalls = q.drain
	q.mu.history = make(map[string]*seen)
	q.mu.offers = make(map[offerKey]*offer)
	q.mu.windows = make(map[shard.Backlog]*window)
	q.mu.queries = list.New()
	return q
}

// idle reports whether nothing would be forgotten with the queue. Locked.
func (q *queue) idle(now time.Time) bool {
	q.forgetSeen(now)
	if q.mu.open > 0 || len(q.mu.offers) > 0 || q.mu.queries.Len() > 0 || len(q.mu.history) > 0 || q.mu.draining {
		return false
	}
	for _, w := range q.mu.windows {
		if w.more {
			return false
		}
	}
	return now.Sub(q.mu.lastPoll) > stickyGone
}

// call is something to be said to a shard, or to whoever asked a query.
type call struct {
	kind    callKind
	owner   shard.Backlog
	match   *match // of callStart
	started any    // of callAbort
	query   *query // of callQueryLost
}

type callKind uint8

const (
	callStart callKind = iota
	callAbort
	callRefill
	callQueryLost
)

func (q *queue) perform(c *call) {
	switch c.kind {
	case callStart:
		c.owner.StartTask(c.match.offer.task, c.match.poller.who, c.match.done)
	case callAbort:
		q.matcher.counters.aborts.Add(1)
		c.owner.AbortTask(c.started)
	case callRefill:
		c.owner.Refill(q.name)
	case callQueryLost:
		c.query.lost()
	}
}

// stack says where calls to shards may be made from.
type stack bool

const (
	// onOwnStack: the caller is neither a shard nor holds anything.
	onOwnStack stack = true
	// elsewhere: the caller may be a shard's loop.
	elsewhere stack = false
)

// release unlocks the queue and says what the turn has noted.
func (q *queue) release(where stack) {
	answered := q.mu.answered
	q.mu.answered, q.mu.lastAnswered = nil, nil
	drain := len(q.mu.calls) > 0 && !q.mu.draining
	if drain {
		q.mu.draining = true
	}
	q.mu.Unlock()
	for p := answered; p != nil; {
		next := p.next
		p.next = nil
		p.tell()
		p = next
	}
	if !drain {
		return
	}
	if where == onOwnStack && q.drainSome(inlineRounds) {
		return
	}
	q.matcher.options.Spawn(q.drainCalls)
}

// inlineRounds is how long a poll may go on making the calls of others before
// it leaves them to a goroutine of their own.
const inlineRounds = 3

// drain makes calls until none is left. Only one goroutine is in it, or in
// drainSome, at a time.
func (q *queue) drain() {
	for !q.drainSome(inlineRounds) {
	}
}

// drainSome makes calls for some rounds and reports whether none is left.
func (q *queue) drainSome(rounds int) bool {
	for range rounds {
		q.mu.Lock()
		calls := q.mu.calls
		if len(calls) == 0 {
			q.mu.draining = false
			q.mu.Unlock()
			return true
		}
		q.mu.calls = q.mu.spareCalls[:0]
		q.mu.spareCalls = nil
		q.mu.Unlock()
		for i := range calls {
			q.perform(&calls[i])
		}
		clear(calls)
		q.mu.Lock()
		q.mu.spareCalls = calls
		q.mu.Unlock()
	}
	return false
}
