package main

import (
	"fmt"

	historypb "go.temporal.io/api/history/v1"
)

// addSkip: time is skipped forwards, and only while nothing is under way for the run.
func (e *course) addSkip(ev *historypb.HistoryEvent) string {
	a := ev.GetWorkflowExecutionStartedEventAttributes()
	e.skips = e.skips || a.GetTimeSkippingConfig() != nil || a.GetTimeSkippingStatePropagation() != nil ||
		ev.GetWorkflowExecutionOptionsUpdatedEventAttributes().GetTimeSkippingConfig() != nil
	s := ev.GetWorkflowExecutionTimeSkippingTransitionedEventAttributes()
	if s == nil {
		return ""
	}
	from, to := ev.EventTime.AsTime(), s.TargetTime.AsTime()
	switch {
	case !e.skips:
		return "time is skipped unasked"
	case to.Before(from):
		return fmt.Sprintf("time is skipped backwards, from %v to %v", from.Sub(epoch), to.Sub(epoch))
	case to.Equal(from): // a fast-forward ends by itself
		return ""
	case e.task != noTask || e.paused:
		return "time is skipped beside a workflow task, or in a pause"
	}
	for id, x := range e.activities {
		if x.end == 0 {
			return fmt.Sprintf("time is skipped beside activity %d", id)
		}
	}
	for id, t := range e.timers {
		if !t.over && t.due.Before(to) {
			return fmt.Sprintf("I7: time is skipped to %v, past timer %s of event %d, due at %v", to.Sub(epoch), t.id, id, t.due.Sub(epoch))
		}
	}
	for id, x := range e.others {
		if !x.over {
			return fmt.Sprintf("time is skipped beside what event %d has sent", id)
		}
	}
	return ""
}
