package engine

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
)

// Delivery asks the shell to tell a completion callback what has become of the
// thing it was attached to. It is made once the change that asks for it is
// durable, at least once: the receiver recognises a repetition by RequestID.
// What becomes of it comes back to the execution as an input with the same
// Number and Stamp (package engine/callback).
type Delivery struct {
	Run RunKey
	// NamespaceName is that of Run.
	NamespaceName string
	// Number names the callback within its run; Stamp the try.
	Number int64
	Stamp  int64
	// Callback says where to deliver, and with which headers.
	Callback *commonpb.Callback
	// RequestID is the same for every try of this callback, and for no other.
	RequestID string
	// Timeout bounds the request. Until is when the execution gives this try up
	// as lost and makes another: nothing may be sent after it.
	Timeout time.Duration
	Until   time.Time
	// StartTime and CloseTime are those of what has completed.
	StartTime time.Time
	CloseTime time.Time
	// Link leads to it.
	Link *commonpb.Link

	// Completion is what to tell. When nil it has to be read from event EventID,
	// in the history batch that begins with BatchID.
	Completion *Completion
	EventID    int64
	BatchID    int64
}

// Completion is how an execution, or an update of one, has ended: with a Failure
// it failed or, if Canceled, was canceled; without one it succeeded, with a
// Result that may be nil.
type Completion struct {
	Result   *commonpb.Payload
	Failure  *failurepb.Failure
	Canceled bool
}
