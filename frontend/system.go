package frontend

import (
	"context"
	"maps"

	"go.temporal.io/api/workflowservice/v1"
)

// GetSystemInfo tells clients what the server can do (service.md 1.1). A
// capability is true only when what it stands for is there: SDKs switch
// protocols on it.
func (f *Frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{
		ServerVersion: ServerVersion,
		Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{
			SignalAndQueryHeader:            true,
			InternalErrorDifferentiation:    true,
			ActivityFailureIncludeHeartbeat: true,
			EncodedFailureAttributes:        true,
			UpsertMemo:                      true,
			EagerWorkflowStart:              true,
			SdkMetadata:                     true,
			CountGroupByExecutionStatus:     true,
			// Not built yet: SupportsSchedules, BuildIdBasedVersioning, Nexus,
			// ServerScaledDeployments.
		},
	}, nil
}

// GetClusterInfo is service.md 1.2.
func (f *Frontend) GetClusterInfo(context.Context, *workflowservice.GetClusterInfoRequest) (*workflowservice.GetClusterInfoResponse, error) {
	return &workflowservice.GetClusterInfoResponse{
		SupportedClients:         maps.Clone(supportedClients),
		ServerVersion:            ServerVersion,
		ClusterId:                f.registry.ClusterID(),
		ClusterName:              f.registry.ClusterName(),
		HistoryShardCount:        f.shards,
		PersistenceStore:         f.persistence,
		VisibilityStore:          "sqlite",
		InitialFailoverVersion:   1,
		FailoverVersionIncrement: 10,
	}, nil
}
