package main

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// addTime: a shard's time never runs backwards, whatever its clock does, nor does
// that of its next owner; else deadlines would be early or late by as much (I7).
// Events that may have waited for a workflow task to end come with the time of
// their arrival, and are not looked at.
func (e *course) addTime(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, enumspb.EVENT_TYPE_TIMER_STARTED, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
	default:
		return ""
	}
	at := ev.EventTime.AsTime()
	if back := e.latest.Sub(at); back > 0 && !e.skips {
		return fmt.Sprintf("I7: time runs backwards by %v", back.Round(time.Microsecond))
	}
	e.latest = at
	return ""
}

type timerLife struct {
	id   string
	due  time.Time
	over bool
}

func (e *course) addTimer(ev *historypb.HistoryEvent) string {
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
