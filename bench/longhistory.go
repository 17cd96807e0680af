package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// This file has the scenarios of a single run that has much to remember.

const (
	// shortHistory is what a run has behind it that a long one is compared with.
	shortHistory = 1_000
	// historyRounds is how often the two take turns, and historyCycles how many
	// signals each is sent in one.
	historyRounds = 8
	historyCycles = 250
	// growth is how many markers a run is given in one workflow task while it
	// grows to its length.
	growth = 200
)

// LongHistory is what an event costs in a run with a long history, and in one
// with a short history beside it.
type LongHistory struct {
	Events      int          `json:"events"`
	CPUMicros   float64      `json:"server_cpu_us_per_event"`
	Cycle       Distribution `json:"cycle"`
	ShortEvents int          `json:"short_events"`
	ShortCPU    float64      `json:"short_server_cpu_us_per_event"`
	ShortCycle  Distribution `json:"short_cycle"`
	// Ratio of the two.
	Ratio float64 `json:"ratio"`
	// ReadPages, ReadMillis: all of the long history, page by page; Grown is the
	// server's memory by it.
	ReadPages   int     `json:"read_pages"`
	ReadMillis  float64 `json:"read_ms"`
	ReadPeakMiB float64 `json:"read_grown_mib"`
}

// longHistory lets one run grow to Count events, and then has it and fresh runs of
// a thousand events do the same work in turns: a signal, a workflow task that
// schedules an activity, the activity, a workflow task that takes note. The
// worker is a sticky one, as all are. What the server spends on an event must not
// depend on how many came before.
func longHistory(ctx context.Context, benches ...*bench) (*Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := benches[0]
	before, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	long, err := b.remember(ctx, b.prefix+"-long", b.Count)
	if err != nil {
		return nil, err
	}
	after, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	report := b.report(time.Since(began), before, after)
	h := &LongHistory{Events: b.Count, ShortEvents: shortHistory}
	report.History = h
	var cost [2]spent
	for round := range historyRounds {
		short, err := b.remember(ctx, fmt.Sprintf("%s-short-%d", b.prefix, round), shortHistory)
		if err != nil {
			return nil, err
		}
		for i, run := range []*memoir{long, short} {
			if err := cost[i].measure(ctx, run); err != nil {
				return nil, err
			}
		}
	}
	h.CPUMicros, h.Cycle = cost[0].perEvent(), cost[0].cycles.distribution()
	h.ShortCPU, h.ShortCycle = cost[1].perEvent(), cost[1].cycles.distribution()
	if h.ShortCPU > 0 {
		h.Ratio = h.CPUMicros / h.ShortCPU
	}
	return report, long.readAll(ctx, h)
}

// spent is what the cycles of one kind of run have cost.
type spent struct {
	cpu    time.Duration
	events int64
	cycles samples
}

func (s *spent) perEvent() float64 { return float64(s.cpu.Microseconds()) / float64(max(s.events, 1)) }

func (s *spent) measure(ctx context.Context, m *memoir) error {
	if err := wait(ctx, m.settle); err != nil {
		return err
	}
	before, err := m.server.usage()
	if err != nil {
		return err
	}
	from := m.events
	for range historyCycles {
		began := time.Now()
		if err := m.cycle(ctx); err != nil {
			return err
		}
		s.cycles.add(time.Since(began))
	}
	if err := wait(ctx, m.settle); err != nil {
		return err
	}
	after, err := m.server.usage()
	if err != nil {
		return err
	}
	s.cpu += after.cpu - before.cpu
	s.events += m.events - from
	return nil
}

// memoir is one run and the worker that holds its history.
type memoir struct {
	*bench
	id, run string
	home    *taskqueuepb.TaskQueue
	events  int64
	cycles  int
	// polled are the answers of a poll of home that is always waiting: a sticky
	// queue that nobody polls is not used.
	polled chan *task
}

// remember starts a run that has so many events behind it.
func (b *bench) remember(ctx context.Context, id string, events int) (*memoir, error) {
	run, err := b.start(ctx, id)
	if err != nil {
		return nil, err
	}
	m := &memoir{bench: b, id: id, run: run, home: &taskqueuepb.TaskQueue{
		Name: id + "-home", Kind: enumspb.TASK_QUEUE_KIND_STICKY, NormalName: b.queue().Name}}
	t, err := m.poll(ctx, b.queue())
	if err != nil {
		return nil, err
	}
	for t != nil {
		m.events = t.StartedEventId
		left := events - int(m.events) - 1
		more := left > growth
		if t, err = m.complete(ctx, t, markers(min(max(left, 0), growth)), more); err != nil {
			return nil, err
		}
	}
	m.polled = make(chan *task)
	go m.stay(ctx, m.home)
	return m, nil
}

// stay polls a queue until the scenario is over.
func (m *memoir) stay(ctx context.Context, queue *taskqueuepb.TaskQueue) {
	for ctx.Err() == nil {
		t, err := m.poll(ctx, queue)
		if err != nil {
			_ = wait(ctx, time.Second)
			continue
		}
		select {
		case m.polled <- t:
		case <-ctx.Done():
		}
	}
}

// next is the next workflow task of the run.
func (m *memoir) next(ctx context.Context) (*task, error) {
	select {
	case t := <-m.polled:
		return t, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(pollTimeout):
		return nil, fmt.Errorf("%s has no workflow task", m.id)
	}
}

func markers(n int) []*commandpb.Command {
	commands := make([]*commandpb.Command, n)
	for i := range commands {
		commands[i] = &commandpb.Command{
			CommandType: enumspb.COMMAND_TYPE_RECORD_MARKER,
			Attributes: &commandpb.Command_RecordMarkerCommandAttributes{RecordMarkerCommandAttributes: &commandpb.RecordMarkerCommandAttributes{
				MarkerName: "memory", Details: map[string]*commonpb.Payloads{"data": payload}}},
		}
	}
	return commands
}

func (m *memoir) poll(ctx context.Context, q *taskqueuepb.TaskQueue) (*task, error) {
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, pollTimeout)
		t, err := m.api.PollWorkflowTaskQueue(poll, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: m.Namespace, TaskQueue: q, Identity: "bench"})
		cancel()
		if err != nil {
			return nil, fmt.Errorf("poll for %s: %w", m.id, err)
		}
		if len(t.TaskToken) > 0 {
			return t, nil
		}
	}
	return nil, ctx.Err()
}

// complete answers a task, and gives the next one if it asks for more.
func (m *memoir) complete(ctx context.Context, t *task, commands []*commandpb.Command, more bool) (*task, error) {
	r, err := m.api.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
		Namespace: m.Namespace, TaskToken: t.TaskToken, Identity: "bench", Commands: commands,
		ForceCreateNewWorkflowTask: more, ReturnNewWorkflowTask: more,
		StickyAttributes: &taskqueuepb.StickyExecutionAttributes{WorkerTaskQueue: m.home, ScheduleToStartTimeout: durationpb.New(10 * time.Second)},
	})
	if err != nil {
		return nil, fmt.Errorf("complete a workflow task of %s: %w", m.id, err)
	}
	return r.GetWorkflowTask(), nil
}

// cycle is ten events of an ordinary life: signal, task, activity, task. Every
// tenth has an operator look at the run as well.
func (m *memoir) cycle(ctx context.Context) error {
	m.cycles++
	execution := &commonpb.WorkflowExecution{WorkflowId: m.id, RunId: m.run}
	if _, err := m.api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: m.Namespace, WorkflowExecution: execution, SignalName: "go", Input: payload, Identity: "bench"}); err != nil {
		return fmt.Errorf("signal %s: %w", m.id, err)
	}
	t, err := m.next(ctx)
	if err != nil {
		return err
	}
	if _, err := m.complete(ctx, t, []*commandpb.Command{activity(m.bench, m.cycles)}, false); err != nil {
		return err
	}
	poll, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	a, err := m.api.PollActivityTaskQueue(poll, &workflowservice.PollActivityTaskQueueRequest{
		Namespace: m.Namespace, TaskQueue: m.queue(), Identity: "bench"})
	if err != nil {
		return fmt.Errorf("poll for an activity of %s: %w", m.id, err)
	}
	if _, err := m.api.RespondActivityTaskCompleted(ctx, &workflowservice.RespondActivityTaskCompletedRequest{
		Namespace: m.Namespace, TaskToken: a.TaskToken, Identity: "bench", Result: payload}); err != nil {
		return fmt.Errorf("complete an activity of %s: %w", m.id, err)
	}
	if t, err = m.next(ctx); err != nil {
		return err
	}
	if _, err := m.complete(ctx, t, nil, false); err != nil {
		return err
	}
	m.events = t.StartedEventId + 1
	if m.cycles%10 == 0 {
		return m.look(ctx, execution)
	}
	return nil
}

func (m *memoir) look(ctx context.Context, execution *commonpb.WorkflowExecution) error {
	if _, err := m.api.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{
		Namespace: m.Namespace, Execution: execution}); err != nil {
		return fmt.Errorf("describe %s: %w", m.id, err)
	}
	_, err := m.api.GetWorkflowExecutionHistoryReverse(ctx, &workflowservice.GetWorkflowExecutionHistoryReverseRequest{
		Namespace: m.Namespace, Execution: execution, MaximumPageSize: 10})
	if err != nil {
		return fmt.Errorf("read the end of %s: %w", m.id, err)
	}
	return nil
}

// readAll reads the whole history, as a worker without a cache does.
func (m *memoir) readAll(ctx context.Context, h *LongHistory) error {
	before, err := m.server.usage()
	if err != nil {
		return err
	}
	request := &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace: m.Namespace, Execution: &commonpb.WorkflowExecution{WorkflowId: m.id, RunId: m.run}}
	began := time.Now()
	next := int64(1)
	for {
		reply, err := m.api.GetWorkflowExecutionHistory(ctx, request)
		if err != nil {
			return fmt.Errorf("read %s: %w", m.id, err)
		}
		for _, ev := range reply.GetHistory().GetEvents() {
			if ev.GetEventId() != next {
				return fmt.Errorf("event %d of %s follows event %d", ev.GetEventId(), m.id, next-1)
			}
			next++
		}
		h.ReadPages++
		if request.NextPageToken = reply.NextPageToken; len(request.NextPageToken) == 0 {
			break
		}
	}
	h.ReadMillis = float64(time.Since(began).Microseconds()) / 1000
	after, err := m.server.usage()
	h.ReadPeakMiB = float64(after.peakBytes-before.peakBytes) / (1 << 20)
	if next-1 < m.events {
		return fmt.Errorf("%s has %d events, read were %d", m.id, m.events, next-1)
	}
	return err
}

// Storm is what one run takes of signals.
type Storm struct {
	Signals   int          `json:"signals"`
	PerSecond float64      `json:"signals_per_second"`
	Call      Distribution `json:"call"`
	// Tasks are the workflow tasks that brought them to the worker.
	Tasks int64 `json:"workflow_tasks"`
}

// stormLimit is how many signals a run takes.
const stormLimit = 10_000

// storm sends Count signals to one run, Concurrency at a time, while a worker
// takes them, and waits until it has seen all.
func storm(ctx context.Context, benches ...*bench) (*Report, error) {
	b := benches[0]
	if b.Count > stormLimit {
		return nil, fmt.Errorf("a run takes %d signals", stormLimit)
	}
	m, err := b.remember(ctx, b.prefix+"-storm", 0)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	before, err := b.server.usage()
	if err != nil {
		return nil, err
	}
	go m.stay(ctx, b.queue()) // where tasks come once they are late
	s := &Storm{Signals: b.Count}
	var calls samples
	var next atomic.Int64
	began := time.Now()
	var senders, worker sync.WaitGroup
	for range b.Concurrency {
		senders.Go(func() {
			for n := next.Add(1); n <= int64(b.Count) && ctx.Err() == nil; n = next.Add(1) {
				called := time.Now()
				if err := m.signal(ctx, n); err != nil {
					cancel(err)
				}
				calls.add(time.Since(called))
			}
		})
	}
	worker.Go(func() {
		if err := m.takeSignals(ctx, s); err != nil {
			cancel(err)
		}
	})
	senders.Wait()
	s.PerSecond = float64(b.Count) / time.Since(began).Seconds()
	worker.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	after, err := b.server.usage()
	report := b.report(time.Since(began), before, after)
	s.Call = calls.distribution()
	report.Storm = s
	return report, err
}

func (m *memoir) signal(ctx context.Context, n int64) error {
	_, err := m.api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: m.Namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: m.id, RunId: m.run},
		SignalName: "go", Input: payload, Identity: "bench", RequestId: fmt.Sprintf("%s-%d", m.id, n)})
	if err != nil {
		return fmt.Errorf("signal %s: %w", m.id, err)
	}
	return nil
}

// takeSignals answers workflow tasks until the worker has seen all signals. A
// completion that comes too late, because too many were buffered behind its task,
// is made good by the next task.
func (m *memoir) takeSignals(ctx context.Context, s *Storm) error {
	for seen := 0; seen < s.Signals; {
		t, err := m.next(ctx)
		if err != nil {
			return err
		}
		s.Tasks++
		err = m.unseen(ctx, t, func(ev *historypb.HistoryEvent) {
			if ev.GetWorkflowExecutionSignaledEventAttributes() != nil {
				seen++
			}
		})
		if err != nil {
			return err
		}
		_, err = m.api.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
			Namespace: m.Namespace, TaskToken: t.TaskToken, Identity: "bench"})
		if errors.Is(err, context.Canceled) {
			return err
		}
	}
	return nil
}

func (h *LongHistory) print(line func(name, format string, args ...any)) {
	line("long history", "%d events: %.1f us of server CPU an event; a cycle of 10: %s", h.Events, h.CPUMicros, h.Cycle)
	line("short history", "%d events: %.1f us of server CPU an event; a cycle of 10: %s", h.ShortEvents, h.ShortCPU, h.ShortCycle)
	line("ratio", "%.2f", h.Ratio)
	line("reading all of it", "%d pages, %.0f ms, server memory %+.0f MiB", h.ReadPages, h.ReadMillis, h.ReadPeakMiB)
}

func (s *Storm) print(line func(name, format string, args ...any)) {
	line("signals", "%d to one run, %.0f accepted a second; call: %s", s.Signals, s.PerSecond, s.Call)
	line("workflow tasks", "%d brought them to the worker", s.Tasks)
}
