package main

import "time"

// takeOver has another owner open all shards while the present one goes on and
// does not know: its machine was cut off, or stood still for a moment. Clients
// find the new one. What the old one has at hand it tries to finish, until its
// end.
func (w *world) takeOver() {
	old := w.process
	w.say("another owner takes the shards over, and life %d does not know", w.lives)
	old.deposed = true
	w.trouble = w.now
	w.process = nil
	w.former = append(w.former, old)
	w.bootOn(old.driver)
	// Shorter than any time-out after which the new owner would do again what the
	// old one has yet to tell of.
	w.after(w.between(0, 1500*time.Millisecond), old.living(func() {
		w.say("the former owner ends")
		w.trouble = w.now
		old.end()
	}))
}

// end lets nothing of the process happen any more. Whoever waits for it will
// not hear of it.
func (p *process) end() {
	p.dead = true
	for _, f := range p.onDeath {
		f()
	}
	p.onDeath = nil
}

// endFormer ends all former owners that are left: a crash is that of the
// machine with the database.
func (w *world) endFormer() {
	for _, p := range w.former {
		if !p.dead {
			p.end()
		}
	}
	w.former = nil
}
