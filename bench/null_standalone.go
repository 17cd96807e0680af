package bench

import (
	"context"
	"fmt"

	activitypb "go.temporal.io/api/activity/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// StartActivityExecution implements workflowservice: what a start must keep is
// the request.
func (s *nullServer) StartActivityExecution(_ context.Context, req *workflowservice.StartActivityExecutionRequest) (*workflowservice.StartActivityExecutionResponse, error) {
	bytes, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	key := s.last.Add(1)
	r := &nullRun{key: key, queue: s.queue(req.GetTaskQueue().GetName()), standalone: true, closed: make(chan struct{})}
	s.runs.Store(key, r)
	s.runs.Store(nullID(req.GetActivityId()), r)
	if err := s.commit(r, news{bytes: bytes, activities: 1}); err != nil {
		return nil, err
	}
	return &workflowservice.StartActivityExecutionResponse{RunId: fmt.Sprintf("%08x-0000-4000-8000-000000000000", key), Started: true}, nil
}

// PollActivityExecution implements workflowservice: it waits for the outcome and
// forgets the run.
func (s *nullServer) PollActivityExecution(ctx context.Context, req *workflowservice.PollActivityExecutionRequest) (*workflowservice.PollActivityExecutionResponse, error) {
	id := nullID(req.GetActivityId())
	found, ok := s.runs.Load(id)
	if !ok {
		return nil, status.Error(codes.NotFound, "no such activity")
	}
	r := found.(*nullRun)
	select {
	case <-r.closed:
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	s.runs.Delete(id)
	s.runs.Delete(r.key)
	return &workflowservice.PollActivityExecutionResponse{RunId: req.GetRunId(), Outcome: nullOutcome}, nil
}

// RecordActivityTaskHeartbeat implements workflowservice. Nothing is kept: what a
// crash may forget need not be written.
func (s *nullServer) RecordActivityTaskHeartbeat(_ context.Context, req *workflowservice.RecordActivityTaskHeartbeatRequest) (*workflowservice.RecordActivityTaskHeartbeatResponse, error) {
	if _, err := s.find(req.GetTaskToken()); err != nil {
		return nil, err
	}
	return &workflowservice.RecordActivityTaskHeartbeatResponse{}, nil
}

// nullOutcome is what every standalone activity comes to; nullOutcomeBytes what
// of it must be kept.
var (
	nullOutcome      = &activitypb.ActivityExecutionOutcome{Value: &activitypb.ActivityExecutionOutcome_Result{Result: payload}}
	nullOutcomeBytes = func() []byte {
		bytes, err := proto.Marshal(nullOutcome)
		if err != nil { // a constant that always can be
			panic(err)
		}
		return bytes
	}()
)
