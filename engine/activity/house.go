package activity

import (
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"

	"github.com/perdure/perdure/engine"
)

// House is where an activity lives: in a workflow, or standing alone. It is one
// machine in both; where the API wants something else of the one than of the
// other, a rule says so. The numbers are part of the stored format.
type House uint8

// The houses.
const (
	InWorkflow House = 0
	Alone      House = 1
)

// rules are the points in which the houses differ (AX-10 and section 11.6 of
// spec/activity.md, against sections 3 to 9). The zero value is a workflow's.
type rules struct {
	// anonymous: failures made by the server do not name it as their source.
	anonymous bool
	// strict: the next attempt must begin before schedule-to-close is over;
	// otherwise it may begin in that very instant.
	strict bool
	// exclusive: of cancellation, reset and pause a running attempt hears of one,
	// and asking for cancellation takes back what was asked for before.
	exclusive bool
	// lateReset: a reset of a running attempt takes effect when that ends, and
	// then whatever its failure: attempt 1 follows at once. Otherwise the count
	// is set back at once, and the failure is looked at as any other.
	lateReset bool
	// briefPause: a pause holds back no more than the hand-out. A back-off goes
	// on, and so do timeouts, but for that of the hand-out; attempts count.
	// Otherwise nothing times out, the next attempt is given however many there
	// were, and follows the unpause at once.
	briefPause bool
	// givenDelays stay when the retry policy is changed: a back-off that the
	// failure asked for.
	givenDelays bool
	// strictPaths: an update of the options may not name unknown ones.
	strictPaths bool
	// delayed: the first hand-out may be delayed, and the delay updated.
	delayed bool
}

var alone = rules{
	anonymous: true, strict: true, exclusive: true, lateReset: true,
	briefPause: true, givenDelays: true, strictPaths: true, delayed: true,
}

func (h House) rules() rules {
	if h == Alone {
		return alone
	}
	return rules{}
}

// failureSource marks failures the server makes.
func (h House) failureSource() string {
	if h.rules().anonymous {
		return ""
	}
	return "Server"
}

// gone refuses an answer or heartbeat about an attempt that is not running: an
// earlier one, one in back-off, an ended activity (spec/activity.md 3.3, AX-10).
func (s *State) gone() *engine.Refusal {
	if s.House == Alone {
		return Unknown(s.ID)
	}
	return Gone()
}

// Gone is what a worker hears when the attempt it is about is not running, or the
// workflow knows no such activity.
func Gone() *engine.Refusal {
	return engine.NotFound("invalid activityID or activity already timed out or invoking workflow is completed")
}

// Unknown is what everybody hears of a standalone activity that is not there, and
// a worker of an attempt that is not running.
func Unknown(id string) *engine.Refusal {
	return engine.NotFound("activity not found for ID: %s", id)
}

func (h House) serverFailure(message string, nonRetryable bool) *failurepb.Failure {
	return &failurepb.Failure{
		Message: message,
		Source:  h.failureSource(),
		FailureInfo: &failurepb.Failure_ServerFailureInfo{
			ServerFailureInfo: &failurepb.ServerFailureInfo{NonRetryable: nonRetryable},
		},
	}
}

func (h House) timeoutFailure(t enumspb.TimeoutType, message string) *failurepb.Failure {
	return &failurepb.Failure{
		Message: message,
		Source:  h.failureSource(),
		FailureInfo: &failurepb.Failure_TimeoutFailureInfo{
			TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: t},
		},
	}
}
