package shard

import (
	"time"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

// Matcher is what a shard needs of the task queues. Package matching provides
// it; package server hands it in. None of its methods may block or call back
// into the shard before it returns.
type Matcher interface {
	// Reserve takes the poller that would get the task if it were offered now,
	// provided nothing waits ahead of it; ok is false when there is none. A
	// reserved poller does not expire until Deliver or Release, one of which
	// must follow. It lets the shard start a task in the very batch that
	// schedules it. owner is asked to abort the start if the poller is gone by
	// the time of Deliver. For a task of a sticky queue that is not usable the
	// poller is one of the normal queue: poller.Sticky tells.
	Reserve(owner Backlog, task engine.Task) (poller engine.Poller, reservation uint64, ok bool)
	// Deliver gives a reserved poller the task it was started for, once that is
	// durable: a *workflow.TaskStarted, *workflow.ActivityStarted or
	// *standalone.Started.
	Deliver(reservation uint64, started any)
	// Release lets a reserved poller wait on.
	Release(reservation uint64)

	// Offer makes tasks available that are durable in the backlog. It returns
	// how many of them it has taken, from the first; the rest stay in the
	// backlog alone until Refill of their queue is asked for. New tasks may be
	// offered while there is such a rest: one that goes before the rest is taken
	// (by its priority, say), one that goes after it is refused.
	Offer(owner Backlog, tasks []engine.Task) (taken int)
	// Withdraw forgets offers that are void. Unknown ones are ignored. It does not
	// keep the slice.
	Withdraw(tasks []engine.Task)
	// Forget drops every offer of an owner that has lost its slots.
	Forget(owner Backlog)

	// OfferQuery lets the next poller of the queue answer a query; it never
	// moves to another queue. lost is called when none will (a retired sticky
	// queue, a matcher that drains) or when the poller that got it turned out to
	// be gone: offer it again then, if there is time. withdraw gives the query up;
	// lost may still be called by someone who is about to.
	OfferQuery(queue engine.TaskQueue, query *QueryTask, lost func()) (withdraw func())
	// PolledWithin reports whether the queue has a waiting poller or had one
	// within the last d. False for a retired sticky queue.
	PolledWithin(queue engine.TaskQueue, d time.Duration) bool
}

// Backlog is the shard side of its offers, called by matching from any
// goroutine. Calls return at once.
type Backlog interface {
	// StartTask asks the run to give the task to the poller. done is called
	// once, after the start is durable, with a *workflow.TaskStarted,
	// *workflow.ActivityStarted or *standalone.Started; or with an error: a Refusal of KindStale means
	// the offer was void (try another), anything else that it still stands.
	StartTask(task engine.Task, poller engine.Poller, done func(started any, err error))
	// AbortTask takes a start back whose poller was gone before its answer was
	// written; the task is offered again.
	AbortTask(started any)
	// Refill asks for offers of a queue beyond those taken, in order, because
	// there is room again. They come by Offer, until one is not taken whole or
	// nothing is left: there is no second asking before that.
	Refill(queue engine.TaskQueue)
}

// Depth is what a Backlog may say of itself besides: how many of its tasks wait
// in a queue, those on offer included. Called from any goroutine; approximate.
type Depth interface {
	Depth(queue engine.TaskQueue) int
}

// Namespaces looks up what the core needs of a namespace, from memory.
type Namespaces interface {
	// ByID returns nil for an unknown namespace.
	ByID(id string) *engine.Namespace
	// ByName returns nil for an unknown namespace.
	ByName(name string) *engine.Namespace
}

// Feed takes the changes of the visibility index. Within a slot they come in
// order of their sequence, each durable in the feed family, and before anyone
// is told of the step that caused them. After a restart those not yet
// acknowledged come again. Append must not block, and keeps the records but not
// the slice.
type Feed interface {
	Append(entries []FeedEntry)
}

// FeedEntry is one change for the visibility index.
type FeedEntry struct {
	Slot   store.Slot
	Seq    uint64
	Record *engine.VisibilityRecord
}

// FeedPosition acknowledges the entries of a slot up to and including Seq: the
// index has them on stable storage, and their rows may go.
type FeedPosition struct {
	Slot store.Slot
	Seq  uint64
}

// Deliverer calls completion callbacks. Package callbacks provides it.
type Deliverer interface {
	// Deliver makes one try. It does not block: done is called with the report,
	// from any goroutine, perhaps before Deliver returns; or never, which after a
	// while counts as a report that was lost. The delivery has its Completion and
	// must not be changed.
	Deliver(d *engine.Delivery, done func(callback.Answer))
}

// Post carries messages between executions of one host that did not meet in one
// batch. A simulation makes them late and overtake each other, and loses answers,
// so that messages come again.
type Post interface {
	// Carry brings a message to its receiver by calling deliver, once, now or
	// later, from any goroutine.
	Carry(m *engine.Message, deliver func())
	// Return brings the answer back by calling hear, once, likewise. With lost the
	// sender hears of a fault instead, and sends the message again.
	Return(m *engine.Message, hear func(lost bool))
}

// atOnce is the post of a host whose shards share a process.
type atOnce struct{}

func (atOnce) Carry(_ *engine.Message, deliver func())        { deliver() }
func (atOnce) Return(_ *engine.Message, hear func(lost bool)) { hear(false) }

// QueryTask is a query to be answered by a worker, on its own. It exists only
// in memory, while its caller waits.
type QueryTask struct {
	ID  string
	Run engine.RunKey
	// Started describes the run as for a workflow task (no token, event ids or
	// times); HistoryFrom is 1 unless the poller is sticky.
	Started *workflow.TaskStarted
	// Untold is how many of the last events are not to be sent.
	Untold int64
	Query  any // *querypb.WorkflowQuery
}
