package workflow

import (
	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/internal/invariant"
)

// scheduleActivity carries out SCHEDULE_ACTIVITY_TASK (spec/activity.md 1).
func (c *completion) scheduleActivity(cmd *commandpb.Command) error {
	a := cmd.GetScheduleActivityTaskCommandAttributes()
	options, err := c.activityOptions(a)
	if err != nil {
		return err
	}
	if limit := c.env.Limits.PendingActivities; c.activities.len() >= limit {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED,
			"the number of pending activities, %d, has reached the per-workflow limit of %d", c.activities.len(), limit)
	}
	if c.activityByID(a.GetActivityId()) != nil {
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID,
			"invalid history builder state for action: add-activitytask-scheduled-event, ActivityID: %s", a.GetActivityId())
	}
	state := activity.New(activity.InWorkflow, a.GetActivityId(), a.GetActivityType().GetName(), options, c.env.Now)
	ev := c.activityScheduledEvent(cmd, state)
	state.ScheduledEventID = c.append(ev)
	state.BatchID = c.batchID()
	if a.GetRequestEagerExecution() && !c.paused() {
		c.eager = append(c.eager, state.ScheduledEventID)
		c.activities.put(state.ScheduledEventID, state)
		return nil
	}
	c.putActivity(state)
	return nil
}

// activityOptions checks the attributes and resolves them. Every text about an
// attribute ends with the activity it is about (AT-2).
func (c *completion) activityOptions(a *commandpb.ScheduleActivityTaskCommandAttributes) (activity.Options, error) {
	const cause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES
	req := activity.Request{
		ID:              a.GetActivityId(),
		Type:            a.GetActivityType(),
		TaskQueue:       a.GetTaskQueue(),
		ScheduleToClose: a.GetScheduleToCloseTimeout(),
		ScheduleToStart: a.GetScheduleToStartTimeout(),
		StartToClose:    a.GetStartToCloseTimeout(),
		Heartbeat:       a.GetHeartbeatTimeout(),
		RetryPolicy:     a.GetRetryPolicy(),
		Priority:        a.GetPriority(),
	}
	options, err := req.Resolve(c.env.Limits, c.fixed().RunTimeout)
	if err != nil {
		return options, failTask(cause, "%v ActivityId=%s ActivityType=%s", err, req.ID, req.Type.GetName())
	}
	if c.tooBig(a.GetInput()) {
		return options, oversize(cause, "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.")
	}
	return options, nil
}

// scheduledActivity is the event with its parts; see startedRun.
type scheduledActivity struct {
	event        historypb.HistoryEvent
	variant      historypb.HistoryEvent_ActivityTaskScheduledEventAttributes
	attributes   historypb.ActivityTaskScheduledEventAttributes
	activityType commonpb.ActivityType
	queue        taskqueuepb.TaskQueue
}

// activityScheduledEvent shows what was resolved: all four timeouts, zero for
// none (AT-11), and the filled policy (AT-20).
func (c *completion) activityScheduledEvent(cmd *commandpb.Command, s *activity.State) *historypb.HistoryEvent {
	a := cmd.GetScheduleActivityTaskCommandAttributes()
	x := &scheduledActivity{
		attributes: historypb.ActivityTaskScheduledEventAttributes{
			ActivityId:                   s.ID,
			Header:                       a.GetHeader(),
			Input:                        a.GetInput(),
			ScheduleToCloseTimeout:       duration.Proto(s.ScheduleToClose),
			ScheduleToStartTimeout:       duration.Proto(s.ScheduleToStart),
			StartToCloseTimeout:          duration.Proto(s.StartToClose),
			HeartbeatTimeout:             duration.Proto(s.Heartbeat),
			WorkflowTaskCompletedEventId: c.completedID,
			RetryPolicy:                  s.RetryPolicy,
			UseWorkflowBuildId:           a.GetUseWorkflowBuildId(),
			Priority:                     a.GetPriority(),
		},
		activityType: commonpb.ActivityType{Name: s.Type},
		queue:        taskqueuepb.TaskQueue{Name: s.TaskQueue, Kind: enumspb.TASK_QUEUE_KIND_NORMAL},
	}
	x.attributes.ActivityType, x.attributes.TaskQueue = &x.activityType, &x.queue
	x.variant.ActivityTaskScheduledEventAttributes, x.event.Attributes = &x.attributes, &x.variant
	c.beginEvent(&x.event, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, cmd)
	return &x.event
}

// startEager starts the activities of c.eager that are still there and gives
// them in order (AT-30 to AT-32). Called when the run is open at the end of a
// completion. One that was cancelled meanwhile is gone.
func (c *completion) startEager() []*ActivityStarted {
	var started []*ActivityStarted
	for _, id := range c.eager {
		s := c.activities.get(id)
		if s == nil {
			continue
		}
		poller := c.in.Poller
		poller.Identity = c.req.GetIdentity()
		poller.RequestID = c.env.Fresh.UUID()
		next, err := s.Start(c.env.Now, s.Stamp, &poller)
		invariant.Check(err == nil, "activity %s was scheduled in this step, but cannot start: %v", s.ID, err)
		c.activities.put(id, next)
		started = append(started, c.activityReply(next))
	}
	return started
}
