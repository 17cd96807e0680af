package workflow

import (
	failurepb "go.temporal.io/api/failure/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/perdure/perdure/engine"
)

// How updates end that no worker has answered.

// tell notes what has become of an update.
func (d *draft) tell(s *UpdateStatus) {
	d.change.News = append(d.change.News, UpdateNews{Status: s})
}

// refuse ends a proposal by which nothing has happened.
func (d *draft) refuse(updateID string, r *engine.Refusal) {
	d.forgetProposal(updateID)
	d.change.News = append(d.change.News, UpdateNews{Status: d.statusOf(updateID, stageAdmitted), Refusal: r})
}

// reject ends a proposal with a failure for its caller.
func (d *draft) reject(updateID string, f *failurepb.Failure) {
	d.forgetProposal(updateID)
	d.rejectCallbacks(updateID)
	s := d.statusOf(updateID, stageCompleted)
	s.Outcome, s.Rejected = failed(f), true
	d.tell(s)
}

func (d *draft) forgetProposal(updateID string) {
	if d.proposals.get(updateID) != nil {
		d.proposals.remove(updateID)
	}
}

func failed(f *failurepb.Failure) *updatepb.Outcome {
	return &updatepb.Outcome{Value: &updatepb.Outcome_Failure{Failure: f}}
}

// serverVerdict is a failure by which the server itself ends an update.
func serverVerdict(failureType, message string) *failurepb.Failure {
	return &failurepb.Failure{
		Message: message,
		Source:  "Server",
		FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
			Type: failureType, NonRetryable: true}},
	}
}

// rejectUnanswered rejects what the worker was sent and has not answered: an SDK
// that knows updates answers each (spec/workflow.md 6.4).
func (c *completion) rejectUnanswered() {
	if c.proposals.len() == 0 && c.fixed().Reset == nil {
		return
	}
	verdict := serverVerdict("UnprocessedUpdate", "Workflow Update is rejected because it wasn't processed by worker. "+
		"Probably, Workflow Update is not supported by the worker.")
	for _, id := range c.proposals.keys() {
		if c.proposals.get(id).Sent != 0 {
			c.reject(id, verdict)
		}
	}
	if c.fixed().Reset == nil {
		return // only a reset admits by an event; a run may have had thousands of updates
	}
	seen := func(u *Update) bool { return u.seenBy(c.info.LastCompletedStartedID) }
	for _, id := range c.updates.keysWhere(seen) {
		c.updates.remove(id)
		c.reject(id, verdict)
	}
}

// failSent ends what was sent with a workflow task that the server has failed
// (spec/workflow.md 6.4).
func (d *draft) failSent() {
	for _, id := range d.proposals.keys() {
		if d.proposals.get(id).Sent != 0 {
			d.refuse(id, engine.Refuse(engine.KindWorkflowNotReady,
				"Unable to perform workflow execution update due to unexpected workflow task failure."))
		}
	}
}

// closeUpdates ends all updates because the run closes (spec/workflow.md 6.6).
// With a successor, callers are asked to come again: they will find it.
func (d *draft) closeUpdates(succeeded bool) {
	if d.proposals.len()+d.updates.len() == 0 {
		return
	}
	closing := engine.NotFound("workflow update was aborted by closing workflow")
	if succeeded {
		closing = closingRun()
	}
	for _, id := range d.proposals.keys() {
		d.refuse(id, closing)
	}
	for _, id := range d.updates.keys() {
		switch u := d.updates.get(id); {
		case u.CompletedEventID != 0:
		case u.AcceptedEventID == 0:
			d.refuse(id, closing)
		default:
			d.tell(d.cutOff(id))
		}
	}
}

// cutOff is the end of an accepted update whose run has closed. It is in no
// history: it follows from the state.
func (d *draft) cutOff(updateID string) *UpdateStatus {
	s := d.statusOf(updateID, stageCompleted)
	s.Outcome = failed(serverVerdict("AcceptedUpdateCompletedWorkflow",
		"Workflow Update failed because the Workflow completed before the Update completed."))
	return s
}
