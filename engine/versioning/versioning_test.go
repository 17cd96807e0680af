package versioning

import (
	"testing"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/proto"
)

var build = &deploymentpb.WorkerDeploymentVersion{DeploymentName: "dep1", BuildId: "b1"}

func pinned(b workflowpb.VersioningOverride_PinnedOverrideBehavior, v *deploymentpb.WorkerDeploymentVersion) *workflowpb.VersioningOverride {
	return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_Pinned{
		Pinned: &workflowpb.VersioningOverride_PinnedOverride{Behavior: b, Version: v}}}
}

func oneTime(v *deploymentpb.WorkerDeploymentVersion) *workflowpb.VersioningOverride {
	return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_OneTime{
		OneTime: &workflowpb.VersioningOverride_OneTimeOverride{TargetDeploymentVersion: v}}}
}

func autoUpgrade(yes bool) *workflowpb.VersioningOverride {
	return &workflowpb.VersioningOverride{Override: &workflowpb.VersioningOverride_AutoUpgrade{AutoUpgrade: yes}}
}

// WV-51, in the forms of now and before; no queue has any version.
func TestOverrides(t *testing.T) {
	const (
		full   = workflowpb.VersioningOverride_PINNED_OVERRIDE_BEHAVIOR_PINNED
		absent = "Pinned version 'dep1:b1' is not present in task queue 'q' of type 'Workflow'"
	)
	for name, c := range map[string]struct {
		override *workflowpb.VersioningOverride
		shape    string
		queue    string
	}{
		"none":                            {nil, "", ""},
		"empty":                           {&workflowpb.VersioningOverride{}, "versioning override must be pinned, auto-upgrade or one-time", ""},
		"auto-upgrade":                    {autoUpgrade(true), "", ""},
		"auto-upgrade, but false":         {autoUpgrade(false), "auto-upgrade override must be true", ""},
		"auto-upgrade as it was":          {&workflowpb.VersioningOverride{Behavior: enumspb.VERSIONING_BEHAVIOR_AUTO_UPGRADE}, "", ""},
		"pinned":                          {pinned(full, build), "", absent},
		"pinned to nothing":               {pinned(full, nil), "must provide version if override is pinned.", ""},
		"pinned somehow":                  {pinned(0, build), "must specify pinned override behavior if override is pinned.", ""},
		"pinned as it was":                {&workflowpb.VersioningOverride{Behavior: enumspb.VERSIONING_BEHAVIOR_PINNED, PinnedVersion: "dep1.b1"}, "", absent},
		"pinned as it was first":          {&workflowpb.VersioningOverride{Deployment: &deploymentpb.Deployment{SeriesName: "dep1", BuildId: "b1"}}, "", absent},
		"pinned to nothing, as it was":    {&workflowpb.VersioningOverride{Behavior: enumspb.VERSIONING_BEHAVIOR_PINNED}, "must provide version if override is pinned.", ""},
		"one task elsewhere":              {oneTime(build), "", absent},
		"one task elsewhere, but nowhere": {oneTime(nil), "must provide version if override is pinned.", ""},
	} {
		if got := text(Check(c.override)); got != c.shape {
			t.Errorf("%s: %q, want %q", name, got, c.shape)
		}
		if c.shape == "" {
			if got := text(CheckQueue(c.override, "q")); got != c.queue {
				t.Errorf("%s: %q, want %q", name, got, c.queue)
			}
		}
	}
}

// WV-50: old and new fields say the same.
func TestSupersededFieldsAreMirrored(t *testing.T) {
	before := &workflowpb.VersioningOverride{Behavior: enumspb.VERSIONING_BEHAVIOR_AUTO_UPGRADE}
	if a, b := Normal(before), Normal(autoUpgrade(true)); !proto.Equal(a, b) || !a.GetAutoUpgrade() || a.GetBehavior() != before.GetBehavior() {
		t.Errorf("%v and %v", a, b)
	}
	now := Normal(pinned(workflowpb.VersioningOverride_PINNED_OVERRIDE_BEHAVIOR_PINNED, build))
	if now.GetPinnedVersion() != "dep1.b1" || now.GetBehavior() != enumspb.VERSIONING_BEHAVIOR_PINNED {
		t.Error(now)
	}
	if Normal(nil) != nil {
		t.Error("an override out of nothing")
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
