package workflow

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/priority"
)

// The workflow task: at most one, none -> scheduled -> started -> ended
// (spec/workflow.md 3). A normal one is in history from the moment it is
// scheduled. A later attempt is transient: its scheduled and started events are
// virtual, with the ids that come next, until it completes. So that these ids
// hold, no event may be appended while one is pending: an event that arrives
// before it is started replaces it by a normal task, one that arrives after is
// buffered.

// systemIdentity stands in events for the server itself.
const systemIdentity = "history-service"

// onOffer reports whether the task waits for a worker to take it.
func (t *Task) onOffer() bool {
	return t != nil && (t.StartedEventID == 0 || t.Reoffered)
}

// settle does what a step leaves to its end: the buffer is kept within its
// bounds, and the workflow task its events ask for is scheduled, unless there
// is one, the run is on hold, or its first task has to wait.
func (d *draft) settle() {
	if !d.isOpen() {
		return
	}
	if d.taskStarted() && d.bufferFull() {
		d.endTask(taskEnd{cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND, identity: systemIdentity})
	}
	if d.taskWanted {
		d.realise()
	}
	switch {
	case d.info.Task != nil:
	case d.taskWanted && d.mayHaveTask():
		d.offerTask(d.scheduleTask())
	case d.unsent() && d.mayDeliver():
		d.offerTask(d.scheduleSpeculative())
	}
	d.taskWanted = false
}

func (d *draft) mayHaveTask() bool {
	return d.isOpen() && !d.paused() && d.info.FirstTaskDone && !d.info.AwaitsParent
}

func (d *draft) bufferFull() bool {
	l := d.env.Limits
	return d.info.BufferedBytes > int64(l.BufferedBytes) || d.buffered.len() > l.BufferedEvents
}

// scheduleTask creates the pending workflow task, to be offered or started at
// once. It must be the last event of the step but for its own start.
func (d *draft) scheduleTask() *Task {
	t := &Task{
		Type:                  TaskNormal,
		Attempt:               max(d.info.NextAttempt, 1),
		ScheduledTime:         d.env.Now,
		OriginalScheduledTime: d.env.Now,
	}
	t.Timeout = taskTimeout(d.env.Limits, d.fixed().TaskTimeout, t.Attempt)
	if s := d.info.Sticky; s != nil {
		t.StickyQueue = s.TaskQueue
	}
	d.info.Task = t
	if t.Attempt > 1 {
		t.Type = TaskTransient
		t.ScheduledEventID = d.info.NextEventID
		return t
	}
	t.ScheduledEventID = d.append(scheduledEvent(d.fixed(), t, d.at(t.ScheduledTime)))
	return t
}

// offerTask puts the pending task on its queue under a new stamp. A sticky
// queue has only so long to deliver it.
func (d *draft) offerTask(t *Task) {
	d.info.TaskStamp++
	t.Stamp = d.info.TaskStamp
	switch {
	case t.StickyQueue != "" && d.info.Sticky != nil && d.info.Sticky.ScheduleToStart > 0:
		t.ScheduleToStartDeadline = d.env.Now.Add(d.info.Sticky.ScheduleToStart)
	case t.Type == TaskSpeculative:
		t.ScheduleToStartDeadline = d.env.Now.Add(d.env.Limits.SpeculativeScheduleToStart)
	}
	d.offer(taskOffer(d.base.Key, d.fixed(), d.info, t))
}

// taskTimeout is start-to-close: from attempt 4 on it grows, since nothing else
// holds back a worker that fails again and again.
func taskTimeout(l *engine.Limits, base time.Duration, attempt int32) time.Duration {
	if attempt <= 3 {
		return base
	}
	extra := l.WorkflowTaskBackoffBase
	for n := attempt - 4; n > 0 && extra < l.WorkflowTaskBackoffMax; n-- {
		extra *= 2
	}
	return base + min(extra, l.WorkflowTaskBackoffMax)
}

// taskOffer is the offer of the pending task t.
func taskOffer(key engine.RunKey, s *Start, i *Info, t *Task) engine.Task {
	q := engine.TaskQueue{
		NamespaceID: key.NamespaceID,
		Name:        s.TaskQueue,
		Type:        enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	}
	if t.StickyQueue != "" {
		q.Name, q.NormalName, q.Sticky = t.StickyQueue, s.TaskQueue, true
	}
	offer := engine.Task{Queue: q, Run: key, EventID: t.ScheduledEventID, Stamp: t.Stamp, Order: t.ScheduledTime.Add(-i.skipped()),
		Volatile: t.Type == TaskSpeculative}
	priority.Apply(&offer, s.Priority)
	return offer
}

// withdrawTask takes the pending task off its queue, if it is on offer.
func (d *draft) withdrawTask() {
	if t := d.info.Task; t.onOffer() && t.Stamp != 0 {
		d.withdraw(taskOffer(d.base.Key, d.fixed(), d.info, t))
	}
}

// dropVirtualTask gives up a transient task that is not started, because an event
// is about to take its id. A normal one follows.
func (d *draft) dropVirtualTask() {
	t := d.info.Task
	if t == nil || t.Type != TaskTransient || t.StartedEventID != 0 {
		return
	}
	d.withdrawTask()
	d.info.Task = nil
	d.info.NextAttempt = 1
	d.wantTask()
}

// beginTask starts the pending task for a worker.
func (d *draft) beginTask(p engine.Poller) *Task {
	t := d.editTask()
	d.info.TaskStamp++
	t.Stamp = d.info.TaskStamp
	t.StartedTime = d.env.Now
	t.RequestID = p.RequestID
	t.Identity = p.Identity
	t.ScheduleToStartDeadline = time.Time{}
	d.info.LastWorkerIdentity = p.Identity
	d.sendProposals(t)
	if t.Reoffered {
		t.Reoffered = false
		return t // its started event stands
	}
	t.HistorySizeBytes = d.historySize()
	t.SuggestReasons = suggestReasons(d.env.Limits, t.HistorySizeBytes, d.info.NextEventID, d.updateCount())
	t.SuggestContinueAsNew = len(t.SuggestReasons) > 0
	if t.Type != TaskNormal {
		t.StartedEventID = t.ScheduledEventID + 1
		return t
	}
	t.StartedEventID = d.append(startedEvent(t, d.at(t.StartedTime)))
	d.cut()
	return t
}

func suggestReasons(l *engine.Limits, size, nextEventID int64, updates int) []enumspb.SuggestContinueAsNewReason {
	var reasons []enumspb.SuggestContinueAsNewReason
	if size >= l.HistorySuggestBytes {
		reasons = append(reasons, enumspb.SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE)
	}
	if nextEventID >= l.HistorySuggestEvents {
		reasons = append(reasons, enumspb.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS)
	}
	if updates >= (l.UpdatesPerRun*9+9)/10 && l.UpdatesPerRun > 0 { // nine tenths, rounded up
		reasons = append(reasons, enumspb.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_UPDATES)
	}
	return reasons
}

// scheduledTask and startedTask are events with their parts; see startedRun.
type scheduledTask struct {
	event      historypb.HistoryEvent
	variant    historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes
	attributes historypb.WorkflowTaskScheduledEventAttributes
	queue      taskqueuepb.TaskQueue
}

type startedTask struct {
	event      historypb.HistoryEvent
	variant    historypb.HistoryEvent_WorkflowTaskStartedEventAttributes
	attributes historypb.WorkflowTaskStartedEventAttributes
}

// scheduledEvent is the WorkflowTaskScheduled event of t, without id; at is when
// that was.
func scheduledEvent(s *Start, t *Task, at *timestamppb.Timestamp) *historypb.HistoryEvent {
	x := &scheduledTask{
		event: historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, EventTime: at},
		attributes: historypb.WorkflowTaskScheduledEventAttributes{
			StartToCloseTimeout: duration.Proto(t.Timeout),
			Attempt:             t.Attempt,
		},
		queue: taskqueuepb.TaskQueue{Name: s.TaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
	}
	if t.StickyQueue != "" {
		x.queue.Name, x.queue.Kind, x.queue.NormalName = t.StickyQueue, enumspb.TASK_QUEUE_KIND_STICKY, s.TaskQueue
	}
	x.attributes.TaskQueue = &x.queue
	x.variant.WorkflowTaskScheduledEventAttributes, x.event.Attributes = &x.attributes, &x.variant
	return &x.event
}

// startedEvent is the WorkflowTaskStarted event of t, without id; at is when that
// was.
func startedEvent(t *Task, at *timestamppb.Timestamp) *historypb.HistoryEvent {
	x := &startedTask{
		event: historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, EventTime: at},
		attributes: historypb.WorkflowTaskStartedEventAttributes{
			ScheduledEventId:            t.ScheduledEventID,
			Identity:                    t.Identity,
			RequestId:                   t.RequestID,
			SuggestContinueAsNew:        t.SuggestContinueAsNew,
			SuggestContinueAsNewReasons: t.SuggestReasons,
			HistorySizeBytes:            t.HistorySizeBytes,
		},
	}
	x.variant.WorkflowTaskStartedEventAttributes, x.event.Attributes = &x.attributes, &x.variant
	return &x.event
}

// virtualEvents are the events of a virtual task as a worker sees them: with
// ids, but no task id.
func virtualEvents(s *Start, t *Task) []*historypb.HistoryEvent {
	if t == nil || t.Type == TaskNormal {
		return nil
	}
	scheduled := scheduledEvent(s, t, timestamppb.New(t.ScheduledTime))
	scheduled.EventId = t.ScheduledEventID
	events := []*historypb.HistoryEvent{scheduled}
	if t.StartedEventID != 0 {
		started := startedEvent(t, timestamppb.New(t.StartedTime))
		started.EventId = t.StartedEventID
		events = append(events, started)
	}
	return events
}

// Virtual are the events of a pending transient or speculative workflow task,
// which are not stored: a history read by anyone but a person ends with them
// (spec/workflow.md 2.4).
func (r *Run) Virtual() []*historypb.HistoryEvent {
	if !r.Open() {
		return nil
	}
	return virtualEvents(r.Start, r.Info.Task)
}
