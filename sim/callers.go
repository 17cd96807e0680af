package main

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/perdure/perdure/internal/await"
)

// caller is a client whose call waits inside the server: for a query's answer, an
// update's outcome, a page of history. It is a coroutine, which gives way to the
// world where a goroutine would block; so the waiting is that of production, and
// still a function of the seed.
type caller struct {
	context.Context
	world    *world
	deadline time.Time // on the server's clock; zero for none
	cancel   context.CancelCauseFunc
	// ready is what it waits for; nil while it is under way. woken: it has been
	// noticed that it need not wait any more.
	ready  func() bool
	woken  bool
	next   func() (struct{}, bool)
	stop   func()
	giveUp func(struct{}) bool // the coroutine's yield
}

var _ await.Coroutine = (*caller)(nil)

var errPatience = errors.New("the caller has waited long enough")

// converse has a client call the server and wait for at most patience. talk must
// leave when its context is done. There is no talk while the server is down.
func (w *world) converse(patience time.Duration, talk func(c *caller, p *process)) {
	w.after(w.latency(), func() {
		p := w.process
		if p == nil || w.strikes(faultLostRequest) {
			return
		}
		c := &caller{world: w, deadline: w.wall().Add(patience)}
		c.Context, c.cancel = context.WithCancelCause(context.Background())
		c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
			c.giveUp = yield
			talk(c, p)
		})
		w.callers = append(w.callers, c)
		p.onDeath = append(p.onDeath, func() { c.cancel(errLost) })
		w.after(patience, func() { c.cancel(errPatience) })
		c.goOn()
	})
}

// Deadline implements context.Context.
func (c *caller) Deadline() (time.Time, bool) { return c.deadline, true }

// Until implements await.Coroutine.
func (c *caller) Until(ready func() bool) {
	for c.Err() == nil && !ready() {
		c.ready = ready
		if !c.giveUp(struct{}{}) {
			c.cancel(errLost) // the world ends
		}
		c.ready = nil
	}
}

// goOn lets the caller go on until it waits again, or has ended.
func (c *caller) goOn() {
	c.woken = false
	if _, waits := c.next(); !waits {
		c.world.callers = slices.DeleteFunc(c.world.callers, func(x *caller) bool { return x == c })
		c.cancel(nil)
	}
}

// wakeCallers notices who need not wait any more.
func (w *world) wakeCallers() {
	for _, c := range w.callers {
		if c.ready != nil && !c.woken && (c.Err() != nil || c.ready()) {
			c.woken = true
			w.after(w.between(0, 100*time.Microsecond), c.goOn)
		}
	}
}

// dismissCallers ends those who still wait at the world's end.
func (w *world) dismissCallers() {
	for _, c := range w.callers {
		c.cancel(errLost)
		c.stop()
	}
	w.callers = nil
}
