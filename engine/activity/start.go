package activity

import (
	"time"

	"github.com/perdure/perdure/engine"
)

// Offer puts the attempt, which is due, on its task queue. It must be queued
// and neither offered nor paused.
func (s *State) Offer() *State {
	return offering.move(s, func(next *State) {
		next.Offered = true
		next.RetryInterval = 0
		next.GivenDelay = false
	}).State
}

// MayOffer reports whether the attempt is due at now and not yet offered.
func (s *State) MayOffer(now time.Time) bool {
	return s.Status == StatusQueued && !s.Offered && !s.Paused && !now.Before(s.DueTime)
}

// Start gives the attempt to a worker (AT-52). stamp is that of the offer; a
// void offer is refused with KindStale. The same poll asking twice gets the
// same start.
func (s *State) Start(now time.Time, stamp int64, p *engine.Poller) (*State, error) {
	if s.Status == StatusStarted && stamp == s.Stamp-1 && p.RequestID == s.RequestID {
		return s, nil
	}
	if s.Status != StatusQueued || stamp != s.Stamp {
		return nil, engine.Stale("activity offer")
	}
	return starting.move(s, func(next *State) {
		next.Stamp++
		next.Offered = false
		next.RetryInterval = 0
		next.GivenDelay = false
		next.StartedTime = now
		next.RequestID = p.RequestID
		next.Identity = p.Identity
		next.HeartbeatIdentity = ""
		next.ControlTaskQueue = p.ControlTaskQueue
		next.DeploymentName = p.DeploymentName
		next.DeploymentVersion = p.DeploymentVersion
		next.LastHeartbeatTime = time.Time{}
		next.HeartbeatFloor = time.Time{}
	}).State, nil
}

// Abort takes a start back whose worker was gone before it was told (AT-53):
// the same attempt waits again, as if it had never been handed out. Had its
// cancellation been asked for meanwhile, it ends as one that never started. A
// start that is no longer the present one is refused with KindStale.
func (s *State) Abort(stamp int64) (Step, error) {
	if s.running(stamp) != nil {
		return Step{}, engine.Stale("activity start")
	}
	queued := aborting.move(s, func(next *State) {
		next.Stamp++
		next.Offered = false
		next.clearStart()
	})
	if s.CancelRequested {
		o := queued.State.CancelUnstarted(serverIdentity)
		return Step{Outcome: &o}, nil
	}
	return queued, nil
}

// clearStart forgets the running attempt. The worker stays known as the latest.
// A reset that waited for its end is then complete.
func (s *State) clearStart() {
	s.endReset()
	s.StartedTime = time.Time{}
	s.RequestID = ""
	s.LastHeartbeatTime = time.Time{}
	s.HeartbeatFloor = time.Time{}
}
