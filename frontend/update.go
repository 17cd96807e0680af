package frontend

import (
	"context"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	"go.temporal.io/api/serviceerror"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/perdure/perdure/engine/workflow"
	"github.com/perdure/perdure/shard"
)

// updatePollTime is how long a call waits for an update (workflow.md 6.1).
const updatePollTime = 20 * time.Second

// UpdateWorkflowExecution is workflow.md 6.1: it answers when the update has
// reached the stage that is asked for, or with the stage reached by the time the
// wait is over.
func (f *Frontend) UpdateWorkflowExecution(ctx context.Context, r *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	if err := f.prepareUpdate(r); err != nil {
		return nil, err
	}
	patience, over, err := f.patience(ctx, r.GetWaitPolicy())
	if err != nil {
		return nil, err
	}
	defer over()
	e := r.GetWorkflowExecution()
	id, runID := chainTarget(ctx, e.GetWorkflowId(), e.GetRunId(), r.GetFirstExecutionRunId())
	status, err := f.executions.Update(ctx, id, runID, &workflow.UpdateWorkflow{Request: r}, patience)
	if err != nil {
		return nil, err
	}
	return updateResponse(status), nil
}

// prepareUpdate checks an update and fills in its defaults.
func (f *Frontend) prepareUpdate(r *workflowservice.UpdateWorkflowExecutionRequest) error {
	err := firstError(
		func() error { return f.checkExecution(r.GetWorkflowExecution()) },
		func() error { return checkRunID(r.GetFirstExecutionRunId()) },
		func() error { return f.checkUpdate(r.GetRequest()) },
		func() error { return checkStage(r.GetWaitPolicy()) },
	)
	if err != nil {
		return err
	}
	if r.Request.Meta.UpdateId == "" {
		r.Request.Meta.UpdateId = freshID()
	}
	if r.GetWaitPolicy().GetLifecycleStage() == enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_UNSPECIFIED {
		r.WaitPolicy = &updatepb.WaitPolicy{LifecycleStage: enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED}
	}
	return nil
}

func (f *Frontend) checkUpdate(r *updatepb.Request) error {
	switch {
	case r.GetMeta() == nil:
		return invalid("Update meta is not set on request.")
	case r.GetInput() == nil:
		return invalid("Update input is not set on request.")
	case r.GetInput().GetName() == "":
		return invalid("Update name is not set on request.")
	case len(r.GetCompletionCallbacks()) > 0 && r.GetRequestId() == "":
		return invalid("RequestId is not set on request.") // a repetition would attach them again
	}
	return firstError(
		func() error { return f.tooLong(r.GetMeta().GetUpdateId(), "UpdateId length exceeds limit.") },
		func() error { return f.checkIdentity(r.GetMeta().GetIdentity()) },
		func() error { return f.checkRequestID(r.GetRequestId()) },
		func() error { return f.prepareCallbacks(r.GetCompletionCallbacks()) },
		func() error { return checkLinks(r.GetLinks(), f.limits) },
		func() error { return f.checkBlob(r.GetInput().GetArgs()) },
	)
}

// checkStage refuses to wait for the admission alone: it is not durable.
func checkStage(p *updatepb.WaitPolicy) error {
	if p.GetLifecycleStage() == enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED {
		return serviceerror.NewPermissionDenied("UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported.", "")
	}
	return nil
}

// patience is how long a call waits for an update: it ends a little before the
// caller's deadline, so that the caller learns how far the update has come.
func (f *Frontend) patience(ctx context.Context, p *updatepb.WaitPolicy) (patience shard.Patience, over func(), err error) {
	place, err := f.waiting.enter(namespaceOf(ctx).ID)
	if err != nil {
		return patience, nil, err
	}
	d := updatePollTime
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		d = min(d, left-min(deadlineMargin, left/2))
	}
	wait, cancel := context.WithTimeout(ctx, d)
	forget := context.AfterFunc(f.waiting.drained, cancel)
	return shard.Patience{Stage: p.GetLifecycleStage(), Over: wait.Done()}, func() {
		forget()
		cancel()
		place.leave()
	}, nil
}

// PollWorkflowExecutionUpdate waits for an update that was admitted before
// (workflow.md 6.1). Without a wait policy it tells the present stage.
func (f *Frontend) PollWorkflowExecutionUpdate(ctx context.Context, r *workflowservice.PollWorkflowExecutionUpdateRequest) (*workflowservice.PollWorkflowExecutionUpdateResponse, error) {
	ref := r.GetUpdateRef()
	if ref == nil {
		return nil, invalid("UpdateRef is not set on request.")
	}
	err := firstError(
		func() error { return f.checkExecution(ref.GetWorkflowExecution()) },
		func() error { return f.tooLong(ref.GetUpdateId(), "UpdateId length exceeds limit.") },
		func() error { return f.checkIdentity(r.GetIdentity()) },
	)
	if err != nil {
		return nil, err
	}
	patience, over, err := f.patience(ctx, r.GetWaitPolicy())
	if err != nil {
		return nil, err
	}
	defer over()
	e := ref.GetWorkflowExecution()
	status, err := f.executions.PollUpdate(ctx, executionID(ctx, e.GetWorkflowId()), e.GetRunId(), ref.GetUpdateId(), patience)
	if err != nil {
		return nil, err
	}
	return &workflowservice.PollWorkflowExecutionUpdateResponse{
		UpdateRef: updateRef(status), Stage: status.Stage, Outcome: status.Outcome,
	}, nil
}

func updateResponse(s *workflow.UpdateStatus) *workflowservice.UpdateWorkflowExecutionResponse {
	return &workflowservice.UpdateWorkflowExecutionResponse{
		UpdateRef: updateRef(s), Stage: s.Stage, Outcome: s.Outcome, Link: updateLink(s),
	}
}

func updateRef(s *workflow.UpdateStatus) *updatepb.UpdateRef {
	return &updatepb.UpdateRef{WorkflowExecution: execution(s.Run), UpdateId: s.UpdateID}
}

// updateLink leads to the event of the acceptance or, for a rejected update,
// which has none, to the workflow.
func updateLink(s *workflow.UpdateStatus) *commonpb.Link {
	switch {
	case s.Rejected:
		return &commonpb.Link{Variant: &commonpb.Link_Workflow_{Workflow: &commonpb.Link_Workflow{
			Namespace: s.NamespaceName, WorkflowId: s.Run.Name, RunId: s.Run.RunID, Reason: "Update rejected",
		}}}
	case s.Stage < enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED:
		return nil
	}
	return &commonpb.Link{Variant: &commonpb.Link_WorkflowEvent_{WorkflowEvent: &commonpb.Link_WorkflowEvent{
		Namespace: s.NamespaceName, WorkflowId: s.Run.Name, RunId: s.Run.RunID,
		Reference: &commonpb.Link_WorkflowEvent_RequestIdRef{RequestIdRef: &commonpb.Link_WorkflowEvent_RequestIdReference{
			RequestId: s.UpdateID, EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
		}},
	}}}
}

// updateMessages are the protocol messages of a workflow task: one for each
// update the worker is to look at (workflow.md 6.3).
func updateMessages(t *workflow.TaskStarted) []*protocolpb.Message {
	var messages []*protocolpb.Message
	for _, req := range t.Updates {
		id := req.GetMeta().GetUpdateId()
		body := &anypb.Any{TypeUrl: "type.googleapis.com/temporal.api.update.v1.Request"}
		var err error
		if body.Value, err = proto.Marshal(req); err != nil {
			continue // it came off the wire, so it can go there
		}
		messages = append(messages, &protocolpb.Message{
			Id: id + "/request", ProtocolInstanceId: id,
			SequencingId: &protocolpb.Message_EventId{EventId: t.SequencingEventID()},
			Body:         body,
		})
	}
	return messages
}
