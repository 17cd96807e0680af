package frontend

import (
	"context"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	querypb "go.temporal.io/api/query/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
)

// recordedAllocations are how many objects the edge allocates for a call, from its
// headers to the encoded answer, but for those of gRPC, of decoding the request and
// of the parts behind the edge. They are counts, so that the test below means the
// same on every machine; whoever changes one writes the new count here, and why in
// the commit.
var recordedAllocations = map[string]float64{
	"start a workflow":          10,
	"wait for its end":          9,
	"poll for a workflow task":  11,
	"complete a workflow task":  11,
	"signal a workflow":         8,
	"poll for an activity task": 15,
	"complete an activity task": 10,
}

func TestAllocationsOfCalls(t *testing.T) {
	const slack = 1.1 // a new Go release may allocate a little differently
	for what, c := range cannedCalls(t) {
		got := testing.AllocsPerRun(100, func() { c.make(t) })
		if recorded := recordedAllocations[what]; got > recorded*slack || got < recorded/slack {
			t.Errorf("to %s allocates %.0f objects; recorded are %.0f", what, got, recorded)
		}
	}
}

// BenchmarkCall is the edge's own part of a call.
func BenchmarkCall(b *testing.B) {
	for what, c := range cannedCalls(b) {
		b.Run(what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.make(b)
			}
		})
	}
}

// cannedCall is a call of a method, as gRPC makes it.
type cannedCall struct {
	frontend *Frontend
	ctx      context.Context
	method   string
	headers  metadata.MD
	handler  func(srv any, ctx context.Context, dec func(any) error, f *Frontend) (any, error)
	decode   func(any) error
}

func (c *cannedCall) make(t testing.TB) {
	ctx, err := c.frontend.tap(c.ctx, &tap.Info{FullMethodName: c.method, Header: c.headers})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.handler(c.frontend, ctx, c.decode, c.frontend)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := c.frontend.codec().Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	bytes.Free()
}

// cannedCalls are the calls of a short life, on a frontend behind which all
// answers lie ready.
func cannedCalls(t testing.TB) map[string]*cannedCall {
	payloads := &commonpb.Payloads{Payloads: []*commonpb.Payload{{
		Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`"input"`)}}}
	event, err := proto.Marshal(&historypb.History{Events: []*historypb.HistoryEvent{{
		EventId: 5, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED}}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	e := &cannedExecutions{
		started:   &workflow.Started{RunID: testRun.RunID, FirstRunID: testRun.RunID, Started: true},
		completed: &workflow.TaskCompleted{}, signalled: new(workflowservice.SignalWorkflowExecutionResponse),
		answered: new(workflowservice.RespondActivityTaskCompletedResponse), closed: shard.Closed{Event: event},
	}
	q := &cannedQueues{
		workflow: &matching.Handover{Started: &workflow.TaskStarted{
			Token: sampleWorkflowToken, WorkflowType: "order", StartedEventID: 3, Attempt: 1, HistoryFrom: 1, HistoryTo: 3, History: event,
			TaskQueue: "q", ScheduledTime: now, StartedTime: now,
		}},
		activity: &matching.Handover{Started: &workflow.ActivityStarted{
			Token: sampleActivityToken, NamespaceName: "ns", WorkflowType: "order", ScheduledTime: now,
			Scheduled: &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
				ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{Input: payloads},
			}},
			ActivityType: "charge", Attempt: 1, StartToClose: time.Minute,
		}},
	}
	f := New(Options{Executions: e, Queues: q, Registry: fakeRegistry{}})
	f.Serve()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	t.Cleanup(cancel)
	ctx = metadata.NewIncomingContext(ctx, metadata.MD{})

	calls := make(map[string]*cannedCall)
	add := func(what, method string, decode func(any)) {
		for _, m := range workflowservice.WorkflowService_ServiceDesc.Methods {
			if m.MethodName == method {
				calls[what] = &cannedCall{
					frontend: f, ctx: ctx, method: "/" + workflowServiceName + "/" + method,
					headers: metadata.Pairs(headerClientName, "temporal-go", headerClientVersion, "1.40.0"),
					handler: func(srv any, ctx context.Context, dec func(any) error, f *Frontend) (any, error) {
						return m.Handler(srv, ctx, dec, f.intercept)
					},
					decode: func(into any) error { decode(into); return nil },
				}
			}
		}
	}
	workflowType, queue := &commonpb.WorkflowType{Name: "order"}, &taskqueuepb.TaskQueue{Name: "q", Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
	of := execution(testRun)
	taskToken, activityToken := sealWorkflowToken(sampleWorkflowToken), sealActivityToken(sampleActivityToken)
	commands := []*commandpb.Command{{CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION}}
	add("start a workflow", "StartWorkflowExecution", func(into any) {
		r := into.(*workflowservice.StartWorkflowExecutionRequest)
		r.Namespace, r.WorkflowId, r.RequestId, r.Identity = "ns", testRun.Name, "request", "me"
		r.WorkflowType, r.TaskQueue, r.Input = workflowType, queue, payloads
	})
	add("wait for its end", "GetWorkflowExecutionHistory", func(into any) {
		r := into.(*workflowservice.GetWorkflowExecutionHistoryRequest)
		r.Namespace, r.Execution, r.WaitNewEvent = "ns", of, true
		r.HistoryEventFilterType = enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
	})
	add("poll for a workflow task", "PollWorkflowTaskQueue", func(into any) {
		r := into.(*workflowservice.PollWorkflowTaskQueueRequest)
		r.Namespace, r.TaskQueue, r.Identity = "ns", queue, "me"
	})
	add("complete a workflow task", "RespondWorkflowTaskCompleted", func(into any) {
		r := into.(*workflowservice.RespondWorkflowTaskCompletedRequest)
		r.Namespace, r.TaskToken, r.Identity, r.Commands = "ns", taskToken, "me", commands
	})
	add("signal a workflow", "SignalWorkflowExecution", func(into any) {
		r := into.(*workflowservice.SignalWorkflowExecutionRequest)
		r.Namespace, r.WorkflowExecution, r.SignalName, r.Input, r.RequestId = "ns", of, "go", payloads, "request"
	})
	add("poll for an activity task", "PollActivityTaskQueue", func(into any) {
		r := into.(*workflowservice.PollActivityTaskQueueRequest)
		r.Namespace, r.TaskQueue, r.Identity = "ns", queue, "me"
	})
	add("complete an activity task", "RespondActivityTaskCompleted", func(into any) {
		r := into.(*workflowservice.RespondActivityTaskCompletedRequest)
		r.Namespace, r.TaskToken, r.Identity, r.Result = "ns", activityToken, "me", payloads
	})
	return calls
}

// cannedExecutions answers without a run, and at once.
type cannedExecutions struct {
	Executions
	started   *workflow.Started
	completed *workflow.TaskCompleted
	signalled *workflowservice.SignalWorkflowExecutionResponse
	answered  *workflowservice.RespondActivityTaskCompletedResponse
	closed    shard.Closed
}

func (e *cannedExecutions) Do(_ context.Context, _ engine.ID, _ string, in engine.Input) (any, error) {
	switch in.(type) {
	case *workflow.StartWorkflow:
		return e.started, nil
	case *workflow.CompleteWorkflowTask:
		return e.completed, nil
	case *workflow.Signal:
		return e.signalled, nil
	}
	return e.answered, nil
}

func (e *cannedExecutions) Closing(context.Context, <-chan struct{}, engine.RunKey) (shard.Closed, error) {
	return e.closed, nil
}

func (*cannedExecutions) TaskQueries(workflow.TaskToken) map[string]*querypb.WorkflowQuery {
	return nil
}

// cannedQueues hand out the same task again and again.
type cannedQueues struct {
	Queues
	workflow, activity *matching.Handover
}

func (q *cannedQueues) Poll(_ context.Context, r matching.PollRequest) (*matching.Handover, error) {
	if r.Queue.Type == enumspb.TASK_QUEUE_TYPE_ACTIVITY {
		return q.activity, nil
	}
	return q.workflow, nil
}
