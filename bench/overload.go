package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/workflowservice/v1"
)

// This file has the scenario of more clients than the server has room for.

const (
	// overloadTurns is how often each server meets the peak, ten times its clients,
	// and the peak again: a machine's other work comes and goes within seconds.
	overloadTurns = 3
	// tenfoldPresses is how much longer ten times the clients are kept up than the
	// others.
	tenfoldPresses = 2
	// firstLevel is the first number of clients that is tried.
	firstLevel = 16
)

// Overload is what the server does with ten times the clients that load it best.
type Overload struct {
	// Levels are tried once each, only to find the number of clients: by the end of
	// it the store is old enough to have compactions, which no young one has.
	Levels []Level `json:"levels"`
	// Peak has the clients of the best of Levels, Tenfold ten times as many, and
	// Recovered as many as Peak, straight after: all turns of each.
	Peak      Level `json:"peak"`
	Tenfold   Level `json:"tenfold"`
	Recovered Level `json:"recovered"`
	// Ratio and RecoveredRatio are the throughputs in multiples of the peak's.
	Ratio          float64 `json:"ratio"`
	RecoveredRatio float64 `json:"recovered_ratio"`
	// Indexed are the executions that the server lists as completed at the end: all
	// that were accepted.
	Indexed int64 `json:"indexed"`

	peak, tenfold, recovered presser // what Peak, Tenfold and Recovered sum up
}

// Level is a number of clients, each of whom starts one execution after another.
type Level struct {
	Clients   int          `json:"clients"`
	PerSecond float64      `json:"workflows_per_second"`
	Latency   Distribution `json:"latency"`
	// Turns has the throughput of each turn, if there were several.
	Turns []float64 `json:"turns,omitempty"`
	// CPUMillis is the server's for each execution, and ClientCPUMillis ours, with
	// the workers: it tells what of a change is the machine's.
	CPUMillis       float64 `json:"server_cpu_ms_per_workflow"`
	ClientCPUMillis float64 `json:"client_cpu_ms_per_workflow"`
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
	best, err := climb(ctx, benches, all)
	if err != nil {
		return nil, err
	}
	for range overloadTurns {
		for i, b := range benches {
			if err := all[i].overdo(ctx, b, best); err != nil {
				return nil, err
			}
		}
	}
	reports := make([]*Report, len(benches))
	for i, b := range benches {
		all[i].sumUp()
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

// climb doubles the number of clients and returns the one that was best for the
// first server. All are tried: a drop may be the machine's, and is no reason to
// stop.
func climb(ctx context.Context, benches []*bench, all []*Overload) (best int, err error) {
	most := 0.0
	for clients := firstLevel; clients <= benches[0].mostClients; clients *= 2 {
		for i, b := range benches {
			var p presser
			if err := p.press(ctx, b, clients, b.press); err != nil {
				return 0, err
			}
			all[i].Levels = append(all[i].Levels, p.level())
		}
		if level := all[0].Levels[len(all[0].Levels)-1]; level.PerSecond > most {
			best, most = clients, level.PerSecond
		}
	}
	return max(best, firstLevel), nil
}

// overdo is one turn: the best number of clients on a server that has rested, ten
// times as many, and straight after as many as before.
func (o *Overload) overdo(ctx context.Context, b *bench, best int) error {
	if err := wait(ctx, b.settle); err != nil {
		return err
	}
	if err := o.peak.press(ctx, b, best, b.press); err != nil {
		return err
	}
	if err := o.tenfold.press(ctx, b, 10*best, tenfoldPresses*b.press); err != nil {
		return err
	}
	return o.recovered.press(ctx, b, best, b.press)
}

func (o *Overload) sumUp() {
	o.Peak, o.Tenfold, o.Recovered = o.peak.level(), o.tenfold.level(), o.recovered.level()
	peak := max(o.Peak.PerSecond, 1e-9)
	o.Ratio, o.RecoveredRatio = o.Tenfold.PerSecond/peak, o.Recovered.PerSecond/peak
}

// all are the levels, and what was done at them together is all that was done.
func (o *Overload) all() []Level {
	return append(slices.Clip(o.Levels), o.Peak, o.Tenfold, o.Recovered)
}

func (o *Overload) ended() (n int64) {
	for _, l := range o.all() {
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
	for _, l := range o.all() {
		if l.Accepted != l.Ended {
			return fmt.Errorf("%d executions were accepted of %d clients, %d have ended", l.Accepted, l.Clients, l.Ended)
		}
	}
	if o.Indexed != o.ended() {
		return fmt.Errorf("%d executions have ended, the server counts %d", o.ended(), o.Indexed)
	}
	return nil
}

func (o *Overload) print(line func(name, format string, args ...any)) {
	level := func(name string, l Level) {
		line(name, "%d clients, %.0f executions/s; %s; CPU of the server %.3f ms each, of the client %.3f",
			l.Clients, l.PerSecond, l.Latency, l.CPUMillis, l.ClientCPUMillis)
		if l.Turns != nil {
			line("turns", "%.0f executions/s", l.Turns)
		}
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
