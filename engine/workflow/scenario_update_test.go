package workflow_test

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/cockroachdb/datadriven"
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// More commands of the scenario files, about updates:
//
//	update ID U [input=I] [first=RUN]               admit the update U
//	update-with-start ID update=U [conflict=P] [reuse=P] [request=R]
//	update-status ID U                              what a poll of the update would find
//	reload ID                                       what a restart leaves of the run
//
// and of a complete paragraph:
//
//	accept U [no-command] [without-request] | answer U [result=R] [fails] [no-command] | reject U [with-request]
//	message NAME                                    a command for a message that is not there
func init() {
	commands["update"] = func(w *world, a *args) {
		reply := w.step(w.find(a.at(0)), &workflow.UpdateWorkflow{Request: &workflowservice.UpdateWorkflowExecutionRequest{
			Request: updateRequest(a.at(1), a.str("input")), FirstExecutionRunId: a.str("first")}})
		if s, ok := reply.(*workflow.UpdateStatus); ok {
			w.printf("reply: %s\n", describeStatus(s))
		}
	}
	commands["update-with-start"] = (*world).updateWithStart
	commands["update-status"] = func(w *world, a *args) {
		if s := w.find(a.at(0)).UpdateStatus(a.at(1)); s != nil {
			w.printf("%s\n", describeStatus(s))
		} else {
			w.printf("unknown\n")
		}
	}
	commands["reload"] = func(w *world, a *args) { w.reload(w.find(a.at(0))) }
	workerCommands["message"] = func(a *args) *commandpb.Command { return protocolCommand(a.at(0)) }
	workerMessages = map[string]func(a *args) *protocolpb.Message{"accept": acceptance, "answer": response, "reject": rejection}
}

// workerMessages are lines of a complete paragraph that make protocol messages.
var workerMessages map[string]func(a *args) *protocolpb.Message

// say adds what a line of a complete paragraph says to the completion.
func (w *world) say(req *workflowservice.RespondWorkflowTaskCompletedRequest, line string) {
	cmd, cmdArgs, err := datadriven.ParseLine(line)
	if err != nil {
		w.t.Fatalf("%q: %v", line, err)
	}
	makeMessage, ok := workerMessages[cmd]
	if !ok {
		req.Commands = append(req.Commands, command(w, line))
		return
	}
	a := &args{&datadriven.TestData{Cmd: cmd, CmdArgs: cmdArgs}}
	m := makeMessage(a)
	req.Messages = append(req.Messages, m)
	if cmd != "reject" && !a.has("no-command") {
		req.Commands = append(req.Commands, protocolCommand(m.GetId()))
	}
}

func protocolCommand(messageID string) *commandpb.Command {
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE,
		Attributes: &commandpb.Command_ProtocolMessageCommandAttributes{ProtocolMessageCommandAttributes: &commandpb.ProtocolMessageCommandAttributes{MessageId: messageID}}}
}

func updateRequest(updateID, input string) *updatepb.Request {
	return &updatepb.Request{
		Meta:  &updatepb.Meta{UpdateId: updateID, Identity: "client"},
		Input: &updatepb.Input{Name: "change", Args: payloads(input)},
	}
}

func protocolMessage(updateID, verb string, body proto.Message) *protocolpb.Message {
	packed, err := anypb.New(body)
	if err != nil {
		panic(err)
	}
	return &protocolpb.Message{Id: updateID + "/" + verb, ProtocolInstanceId: updateID, Body: packed}
}

func acceptance(a *args) *protocolpb.Message {
	body := &updatepb.Acceptance{AcceptedRequestMessageId: a.at(0) + "/request", AcceptedRequestSequencingEventId: 1}
	if !a.has("without-request") {
		body.AcceptedRequest = updateRequest(a.at(0), "")
	}
	return protocolMessage(a.at(0), "accept", body)
}

func response(a *args) *protocolpb.Message {
	outcome := &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: payloads(a.or("result", "ok"))}}
	if a.has("fails") {
		outcome.Value = &updatepb.Outcome_Failure{Failure: &failurepb.Failure{Message: "broken"}}
	}
	return protocolMessage(a.at(0), "complete", &updatepb.Response{Meta: &updatepb.Meta{UpdateId: a.at(0), Identity: "client"}, Outcome: outcome})
}

func rejection(a *args) *protocolpb.Message {
	body := &updatepb.Rejection{RejectedRequestMessageId: a.at(0) + "/request", Failure: &failurepb.Failure{Message: "not now"}}
	if a.has("with-request") {
		body.RejectedRequest = updateRequest(a.at(0), "")
	}
	return protocolMessage(a.at(0), "reject", body)
}

func (w *world) updateWithStart(a *args) {
	start := &workflowservice.StartWorkflowExecutionRequest{
		WorkflowId: a.at(0), WorkflowType: &commonpb.WorkflowType{Name: "order"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"},
		RequestId: a.str("request"), WorkflowIdReusePolicy: reusePolicy(a.str("reuse")),
		WorkflowIdConflictPolicy: conflictPolicy(a.str("conflict")), CompletionCallbacks: callbacksOf(a),
	}
	if a.has("attach-callbacks") {
		start.OnConflictOptions = &workflowpb.OnConflictOptions{AttachRequestId: true, AttachCompletionCallbacks: true}
	}
	reply := w.stepID(a.at(0), &workflow.UpdateWithStart{
		Start:  start,
		Update: &workflowservice.UpdateWorkflowExecutionRequest{Request: updateRequest(a.str("update"), "")},
	})
	u, ok := reply.(*workflow.UpdatedWithStart)
	switch {
	case !ok:
	case u.StartRefused != nil:
		w.printf("start refused: %s\n", u.StartRefused.Message)
	case u.UpdateRefused != nil:
		w.printf("update refused: %s\n", u.UpdateRefused.Message)
	default:
		w.started(a.at(0), u.Started)
		w.printf("reply: %s\n", describeStatus(u.Update))
	}
}

// reload forgets what is in memory only.
func (w *world) reload(run *workflow.Run) {
	run.Proposals = nil
	if t := run.Info.Task; t != nil && t.Type == workflow.TaskSpeculative {
		info := *run.Info
		info.Task = nil
		run.Info = &info
	}
	var kept []engine.Task
	for _, o := range w.offers {
		if !o.Volatile || o.Run != run.Key {
			kept = append(kept, o)
		}
	}
	w.offers = kept
	w.checkOffers(run)
}

func describeStatus(s *workflow.UpdateStatus) string {
	text := "update " + s.UpdateID + " " + strings.ToLower(s.Stage.String())
	switch v := s.Outcome.GetValue().(type) {
	case *updatepb.Outcome_Success:
		text += " result=" + describeMessageValue(v.Success)
	case *updatepb.Outcome_Failure:
		text += " failure=" + describeFailure(v.Failure)
	}
	if s.Outcome == nil && s.EventID != 0 {
		text += " outcome in the event"
	}
	if s.Rejected {
		text += " (rejected)"
	}
	return text
}

func describeNews(n workflow.UpdateNews) string {
	if n.Refusal != nil {
		return "update " + n.Status.UpdateID + " refused: " + n.Refusal.Message
	}
	return describeStatus(n.Status)
}
