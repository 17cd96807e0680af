package frontend

import (
	"context"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/matching"
)

// poller describes who calls, as far as the execution records it.
func (f *Frontend) poller(ctx context.Context, identity, requestID string) engine.Poller {
	client := &callOf(ctx).client
	return engine.Poller{Identity: identity, RequestID: requestID, ClientName: client.name, ClientVersion: client.version}
}

// versioned adds what a poll says about the worker's version (WV-1, WV-12).
func versioned(p *engine.Poller, caps *commonpb.WorkerVersionCapabilities, o *deploymentpb.WorkerDeploymentOptions) {
	p.BuildID, p.UseVersioning = caps.GetBuildId(), caps.GetUseVersioning()
	if o != nil {
		p.DeploymentName, p.DeploymentVersion = o.GetDeploymentName(), o.GetBuildId()
	}
}

// checkPollQueue is for the queue of a poll (TQ-0b, TQ-75).
func (f *Frontend) checkPollQueue(q *taskqueuepb.TaskQueue) error {
	if q.GetName() == "" {
		return invalid("taskQueue is not set")
	}
	return firstError(
		func() error { return f.tooLong(q.GetName(), "taskQueue length exceeds limit") },
		func() error { return f.tooLong(q.GetNormalName(), "taskQueue length exceeds limit") },
	)
}

// queueOf is the queue a request names, in the call's namespace.
func queueOf(ctx context.Context, q *taskqueuepb.TaskQueue, t enumspb.TaskQueueType) engine.TaskQueue {
	queue := engine.TaskQueue{NamespaceID: namespaceOf(ctx).ID, Name: q.GetName(), Type: t}
	if q.GetKind() == enumspb.TASK_QUEUE_KIND_STICKY {
		queue.Sticky, queue.NormalName = true, q.GetNormalName()
	}
	return queue
}

// poll waits at a queue. A nil Handover without an error is the empty answer.
func (f *Frontend) poll(ctx context.Context, req matching.PollRequest) (*matching.Handover, error) {
	place, err := f.waiting.enterPoll(req.Queue.NamespaceID)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	if f.waiting.draining() {
		return nil, nil
	}
	handover, err := f.queues.Poll(ctx, req)
	if errors.Is(err, matching.ErrTooManyPollers) {
		return nil, exhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT, err.Error())
	}
	return handover, err
}

// settle decides what becomes of a handover once its answer is made: a caller
// that is gone by now, or an answer that could not be made, puts the task back
// (TQ-5, AT-53). Between this moment and the worker's reading it, only the
// task's timeouts help, as the API promises.
func settle(ctx context.Context, h *matching.Handover, err error) error {
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		h.Abort()
	}
	return err
}

// scaling is the advice to start or end a poller; nil is no opinion (TQ-55).
func scaling(delta int32) *taskqueuepb.PollerScalingDecision {
	if delta == 0 {
		return nil
	}
	return &taskqueuepb.PollerScalingDecision{PollRequestDeltaSuggestion: delta}
}
