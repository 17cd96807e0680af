package frontend

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
)

// The namespace RPCs (service.md 2). The registry knows the rules.

// RegisterNamespace creates a namespace.
func (f *Frontend) RegisterNamespace(ctx context.Context, r *workflowservice.RegisterNamespaceRequest) (*workflowservice.RegisterNamespaceResponse, error) {
	if _, err := f.registry.Register(ctx, r); err != nil {
		return nil, err
	}
	return &workflowservice.RegisterNamespaceResponse{}, nil
}

// DescribeNamespace shows a namespace, by name or id.
func (f *Frontend) DescribeNamespace(_ context.Context, r *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	resp, err := f.registry.Describe(r.GetNamespace(), r.GetId())
	if err != nil {
		return nil, err
	}
	announceLimits(resp)
	return resp, nil
}

// announceLimits says what we really take. The response is ours alone.
func announceLimits(resp *workflowservice.DescribeNamespaceResponse) {
	if limits := resp.GetNamespaceInfo().GetLimits(); limits != nil {
		limits.WorkflowTaskCompletionSizeLimitError = MaxCompletionBytes
	}
}

// ListNamespaces lists them by name.
func (f *Frontend) ListNamespaces(_ context.Context, r *workflowservice.ListNamespacesRequest) (*workflowservice.ListNamespacesResponse, error) {
	resp, err := f.registry.List(r)
	if err != nil {
		return nil, err
	}
	for _, ns := range resp.GetNamespaces() {
		announceLimits(ns)
	}
	return resp, nil
}

// UpdateNamespace merges changes into a namespace.
func (f *Frontend) UpdateNamespace(ctx context.Context, r *workflowservice.UpdateNamespaceRequest) (*workflowservice.UpdateNamespaceResponse, error) {
	return f.registry.Update(ctx, r)
}

// DeprecateNamespace lets a namespace begin nothing new.
func (f *Frontend) DeprecateNamespace(ctx context.Context, r *workflowservice.DeprecateNamespaceRequest) (*workflowservice.DeprecateNamespaceResponse, error) {
	if err := f.registry.Deprecate(ctx, r.GetNamespace()); err != nil {
		return nil, err
	}
	return &workflowservice.DeprecateNamespaceResponse{}, nil
}

// GetSearchAttributes names every search attribute there is (SA-2).
func (f *Frontend) GetSearchAttributes(context.Context, *workflowservice.GetSearchAttributesRequest) (*workflowservice.GetSearchAttributesResponse, error) {
	return &workflowservice.GetSearchAttributesResponse{Keys: f.registry.AllSearchAttributes()}, nil
}
