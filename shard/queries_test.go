package shard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	querypb "go.temporal.io/api/query/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// Whoever waits for a run to go on is woken by every change of its history and
// by its close, when that is durable.
func TestWaitersAreWoken(t *testing.T) {
	w := newWorld(t)
	started := w.do("a", "", startOf("a")).(*workflow.Started)
	key := engine.RunKey{ID: idOf("a"), RunID: started.RunID}
	task := w.take().(*workflow.TaskStarted)
	wait := func(seen int64) chan error {
		woken := make(chan error, 1)
		go func() { woken <- w.host.wait(context.Background(), key, seen) }()
		return woken
	}
	w.await(func() {
		if err := w.host.wait(context.Background(), key, 2); err != nil {
			t.Errorf("what has happened already: %v", err)
		}
	})
	woken := wait(4)
	for w.host.watching(key) == 0 {
		<-w.woken
		w.settle()
	}
	w.slowCommits()
	w.submit("a", "", completeTask(task, closeCommand()))
	w.settle()
	select {
	case <-woken:
		t.Fatal("woken before it was durable (I1)")
	default:
	}
	w.advance(time.Second)
	if err := <-woken; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.await(func() {
		if err := w.host.wait(ctx, engine.RunKey{ID: idOf("a"), RunID: "no such"}, 1); !errors.Is(err, context.Canceled) && engine.KindOf(err) != engine.KindNotFound {
			t.Errorf("got %v", err)
		}
	})
}

// wait waits until a run has gone on.
func (h *Host) wait(ctx context.Context, key engine.RunKey, seen int64) error {
	return h.Follow(ctx, nil, key, func(run *workflow.Run) bool { return run.Info.NextEventID != seen }, func(*workflow.Run) {})
}

// watching counts the watchers of a run; only while the loop rests.
func (h *Host) watching(key engine.RunKey) int {
	if e := h.shardOf(key.ID).entries[key.ID]; e != nil && e.run(key.RunID) != nil {
		return len(e.run(key.RunID).watchers)
	}
	return 0
}

// A query of an idle run goes to a worker on its own, one of a busy run rides on
// the next workflow task.
func TestQueries(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted), timerCommand("t", time.Hour)))
	ask := func() chan string {
		result := make(chan string, 1)
		go func() {
			resp, err := w.host.Query(context.Background(), idOf("a"), "", &workflowservice.QueryWorkflowRequest{
				Query: &querypb.WorkflowQuery{QueryType: "state"}})
			if err != nil {
				result <- "error: " + err.Error()
				return
			}
			result <- string(resp.GetQueryResult().GetPayloads()[0].GetData())
		}()
		return result
	}
	payload := func(s string) *commonpb.Payloads {
		return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(s)}}}
	}

	result := ask()
	w.await(func() { w.matcher.awaitQuery() })
	q := w.matcher.query(0)
	if q.Started.HistoryTo != 5 || q.Started.HistoryFrom != 1 || q.Run.Name != "a" {
		t.Errorf("asked %+v", q.Started)
	}
	if err := w.host.AnswerQuery(context.Background(), q.ID, &workflowservice.RespondQueryTaskCompletedRequest{
		CompletedType: enumspb.QUERY_RESULT_TYPE_ANSWERED, QueryResult: payload("direct")}); err != nil {
		t.Error(err)
	}
	if got := <-result; got != "direct" {
		t.Errorf("got %q", got)
	}
	err := w.host.AnswerQuery(context.Background(), q.ID, &workflowservice.RespondQueryTaskCompletedRequest{})
	if engine.KindOf(err) != engine.KindNotFound {
		t.Errorf("a second answer: %v", err)
	}

	w.do("a", "", signalOf("a", "s"))
	result = ask()
	for w.host.asked(idOf("a")) == 0 {
		<-w.woken
		w.settle()
	}
	task := w.take().(*workflow.TaskStarted)
	riding := w.host.TaskQueries(task.Token)
	if len(riding) != 1 {
		t.Fatalf("%d queries ride on the task", len(riding))
	}
	done := completeTask(task)
	done.Request.QueryResults = map[string]*querypb.WorkflowQueryResult{}
	for id := range riding {
		done.Request.QueryResults[id] = &querypb.WorkflowQueryResult{
			ResultType: enumspb.QUERY_RESULT_TYPE_FAILED, ErrorMessage: "no such query"}
	}
	w.do("a", "", done)
	if got := <-result; !strings.Contains(got, "no such query") {
		t.Errorf("got %q", got)
	}
	if len(w.host.TaskQueries(task.Token)) != 0 {
		t.Error("the query rides on")
	}
}

// asked counts the queries a run holds; only while the loop rests.
func (h *Host) asked(id engine.ID) (n int) {
	if e := h.shardOf(id).entries[id]; e != nil {
		for _, held := range e.runs {
			if held.queries != nil {
				n += len(held.queries.list)
			}
		}
	}
	return n
}

// History is read by batches, forwards and backwards, from any event.
func TestHistoryPages(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	for i := range 30 {
		w.do("a", "", signalOf("a", fmt.Sprint(i)))
		if i == 10 {
			w.do("a", "", completeTask(w.take().(*workflow.TaskStarted)))
		}
	}
	key := w.currentRun("a")
	w.evictAll()
	all := w.history(key)
	if s := w.host.shards[0].Load(); s.held != 0 {
		t.Error("a read of history has loaded the run")
	}
	w.await(func() {
		var n int64
		for next := int64(1); next != 0; n++ {
			page, err := w.host.History(context.Background(), key, next, 0, 3)
			if err != nil {
				t.Error(err)
				return
			}
			next = page.NextEventID
		}
		if n < 5 {
			t.Errorf("%d pages of %d events", n, len(all))
		}
		events, next, err := w.host.HistoryReverse(context.Background(), key, 0, 0)
		if err != nil || next != 0 || len(events) != len(all) || events[0].EventId != int64(len(all)) || events[len(all)-1].EventId != 1 {
			t.Errorf("reverse: %d events, next %d, %v", len(events), next, err)
		}
		if _, err := w.host.History(context.Background(), engine.RunKey{ID: key.ID, RunID: "other"}, 1, 0, 0); engine.KindOf(err) != engine.KindNotFound {
			t.Errorf("another run: %v", err)
		}
		page, err := w.host.History(context.Background(), key, int64(len(all))+1, 0, 0)
		if err != nil || len(page.Bytes) != 0 || page.NextEventID != 0 {
			t.Errorf("beyond the end: %d bytes, %v", len(page.Bytes), err)
		}
		ev, err := w.host.Event(context.Background(), key, 1, 1)
		if err != nil || ev.EventId != 1 {
			t.Errorf("event 1: %v, %v", ev, err)
		}
	})
}

// A page of history ends where it gets too large for one answer, whatever number
// of batches was asked for; a batch that is larger still comes alone.
func TestHistoryPagesAreBounded(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	for i := range 5 {
		signal := signalOf("a", fmt.Sprint(i))
		signal.Request.Input = &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: make([]byte, 1<<20)}}}
		w.do("a", "", signal)
	}
	key := w.currentRun("a")
	w.await(func() {
		pages := 0
		for next := int64(1); next != 0; pages++ {
			page, err := w.host.History(context.Background(), key, next, 0, 256)
			if err != nil || len(page.Bytes) > maxPageBytes {
				t.Errorf("a page of %d bytes, %v", len(page.Bytes), err)
				return
			}
			next = page.NextEventID
		}
		if pages != 3 {
			t.Errorf("%d pages", pages)
		}
		seen := 0
		for next := int64(-1); next != 0; {
			events, from, err := w.host.HistoryReverse(context.Background(), key, next, 256)
			if err != nil || len(events) == 0 || len(events) > 3 && seen < 5 {
				t.Errorf("reverse: %d events, %v", len(events), err)
				return
			}
			seen += len(events)
			next = from
		}
		if seen != 7 {
			t.Errorf("%d events in reverse", seen)
		}
	})
	limit := limitOf(1)
	if !limit.admits(maxPageBytes+1) || limit.admits(1) {
		t.Error("the first batch fits, and it alone")
	}
}

// A run whose first workflow task goes on failing says so to a query at once,
// also to one that was waiting for that task (spec/workflow.md 5.1).
func TestQueryOfAFailingRun(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	ask := func() chan error {
		result := make(chan error, 1)
		go func() {
			_, err := w.host.Query(context.Background(), idOf("a"), "", &workflowservice.QueryWorkflowRequest{
				Query: &querypb.WorkflowQuery{QueryType: "state"}})
			result <- err
		}()
		return result
	}
	early := ask()
	for w.host.asked(idOf("a")) == 0 {
		<-w.woken
		w.settle()
	}
	for range 2 {
		task := w.take().(*workflow.TaskStarted)
		w.do("a", "", &workflow.FailWorkflowTask{Token: task.Token, Request: &workflowservice.RespondWorkflowTaskFailedRequest{}})
	}
	late := ask()
	for _, result := range []chan error{early, late} {
		w.await(func() {
			if err := <-result; engine.KindOf(err) != engine.KindWorkflowNotReady || !strings.Contains(err.Error(), "Workflow Task in failed state") {
				t.Errorf("got %v", err)
			}
		})
	}
}
