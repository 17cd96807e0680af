package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// auditor keeps what the server has acknowledged and handed out, and holds it to
// it.
type auditor struct {
	*world
	// facts are promises that have not been looked for on the disk yet. Once
	// found they are left to I2: history is append-only.
	facts []*fact
	// completions are workflow tasks whose completion was acknowledged (I4).
	completions map[string]bool
	// endings are activities whose outcome was acknowledged for good (I6).
	endings map[activityKey]string
	// starts are the start versions handed out for an activity (I5).
	starts map[activityKey]int64
	// taskStarts are the start versions handed out for a workflow task (I4), the
	// same for activities by another number.
	taskStarts map[activityKey]int64
	// beats are the latest details of a heartbeat that was acknowledged, and the
	// start it came from.
	beats map[activityKey]beat
	// deleted are ids somebody has asked to delete.
	deleted map[engine.ID]bool
	// retimed are ids whose activities somebody has given other time-outs: their
	// history does not say which.
	retimed map[engine.ID]bool
	// forgets are ids of whose activities somebody may have asked to forget what was
	// reported.
	forgets map[engine.ID]bool
	// attempts are the latest that were handed out of each activity.
	attempts map[activityKey]attempt
	// asked are the requests to start a workflow, by their id.
	asked map[string]*workflowservice.StartWorkflowExecutionRequest

	acknowledged, checked int
}

type beat struct {
	start   int64
	details string
	at      time.Time
}

type activityKey struct {
	run engine.RunKey
	id  int64
}

// fact is something that was acknowledged: I1 says that it stays.
type fact struct {
	what string
	run  engine.RunKey
	at   time.Time
	// holds looks for it in what the disk has of the run.
	holds func(*life) bool
}

func newAuditor(w *world) *auditor {
	return &auditor{
		world: w, completions: map[string]bool{}, endings: map[activityKey]string{}, starts: map[activityKey]int64{},
		beats: map[activityKey]beat{}, taskStarts: map[activityKey]int64{}, deleted: map[engine.ID]bool{}, retimed: map[engine.ID]bool{}, forgets: map[engine.ID]bool{}, attempts: map[activityKey]attempt{},
		asked: map[string]*workflowservice.StartWorkflowExecutionRequest{},
	}
}

// answered hears every answer that leaves the server.
func (a *auditor) answered(id engine.ID, runID string, in engine.Input, reply any, err error) {
	if err != nil {
		return
	}
	if id.Archetype == engine.ArchetypeActivity {
		a.singles.answered(id, runID, in, reply)
		return
	}
	switch in := in.(type) {
	case *workflow.StartWorkflow:
		a.started(id, in.Request.RequestId, reply)
		a.attached(id, in, reply.(*workflow.Started))
	case *workflow.SignalWithStart:
		a.started(id, "", reply)
		a.signaled(engine.RunKey{ID: id, RunID: reply.(*workflow.Started).RunID}, in.Request.SignalName)
	case *workflow.Signal:
		// Without a run id nobody says which run it went to.
		a.signaledSomewhere(id, in.Request.SignalName)
	case *workflow.ResetWorkflow:
		a.wasReset(id, in, reply.(*workflowservice.ResetWorkflowExecutionResponse))
	case *workflow.CompleteWorkflowTask:
		a.taskCompleted(in, reply)
	case *workflow.HeartbeatActivity:
		if t := in.Ref.Token; t != nil {
			a.beats[activityKey{t.Run, t.ScheduledEventID}] = beat{t.Stamp, string(in.Details.Payloads[0].Data), a.now}
		}
	case *workflow.CompleteActivity:
		a.activityEnded(in.Ref, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)
	case *workflow.CancelActivity:
		a.activityEnded(in.Ref, enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED)
	}
}

func (a *auditor) promise(run engine.RunKey, holds func(*life) bool, format string, args ...any) {
	a.acknowledged++
	f := &fact{what: fmt.Sprintf(format, args...), run: run, at: a.now, holds: holds}
	a.facts = append(a.facts, f)
	if run.RunID != "" && a.oneIn(4) { // a reply before its commit shows best at once
		if l := a.disk.lookAt(a.present(), run); l != nil && !holds(l) {
			a.broken("I1: acknowledged and not on the disk: %s", f.what)
		}
	}
}

func (a *auditor) started(id engine.ID, requestID string, reply any) {
	started := reply.(*workflow.Started)
	run := engine.RunKey{ID: id, RunID: started.RunID}
	if started.EagerTask != nil {
		a.handed(started.EagerTask)
	}
	a.promise(run, func(l *life) bool { return len(l.events) > 0 }, "start %s of %s", requestID, short(run))
	a.index.acknowledged(run, false)
}

func (a *auditor) signaled(run engine.RunKey, name string) {
	a.promise(run, func(l *life) bool { return l.signaled(name) }, "%s to %s", name, short(run))
}

func (a *auditor) signaledSomewhere(id engine.ID, name string) {
	a.promise(engine.RunKey{ID: id}, func(l *life) bool { return l.signaled(name) }, "%s to %s", name, id.Name)
}

func (a *auditor) taskCompleted(in *workflow.CompleteWorkflowTask, reply any) {
	t := in.Token
	key := fmt.Sprint(t.Run.RunID, t.ScheduledEventID, "/", t.Attempt, "/", t.Stamp)
	if a.completions[key] {
		a.broken("I4: workflow task %d attempt %d of %s was completed twice", t.ScheduledEventID, t.Attempt, short(t.Run))
	}
	a.completions[key] = true
	if last := a.taskStarts[activityKey{t.Run, t.ScheduledEventID}]; t.Stamp < last {
		a.broken("I4: workflow task %d of %s: the completion of start %d is accepted, the last start is %d",
			t.ScheduledEventID, short(t.Run), t.Stamp, last)
	}
	if n := len(in.Request.Commands); n > 0 && closing(in.Request.Commands[n-1].CommandType) {
		a.index.acknowledged(t.Run, true)
	}
	done := reply.(*workflow.TaskCompleted)
	if done.ResetHistoryEventID == 0 { // else the task was speculative, and leaves no trace
		a.promise(t.Run, func(l *life) bool { return l.tasksCompleted[t.ScheduledEventID] },
			"completion of workflow task %d of %s", t.ScheduledEventID, short(t.Run))
	}
	for _, m := range in.Request.GetMessages() {
		if id := m.GetProtocolInstanceId(); !m.GetBody().MessageIs((*updatepb.Rejection)(nil)) {
			a.promise(t.Run, func(l *life) bool { return l.updates[id] != nil }, "%s of %s", m.GetId(), short(t.Run))
		}
	}
	if done.Task != nil {
		a.handed(done.Task)
	}
	for _, started := range done.Activities {
		a.handed(started)
	}
}

// closing reports whether a command ends its run.
func closing(t enumspb.CommandType) bool {
	switch t {
	case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION, enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
		enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION, enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
		return true
	}
	return false
}

func (a *auditor) activityEnded(ref workflow.ActivityRef, how enumspb.EventType) {
	t := ref.Token
	if t == nil {
		return // by id: nobody says which start it was
	}
	key := activityKey{t.Run, t.ScheduledEventID}
	end := fmt.Sprint(how, " by start ", t.Stamp)
	if former := a.endings[key]; former != "" {
		a.broken("I6: activity %d of %s has ended twice: %s, then %s", key.id, short(key.run), former, end)
	}
	if last := a.starts[key]; last != t.Stamp {
		a.broken("I5: activity %d of %s: an outcome of start %d is accepted, the last start is %d", key.id, short(key.run), t.Stamp, last)
	}
	a.endings[key] = end
	a.promise(t.Run, func(l *life) bool {
		return l.ended(t.ScheduledEventID, how) || a.tightfisted() && l.ended(t.ScheduledEventID, enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED)
	},
		"%v of activity %d of %s", how, t.ScheduledEventID, short(t.Run))
}

// handed hears of every task that is given to a worker.
func (a *auditor) handed(started any) {
	switch t := started.(type) {
	case *standalone.Started:
		a.singles.handed(t)
	case *workflow.TaskStarted:
		key := activityKey{t.Token.Run, t.Token.ScheduledEventID}
		if last := a.taskStarts[key]; t.Token.Stamp < last {
			a.broken("I4: %s: start %d is handed out after %d", describe(t), t.Token.Stamp, last)
		}
		a.taskStarts[key] = t.Token.Stamp
		a.taskHanded(t)
	case *workflow.ActivityStarted:
		key := activityKey{t.Token.Run, t.Token.ScheduledEventID}
		if last := a.starts[key]; t.Token.Stamp <= last {
			a.broken("I5: activity %d of %s: start %d is handed out after %d", key.id, short(key.run), t.Token.Stamp, last)
		}
		a.starts[key] = t.Token.Stamp
		state := a.disk.state(a.present(), key.run)
		if state != nil && state.Activities[key.id] != nil && state.Activities[key.id].Stamp < t.Token.Stamp {
			a.broken("I1: %s is handed out before its start is durable", describe(t))
		}
		a.activityHanded(t)
	}
}

// taskHanded checks that a worker is given what is durable, and all of it.
func (a *auditor) taskHanded(t *workflow.TaskStarted) {
	history := a.disk.history(a.present(), t.Token.Run, t.HistoryTo)
	if len(history) == 0 && a.disk.mayBeGone(t.Token.Run) {
		return
	}
	if int64(len(history)) != t.HistoryTo {
		a.broken("I1: %s is handed out with events up to %d, the disk has %d", describe(t), t.HistoryTo, len(history))
	}
	if len(t.History) > 0 && !bytes.Equal(t.History, a.disk.bytes(a.present(), t.Token.Run, t.HistoryFrom, t.HistoryTo)) {
		a.broken("I2: %s comes with another history than the disk has from %d to %d", describe(t), t.HistoryFrom, t.HistoryTo)
	}
	if t.HistoryFrom != 1 && t.HistoryFrom != t.PreviousStartedEventID+1 {
		a.broken("%s comes with a history from %d, the previous start was %d", describe(t), t.HistoryFrom, t.PreviousStartedEventID)
	}
	last := history
	if len(t.Virtual) > 0 {
		last = t.Virtual
	}
	if got := last[len(last)-1].EventType; got != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED {
		a.broken("%s comes with a history that ends in %v", describe(t), got)
	}
}

// lostStart is a workflow task that history says was started, and timed out,
// though no worker ever had it. That is right only after trouble: else the
// server has forgotten a poller, or a task on its way to one.
func (a *auditor) lostStart(l *life, ev *historypb.HistoryEvent) {
	t := ev.GetWorkflowTaskTimedOutEventAttributes()
	if t == nil || l.skips || t.StartedEventId == 0 || t.TimeoutType != enumspb.TIMEOUT_TYPE_START_TO_CLOSE {
		return
	}
	started := l.events[t.StartedEventId-1].EventTime.AsTime()
	if _, handed := a.taskStarts[activityKey{l.key, t.ScheduledEventId}]; handed || !started.After(a.trouble.Add(2*maxSkew)) {
		return
	}
	a.broken("workflow task %d of %s was started for a worker, never reached one, and timed out:\n%s", t.ScheduledEventId, short(l.key), l.tell())
}

// nothingForgotten is asked after a clean stop: then even the details of the last
// heartbeats are on the disk, as far as nothing went wrong since they came.
func (a *auditor) nothingForgotten(calm time.Time) {
	for _, l := range a.disk.order {
		if l.state == nil || !l.state.Open() {
			continue
		}
		for id, state := range l.state.Activities {
			b, ok := a.beats[activityKey{l.key, id}]
			if !ok || state.Stamp != b.start || !b.at.After(calm) {
				continue
			}
			got := ""
			if details := state.HeartbeatDetails.GetPayloads(); len(details) > 0 {
				got = string(details[0].GetData())
			}
			if got != b.details {
				a.broken("I1: after a clean stop the heartbeat of activity %d of %s is %q, acknowledged was %q", id, short(l.key), got, b.details)
			}
		}
	}
	a.singles.nothingForgotten(calm)
}

func (a *auditor) deleting(id engine.ID) { a.deleted[id] = true }

// logged hears what the server logs: bugs it has noticed itself.
func (a *auditor) logged(text string) {
	if strings.Contains(text, "bug") {
		a.broken("the server reports a bug: %s", text)
	}
}

// forgotten reports whether a run that was never looked at may be gone: it may have
// closed at once, and its retention may be over.
func (a *auditor) forgotten(f *fact) bool {
	return (f.run.RunID == "" || a.disk.lives[f.run] == nil) && a.retained(f.at)
}

// retained reports whether what was there at that time may have been kept for as
// long as it is to be.
func (a *auditor) retained(at time.Time) bool { return !a.now.Before(at.Add(a.retention - 2*maxSkew)) }

// verify looks for what was promised in what the observer has last seen (I1).
func (a *auditor) verify() {
	for _, f := range a.facts {
		a.checked++
		if !a.disk.anyOf(f.run, f.holds) && !a.forgotten(f) {
			a.broken("I1: acknowledged and lost: %s", f.what)
		}
	}
	a.facts = a.facts[:0]
}
