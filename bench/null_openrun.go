package bench

import (
	"context"
	"encoding/binary"
	"sync"

	protocolpb "go.temporal.io/api/protocol/v1"
	querypb "go.temporal.io/api/query/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
)

// What is asked of runs that stay open: a query costs no commit, an update the
// one that its workflow task's completion costs.

// nullQuery is a query on its way to a worker and back.
type nullQuery struct {
	key    uint64
	query  *querypb.WorkflowQuery
	answer chan *commonpb.Payloads // holds one
}

// nullUpdates are the updates of a run that wait for their outcome, by id.
type nullUpdates struct {
	sync.Mutex
	waiting map[string]chan *updatepb.Outcome // each holds one
}

// QueryWorkflow implements workflowservice.
func (s *nullServer) QueryWorkflow(ctx context.Context, req *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	r, err := s.byID(req.GetExecution().GetWorkflowId())
	if err != nil {
		return nil, err
	}
	q := &nullQuery{key: s.last.Add(1), query: req.Query, answer: make(chan *commonpb.Payloads, 1)}
	s.queries.Store(q.key, q)
	defer s.queries.Delete(q.key)
	r.home().workflow <- nullTask{run: r, query: q}
	select {
	case answer := <-q.answer:
		return &workflowservice.QueryWorkflowResponse{QueryResult: answer}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// RespondQueryTaskCompleted implements workflowservice.
func (s *nullServer) RespondQueryTaskCompleted(_ context.Context, req *workflowservice.RespondQueryTaskCompletedRequest) (*workflowservice.RespondQueryTaskCompletedResponse, error) {
	if len(req.TaskToken) == 8 {
		if q, ok := s.queries.LoadAndDelete(binary.BigEndian.Uint64(req.TaskToken)); ok {
			q.(*nullQuery).answer <- req.QueryResult
			return &workflowservice.RespondQueryTaskCompletedResponse{}, nil
		}
	}
	return nil, status.Error(codes.NotFound, "no such query")
}

// UpdateWorkflowExecution implements workflowservice.
func (s *nullServer) UpdateWorkflowExecution(ctx context.Context, req *workflowservice.UpdateWorkflowExecutionRequest) (*workflowservice.UpdateWorkflowExecutionResponse, error) {
	r, err := s.byID(req.GetWorkflowExecution().GetWorkflowId())
	if err != nil {
		return nil, err
	}
	id := req.GetRequest().GetMeta().GetUpdateId()
	body, err := anypb.New(req.GetRequest())
	if err != nil {
		return nil, err
	}
	outcome := make(chan *updatepb.Outcome, 1)
	r.updates.Lock()
	if r.updates.waiting == nil {
		r.updates.waiting = map[string]chan *updatepb.Outcome{}
	}
	r.updates.waiting[id] = outcome
	r.updates.Unlock()
	r.home().workflow <- nullTask{run: r, message: &protocolpb.Message{Id: id + "/request", ProtocolInstanceId: id, Body: body}}
	select {
	case o := <-outcome:
		return &workflowservice.UpdateWorkflowExecutionResponse{
			UpdateRef: &updatepb.UpdateRef{WorkflowExecution: r.execution, UpdateId: id},
			Outcome:   o, Stage: enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED,
		}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

// updated is the completion of a workflow task that answered updates: its
// events, and who is told what once they are synced.
func (r *nullRun) updated(e *cannedEvents, messages []*protocolpb.Message) (bytes []byte, tell func(), err error) {
	type told struct {
		to      chan *updatepb.Outcome
		outcome *updatepb.Outcome
	}
	var all []told
	bytes = append(append(bytes, e.task...), e.taskCompleted...)
	r.updates.Lock()
	defer r.updates.Unlock()
	for _, m := range messages {
		body, err := m.GetBody().UnmarshalNew()
		if err != nil {
			return nil, nil, status.Errorf(codes.InvalidArgument, "message %s: %v", m.GetId(), err)
		}
		response, ok := body.(*updatepb.Response)
		if !ok {
			bytes = append(bytes, e.updateAccepted...)
			continue
		}
		bytes = append(bytes, e.updateCompleted...)
		if to, ok := r.updates.waiting[m.ProtocolInstanceId]; ok {
			delete(r.updates.waiting, m.ProtocolInstanceId)
			all = append(all, told{to, response.Outcome})
		}
	}
	return bytes, func() {
		for _, t := range all {
			t.to <- t.outcome
		}
	}, nil
}

func (s *nullServer) byID(id string) (*nullRun, error) {
	if r, ok := s.runs.Load(nullID(id)); ok {
		return r.(*nullRun), nil
	}
	return nil, status.Error(codes.NotFound, "no such workflow")
}

// answered is what a worker that polls is given.
func (s *nullServer) answered(t nullTask) *workflowservice.PollWorkflowTaskQueueResponse {
	r := t.run
	reply := &workflowservice.PollWorkflowTaskQueueResponse{
		TaskToken: r.token(), WorkflowExecution: r.execution, WorkflowType: r.workflow, Attempt: 1,
	}
	switch {
	case t.query != nil:
		reply.TaskToken, reply.Query = binary.BigEndian.AppendUint64(nil, t.query.key), t.query.query
	case t.message != nil:
		reply.History, reply.Messages = storedHistory(s.events.task), append(reply.Messages, t.message)
	default:
		var stored []byte
		stored, reply.PreviousStartedEventId = r.task()
		reply.StartedEventId, reply.History = r.startedEventID(reply.PreviousStartedEventId), storedHistory(stored)
	}
	return reply
}
