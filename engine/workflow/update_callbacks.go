package workflow

import (
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
)

// Callbacks of updates. They are the run's from the update's acceptance on: what
// no worker accepts leaves no trace, and its callers hear of it themselves. An
// update that a reset has admitted again, by an event, has them from there.

// checkUpdateCallbacks refuses more callbacks than the updates of a run may have.
func (d *draft) checkUpdateCallbacks(req *updatepb.Request) error {
	more := len(req.GetCompletionCallbacks())
	if more == 0 {
		return nil
	}
	have := 0
	for _, n := range d.callbacks.keys() {
		if d.callbacks.get(n).UpdateID != "" {
			have++
		}
	}
	for _, id := range d.proposals.keys() {
		p := d.proposals.get(id)
		have += len(p.Request.GetCompletionCallbacks())
		for _, other := range p.Attached {
			have += len(other.GetCompletionCallbacks())
		}
	}
	if most := d.env.Limits.UpdateCallbacks; have+more > most {
		return engine.Refuse(engine.KindFailedPrecondition,
			"cannot attach more than %d callbacks to the updates of a workflow (%d callbacks already attached)", most, have)
	}
	return nil
}

// rejoin carries out a request for an update that the run knows: nothing
// happens, but that callbacks it brings are attached. A completed update needs
// none: its outcome is in the reply.
func (d *draft) rejoin(req *updatepb.Request, known *UpdateStatus) error {
	d.untouched = true
	if len(req.GetCompletionCallbacks()) == 0 || known.Stage == stageCompleted || d.hasJoined(req) {
		return nil
	}
	if err := d.checkUpdateCallbacks(req); err != nil {
		return err
	}
	d.untouched = false
	updateID := req.GetMeta().GetUpdateId()
	if was := d.proposals.get(updateID); was != nil {
		p := *was
		p.Attached = append(slices.Clip(p.Attached), req)
		d.proposals.put(updateID, &p)
		return nil
	}
	if err := d.checkRoom(); err != nil {
		return err
	}
	d.joinUpdate(updateID, req)
	return nil
}

// hasJoined reports whether the request has taken effect on its update before.
func (d *draft) hasJoined(req *updatepb.Request) bool {
	updateID := req.GetMeta().GetUpdateId()
	if p := d.proposals.get(updateID); p != nil {
		return p.Request.GetRequestId() == req.GetRequestId() ||
			slices.ContainsFunc(p.Attached, func(r *updatepb.Request) bool { return r.GetRequestId() == req.GetRequestId() })
	}
	return d.hasAttached(updateID, req.GetRequestId())
}

// hasAttached reports whether the callbacks of a request are attached to the update.
func (d *draft) hasAttached(updateID, requestID string) bool {
	return slices.ContainsFunc(d.callbacks.keys(), func(n int64) bool {
		s := d.callbacks.get(n)
		return s.UpdateID == updateID && s.AttachedBy == requestID
	})
}

// joinUpdate attaches the callbacks of a request to an accepted update.
func (d *draft) joinUpdate(updateID string, req *updatepb.Request) {
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)
	ev.WorkerMayIgnore = true
	ev.Links = req.GetLinks()
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionOptionsUpdatedEventAttributes{
		WorkflowExecutionOptionsUpdatedEventAttributes: &historypb.WorkflowExecutionOptionsUpdatedEventAttributes{
			Identity: req.GetMeta().GetIdentity(),
			WorkflowUpdateOptions: []*historypb.WorkflowExecutionOptionsUpdatedEventAttributes_WorkflowUpdateOptionsUpdate{{
				UpdateId:                    updateID,
				AttachedRequestId:           req.GetRequestId(),
				AttachedCompletionCallbacks: req.GetCompletionCallbacks(),
			}},
		}}
	d.arrive(ev)
	d.attachToUpdate(updateID, req.GetRequestId(), req.GetCompletionCallbacks(), ev)
}

// attachToUpdate adds callbacks that the event has brought, if none before has.
func (d *draft) attachToUpdate(updateID, requestID string, list []*commonpb.Callback, ev *historypb.HistoryEvent) {
	if len(list) == 0 || d.hasAttached(updateID, requestID) {
		return
	}
	d.attach(list, callback.Origin{AttachedBy: requestID, UpdateID: updateID}, ev)
}

// completeCallbacks tells those who wait for the update that has completed with
// the event.
func (d *draft) completeCallbacks(updateID string, ev *historypb.HistoryEvent) {
	for _, n := range d.callbacks.keys() {
		if s := d.callbacks.get(n); s.Waiting() && s.UpdateID == updateID {
			d.call(n, s, ev, CompletionOf(ev))
		}
	}
}

// rejectCallbacks tells those who wait for an update that a reset has admitted
// again and a worker has rejected now. No event says why, so that every try can
// tell the same.
func (d *draft) rejectCallbacks(updateID string) {
	for _, n := range d.callbacks.keys() {
		if s := d.callbacks.get(n); s.Waiting() && s.UpdateID == updateID {
			rejected := s.Trigger(d.env.Now)
			rejected.Rejected = true
			d.try(n, rejected, rejectedCompletion())
		}
	}
}

// dropCallbacks leaves the callbacks of a rejected update to the run that has
// rejected it.
func (d *draft) dropCallbacks(updateID string) {
	for _, n := range d.callbacks.keys() {
		if s := d.callbacks.get(n); s.Waiting() && s.UpdateID == updateID {
			d.callbacks.put(n, s.Done())
		}
	}
}

func rejectedCompletion() *engine.Completion {
	return failedCompletion(serverVerdict("RejectedUpdate", "Workflow Update was rejected."))
}
