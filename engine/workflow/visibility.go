package workflow

import (
	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
)

// visibilityRecord is the run's row in the index as this step leaves it. The
// figures about history are final only on a closed run, as the API documents.
func (d *draft) visibilityRecord() *engine.VisibilityRecord {
	s, i := d.fixed(), d.info
	v := &engine.VisibilityRecord{
		Run:              d.base.Key,
		NamespaceName:    s.NamespaceName,
		Type:             s.WorkflowType,
		TaskQueue:        s.TaskQueue,
		Status:           i.Status,
		StartTime:        s.StartTime,
		ExecutionTime:    s.ExecutionTime(),
		CloseTime:        i.CloseTime,
		Memo:             d.memo(),
		SearchAttributes: d.searchAttributes(),
		Root:             rootOf(d.base.Key, s),
		VersioningInfo:   i.Versioning(),
		Version:          i.Transitions,
		Deleted:          d.change.Deleted,
	}
	if !d.isOpen() {
		v.HistoryLength = i.NextEventID - 1
		v.HistorySizeBytes = i.HistorySizeBytes
		v.StateTransitionCount = i.Transitions
	}
	if s.Parent != nil {
		v.Parent = execution(s.Parent.Run)
	}
	return v
}

// rootOf is the workflow at the top of the tree of children: the run itself
// unless it is a child.
func rootOf(key engine.RunKey, s *Start) *commonpb.WorkflowExecution {
	if s.Root != nil {
		return s.Root
	}
	return execution(key)
}

// VisibilityRecord is the run's row in the index as it would be written now,
// for building the index anew.
func (r *Run) VisibilityRecord() *engine.VisibilityRecord {
	return newDraft(nil, r).visibilityRecord()
}
