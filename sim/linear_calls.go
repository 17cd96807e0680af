package main

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/sim/linear"
)

// heard is told what came of a call; heard is false when the answer says nothing
// of the state, and the call has had no effect.
type heard func(a linear.Answer, heard bool)

// send carries a call out.
func (e *episode) send(c linear.Call, told heard) {
	if e.mistaken != nil {
		var answered bool
		if told, answered = e.mistaken(e, c, told); answered {
			return
		}
	}
	switch c.Kind {
	case linear.Update:
		e.update(c, told)
	case linear.Read:
		if e.oneIn(3) {
			e.readHistory(c, told)
		} else {
			e.describe(c, told)
		}
	default:
		e.submit(e.id, c.Run, e.input(c), func(reply any, err error) {
			a, clear := answerTo(err)
			if started, ok := reply.(*workflow.Started); ok && err == nil {
				a.Run, a.Started = started.RunID, started.Started
			}
			told(a, clear)
		})
	}
}

// answerTo is the answer that an error is.
func answerTo(err error) (a linear.Answer, heard bool) {
	switch engine.KindOf(err) {
	case engine.KindNotFound:
		a.Refused = linear.NotFound
		return a, true
	case engine.KindAlreadyStarted:
		a.Refused = linear.AlreadyStarted
		a.Run = refusalDetail(err).GetRunId()
		return a, true
	case engine.KindBusyWorkflow, engine.KindWorkflowNotReady, engine.KindFailedPrecondition, engine.KindConcurrentLimit, engine.KindStorageFull:
		return a, false
	}
	// What was lost on the way there, the server has never seen.
	a.Lost = err != nil
	return a, !isDown(err)
}

// input is the call as the server takes it.
func (e *episode) input(c linear.Call) engine.Input {
	execution := &commonpb.WorkflowExecution{WorkflowId: e.id.Name, RunId: c.Run}
	signal := c.Request // a name of its own
	if c.Ends {
		signal = endSignal + signal
	}
	switch c.Kind {
	case linear.Start:
		return &workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
			Namespace: namespaceName, WorkflowId: e.id.Name, WorkflowType: &commonpb.WorkflowType{Name: hotType},
			TaskQueue: hotQueue(), Identity: "client", RequestId: c.Request, WorkflowTaskTimeout: durationpb.New(5 * time.Second),
			WorkflowIdConflictPolicy: c.Conflict, WorkflowIdReusePolicy: c.Reuse,
		}, Poller: engine.Poller{Identity: "client"}}
	case linear.SignalWithStart:
		return &workflow.SignalWithStart{Request: &workflowservice.SignalWithStartWorkflowExecutionRequest{
			Namespace: namespaceName, WorkflowId: e.id.Name, WorkflowType: &commonpb.WorkflowType{Name: hotType},
			TaskQueue: hotQueue(), Identity: "client", RequestId: c.Request, WorkflowTaskTimeout: durationpb.New(5 * time.Second),
			WorkflowIdConflictPolicy: c.Conflict, WorkflowIdReusePolicy: c.Reuse, SignalName: signal, SignalInput: payloads(signal),
		}}
	case linear.Signal:
		return &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: namespaceName, WorkflowExecution: execution, SignalName: signal, Input: payloads(signal), Identity: "client", RequestId: c.Request,
		}}
	case linear.Cancel:
		return &workflow.RequestCancel{Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
			Namespace: namespaceName, WorkflowExecution: execution, Identity: "client", RequestId: e.unique("request"),
		}}
	}
	return terminateInput(e.id.Name)
}

func terminateInput(id string) *workflow.Terminate {
	return &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace: namespaceName, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, Identity: "client", Reason: "as the dice fell",
	}}
}

func hotQueue() *taskqueuepb.TaskQueue {
	return &taskqueuepb.TaskQueue{Name: workflowQueueName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
}

// update proposes an update and waits until it is accepted or has an outcome.
func (e *episode) update(c linear.Call, told heard) {
	stage := enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
	if e.oneIn(2) {
		stage = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
	}
	in := updateInput(e.id.Name, c.Request, e.unique("request"))
	e.converse(e.between(time.Second, time.Minute), func(x *caller, p *process) {
		status, err := p.host.Update(x, e.id, "", in, shard.Patience{Stage: stage})
		if err != nil {
			told(linear.Answer{}, false) // that nothing is known to have come of it, says nothing
			return
		}
		told(answerOf(status))
	})
}

func updateInput(id, updateID, requestID string) *workflow.UpdateWorkflow {
	return &workflow.UpdateWorkflow{Request: &workflowservice.UpdateWorkflowExecutionRequest{
		Namespace: namespaceName, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		Request: &updatepb.Request{Meta: &updatepb.Meta{UpdateId: updateID, Identity: "client"},
			Input: &updatepb.Input{Name: "change", Args: payloads(updateID)}, RequestId: requestID},
	}}
}

// answerOf is what a client learns of an update. A refusal, by whomever, is no
// part of the state.
func answerOf(status *workflow.UpdateStatus) (a linear.Answer, heard bool) {
	a.Run = status.Run.RunID
	switch failure := status.Outcome.GetFailure(); {
	case status.Stage < enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED:
		return a, false
	case status.Stage == enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED:
		a.Progress.Stage = linear.Accepted
	case failure.GetApplicationFailureInfo().GetType() == "AcceptedUpdateCompletedWorkflow":
		a.Progress.Stage = linear.Accepted // the run closed before the update was through
	case failure != nil:
		return a, false
	default:
		a.Progress = linear.Progress{Stage: linear.Completed, Outcome: linear.OutcomeOf(status.Outcome)}
	}
	return a, true
}

// describe looks at the state.
func (e *episode) describe(c linear.Call, told heard) {
	var s *linear.Sight
	e.call(func(p *process, answer func(any, error)) {
		p.host.Look(e.id, c.Run, func(run *workflow.Run) { s = sightOf(run) }, func(err error) { answer(nil, err) })
	}, func(_ any, err error) {
		a, clear := answerTo(err)
		if err == nil {
			a.Sight = s
		}
		told(a, clear)
	})
}

// sightOf is what a description shows.
func sightOf(run *workflow.Run) *linear.Sight {
	s := &linear.Sight{
		Run: run.Key.RunID, Request: run.Start.RequestID, Status: run.Info.Status, CancelRequested: run.Info.CancelRequested,
		Whole: true, Updates: map[string]linear.Progress{},
	}
	for _, id := range sortedKeys(run.Requests) {
		switch r := run.Requests[id]; {
		case r.EventType != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		case r.Buffered:
			s.Waiting = append(s.Waiting, id)
		default:
			s.Signals = append(s.Signals, id)
		}
	}
	slices.SortFunc(s.Signals, func(a, b string) int { return cmp.Compare(run.Requests[a].EventID, run.Requests[b].EventID) })
	for id, u := range run.Updates {
		switch {
		case u.CompletedEventID != 0:
			s.Updates[id] = linear.Progress{Stage: linear.Completed}
		case u.AcceptedEventID != 0:
			s.Updates[id] = linear.Progress{Stage: linear.Accepted}
		}
	}
	return s
}

// readHistory reads the events, as many as there are when it asks.
func (e *episode) readHistory(c linear.Call, told heard) {
	e.converse(e.between(5*time.Second, 20*time.Second), func(x *caller, p *process) {
		var key engine.RunKey
		var last int64
		err := p.host.View(x, e.id, c.Run, func(run *workflow.Run) { key, last = run.Key, run.Info.NextEventID-1 })
		if engine.KindOf(err) == engine.KindNotFound {
			told(linear.Answer{Refused: linear.NotFound}, true)
			return
		}
		if err != nil {
			told(linear.Answer{}, false)
			return
		}
		page, err := p.host.History(x, key, 1, last, 0)
		var h historypb.History
		if err != nil || proto.Unmarshal(page.Bytes, &h) != nil || int64(len(h.Events)) < last {
			told(linear.Answer{}, false)
			return
		}
		told(linear.Answer{Sight: linear.SightOfEvents(key.RunID, h.Events[:last])}, true)
	})
}

// isDown reports whether a call never arrived.
func isDown(err error) bool { return errors.Is(err, errDown) }

func refusalDetail(err error) *errordetails.WorkflowExecutionAlreadyStartedFailure {
	var r *engine.Refusal
	if !errors.As(err, &r) {
		return nil
	}
	detail, _ := r.Detail.(*errordetails.WorkflowExecutionAlreadyStartedFailure)
	return detail
}
