package main

import (
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// mistake answers what a worker was given with the token of something else:
// of a workflow task as if it were an activity, the other way round, or of a start
// that never was. It must be refused (I4, I5).
func (wk *worker) mistake(started any) {
	if !wk.strikes(faultWorkerType) {
		return
	}
	result := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte("a mistake")}}}
	var run engine.RunKey
	var in engine.Input
	switch t := started.(type) {
	case *workflow.TaskStarted:
		run = t.Token.Run
		in = &workflow.CompleteActivity{Identity: wk.name, Result: result, Ref: workflow.ActivityRef{Token: &workflow.ActivityToken{
			Run: run, ScheduledEventID: t.Token.ScheduledEventID, Attempt: t.Attempt, Stamp: t.Token.Stamp}}}
	case *workflow.ActivityStarted:
		run = t.Token.Run
		in = &workflow.CompleteWorkflowTask{
			Token:   workflow.TaskToken{Run: run, ScheduledEventID: t.Token.ScheduledEventID, Attempt: t.Attempt, Stamp: t.Token.Stamp},
			Request: &workflowservice.RespondWorkflowTaskCompletedRequest{Identity: wk.name, Namespace: namespaceName},
		}
	case *standalone.Started:
		run = t.Run
		in = &standalone.Complete{Stamp: t.Token().Stamp + 1, Identity: wk.name, Result: result}
	}
	wk.say("%s takes %s for something else", wk.name, describe(started))
	wk.submit(run.ID, run.RunID, in, func(_ any, err error) {
		if err == nil {
			wk.broken("I5: %T with the token of %s is accepted", in, describe(started))
		}
	})
}
