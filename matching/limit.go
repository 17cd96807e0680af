package matching

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// systemRate is the rate shown for a queue whose worker sets none, and the most
// one can set (TQ-40). It is not enforced: a worker that sets nothing gets what
// there is.
const systemRate = 100_000

// limiter is a bucket of tokens, one for each task, that holds what comes in
// about a second (TQ-41). The zero value lets everything through.
type limiter struct {
	on     bool
	rate   float64 // tokens a second
	tokens float64
	filled time.Time
}

func (l *limiter) burst() float64 { return max(l.rate, 1) }

// set changes the rate; a new limit starts with a full bucket.
func (l *limiter) set(rate float64, now time.Time) {
	rate = min(max(rate, 0), systemRate)
	if l.on && l.rate == rate {
		return
	}
	l.fill(now)
	fresh := !l.on
	l.on, l.rate = true, rate
	if fresh {
		l.tokens = l.burst()
	}
	l.tokens = min(l.tokens, l.burst())
}

func (l *limiter) clear() { *l = limiter{} }

func (l *limiter) fill(now time.Time) {
	if elapsed := now.Sub(l.filled).Seconds(); elapsed > 0 {
		l.tokens = min(l.tokens+elapsed*l.rate, l.burst())
		l.filled = now
	}
}

// take takes a token; false when there is none.
func (l *limiter) take(now time.Time) bool {
	if !l.on {
		return true
	}
	l.fill(now)
	if l.rate == 0 || l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// giveBack returns the token of a task that was not handed out after all.
func (l *limiter) giveBack() {
	if l.on {
		l.tokens = min(l.tokens+1, l.burst())
	}
}

// wait is how long the next token takes; ever is false when none comes.
func (l *limiter) wait(now time.Time) (d time.Duration, ever bool) {
	if !l.on || l.rate == 0 {
		return 0, !l.on
	}
	l.fill(now)
	missing := max(1-l.tokens, 0)
	// Rounded up, so that the token is there when the timer is.
	return time.Duration(missing/l.rate*float64(time.Second)) + time.Microsecond, true
}

// limitBy sets the queue's rate to what the latest poll says (TQ-41). Locked.
func (q *queue) limitBy(who *engine.Poller, now time.Time) {
	switch {
	case !limited(q.name):
	case who.HasRateLimit:
		q.mu.limiter.set(who.MaxTasksPerSecond, now)
	default:
		q.mu.limiter.clear()
	}
	if q.mu.wake != nil && q.mu.wake.Stop() {
		q.mu.wake = nil // set anew for the new rate by the match that follows
	}
}

// limited reports whether the worker's rate applies to the queue (TQ-42).
func limited(name engine.TaskQueue) bool {
	return name.Type != enumspb.TASK_QUEUE_TYPE_WORKFLOW && !name.Sticky
}
