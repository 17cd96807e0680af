package workflow

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
)

// Completion callbacks of a run (spec/workflow.md 1.11). They come with the
// start, or are attached by a later one that finds the run open. Events carry
// them, so that a replay finds them; what becomes of their delivery is in the
// state alone.
//
// A callback waits for the end of the chain as its caller sees it: retries and
// continue-as-new hand it on to the next run, by its Started event. Each close of
// a cron run is an end. The run that a reset puts in the place of another has the
// callbacks again, from the events it shares.

// attachCallbacks adds callbacks that the event has brought. requestID is that of
// the request which attached them; empty for the start.
func (d *draft) attachCallbacks(list []*commonpb.Callback, requestID string, ev *historypb.HistoryEvent) {
	d.attach(list, callback.Origin{AttachedBy: requestID}, ev)
}

func (d *draft) attach(list []*commonpb.Callback, from callback.Origin, ev *historypb.HistoryEvent) {
	for i, cb := range list {
		from.Index = i
		number := int64(d.callbacks.len()) + 1 // none is ever removed
		d.callbacks.put(number, callback.New(d.base.Key, cb, from, ev.GetEventTime().AsTime()))
	}
}

// checkCallbackCount refuses more callbacks than a run may have.
func checkCallbackCount(l *engine.Limits, attached, more int) error {
	if more > 0 && attached+more > l.CompletionCallbacks {
		return engine.Refuse(engine.KindFailedPrecondition,
			"cannot attach more than %d callbacks to a workflow (%d callbacks already attached)", l.CompletionCallbacks, attached)
	}
	return nil
}

// closeCallbacks counts the callbacks that wait for the run's close.
func (r *Run) closeCallbacks() int {
	n := 0
	for _, s := range r.Callbacks { // a sum: their order does not matter
		if s.UpdateID == "" {
			n++
		}
	}
	return n
}

// handOnCallbacks gives the callbacks that the next run of the chain is to have.
func (d *draft) handOnCallbacks() []*commonpb.Callback {
	var list []*commonpb.Callback
	for _, n := range d.callbacks.keys() {
		if s := d.callbacks.get(n); s.Waiting() && s.UpdateID == "" {
			list = append(list, s.Callback)
		}
	}
	return list
}

// handsOn reports whether a run that closes with the event has handed its
// callbacks on.
func handsOn(ev *historypb.HistoryEvent) bool {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return ev.GetWorkflowExecutionFailedEventAttributes().GetRetryState() == enumspb.RETRY_STATE_IN_PROGRESS
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return ev.GetWorkflowExecutionTimedOutEventAttributes().GetRetryState() == enumspb.RETRY_STATE_IN_PROGRESS
	}
	return false
}

// closeCallbacks tells those who wait for the run, which closes with the event,
// and for updates that it leaves unfinished.
func (d *draft) closeCallbacks(ev *historypb.HistoryEvent) {
	for _, n := range d.callbacks.keys() {
		s := d.callbacks.get(n)
		switch {
		case !s.Waiting():
		case s.UpdateID != "":
			if !d.reborn || d.leavesBehind(s.UpdateID) {
				d.call(n, s, ev, outcomeCompletion(d.cutOff(s.UpdateID).Outcome))
			}
		case !handsOn(ev) && !d.reborn:
			d.call(n, s, ev, CompletionOf(ev))
		}
	}
}

// leavesBehind reports whether the run that a reset puts in the place of this one
// knows nothing of the update.
func (d *draft) leavesBehind(updateID string) bool {
	u := d.updates.get(updateID)
	return d.leavesUpdates != 0 && (u == nil || u.AcceptedEventID >= d.leavesUpdates)
}

// call begins to deliver, because of the event.
func (d *draft) call(number int64, s *callback.State, ev *historypb.HistoryEvent, c *engine.Completion) {
	d.try(number, s.Trigger(ev.GetEventTime().AsTime()), c)
}

// try has the callback delivered. A nil completion is read from history.
func (d *draft) try(number int64, s *callback.State, c *engine.Completion) {
	d.callbacks.put(number, s)
	x := s.Delivery(d.base.Key, d.fixed().NamespaceName, number)
	x.Until = x.Until.Add(-d.info.skipped()) // the shell's time
	x.Completion = c
	x.Link = d.callbackLink(s)
	x.EventID, x.BatchID = d.info.CloseEventID, d.info.CloseBatchID
	if s.UpdateID == "" {
		x.StartTime = d.fixed().StartTime
	} else if u := d.updates.get(s.UpdateID); u != nil && !s.Rejected {
		x.EventID, x.BatchID = u.CompletedEventID, u.CompletedBatchID
	}
	d.change.Deliveries = append(d.change.Deliveries, x)
}

// callbackLink leads to the event that says what has completed.
func (d *draft) callbackLink(s *callback.State) *commonpb.Link {
	switch {
	case s.UpdateID != "":
		return requestLinkOf(d.fixed().NamespaceName, d.base.Key, s.UpdateID, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
	case s.AttachedBy != "":
		return requestLinkOf(d.fixed().NamespaceName, d.base.Key, s.AttachedBy, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)
	}
	return eventLink(d.fixed().NamespaceName, d.base.Key, 1, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
}

// leaveCallbacks leaves what ended before a reset, and is told of by the run that
// was reset, to that run.
func (d *draft) leaveCallbacks() {
	for _, n := range d.callbacks.keys() {
		if s := d.callbacks.get(n); s.Pending() {
			d.callbacks.put(n, s.Done())
		}
	}
}

// dueCallbacks makes the tries whose time has come, and reports whether there
// were any.
func (d *draft) dueCallbacks() (worked bool) {
	if len(d.base.Callbacks) == 0 {
		return false
	}
	for _, n := range d.callbacks.keys() {
		s := d.callbacks.get(n)
		if at := s.Deadline(); at.IsZero() || at.After(d.env.Now) {
			continue
		}
		d.try(n, s.Try(d.env.Now), d.unrecordedCompletion(s))
		worked = true
	}
	return worked
}

// unrecordedCompletion is the end of what no event tells of: an update that was
// rejected, or that its run has left unfinished.
func (d *draft) unrecordedCompletion(s *callback.State) *engine.Completion {
	switch u := d.updates.get(s.UpdateID); {
	case s.UpdateID == "":
		return nil
	case s.Rejected || u == nil:
		return rejectedCompletion()
	case u.CompletedEventID == 0:
		return outcomeCompletion(d.cutOff(s.UpdateID).Outcome)
	}
	return nil
}

// callbackAnswered takes the report of a try in.
func (d *draft) callbackAnswered(in *CallbackAnswered) (any, error) {
	s := d.callbacks.get(in.Number)
	if s == nil {
		return nil, engine.Stale("no callback of that number")
	}
	a := in.Answer
	a.Failure = boundedFailure(a.Failure, d.env.Limits.LastFailureBytes)
	next := s.Answered(in.Stamp, a, d.env.Now)
	if next == nil {
		return nil, engine.Stale("the callback has been tried again, or delivered")
	}
	d.callbacks.put(in.Number, next)
	return nil, nil
}

// callbackDeadline is the earliest of a closed run's callbacks; zero for none.
func (r *Run) callbackDeadline() time.Time {
	var next time.Time
	for _, s := range r.Callbacks { // a minimum: their order does not matter
		next = earliest(next, s.Deadline())
	}
	return next
}
