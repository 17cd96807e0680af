package main

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// answer is a completion being drawn, and what must come of it.
type answer struct {
	*world
	l        *life
	b        *ledger
	commands []*commandpb.Command
	messages []*protocolpb.Message
	events   []enumspb.EventType // of commands and messages, in order
	after    []arrival           // of activities cancelled before they started
	vanished []arrival
	names    map[string]bool // timers and activities of this completion
	bad      bool            // one of the commands cannot be carried out
	closes   enumspb.EventType
	status   enumspb.WorkflowExecutionStatus
}

// complete: a worker answers a workflow task.
func (w *world) complete() {
	l, token, ok := w.token()
	if !ok {
		return
	}
	x := &answer{world: w, l: l, b: l.book, names: map[string]bool{}}
	for range w.rng.IntN(4) {
		x.command()
	}
	x.verdicts(token)
	if w.one(40) {
		x.badCommand()
	}
	if w.one(7) {
		x.close()
	}
	x.send(token, w.one(6), w.one(4), w.one(3))
}

// send gives the answer to the machine.
func (x *answer) send(token workflow.TaskToken, force, inline, sticky bool) {
	req := &workflowservice.RespondWorkflowTaskCompletedRequest{
		Identity: "w", Commands: x.commands, Messages: x.messages,
		ForceCreateNewWorkflowTask: force, ReturnNewWorkflowTask: inline,
	}
	if sticky {
		req.StickyAttributes = &taskqueuepb.StickyExecutionAttributes{
			WorkerTaskQueue: &taskqueuepb.TaskQueue{Name: "home"}, ScheduleToStartTimeout: durationpb.New(stickyTimeout)}
	}
	x.stepRun(x.l, &workflow.CompleteWorkflowTask{Token: token, Request: req, Poller: x.poller()}, x.expect(token, req))
}

// expect says what must come of the answer.
func (x *answer) expect(token workflow.TaskToken, req *workflowservice.RespondWorkflowTaskCompletedRequest) *expected {
	b := x.b
	if !b.open || token.Stamp != b.live {
		return refuse(engine.KindNotFound)
	}
	x.bad = x.bad || b.full(x.world) && x.closes == 0 && slices.ContainsFunc(x.commands, begins)
	if b.paused && req.GetForceCreateNewWorkflowTask() {
		return refuse(engine.KindFailedPrecondition)
	}
	unhandled := !x.bad && x.closes != 0 && len(b.buffer) > len(x.vanished)
	if x.bad || unhandled {
		e := &expected{refusal: engine.KindInvalidArgument, ends: true, fails: true}
		if token.Attempt > 1 && !unhandled {
			e.ends, e.quiet = false, true // left to time out
		}
		e.after = func(l *life) { l.book.closing = unhandled && l.book.open }
		return e
	}
	e := &expected{ends: true, completes: true, commands: x.events, vanished: x.vanished, arrivals: x.after}
	task := x.l.run.Info.Task
	if x.closes != 0 {
		e.closes, e.succeeds = x.closes, true
		e.arrivals = nil
	} else if task.Type == workflow.TaskSpeculative && len(req.GetCommands()) == 0 && !req.GetForceCreateNewWorkflowTask() && onlyRejects(req) {
		e.completes = false // it may leave no trace
		e.mayComplete = true
	}
	e.after = func(l *life) {
		l.book.closing = false
		if x.status != 0 && !l.book.open {
			l.book.closed = x.status
		}
	}
	return e
}

// begins: the command asks for what was not there before.
func begins(cmd *commandpb.Command) bool {
	switch cmd.GetCommandType() {
	case enumspb.COMMAND_TYPE_CANCEL_TIMER, enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
		enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION:
		return false
	}
	return true
}

func onlyRejects(req *workflowservice.RespondWorkflowTaskCompletedRequest) bool {
	return !slices.ContainsFunc(req.GetMessages(), func(m *protocolpb.Message) bool {
		return !m.GetBody().MessageIs((*updatepb.Rejection)(nil))
	})
}

func (x *answer) add(t enumspb.CommandType, cmd *commandpb.Command, events ...enumspb.EventType) {
	cmd.CommandType = t
	x.commands = append(x.commands, cmd)
	x.events = append(x.events, events...)
}

// command draws one that can be carried out.
func (x *answer) command() {
	switch x.rng.IntN(12) {
	case 0, 1:
		x.timer()
	case 2:
		x.cancelTimer()
	case 3, 4, 5:
		x.activity()
	case 6:
		x.cancelActivity()
	case 7:
		x.child()
	case 8, 9:
		x.external()
	case 10:
		x.add(enumspb.COMMAND_TYPE_RECORD_MARKER, &commandpb.Command{Attributes: &commandpb.Command_RecordMarkerCommandAttributes{
			RecordMarkerCommandAttributes: &commandpb.RecordMarkerCommandAttributes{MarkerName: "m"}}},
			enumspb.EVENT_TYPE_MARKER_RECORDED)
	default:
		x.add(enumspb.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES, &commandpb.Command{Attributes: &commandpb.Command_ModifyWorkflowPropertiesCommandAttributes{
			ModifyWorkflowPropertiesCommandAttributes: &commandpb.ModifyWorkflowPropertiesCommandAttributes{
				UpsertedMemo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{"k": payloads(fmt.Sprint(x.steps)).Payloads[0]}}}}},
			enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED)
	}
}

func (x *answer) timer() {
	name := fmt.Sprint("t", x.rng.IntN(5))
	if x.b.timers[name] != nil || x.names[name] || x.b.fireBuffered(name) >= 0 {
		return
	}
	x.names[name] = true
	x.add(enumspb.COMMAND_TYPE_START_TIMER, &commandpb.Command{Attributes: &commandpb.Command_StartTimerCommandAttributes{
		StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{
			TimerId: name, StartToFireTimeout: durationpb.New(time.Duration(x.rng.IntN(8000)) * time.Millisecond)}}},
		enumspb.EVENT_TYPE_TIMER_STARTED)
}

func (x *answer) cancelTimer() {
	all := sortedKeys(x.b.timers)
	for _, a := range x.b.buffer {
		if a.what == enumspb.EVENT_TYPE_TIMER_FIRED {
			all = append(all, a.name)
		}
	}
	if len(all) == 0 {
		return
	}
	name := pick(x.world, all)
	if x.names[name] {
		return
	}
	x.names[name] = true
	if i := x.b.fireBuffered(name); i >= 0 {
		x.vanished = append(x.vanished, x.b.buffer[i])
	}
	x.add(enumspb.COMMAND_TYPE_CANCEL_TIMER, &commandpb.Command{Attributes: &commandpb.Command_CancelTimerCommandAttributes{
		CancelTimerCommandAttributes: &commandpb.CancelTimerCommandAttributes{TimerId: name}}},
		enumspb.EVENT_TYPE_TIMER_CANCELED)
}

func (x *answer) activity() {
	name := fmt.Sprint("x", x.rng.IntN(5))
	if x.names[name] {
		return
	}
	for _, a := range x.b.acts {
		if a.name == name {
			return
		}
	}
	x.names[name] = true
	a := &commandpb.ScheduleActivityTaskCommandAttributes{
		ActivityId: name, ActivityType: &commonpb.ActivityType{Name: "A"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "acts"},
		StartToCloseTimeout: durationpb.New(time.Duration(2+x.rng.IntN(4)) * time.Second),
		RetryPolicy: &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 1,
			MaximumAttempts: int32(x.rng.IntN(4))}, //nolint:gosec // small
	}
	if x.one(3) {
		a.HeartbeatTimeout = durationpb.New(1500 * time.Millisecond)
	}
	if x.one(3) {
		a.ScheduleToCloseTimeout = durationpb.New(9 * time.Second)
	}
	x.add(enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, &commandpb.Command{Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{
		ScheduleActivityTaskCommandAttributes: a}}, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
}

func (x *answer) cancelActivity() {
	var all []int64
	for _, id := range sortedKeys(x.b.acts) {
		if !x.b.acts[id].cancelAsked {
			all = append(all, id)
		}
	}
	for _, a := range x.b.buffer {
		if isActivityEnd(a.what) {
			all = append(all, a.about)
		}
	}
	if len(all) == 0 {
		return
	}
	id := pick(x.world, all)
	if name := fmt.Sprint("cancel", id); x.names[name] {
		return
	} else {
		x.names[name] = true
	}
	if a := x.b.acts[id]; a != nil && a.stamp == 0 {
		x.after = append(x.after, arrival{what: enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED, about: id})
	}
	x.add(enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK, &commandpb.Command{Attributes: &commandpb.Command_RequestCancelActivityTaskCommandAttributes{
		RequestCancelActivityTaskCommandAttributes: &commandpb.RequestCancelActivityTaskCommandAttributes{ScheduledEventId: id}}},
		enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
}

func (x *answer) child() {
	policies := []enumspb.ParentClosePolicy{enumspb.PARENT_CLOSE_POLICY_TERMINATE, enumspb.PARENT_CLOSE_POLICY_ABANDON,
		enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL}
	a := &commandpb.StartChildWorkflowExecutionCommandAttributes{
		WorkflowId: pick(x.world, kinNames), WorkflowType: &commonpb.WorkflowType{Name: "C"},
		TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}, ParentClosePolicy: pick(x.world, policies),
	}
	if x.one(6) {
		a.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 1, MaximumAttempts: 2}
	}
	x.add(enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION, &commandpb.Command{Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{
		StartChildWorkflowExecutionCommandAttributes: a}}, enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED)
}

// external signals or cancels another workflow, or itself.
func (x *answer) external() {
	target := &commonpb.WorkflowExecution{WorkflowId: pick(x.world, allNames)}
	if to := x.current[target.WorkflowId]; to != nil && x.one(2) {
		target.RunId = to.key.RunID
	}
	only := x.one(4)
	if x.one(3) {
		x.add(enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION, &commandpb.Command{
			Attributes: &commandpb.Command_RequestCancelExternalWorkflowExecutionCommandAttributes{
				RequestCancelExternalWorkflowExecutionCommandAttributes: &commandpb.RequestCancelExternalWorkflowExecutionCommandAttributes{
					WorkflowId: target.WorkflowId, RunId: target.RunId}}},
			enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED)
		return
	}
	x.add(enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, &commandpb.Command{
		Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{
			SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
				Execution: target, SignalName: "s", ChildWorkflowOnly: only}}},
		enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED)
}

// badCommand draws one that cannot be carried out.
func (x *answer) badCommand() {
	x.bad = true
	x.add(enumspb.COMMAND_TYPE_CANCEL_TIMER, &commandpb.Command{Attributes: &commandpb.Command_CancelTimerCommandAttributes{
		CancelTimerCommandAttributes: &commandpb.CancelTimerCommandAttributes{TimerId: "nobody's"}}})
}

// verdicts answer updates, mostly as a worker should.
func (x *answer) verdicts(token workflow.TaskToken) {
	run := x.l.run
	for _, id := range sortedKeys(run.Proposals) {
		if run.Proposals[id].Sent == 0 {
			continue
		}
		x.verdict(id)
	}
	for _, id := range sortedKeys(x.b.updates) {
		switch {
		case x.b.updates[id] == accepted && x.one(2):
			x.respond(id)
		case x.b.updates[id] == readmitted && x.l.run.Updates[id].AdmittedEventID < token.StartedEventID:
			x.verdict(id)
		}
	}
}

func (x *answer) verdict(id string) {
	switch x.rng.IntN(6) {
	case 0, 1:
		x.say(id, &updatepb.Rejection{Failure: &failurepb.Failure{Message: "no"}})
	case 2:
		x.say(id, &updatepb.Acceptance{AcceptedRequestMessageId: "m"}, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
	case 3, 4:
		x.say(id, &updatepb.Acceptance{AcceptedRequestMessageId: "m"}, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
		x.respond(id)
	}
}

func (x *answer) respond(id string) {
	x.say(id, &updatepb.Response{Meta: &updatepb.Meta{UpdateId: id},
		Outcome: &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: payloads("yes")}}},
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
}

func (x *answer) say(id string, body proto.Message, events ...enumspb.EventType) {
	packed, err := anypb.New(body)
	if err != nil {
		panic(err) // our own message
	}
	x.messages = append(x.messages, &protocolpb.Message{Id: fmt.Sprint(id, "/", len(x.messages)), ProtocolInstanceId: id, Body: packed})
	x.events = append(x.events, events...)
}

// close ends the run with the completion.
func (x *answer) close() {
	switch x.rng.IntN(5) {
	case 0, 1:
		x.closeWith(enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
			enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, &commandpb.Command{Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
				CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{Result: payloads("done")}}})
	case 2:
		x.closeWith(enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
			enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, &commandpb.Command{Attributes: &commandpb.Command_FailWorkflowExecutionCommandAttributes{
				FailWorkflowExecutionCommandAttributes: &commandpb.FailWorkflowExecutionCommandAttributes{Failure: &failurepb.Failure{Message: "bad"}}}})
	case 3:
		x.closeWith(enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
			enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, &commandpb.Command{Attributes: &commandpb.Command_CancelWorkflowExecutionCommandAttributes{
				CancelWorkflowExecutionCommandAttributes: &commandpb.CancelWorkflowExecutionCommandAttributes{}}})
	default:
		x.closeWith(enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
			enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, &commandpb.Command{Attributes: &commandpb.Command_ContinueAsNewWorkflowExecutionCommandAttributes{
				ContinueAsNewWorkflowExecutionCommandAttributes: &commandpb.ContinueAsNewWorkflowExecutionCommandAttributes{
					WorkflowType: &commonpb.WorkflowType{Name: "T"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}}}})
	}
}

func (x *answer) closeWith(t enumspb.CommandType, ev enumspb.EventType, status enumspb.WorkflowExecutionStatus, cmd *commandpb.Command) {
	x.closes, x.status = ev, status
	x.add(t, cmd)
}
