package standalone

import (
	"go.temporal.io/api/workflowservice/v1"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

// systemIdentity is who the server is when it acts on its own.
const systemIdentity = "history-service"

// requestCancel asks for cancellation (AX-30). A worker that has an attempt
// learns of it at its next heartbeat and decides; when nobody has one, the run
// ends at once.
func (d *draft) requestCancel(in *RequestCancel) (any, error) {
	req, reply := in.Request, &workflowservice.RequestCancelActivityExecutionResponse{}
	if d.info.Cancel.repeatedBy(req.GetRequestId()) {
		d.untouched = true
		return reply, nil
	}
	switch {
	case !d.open():
		return nil, d.terminal()
	case d.info.Cancel != nil:
		return nil, d.refuse("cancellation already requested with request ID %s", d.info.Cancel.ID)
	}
	d.info.Cancel = &Request{ID: req.GetRequestId(), Identity: req.GetIdentity(), Reason: req.GetReason(), Time: d.env.Now}
	if s := d.activity.RequestCancel(0); s.Unstarted() {
		outcome := s.CancelUnstarted(req.GetIdentity())
		d.end(&outcome)
	} else {
		d.put(s)
	}
	return reply, nil
}

// terminate ends the run at once (AX-32).
func (d *draft) terminate(in *Terminate) (any, error) {
	req, reply := in.Request, &workflowservice.TerminateActivityExecutionResponse{}
	if d.info.Terminate.repeatedBy(req.GetRequestId()) {
		d.untouched = true
		return reply, nil
	}
	switch {
	case d.info.Terminate != nil:
		return nil, d.refuse("already terminated with request ID %s", d.info.Terminate.ID)
	case !d.open():
		return nil, d.noTransition()
	}
	d.terminateFor(&Request{ID: req.GetRequestId(), Identity: req.GetIdentity(), Reason: req.GetReason(), Time: d.env.Now})
	return reply, nil
}

func (d *draft) terminateFor(r *Request) {
	d.info.Terminate = r
	d.close(enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED, terminated(r.Reason, r.Identity))
}

// delete removes the run (AX-33). An open one is terminated in this step and
// forgotten in the next, which is due at once: those who wait for its outcome
// are told.
func (d *draft) delete() (any, error) {
	if d.open() {
		d.terminateFor(&Request{Identity: systemIdentity, Reason: "Delete activity execution", Time: d.env.Now})
		d.info.DeleteAt = d.env.Now
	} else {
		d.forget()
	}
	return &workflowservice.DeleteActivityExecutionResponse{}, nil
}

// forget removes every trace of a closed run.
func (d *draft) forget() {
	d.change.Deleted = true
	d.visible = true
}

// repeatedBy reports whether the request with that id is the one that was granted.
func (r *Request) repeatedBy(id string) bool { return r != nil && id != "" && r.ID == id }

func (d *draft) refuse(format string, args ...any) error {
	return engine.Refuse(engine.KindFailedPrecondition, format, args...)
}

// terminal refuses what only an open run can do.
func (d *draft) terminal() error { return d.refuse("activity is in terminal state %s", d.state()) }
