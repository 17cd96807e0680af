package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"go.temporal.io/api/workflowservice/v1"
)

// This file has the scenario of more clients than the server has room for.

const (
	// overloadTurns is how much longer ten times the best number of clients is kept
	// up than the others.
	overloadTurns = 4
	// firstLevel is the first number of clients that is tried.
	firstLevel = 16
)

// Overload is what the server does with ten times the clients that load it best.
type Overload struct {
	Levels []Level `json:"levels"`
	// Peak is the best of Levels, Tenfold ten times its clients, and Recovered its
	// clients again, straight after.
	Peak      Level `json:"peak"`
	Tenfold   Level `json:"tenfold"`
	Recovered Level `json:"recovered"`
	// Ratio and RecoveredRatio are the throughputs in multiples of the peak's.
	Ratio          float64 `json:"ratio"`
	RecoveredRatio float64 `json:"recovered_ratio"`
	// Indexed are the executions that the server lists as completed at the end: all
	// that were accepted.
	Indexed int64 `json:"indexed"`
}

// Level is a number of clients, each of whom starts one execution after another.
type Level struct {
	Clients   int          `json:"clients"`
	PerSecond float64      `json:"workflows_per_second"`
	Latency   Distribution `json:"latency"`
	// CPUMillis is the server's for each execution.
	CPUMillis float64 `json:"server_cpu_ms_per_workflow"`
	// Accepted starts and how many of them have ended, after the time was up too.
	Accepted int64 `json:"accepted"`
	Ended    int64 `json:"ended"`
	// Exhausted and Unavailable are answers of that kind; the client tries again.
	Exhausted   int64 `json:"resource_exhausted"`
	Unavailable int64 `json:"unavailable"`
	// DrainMillis is how long the last execution took to end after time was up.
	DrainMillis float64 `json:"drain_ms"`
}

// overload finds the number of clients that brings the most, and then has ten
// times as many. A floor meets the same numbers, in turns, so that it can be told
// what of a change is the machine's.
func overload(ctx context.Context, benches ...*bench) (*Report, error) {
	began := time.Now()
	before := make([]usage, len(benches))
	all := make([]*Overload, len(benches))
	for i, b := range benches {
		var err error
		if before[i], err = b.server.usage(); err != nil {
			return nil, err
		}
		all[i] = &Overload{}
	}
	if err := climb(ctx, benches, all); err != nil {
		return nil, err
	}
	for i, b := range benches {
		if err := all[i].overdo(ctx, b); err != nil {
			return nil, err
		}
	}
	reports := make([]*Report, len(benches))
	for i, b := range benches {
		after, err := b.server.usage()
		if err != nil {
			return nil, err
		}
		b.Count = int(all[i].ended())
		reports[i] = b.report(time.Since(began), before[i], after)
		reports[i].Overload = all[i]
	}
	for i, b := range benches {
		if b.role == roleFloor {
			reports[0].Floor = reports[i] // throughput over levels is no figure to compare
		}
	}
	return reports[0], all[0].complete(ctx, benches[0])
}

// climb doubles the number of clients. The peak is the number that was best for
// the first server. All are tried: a drop may be the machine's, and is no reason to
// stop.
func climb(ctx context.Context, benches []*bench, all []*Overload) error {
	best := 0
	for clients := firstLevel; clients <= benches[0].mostClients; clients *= 2 {
		for i, b := range benches {
			level, err := b.crowdOf(ctx, clients, b.press)
			if err != nil {
				return err
			}
			all[i].Levels = append(all[i].Levels, level)
		}
		if levels := all[0].Levels; levels[len(levels)-1].PerSecond > levels[best].PerSecond {
			best = len(levels) - 1
		}
	}
	for _, o := range all {
		o.Peak = o.Levels[best]
	}
	return nil
}

// overdo has ten times the clients of the peak, and straight after as many as it had.
func (o *Overload) overdo(ctx context.Context, b *bench) (err error) {
	if o.Tenfold, err = b.crowdOf(ctx, 10*o.Peak.Clients, overloadTurns*b.press); err != nil {
		return err
	}
	if o.Recovered, err = b.crowdOf(ctx, o.Peak.Clients, b.press); err != nil {
		return err
	}
	peak := max(o.Peak.PerSecond, 1e-9)
	o.Ratio, o.RecoveredRatio = o.Tenfold.PerSecond/peak, o.Recovered.PerSecond/peak
	return nil
}

func (o *Overload) ended() (n int64) {
	for _, l := range append(o.Levels, o.Tenfold, o.Recovered) {
		n += l.Ended
	}
	return n
}

// complete makes sure that nothing was lost: every accepted execution has ended,
// and the server counts as many.
func (o *Overload) complete(ctx context.Context, b *bench) error {
	reply, err := b.api.CountWorkflowExecutions(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: b.Namespace, Query: fmt.Sprintf("ExecutionStatus = 'Completed' AND TaskQueue = '%s'", b.prefix)})
	if err != nil {
		return fmt.Errorf("count what has ended: %w", err)
	}
	o.Indexed = reply.GetCount()
	for _, l := range append(o.Levels, o.Tenfold, o.Recovered) {
		if l.Accepted != l.Ended {
			return fmt.Errorf("%d executions were accepted of %d clients, %d have ended", l.Accepted, l.Clients, l.Ended)
		}
	}
	if o.Indexed != o.ended() {
		return fmt.Errorf("%d executions have ended, the server counts %d", o.ended(), o.Indexed)
	}
	return nil
}

// presser is a crowd of clients at work.
type presser struct {
	*bench
	until                                           time.Time
	inTime, accepted, ended, exhausted, unavailable atomic.Int64
	latencies                                       samples
}

// crowdOf has so many clients start one execution after another for a while. Then
// each waits for the end of what it has started.
func (b *bench) crowdOf(ctx context.Context, clients int, during time.Duration) (Level, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.presses++
	before, err := b.server.usage()
	if err != nil {
		return Level{}, err
	}
	p := &presser{bench: b, until: time.Now().Add(during)}
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for n := 0; time.Now().Before(p.until) && ctx.Err() == nil; n++ {
				if err := p.one(ctx, fmt.Sprintf("%s-%d-%d-%d", b.prefix, b.presses, c, n)); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		return Level{}, err
	}
	after, err := b.server.usage()
	if err != nil {
		return Level{}, err
	}
	return Level{
		CPUMillis: float64((after.cpu - before.cpu).Microseconds()) / 1000 / float64(max(p.ended.Load(), 1)),
		Clients:   clients, PerSecond: float64(p.inTime.Load()) / during.Seconds(), Latency: p.latencies.distribution(),
		Accepted: p.accepted.Load(), Ended: p.ended.Load(), Exhausted: p.exhausted.Load(), Unavailable: p.unavailable.Load(),
		DrainMillis: float64(max(time.Since(p.until), 0).Microseconds()) / 1000,
	}, nil
}

// errGivenUp ends the patience of a client whose start was never accepted.
var errGivenUp = errors.New("not accepted in time")

// one runs an execution from start to result, patiently.
func (p *presser) one(ctx context.Context, id string) error {
	began := time.Now()
	var run string
	err := p.patiently(ctx, true, func() (err error) { run, err = p.start(ctx, id); return err })
	if errors.Is(err, errGivenUp) {
		return nil
	}
	if err != nil {
		return err
	}
	p.accepted.Add(1)
	if err := p.patiently(ctx, false, func() error { return p.result(ctx, id, run) }); err != nil {
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

func (o *Overload) print(line func(name, format string, args ...any)) {
	level := func(name string, l Level) {
		line(name, "%d clients, %.0f executions/s; %s; server CPU %.3f ms each", l.Clients, l.PerSecond, l.Latency, l.CPUMillis)
	}
	for _, l := range o.Levels {
		level("tried", l)
	}
	level("peak", o.Peak)
	level("ten times as many", o.Tenfold)
	line("of the peak", "%.2f", o.Ratio)
	line("RESOURCE_EXHAUSTED", "%d answers (UNAVAILABLE: %d)", o.Tenfold.Exhausted, o.Tenfold.Unavailable)
	line("accepted, ended", "%d, %d; the last one %.0f ms after time was up", o.Tenfold.Accepted, o.Tenfold.Ended, o.Tenfold.DrainMillis)
	level("straight after", o.Recovered)
	line("of the peak", "%.2f", o.RecoveredRatio)
	if o.Indexed > 0 {
		line("listed as completed", "%d of %d", o.Indexed, o.ended())
	}
}
