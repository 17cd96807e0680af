package activity

import (
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/payload"
)

// Complete ends the activity with a result; one beyond the size limit makes it
// fail instead (AT-80). stamp is the token's. ByID an activity completes even
// while it waits for a worker: it then counts as started by the caller just now
// (AT-43, AT-72). The error is Gone.
func (s *State) Complete(env *engine.Env, stamp int64, result *commonpb.Payloads, identity string) (Step, error) {
	if stamp != ByID || s.Status == StatusStarted {
		if err := s.running(stamp); err != nil {
			return Step{}, err
		}
	} else {
		s = starting.move(s, func(next *State) {
			next.StartedTime = env.Now
			next.RequestID = ""
			next.Identity = identity
		}).State
	}
	if payload.SizeAll(result) > env.Limits.BlobBytes {
		return failing.end(s, s.tooLarge("Complete result exceeds size limit.", identity)), nil
	}
	return completing.end(s, Outcome{Ending: Completed, Result: result, Identity: identity}), nil
}

// Fail reports that the attempt failed: another follows, or the activity ends
// (AT-102). Heartbeat details, when given, replace those recorded first, so that
// the next attempt sees them (AT-83). complaints tell the worker what of its
// answer was too large to keep. stamp is the token's, or ByID. The error is Gone.
func (s *State) Fail(env *engine.Env, stamp int64, f *failurepb.Failure, details *commonpb.Payloads, identity string) (step Step, complaints []*failurepb.Failure, err error) {
	if err := s.running(stamp); err != nil {
		return Step{}, nil, err
	}
	if details != nil {
		if payload.SizeAll(details) > env.Limits.BlobBytes {
			complaints = append(complaints, s.House.serverFailure("Heartbeat details exceed size limit.", true))
		} else {
			next := *s
			next.HeartbeatDetails = details
			s = &next
		}
	}
	if proto.Size(f) > env.Limits.BlobBytes { // AT-84
		f = s.House.Shrink(f, env.Limits.BlobBytes, true)
		complaints = append(complaints, f)
	}
	decision := s.decide(f, env.Now)
	if decision.Again() {
		step := s.again(env, f, decision.Interval)
		step.State.LastAttemptComplete = env.Now
		return step, complaints, nil
	}
	return failing.end(s, Outcome{
		Ending: Failed, Failure: f, RetryState: decision.State, Identity: identity,
	}), complaints, nil
}

// AcceptCancel ends the activity because its worker accepts the cancellation
// (AT-133); details beyond the size limit make it fail instead (AT-86). stamp is
// the token's, or ByID. The error is Gone, or a Refusal of KindInvalidArgument
// when nobody asked for a cancellation.
func (s *State) AcceptCancel(env *engine.Env, stamp int64, details *commonpb.Payloads, identity string) (Step, error) {
	if err := s.running(stamp); err != nil {
		return Step{}, err
	}
	if !s.CancelRequested {
		return Step{}, engine.Invalid("unable to mark activity as canceled without activity being request canceled first")
	}
	if payload.SizeAll(details) > env.Limits.BlobBytes {
		return failing.end(s, s.tooLarge("Cancel details exceed size limit.", identity)), nil
	}
	return cancelling.end(s, Outcome{Ending: Canceled, Details: details, Identity: identity}), nil
}

// tooLarge is the outcome of an answer that cannot be kept.
func (s *State) tooLarge(message, identity string) Outcome {
	return Outcome{
		Ending: Failed, Failure: s.House.serverFailure(message, true),
		RetryState: enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE, Identity: identity,
	}
}
