package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// scenario is a kind of execution and how it is driven.
type scenario struct {
	// one runs an execution from start to result.
	one func(ctx context.Context, b *bench, id string) error
	// decide answers a workflow task: the commands that follow its history. Nil:
	// the scenario needs no workflow workers.
	decide func(b *bench, task *workflowservice.PollWorkflowTaskQueueResponse) []*commandpb.Command
	// activities: the scenario needs activity workers.
	activities bool
	// beside is a scenario that is measured in the same run, to compare with.
	beside string
	// run replaces the closed loop. It is given the floor as well, if floors.
	run func(ctx context.Context, benches ...*bench) (*Report, error)
	// count is what Count defaults to, if not to 10000.
	count int
	// floors: run can do with a floor.
	floors bool
}

var scenarios map[string]scenario

func init() {
	scenarios = map[string]scenario{
		"empty":      {one: startAndWait, decide: closeAtOnce},
		"activity1":  {one: startAndWait, decide: inSequence(1), activities: true},
		"activity10": {one: startAndWait, decide: inSequence(10), activities: true},
		"fanout100":  {one: startAndWait, decide: inParallel(100), activities: true},
		"signal":     {one: startSignalAndWait, decide: closeWhenSignalled},
		"standalone": {one: standaloneAndWait, activities: true, beside: "activity1"},
		"heartbeat":  {run: heartbeats, floors: true},
		// Two things a single run must stand; see longhistory.go.
		"longhistory": {run: longHistory, count: 500_000},
		"storm":       {run: storm},

		"timer": {decide: sleep, run: timersInOneSecond},
		"idle":  {decide: stayOpen, run: manyIdle},
	}
}

// --- clients

func startAndWait(ctx context.Context, b *bench, id string) error {
	run, err := b.start(ctx, id)
	if err != nil {
		return err
	}
	return b.result(ctx, id, run)
}

func startSignalAndWait(ctx context.Context, b *bench, id string) error {
	run, err := b.start(ctx, id)
	if err != nil {
		return err
	}
	_, err = b.api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         b.Namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: run},
		SignalName:        "go", Input: payload, Identity: "bench", RequestId: id + "-go",
	})
	if err != nil {
		return fmt.Errorf("signal %s: %w", id, err)
	}
	return b.result(ctx, id, run)
}

var payload = &commonpb.Payloads{Payloads: []*commonpb.Payload{{
	Metadata: map[string][]byte{"encoding": []byte("json/plain")},
	Data:     []byte(`"some input of a usual size, that is not very long"`),
}}}

func (b *bench) start(ctx context.Context, id string) (string, error) {
	reply, err := b.api.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace: b.Namespace, WorkflowId: id, RequestId: id, Identity: "bench", Input: payload,
		WorkflowType: &commonpb.WorkflowType{Name: b.Scenario},
		TaskQueue:    &taskqueuepb.TaskQueue{Name: b.prefix, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
	})
	if err != nil {
		return "", fmt.Errorf("start %s: %w", id, err)
	}
	return reply.RunId, nil
}

// result waits for the end of the run the way every SDK does.
func (b *bench) result(ctx context.Context, id, run string) error {
	request := &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace:              b.Namespace,
		Execution:              &commonpb.WorkflowExecution{WorkflowId: id, RunId: run},
		WaitNewEvent:           true,
		HistoryEventFilterType: enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
	}
	for {
		reply, err := b.api.GetWorkflowExecutionHistory(ctx, request)
		if err != nil {
			return fmt.Errorf("result of %s: %w", id, err)
		}
		events := reply.GetHistory().GetEvents()
		if len(events) == 0 {
			request.NextPageToken = reply.NextPageToken
			continue
		}
		if last := events[len(events)-1]; last.EventType != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
			return fmt.Errorf("%s ended with %s", id, last.EventType)
		}
		return nil
	}
}

// --- what workflows decide

type task = workflowservice.PollWorkflowTaskQueueResponse

func closeAtOnce(*bench, *task) []*commandpb.Command { return []*commandpb.Command{complete()} }

// inSequence runs n activities one after the other.
func inSequence(n int) func(*bench, *task) []*commandpb.Command {
	return func(b *bench, t *task) []*commandpb.Command {
		done := doneActivities(t)
		if done >= n {
			return []*commandpb.Command{complete()}
		}
		return []*commandpb.Command{activity(b, done)}
	}
}

// inParallel runs n activities at once.
func inParallel(n int) func(*bench, *task) []*commandpb.Command {
	return func(b *bench, t *task) []*commandpb.Command {
		switch done := doneActivities(t); {
		case t.PreviousStartedEventId == 0:
			commands := make([]*commandpb.Command, n)
			for i := range commands {
				commands[i] = activity(b, i)
			}
			return commands
		case done >= n:
			return []*commandpb.Command{complete()}
		default:
			return nil
		}
	}
}

func closeWhenSignalled(_ *bench, t *task) []*commandpb.Command {
	if count(t.History, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) > 0 {
		return []*commandpb.Command{complete()}
	}
	return nil
}

func stayOpen(b *bench, _ *task) []*commandpb.Command {
	b.firstTasks.Add(1)
	return nil
}

// doneActivities relies on full histories: the bench's workers are not sticky.
func doneActivities(t *task) int {
	return count(t.History, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
}

func count(h *historypb.History, kind enumspb.EventType) (n int) {
	for _, ev := range h.GetEvents() {
		if ev.EventType == kind {
			n++
		}
	}
	return n
}

func complete() *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
			CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{Result: payload},
		},
	}
}

func activity(b *bench, n int) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
		Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{
			ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
				ActivityId:          fmt.Sprint(n),
				ActivityType:        &commonpb.ActivityType{Name: "work"},
				TaskQueue:           &taskqueuepb.TaskQueue{Name: b.prefix, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
				Input:               payload,
				StartToCloseTimeout: durationpb.New(time.Minute),
			},
		},
	}
}

func timer(d time.Duration) *commandpb.Command {
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_START_TIMER,
		Attributes: &commandpb.Command_StartTimerCommandAttributes{
			StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{
				TimerId: "t", StartToFireTimeout: durationpb.New(d),
			},
		},
	}
}

// --- scenarios that are not a closed loop

// startMany starts Count workflows, Concurrency at a time, and waits until a
// worker has answered the first task of each.
func (b *bench) startMany(ctx context.Context, each func(id string)) error {
	var mu sync.Mutex
	var failures []error
	ids := make(chan string)
	var group sync.WaitGroup
	for range b.Concurrency {
		group.Go(func() {
			for id := range ids {
				if _, err := b.start(ctx, id); err != nil {
					mu.Lock()
					failures = append(failures, err)
					mu.Unlock()
					continue
				}
				each(id)
			}
		})
	}
	for n := range b.Count {
		ids <- fmt.Sprintf("%s-%d", b.prefix, n)
	}
	close(ids)
	group.Wait()
	if len(failures) > 0 {
		return errors.Join(failures[:1]...)
	}
	return b.until(ctx, func() bool { return b.firstTasks.Load() >= int64(b.Count) })
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
	if err := b.startMany(ctx, func(string) {}); err != nil {
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
	b.firstTasks.Add(1)
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
	if err := b.startMany(ctx, func(string) {}); err != nil {
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
