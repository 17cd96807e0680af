package shard

import (
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/await"
	"github.com/perdure/perdure/internal/clock"
)

// directQuery is all that is needed to ask a worker about a run outside of any
// workflow task.
type directQuery struct {
	run     *workflow.Run // for its key and its start, which do not change
	started workflow.TaskStarted
	untold  int64
	normal  engine.TaskQueue
	sticky  engine.TaskQueue // zero name: not sticky
	// patience with the sticky queue.
	patience time.Duration
}

func describeDirect(run *workflow.Run) *directQuery {
	d := &directQuery{
		run:    &workflow.Run{Key: run.Key, Start: run.Start},
		untold: untold(run),
		started: workflow.TaskStarted{
			Token:                  workflow.TaskToken{Run: run.Key},
			NamespaceName:          run.Start.NamespaceName,
			WorkflowType:           run.Start.WorkflowType,
			TaskQueue:              run.Start.TaskQueue,
			PreviousStartedEventID: run.Info.LastCompletedStartedID,
			Attempt:                1,
			HistoryFrom:            1,
			HistoryTo:              run.Info.NextEventID - 1,
		},
		normal: engine.TaskQueue{
			NamespaceID: run.Key.NamespaceID, Name: run.Start.TaskQueue, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
		},
	}
	if st := run.Info.Sticky; st != nil {
		d.sticky = engine.TaskQueue{
			NamespaceID: run.Key.NamespaceID, Name: st.TaskQueue, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
			Sticky: true, NormalName: run.Start.TaskQueue,
		}
		d.patience = st.ScheduleToStart
	}
	return d
}

// untold is how many events at the end of the history are kept from a worker that
// is to answer a query. A termination, which no code has asked for and none learns
// of, is, if it is a batch of its own: the Java SDK cannot replay one, and the
// answer is the same without (sdk-java issue 1457).
func untold(run *workflow.Run) int64 {
	i := run.Info
	if i.Status == enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED && i.CloseBatchID == i.CloseEventID {
		return 1
	}
	return 0
}

// How long a queue counts as served after its last poll (TQ-71, TQ-81), and how
// long before the caller's deadline it is told that nobody is there.
const (
	stickyServed = 10 * time.Second
	normalServed = 20 * time.Second
	tellBefore   = time.Second
	offerPause   = 100 * time.Millisecond
)

// answer is what a worker says to a query.
type answer struct {
	kind    enumspb.QueryResultType
	result  *commonpb.Payloads
	text    string
	failure *failurepb.Failure
	// dropped: the host stops, and there will be no answer.
	dropped bool
	cause   enumspb.WorkflowTaskFailedCause // of a failure, if the worker tells
}

// refusal is nil for an answer that is one.
func (a answer) refusal(limits *engine.Limits) error {
	if a.kind == enumspb.QUERY_RESULT_TYPE_FAILED {
		return queryFailed(a.text, &errordetails.QueryFailedFailure{Failure: a.failure})
	}
	if limits.BlobBytes > 0 && proto.Size(a.result) > limits.BlobBytes {
		return queryFailed("Blob data size exceeds limit.", &errordetails.QueryFailedFailure{})
	}
	return nil
}

// directQueries are those that a worker has, or is to get, on their own.
type directQueries struct {
	mu struct {
		sync.Mutex
		asked map[string]chan answer // nil once the host stops
	}
}

func (d *directQueries) init() { d.mu.asked = make(map[string]chan answer) }

func (d *directQueries) add(id string) (answers chan answer, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.mu.asked == nil {
		return nil, false
	}
	answers = make(chan answer, 1)
	d.mu.asked[id] = answers
	return answers, true
}

// remove reports the channel that was still waiting.
func (d *directQueries) remove(id string) chan answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	answers := d.mu.asked[id]
	delete(d.mu.asked, id)
	return answers
}

// dropAll fails all, at the host's stop.
func (d *directQueries) dropAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, answers := range d.mu.asked {
		answers <- answer{dropped: true}
	}
	d.mu.asked = nil
}

// AnswerQuery brings a worker's answer to a query that was delivered on its
// own. NotFound when nobody waits for it.
func (h *Host) AnswerQuery(_ context.Context, queryID string, req *workflowservice.RespondQueryTaskCompletedRequest) error {
	answers := h.direct.remove(queryID)
	if answers == nil {
		return engine.NotFound("query task not found, or already expired")
	}
	answers <- answer{kind: req.GetCompletedType(), result: req.GetQueryResult(), text: req.GetErrorMessage(), failure: req.GetFailure(), cause: req.GetCause()}
	return nil
}

// asking is one direct query while its caller waits.
type asking struct {
	host    *Host
	query   *query
	direct  *directQuery
	id      string // by which a worker answers
	answers chan answer
	// bare: a worker may have been given the question, under this id, without
	// history.
	bare bool
	// events are what matching and the clock have to say, each with the number
	// of the offer it is about: what is said of an earlier one is stale.
	events  chan askingEvent
	offer   int
	sticky  bool
	undo    func()
	pending clock.Timer
}

type askingEvent struct {
	offer int
	kind  askingKind
}

type askingKind uint8

const (
	offerLost  askingKind = iota // nobody has it or will have it
	offerAgain                   // the pause is over
	stickyOver                   // the sticky queue had its time
	nearlyOver                   // the caller's deadline is close
)

// askDirect asks a worker: the one that holds the run first, if there is one.
func (h *Host) askDirect(ctx context.Context, q *query, d *directQuery) (*workflowservice.QueryWorkflowResponse, error) {
	a := &asking{host: h, query: q, direct: d, events: make(chan askingEvent, 8)}
	if !a.listen(q.id) {
		return nil, ErrUnavailable
	}
	defer func() { h.direct.remove(a.id) }()
	defer a.end()
	if !q.deadline.IsZero() {
		near := h.opt.Clock.AfterFunc(q.deadline.Sub(h.opt.Clock.Now())-tellBefore, func() { a.say(nearlyOver, 0) })
		defer near.Stop()
	}
	a.sticky = d.sticky.Name != "" && h.opt.Matcher.PolledWithin(d.sticky, stickyServed)
	a.offerNow()
	return a.await(ctx)
}

func (a *asking) await(ctx context.Context) (*workflowservice.QueryWorkflowResponse, error) {
	for {
		got, ev, answered, err := await.Either(ctx, a.answers, a.events)
		switch {
		case err != nil:
			return nil, err
		case answered && got.dropped:
			return nil, ErrUnavailable
		case answered && a.overtaken(got):
			if !a.again() {
				return nil, ErrUnavailable
			}
		case answered:
			return a.response(got)
		case ev.kind == nearlyOver:
			if !a.host.opt.Matcher.PolledWithin(a.direct.normal, normalServed) {
				return nil, engine.Refuse(engine.KindFailedPrecondition,
					"no poller seen for task queue recently, worker may be down")
			}
		case ev.offer == a.offer:
			a.goOn(ev.kind)
		}
	}
}

// listen waits for a worker's answer under an id; false once the host stops.
func (a *asking) listen(id string) (ok bool) {
	a.id = id
	a.answers, ok = a.host.direct.add(id)
	return ok
}

// overtaken reports whether the worker may have failed because the run went on
// while the query was on its way. A worker that should hold the run gets no
// history with the query. If it has lost the run meanwhile it reads all there is,
// which may be more than the query task says was there, and takes that for
// nondeterminism: updates that were accepted later have no message in its task.
// Seen with the Go SDK, whose cache drops a run when a completion is refused.
func (a *asking) overtaken(got answer) bool {
	return a.bare && got.kind == enumspb.QUERY_RESULT_TYPE_FAILED &&
		(got.cause == enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR || strings.Contains(got.text, nondeterminism))
}

// nondeterminism is how SDKs mark that error in their texts, which they need not
// name as the cause.
const nondeterminism = "[TMPRL1100]"

// again asks with the history up to the moment of the question, which agrees with
// what the task says. A workflow that is nondeterministic indeed fails again. The
// id is a new one: the worker may repeat its first answer.
func (a *asking) again() bool {
	a.sticky, a.bare = false, false
	if !a.listen(engine.NewFresh(a.host.opt.Seed()).UUID()) {
		return false
	}
	a.offerNow()
	return true
}

func (a *asking) response(got answer) (*workflowservice.QueryWorkflowResponse, error) {
	if err := got.refusal(a.host.opt.Limits); err != nil {
		return nil, err
	}
	return &workflowservice.QueryWorkflowResponse{
		QueryResult: got.result, Link: queryLink(a.direct.run, "Query processed"),
	}, nil
}

// goOn reacts to what was said of the present offer.
func (a *asking) goOn(kind askingKind) {
	switch kind {
	case offerLost, stickyOver:
		if a.sticky {
			a.leaveSticky()
			return
		}
		// The worker that had it is gone, or matching drains.
		a.pause(offerPause, offerAgain)
	case offerAgain:
		a.offerNow()
	}
}

// leaveSticky turns to the normal queue: the worker that held the run does not
// answer. The run's next workflow tasks need not wait for it either (TQ-82).
func (a *asking) leaveSticky() {
	a.end()
	a.sticky = false
	key := a.direct.run.Key
	a.host.Submit(key.ID, key.RunID, &workflow.ResetSticky{}, func(any, error) {}) // best effort
	a.offerNow()
}

func (a *asking) offerNow() {
	a.end()
	a.offer++
	n := a.offer
	queue, started := a.direct.normal, a.direct.started
	if a.sticky {
		a.bare = true
		queue = a.direct.sticky
		started.HistoryFrom = started.PreviousStartedEventID + 1
	}
	task := &QueryTask{ID: a.id, Run: a.direct.run.Key, Started: &started, Untold: a.direct.untold, Query: a.query.query}
	a.undo = a.host.opt.Matcher.OfferQuery(queue, task, func() { a.say(offerLost, n) })
	if a.sticky {
		a.pause(a.direct.patience, stickyOver)
	}
}

func (a *asking) pause(d time.Duration, then askingKind) {
	n := a.offer
	a.pending = a.host.opt.Clock.AfterFunc(d, func() { a.say(then, n) })
}

// say never waits: a caller that does not listen any more misses nothing.
func (a *asking) say(kind askingKind, offer int) {
	select {
	case a.events <- askingEvent{offer, kind}:
	default:
	}
}

// end takes the present offer back.
func (a *asking) end() {
	if a.pending != nil {
		a.pending.Stop()
		a.pending = nil
	}
	if a.undo != nil {
		a.undo()
		a.undo = nil
	}
}
