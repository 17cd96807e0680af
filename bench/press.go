package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// This file has the crowd of clients of scenario overload, who back off as those of
// SDKs do.

// presser is a crowd of clients at work, once or in several turns.
type presser struct {
	bench                                           *bench
	clients                                         int
	until                                           time.Time
	inTime, accepted, ended, exhausted, unavailable atomic.Int64
	latencies                                       samples
	// Of all turns: how long they were, the CPU they cost the server and us, the
	// throughput of each, and the longest that was waited for the last execution.
	took, cpu, own, drained time.Duration
	turns                   []float64
}

// press has so many clients start one execution after another for a while. Then
// each waits for the end of what it has started.
func (p *presser) press(ctx context.Context, b *bench, clients int, during time.Duration) error {
	p.bench, p.clients = b, clients
	b.presses++
	before, ownBefore, err := p.usages()
	if err != nil {
		return err
	}
	done := p.inTime.Load()
	if err := p.crowd(ctx, during); err != nil {
		return err
	}
	p.drained = max(p.drained, time.Since(p.until))
	after, ownAfter, err := p.usages()
	if err != nil {
		return err
	}
	p.took += during
	p.cpu += after - before
	p.own += ownAfter - ownBefore
	p.turns = append(p.turns, float64(p.inTime.Load()-done)/during.Seconds())
	return nil
}

// usages are the CPU of the server and of this process so far.
func (p *presser) usages() (server, own time.Duration, err error) {
	of, err := p.bench.server.usage()
	if err != nil {
		return 0, 0, err
	}
	us, err := (&process{pid: os.Getpid()}).usage()
	return of.cpu, us.cpu, err
}

// crowd returns when time is up and all that was started has ended.
func (p *presser) crowd(ctx context.Context, during time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.until = time.Now().Add(during)
	var group sync.WaitGroup
	for c := range p.clients {
		group.Go(func() {
			for n := 0; time.Now().Before(p.until) && ctx.Err() == nil; n++ {
				if err := p.one(ctx, fmt.Sprintf("%s-%d-%d-%d", p.bench.prefix, p.bench.presses, c, n)); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// level sums up all turns.
func (p *presser) level() Level {
	l := Level{
		Clients: p.clients, PerSecond: float64(p.inTime.Load()) / p.took.Seconds(), Latency: p.latencies.distribution(),
		Accepted: p.accepted.Load(), Ended: p.ended.Load(), Exhausted: p.exhausted.Load(), Unavailable: p.unavailable.Load(),
		DrainMillis: float64(max(p.drained, 0).Microseconds()) / 1000,
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(max(l.Ended, 1)) }
	l.CPUMillis, l.ClientCPUMillis = each(p.cpu), each(p.own)
	if len(p.turns) > 1 {
		l.Turns = p.turns
	}
	return l
}

// errGivenUp ends the patience of a client whose start was never accepted.
var errGivenUp = errors.New("not accepted in time")

// one runs an execution from start to result, patiently.
func (p *presser) one(ctx context.Context, id string) error {
	began := time.Now()
	var run string
	err := p.patiently(ctx, true, func() (err error) { run, err = p.bench.start(ctx, id); return err })
	if errors.Is(err, errGivenUp) {
		return nil
	}
	if err != nil {
		return err
	}
	p.accepted.Add(1)
	if err := p.patiently(ctx, false, func() error { return p.bench.result(ctx, id, run) }); err != nil {
		return err
	}
	p.ended.Add(1)
	if now := time.Now(); now.Before(p.until) {
		p.inTime.Add(1)
		p.latencies.add(now.Sub(began))
	}
	return nil
}

// What SDKs do with a call that the server could not take: the Go SDK waits 200 ms
// first, then twice as long each time, up to 6 s, each a fifth more or less.
const (
	firstBackoff  = 200 * time.Millisecond
	lastBackoff   = 6 * time.Second
	backoffJitter = 0.2
)

// patiently repeats a call while the server is too busy for it. One that may be
// given up is so once time is up and the server has refused it.
func (p *presser) patiently(ctx context.Context, mayGiveUp bool, call func() error) error {
	for backoff := firstBackoff; ; backoff = min(2*backoff, lastBackoff) {
		err := call()
		switch status.Code(err) {
		case codes.ResourceExhausted:
			p.exhausted.Add(1)
			if mayGiveUp && time.Now().After(p.until) {
				return errGivenUp
			}
		case codes.Unavailable: // it may have been accepted
			p.unavailable.Add(1)
		default:
			return err
		}
		if err := wait(ctx, time.Duration(float64(backoff)*(1+backoffJitter*(2*rand.Float64()-1)))); err != nil {
			return err
		}
	}
}
