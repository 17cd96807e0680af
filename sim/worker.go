package main

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

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
