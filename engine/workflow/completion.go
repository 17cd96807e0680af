package workflow

import (
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/internal/invariant"
)

// completion is one RespondWorkflowTaskCompleted being carried out. A command
// that cannot be carried out returns an error and the draft is forgotten:
//
//   - *taskFailure: the workflow task fails (spec/workflow.md 3.9);
//   - *engine.Refusal: the call is refused and nothing at all changes
//     (unknown namespaces).
type completion struct {
	*draft
	in  *CompleteWorkflowTask
	req *workflowservice.RespondWorkflowTaskCompletedRequest
	// completedID is the id of the WorkflowTaskCompleted event.
	completedID int64
	// afterCommands run after all commands, before buffered events are flushed
	// (ActivityTaskCanceled of activities that had not started).
	afterCommands []func()
	// eager are the scheduled event ids of activities to hand back with the
	// reply, in command order. scheduleActivity does not offer them;
	// startEager, called at the end while the run is open, starts them.
	eager []int64
	// forceTask: a new workflow task is due although nothing was flushed.
	forceTask bool
	// carried are the protocol messages carried out so far.
	carried map[*protocolpb.Message]bool
}

// taskFailure is the error of a command that fails the workflow task and undoes
// all of its completion. With Terminate (a payload beyond the size limit) the
// run ends too.
type taskFailure struct {
	Cause     enumspb.WorkflowTaskFailedCause
	Message   string
	Terminate bool
}

// Error is the text of the answer: "BadStartTimerAttributes: TimerId is not set".
func (f *taskFailure) Error() string {
	if f.Message == "" {
		return f.Cause.String()
	}
	return f.Cause.String() + ": " + f.Message
}

// failTask makes the error of a bad command.
func failTask(cause enumspb.WorkflowTaskFailedCause, format string, args ...any) *taskFailure {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &taskFailure{Cause: cause, Message: format}
}

// oversize makes the error of a command whose payload exceeds the limit.
func oversize(cause enumspb.WorkflowTaskFailedCause, message string) *taskFailure {
	return &taskFailure{Cause: cause, Message: message, Terminate: true}
}

// completeWorkflowTask carries out RespondWorkflowTaskCompleted in the order of
// spec/workflow.md 3.7. What the checks before it refuse leaves the task as it
// was; a command that cannot be carried out fails the task.
func completeWorkflowTask(env *engine.Env, run *Run, in *CompleteWorkflowTask) (*Result, error) {
	d := newDraft(run.own(env), run)
	if err := d.checkToken(in.Token); err != nil {
		return nil, err
	}
	if err := d.checkCompletion(in.Request); err != nil {
		return nil, err
	}
	if d.heartbeatExpired(in.Request) {
		d.endTask(taskEnd{timeout: enumspb.TIMEOUT_TYPE_START_TO_CLOSE})
		return d.result(committed(engine.NotFound("workflow task heartbeat timeout"))), nil
	}
	c := &completion{draft: d, in: in, req: in.Request}
	reply, err := c.carryOut()
	if err == nil {
		return c.result(reply), nil
	}
	if f, ok := err.(*taskFailure); ok {
		return failCompletion(env, run, in, f)
	}
	return nil, err
}

// committed marks a refusal that is the answer of a step which changed the run.
func committed(r *engine.Refusal) *engine.Refusal {
	r.Commit = true
	return r
}

// failCompletion fails the workflow task for a command that cannot be carried
// out; nothing of the completion remains. A later attempt leaves no trace at
// all: the task stays started until it times out, which slows a bad worker down.
func failCompletion(env *engine.Env, run *Run, in *CompleteWorkflowTask, f *taskFailure) (*Result, error) {
	d := newDraft(run.own(env), run)
	answer := engine.Invalid("%s", f.Error())
	unhandled := f.Cause == enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
	if d.info.Task.Attempt > 1 && !unhandled && !f.Terminate {
		return nil, answer
	}
	end := taskEnd{
		cause:          f.Cause,
		failure:        serverFailure(f.Error()),
		identity:       in.Request.GetIdentity(),
		binaryChecksum: in.Request.GetBinaryChecksum(),
		workerVersion:  in.Request.GetWorkerVersionStamp(),
	}
	if f.Terminate {
		d.terminateRun(termination{reason: f.Error(), identity: systemIdentity, task: end})
	} else {
		d.failSent()
		d.endTask(end)
		d.info.Closing = unhandled
	}
	return d.result(committed(answer)), nil
}

func serverFailure(message string) *failurepb.Failure {
	return &failurepb.Failure{
		Message:     message,
		FailureInfo: &failurepb.Failure_ServerFailureInfo{ServerFailureInfo: &failurepb.ServerFailureInfo{}},
	}
}

// carryOut does what the completion asks and decides on the next task.
func (c *completion) carryOut() (*TaskCompleted, error) {
	beat := isHeartbeat(c.req)
	original := c.info.Task.OriginalScheduledTime
	if c.discards() {
		return c.discard()
	}
	completed := c.recordCompletion()
	if c.env.Namespace.BadBinaries[c.req.GetBinaryChecksum()] {
		return nil, failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_BINARY,
			"binary %s is marked as bad deployment", c.req.GetBinaryChecksum())
	}
	c.recordWorker(completed, c.base.Key.RunID)
	if err := c.commands(); err != nil {
		return nil, err
	}
	if !c.isOpen() {
		return &TaskCompleted{}, nil
	}
	if !beat {
		c.rejectUnanswered()
	}
	for _, after := range c.afterCommands {
		after()
	}
	flushed := c.flush()
	reply := &TaskCompleted{Activities: c.startEager()}
	if c.req.GetForceCreateNewWorkflowTask() || c.forceTask || flushed {
		c.wantTask()
	}
	c.nextTask(reply, beat, original)
	return reply, nil
}

// commands carries out the commands, and after them the messages that no command
// has named. Before a command that closes the run, though: nothing can follow it.
func (c *completion) commands() error {
	if err := c.checkCommandsFit(); err != nil {
		return err
	}
	for _, cmd := range c.req.GetCommands() {
		if closesRun(cmd.GetCommandType()) {
			if err := c.otherMessages(); err != nil {
				return err
			}
		}
		if err := c.command(cmd); err != nil {
			return err
		}
		c.splitBatch()
	}
	return c.otherMessages()
}

// maxBatchBytes is about where the events of a completion go on in another batch
// of history: batches are read and sent whole, and a completion may have tens of
// megabytes.
const maxBatchBytes = 1 << 20

// splitBatch ends the open batch when it has become large.
func (c *completion) splitBatch() {
	if c.openSize() > maxBatchBytes {
		c.cut()
	}
}

// recordCompletion ends the task in history and state. A virtual task becomes
// real now, with the times it had.
func (c *completion) recordCompletion() *historypb.HistoryEvent {
	t := c.info.Task
	if t.Type != TaskNormal {
		scheduledID := c.append(scheduledEvent(c.fixed(), t, c.at(t.ScheduledTime)))
		startedID := c.append(startedEvent(t, c.at(t.StartedTime)))
		invariant.Check(scheduledID == t.ScheduledEventID && startedID == t.StartedEventID,
			"run %s: virtual task has ids %d and %d, history is at %d", c.base.Key.RunID,
			t.ScheduledEventID, t.StartedEventID, scheduledID)
		c.cut()
	}
	ev := c.taskCompletedEvent(t)
	c.completedID = c.append(ev)

	c.info.FirstTaskDone = true // an update may have brought the task before its time
	c.info.Task = nil
	c.info.NextAttempt = 1
	c.info.LastCompletedStartedID = t.StartedEventID
	c.info.Closing = false
	c.info.Sticky = stickyOf(c.req.GetStickyAttributes())
	c.clearProblems()
	return ev
}

// completedTask is the event with its parts; see startedRun.
type completedTask struct {
	event      historypb.HistoryEvent
	variant    historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes
	attributes historypb.WorkflowTaskCompletedEventAttributes
}

func (c *completion) taskCompletedEvent(t *Task) *historypb.HistoryEvent {
	x := &completedTask{
		event: historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, EventTime: c.at(c.env.Now)},
		attributes: historypb.WorkflowTaskCompletedEventAttributes{
			ScheduledEventId:     t.ScheduledEventID,
			StartedEventId:       t.StartedEventID,
			Identity:             c.req.GetIdentity(),
			BinaryChecksum:       c.req.GetBinaryChecksum(),
			WorkerVersion:        c.req.GetWorkerVersionStamp(),
			SdkMetadata:          c.req.GetSdkMetadata(),
			MeteringMetadata:     c.req.GetMeteringMetadata(),
			VersioningBehavior:   c.req.GetVersioningBehavior(),
			WorkerDeploymentName: c.req.GetDeploymentOptions().GetDeploymentName(),
			DeploymentVersion:    deploymentVersion(c.req),
		},
	}
	x.variant.WorkflowTaskCompletedEventAttributes, x.event.Attributes = &x.attributes, &x.variant
	return &x.event
}

func stickyOf(a *taskqueuepb.StickyExecutionAttributes) *Sticky {
	name := a.GetWorkerTaskQueue().GetName()
	if name == "" {
		return nil
	}
	return &Sticky{TaskQueue: name, ScheduleToStart: duration.Of(a.GetScheduleToStartTimeout())}
}

// nextTask schedules the next workflow task, if one is due, and hands it to the
// worker with the reply if it asked for that. The time at which a row of
// heartbeats began is carried along.
func (c *completion) nextTask(reply *TaskCompleted, beat bool, original time.Time) {
	if !c.taskWanted && !c.unsent() || !c.mayHaveTask() {
		return
	}
	var t *Task
	if c.taskWanted || !c.req.GetReturnNewWorkflowTask() {
		t = c.scheduleTask()
	} else {
		t = c.scheduleSpeculative()
	}
	c.taskWanted = false
	if beat {
		t.OriginalScheduledTime = original
	}
	if !c.req.GetReturnNewWorkflowTask() {
		c.offerTask(t)
		return
	}
	t.Inline = true
	poller := c.in.Poller
	poller.Identity = c.req.GetIdentity()
	poller.RequestID = inlineRequestID
	c.beginTask(poller)
	reply.Task = c.taskReply(true)
}

// inlineRequestID stands in the started event of a task handed back inline.
const inlineRequestID = "request-from-RespondWorkflowTaskCompleted"
