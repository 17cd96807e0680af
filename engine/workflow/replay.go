package workflow

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
)

// Replay builds the state of a run from its history alone, batch by batch, so
// that a long history need not be in memory. It is a second way to the same
// state: a step makes events and changes the state beside them, a replay reads
// the events. Tests compare the two after every step; reset lives by it. What
// the events do not tell is listed in Unrecorded.
//
// It keeps what is open, never what is over: its size is that of the run's state.
type Replay struct {
	draft *draft
	// origin is the run whose steps have written the events being read: they
	// are copied by a reset, and the requests to other executions that follow
	// from them keep their ids.
	origin string
}

// NewReplay begins with an empty history. Of env only the namespace and the
// limits are used.
func NewReplay(env *engine.Env, key engine.RunKey) *Replay {
	d := newDraft(&engine.Env{Namespace: env.Namespace, Limits: env.Limits}, &Run{Key: key, Info: &unborn})
	return &Replay{draft: d}
}

// Batch reads the next batch. Events that do not follow those before, or speak
// of what is not there, are a Refusal of KindDataLoss.
func (r *Replay) Batch(events []*historypb.HistoryEvent) error {
	d := r.draft
	for _, ev := range events {
		if ev.GetEventId() != d.info.NextEventID {
			return badHistory(ev, "does not follow event %d", d.info.NextEventID-1)
		}
		if (ev.GetEventId() == 1) != (ev.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED) {
			return badHistory(ev, "cannot have that id")
		}
		d.info.NextEventID++
		d.open = append(d.open, ev) // the batch it is in; see draft.batchID
		if err := r.event(ev); err != nil {
			return err
		}
	}
	d.cut()
	d.change.Batches = nil
	return nil
}

// Buffered takes events into account that wait for an id, in the order of their
// arrival: their effects on the state are there already. No batch follows.
func (r *Replay) Buffered(events []*historypb.HistoryEvent) error {
	for _, ev := range events {
		if err := r.event(ev); err != nil {
			return err
		}
	}
	return nil
}

// Run is the state after what has been read. The replay is over then.
func (r *Replay) Run() *Run {
	d := r.draft
	run := &Run{Key: d.base.Key}
	run.Apply(&Change{
		Start: d.start, Info: d.info,
		Memo: d.memo(), MemoChanged: true,
		SearchAttributes: d.searchAttributes(), SearchAttributesChanged: true,
		Activities: d.activities.changed, Timers: d.timers.changed, Children: d.children.changed,
		Signals: d.signals.changed, Cancels: d.cancels.changed, Requests: d.requests.changed,
		Updates: d.updates.changed, Callbacks: d.callbacks.changed,
	})
	run.Info.StateBytes = run.stateBytes()
	return run
}

func badHistory(ev *historypb.HistoryEvent, format string, args ...any) *engine.Refusal {
	return engine.Refuse(engine.KindDataLoss, "event %d %s "+format,
		append([]any{ev.GetEventId(), ev.GetEventType()}, args...)...)
}

// event does to the state what the event tells of. It has an entry for every
// event this server writes.
func (r *Replay) event(ev *historypb.HistoryEvent) error {
	apply, known := replays[ev.GetEventType()]
	if !known {
		return badHistory(ev, "is of a later release")
	}
	return apply(r, ev)
}

// replays are the effects of the events.
var replays = map[enumspb.EventType]func(*Replay, *historypb.HistoryEvent) error{
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: (*Replay).started,

	enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: (*Replay).taskScheduled,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:   (*Replay).taskStarted,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: (*Replay).taskCompleted,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:    (*Replay).taskFailed,
	enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: (*Replay).taskTimedOut,

	enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:        (*Replay).activityScheduled,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:          (*Replay).activityStarted,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: (*Replay).activityCancelRequested,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:        (*Replay).activityClosed,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:           (*Replay).activityClosed,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:        (*Replay).activityClosed,
	enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:         (*Replay).activityClosed,

	enumspb.EVENT_TYPE_TIMER_STARTED:  (*Replay).timerStarted,
	enumspb.EVENT_TYPE_TIMER_FIRED:    (*Replay).timerEnded,
	enumspb.EVENT_TYPE_TIMER_CANCELED: (*Replay).timerEnded,

	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: (*Replay).childInitiated,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:         (*Replay).childStarted,
	enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:    (*Replay).childEnded,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:       (*Replay).childEnded,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:          (*Replay).childEnded,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:        (*Replay).childEnded,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:       (*Replay).childEnded,
	enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:      (*Replay).childEnded,

	enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:         (*Replay).signalInitiated,
	enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:            (*Replay).signalAnswered,
	enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED:                 (*Replay).signalAnswered,
	enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: (*Replay).cancelInitiated,
	enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:    (*Replay).cancelAnswered,
	enumspb.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED:         (*Replay).cancelAnswered,

	enumspb.EVENT_TYPE_MARKER_RECORDED:                    (*Replay).nothing,
	enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:  (*Replay).attributesUpserted,
	enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED:       (*Replay).propertiesModified,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:        (*Replay).signaled,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: (*Replay).optionsUpdated,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: func(r *Replay, _ *historypb.HistoryEvent) error {
		r.draft.info.CancelRequested = true
		return nil
	},
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED:           (*Replay).paused,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED:         (*Replay).unpaused,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:  (*Replay).updateAdmitted,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:  (*Replay).updateAccepted,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: (*Replay).updateCompleted,

	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED: (*Replay).timeSkipped,

	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:        (*Replay).closed,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:           (*Replay).closed,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:        (*Replay).closed,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:         (*Replay).closed,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:       (*Replay).closed,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: (*Replay).closed,
}

// timeSkipped sets the run's time ahead.
func (r *Replay) timeSkipped(ev *historypb.HistoryEvent) error {
	if r.draft.info.Skipping == nil {
		return badHistory(ev, "is of a run whose time cannot be skipped")
	}
	r.draft.transitioned(ev)
	return nil
}

func (r *Replay) nothing(*historypb.HistoryEvent) error { return nil }

// started reads the fixed part of the run from its first event.
func (r *Replay) started(ev *historypb.HistoryEvent) error {
	d, a := r.draft, ev.GetWorkflowExecutionStartedEventAttributes()
	s := &Start{
		NamespaceName:     d.env.Namespace.Name,
		WorkflowType:      a.GetWorkflowType().GetName(),
		TaskQueue:         a.GetTaskQueue().GetName(),
		Identity:          a.GetIdentity(),
		FirstRunID:        a.GetFirstExecutionRunId(),
		OriginalRunID:     a.GetOriginalExecutionRunId(),
		ContinuedRunID:    a.GetContinuedExecutionRunId(),
		Attempt:           a.GetAttempt(),
		Initiator:         a.GetInitiator(),
		CronSchedule:      a.GetCronSchedule(),
		RetryPolicy:       a.GetRetryPolicy(),
		StartTime:         ev.GetEventTime().AsTime(),
		Backoff:           duration.Of(a.GetFirstWorkflowTaskBackoff()),
		ExecutionTimeout:  duration.Of(a.GetWorkflowExecutionTimeout()),
		TaskTimeout:       duration.Of(a.GetWorkflowTaskTimeout()),
		Root:              a.GetRootWorkflowExecution(),
		Priority:          a.GetPriority(),
		UserMetadata:      ev.GetUserMetadata(),
		OriginalStartTime: ev.GetEventTime().AsTime(),
		Linked:            len(ev.GetLinks()) > 0,
	}
	if at := a.GetWorkflowExecutionExpirationTime(); at != nil {
		s.ExecutionDeadline = at.AsTime()
	}
	s.RunTimeout = runTimeout(duration.Of(a.GetWorkflowRunTimeout()), s.ExecutionTimeout)
	s.setDeadlines()
	if p := a.GetParentWorkflowExecution(); p != nil {
		s.Parent = &Parent{
			Run: engine.RunKey{RunID: p.GetRunId(), ID: engine.ID{
				NamespaceID: a.GetParentWorkflowNamespaceId(), Archetype: engine.ArchetypeWorkflow, Name: p.GetWorkflowId()}},
			NamespaceName:    a.GetParentWorkflowNamespace(),
			InitiatedEventID: a.GetParentInitiatedEventId(),
		}
	}
	d.start = s
	d.attachCallbacks(a.GetCompletionCallbacks(), "", ev)
	r.origin = s.OriginalRunID
	d.info.AutoResetPoints = a.GetPrevAutoResetPoints()
	d.info.VersioningOverride = a.GetVersioningOverride()
	d.info.Skipping = skippingAt(ev)
	if len(a.GetMemo().GetFields()) > 0 {
		d.setMemo(a.GetMemo())
	}
	if len(a.GetSearchAttributes().GetIndexedFields()) > 0 {
		d.setSearchAttributes(a.GetSearchAttributes())
	}
	return nil
}

// closed reads the end of the run.
func (r *Replay) closed(ev *historypb.HistoryEvent) error {
	d := r.draft
	d.info.Status = closeStatus[ev.GetEventType()]
	d.info.Task = nil
	d.info.CloseTime = ev.GetEventTime().AsTime()
	d.info.CloseEventID, d.info.CloseBatchID = ev.GetEventId(), d.batchID()
	d.info.NewRunID = successorOf(ev)
	d.forgetPause()
	d.closeCallbacks(ev)
	for _, id := range d.timers.keys() {
		d.timers.remove(id)
	}
	for _, id := range d.signals.keys() {
		d.signals.remove(id)
	}
	for _, id := range d.cancels.keys() {
		d.cancels.remove(id)
	}
	return nil
}

// closeStatus is what each closing event makes of a run.
var closeStatus = map[enumspb.EventType]enumspb.WorkflowExecutionStatus{
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:        enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:           enumspb.WORKFLOW_EXECUTION_STATUS_FAILED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:        enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:         enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:       enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW,
}

// successorOf is the run that a closing event names as the next one.
func successorOf(ev *historypb.HistoryEvent) string {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return ev.GetWorkflowExecutionCompletedEventAttributes().GetNewExecutionRunId()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return ev.GetWorkflowExecutionFailedEventAttributes().GetNewExecutionRunId()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return ev.GetWorkflowExecutionTimedOutEventAttributes().GetNewExecutionRunId()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return ev.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return ""
}

// resetAt reads the event by which a run begins that was made by a reset: what
// came before is the history of another.
func (r *Replay) resetAt(ev *historypb.HistoryEvent) {
	d, a := r.draft, ev.GetWorkflowTaskFailedEventAttributes()
	at := ev.GetEventTime().AsTime()
	d.start = d.start.resetAt(at, &ResetOrigin{BaseRunID: a.GetBaseRunId(), EventID: ev.GetEventId()})
	r.origin = a.GetNewRunId()
	d.leaveCallbacks()
	for _, id := range d.activities.keys() {
		d.activities.put(id, d.activities.get(id).Rescheduled(at))
	}
}

// resetAt is the fixed part of a run that a reset makes of this one: its clocks
// begin anew, and its first task does not wait.
func (s *Start) resetAt(at time.Time, origin *ResetOrigin) *Start {
	next := *s
	next.Reset = origin
	next.StartTime, next.ResetTime = at, at
	next.Backoff = 0
	next.ExecutionDeadline = time.Time{}
	next.setDeadlines()
	return &next
}
