package workflow

import (
	"slices"

	"google.golang.org/protobuf/proto"

	enumspb "go.temporal.io/api/enums/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/perdure/perdure/engine"
)

// Update is an update that a worker has accepted. Its request is in the event of
// its acceptance, its outcome in that of its completion.
type Update struct {
	// AdmittedEventID is the event of an update that a reset has applied again,
	// until a worker accepts it; 0 for all others, whose admission is no event.
	AdmittedEventID int64
	// AcceptedEventID is 0 while no worker has accepted an admitted one.
	AcceptedEventID int64
	AcceptedBatchID int64
	// CompletedEventID and CompletedBatchID are 0 while it is under way.
	CompletedEventID int64
	CompletedBatchID int64
	// RequestBytes is the size of the request, which counts while it is under way.
	RequestBytes int64
}

// seenBy reports whether an update was admitted by an event and not accepted,
// although a workflow task has brought the event to a worker and is completed:
// so it was rejected.
func (u *Update) seenBy(lastCompletedStartedID int64) bool {
	return u.AcceptedEventID == 0 && u.AdmittedEventID < lastCompletedStartedID
}

// Proposal is an update that no worker has accepted: admitted, or sent to one.
type Proposal struct {
	Request *updatepb.Request
	// Order of admission among the proposals of the run.
	Order int64
	// Attached are requests for the same update with callbacks of their own.
	Attached []*updatepb.Request
	// Sent is the stamp of the start of the workflow task that brought it to a
	// worker; 0 while it waits for one.
	Sent int64
}

// UpdateStatus says how far an update has come.
type UpdateStatus struct {
	Run           engine.RunKey
	NamespaceName string
	UpdateID      string
	Stage         enumspb.UpdateWorkflowExecutionLifecycleStage
	// Outcome of a completed update. It is nil when it must be read from event
	// EventID in history batch BatchID.
	Outcome *updatepb.Outcome
	EventID int64
	BatchID int64
	// Rejected: the run holds nothing of it.
	Rejected bool
}

// UpdateNews is something that became of an update in a step: it was accepted or
// has an outcome, or, with Refusal set, nothing will become of it here.
type UpdateNews struct {
	Status  *UpdateStatus
	Refusal *engine.Refusal
}

// The stages.
const (
	stageAdmitted  = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
	stageAccepted  = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
	stageCompleted = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
)

// UpdateStatus is how far the update has come, nil if the run knows none of that id.
func (r *Run) UpdateStatus(updateID string) *UpdateStatus {
	return newDraft(nil, r).updateStatus(updateID)
}

// Volatile reports whether the run holds what a reload would forget: proposals,
// or the speculative workflow task that brings them to a worker.
func (r *Run) Volatile() bool {
	return len(r.Proposals) > 0 || r.Info.Task != nil && r.Info.Task.Type == TaskSpeculative
}

func (d *draft) updateStatus(updateID string) *UpdateStatus {
	if u := d.updates.get(updateID); u != nil {
		switch {
		case u.CompletedEventID != 0:
			s := d.statusOf(updateID, stageCompleted)
			s.EventID, s.BatchID = u.CompletedEventID, u.CompletedBatchID
			return s
		case !d.isOpen() && u.AcceptedEventID == 0:
			return nil
		case !d.isOpen():
			return d.cutOff(updateID)
		case u.AcceptedEventID == 0:
			return d.statusOf(updateID, stageAdmitted)
		}
		return d.statusOf(updateID, stageAccepted)
	}
	if d.proposals.get(updateID) != nil {
		return d.statusOf(updateID, stageAdmitted)
	}
	return nil
}

func (d *draft) statusOf(updateID string, stage enumspb.UpdateWorkflowExecutionLifecycleStage) *UpdateStatus {
	return &UpdateStatus{Run: d.base.Key, NamespaceName: d.fixed().NamespaceName, UpdateID: updateID, Stage: stage}
}

// updateWorkflow carries out UpdateWorkflowExecution up to the admission
// (spec/workflow.md 6.1). An id that the run knows, even a closed one, is a
// repetition: it joins the update that is there.
func (d *draft) updateWorkflow(in *UpdateWorkflow) (any, error) {
	req := in.Request
	if err := d.checkChain(req.GetFirstExecutionRunId()); err != nil {
		return nil, err
	}
	return d.admit(req.GetRequest())
}

// admit takes an update in. The step's end brings it to a worker.
func (d *draft) admit(req *updatepb.Request) (*UpdateStatus, error) {
	updateID := req.GetMeta().GetUpdateId()
	if known := d.updateStatus(updateID); known != nil {
		return known, d.rejoin(req, known)
	}
	if err := d.checkAdmission(); err != nil {
		return nil, err
	}
	if err := d.checkUpdateLimits(req); err != nil {
		return nil, err
	}
	if err := d.checkUpdateCallbacks(req); err != nil {
		return nil, err
	}
	order := int64(1)
	for _, id := range d.proposals.keys() {
		order = max(order, d.proposals.get(id).Order+1)
	}
	d.proposals.put(updateID, &Proposal{Request: req, Order: order})
	return d.statusOf(updateID, stageAdmitted), nil
}

// checkAdmission says whether the state of the run allows one more update.
func (d *draft) checkAdmission() error {
	switch t := d.info.Task; {
	case !d.isOpen():
		return closedRun()
	case d.paused():
		return engine.Refuse(engine.KindFailedPrecondition, "Workflow is paused. Cannot update the workflow.")
	case t != nil && t.Attempt >= 3:
		return engine.Refuse(engine.KindWorkflowNotReady,
			"Unable to perform workflow execution update due to Workflow Task in failed state.")
	case d.info.Closing && d.taskStarted() && !t.Reoffered:
		return closingRun()
	}
	return d.checkRoom()
}

// checkUpdateLimits is spec/workflow.md 6.7.
func (d *draft) checkUpdateLimits(req *updatepb.Request) error {
	l := d.env.Limits
	inFlight, size := 0, int64(proto.Size(req))
	for _, id := range d.proposals.keys() {
		inFlight++
		size += int64(proto.Size(d.proposals.get(id).Request))
	}
	for id := range d.base.Updates { // a sum: their order does not matter
		if u := d.updates.get(id); u != nil && u.CompletedEventID == 0 {
			inFlight++
			size += u.RequestBytes
		}
	}
	switch {
	case inFlight >= l.UpdatesInFlight:
		return engine.Refuse(engine.KindConcurrentLimit,
			"limit on number of concurrent in-flight updates has been reached (%d)", l.UpdatesInFlight)
	case size > int64(l.UpdatesInFlightBytes):
		return engine.Refuse(engine.KindConcurrentLimit,
			"limit on total payload size of in-flight updates has been reached (%d bytes)", l.UpdatesInFlightBytes)
	case d.updateCount() >= l.UpdatesPerRun && l.UpdatesPerRun > 0:
		return engine.Refuse(engine.KindFailedPrecondition,
			"The limit on the total number of distinct updates in this workflow has been reached (%d). "+
				"Make sure any duplicate updates share an Update ID so the server can deduplicate them, "+
				"or continue-as-new to start a run with none.", l.UpdatesPerRun)
	}
	return nil
}

// updateCount counts the distinct updates of the run.
func (d *draft) updateCount() int { return d.updates.len() + d.proposals.len() }

// unsent reports whether an update waits for a workflow task to bring it to a worker.
func (d *draft) unsent() bool {
	return slices.ContainsFunc(d.proposals.keys(), func(id string) bool { return d.proposals.get(id).Sent == 0 })
}

// sendProposals has the start of t bring along what has not been sent.
func (d *draft) sendProposals(t *Task) {
	for _, id := range d.proposals.keys() {
		if p := *d.proposals.get(id); p.Sent == 0 {
			p.Sent = t.Stamp
			d.proposals.put(id, &p)
		}
	}
}

// sentWith are the updates that the start with that stamp brings, in order of
// admission.
func (d *draft) sentWith(stamp int64) []*updatepb.Request {
	var sent []*Proposal
	for _, id := range d.proposals.keys() {
		if p := d.proposals.get(id); p.Sent == stamp {
			sent = append(sent, p)
		}
	}
	slices.SortFunc(sent, func(a, b *Proposal) int { return int(a.Order - b.Order) })
	var requests []*updatepb.Request
	for _, p := range sent {
		requests = append(requests, p.Request)
	}
	return requests
}

// unsend has what was sent with that start (0: with any) sent again with the next.
func (d *draft) unsend(stamp int64) {
	for _, id := range d.proposals.keys() {
		if p := *d.proposals.get(id); p.Sent != 0 && (stamp == 0 || p.Sent == stamp) {
			p.Sent = 0
			d.proposals.put(id, &p)
		}
	}
}
