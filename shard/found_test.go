package shard

import (
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/store"
)

// What the simulator has found, each in its simplest form.

// A start that finds no room does not void the offer: told as stale, the task
// would be lost until a restart (I6).
func TestOfferOutlivesFullStore(t *testing.T) {
	w := newWorld(t)
	w.do("a", "", startOf("a"))
	w.driver.SetFull(true)
	if o := w.submit("b", "", startOf("b")); !w.full(o) {
		t.Fatalf("the start that found no room: %v", o.err)
	}
	if len(w.matcher.offers) != 1 {
		t.Fatalf("%d offers, want the one of a", len(w.matcher.offers))
	}
	_, err := w.start(w.matcher.offers[0])
	if k := engine.KindOf(err); k != engine.KindStorageFull {
		t.Errorf("a start without room: kind %d, %v", k, err)
	}
	w.driver.SetFull(false)
	w.advance(2 * lookForRoom)
	if _, err := w.start(w.matcher.offers[0]); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// A child whose parent was deleted before it had recorded the child's start is
// terminated: it would wait for its first workflow task for ever.
func TestChildOfVanishedParentIsTakenBack(t *testing.T) {
	w := newWorld(t)
	m := &engine.Message{
		Kind: engine.MessageStartChild,
		From: engine.RunKey{ID: idOf("parent"), RunID: "deleted"}, To: idOf("child"),
		EventID: 5, BatchID: 4, RequestID: "start-child", NamespaceName: "default", FirstRunID: "deleted",
		Event: &historypb.HistoryEvent{EventId: 5, EventType: enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
			Attributes: &historypb.HistoryEvent_StartChildWorkflowExecutionInitiatedEventAttributes{
				StartChildWorkflowExecutionInitiatedEventAttributes: &historypb.StartChildWorkflowExecutionInitiatedEventAttributes{
					WorkflowId: "child", WorkflowType: &commonpb.WorkflowType{Name: "Child"},
				}}},
	}
	w.do("child", "", &workflow.StartWorkflow{Request: workflow.ChildStartRequest(m, "default"), Child: m})
	s := w.host.shards[0].Load()
	s.inbox.report(func() { s.post(m) })
	w.settle()
	w.advance(2 * time.Second)
	events := w.history(w.currentRun("child"))
	if last := events[len(events)-1]; last.EventType != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED {
		t.Errorf("the child's last event is %v", last.EventType)
	}
	if rows := w.rows(store.FamilyOutbox); len(rows) != 0 {
		t.Errorf("%d rows are left in the outbox", len(rows))
	}
}
