package activity

import (
	"slices"
	"strings"
	"time"
	"unicode"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/taskqueue"
)

// Patch is what an update changes of the options: the fields of Options that
// Paths name, in snake or lower camel case (AT-166). Unknown paths are ignored in
// a workflow, and refused standing alone (AX-45).
type Patch struct {
	Options *activitypb.ActivityOptions
	Paths   []string
}

// Apply gives the options of s with the patch brought in, checked and resolved
// as those of a new activity (AT-10, AT-22). runTimeout is that of the workflow
// run, 0 for none. The error is an *engine.Refusal of KindInvalidArgument.
func (p Patch) Apply(s *State, limits *engine.Limits, runTimeout time.Duration) (Options, error) {
	r, rules := s.request(), s.House.rules()
	for _, path := range p.Paths {
		f, known := patches[snake(path)]
		if !known || !rules.delayed && snake(path) == startDelayPath {
			if rules.strictPaths {
				return Options{}, engine.Invalid("unsupported update_mask path: %q", path)
			}
			continue
		}
		if f.missing != nil && f.missing(p.Options) {
			return Options{}, engine.Invalid("%s is not provided", f.parent)
		}
		f.set(r, p.Options)
	}
	return r.Resolve(limits, runTimeout)
}

// Delays reports whether the patch is about the start delay.
func (p Patch) Delays() bool {
	return slices.ContainsFunc(p.Paths, func(path string) bool { return snake(path) == startDelayPath })
}

// request is s as it would be asked for. Its messages are its own.
func (s *State) request() *Request {
	r := &Request{
		ID:              s.ID,
		Type:            &commonpb.ActivityType{Name: s.Type},
		TaskQueue:       taskqueue.Normal(s.TaskQueue),
		ScheduleToClose: duration.Proto(s.ScheduleToClose),
		ScheduleToStart: duration.Proto(s.ScheduleToStart),
		StartToClose:    duration.Proto(s.StartToClose),
		Heartbeat:       duration.Proto(s.Heartbeat),
		StartDelay:      duration.Proto(s.StartDelay),
		RetryPolicy:     proto.CloneOf(s.RetryPolicy),
		Priority:        proto.CloneOf(s.Priority),
	}
	return r
}

// patch is one path of AT-166.
type patch struct {
	// parent names the message that missing finds absent; nil missing: none is needed.
	parent  string
	missing func(*activitypb.ActivityOptions) bool
	set     func(*Request, *activitypb.ActivityOptions)
}

func noTaskQueue(o *activitypb.ActivityOptions) bool   { return o.GetTaskQueue() == nil }
func noPriority(o *activitypb.ActivityOptions) bool    { return o.GetPriority() == nil }
func noRetryPolicy(o *activitypb.ActivityOptions) bool { return o.GetRetryPolicy() == nil }

// startDelayPath is known only where there is a start delay.
const startDelayPath = "start_delay"

var patches = map[string]patch{
	"task_queue.name": {"TaskQueue", noTaskQueue, func(r *Request, o *activitypb.ActivityOptions) {
		r.TaskQueue = taskqueue.Normal(o.GetTaskQueue().GetName())
	}},
	"schedule_to_close_timeout": {set: func(r *Request, o *activitypb.ActivityOptions) { r.ScheduleToClose = o.GetScheduleToCloseTimeout() }},
	"schedule_to_start_timeout": {set: func(r *Request, o *activitypb.ActivityOptions) { r.ScheduleToStart = o.GetScheduleToStartTimeout() }},
	"start_to_close_timeout":    {set: func(r *Request, o *activitypb.ActivityOptions) { r.StartToClose = o.GetStartToCloseTimeout() }},
	"heartbeat_timeout":         {set: func(r *Request, o *activitypb.ActivityOptions) { r.Heartbeat = o.GetHeartbeatTimeout() }},
	startDelayPath:              {set: func(r *Request, o *activitypb.ActivityOptions) { r.StartDelay = o.GetStartDelay() }},

	// Without a priority: back to that of the workflow.
	"priority": {set: func(r *Request, o *activitypb.ActivityOptions) { r.Priority = o.GetPriority() }},
	"priority.priority_key": {"Priority", noPriority, func(r *Request, o *activitypb.ActivityOptions) {
		r.priority().PriorityKey = o.GetPriority().GetPriorityKey()
	}},
	"priority.fairness_key": {"Priority", noPriority, func(r *Request, o *activitypb.ActivityOptions) {
		r.priority().FairnessKey = o.GetPriority().GetFairnessKey()
	}},
	"priority.fairness_weight": {"Priority", noPriority, func(r *Request, o *activitypb.ActivityOptions) {
		r.priority().FairnessWeight = o.GetPriority().GetFairnessWeight()
	}},

	"retry_policy": {"RetryPolicy", noRetryPolicy, setRetryPolicy},
	"retry_policy.initial_interval": {"RetryPolicy", noRetryPolicy, func(r *Request, o *activitypb.ActivityOptions) {
		r.RetryPolicy.InitialInterval = o.GetRetryPolicy().GetInitialInterval()
	}},
	"retry_policy.backoff_coefficient": {"RetryPolicy", noRetryPolicy, func(r *Request, o *activitypb.ActivityOptions) {
		r.RetryPolicy.BackoffCoefficient = o.GetRetryPolicy().GetBackoffCoefficient()
	}},
	"retry_policy.maximum_interval": {"RetryPolicy", noRetryPolicy, func(r *Request, o *activitypb.ActivityOptions) {
		r.RetryPolicy.MaximumInterval = o.GetRetryPolicy().GetMaximumInterval()
	}},
	"retry_policy.maximum_attempts": {"RetryPolicy", noRetryPolicy, func(r *Request, o *activitypb.ActivityOptions) {
		r.RetryPolicy.MaximumAttempts = o.GetRetryPolicy().GetMaximumAttempts()
	}},
}

// setRetryPolicy replaces the policy. Descriptions do not show the error types
// that are not retried (AT-150), so that a policy read, changed and sent back
// has none: they stay, unless the new policy names its own.
func setRetryPolicy(r *Request, o *activitypb.ActivityOptions) {
	p := proto.CloneOf(o.GetRetryPolicy())
	if len(p.NonRetryableErrorTypes) == 0 {
		p.NonRetryableErrorTypes = r.RetryPolicy.GetNonRetryableErrorTypes()
	}
	r.RetryPolicy = p
}

func (r *Request) priority() *commonpb.Priority {
	if r.Priority == nil {
		r.Priority = &commonpb.Priority{}
	}
	return r.Priority
}

// snake is a path in snake case: "retryPolicy.maximumAttempts" is
// "retry_policy.maximum_attempts".
func snake(path string) string {
	var b strings.Builder
	for _, c := range path {
		if unicode.IsUpper(c) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
