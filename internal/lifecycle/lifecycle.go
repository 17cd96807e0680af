// Package lifecycle is the uniform way of a long-lived part to end: tell all of
// its goroutines to stop, once, and wait until they are still.
package lifecycle

import (
	"context"
	"fmt"
	"sync"
)

// Group is a set of goroutines that end together. The zero value is ready. All
// methods may be called from any goroutine, and Stop any number of times.
type Group struct {
	mu struct {
		sync.Mutex
		stopping chan struct{} // made when first needed; closed by Stop
		stopped  bool
		running  int
		still    chan struct{} // closed when running falls to zero while stopped
	}
}

// Go runs f on a goroutine of the group. f returns soon after stop is closed. It
// reports false, and does not run f, when the group was stopped before.
func (g *Group) Go(f func(stop <-chan struct{})) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mu.stopped {
		return false
	}
	g.init()
	g.mu.running++
	stop := g.mu.stopping
	go func() {
		defer g.ended()
		f(stop)
	}()
	return true
}

// Stopping is closed when Stop is first called.
func (g *Group) Stopping() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	return g.mu.stopping
}

// Stop tells the goroutines to end and waits until all have, or ctx ends.
func (g *Group) Stop(ctx context.Context) error {
	select {
	case <-g.beginStop():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for goroutines to end: %w", context.Cause(ctx))
	}
}

func (g *Group) beginStop() (still <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.init()
	if !g.mu.stopped {
		g.mu.stopped = true
		close(g.mu.stopping)
		if g.mu.running == 0 {
			close(g.mu.still)
		}
	}
	return g.mu.still
}

func (g *Group) ended() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.running--
	if g.mu.stopped && g.mu.running == 0 {
		close(g.mu.still)
	}
}

// init is called with the mutex held.
func (g *Group) init() {
	if g.mu.stopping == nil {
		g.mu.stopping = make(chan struct{})
		g.mu.still = make(chan struct{})
	}
}
