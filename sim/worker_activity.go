package main

import (
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// act carries an activity out.
func (wk *worker) act(t *workflow.ActivityStarted) {
	wk.say("%s runs %s", wk.name, describe(t))
	token := t.Token
	if wk.strikes(faultWorkerWrong) {
		token.Stamp--
	}
	ref := workflow.ActivityRef{Token: &token}
	if wk.oneIn(15) { // by id, as from another process
		ref = workflow.ActivityRef{ID: token.ActivityID}
	}
	end := wk.ending(ref, t)
	if t.Heartbeat > 0 && !wk.oneIn(3) {
		wk.beat(ref, t, 1+wk.chance.IntN(8), end)
		return
	}
	pause := wk.between(time.Millisecond, 500*time.Millisecond)
	if wk.strikes(faultWorkerLate) {
		pause = wk.between(2*time.Second, 20*time.Second)
	}
	wk.after(pause, func() { wk.report(ref, t, end, 0) })
	if wk.strikes(faultWorkerTwice) {
		wk.after(pause+wk.between(0, 50*time.Millisecond), func() { wk.report(ref, t, end, 0) })
	}
}

// ending draws how an attempt ends.
func (wk *worker) ending(ref workflow.ActivityRef, t *workflow.ActivityStarted) engine.Input {
	n := wk.chance.IntN(10)
	if wk.healed {
		n = 9
	}
	switch n {
	case 0, 1:
		return &workflow.FailActivity{Ref: ref, Identity: wk.name, Failure: applicationFailure("try again", "passing")}
	case 2:
		in := &workflow.FailActivity{Ref: ref, Identity: wk.name, Failure: failures[wk.chance.IntN(len(failures))]}
		if wk.oneIn(2) {
			in.HeartbeatDetails = payloads("at the end")
		}
		return in
	}
	return &workflow.CompleteActivity{Ref: ref, Identity: wk.name, Result: &commonpb.Payloads{
		Payloads: []*commonpb.Payload{{Data: []byte(fmt.Sprint(t.Token.ScheduledEventID, "/", t.Attempt))}}}}
}

// beat sends heartbeats, heeds a cancellation, and ends.
func (wk *worker) beat(ref workflow.ActivityRef, t *workflow.ActivityStarted, left int, end engine.Input) {
	if left == 0 {
		wk.report(ref, t, end, 0)
		return
	}
	wk.after(wk.between(100*time.Millisecond, time.Second), func() {
		in := &workflow.HeartbeatActivity{Ref: ref, Identity: wk.name, Details: &commonpb.Payloads{
			Payloads: []*commonpb.Payload{{Data: []byte(fmt.Sprint("beat ", left))}}}}
		wk.submit(t.Token.Run.ID, t.Token.Run.RunID, in, func(reply any, err error) {
			answer, ok := reply.(*workflowservice.RecordActivityTaskHeartbeatResponse)
			switch {
			case engine.KindOf(err) == engine.KindNotFound:
				wk.say("%s stops %s: it is not wanted any more", wk.name, describe(t))
			case ok && answer.GetCancelRequested() && wk.oneIn(2):
				wk.report(ref, t, &workflow.CancelActivity{Ref: ref, Identity: wk.name}, 0)
			default:
				wk.beat(ref, t, left-1, end)
			}
		})
	})
}

// report sends the outcome of an attempt until it is heard.
func (wk *worker) report(ref workflow.ActivityRef, t *workflow.ActivityStarted, end engine.Input, tries int) {
	wk.submit(t.Token.Run.ID, t.Token.Run.RunID, end, func(_ any, err error) {
		if unclear(err) && tries < 5 {
			wk.after(wk.between(50*time.Millisecond, time.Second), func() { wk.report(ref, t, end, tries+1) })
			return
		}
		wk.say("%s: %s ends with %T: %s", wk.name, describe(t), end, outcomeOf(err))
	})
}

func applicationFailure(message, kind string) *failurepb.Failure {
	return &failurepb.Failure{Message: message, FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind}}}
}
