//go:build e2e

package e2e

import (
	"context"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/e2e/harness"
)

const day = 24 * time.Hour

// Workflow.md 8.3: a workflow that waits for months is over in no time, and says
// that it took them; a fast-forward stops it in between; a restart loses none of it.
func TestTimeIsSkipped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), perTest)
	defer cancel()
	s := &suite{T: t, server: harness.Start(t, "--time-skipping", "default"), queue: t.Name()}
	s.client = dial(t, s.server.GRPC())
	s.work(func(r worker.Registry) {
		r.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "remind"})
		only("child", func(ctx workflow.Context) (time.Time, error) {
			err := workflow.Sleep(ctx, 2*day)
			return workflow.Now(ctx), err
		})(r)
		only("patient", func(ctx workflow.Context) (time.Duration, error) {
			began := workflow.Now(ctx)
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
			for range 3 {
				if err := workflow.Sleep(ctx, 30*day); err != nil {
					return 0, err
				}
				if err := workflow.ExecuteActivity(ctx, "remind").Get(ctx, nil); err != nil {
					return 0, err
				}
			}
			var ended time.Time
			err := workflow.ExecuteChildWorkflow(ctx, "child").Get(ctx, &ended)
			if ended.Sub(workflow.Now(ctx)) < day {
				t.Errorf("the child has ended at %v, its parent is at %v", ended, workflow.Now(ctx))
			}
			return workflow.Now(ctx).Sub(began), err
		})(r)
	}, worker.Options{})
	start := func(id string, config *commonpb.TimeSkippingConfig) {
		t.Helper()
		_, err := s.api().StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
			Namespace: "default", WorkflowId: id, RequestId: id, WorkflowType: &commonpb.WorkflowType{Name: "patient"},
			TaskQueue: &taskqueuepb.TaskQueue{Name: s.queue}, TimeSkippingConfig: config})
		s.must(err)
	}
	result := func(id string) (took time.Duration) {
		t.Helper()
		s.must(s.client.GetWorkflow(ctx, id, "").Get(ctx, &took))
		return took
	}
	start("at once", &commonpb.TimeSkippingConfig{Enabled: true})
	if took := result("at once"); took < 90*day || took > 91*day {
		t.Errorf("it took %v", took)
	}

	forward := func(id string, d time.Duration) *commonpb.TimeSkippingConfig {
		return &commonpb.TimeSkippingConfig{Enabled: true, FastForwardConfig: &commonpb.FastForwardConfig{Id: id, Duration: durationpb.New(d)}}
	}
	wait := func(id, forward string) {
		t.Helper()
		resp, err := s.api().PollWorkflowExecutionTimeSkipping(ctx, &workflowservice.PollWorkflowExecutionTimeSkippingRequest{
			Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, FastForwardId: forward})
		if s.must(err); resp.GetFastForwardPollingResult() != enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED {
			t.Fatalf("%v", resp)
		}
	}
	start("in steps", forward("first", 45*day))
	wait("in steps", "first")
	info, err := s.client.DescribeWorkflowExecution(ctx, "in steps", "")
	s.must(err)
	skipping := info.GetWorkflowExtendedInfo().GetTimeSkippingInfo()
	if at := skipping.GetCurrentTime().AsTime(); time.Until(at) < 44*day || time.Until(at) > 46*day || skipping.GetEffectiveConfig().GetEnabled() ||
		!skipping.GetFastForwardInfo().GetHasCompleted() || info.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("after the first step: %v", info)
	}
	s.server.Kill()
	s.must(s.server.Restart())
	on := &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: "in steps"},
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: &commonpb.TimeSkippingConfig{Enabled: true}},
		UpdateMask:               &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}}}
	s.until(ctx, func() bool { // the connection comes back in its own time
		_, err := s.api().UpdateWorkflowExecutionOptions(ctx, on)
		return err == nil
	})
	if took := result("in steps"); took < 90*day || took > 91*day {
		t.Errorf("in steps it took %v", took)
	}
}
