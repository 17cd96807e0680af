package record

import (
	"fmt"
	"maps"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// replay is what a history says of a run, read by a machine short enough to be
// obviously right. What it knows the state must agree with.
type replay struct {
	// open things, by kind and by the event or name that opened them.
	open map[string]bool
	// task is where the workflow task stands.
	task enumspb.EventType
	err  error
}

// replayed reads stored events, then buffered ones.
func replayed(events []*historypb.HistoryEvent) *replay {
	r := &replay{open: map[string]bool{}}
	for _, ev := range events {
		r.event(ev)
	}
	return r
}

// opens and closes are the events that begin and end something, and how the
// thing is named.
var (
	opens = map[enumspb.EventType]func(*historypb.HistoryEvent) string{
		enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("activity ", ev.EventId)
		},
		enumspb.EVENT_TYPE_TIMER_STARTED: func(ev *historypb.HistoryEvent) string {
			return "timer " + ev.GetTimerStartedEventAttributes().TimerId
		},
		enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("child ", ev.EventId)
		},
		enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("signal ", ev.EventId)
		},
	}
	closes = map[enumspb.EventType]func(*historypb.HistoryEvent) string{
		enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("activity ", ev.GetActivityTaskCompletedEventAttributes().ScheduledEventId)
		},
		enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("activity ", ev.GetActivityTaskFailedEventAttributes().ScheduledEventId)
		},
		enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("activity ", ev.GetActivityTaskTimedOutEventAttributes().ScheduledEventId)
		},
		enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("activity ", ev.GetActivityTaskCanceledEventAttributes().ScheduledEventId)
		},
		enumspb.EVENT_TYPE_TIMER_FIRED: func(ev *historypb.HistoryEvent) string {
			return "timer " + ev.GetTimerFiredEventAttributes().TimerId
		},
		enumspb.EVENT_TYPE_TIMER_CANCELED: func(ev *historypb.HistoryEvent) string {
			return "timer " + ev.GetTimerCanceledEventAttributes().TimerId
		},
		enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("child ", ev.GetStartChildWorkflowExecutionFailedEventAttributes().InitiatedEventId)
		},
		enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("signal ", ev.GetSignalExternalWorkflowExecutionFailedEventAttributes().InitiatedEventId)
		},
		enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: func(ev *historypb.HistoryEvent) string {
			return fmt.Sprint("signal ", ev.GetExternalWorkflowExecutionSignaledEventAttributes().InitiatedEventId)
		},
	}
	// taskAfter lists what an event of a workflow task may follow.
	taskAfter = map[enumspb.EventType][]enumspb.EventType{
		enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: {0},
		enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:   {enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED},
		enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: {enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED},
		enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:    {enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED},
		enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: {enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED},
	}
)

func (r *replay) event(ev *historypb.HistoryEvent) {
	if name, ok := opens[ev.EventType]; ok {
		r.expect(ev, !r.open[name(ev)], "opens what is open")
		r.open[name(ev)] = true
	}
	if name, ok := closes[ev.EventType]; ok {
		r.expect(ev, r.open[name(ev)], "closes what is not open")
		delete(r.open, name(ev))
	}
	if before, ok := taskAfter[ev.EventType]; ok {
		r.expect(ev, slices.Contains(before, r.task), "does not follow "+r.task.String())
		r.task = ev.EventType
		if r.task != enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED && r.task != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
			r.task = 0
		}
	}
}

func (r *replay) expect(ev *historypb.HistoryEvent, ok bool, problem string) {
	if !ok && r.err == nil {
		r.err = fmt.Errorf("event %d %s %s", ev.EventId, ev.EventType, problem)
	}
}

// agrees compares with the state of an open run.
func (r *replay) agrees(run *workflow.Run) error {
	if r.err != nil {
		return r.err
	}
	state := map[string]bool{}
	for id := range run.Activities {
		state[fmt.Sprint("activity ", id)] = true
	}
	for id := range run.Timers {
		state["timer "+id] = true
	}
	for id := range run.Children {
		state[fmt.Sprint("child ", id)] = true
	}
	for id := range run.Signals {
		state[fmt.Sprint("signal ", id)] = true
	}
	if !maps.Equal(state, r.open) {
		return fmt.Errorf("the state has %v open, history %v", order(state), order(r.open))
	}
	var task enumspb.EventType
	if t := run.Info.Task; t != nil && t.Type == workflow.TaskNormal {
		task = enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
		if t.StartedEventID != 0 {
			task = enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED
		}
	}
	if task != r.task {
		return fmt.Errorf("the state's workflow task is at %v, history's at %v", task, r.task)
	}
	return nil
}
