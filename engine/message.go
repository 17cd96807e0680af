package engine

import (
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
)

// MessageKind is the closed list of what one execution may tell another. The
// numbers are part of the stored format.
type MessageKind uint8

// The messages. The comment says who sends it to whom, and what comes back.
const (
	// MessageStartChild: parent to child. Answered: the parent records
	// ChildWorkflowExecutionStarted or StartChildWorkflowExecutionFailed.
	MessageStartChild MessageKind = 1
	// MessageFirstWorkflowTask: parent to child, once the parent has recorded
	// the start. No answer.
	MessageFirstWorkflowTask MessageKind = 2
	// MessageChildClosed: child to parent. No answer.
	MessageChildClosed MessageKind = 3
	// MessageSignal: workflow to another. Answered.
	MessageSignal MessageKind = 4
	// MessageCancel: workflow to another. Answered.
	MessageCancel MessageKind = 5
	// MessageParentClosed: parent to child, carrying out ParentClosePolicy. No answer.
	MessageParentClosed MessageKind = 6
	// MessageReconnect: a run made by a reset to a child it has inherited, which
	// tells it of its end from then on, or at once. Answered: a child that is not
	// there any more has ended, and nobody knows how.
	MessageReconnect MessageKind = 7
)

// Message is committed with the step that sends it, delivered at least once,
// and takes effect once: the receiver recognises a repetition by its own state.
// What it carries is not copied: it names the sender's event that holds it.
type Message struct {
	Kind MessageKind
	From RunKey
	To   ID
	// ToRunID addresses one run; empty means the current one.
	ToRunID string
	// ToFirstRunID, when set, requires the current run to be of that chain.
	ToFirstRunID string
	// EventID is the sender's event that caused the message and carries its
	// content: initiated event, or the closing event of a child.
	EventID int64
	// BatchID is the first event id of the history batch that holds it.
	BatchID int64
	// ToEventID is the receiver's event the message is about: for
	// MessageChildClosed the parent's initiated event.
	ToEventID int64
	// ParentClosePolicy of MessageParentClosed.
	ParentClosePolicy enumspb.ParentClosePolicy
	// ChildWorkflowOnly of MessageSignal and MessageCancel.
	ChildWorkflowOnly bool
	// RequestID makes the delivery recognisable; derived from From and EventID.
	RequestID string
	// Root of the sender's tree, for MessageStartChild.
	Root *commonpb.WorkflowExecution
	// NamespaceName of the sender.
	NamespaceName string
	// FirstRunID of the sender's chain.
	FirstRunID string

	// Event is the event named by EventID. Not stored: the sender's step sets
	// it; after a restart the shell reads it from the sender's history before
	// delivery.
	Event *historypb.HistoryEvent
}

// NeedsEvent reports whether the receiver must be given Event.
func (m *Message) NeedsEvent() bool {
	switch m.Kind {
	case MessageStartChild, MessageChildClosed, MessageSignal, MessageCancel:
		return true
	}
	return false
}

// Answered reports whether the sender awaits the outcome as an input. Other
// messages are forgotten once delivered or found undeliverable.
func (m *Message) Answered() bool {
	switch m.Kind {
	case MessageStartChild, MessageSignal, MessageCancel, MessageReconnect:
		return true
	}
	return false
}

// EffectID is the request id of the message that the event of that id causes:
// fixed, so that a repeated delivery is recognised.
func EffectID(from RunKey, eventID int64) string {
	return DerivedUUID(from.NamespaceID+"/"+from.Name+"/"+from.RunID, eventID)
}

// Inherited reports whether the sender shares the event that caused the message
// with another run, by a reset: that one may have sent it before.
func (m *Message) Inherited() bool { return m.RequestID != EffectID(m.From, m.EventID) }

// VisibilityRecord is the row of an execution in the visibility index, whole:
// the latest one replaces those before.
type VisibilityRecord struct {
	Run           RunKey
	NamespaceName string
	Type          string
	TaskQueue     string
	// Status is a workflowpb status number, also for activities.
	Status               enumspb.WorkflowExecutionStatus
	StartTime            time.Time
	ExecutionTime        time.Time
	CloseTime            time.Time // zero while open
	HistoryLength        int64
	HistorySizeBytes     int64
	StateTransitionCount int64
	Memo                 *commonpb.Memo
	SearchAttributes     *commonpb.SearchAttributes
	Parent               *commonpb.WorkflowExecution
	Root                 *commonpb.WorkflowExecution
	VersioningInfo       *workflowpb.WorkflowExecutionVersioningInfo
	// Version grows with each record of a run; an index ignores older ones.
	Version int64
	// Deleted removes the row.
	Deleted bool
}
