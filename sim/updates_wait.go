package main

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
	"github.com/perdure/perdure/store/memstore"
)

// patience is how long, and for what, a client waits for an update. left is set
// when it does not wait any more, though its call goes on.
func (w *world) patience() (p shard.Patience, left *bool) {
	stages := []shard.Stage{
		enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_UNSPECIFIED, enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED,
		enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED, enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED,
		enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED,
	}
	over := make(chan struct{}, 1)
	left = new(bool)
	w.after(w.between(100*time.Millisecond, 30*time.Second), func() {
		*left = true
		over <- struct{}{}
	})
	return shard.Patience{Stage: stages[w.chance.IntN(len(stages))], Over: over}, left
}

func (w *world) updateRequest(id string) *workflowservice.UpdateWorkflowExecutionRequest {
	updateID := w.unique("update")
	if w.oneIn(3) {
		updateID = w.sharedUpdateID()
	}
	return &workflowservice.UpdateWorkflowExecutionRequest{
		Namespace:         namespaceName,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
		Request: &updatepb.Request{
			Meta:  &updatepb.Meta{UpdateId: updateID, Identity: "client"},
			Input: &updatepb.Input{Name: "change", Args: payloads(updateID)},
			// The same update again, with callbacks of its own, joins the first.
			RequestId: w.unique("request"), CompletionCallbacks: w.drawCallbacks(),
		},
	}
}

// updateAndWait proposes an update and waits for what becomes of it.
func (w *world) updateAndWait(id string) {
	request := w.updateRequest(id)
	w.converse(w.between(time.Second, time.Minute), func(c *caller, p *process) {
		patience, left := w.patience()
		status, err := p.host.Update(c, idOf(id), "", &workflow.UpdateWorkflow{Request: request}, patience)
		w.updateWasTold(c, request.GetRequest().GetMeta().GetUpdateId(), patience.Stage, *left, status, err)
	})
}

// pollUpdate waits for an update that somebody else has proposed.
func (w *world) pollUpdate(id engine.ID) {
	updateID, run := w.sharedUpdateID(), ""
	var accepted *life
	for _, l := range w.disk.order {
		if l.key.ID != id || l.state == nil || len(l.updates) == 0 || !w.oneIn(2) {
			continue
		}
		ids := sortedKeys(l.updates)
		updateID, run, accepted = ids[w.chance.IntN(len(ids))], l.key.RunID, l
	}
	w.converse(w.between(time.Second, time.Minute), func(c *caller, p *process) {
		patience, left := w.patience()
		status, err := p.host.PollUpdate(c, id, run, updateID, patience)
		if accepted != nil && engine.KindOf(err) == engine.KindNotFound && !w.disk.mayBeGone(accepted.key) {
			w.broken("I1: update %s of %s is not found, and was accepted", updateID, short(accepted.key))
		}
		w.updateWasTold(c, updateID, patience.Stage, *left, status, err)
	})
}

// updateWithStart has a workflow take an update, and starts it if need be.
func (w *world) updateWithStart(id string) {
	start, update := w.startRequest(id), w.updateRequest(id)
	start.CronSchedule, start.WorkflowStartDelay, start.RequestEagerExecution = "", nil, false
	if start.WorkflowIdConflictPolicy == enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL {
		start.WorkflowIdConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	}
	w.converse(w.between(time.Second, time.Minute), func(c *caller, p *process) {
		patience, left := w.patience()
		in := &workflow.UpdateWithStart{Start: start, Update: update, Poller: engine.Poller{Identity: "client"}}
		w.auditor.asks(in)
		reply, err := p.host.UpdateWithStart(c, idOf(id), in, patience)
		if reply == nil {
			w.updateWasTold(c, "", 0, false, nil, err)
			return
		}
		if started := reply.Started; started != nil {
			w.auditor.started(idOf(id), start.RequestId, started)
		}
		if refused := reply.StartRefused != nil || reply.UpdateRefused != nil; refused == (reply.Update != nil || err != nil) {
			w.broken("update with start of %s: %+v, %v", id, reply, err)
		}
		if reply.Update != nil {
			w.updateWasTold(c, update.GetRequest().GetMeta().GetUpdateId(), patience.Stage, *left, reply.Update, err)
		}
		w.say("client: update with start %s: %s", id, outcomeOf(err))
	})
}

// updateWasTold: what a caller is told of an update is on the disk (I1), and as
// far as it has waited for.
func (w *world) updateWasTold(c *caller, updateID string, wanted shard.Stage, left bool, status *workflow.UpdateStatus, err error) {
	switch {
	case err != nil:
		if c.Err() == nil && !unclear(err) && engine.KindOf(err) == 0 {
			w.broken("update %s: %v", updateID, err)
		}
		return
	case status.UpdateID != updateID:
		w.broken("asked for update %s, told of %s", updateID, status.UpdateID)
	case status.Stage < wanted && status.Stage != enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED && !left:
		w.broken("update %s of %s: the caller wanted to wait until %v and is told of %v", updateID, short(status.Run), wanted, status.Stage)
	}
	w.say("client: %s of %s: %v", updateID, short(status.Run), status.Stage)
	if status.Rejected {
		// By the worker, or for it when it has not heard of updates.
		if got := status.Outcome.GetFailure().GetMessage(); got != "as the dice fell" && !strings.Contains(got, "it wasn't processed by worker") {
			w.broken("update %s of %s was rejected with %q", updateID, short(status.Run), got)
		}
		return
	}
	if status.Stage < enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED || w.disk.mayBeGone(status.Run) {
		return
	}
	accepted, outcome := w.disk.update(w.present(), status.Run, updateID)
	if !accepted {
		w.broken("I1: a caller is told that update %s of %s is accepted; it is not on the disk", updateID, short(status.Run))
	}
	if status.Outcome.GetFailure().GetApplicationFailureInfo().GetType() == "AcceptedUpdateCompletedWorkflow" {
		if state := w.disk.state(w.present(), status.Run); outcome != nil || state != nil && state.Open() {
			w.broken("I1: a caller is told that %s closed before update %s was completed; its outcome is %v", short(status.Run), updateID, outcome)
		}
		return
	}
	if status.Stage == enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED && !proto.Equal(outcome, status.Outcome) {
		w.broken("I1: a caller is told that update %s of %s has ended with %v; the disk has %v", updateID, short(status.Run), status.Outcome, outcome)
	}
}

// update is what the history on the disk says of an update.
func (o *observer) update(img *memstore.Image, run engine.RunKey, updateID string) (accepted bool, outcome *updatepb.Outcome) {
	for _, ev := range o.history(img, run, 1<<40) {
		if ev.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetProtocolInstanceId() == updateID {
			accepted = true
		}
		if a := ev.GetWorkflowExecutionUpdateCompletedEventAttributes(); a.GetMeta().GetUpdateId() == updateID {
			outcome = a.GetOutcome()
		}
	}
	return accepted, outcome
}
