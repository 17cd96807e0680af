package standalone

import (
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"

	activitypb "go.temporal.io/api/activity/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/perdure/perdure/engine"
)

// The comments of the API's enums and messages about standalone activities, each
// with a test of what it says.

// spec is one activity id and its worker, as few words as possible a step.
type spec struct {
	*testing.T
	*stage
	token int64
}

func newSpec(t *testing.T, change func(*workflowservice.StartActivityExecutionRequest)) *spec {
	s := &spec{T: t, stage: &stage{tokens: map[string]int64{}}}
	if err := s.begin(change); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *spec) begin(change func(*workflowservice.StartActivityExecutionRequest)) error {
	req := &workflowservice.StartActivityExecutionRequest{
		ActivityId: activityID.Name, ActivityType: &commonpb.ActivityType{Name: "Charge"}, TaskQueue: &taskqueuepb.TaskQueue{Name: "q"},
		StartToCloseTimeout: durationpb.New(10 * time.Second), RetryPolicy: &commonpb.RetryPolicy{MaximumAttempts: 2},
	}
	if change != nil {
		change(req)
	}
	res, err := StepID(s.env(), activityID, s.run, &StartExecution{Request: req})
	if err == nil {
		s.took(res)
	}
	return err
}

func (s *spec) do(in Input) any {
	s.Helper()
	res, err := Step(s.env(), s.run, in)
	if err != nil {
		s.Fatalf("%T: %v", in, err)
	}
	s.took(res)
	return res.Reply
}

// take has the worker take the attempt that is on offer.
func (s *spec) take() {
	s.Helper()
	if len(s.offers) == 0 {
		s.Fatal("nothing is on offer")
	}
	s.token = s.do(&StartAttempt{Stamp: s.offers[0].Stamp}).(*Started).Token().Stamp
}

func (s *spec) cancel() {
	s.do(&RequestCancel{&workflowservice.RequestCancelActivityExecutionRequest{Reason: "unwanted"}})
}

func (s *spec) wait(d time.Duration) { s.waitUntil(s.now + d) }

func (s *spec) mustBe(status enumspb.ActivityExecutionStatus) {
	s.Helper()
	if s.run.Info.Status != status {
		s.Errorf("it is %v, not %v", s.run.Info.Status, status)
	}
}

var fatal = &failurepb.Failure{FailureInfo: &failurepb.Failure_ApplicationFailureInfo{
	ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{NonRetryable: true}}}

// ActivityExecutionStatus, status by status.
func TestStatusesAreReachedAsDocumented(t *testing.T) {
	for promise, row := range map[string]struct {
		live func(*spec)
		want enumspb.ActivityExecutionStatus
	}{
		"COMPLETED: can complete even after cancellation is requested if the worker calls RespondActivityTaskCompleted before acknowledging cancellation": {
			func(s *spec) { s.take(); s.cancel(); s.do(&Complete{Stamp: s.token}) }, enumspb.ACTIVITY_EXECUTION_STATUS_COMPLETED},
		"FAILED: Worker returned a non-retryable failure": {
			func(s *spec) { s.take(); s.do(&Fail{Stamp: s.token, Failure: fatal}) }, enumspb.ACTIVITY_EXECUTION_STATUS_FAILED},
		"FAILED: RetryPolicy.maximum_attempts exhausted": {
			func(s *spec) {
				s.take()
				s.do(&Fail{Stamp: s.token})
				s.mustBe(enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING)
				s.wait(time.Second)
				s.take()
				s.do(&Fail{Stamp: s.token})
			}, enumspb.ACTIVITY_EXECUTION_STATUS_FAILED},
		"FAILED: Attempt failed after cancellation was requested (retries blocked)": {
			func(s *spec) { s.take(); s.cancel(); s.do(&Fail{Stamp: s.token}) }, enumspb.ACTIVITY_EXECUTION_STATUS_FAILED},
		"CANCELED: Cancellation requested while SCHEDULED (immediate)": {
			func(s *spec) { s.cancel() }, enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED},
		"CANCELED: Cancellation requested while STARTED and worker called RespondActivityTaskCanceled": {
			func(s *spec) {
				s.take()
				s.cancel()
				s.mustBe(enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING)
				s.do(&Cancel{Stamp: s.token})
			}, enumspb.ACTIVITY_EXECUTION_STATUS_CANCELED},
		"TERMINATED: Immediate; does not wait for worker acknowledgment": {
			func(s *spec) {
				s.take()
				s.do(&Terminate{&workflowservice.TerminateActivityExecutionRequest{}})
			}, enumspb.ACTIVITY_EXECUTION_STATUS_TERMINATED},
		"TIMED_OUT: SCHEDULE_TO_START and SCHEDULE_TO_CLOSE timeouts always result in TIMED_OUT": {
			func(s *spec) { s.wait(time.Minute) }, enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT},
		"TIMED_OUT: START_TO_CLOSE when RetryPolicy.maximum_attempts exhausted": {
			func(s *spec) { s.take(); s.wait(11 * time.Second); s.take(); s.wait(10 * time.Second) }, enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT},
		"TIMED_OUT: START_TO_CLOSE when cancellation has been requested": {
			func(s *spec) { s.take(); s.cancel(); s.wait(10 * time.Second) }, enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT},
		"PAUSED: only reachable after calling PauseActivityExecution on a standalone activity": {
			func(s *spec) { s.do(&Pause{&workflowservice.PauseActivityExecutionRequest{}}) }, enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED},
	} {
		t.Run(promise, func(t *testing.T) {
			s := newSpec(t, func(r *workflowservice.StartActivityExecutionRequest) {
				r.ScheduleToCloseTimeout = durationpb.New(50 * time.Second)
			})
			row.live(s)
			s.mustBe(row.want)
			if s.run.Open() != (s.run.Outcome == nil) {
				t.Errorf("open: %v, outcome %v", s.run.Open(), s.run.Outcome)
			}
		})
	}
}

// ActivityIdReusePolicy: "Allow starting an activity using the same ID only when
// the last activity's final state is one of {failed, canceled, terminated, timed
// out}."
func TestFailedOnlyAllowsWhatFailed(t *testing.T) {
	for name, live := range map[string]func(*spec){
		"failed":     func(s *spec) { s.take(); s.do(&Fail{Stamp: s.token, Failure: fatal}) },
		"canceled":   func(s *spec) { s.cancel() },
		"terminated": func(s *spec) { s.do(&Terminate{&workflowservice.TerminateActivityExecutionRequest{}}) },
		"timed out":  func(s *spec) { s.wait(time.Minute) },
		"completed":  func(s *spec) { s.take(); s.do(&Complete{Stamp: s.token}) },
	} {
		s := newSpec(t, func(r *workflowservice.StartActivityExecutionRequest) {
			r.ScheduleToStartTimeout = durationpb.New(time.Second)
		})
		live(s)
		err := s.begin(func(r *workflowservice.StartActivityExecutionRequest) {
			r.IdReusePolicy = enumspb.ACTIVITY_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
		})
		if allowed := name != "completed"; (err == nil) != allowed || !allowed && engine.KindOf(err) != engine.KindAlreadyStarted {
			t.Errorf("after one that was %s: %v", name, err)
		}
	}
}

// StartActivityExecutionRequest.start_delay: "This delay is not applied to retry
// attempts." ActivityExecutionInfo.expiration_time: "Calculated as schedule_time +
// start_delay + schedule_to_close_timeout."
func TestTheStartDelayIsThatOfTheFirstAttempt(t *testing.T) {
	s := newSpec(t, func(r *workflowservice.StartActivityExecutionRequest) {
		r.StartDelay, r.ScheduleToCloseTimeout, r.StartToCloseTimeout = durationpb.New(time.Hour), durationpb.New(time.Minute), nil
	})
	s.wait(time.Hour)
	s.take()
	s.do(&Fail{Stamp: s.token})
	s.wait(time.Second)
	s.take() // a second later, not an hour
	s.wait(58 * time.Second)
	s.mustBe(enumspb.ACTIVITY_EXECUTION_STATUS_RUNNING)
	s.wait(time.Second)
	s.mustBe(enumspb.ACTIVITY_EXECUTION_STATUS_TIMED_OUT)
}

// ActivityOptions.start_delay: "When updated, the time is added to the original
// schedule_time, not to the current time. If the resulting time is in the past,
// the task is made available for dispatch immediately."
func TestAnUpdatedStartDelayCountsFromTheSchedule(t *testing.T) {
	delay := func(s *spec, d time.Duration) {
		s.do(&UpdateOptions{&workflowservice.UpdateActivityExecutionOptionsRequest{
			ActivityOptions: &activitypb.ActivityOptions{StartDelay: durationpb.New(d)},
			UpdateMask:      &fieldmaskpb.FieldMask{Paths: []string{"start_delay"}},
		}})
	}
	s := newSpec(t, func(r *workflowservice.StartActivityExecutionRequest) { r.StartDelay = durationpb.New(time.Hour) })
	s.wait(20 * time.Minute)
	delay(s, 30*time.Minute)
	if due := s.run.Activity.DueTime.Sub(epoch); due != 30*time.Minute {
		t.Errorf("due at %v", due)
	}
	delay(s, 10*time.Minute)
	s.take()
}

// RequestCancelActivityExecutionRequest.reason: "recorded and available via the
// PollActivityExecution API. Not propagated to a worker if an activity attempt is
// currently running." TerminateActivityExecutionRequest.reason: "recorded in the
// activity's result failure outcome."
func TestReasonsAreRecorded(t *testing.T) {
	s := newSpec(t, nil)
	s.cancel()
	if details := s.run.Outcome.GetFailure().GetCanceledFailureInfo().GetDetails(); data(details) != `"unwanted"` {
		t.Errorf("the outcome of the cancellation says %s", data(details))
	}
	s = newSpec(t, nil)
	s.take()
	s.cancel()
	if got := s.do(&Heartbeat{Stamp: s.token}).(*workflowservice.RecordActivityTaskHeartbeatResponse); !got.CancelRequested {
		t.Error("the worker is not told")
	}
	s = newSpec(t, nil)
	s.do(&Terminate{&workflowservice.TerminateActivityExecutionRequest{Reason: "enough"}})
	if f := s.run.Outcome.GetFailure(); f.GetMessage() != "enough" || f.GetTerminatedFailureInfo() == nil {
		t.Errorf("the outcome of the termination is %v", f)
	}
}

// ResetActivityExecutionRequest: "If activity is paused, it will remain paused
// after reset"; "Reset always resets the attempt counter. Passing this flag causes
// reset to additionally discard any persisted heartbeat details."
func TestResetCountsAnew(t *testing.T) {
	for _, discard := range []bool{false, true} {
		s := newSpec(t, nil)
		s.take()
		s.do(&Heartbeat{Stamp: s.token, Details: payloads("half")})
		s.do(&Fail{Stamp: s.token})
		s.do(&Pause{&workflowservice.PauseActivityExecutionRequest{}})
		s.do(&Reset{&workflowservice.ResetActivityExecutionRequest{KeepPaused: true, ResetHeartbeat: discard}})
		s.mustBe(enumspb.ACTIVITY_EXECUTION_STATUS_PAUSED)
		if a := s.run.Activity; a.Attempt != 1 || (a.HeartbeatDetails == nil) != discard {
			t.Errorf("discard %v: attempt %d, details %s", discard, a.Attempt, data(a.HeartbeatDetails))
		}
	}
}
