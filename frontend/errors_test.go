package frontend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.temporal.io/api/errordetails/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
)

// Every kind of refusal has its status code and its typed first detail (H-20),
// and SDKs decode it to the error they know.
func TestRefusalsBecomeAPIErrors(t *testing.T) {
	started := &errordetails.WorkflowExecutionAlreadyStartedFailure{StartRequestId: "q", RunId: "r", FirstExecutionRunId: "f"}
	failure := &failurepb.Failure{Message: "no such query"}
	for _, c := range []struct {
		name    string
		refusal *engine.Refusal
		code    codes.Code
		detail  proto.Message
		decoded error
	}{
		{"a bad argument", engine.Invalid("x"), codes.InvalidArgument, nil, &serviceerror.InvalidArgument{}},
		{"not found always has its detail", engine.NotFound("x"), codes.NotFound, &errordetails.NotFoundFailure{}, &serviceerror.NotFound{}},
		{"a workflow already started", &engine.Refusal{Kind: engine.KindAlreadyStarted, Detail: started}, codes.AlreadyExists, started, &serviceerror.WorkflowExecutionAlreadyStarted{}},
		{"an activity already started", &engine.Refusal{Kind: engine.KindAlreadyStarted, Detail: &errordetails.ActivityExecutionAlreadyStartedFailure{RunId: "r"}}, codes.AlreadyExists, &errordetails.ActivityExecutionAlreadyStartedFailure{RunId: "r"}, &serviceerror.ActivityExecutionAlreadyStarted{}},
		{"a namespace there already", &engine.Refusal{Kind: engine.KindAlreadyExists, Detail: &errordetails.NamespaceAlreadyExistsFailure{}}, codes.AlreadyExists, &errordetails.NamespaceAlreadyExistsFailure{}, &serviceerror.NamespaceAlreadyExists{}},
		{"something there already", engine.Refuse(engine.KindAlreadyExists, "x"), codes.AlreadyExists, nil, &serviceerror.AlreadyExists{}},
		{"another state", engine.Refuse(engine.KindFailedPrecondition, "x"), codes.FailedPrecondition, nil, &serviceerror.FailedPrecondition{}},
		{"another state, with its detail", &engine.Refusal{Kind: engine.KindFailedPrecondition, Detail: &errordetails.NamespaceInvalidStateFailure{Namespace: "n"}}, codes.FailedPrecondition, &errordetails.NamespaceInvalidStateFailure{Namespace: "n"}, &serviceerror.NamespaceInvalidState{}},
		{"a workflow not ready", engine.Refuse(engine.KindWorkflowNotReady, "x"), codes.FailedPrecondition, &errordetails.WorkflowNotReadyFailure{}, &serviceerror.WorkflowNotReady{}},
		{"a busy workflow", engine.Refuse(engine.KindBusyWorkflow, "x"), codes.ResourceExhausted, &errordetails.ResourceExhaustedFailure{Cause: 5, Scope: 1}, &serviceerror.ResourceExhausted{}},
		{"too many at once", engine.Refuse(engine.KindConcurrentLimit, "x"), codes.ResourceExhausted, &errordetails.ResourceExhaustedFailure{Cause: 2, Scope: 1}, &serviceerror.ResourceExhausted{}},
		{"a feature that is off", engine.Refuse(engine.KindUnimplemented, "x"), codes.Unimplemented, nil, &serviceerror.Unimplemented{}},
		{"not allowed in this mode", engine.Refuse(engine.KindPermissionDenied, "x"), codes.PermissionDenied, &errordetails.PermissionDeniedFailure{}, &serviceerror.PermissionDenied{}},
		{"a failed query", &engine.Refusal{Kind: engine.KindQueryFailed, Message: "x", Detail: &errordetails.QueryFailedFailure{Failure: failure}}, codes.InvalidArgument, &errordetails.QueryFailedFailure{Failure: failure}, &serviceerror.QueryFailed{}},
		{"one of several failed", engine.Refuse(engine.KindAborted, "x"), codes.Aborted, nil, &serviceerror.Aborted{}},
		{"an unknown namespace", &engine.Refusal{Kind: engine.KindNamespaceNotFound, Message: "x", Detail: &errordetails.NamespaceNotFoundFailure{Namespace: "n"}}, codes.NotFound, &errordetails.NamespaceNotFoundFailure{Namespace: "n"}, &serviceerror.NamespaceNotFound{}},
		{"lost data", engine.Refuse(engine.KindDataLoss, "x"), codes.DataLoss, nil, &serviceerror.DataLoss{}},
		{"a server that is behind", engine.Refuse(engine.KindOverloaded, "x"), codes.ResourceExhausted, &errordetails.ResourceExhaustedFailure{Cause: 3, Scope: 2}, &serviceerror.ResourceExhausted{}},
		{"a full disk", engine.Refuse(engine.KindStorageFull, "x"), codes.ResourceExhausted, &errordetails.ResourceExhaustedFailure{Cause: 7, Scope: 2}, &serviceerror.ResourceExhausted{}},
		{"not now", engine.Refuse(engine.KindUnavailable, "x"), codes.Unavailable, nil, &serviceerror.Unavailable{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st, fault := statusOf(c.refusal)
			if fault {
				t.Errorf("taken for a fault")
			}
			if st.Code() != c.code {
				t.Errorf("code %v, want %v", st.Code(), c.code)
			}
			if got, want := fmt.Sprintf("%T", serviceerror.FromStatus(st)), fmt.Sprintf("%T", c.decoded); got != want {
				t.Errorf("an SDK reads %s, want %s", got, want)
			}
			if c.detail == nil {
				return
			}
			if len(st.Details()) == 0 {
				t.Fatalf("no detail")
			}
			if got := st.Details()[0]; !proto.Equal(got.(proto.Message), c.detail) {
				t.Errorf("detail %v, want %v", got, c.detail)
			}
		})
	}
}

// A kind without a row would be answered as a fault: there must be none but
// KindStale, which never leaves the server.
func TestEveryKindHasARow(t *testing.T) {
	for kind := engine.KindInvalidArgument; kind <= engine.KindStorageFull; kind++ {
		if _, ok := refusalErrors[kind]; !ok && kind != engine.KindStale {
			t.Errorf("kind %d has no row", kind)
		}
	}
	if _, fault := statusOf(engine.Stale("x")); !fault {
		t.Errorf("a stale input was answered to a caller")
	}
}

func TestFaultsTellNothing(t *testing.T) {
	fault := errors.New("open /secret/path: disk on fire")
	st, isFault := statusOf(fmt.Errorf("commit shard 7: %w", fault))
	if !isFault || st.Code() != codes.Unavailable || strings.Contains(st.Message(), "secret") {
		t.Errorf("caller is told: %v", st)
	}
	if st, isFault := statusOf(fmt.Errorf("history of x: %w (%w)", engine.Refuse(engine.KindDataLoss, "the history cannot be read"), fault)); !isFault || st.Message() != "the history cannot be read" {
		t.Errorf("caller is told: %v, fault %v", st, isFault)
	}
	for err, code := range map[error]codes.Code{context.Canceled: codes.Canceled, context.DeadlineExceeded: codes.DeadlineExceeded} {
		if st, isFault := statusOf(fmt.Errorf("wait: %w", err)); isFault || st.Code() != code {
			t.Errorf("%v becomes %v", err, st)
		}
	}
}

// The text travels in a header: 4000 bytes, and no half characters (service.md 1.5).
func TestLongTextsAreCut(t *testing.T) {
	st, _ := statusOf(engine.Invalid("%s", strings.Repeat("é", 3000)))
	if n := len(st.Message()); n > maxMessageBytes || n < maxMessageBytes-4 {
		t.Errorf("%d bytes", n)
	}
	if !strings.HasSuffix(st.Message(), "é... <truncated>") {
		t.Errorf("ends with %q", st.Message()[len(st.Message())-30:])
	}
	if st, _ := statusOf(engine.Invalid("%s", strings.Repeat("x", 4000))); len(st.Message()) != 4000 {
		t.Errorf("cut at the bound")
	}
}
