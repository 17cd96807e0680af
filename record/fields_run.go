package record

import (
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/workflow"
)

// The field lists of a run's state. A field's number is part of the format: a new
// field takes the next free one, at the end; the number of a field that is gone
// is never used again. Numbers ascend.

func startFields(c *coder, s *workflow.Start) {
	c.str(1, &s.NamespaceName)
	c.str(2, &s.WorkflowType)
	c.str(3, &s.TaskQueue)
	c.str(4, &s.Identity)
	c.str(5, &s.RequestID)
	c.ownID(6, &s.FirstRunID)
	c.ownID(7, &s.OriginalRunID)
	c.str(8, &s.ContinuedRunID)
	c.int32(9, &s.Attempt)
	number(c, 10, &s.Initiator)
	c.str(11, &s.CronSchedule)
	message(c, 12, &s.RetryPolicy)
	c.time(13, &s.StartTime)
	c.dur(14, &s.Backoff)
	c.dur(15, &s.ExecutionTimeout)
	c.dur(16, &s.RunTimeout)
	c.dur(17, &s.TaskTimeout)
	c.time(18, &s.ExecutionDeadline)
	c.time(19, &s.RunDeadline)
	pointer(c, 20, &s.Parent, parentFields)
	message(c, 21, &s.Root)
	message(c, 22, &s.Priority)
	message(c, 23, &s.UserMetadata)
	c.time(24, &s.OriginalStartTime)
	c.bool(25, &s.Linked)
	pointer(c, 26, &s.Reset, resetOriginFields)
	c.time(27, &s.ResetTime)
}

// workflowBirth is the row that a run begins with: in it is the info of its first
// batch, too, which has no row of its own until it changes.
type workflowBirth struct {
	start *workflow.Start
	info  *workflow.Info // nil in rows of older releases, and when the start has changed since
}

// workflowBirthFields are those of the run with that id. Which run was the first
// of its chain, and whose seed the SDKs use: nearly always it is the run itself.
func workflowBirthFields(runID string) func(*coder, *workflowBirth) {
	return func(c *coder, b *workflowBirth) {
		if c.reading {
			b.start = new(workflow.Start)
		}
		c.own = runID
		startFields(c, b.start)
		pointer(c, 28, &b.info, infoFields)
	}
}

func resetOriginFields(c *coder, o *workflow.ResetOrigin) {
	c.str(1, &o.BaseRunID)
	c.int(2, &o.EventID)
}

func parentFields(c *coder, p *workflow.Parent) {
	value(c, 1, &p.Run, runKeyFields)
	c.str(2, &p.NamespaceName)
	c.int(3, &p.InitiatedEventID)
	c.str(4, &p.RequestID)
	c.strs(5, &p.Former)
}

func infoFields(c *coder, i *workflow.Info) {
	number(c, 1, &i.Status)
	c.int(2, &i.NextEventID)
	c.int(3, &i.LastBatchID)
	c.int(4, &i.HistorySizeBytes)
	c.int(5, &i.Transitions)
	c.int(6, &i.NextBufferedKey)
	c.int(7, &i.BufferedBytes)
	c.bool(8, &i.FirstTaskDone)
	pointer(c, 9, &i.Task, taskFields)
	c.int(10, &i.TaskStamp)
	c.int(11, &i.LastCompletedStartedID)
	c.int32(12, &i.TaskFailures)
	c.int32(13, &i.NextAttempt)
	c.bool(14, &i.Closing)
	pointer(c, 15, &i.Sticky, stickyFields)
	c.bool(16, &i.CancelRequested)
	c.str(17, &i.CancelRequestID)
	c.int(18, &i.SignalCount)
	c.time(19, &i.CloseTime)
	c.int(20, &i.CloseEventID)
	c.int(21, &i.CloseBatchID)
	c.str(22, &i.NewRunID)
	c.time(23, &i.DeleteAt)
	c.str(24, &i.LastWorkerIdentity)
	message(c, 25, &i.AutoResetPoints)
	message(c, 26, &i.VersioningInfo)
	message(c, 27, &i.LastTaskFailure)
	c.time(28, &i.Armed)
	c.bool(29, &i.AwaitsParent)
	c.int(30, &i.StateBytes)
	pointer(c, 31, &i.Pause, pauseFields)
	c.str(32, &i.PauseRequestID)
	c.str(33, &i.UnpauseRequestID)
	c.str(34, &i.ResetRunID)
	c.int(35, &i.ResetEventID)
	message(c, 36, &i.VersioningOverride)
	pointer(c, 37, &i.Skipping, skippingFields)
	c.bool(38, &i.Unversioned)
}

func skippingFields(c *coder, s *workflow.Skipping) {
	message(c, 1, &s.Config)
	c.dur(2, &s.Skipped)
	c.int32(3, &s.Count)
	c.time(4, &s.Target)
	c.bool(5, &s.Reached)
}

func pauseFields(c *coder, p *workflow.Pause) {
	c.time(1, &p.Time)
	c.str(2, &p.Identity)
	c.str(3, &p.Reason)
}

func stickyFields(c *coder, s *workflow.Sticky) {
	c.str(1, &s.TaskQueue)
	c.dur(2, &s.ScheduleToStart)
}

func taskFields(c *coder, t *workflow.Task) {
	number(c, 1, &t.Type)
	c.int(2, &t.ScheduledEventID)
	c.int(3, &t.StartedEventID)
	c.int32(4, &t.Attempt)
	c.int(5, &t.Stamp)
	c.time(6, &t.ScheduledTime)
	c.time(7, &t.OriginalScheduledTime)
	c.time(8, &t.StartedTime)
	c.dur(9, &t.Timeout)
	c.str(10, &t.StickyQueue)
	c.time(11, &t.ScheduleToStartDeadline)
	c.str(12, &t.RequestID)
	c.str(13, &t.Identity)
	c.bool(14, &t.SuggestContinueAsNew)
	list(c, 15, &t.SuggestReasons)
	c.int(16, &t.HistorySizeBytes)
	c.bool(17, &t.Inline)
	c.bool(18, &t.Reoffered)
}

func activityFields(c *coder, a *activity.State) {
	c.str(1, &a.ID)
	c.str(2, &a.Type)
	value(c, 3, &a.Options, activityOptionsFields)
	number(c, 4, &a.Status)
	c.int32(5, &a.Attempt)
	c.int(6, &a.Stamp)
	c.time(7, &a.ScheduledTime)
	c.time(8, &a.DueTime)
	c.bool(9, &a.Offered)
	c.time(10, &a.StartedTime)
	c.str(11, &a.RequestID)
	c.str(12, &a.Identity)
	c.str(13, &a.ControlTaskQueue)
	c.str(14, &a.DeploymentName)
	c.str(15, &a.DeploymentVersion)
	c.time(16, &a.LastHeartbeatTime)
	message(c, 17, &a.HeartbeatDetails)
	message(c, 18, &a.LastFailure)
	c.time(19, &a.LastAttemptComplete)
	c.dur(20, &a.RetryInterval)
	c.bool(21, &a.CancelRequested)
	c.int(22, &a.CancelRequestedEventID)
	c.bool(23, &a.Paused)
	c.bool(24, &a.Resetting)
	c.bool(25, &a.ResetHeartbeat)
	c.int(26, &a.ScheduledEventID)
	c.int(27, &a.BatchID)
	value(c, 28, &a.Pause, activityPauseFields)
	number(c, 29, &a.House)
	c.bool(30, &a.GivenDelay)
	pointer(c, 31, &a.ResetOptions, activityOptionsFields)
	c.str(32, &a.HeartbeatIdentity)
}

func activityPauseFields(c *coder, p *activity.Pause) {
	c.time(1, &p.Time)
	c.str(2, &p.Identity)
	c.str(3, &p.Reason)
	c.str(4, &p.RequestID)
}

func activityOptionsFields(c *coder, o *activity.Options) {
	c.str(1, &o.TaskQueue)
	c.dur(2, &o.ScheduleToClose)
	c.dur(3, &o.ScheduleToStart)
	c.dur(4, &o.StartToClose)
	c.dur(5, &o.Heartbeat)
	message(c, 6, &o.RetryPolicy)
	message(c, 7, &o.Priority)
	c.dur(8, &o.StartDelay)
}

func timerFields(c *coder, t *workflow.Timer) {
	c.str(1, &t.ID)
	c.int(2, &t.StartedEventID)
	c.time(3, &t.FireTime)
}

func childFields(c *coder, k *workflow.Child) {
	c.int(1, &k.InitiatedEventID)
	c.int(2, &k.BatchID)
	c.int(3, &k.StartedEventID)
	c.str(4, &k.NamespaceID)
	c.str(5, &k.NamespaceName)
	c.str(6, &k.WorkflowID)
	c.str(7, &k.RunID)
	c.str(8, &k.WorkflowType)
	number(c, 9, &k.ParentClosePolicy)
	c.str(10, &k.Control)
}

func externalFields(c *coder, e *workflow.External) {
	c.int(1, &e.InitiatedEventID)
	c.int(2, &e.BatchID)
	c.str(3, &e.NamespaceID)
	c.str(4, &e.NamespaceName)
	message(c, 5, &e.Target)
	c.str(6, &e.Control)
	c.str(7, &e.RequestID)
	c.bool(8, &e.ChildWorkflowOnly)
}

func requestFields(c *coder, r *workflow.Request) {
	number(c, 1, &r.EventType)
	c.int(2, &r.EventID)
	c.bool(3, &r.Buffered)
}

func updateFields(c *coder, u *workflow.Update) {
	c.int(1, &u.AcceptedEventID)
	c.int(2, &u.AcceptedBatchID)
	c.int(3, &u.CompletedEventID)
	c.int(4, &u.CompletedBatchID)
	c.int(5, &u.RequestBytes)
	c.int(6, &u.AdmittedEventID)
}

func idFields(c *coder, id *engine.ID) {
	c.str(1, &id.NamespaceID)
	number(c, 2, &id.Archetype)
	c.str(3, &id.Name)
}

func runKeyFields(c *coder, k *engine.RunKey) {
	value(c, 1, &k.ID, idFields)
	c.str(2, &k.RunID)
}
