package workflow

import (
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	updatepb "go.temporal.io/api/update/v1"

	"github.com/perdure/perdure/engine"
)

// CompletionOf is what a callback is told of a run that closes with the event,
// or of an update that completes with it.
func CompletionOf(ev *historypb.HistoryEvent) *engine.Completion {
	switch ev.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return &engine.Completion{Result: firstPayload(ev.GetWorkflowExecutionCompletedEventAttributes().GetResult())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return failedCompletion(ev.GetWorkflowExecutionFailedEventAttributes().GetFailure())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		return &engine.Completion{Canceled: true, Failure: &failurepb.Failure{
			Message: "workflow canceled",
			FailureInfo: &failurepb.Failure_CanceledFailureInfo{CanceledFailureInfo: &failurepb.CanceledFailureInfo{
				Details: ev.GetWorkflowExecutionCanceledEventAttributes().GetDetails(),
			}},
		}}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		a := ev.GetWorkflowExecutionTerminatedEventAttributes()
		return failedCompletion(&failurepb.Failure{
			Message: "workflow terminated: " + a.GetReason(),
			FailureInfo: &failurepb.Failure_TerminatedFailureInfo{TerminatedFailureInfo: &failurepb.TerminatedFailureInfo{
				Identity: a.GetIdentity(),
			}},
		})
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return failedCompletion(&failurepb.Failure{
			Message: "workflow timeout",
			FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{
				TimeoutType: enumspb.TIMEOUT_TYPE_START_TO_CLOSE,
			}},
		})
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		return outcomeCompletion(ev.GetWorkflowExecutionUpdateCompletedEventAttributes().GetOutcome())
	}
	return failedCompletion(nil)
}

func outcomeCompletion(o *updatepb.Outcome) *engine.Completion {
	if o.GetFailure() != nil {
		return failedCompletion(o.GetFailure())
	}
	return &engine.Completion{Result: firstPayload(o.GetSuccess())}
}

// failedCompletion never lets a failure pass for a success.
func failedCompletion(f *failurepb.Failure) *engine.Completion {
	if f == nil {
		f = &failurepb.Failure{Message: "failed without a failure"}
	}
	return &engine.Completion{Failure: f}
}

// firstPayload: the Nexus protocol knows one result.
func firstPayload(p *commonpb.Payloads) *commonpb.Payload {
	if len(p.GetPayloads()) == 0 {
		return nil
	}
	return p.GetPayloads()[0]
}
