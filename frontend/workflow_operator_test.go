package frontend

import (
	"net/http"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine/workflow"
)

// workflow.md 8.1: the texts of pause and unpause, and what a description says.
func TestPauseWorkflow(t *testing.T) {
	const bad = codes.InvalidArgument
	e := newEdge(t)
	e.withActivities()
	pause := func(edit func(*workflowservice.PauseWorkflowExecutionRequest)) *workflowservice.PauseWorkflowExecutionRequest {
		r := &workflowservice.PauseWorkflowExecutionRequest{Namespace: "ns", WorkflowId: "w", Identity: "me", Reason: "why", RequestId: "p"}
		if edit != nil {
			edit(r)
		}
		return r
	}
	unpause := func(edit func(*workflowservice.UnpauseWorkflowExecutionRequest)) *workflowservice.UnpauseWorkflowExecutionRequest {
		r := &workflowservice.UnpauseWorkflowExecutionRequest{Namespace: "ns", WorkflowId: "w", RequestId: "u"}
		if edit != nil {
			edit(r)
		}
		return r
	}
	for _, c := range []refusal{
		{"no workflow id", "PauseWorkflowExecution", pause(func(r *workflowservice.PauseWorkflowExecutionRequest) { r.WorkflowId = "" }), bad, "WorkflowId is not set on request."},
		{"a bad run id", "PauseWorkflowExecution", pause(func(r *workflowservice.PauseWorkflowExecutionRequest) { r.RunId = "x" }), bad, "Invalid RunId."},
		{"a long reason", "PauseWorkflowExecution", pause(func(r *workflowservice.PauseWorkflowExecutionRequest) { r.Reason = long }), bad, "reason is too long."},
		{"a long request id", "PauseWorkflowExecution", pause(func(r *workflowservice.PauseWorkflowExecutionRequest) { r.RequestId = long }), bad, "request id is too long."},
		{"a long identity", "PauseWorkflowExecution", pause(func(r *workflowservice.PauseWorkflowExecutionRequest) { r.Identity = long }), bad, "identity is too long."},
		{"an unknown workflow", "PauseWorkflowExecution", pause(func(r *workflowservice.PauseWorkflowExecutionRequest) { r.WorkflowId = "nope" }), codes.NotFound, "workflow not found for ID: nope"},
		{"no workflow id", "UnpauseWorkflowExecution", unpause(func(r *workflowservice.UnpauseWorkflowExecutionRequest) { r.WorkflowId = "" }), bad, "WorkflowId is not set on request."},
		{"a long reason", "UnpauseWorkflowExecution", unpause(func(r *workflowservice.UnpauseWorkflowExecutionRequest) { r.Reason = long }), bad, "reason is too long."},
		{"not paused", "UnpauseWorkflowExecution", unpause(nil), codes.FailedPrecondition, "workflow is not paused."},
	} {
		check(t, e, c)
	}

	for range 2 { // a repetition is accepted
		if _, err := e.api.PauseWorkflowExecution(t.Context(), pause(nil)); err != nil {
			t.Fatal(err)
		}
	}
	check(t, e, refusal{"paused already", "PauseWorkflowExecution",
		pause(func(r *workflowservice.PauseWorkflowExecutionRequest) { r.RequestId = "another" }), codes.FailedPrecondition, "workflow is already paused."})
	d := e.describe(t)
	info := d.GetWorkflowExtendedInfo().GetPauseInfo()
	if info.GetIdentity() != "me" || info.GetReason() != "why" || info.GetPausedTime().GetSeconds() != 1000 ||
		d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED {
		t.Errorf("paused: %v", d)
	}
	sa := d.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()["TemporalPauseInfo"]
	if string(sa.GetData()) != `["Workflow:w","Reason:why"]` {
		t.Errorf("TemporalPauseInfo is %s", sa.GetData())
	}

	for range 2 {
		if _, err := e.api.UnpauseWorkflowExecution(t.Context(), unpause(nil)); err != nil {
			t.Fatal(err)
		}
	}
	d = e.describe(t)
	if d.GetWorkflowExtendedInfo().GetPauseInfo() != nil || d.GetWorkflowExecutionInfo().GetSearchAttributes() != nil ||
		d.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		t.Errorf("unpaused: %v", d)
	}
}

func (e *edge) describe(t *testing.T) *workflowservice.DescribeWorkflowExecutionResponse {
	t.Helper()
	d, err := e.api.DescribeWorkflowExecution(t.Context(), &workflowservice.DescribeWorkflowExecutionRequest{Namespace: "ns", Execution: testExecution})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// workflow.md 8.2: masks and texts.
func TestUpdateWorkflowOptions(t *testing.T) {
	const bad = codes.InvalidArgument
	e := newEdge(t)
	e.withActivities()
	type options = workflowpb.WorkflowExecutionOptions
	update := func(o *options, paths ...string) *workflowservice.UpdateWorkflowExecutionOptionsRequest {
		return &workflowservice.UpdateWorkflowExecutionOptionsRequest{Namespace: "ns", WorkflowExecution: testExecution,
			WorkflowExecutionOptions: o, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}, Identity: "me"}
	}
	autoUpgrade := &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_AutoUpgrade{AutoUpgrade: true}}
	pinned := &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{Pinned: &workflowpb.VersioningOverride_PinnedOverride{
		Behavior: workflowpb.VersioningOverride_PINNED_OVERRIDE_BEHAVIOR_PINNED,
		Version:  &deploymentpb.WorkerDeploymentVersion{DeploymentName: "dep1", BuildId: "nonexist"}}}}
	noMask := update(&options{})
	noMask.UpdateMask = nil
	nobody := update(&options{})
	nobody.WorkflowExecution = nil
	for _, c := range []refusal{
		{"no execution", "UpdateWorkflowExecutionOptions", nobody, bad, "Execution is not set on request."},
		{"no mask", "UpdateWorkflowExecutionOptions", noMask, bad, "UpdateMask is required"},
		{"no options", "UpdateWorkflowExecutionOptions", update(nil, "priority"), bad, "WorkflowExecutionOptions is required"},
		{"half of an override", "UpdateWorkflowExecutionOptions", update(&options{}, "versioning_override.behavior"), bad, "versioning_override fields must be updated together"},
		{"part of an override", "UpdateWorkflowExecutionOptions", update(&options{}, "versioningOverride.pinnedVersion"), bad, "versioning_override doesn't support partial updates"},
		{"an empty override", "UpdateWorkflowExecutionOptions", update(&options{VersioningOverride: &workflowpb.VersioningOverride{}}, "versioning_override"), bad, "versioning override must be pinned, auto-upgrade or one-time"},
		{"a version nobody has", "UpdateWorkflowExecutionOptions", update(&options{VersioningOverride: pinned}, "versioning_override"), codes.FailedPrecondition, "Pinned version 'dep1:nonexist' is not present in task queue 'q' of type 'Workflow'"},
		{"a negative priority", "UpdateWorkflowExecutionOptions", update(&options{Priority: &commonpb.Priority{PriorityKey: -1}}, "priority"), bad, "priority key can't be negative"},
		{"time skipping", "UpdateWorkflowExecutionOptions", update(&options{}, "timeSkippingConfig.enabled"), codes.Unimplemented, "The Time-Skipping feature is not enabled for namespace."},
	} {
		check(t, e, c)
	}
	_, err := e.api.UpdateWorkflowExecutionOptions(t.Context(), update(&options{}, "nonsense"))
	if text := status.Convert(err).Message(); status.Code(err) != bad || !strings.HasPrefix(text, "error parsing UpdateMask: ") || !strings.Contains(text, "nonsense") {
		t.Errorf("an unknown path: %v", err)
	}

	for _, c := range []struct {
		name  string
		set   *options
		paths []string
		want  *options
	}{
		{"all of the priority", &options{Priority: &commonpb.Priority{PriorityKey: 2, FairnessKey: "k"}}, []string{"priority"},
			&options{Priority: &commonpb.Priority{PriorityKey: 2, FairnessKey: "k"}}},
		{"a part of it, in camel case", &options{Priority: &commonpb.Priority{PriorityKey: 4}}, []string{"priority.fairnessKey", "priority.fairnessWeight"},
			&options{Priority: &commonpb.Priority{PriorityKey: 2}}},
		{"an override", &options{VersioningOverride: autoUpgrade}, []string{"versioningOverride"},
			&options{Priority: &commonpb.Priority{PriorityKey: 2}, VersioningOverride: mirrored(autoUpgrade)}},
		{"the priority unset", &options{}, []string{"priority"}, &options{VersioningOverride: mirrored(autoUpgrade)}},
		{"the override as it was, unset by its parts", &options{}, []string{"versioning_override.behavior", "versioning_override.deployment"}, &options{}},
		{"nothing", &options{Priority: &commonpb.Priority{PriorityKey: 2}}, nil, &options{}},
	} {
		got, err := e.api.UpdateWorkflowExecutionOptions(t.Context(), update(c.set, c.paths...))
		if err != nil || !proto.Equal(got.GetWorkflowExecutionOptions(), c.want) || got.GetUpdateTime().GetSeconds() != 1000 {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
		d := e.describe(t).GetWorkflowExecutionInfo()
		if !proto.Equal(d.GetPriority(), c.want.GetPriority()) || !proto.Equal(d.GetVersioningInfo().GetVersioningOverride(), c.want.GetVersioningOverride()) {
			t.Errorf("%s: described as %v", c.name, d)
		}
	}
	last := e.executions.inputs()[len(e.executions.inputs())-1].(*workflow.UpdateOptions)
	if last.Identity != "me" {
		t.Errorf("the core got %+v", last)
	}
}

// mirrored is an override to auto-upgrade as responses show it.
func mirrored(o *workflowpb.VersioningOverride) *workflowpb.VersioningOverride {
	m := proto.CloneOf(o)
	m.Behavior = enumspb.VERSIONING_BEHAVIOR_AUTO_UPGRADE
	return m
}

// The routes of service.md 1.6 for what operators do to a workflow.
func TestOperateWorkflowByHTTP(t *testing.T) {
	e := newEdge(t)
	e.withActivities()
	server := newGateway(t, e, HTTPOptions{})
	const path = "/api/v1/namespaces/ns/workflows/w/"
	for _, c := range []struct{ path, body, want string }{
		{"pause", `{"identity": "me", "reason": "why", "requestId": "p"}`, `{}`},
		{"update-options", `{"workflowExecutionOptions": {"priority": {"priorityKey": 2}}, "updateMask": "priority"}`,
			`{"workflowExecutionOptions": {"priority": {"priorityKey": 2}}, "updateTime": "1970-01-01T00:16:40Z"}`},
		{"unpause", `{"requestId": "u"}`, `{}`},
	} {
		code, body, _ := request(t, server, http.MethodPost, path+c.path, c.body)
		if code != http.StatusOK {
			t.Errorf("%s: %d %s", c.path, code, body)
			continue
		}
		same(t, body, c.want)
	}
	if code, body, _ := request(t, server, http.MethodPost, path+"unpause", `{}`); code != http.StatusBadRequest || !strings.Contains(body, "workflow is not paused.") {
		t.Errorf("%d %s", code, body)
	}
}
