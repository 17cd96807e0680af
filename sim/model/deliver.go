package main

import (
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// deliver brings one message on its way, whichever, as an outbox would: at least
// once. Its answer may be lost, and what was settled may come again.
func (w *world) deliver() {
	if len(w.posted) > 0 && w.one(8) { // a crash came before its row was removed
		m := pick(w, w.posted)
		w.tell("once more: %s", lazily(func() string { return describeMessage(&m) }))
		w.letters = append(w.letters, &letter{m: m})
	}
	if len(w.letters) > 0 {
		w.forward(w.rng.IntN(len(w.letters)), w.one(5))
	}
}

// forward moves a letter one step on; lose has its answer lost.
func (w *world) forward(i int, lose bool) {
	x := w.letters[i]
	from := w.findRun(x.m.From)
	switch {
	case x.answer != nil:
		w.settle(x)
		if from != nil {
			w.stepRun(from, x.answer, from.book.expectAnswer(x.answer))
		}
	case x.m.Answered() && from != nil && from.run.HandedOn(&x.m):
		w.settle(x) // the run in the sender's place sends it itself
	case from == nil || !from.run.Wants(&x.m):
		w.tell("nobody wants %s", lazily(func() string { return describeMessage(&x.m) }))
		w.settle(x)
		if to := w.current[x.m.To.Name]; x.m.Kind == engine.MessageStartChild && to != nil {
			w.stepRun(to, &workflow.Terminate{From: &x.m, Request: &workflowservice.TerminateWorkflowExecutionRequest{
				Reason: "by parent close policy", Identity: "history-service"}}, to.expectTakenBack(&x.m))
		}
	default:
		if x.m.NeedsEvent() && x.m.Event == nil { // sent by a reset, about a copied event
			x.m.Event = from.history[x.m.EventID-1]
		}
		w.tell("delivers %s", lazily(func() string { return describeMessage(&x.m) }))
		reply, refusal, later := w.handOver(&x.m)
		switch {
		case later || lose && x.m.Answered():
		case !x.m.Answered():
			w.settle(x)
		default:
			x.answer = &workflow.Answered{Message: &x.m, Refusal: refusal}
			if s, ok := reply.(*workflow.Started); ok {
				x.answer.RunID = s.RunID
			}
		}
	}
}

func (w *world) settle(x *letter) {
	w.letters = slices.DeleteFunc(w.letters, func(o *letter) bool { return o == x })
	w.posted = append(w.posted, x.m)
	if n := len(w.posted); n > 8 {
		w.posted = w.posted[n-8:]
	}
}

// handOver gives a message to its receiver. later: it must come again.
func (w *world) handOver(m *engine.Message) (reply any, refusal *engine.Refusal, later bool) {
	if m.Kind == engine.MessageStartChild {
		in := &workflow.StartWorkflow{Request: workflow.ChildStartRequest(m, "default"), Child: m}
		e := w.expectStart(m.To.Name, begun{request: m.RequestID, from: m})
		reply = w.stepID(m.To.Name, in, e)
		return reply, refusalOf(e), false
	}
	to := w.current[m.To.Name]
	if m.ToRunID != "" {
		to = w.findRun(engine.RunKey{ID: m.To, RunID: m.ToRunID})
	}
	if to == nil {
		return nil, engine.NotFound("workflow execution not found"), false
	}
	in, e := to.messageInput(w, m)
	reply = w.stepRun(to, in, e)
	return reply, refusalOf(e), e.refusal == engine.KindBusyWorkflow
}

// refusalOf is the refusal that came, since what came is what was expected.
func refusalOf(e *expected) *engine.Refusal {
	if e.refusal == 0 {
		return nil
	}
	return engine.Refuse(e.refusal, "refused")
}

// messageInput is what package shard makes of a message, and what must come of it.
func (l *life) messageInput(w *world, m *engine.Message) (workflow.Input, *expected) {
	b := l.book
	switch m.Kind {
	case engine.MessageReconnect:
		e := refuse(engine.KindNotFound)
		if b.parent.ID == m.From.ID && b.initiated == m.EventID && (m.ToFirstRunID == "" || m.ToFirstRunID == b.firstRun) {
			e = &expected{}
			if b.open {
				e.after = func(*life) { b.parent = m.From }
			}
		}
		return &workflow.Reconnect{From: m}, e
	case engine.MessageFirstWorkflowTask:
		return &workflow.FirstWorkflowTask{From: m}, &expected{}
	case engine.MessageChildClosed:
		return &workflow.ChildClosed{Message: m}, b.expectChildClosed(m)
	case engine.MessageSignal:
		e := b.expectSignal(w, m.RequestID)
		if !b.admits(m) {
			e = refuse(engine.KindNotFound)
		}
		s := m.Event.GetSignalExternalWorkflowExecutionInitiatedEventAttributes()
		return &workflow.Signal{From: m, Request: &workflowservice.SignalWorkflowExecutionRequest{
			SignalName: s.GetSignalName(), RequestId: m.RequestID}}, e
	case engine.MessageCancel:
		e := b.expectCancel()
		if !b.admits(m) {
			e = refuse(engine.KindNotFound)
		}
		return &workflow.RequestCancel{From: m, Request: &workflowservice.RequestCancelWorkflowExecutionRequest{RequestId: m.RequestID}}, e
	}
	if m.ParentClosePolicy == enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL {
		e := b.expectCancel()
		if !b.admits(m) {
			e = refuse(engine.KindNotFound)
		}
		return &workflow.RequestCancel{From: m, Request: &workflowservice.RequestCancelWorkflowExecutionRequest{
			RequestId: m.RequestID, FirstExecutionRunId: m.ToFirstRunID}}, e
	}
	e := b.expectTerminate()
	if !b.admits(m) {
		e = refuse(engine.KindNotFound)
	}
	return &workflow.Terminate{From: m, Request: &workflowservice.TerminateWorkflowExecutionRequest{
		Reason: "by parent close policy", FirstExecutionRunId: m.ToFirstRunID}}, e
}

// admits: a workflow may not address itself, a stranger that it takes for its
// child, or another chain than it means.
func (b *ledger) admits(m *engine.Message) bool {
	return m.From.ID != b.key.ID && (!m.ChildWorkflowOnly || b.parent == m.From) &&
		(m.ToFirstRunID == "" || m.ToFirstRunID == b.firstRun)
}

// expectTakenBack: a child whose parent closed without knowing of it is ended.
func (l *life) expectTakenBack(m *engine.Message) *expected {
	b := l.book
	if !b.startedBy(m) || !l.run.Info.AwaitsParent || m.From.ID == b.key.ID {
		return refuse(engine.KindNotFound)
	}
	return b.expectTerminate()
}

// expectAnswer: the outcome of a message is recorded once.
func (b *ledger) expectAnswer(in *workflow.Answered) *expected {
	id := in.Message.EventID
	if !b.open {
		return nothing()
	}
	one := func(ok, failed enumspb.EventType) *expected {
		if in.Refusal != nil {
			ok = failed
		}
		return &expected{arrivals: []arrival{{what: ok, about: id}}}
	}
	switch c := b.children[id]; {
	case in.Message.Kind == engine.MessageReconnect && c != nil && in.Refusal != nil:
		return &expected{arrivals: []arrival{{what: enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED, about: id}}}
	case in.Message.Kind == engine.MessageReconnect:
		return nothing()
	case in.Message.Kind == engine.MessageStartChild && (c == nil || c.started):
		return nothing()
	case in.Message.Kind == engine.MessageStartChild:
		c.run = in.RunID
		return one(enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED, enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED)
	case !b.externs[id]:
		return nothing()
	case in.Message.Kind == engine.MessageSignal:
		return one(enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED, enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED)
	}
	return one(enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED, enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED)
}

// expectChildClosed: the end of a child is recorded once, after its start.
func (b *ledger) expectChildClosed(m *engine.Message) *expected {
	c := b.children[m.ToEventID]
	if !b.open || c == nil || c.name != m.From.Name || c.run != "" && c.run != m.FirstRunID {
		return nothing()
	}
	ends := map[enumspb.EventType]enumspb.EventType{
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:    enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:  enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
	}
	how := ends[m.Event.GetEventType()]
	if how == 0 {
		how = enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED
	}
	e := &expected{arrivals: []arrival{{what: how, about: m.ToEventID}}}
	if !c.started {
		e.arrivals = append(e.arrivals, arrival{what: enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED, about: m.ToEventID})
	}
	return e
}

// checkMail: I8, what a run waits for from others is under way.
func (w *world) checkMail() {
	for _, l := range w.lives {
		if !l.book.open {
			continue
		}
		for _, id := range sortedKeys(l.book.externs) {
			if !w.underWay(func(m *engine.Message) bool { return m.From == l.key && m.EventID == id }) {
				w.fail("I8: %s waits for the answer to event %d, and no message is under way", l, id)
			}
		}
		for _, id := range sortedKeys(l.book.children) {
			c := l.book.children[id]
			if !c.started && !w.underWay(func(m *engine.Message) bool { return m.From == l.key && m.EventID == id }) {
				w.fail("I8: %s waits for child %d to start, and no message is under way", l, id)
			}
			last := w.current[c.name]
			ended := c.started && last != nil && last.book.firstRun == c.run && !last.book.open
			if ended && !w.underWay(func(m *engine.Message) bool {
				return m.From == last.key && m.Kind == engine.MessageChildClosed ||
					m.From == l.key && m.EventID == id && m.Kind == engine.MessageReconnect
			}) {
				w.fail("I8: %s is not told that its child %s has closed", l, last)
			}
		}
	}
}

func (w *world) underWay(is func(*engine.Message) bool) bool {
	return slices.ContainsFunc(w.letters, func(x *letter) bool { return is(&x.m) })
}
