package frontend

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/payload"
	"github.com/perdure/perdure/engine/searchattr"
)

// Limits of what a user interface is told (SA-42).
const (
	maxSummaryBytes = 400
	maxDetailsBytes = 20000
)

// activityExecutionID is the id of a standalone activity in the call's namespace.
func activityExecutionID(ctx context.Context, activityID string) engine.ID {
	return engine.ID{NamespaceID: namespaceOf(ctx).ID, Archetype: engine.ArchetypeActivity, Name: activityID}
}

// prepareActivityStart fills in the defaults of a start request and checks it
// (AX-2), as far as that is not the machine's: it resolves the options. The
// request is ours alone until it goes to the core, so it is changed in place.
func (f *Frontend) prepareActivityStart(ctx context.Context, r *workflowservice.StartActivityExecutionRequest) error {
	err := firstError(
		func() error {
			if r.GetActivityId() == "" {
				return invalid("activityId is not set")
			}
			return f.checkLength("activityId", r.GetActivityId())
		},
		func() error { return f.checkLength("request ID", r.GetRequestId()) },
		func() error { return f.checkLength("identity", r.GetIdentity()) },
		func() error { return checkActivityIDPolicies(r) },
		func() error { return checkActivityOnConflict(r) },
		func() error {
			if payload.SizeAll(r.GetInput()) > f.limits.BlobBytes {
				return invalid("input exceeds length limit")
			}
			return nil
		},
		func() error { return checkUserMetadata(r.GetUserMetadata()) },
		func() error { return searchattr.Check(namespaceOf(ctx), f.limits, r.GetSearchAttributes()) },
		func() error { return f.prepareCallbacks(r.GetCompletionCallbacks()) },
		func() error { return checkLinks(r.GetLinks(), f.limits) },
	)
	if err != nil {
		return err
	}
	if r.RequestId == "" {
		r.RequestId = freshID()
	}
	if r.IdReusePolicy == enumspb.ACTIVITY_ID_REUSE_POLICY_UNSPECIFIED {
		r.IdReusePolicy = enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	if r.IdConflictPolicy == enumspb.ACTIVITY_ID_CONFLICT_POLICY_UNSPECIFIED {
		r.IdConflictPolicy = enumspb.ACTIVITY_ID_CONFLICT_POLICY_FAIL
	}
	return nil
}

// checkLength refuses what is longer than an id may be; what names it.
func (f *Frontend) checkLength(what, value string) error {
	if n, limit := len(value), f.limits.IDLengthBytes; n > limit {
		return invalidf("%s exceeds length limit. Length=%d Limit=%d", what, n, limit)
	}
	return nil
}

// checkActivityIDPolicies refuses policies the API does not know: one guessed
// for the caller could do what it did not ask for.
func checkActivityIDPolicies(r *workflowservice.StartActivityExecutionRequest) error {
	if _, known := enumspb.ActivityIdReusePolicy_name[int32(r.GetIdReusePolicy())]; !known {
		return invalidf("unsupported ID reuse policy: %v", r.GetIdReusePolicy())
	}
	if _, known := enumspb.ActivityIdConflictPolicy_name[int32(r.GetIdConflictPolicy())]; !known {
		return invalidf("unsupported ID conflict policy: %v", r.GetIdConflictPolicy())
	}
	return nil
}

func checkActivityOnConflict(r *workflowservice.StartActivityExecutionRequest) error {
	o := r.GetOnConflictOptions()
	switch {
	case o.GetAttachCompletionCallbacks() && !o.GetAttachRequestId():
		return invalid("on_conflict_options: attach_completion_callbacks requires attach_request_id to be set")
	case o.GetAttachRequestId() && len(r.GetCompletionCallbacks()) == 0 && len(r.GetLinks()) == 0:
		return invalid("on_conflict_options: attach_request_id requires at least one completion callback or link")
	}
	return nil
}

// checkUserMetadata bounds the texts, without what describes how they are encoded.
func checkUserMetadata(m *sdkpb.UserMetadata) error {
	if n := len(m.GetSummary().GetData()); n > maxSummaryBytes {
		return invalidf("user_metadata.summary exceeds size limit. Length=%d Limit=%d", n, maxSummaryBytes)
	}
	if n := len(m.GetDetails().GetData()); n > maxDetailsBytes {
		return invalidf("user_metadata.details exceeds size limit. Length=%d Limit=%d", n, maxDetailsBytes)
	}
	return nil
}
