package visibility

import (
	"fmt"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
)

// This file is about the rows of activities that stand alone. They have the
// columns of workflows, with the activity's id for the workflow's and what the
// state takes for what the history takes, and their own form of details.

// activityStatuses are the statuses of activities by the number a row has. A
// record counts as workflows do, whatever its archetype, so that an index over
// statuses and their names in a group serve both.
var activityStatuses = map[enumspb.WorkflowExecutionStatus]enumspb.ActivityExecutionStatus{
	enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:    enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING,
	enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:     enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED,
	enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:  enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED,
	enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:     enumspb.ACTIVITY_EXECUTION_STATUS_FAILED,
	enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:   enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED,
	enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED: enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED,
	enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:  enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT,
}

// activityDetails is the activity as ListActivityExecutions shows it. How long
// it ran counts from its request, a start delay included, as the API says.
func activityDetails(r *engine.VisibilityRecord) *activitypb.ActivityExecutionListInfo {
	info := &activitypb.ActivityExecutionListInfo{
		ActivityId:       r.Run.Name,
		RunId:            r.Run.RunID,
		ActivityType:     &commonpb.ActivityType{Name: r.Type},
		ScheduleTime:     timestamp(r.StartTime),
		ExecutionTime:    timestamp(r.ExecutionTime),
		Status:           activityStatuses[r.Status],
		SearchAttributes: r.SearchAttributes,
		TaskQueue:        r.TaskQueue,
		StateSizeBytes:   r.HistorySizeBytes,
	}
	if closed(r.Status) {
		info.CloseTime = timestamp(r.CloseTime)
		info.ExecutionDuration = durationpb.New(r.CloseTime.Sub(r.StartTime))
		info.StateTransitionCount = r.StateTransitionCount
	}
	return info
}

// activity is the row as the API shows it. Attributes that the namespace no
// longer has are left out (SA-22).
func (l *listed) activity(ns *engine.Namespace) (*activitypb.ActivityExecutionListInfo, error) {
	info := new(activitypb.ActivityExecutionListInfo)
	if err := proto.Unmarshal(l.details, info); err != nil {
		return nil, fmt.Errorf("row of run %s: %w: %w", l.runID, errDamaged, err)
	}
	info.SearchAttributes = shown(ns, info.GetSearchAttributes())
	if info.SearchAttributes == nil {
		info.SearchAttributes = &commonpb.SearchAttributes{} // the Go SDK takes it for there
	}
	return info, nil
}

// shown is what a list shows of an execution's attributes: those that exist, or
// nil.
func shown(ns *engine.Namespace, sa *commonpb.SearchAttributes) *commonpb.SearchAttributes {
	fields := sa.GetIndexedFields()
	for name := range fields {
		if _, ok := searchattr.TypeOf(ns, name); !ok {
			delete(fields, name)
		}
	}
	if len(fields) == 0 {
		return nil
	}
	return sa
}
