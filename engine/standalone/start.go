package standalone

import (
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/internal/invariant"
)

// startExecution starts a run, or answers by the id policies (AX-4): a repetition
// first, whatever the policies say; then the conflict policy while the current
// run is open, the reuse policy once it has closed.
func startExecution(env *engine.Env, id engine.ID, current *Run, in *StartExecution) (*Result, error) {
	options, err := optionsOf(in.Request).Resolve(env.Limits, 0)
	if err != nil {
		return nil, err
	}
	switch {
	case current == nil:
	case current.requestedBy(in.Request.GetRequestId()):
		return &Result{Reply: repeated(current, in.Request)}, nil
	case !current.Open():
		if err := checkReuse(current, in.Request.GetIdReusePolicy()); err != nil {
			return nil, err
		}
	case in.Request.GetIdConflictPolicy() == enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING:
		return useExisting(env, current, in.Request)
	default:
		return nil, alreadyStarted(current)
	}
	return begin(env, engine.RunKey{ID: id, RunID: env.Fresh.RunID(env.Now)}, in, options)
}

func optionsOf(req *workflowservice.StartActivityExecutionRequest) *activity.Request {
	return &activity.Request{
		ID:              req.GetActivityId(),
		Type:            req.GetActivityType(),
		TaskQueue:       req.GetTaskQueue(),
		ScheduleToClose: req.GetScheduleToCloseTimeout(),
		ScheduleToStart: req.GetScheduleToStartTimeout(),
		StartToClose:    req.GetStartToCloseTimeout(),
		Heartbeat:       req.GetHeartbeatTimeout(),
		StartDelay:      req.GetStartDelay(),
		RetryPolicy:     req.GetRetryPolicy(),
		Priority:        req.GetPriority(),
	}
}

// requestedBy reports whether the start request with that id has taken effect on
// the run before.
func (r *Run) requestedBy(id string) bool {
	return id != "" && (id == r.Start.RequestID ||
		slices.ContainsFunc(r.Attachments, func(a *Attachment) bool { return a.RequestID == id }))
}

// repeated answers a request that has taken effect before. Whoever got an eager
// attempt by it and asks again has lost the answer: it is given once more while
// it is what it was.
func repeated(run *Run, req *workflowservice.StartActivityExecutionRequest) *StartedExecution {
	reply := existing(run)
	s := run.Activity
	if req.GetRequestEagerExecution() && run.Open() && run.Start.Eager && req.GetRequestId() == run.Start.RequestID &&
		!s.Unstarted() && s.RequestID == req.GetRequestId() {
		reply.EagerTask = &Started{Run: run.Key, Start: run.Start, Activity: s}
	}
	return reply
}

// existing describes a run that was there before.
func existing(run *Run) *StartedExecution {
	return &StartedExecution{RunID: run.Key.RunID, Link: link(run.Start.NamespaceName, run.Key)}
}

// link names a run.
func link(namespace string, key engine.RunKey) *commonpb.Link {
	x := &struct { // every start is answered with one: one object instead of three
		link     commonpb.Link
		variant  commonpb.Link_Activity_
		activity commonpb.Link_Activity
	}{activity: commonpb.Link_Activity{Namespace: namespace, ActivityId: key.Name, RunId: key.RunID}}
	x.variant.Activity, x.link.Variant = &x.activity, &x.variant
	return &x.link
}

func alreadyStarted(run *Run) *engine.Refusal {
	r := engine.Refuse(engine.KindAlreadyStarted, "activity execution already started")
	r.Detail = &errordetails.ActivityExecutionAlreadyStartedFailure{
		StartRequestId: run.Start.RequestID,
		RunId:          run.Key.RunID,
	}
	return r
}

// checkReuse applies the reuse policy to a closed run.
func checkReuse(run *Run, reuse enumspb.ActivityIdReusePolicy) error {
	switch reuse {
	case enumspb.ACTIVITY_ID_REUSE_POLICY_REJECT_DUPLICATE:
		return alreadyStarted(run)
	case enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
		if run.Info.Status == enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED {
			return alreadyStarted(run)
		}
	}
	return nil
}

// begin creates the run a request asks for.
func begin(env *engine.Env, key engine.RunKey, in *StartExecution, o activity.Options) (*Result, error) {
	s := startOf(env, in, o)
	d := newDraft(env, &Run{Key: key, Start: s, Info: &Info{StateBytes: s.size()}})
	if err := d.attachCallbacks(in.Request.GetCompletionCallbacks(), ""); err != nil {
		return nil, err
	}
	a := activity.New(activity.Alone, key.Name, s.ActivityType, o, env.Now)
	reply := &StartedExecution{RunID: key.RunID, Started: true, Link: link(s.NamespaceName, key)}
	if s.Eager {
		poller := in.Poller
		poller.Identity, poller.RequestID = s.Identity, s.RequestID
		started, err := a.Start(env.Now, a.Stamp, &poller)
		invariant.Check(err == nil, "activity %s was scheduled in this step, but cannot start: %v", s.RequestID, err)
		a = started
		d.begun(&poller)
		reply.EagerTask = &Started{Run: key, Start: s, Activity: a}
	}
	d.put(a)
	c := d.finish()
	c.Start = s
	run := d.base // made for this draft, and known to nobody else
	run.Apply(c)
	return &Result{New: &Newborn{Run: run, Change: c}, Reply: reply}, nil
}

// startOf derives the fixed part from a request. An eager attempt is granted
// whenever it is asked for, unless it must not begin yet.
func startOf(env *engine.Env, in *StartExecution, o activity.Options) *Start {
	req := in.Request
	s := &Start{
		NamespaceName: env.Namespace.Name,
		ActivityType:  req.GetActivityType().GetName(),
		Identity:      req.GetIdentity(),
		RequestID:     req.GetRequestId(),
		ScheduleTime:  env.Now,
		Options:       o,
		Input:         req.GetInput(),
		Header:        req.GetHeader(),
		UserMetadata:  req.GetUserMetadata(),
		Links:         req.GetLinks(),
		NexusContext:  req.GetPropagatedNexusSerializationContext(),
		Eager:         req.GetRequestEagerExecution() && o.StartDelay == 0,
	}
	if s.RequestID == "" {
		s.RequestID = env.Fresh.UUID()
	}
	if len(req.GetSearchAttributes().GetIndexedFields()) > 0 {
		s.SearchAttributes = searchattr.WithTypes(env.Namespace, req.GetSearchAttributes())
	}
	return s
}
