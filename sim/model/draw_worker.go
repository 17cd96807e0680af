package main

import (
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/workflow"
)

// offer picks a task on offer, or now and then one that was taken.
func (w *world) offer(workflowTask bool) (t engine.Task, stale bool) {
	from := w.offers
	if stale = w.one(10) && len(w.spent) > 0; stale {
		from = w.spent
	}
	var fitting []engine.Task
	for _, o := range from {
		if o.IsWorkflow() == workflowTask {
			fitting = append(fitting, o)
		}
	}
	if len(fitting) == 0 {
		return t, true
	}
	t = pick(w, fitting)
	return t, stale && !slices.Contains(w.offers, t)
}

// poll: a worker asks for a workflow task.
func (w *world) poll() {
	t, stale := w.offer(true)
	if l := w.findRun(t.Run); l != nil {
		w.takeTask(l, t, stale)
	}
}

func (w *world) takeTask(l *life, t engine.Task, stale bool) {
	p := w.poller()
	p.Sticky = t.Queue.Sticky && !w.one(8)
	e := &expected{starts: true}
	if stale {
		e = refuse(engine.KindStale)
	}
	in := &workflow.StartWorkflowTask{EventID: t.EventID, Stamp: t.Stamp, Poller: p}
	w.stepRun(l, in, e)
	if !stale && w.one(20) { // the answer was lost, and the poll comes again
		w.stepRun(l, in, nothing())
	}
}

// token picks a token a worker got for a workflow task, mostly the latest.
func (w *world) token() (*life, workflow.TaskToken, bool) {
	var holders []*life
	for _, l := range w.lives {
		if l.book.live != 0 || w.one(20) {
			holders = append(holders, l)
		}
	}
	if len(holders) == 0 {
		return nil, workflow.TaskToken{}, false
	}
	l := pick(w, holders)
	if len(l.tokens) == 0 {
		return nil, workflow.TaskToken{}, false
	}
	if w.one(12) {
		return l, pick(w, l.tokens), true
	}
	return l, l.tokens[len(l.tokens)-1], true
}

func (w *world) failTask() {
	l, token, ok := w.token()
	if !ok {
		return
	}
	e := &expected{ends: true, fails: true}
	if !l.book.open || token.Stamp != l.book.live {
		e = refuse(engine.KindNotFound)
	}
	e.after = (*life).taskOver
	w.stepRun(l, &workflow.FailWorkflowTask{Token: token, Request: &workflowservice.RespondWorkflowTaskFailedRequest{
		Cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR}}, e)
}

func (l *life) taskOver() { l.book.closing = false }

// abortTask: the poller was gone before it was told of the task.
func (w *world) abortTask() {
	l, token, ok := w.token()
	if !ok {
		return
	}
	e := &expected{ends: true, aborts: true}
	if !l.book.open || token.Stamp != l.book.live {
		e = refuse(engine.KindStale)
	}
	w.stepRun(l, &workflow.AbortWorkflowTask{Token: token}, e)
}

func (w *world) resetSticky() {
	l := w.someone()
	if l == nil {
		return
	}
	e := &expected{}
	if !l.book.open {
		e = refuse(engine.KindNotFound)
	}
	w.stepRun(l, &workflow.ResetSticky{}, e)
}

// --- activities

func (w *world) pollActivity() {
	t, stale := w.offer(false)
	l := w.findRun(t.Run)
	if l == nil {
		return
	}
	p := w.poller()
	e := &expected{after: func(l *life) {
		a := l.book.acts[t.EventID]
		if a.stamp != 0 {
			w.fail("I5: activity %d was given out twice", t.EventID)
		}
		a.begin(w.now, l.run.Activities[t.EventID].Stamp, p.RequestID)
	}}
	if stale {
		e = refuse(engine.KindStale)
	}
	in := &workflow.StartActivity{EventID: t.EventID, Stamp: t.Stamp, Poller: p}
	if r, ok := w.stepRun(l, in, e).(*workflow.ActivityStarted); ok {
		l.attempts = append(l.attempts, r.Token)
	}
	if !stale && w.one(20) {
		w.stepRun(l, in, nothing())
	}
}

func (a *act) begin(now time.Time, stamp int64, request string) {
	a.stamp, a.request, a.started, a.beat = stamp, request, now, time.Time{}
}

// attempt picks a token of an activity, mostly a good one.
func (w *world) attempt() (l *life, token workflow.ActivityToken, good *act) {
	var holders []*life
	for _, l := range w.lives {
		if len(l.attempts) > 0 && (l.book.open || w.one(20)) {
			holders = append(holders, l)
		}
	}
	if len(holders) == 0 {
		return nil, token, nil
	}
	l = pick(w, holders)
	token = pick(w, l.attempts)
	if a := l.book.acts[token.ScheduledEventID]; l.book.open && a != nil && a.stamp == token.Stamp {
		return l, token, a
	}
	if !w.one(6) { // late answers are known; do not spend the world on them
		i := slices.Index(l.attempts, token)
		l.attempts = slices.Delete(l.attempts, i, i+1)
	}
	return l, token, nil
}

func (w *world) answerActivity() {
	l, token, a := w.attempt()
	if l == nil {
		return
	}
	ref := workflow.ActivityRef{Token: &token}
	id := token.ScheduledEventID
	text := fmt.Sprintf("x%d", w.steps)
	e := &expected{}
	gone := a == nil
	if gone {
		e = refuse(engine.KindNotFound)
	}
	switch w.rng.IntN(5) {
	case 0, 1:
		if !gone {
			e.arrivals = a.ends(id, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, text)
			if w.one(6) { // somebody else knows its id
				ref = workflow.ActivityRef{ID: a.name}
			}
		}
		w.stepRun(l, &workflow.CompleteActivity{Ref: ref, Result: payloads(text)}, e)
	case 2, 3:
		final := w.one(4)
		switch {
		case gone:
		case final || !a.mayRetry(w.now):
			e.arrivals = a.ends(id, enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, text)
		default:
			e.after = func(l *life) { a.retried(w, l, id) }
		}
		w.stepRun(l, &workflow.FailActivity{Ref: ref, Failure: &failurepb.Failure{Message: text,
			FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{NonRetryable: final}}}}, e)
	default:
		switch {
		case gone:
		case a.cancelAsked:
			e.arrivals = a.ends(id, enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED, "")
		default:
			e = refuse(engine.KindInvalidArgument)
		}
		w.stepRun(l, &workflow.CancelActivity{Ref: ref}, e)
	}
}

// retried: another attempt follows.
func (a *act) retried(w *world, l *life, id int64) {
	want := a.attempt + 1
	a.learn(l.run, id)
	if a.attempt != want || a.stamp != 0 {
		w.fail("I6: activity %d should be at attempt %d, it is at %d, stamp %d", id, want, a.attempt, a.stamp)
	}
}

func (w *world) heartbeat() {
	l, token, a := w.attempt()
	if l == nil {
		return
	}
	e := refuse(engine.KindNotFound)
	if a != nil {
		e = &expected{after: func(*life) { a.beat = w.now }}
	}
	r, ok := w.stepRun(l, &workflow.HeartbeatActivity{Ref: workflow.ActivityRef{Token: &token}}, e).(*workflowservice.RecordActivityTaskHeartbeatResponse)
	if ok && r.GetCancelRequested() != a.cancelAsked {
		w.fail("the worker of activity %d is told that cancellation was asked for: %v", token.ScheduledEventID, r.GetCancelRequested())
	}
}

func (w *world) abortActivity() {
	l, token, a := w.attempt()
	if l == nil {
		return
	}
	e := refuse(engine.KindStale)
	switch id := token.ScheduledEventID; {
	case a == nil:
	case a.cancelAsked: // nobody has it now, so it ends
		e = &expected{arrivals: []arrival{{what: enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED, about: id}}}
	default:
		e = &expected{after: func(l *life) { a.learn(l.run, id) }}
	}
	w.stepRun(l, &workflow.AbortActivity{Token: token}, e)
}

// operate: an operator pauses, unpauses or resets an activity.
func (w *world) operate() {
	l := w.someone()
	if l == nil {
		return
	}
	b := l.book
	ids := sortedKeys(b.acts)
	e := &expected{}
	which := workflow.ActivitySelection{ID: "nobody"}
	var a *act
	switch {
	case !b.open:
		e = refuse(engine.KindNotFound)
	case len(ids) == 0:
		e = refuse(engine.KindNotFound)
	default:
		id := pick(w, ids)
		a = b.acts[id]
		which.ID = a.name
		// What was overdue while it was paused is due with the unpause.
		e.optional = func(x arrival) bool {
			return x.about == id && (x.what == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT || x.what == enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED)
		}
		e.after = func(l *life) { a.learn(l.run, id) }
	}
	switch w.rng.IntN(4) {
	case 0, 1:
		if a != nil && a.paused {
			e = refuse(engine.KindFailedPrecondition)
		}
		w.stepRun(l, &workflow.PauseActivity{Which: which}, e)
	case 2:
		w.stepRun(l, &workflow.UnpauseActivity{Which: which, Unpause: activity.Unpause{ResetAttempts: w.one(2), Jitter: time.Duration(w.rng.IntN(2)) * time.Second}}, e)
	default:
		w.stepRun(l, &workflow.ResetActivity{Which: which, KeepPaused: w.one(2)}, e)
	}
}
