package workflow

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
)

// A reset begins a new run with the history of another, the base run, up to a
// workflow task, and ends the id's current run (spec/workflow.md 7). The state
// at that point is replayed; what happened later and was not the workflow's own
// doing is applied again (reset_reapply.go); then a workflow task lets the code
// go on from there. docs/design/0003-reset.md tells why it is made this way.

// CheckReset says what can be said of a reset before any history is read: the
// answer to a repetition, or a refusal. base is the run to begin from, current
// the newest of the id or nil; they may be the same.
func CheckReset(current, base *Run, req *workflowservice.ResetWorkflowExecutionRequest) (*workflowservice.ResetWorkflowExecutionResponse, error) {
	if current != nil && current.Start.Reset != nil && current.Start.RequestID == req.GetRequestId() {
		return &workflowservice.ResetWorkflowExecutionResponse{RunId: current.Key.RunID}, nil
	}
	if id := req.GetWorkflowTaskFinishEventId(); id <= 1 || id >= base.Info.NextEventID {
		return nil, engine.Invalid("Workflow task finish ID must be > 1 && <= workflow last event ID.")
	}
	return nil, nil
}

// resetIdentity stands in the event that ends the run a reset replaces.
const resetIdentity = "history-resetter"

// resetWorkflow carries out ResetWorkflowExecution: one step ends the current
// run, if that is open, begins the new one, and notes it in the base run.
func resetWorkflow(env *engine.Env, id engine.ID, current *Run, in *ResetWorkflow) (*Result, error) {
	reply, err := CheckReset(current, in.Base, in.Request)
	if err != nil {
		return nil, err
	}
	if reply != nil {
		return &Result{Reply: reply}, nil
	}
	if err := in.Read.Check(); err != nil {
		return nil, err
	}
	key := engine.RunKey{ID: id, RunID: in.NewRunID}
	res := &Result{Reply: &workflowservice.ResetWorkflowExecutionResponse{RunId: key.RunID}}
	res.New, err = resetRun(env, key, current, in)
	if err != nil {
		return nil, err
	}
	forkID := res.New.Run.Start.Reset.EventID
	if current != nil && current.Open() {
		d := newDraft(current.own(env), current)
		if excludedFromReset(in.Request)[enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE] {
			d.leavesUpdates = 1
			if current.Key == in.Base.Key {
				d.leavesUpdates = forkID
			}
		}
		d.resetTo(key.RunID, in.Request.GetReason())
		if current.Key == in.Base.Key {
			d.info.ResetRunID, d.info.ResetEventID = key.RunID, forkID
		}
		res.Run = d.finish()
		if current.Key == in.Base.Key {
			return res, nil
		}
	}
	d := newDraft(in.Base.own(env), in.Base)
	d.info.ResetRunID, d.info.ResetEventID = key.RunID, forkID
	if c := d.finish(); current != nil && current.Key == in.Base.Key {
		res.Run = c
	} else {
		res.Base = c
	}
	return res, nil
}

// resetTo ends the run because another takes its place: its children, its parent
// and its callbacks are that one's affair now.
func (d *draft) resetTo(newRunID, reason string) {
	d.reborn = true
	d.terminateRun(termination{reason: reason, identity: resetIdentity, successor: newRunID})
}

// resetRun is the new run.
func resetRun(env *engine.Env, key engine.RunKey, current *Run, in *ResetWorkflow) (*Newborn, error) {
	d := adopt(env, key, in.Read.kept)
	d.endKeptTask(in)
	s := d.start.resetAt(d.env.Now, &ResetOrigin{BaseRunID: in.Base.Key.RunID, EventID: d.info.NextEventID - 1})
	s.RequestID = in.Request.GetRequestId()
	s.OriginalStartTime = in.Base.Start.OriginalStartTime
	d.start = s
	for _, requestID := range []string{in.Base.Start.RequestID, s.RequestID} {
		if d.requests.get(requestID) == nil { // the request of a signal-with-start is that of its signal
			d.requests.put(requestID, &firstRequest)
		}
	}
	d.leaveCallbacks()
	if err := d.applyAgain(in.Read.later(current), in); err != nil {
		return nil, err
	}
	if err := d.admitUnanswered(in); err != nil {
		return nil, err
	}
	if err := d.afterReset(in.Request); err != nil {
		return nil, err
	}
	d.resumeActivities(in.Read) // with the options as they are by then
	d.resumeMessages(in.Read)
	d.wantTask()
	return d.delivered(nil), nil
}

// adopt makes a draft of a new run that begins with a state from elsewhere. All
// of it is changed: it has to be written.
func adopt(env *engine.Env, key engine.RunKey, kept *Run) *draft {
	info := *kept.Info
	info.StateBytes = 0 // counted by growth, from nothing
	d := newDraft(kept.own(env), &Run{Key: key, Start: kept.Start, Info: &info})
	d.start = kept.Start
	d.activities.changed, d.timers.changed = maps.Clone(kept.Activities), maps.Clone(kept.Timers)
	d.children.changed, d.signals.changed = maps.Clone(kept.Children), maps.Clone(kept.Signals)
	d.cancels.changed, d.requests.changed = maps.Clone(kept.Cancels), maps.Clone(kept.Requests)
	d.updates.changed, d.callbacks.changed = maps.Clone(kept.Updates), maps.Clone(kept.Callbacks)
	if kept.Memo != nil {
		d.setMemo(kept.Memo)
	}
	if kept.SearchAttributes != nil {
		d.setSearchAttributes(kept.SearchAttributes)
	}
	d.visible = true
	return d
}

// endKeptTask ends the workflow task at which the kept history stops. One that
// was not started is started first, so that it can fail.
func (d *draft) endKeptTask(in *ResetWorkflow) {
	t := d.editTask()
	if t.StartedEventID == 0 {
		t.StartedTime, t.Identity, t.RequestID = d.env.Now, systemIdentity, d.env.Fresh.UUID()
		t.HistorySizeBytes = d.historySize()
		t.StartedEventID = d.append(startedEvent(t, d.at(t.StartedTime)))
		d.cut()
	}
	ev := d.event(enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED)
	ev.Attributes = &historypb.HistoryEvent_WorkflowTaskFailedEventAttributes{
		WorkflowTaskFailedEventAttributes: &historypb.WorkflowTaskFailedEventAttributes{
			ScheduledEventId: t.ScheduledEventID,
			StartedEventId:   t.StartedEventID,
			Cause:            enumspb.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
			Failure:          resetFailure(in.Request.GetReason()),
			Identity:         systemIdentity,
			BaseRunId:        in.Base.Key.RunID,
			NewRunId:         d.base.Key.RunID,
		}}
	d.append(ev)
	d.info.Task = nil
}

func resetFailure(reason string) *failurepb.Failure {
	return &failurepb.Failure{
		Message: reason,
		FailureInfo: &failurepb.Failure_ResetWorkflowFailureInfo{
			ResetWorkflowFailureInfo: &failurepb.ResetWorkflowFailureInfo{}},
	}
}

// resumeActivities hands the activities out anew that were open at the cut. One
// whose start is in the kept history cannot be started again: it fails.
func (d *draft) resumeActivities(read *ResetHistory) {
	for _, id := range d.activities.keys() {
		s := d.activities.get(id)
		if s.Unstarted() {
			d.putActivity(s.Rescheduled(d.env.Now))
			continue
		}
		o := &activity.Outcome{
			Ending:     activity.Failed,
			Failure:    resetFailure("the workflow was reset while the activity was running"),
			RetryState: enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE,
			Identity:   systemIdentity,
		}
		d.activities.remove(id)
		d.append(d.activityClosedEvent(s, o, read.startedActivities[id]))
	}
}

// resumeMessages sends again what the kept history asks of other executions and
// has no answer for. The requests have the ids they had: whoever has taken one
// takes no second. Children that run learn whom to tell of their end, before all
// else: they take what is for children only from their parent.
func (d *draft) resumeMessages(read *ResetHistory) {
	for _, id := range d.children.keys() {
		if c := d.children.get(id); c.StartedEventID != 0 {
			d.reconnect(c)
		}
	}
	for _, id := range d.children.keys() {
		if c := d.children.get(id); c.StartedEventID == 0 {
			d.send(engine.Message{Kind: engine.MessageStartChild, To: d.to(c.WorkflowID), EventID: id, BatchID: c.BatchID,
				RequestID: read.request(d.base.Key.ID, id), Root: rootOf(d.base.Key, d.start)})
		}
	}
	for _, id := range d.signals.keys() {
		d.resend(engine.MessageSignal, d.signals.get(id))
	}
	for _, id := range d.cancels.keys() {
		d.resend(engine.MessageCancel, d.cancels.get(id))
	}
}

func (d *draft) resend(kind engine.MessageKind, x *External) {
	d.send(engine.Message{Kind: kind, To: d.to(x.Target.GetWorkflowId()), ToRunID: x.Target.GetRunId(),
		EventID: x.InitiatedEventID, BatchID: x.BatchID, RequestID: x.RequestID, ChildWorkflowOnly: x.ChildWorkflowOnly})
}

// reconnect tells a child that this run has taken its parent's place.
func (d *draft) reconnect(c *Child) {
	d.send(engine.Message{Kind: engine.MessageReconnect, To: d.to(c.WorkflowID), ToFirstRunID: c.RunID,
		EventID: c.InitiatedEventID, BatchID: c.BatchID})
}

// reconnected: a reset has put another run in the place of the parent. A chain
// that has ended tells it so; its former parent may never have heard.
func (d *draft) reconnected(in *Reconnect) (any, error) {
	m, p := in.From, d.fixed().Parent
	if p == nil || p.Run.ID != m.From.ID || p.InitiatedEventID != m.EventID || d.checkChain(m.ToFirstRunID) != nil {
		return nil, engine.NotFound("workflow execution not found")
	}
	if d.isOpen() {
		d.adoptedBy(m.From)
	} else {
		d.send(engine.Message{Kind: engine.MessageChildClosed, To: m.From.ID, ToRunID: m.From.RunID,
			EventID: d.info.CloseEventID, BatchID: d.info.CloseBatchID, ToEventID: m.EventID})
	}
	return nil, nil
}

// maxFormer is how many former parents a child remembers: as many resets of its
// parent may have messages under way at one time.
const maxFormer = 16

// adoptedBy changes the run that hears of this one's end.
func (d *draft) adoptedBy(parent engine.RunKey) {
	s := *d.fixed()
	p := *s.Parent
	if p.was(parent) {
		return // its message was overtaken
	}
	former := append(slices.Clone(p.Former), p.Run.RunID)
	p.Former = former[max(0, len(former)-maxFormer):]
	p.Run = parent
	s.Parent = &p
	d.start = &s
	d.visible = true
}

// HandedOn reports whether a reset has put another run in the place of this one
// that sends the message itself.
func (r *Run) HandedOn(m *engine.Message) bool { return r.Info.handedOn(m.EventID) }

func (i *Info) handedOn(eventID int64) bool { return i.ResetRunID != "" && eventID < i.ResetEventID }

// sameAgain is the event as it happens once more: without an id, at the step's
// time.
func (d *draft) sameAgain(ev *historypb.HistoryEvent) *historypb.HistoryEvent {
	again := proto.Clone(ev).(*historypb.HistoryEvent)
	again.EventId, again.TaskId = 0, 0
	again.EventTime = d.at(d.env.Now)
	return again
}
