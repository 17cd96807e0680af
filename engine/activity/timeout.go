package activity

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/perdure/perdure/engine"
)

const notEnoughTime = "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"

// timeoutOrder is the order of timeouts that are due at the same instant
// (AT-91): so an activity nobody came for ends by schedule-to-start even when
// only schedule-to-close was asked for (AT-92).
var timeoutOrder = []enumspb.TimeoutType{
	enumspb.TIMEOUT_TYPE_START_TO_CLOSE,
	enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START,
	enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE,
	enumspb.TIMEOUT_TYPE_HEARTBEAT,
}

// Deadline is when a timeout is due as things stand; zero when it does not apply
// (table 4). While the activity is paused none does in a workflow (AT-94), and
// standing alone all but schedule-to-start (AX-52).
func (s *State) Deadline(t enumspb.TimeoutType) time.Time {
	started := s.Status == StatusStarted
	switch {
	case s.Paused && (!s.House.rules().briefPause || t == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START):
	case t == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START && !started && s.ScheduleToStart > 0:
		return s.DueTime.Add(s.ScheduleToStart)
	case t == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE && s.ScheduleToClose > 0:
		return s.readyTime().Add(s.ScheduleToClose)
	case t == enumspb.TIMEOUT_TYPE_START_TO_CLOSE && started && s.StartToClose > 0 && !s.coversStart():
		return s.StartedTime.Add(s.StartToClose)
	case t == enumspb.TIMEOUT_TYPE_HEARTBEAT && started && s.Heartbeat > 0:
		return latest(s.StartedTime, s.LastHeartbeatTime, s.HeartbeatFloor).Add(s.Heartbeat)
	}
	return time.Time{}
}

// coversStart reports whether schedule-to-close always ends the activity before
// start-to-close could. They could fall due together only when a worker takes
// the attempt in the very instant of the schedule, which this server can do and
// the reference server cannot: an activity with only schedule-to-close set must
// not end as start-to-close because its worker was quick.
func (s *State) coversStart() bool {
	return s.ScheduleToClose > 0 && s.StartToClose >= s.ScheduleToClose
}

func latest(times ...time.Time) time.Time {
	last := times[0]
	for _, t := range times[1:] {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// Next is the earliest time at which something is due: a timeout, or the offer
// of an attempt whose back-off is over. Zero for never.
func (s *State) Next() time.Time {
	next := s.NextTimeout()
	if s.Status == StatusQueued && !s.Offered && !s.Paused && (next.IsZero() || s.DueTime.Before(next)) {
		next = s.DueTime
	}
	return next
}

// Overdue is one timeout that has passed. Rank orders timeouts of one instant.
type Overdue struct {
	At   time.Time
	Type enumspb.TimeoutType
	Rank int
}

// Overdue are the timeouts that have passed at now, unordered.
func (s *State) Overdue(now time.Time) []Overdue {
	var passed []Overdue
	for rank, t := range timeoutOrder {
		if at := s.Deadline(t); !at.IsZero() && !at.After(now) {
			passed = append(passed, Overdue{At: at, Type: t, Rank: rank})
		}
	}
	return passed
}

// TimeOut carries out a timeout that has passed: the attempt is lost and another
// follows, or the activity ends (second table of section 4). After it other
// timeouts found before are void (AT-91).
func (s *State) TimeOut(env *engine.Env, t enumspb.TimeoutType) Step {
	switch t {
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START:
		return s.timedOut(t, timeoutMessage(t), s.retryStateOfTimeout())
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
		if s.CancelRequested {
			return s.timedOut(t, timeoutMessage(t), s.retryStateOfTimeout())
		}
		return s.timedOut(t, notEnoughTime, enumspb.RETRY_STATE_TIMEOUT)
	}
	// The failure kept while retrying has neither details (AT-96) nor cause, so
	// that a chain of timeouts does not grow.
	lost := s.House.timeoutFailure(t, timeoutMessage(t))
	decision := s.decide(lost, env.Now)
	switch {
	case decision.Again():
		return s.again(env, lost, decision.Interval)
	case decision.State == enumspb.RETRY_STATE_TIMEOUT:
		// No time is left for another attempt: do not wait for the deadline.
		return s.timedOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, notEnoughTime, decision.State)
	}
	return s.timedOut(t, timeoutMessage(t), decision.State)
}

func (s *State) retryStateOfTimeout() enumspb.RetryState {
	if s.CancelRequested {
		return enumspb.RETRY_STATE_CANCEL_REQUESTED
	}
	return enumspb.RETRY_STATE_TIMEOUT
}

// timedOut ends the activity with the failure of AT-95.
func (s *State) timedOut(t enumspb.TimeoutType, message string, state enumspb.RetryState) Step {
	f := s.House.timeoutFailure(t, message)
	f.GetTimeoutFailureInfo().LastHeartbeatDetails = s.HeartbeatDetails
	f.Cause = s.LastFailure
	return timingOut.end(s, Outcome{Ending: TimedOut, Failure: f, RetryState: state})
}
