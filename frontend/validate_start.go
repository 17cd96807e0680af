package frontend

import (
	"context"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine/cron"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/engine/payload"
	"github.com/perdure/perdure/engine/priority"
	"github.com/perdure/perdure/engine/retry"
	"github.com/perdure/perdure/engine/searchattr"
	"github.com/perdure/perdure/engine/taskqueue"
	"github.com/perdure/perdure/engine/versioning"
)

// starting is what the requests have in common that may start a workflow.
type starting interface {
	proto.Message
	GetWorkflowId() string
	GetWorkflowType() *commonpb.WorkflowType
	GetTaskQueue() *taskqueuepb.TaskQueue
	GetInput() *commonpb.Payloads
	GetWorkflowExecutionTimeout() *durationpb.Duration
	GetWorkflowRunTimeout() *durationpb.Duration
	GetWorkflowTaskTimeout() *durationpb.Duration
	GetIdentity() string
	GetRequestId() string
	GetWorkflowIdReusePolicy() enumspb.WorkflowIdReusePolicy
	GetWorkflowIdConflictPolicy() enumspb.WorkflowIdConflictPolicy
	GetRetryPolicy() *commonpb.RetryPolicy
	GetCronSchedule() string
	GetMemo() *commonpb.Memo
	GetSearchAttributes() *commonpb.SearchAttributes
	GetWorkflowStartDelay() *durationpb.Duration
	GetLinks() []*commonpb.Link
	GetVersioningOverride() *workflowpb.VersioningOverride
	GetPriority() *commonpb.Priority
	GetTimeSkippingConfig() *commonpb.TimeSkippingConfig
}

// prepareStart fills in the defaults of a start request and checks it. The
// request is ours alone until it goes to the core, so it is changed in place.
func (f *Frontend) prepareStart(ctx context.Context, r *workflowservice.StartWorkflowExecutionRequest) error {
	if r.RetryPolicy != nil {
		r.RetryPolicy = retry.Fill(r.RetryPolicy)
	}
	err := firstError(
		func() error { return f.checkStartHead(r) },
		func() error { return checkIDPolicies(r) },
		func() error { return checkOnConflict(r.GetOnConflictOptions()) },
		func() error {
			if r.GetTimeSkippingStatePropagation() != nil { // what parents tell their children
				return invalid("TimeSkippingStatePropagation is not allowed on request.")
			}
			return nil
		},
		func() error { return f.checkStartTail(ctx, r, r.GetCompletionCallbacks()) },
	)
	if err != nil {
		return err
	}
	if r.RequestId == "" {
		r.RequestId = freshID()
	}
	r.TaskQueue = normalQueue(r.TaskQueue)
	r.WorkflowIdReusePolicy, r.WorkflowIdConflictPolicy = idPolicies(
		r.WorkflowIdReusePolicy, r.WorkflowIdConflictPolicy, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL)
	return nil
}

// prepareSignalWithStart is prepareStart for SignalWithStart (workflow.md 1.15).
func (f *Frontend) prepareSignalWithStart(ctx context.Context, r *workflowservice.SignalWithStartWorkflowExecutionRequest) error {
	if r.RetryPolicy != nil {
		r.RetryPolicy = retry.Fill(r.RetryPolicy)
	}
	err := firstError(
		func() error { return f.checkStartHead(r) },
		func() error { return f.checkSignalName(r.GetSignalName()) },
		func() error { return checkIDPolicies(r) },
		func() error {
			if r.GetWorkflowIdConflictPolicy() == enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL {
				return invalid("Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation.")
			}
			return nil
		},
		func() error { return f.checkStartTail(ctx, r, nil) },
		func() error { return f.checkBlob(r.GetSignalInput()) },
	)
	if err != nil {
		return err
	}
	if r.RequestId == "" {
		r.RequestId = freshID()
	}
	r.TaskQueue = normalQueue(r.TaskQueue)
	r.WorkflowIdReusePolicy, r.WorkflowIdConflictPolicy = idPolicies(
		r.WorkflowIdReusePolicy, r.WorkflowIdConflictPolicy, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
	return nil
}

// normalQueue is the queue with its kind filled in.
func normalQueue(q *taskqueuepb.TaskQueue) *taskqueuepb.TaskQueue {
	if q.GetKind() != enumspb.TASK_QUEUE_KIND_UNSPECIFIED {
		return q
	}
	return taskqueue.Normal(q.GetName())
}

// idPolicies resolves UNSPECIFIED and the deprecated TERMINATE_IF_RUNNING
// (workflow.md 1.3).
func idPolicies(reuse enumspb.WorkflowIdReusePolicy, conflict, unspecified enumspb.WorkflowIdConflictPolicy) (enumspb.WorkflowIdReusePolicy, enumspb.WorkflowIdConflictPolicy) {
	//lint:ignore SA1019 clients still send it
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING {
		reuse, conflict = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
	}
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	if conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED {
		conflict = unspecified
	}
	return reuse, conflict
}

// checkStartHead is rows 2 to 13 of workflow.md 1.1.
func (f *Frontend) checkStartHead(r starting) error {
	return firstError(
		func() error { return f.checkWorkflowID(r.GetWorkflowId()) },
		func() error { return retry.Check(r.GetRetryPolicy()) },
		func() error { return f.checkStartTime(r) },
		func() error { return f.checkWorkflowType(r.GetWorkflowType()) },
		func() error { return taskqueue.Check(r.GetTaskQueue(), f.limits) },
		func() error {
			return checkRequestDuration("WorkflowExecutionTimeoutSeconds", r.GetWorkflowExecutionTimeout())
		},
		func() error { return checkRequestDuration("WorkflowRunTimeoutSeconds", r.GetWorkflowRunTimeout()) },
		func() error { return checkRequestDuration("WorkflowTaskTimeoutSeconds", r.GetWorkflowTaskTimeout()) },
		func() error { return f.checkRequestID(r.GetRequestId()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
	)
}

// checkStartTail is rows 17 to 23 of workflow.md 1.1.
func (f *Frontend) checkStartTail(ctx context.Context, r starting, callbacks []*commonpb.Callback) error {
	ns := namespaceOf(ctx)
	return firstError(
		func() error { return searchattr.Check(ns, f.limits, r.GetSearchAttributes()) },
		func() error { return priority.Check(r.GetPriority(), f.limits) },
		func() error { return f.prepareCallbacks(callbacks) },
		func() error { return checkLinks(r.GetLinks(), f.limits) },
		func() error { return f.checkTimeSkipping(ctx, r.GetTimeSkippingConfig()) },
		func() error { return versioning.Check(r.GetVersioningOverride()) },
		func() error { return f.checkBlob(r.GetInput()) },
		func() error {
			if payload.Size(r.GetMemo(), r.GetMemo().GetFields()) > f.limits.MemoBytes {
				return invalid("Memo size exceeds limit.")
			}
			return nil
		},
	)
}

func (f *Frontend) checkWorkflowType(t *commonpb.WorkflowType) error {
	if t.GetName() == "" {
		return invalid("WorkflowType is not set on request.")
	}
	return f.tooLong(t.GetName(), "WorkflowType length exceeds limit.")
}

// checkStartTime is rows 5 to 7: delay and cron.
func (f *Frontend) checkStartTime(r starting) error {
	delay, schedule := r.GetWorkflowStartDelay(), r.GetCronSchedule()
	if delay != nil && schedule != "" {
		return invalid("CronSchedule and WorkflowStartDelay may not be used together.")
	}
	if err := checkRequestDuration("WorkflowStartDelaySeconds", delay); err != nil {
		return err
	}
	return cron.Check(schedule, f.clock.Now())
}

// checkRequestDuration names the field as the API's messages do.
func checkRequestDuration(field string, d *durationpb.Duration) error {
	if err := duration.Check(d); err != nil {
		return invalidf("An invalid %s is set on request. cause: %v", field, err)
	}
	return nil
}

// checkIDPolicies is rows 14 and 15. A number the API does not know is refused
// as well: a policy guessed for the caller could end the wrong run.
func checkIDPolicies(r starting) error {
	reuse, conflict := r.GetWorkflowIdReusePolicy(), r.GetWorkflowIdConflictPolicy()
	if _, known := enumspb.WorkflowIdReusePolicy_name[int32(reuse)]; !known {
		return invalidf("unknown WorkflowIDReusePolicy: %d", int32(reuse))
	}
	if _, known := enumspb.WorkflowIdConflictPolicy_name[int32(conflict)]; !known {
		return invalidf("unknown WorkflowIDConflictPolicy: %d", int32(conflict))
	}
	//lint:ignore SA1019 clients still send it
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING && conflict != enumspb.WORKFLOW_ID_CONFLICT_POLICY_UNSPECIFIED {
		return invalid("Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together with a WorkflowIDConflictPolicy")
	}
	if reuse == enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE && conflict == enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING {
		return invalid("Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING")
	}
	return nil
}

func checkOnConflict(o *workflowpb.OnConflictOptions) error {
	if o.GetAttachCompletionCallbacks() && !o.GetAttachRequestId() {
		return invalid("attaching request ID is required for attaching completion callbacks")
	}
	return nil
}
