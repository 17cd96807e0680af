package workflow

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/searchattr"
)

// taskEnd says how a workflow task ended without completing.
type taskEnd struct {
	// timeout, if set, is the type of the timeout; else it failed with cause.
	timeout        enumspb.TimeoutType
	cause          enumspb.WorkflowTaskFailedCause
	failure        *failurepb.Failure
	identity       string
	binaryChecksum string
	workerVersion  *commonpb.WorkerVersionStamp
}

// reportedProblemsAfter is how many failures in a row make the run show up
// under TemporalReportedProblems.
const reportedProblemsAfter = 5

// endTask ends the pending task without completing it. The next one follows at
// the end of the step: a later, transient attempt; or, if the run was sticky or
// events were waiting, a first attempt again, on the normal queue.
func (d *draft) endTask(end taskEnd) {
	t := d.info.Task
	next := t.Attempt + 1
	if d.info.Sticky != nil || t.StickyQueue != "" || t.Type == TaskSpeculative {
		next = 1
	}
	d.withdrawTask()
	d.materialise()
	t = d.info.Task
	d.unsend(0)
	if t.Type == TaskNormal {
		d.append(endedEvent(d, t, end))
	}
	d.info.Task = nil
	d.info.Sticky = nil
	d.info.Closing = false
	if d.flush() {
		next = 1
	}
	d.info.NextAttempt = next
	d.countFailure(end)
	d.wantTask()
}

// endedEvent is WorkflowTaskTimedOut or WorkflowTaskFailed of t.
func endedEvent(d *draft, t *Task, end taskEnd) *historypb.HistoryEvent {
	if end.timeout != enumspb.TIMEOUT_TYPE_UNSPECIFIED {
		ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT)
		ev.Attributes = &historypb.HistoryEvent_WorkflowTaskTimedOutEventAttributes{
			WorkflowTaskTimedOutEventAttributes: &historypb.WorkflowTaskTimedOutEventAttributes{
				ScheduledEventId: t.ScheduledEventID,
				StartedEventId:   t.StartedEventID,
				TimeoutType:      end.timeout,
			}}
		return ev
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED)
	ev.Attributes = &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{
		WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
			ScheduledEventId: t.ScheduledEventID,
			StartedEventId:   t.StartedEventID,
			Cause:            end.cause,
			Failure:          end.failure,
			Identity:         end.identity,
			BinaryChecksum:   end.binaryChecksum,
			WorkerVersion:    end.workerVersion,
		}}
	return ev
}

// countFailure counts failures in a row and reports a run that is stuck. What
// the server does for its own reasons, and a sticky worker that is gone, are
// not failures.
func (d *draft) countFailure(end taskEnd) {
	if end.timeout == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START ||
		end.cause == enumspb.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND && end.failure == nil {
		return
	}
	d.info.TaskFailures++
	d.info.LastTaskFailure = boundedFailure(end.failure, d.env.Limits.LastFailureBytes)
	if d.info.TaskFailures < reportedProblemsAfter {
		return
	}
	category, cause := "WorkflowTaskFailed", "WorkflowTaskFailedCause"+end.cause.String()
	if end.timeout != enumspb.TIMEOUT_TYPE_UNSPECIFIED {
		category, cause = "WorkflowTaskTimedOut", "WorkflowTaskTimedOutCause"+end.timeout.String()
	}
	d.setSystemAttribute(searchattr.ReportedProblems, []string{"category=" + category, "cause=" + cause})
}

// clearProblems takes note that a workflow task completed.
func (d *draft) clearProblems() {
	d.info.TaskFailures = 0
	d.info.LastTaskFailure = nil
	if d.searchAttributes().GetIndexedFields()[searchattr.ReportedProblems] != nil {
		d.setSystemAttribute(searchattr.ReportedProblems, nil)
	}
}

// failWorkflowTask carries out RespondWorkflowTaskFailed.
func (d *draft) failWorkflowTask(in *FailWorkflowTask) (any, error) {
	if !d.isOpen() {
		return nil, closedRun()
	}
	if err := d.checkToken(in.Token); err != nil {
		return nil, err
	}
	req := in.Request
	reply := &workflowservice.RespondWorkflowTaskFailedResponse{}
	if req.GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE {
		d.terminateRun(termination{reason: req.GetCause().String(), identity: systemIdentity, task: taskEnd{
			cause: req.GetCause(), failure: boundedFailure(req.GetFailure(), d.env.Limits.BlobBytes), identity: req.GetIdentity()}})
		return reply, nil
	}
	d.endTask(taskEnd{
		cause:          req.GetCause(),
		failure:        boundedFailure(req.GetFailure(), d.env.Limits.BlobBytes),
		identity:       req.GetIdentity(),
		binaryChecksum: req.GetBinaryChecksum(),
		workerVersion:  req.GetWorkerVersion(),
	})
	return reply, nil
}

// taskDue carries out the timeouts of the workflow task.
func (d *draft) taskDue() bool {
	t := d.info.Task
	at := t.deadline()
	if at.IsZero() || at.After(d.env.Now) {
		return false
	}
	switch {
	case t.Reoffered:
		// Its start is in history, so that it cannot time out unstarted: it
		// goes to the normal queue.
		d.withdrawTask()
		d.info.Sticky = nil
		t = d.editTask()
		t.StickyQueue, t.ScheduleToStartDeadline = "", time.Time{}
		d.offerTask(t)
	case t.onOffer():
		d.endTask(taskEnd{timeout: enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START})
	default:
		d.endTask(taskEnd{timeout: enumspb.TIMEOUT_TYPE_START_TO_CLOSE})
	}
	return true
}

// firstWorkflowTask: the parent has recorded the start of this child, which may
// run now, or when its back-off is over.
func (d *draft) firstWorkflowTask(in *FirstWorkflowTask) (any, error) {
	if !d.isOpen() || !d.info.AwaitsParent || d.checkChain(in.From.ToFirstRunID) != nil {
		d.untouched = true
		return nil, nil
	}
	d.info.AwaitsParent = false
	if !d.info.FirstTaskDone && !d.fixed().ExecutionTime().After(d.env.Now) {
		d.info.FirstTaskDone = true
	}
	if d.info.FirstTaskDone {
		d.wantTask()
	}
	return nil, nil
}

// closedRun is the answer to what only an open run can take.
func closedRun() *engine.Refusal { return engine.NotFound("workflow execution already completed") }
