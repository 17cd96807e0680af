package main

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// populate brings the clients, the workers and the crashes into the world.
func (w *world) populate() {
	for range 1 + w.chance.IntN(3) {
		newWorker(w).connect()
	}
	for range 1 + w.chance.IntN(3) {
		// From crowded seconds to quiet hours.
		w.client(10 * time.Millisecond << w.chance.IntN(11))
	}
	w.linearity.begin()
	w.crashes()
	w.rests()
}

// client does something about every pause, until everything heals.
func (w *world) client(pause time.Duration) {
	w.after(w.sometime(w.between(0, 2*pause)), func() {
		if w.healed {
			return
		}
		w.act()
		w.client(pause)
	})
}

// act is one thing a client does.
func (w *world) act() {
	if w.oneIn(5) {
		w.actAlone()
		return
	}
	id := workflowID(w.chance.IntN(workflowIDs))
	switch n := w.chance.IntN(204); {
	case n < 45:
		w.start(id)
	case n < 80:
		w.signal(id)
	case n < 88:
		w.signalWithStart(id)
	case n < 94:
		w.cancel(id)
	case n < 98:
		w.terminate(id)
	case n < 100:
		w.delete(id)
	case n < 130:
		w.update(id)
	case n < 142:
		w.operate(id)
	case n < 150:
		w.reset(id)
	case n < 158:
		w.readHistory(idOf(id))
	case n < 165:
		w.query(idOf(id))
	case n == 203:
		w.describeQueues()
	case n >= 198:
		w.askWrongly(id)
	case n >= 190:
		w.operateActivity(id)
	case n < 172:
		w.updateAndWait(id)
	case n < 176:
		w.pollUpdate(idOf(id))
	case n < 180:
		w.updateWithStart(id)
	default:
		w.reader.read(idOf(id))
	}
}

// insist repeats a call until its outcome is clear, as a client does.
func (w *world) insist(id, what string, in engine.Input) { w.insistOn(idOf(id), what, in) }

func (w *world) insistOn(id engine.ID, what string, in engine.Input) {
	w.submit(id, "", in, func(reply any, err error) {
		if task := eagerTask(reply); task != nil && err == nil {
			w.workers[w.chance.IntN(len(w.workers))].work(task, engine.Poller{Identity: "client"})
		}
		if unclear(err) && !w.healed {
			w.after(w.between(10*time.Millisecond, 500*time.Millisecond), func() { w.insistOn(id, what, in) })
			return
		}
		w.say("client: %s %s: %s", what, id.Name, outcomeOf(err))
	})
}

// eagerTask is what a starter gets to do with the answer; nil for nothing.
func eagerTask(reply any) any {
	switch r := reply.(type) {
	case *workflow.Started:
		if r.EagerTask != nil {
			return r.EagerTask
		}
	case *standalone.StartedExecution:
		if r.EagerTask != nil {
			return r.EagerTask
		}
	}
	return nil
}

func outcomeOf(err error) string {
	if err == nil {
		return "done"
	}
	return err.Error()
}

func (w *world) start(id string) {
	request := w.startRequest(id)
	w.insist(id, "start "+request.WorkflowType.Name, &workflow.StartWorkflow{Request: request, Poller: engine.Poller{Identity: "client"}})
}

// startRequest draws how a workflow is to be started.
func (w *world) startRequest(id string) *workflowservice.StartWorkflowExecutionRequest {
	conflicts := []enumspb.WorkflowIdConflictPolicy{
		enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
	}
	reuses := []enumspb.WorkflowIdReusePolicy{
		enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}
	request := &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                namespaceName,
		WorkflowId:               id,
		WorkflowType:             &commonpb.WorkflowType{Name: w.drawType()},
		TaskQueue:                &taskqueuepb.TaskQueue{Name: workflowQueueName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		Identity:                 "client",
		RequestId:                w.unique("start"),
		WorkflowTaskTimeout:      durationpb.New(5 * time.Second),
		WorkflowIdReusePolicy:    reuses[w.chance.IntN(len(reuses))],
		WorkflowIdConflictPolicy: conflicts[w.chance.IntN(len(conflicts))],
		Priority:                 &commonpb.Priority{PriorityKey: int32(w.chance.IntN(6))},
	}
	if w.oneIn(4) {
		request.WorkflowRunTimeout = durationpb.New(w.between(5*time.Second, 2*time.Minute))
	}
	if w.oneIn(10) {
		request.WorkflowStartDelay = durationpb.New(w.between(time.Second, 10*time.Second))
	}
	if w.oneIn(20) && !w.healed {
		w.drawCron(request)
	}
	if w.oneIn(6) {
		request.RequestEagerExecution = true
	}
	request.CompletionCallbacks = w.drawCallbacks()
	if w.oneIn(2) {
		request.OnConflictOptions = &workflowpb.OnConflictOptions{AttachRequestId: true, AttachCompletionCallbacks: true}
	}
	if w.oneIn(8) {
		request.RetryPolicy = &commonpb.RetryPolicy{
			InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2, MaximumAttempts: 2,
			MaximumInterval: durationpb.New(10 * time.Second), NonRetryableErrorTypes: []string{"hopeless"},
		}
	}
	w.adorn(request)
	return request
}

func (w *world) drawType() string { return typeOf(w.chance.Uint64N(1000), 0, 2) }

func (w *world) signal(id string) {
	name := w.unique("signal")
	w.insist(id, "signal", &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{
		Namespace:         namespaceName,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		SignalName:        name,
		Input:             payloads(name),
		Identity:          "client",
		RequestId:         w.unique("request"),
	}})
}

func (w *world) signalWithStart(id string) {
	name := w.unique("signal")
	w.insist(id, "signal with start", &workflow.SignalWithStart{Request: &workflowservice.SignalWithStartWorkflowExecutionRequest{
		Namespace:           namespaceName,
		WorkflowId:          id,
		WorkflowType:        &commonpb.WorkflowType{Name: w.drawType()},
		TaskQueue:           &taskqueuepb.TaskQueue{Name: workflowQueueName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
		Identity:            "client",
		RequestId:           w.unique("request"),
		SignalName:          name,
		SignalInput:         payloads(name),
		WorkflowTaskTimeout: durationpb.New(5 * time.Second),
		Header:              header("client"), Memo: memo("client"), SearchAttributes: attributes(w.chance), Links: w.drawLinks(),
		WorkflowIdReusePolicy: enumspb.WorkflowIdReusePolicy(w.chance.IntN(4)),
	}})
}

func (w *world) cancel(id string) {
	w.insist(id, "cancel", &workflow.RequestCancel{Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace:         namespaceName,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		Identity:          "client",
		RequestId:         w.unique("request"),
	}})
}

func (w *world) terminate(id string) {
	w.insist(id, "terminate", &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace:         namespaceName,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		Identity:          "client",
		Reason:            "as the dice fell",
	}})
}

func (w *world) delete(id string) {
	w.auditor.deleting(idOf(id))
	w.insist(id, "delete", &workflow.Delete{})
}
