package matching

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/shard"
)

// ErrTooManyPollers is the answer to a poll beyond Options.MaxPollers.
var ErrTooManyPollers = errors.New("too many pollers wait on this task queue")

// PollRequest is one poll.
type PollRequest struct {
	Queue  engine.TaskQueue
	Poller engine.Poller
	// Wait is how long the caller waits; 0 for no limit. The empty answer comes
	// one second before it ends (TQ-2). Poll takes it from its context.
	Wait time.Duration
}

// Handover is what a poller gets: a started task, or a query.
type Handover struct {
	// Task and Started are set for a task; Started is a *workflow.TaskStarted, a
	// *workflow.ActivityStarted or a *standalone.Started.
	Task    engine.Task
	Started any
	// Query is set for a query task (TQ-80).
	Query *shard.QueryTask
	// BacklogCount is how many tasks wait behind this one, without those that other
	// pollers are about to get: an SDK that is told of a backlog of its sticky queue
	// may poll that with all it has, and with a backlog that is none its workers
	// waited there for a minute while tasks lay in the normal queue.
	BacklogCount int64
	// PollerDelta is the advice to start (+1) or end (-1) a poller; 0 is none
	// (TQ-55).
	PollerDelta int32
	// Abort takes everything back, when the caller is gone before the answer
	// was written. Only the first call counts. Never nil.
	Abort func()

	matcher *Matcher
	owner   shard.Backlog
	aborted atomic.Bool
}

// abort gives a started task back.
func (h *Handover) abort() {
	if h.aborted.CompareAndSwap(false, true) {
		h.matcher.counters.aborts.Add(1)
		h.owner.AbortTask(h.Started)
	}
}

// pollerState is where a poller stands; see the package comment.
type pollerState uint8

const (
	pollerWaiting pollerState = iota
	pollerReserved
	pollerStarting
	// pollerDone: answered, about to be, or gone.
	pollerDone
)

// poller is one poll. Guarded by its queue's lock.
type poller struct {
	queue  *queue
	who    engine.Poller
	answer func(*Handover) // nil where somebody waits in Poll
	woken  chan struct{}   // of Poll: handover is the answer
	number uint64          // order of arrival
	since  time.Time
	seen   *seen
	over   time.Time // when its time is
	place  int       // in the queue's expiries, from 1; 0: not in there

	state pollerState
	// gone: the client left while the poller was reserved or starting.
	gone bool
	// dismissed: its time ran out, or its worker was shut down, in that state.
	dismissed bool

	// handover is the answer once the poller is done, and before that, while it is
	// reserved, what it is going to get, still without the start.
	handover   *Handover
	prev, next *poller // in the queue's list, or next in its answered ones
}

// tell gives the answer to whoever waits.
func (p *poller) tell() {
	if p.answer != nil {
		p.answer(p.handover)
		return
	}
	p.woken <- struct{}{}
}

// Waiting is a poll begun with Begin.
type Waiting poller

// Poll waits for a task of the queue. A nil Handover without an error is the
// empty answer of a poll whose time has run out. When ctx ends first, whatever
// was meant for this poll is taken back and the context's error returned.
func (m *Matcher) Poll(ctx context.Context, request PollRequest) (*Handover, error) {
	if deadline, ok := ctx.Deadline(); ok {
		// A context's deadline is in the machine's time, whatever our clock is.
		request.Wait = max(time.Until(deadline), 1)
	}
	p := &poller{who: request.Poller, woken: make(chan struct{}, 1)}
	if err := m.begin(p, request.Queue, request.Wait); err != nil {
		return nil, err
	}
	select {
	case <-p.woken:
	case <-ctx.Done():
		if p.cancel() {
			return nil, ctx.Err()
		}
		<-p.woken
	}
	return p.handover.unlessGone(ctx)
}

// unlessGone takes the handover back when ctx has ended.
func (h *Handover) unlessGone(ctx context.Context) (*Handover, error) {
	if err := ctx.Err(); err != nil {
		if h != nil {
			h.Abort()
		}
		return nil, err
	}
	return h, nil
}

// Begin starts a poll. answer is called once, from any goroutine, with nil for
// the empty answer, unless Cancel comes first; it must return at once.
func (m *Matcher) Begin(request PollRequest, answer func(*Handover)) (*Waiting, error) {
	p := &poller{who: request.Poller, answer: answer}
	if err := m.begin(p, request.Queue, request.Wait); err != nil {
		return nil, err
	}
	return (*Waiting)(p), nil
}

// begin starts the poll of one who waits for so long; 0: no limit.
func (m *Matcher) begin(p *poller, name engine.TaskQueue, most time.Duration) error {
	now := m.now()
	wait := m.options.PollTimeout - m.options.Jitter(m.options.PollJitter)
	if most > 0 {
		wait = min(wait, most-time.Second)
	}
	m.counters.polls.Add(1)
	q := m.lock(name)
	p.queue, p.since, p.who.Sticky = q, now, q.name.Sticky
	if q.mu.open >= m.options.MaxPollers {
		q.release(onOwnStack)
		return ErrTooManyPollers
	}
	q.mu.lastPoller++
	p.number = q.mu.lastPoller
	q.mu.open++
	q.see(p, now)
	q.limitBy(&p.who, now)
	if wait <= 0 || m.draining.Load() || m.isStopped(p.who.WorkerInstanceKey) {
		q.finish(p, nil, now)
	} else {
		q.mu.pollers.pushBack(p)
	}
	q.match(now, false) // even without this poller: the rate may have changed
	if p.state != pollerDone {
		q.expireAt(p, now.Add(wait), now)
	}
	q.release(onOwnStack)
	return nil
}

// Cancel ends the poll because its caller is gone. It reports whether it did:
// then answer will not be called. Else it has been called, or is about to be.
func (w *Waiting) Cancel() bool { return (*poller)(w).cancel() }

func (p *poller) cancel() bool {
	q := p.queue
	q.mu.Lock()
	defer q.release(onOwnStack)
	switch {
	case p.state == pollerDone:
		return p.gone
	case p.state == pollerWaiting:
		q.mu.pollers.remove(p)
		q.close(p, q.matcher.now())
	}
	p.gone = true
	return true
}

// dismissOne answers a poller empty, at once or as soon as it would wait on. Locked.
func (q *queue) dismissOne(p *poller) {
	switch p.state {
	case pollerWaiting:
		q.mu.pollers.remove(p)
		q.finish(p, nil, q.matcher.now())
	case pollerReserved, pollerStarting:
		p.dismissed = true
	}
}

// dismiss answers the waiting pollers empty that are chosen. Locked.
func (q *queue) dismiss(chosen func(*poller) bool) {
	for p := q.mu.pollers.first; p != nil; {
		next := p.next
		if chosen(p) {
			q.dismissOne(p)
		}
		p = next
	}
}

// finish answers a poller that is in no list. Locked.
func (q *queue) finish(p *poller, h *Handover, now time.Time) {
	q.close(p, now)
	if h == nil {
		q.matcher.counters.empty.Add(1)
	}
	p.handover = h
	if q.mu.lastAnswered == nil {
		q.mu.answered = p
	} else {
		q.mu.lastAnswered.next = p
	}
	q.mu.lastAnswered = p
}

// close ends a poller that is in no list. Locked.
func (q *queue) close(p *poller, now time.Time) {
	p.state = pollerDone
	q.endExpiry(p)
	q.mu.open--
	q.mu.lastPoll = now
	if p.seen != nil {
		p.seen.last = now
	}
}

// waitOn puts a poller that got nothing back into its place, unless there is a
// reason to end it. Locked.
func (q *queue) waitOn(p *poller, now time.Time) {
	switch {
	case p.gone:
		q.close(p, now)
	case p.dismissed || q.mu.retired || q.matcher.draining.Load() || q.matcher.isStopped(p.who.WorkerInstanceKey):
		q.finish(p, nil, now)
	default:
		p.state = pollerWaiting
		q.mu.pollers.insert(p)
	}
}

// once makes f harmless after its first call.
func once(f func()) func() {
	var o sync.Once
	return func() { o.Do(f) }
}

// pollers is a list of waiting pollers by their numbers. Invariant: all are in
// state pollerWaiting.
type pollers struct{ first, last *poller }

func (l *pollers) pushBack(p *poller) { l.insertAfter(l.last, p) }

// insert puts p where its number belongs; that is near the front for one that
// was taken from there a moment ago.
func (l *pollers) insert(p *poller) {
	var before *poller
	for at := l.first; at != nil && at.number < p.number; at = at.next {
		before = at
	}
	l.insertAfter(before, p)
}

func (l *pollers) insertAfter(before, p *poller) {
	p.prev = before
	if before == nil {
		p.next, l.first = l.first, p
	} else {
		p.next, before.next = before.next, p
	}
	if p.next == nil {
		l.last = p
	} else {
		p.next.prev = p
	}
}

func (l *pollers) remove(p *poller) {
	if p.prev == nil {
		l.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.prev, p.next = nil, nil
}
