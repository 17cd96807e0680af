package standalone

import (
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine/activity"
)

// State is where a run stands, by the name that refusals show (spec/activity.md
// 11.2).
type State string

// The states.
const (
	StateScheduled       State = "Scheduled" // queued, delayed or backing off
	StateStarted         State = "Started"
	StateCancelRequested State = "CancelRequested"
	StatePauseRequested  State = "PauseRequested"
	StateResetRequested  State = "ResetRequested"
	StatePaused          State = "Paused"
	StateCompleted       State = "Completed"
	StateFailed          State = "Failed"
	StateCanceled        State = "Canceled"
	StateTerminated      State = "Terminated"
	StateTimedOut        State = "TimedOut"
)

var closedStates = map[enumspb.ActivityExecutionStatus]State{
	enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED:  StateCompleted,
	enumspb.ACTIVITY_EXECUTION_STATUS_FAILED:     StateFailed,
	enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED:   StateCanceled,
	enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED: StateTerminated,
	enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT:  StateTimedOut,
}

// State is where the run stands.
func (r *Run) State() State { return stateOf(r.Info, r.Activity) }

func stateOf(i *Info, s *activity.State) State {
	switch closed := closedStates[i.Status]; {
	case closed != "":
		return closed
	case s.Unstarted() && s.Paused:
		return StatePaused
	case s.Unstarted():
		return StateScheduled
	case s.CancelRequested:
		return StateCancelRequested
	case s.Resetting:
		return StateResetRequested
	case s.Paused:
		return StatePauseRequested
	}
	return StateStarted
}

// RunState is where the run stands, as the API shows it: unspecified once it has
// closed. A reset that has been asked for does not show, but a pause that is to
// outlast it does.
func (r *Run) RunState() enumspb.PendingActivityState {
	switch r.State() {
	case StateScheduled:
		return enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
	case StatePaused:
		return enumspb.PENDING_ACTIVITY_STATE_PAUSED
	case StateCancelRequested:
		return enumspb.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
	case StatePauseRequested:
		return enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
	case StateResetRequested:
		if r.Activity.Paused {
			return enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
		}
		return enumspb.PENDING_ACTIVITY_STATE_STARTED
	case StateStarted:
		return enumspb.PENDING_ACTIVITY_STATE_STARTED
	}
	return enumspb.PENDING_ACTIVITY_STATE_UNSPECIFIED
}
