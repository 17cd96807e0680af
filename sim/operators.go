package main

import (
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine/workflow"
)

// operate is what an operator does to a workflow: it pauses it, lets it go on, or
// changes its priority.
func (w *world) operate(id string) {
	switch w.chance.IntN(6) {
	case 0, 1:
		w.insist(id, "pause", &workflow.PauseWorkflow{Request: &workflowservice.PauseWorkflowExecutionRequest{
			Namespace: namespaceName, WorkflowId: id, Identity: "operator", Reason: "as the dice fell", RequestId: w.unique("request"),
		}})
	case 2, 3:
		w.insist(id, "unpause", unpause(id, "", w.unique("request")))
	default:
		w.insist(id, "options", &workflow.UpdateOptions{Paths: w.drawWorkflowPaths(), Options: w.drawWorkflowOptions(), Identity: "operator"})
	}
}

func unpause(id, runID, requestID string) *workflow.UnpauseWorkflow {
	return &workflow.UnpauseWorkflow{Request: &workflowservice.UnpauseWorkflowExecutionRequest{
		Namespace: namespaceName, WorkflowId: id, RunId: runID, Identity: "operator", RequestId: requestID,
	}}
}

// workflowPaths are what may be changed of a workflow's options.
var workflowPaths = []string{
	workflow.PathPriorityKey, workflow.PathPriority, workflow.PathFairnessKey, workflow.PathFairnessWeight,
	workflow.PathVersioningOverride, workflow.PathTimeSkipping,
}

func (w *world) drawWorkflowPaths() (paths []string) {
	for range 1 + w.chance.IntN(2) {
		paths = append(paths, workflowPaths[w.chance.IntN(len(workflowPaths))])
	}
	return paths
}

// drawWorkflowOptions are new options of a workflow; what they do not have is taken
// away if it is named.
func (w *world) drawWorkflowOptions() *workflowpb.WorkflowExecutionOptions {
	o := &workflowpb.WorkflowExecutionOptions{
		Priority: &commonpb.Priority{PriorityKey: int32(w.chance.IntN(6)), FairnessKey: "f2", FairnessWeight: 3},
	}
	if w.oneIn(2) {
		o.VersioningOverride, o.TimeSkippingConfig = autoUpgrade(), w.drawSkipping()
	}
	return o
}

// unpauseAll lets every paused run go on: once all has healed nothing else would.
func (w *world) unpauseAll() {
	for _, l := range w.disk.order {
		if l.state != nil && l.state.Info.Status == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
			w.submit(l.key.ID, l.key.RunID, unpause(l.key.Name, l.key.RunID, w.unique("request")), func(any, error) {})
		}
		if l.state != nil && l.state.Open() {
			w.unpauseActivities(l)
		}
	}
}

// addPause: no workflow task is scheduled or started between a pause and its end.
func (e *course) addPause(ev *historypb.HistoryEvent) string {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED:
		if e.paused {
			return "paused twice"
		}
		e.paused = true
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED:
		if !e.paused {
			return "unpaused without a pause"
		}
		e.paused = false
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
		if e.paused {
			return "a paused run gets a workflow task"
		}
	}
	return ""
}

// checkPaused: nothing of a paused run is on offer, and no attempt of an activity
// has started since the pause.
func (o *observer) checkPaused(l *life) {
	p := l.state.Info.Pause
	o.checkPausedActivities(l)
	if p == nil {
		return
	}
	if offers := l.state.Offers(); len(offers) > 0 {
		o.broken("%s is paused and offers %d tasks:\n%s", short(l.key), len(offers), l.tell())
	}
	for id, a := range l.state.Activities {
		if a.StartedTime.After(p.Time) {
			o.broken("activity %d of %s was started during a pause:\n%s", id, short(l.key), l.tell())
		}
	}
}
