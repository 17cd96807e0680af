// Package retry is the arithmetic of retry policies, shared by activities and
// workflow runs: filling in and checking a policy, the interval before the next
// attempt, which failures may be retried, and the decision made of all that.
// Spec: workflow.md 1.2 and 1.10, activity.md 1.3 and 5.
package retry

import (
	"math"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/proto"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
)

// The defaults of a policy whose fields are unset (AT-20).
const (
	DefaultInitialInterval    = time.Second
	DefaultBackoffCoefficient = 2.0
	// defaultMaximumFactor times the initial interval is the maximum interval.
	defaultMaximumFactor = 100
)

// timeoutPrefix marks an entry of non_retryable_error_types that names a
// timeout instead of an application error.
const timeoutPrefix = "TemporalTimeout:"

// Fill returns a copy of p in which every unset field has its default; of nil
// the default policy (AT-20), which is one for all and nobody may change. Durations
// are cut to 100 years. It may be given a policy that Check refuses, and leaves
// what is wrong with it as it is.
func Fill(p *commonpb.RetryPolicy) *commonpb.RetryPolicy {
	if p == nil {
		return unset
	}
	return fill(proto.CloneOf(p))
}

var unset = fill(new(commonpb.RetryPolicy))

func fill(filled *commonpb.RetryPolicy) *commonpb.RetryPolicy {
	if d := filled.InitialInterval; duration.Check(d) == nil {
		filled.InitialInterval = duration.Proto(orElse(duration.Of(d), DefaultInitialInterval))
	}
	if filled.BackoffCoefficient == 0 {
		filled.BackoffCoefficient = DefaultBackoffCoefficient
	}
	if d := filled.MaximumInterval; duration.Check(d) == nil {
		initial := duration.Of(filled.InitialInterval)
		ceiling := duration.Max
		if initial < duration.Max/defaultMaximumFactor {
			ceiling = initial * defaultMaximumFactor
		}
		filled.MaximumInterval = duration.Proto(orElse(duration.Of(d), ceiling))
	}
	return filled
}

func orElse(d, unset time.Duration) time.Duration {
	if d == 0 {
		return unset
	}
	return d
}

// Check refuses a filled policy that breaks a rule, with the API's texts
// (AT-22). Nil, and a policy of a single attempt, are always good. The error
// is an *engine.Refusal of KindInvalidArgument.
func Check(p *commonpb.RetryPolicy) error {
	if p == nil || p.GetMaximumAttempts() == 1 {
		return nil
	}
	if err := duration.Check(p.GetInitialInterval()); err != nil {
		return engine.Invalid("invalid InitialInterval set on retry policy: %v", err)
	}
	if !(p.GetBackoffCoefficient() >= 1) { // not "< 1", so that NaN is refused too
		return engine.Invalid("BackoffCoefficient cannot be less than 1 on retry policy.")
	}
	if err := duration.Check(p.GetMaximumInterval()); err != nil {
		return engine.Invalid("invalid MaximumInterval set on retry policy: %v", err)
	}
	if duration.Of(p.GetMaximumInterval()) < duration.Of(p.GetInitialInterval()) {
		return engine.Invalid("MaximumInterval cannot be less than InitialInterval on retry policy.")
	}
	if p.GetMaximumAttempts() < 0 {
		return engine.Invalid("MaximumAttempts cannot be negative on retry policy.")
	}
	for _, entry := range p.GetNonRetryableErrorTypes() {
		name, isTimeout := strings.CutPrefix(entry, timeoutPrefix)
		if isTimeout && !isTimeoutName(name) {
			return engine.Invalid("Invalid timeout type value: %s.", name)
		}
	}
	return nil
}

func isTimeoutName(name string) bool {
	for t, known := range timeoutNames {
		if known == name && t != enumspb.TIMEOUT_TYPE_UNSPECIFIED {
			return true
		}
	}
	return false
}

var timeoutNames = map[enumspb.TimeoutType]string{
	enumspb.TIMEOUT_TYPE_START_TO_CLOSE:    "StartToClose",
	enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START: "ScheduleToStart",
	enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: "ScheduleToClose",
	enumspb.TIMEOUT_TYPE_HEARTBEAT:         "Heartbeat",
}

// TimeoutName is the name of a timeout type as users write it: "StartToClose".
func TimeoutName(t enumspb.TimeoutType) string { return timeoutNames[t] }

// Interval is the back-off between the given attempt, counted from 1, and the
// next: initial interval x coefficient^(attempt-1), at most the maximum
// interval. Arithmetic overflow counts as the maximum (AT-100). p is filled.
func Interval(p *commonpb.RetryPolicy, attempt int32) time.Duration {
	ceiling := duration.Of(p.GetMaximumInterval())
	initial := duration.Of(p.GetInitialInterval())
	next := float64(initial) * math.Pow(p.GetBackoffCoefficient(), float64(max(attempt, 1)-1))
	if !(next < float64(ceiling)) { // catches NaN and infinity
		return ceiling
	}
	return time.Duration(next)
}

// Retryable says whether a failure may be retried. Only the outermost failure
// counts; no failure at all is retryable (AT-103).
func Retryable(f *failurepb.Failure, nonRetryable []string) bool {
	switch {
	case f.GetCanceledFailureInfo() != nil, f.GetTerminatedFailureInfo() != nil:
		return false
	case f.GetTimeoutFailureInfo() != nil:
		switch t := f.GetTimeoutFailureInfo().GetTimeoutType(); t {
		case enumspb.TIMEOUT_TYPE_START_TO_CLOSE, enumspb.TIMEOUT_TYPE_HEARTBEAT:
			return !listed(timeoutPrefix+timeoutNames[t], nonRetryable)
		}
		return false
	case f.GetServerFailureInfo() != nil:
		return !f.GetServerFailureInfo().GetNonRetryable()
	case f.GetApplicationFailureInfo() != nil:
		info := f.GetApplicationFailureInfo()
		return !info.GetNonRetryable() && !listed(info.GetType(), nonRetryable)
	}
	return true
}

func listed(name string, list []string) bool {
	for _, entry := range list {
		if entry == name {
			return true
		}
	}
	return false
}

// OwnDelay is the delay the failure itself asks for before the next attempt;
// zero when it asks for none. It is not capped by the maximum interval
// (AT-101). Present but zero counts as absent: the reference server gives the
// activity up there, which helps nobody.
func OwnDelay(f *failurepb.Failure) time.Duration {
	return duration.Of(f.GetApplicationFailureInfo().GetNextRetryDelay())
}

// Decision says what becomes of a failed attempt.
type Decision struct {
	// State is IN_PROGRESS for a retry, else why there is none.
	State enumspb.RetryState
	// Interval to wait; zero unless there is a retry.
	Interval time.Duration
}

// Again reports whether there is a next attempt.
func (d Decision) Again() bool { return d.State == enumspb.RETRY_STATE_IN_PROGRESS }

// Decide makes the decision for an attempt, counted from 1, that failed with f
// at now. deadline is the time no attempt may start after; zero for none. p is
// filled, or nil when there is no policy. Order of the reasons: workflow.md
// 1.10, rows 3, 5, 6 and 7 of AT-102.
func Decide(p *commonpb.RetryPolicy, attempt int32, f *failurepb.Failure, now, deadline time.Time) Decision {
	if p == nil {
		return Decision{State: enumspb.RETRY_STATE_RETRY_POLICY_NOT_SET}
	}
	if !Retryable(f, p.GetNonRetryableErrorTypes()) {
		return Decision{State: enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE}
	}
	if limit := p.GetMaximumAttempts(); limit > 0 && attempt >= limit {
		return Decision{State: enumspb.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED}
	}
	interval := OwnDelay(f)
	if interval == 0 {
		interval = Interval(p, attempt)
	}
	if !deadline.IsZero() && now.Add(interval).After(deadline) {
		return Decision{State: enumspb.RETRY_STATE_TIMEOUT}
	}
	return Decision{State: enumspb.RETRY_STATE_IN_PROGRESS, Interval: interval}
}
