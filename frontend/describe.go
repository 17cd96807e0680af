package frontend

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/taskqueue"
	"github.com/perdure/perdure/engine/workflow"
)

// DescribeWorkflowExecution is workflow.md 5.2.
func (f *Frontend) DescribeWorkflowExecution(ctx context.Context, r *workflowservice.DescribeWorkflowExecutionRequest) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	e := r.GetExecution()
	if err := f.checkExecution(e); err != nil {
		return nil, err
	}
	var seen *workflow.Run
	err := f.executions.View(ctx, executionID(ctx, e.GetWorkflowId()), e.GetRunId(), func(run *workflow.Run) {
		seen = snapshot(run)
	})
	if err != nil {
		return nil, err
	}
	return describeRun(seen, f.clock.Now()), nil
}

// snapshot is a copy of what a description needs. The parts of a run are values
// that are replaced and never changed, so only its maps must be copied.
func snapshot(run *workflow.Run) *workflow.Run {
	return &workflow.Run{
		Key: run.Key, Start: run.Start, Info: run.Info, Memo: run.Memo, SearchAttributes: run.SearchAttributes,
		Activities: maps.Clone(run.Activities), Children: maps.Clone(run.Children), Requests: maps.Clone(run.Requests),
		Callbacks: maps.Clone(run.Callbacks),
	}
}

func describeRun(run *workflow.Run, now time.Time) *workflowservice.DescribeWorkflowExecutionResponse {
	return &workflowservice.DescribeWorkflowExecutionResponse{
		ExecutionConfig: &workflowpb.WorkflowExecutionConfig{
			TaskQueue:                  taskqueue.Normal(run.Start.TaskQueue),
			WorkflowExecutionTimeout:   duration.Proto(run.Start.ExecutionTimeout),
			WorkflowRunTimeout:         duration.Proto(run.Start.RunTimeout),
			DefaultWorkflowTaskTimeout: duration.Proto(run.Start.TaskTimeout),
			UserMetadata:               run.Start.UserMetadata,
		},
		WorkflowExecutionInfo: executionInfo(run),
		WorkflowExtendedInfo:  extendedInfo(run, now),
		PendingActivities:     pendingActivities(run, run.OwnTime(now)),
		PendingChildren:       pendingChildren(run),
		PendingWorkflowTask:   pendingTask(run),
		Callbacks:             workflowCallbacks(run),
	}
}

func executionInfo(run *workflow.Run) *workflowpb.WorkflowExecutionInfo {
	s, i := run.Start, run.Info
	info := &workflowpb.WorkflowExecutionInfo{
		Execution:            execution(run.Key),
		Type:                 &commonpb.WorkflowType{Name: s.WorkflowType},
		StartTime:            timestamp(s.StartTime),
		ExecutionTime:        timestamp(s.ExecutionTime()),
		Status:               i.Status,
		HistoryLength:        i.NextEventID - 1,
		HistorySizeBytes:     i.HistorySizeBytes,
		StateTransitionCount: i.Transitions,
		RootExecution:        s.Root,
		FirstRunId:           s.FirstRunID,
		Memo:                 run.Memo,
		SearchAttributes:     run.SearchAttributes,
		AutoResetPoints:      i.AutoResetPoints,
		TaskQueue:            s.TaskQueue,
		VersioningInfo:       i.Versioning(),
		WorkerDeploymentName: i.VersioningInfo.GetDeploymentVersion().GetDeploymentName(),
		Priority:             s.Priority,
	}
	if info.RootExecution == nil {
		info.RootExecution = execution(run.Key)
	}
	if p := s.Parent; p != nil {
		info.ParentNamespaceId = p.Run.NamespaceID
		info.ParentExecution = execution(p.Run)
	}
	if !run.Open() {
		info.CloseTime = timestamp(i.CloseTime)
		info.ExecutionDuration = durationpb.New(max(0, i.CloseTime.Sub(s.ExecutionTime())))
	}
	return info
}

func extendedInfo(run *workflow.Run, now time.Time) *workflowpb.WorkflowExecutionExtendedInfo {
	info := &workflowpb.WorkflowExecutionExtendedInfo{
		ExecutionExpirationTime: timestamp(run.Start.ExecutionDeadline),
		RunExpirationTime:       timestamp(run.Start.RunDeadline),
		CancelRequested:         run.Info.CancelRequested,
		OriginalStartTime:       timestamp(run.Start.OriginalStartTime),
		TimeSkippingInfo:        timeSkippingInfo(run, now),
		LastResetTime:           timestamp(run.Start.ResetTime),
		ResetRunId:              run.Info.ResetRunID,
	}
	if p := run.Info.Pause; p != nil {
		info.PauseInfo = &workflowpb.WorkflowExecutionPauseInfo{Identity: p.Identity, PausedTime: timestamp(p.Time), Reason: p.Reason}
	}
	for id, r := range shownRequests(run) {
		if info.RequestIdInfos == nil {
			info.RequestIdInfos = make(map[string]*workflowpb.RequestIdInfo)
		}
		info.RequestIdInfos[id] = &workflowpb.RequestIdInfo{EventType: r.EventType, EventId: r.EventID, Buffered: r.Buffered}
	}
	return info
}

// maxShownSignals is how many request ids of signals a description has. A run
// may have taken ten thousand, and a look at it should not cost a megabyte.
const maxShownSignals = 100

// shownRequests are the request ids that a description has: of signals the latest
// ones, of all else, which are few, every one.
func shownRequests(run *workflow.Run) iter.Seq2[string, *workflow.Request] {
	isSignal := func(r *workflow.Request) bool { return r.EventType == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED }
	var since int64
	if len(run.Requests) > maxShownSignals {
		var signals []int64
		for _, r := range run.Requests {
			if isSignal(r) && !r.Buffered {
				signals = append(signals, r.EventID)
			}
		}
		if n := len(signals); n > maxShownSignals {
			slices.Sort(signals)
			since = signals[n-maxShownSignals]
		}
	}
	return func(yield func(string, *workflow.Request) bool) {
		for id, r := range run.Requests {
			if isSignal(r) && !r.Buffered && r.EventID < since {
				continue
			}
			if !yield(id, r) {
				return
			}
		}
	}
}

func pendingActivities(run *workflow.Run, now time.Time) []*workflowpb.PendingActivityInfo {
	var all []*workflowpb.PendingActivityInfo
	for _, id := range slices.Sorted(maps.Keys(run.Activities)) {
		all = append(all, pendingActivity(run.Activities[id], now))
	}
	return all
}

func pendingActivity(a *activity.State, now time.Time) *workflowpb.PendingActivityInfo {
	info := &workflowpb.PendingActivityInfo{
		ActivityId:              a.ID,
		ActivityType:            &commonpb.ActivityType{Name: a.Type},
		State:                   activityState(a),
		HeartbeatDetails:        a.HeartbeatDetails,
		Attempt:                 a.Attempt,
		MaximumAttempts:         a.RetryPolicy.GetMaximumAttempts(),
		ScheduledTime:           timestamp(a.DueTime),
		LastStartedTime:         timestamp(a.StartedTime),
		LastHeartbeatTime:       timestamp(a.LastHeartbeatTime),
		LastFailure:             a.LastFailure,
		LastWorkerIdentity:      a.LastWorker(),
		LastAttemptCompleteTime: timestamp(a.LastAttemptComplete),
		Paused:                  a.Paused,
		Priority:                a.Priority,
		PauseInfo:               pauseInfo(a),
		ActivityOptions:         activityOptions(&a.Options),
	}
	if a.DeploymentName != "" {
		info.LastDeploymentVersion = &deploymentpb.WorkerDeploymentVersion{DeploymentName: a.DeploymentName, BuildId: a.DeploymentVersion}
	}
	if a.ScheduleToClose > 0 {
		info.ExpirationTime = timestamp(a.ScheduledTime.Add(a.ScheduleToClose))
	}
	if a.Status == activity.StatusQueued && !a.Paused && a.DueTime.After(now) { // backing off
		info.NextAttemptScheduleTime = timestamp(a.DueTime)
		info.CurrentRetryInterval = durationpb.New(a.RetryInterval)
	}
	return info
}

func activityState(a *activity.State) enumspb.PendingActivityState {
	started := a.Status == activity.StatusStarted
	switch {
	case a.CancelRequested:
		return enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
	case a.Paused && started:
		return enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
	case a.Paused:
		return enumspb.PENDING_ACTIVITY_STATE_PAUSED
	case started:
		return enumspb.PENDING_ACTIVITY_STATE_STARTED
	}
	return enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
}

func pauseInfo(a *activity.State) *workflowpb.PendingActivityInfo_PauseInfo {
	if !a.Paused {
		return nil
	}
	return &workflowpb.PendingActivityInfo_PauseInfo{
		PauseTime: timestamp(a.Pause.Time),
		PausedBy: &workflowpb.PendingActivityInfo_PauseInfo_Manual_{Manual: &workflowpb.PendingActivityInfo_PauseInfo_Manual{
			Identity: a.Pause.Identity, Reason: a.Pause.Reason,
		}},
	}
}

// activityOptions are options in the API's form, without the error types that
// are not retried (AT-150).
func activityOptions(a *activity.Options) *activitypb.ActivityOptions {
	policy := proto.CloneOf(a.RetryPolicy)
	if policy != nil {
		policy.NonRetryableErrorTypes = nil
	}
	return &activitypb.ActivityOptions{
		TaskQueue:              taskqueue.Normal(a.TaskQueue),
		ScheduleToCloseTimeout: duration.Proto(a.ScheduleToClose),
		ScheduleToStartTimeout: duration.Proto(a.ScheduleToStart),
		StartToCloseTimeout:    duration.Proto(a.StartToClose),
		HeartbeatTimeout:       duration.Proto(a.Heartbeat),
		RetryPolicy:            policy,
		Priority:               a.Priority,
	}
}

func pendingChildren(run *workflow.Run) []*workflowpb.PendingChildExecutionInfo {
	var all []*workflowpb.PendingChildExecutionInfo
	for _, id := range slices.Sorted(maps.Keys(run.Children)) {
		c := run.Children[id]
		all = append(all, &workflowpb.PendingChildExecutionInfo{
			WorkflowId: c.WorkflowID, RunId: c.RunID, WorkflowTypeName: c.WorkflowType,
			InitiatedId: c.InitiatedEventID, ParentClosePolicy: c.ParentClosePolicy,
		})
	}
	return all
}

func pendingTask(run *workflow.Run) *workflowpb.PendingWorkflowTaskInfo {
	t := run.Info.Task
	if t == nil || !run.Open() {
		return nil
	}
	info := &workflowpb.PendingWorkflowTaskInfo{
		State:                 enumspb.PENDING_WORKFLOW_TASK_STATE_SCHEDULED,
		ScheduledTime:         timestamp(t.ScheduledTime),
		OriginalScheduledTime: timestamp(t.OriginalScheduledTime),
		Attempt:               t.Attempt,
	}
	if t.StartedEventID != 0 && !t.Reoffered {
		info.State = enumspb.PENDING_WORKFLOW_TASK_STATE_STARTED
		info.StartedTime = timestamp(t.StartedTime)
	}
	return info
}

// timestamp is t for the wire; the zero time is absent.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
