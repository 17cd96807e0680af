package main

import (
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/record"
)

// prefix is the history a run begins with that a reset has made, and what must be
// applied again.
type prefix struct {
	batches [][]*historypb.HistoryEvent
	signals []string
	creator string // the base run's request
}

// reset begins a run anew from a batch of its history.
func (w *world) reset() {
	base := w.someone()
	if base == nil || len(base.batches) < 2 || w.current[base.key.Name] == nil {
		return
	}
	at := pick(w, base.batches[1:])[0].GetEventId()
	req := &workflowservice.ResetWorkflowExecutionRequest{
		RequestId: fmt.Sprint("q", w.rng.IntN(4)), WorkflowTaskFinishEventId: at, Reason: "model",
	}
	if w.one(3) {
		req.ResetReapplyExcludeTypes = []enumspb.ResetReapplyExcludeType{enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE}
	}
	current := w.current[base.key.Name]
	in := &workflow.ResetWorkflow{Request: req, Base: base.run, NewRunID: engine.DerivedUUID(fmt.Sprint("reset", w.seed), int64(w.steps))} //nolint:gosec // small
	again := current.run.Start.Reset != nil && current.run.Start.RequestID == req.GetRequestId()
	chain := w.chainOf(base)
	if chain == nil {
		return // a run of it is gone, and cannot be read
	}
	if !again {
		in.Read = w.read(in, chain, at)
	}
	w.stepReset(current, base, in, w.expectReset(base, current, chain, at, again, req))
}

// chainOf is the run, and those it was continued as; nil if one is gone.
func (w *world) chainOf(base *life) []*life {
	chain := []*life{base}
	for l := base; ; {
		a := l.history[len(l.history)-1].GetWorkflowExecutionContinuedAsNewEventAttributes()
		if a == nil {
			return chain
		}
		if l = w.findRun(engine.RunKey{ID: base.key.ID, RunID: a.GetNewExecutionRunId()}); l == nil {
			return nil
		}
		chain = append(chain, l)
	}
}

// read is what a shell reads for a reset.
func (w *world) read(in *workflow.ResetWorkflow, chain []*life, at int64) *workflow.ResetHistory {
	base := chain[0]
	h := workflow.NewResetHistory(&engine.Env{Namespace: w.ns, Limits: w.limits},
		engine.RunKey{ID: base.key.ID, RunID: in.NewRunID}, base.key.RunID, at)
	for _, l := range chain {
		for _, batch := range l.batches {
			if err := h.Batch(batch); err != nil {
				w.fail("the history of %s cannot be read for a reset: %v", l, err)
			}
		}
		h.Continued()
	}
	h.Done()
	return h
}

func (w *world) expectReset(base, current *life, chain []*life, at int64, again bool, req *workflowservice.ResetWorkflowExecutionRequest) *expected {
	if again {
		return nothing()
	}
	p := &prefix{creator: base.run.Start.RequestID}
	pending := false
	known := map[string]bool{p.creator: true, req.GetRequestId(): true}
	apply := func(ev *historypb.HistoryEvent) {
		a := ev.GetWorkflowExecutionSignaledEventAttributes()
		if a != nil && (a.GetRequestId() == "" || !known[a.GetRequestId()]) {
			known[a.GetRequestId()] = true
			p.signals = append(p.signals, a.GetRequestId())
		}
		if id := requestIn(ev); a == nil && id != "" {
			known[id] = true
		}
	}
	for i, l := range chain {
		for _, batch := range l.batches {
			if i > 0 || batch[0].GetEventId() >= at {
				for _, ev := range batch {
					apply(ev)
				}
				continue
			}
			p.batches = append(p.batches, batch)
			for _, ev := range batch {
				pending = taskPending(ev, pending)
				if id := requestIn(ev); id != "" {
					known[id] = true
				}
			}
		}
	}
	if !pending {
		return refuse(engine.KindInvalidArgument)
	}
	if last := chain[len(chain)-1]; last == current {
		for _, key := range sortedKeys(current.run.Buffered) {
			apply(current.run.Buffered[key])
		}
	}
	e := &expected{born: true, started: begun{request: req.GetRequestId()}, prefix: p}
	if current.book.open {
		e.ends, e.closes = true, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
	}
	return e
}

// taskPending follows the workflow task through a history.
func taskPending(ev *historypb.HistoryEvent, was bool) bool {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		return true
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
		return false
	}
	return was
}

// requestIn is the request id that an event carries.
func requestIn(ev *historypb.HistoryEvent) string {
	if a := ev.GetWorkflowExecutionSignaledEventAttributes(); a != nil {
		return a.GetRequestId()
	}
	return ev.GetWorkflowExecutionOptionsUpdatedEventAttributes().GetAttachedRequestId()
}

// stepReset gives the reset to the machine. It may change three runs.
func (w *world) stepReset(current, base *life, in *workflow.ResetWorkflow, e *expected) {
	w.fetch(current, in)
	w.tell("%s reset of %s at %d", current, base, in.Request.GetWorkflowTaskFinishEventId())
	w.base = base
	w.take(current, current.key.ID, e, func() (*workflow.Result, error) {
		return workflow.StepID(w.env(), current.key.ID, current.run, in)
	})
}

// inherit gives a run the history that a reset has copied.
func (l *life) inherit(p *prefix) {
	for _, batch := range p.batches {
		key := record.HistoryKey(l.key, batch[0].GetEventId())
		l.rows[rowKey{key.Family, string(key.Name)}] = record.EncodeHistory(batch)
		l.batches = append(l.batches, batch)
		l.history = append(l.history, batch...)
	}
}

// adopt opens the book of a run that a reset has made: what is copied is entered
// as it is, and what is new is held against what must be applied again.
func (f *following) adopt(p *prefix, c *workflow.Change, request string) {
	f.admissions = map[string]int64{}
	for _, batch := range p.batches {
		for _, ev := range batch {
			f.copied(ev)
		}
	}
	f.forgetRejected()
	for _, id := range []string{p.creator, request} {
		if !f.requests[id] {
			f.requests[id] = true
			f.attached++
		}
	}
	var signals []string
	for _, batch := range c.Batches {
		for _, ev := range batch {
			f.world.tell("    %s", describeEvent(ev))
			f.copied(ev)
			if a := ev.GetWorkflowExecutionSignaledEventAttributes(); a != nil {
				signals = append(signals, a.GetRequestId())
			}
		}
	}
	if !slices.Equal(signals, p.signals) {
		f.world.fail("signals %q are applied again, expected %q", signals, p.signals)
	}
	start := f.l.run.Start
	f.begun, f.delay, f.chainEnds = start.StartTime, 0, start.ExecutionDeadline
	for id, a := range f.acts {
		a.learn(f.l.run, id)
		if s := f.l.run.Activities[id]; s != nil {
			a.scheduled = s.ScheduledTime
		}
	}
}

func (f *following) copied(ev *historypb.HistoryEvent) {
	if ev.GetEventId() == 1 {
		return
	}
	if ev.GetEventId() != f.next {
		f.world.fail("I2: event id %d, expected %d", ev.GetEventId(), f.next)
	}
	f.next++
	switch sorts[ev.GetEventType()] {
	case taskEvent:
		switch ev.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
			f.scheduled, f.scheduledAt = true, ev.GetEventTime().AsTime()
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			f.started = true
		default:
			f.scheduled, f.started = false, false
			if a := ev.GetWorkflowTaskCompletedEventAttributes(); a != nil {
				f.lastStarted = a.GetStartedEventId()
			}
			f.unseen = f.unseen && ev.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
		}
	case commandEvent:
		f.commanded(ev)
		if a := ev.GetWorkflowExecutionUpdateAcceptedEventAttributes(); a != nil {
			f.updates[a.GetProtocolInstanceId()] = accepted
		}
		if a := ev.GetWorkflowExecutionUpdateCompletedEventAttributes(); a != nil {
			f.updates[a.GetMeta().GetUpdateId()] = completed
		}
	case arrivalEvent:
		a := arrivalOf(ev)
		if c := f.children[a.about]; c != nil && a.what == enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED {
			c.run = ev.GetChildWorkflowExecutionStartedEventAttributes().GetWorkflowExecution().GetRunId()
		}
		f.enter(a)
		if a.what == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED {
			f.admissions[a.name] = ev.GetEventId()
		}
		f.unseen = true
		switch a.what {
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED:
			f.pauseID = a.name
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED:
			f.unpauseID = a.name
		}
	default:
		f.world.fail("a run begins with %s", ev.GetEventType())
	}
}

// forgetRejected: what a reset has admitted, and the worker has completed a task
// after without accepting it, it has rejected. That leaves no event.
func (f *following) forgetRejected() {
	for id, at := range f.admissions {
		if f.updates[id] == readmitted && at < f.lastStarted {
			delete(f.updates, id)
		}
	}
}
