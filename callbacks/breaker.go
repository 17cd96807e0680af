package callbacks

import "time"

// A destination that has failed maxFailures times in a row, and once more, is
// left alone for breakerOpen; then one request tries it (N-44).
const (
	maxFailures = 5
	breakerOpen = time.Minute
)

const breakerReason = "The circuit breaker is open."

// breaker keeps one destination that is out of order from being asked all the
// time. The zero value is closed: all may pass.
type breaker struct {
	failures int
	// until is the end of the pause; zero when closed. From then on one request
	// at a time may pass, until one succeeds.
	until time.Time
	// probe: such a request is under way.
	probe bool
}

// blocks reports whether a new try may not even wait, and for how long.
func (b *breaker) blocks(now time.Time) (time.Duration, bool) {
	switch {
	case b.until.IsZero():
		return 0, false
	case now.Before(b.until):
		return b.until.Sub(now), true
	}
	return 0, b.probe
}

// probing reports whether what waits has to go on waiting for the probe.
func (b *breaker) probing() bool { return b.probe }

// begin notes that a request is made.
func (b *breaker) begin() { b.probe = !b.until.IsZero() }

// notSent notes that the request was not made after all.
func (b *breaker) notSent() { b.probe = false }

// ended notes how a request went. It reports whether the breaker has opened.
func (b *breaker) ended(well bool, now time.Time) (opened bool) {
	b.probe = false
	if well {
		*b = breaker{}
		return false
	}
	b.failures++
	if b.failures <= maxFailures {
		return false
	}
	opened = b.until.IsZero()
	b.until = now.Add(breakerOpen)
	return opened
}

// forgettable reports whether a new breaker would do as well.
func (b *breaker) forgettable(now time.Time) bool {
	return b.failures == 0 || now.After(b.until.Add(breakerOpen))
}
