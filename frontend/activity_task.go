package frontend

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/matching"
)

// PollActivityTaskQueue waits for an attempt of an activity (activity.md 3.1).
func (f *Frontend) PollActivityTaskQueue(ctx context.Context, r *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	err := firstError(
		func() error { return checkPollDeadline(ctx) },
		func() error { return f.checkPollQueue(r.GetTaskQueue()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
	)
	if err != nil {
		return nil, err
	}
	h, err := f.poll(ctx, matching.PollRequest{
		Queue:  queueOf(ctx, r.GetTaskQueue(), enumspb.TASK_QUEUE_TYPE_ACTIVITY),
		Poller: f.activityPoller(ctx, r),
	})
	if err != nil || h == nil {
		return &workflowservice.PollActivityTaskQueueResponse{}, err
	}
	resp, err := f.activityHandover(ctx, h)
	if err := settle(ctx, h, err); err != nil {
		return nil, err
	}
	return resp, nil
}

func (f *Frontend) activityPoller(ctx context.Context, r *workflowservice.PollActivityTaskQueueRequest) engine.Poller {
	p := f.poller(ctx, r.GetIdentity(), freshID())
	p.ControlTaskQueue = r.GetWorkerControlTaskQueue()
	p.WorkerInstanceKey = r.GetWorkerInstanceKey()
	if rate := r.GetTaskQueueMetadata().GetMaxTasksPerSecond(); rate != nil {
		p.MaxTasksPerSecond, p.HasRateLimit = rate.GetValue(), true
	}
	versioned(&p, r.GetWorkerVersionCapabilities(), r.GetDeploymentOptions())
	return p
}

func (f *Frontend) activityHandover(ctx context.Context, h *matching.Handover) (*workflowservice.PollActivityTaskQueueResponse, error) {
	resp, err := f.attempt(ctx, h.Started)
	if err != nil {
		return nil, err
	}
	resp.PollerScalingDecision = scaling(h.PollerDelta)
	return resp, nil
}

func (f *Frontend) attempt(ctx context.Context, started any) (*workflowservice.PollActivityTaskQueueResponse, error) {
	switch a := started.(type) {
	case *workflow.ActivityStarted:
		return f.activityTask(ctx, a)
	case *standalone.Started:
		return standaloneTask(a), nil
	}
	return nil, fmt.Errorf("activity poll was handed a %T", started)
}

// standaloneTask is a started attempt of an activity that stands alone. The
// workflow execution is there, and empty (table 3.1).
func standaloneTask(s *standalone.Started) *workflowservice.PollActivityTaskQueueResponse {
	a, answer := s.Activity, new(attemptAnswer)
	answer.activityType.Name = s.Start.ActivityType
	answer.PollActivityTaskQueueResponse = workflowservice.PollActivityTaskQueueResponse{
		TaskToken:                   sealAttemptToken(s.Token()),
		WorkflowNamespace:           s.Start.NamespaceName,
		WorkflowExecution:           &answer.execution,
		ActivityType:                &answer.activityType,
		ActivityId:                  s.Run.Name,
		ActivityRunId:               s.Run.RunID,
		Header:                      s.Start.Header,
		Input:                       s.Start.Input,
		HeartbeatDetails:            a.HeartbeatDetails,
		ScheduledTime:               setTime(&answer.scheduled, s.Start.ScheduleTime),
		CurrentAttemptScheduledTime: setTime(&answer.attemptScheduled, a.DueTime),
		StartedTime:                 setTime(&answer.started, a.StartedTime),
		Attempt:                     a.Attempt,
		ScheduleToCloseTimeout:      setDuration(&answer.scheduleToClose, a.ScheduleToClose),
		StartToCloseTimeout:         setDuration(&answer.startToClose, a.StartToClose),
		HeartbeatTimeout:            setDuration(&answer.heartbeat, a.Heartbeat),
		RetryPolicy:                 a.RetryPolicy,
		Priority:                    a.Priority,

		PropagatedNexusSerializationContext: s.Start.NexusContext,
	}
	return &answer.PollActivityTaskQueueResponse
}

// activityTask is a started attempt in the API's form. The durations are never
// nil: zero means none (AT-11).
func (f *Frontend) activityTask(ctx context.Context, a *workflow.ActivityStarted) (*workflowservice.PollActivityTaskQueueResponse, error) {
	scheduled := a.Scheduled
	if scheduled == nil {
		var err error
		if scheduled, err = f.executions.Event(ctx, a.Token.Run, a.BatchID, a.Token.ScheduledEventID); err != nil {
			return nil, err
		}
	}
	attributes := scheduled.GetActivityTaskScheduledEventAttributes()
	if attributes == nil {
		return nil, fmt.Errorf("event %d of run %s is no scheduled activity", a.Token.ScheduledEventID, a.Token.Run.RunID)
	}
	answer := new(attemptAnswer)
	answer.workflowType.Name, answer.activityType.Name = a.WorkflowType, a.ActivityType
	answer.PollActivityTaskQueueResponse = workflowservice.PollActivityTaskQueueResponse{
		TaskToken:                   sealActivityToken(a.Token),
		WorkflowNamespace:           a.NamespaceName,
		WorkflowType:                &answer.workflowType,
		WorkflowExecution:           setExecution(&answer.execution, a.Token.Run),
		ActivityType:                &answer.activityType,
		ActivityId:                  a.Token.ActivityID,
		Header:                      attributes.GetHeader(),
		Input:                       attributes.GetInput(),
		HeartbeatDetails:            a.HeartbeatDetails,
		ScheduledTime:               setTime(&answer.scheduled, a.ScheduledTime),
		CurrentAttemptScheduledTime: setTime(&answer.attemptScheduled, a.CurrentAttemptScheduledTime),
		StartedTime:                 setTime(&answer.started, a.StartedTime),
		Attempt:                     a.Attempt,
		ScheduleToCloseTimeout:      setDuration(&answer.scheduleToClose, a.ScheduleToClose),
		StartToCloseTimeout:         setDuration(&answer.startToClose, a.StartToClose),
		HeartbeatTimeout:            setDuration(&answer.heartbeat, a.Heartbeat),
		RetryPolicy:                 a.RetryPolicy,
		Priority:                    a.Priority,
	}
	return &answer.PollActivityTaskQueueResponse, nil
}
