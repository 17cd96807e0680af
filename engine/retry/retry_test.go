package retry

import (
	"math"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/perdure/perdure/engine"
	"github.com/perdure/perdure/engine/duration"
)

func dur(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// AT-20: zero fields are filled one by one.
func TestFill(t *testing.T) {
	for _, c := range []struct {
		name     string
		in, want *commonpb.RetryPolicy
	}{
		{"nothing given", nil,
			&commonpb.RetryPolicy{InitialInterval: dur(time.Second), BackoffCoefficient: 2, MaximumInterval: dur(100 * time.Second)}},
		{"maximum follows the initial interval", &commonpb.RetryPolicy{InitialInterval: dur(3 * time.Second)},
			&commonpb.RetryPolicy{InitialInterval: dur(3 * time.Second), BackoffCoefficient: 2, MaximumInterval: dur(300 * time.Second)}},
		{"given fields stay", &commonpb.RetryPolicy{BackoffCoefficient: 1.5, MaximumAttempts: 7, NonRetryableErrorTypes: []string{"X"}},
			&commonpb.RetryPolicy{InitialInterval: dur(time.Second), BackoffCoefficient: 1.5, MaximumInterval: dur(100 * time.Second), MaximumAttempts: 7, NonRetryableErrorTypes: []string{"X"}}},
		{"a hundred times fifty years is a century", &commonpb.RetryPolicy{InitialInterval: dur(duration.Max / 2)},
			&commonpb.RetryPolicy{InitialInterval: dur(duration.Max / 2), BackoffCoefficient: 2, MaximumInterval: dur(duration.Max)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := proto.Clone(c.in)
			if got := Fill(c.in); !proto.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if !proto.Equal(c.in, before) {
				t.Errorf("the given policy was changed")
			}
		})
	}
}

// AT-22 and workflow.md 1.2, with their texts.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		in   *commonpb.RetryPolicy
		want string
	}{
		{"no policy", nil, ""},
		{"coefficient 0 is the default", &commonpb.RetryPolicy{}, ""},
		{"negative initial interval", &commonpb.RetryPolicy{InitialInterval: dur(-1)}, "invalid InitialInterval set on retry policy: negative duration"},
		{"coefficient below 1", &commonpb.RetryPolicy{BackoffCoefficient: 0.5}, "BackoffCoefficient cannot be less than 1 on retry policy."},
		{"coefficient is no number", &commonpb.RetryPolicy{BackoffCoefficient: math.NaN()}, "BackoffCoefficient cannot be less than 1 on retry policy."},
		{"negative maximum interval", &commonpb.RetryPolicy{MaximumInterval: dur(-1)}, "invalid MaximumInterval set on retry policy: negative duration"},
		{"mixed signs", &commonpb.RetryPolicy{MaximumInterval: &durationpb.Duration{Seconds: 1, Nanos: -1}},
			"invalid MaximumInterval set on retry policy: duration has seconds and nanos with different signs"},
		{"maximum below initial", &commonpb.RetryPolicy{InitialInterval: dur(2), MaximumInterval: dur(1)}, "MaximumInterval cannot be less than InitialInterval on retry policy."},
		{"negative attempts", &commonpb.RetryPolicy{MaximumAttempts: -1}, "MaximumAttempts cannot be negative on retry policy."},
		{"known timeout names", &commonpb.RetryPolicy{NonRetryableErrorTypes: []string{"TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat", "TemporalTimeout:ScheduleToStart", "TemporalTimeout:ScheduleToClose"}}, ""},
		{"unknown timeout name", &commonpb.RetryPolicy{NonRetryableErrorTypes: []string{"X", "TemporalTimeout:Lunch"}}, "Invalid timeout type value: Lunch."},
		{"a single attempt skips all checks", &commonpb.RetryPolicy{MaximumAttempts: 1, BackoffCoefficient: -3, InitialInterval: dur(-1)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check(Fill(c.in))
			if c.in == nil {
				err = Check(nil)
			}
			if c.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			if err == nil || err.Error() != c.want || engine.KindOf(err) != engine.KindInvalidArgument {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// AT-100: min(initial x coefficient^(n-1), maximum), overflow is the maximum.
func TestInterval(t *testing.T) {
	p := Fill(nil)
	for attempt, want := range map[int32]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 7: 64 * time.Second,
		8: 100 * time.Second, 5000: 100 * time.Second, math.MaxInt32: 100 * time.Second,
	} {
		if got := Interval(p, attempt); got != want {
			t.Errorf("after attempt %d: %v, want %v", attempt, got, want)
		}
	}
	flat := Fill(&commonpb.RetryPolicy{InitialInterval: dur(500 * time.Millisecond), BackoffCoefficient: 1})
	if got := Interval(flat, 1000000); got != 500*time.Millisecond {
		t.Errorf("coefficient 1: %v", got)
	}
}

func application(kind string, nonRetryable bool, delay *durationpb.Duration) *failurepb.Failure {
	return &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{
		Type: kind, NonRetryable: nonRetryable, NextRetryDelay: delay}}}
}

func timeout(t enumspb.TimeoutType) *failurepb.Failure {
	return &failurepb.Failure{FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failurepb.TimeoutFailureInfo{TimeoutType: t}}}
}

// AT-103: only the outermost failure counts.
func TestRetryable(t *testing.T) {
	list := []string{"Bad", "TemporalTimeout:Heartbeat"}
	wrap := func(cause *failurepb.Failure) *failurepb.Failure {
		return &failurepb.Failure{Cause: cause, FailureInfo: &failurepb.Failure_ActivityFailureInfo{ActivityFailureInfo: &failurepb.ActivityFailureInfo{}}}
	}
	for _, c := range []struct {
		name string
		f    *failurepb.Failure
		want bool
	}{
		{"no failure", nil, true},
		{"failure without info", &failurepb.Failure{Message: "x"}, true},
		{"application", application("Good", false, nil), true},
		{"application, type differs in case", application("bad", false, nil), true},
		{"application, listed", application("Bad", false, nil), false},
		{"application, flagged", application("Good", true, nil), false},
		{"listed only in the cause", wrap(application("Bad", true, nil)), true},
		{"canceled", &failurepb.Failure{FailureInfo: &failurepb.Failure_CanceledFailureInfo{CanceledFailureInfo: &failurepb.CanceledFailureInfo{}}}, false},
		{"terminated", &failurepb.Failure{FailureInfo: &failurepb.Failure_TerminatedFailureInfo{TerminatedFailureInfo: &failurepb.TerminatedFailureInfo{}}}, false},
		{"start to close", timeout(enumspb.TIMEOUT_TYPE_START_TO_CLOSE), true},
		{"heartbeat, listed", timeout(enumspb.TIMEOUT_TYPE_HEARTBEAT), false},
		{"schedule to start", timeout(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START), false},
		{"schedule to close", timeout(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE), false},
		{"server", &failurepb.Failure{FailureInfo: &failurepb.Failure_ServerFailureInfo{ServerFailureInfo: &failurepb.ServerFailureInfo{}}}, true},
		{"server, flagged", &failurepb.Failure{FailureInfo: &failurepb.Failure_ServerFailureInfo{ServerFailureInfo: &failurepb.ServerFailureInfo{NonRetryable: true}}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Retryable(c.f, list); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// The order of reasons: workflow.md 1.10.
func TestDecide(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	two := Fill(&commonpb.RetryPolicy{MaximumAttempts: 2, NonRetryableErrorTypes: []string{"Bad"}})
	short := Fill(&commonpb.RetryPolicy{MaximumInterval: dur(time.Second)})
	for _, c := range []struct {
		name     string
		p        *commonpb.RetryPolicy
		attempt  int32
		f        *failurepb.Failure
		deadline time.Time
		want     enumspb.RetryState
		interval time.Duration
	}{
		{"no policy", nil, 1, nil, time.Time{}, enumspb.RETRY_STATE_RETRY_POLICY_NOT_SET, 0},
		{"not retryable beats attempts used up", two, 2, application("Bad", false, nil), time.Time{}, enumspb.RETRY_STATE_NON_RETRYABLE_FAILURE, 0},
		{"attempts used up beats the deadline", two, 2, nil, now, enumspb.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED, 0},
		{"would start after the deadline", two, 1, nil, now.Add(time.Second - 1), enumspb.RETRY_STATE_TIMEOUT, 0},
		{"starts exactly at the deadline", two, 1, nil, now.Add(time.Second), enumspb.RETRY_STATE_IN_PROGRESS, time.Second},
		{"the failure's own delay is not capped", short, 1, application("X", false, dur(2*time.Second)), time.Time{}, enumspb.RETRY_STATE_IN_PROGRESS, 2 * time.Second},
		{"own delay is subject to the deadline", short, 1, application("X", false, dur(2*time.Second)), now.Add(time.Second), enumspb.RETRY_STATE_TIMEOUT, 0},
		{"own delay zero is as absent", short, 1, application("X", false, dur(0)), time.Time{}, enumspb.RETRY_STATE_IN_PROGRESS, time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Decide(c.p, c.attempt, c.f, now, c.deadline)
			if got.State != c.want || got.Interval != c.interval {
				t.Errorf("got %v %v, want %v %v", got.State, got.Interval, c.want, c.interval)
			}
		})
	}
}
