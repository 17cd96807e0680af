package shard

import (
	"context"
	"slices"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/internal/await"
)

// A query is answered by a worker without leaving a trace in history
// (spec/workflow.md 5.1). With a workflow task pending it rides on the next
// start of one, so that the answer includes everything before it; otherwise it
// goes to a worker on its own, see query_direct.go. All of it is in memory: a
// restart fails the caller, who asks again.

// maxRiding is how many queries of a run may wait for a workflow task.
const maxRiding = 1

// maxAwaiting is how many queries of a run may wait for its first workflow task.
const maxAwaiting = 100

// runQueries are the queries of a run that are not answered.
type runQueries struct{ list []*query }

// query is one of them. It belongs to the loop; its caller waits for verdict.
type query struct {
	id       string
	query    *querypb.WorkflowQuery
	deadline time.Time // of the caller; zero for none
	verdict  chan verdict
	told     bool
	// buffered: it counts against maxRiding.
	buffered bool
	// riding on a start of a workflow task.
	riding bool
	token  workflow.TaskToken
}

// verdict is what becomes of a query: an answer, or the way on its own.
type verdict struct {
	response *workflowservice.QueryWorkflowResponse
	err      error
	direct   *directQuery
}

// queries are those that ride, by the workflow task they ride on. TaskQueries
// reads them from other goroutines.
type queries struct {
	mu struct {
		sync.Mutex
		riding map[workflow.TaskToken]map[string]*querypb.WorkflowQuery
	}
}

func (q *queries) init() {
	q.mu.riding = make(map[workflow.TaskToken]map[string]*querypb.WorkflowQuery)
}

// TaskQueries are the queries that ride on a workflow task that was started.
func (h *Host) TaskQueries(token workflow.TaskToken) map[string]*querypb.WorkflowQuery {
	s := h.shardOf(token.Run.ID)
	s.queries.mu.Lock()
	defer s.queries.mu.Unlock()
	return s.queries.mu.riding[token]
}

// Query has a worker answer a query, and waits for it. req is valid.
func (h *Host) Query(ctx context.Context, id engine.ID, runID string, req *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	q := &query{
		id:      engine.NewFresh(h.opt.Seed()).UUID(),
		query:   req.GetQuery(),
		verdict: make(chan verdict, 1),
	}
	q.deadline, _ = ctx.Deadline()
	var key engine.RunKey
	var rejected *workflowservice.QueryWorkflowResponse
	err := h.look(ctx, id, runID, func(s *shard, held *held) {
		key = held.key
		if rejected = reject(held.workflow(), req); rejected == nil {
			s.ask(held, q)
		}
	})
	if err != nil || rejected != nil {
		return rejected, err
	}
	v, err := await.Value(ctx, q.verdict)
	switch {
	case err != nil:
		s := h.shardOf(id)
		s.inbox.report(func() { s.unask(key, q) })
		return nil, err
	case v.direct != nil:
		return h.askDirect(ctx, q, v.direct)
	}
	return v.response, v.err
}

// reject answers a query by the run's status alone; nil if it is to be asked.
func reject(run *workflow.Run, req *workflowservice.QueryWorkflowRequest) *workflowservice.QueryWorkflowResponse {
	status := run.Info.Status
	rejected := status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
	switch req.GetQueryRejectCondition() {
	case enumspb.QUERY_REJECT_CONDITION_NOT_OPEN:
		rejected = rejected || !run.Open()
	case enumspb.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY:
		rejected = rejected || !run.Open() && status != enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}
	if !rejected {
		return nil
	}
	return &workflowservice.QueryWorkflowResponse{
		QueryRejected: &querypb.QueryRejected{Status: status},
		Link:          queryLink(run, "Query rejected"),
	}
}

func queryLink(run *workflow.Run, reason string) *commonpb.Link {
	return &commonpb.Link{Variant: &commonpb.Link_Workflow_{Workflow: &commonpb.Link_Workflow{
		Namespace: run.Start.NamespaceName, WorkflowId: run.Key.Name, RunId: run.Key.RunID, Reason: reason,
	}}}
}

// ask takes a new query in.
func (s *shard) ask(h *held, q *query) {
	if h.queries == nil {
		h.queries = &runQueries{}
	}
	if len(h.queries.list) >= maxAwaiting {
		q.tell(verdict{err: queriesFull()})
		return
	}
	h.queries.list = append(h.queries.list, q)
	s.place(h, q)
	s.forgetTold(h)
}

func queriesFull() error {
	return engine.Refuse(engine.KindBusyWorkflow, "consistent query buffer is full, this may be caused by too many queries and workflow not able to process query fast enough")
}

// tell ends the query's stay here.
func (q *query) tell(v verdict) {
	if !q.told {
		q.told = true
		q.verdict <- v
	}
}

// place decides what is to be done about a query in the run's present state.
func (s *shard) place(h *held, q *query) {
	run := h.workflow()
	switch {
	case q.told || q.riding:
	case run == nil:
		q.tell(verdict{err: noHistory(h.key)})
	case run.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		// What it waited for has not come: it is told what later ones are.
		q.tell(verdict{response: reject(run, nil)})
	case !run.Open() && run.Info.LastCompletedStartedID == 0:
		q.tell(verdict{err: engine.Refuse(engine.KindWorkflowNotReady, "Workflow execution closed before WorkflowTaskStarted event")})
	case !run.Open():
		s.direct(h, q)
	case run.Info.Task != nil && run.Info.Task.Attempt >= 3:
		q.tell(verdict{err: engine.Refuse(engine.KindWorkflowNotReady, "Unable to query workflow due to Workflow Task in failed state.")})
	case run.Info.LastCompletedStartedID == 0:
		if outlives(run, q.deadline) {
			q.tell(verdict{err: engine.Refuse(engine.KindWorkflowNotReady, "Workflow task is not scheduled yet.")})
		}
	case run.Info.Task == nil:
		s.direct(h, q)
	case !q.buffered:
		s.buffer(h, q)
	}
}

// outlives reports whether the run will still be in its first back-off when the
// caller has gone.
func outlives(run *workflow.Run, deadline time.Time) bool {
	return run.Info.Task == nil && !run.Info.FirstTaskDone && !deadline.IsZero() &&
		run.ShardTime(run.Start.ExecutionTime()).After(deadline)
}

// buffer lets the query wait for the next start of a workflow task.
func (s *shard) buffer(h *held, q *query) {
	n := 0
	for _, other := range h.queries.list {
		if other.buffered && !other.told {
			n++
		}
	}
	if n >= maxRiding {
		q.tell(verdict{err: queriesFull()})
		return
	}
	q.buffered = true
}

// direct sends the query on its own way, once what it has seen is durable.
func (s *shard) direct(h *held, q *query) {
	v := verdict{direct: describeDirect(h.workflow())}
	later := false
	s.after(h.entry.lastBatch, func(fault error) {
		if fault != nil {
			v = verdict{err: fault}
		}
		q.tell(v)
		if later { // else the caller tidies up
			s.forgetTold(h)
		}
	})
	later = true
}

// queriesAfter follows a step: a start takes waiting queries along, a
// completion brings answers.
func (s *shard) queriesAfter(h *held, in engine.Input, reply any) {
	if h == nil || h.queries == nil {
		return
	}
	if in, ok := in.(*workflow.CompleteWorkflowTask); ok {
		s.takeAnswers(h, in)
	}
	switch t := reply.(type) {
	case *workflow.TaskStarted:
		s.ride(h, t)
	case *workflow.TaskCompleted:
		if t.Task != nil {
			s.ride(h, t.Task)
		}
	}
}

// ride attaches the waiting queries to a workflow task that was just started.
func (s *shard) ride(h *held, t *workflow.TaskStarted) {
	var attached map[string]*querypb.WorkflowQuery
	for _, q := range h.queries.list {
		if q.told || !q.buffered {
			continue
		}
		if attached == nil {
			attached = make(map[string]*querypb.WorkflowQuery)
		}
		attached[q.id] = q.query
		s.alight(q)
		q.riding, q.token = true, t.Token
	}
	if attached != nil {
		s.queries.mu.Lock()
		s.queries.mu.riding[t.Token] = attached
		s.queries.mu.Unlock()
	}
}

// alight takes a query off the workflow task it rode on.
func (s *shard) alight(q *query) {
	if !q.riding {
		return
	}
	q.riding = false
	s.queries.mu.Lock()
	delete(s.queries.mu.riding, q.token)
	s.queries.mu.Unlock()
}

// takeAnswers gives the results that came with a completion to the callers,
// once the completion is durable.
func (s *shard) takeAnswers(h *held, in *workflow.CompleteWorkflowTask) {
	for _, q := range h.queries.list {
		if !q.riding || q.token != in.Token {
			continue
		}
		s.alight(q)
		result := in.Request.GetQueryResults()[q.id]
		if result == nil || h.workflow() == nil {
			continue // placed anew when the step is durable
		}
		v := s.verdictOf(h.workflow(), answer{
			kind: result.GetResultType(), result: result.GetAnswer(), text: result.GetErrorMessage(), failure: result.GetFailure()})
		s.after(h.entry.lastBatch, func(fault error) {
			if fault != nil {
				v = verdict{err: fault}
			}
			q.tell(v)
		})
	}
}

func (s *shard) verdictOf(run *workflow.Run, a answer) verdict {
	if err := a.refusal(s.opt.Limits); err != nil {
		return verdict{err: err}
	}
	return verdict{response: &workflowservice.QueryWorkflowResponse{
		QueryResult: a.result, Link: queryLink(run, "Query processed"),
	}}
}

// settleQueries looks at the queries again after a change has become durable.
func (s *shard) settleQueries(h *held) {
	if h.queries == nil {
		return
	}
	for _, q := range h.queries.list {
		if q.riding && !carries(h.workflow(), q.token) {
			s.alight(q)
		}
		s.place(h, q)
	}
	s.forgetTold(h)
}

// carries reports whether the start of a workflow task is still valid.
func carries(run *workflow.Run, token workflow.TaskToken) bool {
	if run == nil || run.Info.Task == nil {
		return false
	}
	t := run.Info.Task
	return t.StartedEventID != 0 && t.Stamp == token.Stamp
}

// forgetTold drops the queries that have left.
func (s *shard) forgetTold(h *held) {
	if h.queries == nil {
		return
	}
	for _, q := range h.queries.list {
		if q.told {
			s.alight(q)
		}
	}
	h.queries.list = slices.DeleteFunc(h.queries.list, func(q *query) bool { return q.told })
	if len(h.queries.list) == 0 {
		h.queries = nil
	}
}

// unask forgets a query whose caller has gone.
func (s *shard) unask(key engine.RunKey, q *query) {
	q.told = true
	s.alight(q)
	if e := s.entries[key.ID]; e != nil {
		if h := e.run(key.RunID); h != nil {
			s.forgetTold(h)
		}
	}
}

// dropQueries fails the queries of a run whose shard is finished.
func (s *shard) dropQueries(h *held) {
	if h.queries == nil {
		return
	}
	for _, q := range h.queries.list {
		q.tell(verdict{err: engine.Refuse(engine.KindUnavailable, "buffered query cleared, please retry")})
	}
	s.forgetTold(h)
}

// queryFailed is what the caller of a query hears when the worker failed it.
func queryFailed(text string, detail *errordetails.QueryFailedFailure) error {
	return &engine.Refusal{Kind: engine.KindQueryFailed, Message: text, Detail: detail}
}
