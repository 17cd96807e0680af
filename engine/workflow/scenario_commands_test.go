package workflow_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	querypb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// commands of the scenario files. The first argument is a workflow id (or
// "id/run-2" for a run that is not current), a queue or an activity id.
//
//	now T                       the time since the beginning; due inputs are given separately
//	limit name=N                buffered-events, history-events, signals, request-ids
//	start ID [options]          see startRequest; eager asks for the first task at once
//	signal-with-start ID signal=S [options]
//	signal ID NAME [request=R]; cancel ID [reason=]; terminate ID [reason=]; delete ID; reset-sticky ID
//	poll QUEUE [sticky] [identity=W] [request=R]    start the first workflow task on offer there
//	complete ID [sticky=Q] [return-new] [force-new] [rewinds] [identity=] [checksum=] [build=]; one command a line, see command
//	fail-task ID [cause=C]; abort-task ID
//	due ID                      say that a deadline may have come
//	poll-activity QUEUE; complete-activity A [result=]; fail-activity A [non-retryable] [type=]; cancel-activity A; heartbeat A [details=]; abort-activity A
//	deliver                     carry all messages, and the answers, until none is left
//	show ID                     the whole history; deadline ID: the next deadline
var commands = map[string]func(*world, *args){
	"now":               func(w *world, a *args) { w.now = epoch.Add(a.duration(0)) },
	"limit":             (*world).limit,
	"start":             (*world).start,
	"signal-with-start": (*world).signalWithStart,
	"signal":            (*world).signal,
	"cancel":            (*world).cancel,
	"terminate":         (*world).terminate,
	"delete":            func(w *world, a *args) { w.step(w.find(a.at(0)), &workflow.Delete{}) },
	"reset-sticky":      func(w *world, a *args) { w.step(w.find(a.at(0)), &workflow.ResetSticky{}) },
	"poll":              (*world).poll,
	"complete":          (*world).complete,
	"fail-task":         (*world).failTask,
	"abort-task": func(w *world, a *args) {
		w.step(w.find(a.at(0)), &workflow.AbortWorkflowTask{Token: w.tasks[a.at(0)].Token})
	},
	"due":           func(w *world, a *args) { w.step(w.find(a.at(0)), &workflow.Due{}) },
	"poll-activity": (*world).pollActivity,
	"complete-activity": func(w *world, a *args) {
		w.respond(a, &workflow.CompleteActivity{Ref: w.ref(a), Result: payloads(a.str("result")), Identity: "worker"})
	},
	"cancel-activity": func(w *world, a *args) {
		w.respond(a, &workflow.CancelActivity{Ref: w.ref(a), Details: payloads(a.str("details")), Identity: "worker"})
	},
	"heartbeat": func(w *world, a *args) {
		w.respond(a, &workflow.HeartbeatActivity{Ref: w.ref(a), Details: payloads(a.str("details")), Identity: "worker"})
	},
	"abort-activity": func(w *world, a *args) { w.respond(a, &workflow.AbortActivity{Token: w.acts[a.at(0)].Token}) },
	"fail-activity": func(w *world, a *args) {
		w.respond(a, &workflow.FailActivity{Ref: w.ref(a), Failure: failure(a), Identity: "worker"})
	},
	"deliver":  (*world).deliver,
	"show":     (*world).show,
	"deadline": (*world).deadline,
}

// args are the arguments of one paragraph: positional ones have no value.
type args struct{ *datadriven.TestData }

func (a *args) at(i int) string {
	var positional []string
	for _, arg := range a.CmdArgs {
		if len(arg.Vals) == 0 {
			positional = append(positional, arg.Key)
		}
	}
	if i >= len(positional) {
		return ""
	}
	return positional[i]
}

func (a *args) has(flag string) bool {
	return slices.ContainsFunc(a.CmdArgs, func(arg datadriven.CmdArg) bool { return arg.Key == flag })
}

func (a *args) str(key string) string {
	for _, arg := range a.CmdArgs {
		if arg.Key == key && len(arg.Vals) > 0 {
			return arg.Vals[0]
		}
	}
	return ""
}

func (a *args) or(key, otherwise string) string {
	if s := a.str(key); s != "" {
		return s
	}
	return otherwise
}

func (a *args) duration(i int) time.Duration { return mustDuration(a.at(i)) }

func mustDuration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		panic(err)
	}
	return d
}

func protoDuration(s string) *durationpb.Duration {
	if s == "" {
		return nil
	}
	return durationpb.New(mustDuration(s))
}

func payloads(s string) *commonpb.Payloads {
	if s == "" {
		return nil
	}
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{payload(s)}}
}

func payload(s string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(s)}
}

func failure(a *args) *failurepb.Failure {
	return &failurepb.Failure{Message: a.or("message", "it broke"), FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: a.str("type"), NonRetryable: a.has("non-retryable")}}}
}

func (w *world) limit(a *args) {
	n, err := strconv.Atoi(a.CmdArgs[0].Vals[0])
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	switch a.CmdArgs[0].Key {
	case "buffered-events":
		w.limits.BufferedEvents = n
	case "history-events":
		w.limits.LimitHistory(int64(n), w.limits.HistoryFullBytes)
	case "history-bytes":
		w.limits.LimitHistory(w.limits.HistoryFullEvents, int64(n))
	case "suggest-events":
		w.limits.HistorySuggestEvents = int64(n)
	case "signals":
		w.limits.SignalsPerRun = n
	case "state":
		w.limits.StateBytes = int64(n)
	case "transaction":
		w.limits.TransactionBytes = int64(n)
	case "callbacks":
		w.limits.CompletionCallbacks = n
	case "update-callbacks":
		w.limits.UpdateCallbacks = n
	case "updates":
		w.limits.UpdatesPerRun = n
	case "blob":
		w.limits.BlobBytes = n
	}
}

func retryPolicy(a *args) *commonpb.RetryPolicy {
	if a.str("attempts") == "" {
		return nil
	}
	n, _ := strconv.Atoi(a.str("attempts"))
	return &commonpb.RetryPolicy{MaximumAttempts: int32(n), InitialInterval: protoDuration(a.or("interval", "1s"))}
}

func reusePolicy(s string) enumspb.WorkflowIdReusePolicy {
	return enumspb.WorkflowIdReusePolicy(enumspb.WorkflowIdReusePolicy_value["WORKFLOW_ID_REUSE_POLICY_"+s])
}

func conflictPolicy(s string) enumspb.WorkflowIdConflictPolicy {
	return enumspb.WorkflowIdConflictPolicy(enumspb.WorkflowIdConflictPolicy_value["WORKFLOW_ID_CONFLICT_POLICY_"+s])
}

func (w *world) start(a *args) {
	req := &workflowservice.StartWorkflowExecutionRequest{
		WorkflowId:               a.at(0),
		WorkflowType:             &commonpb.WorkflowType{Name: a.or("type", "order")},
		TaskQueue:                &querypb.TaskQueue{Name: a.or("queue", "orders")},
		Input:                    payloads(a.str("input")),
		RequestId:                a.str("request"),
		Identity:                 "starter",
		WorkflowIdReusePolicy:    reusePolicy(a.str("reuse")),
		WorkflowIdConflictPolicy: conflictPolicy(a.str("conflict")),
		WorkflowRunTimeout:       protoDuration(a.str("run-timeout")),
		WorkflowExecutionTimeout: protoDuration(a.str("execution-timeout")),
		WorkflowTaskTimeout:      protoDuration(a.str("task-timeout")),
		WorkflowStartDelay:       protoDuration(a.str("delay")),
		CronSchedule:             strings.ReplaceAll(a.str("cron"), "_", " "),
		RetryPolicy:              retryPolicy(a),
		RequestEagerExecution:    a.has("eager"),
		CompletionCallbacks:      callbacksOf(a),
		Priority:                 priorityOf(a),
		UserMetadata:             metadata(a),
		Links:                    links(a),
		VersioningOverride:       override(a),
		TimeSkippingConfig:       skipping(a),
	}
	if withCallbacks := a.has("attach-callbacks"); withCallbacks || a.has("attach") || a.has("attach-links") {
		req.OnConflictOptions = &workflowpb.OnConflictOptions{AttachRequestId: withCallbacks || a.has("attach"),
			AttachCompletionCallbacks: withCallbacks, AttachLinks: a.has("attach-links")}
	}
	reply := w.stepID(a.at(0), &workflow.StartWorkflow{Request: req})
	w.started(a.at(0), reply)
}

func (w *world) started(name string, reply any) {
	r, ok := reply.(*workflow.Started)
	if !ok {
		return
	}
	w.printf("reply: run=%s started=%v status=%s", w.names[r.RunID], r.Started, r.Status)
	if ref := r.Link.GetWorkflowEvent().GetRequestIdRef(); ref != nil {
		w.printf(" link=%s/%s", ref.GetRequestId(), ref.GetEventType())
	}
	if r.EagerTask != nil {
		w.printf(" eager task started=%d", r.EagerTask.StartedEventID)
		w.tasks[name] = r.EagerTask
	}
	w.printf("\n")
}

func (w *world) signalWithStart(a *args) {
	reply := w.stepID(a.at(0), &workflow.SignalWithStart{Request: &workflowservice.SignalWithStartWorkflowExecutionRequest{
		WorkflowId:               a.at(0),
		WorkflowType:             &commonpb.WorkflowType{Name: a.or("type", "order")},
		TaskQueue:                &querypb.TaskQueue{Name: a.or("queue", "orders")},
		SignalName:               a.str("signal"),
		RequestId:                a.str("request"),
		WorkflowIdReusePolicy:    reusePolicy(a.str("reuse")),
		WorkflowIdConflictPolicy: conflictPolicy(a.str("conflict")),
		WorkflowStartDelay:       protoDuration(a.str("delay")),
		Priority:                 priorityOf(a),
		UserMetadata:             metadata(a),
		Links:                    links(a),
		VersioningOverride:       override(a),
	}})
	w.started(a.at(0), reply)
}

func (w *world) signal(a *args) {
	w.step(w.find(a.at(0)), &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{
		SignalName: a.at(1), RequestId: a.str("request"), Identity: "client", Input: payloads(a.str("input")), Links: links(a)}})
}

func (w *world) cancel(a *args) {
	w.step(w.find(a.at(0)), &workflow.RequestCancel{Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
		Reason: a.str("reason"), RequestId: a.str("request"), FirstExecutionRunId: a.str("first"), Links: links(a)}})
}

func (w *world) terminate(a *args) {
	w.step(w.find(a.at(0)), &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{
		Reason: a.str("reason"), FirstExecutionRunId: a.str("first"), Links: links(a)}})
}

// offer is the first task on offer on a queue.
func (w *world) offer(queue string, t enumspb.TaskQueueType) (engine.Task, bool) {
	for _, o := range w.offers {
		if o.Queue.Name == queue && o.Queue.Type == t {
			return o, true
		}
	}
	w.printf("no task\n")
	return engine.Task{}, false
}

func (w *world) poll(a *args) {
	o, ok := w.offer(a.at(0), enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if !ok {
		return
	}
	reply := w.step(w.runs[o.Run], &workflow.StartWorkflowTask{EventID: o.EventID, Stamp: o.Stamp, Poller: engine.Poller{
		Identity: a.or("identity", "worker"), RequestID: a.or("request", "poll"), Sticky: a.has("sticky")}})
	if t, ok := reply.(*workflow.TaskStarted); ok {
		w.tasks[o.Run.Name] = t
		w.task(t)
	}
}

// task prints what a worker is given.
func (w *world) task(t *workflow.TaskStarted) {
	w.printf("task: attempt=%d previous=%d started=%d history=%d..%d", t.Attempt, t.PreviousStartedEventID,
		t.StartedEventID, t.HistoryFrom, t.HistoryTo)
	for _, ev := range t.Virtual {
		w.printf(" (%d:%s)", ev.EventId, ev.EventType)
	}
	for _, u := range t.Updates {
		w.printf(" update %s at %d", u.GetMeta().GetUpdateId(), t.SequencingEventID())
	}
	w.printf("\n")
}

func (w *world) failTask(a *args) {
	cause := enumspb.WorkflowTaskFailedCause_value["WORKFLOW_TASK_FAILED_CAUSE_"+a.or("cause", "WORKFLOW_WORKER_UNHANDLED_FAILURE")]
	w.step(w.find(a.at(0)), &workflow.FailWorkflowTask{Token: w.tasks[a.at(0)].Token,
		Request: &workflowservice.RespondWorkflowTaskFailedRequest{Identity: "worker", Cause: enumspb.WorkflowTaskFailedCause(cause),
			Failure: failure(a)}})
}

func (w *world) complete(a *args) {
	req := &workflowservice.RespondWorkflowTaskCompletedRequest{
		Identity:                   a.or("identity", "worker"),
		ReturnNewWorkflowTask:      a.has("return-new"),
		ForceCreateNewWorkflowTask: a.has("force-new"),
		BinaryChecksum:             a.str("checksum"),
	}
	if q := a.str("sticky"); q != "" {
		req.StickyAttributes = &querypb.StickyExecutionAttributes{
			WorkerTaskQueue: &querypb.TaskQueue{Name: q, Kind: enumspb.TASK_QUEUE_KIND_STICKY}, ScheduleToStartTimeout: durationpb.New(5 * time.Second)}
	}
	for _, line := range strings.Split(a.Input, "\n") {
		if line != "" {
			w.say(req, line)
		}
	}
	task := w.tasks[a.at(0)]
	if task == nil {
		w.t.Fatalf("%s: no workflow task has been handed out", a.at(0))
	}
	reply := w.step(w.runs[task.Token.Run], &workflow.CompleteWorkflowTask{Token: task.Token, Request: req,
		Poller: engine.Poller{Identity: "worker", Sticky: true, DiscardSpeculative: a.has("rewinds")}})
	done, ok := reply.(*workflow.TaskCompleted)
	if !ok {
		return
	}
	for _, act := range done.Activities {
		w.acts[act.Token.ActivityID] = act
		w.printf("eager activity: %s\n", act.Token.ActivityID)
	}
	if done.ResetHistoryEventID != 0 {
		w.printf("back to event %d\n", done.ResetHistoryEventID)
	}
	if done.Task != nil {
		w.tasks[a.at(0)] = done.Task
		w.task(done.Task)
	}
}

func (w *world) pollActivity(a *args) {
	o, ok := w.offer(a.at(0), enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if !ok {
		return
	}
	reply := w.step(w.runs[o.Run], &workflow.StartActivity{EventID: o.EventID, Stamp: o.Stamp,
		Poller: engine.Poller{Identity: a.or("identity", "worker"), RequestID: a.or("request", "poll")}})
	if t, ok := reply.(*workflow.ActivityStarted); ok {
		w.acts[t.Token.ActivityID] = t
		w.printf("activity: %s attempt=%d\n", t.Token.ActivityID, t.Attempt)
	}
}

func (w *world) ref(a *args) workflow.ActivityRef {
	act := w.acts[a.at(0)]
	if act == nil {
		w.t.Fatalf("activity %s has not been handed out", a.at(0))
	}
	return workflow.ActivityRef{Token: &act.Token}
}

func (w *world) respond(a *args, in workflow.Input) {
	reply := w.step(w.runs[w.acts[a.at(0)].Token.Run], in)
	if h, ok := reply.(*workflowservice.RecordActivityTaskHeartbeatResponse); ok {
		w.printf("reply: cancel_requested=%v", h.GetCancelRequested())
		if h.GetActivityPaused() || h.GetActivityReset() {
			w.printf(" paused=%v reset=%v", h.GetActivityPaused(), h.GetActivityReset())
		}
		w.printf("\n")
	}
}

func (w *world) show(a *args) {
	for _, ev := range w.history[w.find(a.at(0)).Key] {
		w.printf("%s\n", describeEvent(ev))
	}
}

func (w *world) deadline(a *args) {
	at := w.find(a.at(0)).NextDeadline()
	if at.IsZero() {
		w.printf("none\n")
		return
	}
	w.printf("%s\n", at.Sub(epoch))
}

// deliver carries messages to their receivers, and the answers back, in order.
func (w *world) deliver(*args) {
	for len(w.messages) > 0 {
		m := w.messages[0]
		w.messages = w.messages[1:]
		if from := w.runs[m.From]; from != nil && !from.Wants(&m) {
			w.printf("-- nobody wants %s\n", describeMessage(m))
			continue
		}
		w.printf("-- %s\n", describeMessage(m))
		reply, refusal := w.handOver(&m)
		if !m.Answered() {
			continue
		}
		answer := &workflow.Answered{Message: &m, Refusal: refusal}
		if s, ok := reply.(*workflow.Started); ok {
			answer.RunID = s.RunID
		}
		w.printf("-- answer\n")
		w.step(w.runs[m.From], answer)
	}
}

// handOver gives a message to its receiver.
func (w *world) handOver(m *engine.Message) (any, *engine.Refusal) {
	w.eventOf(m)
	var run *workflow.Run
	if m.ToRunID != "" {
		run = w.runs[engine.RunKey{ID: m.To, RunID: m.ToRunID}]
	} else {
		run = w.runs[w.current[m.To.Name]]
	}
	if m.Kind == engine.MessageStartChild {
		in := &workflow.StartWorkflow{Request: workflow.ChildStartRequest(m, "default"), Child: m}
		return w.take(run, func(env *engine.Env, run *workflow.Run) (*workflow.Result, error) {
			return workflow.StepID(env, m.To, run, in)
		})
	}
	if run == nil {
		w.printf("refused: NotFound\n")
		return nil, engine.NotFound("workflow execution not found")
	}
	in := inputOf(m)
	w.fetch(run, in)
	return w.take(run, func(env *engine.Env, run *workflow.Run) (*workflow.Result, error) {
		return workflow.Step(env, run, in)
	})
}

// inputOf is what package shard makes of a message.
func inputOf(m *engine.Message) workflow.Input {
	switch m.Kind {
	case engine.MessageFirstWorkflowTask:
		return &workflow.FirstWorkflowTask{From: m}
	case engine.MessageChildClosed:
		return &workflow.ChildClosed{Message: m}
	case engine.MessageReconnect:
		return &workflow.Reconnect{From: m}
	case engine.MessageSignal:
		s := m.Event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()
		return &workflow.Signal{From: m, Request: &workflowservice.SignalWorkflowExecutionRequest{
			SignalName: s.GetSignalName(), Input: s.GetInput(), Identity: "history-service", RequestId: m.RequestID}}
	case engine.MessageCancel:
		r := m.Event.GetRequestCancelExternalWorkflowExecutionInitiatedEventAttributes()
		return &workflow.RequestCancel{From: m, Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
			Reason: r.GetReason(), Identity: "history-service", RequestId: m.RequestID}}
	}
	if m.ParentClosePolicy == enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL {
		return &workflow.RequestCancel{From: m, Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
			Identity: "history-service", RequestId: m.RequestID}}
	}
	return &workflow.Terminate{From: m, Request: &workflowservice.TerminateWorkflowExecutionRequest{
		Reason: "by parent close policy", Identity: "history-service"}}
}
