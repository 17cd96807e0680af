// Package versioning checks the versioning overrides of workflows. Worker
// Deployments are not built yet, so that no task queue has a version: whatever
// wants one is refused, and what remains, an override to auto-upgrade, is carried
// and shown. Spec: taskqueue.md WV-10, WV-50 and WV-51.
package versioning

import (
	"strings"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"

	"github.com/perdure/perdure/engine"
)

// Check refuses an override that makes no sense in itself, in any of the forms
// that clients send. Nil is good. The error is an *engine.Refusal of
// KindInvalidArgument.
func Check(o *workflowpb.VersioningOverride) error {
	switch v := Normal(o).GetOverride().(type) {
	case *workflowpb.VersioningOverride_Pinned:
		if v.Pinned.GetVersion() == nil {
			return engine.Invalid("must provide version if override is pinned.")
		}
		if v.Pinned.GetBehavior() == workflowpb.VersioningOverride_PINNED_OVERRIDE_BEHAVIOR_UNSPECIFIED {
			return engine.Invalid("must specify pinned override behavior if override is pinned.")
		}
	case *workflowpb.VersioningOverride_AutoUpgrade:
		if !v.AutoUpgrade {
			return engine.Invalid("auto-upgrade override must be true")
		}
	case *workflowpb.VersioningOverride_OneTime:
		if v.OneTime.GetTargetDeploymentVersion() == nil {
			return engine.Invalid("must provide version if override is pinned.")
		}
	default:
		if o != nil {
			return engine.Invalid("versioning override must be pinned, auto-upgrade or one-time")
		}
	}
	return nil
}

// CheckQueue refuses an override, already checked, to a version that the task
// queue does not have, which is any. The error is an *engine.Refusal of
// KindFailedPrecondition.
func CheckQueue(o *workflowpb.VersioningOverride, queue string) error {
	var version *deploymentpb.WorkerDeploymentVersion
	switch v := Normal(o).GetOverride().(type) {
	case *workflowpb.VersioningOverride_Pinned:
		version = v.Pinned.GetVersion()
	case *workflowpb.VersioningOverride_OneTime:
		version = v.OneTime.GetTargetDeploymentVersion()
	default:
		return nil
	}
	return engine.Refuse(engine.KindFailedPrecondition, "Pinned version '%s:%s' is not present in task queue '%s' of type 'Workflow'",
		version.GetDeploymentName(), version.GetBuildId(), queue)
}

// Normal is the override in the form the API has now, with the superseded fields
// saying the same, which older clients read. o is not changed; nil for nil.
func Normal(o *workflowpb.VersioningOverride) *workflowpb.VersioningOverride {
	behavior, deployment, pinned := o.GetBehavior(), o.GetDeployment(), o.GetPinnedVersion()
	switch v := o.GetOverride().(type) {
	case *workflowpb.VersioningOverride_Pinned:
		if version := v.Pinned.GetVersion(); version != nil {
			return &workflowpb.VersioningOverride{Override: v,
				Behavior: enumspb.VERSIONING_BEHAVIOR_PINNED, PinnedVersion: version.GetDeploymentName() + "." + version.GetBuildId()}
		}
	case *workflowpb.VersioningOverride_AutoUpgrade:
		return &workflowpb.VersioningOverride{Override: v, Behavior: enumspb.VERSIONING_BEHAVIOR_AUTO_UPGRADE}
	case nil:
		switch {
		case behavior == enumspb.VERSIONING_BEHAVIOR_AUTO_UPGRADE:
			return &workflowpb.VersioningOverride{Behavior: behavior, Override: &workflowpb.VersioningOverride_AutoUpgrade{AutoUpgrade: true}}
		case behavior == enumspb.VERSIONING_BEHAVIOR_PINNED || pinned != "" || deployment != nil:
			return pinnedTo(version(pinned, deployment))
		}
	}
	return o
}

// version reads the superseded names of one; nil when there is none.
func version(pinned string, deployment *deploymentpb.Deployment) *deploymentpb.WorkerDeploymentVersion {
	if pinned != "" {
		name, build, _ := strings.Cut(pinned, ".")
		return &deploymentpb.WorkerDeploymentVersion{DeploymentName: name, BuildId: build}
	}
	if deployment != nil {
		return &deploymentpb.WorkerDeploymentVersion{DeploymentName: deployment.GetSeriesName(), BuildId: deployment.GetBuildId()}
	}
	return nil
}

func pinnedTo(v *deploymentpb.WorkerDeploymentVersion) *workflowpb.VersioningOverride {
	return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{
		Pinned: &workflowpb.VersioningOverride_PinnedOverride{
			Behavior: workflowpb.VersioningOverride_PINNED_OVERRIDE_BEHAVIOR_PINNED, Version: v,
		}}}
}
