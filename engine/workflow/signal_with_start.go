package workflow

import (
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// signalWithStart signals the open run, or starts one whose first batch holds
// the signal (spec/workflow.md 1.15). One request id covers both halves.
func signalWithStart(env *engine.Env, id engine.ID, current *Run, in *SignalWithStart) (*Result, error) {
	start := startRequest(in.Request)
	if err := checkStart(start); err != nil {
		return nil, err
	}
	reuse, conflict := startPolicies(start.GetWorkflowIdReusePolicy(), start.GetWorkflowIdConflictPolicy())
	if current != nil {
		if reply := repeatedSignalWithStart(current, start.GetRequestId()); reply != nil {
			return &Result{Reply: reply}, nil
		}
		if current.Open() && conflict != enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING {
			return signalExisting(env, current, in.Request)
		}
	}
	res := &Result{}
	key := engine.RunKey{ID: id, RunID: env.Fresh.RunID(env.Now)}
	if current != nil && current.Open() {
		d := newDraft(current.own(env), current)
		d.replacedBy(key.RunID)
		res.Run = d.finish()
	} else if current != nil {
		if err := checkReuse(current, reuse); err != nil {
			return nil, err
		}
	}
	newborn, reply := begin(env, key, &StartWorkflow{Request: start}, func(d *draft) {
		d.recordSignal(signalOf(in.Request))
	})
	reply.SignalLink = requestLink(newborn.Run, in.Request.GetRequestId(), enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
	res.New, res.Reply = newborn, reply
	return res, nil
}

// repeatedSignalWithStart answers a request that this run has taken: as a
// signal, or, since the run's own request id then stands for both, as a start.
func repeatedSignalWithStart(run *Run, requestID string) *Started {
	r := run.Requests[requestID]
	if requestID == "" || r == nil {
		return nil
	}
	reply := existing(run)
	reply.Started = run.Start.RequestID == requestID
	reply.SignalLink = requestLink(run, requestID, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
	return reply
}

// signalExisting signals the open run. One that still waits for its first
// workflow task gets it now, whatever delay was left.
func signalExisting(env *engine.Env, run *Run, req *workflowservice.SignalWithStartWorkflowExecutionRequest) (*Result, error) {
	d := newDraft(run.own(env), run)
	if err := d.checkSignal(); err != nil {
		return nil, err
	}
	d.recordSignal(signalOf(req))
	d.endBackoff()
	d.wantTask()
	reply := existing(run)
	reply.SignalLink = requestLink(run, req.GetRequestId(), enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
	return d.result(reply), nil
}

func signalOf(req *workflowservice.SignalWithStartWorkflowExecutionRequest) arrivingSignal {
	return arrivingSignal{
		name:      req.GetSignalName(),
		input:     req.GetSignalInput(),
		header:    req.GetHeader(),
		identity:  req.GetIdentity(),
		requestID: req.GetRequestId(),
		links:     req.GetLinks(),
	}
}

// startRequest is the start half.
func startRequest(r *workflowservice.SignalWithStartWorkflowExecutionRequest) *workflowservice.StartWorkflowExecutionRequest {
	return &workflowservice.StartWorkflowExecutionRequest{
		Namespace:                r.GetNamespace(),
		WorkflowId:               r.GetWorkflowId(),
		WorkflowType:             r.GetWorkflowType(),
		TaskQueue:                r.GetTaskQueue(),
		Input:                    r.GetInput(),
		WorkflowExecutionTimeout: r.GetWorkflowExecutionTimeout(),
		WorkflowRunTimeout:       r.GetWorkflowRunTimeout(),
		WorkflowTaskTimeout:      r.GetWorkflowTaskTimeout(),
		Identity:                 r.GetIdentity(),
		RequestId:                r.GetRequestId(),
		WorkflowIdReusePolicy:    r.GetWorkflowIdReusePolicy(),
		WorkflowIdConflictPolicy: r.GetWorkflowIdConflictPolicy(),
		RetryPolicy:              r.GetRetryPolicy(),
		CronSchedule:             r.GetCronSchedule(),
		Memo:                     r.GetMemo(),
		SearchAttributes:         r.GetSearchAttributes(),
		Header:                   r.GetHeader(),
		WorkflowStartDelay:       r.GetWorkflowStartDelay(),
		UserMetadata:             r.GetUserMetadata(),
		Links:                    r.GetLinks(),
		VersioningOverride:       r.GetVersioningOverride(),
		Priority:                 r.GetPriority(),
		TimeSkippingConfig:       r.GetTimeSkippingConfig(),
	}
}
