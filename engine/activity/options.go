package activity

import (
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/retry"
)

// SetOptions puts new options in force (AT-167). The deadlines of a running
// attempt follow from them, and its retry policy counts at the next decision. An
// attempt nobody has is handed out anew: at once if it was due or is the first,
// else when the back-off of the new policy is over. A back-off whose length the
// new policy does not change stays as it is; standing alone so does one that the
// failure asked for (AX-45).
func (s *State) SetOptions(env *engine.Env, o Options) *State {
	if !s.Unstarted() {
		return retuning.move(s, func(next *State) { next.Options = o }).State
	}
	return reissuing.move(s, func(next *State) {
		next.Options = o
		next.recall()
		if s.RetryInterval == 0 {
			next.DueTime = latest(earlier(s.DueTime, env.Now), next.readyTime())
			return
		}
		if s.GivenDelay && s.House.rules().givenDelays {
			return
		}
		before, after := retry.Interval(s.RetryPolicy, s.Attempt-1), retry.Interval(o.RetryPolicy, s.Attempt-1)
		if before != after {
			failed := s.DueTime.Add(-s.RetryInterval)
			next.DueTime = failed.Add(after)
			next.RetryInterval = after
			if !s.Paused { // else it must still tell when the failure was
				next.DueTime = latest(next.DueTime, env.Now)
			}
		}
	}).State
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
