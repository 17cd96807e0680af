package workflow

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	updatepb "go.temporal.io/api/update/v1"
)

// A speculative workflow task brings an update to a worker when none is pending
// (spec/workflow.md 6.4). If the worker only rejects, the task leaves no trace,
// and its event ids are used again. It is in memory only, and its offer has no
// row: a restart forgets it together with the update.

// mayDeliver reports whether updates may be brought to a worker now. Unlike
// events they do not wait for the end of a back-off.
func (d *draft) mayDeliver() bool {
	return d.isOpen() && !d.paused() && !d.info.AwaitsParent
}

// scheduleSpeculative creates the pending workflow task for updates alone.
func (d *draft) scheduleSpeculative() *Task {
	t := &Task{
		Type:                  TaskSpeculative,
		ScheduledEventID:      d.info.NextEventID,
		Attempt:               1,
		ScheduledTime:         d.env.Now,
		OriginalScheduledTime: d.env.Now,
		Timeout:               d.fixed().TaskTimeout,
	}
	if s := d.info.Sticky; s != nil {
		t.StickyQueue = s.TaskQueue
	}
	d.info.Task = t
	return t
}

// materialise puts the events of a speculative task, if that is pending, into
// history.
func (d *draft) materialise() {
	if t := d.info.Task; t == nil || t.Type != TaskSpeculative {
		return
	}
	t := d.editTask()
	t.Type = TaskNormal
	d.append(scheduledEvent(d.fixed(), t, d.at(t.ScheduledTime)))
	if t.StartedEventID != 0 {
		d.append(startedEvent(t, d.at(t.StartedTime)))
		d.cut()
	}
	d.info.FirstTaskDone = true
}

// realise makes a normal task of a speculative one, if that is pending: one that
// is not started is offered anew, so that the backlog has it.
func (d *draft) realise() {
	t := d.info.Task
	if t == nil || t.Type != TaskSpeculative {
		return
	}
	d.withdrawTask()
	d.materialise()
	if t = d.info.Task; t.StartedEventID == 0 {
		t.ScheduleToStartDeadline = time.Time{}
		d.offerTask(t)
	}
}

// maxForeignEvents is how many events since its last task a worker that can
// rewind over them may have seen with a speculative task that is discarded.
const maxForeignEvents = 10

// discards reports whether the completion leaves no trace: it ends a speculative
// task by nothing but rejections, and the worker can go back to where its last
// task began.
func (c *completion) discards() bool {
	last := c.info.LastCompletedStartedID
	if c.info.Task.Type != TaskSpeculative || last == 0 || c.req.GetForceCreateNewWorkflowTask() ||
		len(c.req.GetCommands()) > 0 || c.env.Namespace.BadBinaries[c.req.GetBinaryChecksum()] {
		return false
	}
	for _, m := range c.req.GetMessages() {
		if !m.GetBody().MessageIs((*updatepb.Rejection)(nil)) {
			return false
		}
	}
	foreign := c.info.NextEventID - (last + 2) // after WorkflowTaskStarted and Completed
	return foreign == 0 || c.in.Poller.DiscardSpeculative && foreign <= maxForeignEvents
}

// discard ends a speculative task without a trace.
func (c *completion) discard() (*TaskCompleted, error) {
	original := c.info.Task.OriginalScheduledTime
	if err := c.otherMessages(); err != nil {
		return nil, err
	}
	c.rejectUnanswered()
	c.info.Task = nil
	c.info.NextAttempt = 1
	c.info.Closing = false
	c.info.Sticky = stickyOf(c.req.GetStickyAttributes())
	reply := &TaskCompleted{ResetHistoryEventID: c.info.LastCompletedStartedID}
	c.nextTask(reply, false, original)
	return reply, nil
}

// updateFailedCause is why a workflow task fails whose messages are wrong.
const updateFailedCause = enumspb.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE
