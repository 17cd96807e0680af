package main

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
)

// events4 follows a history event by event, and says which invariant one breaks:
// I4 (one workflow task at a time), I6 (an activity ends once), I7 (nothing
// fires early), I8 (a message takes effect once).
type events4 struct {
	task           taskPhase
	taskScheduled  int64
	taskStarted    int64
	tasksCompleted map[int64]bool // by scheduled event id
	activities     map[int64]*activityLife
	timers         map[int64]*timerLife
	timerIDs       map[string]int64
	// others are children and external requests, by initiated event id.
	others  map[int64]*otherLife
	signals map[string]int // how often each name came
	updates map[string]*updateLife
	// resetBy is the event with which a run's own history begins, after a reset.
	resetBy *historypb.HistoryEvent
	paused  bool
	closed  bool
	// retimed: its activities may have got other time-outs since they were
	// scheduled.
	retimed bool
	skips   bool // its time may not be that of the world
	latest  time.Time
}

type taskPhase uint8

const (
	noTask taskPhase = iota
	taskIsScheduled
	taskIsStarted
)

type activityLife struct {
	scheduled       *historypb.HistoryEvent
	started         *historypb.HistoryEvent
	cancelRequested bool
	end             enumspb.EventType
}

type timerLife struct {
	id   string
	due  time.Time
	over bool
}

type otherLife struct {
	child, started, over bool
}

// updateLife is an update that was accepted.
type updateLife struct{ accepted, completed int64 } // event ids

func newEvents4() events4 {
	return events4{
		tasksCompleted: map[int64]bool{}, activities: map[int64]*activityLife{}, timers: map[int64]*timerLife{},
		timerIDs: map[string]int64{}, others: map[int64]*otherLife{}, signals: map[string]int{}, updates: map[string]*updateLife{},
	}
}

// signaled reports whether the run has got the signal, in its history or among
// the buffered events.
func (l *life) signaled(name string) bool {
	return l.signals[name] > 0 || l.buffers(func(ev *historypb.HistoryEvent) bool {
		return ev.GetWorkflowExecutionSignaledEventAttributes().GetSignalName() == name
	})
}

// ended reports whether the activity has ended so, in the history or among the
// buffered events.
func (l *life) ended(scheduledID int64, how enumspb.EventType) bool {
	if a := l.activities[scheduledID]; a != nil && a.end == how {
		return true
	}
	return l.buffers(func(ev *historypb.HistoryEvent) bool {
		id, ok := closes(ev)
		return ok && id == scheduledID && ev.EventType == how
	})
}

func (l *life) buffers(is func(*historypb.HistoryEvent) bool) bool {
	if l.state == nil {
		return false
	}
	for _, ev := range l.state.Buffered {
		if is(ev) {
			return true
		}
	}
	return false
}

// add takes the next event and returns what is wrong with it, or "".
func (e *events4) add(ev *historypb.HistoryEvent) string {
	if e.closed {
		return fmt.Sprintf("I2: %v after the run has closed", ev.EventType)
	}
	if started := ev.EventType == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED; started != (ev.EventId == 1) {
		return "I2: the history does not begin with its only start"
	}
	for _, check := range []func(*historypb.HistoryEvent) string{
		e.addTask, e.addActivity, e.addTimer, e.addOther, e.addUpdate, e.addPause, e.addSkip, e.addTime, e.addClose,
	} {
		if wrong := check(ev); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (e *events4) addClose(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		e.closed = true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		name := ev.GetWorkflowExecutionSignaledEventAttributes().SignalName
		if e.signals[name]++; e.signals[name] > 1 {
			return "I8: " + name + " came twice"
		}
	}
	return ""
}

// addTask checks the sequence of workflow tasks (I4).
func (e *events4) addTask(ev *historypb.HistoryEvent) string {
	var scheduled, started int64
	switch ev.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		if e.task != noTask {
			return "I4: a workflow task is scheduled while another is pending"
		}
		e.task, e.taskScheduled, e.taskStarted = taskIsScheduled, ev.EventId, 0
		return ""
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		if e.task != taskIsScheduled || ev.GetWorkflowTaskStartedEventAttributes().ScheduledEventId != e.taskScheduled {
			return "I4: a workflow task is started that is not waiting"
		}
		e.task, e.taskStarted = taskIsStarted, ev.EventId
		return ""
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		a := ev.GetWorkflowTaskCompletedEventAttributes()
		scheduled, started = a.ScheduledEventId, a.StartedEventId
		e.tasksCompleted[scheduled] = true
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		a := ev.GetWorkflowTaskFailedEventAttributes()
		scheduled, started = a.ScheduledEventId, a.StartedEventId
		if a.GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW {
			e.resetBy = ev
		}
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
		a := ev.GetWorkflowTaskTimedOutEventAttributes()
		scheduled, started = a.ScheduledEventId, a.StartedEventId
	default:
		return ""
	}
	if e.task == noTask || scheduled != e.taskScheduled || started != e.taskStarted {
		return fmt.Sprintf("I4: %v of a task that is not pending", ev.EventType)
	}
	e.task = noTask
	return ""
}

func (e *events4) addActivity(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		e.activities[ev.EventId] = &activityLife{scheduled: ev}
		return ""
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		a := e.activities[ev.GetActivityTaskStartedEventAttributes().ScheduledEventId]
		if a == nil || a.started != nil || a.end != 0 {
			return "I6: an activity starts that is not waiting"
		}
		a.started = ev
		return ""
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
		a := e.activities[ev.GetActivityTaskCancelRequestedEventAttributes().ScheduledEventId]
		if a == nil || a.cancelRequested {
			return "I6: a cancellation is asked for twice, or of nothing"
		}
		a.cancelRequested = true
		return ""
	}
	id, ok := closes(ev)
	if !ok {
		return ""
	}
	a := e.activities[id]
	switch {
	case a == nil:
		return "I6: an activity ends that was never scheduled"
	case a.end != 0:
		return fmt.Sprintf("I6: activity %d ends a second time", id)
	case ev.EventType == enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED && !a.cancelRequested:
		return fmt.Sprintf("I6: activity %d is canceled unasked", id)
	}
	a.end = ev.EventType
	if e.retimed {
		return ""
	}
	return a.early(ev)
}

// early checks that a time-out came in its time (I7).
func (a *activityLife) early(ev *historypb.HistoryEvent) string {
	t := ev.GetActivityTaskTimedOutEventAttributes()
	if t == nil {
		return ""
	}
	s := a.scheduled.GetActivityTaskScheduledEventAttributes()
	since, timeout := a.scheduled.EventTime.AsTime(), time.Duration(0)
	switch t.GetFailure().GetTimeoutFailureInfo().GetTimeoutType() {
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
		// May be told early when no further attempt fits; never before the last one.
		return ""
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START:
		timeout = s.GetScheduleToStartTimeout().AsDuration()
	case enumspb.TIMEOUT_TYPE_START_TO_CLOSE:
		timeout = s.GetStartToCloseTimeout().AsDuration()
		since = a.begun(since)
	case enumspb.TIMEOUT_TYPE_HEARTBEAT:
		timeout = s.GetHeartbeatTimeout().AsDuration()
		since = a.begun(since)
	}
	if at := ev.EventTime.AsTime(); at.Before(since.Add(timeout)) {
		return fmt.Sprintf("I7: an activity times out (%v) at %v, %v after %v", t.GetFailure().GetTimeoutFailureInfo().GetTimeoutType(),
			at.Sub(epoch), at.Sub(since), since.Sub(epoch))
	}
	return ""
}

func (a *activityLife) begun(otherwise time.Time) time.Time {
	if a.started == nil {
		return otherwise
	}
	return a.started.EventTime.AsTime()
}

func (e *events4) addTimer(ev *historypb.HistoryEvent) string {
	var started int64
	switch ev.EventType {
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		a := ev.GetTimerStartedEventAttributes()
		e.timers[ev.EventId] = &timerLife{id: a.TimerId, due: ev.EventTime.AsTime().Add(a.StartToFireTimeout.AsDuration())}
		return ""
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		started = ev.GetTimerFiredEventAttributes().StartedEventId
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		started = ev.GetTimerCanceledEventAttributes().StartedEventId
	default:
		return ""
	}
	t := e.timers[started]
	switch {
	case t == nil || t.over:
		return "I7: a timer ends that is not running"
	case ev.EventType == enumspb.EVENT_TYPE_TIMER_FIRED && ev.EventTime.AsTime().Before(t.due):
		return fmt.Sprintf("I7: timer %s fires at %v and was due at %v", t.id, ev.EventTime.AsTime().Sub(epoch), t.due.Sub(epoch))
	}
	t.over = true
	return ""
}

func (e *events4) addOther(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		e.others[ev.EventId] = &otherLife{child: true}
		return ""
	case enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		e.others[ev.EventId] = &otherLife{}
		return ""
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		c := e.others[ev.GetChildWorkflowExecutionStartedEventAttributes().InitiatedEventId]
		if c == nil || c.started || c.over {
			return "I8: a child starts twice"
		}
		c.started = true
		return ""
	}
	id, ok := answers(ev)
	if !ok {
		return ""
	}
	c := e.others[id]
	if c == nil || c.over {
		return fmt.Sprintf("I8: %v of what is not pending", ev.EventType)
	}
	c.over = true
	if c.child && !c.started && ev.EventType != enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED {
		return "I8: a child closes that was not started"
	}
	return ""
}

// addUpdate: an update is accepted once, and then completed once.
func (e *events4) addUpdate(ev *historypb.HistoryEvent) string {
	if a := ev.GetWorkflowExecutionUpdateAcceptedEventAttributes(); a != nil {
		if e.updates[a.ProtocolInstanceId] != nil {
			return fmt.Sprintf("I8: update %s is accepted twice", a.ProtocolInstanceId)
		}
		e.updates[a.ProtocolInstanceId] = &updateLife{accepted: ev.EventId}
	}
	if a := ev.GetWorkflowExecutionUpdateCompletedEventAttributes(); a != nil {
		u := e.updates[a.GetMeta().GetUpdateId()]
		if u == nil || u.completed != 0 || u.accepted != a.AcceptedEventId {
			return fmt.Sprintf("I8: update %s is completed as accepted in event %d, and is %+v", a.GetMeta().GetUpdateId(), a.AcceptedEventId, u)
		}
		u.completed = ev.EventId
	}
	return ""
}

// compareUpdates: the state and the history know the same updates.
func (l *life) compareUpdates() string {
	accepted := 0
	for _, u := range l.state.Updates {
		if u.AcceptedEventID != 0 { // else it was admitted by a reset
			accepted++
		}
	}
	if len(l.updates) != accepted {
		return fmt.Sprintf("I8: %d updates in the history, %d in the state", len(l.updates), accepted)
	}
	for id, u := range l.updates {
		s := l.state.Updates[id]
		if s == nil || s.AcceptedEventID != u.accepted || s.CompletedEventID != u.completed {
			return fmt.Sprintf("I8: update %s is %+v in the history, %+v in the state", id, *u, s)
		}
	}
	return ""
}

// compare holds the state against the history: what is pending in one is pending
// in the other. Buffered events count as history to come.
func (l *life) compare() string {
	run := l.state
	if next := run.Info.NextEventID; next != int64(len(l.events))+1 {
		return fmt.Sprintf("I2: the state expects event %d after %d events", next, len(l.events))
	}
	if run.Open() == l.closed {
		return fmt.Sprintf("I2: the state says %v, the history is closed: %v", run.Info.Status, l.closed)
	}
	if wrong := l.compareUpdates(); wrong != "" || !run.Open() {
		return wrong
	}
	ahead := map[int64]bool{}
	fired := map[int64]bool{}
	for _, ev := range run.Buffered {
		if id, ok := closes(ev); ok {
			ahead[id] = true
		}
		if id, ok := answers(ev); ok {
			ahead[id] = true
		}
		if t := ev.GetTimerFiredEventAttributes(); t != nil {
			fired[t.StartedEventId] = true
		}
	}
	for id, a := range l.activities {
		if want := a.end == 0 && !ahead[id]; want != (run.Activities[id] != nil) {
			return fmt.Sprintf("I6: activity %d is pending in the history: %v, in the state: %v", id, want, run.Activities[id] != nil)
		}
	}
	for id, t := range l.timers {
		state := run.Timers[t.id]
		if want := !t.over && !fired[id]; want != (state != nil && state.StartedEventID == id) {
			return fmt.Sprintf("I7: timer %s is pending in the history: %v, in the state: %+v", t.id, want, state)
		}
	}
	for id, o := range l.others {
		state := run.Children[id] != nil || run.Signals[id] != nil || run.Cancels[id] != nil
		if want := !o.over && !ahead[id]; want != state {
			return fmt.Sprintf("I8: event %d is pending in the history: %v, in the state: %v", id, want, state)
		}
	}
	return ""
}

// checkIDs: an id has one open run at most, and its pointer leads to it (I3).
func (o *observer) checkIDs() {
	open := map[engine.ID]*life{}
	for _, l := range o.order {
		if l.state == nil || !l.state.Open() {
			continue
		}
		if other := open[l.key.ID]; other != nil {
			o.broken("I3: %s and %s are both open", short(other.key), short(l.key))
		}
		open[l.key.ID] = l
		if current := o.current[l.key.ID]; current != l.key.RunID {
			o.broken("I3: %s is open, and the current run is %s", short(l.key), current)
		}
	}
	for id, runID := range o.current {
		if id.Archetype == engine.ArchetypeActivity {
			if x := o.singles.runs[engine.RunKey{ID: id, RunID: runID}]; x == nil || x.state == nil {
				o.broken("I3: the current run %s of %s does not exist", runID, id.Name)
			}
			continue
		}
		if l := o.lives[engine.RunKey{ID: id, RunID: runID}]; l == nil || l.state == nil {
			o.broken("I3: the current run %s of %s does not exist", runID, id.Name)
		}
	}
}
