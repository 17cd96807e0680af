package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// isOpen reports whether the run being stepped has not closed, in this step or
// before.
func (d *draft) isOpen() bool {
	return d.info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING ||
		d.info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
}

// paused reports whether the run is open and on hold.
func (d *draft) paused() bool {
	return d.info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
}

// wantTask says that an event was written which the worker must see. The
// workflow task is scheduled at the end of the step, after all its events, if
// there is none and the run may have one.
func (d *draft) wantTask() { d.taskWanted = true }

// send adds a message to another execution. Who sends it is filled in here, and
// the request id by which the receiver recognises a repetition.
func (d *draft) send(m engine.Message) {
	m.From = d.base.Key
	m.NamespaceName = d.fixed().NamespaceName
	m.FirstRunID = d.fixed().FirstRunID
	if m.RequestID == "" {
		m.RequestID = messageRequestID(d.base.Key, m.EventID)
	}
	d.change.Messages = append(d.change.Messages, m)
}

// messageRequestID is fixed for each event that causes messages.
func messageRequestID(from engine.RunKey, eventID int64) string {
	return engine.EffectID(from, eventID)
}

// offer makes a task available to workers.
func (d *draft) offer(t engine.Task) {
	d.change.Offers = append(d.change.Offers, t)
}

// withdraw takes back an offer made earlier, or in this very step: then the
// two cancel out.
func (d *draft) withdraw(t engine.Task) {
	for i, o := range d.change.Offers {
		if o.EventID == t.EventID && o.Stamp == t.Stamp && o.Queue.Type == t.Queue.Type {
			d.change.Offers = append(d.change.Offers[:i:i], d.change.Offers[i+1:]...)
			return
		}
	}
	d.change.Withdrawn = append(d.change.Withdrawn, t)
}
