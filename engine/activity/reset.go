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
	// Jitter: an attempt nobody has is handed out at a random time within it,
	// unless it stays paused.
	Jitter time.Duration
	// Original are the options to go back to; nil keeps the present ones.
	Original *Options
}

// Reset counts attempts from 1 again (AT-163, AX-43). An attempt nobody has is
// handed out without regard to its back-off. A running one goes on and hears of
// it. Its failure is followed in a workflow by attempt 2 (AT-164, AT-165);
// standing alone by attempt 1, at once, and then under the original options.
func (s *State) Reset(env *engine.Env, r Reset) *State {
	t := resetMarking
	if s.Unstarted() {
		t = resetting
	}
	return t.move(s, func(next *State) {
		if !r.KeepPaused {
			next.Paused, next.Pause = false, Pause{}
		}
		if !s.Unstarted() {
			next.Resetting = true
			next.ResetHeartbeat = r.ResetHeartbeat
			if s.House.rules().lateReset {
				next.ResetOptions = r.Original
				return
			}
		}
		next.beginAnew(r.Original)
		if !s.Unstarted() {
			return
		}
		if r.ResetHeartbeat {
			next.HeartbeatDetails = nil
		}
		at := env.Now
		if !next.Paused {
			at = at.Add(env.Fresh.Duration(r.Jitter))
		}
		next.handOutAt(at)
	}).State
}

// beginAnew counts attempts from 1 again, under the original options if given.
func (s *State) beginAnew(original *Options) {
	s.Attempt = 1
	if original != nil {
		s.Options = *original
	}
}

// endReset completes a reset at the end of the attempt that was running.
func (s *State) endReset() {
	if s.ResetHeartbeat {
		s.HeartbeatDetails = nil
	}
	if s.Resetting && s.House.rules().lateReset {
		s.beginAnew(s.ResetOptions)
	}
	s.dropReset()
}

// dropReset forgets a reset that waits for the end of the running attempt.
func (s *State) dropReset() {
	s.Resetting = false
	s.ResetHeartbeat = false
	s.ResetOptions = nil
}
