package standalone

import (
	"encoding/json"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine/activity"
)

// end closes the run because its activity has ended (table 11.3).
func (d *draft) end(o *activity.Outcome) {
	switch o.Ending {
	case activity.Completed:
		d.close(enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED, succeeded(o.Result))
	case activity.Failed:
		d.close(enumspb.ACTIVITY_EXECUTION_STATUS_FAILED, failed(o.Failure, o.RetryState))
	case activity.TimedOut:
		d.close(enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT, failed(o.Failure, o.RetryState))
	case activity.Canceled:
		details := o.Details
		if o.Attempt == nil { // no worker had it: nobody could say more than who asked for it
			details = quoted(d.info.Cancel.Reason)
		}
		d.close(enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED, canceled(details, d.info.Cancel.Identity))
	}
}

// close ends the run. An attempt that a worker has is no longer heard of.
func (d *draft) close(status enumspb.ActivityExecutionStatus, outcome *activitypb.ActivityExecutionOutcome) {
	if d.activity.Offered {
		d.withdraw(d.activity)
	}
	d.info.Status = status
	d.info.CloseTime = d.env.Now
	if d.env.Namespace.Retention > 0 {
		d.info.DeleteAt = d.env.Now.Add(d.env.Namespace.Retention)
	}
	d.info.StateBytes = d.base.Start.size() + stateSize(d.activity) + int64(proto.Size(outcome))
	d.change.Outcome = outcome
	d.change.Closed = true
	d.callBack(outcome)
	d.visible = true
	d.heard = false
}

func succeeded(result *commonpb.Payloads) *activitypb.ActivityExecutionOutcome {
	if result == nil {
		result = &commonpb.Payloads{}
	}
	return &activitypb.ActivityExecutionOutcome{Value: &activitypb.ActivityExecutionOutcome_Result{Result: result}}
}

// failed is the outcome with that failure, which the worker may have left out
// (AX-12).
func failed(f *failurepb.Failure, state enumspb.RetryState) *activitypb.ActivityExecutionOutcome {
	if f == nil {
		f = &failurepb.Failure{
			Message:     "activity task failed without failure details",
			FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{}},
		}
	}
	return &activitypb.ActivityExecutionOutcome{
		Value:      &activitypb.ActivityExecutionOutcome_Failure{Failure: f},
		RetryState: state,
	}
}

func canceled(details *commonpb.Payloads, identity string) *activitypb.ActivityExecutionOutcome {
	return failed(&failurepb.Failure{
		Message: "Activity canceled",
		FailureInfo: &failurepb.Failure_CanceledFailureInfo{
			CanceledFailureInfo: &failurepb.CanceledFailureInfo{Details: details, Identity: identity},
		},
	}, enumspb.RETRY_STATE_UNSPECIFIED)
}

func terminated(reason, identity string) *activitypb.ActivityExecutionOutcome {
	return failed(&failurepb.Failure{
		Message: reason,
		FailureInfo: &failurepb.Failure_TerminatedFailureInfo{
			TerminatedFailureInfo: &failurepb.TerminatedFailureInfo{Identity: identity},
		},
	}, enumspb.RETRY_STATE_UNSPECIFIED)
}

// quoted is a text as one payload.
func quoted(text string) *commonpb.Payloads {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{
		Metadata: map[string][]byte{"encoding": []byte("json/plain")},
		Data:     data,
	}}}
}
