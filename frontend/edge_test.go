package frontend

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workerpb "go.temporal.io/api/worker/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
)

// pollWait is the deadline tests poll with: long enough never to strike.
const pollWait = time.Minute

func typeName(v any) string { return fmt.Sprintf("%T", v) }

func eventIDs(h *historypb.History) (ids []int64) {
	for _, e := range h.GetEvents() {
		ids = append(ids, e.GetEventId())
	}
	return ids
}

func pollContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), pollWait)
	t.Cleanup(cancel)
	return ctx
}

var testExecution = &commonpb.WorkflowExecution{WorkflowId: "w"}

// H-12 and the start-up rows of service.md 1.4.
func TestServingAndHealth(t *testing.T) {
	e := newEdge(t)
	health := healthpb.NewHealthClient(e.conn)
	check := func(service string) string {
		r, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			return status.Code(err).String()
		}
		return r.GetStatus().String()
	}
	for service, want := range map[string]string{workflowServiceName: "SERVING", operatorServiceName: "SERVING", "nope": "NotFound"} {
		if got := check(service); got != want {
			t.Errorf("%s is %s, want %s", service, got, want)
		}
	}
	e.Drain()
	if got := check(workflowServiceName); got != "NOT_SERVING" {
		t.Errorf("draining, but %s", got)
	}
	e.serving.Store(false)
	_, err := e.api.GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{})
	if status.Code(err) != codes.Unavailable || status.Convert(err).Message() != "Frontend is not healthy yet" {
		t.Errorf("before it serves: %v", err)
	}
}

// Go SDKs compress from the first call (service.md 8, 2).
func TestCompressedCalls(t *testing.T) {
	e := newEdge(t)
	if _, err := e.api.GetClusterInfo(t.Context(), &workflowservice.GetClusterInfoRequest{}, grpc.UseCompressor(gzip.Name)); err != nil {
		t.Error(err)
	}
}

// A panic is answered as a fault, and the server lives on.
func TestPanicIsAFault(t *testing.T) {
	e := newEdge(t)
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) { panic("boom") }
	_, err := e.api.StartWorkflowExecution(t.Context(), startRequest(func(*workflowservice.StartWorkflowExecutionRequest) {}))
	if status.Code(err) != codes.Unavailable {
		t.Errorf("answered %v", err)
	}
	if _, err := e.api.GetSystemInfo(t.Context(), &workflowservice.GetSystemInfoRequest{}); err != nil {
		t.Error(err)
	}
}

// RESOURCE_EXHAUSTED repeats cause and scope in the trailers (service.md 1.5).
func TestExhaustedTrailers(t *testing.T) {
	e := newEdge(t)
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) {
		return engine.Refuse(engine.KindBusyWorkflow, "busy"), nil // a refusal that was committed
	}
	var trailer metadata.MD
	_, err := e.api.ResetStickyTaskQueue(t.Context(), &workflowservice.ResetStickyTaskQueueRequest{Namespace: "ns", Execution: testExecution}, grpc.Trailer(&trailer))
	if status.Code(err) != codes.ResourceExhausted || header(trailer, "x-resource-exhausted-cause") != "BusyWorkflow" || header(trailer, "x-resource-exhausted-scope") != "Namespace" {
		t.Errorf("%v with %v", err, trailer)
	}
}

// The defaults the edge fills in before the core sees a start (workflow.md 1.3).
func TestStartDefaults(t *testing.T) {
	e := newEdge(t)
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) {
		return &workflow.Started{RunID: "r", FirstRunID: "f", Started: true, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING}, nil
	}
	resp, err := e.api.StartWorkflowExecution(t.Context(), startRequest(func(r *workflowservice.StartWorkflowExecutionRequest) {
		r.WorkflowIdReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING
		r.RetryPolicy = &commonpb.RetryPolicy{}
	}))
	if err != nil || resp.GetRunId() != "r" || resp.GetFirstExecutionRunId() != "f" || !resp.GetStarted() {
		t.Fatalf("%v, %v", resp, err)
	}
	r := e.executions.inputs()[0].(*workflow.StartWorkflow).Request
	if r.GetRequestId() == "" || r.GetTaskQueue().GetKind() != enumspb.TASK_QUEUE_KIND_NORMAL ||
		r.GetWorkflowIdConflictPolicy() != enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING ||
		r.GetWorkflowIdReusePolicy() != enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE ||
		r.GetRetryPolicy().GetBackoffCoefficient() != 2 {
		t.Errorf("the core got %v", r)
	}
}

// TQ-1: a poll must say how long it waits, and not too little.
func TestPollDeadlines(t *testing.T) {
	e := newEdge(t)
	req := &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}}
	if _, err := e.api.PollWorkflowTaskQueue(t.Context(), req); status.Convert(err).Message() != "Context timeout is not set." {
		t.Errorf("no deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1900*time.Millisecond)
	defer cancel()
	_, err := e.api.PollWorkflowTaskQueue(ctx, req)
	if status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "Context timeout is too short." {
		t.Errorf("a short deadline: %v", err)
	}
}

// startedTask is a workflow task over the run's present history.
func startedTask(to int64, virtual ...*historypb.HistoryEvent) *workflow.TaskStarted {
	return &workflow.TaskStarted{
		Token: sampleWorkflowToken, NamespaceName: "ns", WorkflowType: "t", TaskQueue: "q", StartedEventID: 3, Attempt: 1,
		ScheduledTime: time.Unix(1, 0), StartedTime: time.Unix(2, 0), HistoryFrom: 1, HistoryTo: to, Virtual: virtual,
	}
}

func handover(started any) *matching.Handover {
	return &matching.Handover{Started: started, BacklogCount: 4, PollerDelta: 1, Abort: func() {}}
}

// workflow.md 3.2: what a worker is given, stored events and virtual ones in order.
func TestPollWorkflowTask(t *testing.T) {
	e := newEdge(t)
	e.withRun().append(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)
	e.queues.tasks <- handover(startedTask(2, &historypb.HistoryEvent{EventId: 3}, &historypb.HistoryEvent{EventId: 4}))
	resp, err := e.api.PollWorkflowTaskQueue(pollContext(t), &workflowservice.PollWorkflowTaskQueueRequest{
		Namespace: "ns", Identity: "me", TaskQueue: &taskqueuepb.TaskQueue{Name: "sticky", Kind: enumspb.TASK_QUEUE_KIND_STICKY, NormalName: "q"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(eventIDs(resp.GetHistory())); got != "[1 2 3 4]" {
		t.Errorf("history %s", got)
	}
	if token, err := openWorkflowToken(resp.GetTaskToken()); err != nil || token != sampleWorkflowToken {
		t.Errorf("token %v, %v", token, err)
	}
	if q := resp.GetWorkflowExecutionTaskQueue(); q.GetName() != "q" || q.GetKind() != enumspb.TASK_QUEUE_KIND_NORMAL {
		t.Errorf("queue %v", q)
	}
	if resp.GetBacklogCountHint() != 4 || resp.GetPollerScalingDecision().GetPollRequestDeltaSuggestion() != 1 || resp.GetWorkflowExecution().GetRunId() != testRun.RunID {
		t.Errorf("answer %v", resp)
	}
	poll := <-e.queues.polling
	if !poll.Queue.Sticky || poll.Queue.NormalName != "q" || !poll.Poller.Sticky || poll.Poller.RequestID == "" || poll.Poller.Identity != "me" {
		t.Errorf("matching was asked %+v", poll)
	}
}

// A long task's further pages end where the task ends, and the virtual events
// come last (workflow.md 2.4: item 1 of the things implementers get wrong).
func TestTaskHistoryPages(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	for range 2*maxHistoryBatches + 1 {
		run.append(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
	}
	last := int64(2*maxHistoryBatches + 1)
	e.queues.tasks <- handover(startedTask(last))
	first, err := e.api.PollWorkflowTaskQueue(pollContext(t), &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}})
	if err != nil {
		t.Fatal(err)
	}
	run.append(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) // after the task
	got, token := eventIDs(first.GetHistory()), first.GetNextPageToken()
	for len(token) > 0 {
		page, err := e.api.GetWorkflowExecutionHistory(t.Context(), &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: "ns", Execution: testExecution, NextPageToken: token, WaitNewEvent: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, token = append(got, eventIDs(page.GetHistory())...), page.GetNextPageToken()
	}
	if int64(len(got)) != last || got[len(got)-1] != last {
		t.Errorf("%d events up to %d, want %d", len(got), got[len(got)-1], last)
	}
}

// A query of its own: no history for a sticky worker, for another all of it that
// it is to be told.
func TestPollQuery(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	run.append(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
	run.append(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
	for kind, events := range map[enumspb.TaskQueueKind]int{enumspb.TASK_QUEUE_KIND_STICKY: 0, enumspb.TASK_QUEUE_KIND_NORMAL: 1} {
		e.queues.tasks <- &matching.Handover{Abort: func() {}, Query: &shard.QueryTask{
			ID: "q-1", Run: testRun, Started: startedTask(2), Untold: 1, Query: &querypb.WorkflowQuery{QueryType: "state"},
		}}
		resp, err := e.api.PollWorkflowTaskQueue(pollContext(t), &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q", Kind: kind}})
		if err != nil {
			t.Fatal(err)
		}
		if len(resp.GetHistory().GetEvents()) != events || resp.GetHistory() == nil || resp.GetQuery().GetQueryType() != "state" || resp.GetStartedEventId() != 0 || resp.GetAttempt() != 1 {
			t.Errorf("%v: %v", kind, resp)
		}
		if token, err := openQueryToken(resp.GetTaskToken()); err != nil || token.QueryID != "q-1" {
			t.Errorf("token %v, %v", token, err)
		}
	}
}

// activity.md 3.1: every field, and durations that are never nil (AT-11).
func TestPollActivity(t *testing.T) {
	e := newEdge(t)
	e.queues.tasks <- handover(&workflow.ActivityStarted{
		Token: sampleActivityToken, NamespaceName: "ns", WorkflowType: "t", ActivityType: "at", Attempt: 2,
		ScheduledTime: time.Unix(1, 0), CurrentAttemptScheduledTime: time.Unix(2, 0), StartedTime: time.Unix(3, 0),
		StartToClose: time.Second, RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 3},
		Scheduled: &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{Input: blob(3)},
		}},
	})
	resp, err := e.api.PollActivityTaskQueue(pollContext(t), &workflowservice.PollActivityTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}})
	if err != nil {
		t.Fatal(err)
	}
	if resp.GetWorkflowNamespace() != "ns" || resp.GetActivityId() != "a" || resp.GetAttempt() != 2 || len(resp.GetInput().GetPayloads()) != 1 ||
		resp.ScheduleToCloseTimeout == nil || resp.HeartbeatTimeout == nil || resp.GetStartToCloseTimeout().AsDuration() != time.Second ||
		resp.GetCurrentAttemptScheduledTime().GetSeconds() != 2 || resp.GetRetryPolicy().GetMaximumAttempts() != 3 {
		t.Errorf("answer %v", resp)
	}
}

// TQ-5, AT-53: a worker that is gone when its answer is ready gives the task back.
func TestDroppedPollGivesTaskBack(t *testing.T) {
	e := newEdge(t)
	reading, goOn := make(chan struct{}), make(chan struct{})
	aborted := make(chan struct{})
	e.executions.withSlowEvent(reading, goOn)
	ctx, cancel := context.WithTimeout(t.Context(), pollWait)
	h := handover(&workflow.ActivityStarted{Token: sampleActivityToken}) // its event must be read
	h.Abort = func() { close(aborted) }
	e.queues.tasks <- h
	failed := make(chan error, 1)
	go func() {
		_, err := e.api.PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}})
		failed <- err
	}()
	<-reading
	cancel()
	if err := <-failed; status.Code(err) != codes.Canceled {
		t.Errorf("caller got %v", err)
	}
	close(goOn)
	<-aborted
}

// A client that drops an idle poll frees its place.
func TestDroppedPollFreesItsPlace(t *testing.T) {
	e := newEdge(t, func(o *Options) { o.MaxWaitingPerNamespace = 1 })
	req := &workflowservice.PollActivityTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}}
	ctx, cancel := context.WithTimeout(t.Context(), pollWait)
	done := make(chan error, 1)
	go func() { _, err := e.api.PollActivityTaskQueue(ctx, req); done <- err }()
	<-e.queues.polling
	_, err := e.api.PollActivityTaskQueue(pollContext(t), req)
	var exhausted *serviceerror.ResourceExhausted
	if !errors.As(serviceerror.FromStatus(status.Convert(err)), &exhausted) || exhausted.Cause != enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT {
		t.Errorf("beyond the limit: %v", err)
	}
	cancel()
	<-done
	go func() { _, err := e.api.PollActivityTaskQueue(pollContext(t), req); done <- err }()
	for { // the server learns of the cancellation a moment after the client
		select {
		case <-e.queues.polling:
			e.Drain()
			if err := <-done; err != nil {
				t.Errorf("drained poll: %v", err)
			}
			return
		case err := <-done:
			if status.Code(err) != codes.ResourceExhausted {
				t.Fatalf("poll after one was dropped: %v", err)
			}
			go func() { _, err := e.api.PollActivityTaskQueue(pollContext(t), req); done <- err }()
		}
	}
}

// The row "shutdown" of service.md 1.4: waiting calls end empty.
func TestDrainEndsWaiting(t *testing.T) {
	e := newEdge(t)
	e.withRun().append(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
	first, err := e.api.GetWorkflowExecutionHistory(t.Context(), &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: "ns", Execution: testExecution, WaitNewEvent: true})
	if err != nil || len(first.GetNextPageToken()) == 0 {
		t.Fatalf("%v, %v", first, err)
	}
	history := make(chan *workflowservice.GetWorkflowExecutionHistoryResponse, 1)
	go func() {
		r, err := e.api.GetWorkflowExecutionHistory(pollContext(t), &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: "ns", Execution: testExecution, WaitNewEvent: true, NextPageToken: first.GetNextPageToken(),
		})
		if err != nil {
			t.Error(err)
		}
		history <- r
	}()
	poll := make(chan error, 1)
	go func() {
		r, err := e.api.PollNexusTaskQueue(pollContext(t), &workflowservice.PollNexusTaskQueueRequest{Namespace: "ns", TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}})
		if len(r.GetTaskToken()) > 0 {
			err = errors.New("a task from nowhere")
		}
		poll <- err
	}()
	<-e.queues.polling
	e.Drain()
	if err := <-poll; err != nil {
		t.Error(err)
	}
	if r := <-history; len(r.GetHistory().GetEvents()) != 0 || len(r.GetNextPageToken()) == 0 {
		t.Errorf("history long poll: %v", r)
	}
}

// Eager activities that could not be delivered are taken back, and so is the
// next workflow task.
func TestUndeliveredInlineTasksAreTakenBack(t *testing.T) {
	e := newEdge(t)
	e.executions.do = func(_ engine.ID, _ string, in engine.Input) (any, error) {
		if _, ok := in.(*workflow.CompleteWorkflowTask); ok {
			// The activity's event cannot be read, so no answer can be made.
			return &workflow.TaskCompleted{Task: startedTask(1), Activities: []*workflow.ActivityStarted{{Token: sampleActivityToken}}}, nil
		}
		return nil, nil
	}
	resp, err := e.api.RespondWorkflowTaskCompleted(t.Context(), &workflowservice.RespondWorkflowTaskCompletedRequest{TaskToken: sealWorkflowToken(sampleWorkflowToken)})
	if err != nil || resp.GetWorkflowTask() != nil || len(resp.GetActivityTasks()) > 0 {
		t.Fatalf("%v, %v", resp, err)
	}
	var names []string
	for _, in := range e.executions.inputs() {
		names = append(names, typeName(in))
	}
	if got := fmt.Sprint(names); got != "[*workflow.CompleteWorkflowTask *workflow.AbortActivity *workflow.AbortWorkflowTask]" {
		t.Errorf("inputs %s", got)
	}
}

// ShutdownWorker and the memory of workers (TQ-90, TQ-95 to TQ-97).
func TestWorkers(t *testing.T) {
	e := newEdge(t)
	heartbeat := func(key, queue string, s enumspb.WorkerStatus) *workerpb.WorkerHeartbeat {
		return &workerpb.WorkerHeartbeat{WorkerInstanceKey: key, TaskQueue: queue, Status: s}
	}
	_, err := e.api.RecordWorkerHeartbeat(t.Context(), &workflowservice.RecordWorkerHeartbeatRequest{Namespace: "ns", WorkerHeartbeat: []*workerpb.WorkerHeartbeat{
		heartbeat("k3", "q", enumspb.WORKER_STATUS_RUNNING), heartbeat("k1", "q", enumspb.WORKER_STATUS_RUNNING), heartbeat("k2", "other", enumspb.WORKER_STATUS_RUNNING),
	}})
	if err != nil {
		t.Fatal(err)
	}
	list := func(query string, size int32) (keys []string) {
		var token []byte
		for {
			r, err := e.api.ListWorkers(t.Context(), &workflowservice.ListWorkersRequest{Namespace: "ns", Query: query, PageSize: size, NextPageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range r.GetWorkers() {
				keys = append(keys, w.GetWorkerInstanceKey())
			}
			if token = r.GetNextPageToken(); len(token) == 0 {
				return keys
			}
		}
	}
	for query, want := range map[string]string{
		"": "[k1 k2 k3]", "TaskQueue = 'q'": "[k1 k3]", "TaskQueue != 'q' OR WorkerInstanceKey = \"k1\"": "[k1 k2]",
		"(`TaskQueue` STARTS_WITH 'o' or WorkerInstanceKey='k3') and Status = 'Running'": "[k2 k3]", "HostName IS NULL AND SdkName IS NOT NULL": "[]",
	} {
		if got := fmt.Sprint(list(query, 1)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	_, err = e.api.ShutdownWorker(t.Context(), &workflowservice.ShutdownWorkerRequest{
		Namespace: "ns", StickyTaskQueue: "sticky", TaskQueue: "q", WorkerInstanceKey: "k1", WorkerHeartbeat: heartbeat("k1", "q", enumspb.WORKER_STATUS_SHUTDOWN),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(list("", 0)); got != "[k2 k3]" {
		t.Errorf("after the shutdown: %s", got)
	}
	if s := e.queues.down[0]; s.Sticky.Name != "sticky" || !s.Sticky.Sticky || len(s.Queues) != 3 || s.InstanceKey != "k1" {
		t.Errorf("matching was told %+v", s)
	}
}

// The filters of old become queries (V-6).
func TestOldListsBecomeQueries(t *testing.T) {
	e := newEdge(t)
	if _, err := e.api.ListClosedWorkflowExecutions(t.Context(), &workflowservice.ListClosedWorkflowExecutionsRequest{
		Namespace: "ns", MaximumPageSize: 5000,
		Filters: &workflowservice.ListClosedWorkflowExecutionsRequest_TypeFilter{TypeFilter: typeFilter(`it's \`)},
	}); err != nil {
		t.Fatal(err)
	}
	if want := `ExecutionStatus != 'Running' AND ExecutionStatus != 'Paused' AND WorkflowType = 'it\'s \\'`; e.visibility.query != want || e.visibility.size != 5000 {
		t.Errorf("asked %s, %d", e.visibility.query, e.visibility.size)
	}
}

// Dashboards count by these names and labels (service.md 4.3).
func TestRequestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	e := newEdge(t, func(o *Options) { o.Metrics = registry })
	_, _ = e.api.CountWorkflowExecutions(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: "ns"})
	_, _ = e.api.CountWorkflowExecutions(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: "made up"})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			key := family.GetName()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			got[key] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for key, want := range map[string]float64{
		"service_requests ns CountWorkflowExecutions frontend":                 1,
		"service_requests  CountWorkflowExecutions frontend":                   1,
		"service_latency ns CountWorkflowExecutions frontend":                  1,
		"service_error_with_type NotFound  CountWorkflowExecutions frontend":   1,
		"service_errors  CountWorkflowExecutions frontend":                     0,
		"service_pending_requests CountWorkflowExecutions frontend":            0,
		"service_error_with_type NotFound ns CountWorkflowExecutions frontend": 0,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}
