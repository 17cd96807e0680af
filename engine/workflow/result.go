package workflow

import (
	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/callback"
)

// Result is all that a step did. The shell commits it whole or not at all.
type Result struct {
	// Run is what changed of the run that was stepped; nil when nothing did.
	Run *Change
	// New is a run born in this step (start, continue-as-new, retry, cron). It
	// becomes the current run of its id.
	New *Newborn
	// Base is what changed of the base run of a reset, if that is not the run that
	// was stepped.
	Base *Change
	// Reply is for the caller, given once the change is durable. An
	// *engine.Refusal with Commit set is a reply too.
	Reply any
}

// Newborn is a new run: its state, and the change that brings all of it. Run
// has the change applied already; applying it once more does no harm.
type Newborn struct {
	Run    *Run
	Change *Change
}

// Change is what a step changed of one run. Of each part kept by key a nil
// value means removed. Apply brings it into a Run; package record writes it.
type Change struct {
	engine.Effects

	// Start is set only for a newborn run (or a change of its priority).
	Start *Start
	// Info is always set.
	Info *Info
	// Memo and SearchAttributes count only when the flag beside them is set.
	Memo                    *commonpb.Memo
	MemoChanged             bool
	SearchAttributes        *commonpb.SearchAttributes
	SearchAttributesChanged bool

	Activities map[int64]*activity.State
	Timers     map[string]*Timer
	Children   map[int64]*Child
	Signals    map[int64]*External
	Cancels    map[int64]*External
	Requests   map[string]*Request
	Updates    map[string]*Update
	Callbacks  map[int64]*callback.State
	Buffered   map[int64]*historypb.HistoryEvent
	// Proposals are in memory only: Apply takes them, record does not.
	Proposals map[string]*Proposal
	// News of updates, for whoever waits for it, once the change is durable.
	News []UpdateNews

	// Batches are new history, each to be stored as one row. Ids are assigned.
	Batches [][]*historypb.HistoryEvent
}
