package frontend

import (
	"context"
	"errors"
	"hash/fnv"
	"strconv"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/errordetails/v1"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/perdure/perdure/engine"
)

// refusalErrors is the one table that turns a refusal into an error of the API.
// SDKs decide by the code and by the type of the first detail (H-20), so both
// are part of our interface; there is a test for every row.
var refusalErrors = map[engine.Kind]func(*engine.Refusal) error{
	engine.KindInvalidArgument:    func(r *engine.Refusal) error { return serviceerror.NewInvalidArgument(r.Message) },
	engine.KindNotFound:           func(r *engine.Refusal) error { return serviceerror.NewNotFound(r.Message) },
	engine.KindAlreadyStarted:     alreadyStarted,
	engine.KindFailedPrecondition: func(r *engine.Refusal) error { return serviceerror.NewFailedPrecondition(r.Message) },
	engine.KindWorkflowNotReady:   func(r *engine.Refusal) error { return serviceerror.NewWorkflowNotReady(r.Message) },
	engine.KindBusyWorkflow: func(r *engine.Refusal) error {
		return exhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW, r.Message)
	},
	engine.KindUnimplemented:    func(r *engine.Refusal) error { return serviceerror.NewUnimplemented(r.Message) },
	engine.KindPermissionDenied: func(r *engine.Refusal) error { return serviceerror.NewPermissionDenied(r.Message, "") },
	engine.KindQueryFailed:      queryFailed,
	engine.KindAborted:          func(r *engine.Refusal) error { return serviceerror.NewAborted(r.Message) },
	engine.KindConcurrentLimit: func(r *engine.Refusal) error {
		return exhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT, r.Message)
	},
	engine.KindNamespaceNotFound: namespaceNotFound,
	engine.KindDataLoss:          func(r *engine.Refusal) error { return serviceerror.NewDataLoss(r.Message) },
	engine.KindAlreadyExists:     alreadyStarted,
	engine.KindUnavailable:       func(r *engine.Refusal) error { return serviceerror.NewUnavailable(r.Message) },
	engine.KindOverloaded: func(r *engine.Refusal) error {
		return exhaustedSystem(enumspb.RESOURCE_EXHAUSTED_CAUSE_SYSTEM_OVERLOADED, r.Message)
	},
	engine.KindStorageFull: func(r *engine.Refusal) error {
		return exhaustedSystem(enumspb.RESOURCE_EXHAUSTED_CAUSE_PERSISTENCE_STORAGE_LIMIT, r.Message)
	},
	// KindStale is not in the table: it never leaves the server. One that does
	// is a bug of ours and treated as a fault.
}

// ownDetail are the kinds whose constructor above already uses Refusal.Detail.
var ownDetail = map[engine.Kind]bool{
	engine.KindAlreadyStarted:    true,
	engine.KindAlreadyExists:     true,
	engine.KindQueryFailed:       true,
	engine.KindNamespaceNotFound: true,
}

func alreadyStarted(r *engine.Refusal) error {
	switch d := r.Detail.(type) {
	case *errordetails.WorkflowExecutionAlreadyStartedFailure:
		return serviceerror.NewWorkflowExecutionAlreadyStartedWithFirstExecutionRunId(
			r.Message, d.GetStartRequestId(), d.GetRunId(), d.GetFirstExecutionRunId())
	case *errordetails.ActivityExecutionAlreadyStartedFailure:
		return serviceerror.NewActivityExecutionAlreadyStarted(r.Message, d.GetStartRequestId(), d.GetRunId())
	case *errordetails.NamespaceAlreadyExistsFailure:
		return serviceerror.NewNamespaceAlreadyExists(r.Message)
	case *errordetails.CancellationAlreadyRequestedFailure:
		return serviceerror.NewCancellationAlreadyRequested(r.Message)
	}
	return serviceerror.NewAlreadyExists(r.Message)
}

func queryFailed(r *engine.Refusal) error {
	d, _ := r.Detail.(*errordetails.QueryFailedFailure)
	return serviceerror.NewQueryFailedWithFailure(r.Message, d.GetFailure())
}

func namespaceNotFound(r *engine.Refusal) error {
	d, _ := r.Detail.(*errordetails.NamespaceNotFoundFailure)
	if r.Message == "" {
		return serviceerror.NewNamespaceNotFound(d.GetNamespace())
	}
	// The constructor makes its own text; ours, when given, must stand.
	return withDetail(codes.NotFound, r.Message, &errordetails.NamespaceNotFoundFailure{Namespace: d.GetNamespace()})
}

// exhausted is RESOURCE_EXHAUSTED within a namespace.
func exhausted(cause enumspb.ResourceExhaustedCause, text string) error {
	return &serviceerror.ResourceExhausted{
		Cause: cause, Scope: enumspb.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE, Message: text,
	}
}

// exhaustedSystem is RESOURCE_EXHAUSTED that concerns everybody.
func exhaustedSystem(cause enumspb.ResourceExhaustedCause, text string) error {
	return &serviceerror.ResourceExhausted{
		Cause: cause, Scope: enumspb.RESOURCE_EXHAUSTED_SCOPE_SYSTEM, Message: text,
	}
}

// withDetail is a status error with one typed detail.
func withDetail(code codes.Code, text string, detail protoadapt.MessageV1) error {
	st, err := status.New(code, text).WithDetails(detail)
	if err != nil {
		return status.Error(code, text)
	}
	return st.Err()
}

// invalid is INVALID_ARGUMENT; most of what this package says no to.
func invalid(text string) error { return serviceerror.NewInvalidArgument(text) }

func invalidf(format string, args ...any) error {
	return serviceerror.NewInvalidArgumentf(format, args...)
}

// statusOf turns any error into the status its caller is given. fault tells
// that the world or we are to blame: the caller is then given a text that says
// nothing of our inside, with a mark under which the log has the rest.
func statusOf(err error) (st *status.Status, fault bool) {
	var refusal *engine.Refusal
	if errors.As(err, &refusal) {
		st, ok := refusalStatus(refusal)
		// One of these that wraps more tells of a fault behind it.
		wraps := err != error(refusal) && (refusal.Kind == engine.KindUnavailable || refusal.Kind == engine.KindDataLoss)
		return cut(st), !ok || wraps
	}
	var service serviceerror.ServiceError
	if errors.As(err, &service) {
		return cut(service.Status()), false
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, context.DeadlineExceeded.Error()), false
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, context.Canceled.Error()), false
	}
	if st, ok := status.FromError(err); ok {
		return cut(st), false
	}
	return unavailable(err), true
}

func refusalStatus(r *engine.Refusal) (*status.Status, bool) {
	row, ok := refusalErrors[r.Kind]
	if !ok {
		return unavailable(r), false
	}
	st := serviceerror.ToStatus(row(r))
	if r.Detail == nil || ownDetail[r.Kind] {
		return st, true
	}
	// A detail the kind does not know by itself takes the first place, where
	// SDKs look.
	p := st.Proto()
	p.Details = nil
	own, err := status.FromProto(p).WithDetails(protoadapt.MessageV1Of(r.Detail))
	if err != nil {
		return st, true
	}
	return own, true
}

// unavailable is what a caller hears of a fault. SDKs retry it.
func unavailable(err error) *status.Status {
	return status.New(codes.Unavailable, "something went wrong, please retry ("+faultMark(err)+")")
}

// faultMark is a short mark by which an operator finds the log line of what a
// caller was told; the same fault has the same mark.
func faultMark(err error) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(err.Error()))
	return strconv.FormatUint(uint64(h.Sum32()), 16)
}

// maxMessageBytes bounds the text of a status: it travels in an HTTP/2 header,
// and clients limit those.
const (
	maxMessageBytes = 4000
	cutMark         = "... <truncated>"
)

// cut shortens an over-long text, not inside a character.
func cut(st *status.Status) *status.Status {
	if len(st.Message()) <= maxMessageBytes {
		return st
	}
	p := st.Proto()
	keep := maxMessageBytes - len(cutMark)
	for keep > 0 && p.Message[keep]&0xC0 == 0x80 {
		keep--
	}
	p.Message = p.Message[:keep] + cutMark
	return status.FromProto(p)
}

// exhaustedOf finds the cause and scope in a RESOURCE_EXHAUSTED status, for the
// trailers that repeat them.
func exhaustedOf(st *status.Status) (cause, scope string, ok bool) {
	if st.Code() != codes.ResourceExhausted {
		return "", "", false
	}
	for _, d := range st.Details() {
		if f, is := d.(*errordetails.ResourceExhaustedFailure); is {
			return f.GetCause().String(), f.GetScope().String(), true
		}
	}
	return "", "", false
}
