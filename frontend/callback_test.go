package frontend

import (
	"maps"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/perdure/perdure/callbacks"
	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/callback"
	"github.com/perdure/perdure/engine/workflow"
)

// callable is an edge whose operator allows some callback addresses.
func callable(t *testing.T) *edge {
	t.Helper()
	addresses, err := callbacks.ParseAddresses([]string{"hooks.example.com", "http://localhost:*"})
	if err != nil {
		t.Fatal(err)
	}
	return newEdge(t, func(o *Options) { o.CallbackAddresses = addresses })
}

// Which callbacks reach the core, and how (workflow.md 1.11).
func TestCallbacksAreChecked(t *testing.T) {
	e := callable(t)
	e.executions.do = func(engine.ID, string, engine.Input) (any, error) { return &workflow.Started{RunID: "r"}, nil }
	for url, want := range map[string]string{
		"https://hooks.example.com/cb": "",
		"http://localhost:8080/cb":     "",
		"temporal://system":            "",
		"temporal://internal":          "",
		"http://hooks.example.com/cb":  "invalid url: callback address does not allow insecure connections: http://hooks.example.com/cb",
		"https://example.com/cb":       "invalid url: url does not match any configured callback address: https://example.com/cb",
	} {
		before := len(e.executions.inputs())
		_, err := e.api.StartWorkflowExecution(t.Context(), startRequest(func(r *workflowservice.StartWorkflowExecutionRequest) {
			r.CompletionCallbacks = nexusCallback(url)
			r.CompletionCallbacks[0].GetNexus().Header = map[string]string{"Token": "T", "token": "t", "X-Two": "2"}
		}))
		if want != "" {
			if status.Code(err) != codes.InvalidArgument || status.Convert(err).Message() != want {
				t.Errorf("%s: %v, want %s", url, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := e.executions.inputs()[before].(*workflow.StartWorkflow).Request.GetCompletionCallbacks()
		if len(got) != 1 || got[0].GetNexus().GetUrl() != url ||
			!maps.Equal(got[0].GetNexus().GetHeader(), map[string]string{"token": "t", "x-two": "2"}) {
			t.Errorf("%s: the core was given %v", url, got)
		}
	}
}

// N-54: what is shown of callbacks in each state.
func TestDescribeShowsCallbacks(t *testing.T) {
	e := newEdge(t)
	run := e.withRun()
	at := time.Unix(100, 0).UTC()
	waits := callback.New(testRun, nexusCallback("https://example.com/a")[0], callback.Origin{}, at)
	failed := waits.Trigger(at)
	failed = failed.Answered(failed.Stamp, callback.Answer{Verdict: callback.Failed, Failure: &failurepb.Failure{Message: "no"}}, at.Add(time.Second))
	blocked := waits.Trigger(at)
	blocked.UpdateID = "u"
	blocked = blocked.Answered(blocked.Stamp, callback.Answer{Verdict: callback.Blocked, Reason: "busy", Wait: time.Minute}, at)
	run.change(func() {
		run.mu.run.Callbacks = map[int64]*callback.State{3: blocked, 1: waits, 2: failed, 4: waits.Trigger(at)}
	})
	d, err := e.api.DescribeWorkflowExecution(t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns", Execution: testExecution})
	if err != nil {
		t.Fatal(err)
	}
	list := d.GetCallbacks()
	if len(list) != 4 {
		t.Fatalf("got %v", list)
	}
	if c := list[0]; c.GetState() != enumspb.CALLBACK_STATE_STANDBY || c.GetTrigger().GetWorkflowClosed() == nil || c.GetRequestId() != waits.RequestID ||
		c.GetRegistrationTime().GetSeconds() != 100 || c.GetCallback().GetNexus().GetUrl() != "https://example.com/a" || c.GetLastAttemptCompleteTime() != nil {
		t.Errorf("one that waits: %v", c)
	}
	if c := list[1]; c.GetState() != enumspb.CALLBACK_STATE_BACKING_OFF || c.GetAttempt() != 1 || c.GetLastAttemptFailure().GetMessage() != "no" ||
		c.GetLastAttemptCompleteTime().GetSeconds() != 101 || c.GetNextAttemptScheduleTime().GetSeconds() != 102 {
		t.Errorf("one that backs off: %v", c)
	}
	if c := list[2]; c.GetState() != enumspb.CALLBACK_STATE_BLOCKED || c.GetBlockedReason() != "busy" || c.GetNextAttemptScheduleTime().GetSeconds() != 160 ||
		c.GetTrigger().GetUpdateWorkflowExecutionCompleted().GetUpdateId() != "u" {
		t.Errorf("one that is blocked: %v", c)
	}
	if c := list[3]; c.GetState() != enumspb.CALLBACK_STATE_SCHEDULED || c.GetNextAttemptScheduleTime() != nil {
		t.Errorf("one under way: %v", c)
	}
}

// The callbacks of a standalone activity are attached by a start that finds it
// open, and shown; once it has closed they are under way (AX-8, AX-53).
func TestActivityCallbacks(t *testing.T) {
	e := callable(t)
	start := func(requestID string, url string) {
		t.Helper()
		_, err := e.api.StartActivityExecution(t.Context(), activityStartRequest(func(r *activityStart) {
			r.RequestId, r.CompletionCallbacks = requestID, nexusCallback(url)
			r.IdConflictPolicy = enumspb.ACTIVITY_ID_CONFLICT_POLICY_USE_EXISTING
			r.OnConflictOptions = &commonpb.OnConflictOptions{AttachRequestId: true, AttachCompletionCallbacks: true}
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	states := func() (s []enumspb.CallbackState) {
		t.Helper()
		id := e.executions.mu.alone.Key.Name
		d, err := e.api.DescribeActivityExecution(t.Context(), &workflowservice.DescribeActivityExecutionRequest{Namespace: "ns", ActivityId: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range d.GetCallbacks() {
			if c.GetTrigger().GetActivityClosed() == nil || c.GetInfo().GetRequestId() == "" {
				t.Errorf("shown as %v", c)
			}
			s = append(s, c.GetInfo().GetState())
		}
		return s
	}
	start("one", "https://hooks.example.com/1")
	start("two", "http://localhost:1/2")
	start("two", "http://localhost:1/2")
	if s := states(); len(s) != 2 || s[0] != enumspb.CALLBACK_STATE_STANDBY || s[1] != enumspb.CALLBACK_STATE_STANDBY {
		t.Fatalf("while it runs they are %v", s)
	}
	id := e.executions.mu.alone.Key.Name
	if _, err := e.api.TerminateActivityExecution(t.Context(), &workflowservice.TerminateActivityExecutionRequest{Namespace: "ns", ActivityId: id}); err != nil {
		t.Fatal(err)
	}
	if s := states(); s[0] != enumspb.CALLBACK_STATE_SCHEDULED || s[1] != enumspb.CALLBACK_STATE_SCHEDULED {
		t.Errorf("once it has closed they are %v", s)
	}
}
