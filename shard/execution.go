package shard

import (
	"reflect"
	"time"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// The loop treats executions of all archetypes alike. What differs is behind two
// interfaces: execution is a run in memory, machine is what must be known of an
// archetype without a run at hand. Each archetype has a file that implements
// both; machineOf is the only place that lists them. What only workflows have
// (history, queries, updates) reaches its state through held.workflow.

// execution is a run in memory, with what of it is not yet in a sealed batch.
// It belongs to its shard's loop.
type execution interface {
	// Open reports whether the run has not closed.
	Open() bool
	// NextDeadline is the earliest time at which a Due input would do something;
	// zero for none.
	NextDeadline() time.Time
	// armed is the due time of the run's stored deadline row; zero for none.
	// arm notes another, to be written with the next write.
	armed() time.Time
	arm(at time.Time)
	// Volatile reports whether the run holds what a reload would forget.
	Volatile() bool
	// sizeBytes is about what the run takes in memory, encoded.
	sizeBytes() int64
	// progress is a number that grows with what watchers wait for.
	progress() int64

	// missing are the events a step would read that are not in memory, by event
	// id and the history batch they are in; keep brings them.
	missing(in engine.Input) map[int64]int64
	keep(events map[int64]*historypb.HistoryEvent)
	// step carries an input out that concerns this run. It changes nothing.
	step(env *engine.Env, in engine.Input) (outcome, error)
	// mayWait reports whether a change need not be durable before its reply and
	// is nobody else's business.
	mayWait(c change) bool
	// apply brings a change of this run into memory, to be written later. It
	// returns about how many bytes that will take.
	apply(c change) (grown int)

	// write seals what was applied since the last time: as rows of batch no.
	write(b *store.Batch, no uint64)
	// durable says that the batches up to no are.
	durable(no uint64)
}

// change is what a step changed of one run: a *workflow.Change, say.
type change interface {
	Asks() *engine.Effects
}

// outcome is what a step did, whatever the archetype.
type outcome struct {
	// changed of the run that was stepped; nil when nothing did.
	changed change
	born    newborn
	// base is what changed of the base run of a reset, if that is another than
	// was stepped; nil otherwise.
	base  change
	reply any
}

// newborn is a run that becomes the current one of its id, if there is any, and
// the change that brings all of it.
type newborn struct {
	runID string
	run   execution
	birth change
}

// machine is what the shell must know of an archetype.
type machine interface {
	// concernsID reports whether an input is about an id, whatever its current
	// run: then it is carried out by stepID, else by the run.
	concernsID(in engine.Input) bool
	// stepID carries such an input out. current is the newest run of the id, or nil.
	stepID(env *engine.Env, id engine.ID, current execution, in engine.Input) (outcome, error)
	// mayDelete reports whether an input may remove the run, so that the pointer
	// to the current run must be known.
	mayDelete(in engine.Input) bool
	// start gives the offered task to a poller.
	start(t *engine.Task, poller engine.Poller) engine.Input
	// called brings back what became of a try to deliver a callback.
	called(d *engine.Delivery, a callback.Answer) engine.Input
	// due says that a deadline may have passed; deletion removes a run.
	due() engine.Input
	deletion() engine.Input
	// notFound refuses what is about a run that is not there; about the current
	// one, if runID is empty.
	notFound(id engine.ID, runID string) error

	// load begins to build a run from its rows.
	load(key engine.RunKey) loader
	// erase removes the rows of a run.
	erase(b *store.Batch, key engine.RunKey)
}

// loader builds a run from the rows of its state.
type loader interface {
	// Add takes the next row; it keeps none of its bytes. A mistake shows later.
	Add(e store.Entry)
	// run is what was loaded; nil when there was no row. opened is when the shard
	// was: heartbeats of before may be lost (I1).
	run(opened time.Time) (execution, error)
	// visibility is the run's row in the index, for which only the parts that are
	// shown need to be added, and what the run is armed for.
	shown(part record.Part) bool
	visibility() (v *engine.VisibilityRecord, armed time.Time, err error)
}

// machineOf is the machine of an archetype; nil for one that this release does
// not know.
func machineOf(a engine.Archetype) machine {
	switch a {
	case engine.ArchetypeWorkflow:
		return workflowMachine{}
	case engine.ArchetypeActivity:
		return activityMachine{}
	}
	return nil
}

// errArchetype refuses what is about an execution of a later release.
var errArchetype = engine.Refuse(engine.KindUnimplemented, "executions of this kind are not known to this release")

// errInput refuses an input of another archetype than the execution's.
func errInput(in engine.Input) error {
	return engine.Refuse(engine.KindUnimplemented, "input %T does not concern an execution of this kind", in)
}

// kindOf is an input's name for measurements: that of its type, with the
// archetype before it if it is another than workflow ("standalone.Complete").
func kindOf(in engine.Input) string {
	t := reflect.TypeOf(in).Elem()
	if _, ok := in.(workflow.Input); ok {
		return t.Name()
	}
	return t.String()
}

// abortOf is the input that takes a start back, and the run it is for.
func abortOf(started any) (run engine.RunKey, in engine.Input) {
	switch t := started.(type) {
	case *workflow.TaskStarted:
		return t.Token.Run, &workflow.AbortWorkflowTask{Token: t.Token}
	case *workflow.ActivityStarted:
		return t.Token.Run, &workflow.AbortActivity{Token: t.Token}
	case *standalone.Started:
		return t.Run, &standalone.AbortAttempt{Stamp: t.Activity.Stamp}
	}
	return engine.RunKey{}, nil
}
