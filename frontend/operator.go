package frontend

import (
	"context"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
)

// operator answers OperatorService.
type operator struct {
	operatorservice.UnimplementedOperatorServiceServer
	frontend *Frontend
}

// AddSearchAttributes is SA-10 to SA-17.
func (o *operator) AddSearchAttributes(ctx context.Context, r *operatorservice.AddSearchAttributesRequest) (*operatorservice.AddSearchAttributesResponse, error) {
	if err := o.frontend.registry.AddSearchAttributes(ctx, r.GetNamespace(), r.GetSearchAttributes()); err != nil {
		return nil, err
	}
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

// RemoveSearchAttributes is SA-20 to SA-22.
func (o *operator) RemoveSearchAttributes(ctx context.Context, r *operatorservice.RemoveSearchAttributesRequest) (*operatorservice.RemoveSearchAttributesResponse, error) {
	if err := o.frontend.registry.RemoveSearchAttributes(ctx, r.GetNamespace(), r.GetSearchAttributes()); err != nil {
		return nil, err
	}
	return &operatorservice.RemoveSearchAttributesResponse{}, nil
}

// ListSearchAttributes is SA-1.
func (o *operator) ListSearchAttributes(_ context.Context, r *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	return o.frontend.registry.ListSearchAttributes(r.GetNamespace())
}

// DeleteNamespace is NS-14 and NS-15.
func (o *operator) DeleteNamespace(ctx context.Context, r *operatorservice.DeleteNamespaceRequest) (*operatorservice.DeleteNamespaceResponse, error) {
	name, err := o.frontend.registry.Delete(ctx, r.GetNamespace(), r.GetNamespaceId())
	if err != nil {
		return nil, err
	}
	return &operatorservice.DeleteNamespaceResponse{DeletedNamespace: name}, nil
}

// ListClusters shows the one cluster there is (service.md 3).
func (o *operator) ListClusters(context.Context, *operatorservice.ListClustersRequest) (*operatorservice.ListClustersResponse, error) {
	f := o.frontend
	return &operatorservice.ListClustersResponse{Clusters: []*operatorservice.ClusterMetadata{{
		ClusterName:            f.registry.ClusterName(),
		ClusterId:              f.registry.ClusterID(),
		Address:                f.address,
		HttpAddress:            f.httpAddress,
		InitialFailoverVersion: 1,
		HistoryShardCount:      f.shards,
		IsConnectionEnabled:    true,
	}}}, nil
}

// AddOrUpdateRemoteCluster: a server on its own can connect to no other.
func (o *operator) AddOrUpdateRemoteCluster(_ context.Context, r *operatorservice.AddOrUpdateRemoteClusterRequest) (*operatorservice.AddOrUpdateRemoteClusterResponse, error) {
	return nil, serviceerror.NewUnavailablef("Unable connect to remote cluster %s with error: this server does not replicate", r.GetFrontendAddress())
}

// RemoveRemoteCluster: there is none.
func (o *operator) RemoveRemoteCluster(context.Context, *operatorservice.RemoveRemoteClusterRequest) (*operatorservice.RemoveRemoteClusterResponse, error) {
	return nil, serviceerror.NewNotFound("The cluster to be deleted cannot be found in clusters cache.")
}
