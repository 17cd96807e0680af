package main

import (
	"fmt"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// What a worker is given with an attempt of an activity: what goes with its name,
// and what the attempt before has reported, unless somebody has asked to forget it
// or something has happened in between that may lose it.

// activityHanded checks what comes with an attempt of a workflow's activity.
func (a *auditor) activityHanded(t *workflow.ActivityStarted) {
	if s := t.Scheduled.GetActivityTaskScheduledEventAttributes(); s != nil && (!isAs(s.Input, t.Token.ActivityID) || s.ActivityId != t.Token.ActivityID) {
		a.broken("I1: %s is handed out with %v of activity %s", describe(t), s.Input, s.ActivityId)
	}
	if a.remembers(t.Token.Run.ID, a.beats[activityKey{t.Token.Run, t.Token.ScheduledEventID}], t.HeartbeatDetails) {
		a.broken("I1: %s is handed out without what was reported before", describe(t))
	}
	if a.hasty(activityKey{t.Token.Run, t.Token.ScheduledEventID}, attempt{t.Attempt, t.StartedTime}) {
		a.broken("I7: %s has started too soon after the one before", describe(t))
	}
}

// attempt is the start of one.
type attempt struct {
	number  int32
	started time.Time
}

// shortestRetry is the least time between two attempts of any activity here.
const shortestRetry = time.Second

// hasty reports whether an attempt has not waited as its retry policy says (I7),
// though no operator has interfered.
func (a *auditor) hasty(key activityKey, now attempt) bool {
	before, known := a.attempts[key]
	a.attempts[key] = now
	return known && now.number == before.number+1 && now.started.Before(before.started.Add(shortestRetry)) && !a.forgets[key.run.ID]
}

// toCancel reports whether a worker that sends this heartbeat must be told that its
// activity is to be cancelled: that was on the disk when it was last looked at.
func (a *auditor) toCancel(id engine.ID, runID string, in engine.Input) bool {
	run := engine.RunKey{ID: id, RunID: runID}
	switch in := in.(type) {
	case *workflow.HeartbeatActivity:
		l := a.disk.lives[run]
		if l == nil || in.Ref.Token == nil {
			return false
		}
		x := l.activities[in.Ref.Token.ScheduledEventID]
		return x != nil && x.cancelRequested
	case *standalone.Heartbeat:
		x := a.singles.runs[run]
		return x != nil && x.state != nil && x.state.Activity.CancelRequested
	}
	return false
}

// toldOfCancel checks the answer to a heartbeat, if it was to say so.
func (a *auditor) toldOfCancel(id engine.ID, in engine.Input, reply any, err error) {
	if answer, ok := reply.(*workflowservice.RecordActivityTaskHeartbeatResponse); ok && err == nil && !answer.GetCancelRequested() {
		a.broken("I6: the worker of an activity of %s, which is to be cancelled, is not told so (%T)", id.Name, in)
	}
}

// remembers reports whether a heartbeat was acknowledged and must be known, and is not.
func (a *auditor) remembers(id engine.ID, b beat, details *commonpb.Payloads) bool {
	return b.at.After(a.trouble) && !a.forgets[id] && details == nil
}

// forgetting hears of a wish that heartbeats be forgotten.
func (a *auditor) forgetting(id engine.ID, in engine.Input) {
	switch in.(type) {
	case *workflow.ResetActivity, *workflow.UnpauseActivity, *standalone.Reset, *standalone.Unpause:
		a.forgets[id] = true
	}
}

// aloneHanded checks what comes with an attempt of a standalone activity.
func (s *singles) aloneHanded(t *standalone.Started) {
	if !isAs(t.Start.Input, t.Run.Name) {
		s.broken("I1: %s is handed out with %v", describe(t), t.Start.Input)
	}
	if s.auditor.remembers(t.Run.ID, s.beats[t.Run], t.Activity.HeartbeatDetails) {
		s.broken("I1: %s is handed out without what was reported before", describe(t))
	}
	if s.auditor.hasty(activityKey{run: t.Run}, attempt{t.Activity.Attempt, t.Activity.StartedTime}) {
		s.broken("I7: %s has started too soon after the one before", describe(t))
	}
}

// checkOutcome says what is wrong with the outcome of a standalone activity.
func (x *single) checkOutcome() string {
	o := x.state.Outcome
	result := o.GetResult().GetPayloads()
	switch {
	case o == nil || o.GetFailure() != nil:
		return ""
	case len(result) != 1 || !strings.HasPrefix(string(result[0].GetData()), x.key.Name+"/"):
		return fmt.Sprintf("I6: its result is %v", result)
	}
	return ""
}
