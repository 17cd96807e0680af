package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/store/pebblestore"
)

const (
	lowWaterBytes = 1000
	plenty        = 1 << 40
	low           = 500 // below the mark, above the reserve of a quarter
	none          = 10  // below the reserve
)

// I11: below the low-water mark of the disk new work is refused with a sentence
// that says what to do, while what runs can be read, finished and ended.
func TestLowDisk(t *testing.T) {
	s, free := smallDisk(t)
	ctx, a := testContext(t), api(t, s)
	mustStart(t, a, "runs")
	mustStart(t, a, "ends")
	task, err := a.PollWorkflowTaskQueue(ctx, pollOf())
	if err != nil {
		t.Fatal(err)
	}

	free.Store(low)
	untilRefused(t, a)
	for name, call := range newWork(ctx, a) {
		err := call()
		exhausted(t, name, err)
		if text := status.Convert(err).Message(); !strings.Contains(text, "free space") {
			t.Errorf("%s: the text does not say what to do: %s", name, text)
		}
	}
	if _, err := a.RespondWorkflowTaskCompleted(ctx, completion(task.GetTaskToken())); err != nil {
		t.Errorf("a completion: %v", err)
	}
	if _, err := a.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "ends"}}); err != nil && status.Code(err) != codes.NotFound {
		t.Errorf("a termination: %v", err)
	}
	if _, err := a.DescribeWorkflowExecution(ctx, describeOf("runs")); err != nil {
		t.Errorf("a read: %v", err)
	}

	free.Store(plenty)
	untilAccepted(t, a)
}

// I1, I11: with the reserve touched nothing can be recorded, and nobody is told
// otherwise; reads go on; with room again the same completion is accepted.
func TestFullDisk(t *testing.T) {
	s, free := smallDisk(t)
	ctx, a := testContext(t), api(t, s)
	mustStart(t, a, "runs")
	task, err := a.PollWorkflowTaskQueue(ctx, pollOf())
	if err != nil {
		t.Fatal(err)
	}

	free.Store(none)
	untilRefused(t, a)
	// A write of the shard's own may have met the full disk first; while its slots
	// are opened again callers hear so, and the completion comes again as an SDK's does.
	retry(t, "an answer to the completion", func() error {
		_, err = a.RespondWorkflowTaskCompleted(ctx, completion(task.GetTaskToken()))
		if status.Code(err) == codes.Unavailable {
			return err
		}
		return nil
	})
	exhausted(t, "a completion without room", err)
	for range 3 {
		if _, err := a.DescribeWorkflowExecution(ctx, describeOf("runs")); err != nil && status.Code(err) != codes.Unavailable {
			t.Errorf("a read: %v", err)
		}
	}

	free.Store(plenty)
	untilAccepted(t, a)
	retry(t, "the completion", func() error {
		_, err := a.RespondWorkflowTaskCompleted(ctx, completion(task.GetTaskToken()))
		return err
	})
	if n := metric(t, s, "perdure_shard_reopened_total"); n < 1 || n > float64(s.config.Shards) {
		t.Errorf("the %d shards were opened again %v times", s.config.Shards, n)
	}
}

// smallDisk starts a server on a disk whose free space is the test's to say.
func smallDisk(t *testing.T) (*Server, *atomic.Uint64) {
	o := inFolder(t.TempDir())
	o.Config.MinFreeDiskBytes = lowWaterBytes
	free := new(atomic.Uint64)
	free.Store(plenty)
	o.diskUsage = func() (pebblestore.Disk, error) {
		return pebblestore.Disk{FreeBytes: free.Load(), TotalBytes: plenty}, nil
	}
	return launch(t, o), free
}

// newWork are the calls that bring some.
func newWork(ctx context.Context, a workflowservice.WorkflowServiceClient) map[string]func() error {
	return map[string]func() error{
		"a start": func() error { _, err := a.StartWorkflowExecution(ctx, startOf("another")); return err },
		"a signal": func() error {
			_, err := a.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
				Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "runs"}, SignalName: "s"})
			return err
		},
		"a signal with start": func() error {
			_, err := a.SignalWithStartWorkflowExecution(ctx, &workflowservice.SignalWithStartWorkflowExecutionRequest{
				Namespace: "default", WorkflowId: "another", WorkflowType: &commonpb.WorkflowType{Name: "Order"},
				TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"}, SignalName: "s"})
			return err
		},
		"a namespace": func() error {
			_, err := a.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
				Namespace: "another", WorkflowExecutionRetentionPeriod: durationpb.New(24 * time.Hour)})
			return err
		},
	}
}

// exhausted checks that an error is RESOURCE_EXHAUSTED for want of storage.
func exhausted(t *testing.T, what string, err error) {
	t.Helper()
	checkExhausted(t, what, err, enumspb.RESOURCE_EXHAUSTED_CAUSE_PERSISTENCE_STORAGE_LIMIT, enumspb.RESOURCE_EXHAUSTED_SCOPE_SYSTEM)
}

// The store measures its disk at most once a second, so the tests ask until it
// has seen what they changed.
func untilRefused(t *testing.T, a workflowservice.WorkflowServiceClient) {
	t.Helper()
	retry(t, "refusal", func() error {
		_, err := a.SignalWorkflowExecution(testContext(t), &workflowservice.SignalWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "nobody"}, SignalName: "s"})
		if status.Code(err) == codes.ResourceExhausted {
			return nil
		}
		return serviceerror.NewUnavailable("not refused yet")
	})
}

func untilAccepted(t *testing.T, a workflowservice.WorkflowServiceClient) {
	t.Helper()
	retry(t, "acceptance", func() error {
		_, err := a.StartWorkflowExecution(testContext(t), startOf("later"))
		return err
	})
}

// retry calls until the error is nil.
func retry(t *testing.T, what string, call func() error) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		err := call()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: %v", what, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func mustStart(t *testing.T, a workflowservice.WorkflowServiceClient, id string) {
	t.Helper()
	if _, err := a.StartWorkflowExecution(testContext(t), startOf(id)); err != nil {
		t.Fatal(err)
	}
}

func pollOf() *workflowservice.PollWorkflowTaskQueueRequest {
	return &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "default", TaskQueue: &taskqueuepb.TaskQueue{Name: "orders"}, Identity: "worker"}
}

func describeOf(id string) *workflowservice.DescribeWorkflowExecutionRequest {
	return &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "default", Execution: &commonpb.WorkflowExecution{WorkflowId: id}}
}

// completion ends the workflow.
func completion(token []byte) *workflowservice.RespondWorkflowTaskCompletedRequest {
	return &workflowservice.RespondWorkflowTaskCompletedRequest{Namespace: "default", TaskToken: token, Identity: "worker",
		Commands: []*commandpb.Command{{
			CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
				CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{}},
		}}}
}

type fullness bool

func (f *fullness) Full() bool { return bool(*f) }

type behind bool

func (b *behind) Overloaded() bool { return bool(*b) }

// I11: an index that is far behind holds new work back, so that what waits for
// it stays bounded. The log tells of each change once.
func TestPressure(t *testing.T) {
	var full fullness
	var late behind
	var logged bytes.Buffer
	p := &pressure{store: &full, index: &late, log: slog.New(slog.NewTextHandler(&logged, nil))}
	for _, step := range []struct {
		full, late bool
		want       error
	}{
		{false, false, nil}, {false, true, errBehind}, {false, true, errBehind}, {true, true, errLowDisk}, {true, false, errLowDisk}, {false, false, nil},
	} {
		full, late = fullness(step.full), behind(step.late)
		if err := p.check(); err != step.want {
			t.Errorf("full %v, behind %v: %v", step.full, step.late, err)
		}
	}
	if n := strings.Count(logged.String(), "\n"); n != 2 {
		t.Errorf("%d lines in the log, want 2:\n%s", n, logged.String())
	}
}

// A deleted namespace is free at once under its old name; what it held is
// reclaimed in the background, also when the server was stopped meanwhile
// (NS-14).
func TestDeletedNamespaceIsReclaimed(t *testing.T) {
	o := inFolder(t.TempDir())
	o.Config.Namespaces = []string{"doomed"}
	s := launch(t, o)
	ctx, a := testContext(t), api(t, s)
	for _, id := range []string{"a", "b", "c"} {
		r := startOf(id)
		r.Namespace = "doomed"
		if _, err := a.StartWorkflowExecution(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	before, err := a.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: "doomed"})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(s.Target(), s.DialOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	deleted, err := operatorservice.NewOperatorServiceClient(conn).DeleteNamespace(ctx, &operatorservice.DeleteNamespaceRequest{Namespace: "doomed"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(ctx); err != nil { // in the middle of it, as likely as not
		t.Fatal(err)
	}

	o.Config.Namespaces = nil
	s = launch(t, o)
	a = api(t, s)
	retry(t, "the deleted namespace goes", func() error {
		_, err := a.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: deleted.GetDeletedNamespace()})
		if status.Code(err) == codes.NotFound {
			return nil
		}
		return serviceerror.NewUnavailable("it is still there")
	})
	found, err := s.host.DeleteRuns(ctx, before.GetNamespaceInfo().GetId())
	if err != nil || found != 0 {
		t.Errorf("%d runs are left behind, error %v", found, err)
	}
}
