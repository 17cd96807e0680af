package frontend

import (
	"context"
	"strings"
	"unicode"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine/priority"
	"github.com/perdure/perdure/engine/versioning"
	"github.com/perdure/perdure/engine/workflow"
)

// This file lets operators pause and unpause a workflow, and change its options
// (workflow.md 8.1, 8.2).

// pausing is what the requests to pause and to unpause have in common.
type pausing interface {
	GetWorkflowId() string
	GetRunId() string
	GetIdentity() string
	GetReason() string
	GetRequestId() string
}

func (f *Frontend) checkPausing(r pausing) error {
	return firstError(
		func() error { return f.checkWorkflowID(r.GetWorkflowId()) },
		func() error { return checkRunID(r.GetRunId()) },
		func() error { return f.tooLong(r.GetReason(), "reason is too long.") },
		func() error { return f.tooLong(r.GetRequestId(), "request id is too long.") },
		func() error { return f.tooLong(r.GetIdentity(), "identity is too long.") },
	)
}

// PauseWorkflowExecution keeps a workflow from its workers (workflow.md 8.1).
func (f *Frontend) PauseWorkflowExecution(ctx context.Context, r *workflowservice.PauseWorkflowExecutionRequest) (*workflowservice.PauseWorkflowExecutionResponse, error) {
	if err := f.checkPausing(r); err != nil {
		return nil, err
	}
	return do[*workflowservice.PauseWorkflowExecutionResponse](ctx, f, executionID(ctx, r.GetWorkflowId()), r.GetRunId(),
		&workflow.PauseWorkflow{Request: r})
}

// UnpauseWorkflowExecution lets a workflow go on (workflow.md 8.1).
func (f *Frontend) UnpauseWorkflowExecution(ctx context.Context, r *workflowservice.UnpauseWorkflowExecutionRequest) (*workflowservice.UnpauseWorkflowExecutionResponse, error) {
	if err := f.checkPausing(r); err != nil {
		return nil, err
	}
	return do[*workflowservice.UnpauseWorkflowExecutionResponse](ctx, f, executionID(ctx, r.GetWorkflowId()), r.GetRunId(),
		&workflow.UnpauseWorkflow{Request: r})
}

// UpdateWorkflowExecutionOptions changes the priority, the versioning override and
// the time skipping of an open workflow (workflow.md 8.2).
func (f *Frontend) UpdateWorkflowExecutionOptions(ctx context.Context, r *workflowservice.UpdateWorkflowExecutionOptionsRequest) (*workflowservice.UpdateWorkflowExecutionOptionsResponse, error) {
	options := r.GetWorkflowExecutionOptions()
	var paths []string
	err := firstError(
		func() error { return f.checkExecution(r.GetWorkflowExecution()) },
		func() error { return f.checkIdentity(r.GetIdentity()) },
		func() (err error) {
			paths, err = f.checkOptionsUpdate(ctx, options, r.GetUpdateMask())
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	e := r.GetWorkflowExecution()
	return do[*workflowservice.UpdateWorkflowExecutionOptionsResponse](ctx, f, executionID(ctx, e.GetWorkflowId()), e.GetRunId(),
		&workflow.UpdateOptions{Options: options, Paths: paths, Identity: r.GetIdentity()})
}

// checkOptionsUpdate checks new options and the mask that says which of them
// count, and gives its paths.
func (f *Frontend) checkOptionsUpdate(ctx context.Context, options *workflowpb.WorkflowExecutionOptions, mask *fieldmaskpb.FieldMask) ([]string, error) {
	switch {
	case mask == nil:
		return nil, invalid("UpdateMask is required")
	case options == nil:
		return nil, invalid("WorkflowExecutionOptions is required")
	}
	paths, err := optionPaths(mask, f.skipsTime(ctx))
	return paths, firstError(
		func() error { return err },
		func() error { return versioning.Check(options.GetVersioningOverride()) },
		func() error { return workflow.CheckSkipping(options.GetTimeSkippingConfig(), f.limits) },
		func() error { return priority.Check(options.GetPriority(), f.limits) },
	)
}

// optionPaths are the paths of a mask over the options, in snake case. The two
// parts that an override once had stand for the whole when they come together.
func optionPaths(mask *fieldmaskpb.FieldMask, skipsTime bool) ([]string, error) {
	var paths []string
	parts := map[string]bool{}
	for _, path := range mask.GetPaths() {
		path = snakeCase(path)
		if _, err := fieldmaskpb.New(&workflowpb.WorkflowExecutionOptions{}, path); err != nil {
			return nil, invalidf("error parsing UpdateMask: %v", err)
		}
		option, part, partial := strings.Cut(path, ".")
		switch {
		case option == workflow.PathTimeSkipping && !skipsTime:
			return nil, errTimeSkipping
		case option == workflow.PathTimeSkipping && partial:
			return nil, invalid("time_skipping_config doesn't support partial updates")
		case option == workflow.PathVersioningOverride && (part == "behavior" || part == "deployment"):
			parts[part] = true
		case option == workflow.PathVersioningOverride && partial:
			return nil, invalid("versioning_override doesn't support partial updates")
		default:
			paths = append(paths, path)
		}
	}
	switch len(parts) {
	case 1:
		return nil, invalid("versioning_override fields must be updated together")
	case 2:
		paths = append(paths, workflow.PathVersioningOverride)
	}
	return paths, nil
}

// snakeCase is a path in snake case, which clients may send in camel case.
func snakeCase(path string) string {
	var b strings.Builder
	for _, c := range path {
		if unicode.IsUpper(c) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
