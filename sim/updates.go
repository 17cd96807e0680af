package main

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// update proposes an update; now and then one of the same id as another client.
func (w *world) update(id string) {
	request := w.updateRequest(id)
	w.insist(id, request.GetRequest().GetMeta().GetUpdateId(), &workflow.UpdateWorkflow{Request: request})
}

// sharedUpdateID is one that several clients use.
func (w *world) sharedUpdateID() string { return fmt.Sprint("update ", w.chance.IntN(3)) }

// answerUpdates says what the worker makes of the updates it was sent, and ends
// some of those that it, or another worker, has accepted. Its messages come
// before its commands, since the last of these may close the run.
func (wk *worker) answerUpdates(request *workflowservice.RespondWorkflowTaskCompletedRequest, t *workflow.TaskStarted, p *past) {
	var commands []*commandpb.Command
	say := func(updateID, verb string, body proto.Message) {
		packed, err := anypb.New(body)
		if err != nil {
			wk.broken("a message of a worker: %v", err)
		}
		m := &protocolpb.Message{Id: updateID + "/" + verb, ProtocolInstanceId: updateID, Body: packed}
		request.Messages = append(request.Messages, m)
		if verb != "reject" {
			commands = append(commands, &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE,
				Attributes: &commandpb.Command_ProtocolMessageCommandAttributes{
					ProtocolMessageCommandAttributes: &commandpb.ProtocolMessageCommandAttributes{MessageId: m.Id}}})
		}
	}
	answer := func(updateID string) {
		say(updateID, "complete", &updatepb.Response{Meta: &updatepb.Meta{UpdateId: updateID},
			Outcome: &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: &commonpb.Payloads{Payloads: []*commonpb.Payload{
				// Another worker would come to something else.
				{Data: fmt.Appendf(nil, "%d/%d", t.Token.ScheduledEventID, t.Token.Stamp)}}}}}})
	}
	for _, id := range sortedKeys(p.updates) {
		if !p.updates[id] && !wk.oneIn(3) {
			answer(id)
		}
	}
	requests := slices.Clone(t.Updates)
	for _, id := range sortedKeys(p.admitted) { // these come in the history
		requests = append(requests, p.admitted[id])
	}
	for _, u := range requests {
		id := u.GetMeta().GetUpdateId()
		switch wk.chance.IntN(6) {
		case 0: // it has not heard of updates
		case 1, 2:
			say(id, "reject", &updatepb.Rejection{
				RejectedRequestMessageId: id + "/request", RejectedRequest: u, Failure: &failurepb.Failure{Message: "as the dice fell"}})
		default:
			say(id, "accept", &updatepb.Acceptance{
				AcceptedRequestMessageId: id + "/request", AcceptedRequestSequencingEventId: t.SequencingEventID(), AcceptedRequest: u})
			if wk.oneIn(2) {
				answer(id)
			}
		}
	}
	request.Commands = append(commands, request.Commands...)
}
