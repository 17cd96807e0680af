package main

import (
	"math"
	"time"
)

// A world has busy spells and rests, as a night or a weekend is one. In a rest
// hardly anybody does anything: clients are away, and perhaps the workers, so
// that what happens is what falls due. Deadlines of hours, retention and the
// back-offs of what has long failed pass in them, for a handful of events.

// rest is when and how the world is at rest.
type rest struct {
	// until is the end of the present one; zero while there is none.
	until time.Time
	// spell is about how long it is busy in between; longest bounds a rest.
	spell, longest time.Duration
}

// drawRests says what rests a world has.
func drawRests(s *schedule) rest {
	r := rest{spell: s.between(3*time.Second, 40*time.Second), longest: 12 * time.Hour}
	switch s.chance.IntN(8) {
	case 0: // none
		r.spell = 0
	case 1:
		r.longest = time.Minute
	case 2:
		r.longest = 5 * 24 * time.Hour
	}
	return r
}

// horizon is how far ahead a server of this world reads deadlines. Each look at
// the disk for them costs as much as a hundred other events, so that worlds
// with long rests look seldom, and so does one that has healed.
func (w *world) horizon() time.Duration {
	switch longest := w.rest.longest; {
	case w.healed:
		return w.between(longestSleep/2, 2*longestSleep)
	case w.shortsighted():
		return w.between(2*time.Second, 10*time.Minute)
	default:
		return w.between(longest/24, longest)
	}
}

// shortsighted: the servers of this world look for deadlines often.
func (w *world) shortsighted() bool { return w.rest.spell == 0 || w.rest.longest <= time.Minute }

// rests lets the world come to rest from time to time.
func (w *world) rests() {
	if w.rest.spell == 0 {
		return
	}
	w.after(w.between(0, 2*w.rest.spell), func() {
		if w.healed {
			return
		}
		// As many short ones as long ones.
		const shortest = 20 * time.Second
		least, most := math.Log(float64(shortest)), math.Log(float64(w.rest.longest))
		d := time.Duration(math.Exp(least + (most-least)*w.chance.Float64()))
		w.say("the world comes to rest for %v", d)
		w.rest.until = w.now.Add(d)
		w.check()
		for _, wk := range w.workers {
			if wk.oneIn(2) {
				wk.leave()
			}
		}
		w.after(d, func() {
			w.rest.until = time.Time{}
			w.say("the world awakes")
			for _, wk := range w.workers {
				wk.comeBack()
			}
			w.rests()
		})
	})
}

// resting reports whether the world is at rest, or has healed, which is much the
// same: nobody has anything new to do.
func (w *world) resting() bool { return w.healed || w.now.Before(w.rest.until) }

// sometime is when somebody does something who does it after d while the world is
// busy: mostly not before the end of a rest.
func (w *world) sometime(d time.Duration) time.Duration {
	left := w.rest.until.Sub(w.now)
	switch {
	case left <= 0:
		return d
	case w.oneIn(10):
		return w.between(0, left)
	}
	return left + d
}

// pollTime is how long a poll waits: longer than that of any SDK where nothing
// would come of more polls but more events.
func (w *world) pollTime() time.Duration {
	if w.resting() {
		return w.between(10*time.Minute, time.Hour)
	}
	return 70 * time.Second
}
