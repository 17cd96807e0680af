// Package event knows the wire form of the events that nearly every history
// consists of.
//
// The protobuf library goes through a message by a table of its fields, empty ones
// included, and calls a function for each: a WorkflowExecutionStarted has 43 of
// them. Every event is sized by the core and written by package record. Spelled out
// field by field, that takes half of the time and no allocation.
//
// The bytes are the library's. Left to it are other events, and messages inside of
// these that few runs have. Size and bytes come from one description, so that they
// cannot differ. It has every field that our release of the API has, which a test
// checks; those of a later one are unknown to its messages and come last in them, as
// they do with the library.
package event

import (
	"google.golang.org/protobuf/encoding/protowire"

	historypb "go.temporal.io/api/history/v1"
)

// Size is the encoded size of an event in bytes.
func Size(ev *historypb.HistoryEvent) int {
	c := coder{counting: true}
	c.any(ev)
	return c.n
}

// any codes an event of any kind.
func (c *coder) any(ev *historypb.HistoryEvent) {
	before := c.n
	if !c.event(ev) {
		c.n = before
		c.message(ev)
	}
}

// event codes an event, unless it is of a kind left to the library.
func (c *coder) event(ev *historypb.HistoryEvent) bool {
	c.open(ev)
	switch a := ev.Attributes.(type) {
	case *historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes:
		c.workflowStarted(6, a.WorkflowExecutionStartedEventAttributes)
	case *historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes:
		c.workflowCompleted(7, a.WorkflowExecutionCompletedEventAttributes)
	case *historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes:
		c.taskScheduled(10, a.WorkflowTaskScheduledEventAttributes)
	case *historypb.HistoryEvent_WorkflowTaskStartedEventAttributes:
		c.taskStarted(11, a.WorkflowTaskStartedEventAttributes)
	case *historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes:
		c.taskCompleted(12, a.WorkflowTaskCompletedEventAttributes)
	case *historypb.HistoryEvent_ActivityTaskScheduledEventAttributes:
		c.activityScheduled(15, a.ActivityTaskScheduledEventAttributes)
	case *historypb.HistoryEvent_ActivityTaskStartedEventAttributes:
		c.activityStarted(16, a.ActivityTaskStartedEventAttributes)
	case *historypb.HistoryEvent_ActivityTaskCompletedEventAttributes:
		c.activityCompleted(17, a.ActivityTaskCompletedEventAttributes)
	default:
		return false
	}
	others(c, 304, ev.EventGroupMarkers)
	other(c, 303, ev.Principal)
	others(c, 302, ev.Links)
	other(c, 301, ev.UserMetadata)
	c.bool(300, ev.WorkerMayIgnore)
	c.int(5, ev.TaskId)
	c.int(4, ev.Version)
	c.int(3, int64(ev.EventType))
	c.time(2, ev.EventTime)
	c.int(1, ev.EventId)
	return true
}

func (c *coder) workflowStarted(num protowire.Number, a *historypb.WorkflowExecutionStartedEventAttributes) {
	end := c.open(a)
	other(c, 44, a.GetPropagatedNexusSerializationContext())
	other(c, 43, a.GetTimeSkippingStatePropagation())
	other(c, 41, a.GetTimeSkippingConfig())
	other(c, 40, a.GetDeclinedTargetVersionUpgrade())
	other(c, 39, a.GetInheritedAutoUpgradeInfo())
	c.bool(38, a.GetEagerExecutionAccepted())
	other(c, 37, a.GetInheritedPinnedVersion())
	other(c, 35, a.GetPriority())
	c.str(34, a.GetParentPinnedWorkerDeploymentVersion())
	other(c, 33, a.GetVersioningOverride())
	c.str(32, a.GetInheritedBuildId())
	c.execution(31, a.GetRootWorkflowExecution())
	others(c, 30, a.GetCompletionCallbacks())
	other(c, 29, a.GetSourceVersionStamp())
	c.str(28, a.GetWorkflowId())
	c.str(27, a.GetParentWorkflowNamespaceId())
	c.int(26, a.GetParentInitiatedEventVersion())
	fields(c, 25, a.GetHeader(), a.GetHeader().GetFields())
	other(c, 24, a.GetPrevAutoResetPoints())
	fields(c, 23, a.GetSearchAttributes(), a.GetSearchAttributes().GetIndexedFields())
	fields(c, 22, a.GetMemo(), a.GetMemo().GetFields())
	c.duration(21, a.GetFirstWorkflowTaskBackoff())
	c.str(20, a.GetCronSchedule())
	c.time(19, a.GetWorkflowExecutionExpirationTime())
	c.int(18, int64(a.GetAttempt()))
	c.retryPolicy(17, a.GetRetryPolicy())
	c.str(16, a.GetFirstExecutionRunId())
	c.str(15, a.GetIdentity())
	c.str(14, a.GetOriginalExecutionRunId())
	c.payloads(13, a.GetLastCompletionResult())
	other(c, 12, a.GetContinuedFailure())
	c.int(11, int64(a.GetInitiator()))
	c.str(10, a.GetContinuedExecutionRunId())
	c.duration(9, a.GetWorkflowTaskTimeout())
	c.duration(8, a.GetWorkflowRunTimeout())
	c.duration(7, a.GetWorkflowExecutionTimeout())
	c.payloads(6, a.GetInput())
	c.queue(5, a.GetTaskQueue())
	c.int(4, a.GetParentInitiatedEventId())
	c.execution(3, a.GetParentWorkflowExecution())
	c.str(2, a.GetParentWorkflowNamespace())
	named(c, 1, a.GetWorkflowType())
	c.close(num, end)
}

func (c *coder) workflowCompleted(num protowire.Number, a *historypb.WorkflowExecutionCompletedEventAttributes) {
	end := c.open(a)
	c.str(3, a.GetNewExecutionRunId())
	c.int(2, a.GetWorkflowTaskCompletedEventId())
	c.payloads(1, a.GetResult())
	c.close(num, end)
}

func (c *coder) taskScheduled(num protowire.Number, a *historypb.WorkflowTaskScheduledEventAttributes) {
	end := c.open(a)
	c.int(3, int64(a.GetAttempt()))
	c.duration(2, a.GetStartToCloseTimeout())
	c.queue(1, a.GetTaskQueue())
	c.close(num, end)
}

func (c *coder) taskStarted(num protowire.Number, a *historypb.WorkflowTaskStartedEventAttributes) {
	end := c.open(a)
	c.bool(9, a.GetTargetWorkerDeploymentVersionChanged())
	numbers(c, 8, a.GetSuggestContinueAsNewReasons())
	c.int(7, a.GetBuildIdRedirectCounter())
	c.version(6, a.GetWorkerVersion())
	c.int(5, a.GetHistorySizeBytes())
	c.bool(4, a.GetSuggestContinueAsNew())
	c.str(3, a.GetRequestId())
	c.str(2, a.GetIdentity())
	c.int(1, a.GetScheduledEventId())
	c.close(num, end)
}

func (c *coder) taskCompleted(num protowire.Number, a *historypb.WorkflowTaskCompletedEventAttributes) {
	end := c.open(a)
	other(c, 13, a.GetMeteringMetadata())
	other(c, 11, a.GetDeploymentVersion())
	c.str(10, a.GetWorkerDeploymentName())
	c.str(9, a.GetWorkerDeploymentVersion())
	c.int(8, int64(a.GetVersioningBehavior()))
	other(c, 7, a.GetDeployment())
	other(c, 6, a.GetSdkMetadata())
	c.version(5, a.GetWorkerVersion())
	c.str(4, a.GetBinaryChecksum())
	c.str(3, a.GetIdentity())
	c.int(2, a.GetStartedEventId())
	c.int(1, a.GetScheduledEventId())
	c.close(num, end)
}

func (c *coder) activityScheduled(num protowire.Number, a *historypb.ActivityTaskScheduledEventAttributes) {
	end := c.open(a)
	other(c, 14, a.GetPriority())
	c.bool(13, a.GetUseWorkflowBuildId())
	c.retryPolicy(12, a.GetRetryPolicy())
	c.int(11, a.GetWorkflowTaskCompletedEventId())
	c.duration(10, a.GetHeartbeatTimeout())
	c.duration(9, a.GetStartToCloseTimeout())
	c.duration(8, a.GetScheduleToStartTimeout())
	c.duration(7, a.GetScheduleToCloseTimeout())
	c.payloads(6, a.GetInput())
	fields(c, 5, a.GetHeader(), a.GetHeader().GetFields())
	c.queue(4, a.GetTaskQueue())
	named(c, 2, a.GetActivityType())
	c.str(1, a.GetActivityId())
	c.close(num, end)
}

func (c *coder) activityStarted(num protowire.Number, a *historypb.ActivityTaskStartedEventAttributes) {
	end := c.open(a)
	c.int(7, a.GetBuildIdRedirectCounter())
	c.version(6, a.GetWorkerVersion())
	other(c, 5, a.GetLastFailure())
	c.int(4, int64(a.GetAttempt()))
	c.str(3, a.GetRequestId())
	c.str(2, a.GetIdentity())
	c.int(1, a.GetScheduledEventId())
	c.close(num, end)
}

func (c *coder) activityCompleted(num protowire.Number, a *historypb.ActivityTaskCompletedEventAttributes) {
	end := c.open(a)
	c.version(5, a.GetWorkerVersion())
	c.str(4, a.GetIdentity())
	c.int(3, a.GetStartedEventId())
	c.int(2, a.GetScheduledEventId())
	c.payloads(1, a.GetResult())
	c.close(num, end)
}
