package main

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// decide carries a workflow task out.
func (wk *worker) decide(t *workflow.TaskStarted, poller engine.Poller) {
	history := wk.disk.history(wk.present(), t.Token.Run, t.HistoryTo)
	history = append(history, t.Virtual...)
	if len(history) == 0 {
		return // deleted meanwhile
	}
	past := read(t.Token.Run.Name, t.Token.Run.RunID, history)
	past.attempt = t.Attempt
	script := scriptOf(t.WorkflowType)
	commands := script.decide(past, namespaceName)
	beats := script.beats(past)
	switch {
	case t.Attempt > patientAttempts: // it gives up what cannot be done, against a limit say
		commands, beats = []*commandpb.Command{script.giveUp()}, false
	case beats:
		commands = nil
	}
	pause := wk.between(time.Millisecond, 100*time.Millisecond)
	if wk.oneIn(20) {
		wk.submit(t.Token.Run.ID, t.Token.Run.RunID, &workflow.ResetSticky{}, func(any, error) {})
	}
	token := t.Token
	if wk.strikes(faultWorkerLate) {
		pause = wk.between(6*time.Second, 30*time.Second)
	}
	if wk.strikes(faultWorkerWrong) {
		token.Stamp--
	}
	if wk.strikes(faultWorkerFails) {
		in := &workflow.FailWorkflowTask{Token: token, Request: &workflowservice.RespondWorkflowTaskFailedRequest{
			Cause:    enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
			Failure:  &failurepb.Failure{Message: "as the dice fell"},
			Identity: wk.name,
		}}
		wk.after(pause, func() { wk.submit(token.Run.ID, token.Run.RunID, in, func(any, error) {}) })
		return
	}
	request := &workflowservice.RespondWorkflowTaskCompletedRequest{
		Commands: commands, Identity: wk.name, Namespace: namespaceName,
		ReturnNewWorkflowTask: wk.oneIn(2), ForceCreateNewWorkflowTask: beats,
	}
	in := &workflow.CompleteWorkflowTask{Token: token, Request: request, Poller: poller}
	wk.describeItself(request)
	switch spoiled := script.spoils(past); {
	case spoiled != nil:
		request.Commands, request.Messages, request.ForceCreateNewWorkflowTask = spoiled.commands, spoiled.messages, false
		wk.spoiled[in] = spoiled.name
	case !beats:
		wk.answerUpdates(request, t, past)
	}
	wk.answerQueries(request, t)
	if wk.caches {
		request.StickyAttributes = &taskqueuepb.StickyExecutionAttributes{
			WorkerTaskQueue: &taskqueuepb.TaskQueue{
				Name: wk.stickyQueue().Name, Kind: enumspb.TASK_QUEUE_KIND_STICKY, NormalName: workflowQueueName},
			ScheduleToStartTimeout: durationpb.New(5 * time.Second),
		}
	}
	wk.after(pause, func() { wk.complete(in, 0) })
	if wk.strikes(faultWorkerTwice) {
		wk.after(pause+wk.between(0, 50*time.Millisecond), func() { wk.complete(in, 0) })
	}
}

// complete reports a workflow task, and takes what comes back with the answer.
func (wk *worker) complete(in *workflow.CompleteWorkflowTask, tries int) {
	run := in.Token.Run
	wk.submit(run.ID, run.RunID, in, func(reply any, err error) {
		if unclear(err) && tries < 5 {
			wk.after(wk.between(50*time.Millisecond, time.Second), func() { wk.complete(in, tries+1) })
			return
		}
		wk.say("%s completes workflow task %d of %s, %d commands: %s", wk.name, in.Token.ScheduledEventID, short(run),
			len(in.Request.Commands), outcomeOf(err))
		done, ok := reply.(*workflow.TaskCompleted)
		if !ok || err != nil {
			return
		}
		if wrong := wk.spoiled[in]; wrong != "" {
			wk.broken("a completion is accepted: %s", wrong)
		}
		for _, cmd := range in.Request.GetCommands() {
			wk.played.command(cmd)
		}
		for _, m := range in.Request.GetMessages() {
			wk.played.message(m)
		}
		if done.Task != nil {
			wk.work(done.Task, in.Poller)
		}
		for _, a := range done.Activities {
			wk.work(a, in.Poller)
		}
	})
}
