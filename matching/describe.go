package matching

import (
	"cmp"
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// PollerSeen is a poller of the last five minutes (TQ-7).
type PollerSeen struct {
	Poller     engine.Poller
	LastAccess time.Time
	// TasksPerSecond is what it asked for, or 100,000.
	TasksPerSecond float64
}

// Stats of a queue or of one priority of it (TQ-100).
type Stats struct {
	// BacklogCount is how many tasks wait. Tasks that are being started do not
	// count.
	BacklogCount int64
	// BacklogAge is how long ago the oldest of them became due; 0 when none waits.
	BacklogAge time.Duration
	// AddRate and DispatchRate are per second over the last 30; a task that did
	// not wait counts in both.
	AddRate, DispatchRate float64
}

// Description of a queue.
type Description struct {
	Pollers []PollerSeen // latest first
	Stats   Stats
	// ByPriority has the levels that had any traffic or have any backlog.
	ByPriority map[int32]Stats
	// TasksPerSecond in force; FromWorker says that a worker has set it (TQ-43).
	TasksPerSecond float64
	FromWorker     bool
}

// seen is an identity in the poller history. Guarded by the queue's lock.
type seen struct {
	who  engine.Poller
	last time.Time
}

// see notes the beginning of a poll. Locked.
func (q *queue) see(p *poller, now time.Time) {
	q.mu.lastPoll = now
	s := q.mu.history[p.who.Identity]
	if s == nil {
		if len(q.mu.history) >= maxSeen {
			return
		}
		s = new(seen)
		q.mu.history[p.who.Identity] = s
	}
	s.who, s.last = p.who, now
	p.seen = s
}

// forgetSeen drops those not seen for five minutes, unless they still poll. Locked.
func (q *queue) forgetSeen(now time.Time) {
	for p := q.mu.pollers.first; p != nil; p = p.next {
		if p.seen != nil {
			p.seen.last = now
		}
	}
	for identity, s := range q.mu.history {
		if now.Sub(s.last) > historyKept {
			delete(q.mu.history, identity)
		}
	}
}

// Describe reports on a queue; an unknown one is like one never used.
func (m *Matcher) Describe(name engine.TaskQueue) Description {
	d := Description{TasksPerSecond: systemRate, ByPriority: map[int32]Stats{}}
	q := m.lockExisting(name)
	if q == nil {
		return d
	}
	now := m.now()
	if q.mu.limiter.on {
		d.TasksPerSecond, d.FromWorker = q.mu.limiter.rate, true
	}
	d.Pollers = q.pollersSeen(now)
	q.stats(&d, now)
	deeper := q.deeper()
	q.mu.Unlock()
	for owner, held := range deeper {
		if depth, ok := owner.(shard.Depth); ok {
			d.Stats.BacklogCount += int64(max(depth.Depth(q.name)-held, 0))
		}
	}
	return d
}

func (q *queue) pollersSeen(now time.Time) []PollerSeen {
	q.forgetSeen(now)
	all := make([]PollerSeen, 0, len(q.mu.history))
	for _, s := range q.mu.history {
		rate := float64(systemRate)
		if s.who.HasRateLimit {
			rate = s.who.MaxTasksPerSecond
		}
		all = append(all, PollerSeen{Poller: s.who, LastAccess: s.last, TasksPerSecond: rate})
	}
	slices.SortFunc(all, func(a, b PollerSeen) int {
		return cmp.Or(b.LastAccess.Compare(a.LastAccess), cmp.Compare(a.Poller.Identity, b.Poller.Identity))
	})
	return all
}

// stats fills in the statistics. Locked.
func (q *queue) stats(d *Description, now time.Time) {
	var perLevel [levels]Stats
	for level := range q.mu.waiting {
		s := &perLevel[level]
		if waiting := q.mu.waiting[level]; len(waiting) > 0 {
			s.BacklogAge = max(now.Sub(waiting[0].task.Order), 0)
		}
		s.AddRate, s.DispatchRate = q.mu.traffic.rates(level, now)
	}
	for _, o := range q.mu.offers {
		if o.state == offerWaiting || o.state == offerResting {
			perLevel[o.level].BacklogCount++
		}
	}
	for level, s := range perLevel {
		if s == (Stats{}) {
			continue
		}
		d.ByPriority[int32(level)] = s
		d.Stats.BacklogCount += s.BacklogCount
		d.Stats.BacklogAge = max(d.Stats.BacklogAge, s.BacklogAge)
		d.Stats.AddRate += s.AddRate
		d.Stats.DispatchRate += s.DispatchRate
	}
}

// deeper are the owners that hold more than they have here, with how much that
// is. Locked.
func (q *queue) deeper() map[shard.Backlog]int {
	owners := map[shard.Backlog]int{}
	for owner, w := range q.mu.windows {
		if w.more {
			owners[owner] = w.held
		}
	}
	return owners
}

// oldest is how long the oldest waiting task has been due; 0 when none waits. Locked.
func (q *queue) oldest(now time.Time) (age time.Duration) {
	for level := range q.mu.waiting {
		if waiting := q.mu.waiting[level]; len(waiting) > 0 {
			age = max(age, now.Sub(waiting[0].task.Order))
		}
	}
	return age
}
