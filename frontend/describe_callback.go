package frontend

import (
	"maps"
	"slices"

	activitypb "go.temporal.io/api/activity/v1"
	callbackpb "go.temporal.io/api/callback/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// callbackInfo is what is shown of a completion callback, whatever it is
// attached to (N-54).
func callbackInfo(s *callback.State) *callbackpb.CallbackInfo {
	info := &callbackpb.CallbackInfo{
		Callback:                s.Callback,
		RegistrationTime:        timestamp(s.Registered),
		State:                   s.Status,
		Attempt:                 s.Attempt,
		LastAttemptCompleteTime: timestamp(s.LastAttemptComplete),
		LastAttemptFailure:      s.LastFailure,
		BlockedReason:           s.BlockedReason,
		RequestId:               s.RequestID,
	}
	if s.WaitsForRetry() {
		info.NextAttemptScheduleTime = timestamp(s.Due)
	}
	return info
}

// workflowCallbacks are those of a run and its updates, in order of arrival.
func workflowCallbacks(run *workflow.Run) []*workflowpb.CallbackInfo {
	var all []*workflowpb.CallbackInfo
	for _, n := range slices.Sorted(maps.Keys(run.Callbacks)) {
		s := run.Callbacks[n]
		info := callbackInfo(s)
		all = append(all, &workflowpb.CallbackInfo{
			Trigger:  workflowTrigger(s),
			Callback: info.Callback, RegistrationTime: info.RegistrationTime, State: info.State, Attempt: info.Attempt,
			LastAttemptCompleteTime: info.LastAttemptCompleteTime, LastAttemptFailure: info.LastAttemptFailure,
			NextAttemptScheduleTime: info.NextAttemptScheduleTime, BlockedReason: info.BlockedReason, RequestId: info.RequestId,
		})
	}
	return all
}

func workflowTrigger(s *callback.State) *workflowpb.CallbackInfo_Trigger {
	if s.UpdateID != "" {
		return &workflowpb.CallbackInfo_Trigger{Variant: &workflowpb.CallbackInfo_Trigger_UpdateWorkflowExecutionCompleted{
			UpdateWorkflowExecutionCompleted: &workflowpb.CallbackInfo_UpdateWorkflowExecutionCompleted{UpdateId: s.UpdateID}}}
	}
	return &workflowpb.CallbackInfo_Trigger{Variant: &workflowpb.CallbackInfo_Trigger_WorkflowClosed{
		WorkflowClosed: &workflowpb.CallbackInfo_WorkflowClosed{}}}
}

// activityCallbacks are those of a standalone activity, in order of arrival.
func activityCallbacks(run *standalone.Run) []*activitypb.CallbackInfo {
	var all []*activitypb.CallbackInfo
	for _, n := range slices.Sorted(maps.Keys(run.Callbacks)) {
		all = append(all, &activitypb.CallbackInfo{
			Info: callbackInfo(run.Callbacks[n]),
			Trigger: &activitypb.CallbackInfo_Trigger{Variant: &activitypb.CallbackInfo_Trigger_ActivityClosed{
				ActivityClosed: &activitypb.CallbackInfo_ActivityClosed{}}},
		})
	}
	return all
}
