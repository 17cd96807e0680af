package doctor

import (
	"maps"
	"slices"
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// checkDeadline compares a run's deadline with its row (I7). An open run that is in
// the feed may do without one: that row leads back to it as well.
func (e *examiner) checkDeadline(s *slot, r *run, armed time.Time) {
	next, rows, where := r.loaded.NextDeadline(), s.deadlines[r.key], e.name(r.key)
	if owed := len(rows) == 0 && r.loaded.Open() && s.feed[r.key] != nil; !armed.IsZero() && !owed && !slices.ContainsFunc(rows, armed.Equal) {
		e.report.find("deadline-missing", where, "its row at %s is not there", stamp(armed))
	} else if !next.IsZero() && armed.IsZero() {
		e.report.find("deadline-missing", where, "it is due at %s and has no row", stamp(next))
	} else if !next.IsZero() && armed.After(next) {
		e.report.find("deadline-late", where, "it is due at %s, its row says %s", stamp(next), stamp(armed))
	}
	for _, due := range rows {
		if !due.Equal(armed) {
			e.report.find("deadline-left", where, "a row at %s", stamp(due))
		}
	}
	delete(s.deadlines, r.key)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// offer is what tells the offers of a run apart.
type offer struct {
	workflow       bool
	eventID, stamp int64
	queue          engine.TaskQueue
}

func offerOf(t *engine.Task) offer {
	return offer{workflow: t.IsWorkflow(), eventID: t.EventID, stamp: t.Stamp, queue: t.Queue}
}

// checkOffers compares the tasks a run offers with the backlog (I5, I6).
func (e *examiner) checkOffers(s *slot, r *run) {
	stored := map[offer]bool{}
	for _, t := range s.tasks[r.key] {
		stored[offerOf(t)] = true
	}
	for _, t := range r.loaded.Offers() {
		o := offerOf(&t)
		if !stored[o] && !t.Volatile {
			e.report.find("task-missing", e.name(r.key), "%s of event %d, stamp %d, for queue %q", kindOf(o), o.eventID, o.stamp, o.queue.Name)
		}
		delete(stored, o)
	}
	for o := range stored {
		e.report.find("task-left", e.name(r.key), "%s of event %d, stamp %d, for queue %q", kindOf(o), o.eventID, o.stamp, o.queue.Name)
	}
	delete(s.tasks, r.key)
}

func kindOf(o offer) string {
	if o.workflow {
		return "workflow task"
	}
	return "activity task"
}

// errand is what tells the messages of a run apart.
type errand struct {
	kind    engine.MessageKind
	eventID int64
}

// checkMessages compares the answers a run waits for with what is on its way
// (I8).
func (e *examiner) checkMessages(s *slot, r *run, run *workflow.Run) {
	sent := map[errand]bool{}
	for _, m := range s.messages[r.key] {
		sent[errand{m.Kind, m.EventID}] = true
		if m.NeedsEvent() && !r.history.inBatch(m.EventID, m.BatchID) {
			e.report.find("message-event", e.name(r.key), "message %d refers to event %d in batch %d", m.Kind, m.EventID, m.BatchID)
		}
	}
	if !run.Open() {
		return // it waits for nothing
	}
	expect := func(what matter, kind engine.MessageKind, id int64) {
		if !sent[errand{kind, id}] {
			e.report.find("message-missing", e.name(r.key), "%s of event %d", what, id)
		}
	}
	for id, c := range run.Children {
		if c.StartedEventID == 0 {
			expect(aChild, engine.MessageStartChild, id)
		}
	}
	for id := range run.Signals {
		expect(aSignal, engine.MessageSignal, id)
	}
	for id := range run.Cancels {
		expect(aCancel, engine.MessageCancel, id)
	}
}

// checkPointers compares the current pointers with the runs (I3).
func (e *examiner) checkPointers(s *slot) {
	for id, runID := range s.current {
		if r := s.runs[engine.RunKey{ID: id, RunID: runID}]; r == nil || r.workflow == nil && r.activity == nil {
			e.report.find("dangling-run", e.name(engine.RunKey{ID: id}), "the pointer names run %s", runID)
		}
	}
	for _, r := range s.sorted() {
		if r.loaded != nil && r.loaded.Open() && !s.unread[r.key.ID] && s.current[r.key.ID] != r.key.RunID {
			e.report.find("two-open-runs", e.name(r.key), "the pointer names run %q", s.current[r.key.ID])
		}
	}
}

// checkLeftovers notes rows of runs that are not there.
func (e *examiner) checkLeftovers(s *slot) {
	for _, key := range slices.SortedFunc(maps.Keys(s.deadlines), compareKeys) {
		if s.gone(key) {
			e.report.find("deadline-left", e.name(key), "a deadline of a run that is not there")
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(s.tasks), compareKeys) {
		if s.gone(key) {
			e.report.find("task-left", e.name(key), "a task of a run that is not there")
		}
	}
}

// gone reports whether there is no such run, rather than one that is damaged.
func (s *slot) gone(key engine.RunKey) bool {
	r := s.runs[key]
	return r == nil || r.workflow == nil && r.activity == nil
}
