package main

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

type activityLife struct {
	scheduled       *historypb.HistoryEvent
	started         *historypb.HistoryEvent
	cancelRequested bool
	end             enumspb.EventType
}

func (e *course) addActivity(ev *historypb.HistoryEvent) string {
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
