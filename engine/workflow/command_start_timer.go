package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/duration"
)

// startTimer carries out START_TIMER (UT-1 to UT-3).
func (c *completion) startTimer(cmd *commandpb.Command) error {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES
	a := cmd.GetStartTimerCommandAttributes()
	id, limit := a.GetTimerId(), c.env.Limits.IDLengthBytes
	switch err := duration.Check(a.GetStartToFireTimeout()); {
	case id == "":
		return failTask(cause, "TimerId is not set on StartTimerCommand.")
	case len(id) > limit:
		return failTask(cause, "TimerId exceeds length limit. Length=%d Limit=%d", len(id), limit)
	case err != nil:
		return failTask(cause, "An invalid StartToFireTimeout is set on StartTimerCommand: %v. TimerId=%s", err, id)
	}
	if c.timers.get(id) != nil {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID,
			"invalid history builder state for action: add-timer-started-event, TimerID: %s", id)
	}
	wait := duration.Of(a.GetStartToFireTimeout())
	ev := c.commandEvent(enumspb.EVENT_TYPE_TIMER_STARTED, cmd)
	ev.Attributes = &historypb.HistoryEvent_TimerStartedEventAttributes{
		TimerStartedEventAttributes: &historypb.TimerStartedEventAttributes{
			TimerId:                      id,
			StartToFireTimeout:           duration.Proto(wait),
			WorkflowTaskCompletedEventId: c.completedID,
		}}
	c.timers.put(id, &Timer{ID: id, StartedEventID: c.append(ev), FireTime: c.env.Now.Add(wait)})
	return nil
}
