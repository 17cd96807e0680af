package workflow

import (
	"google.golang.org/protobuf/proto"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// What happened to the base run after the cut from outside happens to the new
// run, too (spec/workflow.md 7.3): signals, updates, changes of the options, and
// what became of the children it shares. It is recorded as new events; a replay
// of them does to the state what it does to any run.

// againBatchBytes is about where a batch of events applied again ends, so that
// ten thousand signals do not make one page of history.
const againBatchBytes = 256 << 10

func (d *draft) applyAgain(events []*historypb.HistoryEvent, in *ResetWorkflow) error {
	excluded := excludedFromReset(in.Request)
	r := &Replay{draft: d, origin: d.base.Key.RunID}
	size := 0
	for _, ev := range events {
		again := d.reapplied(ev, excluded, in.Read)
		if again == nil {
			continue
		}
		if size += proto.Size(again); size > againBatchBytes {
			d.cut()
			size = 0
		}
		d.append(again)
		if err := r.event(again); err != nil {
			return err
		}
	}
	return nil
}

// excludedFromReset are the kinds of events that the caller does not want.
func excludedFromReset(req *workflowservice.ResetWorkflowExecutionRequest) map[enumspb.ResetReapplyExcludeType]bool {
	excluded := make(map[enumspb.ResetReapplyExcludeType]bool)
	for _, t := range req.GetResetReapplyExcludeTypes() {
		excluded[t] = true
	}
	switch req.GetResetReapplyType() { //nolint:staticcheck // older clients send it still
	case enumspb.RESET_REAPPLY_TYPE_SIGNAL:
		excluded[enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE] = true
	case enumspb.RESET_REAPPLY_TYPE_NONE:
		excluded[enumspb.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL] = true
		excluded[enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE] = true
	}
	return excluded
}

// reapplied is the event as the new run records it; nil when it does not.
func (d *draft) reapplied(ev *historypb.HistoryEvent, excluded map[enumspb.ResetReapplyExcludeType]bool, read *ResetHistory) *historypb.HistoryEvent {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		if excluded[enumspb.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL] ||
			d.requests.get(ev.GetWorkflowExecutionSignaledEventAttributes().GetRequestId()) != nil {
			return nil
		}
		return d.sameAgain(ev)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		if excluded[enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE] {
			return nil
		}
		return d.admittedAgain(ev, read)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
		return d.sameAgain(ev)
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		c := d.children.get(ev.GetChildWorkflowExecutionStartedEventAttributes().GetInitiatedEventId())
		if c == nil || c.StartedEventID != 0 {
			return nil
		}
		return d.sameAgain(ev)
	}
	c := d.children.get(endedChild(ev))
	if c == nil || c.StartedEventID == 0 {
		return nil
	}
	again := d.sameAgain(ev)
	fillStarted(again, map[int64]int64{c.InitiatedEventID: c.StartedEventID})
	return again
}

// admittedAgain is the admission of an update that the base run had, or had
// accepted. The worker finds the request in it, and decides once more.
func (d *draft) admittedAgain(ev *historypb.HistoryEvent, read *ResetHistory) *historypb.HistoryEvent {
	req := ev.GetWorkflowExecutionUpdateAdmittedEventAttributes().GetRequest()
	if a := ev.GetWorkflowExecutionUpdateAcceptedEventAttributes(); a != nil {
		if req = a.GetAcceptedRequest(); req == nil {
			req = read.requests[a.GetProtocolInstanceId()]
		}
	}
	if req == nil || d.updates.get(req.GetMeta().GetUpdateId()) != nil {
		return nil
	}
	return d.admission(req, ev.GetLinks())
}

// admitUnanswered admits what an earlier reset has admitted in the base run and
// its worker has not answered, although it has completed a workflow task since:
// by that it only asked for more time, as for a local activity that goes on. The
// kept history does not tell it from an update that was rejected, but the state of
// the base run does.
func (d *draft) admitUnanswered(in *ResetWorkflow) error {
	if !in.Base.Open() || excludedFromReset(in.Request)[enumspb.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE] {
		return nil
	}
	r := &Replay{draft: d, origin: d.base.Key.RunID}
	for _, id := range sorted(in.Base.Updates) {
		req := in.Read.requests[id]
		if in.Base.Updates[id].AcceptedEventID != 0 || d.updates.get(id) != nil || req == nil {
			continue
		}
		ev := d.admission(req, nil)
		d.append(ev)
		if err := r.event(ev); err != nil {
			return err
		}
	}
	return nil
}

// admission is the event by which a reset admits an update.
func (d *draft) admission(req *updatepb.Request, links []*commonpb.Link) *historypb.HistoryEvent {
	again := d.event(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED)
	again.Links = links
	again.Attributes = &historypb.HistoryEvent_WorkflowExecutionUpdateAdmittedEventAttributes{
		WorkflowExecutionUpdateAdmittedEventAttributes: &historypb.WorkflowExecutionUpdateAdmittedEventAttributes{
			Request: req,
			Origin:  enumspb.UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY,
		}}
	return again
}

// afterReset carries out the operations that are to follow the reset, in order.
func (d *draft) afterReset(req *workflowservice.ResetWorkflowExecutionRequest) error {
	for _, op := range req.GetPostResetOperations() {
		switch {
		case op.GetSignalWorkflow() != nil:
			signal := op.GetSignalWorkflow()
			d.recordSignal(arrivingSignal{
				name:     signal.GetSignalName(),
				input:    signal.GetInput(),
				header:   signal.GetHeader(),
				identity: req.GetIdentity(),
				links:    signal.GetLinks(),
			})
		case op.GetUpdateWorkflowOptions() != nil:
			update := op.GetUpdateWorkflowOptions()
			_, err := d.updateOptions(&UpdateOptions{
				Options:  update.GetWorkflowExecutionOptions(),
				Paths:    update.GetUpdateMask().GetPaths(),
				Identity: req.GetIdentity(),
			})
			if err != nil {
				return err
			}
			d.untouched = false // the run is new, whatever its options
		default:
			return engine.Invalid("unsupported post reset operation: %T", op.GetVariant())
		}
	}
	return nil
}
