package main

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/matching"
)

// worker polls, runs scripts and reports back, honestly or not.
type worker struct {
	*world
	number int
	// generation counts its restarts; name, instance key and sticky queue go
	// with it.
	generation int
	name       string
	instance   string
	// away: it does not poll, until it comes back.
	away bool
	// limited: it asks for few activities a second.
	limited bool
	// caches: it asks for its next workflow tasks on its own queue.
	caches bool
}

func newWorker(w *world) *worker {
	n := len(w.workers)
	wk := &worker{world: w, number: n, name: fmt.Sprint("worker-", n), caches: !w.oneIn(3), limited: w.oneIn(8)}
	wk.instance = wk.name
	w.workers = append(w.workers, wk)
	if w.oneIn(2) {
		wk.restart()
	}
	return wk
}

func queue(name string, t enumspb.TaskQueueType) engine.TaskQueue {
	return engine.TaskQueue{NamespaceID: namespaceID, Name: name, Type: t}
}

// restart ends the worker as an SDK does: it says so, and its successor has
// another sticky queue. What it has in hand it still reports.
func (wk *worker) restart() {
	wk.after(wk.sometime(wk.between(5*time.Second, 2*time.Minute)), func() {
		if wk.healed {
			return
		}
		if wk.process != nil && !wk.away {
			wk.say("%s restarts", wk.name)
			wk.shutDown()
			wk.connect()
		}
		wk.restart()
	})
}

// shutDown says that the worker ends, if there is anybody to say it to. What
// comes after it goes by another name.
func (wk *worker) shutDown() {
	wk.vanish()()
}

// vanish ends the worker without a word; what it returns says the word later.
func (wk *worker) vanish() (word func()) {
	old, name, instance := wk.stickyQueue(), wk.name, wk.instance
	wk.generation++
	wk.name = fmt.Sprint("worker-", wk.number, ".", wk.generation)
	wk.instance = wk.name
	return func() {
		if p := wk.process; p != nil {
			p.matcher.ShutdownWorker(matching.Shutdown{
				Sticky: old, Queues: wk.normalQueues(), Identity: name, InstanceKey: instance,
			})
		}
	}
}

// leave ends the worker for the time of a rest; comeBack begins another.
func (wk *worker) leave() {
	wk.away = true
	word := wk.vanish()
	if wk.oneIn(2) {
		word()
		return
	}
	wk.after(wk.between(0, 10*time.Second), word) // tasks may wait for it by then
}

func (wk *worker) comeBack() {
	if wk.away {
		wk.away = false
		wk.connect()
	}
}

func (wk *worker) normalQueues() []engine.TaskQueue {
	return []engine.TaskQueue{
		queue(workflowQueueName, enumspb.TASK_QUEUE_TYPE_WORKFLOW),
		queue(activityQueueName, enumspb.TASK_QUEUE_TYPE_ACTIVITY),
	}
}

func (wk *worker) stickyQueue() engine.TaskQueue {
	q := queue(fmt.Sprint("sticky-", wk.number, ".", wk.generation), enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	q.Sticky, q.NormalName = true, workflowQueueName
	return q
}

// connect begins the worker's polls in a new life of the server.
func (wk *worker) connect() {
	if wk.process == nil || wk.away {
		return
	}
	polls := append(wk.normalQueues(), wk.normalQueues()[1])
	if wk.caches {
		polls = append(polls, wk.stickyQueue(), wk.stickyQueue())
	}
	for _, q := range polls {
		wk.poll(wk.process, q, wk.generation)
	}
}

// poll asks for a task of the queue, again and again while the process lives.
func (wk *worker) poll(p *process, q engine.TaskQueue, generation int) {
	if generation != wk.generation {
		return
	}
	again := func(d time.Duration) { wk.after(d, p.living(func() { wk.poll(p, q, generation) })) }
	wk.after(wk.latency(), p.living(func() {
		gone := wk.strikes(faultPollGone)
		var waiting *matching.Waiting
		answered := false
		request := matching.PollRequest{
			Queue: q,
			Wait:  wk.pollTime(),
			Poller: engine.Poller{
				Identity: wk.name, RequestID: wk.unique("poll"),
				WorkerInstanceKey: wk.instance,
			},
		}
		if wk.limited && !wk.healed {
			request.Poller.HasRateLimit, request.Poller.MaxTasksPerSecond = true, 3
		}
		waiting, err := p.matcher.Begin(request, func(h *matching.Handover) {
			answered = true
			wk.take(p, h, request.Poller)
			again(wk.between(0, 20*time.Millisecond))
		})
		if err != nil {
			wk.broken("a poll is refused: %v", err)
		}
		if gone && !answered {
			wk.after(wk.between(0, 2*time.Second), p.living(func() {
				if waiting.Cancel() {
					again(wk.between(0, time.Second))
				}
			}))
		}
	}))
}

// take receives what a poll has brought.
func (wk *worker) take(p *process, h *matching.Handover, poller engine.Poller) {
	switch {
	case h == nil:
		return
	case h.Query != nil:
		wk.takeQuery(p, h)
		return
	}
	if wk.strikes(faultHandoverGone) {
		wk.say("%s is gone when it is given %s", wk.name, describe(h.Started))
		h.Abort()
		if wk.oneIn(2) {
			// It had it after all, and does not know that it is taken for gone.
			wk.auditor.handed(h.Started)
			wk.after(wk.latency(), func() { wk.work(h.Started, poller) })
		}
		return
	}
	wk.auditor.handed(h.Started)
	wk.after(wk.latency(), func() { wk.work(h.Started, poller) })
}

func (wk *worker) work(started any, poller engine.Poller) {
	if wk.strikes(faultWorkerSilent) {
		wk.say("%s takes %s and is never heard of again", wk.name, describe(started))
		return
	}
	wk.mistake(started)
	switch t := started.(type) {
	case *workflow.TaskStarted:
		wk.decide(t, poller)
	case *workflow.ActivityStarted:
		wk.act(t)
	case *standalone.Started:
		wk.actAlone(t)
	}
}

func describe(started any) string {
	switch t := started.(type) {
	case *workflow.TaskStarted:
		return fmt.Sprintf("workflow task %d attempt %d of %s", t.Token.ScheduledEventID, t.Attempt, short(t.Token.Run))
	case *workflow.ActivityStarted:
		return fmt.Sprintf("activity %d attempt %d of %s", t.Token.ScheduledEventID, t.Attempt, short(t.Token.Run))
	}
	if t, ok := started.(*standalone.Started); ok {
		return fmt.Sprintf("attempt %d of %s", t.Activity.Attempt, short(t.Run))
	}
	return fmt.Sprintf("%T", started)
}

// short names a run. Run ids begin with their time: what tells them apart is at
// their end.
func short(run engine.RunKey) string { return run.Name + "/" + run.RunID[max(0, len(run.RunID)-6):] }

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

func applicationFailure(message, kind string) *failurepb.Failure {
	return &failurepb.Failure{Message: message, FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind}}}
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

var _ = (*historypb.HistoryEvent)(nil)
