package workflow

import (
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine/searchattr"
)

func workflowType(name string) *commonpb.WorkflowType { return &commonpb.WorkflowType{Name: name} }

// deploymentVersion is the version of the worker, if it says it has one.
func deploymentVersion(req *workflowservice.RespondWorkflowTaskCompletedRequest) *deploymentpb.WorkerDeploymentVersion {
	o := req.GetDeploymentOptions()
	if o.GetWorkerVersioningMode() != enumspb.WORKER_VERSIONING_MODE_VERSIONED {
		return nil
	}
	return &deploymentpb.WorkerDeploymentVersion{DeploymentName: o.GetDeploymentName(), BuildId: o.GetBuildId()}
}

// recordWorker remembers which build of the worker completed the task: where it
// was first seen (auto reset points) and that it was (BuildIds).
func (c *completion) recordWorker() {
	build, checksum := c.req.GetWorkerVersionStamp().GetBuildId(), c.req.GetBinaryChecksum()
	c.recordResetPoint(build, checksum)
	version := deploymentVersion(c.req)
	if b := c.req.GetVersioningBehavior(); b != enumspb.VERSIONING_BEHAVIOR_UNSPECIFIED || c.info.VersioningInfo != nil {
		c.info.VersioningInfo = &workflowpb.WorkflowExecutionVersioningInfo{Behavior: b, DeploymentVersion: version}
	}
	if version != nil {
		return // worker versioning proper is not kept in BuildIds yet
	}
	c.addBuildID("unversioned")
	if build != "" {
		c.addBuildID("unversioned:" + build)
	}
}

// addBuildID adds a token to BuildIds. A run that outlives many builds keeps the
// newest; the first token, "unversioned", stays.
func (c *completion) addBuildID(token string) {
	have := c.systemAttribute(searchattr.BuildIDs)
	if slices.Contains(have, token) {
		return
	}
	if len(have) > c.env.Limits.AutoResetPoints {
		have = slices.Delete(slices.Clone(have), 1, 2)
	}
	c.setSystemAttribute(searchattr.BuildIDs, append(slices.Clip(have), token))
}

// recordResetPoint notes the first task a build has completed; the oldest
// points make room.
func (c *completion) recordResetPoint(build, checksum string) {
	if build == "" && checksum == "" {
		return
	}
	points := c.info.AutoResetPoints.GetPoints()
	for _, p := range points {
		if p.GetBuildId() == build && p.GetBinaryChecksum() == checksum {
			return
		}
	}
	points = append(slices.Clip(points), &workflowpb.ResetPointInfo{
		BuildId:                      build,
		BinaryChecksum:               checksum,
		RunId:                        c.base.Key.RunID,
		FirstWorkflowTaskCompletedId: c.completedID,
		CreateTime:                   timestamp(c.env.Now),
		Resettable:                   true,
	})
	if extra := len(points) - c.env.Limits.AutoResetPoints; extra > 0 {
		points = points[extra:]
	}
	c.info.AutoResetPoints = &workflowpb.ResetPoints{Points: points}
}
