package workflow

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
)

// A run whose time may be skipped lives in a virtual time of its own: the shard's
// time and what was skipped so far (spec/workflow.md 8.3). It is for tests of
// workflows that wait for days. Whenever nothing is in flight, a step ends by
// setting the run's time to the next timer, and the deadline that is due then
// comes as any other.
//
// All times in a run's state and history are virtual. The shard's own time comes
// in by Run.own, and goes out by Run.NextDeadline, by the order of offers and by
// the time limit of deliveries; nothing else of a run is compared with it.

// Skipping is the state of a run whose time may be, or has been, skipped. It is a
// value: replaced, never changed.
type Skipping struct {
	// Config is what was asked for last; nil when the run only goes on from a time
	// that was skipped before it.
	Config *commonpb.TimeSkippingConfig
	// Skipped is how far the run's time is ahead of the shard's.
	Skipped time.Duration
	// Count is how often time was skipped since the config was set.
	Count int32
	// Target is the virtual time at which the fast-forward that was asked for is
	// complete, zero for none; Reached says that it is.
	Target  time.Time
	Reached bool
}

// defaultSkips is how often time is skipped if the config does not say.
const defaultSkips = 100

// Effective is the config in force: with the defaults filled in, and not enabled
// any more once the fast-forward is complete or all skips are used up; nil when
// there is none.
func (s *Skipping) Effective() *commonpb.TimeSkippingConfig {
	if s == nil || s.Config == nil {
		return nil
	}
	c := proto.CloneOf(s.Config)
	if c.MaxSessionSkipCount == 0 {
		c.MaxSessionSkipCount = defaultSkips
	}
	c.Enabled = c.Enabled && !s.Reached && s.Count < c.MaxSessionSkipCount
	return c
}

// skipped is how far the run's time is ahead.
func (i *Info) skipped() time.Duration {
	if i.Skipping == nil {
		return 0
	}
	return i.Skipping.Skipped
}

// OwnTime is the run's time at the shard's time given.
func (r *Run) OwnTime(t time.Time) time.Time { return t.Add(r.Info.skipped()) }

// ShardTime is the shard's time at the run's time given; zero for zero.
func (r *Run) ShardTime(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(-r.Info.skipped())
}

// own is env at the run's own time: what a draft over the run is to begin with.
func (r *Run) own(env *engine.Env) *engine.Env { return ahead(env, r.Info.skipped()) }

// ahead is env with the time set ahead.
func ahead(env *engine.Env, skipped time.Duration) *engine.Env {
	if skipped == 0 || env == nil {
		return env
	}
	return &engine.Env{Now: env.Now.Add(skipped), Fresh: env.Fresh, Namespace: env.Namespace, Limits: env.Limits}
}

// CheckSkipping refuses a config that makes no sense. Nil is good. The error is an
// *engine.Refusal of KindInvalidArgument.
func CheckSkipping(c *commonpb.TimeSkippingConfig, limits *engine.Limits) error {
	if c.GetMaxSessionSkipCount() < 0 {
		return engine.Invalid("max_session_skip_count can't be negative")
	}
	f := c.GetFastForwardConfig()
	switch {
	case f == nil:
	case f.GetId() == "":
		return engine.Invalid("fast_forward_config.id is required")
	case len(f.GetId()) > limits.IDLengthBytes:
		return engine.Invalid("fast_forward_config.id exceeds length limit")
	case duration.Check(f.GetDuration()) != nil || duration.Of(f.GetDuration()) <= 0:
		return engine.Invalid("fast_forward_config.duration must be positive")
	}
	return nil
}

// skippingAt is what a run begins with, by its Started event.
func skippingAt(ev *historypb.HistoryEvent) *Skipping {
	a := ev.GetWorkflowExecutionStartedEventAttributes()
	before := a.GetTimeSkippingStatePropagation()
	if a.GetTimeSkippingConfig() == nil && before == nil {
		return nil
	}
	start := ev.GetEventTime().AsTime()
	s := &Skipping{Config: a.GetTimeSkippingConfig(), Skipped: duration.Of(before.GetInitialSkippedDuration()), Count: before.GetInitialSkipCount()}
	switch {
	case before.GetFastForwardTargetTime() != nil:
		s.Target = before.GetFastForwardTargetTime().AsTime()
		s.Reached = !start.Before(s.Target)
	default:
		s.Target = targetOf(s.Config, start)
	}
	return s
}

// targetOf is when a fast-forward that begins now is complete; zero for none.
func targetOf(c *commonpb.TimeSkippingConfig, now time.Time) time.Time {
	if c.GetFastForwardConfig() == nil {
		return time.Time{}
	}
	return now.Add(duration.Of(c.GetFastForwardConfig().GetDuration()))
}

// configured begins a new session of skipping, or, with nil, ends it.
func (d *draft) configured(c *commonpb.TimeSkippingConfig, at time.Time) {
	d.info.Skipping = &Skipping{Config: c, Skipped: d.info.skipped(), Target: targetOf(c, at)}
}

// propagated is what the next run of the chain is told; child says that it is
// for a run of another id, which has no part in a fast-forward.
func (d *draft) propagated(child bool) (*commonpb.TimeSkippingConfig, *commonpb.TimeSkippingStatePropagation) {
	s := d.info.Skipping
	if s == nil {
		return nil, nil
	}
	p := &commonpb.TimeSkippingStatePropagation{InitialSkippedDuration: durationpb.New(s.Skipped)}
	if !child {
		p.InitialSkipCount, p.FastForwardTargetTime = s.Count, timestamp(s.Target)
		return s.Config, p
	}
	if s.Config == nil || s.Config.GetDisablePropagation() {
		return nil, p
	}
	c := s.Effective()
	c.MaxSessionSkipCount, c.FastForwardConfig = s.Config.GetMaxSessionSkipCount(), nil
	return c, p
}

// forwardDue reports whether a fast-forward is complete and that can be recorded:
// not behind a started workflow task, at whose end it is.
func (d *draft) forwardDue() bool {
	s := d.info.Skipping
	return s != nil && !s.Target.IsZero() && !s.Reached && !d.taskStarted() && !d.env.Now.Before(s.Target)
}

// forwardDeadline is when forwardDue is to be asked; zero for never.
func (i *Info) forwardDeadline() time.Time {
	if i.Skipping == nil || i.Skipping.Reached || i.Task != nil && i.Task.StartedEventID != 0 {
		return time.Time{}
	}
	return i.Skipping.Target
}

// skip sets the run's time ahead if nothing is in flight. It is asked at the end of
// a step, once the workflow task that the step calls for has been scheduled, and
// reports whether it has written an event.
func (d *draft) skip() bool {
	if !d.isOpen() {
		return false
	}
	if d.forwardDue() {
		d.transition(d.env.Now)
		return true
	}
	if !d.info.Skipping.Effective().GetEnabled() || d.inFlight() {
		return false
	}
	target := d.nextTimer()
	if !d.info.FirstTaskDone {
		target = earliest(target, d.fixed().ExecutionTime())
	}
	target = earliest(target, d.info.Skipping.Target)
	if target.IsZero() {
		return false // it waits for others, who live in their own time
	}
	if target = earliest(target, d.fixed().RunDeadline); !target.After(d.env.Now) {
		return false // due, and about to be looked at
	}
	d.transition(target)
	return true
}

// inFlight reports whether anybody else is at work for the run, or it may not go on.
func (d *draft) inFlight() bool {
	return d.paused() || d.info.Task != nil || d.info.AwaitsParent || d.unsent() ||
		d.activities.len() > 0 || d.children.len() > 0 || d.signals.len() > 0 || d.cancels.len() > 0
}

// nextTimer is when the first timer fires; zero for none.
func (d *draft) nextTimer() (next time.Time) {
	for _, id := range d.timers.keys() {
		next = earliest(next, d.timers.get(id).FireTime)
	}
	return next
}

// transition records that the run's time is target now, or, when it is that
// already, that the fast-forward has ended.
func (d *draft) transition(target time.Time) {
	s := d.info.Skipping
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED)
	ev.WorkerMayIgnore = true
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionTimeSkippingTransitionedEventAttributes{
		WorkflowExecutionTimeSkippingTransitionedEventAttributes: &historypb.WorkflowExecutionTimeSkippingTransitionedEventAttributes{
			TargetTime:               timestamp(target),
			DisabledAfterFastForward: !s.Target.IsZero() && !s.Reached && !target.Before(s.Target),
			WallClockTime:            timestamp(d.env.Now.Add(-s.Skipped)),
		}}
	d.arrive(ev)
	d.transitioned(ev)
}

// transitioned is what WorkflowExecutionTimeSkippingTransitioned does to the state.
func (d *draft) transitioned(ev *historypb.HistoryEvent) {
	a := ev.GetWorkflowExecutionTimeSkippingTransitionedEventAttributes()
	s := *d.info.Skipping
	if skipped := a.GetTargetTime().AsTime().Sub(a.GetWallClockTime().AsTime()); skipped != s.Skipped {
		s.Skipped = skipped
		s.Count++
	}
	s.Reached = s.Reached || a.GetDisabledAfterFastForward()
	d.info.Skipping = &s
}
