package registry

import namespacepb "go.temporal.io/api/namespace/v1"

// Features are what the parts of a running server offer beyond what is always
// there. The composition root knows; clients switch protocols on them, so a
// feature is named only when it is built in full.
type Features struct {
	// EagerWorkflowStart: StartWorkflowExecution may return the first workflow
	// task to the caller.
	EagerWorkflowStart bool
	// WorkerHeartbeats: RecordWorkerHeartbeat is kept and ListWorkers answers.
	WorkerHeartbeats bool
	// ReportedProblems: failing workflow tasks set TemporalReportedProblems.
	ReportedProblems bool
	// PollerAutoscaling: poll answers carry scaling decisions.
	PollerAutoscaling bool
	// PollCompleteOnShutdown: ShutdownWorker ends the polls of a worker.
	PollCompleteOnShutdown bool
	// Updates: workflow updates, waiting for them or not.
	Updates bool
	// UpdateCallbacks: updates may come with completion callbacks.
	UpdateCallbacks bool
	// StandaloneActivities: executions that are activities, their start delay and
	// what operators do to them. Batches of such operations are not among it.
	StandaloneActivities bool
	// WorkflowPause: workflows can be paused and unpaused.
	WorkflowPause bool
}

// Capabilities is how DescribeNamespace says the features.
func Capabilities(f Features) *namespacepb.NamespaceInfo_Capabilities {
	return &namespacepb.NamespaceInfo_Capabilities{
		EagerWorkflowStart:              f.EagerWorkflowStart,
		SyncUpdate:                      f.Updates,
		AsyncUpdate:                     f.Updates,
		WorkerHeartbeats:                f.WorkerHeartbeats,
		ReportedProblemsSearchAttribute: f.ReportedProblems,
		PollerAutoscaling:               f.PollerAutoscaling,
		WorkerPollCompleteOnShutdown:    f.PollCompleteOnShutdown,
		StandaloneActivities:            f.StandaloneActivities,
		StandaloneActivityStartDelay:    f.StandaloneActivities,

		StandaloneActivityOperatorCommands: f.StandaloneActivities,

		WorkflowPause: f.WorkflowPause,

		WorkflowUpdateCallbacks: f.UpdateCallbacks,
	}
}
