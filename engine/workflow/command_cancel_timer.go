package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
)

// cancelTimer carries out CANCEL_TIMER (UT-5 to UT-7). Against a timer that
// fired while this very workflow task was running, the cancel wins: the workflow
// has not seen the event, and it vanishes from the buffer (UT-6).
func (c *completion) cancelTimer(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES
	id, limit := cmd.GetCancelTimerCommandAttributes().GetTimerId(), c.env.Limits.IDLengthBytes
	switch {
	case id == "":
		return failTask(cause, "TimerId is not set on CancelTimerCommand.")
	case len(id) > limit:
		return failTask(cause, "TimerId exceeds length limit. Length=%d Limit=%d", len(id), limit)
	}
	var startedID int64
	if t := c.timers.get(id); t != nil {
		startedID = t.StartedEventID
		c.timers.remove(id)
	} else if key, fired := c.bufferedFire(id); fired != nil {
		startedID = fired.GetStartedEventId()
		c.unbuffer(key)
	} else {
		return failTask(cause, "invalid history builder state for action: add-timer-canceled-event, TimerID: %s", id)
	}
	ev := c.commandEvent(enumspb.EVENT_TYPE_TIMER_CANCELED, cmd)
	ev.Attributes = &historypb.HistoryEvent_TimerCanceledEventAttributes{
		TimerCanceledEventAttributes: &historypb.TimerCanceledEventAttributes{
			TimerId:                      id,
			StartedEventId:               startedID,
			WorkflowTaskCompletedEventId: c.completedID,
			Identity:                     c.req.GetIdentity(),
		}}
	c.append(ev)
	return nil
}

// bufferedFire finds the TimerFired of a timer in the buffer; nil for none.
func (c *completion) bufferedFire(id string) (int64, *historypb.TimerFiredEventAttributes) {
	for _, key := range c.buffered.keys() {
		if fired := c.buffered.get(key).GetTimerFiredEventAttributes(); fired != nil && fired.GetTimerId() == id {
			return key, fired
		}
	}
	return 0, nil
}
