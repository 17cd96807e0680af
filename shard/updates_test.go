package shard

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
	"github.com/perdure/perdure/store/memstore"
)

const (
	stageAdmitted = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
	stageAccepted = enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
)

func updateOf(updateID string) *workflow.UpdateWorkflow {
	return &workflow.UpdateWorkflow{Request: &workflowservice.UpdateWorkflowExecutionRequest{Request: &updatepb.Request{
		Meta: &updatepb.Meta{UpdateId: updateID}, Input: &updatepb.Input{Name: "change"},
	}}}
}

// idle is a world with a run that has done its first workflow task.
func idle(t *testing.T) *world {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.do("a", "", completeTask(w.take().(*workflow.TaskStarted)))
	return w
}

// updating is a caller that waits for an update.
type updating struct {
	answered bool
	status   *workflow.UpdateStatus
	err      error
	done     chan struct{}
}

// update asks for an update as a caller does, and returns once it is either
// answered or waiting for news.
func (w *world) update(ctx context.Context, updateID string, p Patience) *updating {
	w.Helper()
	return w.waitingFor(updateID, func() (*workflow.UpdateStatus, error) {
		return w.host.Update(ctx, idOf("a"), "", updateOf(updateID), p)
	})
}

func (w *world) waitingFor(updateID string, call func() (*workflow.UpdateStatus, error)) *updating {
	w.Helper()
	u := &updating{done: make(chan struct{})}
	before := w.waiters(updateID)
	go func() {
		u.status, u.err = call()
		close(u.done)
		w.spawn(func() { u.answered = true })
	}()
	for !u.answered && w.waiters(updateID) == before {
		<-w.woken
		w.settle()
	}
	return u
}

// waiters counts who waits for an update; only while the loop rests.
func (w *world) waiters(updateID string) (n int) {
	if e := w.host.shardOf(idOf("a")).entries[idOf("a")]; e != nil {
		for _, h := range e.runs {
			n += len(h.updates[updateID])
		}
	}
	return n
}

// get is what the caller hears, which must come without anything else happening.
func (u *updating) get(w *world) (*workflow.UpdateStatus, error) {
	w.Helper()
	w.await(func() { <-u.done })
	return u.status, u.err
}

func said(t *workflow.TaskStarted, messages ...*protocolpb.Message) *workflow.CompleteWorkflowTask {
	in := completeTask(t)
	in.Request.Messages = messages
	return in
}

func messageOf(updateID string, body proto.Message) *protocolpb.Message {
	packed, err := anypb.New(body)
	if err != nil {
		panic(err)
	}
	return &protocolpb.Message{Id: updateID + string(body.ProtoReflect().Descriptor().Name()), ProtocolInstanceId: updateID, Body: packed}
}

func acceptOf(updateID string) *protocolpb.Message {
	return messageOf(updateID, &updatepb.Acceptance{AcceptedRequestMessageId: updateID + "/request"})
}

func answerOf(updateID, result string) *protocolpb.Message {
	return messageOf(updateID, &updatepb.Response{Meta: &updatepb.Meta{UpdateId: updateID}, Outcome: &updatepb.Outcome{
		Value: &updatepb.Outcome_Success{Success: &commonpb.Payloads{Payloads: []*commonpb.Payload{{Data: []byte(result)}}}}}})
}

func resultOf(s *workflow.UpdateStatus) string {
	if s.Outcome.GetFailure() != nil {
		return "failure: " + s.Outcome.GetFailure().GetMessage()
	}
	return string(s.Outcome.GetSuccess().GetPayloads()[0].GetData())
}

// Callers hear of their stage once it is durable and not before (I1), each of
// those that share an id; who comes late reads the outcome from history.
func TestI1UpdateIsToldWhenDurable(t *testing.T) {
	w := idle(t)
	first := w.update(t.Context(), "u", Patience{Stage: stageCompleted})
	early := w.update(t.Context(), "u", Patience{Stage: stageAccepted})
	task := w.take().(*workflow.TaskStarted)
	if len(task.Updates) != 1 || len(task.Virtual) != 2 {
		t.Fatalf("the task is %+v", task)
	}
	w.slowCommits()
	w.submit("a", "", said(task, acceptOf("u"), answerOf("u", "yes")))
	w.settle()
	if first.answered || early.answered {
		t.Fatal("told before it was durable")
	}
	w.advance(time.Second)
	for name, u := range map[string]*updating{"completed": first, "accepted": early} {
		if status, err := u.get(w); err != nil || status.Stage < stageAccepted {
			t.Errorf("who waits for %s gets %+v, %v", name, status, err)
		}
	}
	w.faults.Commit = nil
	w.evictAll()
	poll := w.waitingFor("u", func() (*workflow.UpdateStatus, error) {
		return w.host.PollUpdate(t.Context(), idOf("a"), "", "u", Patience{Stage: stageCompleted})
	})
	if status, err := poll.get(w); err != nil || resultOf(status) != "yes" {
		t.Errorf("polled %+v, %v", status, err)
	}
	if status, err := w.update(t.Context(), "u", Patience{Stage: stageCompleted}).get(w); err != nil || resultOf(status) != "yes" {
		t.Errorf("repeated %+v, %v", status, err)
	}
}

// A rejected update is told, and then unknown.
func TestRejectedUpdate(t *testing.T) {
	w := idle(t)
	u := w.update(t.Context(), "u", Patience{Stage: stageAccepted})
	done := w.do("a", "", said(w.take().(*workflow.TaskStarted),
		messageOf("u", &updatepb.Rejection{Failure: &failurepb.Failure{Message: "no"}}))).(*workflow.TaskCompleted)
	if done.ResetHistoryEventID != 3 {
		t.Errorf("the worker goes back to event %d", done.ResetHistoryEventID)
	}
	if status, err := u.get(w); err != nil || !status.Rejected || resultOf(status) != "failure: no" {
		t.Errorf("rejected: %+v, %v", status, err)
	}
	poll := w.waitingFor("u", func() (*workflow.UpdateStatus, error) {
		return w.host.PollUpdate(t.Context(), idOf("a"), "", "u", Patience{})
	})
	if _, err := poll.get(w); engine.KindOf(err) != engine.KindNotFound || err.Error() != `update "u" not found` {
		t.Errorf("polled: %v", err)
	}
}

// When patience is over the caller hears how far the update has come. One whose
// call ends is forgotten.
func TestPatienceOfUpdateCallers(t *testing.T) {
	w := idle(t)
	over := make(chan struct{})
	patient := w.update(t.Context(), "u", Patience{Stage: stageCompleted, Over: over})
	ctx, cancel := context.WithCancel(context.Background())
	leaving := w.update(ctx, "u", Patience{Stage: stageCompleted})
	cancel()
	if _, err := leaving.get(w); !errors.Is(err, context.Canceled) {
		t.Errorf("the call that ended got %v", err)
	}
	w.settle()
	if n := w.waiters("u"); n != 1 {
		t.Errorf("%d wait, want 1", n)
	}
	w.do("a", "", said(w.take().(*workflow.TaskStarted), acceptOf("u")))
	close(over)
	if status, err := patient.get(w); err != nil || status.Stage != stageAccepted || status.Outcome != nil {
		t.Errorf("got %+v, %v", status, err)
	}
	w.settle()
	if n := w.waiters("u"); n != 0 {
		t.Errorf("%d wait still", n)
	}
	w.evictAll()
}

// A caller may leave while news of its update are on their way to the disk: they
// reach those who stay, and nobody stumbles over the one who left.
func TestCallerOfAnUpdateLeavesBeforeItsNewsAreDurable(t *testing.T) {
	w := idle(t)
	ctx, cancel := context.WithCancel(context.Background())
	leaving := w.update(ctx, "u", Patience{Stage: stageCompleted})
	over := make(chan struct{})
	staying := w.update(t.Context(), "u", Patience{Stage: stageCompleted, Over: over})
	task := w.take().(*workflow.TaskStarted)
	w.slowCommits()
	w.submit("a", "", said(task, acceptOf("u")))
	w.settle()
	cancel()
	if _, err := leaving.get(w); !errors.Is(err, context.Canceled) {
		t.Errorf("the call that ended got %v", err)
	}
	w.settle()
	w.advance(time.Second)
	w.faults.Commit = nil
	close(over)
	if status, err := staying.get(w); err != nil || status.Stage != stageAccepted {
		t.Errorf("who stayed got %+v, %v", status, err)
	}
}

// What is in memory only stays there: a run with an update that no worker has
// looked at is not evicted, and its task has no row.
func TestVolatileRunsStay(t *testing.T) {
	w := idle(t)
	w.do("a", "", updateOf("u"))
	if rows := w.rows(store.FamilyTask); len(rows) != 0 {
		t.Errorf("a speculative workflow task has a row: %v", rows)
	}
	s := w.host.shards[0].Load()
	s.inbox.report(func() { s.evict(s.entries[idOf("a")]) })
	w.settle()
	w.view("a", func(run *workflow.Run) {
		if !run.Volatile() || len(run.Offers()) != 1 {
			t.Errorf("left are %v, %v", run.Proposals, run.Info.Task)
		}
	})
	// Nobody comes for it: it becomes a normal task, which has a row.
	w.advance(6 * time.Second)
	if rows := w.rows(store.FamilyTask); len(rows) != 1 {
		t.Errorf("the task that followed has %d rows", len(rows))
	}
	w.do("a", "", said(w.take().(*workflow.TaskStarted), acceptOf("u"), answerOf("u", "yes")))
	w.evictAll()
}

// A shard that is opened again has forgotten updates that no worker has accepted:
// callers hear UNAVAILABLE and come again. Accepted ones are still under way.
func TestUpdatesOfReopenedShard(t *testing.T) {
	w := idle(t)
	w.do("a", "", updateOf("kept"))
	w.do("a", "", said(w.take().(*workflow.TaskStarted), acceptOf("kept")))
	lost := w.update(t.Context(), "lost", Patience{Stage: stageAccepted})
	kept := w.update(t.Context(), "kept", Patience{Stage: stageCompleted})
	task := w.take().(*workflow.TaskStarted)
	w.faults.Commit = func(store.Shard, *store.Batch) memstore.CommitFault {
		w.faults.Commit = nil
		return memstore.CommitFault{Err: store.ErrNotDone}
	}
	refused := w.submit("a", "", said(task, acceptOf("lost"), answerOf("kept", "yes")))
	w.settle()
	if !errors.Is(refused.err, ErrUnavailable) {
		t.Fatalf("the completion got %v", refused.err)
	}
	for name, u := range map[string]*updating{"lost": lost, "kept": kept} {
		if _, err := u.get(w); engine.KindOf(err) != engine.KindUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.advance(time.Second)
	w.view("a", func(run *workflow.Run) {
		if run.Volatile() || run.Updates["kept"] == nil || run.Updates["kept"].CompletedEventID != 0 {
			t.Errorf("left are %v, %v, %v", run.Proposals, run.Info.Task, run.Updates)
		}
	})
	late := w.submit("a", "", said(task, acceptOf("lost")))
	w.settle()
	if engine.KindOf(late.err) != engine.KindNotFound {
		t.Errorf("the worker's late answer: %v", late.err)
	}
	again := w.update(t.Context(), "lost", Patience{Stage: stageCompleted})
	w.do("a", "", said(w.take().(*workflow.TaskStarted), acceptOf("lost"), answerOf("lost", "again"), answerOf("kept", "yes")))
	if status, err := again.get(w); err != nil || resultOf(status) != "again" {
		t.Errorf("asked again: %+v, %v", status, err)
	}
}

// Update-with-start waits for the update of the run it has started, and tells
// which half was refused.
func TestUpdateWithStart(t *testing.T) {
	w := newWorld(t)
	in := &workflow.UpdateWithStart{
		Start: &workflowservice.StartWorkflowExecutionRequest{
			WorkflowId: "a", RequestId: "r", WorkflowType: &commonpb.WorkflowType{Name: "Order"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"}},
		Update: updateOf("u").Request,
	}
	var done *workflow.UpdatedWithStart
	u := w.waitingFor("u", func() (*workflow.UpdateStatus, error) {
		var err error
		done, err = w.host.UpdateWithStart(t.Context(), idOf("a"), in, Patience{Stage: stageCompleted})
		return nil, err
	})
	w.do("a", "", said(w.take().(*workflow.TaskStarted), acceptOf("u"), answerOf("u", "yes")))
	if _, err := u.get(w); err != nil || !done.Started.Started || resultOf(done.Update) != "yes" {
		t.Errorf("got %+v, %v", done, err)
	}
	other := *in
	other.Start = proto.Clone(in.Start).(*workflowservice.StartWorkflowExecutionRequest)
	other.Start.RequestId = "other"
	other.Update = updateOf("v").Request
	w.await(func() { done, _ = w.host.UpdateWithStart(t.Context(), idOf("a"), &other, Patience{}) })
	if done.StartRefused == nil || done.StartRefused.Kind != engine.KindAlreadyStarted {
		t.Errorf("a second start: %+v", done)
	}
	// The run ends under an update: the start stands, the update is refused.
	in.Update = updateOf("w").Request
	u = w.waitingFor("w", func() (*workflow.UpdateStatus, error) {
		var err error
		done, err = w.host.UpdateWithStart(t.Context(), idOf("a"), in, Patience{Stage: stageAccepted})
		return nil, err
	})
	w.do("a", "", &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{}})
	if _, err := u.get(w); engine.KindOf(err) != engine.KindNotFound || done.Started == nil {
		t.Errorf("got %+v, %v", done, err)
	}
}
