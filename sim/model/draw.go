package main

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// names of the workflows that clients start, and of children.
var (
	names    = []string{"a", "a", "b"}
	kinNames = []string{"c0", "c1", "c2"}
	allNames = []string{"a", "a", "a", "b", "b", "c0", "c1", "c2"}
)

// happening is something that may happen, and how often beside the others.
type happening struct {
	weight int
	do     func(*world)
}

var happenings = []happening{
	{6, (*world).start}, {2, (*world).signalWithStart}, {3, (*world).updateWithStart},
	{10, (*world).signal}, {3, (*world).cancel}, {1, (*world).terminate}, {1, (*world).remove}, {8, (*world).update},
	{24, (*world).poll}, {26, (*world).complete}, {4, (*world).failTask}, {3, (*world).abortTask}, {1, (*world).resetSticky},
	{10, (*world).pollActivity}, {14, (*world).answerActivity}, {5, (*world).heartbeat}, {2, (*world).abortActivity},
	{2, (*world).reset}, {2, (*world).pause}, {4, (*world).unpause}, {4, (*world).operate}, {12, (*world).due}, {8, (*world).sleep}, {22, (*world).deliver}, {1, (*world).crash},
}

var totalWeight = func() (n int) {
	for _, h := range happenings {
		n += h.weight
	}
	return n
}()

// anything happens.
func (w *world) anything() {
	n := w.rng.IntN(totalWeight)
	for _, h := range happenings {
		if n -= h.weight; n < 0 {
			h.do(w)
			return
		}
	}
}

// someone is a run, mostly a current one; nil if there is none of that id.
func (w *world) someone() *life {
	if w.one(12) && len(w.lives) > 0 {
		return pick(w, w.lives)
	}
	return w.current[pick(w, allNames)]
}

func (w *world) requestID() string { return fmt.Sprint("r", w.rng.IntN(9)) }

// startOptions are how a start treats a run that is there, and what it asks for.
type startOptions struct {
	reuse    enumspb.WorkflowIdReusePolicy
	conflict enumspb.WorkflowIdConflictPolicy
	attach   bool
	eager    bool
}

func (w *world) startRequest(name, request string) (*workflowservice.StartWorkflowExecutionRequest, startOptions) {
	req := &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: name, WorkflowType: &commonpb.WorkflowType{Name: "T"},
		TaskQueue: &taskqueuepb.TaskQueue{Name: "q"}, RequestId: request,
	}
	var o startOptions
	switch w.rng.IntN(16) {
	case 0:
		req.WorkflowStartDelay = durationpb.New(3 * time.Second)
	case 1:
		req.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 1, MaximumAttempts: 3}
	case 2:
		req.CronSchedule = "@every 2s"
	case 3:
		req.WorkflowRunTimeout = durationpb.New(20 * time.Second)
	case 4:
		req.WorkflowRunTimeout = durationpb.New(15 * time.Second)
		req.RetryPolicy = &commonpb.RetryPolicy{InitialInterval: durationpb.New(time.Second), BackoffCoefficient: 1, MaximumAttempts: 2}
	case 5:
		req.WorkflowExecutionTimeout = durationpb.New(40 * time.Second)
	}
	switch w.rng.IntN(8) {
	case 0:
		o.reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	case 1:
		o.reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	case 2:
		o.conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	case 3, 4:
		o.conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	}
	req.WorkflowIdReusePolicy, req.WorkflowIdConflictPolicy = o.reuse, o.conflict
	return req, o
}

func (w *world) start() {
	name, request := pick(w, names), w.requestID()
	req, o := w.startRequest(name, request)
	if o.conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING && w.one(2) {
		o.attach = true
		req.OnConflictOptions = &workflowpb.OnConflictOptions{AttachRequestId: true}
	}
	if w.one(4) {
		o.eager, req.RequestEagerExecution = true, true
	}
	reply := w.stepID(name, &workflow.StartWorkflow{Request: req, Poller: w.poller()}, w.expectStart(name, begun{request: request, start: o}))
	if s, ok := reply.(*workflow.Started); ok && s.EagerTask != nil {
		l := w.current[name]
		l.tokens = append(l.tokens, s.EagerTask.Token)
	}
}

func (w *world) signalWithStart() {
	name, request := pick(w, names), w.requestID()
	start, o := w.startRequest(name, request)
	req := &workflowservice.SignalWithStartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: name, WorkflowType: start.WorkflowType, TaskQueue: start.TaskQueue, RequestId: request,
		SignalName: "s", WorkflowIdReusePolicy: o.reuse, WorkflowStartDelay: start.WorkflowStartDelay,
	}
	if o.conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING {
		req.WorkflowIdConflictPolicy = o.conflict
	} else {
		o.conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED
	}
	w.stepID(name, &workflow.SignalWithStart{Request: req}, w.expectSignalWithStart(name, request, o))
}

func (w *world) signal() {
	l := w.someone()
	if l == nil {
		return
	}
	request := ""
	if !w.one(4) {
		request = fmt.Sprint("s", w.rng.IntN(200))
	}
	w.stepRun(l, signalInput(request), l.book.expectSignal(w, request))
}

func signalInput(request string) *workflow.Signal {
	return &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{SignalName: "s", RequestId: request}}
}

func (w *world) cancel() {
	if l := w.someone(); l != nil {
		w.stepRun(l, &workflow.RequestCancel{Request: &workflowservice.RequestCancelWorkflowExecutionRequest{RequestId: w.requestID()}},
			l.book.expectCancel())
	}
}

func (w *world) terminate() {
	if l := w.someone(); l != nil {
		w.stepRun(l, &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}}, l.book.expectTerminate())
	}
}

func (w *world) remove() {
	if l := w.someone(); l != nil && w.one(2) {
		e := l.book.expectTerminate()
		if e.refusal != 0 {
			if w.owes(l) {
				return // the shell keeps it until its messages have gone out
			}
			e = nothing()
		}
		w.stepRun(l, &workflow.Delete{}, e)
	}
}

// owes reports whether a message of the run is under way, which its history is
// needed for.
func (w *world) owes(l *life) bool {
	return slices.ContainsFunc(w.letters, func(x *letter) bool { return x.m.From == l.key })
}

func (w *world) updateRequest(l string) *workflowservice.UpdateWorkflowExecutionRequest {
	return &workflowservice.UpdateWorkflowExecutionRequest{Request: &updatepb.Request{
		Meta: &updatepb.Meta{UpdateId: fmt.Sprint("u", w.rng.IntN(12))}, Input: &updatepb.Input{Name: l},
	}}
}

func (w *world) update() {
	l := w.someone()
	if l == nil {
		return
	}
	req := w.updateRequest("u")
	w.stepRun(l, &workflow.UpdateWorkflow{Request: req}, l.book.expectUpdate(w, l.run, req.GetRequest().GetMeta().GetUpdateId()))
}

func (w *world) updateWithStart() {
	name, request := pick(w, names), w.requestID()
	start, o := w.startRequest(name, request)
	if o.conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED {
		o.conflict = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
		start.WorkflowIdConflictPolicy = o.conflict
	}
	start.CronSchedule, start.WorkflowStartDelay = "", nil
	req := w.updateRequest("u")
	e, refused := w.expectUpdateWithStart(name, req.GetRequest().GetMeta().GetUpdateId(), request, o)
	reply := w.stepID(name, &workflow.UpdateWithStart{Start: start, Update: req, Poller: w.poller()}, e)
	r, ok := reply.(*workflow.UpdatedWithStart)
	if ok && (r.StartRefused != nil || r.UpdateRefused != nil) != refused {
		w.fail("update with start: refused %v, %v; expected %v", r.StartRefused, r.UpdateRefused, refused)
	}
}

func (w *world) sleep() {
	w.now = w.now.Add(time.Duration(1+w.rng.IntN(6000)) * time.Millisecond)
	w.tell("time goes by")
}

// due comes when it should, or for no reason.
func (w *world) due() {
	if len(w.lives) == 0 {
		return
	}
	l := pick(w, w.lives)
	if at := l.run.NextDeadline(); at.After(w.now) && at.Sub(w.now) < time.Minute && w.one(2) {
		w.now = at
	}
	w.look(l)
}

// look gives a run its Due.
func (w *world) look(l *life) {
	if !l.book.open && w.owes(l) {
		return
	}
	w.stepRun(l, &workflow.Due{}, l.book.expectDue(w))
	if at := l.run.NextDeadline(); !l.deleted && !at.IsZero() && !at.After(w.now) {
		w.fail("I7: looked at now, and due since %v still", at)
	}
}

func (w *world) poller() engine.Poller {
	return engine.Poller{Identity: "w", RequestID: fmt.Sprint("p", w.steps), DiscardSpeculative: w.one(2)}
}

// pause and unpause: an operator holds a run, and lets it go on.
func (w *world) pause() {
	l := w.someone()
	if l == nil {
		return
	}
	b, request := l.book, fmt.Sprint("z", w.rng.IntN(6))
	e := &expected{pauses: true, arrivals: []arrival{{what: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED, name: request}}}
	switch {
	case request == b.pauseID:
		e = nothing()
	case !b.open:
		e = refuse(engine.KindNotFound)
	case b.paused:
		e = refuse(engine.KindFailedPrecondition)
	default:
		e.after = func(*life) { b.paused, b.pauseID = true, request }
	}
	w.stepRun(l, &workflow.PauseWorkflow{Request: &workflowservice.PauseWorkflowExecutionRequest{RequestId: request}}, e)
}

func (w *world) unpause() {
	for _, l := range w.lives {
		if l.book.paused || w.one(12) {
			w.unpauseRun(l, fmt.Sprint("z", w.rng.IntN(6)))
			return
		}
	}
}

func (w *world) unpauseRun(l *life, request string) {
	b := l.book
	var e *expected
	switch {
	case request == b.unpauseID:
		e = nothing()
	case !b.open:
		e = refuse(engine.KindNotFound)
	case !b.paused:
		e = refuse(engine.KindFailedPrecondition)
	default:
		e = b.expectLate(w) // what is overdue of the activities comes with it
		e.arrivals = append(e.arrivals, arrival{what: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED, name: request})
		learn := e.after
		e.after = func(l *life) {
			learn(l)
			b.paused, b.unpauseID = false, request
		}
	}
	w.stepRun(l, &workflow.UnpauseWorkflow{Request: &workflowservice.UnpauseWorkflowExecutionRequest{RequestId: request}}, e)
}
