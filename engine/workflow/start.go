package workflow

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/cron"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/versioning"
)

// startWorkflow starts a run, or answers by the id policies (spec/workflow.md
// 1.3 to 1.5): a repetition first, whatever the policies say; then the conflict
// policy while the current run is open, the reuse policy once it is closed.
func startWorkflow(env *engine.Env, id engine.ID, current *Run, in *StartWorkflow) (*Result, error) {
	if err := checkStart(in.Request); err != nil {
		return nil, err
	}
	if err := checkCallbackCount(env.Limits, 0, len(in.Request.GetCompletionCallbacks())); err != nil {
		return nil, err
	}
	if reply := repeatedStart(env, current, in); reply != nil {
		return &Result{Run: adoption(env, current, in), Reply: reply}, nil
	}
	reuse, conflict := startPolicies(in.Request.GetWorkflowIdReusePolicy(), in.Request.GetWorkflowIdConflictPolicy())
	res := &Result{}
	runID := env.Fresh.RunID(env.Now)
	switch {
	case current == nil:
	case !current.Open():
		if err := checkReuse(current, reuse); err != nil {
			return nil, err
		}
	case conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING:
		d := newDraft(current.own(env), current)
		d.replacedBy(runID)
		res.Run = d.finish()
	case conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
		return useExisting(env, current, in.Request)
	default:
		return nil, alreadyRunning(current)
	}
	res.New, res.Reply = begin(env, engine.RunKey{ID: id, RunID: runID}, in, nil)
	return res, nil
}

// checkStart refuses what no state could make possible, as far as the edge cannot
// tell.
func checkStart(req *workflowservice.StartWorkflowExecutionRequest) error {
	return versioning.CheckQueue(req.GetVersioningOverride(), req.GetTaskQueue().GetName())
}

// startPolicies resolves defaults and the deprecated reuse policy.
func startPolicies(reuse enumspb.WorkflowIdReusePolicy, conflict enumspb.WorkflowIdConflictPolicy) (enumspb.WorkflowIdReusePolicy, enumspb.WorkflowIdConflictPolicy) {
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING {
		return enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	}
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	return reuse, conflict
}

// repeatedStart answers a request that has taken effect on the current run
// before; nil when this is none.
func repeatedStart(env *engine.Env, current *Run, in *StartWorkflow) *Started {
	if current == nil {
		return nil
	}
	if m := in.Child; m != nil {
		// The chain may have gone on since the child's first run was created.
		if current.Start.Parent.started(m) {
			return &Started{RunID: current.Start.FirstRunID, FirstRunID: current.Start.FirstRunID,
				Started: true, Status: current.Info.Status}
		}
	}
	requestID := in.Request.GetRequestId()
	r := current.Requests[requestID]
	if requestID == "" || r == nil {
		return nil
	}
	reply := existing(current)
	if requestID != current.Start.RequestID {
		reply.Link = requestLink(current, requestID, r.EventType)
		return reply
	}
	reply.Started = true
	if t := current.Info.Task; in.Request.GetRequestEagerExecution() && t != nil &&
		t.StartedEventID == eagerStartedID && t.Attempt == 1 && !t.onOffer() && t.RequestID == requestID {
		reply.EagerTask = newDraft(current.own(env), current).taskReply(false)
	}
	return reply
}

// started reports whether the message is the one by which this parent, or the
// run before it that was reset, has started the child.
func (p *Parent) started(m *engine.Message) bool {
	return p != nil && p.Run.ID == m.From.ID && p.InitiatedEventID == m.EventID &&
		(p.Run == m.From || p.RequestID != "" && p.RequestID == m.RequestID)
}

// was reports whether the run is the parent, or was before a reset.
func (p *Parent) was(run engine.RunKey) bool {
	return p.Run == run || slices.Contains(p.Former, run.RunID)
}

// adoption is the change of a child that was started before, by a run in whose
// place a reset has put the sender; nil for none.
func adoption(env *engine.Env, current *Run, in *StartWorkflow) *Change {
	if in.Child == nil || !current.Open() || current.Start.Parent == nil || current.Start.Parent.was(in.Child.From) {
		return nil
	}
	if !in.Child.Inherited() {
		return nil // it is the first that ever sent it, and its message was overtaken: whoever the parent is has taken its place
	}
	d := newDraft(current.own(env), current)
	d.adoptedBy(in.Child.From)
	return d.finish()
}

// eagerStartedID is the WorkflowTaskStarted event of an eager start.
const eagerStartedID = 3

// existing describes a run that was there before.
func existing(run *Run) *Started {
	return &Started{
		RunID:      run.Key.RunID,
		FirstRunID: run.Start.FirstRunID,
		Status:     run.Info.Status,
		Link:       eventLink(run.Start.NamespaceName, run.Key, 1, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
	}
}

func alreadyRunning(run *Run) *engine.Refusal {
	return alreadyStarted(run, "Workflow execution is already running. WorkflowId: %s, RunId: %s.")
}

func alreadyStarted(run *Run, format string) *engine.Refusal {
	r := engine.Refuse(engine.KindAlreadyStarted, format, run.Key.Name, run.Key.RunID)
	r.Detail = &errordetails.WorkflowExecutionAlreadyStartedFailure{
		StartRequestId:      run.Start.RequestID,
		RunId:               run.Key.RunID,
		FirstExecutionRunId: run.Start.FirstRunID,
	}
	return r
}

// checkReuse applies the reuse policy to a closed run.
func checkReuse(run *Run, reuse enumspb.WorkflowIdReusePolicy) error {
	switch reuse {
	case enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
		return alreadyStarted(run, "Workflow execution already finished. WorkflowId: %s, RunId: %s. Workflow Id reuse policy: reject duplicate workflow Id.")
	case enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
		switch run.Info.Status {
		case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
			return alreadyStarted(run, "Workflow execution already finished successfully. WorkflowId: %s, RunId: %s. Workflow Id reuse policy: allow duplicate workflow Id if last run failed.")
		}
	}
	return nil
}

// useExisting answers with the open run and, if asked, attaches the request to it.
func useExisting(env *engine.Env, run *Run, req *workflowservice.StartWorkflowExecutionRequest) (*Result, error) {
	d := newDraft(run.own(env), run)
	reply, err := d.use(req)
	if err != nil {
		return nil, err
	}
	return d.result(reply), nil
}

// use has a start request take the run for its own.
func (d *draft) use(req *workflowservice.StartWorkflowExecutionRequest) (*Started, error) {
	env, run := d.env, d.base
	reply := existing(run)
	opts := req.GetOnConflictOptions()
	if opts == nil || !opts.GetAttachRequestId() && !(opts.GetAttachLinks() && len(req.GetLinks()) > 0) {
		d.untouched = true
		return reply, nil
	}
	if err := d.checkRoom(); err != nil {
		return nil, err
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)
	ev.WorkerMayIgnore = true
	a := &historypb.WorkflowExecutionOptionsUpdatedEventAttributes{Identity: req.GetIdentity()}
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionOptionsUpdatedEventAttributes{
		WorkflowExecutionOptionsUpdatedEventAttributes: a}
	if opts.GetAttachLinks() {
		ev.Links = req.GetLinks()
	}
	if opts.GetAttachRequestId() {
		if attached(run) >= env.Limits.RequestIDs {
			return nil, engine.Refuse(engine.KindFailedPrecondition,
				"cannot attach more than %d request IDs to a workflow", env.Limits.RequestIDs)
		}
		a.AttachedRequestId = req.GetRequestId()
	}
	if opts.GetAttachCompletionCallbacks() {
		if err := checkCallbackCount(env.Limits, run.closeCallbacks(), len(req.GetCompletionCallbacks())); err != nil {
			return nil, err
		}
		a.AttachedCompletionCallbacks = req.GetCompletionCallbacks()
	}
	eventID, buffered := d.arrive(ev)
	d.attachCallbacks(a.AttachedCompletionCallbacks, a.AttachedRequestId, ev)
	if a.AttachedRequestId != "" {
		d.requests.put(a.AttachedRequestId, &Request{EventType: ev.EventType, EventID: eventID, Buffered: buffered})
		reply.Link = requestLink(run, a.AttachedRequestId, ev.EventType)
	}
	return reply, nil
}

// attached counts the request ids of a run other than signals'.
func attached(run *Run) int {
	n := 0
	for _, r := range run.Requests {
		if r.EventType != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
			n++
		}
	}
	return n
}

// begin creates the run a request asks for. also, if set, adds to its first
// batch (the signal of a signal-with-start).
func begin(env *engine.Env, key engine.RunKey, in *StartWorkflow, also func(*draft)) (*Newborn, *Started) {
	// A child begins at its parent's time, if that has been skipped.
	env = ahead(env, duration.Of(in.Request.GetTimeSkippingStatePropagation().GetInitialSkippedDuration()))
	s, started := startOf(env, key, in)
	d := newborn(env, key, s, started)
	d.info.AwaitsParent = in.Child != nil
	if also != nil {
		also(d)
	}
	d.firstTask()
	reply := &Started{
		RunID:      key.RunID,
		FirstRunID: s.FirstRunID,
		Started:    true,
		Status:     enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Link:       eventLink(s.NamespaceName, key, 1, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
	}
	if in.Request.GetRequestEagerExecution() && in.Child == nil && d.taskWanted {
		started.GetWorkflowExecutionStartedEventAttributes().EagerExecutionAccepted = true
		d.taskWanted = false
		d.scheduleTask().Inline = true
		poller := in.Poller
		poller.RequestID = s.RequestID
		poller.Identity = in.Request.GetIdentity()
		d.beginTask(poller)
		reply.EagerTask = d.taskReply(false)
	}
	return d.delivered(started), reply
}

// startOf derives the fixed part and the Started event from a request.
func startOf(env *engine.Env, key engine.RunKey, in *StartWorkflow) (*Start, *historypb.HistoryEvent) {
	req := in.Request
	s := &Start{
		NamespaceName:     env.Namespace.Name,
		WorkflowType:      req.GetWorkflowType().GetName(),
		TaskQueue:         req.GetTaskQueue().GetName(),
		Identity:          req.GetIdentity(),
		RequestID:         req.GetRequestId(),
		FirstRunID:        key.RunID,
		OriginalRunID:     key.RunID,
		Attempt:           1,
		CronSchedule:      req.GetCronSchedule(),
		StartTime:         env.Now,
		OriginalStartTime: env.Now,
		Backoff:           duration.Of(req.GetWorkflowStartDelay()),
		ExecutionTimeout:  duration.Of(req.GetWorkflowExecutionTimeout()),
		Priority:          req.GetPriority(),
		UserMetadata:      req.GetUserMetadata(),
		Linked:            len(req.GetLinks()) > 0,
	}
	if s.RequestID == "" {
		s.RequestID = env.Fresh.UUID()
	}
	if req.GetRetryPolicy() != nil {
		s.RetryPolicy = retry.Fill(req.GetRetryPolicy())
	}
	if s.CronSchedule != "" {
		s.Initiator = enumspb.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
		s.Backoff, _ = cron.Backoff(s.CronSchedule, env.Now, env.Now)
	}
	s.RunTimeout = runTimeout(duration.Of(req.GetWorkflowRunTimeout()), s.ExecutionTimeout)
	s.TaskTimeout = workflowTaskTimeout(env.Limits, duration.Of(req.GetWorkflowTaskTimeout()), s.RunTimeout)
	s.setDeadlines()
	if m := in.Child; m != nil {
		s.Parent = &Parent{Run: m.From, NamespaceName: m.NamespaceName, InitiatedEventID: m.EventID, RequestID: m.RequestID}
		s.Root = m.Root
		if s.Root == nil {
			s.Root = execution(m.From)
		}
	}
	ev := s.event()
	ev.Links = req.GetLinks()
	a := ev.GetWorkflowExecutionStartedEventAttributes()
	a.WorkflowId = key.Name
	a.Input = req.GetInput()
	a.Header = req.GetHeader()
	a.Memo = searchattr.MergeMemo(nil, req.GetMemo())
	a.SearchAttributes = searchattr.WithTypes(env.Namespace, req.GetSearchAttributes())
	a.VersioningOverride = versioning.Normal(req.GetVersioningOverride())
	a.TimeSkippingConfig = req.GetTimeSkippingConfig()
	a.TimeSkippingStatePropagation = req.GetTimeSkippingStatePropagation()
	a.ContinuedFailure = req.GetContinuedFailure()
	a.LastCompletionResult = req.GetLastCompletionResult()
	a.CompletionCallbacks = req.GetCompletionCallbacks()
	a.WorkflowExecutionTimeout = explicit(req.GetWorkflowExecutionTimeout(), in.Child != nil)
	a.WorkflowRunTimeout = explicit(req.GetWorkflowRunTimeout(), in.Child != nil)
	if req.GetWorkflowRunTimeout() != nil {
		a.WorkflowRunTimeout = duration.Proto(s.RunTimeout)
	}
	return s, ev
}

// explicit keeps a timeout that a client left unset unset; children show zero.
func explicit(d *durationpb.Duration, always bool) *durationpb.Duration {
	if d == nil && !always {
		return nil
	}
	return duration.Proto(duration.Of(d))
}

// startedRun is a Started event with its parts. Every run has this event and
// those of workflow tasks: each is one object, where its parts one by one were
// four to seven, a third of all that the core allocated.
type startedRun struct {
	event        historypb.HistoryEvent
	variant      historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes
	attributes   historypb.WorkflowExecutionStartedEventAttributes
	workflowType commonpb.WorkflowType
	queue        taskqueuepb.TaskQueue
}

// event makes the Started event out of what the fixed part knows; the caller
// adds input, header, memo and the like.
func (s *Start) event() *historypb.HistoryEvent {
	x := &startedRun{attributes: historypb.WorkflowExecutionStartedEventAttributes{
		WorkflowTaskTimeout:             duration.Proto(s.TaskTimeout),
		ContinuedExecutionRunId:         s.ContinuedRunID,
		Initiator:                       s.Initiator,
		OriginalExecutionRunId:          s.OriginalRunID,
		Identity:                        s.Identity,
		FirstExecutionRunId:             s.FirstRunID,
		RetryPolicy:                     s.RetryPolicy,
		Attempt:                         s.Attempt,
		WorkflowExecutionExpirationTime: timestamp(s.ExecutionDeadline),
		CronSchedule:                    s.CronSchedule,
		FirstWorkflowTaskBackoff:        duration.Proto(max(s.Backoff, time.Duration(0))),
		Priority:                        s.Priority,
		RootWorkflowExecution:           s.Root,
	}}
	a := &x.attributes
	x.workflowType.Name, a.WorkflowType = s.WorkflowType, &x.workflowType
	x.queue.Name, x.queue.Kind, a.TaskQueue = s.TaskQueue, enumspb.TASK_QUEUE_KIND_NORMAL, &x.queue
	if p := s.Parent; p != nil {
		a.ParentWorkflowNamespace = p.NamespaceName
		a.ParentWorkflowNamespaceId = p.Run.NamespaceID
		a.ParentWorkflowExecution = execution(p.Run)
		a.ParentInitiatedEventId = p.InitiatedEventID
	}
	x.event.EventType = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
	x.event.EventTime = timestamp(s.StartTime)
	x.event.UserMetadata = s.UserMetadata
	x.variant.WorkflowExecutionStartedEventAttributes, x.event.Attributes = a, &x.variant
	return &x.event
}
