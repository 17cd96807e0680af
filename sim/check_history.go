package main

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// course follows a history event by event, and says which invariant one breaks:
// I4 (one workflow task at a time), I6 (an activity ends once), I7 (nothing
// fires early), I8 (a message takes effect once).
type course struct {
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

func newCourse() course {
	return course{
		tasksCompleted: map[int64]bool{}, activities: map[int64]*activityLife{}, timers: map[int64]*timerLife{},
		timerIDs: map[string]int64{}, others: map[int64]*otherLife{}, signals: map[string]int{}, updates: map[string]*updateLife{},
	}
}

// add takes the next event and returns what is wrong with it, or "".
func (e *course) add(ev *historypb.HistoryEvent) string {
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

func (e *course) addClose(ev *historypb.HistoryEvent) string {
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
func (e *course) addTask(ev *historypb.HistoryEvent) string {
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
