package frontend

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
)

// How long calls wait (workflow.md 0.3, taskqueue.md 2).
const (
	historyPollTime = 20 * time.Second
	// deadlineMargin is left of the caller's time, so that an empty answer
	// reaches it before its deadline strikes.
	deadlineMargin = time.Second
	// minPollTime is what a poll must have left on arrival.
	minPollTime = 2 * time.Second
)

// pollShare: one in so many places of calls that wait is for polls alone.
const pollShare = 4

// overEvery is how finely the ends of waits are told apart.
const overEvery = 250 * time.Millisecond

// waiting counts the calls that wait, by namespace, and ends them all when the
// server drains.
type waiting struct {
	// limit bounds all calls of a namespace, and others those that are not polls of
	// workers. What callers wait for needs the workers: were all places taken by
	// calls for results, every poll that has brought a task would lose its place to
	// one more of them, and nothing would go on.
	limit, others int
	// drained ends when the server drains; drain ends it.
	drained context.Context
	cancel  context.CancelFunc
	// counts has the *atomic.Int64 of each namespace that calls have waited in.
	counts sync.Map

	mu struct {
		sync.Mutex
		// ends are the waits to come to an end, by when, in steps of overEvery:
		// those of a quarter of a second share a channel and a timer.
		ends map[int64]chan struct{}
	}
}

func newWaiting(limit int) *waiting {
	w := &waiting{limit: limit, others: limit - limit/pollShare}
	w.drained, w.cancel = context.WithCancel(context.Background())
	w.mu.ends = make(map[int64]chan struct{})
	return w
}

// drain ends all waits, present and to come.
func (w *waiting) drain() {
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	for step := range w.mu.ends {
		w.end(step)
	}
}

// place is where a call waits; leave gives it back.
type place struct{ taken *atomic.Int64 }

func (p place) leave() { p.taken.Add(-1) }

// enter takes a place for a waiting call that is no poll.
func (w *waiting) enter(namespaceID string) (place, error) {
	return w.take(namespaceID, w.others)
}

// enterPoll takes a place for a poll of a worker.
func (w *waiting) enterPoll(namespaceID string) (place, error) {
	return w.take(namespaceID, w.limit)
}

// take takes a place as long as no more than most are taken.
func (w *waiting) take(namespaceID string, most int) (place, error) {
	n := w.count(namespaceID)
	for have := n.Load(); have < int64(most); have = n.Load() {
		if n.CompareAndSwap(have, have+1) {
			return place{n}, nil
		}
	}
	return place{}, &serviceerror.ResourceExhausted{
		Cause:   enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT,
		Scope:   enumspb.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE,
		Message: "namespace concurrent poller limit exceeded",
	}
}

func (w *waiting) count(namespaceID string) *atomic.Int64 {
	n, ok := w.counts.Load(namespaceID)
	if !ok {
		n, _ = w.counts.LoadOrStore(namespaceID, new(atomic.Int64))
	}
	return n.(*atomic.Int64)
}

func (w *waiting) draining() bool { return w.drained.Err() != nil }

// over returns a channel that is closed after d, or deadlineMargin before the
// caller's deadline if that comes first, or when the server drains; up to
// overEvery early. It is shared and needs no giving back: a context with a time
// of its own for each call took 1 % of the CPU of a short workflow.
func (w *waiting) over(ctx context.Context, d time.Duration) <-chan struct{} {
	now := time.Now()
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, deadline.Sub(now)-deadlineMargin)
	}
	step := now.Add(d).UnixNano() / int64(overEvery)
	w.mu.Lock()
	defer w.mu.Unlock()
	if end := w.mu.ends[step]; end != nil {
		return end
	}
	end := make(chan struct{})
	left := time.Unix(0, step*int64(overEvery)).Sub(now)
	if w.draining() || left <= 0 {
		close(end)
		return end
	}
	w.mu.ends[step] = end
	time.AfterFunc(left, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.end(step)
	})
	return end
}

// end ends the waits of a step, unless that was done before. Locked.
func (w *waiting) end(step int64) {
	if end := w.mu.ends[step]; end != nil {
		delete(w.mu.ends, step)
		close(end)
	}
}

// checkPollDeadline refuses polls that do not say how long they wait, or too
// little (TQ-1).
func checkPollDeadline(ctx context.Context) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		return invalid("Context timeout is not set.")
	}
	if time.Until(deadline) < minPollTime {
		return serviceerror.NewFailedPrecondition("Context timeout is too short.")
	}
	return nil
}
