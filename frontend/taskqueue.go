package frontend

import (
	"context"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
	"github.com/perdure/perdure/matching"
)

// unversioned is how the old string fields say "no version".
const unversioned = "__unversioned__"

// DescribeTaskQueue is taskqueue.md 10.
func (f *Frontend) DescribeTaskQueue(ctx context.Context, r *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	if err := f.checkPollQueue(r.GetTaskQueue()); err != nil {
		return nil, err
	}
	//lint:ignore SA1019 older command lines still ask for it
	if r.GetApiMode() == enumspb.DESCRIBE_TASK_QUEUE_MODE_ENHANCED {
		return f.describeEnhanced(ctx, r)
	}
	sticky := r.GetTaskQueue().GetKind() == enumspb.TASK_QUEUE_KIND_STICKY
	if r.GetReportStats() && (sticky || isPartition(r.GetTaskQueue())) {
		return nil, invalid("DescribeTaskQueue stats are only supported for the root partition")
	}
	d := f.queues.Describe(queueOf(ctx, r.GetTaskQueue(), queueType(r.GetTaskQueueType())))
	resp := &workflowservice.DescribeTaskQueueResponse{Pollers: pollerInfos(d.Pollers), EffectiveRateLimit: rateLimit(&d)}
	if r.GetIncludeTaskQueueStatus() {
		//lint:ignore SA1019 asked for by name
		resp.TaskQueueStatus = &taskqueuepb.TaskQueueStatus{BacklogCountHint: d.Stats.BacklogCount, RatePerSecond: d.TasksPerSecond}
	}
	if !sticky {
		resp.VersioningInfo = &taskqueuepb.TaskQueueVersioningInfo{CurrentVersion: unversioned}
	}
	if r.GetReportStats() {
		resp.Stats = queueStats(d.Stats)
		resp.StatsByPriorityKey = statsByPriority(&d)
	}
	if r.GetReportConfig() {
		resp.Config = &taskqueuepb.TaskQueueConfig{}
	}
	return resp, nil
}

func isPartition(q *taskqueuepb.TaskQueue) bool { return strings.HasPrefix(q.GetName(), "/_sys/") }

func queueType(t enumspb.TaskQueueType) enumspb.TaskQueueType {
	if t == enumspb.TASK_QUEUE_TYPE_UNSPECIFIED {
		return enumspb.TASK_QUEUE_TYPE_WORKFLOW
	}
	return t
}

// describeEnhanced is the mode of older command lines (TQ-103). There is one
// version here: none.
func (f *Frontend) describeEnhanced(ctx context.Context, r *workflowservice.DescribeTaskQueueRequest) (*workflowservice.DescribeTaskQueueResponse, error) {
	switch {
	case r.GetTaskQueue().GetKind() == enumspb.TASK_QUEUE_KIND_STICKY:
		return nil, invalid("Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue.")
	case isPartition(r.GetTaskQueue()):
		return nil, invalid("Enhanced DescribeTaskQueue is not valid for non-root queue partitions, use api_mode=UNSPECIFIED or a normal queue root name.")
	}
	types := r.GetTaskQueueTypes()
	if len(types) == 0 {
		types = []enumspb.TaskQueueType{
			enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY, enumspb.TASK_QUEUE_TYPE_NEXUS,
		}
	}
	infos := make(map[int32]*taskqueuepb.TaskQueueTypeInfo, len(types))
	for _, t := range types {
		d := f.queues.Describe(queueOf(ctx, r.GetTaskQueue(), t))
		info := &taskqueuepb.TaskQueueTypeInfo{}
		if r.GetReportPollers() {
			info.Pollers = pollerInfos(d.Pollers)
		}
		if r.GetReportStats() {
			info.Stats = queueStats(d.Stats)
		}
		infos[int32(t)] = info
	}
	return &workflowservice.DescribeTaskQueueResponse{
		//lint:ignore SA1019 the mode's own field
		VersionsInfo: map[string]*taskqueuepb.TaskQueueVersionInfo{"": {
			TypesInfo: infos, TaskReachability: enumspb.BUILD_ID_TASK_REACHABILITY_REACHABLE,
		}},
	}, nil
}

func pollerInfos(seen []matching.PollerSeen) []*taskqueuepb.PollerInfo {
	infos := make([]*taskqueuepb.PollerInfo, 0, len(seen))
	for _, s := range seen {
		infos = append(infos, &taskqueuepb.PollerInfo{
			LastAccessTime: timestamp(s.LastAccess), Identity: s.Poller.Identity, RatePerSecond: s.TasksPerSecond,
			WorkerVersionCapabilities: versionCapabilities(s.Poller), DeploymentOptions: deploymentOptions(s.Poller),
		})
	}
	return infos
}

func versionCapabilities(p engine.Poller) *commonpb.WorkerVersionCapabilities {
	if p.BuildID == "" {
		return nil
	}
	return &commonpb.WorkerVersionCapabilities{BuildId: p.BuildID, UseVersioning: p.UseVersioning}
}

func deploymentOptions(p engine.Poller) *deploymentpb.WorkerDeploymentOptions {
	if p.DeploymentName == "" && p.DeploymentVersion == "" {
		return nil
	}
	return &deploymentpb.WorkerDeploymentOptions{
		DeploymentName: p.DeploymentName, BuildId: p.DeploymentVersion,
		WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_UNVERSIONED,
	}
}

func queueStats(s matching.Stats) *taskqueuepb.TaskQueueStats {
	return &taskqueuepb.TaskQueueStats{
		ApproximateBacklogCount: s.BacklogCount, ApproximateBacklogAge: duration.Proto(s.BacklogAge),
		TasksAddRate: float32(s.AddRate), TasksDispatchRate: float32(s.DispatchRate),
	}
}

// statsByPriority shows the default level when nothing was ever there (TQ-100).
func statsByPriority(d *matching.Description) map[int32]*taskqueuepb.TaskQueueStats {
	const defaultPriority = 3
	by := map[int32]*taskqueuepb.TaskQueueStats{}
	for level, s := range d.ByPriority {
		by[level] = queueStats(s)
	}
	if len(by) == 0 {
		by[defaultPriority] = queueStats(matching.Stats{})
	}
	return by
}

func rateLimit(d *matching.Description) *workflowservice.DescribeTaskQueueResponse_EffectiveRateLimit {
	source := enumspb.RATE_LIMIT_SOURCE_SYSTEM
	if d.FromWorker {
		source = enumspb.RATE_LIMIT_SOURCE_WORKER
	}
	return &workflowservice.DescribeTaskQueueResponse_EffectiveRateLimit{
		RequestsPerSecond: float32(d.TasksPerSecond), RateLimitSource: source,
	}
}

// ListTaskQueuePartitions: every queue is one piece (TQ-104).
func (f *Frontend) ListTaskQueuePartitions(_ context.Context, r *workflowservice.ListTaskQueuePartitionsRequest) (*workflowservice.ListTaskQueuePartitionsResponse, error) {
	if err := f.checkPollQueue(r.GetTaskQueue()); err != nil {
		return nil, err
	}
	only := []*taskqueuepb.TaskQueuePartitionMetadata{{Key: r.GetTaskQueue().GetName(), OwnerHostName: f.address}}
	return &workflowservice.ListTaskQueuePartitionsResponse{
		ActivityTaskQueuePartitions: only, WorkflowTaskQueuePartitions: only,
	}, nil
}

// PollNexusTaskQueue waits for a Nexus task. Nexus is not built yet, so there
// never is one; SDK workers poll all the same, and are kept waiting as by any
// idle queue.
func (f *Frontend) PollNexusTaskQueue(ctx context.Context, r *workflowservice.PollNexusTaskQueueRequest) (*workflowservice.PollNexusTaskQueueResponse, error) {
	err := firstError(
		func() error { return checkPollDeadline(ctx) },
		func() error { return f.checkPollQueue(r.GetTaskQueue()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
	)
	if err != nil {
		return nil, err
	}
	f.workers.record(namespaceOf(ctx).ID, r.GetWorkerHeartbeat())
	p := f.poller(ctx, r.GetIdentity(), freshID())
	p.WorkerInstanceKey = r.GetWorkerInstanceKey()
	versioned(&p, r.GetWorkerVersionCapabilities(), r.GetDeploymentOptions())
	h, err := f.poll(ctx, matching.PollRequest{Queue: queueOf(ctx, r.GetTaskQueue(), enumspb.TASK_QUEUE_TYPE_NEXUS), Poller: p})
	if err != nil {
		return nil, err
	}
	if h != nil { // nobody offers Nexus tasks
		h.Abort()
	}
	return &workflowservice.PollNexusTaskQueueResponse{}, nil
}
