package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/activity"
)

// endActivity turns an outcome into events and forgets the activity. Only now is
// ActivityTaskStarted written, with the time of the last attempt's start: it is
// not known before then which attempt will be the last (AT-40).
func (d *draft) endActivity(s *activity.State, o *activity.Outcome) {
	d.writeClose(s, o, d.writeStarted(s, o))
}

// writeStarted records the start of the last attempt, if it was started. The id
// is 0 when there is none, or when the event is buffered: the flush fills it in.
func (d *draft) writeStarted(s *activity.State, o *activity.Outcome) (id int64) {
	d.withdrawActivity(s)
	d.activities.remove(s.ScheduledEventID)
	a := o.Attempt
	if a == nil {
		return 0
	}
	x := &startedActivity{
		event: historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, EventTime: d.at(a.StartedTime)},
		attributes: historypb.ActivityTaskStartedEventAttributes{
			ScheduledEventId: s.ScheduledEventID,
			Identity:         a.Identity,
			RequestId:        a.RequestID,
			Attempt:          a.Number,
			LastFailure:      a.LastFailure,
		},
	}
	x.variant.ActivityTaskStartedEventAttributes, x.event.Attributes = &x.attributes, &x.variant
	id, _ = d.arrive(&x.event)
	return id
}

// startedActivity and completedActivity are events with their parts; see startedRun.
type startedActivity struct {
	event      historypb.HistoryEvent
	variant    historypb.HistoryEvent_ActivityTaskStartedEventAttributes
	attributes historypb.ActivityTaskStartedEventAttributes
}

type completedActivity struct {
	event      historypb.HistoryEvent
	variant    historypb.HistoryEvent_ActivityTaskCompletedEventAttributes
	attributes historypb.ActivityTaskCompletedEventAttributes
}

// writeClose records the outcome and asks for a workflow task (AT-44).
func (d *draft) writeClose(s *activity.State, o *activity.Outcome, startedID int64) {
	ev := d.activityClosedEvent(s, o, startedID)
	d.arrive(ev)
	d.wantTask()
}

func (d *draft) activityClosedEvent(s *activity.State, o *activity.Outcome, startedID int64) *historypb.HistoryEvent {
	switch o.Ending {
	case activity.Completed:
		x := &completedActivity{
			event: historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventTime: d.at(d.env.Now)},
			attributes: historypb.ActivityTaskCompletedEventAttributes{
				Result:           o.Result,
				ScheduledEventId: s.ScheduledEventID,
				StartedEventId:   startedID,
				Identity:         o.Identity,
			},
		}
		x.variant.ActivityTaskCompletedEventAttributes, x.event.Attributes = &x.attributes, &x.variant
		return &x.event
	case activity.Failed:
		ev := d.event(enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED)
		ev.Attributes = &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
			ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{
				Failure:          o.Failure,
				ScheduledEventId: s.ScheduledEventID,
				StartedEventId:   startedID,
				Identity:         o.Identity,
				RetryState:       o.RetryState,
				Cause:            o.Cause,
			}}
		return ev
	case activity.TimedOut:
		ev := d.event(enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT)
		ev.Attributes = &historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes{
			ActivityTaskTimedOutEventAttributes: &historypb.ActivityTaskTimedOutEventAttributes{
				Failure:          o.Failure,
				ScheduledEventId: s.ScheduledEventID,
				StartedEventId:   startedID,
				RetryState:       o.RetryState,
			}}
		return ev
	}
	ev := d.event(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED)
	ev.Attributes = &historypb.HistoryEvent_ActivityTaskCanceledEventAttributes{
		ActivityTaskCanceledEventAttributes: &historypb.ActivityTaskCanceledEventAttributes{
			Details:                      o.Details,
			LatestCancelRequestedEventId: s.CancelRequestedEventID,
			ScheduledEventId:             s.ScheduledEventID,
			StartedEventId:               startedID,
			Identity:                     o.Identity,
		}}
	return ev
}
