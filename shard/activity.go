package shard

import (
	"errors"
	"time"

	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// activityExecution is a run of a standalone activity in memory.
type activityExecution struct {
	*standalone.Run
	// change collects what is not yet in a sealed batch, several steps' worth.
	change *standalone.Change
}

// activity is the standalone activity's run that is held; nil when there is
// none, or an execution of another archetype.
func (h *held) activity() *standalone.Run {
	if a, ok := h.run.(*activityExecution); ok {
		return a.Run
	}
	return nil
}

func (a *activityExecution) armed() time.Time { return a.Info.Armed }
func (a *activityExecution) arm(at time.Time) { a.Info.Armed = at }
func (a *activityExecution) progress() int64  { return a.Info.Transitions }

// sizeBytes implements execution. StateBytes does not move with heartbeats.
func (a *activityExecution) sizeBytes() int64 {
	size := a.Info.StateBytes
	for _, p := range a.Activity.HeartbeatDetails.GetPayloads() {
		size += int64(len(p.GetData()))
	}
	return size
}

// Volatile implements execution: all of a standalone activity is stored.
func (a *activityExecution) Volatile() bool { return false }

// missing implements execution: a standalone activity has no history.
func (a *activityExecution) missing(engine.Input) map[int64]int64   { return nil }
func (a *activityExecution) keep(map[int64]*historypb.HistoryEvent) {}
func (a *activityExecution) durable(uint64)                         {}

func (a *activityExecution) step(env *engine.Env, in engine.Input) (outcome, error) {
	own, ok := in.(standalone.Input)
	if !ok {
		return outcome{}, errInput(in)
	}
	return activityOutcome(standalone.Step(env, a.Run, own))
}

func (a *activityExecution) mayWait(c change) bool {
	e := c.Asks()
	return e.Deferrable && e.Silent()
}

func (a *activityExecution) apply(c change) (grown int) {
	own := c.(*standalone.Change)
	a.Apply(own)
	if a.change == nil {
		a.change = own
	} else {
		mergeActivity(a.change, own)
	}
	const parts = 500
	if own.Start != nil {
		return parts + int(own.Info.StateBytes)
	}
	return parts
}

// mergeActivity adds a later change of the same run to an earlier one that is
// not written yet, as merge does.
func mergeActivity(into, c *standalone.Change) {
	into.Info = c.Info
	if c.Start != nil {
		into.Start = c.Start
	}
	if c.Activity != nil {
		into.Activity = c.Activity
	}
	if c.Outcome != nil {
		into.Outcome = c.Outcome
	}
	into.Attachments = append(into.Attachments, c.Attachments...)
	mergeMap(&into.Callbacks, c.Callbacks)
}

func (a *activityExecution) write(b *store.Batch, _ uint64) {
	c := a.change
	a.change = nil
	if c == nil {
		record.WriteStandaloneInfo(b, a.Key, a.Info)
		return
	}
	c.Info = a.Info
	record.WriteStandalone(b, a.Key, c)
}

// activityMachine is the machine of engine.ArchetypeActivity.
type activityMachine struct{}

func (activityMachine) concernsID(in engine.Input) bool {
	_, ok := in.(*standalone.StartExecution)
	return ok
}

func (activityMachine) stepID(env *engine.Env, id engine.ID, current execution, in engine.Input) (outcome, error) {
	own, ok := in.(standalone.Input)
	if !ok {
		return outcome{}, errInput(in)
	}
	var run *standalone.Run
	if current != nil {
		run = current.(*activityExecution).Run
	}
	return activityOutcome(standalone.StepID(env, id, run, own))
}

// activityOutcome takes care that what is nil stays nil, as workflowOutcome does.
func activityOutcome(res *standalone.Result, err error) (o outcome, _ error) {
	if err != nil {
		return o, err
	}
	o.reply = res.Reply
	if res.Run != nil {
		o.changed = res.Run
	}
	if res.New != nil {
		o.born = newborn{
			runID: res.New.Run.Key.RunID,
			run:   &activityExecution{Run: res.New.Run},
			birth: res.New.Change,
		}
	}
	return o, nil
}

func (activityMachine) mayDelete(in engine.Input) bool {
	switch in.(type) {
	case *standalone.Delete, *standalone.Due:
		return true
	}
	return false
}

func (activityMachine) start(t *engine.Task, poller engine.Poller) engine.Input {
	return &standalone.StartAttempt{Stamp: t.Stamp, Poller: poller}
}

func (activityMachine) called(d *engine.Delivery, a callback.Answer) engine.Input {
	return &standalone.CallbackAnswered{Number: d.Number, Stamp: d.Stamp, Answer: a}
}

func (activityMachine) due() engine.Input      { return &standalone.Due{} }
func (activityMachine) deletion() engine.Input { return &standalone.Delete{} }

func (activityMachine) notFound(id engine.ID, _ string) error {
	return engine.NotFound("activity not found for ID: %s", id.Name)
}

func (activityMachine) erase(b *store.Batch, key engine.RunKey) { record.DeleteStandalone(b, key) }

func (activityMachine) load(key engine.RunKey) loader {
	return activityLoader{record.NewStandaloneLoader(key)}
}

type activityLoader struct{ *record.StandaloneLoader }

func (l activityLoader) run(opened time.Time) (execution, error) {
	run, err := l.Run()
	if errors.Is(err, record.ErrNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	run.Loaded(opened)
	return &activityExecution{Run: run}, nil
}

func (activityLoader) shown(part record.Part) bool { return part <= record.PartAloneActivity }

func (l activityLoader) visibility() (*engine.VisibilityRecord, time.Time, error) {
	run, err := l.Run()
	if err != nil {
		return nil, time.Time{}, err
	}
	return run.VisibilityRecord(), run.Info.Armed, nil
}
