package activity

import "time"

// The two things a history can tell of an open activity beside that it was
// scheduled. Both make a state; neither is a transition of one that is lived.

// Rescheduled is the activity as a reset of its workflow finds it: asked for
// anew, its clocks from now.
func (s *State) Rescheduled(now time.Time) *State {
	next := *s
	next.ScheduledTime, next.DueTime = now, now
	return &next
}

// StartedBefore is the activity with an attempt that a worker has. We write the
// start of an attempt only together with its end; a history from elsewhere may
// have it alone.
func (s *State) StartedBefore(at time.Time, attempt int32, identity string) *State {
	next := *s
	next.Status = StatusStarted
	next.Attempt = attempt
	next.StartedTime = at
	next.Identity = identity
	return &next
}
