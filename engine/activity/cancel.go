package activity

import (
	commonpb "go.temporal.io/api/common/v1"
)

// serverIdentity is who the server is in events it causes itself.
const serverIdentity = "history-service"

// RequestCancel asks for cancellation (AT-132). A worker that has the attempt
// learns of it at its next heartbeat and decides; an activity nobody has ends
// at once. It must not have been asked for before (AT-131). eventID is that of
// the CancelRequested event inside a workflow, identity that of who asks.
func (s *State) RequestCancel(eventID int64, identity string) Step {
	if s.Status == StatusQueued {
		return cancelling.end(s, notStarted(identity))
	}
	return cancelAsking.move(s, func(next *State) {
		next.CancelRequested = true
		next.CancelRequestedEventID = eventID
	})
}

// notStarted is the outcome of an activity that is cancelled before a worker
// had it.
func notStarted(identity string) Outcome {
	return Outcome{Ending: Canceled, Identity: identity, Details: &commonpb.Payloads{Payloads: []*commonpb.Payload{{
		Metadata: map[string][]byte{"encoding": []byte("json/plain")},
		Data:     []byte(`"ACTIVITY_ID_NOT_STARTED"`),
	}}}}
}
