package workflow

import (
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
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

// recordWorker remembers which build of the worker completed the task of the
// event: where it was first seen (auto reset points) and that it was (BuildIds).
// runID is the run that wrote the event first: it can be reset to it.
func (d *draft) recordWorker(ev *historypb.HistoryEvent, runID string) {
	a := ev.GetWorkflowTaskCompletedEventAttributes()
	build := a.GetWorkerVersion().GetBuildId() //nolint:staticcheck // what unversioned workers say of themselves
	d.recordResetPoint(ev, runID, build, a.GetBinaryChecksum())
	version := a.GetDeploymentVersion()
	if b := a.GetVersioningBehavior(); b != enumspb.VERSIONING_BEHAVIOR_UNSPECIFIED || d.info.VersioningInfo != nil {
		d.info.VersioningInfo = &workflowpb.WorkflowExecutionVersioningInfo{Behavior: b, DeploymentVersion: version}
	}
	if version != nil {
		return // worker versioning proper is not kept in BuildIds yet
	}
	d.addBuildID(build)
}

// unversioned is the first token of BuildIds, and unversionedOnly the attribute
// of runs whose workers say no more of themselves: one for all of them, because
// writing and reading it at each task was a step's largest part. Most of these
// runs have no other, and unversionedAttributes are all that they have.
const unversioned = "unversioned"

var (
	unversionedOnly       = searchattr.Encode([]string{unversioned}, enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST)
	unversionedAttributes = &commonpb.SearchAttributes{
		IndexedFields: map[string]*commonpb.Payload{searchattr.BuildIDs: unversionedOnly}}
)

// addBuildID adds a build to BuildIds; empty for a worker that names none. A run
// that outlives many builds keeps the newest; the first token stays.
func (d *draft) addBuildID(build string) {
	if sa := d.searchAttributes(); build == "" && sa.GetIndexedFields()[searchattr.BuildIDs] == unversionedOnly {
		return
	} else if build == "" && sa == nil {
		d.setSearchAttributes(unversionedAttributes)
		return
	}
	was := d.systemAttribute(searchattr.BuildIDs)
	have := was
	if !slices.Contains(have, unversioned) {
		have = append(slices.Clip(have), unversioned)
	}
	if token := unversioned + ":" + build; build != "" && !slices.Contains(have, token) {
		if len(have) > d.env.Limits.AutoResetPoints {
			have = slices.Delete(slices.Clone(have), 1, 2)
		}
		have = append(slices.Clip(have), token)
	}
	switch {
	case slices.Equal(have, was):
	case len(have) == 1:
		d.setSearchAttributes(searchattr.Merge(d.searchAttributes(), unversionedAttributes))
	default:
		d.setSystemAttribute(searchattr.BuildIDs, have)
	}
}

// recordResetPoint notes the first task a build has completed; the oldest
// points make room.
func (d *draft) recordResetPoint(completed *historypb.HistoryEvent, runID, build, checksum string) {
	if build == "" && checksum == "" {
		return
	}
	points := d.info.AutoResetPoints.GetPoints()
	for _, p := range points {
		if p.GetBuildId() == build && p.GetBinaryChecksum() == checksum {
			return
		}
	}
	points = append(slices.Clip(points), &workflowpb.ResetPointInfo{
		BuildId:                      build,
		BinaryChecksum:               checksum,
		RunId:                        runID,
		FirstWorkflowTaskCompletedId: completed.GetEventId(),
		CreateTime:                   completed.GetEventTime(),
		Resettable:                   true,
	})
	if extra := len(points) - d.env.Limits.AutoResetPoints; extra > 0 {
		points = points[extra:]
	}
	d.info.AutoResetPoints = &workflowpb.ResetPoints{Points: points}
}
