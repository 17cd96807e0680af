// Package clock is the one door through which the server reads the time and asks
// to be woken. Production hands in System; tests and the simulator hand in a
// Fake and move it by hand, so that an hour of timeouts takes no time at all.
package clock

import "time"

// Clock tells the time and calls back. Its methods may be called from any
// goroutine.
type Clock interface {
	// Now is the present time. It may jump in either direction; whoever needs
	// time that never runs backwards keeps the largest value it has seen.
	Now() time.Time
	// AfterFunc calls f once when d has passed; at once when d is not positive.
	// System calls f on a goroutine of its own, a Fake inside Advance. f must
	// not block.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call that is to come.
type Timer interface {
	// Stop prevents the call. It reports whether it did: false means that the
	// call has been made, has begun, or was stopped before.
	Stop() bool
}

// System is the machine's clock.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
