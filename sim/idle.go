package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	querypb "go.temporal.io/api/query/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// idleRuns are left alone at the end of a world, for so long at most.
const (
	idleRuns = 3
	idleFor  = time.Hour
)

func idleID(n int) string { return fmt.Sprint("idle-", n) }

// idle ends a healed world: a few workflows that wait for a signal are left
// alone. They leave memory, and then nothing is stepped and nothing written
// (I12). After that they are as awake as ever: they answer a query, and end when
// they are told to.
func (w *world) idle() {
	for w.process == nil || w.process.stopping { // it was asked to stop shortly before all healed
		w.pass(10 * time.Second)
	}
	for _, wk := range w.workers {
		wk.comeBack() // who was at rest
	}
	for n := range idleRuns {
		w.insist(idleID(n), "start", &workflow.StartWorkflow{Request: &workflowservice.StartWorkflowExecutionRequest{
			Namespace: namespaceName, WorkflowId: idleID(n), WorkflowType: &commonpb.WorkflowType{Name: hotType},
			TaskQueue: &taskqueuepb.TaskQueue{Name: workflowQueueName}, Identity: "client",
			RequestId: w.unique("start"), WorkflowTaskTimeout: durationpb.New(5 * time.Second),
		}})
	}
	w.passUntil("start", func() bool {
		waiting := 0
		for n := range idleRuns {
			if l := w.newest(idleID(n)); l != nil && len(l.events) >= 4 {
				waiting++
			}
		}
		return waiting == idleRuns
	})
	for _, wk := range w.workers {
		wk.leave()
	}
	w.pass(2*maxIdle + time.Minute) // what the index has heard is cleared away in between
	w.leftAlone()
	for _, wk := range w.workers {
		wk.comeBack()
	}
	answered := 0
	for n := range idleRuns {
		w.converse(time.Minute, func(c *caller, p *process) {
			_, err := p.host.Query(c, idOf(idleID(n)), "", &workflowservice.QueryWorkflowRequest{
				Namespace: namespaceName, Execution: &commonpb.WorkflowExecution{WorkflowId: idleID(n)},
				Query: &querypb.WorkflowQuery{QueryType: "events", QueryArgs: payloads("idle")},
			})
			if err != nil && engine.KindOf(err) != engine.KindQueryFailed { // its worker may say so
				w.broken("liveness: a query of %s after an idle hour: %v", idleID(n), err)
			}
			answered++
		})
	}
	w.passUntil("answer a query", func() bool { return answered == idleRuns })
	for n := range idleRuns {
		name := w.unique(endSignal)
		w.insist(idleID(n), "end", &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: namespaceName, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: idleID(n)},
			SignalName: name, Input: payloads(name), RequestId: w.unique("request"),
		}})
	}
	w.passUntil("end", w.disk.quiet)
}

// leftAlone lets an hour pass, or less if something that was there before falls
// due, in which nothing may happen.
func (w *world) leftAlone() {
	until := w.now.Add(idleFor)
	for _, rows := range w.disk.due { // the earliest: their order does not matter
		for _, due := range rows {
			if early := due.Add(-time.Second); early.Before(until) {
				until = early
			}
		}
	}
	if until.Before(w.now) {
		return
	}
	if n := w.process.load.runs; n > 0 {
		w.broken("I12: %d runs are in memory, and nothing has happened for %v", n, 2*maxIdle)
	}
	steps, commits := w.process.load.steps, w.process.load.commits
	w.pass(until.Sub(w.now))
	if l := w.process.load; l.steps > steps || l.commits > commits {
		w.broken("I12: in %v of rest there were %d steps and %d commits", idleFor, l.steps-steps, l.commits-commits)
	}
	w.auditor.acknowledged += idleRuns
}

// passUntil lets time pass until what is to happen with the idle runs is on the
// disk.
func (w *world) passUntil(what string, happened func() bool) {
	for range 20 {
		w.pass(10 * time.Second)
		if happened() {
			return
		}
	}
	w.broken("liveness: idle workflows do not %s:\n%s", what, w.disk.left())
}

// pass lets so much time pass, and looks at the disk.
func (w *world) pass(d time.Duration) {
	to := w.now.Add(d)
	for w.step(to) {
	}
	w.now = to
	w.check()
}

// newest is the current run of a workflow id; nil when there is none.
func (w *world) newest(id string) *life {
	for _, l := range w.disk.order {
		if l.key.ID == idOf(id) && l.key.RunID == w.disk.current[l.key.ID] {
			return l
		}
	}
	return nil
}
