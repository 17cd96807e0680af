package bench

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
	querypb "go.temporal.io/api/query/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/anypb"

	commandpb "go.temporal.io/api/command/v1"
)

// This file has the scenarios of workflows that stay open and are asked
// something: queries and updates. What is counted is the calls.

// callsEach is how many calls an open run gets at most: a run takes 2,000 updates.
const callsEach = 1_000

// openRuns starts as many workflows as there are calls in flight, or more if
// that were too many calls for each, and waits until a worker keeps each of them.
func openRuns(ctx context.Context, b *bench) error {
	runs := max(b.Concurrency, (b.Count+2*b.Concurrency)/callsEach+1)
	b.free = make(chan *commonpb.WorkflowExecution, runs)
	return b.startMany(ctx, runs, func(id, run string) {
		b.free <- &commonpb.WorkflowExecution{WorkflowId: id, RunId: run}
	})
}

// withOpenRun calls do with a run that nobody else asks anything meanwhile.
func (b *bench) withOpenRun(ctx context.Context, do func(*commonpb.WorkflowExecution) error) error {
	select {
	case run := <-b.free:
		defer func() { b.free <- run }()
		return do(run)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queryAndWait asks a run something.
func queryAndWait(ctx context.Context, b *bench, _ string) error {
	return b.withOpenRun(ctx, func(run *commonpb.WorkflowExecution) error {
		reply, err := b.api.QueryWorkflow(ctx, &workflowservice.QueryWorkflowRequest{
			Namespace: b.Namespace, Execution: run,
			Query:                &querypb.WorkflowQuery{QueryType: "state", QueryArgs: payload},
			QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NONE,
		})
		if err != nil {
			return fmt.Errorf("query %s: %w", run.WorkflowId, err)
		}
		if len(reply.GetQueryResult().GetPayloads()) == 0 {
			return fmt.Errorf("the query of %s has no answer", run.WorkflowId)
		}
		return nil
	})
}

// updateAndWait updates a run and waits for the outcome.
func updateAndWait(ctx context.Context, b *bench, id string) error {
	return b.withOpenRun(ctx, func(run *commonpb.WorkflowExecution) error {
		reply, err := b.api.UpdateWorkflowExecution(ctx, &workflowservice.UpdateWorkflowExecutionRequest{
			Namespace: b.Namespace, WorkflowExecution: run,
			WaitPolicy: &updatepb.WaitPolicy{LifecycleStage: enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED},
			Request: &updatepb.Request{
				Meta:  &updatepb.Meta{UpdateId: id, Identity: "bench"},
				Input: &updatepb.Input{Name: "change", Args: payload},
			},
		})
		if err != nil {
			return fmt.Errorf("update %s: %w", run.WorkflowId, err)
		}
		if reply.GetOutcome().GetSuccess() == nil {
			return fmt.Errorf("the update of %s came to %v", run.WorkflowId, reply.GetOutcome())
		}
		return nil
	})
}

// answerUpdates accepts and completes the updates that came with a workflow
// task, in that one answer.
func answerUpdates(t *task, answer *workflowservice.RespondWorkflowTaskCompletedRequest) error {
	for _, m := range t.Messages {
		var request updatepb.Request
		if err := m.Body.UnmarshalTo(&request); err != nil {
			return fmt.Errorf("message %s: %w", m.Id, err)
		}
		accepted, err := anypb.New(&updatepb.Acceptance{
			AcceptedRequestMessageId: m.Id, AcceptedRequestSequencingEventId: m.GetEventId(), AcceptedRequest: &request})
		if err != nil {
			return err
		}
		completed, err := anypb.New(&updatepb.Response{Meta: request.Meta,
			Outcome: &updatepb.Outcome{Value: &updatepb.Outcome_Success{Success: payload}}})
		if err != nil {
			return err
		}
		say(answer, &protocolpb.Message{Id: m.ProtocolInstanceId + "/accept", ProtocolInstanceId: m.ProtocolInstanceId, Body: accepted})
		say(answer, &protocolpb.Message{Id: m.ProtocolInstanceId + "/complete", ProtocolInstanceId: m.ProtocolInstanceId, Body: completed})
	}
	return nil
}

// say adds a message and the command that puts it into its place among the
// commands.
func say(answer *workflowservice.RespondWorkflowTaskCompletedRequest, m *protocolpb.Message) {
	answer.Messages = append(answer.Messages, m)
	answer.Commands = append(answer.Commands, &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE,
		Attributes: &commandpb.Command_ProtocolMessageCommandAttributes{
			ProtocolMessageCommandAttributes: &commandpb.ProtocolMessageCommandAttributes{MessageId: m.Id}},
	})
}
