package matching

import (
	"sync/atomic"
	"time"
)

// rateSeconds is the span that rates are taken over (TQ-100).
const rateSeconds = 30

// traffic counts what came and went in the last seconds, by level. Guarded by
// the queue's lock. A level costs nothing until it is used.
type traffic [levels]*struct{ added, dispatched recent }

func (t *traffic) added(level int, now time.Time)      { t.of(level); t[level].added.count(now) }
func (t *traffic) dispatched(level int, now time.Time) { t.of(level); t[level].dispatched.count(now) }

func (t *traffic) of(level int) {
	if t[level] == nil {
		t[level] = new(struct{ added, dispatched recent })
	}
}

// rates per second of one level.
func (t *traffic) rates(level int, now time.Time) (added, dispatched float64) {
	if t[level] == nil {
		return 0, 0
	}
	return t[level].added.perSecond(now), t[level].dispatched.perSecond(now)
}

// total rates per second.
func (t *traffic) total(now time.Time) (added, dispatched float64) {
	for level := range t {
		a, d := t.rates(level, now)
		added, dispatched = added+a, dispatched+d
	}
	return added, dispatched
}

// recent counts events in a ring of seconds.
type recent struct {
	counts [rateSeconds]uint32
	second int64 // the newest in the ring
}

func (r *recent) turn(now time.Time) {
	second := now.Unix()
	for n := min(second-r.second, rateSeconds); n > 0; n-- {
		r.counts[(second-n+1)%rateSeconds] = 0
	}
	r.second = max(r.second, second)
}

func (r *recent) count(now time.Time) {
	r.turn(now)
	r.counts[r.second%rateSeconds]++
}

func (r *recent) perSecond(now time.Time) float64 {
	r.turn(now)
	sum := uint32(0)
	for _, n := range r.counts {
		sum += n
	}
	return float64(sum) / rateSeconds
}

// The numbers of TQ-55.
const (
	idleWait        = time.Second
	backlogAge      = 200 * time.Millisecond
	growthRatio     = 1.2
	decisionsPerSec = 10
)

// scaling bounds how often advice is given.
type scaling struct {
	second int64
	given  int
}

// advise is the advice that goes with a task (TQ-55): one poller less for a poll
// that idled, one more while work piles up. Locked.
func (q *queue) advise(p *poller, sync bool, now time.Time) int32 {
	delta := int32(0)
	switch {
	case sync && now.Sub(p.since) >= idleWait:
		delta = -1
	case q.mu.wake != nil: // the rate limit is what holds tasks back
		return 0
	case q.growing(now):
		delta = +1
	default:
		return 0
	}
	s := &q.mu.scaling
	if s.second != now.Unix() {
		*s = scaling{second: now.Unix()}
	}
	if s.given >= max(decisionsPerSec, q.mu.open) {
		return 0
	}
	s.given++
	return delta
}

func (q *queue) growing(now time.Time) bool {
	if q.oldest(now) > backlogAge {
		return true
	}
	if q.mu.waiting.empty() {
		return false // what came has gone; a rate that lags says nothing
	}
	added, dispatched := q.mu.traffic.total(now)
	return added > growthRatio*dispatched
}

// counters of a Matcher.
type counters struct {
	polls, empty, syncMatches, backlogMatches, stale, aborts, queries atomic.Uint64
}

// Counters are running totals, for the metrics.
type Counters struct {
	Polls          uint64 // begun
	EmptyPolls     uint64
	SyncMatches    uint64 // tasks that did not wait
	BacklogMatches uint64 // tasks that did
	Stale          uint64 // offers found void at the start
	Aborts         uint64 // starts taken back, because the poller had gone
	Queries        uint64
	// Queues, Pollers and Offers are present numbers, not totals.
	Queues, Pollers, Offers int
}

// Counters returns the totals since New.
func (m *Matcher) Counters() Counters {
	c := Counters{
		Polls: m.counters.polls.Load(), EmptyPolls: m.counters.empty.Load(),
		SyncMatches: m.counters.syncMatches.Load(), BacklogMatches: m.counters.backlogMatches.Load(),
		Stale: m.counters.stale.Load(), Aborts: m.counters.aborts.Load(), Queries: m.counters.queries.Load(),
	}
	for _, q := range m.all() {
		q.mu.Lock()
		c.Queues++
		c.Pollers += q.mu.open
		c.Offers += len(q.mu.offers)
		q.mu.Unlock()
	}
	return c
}
