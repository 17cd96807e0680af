package main

import (
	"cmp"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// enter does to the book what an event does that came from outside.
func (f *following) enter(a arrival) {
	w := f.world
	switch {
	case a.what == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		f.signals++
		if a.name != "" {
			f.requests[a.name] = true
		}
	case a.what == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		f.cancelAsked = true
	case a.what == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
		f.requests[a.name] = true
		f.attached++
	case a.what == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
		f.updates[a.name] = readmitted
	case a.what == enumspb.EVENT_TYPE_TIMER_FIRED:
		t := f.timers[a.name]
		if t == nil || t.startedID != a.about || t.due.After(w.now) {
			w.fail("I7: timer %s fired, the book says %+v", a.name, t)
		}
		delete(f.timers, a.name)
	case isActivityEnd(a.what):
		if f.acts[a.about] == nil {
			w.fail("I6: activity %d ended twice", a.about)
		}
		delete(f.acts, a.about)
	case a.what == enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		c := f.children[a.about]
		if c == nil || c.started {
			w.fail("I8: child %d started twice", a.about)
		}
		c.started = true
	case a.what == enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED, isChildEnd(a.what):
		if f.children[a.about] == nil {
			w.fail("I8: child %d ended twice", a.about)
		}
		delete(f.children, a.about)
	case f.externs[a.about]:
		delete(f.externs, a.about)
	}
}

// commanded does to the book what the event of a command does.
func (f *following) commanded(ev *historypb.HistoryEvent) {
	id, at := ev.GetEventId(), ev.GetEventTime().AsTime()
	switch x := ev.GetAttributes().(type) {
	case *historypb.HistoryEvent_TimerStartedEventAttributes:
		a := x.TimerStartedEventAttributes
		f.timers[a.GetTimerId()] = &timer{startedID: id, due: at.Add(a.GetStartToFireTimeout().AsDuration())}
	case *historypb.HistoryEvent_TimerCanceledEventAttributes:
		delete(f.timers, x.TimerCanceledEventAttributes.GetTimerId())
	case *historypb.HistoryEvent_ActivityTaskScheduledEventAttributes:
		a := x.ActivityTaskScheduledEventAttributes
		f.acts[id] = &act{
			name: a.GetActivityId(), attempt: 1, max: a.GetRetryPolicy().GetMaximumAttempts(), scheduled: at, due: at,
			stc: a.GetStartToCloseTimeout().AsDuration(), s2c: a.GetScheduleToCloseTimeout().AsDuration(),
			hb: a.GetHeartbeatTimeout().AsDuration(), interval: a.GetRetryPolicy().GetInitialInterval().AsDuration(),
		}
	case *historypb.HistoryEvent_ActivityTaskCancelRequestedEventAttributes:
		if a := f.acts[x.ActivityTaskCancelRequestedEventAttributes.GetScheduledEventId()]; a != nil {
			a.cancelAsked = true
		}
	case *historypb.HistoryEvent_StartChildWorkflowExecutionInitiatedEventAttributes:
		f.children[id] = &child{name: x.StartChildWorkflowExecutionInitiatedEventAttributes.GetWorkflowId()}
	case *historypb.HistoryEvent_SignalExternalWorkflowExecutionInitiatedEventAttributes,
		*historypb.HistoryEvent_RequestCancelExternalWorkflowExecutionInitiatedEventAttributes:
		f.externs[id] = true
	}
}

// endsAt is when the run's time is over; zero for never.
func (b *ledger) endsAt() time.Time {
	var at time.Time
	if b.runTimeout > 0 {
		at = b.begun.Add(b.delay).Add(b.runTimeout)
	}
	if !b.chainEnds.IsZero() && (at.IsZero() || b.chainEnds.Before(at)) {
		at = b.chainEnds
	}
	return at
}

// check holds the book against the machine's state.
func (b *ledger) check(w *world, l *life) {
	run := l.run
	if got := run.Info.NextEventID; got != b.next {
		w.fail("I2: the next event id is %d, the book says %d", got, b.next)
	}
	if run.Open() != b.open {
		w.fail("the run is open: %v, the book says %v", run.Open(), b.open)
	}
	if !b.open {
		if run.Volatile() || len(run.Buffered) > 0 || len(run.Offers()) > 0 {
			w.fail("a closed run has something under way")
		}
		return
	}
	if len(run.Timers) != len(b.timers) || len(run.Activities) != len(b.acts) || len(run.Children) != len(b.children) ||
		len(run.Signals)+len(run.Cancels) != len(b.externs) || len(run.Updates)+len(run.Proposals) != len(b.updates) {
		w.fail("pending are %d timers, %d activities, %d children, %d messages, %d updates; the book has %d, %d, %d, %d, %d",
			len(run.Timers), len(run.Activities), len(run.Children), len(run.Signals)+len(run.Cancels), len(run.Updates)+len(run.Proposals),
			len(b.timers), len(b.acts), len(b.children), len(b.externs), len(b.updates))
	}
	b.checkAttempts(w, run)
	b.checkTask(w, run)
	if run.Info.StateBytes < 0 {
		w.fail("the parts of the run are counted as %d bytes", run.Info.StateBytes)
	}
}

// checkAttempts: a start is good as long as the book says so.
func (b *ledger) checkAttempts(w *world, run *workflow.Run) {
	for id, a := range b.acts {
		s := run.Activities[id]
		switch {
		case s == nil:
			w.fail("I6: activity %d is gone", id)
		case a.stamp != 0 && (s.Stamp != a.stamp || s.StartedTime.IsZero()):
			w.fail("I5: the start of activity %d with stamp %d is good no more, and nobody knows why", id, a.stamp)
		case a.stamp == 0 && !s.StartedTime.IsZero():
			w.fail("I5: activity %d is started, and nobody has taken it", id)
		}
	}
}

// checkTask: nobody waits for ever.
func (b *ledger) checkTask(w *world, run *workflow.Run) {
	t, info := run.Info.Task, run.Info
	switch {
	case t != nil && info.AwaitsParent:
		w.fail("a child has a workflow task before its parent knows of it")
	case t != nil && t.Type == workflow.TaskNormal && !b.scheduled, (t == nil || t.Type != workflow.TaskNormal) && b.scheduled:
		w.fail("I4: history shows a workflow task: %v; the run has %+v", b.scheduled, t)
	case t != nil && t.Type != workflow.TaskNormal && t.ScheduledEventID != b.next:
		w.fail("I2: a task that is not in history has event id %d, the next one is %d", t.ScheduledEventID, b.next)
	case t == nil && len(b.buffer) > 0:
		w.fail("events are buffered behind nothing")
	case t == nil && b.unseen && !info.AwaitsParent && info.FirstTaskDone && !b.onHold(run):
		w.fail("lost wake-up: there are events nobody has seen, and no workflow task")
	case !info.FirstTaskDone && !info.AwaitsParent && b.delay == 0:
		w.fail("the first workflow task waits for nothing")
	}
	if t == nil && !b.onHold(run) && !info.AwaitsParent {
		for id, s := range b.updates {
			if s == admitted {
				w.fail("lost wake-up: nobody is told of update %s", id)
			}
		}
	}
	if at := run.NextDeadline(); !at.IsZero() {
		for name, x := range b.timers {
			if at.After(x.due) {
				w.fail("I7: timer %s is due at %v, the run sleeps until %v", name, x.due, at)
			}
		}
	} else if len(b.timers) > 0 {
		w.fail("I7: there are timers, and no deadline")
	}
}

func (b *ledger) onHold(run *workflow.Run) bool {
	return run.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func payloads(text string) *commonpb.Payloads {
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(text)}}}
}

func textOf(p *commonpb.Payloads) string {
	if len(p.GetPayloads()) == 0 {
		return ""
	}
	return string(p.GetPayloads()[0].GetData())
}
