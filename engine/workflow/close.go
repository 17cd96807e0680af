package workflow

import (
	"encoding/json"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// closeRun ends the run with its last event. newRunID is the run that goes on
// with the chain, if any: then parents hear nothing yet.
func (d *draft) closeRun(status enumspb.WorkflowExecutionStatus, ev *historypb.HistoryEvent, newRunID string) {
	d.withdrawTask()
	d.info.Task = nil
	d.info.Sticky = nil
	d.info.Closing = false
	d.forgetPause()
	d.closeUpdates(newRunID != "")
	d.closePending()

	d.info.CloseBatchID = d.batchID()
	d.info.CloseEventID = d.append(ev)
	d.info.CloseTime = d.env.Now
	d.info.Status = status
	d.info.NewRunID = newRunID
	if d.env.Namespace.Retention > 0 {
		d.info.DeleteAt = d.env.Now.Add(d.env.Namespace.Retention)
	}
	d.change.Closed = true
	d.visible = true
	d.closeCallbacks(ev)
	if p := d.fixed().Parent; p != nil && newRunID == "" {
		d.send(engine.Message{
			Kind:      engine.MessageChildClosed,
			To:        p.Run.ID,
			ToRunID:   p.Run.RunID,
			EventID:   d.info.CloseEventID,
			BatchID:   d.info.CloseBatchID,
			ToEventID: p.InitiatedEventID,
			Event:     ev,
		})
	}
}

// forceCloseTask ends the pending workflow task because the run is about to be
// closed from outside: a started one is recorded as failed, and what was
// buffered behind it goes into history before the close.
func (d *draft) forceCloseTask(end taskEnd) {
	t := d.info.Task
	if t == nil {
		return
	}
	if t.StartedEventID != 0 && t.Type == TaskNormal {
		d.append(endedEvent(d, t, end))
	}
	d.withdrawTask()
	d.info.Task = nil
	d.flush()
}

var forcedClose = taskEnd{
	cause:    enumspb.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
	identity: systemIdentity,
}

// termination says why and by whom a run is terminated.
type termination struct {
	reason   string
	details  *commonpb.Payloads
	identity string
	links    []*commonpb.Link
	// task tells how a started workflow task ends; forcedClose if zero.
	task taskEnd
	// successor is the run that a reset puts in its place; empty for none.
	successor string
}

// terminateRun closes the run at once.
func (d *draft) terminateRun(t termination) {
	if t.task.cause == enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNSPECIFIED {
		t.task = forcedClose
	}
	d.forceCloseTask(t.task)
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED)
	ev.Links = t.links
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
		WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{
			Reason:   t.reason,
			Details:  t.details,
			Identity: t.identity,
		}}
	d.closeRun(enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, ev, t.successor)
}

// replacedBy terminates the run because a start with the same id asks for it.
func (d *draft) replacedBy(newRunID string) {
	details, err := json.Marshal("terminated by new runID: " + newRunID)
	if err != nil {
		panic(err) // a string always marshals
	}
	d.terminateRun(termination{
		reason:   "TerminateIfRunning WorkflowIdReusePolicy",
		identity: systemIdentity,
		details: &commonpb.Payloads{Payloads: []*commonpb.Payload{{
			Metadata: map[string][]byte{"encoding": []byte("json/plain")},
			Data:     details,
		}}},
	})
}

// The defaults of TerminateWorkflowExecution.
const (
	terminateReason   = "terminated by user via frontend"
	terminateIdentity = "frontend-service"
)

// terminate carries out TerminateWorkflowExecution, and a parent's close.
func (d *draft) terminate(in *Terminate) (any, error) {
	req := in.Request
	if err := d.checkChain(req.GetFirstExecutionRunId()); err != nil {
		return nil, err
	}
	if in.From != nil {
		if err := d.checkSender(in.From); err != nil {
			return nil, err
		}
		if in.From.Kind == engine.MessageStartChild && !d.unknownChild(in.From) {
			return nil, engine.NotFound("workflow execution not found")
		}
	}
	if !d.isOpen() {
		return nil, closedRun()
	}
	t := termination{
		reason:   req.GetReason(),
		details:  req.GetDetails(),
		identity: req.GetIdentity(),
		links:    req.GetLinks(),
	}
	if in.From == nil && t.reason == "" {
		t.reason = terminateReason
	}
	if t.identity == "" {
		t.identity = terminateIdentity
	}
	d.terminateRun(t)
	return &workflowservice.TerminateWorkflowExecutionResponse{}, nil
}

// unknownChild reports whether this run was created by the message and waits for
// a parent that has not recorded its start.
func (d *draft) unknownChild(m *engine.Message) bool {
	return d.info.AwaitsParent && d.fixed().Parent.started(m)
}

// checkChain refuses a request for another chain of runs than this one.
func (d *draft) checkChain(firstRunID string) error {
	if firstRunID != "" && firstRunID != d.fixed().FirstRunID {
		return engine.NotFound("workflow execution not found")
	}
	return nil
}

// delete removes the run. An open one is terminated in this step and forgotten
// in the next, which is due at once: its parent is told by its last event, and
// that must be readable until the message has gone out.
func (d *draft) delete() (any, error) {
	if d.isOpen() {
		d.terminateRun(termination{reason: "Delete workflow execution", identity: systemIdentity})
		d.info.DeleteAt = d.env.Now
	} else {
		d.forget()
	}
	return &workflowservice.DeleteWorkflowExecutionResponse{}, nil
}

// forget removes every trace of a closed run.
func (d *draft) forget() {
	d.change.Deleted = true
	d.visible = true
}
