package standalone

import (
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// visibilityRecord is the run's row in the index as this step leaves it. What the
// state takes stands where a workflow has the size of its history.
func (d *draft) visibilityRecord() *engine.VisibilityRecord {
	s, i := d.base.Start, &d.info
	v := &engine.VisibilityRecord{
		Run:              d.base.Key,
		NamespaceName:    s.NamespaceName,
		Type:             s.ActivityType,
		TaskQueue:        d.activity.TaskQueue,
		Status:           workflowStatus[i.Status],
		StartTime:        s.ScheduleTime,
		ExecutionTime:    s.ScheduleTime.Add(d.activity.StartDelay),
		CloseTime:        i.CloseTime,
		HistorySizeBytes: i.StateBytes,
		SearchAttributes: s.SearchAttributes,
		Version:          i.Transitions,
		Deleted:          d.change.Deleted,
	}
	if !i.open() {
		v.StateTransitionCount = i.Transitions
	}
	return v
}

// workflowStatus is the number by which the index knows a status: that of
// workflows, for every archetype.
var workflowStatus = map[enumspb.ActivityExecutionStatus]enumspb.WorkflowExecutionStatus{
	enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED:  enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	enumspb.ACTIVITY_EXECUTION_STATUS_FAILED:     enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
	enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED:   enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
	enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED: enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
	enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT:  enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
	enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED:     enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED,
}

// VisibilityRecord is the run's row in the index as it would be written now, for
// building the index anew.
func (r *Run) VisibilityRecord() *engine.VisibilityRecord {
	return newDraft(nil, r).visibilityRecord()
}
