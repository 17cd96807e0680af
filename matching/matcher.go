package matching

import (
	"cmp"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/shard"
)

// Options of a Matcher. The zero value is ready for production.
type Options struct {
	// Clock tells the time. Defaults to clock.System.
	Clock clock.Clock
	// Log. Defaults to slog.Default.
	Log *slog.Logger
	// Spawn runs a function soon, not on the caller's stack. Defaults to a new
	// goroutine; the simulator puts it into its own list of things to do.
	Spawn func(func())
	// Jitter returns a random duration in [0, max). Defaults to math/rand.
	Jitter func(max time.Duration) time.Duration
	// PollTimeout is the longest a poll waits, before the jitter is taken off.
	// Defaults to 60 s (TQ-2), a little less than what SDKs ask for.
	PollTimeout time.Duration
	// PollJitter is the most that is taken off, so that the polls of a crowd
	// that came together do not end together. Defaults to 10 s (TQ-2).
	PollJitter time.Duration
	// Window bounds the offers of one shard in one queue that are held here;
	// twice as many when tasks of a higher priority come after it is full. The
	// rest stays in the shard. Defaults to 1000: at 10,000 tasks a second a
	// half of it lasts 50 ms, ample for a shard to refill it.
	Window int
	// MaxPollers bounds the pollers of one queue; polls beyond it are refused
	// with ErrTooManyPollers. Defaults to 20,000.
	MaxPollers int
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.System
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Spawn == nil {
		o.Spawn = func(f func()) { go f() }
	}
	if o.Jitter == nil {
		o.Jitter = func(max time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(max))) }
	}
	o.PollTimeout = cmp.Or(o.PollTimeout, 60*time.Second)
	o.PollJitter = cmp.Or(o.PollJitter, 10*time.Second)
	o.Window = cmp.Or(o.Window, 1000)
	o.MaxPollers = cmp.Or(o.MaxPollers, 20_000)
	return o
}

const (
	// stickyGone is how long after its last poll a sticky queue counts as dead (TQ-71).
	stickyGone = 10 * time.Second
	// historyKept is how long a poller is remembered (TQ-7), and with it the queue.
	historyKept = 5 * time.Minute
	// sweepEvery is how often idle queues are looked for.
	sweepEvery = time.Minute
	// maxSeen bounds the poller history of one queue, maxStopped the workers
	// remembered as shut down. Whoever comes beyond is served but not listed.
	maxSeen    = 2000
	maxStopped = 10_000
)

// Matcher holds all task queues of this node. Its methods may be called from
// any goroutine; none blocks but Poll. It implements shard.Matcher.
type Matcher struct {
	options  Options
	counters counters
	// draining: polls are answered empty. Written before the queues are walked,
	// read under each queue's lock, so that no poller is forgotten.
	draining atomic.Bool

	queues struct {
		sync.RWMutex
		byName map[engine.TaskQueue]*queue
		// created numbers the queues, to walk them in an order that does not
		// depend on the map.
		created  uint64
		sweeping bool // a sweep is to come
	}
	reservations struct {
		sync.Mutex
		byID map[uint64]*poller
		last uint64
	}
	stopped struct {
		sync.Mutex
		// until by worker instance key: polls with it are answered empty (TQ-92).
		until map[string]time.Time
	}
}

var _ shard.Matcher = (*Matcher)(nil)

// New returns a Matcher without queues.
func New(options Options) *Matcher {
	m := &Matcher{options: options.withDefaults()}
	m.queues.byName = make(map[engine.TaskQueue]*queue)
	m.reservations.byID = make(map[uint64]*poller)
	m.stopped.until = make(map[string]time.Time)
	return m
}

func (m *Matcher) now() time.Time { return m.options.Clock.Now() }

// nameOf is the key a queue is kept under: what NormalName says is the task's
// business and not the queue's.
func nameOf(name engine.TaskQueue) engine.TaskQueue {
	name.NormalName = ""
	return name
}

// lock returns the queue, locked; it is created when there is none.
func (m *Matcher) lock(name engine.TaskQueue) *queue {
	for {
		q := m.find(name)
		if q == nil {
			q = m.create(name)
		}
		q.mu.Lock()
		if !q.mu.dropped {
			return q
		}
		q.mu.Unlock()
	}
}

// lockExisting returns the queue, locked, or nil when there is none.
func (m *Matcher) lockExisting(name engine.TaskQueue) *queue {
	q := m.find(name)
	if q == nil {
		return nil
	}
	q.mu.Lock()
	if q.mu.dropped {
		q.mu.Unlock()
		return nil
	}
	return q
}

func (m *Matcher) find(name engine.TaskQueue) *queue {
	m.queues.RLock()
	defer m.queues.RUnlock()
	return m.queues.byName[nameOf(name)]
}

func (m *Matcher) create(name engine.TaskQueue) *queue {
	name = nameOf(name)
	m.queues.Lock()
	defer m.queues.Unlock()
	if q := m.queues.byName[name]; q != nil {
		return q
	}
	m.queues.created++
	q := newQueue(m, name, m.queues.created)
	m.queues.byName[name] = q
	m.sweepLater()
	return q
}

// all returns the queues, oldest first.
func (m *Matcher) all() []*queue {
	m.queues.RLock()
	all := make([]*queue, 0, len(m.queues.byName))
	for _, q := range m.queues.byName {
		all = append(all, q)
	}
	m.queues.RUnlock()
	slices.SortFunc(all, func(a, b *queue) int { return cmp.Compare(a.number, b.number) })
	return all
}

// sweepLater asks for a sweep, if there is a queue and none is asked for: a
// server without queues has no timer. The table is locked.
func (m *Matcher) sweepLater() {
	if m.queues.sweeping || len(m.queues.byName) == 0 {
		return
	}
	m.queues.sweeping = true
	m.options.Clock.AfterFunc(sweepEvery, m.sweep)
}

// sweep drops the queues nobody uses, and forgets workers long shut down.
func (m *Matcher) sweep() {
	now := m.now()
	m.queues.Lock()
	defer m.queues.Unlock()
	for name, q := range m.queues.byName {
		q.mu.Lock()
		if q.idle(now) {
			q.mu.dropped = true
			delete(m.queues.byName, name)
		}
		q.mu.Unlock()
	}
	m.queues.sweeping = false
	m.sweepLater()
	m.forgetStopped(now)
}

// DrainPolls answers every waiting poll empty, and all that come later at once:
// the server stops. Polls whose task is being started get it.
func (m *Matcher) DrainPolls() {
	m.draining.Store(true)
	for _, q := range m.all() {
		q.mu.Lock()
		q.dismiss(func(*poller) bool { return true })
		q.refuseQueries()
		q.release(onOwnStack)
	}
}
