package frontend

import (
	"context"
	"sync"
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

// waiting counts the calls that wait, by namespace, and ends them all when the
// server drains.
type waiting struct {
	limit int
	// drained ends when the server drains; drain ends it.
	drained context.Context
	drain   context.CancelFunc

	mu struct {
		sync.Mutex
		byNamespace map[string]int
	}
}

func newWaiting(limit int) *waiting {
	w := &waiting{limit: limit}
	w.drained, w.drain = context.WithCancel(context.Background())
	w.mu.byNamespace = map[string]int{}
	return w
}

// enter takes a place for a waiting call; leave gives it back.
func (w *waiting) enter(namespaceID string) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.byNamespace[namespaceID] >= w.limit {
		return nil, &serviceerror.ResourceExhausted{
			Cause:   enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT,
			Scope:   enumspb.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE,
			Message: "namespace concurrent poller limit exceeded",
		}
	}
	w.mu.byNamespace[namespaceID]++
	return func() { w.leave(namespaceID) }, nil
}

func (w *waiting) leave(namespaceID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.byNamespace[namespaceID]--; w.mu.byNamespace[namespaceID] == 0 {
		delete(w.mu.byNamespace, namespaceID)
	}
}

func (w *waiting) draining() bool { return w.drained.Err() != nil }

// until returns a context that ends after d, or deadlineMargin before the
// caller's deadline if that comes first, or when the server drains.
func (w *waiting) until(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(deadline)-deadlineMargin)
	}
	waitCtx, cancel := context.WithTimeout(ctx, d)
	forget := context.AfterFunc(w.drained, cancel) // no goroutine until it drains
	return waitCtx, func() {
		forget()
		cancel()
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
