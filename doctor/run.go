package doctor

import (
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
	"github.com/perdure/perdure/store"
)

// run is one run as it is found: its state, if it has one, and its history.
type run struct {
	key      engine.RunKey
	workflow *record.Loader
	activity *record.StandaloneLoader
	history  history
	state    bool // it has rows of a state
	// loaded is nil when the state is missing or cannot be read.
	loaded execution
}

// execution is what runs of all archetypes are asked alike.
type execution interface {
	Open() bool
	NextDeadline() time.Time
	Offers() []engine.Task
	VisibilityRecord() *engine.VisibilityRecord
}

// load takes a part of the run's state.
func (r *run) load(row store.Entry) {
	r.state = true
	if r.key.Archetype == engine.ArchetypeActivity {
		if r.activity == nil {
			r.activity = record.NewStandaloneLoader(r.key)
		}
		r.activity.Add(row)
		return
	}
	if r.workflow == nil {
		r.workflow = record.NewLoader(r.key)
	}
	r.workflow.Add(row)
}

// checkRun checks one run against itself and what is in its slot.
func (e *examiner) checkRun(s *slot, r *run) {
	switch {
	case r.key.ID == (engine.ID{}) && r.state:
		e.report.find("state-partial", e.name(r.key), "the part is missing that says which execution's run it is")
		return
	case r.key.ID == (engine.ID{}):
		e.report.find("history-orphan", e.name(r.key), "%d events", len(r.history.types))
		return
	case r.key.Archetype != engine.ArchetypeWorkflow && r.key.Archetype != engine.ArchetypeActivity:
		e.report.find("unknown-kind", e.name(r.key), "its kind is %d", r.key.Archetype)
		return
	case r.workflow == nil && r.activity == nil:
		e.report.find("history-orphan", e.name(r.key), "%d events", len(r.history.types))
		return
	}
	var armed time.Time
	if r.activity != nil {
		run, err := r.activity.Run()
		if err != nil {
			e.unloaded(r, err)
			return
		}
		r.loaded, armed = run, run.Info.Armed
		e.count(&e.report.Activities, run)
		e.checkStandalone(r, run)
	} else {
		run, err := r.workflow.Run()
		if err != nil {
			e.unloaded(r, err)
			return
		}
		r.loaded, armed = run, run.Info.Armed
		e.count(&e.report.Workflows, run)
		e.checkWorkflow(s, r, run)
	}
	e.checkDeadline(s, r, armed)
	e.checkOffers(s, r)
	if _, ok := e.namespaces[r.key.NamespaceID]; !ok {
		e.report.find("namespace-deleted", e.name(r.key), "its namespace is not there")
	}
}

func (e *examiner) count(c *Count, run execution) {
	c.Runs++
	if run.Open() {
		c.Open++
	}
}

// unloaded makes a finding of a state that does not load.
func (e *examiner) unloaded(r *run, err error) {
	if errors.Is(err, record.ErrPartial) {
		e.report.find("state-partial", e.name(r.key), "%v", err)
		return
	}
	e.bad(err, e.name(r.key))
}

// checkStandalone checks a standalone activity.
func (e *examiner) checkStandalone(r *run, run *standalone.Run) {
	if run.Open() == (run.Outcome != nil) {
		e.report.find("pending", e.name(r.key), "it is %s and has an outcome: %t", run.Info.Status, run.Outcome != nil)
	}
	if n := len(r.history.types); n > 0 {
		e.report.find("history-orphan", e.name(r.key), "an activity has no history, this one has %d events", n)
	}
}

// checkWorkflow checks a workflow's state against its history and messages.
func (e *examiner) checkWorkflow(s *slot, r *run, run *workflow.Run) {
	h, where := &r.history, e.name(r.key)
	if h.unread {
		return // said already
	}
	last := h.next() - 1
	if last != run.Info.NextEventID-1 {
		e.report.find("history-end", where, "the last event is %d; by the state it is %d", last, run.Info.NextEventID-1)
		return
	}
	if len(h.first) > 0 && h.first[len(h.first)-1] != run.Info.LastBatchID {
		e.report.find("history-end", where, "the last batch begins with event %d; by the state with event %d", h.first[len(h.first)-1], run.Info.LastBatchID)
	}
	if h.typeOf(1) != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED {
		e.report.find("history-gap", where, "it begins with %s", h.typeOf(1))
	}
	for i, kind := range h.types {
		if id := int64(i) + 1; isClose[kind] != (!run.Open() && id == last) {
			e.report.find("history-end", where, "event %d of %d is %s, and the run is %s", id, last, kind, run.Info.Status)
		}
	}
	for _, ev := range run.Buffered {
		h.follow(ev)
	}
	e.checkPending(r, run)
	e.checkReferences(r, run)
	e.checkMessages(s, r, run)
}

// checkPending compares what the state says is pending with the history.
func (e *examiner) checkPending(r *run, run *workflow.Run) {
	timers := make(map[int64]bool)
	for _, t := range run.Timers {
		timers[t.StartedEventID] = true
	}
	state := map[matter]map[int64]bool{
		anActivity: keys(run.Activities), aTimer: timers, aChild: keys(run.Children), aSignal: keys(run.Signals), aCancel: keys(run.Cancels),
	}
	for _, m := range matters {
		events := r.history.open[m]
		if !run.Open() && m != anActivity && m != aChild {
			events = nil // a run that closes forgets these
		}
		if d := difference(state[m], events); d != "" {
			e.report.find("pending", e.name(r.key), "%s %s", m, d)
		}
	}
}

func keys[V any](m map[int64]V) map[int64]bool {
	set := make(map[int64]bool, len(m))
	for k := range m {
		set[k] = true
	}
	return set
}

// checkReferences looks up every event that the state names.
func (e *examiner) checkReferences(r *run, run *workflow.Run) {
	h := &r.history
	expect := func(what string, id, batch int64, want enumspb.EventType) {
		if got := h.typeOf(id); got != want || batch != 0 && !h.inBatch(id, batch) {
			e.report.find("event-mismatch", e.name(r.key), "%s is event %d in batch %d, a %s; there it is %s", what, id, batch, want, got)
		}
	}
	for id, a := range run.Activities {
		expect("activity "+a.ID, id, a.BatchID, enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
	}
	for id, c := range run.Children {
		expect("child "+c.WorkflowID, id, c.BatchID, enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED)
		if c.StartedEventID > 0 {
			expect("the start of child "+c.WorkflowID, c.StartedEventID, 0, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED)
		}
	}
	for id, x := range run.Signals {
		expect("a signal", id, x.BatchID, enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED)
	}
	for id, x := range run.Cancels {
		expect("a cancellation", id, x.BatchID, enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED)
	}
	for id, u := range run.Updates {
		if u.AdmittedEventID > 0 {
			expect("the admission of update "+id, u.AdmittedEventID, 0, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED)
		}
		if u.AcceptedEventID > 0 || u.AdmittedEventID == 0 {
			expect("update "+id, u.AcceptedEventID, u.AcceptedBatchID, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
		}
		if u.CompletedEventID > 0 {
			expect("the outcome of update "+id, u.CompletedEventID, u.CompletedBatchID, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
		}
	}
	for id, q := range run.Requests {
		if !q.Buffered {
			expect("request "+id, q.EventID, 0, q.EventType)
		}
	}
	if !run.Open() {
		expect("the close", run.Info.CloseEventID, run.Info.CloseBatchID, h.typeOf(int64(len(h.types))))
	}
}
