package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	protocolpb "go.temporal.io/api/protocol/v1"
)

// nullServer is the floor the real server is measured against: it receives the
// same calls over the same gRPC stack, appends the bytes a history would have
// to a log, answers once they are synced, and keeps no rules whatever. What it
// costs nobody can avoid who speaks this API and acknowledges only what is on
// disk.
//
// The commits of a workflow are fixed by its scenario: one for its start, for
// each answered workflow task, each answered activity and each signal. That is
// 2 for empty and standalone, 4 for activity1 and signal, 22 for activity10, and
// 103 for fanout100: the next workflow task waits for all activities, which is
// the least that any server could do. An update costs 1, a query and a heartbeat
// none, here as there.
type nullServer struct {
	workflowservice.UnimplementedWorkflowServiceServer
	log    *nullLog
	events cannedEvents
	sdk    sdkEvents
	last   atomic.Uint64
	runs   sync.Map // uint64 in tokens, and nullID -> *nullRun; until the result is read
	// queries wait for their answer: uint64 in tokens -> *nullQuery.
	queries sync.Map
	queues  sync.Map // string -> *nullQueue
}

// nullQueue hands tasks to pollers in the order they come.
type nullQueue struct {
	workflow chan nullTask
	activity chan *nullRun
}

// nullTask is a workflow task: the next of a run, or one that only carries a
// query or an update.
type nullTask struct {
	run     *nullRun
	query   *nullQuery
	message *protocolpb.Message
}

// maxNullTasks bounds a queue; past it answers wait. It is more than fanout100
// has out at any concurrency we measure at.
const maxNullTasks = 1 << 16

// ServeNull runs a null server on a free port of this machine until ctx ends.
// Its log is a file in folder. Options are those of the server it stands beside;
// ready is told the address.
func ServeNull(ctx context.Context, folder string, options []grpc.ServerOption, ready func(address string)) error {
	log, err := openNullLog(filepath.Join(folder, "log"))
	if err != nil {
		return err
	}
	defer log.close()
	return serveNull(ctx, log, options, ready)
}

func serveNull(ctx context.Context, log *nullLog, options []grpc.ServerOption, ready func(address string)) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := grpc.NewServer(options...)
	workflowservice.RegisterWorkflowServiceServer(server, newNullServer(log))
	go func() { <-ctx.Done(); server.Stop() }()
	ready(listener.Addr().String())
	return server.Serve(listener)
}

func newNullServer(log *nullLog) *nullServer {
	events := newCannedEvents()
	return &nullServer{log: log, events: events, sdk: newSDKEvents(events)}
}

func (s *nullServer) queue(name string) *nullQueue {
	if q, ok := s.queues.Load(name); ok {
		return q.(*nullQueue)
	}
	q, _ := s.queues.LoadOrStore(name, &nullQueue{make(chan nullTask, maxNullTasks), make(chan *nullRun, maxNullTasks)})
	return q.(*nullQueue)
}

// StartWorkflowExecution implements workflowservice.
func (s *nullServer) StartWorkflowExecution(_ context.Context, req *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	key := s.last.Add(1)
	r := &nullRun{
		key: key, workflow: req.WorkflowType, queue: s.queue(req.GetTaskQueue().GetName()), closed: make(chan struct{}),
		execution: &commonpb.WorkflowExecution{WorkflowId: req.WorkflowId, RunId: fmt.Sprintf("%08x-0000-4000-8000-000000000000", key)},
	}
	s.runs.Store(key, r)
	s.runs.Store(nullID(req.WorkflowId), r)
	if err := s.commit(r, r.start(s.eventsOf(r, 0))); err != nil {
		return nil, err
	}
	return &workflowservice.StartWorkflowExecutionResponse{
		RunId: r.execution.RunId, Started: true, Status: enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
	}, nil
}

type nullID string

// commit appends what a call adds to a history, waits until it is synced, and
// hands out the tasks that follow.
func (s *nullServer) commit(r *nullRun, n news) error {
	if err := s.log.append(n.bytes); err != nil {
		return status.Errorf(codes.Unavailable, "log: %v", err)
	}
	for range n.activities {
		r.queue.activity <- r
	}
	if n.task {
		r.home().workflow <- nullTask{run: r}
	}
	if n.closed {
		close(r.closed)
	}
	return nil
}

// PollWorkflowTaskQueue implements workflowservice.
func (s *nullServer) PollWorkflowTaskQueue(ctx context.Context, req *workflowservice.PollWorkflowTaskQueueRequest) (*workflowservice.PollWorkflowTaskQueueResponse, error) {
	select {
	case t := <-s.queue(req.GetTaskQueue().GetName()).workflow:
		return s.answered(t), nil
	case <-ctx.Done():
		return &workflowservice.PollWorkflowTaskQueueResponse{}, nil
	}
}

// PollActivityTaskQueue implements workflowservice.
func (s *nullServer) PollActivityTaskQueue(ctx context.Context, req *workflowservice.PollActivityTaskQueueRequest) (*workflowservice.PollActivityTaskQueueResponse, error) {
	select {
	case r := <-s.queue(req.GetTaskQueue().GetName()).activity:
		t := r.activityTask()
		t.WorkflowNamespace = req.Namespace
		return t, nil
	case <-ctx.Done():
		return &workflowservice.PollActivityTaskQueueResponse{}, nil
	}
}

// RespondWorkflowTaskCompleted implements workflowservice.
func (s *nullServer) RespondWorkflowTaskCompleted(_ context.Context, req *workflowservice.RespondWorkflowTaskCompletedRequest) (*workflowservice.RespondWorkflowTaskCompletedResponse, error) {
	r, err := s.find(req.TaskToken)
	if err != nil {
		return nil, err
	}
	if sticky := req.GetStickyAttributes().GetWorkerTaskQueue().GetName(); sticky != "" && r.sticky.Load() == nil {
		r.sticky.Store(s.queue(sticky))
	}
	if len(req.Messages) == 0 {
		n := r.decided(s.eventsOf(r, r.tasksSeen()), req.Commands)
		reply := &workflowservice.RespondWorkflowTaskCompletedResponse{ActivityTasks: r.eager(&n, req.Commands)}
		return reply, s.commit(r, n)
	}
	bytes, tell, err := r.updated(&s.events, req.Messages)
	if err != nil {
		return nil, err
	}
	if err := s.commit(r, news{bytes: bytes}); err != nil {
		return nil, err
	}
	tell()
	return &workflowservice.RespondWorkflowTaskCompletedResponse{}, nil
}

// RespondActivityTaskCompleted implements workflowservice.
func (s *nullServer) RespondActivityTaskCompleted(_ context.Context, req *workflowservice.RespondActivityTaskCompletedRequest) (*workflowservice.RespondActivityTaskCompletedResponse, error) {
	r, err := s.find(req.TaskToken)
	if err != nil {
		return nil, err
	}
	return &workflowservice.RespondActivityTaskCompletedResponse{}, s.commit(r, r.activityDone(s.eventsOf(r, 1)))
}

// SignalWorkflowExecution implements workflowservice.
func (s *nullServer) SignalWorkflowExecution(_ context.Context, req *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	r, err := s.byID(req.GetWorkflowExecution().GetWorkflowId())
	if err != nil {
		return nil, err
	}
	return &workflowservice.SignalWorkflowExecutionResponse{}, s.commit(r, r.signalled(&s.events))
}

// GetWorkflowExecutionHistory implements workflowservice: it waits for the end
// of the run, answers with the last event, and forgets the run.
func (s *nullServer) GetWorkflowExecutionHistory(ctx context.Context, req *workflowservice.GetWorkflowExecutionHistoryRequest) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	r, err := s.byID(req.GetExecution().GetWorkflowId())
	if err != nil {
		return nil, err
	}
	select {
	case <-r.closed:
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	s.runs.Delete(nullID(r.execution.WorkflowId))
	s.runs.Delete(r.key)
	return &workflowservice.GetWorkflowExecutionHistoryResponse{History: storedHistory(s.events.completed)}, nil
}

func (s *nullServer) find(token []byte) (*nullRun, error) {
	if len(token) == 8 {
		if r, ok := s.runs.Load(binary.BigEndian.Uint64(token)); ok {
			return r.(*nullRun), nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such task")
}

// storedHistory carries encoded events as they are, like the real server does.
func storedHistory(bytes []byte) *historypb.History {
	h := &historypb.History{}
	h.ProtoReflect().SetUnknown(bytes)
	return h
}
