package shard

import (
	"errors"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// workflowExecution is a workflow run in memory.
type workflowExecution struct {
	*workflow.Run
	// change collects what is not yet in a sealed batch, several steps' worth.
	change *workflow.Change
	// fresh are history batches that are not durable yet, oldest first.
	fresh []freshHistory
	// tail is the end of the history, as sealed.
	tail tail
	// sized is the history size that apply has accounted for.
	sized int64
}

// freshHistory is one history batch on its way to the disk.
type freshHistory struct {
	batch  uint64 // 0: in the open batch or deferred
	events []*historypb.HistoryEvent
}

// workflow is the workflow run that is held; nil when there is none, or an
// execution of another archetype.
func (h *held) workflow() *workflow.Run {
	if w := h.workflowExecution(); w != nil {
		return w.Run
	}
	return nil
}

func (h *held) workflowExecution() *workflowExecution {
	w, _ := h.run.(*workflowExecution)
	return w
}

func (w *workflowExecution) armed() time.Time { return w.Info.Armed }
func (w *workflowExecution) arm(at time.Time) { w.Info.Armed = at }
func (w *workflowExecution) progress() int64  { return w.Info.NextEventID }
func (w *workflowExecution) sizeBytes() int64 { return w.Info.StateBytes + w.Info.BufferedBytes }

// missing implements execution.
func (w *workflowExecution) missing(in engine.Input) map[int64]int64 {
	own, ok := in.(workflow.Input)
	if !ok {
		return nil
	}
	need := workflow.Needs(w.Run, own)
	var missing map[int64]int64
	want := func(id, batch int64) {
		if ev := w.freshEvent(id); ev != nil {
			w.keep(map[int64]*historypb.HistoryEvent{id: ev})
			return
		}
		if missing == nil {
			missing = make(map[int64]int64)
		}
		missing[id] = batch
	}
	if need.StartedEvent && w.Started == nil {
		want(1, 1)
	}
	for id, batch := range need.Events {
		if w.Scheduled[id] == nil {
			want(id, batch)
		}
	}
	return missing
}

// freshEvent finds an event among those that are not durable yet.
func (w *workflowExecution) freshEvent(id int64) *historypb.HistoryEvent {
	for _, f := range w.fresh {
		if first := f.events[0].EventId; id >= first && id < first+int64(len(f.events)) {
			return f.events[id-first]
		}
	}
	return nil
}

func (w *workflowExecution) keep(events map[int64]*historypb.HistoryEvent) {
	for id, ev := range events {
		if id == 1 {
			w.Started = ev
			continue
		}
		if w.Scheduled == nil {
			w.Scheduled = make(map[int64]*historypb.HistoryEvent)
		}
		w.Scheduled[id] = ev
	}
}

func (w *workflowExecution) step(env *engine.Env, in engine.Input) (outcome, error) {
	own, ok := in.(workflow.Input)
	if !ok {
		return outcome{}, errInput(in)
	}
	return workflowOutcome(workflow.Step(env, w.Run, own))
}

func (w *workflowExecution) mayWait(c change) bool {
	own := c.(*workflow.Change)
	return own.Deferrable && own.Silent() && len(own.Batches)+len(own.News) == 0
}

func (w *workflowExecution) apply(c change) (grown int) {
	own := c.(*workflow.Change)
	w.Apply(own)
	for _, events := range own.Batches {
		w.fresh = append(w.fresh, freshHistory{events: events})
	}
	const otherParts = 500
	grown = otherParts + int(own.Info.HistorySizeBytes-w.sized)
	w.sized = own.Info.HistorySizeBytes
	if w.change == nil {
		w.change = own // the step gave it away
	} else {
		merge(w.change, own)
	}
	return grown
}

// joinStarted puts the event of a workflow task that is started together with the
// step that has scheduled it into that step's batch: a row less. Nobody has seen the
// history between the two, so that no page begins at the event; a reset that does
// cuts the row.
func (w *workflowExecution) joinStarted(later change) {
	c, ok := later.(*workflow.Change)
	if !ok || w.change == nil || len(w.change.Batches) == 0 || len(c.Batches) != 1 ||
		len(c.Batches[0]) != 1 || c.Batches[0][0].EventType != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
		return
	}
	last := &w.change.Batches[len(w.change.Batches)-1]
	*last = append(*last, c.Batches[0][0])
	w.fresh[len(w.fresh)-1].events = *last
	c.Batches = nil
	c.Info.LastBatchID = (*last)[0].EventId
}

func (w *workflowExecution) write(b *store.Batch, no uint64) {
	for i := range w.fresh {
		if w.fresh[i].batch == 0 {
			w.fresh[i].batch = no
		}
	}
	c := w.change
	w.change = nil
	if c == nil {
		record.WriteInfo(b, w.Key, w.Info)
		return
	}
	c.Info = w.Info
	before := len(b.Ops)
	record.WriteChange(b, w.Key, c)
	w.tail.seal(b.Ops[before:])
}

func (w *workflowExecution) durable(no uint64) {
	n := 0
	for n < len(w.fresh) && w.fresh[n].batch != 0 && w.fresh[n].batch <= no {
		n++
	}
	w.fresh = slices.Delete(w.fresh, 0, n)
}

// merge adds a later change of the same run to an earlier one that is not
// written yet, so that both are written as one. The later one is not kept.
func merge(into, c *workflow.Change) {
	if c.Start != nil {
		into.Start = c.Start
	}
	into.Info = c.Info
	if c.MemoChanged {
		into.Memo, into.MemoChanged = c.Memo, true
	}
	if c.SearchAttributesChanged {
		into.SearchAttributes, into.SearchAttributesChanged = c.SearchAttributes, true
	}
	mergeMap(&into.Activities, c.Activities)
	mergeMap(&into.Timers, c.Timers)
	mergeMap(&into.Children, c.Children)
	mergeMap(&into.Signals, c.Signals)
	mergeMap(&into.Cancels, c.Cancels)
	mergeMap(&into.Requests, c.Requests)
	mergeMap(&into.Updates, c.Updates)
	mergeMap(&into.Callbacks, c.Callbacks)
	mergeMap(&into.Buffered, c.Buffered)
	into.Batches = append(into.Batches, c.Batches...)
	into.Deleted = into.Deleted || c.Deleted
}

func mergeMap[K comparable, V any](into *map[K]V, from map[K]V) {
	if *into == nil {
		*into = from
		return
	}
	for k, v := range from {
		(*into)[k] = v
	}
}

// workflowMachine is the machine of engine.ArchetypeWorkflow.
type workflowMachine struct{}

func (workflowMachine) concernsID(in engine.Input) bool {
	switch in.(type) {
	case *workflow.StartWorkflow, *workflow.SignalWithStart, *workflow.UpdateWithStart, *workflow.ResetWorkflow:
		return true
	}
	return false
}

func (workflowMachine) stepID(env *engine.Env, id engine.ID, current execution, in engine.Input) (outcome, error) {
	own, ok := in.(workflow.Input)
	if !ok {
		return outcome{}, errInput(in)
	}
	var run *workflow.Run
	if current != nil {
		run = current.(*workflowExecution).Run
	}
	return workflowOutcome(workflow.StepID(env, id, run, own))
}

// workflowOutcome takes care that what is nil stays nil: a nil pointer in an
// interface would not be.
func workflowOutcome(res *workflow.Result, err error) (o outcome, _ error) {
	if err != nil {
		return o, err
	}
	o.reply = res.Reply
	if res.Run != nil {
		o.changed = res.Run
	}
	if res.Base != nil {
		o.base = res.Base
	}
	if res.New != nil {
		o.born = newborn{
			runID: res.New.Run.Key.RunID,
			run:   &workflowExecution{Run: res.New.Run},
			birth: res.New.Change,
		}
	}
	return o, nil
}

func (workflowMachine) mayDelete(in engine.Input) bool {
	switch in.(type) {
	case *workflow.Delete, *workflow.Due:
		return true
	}
	return false
}

func (workflowMachine) start(t *engine.Task, poller engine.Poller) engine.Input {
	if t.IsWorkflow() {
		return &workflow.StartWorkflowTask{EventID: t.EventID, Stamp: t.Stamp, Poller: poller}
	}
	return &workflow.StartActivity{EventID: t.EventID, Stamp: t.Stamp, Poller: poller}
}

func (workflowMachine) called(d *engine.Delivery, a callback.Answer) engine.Input {
	return &workflow.CallbackAnswered{Number: d.Number, Stamp: d.Stamp, Answer: a}
}

func (workflowMachine) due() engine.Input      { return &workflow.Due{} }
func (workflowMachine) deletion() engine.Input { return &workflow.Delete{} }

func (workflowMachine) notFound(id engine.ID, runID string) error {
	if runID == "" {
		return engine.NotFound("workflow not found for ID: %s", id.Name)
	}
	return engine.NotFound("workflow execution not found for workflow ID %q and run ID %q", id.Name, runID)
}

func (workflowMachine) erase(b *store.Batch, key engine.RunKey) { record.DeleteRun(b, key) }

func (workflowMachine) load(key engine.RunKey) loader { return workflowLoader{record.NewLoader(key)} }

type workflowLoader struct{ *record.Loader }

func (l workflowLoader) run(opened time.Time) (execution, error) {
	run, err := l.Run()
	if errors.Is(err, record.ErrNoRun) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	run.Loaded(opened)
	return &workflowExecution{Run: run, sized: run.Info.HistorySizeBytes}, nil
}

func (workflowLoader) shown(part record.Part) bool { return part <= record.PartSearchAttributes }

func (l workflowLoader) visibility() (*engine.VisibilityRecord, time.Time, error) {
	run, err := l.Run()
	if err != nil {
		return nil, time.Time{}, err
	}
	return run.VisibilityRecord(), run.Info.Armed, nil
}
