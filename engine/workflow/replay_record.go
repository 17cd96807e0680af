package workflow

import (
	"google.golang.org/protobuf/proto"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/searchattr"
)

// What the events of signals, updates, options, search attributes and the memo
// say of the state.

func (r *Replay) attributesUpserted(ev *historypb.HistoryEvent) error {
	delta := ev.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes()
	r.draft.setSearchAttributes(searchattr.Merge(r.draft.searchAttributes(), delta))
	return nil
}

func (r *Replay) propertiesModified(ev *historypb.HistoryEvent) error {
	delta := ev.GetWorkflowPropertiesModifiedEventAttributes().GetUpsertedMemo()
	r.draft.setMemo(searchattr.MergeMemo(r.draft.memo(), delta))
	return nil
}

func (r *Replay) signaled(ev *historypb.HistoryEvent) error {
	r.draft.info.SignalCount++
	r.requested(ev.GetWorkflowExecutionSignaledEventAttributes().GetRequestId(), ev)
	return nil
}

func (r *Replay) optionsUpdated(ev *historypb.HistoryEvent) error {
	r.draft.optionsUpdated(ev)
	a := ev.GetWorkflowExecutionOptionsUpdatedEventAttributes()
	r.requested(a.GetAttachedRequestId(), ev)
	r.draft.attachCallbacks(a.GetAttachedCompletionCallbacks(), a.GetAttachedRequestId(), ev)
	for _, u := range a.GetWorkflowUpdateOptions() {
		r.draft.attachToUpdate(u.GetUpdateId(), u.GetAttachedRequestId(), u.GetAttachedCompletionCallbacks(), ev)
	}
	return nil
}

// requested remembers the request that has caused the event.
func (r *Replay) requested(requestID string, ev *historypb.HistoryEvent) {
	if requestID != "" {
		r.draft.requests.put(requestID, &Request{EventType: ev.GetEventType(), EventID: ev.GetEventId(), Buffered: ev.GetEventId() == 0})
	}
}

func (r *Replay) updateAdmitted(ev *historypb.HistoryEvent) error {
	req := ev.GetWorkflowExecutionUpdateAdmittedEventAttributes().GetRequest()
	r.draft.updates.put(req.GetMeta().GetUpdateId(), &Update{
		AdmittedEventID: ev.GetEventId(),
		RequestBytes:    int64(proto.Size(req)),
	})
	r.draft.attachToUpdate(req.GetMeta().GetUpdateId(), req.GetRequestId(), req.GetCompletionCallbacks(), ev)
	return nil
}

// dropRejected forgets the updates that a worker has rejected: that leaves no
// event but the next task's.
func (r *Replay) dropRejected() {
	d := r.draft
	for id := range d.updates.changed {
		if u := d.updates.get(id); u != nil && u.seenBy(d.info.LastCompletedStartedID) {
			d.updates.remove(id)
			d.dropCallbacks(id)
		}
	}
}

func (r *Replay) updateAccepted(ev *historypb.HistoryEvent) error {
	a := ev.GetWorkflowExecutionUpdateAcceptedEventAttributes()
	u := &Update{
		AcceptedEventID: ev.GetEventId(),
		AcceptedBatchID: r.draft.batchID(),
		RequestBytes:    int64(proto.Size(a.GetAcceptedRequest())),
	}
	if was := r.draft.updates.get(a.GetProtocolInstanceId()); was != nil && a.GetAcceptedRequest() == nil {
		u.RequestBytes = was.RequestBytes
	}
	r.draft.updates.put(a.GetProtocolInstanceId(), u)
	r.draft.attachToUpdate(a.GetProtocolInstanceId(), a.GetAcceptedRequest().GetRequestId(), a.GetAcceptedRequest().GetCompletionCallbacks(), ev)
	return nil
}

func (r *Replay) updateCompleted(ev *historypb.HistoryEvent) error {
	updateID := ev.GetWorkflowExecutionUpdateCompletedEventAttributes().GetMeta().GetUpdateId()
	was := r.draft.updates.get(updateID)
	if was == nil {
		return badHistory(ev, "completes no update")
	}
	u := *was
	u.CompletedEventID, u.CompletedBatchID = ev.GetEventId(), r.draft.batchID()
	r.draft.updates.put(updateID, &u)
	r.draft.completeCallbacks(updateID, ev)
	return nil
}

func (r *Replay) paused(ev *historypb.HistoryEvent) error {
	r.draft.beginPause(ev)
	return nil
}

func (r *Replay) unpaused(ev *historypb.HistoryEvent) error {
	r.draft.info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	r.draft.endPause(ev)
	return nil
}
