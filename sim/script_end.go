package main

import (
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
)

// end is how the script ends the run named.
func (s script) end(run string) *commandpb.Command {
	r := rand.New(rand.NewPCG(s.seed, 9))
	switch s.last {
	case endFail:
		return &commandpb.Command{
			CommandType: enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_FailWorkflowExecutionCommandAttributes{FailWorkflowExecutionCommandAttributes: &commandpb.FailWorkflowExecutionCommandAttributes{
				Failure: failures[r.IntN(len(failures))]}},
		}
	case endContinue:
		return continueAs(s.successor(r, run))
	}
	return &commandpb.Command{
		CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{
			Result: payloads(run)}},
	}
}

// successor is the run that continues this one.
func (s script) successor(r *rand.Rand, run string) *commandpb.ContinueAsNewWorkflowExecutionCommandAttributes {
	a := &commandpb.ContinueAsNewWorkflowExecutionCommandAttributes{
		WorkflowType: &commonpb.WorkflowType{Name: s.next},
		TaskQueue:    &taskqueuepb.TaskQueue{Name: workflowQueueName},
	}
	switch r.IntN(6) {
	case 0:
		a.Initiator, a.Failure = enumspb.CONTINUE_AS_NEW_INITIATOR_RETRY, failures[0]
		a.BackoffStartInterval = durationpb.New(time.Second)
	case 1:
		a.RetryPolicy = &commonpb.RetryPolicy{MaximumAttempts: 2}
		a.WorkflowRunTimeout = durationpb.New(time.Minute)
	case 2:
		a.Memo, a.SearchAttributes, a.Header = memo(run), attributes(r), header(run)
		a.Input, a.LastCompletionResult = payloads(run), payloads("last")
	}
	return a
}

// failures are how work fails.
var failures = []*failurepb.Failure{
	{Message: "as scripted"},
	applicationFailure("give up", "hopeless"),
	{Message: "never again", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: "once", NonRetryable: true}}},
	{Message: "soon again", FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
		ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: "passing", NextRetryDelay: durationpb.New(3 * time.Second)}}},
	{Message: "canceled", FailureInfo: &failurepb.Failure_CanceledFailureInfo{CanceledFailureInfo: &failurepb.CanceledFailureInfo{}}},
	{Message: "terminated", FailureInfo: &failurepb.Failure_TerminatedFailureInfo{TerminatedFailureInfo: &failurepb.TerminatedFailureInfo{}}},
	{Message: "too late", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{
		TimeoutType: enumspb.TIMEOUT_TYPE_START_TO_CLOSE}}},
	{Message: "the server's", FailureInfo: &failurepb.Failure_ServerFailureInfo{ServerFailureInfo: &failurepb.ServerFailureInfo{NonRetryable: true}}},
	{Message: "of another", Cause: applicationFailure("try again", "passing"),
		FailureInfo: &failurepb.Failure_ActivityFailureInfo{ActivityFailureInfo: &failurepb.ActivityFailureInfo{ActivityId: "x"}}},
}

// patientAttempts is how often a worker tries a workflow task before it gives the
// workflow up.
const patientAttempts = 5

// giveUp ends a workflow that cannot go on.
func (s script) giveUp() *commandpb.Command {
	return script{last: endFail}.end("")
}
