package workflow_test

import (
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// I8: messages between executions are delivered at least once and take effect
// exactly once. Here every message is delivered twice and every answer brought
// twice, in all histories each effect is found once.
func TestMessagesTakeEffectOnce(t *testing.T) {
	w := newWorld(t)
	twice := func() {
		for len(w.messages) > 0 {
			m := w.messages[0]
			w.messages = w.messages[1:]
			for range 2 {
				reply, refusal := w.handOver(&m)
				if !m.Answered() {
					continue
				}
				answer := &workflow.Answered{Message: &m, Refusal: refusal}
				if s, ok := reply.(*workflow.Started); ok {
					answer.RunID = s.RunID
				}
				w.step(w.runs[m.From], answer)
			}
		}
	}
	script(t, w, "start target queue=targets", "start order", "poll orders", "complete order",
		"\tstart-child kid", "\tstart-child pet policy=REQUEST_CANCEL", "\tsignal target hello", "\tcancel target", "\tsignal nobody hello")
	twice()
	script(t, w, "poll parcels", "complete kid", "\tcomplete-workflow result=done")
	twice()
	script(t, w, "poll orders", "complete order", "\tcomplete-workflow")
	twice()

	want := map[string]map[enumspb.EventType]int{
		"order": {
			enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:                     2,
			enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:                   1,
			enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:                 1,
			enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:         1,
			enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:            1,
			enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:                0,
			enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:    0,
			enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: 1,
		},
		"target": {
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:         1,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: 1,
		},
		"kid": {
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: 1,
			enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:    1,
		},
		"pet": {
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: 1,
			enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:             1,
		},
	}
	for id, kinds := range want {
		for kind, n := range kinds {
			if got := countEvents(w, id, kind); got != n {
				t.Errorf("%s has %d times %v, want %d", id, got, kind, n)
			}
		}
	}
	if n := len(w.runs); n != 4 {
		t.Errorf("%d runs, want 4", n)
	}
}

func countEvents(w *world, id string, kind enumspb.EventType) int {
	n := 0
	for _, ev := range w.history[w.current[id]] {
		if ev.EventType == kind {
			n++
		}
	}
	return n
}

// A child that was started by a run which was reset before it heard of it belongs
// to the run in its place, however late the first one's message comes again: else
// nobody would hear of its end.
func TestFormerParentDoesNotComeBack(t *testing.T) {
	w := newWorld(t)
	script(t, w, "start order", "poll orders", "complete order", "\tstart-child kid")
	first := w.messages[0]
	w.messages = nil
	w.handOver(&first) // the answer is lost
	script(t, w, "signal order hello", "poll orders", "reset order at=8")
	again := w.messages[0]
	w.handOver(&again)
	if parent := w.runs[w.current["kid"]].Start.Parent.Run; parent != again.From || parent == first.From {
		t.Fatalf("after the reset the parent is %v, want %v", parent, again.From)
	}
	w.handOver(&first)
	if parent := w.runs[w.current["kid"]].Start.Parent.Run; parent != again.From {
		t.Errorf("an old message has made %v the parent again", parent)
	}
}

// The same when the first message comes only once the child belongs to the run in
// the first one's place, which has started it.
func TestOvertakenParentDoesNotAdopt(t *testing.T) {
	w := newWorld(t)
	script(t, w, "start order", "poll orders", "complete order", "\tstart-child kid")
	first := w.messages[0]
	w.messages = nil
	script(t, w, "signal order hello", "poll orders", "reset order at=8")
	w.handOver(&w.messages[0])
	second := w.runs[w.current["kid"]].Start.Parent.Run
	if second == first.From {
		t.Fatalf("the child that %v has started belongs to %v", w.messages[0].From, second)
	}
	w.handOver(&first)
	if parent := w.runs[w.current["kid"]].Start.Parent.Run; parent != second {
		t.Errorf("a message that was overtaken has made %v the parent, which is %v", parent, second)
	}
}
