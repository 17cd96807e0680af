package activity

import (
	commonpb "go.temporal.io/api/common/v1"
)

// serverIdentity is who the server is in events it causes itself.
const serverIdentity = "history-service"

// RequestCancel asks for cancellation (AT-132). A worker that has the attempt
// learns of it at its next heartbeat and decides. When nobody has it, Unstarted
// is true afterwards, and the caller ends it by CancelUnstarted: at once, or,
// inside a workflow, after the other commands. It must not have been asked for
// before (AT-131). eventID is that of the CancelRequested event inside a
// workflow, else 0.
func (s *State) RequestCancel(eventID int64) *State {
	t := cancelAsking
	if s.Status == StatusQueued {
		t = cancelMarking
	}
	return t.move(s, func(next *State) {
		next.CancelRequested = true
		next.CancelRequestedEventID = eventID
		if s.House.rules().exclusive {
			next.dropReset()
			next.Paused, next.Pause = false, Pause{}
		}
	}).State
}

// Unstarted reports whether no worker has the activity: it waits for one, or
// for the end of a back-off.
func (s *State) Unstarted() bool { return s.Status == StatusQueued }

// CancelUnstarted ends an activity that is Unstarted and whose cancellation has
// been asked for. identity is who asked.
func (s *State) CancelUnstarted(identity string) Outcome {
	return *cancelling.end(s, notStarted(identity)).Outcome
}

// notStarted is the outcome of an activity that is cancelled before a worker
// had it.
func notStarted(identity string) Outcome {
	return Outcome{Ending: Canceled, Identity: identity, Details: &commonpb.Payloads{Payloads: []*commonpb.Payload{{
		Metadata: map[string][]byte{"encoding": []byte("json/plain")},
		Data:     []byte(`"ACTIVITY_ID_NOT_STARTED"`),
	}}}}
}
