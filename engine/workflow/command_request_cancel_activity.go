package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// requestCancelActivity carries out REQUEST_CANCEL_ACTIVITY_TASK (AT-130 to
// AT-132). An activity no worker has ends right after the other commands.
func (c *completion) requestCancelActivity(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES
	id := cmd.GetRequestCancelActivityTaskCommandAttributes().GetScheduledEventId()
	if id <= 0 {
		return failTask(cause, "ScheduledEventId is not set on RequestCancelActivityTaskCommand.")
	}
	s := c.activities.get(id)
	if s == nil && !c.closeIsBuffered(id) || s != nil && s.CancelRequested {
		return failTask(cause, "invalid history builder state for action: add-activitytask-cancel-requested-event, ScheduledEventID: %d", id)
	}
	ev := c.commandEvent(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED, cmd)
	ev.Attributes = &historypb.HistoryEvent_ActivityTaskCancelRequestedEventAttributes{
		ActivityTaskCancelRequestedEventAttributes: &historypb.ActivityTaskCancelRequestedEventAttributes{
			ScheduledEventId:             id,
			WorkflowTaskCompletedEventId: c.completedID,
		}}
	requestedID := c.append(ev)
	if s == nil {
		return nil // the buffered close stands
	}
	s = s.RequestCancel(requestedID)
	c.activities.put(id, s)
	if s.Unstarted() {
		c.afterCommands = append(c.afterCommands, func() { c.cancelUnstarted(id) })
	}
	return nil
}

// cancelUnstarted ends an activity cancelled before a worker had it, and sees to
// it that the workflow hears of it. A run that closed meanwhile does not care.
func (c *completion) cancelUnstarted(id int64) {
	if !c.isOpen() {
		return
	}
	s := c.activities.get(id)
	outcome := s.CancelUnstarted(c.req.GetIdentity())
	c.endActivity(s, &outcome)
	c.forceTask = true
}

// closeIsBuffered reports whether the activity's close event waits in the buffer.
func (c *completion) closeIsBuffered(scheduledID int64) bool {
	for _, key := range c.buffered.keys() {
		ev := c.buffered.get(key)
		if closesOther(ev.GetEventType()) && closedActivity(ev) == scheduledID {
			return true
		}
	}
	return false
}

// closedActivity is the scheduled event id of the activity that ev closes; 0 if
// it closes none.
func closedActivity(ev *historypb.HistoryEvent) int64 {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return ev.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return ev.GetActivityTaskFailedEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return ev.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return ev.GetActivityTaskCanceledEventAttributes().GetScheduledEventId()
	}
	return 0
}
