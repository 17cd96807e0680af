package engine

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// Kind is the closed list of reasons a machine refuses an input for. The edge
// turns each into a gRPC status in one table (frontend/errors.go).
type Kind uint8

// The kinds of refusal.
const (
	KindInvalidArgument    Kind = iota + 1
	KindNotFound                // the execution, or what it should hold, is not there
	KindAlreadyStarted          // Detail: WorkflowExecutionAlreadyStartedFailure or the activity's
	KindFailedPrecondition      // possible in another state
	KindWorkflowNotReady        // query or update cannot be served in this state
	KindBusyWorkflow            // retry a little later
	KindUnimplemented           // the feature is off
	KindPermissionDenied        // not in this mode
	KindQueryFailed             // Detail: QueryFailedFailure
	KindAborted                 // one of several operations failed
	KindConcurrentLimit         // too many at once
	KindStale                   // an input whose stamp the state has outgrown; never leaves the server
	KindNamespaceNotFound       // Detail: NamespaceNotFoundFailure
	KindDataLoss                // what the step needs cannot be read
	KindAlreadyExists           // something of that name is there. Detail: NamespaceAlreadyExistsFailure for a namespace
	KindUnavailable             // not now, the same request may succeed later
	KindOverloaded              // the server is behind; new work waits
	KindStorageFull             // there is no room to keep what was asked
)

// Refusal says that the rules forbid what was asked. Message is for a person;
// Detail, if any, is the typed detail of temporal.api.errordetails.v1 that the
// status must carry.
type Refusal struct {
	Kind    Kind
	Message string
	Detail  proto.Message
	// Commit is set when the refusal is itself a result: the step changed the
	// state (a workflow task was failed, say) and this is the answer its caller
	// gets. The shell then finds it in the result, never as a step's error.
	Commit bool
}

func (r *Refusal) Error() string { return r.Message }

// Refuse makes a Refusal.
func Refuse(kind Kind, format string, args ...any) *Refusal {
	if len(args) == 0 {
		return &Refusal{Kind: kind, Message: format}
	}
	return &Refusal{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Invalid is a Refusal of KindInvalidArgument.
func Invalid(format string, args ...any) *Refusal {
	return Refuse(KindInvalidArgument, format, args...)
}

// NotFound is a Refusal of KindNotFound.
func NotFound(format string, args ...any) *Refusal { return Refuse(KindNotFound, format, args...) }

// Stale is the Refusal of an input the state has outgrown.
func Stale(what string) *Refusal { return &Refusal{Kind: KindStale, Message: what} }

// KindOf returns err's kind, or 0 when err is no Refusal.
func KindOf(err error) Kind {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Kind
	}
	return 0
}
