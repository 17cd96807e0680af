package record

import (
	"encoding/binary"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

// life is one workflow id, stepped at random by the real machine, and its rows as
// a shell would have written them.
type life struct {
	*rapid.T
	now    time.Time
	ids    uint64
	run    *workflow.Run // current
	rows   map[string]store.Op
	task   *workflow.TaskStarted
	acts   []*workflow.ActivityStarted
	parked []engine.Message

	stamps map[int64]int64 // highest start version seen of each activity
	spent  []workflow.TaskToken
	// refused: the latest step was, and changed nothing.
	refused bool
}

// Whatever happens to a run: what is stored can be loaded as what is in memory,
// the backlog rows are exactly its offers, history has no gap (I2) and says the
// same as the state: one workflow task at a time (I4), whatever began ends once
// or is open still (I6). A start is never given twice (I5), an outdated token is
// refused. A step leaves the state it was given alone, and a deadline that was
// looked at is over (I7).
func TestStoredIsWhatIsLived(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &life{T: t, now: time.Unix(1_800_000_000, 1).UTC(), rows: map[string]store.Op{}}
		l.start()
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			l.now = l.now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "pause")) * time.Millisecond)
			l.anything()
		}
	})
}

func (l *life) env() *engine.Env {
	l.ids++
	var seed [16]byte
	binary.BigEndian.PutUint64(seed[:], l.ids)
	return &engine.Env{
		Now: l.now, Fresh: engine.NewFresh(seed), Limits: engine.DefaultLimits(),
		Namespace: &engine.Namespace{ID: "n", Name: "default", Retention: time.Hour},
	}
}

var lifeID = engine.ID{NamespaceID: "n", Archetype: engine.ArchetypeWorkflow, Name: "w"}

func (l *life) start() {
	req := &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: "w", WorkflowType: &commonpb.WorkflowType{Name: "T"},
		TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}, RequestId: fmt.Sprint("start-", l.ids),
		WorkflowExecutionTimeout: durationpb.New(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 60}).Draw(l.T, "execution timeout")) * time.Second),
	}
	if rapid.Bool().Draw(l.T, "retried") {
		req.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 2}
	}
	l.settle(workflow.StepID(l.env(), lifeID, l.run, &workflow.StartWorkflow{Request: req}))
}

// anything happens.
func (l *life) anything() {
	if !l.run.Open() {
		l.start()
		return
	}
	happenings := []func(){l.due, l.signal, l.update, l.startSomething, l.startSomething, l.startSomething, l.rare}
	if l.task != nil {
		happenings = append(happenings, l.completeTask, l.completeTask, l.completeTask, l.endTask)
	}
	if len(l.acts) > 0 {
		happenings = append(happenings, l.endActivity, l.endActivity, l.heartbeat)
	}
	if len(l.parked) > 0 {
		happenings = append(happenings, l.answer, l.answer)
	}
	happenings[rapid.IntRange(0, len(happenings)-1).Draw(l.T, "what")]()
}

func (l *life) step(in workflow.Input) any {
	need := workflow.Needs(l.run, in)
	if need.StartedEvent {
		l.run.Started = l.event(1, 1)
	}
	for id, batch := range need.Events {
		if l.run.Scheduled == nil {
			l.run.Scheduled = map[int64]*historypb.HistoryEvent{}
		}
		l.run.Scheduled[id] = l.event(batch, id)
	}
	before := l.encoded()
	res, err := workflow.Step(l.env(), l.run, in)
	if after := l.encoded(); !maps.Equal(before, after) {
		l.Fatalf("%T changed the state it was given", in)
	}
	return l.settle(res, err)
}

// settle does what the shell does with a result, then checks everything.
func (l *life) settle(res *workflow.Result, err error) any {
	if err != nil {
		if engine.KindOf(err) == 0 {
			l.Fatalf("a step failed with %v, which is no refusal", err)
		}
		l.refused = true
		return nil
	}
	l.refused = false
	var b store.Batch
	if res.Run != nil {
		l.commit(&b, l.run.Key, res.Run)
		l.run.Apply(res.Run)
	}
	if res.New != nil {
		l.run, l.task, l.acts, l.parked = res.New.Run, nil, nil, nil
		l.stamps, l.spent = map[int64]int64{}, nil
		l.commit(&b, l.run.Key, res.New.Change)
	}
	apply(l.rows, &b)
	l.check()
	return res.Reply
}

func (l *life) commit(b *store.Batch, key engine.RunKey, c *workflow.Change) {
	WriteChange(b, key, c)
	for i := range c.Offers {
		if c.Offers[i].Volatile {
			continue
		}
		b.Put(TaskKey(&c.Offers[i]), EncodeTask(&c.Offers[i]))
	}
	for i := range c.Withdrawn {
		b.Delete(TaskKey(&c.Withdrawn[i]))
	}
	for _, m := range c.Messages {
		if m.Answered() {
			l.parked = append(l.parked, m)
		}
	}
}

func (l *life) check() {
	loaded, err := LoadRun(l.run.Key, stateEntries(l.rows, l.run.Key))
	if err != nil {
		l.Fatal(err)
	}
	lived := *l.run
	lived.Started, lived.Scheduled = nil, nil // caches
	forgetVolatile(&lived)
	compare(l, "Run", reflect.ValueOf(&lived), reflect.ValueOf(loaded))
	info := l.run.Info
	l.run.Info = lived.Info
	defer func() { l.run.Info = info }()
	if a, b := l.run.NextDeadline(), loaded.NextDeadline(); !a.Equal(b) {
		l.Fatalf("next deadline %v, loaded %v", a, b)
	}
	l.checkBacklog(loaded)
	l.checkHistory()
}

// forgetVolatile takes from a run what is in memory only: updates that nobody has
// accepted, and the workflow task made for them.
func forgetVolatile(run *workflow.Run) {
	run.Proposals = nil
	if t := run.Info.Task; t != nil && t.Type == workflow.TaskSpeculative {
		info := *run.Info
		info.Task = nil
		run.Info = &info
	}
}

func (l *life) checkBacklog(loaded *workflow.Run) {
	want := map[string]bool{}
	for _, offer := range loaded.Offers() {
		want[TaskKey(&offer).String()] = true
	}
	for s, op := range l.rows {
		if op.Key.Family != store.FamilyTask {
			continue
		}
		if !want[s] {
			l.Fatalf("a row is left of an offer that is void: %v", op.Key)
		}
		delete(want, s)
	}
	for s := range want {
		l.Fatalf("an offer has no row: %v", s)
	}
}

func (l *life) checkHistory() {
	var rows []store.Op
	from, to := HistoryRows(l.run.Key, 0, 1<<40)
	for _, op := range l.rows {
		if op.Key.Compare(from) >= 0 && op.Key.Compare(to) < 0 {
			rows = append(rows, op)
		}
	}
	slices.SortFunc(rows, func(a, b store.Op) int { return a.Key.Compare(b.Key) })
	next := int64(1)
	var all []*historypb.HistoryEvent
	for _, op := range rows {
		h, err := OpenHistory(op.Value)
		if err != nil || h.First != next {
			l.Fatalf("batch from %d where %d belongs, %v", h.First, next, err)
		}
		events, err := h.Events()
		if err != nil {
			l.Fatal(err)
		}
		all = append(all, events...)
		next = h.Last + 1
	}
	if next != l.run.Info.NextEventID {
		l.Fatalf("history ends before %d, the state says %d", next, l.run.Info.NextEventID)
	}
	if l.run.Open() {
		for _, key := range order(l.run.Buffered) {
			all = append(all, l.run.Buffered[key])
		}
		if err := replayed(all).agrees(l.run); err != nil {
			l.Fatal(err)
		}
	}
}

func (l *life) event(batch, id int64) *historypb.HistoryEvent {
	ev, err := HistoryEvent(l.rows[HistoryKey(l.run.Key, batch).String()].Value, id)
	if err != nil {
		l.Fatal(err)
	}
	return ev
}

// encoded is all of a run's state, in bytes.
func (l *life) encoded() map[string]string {
	r := l.run
	var b store.Batch
	WriteChange(&b, r.Key, &workflow.Change{
		Start: r.Start, Info: r.Info, Memo: r.Memo, MemoChanged: true,
		SearchAttributes: r.SearchAttributes, SearchAttributesChanged: true,
		Activities: r.Activities, Timers: r.Timers, Children: r.Children, Signals: r.Signals, Cancels: r.Cancels,
		Requests: r.Requests, Updates: r.Updates, Callbacks: r.Callbacks, Buffered: r.Buffered,
	})
	rows := make(map[string]string)
	for _, op := range b.Ops {
		rows[op.Key.String()] = string(op.Value)
	}
	return rows
}

func (l *life) due() {
	next := l.run.NextDeadline()
	if next.IsZero() {
		return
	}
	if next.After(l.now) {
		l.now = next
	}
	l.step(&workflow.Due{})
	if again := l.run.NextDeadline(); l.run.Open() && !again.IsZero() && !again.After(l.now) {
		l.Fatalf("looked at at %v, and due at %v still", l.now, again)
	}
}

func (l *life) signal() {
	l.step(&workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{
		SignalName: "s", RequestId: fmt.Sprint("signal-", rapid.IntRange(0, 5).Draw(l.T, "request")),
	}})
}

func (l *life) update() {
	l.step(&workflow.UpdateWorkflow{Request: &workflowservice.UpdateWorkflowExecutionRequest{Request: &updatepb.Request{
		Meta: &updatepb.Meta{UpdateId: fmt.Sprint("update-", rapid.IntRange(0, 5).Draw(l.T, "update"))},
	}}})
}

// messages answer updates, mostly as a worker should.
func (l *life) messages() (messages []*protocolpb.Message) {
	say := func(id, what string, body proto.Message) {
		packed, err := anypb.New(body)
		if err != nil {
			l.Fatal(err)
		}
		messages = append(messages, &protocolpb.Message{Id: id + what, ProtocolInstanceId: id, Body: packed})
	}
	for _, id := range order(l.run.Proposals) {
		if l.run.Proposals[id].Sent == 0 {
			continue
		}
		switch rapid.IntRange(0, 4).Draw(l.T, "answer") {
		case 0, 1:
			say(id, "accept", &updatepb.Acceptance{AcceptedRequestMessageId: "m"})
		case 2, 3:
			say(id, "reject", &updatepb.Rejection{Failure: &failurepb.Failure{Message: "no"}})
		}
	}
	for _, id := range order(l.run.Updates) {
		if l.run.Updates[id].CompletedEventID == 0 && rapid.Bool().Draw(l.T, "answered") {
			say(id, "complete", &updatepb.Response{Meta: &updatepb.Meta{UpdateId: id},
				Outcome: &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: &commonpb.Payloads{}}}})
		}
	}
	return messages
}

func (l *life) rare() {
	switch rapid.IntRange(0, 19).Draw(l.T, "rare") {
	case 0:
		l.step(&workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{Reason: "enough"}})
	case 1, 2:
		l.step(&workflow.ResetSticky{})
	case 3, 4:
		l.step(&workflow.RequestCancel{Request: &workflowservice.RequestCancelWorkflowExecutionRequest{RequestId: "cancel"}})
	case 5, 6, 7:
		if len(l.spent) > 0 {
			l.completeAgain(l.spent[rapid.IntRange(0, len(l.spent)-1).Draw(l.T, "token")])
		}
	case 8:
		l.now = l.now.Add(time.Minute)
		l.due()
	}
}

// completeAgain uses a token a second time, which nothing may come of.
func (l *life) completeAgain(token workflow.TaskToken) {
	_, err := workflow.Step(l.env(), l.run, &workflow.CompleteWorkflowTask{
		Token: token, Request: &workflowservice.RespondWorkflowTaskCompletedRequest{}})
	if err == nil {
		l.Fatalf("token %+v was accepted twice", token)
	}
}

// startSomething gives an offer to a poller; or one that is void.
func (l *life) startSomething() {
	offers := l.run.Offers()
	if len(offers) == 0 {
		return
	}
	o := offers[rapid.IntRange(0, len(offers)-1).Draw(l.T, "offer")]
	poller := engine.Poller{Identity: "me", RequestID: fmt.Sprint("poll-", l.ids), Sticky: o.Queue.Sticky}
	if o.IsWorkflow() {
		if started, ok := l.step(&workflow.StartWorkflowTask{EventID: o.EventID, Stamp: o.Stamp, Poller: poller}).(*workflow.TaskStarted); ok {
			l.task = started
		}
		return
	}
	if started, ok := l.step(&workflow.StartActivity{EventID: o.EventID, Stamp: o.Stamp, Poller: poller}).(*workflow.ActivityStarted); ok {
		l.started(started)
	}
}

// started notes an attempt that was given to a worker.
func (l *life) started(a *workflow.ActivityStarted) {
	id, stamp := a.Token.ScheduledEventID, a.Token.Stamp
	if stamp <= l.stamps[id] {
		l.Fatalf("activity %d was started as %d after %d", id, stamp, l.stamps[id])
	}
	l.stamps[id] = stamp
	l.acts = append(l.acts, a)
}

func (l *life) completeTask() {
	req := &workflowservice.RespondWorkflowTaskCompletedRequest{Identity: "me", Messages: l.messages()}
	for range rapid.IntRange(0, 3).Draw(l.T, "commands") {
		req.Commands = append(req.Commands, l.command())
	}
	if rapid.IntRange(0, 9).Draw(l.T, "close") == 5 {
		req.Commands = append(req.Commands, l.closeCommand())
	}
	if rapid.Bool().Draw(l.T, "sticky") {
		req.StickyAttributes = &taskqueuepb.StickyExecutionAttributes{
			WorkerTaskQueue:        &taskqueuepb.TaskQueue{Name: "sticky"},
			ScheduleToStartTimeout: durationpb.New(time.Second),
		}
	}
	token := l.task.Token
	defer l.spend()
	if done, ok := l.step(&workflow.CompleteWorkflowTask{Token: token, Request: req}).(*workflow.TaskCompleted); ok {
		for _, a := range done.Activities {
			l.started(a)
		}
	}
}

// command is one that can be carried out, mostly.
func (l *life) command() *commandpb.Command {
	n := rapid.IntRange(0, 4).Draw(l.T, "number")
	switch rapid.IntRange(0, 15).Draw(l.T, "command") {
	case 0, 1, 2:
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_START_TIMER, Attributes: &commandpb.Command_StartTimerCommandAttributes{
			StartTimerCommandAttributes: &commandpb.StartTimerCommandAttributes{
				TimerId: fmt.Sprint("t", l.ids, n), StartToFireTimeout: durationpb.New(time.Duration(n+1) * time.Second)},
		}}
	case 3:
		timers := append(order(l.run.Timers), "none")
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_CANCEL_TIMER, Attributes: &commandpb.Command_CancelTimerCommandAttributes{
			CancelTimerCommandAttributes: &commandpb.CancelTimerCommandAttributes{TimerId: timers[0]},
		}}
	case 4, 5:
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION, Attributes: &commandpb.Command_StartChildWorkflowExecutionCommandAttributes{
			StartChildWorkflowExecutionCommandAttributes: &commandpb.StartChildWorkflowExecutionCommandAttributes{
				WorkflowId: fmt.Sprint("child", l.ids, n), WorkflowType: &commonpb.WorkflowType{Name: "C"}},
		}}
	case 6:
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION, Attributes: &commandpb.Command_SignalExternalWorkflowExecutionCommandAttributes{
			SignalExternalWorkflowExecutionCommandAttributes: &commandpb.SignalExternalWorkflowExecutionCommandAttributes{
				SignalName: "s", Execution: &commonpb.WorkflowExecution{WorkflowId: "other"}},
		}}
	case 7, 8, 9:
		ids := append(order(l.run.Activities), 1) // event 1 is no activity: the task fails
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK, Attributes: &commandpb.Command_RequestCancelActivityTaskCommandAttributes{
			RequestCancelActivityTaskCommandAttributes: &commandpb.RequestCancelActivityTaskCommandAttributes{ScheduledEventId: ids[0]},
		}}
	case 10:
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES, Attributes: &commandpb.Command_ModifyWorkflowPropertiesCommandAttributes{
			ModifyWorkflowPropertiesCommandAttributes: &commandpb.ModifyWorkflowPropertiesCommandAttributes{
				UpsertedMemo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{fmt.Sprint(n): {Data: []byte{byte(n)}}}}},
		}}
	}
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK, Attributes: &commandpb.Command_ScheduleActivityTaskCommandAttributes{
		ScheduleActivityTaskCommandAttributes: &commandpb.ScheduleActivityTaskCommandAttributes{
			ActivityId: fmt.Sprint("a", l.ids, n), ActivityType: &commonpb.ActivityType{Name: "A"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
			StartToCloseTimeout: durationpb.New(10 * time.Second), HeartbeatTimeout: durationpb.New(time.Second),
			ScheduleToCloseTimeout: durationpb.New(time.Duration(n) * 10 * time.Second),
			Priority:               &commonpb.Priority{PriorityKey: int32(n)}, RequestEagerExecution: n == 1,
		},
	}}
}

func (l *life) closeCommand() *commandpb.Command {
	switch rapid.IntRange(0, 2).Draw(l.T, "how") {
	case 0:
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION, Attributes: &commandpb.Command_FailWorkflowExecutionCommandAttributes{
			FailWorkflowExecutionCommandAttributes: &commandpb.FailWorkflowExecutionCommandAttributes{Failure: &failurepb.Failure{Message: "no"}},
		}}
	case 1:
		return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
			CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{},
		}}
	}
	return &commandpb.Command{CommandType: enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION, Attributes: &commandpb.Command_ContinueAsNewWorkflowExecutionCommandAttributes{
		ContinueAsNewWorkflowExecutionCommandAttributes: &commandpb.ContinueAsNewWorkflowExecutionCommandAttributes{},
	}}
}

// spend forgets the started task, whose token has been used. A refusal leaves the
// task started until it times out.
func (l *life) spend() {
	if l.task != nil && !l.refused {
		l.spent = append(l.spent, l.task.Token)
	}
	l.task = nil
}

// endTask ends a workflow task without a completion.
func (l *life) endTask() {
	token := l.task.Token
	defer l.spend()
	if rapid.Bool().Draw(l.T, "aborted") {
		l.step(&workflow.AbortWorkflowTask{Token: token})
		return
	}
	l.step(&workflow.FailWorkflowTask{Token: token, Request: &workflowservice.RespondWorkflowTaskFailedRequest{
		Cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR, Failure: &failurepb.Failure{Message: "no"},
	}})
}

func (l *life) anyStarted() workflow.ActivityRef {
	return workflow.ActivityRef{Token: &l.acts[rapid.IntRange(0, len(l.acts)-1).Draw(l.T, "activity")].Token}
}

func (l *life) heartbeat() {
	l.step(&workflow.HeartbeatActivity{Ref: l.anyStarted(), Details: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte("half")}}}})
}

func (l *life) endActivity() {
	ref := l.anyStarted()
	switch rapid.IntRange(0, 3).Draw(l.T, "end") {
	case 0:
		l.step(&workflow.FailActivity{Ref: ref, Failure: &failurepb.Failure{Message: "no"}})
	case 1:
		l.step(&workflow.CancelActivity{Ref: ref})
	case 2:
		l.step(&workflow.AbortActivity{Token: *ref.Token})
	default:
		l.step(&workflow.CompleteActivity{Ref: ref})
	}
}

// answer brings the outcome of a message back.
func (l *life) answer() {
	m := l.parked[0]
	l.parked = l.parked[1:]
	in := &workflow.Answered{Message: &m, RunID: "child-run"}
	if rapid.Bool().Draw(l.T, "refused") {
		in.Refusal = engine.NotFound("no such workflow")
	}
	m.Event = l.event(m.BatchID, m.EventID)
	l.step(in)
}
