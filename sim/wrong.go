package main

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/activity"
	"github.com/perdure/perdure/engine/standalone"
	"github.com/perdure/perdure/engine/workflow"
)

// nowhere is a run that does not exist.
const nowhere = "00000000-0000-4000-8000-000000000000"

// ask is a request that must be refused, whatever the state of the world. to makes
// it about the workflow or the standalone activity of that id.
type ask struct {
	what string
	run  string
	to   func(w *world, id string) engine.Input
}

// ofWorkflows and ofActivities are the requests no one should make, of either.
var (
	ofWorkflows  = wrongOfWorkflows()
	ofActivities = wrongOfActivities()
)

// askWrongly makes a request that must be refused.
func (w *world) askWrongly(id string) {
	if w.oneIn(3) {
		a := ofActivities[w.chance.IntN(len(ofActivities))]
		single := aloneID(w.chance.IntN(activityIDs))
		w.mustRefuse(single, a, a.to(w, single.Name))
		return
	}
	a := ofWorkflows[w.chance.IntN(len(ofWorkflows))]
	w.mustRefuse(idOf(id), a, a.to(w, id))
}

func (w *world) mustRefuse(id engine.ID, a ask, in engine.Input) {
	w.submit(id, a.run, in, func(_ any, err error) {
		if err == nil {
			w.broken("%s of %s is not refused", a.what, id.Name)
		}
	})
}

func wrongOfWorkflows() []ask {
	all := []ask{
		{what: "a start for a version there is not", to: func(w *world, id string) engine.Input {
			r := w.startRequest(id)
			r.RequestId, r.VersioningOverride = w.unique("wrong"), pinnedTo("v1")
			return &workflow.StartWorkflow{Request: r}
		}},
		{what: "a reset of a run there is not", run: nowhere, to: func(w *world, id string) engine.Input {
			return &workflow.ResetWorkflow{Request: &workflowservice.ResetWorkflowExecutionRequest{Namespace: namespaceName, RequestId: w.unique("wrong"),
				WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: nowhere}, WorkflowTaskFinishEventId: 4}}
		}},
		{what: "a signal to a run there is not", run: nowhere, to: func(w *world, id string) engine.Input {
			return &workflow.Signal{Request: &workflowservice.SignalWorkflowExecutionRequest{SignalName: w.unique("wrong")}}
		}},
		{what: "a cancellation in another chain", to: func(w *world, id string) engine.Input {
			return &workflow.RequestCancel{Request: &workflowservice.RequestCancelWorkflowExecutionRequest{FirstExecutionRunId: nowhere, RequestId: w.unique("wrong")}}
		}},
		{what: "a termination in another chain", to: func(*world, string) engine.Input {
			return &workflow.Terminate{Request: &workflowservice.TerminateWorkflowExecutionRequest{FirstExecutionRunId: nowhere}}
		}},
		{what: "an update in another chain", to: func(w *world, id string) engine.Input {
			r := w.updateRequest(id)
			r.FirstExecutionRunId = nowhere
			return &workflow.UpdateWorkflow{Request: r}
		}},
		{what: "a pause of an activity there is not", to: func(*world, string) engine.Input {
			return &workflow.PauseActivity{Which: workflow.ActivitySelection{ID: "nobody"}}
		}},
		{what: "a queue that is not given", to: func(*world, string) engine.Input {
			return &workflow.UpdateActivityOptions{Patch: activity.Patch{Options: &activitypb.ActivityOptions{}, Paths: []string{"task_queue.name"}}}
		}},
		{what: "a retry policy that is not given", to: func(*world, string) engine.Input {
			return &workflow.UpdateActivityOptions{Patch: activity.Patch{Options: &activitypb.ActivityOptions{}, Paths: []string{"retry_policy.maximum_attempts"}}}
		}},
		{what: "a workflow task that was never started", run: nowhere, to: func(w *world, id string) engine.Input {
			return &workflow.CompleteWorkflowTask{Token: workflow.TaskToken{Run: engine.RunKey{ID: idOf(id), RunID: nowhere}, ScheduledEventID: 2},
				Request: &workflowservice.RespondWorkflowTaskCompletedRequest{}}
		}},
	}
	for _, o := range []*workflowpb.WorkflowExecutionOptions{
		{VersioningOverride: pinned}, {VersioningOverride: pinnedTo("v1")},
		{VersioningOverride: &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{Pinned: &workflowpb.VersioningOverride_PinnedOverride{
			Version: &deploymentpb.WorkerDeploymentVersion{DeploymentName: "sim", BuildId: "v1"}}}}},
		{VersioningOverride: &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_AutoUpgrade{}}},
		{VersioningOverride: &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_OneTime{OneTime: &workflowpb.VersioningOverride_OneTimeOverride{}}}},
		{VersioningOverride: &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_OneTime{OneTime: &workflowpb.VersioningOverride_OneTimeOverride{
			TargetDeploymentVersion: &deploymentpb.WorkerDeploymentVersion{DeploymentName: "sim", BuildId: "v1"}}}}},
		{VersioningOverride: &workflowpb.VersioningOverride{}}, {VersioningOverride: &workflowpb.VersioningOverride{Deployment: &deploymentpb.Deployment{SeriesName: "sim", BuildId: "v1"}}}, //nolint:staticcheck // likewise
		{VersioningOverride: &workflowpb.VersioningOverride{PinnedVersion: "sim.v1"}}, //nolint:staticcheck // older clients say so
		{Priority: &commonpb.Priority{PriorityKey: -1}}, {Priority: &commonpb.Priority{FairnessKey: tooLong}}, {Priority: &commonpb.Priority{FairnessWeight: -1}},
		{TimeSkippingConfig: &commonpb.TimeSkippingConfig{MaxSessionSkipCount: -1}},
		{TimeSkippingConfig: &commonpb.TimeSkippingConfig{FastForwardConfig: &commonpb.FastForwardConfig{}}},
		{TimeSkippingConfig: &commonpb.TimeSkippingConfig{FastForwardConfig: &commonpb.FastForwardConfig{Id: tooLong}}},
		{TimeSkippingConfig: &commonpb.TimeSkippingConfig{FastForwardConfig: &commonpb.FastForwardConfig{Id: "x", Duration: negative}}},
	} {
		all = append(all, ask{what: "options that make no sense", to: func(*world, string) engine.Input {
			var paths []string
			switch {
			case o.VersioningOverride != nil:
				paths = []string{workflow.PathVersioningOverride}
			case o.Priority != nil:
				paths = []string{workflow.PathPriority}
			default:
				paths = []string{workflow.PathTimeSkipping}
			}
			return &workflow.UpdateOptions{Options: o, Paths: paths}
		}})
	}
	return all
}

func pinnedTo(build string) *workflowpb.VersioningOverride {
	return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{Pinned: &workflowpb.VersioningOverride_PinnedOverride{
		Behavior: workflowpb.VersioningOverride_PINNED_OVERRIDE_BEHAVIOR_PINNED,
		Version:  &deploymentpb.WorkerDeploymentVersion{DeploymentName: "sim", BuildId: build}}}}
}

func wrongOfActivities() (all []ask) {
	type start = workflowservice.StartActivityExecutionRequest
	add := func(what string, spoil func(*start)) {
		all = append(all, ask{what: "a start " + what, to: func(w *world, id string) engine.Input {
			r := w.singleRequest(id)
			r.RequestId = w.unique("wrong")
			spoil(r)
			return &standalone.StartExecution{Request: r}
		}})
	}
	add("without a type", func(r *start) { r.ActivityType = nil })
	add("with a long type", func(r *start) { r.ActivityType = &commonpb.ActivityType{Name: tooLong} })
	add("without a queue", func(r *start) { r.TaskQueue = nil })
	add("without a time limit", func(r *start) { r.StartToCloseTimeout, r.ScheduleToCloseTimeout = nil, nil })
	add("with a negative limit", func(r *start) { r.HeartbeatTimeout = negative })
	add("with a garbled delay", func(r *start) { r.StartDelay = garbled })
	add("of a negative priority", func(r *start) { r.Priority = &commonpb.Priority{PriorityKey: -1} })
	for _, p := range badRetries {
		add("with a retry policy that makes no sense", func(r *start) { r.RetryPolicy = p })
	}
	type update = workflowservice.UpdateActivityExecutionOptionsRequest
	for _, x := range []struct {
		what string
		r    *update
	}{
		{"nothing", &update{}},
		{"no path", &update{ActivityOptions: &activitypb.ActivityOptions{}}},
		{"both at once", &update{RestoreOriginal: true, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"priority"}}}},
		{"what there is not", &update{ActivityOptions: &activitypb.ActivityOptions{}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"weather"}}}},
		{"a priority that is not", &update{ActivityOptions: &activitypb.ActivityOptions{}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"priority.fairness_key"}}}},
		{"a queue with a long name", &update{ActivityOptions: &activitypb.ActivityOptions{TaskQueue: &taskqueuepb.TaskQueue{Name: tooLong}}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"task_queue.name"}}}},
		{"a heartbeat of no sense", &update{ActivityOptions: &activitypb.ActivityOptions{HeartbeatTimeout: garbled}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"heartbeat_timeout"}}}},
		{"a retry policy of no sense", &update{ActivityOptions: &activitypb.ActivityOptions{RetryPolicy: badRetries[1]}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"retry_policy"}}}},
		{"a delay that is over or not", &update{ActivityOptions: &activitypb.ActivityOptions{StartDelay: durationpb.New(-time.Hour)}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"start_delay"}}}},
	} {
		all = append(all, ask{what: "an update of " + x.what, to: func(w *world, _ string) engine.Input {
			return &standalone.UpdateOptions{Request: x.r}
		}})
	}
	return all
}
