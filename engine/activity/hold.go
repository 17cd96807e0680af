package activity

import "time"

// Recall takes the attempt off its task queue, where it is, and voids the offer:
// the workflow it belongs to is paused, or the offer is to be made anew (UT-9). s
// itself when it is not on offer.
func (s *State) Recall() *State {
	if !s.Offered {
		return s
	}
	return recalling.move(s, func(next *State) { next.recall() }).State
}

// NextTimeout is the earliest time at which a timeout is due, zero for never: all
// that is due of an activity whose workflow is paused, since no attempt of it is
// handed out.
func (s *State) NextTimeout() time.Time {
	var next time.Time
	for _, t := range timeoutOrder {
		if at := s.Deadline(t); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}
