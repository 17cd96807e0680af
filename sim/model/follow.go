package main

import (
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// follow enters a change into the book, and holds it against what was expected.
func (b *ledger) follow(w *world, l *life, c *workflow.Change, e *expected, reply any) {
	f := &following{ledger: b, world: w, l: l, e: e, buffered: b.buffer, arrivals: e.arrivals, commands: e.commands}
	if e.quiet && len(c.Batches) > 0 {
		w.fail("events came of what should change nothing")
	}
	for _, gone := range e.vanished {
		f.buffered, _ = without(f.buffered, gone)
	}
	for _, batch := range c.Batches {
		for _, ev := range batch {
			f.event(ev)
		}
	}
	f.newlyBuffered(c)
	f.checkFlush()
	if len(f.arrivals) > 0 {
		w.fail("%v did not come; the book says %s", f.arrivals, f.about(f.arrivals[0].about))
	}
	if len(f.commands) > 0 {
		w.fail("no events of the commands %v", f.commands)
	}
	if e.closes != 0 && b.open {
		w.fail("the run should have closed with %s", e.closes)
	}
	if e.completes && !f.completed {
		w.fail("the workflow task was not completed")
	}
	f.news(c)
	f.token(reply)
	if e.after != nil {
		e.after(l)
	}
	b.check(w, l)
}

// begin opens the book of a run with its first change.
func (b *ledger) begin(w *world, l *life, c *workflow.Change, e *expected) {
	f := &following{ledger: b, world: w, l: l, e: &expected{optional: func(arrival) bool { return false }}, arrivals: e.births}
	started := c.Batches[0][0]
	if e.prefix != nil {
		started = e.prefix.batches[0][0]
	}
	a := started.GetWorkflowExecutionStartedEventAttributes()
	if a == nil {
		w.fail("a run begins with %s", started.GetEventType())
	}
	if !e.born && !e.succeeds {
		w.fail("nobody asked for a new run")
	}
	b.next = 2
	b.firstRun = a.GetFirstExecutionRunId()
	b.begun = started.GetEventTime().AsTime()
	b.delay = a.GetFirstWorkflowTaskBackoff().AsDuration()
	b.runTimeout = a.GetWorkflowRunTimeout().AsDuration()
	if at := a.GetWorkflowExecutionExpirationTime(); at != nil {
		b.chainEnds = at.AsTime()
	}
	if p := a.GetParentWorkflowExecution(); p != nil {
		b.parent.ID, b.parent.RunID, b.initiated = idOf(p.GetWorkflowId()), p.GetRunId(), a.GetParentInitiatedEventId()
	}
	if e.prefix != nil {
		f.adopt(e.prefix, c, e.started.request)
	} else {
		f.firstEvents(c, e)
	}
	if e.born {
		for id, s := range e.updates {
			b.updates[id] = s
		}
	}
	if p := l.run.Start.Parent; p != nil && e.prefix != nil {
		b.parent = p.Run // the one the base run had by then
	}
	b.live, b.liveSince = liveOf(l.run), w.now
	b.check(w, l)
}

// firstEvents are those behind the Started event of a new run.
func (f *following) firstEvents(c *workflow.Change, e *expected) {
	if e.born {
		f.requests[e.started.request] = true
	}
	if len(e.births) == 0 {
		f.attached = 1 // of a signal-with-start the id counts as the signal's
	}
	for i, batch := range c.Batches {
		for j, ev := range batch {
			if i+j > 0 {
				f.event(ev)
			}
		}
	}
	if len(f.arrivals) > 0 {
		f.world.fail("%v did not come with the start", f.arrivals)
	}
}

// following is one change being entered.
type following struct {
	*ledger
	world *world
	l     *life
	e     *expected

	buffered  []arrival // of before, not flushed
	flushed   []arrival
	arrivals  []arrival // expected, not seen
	commands  []enumspb.EventType
	completed bool
	fresh     []arrival // put into the buffer
	direct    int       // arrivals that went into history at once

	// Of a history that a reset has copied: the events of updates admitted, and
	// the start of the last workflow task that was completed.
	admissions  map[string]int64
	lastStarted int64
}

func (f *following) event(ev *historypb.HistoryEvent) {
	w := f.world
	w.tell("    %s", describeEvent(ev))
	if ev.GetEventId() != f.next {
		w.fail("I2: event id %d, expected %d", ev.GetEventId(), f.next)
	}
	if !f.open {
		w.fail("I2: %s follows the close", ev.GetEventType())
	}
	f.next++
	switch sorts[ev.GetEventType()] {
	case taskEvent:
		f.taskEvent(ev)
	case commandEvent:
		if len(f.commands) == 0 || f.commands[0] != ev.GetEventType() {
			w.fail("event %d is %s; of the commands %v is left", ev.GetEventId(), ev.GetEventType(), f.commands)
		}
		f.commands = f.commands[1:]
		f.commanded(ev)
	case arrivalEvent:
		a := arrivalOf(ev)
		if rest, was := without(f.buffered, a); was {
			f.buffered = rest
			f.flushed = append(f.flushed, a)
		} else {
			f.arrived(a)
			f.direct++
		}
		f.unseen = f.unseen || a.what != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED
	case closeEvent:
		f.closing = false
		f.closeEvent(ev)
	default:
		w.fail("the oracle does not know %s", ev.GetEventType())
	}
}

// arrived checks an event that is new, in history or in the buffer.
func (f *following) arrived(a arrival) {
	rest, was := without(f.arrivals, a)
	if !was && (f.e.optional == nil || !f.e.optional(a)) {
		f.world.fail("%s came of nothing; expected were %v", a, f.arrivals)
	}
	f.arrivals = rest
	f.enter(a)
}

// taskEvent: a workflow task is scheduled, started, ended, one at a time.
func (f *following) taskEvent(ev *historypb.HistoryEvent) {
	w := f.world
	switch t := ev.GetEventType(); t {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		if f.scheduled {
			w.fail("I4: event %d schedules a second workflow task", ev.GetEventId())
		}
		f.scheduled, f.scheduledAt = true, ev.GetEventTime().AsTime()
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		if !f.scheduled || f.started {
			w.fail("I4: event %d starts a workflow task, scheduled %v, started %v", ev.GetEventId(), f.scheduled, f.started)
		}
		f.started = true
	default:
		if !f.scheduled || !f.started && t != enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT && !f.e.pauses {
			w.fail("I4: event %d ends a workflow task that is not under way", ev.GetEventId())
		}
		f.taskEnded(ev)
		f.scheduled, f.started = false, false
	}
}

func (f *following) taskEnded(ev *historypb.HistoryEvent) {
	w := f.world
	f.closing = false
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
		if !f.e.completes && !f.e.mayComplete || f.completed {
			w.fail("I4: nobody has completed the workflow task")
		}
		f.completed, f.unseen = true, false
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
		at := f.liveSince.Add(taskTimeout)
		if !f.started {
			at = f.scheduledAt.Add(stickyTimeout)
		}
		if !f.e.mayEnd || at.After(w.now) {
			w.fail("I7: the workflow task timed out before %v", at)
		}
	}
}

// closeEvent ends the run.
func (f *following) closeEvent(ev *historypb.HistoryEvent) {
	w, t := f.world, ev.GetEventType()
	timeout := t == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT && f.e.mayClose
	if t != f.e.closes && !timeout {
		w.fail("closed with %s", t)
	}
	if timeout {
		f.arrivals = nil // what else was due can no longer be told
		// The event of the start shows the end of the chain in whole milliseconds.
		if at := f.ledger.endsAt(); at.IsZero() || at.Add(-time.Millisecond).After(w.now) {
			w.fail("I7: the run timed out, its time ends at %v", at)
		}
	}
	if len(f.buffered) > 0 {
		w.fail("closed with %v in the buffer", f.buffered)
	}
	f.open = false
}

// newlyBuffered enters events that were put into the buffer.
func (f *following) newlyBuffered(c *workflow.Change) {
	w := f.world
	for _, key := range sortedKeys(c.Buffered) {
		ev := c.Buffered[key]
		if ev == nil {
			continue
		}
		w.tell("    buffered %s", describeEvent(ev))
		a := arrivalOf(ev)
		f.arrived(a)
		f.fresh = append(f.fresh, a)
	}
	f.buffer = append(slices.Clone(f.buffered), f.fresh...)
	if held := len(f.l.run.Buffered); held != len(f.buffer) {
		w.fail("%d events are buffered, expected %v", held, f.buffer)
	}
}

// checkFlush: what was buffered goes into history all at once, in its order, but
// the ends of things last.
func (f *following) checkFlush() {
	if len(f.flushed) == 0 {
		return
	}
	if len(f.buffered) > 0 {
		f.world.fail("of the buffered events %v did not go into history", f.buffered)
	}
	firstLast := slices.IndexFunc(f.flushed, arrival.comesLast)
	if firstLast >= 0 && slices.ContainsFunc(f.flushed[firstLast:], func(a arrival) bool { return !a.comesLast() }) {
		f.world.fail("buffered events went into history in the order %v", f.flushed)
	}
}

// news: what is told of updates follows from what was so before.
func (f *following) news(c *workflow.Change) {
	w := f.world
	for _, n := range c.News {
		id := n.Status.UpdateID
		was := f.updates[id]
		switch {
		case n.Refusal != nil:
			if was != admitted && was != readmitted {
				w.fail("update %s is refused in stage %d", id, was)
			}
			delete(f.updates, id)
		case n.Status.Rejected:
			if was != admitted && was != readmitted {
				w.fail("update %s is rejected in stage %d", id, was)
			}
			delete(f.updates, id)
		case n.Status.Outcome != nil || n.Status.EventID != 0:
			if was != accepted {
				w.fail("update %s is completed in stage %d", id, was)
			}
			f.updates[id] = completed
		default:
			if was == accepted || was == completed {
				w.fail("update %s is accepted in stage %d", id, was)
			}
			f.updates[id] = accepted
		}
	}
	if f.open {
		for id, s := range f.e.updates {
			f.updates[id] = s
		}
	} else {
		for id, s := range f.updates {
			if s != completed {
				w.fail("the run closed, and nobody heard of update %s", id)
			}
		}
	}
}

// about is what the book and the machine say of an activity, for a story.
func (f *following) about(id int64) string {
	return fmt.Sprintf("%+v, the machine %+v", f.acts[id], f.l.run.Activities[id])
}

// token: the one good token of the workflow task.
func (f *following) token(reply any) {
	w, was, is := f.world, f.live, liveOf(f.l.run)
	var brought *workflow.TaskStarted
	switch r := reply.(type) {
	case *workflow.TaskStarted:
		brought = r
	case *workflow.TaskCompleted:
		brought = r.Task
	}
	switch {
	case is == was && (was == 0 || !f.e.ends):
		if is != 0 && f.direct > 0 {
			w.fail("the history moved on under the worker that has the task")
		}
	case is == 0:
		if !f.e.ends && !f.e.mayEnd && f.open && len(f.flushed)+f.direct <= w.limits.BufferedEvents {
			w.fail("I4: the worker's token is good no more, and nobody knows why")
		}
	case brought == nil || brought.Token.Stamp != is:
		w.fail("I4: the good token changed from %d to %d, and nobody was given it", was, is)
	}
	if was != 0 && is != was && !f.e.aborts {
		f.closing = false
	}
	f.live = is
	if brought != nil && brought.Token.Stamp == is && is != was {
		f.liveSince = w.now
		f.l.tokens = append(f.l.tokens, brought.Token)
	}
}

// liveOf is the stamp of the workflow task a worker has; 0 for none.
func liveOf(run *workflow.Run) int64 {
	t := run.Info.Task
	if t == nil || t.StartedEventID == 0 || t.Reoffered || !run.Open() {
		return 0
	}
	return t.Stamp
}
