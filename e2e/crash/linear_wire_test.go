//go:build crash

package crash

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	updatepb "go.temporal.io/api/update/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/perdure/perdure/e2e/harness"
	"github.com/perdure/perdure/sim/linear"
)

// wire is plain gRPC: nothing is tried again behind the caller's back. A call
// waits for the server to be there, so that only those are cut off that a kill
// finds under way.
type wire struct {
	api workflowservice.WorkflowServiceClient
}

func dialWire(t *testing.T, server *harness.Server) *wire {
	conn, err := grpc.NewClient(server.GRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()), impatient,
		grpc.WithDisableRetry(), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &wire{workflowservice.NewWorkflowServiceClient(conn)}
}

func dialOptions(server *harness.Server) client.Options {
	return client.Options{HostPort: server.GRPC(), Logger: silent{},
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{impatient}}}
}

// call makes a call; heard is false for an answer that says nothing of the state.
func (e *calls) call(c linear.Call) (a linear.Answer, heard bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	switch c.Kind {
	case linear.Update:
		return e.update(ctx, c)
	case linear.Read:
		return e.read(ctx, c)
	case linear.Start, linear.SignalWithStart:
		return e.start(ctx, c)
	}
	run := &commonpb.WorkflowExecution{WorkflowId: e.id, RunId: c.Run}
	var err error
	switch c.Kind {
	case linear.Signal:
		_, err = e.api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: run, SignalName: signalOf(c), RequestId: c.Request})
	case linear.Cancel:
		_, err = e.api.RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: run})
	case linear.Terminate:
		_, err = e.api.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: run})
	}
	return e.answerTo(c, err)
}

func signalOf(c linear.Call) string {
	if c.Ends {
		return "end"
	}
	return "more"
}

// answerTo is the answer that an error, or none, is.
func (e *calls) answerTo(c linear.Call, err error) (a linear.Answer, heard bool) {
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	var exhausted *serviceerror.ResourceExhausted
	switch of := serviceerror.FromStatus(status.Convert(err)); status.Code(err) {
	case codes.OK:
		return a, true
	case codes.NotFound:
		a.Refused = linear.NotFound
		return a, true
	case codes.AlreadyExists:
		if errors.As(of, &started) {
			a.Refused, a.Run = linear.AlreadyStarted, started.RunId
			return a, true
		}
	case codes.FailedPrecondition: // an update while a workflow task fails, say
		return a, false
	case codes.ResourceExhausted:
		if errors.As(of, &exhausted) && exhausted.Cause == enumspb.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW {
			return a, false
		}
	case codes.Unavailable, codes.Unknown, codes.Internal:
		// What a connection that breaks looks like.
		a.Lost = true
		return a, true
	}
	e.t.Errorf("%v of %s: %v", c, e.id, err)
	a.Lost = true
	return a, true
}

func (e *calls) start(ctx context.Context, c linear.Call) (linear.Answer, bool) {
	kind, queue := &commonpb.WorkflowType{Name: "hot"}, &taskqueuepb.TaskQueue{Name: hotQueue}
	timeout := durationpb.New(2 * time.Second)
	var reply interface {
		GetRunId() string
		GetStarted() bool
	}
	var err error
	if c.Kind == linear.Start {
		reply, err = e.api.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
			Namespace: "default", WorkflowId: e.id, WorkflowType: kind, TaskQueue: queue, WorkflowTaskTimeout: timeout,
			RequestId: c.Request, WorkflowIdConflictPolicy: c.Conflict, WorkflowIdReusePolicy: c.Reuse})
	} else {
		reply, err = e.api.SignalWithStartWorkflowExecution(ctx, &workflowservice.SignalWithStartWorkflowExecutionRequest{
			Namespace: "default", WorkflowId: e.id, WorkflowType: kind, TaskQueue: queue, WorkflowTaskTimeout: timeout,
			RequestId: c.Request, WorkflowIdConflictPolicy: c.Conflict, WorkflowIdReusePolicy: c.Reuse, SignalName: signalOf(c)})
	}
	a, heard := e.answerTo(c, err)
	if err == nil {
		a.Run, a.Started = reply.GetRunId(), reply.GetStarted()
	}
	return a, heard
}

// update waits until an update is accepted or has an outcome. A refusal is no part
// of the state, by whomever.
func (e *calls) update(ctx context.Context, c linear.Call) (a linear.Answer, heard bool) {
	stage := enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED + enumspb.UpdateWorkflowExecutionLifecycleStage(rand.IntN(2))
	reply, err := e.api.UpdateWorkflowExecution(ctx, &workflowservice.UpdateWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: e.id},
		WaitPolicy: &updatepb.WaitPolicy{LifecycleStage: stage},
		Request:    &updatepb.Request{Meta: &updatepb.Meta{UpdateId: c.Request}, Input: &updatepb.Input{Name: "count"}},
	})
	failure := reply.GetOutcome().GetFailure()
	a.Run = reply.GetUpdateRef().GetWorkflowExecution().GetRunId()
	switch {
	case err != nil || reply.GetStage() < enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED:
		return a, false
	case reply.GetStage() == enumspb.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED:
		a.Progress.Stage = linear.Accepted
	case failure.GetApplicationFailureInfo().GetType() == "AcceptedUpdateCompletedWorkflow":
		a.Progress.Stage = linear.Accepted // the run closed before the update was through
	case failure != nil:
		return a, false
	default:
		a.Progress = linear.Progress{Stage: linear.Completed, Outcome: linear.OutcomeOf(reply.GetOutcome())}
	}
	return a, true
}

// read is a description or a whole history.
func (e *calls) read(ctx context.Context, c linear.Call) (linear.Answer, bool) {
	run := &commonpb.WorkflowExecution{WorkflowId: e.id, RunId: c.Run}
	if rand.IntN(3) == 0 {
		reply, err := e.api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
			Namespace: "default", Execution: run, MaximumPageSize: 1000})
		a, heard := e.answerTo(c, err)
		if err == nil {
			events := reply.GetHistory().GetEvents()
			a.Sight = linear.SightOfEvents(events[0].GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId(), events)
		}
		return a, heard
	}
	reply, err := e.api.DescribeWorkflowExecution(ctx, &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "default", Execution: run})
	a, heard := e.answerTo(c, err)
	if err == nil {
		a.Sight = sightOf(reply)
	}
	return a, heard
}

// sightOf is what a description shows. It does not show updates.
func sightOf(reply *workflowservice.DescribeWorkflowExecutionResponse) *linear.Sight {
	info, more := reply.GetWorkflowExecutionInfo(), reply.GetWorkflowExtendedInfo()
	s := &linear.Sight{Run: info.GetExecution().GetRunId(), Status: info.GetStatus(), CancelRequested: more.GetCancelRequested(), Whole: true}
	requests := more.GetRequestIdInfos()
	for id, r := range requests {
		switch {
		case r.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
			s.Request = id
		case r.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		case r.GetBuffered():
			s.Waiting = append(s.Waiting, id)
		default:
			s.Signals = append(s.Signals, id)
		}
	}
	slices.SortFunc(s.Signals, func(a, b string) int { return cmp.Compare(requests[a].GetEventId(), requests[b].GetEventId()) })
	return s
}
