package workflow

import (
	"time"

	"github.com/perdure/perdure/engine"
)

// Need is what a step must be given beyond the run's own parts. The shell asks
// first, fetches without blocking its loop, and then steps.
type Need struct {
	// StartedEvent: Run.Started must be set (a successor may be born from it).
	StartedEvent bool
	// Events of this run that must be in memory, by event id and the history
	// batch they are in; put them into Run.Scheduled.
	Events map[int64]int64
}

// Needs says what Step or StepID would read of the run's history. run may be nil.
func Needs(run *Run, in Input) Need {
	return Need{}
}

// StepID carries out an input that concerns an id: StartWorkflow and
// SignalWithStart. current is the newest run of the id, open or closed, or nil.
func StepID(env *engine.Env, id engine.ID, current *Run, in Input) (*Result, error) {
	panic("being written")
}

// Step carries out an input that concerns one run. An error is always an
// *engine.Refusal and means that nothing changed.
func Step(env *engine.Env, run *Run, in Input) (*Result, error) {
	panic("being written")
}

// NextDeadline is the earliest time at which a Due input would do something;
// zero when there is none. Constant time on a run that was stepped before.
func (r *Run) NextDeadline() time.Time { return time.Time{} }

// Offers are the tasks that are on offer in the run's present state. The shell
// makes them again after a restart; every one has a row in the task backlog.
func (r *Run) Offers() []engine.Task { return nil }
