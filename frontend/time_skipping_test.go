package frontend

import (
	"strings"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine/workflow"
)

// Workflow.md 8.3: only where it is allowed, and only what makes sense.
func TestTimeSkippingIsChecked(t *testing.T) {
	const bad, off = codes.InvalidArgument, "The Time-Skipping feature is not enabled for namespace."
	config := &commonpb.TimeSkippingConfig{Enabled: true}
	start := func(edit func(*workflowservice.StartWorkflowExecutionRequest)) *workflowservice.StartWorkflowExecutionRequest {
		return startRequest(func(r *workflowservice.StartWorkflowExecutionRequest) {
			r.TimeSkippingConfig = &commonpb.TimeSkippingConfig{Enabled: true}
			edit(r)
		})
	}
	update := func(c *commonpb.TimeSkippingConfig, path string) *workflowservice.UpdateWorkflowExecutionOptionsRequest {
		return &workflowservice.UpdateWorkflowExecutionOptionsRequest{Namespace: "ns", WorkflowExecution: testExecution,
			WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: c}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{path}}}
	}
	poll := func(id string) *workflowservice.PollWorkflowExecutionTimeSkippingRequest {
		return &workflowservice.PollWorkflowExecutionTimeSkippingRequest{Namespace: "ns", WorkflowExecution: testExecution, FastForwardId: id}
	}
	elsewhere := newEdge(t)
	for _, c := range []refusal{
		{"a start", "StartWorkflowExecution", start(func(*workflowservice.StartWorkflowExecutionRequest) {}), codes.Unimplemented, off},
		{"an update", "UpdateWorkflowExecutionOptions", update(config, "time_skipping_config"), codes.Unimplemented, off},
		{"a poll", "PollWorkflowExecutionTimeSkipping", poll("f"), codes.Unimplemented, off},
	} {
		check(t, elsewhere, c)
	}
	e := newEdge(t, func(o *Options) { o.TimeSkipping = []string{"other", "ns"} })
	e.withActivities()
	for _, c := range []refusal{
		{"a negative bound", "StartWorkflowExecution", start(func(r *workflowservice.StartWorkflowExecutionRequest) { r.TimeSkippingConfig.MaxSessionSkipCount = -1 }), bad, "max_session_skip_count can't be negative"},
		{"a fast-forward without id", "StartWorkflowExecution", start(func(r *workflowservice.StartWorkflowExecutionRequest) {
			r.TimeSkippingConfig.FastForwardConfig = &commonpb.FastForwardConfig{Duration: durationpb.New(time.Hour)}
		}), bad, "fast_forward_config.id is required"},
		{"a fast-forward with a long id", "UpdateWorkflowExecutionOptions", update(&commonpb.TimeSkippingConfig{FastForwardConfig: &commonpb.FastForwardConfig{Id: strings.Repeat("f", 1001), Duration: durationpb.New(time.Hour)}}, "time_skipping_config"), bad, "fast_forward_config.id exceeds length limit"},
		{"a fast-forward by nothing", "UpdateWorkflowExecutionOptions", update(&commonpb.TimeSkippingConfig{FastForwardConfig: &commonpb.FastForwardConfig{Id: "f"}}, "time_skipping_config"), bad, "fast_forward_config.duration must be positive"},
		{"what parents tell children", "StartWorkflowExecution", start(func(r *workflowservice.StartWorkflowExecutionRequest) {
			r.TimeSkippingStatePropagation = &commonpb.TimeSkippingStatePropagation{}
		}), bad, "TimeSkippingStatePropagation is not allowed on request."},
		{"a part of it", "UpdateWorkflowExecutionOptions", update(config, "timeSkippingConfig.enabled"), bad, "time_skipping_config doesn't support partial updates"},
		{"a poll of nothing", "PollWorkflowExecutionTimeSkipping", poll(""), bad, "FastForwardId is not set on request."},
	} {
		check(t, e, c)
	}
}

// A poll ends with the fast-forward, or when it cannot be complete any more.
func TestPollFastForward(t *testing.T) {
	e := newEdge(t, func(o *Options) { o.TimeSkipping = []string{"ns"} })
	f := e.withActivities()
	set := func(edit func(*workflow.Info)) {
		f.change(func() {
			info := *f.mu.run.Info
			edit(&info)
			f.mu.run.Info = &info
		})
	}
	config := &commonpb.TimeSkippingConfig{Enabled: true, FastForwardConfig: &commonpb.FastForwardConfig{Id: "f", Duration: durationpb.New(time.Hour)}}
	going := workflow.Skipping{Config: config, Skipped: time.Minute, Count: 2, Target: time.Unix(5000, 0)}
	set(func(i *workflow.Info) { s := going; i.Skipping = &s })
	if got := e.describe(t).GetWorkflowExtendedInfo().GetTimeSkippingInfo(); got.GetCurrentSessionSkipCount() != 2 || !got.GetEffectiveConfig().GetEnabled() ||
		got.GetEffectiveConfig().GetMaxSessionSkipCount() != 100 || got.GetFastForwardInfo().GetFastForwardId() != "f" || got.GetFastForwardInfo().GetHasCompleted() {
		t.Errorf("described as %v", got)
	}
	poll := func(id string) *workflowservice.PollWorkflowExecutionTimeSkippingResponse {
		t.Helper()
		resp, err := e.api.PollWorkflowExecutionTimeSkipping(pollContext(t), &workflowservice.PollWorkflowExecutionTimeSkippingRequest{
			Namespace: "ns", WorkflowExecution: testExecution, FastForwardId: id})
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	if got := poll("another"); got.GetFastForwardPollingResult() != enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED || got.GetFailedReason() == "" {
		t.Errorf("another one: %v", got)
	}
	done := make(chan *workflowservice.PollWorkflowExecutionTimeSkippingResponse, 1)
	go func() { done <- poll("f") }()
	set(func(i *workflow.Info) { s := going; s.Reached = true; i.Skipping = &s })
	if got := <-done; got.GetFastForwardPollingResult() != enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED || !got.GetFastForwardInfo().GetHasCompleted() {
		t.Errorf("it is complete: %v", got)
	}
	set(func(i *workflow.Info) {
		s := going
		i.Skipping, i.Status = &s, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	})
	if got := poll("f"); got.GetFastForwardPollingResult() != enumspb.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED || got.GetFailedReason() != "the execution ended before the fast-forward completed" {
		t.Errorf("the run has ended: %v", got)
	}
}
