package standalone

import (
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
)

// What workers do. Everything about it is decided in package activity.

// startAttempt gives the offered attempt to a poller (AT-51, AT-52).
func (d *draft) startAttempt(in *StartAttempt) (any, error) {
	if !d.open() {
		return nil, engine.Stale("the activity has ended")
	}
	next, err := d.activity.Start(d.env.Now, in.Stamp, &in.Poller)
	if err != nil {
		return nil, err
	}
	reply := &Started{Run: d.base.Key, Start: d.base.Start, Activity: next}
	if next == d.activity { // the same poll asks again
		d.untouched = true
		return reply, nil
	}
	d.begun(&in.Poller)
	d.put(next)
	return reply, nil
}

// begun notes who has taken an attempt.
func (d *draft) begun(p *engine.Poller) {
	d.info.LastStartedTime = d.env.Now
	d.info.SDKName = p.ClientName
	d.info.SDKVersion = p.ClientVersion
}

// abortAttempt puts an attempt back whose poller was gone before it was told.
func (d *draft) abortAttempt(in *AbortAttempt) (any, error) {
	if !d.open() {
		return nil, engine.Stale("the activity has ended")
	}
	step, err := d.activity.Abort(in.Stamp)
	if err != nil {
		return nil, err
	}
	d.stepped(step)
	return nil, nil
}

// heartbeat records that an attempt is alive (AT-120 to AT-123).
func (d *draft) heartbeat(in *Heartbeat) (any, error) {
	if !d.open() {
		return nil, d.unknown()
	}
	step, heard, err := d.activity.RecordHeartbeat(d.env, in.Stamp, in.Details, in.Identity)
	if err != nil {
		return nil, err
	}
	d.info.Heartbeats++
	d.heard = true
	before := d.activity.HeartbeatDetails
	d.stepped(step)
	// Nothing but the details, the time and the number of reports changed: the
	// shell may write that a little later (DESIGN I1).
	d.change.Deferrable = step.Outcome == nil
	d.change.Trivial = d.change.Deferrable && step.State.HeartbeatDetails == before
	return &workflowservice.RecordActivityTaskHeartbeatResponse{
		CancelRequested: heard.CancelRequested,
		ActivityPaused:  heard.Paused,
		ActivityReset:   heard.Reset,
	}, nil
}

// complete takes a result. By id it is taken even while no worker has the
// activity (AX-11).
func (d *draft) complete(in *Complete) (any, error) {
	switch {
	case !d.open() && in.Stamp == activity.ByID:
		return nil, d.noTransition()
	case !d.open():
		return nil, d.unknown()
	}
	step, err := d.activity.Complete(d.env, in.Stamp, in.Result, in.Identity)
	if err != nil {
		return nil, err
	}
	d.stepped(step)
	return &workflowservice.RespondActivityTaskCompletedResponse{}, nil
}

// fail takes a failure: another attempt follows, or the activity ends.
func (d *draft) fail(in *Fail) (any, error) {
	if !d.open() {
		return nil, d.unknown()
	}
	step, complaints, err := d.activity.Fail(d.env, in.Stamp, in.Failure, in.HeartbeatDetails, in.Identity)
	if err != nil {
		return nil, err
	}
	d.stepped(step)
	return &workflowservice.RespondActivityTaskFailedResponse{Failures: complaints}, nil
}

// acceptCancel: the worker accepts the cancellation (AX-31).
func (d *draft) acceptCancel(in *Cancel) (any, error) {
	if !d.open() {
		return nil, d.unknown()
	}
	step, err := d.activity.AcceptCancel(d.env, in.Stamp, in.Details, in.Identity)
	if err != nil {
		return nil, err
	}
	d.stepped(step)
	return &workflowservice.RespondActivityTaskCanceledResponse{}, nil
}

// unknown is what is heard of a run that is not, or no longer, what was asked for.
func (d *draft) unknown() error { return activity.Unknown(d.base.Key.Name) }

// noTransition refuses what a closed run can no longer do.
func (d *draft) noTransition() error {
	return engine.Refuse(engine.KindFailedPrecondition, "invalid transition from %s", d.state())
}

func (d *draft) state() State { return stateOf(&d.info, d.activity) }
