//go:build e2e

// Package limits sends the real binary what no SDK would: fields at their
// bounds and past them, garbage tokens, unknown namespaces, messages too large,
// clients that vanish. Bad input never harms: it gets a clear error, and what
// was right before is right afterwards.
package limits

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/e2e/harness"
)

const namespace = "default"

// Attributes for the bound on their total: A00 to A24.
const textAttributes = 25

var (
	common *harness.Server
	conn   *grpc.ClientConn
	api    workflowservice.WorkflowServiceClient
	admin  operatorservice.OperatorServiceClient
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "perdure-e2e-limits-")
		if err != nil {
			return complain(err)
		}
		defer os.RemoveAll(folder)
		flags := []string{"--namespace", "other"}
		for i := range textAttributes {
			flags = append(flags, "--search-attribute", fmt.Sprintf("A%02d=Text", i))
		}
		if common, err = harness.Launch(folder, flags...); err != nil {
			return complain(err)
		}
		defer common.Kill()
		if conn, err = grpc.NewClient(common.GRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20))); err != nil {
			return complain(err)
		}
		defer conn.Close()
		api, admin = workflowservice.NewWorkflowServiceClient(conn), operatorservice.NewOperatorServiceClient(conn)
		return m.Run()
	}())
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// patience bounds a test that would otherwise hang.
const patience = 90 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

var ids atomic.Int64

// unique is an id nobody has used.
func unique() string { return fmt.Sprintf("id-%d", ids.Add(1)) }

// long is a text of n bytes, unlike any other.
func long(n int) string {
	s := unique()
	return s + strings.Repeat("x", n-len(s))
}

// refused checks the code and the text of an error.
func refused(t *testing.T, what string, err error, code codes.Code, text string) {
	t.Helper()
	st := status.Convert(err)
	if st.Code() != code || !strings.Contains(st.Message(), text) {
		t.Errorf("%s: got %v %q, want %v %q", what, st.Code(), cut(st.Message()), code, text)
	}
}

func cut(s string) string { return s[:min(len(s), 200)] }

func startOf(id string) *workflowservice.StartWorkflowExecutionRequest {
	return &workflowservice.StartWorkflowExecutionRequest{
		Namespace: namespace, WorkflowId: id, RequestId: unique(), Identity: "limits",
		WorkflowType: &commonpb.WorkflowType{Name: "Order"}, TaskQueue: queueNamed(id),
	}
}

func queueNamed(name string) *taskqueuepb.TaskQueue { return &taskqueuepb.TaskQueue{Name: name} }

// started starts a workflow on a task queue of its own name.
func started(t *testing.T) (ctx context.Context, id string) {
	t.Helper()
	ctx, id = testContext(t), unique()
	if _, err := api.StartWorkflowExecution(ctx, startOf(id)); err != nil {
		t.Fatal(err)
	}
	return ctx, id
}

// taskOf polls the workflow task of a workflow.
func taskOf(t *testing.T, ctx context.Context, id string) *workflowservice.PollWorkflowTaskQueueResponse {
	t.Helper()
	task, err := api.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{Namespace: namespace, TaskQueue: queueNamed(id), Identity: "limits"})
	if err == nil && len(task.GetTaskToken()) == 0 {
		err = errors.New("no task came")
	}
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func complete(ctx context.Context, token []byte, commands ...*commandpb.Command) error {
	_, err := api.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
		Namespace: namespace, TaskToken: token, Identity: "limits", Commands: commands})
	return err
}

// activityOf starts a workflow, schedules an activity, and starts it.
func activityOf(t *testing.T, change func(*commandpb.ScheduleActivityTaskCommandAttributes)) (context.Context, string, *workflowservice.PollActivityTaskQueueResponse) {
	t.Helper()
	ctx, id := started(t)
	if err := complete(ctx, taskOf(t, ctx, id).GetTaskToken(), scheduleActivity(id, change)); err != nil {
		t.Fatal(err)
	}
	task, err := api.PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{Namespace: namespace, TaskQueue: queueNamed(id), Identity: "limits"})
	if err == nil && len(task.GetTaskToken()) == 0 {
		err = errors.New("no activity task came")
	}
	if err != nil {
		t.Fatal(err)
	}
	return ctx, id, task
}

func execution(id string) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: id}
}

// eventTypes reads a whole history.
func eventTypes(t *testing.T, ctx context.Context, id string) (types []enumspb.EventType) {
	t.Helper()
	h, err := api.GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{Namespace: namespace, Execution: execution(id)})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.GetHistory().GetEvents() {
		types = append(types, e.GetEventType())
	}
	return types
}
