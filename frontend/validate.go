package frontend

import (
	"context"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/payload"
)

// This file holds the checks that many requests share. A check returns the
// INVALID_ARGUMENT error of the specification, or nil.

// firstError runs checks in their documented order and returns the first error.
func firstError(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// tooLong refuses an id or name beyond the common bound; text is the whole message.
func (f *Frontend) tooLong(value, text string) error {
	if len(value) > f.limits.IDLengthBytes {
		return invalid(text)
	}
	return nil
}

func (f *Frontend) checkIdentity(identity string) error {
	return f.tooLong(identity, "Identity length exceeds limit.")
}

func (f *Frontend) checkRequestID(id string) error {
	return f.tooLong(id, "RequestId length exceeds limit.")
}

func (f *Frontend) checkWorkflowID(id string) error {
	if id == "" {
		return invalid("WorkflowId is not set on request.")
	}
	if len(id) > f.limits.IDLengthBytes {
		return invalidf("WorkflowId exceeds maximum allowed length (%d/%d)", len(id), f.limits.IDLengthBytes)
	}
	return nil
}

func checkRunID(runID string) error {
	if runID == "" {
		return nil
	}
	if _, err := uuid.Parse(runID); err != nil || len(runID) != 36 {
		return invalid("Invalid RunId.")
	}
	return nil
}

// checkExecution is for requests that name an execution.
func (f *Frontend) checkExecution(e *commonpb.WorkflowExecution) error {
	if e == nil {
		return invalid("Execution is not set on request.")
	}
	if err := f.checkWorkflowID(e.GetWorkflowId()); err != nil {
		return err
	}
	return checkRunID(e.GetRunId())
}

// checkBlob refuses payloads beyond the bound of one blob.
func (f *Frontend) checkBlob(p *commonpb.Payloads) error {
	if payload.SizeAll(p) > f.limits.BlobBytes {
		return invalid("Blob data size exceeds limit.")
	}
	return nil
}

// executionID is the id of a workflow in the call's namespace.
func executionID(ctx context.Context, workflowID string) engine.ID {
	return engine.ID{NamespaceID: namespaceOf(ctx).ID, Archetype: engine.ArchetypeWorkflow, Name: workflowID}
}
