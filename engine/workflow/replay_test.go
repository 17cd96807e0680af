package workflow_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/engine/workflow/workflowtest"
)

// checkReplay rebuilds the run from its history and compares it with the one
// that was lived, but for what workflow.Unrecorded lists. Every scenario and every
// random script does so after every step.
func (w *world) checkReplay(run *workflow.Run) {
	told, err := w.replay(run)
	if err != nil {
		w.t.Fatalf("replay of %s: %v", w.names[run.Key.RunID], err)
	}
	if diff := workflowtest.Differences(told, run); len(diff) > 0 {
		w.t.Fatalf("the history of %s tells of another state than the one lived:\n%s", w.names[run.Key.RunID], strings.Join(diff, "\n"))
	}
	if got, want := run.Info.StateBytes, workflow.StateBytes(run); got != want {
		w.t.Fatalf("%s counts %d bytes of state, its parts are %d", w.names[run.Key.RunID], got, want)
	}
}

func (w *world) replay(run *workflow.Run) (*workflow.Run, error) {
	r := workflow.NewReplay(&engine.Env{Namespace: w.ns, Limits: w.limits}, run.Key)
	for _, batch := range w.batches[run.Key] {
		if err := r.Batch(batch); err != nil {
			return nil, err
		}
	}
	var buffered []*historypb.HistoryEvent
	for _, key := range sortedKeys(run.Buffered) {
		buffered = append(buffered, run.Buffered[key])
	}
	if err := r.Buffered(buffered); err != nil {
		return nil, err
	}
	return r.Run(), nil
}

// The list of what a history does not tell names real fields, and the design
// note has the same list.
func TestUnrecordedIsDocumented(t *testing.T) {
	note, err := os.ReadFile("../../docs/design/0003-reset.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range slices.Sorted(maps.Keys(workflow.Unrecorded)) {
		if !strings.Contains(string(note), "`"+field+"`") {
			t.Errorf("docs/design/0003-reset.md does not name %s", field)
		}
	}
}

// What is no history of ours is refused, not guessed at.
func TestReplayRefusesWhatCannotBe(t *testing.T) {
	started := &historypb.HistoryEvent{EventId: 1, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{}}}
	event := func(id int64, kind enumspb.EventType) *historypb.HistoryEvent {
		return &historypb.HistoryEvent{EventId: id, EventType: kind}
	}
	for name, events := range map[string][]*historypb.HistoryEvent{
		"a gap":                           {started, event(3, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)},
		"another first event":             {event(1, enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED)},
		"a second start":                  {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)},
		"an event of a later release":     {started, event(2, 999)},
		"a task that starts from nothing": {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED)},
		"a task that ends from nothing":   {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)},
		"a task that fails from nothing":  {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED)},
		"a timer that fires from nothing": {started, event(2, enumspb.EVENT_TYPE_TIMER_FIRED)},
		"a result of nothing":             {started, event(2, enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)},
		"a child of nobody":               {started, event(2, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED)},
		"an end of no child":              {started, event(2, enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED)},
		"an answer to no signal":          {started, event(2, enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED)},
		"an answer to no cancel request":  {started, event(2, enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED)},
		"an outcome of no update":         {started, event(2, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := workflow.NewReplay(w.env(), engine.RunKey{ID: id("a"), RunID: "r"})
			if err := r.Batch(events); engine.KindOf(err) != engine.KindDataLoss {
				t.Errorf("got %v", err)
			}
		})
	}
}
