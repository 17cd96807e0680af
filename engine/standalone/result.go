package standalone

import (
	activitypb "go.temporal.io/api/activity/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
)

// Result is all that a step did. The shell commits it whole or not at all.
type Result struct {
	// Run is what changed of the run that was stepped; nil when nothing did.
	Run *Change
	// New is a run born in this step. It becomes the current run of its id.
	New *Newborn
	// Reply is for the caller, given once the change is durable.
	Reply any
}

// Newborn is a new run: its state, and the change that brings all of it. Run has
// the change applied already; applying it once more does no harm.
type Newborn struct {
	Run    *Run
	Change *Change
}

// Change is what a step changed of one run: the parts that are not nil, and what
// is to be done about it. Apply brings it into a Run; package record writes it.
type Change struct {
	// Start is set only for a newborn run.
	Start *Start
	// Info is always set.
	Info     *Info
	Activity *activity.State
	// Outcome is set in the step that closes the run.
	Outcome *activitypb.ActivityExecutionOutcome
	// Attachments are further ones (a step adds one at most).
	Attachments []*Attachment
	// Callbacks are those that changed.
	Callbacks map[int64]*callback.State

	engine.Effects
}
