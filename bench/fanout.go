package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// This file has the scenario of one workflow with very many activities.

// fanOutRuns is how often the workflow is run on each server, in turns.
const fanOutRuns = 3

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

// measure runs the workflow once.
func (w *waves) measure(ctx context.Context, b *bench, id string) error {
	ctx, cancel := context.WithCancel(ctx) // ends the polls, which would take the next run's tasks
	defer cancel()
	m, err := b.remember(ctx, id, 0)
	if err != nil {
		return err
	}
	go m.stay(ctx, b.queue())                // where tasks come once one was refused
	if err := m.signal(ctx, 1); err != nil { // for a task to begin with
		return err
	}
	t, err := m.next(ctx)
	if err != nil {
		return err
	}
	w.runs++
	for n := 0; n*b.wave < b.Count; n++ {
		if len(w.cpu) == n {
			w.cpu, w.took = append(w.cpu, 0), append(w.took, 0)
		}
		before, err := b.server.usage()
		if err != nil {
			return err
		}
		began := time.Now()
		if t, err = m.oneWave(ctx, t, n*b.wave, min(b.wave, b.Count-n*b.wave)); err != nil {
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

// oneWave schedules activities and returns the workflow task that brings the last of
// their results. An answer that is refused, because too many results were buffered
// behind its task, is made good by the next task.
func (m *memoir) oneWave(ctx context.Context, t *task, first, activities int) (*task, error) {
	commands := make([]*commandpb.Command, activities)
	for i := range commands {
		commands[i] = activity(m.bench, first+i)
	}
	if _, err := m.complete(ctx, t, commands, false); err != nil {
		return nil, err
	}
	for done := 0; ; {
		t, err := m.next(ctx)
		if err != nil {
			return nil, err
		}
		err = m.unseen(ctx, t, func(ev *historypb.HistoryEvent) {
			if ev.EventType == enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED {
				done++
			}
		})
		if err != nil || done >= activities {
			return t, err
		}
		if _, err := m.complete(ctx, t, nil, false); status.Code(err) != codes.NotFound && err != nil {
			return nil, err
		}
	}
}

// unseen calls visit with the events that a workflow task brings and none before it
// did. A worker that keeps its run is told only those, until a task is refused: the
// next then has all of the history.
func (m *memoir) unseen(ctx context.Context, t *task, visit func(*historypb.HistoryEvent)) error {
	all := len(t.GetHistory().GetEvents()) > 0 && t.History.Events[0].EventId == 1
	for page, token := t.GetHistory().GetEvents(), t.NextPageToken; ; {
		for _, ev := range page {
			if !all || ev.EventId > m.events {
				m.events = ev.EventId
				visit(ev)
			}
		}
		if len(token) == 0 {
			return nil
		}
		more, err := m.api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: m.Namespace, Execution: t.WorkflowExecution, NextPageToken: token})
		if err != nil {
			return fmt.Errorf("history of %s: %w", m.id, err)
		}
		page, token = more.GetHistory().GetEvents(), more.NextPageToken
	}
}

func (w *waves) report(b *bench, after usage) *Report {
	f := &FanOut{Activities: b.Count, Wave: b.wave}
	var cpu, took time.Duration
	for n := range w.cpu {
		activities := float64(w.runs * min(b.wave, b.Count-n*b.wave))
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
