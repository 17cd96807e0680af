package workflow

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/priority"
)

// The inputs about activities. What they do to an activity is decided in package
// activity; here its state is kept, offered and withdrawn, and its outcome
// becomes events (event_activity_closed.go).

// startActivity gives the offered attempt to a poller (AT-51, AT-52).
func (d *draft) startActivity(in *StartActivity) (any, error) {
	s := d.activities.get(in.EventID)
	if s == nil || !d.isOpen() || d.paused() {
		return nil, engine.Stale("no such activity is waiting")
	}
	next, err := s.Start(d.env.Now, in.Stamp, &in.Poller)
	if err != nil {
		return nil, err
	}
	if next == s { // the same poll asks again
		d.untouched = true
		return d.activityReply(s), nil
	}
	d.withdrawActivity(s)
	d.activities.put(in.EventID, next)
	return d.activityReply(next), nil
}

// activityReply describes a started attempt for its worker (spec/activity.md 3.1).
func (d *draft) activityReply(s *activity.State) *ActivityStarted {
	return &ActivityStarted{
		Token: ActivityToken{
			Run:              d.base.Key,
			ScheduledEventID: s.ScheduledEventID,
			ActivityID:       s.ID,
			Attempt:          s.Attempt,
			Stamp:            s.Stamp,
		},
		NamespaceName:               d.fixed().NamespaceName,
		WorkflowType:                d.fixed().WorkflowType,
		ActivityType:                s.Type,
		Attempt:                     s.Attempt,
		ScheduledTime:               s.ScheduledTime,
		CurrentAttemptScheduledTime: s.DueTime,
		StartedTime:                 s.StartedTime,
		ScheduleToClose:             s.ScheduleToClose,
		StartToClose:                s.StartToClose,
		Heartbeat:                   s.Heartbeat,
		RetryPolicy:                 s.RetryPolicy,
		HeartbeatDetails:            s.HeartbeatDetails,
		Priority:                    priority.Merge(s.Priority, d.fixed().Priority),
		BatchID:                     s.BatchID,
		Scheduled:                   d.scheduledEvent(s.ScheduledEventID),
	}
}

// abortActivity puts an attempt back whose poller was gone before it was told.
func (d *draft) abortActivity(in *AbortActivity) (any, error) {
	s := d.activities.get(in.Token.ScheduledEventID)
	if s == nil || !d.isOpen() {
		return nil, engine.Stale("the activity is gone")
	}
	step, err := s.Abort(in.Token.Stamp)
	if err != nil {
		return nil, err
	}
	d.stepped(s, step)
	return nil, nil
}

// heartbeatActivity records that an attempt is alive (AT-120 to AT-123).
func (d *draft) heartbeatActivity(in *HeartbeatActivity) (any, error) {
	s, stamp, err := d.answering(in.Ref)
	if err != nil {
		return nil, err
	}
	step, heard, err := s.RecordHeartbeat(d.env, stamp, in.Details, in.Identity)
	if err != nil {
		return nil, err
	}
	d.stepped(s, step)
	// Nothing but the details and the time of the report changed: the shell may
	// write that a little later (DESIGN I1).
	d.change.Deferrable = step.Outcome == nil
	d.change.Trivial = d.change.Deferrable && step.State.HeartbeatDetails == s.HeartbeatDetails
	return &workflowservice.RecordActivityTaskHeartbeatResponse{
		CancelRequested: heard.CancelRequested,
		ActivityPaused:  heard.Paused,
		ActivityReset:   heard.Reset,
	}, nil
}

// completeActivity takes a result (AT-80, AT-43).
func (d *draft) completeActivity(in *CompleteActivity) (any, error) {
	s, stamp, err := d.answering(in.Ref)
	if err != nil {
		return nil, err
	}
	step, err := s.Complete(d.env, stamp, in.Result, in.Identity)
	if err != nil {
		return nil, err
	}
	d.stepped(s, step)
	return &workflowservice.RespondActivityTaskCompletedResponse{}, nil
}

// failActivity takes a failure: another attempt follows, or the activity ends
// (AT-81 to AT-85, AT-102).
func (d *draft) failActivity(in *FailActivity) (any, error) {
	s, stamp, err := d.answering(in.Ref)
	if err != nil {
		return nil, err
	}
	step, complaints, err := s.Fail(d.env, stamp, in.Failure, in.HeartbeatDetails, in.Identity)
	if err != nil {
		return nil, err
	}
	if step.Outcome != nil {
		step.Outcome.Cause = in.Cause
	}
	d.stepped(s, step)
	return &workflowservice.RespondActivityTaskFailedResponse{Failures: complaints}, nil
}

// cancelActivity: the worker accepts the cancellation (AT-133, AT-86).
func (d *draft) cancelActivity(in *CancelActivity) (any, error) {
	s, stamp, err := d.answering(in.Ref)
	if err != nil {
		return nil, err
	}
	step, err := s.AcceptCancel(d.env, stamp, in.Details, in.Identity)
	if err != nil {
		return nil, err
	}
	d.stepped(s, step)
	return &workflowservice.RespondActivityTaskCanceledResponse{}, nil
}

// answering finds the activity that an answer or heartbeat is about, and the
// stamp its caller holds (spec/activity.md 3.3).
func (d *draft) answering(ref ActivityRef) (s *activity.State, stamp int64, err error) {
	if !d.isOpen() {
		return nil, 0, closedRun()
	}
	if t := ref.Token; t != nil {
		if s = d.activities.get(t.ScheduledEventID); s == nil {
			return nil, 0, activity.Gone()
		}
		return s, t.Stamp, nil
	}
	if s = d.activityByID(ref.ID); s == nil {
		return nil, 0, engine.NotFound("cannot find pending activity with ActivityID %s, check workflow execution history for more details", ref.ID)
	}
	return s, activity.ByID, nil
}

// activityByID finds an open activity by the id its workflow gave it, which is
// unique among them; nil for none.
func (d *draft) activityByID(id string) *activity.State {
	for event, s := range d.activities.changed {
		if s != nil && s.ID == id {
			return d.activities.get(event)
		}
	}
	for event, s := range d.activities.base {
		if s.ID == id && d.activities.get(event) != nil {
			return d.activities.get(event)
		}
	}
	return nil
}

// stepped keeps what a transition of old has yielded.
func (d *draft) stepped(old *activity.State, step activity.Step) {
	if step.Outcome != nil {
		d.endActivity(old, step.Outcome)
		return
	}
	d.putActivity(step.State)
}

// putActivity keeps the state, and offers the attempt if it is due.
func (d *draft) putActivity(s *activity.State) {
	if s.MayOffer(d.env.Now) && !d.paused() {
		s = s.Offer()
		d.offer(activityTask(d.base.Key, d.fixed(), d.info, s))
	}
	d.activities.put(s.ScheduledEventID, s)
}

// withdrawActivity takes the attempt off its task queue, if it is there.
func (d *draft) withdrawActivity(s *activity.State) {
	if s.Offered {
		d.withdraw(activityTask(d.base.Key, d.fixed(), d.info, s))
	}
}

// activityTask is the offer of the attempt of s. A retry queues up anew, by the
// end of its back-off (AT-108).
func activityTask(key engine.RunKey, start *Start, i *Info, s *activity.State) engine.Task {
	t := engine.Task{
		Queue: engine.TaskQueue{
			NamespaceID: key.NamespaceID, Name: s.TaskQueue, Type: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		},
		Run:     key,
		EventID: s.ScheduledEventID,
		Stamp:   s.Stamp,
		Order:   s.DueTime.Add(-i.skipped()),
	}
	priority.Apply(&t, priority.Merge(s.Priority, start.Priority))
	return t
}

// activityOffer is the offer of a, if it is on offer (after a restart).
func activityOffer(run *Run, s *activity.State) (t engine.Task, ok bool) {
	if !s.Offered {
		return t, false
	}
	return activityTask(run.Key, run.Start, run.Info, s), true
}

// activityDeadline is the earliest time at which dueActivities would do
// something about s in a run that is paused or not; zero when there is none. A
// pure function of its arguments.
func activityDeadline(s *activity.State, paused bool) time.Time {
	if paused {
		return s.NextTimeout()
	}
	return s.Next()
}

// scheduledEvent is the scheduled event of an activity, when it is in memory.
func (d *draft) scheduledEvent(id int64) *historypb.HistoryEvent {
	if ev := inBatch(d.open, id); ev != nil {
		return ev
	}
	for _, batch := range d.change.Batches {
		if ev := inBatch(batch, id); ev != nil {
			return ev
		}
	}
	return d.base.Scheduled[id]
}

// inBatch is the event of that id in a batch of consecutive events, or nil.
func inBatch(batch []*historypb.HistoryEvent, id int64) *historypb.HistoryEvent {
	if len(batch) == 0 || id < batch[0].EventId || id > batch[len(batch)-1].EventId {
		return nil
	}
	return batch[id-batch[0].EventId]
}

// keepScheduled holds on to the scheduled events of activities that wait for
// their first start: most get it a moment later, and need not read their input
// back. Once started it is let go; a retry reads it from history.
func (r *Run) keepScheduled(c *Change) {
	for id, s := range c.Activities {
		if s == nil || !s.Unstarted() {
			delete(r.Scheduled, id)
			continue
		}
		for _, batch := range c.Batches {
			if ev := inBatch(batch, id); ev != nil && worthKeeping(r, ev) {
				if r.Scheduled == nil {
					r.Scheduled = make(map[int64]*historypb.HistoryEvent)
				}
				r.Scheduled[id] = ev
			}
		}
	}
}

// What is kept of them is bounded (DESIGN I11): the inputs of thousands of
// activities that wait may be gigabytes. Small ones are always kept, larger ones
// while there are few.
const (
	smallScheduled   = 1 << 10
	maxScheduledSize = 16 << 10
	maxScheduledKept = 100
)

func worthKeeping(r *Run, scheduled *historypb.HistoryEvent) bool {
	size := 0
	for _, p := range scheduled.GetActivityTaskScheduledEventAttributes().GetInput().GetPayloads() {
		size += len(p.GetData())
	}
	return size <= smallScheduled || size <= maxScheduledSize && len(r.Scheduled) < maxScheduledKept
}

// Loaded is to be called once on a run that has been read from the store, with
// the time at which its shard was opened: reports of heartbeats before that may
// be lost, so the heartbeat clocks of running attempts start no earlier.
func (r *Run) Loaded(opened time.Time) {
	for id, s := range r.Activities {
		r.Activities[id] = s.Loaded(r.OwnTime(opened))
	}
	r.deadlines = deadlines{} // some of what it holds, if it was asked before, is not due any more
}
