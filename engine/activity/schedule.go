package activity

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/priority"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/engine/taskqueue"
)

// Request is what is asked of a new activity, by a command or a start request.
type Request struct {
	ID              string
	Type            *commonpb.ActivityType
	TaskQueue       *taskqueuepb.TaskQueue
	ScheduleToClose *durationpb.Duration
	ScheduleToStart *durationpb.Duration
	StartToClose    *durationpb.Duration
	Heartbeat       *durationpb.Duration
	// StartDelay before the first hand-out; always nil in a workflow.
	StartDelay  *durationpb.Duration
	RetryPolicy *commonpb.RetryPolicy
	Priority    *commonpb.Priority
}

// Resolve checks the request and fills in what it leaves open: retry policy
// (AT-20) and timeouts (AT-10). runTimeout is that of the workflow run, 0 for
// none. The error is an *engine.Refusal of KindInvalidArgument with the text of
// spec/activity.md 1.1.
func (r *Request) Resolve(limits *engine.Limits, runTimeout time.Duration) (Options, error) {
	if err := r.checkNames(limits); err != nil {
		return Options{}, err
	}
	if err := r.checkTimeouts(); err != nil {
		return Options{}, err
	}
	policy := retry.Fill(r.RetryPolicy)
	if err := retry.Check(policy); err != nil {
		return Options{}, err
	}
	if err := priority.Check(r.Priority, limits); err != nil {
		return Options{}, engine.Invalid("invalid priorities: %v", err)
	}
	o := Options{
		TaskQueue:       r.TaskQueue.GetName(),
		ScheduleToClose: duration.Of(r.ScheduleToClose),
		ScheduleToStart: duration.Of(r.ScheduleToStart),
		StartToClose:    duration.Of(r.StartToClose),
		Heartbeat:       duration.Of(r.Heartbeat),
		StartDelay:      duration.Of(r.StartDelay),
		RetryPolicy:     policy,
		Priority:        r.Priority,
	}
	return o.Normalize(runTimeout), nil
}

func (r *Request) checkNames(limits *engine.Limits) error {
	switch name, limit := r.Type.GetName(), limits.IDLengthBytes; {
	case r.ID == "":
		return engine.Invalid("activityId is not set")
	case name == "":
		return engine.Invalid("activityType is not set")
	case len(r.ID) > limit:
		return engine.Invalid("activityId exceeds length limit. Length=%d Limit=%d", len(r.ID), limit)
	case len(name) > limit:
		return engine.Invalid("activityType exceeds length limit. Length=%d Limit=%d", len(name), limit)
	}
	return taskqueue.Check(r.TaskQueue, limits)
}

func (r *Request) checkTimeouts() error {
	for _, t := range []struct {
		name string
		d    *durationpb.Duration
	}{
		{"ScheduleToCloseTimeout", r.ScheduleToClose},
		{"ScheduleToStartTimeout", r.ScheduleToStart},
		{"StartToCloseTimeout", r.StartToClose},
		{"HeartbeatTimeout", r.Heartbeat},
		{"StartDelay", r.StartDelay},
	} {
		if err := duration.Check(t.d); err != nil {
			return engine.Invalid("invalid %s: %v", t.name, err)
		}
	}
	if duration.Of(r.ScheduleToClose) == 0 && duration.Of(r.StartToClose) == 0 {
		return engine.Invalid("a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity.")
	}
	return nil
}

// Normalize derives the timeouts that are not given and cuts those that are too
// long (table 1.2, AT-10). At least one of ScheduleToClose and StartToClose is
// set. runTimeout is that of the workflow run, 0 for none.
func (o Options) Normalize(runTimeout time.Duration) Options {
	if o.ScheduleToClose > 0 {
		o.ScheduleToStart = atMost(o.ScheduleToStart, o.ScheduleToClose)
		o.StartToClose = atMost(o.StartToClose, o.ScheduleToClose)
	}
	if runTimeout > 0 {
		o.ScheduleToClose = atMost(o.ScheduleToClose, runTimeout)
		o.ScheduleToStart = atMost(o.ScheduleToStart, runTimeout)
		o.StartToClose = atMost(o.StartToClose, runTimeout)
	}
	o.Heartbeat = min(o.Heartbeat, o.StartToClose) // 0 stays: no heartbeat timeout
	return o
}

// atMost is d cut to limit; unset is limit itself.
func atMost(d, limit time.Duration) time.Duration {
	if d == 0 {
		return limit
	}
	return min(d, limit)
}

// New is the activity just asked for, its first attempt due at once, or when the
// start delay is over. The caller fills in what else it knows it by.
func New(house House, id, activityType string, o Options, now time.Time) *State {
	s := &State{ID: id, Type: activityType, House: house, Options: o}
	return scheduling.move(s, func(next *State) {
		next.Attempt = 1
		next.Stamp = 1
		next.ScheduledTime = now
		next.DueTime = next.readyTime()
	}).State
}
