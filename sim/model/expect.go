package main

import (
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// What must come of requests, by spec/workflow.md 1.4, 1.5, 4 and 6.

const (
	conflictTerminate = enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	conflictUse       = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
)

// expectStart is the matrix of the id policies.
func (w *world) expectStart(name string, want begun) *expected {
	l := w.current[name]
	if l == nil {
		return &expected{born: true, started: want}
	}
	b := l.book
	if m := want.from; m != nil && b.startedBy(m) {
		return b.expectAdoption(m)
	}
	switch {
	case b.requests[want.request]:
		return nothing()
	case !b.open:
		if refusesReuse(b, want.start.reuse) {
			return refuse(engine.KindAlreadyStarted)
		}
		return &expected{born: true, started: want}
	case want.start.conflict == conflictTerminate:
		return &expected{born: true, started: want, ends: true, closes: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED}
	case want.start.conflict == conflictUse && !want.start.attach:
		return nothing()
	case want.start.conflict == conflictUse && b.full(w):
		return refuse(engine.KindInvalidArgument)
	case want.start.conflict == conflictUse && b.attached >= w.limits.RequestIDs:
		return refuse(engine.KindFailedPrecondition)
	case want.start.conflict == conflictUse:
		return &expected{arrivals: []arrival{{what: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED, name: want.request}}}
	}
	return refuse(engine.KindAlreadyStarted)
}

// startedBy: the message is the one by which the parent, or the run before it that
// was reset, has started the child.
func (b *ledger) startedBy(m *engine.Message) bool {
	return b.parent.ID == m.From.ID && b.initiated == m.EventID && (b.parent == m.From || b.asked != "" && b.asked == m.RequestID)
}

// expectAdoption: another run has taken the parent's place.
func (b *ledger) expectAdoption(m *engine.Message) *expected {
	if !b.open || b.parent == m.From {
		return nothing()
	}
	return &expected{after: func(*life) { b.parent = m.From }}
}

func refusesReuse(b *ledger, reuse enumspb.WorkflowIdReusePolicy) bool {
	switch reuse {
	case enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
		return true
	case enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY:
		return b.closed == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED || b.closed == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
	}
	return false
}

func signalled(request string) []arrival {
	return []arrival{{what: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, name: request}}
}

func (w *world) expectSignalWithStart(name, request string, o startOptions) *expected {
	begins := func(e *expected) *expected {
		e.born, e.started, e.births = true, begun{request: request}, signalled(request)
		return e
	}
	l := w.current[name]
	switch {
	case l == nil:
		return begins(&expected{})
	case l.book.requests[request]:
		return nothing()
	case l.book.open && o.conflict == conflictTerminate:
		return begins(&expected{ends: true, closes: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED})
	case l.book.open:
		return l.book.expectSignal(w, request)
	case refusesReuse(l.book, o.reuse):
		return refuse(engine.KindAlreadyStarted)
	}
	return begins(&expected{})
}

func (b *ledger) expectSignal(w *world, request string) *expected {
	switch {
	case request != "" && b.requests[request]:
		return nothing()
	case !b.open:
		return refuse(engine.KindNotFound)
	case b.signals >= w.limits.SignalsPerRun:
		return refuse(engine.KindInvalidArgument)
	case b.closing && b.live != 0:
		return refuse(engine.KindBusyWorkflow)
	case b.full(w):
		return refuse(engine.KindInvalidArgument)
	}
	return &expected{arrivals: signalled(request)}
}

func (b *ledger) expectCancel() *expected {
	if !b.open || b.cancelAsked {
		return nothing()
	}
	return &expected{arrivals: []arrival{{what: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED}}}
}

func (b *ledger) expectTerminate() *expected {
	if !b.open {
		return refuse(engine.KindNotFound)
	}
	return &expected{ends: true, closes: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED}
}

func (b *ledger) expectUpdate(w *world, run *workflow.Run, id string) *expected {
	if b.updates[id] != 0 {
		return nothing()
	}
	task := run.Info.Task
	switch {
	case !b.open:
		return refuse(engine.KindNotFound)
	case b.paused:
		return refuse(engine.KindFailedPrecondition)
	case task != nil && task.Attempt >= 3:
		return refuse(engine.KindWorkflowNotReady)
	case b.closing && b.live != 0:
		return refuse(engine.KindBusyWorkflow)
	case b.full(w):
		return refuse(engine.KindInvalidArgument)
	case b.inFlight() >= w.limits.UpdatesInFlight:
		return refuse(engine.KindConcurrentLimit)
	case len(b.updates) >= w.limits.UpdatesPerRun:
		return refuse(engine.KindFailedPrecondition)
	}
	return &expected{updates: map[string]stage{id: admitted}}
}

// expectUpdateWithStart: whichever half is refused, the call is taken and says so.
func (w *world) expectUpdateWithStart(name, id, request string, o startOptions) (e *expected, refused bool) {
	l := w.current[name]
	fresh := &expected{born: true, started: begun{request: request}, updates: map[string]stage{id: admitted}}
	if l == nil {
		return fresh, false
	}
	b := l.book
	stage := b.updates[id]
	if b.open && (stage != 0 || b.requests[request] && l.run.Start.RequestID == request || o.conflict == conflictUse) || !b.open && b.hasOutcome(l, id) {
		e = b.expectUpdate(w, l.run, id)
		if e.refusal != 0 {
			return nothing(), true
		}
		return e, false
	}
	switch {
	case !b.open && refusesReuse(b, o.reuse):
		return nothing(), true
	case !b.open:
		return fresh, false
	case o.conflict == conflictTerminate:
		fresh.ends, fresh.closes = true, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
		return fresh, false
	}
	return nothing(), true
}

// hasOutcome: the update was completed by a worker, not cut off by the close.
func (b *ledger) hasOutcome(l *life, id string) bool {
	u := l.run.Updates[id]
	return u != nil && u.CompletedEventID != 0
}

// expectDue is all whose time has come, and nothing else.
func (b *ledger) expectDue(w *world) *expected {
	if !b.open {
		return &expected{}
	}
	e := b.expectLate(w)
	e.mayEnd, e.mayClose, e.succeeds = true, true, true
	for _, name := range sortedKeys(b.timers) {
		if t := b.timers[name]; !t.due.After(w.now) {
			e.arrivals = append(e.arrivals, arrival{what: enumspb.EVENT_TYPE_TIMER_FIRED, about: t.startedID, name: name})
		}
	}
	return e
}

// expectLate is what has become overdue of the activities.
func (b *ledger) expectLate(w *world) *expected {
	e := &expected{}
	var late []int64
	for _, id := range sortedKeys(b.acts) {
		a := b.acts[id]
		at := a.overdue()
		if at.IsZero() || at.After(w.now) {
			continue
		}
		late = append(late, id)
		s2cOver := a.s2c > 0 && !a.scheduled.Add(a.s2c).After(w.now)
		if s2cOver || !a.mayRetry(w.now) {
			e.arrivals = append(e.arrivals, a.ends(id, enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, "")...)
		}
	}
	e.after = func(l *life) {
		for _, id := range late {
			if a := b.acts[id]; a != nil && b.open {
				was := a.attempt
				a.learn(l.run, id)
				if a.attempt != was+1 && a.attempt != 1 {
					w.fail("I6: after a timeout activity %d went from attempt %d to %d", id, was, a.attempt)
				}
			}
		}
	}
	return e
}

// ends are the events by which an activity ends.
func (a *act) ends(id int64, how enumspb.EventType, text string) []arrival {
	end := arrival{what: how, about: id, name: text}
	if a.stamp == 0 {
		return []arrival{end}
	}
	return []arrival{{what: enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED, about: id}, end}
}
