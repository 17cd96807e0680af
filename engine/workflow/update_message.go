package workflow

import (
	"google.golang.org/protobuf/proto"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	updatepb "go.temporal.io/api/update/v1"
)

// What a worker says of updates comes as protocol messages beside its commands
// (spec/workflow.md 6.3). A command names the message to be carried out in its
// place; what no command names is carried out at the end.

// protocolMessage carries out the message a command names.
func (c *completion) protocolMessage(cmd *commandpb.Command) error {
	id := cmd.GetProtocolMessageCommandAttributes().GetMessageId()
	if id == "" {
		return failTask(updateFailedCause, "MessageID is not set on ProtocolMessageCommand.")
	}
	for _, m := range c.req.GetMessages() {
		if m.GetId() == id {
			return c.message(m)
		}
	}
	return failTask(updateFailedCause, "ProtocolMessageCommand referenced absent message ID %s", id)
}

// otherMessages carries out the messages that have not been so far.
func (c *completion) otherMessages() error {
	for _, m := range c.req.GetMessages() {
		if c.carried[m] {
			continue
		}
		if err := c.message(m); err != nil {
			return err
		}
	}
	return nil
}

// message carries out one message.
func (c *completion) message(m *protocolpb.Message) error {
	if c.carried == nil {
		c.carried = make(map[*protocolpb.Message]bool)
	}
	c.carried[m] = true
	if m.GetProtocolInstanceId() == "" {
		return failTask(updateFailedCause, "message %q names no update", m.GetId())
	}
	if m.GetBody() == nil {
		return failTask(updateFailedCause, "message %q of update %s has no body", m.GetId(), m.GetProtocolInstanceId())
	}
	body, err := m.GetBody().UnmarshalNew()
	if err != nil {
		return failTask(updateFailedCause, "body of message %q of update %s cannot be read", m.GetId(), m.GetProtocolInstanceId())
	}
	switch body := body.(type) {
	case *updatepb.Acceptance:
		return c.acceptUpdate(m.GetProtocolInstanceId(), body)
	case *updatepb.Response:
		return c.completeUpdate(m.GetProtocolInstanceId(), body)
	case *updatepb.Rejection:
		return c.rejectUpdate(m.GetProtocolInstanceId(), body)
	}
	return failTask(updateFailedCause, "message %q of update %s has a body of unknown type %s",
		m.GetId(), m.GetProtocolInstanceId(), m.GetBody().GetTypeUrl())
}

// unknownUpdate fails the task: the worker answers what nobody asked, or what
// was asked before a restart.
func unknownUpdate(updateID string) error {
	return failTask(updateFailedCause, "update %s wasn't found on the server. "+
		"This is most likely a transient error which will be resolved automatically by retries", updateID)
}

// acceptUpdate records that a worker has begun to carry an update out. One that
// is unknown is taken from the message: we have forgotten it, by a restart.
func (c *completion) acceptUpdate(updateID string, a *updatepb.Acceptance) error {
	p := c.proposals.get(updateID)
	req := a.GetAcceptedRequest()
	if p != nil && (req == nil || len(p.Request.GetCompletionCallbacks())+len(req.GetCompletionCallbacks()) > 0) {
		req = p.Request // an older SDK drops the callbacks when it sends the request back; and they are not the worker's to choose
	}
	was := c.updates.get(updateID) // admitted by an event, if not accepted
	switch {
	case was != nil && was.AcceptedEventID != 0:
		return failTask(updateFailedCause, "update %s was accepted before", updateID)
	case req == nil && was == nil:
		return unknownUpdate(updateID)
	case a.GetAcceptedRequestMessageId() == "":
		return failTask(updateFailedCause, "accepted_request_message_id is not set on the acceptance of update %s", updateID)
	case proto.Size(req) > c.env.Limits.BlobBytes:
		return oversize(updateFailedCause, "Acceptance.AcceptedRequest exceeds size limit.")
	}
	if p == nil {
		if err := c.checkUpdateCallbacks(req); err != nil {
			return failTask(updateFailedCause, "%s", err.Error())
		}
	}
	ev := c.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionUpdateAcceptedEventAttributes{
		WorkflowExecutionUpdateAcceptedEventAttributes: &historypb.WorkflowExecutionUpdateAcceptedEventAttributes{
			ProtocolInstanceId:               updateID,
			AcceptedRequestMessageId:         a.GetAcceptedRequestMessageId(),
			AcceptedRequestSequencingEventId: a.GetAcceptedRequestSequencingEventId(),
			AcceptedRequest:                  req,
		}}
	u := &Update{AcceptedBatchID: c.batchID(), RequestBytes: int64(proto.Size(req))}
	if req == nil { // it is in the event of its admission
		u.RequestBytes = was.RequestBytes
	}
	u.AcceptedEventID = c.append(ev)
	c.updates.put(updateID, u)
	c.attachToUpdate(updateID, req.GetRequestId(), req.GetCompletionCallbacks(), ev)
	if p != nil {
		for _, more := range p.Attached {
			c.joinUpdate(updateID, more)
		}
	}
	c.forgetProposal(updateID)
	c.tell(c.statusOf(updateID, stageAccepted))
	return nil
}

// completeUpdate records the outcome of an accepted update.
func (c *completion) completeUpdate(updateID string, r *updatepb.Response) error {
	was := c.updates.get(updateID)
	switch {
	case was == nil && c.proposals.get(updateID) != nil:
		return failTask(updateFailedCause, "update %s is answered before it was accepted", updateID)
	case was == nil:
		return unknownUpdate(updateID)
	case was.AcceptedEventID == 0:
		return failTask(updateFailedCause, "update %s is answered before it was accepted", updateID)
	case was.CompletedEventID != 0:
		return failTask(updateFailedCause, "update %s was completed before", updateID)
	case r.GetMeta().GetUpdateId() != updateID:
		return failTask(updateFailedCause, "the response of update %s has meta.update_id %q", updateID, r.GetMeta().GetUpdateId())
	case r.GetOutcome().GetValue() == nil:
		return failTask(updateFailedCause, "outcome is not set on the response of update %s", updateID)
	case proto.Size(r.GetOutcome()) > c.env.Limits.BlobBytes:
		return oversize(updateFailedCause, "Response.Outcome exceeds size limit.")
	}
	ev := c.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionUpdateCompletedEventAttributes{
		WorkflowExecutionUpdateCompletedEventAttributes: &historypb.WorkflowExecutionUpdateCompletedEventAttributes{
			Meta:            r.GetMeta(),
			AcceptedEventId: was.AcceptedEventID,
			Outcome:         r.GetOutcome(),
		}}
	u := *was
	u.CompletedBatchID = c.batchID()
	u.CompletedEventID = c.append(ev)
	c.updates.put(updateID, &u)
	c.completeCallbacks(updateID, ev)
	s := c.statusOf(updateID, stageCompleted)
	s.Outcome, s.EventID, s.BatchID = r.GetOutcome(), u.CompletedEventID, u.CompletedBatchID
	c.tell(s)
	return nil
}

// rejectUpdate hands the worker's no to the caller. Nothing of it is kept: the
// same id may be proposed again, and is looked at again.
func (c *completion) rejectUpdate(updateID string, r *updatepb.Rejection) error {
	was := c.updates.get(updateID)
	known := c.proposals.get(updateID) != nil || was != nil
	switch {
	case was != nil && was.AcceptedEventID != 0:
		return failTask(updateFailedCause, "update %s is rejected after it was accepted", updateID)
	case !known && r.GetRejectedRequest() == nil:
		return unknownUpdate(updateID)
	case r.GetFailure() == nil:
		return failTask(updateFailedCause, "failure is not set on the rejection of update %s", updateID)
	case known:
		if was != nil {
			c.updates.remove(updateID)
		}
		c.reject(updateID, r.GetFailure())
	}
	return nil
}
