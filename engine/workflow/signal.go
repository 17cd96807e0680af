package workflow

import (
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// signal carries out SignalWorkflowExecution and the signal of another workflow
// (spec/workflow.md 4.1, 4.5). A repetition is recognised before anything else,
// even on a closed run.
func (d *draft) signal(in *Signal) (any, error) {
	if in.From != nil {
		if err := d.checkSender(in.From); err != nil {
			return nil, err
		}
	}
	requestID := in.Request.GetRequestId()
	reply := &workflowservice.SignalWorkflowExecutionResponse{
		Link: requestLink(d.base, requestID, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED),
	}
	if requestID != "" && d.requests.get(requestID) != nil {
		d.untouched = true
		return reply, nil
	}
	if err := d.checkSignal(); err != nil {
		return nil, err
	}
	s := arrivingSignal{
		name:      in.Request.GetSignalName(),
		input:     in.Request.GetInput(),
		header:    in.Request.GetHeader(),
		identity:  in.Request.GetIdentity(),
		requestID: requestID,
		links:     in.Request.GetLinks(),
	}
	if in.From != nil {
		s.from = execution(in.From.From)
	}
	d.recordSignal(s)
	d.wantTask()
	return reply, nil
}

// checkSignal says whether the run can take one more signal.
func (d *draft) checkSignal() error {
	switch {
	case !d.isOpen():
		return closedRun()
	case d.info.SignalCount >= int64(d.env.Limits.SignalsPerRun) && d.env.Limits.SignalsPerRun > 0:
		return engine.Invalid("exceeded workflow execution limit for signal events")
	case d.info.Closing && d.taskStarted() && !d.info.Task.Reoffered:
		return closingRun()
	}
	return d.checkRoom()
}

// closingRun asks the caller to come again: the worker tries to close the run,
// and one event more would make that fail once more.
func closingRun() *engine.Refusal {
	return engine.Refuse(engine.KindBusyWorkflow, "workflow operation can not be applied because workflow is closing")
}

// arrivingSignal is a signal, wherever it comes from.
type arrivingSignal struct {
	name      string
	input     *commonpb.Payloads
	header    *commonpb.Header
	identity  string
	requestID string
	links     []*commonpb.Link
	from      *commonpb.WorkflowExecution // set when a workflow sent it
}

// recordSignal writes the event and remembers the request.
func (d *draft) recordSignal(s arrivingSignal) {
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
	ev.Links = s.links
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
		WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{
			SignalName:                s.name,
			Input:                     s.input,
			Identity:                  s.identity,
			Header:                    s.header,
			ExternalWorkflowExecution: s.from,
			RequestId:                 s.requestID,
		}}
	eventID, buffered := d.arrive(ev)
	d.info.SignalCount++
	if s.requestID != "" {
		d.requests.put(s.requestID, &Request{EventType: ev.EventType, EventID: eventID, Buffered: buffered})
	}
}

// checkSender refuses a workflow that may not address this run: the run itself,
// a sender that means only its own children, or another chain.
func (d *draft) checkSender(m *engine.Message) error {
	p := d.fixed().Parent
	switch {
	case m.From.ID == d.base.Key.ID,
		m.ChildWorkflowOnly && (p == nil || p.Run != m.From),
		m.ToFirstRunID != "" && m.ToFirstRunID != d.fixed().FirstRunID:
		return engine.NotFound("workflow execution not found")
	}
	return nil
}

// requestCancel carries out RequestCancelWorkflowExecution, the cancel request
// of another workflow, and a parent's close. Asked again, or of a closed run,
// it succeeds and does nothing (spec/workflow.md 4.2).
func (d *draft) requestCancel(in *RequestCancel) (any, error) {
	req := in.Request
	if err := d.checkChain(req.GetFirstExecutionRunId()); err != nil {
		return nil, err
	}
	if in.From != nil {
		if err := d.checkSender(in.From); err != nil {
			return nil, err
		}
	}
	reply := &workflowservice.RequestCancelWorkflowExecutionResponse{}
	if !d.isOpen() || d.info.CancelRequested {
		d.untouched = true
		return reply, nil
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED)
	ev.Links = req.GetLinks()
	a := &historypb.WorkflowExecutionCancelRequestedEventAttributes{
		Cause:    req.GetReason(),
		Identity: req.GetIdentity(),
	}
	if m := in.From; m != nil {
		a.ExternalWorkflowExecution = execution(m.From)
		if m.Kind == engine.MessageCancel {
			a.ExternalInitiatedEventId = m.EventID
		}
	}
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionCancelRequestedEventAttributes{
		WorkflowExecutionCancelRequestedEventAttributes: a}
	d.arrive(ev)
	d.info.CancelRequested = true
	d.info.CancelRequestID = req.GetRequestId()
	d.endBackoff() // a cancelled run need not wait for its time
	d.wantTask()
	return reply, nil
}
