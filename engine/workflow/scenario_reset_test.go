package workflow_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
)

// Commands of the scenario files about reset.
//
//	reset ID at=N [reason=R] [request=R] [exclude=SIGNAL,UPDATE] [type=SIGNAL|NONE] [then-signal=NAME]
//
// ID may be "id/run-2": then that run is the base, else the current one.
func init() {
	commands["reset"] = (*world).reset
}

func (w *world) reset(a *args) {
	base := w.find(a.at(0))
	if base == nil {
		w.printf("refused: NotFound\n")
		return
	}
	finishID, err := strconv.ParseInt(a.str("at"), 10, 64)
	if err != nil {
		w.t.Fatalf("%v", err)
	}
	req := &workflowservice.ResetWorkflowExecutionRequest{
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: base.Key.Name, RunId: base.Key.RunID},
		Reason:                    a.str("reason"),
		WorkflowTaskFinishEventId: finishID,
		RequestId:                 a.or("request", "reset"),
		ResetReapplyType:          enumspb.ResetReapplyType(enumspb.ResetReapplyType_value["RESET_REAPPLY_TYPE_"+a.str("type")]),
	}
	for _, name := range strings.Split(a.str("exclude"), ",") {
		if name != "" {
			req.ResetReapplyExcludeTypes = append(req.ResetReapplyExcludeTypes,
				enumspb.ResetReapplyExcludeType(enumspb.ResetReapplyExcludeType_value["RESET_REAPPLY_EXCLUDE_TYPE_"+name]))
		}
	}
	if name := a.str("then-signal"); name != "" {
		req.PostResetOperations = append(req.PostResetOperations, &workflowpb.PostResetOperation{
			Variant: &workflowpb.PostResetOperation_SignalWorkflow_{SignalWorkflow: &workflowpb.PostResetOperation_SignalWorkflow{SignalName: name}}})
	}
	w.carryOutReset(base, req)
}

func (w *world) carryOutReset(base *workflow.Run, req *workflowservice.ResetWorkflowExecutionRequest) {
	current := w.runs[w.current[base.Key.Name]]
	in := &workflow.ResetWorkflow{Request: req, Base: base, NewRunID: engine.DerivedUUID("reset", int64(w.steps))}
	if reply, err := workflow.CheckReset(current, base, req); err == nil && reply == nil {
		in.Read = w.read(base, in.NewRunID, req.WorkflowTaskFinishEventId)
	}
	// The shell copies what is shared before anybody can know of the new run.
	key := engine.RunKey{ID: base.Key.ID, RunID: in.NewRunID}
	for _, batch := range w.batches[base.Key] {
		shared := slices.DeleteFunc(slices.Clone(batch), func(ev *historypb.HistoryEvent) bool { return ev.EventId >= req.WorkflowTaskFinishEventId })
		if len(shared) > 0 {
			w.batches[key] = append(w.batches[key], shared)
			w.history[key] = append(w.history[key], shared...)
		}
	}
	w.base = base
	reply, _ := w.take(current, func(env *engine.Env, run *workflow.Run) (*workflow.Result, error) {
		return workflow.StepID(env, base.Key.ID, run, in)
	})
	if w.runs[key] == nil {
		delete(w.batches, key)
		delete(w.history, key)
	}
	if r, ok := reply.(*workflowservice.ResetWorkflowExecutionResponse); ok {
		w.printf("reply: run=%s\n", w.names[r.GetRunId()])
	}
}

// read is what a shell reads for a reset.
func (w *world) read(base *workflow.Run, newRunID string, finishID int64) *workflow.ResetHistory {
	h := workflow.NewResetHistory(&engine.Env{Namespace: w.ns, Limits: w.limits},
		engine.RunKey{ID: base.Key.ID, RunID: newRunID}, base.Key.RunID, finishID)
	for runID := base.Key.RunID; runID != ""; runID = h.Continued() {
		for _, batch := range w.batches[engine.RunKey{ID: base.Key.ID, RunID: runID}] {
			if err := h.Batch(batch); err != nil {
				w.t.Fatalf("%v", err)
			}
		}
	}
	h.Done()
	return h
}

// eventOf fills in the event of a message that was sent by a reset.
func (w *world) eventOf(m *engine.Message) {
	if m.NeedsEvent() && m.Event == nil {
		m.Event = w.history[m.From][m.EventID-1]
	}
}

// drawReset picks a reset of a run of the id, mostly one that is possible.
func drawReset(t *rapid.T, w *world, id string) string {
	names := []string{id}
	for key := range w.runs {
		if key.Name == id {
			names = append(names, id+"/"+w.names[key.RunID])
		}
	}
	sortedNames := append([]string{id}, sortedStrings(names[1:])...)
	name := rapid.SampledFrom(sortedNames).Draw(t, "base")
	run := w.find(name)
	if run == nil {
		return ""
	}
	at := rapid.Int64Range(1, run.Info.NextEventID+1).Draw(t, "cut")
	if points := resetPoints(w.history[run.Key]); len(points) > 0 && rapid.IntRange(0, 9).Draw(t, "possible") > 0 {
		at = rapid.SampledFrom(points).Draw(t, "point")
	}
	return fmt.Sprintf("reset %s at=%d request=reset-%d", name, at, rapid.IntRange(1, 3).Draw(t, "request")) +
		rapid.SampledFrom([]string{"", "", "", " exclude=SIGNAL", " exclude=UPDATE", " type=NONE", " then-signal=s"}).Draw(t, "how")
}

func sortedStrings(s []string) []string {
	set := map[string]bool{}
	for _, v := range s {
		set[v] = true
	}
	return sortedKeys(set)
}

// resetPoints are the ids at which a reset may cut.
func resetPoints(events []*historypb.HistoryEvent) (points []int64) {
	for _, ev := range events {
		switch ev.EventType {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
			enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
			points = append(points, ev.EventId)
		}
	}
	return points
}
