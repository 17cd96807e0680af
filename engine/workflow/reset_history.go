package workflow

import (
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/perdure/perdure/engine"
)

// ResetHistory is what a reset needs of the histories: the state at the cut, and
// the events after it that may be applied again. It is made by reading the base
// run's history from its beginning, then those of the runs that it was continued
// as; nothing else of them is kept.
type ResetHistory struct {
	cut    int64 // first event not kept
	replay *Replay
	kept   *Run // set once the cut was reached
	// inside: the cut is not between two batches.
	inside bool
	// events after the cut that may be applied again, in order.
	events []*historypb.HistoryEvent
	// requests of updates that were admitted by an event, by update id.
	requests map[string]*updatepb.Request
	// startedActivities are the ids of ActivityTaskStarted events, by scheduled
	// event, as far as kept.
	startedActivities map[int64]int64
	// origins are the runs that have written the kept events, from which on.
	origins []origin
	// last is the newest event of all that was read, run the run it is of.
	last *historypb.HistoryEvent
	run  string
	// continued: what is read is of a run that the base run was continued as.
	continued bool
}

type origin struct {
	from  int64
	runID string
}

// NewResetHistory begins to read for a reset of the run baseRunID at the event
// finishID, into a run newKey. Of env only the namespace and the limits are used.
func NewResetHistory(env *engine.Env, newKey engine.RunKey, baseRunID string, finishID int64) *ResetHistory {
	return &ResetHistory{
		cut: finishID, replay: NewReplay(env, newKey), run: baseRunID,
		requests: make(map[string]*updatepb.Request), startedActivities: make(map[int64]int64),
	}
}

// Batch reads the next batch.
func (h *ResetHistory) Batch(events []*historypb.HistoryEvent) error {
	h.last = events[len(events)-1]
	if !h.continued && events[0].GetEventId() < h.cut {
		n := len(events)
		if h.last.GetEventId() >= h.cut {
			// The start of a task that met a waiting worker is in the batch that
			// scheduled it; elsewhere it is one of its own.
			h.inside = h.last.GetEventId() > h.cut || h.last.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED
			n = int(h.cut - events[0].GetEventId())
		}
		if err := h.keep(events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	for _, ev := range events {
		h.after(ev)
	}
	return nil
}

func (h *ResetHistory) keep(events []*historypb.HistoryEvent) error {
	for _, ev := range events {
		switch ev.GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			h.startedActivities[ev.GetActivityTaskStartedEventAttributes().GetScheduledEventId()] = ev.GetEventId()
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
			h.admitted(ev)
		}
	}
	if err := h.replay.Batch(events); err != nil {
		return err
	}
	if n := len(h.origins); n == 0 || h.origins[n-1].runID != h.replay.origin {
		h.origins = append(h.origins, origin{from: events[0].GetEventId(), runID: h.replay.origin})
	}
	return nil
}

func (h *ResetHistory) admitted(ev *historypb.HistoryEvent) {
	req := ev.GetWorkflowExecutionUpdateAdmittedEventAttributes().GetRequest()
	h.requests[req.GetMeta().GetUpdateId()] = req
}

// after keeps an event that may be applied again.
func (h *ResetHistory) after(ev *historypb.HistoryEvent) {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
		h.admitted(ev)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
	default:
		// The ids in the events of a later run's children are of its own history.
		if h.continued || !ofStartedChild(ev) {
			return
		}
	}
	h.events = append(h.events, ev)
}

// Continued is the run whose history is to be read next; empty when what was
// read was the last one's. Runs that follow by retry or cron schedule do not
// count. It is to be asked once the end of a history is reached.
func (h *ResetHistory) Continued() (runID string) {
	if h.last.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW {
		return ""
	}
	h.continued = true
	h.run = successorOf(h.last)
	return h.run
}

// Done ends the reading.
func (h *ResetHistory) Done() {
	h.kept = h.replay.Run()
	h.replay = nil
}

// Check refuses a cut that no run can begin with, after Done.
func (h *ResetHistory) Check() error {
	switch {
	case h.kept.Info.Task == nil:
		return engine.Invalid("Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: %d", h.cut)
	case h.inside:
		return engine.Invalid("Can only reset workflow to an event at the boundary of an event batch: %d", h.cut)
	}
	return nil
}

// later are the events to apply again, with those that wait in the buffer of the
// run that was read last, if that is current.
func (h *ResetHistory) later(current *Run) []*historypb.HistoryEvent {
	if current == nil || current.Key.RunID != h.run {
		return h.events
	}
	events := slices.Clip(h.events)
	n := len(h.events)
	for _, key := range sorted(current.Buffered) {
		h.after(current.Buffered[key])
	}
	events = append(events, h.events[n:]...)
	h.events = h.events[:n] // a step changes nothing of what it is given
	return events
}

// request is the id of the request that event id of the kept history has caused.
func (h *ResetHistory) request(id engine.ID, eventID int64) string {
	run := h.origins[0].runID
	for _, o := range h.origins {
		if o.from <= eventID {
			run = o.runID
		}
	}
	return messageRequestID(engine.RunKey{ID: id, RunID: run}, eventID)
}

// ofStartedChild reports whether the event tells of a child's start or close.
func ofStartedChild(ev *historypb.HistoryEvent) bool {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
		enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		return true
	}
	return false
}
