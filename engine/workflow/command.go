package workflow

import (
	"fmt"
	"strings"

	commandpb "go.temporal.io/api/command/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
)

// command carries out one command of a completion.
func (c *completion) command(cmd *commandpb.Command) error {
	switch cmd.GetCommandType() {
	case enumspb.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK:
		return c.scheduleActivity(cmd)
	case enumspb.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK:
		return c.requestCancelActivity(cmd)
	case enumspb.COMMAND_TYPE_START_TIMER:
		return c.startTimer(cmd)
	case enumspb.COMMAND_TYPE_CANCEL_TIMER:
		return c.cancelTimer(cmd)
	case enumspb.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION:
		return c.startChild(cmd)
	case enumspb.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION:
		return c.requestCancelExternal(cmd)
	case enumspb.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION:
		return c.signalExternal(cmd)
	case enumspb.COMMAND_TYPE_RECORD_MARKER:
		return c.recordMarker(cmd)
	case enumspb.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		return c.upsertSearchAttributes(cmd)
	case enumspb.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES:
		return c.modifyProperties(cmd)
	case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
		return c.completeWorkflow(cmd)
	case enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION:
		return c.failWorkflow(cmd)
	case enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION:
		return c.cancelWorkflow(cmd)
	case enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
		return c.continueAsNew(cmd)
	case enumspb.COMMAND_TYPE_PROTOCOL_MESSAGE:
		return c.protocolMessage(cmd)
	case enumspb.COMMAND_TYPE_SCHEDULE_NEXUS_OPERATION, enumspb.COMMAND_TYPE_REQUEST_CANCEL_NEXUS_OPERATION:
		return failTask(enumspb.WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED,
			"Nexus operations are not supported by this server")
	}
	return unknownCommand(cmd) // checkCommands lets none through
}

func unknownCommand(cmd *commandpb.Command) error {
	return engine.Invalid("unknown command type: %d", cmd.GetCommandType())
}

// closesRun reports whether the command ends the run.
func closesRun(t enumspb.CommandType) bool {
	switch t {
	case enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
		enumspb.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
		enumspb.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
		enumspb.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION:
		return true
	}
	return false
}

// checkCompletion refuses a completion whose shape is wrong; the workflow task
// stays started.
func (d *draft) checkCompletion(req *workflowservice.RespondWorkflowTaskCompletedRequest) error {
	if req.GetIntermediatePage() || req.GetPageNumber() != 0 {
		return engine.Refuse(engine.KindFailedPrecondition,
			"workflow task completion pagination is disabled for this namespace %s", d.fixed().NamespaceName)
	}
	if req.GetVersioningBehavior() != enumspb.VERSIONING_BEHAVIOR_UNSPECIFIED &&
		req.GetDeploymentOptions().GetWorkerVersioningMode() != enumspb.WORKER_VERSIONING_MODE_VERSIONED &&
		req.GetDeployment() == nil {
		return engine.Invalid("versioning behavior cannot be specified without deployment options being set with versioned mode")
	}
	if d.paused() && req.GetForceCreateNewWorkflowTask() {
		return engine.Refuse(engine.KindFailedPrecondition,
			"Workflow is paused and force create new workflow task is not allowed.")
	}
	return checkCommands(req.GetCommands())
}

// checkCommands: every command is known, and one that closes the run is last.
func checkCommands(commands []*commandpb.Command) error {
	for i, cmd := range commands {
		t := cmd.GetCommandType()
		if _, known := enumspb.CommandType_name[int32(t)]; !known || t == enumspb.COMMAND_TYPE_UNSPECIFIED {
			return unknownCommand(cmd)
		}
		if closesRun(t) && i != len(commands)-1 {
			names := make([]string, len(commands))
			for j, c := range commands {
				names[j] = c.GetCommandType().String()
			}
			return engine.Invalid("%s", fmt.Sprintf("invalid command sequence: [%s], command %s must be the last command.",
				strings.Join(names, ", "), t))
		}
	}
	return nil
}

// isHeartbeat: the worker only asks for more time, for its local activities.
func isHeartbeat(req *workflowservice.RespondWorkflowTaskCompletedRequest) bool {
	return req.GetForceCreateNewWorkflowTask() && len(req.GetCommands()) == 0 && len(req.GetMessages()) == 0
}

// heartbeatExpired: a row of heartbeats has gone on for too long.
func (d *draft) heartbeatExpired(req *workflowservice.RespondWorkflowTaskCompletedRequest) bool {
	return isHeartbeat(req) &&
		d.env.Now.Sub(d.info.Task.OriginalScheduledTime) > d.env.Limits.WorkflowTaskHeartbeat
}
