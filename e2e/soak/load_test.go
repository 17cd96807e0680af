//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
)

// load begins units and looks at their results.
type load struct {
	client   client.Client
	next     atomic.Int64
	done     atomic.Int64
	failed   atomic.Int64
	underWay atomic.Int64
	failure  atomic.Value // the first
}

// patience is how long a unit may take on a machine that has other work.
const patience = 5 * time.Minute

// one runs a unit from start to result. Once begun it is brought to its end.
func (l *load) one() {
	l.underWay.Add(1)
	defer l.underWay.Add(-1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n := l.next.Add(1)
	if err := l.try(ctx, n); err != nil {
		l.failed.Add(1)
		l.failure.CompareAndSwap(nil, fmt.Errorf("unit %d: %w", n, err))
		return
	}
	l.done.Add(1)
}

func (l *load) firstFailure() error {
	err, _ := l.failure.Load().(error)
	return err
}

// capacity is how many units a second are done by as many callers as it takes,
// each of which waits for its result. Units that are under way when the time is
// over do not count, nor does the time that they still take.
func (l *load) capacity(ctx context.Context, probing time.Duration) float64 {
	ctx, cancel := context.WithTimeout(ctx, probing)
	defer cancel()
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for ctx.Err() == nil {
				l.one()
			}
		})
	}
	begun, before := time.Now(), l.done.Load()
	<-ctx.Done()
	reached := float64(l.done.Load()-before) / time.Since(begun).Seconds()
	callers.Wait()
	return reached
}

// pacer begins units at a rate. What was measured as capacity at one time may be
// too much at another, on a machine that has other work: when units cannot be
// begun because too many are under way, the rate goes down, and stays down.
type pacer struct {
	load *load
	rate float64 // units a second
	// lowered is told of each change, if it is not nil.
	lowered func(rate float64)

	room  chan struct{} // a place for each unit that may be under way
	begun int
	late  int // not begun in time
}

// As many units may be under way as begin within slack; and if more than
// tolerated of those due within a window find no place, the rate falls by step.
const (
	slack     = 8 * time.Second
	window    = 10 * time.Second
	tolerated = 0.02
	step      = 0.1
)

func newPacer(l *load, rate float64, lowered func(float64)) *pacer {
	return &pacer{load: l, rate: rate, lowered: lowered, room: make(chan struct{}, max(16, int(rate*slack.Seconds())))}
}

// run begins units until ctx ends, whatever becomes of them, and waits for them.
func (p *pacer) run(ctx context.Context) {
	var units sync.WaitGroup
	defer units.Wait()
	due, judged, begun, late := time.Now(), time.Now(), 0, 0
	for {
		due = due.Add(time.Duration(float64(time.Second) / p.rate))
		if !wait(ctx, time.Until(due)) {
			return
		}
		select {
		case p.room <- struct{}{}:
			p.begun++
			units.Go(func() {
				p.load.one()
				<-p.room
			})
		default:
			p.late++
		}
		if time.Since(judged) < window {
			continue
		}
		b, l := p.begun-begun, p.late-late
		if float64(l) > tolerated*float64(b+l) {
			p.rate *= 1 - step
			if p.lowered != nil {
				p.lowered(p.rate)
			}
		}
		judged, begun, late = time.Now(), p.begun, p.late
		due = judged // what a stall has put off is not made up for
	}
}

// wait is false when ctx ended meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

var errResult = errors.New("wrong result")
