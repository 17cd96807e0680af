package workflow

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
)

// unborn is what a run begins with, before its first event. Never changed: drafts
// copy it.
var unborn = Info{
	Status:      enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	NextEventID: 1,
	NextAttempt: 1,
}

// firstRequest is what is kept of the request that has started a run. Never changed.
var firstRequest = Request{EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, EventID: 1}

// newborn begins a run: its fixed part and its first event, which are two views
// of the same facts. The caller goes on with the draft as with any other, and
// ends it with delivered.
func newborn(env *engine.Env, key engine.RunKey, s *Start, started *historypb.HistoryEvent) *draft {
	d := newDraft(env, &Run{Key: key, Start: s, Info: &unborn})
	d.start = s
	if s.StartTime.Equal(env.Now) {
		d.now = started.GetEventTime()
	}
	d.visible = true
	d.append(started)
	d.requests.put(s.RequestID, &firstRequest)
	a := started.GetWorkflowExecutionStartedEventAttributes()
	d.attachCallbacks(a.GetCompletionCallbacks(), "", started)
	d.info.VersioningOverride = a.GetVersioningOverride()
	d.info.Skipping = skippingAt(started)
	if len(a.Memo.GetFields()) > 0 {
		d.setMemo(a.Memo)
	}
	if len(a.SearchAttributes.GetIndexedFields()) > 0 {
		d.setSearchAttributes(a.SearchAttributes)
	}
	return d
}

// delivered ends the first step of a newborn run. started is kept in memory
// when another run may one day be made from it.
func (d *draft) delivered(started *historypb.HistoryEvent) *Newborn {
	c := d.finish()
	run := d.base // made for this draft, and known to nobody else
	run.Apply(c)
	if d.start.repeats() || d.start.Linked {
		run.Started = started
	}
	return &Newborn{Run: run, Change: c}
}

// firstTask schedules the first workflow task unless there is a back-off or a
// parent to wait for.
func (d *draft) firstTask() {
	if d.start.Backoff <= 0 && !d.info.AwaitsParent {
		d.info.FirstTaskDone = true
		d.wantTask()
	}
}

// repeats: a failure or the schedule may have the run do it all again.
func (s *Start) repeats() bool { return s.RetryPolicy != nil || s.CronSchedule != "" }

// setDeadlines computes the absolute deadlines of a run that begins at
// s.StartTime from its timeouts. The chain's deadline is set only for the first
// run (spec/workflow.md 1.6).
func (s *Start) setDeadlines() {
	if s.ExecutionDeadline.IsZero() && s.ExecutionTimeout > 0 {
		s.ExecutionDeadline = s.StartTime.Add(s.ExecutionTimeout).Round(time.Millisecond)
	}
	s.RunDeadline = s.ExecutionDeadline
	if s.RunTimeout > 0 {
		s.RunDeadline = earliest(s.ExecutionDeadline, s.ExecutionTime().Add(s.RunTimeout))
	}
}

// runTimeout is the effective run timeout: the execution's if none is asked
// for, and never longer than that.
func runTimeout(asked, execution time.Duration) time.Duration {
	if asked <= 0 {
		return execution
	}
	if execution > 0 {
		return min(asked, execution)
	}
	return asked
}

// workflowTaskTimeout is the effective workflow task timeout.
func workflowTaskTimeout(l *engine.Limits, asked, run time.Duration) time.Duration {
	if asked <= 0 {
		asked = l.WorkflowTaskTimeout
	}
	asked = min(asked, l.WorkflowTaskTimeoutMax)
	if run > 0 {
		asked = min(asked, run)
	}
	return asked
}

// timestamp of t; nil for zero.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// execution names a run on the wire.
func execution(k engine.RunKey) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: k.Name, RunId: k.RunID}
}
