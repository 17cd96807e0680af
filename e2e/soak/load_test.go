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
	slow     atomic.Int64 // queries without an answer within ten seconds, asked again
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
// begun because too many are under way, what is done meanwhile is the capacity,
// and the rate becomes the same share of that. It rises again during the warm-up
// only: a measurement whose load goes up would show growth.
type pacer struct {
	load  *load
	share float64 // of the capacity
	rate  float64 // units a second
	warm  time.Time
	// changed is told of each new rate.
	changed func(rate float64)

	target float64       // the rate it began with
	room   chan struct{} // a place for each unit that may be under way
	late   int           // not begun in time
}

// As many units may be under way as begin within slack. If more than tolerated of
// those due within a window find no place, the rate falls.
const (
	slack     = 8 * time.Second
	window    = 10 * time.Second
	tolerated = 0.02
	rise      = 1.1 // a window
	// A machine may stand still for a moment: no window lets the rate fall by more
	// than a quarter, and all of them together not below a tenth.
	fall, least = 0.75, 0.1
)

func newPacer(l *load, share, capacity float64, warm time.Time, changed func(float64)) *pacer {
	rate := share * capacity
	return &pacer{load: l, share: share, rate: rate, target: rate, warm: warm, changed: changed,
		room: make(chan struct{}, max(16, int(rate*slack.Seconds())))}
}

// run begins units until ctx ends, whatever becomes of them, and waits for them.
func (p *pacer) run(ctx context.Context) {
	var units sync.WaitGroup
	defer units.Wait()
	due, judged, late, done := time.Now(), time.Now(), 0, p.load.done.Load()
	for {
		due = due.Add(time.Duration(float64(time.Second) / p.rate))
		if !wait(ctx, time.Until(due)) {
			return
		}
		select {
		case p.room <- struct{}{}:
			units.Go(func() {
				p.load.one()
				<-p.room
			})
		default:
			p.late++
		}
		if passed := time.Since(judged); passed >= window {
			p.judge(p.late-late, float64(p.load.done.Load()-done)/passed.Seconds())
			judged, late, done = time.Now(), p.late, p.load.done.Load()
			due = judged // what a stall has put off is not made up for
		}
	}
}

// judge looks back at a window in which so many units were not begun in time, and
// so many were done a second.
func (p *pacer) judge(late int, done float64) {
	before := p.rate
	switch {
	case float64(late) > tolerated*p.rate*window.Seconds():
		p.rate = max(fall*p.rate, least*p.target, min(p.rate, p.share*done))
	case late == 0 && len(p.room) < cap(p.room)/4 && time.Now().Before(p.warm):
		p.rate = min(p.target, p.rate*rise)
	}
	if p.rate != before {
		p.changed(p.rate)
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
