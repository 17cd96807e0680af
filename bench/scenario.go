package bench

import (
	"context"
	"fmt"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// scenario is a kind of execution and how it is driven.
type scenario struct {
	// one runs an execution from start to result.
	one func(ctx context.Context, b *bench, id string) error
	// decide answers a workflow task: the commands that follow its history. Nil:
	// the scenario needs no workflow workers.
	decide func(b *bench, task *workflowservice.PollWorkflowTaskQueueResponse) []*commandpb.Command
	// sticky: workers keep the runs they have seen, and are told only what is new.
	sticky bool
	// pollsOn: a poller does not wait until its task is answered, as in SDKs; so
	// the number of tasks in work is not bound by that of the pollers.
	pollsOn bool
	// prepare readies the server for the closed loop.
	prepare func(ctx context.Context, b *bench) error
	// attributes are the search attributes of an execution; nil for none.
	attributes func(id string) *commonpb.SearchAttributes
	// activities: the scenario needs activity workers.
	activities bool
	// beside is a scenario that is measured in the same run, to compare with.
	beside string
	// run replaces the closed loop. It is given the floor as well, if floors.
	run func(ctx context.Context, benches ...*bench) (*Report, error)
	// count is what Count defaults to, if not to 10000.
	count int
	// concurrency is what Concurrency defaults to, if not to 64.
	concurrency int
	// floors: run can do with a floor.
	floors bool
	// alone replaces all of the above: it starts its servers itself.
	alone func(ctx context.Context, o Options) (*Report, error)
	// crowd are the executions that decide is about, in scenario million.
	crowd *crowd
}

var scenarios map[string]scenario

func init() {
	scenarios = map[string]scenario{
		"empty":      {one: startAndWait, decide: closeAtOnce},
		"activity1":  {one: startAndWait, decide: inSequence(1), activities: true},
		"activity10": {one: startAndWait, decide: inSequence(10), activities: true},
		"fanout100":  {one: startAndWait, decide: inParallel(100), activities: true},
		"signal":     {one: startSignalAndWait, decide: closeWhenSignalled},
		"query":      {one: queryAndWait, decide: stayOpen, prepare: openRuns, sticky: true},
		"update":     {one: updateAndWait, decide: stayOpen, prepare: openRuns, sticky: true},
		"standalone": {one: standaloneAndWait, activities: true, beside: "activity1"},
		"heartbeat":  {run: heartbeats, floors: true},
		sdkScenario:  {one: sdkStartAndWait, prepare: startSDK},
		// Three things a single run must stand; see fanout.go and longhistory.go.
		"fanout10000": {run: fanOut, activities: true, floors: true, count: 10_000, concurrency: 16},
		"longhistory": {run: longHistory, count: 500_000},
		"storm":       {run: storm},

		"list":     {decide: closeEveryOther, run: lists, attributes: customerOf},
		"overload": {decide: inSequence(1), activities: true, pollsOn: true, run: overload, floors: true},

		"timer": {decide: sleep, run: timersInOneSecond},
		"idle":  {decide: stayOpen, run: manyIdle},
		// Many open executions on the disk; see million.go.
		"million": {alone: runMillion, count: 1_000_000},
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
	request := &workflowservice.StartWorkflowExecutionRequest{
		Namespace: b.Namespace, WorkflowId: id, RequestId: id, Identity: "bench", Input: payload,
		WorkflowType: &commonpb.WorkflowType{Name: b.Scenario},
		TaskQueue:    b.queue(),
	}
	if b.play.attributes != nil {
		request.SearchAttributes = b.play.attributes(id)
	}
	reply, err := b.api.StartWorkflowExecution(ctx, request)
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
