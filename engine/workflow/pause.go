package workflow

import (
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
)

// A paused run is open, and nothing of it goes to a worker any more: no workflow
// task, no attempt of an activity (spec/workflow.md 8.1, UT-9). What a worker has
// already goes on, and everything that happens to the run is recorded as ever,
// timeouts included; it only calls for no workflow task. The unpause schedules
// one in any case, so that there is no wake-up to lose. An update admitted before
// the pause waits for that; new ones are refused.

// Pause tells of a pause: when it began, who asked for it, and why.
type Pause struct {
	Time     time.Time
	Identity string
	Reason   string
}

// pausedBeforeStart is the end of a workflow task that no worker has.
var pausedBeforeStart = taskEnd{
	cause:    enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED,
	identity: systemIdentity,
}

// pauseWorkflow carries out PauseWorkflowExecution. The latest request that has
// taken effect may be repeated, whatever has become of the run since.
func (d *draft) pauseWorkflow(in *PauseWorkflow) (any, error) {
	req := in.Request
	reply := &workflowservice.PauseWorkflowExecutionResponse{}
	switch {
	case req.GetRequestId() != "" && req.GetRequestId() == d.info.PauseRequestID:
		d.untouched = true
		return reply, nil
	case !d.isOpen():
		return nil, closedRun()
	case d.paused():
		return nil, engine.Refuse(engine.KindFailedPrecondition, "workflow is already paused.")
	}
	if d.info.Task.onOffer() {
		d.withdrawTask()
		d.voidTask()
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED)
	ev.WorkerMayIgnore = true
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionPausedEventAttributes{
		WorkflowExecutionPausedEventAttributes: &historypb.WorkflowExecutionPausedEventAttributes{
			Identity: req.GetIdentity(), Reason: req.GetReason(), RequestId: req.GetRequestId(),
		}}
	d.arrive(ev)
	d.beginPause(ev)
	for _, id := range d.activities.keys() {
		s := d.activities.get(id)
		d.withdrawActivity(s)
		if recalled := s.Recall(); recalled != s {
			d.activities.put(id, recalled)
		}
	}
	return reply, nil
}

// beginPause is what WorkflowExecutionPaused does to the state, even while the
// event is buffered.
func (d *draft) beginPause(ev *historypb.HistoryEvent) {
	a := ev.GetWorkflowExecutionPausedEventAttributes()
	d.info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
	d.info.Pause = &Pause{Time: ev.GetEventTime().AsTime(), Identity: a.GetIdentity(), Reason: a.GetReason()}
	d.info.PauseRequestID = a.GetRequestId()
	d.visible = true
	d.setPauseInfo([]string{pausedWorkflow + d.base.Key.Name, pauseReason + a.GetReason()})
}

// voidTask ends the pending workflow task, which no worker has and whose offer
// is withdrawn, because the run is paused. One that was started and taken back
// has its start in history, and so its end. Of a virtual one nothing remains. The
// next is a first attempt again, since events stand between.
func (d *draft) voidTask() {
	if t := d.info.Task; t.Type == TaskNormal {
		d.append(endedEvent(d, t, pausedBeforeStart))
	}
	d.info.Task = nil
	d.info.Sticky = nil
	d.info.Closing = false
	d.info.NextAttempt = 1
	d.flush()
}

// unpauseWorkflow carries out UnpauseWorkflowExecution. What is overdue of the
// activities comes first, and then they are handed out that are due.
func (d *draft) unpauseWorkflow(in *UnpauseWorkflow) (any, error) {
	req := in.Request
	reply := &workflowservice.UnpauseWorkflowExecutionResponse{}
	switch {
	case req.GetRequestId() != "" && req.GetRequestId() == d.info.UnpauseRequestID:
		d.untouched = true
		return reply, nil
	case !d.isOpen():
		return nil, closedRun()
	case !d.paused():
		return nil, engine.Refuse(engine.KindFailedPrecondition, "workflow is not paused.")
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED)
	ev.WorkerMayIgnore = true
	ev.Attributes = &historypb.HistoryEvent_WorkflowExecutionUnpausedEventAttributes{
		WorkflowExecutionUnpausedEventAttributes: &historypb.WorkflowExecutionUnpausedEventAttributes{
			Identity: req.GetIdentity(), Reason: req.GetReason(), RequestId: req.GetRequestId(),
		}}
	d.arrive(ev)
	d.info.Status = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	d.endPause(ev)
	d.dueActivities(d.activities.keys())
	d.wantTask()
	return reply, nil
}

// endPause is what WorkflowExecutionUnpaused does to the state, but for the
// status.
func (d *draft) endPause(ev *historypb.HistoryEvent) {
	d.info.UnpauseRequestID = ev.GetWorkflowExecutionUnpausedEventAttributes().GetRequestId()
	d.forgetPause()
}

// forgetPause is the end of a pause, also by the close of the run: a closed run
// is not paused, and is not found as one.
func (d *draft) forgetPause() {
	if d.info.Pause == nil {
		return
	}
	d.info.Pause = nil
	d.visible = true
	d.setPauseInfo(nil)
}

// What the search attribute TemporalPauseInfo says of a paused workflow. Its
// other entries are about activities, see notePauses.
const (
	pausedWorkflow = "Workflow:"
	pauseReason    = "Reason:"
)

// setPauseInfo replaces the entries about the workflow.
func (d *draft) setPauseInfo(entries []string) {
	others := slices.DeleteFunc(slices.Clone(d.systemAttribute(searchattr.PauseInfo)), func(v string) bool {
		return strings.HasPrefix(v, pausedWorkflow) || strings.HasPrefix(v, pauseReason)
	})
	if entries = append(entries, others...); len(entries) == 0 {
		entries = nil
	}
	d.setSystemAttribute(searchattr.PauseInfo, entries)
}
