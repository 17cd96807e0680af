package frontend

import (
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/standalone"
)

// activityInfo is a run as DescribeActivityExecution shows it (AX-21), without
// what must be asked for: heartbeat details and last failure.
func activityInfo(run *standalone.Run, now time.Time) *activitypb.ActivityExecutionInfo {
	s, i, a := run.Start, run.Info, run.Activity
	info := &activitypb.ActivityExecutionInfo{
		ActivityId:             run.Key.Name,
		RunId:                  run.Key.RunID,
		ActivityType:           &commonpb.ActivityType{Name: s.ActivityType},
		Status:                 i.Status,
		RunState:               run.RunState(),
		TaskQueue:              a.TaskQueue,
		ScheduleToCloseTimeout: duration.Proto(a.ScheduleToClose),
		ScheduleToStartTimeout: duration.Proto(a.ScheduleToStart),
		StartToCloseTimeout:    duration.Proto(a.StartToClose),
		HeartbeatTimeout:       duration.Proto(a.Heartbeat),
		StartDelay:             duration.Proto(a.StartDelay),
		RetryPolicy:            a.RetryPolicy,
		Priority:               a.Priority,

		Attempt:                 a.Attempt,
		ScheduleTime:            timestamp(s.ScheduleTime),
		ExecutionTime:           timestamp(s.ScheduleTime.Add(a.StartDelay)),
		LastStartedTime:         timestamp(i.LastStartedTime),
		LastHeartbeatTime:       timestamp(a.LastHeartbeatTime),
		TotalHeartbeatCount:     i.Heartbeats,
		LastAttemptCompleteTime: timestamp(run.LastAttemptComplete()),
		LastWorkerIdentity:      a.LastWorker(),
		SdkName:                 i.SDKName,
		SdkVersion:              i.SDKVersion,
		EagerExecutionAccepted:  s.Eager,

		StateTransitionCount: i.Transitions,
		StateSizeBytes:       i.StateBytes,
		SearchAttributes:     s.SearchAttributes,
		Header:               s.Header,
		UserMetadata:         s.UserMetadata,
		Links:                run.Links(),

		PropagatedNexusSerializationContext: s.NexusContext,
	}
	if info.SearchAttributes == nil {
		info.SearchAttributes = &commonpb.SearchAttributes{}
	}
	if a.ScheduleToClose > 0 {
		info.ExpirationTime = timestamp(s.ScheduleTime.Add(a.StartDelay + a.ScheduleToClose))
	}
	if i.Cancel != nil {
		info.CanceledReason = i.Cancel.Reason
	}
	if a.DeploymentName != "" {
		info.LastDeploymentVersion = &deploymentpb.WorkerDeploymentVersion{DeploymentName: a.DeploymentName, BuildId: a.DeploymentVersion}
	}
	if run.Open() {
		nextAttempt(info, a, now)
	} else {
		info.CloseTime = timestamp(i.CloseTime)
		info.ExecutionDuration = durationpb.New(max(0, i.CloseTime.Sub(s.ScheduleTime)))
	}
	return info
}

// nextAttempt says when an attempt that waits will be handed out: at the end of its
// back-off, or of the delay before the first.
func nextAttempt(info *activitypb.ActivityExecutionInfo, a *activity.State, now time.Time) {
	if a.Status != activity.StatusQueued || a.Paused || !a.DueTime.After(now) {
		return
	}
	info.NextAttemptScheduleTime = timestamp(a.DueTime)
	if a.RetryInterval > 0 {
		info.CurrentRetryInterval = durationpb.New(a.RetryInterval)
	}
}

// standaloneOptions are options in the API's form, whole.
func standaloneOptions(a *activity.Options) *activitypb.ActivityOptions {
	o := activityOptions(a)
	o.RetryPolicy, o.StartDelay = a.RetryPolicy, duration.Proto(a.StartDelay)
	return o
}
