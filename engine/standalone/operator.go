package standalone

import (
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/internal/invariant"
)

// What operators do (spec/activity.md 11.6). Each is recognised when it is asked
// for again, whatever has become of the run since (AX-40).

// pause keeps attempts from being handed out (AX-41).
func (d *draft) pause(in *Pause) (any, error) {
	req, reply := in.Request, &workflowservice.PauseActivityExecutionResponse{}
	if d.repeats(&d.info.PauseRequestID, req.GetRequestId()) {
		return reply, nil
	}
	if s := d.state(); s != StateScheduled && s != StateStarted {
		return nil, d.refuse("activity is in non-pausable state %s", s)
	}
	next, err := d.activity.SetPaused(activity.Pause{
		Time: d.env.Now, Identity: req.GetIdentity(), Reason: req.GetReason(), RequestID: req.GetRequestId()})
	invariant.Check(err == nil, "activity %s is not paused, but cannot be: %v", d.activity.ID, err)
	d.put(next)
	return reply, nil
}

// unpause ends a pause (AX-41).
func (d *draft) unpause(in *Unpause) (any, error) {
	req, reply := in.Request, &workflowservice.UnpauseActivityExecutionResponse{}
	if d.repeats(&d.info.UnpauseRequestID, req.GetRequestId()) {
		return reply, nil
	}
	switch s := d.state(); {
	case !d.open():
		return nil, d.terminal()
	case s != StatePaused && s != StatePauseRequested:
		return nil, d.refuse("activity is in non-unpausable state %s", s)
	}
	d.operated(d.activity.Unpause(d.env, activity.Unpause{Jitter: duration.Of(req.GetJitter())}))
	return reply, nil
}

// reset begins the attempts anew (AX-43, AX-44).
func (d *draft) reset(in *Reset) (any, error) {
	req, reply := in.Request, &workflowservice.ResetActivityExecutionResponse{}
	if d.repeats(&d.info.ResetRequestID, req.GetRequestId()) {
		return reply, nil
	}
	switch s := d.state(); {
	case !d.open():
		return nil, d.refuse("activity execution is not running")
	case s == StateCancelRequested:
		return nil, d.refuse("cannot reset an activity with a pending cancellation")
	case s == StateResetRequested:
		return nil, d.refuse("cannot reset an activity with a pending reset")
	}
	r := activity.Reset{
		ResetHeartbeat: req.GetResetHeartbeat(), KeepPaused: req.GetKeepPaused(), Jitter: duration.Of(req.GetJitter()),
	}
	if req.GetRestoreOriginalOptions() {
		r.Original = d.originalOptions()
	}
	d.operated(d.activity.Reset(d.env, r))
	return reply, nil
}

// updateOptions puts new options in force (AX-45).
func (d *draft) updateOptions(in *UpdateOptions) (any, error) {
	req := in.Request
	if d.repeats(&d.info.OptionsRequestID, req.GetRequestId()) {
		return &d.activity.Options, nil
	}
	if err := checkUpdate(req); err != nil {
		return nil, err
	}
	switch s := d.state(); {
	case s == StateResetRequested && d.activity.ResetOptions != nil:
		return nil, d.refuse("cannot update options while a deferred Reset(RestoreOriginalOptions) is pending")
	case !d.open(), s == StateCancelRequested, s == StateResetRequested:
		return nil, d.refuse("Cannot update options for activity in state %s", s)
	}
	o := *d.originalOptions()
	if !req.GetRestoreOriginal() {
		patch := activity.Patch{Options: req.GetActivityOptions(), Paths: req.GetUpdateMask().GetPaths()}
		if patch.Delays() && !d.delayable() {
			return nil, d.refuse("cannot update start_delay: the first activity attempt has already been dispatched")
		}
		var err error
		if o, err = patch.Apply(d.activity, d.env.Limits, 0); err != nil {
			return nil, err
		}
	}
	d.operated(d.activity.SetOptions(d.env, o))
	return &o, nil
}

func checkUpdate(req *workflowservice.UpdateActivityExecutionOptionsRequest) error {
	paths := req.GetUpdateMask().GetPaths()
	switch {
	case req.GetRestoreOriginal() && len(paths) > 0:
		return engine.Invalid("Both UpdateMask and RestoreOriginal are provided")
	case req.GetRestoreOriginal():
		return nil
	case req.GetActivityOptions() == nil:
		return engine.Invalid("ActivityOptions are not provided")
	case len(paths) == 0:
		return engine.Invalid("UpdateMask must specify at least one path")
	}
	return nil
}

// repeats reports whether the request with that id is the last of its kind that
// was carried out, and then leaves the run untouched; if not, it is from now on.
func (d *draft) repeats(last *string, id string) bool {
	if id != "" && id == *last {
		d.untouched = true
		return true
	}
	*last = id
	return false
}

// operated keeps what an operator has made of the activity, and does what is due
// by it: a hand-out, or a timeout that new options have brought into the past.
func (d *draft) operated(next *activity.State) {
	d.put(next)
	d.overdue()
}

// originalOptions are those the activity was started with; of the start delay
// that only as long as it can still be changed.
func (d *draft) originalOptions() *activity.Options {
	o := d.base.Start.Options
	if !d.delayable() {
		o.StartDelay = d.activity.StartDelay
	}
	return &o
}

// delayable reports whether the first attempt has yet to be dispatched: the start
// delay is not over, or a pause has come before.
func (d *draft) delayable() bool {
	s := d.activity
	if !s.Unstarted() || s.Attempt > 1 || !d.info.LastStartedTime.IsZero() {
		return false
	}
	return s.Paused || d.env.Now.Before(s.DueTime)
}
