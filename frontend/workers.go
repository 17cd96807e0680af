package frontend

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workerpb "go.temporal.io/api/worker/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/internal/clock"
	"github.com/perdure/perdure/matching"
)

// Bounds of what is remembered of workers (TQ-95): it is a convenience, never
// stored. The reference keeps a million; at some 1 KB each we keep fewer.
const (
	workerKept       = 5 * time.Minute
	maxWorkers       = 100_000
	maxWorkerPage    = 1000
	workerKeyMaxSize = 1000
)

// workers remembers the latest heartbeat of each worker.
type workers struct {
	clock clock.Clock
	mu    struct {
		sync.Mutex
		byKey map[workerKey]*worker
		swept time.Time
	}
}

type workerKey struct{ namespaceID, instance string }

type worker struct {
	heartbeat *workerpb.WorkerHeartbeat // never changed once here
	seen      time.Time
}

func newWorkers(c clock.Clock) *workers {
	w := &workers{clock: c}
	w.mu.byKey = map[workerKey]*worker{}
	return w
}

// record takes heartbeats. A worker that says it has shut down is forgotten;
// when there is no room a new one is not remembered.
func (w *workers) record(namespaceID string, heartbeats []*workerpb.WorkerHeartbeat) {
	if len(heartbeats) == 0 {
		return
	}
	now := w.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sweep(now)
	for _, h := range heartbeats {
		key := workerKey{namespaceID, h.GetWorkerInstanceKey()}
		if key.instance == "" || len(key.instance) > workerKeyMaxSize {
			continue
		}
		if h.GetStatus() == enumspb.WORKER_STATUS_SHUTDOWN {
			delete(w.mu.byKey, key)
			continue
		}
		if w.mu.byKey[key] != nil || len(w.mu.byKey) < maxWorkers {
			w.mu.byKey[key] = &worker{heartbeat: h, seen: now}
		}
	}
}

// sweep forgets those not heard of for a while, at most once a minute.
// Invariant: mu is held.
func (w *workers) sweep(now time.Time) {
	if now.Sub(w.mu.swept) < time.Minute {
		return
	}
	w.mu.swept = now
	maps.DeleteFunc(w.mu.byKey, func(_ workerKey, k *worker) bool { return now.Sub(k.seen) > workerKept })
}

// of are the workers of a namespace that are known now, by instance key.
func (w *workers) of(namespaceID string) []*workerpb.WorkerHeartbeat {
	now := w.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*workerpb.WorkerHeartbeat
	for key, k := range w.mu.byKey {
		if key.namespaceID == namespaceID && now.Sub(k.seen) <= workerKept {
			all = append(all, k.heartbeat)
		}
	}
	slices.SortFunc(all, func(a, b *workerpb.WorkerHeartbeat) int {
		return slices.Compare([]byte(a.GetWorkerInstanceKey()), []byte(b.GetWorkerInstanceKey()))
	})
	return all
}

// RecordWorkerHeartbeat is TQ-95.
func (f *Frontend) RecordWorkerHeartbeat(ctx context.Context, r *workflowservice.RecordWorkerHeartbeatRequest) (*workflowservice.RecordWorkerHeartbeatResponse, error) {
	f.workers.record(namespaceOf(ctx).ID, r.GetWorkerHeartbeat())
	return &workflowservice.RecordWorkerHeartbeatResponse{}, nil
}

// matchingWorkers are those a query selects.
func (f *Frontend) matchingWorkers(ctx context.Context, query string) ([]*workerpb.WorkerHeartbeat, error) {
	keep, err := parseWorkerQuery(query)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(f.workers.of(namespaceOf(ctx).ID), func(h *workerpb.WorkerHeartbeat) bool { return !keep(h) }), nil
}

// ListWorkers is TQ-96.
func (f *Frontend) ListWorkers(ctx context.Context, r *workflowservice.ListWorkersRequest) (*workflowservice.ListWorkersResponse, error) {
	after, ok := openNamePage(r.GetNextPageToken())
	if !ok {
		return nil, invalid("invalid next_page_token")
	}
	all, err := f.matchingWorkers(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	from, _ := slices.BinarySearchFunc(all, after, func(h *workerpb.WorkerHeartbeat, after string) int {
		if h.GetWorkerInstanceKey() > after {
			return 1
		}
		return -1
	})
	page := all[from:]
	resp := &workflowservice.ListWorkersResponse{}
	if size := workerPageSize(r.GetPageSize()); len(page) > size {
		page = page[:size]
		resp.NextPageToken = sealNamePage(page[size-1].GetWorkerInstanceKey())
	}
	for _, h := range page {
		//lint:ignore SA1019 both are filled, for old and new callers
		resp.WorkersInfo = append(resp.WorkersInfo, &workerpb.WorkerInfo{WorkerHeartbeat: h})
		resp.Workers = append(resp.Workers, listInfo(h))
	}
	return resp, nil
}

func workerPageSize(asked int32) int {
	if asked <= 0 || asked > maxWorkerPage {
		return maxWorkerPage
	}
	return int(asked)
}

func listInfo(h *workerpb.WorkerHeartbeat) *workerpb.WorkerListInfo {
	return &workerpb.WorkerListInfo{
		WorkerInstanceKey: h.GetWorkerInstanceKey(), WorkerIdentity: h.GetWorkerIdentity(), TaskQueue: h.GetTaskQueue(),
		DeploymentVersion: h.GetDeploymentVersion(), SdkName: h.GetSdkName(), SdkVersion: h.GetSdkVersion(),
		Status: h.GetStatus(), StartTime: h.GetStartTime(), HostName: h.GetHostInfo().GetHostName(),
		WorkerGroupingKey: h.GetHostInfo().GetWorkerGroupingKey(), ProcessId: h.GetHostInfo().GetProcessId(),
		Plugins: h.GetPlugins(), Drivers: h.GetDrivers(),
	}
}

// CountWorkers is TQ-97.
func (f *Frontend) CountWorkers(ctx context.Context, r *workflowservice.CountWorkersRequest) (*workflowservice.CountWorkersResponse, error) {
	all, err := f.matchingWorkers(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	return &workflowservice.CountWorkersResponse{Count: int64(len(all))}, nil
}

// DescribeWorker is TQ-97.
func (f *Frontend) DescribeWorker(ctx context.Context, r *workflowservice.DescribeWorkerRequest) (*workflowservice.DescribeWorkerResponse, error) {
	for _, h := range f.workers.of(namespaceOf(ctx).ID) {
		if h.GetWorkerInstanceKey() == r.GetWorkerInstanceKey() {
			return &workflowservice.DescribeWorkerResponse{WorkerInfo: &workerpb.WorkerInfo{WorkerHeartbeat: h}}, nil
		}
	}
	return nil, serviceerror.NewNotFoundf("Worker %s not found", r.GetWorkerInstanceKey())
}

// ShutdownWorker is TQ-90 and TQ-92.
func (f *Frontend) ShutdownWorker(ctx context.Context, r *workflowservice.ShutdownWorkerRequest) (*workflowservice.ShutdownWorkerResponse, error) {
	ns := namespaceOf(ctx).ID
	s := matching.Shutdown{Identity: r.GetIdentity(), InstanceKey: r.GetWorkerInstanceKey()}
	if name := r.GetStickyTaskQueue(); name != "" {
		s.Sticky = engine.TaskQueue{
			NamespaceID: ns, Name: name, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW, Sticky: true, NormalName: r.GetTaskQueue(),
		}
		s.Queues = append(s.Queues, s.Sticky)
	}
	types := r.GetTaskQueueTypes()
	if len(types) == 0 {
		types = []enumspb.TaskQueueType{enumspb.TASK_QUEUE_TYPE_WORKFLOW, enumspb.TASK_QUEUE_TYPE_ACTIVITY}
	}
	for _, t := range types {
		if r.GetTaskQueue() != "" {
			s.Queues = append(s.Queues, engine.TaskQueue{NamespaceID: ns, Name: r.GetTaskQueue(), Type: t})
		}
	}
	f.queues.ShutdownWorker(s)
	if h := r.GetWorkerHeartbeat(); h != nil {
		f.workers.record(ns, []*workerpb.WorkerHeartbeat{h})
	}
	return &workflowservice.ShutdownWorkerResponse{}, nil
}
