package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
)

// This file has the scenario of one workflow with very many activities.

const (
	// wave is how many activities a run may have pending.
	wave = 2_000
	// fanOutRuns is how often the workflow is run on each server, in turns.
	fanOutRuns = 3
)

// FanOut is what activities cost in a run that has had many before.
type FanOut struct {
	Activities int `json:"activities"`
	Wave       int `json:"wave"`
	// CPUMicros is the server's CPU for an activity in each wave, PerSecond how
	// many it did.
	CPUMicros []float64 `json:"server_cpu_us_per_activity"`
	PerSecond []float64 `json:"activities_per_second"`
	// Flat is the dearest wave in multiples of the cheapest.
	Flat float64 `json:"dearest_to_cheapest"`
}

// fanOut has a workflow schedule Count activities, as many at once as a run may
// have pending: the next wave when the last activity of one is done. Its worker
// is sticky, as all are.
func fanOut(ctx context.Context, benches ...*bench) (*Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	costs := make([]waves, len(benches))
	for round := range fanOutRuns {
		for i, b := range benches {
			if err := costs[i].measure(ctx, b, fmt.Sprintf("%s-%d", b.prefix, round)); err != nil {
				return nil, err
			}
		}
	}
	reports := make([]*Report, len(benches))
	for i, b := range benches {
		after, err := b.server.usage()
		if err != nil {
			return nil, err
		}
		reports[i] = costs[i].report(b, after)
	}
	for i, b := range benches {
		reports[0].compareAs(b.role, reports[i])
	}
	return reports[0], nil
}

// waves is what each wave has cost, over all runs.
type waves struct {
	cpu   []time.Duration
	took  []time.Duration
	bytes int64
	runs  int
}

func (w *waves) measure(ctx context.Context, b *bench, id string) error {
	m, err := b.remember(ctx, id, 0)
	if err != nil {
		return err
	}
	if err := m.signal(ctx, 1); err != nil { // for a task to begin with
		return err
	}
	t, err := m.next(ctx)
	if err != nil {
		return err
	}
	w.runs++
	for n := 0; n*wave < b.Count; n++ {
		if len(w.cpu) == n {
			w.cpu, w.took = append(w.cpu, 0), append(w.took, 0)
		}
		before, err := b.server.usage()
		if err != nil {
			return err
		}
		began := time.Now()
		if t, err = m.wave(ctx, t, n*wave, min(wave, b.Count-n*wave)); err != nil {
			return err
		}
		w.took[n] += time.Since(began)
		if err := wait(ctx, b.settle); err != nil {
			return err
		}
		after, err := b.server.usage()
		if err != nil {
			return err
		}
		w.cpu[n] += after.cpu - before.cpu
		w.bytes += after.writtenBytes - before.writtenBytes
	}
	_, err = m.complete(ctx, t, []*commandpb.Command{complete()}, false)
	return err
}

// wave schedules activities and returns the workflow task that brings the last of
// their results.
func (m *memoir) wave(ctx context.Context, t *task, first, activities int) (*task, error) {
	commands := make([]*commandpb.Command, activities)
	for i := range commands {
		commands[i] = activity(m.bench, first+i)
	}
	for done := 0; ; commands = nil {
		if _, err := m.complete(ctx, t, commands, false); err != nil {
			return nil, err
		}
		var err error
		if t, err = m.next(ctx); err != nil {
			return nil, err
		}
		if done += count(t.History, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED); done >= activities {
			return t, nil
		}
	}
}

func (w *waves) report(b *bench, after usage) *Report {
	f := &FanOut{Activities: b.Count, Wave: wave}
	var cpu, took time.Duration
	for n := range w.cpu {
		activities := float64(w.runs * min(wave, b.Count-n*wave))
		cpu, took = cpu+w.cpu[n], took+w.took[n]
		f.CPUMicros = append(f.CPUMicros, float64(w.cpu[n].Microseconds())/activities)
		f.PerSecond = append(f.PerSecond, activities/w.took[n].Seconds())
	}
	if cheapest := slices.Min(f.CPUMicros); cheapest > 0 {
		f.Flat = slices.Max(f.CPUMicros) / cheapest
	}
	all := float64(w.runs * b.Count)
	return &Report{
		Scenario: b.Scenario, Concurrency: 1, Count: w.runs, Seconds: took.Seconds(), FanOut: f,
		PerSecond: all / took.Seconds(), CPUMillisEach: float64(cpu.Microseconds()) / 1000 / all,
		WrittenKiBEach: float64(w.bytes) / 1024 / all, PeakMemoryMiB: float64(after.peakBytes) / (1 << 20),
	}
}

func (f *FanOut) print(line func(name, format string, args ...any)) {
	line("activities", "%d in a run, in waves of %d", f.Activities, f.Wave)
	line("server CPU by wave", "%.0f us an activity", f.CPUMicros)
	line("throughput by wave", "%.0f activities/s", f.PerSecond)
	line("dearest to cheapest", "%.2f", f.Flat)
}
