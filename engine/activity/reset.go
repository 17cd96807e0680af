package activity

import (
	"time"

	"github.com/perdure/perdure/engine"
)

// Reset is how an activity is to begin anew.
type Reset struct {
	// ResetHeartbeat forgets the details recorded so far; those of a running
	// attempt when it has ended.
	ResetHeartbeat bool
	// KeepPaused leaves a paused activity paused.
	KeepPaused bool
	// Jitter: an attempt nobody has is handed out at a random time within it.
	Jitter time.Duration
	// Original are the options to go back to; nil keeps the present ones. The
	// priority is never changed.
	Original *Options
}

// Reset counts attempts from 1 again (AT-163). An attempt nobody has is handed
// out without regard to its back-off. A running one goes on and hears of it; its
// failure is followed by attempt 2 (AT-164, AT-165).
func (s *State) Reset(env *engine.Env, r Reset) *State {
	t := resetMarking
	if s.Unstarted() {
		t = resetting
	}
	return t.move(s, func(next *State) {
		next.Attempt = 1
		if r.Original != nil {
			next.Options = *r.Original
			next.Priority = s.Priority
		}
		if !r.KeepPaused {
			next.Paused, next.Pause = false, Pause{}
		}
		if !s.Unstarted() {
			next.Resetting = true
			next.ResetHeartbeat = r.ResetHeartbeat
			return
		}
		if r.ResetHeartbeat {
			next.HeartbeatDetails = nil
		}
		next.handOutAt(env.Now.Add(env.Fresh.Duration(r.Jitter)))
	}).State
}
