package activity

import (
	"time"

	"github.com/perdure/perdure/engine"
)

// AlreadyPaused refuses a second pause.
func AlreadyPaused() *engine.Refusal {
	return engine.Refuse(engine.KindFailedPrecondition, "activity is already paused")
}

// SetPaused pauses the activity (AT-161): an attempt nobody has is not handed
// out any more, a running one goes on and hears of it. The same request again
// yields s itself; another pause of a paused activity is refused with
// AlreadyPaused. p.RequestID may be empty: such requests are never the same.
func (s *State) SetPaused(p Pause) (*State, error) {
	if s.Paused {
		if p.RequestID != "" && p.RequestID == s.Pause.RequestID {
			return s, nil
		}
		return nil, AlreadyPaused()
	}
	t := pauseMarking
	if s.Unstarted() {
		t = pausing
	}
	return t.move(s, func(next *State) {
		next.Paused, next.Pause = true, p
		next.recall()
	}).State, nil
}

// Unpause is how an activity is to go on after a pause.
type Unpause struct {
	// ResetAttempts counts attempts from 1 again, ResetHeartbeat forgets the
	// details recorded so far.
	ResetAttempts  bool
	ResetHeartbeat bool
	// Jitter: an attempt nobody has is handed out at a random time within it.
	Jitter time.Duration
}

// Unpause ends a pause. In a workflow what was left of a back-off is skipped
// (AT-162), standing alone it is waited for (AX-41). s itself when it is not
// paused.
func (s *State) Unpause(env *engine.Env, u Unpause) *State {
	if !s.Paused {
		return s
	}
	t := pauseLifting
	if s.Unstarted() {
		t = unpausing
	}
	return t.move(s, func(next *State) {
		next.Paused, next.Pause = false, Pause{}
		if u.ResetAttempts {
			next.Attempt = 1
		}
		if u.ResetHeartbeat {
			next.HeartbeatDetails = nil
		}
		at := env.Now.Add(env.Fresh.Duration(u.Jitter))
		if s.House.rules().briefPause && s.DueTime.After(at) {
			next.recall() // still due when it was
		} else {
			next.handOutAt(at)
		}
	}).State
}

// recall voids the offer of an attempt nobody has; the token of a running one
// stays good.
func (s *State) recall() {
	if s.Unstarted() {
		s.Stamp++
		s.Offered = false
	}
}

// handOutAt has an attempt that nobody has handed out at the time given, without
// regard to its back-off, but not before a start delay is over. A running one
// goes on.
func (s *State) handOutAt(t time.Time) {
	if !s.Unstarted() {
		return
	}
	s.recall()
	s.DueTime = latest(t, s.readyTime())
	s.RetryInterval = 0
	s.GivenDelay = false
}
