package frontend

import (
	"context"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// This file gives the RPCs of superseded versioning schemes the answers clients
// know how to take (taskqueue.md 11.1).

var (
	errVersionSets  = serviceerror.NewPermissionDenied("Worker versioning v0.1 (Version Set-based, deprecated) is disabled on this namespace.", "")
	errVersionRules = serviceerror.NewPermissionDenied("Worker versioning v0.2 (Rules-based, deprecated) is disabled on this namespace.", "")
	errDeployments  = serviceerror.NewUnimplemented("Deployments are deprecated and no longer supported, use Worker Deployments instead")
)

// UpdateWorkerBuildIdCompatibility is of versioning v0.1.
func (f *Frontend) UpdateWorkerBuildIdCompatibility(context.Context, *workflowservice.UpdateWorkerBuildIdCompatibilityRequest) (*workflowservice.UpdateWorkerBuildIdCompatibilityResponse, error) {
	return nil, errVersionSets
}

// GetWorkerBuildIdCompatibility is of versioning v0.1.
func (f *Frontend) GetWorkerBuildIdCompatibility(context.Context, *workflowservice.GetWorkerBuildIdCompatibilityRequest) (*workflowservice.GetWorkerBuildIdCompatibilityResponse, error) {
	return nil, errVersionSets
}

// UpdateWorkerVersioningRules is of versioning v0.2.
func (f *Frontend) UpdateWorkerVersioningRules(context.Context, *workflowservice.UpdateWorkerVersioningRulesRequest) (*workflowservice.UpdateWorkerVersioningRulesResponse, error) {
	return nil, errVersionRules
}

// GetWorkerVersioningRules is of versioning v0.2.
func (f *Frontend) GetWorkerVersioningRules(context.Context, *workflowservice.GetWorkerVersioningRulesRequest) (*workflowservice.GetWorkerVersioningRulesResponse, error) {
	return nil, errVersionRules
}

// GetWorkerTaskReachability is of versioning v0.2.
func (f *Frontend) GetWorkerTaskReachability(context.Context, *workflowservice.GetWorkerTaskReachabilityRequest) (*workflowservice.GetWorkerTaskReachabilityResponse, error) {
	return nil, errVersionRules
}

// DescribeDeployment is of the pre-release of Worker Deployments.
func (f *Frontend) DescribeDeployment(context.Context, *workflowservice.DescribeDeploymentRequest) (*workflowservice.DescribeDeploymentResponse, error) {
	return nil, errDeployments
}

// ListDeployments is of the pre-release of Worker Deployments.
func (f *Frontend) ListDeployments(context.Context, *workflowservice.ListDeploymentsRequest) (*workflowservice.ListDeploymentsResponse, error) {
	return nil, errDeployments
}

// GetDeploymentReachability is of the pre-release of Worker Deployments.
func (f *Frontend) GetDeploymentReachability(context.Context, *workflowservice.GetDeploymentReachabilityRequest) (*workflowservice.GetDeploymentReachabilityResponse, error) {
	return nil, errDeployments
}

// GetCurrentDeployment is of the pre-release of Worker Deployments.
func (f *Frontend) GetCurrentDeployment(context.Context, *workflowservice.GetCurrentDeploymentRequest) (*workflowservice.GetCurrentDeploymentResponse, error) {
	return nil, errDeployments
}

// SetCurrentDeployment is of the pre-release of Worker Deployments.
func (f *Frontend) SetCurrentDeployment(context.Context, *workflowservice.SetCurrentDeploymentRequest) (*workflowservice.SetCurrentDeploymentResponse, error) {
	return nil, errDeployments
}

// FetchWorkerConfig is off (TQ-98).
func (f *Frontend) FetchWorkerConfig(context.Context, *workflowservice.FetchWorkerConfigRequest) (*workflowservice.FetchWorkerConfigResponse, error) {
	return nil, serviceerror.NewUnimplemented("FetchWorkerConfig command is not enabled.")
}

// UpdateWorkerConfig is off (TQ-98).
func (f *Frontend) UpdateWorkerConfig(context.Context, *workflowservice.UpdateWorkerConfigRequest) (*workflowservice.UpdateWorkerConfigResponse, error) {
	return nil, serviceerror.NewUnimplemented("UpdateWorkerConfig command is not enabled.")
}

// CreateWorkflowRule is off, as by default (workflow.md 8.3).
func (f *Frontend) CreateWorkflowRule(context.Context, *workflowservice.CreateWorkflowRuleRequest) (*workflowservice.CreateWorkflowRuleResponse, error) {
	return nil, serviceerror.NewUnimplemented("method CreateWorkflowRule not supported")
}

// DescribeWorkflowRule is off, as by default (workflow.md 8.3).
func (f *Frontend) DescribeWorkflowRule(context.Context, *workflowservice.DescribeWorkflowRuleRequest) (*workflowservice.DescribeWorkflowRuleResponse, error) {
	return nil, serviceerror.NewUnimplemented("method DescribeWorkflowRule not supported")
}

// DeleteWorkflowRule is off, as by default (workflow.md 8.3).
func (f *Frontend) DeleteWorkflowRule(context.Context, *workflowservice.DeleteWorkflowRuleRequest) (*workflowservice.DeleteWorkflowRuleResponse, error) {
	return nil, serviceerror.NewUnimplemented("method DeleteWorkflowRule not supported")
}

// ListWorkflowRules is off, as by default (workflow.md 8.3).
func (f *Frontend) ListWorkflowRules(context.Context, *workflowservice.ListWorkflowRulesRequest) (*workflowservice.ListWorkflowRulesResponse, error) {
	return nil, serviceerror.NewUnimplemented("method ListWorkflowRules not supported")
}

// TriggerWorkflowRule is never there (workflow.md 8.3).
func (f *Frontend) TriggerWorkflowRule(context.Context, *workflowservice.TriggerWorkflowRuleRequest) (*workflowservice.TriggerWorkflowRuleResponse, error) {
	return nil, serviceerror.NewUnimplemented("method TriggerWorkflowRule not supported")
}
