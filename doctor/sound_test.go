package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"github.com/perdure/perdure/config"
	"github.com/perdure/perdure/server"
)

// TestSoundBeforeUpgrade: a folder of the first format, which has other names for
// its rows, is as sound as the latest.
func TestSoundBeforeUpgrade(t *testing.T) {
	for _, folder := range []string{"folder-1", "folder-2"} {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.CopyFS(dir, os.DirFS("../server/testdata/"+folder)); err != nil {
			t.Fatal(err)
		}
		r, err := Examine(t.Context(), Options{Data: dir})
		if err != nil {
			t.Fatal(err)
		}
		if r.Workflows.Runs < 7 || slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity == Damage }) {
			t.Errorf("%s: %d runs; %+v", folder, r.Workflows.Runs, r.Findings)
		}
	}
}

// TestSoundAfterAnything: what operators and clients may do to executions leaves
// a folder that is sound. Each is done to the workflows of the golden folder
// while their work is pending.
func TestSoundAfterAnything(t *testing.T) {
	p := newPatient(t)
	c := config.Embedded()
	c.Data, c.Shards = p.dir, 1
	s, err := server.Start(t.Context(), server.Options{Config: &c})
	p.must(err)
	conn, err := grpc.NewClient(s.Target(), s.DialOptions()...)
	p.must(err)
	api, ctx := workflowservice.NewWorkflowServiceClient(conn), t.Context()
	execution := func(id string) *commonpb.WorkflowExecution { return &commonpb.WorkflowExecution{WorkflowId: id} }

	_, err = api.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: execution("started"), RequestId: "reset", Reason: "test", WorkflowTaskFinishEventId: 4,
	})
	p.must(err)
	_, err = api.RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: execution("untouched"), RequestId: "cancel"})
	p.must(err)
	_, err = api.TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: execution("waiting"), Reason: "test"})
	p.must(err)
	_, err = api.DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{Namespace: "default", WorkflowExecution: execution("chain")})
	p.must(err)
	_, err = api.PauseActivityExecution(ctx, &workflowservice.PauseActivityExecutionRequest{Namespace: "default", ActivityId: "alone", RequestId: "pause"})
	p.must(err)
	_, err = api.SignalWorkflowExecution(ctx, &workflowservice.SignalWorkflowExecutionRequest{
		Namespace: "default", WorkflowExecution: execution("untouched"), SignalName: "unheard", RequestId: "signal"})
	p.must(err)
	p.must(conn.Close())
	p.must(s.Stop(context.WithoutCancel(ctx)))

	r, err := Examine(ctx, Options{Data: p.dir})
	p.must(err)
	if r.ExitCode() != ExitSound {
		t.Errorf("%+v", r.Findings)
	}
	open := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Severity != Note })
	if open || r.Workflows.Runs < 7 {
		t.Errorf("%d runs; %+v", r.Workflows.Runs, r.Findings)
	}
}
