package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// UpdatedWithStart is the reply of UpdateWithStart. Either both halves are set,
// or the one that was refused says so and nothing has happened.
type UpdatedWithStart struct {
	Started *Started
	Update  *UpdateStatus

	StartRefused  *engine.Refusal
	UpdateRefused *engine.Refusal
}

// updateWithStart has the open run take the update if the start may use it, else
// starts a run whose first workflow task brings it (spec/workflow.md 6.8).
func updateWithStart(env *engine.Env, id engine.ID, current *Run, in *UpdateWithStart) (*Result, error) {
	if err := checkStart(in.Start); err != nil {
		return startRefused(err), nil
	}
	if err := checkCallbackCount(env.Limits, 0, len(in.Start.GetCompletionCallbacks())); err != nil {
		return startRefused(err), nil
	}
	reuse, conflict := startPolicies(in.Start.GetWorkflowIdReusePolicy(), in.Start.GetWorkflowIdConflictPolicy())
	key := engine.RunKey{ID: id, RunID: env.Fresh.RunID(env.Now)}
	res := &Result{}
	switch {
	case current == nil:
	case usesCurrent(current, in, conflict):
		return updateExisting(env, current, in)
	case !current.Open():
		if err := checkReuse(current, reuse); err != nil {
			return startRefused(err), nil
		}
	case conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING:
		d := newDraft(current.own(env), current)
		d.replacedBy(key.RunID)
		res.Run = d.finish()
	default:
		return startRefused(alreadyRunning(current)), nil
	}
	var status *UpdateStatus
	var err error
	newborn, started := begin(env, key, &StartWorkflow{Request: in.Start, Poller: in.Poller}, func(d *draft) {
		status, err = d.admit(in.Update.GetRequest())
	})
	if err != nil { // no update fits
		return updateRefused(err), nil
	}
	res.New, res.Reply = newborn, &UpdatedWithStart{Started: started, Update: status}
	return res, nil
}

// usesCurrent reports whether the update goes to the current run.
func usesCurrent(current *Run, in *UpdateWithStart, conflict enumspb.WorkflowIdConflictPolicy) bool {
	known := current.UpdateStatus(in.Update.GetRequest().GetMeta().GetUpdateId())
	if !current.Open() {
		return known != nil && known.EventID != 0 // it has an outcome of its own
	}
	return known != nil || current.Start.RequestID == in.Start.GetRequestId() ||
		conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
}

// updateExisting has the run take the update, and the start request as far as it
// asks to be attached to a run that is there.
func updateExisting(env *engine.Env, current *Run, in *UpdateWithStart) (*Result, error) {
	d := newDraft(current.own(env), current)
	started, err := d.attachStart(in.Start)
	if err != nil {
		return startRefused(err), nil
	}
	attached := !d.untouched
	d.untouched = false
	status, err := d.admit(in.Update.GetRequest())
	if err != nil {
		return updateRefused(err), nil
	}
	d.untouched = d.untouched && !attached
	return d.result(&UpdatedWithStart{Started: started, Update: status}), nil
}

// attachStart is use, but for a request that has taken effect before, or comes
// too late.
func (d *draft) attachStart(req *workflowservice.StartWorkflowExecutionRequest) (*Started, error) {
	if repeated := repeatedStart(d.env, d.base, &StartWorkflow{Request: req}); repeated != nil {
		d.untouched, repeated.Started = true, false
		return repeated, nil
	}
	if !d.isOpen() {
		d.untouched = true
		return existing(d.base), nil
	}
	return d.use(req)
}

func startRefused(err error) *Result {
	return &Result{Reply: &UpdatedWithStart{StartRefused: asRefusal(err).(*engine.Refusal)}}
}

func updateRefused(err error) *Result {
	return &Result{Reply: &UpdatedWithStart{UpdateRefused: asRefusal(err).(*engine.Refusal)}}
}
