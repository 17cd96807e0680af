package main

import (
	"bytes"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/engine/workflow/workflowtest"
	"github.com/perdure/perdure/record"
)

// reset resets a workflow, from any of its runs, to any workflow task, or tries to
// where that cannot be.
func (w *world) reset(id string) {
	var runs []*life
	for _, l := range w.disk.order {
		if l.key.ID == idOf(id) && !l.gone && len(l.events) > 1 {
			runs = append(runs, l)
		}
	}
	if len(runs) == 0 {
		return
	}
	base := runs[w.chance.IntN(len(runs))]
	at := 1 + w.chance.Int64N(int64(len(base.events)))
	if points := resetPoints(base.events); len(points) > 0 && !w.oneIn(10) {
		at = points[w.chance.IntN(len(points))]
	}
	request := &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:                 namespaceName,
		WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: id, RunId: base.key.RunID},
		Reason:                    "as the dice fell",
		WorkflowTaskFinishEventId: at,
		RequestId:                 w.unique("reset"),
	}
	if w.oneIn(3) {
		request.ResetReapplyExcludeTypes = []enumspb.ResetReapplyExcludeType{enumspb.ResetReapplyExcludeType(1 + w.chance.IntN(2))}
	}
	if w.oneIn(5) {
		request.ResetReapplyType = enumspb.ResetReapplyType(w.chance.IntN(4)) //nolint:staticcheck // older clients say so
	}
	if w.oneIn(4) {
		request.PostResetOperations = w.drawPostReset()
	}
	w.insistOnReset(base.key, &workflow.ResetWorkflow{Request: request})
}

func (w *world) insistOnReset(base engine.RunKey, in *workflow.ResetWorkflow) {
	w.submit(base.ID, base.RunID, in, func(_ any, err error) {
		if unclear(err) && !w.healed {
			w.after(w.between(10*time.Millisecond, 500*time.Millisecond), func() { w.insistOnReset(base, in) })
			return
		}
		w.say("client: reset %s to %d: %s", short(base), in.Request.WorkflowTaskFinishEventId, outcomeOf(err))
	})
}

// drawPostReset is what is to follow a reset.
func (w *world) drawPostReset() []*workflowpb.PostResetOperation {
	name := w.unique("signal")
	return []*workflowpb.PostResetOperation{
		{Variant: &workflowpb.PostResetOperation_SignalWorkflow_{SignalWorkflow: &workflowpb.PostResetOperation_SignalWorkflow{
			SignalName: name, Input: payloads(name), Header: header("client"), Links: w.drawLinks()}}},
		{Variant: &workflowpb.PostResetOperation_UpdateWorkflowOptions_{UpdateWorkflowOptions: &workflowpb.PostResetOperation_UpdateWorkflowOptions{
			WorkflowExecutionOptions: w.drawWorkflowOptions(), UpdateMask: &fieldmaskpb.FieldMask{Paths: w.drawWorkflowPaths()}}}},
	}
}

// resetPoints are the ids of events at which a reset may cut.
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

// wasReset: the run that was acknowledged is there, and its base knows of it or
// of a later one.
func (a *auditor) wasReset(id engine.ID, in *workflow.ResetWorkflow, reply *workflowservice.ResetWorkflowExecutionResponse) {
	made := engine.RunKey{ID: id, RunID: reply.RunId}
	a.promise(made, func(l *life) bool { return l.resetBy != nil }, "%s to %s", in.Request.RequestId, short(made))
	base := engine.RunKey{ID: id, RunID: in.Request.WorkflowExecution.RunId}
	a.promise(base, func(l *life) bool { return l.state == nil || l.state.Info.ResetRunID != "" }, "%s of %s", in.Request.RequestId, short(base))
}

// copied reports whether the row is another run's, too: then what it tells
// happened to that one.
func (o *observer) copied(l *life, first int64, value []byte) bool {
	for _, other := range o.order {
		if other != l && other.key.ID == l.key.ID && (bytes.Equal(other.rows[first], value) || o.cutFrom(other.rows[first], value)) {
			return true
		}
	}
	return false
}

// cutFrom reports whether a row is another one without its last event, which is that
// of a workflow task's start: a reset may begin there.
func (o *observer) cutFrom(whole, part []byte) bool {
	if len(whole) <= len(part) {
		return false
	}
	a, err := record.OpenHistory(whole)
	o.must(err)
	b, err := record.OpenHistory(part)
	o.must(err)
	return a.Last == b.Last+1 && bytes.Equal(a.Range(a.First, b.Last), b.Bytes) &&
		o.decoded(whole).events[a.Last-a.First].EventType == enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED
}

// checkReset: a run that was made by a reset shares its beginning with its base,
// as it is stored (I2), and what ended for it is over (I3 sees to the rest).
func (o *observer) checkReset(l *life) {
	from := l.state.Start.Reset
	if from == nil || l.shared {
		return
	}
	l.shared = true
	base := o.lives[engine.RunKey{ID: l.key.ID, RunID: from.BaseRunID}]
	if base == nil {
		return // it was not looked at before it was deleted
	}
	for first, value := range l.rows {
		// What a reset adds when no task was started is the run's own.
		if started := l.events[first-1].GetWorkflowTaskStartedEventAttributes(); first >= from.EventID ||
			first == from.EventID-1 && started.GetIdentity() == "history-service" {
			continue
		}
		if !bytes.Equal(base.rows[first], value) && !o.cutFrom(base.rows[first], value) {
			o.broken("I2: %s shares its history up to event %d with %s, and differs at %d:\n%s\n%s",
				short(l.key), from.EventID, short(base.key), first, l.tell(), base.tell())
		}
	}
	if base.state != nil && base.state.Open() {
		o.broken("I3: %s was reset to %s and is open:\n%s", short(base.key), short(l.key), base.tell())
	}
}

// checkReplay: the history tells of the state that was lived.
func (o *observer) checkReplay(l *life) {
	if l.replayed == len(l.events) {
		return
	}
	l.replayed = len(l.events)
	r := workflow.NewReplay(&engine.Env{Limits: o.limits, Namespace: namespaces{o.retention}.ByID(namespaceID)}, l.key)
	for _, first := range sortedNumbers(l.rows) {
		next := first + 1
		for next <= int64(len(l.events)) && l.rows[next] == nil {
			next++
		}
		o.must(r.Batch(l.events[first-1 : next-1]))
	}
	var buffered []*historypb.HistoryEvent
	for _, n := range sortedNumbers(l.state.Buffered) {
		buffered = append(buffered, l.state.Buffered[n])
	}
	o.must(r.Buffered(buffered))
	if diff := workflowtest.Differences(r.Run(), l.state); len(diff) > 0 {
		o.broken("I2: the history of %s tells of another state than its own:\n%s\n%s", short(l.key), strings.Join(diff, "\n"), l.tell())
	}
}
