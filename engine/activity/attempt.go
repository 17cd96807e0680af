package activity

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/retry"
)

// decide is the table AT-102 for an attempt that failed, or timed out, with f
// (row 2 is in timeout.go: those timeouts never come here).
func (s *State) decide(f *failurepb.Failure, now time.Time) retry.Decision {
	rules := s.House.rules()
	if s.Resetting && rules.lateReset {
		return retry.Decision{State: enumspb.RETRY_STATE_IN_PROGRESS}
	}
	if s.CancelRequested {
		return retry.Decision{State: enumspb.RETRY_STATE_CANCEL_REQUESTED}
	}
	if s.Paused && !rules.briefPause && retry.Retryable(f, s.RetryPolicy.GetNonRetryableErrorTypes()) {
		// Row 4: another attempt whenever it is unpaused, whatever their number.
		return retry.Decision{State: enumspb.RETRY_STATE_IN_PROGRESS}
	}
	last := s.Deadline(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
	if rules.strict && !last.IsZero() {
		last = last.Add(-1)
	}
	return retry.Decide(s.RetryPolicy, s.Attempt, f, now, last)
}

// again is the next attempt after f (AT-107): what it keeps is what is not set
// here.
func (s *State) again(env *engine.Env, f *failurepb.Failure, interval time.Duration) Step {
	return retrying.move(s, func(next *State) {
		next.Attempt++
		next.Stamp++
		next.DueTime = env.Now.Add(interval)
		next.RetryInterval = interval
		next.GivenDelay = interval > 0 && retry.OwnDelay(f) > 0
		next.Offered = false
		next.LastFailure = s.House.Shrink(f, env.Limits.LastFailureBytes, false)
		next.clearStart()
	})
}
