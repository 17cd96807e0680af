package main

import (
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// describeItself has the worker say which program it is, in one of the ways there
// are: workers of different builds serve a queue together.
func (wk *worker) describeItself(request *workflowservice.RespondWorkflowTaskCompletedRequest) {
	request.SdkMetadata = &sdkpb.WorkflowTaskCompletedMetadata{SdkName: "sim", SdkVersion: "1"}
	request.MeteringMetadata = &commonpb.MeteringMetadata{NonfirstLocalActivityExecutionAttempts: 1}
	build := fmt.Sprint("build-", wk.generation%3)
	switch wk.number % 3 {
	case 0:
		request.WorkerVersionStamp = &commonpb.WorkerVersionStamp{BuildId: build} //nolint:staticcheck // older SDKs say so
		request.BinaryChecksum = build                                            //nolint:staticcheck // and this
	case 1:
		request.DeploymentOptions = &deploymentpb.WorkerDeploymentOptions{DeploymentName: "sim", BuildId: build,
			WorkerVersioningMode: enumspb.WORKER_VERSIONING_MODE_VERSIONED}
		request.VersioningBehavior = enumspb.VersioningBehavior(wk.generation % 3)
	}
}
