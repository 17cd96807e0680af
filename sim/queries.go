package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/matching"
	"github.com/perdure/perdure/shard"
)

// A query's answer says how many events the worker knew that gave it, and repeats
// the question: so its caller can tell that it is an answer to this question, and
// to no earlier state of the run than the one that was durable when it was put.

// query asks a workflow something.
func (w *world) query(id engine.ID) {
	question := w.unique("question")
	reject := enumspb.QueryRejectCondition(w.chance.IntN(4))
	w.converse(w.between(2*time.Second, 40*time.Second), func(c *caller, p *process) {
		before := w.disk.known(id)
		if last := w.disk.current[id]; last != "" {
			if state := w.disk.state(w.present(), engine.RunKey{ID: id, RunID: last}); state != nil {
				before[last] = state.Info.NextEventID - 1
			}
		}
		response, err := p.host.Query(c, id, "", &workflowservice.QueryWorkflowRequest{
			Namespace: namespaceName, Execution: &commonpb.WorkflowExecution{WorkflowId: id.Name}, QueryRejectCondition: reject,
			Query: &querypb.WorkflowQuery{QueryType: "events", QueryArgs: payloads(question)},
		})
		switch {
		case err != nil:
			w.queryFailed(c, id, question, err)
		case response.GetQueryRejected() != nil:
			w.queryRejected(id, reject, response.GetQueryRejected().GetStatus())
		default:
			run := response.GetLink().GetWorkflow().GetRunId()
			w.queryAnswered(engine.RunKey{ID: id, RunID: run}, question, before[run], string(response.GetQueryResult().GetPayloads()[0].GetData()))
		}
	})
}

func (w *world) queryAnswered(key engine.RunKey, question string, least int64, answer string) {
	seen, repeated, _ := strings.Cut(answer, "/")
	events, err := strconv.ParseInt(seen, 10, 64)
	switch {
	case err != nil || repeated != question:
		w.broken("%q to %s is answered %q", question, short(key), answer)
	case events < least:
		w.broken("%q to %s is answered by a worker that knew %d events; when it was put, there were %d", question, short(key), events, least)
	}
	w.say("client: %s to %s: answered after %d events", question, short(key), events)
}

func (w *world) queryRejected(id engine.ID, asked enumspb.QueryRejectCondition, status enumspb.WorkflowExecutionStatus) {
	switch {
	case status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
	case status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || asked < enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
		asked == enumspb.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY && status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		w.broken("a query of %s is rejected for its status %v, asked for %v", id.Name, status, asked)
	}
}

// queryFailed: a query fails because its worker said so, or for a reason in the
// state of the run, or of its callers and pollers.
func (w *world) queryFailed(c *caller, id engine.ID, question string, err error) {
	w.say("client: %s to %s: %v", question, id.Name, err)
	switch engine.KindOf(err) {
	case engine.KindQueryFailed:
		if tooLarge := strings.Contains(err.Error(), " exceeds "); !tooLarge && !strings.HasSuffix(err.Error(), "/"+question) {
			w.broken("%q to %s fails with %q", question, id.Name, err)
		}
	case engine.KindWorkflowNotReady, engine.KindBusyWorkflow, engine.KindFailedPrecondition, engine.KindUnavailable, engine.KindConcurrentLimit,
		engine.KindStorageFull: // so ends a shard whose disk is full
	case engine.KindNotFound:
		if w.isThere(id) {
			w.broken("%q: %v, and %s is there", question, err, id.Name)
		}
	default:
		if c.Err() == nil && !unclear(err) {
			w.broken("%q to %s: %v", question, id.Name, err)
		}
	}
}

// isThere reports whether the id certainly has a run.
func (w *world) isThere(id engine.ID) bool {
	for _, l := range w.disk.order {
		if l.key.ID == id && l.state != nil && !w.disk.mayBeGone(l.key) && w.disk.state(w.present(), l.key) != nil {
			return true
		}
	}
	return false
}

// answerQueries says to the queries that came with a workflow task what the worker
// knows; now and then it leaves one out.
func (wk *worker) answerQueries(request *workflowservice.RespondWorkflowTaskCompletedRequest, t *workflow.TaskStarted) {
	if wk.process == nil {
		return
	}
	queries := wk.process.host.TaskQueries(t.Token)
	for _, id := range sortedKeys(queries) {
		if wk.oneIn(8) && !wk.healed {
			continue
		}
		if request.QueryResults == nil {
			request.QueryResults = map[string]*querypb.WorkflowQueryResult{}
		}
		kind, text := wk.answerOf(queries[id], t.HistoryTo)
		r := &querypb.WorkflowQueryResult{ResultType: kind, ErrorMessage: text}
		if kind == enumspb.QUERY_RESULT_TYPE_ANSWERED {
			r.Answer, r.ErrorMessage = payloads(text), ""
		}
		request.QueryResults[id] = r
	}
}

// answerOf draws the answer to a query by a worker that knows so many events.
func (wk *worker) answerOf(q *querypb.WorkflowQuery, events int64) (enumspb.QueryResultType, string) {
	question := string(q.GetQueryArgs().GetPayloads()[0].GetData())
	if wk.oneIn(8) {
		return enumspb.QUERY_RESULT_TYPE_FAILED, "as the dice fell/" + question
	}
	return enumspb.QUERY_RESULT_TYPE_ANSWERED, fmt.Sprint(events, "/", question)
}

// takeQuery receives a query that comes on its own, and answers it if all goes well.
func (wk *worker) takeQuery(p *process, h *matching.Handover) {
	t := h.Query
	switch {
	case wk.strikes(faultHandoverGone):
		h.Abort()
		return
	case wk.strikes(faultWorkerSilent):
		return
	}
	wk.isKnown(t)
	kind, text := wk.answerOf(t.Query.(*querypb.WorkflowQuery), t.Started.HistoryTo)
	r := &workflowservice.RespondQueryTaskCompletedRequest{CompletedType: kind, ErrorMessage: text}
	if kind == enumspb.QUERY_RESULT_TYPE_ANSWERED {
		r.QueryResult, r.ErrorMessage = payloads(text), ""
	}
	pause := wk.between(time.Millisecond, 100*time.Millisecond)
	if wk.strikes(faultWorkerLate) {
		pause = wk.between(6*time.Second, 30*time.Second)
	}
	answer := p.living(func() {
		if err := p.host.AnswerQuery(context.Background(), t.ID, r); err != nil && engine.KindOf(err) != engine.KindNotFound {
			wk.broken("the answer to a query of %s: %v", short(t.Run), err)
		}
	})
	wk.after(pause, answer)
	if wk.strikes(faultWorkerTwice) {
		wk.after(pause+wk.between(0, 50*time.Millisecond), answer)
	}
}

// isKnown: a query task shows the worker what is durable.
func (wk *worker) isKnown(t *shard.QueryTask) {
	if state := wk.disk.state(wk.present(), t.Run); state != nil && state.Info.NextEventID-1 < t.Started.HistoryTo {
		wk.broken("I1: a query of %s comes with events up to %d, the disk has %d", short(t.Run), t.Started.HistoryTo, state.Info.NextEventID-1)
	}
}
