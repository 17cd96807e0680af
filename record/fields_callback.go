package record

import "github.com/perdure/perdure/engine/callback"

// callbackFields is the field list of a completion callback, whatever it is
// attached to; see fields_run.go.
func callbackFields(c *coder, s *callback.State) {
	message(c, 1, &s.Callback)
	c.time(2, &s.Registered)
	c.str(3, &s.RequestID)
	c.str(4, &s.AttachedBy)
	c.str(5, &s.UpdateID)
	number(c, 6, &s.Status)
	c.int32(7, &s.Attempt)
	c.int32(8, &s.Blocks)
	c.int(9, &s.Stamp)
	c.time(10, &s.Due)
	c.time(11, &s.Closed)
	c.time(12, &s.LastAttemptComplete)
	message(c, 13, &s.LastFailure)
	c.str(14, &s.BlockedReason)
	c.bool(15, &s.Rejected)
}
