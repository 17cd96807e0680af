package standalone

import (
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// useExisting answers with the open run and, if asked, attaches to it what the
// request brings (AX-4, AX-8).
func useExisting(env *engine.Env, run *Run, req *workflowservice.StartActivityExecutionRequest) (*Result, error) {
	a := &Attachment{Number: int64(len(run.Attachments)) + 1}
	opts := req.GetOnConflictOptions()
	if opts.GetAttachRequestId() {
		a.RequestID = req.GetRequestId()
	}
	if opts.GetAttachLinks() {
		a.Links = req.GetLinks()
	}
	var callbacks []*commonpb.Callback
	if opts.GetAttachCompletionCallbacks() {
		callbacks = req.GetCompletionCallbacks()
	}
	if a.RequestID == "" && len(a.Links)+len(callbacks) == 0 {
		return &Result{Reply: existing(run)}, nil
	}
	if n, limit := len(run.Links()), env.Limits.ActivityLinks; n+len(a.Links) > limit {
		return nil, engine.Refuse(engine.KindFailedPrecondition,
			"cannot attach more than %d links to an activity (%d links already attached)", limit, n)
	}
	// A request may attach no more than its id: those are kept as long as the run is.
	if n, limit := len(run.Attachments), env.Limits.ActivityLinks+env.Limits.ActivityCallbacks; n >= limit {
		return nil, engine.Refuse(engine.KindFailedPrecondition,
			"cannot attach more than %d requests to an activity (%d requests already attached)", limit, n)
	}
	d := newDraft(env, run)
	if err := d.attachCallbacks(callbacks, a.RequestID); err != nil {
		return nil, err
	}
	d.change.Attachments = []*Attachment{a}
	return d.result(existing(run)), nil
}
