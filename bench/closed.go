package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// This file has the closed loop.

// floorRounds is how often the real server and the floor take turns, so that
// whatever else the machine does meets both.
const floorRounds = 4

// closedLoop keeps Concurrency workflows in flight until Count have ended. A
// short warm-up before the measured part opens connections and fills pools.
// With a floor the two are driven in turns; CPU and writes of each are taken
// over the whole time, since neither has anything to do in the other's turns
// but what it put off.
func closedLoop(ctx context.Context, benches ...*bench) (*Report, error) {
	before := make([]reading, len(benches))
	for i, b := range benches {
		if b.play.prepare != nil {
			if err := b.play.prepare(ctx, b); err != nil {
				return nil, err
			}
		}
		if _, err := b.drive(ctx, "warm", min(b.Count/10, 2*b.Concurrency)); err != nil {
			return nil, err
		}
		if err := wait(ctx, b.settle); err != nil {
			return nil, err
		}
		var err error
		if before[i], err = b.read(ctx); err != nil {
			return nil, err
		}
	}
	if err := inTurns(ctx, benches); err != nil {
		return nil, err
	}
	reports := make([]*Report, len(benches))
	for i, b := range benches {
		var err error
		if reports[i], err = b.closedReport(ctx, before[i]); err != nil {
			return nil, err
		}
	}
	for i, b := range benches {
		reports[0].compareAs(b.role, reports[i])
	}
	return reports[0], nil
}

// reading is what a server has used up and written so far.
type reading struct {
	usage
	counters
}

func (b *bench) read(ctx context.Context) (r reading, err error) {
	if r.usage, err = b.server.usage(); err != nil {
		return r, err
	}
	r.counters, err = b.server.counters(ctx)
	return r, err
}

// closedReport is what all rounds of one server have cost.
func (b *bench) closedReport(ctx context.Context, before reading) (*Report, error) {
	after, err := b.read(ctx)
	if err != nil {
		return nil, err
	}
	report := b.report(b.took, before.usage, after.usage)
	report.Latency = b.latencies.distribution()
	if report.Bytes = after.bytes(before.counters, b.Count); report.Bytes != nil {
		report.Bytes.ofHistory(b.historyBytes(ctx, "run0", b.Count/floorRounds))
	}
	return report, nil
}

// inTurns drives every server's share of each round.
func inTurns(ctx context.Context, benches []*bench) error {
	rounds := 1
	if len(benches) > 1 {
		rounds = floorRounds
	}
	for round := range rounds {
		for _, b := range benches {
			share := b.Count*(round+1)/rounds - b.Count*round/rounds
			began := time.Now()
			latencies, err := b.drive(ctx, fmt.Sprint("run", round), share)
			if err != nil {
				return err
			}
			b.took += time.Since(began)
			b.latencies.add(latencies.each...)
			if err := wait(ctx, b.settle); err != nil {
				return err
			}
		}
	}
	return nil
}

// id names an execution of a part.
func (b *bench) id(part string, n int64) string { return fmt.Sprintf("%s-%s-%d", b.prefix, part, n) }

// drive runs count workflows, each from start call to result.
func (b *bench) drive(ctx context.Context, part string, count int) (*samples, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	latencies := &samples{}
	var group sync.WaitGroup
	for range min(b.Concurrency, count) {
		group.Go(func() {
			for n := next.Add(1); n <= int64(count); n = next.Add(1) {
				began := time.Now()
				if err := b.play.one(ctx, b, b.id(part, n)); err != nil {
					cancel(err)
					return
				}
				latencies.add(time.Since(began))
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return latencies, ctx.Err()
}
