package frontend

import (
	"fmt"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

type activityStart = workflowservice.StartActivityExecutionRequest

func activityStartRequest(change func(*activityStart)) *activityStart {
	r := &activityStart{
		Namespace: "ns", ActivityId: "a", ActivityType: &commonpb.ActivityType{Name: "t"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		StartToCloseTimeout: durationpb.New(1e9),
	}
	change(r)
	return r
}

// TestActivityStartIsValidated is AX-2, as far as the edge decides it; what the
// machine does is in TestStandaloneRefusals.
func TestActivityStartIsValidated(t *testing.T) {
	tooLong := func(what string) string {
		return fmt.Sprintf("%s exceeds length limit. Length=1001 Limit=1000", what)
	}
	link := &commonpb.Link{Variant: &commonpb.Link_BatchJob_{BatchJob: &commonpb.Link_BatchJob{JobId: "j"}}}
	callback := &commonpb.Callback{Variant: &commonpb.Callback_Nexus_{Nexus: &commonpb.Callback_Nexus{Url: "http://127.0.0.1:1/"}}}
	e := newEdge(t)
	for _, row := range []struct {
		name   string
		change func(*activityStart)
		text   string
	}{
		{"no id", func(r *activityStart) { r.ActivityId = "" }, "activityId is not set"},
		{"a long id", func(r *activityStart) { r.ActivityId = long }, tooLong("activityId")},
		{"a long request id", func(r *activityStart) { r.RequestId = long }, tooLong("request ID")},
		{"a long identity", func(r *activityStart) { r.Identity = long }, tooLong("identity")},
		{"an unknown reuse policy", func(r *activityStart) { r.IdReusePolicy = 99 }, "unsupported ID reuse policy: 99"},
		{"an unknown conflict policy", func(r *activityStart) { r.IdConflictPolicy = 99 }, "unsupported ID conflict policy: 99"},
		{"callbacks without request id", func(r *activityStart) {
			r.OnConflictOptions = &commonpb.OnConflictOptions{AttachCompletionCallbacks: true}
		}, "on_conflict_options: attach_completion_callbacks requires attach_request_id to be set"},
		{"a request id without anything", func(r *activityStart) {
			r.OnConflictOptions = &commonpb.OnConflictOptions{AttachRequestId: true}
		}, "on_conflict_options: attach_request_id requires at least one completion callback or link"},
		{"a large input", func(r *activityStart) { r.Input = blob(2 << 20) }, "input exceeds length limit"},
		{"a large summary", func(r *activityStart) {
			r.UserMetadata = &sdkpb.UserMetadata{Summary: &commonpb.Payload{Data: make([]byte, 401)}}
		}, "user_metadata.summary exceeds size limit. Length=401 Limit=400"},
		{"large details", func(r *activityStart) {
			r.UserMetadata = &sdkpb.UserMetadata{Details: &commonpb.Payload{Data: make([]byte, 20001)}}
		}, "user_metadata.details exceeds size limit. Length=20001 Limit=20000"},
		{"an unknown attribute", func(r *activityStart) {
			r.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{"Nope": {}}}
		}, "Namespace ns has no mapping defined for search attribute Nope"},
		{"a callback", func(r *activityStart) { r.CompletionCallbacks = []*commonpb.Callback{callback} },
			"invalid url: url does not match any configured callback address: http://127.0.0.1:1/"},
		{"eleven links", func(r *activityStart) {
			for range 11 {
				r.Links = append(r.Links, link)
			}
		}, "cannot attach more than 10 links per request, got 11"},
	} {
		check(t, e, refusal{row.name, "StartActivityExecution", activityStartRequest(row.change), codes.InvalidArgument, row.text})
	}
	if n := len(e.executions.inputs()); n > 0 {
		t.Errorf("%d bad requests reached the core", n)
	}
	check(t, e, refusal{"no namespace", "StartActivityExecution", activityStartRequest(func(r *activityStart) { r.Namespace = "" }),
		codes.InvalidArgument, "Namespace is empty."})
	check(t, e, refusal{"an unknown namespace", "StartActivityExecution", activityStartRequest(func(r *activityStart) { r.Namespace = "nope" }),
		codes.NotFound, "Namespace nope is not found."})
}

// TestActivityRequestsAreValidated is AX-20 and its like for the calls about one
// activity.
func TestActivityRequestsAreValidated(t *testing.T) {
	const (
		noID    = "activity ID is required"
		longID  = "activity ID exceeds length limit. Length=1001 Limit=1000"
		badRun  = "invalid run id: must be a valid UUID"
		longReq = "request ID exceeds length limit. Length=1001 Limit=1000"
		longWho = "identity exceeds length limit. Length=1001 Limit=1000"
		reason  = "reason exceeds length limit"
		jitter  = "Jitter is not a valid duration: negative duration"
	)
	bad := codes.InvalidArgument
	large := string(make([]byte, 2<<20+1))
	negative := durationpb.New(-1)
	e := newEdge(t)
	for _, c := range []refusal{
		{"no id", "RequestCancelActivityExecution", &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns"}, bad, noID},
		{"a long id", "RequestCancelActivityExecution", &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: long}, bad, longID},
		{"a bad run id", "RequestCancelActivityExecution", &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RunId: "x"}, bad, badRun},
		{"a long request id", "RequestCancelActivityExecution", &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RequestId: long}, bad, longReq},
		{"a long identity", "RequestCancelActivityExecution", &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: "a", Identity: long}, bad, longWho},
		{"a large reason", "RequestCancelActivityExecution", &workflowservice.RequestCancelActivityExecutionRequest{Namespace: "ns", ActivityId: "a", Reason: large}, bad, reason},
		{"no id", "TerminateActivityExecution", &workflowservice.TerminateActivityExecutionRequest{Namespace: "ns"}, bad, noID},
		{"a bad run id", "TerminateActivityExecution", &workflowservice.TerminateActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RunId: "x"}, bad, badRun},
		{"a large reason", "TerminateActivityExecution", &workflowservice.TerminateActivityExecutionRequest{Namespace: "ns", ActivityId: "a", Reason: large}, bad, reason},
		{"no id", "DeleteActivityExecution", &workflowservice.DeleteActivityExecutionRequest{Namespace: "ns"}, bad, noID},
		{"a bad run id", "DeleteActivityExecution", &workflowservice.DeleteActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RunId: "x"}, bad, badRun},
		{"no id", "PauseActivityExecution", &workflowservice.PauseActivityExecutionRequest{Namespace: "ns"}, bad, noID},
		{"a bad run id", "PauseActivityExecution", &workflowservice.PauseActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RunId: "x"}, bad, badRun},
		{"a large reason", "PauseActivityExecution", &workflowservice.PauseActivityExecutionRequest{Namespace: "ns", ActivityId: "a", Reason: large}, bad, reason},
		{"no id", "UnpauseActivityExecution", &workflowservice.UnpauseActivityExecutionRequest{Namespace: "ns"}, bad, noID},
		{"negative jitter", "UnpauseActivityExecution", &workflowservice.UnpauseActivityExecutionRequest{Namespace: "ns", ActivityId: "a", Jitter: negative}, bad, jitter},
		{"no id", "ResetActivityExecution", &workflowservice.ResetActivityExecutionRequest{Namespace: "ns"}, bad, noID},
		{"negative jitter", "ResetActivityExecution", &workflowservice.ResetActivityExecutionRequest{Namespace: "ns", ActivityId: "a", Jitter: negative}, bad, jitter},
		{"a long request id", "ResetActivityExecution", &workflowservice.ResetActivityExecutionRequest{Namespace: "ns", ActivityId: "a", RequestId: long}, bad, longReq},
		{"no id", "UpdateActivityExecutionOptions", &workflowservice.UpdateActivityExecutionOptionsRequest{Namespace: "ns"}, bad, noID},
		{"a long identity", "UpdateActivityExecutionOptions", &workflowservice.UpdateActivityExecutionOptionsRequest{Namespace: "ns", ActivityId: "a", Identity: long}, bad, longWho},

		{"no id", "RecordActivityTaskHeartbeatById", &workflowservice.RecordActivityTaskHeartbeatByIdRequest{Namespace: "ns"}, bad, "ActivityId is not set on request."},
		{"a bad run id", "RespondActivityTaskCompletedById", &workflowservice.RespondActivityTaskCompletedByIdRequest{Namespace: "ns", ActivityId: "a", RunId: "x"}, bad, "Invalid RunId."},
		{"a foreign token", "RespondActivityTaskCompleted", &workflowservice.RespondActivityTaskCompletedRequest{Namespace: "other", TaskToken: sealAttemptToken(sampleAttemptToken)}, bad, "Operation requested with a token from a different namespace."},
		{"a failure of another sort", "RespondActivityTaskFailed", &workflowservice.RespondActivityTaskFailedRequest{TaskToken: sealAttemptToken(sampleAttemptToken), Failure: plainFailure}, bad, "Failure must have ApplicationFailureInfo."},
	} {
		check(t, e, c)
	}
	if n := len(e.executions.inputs()); n > 0 {
		t.Errorf("%d bad requests reached the core", n)
	}
}

// TestActivityStartDefaults is AX-4: what a request leaves open.
func TestActivityStartDefaults(t *testing.T) {
	e := newEdge(t)
	r := activityStartRequest(func(*activityStart) {})
	if err := e.prepareActivityStart(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r.RequestId == "" || r.IdReusePolicy != enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE || r.IdConflictPolicy != enumspb.ACTIVITY_ID_CONFLICT_POLICY_FAIL {
		t.Errorf("filled in: %v", r)
	}
}
