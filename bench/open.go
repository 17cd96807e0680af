package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	commandpb "go.temporal.io/api/command/v1"
)

// This file has the scenarios that are not a closed loop.

// startMany starts so many workflows, Concurrency at a time, and waits until a
// worker has answered the first task of each.
func (b *bench) startMany(ctx context.Context, count int, each func(id, run string)) error {
	var mu sync.Mutex
	var failures []error
	ids := make(chan string)
	var group sync.WaitGroup
	for range b.Concurrency {
		group.Go(func() {
			for id := range ids {
				run, err := b.start(ctx, id)
				if err != nil {
					mu.Lock()
					failures = append(failures, err)
					mu.Unlock()
					continue
				}
				each(id, run)
			}
		})
	}
	for n := range count {
		ids <- fmt.Sprintf("%s-%d", b.prefix, n)
	}
	close(ids)
	group.Wait()
	if len(failures) > 0 {
		return errors.Join(failures[:1]...)
	}
	return b.until(ctx, func() bool { return b.firstTasks.Load() >= int64(count) })
}

// until polls a condition of this process.
func (b *bench) until(ctx context.Context, met func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// manyIdle leaves Count executions open with nothing to do and looks at what
// the server spends on them.
func manyIdle(ctx context.Context, benches ...*bench) (*Report, error) {
	b := benches[0]
	before, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := b.startMany(ctx, b.Count, func(string, string) {}); err != nil {
		return nil, err
	}
	took := time.Since(began)
	started, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	report := b.report(took, before, started)
	const watch = 20 * time.Second
	// What the load left behind ends first: flushes, compactions, and runs that
	// stay in memory for half a minute in case something happens to them.
	if err := wait(ctx, 45*time.Second); err != nil {
		return nil, err
	}
	from, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, watch); err != nil {
		return nil, err
	}
	to, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	report.IdleCorePercent = 100 * (to.cpu - from.cpu).Seconds() / watch.Seconds()
	report.IdleMemoryMiB = float64(to.memoryBytes) / (1 << 20)
	return report, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// sleep starts a timer in the first task, and in the second notes how late it
// fired, by the server's own times.
func sleep(b *bench, t *task) []*commandpb.Command {
	var due time.Time
	for _, ev := range t.History.GetEvents() {
		if a := ev.GetTimerStartedEventAttributes(); a != nil {
			due = ev.EventTime.AsTime().Add(a.StartToFireTimeout.AsDuration())
		}
		if ev.GetTimerFiredEventAttributes() != nil {
			b.lateness.add(ev.EventTime.AsTime().Sub(due))
			return []*commandpb.Command{complete()}
		}
	}
	return []*commandpb.Command{timer(time.Until(b.fireAt()))}
}

// fireAt is the second in which all timers of a run are due: late enough that
// all are started by then, at a thousand a second.
func (b *bench) fireAt() time.Time {
	b.fireOnce.Do(func() {
		b.fire = time.Now().Add(10*time.Second + time.Duration(b.Count)*2*time.Millisecond)
	})
	return b.fire
}

func timersInOneSecond(ctx context.Context, benches ...*bench) (*Report, error) {
	b := benches[0]
	before, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := b.startMany(ctx, b.Count, func(string, string) {}); err != nil {
		return nil, err
	}
	if late := time.Since(b.fireAt()); late > 0 {
		return nil, fmt.Errorf("starting took %s longer than planned; the timers were not due together", late)
	}
	if err := b.until(ctx, func() bool { return b.lateness.len() >= b.Count }); err != nil {
		return nil, fmt.Errorf("%d of %d timers fired: %w", b.lateness.len(), b.Count, err)
	}
	took := time.Since(began)
	after, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	report := b.report(took, before, after)
	late := b.lateness.distribution()
	report.TimerLateness = &late
	if late.MinMillis < 0 {
		return report, fmt.Errorf("a timer fired %.3f ms early", -late.MinMillis)
	}
	return report, nil
}
