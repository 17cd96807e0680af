package workflow

import (
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine/activity"
)

// ActivitySelection says which pending activities of a run an operator means: the one
// with the id, or all of the type, or, when both are empty, all.
type ActivitySelection struct {
	ID   string
	Type string
}

// The inputs by which operators control a run (spec/workflow.md 8).
type (
	// PauseWorkflow. Reply: *workflowservice.PauseWorkflowExecutionResponse.
	PauseWorkflow struct {
		Request *workflowservice.PauseWorkflowExecutionRequest
	}
	// UnpauseWorkflow. Reply: *workflowservice.UnpauseWorkflowExecutionResponse.
	UnpauseWorkflow struct {
		Request *workflowservice.UnpauseWorkflowExecutionRequest
	}
	// UpdateOptions changes those of the options that Paths name, in snake case;
	// other paths than the Path constants are ignored. What is named and not set
	// is unset. Reply: *workflowservice.UpdateWorkflowExecutionOptionsResponse.
	UpdateOptions struct {
		Options  *workflowpb.WorkflowExecutionOptions
		Paths    []string
		Identity string
	}
)

func (*PauseWorkflow) input()   {}
func (*UnpauseWorkflow) input() {}
func (*UpdateOptions) input()   {}

// The inputs by which operators control activities (spec/activity.md 9). None
// writes history, and none needs a worker.
type (
	// PauseActivity. Reply: *workflowservice.PauseActivityResponse.
	PauseActivity struct {
		Which ActivitySelection
		// Identity, Reason and RequestID are kept to be shown; a repetition is
		// recognised by RequestID, unless it is empty.
		Identity, Reason, RequestID string
	}
	// UnpauseActivity. Reply: *workflowservice.UnpauseActivityResponse.
	UnpauseActivity struct {
		Which ActivitySelection
		activity.Unpause
	}
	// ResetActivity. Reply: *workflowservice.ResetActivityResponse.
	ResetActivity struct {
		Which                      ActivitySelection
		ResetHeartbeat, KeepPaused bool
		Jitter                     time.Duration
		// RestoreOriginal goes back to the options of the scheduled event, but
		// for the priority.
		RestoreOriginal bool
	}
	// UpdateActivityOptions. Reply: *activity.Options, those of the first.
	UpdateActivityOptions struct {
		Which ActivitySelection
		activity.Patch
		// RestoreOriginal, in place of Patch, is as for ResetActivity.
		RestoreOriginal bool
	}
)

func (*PauseActivity) input()         {}
func (*UnpauseActivity) input()       {}
func (*ResetActivity) input()         {}
func (*UpdateActivityOptions) input() {}
