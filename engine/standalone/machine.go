package standalone

import (
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/priority"
)

// StepID carries out an input that concerns an id: StartExecution. current is the
// newest run of the id, open or closed, or nil. An error is always an
// *engine.Refusal and means that nothing changed.
func StepID(env *engine.Env, id engine.ID, current *Run, in Input) (*Result, error) {
	return nil, engine.Refuse(engine.KindUnimplemented, "input %T does not concern an id", in)
}

// Step carries out an input that concerns one run. An error is always an
// *engine.Refusal and means that nothing changed.
func Step(env *engine.Env, run *Run, in Input) (*Result, error) {
	return nil, engine.Refuse(engine.KindUnimplemented, "input %T does not concern a run", in)
}

// VisibilityRecord is the run's row in the index as it would be written now.
func (r *Run) VisibilityRecord() *engine.VisibilityRecord {
	return &engine.VisibilityRecord{Run: r.Key}
}

// attemptTask is the offer of the attempt of s. A retry queues up anew, by the
// end of its back-off (AT-108).
func attemptTask(key engine.RunKey, s *activity.State) engine.Task {
	t := engine.Task{
		Queue: engine.TaskQueue{
			NamespaceID: key.NamespaceID, Name: s.TaskQueue, Type: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		},
		Run:   key,
		Stamp: s.Stamp,
		Order: s.DueTime,
	}
	priority.Apply(&t, s.Priority)
	return t
}
